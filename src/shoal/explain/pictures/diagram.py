"""The plan of a network's picture: where boxes, frames and arrows lie.

Layers follow each other downward; branches stand side by side; a layer made of layers is a frame
around them, and a shortcut is an arrow past them. A long network continues at the top of the next
column. Coordinates: x to the right, y down, one unit is the height of a box.
"""

from collections.abc import Sequence
from typing import NamedTuple

from shoal.arrays import Shape, times
from shoal.nets import Layer, Net, Residual
from shoal.nets.layer import Inner

WIDTH, HEIGHT, GAP, PAD, TITLE = 5.2, 1.0, 0.45, 0.3, 0.55
TALLEST = 20.0
"""A column higher than this is continued beside it."""

GROUPS = {
    "weights": ("Dense", "Conv", "ConvTranspose", "DepthwiseConv", "SeparableConv", "Embedding",
                "RNN", "GRU", "LSTM", "SelfAttention", "Positions"),
    "normalisation": ("BatchNorm", "LayerNorm", "GroupNorm", "RMSNorm"),
    "noise": ("Dropout", "SpatialDropout", "GaussianNoise"),
    "shape": ("Flatten", "Reshape", "MaxPool", "AvgPool", "GlobalMaxPool", "GlobalAvgPool"),
}  # fmt: skip
"""Kinds of layers by the group that gives them their colour; the rest are activations."""


class Box(NamedTuple):
    """One layer: its text, its note (shape and parameters), its group, its place and width."""

    text: str
    note: str
    group: str
    x: float
    y: float
    width: float = WIDTH


class Frame(NamedTuple):
    """A layer made of layers: its title, its corner and its size."""

    title: str
    x: float
    y: float
    width: float
    height: float


class Arrow(NamedTuple):
    """A line through points (x, y) with its head at the last one; its label, or ""."""

    points: tuple[tuple[float, float], ...]
    label: str = ""


class Diagram(NamedTuple):
    """A plan: its size and what is in it."""

    width: float
    height: float
    boxes: tuple[Box, ...] = ()
    frames: tuple[Frame, ...] = ()
    arrows: tuple[Arrow, ...] = ()

    def moved(self, x: float, y: float) -> "Diagram":
        """The same plan at another place; its size stays."""
        return Diagram(
            self.width,
            self.height,
            tuple(b._replace(x=b.x + x, y=b.y + y) for b in self.boxes),
            tuple(f._replace(x=f.x + x, y=f.y + y) for f in self.frames),
            tuple(
                a._replace(points=tuple((p + x, q + y) for p, q in a.points)) for a in self.arrows
            ),
        )


def group_of(layer: Layer) -> str:
    """The group of a layer, for its colour."""
    return next((name for name, kinds in GROUPS.items() if layer.kind in kinds), "activation")


def plan(net: Net, in_shape: Shape) -> Diagram:
    """The plan of a network.

    Raises:
        ShapeError: a layer cannot take what reaches it.
    """
    net.shapes(in_shape)
    first = Diagram(WIDTH, HEIGHT, (Box("input", times(in_shape), "input", 0.0, 0.0),))
    return _columns([first, *(_one(inner) for inner in net.inside(in_shape))])


def _columns(parts: Sequence[Diagram]) -> Diagram:
    """Parts one below the other, in as many columns as they need, with arrows between them."""
    total = sum(part.height + GAP for part in parts)
    count = max(1, round(total / TALLEST))
    wanted = total / count  # columns of about one height
    columns: list[list[Diagram]] = [[]]
    height = 0.0
    for part in parts:
        if columns[-1] and len(columns) < count and height + part.height / 2 > wanted:
            columns.append([])
            height = 0.0
        columns[-1].append(part)
        height += part.height + GAP
    stacked = [_chain(column) for column in columns]
    placed, left, arrows = [], 0.0, []
    for number, column in enumerate(stacked):
        placed.append(column.moved(left, 0.0))
        if number:
            before = stacked[number - 1]
            edge, start = left - GAP * 1.5, left - GAP * 3 - before.width / 2
            end = left + column.width / 2
            arrows.append(Arrow(((start, before.height), (start, before.height + GAP),
                                 (edge, before.height + GAP), (edge, -GAP), (end, -GAP),
                                 (end, 0.0))))  # fmt: skip
        left += column.width + GAP * 3
    whole = _joined(placed, left - GAP * 3, max(column.height for column in stacked))
    return whole._replace(arrows=(*whole.arrows, *arrows))


