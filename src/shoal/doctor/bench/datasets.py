"""Data sets of the benchmark, each divided once into training, validation and a large test split.

The training splits are small, so that ten seeds of hundreds of cases take minutes; the test splits
are large where data is generated, so that an effect is not the luck of a few rows. Rules are tuned
on half A and reported on half B, which shares no data set with it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np

from shoal.arrays import Numbers
from shoal.data import builtin
from shoal.data.dataset import CLASSIFICATION, REGRESSION, Data
from shoal.doctor.bench import sources

SEED = 7
TRAIN, VALIDATION, TEST = 0, 1, 2


@dataclass(frozen=True)
class Source:
    """Where a data set comes from.

    Attributes:
        half: "A" to tune rules on, "B" held out.
        make: its inputs and targets, with the classes or () for a regression.
        train, validation: rows of these splits; the rest is the test.
    """

    half: str
    make: Callable[[], tuple[Any, Any, tuple[Any, ...]]]
    train: int
    validation: int


def _built_in(name: str) -> Callable[[], tuple[Any, Any, tuple[Any, ...]]]:
    def make() -> tuple[Any, Any, tuple[Any, ...]]:
        found = builtin.BY_NAME[name]()
        return found.inputs, found.targets, found.classes

    return make


def _generated(name: str, classes: int, **options: Any) -> Callable[[], Any]:
    """One of scikit-learn's generators, with its random state fixed."""

    def make() -> tuple[Any, Any, tuple[Any, ...]]:
        from sklearn import datasets

        x, y = getattr(datasets, name)(random_state=SEED, **options)
        return x, y, tuple(range(classes))

    return make


def _own(function: Callable[[int, int], sources.Arrays], classes: int) -> Callable[[], Any]:
    def make() -> tuple[Any, Any, tuple[Any, ...]]:
        return *function(1400, SEED), tuple(range(classes))

    return make


def _rows_of_digits() -> tuple[Any, Any, tuple[Any, ...]]:
    """Digits as sequences: 8 rows of 8 grey values."""
    found = builtin.digits()
    return found.inputs.reshape(-1, 8, 8), found.targets, found.classes


def _rebuilt(name: str) -> Callable[[], Any]:
    """Targets equal to the inputs, each scaled, for an autoencoder."""

    def make() -> tuple[Any, Any, tuple[Any, ...]]:
        x = SOURCES[name].make()[0]
        x = x.reshape(len(x), -1)
        spread = x.std(axis=0)
        x = (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        return x, x, ()

    return make


SOURCES: dict[str, Source] = {
    "digits": Source("A", _built_in("digits"), 500, 150),
    "digit_images": Source("A", _built_in("digit_images"), 500, 150),
    "digit_rows": Source("A", _rows_of_digits, 500, 150),
    "digits_rebuilt": Source("A", _rebuilt("digits"), 500, 150),
    "breast_cancer": Source("A", _built_in("breast_cancer"), 260, 100),
    "circles": Source(
        "A", _generated("make_circles", 2, n_samples=1400, noise=0.08, factor=0.6), 300, 100
    ),
    "moons": Source("A", _generated("make_moons", 2, n_samples=1400, noise=0.2), 300, 100),
    "friedman": Source("A", _generated("make_friedman1", 0, n_samples=1500, noise=1.0), 400, 100),
    "wine": Source("B", _built_in("wine"), 90, 36),
    "iris": Source("B", _built_in("iris"), 75, 30),
    "blobs": Source(
        "B",
        _generated("make_blobs", 4, n_samples=1400, centers=4, n_features=3, cluster_std=2.2),
        300,
        100,
    ),
    "diabetes": Source("B", _built_in("diabetes"), 240, 80),
    "classification": Source(
        "B",
        _generated(
            "make_classification", 4,
            n_samples=1400, n_features=20, n_informative=8, n_redundant=4, n_classes=4,
            n_clusters_per_class=1, class_sep=1.5,
        ),
        400,
        100,
    ),
    "regression": Source(
        "B", _generated("make_friedman2", 0, n_samples=1500, noise=20.0), 400, 100
    ),
    "bars": Source("B", _own(sources.bars, 4), 400, 150),
    "tokens": Source("B", _own(sources.tokens, 4), 400, 100),
    "counts": Source("B", _own(sources.counts, 2), 400, 100),
    "bars_rebuilt": Source("B", _rebuilt("clean_bars"), 500, 150),
    "clean_bars": Source("B", _own(partial(sources.bars, noise=0.2), 4), 500, 150),
}  # fmt: skip
"""The data sets by name. Half B: wine, iris, blobs, diabetes, make_classification, make_friedman2,
and generated images and sequences."""


@cache
def load(name: str, fold: int = 0) -> Data:
    """A data set with its splits, the same in every call; another fold divides it otherwise."""
    source = SOURCES[name]
    x, y, classes = source.make()
    x = np.asarray(x, dtype=float)
    order = np.random.default_rng(SEED + fold).permutation(len(x))
    parts = np.full(len(x), TEST)
    parts[order[: source.train]] = TRAIN
    parts[order[source.train : source.train + source.validation]] = VALIDATION
    if classes:
        codes = np.asarray(y, dtype=np.int32)
        return Data(x, codes, CLASSIFICATION, classes, name, ("class",), parts=parts)
    values = np.asarray(y, dtype=float).reshape(len(x), -1)
    names = tuple(f"value{k}" for k in range(values.shape[1]))
    return Data(x, values, REGRESSION, (), name, names, parts=parts)


def with_rows(data: Data, rows: Numbers) -> Data:
    """Some rows of a data set, their splits kept."""
    assert data.parts is not None, "data of the benchmark is divided"
    return replace(
        data, inputs=data.inputs[rows], targets=data.targets[rows], parts=data.parts[rows]
    )
