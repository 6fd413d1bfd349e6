"""The learning rate: too low, good, too high; constant, or smaller with time."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from shoal.arrays import Numbers
from shoal.data.builtin import diabetes, digits
from shoal.explain.experiments.comparison import log10, paired
from shoal.explain.experiments.experiment import Experiment, Result, Size, columns, row
from shoal.explain.experiments.networks import perceptron
from shoal.explain.experiments.picture import Panel, line_over_seeds
from shoal.explain.experiments.trainings import lowest, train
from shoal.nets import Dense, Net, Tanh
from shoal.optim import (
    SGD,
    ConstantRate,
    Cosine,
    ExponentialDecay,
    InverseTime,
    OneCycle,
    StepDecay,
)
from shoal.optim.schedules import Schedule
from shoal.recipe import Recipe
from shoal.train.run import Run

RATES = tuple(float(rate) for rate in (1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0))
EPOCHS = 20

STARTS = (1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.2)
"""Rates from which schedules begin, or at which they peak."""

NOISY_EPOCHS, BATCH = 60, 4


def learning_rate(size: Size) -> Result:
    """The training loss against the learning rate."""
    variants = {
        f"{rate:g}": Recipe(
            perceptron(Tanh(), 2, 32, 10),
            loss="cross_entropy",
            optimiser=SGD(rate),
            epochs=size.count(EPOCHS, least=4),
        )
        for rate in RATES
    }
    done = train(variants, digits(), size)
    plain = {label: done.last(label, "train_loss") for label in variants}
    losses = {label: log10(loss) for label, loss in plain.items()}
    right = {label: done.last(label, "validation_accuracy") for label in variants}
    low, *_, high = variants
    good = lowest(plain, "")
    return Result(
        columns("rate", "log10 of training loss", "right on validation"),
        tuple(row(label, losses[label], right[label]) for label in variants),
        (
            paired(f"the training loss is higher at a rate of {low} than at {good} by a factor of "
                   "10 to the", losses[low], losses[good]),
            paired(f"and at {high} by a factor of 10 to the", losses[high], losses[good]),
        ),
        (
            Panel("training loss", "epoch", "cross-entropy",
                  tuple(done.line(label, "train_loss", geometric=True)
                        ._replace(label=f"{label}: {word}")
                        for label, word in ((low, "too low"), (good, "good"), (high, "too high"))),
                  log_y=True),
            Panel("after the last epoch", "learning rate", "log10 of training loss",
                  (line_over_seeds("", np.array(RATES), np.stack(list(losses.values()))),),
                  log_x=True),
        ),
    )  # fmt: skip


def schedules(epochs: int) -> dict[str, Schedule]:
    """The schedules by name; those of a speed of their own end near a fiftieth."""
    return {
        "constant": ConstantRate(),
        "cosine": Cosine(),
        "step": StepDecay(0.2, max(1, round(epochs / 3))),
        "exponential": ExponentialDecay(0.02 ** (1.0 / epochs)),
        "1/t": InverseTime(50.0 / epochs),
        "one cycle": OneCycle(),
    }


def rate_decay(size: Size) -> Result:
    """How close to the lowest loss noisy SGD comes with each schedule at its best rate."""
    epochs = size.count(NOISY_EPOCHS, least=6)
    by_name = schedules(epochs)
    kinds = size.some(
        ("constant", "cosine", *(n for n in by_name if n not in ("constant", "cosine")))
    )
    variants = {
        f"{kind}, rate {rate:g}": Recipe(
            Net(Dense(1)),
            loss="mean_squared_error",
            optimiser=SGD(rate),
            schedule=by_name[kind],
            batch_size=BATCH,
            epochs=epochs,
        )
        for kind in kinds
        for rate in STARTS
    }
    done = train(variants, diabetes(), size)
    floor = least_squares(done.runs[next(iter(variants))][0])
    above = {label: _excess(done.runs[label], floor) for label in variants}
    best = {kind: lowest(above, f"{kind},") for kind in kinds}
    return Result(
        columns("schedule", "log10 of loss above the lowest"),
        tuple(row(label, above[label]) for label in variants),
        tuple(
            paired(f"constant, rate {best['constant'].split()[-1]}, ends further above the lowest "
                   f"loss than {best[kind]}, by a factor of 10 to the" if not place else
                   f"than {best[kind]}, by 10 to the",
                   above[best["constant"]], above[best[kind]])
            for place, kind in enumerate(k for k in kinds if k != "constant")
        ),
        (
            Panel("the rate, from the best start of each", "epoch", "learning rate",
                  tuple(done.line(best[kind], "learning_rate") for kind in kinds), log_y=True,
                  y_range=(1e-5, 0.3)),
            Panel("after the last epoch", "rate at the start, or the peak",
                  "log10 of loss above the lowest", tuple(_over_starts(kind, above)
                                                          for kind in kinds), log_x=True,
                  y_range=(-5.5, 1.0)),
        ),
    )  # fmt: skip


def _over_starts(kind: str, above: Mapping[str, Numbers]) -> Any:
    values = np.stack([above[f"{kind}, rate {rate:g}"] for rate in STARTS])
    return line_over_seeds(kind, np.array(STARTS), values)


def least_squares(run: Run) -> float:
    """The lowest training loss that a linear model can have, solved for."""
    x, t = _training_rows(run)
    ones = np.column_stack([x, np.ones(len(x))])
    solved = np.linalg.lstsq(ones, t)[0]
    return float(((ones @ solved - t) ** 2).mean())


def _training_rows(run: Run) -> tuple[Numbers, Numbers]:
    return run.prepared.encoded(run.prepared.parts.train, np.dtype(np.float64))


def _excess(runs: list[Run], floor: float) -> Numbers:
    """(n,): log10 of the training loss of the final weights above the lowest one."""
    x, t = _training_rows(runs[0])
    own = [run.model.parameters["dense1"] for run in runs]
    outputs = [x @ np.float64(w["weight"][0]).T + np.float64(w["bias"][0]) for w in own]
    return log10([float(((y - t) ** 2).mean()) - floor for y in outputs])


EXPERIMENTS = (
    Experiment(
        "learning_rate",
        "Learning rate too low, good, too high",
        "at too low a learning rate the loss falls slowly, at too high a rate it stays high or "
        "grows; a good one lies between",
        "every text on gradient descent",
        "Perceptrons of two hidden layers of 32 tanh units learn handwritten digits by plain SGD "
        "for 20 epochs at nine rates; they differ in nothing else.",
        learning_rate,
    ),
    Experiment(
        "rate_decay",
        "A constant rate against one that decays",
        "with noisy gradients a constant rate hovers above the lowest loss; one that decays "
        "comes closer",
        "Robbins and Monro 1951, and texts on schedules",
        "A linear model of diabetes learns by plain SGD on batches of four for 60 epochs; every "
        "schedule at the best of six rates for it; the lowest training loss is known by least "
        "squares.",
        rate_decay,
    ),
)
