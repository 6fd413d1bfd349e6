"""Optimisers with one rate for all weights, and those that look only at signs.

Notation: w a weight, g its gradient (after clipping and L2), r the learning rate of this step.

    GradientDescent, SGD   w <- w - r g
    Momentum               v <- beta v + g;  w <- w - r v          (PyTorch's form; v starts at 0)
    EMAMomentum            v <- beta v + (1 - beta) g;  w <- w - r v
    Nesterov               v <- beta v + g;  w <- w - r (g + beta v)
    Lion                   w <- w - r sign(beta1 m + (1 - beta1) g)
    Rprop                  w <- w - step sign(g), a step for every weight
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from shoal.arrays import Array, Tree
from shoal.describe import static, traced
from shoal.errors import RecipeError
from shoal.optim.optimiser import FRACTION, RATE, SMALL, Optimiser
from shoal.rules import Flag, Number


class SGD(Optimiser):
    """w <- w - r g, g being the mean gradient of a batch."""

    keeps_zeros = True

    def transformation(self, rate: Array, decays: Tree) -> Any:
        return optax.sgd(rate)


class GradientDescent(Optimiser):
    """w <- w - r g over all examples at once: a recipe with it takes the full batch by default."""

    keeps_zeros = True
    full_batch = True

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

    keeps_zeros = True
    beta: float = traced(default=0.9, must=FRACTION)

    def transformation(self, rate: Array, decays: Tree) -> Any:
        return optax.sgd(rate, momentum=self.beta)


class EMAMomentum(Optimiser):
    """v <- beta v + (1 - beta) g; w <- w - r v: an exponentially weighted mean of gradients.

    Courses and textbooks often write momentum so. v is then a mean, not a sum: for the path of
    ``Momentum`` the rate must be larger by 1 / (1 - beta). As v starts at 0 the first steps are
    short; the correction divides v by 1 - beta^t, as Adam does.

    Args:
        learning_rate: r >= 0.
        beta: share of the old mean that stays, in [0, 1).
        bias_correction: whether to undo the start at zero.
    """

    keeps_zeros = True
    beta: float = traced(default=0.9, must=FRACTION)
    bias_correction: bool = static(default=False, must=Flag())

    def transformation(self, rate: Array, decays: Tree) -> Any:
        mean = optax.ema(self.beta, debias=self.bias_correction)
        return optax.chain(mean, optax.scale_by_learning_rate(rate))


class Nesterov(Optimiser):
    """Momentum that looks ahead: v <- beta v + g; w <- w - r (g + beta v).

    Args:
        learning_rate: r >= 0.
        beta: share of the old velocity that stays, in [0, 1).
    """

    keeps_zeros = True
    beta: float = traced(default=0.9, must=FRACTION)

    def transformation(self, rate: Array, decays: Tree) -> Any:
        return optax.sgd(rate, momentum=self.beta, nesterov=True)


class Lion(Optimiser):
    """w <- w - r (sign(beta1 m + (1 - beta1) g) + decay w); m <- beta2 m + (1 - beta2) g.

    Chen et al. 2023 (arXiv:2302.06675), algorithm 2. Every step has the same length, so rates are 3
    to 10 times smaller than Adam's.

    Args:
        learning_rate: r >= 0.
        beta1, beta2: shares of the old mean, in [0, 1).
        weight_decay: decay >= 0, of weights, not of biases and scales.
    """

    keeps_zeros = True
    learning_rate: float = traced(default=1e-4, must=RATE)
    beta1: float = traced(default=0.9, must=FRACTION)
    beta2: float = traced(default=0.99, must=FRACTION)
    weight_decay: float = traced(default=0.0, must=SMALL)

    def transformation(self, rate: Array, decays: Tree) -> Any:
        return optax.lion(
            rate, b1=self.beta1, b2=self.beta2, weight_decay=self.weight_decay, mask=decays
        )


class Rprop(Optimiser):
    """w <- w - step sign(g), each weight with its own step, for full batches.

    The step grows by ``increase`` while the sign of g stays and shrinks by ``decrease`` when it
    changes, and then the weight waits one turn (Riedmiller and Braun 1993, in the form without
    taking steps back, as in PyTorch). On mini-batches signs change by chance and steps collapse;
    a recipe with it takes the full batch by default.

    Args:
        learning_rate: the first step of every weight, >= 0. A schedule does not change it.
        decrease: in (0, 1); increase: >= 1.
        smallest, largest: bounds of the steps, >= 0.
    """

    keeps_zeros = True
    full_batch = True

    decrease: float = traced(default=0.5, must=Number(0.0, 1.0, low_open=True, high_open=True))
    increase: float = traced(default=1.2, must=Number(1.0))
    smallest: float = traced(default=1e-6, must=SMALL)
    largest: float = traced(default=50.0, must=SMALL)

    def check(self) -> None:
        if self.smallest > self.largest:
            raise RecipeError(
                repr(self),
                required="smallest <= largest",
                got=f"{self.smallest:g} > {self.largest:g}",
                remedy="swap them",
            )

    def transformation(self, rate: Array, decays: Tree) -> Any:
        rule = optax.scale_by_rprop(
            self.learning_rate, self.decrease, self.increase, self.smallest, self.largest
        )

        def update(gradient: Tree, state: Any, parameters: Tree) -> tuple[Tree, Any]:
            # optax 0.2.8 returns the step before this one (google-deepmind/optax pull request
            # 1725); the right one is in the state, with and without that fault.
            _, state = rule.update(gradient, state, parameters)
            return jax.tree.map(jnp.negative, state.prev_updates), state

        return optax.GradientTransformation(rule.init, update)
