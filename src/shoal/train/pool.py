"""Pool: K slots, each holding a member, advanced together by one compiled program.

Between chunks the host looks at what came out: a member that has finished leaves its slot, and the
next recipe is put there while the others go on. The program never changes shape, so any number of
recipes of one signature go through one compilation.

A pool keeps one clock, the global epoch, which decides the order of the batches for all members. A
member that starts at global epoch g sees the same batches as a pool of one that starts at g.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from shoal.arrays import Numbers, Tree, stack
from shoal.data.preparation import Prepared
from shoal.errors import DeviceError, RecipeError
from shoal.recipe import Recipe
from shoal.train import gathering, layouts, signals
from shoal.train.chunk import Chunk
from shoal.train.devices import DEVICES, memory_budget, share, spread
from shoal.train.epoch import Batches, Span
from shoal.train.feed import Feed, Resident, Streamed, load
from shoal.train.member import Member, Status
from shoal.train.programs import Plan, Programs
from shoal.train.settings import Settings, plan_work

ORDER_NUMBERS = 2**18
"""A chunk runs as many epochs as have together so many rows (at most ``MOST_EPOCHS``)."""

MOST_EPOCHS = 256
RESIDENT_SHARE = 0.4
"""Training data that takes more than this share of a device's memory is streamed."""


