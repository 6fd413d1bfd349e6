"""Data: examples and what is to be predicted, before any preparation.

    inputs    an array (N, ...), or a Table of N rows of mixed columns
    targets   classification: (N,) codes of the classes; regression: (N, T) numbers; multilabel:
              (N, T) zeros and ones, one column for each label

Nothing here looks at what the values mean for training: splitting, scaling and encoding follow, so
that they can be fitted on the training split alone.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from shoal.arrays import Numbers, Shape

MOST_NAMES = 5
CLASSIFICATION, REGRESSION, MULTILABEL = "classification", "regression", "multilabel"


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a table.

    Attributes:
        kind: "number" (float64, NaN where missing), "flag" (the same, 0 or 1), or "category"
            (texts, None where missing).
        values: (N,).
    """

    kind: str
    values: Numbers


@dataclass(frozen=True, eq=False)
class Table:
    """Columns by name, all of the same length."""

    columns: dict[str, Column]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())).values)

    def take(self, rows: Numbers) -> "Table":
        """The table of some rows."""
        return Table({n: Column(c.kind, c.values[rows]) for n, c in self.columns.items()})


@dataclass(frozen=True, eq=False)
class Data:
    """Examples with their targets.

    Attributes:
        inputs: array (N, ...) or Table.
        targets: (N,) int32 codes of classes, or (N, T) float64.
        task: "classification", "regression" or "multilabel".
        classes: names of the classes in the order of their codes, or of the labels; () for a
            regression.
        name: what to call it.
        target_names: names of the T targets.
        groups: (N,) labels of rows that must stay in one split, or None.
        weights: (N,) how much each row counts in loss and metrics, >= 0; None for all the same.
        parts: (N,) 0 training, 1 validation, 2 test, or None to let the recipe split.
        notes: what was inferred, said aloud to the user.
    """

    inputs: Any
    targets: Numbers
    task: str
    classes: tuple[Any, ...] = ()
    name: str = "data"
    target_names: tuple[str, ...] = ("target",)
    groups: Numbers | None = None
    weights: Numbers | None = None
    parts: Numbers | None = None
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def shape(self) -> Shape:
        """The shape of one example as a network sees it, for ``net.summary(data.shape)``."""
        if isinstance(self.inputs, Table):
            return (sum(map(_encoded_width, self.inputs.columns.values())),)
        return tuple(self.inputs.shape[1:])

    @property
    def width(self) -> int:
        """How many outputs the targets ask for: classes, or values."""
        return len(self.classes) if self.classes else int(self.targets.shape[1])

    def rows(self, rows: Numbers) -> Any:
        """The raw inputs of some rows."""
        return self.inputs.take(rows) if isinstance(self.inputs, Table) else self.inputs[rows]

    def part(self, rows: Numbers, name: str) -> "Data":
        """The data of some rows: its name followed by that of the part."""
        inputs, targets = self.rows(rows), self.targets[rows]
        weights = None if self.weights is None else self.weights[rows]
        kept = replace(self, inputs=inputs, targets=targets, weights=weights, groups=None)
        return replace(kept, name=f"{self.name}/{name}", parts=None, notes=())

    def noted(self, *notes: str) -> "Data":
        """The same data with more notes."""
        return replace(self, notes=self.notes + notes)

    def __repr__(self) -> str:
        names = self.target_names
        what = ", ".join(names) if len(names) <= MOST_NAMES else f"{len(names)} values"
        if self.classes:
            what = f"{len(self.classes)} {'labels' if self.task == MULTILABEL else 'classes'}"
        return f"Data({self.name!r}, {len(self)} rows, {self.task} of {what})"


def _encoded_width(column: Column) -> int:
    if column.kind == "category":
        return len(set(column.values))
    return 1 + bool(np.isnan(column.values).any())
