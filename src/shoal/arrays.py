"""Names of arrays and the notation used everywhere.

    K   members of a pool            (axis 0 of every array of a pool)
    N   examples (rows of data)      S   steps (batches) in an epoch
    B   examples in a batch          E   epochs in a chunk
    D   features of a flat input     T   values of one target
    C   classes, or channels         U   units of a layer
    H, W  height and width; images are (H, W, C), sequences (W, C): channels last

A shape in shoal leaves out the batch: the shape of a 28 x 28 grey image is (28, 28, 1).
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Array = jax.Array
Numbers = np.ndarray[Any, np.dtype[Any]]
"""An array on the host."""

Shape = tuple[int, ...]
"""The shape of one example, batch left out."""

Tree = Any
"""A nest of dictionaries and tuples with arrays at its leaves."""

DTYPES: dict[str, np.dtype[Any]] = {
    "float32": np.dtype(np.float32),
    "float64": np.dtype(np.float64),
    "bfloat16": np.dtype(np.float32),
}
"""In what weights are kept, by the precision of a recipe; bfloat16 only computes in it."""


def times(shape: Shape) -> str:
    """A shape as people write it.

    >>> times((7, 7, 3)), times((64,)), times(())
    ('7x7x3', '64', 'a single number')
    """
    return "x".join(map(str, shape)) if shape else "a single number"


def size(shape: Shape) -> int:
    """How many numbers an array of this shape holds.

    >>> size((7, 7, 3)), size(())
    (147, 1)
    """
    total = 1
    for length in shape:
        total *= length
    return total


def flatten(tree: Tree, separator: str = "/") -> dict[str, Any]:
    """The leaves of a nest of dictionaries, tuples and named tuples by their path.

    >>> flatten({"dense1": {"weight": 1, "bias": 2}})
    {'dense1/bias': 2, 'dense1/weight': 1}
    """
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {jax.tree_util.keystr(p, simple=True, separator=separator): leaf for p, leaf in leaves}


def unflatten(like: Tree, leaves: dict[str, Any], separator: str = "/") -> Tree:
    """The inverse of ``flatten`` for a tree of the same structure as ``like``.

    Raises:
        KeyError: a leaf of ``like`` has no entry in ``leaves``.
    """
    return jax.tree_util.tree_map_with_path(
        lambda p, _: leaves[jax.tree_util.keystr(p, simple=True, separator=separator)], like
    )


def stack(trees: list[Tree], dtype: np.dtype[Any]) -> Tree:
    """K trees of numbers as one tree of arrays of shape (K,): floats in ``dtype``, ints in int32.

    This is how the traced hyperparameters of K recipes become one recipe for a pool.
    """

    def join(*leaves: Any) -> Numbers:
        whole = all(isinstance(leaf, int) for leaf in leaves)
        return np.asarray(leaves, dtype=np.int32 if whole else dtype)

    return jax.tree.map(join, *trees)


def magnitude(x: Array) -> Array:
    """|x| with derivative 0 at 0, as in PyTorch; that of ``jnp.abs`` is 1 there."""
    return jnp.maximum(x, -x)


SMALL = 1024


def psum_together(tree: Tree, axis: str) -> Tree:
    """Every array of a tree summed over an axis of devices, as ``lax.psum`` does it.

    On CPUs the devices meet once for each array, which takes about 50 us; so arrays of up to
    ``SMALL`` numbers, all of one precision, travel as one. Larger ones would not gain by it: the
    compiler would make the products that they come from a part of the copy, slowly.
    """
    leaves, nest = jax.tree.flatten(tree)
    small = [leaf for leaf in leaves if leaf.size <= SMALL]
    large = [leaf for leaf in leaves if leaf.size > SMALL]
    if len(small) < 2:
        return lax.psum(tree, axis)
    joined, large = lax.psum((jnp.concatenate([leaf.ravel() for leaf in small]), large), axis)
    ends = np.cumsum([leaf.size for leaf in small])[:-1]
    parts = iter(jnp.split(joined, ends))
    rest = iter(large)
    summed = [
        next(parts).reshape(leaf.shape) if leaf.size <= SMALL else next(rest) for leaf in leaves
    ]
    return jax.tree.unflatten(nest, summed)
