"""Data: examples and what is to be predicted, before any preparation.

    inputs    an array (N, ...), or a Table of N rows of mixed columns
    targets   classification: (N,) codes of the classes; regression: (N, T) numbers

Nothing here looks at what the values mean for training: splitting, scaling and encoding follow, so
that they can be fitted on the training split alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from shoal.arrays import Numbers, Shape
from shoal.errors import DataError

CLASSIFICATION, REGRESSION = "classification", "regression"
MANY_CLASSES = 20  # more distinct whole numbers than this are taken for a quantity


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
        task: "classification" or "regression".
        classes: names of the classes in the order of their codes; () for a regression.
        name: what to call it.
        target_names: names of the T targets.
        groups: (N,) labels of rows that must stay in one split, or None.
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

    def noted(self, *notes: str) -> "Data":
        """The same data with more notes."""
        return replace(self, notes=self.notes + notes)

    def __repr__(self) -> str:
        what = f"{len(self.classes)} classes" if self.classes else ", ".join(self.target_names)
        return f"Data({self.name!r}, {len(self)} rows, {self.task} of {what})"


def _encoded_width(column: Column) -> int:
    if column.kind == "category":
        return len(set(column.values))
    return 1 + bool(np.isnan(column.values).any())


def arrays(
    inputs: Any,
    targets: Any,
    *,
    task: str | None = None,
    classes: Sequence[Any] | None = None,
    groups: Any = None,
    validation: tuple[Any, Any] | None = None,
    test: tuple[Any, Any] | None = None,
    name: str = "arrays",
) -> Data:
    """Data from arrays, lists, or a memory-mapped array (which is never read whole).

    Args:
        inputs: (N, ...) numbers; images channels last.
        targets: (N,) or (N, T): class labels of any kind, or numbers.
        task: "classification" or "regression"; None infers it and says so in ``notes``.
        classes: the names of all classes, where not all occur or their order matters.
        groups: (N,) labels of rows that belong together, for a grouped split.
        validation, test: (inputs, targets) of splits that exist already.
        name: what to call the data.

    Raises:
        DataError: no rows, lengths that differ, texts or NaN or infinity among the inputs, labels
            outside of ``classes``, a single class.
    """
    blocks = [(inputs, targets)] + [b for b in (validation, test) if b is not None]
    kinds = [0] + [k for k, b in ((1, validation), (2, test)) if b is not None]
    xs = [_inputs(x, name) for x, _ in blocks]
    ys = [np.asarray(y) for _, y in blocks]
    for x, y in zip(xs, ys, strict=True):
        _check_lengths(x, y, name)
    if len({x.shape[1:] for x in xs}) > 1:
        raise DataError(
            name,
            required="inputs of one shape in every split",
            got=" and ".join(str(x.shape[1:]) for x in xs),
            remedy="give all splits the same columns",
        )
    x = xs[0] if len(xs) == 1 else np.concatenate(xs)
    parts = None
    if len(xs) > 1:
        parts = np.concatenate([np.full(len(x), k) for x, k in zip(xs, kinds, strict=True)])
    data = with_targets(x, np.concatenate(ys), task, classes, name)
    return replace(data, groups=_groups(groups, len(data), name), parts=parts)


def _inputs(inputs: Any, name: str) -> Numbers:
    array = inputs if isinstance(inputs, np.ndarray) else np.asarray(inputs)
    if array.dtype.kind not in "biuf":
        raise DataError(
            f"the inputs of {name}",
            required="numbers",
            got=f"an array of {array.dtype}",
            remedy="use shoal.data.table(frame, target=...), which encodes texts",
        )
    if array.ndim < 2:
        raise DataError(
            f"the inputs of {name}",
            required="a row for each example, shape (N, ...)",
            got=f"shape {array.shape}",
            remedy="use inputs[:, None] for a single feature",
        )
    check_finite(array, name)
    return array


def check_finite(array: Numbers, name: str, rows_at_once: int = 65536) -> None:
    """Refuse NaN and infinity, naming the first place; memory-mapped arrays are read in blocks.

    Raises:
        DataError: a number is not finite.
    """
    if array.dtype.kind != "f":
        return
    for start in range(0, len(array), rows_at_once):
        block = array[start : start + rows_at_once]
        good = np.isfinite(block)
        if not good.all():
            row, *place = (int(i) for i in np.argwhere(~good)[0])
            raise DataError(
                f"the inputs of {name}",
                required="finite numbers",
                got=f"{block[(row, *place)]} in row {start + row}, position {place}",
                remedy="remove or impute those rows (shoal.data.table imputes missing numbers)",
            )


def _check_lengths(inputs: Any, targets: Numbers, name: str) -> None:
    if len(targets) == 0:
        raise DataError(
            name, required="at least one row", got="0 rows", remedy="check how the data was read"
        )
    if len(inputs) != len(targets):
        raise DataError(
            name,
            required="as many targets as inputs",
            got=f"{len(inputs)} inputs and {len(targets)} targets",
            remedy="align their rows",
        )


def _groups(groups: Any, rows: int, name: str) -> Numbers | None:
    if groups is None:
        return None
    found = np.asarray(groups)
    if found.shape != (rows,):
        raise DataError(
            f"the groups of {name}",
            required=f"one label for each of {rows} rows",
            got=f"shape {found.shape}",
            remedy="give one group label per row",
        )
    return found


def with_targets(
    inputs: Any,
    targets: Numbers,
    task: str | None,
    classes: Sequence[Any] | None,
    name: str,
    target_names: tuple[str, ...] = ("target",),
) -> Data:
    """Data from checked inputs and raw targets: the task inferred, classes coded.

    Raises:
        DataError: targets that the task cannot have.
    """
    if task not in (None, CLASSIFICATION, REGRESSION):
        raise DataError(
            "task",
            required="'classification', 'regression' or None",
            got=repr(task),
            remedy="leave it out to have it inferred",
        )
    flat = targets.reshape(len(targets), -1)
    notes: tuple[str, ...] = ()
    if task is None:
        task, note = infer_task(flat, classes is not None, target_names[0])
        notes = (note,)
    if task == REGRESSION:
        values = _values(flat, name)
        names = (
            target_names
            if len(target_names) == values.shape[1]
            else tuple(f"{target_names[0]}{i}" for i in range(values.shape[1]))
        )
        return Data(inputs, values, task, (), name, names, notes=notes)
    if flat.shape[1] != 1:
        raise DataError(
            f"the targets of {name}",
            required="one class label for each row",
            got=f"{flat.shape[1]} columns",
            remedy="give task='regression', or one column of labels",
        )
    codes, found = _codes(flat[:, 0], classes, name)
    return Data(inputs, codes, task, found, name, target_names[:1], notes=notes)


def infer_task(targets: Numbers, has_classes: bool, name: str) -> tuple[str, str]:
    """Classification or regression, and the sentence that says why.

    Texts and booleans are classes; so are up to 20 distinct whole numbers of which each occurs
    about three times or more. Everything else is a quantity.
    """
    if has_classes or targets.dtype.kind not in "iuf":
        return CLASSIFICATION, f"{name!r} holds labels: classification"
    if targets.shape[1] > 1:
        return REGRESSION, f"{targets.shape[1]} targets: regression"
    distinct = np.unique(targets[np.isfinite(targets.astype(float))])
    whole = bool(np.all(distinct == np.round(distinct)))
    few = len(distinct) <= min(MANY_CLASSES, max(2, len(targets) // 3))
    task = CLASSIFICATION if whole and few else REGRESSION
    values = f"{len(distinct)} distinct {'whole numbers' if whole else 'numbers'}"
    return task, f"{name!r} holds {values}: {task} (change it with task=...)"


def _values(targets: Numbers, name: str) -> Numbers:
    if targets.dtype.kind not in "biuf":
        raise DataError(
            f"the targets of {name}",
            required="numbers for a regression",
            got=f"an array of {targets.dtype}",
            remedy="use task='classification'",
        )
    values = targets.astype(np.float64)
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise DataError(
            f"the targets of {name}",
            required="finite numbers",
            got=f"{values[row]} in row {row}",
            remedy="remove the rows without a target",
        )
    return values


def _codes(
    labels: Numbers, classes: Sequence[Any] | None, name: str
) -> tuple[Numbers, tuple[Any, ...]]:
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        row = int(np.argwhere(~np.isfinite(labels))[0][0])
        raise DataError(
            f"the targets of {name}",
            required="a class label in every row",
            got=f"{labels[row]} in row {row}",
            remedy="remove the rows without a label",
        )
    plain = [label.item() if isinstance(label, np.generic) else label for label in labels]
    strange = next((v for v in plain if not isinstance(v, str | int | float)), None)
    if strange is not None:
        raise DataError(
            f"the targets of {name}",
            required="texts, numbers or booleans as class labels",
            got=f"a {type(strange).__name__}",
            remedy="name the classes by texts",
        )
    known = tuple(classes) if classes is not None else tuple(sorted(set(plain), key=_order))
    position = {label: code for code, label in enumerate(known)}
    for row, label in enumerate(plain):
        if label not in position:
            raise DataError(
                f"the targets of {name}",
                required=f"one of the {len(known)} classes {list(known)[:10]}",
                got=f"{label!r} in row {row}",
                remedy="correct the label or add it to classes",
            )
    if len(known) < 2:
        raise DataError(
            f"the targets of {name}",
            required="two classes or more",
            got=f"only {known[0]!r}" if known else "none",
            remedy="there is nothing to learn from one class; check the target column",
        )
    return np.array([position[label] for label in plain], dtype=np.int32), known


def _order(label: Any) -> tuple[bool, Any]:
    return (isinstance(label, str), label)
