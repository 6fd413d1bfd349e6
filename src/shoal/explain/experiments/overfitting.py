"""Overfitting, early stopping, and how many rows there are to learn from.

Networks are judged on rows that neither trained them nor stopped them.
"""

from dataclasses import replace

import numpy as np

from shoal.arrays import Numbers
from shoal.data.builtin import digits
from shoal.data.dataset import Data
from shoal.data.splits import permutation
from shoal.explain.experiments.comparison import log10, paired
from shoal.explain.experiments.experiment import Experiment, Result, Size, columns, row
from shoal.explain.experiments.networks import perceptron
from shoal.explain.experiments.picture import Panel, bars_over_seeds, line_over_seeds
from shoal.explain.experiments.trainings import train
from shoal.nets import ReLU
from shoal.optim import Adam
from shoal.recipe import EarlyStopping, Recipe
from shoal.train.run import Run

ROWS = (50, 200, 800)
WATCHED, HELD_OUT = 300, 600
LABELS = {"right labels": 0.0, "noisy labels": 0.2}
"""Shares of the labels that are drawn anew, so that there is something not to be learned."""

STEPS, PATIENCE = 400, 40
STOPPING = {"to the end": None, "stopped early": EarlyStopping(patience=PATIENCE)}


def early_stopping(size: Size) -> Result:
    """Held-out loss at the end, and with the weights of the lowest validation loss."""
    recipe = _recipe(size)
    variants = {name: recipe.replace(early_stopping=rule) for name, rule in STOPPING.items()}
    done = train(variants, some_digits(ROWS[1], LABELS["noisy labels"]), size)
    losses, right = ({name: judged(done.runs[name], what) for name in variants}
                     for what in ("loss", "accuracy"))  # fmt: skip
    steps = {name: np.array([run.best_epochs[0] for run in done.runs[name]], float)
             for name in variants}  # fmt: skip
    end, early = variants
    steps[end][:] = recipe.epochs
    return Result(
        columns("training", "log10 of held-out loss", "right on held-out", "steps of the weights"),
        tuple(row(name, log10(losses[name]), right[name], steps[name]) for name in variants),
        (
            paired("at the end the held-out loss is higher than where the validation loss was "
                   "lowest by a factor of 10 to the", log10(losses[end]), log10(losses[early])),
            paired("and the share that is right is lower by", right[early], right[end]),
        ),
        (
            Panel("training to the end", "step", "cross-entropy",
                  tuple(done.line(end, f"{part}_loss", geometric=True)._replace(label=words)
                        for part, words in (("train", "training rows"),
                                            ("validation", "validation rows"))), log_y=True),
            Panel("judged by other rows", "share right", "",
                  (bars_over_seeds(right),)),
        ),
    )  # fmt: skip


def more_rows(size: Size) -> Result:
    """What networks trained to the end make of more rows, with right and with noisy labels."""
    rows = sorted(size.some((ROWS[0], ROWS[-1], *ROWS[1:-1])))
    variants = {"to the end": _recipe(size)}
    runs = {
        (labels, count): train(variants, some_digits(count, flipped), size).runs["to the end"]
        for labels, flipped in LABELS.items()
        for count in rows
    }
    losses = {key: log10(judged(own, "loss")) for key, own in runs.items()}
    right = {key: judged(own, "accuracy") for key, own in runs.items()}
    few, many = rows[0], rows[-1]
    return Result(
        ("labels", "rows",
         *columns("", "log10 of held-out loss", "right on held-out")[1:]),
        tuple((*key, *row("", losses[key], right[key])[1:]) for key in runs),
        tuple(
            comparison
            for labels in LABELS
            for comparison in (
                paired(f"with {labels} {many} instead of {few} rows "
                       "raise the share that is right by",
                       right[labels, many], right[labels, few]),
                paired("and lower the held-out loss by a factor of 10 to the",
                       losses[labels, few], losses[labels, many]),
            )
        ),
        tuple(
            Panel(title, "rows to learn from", title,
                  tuple(line_over_seeds(labels, np.array(rows),
                                        np.stack([values[labels, count] for count in rows]))
                        for labels in LABELS))
            for title, values in (("share right on held-out rows", right),
                                  ("log10 of held-out loss", losses))
        ),
    )  # fmt: skip


def _recipe(size: Size) -> Recipe:
    """Each epoch is one step, so that all numbers of rows mean as many steps."""
    return Recipe(
        perceptron(ReLU(), 1, 64, 10),
        loss="cross_entropy",
        optimiser=Adam(0.01),
        batch_size="full",
        epochs=size.count(STEPS, least=20),
    )


def some_digits(rows: int, flipped: float) -> Data:
    """Digits: so many to train on, 300 to watch, 600 to judge; a share of all labels drawn anew.

    What is watched and what judges is the same for all numbers of rows.
    """
    data = digits()
    parts = np.repeat([1, 2, 0], [WATCHED, HELD_OUT, rows])
    kept = permutation(0, 0, len(data))[: len(parts)]
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(data.classes), len(data)).astype(np.int32)
    targets = np.where(rng.random(len(data)) < flipped, drawn, data.targets)
    return replace(data, inputs=data.inputs[kept], targets=targets[kept], parts=parts)


def judged(runs: list[Run], what: str) -> Numbers:
    """(n,): the loss or the accuracy on the rows that judge."""
    return np.array([run.test()[what] for run in runs])


EXPERIMENTS = (
    Experiment(
        "early_stopping",
        "Overfitting and early stopping",
        "trained for long a network overfits: its loss on what it has not seen rises again, and "
        "stopping where the validation loss is lowest gives a better network",
        "texts on regularisation (Prechelt 1998 on early stopping)",
        "Perceptrons with 64 ReLUs learn 200 handwritten digits, a fifth of whose labels are drawn "
        "anew, by 400 steps of Adam, each on all rows, or until the loss on 300 others has not "
        "fallen for 40 steps, with the weights of its lowest; 600 further digits judge them.",
        early_stopping,
        seeds=10,
    ),
    Experiment(
        "more_rows",
        "More rows against overfitting",
        "more rows to learn from cure overfitting: what a network makes of rows that it has not "
        "seen gets better",
        "texts on learning theory and courses on deep learning",
        "Perceptrons with 64 ReLUs learn 50, 200 or 800 handwritten digits by 400 steps of Adam, "
        "each on all rows, without any regularisation; with the right labels, and with a fifth of "
        "all labels drawn anew; 600 further digits judge them.",
        more_rows,
    ),
)
