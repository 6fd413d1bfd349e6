"""Injecting: edits that put a fault of some level into a recipe and its data."""

from collections.abc import Callable

from shoal.data.dataset import Data
from shoal.doctor.bench import mangling
from shoal.doctor.bench import wrong_losses as wrong
from shoal.losses import Loss
from shoal.nets import (
    BatchNorm,
    Constant,
    Conv,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPool,
    Net,
    Normal,
    ReLU,
    Softmax,
)
from shoal.nets.initialisers import Initialiser
from shoal.nets.zoo import mlp
from shoal.optim import SGD, ClipByNorm
from shoal.recipe import EarlyStopping, Recipe

Pair = tuple[Recipe, Data]
Inject = Callable[[Recipe, Data, float], Pair]


def put(path: str) -> Inject:
    """Write the level at a path of the recipe."""
    return lambda recipe, data, level: (recipe.edit({path: level}), data)


def put_whole(path: str) -> Inject:
    """Write the level at a path, as a whole number."""
    return lambda recipe, data, level: (recipe.edit({path: int(level)}), data)


def on_data(change: Callable[[Data, float], Data], raw: bool = False) -> Inject:
    """Change the data; ``raw`` leaves inputs and targets unscaled."""

    def inject(recipe: Recipe, data: Data, level: float) -> Pair:
        if raw:
            recipe = recipe.edit({"preparation.inputs": "none"})
        return recipe, change(data, level)

    return inject


def on_net(change: Callable[[Net, float, int], Net]) -> Inject:
    """Change the network; it is told the level and how many outputs the data asks for."""
    return lambda recipe, data, level: (
        recipe.replace(net=change(recipe.net, level, data.width)),
        data,
    )


def drawn(net: Net, init: Initialiser, bias: Initialiser | None = None) -> Net:
    """The same network with all weights of its dense layers drawn otherwise."""
    changed: list[Layer] = []
    for layer in net.layers:
        if isinstance(layer, Dense):
            layer = layer.replace(init=init, bias_init=bias or layer.bias_init)
        changed.append(layer)
    return Net(*changed)


def in_place_of_relu(net: Net, make: Callable[[], list[Layer]]) -> Net:
    """The same network with other layers in the place of each ReLU."""
    changed: list[Layer] = []
    for layer in net.layers:
        changed += make() if isinstance(layer, ReLU) else [layer]
    return Net(*changed)


def biased(net: Net, value: float, _: int) -> Net:
    """Biases of the hidden layers below 0."""
    *hidden, last = net.layers
    body = [
        layer.replace(bias_init=Constant(value)) if isinstance(layer, Dense) else layer
        for layer in hidden
    ]
    return Net(*body, last)


def plain(activation: Layer, init: Initialiser | None, depth: int, width: int, outputs: int) -> Net:
    """A perceptron with one activation, drawn by ``init`` or as usual."""
    net = mlp([width] * depth, outputs)
    net = in_place_of_relu(net, lambda: [activation])
    return net if init is None else drawn(net, init)


def with_optimiser(make: Callable[[float], object]) -> Inject:
    """Another optimiser, made from the level."""
    return lambda recipe, data, level: (recipe.replace(optimiser=make(level)), data)


def summed_loss(recipe: Recipe, data: Data, level: float) -> Pair:
    """The loss summed over the batch; the level is the rate of SGD."""
    loss: Loss = wrong.SUMMED if data.classes else wrong.SUMMED_SQUARES
    return recipe.replace(loss=loss, optimiser=SGD(level)), data


def with_loss(loss: Loss) -> Inject:
    """A wrong loss; the level multiplies the rate."""

    def inject(recipe: Recipe, data: Data, level: float) -> Pair:
        rate = recipe.optimiser.learning_rate
        return recipe.edit({"loss": loss, "optimiser.learning_rate": rate * level}), data

    return inject


def squares_of_softmax(recipe: Recipe, data: Data, level: float) -> Pair:
    """Mean squares behind a softmax; the level is the rate of SGD."""
    net = Net(*recipe.net.layers, Softmax())
    return recipe.replace(net=net, loss="mse", optimiser=SGD(level)), data


def two_softmax(recipe: Recipe, data: Data, level: float) -> Pair:
    """A softmax before that of the loss; the level is the rate of SGD."""
    net = Net(*recipe.net.layers, Softmax(), Softmax())
    return recipe.replace(net=net, optimiser=SGD(level)), data


