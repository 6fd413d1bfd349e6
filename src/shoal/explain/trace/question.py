"""What is to be explained, brought to one form: a recipe, weights, and encoded examples.

``explain`` takes a network, a recipe, a model or a run; each becomes a ``Question``. A network or
recipe takes examples as the network sees them; a model or a run raw ones, which it encodes as it
does for ``predict``.
"""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from shoal.arrays import Array, Numbers, Tree, flatten, times
from shoal.data.preparation import BALANCED
from shoal.errors import DataError, RecipeError, ShapeError, did_you_mean
from shoal.nets import Net, compose
from shoal.optim.schedules import ConstantRate
from shoal.recipe import Recipe
from shoal.train.member import Member, Work, start
from shoal.train.model import Model
from shoal.train.run import Run


@dataclass(frozen=True, eq=False)
class Question:
    """One recipe, its weights, and the examples.

    Attributes:
        recipe: with the loss, the optimiser and the precision.
        x: (B, *in) encoded inputs; t: targets in the form of the loss.
        parameters, statistics: None to draw them.
        class_weights: of the loss, () for none.
        notes: what was decided for the user.
    """

    recipe: Recipe
    x: Numbers
    t: Numbers
    parameters: Tree
    statistics: Tree
    class_weights: tuple[float, ...]
    notes: tuple[str, ...]

    def work(self) -> Work:
        """The static side of one step on these examples."""
        return Work(
            in_shape=tuple(self.x.shape[1:]),
            dtype=self.recipe.dtype.name,
            batch=len(self.x),
            steps=1,
            rows=len(self.x),
            validation=0,
            metrics=(),
            scale=(1.0,),
            variances=((1.0,), (1.0,)),
            class_weights=self.class_weights,
            narrow=self.recipe.precision == "bfloat16",
        )

    def member(self, after: Member | None) -> Member:
        """The network before the step: as given, drawn, or as an earlier step left it."""
        recipe, work = self.recipe, self.work()
        if after is not None:
            _check_after(after, jax.eval_shape(lambda: start(recipe, work)))
            return after
        if self.parameters is None:
            drawn: Member = jax.jit(lambda: start(recipe, work))()
            return drawn
        like: Member = jax.eval_shape(lambda: start(recipe, work))
        given = _arrays(self.parameters, recipe.dtype)
        check_tree(given, like.parameters, "the parameters")
        starts = compose.statistics(recipe.body.inside(work.in_shape))
        statistics = jax.tree.map(lambda s: np.full(s.shape, s.start, recipe.dtype), starts)
        if self.statistics is not None:
            statistics = _arrays(self.statistics, recipe.dtype)
            check_tree(statistics, like.statistics, "the statistics")
        rate = jax.numpy.asarray(recipe.optimiser.learning_rate, recipe.dtype)
        optimiser = recipe.optimiser.transformation(rate, recipe.body.decays(work.in_shape))
        still = jax.tree.map(lambda a: np.zeros(a.shape, a.dtype), like)
        return still._replace(
            parameters=given, statistics=statistics, optimiser=optimiser.init(given)
        )


def _arrays(tree: Tree, dtype: Any) -> Tree:
    """A nest of arrays or lists of numbers in one precision."""
    try:
        return jax.tree.map(
            lambda a: np.asarray(a, dtype), tree, is_leaf=lambda a: isinstance(a, list)
        )
    except (TypeError, ValueError) as error:
        raise ShapeError(
            "the parameters",
            required="a nest of dictionaries with arrays of numbers",
            got=str(error).split("\n", 1)[0],
            remedy="take them from net.init(key, in_shape)",
        ) from error


def _check_after(after: Member, like: Member) -> None:
    """Whether an earlier step was one of this recipe.

    Raises:
        RecipeError: another network, optimiser or precision.
    """
    kinds = [jax.tree.map(lambda a: (a.shape, a.dtype), member) for member in (after, like)]
    if kinds[0] != kinds[1]:
        raise RecipeError(
            "explain(after)",
            required="a trace of the same network, optimiser and precision",
            got="another",
            remedy="explain the trace's own recipe: explain(trace.recipe, x, y, after=trace)",
        )


