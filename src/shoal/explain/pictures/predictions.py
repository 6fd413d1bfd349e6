"""Predictions of a regression: predicted against true values, and the residuals between them.

The residual of a row is predicted − true, in units of the target.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import REGRESSION, Data
from shoal.drawing import BLUE, GREY, ORANGE
from shoal.errors import DataError
from shoal.explain.language import Say
from shoal.explain.page import page, short
from shoal.explain.pictures.examples import TITLES, examples
from shoal.train.model import Model
from shoal.train.run import Run

MOST_TARGETS = 4


class Values(NamedTuple):
    """One target: its name, (N,) true and predicted values, r2 and rmse of these rows."""

    name: str
    true: Numbers
    predicted: Numbers
    r2: float
    rmse: float

    @property
    def residuals(self) -> Numbers:
        """(N,) predicted − true."""
        return self.predicted - self.true


class PredictionsInfo(NamedTuple):
    """The targets, at most four of them; data, split and rows that were looked at."""

    data: str
    split: str
    rows: int
    targets: tuple[Values, ...]


def predictions_info(
    run: Run | Model, *, data: Data | None = None, split: str = "validation"
) -> PredictionsInfo:
    """Predicted and true values of a split; arguments and errors as for ``draw_predictions``."""
    found = examples(run, data, split)
    if found.data.task != REGRESSION:
        raise DataError(
            "predicted against true values",
            required="a regression",
            got=f"a {found.data.task}",
            remedy="use draw_confusion",
        )
    names = found.data.target_names[:MOST_TARGETS]
    pairs = zip(names, found.data.targets.T, found.values.T, strict=False)
    targets = tuple(_values(str(name), true, predicted) for name, true, predicted in pairs)
    return PredictionsInfo(found.name, split, len(found.rows), targets)


def _values(name: str, true: Numbers, predicted: Numbers) -> Values:
    squares = float(np.mean((predicted - true) ** 2))
    spread = float(np.var(true))
    return Values(name, true, predicted, 1.0 - squares / spread if spread else np.nan, squares**0.5)


def draw_predictions(
    run: Run | Model,
    path: str | Path,
    *,
    data: Data | None = None,
    split: str = "validation",
    language: str = "en",
) -> Path:
    """Draw predicted against true values, the residuals over them, and their histogram.

    Args:
        run: a run, or a model with ``data``.
        path: of the picture; .png, .svg or .pdf.
        data: for a model: what it was trained on.
        split: "validation", "train", "test" (counted as a look) or "all".
        language: "en" or "zh".

    Raises:
        DataError: not a regression, no data, a split without rows.
        FileError: the picture cannot be written.
    """
    info = predictions_info(run, data=data, split=split)
    down = len(info.targets)
    with page(path, 12.0, 3.6 * down + 0.4, language) as (figure, say):
        figure.suptitle(
            say("{split} of {data}: {rows} rows", split=say(TITLES[split]), data=info.data,
                rows=info.rows)
        )  # fmt: skip
        for row, values in enumerate(info.targets):
            axes: list[Any] = [figure.add_subplot(down, 3, 3 * row + i) for i in (1, 2, 3)]
            _draw_target(axes, values, say)
    return Path(path)


def _draw_target(axes: list[Any], values: Values, say: Say) -> None:
    against, over, histogram = axes
    marks = {"s": 12, "alpha": 0.55, "color": BLUE, "linewidths": 0}
    both = np.append(values.true, values.predicted)
    ends = [both.min(), both.max()]
    against.plot(ends, ends, color=GREY, lw=1, ls="--", label=say("prediction = truth"))
    against.scatter(values.true, values.predicted, **marks)
    against.set_title(f"{short(values.name, 30)}: R² {values.r2:.4g}, RMSE {values.rmse:.4g}")
    against.set_xlabel(say("true"))
    against.set_ylabel(say("predicted"))
    against.legend(fontsize=8)
    over.axhline(0.0, color=GREY, lw=1, ls="--")
    over.scatter(values.predicted, values.residuals, **marks)
    over.set_xlabel(say("predicted"))
    over.set_ylabel(say("residual (predicted − true)"))
    histogram.hist(values.residuals, bins=min(30, max(5, len(values.true) // 5)), color=BLUE)
    histogram.axvline(float(values.residuals.mean()), color=ORANGE, lw=1.5)
    histogram.set_xlabel(say("residual (predicted − true)"))
    histogram.set_ylabel(say("rows"))
