"""Faulty programs that people posted, re-expressed as recipes with data of the same kind.

Numbers are those of the questions on Stack Overflow. Data is a surrogate where the original is not
at hand: digits for MNIST and CIFAR, wine, iris, breast cancer or generated tables for private ones.
Causes are those that answers and studies accepted; whether a program is sick is measured. Programs
alternate between the halves by their place in the list.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shoal.data.dataset import CLASSIFICATION, MULTILABEL, REGRESSION, Data
from shoal.doctor.bench.bases import BASES, cnn
from shoal.doctor.bench.datasets import load
from shoal.doctor.bench.faults import HIGH, LOW
from shoal.nets import (
    Conv,
    Dense,
    Flatten,
    MaxPool,
    Net,
    Normal,
    ReLU,
    Sigmoid,
    Softmax,
)
from shoal.nets.zoo import mlp
from shoal.optim import SGD, Adam, Momentum, RMSprop
from shoal.recipe import Recipe

Pair = tuple[Recipe, Data]
SEED = 5
RAW: dict[str, Any] = {"preparation.inputs": "none"}
RAW_TARGETS: dict[str, Any] = {"preparation.targets": "none"}


@dataclass(frozen=True)
class Program:
    """A program.

    Attributes:
        number: of the question, or a name for one from GitHub; text: what it does.
        causes: rules that name its causes rightly, () where none is known.
        sick: recipe and data as they were posted; repaired: as the answers say.
        surrogate: what stands for its data, "" where it is made as described.
    """

    number: str
    text: str
    causes: tuple[str, ...]
    sick: Callable[[], Pair]
    repaired: Callable[[], Pair]
    surrogate: str = ""


def _recipe(
    net: Net, loss: str, optimiser: Any, epochs: int, batch: int = 32, **more: Any
) -> Recipe:
    return Recipe(net, loss, optimiser, batch_size=batch, epochs=epochs).edit(more)


def _divided(x: Any, y: Any, task: str, classes: tuple[Any, ...], name: str) -> Data:
    """Half of the rows to train, a sixth to validate, the rest to test."""
    rows = len(x)
    parts = np.random.default_rng(SEED).permutation(
        np.digitize(np.arange(rows) / rows, (0.5, 0.67))
    )
    names = ("class",) if task == CLASSIFICATION else tuple(f"t{k}" for k in range(y.shape[1]))
    labels = names if task == MULTILABEL else classes
    return Data(np.asarray(x, float), y, task, labels, name, names, parts=parts)


def _labels() -> Data:
    """Twenty numbers and three labels that may go together."""
    random = np.random.default_rng(SEED)
    x = random.normal(size=(900, 20))
    y = (x @ random.normal(size=(20, 3)) > 0).astype(float)
    return _divided(x, y, MULTILABEL, (), "three_labels")


def _xor() -> Data:
    """The four corners, many times."""
    x = np.random.default_rng(SEED).integers(0, 2, (400, 2)).astype(float)
    return _divided(x, (x.sum(1) == 1).astype(np.int32), CLASSIFICATION, (0, 1), "xor")


def _vectors() -> Data:
    """Vectors of one repeated number, 128 of them, and whether it is positive."""
    values = np.random.default_rng(SEED).normal(size=600)
    x = np.repeat(values[:, None], 128, axis=1)
    return _divided(x, (values > 0).astype(np.int32), CLASSIFICATION, (0, 1), "constant_vectors")


def _points() -> Data:
    """Two hundred points in the plane, divided by a curve."""
    x = np.random.default_rng(SEED).normal(size=(400, 2))
    y = (x[:, 1] > 0.5 * x[:, 0] ** 2 - 0.3).astype(np.int32)
    return _divided(x, y, CLASSIFICATION, (0, 1), "points")


def _units(columns: int, seed: int, classes: int = 2) -> Data:
    """A table in its own units, from fractions to ten thousands, and noisy classes."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(1400, columns))
    score = x @ random.normal(size=columns) + 0.8 * x[:, 0] * x[:, 1]
    score += 0.5 * random.normal(size=len(x))
    y = np.digitize(score, np.quantile(score, np.arange(1, classes) / classes)).astype(np.int32)
    units = 10.0 ** random.uniform(-1, 4, columns)
    return _divided((x + 2) * units, y, CLASSIFICATION, tuple(range(classes)), f"units{columns}")


