"""Worker: an executor in another process, spoken to in plain values.

A worker holds whole pools. It gets batches of seats, trains a chunk of all it has, and says what
became of them. Nothing here knows how messages travel; ``cluster`` makes an actor of it.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from shoal.arrays import Numbers
from shoal.data.dataset import Data
from shoal.recipe import Recipe
from shoal.train.member import Status
from shoal.train.outcome import Outcome
from shoal.train.settings import Settings
from shoal.tune.executor import Executor
from shoal.tune.lane import Seat
from shoal.tune.planner import plan


class Order(NamedTuple):
    """A seat to train.

    Attributes:
        number: of the seat.
        recipe: closed, as JSON, with its seed; later: {epoch: recipe from there on}, the same.
        fold, keep: as of ``Seat``.
    """

    number: int
    recipe: str
    later: Mapping[int, str]
    fold: int | None
    keep: bool


class News(NamedTuple):
    """What became of a seat so far; names as of ``Seat``, outcome without its recipe."""

    number: int
    start_epoch: int
    losses: Numbers
    status: int
    best_epoch: int
    reason: str
    outcome: dict[str, Any] | None


class Report(NamedTuple):
    """What a worker says after a chunk: news of its seats, and its counts since it began."""

    news: list[News]
    used: int
    offered: int
    compilations: int


class Worker:
    """Pools in training.

    Args:
        data, folds, chunk, settings, room: as of ``Executor``.
        space: as JSON, trials, seconds: what is searched, and for how long, for the planner.
    """

    def __init__(
        self,
        data: Data,
        folds: list[Data],
        chunk: int,
        settings: Settings | None,
        room: int,
        space: str,
        trials: int | None,
        seconds: float | None,
    ) -> None:
        planner = plan(Recipe.from_json(space), data, trials, seconds, settings)
        self.executor = Executor(data, folds, chunk, settings, planner, room)
        self.seats: dict[int, Seat] = {}

    def advance(
        self, orders: Sequence[Order], unwanted: Sequence[int], more: bool, seconds: float
    ) -> Report:
        """Take seats, give others up, train a chunk.

        Args:
            more: whether more seats will come; seconds: that are left for opening lanes.
        """
        self.executor.deadline = time.monotonic() + seconds
        self.executor.remove([s for n in unwanted if (s := self.seats.pop(n, None)) is not None])
        seats = {order.number: _seat(order) for order in orders}
        self.seats |= seats
        self.executor.submit(seats.values())
        before = {number: len(seat.losses) for number, seat in self.seats.items()}
        self.executor.advance(more)
        news = [
            _news(number, seat)
            for number, seat in self.seats.items()
            if seat.done or len(seat.losses) > before[number]
        ]
        self.seats = {number: seat for number, seat in self.seats.items() if not seat.done}
        lanes = self.executor.lanes.values()
        used, offered = sum(lane.used for lane in lanes), sum(lane.offered for lane in lanes)
        return Report(news, used, offered, self.executor.compilations)


def _seat(order: Order) -> Seat:
    later = {epoch: Recipe.from_json(text) for epoch, text in order.later.items()}
    return Seat(Recipe.from_json(order.recipe), order.fold, order.keep, later)


def _news(number: int, seat: Seat) -> News:
    kept = None if seat.outcome is None else dict(vars(seat.outcome))
    if kept is not None:
        del kept["recipe"]
    told = (seat.start_epoch, seat.losses, int(seat.status), seat.best_epoch, seat.reason)
    return News(number, *told, kept)


def order_of(number: int, seat: Seat) -> Order:
    """The order for a seat."""
    later = {epoch: recipe.to_json() for epoch, recipe in seat.later.items()}
    return Order(number, seat.recipe.to_json(), later, seat.fold, seat.keep)


def take_in(seat: Seat, news: News) -> None:
    """Bring a seat up to what its worker says."""
    seat.start_epoch, seat.losses = news.start_epoch, news.losses
    seat.status, seat.best_epoch = Status(news.status), news.best_epoch
    seat.reason = news.reason
    for epoch in sorted(seat.later):
        if epoch < len(seat.losses):
            seat.recipe = seat.later[epoch]
    if news.outcome is not None:
        seat.outcome = Outcome(recipe=seat.recipe, **news.outcome)


def begin_again(seat: Seat) -> None:
    """Forget what a worker that was lost had done."""
    fresh = Seat(seat.recipe)
    seat.start_epoch, seat.losses, seat.status = -1, fresh.losses, Status.RUNNING
    seat.restarts += 1