def check_tree(given: Tree, wanted: Tree, thing: str) -> None:
    """Whether arrays have the names and shapes that the network's have.

    Raises:
        ShapeError: one is missing, unknown or of another shape.
    """
    have, need = flatten(given), flatten(wanted)
    for name in have:
        if name not in need:
            remedy = did_you_mean(name, need)
            raise ShapeError(thing, required="names of the network", got=repr(name), remedy=remedy)
    for name, array in need.items():
        if name not in have:
            raise ShapeError(
                thing,
                required=f"an array {name!r} of shape {times(array.shape)}",
                got="none",
                remedy="take them from net.init(key, in_shape), or leave them out",
            )
        if have[name].shape != array.shape:
            raise ShapeError(
                f"{name} in {thing}",
                required=f"shape {tuple(array.shape)}",
                got=f"{tuple(have[name].shape)}",
                remedy="weights of Dense are (units, features)",
            )


def question(
    what: Any, x: Any, y: Any, parameters: Tree, statistics: Tree, changes: dict[str, Any], k: int
) -> Question:
    """The question in one form.

    Args:
        what: Net, Recipe, Model or Run.
        changes: fields of the recipe to replace, those that are not None.
        k: member of a model.

    Raises:
        RecipeError: something else, a missing loss, an unknown member.
        DataError, ShapeError: examples or weights that do not fit.
    """
    changes = {name: value for name, value in changes.items() if value is not None}
    if isinstance(what, Run):
        what = what.model
    if isinstance(what, Model):
        return _of_model(what, x, y, parameters, statistics, changes, k)
    if isinstance(what, Net):
        if "loss" not in changes:
            raise RecipeError(
                "explain(net)",
                required="the loss",
                got="none",
                remedy='give loss="half_squared_error", or explain a Recipe',
            )
        usual = {"optimiser": "gradient_descent", "precision": "float64"}
        recipe = Recipe(what, **(usual | changes))
    elif isinstance(what, Recipe):
        recipe = what.replace(**changes)
    else:
        raise RecipeError(
            "explain(what)",
            required="a Net, a Recipe, a Model or a Run",
            got=f"a {type(what).__name__}",
            remedy="sh.Model.load(path) reads a saved model",
        )
    inputs, targets = _examples(recipe, x, y)
    return _asked(recipe, inputs, targets, parameters, statistics, _class_weights(recipe))


def _class_weights(recipe: Recipe) -> tuple[float, ...]:
    weights = recipe.class_weights
    if weights == BALANCED:
        raise RecipeError(
            "explain(recipe)",
            required="class weights as numbers, as no training data is at hand",
            got='class_weights="balanced"',
            remedy="give numbers, or explain the trained run",
        )
    return tuple(weights) if isinstance(weights, tuple) else ()


def _of_model(
    model: Model, x: Any, y: Any, parameters: Tree, statistics: Tree, changes: Any, k: int
) -> Question:
    if not 0 <= k < len(model.recipes):
        raise RecipeError(
            "explain(member)",
            required=f"a member from 0 to {len(model.recipes) - 1}",
            got=str(k),
            remedy="leave it out for the first",
        )
    recipe = model.recipes[k].replace(**changes)
    inputs = model.inputs.encode(_one_row(x, len(model.inputs.out_shape)))
    targets = encode_targets(model, y)
    held = jax.tree.map(lambda a: a[k], (model.parameters, model.statistics))
    own = held[0] if parameters is None else parameters
    gathered = held[1] if statistics is None else statistics
    weights = () if model.targets.weights is None else tuple(map(float, model.targets.weights))
    notes = (
        "A0 is the encoded input: scaled as in training",
        *_answers(model, targets),
        "the optimiser starts anew: a model keeps its weights, not the optimiser's memory",
    )
    return _asked(recipe, inputs, targets, own, gathered, weights, notes)


def _answers(model: Model, codes: Numbers) -> tuple[str, ...]:
    """Which class each code means, for a few examples."""
    if not model.classes or codes.ndim != 1:
        return ()
    few = (f"of example {b} class {c}, {model.classes[int(c)]!r}" for b, c in enumerate(codes[:4]))
    return (f"the answer is {', '.join(few)}",)


def _one_row(x: Any, rank: int) -> Any:
    """Arrays of one example without a batch get one."""
    if isinstance(x, np.ndarray | list | tuple | Array):
        array = np.asarray(x)
        return array[None] if array.ndim == rank else array
    return x


