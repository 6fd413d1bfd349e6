"""A medium network: 784-256-128-10, batch 128, Adam; its share of the machine's own products."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import torch

import shoal as sh
from common import Claim, all_rows, alternate, random_data, report, steady, timed

from peers import THREADS, best, perceptron, torch_arms

ROWS, BATCH, SIZES = 8192, 128, [784, 256, 128, 10]
STEPS = ROWS // BATCH
SIDE = 1024  # of the square matrices whose product measures the machine


def operations() -> float:
    """Of the products of one step: forward and dW for each layer, dX for all but the first."""
    pairs = itertools.pairwise(SIZES)
    products = [2 * BATCH * a * b * (2 if i == 0 else 3) for i, (a, b) in enumerate(pairs)]
    return float(sum(products))


def machine_arms(repeats: int = 20):
    """Seconds of one large square product by each library."""
    a = np.random.default_rng(0).normal(size=(SIDE, SIDE)).astype(np.float32)
    t, j, product = torch.tensor(a), jnp.asarray(a), jax.jit(jnp.matmul)

    def by_torch() -> None:
        torch.set_num_threads(THREADS[-1])
        for _ in range(repeats):
            t @ t

    def by_jax() -> None:
        for _ in range(repeats):
            product(j, j).block_until_ready()

    def by_numpy() -> None:
        for _ in range(repeats):
            a @ a

    arms = {"product, PyTorch": by_torch, "product, JAX": by_jax, "product, NumPy": by_numpy}
    return {name: timed(arm, repeats) for name, arm in arms.items()}


def main() -> None:
    data = random_data(ROWS, (784,), 10)
    recipe = sh.Recipe(
        sh.mlp(SIZES[1:-1], 10), loss="cross_entropy", batch_size=BATCH, preparation=all_rows()
    )
    x, y = data.inputs, data.targets
    arms = {"shoal": steady(recipe, data, 1, 4)}
    arms |= torch_arms(lambda: perceptron(SIZES), x, y, BATCH, 1)
    fused = torch_arms(lambda: perceptron(SIZES), x, y, BATCH, 1, fused=True)
    arms |= {f"fused Adam, {name}": arm for name, arm in fused.items()}
    arms |= machine_arms()
    seconds = alternate(arms, 7)
    products = {n: s for n, s in seconds.items() if n.startswith("product")}
    times = {n: s / STEPS * 1e6 for n, s in seconds.items() if n not in products}
    ours, rate = times["shoal"], 2 * SIDE**3 / min(products.values()) / 1e9
    achieved = operations() / (ours * 1e-6) / 1e9
    name = "784-256-128-10 against"
    claims = [
        Claim(f"{name} PyTorch", ours, best(times, "PyTorch"), best(times, "PyTorch") / ours, 1.8,
              "us per step"),
        Claim(f"{name} PyTorch with fused Adam", ours, best(times, "fused"),
              best(times, "fused") / ours, None, "us per step"),
        Claim("784-256-128-10, share of the machine's product rate", achieved, rate,
              achieved / rate, 0.7, "GFLOP/s"),
    ]  # fmt: skip
    report("784-256-128-10, batch 128, Adam, steady epoch with metrics", times, "us/step", claims)


if __name__ == "__main__":
    main()
