"""How weights begin: zero, small, Xavier, He, all equal; and layers without activations."""

import math

import jax.numpy as jnp
import numpy as np

from shoal.arrays import Numbers
from shoal.data.builtin import digits
from shoal.explain.experiments.comparison import compared, paired
from shoal.explain.experiments.experiment import Experiment, Result, Size, columns, row
from shoal.explain.experiments.generated import moons
from shoal.explain.experiments.networks import perceptron
from shoal.explain.experiments.picture import Panel, bars_over_seeds
from shoal.explain.experiments.trainings import BATCHED, Trainings, lowest, train
from shoal.nets import Constant, Dense, Identity, Mode, Net, Normal, ReLU, Zeros
from shoal.nets.initialisers import Initialiser
from shoal.optim import SGD
from shoal.recipe import Recipe
from shoal.train.fit import fit
from shoal.train.run import Run

WIDTH, DEPTH, EPOCHS = 64, 6, 20
"""Layers are as wide as the input, so that one standard deviation serves all of them."""

BEGINNINGS: dict[str, Initialiser] = {
    "zero": Zeros(),
    "normal 0.01": Normal(0.01),
    "Xavier": Normal(1.0 / math.sqrt(WIDTH)),
    "He": Normal(math.sqrt(2.0 / WIDTH)),
}
RATES = (0.03, 0.1, 0.3, 1.0)
LEVEL = 0.97
"""The training accuracy until which epochs are counted; who never gets there counts all of them."""

SAME = 0.1
"""The value of all weights where they begin the same."""

ROUNDING = 1e-3
"""A relative difference that float32 and many steps explain."""


def initialisation(size: Size) -> Result:
    """Epochs to an accuracy of deep ReLU networks by how their weights begin, best rate of each."""
    variants = {
        f"{name}, rate {rate:g}": Recipe(
            perceptron(ReLU(), DEPTH, WIDTH, 10, init=init),
            loss="cross_entropy",
            optimiser=SGD(rate),
            epochs=size.count(EPOCHS, least=3),
        )
        for name, init in BEGINNINGS.items()
        for rate in RATES
    }
    done = train(variants, digits(), size)
    needed = {label: done.epochs_to(label, "train_accuracy", LEVEL) for label in variants}
    right = {label: done.last(label, "validation_accuracy") for label in variants}
    best = {name: lowest(needed, f"{name},") for name in BEGINNINGS}
    he, to = best["He"], f"to be right on {LEVEL:.0%} of the training digits "
    return Result(
        columns("weights", f"epochs to {LEVEL:.0%}", "right on validation"),
        tuple(row(label, needed[label], right[label]) for label in variants),
        tuple(
            paired(f"{what}{best[name]}, takes longer than {he}, by",
                   needed[best[name]], needed[he], unit="epochs")
            for what, name in ((to, "Xavier"), ("", "normal 0.01"), ("", "zero"))
        ),
        (
            done.losses("training loss at the best rates", best.values()),
            Panel("at the end, on digits not trained on", "share right", "",
                  (bars_over_seeds({v: right[v] for v in best.values()}),)),
        ),
    )  # fmt: skip


def symmetry(size: Size) -> Result:
    """How different the hidden units are after training, from equal and from drawn weights."""
    variants = {
        name: Recipe(
            Net(Dense(32, init=init), ReLU(), Dense(10, init=init)),
            loss="cross_entropy",
            optimiser=SGD(0.1),
            epochs=size.count(EPOCHS, least=3),
        )
        for name, init in (("all weights equal", Constant(SAME)), ("drawn", Normal(SAME)))
    }
    # With equal weights the seed changes nothing, so here the order of the batches varies too.
    done = Trainings(
        {
            name: [_from(recipe.replace(seed=k), k * EPOCHS) for k in range(size.seeds)]
            for name, recipe in variants.items()
        }
    )
    spread = {n: np.array([unit_spread(run) for run in done.runs[n]]) for n in variants}
    right = {n: done.last(n, "validation_accuracy") for n in variants}
    equal, drawn = variants
    panels = [Panel(title, words, "", (bars_over_seeds(values, colour=place),))
              for place, (title, words, values) in enumerate((
                  ("differences between hidden units", "standard deviation / root mean square",
                   spread),
                  ("on digits not trained on", "share right", right)))]  # fmt: skip
    return Result(
        columns("weights", "spread of units", "right on validation"),
        tuple(row(name, spread[name], right[name]) for name in variants),
        (
            compared("after training the weights of hidden units that began equal differ by a "
                     "share of", spread[equal], (-math.inf, ROUNDING)),
            paired("and such a network is right on fewer validation digits than a drawn one by",
                   right[drawn], right[equal]),
        ),
        tuple(panels),
    )  # fmt: skip


