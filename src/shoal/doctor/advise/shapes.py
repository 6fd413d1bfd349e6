"""Depth and width: a small grid about the network, tried on validation.

Width multiplies the units and filters of every hidden layer, wherever it is nested. Depth repeats
or leaves out hidden blocks: a block is a Dense layer of the network with what follows it up to the
next one. Only networks with such blocks have a depth to vary.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from shoal.arrays import Shape
from shoal.data.dataset import Data
from shoal.doctor.advise.comparison import Comparison, Variant, check_some, compare
from shoal.doctor.advise.surgery import everywhere
from shoal.doctor.advise.trials import mean_and_half
from shoal.errors import RecipeError
from shoal.nets import Conv, Dense, Layer, Net
from shoal.recipe import Recipe
from shoal.train.progress import Progress

WIDTHS = (0.5, 1.0, 2.0)
MORE_WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
MOST = 64
"""Blocks that no grid goes beyond."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ShapeAdvice(Comparison):
    """How a recipe trains deeper, shallower, wider and narrower; fields as in ``Comparison``."""

    what: ClassVar[str] = "depth and width"

    @property
    def smallest(self) -> Variant:
        """The smallest network whose mean loss is not higher than the recipe's own."""
        change, _ = mean_and_half(self.differences)
        fine = [v for v in range(len(self.variants)) if v == 0 or change[v] <= 0]
        return self.variants[min(fine, key=lambda v: int(self.parameters[v]))]


def advise_shape(
    recipe: Recipe,
    data: Data,
    line: Progress,
    seeds: int = 5,
    epochs: int | None = None,
    every: bool = False,
) -> ShapeAdvice:
    """Try other depths and widths.

    Args:
        every: more widths, and depths up to four times the network's.

    Raises:
        RecipeError: a network without hidden layers of its own.
    """
    shape = recipe.prepare(data).inputs.out_shape
    nets, notes = grid(recipe.net, shape, every)
    variants = [Variant(name, recipe.replace(net=net)) for name, net in nets]
    check_some(variants, "depth and width", "give it a hidden layer: Dense or Conv")
    found = compare(recipe, variants, data, line, seeds, epochs, lambda v: v.name)
    depth = len(blocks(recipe.net))
    own = f"{depth} deep, x1 (own)" if depth else "x1 (own)"
    named = (found.variants[0]._replace(name=own), *found.variants[1:])
    advice = ShapeAdvice(
        before=recipe, **found._replace(variants=named)._asdict(), notes=tuple(notes)
    )
    return advice if advice.changes else _with_smallest(advice)


def _with_smallest(advice: ShapeAdvice) -> ShapeAdvice:
    """The advice, its reason naming a smaller network that does as well, where there is one."""
    small = advice.smallest
    if small is advice.variants[0]:
        return advice
    size = advice.parameters[advice.variants.index(small)]
    if size >= advice.parameters[0]:
        return advice
    words = f"with {int(size):,} parameters instead of {int(advice.parameters[0]):,}"
    return replace(advice, reason=f"{advice.reason} {small.name} is as good {words}.")


def grid(net: Net, shape: Shape, every: bool = False) -> tuple[list[tuple[str, Net]], list[str]]:
    """The networks to try, with their names, and notes about those that cannot be.

    Args:
        shape: of one example.
    """
    depth = len(blocks(net))
    depths = _depths(depth, every)
    found, notes, seen = [], [], {net}
    for deep in depths:
        for factor in MORE_WIDTHS if every else WIDTHS:
            name = f"{deep} deep, x{factor:g}" if depth else f"x{factor:g}"
            try:
                new = widened(deepened(net, deep) if depth else net, factor)
                new.shapes(shape)
            except RecipeError as error:
                notes.append(f"{name}: {error}")
                continue
            if new not in seen:
                found.append((name, new))
                seen.add(new)
    return found, notes


def _depths(depth: int, every: bool) -> Sequence[int]:
    if not depth:
        return (0,)
    wanted = {depth - 1, depth, depth + 1} | ({2 * depth, 4 * depth} if every else set())
    return sorted(deep for deep in wanted if 1 <= deep <= MOST)


def _hidden(net: Net) -> int:
    """The place of the last layer with units, the head; the layers before it are hidden."""
    places = [p for p, layer in enumerate(net.layers) if isinstance(layer, Dense | Conv)]
    return places[-1] if places else 0


def blocks(net: Net) -> list[tuple[int, int]]:
    """Beginning and end of each hidden block: a Dense layer and what follows up to the next."""
    head = _hidden(net)
    begins = [p for p in range(head) if isinstance(net.layers[p], Dense)]
    return list(zip(begins, [*begins[1:], head], strict=True)) if begins else []


def deepened(net: Net, depth: int) -> Net:
    """The network with so many hidden blocks: the last repeated, or the last left out."""
    found = blocks(net)
    if depth <= len(found):
        cut = found[depth - 1][1]
        return net.replace(layers=net.layers[:cut] + net.layers[found[-1][1] :])
    begin, end = found[-1]
    again = net.layers[begin:end] * (depth - len(found))
    return net.replace(layers=net.layers[:end] + again + net.layers[end:])


def widened(net: Net, factor: float) -> Net:
    """The network with the units and filters of its hidden layers times a factor."""

    def change(layer: Layer) -> Layer:
        if isinstance(layer, Dense):
            return layer.replace(units=max(1, round(layer.units * factor)))
        if isinstance(layer, Conv):
            return layer.replace(filters=max(1, round(layer.filters * factor)))
        return layer

    head = _hidden(net)
    return net.replace(layers=everywhere(net.layers[:head], change) + net.layers[head:])
