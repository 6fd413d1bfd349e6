"""Depth: with and without shortcuts, and at an equal number of units."""

import math

import numpy as np

from shoal.data.builtin import digits
from shoal.explain.experiments.comparison import log10, paired
from shoal.explain.experiments.experiment import Experiment, Result, Size, columns, row
from shoal.explain.experiments.generated import spirals
from shoal.explain.experiments.networks import perceptron
from shoal.explain.experiments.picture import Panel, line_over_seeds
from shoal.explain.experiments.trainings import lowest, train
from shoal.nets import Auto, Dense, Net, ReLU, Residual
from shoal.nets.layer import Layer
from shoal.optim import SGD, Adam
from shoal.recipe import Recipe

BLOCKS = (1, 3, 8)
"""Of two layers each."""

WIDTH, RATES, EPOCHS = 32, (0.003, 0.01, 0.03, 0.1), 12

UNITS, SHAPES = 48, {1: 48, 2: 24, 3: 16, 4: 12, 6: 8}
"""Units in all, and layers with the units of each."""

SHAPE_RATES, SHAPE_EPOCHS, TURNS = (0.003, 0.01, 0.03, 0.1), 60, 2.5


def residual_depth(size: Size) -> Result:
    """Training loss of plain and residual networks, by depth."""
    blocks = size.some(BLOCKS)
    nets = {(kind, 2 * count): _blocks(count, kind == "residual")
            for count in blocks for kind in ("plain", "residual")}  # fmt: skip
    variants = {
        f"{kind}, {depth} layers, rate {rate:g}": Recipe(
            net, loss="cross_entropy", optimiser=SGD(rate), epochs=size.count(EPOCHS, least=2)
        )
        for (kind, depth), net in nets.items()
        for rate in RATES
    }
    done = train(variants, digits(), size)
    plain = {label: done.last(label, "train_loss") for label in variants}
    losses = {label: log10(loss) for label, loss in plain.items()}
    best = {key: lowest(plain, f"{key[0]}, {key[1]} layers,") for key in nets}
    at = {key: losses[label] for key, label in best.items()}
    depths = [2 * count for count in blocks]
    shallow, deep = depths[0], depths[-1]
    return Result(
        columns("network", "log10 of training loss", "right on validation"),
        tuple(row(label, losses[label], done.last(label, "validation_accuracy"))
              for label in variants),
        (
            paired(f"without shortcuts the training loss with {deep} layers is higher than with "
                   f"{shallow} by a factor of 10 to the", at["plain", deep], at["plain", shallow]),
            paired(f"with {deep} layers it is higher without shortcuts than with them by 10 to the",
                   at["plain", deep], at["residual", deep]),
            paired(f"with shortcuts {deep} layers lower it from that of {shallow} by 10 to the",
                   at["residual", shallow], at["residual", deep], (-math.log10(2.0), math.inf)),
        ),
        (
            Panel("training loss at the best rate", "hidden layers", "log10 of cross-entropy",
                  tuple(line_over_seeds(kind, np.array(depths),
                                        np.stack([at[kind, depth] for depth in depths]))
                        for kind in ("plain", "residual"))),
            done.losses(f"training loss of {deep} layers",
                        [best[kind, deep] for kind in ("plain", "residual")]),
        ),
    )  # fmt: skip


def _blocks(count: int, shortcut: bool) -> Net:
    """A dense layer, so many blocks of ReLU and dense twice, and the outputs."""
    # Without this the variance doubles with every shortcut, as nothing normalises.
    start = Auto(1.0 / math.sqrt(count)) if shortcut else Auto()
    layers: list[Layer] = [Dense(WIDTH)]
    for _ in range(count):
        inside = (ReLU(), Dense(WIDTH), ReLU(), Dense(WIDTH, init=start))
        layers += [Residual(*inside)] if shortcut else inside
    return Net(*layers, ReLU(), Dense(10))


def depth_or_width(size: Size) -> Result:
    """Validation loss of one number of units in few or many layers."""
    shapes = {depth: SHAPES[depth] for depth in sorted(size.some((1, 3, 2, 4, 6)))}
    variants = {
        f"{depth} x {width}, rate {rate:g}": Recipe(
            perceptron(ReLU(), depth, width, 2),
            loss="cross_entropy",
            optimiser=Adam(rate),
            epochs=size.count(SHAPE_EPOCHS, least=4),
        )
        for depth, width in shapes.items()
        for rate in SHAPE_RATES
    }
    done = train(variants, spirals(1000, TURNS), size)
    losses = {label: done.last(label, "validation_loss") for label in variants}
    right = {label: done.last(label, "validation_accuracy") for label in variants}
    best = {depth: lowest(losses, f"{depth} x") for depth in shapes}
    weights = {depth: _weights(depth, width) for depth, width in shapes.items()}
    return Result(
        ("layers x units", "weights", *columns("", "validation loss", "right on validation")[1:]),
        tuple(
            (label, weights[int(label.split()[0])], *row("", losses[label], right[label])[1:])
            for label in variants
        ),
        (
            *(paired(f"{UNITS} units in {depth} layers are right on more validation points than in "
                     "one by a share of" if not place else f"in {depth} by",
                     right[best[depth]], right[best[1]])
              for place, depth in enumerate(depth for depth in shapes if depth > 1)),
        ),
        (
            Panel("accuracy at the best rate", "hidden layers", "share of validation points right",
                  (line_over_seeds("", np.array(list(shapes)),
                                   np.stack([right[label] for label in best.values()])),)),
            done.losses("training loss at the best rate", best.values()),
        ),
    )  # fmt: skip


def _weights(depth: int, width: int) -> int:
    return perceptron(ReLU(), depth, width, 2).parameter_count((2,))


EXPERIMENTS = (
    Experiment(
        "depth_or_width",
        "Deep or wide, with an equal number of units",
        "a number of units serves better in several layers than in one",
        "texts on deep learning, after results on how many regions a network can tell apart "
        "(Montufar et al. 2014)",
        "48 ReLUs in 1, 2, 3, 4 or 6 hidden layers learn two spirals of 2.5 turns by Adam for 60 "
        "epochs, each shape at the best of four rates for the validation loss.",
        depth_or_width,
    ),
    Experiment(
        "residual_depth",
        "Shortcuts and growing depth",
        "a plain network that is made much deeper trains worse, on its own training data; with "
        "shortcuts a deep one trains as well as a shallow one (to a loss at most twice as "
        "high), or better",
        "He et al. 2016, on convolutional networks",
        "Perceptrons of 2, 6 and 16 hidden layers of 32 ReLUs after a first one learn handwritten "
        "digits by plain SGD for 12 epochs without normalisation, with and without a shortcut "
        "around every two layers, at the best of four rates for each; all start as He et al. say, "
        "but the last layer of each of n shortcut blocks smaller by √n.",
        residual_depth,
    ),
)
