"""The local search: a trust region around the best point, read from the notes of earlier steps.

A run of local steps begins at a trial ("since") and has as its centre the best point from there on.
Each step minimises the local model within the radius; measured against predicted improvement then
halves or doubles the radius. A direction that no near point covers gets a point of its own before
the radius shrinks, because a model knows nothing there. The region is an ellipsoid: wide along
directions that the model knows to be flat, so that thin valleys are followed. While a step is in
flight, others of its batch measure directions.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from shoal.tune.samplers.history import View
from shoal.tune.samplers.quadratic import Quadratic, fit, fit_with_doubts, minimise
from shoal.tune.samplers.space import Floats

FIRST_RADIUS = 0.25
"""Of the unit box."""
NEXT_RADIUS = 0.1
"""Of later runs, which begin at chosen points."""
LAST_RADIUS = 1e-6
"""A run whose radius falls below has arrived."""
TINY, HOPELESS = 1e-9, 0.05
"""It has too where two steps promise less than TINY times the middle value above the best, or less
than HOPELESS times what it lacks to the best of all runs."""
SMALL = 0.1
"""The radius of such steps."""
BAD, GOOD = 0.1, 0.7
"""Measured over predicted improvement: below BAD the radius shrinks, above GOOD it may grow."""
SHRINK, GROW = 0.5, 3.0
"""The radius becomes SHRINK times the step (at least LEAST times the radius), or GROW times it."""
LEAST = 0.2
MOST = 120
"""Points in a model; fewer in few columns: twice as many as a quadratic has numbers, and D."""
NEAR = 3.0
"""Points within so many radii cover directions."""
COVERED = 0.2
"""The least share of a radius that near points must reach along every direction."""
STRETCH = 30.0
"""How much longer than its shortest axis the trust region may be."""
DOUBT = 1.0
"""Weight of a curvature's variance: what is not known does not count as flat."""
PASSES = 2
"""How often the metric is fitted before the model is."""
STRETCHED = 6
"""With more columns than this the region stays round: a hundred points do not tell their metric."""


@dataclass(frozen=True)
class Run:
    """Where the local search stands.

    Attributes:
        since: the trial with which the run began.
        radius: of the next step.
        generation: how many local steps had finished.
        failed: whether the last step did not improve.
        arrived: whether nothing more is to be expected.
    """

    since: int
    radius: float
    generation: int
    failed: bool
    arrived: bool = False


def current(view: View) -> Run:
    """The state of the search, from the notes alone."""
    since = max(
        (note["since"] for note in (*view.notes, *view.pending_notes) if note is not None),
        default=0,
    )
    steps = [
        (note["generation"], i)
        for i, note in enumerate(view.notes)
        if note is not None and note["step"] == "local" and note["since"] == since
    ]
    if not steps:
        return Run(since, NEXT_RADIUS if since else FIRST_RADIUS, 0, False)
    last = max(steps)[0]
    ratios = []
    for generation, i in steps:
        if generation == last:
            note = view.notes[i]
            assert note is not None
            ratios.append(((note["centre"] - view.y[i]) / max(note["predicted"], 1e-300), i))
    ratio, i = max(ratios)
    note = view.notes[i]
    assert note is not None
    radius = note["radius"]
    if ratio < BAD and not note.get("uncovered"):
        radius = SHRINK * min(radius, max(note["length"], LEAST * radius))
    elif ratio > GOOD:
        radius = max(radius, GROW * note["length"])
    return Run(since, radius, len(steps), ratio < 0.1, _arrived(view, steps, since))


def _arrived(view: View, steps: list[tuple[int, int]], since: int) -> bool:
    """Whether the last two steps promised next to nothing, or no way to the best of all runs."""
    own = view.real & (view.numbers >= since)
    if len(steps) < 2 or not own.any():
        return False
    best, top = float(view.y[own].min()), float(view.y[view.real].min())
    spread = float(np.median(view.y[view.real])) - top
    least = max(TINY * spread, HOPELESS * (best - top))
    last = [view.notes[i] for _, i in sorted(steps)[-2:]]
    return all(n is not None and n["predicted"] < least and n["radius"] < SMALL for n in last)


def anew(run: Run) -> Run:
    """The same search with a wide radius again, for when it has arrived."""
    return Run(run.since, FIRST_RADIUS, run.generation, False)


def elsewhere(number: int) -> Run:
    """A new run that begins with the trial ``number``."""
    return Run(number, NEXT_RADIUS, 0, False)


