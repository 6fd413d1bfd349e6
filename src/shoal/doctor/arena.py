"""Arena: forks of a training, advanced side by side, paused, and gone on with.

A fork is one network in training: a recipe, its data, and the whole state of the member, kept on
the host between turns. Forks of one common form share a compiled program whatever their initial
weights and the scaling of their inputs. They are trained in waves of a few slots; all begin at
epoch 0 of the same order, so where two forks have the same rows they see the same batches.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from shoal.arrays import Numbers, Tree
from shoal.data.dataset import Data
from shoal.data.fromarrays import check_finite
from shoal.data.preparation import Prepared
from shoal.doctor.common import common
from shoal.metrics import Metric
from shoal.recipe import Recipe
from shoal.train.member import Member, Status
from shoal.train.outcome import Outcome
from shoal.train.pool import Pool
from shoal.train.programs import COMPILED
from shoal.train.run import Run
from shoal.train.settings import Settings, plan_work
from shoal.train.slots import even

MOST_SLOTS = {"cpu": 8}
"""Members of a wave by platform, 128 elsewhere. On CPUs more are no faster for each: 64-64 on
digits takes 2.5 ms for an epoch of a member with 8 slots and 3.6 with 32."""

HASTY: dict[str, Any] = {"xla_backend_optimization_level": 0}
"""How programs that run once are compiled."""

SMALL = 200_000
"""Parameters up to which a network of flat layers trains faster batched than alone."""


@dataclass(eq=False)
class Fork:
    """One network in training.

    Attributes:
        recipe: with its own seed; data: what it learns from.
        state: the member, on the host; None before its first epoch.
        epochs: trained so far; status: whether it still trains.
        history: columns of the record, (epochs,) each.
    """

    recipe: Recipe
    data: Data
    state: Member | None = None
    epochs: int = 0
    status: Status = Status.RUNNING
    history: dict[str, Numbers] = field(default_factory=dict)

    @property
    def kept_epoch(self) -> int:
        """The epoch whose weights the recipe keeps so far, counted from 1; 0 for none."""
        rule = self.recipe.early_stopping
        if rule is not None and rule.restore_best and self.state is not None:
            return int(self.state.watch.best_epoch)
        return self.epochs

    def at(self, column: str) -> float:
        """A column of the record for the weights that it keeps; NaN where there is none."""
        row = self.kept_epoch - 1
        return float(self.history[column][row]) if 0 <= row < self.epochs else float("nan")


class Arena:
    """Forks of one sick training.

    Args:
        sick: the recipe that the others are edits of.
        metrics: that all are compared by.
        settings: of the pools; None to choose.
        heard: called with (member-epochs done) while training.
    """

    def __init__(
        self,
        sick: Recipe,
        metrics: Sequence[Metric],
        settings: Settings | None = None,
        heard: Callable[[int], None] = lambda done: None,
    ) -> None:
        self.sick, self.metrics = sick, tuple(metrics)
        self.settings, self.heard = settings, heard
        self._pools: dict[Any, Pool] = {}
        self._prepared: dict[Any, Prepared] = {}
        self._kept: list[Data] = []  # so that no id is given to other data
        self._draws: dict[Any, Any] = {}
        self._slots: dict[Any, int] = {}
        self._compiled = COMPILED["chunk"]

    @property
    def compilations(self) -> int:
        """Training programs compiled so far."""
        return COMPILED["chunk"] - self._compiled

    def prepared(self, recipe: Recipe, data: Data) -> Prepared:
        """The data as a recipe wants it.

        Raises:
            DataError, ShapeError, RecipeError: they do not fit.
        """
        outputs = recipe.body.output_shape(data.shape)
        wanted = (recipe.resolved_preparation, recipe.class_weights, recipe.loss, outputs)
        key = (*wanted, recipe.net.scaling, id(data))
        if key not in self._prepared:
            self._kept.append(data)
            self._prepared[key] = recipe.prepare(data)
        return self._prepared[key]

    def check(self, recipe: Recipe, data: Data) -> None:
        """Whether a recipe can be trained on the data.

        Raises:
            DataError, ShapeError, RecipeError: it cannot.
        """
        prepared = self.prepared(recipe, data)
        plan_work(self.common(recipe), prepared)
        if isinstance(data.inputs, np.ndarray) and data.inputs.dtype.kind == "f":
            check_finite(data.inputs[prepared.parts.train], f"the training rows of {data.name}")

    def common(self, recipe: Recipe) -> Recipe:
        """The common form of a recipe."""
        return common(recipe, self.sick, self.metrics)

    def program(self, recipe: Recipe, data: Data) -> Any:
        """What recipes share that are trained by one program."""
        form = self.common(recipe)
        return form.signature, plan_work(form, self.prepared(recipe, data))

    # --- training --------------------------------------------------------------------------------

    def advance(self, forks: Sequence[Fork], until: Callable[[Fork], int]) -> None:
        """Train every fork that still trains up to an epoch of its own.

        Args:
            until: the epoch; a fork ends at its recipe's limit or by its stopping rules anyway.
        """
        groups: dict[Any, list[Fork]] = {}
        for fork in forks:
            if fork.status == Status.RUNNING and fork.epochs < until(fork):
                key = (self._pool_key(fork), fork.epochs)
                groups.setdefault(key, []).append(fork)
        for found in groups.values():
            pool = self._pool(found)
            found.sort(
                key=lambda f: min(until(f), f.recipe.epochs), reverse=True
            )  # those that train as long go together
            slots = len(pool.recipes)
            for start in range(0, len(found), slots):
                self._wave(pool, found[start : start + slots], until)

    def _pool_key(self, fork: Fork) -> Any:
        form = self.common(fork.recipe)
        return form.signature, id(self.prepared(fork.recipe, fork.data))

    def _pool(self, forks: list[Fork]) -> Pool:
        key = self._pool_key(forks[0])
        if key not in self._pools:
            first = forks[0]
            program = self.program(first.recipe, first.data)
            if program not in self._slots:
                self._slots[program] = self._room(first, len(forks))
            self._pools[key] = Pool(
                self.common(first.recipe),
                self.prepared(first.recipe, first.data),
                self._slots[program],
                self.settings or usual_settings(first.recipe, first.data),
            )
        return self._pools[key]

    def _room(self, first: Fork, forks: int) -> int:
        """Slots for a program: all there may be for that of the sick recipe, which most share."""
        if self.common(first.recipe).signature == self.common(self.sick).signature:
            forks = max(forks, MOST_SLOTS["cpu"])
        given = self.settings.devices if self.settings else None
        devices = given if given is not None else jax.devices()
        return even(min(forks, MOST_SLOTS.get(devices[0].platform, 128)), len(devices))

    def _wave(self, pool: Pool, wave: list[Fork], until: Callable[[Fork], int]) -> None:
        def end(fork: Fork) -> int:
            return min(until(fork), fork.recipe.epochs)

        pool.epoch = wave[0].epochs
        pool.place({k: self.common(fork.recipe) for k, fork in enumerate(wave)})
        self._hand_in(pool, wave)
        columns: list[dict[str, Numbers]] = []
        while any(recipe is not None for recipe in pool.recipes):
            left = min(
                end(f) - pool.epoch
                for f, recipe in zip(wave, pool.recipes, strict=False)
                if recipe is not None
            )
            columns.append(pool.run(left))
            self.heard(columns[-1]["train_loss"].shape[1] * len(wave))
            self._take_out(pool, wave, columns, end)

    def _hand_in(self, pool: Pool, wave: list[Fork]) -> None:
        """Give the members in the slots their state, or their initial weights; empty the others."""
        members = jax.tree.map(np.array, pool.members)
        for k, fork in enumerate(wave):
            own = fork.state if fork.state is not None else self._begun(fork, members, k)
            for whole, one in zip(jax.tree.leaves(members), jax.tree.leaves(own), strict=True):
                whole[k] = one
        members.status[len(wave) :] = Status.EMPTY
        pool.put_back(members)

    def _begun(self, fork: Fork, members: Member, slot: int) -> Member:
        """The member in a slot with the weights that its own recipe draws."""
        fresh: Member = jax.tree.map(lambda a: a[slot], members)
        if fork.recipe.optimiser.searches:
            return fresh
        parameters, statistics = self.drawn(fork)
        return fresh._replace(
            parameters=parameters, statistics=statistics, best=(parameters, statistics)
        )

    def drawn(self, fork: Fork) -> tuple[Tree, Tree]:
        """The initial weights and statistics of a fork, on the host."""
        net, dtype = fork.recipe.body, fork.recipe.dtype
        shape = self.prepared(fork.recipe, fork.data).inputs.out_shape
        arguments = (net, np.uint32(fork.recipe.seed))
        with _precision(dtype):
            key = (jax.tree.structure(net), shape, dtype)
            if key not in self._draws:
                draw = jax.jit(lambda n, seed: n.init(jax.random.key(seed), shape, dtype))
                lowered = draw.lower(*jax.tree.map(_number(dtype), arguments))
                self._draws[key] = lowered.compile(compiler_options=HASTY)
            found: tuple[Tree, Tree] = jax.tree.map(
                np.asarray, self._draws[key](*jax.tree.map(_number(dtype), arguments))
            )
        return found

    def _take_out(
        self,
        pool: Pool,
        wave: list[Fork],
        columns: list[dict[str, Numbers]],
        end: Callable[[Fork], int],
    ) -> None:
        """Note what became of the forks that have come where they should, or stopped."""
        statuses = pool.statuses
        ready = [
            k
            for k, fork in enumerate(wave)
            if pool.recipes[k] is not None
            and (statuses[k] != Status.RUNNING or pool.epoch >= end(fork))
        ]
        for k, member in zip(ready, pool.results(ready, pool.members), strict=True):
            fork = wave[k]
            before, fork.epochs = fork.epochs, int(member.epoch)
            fork.state, fork.status = member, Status(int(member.status))
            for name in columns[0]:
                new = np.concatenate([part[name][k] for part in columns])
                old = fork.history.get(name, np.empty(0))
                fork.history[name] = np.concatenate([old, new[: fork.epochs - before]])
            pool.recipes[k] = None

    # --- what came out ---------------------------------------------------------------------------

    def run(self, forks: Sequence[Fork], seconds: float = 0.0) -> Run:
        """Forks of one recipe and data that have been trained, as a run."""
        outcomes = [_outcome(fork) for fork in forks]
        return Run.of(outcomes, self.prepared(forks[0].recipe, forks[0].data), seconds, None)


def usual_settings(recipe: Recipe, data: Data) -> Settings:
    """Batched without a measurement where that is faster for sure, else one after another."""
    body = recipe.body
    flat = all(len(shape) == 1 for shape in body.shapes(data.shape))
    small = body.summary(data.shape).parameters <= SMALL
    return Settings("batched" if flat and small else "sequential")


def _outcome(fork: Fork) -> Outcome:
    state = fork.state
    assert state is not None, "a fork that was trained has a state"
    rule = fork.recipe.early_stopping
    best = rule is not None and rule.restore_best and int(state.watch.best_epoch) > 0
    parameters, statistics = state.best if best else (state.parameters, state.statistics)
    return Outcome(
        recipe=fork.recipe,
        status=fork.status,
        epochs=fork.epochs,
        start_epoch=0,
        best_epoch=int(state.watch.best_epoch),
        parameters=parameters,
        statistics=statistics,
        history=fork.history,
    )


def _number(dtype: np.dtype[Any]) -> Callable[[Any], Any]:
    """Numbers of a description as arrays: whole ones stay whole."""
    return lambda value: np.asarray(value, dtype if isinstance(value, float) else None)


def _precision(dtype: np.dtype[Any]) -> AbstractContextManager[Any]:
    return jax.enable_x64(True) if dtype.itemsize == 8 else nullcontext()


def each_seed(recipe: Recipe, data: Data, first: int, count: int) -> Iterator[Fork]:
    """Forks of a recipe with so many seeds, counted from its own seed."""
    for k in range(first, first + count):
        yield Fork(recipe.replace(seed=recipe.seed + k), data)
