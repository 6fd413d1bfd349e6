"""Remedies of data: rows and columns that should not be there, scaling, splits, class weights.

Edits take the pair (recipe, data) and give the edited pair, or None where there is nothing to mend.
Rows are compared by the bytes of their inputs.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import CLASSIFICATION, REGRESSION, Data, Table
from shoal.data.preparation import BALANCED
from shoal.data.splits import permutation
from shoal.doctor.remedy import Edit, Remedy
from shoal.errors import ShoalError
from shoal.recipe import Recipe

Pair = tuple[Recipe, Data] | None

IMBALANCED = 2.0
"""Times the rarest class must be rarer than the commonest for weights to matter."""

FEWEST_HONEST = 0.3
"""Share of the validation rows that must be left without the leaked ones; else all are redrawn."""

MISMATCHED = 0.5
"""Standard deviations (and, for spreads, the natural logarithm of their ratio) by which the
columns of validation or test differ from training in the median, before they are realigned. Random
splits of 50 rows differ by about 0.14."""


def take(data: Data, keep: Numbers) -> Data:
    """The rows where ``keep``, (N,) bool, is True; groups, weights and splits go along."""
    rows = np.flatnonzero(keep)

    def some(values: Numbers | None) -> Numbers | None:
        return None if values is None else values[rows]

    return replace(
        data,
        inputs=data.rows(rows),
        targets=data.targets[rows],
        groups=some(data.groups),
        weights=some(data.weights),
        parts=some(data.parts),
    )


def digests(data: Data, targets: bool = False) -> Numbers:
    """A whole number for each row, (N,) int64: equal inputs (and targets) share it, no others."""
    if isinstance(data.inputs, Table):
        columns = [c.values.astype(str) for c in data.inputs.columns.values()]
    else:
        columns = [np.ascontiguousarray(data.inputs.reshape(len(data), -1))]
    keys: list[Any] = [_codes(column) for column in columns]
    keys += [_codes(data.targets.reshape(len(data), -1))] if targets else []
    return _codes(np.stack(keys, axis=1))


def _codes(values: Numbers) -> Numbers:
    """Rows as whole numbers: equal rows and only those share one."""
    wide = np.ascontiguousarray(values.reshape(len(values), -1))
    raw = wide.view(np.dtype((np.void, wide.dtype.itemsize * wide.shape[1]))).reshape(-1)
    found: Numbers = np.unique(raw, return_inverse=True)[1]
    return found.reshape(-1).astype(np.int64)


def _drop(recipe: Recipe, data: Data, bad: Numbers) -> Pair:
    return (recipe, take(data, ~bad)) if bad.any() and not bad.all() else None


def _drop_nan_rows(recipe: Recipe, data: Data) -> Pair:
    bad = np.zeros(len(data), dtype=bool)
    for values in (data.inputs, data.targets):
        if isinstance(values, np.ndarray) and values.dtype.kind == "f":
            bad |= ~np.isfinite(values.reshape(len(data), -1)).all(axis=1)
    return _drop(recipe, data, bad)


def _repair_labels(recipe: Recipe, data: Data) -> Pair:
    if data.task != CLASSIFICATION:
        return None
    codes = data.targets
    return _drop(recipe, data, (codes < 0) | (codes >= len(data.classes)))


def _drop_constant_columns(recipe: Recipe, data: Data) -> Pair:
    if isinstance(data.inputs, Table):
        columns = data.inputs.columns
        varied = {n: c for n, c in columns.items() if len(set(c.values.astype(str))) > 1}
        same = not varied or len(varied) == len(columns)
        return None if same else (recipe, replace(data, inputs=Table(varied)))
    if data.inputs.ndim != 2:
        return None  # a pixel has its place
    varies = np.ptp(data.inputs, axis=0) > 0
    if varies.all() or not varies.any():
        return None
    return recipe, replace(data, inputs=data.inputs[:, varies])


def _drop_duplicates(recipe: Recipe, data: Data) -> Pair:
    """The first of equal rows stays; where splits are given, within each of them."""
    keys = digests(data, targets=True)
    if data.parts is not None:
        keys = _codes(np.stack([keys, data.parts.astype(np.int64)], axis=1))
    first = np.zeros(len(data), dtype=bool)
    first[np.unique(keys, return_index=True)[1]] = True
    return _drop(recipe, data, ~first)


def _split_again(recipe: Recipe, data: Data) -> Pair:
    """Equal rows in one split only."""
    keys = digests(data)
    try:
        parts = recipe.preparation.split.parts(data)
    except ShoalError:
        return None
    held = np.concatenate([parts.validation, parts.test])
    if not np.isin(keys[parts.train], keys[held]).any():
        return None
    if data.parts is None:
        split = recipe.preparation.split.replace(by="grouped")
        edited = recipe.replace(preparation=recipe.preparation.replace(split=split))
        return edited, replace(data, groups=keys)
    honest = _honest(data, keys)
    assert honest.parts is not None
    left = np.isin([0, 1], honest.parts).all()  # all that trains may be in the test split
    return (recipe, honest) if left else None


def _honest(data: Data, keys: Numbers) -> Data:
    """Given splits without rows that are in two of them; the test split gives up none."""
    assert data.parts is not None
    given = data.parts
    test = np.isin(keys, keys[given == 2]) & (given != 2)  # these may not train, nor validate
    kept, given, keys = take(data, ~test), given[~test], keys[~test]
    leaked = (given == 1) & np.isin(keys, keys[given == 0])
    if (given == 1).sum() - leaked.sum() >= max(1, FEWEST_HONEST * (given == 1).sum()):
        return take(kept, ~leaked)
    # Too few honest rows: what trains or validates is one heap, and a fifth of its rows validates.
    ours = np.flatnonzero(given != 2)
    distinct = np.unique(keys[ours], return_index=True)[1]
    rows = ours[np.sort(distinct)]
    chosen = rows[permutation(0, 0, len(rows))[: max(1, len(rows) // 5)]]
    parts = np.where(given == 2, 2, np.where(np.isin(keys, keys[chosen]), 1, 0))
    return replace(kept, parts=parts)


def _same_preparation(recipe: Recipe, data: Data) -> Pair:
    """Columns of given validation and test splits brought to mean and spread of training."""
    if data.parts is None or isinstance(data.inputs, Table) or data.inputs.dtype.kind != "f":
        return None
    inputs, changed = data.inputs, False
    train = inputs[data.parts == 0]
    for part in (1, 2):
        rows = data.parts == part
        if rows.sum() > 1 and _mismatch(train, inputs[rows]):
            aligned = _aligned(inputs[rows], train)
            inputs, changed = inputs.astype(np.float64, copy=True), True
            inputs[rows] = aligned
    return (recipe, replace(data, inputs=inputs)) if changed else None


def _moments(x: Numbers) -> tuple[Numbers, Numbers]:
    """Mean and standard deviation of the last axis, 1 where a column does not vary."""
    flat = x.reshape(-1, x.shape[-1]).astype(np.float64)
    spread = flat.std(axis=0)
    return flat.mean(axis=0), np.where(spread > 0, spread, 1.0)


def _mismatch(train: Numbers, other: Numbers) -> bool:
    (mean, spread), (mean2, spread2) = _moments(train), _moments(other)
    shift = np.abs(mean2 - mean) / np.maximum(spread, spread2)
    factor = np.abs(np.log(spread2 / spread))
    return bool(np.median(shift) > MISMATCHED or np.median(factor) > MISMATCHED)


def _aligned(x: Numbers, train: Numbers) -> Numbers:
    (mean, spread), (mean2, spread2) = _moments(train), _moments(x)
    moved: Numbers = (x - mean2) / spread2 * spread + mean
    return moved


def _scale(kind: str) -> Edit:
    def edit(recipe: Recipe, data: Data) -> Pair:
        if recipe.net.scaling == "none" or recipe.resolved_preparation.inputs == kind:
            return None
        return recipe.edit({"preparation.inputs": kind}), data

    return edit


def _scale_targets(recipe: Recipe, data: Data) -> Pair:
    wanted = recipe.resolved_preparation.targets
    if data.task != REGRESSION or not recipe.loss.scales or wanted == "standard":
        return None
    return recipe.edit({"preparation.targets": "standard"}), data


def _class_weights(recipe: Recipe, data: Data) -> Pair:
    if data.task != CLASSIFICATION or recipe.class_weights is not None:
        return None
    sizes = np.bincount(np.clip(data.targets, 0, None), minlength=len(data.classes))
    if sizes.max() < IMBALANCED * max(1, sizes.min()):
        return None
    return recipe.replace(class_weights=BALANCED), data


REMEDIES = (
    Remedy("drop_nan_rows", "data", "leave out rows with NaN or infinity", _drop_nan_rows,
           "init", 2),
    Remedy("repair_labels", "data", "leave out rows whose label is no class", _repair_labels,
           "init", 2),
    Remedy("drop_constant_columns", "data", "leave out columns that never vary",
           _drop_constant_columns, "init", 2),
    Remedy("drop_duplicates", "data", "keep the first of equal rows", _drop_duplicates, "init", 2),
    Remedy("split_again", "data", "keep equal rows in one split", _split_again, "init", 2),
    Remedy("same_preparation", "data", "bring the columns of validation and test to mean and "
           "spread of training", _same_preparation, "init", 2),
    Remedy("scale_inputs", "data", "standardise the inputs", _scale("standard"), "init", 1),
    Remedy("scale_inputs_minmax", "data", "scale the inputs to [0, 1]", _scale("minmax"),
           "init", 1),
    Remedy("scale_targets", "data", "standardise the targets", _scale_targets, "init", 1),
    Remedy("class_weights", "data", "let all classes count the same", _class_weights, "init", 1),
)  # fmt: skip