def softmax_of_one(recipe: Recipe, data: Data, level: float) -> Pair:
    """One unit with a softmax, always 1; the level is the rate."""
    *body, _ = recipe.net.layers
    net = Net(*body, Dense(1), Softmax())
    edited = recipe.replace(net=net, loss="binary_cross_entropy")
    return edited.edit({"optimiser.learning_rate": level}), data


def with_head(last: Layer) -> Inject:
    """An activation after the head; the level is the rate."""

    def inject(recipe: Recipe, data: Data, level: float) -> Pair:
        edited = recipe.replace(net=Net(*recipe.net.layers, last))
        return edited.edit({"optimiser.learning_rate": level}), data

    return inject


def raw_targets(recipe: Recipe, data: Data, level: float) -> Pair:
    """Targets with a spread of the level, not scaled."""
    edited = recipe.edit({"preparation.targets": "none"})
    return edited, mangling.scaled_targets(data, level)


def unguarded(recipe: Recipe, data: Data, level: float) -> Pair:
    """-log p without a guard, and weights whose spread is the level."""
    net = drawn(recipe.net, Normal(level))
    return recipe.replace(net=net, loss=wrong.UNGUARDED), data


def memorised(recipe: Recipe, data: Data, level: float) -> Pair:
    """A wide network, few rows with wrong labels among them, and much time."""
    rows = mangling.few_rows(mangling.noisy_labels(data, level), 120)
    return recipe.replace(net=mlp([256, 256], data.width), epochs=200), rows


def stopped(recipe: Recipe, data: Data, level: float) -> Pair:
    """The same, stopped early: what can be done with these rows."""
    recipe, data = memorised(recipe, data, level)
    return recipe.replace(early_stopping=EarlyStopping(5)), data


def few_of_some(recipe: Recipe, data: Data, level: float) -> Pair:
    """So many rows of the first class for one of another."""
    return recipe, mangling.imbalanced(data, level)


def few_weighed(recipe: Recipe, data: Data, level: float) -> Pair:
    """The same rows, each class weighed: what can be done with them."""
    recipe, data = few_of_some(recipe, data, level)
    return recipe.replace(class_weights="balanced"), data


def leaked(recipe: Recipe, data: Data, level: float) -> Pair:
    """Validation rows copied from training, where a wide network learns noisy labels by heart."""
    noisy = mangling.noisy_labels(data, 0.3)
    return recipe.replace(net=mlp([256], data.width)), mangling.leaked(noisy, level)


def not_leaked(recipe: Recipe, data: Data, _: float) -> Pair:
    """The same network and labels, validation rows of their own."""
    return leaked(recipe, data, 0.0)


def unfollowed(recipe: Recipe, data: Data, level: float) -> Pair:
    """Running statistics that hardly follow: at work the network is another than in training."""
    net = in_place_of_relu(recipe.net, lambda: [BatchNorm(momentum=level), ReLU()])
    raw, scaled = recipe.edit({"preparation.inputs": "none"}), mangling.scaled_inputs(data, 10.0)
    return raw.replace(net=net), scaled


def clipped(recipe: Recipe, data: Data, level: float) -> Pair:
    """Gradients no longer than the level, with SGD, whose steps that shortens."""
    return recipe.replace(optimiser=SGD(0.1), clip=ClipByNorm(level)), data


def pooled(net: Net, level: float, outputs: int) -> Net:
    """Pools down to a single cell, and filters as few as the level says."""
    layers: list[Layer] = []
    for _ in range(3):
        layers += [Conv(int(level), 3), ReLU(), MaxPool(2)]
    return Net(*layers, Flatten(), Dense(outputs))


def both(first: Inject, second: Inject, factor: tuple[float, float]) -> Inject:
    """Two faults at once; each has its own level, ``factor`` times the level of the kind."""

    def inject(recipe: Recipe, data: Data, level: float) -> Pair:
        recipe, data = first(recipe, data, factor[0] * level)
        return second(recipe, data, factor[1] * level)

    return inject


scaled = on_data(mangling.scaled_inputs, raw=True)
dropped = on_net(lambda net, level, _: in_place_of_relu(net, lambda: [ReLU(), Dropout(level)]))
