"""A small convolutional network on 28x28: conv 16, pool, conv 32, pool, dense 64; batch 64."""

import numpy as np
import torch

import shoal as sh
from common import Claim, all_rows, alternate, random_data, report, steady

from peers import best, convolutional, torch_arms

ROWS, BATCH = 1920, 64


def network() -> sh.Net:
    """The network of this benchmark and of the pool's."""
    return sh.Net(
        sh.Conv(16, 3), sh.ReLU(), sh.MaxPool(2), sh.Conv(32, 3), sh.ReLU(), sh.MaxPool(2),
        sh.Flatten(), sh.Dense(64), sh.ReLU(), sh.Dense(10),
    )  # fmt: skip


def torch_channels(x: np.ndarray) -> np.ndarray:
    """(N, H, W, C) as PyTorch wants it."""
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2))


def main() -> None:
    data = random_data(ROWS, (28, 28, 1), 10)
    recipe = sh.Recipe(network(), loss="cross_entropy", batch_size=BATCH, preparation=all_rows())
    x, y = torch_channels(data.inputs), data.targets
    arms = {"shoal": steady(recipe, data, 1, 2)}
    arms |= torch_arms(convolutional, x, y, BATCH, 1)
    last = torch_arms(lambda: convolutional().to(memory_format=torch.channels_last), x, y, BATCH, 1)
    arms |= {f"PyTorch channels last, {name}": arm for name, arm in last.items()}
    times = {n: s / (ROWS // BATCH) * 1e3 for n, s in alternate(arms, 7).items()}
    ours, peer = times["shoal"], best(times, "PyTorch")
    claims = [Claim("28x28 CNN against PyTorch", ours, peer, peer / ours, 1.2, "ms per step")]
    report("28x28 CNN, batch 64, Adam, steady epoch with metrics", times, "ms per step", claims)


if __name__ == "__main__":
    main()
