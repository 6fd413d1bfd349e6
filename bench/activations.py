"""Each activation forward and backward in a compiled loop, against PyTorch eager and jax.nn.

One call is y = f(x) and dx = f'(x) dy for 256 x 512 numbers. Ours and those of jax.nn run in one
compiled loop, every core on its own rows, as in a chunk of a pool; PyTorch at its best number of
threads. Required: at most 1.1 times the best peer, each; in the geometric mean at most 0.7 times
PyTorch.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import torch
from jax import lax
from jax.sharding import Mesh, PartitionSpec

import shoal as sh
from common import Claim, alternate, report, timed
from shoal.nets import Mode
from shoal.nets.activation import Activation

from peers import THREADS

ROWS, WIDTH, REPEATS, ROUNDS = 256, 512, 100, 15
t = torch.nn.functional

PEERS: dict[str, tuple[Activation, Callable | None, Callable]] = {
    "sigmoid": (sh.Sigmoid(), jax.nn.sigmoid, torch.sigmoid),
    "tanh": (sh.Tanh(), jnp.tanh, torch.tanh),
    "relu": (sh.ReLU(), jax.nn.relu, t.relu),
    "leaky_relu": (sh.LeakyReLU(0.01), jax.nn.leaky_relu, t.leaky_relu),
    "prelu": (sh.PReLU(), None, torch.nn.PReLU(WIDTH)),
    "rrelu": (sh.RReLU(), None, lambda x: t.rrelu(x, training=True)),
    "elu": (sh.ELU(), jax.nn.elu, t.elu),
    "selu": (sh.SELU(), jax.nn.selu, t.selu),
    "celu": (sh.CELU(), jax.nn.celu, t.celu),
    "mish": (sh.Mish(), jax.nn.mish, t.mish),
    "swish, beta learned": (
        sh.Swish(1.5, learned=True), None, lambda x: x * torch.sigmoid(BETA * x)),
    "silu": (sh.SiLU(), jax.nn.silu, t.silu),
    "softplus": (sh.Softplus(), jax.nn.softplus, t.softplus),
    "softsign": (sh.Softsign(), jax.nn.soft_sign, t.softsign),
    "gelu": (sh.GELU(), lambda x: jax.nn.gelu(x, approximate=False), t.gelu),
    "gelu, tanh": (
        sh.GELU(approximate=True), jax.nn.gelu, lambda x: t.gelu(x, approximate="tanh")),
    "hard sigmoid": (sh.HardSigmoid(), jax.nn.hard_sigmoid, t.hardsigmoid),
    "hard swish": (sh.HardSwish(), jax.nn.hard_swish, t.hardswish),
    "softmax": (sh.Softmax(), jax.nn.softmax, lambda x: t.softmax(x, -1)),
    "log-softmax": (sh.LogSoftmax(), jax.nn.log_softmax, lambda x: t.log_softmax(x, -1)),
}  # fmt: skip
BETA = torch.tensor(1.5, requires_grad=True)


def looped(function: Callable, parameters, x, dy):
    """An arm: seconds for one forward and backward pass of function(parameters, x, key).

    Each turn changes x by its gradient, so that nothing can be done once for all.
    """
    mesh = Mesh(np.array(jax.devices()), ("devices",))

    def run(parameters, x, dy):
        def turn(i, carry):
            key = jax.random.fold_in(jax.random.key(0), i)
            _, pull = jax.vjp(lambda p, v: function(p, v, key), *carry)
            return jax.tree.map(lambda v, slope: v - 1e-9 * slope, carry, pull(dy))

        return lax.fori_loop(0, REPEATS, turn, (parameters, x))[1]

    rows = PartitionSpec("devices")
    spread = jax.shard_map(
        run, mesh=mesh, in_specs=(PartitionSpec(), rows, rows), out_specs=rows, check_vma=False
    )
    compiled = jax.jit(spread).lower(parameters, x, dy).compile()
    return timed(lambda: jax.block_until_ready(compiled(parameters, x, dy)), REPEATS)


def ours(layer: Activation, x, dy):
    parameters, _ = sh.Net(layer).init(jax.random.key(0), (WIDTH,))
    return looped(
        lambda p, v, key: sh.Net(layer).apply(p, {}, v, Mode(True, key))[0], parameters, x, dy
    )


def eager(function: Callable, x, dy, threads: int):
    xs, gradient = torch.tensor(x, requires_grad=True), torch.tensor(dy)

    def run() -> None:
        torch.set_num_threads(threads)
        for _ in range(REPEATS):
            xs.grad = None
            function(xs).backward(gradient)

    return timed(run, REPEATS)


def measure(name: str, x, dy) -> dict[str, float]:
    """Seconds of one pass by competitor, PyTorch's at its best number of threads."""
    layer, of_jax, of_torch = PEERS[name]
    arms = {"ours": ours(layer, x, dy)}
    if of_jax is not None:
        arms["jax.nn"] = looped(lambda p, v, key: of_jax(v), {}, x, dy)
    arms |= {f"torch {n}": eager(of_torch, x, dy, n) for n in THREADS}
    found = alternate(arms, ROUNDS)
    best = min(found.pop(f"torch {n}") for n in THREADS)
    return found | {"PyTorch": best}


def main() -> None:
    rng = np.random.default_rng(0)
    x = 2 * rng.normal(size=(ROWS, WIDTH)).astype(np.float32)
    dy = rng.normal(size=(ROWS, WIDTH)).astype(np.float32)
    rows, claims, logs = {}, [], []
    for name in PEERS:
        found = {who: seconds * 1e6 for who, seconds in measure(name, x, dy).items()}
        rows |= {f"{name}, {who}": value for who, value in found.items()}
        peer = min(value for who, value in found.items() if who != "ours")
        claims.append(
            Claim(f"{name} against the best peer", found["ours"], peer, peer / found["ours"],
                  1 / 1.1, "us per pass")
        )  # fmt: skip
        logs.append(math.log(found["ours"] / found["PyTorch"]))
    mean = math.exp(sum(logs) / len(logs))
    claims.append(
        Claim("all activations against PyTorch", mean, 1.0, 1 / mean, 1 / 0.7, "geometric mean")
    )
    report("activations, forward and backward, 256 x 512", rows, "us", claims)


if __name__ == "__main__":
    main()
