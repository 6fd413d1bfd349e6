"""One epoch of one member: its steps, then validation, schedule, stopping rules, and its Info.

Stopping is decided here, inside the compiled program, so that it depends on the member alone and
not on how many epochs a chunk runs before the host looks.
"""

import math
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from shoal.arrays import Array, Tree
from shoal.nets import Mode
from shoal.recipe import Recipe
from shoal.train import signals
from shoal.train.member import (
    TRAINING,
    VALIDATION,
    Member,
    Status,
    Watch,
    Work,
    additive,
    facts,
    new_sums,
    select,
)
from shoal.train.step import Batch, Look, learning_rate, row_weights, train_step

ACTIVATIONS_AT_ONCE = 2**21
"""Validation runs in blocks of as many examples as keep the widest layer below this."""


SIGNALS = "signals"


class Batches(NamedTuple):
    """Training data on the device.

    Attributes:
        x: (N, *in); t: (N,) or (N, T); w: (N,) weights, or None where all rows count the same. On
            the host until they are put on a device.
    """

    x: Any
    t: Any
    w: Any = None


class Span(NamedTuple):
    """Which steps of an epoch, or of a block of it, run.

    Attributes:
        steps: how many, from the first on; done: steps of the epoch before them.
        look: the step of the epoch at which signals begin to be gathered, S for none. All int32.
    """

    steps: Any
    done: Any
    look: Any


def run_steps(
    recipe: Recipe,
    member: Member,
    data: Batches,
    order: Array,
    span: Span,
    work: Work,
    together: bool,
) -> Member:
    """The member after some steps.

    Args:
        order: (S, B) rows of each batch, -1 for padding.
        span: which of the S steps to run.
        together: whether members are run by ``vmap``.
    """

    def body(s: Array, member: Member) -> Member:
        def at(moves: Array) -> Array:
            """The step of the epoch. From the member where it is alone: see ``Look``."""
            if together:
                return s + span.done
            return jnp.where(moves, member.sums.of("steps"), -1.0).astype(jnp.int32)

        def mask(at: Array) -> Array | None:
            return _rows(order[at - span.done], work)[1]

        look = Look(span.look, at, mask, together)
        return train_step(recipe, member, _batch(data, order[s], work), work, look)

    return lax.fori_loop(0, span.steps, body, member)


def _rows(order: Array, work: Work) -> tuple[Array, Array | None]:
    """The rows of one batch, (B,), those of this device where several share it, and their mask."""
    rows = Mode(True, devices=work.devices).rows(order)
    return rows, rows >= 0 if work.ragged else None


def _batch(data: Batches, order: Array, work: Work) -> Batch:
    """The examples of one batch; ``order``: (B,) rows, -1 for padding."""
    rows, mask = _rows(order, work)
    at = jnp.maximum(rows, 0) if work.ragged else rows
    found = jax.tree.map(lambda a: a.at[at].get(mode="promise_in_bounds"), data)
    return Batch(found.x, found.t, found.w, mask)


def end_epoch(
    recipe: Recipe,
    member: Member,
    validation: Batches | None,
    work: Work,
) -> tuple[Member, dict[str, Array]]:
    """The member after the bookkeeping of an epoch, and its Info: what people read about it.

    The Info of a member that does not train is NaN. With signals it has an array under ``SIGNALS``,
    what ``signals.raw`` gives.
    """
    running = member.status == Status.RUNNING
    info = _training_info(recipe, member, work)
    if validation is not None:
        info |= _validation_info(recipe, member, validation, work)
    watched = info["validation_loss"] if validation is not None else info["train_loss"]
    watch = _observe(member.watch, member.epoch, info["train_loss"], watched, recipe)
    improved = watch.best_epoch > member.watch.best_epoch
    current = (member.parameters, member.statistics)
    after = member._replace(
        schedule=recipe.schedule.observe(member.schedule, watched),
        best=select(improved, current, member.best) if member.best else (),
        watch=watch,
        sums=new_sums(recipe, work),
        epoch=member.epoch + 1,
        status=_decide(recipe, watch, member.epoch + 1),
    )
    if work.signals != "none":
        info[SIGNALS] = signals.raw(member)
    shown = {name: jnp.where(running, value, jnp.nan) for name, value in info.items()}
    return select(running, after, member), shown


