"""A sweep: 256 trials of a 64-32-10 network on digits, 20 epochs, random sampler, durable storage.

From process start to end, compilation included, against Optuna with PyTorch in two processes of
one thread that share the trials and the storage. Both draw the same distributions, train on the
same rows with Adam and batches of 32, evaluate the validation loss after every epoch, and write a
journal.

With ``--space wide`` the first layer has 16, 32, 64 or 128 units, and each activation is one of
four; the width and two activations are searched besides, by both.

    python bench/sweep.py [--trials 256] [--rounds 3] [--pruner] [--space plain|wide]
    python bench/sweep.py --alone                      also our own fit for each trial, no pool
    python bench/sweep.py --overhead --trials 1000     what Optuna's side costs, median pruning
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import Claim, alternate, report
from sweeping import dense, space, torch_rows, torch_study, torch_training

EPOCHS = 20
REQUIRED = {"plain": (12.0, 15.0), "wide": (8.0, None)}
"""By the space, without pruning and with it."""


def ours(journal: str, trials: int, pruned: bool, wide: bool, sampler: str = "random") -> None:
    """The search with shoal, its re-ranking with fresh seeds included, which the peer lacks."""
    import shoal as sh

    study = sh.tune(
        space(EPOCHS, wide),
        sh.data.digits(),
        trials=trials,
        sampler=sampler,
        pruner="median" if pruned else None,
        storage=journal,
        fresh=1,
        show=False,
    )
    assert len(study.optuna.trials) == trials
    print(f"{study.compilations} compilations, {study.wasted:.1%} of the slots wasted", flush=True)


def alone(journal: str, trials: int, pruned: bool, wide: bool) -> None:
    """The same search with our own ``fit`` for each trial, without a pool."""
    import optuna

    import shoal as sh

    searched, data = space(EPOCHS, wide), sh.data.digits()

    def objective(trial):
        return sh.fit(searched.suggest(trial), data, show=False).final["validation_loss"]

    torch_study(journal, optuna.samplers.RandomSampler(), pruned).optimize(objective, trials)


def peer(journal: str, trials: int, pruned: bool, wide: bool) -> None:
    """One of two workers: its share of the trials, one network after another."""
    import optuna
    import torch

    import shoal as sh

    torch.set_num_threads(1)
    rows = torch_rows(sh.Recipe(sh.Net(sh.Dense(10)), loss="cross_entropy"), sh.data.digits())

    def objective(trial):
        return torch_training(dense(trial, wide), trial, rows, 32, EPOCHS, pruned)

    torch_study(journal, optuna.samplers.RandomSampler(), pruned).optimize(objective, trials)


def overhead(trials: int) -> None:
    """The share of a search that sampling, storage and pruning take, with the default sampler."""
    import optuna

    from shoal.tune.mirror import Mirror

    spent = dict.fromkeys(("ask", "suggest", "report", "prune", "tell", "storage"), 0.0)

    def counted(owner, name: str, kind: str) -> None:
        inner = getattr(owner, name)

        def outer(*given, **named):
            began = time.perf_counter()
            try:
                return inner(*given, **named)
            finally:
                spent[kind] += time.perf_counter() - began

        setattr(owner, name, outer)

    for name in ("suggest_float", "suggest_int", "suggest_categorical"):
        counted(optuna.Trial, name, "suggest")
    counted(optuna.Trial, "report", "report")
    counted(optuna.Trial, "should_prune", "prune")
    counted(optuna.Study, "ask", "ask")
    counted(optuna.Study, "tell", "tell")
    counted(Mirror, "put", "storage")
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        ours(str(Path(folder) / "study.journal"), trials, True, False, "auto")
        whole = time.perf_counter() - began
    used = sum(spent.values())
    name = f"sampling, storage and pruning in {trials} trials"
    share, each = used / whole, 1e3 * used / trials
    claims = [
        Claim(f"{name}: share of the whole", share, 0.05, 0.05 / share, 1.0, "share"),
        Claim(f"{name}: each trial", each, 3.0, 3.0 / each, 1.0, "ms"),
    ]
    report(name, {k: 1e3 * v / trials for k, v in spent.items()}, "ms a trial", claims)


def arm(role: str, workers: int, trials: int, pruned: bool, space: str):
    """Seconds from the start of the processes to the end of the last."""

    def run() -> float:
        with tempfile.TemporaryDirectory() as folder:
            journal, share = str(Path(folder) / "study.journal"), str(trials // workers)
            command = [sys.executable, __file__, "--role", role]
            command += ["--journal", journal, "--trials", share, "--space", space]
            began = time.perf_counter()
            environment = os.environ | ({"OMP_NUM_THREADS": "1"} if role == "peer" else {})
            running = [
                subprocess.Popen(command + ["--pruner"] * pruned, env=environment)
                for _ in range(workers)
            ]
            codes = [process.wait() for process in running]
            assert codes == [0] * workers
            return time.perf_counter() - began

    return run


def main() -> None:
    """Measure, and print the table and the claims."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--role", choices=("ours", "alone", "peer"))
    parser.add_argument("--journal")
    parser.add_argument("--trials", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pruner", action="store_true")
    parser.add_argument("--space", choices=tuple(REQUIRED), default="plain")
    parser.add_argument("--overhead", action="store_true")
    parser.add_argument("--alone", action="store_true")
    given = parser.parse_args()
    if given.role:
        worker = {"ours": ours, "alone": alone, "peer": peer}[given.role]
        worker(given.journal, given.trials, given.pruner, given.space == "wide")
        return
    if given.overhead:
        overhead(given.trials)
        return
    settings = (given.trials, given.pruner, given.space)
    arms = {
        "shoal": arm("ours", 1, *settings),
        "Optuna + PyTorch, 2 processes": arm("peer", 2, *settings),
    }
    if given.alone:
        arms["Optuna + our fit for each trial"] = arm("alone", 1, *settings)
    times = alternate(arms, given.rounds)
    mine, theirs, *others = times.values()
    name = f"sweep of {given.trials} trials" + (", median pruning" if given.pruner else "")
    name += " of 4 widths and 4 activations" if given.space == "wide" else ""
    required = REQUIRED[given.space][given.pruner]
    claims = [Claim(name, mine, theirs, theirs / mine, required, "seconds")]
    claims += [Claim(f"{name}, no pool", mine, t, t / mine, 3.0, "seconds") for t in others]
    report(name, times, "s", claims)


if __name__ == "__main__":
    main()
