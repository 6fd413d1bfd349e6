"""A derivative from differences of values: central, with smaller steps near a kink.

For a function f of one number around 0, and a step h,

    central   (f(h) - f(-h)) / 2h       error of order h² f''' and eps |f| / h
    right     (f(h) - f(0)) / h         left   (f(0) - f(-h)) / h

The step that balances both errors of the central difference is near eps^(1/3) (Press et al. 2007,
Numerical Recipes, section 5.7). A kink between -h and h spoils it, so where it disagrees with the
derivative under test it is taken again with smaller steps. A kink at 0 itself stays whatever the
step: left and right disagree, and any number between them is a valid (sub)derivative.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

import numpy as np

EPS = float(np.finfo(np.float64).eps)
STEP = EPS ** (1.0 / 3.0)
FACTORS = (1.0, 1.0 / 8.0, 1.0 / 64.0)
"""Of the step: the first, and those of the retries."""
ROUNDING = 64.0 * EPS
"""How far a value may be off by rounding, relative to its size or to 1."""


class Verdict(StrEnum):
    """What a comparison came to."""

    OK = "ok"
    KINK = "kink"
    WRONG = "wrong"
    NOT_FINITE = "not finite"

    @property
    def passed(self) -> bool:
        """Whether the derivative under test is one."""
        return self in (Verdict.OK, Verdict.KINK)


class Slope(NamedTuple):
    """A derivative under test beside the differences.

    Attributes:
        analytic: what automatic differentiation gave.
        numeric: the central difference; left, right: the one-sided ones.
        error: |analytic - numeric| relative to the larger of both, or to what rounding can hide.
        retries: smaller steps that were needed.
        verdict: what it came to.
    """

    analytic: float
    numeric: float
    left: float
    right: float
    error: float
    retries: int
    verdict: Verdict


def compare(
    value: Callable[[float], float], analytic: float, size: float, tolerance: float
) -> Slope:
    """A derivative at 0 beside differences of values.

    Args:
        value: f.
        analytic: the derivative under test.
        size: of the number that f varies; the step is relative to it where it is larger than 1.
        tolerance: on the relative error.
    """
    middle, found = value(0.0), None
    for retries, factor in enumerate(FACTORS):
        h = STEP * factor * max(1.0, abs(size))
        found = _differences(value(-h), middle, value(h), h, analytic, tolerance)
        found = found._replace(retries=retries)
        if found.verdict is not Verdict.WRONG:
            return found
    assert found is not None
    return found


def _differences(
    below: float, middle: float, above: float, h: float, analytic: float, tolerance: float
) -> Slope:
    numeric, left, right = (above - below) / (2 * h), (middle - below) / h, (above - middle) / h
    noise = ROUNDING * max(1.0, abs(middle)) / h
    distance = abs(analytic - numeric)
    error = distance / max(abs(analytic), abs(numeric), noise / tolerance)
    if not np.isfinite([analytic, numeric]).all():
        return Slope(analytic, numeric, left, right, np.inf, 0, Verdict.NOT_FINITE)
    verdict = Verdict.OK if error <= tolerance else Verdict.WRONG
    if verdict is Verdict.WRONG:
        slack = tolerance * max(abs(left), abs(right)) + noise
        between = min(left, right) - slack <= analytic <= max(left, right) + slack
        if abs(right - left) > 2 * slack and between and h <= STEP * FACTORS[-1] * 1.01:
            verdict = Verdict.KINK
    return Slope(analytic, numeric, left, right, error, 0, verdict)
