"""Preparation: from raw data to what a pool trains on, fitted on the training split alone.

data --Split--> rows of train, validation, test
     --encoders fitted on train--> numbers, targets in the form of the loss
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shoal.arrays import Numbers
from shoal.data import scaling
from shoal.data.dataset import CLASSIFICATION, MULTILABEL, REGRESSION, Data
from shoal.data.encoding import InputEncoder, TargetEncoder, fit_inputs, fit_targets
from shoal.data.splits import Parts, Split
from shoal.describe import Description, part, static
from shoal.errors import DataError
from shoal.losses import Loss
from shoal.rules import Is, OneOf

AUTO = "auto"
SCALING = OneOf((AUTO, *scaling.BY_NAME))
BALANCED = "balanced"
ROWS_AT_ONCE = 8192


class Preparation(Description):
    """How raw data becomes numbers for a network.

    Args:
        inputs: scaling of the features: "standard", "minmax" (to [0, 1]), "symmetric" (to [-1, 1]),
            "robust" or "none"; "auto" is "standard", but "none" for networks that begin with an
            Embedding.
        targets: scaling of the targets of a regression, the same names; "auto" is "standard", but
            "none" for losses of counts and of distributions. Metrics stay in the units of the
            target whatever the scaling.
        split: how rows are divided.
    """

    inputs: str = static(default=AUTO, must=SCALING)
    targets: str = static(default=AUTO, must=SCALING)
    split: Split = part(default=Split(), must=Is(Split, "a Split"))


@dataclass(frozen=True, eq=False)
class Prepared:
    """Data ready for training: splits, fitted encoders, and access to encoded rows."""

    data: Data
    parts: Parts
    inputs: InputEncoder
    targets: TargetEncoder

    def encoded(self, rows: Numbers, dtype: np.dtype[Any]) -> tuple[Numbers, Numbers]:
        """Encoded inputs (n, ...) and targets of some rows, as training reads them."""
        shape = (len(rows), *self.inputs.out_shape)
        x = np.empty(shape, dtype)
        for start in range(0, len(rows), ROWS_AT_ONCE):
            stop = start + ROWS_AT_ONCE
            x[start:stop] = self.inputs.encode(self.data.rows(rows[start:stop]))
        t = self.targets.encode(self.data.targets[rows])
        return x, t.astype(np.int32 if self.targets.form == "index" else dtype)

    def blocks(self) -> Iterator[Numbers]:
        """The encoded inputs of all rows, in blocks (n, ...) float64."""
        for start in range(0, len(self.data), ROWS_AT_ONCE):
            stop = min(start + ROWS_AT_ONCE, len(self.data))
            yield self.inputs.encode(self.data.rows(np.arange(start, stop)))

    def weights(self, rows: Numbers, dtype: np.dtype[Any]) -> Numbers | None:
        """The weights of some rows, (n,), or None where all count the same."""
        return None if self.data.weights is None else self.data.weights[rows].astype(dtype)

    def variance(self, rows: Numbers) -> Numbers:
        """Variance of the targets of some rows in units of the target, (T,); 1 for classes."""
        if self.data.classes or len(rows) == 0:
            return np.ones(self.targets.width)
        return variance(self.data.targets[rows], self.weights(rows, np.dtype(float)))

    def notes(self) -> Iterator[str]:
        """What was inferred and done, to be said aloud."""
        yield from self.data.notes
        sizes = [f"{len(rows):,} {name}" for name, rows in self.parts._asdict().items()]
        yield f"{self.data.name}: {', '.join(sizes)} rows"


def variance(targets: Numbers, weights: Numbers | None) -> Numbers:
    """The weighted variance of targets (N, T), (T,)."""
    mean = np.average(targets, axis=0, weights=weights)
    spread: Numbers = np.average((targets - mean) ** 2, axis=0, weights=weights)
    return spread


def prepare(
    data: Data,
    preparation: Preparation,
    loss: Loss,
    outputs: int,
    class_weights: str | tuple[float, ...] | None = None,
) -> Prepared:
    """Split the data and fit its encoders on the training split.

    Args:
        data: the raw data.
        preparation: how, with nothing left "auto".
        loss: says in which form it takes targets.
        outputs: how many outputs the network has.
        class_weights: of the recipe.

    Raises:
        DataError: a loss that does not fit the task, a split that cannot be made, weights for
            classes that there are not.
    """
    _check_task(data, loss)
    parts = preparation.split.parts(data)
    _check_weights(data, parts)
    targets = fit_targets(
        data.targets[parts.train], data.classes, loss.form, preparation.targets, outputs
    )
    if class_weights is not None:
        targets = replace(targets, weights=_class_weights(data, parts.train, class_weights))
    inputs = fit_inputs(data.rows(parts.train), preparation.inputs)
    return Prepared(data, parts, inputs, targets)


INSTEAD = {
    CLASSIFICATION: 'use loss="cross_entropy", or task="regression" when reading the data',
    REGRESSION: 'use loss="mean_squared_error", or task="classification" when reading the data',
    MULTILABEL: 'use loss="binary_cross_entropy", or targets.argmax(axis=1) where each row has one'
    " class",
}
"""What to do where a loss does not fit a task."""


def _check_task(data: Data, loss: Loss) -> None:
    if data.task not in loss.tasks:
        raise DataError(
            f"{loss!r} on {data.name}",
            required=f"a {' or '.join(loss.tasks)}",
            got=f"a {data.task}",
            remedy=INSTEAD[data.task],
        )
    if data.task == CLASSIFICATION and loss.form == "binary" and len(data.classes) > 2:
        raise DataError(
            f"{loss!r} on {data.name}",
            required="two classes, or labels that may go together",
            got=f"one of {len(data.classes)} classes for each row",
            remedy='use loss="cross_entropy"',
        )


def _check_weights(data: Data, parts: Parts) -> None:
    for name, rows in parts._asdict().items():
        if data.weights is not None and len(rows) and not data.weights[rows].any():
            raise DataError(
                f"the weights of {data.name}",
                required=f"a row that counts in the {name} split",
                got=f"weight 0 for each of its {len(rows)} rows",
                remedy="leave out the rows of weight 0, or split otherwise",
            )


def _class_weights(data: Data, rows: Numbers, wanted: str | tuple[float, ...]) -> Numbers:
    """The weight of each class, (C,), for a training split."""
    count = len(data.classes)
    if data.task != CLASSIFICATION or (wanted != BALANCED and len(wanted) != count):
        raise DataError(
            f"class_weights on {data.name}",
            required="a classification, and a weight for each of its classes",
            got=f"a {data.task}" if data.task != CLASSIFICATION else f"{len(wanted)} weights",
            remedy='use class_weights="balanced"'
            if data.task == CLASSIFICATION
            else "give weights to the rows: arrays(..., weights=...)",
        )
    if wanted != BALANCED:
        return np.asarray(wanted, dtype=float)
    weights = None if data.weights is None else data.weights[rows]
    sizes = np.bincount(data.targets[rows], weights, minlength=count)
    return sizes.sum() / (count * np.where(sizes > 0, sizes, np.inf))
