"""Dropout makes the training cost a random number; turned off, the cost falls at every step."""

import numpy as np

from shoal.arrays import Numbers
from shoal.data.builtin import breast_cancer
from shoal.explain.experiments.comparison import compared, log10, paired
from shoal.explain.experiments.experiment import Experiment, Result, Size, columns, row
from shoal.explain.experiments.picture import Panel, bars_over_seeds
from shoal.explain.experiments.trainings import Trainings, train
from shoal.nets import Dense, Dropout, Net, ReLU
from shoal.optim import GradientDescent
from shoal.recipe import Recipe

DROP = (0.0, 0.2, 0.5)
RATE, EPOCHS = 0.1, 200


def dropout_cost(size: Size) -> Result:
    """How often the training cost of gradient descent rises, with dropout and without."""
    variants = {
        _label(drop): Recipe(
            Net(Dense(32), ReLU(), Dropout(drop), Dense(32), ReLU(), Dropout(drop), Dense(2)),
            loss="cross_entropy",
            optimiser=GradientDescent(RATE),
            epochs=size.count(EPOCHS, least=20),
        )
        for drop in size.some(DROP)
    }
    done = train(variants, breast_cancer(), size)
    rises = {label: share_of_rises(done.curve(label, "train_loss")) for label in variants}
    noisy = {label: log10(done.last(label, "train_loss")) for label in variants}
    quiet = {label: log10(_quiet_cost(done, label)) for label in variants}
    off, *_, on = variants
    return Result(
        columns("dropout", "share of steps up", "log10 of last cost", "log10 of it without noise"),
        tuple(row(label, rises[label], noisy[label], quiet[label]) for label in variants),
        (
            compared("without dropout the training cost rises at a share of the steps of",
                     rises[off], (-1e-3, 1e-2)),
            paired(f"with {on} it rises at a share that is larger by", rises[on], rises[off]),
            paired(f"the same weights trained with {on} cost more with it on than off by a factor "
                   "of 10 to the", noisy[on], quiet[on]),
        ),
        (
            Panel("training cost, one step of gradient descent an epoch", "step", "cross-entropy",
                  done.losses("", variants).marks, log_y=True),
            Panel("steps at which the training cost rises", "share of steps", "",
                  (bars_over_seeds(rises),)),
        ),
    )  # fmt: skip


def share_of_rises(curve: Numbers) -> Numbers:
    """(n,): the share of steps at which a cost, (E, n), goes up.

    >>> share_of_rises(np.array([[3.0], [2.0], [2.5]]))
    array([0.5])
    """
    found: Numbers = (np.diff(curve, axis=0) > 0).mean(axis=0)
    return found


def _quiet_cost(done: Trainings, label: str) -> Numbers:
    """(n,): the cost of the final weights on the training rows, nothing dropped."""
    runs = done.runs[label]
    prepared = runs[0].prepared
    rows = prepared.data.part(prepared.parts.train, "training")
    return np.array([run.model.evaluate(rows)["loss"] for run in runs])


def _label(drop: float) -> str:
    return f"dropout {drop:g}" if drop else "none"


EXPERIMENTS = (
    Experiment(
        "dropout_cost",
        "Turning dropout off to see the cost fall",
        "dropout makes the training cost go up and down, so that one cannot see whether gradient "
        "descent works; with dropout off the same training falls at every step",
        "courses on deep learning, as advice for finding mistakes",
        "Perceptrons of two hidden layers of 32 ReLUs learn breast cancer by gradient descent on "
        "all rows, 200 steps at one rate; the cost is that of each step.",
        dropout_cost,
    ),
)
