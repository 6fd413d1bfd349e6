"""Metrics: how good outputs are, in numbers that people compare.

A metric is computed in two steps, so that it can be gathered batch by batch inside a compiled
program: ``sums`` turns a batch into a few numbers that are added up, ``value`` turns their sums
into the metric. Metrics that cannot be gathered so (the area under the ROC curve needs all outputs
at once) are marked ``additive = False`` and are computed on the validation split only.

Notation: z (B, C) outputs before the last activation, p = predictions(z); t targets in the form of
the loss; m (B,) is 1 for real examples and 0 for padding.
"""

import math
import re
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp

from shoal.arrays import Array
from shoal.describe import Description, static
from shoal.errors import RecipeError, did_you_mean
from shoal.losses import BinaryCrossEntropy, CrossEntropy, Loss, pick
from shoal.rules import OneOf, Whole

SHARE, ABOVE_ZERO = (0.0, 1.0), (0.0, math.inf)
AVERAGES = ("uniform_average", "variance_weighted")


class Facts(NamedTuple):
    """What metrics know beside the outputs.

    Attributes:
        loss: of the recipe; says what outputs and targets are.
        scale: (T,) units of the target per unit of the output (1 unless targets are scaled).
        variance: (T,) variance of the targets of the split, in units of the target squared.
    """

    loss: Loss
    scale: Array
    variance: Array


