"""Campaign: a queue of recipes of one signature, trained by one pool whose slots are refilled.

Slots are refilled at fixed global epochs, every tenth of the longest recipe, not when the host
happens to look: so when a member starts, and therefore which batches it sees, does not depend on
the speed of the machine. Between these epochs a chunk runs as many epochs as take about a quarter
of a second, which changes nothing but how often progress is shown.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shoal.arrays import Numbers, flatten, unflatten
from shoal.recipe import Recipe
from shoal.train.member import Member, Status
from shoal.train.outcome import Failing, Outcome
from shoal.train.pool import Pool
from shoal.train.signals import held

CHUNK_SECONDS = 0.25
REFILLS_PER_RECIPE = 10


@dataclass
class Slot:
    """What the host knows of a member in training: which recipe, since when, what it recorded."""

    index: int
    start_epoch: int
    history: dict[str, list[Numbers]] = field(default_factory=dict)


class Campaign:
    """Recipes of one signature in training.

    Args:
        recipes: all of one signature.
        pool: an empty pool of that signature; fewer slots than recipes are refilled.
        start_epoch: the global epoch to begin at; a trial that began at g repeats alone with g.

    Attributes:
        outcomes: by position in ``recipes``; None while not finished.
    """

    def __init__(self, recipes: Sequence[Recipe], pool: Pool, start_epoch: int = 0) -> None:
        self.recipes = list(recipes)
        self.pool = pool
        self.pool.epoch = self.first_epoch = start_epoch
        self.slots: list[Slot | None] = [None] * len(pool.recipes)
        self.queued = 0
        self.outcomes: list[Outcome | None] = [None] * len(recipes)
        self.refill_every = max(1, max(r.epochs for r in recipes) // REFILLS_PER_RECIPE)
        self._epoch_seconds = float("inf")

    @property
    def finished(self) -> bool:
        """Whether every recipe has its outcome."""
        return all(outcome is not None for outcome in self.outcomes)

    def advance(self) -> list[int]:
        """Refill what may be refilled, run one chunk; positions of the recipes that finished."""
        self._refill()
        began = time.perf_counter()
        count = self._epochs_to_run()
        info = self.pool.run(count)
        ran = next(iter(info.values())).shape[1]
        self._epoch_seconds = (time.perf_counter() - began) / max(1, ran)
        self._note(info)
        return list(self._collect())

    # --- slots -----------------------------------------------------------------------------------

    def _refill(self) -> None:
        if (self.pool.epoch - self.first_epoch) % self.refill_every:
            return
        free = [k for k, slot in enumerate(self.slots) if slot is None]
        waiting = range(self.queued, min(self.queued + len(free), len(self.recipes)))
        newcomers = dict(zip(free, waiting, strict=False))
        for k, index in newcomers.items():
            self.slots[k] = Slot(index, self.pool.epoch)
        self.queued += len(newcomers)
        self.pool.place({k: self.recipes[index] for k, index in newcomers.items()})

    def _epochs_to_run(self) -> int:
        """As many epochs as fit the time, not past the next refill nor the last epoch needed."""
        done = self.pool.epoch
        needed = max(
            slot.start_epoch + self.recipes[slot.index].epochs - done
            for slot in self.slots
            if slot is not None
        )
        limit = needed
        if self.queued < len(self.recipes):
            limit = min(limit, self.refill_every - (done - self.first_epoch) % self.refill_every)
        return max(1, min(limit, int(CHUNK_SECONDS / self._epoch_seconds)))

    def _note(self, info: Mapping[str, Numbers]) -> None:
        for k, slot in enumerate(self.slots):
            if slot is not None:
                for name, values in info.items():
                    slot.history.setdefault(name, []).append(values[k])

    def _collect(self) -> Iterator[int]:
        statuses = self.pool.statuses
        leaving = [
            k
            for k, slot in enumerate(self.slots)
            if slot is not None and statuses[k] != Status.RUNNING
        ]
        if not leaving:
            return
        for k, member in zip(leaving, self.pool.results(leaving), strict=True):
            slot = self.slots[k]
            assert slot is not None
            self.outcomes[slot.index] = self._outcome(slot, member)
            self.slots[k] = None
            yield slot.index
        self.pool.clear(leaving)

    def _outcome(self, slot: Slot, member: Member) -> Outcome:
        best_epoch = int(member.watch.best_epoch)
        kept = (member.parameters, member.statistics)
        if member.best and best_epoch:
            kept = member.best
        epochs = int(member.epoch)
        history = {name: np.concatenate(parts)[:epochs] for name, parts in slot.history.items()}
        died = int(member.status) == Status.NOT_FINITE
        return Outcome(
            recipe=self.recipes[slot.index],
            status=Status(int(member.status)),
            epochs=epochs,
            start_epoch=slot.start_epoch,
            best_epoch=best_epoch,
            parameters=kept[0],
            statistics=kept[1],
            history=held(history),
            failing=Failing.of(member) if died else None,
        )

    # --- the whole state, for checkpoints --------------------------------------------------------

    def tensors(self) -> dict[str, Numbers]:
        """Every array of the state by name."""
        found = {f"members/{n}": np.asarray(a) for n, a in flatten(self.pool.members).items()}
        for k, slot in enumerate(self.slots):
            if slot is not None:
                for name, parts in slot.history.items():
                    found[f"history/{k}/{name}"] = np.concatenate(parts)
        return found

    def state(self) -> dict[str, Any]:
        """Everything else of the state, JSON-able."""
        return {
            "epoch": self.pool.epoch,
            "first_epoch": self.first_epoch,
            "queued": self.queued,
            "slots": [None if s is None else [s.index, s.start_epoch] for s in self.slots],
            "layout": self.pool.programs.plan.layout,
            "devices": int(self.pool.mesh.devices.size),
        }

    def restore(self, tensors: Mapping[str, Numbers], state: Mapping[str, Any]) -> None:
        """Put back a state that ``tensors`` and ``state`` gave."""
        pool = self.pool
        pool.epoch, self.first_epoch = state["epoch"], state["first_epoch"]
        self.queued = state["queued"]
        for k, known in enumerate(state["slots"]):
            self.slots[k] = None if known is None else Slot(*known)
            pool.recipes[k] = None if known is None else self.recipes[known[0]]
        for name, values in tensors.items():
            kind, _, rest = name.partition("/")
            if kind == "history":
                place, _, column = rest.partition("/")
                slot = self.slots[int(place)]
                assert slot is not None
                slot.history[column] = [values]
        arrays = {n.removeprefix("members/"): a for n, a in tensors.items() if n[:8] == "members/"}
        pool.put_back(unflatten(pool.members, arrays))