def step(view: View, run: Run, rng: np.random.Generator) -> tuple[Floats, dict[str, Any]] | None:
    """The next local step; None where there is nothing to move or nothing to stand on."""
    own = np.flatnonzero(view.real & (view.numbers >= run.since))
    free = view.space.free
    if not len(own) or not free.any():
        return None
    centre = own[np.argmin(view.y[own])]
    c = view.x[centre]
    s = _displacements(view.x, c, view.space.choice, run.radius)
    d = view.space.size
    y = view.y - view.y[centre]
    model, metric, scale = _fitted_once(
        s.shape, s.tobytes(), y.tobytes(), view.real.tobytes(), free.tobytes()
    )
    low = np.where(free, -c / run.radius, 0.0)
    high = np.where(free, (1.0 - c) / run.radius, 0.0)
    note = {"since": run.since, "radius": run.radius, "generation": run.generation}
    taken = _displacements(view.pending, c, view.space.choice, run.radius)
    distance = np.linalg.norm(s @ metric, axis=1)
    near = np.concatenate([s[distance <= NEAR], taken]) @ metric
    uncovered = _uncovered(near[:, free])
    if len(taken) == 0 or not any(n and n["step"] == "local" for n in view.pending_notes):
        best = minimise(model, low, high, metric)
        predicted = float(model(np.zeros(d)) - model(best)) * scale
        if predicted > 0.0 and not (run.failed and uncovered is not None):
            return c + run.radius * best, {
                **note,
                "step": "local",
                "predicted": predicted,
                "centre": float(view.y[centre]),
                "length": float(np.linalg.norm(metric @ best)) * run.radius,
                "uncovered": uncovered is not None,
            }
    if uncovered is None:
        return None
    direction: Floats = np.zeros(d)
    direction[free] = uncovered
    direction = np.asarray(np.linalg.solve(metric, direction))
    ends = [np.clip(direction, low, high), np.clip(-direction, low, high)]
    end = min(ends, key=lambda e: float(model(e)) - np.linalg.norm(metric @ e))
    return c + run.radius * end, {**note, "step": "geometry"}


@lru_cache(maxsize=2)
def _fitted_once(
    shape: tuple[int, int], s: bytes, y: bytes, real: bytes, free: bytes
) -> tuple[Quadratic, Floats, float]:
    """``_fitted`` of the bytes of its arrays: of the trials of a batch only one has to compute."""
    flags = (np.frombuffer(one, dtype=bool) for one in (real, free))
    return _fitted(np.frombuffer(s).reshape(shape), np.frombuffer(y), *flags)


def _fitted(s: Floats, y: Floats, real: Any, free: Any) -> tuple[Quadratic, Floats, float]:
    """The model, the metric in which it was fitted, and the scale of its values.

    Args:
        s: displacements in radii, (n, D); y: values above the centre's, (n,).
        real: which of them were measured; free: which columns are numbers.
    """
    d = s.shape[1]
    metric = np.eye(d)
    most = min(MOST, (d + 1) * (d + 2) + d)
    block = np.ix_(free, free)
    for _ in range(PASSES if free.sum() <= STRETCHED else 0):
        rows = _nearest(s @ metric, real, most)
        scale = float(np.abs(y[rows]).max()) or 1.0
        root = metric[block]
        found = fit_with_doubts((s[rows] @ metric)[:, free], y[rows] / scale)
        size = np.sqrt(found.curvatures**2 + DOUBT * found.doubts**2)
        if size.max() > 1e-12:
            metric = np.eye(d)
            metric[block] = _flattened(root @ (found.vectors * size) @ found.vectors.T @ root)
    rows = _nearest(s @ metric, real, most)
    scale = float(np.abs(y[rows]).max()) or 1.0
    last = fit((s[rows] @ metric)[:, free], y[rows] / scale)
    g, h = np.zeros(d), np.zeros((d, d))
    g[free] = metric[block] @ last.g
    h[block] = metric[block] @ last.h @ metric[block]
    return Quadratic(last.a, g, h, last.noise), metric, scale


def _nearest(s: Floats, real: Any, most: int) -> Any:
    """The rows of the nearest measured points."""
    rows = np.argsort(np.linalg.norm(s, axis=1), kind="stable")
    return rows[real[rows]][:most]


def _flattened(curvature: Floats) -> Floats:
    """The metric that is 1 along the greatest curvature and least along the flattest direction."""
    values, vectors = np.linalg.eigh(curvature)
    values = np.abs(values)
    stretch = np.minimum(STRETCH, np.sqrt(values.max() / np.maximum(values, 1e-300)))
    return np.asarray((vectors / stretch) @ vectors.T)


def _displacements(x: Floats, c: Floats, choice: Any, radius: float) -> Floats:
    """Displacements in radii; a different category counts as one radius."""
    return np.where(choice, x != c, (x - c) / radius)


def _uncovered(near: Floats) -> Floats | None:
    """A direction along which no near point lies, or None."""
    gram = near.T @ near
    values, vectors = np.linalg.eigh(gram)
    return vectors[:, 0] if values[0] < COVERED**2 else None
