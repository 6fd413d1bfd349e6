"""Executor: seats of any signature in training, a lane for each group of signatures and fold.

Which signatures share a lane is the planner's business. A lane is made when its first seat comes.
On CPUs, whose pools skip empty groups of slots, it has room for all seats in flight; elsewhere for
those that it then has or that the planner promises it. Its program is compiled once and it stays.
Lanes with work train in turn, a chunk each; those with many empty slots less often. When no more
seats come and few are left, they move to a smaller pool.

Where the devices are not the processor itself, chunks of two lanes are with them at a time: while
one trains, the host reports, tells and asks for the other. One group then gets two lanes of half
the slots. On a CPU, whose cores train and ask, that gains nothing.
"""

import time
from collections import deque
from collections.abc import Iterable
from typing import Any

import jax

from shoal.data.dataset import Data
from shoal.data.preparation import Prepared
from shoal.errors import DataError, DeviceError, RecipeError, ShoalError
from shoal.nets import compose
from shoal.recipe import Recipe
from shoal.train.programs import COMPILED
from shoal.train.settings import Settings, plan_work
from shoal.train.slots import roomy_pool
from shoal.tune.lane import Lane, Seat
from shoal.tune.planner import Group, Planner, platform

MOST_SLOTS = {"cpu": 64}
"""Slots of a lane by platform, 4096 elsewhere: on a CPU more are no faster."""

FULL = 0.9
"""Share of the fullest lane's seats that a lane must have, or it is held back."""

MOST_HELD = 10
"""Turns in a row for which a lane is held back."""

SMALL = 200_000
"""Parameters up to which a network of flat layers trains faster batched than alone."""


