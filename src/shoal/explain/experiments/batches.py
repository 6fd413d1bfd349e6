"""The size of the batch: noise of its gradient, epochs needed, full batches. Time: ``speed``."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from shoal.arrays import Array, Numbers, Tree
from shoal.data.builtin import digits
from shoal.explain.experiments.comparison import compared, log10, paired
from shoal.explain.experiments.experiment import Experiment, Result, Size, columns, row
from shoal.explain.experiments.networks import perceptron
from shoal.explain.experiments.passes import standard_batch
from shoal.explain.experiments.picture import Panel, line_over_seeds
from shoal.explain.experiments.trainings import lowest, train
from shoal.losses import CrossEntropy
from shoal.nets import Mode, ReLU
from shoal.optim import SGD, GradientDescent, Rprop
from shoal.optim.optimiser import Optimiser
from shoal.recipe import Recipe

SIZES = (4, 16, 64, 256)
DRAWS, ROWS = 400, 1024
"""Batches drawn for each size, from so many rows."""

RATES = (0.03, 0.1, 0.3, 1.0, 3.0)
EPOCHS, LEVEL = 30, 0.97


def batch_noise(size: Size) -> Result:
    """How far the gradient and the loss of a batch are from those of all rows, by its size."""
    gradients, losses = per_example(size.count(ROWS, least=256), size.seeds)
    sizes, rng = np.array(SIZES, np.float64), np.random.default_rng(0)
    noise, spread = (np.empty((len(sizes), size.seeds)) for _ in range(2))
    for place, rows in enumerate(SIZES):
        for seed in range(size.seeds):
            # (DRAWS, N): how often each row is in each batch, as a share.
            even = np.full(losses.shape[1], 1.0 / losses.shape[1])
            shares = rng.multinomial(rows, even, DRAWS) / rows
            off = shares @ gradients[seed] - gradients[seed].mean(axis=0)
            noise[place, seed] = math.sqrt(float((off**2).sum(axis=1).mean()))
            spread[place, seed] = (shares @ losses[seed]).std()
    slope = np.polyfit(np.log(sizes), np.log(noise), 1)[0]
    slope_loss = np.polyfit(np.log(sizes), np.log(spread), 1)[0]
    law = 10 ** log10(noise[0]).mean() * np.sqrt(SIZES[0] / sizes)
    return Result(
        columns("rows in a batch", "log10 of gradient noise", "log10 of loss noise"),
        tuple(
            row(rows, log10(noise[k]), log10(spread[k])) for k, rows in enumerate(SIZES)
        ),
        (
            compared("the noise of the gradient falls with the size of the batch to the power",
                     slope, (-0.55, -0.45)),
            compared("that of the loss to the power", slope_loss, (-0.55, -0.45)),
        ),
        (
            Panel("noise of the gradient of a batch", "rows in a batch",
                  "distance from the gradient of all rows",
                  (line_over_seeds("measured", sizes, noise, geometric=True),
                   line_over_seeds("1 / √rows", sizes, np.stack([law, law], axis=1), dashed=True)),
                  log_x=True, log_y=True),
            Panel("noise of the loss of a batch", "rows in a batch", "standard deviation",
                  (line_over_seeds("measured", sizes, spread, geometric=True),),
                  log_x=True, log_y=True),
        ),
    )  # fmt: skip


def per_example(rows: int, seeds: int) -> tuple[Numbers, Numbers]:
    """Gradients (seeds, rows, weights) and losses (seeds, rows) of digits, before any training."""
    net, loss = perceptron(ReLU(), 1, 16, 10), CrossEntropy()
    x, t = standard_batch(digits(), rows)
    inputs = jnp.asarray(x, jnp.float32)

    def value(parameters: Tree, x: Array, t: Array) -> Array:
        z, _ = net.apply(parameters, {}, x[None], Mode(training=True))
        return jnp.sum(loss.per_example(z, t[None]))

    def one(seed: Array) -> tuple[Array, Array]:
        parameters, _ = net.init(jax.random.key(seed), inputs.shape[1:])
        each = jax.vmap(jax.value_and_grad(value), in_axes=(None, 0, 0))
        losses, pull = each(parameters, inputs, jnp.asarray(t))
        flat = [leaf.reshape(rows, -1) for leaf in jax.tree.leaves(pull)]
        return jnp.concatenate(flat, axis=1), losses

    gradients, losses = jax.jit(jax.vmap(one))(np.arange(seeds, dtype=np.int32))
    return np.asarray(gradients), np.asarray(losses)


def batch_size(size: Size) -> Result:
    """Epochs and updates until an accuracy, each batch size at its best rate."""
    sizes = size.some((SIZES[0], SIZES[-1], *SIZES[1:-1]))
    recipes = {
        rows: Recipe(
            perceptron(ReLU(), 1, 32, 10),
            loss="cross_entropy",
            batch_size=rows,
            epochs=size.count(EPOCHS, least=8),
        )
        for rows in sorted(sizes)
    }
    variants = {
        f"{rows} rows, rate {rate:g}": recipe.replace(optimiser=SGD(rate))
        for rows, recipe in recipes.items()
        for rate in RATES
    }
    done = train(variants, digits(), size)
    needed = {label: done.epochs_to(label, "train_accuracy", LEVEL) for label in variants}
    trained = len(next(iter(done.runs.values()))[0].prepared.parts.train)
    best = {rows: lowest(needed, f"{rows} rows,") for rows in recipes}
    updates = {rows: log10(needed[best[rows]] * -(-trained // rows)) for rows in recipes}
    small, large = min(recipes), max(recipes)
    epochs = np.stack([needed[best[rows]] for rows in recipes])
    return Result(
        columns("at its best rate", f"epochs to {LEVEL:.0%}", "log10 of updates"),
        tuple(row(best[rows], needed[best[rows]], updates[rows]) for rows in recipes),
        (
            paired(f"to {LEVEL:.0%} of the training digits batches of {large} rows take more "
                   f"epochs than batches of {small} by",
                   needed[best[large]], needed[best[small]], unit="epochs"),
            paired("and fewer updates by a factor of 10 to the", updates[small], updates[large]),
        ),
        (
            Panel(f"epochs to {LEVEL:.0%}", "rows in a batch", "epochs",
                  (line_over_seeds("", np.array(list(recipes)), epochs),), log_x=True),
            done.losses("training loss at the best rates", [best[rows] for rows in recipes]),
        ),
    )  # fmt: skip


def full_batch(size: Size) -> Result:
    """Gradient descent and Rprop on full batches, SGD on batches of 32."""
    rivals: dict[str, tuple[Any, tuple[float, ...]]] = {
        "gradient descent": (GradientDescent, (0.3, 1.0, 3.0, 10.0)),
        "Rprop": (Rprop, (0.01, 0.03, 0.1, 0.3)),
        "SGD": (SGD, (0.03, 0.1, 0.3, 1.0)),
    }
    variants = {
        f"{name}, rate {rate:g}": _by(kind(rate), size)
        for name, (kind, rates) in rivals.items()
        for rate in rates
    }
    done = train(variants, digits(), size)
    needed = {label: done.epochs_to(label, "train_accuracy", LEVEL) for label in variants}
    groups = {name: [v for v in variants if v.startswith(name)] for name in rivals}
    best = {name: lowest(needed, f"{name},") for name in rivals}
    span = {n: np.max([needed[v] for v in g], axis=0) - np.min([needed[v] for v in g], axis=0)
            for n, g in groups.items()}  # fmt: skip
    descent, rprop, sgd = rivals
    to = f"to {LEVEL:.0%} of the training digits"
    return Result(
        columns("optimiser", f"epochs to {LEVEL:.0%}"),
        tuple(row(label, needed[label]) for label in variants),
        (
            paired(f"{to} {best[descent]}, takes longer than {best[rprop]}, by",
                   needed[best[descent]], needed[best[rprop]], unit="epochs"),
            paired(f"and Rprop longer than {best[sgd]}, by",
                   needed[best[rprop]], needed[best[sgd]], unit="epochs"),
            paired("between the best and the worst of four rates, about 30 times apart, gradient "
                   "descent differs more than Rprop by", span[descent], span[rprop], unit="epochs"),
        ),
        (
            Panel("accuracy at the best rates", "epoch", "share of training digits right",
                  tuple(done.line(label, "train_accuracy") for label in best.values())),
            Panel("how much the rate matters", "rate, relative to the smallest tried",
                  f"epochs to {LEVEL:.0%}",
                  tuple(line_over_seeds(name, np.array(rivals[name][1]) / rivals[name][1][0],
                                        np.stack([needed[v] for v in groups[name]]))
                        for name in rivals), log_x=True),
        ),
    )  # fmt: skip


def _by(optimiser: Optimiser, size: Size) -> Recipe:
    epochs = size.count(100, least=10)
    return Recipe(perceptron(ReLU(), 1, 32, 10), "cross_entropy", optimiser, epochs=epochs)


_ONE_LAYER = "A perceptron with one hidden layer of 32 ReLUs learns handwritten digits"

EXPERIMENTS = (
    Experiment(
        "batch_noise",
        "Noise of batches",
        "the noise of the gradient and of the loss of a batch falls with the root of its size",
        "the law of the mean of independent draws, in texts on stochastic gradient descent",
        "Gradients of single handwritten digits in freshly drawn networks, without training; "
        "batches are drawn from them with replacement, 400 of each size.",
        batch_noise,
    ),
    Experiment(
        "batch_size",
        "Batch size and epochs",
        "large batches need more epochs and fewer updates than small ones for the same accuracy",
        "texts on mini-batches; Keskar et al. 2017, Goyal et al. 2017",
        f"{_ONE_LAYER} by plain SGD; each batch size at the best of five learning rates.",
        batch_size,
    ),
    Experiment(
        "full_batch",
        "Full batches, Rprop, and small batches",
        "on full batches Rprop needs fewer epochs than gradient descent and depends less on its "
        "first step than that does on its rate; small batches need fewer epochs than both",
        "Riedmiller and Braun 1993 for Rprop; texts on stochastic gradient descent",
        f"{_ONE_LAYER} by gradient descent and Rprop on all rows at once and by SGD on batches of "
        "32; each at the best of four learning rates.",
        full_batch,
    ),
)
