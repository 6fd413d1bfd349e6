"""BOBYQA as a sampler: descents from the best points, one for each slot that waits.

A descent is sequential: it needs the value of a point before it can say the next. So a study with
many workers runs many descents side by side. A new one starts at the best point that is far from
earlier starts (its value is known already), or at a point of the design while little is known.

Each trial's note says to which descent it belongs and which question it answers. A descent whose
answers are not in memory is rebuilt by telling them again in order; that is exact, because the
minimisers are deterministic. Questions about points that were measured before (whole numbers repeat
often) are answered from the history and cost no trial.

Source: Powell, "The BOBYQA algorithm for bound constrained optimization without derivatives", 2009.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution

from shoal.tune.samplers.base import CLOSE, PointSampler, Proposal
from shoal.tune.samplers.descent import Descent, check_method
from shoal.tune.samplers.history import View
from shoal.tune.samplers.lipo import designed
from shoal.tune.samplers.space import Floats

APART = 0.1
"""Starts are at least so far from each other, in the largest difference of a column."""
MOST_REPEATS = 200
"""So many answers in a row from the history end a descent: it turns in circles."""


class BOBYQA(PointSampler):
    """Descents by a packaged minimiser from the best points.

    Args:
        seed: of the design.
        start: values to begin with; None takes the best points seen.
        first: trials of the design before the first descent; None takes 1 with a start, else D + 1.
        method: "cobyqa" (SciPy), "pdfo" or "nlopt" (packages to install).
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
        self._live: dict[tuple[Any, ...], Descent] = {}

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
        free = view.space.free
        descent = self._rebuilt(view, index, answers, origin)
        repeats, turn = 0, len(descent.told)
        while descent.question is not None and repeats < MOST_REPEATS:
            point = origin.copy()
            point[free] = descent.question
            point = view.space.snap(point)
            row = _row(view, point, view.number)
            if row is None:
                note = {"step": "descent", "descent": index, "turn": turn}
                if -1 in answers:
                    note["from"] = int(view.numbers[answers[-1]])
                return point, note
            descent.tell(_worth(view, row))
            repeats, turn = repeats + 1, turn + 1
        return None

    def _rebuilt(
        self, view: View, index: int, answers: Mapping[int, int], origin: Floats
    ) -> Descent:
        """The descent after all its answers: the one in memory, or a new one told everything."""
        free = view.space.free
        key = (index, view.space.key, origin.tobytes())
        descent = self._live.get(key)
        if descent is None or not _agrees(descent, view, answers):
            descent = self._live[key] = Descent(origin[free], self.method)
        while descent.question is not None and len(descent.told) <= max(answers):
            turn = len(descent.told)
            row = answers.get(turn)
            if row is None:  # answered from the history then, so now
                after = min(t for t in answers if t > turn)
                point = origin.copy()
                point[free] = descent.question
                row = _row(view, view.space.snap(point), int(view.numbers[answers[after]]))
            descent.tell(np.inf if row is None else _worth(view, row))
        return descent


def _agrees(descent: Descent, view: View, answers: Mapping[int, int]) -> bool:
    """Whether a descent in memory was told what the history says."""
    return all(
        turn < 0 or turn >= len(descent.told) or descent.told[turn] == _worth(view, row)
        for turn, row in answers.items()
    )


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
