"""A PyTorch module as a network: its modules one after another, and the numbers in them.

What is translated is a module that runs its children in order: ``torch.nn.Sequential``, nested as
deep as it likes, or a single layer. A module of one's own, with a ``forward`` of its own, is
watched but not translated: its order is known to Python alone.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shoal.arrays import Numbers, Shape, Tree, size
from shoal.doctor.watching.layers import RULES, Piece
from shoal.doctor.watching.lazily import pytorch, untranslatable
from shoal.errors import did_you_mean
from shoal.nets import Constant, Flatten, Layer, Net, Normal, Uniform, Zeros, compose
from shoal.nets.initialisers import Initialiser

ENOUGH = 30
"""Numbers of an array from which on their law can be told."""


@dataclass(frozen=True)
class Leaf:
    """A module without modules in it: its path in PyTorch, and itself."""

    path: str
    module: Any


def chain(module: Any) -> list[Leaf]:
    """The modules that run one after another.

    Raises:
        RecipeError: a module whose order is not known, or that has no counterpart.
    """
    return list(_chain(module, ""))


def _chain(module: Any, path: str) -> Iterator[Leaf]:
    sequential = pytorch().nn.Sequential
    kind = type(module).__name__
    if isinstance(module, sequential) and type(module).forward is sequential.forward:
        for name, child in module.named_children():
            yield from _chain(child, f"{path}.{name}" if path else name)
    elif known(module):
        yield Leaf(path, module)
    elif any(True for _ in module.children()):
        raise untranslatable(
            f"{path or 'the module'} ({kind})",
            "a module with a forward of its own",
            "put its layers into torch.nn.Sequential, or write the recipe by hand",
            required="layers that run one after another",
        )
    else:
        raise untranslatable(
            f"{path or 'the module'} ({module!r})",
            f"a {kind}",
            did_you_mean(kind, RULES),
        )


def known(module: Any) -> bool:
    """Whether a module is one of PyTorch's that has a counterpart."""
    kind = type(module)
    return kind.__module__.startswith("torch.nn") and kind.__name__ in RULES


@dataclass(frozen=True, eq=False)
class Translated:
    """A module as a network, with its numbers.

    Attributes:
        net: its layers; leaves: the modules that they were, in the same order.
        pieces: the layers with their numbers, in the order of channels last.
    """

    net: Net
    leaves: tuple[Leaf, ...]
    pieces: tuple[Piece, ...]

    @property
    def names(self) -> dict[str, str]:
        """The name of the layer by the path of the module that it was."""
        named = compose.named(self.net.layers)
        return {leaf.path: name for leaf, (name, _) in zip(self.leaves, named, strict=False)}

    def arrays(self, layers: int) -> tuple[Tree, Tree]:
        """Parameters and statistics of the first so many layers, by name, as a network has them."""
        parameters, statistics = {}, {}
        for (name, _), piece in zip(
            list(compose.named(self.net.layers))[:layers], self.pieces, strict=False
        ):
            if piece.weights:
                parameters[name] = dict(piece.weights)
            if piece.statistics:
                statistics[name] = dict(piece.statistics)
        return parameters, statistics


def translated(module: Any, in_shape: Shape, turned: bool) -> Translated:
    """A module as a network for examples of a shape, channels last.

    The initial weights of its layers are described from the numbers that the module has now, so a
    module that has not been trained yet is begun anew in the way that it began.

    Args:
        in_shape: of one example.
        turned: whether channels came first in PyTorch.

    Raises:
        RecipeError: what has no counterpart, by its name.
        ShapeError: layers that cannot follow one another.
    """
    leaves = chain(module)
    pieces, shape, order = [], in_shape, None
    for leaf in leaves:
        piece = RULES[type(leaf.module).__name__](leaf.module)
        _check_channels(leaf, turned)
        if isinstance(piece.layer, Flatten) and len(shape) > 1 and turned:
            order = _channels_last(shape)
        if order is not None:
            piece = _ordered(piece, order)
            order = None if "weight" in piece.features else order
        piece = piece._replace(layer=_initialised(piece))
        pieces.append(piece)
        shape = compose.shapes([piece.layer], shape)[-1]
    net = Net(*(piece.layer for piece in pieces))
    return Translated(net, tuple(leaves), tuple(pieces))


def _check_channels(leaf: Leaf, turned: bool) -> None:
    """A layer over space behind what has its features last would take positions for channels."""
    kind = type(leaf.module).__name__
    if not turned and kind.endswith(("1d", "2d", "3d")) and not kind.startswith("BatchNorm"):
        raise untranslatable(
            f"{leaf.path} ({kind})",
            "examples with features last",
            "write the recipe by hand",
            required="examples with channels first",
        )


def _channels_last(shape: Shape) -> Numbers:
    """For each number of a flat example, channels last, where it lies channels first."""
    places = np.arange(size(shape)).reshape(shape[-1], *shape[:-1])
    return np.moveaxis(places, 0, -1).reshape(-1)


def _ordered(piece: Piece, order: Numbers) -> Piece:
    """A piece whose axes over features follow another order."""

    def turn(name: str, array: Numbers) -> Numbers:
        return np.take(array, order, axis=piece.features[name]) if name in piece.features else array

    weights = {name: turn(name, array) for name, array in piece.weights.items()}
    statistics = {name: turn(name, array) for name, array in piece.statistics.items()}
    return piece._replace(weights=weights, statistics=statistics)


def _initialised(piece: Piece) -> Layer:
    """The layer with initialisers like the numbers that it has."""
    layer: Any = piece.layer
    given = {"init": piece.weights.get("weight"), "bias_init": piece.weights.get("bias")}
    found = {
        name: like(array)
        for name, array in given.items()
        if array is not None and hasattr(layer, name)
    }
    changed: Layer = layer.replace(**found) if found else layer
    return changed


def like(array: Numbers) -> Initialiser:
    """The initialiser that draws numbers such as these: their law and their spread.

    >>> like(np.zeros((3, 4))), like(np.full(7, 0.5))
    (Zeros(), Constant(0.5))
    """
    flat = array.reshape(-1).astype(float)
    flat = flat[np.isfinite(flat)]
    if len(flat) == 0 or not flat.any():
        return Zeros()
    if np.ptp(flat) == 0:
        return Constant(float(flat[0]))
    root = float(np.sqrt(np.mean(flat**2)))
    # The largest of many uniform numbers is near sqrt(3) times their root mean square.
    if len(flat) < ENOUGH or np.abs(flat).max() < 1.85 * root:
        return Uniform(_rounded(math.sqrt(3.0) * root))
    return Normal(_rounded(root))


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def with_layer(found: Translated, layer: Layer) -> Translated:
    """The same with one more layer at its end."""
    return replace(found, net=Net(*found.net.layers, layer))
