"""Which activation learns faster: same network, same batches, only the activation differs.

Each activation gets the learning rate that suits it: several rates are trained, and each is judged
at its own best one (the fewest epochs to a training accuracy, on average over seeds).
"""

from collections.abc import Mapping

import numpy as np

from shoal.data.builtin import digits
from shoal.explain.experiments.comparison import log10, paired
from shoal.explain.experiments.experiment import Experiment, Result, Size, columns, row
from shoal.explain.experiments.networks import perceptron
from shoal.explain.experiments.picture import Panel, bars_over_seeds
from shoal.explain.experiments.trainings import Trainings, lowest, train
from shoal.nets import (
    ELU,
    GELU,
    SELU,
    HardSigmoid,
    HardSwish,
    LeakyReLU,
    Mish,
    PReLU,
    ReLU,
    RReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Softsign,
    Tanh,
)
from shoal.nets.activation import Activation
from shoal.optim import SGD
from shoal.recipe import Recipe

RATES = (0.1, 0.3, 1.0, 3.0, 10.0)
DEPTH, WIDTH, EPOCHS = 3, 32, 30
ALL: dict[str, Activation] = {
    "ReLU": LeakyReLU(0.0), "sigmoid": Sigmoid(), "leaky ReLU": LeakyReLU(), "tanh": Tanh(),
    "PReLU": PReLU(), "RReLU": RReLU(), "ELU": ELU(), "SELU": SELU(), "GELU": GELU(),
    "SiLU": SiLU(), "Mish": Mish(), "hard swish": HardSwish(), "softplus": Softplus(),
    "softsign": Softsign(), "hard sigmoid": HardSigmoid(),
}  # fmt: skip
"""ReLU as LeakyReLU of slope 0, so that both are one program. (CELU with alpha 1 is ELU.)"""

LEVEL = 0.97
"""The training accuracy until which epochs are counted."""


def tanh_or_sigmoid(size: Size) -> Result:
    """Training loss and epochs to an accuracy, of tanh against sigmoid."""
    return _rivals({"tanh": Tanh(), "sigmoid": Sigmoid()}, size)


def relu_or_tanh(size: Size) -> Result:
    """Training loss and epochs to an accuracy, of ReLU against tanh."""
    return _rivals({"ReLU": ReLU(), "tanh": Tanh()}, size)


def _rivals(rivals: Mapping[str, Activation], size: Size) -> Result:
    """The first activation against the second, which the claim says is slower."""
    done = _at_all_rates(rivals, DEPTH, size)
    variants = tuple(done.runs)
    needed = {label: done.epochs_to(label, "train_accuracy", LEVEL) for label in variants}
    losses = {label: log10(done.last(label, "train_loss")) for label in variants}
    first, second = (lowest(needed, f"{name},") for name in rivals)
    return Result(
        columns("at a learning rate", f"epochs to {LEVEL:.0%}", "log10 of training loss"),
        tuple(row(label, needed[label], losses[label]) for label in variants),
        (
            paired(
                f"to be right on {LEVEL:.0%} of the training digits {second} takes longer than "
                f"{first} by",
                needed[second],
                needed[first],
                unit="epochs",
            ),
        ),
        (
            done.losses("training loss at the best rates", (first, second)),
            Panel("accuracy on training digits", "epoch", "share right",
                  tuple(done.line(label, "train_accuracy") for label in (first, second))),
        ),
    )  # fmt: skip


def every_activation(size: Size) -> Result:
    """Epochs to an accuracy of every activation, each at its best rate."""
    kinds = {name: ALL[name] for name in size.some(tuple(ALL), least=3)}
    done = _at_all_rates(kinds, 2, size)
    needed = {label: done.epochs_to(label, "train_accuracy", LEVEL) for label in done.runs}
    best = sorted((lowest(needed, f"{kind},") for kind in kinds), key=lambda v: needed[v].mean())
    right = {label: done.last(label, "validation_accuracy") for label in best}
    bounded = {kind for kind, activation in kinds.items() if activation.facts.saturates == "both"}
    groups = [[needed[v] for v in best if (_kind(v) in bounded) == yes] for yes in (True, False)]
    slow, fast = (np.mean(group, axis=0) for group in groups)
    quickest = next(v for v in best if _kind(v) in bounded)
    return Result(
        columns("at its best rate", f"epochs to {LEVEL:.0%}", "right on validation"),
        tuple(row(label, needed[label], right[label]) for label in best),
        (
            paired(
                f"to be right on {LEVEL:.0%} of the training digits those that saturate on both "
                f"sides ({', '.join(sorted(bounded))}) take longer than the others on average by",
                slow,
                fast,
                unit="epochs",
            ),
            paired(
                f"and the fastest of them, {quickest}, by", needed[quickest], fast, unit="epochs"
            ),
        ),
        (
            Panel(f"epochs to {LEVEL:.0%} of the training digits", "epochs", "",
                  (bars_over_seeds({v: needed[v] for v in best}),)),
            Panel("at the end, on digits not trained on", "share right", "",
                  (bars_over_seeds({v: right[v] for v in best}, colour=2),)),
        ),
    )  # fmt: skip


def _at_all_rates(kinds: Mapping[str, Activation], depth: int, size: Size) -> Trainings:
    """Every activation at every rate, by labels such as "tanh, rate 0.3"."""
    variants = {
        f"{name}, rate {rate:g}": Recipe(
            perceptron(activation, depth, WIDTH, 10),
            loss="cross_entropy",
            optimiser=SGD(rate),
            epochs=size.count(EPOCHS, least=8),
        )
        for name, activation in kinds.items()
        for rate in RATES
    }
    return train(variants, digits(), size)


def _kind(label: str) -> str:
    """The activation of a label."""
    return label.split(",")[0]


_METHOD = (
    "Perceptrons of three hidden layers of 32 units learn handwritten digits by plain SGD; each "
    "activation at the best of five learning rates for it, initialised with the gain that suits it."
)

EXPERIMENTS = (
    Experiment(
        "tanh_or_sigmoid",
        "tanh against sigmoid",
        "tanh learns in fewer epochs than the sigmoid",
        "LeCun et al. 1998, Efficient BackProp, and most texts since, which give as reasons that "
        "its outputs are centred on zero and its slope is up to four times larger",
        _METHOD,
        tanh_or_sigmoid,
    ),
    Experiment(
        "relu_or_tanh",
        "ReLU against tanh",
        "networks of ReLUs learn in fewer epochs than networks of tanh",
        "Krizhevsky et al. 2012, who measured six times fewer on a convolutional network",
        _METHOD,
        relu_or_tanh,
    ),
    Experiment(
        "every_activation",
        "Every activation on the same network",
        "activations that saturate on both sides learn more slowly than those that do not",
        "Glorot and Bengio 2010, and Glorot, Bordes and Bengio 2011",
        "Perceptrons of two hidden layers of 32 units learn handwritten digits by plain SGD; each "
        "activation at the best of five learning rates for it, initialised with its gain.",
        every_activation,
        seeds=4,
    ),
)