class Pool:
    """K members in training.

    Args:
        recipe: gives the signature that all members share.
        prepared: the data, split and encoded.
        slots: K.
        settings: layout, devices, streaming.

    Attributes:
        epoch: the global epoch.
        recipes: the recipe in each slot, None for an empty one.
        programs: the compiled programs and how often each was compiled.
    """

    def __init__(
        self, recipe: Recipe, prepared: Prepared, slots: int, settings: Settings | None = None
    ) -> None:
        self.template = recipe
        self.settings = settings or Settings()
        self.work = plan_work(recipe, prepared, self.settings.signals)
        self._where = gathering.layout(recipe, self.work)
        self.epoch = 0
        self.recipes: list[Recipe | None] = [None] * slots
        self._leaves: dict[int, tuple[Recipe, list[Any]]] = {}
        self.mesh: Mesh = spread(slots, self.settings.devices)
        if self._divides():
            self.mesh = share(self.work.batch, self.settings.devices)
            self.work = replace(self.work, devices=DEVICES)
        self.room = max(1, min(MOST_EPOCHS, ORDER_NUMBERS // self.work.rows))
        self._dtype = np.dtype(self.work.dtype)
        with self._precision():
            self._layout_open = False
            self.programs = self._programs(self._first_layout())
            self._stacked = self._stack()
            self.members: Member = self.programs.empty_members(self._stacked)
            self.validation = self._place_validation(prepared)
            self.feed = self._feed(prepared)

    # --- setting up ------------------------------------------------------------------------------

    def _precision(self) -> AbstractContextManager[Any]:
        return jax.enable_x64(True) if self._dtype.itemsize == 8 else nullcontext()

    def _plan(self, layout: str) -> Plan:
        return Plan(len(self.recipes), self.room, layout, self.work)

    def _programs(self, layout: str) -> Programs:
        return layouts.programs(self.template.signature, self.mesh, self._plan(layout))

    def _divides(self) -> bool:
        """Whether the devices share the batches of a single member."""
        if self.settings.layout == "divided" and len(self.recipes) > 1:
            raise DeviceError(
                "the layout 'divided'",
                required="a pool of one slot",
                got=f"{len(self.recipes)} slots",
                remedy="give slots=1, or leave the layout to 'auto'",
            )
        if self.settings.layout == "divided" and self.template.optimiser.searches:
            raise DeviceError(
                "the layout 'divided'",
                required="an optimiser that evaluates the loss once in a step",
                got=repr(self.template.optimiser),
                remedy="leave the layout to 'auto'",
            )
        if self.settings.layout != "auto" or len(self.recipes) > 1:
            return self.settings.layout == "divided"
        several = share(self.work.batch, self.settings.devices).devices.size > 1
        cpu = self.mesh.devices.flat[0].platform == "cpu"
        return several and cpu and layouts.worth_dividing(self.template, self.work)

    def _first_layout(self) -> str:
        """The layout to begin with: the one asked for, the only one there is, or one remembered.

        Where none of these settles it, "auto" stays open until the first chunk measures.
        """
        if self.work.devices is not None:
            return "divided"
        if len(self.recipes) == self.mesh.devices.size:
            return "sequential"  # one member on each device: the layouts are the same
        if self.settings.layout != "auto":
            return self.settings.layout
        if self.mesh.devices.flat[0].platform != "cpu":
            return "batched"
        plan = self._plan("batched")
        known = layouts.remembered(self.template.signature, self.mesh, plan)
        self._layout_open = known is None
        return known or "batched"

    def _place_validation(self, prepared: Prepared) -> Batches | None:
        if not self.work.validation:
            return None
        rows = load(prepared, prepared.parts.validation, self.work)
        placed: Batches = self.programs.put(rows, members=False)
        return placed

    def _feed(self, prepared: Prepared) -> Feed:
        def put(tree: Any) -> Any:
            with self._precision():
                return self.programs.put(tree, members=False)

        order_seed = self.template.order_seed
        row_bytes = self._dtype.itemsize * int(np.prod(self.work.in_shape))
        budget = RESIDENT_SHARE * memory_budget(self.mesh)
        block_rows = self.settings.block_rows
        if block_rows is None and row_bytes * self.work.rows > budget:
            block_rows = int(budget / 2 / row_bytes)
        if block_rows is None:
            return Resident(prepared, self.work, order_seed, put)
        return Streamed(prepared, self.work, order_seed, put, block_rows)

    def _stack(self) -> Recipe:
        """The recipes of all slots as one, its numbers stacked, on the devices."""
        filled = [recipe or self.template for recipe in self.recipes]
        # Most recipes are those of the last time; keeping them keeps their ids.
        self._leaves = {
            id(recipe): self._leaves.get(id(recipe)) or (recipe, jax.tree.leaves(recipe))
            for recipe in filled
        }
        rows = [self._leaves[id(recipe)][1] for recipe in filled]
        tree = jax.tree.unflatten(jax.tree.structure(self.template), stack(rows, self._dtype))
        stacked: Recipe = self.programs.put(tree, members=True)
        return stacked

    # --- slots -----------------------------------------------------------------------------------

    @property
    def evenly(self) -> list[int]:
        """All slots, those of the devices in turn: to fill the pool with even loads."""
        devices = self.mesh.devices.size
        on_each = len(self.recipes) // devices
        return [first + on_each * device for first in range(on_each) for device in range(devices)]

    @property
    def statuses(self) -> Numbers:
        """The ``Status`` of every slot, (K,)."""
        return np.asarray(self.members.status)

    @property
    def running(self) -> bool:
        """Whether any member still trains."""
        return bool((self.statuses == Status.RUNNING).any())

    def place(self, newcomers: Mapping[int, Recipe]) -> None:
        """Start new members in slots; the other members are not touched, not by a bit.

        Raises:
            RecipeError: a recipe of another signature.
        """
        for slot, recipe in newcomers.items():
            self._check(recipe)
            self.recipes[slot] = recipe
        if not newcomers:
            return
        with self._precision():
            self._stacked = self._stack()
            which = self._mask(newcomers)
            self.members = self.programs.fresh(self._stacked, self.members, which)

    def _check(self, recipe: Recipe) -> None:
        if recipe.signature != self.template.signature:
            raise RecipeError(
                f"recipe {recipe.name!r}",
                required="the signature of its pool (shapes, structure, kinds, batch size)",
                got=self.template.diff(recipe).replace("\n", "; "),
                remedy="give recipes of several signatures to fit_many, which makes the pools",
            )

    def change(self, recipes: Mapping[int, Recipe]) -> None:
        """Give members other numbers from the next epoch on; weights and states stay.

        Raises:
            RecipeError: a recipe of another signature.
        """
        for slot, recipe in recipes.items():
            self._check(recipe)
            self.recipes[slot] = recipe
        if recipes:
            with self._precision():
                self._stacked = self._stack()

    def copy(self, sources: Mapping[int, int]) -> None:
        """Put copies of members into other slots: weights, states and recipes.

        Args:
            sources: {slot: the slot whose member it gets}.
        """
        if not sources:
            return
        where = np.arange(len(self.recipes), dtype=np.int32)
        where[list(sources)] = list(sources.values())
        self.recipes = [self.recipes[slot] for slot in where]
        with self._precision():
            self._stacked = self._stack()
            where = self.programs.put(where, members=False)
            self.members = self.programs.gather(self.members, where)

    def take_over(self, other: "Pool", slots: Sequence[int]) -> None:
        """Go on with members of another pool of the same signature, in slots 0, 1, ...

        Args:
            slots: of the other pool, at most as many as there are here.
        """
        chosen = list(slots)
        self.recipes[: len(chosen)] = [other.recipes[slot] for slot in chosen]
        self.epoch = other.epoch

        def joined(theirs: Any, mine: Any) -> Numbers:
            return np.concatenate([np.asarray(theirs)[chosen], np.asarray(mine)[len(chosen) :]])

        self.put_back(jax.tree.map(joined, other.members, self.members))

    def clear(self, slots: Iterable[int]) -> None:
        """Empty some slots."""
        chosen = list(slots)
        for slot in chosen:
            self.recipes[slot] = None
        if chosen:
            with self._precision():
                self.members = self.programs.clear(self.members, self._mask(chosen))

    def _mask(self, slots: Iterable[int]) -> Any:
        mask = np.zeros(len(self.recipes), dtype=bool)
        mask[list(slots)] = True
        return self.programs.put(mask, members=True)

    def member(self, slot: int) -> Member:
        """A copy on the host of the member in a slot."""
        return next(self.results([slot], self.members))

    def results(self, slots: Iterable[int], members: Member | None = None) -> Iterator[Member]:
        """Copies on the host of the members in some slots, without what only training needs."""
        if members is None:
            members = self.members._replace(optimiser=(), schedule=())
        # One transfer for all: picking rows on the devices costs a call for each array and slot.
        host = jax.tree.map(np.asarray, members)
        for slot in slots:
            found: Member = jax.tree.map(lambda a, k=slot: np.array(a[k]), host)
            yield found

    def put_back(self, members: Tree) -> None:
        """Replace the members, and the numbers of their recipes, by a state read from disk."""
        with self._precision():
            self._stacked = self._stack()
            self.members = self.programs.put(members, members=True)

    # --- training --------------------------------------------------------------------------------

    def run(self, epochs: int) -> dict[str, Numbers]:
        """Train up to ``epochs`` epochs, at most ``room`` of them.

        Returns:
            the Info: (K, n) arrays by name for the n epochs run, NaN where a slot did not train.
        """
        return self.begin(epochs).read()

    def begin(self, epochs: int) -> Chunk:
        """As ``run``, without waiting: the host may do other work while the devices train."""
        count = min(epochs, self.room)
        with self._precision():
            if isinstance(self.feed, Streamed):
                log = self._run_streamed(self.feed)
                count = 1
            else:
                log = self._run_resident(self.feed, count)
        looked = signals.looks(self.work, self.epoch, count) < self.work.steps
        self.epoch += count
        return Chunk(log, count, self.template, self._where, looked)

    def _run_resident(self, feed: Resident, count: int) -> Tree:
        arguments = self._chunk_arguments(feed, count)
        if self._layout_open:
            self._choose_layout(arguments)
        program = self.programs.chunk_program(self._stacked, self.members, *arguments)
        self.members, log = program(self._stacked, self.members, *arguments)
        return log

    def _chunk_arguments(self, feed: Resident, count: int) -> tuple[Any, ...]:
        orders = self.programs.put(feed.orders(self.epoch, count, self.room), members=False)
        counts = self._counts(count, self.work.steps, signals.looks(self.work, self.epoch, count))
        return (feed.data, self.validation, orders, counts)

    def _counts(self, epochs: int, steps: int, looks: Numbers) -> Any:
        """What a chunk is told: epochs, steps of each, and where each begins to be looked at."""
        counts = np.full(2 + self.room, self.work.steps, np.int32)
        counts[:2] = epochs, steps
        counts[2 : 2 + len(looks)] = looks
        return self.programs.put(counts, members=False)

    def seconds(self, epochs: int, looking: bool) -> float:
        """Train up to ``epochs`` epochs, all of them looked at or none, and say how long it took.

        What is recorded is lost. The training data must lie on the devices.
        """
        assert isinstance(self.feed, Resident), "streamed data is not timed"
        count = min(epochs, self.room)
        with self._precision():
            *arguments, _ = self._chunk_arguments(self.feed, count)
            look = max(0, self.work.steps - signals.WINDOW) if looking else self.work.steps
            arguments.append(self._counts(count, self.work.steps, np.full(count, look)))
            program = self.programs.chunk_program(self._stacked, self.members, *arguments)
            jax.block_until_ready((self.members, arguments))
            began = time.perf_counter()
            self.members, log = program(self._stacked, self.members, *arguments)
            jax.block_until_ready(log)
        self.epoch += count
        return time.perf_counter() - began

    def _run_streamed(self, feed: Streamed) -> Tree:
        look = signals.looks(self.work, self.epoch, 1)[0]
        done = 0
        for data, order, steps in feed.blocks(self.epoch):
            span = Span(*map(np.int32, (steps, done, look)))
            placed = self.programs.put((order, span), members=False)
            self.members = self.programs.block(self._stacked, self.members, data, *placed)
            # Wait, so that at most two blocks lie on the device.
            jax.block_until_ready(self.members.step)
            done += steps
        self.members, log = self.programs.finish(self._stacked, self.members, self.validation)
        return jax.tree.map(lambda values: values[:, None], log)

    # --- choosing --------------------------------------------------------------------------------

    def _choose_layout(self, arguments: tuple[Any, ...]) -> None:
        """Time both layouts on a few steps of throw-away copies and keep the faster."""
        self._layout_open = False
        candidates = {layout: self._programs(layout) for layout in ("batched", "sequential")}

        def seconds(programs: Programs, steps: int) -> float:
            *data, _ = arguments
            counts = self._counts(1, steps, np.zeros(0))
            copies = jax.tree.map(jnp.copy, self.members)
            program = programs.chunk_program(self._stacked, copies, *data, counts)
            jax.block_until_ready((copies, counts))
            began = time.perf_counter()
            jax.block_until_ready(program(self._stacked, copies, *data, counts))
            return time.perf_counter() - began

        self.programs = layouts.choose(
            self.template.signature, self.mesh, candidates, seconds, self.work.steps
        )

    def bytes_needed(self) -> int:
        """Bytes that a chunk takes on each device, as its compiler predicts, without running it."""
        assert isinstance(self.feed, Resident), "streamed data is sized when it is cut into blocks"
        with self._precision():
            arguments = self._chunk_arguments(self.feed, 0)
            program = self.programs.chunk_program(self._stacked, self.members, *arguments)
        sizes = program.memory_analysis()
        total = sizes.argument_size_in_bytes + sizes.output_size_in_bytes
        return int(total + sizes.temp_size_in_bytes - sizes.alias_size_in_bytes)