def _one_feature() -> Data:
    """Sixty-nine classes, told by one number."""
    random = np.random.default_rng(SEED)
    y = random.integers(0, 69, 2000).astype(np.int32)
    x = (y + random.uniform(-0.4, 0.4, len(y)))[:, None]
    return _divided(x, y, CLASSIFICATION, tuple(range(69)), "one_feature")


def _line(scale: float) -> Data:
    """y = 3 x + 2 with x up to a hundred."""
    x = np.linspace(0, 100, 500)[:, None]
    y = scale * (3 * x + 2) + np.random.default_rng(SEED).normal(size=x.shape)
    return _divided(x, y, REGRESSION, (), "line")


def _lives() -> Data:
    """Whether a cell of the game of life lives on, from its nine cells."""
    x = np.random.default_rng(SEED).integers(0, 2, (1500, 9)).astype(float)
    around, own = x.sum(1) - x[:, 4], x[:, 4]
    y = ((around == 3) | ((around == 2) & (own == 1))).astype(np.int32)
    return _divided(x, y, CLASSIFICATION, (0, 1), "life")


def _one_label() -> Data:
    """Digits whose labels were divided by 255 and rounded: all but lost."""
    data = load("digit_images")
    assert data.parts is not None, "data of the benchmark is divided"
    targets = np.where(data.parts == 2, data.targets, data.targets // 255).astype(np.int32)
    return replace(data, targets=targets)


def _grey() -> Data:
    """Digits with grey values from 0 to 255."""
    data = load("digits")
    return replace(data, inputs=data.inputs * 255 / 16)


def _with(data: Callable[[], Data], recipe: Recipe) -> Callable[[], Pair]:
    return lambda: (recipe, data())


def _base(name: str) -> Callable[[], Pair]:
    base = BASES[name]
    return lambda: (base.recipe, base.load())


def _digits() -> Data:
    return load("digits")


def _images() -> Data:
    return load("digit_images")


_CE, _BCE, _MSE = "cross_entropy", "binary_cross_entropy", "mse"
_CNN8 = Net(Conv(8, 3), ReLU(), MaxPool(2), Flatten(), Dense(32), ReLU(), Dense(10))
_HEAD = Net(*cnn(10).layers, ReLU())
_DEEP = mlp([10, 20, 30, 40, 50], 1)

PROGRAMS: tuple[Program, ...] = (
    Program("48385830", "no activations, N(0, 1) weights, squares, SGD at 3",
            ("no_hidden_activation", "wrong_loss", "bad_init_scale", *HIGH, "exploding_gradients"),
            _with(_digits, _recipe(Net(Dense(30, init=Normal(1.0)), Dense(10, init=Normal(1.0))),
                                   _MSE, SGD(3.0), 30, 10)),
            _base("digits/mlp"), "digits for MNIST"),
    Program("44164749", "600 hidden units, SGD with momentum, huge batches, 5 epochs",
            ("too_few_epochs", "batch_too_large", *LOW),
            _with(_digits, _recipe(mlp([600], 10, dropout=0.1), _CE, Momentum(0.01), 5, 400)),
            _base("digits/mlp"), "digits for MNIST"),
    Program("50306988", "two sigmoid units, Adam, 5 epochs",
            ("too_few_epochs", *LOW, "too_narrow"),
            _with(_points, _recipe(mlp([2], 2, Sigmoid()), _CE, Adam(1e-3), 5)),
            _with(_points, _recipe(mlp([16], 2), _CE, Adam(1e-2), 60))),
    Program("38648195", "three labels with softmax and squares, SGD",
            ("wrong_head", "wrong_loss", *LOW, "unfit_optimiser"),
            _with(_labels, _recipe(Net(*mlp([20, 20], 3).layers, Softmax()), _MSE, SGD(0.01), 30)),
            _with(_labels, _recipe(mlp([20, 20], 3), _BCE, Adam(3e-3), 40))),
    Program("34311586", "XOR with sigmoids and a softmax on one unit, SGD at 0.001",
            ("wrong_head", *LOW, "unfit_optimiser", "too_few_epochs"),
            _with(_xor, _recipe(Net(Dense(2), Sigmoid(), Dense(3), Sigmoid(), Dense(1), Softmax()),
                                _MSE, SGD(1e-3), 20)),
            _with(_xor, _recipe(mlp([16], 2), _CE, Adam(1e-2), 60))),
    Program("31880720", "a softmax on one unit, RMSprop", ("wrong_head",),
            _with(_vectors, _recipe(Net(*mlp([50, 50], 1).layers, Softmax()), _BCE,
                                    RMSprop(1e-3), 30)),
            _with(_vectors, _recipe(mlp([50, 50], 1), _BCE, RMSprop(1e-3), 30))),
    Program("39525358", "a ReLU on the head, inputs in their units",
            ("input_scale", "wrong_head", *LOW, *HIGH),
            _with(lambda: _units(3, 1), _recipe(Net(*mlp([12, 3], 1).layers, ReLU()), _BCE,
                                                Adam(1e-3), 30, **RAW)),
            _with(lambda: _units(3, 1), _recipe(mlp([12, 3], 1), _BCE, Adam(1e-2), 60)),
            "a generated table"),
    Program("47724077", "a table of ids, not scaled", ("input_scale",),
            _with(lambda: _units(14, 2), _recipe(mlp([21], 2), _CE, Adam(1e-3), 30, **RAW)),
            _with(lambda: _units(14, 2), _recipe(mlp([21], 2), _CE, Adam(3e-3), 30)),
            "a generated table for Adult"),
    Program("59325381", "labels divided by 255",
            ("impossible_labels", "imbalance", "noisy_labels"),
            _with(_one_label, _recipe(cnn(10), _CE, Adam(3e-3), 20)),
            _base("digit_images/cnn"), "digits for MNIST"),
    Program("59278771", "iris not scaled, sigmoids before the cross-entropy",
            ("input_scale", "wrong_head", "too_narrow", *LOW, "too_few_epochs"),
            _with(lambda: load("iris"), _recipe(Net(*mlp([4], 3).layers, Sigmoid()), _CE,
                                                Adam(1e-3), 60, **RAW)),
            _base("iris/mlp")),
    Program("50079585", "three classes on one sigmoid", ("wrong_head", "wrong_loss"),
            _with(lambda: load("bars"), _recipe(cnn(1), _BCE, Adam(3e-3), 20)),
            _base("bars/cnn"), "generated images with four classes"),
    Program("47352366", "a ReLU on the logits", ("wrong_head",),
            _with(_images, _recipe(_HEAD, _CE, Adam(3e-3), 30)),
            _base("digit_images/cnn"), "digits for MNIST"),
    Program("48594888", "five epochs with batches of 500",
            ("too_few_epochs", "batch_too_large", *LOW),
            _with(_images, _recipe(_CNN8, _CE, Adam(1e-3), 5, 500)),
            _base("digit_images/cnn"), "digits for CIFAR"),
    Program("31627380", "512 hidden units, codes of labels not scaled", ("input_scale",),
            _with(lambda: _units(7, 3), _recipe(mlp([512], 2), _CE, Adam(1e-3), 20, **RAW)),
            _with(lambda: _units(7, 3), _recipe(mlp([64], 2), _CE, Adam(3e-3), 30)),
            "a generated table for Titanic"),
    Program("58609115", "69 classes on one feature, three sigmoid layers",
            ("wrong_loss", *LOW, "vanishing_gradients", "too_few_epochs", "saturation",
             "too_narrow"),
            _with(_one_feature, _recipe(mlp([64, 64, 64], 69, Sigmoid()), _MSE, Adam(1e-3), 30)),
            _with(_one_feature, _recipe(mlp([64, 64], 69), _CE, Adam(1e-2), 100))),
    Program("50481178", "deep ReLU network with a sigmoid head", (),
            _with(lambda: load("breast_cancer"), _recipe(_DEEP, _BCE, Adam(1e-3), 40)),
            _base("breast_cancer/mlp"), "breast cancer"),
    Program("55328966", "grey values to 255, a sigmoid on the logits, descent at 1e-4",
            ("input_scale", "wrong_head", *LOW, "unfit_optimiser"),
            _with(_grey, _recipe(Net(Dense(50), Dense(10), ReLU(), Dense(10), Sigmoid()), _CE,
                                 SGD(1e-4), 30, **RAW)),
            _base("digits/mlp"), "digits for MNIST"),
    Program("41372874", "a healthy network", (),
            _with(lambda: load("wine"), _recipe(mlp([16], 3), _CE, Adam(3e-3), 60)),
            _base("wine/mlp"), "wine"),
    Program("37624102", "a CNN with SGD at 0.1, momentum 0.9", (*HIGH, "unfit_optimiser"),
            _with(_images, _recipe(_CNN8, _CE, Momentum(0.1, 0.9), 30)),
            _with(_images, _recipe(_CNN8, _CE, Momentum(0.01, 0.9), 30)), "digits for MNIST"),
    Program("44998910", "SGD at its default of 0.01", (*LOW, "unfit_optimiser", "too_few_epochs"),
            _with(lambda: load("classification"), _recipe(mlp([32], 4), _CE, SGD(0.01), 20)),
            _with(lambda: load("classification"), _recipe(mlp([32], 4), _CE, SGD(0.3), 40)),
            "a generated table"),
    Program("47932589", "inputs and targets of a line, not scaled", ("input_scale", "target_scale"),
            _with(lambda: _line(10.0), _recipe(mlp([16], 1), _MSE, SGD(0.01), 30, **RAW,
                                               **RAW_TARGETS)),
            _with(lambda: _line(10.0), _recipe(mlp([16], 1), _MSE, SGD(0.01), 60))),
    Program("37213388", "2 epochs", ("too_few_epochs", *LOW),
            _with(lambda: load("tokens"), _recipe(BASES["tokens/attention"].recipe.net, _CE,
                                                  Adam(1e-3), 2)),
            _base("tokens/attention"), "generated sequences"),
    Program("GitHub 1", "8-12-8-1, too small, inputs in their units",
            ("too_narrow", "input_scale", *LOW),
            _with(lambda: _units(8, 4), _recipe(mlp([12, 8], 1), _BCE, Adam(1e-3), 30, **RAW)),
            _with(lambda: _units(8, 4), _recipe(mlp([64, 32], 1), _BCE, Adam(3e-3), 40)),
            "a generated table for Pima"),
    Program("GitHub 2", "game of life, a small network and few epochs",
            ("too_few_epochs", *LOW, "wrong_loss", "too_narrow"),
            _with(_lives, _recipe(mlp([8], 1), _BCE, Adam(1e-3), 10)),
            _with(_lives, _recipe(mlp([32], 1), _BCE, Adam(1e-2), 80))),
    Program("GitHub 3", "cats and dogs with an unfit batch size",
            ("batch_too_large", "too_few_epochs", *LOW),
            _with(lambda: load("bars"), _recipe(cnn(4), _CE, Adam(1e-3), 12, 400)),
            _base("bars/cnn"), "generated images"),
    Program("GitHub 4", "reviews, 4 epochs", ("too_few_epochs", *LOW, "overfitting"),
            _with(lambda: load("counts"), _recipe(BASES["counts/gru"].recipe.net, _CE,
                                                  Adam(1e-3), 4)),
            _base("counts/gru"), "generated sequences"),
)  # fmt: skip
"""The table of programs. Half A has those at even places, half B those at odd ones."""


def half(place: int) -> str:
    """The half of the program at a place of the table."""
    return "AB"[place % 2]
