"""Gradient check: the derivatives that training follows, beside differences of the loss itself.

    info = gradcheck(net, (8,), loss="cross_entropy")
    print(info)         a row for each array of parameters, its worst entry named
    info.passed

The objective is that of a training step, in float64:

    f(w) = mean loss over B examples + l2 / (2 B) sum of squares + l1 / B sum of absolute values

Its gradient by automatic differentiation is compared, entry by entry, with central differences of
f. Of large arrays a random sample of entries is compared, and the derivative along one random
direction, in which every entry takes part. Weights are drawn as for training and then moved by
noise, so that no bias is 0, no scale 1, and no unit sits on the kink of its activation by accident.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from shoal.arrays import Array, Numbers, Shape, Tree, flatten, size
from shoal.data.dataset import Data
from shoal.errors import RecipeError, ShapeError
from shoal.explain.gradcheck import examples
from shoal.explain.gradcheck.differences import Verdict, compare
from shoal.explain.gradcheck.examples import Examples
from shoal.explain.gradcheck.gradients import CheckedArray, Entry, GradientCheck, badness
from shoal.explain.gradcheck.weights import check_parameters
from shoal.losses import Loss
from shoal.nets import Mode, Net
from shoal.recipe import Recipe
from shoal.train.fit import as_data
from shoal.train.model import Model
from shoal.train.step import weight_penalty

NOISE = 0.1
"""Standard deviation of what is added to the weights that are drawn."""

INPUTS = "inputs"


def gradcheck(
    subject: Net | Recipe | Model,
    in_shape: Shape | int | None = None,
    *,
    loss: Loss | str | None = None,
    data: Data | tuple[Any, Any] | None = None,
    parameters: Tree | None = None,
    rows: int = 4,
    samples: int = 40,
    tolerance: float = 1e-5,
    inputs: bool = False,
    training: bool = True,
    seed: int = 0,
) -> GradientCheck:
    """Compare the gradient of the objective with central differences, array by array.

    Every example counts the same: weights of classes and of rows are left out.

    Args:
        subject: a network; a recipe, whose loss and penalties l1 and l2 are then used; or a trained
            model, whose first member is checked where it stands.
        in_shape: of one input, batch left out; not needed with ``data`` or a model.
        loss: of a network, a ``Loss`` or its name.
        data: real examples, the first of the training split; None for random ones.
        parameters: where to check; None for weights drawn with the seed and moved by noise.
        rows: examples B, >= 1.
        samples: entries compared of an array that has more; smaller arrays are compared whole.
        tolerance: on the relative error of each entry, in (0, 1).
        inputs: whether the derivatives by the inputs are compared too.
        training: as while training (dropout with one fixed draw, batch-norm with the batch), or as
            while predicting.
        seed: of weights, examples, samples and dropout.

    Raises:
        RecipeError: a loss that cannot be differentiated, or whose derivatives are all 0.
        ShapeError: a network that cannot take the inputs, or parameters of another shape.
        DataError: data that the recipe cannot use.

    >>> from shoal.nets import Dense, Net
    >>> gradcheck(Net(Dense(3)), (4,), loss="cross_entropy").passed
    True
    """
    recipe = _recipe(subject, loss)
    _check_settings(rows, samples, tolerance)
    rng = np.random.default_rng(seed)
    if isinstance(subject, Model) and parameters is None:
        parameters = jax.tree.map(lambda leaf: leaf[0], subject.parameters)
    with jax.enable_x64(True):
        chosen = _examples(recipe, _shape(subject, in_shape, data), data, rows, rng)
        shape = chosen.x.shape[1:]
        drawn, statistics = recipe.body.init(jax.random.key(seed), shape, np.float64)
        if isinstance(subject, Model):
            statistics = jax.tree.map(lambda leaf: leaf[0], subject.statistics)
        if parameters is not None:
            check_parameters(parameters, recipe.body, shape, "gradcheck")
        start = _moved(drawn, rng) if parameters is None else parameters
        start, statistics = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), (start, statistics))
        tree = {"parameters": start} | ({INPUTS: jnp.asarray(chosen.x)} if inputs else {})
        mode = Mode(training, jax.random.key(seed) if recipe.body.random else None)
        function = _objective(recipe, chosen, statistics, mode)
        order = [INPUTS, *(inner.name for inner in recipe.body.inside(shape))]
        value, arrays = _check(recipe, function, tree, order, samples, tolerance, rng)
    title = _title(recipe, len(chosen.x), training)
    notes = tuple(_notes(arrays, samples))
    return GradientCheck(title, value, tolerance, tuple(arrays), notes)


def _recipe(subject: Net | Recipe | Model, loss: Loss | str | None) -> Recipe:
    """The recipe under test.

    Raises:
        RecipeError: a network without a loss, a recipe with another, or something else.
    """
    if isinstance(subject, Net) and loss is not None:
        return Recipe(subject, loss=loss)
    if isinstance(subject, Recipe | Model) and loss is None:
        return subject if isinstance(subject, Recipe) else subject.recipe
    got = "no loss" if isinstance(subject, Net) else f"a {type(subject).__name__}"
    raise RecipeError(
        "gradcheck",
        required="a Net and a loss, or a Recipe or Model with its own",
        got=got if loss is None else f"{got} and loss={loss!r}",
        remedy='write gradcheck(net, shape, loss="mse") or gradcheck(recipe, shape)',
    )


def _check_settings(rows: int, samples: int, tolerance: float) -> None:
    for name, value in (("rows", rows), ("samples", samples)):
        if value < 1:
            raise RecipeError(
                f"gradcheck({name})", required="at least 1", got=str(value), remedy="leave it out"
            )
    if not 0.0 < tolerance < 1.0:
        raise RecipeError(
            "gradcheck(tolerance)",
            required="a number in (0, 1)",
            got=f"{tolerance:g}",
            remedy="leave it out",
        )


def _shape(subject: Any, in_shape: Shape | int | None, data: Any) -> Shape:
    """The shape of one input; () where data say it."""
    if isinstance(in_shape, int):
        return (in_shape,)
    if in_shape is not None or data is not None:
        return tuple(in_shape or ())
    if isinstance(subject, Model):
        return subject.inputs.out_shape
    raise ShapeError(
        "gradcheck(in_shape)",
        required="the shape of one input",
        got="none",
        remedy="give it, such as (8,) or (28, 28, 1), or data=...",
    )


def _examples(
    recipe: Recipe, shape: Shape, data: Any, rows: int, rng: np.random.Generator
) -> Examples:
    if data is not None:
        return examples.from_data(recipe, as_data(data), rows)
    return examples.random(recipe, shape, rows, rng)


def _moved(drawn: Tree, rng: np.random.Generator) -> Tree:
    """Weights with noise added to each number."""
    return jax.tree.map(lambda a: a + NOISE * rng.normal(size=a.shape), drawn)


def _objective(
    recipe: Recipe, chosen: Examples, statistics: Tree, mode: Mode
) -> Callable[[Tree], Array]:
    """f of a tree of parameters, and of inputs where it holds them."""
    count, shape = jnp.asarray(float(len(chosen.x))), chosen.x.shape[1:]
    decays = recipe.body.decays(shape)
    x, t = jnp.asarray(chosen.x), jnp.asarray(chosen.t)

    def function(tree: Tree) -> Array:
        z, _ = recipe.body.apply(tree["parameters"], statistics, tree.get(INPUTS, x), mode)
        loss = jnp.sum(recipe.loss.per_example(z, t)) / count
        if not recipe.penalised:
            return loss
        return loss + weight_penalty(tree["parameters"], recipe, count, decays)

    return function


def _check(
    recipe: Recipe,
    function: Callable[[Tree], Array],
    tree: Tree,
    order: list[str],
    samples: int,
    tolerance: float,
    rng: np.random.Generator,
) -> tuple[float, list[CheckedArray]]:
    """The value of f, and every array of a tree in the order of the network."""
    flat, unravel = ravel_pytree(tree)
    start = np.asarray(flat)
    value, gradient = _gradient(recipe, lambda w: function(unravel(w)), flat)
    moved = jax.jit(lambda step, along: function(unravel(flat + step * along)))

    def entry(place: tuple[int, ...] | None, along: Numbers) -> Entry:
        own = np.flatnonzero(along)
        reach = float(np.abs(start[own]).max()) if place is not None else 1.0
        slope = float(gradient[own] @ along[own])
        return Entry(place, compare(lambda h: float(moved(h, along)), slope, reach, tolerance))

    arrays, offset = [], 0
    for path, leaf in flatten(tree).items():
        probes = _probes(leaf.shape, offset, start.size, samples, rng)
        entries = sorted((entry(*probe) for probe in probes), key=badness, reverse=True)
        arrays.append(CheckedArray(path.removeprefix("parameters/"), leaf.shape, tuple(entries)))
        offset += leaf.size
    arrays.sort(key=lambda array: order.index(array.path.split("/")[0]))
    return value, arrays


def _gradient(
    recipe: Recipe, function: Callable[[Array], Array], start: Array
) -> tuple[float, Numbers]:
    """The value and the derivatives under test.

    Raises:
        RecipeError: a loss that is not finite, not in float64, or has no derivatives but 0.
    """
    try:
        value, gradient = jax.jit(jax.value_and_grad(function))(start)
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        raise _unfit(
            recipe,
            "a loss that JAX can differentiate",
            f"{type(error).__name__}: {str(error).splitlines()[0]}",
            "write it with jax.numpy",
        ) from error
    if value.dtype != np.float64:
        remedy = "leave out what casts to it, such as astype"
        raise _unfit(recipe, "a loss that computes in float64", str(value.dtype), remedy)
    if not np.isfinite(value):
        remedy = "look at logarithms, roots and divisions; or check at other weights"
        raise _unfit(recipe, "a finite loss", f"{float(value)}", remedy)
    if not np.any(gradient):
        remedy = "leave out argmax, round, sign and comparisons; or check at other weights"
        raise _unfit(recipe, "a loss that changes with the weights", "derivatives all 0", remedy)
    return float(value), np.asarray(gradient)


def _unfit(recipe: Recipe, required: str, got: str, remedy: str) -> RecipeError:
    thing = f"gradcheck of {recipe.loss!r}"
    return RecipeError(thing, required=required, got=got, remedy=remedy)


def _probes(
    shape: Shape, offset: int, total: int, samples: int, rng: np.random.Generator
) -> Iterator[tuple[tuple[int, ...] | None, Numbers]]:
    """The directions to compare along: unit vectors (P,), with the entry that each stands for."""
    count = size(shape)
    whole = count <= samples
    chosen = np.arange(count) if whole else np.sort(rng.choice(count, samples, replace=False))
    for number in chosen:
        along = np.zeros(total)
        along[offset + number] = 1.0
        yield tuple(int(i) for i in np.unravel_index(number, shape)), along
    if not whole:
        along = np.zeros(total)
        along[offset : offset + count] = rng.choice([-1.0, 1.0], count) / np.sqrt(count)
        yield None, along


def _title(recipe: Recipe, rows: int, training: bool) -> str:
    penalties = "".join(
        f" + {name} {value:g}"
        for name, value in (("l2", recipe.l2), ("l1", recipe.l1))
        if value is not None
    )
    how = "training" if training else "predicting"
    return f"{recipe.loss!r}{penalties}, {rows} examples, {how}"


def _notes(arrays: list[CheckedArray], samples: int) -> Iterator[str]:
    """What the verdict rests on, and where to look when it is bad."""
    if any(size(array.shape) > samples for array in arrays):
        yield (
            f"arrays of more than {samples} entries: a random sample of {samples}, "
            "and one random direction in which every entry takes part"
        )
    kinks = sum(array.tally(Verdict.KINK) for array in arrays)
    if kinks:
        yield (
            f"{kinks} at a kink: the slopes on its two sides differ, "
            "and the derivative lies between them"
        )
    wrong = [place for place, array in enumerate(arrays) if not array.passed]
    if wrong:
        last = arrays[wrong[-1]].path.split("/")[0]
        after = [a.path.split("/")[0] for a in arrays[wrong[-1] + 1 :]]
        follows = next((name for name in after if name != last), "")
        until = f"what stands between it and {follows}" if follows else "what follows it, the loss"
        yield f"where to look: {last}, and {until}"
