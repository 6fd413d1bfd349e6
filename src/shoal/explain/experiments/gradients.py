"""What becomes of the gradient on its way back through a network, before any training.

Notation: delta_l is the gradient of the loss with respect to the sums z_l of hidden layer l of L.
(That with respect to the weights of layer l is delta_l times what layer l - 1 gives, and so mixes
what happens on the way back with what happens on the way forward.)
Layers are as wide as the input, so a weight with standard deviation s / √n keeps the same meaning
in all of them: s = 1 is Xavier's and LeCun's law, s = √2 He's.
"""

import math
from typing import Any

import numpy as np

from shoal.arrays import Numbers
from shoal.data.builtin import digits
from shoal.explain.experiments.comparison import compared, log10
from shoal.explain.experiments.experiment import Experiment, Result, Size, columns, row
from shoal.explain.experiments.networks import perceptron
from shoal.explain.experiments.passes import first_pass, standard_batch
from shoal.explain.experiments.picture import Panel, line_over_seeds
from shoal.nets import Normal, ReLU, Sigmoid, Tanh
from shoal.nets.activation import Activation

WIDTH = 64
BATCH = 64
DEPTHS = (5, 20)
SPREADS = {"half of Xavier": 0.5, "Xavier": 1.0, "He": math.sqrt(2.0), "twice He": math.sqrt(8.0)}
"""s, the standard deviation of a weight times √n."""

ACTIVATIONS: dict[str, Activation] = {"sigmoid": Sigmoid(), "tanh": Tanh(), "ReLU": ReLU()}
KEPT = 0.05
"""A gradient is kept where it changes by less than an eighth per layer: 10^0.05 = 1.12."""


def vanishing_gradients(size: Size) -> Result:
    """log10(‖delta_1‖ / ‖delta_L‖) per layer, for each activation, initialiser and depth."""
    depths = sorted({size.count(depth, least=5) for depth in DEPTHS})
    found = {
        (name, depth): _norms(activation, depth, size.seeds)
        for name, activation in ACTIVATIONS.items()
        for depth in depths
    }
    rows = tuple(
        (name, spread, depth, *row("", _per_layer(norms[place]))[1:])
        for (name, depth), norms in found.items()
        for place, spread in enumerate(SPREADS)
    )

    def deepest(name: str, spread: str) -> Numbers:
        return _per_layer(found[name, depths[-1]][list(SPREADS).index(spread)])

    return Result(
        ("activation", "weights", "depth", *columns("", "log10 per layer")[1:]),
        rows,
        (
            compared(
                f"each of {depths[-1]} layers on the way back changes log10 of the gradient, for "
                "sigmoids with Xavier's weights, by",
                deepest("sigmoid", "Xavier"),
                (-math.inf, math.log10(0.25)),
            ),
            compared("for ReLUs with He's weights by", deepest("ReLU", "He"), (-KEPT, KEPT)),
            compared(
                "for ReLUs with weights twice as large by",
                deepest("ReLU", "twice He"),
                (math.log10(1.5), math.inf),
            ),
        ),
        tuple(_panel(name, found[name, depths[-1]]) for name in ACTIVATIONS),
    )


def _norms(activation: Activation, depth: int, seeds: int) -> Numbers:
    """(initialisers, seeds, depth): norms of the gradients of the hidden layers."""
    x, t = standard_batch(digits(), BATCH)
    deviations = [Normal(s / math.sqrt(WIDTH)) for s in SPREADS.values()]
    nets = [perceptron(activation, depth, WIDTH, 10, init=init) for init in deviations]
    return first_pass(nets, x, t, seeds).deltas[..., :depth]


def _per_layer(norms: Any) -> Numbers:
    """(seeds,): the mean change of log10 of the norm when going back by one layer."""
    depth = norms.shape[-1]
    change: Numbers = (log10(norms[:, 0]) - log10(norms[:, -1])) / (depth - 1)
    return change


def _panel(name: str, norms: Numbers) -> Panel:
    depth = norms.shape[-1]
    logs = log10(norms) - log10(norms[..., -1:])
    lines = [
        line_over_seeds(spread, np.arange(1, depth + 1), logs[place].T)
        for place, spread in enumerate(SPREADS)
    ]
    words = "log10 of gradient norm, relative to the last hidden layer"
    return Panel(f"{name}, {depth} layers", "layer (1 is next to the input)", words, tuple(lines))


EXPERIMENTS = (
    Experiment(
        "vanishing_gradients",
        "Vanishing and exploding gradients",
        "going back through a deep network the gradient of sigmoids shrinks to a quarter or less "
        "with every layer; ReLU with He's initialisation keeps it, and weights twice as large make "
        "it explode (more than 1.5 times larger with every layer)",
        "the chain rule with a derivative of the sigmoid of at most 1/4 (texts on deep networks); "
        "He et al. 2015 for the variance that keeps the signal of ReLUs",
        "One pass forward and backward over 64 handwritten digits through freshly drawn networks "
        "of 64 units a layer, without training, in float64; norm of the gradient of the loss with "
        "respect to the sums of each layer.",
        vanishing_gradients,
        seeds=10,
    ),
)
