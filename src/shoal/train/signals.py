"""Signals: what each layer did over the last batches of an epoch, as numbers about its health.

After the steps of an epoch the network is run forward and backward once more over a window of its
last ``WINDOW`` batches, with the weights that the epoch left and without an update. For each layer,
over all examples of the window:

    activation_mean, activation_std   of its outputs
    dead                              share of its units whose output never varied
    saturated                         share of outputs within 5 % of the ends of a bounded range
    gradient_norm                     of its weights, mean over the window
    update_ratio                      |update| / |weights| that the optimiser would make of the last

A unit is a channel: an index of the last axis. ``dead`` is read behind activations and
``saturated`` behind those with two bounds; the last two where there are weights. The columns of the
record are named ``dense1:gradient_norm``. Nothing here changes the training.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from shoal.arrays import Array, Tree
from shoal.nets import Mode, compose
from shoal.nets.activation import Activation
from shoal.recipe import Recipe
from shoal.train.member import Member, Work
from shoal.train.step import Batch, learning_rate, row_weights, squared_norm

WINDOW = 4
NEAR = 0.05
"""Share of a bounded range, from each end, that counts as saturated."""


class Seen(NamedTuple):
    """What is gathered about the outputs of one layer.

    Attributes:
        numbers: how many; total, squares: their sum and that of their squares; near: how many
            lay near the ends of a bounded range.
        low, high: (units,) the least and the largest output of each unit.
    """

    numbers: Array
    total: Array
    squares: Array
    near: Array
    low: Array
    high: Array


def names(recipe: Recipe, work: Work) -> list[str]:
    """The columns of a record, in order; none where no signals are wanted."""
    if not work.signals:
        return []
    weights = compose.parameters(recipe.body.inside(work.in_shape))
    found = []
    for name, layer in compose.named(recipe.body.layers):
        found += [f"{name}:activation_mean", f"{name}:activation_std"]
        if isinstance(layer, Activation):
            found.append(f"{name}:dead")
            found += [f"{name}:saturated"] * _bounded(layer)
        if name in weights:
            found.append(f"{name}:gradient_norm")
            found += [f"{name}:update_ratio"] * (not recipe.optimiser.searches)
    return found


def _bounded(layer: Any) -> bool:
    """Whether an activation flattens at two finite ends."""
    return layer.facts.saturates == "both" and all(map(math.isfinite, layer.facts.range))


def read(recipe: Recipe, member: Member, batches: list[Batch], work: Work) -> dict[str, Array]:
    """The signals of a member, by column.

    Args:
        batches: the window, at least one batch.
    """
    if not work.signals:
        return {}
    layers = list(compose.named(recipe.body.layers))
    seen: list[Seen] | None = None
    norms: dict[str, Any] = {}
    for number, batch in enumerate(batches):
        found, gradient = _pass(recipe, member, batch, number, work)
        seen = found if seen is None else [_joined(a, b) for a, b in zip(seen, found, strict=True)]
        here = {name: jnp.sqrt(squared_norm(own)) for name, own in gradient.items()}
        norms = {name: norms.get(name, 0.0) + norm / len(batches) for name, norm in here.items()}
    assert seen is not None, "a window holds a batch"
    signals = {f"{name}:gradient_norm": norm for name, norm in norms.items()}
    signals |= _update_ratios(recipe, member, gradient, work)
    for (name, layer), one in zip(layers, seen, strict=True):
        signals |= _of_outputs(name, layer, one)
    return {name: signals[name] for name in names(recipe, work)}


def _pass(
    recipe: Recipe, member: Member, batch: Batch, number: int, work: Work
) -> tuple[list[Seen], Tree]:
    """What the layers gave for one batch, and the gradient of its mean loss by layer."""
    _, weights = row_weights(batch, work)
    mode = Mode(True, _key(recipe, member, number), batch.mask, work.devices, work.narrow)
    m = jnp.maximum(mode.total(jnp.sum(weights)), jnp.finfo(work.dtype).tiny)

    def objective(parameters: Tree) -> tuple[Array, list[Seen]]:
        x, seen = batch.x, []
        for index, (name, layer) in enumerate(compose.named(recipe.body.layers)):
            x, _ = compose.run_one(index, name, layer, parameters, member.statistics, x, mode)
            seen.append(_seen(layer, x.astype(work.dtype), mode))
        losses = recipe.loss.per_example(x.astype(work.dtype), batch.t)
        return jnp.sum(losses * weights) / m, seen

    gradient, seen = jax.grad(objective, has_aux=True)(member.parameters)
    return jax.lax.stop_gradient(seen), mode.total(gradient)


def _key(recipe: Recipe, member: Member, number: int) -> Array | None:
    """Randomness that no step of the training uses."""
    if not recipe.body.random:
        return None
    key = jax.random.fold_in(jax.random.key(recipe.seed), 2)
    return jax.random.fold_in(jax.random.fold_in(key, member.step), number)


def _seen(layer: Any, y: Array, mode: Mode) -> Seen:
    y = lax.stop_gradient(
        y.reshape(y.shape[0], -1, y.shape[-1]) if y.ndim > 1 else y[:, None, None]
    )
    real = jnp.ones(y.shape[0], bool) if mode.mask is None else mode.mask
    real = real[:, None, None]
    kept = jnp.where(real, y, 0.0)
    near = jnp.zeros_like(y)
    if isinstance(layer, Activation) and _bounded(layer):
        low, high = layer.facts.range
        edge = NEAR * (high - low)
        near = (real & ((y < low + edge) | (y > high - edge))).astype(y.dtype)
    count = jnp.sum(real.astype(y.dtype)) * (y.shape[1] * y.shape[2])
    numbers, total, squares, close = mode.total(
        (count, jnp.sum(kept), jnp.sum(kept**2), jnp.sum(near))
    )
    low_, high_ = (
        jnp.min(jnp.where(real, y, jnp.inf), axis=(0, 1)),
        jnp.max(jnp.where(real, y, -jnp.inf), axis=(0, 1)),
    )
    if mode.devices is not None:
        low_, high_ = lax.pmin(low_, mode.devices), lax.pmax(high_, mode.devices)
    return Seen(numbers, total, squares, close, low_, high_)


def _joined(a: Seen, b: Seen) -> Seen:
    added = jax.tree.map(jnp.add, a, b)
    return added._replace(low=jnp.minimum(a.low, b.low), high=jnp.maximum(a.high, b.high))


def _of_outputs(name: str, layer: Any, seen: Seen) -> dict[str, Array]:
    count = jnp.maximum(seen.numbers, 1.0)
    mean = seen.total / count
    spread = jnp.sqrt(jnp.maximum(seen.squares / count - mean**2, 0.0))
    return {
        f"{name}:activation_mean": mean,
        f"{name}:activation_std": spread,
        f"{name}:dead": jnp.mean((seen.low == seen.high).astype(mean.dtype)),
        f"{name}:saturated": seen.near / count,
    }


def _update_ratios(recipe: Recipe, member: Member, gradient: Tree, work: Work) -> dict[str, Array]:
    if recipe.optimiser.searches:
        return {}
    decays = recipe.body.decays(work.in_shape)
    rate = learning_rate(recipe, member, work)
    transformation = recipe.optimiser.transformation(rate, decays)
    with jax.numpy_dtype_promotion("standard"):
        update, _ = transformation.update(gradient, member.optimiser, member.parameters)
    update = optax.tree.cast(update, work.dtype)
    tiny = jnp.finfo(work.dtype).tiny
    return {
        f"{name}:update_ratio": jnp.sqrt(squared_norm(update[name]))
        / jnp.maximum(jnp.sqrt(squared_norm(own)), tiny)
        for name, own in member.parameters.items()
    }
