"""Layers one after another: how a sequence is named, checked and run.

Inside a sequence each layer is named by its kind and its number among that kind: ``dense1``,
``relu1``, ``dense2``. Parameters and statistics are dictionaries under these names, and hold only
the layers that have any.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from shoal.arrays import Array, Shape, Tree
from shoal.errors import ShapeError
from shoal.nets.layer import Inner, Layer, Mode
from shoal.rules import Is, Many

LAYERS = Many(Is(Layer, "a layer"), at_least=1)


def named(layers: Sequence[Layer]) -> Iterator[tuple[str, Layer]]:
    """The layers with their names within the sequence."""
    counts: dict[str, int] = {}
    for layer in layers:
        counts[layer.called] = counts.get(layer.called, 0) + 1
        yield f"{layer.called.lower()}{counts[layer.called]}", layer


def shapes(layers: Sequence[Layer], in_shape: Shape, strict: bool = False) -> list[Shape]:
    """The shape of one example before the first layer and after each.

    Raises:
        ShapeError: naming the layer, what it needs, what reaches it and from which layer.
    """
    found = [in_shape]
    for position, layer in enumerate(layers):
        try:
            found.append(layer.output_shape(found[-1], strict))
        except ShapeError as error:
            before = f"layer {position} ({layers[position - 1]!r})" if position else "the input"
            raise ShapeError(
                f"layer {position + 1}: {error.thing}",
                required=error.required,
                got=f"{error.got} from {before}",
                remedy=error.remedy,
            ) from None
    return found


def entries(layers: Sequence[Layer], parallel: bool = False) -> tuple[Layer, ...]:
    """The layers that see what reaches a sequence, or several branches, as it is."""
    found: list[Layer] = []
    for layer in layers:
        found += layer.entries()
        if not (parallel or layer.arranges):
            break
    return tuple(found)


def inside(layers: Sequence[Layer], in_shape: Shape) -> list[Inner]:
    """The layers with their names and the shape of what reaches each."""
    before = shapes(layers, in_shape)
    return [
        Inner(name, layer, shape)
        for (name, layer), shape in zip(named(layers), before, strict=False)
    ]


def collect(
    inner: Sequence[Inner], question: Callable[[Layer, Shape], dict[str, Any]]
) -> dict[str, Any]:
    """The answers of layers to a question about their input, by name, empty ones left out."""
    answers = {name: question(layer, shape) for name, layer, shape in inner}
    return {name: answer for name, answer in answers.items() if answer}


def parameters(inner: Sequence[Inner]) -> dict[str, Any]:
    """The weights of layers by name."""
    return collect(inner, lambda layer, shape: layer.parameters(shape))


def statistics(inner: Sequence[Inner]) -> dict[str, Any]:
    """The statistics of layers by name."""
    return collect(inner, lambda layer, shape: layer.statistics(shape))


def multiply_adds(inner: Sequence[Inner]) -> int:
    """Multiplications followed by an addition of all layers, for one example forward."""
    return sum(layer.multiply_adds(shape) for _, layer, shape in inner)


def run(
    layers: Sequence[Layer], parameters: Tree, statistics: Tree, x: Array, mode: Mode
) -> tuple[Array, Tree]:
    """The output of the last layer and the statistics of all after it."""
    outputs, after = run_all(layers, parameters, statistics, x, mode)
    return outputs[-1] if outputs else x, after


def run_all(
    layers: Sequence[Layer], parameters: Tree, statistics: Tree, x: Array, mode: Mode
) -> tuple[list[Array], Tree]:
    """The output of every layer and the statistics of all after them."""
    outputs: list[Array] = []
    after: dict[str, Any] = {}
    for index, (name, layer) in enumerate(named(layers)):
        x, gathered = run_one(index, name, layer, parameters, statistics, x, mode)
        outputs.append(x)
        after |= gathered
    return outputs, after


def run_one(
    index: int, name: str, layer: Layer, parameters: Tree, statistics: Tree, x: Array, mode: Mode
) -> tuple[Array, Tree]:
    """The output of one layer of several, and its statistics under its name, where it has any."""
    inner = mode.enter(index) if layer.random else mode
    own, gathered = parameters.get(name, {}), statistics.get(name, {})
    layer, own, x = in_precision(layer, own, x, mode)
    y, gathered = layer.apply(own, gathered, x, inner)
    return y, {name: gathered} if gathered else {}


def in_precision(layer: Layer, parameters: Tree, x: Array, mode: Mode) -> tuple[Layer, Tree, Array]:
    """A layer with its numbers, its weights and its input in the precision in which it computes."""
    if not mode.narrow or layer.computes == "any":
        return layer, parameters, x
    dtype = jnp.float32 if layer.computes == "wide" else jnp.bfloat16

    def cast(a: Any) -> Any:
        whole = not jnp.issubdtype(jnp.result_type(a), jnp.floating)
        return a if whole else jnp.asarray(a, dtype)

    found: tuple[Layer, Tree, Array] = jax.tree.map(cast, (layer, parameters, x))
    return found
