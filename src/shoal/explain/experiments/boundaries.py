"""What L2 and dropout do to a decision boundary, drawn and measured.

The length of a boundary on a grid is counted by Crofton's formula: lines along both axes, a cell
apart, cross a curve of length ℓ  4 ℓ / (π · cell)  times, on average over its directions.
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import Data
from shoal.explain.experiments.comparison import paired
from shoal.explain.experiments.experiment import Experiment, Result, Size, columns, row
from shoal.explain.experiments.generated import moons
from shoal.explain.experiments.picture import Panel
from shoal.explain.experiments.planes import Field, Points
from shoal.explain.experiments.trainings import lowest, train
from shoal.nets import Dense, Dropout, Net, ReLU
from shoal.optim import Adam
from shoal.recipe import Recipe
from shoal.train.run import Run

ROWS = (120, 300, 1000)
"""To train on, to choose the strength by, to judge by."""

NOISE = 0.35
PENALTIES, DROPS = (0.03, 0.1, 0.3, 1.0), (0.2, 0.4, 0.6, 0.8)
EPOCHS = 300
PLAIN = "none"

SPAN = ((-2.2, 3.2), (-1.8, 2.3))
"""What is shown of the plane."""

CELL = 0.03


def regularised_boundary(size: Size) -> Result:
    """Length of the boundary, and the gap between training and held-out loss."""
    variants = {
        _label(l2, drop): Recipe(
            Net(Dense(64), ReLU(), Dropout(drop), Dense(64), ReLU(), Dropout(drop), Dense(2)),
            loss="cross_entropy",
            optimiser=Adam(0.01),
            l2=l2,
            epochs=size.count(EPOCHS, least=20),
        )
        for l2, drop in ((0.0, 0.0), *((l2, 0.0) for l2 in PENALTIES), *((0.0, d) for d in DROPS))
    }
    data = noisy_moons()
    done = train(variants, data, size)
    fields = {label: [field_of(run) for run in runs] for label, runs in done.runs.items()}
    length = {n: np.array([boundary_length(f.share) for f in fs]) for n, fs in fields.items()}
    tests = {label: [run.test() for run in runs] for label, runs in done.runs.items()}
    held_out, right = (
        {label: np.array([seen[what] for seen in own]) for label, own in tests.items()}
        for what in ("loss", "accuracy")
    )
    watched = {label: done.last(label, "validation_loss") for label in variants}
    best = {kind: lowest(watched, kind) for kind in (PLAIN, "L2", "dropout")}
    return Result(
        columns("regularisation", "length of boundary", "held-out loss", "right on held-out",
                "validation loss"),
        tuple(row(label, length[label], held_out[label], right[label], watched[label])
              for label in variants),
        tuple(
            paired(words.format(best[kind]), values[PLAIN], values[best[kind]])
            for kind in ("L2", "dropout")
            for words, values in (("{} shortens the boundary by", length),
                                  ("and lowers the held-out loss by", held_out))
        ),
        tuple(
            _panel(f"{label}: held-out loss {held_out[label].mean():.2f}, "
                   f"boundary {length[label].mean():.1f} long", fields[label][0], data)
            for label in best.values()
        ),
    )  # fmt: skip


def _label(l2: float, drop: float) -> str:
    return f"L2 {l2:g}" if l2 else f"dropout {drop:g}" if drop else PLAIN


def noisy_moons() -> Data:
    """Moons that overlap, few of them to learn from and many to judge by."""
    parts = np.repeat([0, 1, 2], ROWS)
    return replace(moons(len(parts), NOISE), parts=parts)


def field_of(run: Run) -> Field:
    """The probability of the second class over the plane."""
    x, y = (np.arange(low, high, CELL) for low, high in SPAN)
    places = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    share = run.predict_proba(places)[:, 1].reshape(len(y), len(x))
    return Field(x, y, share)


def boundary_length(share: Numbers) -> float:
    """The length of the line share = 1/2, by Crofton's formula.

    >>> square = np.zeros((300, 300))
    >>> square[100:200, 100:200] = 1.0
    >>> round(boundary_length(square) / CELL)  # 400 crossings; π/4 of them along the axes
    314
    """
    second = share > 0.5
    crossings = (second[1:] != second[:-1]).sum() + (second[:, 1:] != second[:, :-1]).sum()
    return float(math.pi / 4.0 * CELL * crossings)


def _panel(title: str, field: Field, data: Data) -> Panel:
    rows: Any = data.parts == 0
    points = Points(np.asarray(data.inputs)[rows], data.targets[rows])
    return Panel(title, "first coordinate", "second coordinate", (field, points), x_range=SPAN[0],
                 y_range=SPAN[1])  # fmt: skip


EXPERIMENTS = (
    Experiment(
        "regularised_boundary",
        "L2 and dropout on a decision boundary",
        "a penalty on the weights, or dropout, makes the boundary between two classes shorter and "
        "smoother, and the network better on what it has not seen",
        "courses and texts on regularisation, which draw such boundaries",
        "Perceptrons of two hidden layers of 64 ReLUs learn 120 points of two overlapping moons "
        "and are judged on 1,000 others; L2 and dropout at the best of four strengths, chosen on "
        "300 further points.",
        regularised_boundary,
    ),
)
