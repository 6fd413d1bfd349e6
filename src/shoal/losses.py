"""Losses: how wrong an output is, one number for each example.

Notation: z, shape (B, C) or (B, T), are the outputs of the network; t the targets. Each loss gives
(B,) numbers; training takes their mean over the batch.

Cross-entropies work on logits. A network that ends with the matching activation (Softmax for
"cross_entropy", Sigmoid for "binary_cross_entropy") is trained on what goes into that activation:
the same function, computed so that it neither overflows nor loses digits. A network without it is
taken to give logits. Predictions are probabilities in both cases.
"""

import math
from typing import ClassVar

import jax
import jax.numpy as jnp

from shoal.arrays import Array, Shape, magnitude, size, times
from shoal.describe import Description, by_name, static, traced
from shoal.errors import ShapeError
from shoal.rules import Flag, Number, optional

SMALLEST = 1e-30
"""Probabilities below this are taken for it where their logarithm is needed."""


class Loss(Description, abstract=True):
    """The interface of a loss.

    Class attributes:
        targets: the form in which it takes targets: "index" (B,) whole numbers, "binary" (B, T)
            zeros and ones, or "values" (B, T) numbers (classes as one-hot rows).
        absorbs: the kind of last activation that it undoes, or None.
    """

    targets: ClassVar[str] = "values"
    absorbs: ClassVar[str | None] = None

    def per_example(self, z: Array, t: Array) -> Array:
        """The loss of each example, shape (B,)."""
        raise NotImplementedError

    def predictions(self, z: Array) -> Array:
        """What the outputs mean: probabilities for cross-entropies, the outputs otherwise."""
        return z

    def outputs_for(self, predictions: Array) -> Array:
        """Outputs that mean these predictions: the inverse of ``predictions``."""
        return predictions

    def check_output(self, out_shape: Shape, width: int) -> None:
        """Whether outputs of this shape fit targets of ``width`` classes or values.

        Raises:
            ShapeError: they do not.
        """
        if out_shape != (width,):
            raise ShapeError(
                f"a network for {self!r}",
                required=f"{width} output{'s' * (width != 1)}",
                got=times(out_shape) if out_shape else "a single number",
                remedy=f"end it with Dense({width})",
            )


class MeanSquaredError(Loss):
    """(1/T) sum_i (z_i - t_i)²."""

    def per_example(self, z: Array, t: Array) -> Array:
        return jnp.mean((z - t) ** 2, axis=-1)


class HalfSquaredError(Loss):
    """½ sum_i (z_i - t_i)², the error of the classic back-propagation examples."""

    def per_example(self, z: Array, t: Array) -> Array:
        return 0.5 * jnp.sum((z - t) ** 2, axis=-1)


class MeanAbsoluteError(Loss):
    """(1/T) sum_i |z_i - t_i|."""

    def per_example(self, z: Array, t: Array) -> Array:
        return jnp.mean(magnitude(z - t), axis=-1)


class Huber(Loss):
    """(1/T) sum_i h(z_i - t_i), with h(e) = ½ e² for |e| <= delta, delta (|e| - ½ delta) beyond.

    Args:
        delta: where squares turn into absolute values, > 0, in units of the target.
    """

    delta: float = traced(default=1.0, must=Number(0.0, low_open=True))

    def per_example(self, z: Array, t: Array) -> Array:
        e = magnitude(z - t)
        # With q = min(|e|, delta): ½ q² + delta (|e| - q) is both branches at once.
        q = jnp.minimum(e, self.delta)
        return jnp.mean(0.5 * q**2 + self.delta * (e - q), axis=-1)


class LogCosh(Loss):
    """(1/T) sum_i ln cosh(z_i - t_i): ½ e² near 0, |e| - ln 2 far away, smooth between."""

    def per_example(self, z: Array, t: Array) -> Array:
        e = magnitude(z - t)
        return jnp.mean(e + jnp.log1p(jnp.exp(-2.0 * e)) - math.log(2.0), axis=-1)


class Quantile(Loss):
    """(1/T) sum_i max(q e_i, (q - 1) e_i), e = t - z: its minimum is the q-quantile of the targets.

    Also called pinball loss (Koenker and Bassett 1978); with q = ½ it is half the absolute error.

    Args:
        q: share of the targets that should lie below the prediction, in (0, 1).
    """

    q: float = traced(default=0.5, must=Number(0.0, 1.0, low_open=True, high_open=True))

    def per_example(self, z: Array, t: Array) -> Array:
        e = t - z
        return jnp.mean(jnp.maximum(self.q * e, (self.q - 1.0) * e), axis=-1)


