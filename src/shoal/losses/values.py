"""Losses of numbers: errors of a regression, counts, distributions.

Notation: z, shape (B, T), are the outputs of the network; t, of the same shape, the targets.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from shoal.arrays import Array, Numbers, Shape, magnitude
from shoal.describe import traced
from shoal.errors import DataError
from shoal.losses.loss import SMALLEST, Loss
from shoal.rules import Number


class MeanSquaredError(Loss):
    """(1/T) sum_i (z_i - t_i)²."""

    least = 0.0

    def per_example(self, z: Array, t: Array) -> Array:
        return jnp.mean((z - t) ** 2, axis=-1)


class HalfSquaredError(Loss):
    """½ sum_i (z_i - t_i)², the error of the classic back-propagation examples."""

    least = 0.0

    def per_example(self, z: Array, t: Array) -> Array:
        return 0.5 * jnp.sum((z - t) ** 2, axis=-1)


class MeanAbsoluteError(Loss):
    """(1/T) sum_i |z_i - t_i|."""

    least = 0.0

    def per_example(self, z: Array, t: Array) -> Array:
        return jnp.mean(magnitude(z - t), axis=-1)


class Huber(Loss):
    """(1/T) sum_i h(z_i - t_i), with h(e) = ½ e² for |e| <= delta, delta (|e| - ½ delta) beyond.

    Args:
        delta: where squares turn into absolute values, > 0. The targets of a regression are scaled
            by default, so it is in units of their standard deviation; with
            ``Preparation(targets="none")`` in those of the target.
    """

    least = 0.0

    delta: float = traced(default=1.0, must=Number(0.0, low_open=True))

    def per_example(self, z: Array, t: Array) -> Array:
        e = magnitude(z - t)
        # With q = min(|e|, delta): ½ q² + delta (|e| - q) is both branches at once.
        q = jnp.minimum(e, self.delta)
        return jnp.mean(0.5 * q**2 + self.delta * (e - q), axis=-1)


class LogCosh(Loss):
    """(1/T) sum_i ln cosh(z_i - t_i): ½ e² near 0, |e| - ln 2 far away, smooth between."""

    least = 0.0

    def per_example(self, z: Array, t: Array) -> Array:
        e = magnitude(z - t)
        return jnp.mean(e + jnp.log1p(jnp.exp(-2.0 * e)) - math.log(2.0), axis=-1)


class Quantile(Loss):
    """(1/T) sum_i max(q e_i, (q - 1) e_i), e = t - z: its minimum is the q-quantile of the targets.

    Also called pinball loss (Koenker and Bassett 1978); with q = ½ it is half the absolute error.

    Args:
        q: share of the targets that should lie below the prediction, in (0, 1).
    """

    least = 0.0

    q: float = traced(default=0.5, must=Number(0.0, 1.0, low_open=True, high_open=True))

    def per_example(self, z: Array, t: Array) -> Array:
        e = t - z
        return jnp.mean(jnp.maximum(self.q * e, (self.q - 1.0) * e), axis=-1)


class Poisson(Loss):
    """(1/T) sum_i e^z_i - t_i z_i: the negative log-likelihood of counts t with mean e^z.

    Without the terms ln t_i! that do not depend on z, as ``torch.nn.PoissonNLLLoss``. Predictions
    are the means e^z. Targets are counts, which are not scaled.
    """

    scales = False
    tasks = ("regression",)

    def per_example(self, z: Array, t: Array) -> Array:
        return jnp.mean(jnp.exp(z) - t * z, axis=-1)

    def predictions(self, z: Array) -> Array:
        return jnp.exp(z)

    def outputs_for(self, predictions: Array) -> Array:
        return jnp.log(jnp.maximum(predictions, SMALLEST))

    def check_targets(self, targets: Numbers) -> None:
        if (targets < 0).any():
            raise DataError(
                "the targets of Poisson()",
                required="counts >= 0",
                got=f"{targets.min():g}",
                remedy='use loss="mean_squared_error" for values of both signs',
            )


class KLDivergence(Loss):
    """sum_i t_i ln(t_i / p_i), with p = softmax(z) and t a distribution over the C outputs.

    Kullback and Leibler 1951; as ``torch.nn.KLDivLoss(reduction="batchmean")`` of the log-softmax.
    Targets are rows of probabilities, (N, C), which are not scaled.
    """

    least = 0.0
    scales = False

    @property
    def absorbs(self) -> str | None:
        return "Softmax"

    def per_example(self, z: Array, t: Array) -> Array:
        known = jnp.where(t > 0.0, t, 1.0)
        # ln p = z - logsumexp(z), summed so that no infinity meets a zero.
        logs = jax.nn.logsumexp(z, axis=-1) * jnp.sum(t, axis=-1) - jnp.sum(t * z, axis=-1)
        return jnp.sum(t * jnp.log(known), axis=-1) + logs

    def predictions(self, z: Array) -> Array:
        return jax.nn.softmax(z, axis=-1)

    def outputs_for(self, predictions: Array) -> Array:
        return jnp.log(jnp.maximum(predictions, SMALLEST))

    def check_output(self, out_shape: Shape, width: int) -> None:
        super().check_output(out_shape, max(2, width))

    def check_targets(self, targets: Numbers) -> None:
        sums = targets.sum(axis=-1)
        if (targets < 0).any() or np.abs(sums - 1.0).max() > 1e-4:
            low, row = targets.min(), int(np.abs(sums - 1.0).argmax())
            raise DataError(
                "the targets of KLDivergence()",
                required="rows of probabilities that sum to 1",
                got=f"{low:g}" if low < 0 else f"a sum of {sums[row]:g} in row {row}",
                remedy="divide each row by its sum",
            )
