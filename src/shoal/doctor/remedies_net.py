"""Remedies of initial weights and architecture: edits of the network."""

import math
from typing import Any

from shoal.data.dataset import Data
from shoal.describe import field_names
from shoal.doctor.remedies_rate import alone
from shoal.doctor.remedy import Edit, Remedy
from shoal.doctor.surgery import (
    NORMS,
    Parts,
    change_all,
    change_hidden,
    hidden_activations,
    is_activation,
    take_apart,
    width_field,
    widths,
)
from shoal.errors import ShoalError
from shoal.nets import (
    SELU,
    Auto,
    BatchNorm,
    Dense,
    Layer,
    LayerNorm,
    LeakyReLU,
    Mish,
    ReLU,
    Residual,
    Tanh,
)
from shoal.nets.initialisers import Initialiser
from shoal.recipe import Recipe

Pair = tuple[Recipe, Data] | None

WIDER, WIDE_DENSE, WIDE_CONV = 4, 64, 16
"""Hidden layers become so many times wider, and at least so wide."""

KEPT_BLOCKS = 2
"""Hidden blocks that are left of a deep network."""

MORE_BLOCKS = 2


def _usual_init(recipe: Recipe) -> Recipe:
    """Every initialiser as its layer has it by default: He before rectifiers, biases 0."""

    def change(layer: Layer) -> list[Layer]:
        given = [n for n in field_names(layer) if isinstance(getattr(layer, n), Initialiser)]
        return [layer.replace(**{n: _default(layer, n) for n in given}) if given else layer]

    return recipe.replace(net=change_all(recipe.net, change))


def _default(layer: Layer, name: str) -> Any:
    field = next(f for f in layer.__dataclass_fields__.values() if f.name == name)
    return field.default


# --- activations ---------------------------------------------------------------------------------


def _activation(new: Layer) -> Edit:
    def change(recipe: Recipe) -> Recipe:
        if all(type(layer) is type(new) for layer in hidden_activations(recipe.net)):
            return recipe

        def swap(layer: Layer) -> list[Layer]:
            return [new if is_activation(layer) else layer]

        return recipe.replace(net=change_hidden(recipe.net, swap))

    return alone(change)


def _hidden_activation(recipe: Recipe, data: Data) -> Pair:
    """ReLU after every hidden layer that nothing bends before the next one."""
    parts = take_apart(recipe.net)
    blocks = tuple(
        (block[0], ReLU(), *block[1:])
        if width_field(block[0]) and _linear(block[0]) and not any(map(is_activation, block))
        else block
        for block in parts.blocks
    )
    return recipe.replace(net=parts._replace(blocks=blocks).net), data


def _linear(layer: Layer) -> bool:
    """Whether a layer with units or filters bends nothing itself, as recurrent ones do."""
    return "recurrent_init" not in field_names(layer)


# --- normalisation and shortcuts -----------------------------------------------------------------


def _norm(new: Layer) -> Edit:
    def edit(recipe: Recipe, data: Data) -> Pair:
        parts = take_apart(recipe.net)
        flat = [layer for outer in recipe.net.layers for layer in outer.every()]
        if any(layer.kind in NORMS for layer in flat):
            return None
        blocks = tuple(
            (block[0], new, *block[1:]) if width_field(block[0]) and _linear(block[0]) else block
            for block in parts.blocks
        )
        return recipe.replace(net=parts._replace(blocks=blocks).net), data

    return edit


def _residual(recipe: Recipe, data: Data) -> Pair:
    """A shortcut around every hidden block of dense layers that keeps the width.

    What the shortcuts carry adds up: with weights smaller by the root of the number of blocks the
    variance grows by a constant factor, however deep the network is.
    """
    parts = take_apart(recipe.net)
    shapes = widths(recipe.net, data.shape)
    if not shapes:
        return None
    at, fit = len(parts.before), []
    for block in parts.blocks:
        same = shapes[at] == shapes[at + len(block)] and isinstance(block[0], Dense)
        fit.append(same)
        at += len(block)
    if not any(fit):
        return None
    init = Auto(float(f"{1.0 / math.sqrt(sum(fit)):.3g}"))
    blocks = tuple(
        (Residual(block[0].replace(init=init), *block[1:]),) if same else block
        for block, same in zip(parts.blocks, fit, strict=True)
    )
    return recipe.replace(net=parts._replace(blocks=blocks).net), data


# --- width and depth -----------------------------------------------------------------------------


def _wider(recipe: Recipe) -> Recipe:
    def change(layer: Layer) -> list[Layer]:
        field = width_field(layer)
        if field is None:
            return [layer]
        least = WIDE_DENSE if field == "units" else WIDE_CONV
        return [layer.replace(**{field: max(WIDER * getattr(layer, field), least)})]

    return recipe.replace(net=change_hidden(recipe.net, change))


def _cut(recipe: Recipe, data: Data) -> Pair:
    """The first two hidden blocks, or one of two or three."""
    parts = take_apart(recipe.net)
    keep = KEPT_BLOCKS if len(parts.blocks) > KEPT_BLOCKS + 1 else 1
    if len(parts.blocks) <= keep:
        return None
    return _if_fits(recipe, data, parts._replace(blocks=parts.blocks[:keep]))


def _deeper(recipe: Recipe, data: Data) -> Pair:
    """The last hidden block of dense layers twice more; a first one where there is none."""
    parts = take_apart(recipe.net)
    if not parts.head:
        return None
    if not parts.blocks:
        return _if_fits(recipe, data, parts._replace(blocks=((Dense(WIDE_DENSE), ReLU()),)))
    last = parts.blocks[-1]
    if not isinstance(last[0], Dense):
        return None
    return _if_fits(recipe, data, parts._replace(blocks=parts.blocks + (last,) * MORE_BLOCKS))


def _if_fits(recipe: Recipe, data: Data, parts: Parts) -> Pair:
    try:
        net = parts.net
        net.shapes(data.shape)
    except ShoalError:
        return None
    return recipe.replace(net=net), data


INIT = (Remedy("usual_init", "init", "draw the weights as usual", alone(_usual_init), "init", 2),)

ARCHITECTURE = (
    Remedy("relu", "architecture", "ReLU as hidden activation", _activation(ReLU()), "init", 3),
    Remedy("leaky_relu", "architecture", "LeakyReLU as hidden activation",
           _activation(LeakyReLU()), "init", 3),
    Remedy("selu", "architecture", "SELU as hidden activation", _activation(SELU()), "init", 3),
    Remedy("mish", "architecture", "Mish as hidden activation", _activation(Mish()), "init", 3),
    Remedy("tanh", "architecture", "tanh as hidden activation", _activation(Tanh()), "init", 3),
    Remedy("hidden_activation", "architecture", "ReLU where a hidden layer has no activation",
           _hidden_activation, "init", 3),
    Remedy("batch_norm", "architecture", "batch-norm after every hidden layer",
           _norm(BatchNorm()), "init", 4),
    Remedy("layer_norm", "architecture", "layer-norm after every hidden layer",
           _norm(LayerNorm()), "init", 4),
    Remedy("residual", "architecture", "shortcuts around hidden layers that keep the width",
           _residual, "init", 4),
    Remedy("wider", "architecture", "four times the hidden units", alone(_wider), "init", 3),
    Remedy("shallower", "architecture", "fewer hidden layers", _cut, "init", 4),
    Remedy("deeper", "architecture", "two more hidden layers", _deeper, "init", 4),
)  # fmt: skip
