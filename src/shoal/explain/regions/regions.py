"""Linear regions: where a network of straight pieces is one affine map, exactly.

    info = regions(net, parameters, ((-1, 1), (-1, 1)))       polygons of a plane
    info = regions_along(net, parameters, start, stop)        intervals of a line

A network of ReLUs (or other straight pieces) divides its input into convex regions, on each of
which every unit stays on one of its pieces: the region's activation pattern. There the network is
y = W x + c (Montúfar et al. 2014, arXiv:1402.1869). The regions are found by cutting a polygon, or
an interval, layer by layer, not by sampling. Everything is computed in float64.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from shoal.arrays import Numbers, Shape, Tree
from shoal.errors import DataError, RecipeError
from shoal.explain.gradcheck.weights import check_parameters
from shoal.explain.regions import cells
from shoal.explain.regions.cells import Cells
from shoal.explain.regions.pieces import Walk
from shoal.nets import Layer, Net, compose
from shoal.nets.layer import Statistic
from shoal.train.model import Model

MOST = 20_000

Box = tuple[tuple[float, float], tuple[float, float]]


class Region(NamedTuple):
    """A convex polygon on which the network is one affine map.

    Attributes:
        polygon: (V, 2) corners, counter-clockwise.
        pattern: (units,) the piece that each unit is on: for a ReLU 0 off, 1 on; for a max pool the
            tap that wins.
        weight, bias: y = weight @ point + bias, shapes (T, 2) and (T,); y is the flattened output
            before a last softmax or sigmoid.
    """

    polygon: Numbers
    pattern: Numbers
    weight: Numbers
    bias: Numbers

    @property
    def area(self) -> float:
        """In units of the coordinates, squared."""
        return cells.area(self.polygon)


class RegionsInfo(NamedTuple):
    """The regions of a box.

    Attributes:
        box: ((low, high), (low, high)) of the two coordinates.
        regions: that fill the box.
    """

    box: Box
    regions: tuple[Region, ...]

    @property
    def number(self) -> int:
        """How many regions there are."""
        return len(self.regions)

    @property
    def text(self) -> str:
        """How many, in words."""
        return f"{self.number:,} linear region{'s' * (self.number != 1)}"

    def at(self, point: Sequence[float]) -> Region:
        """The region that a point lies in.

        Raises:
            DataError: it lies outside of the box.
        """
        (x0, x1), (y0, y1) = self.box
        x, y = float(point[0]), float(point[1])
        if not (x0 <= x <= x1 and y0 <= y <= y1):
            raise DataError(
                "the point", required=f"to lie in {self.box}", got=f"({x:g}, {y:g})",
                remedy="take a larger box",
            )  # fmt: skip
        return max(self.regions, key=lambda region: _depth(region.polygon, np.array([x, y])))


class Pieces(NamedTuple):
    """A network along a line, x(t) = start + t (stop - start) for t from 0 to 1: P pieces.

    Attributes:
        t: (P + 1,) the ends of the pieces, rising from 0 to 1.
        points: (P + 1, *in) the inputs there.
        values: (P + 1, T) the flattened outputs there; between them they are straight.
        patterns: (P, units) the piece that each unit is on, as for ``Region``.
    """

    t: Numbers
    points: Numbers
    values: Numbers
    patterns: Numbers

    @property
    def number(self) -> int:
        """How many pieces there are."""
        return len(self.t) - 1

    def at(self, t: Any) -> Numbers:
        """The outputs at some t in [0, 1], (..., T)."""
        columns = [np.interp(t, self.t, column) for column in self.values.T]
        return np.stack(columns, axis=-1)


def regions(
    subject: Net | Model,
    parameters: Tree | None = None,
    box: Box = ((-1.0, 1.0), (-1.0, 1.0)),
    *,
    statistics: Tree | None = None,
    plane: tuple[Any, Any, Any] | None = None,
    most: int = MOST,
) -> RegionsInfo:
    """The linear regions of a network inside a box of two coordinates.

    Args:
        subject: a network without a last softmax or sigmoid, or a trained model, whose first member
            is taken and whose box is in the units of the raw data.
        parameters: of the network; None for a model.
        box: ((low, high), (low, high)).
        statistics: of a network with batch-norm; None for their start.
        plane: for inputs of more than two numbers, (origin, u, v), each of the shape of an input:
            coordinates (a, b) stand for origin + a u + b v.
        most: regions after which it is given up.

    Raises:
        RecipeError: a layer that is not made of straight pieces, or more than ``most`` regions.
        DataError: a box that is empty, or inputs that are no plane.

    >>> import jax
    >>> from shoal.nets import Dense, Net, ReLU
    >>> net = Net(Dense(3), ReLU(), Dense(1))
    >>> parameters, _ = net.init(jax.random.key(0), (2,))
    >>> regions(net, parameters).number  # three lines through the origin
    6
    """
    (x0, x1), (y0, y1) = box = _checked(box)
    corners = np.array([[x0, y0], [x1, y0], [x0, y1]])
    if plane is not None:
        origin, u, v = (np.asarray(part, np.float64) for part in plane)
        inputs = np.stack([origin + a * u + b * v for a, b in corners])
    else:
        inputs = corners
    now = _walk(subject, parameters, statistics, inputs, most)
    low, width = np.array([x0, y0]), np.array([x1 - x0, y1 - y0])
    frame = now.frames[-1].reshape(len(now.corners), 3, -1)
    weight = np.swapaxes(frame[:, 1:] - frame[:, :1], 1, 2) / width  # (R, T, 2)
    bias = frame[:, 0] - weight @ low
    pattern = _patterns(now)
    return RegionsInfo(
        box,
        tuple(
            Region(low + polygon * width, pattern[r], weight[r], bias[r])
            for r, polygon in enumerate(now.corners)
        ),
    )


def regions_along(
    subject: Net | Model,
    parameters: Tree | None = None,
    start: Any = None,
    stop: Any = None,
    *,
    statistics: Tree | None = None,
    most: int = MOST,
) -> Pieces:
    """The straight pieces of a network along a line between two inputs, of any shape.

    Args:
        subject, parameters, statistics, most: as for ``regions``.
        start, stop: two inputs, batch left out; raw ones for a model.

    Raises:
        RecipeError: a layer that is not made of straight pieces, or more than ``most`` pieces.
        DataError: ends of different shapes, or that are missing.
    """
    ends = [np.asarray(end, np.float64) for end in (start, stop) if end is not None]
    if len(ends) < 2 or ends[0].shape != ends[1].shape:
        raise DataError(
            "regions_along(start, stop)",
            required="two inputs of one shape",
            got=" and ".join(str(end.shape) for end in ends) or "none",
            remedy="give two rows of the data",
        )
    inputs = np.stack(ends)
    now = _walk(subject, parameters, statistics, inputs, most)
    order = np.argsort([corners[0, 0] for corners in now.corners])
    t = np.concatenate([[0.0], [now.corners[i][1, 0] for i in order]])
    frame = now.frames[-1].reshape(len(now.corners), 2, -1)[order]
    lefts = frame[:, 0] + t[:-1, None] * (frame[:, 1] - frame[:, 0])
    values = np.concatenate([lefts, frame[-1:, 1]])  # the last piece ends at t = 1
    shape = (-1, *(1,) * (inputs.ndim - 1))
    points = inputs[0] + t.reshape(shape) * (inputs[1] - inputs[0])
    return Pieces(t, points, values, _patterns(now)[order])


def _checked(box: Any) -> Box:
    """A box of four finite numbers.

    Raises:
        DataError: it is not one, or empty.
    """
    try:
        (x0, x1), (y0, y1) = ((float(a), float(b)) for a, b in box)
        fits = bool(np.isfinite([x0, x1, y0, y1]).all()) and x0 < x1 and y0 < y1
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise DataError(
            "the box",
            required="((low, high), (low, high)) with low < high",
            got=repr(box),
            remedy="give for instance ((-1, 1), (-1, 1))",
        )
    return (x0, x1), (y0, y1)


def _walk(
    subject: Net | Model,
    parameters: Tree | None,
    statistics: Tree | None,
    inputs: Numbers,
    most: int,
) -> Cells:
    """The cells of the unit interval or square after the whole network."""
    d = len(inputs) - 1
    with jax.enable_x64(True):
        layers, parameters, statistics, encode = _parts(subject, parameters, statistics, inputs)
        start = Cells([cells.whole(d)], (encode(inputs)[None],), ())
        parameters, statistics = jax.tree.map(
            lambda a: jax.numpy.asarray(a, np.float64), (parameters, statistics)
        )
        return Walk(most).through(layers, parameters, statistics, start)


def _parts(
    subject: Net | Model, parameters: Tree | None, statistics: Tree | None, inputs: Numbers
) -> tuple[Sequence[Layer], Tree, Tree, Callable[[Numbers], Numbers]]:
    """Layers, weights, statistics, and how raw inputs become those of the network.

    Raises:
        RecipeError, ShapeError, DataError: parts that do not go together.
    """
    if isinstance(subject, Model):
        first = jax.tree.map(lambda a: a[0], (subject.parameters, subject.statistics))
        return subject.recipe.body.layers, *first, subject.inputs.encode
    if not isinstance(subject, Net) or parameters is None:
        raise RecipeError(
            "regions",
            required="a Net and its parameters, or a trained Model",
            got="no parameters" if isinstance(subject, Net) else f"a {type(subject).__name__}",
            remedy="write regions(net, parameters, box) or regions(run.model, box=box)",
        )
    shape: Shape = inputs.shape[1:]
    check_parameters(parameters, subject, shape, "regions")
    if statistics is None:
        statistics = jax.tree.map(
            lambda s: np.full(s.shape, s.start),
            compose.statistics(subject.inside(shape)),
            is_leaf=lambda s: isinstance(s, Statistic),
        )
    return subject.layers, parameters, statistics, lambda raw: np.asarray(raw, np.float64)


def _patterns(now: Cells) -> Numbers:
    """The pieces of all units of each cell side by side, (R, units)."""
    if not now.patterns:
        return np.zeros((len(now.corners), 0), np.int32)
    return np.concatenate(now.patterns, axis=1, dtype=np.int32)


def _depth(polygon: Numbers, point: Numbers) -> float:
    """How far inside a polygon a point lies; negative outside."""
    along = np.roll(polygon, -1, axis=0) - polygon
    across = along[:, 0] * (point[1] - polygon[:, 1]) - along[:, 1] * (point[0] - polygon[:, 0])
    return float((across / np.maximum(np.hypot(*along.T), 1e-300)).min())
