"""First bad: at which step, in which layer and tensor a training stopped being finite.

A member that dies keeps its last finite state, and its batches are a pure function of two integers.
So the step at which it died is repeated here, outside of the compiled training, and its tensors are
looked at in the order in which they are computed:

    inputs, targets, weights, activation of each layer, loss of each example, loss, penalty,
    gradient of each layer (the last one first), norm of the gradient, length of the step

The first that is not finite is the source of all others. A healthy training costs nothing.
"""

from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from shoal.arrays import Array, Tree, stack
from shoal.data.preparation import Prepared
from shoal.nets import Mode, compose
from shoal.recipe import Recipe
from shoal.train import feed
from shoal.train.member import Work, start
from shoal.train.outcome import Failing
from shoal.train.settings import plan_work
from shoal.train.step import (
    Batch,
    learning_rate,
    row_weights,
    squared_norm,
    step_key,
    weight_penalty,
)


class FirstBad(NamedTuple):
    """The first tensor of a training that was not finite.

    Attributes:
        member: of the run, counted from 0.
        epoch, step: of the training, and within the epoch, counted from 1.
        layer: whose tensor it is; "" for those of the whole.
        tensor: "inputs", "targets", "weights", "activation", "loss of an example", "loss",
            "penalty", "gradient", "norm of the gradient", "length of the step"; "" where the
            repeated step was finite, as rounding on other devices can make it.
        share: of its numbers that are not finite.
        rows: of the data, up to ten whose numbers are bad; empty for tensors without rows.
    """

    member: int
    epoch: int
    step: int
    layer: str
    tensor: str
    share: float
    rows: tuple[int, ...]

    @property
    def sentence(self) -> str:
        """It in words."""
        when = f"epoch {self.epoch}, step {self.step}"
        if not self.tensor:
            return f"{when}: repeated, this step was finite; it was on the brink"
        of = f" of {self.layer}" if self.layer else ""
        which = f", rows {', '.join(map(str, self.rows))}" if self.rows else ""
        return f"{when}: the first bad tensor is the {self.tensor}{of} ({self.share:.0%}{which})"


class _Tensor(NamedTuple):
    layer: str
    tensor: str


def first_bad(
    recipe: Recipe, prepared: Prepared, failing: Failing, start_epoch: int, member: int
) -> FirstBad:
    """What was bad first in the step at which a member died.

    Args:
        prepared: the data, as it was trained on.
        failing: the last finite state; start_epoch: the global epoch at which the member began.
        member: its number, for the answer.
    """
    work = plan_work(recipe, prepared)
    epoch, step = divmod(failing.step, work.steps)
    positions = feed.order(work, recipe.order_seed, start_epoch + epoch)[step]
    rows = prepared.parts.train[np.maximum(positions, 0)]
    x, t, w = feed.load(prepared, rows, work)
    batch = Batch(x, t, w, positions >= 0 if work.ragged else None)
    dtype = np.dtype(work.dtype)
    with jax.enable_x64(True) if dtype.itemsize == 8 else nullcontext():
        numbers = jax.tree.map(lambda a: a[0], stack([recipe], dtype))
        shares, bad = jax.jit(partial(_finite_shares, work=work))(
            numbers, tuple(failing[:2]), np.int32(failing.step), batch
        )
    found = [(place, float(share)) for place, share in enumerate(shares) if share > 0]
    if not found:
        return FirstBad(member, epoch + 1, step + 1, "", "", 0.0, ())
    place, share = found[0]
    where, flags = _tensors(recipe)[place], np.asarray(bad[place])
    flagged = tuple(int(row) for row in rows[flags & (positions >= 0)][:10]) if flags.any() else ()
    return FirstBad(member, epoch + 1, step + 1, where.layer, where.tensor, share, flagged)


def _tensors(recipe: Recipe) -> list[_Tensor]:
    """What is looked at, in order."""
    layers = [name for name, _ in compose.named(recipe.body.layers)]
    return [
        *(_Tensor("", tensor) for tensor in ("inputs", "targets")),
        *(_Tensor(layer, "weights") for layer in layers),
        *(_Tensor(layer, "activation") for layer in layers),
        *(_Tensor("", tensor) for tensor in ("loss of an example", "loss", "penalty")),
        *(_Tensor(layer, "gradient") for layer in reversed(layers)),
        *(_Tensor("", tensor) for tensor in ("norm of the gradient", "length of the step")),
    ]


def _finite_shares(
    recipe: Recipe, held: tuple[Tree, Tree], step: Array, batch: Batch, work: Work
) -> tuple[Array, Array]:
    """For each of ``_tensors`` the share that is not finite, and which rows hold any, (n, B)."""
    rows = batch.x.shape[0]
    _, weights = row_weights(batch, work)
    parameters, statistics = held
    member = start(recipe, work)._replace(parameters=parameters, statistics=statistics, step=step)
    mode = Mode(True, step_key(recipe, member), batch.mask, None, work.narrow)
    m = jnp.maximum(jnp.sum(weights), jnp.finfo(work.dtype).tiny)
    layers = recipe.body.layers

    def objective(parameters: Tree) -> tuple[Array, tuple[list[Array], Array, Array]]:
        outputs, _ = compose.run_all(layers, parameters, member.statistics, batch.x, mode)
        losses = recipe.loss.per_example(outputs[-1].astype(work.dtype), batch.t)
        mean = jnp.sum(losses * weights) / m
        penalty = weight_penalty(parameters, recipe, m, recipe.body.decays(work.in_shape))
        return mean + penalty, (outputs, losses, penalty)

    gradient, (outputs, losses, penalty) = jax.grad(objective, has_aux=True)(member.parameters)
    mean = jnp.sum(losses * weights) / m
    norm = jnp.sqrt(squared_norm(gradient))
    names = [name for name, _ in compose.named(layers)]
    tensors: list[tuple[Any, bool]] = [(batch.x, True), (batch.t, True)]
    tensors += [(member.parameters.get(name, {}), False) for name in names]
    tensors += [(output, True) for output in outputs]
    tensors += [(losses, True), (mean, False), (penalty, False)]
    tensors += [(gradient.get(name, {}), False) for name in reversed(names)]
    tensors += [(norm, False), (learning_rate(recipe, member, work) * norm, False)]
    there = jnp.ones(rows, bool) if batch.mask is None else batch.mask
    pairs = [_looked_at(tree, there if by_rows else None, rows) for tree, by_rows in tensors]
    return jnp.stack([share for share, _ in pairs]), jnp.stack([bad for _, bad in pairs])


def _looked_at(tree: Tree, there: Array | None, rows: int) -> tuple[Array, Array]:
    """The share of the numbers of a tree that are not finite, and in which rows they are."""
    leaves = [a for a in jax.tree.leaves(tree) if jnp.issubdtype(jnp.result_type(a), jnp.inexact)]
    if not leaves:
        return jnp.zeros((), jnp.float32), jnp.zeros(rows, bool)
    bad = [~jnp.isfinite(a) for a in leaves]
    if there is None:
        counts = [jnp.sum(b.astype(jnp.float32)) for b in bad]
        return sum(counts[1:], counts[0]) / sum(b.size for b in bad), jnp.zeros(rows, bool)
    by_row = bad[0].reshape(rows, -1) & there[:, None]
    share = jnp.sum(by_row.astype(jnp.float32)) / jnp.maximum(
        jnp.sum(there.astype(jnp.float32)) * by_row.shape[1], 1.0
    )
    return share, jnp.any(by_row, axis=1)
