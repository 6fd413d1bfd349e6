"""Searches as users have them: real networks, noisy losses, many trials at a time.

    python bench/searches.py [--trials 64] [--at-once 32] [--seeds 6] [--samplers auto tpe random]

A network with one hidden layer in numpy (milliseconds for a training, so that samplers are what is
compared) on wine, breast cancer and digits of scikit-learn, 30 % validation. The same split always;
the seed of weights, batches and dropout differs for every trial, which is the noise. Open are six
numbers (rate, momentum, L2, dropout, scale of the weights, width), in "mixed" also the activation
and the optimiser. The search ends as sh.tune does, by ranking the best tenth again. The table gives
the mean over searches of the winner's loss with fresh seeds; the rank is the mean over all
searches. Losses above that of guessing count as it.
"""

import argparse
import itertools
import os
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from scipy.stats import rankdata

from common import Claim, report
from shoal.tune.samplers import sampler

NUMBERS = {
    "rate": FloatDistribution(1e-4, 3.0, log=True),
    "momentum": FloatDistribution(0.5, 0.99),
    "l2": FloatDistribution(1e-6, 1.0, log=True),
    "dropout": FloatDistribution(0.0, 0.8),
    "scale": FloatDistribution(0.1, 10.0, log=True),
    "width": IntDistribution(2, 32, log=True),
}
MIXED = NUMBERS | {
    "activation": CategoricalDistribution(["relu", "tanh", "sigmoid"]),
    "optimiser": CategoricalDistribution(["momentum", "adam"]),
}
SPACES = {"numbers": NUMBERS, "mixed": MIXED}
EPOCHS, BATCH, ROWS = 8, 16, 240
TENTH, RERANK, FRESH = 0.1, 3, 8
"""As sh.tune ends: the best tenth again with three fresh seeds; of them the best with eight."""

ACTIVATIONS = {
    "relu": (lambda z: np.maximum(z, 0.0), lambda a: (a > 0).astype(float)),
    "tanh": (np.tanh, lambda a: 1.0 - a * a),
    "sigmoid": (lambda z: 1.0 / (1.0 + np.exp(-np.clip(z, -50, 50))), lambda a: a * (1.0 - a)),
}
"""Activation, and its derivative from its value."""


@lru_cache
def rows(name: str):
    """Scaled training and validation rows and one-hot classes."""
    from sklearn import datasets

    x, t = getattr(datasets, f"load_{name}")(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))[:ROWS]
    x, t = x[order], t[order]
    cut = int(0.7 * len(x))
    x = (x - x[:cut].mean(0)) / (x[:cut].std(0) + 1e-9)
    y = np.eye(t.max() + 1)[t]
    return x[:cut], y[:cut], x[cut:], y[cut:]


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def loss(name: str, chosen: dict, seed: int) -> float:
    """The validation cross-entropy after training; that of guessing where it is higher."""
    x, y, vx, vy = rows(name)
    rng = np.random.default_rng(seed)
    f, slope = ACTIVATIONS[chosen.get("activation", "relu")]
    adam = chosen.get("optimiser", "momentum") == "adam"
    sizes = (x.shape[1], chosen["width"], y.shape[1])
    w = [rng.normal(size=s) * chosen["scale"] / np.sqrt(s[0]) for s in itertools.pairwise(sizes)]
    w += [np.zeros(n) for n in sizes[1:]]
    m, v = ([np.zeros_like(p) for p in w] for _ in range(2))
    keep, beta, turn = 1.0 - chosen["dropout"], chosen["momentum"], 0
    for _ in range(EPOCHS):
        order = rng.permutation(len(x))
        for start in range(0, len(x) - BATCH + 1, BATCH):
            turn += 1
            batch = order[start : start + BATCH]
            a = f(x[batch] @ w[0] + w[2])
            mask = (rng.random(a.shape) < keep) / keep
            d = (softmax((a * mask) @ w[1] + w[3]) - y[batch]) / BATCH
            back = (d @ w[1].T) * mask * slope(a)
            grads = [x[batch].T @ back, (a * mask).T @ d, back.sum(0), d.sum(0)]
            for k, g in enumerate(grads):
                g = g + (chosen["l2"] * w[k] if k < 2 else 0.0)
                m[k] = beta * m[k] + (1.0 - beta if adam else 1.0) * g
                if adam:
                    v[k] = 0.999 * v[k] + 0.001 * g * g
                    root = np.sqrt(v[k] / (1.0 - 0.999**turn)) + 1e-8
                    w[k] -= 0.1 * chosen["rate"] * m[k] / (1.0 - beta**turn) / root
                else:
                    w[k] -= chosen["rate"] * m[k]
    guess = float(np.log(y.shape[1]))
    p = softmax(f(vx @ w[0] + w[2]) @ w[1] + w[3])
    value = float(-np.log(np.maximum((p * vy).sum(1), 1e-300)).mean())
    return min(value, guess) if np.isfinite(value) else guess


def winner(job) -> float:
    """The loss of one search's winner with fresh seeds."""
    method, kind, name, seed, trials, at_once = job
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    study = optuna.create_study(sampler=sampler(method, seed=seed))
    left = trials
    while left > 0:
        asked = [study.ask(SPACES[kind]) for _ in range(min(at_once, left))]
        left -= len(asked)
        for trial in asked:
            study.tell(trial, loss(name, trial.params, 1000 * seed + trial.number))
    best = sorted(study.trials, key=lambda t: t.value)[: max(1, round(TENTH * trials))]
    seeds = [10**6 + 1000 * seed + k for k in range(RERANK + FRESH)]

    def again(params: dict, some: list[int]) -> float:
        return float(np.mean([loss(name, params, s) for s in some]))

    params = min((t.params for t in best), key=lambda p: again(p, seeds[:RERANK]))
    return again(params, seeds[RERANK:])


def main() -> None:
    """Search with every sampler, and print the table and the claims."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument(
        "--samplers", nargs="+", default=["auto", "tpe", "random", "cma-es", "lipo"]
    )
    parser.add_argument("--data", nargs="+", default=["wine", "breast_cancer", "digits"])
    parser.add_argument("--spaces", nargs="+", default=list(SPACES))
    chosen = parser.parse_args()
    end = (chosen.trials, chosen.at_once)
    where = [(k, n, s) for k in chosen.spaces for n in chosen.data for s in range(chosen.seeds)]
    jobs = [(m, *w, *end) for w in where for m in chosen.samplers]
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = dict(zip(jobs, pool.map(winner, jobs, chunksize=2), strict=True))
    claims = []
    for kind in chosen.spaces:
        print(f"{kind:10}" + "".join(f"{n:>15}" for n in chosen.data) + f"{'rank':>9}")
        here = [w for w in where if w[0] == kind]
        table = np.array([[found[m, *w, *end] for m in chosen.samplers] for w in here])
        ranks = dict(zip(chosen.samplers, rankdata(table, axis=1).mean(axis=0), strict=True))
        for c, m in enumerate(chosen.samplers):
            means = [np.mean(table[[w[1] == n for w in here], c]) for n in chosen.data]
            print(f"{m:10}" + "".join(f"{v:15.4f}" for v in means) + f"{ranks[m]:9.2f}")
        mine = ranks[chosen.samplers[0]]
        best = min([ranks[m] for m in chosen.samplers[1:]], default=mine)
        name = f"searches of networks, {kind}, {chosen.trials} trials, {chosen.at_once} at a time"
        claims.append(Claim(f"{name}: mean rank", mine, best, best / mine, 1, "mean rank"))
    report("searches of networks", ranks, "mean rank", claims)


if __name__ == "__main__":
    main()
