"""One pass forward and backward of many freshly drawn networks at once: no training.

Computed in float64, because gradients of deep networks vanish below the smallest float32.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from shoal.arrays import Array, Numbers, Tree, stack
from shoal.data.dataset import Data
from shoal.losses import CrossEntropy
from shoal.nets import Mode, Net


class Pass(NamedTuple):
    """What one pass shows, for each network and seed.

    Attributes:
        deltas: (networks, seeds, layers) norm of the gradient of the loss with respect to the sums
            z, (B, U), that each Dense layer gives.
        weights: (networks, seeds, layers) norm of that with respect to its weights.
        spreads: (networks, seeds, layers) standard deviation of z.
    """

    deltas: Numbers
    weights: Numbers
    spreads: Numbers


def first_pass(nets: Sequence[Net], x: Numbers, t: Numbers, seeds: int) -> Pass:
    """Gradients of the cross-entropy of one batch, before any training.

    Args:
        nets: of one signature: they differ in traced numbers alone.
        x: (B, D) inputs; t: (B,) classes.
        seeds: how many times each is drawn.
    """
    loss, in_shape = CrossEntropy(), x.shape[1:]

    def one(net: Net, seed: Array) -> tuple[Array, ...]:
        parameters, statistics = net.init(jax.random.key(seed), in_shape, np.float64)
        inner = net.inside(in_shape)
        dense = [name for name, layer, _ in inner if layer.kind == "Dense"]
        # Zeros that are added to the sums: the gradient with respect to them is that of the sums.
        nudges = {
            name: jnp.zeros((len(x), *layer.output_shape(shape)))
            for name, layer, shape in inner
            if name in dense
        }

        def objective(parameters: Tree, nudges: Tree) -> tuple[Array, Array]:
            spreads, y = [], jnp.asarray(x)
            for name, layer, _ in inner:
                y, _ = layer.apply(
                    parameters.get(name, {}), statistics.get(name, {}), y, Mode(training=True)
                )
                if name in dense:
                    y = y + nudges[name]
                    spreads.append(jnp.std(y))
            return jnp.mean(loss.per_example(y, jnp.asarray(t))), jnp.stack(spreads)

        pull, spreads = jax.grad(objective, argnums=(0, 1), has_aux=True)(parameters, nudges)
        weights = jnp.stack([jnp.linalg.norm(pull[0][name]["weight"]) for name in dense])
        return jnp.stack([jnp.linalg.norm(pull[1][name]) for name in dense]), weights, spreads

    with jax.enable_x64(True):
        over_seeds = jax.vmap(one, in_axes=(None, 0))
        stacked = stack(list(nets), np.dtype(np.float64))
        found = jax.jit(jax.vmap(over_seeds, in_axes=(0, None)))(
            stacked, np.arange(seeds, dtype=np.int32)
        )
        return Pass(*(np.asarray(a) for a in found))


def standard_batch(data: Data, rows: int) -> tuple[Numbers, Numbers]:
    """The first rows of data and their classes, every feature with mean 0 and variance 1.

    Features that do not vary become 0.
    """
    x: Any = np.asarray(data.inputs[:rows], np.float64)
    spread = x.std(axis=0)
    return (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1.0), data.targets[:rows]
