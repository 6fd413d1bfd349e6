"""Search: trials asked of a study, trained as seats of pools, reported, pruned and told.

Each slot is to Optuna one worker that asks, reports the validation loss after every chunk, may be
pruned, tells, and asks again. A trial whose recipe cannot be, that diverges or does not fit into
memory fails alone; its reason is kept.

    trial.user_attrs    trial, seeds, start_epochs, epochs: what repeats it alone; reason; begun

Trials that have not begun when the time is up are no failures: see ``states``.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from shoal.errors import ShoalError
from shoal.recipe import Recipe
from shoal.tune import states
from shoal.tune.executor import Executor
from shoal.tune.lane import Seat
from shoal.tune.mirror import Mirror
from shoal.tune.protocol import TRIAL_FIRST

if TYPE_CHECKING:
    from shoal.tune.cluster import Cluster


@dataclass(eq=False)
class Flight:
    """A trial in training: its members, and the epoch that was reported last."""

    trial: Trial
    seats: list[Seat]
    reported: int = 0


@dataclass(frozen=True)
class Budget:
    """How long a search goes on.

    Attributes:
        trials: in all, None for no limit; seconds: after which nothing is asked for any more;
        at_once: trials in flight.
    """

    trials: int | None
    seconds: float | None
    at_once: int


class Search:
    """A study under way.

    Args:
        space: what to search.
        study: in memory; its finished trials count.
        executor: trains.
        budget: how long.
        seeds, folds: members of one trial; folds is 0 for the recipe's own split.
        mirror: where finished trials go too, or None.

    Attributes:
        wasted: share of the slot-chunks that stood empty while trials remained.
    """

    def __init__(
        self,
        space: Recipe,
        study: optuna.Study,
        executor: "Executor | Cluster",
        budget: Budget,
        seeds: int,
        folds: int,
        mirror: Mirror | None,
    ) -> None:
        self.space, self.study, self.executor, self.budget = space, study, executor, budget
        self.folds: Sequence[int | None] = range(folds) if folds else [None]
        self.seeds, self.mirror = seeds, mirror
        self.flights: list[Flight] = []
        self.counts = dict.fromkeys(TrialState, 0)
        self.best = float("inf")
        self.wasted = 0.0
        self._loads = (0, 0)
        self._began = time.monotonic()
        if budget.seconds is not None:
            executor.deadline = self._began + budget.seconds
        known = self.study.get_trials(deepcopy=False)  # finished ones, and points to try first
        for trial in known:
            self._count(trial)
        self._next = 1 + max((int(trial.user_attrs["trial"]) for trial in known), default=-1)

    @property
    def done(self) -> int:
        """Trials that have finished, in whatever way."""
        return sum(self.counts[state] for state in _FINISHED)

    @property
    def late(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self.executor.deadline

    @property
    def open(self) -> bool:
        """Whether more trials may be asked for."""
        trials = self.budget.trials
        if self.late:
            return False
        return trials is None or self.done + len(self.flights) < trials

    def advance(self) -> bool:
        """Fill up, train one chunk, report, prune, tell; False when nothing is left to do."""
        self._fill()
        if self.mirror is not None:
            self.mirror.release()  # the devices train next, or the search has ended
        if not self.flights:
            return False
        before, more = self._load(), self.open
        self.executor.advance(more)
        if more:
            used, offered = (a - b for a, b in zip(self._load(), before, strict=True))
            self._loads = (self._loads[0] + used, self._loads[1] + offered)
            self.wasted = 1.0 - self._loads[0] / max(1, self._loads[1])
        self._report()
        if self.late:
            self._withdraw()
        return True

    def _load(self) -> tuple[int, int]:
        lanes = self.executor.lanes.values()
        return sum(lane.used for lane in lanes), sum(lane.offered for lane in lanes)

    # --- asking ----------------------------------------------------------------------------------

    def _fill(self) -> None:
        asked = False
        while len(self.flights) < self.budget.at_once and self.open:
            self._ask()
            asked = True
        if asked and self.mirror is not None:
            running = {str(f.trial.user_attrs["trial"]): f.trial.params for f in self.flights}
            self.mirror.put(running)

    def _ask(self) -> None:
        trial = self.study.ask()
        if "trial" not in trial.user_attrs:
            trial.set_user_attr("trial", self._next)
            self._next += 1
        try:
            recipe = self.space.suggest(trial)
            for fold in self.folds:
                self.executor.check(recipe, fold)
        except ShoalError as error:
            self._fail(trial, str(error))
            return
        first = recipe.seed + TRIAL_FIRST + int(trial.user_attrs["trial"]) * self.seeds
        seats = [
            Seat(recipe.replace(seed=first + k), fold)
            for fold in self.folds
            for k in range(self.seeds)
        ]
        self.executor.submit(seats)
        self.flights.append(Flight(trial, seats))

    # --- reporting and telling -------------------------------------------------------------------

    def _report(self) -> None:
        reported = {id(flight) for flight in self.flights if self._reports(flight)}
        going: list[Flight] = []
        left: list[Seat] = []
        for flight in self.flights:
            failed = next((s.failed for s in flight.seats if s.done and s.failed), "")
            if failed:
                left += self._left(flight)
                self._fail(flight.trial, failed)
            elif all(seat.done for seat in flight.seats):
                self._note(flight)
                self._tell(flight.trial, _mean([seat.value for seat in flight.seats]))
            elif id(flight) in reported and flight.trial.should_prune():
                left += self._left(flight)
                self._tell(flight.trial, None, TrialState.PRUNED)
            else:
                going.append(flight)
        self.executor.remove(left)
        self.flights = going

    def _reports(self, flight: Flight) -> bool:
        """Report how a trial does after the epochs that all of its members have, if they are more.

        All trials report before one is judged, which does not depend on their order then.
        """
        epoch = min((len(s.losses) for s in flight.seats if not s.done), default=0)
        if epoch <= flight.reported or any(s.failed for s in flight.seats if s.done):
            return False
        flight.reported = epoch
        value = _mean([seat.value_at(epoch) for seat in flight.seats])
        if not np.isfinite(value):
            return False
        flight.trial.report(value, epoch)
        return True

    def _withdraw(self) -> None:
        """Give up the trials that have not begun when the time is up; they count as nothing."""
        if not self.executor.lanes:
            return  # nothing was trained yet: the first lane is still made
        idle = [f for f in self.flights if all(s.start_epoch < 0 for s in f.seats)]
        for flight in idle:
            self.executor.remove(flight.seats)
            flight.trial.set_user_attr(states.MARK, False)
            flight.trial.set_user_attr("reason", "the time was up before it began")
            self.study.tell(flight.trial, state=TrialState.FAIL)
        self.flights = [flight for flight in self.flights if flight not in idle]

    def _left(self, flight: Flight) -> list[Seat]:
        """The seats of a trial that is given up, which still train."""
        self._note(flight)
        return [seat for seat in flight.seats if not seat.done]

    def _note(self, flight: Flight) -> None:
        attributes = {
            "seeds": [seat.recipe.seed for seat in flight.seats],
            "start_epochs": [seat.start_epoch for seat in flight.seats],
            "epochs": [len(seat.losses) for seat in flight.seats],
        }
        if flight.seats[0].fold is not None:
            attributes["folds"] = [seat.fold or 0 for seat in flight.seats]
        if any(seat.restarts for seat in flight.seats):
            attributes["restarts"] = [seat.restarts for seat in flight.seats]
        for name, values in attributes.items():
            flight.trial.set_user_attr(name, values)

    def _fail(self, trial: Trial, reason: str) -> None:
        trial.set_user_attr("reason", reason)
        self._tell(trial, None, TrialState.FAIL)

    def _tell(self, trial: Trial, value: float | None, state: TrialState | None = None) -> None:
        frozen = self.study.tell(trial, value, state=state)
        self._count(frozen)
        if self.mirror is not None:
            self.mirror.put(frozen)

    def _count(self, trial: FrozenTrial) -> None:
        self.counts[trial.state] += 1
        if trial.state == TrialState.COMPLETE and trial.value is not None:
            self.best = min(self.best, trial.value)


_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


def _mean(values: list[float]) -> float:
    return float(np.mean(values))
