"""The gradient noise scale: how large a batch may be before it is wasted.

For a batch of B examples drawn at random, the gradient G_B has the mean G, the gradient over all
examples, and the covariance Sigma / B. Its relation (McCandlish, Kaplan, Amodei et al. 2018, An
Empirical Model of Large-Batch Training, arXiv:1812.06162, equation 2.9)

    B_simple = tr(Sigma) / |G|²

estimates the critical batch size: below it, doubling the batch halves the steps; far above it,
doubling the batch saves hardly any. Both parts follow, without bias, from the mean squared lengths
of gradients at two sizes b < B (their appendix A.1):

    E|G_b|² = |G|² + tr(Sigma) / b          the same for B, so

    |G|²      =  (B |G_B|² - b |G_b|²) / (B - b)
    tr(Sigma) =  (|G_b|² - |G_B|²) / (1/b - 1/B)

A ratio of unbiased estimates is biased itself, so both are averaged over draws before they are
divided; the spread of the ratio is that of leaving out one draw at a time (the jackknife).
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from shoal.arrays import Array, Numbers, Tree
from shoal.nets import Mode
from shoal.recipe import Recipe
from shoal.train.epoch import Batches
from shoal.train.member import Work
from shoal.train.step import Batch, row_weights, squared_norm

SMALL = 16
"""b, examples of a small batch: enough for batch-norm."""

PARTS = 16
"""B / b, small batches that make up a large one."""

DRAWS = 16


class Noise(NamedTuple):
    """The noise of the gradient at one point of a training.

    Attributes:
        signal: |G|²; noise: tr(Sigma); scale: their ratio B_simple, inf where the signal is lost.
        low, high: a range of about 95 % for the scale.
    """

    signal: float
    noise: float
    scale: float
    low: float
    high: float


def two_sizes(small_square: Any, large_square: Any, small: int, large: int) -> tuple[Any, Any]:
    """|G|² and tr(Sigma) from the mean squared lengths of gradients at two batch sizes.

    >>> two_sizes(1.0 + 8.0 / 2, 1.0 + 8.0 / 4, 2, 4)
    (1.0, 8.0)
    """
    signal = (large * large_square - small * small_square) / (large - small)
    noise = (small_square - large_square) / (1.0 / small - 1.0 / large)
    return signal, noise


def noise_of(small_squares: Numbers, large_squares: Numbers, small: int, large: int) -> Noise:
    """The noise from squared lengths at both sizes, one of each for every draw, (R,)."""
    signal, noise = two_sizes(small_squares, large_squares, small, large)

    def ratio(keep: Any) -> float:
        kept_signal, kept_noise = float(signal[keep].mean()), float(noise[keep].mean())
        return max(kept_noise, 0.0) / kept_signal if kept_signal > 0 else float("inf")

    count = len(signal)
    scale = ratio(slice(None))
    left_out = np.array([ratio(np.arange(count) != r) for r in range(count)])
    spread = (
        np.sqrt((count - 1) * np.mean((left_out - left_out.mean()) ** 2))
        if np.isfinite(left_out).all()
        else np.inf
    )
    low, high = max(0.0, scale - 2 * spread) if np.isfinite(scale) else 0.0, scale + 2 * spread
    return Noise(float(signal.mean()), float(noise.mean()), scale, float(low), float(high))


def gradient_noise(
    recipe: Recipe,
    parameters: Tree,
    statistics: Tree,
    data: Batches,
    work: Work,
    seed: int = 0,
    draws: int = DRAWS,
    small: int = SMALL,
    parts: int = PARTS,
) -> Noise:
    """The noise of the gradient of the mean loss, penalties left out, at some weights.

    Args:
        parameters, statistics: of the network.
        data: the training split, encoded.
        draws: large batches, each of ``parts`` small ones, of examples drawn with replacement.
    """
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(data.x), (draws, parts, small)).astype(np.int32)
    with jax.enable_x64(np.dtype(work.dtype).itemsize == 8):
        arguments = jax.tree.map(jnp.asarray, (parameters, statistics, data))
        run = jax.jit(partial(_squares, work=work))
        found = run(recipe, *arguments, jnp.asarray(rows))
    small_squares, large_squares = map(np.asarray, found)
    return noise_of(small_squares, large_squares, small, small * parts)


def _squares(
    recipe: Recipe, parameters: Tree, statistics: Tree, data: Batches, rows: Array, work: Work
) -> tuple[Array, Array]:
    """For each draw, (R,), the mean |G_b|² of its small batches and |G_B|² of all of them."""

    def gradient(chosen: Array, number: Array) -> Tree:
        found = jax.tree.map(lambda a: a[chosen], data)
        batch = Batch(found.x, found.t, found.w, None)
        key = None
        if recipe.body.random:
            key = jax.random.fold_in(jax.random.fold_in(jax.random.key(recipe.seed), 4), number)
        mode = Mode(True, key, narrow=work.narrow)
        _, weights = row_weights(batch, work)

        def loss(own: Tree) -> Array:
            z, _ = recipe.body.apply(own, statistics, batch.x, mode)
            losses = recipe.loss.per_example(z.astype(work.dtype), batch.t)
            total = jnp.maximum(jnp.sum(weights), jnp.finfo(work.dtype).tiny)
            return jnp.sum(losses * weights) / total

        return jax.grad(loss)(parameters)

    def draw(chosen: tuple[Array, Array]) -> tuple[Array, Array]:
        """One large batch, its small batches one after another: (parts, b)."""
        parts, first = chosen

        def step(carry: tuple[Tree, Array], one: tuple[Array, Array]) -> tuple[Any, None]:
            found = gradient(*one)
            total, squares = carry
            return (jax.tree.map(jnp.add, total, found), squares + squared_norm(found)), None

        numbers = first + jnp.arange(len(parts), dtype=jnp.int32)
        start = (jax.tree.map(jnp.zeros_like, parameters), jnp.zeros((), work.dtype))
        (total, squares), _ = jax.lax.scan(step, start, (parts, numbers))
        count = len(parts)
        return squares / count, squared_norm(total) / count**2

    firsts = jnp.arange(len(rows), dtype=jnp.int32) * rows.shape[1]
    found: tuple[Array, Array] = jax.lax.map(draw, (rows, firsts))
    return found