def _training_info(recipe: Recipe, member: Member, work: Work) -> dict[str, Array]:
    sums, known = member.sums, facts(recipe, work, TRAINING)
    steps = sums.of("steps")
    info = {"train_loss": sums.of("loss") / sums.of("rows")}
    for metric, values in zip(additive(work), sums.metrics(work, known), strict=True):
        info[f"train_{metric.name}"] = metric.value(values, known)
    if recipe.penalised:
        info["penalty"] = sums.of("penalty") / steps
    info["learning_rate"] = learning_rate(recipe, member._replace(step=member.step - 1), work)
    info["gradient_norm"] = sums.of("norm") / steps
    return info


def _validation_info(
    recipe: Recipe, member: Member, validation: Batches, work: Work
) -> dict[str, Array]:
    z = outputs(recipe, member.parameters, member.statistics, validation.x, work)
    known = facts(recipe, work, VALIDATION)
    counts, weights = row_weights(Batch(validation.x, validation.t, validation.w, None), work)
    losses = recipe.loss.per_example(z, validation.t)
    info = {"validation_loss": jnp.sum(losses * weights) / jnp.sum(weights)}
    for metric in work.metrics:
        sums = metric.sums(z, validation.t, counts, known)
        info[f"validation_{metric.name}"] = metric.value(sums, known)
    return info


def outputs(recipe: Recipe, parameters: Tree, statistics: Tree, x: Array, work: Work) -> Array:
    """What the network gives for all of ``x``, (N, C), block by block to bound the memory.

    Where devices share the batches they share this work too.
    """
    if work.devices is not None:
        share = -(-x.shape[0] // lax.axis_size(work.devices))
        missing = share * lax.axis_size(work.devices) - x.shape[0]
        part = Mode(False, devices=work.devices).rows(_lengthened(x, missing))
        alone = replace(work, devices=None)
        z = outputs(recipe, parameters, statistics, part, alone)
        return lax.all_gather(z, work.devices, tiled=True)[: x.shape[0]]
    rows = x.shape[0]
    widest = max(math.prod(shape) for shape in recipe.body.shapes(work.in_shape))
    blocks = -(-rows // max(1, min(rows, ACTIVATIONS_AT_ONCE // widest)))
    size = -(-rows // blocks)

    def block(part: Array) -> Array:
        mode = Mode(False, narrow=work.narrow)
        return recipe.body.apply(parameters, statistics, part, mode)[0].astype(work.dtype)

    if blocks == 1:
        return block(x)
    z = lax.map(block, _lengthened(x, blocks * size - rows).reshape(blocks, size, *x.shape[1:]))
    return z.reshape(blocks * size, *z.shape[2:])[:rows]


def _lengthened(x: Array, rows: int) -> Array:
    """``x`` with so many rows of zeros after it."""
    return jnp.concatenate([x, jnp.zeros((rows, *x.shape[1:]), x.dtype)]) if rows else x


def _observe(watch: Watch, epoch: Array, train: Array, watched: Array, recipe: Recipe) -> Watch:
    rule = recipe.early_stopping
    margin = rule.min_change if rule is not None else 0.0
    better = watched < watch.best - margin
    threshold = recipe.convergence.threshold if recipe.convergence is not None else 0.0
    calm = jnp.abs(train - watch.last) < threshold
    return Watch(
        best=jnp.where(better, watched, watch.best),
        waited=jnp.where(better, 0, watch.waited + 1),
        best_epoch=jnp.where(better, epoch + 1, watch.best_epoch),
        last=train,
        calm=jnp.where(calm, watch.calm + 1, 0),
    )


def _decide(recipe: Recipe, watch: Watch, epochs: Array) -> Array:
    """The status after an epoch; the first rule that holds, from the top, gives the reason."""
    status = jnp.where(epochs >= recipe.epochs, jnp.int32(Status.EPOCH_LIMIT), Status.RUNNING)
    if recipe.convergence is not None:
        converged = watch.calm >= recipe.convergence.epochs
        status = jnp.where(converged, jnp.int32(Status.CONVERGED), status)
    if recipe.early_stopping is not None:
        stale = watch.waited > recipe.early_stopping.patience
        status = jnp.where(stale, jnp.int32(Status.EARLY_STOP), status)
    return status


def run_epoch(
    recipe: Recipe,
    member: Member,
    data: Batches,
    validation: Batches | None,
    order: Array,
    span: Span,
    work: Work,
    together: bool,
) -> tuple[Member, dict[str, Array]]:
    """Some steps and, after them, the end of the epoch."""
    member = run_steps(recipe, member, data, order, span, work, together)
    return end_epoch(recipe, member, validation, work)
