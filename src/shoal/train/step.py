"""One step of one member: forward, loss, backward, clip, update. Everything is pure.

The objective of a batch of m examples, m being the sum of their weights where they have any, is

    mean loss + l2 / (2 m) · sum of squared weights + l1 / m · sum of absolute weights

Finiteness is checked before an update is taken: a step whose objective or gradient is not finite
changes nothing, and the member is marked and trains no more. The check costs the norm of the
gradient, which is recorded anyway. A single number that the update itself would make infinite or
NaN (0 / 0 in an optimiser with epsilon = 0, say) stays as it is, so weights are always finite.
"""

from collections.abc import Callable
from functools import reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from shoal.arrays import Array, Tree, magnitude
from shoal.nets import Mode, compose
from shoal.optim.schedules import Clock
from shoal.recipe import Recipe
from shoal.train.gathering import Seen, gather, hidden
from shoal.train.member import (
    ADDED,
    GREATEST,
    TRAINING,
    Member,
    Status,
    Sums,
    Work,
    additive,
    facts,
    select,
)


class Batch(NamedTuple):
    """The examples of one step; where devices share the batch, their part.

    Attributes:
        x: (B, *in) inputs; t: (B,) or (B, T) targets.
        w: (B,) weights, or None where all rows count the same.
        mask: (B,) bool, False for padding; None when the batch is full.
    """

    x: Array
    t: Array
    w: Array | None
    mask: Array | None


class Look(NamedTuple):
    """Whether what the layers do is gathered in a step.

    Programs on CPUs hand work to other threads where more than a few operations are ready, which
    takes longer than a step of a small network. So what decides here is known late, and what is
    needed only in the branch is computed there.

    Attributes:
        start: the first step of the epoch that is looked at.
        at: the step of the epoch, from whether the member moves; of members run by ``vmap`` it does
            not depend on that, so that all agree.
        mask: of the batch of a step.
        together: whether members are run by ``vmap``.
    """

    start: Array
    at: Callable[[Array], Array]
    mask: Callable[[Array], Array | None]
    together: bool


def train_step(
    recipe: Recipe, member: Member, batch: Batch, work: Work, look: Look | None = None
) -> Member:
    """The member after one more batch; unchanged when it does not train.

    Args:
        recipe: its numbers may be tracers.
        member: one member, not stacked.
        batch: the examples.
        work: the static side.
        look: whether what the layers do is gathered; None for never.
    """
    decays = recipe.body.decays(work.in_shape)
    passed = _passes(recipe, member, batch, work, decays)
    value, norm, clip = passed.value, passed.norm, recipe.clip
    gradient = passed.gradient
    if clip is not None:
        gradient = jax.tree.map(lambda g: clip.clip(g, norm), gradient)
    rate = learning_rate(recipe, member, work)
    optimiser = recipe.optimiser.transformation(rate, decays)

    def updated(**search: Any) -> tuple[Tree, Tree]:
        with jax.numpy_dtype_promotion("standard"):  # optax counts in integers, corrects in floats
            found = optimiser.update(gradient, member.optimiser, member.parameters, **search)
        return found[0], found[1]

    search: dict[str, Any] = {}
    if recipe.optimiser.searches:
        search = {"value": value, "grad": gradient, "value_fn": passed.whole}
    update, state = updated(**search)

    running = member.status == Status.RUNNING
    # The last is the length of a plain step: a rate can be too large for any gradient.
    finite = jnp.isfinite(value) & jnp.isfinite(norm) & jnp.isfinite(rate * norm)
    early = moves = running & finite
    seen = member.seen
    if work.signals != "none" and look is not None:

        def trees() -> tuple[Tree, Tree, Tree]:
            once = not recipe.optimiser.searches
            return passed.gradient, updated()[0] if once else gradient, member.parameters

        seen, moves = _looked(recipe, member, batch, work, look, passed, trees, moves)
    moved = member._replace(
        parameters=_finite(optax.apply_updates(member.parameters, update), member.parameters),
        statistics=_finite(passed.statistics, member.statistics),
        optimiser=_finite(state, member.optimiser),
        seen=(),
    )
    dead = jnp.where(running, jnp.int32(Status.NOT_FINITE), member.status)
    return select(moves, moved, member._replace(seen=()))._replace(
        sums=select(early, _add(member.sums, passed, recipe), member.sums),
        seen=seen,
        step=jnp.where(early, member.step + 1, member.step),
        status=jnp.where(early, member.status, dead),
    )


class _Passed(NamedTuple):
    """What the forward and the backward pass of a step give.

    Attributes:
        outputs: of every layer; statistics: after the step.
        sums: of the losses, then of each additive metric, over all rows of the batch.
        m: sum of the weights of the batch; penalty: of the weights; value: of the objective.
        gradient: before clipping; norm: its length.
        mode: how the network was run.
        whole: the objective as a function of the parameters.
    """

    outputs: list[Array]
    statistics: Tree
    sums: tuple[Array, ...]
    m: Array
    penalty: Array
    value: Array
    gradient: Tree
    norm: Array
    mode: Mode
    whole: Callable[[Tree], Array]


