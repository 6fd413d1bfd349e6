"""Cells: intervals of a line or convex polygons of a plane, each with the affine maps it carries.

Coordinates s are those of the unit interval or square, d = 1 or 2. An affine map f on a cell is
kept as a frame, its values at 1 + d points: f(0), f(e_1), ..., shape (1 + d, U). So

    f(s) = sum_k w_k(s) f_k        w(s) = (1 - s_1 - ... - s_d, s_1, ..., s_d)

and an affine layer acts on a frame by acting on its points. A cell is cut along the zeros of an
affine function.
"""

from typing import NamedTuple

import numpy as np

from shoal.arrays import Numbers

TOLERANCE = 1e-12
"""Values below this times the largest of a frame count as 0: corners on a line stay uncut."""


class Cells(NamedTuple):
    """R cells.

    Attributes:
        corners: (V, d) of each cell; polygons go round counter-clockwise.
        frames: a stack of maps, each (R, 1 + d, *shape); the last is what reaches the next layer,
            those below it wait at the start of branches.
        patterns: for each layer with pieces, the piece that each unit is in, (R, U) int8.
    """

    corners: list[Numbers]
    frames: tuple[Numbers, ...]
    patterns: tuple[Numbers, ...]

    def split(self, parts: list[list[Numbers]]) -> "Cells":
        """Each cell replaced by its parts, which carry its maps and patterns on."""
        parents = np.repeat(np.arange(len(parts)), [len(found) for found in parts])
        return Cells(
            [corners for found in parts for corners in found],
            tuple(frame[parents] for frame in self.frames),
            tuple(pattern[parents] for pattern in self.patterns),
        )

    def push(self) -> "Cells":
        """The current map kept a second time, for another branch."""
        return self._replace(frames=(*self.frames, self.frames[-1]))

    def at_centres(self) -> Numbers:
        """The current map at the centre of each cell, (R, U)."""
        centres = weights(np.stack([corners.mean(axis=0) for corners in self.corners]))
        frame = self.frames[-1]
        flat = frame.reshape(*frame.shape[:2], -1)
        found: Numbers = np.einsum("rk,rku->ru", centres, flat)
        return found


def weights(points: Numbers) -> Numbers:
    """w(s) for points (V, d): (V, 1 + d)."""
    return np.concatenate([1.0 - points.sum(axis=1, keepdims=True), points], axis=1)


def whole(dimensions: int) -> Numbers:
    """The corners of the unit interval or square."""
    if dimensions == 1:
        return np.array([[0.0], [1.0]])
    return np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


def cut(corners: Numbers, lines: Numbers) -> list[Numbers]:
    """The parts of a cell after cutting along the zeros of affine functions.

    Args:
        lines: their frames as columns, (1 + d, m).
    """
    parts = [corners]
    for line in lines.T:
        found = []
        for part in parts:
            below, above = halves(part, line)
            found += [half for half in (below, above) if half is not None]
        parts = found
    return parts


def halves(corners: Numbers, line: Numbers) -> tuple[Numbers | None, Numbers | None]:
    """The parts of a cell where an affine function is negative and positive; None where empty.

    A cell on which the function is 0 everywhere counts as its negative part.
    """
    v = weights(corners) @ line
    v[np.abs(v) <= TOLERANCE * np.abs(line).max()] = 0.0
    if v.max() <= 0:
        return corners, None
    if v.min() >= 0:
        return None, corners
    if len(corners) == 2:
        middle = corners[0] + (corners[1] - corners[0]) * (v[0] / (v[0] - v[1]))
        first, second = np.stack([corners[0], middle]), np.stack([middle, corners[1]])
        return (first, second) if v[0] < 0 else (second, first)
    return _halves_of_polygon(corners, v)


def _halves_of_polygon(corners: Numbers, v: Numbers) -> tuple[Numbers, Numbers]:
    """Once round the polygon: corners go to their side, crossings to both."""
    below, above = [], []
    for number, (here, value) in enumerate(zip(corners, v, strict=True)):
        there, other = corners[number - 1], v[number - 1]  # the corner before it
        if value * other < 0:
            crossing = there + (here - there) * (other / (other - value))
            below.append(crossing)
            above.append(crossing)
        if value <= 0:
            below.append(here)
        if value >= 0:
            above.append(here)
    return np.stack(below), np.stack(above)


def cut_by_largest(corners: Numbers, lines: Numbers) -> list[Numbers]:
    """The parts of a cell on each of which one of several affine functions is the largest.

    Args:
        lines: their frames as columns, (1 + d, m).
    """
    parts = []
    for own in range(lines.shape[1]):
        part: Numbers | None = corners
        for other in range(lines.shape[1]):
            if part is None or other == own:
                continue
            lead = lines[:, own] - lines[:, other]
            below, above = halves(part, lead)
            tied = above is None and _is_zero(part, lead)
            # Where both are equal the first of them has the part.
            part = below if tied and own < other else above
        if part is not None:
            parts.append(part)
    return parts


def _is_zero(corners: Numbers, line: Numbers) -> bool:
    v = weights(corners) @ line
    return bool((np.abs(v) <= TOLERANCE * max(1e-300, np.abs(line).max())).all())


def area(corners: Numbers) -> float:
    """Of a polygon, by the shoelace formula; the length of an interval."""
    if corners.shape[1] == 1:
        return float(corners[1, 0] - corners[0, 0])
    x, y = (corners - corners[0]).T
    return float(0.5 * (x @ np.roll(y, -1) - y @ np.roll(x, -1)))
