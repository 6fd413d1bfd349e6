"""The local search: a trust region around the best point, read from the notes of earlier steps.

A run of local steps begins at a trial ("since") and has as its centre the best point from there on.
Each step minimises the local model within the radius; measured against predicted improvement then
halves or doubles the radius. A direction that no near point covers gets a point of its own before
the radius shrinks, because a model knows nothing there. Steps in flight are kept apart: the model
takes each pending point at its predicted value, and later steps of one batch measure directions.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shoal.tune.samplers.history import View
from shoal.tune.samplers.quadratic import fit, minimise
from shoal.tune.samplers.space import Floats

FIRST_RADIUS = 0.25
"""Of the unit box."""
LAST_RADIUS = 1e-6
"""A run whose radius falls below has arrived."""
BAD, GOOD = 0.1, 0.7
"""Measured over predicted improvement: below BAD the radius shrinks, above GOOD it may grow."""
SHRINK, GROW = 0.5, 3.0
"""The radius becomes SHRINK times the step (at least LEAST times the radius), or GROW times it."""
LEAST = 0.2
MOST = 120
"""Points in a model."""
NEAR = 2.0
"""Points within so many radii cover directions."""
COVERED = 0.2
"""The least share of a radius that near points must reach along every direction."""


@dataclass(frozen=True)
class Run:
    """Where the local search stands.

    Attributes:
        since: the trial with which the run began.
        radius: of the next step.
        generation: how many local steps had finished.
        failed: whether the last step did not improve.
    """

    since: int
    radius: float
    generation: int
    failed: bool


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
        return Run(since, FIRST_RADIUS, 0, False)
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
    return Run(since, radius, len(steps), ratio < 0.1)


def anew(run: Run) -> Run:
    """The same search with a wide radius again, for when it has arrived."""
    return Run(run.since, FIRST_RADIUS, run.generation, False)


def elsewhere(number: int) -> Run:
    """A new run that begins with the trial ``number``."""
    return Run(number, FIRST_RADIUS, 0, False)


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
    distance = np.linalg.norm(s, axis=1)
    rows = np.argsort(distance, kind="stable")
    rows = rows[view.real[rows]][: min(MOST, (d + 1) * (d + 2) // 2 + d)]
    y = view.y[rows] - view.y[centre]
    scale = float(np.abs(y).max()) or 1.0
    model = fit(s[rows], y / scale)
    low = np.where(free, np.maximum(-c / run.radius, -1.0), 0.0)
    high = np.where(free, np.minimum((1.0 - c) / run.radius, 1.0), 0.0)
    note = {"since": run.since, "radius": run.radius, "generation": run.generation}
    taken = _displacements(view.pending, c, view.space.choice, run.radius)
    near = np.concatenate([s[distance <= NEAR], taken])
    uncovered = _uncovered(near[:, free])
    if len(taken) == 0 or not any(n and n["step"] == "local" for n in view.pending_notes):
        best = minimise(model, low, high)
        predicted = float(model(np.zeros(d)) - model(best)) * scale
        if predicted > 0.0 and not (run.failed and uncovered is not None):
            return c + run.radius * best, {
                **note,
                "step": "local",
                "predicted": predicted,
                "centre": float(view.y[centre]),
                "length": float(np.linalg.norm(best)) * run.radius,
                "uncovered": uncovered is not None,
            }
    if uncovered is None:
        return None
    direction = np.zeros(d)
    direction[free] = uncovered
    ends = [np.clip(direction, low, high), np.clip(-direction, low, high)]
    end = min(ends, key=lambda e: float(model(e)) - np.linalg.norm(e))
    return c + run.radius * end, {**note, "step": "geometry"}


def _displacements(x: Floats, c: Floats, choice: Any, radius: float) -> Floats:
    """Displacements in radii; a different category counts as one radius."""
    return np.where(choice, x != c, (x - c) / radius)


def _uncovered(near: Floats) -> Floats | None:
    """A direction along which no near point lies, or None."""
    gram = near.T @ near
    values, vectors = np.linalg.eigh(gram)
    return vectors[:, 0] if values[0] < COVERED**2 else None
