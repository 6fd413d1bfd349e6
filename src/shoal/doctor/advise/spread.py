"""Spread: how the size of signals and of gradients changes through depth, before any training.

For layer l with outputs y_l, on one batch of B examples:

    forward   standard deviation of all numbers of y_l
    backward  root mean square of the gradient of the mean loss by y_l, times B

A good start keeps both about level: a ratio of 1e-3 between the ends means that the first layers
hear almost nothing of the error (Glorot and Bengio 2010, section 4.2).
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from shoal.arrays import Array, Numbers, stack
from shoal.data.preparation import Prepared
from shoal.nets import Mode, compose
from shoal.nets.layer import Weight
from shoal.recipe import Recipe

ROWS = 256


class Spread(NamedTuple):
    """Signals through depth of K networks of one signature.

    Attributes:
        layers: names of the L layers with weights.
        forward, backward: (K, L) as above, at the outputs of these layers.
    """

    layers: tuple[str, ...]
    forward: Numbers
    backward: Numbers


def spread(recipes: Sequence[Recipe], prepared: Prepared) -> Spread:
    """The spread of recipes of one signature before training, on the first rows of the split."""
    dtype = recipes[0].dtype
    rows = prepared.parts.train[:ROWS]
    x, t = prepared.encoded(rows, dtype)
    shape = prepared.inputs.out_shape
    layers = _weighted(recipes[0], shape)
    with jax.enable_x64(dtype.itemsize == 8):
        run = jax.jit(jax.vmap(lambda r: _one(r, jnp.asarray(x), jnp.asarray(t), shape)))
        forward, backward = run(stack(list(recipes), dtype))
    places = [place for place, _ in layers]
    names = tuple(name for _, name in layers)
    return Spread(names, np.asarray(forward)[:, places], np.asarray(backward)[:, places])


def _weighted(recipe: Recipe, shape: tuple[int, ...]) -> list[tuple[int, str]]:
    """Places and names of the layers that hold weights which decay."""
    found = []
    for place, (name, layer, before) in enumerate(recipe.body.inside(shape)):
        weights = jax.tree.leaves(layer.parameters(before), is_leaf=lambda w: isinstance(w, Weight))
        if any(weight.decays for weight in weights):
            found.append((place, name))
    return found


def _one(recipe: Recipe, x: Array, t: Array, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """(L,) spreads forward and backward of every layer of one network."""
    body = recipe.body
    parameters, statistics = body.init(jax.random.key(recipe.seed), shape, x.dtype)
    key = jax.random.fold_in(jax.random.key(recipe.seed), 3) if body.random else None
    mode = Mode(True, key, narrow=recipe.precision == "bfloat16")
    names = list(compose.named(body.layers))

    def loss(nudges: list[Array]) -> tuple[Array, list[Array]]:
        """The mean loss with something added to the output of each layer."""
        y, outputs = x, []
        for index, (name, layer) in enumerate(names):
            y, _ = compose.run_one(index, name, layer, parameters, statistics, y, mode)
            y = y + nudges[index].astype(y.dtype)
            outputs.append(y)
        return jnp.mean(recipe.loss.per_example(y.astype(x.dtype), t)), outputs

    shapes = body.shapes(shape)[1:]
    zeros = [jnp.zeros((x.shape[0], *s), x.dtype) for s in shapes]
    gradients, outputs = jax.grad(loss, has_aux=True)(zeros)
    forward = jnp.stack([jnp.std(y.astype(x.dtype)) for y in outputs])
    backward = jnp.stack([jnp.sqrt(jnp.mean(g**2)) for g in gradients])
    return forward, backward * x.shape[0]
