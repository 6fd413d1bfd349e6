"""The peers: ordinary training loops of PyTorch, scikit-learn and Keras."""

import itertools
import os
import time

import numpy as np
import torch

from common import Arm, timed

THREADS = (1, len(os.sched_getaffinity(0)))


def perceptron(sizes: list[int]) -> torch.nn.Module:
    """Linear layers with ReLU between them."""
    layers: list[torch.nn.Module] = []
    for width, units in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(width, units), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def convolutional() -> torch.nn.Module:
    """conv 16, pool, conv 32, pool, dense 64, dense 10 on 28x28; kernels 3x3, padding 1."""
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


def torch_epochs(
    net: torch.nn.Module,
    x: np.ndarray,
    y: np.ndarray,
    batch: int,
    epochs: int,
    threads: int,
    fused: bool = False,
) -> Arm:
    """Seconds for one epoch: shuffled batches, Adam, running loss and accuracy."""
    xs, ys = torch.tensor(x), torch.tensor(y, dtype=torch.long)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3, fused=fused or None)

    def run() -> None:
        torch.set_num_threads(threads)
        for _ in range(epochs):
            loss_sum, right = torch.zeros(()), torch.zeros(())
            order = torch.randperm(len(xs))
            for start in range(0, len(xs), batch):
                rows = order[start : start + batch]
                optimiser.zero_grad()
                z = net(xs[rows])
                loss = torch.nn.functional.cross_entropy(z, ys[rows])
                loss.backward()
                optimiser.step()
                with torch.no_grad():
                    loss_sum += loss.detach() * len(rows)
                    right += (z.argmax(1) == ys[rows]).sum()
            _ = (loss_sum.item() / len(xs), right.item() / len(xs))

    return timed(run, epochs)


def torch_arms(make, x, y, batch: int, epochs: int, **options: bool) -> dict[str, Arm]:
    """PyTorch at each number of threads that makes sense."""
    return {
        f"PyTorch, {threads} thread{'s' * (threads > 1)}": torch_epochs(
            make(), x, y, batch, epochs, threads, **options
        )
        for threads in THREADS
    }


def best(times: dict[str, float], name: str) -> float:
    """The lowest median among the arms whose name begins so."""
    return min(seconds for arm, seconds in times.items() if arm.startswith(name))


def sklearn_epochs(x: np.ndarray, y: np.ndarray, hidden: int, batch: int, epochs: int) -> Arm:
    """Seconds for one epoch of scikit-learn's MLPClassifier, its record of the loss included."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    def run() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            MLPClassifier(
                (hidden,), batch_size=batch, max_iter=epochs, tol=0, n_iter_no_change=10**6
            ).fit(x, y)

    return timed(run, epochs)


def keras_epochs(x: np.ndarray, y: np.ndarray, hidden: int, batch: int, epochs: int) -> Arm:
    """Seconds for one epoch of Keras on JAX, with accuracy; its default settings."""
    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    net = keras.Sequential([keras.layers.Dense(hidden, "relu"), keras.layers.Dense(10)])
    net.compile(
        keras.optimizers.Adam(1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return timed(lambda: net.fit(x, y, batch_size=batch, epochs=epochs, verbose=0), epochs)


def torch_process(sizes: list[int], rows: int, batch: int, epochs: int, ready, go, done) -> None:
    """One worker of one thread: trains tiny networks one after another when told to."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, sizes[0])).astype(np.float32)
    y = rng.integers(0, sizes[-1], rows)
    torch_epochs(perceptron(sizes), x, y, batch, 1, 1)()
    while True:
        ready.put(None)
        networks = go.get()
        if networks is None:
            return
        began = time.perf_counter()
        for _ in range(networks):
            torch_epochs(perceptron(sizes), x, y, batch, epochs, 1)()
        done.put(time.perf_counter() - began)
