"""A sweep: 256 trials of a 64-32-10 network on digits, 20 epochs, random sampler, durable storage.

From process start to end, compilation included, against Optuna with PyTorch in two processes of
one thread that share the trials and the storage. Both draw the same distributions, train on the
same rows with Adam and batches of 32, evaluate the validation loss after every epoch, and write a
journal.

With ``--space wide`` the first layer has 16, 32, 64 or 128 units, and each activation is one of
four; the width and two activations are searched besides, by both.

    python bench/sweep.py [--trials 256] [--rounds 3] [--pruner] [--space plain|wide]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import Claim, alternate, report

EPOCHS = 20
WIDTHS = (16, 32, 64, 128)
ACTIVATIONS = ("ReLU", "Tanh", "ELU", "SiLU")
REQUIRED = {"plain": (12.0, 15.0), "wide": (8.0, None)}
"""By the space, without pruning and with it."""


def ours(journal: str, trials: int, pruned: bool, wide: bool) -> None:
    """The search with shoal, its re-ranking with fresh seeds included, which the peer lacks."""
    import shoal as sh
    from shoal.tune import tuning

    units = sh.Choice(*WIDTHS) if wide else 64
    act = sh.Choice(sh.ReLU(), sh.Tanh(), sh.ELU(), sh.SiLU()) if wide else sh.ReLU()
    net = sh.Net(sh.Dense(units), act, sh.Dropout(sh.Float(0.0, 0.5)), sh.Dense(32), act,
                 sh.Dense(10))  # fmt: skip
    space = sh.Recipe(
        net,
        loss="cross_entropy",
        optimiser=sh.Adam(sh.Float(1e-4, 1e-1, log=True)),
        l2=sh.Float(1e-6, 1.0, log=True),
        epochs=EPOCHS,
        batch_size=32,
    )
    study = tuning.tune(
        space,
        sh.data.digits(),
        trials=trials,
        sampler="random",
        pruner="median" if pruned else None,
        storage=journal,
        fresh=1,
        show=False,
    )
    assert len(study.optuna.trials) == trials
    print(f"{study.compilations} compilations, {study.wasted:.1%} of the slots wasted", flush=True)


def peer(journal: str, trials: int, pruned: bool, wide: bool) -> None:
    """One of two workers: its share of the trials, one network after another."""
    import optuna
    import torch
    from optuna.storages.journal import JournalFileBackend, JournalStorage

    import shoal as sh

    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    data = sh.data.digits()
    recipe = sh.Recipe(sh.Net(sh.Dense(10)), loss="cross_entropy")
    prepared = recipe.prepare(data)
    rows = [prepared.encoded(part, "float32") for part in prepared.parts[:2]]
    (x, y), (vx, vy) = [(torch.tensor(a), torch.tensor(t, dtype=torch.long)) for a, t in rows]

    def objective(trial):
        nn = torch.nn
        rate = trial.suggest_float("rate", 1e-4, 1e-1, log=True)
        dropout = trial.suggest_float("dropout", 0.0, 0.5)
        l2 = trial.suggest_float("l2", 1e-6, 1.0, log=True)
        units, kinds = 64, [nn.ReLU, nn.ReLU]
        if wide:
            units = trial.suggest_categorical("units", WIDTHS)
            names = [trial.suggest_categorical(f"activation{i}", ACTIVATIONS) for i in (1, 2)]
            kinds = [getattr(nn, name) for name in names]
        net = nn.Sequential(nn.Linear(64, units), kinds[0](), nn.Dropout(dropout),
                            nn.Linear(units, 32), kinds[1](), nn.Linear(32, 10))  # fmt: skip
        decayed = [p for p in net.parameters() if p.ndim > 1]
        others = [p for p in net.parameters() if p.ndim == 1]
        groups = [{"params": decayed, "weight_decay": l2 / 32}, {"params": others}]
        optimiser = torch.optim.Adam(groups, lr=rate)
        loss = float("nan")
        for epoch in range(1, EPOCHS + 1):
            net.train()
            order = torch.randperm(len(x))
            for start in range(0, len(x), 32):
                chosen = order[start : start + 32]
                optimiser.zero_grad()
                torch.nn.functional.cross_entropy(net(x[chosen]), y[chosen]).backward()
                optimiser.step()
            net.eval()
            with torch.no_grad():
                loss = torch.nn.functional.cross_entropy(net(vx), vy).item()
            if pruned:
                trial.report(loss, epoch)
                if trial.should_prune():
                    raise optuna.TrialPruned
        return loss

    study = optuna.create_study(
        study_name="study",
        storage=JournalStorage(JournalFileBackend(journal)),
        sampler=optuna.samplers.RandomSampler(),
        pruner=optuna.pruners.MedianPruner() if pruned else optuna.pruners.NopPruner(),
        load_if_exists=True,
    )
    study.optimize(objective, n_trials=trials)


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
    parser.add_argument("--role", choices=("ours", "peer"))
    parser.add_argument("--journal")
    parser.add_argument("--trials", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pruner", action="store_true")
    parser.add_argument("--space", choices=tuple(REQUIRED), default="plain")
    given = parser.parse_args()
    if given.role:
        worker = {"ours": ours, "peer": peer}[given.role]
        worker(given.journal, given.trials, given.pruner, given.space == "wide")
        return
    settings = (given.trials, given.pruner, given.space)
    arms = {
        "shoal": arm("ours", 1, *settings),
        "Optuna + PyTorch, 2 processes": arm("peer", 2, *settings),
    }
    times = alternate(arms, given.rounds)
    mine, theirs = times.values()
    name = f"sweep of {given.trials} trials" + (", median pruning" if given.pruner else "")
    name += " of 4 widths and 4 activations" if given.space == "wide" else ""
    required = REQUIRED[given.space][given.pruner]
    claims = [Claim(name, mine, theirs, theirs / mine, required, "seconds")]
    report(name, times, "s", claims)


if __name__ == "__main__":
    main()
