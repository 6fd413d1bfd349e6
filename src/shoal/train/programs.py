"""Programs: the compiled functions of a pool, each for K members on its devices.

    fresh    put new members into chosen slots
    gather   put copies of members into other slots
    chunk    up to E epochs of all members, data resident on the device
    block    some steps of all members, data given block by block
    finish   the end of an epoch, after its blocks

One member function serves every layout. K members on D devices: each device takes K/D of them and
runs them

    batched      together, by ``vmap``: products of several networks become one batched product; on
                 CPUs in groups of at most ``TOGETHER``, whose weights fit into a core's cache
    sequential   one after another within an epoch, by ``lax.map``: groups of one

A group in which no member trains costs nothing but a look at the validation rows.

A single member can also have its batches

    divided      among the devices: each takes B/D rows, their gradients are added up, and every
                 device holds the same member

Programs are compiled ahead of time and counted: one signature, one compilation of each. They are
kept for the process, and JAX keeps them on disk for the next one.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from shoal.arrays import Array, Tree
from shoal.recipe import Recipe
from shoal.train import member as members_
from shoal.train.devices import DEVICES
from shoal.train.epoch import Batches, Span, end_epoch, run_epoch, run_steps
from shoal.train.gathering import nothing
from shoal.train.member import Member, Status, Work, select

SPLIT, COPIED = PartitionSpec(DEVICES), PartitionSpec()
TOGETHER = 8
"""Members of a core that a batched pool runs together on CPUs."""

LAYOUTS = ("batched", "sequential", "divided")

COMPILED: Counter[str] = Counter()
"""How many programs this process has compiled so far, by name."""


class Plan(NamedTuple):
    """What distinguishes one set of programs from another, beside the recipe's signature.

    Attributes:
        slots: K; epochs: E, the most that one chunk runs.
        layout: one of ``LAYOUTS``.
        work: the static side of the training.
    """

    slots: int
    epochs: int
    layout: str
    work: Work


def over_members(function: Callable[..., Any], layout: str, slots: int) -> Callable[..., Any]:
    """A function of (recipe, member, *common) for one member as a function of stacks of them."""

    def one_by_one(recipes: Recipe, members: Member, *common: Any) -> Any:
        if slots == 1:
            alone = jax.tree.map(lambda a: a[0], (recipes, members))
            return jax.tree.map(lambda a: a[None], function(*alone, *common))
        return lax.map(lambda pair: function(*pair, *common), (recipes, members))

    def together(recipes: Recipe, members: Member, *common: Any) -> Any:
        return jax.vmap(lambda r, m: function(r, m, *common))(recipes, members)

    return together if layout == "batched" and slots > 1 else one_by_one


def in_groups(run: Callable[..., Any], slots: int, group: int) -> Callable[..., Any]:
    """A function of (recipes, members, steps, *common) for ``group`` members as one for ``slots``.

    Groups run one after another; one in which no member trains gets no steps.
    """

    def some(pair: tuple[Recipe, Member], steps: Array, *common: Any) -> Any:
        trains = jnp.any(pair[1].status == Status.RUNNING)
        return run(*pair, jnp.where(trains, steps, 0), *common)

    def every(recipes: Recipe, members: Member, *common: Any) -> Any:
        return by_group(lambda pair: some(pair, *common), (recipes, members), slots, group)

    return run if group == slots else every


def by_group(function: Callable[[Any], Any], tree: Tree, slots: int, group: int) -> Any:
    """A function of ``group`` slots applied to one group of a tree of ``slots`` after another."""
    groups = jax.tree.map(lambda a: a.reshape(-1, group, *a.shape[1:]), tree)
    found = lax.map(function, groups)
    return jax.tree.map(lambda a: a.reshape(slots, *a.shape[2:]), found)


def group_size(slots: int, most: int) -> int:
    """How many of ``slots`` run together: at most ``most``, in equal groups that are not tiny."""
    even = max(n for n in range(1, min(slots, most) + 1) if slots % n == 0)
    return even if 2 * even >= most else slots


def _start(recipe: Recipe, work: Work) -> Member:
    return members_.start(recipe, work)._replace(seen=nothing(recipe, work))


def _fresh(
    recipes: Recipe, members: Member, which: Array, work: Work, slots: int, group: int
) -> Member:
    """New members where ``which``; groups without any are left as they are."""

    def some(part: tuple[Recipe, Member, Array]) -> Member:
        recipes, members, which = part
        drawn = jax.vmap(partial(_start, work=work))
        return lax.cond(
            jnp.any(which),
            lambda: jax.vmap(select)(which, drawn(recipes), members),
            lambda: members,
        )

    after: Member = by_group(some, (recipes, members, which), slots, group)
    return after


def _gather(members: Member, where: Array) -> Member:
    return jax.tree.map(lambda a: a[where], members)


def _clear(members: Member, which: Array) -> Member:
    return members._replace(status=jnp.where(which, jnp.int32(Status.EMPTY), members.status))


def _chunk(
    recipes: Recipe,
    members: Member,
    data: Batches,
    validation: Batches | None,
    orders: Array,
    counts: Array,
    plan: Plan,
    slots: int,
    group: int,
) -> tuple[Member, dict[str, Array]]:
    """Up to ``epochs`` epochs; stops early when no member on this device trains any more.

    Args:
        orders: (E, S, B) rows of each batch of each epoch.
        counts: (2 + E,) int32: how many of the E epochs to run, and of each epoch's S steps; then
            at which step of each epoch signals begin to be gathered, S for none.
        group: how many of the slots run together.

    Returns:
        the members, and their Info: (K, E, ...) arrays, NaN for epochs not run.
    """

    epochs, steps, looks = counts[0], counts[1], counts[2:]

    def one(
        recipe: Recipe, member: Member, steps: Array, order: Array, look: Array
    ) -> tuple[Member, Tree]:
        span = Span(steps, jnp.int32(0), look)
        return run_epoch(
            recipe, member, data, validation, order, span, plan.work, together=group > 1
        )

    # Inlined, but traced once, though it is asked for its shapes before it is used.
    run = jax.jit(over_members(one, plan.layout, group), inline=True)
    every = jax.jit(in_groups(run, slots, group), inline=True)

    def going(carry: tuple[Array, Member, Tree]) -> Array:
        e, now, _ = carry
        return (e < epochs) & jnp.any(now.status == Status.RUNNING)

    def body(carry: tuple[Array, Member, Tree]) -> tuple[Array, Member, Tree]:
        e, now, log = carry
        now, info = every(recipes, now, steps, orders[e], looks[e])
        log = jax.tree.map(lambda column, value: column.at[:, e].set(value), log, info)
        return e + 1, now, log

    shapes = jax.eval_shape(every, recipes, members, steps, orders[0], looks[0])[1]
    log = jax.tree.map(
        lambda s: jnp.full((slots, plan.epochs, *s.shape[1:]), jnp.nan, s.dtype), shapes
    )
    _, members, log = lax.while_loop(going, body, (jnp.int32(0), members, log))
    return members, log


def _block(
    recipes: Recipe,
    members: Member,
    data: Batches,
    order: Array,
    span: Span,
    plan: Plan,
    slots: int,
) -> Member:
    together = plan.layout == "batched" and slots > 1
    steps_ = partial(run_steps, work=plan.work, together=together)
    run = over_members(steps_, plan.layout, slots)
    after: Member = run(recipes, members, data, order, span)
    return after


def _finish(
    recipes: Recipe, members: Member, validation: Batches | None, plan: Plan, slots: int
) -> tuple[Member, dict[str, Array]]:
    end = over_members(partial(end_epoch, work=plan.work), plan.layout, slots)
    after: tuple[Member, dict[str, Array]] = end(recipes, members, validation)
    return after


@dataclass
class Programs:
    """The compiled programs of one signature, made when first needed.

    Attributes:
        mesh: the devices; plan: what is compiled.
        compilations: how many programs were compiled, by name.
    """

    mesh: Mesh
    plan: Plan
    compilations: dict[str, int] = field(default_factory=dict)
    _compiled: dict[str, Any] = field(default_factory=dict)
    _shapes: Member | None = None

    def _get(self, name: str, build: Callable[[], Any], *arguments: Any) -> Any:
        if name not in self._compiled:
            lowered = build().lower(*arguments)
            self._compiled[name] = lowered.compile(compiler_options=self._options(name))
            self.compilations[name] = self.compilations.get(name, 0) + 1
            COMPILED[name] += 1
        return self._compiled[name]

    def _options(self, name: str) -> dict[str, Any]:
        """Compiler options on CPUs.

        Programs that run once for a member are compiled fast rather than made fast: that saves half
        a second of a first fit, but not where many slots are refilled again and again. Those that
        train look closer at which copies of the weights a loop needs: that takes 10 to 20 % off the
        step of a small network (Adam's state is not copied).
        """
        if self.mesh.devices.flat[0].platform != "cpu":
            return {}
        if name in ("fresh", "gather", "clear"):
            return {"xla_backend_optimization_level": int(self._slots > TOGETHER)}
        return {"xla_cpu_copy_insertion_use_region_analysis": True}

    def _mapped(self, function: Any, inputs: tuple[Any, ...], outputs: Any, donate: int) -> Any:
        spread = jax.shard_map(
            function, mesh=self.mesh, in_specs=inputs, out_specs=outputs, check_vma=False
        )
        return jax.jit(spread, donate_argnums=(donate,))

    @property
    def _divided(self) -> bool:
        return self.plan.layout == "divided"

    @property
    def _own(self) -> PartitionSpec:
        """How the arrays of the members lie on the devices."""
        return COPIED if self._divided else SPLIT

    @property
    def _slots(self) -> int:
        """Members on each device."""
        return 1 if self._divided else self.plan.slots // self.mesh.devices.size

    @property
    def group(self) -> int:
        """Slots next to each other that run together or, where none of them trains, not at all."""
        if self.plan.layout != "batched":
            return 1
        cpu = self.mesh.devices.flat[0].platform == "cpu"
        return group_size(self._slots, TOGETHER) if cpu else self._slots

    def fresh(self, recipes: Recipe, members: Member, which: Array) -> Member:
        """The pool with new members in the slots where ``which``, (K,) bool, is True."""
        function = partial(_fresh, work=self.plan.work, slots=self._slots, group=self.group)
        own = self._own
        program = self._get(
            "fresh",
            lambda: self._mapped(function, (own, own, own), own, 1),
            recipes,
            members,
            which,
        )
        after: Member = program(recipes, members, which)
        return after

    def gather(self, members: Member, where: Array) -> Member:
        """The pool with the member of slot where[k], (K,) int32, in slot k."""

        def build() -> Any:
            spread = NamedSharding(self.mesh, self._own)
            return jax.jit(_gather, donate_argnums=(0,), out_shardings=spread)

        after: Member = self._get("gather", build, members, where)(members, where)
        return after

    def clear(self, members: Member, which: Array) -> Member:
        """The pool with the chosen slots marked as empty."""
        own = self._own
        program = self._get(
            "clear", lambda: self._mapped(_clear, (own, own), own, 0), members, which
        )
        after: Member = program(members, which)
        return after

    def chunk_program(self, *arguments: Any) -> Any:
        """The compiled chunk, for its memory and for calling; arguments as for ``_chunk``."""
        function = partial(_chunk, plan=self.plan, slots=self._slots, group=self.group)
        own = self._own
        inputs = (own, own, COPIED, COPIED, COPIED, COPIED)
        return self._get("chunk", lambda: self._mapped(function, inputs, (own, own), 1), *arguments)

    def block(self, *arguments: Any) -> Member:
        """Some steps on a block of data; arguments as for ``_block``."""
        function = partial(_block, plan=self.plan, slots=self._slots)
        own = self._own
        inputs = (own, own, COPIED, COPIED, COPIED)
        program = self._get("block", lambda: self._mapped(function, inputs, own, 1), *arguments)
        after: Member = program(*arguments)
        return after

    def finish(self, *arguments: Any) -> tuple[Member, dict[str, Array]]:
        """The end of an epoch; arguments as for ``_finish``."""
        function = partial(_finish, plan=self.plan, slots=self._slots)
        own = self._own
        program = self._get(
            "finish",
            lambda: self._mapped(function, (own, own, COPIED), (own, own), 1),
            *arguments,
        )
        after: tuple[Member, dict[str, Array]] = program(*arguments)
        return after

    def empty_members(self, recipes: Recipe) -> Member:
        """K empty slots on the devices: all arrays zero, status EMPTY."""
        if self._shapes is None:
            one = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[1:], a.dtype), recipes)
            self._shapes = jax.eval_shape(partial(_start, work=self.plan.work), one)
        zeros = jax.tree.map(lambda s: np.zeros((self.plan.slots, *s.shape), s.dtype), self._shapes)
        empty: Member = self.put(
            zeros._replace(status=np.full(self.plan.slots, Status.EMPTY, np.int32)), members=True
        )
        return empty

    def put(self, tree: Tree, members: bool) -> Tree:
        """A tree of host arrays on the devices: where the members lie, or a copy on each."""
        sharding = NamedSharding(self.mesh, self._own if members else COPIED)
        return jax.device_put(tree, sharding)
