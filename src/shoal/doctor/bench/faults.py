"""The kinds of faults that are injected, each at three severities: mild, medium, severe.

A kind edits a recipe and its data, and lists the rules that name its cause rightly: the fault
itself, and what it is in other words (a momentum of 0.99 at rate 0.3 is a rate too high). Ids are
those of the list of fault types in the benchmark's description; letters divide one of them.

    curable     False where the fault destroys what no edit can bring back (wrong labels)
    honest      True where it harms the reported figure instead of the network (a leak)
    reference   what the sick one is compared with, where that is not the base: with few rows or
                one-sided ones, the best that can be done with these rows
"""

from dataclasses import dataclass

from shoal.doctor.bench import mangling
from shoal.doctor.bench import wrong_losses as wrong
from shoal.doctor.bench.injecting import (
    Inject,
    biased,
    both,
    clipped,
    drawn,
    dropped,
    few_of_some,
    few_weighed,
    in_place_of_relu,
    leaked,
    memorised,
    not_leaked,
    on_data,
    on_net,
    plain,
    pooled,
    put,
    put_whole,
    raw_targets,
    scaled,
    softmax_of_one,
    squares_of_softmax,
    stopped,
    summed_loss,
    two_softmax,
    unfollowed,
    unguarded,
    with_head,
    with_loss,
    with_optimiser,
)
from shoal.nets import Constant, Normal, ReLU, Sigmoid, Softmax, Tanh
from shoal.nets.zoo import autoencoder, mlp
from shoal.optim import SGD, ExponentialDecay, Momentum

HIGH = ("rate_too_high", "divergence", "oscillation")
LOW = ("rate_too_low", "slow_convergence")


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


