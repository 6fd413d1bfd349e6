"""Sample efficiency of samplers: what they have reached after 100 evaluations of test functions.

    python bench/samplers.py                    quick: twelve functions (functions.py), 1 instance
    python bench/samplers.py --bbob             the 24 BBOB functions of the package ioh
    python bench/samplers.py --at-once 8        eight trials asked for before any is told
    python bench/samplers.py --noise 1          normal noise of that deviation on what samplers see
    python bench/samplers.py --speed            milliseconds for an ask, mean of 1,000 trials
    python bench/samplers.py --bbob --keep FILE runs that are in FILE already are not made again

Share: how many of 51 targets (1e2 ... 1e-8 above the minimum) were hit; a target is hit when a
point was evaluated whose true value is as near to the minimum. Mean rank: over functions, instances
and dimensions, by the best true value; values that agree or lie below the last target share theirs.
With several at once, COBYQA is as many descents side by side, from the centre and random points.
GP takes minutes where others take seconds: it is run on every third function and one instance, and
ranks with it are over those alone.
"""

import argparse
import contextlib
import json
import os
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import optuna
from scipy.stats import rankdata

from common import Claim, report
from shoal.tune.samplers import sampler

from functions import FUNCTIONS, function

TARGETS = 10.0 ** np.linspace(2, -8, 51)
BUDGET = 100
PEERS = ("tpe", "cma-es", "random", "COBYQA")
DIMENSIONS = (2, 5, 10)
GP_FUNCTIONS = (2, 5, 8, 11, 14, 17, 20, 23)
"""Those of BBOB that GP is run on: every third, from all groups; it takes half a minute each."""
REQUIRED = {2: 0.46, 5: 0.25, 10: 0.18}
"""Shares on BBOB, one at a time."""


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


