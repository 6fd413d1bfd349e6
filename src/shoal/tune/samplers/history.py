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
from typing import Any, NamedTuple, TypeVar

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from shoal.tune.samplers.space import Floats, Space

NOTE = "shoal:step"
"""The system attribute that holds a sampler's notes about a trial, by the tag of the space."""

Note = Mapping[str, Any]

Kept = TypeVar("Kept")


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


class PerStudy(weakref.WeakKeyDictionary[Study, Kept]):
    """What was made of a study and can be made again: a copy in a file is empty."""

    def __reduce__(self) -> tuple[Any, ...]:
        return PerStudy, ()


class Reading:
    """Trials of a study, each looked at until it has finished: it does not change any more then.

    Attributes:
        running: those that were, when last looked at.
    """

    def __init__(self) -> None:
        self.running: list[FrozenTrial] = []
        self._count = 0
        self._open: list[int] = []

    def finished(self, study: Study) -> list[FrozenTrial]:
        """The trials that have finished since the last look, in the order of their numbers."""
        trials = study.get_trials(deepcopy=False)
        places = [*self._open, *range(self._count, len(trials))]
        self._count = len(trials)
        self._open = [k for k in places if not trials[k].state.is_finished()]
        self.running = [trials[k] for k in self._open if trials[k].state == TrialState.RUNNING]
        return [trials[k] for k in places if trials[k].state.is_finished()]


class History:
    """Views of studies. The rows of finished trials are kept: they never change."""

    def __init__(self) -> None:
        self._kept: PerStudy[_Kept] = PerStudy()

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
            (t, point)
            for t in kept.read.running
            if t.number != number and (point := kept.point(t, space)) is not None
        ]
        waiting = np.array([point for _, point in running]).reshape(-1, space.size)
        filled, measured = _filled(rows.values, rows.real)
        told = [_note(t, space) for t, _ in running]
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
        self.read = Reading()
        self._rows: dict[object, _Rows] = {}
        self._points: dict[object, dict[int, Floats]] = {}

    def refresh(self, study: Study) -> None:
        for trial in self.read.finished(study):
            self.trials.append(trial)
            if trial.state == TrialState.FAIL:
                continue
            self.patterns[frozenset(trial.params)] = None
            for name, found in trial.distributions.items():
                known = self.distributions.setdefault(name, found)
                if known != found:
                    self.distributions[name] = None

    def groups(self) -> list[dict[str, BaseDistribution]]:
        together: dict[tuple[bool, ...], dict[str, BaseDistribution]] = {}
        for name, distribution in sorted(self.distributions.items()):
            if distribution is not None:
                where = tuple(name in pattern for pattern in self.patterns)
                together.setdefault(where, {})[name] = distribution
        return list(together.values())

    def point(self, trial: FrozenTrial, space: Space) -> Floats | None:
        """The point of a trial; None while it has not all values of the space."""
        points = self._points.setdefault(space.key, {})
        if trial.number not in points:
            has = trial.distributions
            if not all(has.get(c.name) == c.distribution for c in space.columns):
                return None
            points[trial.number] = space.encode(trial.params)  # these do not change any more
        return points[trial.number]

    def rows(self, space: Space) -> "_Rows":
        """Rows in the order of the trials, not in that in which they finished."""
        rows = self._rows.get(space.key, _Rows.none(space))
        if rows.seen != len(self.trials):
            new = self.trials[rows.seen :]
            found = [(t, point) for t in new if (point := self.point(t, space)) is not None]
            worth = [_value(t, self.sign) for t, _ in found]
            rows = self._rows[space.key] = rows.joined(
                _Rows(
                    len(new),
                    np.array([point for _, point in found]).reshape(-1, space.size),
                    np.array([w[0] for w in worth], dtype=float),
                    np.array([w[1] for w in worth], dtype=bool),
                    np.array([t.number for t, _ in found], dtype=np.int64),
                    tuple(_note(t, space) for t, _ in found),
                )
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

    @classmethod
    def none(cls, space: Space) -> "_Rows":
        """No trials."""
        empty = np.empty(0)
        return cls(0, np.empty((0, space.size)), empty, empty.astype(bool), empty.astype(int), ())

    def joined(self, other: "_Rows") -> "_Rows":
        """These and others, by the numbers of their trials."""
        numbers = np.concatenate([self.numbers, other.numbers])
        order = np.argsort(numbers)
        notes = (*self.notes, *other.notes)
        return _Rows(
            self.seen + other.seen,
            np.concatenate([self.x, other.x])[order],
            np.concatenate([self.values, other.values])[order],
            np.concatenate([self.real, other.real])[order],
            numbers[order],
            tuple(notes[k] for k in order),
        )


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
