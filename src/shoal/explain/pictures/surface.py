"""Decision surface: what a model says over the plane of two features, with the data on it.

The model has exactly two numbers as inputs, or two of its features are chosen and the others stay
where they are usual: numbers at their mean over the rows, categories at their most frequent value.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import CLASSIFICATION, MULTILABEL, Column, Data, Table
from shoal.errors import DataError, did_you_mean
from shoal.explain.language import Say
from shoal.explain.page import page, short
from shoal.explain.pictures.examples import known_data, split_rows
from shoal.explain.pictures.layers import model_of
from shoal.train.model import Model
from shoal.train.run import Run

Features = tuple[int | str, int | str]
MARGIN = 0.08
MOST_POINTS = 2000


class SurfaceInfo(NamedTuple):
    """Everything that the picture shows.

    Attributes:
        name: of the data; features: names of the two; others: whether the model has more of them.
        xs, ys: (n,) the grid; values: (n, n) predicted class, or value, at each (y, x).
        certainty: (n, n) probability of the predicted class; NaN for a regression.
        points: (N, 2) features of the rows; targets: (N,) their classes or values.
        classes: names, () for a regression.
    """

    name: str
    features: tuple[str, str]
    others: bool
    xs: Numbers
    ys: Numbers
    values: Numbers
    certainty: Numbers
    points: Numbers
    targets: Numbers
    classes: tuple[str, ...]


def surface_info(
    run: Run | Model,
    features: Features | None = None,
    *,
    data: Data | None = None,
    split: str = "validation",
    resolution: int = 150,
) -> SurfaceInfo:
    """What a model says over two features; arguments and errors as for ``draw_surface``."""
    model, known = model_of(run), known_data(run, data)
    if known.task == MULTILABEL:
        raise DataError(
            "a decision surface",
            required="one class or value for each row",
            got="several labels",
            remedy="draw the worst examples instead: draw_worst",
        )
    part = known.part(split_rows(run, known, split), split)
    if isinstance(run, Run) and data is None and split in ("test", "all"):
        run.test_looks += len(run.prepared.parts.test) > 0
    names = _names(part)
    chosen = _chosen(names, features, part.name)
    points = np.stack([_numbers(part, name, names) for name in chosen], axis=1)
    xs, ys = (_axis(points[:, i], resolution) for i in (0, 1))
    grid = _grid(part, chosen, names, np.meshgrid(xs, ys))
    values, certainty = _asked(model, grid, (resolution, resolution))
    classes = tuple(str(name) for name in known.classes)
    targets = part.targets if known.task == CLASSIFICATION else part.targets[:, 0]
    kept = slice(None, None, -(-len(points) // MOST_POINTS))
    return SurfaceInfo(known.name, chosen, len(names) > 2, xs, ys, values, certainty,
                       points[kept], targets[kept], classes)  # fmt: skip


def _names(data: Data) -> tuple[str, ...]:
    if isinstance(data.inputs, Table):
        return tuple(data.inputs.columns)
    if data.inputs.ndim != 2:
        raise DataError(
            "a decision surface",
            required="rows of features",
            got=f"examples of {data.inputs.ndim - 1} axes",
            remedy="draw features or worst examples instead",
        )
    return tuple(f"x{i}" for i in range(data.inputs.shape[1]))


def _chosen(names: tuple[str, ...], features: Features | None, data: str) -> tuple[str, str]:
    """The names of the two features."""
    wanted = tuple(names) if features is None else features
    if len(wanted) != 2:
        raise DataError(
            "a decision surface",
            required="two features",
            got=f"{len(wanted)}",
            remedy=f"choose two of them: features=({names[0]!r}, {names[-1]!r})",
        )
    found = []
    for feature in wanted:
        whole = isinstance(feature, int) and 0 <= feature < len(names)
        name = names[feature] if whole else str(feature)  # type: ignore[index]
        if name not in names:
            raise DataError(
                f"a feature of {data}",
                required="a name or a place that it has",
                got=repr(feature),
                remedy=did_you_mean(name, names[:50]),
            )
        found.append(name)
    if found[0] == found[1]:
        raise DataError("a decision surface", required="two different features",
                        got=f"{found[0]!r} twice", remedy="choose another")  # fmt: skip
    return found[0], found[1]


def _numbers(data: Data, name: str, names: tuple[str, ...]) -> Numbers:
    """The values of a feature, missing ones at the mean of the others."""
    if not isinstance(data.inputs, Table):
        return np.asarray(data.inputs[:, names.index(name)], dtype=float)
    column = data.inputs.columns[name]
    if column.kind == "category":
        known = [n for n, c in data.inputs.columns.items() if c.kind != "category"]
        raise DataError(f"the feature {name!r}", required="numbers", got="categories",
                        remedy=f"choose another: {', '.join(known[:10])}")  # fmt: skip
    return np.where(np.isnan(column.values), _mean(column.values), column.values)


def _mean(values: Numbers) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else 0.0


def _axis(values: Numbers, resolution: int) -> Numbers:
    low, high = float(values.min()), float(values.max())
    room = MARGIN * (high - low) or 1.0
    return np.linspace(low - room, high + room, resolution)


def _grid(data: Data, chosen: tuple[str, str], names: tuple[str, ...], planes: Any) -> Any:
    """Raw inputs for each point of the grid, the other features where they are usual."""
    given = {name: plane.reshape(-1) for name, plane in zip(chosen, planes, strict=True)}
    count = planes[0].size
    if not isinstance(data.inputs, Table):
        rows = np.tile(np.asarray(data.inputs, dtype=float).mean(axis=0), (count, 1))
        for name, values in given.items():
            rows[:, names.index(name)] = values
        return rows
    columns = {}
    for name, column in data.inputs.columns.items():
        values = given.get(name, _usual(column, count))
        columns[name] = Column(column.kind, values)
    return Table(columns)


def _usual(column: Column, count: int) -> Numbers:
    """A column of its mean, or of its most frequent value."""
    if column.kind == "number":
        return np.full(count, _mean(column.values))
    known = [v for v in column.values.tolist() if v is not None and v == v]
    usual = max(sorted(set(known)), key=known.count) if known else None
    dtype = object if column.kind == "category" else float
    return np.full(count, np.nan if usual is None and dtype is float else usual, dtype=dtype)


def _asked(model: Model, grid: Any, shape: tuple[int, int]) -> tuple[Numbers, Numbers]:
    if model.classes:
        p = model.predict_proba(grid)
        return p.argmax(axis=1).reshape(shape), p.max(axis=1).reshape(shape)
    found = np.asarray(model.predict(grid))
    first = found.reshape(len(found), -1)[:, 0]
    return first.reshape(shape), np.full(shape, np.nan)


def draw_surface(
    run: Run | Model,
    path: str | Path,
    features: Features | None = None,
    *,
    data: Data | None = None,
    split: str = "validation",
    resolution: int = 150,
    language: str = "en",
) -> Path:
    """Draw what a model says over the plane of two features, with the rows of a split on it.

    Args:
        run: a run, or a model with ``data``.
        path: of the picture; .png, .svg or .pdf.
        features: two names or places; not needed where there are only two.
        data: for a model: what it was trained on.
        split: "validation", "train", "test" (counted as a look) or "all".
        resolution: points of the grid along each axis.
        language: "en" or "zh".

    Raises:
        DataError: no data, not two features of numbers, a split without rows.
        FileError: the picture cannot be written.
    """
    info = surface_info(run, features, data=data, split=split, resolution=resolution)
    with page(path, 6.6, 5.0, language) as (figure, say):
        axes: Any = figure.add_subplot()
        phrase = "decision surface of {name}" if info.classes else "predicted values of {name}"
        note = say("other features at their mean or most frequent value") if info.others else ""
        figure.suptitle(say(phrase, name=info.name))
        axes.set_title(note, fontsize=8)
        (_draw_classes if info.classes else _draw_values)(axes, info, say)
        axes.set_xlabel(short(info.features[0], 40))
        axes.set_ylabel(short(info.features[1], 40))
        axes.set_xlim(info.xs[0], info.xs[-1])
        axes.set_ylim(info.ys[0], info.ys[-1])
    return Path(path)


def _draw_classes(axes: Any, info: SurfaceInfo, say: Say) -> None:
    """Each class in its colour, paler where the model is less certain."""
    from matplotlib import colormaps

    count = len(info.classes)
    wheel = colormaps["tab10" if count <= 10 else "tab20"]
    colours = np.array([wheel(code % wheel.N)[:3] for code in range(count)])
    # The least probability that a predicted class can have is 1 / C.
    sure = np.clip((info.certainty - 1.0 / count) / (1.0 - 1.0 / count), 0.0, 1.0)
    strength = (0.12 + 0.5 * sure)[..., None]
    shades = 1.0 - strength * (1.0 - colours[info.values])
    extent = (info.xs[0], info.xs[-1], info.ys[0], info.ys[-1])
    axes.imshow(shades, origin="lower", extent=extent, aspect="auto", interpolation="bilinear")
    for code, name in enumerate(info.classes):
        inside = (info.values == code).astype(float)
        if 0.0 < inside.mean() < 1.0:
            axes.contour(info.xs, info.ys, inside, levels=[0.5], colors="#444444", linewidths=0.7)
        here = info.targets == code
        axes.scatter(*info.points[here].T, s=16, color=colours[code], edgecolors="white",
                     linewidths=0.4, label=short(name, 24))  # fmt: skip
    if count <= 20:
        axes.legend(fontsize=7, title=say("true class"), title_fontsize=7, framealpha=0.9)


def _draw_values(axes: Any, info: SurfaceInfo, say: Say) -> None:
    everything = np.append(info.values.ravel(), info.targets)
    scale = {"vmin": float(everything.min()), "vmax": float(everything.max()), "cmap": "viridis"}
    extent = (info.xs[0], info.xs[-1], info.ys[0], info.ys[-1])
    image = axes.imshow(info.values, origin="lower", extent=extent, aspect="auto", **scale)
    axes.scatter(*info.points.T, c=info.targets, s=18, edgecolors="white", linewidths=0.5, **scale)
    axes.figure.colorbar(image, ax=axes, label=say("predicted"), pad=0.02)
