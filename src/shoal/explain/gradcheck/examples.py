"""A few examples for a recipe: rows of real data, or random numbers that its network takes."""

from typing import NamedTuple

import numpy as np

from shoal.arrays import Numbers, Shape
from shoal.data.dataset import Data
from shoal.errors import DataError
from shoal.recipe import Recipe


class Examples(NamedTuple):
    """Encoded examples.

    Attributes:
        x: (B, *in) inputs, float64.
        t: (B,) codes of classes int32, or (B, T) float64.
    """

    x: Numbers
    t: Numbers


def from_data(recipe: Recipe, data: Data, rows: int) -> Examples:
    """The first rows of the training split, encoded as the recipe wants them.

    Raises:
        DataError, ShapeError: data that the recipe cannot use.
    """
    prepared = recipe.prepare(data)
    recipe.check_against(prepared.inputs.out_shape, prepared.targets.width)
    x, t = prepared.encoded(prepared.parts.train[:rows], np.dtype(np.float64))
    return Examples(x, t)


def random(recipe: Recipe, in_shape: Shape, rows: int, rng: np.random.Generator) -> Examples:
    """Random inputs and targets of the form that the loss takes.

    Raises:
        ShapeError: the network cannot take inputs of this shape, or its output not be compared.
    """
    out = recipe.body.output_shape(in_shape)
    recipe.check_against(in_shape, out[-1] if out else 0)
    return Examples(_inputs(recipe, (rows, *in_shape), rng), _targets(recipe, rows, out[-1], rng))


def _inputs(recipe: Recipe, shape: Shape, rng: np.random.Generator) -> Numbers:
    """From N(0, 1); or, for a first layer that takes codes, zeros and ones."""
    x: Numbers = rng.normal(size=shape)
    try:
        recipe.net.layers[0].check_inputs(x)
    except DataError:
        x = rng.integers(0, 2, size=shape).astype(np.float64)
        recipe.net.layers[0].check_inputs(x)
    return x


def _targets(recipe: Recipe, rows: int, width: int, rng: np.random.Generator) -> Numbers:
    """Classes, zeros and ones, numbers, or where the loss refuses these, rows that sum to 1."""
    if recipe.loss.form == "index":
        return rng.integers(0, width, size=rows).astype(np.int32)
    if recipe.loss.form == "binary":
        return rng.integers(0, 2, size=(rows, width)).astype(np.float64)
    t: Numbers = rng.normal(size=(rows, width))
    try:
        recipe.loss.check_targets(t)
    except DataError:
        t = rng.dirichlet(np.ones(width), size=rows)
        recipe.loss.check_targets(t)
    return t
