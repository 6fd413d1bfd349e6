"""Features: what each layer makes of one example, from the input to the output.

Images are shown channel by channel, sequences as channels over positions, and flat outputs as bars;
or, where there are many, as a strip of colours. Every layer has its own scale.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from shoal.arrays import Numbers, times
from shoal.data.dataset import Data
from shoal.drawing import BLUE, GREY, ORANGE
from shoal.errors import DataError
from shoal.explain.language import Say
from shoal.explain.page import empty, page, short
from shoal.explain.pictures.examples import known_data, split_rows
from shoal.explain.pictures.images import as_tile, columns_for, image_shape, mosaic
from shoal.explain.pictures.layers import Given, model_of, outputs
from shoal.train.model import Model
from shoal.train.run import Run

MOST_CHANNELS = 36
MOST_BARS = 40
MOST_PANELS = 24


class Feature(NamedTuple):
    """The output of one layer.

    Attributes:
        name, text: of the layer (``conv1``, ``Conv(8)``); shape: as the layer gives it.
        kind: "image", "maps" (C, H, W), "sequence" (C, W), "bars" (n,) or "strip" (n,).
        values: the numbers; total: channels in all, of which the first are shown.
    """

    name: str
    text: str
    shape: tuple[int, ...]
    kind: str
    values: Numbers
    total: int


class FeaturesInfo(NamedTuple):
    """Every layer of one example; its place in the data, its true and predicted target as text."""

    row: int
    true: str
    predicted: str
    classes: tuple[str, ...]
    layers: tuple[Feature, ...]


def features_info(
    run: Run | Model,
    example: int = 0,
    *,
    data: Data | None = None,
    split: str = "validation",
    member: int = 0,
    image: tuple[int, ...] | None = None,
) -> FeaturesInfo:
    """What each layer makes of one example; arguments and errors as for ``draw_features``."""
    model, known = model_of(run), known_data(run, data)
    rows = split_rows(run, known, split)
    if not 0 <= example < len(rows):
        raise DataError(
            "example",
            required=f"a whole number from 0 to {len(rows) - 1}, a place in the {split} split",
            got=repr(example),
            remedy="choose another",
        )
    if isinstance(run, Run) and data is None and split in ("test", "all"):
        run.test_looks += len(run.prepared.parts.test) > 0
    place = rows[example : example + 1]
    found = outputs(model, known.rows(place), member)
    arrays = hasattr(model.inputs, "shape")
    shape = image_shape(model.inputs.out_shape, image) if arrays or image else None
    first = found[0].output
    shown = Feature("input", "", first.shape, "image", as_tile(first, shape), 1) if shape else None
    layers = [shown or _feature(found[0]), *map(_feature, found[1:])]
    true, predicted = _answer(model, known, place)
    classes = tuple(str(name) for name in model.classes)
    return FeaturesInfo(int(place[0]), true, predicted, classes, tuple(layers))


def _feature(given: Given) -> Feature:
    values, shape = given.output, given.output.shape
    if values.ndim == 3:
        maps = values.transpose(2, 0, 1)[:MOST_CHANNELS]
        return Feature(given.name, given.text, shape, "maps", maps, shape[-1])
    if values.ndim == 2:
        return Feature(given.name, given.text, shape, "sequence", values.T, shape[-1])
    flat = values.reshape(-1)
    kind = "bars" if len(flat) <= MOST_BARS else "strip"
    return Feature(given.name, given.text, shape, kind, flat, len(flat))


def _answer(model: Model, data: Data, place: Numbers) -> tuple[str, str]:
    """The true and the predicted target of a row, as text."""
    predicted = np.ravel(model.predict(data.rows(place)))
    target = data.targets[place]
    if data.task == "classification":
        return str(data.classes[int(target[0])]), str(predicted[0])
    pair = (np.ravel(target), predicted)
    true, said = (", ".join(f"{value:.4g}" for value in values[:4]) for values in pair)
    return true, said


def draw_features(
    run: Run | Model,
    path: str | Path,
    example: int = 0,
    *,
    data: Data | None = None,
    split: str = "validation",
    member: int = 0,
    image: tuple[int, ...] | None = None,
    language: str = "en",
) -> Path:
    """Draw what each layer makes of one example, from the input to the output.

    Args:
        run: a run, or a model with ``data``.
        path: of the picture; .png, .svg or .pdf.
        example: its place in the split, counted from 0.
        data: for a model: what it was trained on.
        split: "validation", "train", "test" (counted as a look) or "all".
        member: of an ensemble, counted from 0.
        image: (H, W) or (H, W, C) of the inputs, where they are flat; () for none.
        language: "en" or "zh".

    Raises:
        DataError: no data, no such example or member, an image of another size.
        FileError: the picture cannot be written.
    """
    info = features_info(run, example, data=data, split=split, member=member, image=image)
    layers = info.layers if len(info.layers) <= MOST_PANELS else _some(info.layers)
    across = min(4, len(layers))
    down = -(-len(layers) // across)
    with page(path, 3.4 * across, 2.9 * down + 0.6, language) as (figure, say):
        answer = say("true: {true}, predicted: {predicted}", true=short(info.true, 40),
                     predicted=short(info.predicted, 40))  # fmt: skip
        figure.suptitle(f"{say('features of row {row}', row=info.row)}\n{answer}", fontsize=10)
        for number, feature in enumerate(layers, 1):
            axes: Any = figure.add_subplot(down, across, number)
            last = feature is layers[-1]
            _draw_feature(axes, feature, info.classes if last else (), say)
    return Path(path)


def _some(layers: tuple[Feature, ...]) -> tuple[Feature, ...]:
    """So many layers that they can be shown, the first and the last among them."""
    places = np.linspace(0, len(layers) - 1, MOST_PANELS).round().astype(int)
    return tuple(layers[i] for i in places)


def _draw_feature(axes: Any, feature: Feature, classes: tuple[str, ...], say: Say) -> None:
    name = say("input") if feature.name == "input" else feature.name
    title = f"{name}: {feature.text}" if feature.text else name
    axes.set_title(f"{title}\n{times(feature.shape)}", fontsize=8)
    DRAWN[feature.kind](axes, feature, classes, say)


def _draw_image(axes: Any, feature: Feature, classes: tuple[str, ...], say: Say) -> None:
    empty(axes)
    axes.imshow(feature.values, cmap="gray", interpolation="nearest")


def _draw_maps(axes: Any, feature: Feature, classes: tuple[str, ...], say: Say) -> None:
    empty(axes)
    across = columns_for(feature.values, 1.2)
    axes.imshow(mosaic(feature.values, across), cmap="viridis", interpolation="nearest")
    if len(feature.values) < feature.total:
        shown = say("{shown} of {total}", shown=len(feature.values), total=feature.total)
        axes.set_xlabel(shown, fontsize=7)


def _draw_sequence(axes: Any, feature: Feature, classes: tuple[str, ...], say: Say) -> None:
    axes.imshow(feature.values, cmap="viridis", aspect="auto", interpolation="nearest")
    axes.set_xlabel(say("position"))
    axes.set_ylabel(say("channel"))


def _draw_bars(axes: Any, feature: Feature, classes: tuple[str, ...], say: Say) -> None:
    count = len(feature.values)
    named = len(classes) == count
    colours = [BLUE] * count
    if named:
        colours[int(np.argmax(feature.values))] = ORANGE
    axes.bar(range(count), feature.values, color=colours)
    axes.axhline(0.0, color=GREY, lw=0.8)
    if named and count <= 12:
        upright = max(map(len, classes)) <= 2
        turned = {} if upright else {"rotation": 45, "ha": "right"}
        axes.set_xticks(range(count), [short(name, 12) for name in classes], **turned)
    else:
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel(say("unit"))


def _draw_strip(axes: Any, feature: Feature, classes: tuple[str, ...], say: Say) -> None:
    empty(axes)
    width = int(np.ceil(np.sqrt(2 * len(feature.values))))
    padded = np.full(-(-len(feature.values) // width) * width, np.nan)
    padded[: len(feature.values)] = feature.values
    axes.imshow(padded.reshape(-1, width), cmap="viridis", interpolation="nearest")
    axes.set_xlabel(say("unit"), fontsize=8)


DRAWN = {
    "image": _draw_image,
    "maps": _draw_maps,
    "sequence": _draw_sequence,
    "bars": _draw_bars,
    "strip": _draw_strip,
}
