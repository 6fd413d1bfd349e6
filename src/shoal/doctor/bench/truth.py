"""Truth by effect: what an edit did to the score on test rows, over seeds.

Notation: h, s the scores of the healthy and of the sick training over n seeds each; c the score of
chance; r = mean(h) - c, the range; gap = mean(h) - mean(s).

    harmful     Welch's p < 0.05, Cohen's d >= 0.5 and gap >= 0.10 r
    trivial     significant and d >= 0.5, but a smaller gap
    improving   the sick one is better by the same test
    benign      everything else

The first two conditions are those of DeepFD (Cao et al., ICSE 2022); the third asks that the harm
is large enough to matter. A healthy training is certified when no single remedy beats it by more
than 0.10 r.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from shoal.arrays import Numbers

P, D, SHARE = 0.05, 0.5, 0.10
CURED = 0.90
HARMFUL, TRIVIAL, BENIGN, IMPROVING = "harmful", "trivial", "benign", "improving"
SMALL = 1e-12


class Effect(NamedTuple):
    """What an edit did.

    Attributes:
        label: "harmful", "trivial", "benign" or "improving".
        gap: mean(h) - mean(s); range: mean(h) - chance.
        p: of Welch's test, two-sided; d: Cohen's, positive where the sick one is worse.
    """

    label: str
    gap: float
    range: float
    p: float
    d: float


def effect(healthy: Sequence[float], sick: Sequence[float], chance: float) -> Effect:
    """The effect of what turned a healthy training into another, from their scores over seeds.

    >>> effect([0.9, 0.91, 0.92], [0.5, 0.52, 0.51], chance=0.1).label
    'harmful'
    """
    h, s = np.asarray(healthy, float), np.asarray(sick, float)
    gap, span = float(h.mean() - s.mean()), float(h.mean() - chance)
    p, d = welch(h, s), cohen(h, s)
    if p >= P or abs(d) < D:
        label = BENIGN
    elif d < 0:
        label = IMPROVING
    else:
        label = HARMFUL if gap >= SHARE * span else TRIVIAL
    return Effect(label, gap, span, p, d)


def welch(a: Numbers, b: Numbers) -> float:
    """Two-sided p of Welch's test; 0 or 1 where neither sample varies.

    With v = var / n of each sample: t = (mean a - mean b) / sqrt(va + vb) follows Student's law
    with (va + vb)² / (va² / (na - 1) + vb² / (nb - 1)) degrees of freedom.
    """
    va, vb = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    if va + vb < SMALL**2:
        return 1.0 if abs(a.mean() - b.mean()) < SMALL else 0.0
    t = (a.mean() - b.mean()) / np.sqrt(va + vb)
    freedom = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
    return float(2 * stats.t.sf(abs(t), freedom))


def cohen(a: Numbers, b: Numbers) -> float:
    """Cohen's d, (mean a - mean b) over the pooled standard deviation."""
    pooled = float(np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2))
    return float((a.mean() - b.mean()) / max(pooled, SMALL))


def recovered(healthy: float, sick: float, cured: float) -> float:
    """The share of the gap that a cure closes, from mean scores; 1 for all of it."""
    return (cured - sick) / (healthy - sick)


def better(
    base: float, others: Mapping[str, float], chance: float, share: float = SHARE
) -> list[str]:
    """Which of other trainings beat a healthy one by more than a share of its range: none is right.

    >>> better(0.8, {"rate_x10": 0.9, "l2": 0.81}, chance=0.5)
    ['rate_x10']
    """
    margin = share * (base - chance)
    return [name for name, score in others.items() if score > base + margin]
