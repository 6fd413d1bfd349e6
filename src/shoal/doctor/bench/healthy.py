"""Healthy trainings that tools get wrong: hard negatives, and the bases themselves.

Each comes in several settings: other rows in training, validation and test, and the rate or the
epochs a little more or less. All are as good as the base they vary, within a tenth of its range;
those that are not, by measurement, do not count as healthy.
"""

from collections.abc import Callable
from dataclasses import dataclass

from shoal.data.dataset import Data
from shoal.doctor.bench import mangling
from shoal.doctor.bench.bases import BASES
from shoal.nets import (
    GELU,
    SELU,
    BatchNorm,
    Constant,
    Dense,
    Dropout,
    LayerNorm,
    LeakyReLU,
    Mish,
    Net,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)
from shoal.nets.layer import Layer
from shoal.nets.zoo import mlp
from shoal.optim import AdamW, ClipByNorm, Cosine, Momentum, RMSprop, WarmUp
from shoal.recipe import EarlyStopping, Recipe

Pair = tuple[Recipe, Data]
Change = Callable[[Recipe, Data], Pair]


class Setting:
    """Settings of a variant: factors of the rate and of the epochs, and which fold of the data."""

    CLASSES = (
        (1.0, 1.0, 0), (0.7, 1.0, 1), (1.4, 1.0, 2), (1.0, 1.3, 3),
        (0.8, 1.0, 4), (1.2, 1.0, 5), (1.0, 1.0, 6), (0.7, 1.3, 7),
    )  # fmt: skip
    NUMBERS = (
        (1.0, 1.0, 0), (0.8, 1.0, 0), (1.3, 1.0, 0), (1.0, 1.3, 0), (0.8, 1.3, 0), (1.6, 1.0, 0),
    )  # fmt: skip


@dataclass(frozen=True)
class Variant:
    """A healthy training.

    Attributes:
        name: what is special about it; base: that it varies.
        change: the base's recipe and data to its own.
    """

    name: str
    base: str
    change: Change


def same(recipe: Recipe, data: Data) -> Pair:
    """The base as it is."""
    return recipe, data


def _recipe(**changes: object) -> Change:
    return lambda recipe, data: (recipe.replace(**changes), data)


def _hidden(*layers: Layer) -> Change:
    """Other layers in the place of each ReLU."""

    def change(recipe: Recipe, data: Data) -> Pair:
        found: list[Layer] = []
        for layer in recipe.net.layers:
            found += layers if isinstance(layer, ReLU) else [layer]
        return recipe.replace(net=Net(*found)), data

    return change


def _data(edit: Callable[[Data], Data], **changes: object) -> Change:
    return lambda recipe, data: (recipe.edit(changes), edit(data))


def _ending(*layers: Layer, loss: str) -> Change:
    return lambda recipe, data: (
        recipe.replace(net=Net(*recipe.net.layers, *layers), loss=loss),
        data,
    )


def _linear(recipe: Recipe, data: Data) -> Pair:
    return recipe.replace(net=mlp([], data.width)), data


def _sparse(recipe: Recipe, data: Data) -> Pair:
    """A wide layer with biases a little below 0: most units are silent for most rows."""
    net = Net(Dense(128, bias_init=Constant(-0.5)), ReLU(), Dense(data.width))
    return recipe.replace(net=net), data


def _raw_normed(recipe: Recipe, data: Data) -> Pair:
    """Raw inputs into a batch norm: nothing else needs to scale them."""
    net = Net(BatchNorm(), *recipe.net.layers)
    edited = recipe.replace(net=net).edit({"preparation.inputs": "none"})
    return edited, mangling.scaled_inputs(data, 30.0)


def _noise(share: float) -> Change:
    """Labels of which no network can get all right, early stopped."""
    return lambda recipe, data: (
        recipe.replace(early_stopping=EarlyStopping(8)),
        mangling.noisy_labels(data, share),
    )


_SGD = Momentum(0.05, 0.9)

VARIANTS: tuple[Variant, ...] = (
    *(Variant("base", name, same) for name in BASES),
    # half A
    Variant("gelu", "digits/mlp", _hidden(GELU())),
    Variant("selu", "breast_cancer/mlp", _hidden(SELU())),
    Variant("sparse", "digits/mlp", _sparse),
    Variant("dropout 0.3", "digits/mlp", _hidden(ReLU(), Dropout(0.3))),
    Variant("grey values in [0, 1]", "digits/mlp",
            _data(lambda d: d, **{"preparation.inputs": "minmax"})),
    Variant("squares of a softmax", "digits/mlp", _ending(Softmax(), loss="mse")),
    Variant("linear network", "breast_cancer/mlp", _linear),
    Variant("constant columns", "moons/mlp", _data(lambda d: mangling.constant_columns(d, 3))),
    Variant("a tenth of the rows twice", "digits/mlp",
            _data(lambda d: mangling.doubled_rows(d, 0.1))),
    Variant("imbalance 2 to 1", "breast_cancer/mlp", _data(lambda d: mangling.imbalanced(d, 2.0))),
    Variant("warm-up of 5 epochs", "digit_images/cnn", _recipe(schedule=WarmUp(5.0))),
    Variant("momentum", "digits/mlp", _recipe(optimiser=_SGD)),
    # half B
    Variant("tanh", "classification/mlp", _hidden(Tanh())),
    Variant("leaky", "blobs/mlp", _hidden(LeakyReLU())),
    Variant("mish", "wine/mlp", _hidden(Mish())),
    Variant("sigmoid, one layer", "iris/mlp", _hidden(Sigmoid())),
    Variant("raw inputs, batch norm", "classification/mlp", _raw_normed),
    Variant("layer norm", "blobs/mlp", _hidden(LayerNorm(), ReLU())),
    Variant("two softmax", "classification/mlp",
            _ending(Softmax(), Softmax(), loss="cross_entropy")),
    Variant("linear network", "wine/mlp", _linear),
    Variant("label noise of 20 %", "blobs/mlp", _noise(0.2)),
    Variant("batches of 8", "iris/mlp", _recipe(batch_size=8)),
    Variant("early stopping", "classification/mlp", _recipe(early_stopping=EarlyStopping(8))),
    Variant("cosine and clip", "bars/cnn", _recipe(schedule=Cosine(), clip=ClipByNorm(5.0))),
    Variant("momentum", "classification/mlp", _recipe(optimiser=_SGD)),
    Variant("light L2 and AdamW", "regression/mlp", _recipe(optimiser=AdamW(3e-3), l2=0.01)),
    Variant("RMSprop", "tokens/attention", _recipe(optimiser=RMSprop(1e-3))),
)  # fmt: skip
"""The table of healthy trainings."""
