"""Labels by effect, intervals and paired tests, against independent formulas and hand values."""

import numpy as np
import pytest
from scipy import stats

from shoal.doctor.bench import truth
from shoal.doctor.bench.scores import paired, share, wilson
from shoal.doctor.bench.truth import BENIGN, HARMFUL, IMPROVING, TRIVIAL, better, effect, recovered

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("sizes", [(10, 10), (10, 7), (5, 20)])
def test_welch_is_that_of_scipy(sizes):
    a, b = RNG.normal(0.9, 0.02, sizes[0]), RNG.normal(0.88, 0.05, sizes[1])
    assert truth.welch(a, b) == pytest.approx(
        stats.ttest_ind(a, b, equal_var=False).pvalue, rel=1e-9
    )


def test_cohens_d_by_hand():
    # means 3 and 1, variances 1 and 1: d = 2
    assert truth.cohen(np.array([2.0, 3.0, 4.0]), np.array([0.0, 1.0, 2.0])) == pytest.approx(2.0)


def test_samples_without_spread():
    same, other = np.full(10, 0.5), np.full(10, 0.4)
    assert truth.welch(same, same) == 1.0
    assert truth.welch(same, other) == 0.0
    assert effect(same, other, chance=0.0).label == HARMFUL


HEALTHY = [0.90, 0.91, 0.92, 0.90, 0.91, 0.92, 0.90, 0.91, 0.92, 0.91]


@pytest.mark.parametrize(
    "shift, label",
    [
        (-0.30, HARMFUL),  # 30 of 81 points
        (-0.085, HARMFUL),  # just above a tenth of the range 0.81
        (-0.075, TRIVIAL),  # significant, but less than a tenth
        (0.0, BENIGN),
        (0.05, IMPROVING),
    ],
)
def test_labels(shift, label):
    found = effect(HEALTHY, [s + shift for s in HEALTHY], chance=0.1)
    assert found.label == label
    assert found.gap == pytest.approx(-shift)
    assert found.range == pytest.approx(0.81)


def test_a_large_gap_that_could_be_luck_is_benign():
    sick = [0.91] * 8 + [0.1, 0.2]  # gap 0.15 of 0.81, but two seeds of ten decide it
    assert effect(HEALTHY, sick, chance=0.1).label == BENIGN


def test_what_a_cure_recovers():
    assert recovered(0.9, 0.5, 0.9) == pytest.approx(1.0)
    assert recovered(0.9, 0.5, 0.7) == pytest.approx(0.5)
    assert recovered(0.9, 0.5, 0.4) < 0


def test_a_base_that_a_remedy_beats_is_not_certified():
    others = {"wider": 0.84, "rate_x10": 0.835, "l2": 0.5}
    assert better(0.8, others, chance=0.4) == []  # the margin is a tenth of 0.4
    assert better(0.8, others | {"adam": 0.85}, chance=0.4) == ["adam"]
    assert better(0.8, others, chance=0.5) == ["wider", "rate_x10"]


@pytest.mark.parametrize("hits, of", [(0, 10), (3, 10), (10, 10), (97, 100), (1, 400)])
def test_wilson_is_that_of_scipy(hits, of):
    want = stats.binomtest(hits, of).proportion_ci(method="wilson")
    assert wilson(hits, of) == pytest.approx((want.low, want.high), abs=1e-12)


def test_shares():
    assert wilson(0, 0) == (0.0, 1.0)
    found = share("detected", [True, True, False, True])
    assert (found.hits, found.of, found.value) == (3, 4, 0.75)
    assert str(found).startswith("75.0 % (30.1 to 95.4)")
    assert str(share("nothing", [])) == "none"


def test_the_paired_test_counts_only_what_differs():
    both = [True] * 20
    assert paired(both, both) == 1.0
    # 9 of the 10 differing cases speak for the first: 2 (1 + 10) / 2^10
    first, second = both + [True] * 9 + [False], both + [False] * 9 + [True]
    assert paired(first, second) == pytest.approx(22 / 1024)
