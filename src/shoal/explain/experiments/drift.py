"""How much distributions between layers shift in training, with normalisation and without.

Notation: a_e, (N, U), is what an activation of a hidden layer takes, for N training rows, after e
epochs, with unit means m_e and standard deviations s_e, both (U,). Between two stored epochs

    shift of the mean     mean over units of |m_f − m_e| / s_e
    shift of the spread   mean over units of |log10 (s_f / s_e)|

The weights of an epoch are those of a member that trains so many epochs: members of one seed see
the same batches, so that the longest training goes through all of them.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from shoal.arrays import Array, Numbers, Tree
from shoal.data.builtin import digits
from shoal.explain.experiments.comparison import paired
from shoal.explain.experiments.experiment import Experiment, Result, Size, columns, row
from shoal.explain.experiments.picture import Panel, line_over_seeds
from shoal.explain.experiments.trainings import train
from shoal.nets import BatchNorm, Dense, LayerNorm, Mode, Net, Tanh
from shoal.nets.layer import Layer
from shoal.optim import SGD
from shoal.recipe import Recipe
from shoal.train.run import Run

NORMS: dict[str, tuple[Layer, ...]] = {
    "none": (),
    "batch-norm": (BatchNorm(),),
    "layer-norm": (LayerNorm(),),
}
STORED = (0, 1, 2, 4, 8, 16)
"""Epochs after which the weights are looked at; 0 are those of a training at a rate of 0."""

DEPTH, WIDTH, RATE, ROWS = 5, 32, 0.1, 512


def shifting_layers(size: Size) -> Result:
    """Shifts from one stored epoch to the next, for every hidden layer."""
    stored = size.some(STORED, least=3)
    norms = size.some(tuple(NORMS), least=3)
    variants = {
        f"{name}, {epochs} epochs": Recipe(
            _net(NORMS[name]),
            loss="cross_entropy",
            optimiser=SGD(RATE if epochs else 0.0),
            epochs=max(epochs, 1),
        )
        for name in norms
        for epochs in stored
    }
    done = train(variants, digits(), size)
    moments = {
        name: np.stack([moments_of(done.runs[f"{name}, {e} epochs"]) for e in stored])
        for name in norms
    }
    # (stored − 1, n, layers) each: shifts of the mean and of the spread.
    means, spreads = zip(*(shifts(found) for found in moments.values()), strict=True)
    by_mean = dict(zip(norms, means, strict=True))
    by_spread = dict(zip(norms, spreads, strict=True))
    table = tuple(
        (name, layer + 1, *row("", by_mean[name][..., layer].mean(axis=0),
                               by_spread[name][..., layer].mean(axis=0))[1:])
        for name in norms
        for layer in range(DEPTH)
    )  # fmt: skip
    overall = {name: found.mean(axis=(0, 2)) for name, found in by_mean.items()}
    widths = {name: found.mean(axis=(0, 2)) for name, found in by_spread.items()}
    return Result(
        ("normalisation", "layer", *columns("", "shift of the mean", "shift of the spread")[1:]),
        table,
        (
            *(
                paired(f"{name} lowers the shift of the {what} by", values["none"], values[name],
                       unit=unit)
                for what, values, unit in (
                    ("mean of what reaches a hidden activation", overall, "deviations"),
                    ("spread (log10)", widths, ""),
                )
                for name in ("batch-norm", "layer-norm")
            ),
        ),
        (
            Panel("shift of the mean by layer", "layer (1 is next to the input)",
                  "in standard deviations, between stored epochs",
                  tuple(line_over_seeds(name, np.arange(1, DEPTH + 1), found.mean(axis=0).T)
                        for name, found in by_mean.items())),
            Panel("shift of the mean in time", "epoch", "in standard deviations, all layers",
                  tuple(line_over_seeds(name, np.array(stored[1:]), found.mean(axis=2))
                        for name, found in by_mean.items())),
            Panel("accuracy while that happens", "epoch", "share of training digits right",
                  tuple(done.line(f"{name}, {stored[-1]} epochs", "train_accuracy")
                        ._replace(label=name) for name in norms)),
        ),
    )  # fmt: skip


def _net(norm: tuple[Layer, ...]) -> Net:
    hidden = [layer for _ in range(DEPTH) for layer in (Dense(WIDTH), *norm, Tanh())]
    return Net(*hidden, Dense(10))


def shifts(moments: Numbers) -> tuple[Numbers, Numbers]:
    """Shifts between stored epochs, (S − 1, n, L) each, of the mean and of the spread.

    Args:
        moments: (S, n, 2, L, U): means and standard deviations of S stored epochs.
    """
    mean, deviation = moments[:, :, 0], np.maximum(moments[:, :, 1], 1e-12)
    moved = np.abs(np.diff(mean, axis=0)) / deviation[:-1]
    widened = np.abs(np.diff(np.log10(deviation), axis=0))
    return moved.mean(axis=-1), widened.mean(axis=-1)


def moments_of(runs: Sequence[Run]) -> Numbers:
    """(n, 2, L, U): means and deviations over training rows of what each hidden activation takes.

    Batch-norm works as in training, with the moments of these rows.
    """
    net, prepared = runs[0].recipe.body, runs[0].prepared
    x, _ = prepared.encoded(prepared.parts.train[:ROWS], np.dtype(np.float32))
    weights = [run.model.parameters for run in runs]
    gathered = [run.model.statistics for run in runs]
    stacked = jax.tree.map(lambda *own: np.concatenate(own), *zip(weights, gathered, strict=True))
    return np.asarray(_moments(net, *stacked, x), np.float64)


@jax.jit
def _moments(net: Net, parameters: Tree, statistics: Tree, x: Array) -> Array:
    def one(parameters: Tree, statistics: Tree) -> Array:
        found, y = [], x
        for name, layer, _ in net.inside(x.shape[1:]):
            if layer.gain is not None:
                found.append(jnp.stack([jnp.mean(y, axis=0), jnp.std(y, axis=0)]))
            own, gathered = parameters.get(name, {}), statistics.get(name, {})
            y, _ = layer.apply(own, gathered, y, Mode(training=True))
        return jnp.stack(found, axis=1)

    result: Any = jax.vmap(one)(parameters, statistics)
    return result


EXPERIMENTS = (
    Experiment(
        "shifting_layers",
        "Shifting distributions between layers",
        "while a network trains, what reaches its hidden activations shifts; batch-norm and "
        "layer-norm keep its mean and its spread steadier",
        "Ioffe and Szegedy 2015, who called it internal covariate shift; Ba et al. 2016",
        "Perceptrons of five hidden layers of 32 tanh units learn handwritten digits by plain SGD "
        "at one rate; mean and spread of what reaches every hidden activation, over 512 training "
        "digits, before training and after 1, 2, 4, 8 and 16 epochs. That this is why "
        "normalisation helps is disputed (Santurkar et al. 2018), and is not tested here.",
        shifting_layers,
    ),
)
