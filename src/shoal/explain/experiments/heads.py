"""What a head and its loss do to the gradient: a sigmoid under a squared error, a large softmax.

Notation: z are the sums before the head, σ the sigmoid, p = softmax(z) with C classes, J the matrix
of derivatives dp_i / dz_j = p_i (δ_ij − p_j).
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from shoal.arrays import Array, Numbers
from shoal.data.builtin import breast_cancer
from shoal.explain.experiments.comparison import compared, paired
from shoal.explain.experiments.experiment import Experiment, Result, Size, columns, row
from shoal.explain.experiments.picture import Panel, line_over_seeds
from shoal.explain.experiments.trainings import lowest, train
from shoal.losses import BinaryCrossEntropy, CrossEntropy, Loss, MeanSquaredError
from shoal.nets import Constant, Dense, Net, Sigmoid, Softmax, Tanh
from shoal.optim import SGD
from shoal.recipe import Recipe

LOSSES: dict[str, Loss] = {
    "cross-entropy": BinaryCrossEntropy(),
    "squared error": MeanSquaredError(),
}
STARTS = (0.0, -3.0, -6.0)
"""Biases at which the output begins: σ(−6) = 0.0025, almost sure that nothing is benign."""

RATES = (0.3, 1.0, 3.0, 10.0)
EPOCHS, LEVEL = 40, 0.93

CLASSES, ROWS = 10, 64
SCALES = (0.1, 0.3, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
USUAL, LARGE = 1.0, 8.0
"""Standard deviations of q·k for 64 standard normal numbers, with a factor 1 / √64, and without."""

SURE = 0.8
"""A softmax whose largest probability is above this is almost one-hot."""


def cross_entropy_or_squares(size: Size) -> Result:
    """Epochs to an accuracy, from a good start and from outputs that are sure and wrong."""
    variants = {
        f"{name}, bias {start:g}, rate {rate:g}": Recipe(
            Net(Dense(16), Tanh(), Dense(1, bias_init=Constant(start)), Sigmoid()),
            loss=loss,
            optimiser=SGD(rate),
            epochs=size.count(EPOCHS, least=6),
        )
        for name, loss in LOSSES.items()
        for start in STARTS
        for rate in RATES
    }
    done = train(variants, breast_cancer(), size)
    needed = {label: done.epochs_to(label, "train_accuracy", LEVEL) for label in variants}

    good, worst = STARTS[0], STARTS[-1]
    best = {name: lowest(needed, f"{name}, bias {good:g},") for name in LOSSES}

    def fastest(name: str, start: float) -> str:
        return best[name].replace(f"bias {good:g},", f"bias {start:g},")

    shown = [fastest(name, start) for name in LOSSES for start in STARTS]
    lost = {n: needed[fastest(n, worst)] - needed[fastest(n, good)] for n in LOSSES}
    entropy, squares = LOSSES
    return Result(
        columns("head", f"epochs to {LEVEL:.0%}"),
        tuple(row(label, needed[label]) for label in variants),
        (
            paired(f"an output that begins at σ({worst:g}) instead of σ({good:g}) costs squared "
                   "error more than cross-entropy by",
                   lost[squares], lost[entropy], unit="epochs"),
            paired(f"from σ({worst:g}) squared error takes longer by",
                   needed[fastest(squares, worst)], needed[fastest(entropy, worst)], unit="epochs"),
        ),
        (
            Panel("accuracy while training", "epoch", "share right",
                  tuple(
                      done.line(label, "train_accuracy", colour=place // len(STARTS),
                                dashed="bias 0" not in label)
                      for place, label in enumerate(shown)
                      if f"bias {STARTS[1]:g}," not in label
                  )),
            Panel(f"epochs to {LEVEL:.0%}", "bias at which the output begins",
                  "epochs",
                  tuple(
                      line_over_seeds(name, np.array(STARTS),
                                      np.stack([needed[fastest(name, s)] for s in STARTS]))
                      for name in LOSSES
                  )),
        ),
    )  # fmt: skip


class Polarised(NamedTuple):
    """Means over rows for each scale and seed, (scales, seeds).

    Attributes:
        entropy: −Σ p ln p, in nats.
        largest: max p.
        jacobian: log10 of the Frobenius norm of J; its mean is that of a typical row.
        gradient: norm of the gradient p − t of the cross-entropy for classes t drawn at random.
    """

    entropy: Numbers
    largest: Numbers
    jacobian: Numbers
    gradient: Numbers


def softmax_polarisation(size: Size) -> Result:
    """Entropy and derivatives of softmax against the scale of what goes in."""
    found = polarised(size.seeds, size.count(ROWS, least=16))
    usual, large = SCALES.index(USUAL), SCALES.index(LARGE)
    names = ("entropy", "largest p", "log10 of derivatives", "gradient of cross-entropy")

    def panel(title: str, words: str, values: Numbers) -> Panel:
        line = line_over_seeds("", np.array(SCALES), values)
        return Panel(title, "standard deviation of the logits", words, (line,), log_x=True)

    return Result(
        columns("standard deviation of logits", *names),
        tuple(
            row(scale, *(values[k] for values in found)) for k, scale in enumerate(SCALES)
        ),
        (
            compared(f"with logits of standard deviation {LARGE:g} the largest probability is",
                     found.largest[large], (SURE, 1.0)),
            paired(f"compared with {USUAL:g} they change log10 of the norm of the derivatives of "
                   "softmax by", found.jacobian[large], found.jacobian[usual], (-math.inf, -1.0)),
            paired("and the norm of the gradient of a cross-entropy behind it by",
                   found.gradient[large], found.gradient[usual]),
        ),
        (
            panel("how undecided softmax is", "entropy in nats", found.entropy),
            panel("what passes back through softmax", "log10 of the norm of J", found.jacobian),
            panel("what cross-entropy sends back", "norm of p − t", found.gradient),
        ),
    )  # fmt: skip


def polarised(seeds: int, rows: int) -> Polarised:
    """Softmax of normal logits of every scale, (rows, CLASSES) for each seed."""
    softmax, loss = Softmax().function, CrossEntropy()

    def of_row(z: Array, t: Array) -> tuple[Array, ...]:
        p = softmax(z)
        entropy = -jnp.sum(jnp.where(p > 0, p * jnp.log(jnp.where(p > 0, p, 1.0)), 0.0))
        pull = jax.grad(lambda z: jnp.sum(loss.per_example(z[None], t[None])))(z)
        derivatives = jnp.linalg.norm(jax.jacobian(softmax)(z))
        return entropy, jnp.max(p), jnp.log10(derivatives), jnp.linalg.norm(pull)

    def one(scale: Array, seed: Array) -> tuple[Array, ...]:
        draw, classes = jax.random.split(jax.random.key(seed))
        z = scale * jax.random.normal(draw, (rows, CLASSES), np.float64)
        t = jax.random.randint(classes, (rows,), 0, CLASSES)
        return tuple(jnp.mean(values) for values in jax.vmap(of_row)(z, t))

    with jax.enable_x64(True):
        grid = jax.vmap(jax.vmap(one, in_axes=(None, 0)), in_axes=(0, None))
        found = jax.jit(grid)(np.array(SCALES), np.arange(seeds, dtype=np.int32))
        return Polarised(*(np.asarray(values) for values in found))


EXPERIMENTS = (
    Experiment(
        "cross_entropy_or_squares",
        "Cross-entropy against squared error behind a sigmoid",
        "a sigmoid output that begins sure and wrong learns slowly under squared error and not "
        "under cross-entropy",
        "texts on neural networks that introduce cross-entropy by this slowdown: the gradient of "
        "squared error carries the factor σ', which cancels in that of cross-entropy",
        "One hidden layer of 16 tanh units and a sigmoid output learn to tell benign from "
        "malignant tumours by plain SGD; the bias of the output begins at 0, -3 or -6; each loss "
        "at the one of four learning rates that is best for it from 0.",
        cross_entropy_or_squares,
    ),
    Experiment(
        "softmax_polarisation",
        "Large logits polarise softmax",
        "logits as large as the dot products of 64 numbers make softmax almost one-hot (above 0.8) "
        "and its derivatives more than ten times smaller, while the gradient of a cross-entropy "
        "behind it does not shrink",
        "Vaswani et al. 2017, who divide by the root of the dimension for this reason",
        "Softmax of 10 normal logits of growing standard deviation, without training: 8 is that "
        "of a dot product of 64 standard normal numbers, 1 that after dividing by √64.",
        softmax_polarisation,
        seeds=10,
    ),
)
