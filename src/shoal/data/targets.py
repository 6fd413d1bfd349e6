"""Targets: from raw labels or numbers to a task, and to codes or values."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import CLASSIFICATION, MULTILABEL, REGRESSION, Data
from shoal.errors import DataError

MANY_CLASSES = 20  # more distinct whole numbers than this are taken for a quantity


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
    if task not in (None, CLASSIFICATION, REGRESSION, MULTILABEL):
        raise DataError(
            "task",
            required="'classification', 'regression', 'multilabel' or None",
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
        names = _column_names(target_names, values.shape[1])
        return Data(inputs, values, task, (), name, names, notes=notes)
    if task == MULTILABEL:
        labels = tuple(classes or _column_names(target_names, flat.shape[1]))
        return Data(inputs, _flags(flat, labels, name), task, labels, name, labels, notes=notes)
    if flat.shape[1] != 1:
        raise DataError(
            f"the targets of {name}",
            required="one class label for each row",
            got=f"{flat.shape[1]} columns",
            remedy="give one column of labels, or a column of zeros and ones for each label"
            if flat.dtype.kind not in "biuf"
            else "give task='regression', or one column of labels",
        )
    if classes is None:
        _check_few(flat[:, 0], name)
    codes, found = _codes(flat[:, 0], classes, name)
    return Data(inputs, codes, task, found, name, target_names[:1], notes=notes)


def _column_names(names: tuple[str, ...], count: int) -> tuple[str, ...]:
    return names if len(names) == count else tuple(f"{names[0]}{i}" for i in range(count))


def _flags(targets: Numbers, labels: tuple[Any, ...], name: str) -> Numbers:
    """Zeros and ones, (N, T) float64, a column for each label."""
    binary = targets.dtype.kind in "biuf" and bool(np.isin(targets, (0, 1)).all())
    if not binary or targets.shape[1] != len(labels):
        raise DataError(
            f"the targets of {name}",
            required=f"a column of zeros and ones for each of {len(labels)} labels",
            got=f"{targets.shape[1]} columns" if binary else "other values",
            remedy="give task='regression' for numbers",
        )
    return targets.astype(np.float64)


def infer_task(targets: Numbers, has_classes: bool, name: str) -> tuple[str, str]:
    """Classification, regression or multilabel, and the sentence that says why.

    Texts and booleans are classes; so are up to 20 distinct whole numbers of which each occurs
    about three times or more. Several columns of zeros and ones are labels. Everything else is a
    quantity.
    """
    if targets.shape[1] > 1 and targets.dtype.kind in "biuf" and np.isin(targets, (0, 1)).all():
        note = f"{targets.shape[1]} targets of zeros and ones: multilabel"
        return MULTILABEL, note + " (change it with task='regression')"
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


def _check_few(labels: Numbers, name: str) -> None:
    """Whether numbers can be labels: numbers with decimals, almost all different, are none."""
    if labels.dtype.kind != "f":
        return
    distinct = np.unique(labels[np.isfinite(labels)])
    if len(distinct) > MANY_CLASSES and not np.all(distinct == np.round(distinct)):
        raise DataError(
            f"the targets of {name}",
            required=f"labels for classes, at most {MANY_CLASSES} where they have decimals",
            got=f"{len(distinct):,} different numbers such as {distinct[0]:.4g}",
            remedy="use task='regression', or give ranges of them names and predict these",
        )


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
