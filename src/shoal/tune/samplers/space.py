"""A search space as a unit box: what every sampler of ours computes in.

Each parameter is one column. A number lies in [0, 1], after the logarithm where the distribution is
logarithmic; whole numbers and steps take the middle of equal cells, so that every value has the
same share of the column. A category is its index; two categories are simply different, at distance
1.

Notation: D columns; a point is an array of shape (D,); "free" columns are numbers with more than
one value, "choice" columns are categories.
"""

import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

Floats = NDArray[np.float64]
Number = FloatDistribution | IntDistribution


class Column:
    """One parameter: between its values and the numbers of its column.

    Attributes:
        count: how many values there are; 0 for a continuum.
    """

    def __init__(self, name: str, distribution: BaseDistribution) -> None:
        self.name = name
        self.distribution = distribution
        self.choice = isinstance(distribution, CategoricalDistribution)
        self.count = _count(distribution)
        self.fixed = self.count == 1
        self._low, self._width = (0.0, 1.0) if self.choice else self._range()

    def encode(self, value: Any) -> float:
        """The number of a value: in [0, 1], or the index of a category."""
        if isinstance(self.distribution, CategoricalDistribution):
            return float(self.distribution.to_internal_repr(value))
        assert isinstance(self.distribution, Number)
        if self.fixed:
            return 0.5
        return min(1.0, max(0.0, (self._measure(float(value)) - self._low) / self._width))

    def decode(self, number: float) -> Any:
        """The value of a number; the nearest allowed one."""
        if isinstance(self.distribution, CategoricalDistribution):
            return self.distribution.to_external_repr(self.snap(number))
        assert isinstance(self.distribution, Number)
        d = self.distribution
        if self.fixed:
            return d.low
        raw = self._low + number * self._width
        value = math.exp(raw) if d.log else raw
        if d.step is not None:
            value = d.low + round((value - d.low) / d.step) * d.step
        value = min(max(value, d.low), d.high)
        return round(value) if isinstance(d, IntDistribution) else float(value)

    def snap(self, number: float) -> float:
        """The number of the nearest value that there is."""
        if self.choice:
            return float(min(max(round(number), 0), self.count - 1))
        return self.encode(self.decode(number)) if self.count else min(1.0, max(0.0, number))

    def spread(self, uniform: float) -> float:
        """From a uniform number in [0, 1) to one of this column; all values equally likely."""
        if self.choice:
            return float(min(int(uniform * self.count), self.count - 1))
        return self.snap(uniform)

    def _measure(self, value: float) -> float:
        assert isinstance(self.distribution, Number)
        return math.log(value) if self.distribution.log else value

    def _range(self) -> tuple[float, float]:
        """Lower end and width in the measure; whole numbers get half a cell on either side."""
        d = self.distribution
        assert isinstance(d, Number)
        half = 0.5 * d.step if d.step is not None else 0.0
        low = self._measure(d.low - half)
        return low, self._measure(d.high + half) - low


class Space:
    """The columns of a group of parameters, sorted by name.

    >>> rate = FloatDistribution(1e-4, 1.0, log=True)
    >>> space = Space({"rate": rate, "depth": IntDistribution(1, 4)})
    >>> space.encode({"rate": 1e-2, "depth": 3})
    array([0.625, 0.5  ])
    >>> space.decode(np.array([0.1, 1.0]))
    {'depth': 1, 'rate': 1.0}
    """

    def __init__(self, distributions: Mapping[str, BaseDistribution]) -> None:
        self.columns = tuple(Column(n, d) for n, d in sorted(distributions.items()))
        self.names = tuple(c.name for c in self.columns)
        self.choice = np.array([c.choice for c in self.columns], dtype=bool)
        self.free = np.array([not c.choice and not c.fixed for c in self.columns], dtype=bool)
        self.discrete = np.array([c.count > 0 for c in self.columns], dtype=bool)
        self.key = tuple((c.name, repr(c.distribution)) for c in self.columns)
        self.tag = f"{zlib.crc32(repr(self.names).encode()):08x}"

    @property
    def size(self) -> int:
        """Number of columns D."""
        return len(self.columns)

    def encode(self, values: Mapping[str, Any]) -> Floats:
        """The point of a set of values; shape (D,)."""
        return np.array([c.encode(values[c.name]) for c in self.columns])

    def decode(self, point: Floats) -> dict[str, Any]:
        """The values of a point."""
        return {c.name: c.decode(float(p)) for c, p in zip(self.columns, point, strict=True)}

    def snap(self, points: Floats) -> Floats:
        """The points that there are nearest to ``points``; shape (..., D)."""
        out = np.clip(points, 0.0, 1.0)
        for k in np.flatnonzero(self.discrete):
            column = self.columns[k]
            if column.choice:
                out[..., k] = np.clip(np.round(points[..., k]), 0, column.count - 1)
            else:
                flat = out[..., k].ravel()
                found, where = np.unique(flat, return_inverse=True)
                snapped = np.array([column.snap(float(v)) for v in found])
                out[..., k] = snapped[where].reshape(out[..., k].shape)
        return out

    def spread(self, uniform: Floats) -> Floats:
        """Points from uniform numbers in [0, 1); shape (..., D), numbers not yet snapped."""
        out = np.array(uniform, dtype=float)
        for k in np.flatnonzero(self.choice):
            count = self.columns[k].count
            out[..., k] = np.minimum(np.floor(uniform[..., k] * count), count - 1)
        return out

    @property
    def points(self) -> float:
        """How many different points there are; infinite with a continuous column."""
        return math.prod((c.count or math.inf) for c in self.columns)


def _count(distribution: BaseDistribution) -> int:
    """How many values a distribution has; 0 for a continuum."""
    if distribution.single():
        return 1
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    assert isinstance(distribution, Number)
    if distribution.step is None:
        return 0
    return int((distribution.high - distribution.low) / distribution.step + 1e-9) + 1
