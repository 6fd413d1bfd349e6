"""What a study knows, as arrays: nothing else may a sampler of ours remember.

A sampler that was just made and one that has run for hours see the same history and propose the
same point, so searches survive restarts. What a sampler must know about its own earlier steps is
written into the trial as a note (a small dict of numbers and words in the system attributes).

Trials that were pruned or failed count as mediocre: the median of what finished, or their own last
report where that is worse. That keeps a search away from where trainings die without letting one
broken machine distort the model.
"""

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from shoal.tune.samplers.space import Floats, Space

NOTE = "shoal:step"
"""The system attribute that holds a sampler's notes about a trial, by the tag of the space."""

Note = Mapping[str, Any]


@dataclass(frozen=True)
class View:
    """The history of one group of parameters.

    Attributes:
        space: the columns.
        number: the trial to propose for.
        x: finished points, shape (n, D), in the order of their trials.
        y: what they gave, shape (n,), lower is better, finite.
        real: whether the value was measured to the end (not pruned, not failed), shape (n,).
        numbers: the trials they come from, shape (n,).
        notes: what this sampler noted about each, None for points of other origin.
        pending: points being evaluated, shape (m, D); pending_notes: their notes.
    """

    space: Space
    number: int
    x: Floats
    y: Floats
    real: np.ndarray[Any, np.dtype[np.bool_]]
    numbers: np.ndarray[Any, np.dtype[np.int64]]
    notes: Sequence[Note | None]
    pending: Floats
    pending_notes: Sequence[Note | None] = field(default=())


class History:
    """Views of studies. The rows of finished trials are kept: they never change."""

    def __init__(self) -> None:
        self._kept: weakref.WeakKeyDictionary[Study, _Kept] = weakref.WeakKeyDictionary()

    def groups(self, study: Study) -> list[dict[str, BaseDistribution]]:
        """Parameters that always occur together, one dict each.

        Conditional parameters form groups of their own. A parameter whose distribution changed
        belongs to no group: Optuna samples it independently.
        """
        kept = self._refreshed(study)
        return kept.groups()

    def view(self, study: Study, space: Space, number: int) -> View:
        """The history of the parameters of ``space`` for the trial ``number``."""
        kept = self._refreshed(study)
        rows = kept.rows(space)
        running = [
            t
            for t in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            if t.number != number and kept.knows(t, space)
        ]
        waiting = np.array([kept.point(t, space) for t in running]).reshape(-1, space.size)
        filled, measured = _filled(rows.values, rows.real)
        told = [_note(t, space) for t in running]
        return View(
            space, number, rows.x, filled, measured, rows.numbers, rows.notes, waiting, told
        )

    def _refreshed(self, study: Study) -> "_Kept":
        kept = self._kept.setdefault(study, _Kept(study))
        kept.refresh(study)
        return kept


class _Kept:
    """Finished trials of one study and their rows in each space asked for."""

    def __init__(self, study: Study) -> None:
        self.sign = -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0
        self.trials: list[FrozenTrial] = []
        self.patterns: dict[frozenset[str], None] = {}
        self.distributions: dict[str, BaseDistribution | None] = {}
        self._seen: set[int] = set()
        self._rows: dict[object, _Rows] = {}
        self._points: dict[tuple[object, int], Floats] = {}

    def refresh(self, study: Study) -> None:
        states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
        finished = study.get_trials(deepcopy=False, states=states)
        if len(finished) == len(self.trials):
            return
        new = [t for t in finished if t.number not in self._seen]
        for trial in new:
            self._seen.add(trial.number)
            if trial.state == TrialState.FAIL:
                continue
            self.patterns[frozenset(trial.params)] = None
            for name, found in trial.distributions.items():
                known = self.distributions.setdefault(name, found)
                if known != found:
                    self.distributions[name] = None
        self.trials = finished

    def groups(self) -> list[dict[str, BaseDistribution]]:
        together: dict[tuple[bool, ...], dict[str, BaseDistribution]] = {}
        for name, distribution in sorted(self.distributions.items()):
            if distribution is not None:
                where = tuple(name in pattern for pattern in self.patterns)
                together.setdefault(where, {})[name] = distribution
        return list(together.values())

    def knows(self, trial: FrozenTrial, space: Space) -> bool:
        return all(trial.distributions.get(c.name) == c.distribution for c in space.columns)

    def point(self, trial: FrozenTrial, space: Space) -> Floats:
        """The point of a trial that has all values of the space; they do not change any more."""
        at = (space.key, trial.number)
        if at not in self._points:
            self._points[at] = space.encode(trial.params)
        return self._points[at]

    def rows(self, space: Space) -> "_Rows":
        """Rows in the order of the trials, not in that in which they finished."""
        rows = self._rows.get(space.key)
        if rows is None or rows.seen != len(self.trials):
            known = [t for t in self.trials if self.knows(t, space)]
            worth = [_value(t, self.sign) for t in known]
            rows = self._rows[space.key] = _Rows(
                len(self.trials),
                np.array([self.point(t, space) for t in known]).reshape(-1, space.size),
                np.array([w[0] for w in worth], dtype=float),
                np.array([w[1] for w in worth], dtype=bool),
                np.array([t.number for t in known], dtype=np.int64),
                tuple(_note(t, space) for t in known),
            )
        return rows


class _Rows(NamedTuple):
    """Finished trials in one space; seen: of how many trials these are the rows."""

    seen: int
    x: Floats
    values: Floats
    real: np.ndarray[Any, np.dtype[np.bool_]]
    numbers: np.ndarray[Any, np.dtype[np.int64]]
    notes: tuple[Note | None, ...]


def _note(trial: FrozenTrial, space: Space) -> Note | None:
    return (trial.system_attrs.get(NOTE) or {}).get(space.tag)


def _value(trial: FrozenTrial, sign: float) -> tuple[float, bool]:
    """The value of a finished trial, lower is better, and whether it was measured to its end."""
    if trial.state == TrialState.COMPLETE:
        assert trial.value is not None
        return sign * trial.value, True
    last = trial.last_step
    return (np.nan if last is None else sign * trial.intermediate_values[last]), False


def _filled(
    values: Floats, real: np.ndarray[Any, np.dtype[np.bool_]]
) -> tuple[Floats, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Values with every hole filled, and which of them are measurements."""
    real = real & np.isfinite(values)
    if not real.any():
        return np.zeros(len(values)), real
    measured = values[real]
    middle, worst = float(np.median(measured)), float(measured.max())
    stopped = np.clip(np.nan_to_num(values, nan=middle, posinf=worst, neginf=middle), middle, worst)
    return np.where(real, values, stopped), real