class Metric(Description, abstract=True):
    """The interface of a metric.

    Class attributes:
        tasks: of "classification", "regression" and "multilabel".
        greater_is_better: the direction.
        additive: whether it can be gathered batch by batch.
        bounds: the lowest and the highest value that it can have.
    """

    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    greater_is_better: ClassVar[bool] = True
    additive: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float]] = (-math.inf, math.inf)

    @property
    def name(self) -> str:
        """Its name in the record, after "train_" or "validation_"."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(self).__name__).lower()

    def sums(self, z: Array, t: Array, m: Array, facts: Facts) -> Array:
        """What a batch adds, a vector; its last number is the count of examples."""
        raise NotImplementedError

    def value(self, sums: Array, facts: Facts) -> Array:
        """The metric from the sums; by default the mean of the first sum."""
        return sums[0] / sums[-1]

    def nothing(self, facts: Facts) -> Array:
        """The sums of no examples."""
        return jnp.zeros(2, facts.scale.dtype)


def _total(per_example: Array, m: Array) -> Array:
    """Sum over real examples, and their number."""
    return jnp.stack([jnp.sum(per_example * m), jnp.sum(m)])


def _labels(t: Array, loss: Loss) -> Array:
    """The index of the right class, (B,), from targets in the form of the loss."""
    return t if loss.form == "index" else jnp.argmax(t, axis=-1).astype(jnp.int32)


def _rank(z: Array, t: Array, loss: Loss) -> Array:
    """How many classes stand before the right one, (B,); equal outputs in order of their index."""
    labels = _labels(t, loss)
    right = pick(z, labels)[:, None]
    earlier = jnp.arange(z.shape[-1], dtype=labels.dtype)[None, :] < labels[:, None]
    before = (z > right) | ((z == right) & earlier)
    return jnp.sum(before.astype(jnp.int32), axis=-1)


class Accuracy(Metric):
    """Share of examples whose largest output is the right one.

    For labels that may go together: share of the labels, over all examples, that are right.
    """

    tasks = ("classification", "multilabel")
    bounds = SHARE

    def sums(self, z: Array, t: Array, m: Array, facts: Facts) -> Array:
        if facts.loss.form == "binary":
            hits = jnp.mean(((z > 0) == (t > 0.5)).astype(z.dtype), axis=-1)
        elif z.shape[-1] == 1:
            hits = ((z[:, 0] > 0.5) == (t[:, 0] > 0.5)).astype(z.dtype)
        else:
            hits = (_rank(z, t, facts.loss) == 0).astype(z.dtype)
        return _total(hits, m)


class TopK(Metric):
    """Share of examples whose right class is among the k largest outputs.

    Args:
        k: >= 1.
    """

    bounds = SHARE

    k: int = static(default=5, must=Whole(1))

    @property
    def name(self) -> str:
        return f"top_{self.k}"

    def sums(self, z: Array, t: Array, m: Array, facts: Facts) -> Array:
        return _total((_rank(z, t, facts.loss) < self.k).astype(z.dtype), m)


class LogLoss(Metric):
    """Mean of -log p of the right class.

    Where the loss takes targets as values, outputs are cut to [0, 1] and divided by their sum, and
    p is at least the spacing of numbers at 1, as in scikit-learn.
    """

    tasks = ("classification", "multilabel")
    greater_is_better = False
    bounds = ABOVE_ZERO

    def sums(self, z: Array, t: Array, m: Array, facts: Facts) -> Array:
        if facts.loss.form == "index":
            return _total(CrossEntropy().per_example(z, t), m)
        if facts.loss.form == "binary":
            return _total(BinaryCrossEntropy().per_example(z, t), m)
        p, least = jnp.clip(facts.loss.predictions(z), 0.0, 1.0), jnp.finfo(z.dtype).eps
        if z.shape[-1] == 1:
            right = jnp.where(t[:, 0] > 0.5, p[:, 0], 1.0 - p[:, 0])
        else:
            sums = jnp.sum(p, axis=-1)
            even = jnp.full_like(sums, 1.0 / p.shape[-1])
            right = pick(p, _labels(t, facts.loss)) / jnp.where(sums > 0, sums, 1.0)
            right = jnp.where(sums > 0, right, even)
        return _total(-jnp.log(jnp.maximum(right, least)), m)


class R2(Metric):
    """1 - (mean squared error) / (variance of the targets).

    1 is perfect, 0 is as good as the mean of the split, negative is worse. For targets that do not
    vary it is 1 without any error and 0 otherwise. All as in scikit-learn.

    Args:
        multioutput: of several targets, "uniform_average" or "variance_weighted": the mean of
            theirs, or errors of all over variances of all.
    """

    tasks = ("regression",)
    bounds = (-math.inf, 1.0)

    multioutput: str = static(default=AVERAGES[0], must=OneOf(AVERAGES))

    @property
    def name(self) -> str:
        return "r2" if self.multioutput == AVERAGES[0] else f"r2_{self.multioutput}"

    def sums(self, z: Array, t: Array, m: Array, facts: Facts) -> Array:
        squares = jnp.sum(_errors(z, t, facts) ** 2 * m[:, None], axis=0)
        return jnp.append(squares, jnp.sum(m))

    def value(self, sums: Array, facts: Facts) -> Array:
        error, vary = sums[:-1] / sums[-1], facts.variance > 0.0
        if self.multioutput != AVERAGES[0]:
            whole, vary = jnp.sum(facts.variance), jnp.any(vary)
            error, ratio = jnp.sum(error), jnp.sum(error) / jnp.where(vary, whole, 1.0)
            return 1.0 - jnp.where(vary, ratio, (error > 0.0).astype(error.dtype))
        ratio = error / jnp.where(vary, facts.variance, 1.0)
        return jnp.mean(1.0 - jnp.where(vary, ratio, (error > 0.0).astype(error.dtype)))

    def nothing(self, facts: Facts) -> Array:
        return jnp.zeros(facts.scale.shape[0] + 1, facts.scale.dtype)


class MAE(Metric):
    """Mean absolute error, in units of the target."""

    tasks = ("regression",)
    greater_is_better = False
    bounds = ABOVE_ZERO

    @property
    def name(self) -> str:
        return "mae"

    def sums(self, z: Array, t: Array, m: Array, facts: Facts) -> Array:
        return _total(jnp.mean(jnp.abs(_errors(z, t, facts)), axis=-1), m)


class RMSE(Metric):
    """Root of the mean squared error, in units of the target."""

    tasks = ("regression",)
    greater_is_better = False
    bounds = ABOVE_ZERO

    @property
    def name(self) -> str:
        return "rmse"

    def sums(self, z: Array, t: Array, m: Array, facts: Facts) -> Array:
        return _total(jnp.mean(_errors(z, t, facts) ** 2, axis=-1), m)

    def value(self, sums: Array, facts: Facts) -> Array:
        return jnp.sqrt(sums[0] / sums[-1])


def _errors(z: Array, t: Array, facts: Facts) -> Array:
    return (facts.loss.predictions(z) - t) * facts.scale[None, :]


class ROCAUC(Metric):
    """Area under the ROC curve: how often a positive example is ranked above a negative one.

    Equal outputs count one half (the Mann-Whitney statistic). For C > 2 classes the mean over the
    classes, each against the rest, as ``sklearn.metrics.roc_auc_score(multi_class="ovr")``.
    """

    tasks = ("classification", "multilabel")
    additive = False
    bounds = SHARE

    @property
    def name(self) -> str:
        return "roc_auc"

    def sums(self, z: Array, t: Array, m: Array, facts: Facts) -> Array:
        """The area itself, from all examples at once, and 1 as the count."""
        scores = facts.loss.predictions(z)
        if scores.shape[-1] == 1:
            areas = _area(scores[:, 0], t.reshape(-1) > 0.5, m)
        elif facts.loss.form == "binary":
            areas = jnp.mean(
                jnp.stack([_area(scores[:, i], t[:, i] > 0.5, m) for i in range(scores.shape[1])])
            )
        else:
            labels = _labels(t, facts.loss)
            classes = range(1, 2) if scores.shape[-1] == 2 else range(scores.shape[-1])
            areas = jnp.mean(jnp.stack([_area(scores[:, c], labels == c, m) for c in classes]))
        return jnp.stack([areas, jnp.ones_like(areas)])


def _area(scores: Array, positive: Array, m: Array) -> Array:
    """Share of the pairs of a positive and a negative row that are in order, ties counting half.

    Rows count as their weights m say. Sorted by score, each positive row has before it the weight
    of all negative rows with lower scores.
    """
    flags = positive.astype(scores.dtype)
    wins, losses = m * flags, m * (1.0 - flags)
    order = jnp.argsort(scores)
    before = jnp.concatenate([jnp.zeros(1, m.dtype), jnp.cumsum(losses[order])])
    low = before[jnp.searchsorted(scores[order], scores, side="left")]
    high = before[jnp.searchsorted(scores[order], scores, side="right")]
    return jnp.sum(wins * (low + high) / 2.0) / (jnp.sum(wins) * jnp.sum(losses))


BY_NAME: dict[str, Metric] = {
    "accuracy": Accuracy(),
    "top_k": TopK(),
    "log_loss": LogLoss(),
    "r2": R2(),
    "mae": MAE(),
    "rmse": RMSE(),
    "roc_auc": ROCAUC(),
}


def metrics(value: Any) -> Any:
    """Metrics by their names, ``"top_3"`` for any k included; anything else as it came.

    Raises:
        RecipeError: an unknown name.
    """
    if isinstance(value, str):
        value = (value,)
    if not isinstance(value, tuple | list):
        return value
    return tuple(_metric(item) for item in value)


def _metric(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value in BY_NAME:
        return BY_NAME[value]
    if match := re.fullmatch(r"top_(\d+)", value):
        return TopK(int(match[1]))
    raise RecipeError(
        "Recipe(metrics)",
        required="known metrics",
        got=repr(value),
        remedy=did_you_mean(value, BY_NAME),
    )


def usual(loss: Loss, task: str) -> tuple[Metric, ...]:
    """The metrics that people look at for a task: accuracy, or R² and RMSE."""
    if task == "regression":
        return (R2(), RMSE())
    if isinstance(loss, CrossEntropy | BinaryCrossEntropy):
        return (Accuracy(),)
    return (Accuracy(), LogLoss())
