"""Cluster: seats trained by actors of Ray, one for each machine, each with whole pools.

    driver   study, sampler, pruner, mirror, and a queue of seats
    actor    a ``Worker``: an executor with all cores and GPUs of its machine

After every chunk an actor says what became of its seats and gets more out of the queue; actors do
not wait for one another. When one dies its seats go back to the head of the queue and begin again
elsewhere; an actor in its place is asked for, and joins as soon as a machine is free. The driver
holds all state of the study, so nothing is lost or counted twice.

The data go to the object store once. Ray is imported when it is needed: pip install 'shoal[ray]'.
"""

import importlib.util
import math
import socket
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from shoal.data.preparation import Prepared
from shoal.errors import DeviceError, RecipeError
from shoal.recipe import Recipe
from shoal.tune.executor import Executor
from shoal.tune.lane import Seat
from shoal.tune.worker import Report, Worker, begin_again, order_of, take_in

KNOCK_SECONDS = 5.0
START_SECONDS = 120.0
"""How long the first actor may take; the others then have a tenth of it."""

MOST_LOST = 5
"""Actors lost one after another, without a chunk between, after which the search gives up."""

AHEAD = 2
"""Seats an actor holds at most, in seats that its pools have room for."""


@dataclass(frozen=True)
class Node:
    """A machine of the cluster: its name there, its cores and GPUs."""

    name: str
    cores: float
    gpus: float


@contextmanager
def connected(address: str | None) -> Iterator[list[Node]]:
    """The machines of a cluster, connected to for the length of a block; none without an address.

    Args:
        address: of the cluster, "auto" for the one that this machine belongs to, "local" to start
            one here. Where the process is connected already, that connection is used.

    Raises:
        DeviceError: Ray is not installed, or nothing answers.
    """
    if address is None:
        yield []
        return
    if importlib.util.find_spec("ray") is None:
        raise DeviceError(
            "tune(cluster)",
            required="the package ray",
            got="none installed",
            remedy="pip install 'shoal[ray]'",
        )
    import ray

    mine = not ray.is_initialized()
    if mine:
        where = {} if address == "local" else {"address": address}
        try:
            _knock(address)
            ray.init(**where, log_to_driver=False, logging_level="ERROR")
        except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
            raise DeviceError(
                f"the Ray cluster at {address}",
                required="a head node that answers",
                got=str(error).split("\n", 1)[0],
                remedy="check the address, or start one by: ray start --head",
            ) from error
    try:
        yield _nodes()
    finally:
        if mine:
            ray.shutdown()


def _knock(address: str) -> None:
    """Whether something listens at host:port: Ray itself tries for minutes.

    Raises:
        OSError: nothing does.
    """
    host, _, port = address.rpartition(":")
    if port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), KNOCK_SECONDS).close()


def _nodes() -> list[Node]:
    import ray

    found = [
        Node(one["NodeID"], one["Resources"]["CPU"], one["Resources"].get("GPU", 0.0))
        for one in ray.nodes()
        if one["Alive"] and one["Resources"].get("CPU", 0.0) > 0
    ]
    if not found:
        raise DeviceError(
            "the Ray cluster", required="a machine with free cores", got="none", remedy="add one"
        )
    return sorted(found, key=lambda node: node.name)


@dataclass(eq=False)
class Actor:
    """An actor and what it has at the moment.

    Attributes:
        handle: of Ray; node: that it asks for.
        call: the call under way, None between two.
        ready: whether it has answered once.
        seats: by number; unwanted: numbers to tell it.
        used, offered, compilations: as it said last.
    """

    handle: Any
    node: Node
    call: Any
    ready: bool = False
    lost: bool = False
    seats: dict[int, Seat] = field(default_factory=dict)
    unwanted: list[int] = field(default_factory=list)
    used: int = 0
    offered: int = 0
    compilations: int = 0


