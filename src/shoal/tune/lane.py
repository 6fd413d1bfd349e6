"""Lane: a pool of one program whose slots are refilled from a queue that grows while it runs.

A lane advances by chunks of a fixed number of epochs and refills its slots between them, so when a
member starts, and therefore which batches it sees, does not depend on the speed of the machine.
Weights stay on the device unless they are asked for: a search reads losses, not networks.

A chunk is begun and finished in two calls, so that the host can report, tell and ask for other
lanes while the devices train this one.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import jax
import numpy as np

from shoal.arrays import Numbers
from shoal.errors import DeviceError
from shoal.recipe import Recipe
from shoal.train.chunk import Chunk
from shoal.train.member import Member, Status
from shoal.train.outcome import Outcome
from shoal.train.pool import Pool
from shoal.tune.planner import Group

WATCHED = "validation_loss"


@dataclass(eq=False)
class Seat:
    """One member of a trial: a recipe to train, and what became of it so far.

    Attributes:
        recipe: with its own seed; fold: which rows validate, None for the recipe's split.
        keep: whether weights and the whole record are wanted in the end.
        later: {epoch of its own, at the end of a chunk: the recipe from there on}.
        start_epoch: the global epoch at which it began; -1 while it waits.
        losses: (e,) the validation loss after each epoch so far.
        status: why it stopped; ``RUNNING`` before.
        best_epoch: of the lowest loss, counted from 1.
        reason: why it could not be trained, "" otherwise.
        restarts: how often it had to begin again, because its worker was lost.
        outcome: weights and record, where they are kept.
    """

    recipe: Recipe
    fold: int | None = None
    keep: bool = False
    later: Mapping[int, Recipe] = field(default_factory=dict)
    start_epoch: int = -1
    losses: Numbers = field(default_factory=lambda: np.empty(0))
    status: Status = Status.RUNNING
    best_epoch: int = 0
    reason: str = ""
    restarts: int = 0
    outcome: Outcome | None = None

    @property
    def done(self) -> bool:
        """Whether it trains no more."""
        return self.status != Status.RUNNING or bool(self.reason)

    @property
    def failed(self) -> str:
        """Why there is no value; "" when there is one."""
        if self.reason:
            return self.reason
        if self.status == Status.NOT_FINITE:
            return f"epoch {len(self.losses) + 1}: {self.status.sentence}"
        return "" if np.isfinite(self.value) else "the validation loss is not finite"

    @property
    def value(self) -> float:
        """The validation loss of the weights that the recipe keeps."""
        if not len(self.losses):
            return float("nan")
        rule = self.recipe.early_stopping
        restored = rule is not None and rule.restore_best and self.best_epoch > 0
        return float(self.losses[self.best_epoch - 1 if restored else -1])

    def value_at(self, epoch: int) -> float:
        """The validation loss after so many epochs; of one that stopped before, its last."""
        return self.value if self.done else float(self.losses[epoch - 1])


class Lane:
    """Seats of one group in training.

    Args:
        pool: an empty pool.
        chunk: epochs between two refills.
        group: between recipes and their form in the pool.
        waiting: seats without a slot; lanes may share it.

    Attributes:
        held: turns in a row for which others went before it; turn: when it began its last chunk.
        used, offered: slot-chunks that trained, and that were computed for them.
    """

    def __init__(self, pool: Pool, chunk: int, group: Group, waiting: deque[Seat]) -> None:
        self.pool, self.chunk, self.group, self.waiting = pool, chunk, group, waiting
        self.seats: list[Seat | None] = [None] * len(pool.recipes)
        self.histories: dict[int, list[Mapping[str, Numbers]]] = {}
        self.used = self.offered = self.held = self.turn = 0
        self._begun: Chunk | None = None
        self._freed: set[int] = set()  # given up while they trained; their members train on still

    @property
    def busy(self) -> bool:
        """Whether anything trains or waits."""
        return bool(self.waiting) or any(seat is not None for seat in self.seats)

    @property
    def filled(self) -> float:
        """Share of the slots that the next chunk will train."""
        seats = sum(seat is not None for seat in self.seats) + len(self.waiting)
        return min(seats, len(self.seats)) / len(self.seats)

    @property
    def training(self) -> bool:
        """Whether a chunk was begun and not finished."""
        return self._begun is not None

    def begin(self) -> None:
        """Refill the free slots and let the devices train one chunk, without waiting for it.

        Where the device cannot do it, every seat of the lane has that as its reason.
        """
        try:
            self._refill()
            self._change()
            self.offered += self.computed
            self.used += len(self.taken)
            self._begun = self.pool.begin(self.chunk)
        except (DeviceError, jax.errors.JaxRuntimeError) as error:
            self.fail(str(error).split("\n", 1)[0])

    def finish(self) -> None:
        """Wait for the chunk; the seats then know what became of them."""
        try:
            self._read()
            self._collect()
        except (DeviceError, jax.errors.JaxRuntimeError) as error:
            self.fail(str(error).split("\n", 1)[0])

    def fail(self, reason: str) -> None:
        """Give up every seat, trained or waiting."""
        for seat in [*self.seats, *self.waiting]:
            if seat is not None:
                seat.reason = reason
        self.seats = [None] * len(self.seats)
        self.waiting.clear()
        self._begun = None

    def remove(self, seats: Iterable[Seat]) -> None:
        """Free the slots of seats that are wanted no more."""
        unwanted = {id(seat) for seat in seats}
        kept = [seat for seat in self.waiting if id(seat) not in unwanted]
        self.waiting.clear()
        self.waiting.extend(kept)
        for k, seat in enumerate(self.seats):
            if id(seat) in unwanted:
                self.seats[k] = None
                self._freed.add(k)

    @property
    def taken(self) -> list[int]:
        """The slots that hold a seat."""
        return [k for k, seat in enumerate(self.seats) if seat is not None]

    @property
    def computed(self) -> int:
        """Slots that the next chunk computes: those of groups that hold a seat."""
        group = self.pool.programs.group
        return group * len({k // group for k in self.taken})

    def move(self, pool: Pool) -> None:
        """Go on in another pool of the same program's signature, with as many slots as it has."""
        old = self.taken
        pool.take_over(self.pool, old)
        self.pool = pool
        self._freed.clear()
        self.seats = [self.seats[k] for k in old] + [None] * (len(pool.recipes) - len(old))
        self.histories = {k: self.histories[j] for k, j in enumerate(old) if j in self.histories}

    def _refill(self) -> None:
        free = [k for k in self.pool.evenly if self.seats[k] is None]
        newcomers = {k: self.waiting.popleft() for k in free[: len(self.waiting)]}
        for k, seat in newcomers.items():
            self.seats[k] = seat
            self.histories.pop(k, None)
            seat.start_epoch = self.pool.epoch
        self.pool.clear(self._freed - set(newcomers))
        self._freed.clear()
        self.pool.place({k: self.group.form(seat.recipe) for k, seat in newcomers.items()})

    def _change(self) -> None:
        """Give seats whose recipe changes now the next one."""
        for k, seat in enumerate(self.seats):
            if seat is not None and (age := self.pool.epoch - seat.start_epoch) in seat.later:
                seat.recipe = seat.later[age]
                self.pool.change({k: self.group.form(seat.recipe)})

    def _read(self) -> None:
        part, left = self._begun, self.chunk
        self._begun = None
        while part is not None:
            self._add(part.read())
            left -= part.epochs
            part = self.pool.begin(left) if left else None  # a chunk longer than the pool's room

    def _add(self, info: Mapping[str, Numbers]) -> None:
        for k, seat in enumerate(self.seats):
            if seat is not None:
                seat.losses = np.concatenate([seat.losses, info[WATCHED][k]])
                if seat.keep:
                    mine = {name: values[k] for name, values in info.items()}
                    self.histories.setdefault(k, []).append(mine)

    def _collect(self) -> None:
        members = self.pool.members
        statuses, epochs = np.asarray(members.status), np.asarray(members.epoch)
        best = np.asarray(members.watch.best_epoch)
        leaving = [
            k for k, s in enumerate(self.seats) if s is not None and statuses[k] != Status.RUNNING
        ]
        kept = [k for k in leaving if (seat := self.seats[k]) is not None and seat.keep]
        weights = dict(zip(kept, self.pool.results(kept), strict=True)) if kept else {}
        for k in leaving:
            seat = self.seats[k]
            assert seat is not None
            seat.status, seat.best_epoch = Status(int(statuses[k])), int(best[k])
            seat.losses = seat.losses[: int(epochs[k])]
            if k in weights:
                seat.outcome = self._outcome(k, seat, weights[k])
            self.seats[k] = None

    def _outcome(self, k: int, seat: Seat, member: Member) -> Outcome:
        parts = self.histories.pop(k)
        epochs = len(seat.losses)
        kept = (member.parameters, member.statistics)
        if member.best and seat.best_epoch:
            kept = member.best
        kept = self.group.plain(seat.recipe, kept)
        return Outcome(
            recipe=seat.recipe,
            status=seat.status,
            epochs=epochs,
            start_epoch=seat.start_epoch,
            best_epoch=seat.best_epoch,
            parameters=kept[0],
            statistics=kept[1],
            history={n: np.concatenate([part[n] for part in parts])[:epochs] for n in parts[0]},
        )
