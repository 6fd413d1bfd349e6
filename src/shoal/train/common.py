"""Common: one recipe with whose program recipes of different widths and activations are trained.

places    where a recipe could differ from others and still share their program
Common    the widest units and all activations of several recipes, place by place

common.form(recipe)                the recipe to give to the pool
common.plain(recipe, arrays)       arrays of the pool as those of the recipe itself
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax

from shoal.arrays import Numbers, Shape, Tree
from shoal.describe import field_names, unchecked
from shoal.nets import Dense, Identity, Layer, Net, compose
from shoal.nets.layer import Statistic, Weight
from shoal.nets.sharing import Padded, Switched, stretchable, switchable
from shoal.recipe import Recipe

ALONE = "bfloat16"
"""The precision in which a program of one's own and a common one would round too differently."""


class Place(NamedTuple):
    """What may differ at one layer.

    Attributes:
        units: of a Dense that can be padded, else 0.
        options: activations that can be switched, with their structure; empty for other layers.
    """

    units: int = 0
    options: tuple[tuple[Any, Layer], ...] = ()

    def joined(self, other: "Place") -> "Place":
        """The place of a program for both."""
        new = tuple(pair for pair in other.options if pair[0] not in self.key[1])
        return Place(max(self.units, other.units), self.options + new)

    def covers(self, other: "Place") -> bool:
        """Whether a program with this place can train one with the other."""
        return self.units >= other.units and set(other.key[1]) <= set(self.key[1])

    def alike(self, other: "Place") -> bool:
        """Whether both take the same units and activations."""
        return self.key == other.key

    @property
    def key(self) -> tuple[int, tuple[Any, ...]]:
        """The place without the numbers of its activations."""
        return self.units, tuple(structure for structure, _ in self.options)


def places(recipe: Recipe, in_shape: Shape) -> tuple[Place, ...]:
    """A place for each layer of the network, in order; empty ones where nothing may differ."""
    layers = recipe.net.layers
    if recipe.precision == ALONE:
        return (Place(),) * len(layers)
    body = recipe.body.layers
    shapes = compose.shapes(body, in_shape)
    pads = recipe.optimiser.keeps_zeros

    def place(at: int, layer: Layer) -> Place:
        if pads and isinstance(layer, Dense) and stretchable(body, at):
            return Place(units=layer.units)
        if at < len(layers) - 1 and switchable(layer, shapes[at]):
            return Place(options=((jax.tree.structure(layer), layer),))
        return Place()

    return tuple(place(at, layer) for at, layer in enumerate(layers))


def skeleton(recipe: Recipe, found: Sequence[Place]) -> Any:
    """What recipes that share a program must have in common: the rest of the signature."""

    def bare(layer: Layer, place: Place) -> Layer:
        if place.units:
            return _with(layer, units=1)
        return Identity() if place.options else layer

    pairs = zip(recipe.net.layers, found, strict=True)
    net = unchecked(Net, layers=tuple(bare(*pair) for pair in pairs))
    kinds = tuple((place.units > 0, bool(place.options)) for place in found)
    return jax.tree.structure(_with(recipe, net=net)), recipe.resolved_preparation, kinds


@dataclass(frozen=True)
class Common:
    """The common form of recipes with one skeleton.

    Attributes:
        places: one for each layer: the most units, all activations.
        varies: whether there is anything but one recipe's own units and activations, by layer.
        in_shape: of one example.
    """

    places: tuple[Place, ...]
    varies: tuple[bool, ...]
    in_shape: Shape

    def form(self, recipe: Recipe) -> Recipe:
        """The recipe as the pool trains it; its places must be covered."""
        shapes = recipe.net.shapes(self.in_shape)
        layers: list[Layer] = []
        padded = False
        for at, layer in enumerate(recipe.net.layers):
            place, varies = self.places[at], self.varies[at]
            before, after = (shape[-1] if shape else 1 for shape in shapes[at : at + 2])
            wrapped = padded
            if isinstance(layer, Dense):
                padded = bool(place.units) and varies
                wrapped = wrapped or padded
                layer = _with(layer, units=place.units) if padded else layer
            elif place.options and varies:
                layer = _switched(layer, place)
            if wrapped:
                layer = unchecked(Padded, layer=layer, width=after, features=before)
            layers.append(layer)
        return _with(recipe, net=unchecked(Net, layers=tuple(layers)))

    def plain(self, recipe: Recipe, parameters: Tree, statistics: Tree) -> tuple[Tree, Tree]:
        """The arrays of one member without their padding."""
        inner = recipe.body.inside(self.in_shape)
        return (
            _cut(parameters, compose.parameters(inner), Weight),
            _cut(statistics, compose.statistics(inner), Statistic),
        )


def _switched(layer: Layer, place: Place) -> Switched:
    """The activations of a place with the numbers of this one, and its index."""
    own = jax.tree.structure(layer)
    index = next(k for k, (structure, _) in enumerate(place.options) if structure == own)
    options = [layer if k == index else other for k, (_, other) in enumerate(place.options)]
    return unchecked(Switched, options=tuple(options), index=index)


def _cut(arrays: Tree, shapes: Tree, kind: type) -> Tree:
    def cut(shape: Any, array: Numbers) -> Numbers:
        return array[tuple(slice(length) for length in shape.shape)]

    return jax.tree.map(cut, shapes, arrays, is_leaf=lambda leaf: isinstance(leaf, kind))


def _with(description: Any, **changes: Any) -> Any:
    """A copy with some fields changed, not checked: numbers may not fit the rules of a word."""
    values = {name: getattr(description, name) for name in field_names(description)}
    return unchecked(type(description), **(values | changes))