KINDS: tuple[Kind, ...] = (
    Kind("F01a", "Adam at rate {}", HIGH, (0.1, 0.3, 1.0),
         ("digits/mlp", "friedman/mlp", "digit_images/cnn", "digit_rows/gru",
          "classification/mlp", "diabetes/mlp", "bars/cnn", "counts/gru"),
         put("optimiser.learning_rate")),
    Kind("F01b", "SGD at rate {}", (*HIGH, "exploding_gradients"), (3.0, 10.0, 30.0),
         ("breast_cancer/mlp", "iris/mlp"), with_optimiser(SGD)),
    Kind("F02", "Adam at rate {}", LOW, (3e-5, 1e-6, 1e-7),
         ("digits/mlp", "circles/mlp", "digit_rows/attention", "digits_rebuilt/autoencoder",
          "wine/mlp", "regression/mlp", "tokens/attention", "bars_rebuilt/autoencoder"),
         put("optimiser.learning_rate")),
    Kind("F03", "momentum {} at rate 0.3", (*HIGH, "unfit_optimiser"), (0.9, 0.95, 0.99),
         ("digits/mlp", "classification/mlp"), with_optimiser(lambda beta: Momentum(0.3, beta))),
    Kind("F04", "Adam's epsilon {}", (*LOW, "unfit_optimiser"), (0.1, 1.0, 10.0),
         ("digits/mlp", "classification/mlp"), put("optimiser.epsilon")),
    Kind("F05", "SGD at rate {} where Adam was", (*LOW, "unfit_optimiser"), (1e-2, 1e-3, 1e-4),
         ("moons/mlp", "digit_images/cnn", "blobs/mlp", "bars/cnn"), with_optimiser(SGD)),
    Kind("F06a", "{} sigmoid layers",
         ("vanishing_gradients", "saturation", "too_deep", "bad_init_scale"), (4, 8, 16),
         ("digits/mlp", "classification/mlp"),
         on_net(lambda _, level, out: plain(Sigmoid(), None, int(level), 32, out))),
    Kind("F06b", "8 tanh layers drawn with std {}", ("vanishing_gradients", "bad_init_scale"),
         (0.05, 0.02, 0.01), ("breast_cancer/mlp", "wine/mlp"),
         on_net(lambda _, level, out: plain(Tanh(), Normal(level), 8, 32, out))),
    Kind("F07", "6 ReLU layers drawn with std {}", ("bad_init_scale", "exploding_gradients"),
         (0.5, 1.0, 2.0), ("digits/mlp", "friedman/mlp", "classification/mlp", "regression/mlp"),
         on_net(lambda _, level, out: plain(ReLU(), Normal(level), 6, 32, out))),
    Kind("F08", "tanh layers drawn with std {}", ("saturation", "bad_init_scale"),
         (1.0, 3.0, 10.0), ("digits/mlp", "classification/mlp"),
         on_net(lambda _, level, out: plain(Tanh(), Normal(level), 2, 32, out))),
    Kind("F09", "all weights {}", ("symmetric_init",), (1.0, 0.1, 0.0),
         ("digits/mlp", "circles/mlp", "blobs/mlp", "classification/mlp"),
         on_net(lambda net, level, _: drawn(net, Constant(level)))),
    Kind("F10", "biases of hidden layers {}", ("dead_relu", "bad_init_scale"), (-3, -8, -30),
         ("digits/mlp", "friedman/mlp", "iris/mlp", "classification/mlp"), on_net(biased)),
    Kind("F11a", "inputs with a spread of {}, not scaled", ("input_scale",), (30, 300, 1e4),
         ("circles/mlp", "friedman/mlp", "iris/mlp", "regression/mlp"), scaled),
    Kind("F11b", "inputs with a spread of {}, not scaled", ("input_scale",), (1e-2, 1e-3, 1e-5),
         ("digits/mlp", "moons/mlp", "classification/mlp", "blobs/mlp"), scaled),
    Kind("F12", "a share {} of the preparation only for training rows", ("preparation_mismatch",),
         (0.3, 0.6, 1.0), ("breast_cancer/mlp", "digits/mlp", "wine/mlp", "diabetes/mlp"),
         on_data(mangling.prepared_in_training_alone, raw=True)),
    Kind("F13a", "NaN in a share {} of the training rows", ("nan_data",), (0.001, 0.05, 0.2),
         ("digits/mlp", "friedman/mlp", "wine/mlp", "diabetes/mlp"), on_data(mangling.with_nan)),
    Kind("F13b", "-log p unguarded, weights with std {}",
         ("not_finite", "wrong_loss", "bad_init_scale"), (1.0, 3.0, 10.0),
         ("digits/mlp", "classification/mlp"), unguarded),
    Kind("F14", "targets with a spread of {}, not scaled", ("target_scale",), (30, 1e3, 1e5),
         ("friedman/mlp", "diabetes/mlp", "regression/mlp"), raw_targets),
    Kind("F15", "squares of a softmax, SGD at rate {}",
         ("wrong_loss", "wrong_head", "unfit_optimiser", *LOW), (0.1, 0.01, 1e-3),
         ("digits/mlp", "classification/mlp"), squares_of_softmax),
    Kind("F16a", "a softmax on one unit, rate {}", ("wrong_head",), (1e-2, 3e-3, 1e-3),
         ("breast_cancer/mlp", "counts/gru"), softmax_of_one),
    Kind("F16b", "a ReLU on the logits, rate {}", ("wrong_head",), (1e-3, 1e-2, 3e-2),
         ("digits/mlp", "digit_images/cnn", "classification/mlp", "bars/cnn"), with_head(ReLU())),
    Kind("F16c", "a sigmoid on the head of a regression, rate {}", ("wrong_head",),
         (1e-3, 3e-3, 1e-2), ("friedman/mlp", "regression/mlp"), with_head(Sigmoid())),
    Kind("F17a", "two softmax, SGD at rate {}", ("wrong_head", "wrong_loss"), (0.3, 0.1, 0.03),
         ("digits/mlp", "classification/mlp"), two_softmax),
    Kind("F17b", "the logarithm of logits, rate times {}", ("wrong_loss", "wrong_head"),
         (0.3, 1.0, 3.0), ("digits/mlp", "wine/mlp"), with_loss(wrong.LOGARITHM)),
    Kind("F18a", "no hidden activation, rate {}", ("no_hidden_activation",), (1e-3, 3e-3, 1e-2),
         ("circles/mlp", "friedman/mlp", "regression/mlp"),
         lambda recipe, data, level: (
             recipe.replace(net=in_place_of_relu(recipe.net, list)).edit(
                 {"optimiser.learning_rate": level}), data)),
    Kind("F18b", "hidden softmax, rate {}", ("hidden_softmax",), (1e-3, 3e-4, 1e-4),
         ("digits/mlp", "friedman/mlp", "classification/mlp", "regression/mlp"),
         lambda recipe, data, level: (
             recipe.replace(net=in_place_of_relu(recipe.net, lambda: [Softmax()])).edit(
                 {"optimiser.learning_rate": level}), data)),
    Kind("F19a", "a sum over the batch, SGD at rate {}", ("wrong_loss", *HIGH), (0.03, 0.1, 0.3),
         ("digits/mlp", "friedman/mlp", "classification/mlp", "regression/mlp"), summed_loss),
    Kind("F19b", "softmax over the batch, rate times {}", ("wrong_loss",), (0.3, 1.0, 3.0),
         ("digits/mlp", "wine/mlp"), with_loss(wrong.WRONG_AXIS)),
    Kind("F19c", "the sign of the loss flipped, rate times {}", ("wrong_loss", "divergence"),
         (0.1, 0.3, 1.0), ("moons/mlp", "blobs/mlp"), with_loss(wrong.FLIPPED)),
    Kind("F20", "{} hidden units", ("too_narrow",), (3, 2, 1),
         ("digits/mlp", "friedman/mlp", "classification/mlp", "regression/mlp"),
         on_net(lambda _, level, out: mlp([int(level)], out))),
    Kind("F21", "{} epochs", ("too_few_epochs", "slow_convergence"), (3, 2, 1),
         ("digits/mlp", "friedman/mlp", "digit_images/cnn", "classification/mlp",
          "regression/mlp", "tokens/attention"), put_whole("epochs")),
    Kind("F22a", "L2 of {}", ("too_much_regularisation",), (10.0, 100.0, 1000.0),
         ("digits/mlp", "friedman/mlp", "classification/mlp", "regression/mlp"), put("l2")),
    Kind("F22b", "dropout of {}", ("too_much_regularisation",), (0.7, 0.9, 0.98),
         ("digits/mlp", "friedman/mlp", "classification/mlp", "regression/mlp"), dropped),
    Kind("F23", "a wide network, 120 rows, a share {} of wrong labels, 200 epochs",
         ("overfitting", "over_training", "noisy_labels"), (0.2, 0.4, 0.5),
         ("moons/mlp", "friedman/mlp", "blobs/mlp", "regression/mlp"), memorised,
         reference=stopped),
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
         on_data(mangling.noisy_labels), curable=False),
    Kind("F25b", "labels moved by {} rows", ("noisy_labels",), (1, 2, 5),
         ("breast_cancer/mlp", "wine/mlp"),
         on_data(lambda data, level: mangling.shifted_labels(data, int(level))), curable=False),
    Kind("F26", "{} rows of the first class for one of another", ("imbalance",), (10, 30, 60),
         ("moons/mlp", "digits/mlp", "blobs/mlp", "classification/mlp"), few_of_some,
         reference=few_weighed),
    Kind("F28", "a share {} of the validation rows copied from training",
         ("leakage", "duplicate_rows"), (0.5, 0.8, 1.0), ("digits/mlp", "classification/mlp"),
         leaked, honest=True, reference=not_leaked),
    Kind("F30", "batch norm whose running statistics follow by {}",
         ("evaluation_mode", "preparation_mismatch"), (3e-3, 1e-3, 0.0),
         ("digits/mlp", "friedman/mlp", "classification/mlp", "regression/mlp"), unfollowed),
    Kind("F31", "gradients clipped at {}", ("clipping", *LOW), (0.03, 0.003, 3e-4),
         ("digits/mlp", "friedman/mlp", "classification/mlp", "regression/mlp"), clipped),
    Kind("F32", "the rate times {} in each epoch", ("schedule", *LOW), (0.5, 0.2, 0.05),
         ("digits/mlp", "digit_rows/gru", "classification/mlp", "counts/gru"),
         lambda recipe, data, level: (
             recipe.replace(schedule=ExponentialDecay(level)), data)),
    Kind("F33a", "an autoencoder with a code of {}", ("too_narrow",), (4, 2, 1),
         ("digits_rebuilt/autoencoder", "bars_rebuilt/autoencoder"),
         on_net(lambda _, level, out: autoencoder(out, [48], int(level)))),
    Kind("F33b", "pools down to one cell, {} filters", ("too_narrow",), (4, 2, 1),
         ("digit_images/cnn", "bars/cnn"), on_net(pooled)),
    Kind("F34a", "a rate and inputs too large, {} times", (*HIGH, "input_scale"), (1, 3, 10),
         ("circles/mlp", "blobs/mlp"),
         both(put("optimiser.learning_rate"), scaled, (0.1, 100.0))),
    Kind("F34b", "dropout of {} and a rate of a thousandth of it",
         ("too_much_regularisation", *LOW), (0.8, 0.9, 0.95), ("digits/mlp", "classification/mlp"),
         both(dropped, put("optimiser.learning_rate"), (1.0, 1e-4))),
    Kind("F34c", "dead biases of -{} and a scaled target", ("dead_relu", "bad_init_scale",
         "target_scale"), (5, 10, 30), ("friedman/mlp", "regression/mlp"),
         both(on_net(biased), raw_targets, (-1.0, 30.0))),
    Kind("F34d", "weights of 0 and a rate of {}", ("symmetric_init", *LOW, *HIGH),
         (1e-4, 1e-5, 1e-6), ("digits/mlp", "wine/mlp"),
         both(on_net(lambda net, _, __: drawn(net, Constant(0.0))),
               put("optimiser.learning_rate"), (1.0, 1.0))),
    Kind("F34e", "a ReLU on the head and {} epochs", ("wrong_head", "too_few_epochs"), (6, 4, 2),
         ("digits/mlp", "classification/mlp"),
         both(with_head(ReLU()), put_whole("epochs"), (5e-4, 1.0))),
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
