"""Layers one by one: the weights of one member, and what every layer gives for one example."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from shoal.arrays import Numbers, Tree, flatten, stack
from shoal.errors import DataError
from shoal.nets import Layer, Mode, compose
from shoal.train.model import Model
from shoal.train.run import Run


class Given(NamedTuple):
    """What a layer gives: its name, its description, and its output for one example."""

    name: str
    text: str
    output: Numbers


def model_of(source: Run | Model) -> Model:
    """The model of a run; a model stays what it is."""
    return source.model if isinstance(source, Run) else source


def check_member(model: Model, member: int) -> None:
    """Raises DataError where a model has no such member."""
    if not 0 <= member < len(model.recipes):
        raise DataError(
            "member",
            required=f"a whole number from 0 to {len(model.recipes) - 1}",
            got=repr(member),
            remedy="leave it out for the first",
        )


def member_parameters(model: Model, member: int) -> Tree:
    """The parameters of one member."""
    check_member(model, member)
    return jax.tree.map(lambda array: np.asarray(array[member]), model.parameters)


def arrays_of(model: Model, member: int) -> dict[str, Numbers]:
    """The parameters of one member by their path, in the order of the layers."""
    parameters = member_parameters(model, member)
    found: dict[str, Numbers] = {}
    for name, _ in compose.named(model.recipe.body.layers):
        if name in parameters:
            found |= {f"{name}/{path}": a for path, a in flatten(parameters[name]).items()}
    return found


def outputs(model: Model, inputs: Any, member: int) -> list[Given]:
    """The encoded example, then the output of each layer for it, as when predicting.

    Args:
        inputs: one raw example, (1, ...) or a table of one row.
        member: of an ensemble.
    """
    check_member(model, member)
    dtype = model.recipe.dtype
    x = model.inputs.encode(inputs).astype(dtype)
    model.recipe.net.layers[0].check_inputs(x)
    with jax.enable_x64(model.recipe.precision == "float64"):
        stacked = stack([model.recipes[member]], dtype)
        recipe = jax.tree.map(lambda a: jnp.asarray(a[0]), stacked)
        weights = jax.tree.map(lambda a: jnp.asarray(a[member]), model.parameters)
        gathered = jax.tree.map(lambda a: jnp.asarray(a[member]), model.statistics)
        return [Given("input", "", x[0]), *_through(recipe, weights, gathered, jnp.asarray(x))]


def _through(recipe: Any, weights: Tree, statistics: Tree, x: Any) -> Iterator[Given]:
    mode = Mode(training=False, narrow=recipe.precision == "bfloat16")
    for index, (name, layer) in enumerate(compose.named(recipe.net.layers)):
        x, _ = compose.run_one(index, name, layer, weights, statistics, x, mode)
        yield Given(name, kind_text(layer), np.asarray(x[0].astype(jnp.float32)))


def kind_text(layer: Layer) -> str:
    """A layer in a few characters: its kind, and its first setting where that is a number."""
    first = next(iter(vars(layer).values()), None)
    whole = isinstance(first, int) and not isinstance(first, bool)
    return f"{layer.kind}({first})" if whole else layer.kind
