"""Splits: which rows train, which validate, which are kept for the test.

    random       a permutation of all rows, cut
    stratified   the same within each class, so that every split has the classes in proportion
    grouped      a permutation of the groups, cut, so that no group is in two splits
    auto         grouped where the data has groups, stratified for a classification, else random

All are pure functions of the data and one seed. The permutation comes from the raw numbers of
NumPy's Philox generator, which NumPy keeps the same between releases.
"""

from typing import NamedTuple

import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import CLASSIFICATION, Data
from shoal.describe import Description, static
from shoal.errors import DataError, RecipeError
from shoal.rules import Number, OneOf, Whole

SHARE = Number(0.0, 1.0, high_open=True)


class Parts(NamedTuple):
    """Rows of each split, as sorted index arrays."""

    train: Numbers
    validation: Numbers
    test: Numbers


class Split(Description):
    """How rows are divided. Data that comes with its own splits is divided as it says.

    Args:
        validation: share of all rows, in [0, 1).
        test: share of all rows, in [0, 1).
        by: "auto", "random", "stratified" or "grouped".
        seed: of the permutation, a whole number >= 0.
    """

    validation: float = static(default=0.2, must=SHARE)
    test: float = static(default=0.0, must=SHARE)
    by: str = static(default="auto", must=OneOf(("auto", "random", "stratified", "grouped")))
    seed: int = static(default=0, must=Whole(0))

    def check(self) -> None:
        if self.validation + self.test >= 1.0:
            raise RecipeError(
                "Split(validation, test)",
                required="shares that leave something to train on (a sum below 1)",
                got=f"{self.validation:g} + {self.test:g}",
                remedy="make them smaller",
            )

    def parts(self, data: Data) -> Parts:
        """The rows of each split.

        Raises:
            DataError: a kind of split that the data does not allow, or one left without rows.
        """
        if data.parts is not None:
            return Parts(*(np.flatnonzero(data.parts == k) for k in range(3)))
        parts = Parts(*self._divide(data))
        for name, rows, share in zip(
            Parts._fields, parts, (1.0, self.validation, self.test), strict=True
        ):
            if share > 0 and len(rows) == 0:
                raise DataError(
                    f"the {name} split of {data.name}",
                    required="at least one row",
                    got=f"none out of {len(data)} rows",
                    remedy="change the shares in Split(validation=..., test=...)",
                )
        return parts

    def _divide(self, data: Data) -> tuple[Numbers, ...]:
        kind = self.by
        if kind == "auto":
            kind = "stratified" if data.task == CLASSIFICATION else "random"
            kind = "grouped" if data.groups is not None else kind
        order = permutation(self.seed, 0, len(data))
        if kind == "random":
            return self._cut([order])
        if kind == "stratified":
            if data.task != CLASSIFICATION:
                raise _unfit(data, "classes for a stratified split", "a regression")
            codes = data.targets[order]
            return self._cut([order[codes == c] for c in range(len(data.classes))])
        if data.groups is None:
            raise _unfit(data, "groups for a grouped split", "none")
        unknown = sum(group is None for group in data.groups.tolist())
        if unknown:
            raise DataError(
                f"the groups of {data.name}",
                required="a value in every row",
                got=f"none in {unknown} of {len(data)} rows",
                remedy="fill the column, or leave those rows out",
            )
        return self._cut_groups(data.groups)

    def _cut(self, strata: list[Numbers]) -> tuple[Numbers, ...]:
        """Cut every stratum by the same shares, remainders carried from one to the next."""
        pieces: list[list[Numbers]] = [[], [], []]
        owed_validation = owed_test = 0.0
        for rows in strata:
            owed_validation += self.validation * len(rows)
            owed_test += self.test * len(rows)
            v, t = round(owed_validation), round(owed_test)
            owed_validation -= v
            owed_test -= t
            pieces[1].append(rows[:v])
            pieces[2].append(rows[v : v + t])
            pieces[0].append(rows[v + t :])
        return tuple(np.sort(np.concatenate(piece)) for piece in pieces)

    def _cut_groups(self, groups: Numbers) -> tuple[Numbers, ...]:
        """Fill validation, then test, with whole groups in random order, each to its share."""
        names, codes = np.unique(groups, return_inverse=True)
        sizes = np.bincount(codes)
        part_of = np.zeros(len(names), dtype=int)
        room = [self.validation * len(groups), self.test * len(groups)]
        for group in permutation(self.seed, 0, len(names)):
            for part in (1, 2):
                if room[part - 1] >= sizes[group] / 2:
                    room[part - 1] -= sizes[group]
                    part_of[group] = part
                    break
        return tuple(np.flatnonzero(part_of[codes] == part) for part in range(3))


def _unfit(data: Data, required: str, got: str) -> DataError:
    return DataError(
        f"Split(by=...) on {data.name}", required=required, got=got, remedy='use by="auto"'
    )


def permutation(seed: int, turn: int, n: int) -> Numbers:
    """A permutation of n rows: a pure function of the seed and a counter, (n,) int64.

    The order of n raw 64-bit numbers of the Philox generator keyed by (seed, turn). Two of them are
    equal once in 2^65 / n² permutations: never.
    """
    bits = np.random.Philox(key=np.array([seed, turn], dtype=np.uint64)).random_raw(n)
    return np.argsort(bits)
