"""Sample efficiency of samplers: the share of 51 targets (1e2 ... 1e-8) hit within 100 evaluations.

    python bench/samplers.py                    twelve functions (functions.py), 3 instances
    python bench/samplers.py --bbob             the 24 BBOB functions of the package ioh
    python bench/samplers.py --at-once 8        eight trials asked for before any is told
    python bench/samplers.py --noise 1          normal noise of that deviation on what samplers see
    python bench/samplers.py --speed            milliseconds for one ask at 1,000 trials

A target is hit when a point was evaluated whose true value is as near to the minimum. SciPy's
COBYQA starts at the centre, then at random points, and always runs one at a time.
"""

import argparse
import json
import os
import time
import warnings
from concurrent.futures import ProcessPoolExecutor

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import optuna

from shoal.tune.samplers import sampler

from functions import FUNCTIONS, function

TARGETS = 10.0 ** np.linspace(2, -8, 51)
BUDGET = 100
SAMPLERS = ("auto", "lipo", "tpe", "random", "COBYQA")


def problem(name, d: int, instance: int):
    """(function, minimum) by our name or BBOB's number."""
    if isinstance(name, str):
        return function(name, d, instance), 0.0
    import ioh

    found = ioh.get_problem(
        name, instance=instance, dimension=d, problem_class=ioh.ProblemClass.BBOB
    )
    return lambda x: found(list(x)), found.optimum.y


def searched(name: str, f, d: int, at_once: int, seed: int) -> None:
    """100 evaluations of f(x) by a sampler."""
    space = {f"x{i}": optuna.distributions.FloatDistribution(-5, 5) for i in range(d)}
    study = optuna.create_study(sampler=sampler(name, seed=seed))
    left = BUDGET
    while left > 0:
        asked = [study.ask(space) for _ in range(min(at_once, left))]
        left -= len(asked)
        for trial in asked:
            study.tell(trial, f(np.array([trial.params[n] for n in space])))


def minimised(f, d: int, seed: int) -> None:
    """SciPy's COBYQA with random restarts until f raises."""
    from scipy.optimize import minimize

    rng = np.random.default_rng(seed)
    start = np.zeros(d)
    while True:
        minimize(f, start, method="COBYQA", bounds=[(-5, 5)] * d, options={"maxfev": BUDGET})
        start = rng.uniform(-5, 5, d)


class Spent(Exception):
    """The budget is used up."""


def hit(job) -> float:
    """The share of targets that one run hits."""
    method, name, d, instance, at_once, noise = job
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    f, least = problem(name, d, instance)
    rng = np.random.default_rng([d, instance])
    values: list[float] = []

    def seen(x) -> float:
        if len(values) == BUDGET:
            raise Spent
        values.append(f(x) - least)
        return values[-1] + least + noise * rng.normal()

    try:
        if method == "COBYQA":
            minimised(seen, d, instance)
        else:
            searched(method, seen, d, at_once, seed=instance)
    except Spent:
        pass
    return float((min(values) <= TARGETS).mean())


def ask_times(d: int = 7, trials: int = 1000) -> None:
    """Milliseconds for an ask with 1,000 finished trials, in memory."""
    space = {f"x{i}": optuna.distributions.FloatDistribution(-5, 5) for i in range(d)}
    for name in ("auto", "lipo", "tpe", "random"):
        study = optuna.create_study(sampler=sampler(name, seed=0))
        rng = np.random.default_rng(0)
        for _ in range(trials):
            values = {n: float(rng.uniform(-5, 5)) for n in space}
            worth = sum(v * v for v in values.values())
            made = optuna.trial.create_trial(params=values, distributions=space, value=worth)
            study.add_trial(made)
        times = []
        for _ in range(50):
            began = time.perf_counter()
            trial = study.ask(space)
            times.append(time.perf_counter() - began)
            study.tell(trial, sum(v * v for v in trial.params.values()))
        ms = 1e3 * float(np.median(times))
        print(json.dumps({"name": f"ask at {trials} trials, {d} columns", name: ms, "unit": "ms"}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bbob", action="store_true")
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--noise", type=float, default=0.0)
    parser.add_argument("--dims", type=int, nargs="+", default=[2, 5, 10])
    parser.add_argument("--instances", type=int, default=3)
    parser.add_argument("--samplers", nargs="+", default=list(SAMPLERS))
    parser.add_argument("--speed", action="store_true")
    chosen = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if chosen.speed:
        ask_times()
        return
    names = list(range(1, 25)) if chosen.bbob else list(FUNCTIONS)
    runs = [(n, i) for n in names for i in range(1, chosen.instances + 1)]
    print(f"{'share of targets':18}" + "".join(f"{f'D={d}':>9}" for d in chosen.dims))
    results = []
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for method in chosen.samplers:
            shares = {}
            for d in chosen.dims:
                jobs = [(method, n, d, i, chosen.at_once, chosen.noise) for n, i in runs]
                shares[d] = float(np.mean(list(pool.map(hit, jobs, chunksize=4))))
            print(f"{method:18}" + "".join(f"{s:9.3f}" for s in shares.values()), flush=True)
            results.append({"sampler": method, **{f"D={d}": s for d, s in shares.items()}})
    setting = {"bbob": chosen.bbob, "at_once": chosen.at_once, "noise": chosen.noise}
    for result in results:
        print(json.dumps({"name": "share of targets after 100", **setting, **result}))


if __name__ == "__main__":
    main()
