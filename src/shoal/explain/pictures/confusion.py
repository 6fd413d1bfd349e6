"""Confusion: which classes are taken for which.

``counts[i, j]`` is the number of rows of class i that the model takes for class j; ``shares``
divides each row by its sum, so that its diagonal is the recall of each class.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import Data
from shoal.explain.page import page, short
from shoal.explain.pictures.examples import TITLES, check_classes, examples
from shoal.train.model import Model
from shoal.train.run import Run

MOST_NUMBERS = 20
"""Of more classes than this the counts are not written."""

MOST_NAMES = 60


class ConfusionInfo(NamedTuple):
    """Everything that the picture shows.

    Attributes:
        data, split, rows: what was looked at.
        classes: C names; counts: (C, C), true classes down, predicted ones across.
        accuracy: share of the rows that are right.
    """

    data: str
    split: str
    rows: int
    classes: tuple[str, ...]
    counts: Numbers
    accuracy: float

    @property
    def shares(self) -> Numbers:
        """(C, C) counts divided by the rows of the true class; NaN for classes without rows."""
        totals = self.counts.sum(axis=1, keepdims=True)
        return np.where(totals > 0, self.counts / np.maximum(totals, 1), np.nan)


def confusion_info(
    run: Run | Model, *, data: Data | None = None, split: str = "validation"
) -> ConfusionInfo:
    """The confusion matrix of a split; arguments and errors as for ``draw_confusion``."""
    found = examples(run, data, split)
    check_classes(found, "a confusion matrix")
    predicted, true = found.probabilities.argmax(axis=1), found.data.targets
    classes = tuple(str(name) for name in found.data.classes)
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(counts, (true, predicted), 1)
    accuracy = float(np.mean(predicted == true))
    return ConfusionInfo(found.name, split, len(true), classes, counts, accuracy)


def draw_confusion(
    run: Run | Model,
    path: str | Path,
    *,
    data: Data | None = None,
    split: str = "validation",
    language: str = "en",
) -> Path:
    """Draw which classes are taken for which: counts, coloured by their share of the true class.

    Args:
        run: a run, or a model with ``data``.
        path: of the picture; .png, .svg or .pdf.
        data: for a model: what it was trained on.
        split: "validation", "train", "test" (counted as a look) or "all".
        language: "en" or "zh".

    Raises:
        DataError: not a classification, no data, a split without rows.
        FileError: the picture cannot be written.
    """
    info = confusion_info(run, data=data, split=split)
    count = len(info.classes)
    side = min(14.0, 2.6 + 0.42 * count)
    with page(path, max(5.0, side + 1.0), max(4.2, side), language) as (figure, say):
        axes: Any = figure.add_subplot()
        where = say("{split} of {data}: {rows} rows", split=say(TITLES[info.split]),
                    data=info.data, rows=info.rows)  # fmt: skip
        figure.suptitle(where, fontsize=11)
        axes.set_title(say("accuracy {value}", value=f"{info.accuracy:.4g}"))
        image = axes.imshow(info.shares, cmap="Blues", vmin=0.0, vmax=1.0)
        figure.colorbar(image, ax=axes, label=say("share of the true class"), pad=0.02)
        _names(axes, info.classes)
        axes.set_xlabel(say("predicted class"))
        axes.set_ylabel(say("true class"))
        if count <= MOST_NUMBERS:
            _numbers(axes, info)
    return Path(path)


def _names(axes: Any, classes: tuple[str, ...]) -> None:
    every = -(-len(classes) // MOST_NAMES)
    names = [short(name, 16) for name in classes[::every]]
    places = range(0, len(classes), every)
    upright = max(map(len, names)) <= 3
    axes.set_xticks(
        places, names, rotation=0 if upright else 45, ha="center" if upright else "right"
    )
    axes.set_yticks(places, names)


def _numbers(axes: Any, info: ConfusionInfo) -> None:
    size = 9 if len(info.classes) <= 12 else 7
    for i, j in np.argwhere(info.counts):
        colour = "white" if info.shares[i, j] > 0.5 else "black"
        text = str(info.counts[i, j])
        axes.text(j, i, text, ha="center", va="center", color=colour, fontsize=size)