class OfClasses(Loss, abstract=True):
    """The interface of losses of one right class among C, with outputs z (B, C).

    Predictions are softmax(z).
    """

    targets = "index"
    absorbs: ClassVar[str | None] = "Softmax"

    def predictions(self, z: Array) -> Array:
        return jax.nn.softmax(z, axis=-1)

    def outputs_for(self, predictions: Array) -> Array:
        return jnp.log(jnp.maximum(predictions, SMALLEST))

    def check_output(self, out_shape: Shape, width: int) -> None:
        if len(out_shape) == 1 and out_shape[0] == width:
            return
        remedy = f"end it with Dense({width})"
        if size(out_shape) == 1 and width == 2:
            remedy += ', or use loss="binary_cross_entropy"'
        raise ShapeError(
            f"a network for {self!r}",
            required=f"one output for each of {width} classes",
            got=times(out_shape),
            remedy=remedy,
        )


class CrossEntropy(OfClasses):
    """-log p_t, with p = softmax(z) and t the index of the right class.

    Args:
        smoothing: s in [0, 1): the target is 1 - s + s / C for the right class and s / C for each
            other (Szegedy et al. 2016, arXiv:1512.00567), as in PyTorch. None for no smoothing.
    """

    smoothing: float | None = traced(default=None, must=optional(Number(0.0, 1.0, high_open=True)))

    def per_example(self, z: Array, t: Array) -> Array:
        total, right = jax.nn.logsumexp(z, axis=-1), pick(z, t)
        if self.smoothing is None:
            return total - right
        return total - (1.0 - self.smoothing) * right - self.smoothing * jnp.mean(z, axis=-1)


class Focal(OfClasses):
    """-(1 - p_t)^gamma log p_t, with p = softmax(z): examples that are right already count less.

    Lin et al. 2017 (arXiv:1708.02002), without their weights of classes.

    Args:
        gamma: >= 0; 0 is the cross-entropy.
    """

    gamma: float = traced(default=2.0, must=Number(0.0))

    def per_example(self, z: Array, t: Array) -> Array:
        log_p = pick(z, t) - jax.nn.logsumexp(z, axis=-1)
        wrong = jnp.maximum(-jnp.expm1(log_p), SMALLEST)
        return -jnp.exp(self.gamma * jnp.log(wrong)) * log_p


class Hinge(OfClasses):
    """(1/C) sum over j != t of max(0, margin - z_t + z_j) (Weston and Watkins 1999).

    As ``torch.nn.MultiMarginLoss``. Its outputs are scores: ``predict_proba`` gives their softmax,
    in the right order but not calibrated. A network for it has no last activation.

    Args:
        margin: by which the right class should win, > 0.
        squared: whether each term is squared.
    """

    absorbs = None
    margin: float = traced(default=1.0, must=Number(0.0, low_open=True))
    squared: bool = static(default=False, must=Flag())

    def per_example(self, z: Array, t: Array) -> Array:
        short = jnp.maximum(self.margin - pick(z, t)[:, None] + z, 0.0)
        others = jnp.arange(z.shape[-1], dtype=t.dtype)[None, :] != t[:, None]
        terms = jnp.where(others, short**2 if self.squared else short, 0.0)
        return jnp.mean(terms, axis=-1)


class BinaryCrossEntropy(Loss):
    """(1/T) sum_i -t_i log p_i - (1 - t_i) log(1 - p_i), with p = sigmoid(z)."""

    targets = "binary"
    absorbs = "Sigmoid"

    def per_example(self, z: Array, t: Array) -> Array:
        # max(z, 0) - z t + log(1 + e^-|z|): no exponential of a large number.
        per_output = jnp.maximum(z, 0.0) - z * t + jnp.log1p(jnp.exp(-magnitude(z)))
        return jnp.mean(per_output, axis=-1)

    def predictions(self, z: Array) -> Array:
        return jax.nn.sigmoid(z)

    def outputs_for(self, predictions: Array) -> Array:
        p = jnp.clip(predictions, SMALLEST, 1.0 - 1e-7)
        return jnp.log(p) - jnp.log1p(-p)


def pick(z: Array, index: Array) -> Array:
    """z[b, index[b]] for every row b, shape (B,).

    Written as a comparison, not as a gather: gathers and their derivatives, scatters, are slow on
    CPUs, and the number of classes is small.
    """
    classes = jnp.arange(z.shape[-1], dtype=index.dtype)
    chosen = index[:, None] == classes[None, :]
    return jnp.sum(jnp.where(chosen, z, jnp.zeros_like(z)), axis=-1)


BY_NAME: dict[str, Loss] = {
    "mean_squared_error": MeanSquaredError(),
    "mse": MeanSquaredError(),
    "half_squared_error": HalfSquaredError(),
    "mean_absolute_error": MeanAbsoluteError(),
    "mae": MeanAbsoluteError(),
    "huber": Huber(),
    "log_cosh": LogCosh(),
    "quantile": Quantile(),
    "cross_entropy": CrossEntropy(),
    "focal": Focal(),
    "hinge": Hinge(),
    "binary_cross_entropy": BinaryCrossEntropy(),
}

loss = by_name(BY_NAME, "Recipe(loss)")
