"""Nested cross-validation: how good is what a search finds, for data too small for one test split.

The rows outside of the test split are dealt out to F outer folds. In fold f the whole search, with
its re-ranking and its fresh seeds, sees the other folds only; its winner and the default recipe are
then judged on the rows of fold f. Every row judges once, and no row is judged by a network that was
chosen or trained with it.

The F scores are not independent, because their training rows overlap. The interval is therefore
that of Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52 (2003):

    mean ± t · s · √(1/F + n_test / n_train),  n_test / n_train = 1 / (F - 1)
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit  # not scipy.stats, which takes half a second to load

from shoal.arrays import Numbers
from shoal.data.dataset import Data
from shoal.data.splits import Split
from shoal.tune.folds import TEST, TRAIN, VALIDATION, folds
from shoal.tune.protocol import LEVEL, Arm, Interval, lines

if TYPE_CHECKING:
    from shoal.tune.study import Study


@dataclass(eq=False)
class Nested:
    """The searches of all outer folds.

    Attributes:
        studies: F of them; studies[f] has not seen the rows of fold f, which are the test split of
            its data.
        rows: of each fold, as positions in the data as given.
    """

    studies: tuple["Study", ...]
    rows: tuple[Numbers, ...]

    @property
    def looks(self) -> int:
        """How often held-out rows were read: once for each fold, by its winner."""
        return sum(study.test_looks for study in self.studies)

    @property
    def winner(self) -> dict[str, Numbers]:
        """(F,) loss and metrics of the winners on the rows held out, means over fresh seeds."""
        return _scores([study.winner for study in self.studies])

    @property
    def default(self) -> dict[str, Numbers]:
        """(F,) the same for the default recipe."""
        return _scores([study.default for study in self.studies])

    def table(self) -> str:
        """Mean and interval over the outer folds, of the searches and of the default recipe."""
        rows = {"searched": self.winner, "default": self.default}
        cells = [["", *(f"outer {name}" for name in self.winner)]]
        cells += [[what, *(str(corrected(v)) for v in found.values())]
                  for what, found in rows.items()]  # fmt: skip
        return lines(cells)

    @property
    def verdict(self) -> str:
        """Whether searching helps on rows that it has not seen, in a sentence."""
        change = corrected(self.winner["loss"] - self.default["loss"])
        text = f"nested: the loss on {len(self.rows)} outer folds changes by {change}"
        if change.mean + change.half < 0:
            return f"{text}; searching helps"
        return f"{text}; it is not shown that searching helps"

    def __repr__(self) -> str:
        looks = f"{self.looks} looks at held-out rows, one for each fold"
        return f"{self.table()}\n{self.verdict} ({looks})"


def _scores(arms: list[Arm]) -> dict[str, Numbers]:
    names = arms[0].test[0]
    return {n: np.array([np.mean([one[n] for one in arm.test]) for arm in arms]) for n in names}


def corrected(values: Numbers) -> Interval:
    """The mean over F folds and the half width of the corrected interval.

    >>> print(corrected(np.array([1.0, 2.0, 3.0])))
    2 ± 3.9
    """
    count = len(values)
    spread = np.std(values, ddof=1) * np.sqrt(1 / count + 1 / (count - 1))
    return Interval(float(np.mean(values)), float(stdtrit(count - 1, (1 + LEVEL) / 2) * spread))


def outer_folds(data: Data, split: Split, count: int) -> list[tuple[Data, Numbers]]:
    """The data of each outer fold, and the rows held out there.

    Rows of the recipe's test split are in none of them. The held-out rows are the test split of
    the fold's data; the others are divided into training and validation by the shares of ``split``.

    Raises:
        DataError: fewer rows, or groups, than folds; a validation split without rows.
    """
    parts = split.parts(data)
    share = len(parts.validation) / (len(parts.validation) + len(parts.train))
    inner = Split(share, 0.0, split.by, split.seed)
    found = []
    for number, fold in enumerate(folds(data, split, count)):
        held = np.flatnonzero(fold.parts == VALIDATION)
        others = np.flatnonzero(fold.parts == TRAIN)
        where = np.full(len(data), TRAIN)
        where[held] = TEST
        where[others[inner.parts(_rows(data, others)).validation]] = VALIDATION
        rows = np.sort(np.concatenate([others, held]))
        name = f"{data.name}/outer {number + 1} of {count}"
        found.append((replace(_rows(data, rows), parts=where[rows], name=name), held))
    return found


def _rows(data: Data, rows: Numbers) -> Data:
    groups = None if data.groups is None else data.groups[rows]
    return replace(data.part(rows, ""), groups=groups, name=data.name)


def judge(
    search: Callable[[Data, str], "Study"], data: Data, split: Split, count: int, name: str
) -> Nested:
    """Repeat a search in every outer fold.

    Args:
        search: (data of a fold, name of its study) -> the study.
        name: of the study of all rows; those of the folds have the number of the fold behind it.
    """
    found = outer_folds(data, split, count)
    studies = tuple(search(part, f"{name}-outer-{f}") for f, (part, _) in enumerate(found))
    return Nested(studies, tuple(held for _, held in found))
