"""Optimisers: how a gradient becomes a step. The arithmetic is optax's.

Notation: w a weight, g its gradient (after clipping and L2), r the learning rate of this step.
In order of increasing difficulty:

    GradientDescent, SGD   w <- w - r g
    Momentum               v <- beta v + g;  w <- w - r v          (PyTorch's form; v starts at 0)
    Nesterov               v <- beta v + g;  w <- w - r (g + beta v)
    AdaGrad                s <- s + g²;      w <- w - r g / sqrt(s + epsilon)
    RMSprop                s <- rho s + (1 - rho) g²;  w <- w - r g / (sqrt(s) + epsilon)
    AdaDelta               Zeiler 2012, with the correction of units
    Adam, AdamW            Kingma and Ba 2015; decoupled decay: Loshchilov and Hutter 2019

A description's numbers may be tracers: every member of a pool has its own rates.
"""

from typing import Any

import optax

from shoal.arrays import Array, Tree
from shoal.describe import Description, by_name, static, traced
from shoal.rules import Flag, Number

RATE = Number(0.0)
FRACTION = Number(0.0, 1.0, high_open=True)
SMALL = Number(0.0)


class Optimiser(Description, abstract=True):
    """The interface of an optimiser."""

    learning_rate: float = traced(default=0.01, must=RATE)

    def transformation(self, rate: Array, decays: Tree) -> Any:
        """The optax transformation for one step.

        Args:
            rate: the learning rate of this step, a scalar.
            decays: booleans like the parameters: where weight decay acts.
        """
        raise NotImplementedError


class SGD(Optimiser):
    """w <- w - r g, g being the mean gradient of a batch."""

    def transformation(self, rate: Array, decays: Tree) -> Any:
        return optax.sgd(rate)


class GradientDescent(Optimiser):
    """w <- w - r g over all examples at once: a recipe with it takes the full batch by default."""

    def transformation(self, rate: Array, decays: Tree) -> Any:
        return optax.sgd(rate)


class Momentum(Optimiser):
    """v <- beta v + g; w <- w - r v.

    Without the factor (1 - beta) on g that the exponentially weighted form has: for the same path
    that form needs a rate larger by 1 / (1 - beta).

    Args:
        learning_rate: r >= 0.
        beta: share of the old velocity that stays, in [0, 1).
    """

    beta: float = traced(default=0.9, must=FRACTION)

    def transformation(self, rate: Array, decays: Tree) -> Any:
        return optax.sgd(rate, momentum=self.beta)


class Nesterov(Optimiser):
    """Momentum that looks ahead: v <- beta v + g; w <- w - r (g + beta v).

    Args:
        learning_rate: r >= 0.
        beta: share of the old velocity that stays, in [0, 1).
    """

    beta: float = traced(default=0.9, must=FRACTION)

    def transformation(self, rate: Array, decays: Tree) -> Any:
        return optax.sgd(rate, momentum=self.beta, nesterov=True)


class AdaGrad(Optimiser):
    """s <- s + g²; w <- w - r g / sqrt(s + epsilon) (Duchi et al. 2011).

    epsilon stands inside the root, as in optax; PyTorch adds it outside.

    Args:
        learning_rate: r >= 0.
        start: s before the first step, >= 0.
        epsilon: >= 0.
    """

    start: float = traced(default=0.0, must=SMALL)
    epsilon: float = traced(default=1e-10, must=SMALL)

    def transformation(self, rate: Array, decays: Tree) -> Any:
        return optax.adagrad(rate, initial_accumulator_value=self.start, eps=self.epsilon)


class RMSprop(Optimiser):
    """s <- rho s + (1 - rho) g²; w <- w - r g / (sqrt(s) + epsilon) (Hinton 2012).

    epsilon stands outside the root and s starts at 0, as in PyTorch.

    Args:
        learning_rate: r >= 0.
        rho: share of the old mean square that stays, in [0, 1).
        epsilon: >= 0.
        centred: divide by the standard deviation of g instead of its root mean square.
    """

    rho: float = traced(default=0.99, must=FRACTION)
    epsilon: float = traced(default=1e-8, must=SMALL)
    centred: bool = static(default=False, must=Flag())

    def transformation(self, rate: Array, decays: Tree) -> Any:
        return optax.rmsprop(
            rate, decay=self.rho, eps=self.epsilon, eps_in_sqrt=False, centered=self.centred
        )


class AdaDelta(Optimiser):
    """d = g sqrt(u + epsilon) / sqrt(s + epsilon), with running means s of g² and u of d².

    Zeiler 2012 (arXiv:1212.5701), algorithm 1; the root of u corrects the units of the step. With
    learning_rate 1 it is the paper's method, which has no rate.

    Args:
        learning_rate: r >= 0.
        rho: share of the old means that stays, in [0, 1).
        epsilon: >= 0.
    """

    learning_rate: float = traced(default=1.0, must=RATE)
    rho: float = traced(default=0.9, must=FRACTION)
    epsilon: float = traced(default=1e-6, must=SMALL)

    def transformation(self, rate: Array, decays: Tree) -> Any:
        return optax.adadelta(rate, rho=self.rho, eps=self.epsilon)


class Adam(Optimiser):
    """m <- b1 m + (1 - b1) g; s <- b2 s + (1 - b2) g²; w <- w - r m' / (sqrt(s') + epsilon).

    m' = m / (1 - b1^t) and s' = s / (1 - b2^t) undo the start at zero (Kingma and Ba 2015,
    algorithm 1).

    Args:
        learning_rate: r >= 0.
        beta1, beta2: shares of the old means that stay, in [0, 1).
        epsilon: >= 0.
    """

    learning_rate: float = traced(default=1e-3, must=RATE)
    beta1: float = traced(default=0.9, must=FRACTION)
    beta2: float = traced(default=0.999, must=FRACTION)
    epsilon: float = traced(default=1e-8, must=SMALL)

    def transformation(self, rate: Array, decays: Tree) -> Any:
        return optax.adam(rate, b1=self.beta1, b2=self.beta2, eps=self.epsilon)


class AdamW(Optimiser):
    """Adam, and besides w <- w - r decay w for weights (not for biases and scales).

    The decay does not pass through the division by sqrt(s), which is what L2 with Adam would do
    (Loshchilov and Hutter 2019, arXiv:1711.05101).

    Args:
        learning_rate: r >= 0.
        weight_decay: decay >= 0.
        beta1, beta2, epsilon: as for Adam.
    """

    learning_rate: float = traced(default=1e-3, must=RATE)
    weight_decay: float = traced(default=0.01, must=SMALL)
    beta1: float = traced(default=0.9, must=FRACTION)
    beta2: float = traced(default=0.999, must=FRACTION)
    epsilon: float = traced(default=1e-8, must=SMALL)

    def transformation(self, rate: Array, decays: Tree) -> Any:
        return optax.adamw(
            rate,
            b1=self.beta1,
            b2=self.beta2,
            eps=self.epsilon,
            weight_decay=self.weight_decay,
            mask=decays,
        )


BY_NAME: dict[str, Optimiser] = {
    "gradient_descent": GradientDescent(),
    "sgd": SGD(),
    "momentum": Momentum(),
    "nesterov": Nesterov(),
    "adagrad": AdaGrad(),
    "rmsprop": RMSprop(),
    "adadelta": AdaDelta(),
    "adam": Adam(),
    "adamw": AdamW(),
}

optimiser = by_name(BY_NAME, "Recipe(optimiser)")
