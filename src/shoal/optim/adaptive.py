"""Optimisers that divide by the size of past gradients, weight by weight or layer by layer.

Notation: w a weight, g its gradient (after clipping and L2), r the learning rate of this step.

    AdaGrad                s <- s + g²;      w <- w - r g / sqrt(s + epsilon)
    RMSprop                s <- rho s + (1 - rho) g²;  w <- w - r g / (sqrt(s) + epsilon)
    AdaDelta               Zeiler 2012, with the correction of units
    Adam, AdamW            Kingma and Ba 2015; decoupled decay: Loshchilov and Hutter 2019
    NAdam                  Adam with Nesterov's look ahead: Dozat 2016
    AdaMax                 Adam with the largest gradient: Kingma and Ba 2015
    LAMB                   Adam, each array's step in proportion to its length: You et al. 2020
    Muon                   momentum, its matrices made orthogonal: Jordan et al. 2024
"""

from typing import Any

import jax
import optax
from optax import contrib

from shoal.arrays import Array, Tree
from shoal.describe import static, traced
from shoal.optim.optimiser import FRACTION, RATE, SMALL, Optimiser
from shoal.rules import Flag


class AdaGrad(Optimiser):
    """s <- s + g²; w <- w - r g / sqrt(s + epsilon) (Duchi et al. 2011).

    epsilon stands inside the root, as in optax; PyTorch adds it outside.

    Args:
        learning_rate: r >= 0.
        start: s before the first step, >= 0.
        epsilon: >= 0.
    """

    keeps_zeros = True
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

    keeps_zeros = True
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

    keeps_zeros = True
    learning_rate: float = traced(default=1.0, must=RATE)
    rho: float = traced(default=0.9, must=FRACTION)
    epsilon: float = traced(default=1e-6, must=SMALL)

    def transformation(self, rate: Array, decays: Tree) -> Any:
        return optax.adadelta(rate, rho=self.rho, eps=self.epsilon)


class _AdamFamily(Optimiser, abstract=True):
    """The interface of what is built on running means of g and of its size."""

    keeps_zeros = True
    learning_rate: float = traced(default=1e-3, must=RATE)
    beta1: float = traced(default=0.9, must=FRACTION)
    beta2: float = traced(default=0.999, must=FRACTION)
    epsilon: float = traced(default=1e-8, must=SMALL)


class Adam(_AdamFamily):
    """m <- b1 m + (1 - b1) g; s <- b2 s + (1 - b2) g²; w <- w - r m' / (sqrt(s') + epsilon).

    m' = m / (1 - b1^t) and s' = s / (1 - b2^t) undo the start at zero (Kingma and Ba 2015,
    algorithm 1).

    Args:
        learning_rate: r >= 0.
        beta1, beta2: shares of the old means that stay, in [0, 1).
        epsilon: >= 0.
    """

    def transformation(self, rate: Array, decays: Tree) -> Any:
        return optax.adam(rate, b1=self.beta1, b2=self.beta2, eps=self.epsilon)


class AdamW(_AdamFamily):
    """Adam, and besides w <- w - r decay w for weights (not for biases and scales).

    The decay does not pass through the division by sqrt(s), which is what L2 with Adam would do
    (Loshchilov and Hutter 2019, arXiv:1711.05101).

    Args:
        learning_rate: r >= 0.
        beta1, beta2, epsilon: as for Adam.
        weight_decay: decay >= 0.
    """

    weight_decay: float = traced(default=0.01, must=SMALL)

    def transformation(self, rate: Array, decays: Tree) -> Any:
        return optax.adamw(
            rate,
            b1=self.beta1,
            b2=self.beta2,
            eps=self.epsilon,
            weight_decay=self.weight_decay,
            mask=decays,
        )


class NAdam(_AdamFamily):
    """Adam with b1 m' + (1 - b1) g / (1 - b1^t) in the place of m' (Dozat 2016).

    m' is here corrected by 1 - b1^(t+1): the mean as it will be after the next step. PyTorch and
    Keras let beta1 grow along a schedule besides; this is the form without one, as in optax.

    Args:
        learning_rate: r >= 0.
        beta1, beta2, epsilon: as for Adam.
    """

    def transformation(self, rate: Array, decays: Tree) -> Any:
        return optax.nadam(rate, b1=self.beta1, b2=self.beta2, eps=self.epsilon)


class AdaMax(_AdamFamily):
    """m as in Adam; u <- max(b2 u, |g| + epsilon); w <- w - r m' / u (Kingma and Ba 2015, alg. 2).

    Args:
        learning_rate: r >= 0.
        beta1, beta2, epsilon: as for Adam.
    """

    learning_rate: float = traced(default=2e-3, must=RATE)

    def transformation(self, rate: Array, decays: Tree) -> Any:
        return optax.adamax(rate, b1=self.beta1, b2=self.beta2, eps=self.epsilon)


class LAMB(_AdamFamily):
    """d = m' / (sqrt(s') + epsilon) + decay w; w <- w - r |w| / |d| d, lengths over each array.

    You et al. 2020 (arXiv:1904.00962), for large batches. Where |w| or |d| is 0 the ratio is 1.

    Args:
        learning_rate: r >= 0.
        beta1, beta2, epsilon: as for Adam.
        weight_decay: decay >= 0, of weights, not of biases and scales.
    """

    epsilon: float = traced(default=1e-6, must=SMALL)
    weight_decay: float = traced(default=0.0, must=SMALL)

    def transformation(self, rate: Array, decays: Tree) -> Any:
        return optax.lamb(
            rate,
            b1=self.beta1,
            b2=self.beta2,
            eps=self.epsilon,
            weight_decay=self.weight_decay,
            mask=decays,
        )


class Muon(Optimiser):
    """Momentum for matrices, each made orthogonal by five Newton-Schulz steps; Adam for the rest.

    Jordan et al. 2024; arithmetic and constants are those of ``optax.contrib.muon``. Matrices are
    the weights of Dense; kernels of convolutions, biases and scales take Adam with the same rate.

    Args:
        learning_rate: r >= 0.
        beta: share of the old velocity that stays, in [0, 1).
        nesterov: whether the velocity looks ahead.
        weight_decay: >= 0, decoupled, of matrices.
    """

    learning_rate: float = traced(default=2e-3, must=RATE)
    beta: float = traced(default=0.95, must=FRACTION)
    nesterov: bool = static(default=True, must=Flag())
    weight_decay: float = traced(default=0.0, must=SMALL)

    def transformation(self, rate: Array, decays: Tree) -> Any:
        return contrib.muon(
            rate,
            beta=self.beta,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
            muon_weight_dimension_numbers=_matrices,
        )


def _matrices(parameters: Tree) -> Tree:
    """Which axes of each array are inputs and outputs; None for what is not a matrix."""
    units_by_features = contrib.MuonDimensionNumbers(reduction_axis=(1,), output_axis=(0,))
    return jax.tree.map(lambda w: units_by_features if w.ndim == 2 else None, parameters)
