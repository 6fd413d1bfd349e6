"""BOBYQA as a sampler: descents from the best points, one for each slot that waits.

A descent is sequential: it needs the value of a point before it can say the next. So a study with
many workers runs many descents side by side. A new one starts at the best point that is far from
earlier starts (its value is known already), or at a point of the design while little is known.

Each trial's note says to which descent it belongs and which question it answers. The minimiser is
run again on these answers for every question; that is exact, because it is deterministic. Questions
about points that were measured before (whole numbers repeat often) are answered from the history
and cost no trial.

Source: Powell, "The BOBYQA algorithm for bound constrained optimization without derivatives", 2009.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution

from shoal.tune.samplers.base import CLOSE, PointSampler, Proposal
from shoal.tune.samplers.descent import check_method, next_question
from shoal.tune.samplers.history import View
from shoal.tune.samplers.lipo import designed
from shoal.tune.samplers.space import Floats

APART = 0.1
"""Starts are at least so far from each other, in the largest difference of a column."""
MOST_REPEATS = 12
"""So many answers in a row from the history end a descent: it turns in circles."""


class BOBYQA(PointSampler):
    """Descents by a packaged minimiser from the best points.

    Args:
        seed: of the design.
        start: values to begin with; None takes the best points seen.
        first: trials of the design before the first descent; None takes 1 with a start, else D + 1.
        method: "cobyqa" (SciPy) or "nlopt" (a package to install).
        space: the distributions, where known beforehand.
    """

    def __init__(
        self,
        seed: int | None = None,
        *,
        start: Mapping[str, Any] | None = None,
        first: int | None = None,
        method: str = "cobyqa",
        space: Mapping[str, BaseDistribution] | None = None,
    ) -> None:
        super().__init__(seed, space=space)
        check_method(method)
        self.start = None if start is None else dict(start)
        self.first = first
        self.method = method
        self._ended: set[tuple[Any, ...]] = set()

    def propose(self, view: View, rng: np.random.Generator) -> Proposal:
        """The next question of the first descent that waits; else the start of a new one."""
        found = _descents(view)
        given = self._given(view.space)
        if given is not None and 0 not in found:
            return given, {"step": "descent", "descent": 0, "turn": 0}
        if not view.space.free.any():
            return designed(self.seed, view), None
        for index, answers in sorted(found.items()):
            if answers is not None:
                proposal = self._next(view, index, answers)
                if proposal is not None:
                    return proposal
        least = view.space.size + 1 if self.first is None else self.first
        if given is None and int(view.real.sum()) < least:
            return designed(self.seed, view), None
        return self._begun(view, max(found, default=-1) + 1)

    def _given(self, space: Any) -> Floats | None:
        if self.start is None or not all(name in self.start for name in space.names):
            return None
        return np.asarray(space.snap(space.encode(self.start)))

    def _begun(self, view: View, index: int) -> Proposal:
        """A new descent from the best point far from other starts."""
        taken = _starts(view)
        for row in np.argsort(view.y, kind="stable"):
            far = all(np.abs(view.x[row] - t).max() >= APART for t in taken)
            if view.real[row] and far:
                answers = {-1: int(row)}
                proposal = self._next(view, index, answers)
                if proposal is not None:
                    return proposal
                taken.append(view.x[row])
        point = designed(self.seed, view)
        return point, {"step": "descent", "descent": index, "turn": 0}

    def _next(self, view: View, index: int, answers: Mapping[int, int]) -> Proposal | None:
        """The next question of a descent; None at its end.

        Args:
            answers: rows of the history by the turn that they answer; -1 is a start known before.
        """
        origin = view.x[answers[-1] if -1 in answers else answers[0]]
        key = (index, origin.tobytes(), tuple(_worth(view, r) for r in answers.values()))
        if key in self._ended:
            return None
        replay = _Replay(view, origin, answers)
        found = next_question(origin[view.space.free], self.method, replay)
        if found is None or replay.circling:
            self._ended.add(key)
            return None
        turn, numbers = found
        note = {"step": "descent", "descent": index, "turn": turn}
        if -1 in answers:
            note["from"] = int(view.numbers[answers[-1]])
        return replay.point(numbers), note


class _Replay:
    """The answers of one descent: its own trials by turn, else a trial at the same point.

    A question that had no trial of its own was answered from the trials before the next one that
    had; so it is here.
    """

    def __init__(self, view: View, origin: Floats, answers: Mapping[int, int]) -> None:
        self.view, self.origin, self.answers = view, origin, answers
        self.turns = sorted(turn for turn in answers if turn >= 0)
        self.repeats = 0
        self.circling = False

    def point(self, numbers: Floats) -> Floats:
        """The whole point of a question about the free columns."""
        point = self.origin.copy()
        point[self.view.space.free] = numbers
        return self.view.space.snap(point)

    def __call__(self, turn: int, numbers: Floats) -> float | None:
        row = self.answers.get(turn)
        self.repeats = 0 if row is not None else self.repeats + 1
        if row is None:
            later = [t for t in self.turns if t > turn]
            before = self.view.numbers[self.answers[later[0]]] if later else self.view.number
            row = _row(self.view, self.point(numbers), int(before))
            if row is not None and self.repeats > MOST_REPEATS and not later:
                self.circling = True
                return None
        return None if row is None else _worth(self.view, row)


def _descents(view: View) -> dict[int, dict[int, int] | None]:
    """The rows that answer each descent by turn; None for a descent that waits for its trial."""
    found: dict[int, dict[int, int] | None] = {}
    for row, note in enumerate(view.notes):
        if note is not None and note["step"] == "descent":
            answers = found.setdefault(note["descent"], {})
            assert answers is not None
            answers[note["turn"]] = row
            if "from" in note:
                answers[-1] = int(np.searchsorted(view.numbers, note["from"]))
    for note in view.pending_notes:
        if note is not None and note["step"] == "descent":
            found[note["descent"]] = None
    return found


def _starts(view: View) -> list[Floats]:
    """Where earlier descents began."""
    taken = []
    for x, note in (
        *zip(view.x, view.notes, strict=True),
        *zip(view.pending, view.pending_notes, strict=True),
    ):
        if note is not None and note["step"] == "descent":
            if "from" in note:
                taken.append(view.x[int(np.searchsorted(view.numbers, note["from"]))])
            elif note["turn"] == 0:
                taken.append(x)
    return taken


def _row(view: View, point: Floats, before: int) -> int | None:
    """The first finished trial at this point among those before a trial; None if there is none."""
    if not len(view.x):
        return None
    same = (np.abs(view.x - point).max(axis=1) < CLOSE) & (view.numbers < before)
    return int(np.argmax(same)) if same.any() else None


def _worth(view: View, row: int) -> float:
    """The value of a trial; for one without a measurement the worst of those before it."""
    if view.real[row]:
        return float(view.y[row])
    earlier = view.y[:row][view.real[:row]]
    return float(earlier.max()) if len(earlier) else 0.0
