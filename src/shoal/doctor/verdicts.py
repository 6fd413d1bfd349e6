"""Verdicts: what a remedy did, from differences of quality seed by seed.

    cured      better for sure, and at least 90 % of the way from the training as it is to the best
    improves   better for sure, but less
    no effect  the interval holds 0, or the difference is not worth an edit
    worse      worse for sure

"For sure" is by Student's 95 % interval of the mean difference, or, where a few seeds go another
way than the rest and make that interval wide, by five seeds or more that all have one sign, which
chance gives once in 32. Arms that were given up after two seeds have no interval that says
anything: their verdict goes by the difference alone.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit  # not scipy.stats, which takes half a second to load

from shoal.arrays import Numbers

CURED, IMPROVES, NO_EFFECT, WORSE = "cured", "improves", "no effect", "worse"

RECOVERED = 0.9
"""Share of the gap that a cure closes."""

EQUIVALENT = 0.95
"""Share of the gap from which on cures count as equivalent, and the smallest edit is chosen."""

FEWEST = 3
"""Seeds from which on an interval is asked for."""

ONE_SIGN = 5
"""Seeds whose differences all have one sign, which then settles it: 1 / 2^5 < 0.05."""


class Gain(NamedTuple):
    """A mean difference of quality: its 95 % interval is mean ± half.

    Attributes:
        mean, half: half is NaN below two seeds.
        seeds: that it is over; least, most: of the differences.
    """

    mean: float
    half: float
    seeds: int
    least: float = float("-inf")
    most: float = float("inf")

    @property
    def low(self) -> float:
        """The lower end of its interval."""
        return self.mean - self.half

    @property
    def high(self) -> float:
        """The upper end of its interval."""
        return self.mean + self.half

    @property
    def better(self) -> bool:
        """Whether it is a gain for sure."""
        return self.seeds >= FEWEST and (self.low > 0.0 or (self._settled and self.least > 0.0))

    @property
    def worse(self) -> bool:
        """Whether it is a loss for sure."""
        return self.seeds >= FEWEST and (self.high < 0.0 or (self._settled and self.most < 0.0))

    @property
    def _settled(self) -> bool:
        return self.seeds >= ONE_SIGN

    def __str__(self) -> str:
        half = f" ± {self.half:,.3f}" if self.seeds >= FEWEST else ""
        return f"{self.mean:+,.3f}{half}"


def gain(after: Numbers, before: Numbers) -> Gain:
    """The mean difference of (S,) qualities, seed by seed."""
    found = after - before[: len(after)]
    count = len(found)
    ends = float(found.min()), float(found.max())
    if count < 2:
        return Gain(float(found.mean()), float("nan"), count, *ends)
    t = float(stdtrit(count - 1, 0.975))
    half = t * float(found.std(ddof=1)) / float(np.sqrt(count))
    return Gain(float(found.mean()), half, count, *ends)


def verdict(found: Gain, gap: float, worth: float) -> str:
    """What a gain means.

    Args:
        gap: between the training as it is and the best arm.
        worth: the smallest difference worth an edit.
    """
    sure = found.seeds >= FEWEST
    if abs(found.mean) < worth or (sure and not (found.better or found.worse)):
        return NO_EFFECT
    if found.mean < 0.0:
        return WORSE
    return CURED if sure and found.mean >= RECOVERED * gap else IMPROVES