def _joined(parts: Sequence[Diagram], width: float, height: float) -> Diagram:
    return Diagram(
        width,
        height,
        tuple(box for part in parts for box in part.boxes),
        tuple(frame for part in parts for frame in part.frames),
        tuple(arrow for part in parts for arrow in part.arrows),
    )


def _chain(parts: Sequence[Diagram]) -> Diagram:
    """Parts one below the other, centred, with an arrow from each to the next."""
    width, top, placed, arrows = max(part.width for part in parts), 0.0, [], []
    for number, part in enumerate(parts):
        if number:
            arrows.append(Arrow(((width / 2, top - GAP), (width / 2, top))))
        placed.append(part.moved((width - part.width) / 2, top))
        top += part.height + GAP
    whole = _joined(placed, width, top - GAP)
    return whole._replace(arrows=(*whole.arrows, *arrows))


def _one(inner: Inner) -> Diagram:
    """One layer: a box, or a frame with what is in it."""
    name, layer, in_shape = inner
    nested = layer.inside(in_shape)
    if not nested:
        return Diagram(WIDTH, HEIGHT, (_box(layer, in_shape),))
    title = f"{name}: {layer.kind}, {times(layer.output_shape(in_shape))}"
    if layer.parallel:
        return _framed(_side_by_side(nested), title)
    body = _chain([_one(child) for child in nested])
    return (
        _with_shortcut(body, layer, title) if isinstance(layer, Residual) else _framed(body, title)
    )


def _box(layer: Layer, in_shape: Shape) -> Box:
    count = Net(layer).parameter_count(in_shape)
    note = times(layer.output_shape(in_shape)) + (f" · {count:,}" if count else "")
    text = repr(layer)
    return Box(text if len(text) <= 30 else text[:29] + "…", note, group_of(layer), 0.0, 0.0)


def _framed(body: Diagram, title: str, left: float = PAD) -> Diagram:
    width = max(body.width + left + PAD, WIDTH + 2 * PAD)
    height = body.height + TITLE + 2 * PAD + GAP
    inside = body.moved((width - body.width - left + PAD) / 2 + left - PAD, TITLE + PAD)
    frame = Frame(title, 0.0, 0.0, width, height)
    return Diagram(width, height, inside.boxes, (frame, *inside.frames), inside.arrows)


def _side_by_side(branches: Sequence[Inner]) -> Diagram:
    """Branches beside each other, their inputs from one point, their outputs to one point."""
    parts = [_one(child) for child in branches]
    height = max(part.height for part in parts) + 2 * GAP
    width = sum(part.width + GAP for part in parts) - GAP
    placed, arrows, left = [], [], 0.0
    for child, part in zip(branches, parts, strict=True):
        middle, top = left + part.width / 2, GAP
        placed.append(part.moved(left, top))
        arrows.append(Arrow(((width / 2, 0.0), (middle, 0.0), (middle, top)), child.name))
        end = ((middle, top + part.height), (middle, height), (width / 2, height))
        arrows.append(Arrow(end))
        left += part.width + GAP
    whole = _joined(placed, width, height)
    return whole._replace(arrows=(*whole.arrows, *arrows))


def _with_shortcut(body: Diagram, layer: Residual, title: str) -> Diagram:
    """A frame with an arrow past the layers in it."""
    room = 0.9
    framed = _framed(body, f"{title}, {layer.shortcut}", PAD + room)
    top, bottom = TITLE, framed.height - PAD / 2 - GAP / 2
    middle = (framed.width - body.width - room) / 2 + room + body.width / 2
    first = middle - body.width / 2
    way = ((middle, top), (first - 0.5, top), (first - 0.5, bottom), (middle, bottom))
    down = Arrow(((middle, TITLE + PAD + body.height), (middle, framed.height - PAD / 2 - GAP / 2)))
    enter = Arrow(((middle, top), (middle, TITLE + PAD)))
    return framed._replace(arrows=(*framed.arrows, Arrow(way, "+ x"), enter, down))
