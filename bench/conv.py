"""Formulations of convolution, each alone in a compiled loop, every core on its own images.

The borders in ``shoal.nets.convolution`` were taken from this table and from whole steps.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, PartitionSpec

from common import alternate, report, timed
from shoal.nets import formulations as f
from shoal.nets.formulations import Plan
from shoal.nets.shapes import Axis

IMAGES, REPEATS = 32, 20
SHAPES = [(28, 3, 1, 16), (28, 5, 1, 6), (28, 3, 3, 32), (14, 3, 16, 32), (28, 5, 6, 16)]
"""Side of the image, side of the kernel, channels, filters."""


def by_jax(argument: int):
    """The derivative that JAX makes of the plain operation, as a function like ours."""

    def gradient(a, b, plan: Plan):
        if argument == 0:  # a is dy, b the kernel
            like = jax.ShapeDtypeStruct((*a.shape[:3], b.shape[2]), a.dtype)
            return jax.linear_transpose(lambda x: f.plain(x, b, plan), like)(a)[0]
        like = jax.ShapeDtypeStruct((*kernel(plan), a.shape[-1], b.shape[-1]), a.dtype)
        return jax.linear_transpose(lambda w: f.plain(a, w, plan), like)(b)[0]

    return gradient


def kernel(plan: Plan) -> tuple[int, ...]:
    return tuple(axis.kernel for axis in plan.axes)


FORWARD = {"plain": f.plain, "taps": f.by_taps, "patches": f.by_patches}
INPUT = {"ours": f.input_gradient, "JAX": by_jax(0)}
KERNEL = {"ours": f.kernel_gradient, "JAX": by_jax(1)}


def looped(function, a, b, plan: Plan):
    """An arm: seconds for one call of ``function``.

    Each call changes both arguments of the next a little, so that nothing can be done once for
    all; that pass over them is part of the time of every formulation.
    """
    mesh = Mesh(np.array(jax.devices()), ("devices",))

    def body(_, pair):
        change = 1e-9 * jnp.mean(function(*pair, plan))
        return pair[0] + change, pair[1] + change

    spread = jax.shard_map(
        lambda *pair: lax.fori_loop(0, REPEATS, body, pair),
        mesh=mesh, in_specs=PartitionSpec(), out_specs=PartitionSpec(), check_vma=False,
    )  # fmt: skip
    compiled = jax.jit(spread).lower(a, b).compile()
    return timed(lambda: jax.block_until_ready(compiled(a, b)), REPEATS)


def main() -> None:
    import shoal  # noqa: F401  (shows JAX one device per core)

    rng = np.random.default_rng(0)
    for side, cells, channels, filters in SHAPES:
        same = (cells - 1) // 2
        plan = Plan((Axis(side, cells, 1, 1, same, same),) * 2, 1)
        x = jnp.asarray(rng.normal(size=(IMAGES, side, side, channels)).astype(np.float32))
        w = jnp.asarray(rng.normal(size=(cells, cells, channels, filters)).astype(np.float32))
        dy = f.plain(x, w, plan)
        arms = {f"forward, {n}": looped(g, x, w, plan) for n, g in FORWARD.items()}
        arms |= {f"input gradient, {n}": looped(g, dy, w, plan) for n, g in INPUT.items()}
        arms |= {f"kernel gradient, {n}": looped(g, x, dy, plan) for n, g in KERNEL.items()}
        times = {name: seconds * 1e3 for name, seconds in alternate(arms, 5).items()}
        title = f"{side}x{side}, {cells}x{cells}, {channels} to {filters} channels, {IMAGES}"
        report(f"{title} images on each core", times, "ms", [])


if __name__ == "__main__":
    main()