def _passes(recipe: Recipe, member: Member, batch: Batch, work: Work, decays: Tree) -> _Passed:
    """Forward, loss, backward; where devices share the batch, added up over them."""
    counts, weights = row_weights(batch, work)
    mode = Mode(True, step_key(recipe, member), batch.mask, work.devices, work.narrow)
    m = _size(batch, weights, mode, work)

    def objective(parameters: Tree) -> tuple[Array, tuple[tuple[Array, ...], Tree, list[Array]]]:
        """This device's share of the mean loss."""
        layers = recipe.body.layers
        outputs, statistics = compose.run_all(layers, parameters, member.statistics, batch.x, mode)
        z = outputs[-1].astype(work.dtype)
        total = jnp.sum(recipe.loss.per_example(z, batch.t) * weights)
        sums = _batch_sums(recipe, total, z, batch.t, counts, work)
        return total / m, (sums, statistics, outputs)

    def whole(parameters: Tree) -> Array:
        return objective(parameters)[0] + weight_penalty(parameters, recipe, m, decays)

    (_, (sums, statistics, outputs)), gradient = jax.value_and_grad(objective, has_aux=True)(
        member.parameters
    )
    gradient, sums = mode.total((gradient, sums))
    penalty = jnp.zeros_like(m)
    if recipe.penalised:
        penalty = weight_penalty(member.parameters, recipe, m, decays)
        gradient = _pulled(gradient, member.parameters, recipe, m, decays)
    value, norm = sums[0] / m + penalty, jnp.sqrt(squared_norm(gradient))
    return _Passed(outputs, statistics, sums, m, penalty, value, gradient, norm, mode, whole)


def _looked(
    recipe: Recipe,
    member: Member,
    batch: Batch,
    work: Work,
    look: Look,
    passed: _Passed,
    trees: Callable[[], tuple[Tree, Tree, Tree]],
    moves: Array,
) -> tuple[Seen, Array]:
    """What has been gathered after a step, and whether the member moves, as it was.

    The second is made to depend on the first: then the update may overwrite the weights in place.
    """
    at = look.at(moves)

    def taken() -> tuple[Seen, Array]:
        here = passed.mode._replace(mask=look.mask(at))
        read = _outputs_read(recipe, member, batch.x, passed.outputs, here, work)
        clip, cut = recipe.clip, _clipped(recipe, passed.norm)
        if clip is not None and not clip.by_norm:
            cut = clip.clips(passed.gradient, passed.norm).astype(work.dtype)
        ends = (at == look.start, at == work.steps - 1)
        new = gather(member.seen, read, trees, cut, *ends, recipe, here, work)
        return select(moves, new, member.seen), moves & (new.added[0] > 0)

    found: tuple[Seen, Array] = lax.cond(at >= look.start, taken, lambda: (member.seen, moves))
    return found


def _outputs_read(
    recipe: Recipe, member: Member, x: Array, outputs: list[Array], mode: Mode, work: Work
) -> list[Array]:
    """The outputs of the layers, for gathering.

    Those that a step keeps nowhere are computed again, because to keep them would be an operation
    of every step: the last one, a part of the loss, and those before activations, a part of these.
    """
    read: list[Array] = []
    for index, (name, layer) in enumerate(compose.named(recipe.body.layers)):
        y = outputs[index]
        if index == len(outputs) - 1 or (work.signals == "full" and hidden(recipe, index)):
            before = read[-1] if read else x
            own, kept = member.parameters, member.statistics
            y = compose.run_one(index, name, layer, own, kept, before, mode)[0]
        read.append(y)
    return read


def _finite(new: Tree, old: Tree) -> Tree:
    """The new arrays, with the old number wherever the new one is not finite."""

    def keep(a: Array, b: Array) -> Array:
        return jnp.where(jnp.isfinite(a), a, b) if jnp.issubdtype(a.dtype, jnp.inexact) else a

    return jax.tree.map(keep, new, old)


def _clipped(recipe: Recipe, norm: Array) -> Array:
    """1 where a gradient of this norm is clipped, else 0; 0 too where the norm does not say."""
    clip = recipe.clip
    if clip is None or not clip.by_norm:
        return jnp.zeros_like(norm)
    return clip.clips({}, norm).astype(norm.dtype)


