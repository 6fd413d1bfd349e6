"""Preparation: from raw data to what a pool trains on, fitted on the training split alone.

data --Split--> rows of train, validation, test
     --encoders fitted on train--> numbers, targets in the form of the loss
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from shoal.arrays import Numbers
from shoal.data import scaling
from shoal.data.dataset import Data
from shoal.data.encoding import InputEncoder, TargetEncoder, fit_inputs, fit_targets
from shoal.data.splits import Parts, Split
from shoal.describe import Description, part, static
from shoal.errors import DataError
from shoal.losses import Loss
from shoal.rules import Is, OneOf

SCALING = OneOf(tuple(scaling.BY_NAME))
ROWS_AT_ONCE = 8192


class Preparation(Description):
    """How raw data becomes numbers for a network.

    Args:
        inputs: scaling of the features: "standard", "minmax" (to [0, 1]), "symmetric" (to [-1, 1]),
            "robust" or "none".
        targets: scaling of the targets of a regression, the same names. Metrics stay in the units
            of the target whatever the scaling.
        split: how rows are divided.
    """

    inputs: str = static(default="standard", must=SCALING)
    targets: str = static(default="standard", must=SCALING)
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

    def variance(self, rows: Numbers) -> Numbers:
        """Variance of the targets of some rows in units of the target, (T,); 1 for classes."""
        if self.data.classes or len(rows) == 0:
            return np.ones(self.targets.width)
        spread: Numbers = self.data.targets[rows].var(axis=0)
        return np.where(spread > 0, spread, 1.0)

    def notes(self) -> Iterator[str]:
        """What was inferred and done, to be said aloud."""
        yield from self.data.notes
        sizes = [f"{len(rows):,} {name}" for name, rows in self.parts._asdict().items()]
        yield f"{self.data.name}: {', '.join(sizes)} rows"


def prepare(data: Data, preparation: Preparation, loss: Loss, outputs: int) -> Prepared:
    """Split the data and fit its encoders on the training split.

    Args:
        data: the raw data.
        preparation: how.
        loss: says in which form it takes targets.
        outputs: how many outputs the network has.

    Raises:
        DataError: a loss for classes on a regression, or a split that cannot be made.
    """
    if loss.targets != "values" and not data.classes:
        raise DataError(
            f"{loss!r} on {data.name}",
            required="a classification",
            got="a regression",
            remedy='use loss="mean_squared_error", or task="classification" when reading the data',
        )
    parts = preparation.split.parts(data)
    targets = fit_targets(
        data.targets[parts.train], data.classes, loss.targets, preparation.targets, outputs
    )
    inputs = fit_inputs(data.rows(parts.train), preparation.inputs)
    return Prepared(data, parts, inputs, targets)
