"""LIPO: global search with the bound of Lipschitz, and MaxLIPO with a trust region.

- `PureLIPO`: uniform points, each kept only if it could still be the best given one constant.
- `AdaLIPO`: the same, with the constant from a grid (1.01^i) and uniform points one time in ten.
- `LIPO`: slopes for each column and noise; the point of the lowest bound, in turn with a step of
  the local search. Nothing to set.

Sources: Malherbe and Vayatis 2017 (LIPO, AdaLIPO, with p = 0.1 and the grid of constants); King
2017 and dlib (MaxLIPO and the turns; start with the centre and max(3, D) uniform points; one
uniform point in fifty).
"""

from typing import Any

import numpy as np

from shoal.tune.samplers import lipschitz, local
from shoal.tune.samplers.base import PointSampler, Proposal, design
from shoal.tune.samplers.history import View
from shoal.tune.samplers.lipschitz import Bound
from shoal.tune.samplers.space import Floats

CANDIDATES = 1024
"""Uniform points among which the lowest bound is sought."""
STANDS_ON = 96
"""The bound stands on at most so many points: half of them the best, half the latest."""
UNIFORM = 0.02
"""Share of uniform points among the global steps of MaxLIPO."""
EXPLORES = 0.1
"""Share of uniform points of AdaLIPO."""
GRID = 1.01
"""AdaLIPO's constants are the powers of this."""


class LIPO(PointSampler):
    """MaxLIPO in turn with local steps."""

    def propose(self, view: View, rng: np.random.Generator) -> Proposal:
        """A design of max(3, D) points, then local and global steps in turn."""
        if starting(view):
            return designed(self.seed, view), None
        run = local.current(view)
        notes = [*zip(view.numbers, view.notes, strict=True), *_numbered(view)]
        last = max(notes, key=lambda pair: pair[0])[1]
        if last is None or last["step"] == "global":
            run = run if run.radius >= local.LAST_RADIUS else local.anew(run)
            step = local.step(view, run, rng)
            if step is not None:
                return step
        return lowest(view, rng), {"step": "global", "since": run.since}


class PureLIPO(PointSampler):
    """Uniform points that could still be the best."""

    def propose(self, view: View, rng: np.random.Generator) -> Proposal:
        """A uniform point whose bound is below the best value."""
        if starting(view):
            return designed(self.seed, view), None
        return _possible(view, rng, lipschitz.one_slope(*_standing(view))), None


class AdaLIPO(PointSampler):
    """LIPO with a growing constant and a share of uniform points."""

    def propose(self, view: View, rng: np.random.Generator) -> Proposal:
        """A uniform point, or one whose bound is below the best value."""
        if starting(view):
            return designed(self.seed, view), None
        if rng.random() < EXPLORES:
            return view.space.spread(rng.random(view.space.size)), None
        bound = lipschitz.one_slope(*_standing(view))
        k = np.sqrt(bound.m[0])
        k = GRID ** np.ceil(np.log(max(k, 1e-300)) / np.log(GRID))
        m = np.full(len(bound.m), k**2)
        return _possible(view, rng, Bound(bound.x, bound.y, m, bound.v, bound.choice)), None


def starting(view: View) -> bool:
    """Whether too little is known for a model: fewer than max(3, D) points."""
    return int(view.real.sum()) < max(3, view.space.size)


def designed(seed: int, view: View) -> Floats:
    """The point of the design for this trial; uniform where there are more columns than it has."""
    row = design(seed, view.number)
    d = view.space.size
    if d > len(row):
        more = np.random.default_rng([seed, view.number, d]).random(d - len(row))
        row = np.concatenate([row, more])
    return view.space.spread(row[:d])


def lowest(view: View, rng: np.random.Generator) -> Floats:
    """The uniform candidate with the lowest bound; rarely just a uniform point."""
    points = view.space.spread(rng.random((CANDIDATES, view.space.size)))
    if rng.random() < UNIFORM:
        return np.asarray(points[0])
    bound = lipschitz.fit(*_standing(view))
    return np.asarray(points[int(np.argmin(bound(points)))])


def _possible(view: View, rng: np.random.Generator, bound: Bound) -> Floats:
    """The first uniform candidate that can still be the best; else the one of lowest bound."""
    points = view.space.spread(rng.random((CANDIDATES, view.space.size)))
    values = bound(points)
    possible = np.flatnonzero(values <= bound.y.min())
    return np.asarray(points[possible[0] if len(possible) else int(np.argmin(values))])


def _standing(view: View) -> tuple[Floats, Floats, Any]:
    """The points on which a bound stands, standardised values, and which columns are categories.

    Pending points count with the value of their nearest finished neighbour.
    """
    x, y = view.x, view.y
    if len(y) > STANDS_ON:
        order = np.argsort(y, kind="stable")[: STANDS_ON // 2]
        late = np.setdiff1d(np.arange(len(y)), order)[-STANDS_ON // 2 :]
        rows = np.sort(np.concatenate([order, late]))
        x, y = x[rows], y[rows]
    y = (y - y.mean()) / (y.std() or 1.0)
    if len(view.pending):
        apart = lipschitz.squares(view.pending, x, view.space.choice, np.ones(view.space.size))
        x = np.concatenate([x, view.pending])
        y = np.concatenate([y, y[apart.argmin(axis=1)]])
    return x, y, view.space.choice


def _numbered(view: View) -> list[tuple[int, Any]]:
    """Notes of pending trials, after all finished ones, in their order."""
    start = int(view.numbers[-1]) + 1 if len(view.numbers) else 0
    return [(start + i, note) for i, note in enumerate(view.pending_notes)]
