"""A strict environment: no silent change of type or rank, warnings are errors, an own cache."""

import os
import tempfile
from collections import Counter

# Programs of the fast tests are compiled fast rather than made fast, which takes a third off their
# time; the long proofs (make slow) test what is shipped.
if os.environ.get("SHOAL_TESTS_COMPILE") != "full":
    os.environ["XLA_FLAGS"] = (
        f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0"
    )

# Before JAX starts: two devices whatever the machine, and a cache that no user shares.
os.environ.setdefault("SHOAL_CPU_DEVICES", "2")
_CACHE = tempfile.TemporaryDirectory(prefix="shoal-tests-")
os.environ.setdefault("SHOAL_CACHE_DIR", _CACHE.name)

import jax
import numpy as np
import pytest

import shoal as sh
import shoal.train  # sets devices and cache before anything computes

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


def pytest_collection_modifyitems(items):
    """Of a test marked ``table(every=n)`` each n-th case runs at once, the others behind ``slow``."""
    seen = Counter()
    for item in items:
        table = item.get_closest_marker("table")
        if table is not None and item.get_closest_marker("slow") is None:
            function = item.nodeid.partition("[")[0]
            if seen[function] % table.kwargs["every"]:
                item.add_marker("slow")
            seen[function] += 1


@pytest.fixture
def x64():
    """Computing in float64 for the length of a test."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def rng():
    return np.random.default_rng(20260101)


@pytest.fixture(scope="session")
def small():
    """A small classification that trains in a moment: 90 rows, 6 features, 3 classes."""
    rng = np.random.default_rng(1)
    labels = np.arange(90) % 3
    inputs = rng.normal(size=(90, 6)) + labels[:, None] * np.array([1.0, -1.0, 0.5, 0, 0, 0])
    return sh.data.arrays(inputs, labels, name="small")


@pytest.fixture(scope="session")
def line():
    """A small regression: 80 rows, 4 features, 2 targets."""
    rng = np.random.default_rng(2)
    inputs = rng.normal(size=(80, 4))
    targets = inputs @ rng.normal(size=(4, 2)) + 0.1 * rng.normal(size=(80, 2)) + 5.0
    return sh.data.arrays(inputs, targets, name="line")


@pytest.fixture(scope="session")
def pictures():
    """Small images: 64 rows of 8x8x2, 3 classes."""
    rng = np.random.default_rng(3)
    labels = np.arange(64) % 3
    inputs = rng.normal(size=(64, 8, 8, 2))
    inputs[np.arange(64), labels * 2, :, 0] += 2.0
    return sh.data.arrays(inputs, labels, name="pictures")
