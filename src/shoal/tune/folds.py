"""Folds: the same data with other rows for validation, for cross-validation.

The rows of the test split stay where they are. The others are dealt out to F folds, within each
class for a classification, group by group where there are groups; fold f validates on the f-th
part and trains on the rest.
"""

from dataclasses import replace

import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import CLASSIFICATION, Data
from shoal.data.splits import Split, permutation
from shoal.errors import DataError

TRAIN, VALIDATION, TEST = 0, 1, 2


def folds(data: Data, split: Split, count: int) -> list[Data]:
    """The data of each fold, with its splits written down.

    Args:
        data: as given.
        split: of the recipe: says which rows are the test, and gives the seed.
        count: F >= 2.

    Raises:
        DataError: fewer rows, or groups, than folds.
    """
    parts = split.parts(data)
    rows = np.sort(np.concatenate([parts.train, parts.validation]))
    part_of = _deal(data, rows, split.seed, count)
    if len(np.unique(part_of)) < count:
        raise DataError(
            f"folds of {data.name}",
            required=f"at least {count} rows, or groups of rows",
            got=f"{len(np.unique(part_of))}",
            remedy="use fewer folds",
        )
    found = []
    for fold in range(count):
        where = np.full(len(data), TEST)
        where[rows] = np.where(part_of == fold, VALIDATION, TRAIN)
        found.append(replace(data, parts=where, notes=()))
    return found


def _deal(data: Data, rows: Numbers, seed: int, count: int) -> Numbers:
    """The fold of each of some rows."""
    if data.groups is not None:
        names, codes = np.unique(data.groups[rows], return_inverse=True)
        of_group = np.empty(len(names), dtype=int)
        of_group[permutation(seed, 1, len(names))] = np.arange(len(names)) % count
        return of_group[codes]
    order = permutation(seed, 1, len(rows))
    if data.task == CLASSIFICATION:  # class after class, each in random order
        order = order[np.argsort(data.targets[rows][order], kind="stable")]
    found = np.empty(len(rows), dtype=int)
    found[order] = np.arange(len(rows)) % count
    return found
