"""Sweeps on one GPU: 4,096 small perceptrons, and 256 small CNNs, against Optuna + PyTorch there.

The peer trains one network after another on the same GPU; it is timed on ``--sample`` trials and
its time scaled to all of them, which favours neither: its trials are independent. Ours is the whole
search, compilation and re-ranking included. Random sampler, both; images are random numbers of
28x28, because only the time matters.

    python bench/gpu_sweep.py [--trials 4096] [--networks 256] [--sample 16]
"""

import argparse
import time
from typing import Any

from common import Claim, random_data, report
from sweeping import dense, space, torch_rows, torch_training

EPOCHS, IMAGE_EPOCHS, IMAGES, IMAGE_BATCH = 20, 5, 6000, 128


def image_space() -> Any:
    """A small CNN for 28x28 with rate, dropout and L2 open."""
    import shoal as sh

    dropout: Any = sh.Float(0.0, 0.5)
    rate: Any = sh.Float(1e-4, 1e-1, log=True)
    net = sh.Net(
        sh.Conv(16, 3), sh.ReLU(), sh.MaxPool(2), sh.Conv(32, 3), sh.ReLU(), sh.MaxPool(2),
        sh.Flatten(), sh.Dense(64), sh.ReLU(), sh.Dropout(dropout), sh.Dense(10),
    )  # fmt: skip
    return sh.Recipe(
        net,
        loss="cross_entropy",
        optimiser=sh.Adam(rate),
        l2=sh.Float(1e-6, 1.0, log=True),
        epochs=IMAGE_EPOCHS,
        batch_size=IMAGE_BATCH,
    )


def image_net(trial: Any) -> Any:
    """The same in PyTorch."""
    from torch import nn

    dropout = trial.suggest_float("dropout", 0.0, 0.5)
    return nn.Sequential(
        nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(800, 64), nn.ReLU(), nn.Dropout(dropout),
        nn.Linear(64, 10),
    )  # fmt: skip


def ours(searched: Any, data: Any, trials: int) -> float:
    """Seconds of a whole search."""
    import shoal as sh

    began = time.perf_counter()
    sh.tune(searched, data, trials=trials, sampler="random", fresh=1, show=False)
    return time.perf_counter() - began


def theirs(net: Any, rows: Any, batch: int, epochs: int, trials: int, sample: int) -> float:
    """Seconds of as many trials, from those of some, after one that warms up."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler())
    device = rows[0][0].device

    def objective(trial: Any) -> float:
        return torch_training(net(trial).to(device), trial, rows, batch, epochs, False)

    study.optimize(objective, 1)
    began = time.perf_counter()
    study.optimize(objective, sample)
    return (time.perf_counter() - began) * trials / sample


def main() -> None:
    """Measure, and print the tables and claims."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=4096)
    parser.add_argument("--networks", type=int, default=256)
    parser.add_argument("--sample", type=int, default=16)
    given = parser.parse_args()
    import torch

    import shoal as sh

    device = "cuda" if torch.cuda.is_available() else "cpu"
    digits, images = sh.data.digits(), random_data(IMAGES, (28, 28, 1), 10)
    plain = sh.Recipe(sh.Net(sh.Flatten(), sh.Dense(10)), loss="cross_entropy")
    rows = torch_rows(plain, digits, device)
    pictures = [(x.permute(0, 3, 1, 2), y) for x, y in torch_rows(plain, images, device)]
    claims, times = [], {}
    for name, searched, data, net, inputs, batch, epochs, trials, wanted in (
        ("perceptrons", space(EPOCHS), digits, lambda t: dense(t, False), rows, 32, EPOCHS,
         given.trials, 100.0),
        ("CNNs", image_space(), images, image_net, pictures, IMAGE_BATCH, IMAGE_EPOCHS,
         given.networks, 15.0),
    ):  # fmt: skip
        mine = ours(searched, data, trials)
        other = theirs(net, inputs, batch, epochs, trials, given.sample)
        times |= {f"{trials} {name}, shoal": mine, f"{trials} {name}, Optuna + PyTorch": other}
        title = f"sweep of {trials} {name} on one {device}"
        claims.append(Claim(title, mine, other, other / mine, wanted, "seconds"))
    report("sweeps on one device", times, "s", claims)


if __name__ == "__main__":
    main()
