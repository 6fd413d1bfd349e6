"""A network as a picture: layers with their shapes and parameters; or its units and weights.

Small perceptrons whose weights are given are drawn unit by unit: red lines are positive weights,
blue ones negative, and the width of a line is its weight's size compared with the largest.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from shoal.arrays import Numbers, Shape
from shoal.explain.language import Say
from shoal.explain.page import empty, page, short
from shoal.explain.pictures.diagram import HEIGHT, Diagram, plan
from shoal.explain.pictures.layers import member_parameters, model_of
from shoal.nets import Net, compose
from shoal.train.model import Model
from shoal.train.run import Run

COLOURS = {"input": "#e5e7eb", "weights": "#bfdbfe", "activation": "#bbf7d0",
           "normalisation": "#fde68a", "noise": "#e9d5ff", "shape": "#fecaca"}  # fmt: skip
MOST_UNITS = 16
PLAIN = ("Dropout", "GaussianNoise", "Flatten", "Identity")
POSITIVE, NEGATIVE = "#c0392b", "#2a6f97"


class Between(NamedTuple):
    """The weights from one layer of units to the next, (outputs, inputs), and the biases."""

    name: str
    weight: Numbers
    bias: Numbers | None


class NetworkInfo(NamedTuple):
    """Everything that the picture shows.

    Attributes:
        parameters: how many numbers training changes.
        diagram: the plan of boxes.
        units: of the input and of each Dense; () where the network is drawn as boxes.
        names: of the layers between them, activations included.
        between: their weights.
    """

    parameters: int
    diagram: Diagram
    units: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    between: tuple[Between, ...] = ()


def network_info(
    net: Net, in_shape: Shape, model: Run | Model | None = None, member: int = 0
) -> NetworkInfo:
    """What a picture of a network shows; arguments and errors as for ``draw_network``."""
    whole = NetworkInfo(net.parameter_count(in_shape), plan(net, in_shape))
    if model is None:
        return whole
    weights = member_parameters(model_of(model), member)
    return whole._replace(**_units(net, in_shape, weights))


def _units(net: Net, in_shape: Shape, weights: Any) -> dict[str, Any]:
    """The units and weights of a small perceptron; {} for other networks."""
    layers = list(compose.named(net.layers))
    dense = [name for name, layer in layers if layer.kind == "Dense"]
    shapes = net.shapes(in_shape)
    flat = len(in_shape) == 1 and max(shape[0] for shape in shapes) <= MOST_UNITS
    simple = all(not layer.inside(shape) and (layer.kind == "Dense" or not layer.parameters(shape))
                 for (_, layer), shape in zip(layers, shapes, strict=False))  # fmt: skip
    if not (flat and simple and dense):
        return {}
    between = [Between(n, weights[n]["weight"], weights[n].get("bias")) for n in dense]
    names: list[str] = []
    for _, layer in layers:
        if layer.kind == "Dense":
            names.append(repr(layer))
        elif names and layer.kind not in PLAIN:
            names[-1] += f"\n{layer.kind}"
    units = (in_shape[0], *(len(b.weight) for b in between))
    return {"units": units, "names": tuple(names), "between": tuple(between)}


def draw_network(
    net: Net | Run | Model,
    in_shape: Shape | None,
    path: str | Path,
    *,
    model: Run | Model | None = None,
    member: int = 0,
    language: str = "en",
) -> Path:
    """Draw a network: its layers with shapes and parameters, branches side by side.

    Args:
        net: a network; or a run or model, whose weights are shown where the network is a small
            perceptron.
        in_shape: shape of one example; None for a run or model, which know it.
        path: of the picture; .png, .svg or .pdf.
        model: whose weights are shown, where ``net`` is a network.
        member: of an ensemble, counted from 0.
        language: "en" or "zh".

    Raises:
        ShapeError: a layer cannot take what reaches it.
        FileError: the picture cannot be written.
    """
    if not isinstance(net, Net):
        model = net
        known = model_of(net)
        net, in_shape = known.recipe.net, known.inputs.out_shape
    info = network_info(net, tuple(in_shape or ()), model, member)
    if info.units:
        with page(path, 2.4 * len(info.units) + 0.6, 5.0, language) as (figure, say):
            _draw_units(figure.add_subplot(), info, say)
        return Path(path)
    width, height = info.diagram.width, info.diagram.height
    with page(path, 0.5 * width + 0.6, 0.44 * height + 1.2, language) as (figure, say):
        _draw_boxes(figure.add_subplot(), info, say)
    return Path(path)


def _draw_boxes(axes: Any, info: NetworkInfo, say: Say) -> None:
    from matplotlib.patches import FancyBboxPatch

    diagram = info.diagram
    empty(axes)
    axes.set_title(say("network: {count} parameters", count=f"{info.parameters:,}"))
    axes.set_xlim(-0.5, diagram.width + 0.5)
    axes.set_ylim(diagram.height + 0.9, -0.9)
    axes.set_aspect("equal")
    style = "round,pad=0,rounding_size=0.15"
    for frame in diagram.frames:
        axes.add_patch(FancyBboxPatch((frame.x, frame.y), frame.width, frame.height, fc="#00000008",
                                      ec="#9ca3af", lw=0.8, boxstyle=style))  # fmt: skip
        axes.text(frame.x + 0.2, frame.y + 0.3, short(frame.title, 44), fontsize=6.5, va="center",
                  color="#4b5563")  # fmt: skip
    for box in diagram.boxes:
        axes.add_patch(FancyBboxPatch((box.x, box.y), box.width, HEIGHT, fc=COLOURS[box.group],
                                      ec="#6b7280", lw=0.8, boxstyle=style))  # fmt: skip
        middle = box.x + box.width / 2
        text = say("input") if box.group == "input" else box.text
        axes.text(middle, box.y + 0.34, text, fontsize=7, ha="center", va="center")
        axes.text(middle, box.y + 0.74, box.note, fontsize=6, ha="center", va="center",
                  color="#374151")  # fmt: skip
    for arrow in diagram.arrows:
        _draw_arrow(axes, arrow.points, arrow.label)


def _draw_arrow(axes: Any, points: tuple[tuple[float, float], ...], label: str) -> None:
    line = {"color": "#4b5563", "lw": 0.9}
    axes.plot(*zip(*points, strict=True), solid_capstyle="round", **line)
    if points[-1] != points[-2]:
        axes.annotate("", xy=points[-1], xytext=points[-2],
                      arrowprops={"arrowstyle": "-|>", "mutation_scale": 8, "shrinkA": 0,
                                  "shrinkB": 0, **line})  # fmt: skip
    if label:
        x, y = points[1]
        axes.text(x - 0.08, y + 0.3, short(label, 14), fontsize=6, ha="right", va="center",
                  color="#4b5563")  # fmt: skip


def _draw_units(axes: Any, info: NetworkInfo, say: Say) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.lines import Line2D

    empty(axes)
    axes.set_title(say("network: {count} parameters", count=f"{info.parameters:,}"))
    places = [np.linspace(-1, 1, n + 2)[1:-1] * max(1.0, n / 4) for n in info.units]
    reach = max(p.max() for p in places)
    largest = max(float(np.abs(b.weight).max(initial=0.0)) for b in info.between) or 1.0
    for column, between in enumerate(info.between):
        outputs, inputs = np.indices(between.weight.shape).reshape(2, -1)
        w = between.weight.reshape(-1)
        starts = np.stack([np.full(len(w), column), -places[column][inputs]], axis=1)
        ends = np.stack([np.full(len(w), column + 1), -places[column + 1][outputs]], axis=1)
        colours = np.where(w > 0, POSITIVE, NEGATIVE)
        segments: Any = np.stack([starts, ends], axis=1)
        lines = LineCollection(segments, colors=colours,
                               linewidths=3.5 * np.abs(w) / largest, alpha=0.75)  # fmt: skip
        axes.add_collection(lines)
    for column, ys in enumerate(places):
        axes.scatter(np.full(len(ys), column), -ys, s=190, color="white", edgecolors="#374151",
                     zorder=3)  # fmt: skip
        name = say("input") if column == 0 else info.names[column - 1]
        axes.text(
            column, -max(p.max() for p in places) - 0.35, name, ha="center", va="top", fontsize=8
        )
    axes.set_xlim(-0.5, len(places) - 0.5)
    axes.set_ylim(-reach - 0.9, reach + 0.3)
    signs = ((POSITIVE, "positive weight"), (NEGATIVE, "negative weight"))
    handles = [Line2D([], [], color=colour, lw=2, label=say(text)) for colour, text in signs]
    axes.legend(handles=handles, fontsize=7, loc="upper right")
