"""Many networks: 64 tiny ones and 16 convolutional ones in one pool, against one after another."""

import multiprocessing
import os

import shoal as sh
from cnn import network, torch_channels
from common import Arm, Claim, all_rows, alternate, random_data, report, steady, timed

from peers import best, convolutional, torch_arms, torch_process

TINY, EPOCHS, ROWS, BATCH = 64, 20, 1984, 32
IMAGES, MEMBERS = 640, 16


def own_runs(recipe, data, networks: int) -> Arm:
    """Our own ``fit``, one network after another, compiled once; seconds for a network-epoch."""

    def run() -> None:
        for k in range(networks):
            sh.fit(recipe.replace(seed=k, epochs=EPOCHS), data, show=False)

    return timed(run, networks * EPOCHS)


def own_pool(recipe, data, networks: int) -> Arm:
    """The same networks by ``fit_many``; seconds for a network-epoch."""
    recipes = [recipe.replace(seed=k, epochs=EPOCHS) for k in range(networks)]
    return timed(lambda: sh.fit_many(recipes, data, show=False), networks * EPOCHS)


class TorchProcesses:
    """Two worker processes of one thread each, fed with networks to train."""

    def __init__(self, networks: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.share = networks // len(os.sched_getaffinity(0))
        self.queues = [[context.Queue() for _ in range(3)] for _ in os.sched_getaffinity(0)]
        sizes = [20, 32, 10]
        self.workers = [
            context.Process(target=torch_process, args=(sizes, ROWS, BATCH, EPOCHS, *queues))
            for queues in self.queues
        ]
        for worker in self.workers:
            worker.start()

    def __call__(self) -> float:
        for ready, _, _ in self.queues:
            ready.get()
        for _, go, _ in self.queues:
            go.put(self.share)
        slowest = max(done.get() for _, _, done in self.queues)
        return slowest / (self.share * len(self.queues) * EPOCHS)

    def stop(self) -> None:
        for ready, go, _ in self.queues:
            ready.get()
            go.put(None)
        for worker in self.workers:
            worker.join()


def tiny() -> None:
    data = random_data(ROWS, (20,), 10)
    recipe = sh.Recipe(
        sh.mlp([32], 10), loss="cross_entropy", batch_size=BATCH, preparation=all_rows()
    )
    workers = TorchProcesses(8)
    arms = {
        "shoal, one pool of 64": own_pool(recipe, data, TINY),
        "shoal, 64 runs one after another": own_runs(recipe, data, TINY),
        "PyTorch, 2 processes of 1 thread": workers,
    }
    seconds = alternate(arms, 5)
    workers.stop()
    times = {name: s / (ROWS // BATCH) * 1e6 for name, s in seconds.items()}
    pool, runs, torch_ = times.values()
    claims = [
        Claim("64 tiny networks in a pool against our own runs", pool, runs, runs / pool, 4.0,
              "us per network-step"),
        Claim("64 tiny networks in a pool against PyTorch in 2 processes", pool, torch_,
              torch_ / pool, 15.0, "us per network-step"),
    ]  # fmt: skip
    report("64 networks of 20-32-10, 20 epochs, whole calls", times, "us/network-step", claims)


def images() -> None:
    data = random_data(IMAGES, (28, 28, 1), 10)
    recipe = sh.Recipe(network(), loss="cross_entropy", batch_size=64, preparation=all_rows())
    arms = {"shoal, one pool of 16": steady(recipe, data, MEMBERS, 1)}
    arms["shoal, one at a time"] = steady(recipe, data, 1, 2)
    arms |= torch_arms(convolutional, torch_channels(data.inputs), data.targets, 64, 1)
    times = {name: s / (IMAGES // 64) * 1e3 for name, s in alternate(arms, 7).items()}
    ours, peer = times["shoal, one pool of 16"], best(times, "PyTorch")
    claims = [
        Claim("16 CNNs in a pool against PyTorch one after another", ours, peer, peer / ours, 1.2,
              "ms per network-step")
    ]  # fmt: skip
    report("16 CNNs on 28x28, steady epochs", times, "ms/network-step", claims)


if __name__ == "__main__":
    tiny()
    images()
