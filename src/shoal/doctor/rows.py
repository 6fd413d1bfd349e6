"""Rows: the examples of a training as plain matrices, for rules that look at the data alone.

Examples are flat rows of encoded numbers as the network sees them, (n, D); of a large data set a
fixed choice of rows stands for all. Targets are codes of classes (n,) or numbers (n, T).
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from shoal.arrays import Numbers
from shoal.data.preparation import Prepared
from shoal.data.splits import permutation

MOST_ROWS, MOST_NUMBERS = 4000, 2 * 10**7
"""Rows of each split that are looked at, and numbers in them."""


@dataclass(frozen=True, eq=False)
class Rows:
    """The examples of the training and the validation split.

    Attributes:
        x, t: of the training split: (n, D) encoded inputs, (n,) codes or (n, T) raw numbers.
        x_validation, t_validation: of the validation split, perhaps without rows.
        encoded: (n, T) targets of a regression as the loss sees them; (n, 0) for classes.
        task: "classification", "regression" or "multilabel"; classes: how many, 0 for numbers.
        everything: how many rows the training split has in all.
        chosen: numbers of the rows in the data, of training and of validation.
    """

    x: Numbers
    t: Numbers
    x_validation: Numbers
    t_validation: Numbers
    encoded: Numbers
    task: str
    classes: int
    everything: int
    chosen: tuple[Numbers, Numbers]

    @cached_property
    def usual(self) -> tuple[Numbers, Numbers]:
        """Inputs of both splits standardised by the training split, constant columns left out."""
        shift, spread = self.x.mean(axis=0), self.x.std(axis=0)
        kept = spread > 1e-12 * np.maximum(np.abs(shift), 1e-300)
        scaled = [(x[:, kept] - shift[kept]) / spread[kept] for x in (self.x, self.x_validation)]
        return scaled[0], np.clip(scaled[1], -1e3, 1e3)

    @cached_property
    def spread(self) -> Numbers:
        """(T,) variance of the targets of both splits together; 0 where a column hardly varies."""
        every = np.concatenate([self.t, self.t_validation]).reshape(-1, *self.t.shape[1:])
        if every.ndim == 1:
            return np.ones(1)
        # A column that is constant but for few rows would make R² the luck of those rows.
        found = np.minimum(every.var(axis=0), 4.0 * self.t.var(axis=0))
        return np.where(found > 1e-12 * np.maximum((every**2).mean(axis=0), 1e-300), found, 0.0)

    @property
    def finite(self) -> bool:
        """Whether every input is a finite number."""
        return bool(np.isfinite(self.x).all() and np.isfinite(self.x_validation).all())


def rows_of(prepared: Prepared) -> Rows:
    """The rows of prepared data."""
    data = prepared.data
    most = max(64, min(MOST_ROWS, MOST_NUMBERS // max(1, math.prod(prepared.inputs.out_shape))))
    train, validation = (_some(part, most) for part in prepared.parts[:2])
    targets = data.targets
    encoded = np.zeros((len(train), 0))
    if data.task == "regression":
        encoded = prepared.targets.encode(targets[train]).reshape(len(train), -1)
    return Rows(
        _flat(prepared, train),
        targets[train],
        _flat(prepared, validation),
        targets[validation],
        encoded,
        data.task,
        len(data.classes),
        len(prepared.parts.train),
        (train, validation),
    )


def _flat(prepared: Prepared, rows: Numbers) -> Numbers:
    encoded = prepared.inputs.encode(prepared.data.rows(rows))
    return np.asarray(encoded, dtype=np.float64).reshape(len(rows), math.prod(encoded.shape[1:]))


def _some(rows: Numbers, most: int) -> Numbers:
    """The rows, or a fixed choice of them where they are many."""
    return rows if len(rows) <= most else rows[permutation(1, 0, len(rows))[:most]]
