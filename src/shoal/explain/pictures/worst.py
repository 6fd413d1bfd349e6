"""Worst examples: the rows with the largest losses, with what was true and what was predicted."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import CLASSIFICATION, MULTILABEL, Data, Table
from shoal.errors import DataError
from shoal.explain.language import Say
from shoal.explain.page import empty, page, short
from shoal.explain.pictures.examples import TITLES, Examples, describe_row, examples
from shoal.explain.pictures.images import as_tile, image_shape
from shoal.train.model import Model
from shoal.train.run import Run


class Wrong(NamedTuple):
    """One example.

    Attributes:
        row: its place in the data; loss: of this example.
        true, predicted: class, labels or values, as text; certainty: probability of the predicted
            class, NaN where there is none.
        image: (H, W) or (H, W, 3), or None; text: its features, where it is no image.
    """

    row: int
    loss: float
    true: str
    predicted: str
    certainty: float
    image: Numbers | None
    text: str


class WorstInfo(NamedTuple):
    """The examples, the largest loss first; data, split and rows that they were chosen from."""

    data: str
    split: str
    rows: int
    examples: tuple[Wrong, ...]


def worst_info(
    run: Run | Model,
    count: int = 12,
    *,
    data: Data | None = None,
    split: str = "validation",
    image: tuple[int, ...] | None = None,
) -> WorstInfo:
    """The examples with the largest losses; arguments and errors as for ``draw_worst``."""
    if count < 1:
        raise DataError(
            "count", required="a whole number >= 1", got=repr(count), remedy="leave it out"
        )
    found = examples(run, data, split)
    losses = found.losses
    order = np.argsort(-losses, kind="stable")[:count]
    shape = None
    if not isinstance(found.data.inputs, Table):
        shape = image_shape(found.data.shape, image)
    true, predicted, certainty = _answers(found)
    chosen = tuple(
        Wrong(
            row=int(found.rows[i]),
            loss=float(losses[i]),
            true=true[i],
            predicted=predicted[i],
            certainty=float(certainty[i]),
            image=None if shape is None else as_tile(found.data.inputs[i], shape),
            text="" if shape is not None else describe_row(found.data.inputs, i),
        )
        for i in order
    )
    return WorstInfo(found.name, split, len(losses), chosen)


def _answers(found: Examples) -> tuple[list[str], list[str], Numbers]:
    """What is true and what is predicted of each row, as text, and the certainty of it."""
    nothing = np.full(len(found.rows), np.nan)
    classes = [str(name) for name in found.data.classes]
    if found.data.task == CLASSIFICATION:
        p = found.probabilities
        predicted = [classes[code] for code in p.argmax(axis=1)]
        return [classes[code] for code in found.data.targets], predicted, p.max(axis=1)
    if found.data.task == MULTILABEL:
        sets = (found.data.targets > 0.5, found.probabilities > 0.5)
        true, predicted = ([_labels(row, classes) for row in flags] for flags in sets)
        return true, predicted, nothing
    pairs = (found.data.targets, found.values)
    true, predicted = ([", ".join(f"{v:.4g}" for v in row[:4]) for row in rows] for rows in pairs)
    return true, predicted, nothing


def _labels(flags: Numbers, classes: list[str]) -> str:
    return ", ".join(name for name, has in zip(classes, flags, strict=True) if has) or "−"


def draw_worst(
    run: Run | Model,
    path: str | Path,
    count: int = 12,
    *,
    data: Data | None = None,
    split: str = "validation",
    image: tuple[int, ...] | None = None,
    language: str = "en",
) -> Path:
    """Draw the examples with the largest losses: images as images, rows of a table as text.

    Args:
        run: a run, or a model with ``data``.
        path: of the picture; .png, .svg or .pdf.
        count: how many.
        data: for a model: what it was trained on.
        split: "validation", "train", "test" (counted as a look) or "all".
        image: (H, W) or (H, W, C) in which a flat example is shown; () for text. By default, images
            are shown as such, and so are rows of 64, 81, 100, ... numbers.
        language: "en" or "zh".

    Raises:
        DataError: no data, a split without rows, an image of another size.
        FileError: the picture cannot be written.
    """
    info = worst_info(run, count, data=data, split=split, image=image)
    shown = len(info.examples)
    across = min(6 if info.examples[0].image is not None else 4, shown)
    down = -(-shown // across)
    with page(path, max(4.5, 2.1 * across), 2.4 * down + 0.6, language) as (figure, say):
        where = say("{split} of {data}: {rows} rows", split=say(TITLES[split]), data=info.data,
                    rows=info.rows)  # fmt: skip
        figure.suptitle(f"{say('largest losses')}\n{where}", fontsize=10)
        for number, wrong in enumerate(info.examples, 1):
            axes: Any = figure.add_subplot(down, across, number)
            _draw_one(axes, wrong, say)
    return Path(path)


def _draw_one(axes: Any, wrong: Wrong, say: Say) -> None:
    empty(axes)
    if wrong.image is not None:
        axes.imshow(wrong.image, cmap="gray")
    else:
        lines = [short(line, 26) for line in wrong.text.split("\n")]
        axes.text(0.5, 0.5, "\n".join(lines), ha="center", va="center", fontsize=8,
                  transform=axes.transAxes)  # fmt: skip
        axes.set_facecolor("#f3f4f6")
    certainty = "" if np.isnan(wrong.certainty) else f" ({wrong.certainty:.0%})"
    lines = [
        f"{say('row {row}', row=wrong.row)}, {say('loss {value}', value=f'{wrong.loss:.3g}')}",
        say("true: {name}", name=short(wrong.true, 22)),
        say("predicted: {name}", name=short(wrong.predicted, 18)) + certainty,
    ]
    axes.set_title("\n".join(lines), fontsize=7.5)