def _from(recipe: Recipe, epoch: int) -> Run:
    """A training that begins at a global epoch, which decides the order of its batches."""
    return fit(recipe, digits(), show=False, start_epoch=epoch, settings=BATCHED)


def unit_spread(run: Run) -> float:
    """Standard deviation of the first layer's weights across units, relative to their size."""
    weight = np.asarray(run.model.parameters["dense1"]["weight"], np.float64)[0]
    return float(np.sqrt(weight.var(axis=0).mean() / (weight**2).mean()))


def linear_collapse(size: Size) -> Result:
    """Three layers without activations, one layer, and three layers with ReLU, on two moons."""
    nets = {
        "one layer": Net(Dense(2)),
        "three linear layers": perceptron(Identity(), 2, 16, 2),
        "three layers with ReLU": perceptron(ReLU(), 2, 16, 2),
    }
    variants = {
        name: Recipe(net, loss="cross_entropy", optimiser=SGD(0.1), epochs=size.count(60, least=10))
        for name, net in nets.items()
    }
    done = train(variants, moons(1000), size)
    right = {name: done.last(name, "validation_accuracy") for name in nets}
    single, linear, bent = nets
    gap = _gap_to_one_layer(done, linear)
    return Result(
        columns("network", "right on validation"),
        tuple(row(name, right[name]) for name in nets),
        (
            compared("three trained linear layers differ from the one layer that their product is "
                     "by a share of", gap, (-math.inf, ROUNDING)),
            paired("they are right on more validation points than one trained layer by",
                   right[linear], right[single], (-0.02, 0.02)),
            paired("and on fewer than three layers with ReLU by", right[bent], right[linear]),
        ),
        (
            Panel("accuracy on points not trained on", "epoch", "share right",
                  tuple(done.line(name, "validation_accuracy") for name in nets)),
            Panel("at the end", "share right", "", (bars_over_seeds(right),)),
        ),
    )  # fmt: skip


def _gap_to_one_layer(done: Trainings, label: str) -> Numbers:
    """(n,): for each seed, the largest relative difference of the outputs from those of W x + b.

    W and b are the product of the layers' matrices and what their biases become behind it, computed
    here in float64 by NumPy from the trained weights.
    """
    return np.array([_gap(run) for run in done.runs[label]])


def _gap(run: Run) -> float:
    net, prepared = run.recipe.body, run.prepared
    x = prepared.inputs.encode(prepared.data.inputs)
    parameters = {n: {k: a[0] for k, a in own.items()} for n, own in run.model.parameters.items()}
    z, _ = net.apply(parameters, {}, jnp.asarray(x, jnp.float32), Mode(training=False))
    matrix, offset = np.eye(x.shape[1]), np.zeros(x.shape[1])
    for name in sorted(parameters):  # dense1, dense2, dense3
        weight = np.asarray(parameters[name]["weight"], np.float64)
        matrix = weight @ matrix
        offset = weight @ offset + np.asarray(parameters[name]["bias"], np.float64)
    single = x @ matrix.T + offset
    return float(np.abs(np.asarray(z) - single).max() / np.abs(single).max())


EXPERIMENTS = (
    Experiment(
        "initialisation",
        "How weights begin",
        "in a deep network of ReLUs He's initialisation learns fastest, Xavier's more slowly, "
        "small normal weights hardly and zeros not at all",
        "He et al. 2015, Glorot and Bengio 2010, and lecture notes on initialisation",
        "Perceptrons of six hidden layers of 64 ReLUs learn handwritten digits by plain SGD; each "
        "initialiser at the best of four learning rates.",
        initialisation,
    ),
    Experiment(
        "symmetry",
        "Equal weights stay equal",
        "hidden units whose weights begin equal stay equal, so a network of them learns less than "
        "one whose weights were drawn",
        "texts on neural networks, as the reason to draw weights at random",
        "A perceptron with one hidden layer of 32 ReLUs learns handwritten digits by plain SGD "
        "from weights that are all 0.1 and from normal ones. Each seed has its own order "
        "of the batches here.",
        symmetry,
    ),
    Experiment(
        "linear_collapse",
        "Layers without activations are one layer",
        "linear layers one after another compute what a single one can, and cannot bend a boundary",
        "texts on neural networks, as the reason for activations",
        "Three layers without activations, one layer, and three layers with ReLU learn to tell two "
        "moons of 1000 points from each other by plain SGD.",
        linear_collapse,
    ),
)