def encode_targets(model: Model, y: Any) -> Numbers:
    """Raw targets in the form of the loss: names of classes as codes, numbers scaled.

    Raises:
        DataError: a class that the model does not know.
    """
    if model.classes and not model.targets.together:
        names = np.atleast_1d(np.asarray(y, dtype=object)).reshape(-1)
        known = {**{str(name): n for n, name in enumerate(model.classes)}}
        codes = []
        for name in names:
            plain = str(int(name)) if isinstance(name, float) and name == int(name) else str(name)
            if plain not in known:
                raise DataError(
                    "the answer to explain",
                    required=f"one of the classes {list(model.classes)[:10]}",
                    got=repr(name),
                    remedy=did_you_mean(plain, known),
                )
            codes.append(known[plain])
        return model.targets.encode(np.array(codes))
    return model.targets.encode(_matrix(y, model.targets.width))


def _matrix(y: Any, width: int) -> Numbers:
    """Numbers as rows (B, T).

    Raises:
        DataError: no numbers, or another width.
    """
    try:
        values = np.asarray(y, dtype=float)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.size == 0 or values.size % width or (values.ndim > 1 and values.shape[-1] != width):
        raise DataError(
            "the targets to explain",
            required=f"{width} number{'s' * (width != 1)} for each example",
            got=repr(y)[:60],
            remedy="give rows (B, T)",
        )
    return values.reshape(-1, width)


def _examples(recipe: Recipe, x: Any, y: Any) -> tuple[Numbers, Numbers]:
    """Examples as the network sees them, with a batch axis."""
    try:
        inputs = np.asarray(x, dtype=float)
    except (TypeError, ValueError) as error:
        raise DataError(
            "the inputs to explain", required="numbers", got=str(error), remedy="encode them"
        ) from error
    inputs = inputs[None] if inputs.ndim == 1 else inputs
    width = recipe.body.output_shape(tuple(inputs.shape[1:]))[-1:]
    if recipe.loss.form == "index":
        targets = np.atleast_1d(np.asarray(y))
        whole = targets.dtype.kind in "biuf" and bool(np.all(targets == np.round(targets)))
        count = width[0] if width else 0
        if targets.ndim != 1 or not whole or (targets < 0).any() or (targets >= count).any():
            raise DataError(
                f"the targets of {recipe.loss!r}",
                required=f"the number of a class, 0 to {count - 1}, for each example",
                got=repr(y)[:60],
                remedy="give whole numbers (B,)",
            )
        return inputs, targets
    targets = _matrix(y, width[0] if width else 1)
    recipe.loss.check_targets(targets)
    return inputs, targets


def _asked(
    recipe: Recipe,
    x: Numbers,
    t: Numbers,
    parameters: Tree,
    statistics: Tree,
    class_weights: tuple[float, ...],
    notes: tuple[str, ...] = (),
) -> Question:
    """The question, checked."""
    if len(x) != len(t) or len(x) == 0:
        raise DataError(
            "explain(x, y)",
            required="as many targets as examples, one or more",
            got=f"{len(x)} examples and {len(t)} targets",
            remedy="give both with a row for each example",
        )
    if not np.isfinite(x).all() or not np.isfinite(t.astype(float)).all():
        raise DataError(
            "explain(x, y)", required="finite numbers", got="others", remedy="mend those rows"
        )
    out = recipe.body.output_shape(tuple(x.shape[1:]))
    recipe.check_against(tuple(x.shape[1:]), t.shape[1] if t.ndim > 1 else out[-1])
    recipe.net.layers[0].check_inputs(x)
    if not isinstance(recipe.schedule, ConstantRate):
        rate = recipe.optimiser.learning_rate
        notes = (
            *notes,
            f"the rate is that of the optimiser, {rate:g}, without {recipe.schedule!r}",
        )
        recipe = recipe.replace(schedule=ConstantRate())
    if recipe.body != recipe.net:
        notes = (*notes, f"the last layer, {recipe.net.layers[-1]!r}, is part of the loss")
    t = t.astype(np.int32) if recipe.loss.form == "index" else t.astype(recipe.dtype)
    x = x.astype(recipe.dtype)
    return Question(recipe, x, t, parameters, statistics, class_weights, notes)
