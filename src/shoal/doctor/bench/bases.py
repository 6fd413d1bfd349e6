"""Healthy trainings: the recipes that faults are put into, one for each data set and architecture.

A base is healthy by measurement: ``certify`` trains every single remedy of the doctor's table
beside it, and none may beat it by more than a tenth of its range above chance.
"""

from dataclasses import dataclass

from shoal.data.dataset import Data
from shoal.doctor.bench import datasets
from shoal.nets import (
    GRU,
    Conv,
    Dense,
    Flatten,
    LayerNorm,
    MaxPool,
    Net,
    Positions,
    ReLU,
    Residual,
    SelfAttention,
)
from shoal.nets.zoo import autoencoder, mlp
from shoal.optim import Adam
from shoal.recipe import Recipe


@dataclass(frozen=True)
class Base:
    """A healthy training.

    Attributes:
        name: data set and architecture; data: name of the data set.
        architecture: "mlp", "deep", "cnn", "gru", "attention" or "autoencoder".
        recipe: of the training.
    """

    name: str
    data: str
    architecture: str
    recipe: Recipe

    @property
    def half(self) -> str:
        """ "A" to tune on, "B" held out."""
        return datasets.SOURCES[self.data].half

    def load(self, fold: int = 0) -> Data:
        """The data, divided in one of several ways."""
        return datasets.load(self.data, fold)


def cnn(classes: int) -> Net:
    """Two convolutions with a pool after each."""
    return Net(
        Conv(8, 3), ReLU(), MaxPool(2), Conv(16, 3), ReLU(), MaxPool(2), Flatten(), Dense(classes)
    )


def gru(classes: int) -> Net:
    """A recurrent layer that reads the rows of an example in turn."""
    return Net(GRU(24), Dense(classes))


def attention(classes: int, width: int = 16) -> Net:
    """One block of a transformer, normalised before its branches."""
    block = Residual(LayerNorm(), SelfAttention(2))
    return Net(Conv(width, 1), Positions(), block, LayerNorm(), Flatten(), Dense(classes))


def deep(depth: int, width: int, classes: int) -> Net:
    """So many hidden layers, in pairs with a shortcut around each and normalised before."""
    pairs = (
        Residual(LayerNorm(), Dense(width), ReLU(), Dense(width)) for _ in range((depth - 1) // 2)
    )
    return Net(Dense(width), ReLU(), *pairs, LayerNorm(), ReLU(), Dense(classes))


def _base(
    data: str,
    architecture: str,
    net: Net,
    rate: float = 3e-3,
    epochs: int = 60,
    l2: float | None = None,
) -> Base:
    loss = "mse" if data in NUMBERS else "cross_entropy"
    name = f"{data}/{architecture}"
    recipe = Recipe(net, loss, Adam(rate), batch_size=32, epochs=epochs, l2=l2, name=name)
    return Base(name, data, architecture, recipe)


NUMBERS = ("friedman", "diabetes", "regression", "digits_rebuilt", "bars_rebuilt")
"""Data sets whose targets are numbers."""

BASES = {
    base.name: base
    for base in (
        _base("digits", "mlp", mlp([64], 10), epochs=30),
        _base("digits", "deep8", deep(8, 32, 10), epochs=30),
        _base("breast_cancer", "mlp", mlp([32], 2)),
        _base("circles", "mlp", mlp([32, 32], 2), 1e-2),
        _base("moons", "mlp", mlp([32, 32], 2), 1e-2),
        _base("friedman", "mlp", mlp([32, 32], 1), l2=1.0),
        _base("digit_images", "cnn", cnn(10), epochs=30),
        _base("digit_rows", "gru", gru(10), 1e-2, epochs=40),
        _base("digit_rows", "attention", attention(10), epochs=40),
        _base("digits_rebuilt", "autoencoder", autoencoder(64, [48], 24), 1e-2),
        _base("wine", "mlp", mlp([32], 3)),
        _base("iris", "mlp", mlp([16], 3), 1e-2),
        _base("blobs", "mlp", mlp([32], 4)),
        _base("blobs", "deep8", deep(8, 32, 4), 1e-3, epochs=30),
        _base("diabetes", "mlp", mlp([8], 1), 2e-3, epochs=40),
        _base("classification", "mlp", mlp([64, 32], 4)),
        _base("regression", "mlp", mlp([32, 32], 1)),
        _base("bars", "cnn", cnn(4), epochs=30),
        _base("tokens", "attention", attention(4), epochs=30),
        _base("counts", "gru", gru(2), 1e-2, epochs=40),
        _base("bars_rebuilt", "autoencoder", autoencoder(64, [48], 24), 1e-2),
    )
}
"""The healthy trainings by name."""
