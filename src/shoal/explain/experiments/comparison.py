"""Comparisons over seeds: means with their intervals, and what they decide.

    x̄ ± t · s / √n       n seeds, s their standard deviation (n − 1), t the 97.5 % point of
                          Student's law with n − 1 degrees of freedom

Members of a pool see the same batches, and members of one seed begin with the same random numbers.
So differences are taken seed by seed, and what the members share falls out of them. The intervals
are over seeds of weights alone: data, split and order of the batches are the same for all of them.

A claim says where a number lies: a difference above 0, a factor between 0.5 and 2. It held where
the whole interval lies there, did not hold where none of it does, and else is undecided.
"""

import enum
import math
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from shoal.arrays import Numbers

ABOVE_ZERO = (0.0, math.inf)
BELOW_ZERO = (-math.inf, 0.0)
CONFIDENCE = 0.95


class Verdict(enum.StrEnum):
    """What became of a claim."""

    HELD = "held"
    FAILED = "did not hold"
    UNDECIDED = "undecided"


class Interval(NamedTuple):
    """A mean and the 95 % interval around it."""

    mean: float
    low: float
    high: float


def mean_interval(values: Any) -> Interval:
    """The mean of values and its t-interval; without bounds where one value is all there is.

    >>> mean, low, high = mean_interval([1.0, 2.0, 3.0])
    >>> round(mean, 3), round(low, 3), round(high, 3)
    (2.0, -0.484, 4.484)
    """
    x = np.asarray(values, np.float64)
    mean, n = float(x.mean()), len(x)
    if n < 2:
        return Interval(mean, -math.inf, math.inf)
    half = student_point(n - 1) * float(x.std(ddof=1)) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half)


@cache
def student_point(freedom: int, confidence: float = CONFIDENCE) -> float:
    """The t with P(|T| < t) = confidence for Student's law with so many degrees of freedom.

    >>> round(student_point(4), 3)
    2.776
    """
    low, high = 0.0, 1.0
    while _student_within(high, freedom) < confidence:
        high *= 2.0
    for _ in range(100):
        middle = 0.5 * (low + high)
        below = _student_within(middle, freedom) < confidence
        low, high = (middle, high) if below else (low, middle)
    return high


def _student_within(t: float, freedom: int) -> float:
    """P(|T| < t), Abramowitz and Stegun 26.7.3 and 26.7.4, with theta = arctan(t / sqrt(freedom)).

    odd:  (2 / pi) (theta + sin theta (cos theta + 2/3 cos³ theta + 2·4/3·5 cos⁵ theta + ...))
    even: sin theta (1 + 1/2 cos² theta + 1·3/2·4 cos⁴ theta + ...)
    """
    theta = math.atan(t / math.sqrt(freedom))
    odd = freedom % 2
    term = math.cos(theta) if odd else 1.0
    total = 0.0
    for k in range(odd + 1, freedom, 2):
        total += term
        term *= k / (k + 1) * math.cos(theta) ** 2
    if odd:
        return 2.0 / math.pi * (theta + math.sin(theta) * total)
    return math.sin(theta) * total


class Comparison(NamedTuple):
    """One number for each seed, and where the claim says that it lies.

    Attributes:
        what: the words before the number in the sentence.
        values: (n,) one for each seed, differences taken seed by seed.
        claimed: the open range in which the claim wants their mean.
        unit: the words behind the number.
    """

    what: str
    values: tuple[float, ...]
    claimed: tuple[float, float] = ABOVE_ZERO
    unit: str = ""

    @property
    def interval(self) -> Interval:
        """The mean over seeds with its interval."""
        return mean_interval(self.values)

    @property
    def verdict(self) -> Verdict:
        """Whether the interval lies where the claim says."""
        (_, low, high), (bottom, top) = self.interval, self.claimed
        if not all(map(math.isfinite, self.values)):
            return Verdict.UNDECIDED
        if bottom < low and high < top:
            return Verdict.HELD
        return Verdict.FAILED if high <= bottom or top <= low else Verdict.UNDECIDED

    @property
    def sentence(self) -> str:
        """What was measured: ``what`` 1.2 unit (95 % interval 1.1 to 1.3)."""
        mean, low, high = self.interval
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.what} {mean:.3g}{unit} (95 % interval {low:.3g} to {high:.3g})"


def paired(
    what: str,
    first: Any,
    second: Any,
    claimed: tuple[float, float] = ABOVE_ZERO,
    unit: str = "",
) -> Comparison:
    """The comparison of first − second, seed by seed.

    Args:
        what, claimed, unit: as for ``Comparison``.
        first, second: (n,) each, the same seeds in the same order.
    """
    return compared(what, np.asarray(first) - np.asarray(second), claimed, unit)


def compared(
    what: str, values: Any, claimed: tuple[float, float] = ABOVE_ZERO, unit: str = ""
) -> Comparison:
    """The comparison of numbers that are one for each seed already; arguments as above."""
    return Comparison(what, tuple(np.asarray(values, np.float64).tolist()), claimed, unit)


def joint(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict on a claim of several parts: it holds where all hold, fails where one fails."""
    if Verdict.FAILED in verdicts:
        return Verdict.FAILED
    held = verdicts and all(verdict is Verdict.HELD for verdict in verdicts)
    return Verdict.HELD if held else Verdict.UNDECIDED


def log10(values: Any) -> Numbers:
    """Decimal logarithms of numbers > 0; factors are averaged and compared as these."""
    found: Numbers = np.log10(np.asarray(values, np.float64))
    return found
