"""Surgery: networks taken apart and put together, for remedies that edit the architecture.

A network is seen as blocks and a head. A block is a layer with weights and what follows it up to
the next one: activation, normalisation, dropout, pooling. The last block is the head.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from shoal.arrays import Shape
from shoal.describe import field_names
from shoal.errors import ShoalError
from shoal.nets import Activation, Dropout, GaussianNoise, Identity, Layer, Net, SpatialDropout
from shoal.nets.nests import Nest

UNITS = ("units", "filters")
"""The fields that say how wide a layer is."""

DISTURBING = (Dropout, SpatialDropout, GaussianNoise)
NORMS = ("BatchNorm", "LayerNorm", "GroupNorm", "RMSNorm")
Change = Callable[[Layer], Sequence[Layer]]


class Parts(NamedTuple):
    """A network taken apart.

    Attributes:
        before: layers before the first one with weights (Reshape, say).
        blocks: each a layer with weights and what follows it; hidden ones.
        head: the last layer with weights and what follows it; () where there is none.
    """

    before: tuple[Layer, ...]
    blocks: tuple[tuple[Layer, ...], ...]
    head: tuple[Layer, ...]

    @property
    def net(self) -> Net:
        """The network again."""
        return Net(*self.before, *(layer for block in self.blocks for layer in block), *self.head)


def width_field(layer: Layer) -> str | None:
    """The field that says how many outputs a layer has; None where none does."""
    return next((name for name in UNITS if name in field_names(layer)), None)


def weighted(layer: Layer) -> bool:
    """Whether it begins a block: it has units or filters, or is made of layers."""
    return width_field(layer) is not None or isinstance(layer, Nest)


def take_apart(net: Net) -> Parts:
    """The blocks and the head of a network."""
    starts = [i for i, layer in enumerate(net.layers) if weighted(layer)]
    if not starts:
        return Parts(net.layers, (), ())
    pieces = [net.layers[a:b] for a, b in pairwise([*starts, len(net.layers)])]
    head = pieces[-1] if width_field(pieces[-1][0]) else ()
    return Parts(net.layers[: starts[0]], tuple(pieces if not head else pieces[:-1]), head)


def is_activation(layer: Layer) -> bool:
    """Whether it bends numbers: any activation but the identity."""
    return isinstance(layer, Activation) and not isinstance(layer, Identity)


def rebuilt(layers: Sequence[Layer], change: Change) -> tuple[Layer, ...]:
    """Layers with ``change`` made to each that is not made of layers itself."""
    found: list[Layer] = []
    for layer in layers:
        if isinstance(layer, Nest):
            found.append(_nest(layer, change))
        else:
            found += change(layer)
    return tuple(found)


def _nest(nest: Nest, change: Change) -> Layer:
    """A nest with its layers changed; branches must stay one layer each."""
    if not nest.parallel:
        return nest.replace(layers=rebuilt(nest.layers, change))
    branches = [rebuilt([branch], change) for branch in nest.layers]
    pairs = zip(branches, nest.layers, strict=True)
    kept = [new[0] if len(new) == 1 else old for new, old in pairs]
    return nest.replace(layers=tuple(kept))


def change_hidden(net: Net, change: Change) -> Net:
    """The network with ``change`` made to every layer but those of the head."""
    parts = take_apart(net)
    body = parts._replace(head=()).net.layers if parts.blocks or parts.before else ()
    return Net(*rebuilt(body, change), *parts.head)


def change_all(net: Net, change: Change) -> Net:
    """The network with ``change`` made to every layer."""
    return Net(*rebuilt(net.layers, change))


def hidden_activations(net: Net) -> list[Layer]:
    """The activations before the head, those inside nests too."""
    found: list[Layer] = []

    def note(layer: Layer) -> Sequence[Layer]:
        found.extend([layer] if is_activation(layer) else [])
        return [layer]

    change_hidden(net, note)
    return found


def widths(net: Net, in_shape: Shape) -> list[Shape]:
    """The shape before each layer and after the last; [] where the network does not fit."""
    try:
        return net.shapes(in_shape)
    except ShoalError:
        return []
