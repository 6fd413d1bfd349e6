"""Data from arrays: what is checked when inputs, groups and weights come in."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import REGRESSION, Data, Table
from shoal.data.targets import with_targets
from shoal.errors import DataError


def arrays(
    inputs: Any,
    targets: Any,
    *,
    task: str | None = None,
    classes: Sequence[Any] | None = None,
    groups: Any = None,
    weights: Any = None,
    validation: tuple[Any, Any] | None = None,
    test: tuple[Any, Any] | None = None,
    name: str = "arrays",
) -> Data:
    """Data from arrays, lists, or a memory-mapped array (which is never read whole).

    Args:
        inputs: (N, ...) numbers; images channels last.
        targets: (N,) or (N, T): class labels of any kind, or numbers.
        task: "classification", "regression" or "multilabel" (columns of zeros and ones); None
            infers it and says so in ``notes``.
        classes: the names of all classes, where not all occur or their order matters.
        groups: (N,) labels of rows that belong together, for a grouped split.
        weights: (N,) how much each row counts in loss and metrics, numbers >= 0: a row of weight 2
            counts like two rows. Rows of ``validation`` and ``test`` then count 1.
        validation, test: (inputs, targets) of splits that exist already.
        name: what to call the data.

    Raises:
        DataError: no rows, lengths that differ, texts or NaN or infinity among the inputs, labels
            outside of ``classes``, a single class.
    """
    blocks = [(inputs, targets)] + [b for b in (validation, test) if b is not None]
    kinds = [0] + [k for k, b in ((1, validation), (2, test)) if b is not None]
    xs = [_inputs(x, name) for x, _ in blocks]
    ys = [_array(y, f"the targets of {name}") for _, y in blocks]
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
    if weights is not None and len(xs) > 1:
        weights = np.concatenate([np.asarray(weights), *(np.ones(len(x)) for x in xs[1:])])
    return replace(
        data,
        groups=_groups(groups, len(data), name),
        weights=check_weights(weights, len(data), name),
        parts=parts,
    )


def reconstruction(inputs: Any, name: str = "reconstruction") -> Data:
    """Data whose target is its input, for an autoencoder: a regression of all its numbers.

    Args:
        inputs: (N, ...) numbers, or a ``Data`` whose inputs are an array; the targets are its rows
            flat, (N, D).
        name: what to call the data.

    Raises:
        DataError: a table, no rows, texts or NaN or infinity among the inputs.
    """
    if isinstance(inputs, Data):
        name, inputs = f"{inputs.name}/reconstruction", inputs.inputs
    if isinstance(inputs, Table):
        raise DataError(
            name,
            required="an array of numbers",
            got="a table of mixed columns",
            remedy="encode it, and give the array",
        )
    x = _inputs(inputs, name)
    return arrays(x, x.reshape(len(x), -1), task=REGRESSION, name=name)


def _array(value: Any, what: str) -> Numbers:
    """An array with a row for each example; memory-mapped ones stay so."""
    if isinstance(value, np.ndarray) and value.ndim:
        return value
    try:
        found = np.asarray(value)
    except ValueError:  # nested lists of unequal lengths
        found = np.empty((), dtype=object)
    if found.ndim == 0:
        ragged = isinstance(value, list | tuple)
        raise DataError(
            what,
            required="an array with a row for each example",
            got="rows of unequal lengths" if ragged else f"a {type(value).__name__}",
            remedy="give every row the same number of values" if ragged else "give an array",
        )
    return found


def _inputs(inputs: Any, name: str) -> Numbers:
    array = _array(inputs, f"the inputs of {name}")
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


def check_weights(weights: Any, rows: int, name: str) -> Numbers | None:
    """Weights of the rows as float64, or None.

    Raises:
        DataError: another number of them, or numbers that cannot be weights.
    """
    if weights is None:
        return None
    found = np.asarray(weights)
    numbers = found.dtype.kind in "biuf" and found.shape == (rows,)
    if not numbers or not np.isfinite(found).all() or (found < 0).any() or not found.any():
        raise DataError(
            f"the weights of {name}",
            required=f"a finite number >= 0 for each of {rows} rows, not all 0",
            got=f"{found.dtype} of shape {found.shape}"
            + (f" from {found.min():g} to {found.max():g}" if numbers else ""),
            remedy="give one weight per row, or leave them out",
        )
    return found.astype(np.float64)
