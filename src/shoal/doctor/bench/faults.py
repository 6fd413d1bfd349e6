"""The kinds of faults that are injected, each at three severities: mild, medium, severe.

A kind edits a recipe and its data, and lists the rules that name its cause rightly: the fault
itself, and what it is in other words (a momentum of 0.99 at rate 0.3 is a rate too high). Ids are
those of the list of fault types in the benchmark's description; letters divide one of them.

    curable     False where the fault destroys what no edit can bring back (wrong labels)
    honest      True where it harms the reported figure instead of the network (a leak)
    reference   what the sick one is compared with, where that is not the base: with few rows or
                one-sided ones, the best that can be done with these rows
"""

from collections.abc import Callable
from dataclasses import dataclass

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
    Sigmoid,
    Softmax,
    Tanh,
)
from shoal.nets.initialisers import Initialiser
from shoal.nets.zoo import autoencoder, mlp
from shoal.optim import SGD, ClipByNorm, ExponentialDecay, Momentum
from shoal.recipe import EarlyStopping, Recipe

Pair = tuple[Recipe, Data]
Inject = Callable[[Recipe, Data, float], Pair]

HIGH = ("rate_too_high", "divergence", "oscillation")
LOW = ("rate_too_low", "slow_convergence")
MLPS_A = ("digits/mlp", "friedman/mlp")
MLPS_B = ("classification/mlp", "regression/mlp")
CLASSES = ("digits/mlp", "breast_cancer/mlp", "classification/mlp", "wine/mlp")


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Attributes:
        id: such as "F01a"; text: what was done, as a clause with ``{}`` for the level.
        causes: rules that name it rightly.
        levels: mild, medium, severe.
        bases: names of the healthy trainings that it is put into.
        inject: puts it in.
        curable, honest, reference: see above.
    """

    id: str
    text: str
    causes: tuple[str, ...]
    levels: tuple[float, float, float]
    bases: tuple[str, ...]
    inject: Inject
    curable: bool = True
    honest: bool = False
    reference: Inject | None = None


# --- edits ---------------------------------------------------------------------------------------


def _put(path: str) -> Inject:
    """Write the level at a path of the recipe."""
    return lambda recipe, data, level: (recipe.edit({path: level}), data)


def _whole(path: str) -> Inject:
    return lambda recipe, data, level: (recipe.edit({path: int(level)}), data)


def _mangle(change: Callable[[Data, float], Data], raw: bool = False) -> Inject:
    """Change the data; ``raw`` leaves inputs and targets unscaled."""

    def inject(recipe: Recipe, data: Data, level: float) -> Pair:
        if raw:
            recipe = recipe.edit({"preparation.inputs": "none"})
        return recipe, change(data, level)

    return inject


def _net(change: Callable[[Net, float, int], Net]) -> Inject:
    """Change the network; it is told the level and how many outputs the data asks for."""
    return lambda recipe, data, level: (
        recipe.replace(net=change(recipe.net, level, data.width)),
        data,
    )


def _drawn(net: Net, init: Initialiser, bias: Initialiser | None = None) -> Net:
    """The same network with all weights of its dense layers drawn otherwise."""
    changed: list[Layer] = []
    for layer in net.layers:
        if isinstance(layer, Dense):
            layer = layer.replace(init=init, bias_init=bias or layer.bias_init)
        changed.append(layer)
    return Net(*changed)


def _hidden(net: Net, make: Callable[[], list[Layer]]) -> Net:
    """The same network with other layers in the place of each ReLU."""
    changed: list[Layer] = []
    for layer in net.layers:
        changed += make() if isinstance(layer, ReLU) else [layer]
    return Net(*changed)


def _biased(net: Net, value: float, _: int) -> Net:
    """Biases of the hidden layers below 0."""
    *hidden, last = net.layers
    body = [
        layer.replace(bias_init=Constant(value)) if isinstance(layer, Dense) else layer
        for layer in hidden
    ]
    return Net(*body, last)


def _plain(
    activation: Layer, init: Initialiser | None, depth: int, width: int, outputs: int
) -> Net:
    net = mlp([width] * depth, outputs)
    net = _hidden(net, lambda: [activation])
    return net if init is None else _drawn(net, init)


def _optimiser(make: Callable[[float], object]) -> Inject:
    return lambda recipe, data, level: (recipe.replace(optimiser=make(level)), data)


def _summed(recipe: Recipe, data: Data, level: float) -> Pair:
    loss: Loss = wrong.SUMMED if data.classes else wrong.SUMMED_SQUARES
    return recipe.replace(loss=loss, optimiser=SGD(level)), data


def _losses(loss: Loss) -> Inject:
    """A wrong loss; the level multiplies the rate."""

    def inject(recipe: Recipe, data: Data, level: float) -> Pair:
        rate = recipe.optimiser.learning_rate
        return recipe.edit({"loss": loss, "optimiser.learning_rate": rate * level}), data

    return inject


def _squares_of_softmax(recipe: Recipe, data: Data, level: float) -> Pair:
    net = Net(*recipe.net.layers, Softmax())
    return recipe.replace(net=net, loss="mse", optimiser=SGD(level)), data


def _two_softmax(recipe: Recipe, data: Data, level: float) -> Pair:
    net = Net(*recipe.net.layers, Softmax(), Softmax())
    return recipe.replace(net=net, optimiser=SGD(level)), data


def _softmax_of_one(recipe: Recipe, data: Data, level: float) -> Pair:
    """One unit with a softmax, always 1; the level is the rate."""
    *body, _ = recipe.net.layers
    net = Net(*body, Dense(1), Softmax())
    edited = recipe.replace(net=net, loss="binary_cross_entropy")
    return edited.edit({"optimiser.learning_rate": level}), data


def _headed(last: Layer) -> Inject:
    """An activation after the head; the level is the rate."""

    def inject(recipe: Recipe, data: Data, level: float) -> Pair:
        edited = recipe.replace(net=Net(*recipe.net.layers, last))
        return edited.edit({"optimiser.learning_rate": level}), data

    return inject


def _raw_targets(recipe: Recipe, data: Data, level: float) -> Pair:
    edited = recipe.edit({"preparation.targets": "none"})
    return edited, mangling.scaled_targets(data, level)


def _unguarded(recipe: Recipe, data: Data, level: float) -> Pair:
    net = _drawn(recipe.net, Normal(level))
    return recipe.replace(net=net, loss=wrong.UNGUARDED), data


def _memorised(recipe: Recipe, data: Data, level: float) -> Pair:
    """A wide network, few rows with wrong labels among them, and much time."""
    rows = mangling.few_rows(mangling.noisy_labels(data, level), 120)
    return recipe.replace(net=mlp([256, 256], data.width), epochs=200), rows


def _stopped(recipe: Recipe, data: Data, level: float) -> Pair:
    recipe, data = _memorised(recipe, data, level)
    return recipe.replace(early_stopping=EarlyStopping(5)), data


def _few_of_some(recipe: Recipe, data: Data, level: float) -> Pair:
    return recipe, mangling.imbalanced(data, level)


def _few_weighed(recipe: Recipe, data: Data, level: float) -> Pair:
    recipe, data = _few_of_some(recipe, data, level)
    return recipe.replace(class_weights="balanced"), data


def _leaked(recipe: Recipe, data: Data, level: float) -> Pair:
    """Validation rows copied from training, where a wide network learns noisy labels by heart."""
    noisy = mangling.noisy_labels(data, 0.3)
    return recipe.replace(net=mlp([256], data.width)), mangling.leaked(noisy, level)


def _not_leaked(recipe: Recipe, data: Data, _: float) -> Pair:
    return _leaked(recipe, data, 0.0)


def _unfollowed(recipe: Recipe, data: Data, level: float) -> Pair:
    """Running statistics that hardly follow: at work the network is another than in training."""
    net = _hidden(recipe.net, lambda: [BatchNorm(momentum=level), ReLU()])
    raw, scaled = recipe.edit({"preparation.inputs": "none"}), mangling.scaled_inputs(data, 10.0)
    return raw.replace(net=net), scaled


def _clipped(recipe: Recipe, data: Data, level: float) -> Pair:
    return recipe.replace(optimiser=SGD(0.1), clip=ClipByNorm(level)), data


def _pooled(net: Net, level: float, outputs: int) -> Net:
    """Pools down to a single cell, and filters as few as the level says."""
    layers: list[Layer] = []
    for _ in range(3):
        layers += [Conv(int(level), 3), ReLU(), MaxPool(2)]
    return Net(*layers, Flatten(), Dense(outputs))


def _both(first: Inject, second: Inject, factor: tuple[float, float]) -> Inject:
    """Two faults at once; each has its own level, ``factor`` times the level of the kind."""

    def inject(recipe: Recipe, data: Data, level: float) -> Pair:
        recipe, data = first(recipe, data, factor[0] * level)
        return second(recipe, data, factor[1] * level)

    return inject


_scaled = _mangle(mangling.scaled_inputs, raw=True)
_dropped = _net(lambda net, level, _: _hidden(net, lambda: [ReLU(), Dropout(level)]))

KINDS: tuple[Kind, ...] = (
    Kind("F01a", "Adam at rate {}", HIGH, (0.1, 0.3, 1.0),
         ("digits/mlp", "friedman/mlp", "digit_images/cnn", "digit_rows/gru",
          "classification/mlp", "diabetes/mlp", "bars/cnn", "counts/gru"),
         _put("optimiser.learning_rate")),
    Kind("F01b", "SGD at rate {}", (*HIGH, "exploding_gradients"), (3.0, 10.0, 30.0),
         ("breast_cancer/mlp", "iris/mlp"), _optimiser(SGD)),
    Kind("F02", "Adam at rate {}", LOW, (3e-5, 1e-6, 1e-7),
         ("digits/mlp", "circles/mlp", "digit_rows/attention", "digits_rebuilt/autoencoder",
          "wine/mlp", "regression/mlp", "tokens/attention", "bars_rebuilt/autoencoder"),
         _put("optimiser.learning_rate")),
    Kind("F03", "momentum {} at rate 0.3", (*HIGH, "unfit_optimiser"), (0.9, 0.95, 0.99),
         ("digits/mlp", "classification/mlp"), _optimiser(lambda beta: Momentum(0.3, beta))),
    Kind("F04", "Adam's epsilon {}", (*LOW, "unfit_optimiser"), (0.1, 1.0, 10.0),
         ("digits/mlp", "classification/mlp"), _put("optimiser.epsilon")),
    Kind("F05", "SGD at rate {} where Adam was", (*LOW, "unfit_optimiser"), (1e-2, 1e-3, 1e-4),
         ("moons/mlp", "digit_images/cnn", "blobs/mlp", "bars/cnn"), _optimiser(SGD)),
    Kind("F06a", "{} sigmoid layers",
         ("vanishing_gradients", "saturation", "too_deep", "bad_init_scale"), (4, 8, 16),
         ("digits/mlp", "classification/mlp"),
         _net(lambda _, level, out: _plain(Sigmoid(), None, int(level), 32, out))),
    Kind("F06b", "8 tanh layers drawn with std {}", ("vanishing_gradients", "bad_init_scale"),
         (0.05, 0.02, 0.01), ("breast_cancer/mlp", "wine/mlp"),
         _net(lambda _, level, out: _plain(Tanh(), Normal(level), 8, 32, out))),
    Kind("F07", "6 ReLU layers drawn with std {}", ("bad_init_scale", "exploding_gradients"),
         (0.5, 1.0, 2.0), ("digits/mlp", "friedman/mlp", "classification/mlp", "regression/mlp"),
         _net(lambda _, level, out: _plain(ReLU(), Normal(level), 6, 32, out))),
    Kind("F08", "tanh layers drawn with std {}", ("saturation", "bad_init_scale"),
         (1.0, 3.0, 10.0), ("digits/mlp", "classification/mlp"),
         _net(lambda _, level, out: _plain(Tanh(), Normal(level), 2, 32, out))),
    Kind("F09", "all weights {}", ("symmetric_init",), (1.0, 0.1, 0.0),
         ("digits/mlp", "circles/mlp", "blobs/mlp", "classification/mlp"),
         _net(lambda net, level, _: _drawn(net, Constant(level)))),
    Kind("F10", "biases of hidden layers {}", ("dead_relu", "bad_init_scale"), (-3, -8, -30),
         ("digits/mlp", "friedman/mlp", "iris/mlp", "classification/mlp"), _net(_biased)),
    Kind("F11a", "inputs with a spread of {}, not scaled", ("input_scale",), (30, 300, 1e4),
         ("circles/mlp", "friedman/mlp", "iris/mlp", "regression/mlp"), _scaled),
    Kind("F11b", "inputs with a spread of {}, not scaled", ("input_scale",), (1e-2, 1e-3, 1e-5),
         ("digits/mlp", "moons/mlp", "classification/mlp", "blobs/mlp"), _scaled),
    Kind("F12", "a share {} of the preparation only for training rows", ("preparation_mismatch",),
         (0.3, 0.6, 1.0), ("breast_cancer/mlp", "digits/mlp", "wine/mlp", "diabetes/mlp"),
         _mangle(mangling.prepared_in_training_alone, raw=True)),
    Kind("F13a", "NaN in a share {} of the training rows", ("nan_data",), (0.0, 0.05, 0.2),
         ("digits/mlp", "friedman/mlp", "wine/mlp", "diabetes/mlp"), _mangle(mangling.with_nan)),
    Kind("F13b", "-log p unguarded, weights with std {}",
         ("not_finite", "wrong_loss", "bad_init_scale"), (1.0, 3.0, 10.0),
         ("digits/mlp", "classification/mlp"), _unguarded),
    Kind("F14", "targets with a spread of {}, not scaled", ("target_scale",), (30, 1e3, 1e5),
         ("friedman/mlp", "diabetes/mlp", "regression/mlp"), _raw_targets),
    Kind("F15", "squares of a softmax, SGD at rate {}",
         ("wrong_loss", "wrong_head", "unfit_optimiser", *LOW), (0.1, 0.01, 1e-3),
         ("digits/mlp", "classification/mlp"), _squares_of_softmax),
    Kind("F16a", "a softmax on one unit, rate {}", ("wrong_head",), (1e-2, 3e-3, 1e-3),
         ("breast_cancer/mlp", "counts/gru"), _softmax_of_one),
    Kind("F16b", "a ReLU on the logits, rate {}", ("wrong_head",), (1e-3, 1e-2, 3e-2),
         ("digits/mlp", "digit_images/cnn", "classification/mlp", "bars/cnn"), _headed(ReLU())),
    Kind("F16c", "a sigmoid on the head of a regression, rate {}", ("wrong_head",),
         (1e-3, 3e-3, 1e-2), ("friedman/mlp", "regression/mlp"), _headed(Sigmoid())),
    Kind("F17a", "two softmax, SGD at rate {}", ("wrong_head", "wrong_loss"), (0.3, 0.1, 0.03),
         ("digits/mlp", "classification/mlp"), _two_softmax),
    Kind("F17b", "the logarithm of logits, rate times {}", ("wrong_loss", "wrong_head"),
         (0.3, 1.0, 3.0), ("digits/mlp", "wine/mlp"), _losses(wrong.LOGARITHM)),
    Kind("F18a", "no hidden activation, rate {}", ("no_hidden_activation",), (1e-3, 3e-3, 1e-2),
         ("circles/mlp", "friedman/mlp", "regression/mlp"),
         lambda recipe, data, level: (
             recipe.replace(net=_hidden(recipe.net, list)).edit(
                 {"optimiser.learning_rate": level}), data)),
    Kind("F18b", "hidden softmax, rate {}", ("hidden_softmax",), (1e-3, 3e-4, 1e-4),
         ("digits/mlp", "friedman/mlp", "classification/mlp", "regression/mlp"),
         lambda recipe, data, level: (
             recipe.replace(net=_hidden(recipe.net, lambda: [Softmax()])).edit(
                 {"optimiser.learning_rate": level}), data)),
    Kind("F19a", "a sum over the batch, SGD at rate {}", ("wrong_loss", *HIGH), (0.03, 0.1, 0.3),
         ("digits/mlp", "friedman/mlp", "classification/mlp", "regression/mlp"), _summed),
    Kind("F19b", "softmax over the batch, rate times {}", ("wrong_loss",), (0.3, 1.0, 3.0),
         ("digits/mlp", "wine/mlp"), _losses(wrong.WRONG_AXIS)),
    Kind("F19c", "the sign of the loss flipped, rate times {}", ("wrong_loss", "divergence"),
         (0.1, 0.3, 1.0), ("moons/mlp", "blobs/mlp"), _losses(wrong.FLIPPED)),
    Kind("F20", "{} hidden units", ("too_narrow",), (3, 2, 1),
         ("digits/mlp", "friedman/mlp", "classification/mlp", "regression/mlp"),
         _net(lambda _, level, out: mlp([int(level)], out))),
    Kind("F21", "{} epochs", ("too_few_epochs", "slow_convergence"), (3, 2, 1),
         ("digits/mlp", "friedman/mlp", "digit_images/cnn", "classification/mlp",
          "regression/mlp", "tokens/attention"), _whole("epochs")),
    Kind("F22a", "L2 of {}", ("too_much_regularisation",), (10.0, 100.0, 1000.0),
         ("digits/mlp", "friedman/mlp", "classification/mlp", "regression/mlp"), _put("l2")),
    Kind("F22b", "dropout of {}", ("too_much_regularisation",), (0.7, 0.9, 0.98),
         ("digits/mlp", "friedman/mlp", "classification/mlp", "regression/mlp"), _dropped),
    Kind("F23", "a wide network, 120 rows, a share {} of wrong labels, 200 epochs",
         ("overfitting", "over_training", "noisy_labels"), (0.2, 0.4, 0.5),
         ("moons/mlp", "friedman/mlp", "blobs/mlp", "regression/mlp"), _memorised,
         reference=_stopped),
    Kind("F24a", "batches of {}", ("batch_too_large", "too_few_epochs", *LOW), (100, 200, 400),
         ("digits/mlp", "classification/mlp"),
         lambda recipe, data, level: (
             recipe.replace(batch_size=int(level)).edit(
                 {"optimiser.learning_rate": 3e-4, "epochs": 20}), data)),
    Kind("F24b", "single rows at rate {}", ("batch_too_small", *HIGH), (0.01, 0.03, 0.1),
         ("moons/mlp", "iris/mlp"),
         lambda recipe, data, level: (
             recipe.replace(batch_size=1).edit(
                 {"optimiser.learning_rate": level, "epochs": 15}), data)),
    Kind("F25a", "a share {} of the labels shuffled", ("noisy_labels",), (0.6, 0.8, 1.0),
         ("digits/mlp", "friedman/mlp", "classification/mlp", "regression/mlp"),
         _mangle(mangling.noisy_labels), curable=False),
    Kind("F25b", "labels moved by {} rows", ("noisy_labels",), (1, 2, 5),
         ("breast_cancer/mlp", "wine/mlp"),
         _mangle(lambda data, level: mangling.shifted_labels(data, int(level))), curable=False),
    Kind("F26", "{} rows of the first class for one of another", ("imbalance",), (10, 30, 60),
         ("moons/mlp", "digits/mlp", "blobs/mlp", "classification/mlp"), _few_of_some,
         reference=_few_weighed),
    Kind("F28", "a share {} of the validation rows copied from training",
         ("leakage", "duplicate_rows"), (0.5, 0.8, 1.0), ("digits/mlp", "classification/mlp"),
         _leaked, honest=True, reference=_not_leaked),
    Kind("F30", "batch norm whose running statistics follow by {}",
         ("evaluation_mode", "preparation_mismatch"), (3e-3, 1e-3, 0.0),
         ("digits/mlp", "friedman/mlp", "classification/mlp", "regression/mlp"), _unfollowed),
    Kind("F31", "gradients clipped at {}", ("clipping", *LOW), (0.03, 0.003, 3e-4),
         ("digits/mlp", "friedman/mlp", "classification/mlp", "regression/mlp"), _clipped),
    Kind("F32", "the rate times {} in each epoch", ("schedule", *LOW), (0.5, 0.2, 0.05),
         ("digits/mlp", "digit_rows/gru", "classification/mlp", "counts/gru"),
         lambda recipe, data, level: (
             recipe.replace(schedule=ExponentialDecay(level)), data)),
    Kind("F33a", "an autoencoder with a code of {}", ("too_narrow",), (4, 2, 1),
         ("digits_rebuilt/autoencoder", "bars_rebuilt/autoencoder"),
         _net(lambda _, level, out: autoencoder(out, [48], int(level)))),
    Kind("F33b", "pools down to one cell, {} filters", ("too_narrow",), (4, 2, 1),
         ("digit_images/cnn", "bars/cnn"), _net(_pooled)),
    Kind("F34a", "a rate and inputs too large, {} times", (*HIGH, "input_scale"), (1, 3, 10),
         ("circles/mlp", "blobs/mlp"),
         _both(_put("optimiser.learning_rate"), _scaled, (0.1, 100.0))),
    Kind("F34b", "dropout of {} and a rate of a thousandth of it",
         ("too_much_regularisation", *LOW), (0.8, 0.9, 0.95), ("digits/mlp", "classification/mlp"),
         _both(_dropped, _put("optimiser.learning_rate"), (1.0, 1e-4))),
    Kind("F34c", "dead biases of -{} and a scaled target", ("dead_relu", "bad_init_scale",
         "target_scale"), (5, 10, 30), ("friedman/mlp", "regression/mlp"),
         _both(_net(_biased), _raw_targets, (-1.0, 30.0))),
    Kind("F34d", "weights of 0 and a rate of {}", ("symmetric_init", *LOW, *HIGH),
         (1e-4, 1e-5, 1e-6), ("digits/mlp", "wine/mlp"),
         _both(_net(lambda net, _, __: _drawn(net, Constant(0.0))),
               _put("optimiser.learning_rate"), (1.0, 1.0))),
    Kind("F34e", "a ReLU on the head and {} epochs", ("wrong_head", "too_few_epochs"), (6, 4, 2),
         ("digits/mlp", "classification/mlp"),
         _both(_headed(ReLU()), _whole("epochs"), (5e-4, 1.0))),
)  # fmt: skip
"""The table of kinds."""

LEFT_OUT = {
    "F13c": "an exponential as activation: there is none in the vocabulary of layers",
    "F19d": "gradients that are not reset between steps: training has no such step to forget",
    "F27": "sorted rows without shuffling: a recipe cannot turn shuffling off",
    "F29": "frozen layers and detached heads: a recipe cannot freeze a layer",
    "F30b": "dropout that is active at work: the mode belongs to the call, not to the recipe",
    "F32b": "no warm-up before post-norm attention: one small block trains without",
}
"""Faults of the list that a recipe and its data cannot express, and why."""
