"""A race: how soon we reach the validation loss that Optuna + PyTorch + TPE reach in ten minutes.

The peer searches with TPE in two processes of one thread that share a journal, with median pruning,
for ``--seconds``; its best loss is the finish. We start from nothing with our defaults, which prune
nothing, and the clock runs from the start of our process, compilation included, until a trial with
that loss has been told. Both search the wide space of sweep.py, 20 epochs a trial. A loss varies
with its seed, so the finish is a lucky one of many.

    python bench/race.py [--seconds 600]
    python bench/race.py --finish 0.0855       the peer's loss from a run before, on this machine
"""

import argparse
import datetime
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import Claim, report
from sweeping import dense, space, torch_rows, torch_study, torch_training

EPOCHS = 20
SEEDS = (0, 1, 2)


def ours(journal: str, seconds: float, seed: int) -> None:
    """Our search."""
    import shoal as sh

    sh.tune(
        space(EPOCHS, True), sh.data.digits(), seconds=seconds, storage=journal, seed=seed, fresh=1,
        show=False,
    )  # fmt: skip


def peer(journal: str, seconds: float, seed: int) -> None:
    """One of two workers."""
    import optuna
    import torch

    import shoal as sh

    torch.set_num_threads(1)
    rows = torch_rows(sh.Recipe(sh.Net(sh.Dense(10)), loss="cross_entropy"), sh.data.digits())
    study = torch_study(journal, optuna.samplers.TPESampler(), True)
    study.optimize(
        lambda trial: torch_training(dense(trial, True), trial, rows, 32, EPOCHS, True),
        timeout=seconds,
    )


def search(role: str, workers: int, seconds: float, seed: int = 0) -> list[tuple[float, float]]:
    """(seconds since the start of the processes, validation loss) of every complete trial."""
    import optuna

    with tempfile.TemporaryDirectory() as folder:
        journal = str(Path(folder) / "study.journal")
        command = [sys.executable, __file__, "--role", role, "--journal", journal]
        command += ["--seconds", str(seconds), "--seed", str(seed)]
        environment = os.environ | ({"OMP_NUM_THREADS": "1"} if role == "peer" else {})
        began = datetime.datetime.now()
        running = [subprocess.Popen(command, env=environment) for _ in range(workers)]
        assert [process.wait() for process in running] == [0] * workers
        study = torch_study(journal, optuna.samplers.RandomSampler(), False)
        return [
            ((trial.datetime_complete - began).total_seconds(), trial.value)
            for trial in study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
        ]


def main() -> None:
    """Measure, and print the table and the claim."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--role", choices=("ours", "peer"))
    parser.add_argument("--journal")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--finish", type=float)
    given = parser.parse_args()
    if given.role:
        {"ours": ours, "peer": peer}[given.role](given.journal, given.seconds, given.seed)
        return
    finish, rows = given.finish, {"Optuna + PyTorch + TPE, budget": given.seconds}
    if finish is None:
        theirs = search("peer", 2, given.seconds)
        finish = min(value for _, value in theirs)
        rows["  its best trial came after"] = min(t for t, value in theirs if value <= finish)
    limit = max(30.0, given.seconds / 5)
    reached, best = [], []
    for seed in SEEDS:
        mine = search("ours", 1, limit, seed)
        reached.append(min((t for t, value in mine if value <= finish), default=float("inf")))
        best.append(min((value, t) for t, value in mine))
        time.sleep(1.0)
    middle = sorted(reached)[len(reached) // 2]
    name = f"time to the validation loss that Optuna + PyTorch + TPE reach in {given.seconds:.0f} s"
    rows = {"shoal, median of three seeds": middle, **rows}
    claim = Claim(name, middle, given.seconds, given.seconds / middle, 20.0, "seconds")
    print(f"finish: validation loss {finish:.4f}; ours, by seed: {reached}")
    print(f"our lowest losses in {limit:.0f} s, and when: {best}")
    report(name, rows, "s", [claim])


if __name__ == "__main__":
    main()
