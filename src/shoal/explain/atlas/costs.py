"""What an activation costs on this machine, as a multiple of ReLU's.

A cost is the time of a compiled loop of so many steps  c <- x + 1e-6 f(c), c being (B, U) float32
numbers that fit a cache, so that it is arithmetic that is timed, not memory or dispatch; backward
the same with f'(c). Rounds alternate between the activations, so that a slow second of the machine
falls on all of them, and the median of the rounds is compared with that of ReLU.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from shoal.arrays import Array
from shoal.nets import Activation, ReLU

ROWS, UNITS, STEPS, ROUNDS = 64, 256, 100, 7


class Cost(NamedTuple):
    """Times relative to ReLU.

    Attributes:
        forward: of f(x).
        backward: of f'(x) times what comes back, whatever of f(x) it needs included.
    """

    forward: float
    backward: float


def measure(activations: Sequence[Activation], rounds: int = ROUNDS) -> list[Cost]:
    """The cost of each activation here; some 0.2 s for each."""
    x = jax.random.normal(jax.random.key(0), (ROWS, UNITS), jnp.float32)
    chunks = [_chunk(way(a)) for a in (ReLU(), *activations) for way in (_forward, _backward)]
    for chunk in chunks:
        chunk(x).block_until_ready()  # compile
    times = np.array([[_seconds(chunk, x) for chunk in chunks] for _ in range(rounds)])
    typical = np.median(times, axis=0).reshape(-1, 2)
    return [Cost(float(a), float(b)) for a, b in typical[1:] / typical[0]]


def _forward(activation: Activation) -> Callable[[Array], Array]:
    return activation.function


def _backward(activation: Activation) -> Callable[[Array], Array]:
    def pulled(c: Array) -> Array:
        y, pull = jax.vjp(activation.function, c)
        return pull(jnp.ones_like(y))[0]

    return pulled


def _chunk(function: Callable[[Array], Array]) -> Any:
    @jax.jit
    def chunk(x: Array) -> Array:
        return lax.fori_loop(0, STEPS, lambda _, c: x + 1e-6 * function(c), x)

    return chunk


def _seconds(chunk: Any, x: Array) -> float:
    chunk(x).block_until_ready()  # what ran before has left caches and clock as it liked
    began = time.perf_counter()
    chunk(x).block_until_ready()
    return time.perf_counter() - began
