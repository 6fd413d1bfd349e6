"""Which activation learns faster: one network, the same batches, only the activation differs.

Each activation gets the learning rate that suits it: several rates are trained, and each is judged
at its own best one (the fewest epochs to a training accuracy, on average over seeds).
"""

from collections.abc import Mapping

from shoal.arrays import Numbers
from shoal.data.builtin import digits
from shoal.explain.experiments.comparison import log10, paired
from shoal.explain.experiments.experiment import Experiment, Result, Size, columns, row
from shoal.explain.experiments.networks import perceptron
from shoal.explain.experiments.picture import Panel
from shoal.explain.experiments.trainings import train
from shoal.nets import ReLU, Sigmoid, Tanh
from shoal.nets.activation import Activation
from shoal.optim import SGD
from shoal.recipe import Recipe

RATES = (0.03, 0.1, 0.3, 1.0, 3.0)
DEPTH, WIDTH, EPOCHS = 3, 32, 30
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
    epochs = size.count(EPOCHS, least=8)
    variants = {
        f"{name}, rate {rate:g}": Recipe(
            perceptron(activation, DEPTH, WIDTH, 10),
            loss="cross_entropy",
            optimiser=SGD(rate),
            epochs=epochs,
        )
        for name, activation in rivals.items()
        for rate in RATES
    }
    done = train(variants, digits(), size)
    needed = {label: done.epochs_to(label, "train_accuracy", LEVEL) for label in variants}
    losses = {label: log10(done.last(label, "train_loss")) for label in variants}
    first, second = (_fastest(needed, name) for name in rivals)
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
            Panel("training loss at the best rates", "epoch", "cross-entropy",
                  tuple(done.line(label, "train_loss") for label in (first, second)), log_y=True),
            Panel("accuracy on training digits", "epoch", "share right",
                  tuple(done.line(label, "train_accuracy") for label in (first, second))),
        ),
    )  # fmt: skip


def _fastest(needed: Mapping[str, Numbers], name: str) -> str:
    """The variant of an activation that needs the fewest epochs on average."""
    own = [label for label in needed if label.startswith(f"{name},")]
    return min(own, key=lambda label: float(needed[label].mean()))


_METHOD = (
    "Perceptrons of three hidden layers of 32 units learn handwritten digits by plain SGD; each "
    "activation at the best of five learning rates for it, initialised with the gain that suits it."
)

EXPERIMENTS = (
    Experiment(
        "tanh_or_sigmoid",
        "tanh against sigmoid",
        "tanh learns faster than the sigmoid, because its outputs are centred on zero and its "
        "slope is up to four times larger",
        "LeCun et al. 1998, Efficient BackProp, and most texts since",
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
)
