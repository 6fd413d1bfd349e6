"""Splits: disjoint, complete, seeded, stratified, grouped."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import shoal as sh
from shoal.data.splits import permutation
from shoal.errors import DataError, RecipeError


def classification(counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    return sh.data.arrays(np.zeros((len(labels), 1)), labels, task="classification")


@given(
    counts=st.lists(st.integers(1, 60), min_size=2, max_size=5),
    validation=st.floats(0, 0.5),
    test=st.floats(0, 0.4),
    seed=st.integers(0, 99),
)
def test_stratified_splits_partition_rows_and_keep_proportions(counts, validation, test, seed):
    data = classification(counts)
    split = sh.Split(validation, test, seed=seed)
    try:
        parts = split.parts(data)
    except DataError as error:
        assert "needs at least one row" in str(error)
        return
    together = np.concatenate(parts)
    np.testing.assert_array_equal(np.sort(together), np.arange(len(data)))
    for code, count in enumerate(counts):
        for rows, share in ((parts.validation, validation), (parts.test, test)):
            assert abs(np.sum(data.targets[rows] == code) - share * count) <= 1.0


def test_the_same_seed_gives_the_same_split_and_another_another():
    data = sh.data.digits()
    a, b, c = (sh.Split(0.2, seed=s).parts(data).validation for s in (3, 3, 4))
    np.testing.assert_array_equal(a, b)
    assert len(np.intersect1d(a, c)) < 0.5 * len(a)


def test_a_row_without_a_group_is_named():
    groups = np.array(["a", "b", None, "a"], dtype=object)
    data = sh.data.arrays(np.eye(4), np.arange(4.0), groups=groups)
    with pytest.raises(sh.DataError, match="a value in every row, got none in 1 of 4 rows"):
        sh.Split(validation=0.5).parts(data)


def test_groups_stay_together(rng):
    groups = rng.integers(0, 40, size=500)
    data = sh.data.arrays(rng.normal(size=(500, 2)), rng.normal(size=500), groups=groups)
    parts = sh.Split(0.2, 0.2).parts(data)
    seen = [set(groups[rows]) for rows in parts]
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])
    assert sum(map(len, parts)) == 500
    for rows in parts[1:]:
        assert abs(len(rows) - 100) < 25


def test_splits_that_come_with_the_data_are_used(rng):
    x, y = rng.normal(size=(30, 2)), np.arange(30) % 2
    data = sh.data.arrays(x, y, validation=(x[:5] + 1, y[:5]), test=(x[:7] + 2, y[:7]))
    parts = sh.Split(0.9).parts(data)
    assert [len(rows) for rows in parts] == [30, 5, 7]
    np.testing.assert_array_equal(data.inputs[parts.test], x[:7] + 2)


@pytest.mark.parametrize(
    "split, message",
    [
        (sh.Split(by="grouped"), "needs groups for a grouped split, got none"),
        (sh.Split(0.001), "the validation split of .* needs at least one row, got none out of 6"),
    ],
)
def test_splits_that_cannot_be(split, message):
    with pytest.raises(DataError, match=message):
        split.parts(classification([3, 3]))


def test_shares_leave_something_to_train_on():
    with pytest.raises(RecipeError, match=r"a sum below 1\), got 0.5 \+ 0.5"):
        sh.Split(0.5, 0.5)
    with pytest.raises(DataError, match="the train split of .* needs at least one row"):
        sh.Split(0.9).parts(classification([1, 1]))


def test_a_regression_has_no_classes_to_stratify(line):
    with pytest.raises(DataError, match="needs classes for a stratified split, got a regression"):
        sh.Split(by="stratified").parts(line)


@given(st.integers(0, 2**31), st.integers(0, 10**6), st.integers(1, 300))
def test_a_permutation_is_a_pure_function_of_two_integers(seed, turn, n):
    found = permutation(seed, turn, n)
    np.testing.assert_array_equal(np.sort(found), np.arange(n))
    np.testing.assert_array_equal(found, permutation(seed, turn, n))


def test_the_permutation_never_changes():
    """Raw Philox numbers, which NumPy keeps the same between releases; written down 2026-11."""
    assert permutation(7, 3, 10).tolist() == [2, 5, 9, 7, 3, 0, 6, 8, 4, 1]


def test_permutations_are_uniform():
    """Each of 6 orders of 3 rows about 1,000 times in 6,000 (standard deviation 29)."""
    orders = [tuple(permutation(1, turn, 3)) for turn in range(6000)]
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 6
    assert max(counts) - min(counts) < 250