class Cluster:
    """What ``Executor`` is, on many machines; ``close`` it in the end.

    Args:
        local: judges recipes and prepares data for the driver; it trains nothing.
        nodes: an actor for each.
        space, trials, seconds: what is searched, and for how long, for the planners.

    Attributes:
        deadline: monotonic time after which no lane is made any more.
    """

    def __init__(
        self,
        local: Executor,
        nodes: Sequence[Node],
        space: Recipe,
        trials: int | None,
        seconds: float | None,
    ) -> None:
        import ray

        if local.settings is not None and local.settings.devices is not None:
            raise RecipeError(
                "tune(cluster, settings)",
                required="no devices of this machine",
                got="Settings(devices=...)",
                remedy="leave devices out: each machine uses all of its own",
            )
        self.local, self.deadline = local, float("inf")
        self.waiting: deque[Seat] = deque()
        self._texts: set[Any] = set()
        self._number = self._lost = 0
        data, folds = ray.put(local.data), ray.put(local.folds)
        plan = (space.to_json(), trials, seconds)
        self._arguments = (data, folds, local.chunk, local.settings, local.room, *plan)
        self.actors = [self._start(node, pinned=True) for node in nodes]
        self._await()

    # --- actors ----------------------------------------------------------------------------------

    def _start(self, node: Node, pinned: bool) -> Actor:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        wanted: dict[str, Any] = {"num_cpus": node.cores, "max_restarts": 0}
        if node.gpus:
            wanted["num_gpus"] = node.gpus
        if pinned:
            wanted["scheduling_strategy"] = NodeAffinitySchedulingStrategy(node.name, soft=False)
        handle = ray.remote(Worker).options(**wanted).remote(*self._arguments)
        return Actor(handle, node, handle.advance.remote([], [], False, math.inf))

    def _await(self) -> None:
        """Wait for the first actor, and a little for the others, so that all get their share."""
        began = time.monotonic()
        while not all(actor.ready or actor.lost for actor in self.actors):
            some = any(actor.ready for actor in self.actors)
            left = (START_SECONDS / 10 if some else START_SECONDS) - time.monotonic() + began
            if left <= 0:
                break
            self._collect(min(left, 1.0))
        if not any(actor.ready for actor in self.actors):
            self.close()
            raise self._deserted()

    def _deserted(self) -> DeviceError:
        return DeviceError(
            "the Ray cluster",
            required="a machine that starts a worker",
            got=f"none after {START_SECONDS:.0f} s",
            remedy="free its cores, and install the same shoal on every machine",
        )

    def close(self) -> None:
        """End all actors."""
        import ray

        for actor in self.actors:
            ray.kill(actor.handle)

    # --- what ``Executor`` has -------------------------------------------------------------------

    @property
    def lanes(self) -> dict[int, Actor]:
        """The actors that have trained something, lost ones too: for their counts."""
        return {number: actor for number, actor in enumerate(self.actors) if actor.offered}

    @property
    def compilations(self) -> int:
        """Training programs compiled, over all actors."""
        return sum(actor.compilations for actor in self.actors)

    def prepared(self, recipe: Recipe, fold: int | None = None) -> Prepared:
        """As ``Executor.prepared``."""
        return self.local.prepared(recipe, fold)

    def check(self, recipe: Recipe, fold: int | None = None) -> None:
        """As ``Executor.check``; the recipe must also be the same after it was sent.

        Raises:
            RecipeError, ShapeError, DataError: it cannot be trained, or not be sent.
        """
        self.local.check(recipe, fold)
        if recipe.signature not in self._texts:
            if Recipe.from_json(recipe.to_json()) != recipe:
                raise RecipeError(
                    "tune(cluster)",
                    required="a recipe that can be written as JSON",
                    got="one that differs when it is read again",
                    remedy="use losses and layers of the library",
                )
            self._texts.add(recipe.signature)

    def rewind(self) -> None:
        """Nothing: which actor trains what, and when, is never the same twice."""

    def submit(self, seats: Iterable[Seat]) -> None:
        """As ``Executor.submit``."""
        self.waiting.extend(seats)

    def remove(self, seats: Iterable[Seat]) -> None:
        """As ``Executor.remove``."""
        unwanted = {id(seat) for seat in seats}
        self.waiting = deque(seat for seat in self.waiting if id(seat) not in unwanted)
        for actor in self.actors:
            gone = [number for number, seat in actor.seats.items() if id(seat) in unwanted]
            actor.unwanted += gone
            for number in gone:
                del actor.seats[number]

    def advance(self, more: bool = False) -> None:
        """Give out seats, and wait until one actor has trained a chunk."""
        for actor in self.actors:
            if actor.ready and actor.call is None and not actor.lost:
                self._send(actor, more)
        if any(actor.ready and actor.call is not None for actor in self.actors):
            self._collect(None)
            return
        self._collect(START_SECONDS)  # all were lost: one in their place may start
        if not any(actor.ready and not actor.lost for actor in self.actors):
            raise self._deserted()

    # --- talking ---------------------------------------------------------------------------------

    def _send(self, actor: Actor, more: bool) -> None:
        orders = []
        for _ in range(min(len(self.waiting), self._room(actor))):
            seat = self.waiting.popleft()
            self._number += 1
            actor.seats[self._number] = seat
            orders.append(order_of(self._number, seat))
        if not actor.seats and not actor.unwanted:
            return
        left = self.deadline - time.monotonic()
        actor.call = actor.handle.advance.remote(orders, actor.unwanted, more, left)
        actor.unwanted = []

    def _room(self, actor: Actor) -> int:
        """Seats that an actor may take: an equal share of all there are, within its room."""
        there = [one for one in self.actors if one.ready and not one.lost]
        seats = len(self.waiting) + sum(len(one.seats) for one in there)
        share = -(-seats // len(there))
        most = AHEAD * self.local.room if self.local.room else share
        return max(0, min(share, most) - len(actor.seats))

    def _collect(self, seconds: float | None) -> None:
        """Take in what actors say, waiting for the first one at most so long."""
        import ray

        calls = {one.call: one for one in self.actors if one.call is not None and not one.lost}
        if not calls:
            return
        done, _ = ray.wait(list(calls), num_returns=1, timeout=seconds)
        if done:
            done, _ = ray.wait(list(calls), num_returns=len(calls), timeout=0)
        for call in done:
            actor = calls[call]
            actor.call = None
            try:
                self._take(actor, ray.get(call))
            except ray.exceptions.RayTaskError as error:
                raise DeviceError(
                    "a worker of the cluster",
                    required="to train its chunk",
                    got=str(error.cause).split("\n", 1)[0],
                    remedy="see the logs of Ray; install the same shoal on every machine",
                ) from error
            except ray.exceptions.RayError as error:  # it died, or its machine, or its answer
                self._lose(actor, error)

    def _take(self, actor: Actor, report: Report) -> None:
        actor.ready, self._lost = True, 0
        actor.used, actor.offered = report.used, report.offered
        actor.compilations = report.compilations
        for news in report.news:
            seat = actor.seats.get(news.number)
            if seat is not None:
                take_in(seat, news)
                if seat.done:
                    del actor.seats[news.number]

    def _lose(self, actor: Actor, error: Exception) -> None:
        import ray

        ray.kill(actor.handle)
        actor.lost, self._lost = True, self._lost + 1
        if self._lost > MOST_LOST:
            raise DeviceError(
                "the Ray cluster",
                required="workers that live",
                got=f"{self._lost} lost one after another: {str(error).split(chr(10), 1)[0]}",
                remedy="see the logs of Ray; install the same shoal on every machine",
            ) from error
        for seat in actor.seats.values():
            begin_again(seat)
        self.waiting.extendleft(reversed(actor.seats.values()))
        actor.seats.clear()
        self.actors.append(self._start(actor.node, pinned=False))