class Executor:
    """Lanes in training.

    Args:
        data: as given; folds: the data of each fold.
        chunk: epochs between two refills.
        settings: of the pools; None to choose.
        planner: says which recipes share a lane.
        room: seats in flight, over all lanes. A lane gets so many slots, or its share of them, see
            above; with 0 as many as its queue is long.
        overlap: whether the host works while the devices train; None for all but CPUs.

    Attributes:
        lanes: by (group, fold), the second of twins by (group, fold, 2).
        deadline: monotonic time after which no lane is made any more, but a first one.
    """

    def __init__(
        self,
        data: Data,
        folds: list[Data],
        chunk: int,
        settings: Settings | None,
        planner: Planner,
        room: int,
        overlap: bool | None = None,
    ) -> None:
        self.data, self.folds, self.chunk = data, folds, chunk
        self.settings, self.planner, self.room = settings, planner, room
        self.platform = platform(settings.devices if settings is not None else None)
        self.overlap = self.platform != "cpu" if overlap is None else overlap
        self.lanes: dict[Any, Lane] = {}
        self._begun: deque[Lane] = deque()
        self.deadline = float("inf")
        self._new: dict[Any, list[Seat]] = {}
        self._prepared: dict[Any, Prepared] = {}
        self._judged: dict[Any, ShoalError | None] = {}
        self._compiled = COMPILED["chunk"]
        self._turn = 0

    @property
    def compilations(self) -> int:
        """Training programs compiled since the beginning."""
        return COMPILED["chunk"] - self._compiled

    @property
    def busy(self) -> bool:
        """Whether anything trains or waits."""
        return bool(self._new) or any(lane.busy for lane in self.lanes.values())

    def prepared(self, recipe: Recipe, fold: int | None = None) -> Prepared:
        """The data, or that of a fold, as a recipe wants it.

        Raises:
            DataError, ShapeError: data and recipe do not fit.
        """
        outputs = recipe.body.output_shape(self.data.shape)
        entries = compose.entries(recipe.net.layers)
        wanted = (recipe.resolved_preparation, recipe.class_weights, recipe.loss, entries, outputs)
        if (wanted, fold) not in self._prepared:
            data = self.data if fold is None else self.folds[fold]
            self._prepared[wanted, fold] = recipe.prepare(data)
        return self._prepared[wanted, fold]

    def check(self, recipe: Recipe, fold: int | None = None) -> None:
        """Whether a recipe can be trained on the data, judged once for a signature.

        Raises:
            RecipeError, ShapeError, DataError: it cannot.
        """
        key = (recipe.signature, fold)
        if key not in self._judged:
            try:
                work = plan_work(recipe, self.prepared(recipe, fold))
                self._judged[key] = None if work.validation else _unwatched(self.data)
            except (RecipeError, DataError) as error:
                self._judged[key] = error
        found = self._judged[key]
        if found is not None:
            raise type(found)(
                found.thing, required=found.required, got=found.got, remedy=found.remedy
            )

    def rewind(self) -> None:
        """Begin at the epoch 0 again, when every seat is done.

        What is trained then does not depend on how long the search before it was.
        """
        for lane in self.lanes.values():
            lane.pool.epoch = 0

    def submit(self, seats: Iterable[Seat]) -> None:
        """Seats to train; they begin with the next chunk of their lane that has room."""
        for seat in seats:
            key = (self.planner.group(seat.recipe), seat.fold)
            if key in self.lanes:
                self.lanes[key].waiting.append(seat)
            else:
                self._new.setdefault(key, []).append(seat)

    def advance(self, more: bool = False) -> None:
        """Begin chunks of lanes that have work, and finish the oldest.

        Args:
            more: whether more seats will come. A lane with many empty slots is then held back for
                some turns, as long as another is full.
        """
        for key in list(self._new):
            if not self.lanes or time.monotonic() < self.deadline:
                self._open(key, self._new.pop(key))
        self._begin(more)
        if self._begun:
            self._begun.popleft().finish()

    def _begin(self, more: bool) -> None:
        """Begin chunks until enough are with the devices; lanes that waited longest go first."""
        idle = [lane for lane in self.lanes.values() if lane.busy and not lane.training]
        full = max((lane.filled for lane in self.lanes.values() if lane.busy), default=0.0)
        for lane in sorted(idle, key=lambda lane: lane.turn):
            if len(self._begun) > self.overlap:
                return
            if more and lane.filled < FULL * full and lane.held < MOST_HELD:
                lane.held += 1
                continue
            self._turn += 1
            lane.held, lane.turn = 0, self._turn
            if not more:
                self._compact(lane)
            lane.begin()
            if lane.training:
                self._begun.append(lane)

    def _compact(self, lane: Lane) -> None:
        """Move the last seats into a pool of a power of two where that pays for its compilation."""
        taken = lane.taken
        slots = 1 << max(0, len(taken) - 1).bit_length()
        if not taken or lane.waiting or 2 * slots > len(lane.seats):
            return
        seats = [seat for seat in lane.seats if seat is not None]
        recipe, fold = seats[0].recipe, seats[0].fold
        left = max(int(seat.recipe.epochs) - len(seat.losses) for seat in seats)
        saved = left * lane.pool.work.steps * (lane.computed - slots)
        if saved * self.planner.step_seconds(recipe) > self.planner.costs.compilation:
            each, settings = [lane.pool.template] * slots, lane.pool.settings
            lane.move(roomy_pool(each, self.prepared(recipe, fold), settings, None))

    def remove(self, seats: Iterable[Seat]) -> None:
        """Free the slots of seats that are wanted no more."""
        by_lane: dict[Any, list[Seat]] = {}
        for seat in seats:
            key = (self.planner.group(seat.recipe), seat.fold)
            by_lane.setdefault(key, []).append(seat)
        for key, found in by_lane.items():
            for name in (key, (*key, 2)):
                if name in self.lanes:
                    self.lanes[name].remove(found)
            self._new.pop(key, None)  # a lane not made yet has only seats that did not begin

    def _open(self, key: tuple[Group, int | None], seats: list[Seat]) -> None:
        (group, fold), recipe = key, seats[0].recipe
        form = group.form(recipe)
        settings = self.settings or usual_settings(form, self.data)
        slots = self._slots(group, len(seats))
        keys = [key, (*key, 2)] if self.overlap and slots > 1 else [key]
        each, waiting = [form] * -(-slots // len(keys)), deque(seats)
        try:
            for name in keys:
                pool = roomy_pool(each, self.prepared(recipe, fold), settings, None)
                self.lanes[name] = Lane(pool, self.chunk, group, waiting)
        except (DeviceError, jax.errors.JaxRuntimeError) as error:
            if key not in self.lanes:  # the first of twins can go on alone
                for seat in seats:
                    seat.reason = str(error).split("\n", 1)[0]

    def _slots(self, group: Group, queue: int) -> int:
        """Slots of a new lane: its queue in equal rounds, or its share of all seats in flight."""
        most = MOST_SLOTS.get(self.platform, 4096)
        # Empty slots cost nothing on CPUs, so a lane may have room for whatever is asked for.
        share = 1.0 if self.platform == "cpu" else group.share
        wanted = max(queue, round(self.room * share))
        even = -(-wanted // -(-wanted // most))
        if share > 0.99:
            return even
        step = 1 << max(0, (even - 1).bit_length() - 4)  # an eighth more at most stands empty
        return min(most, step * -(-even // step))


def usual_settings(recipe: Recipe, data: Data) -> Settings:
    """Batched without a measurement where that is faster for sure, which saves a compilation."""
    summary = recipe.body.summary(data.shape)
    flat = all(len(shape) == 1 for shape in recipe.body.shapes(data.shape))
    return Settings("batched" if flat and summary.parameters <= SMALL else "auto")


def _unwatched(data: Data) -> DataError:
    return DataError(
        f"tune({data.name})",
        required="a validation split to compare trials on",
        got="Split(validation=0)",
        remedy="set a share: Preparation(split=Split(validation=0.2)), or give folds=5",
    )