def minimised(f, d: int, at_once: int, seed: int) -> None:
    """SciPy's COBYQA from the centre, then from random points, until f raises."""
    from scipy.optimize import minimize

    rng = np.random.default_rng(seed)
    start = np.zeros(d)
    most = -(-BUDGET // at_once)
    while True:
        left = most

        def once(x) -> float:
            nonlocal left
            if left == 0:
                raise StopIteration
            left -= 1
            return f(x)

        with contextlib.suppress(StopIteration):
            minimize(once, start, method="COBYQA", bounds=[(-5, 5)] * d)
        start = rng.uniform(-5, 5, d)


class Spent(Exception):
    """The budget is used up."""


def reached(job) -> float:
    """The best true value above the minimum that one run reaches."""
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
            minimised(seen, d, at_once, instance)
        else:
            searched(method, seen, d, at_once, seed=instance)
    except Spent:
        pass
    return float(min(values))


def all_reached(jobs: list[tuple], keep: Path | None) -> dict[tuple, float]:
    """What every job reaches; those kept in a file are not run again."""
    found: dict[tuple, float] = {}
    if keep is not None and keep.exists():
        rows = map(json.loads, keep.read_text().splitlines())
        found = {tuple(row["job"]): row["reached"] for row in rows}
    left = [job for job in jobs if job not in found]
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for job, value in zip(left, pool.map(reached, left), strict=True):
            found[job] = value
            if keep is not None:
                with keep.open("a") as file:
                    file.write(json.dumps({"job": job, "reached": value}) + "\n")
    return found


def mean_ranks(found: dict[tuple, float], methods: list[str]) -> dict[str, float]:
    """The mean rank of every method over the problems that all of them have run."""
    by: dict[tuple, dict[str, float]] = {}
    for (method, *where), value in found.items():
        by.setdefault(tuple(where), {})[method] = max(value, TARGETS[-1])
    whole = [[row[m] for m in methods] for row in by.values() if set(row) >= set(methods)]
    return dict(zip(methods, rankdata(np.array(whole), axis=1).mean(axis=0), strict=True))


def compare(chosen: argparse.Namespace) -> None:
    """The table of shares and ranks, and the claims."""
    names = chosen.functions or (list(range(1, 25)) if chosen.bbob else list(FUNCTIONS))
    methods = chosen.samplers

    def jobs(method: str) -> list[tuple]:
        most = chosen.gp_instances if method == "gp" else chosen.instances
        some = GP_FUNCTIONS if method == "gp" and chosen.bbob else names
        where = [(n, d, i) for d in chosen.dims for i in range(1, most + 1) for n in some]
        return [(method, *w, chosen.at_once, chosen.noise) for w in where]

    wanted = {m: jobs(m) for m in methods}
    kept = all_reached([job for found in wanted.values() for job in found], chosen.keep)
    found = {job: kept[job] for jobs in wanted.values() for job in jobs}
    ranks = mean_ranks(found, [m for m in methods if m != "gp"])
    with_gp = mean_ranks(found, methods) if "gp" in methods else {}
    setting = f"{chosen.at_once} at a time, noise {chosen.noise:g}"
    head = "".join(f"{f'D={d}':>9}" for d in chosen.dims) + f"{'rank':>9}{'with gp':>9}"
    print(f"{setting:26}{head}")
    shares = {}
    for m in methods:
        shares[m] = {
            d: float(np.mean([(found[j] <= TARGETS).mean() for j in wanted[m] if j[2] == d]))
            for d in chosen.dims
        }
        columns = [*(f"{s:9.3f}" for s in shares[m].values())]
        columns += [f"{r[m]:9.2f}" if m in r else f"{'':9}" for r in (ranks, with_gp)]
        print(f"{m:26}" + "".join(columns), flush=True)
    ours, peers = methods[0], methods[1:]
    if not peers:
        return
    kind = "BBOB" if chosen.bbob else "twelve functions"
    claims = []
    for d in chosen.dims:
        best = max(shares[m][d] for m in peers)
        asked = (
            REQUIRED.get(d) if chosen.bbob and chosen.at_once == 1 and not chosen.noise else None
        )
        ratio = shares[ours][d] / (asked or best)
        name = f"{kind}, D={d}, {setting}: share of targets" + (" against required" * bool(asked))
        claims.append(Claim(name, shares[ours][d], best, ratio, 1 if asked else None, "share"))
    ranked = with_gp or ranks
    best = min(ranked[m] for m in peers if m in ranked)
    name = f"{kind}, {setting}: mean rank among {len(ranked)}"
    claims.append(Claim(name, ranked[ours], best, best / ranked[ours], 1, "mean rank"))
    report(f"{kind}: {ours} and its peers, mean rank", ranked, "", claims)


def ask_times(d: int = 7, trials: int = 1000) -> None:
    """Processor milliseconds of an ask in the mean over a study of 1,000 trials, and at its end."""
    space = {f"x{i}": optuna.distributions.FloatDistribution(-5, 5) for i in range(d)}
    means = {}
    for name in ("auto", "tpe", "random"):
        study = optuna.create_study(sampler=sampler(name, seed=0))
        times = []
        for _ in range(trials):
            began = time.process_time()
            trial = study.ask(space)
            times.append(time.process_time() - began)
            study.tell(trial, sum(v * v for v in trial.params.values()))
        means[name] = 1e3 * float(np.mean(times))
        print(
            f"{name:8} {means[name]:7.2f} ms in the mean, "
            f"{1e3 * np.median(times[-50:]):7.2f} at the end"
        )
    mine, peer = means["auto"], means["tpe"]
    name = f"an ask, mean over {trials} trials of {d} columns"
    claims = [
        Claim(f"{name}: auto against tpe", mine, peer, peer / mine, None, "ms"),
        Claim(f"{name}: within 3 ms", mine, 3.0, 3.0 / mine, 1, "ms"),
    ]
    report("milliseconds for an ask", means, "ms", claims)


def main() -> None:
    """Read the arguments, measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bbob", action="store_true")
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--noise", type=float, default=0.0)
    parser.add_argument("--dims", type=int, nargs="+", default=list(DIMENSIONS))
    parser.add_argument("--instances", type=int)
    parser.add_argument("--functions", type=int, nargs="+", help="numbers of BBOB")
    parser.add_argument("--gp-instances", type=int, default=1)
    parser.add_argument("--samplers", nargs="+", default=["auto", *PEERS], help="ours first")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--speed", action="store_true")
    chosen = parser.parse_args()
    chosen.instances = chosen.instances or (3 if chosen.bbob else 1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if chosen.speed:
        ask_times()
    else:
        compare(chosen)


if __name__ == "__main__":
    main()
