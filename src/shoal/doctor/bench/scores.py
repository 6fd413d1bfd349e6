"""Figures of the benchmark: shares with Wilson's 95 % interval, and the paired test.

Notation: k hits of n, p = k / n, z = 1.96.

    Wilson (1927)    (p + z²/2n ± z sqrt(p (1 - p) / n + z²/4n²)) / (1 + z²/n)
    paired test      of the cases that only one of two methods cured, as many for each by chance:
                     the exact binomial test (McNemar 1947)
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from scipy import stats

Z = float(stats.norm.ppf(0.975))


class Share(NamedTuple):
    """A share with its interval.

    Attributes:
        name: of what; hits: k; of: n; low, high: Wilson's bounds.
    """

    name: str
    hits: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """k / n, NaN of none."""
        return self.hits / self.of if self.of else float("nan")

    def __str__(self) -> str:
        if not self.of:
            return "none"
        shown = f"{100 * self.value:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f})"
        return f"{shown}, {self.hits} of {self.of}"


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The bounds of Wilson's 95 % interval; (0, 1) of none.

    >>> [round(bound, 3) for bound in wilson(9, 10)]
    [0.596, 0.982]
    """
    if of == 0:
        return 0.0, 1.0
    p, z2 = hits / of, Z**2 / of
    centre, half = p + z2 / 2, Z * math.sqrt(p * (1 - p) / of + z2 / (4 * of))
    low, high = (centre - half) / (1 + z2), (centre + half) / (1 + z2)
    return max(0.0, low) if hits else 0.0, min(1.0, high) if hits < of else 1.0


def share(name: str, outcomes: Iterable[bool]) -> Share:
    """The share of what is true."""
    found = list(outcomes)
    return Share(name, sum(found), len(found), *wilson(sum(found), len(found)))


def paired(first: Sequence[bool], second: Sequence[bool]) -> float:
    """Two-sided p that two methods on the same cases are equally good; 1 where they never differ.

    >>> paired([True] * 8, [False] * 8)
    0.0078125
    """
    only_first = sum(a and not b for a, b in zip(first, second, strict=True))
    only_second = sum(b and not a for a, b in zip(first, second, strict=True))
    differing = only_first + only_second
    return float(stats.binomtest(only_first, differing).pvalue) if differing else 1.0