def row_weights(batch: Batch, work: Work) -> tuple[Array, Array]:
    """How much each row counts in metrics, and in the loss, (B,) each: 0 for padding."""
    counts = jnp.ones(batch.x.shape[0], work.dtype) if batch.w is None else batch.w
    if batch.mask is not None:
        counts = counts * batch.mask.astype(work.dtype)
    if not work.class_weights:
        return counts, counts
    by_class = jnp.asarray(work.class_weights, work.dtype)
    if batch.t.ndim == 1:
        return counts, counts * by_class[batch.t]
    if batch.t.shape[-1] == 1:  # the probability of the second of two classes
        return counts, counts * jnp.where(batch.t[:, 0] > 0.5, by_class[1], by_class[0])
    return counts, counts * (batch.t @ by_class)


def _size(batch: Batch, weights: Array, mode: Mode, work: Work) -> Array:
    """m, the sum of the weights of a batch; without weights, the number of its examples."""
    if batch.mask is None and batch.w is None and not work.class_weights:
        return jnp.asarray(work.batch, work.dtype)
    return jnp.maximum(mode.total(jnp.sum(weights)), jnp.finfo(work.dtype).tiny)


def step_key(recipe: Recipe, member: Member) -> Array | None:
    """Randomness of this step: a function of the member's seed and its own steps alone."""
    if not recipe.body.random:
        return None
    key = jax.random.fold_in(jax.random.key(recipe.seed), 1)
    return jax.random.fold_in(key, member.step)


def weight_penalty(parameters: Tree, recipe: Recipe, m: Array, decays: Tree) -> Array:
    """The penalties of a batch of m examples on the weights that decay."""
    chosen = jax.tree.map(lambda w, d: w if d else None, parameters, decays)
    total = jnp.zeros_like(m)
    if recipe.l2 is not None:
        total = total + 0.5 * recipe.l2 / m * squared_norm(chosen)
    if recipe.l1 is not None:
        lengths = [jnp.sum(magnitude(weights)) for weights in jax.tree.leaves(chosen)]
        total = total + recipe.l1 / m * reduce(jnp.add, lengths)
    return total


def _pulled(gradient: Tree, parameters: Tree, recipe: Recipe, m: Array, decays: Tree) -> Tree:
    """The gradient with that of ``weight_penalty`` added.

    By hand, one multiplication for each weight: derived by the compiler it takes a seventh of the
    step of a small network. At 0 the absolute value has derivative 0.
    """

    def pull(g: Array, w: Array, decays: bool) -> Array:
        if decays and recipe.l2 is not None:
            g = g + recipe.l2 / m * w
        if decays and recipe.l1 is not None:
            g = g + recipe.l1 / m * jnp.sign(w)
        return g

    return jax.tree.map(pull, gradient, parameters, decays)


def squared_norm(tree: Tree) -> Array:
    """Sum of the squares of all numbers of a tree."""
    return reduce(jnp.add, [jnp.vdot(leaf, leaf) for leaf in jax.tree.leaves(tree)])


def learning_rate(recipe: Recipe, member: Member, work: Work) -> Array:
    """The rate of the next step: the optimiser's times the schedule's factor."""
    dtype = work.dtype
    steps = jnp.asarray(work.steps, dtype)
    time = member.step.astype(dtype) / steps
    clock = Clock(time, jnp.asarray(recipe.epochs, dtype), steps)
    rate = jnp.asarray(recipe.optimiser.learning_rate, dtype)
    return rate * recipe.schedule.factor_at(member.schedule, clock)


def _batch_sums(
    recipe: Recipe, total: Array, z: Array, t: Array, counts: Array, work: Work
) -> tuple[Array, ...]:
    """Sum of the losses, then the sums of each additive metric, over the rows here."""
    known = facts(recipe, work, TRAINING)
    return (total, *(metric.sums(z, t, counts, known) for metric in additive(work)))


def _add(sums: Sums, passed: _Passed, recipe: Recipe) -> Sums:
    """The sums of the epoch with one more batch."""
    total, *metrics = passed.sums
    mean_loss, norm = total / passed.m, passed.norm
    step = {
        "loss": total,
        "rows": passed.m,
        "penalty": passed.penalty,
        "norm": norm,
        "steps": jnp.ones_like(norm),
        "batch_loss": mean_loss,
        "batch_loss_square": mean_loss**2,
        "clipped": _clipped(recipe, norm),
        "greatest_norm": norm,
        "greatest_loss": mean_loss,
    }
    parts = [step[name] for name in ADDED]
    parts += [number for values in metrics for number in values.reshape(-1)]
    parts += [step[name] for name in GREATEST]
    # Chosen one by one rather than stacked, which compilers of CPUs do in one operation.
    place, new = np.arange(len(parts)), jnp.zeros(len(parts), total.dtype)
    for i, part in enumerate(parts):
        new = jnp.where(place == i, part, new)
    greatest = place >= len(parts) - len(GREATEST)
    return Sums(jnp.where(greatest, jnp.maximum(sums.numbers, new), sums.numbers + new))
