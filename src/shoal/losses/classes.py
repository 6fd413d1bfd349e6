"""Losses of classes: one right among several, or yes and no.

Cross-entropies work on logits. A network that ends with the matching activation (Softmax for
"cross_entropy", Sigmoid for "binary_cross_entropy") is trained on what goes into that activation:
the same function, computed so that it neither overflows nor loses digits. A network without it is
taken to give logits. Predictions are probabilities in both cases.
"""

import jax
import jax.numpy as jnp

from shoal.arrays import Array, Numbers, Shape, magnitude, size, times
from shoal.describe import static, traced
from shoal.errors import DataError, ShapeError
from shoal.losses.loss import SMALLEST, Loss, ending, pick
from shoal.rules import Flag, Number, optional


class OfClasses(Loss, abstract=True):
    """The interface of losses of one right class among C, with outputs z (B, C).

    Predictions are softmax(z).
    """

    form = "index"
    tasks = ("classification",)
    least = 0.0

    @property
    def absorbs(self) -> str | None:
        return "Softmax"

    def predictions(self, z: Array) -> Array:
        return jax.nn.softmax(z, axis=-1)

    def outputs_for(self, predictions: Array) -> Array:
        return jnp.log(jnp.maximum(predictions, SMALLEST))

    def check_output(self, out_shape: Shape, width: int) -> None:
        if len(out_shape) == 1 and out_shape[0] == width:
            return
        remedy = ending(out_shape, width)
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

    margin: float = traced(default=1.0, must=Number(0.0, low_open=True))
    squared: bool = static(default=False, must=Flag())

    @property
    def absorbs(self) -> str | None:
        return None

    def per_example(self, z: Array, t: Array) -> Array:
        short = jnp.maximum(self.margin - pick(z, t)[:, None] + z, 0.0)
        others = jnp.arange(z.shape[-1], dtype=t.dtype)[None, :] != t[:, None]
        terms = jnp.where(others, short**2 if self.squared else short, 0.0)
        return jnp.mean(terms, axis=-1)


class BinaryCrossEntropy(Loss):
    """(1/T) sum_i -t_i log p_i - (1 - t_i) log(1 - p_i), with p = sigmoid(z).

    For two classes and one output, the probability of the second; for labels that may go together;
    and for values in [0, 1], which are not scaled, as in an autoencoder of grey pictures.
    """

    form = "binary"
    scales = False
    least = 0.0
    tasks = ("classification", "regression", "multilabel")

    @property
    def absorbs(self) -> str | None:
        return "Sigmoid"

    def per_example(self, z: Array, t: Array) -> Array:
        # max(z, 0) - z t + log(1 + e^-|z|): no exponential of a large number.
        per_output = jnp.maximum(z, 0.0) - z * t + jnp.log1p(jnp.exp(-magnitude(z)))
        return jnp.mean(per_output, axis=-1)

    def check_targets(self, targets: Numbers) -> None:
        if (targets < 0).any() or (targets > 1).any():
            raise DataError(
                "the targets of BinaryCrossEntropy()",
                required="numbers in [0, 1]",
                got=f"{targets.min():g} to {targets.max():g}",
                remedy='divide them by their largest value, or use loss="mean_squared_error"',
            )

    def predictions(self, z: Array) -> Array:
        return jax.nn.sigmoid(z)

    def outputs_for(self, predictions: Array) -> Array:
        p = jnp.clip(predictions, SMALLEST, 1.0 - 1e-7)
        return jnp.log(p) - jnp.log1p(-p)
