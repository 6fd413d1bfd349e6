"""Model: trained networks with everything that predicting on raw data needs, in one file.

A model holds the weights of K members (one, or an ensemble whose predictions are averaged), the
recipe, and the fitted encoders: scaling, categories, class names. Its file is one safetensors file
with the rest as JSON in the metadata; reading it runs no code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from shoal import describe
from shoal.arrays import Array, Numbers, Tree, flatten, stack, unflatten
from shoal.data.dataset import Data
from shoal.data.encoding import (
    InputEncoder,
    TargetEncoder,
    encoders_from_file,
    encoders_to_file,
)
from shoal.data.fromarrays import arrays
from shoal.data.preparation import variance
from shoal.errors import DamagedFileError, DataError, RecipeError
from shoal.files import read, tensors_from_bytes, tensors_to_bytes, write_atomically
from shoal.metrics import Facts, Metric
from shoal.nets import Mode, Summary
from shoal.recipe import Recipe
from shoal.train.versions import versions

FORMAT = 1
ROWS_AT_ONCE = 1024
FEW = 8
"""Layers that are named when a model is printed."""


@dataclass(frozen=True, eq=False)
class Model:
    """K trained members of one recipe.

    Attributes:
        recipe: of the members (they differ in traced numbers, see ``recipes``).
        recipes: one for each member.
        parameters, statistics: nests of arrays with the members on axis 0.
        inputs, targets: the encoders fitted on the training split.
    """

    recipes: tuple[Recipe, ...]
    parameters: Tree
    statistics: Tree
    inputs: InputEncoder
    targets: TargetEncoder

    @property
    def recipe(self) -> Recipe:
        return self.recipes[0]

    def __repr__(self) -> str:
        layers, members = self.recipe.net.layers, len(self.recipes)
        kinds = [layer.kind for layer in layers]
        net = ", ".join(kinds) if len(kinds) <= FEW else f"{len(kinds)} layers"
        count = self.recipe.net.parameter_count(self.inputs.out_shape)
        what = f"{self.targets.task} of {len(self.classes)} classes"
        what = what if self.classes else f"{self.targets.task} of {self.targets.width} numbers"
        many = f"{members} members of " if members > 1 else ""
        return f"Model({what}; {net}; {many}{count:,} parameters)"

    @property
    def classes(self) -> tuple[Any, ...]:
        """Names of the classes in the order of ``predict_proba``; () for a regression."""
        return self.targets.classes

    def predict(self, inputs: Any) -> Numbers:
        """Class names, (N,), or values in units of the target, (N,) or (N, T).

        Args:
            inputs: raw, as in training: an array (N, ...), or a table, frame or path.

        Raises:
            DataError: another shape, numbers that are not finite, a missing column, an unknown
                category, text where numbers belong.
        """
        return self.targets.decode(self._predictions(inputs))

    def predict_proba(self, inputs: Any) -> Numbers:
        """Probabilities of the classes, (N, C), averaged over members.

        Raises:
            RecipeError: the model is a regression.
            DataError: as for ``predict``.
        """
        if not self.classes:
            raise RecipeError(
                "predict_proba",
                required="a classification",
                got="a regression",
                remedy="use predict",
            )
        return self.targets.probabilities(self._predictions(inputs))

    def evaluate(
        self, data: Data | tuple[Any, Any], metrics: Sequence[Metric | str] | str | None = None
    ) -> dict[str, float]:
        """The loss and metrics on data with known targets.

        Args:
            data: ``Data`` with the classes of the model, or (inputs, targets).
            metrics: names or metrics, as in a recipe; None for those of the model's recipe.

        Raises:
            DataError: data that cannot be used, or with other classes.
            RecipeError: metrics that there are not, or that are not for the task.
        """
        data = self._known(data)
        recipe = self.recipe if metrics is None else self.recipe.replace(metrics=metrics)
        predictions = self._predictions(data.inputs)
        loss: Any = self.recipe.loss
        with _precision(self.recipe):
            dtype = self.recipe.dtype
            encoded = self.targets.encode(data.targets)
            t = encoded.astype(np.int32 if loss.form == "index" else dtype)
            spread = np.ones(1) if self.classes else variance(data.targets, data.weights)
            wanted = recipe.metrics_for(data.task)
            known = Facts(loss, jnp.asarray(self.targets.scale, dtype), jnp.asarray(spread, dtype))
            counts, weights = self.targets.row_weights(data.targets, data.weights)
            rows = (predictions.astype(dtype), t, counts.astype(dtype), weights.astype(dtype))
            found = _scores(known, *rows, wanted)
        names = ("loss", *(metric.name for metric in wanted))
        return {name: float(value) for name, value in zip(names, found, strict=True)}

    def _known(self, data: Data | tuple[Any, Any]) -> Data:
        """Data whose targets mean what the model predicts."""
        if isinstance(data, tuple) and len(data) == 2:
            data = arrays(*data, task=self.targets.task, classes=self.classes or None)
        if not isinstance(data, Data) or data.classes != self.classes:
            raise DataError(
                "evaluate(data)",
                required=f"Data with the classes {list(self.classes)[:10]}"
                if self.classes
                else "Data with numbers as targets",
                got=repr(data) if isinstance(data, Data) else f"a {type(data).__name__}",
                remedy="read it with classes=... as in training, or give a pair (inputs, targets)",
            )
        return data

    def summary(self) -> Summary:
        """The table of the network's layers."""
        return self.recipe.net.summary(self.inputs.out_shape)

    def _predictions(self, inputs: Any) -> Numbers:
        """(N, C): what the members predict on average. Rows do not depend on one another."""
        dtype = self.recipe.dtype
        x = self.inputs.encode(inputs).astype(dtype)
        self.recipe.net.check_inputs(x)
        with _precision(self.recipe):
            recipes = stack(list(self.recipes), dtype)
            parts = []
            for start in range(0, len(x), ROWS_AT_ONCE):
                part = x[start : start + ROWS_AT_ONCE]
                # Powers of two, so that few programs serve all numbers of rows.
                room = min(ROWS_AT_ONCE, 1 << (len(part) - 1).bit_length())
                padded = np.zeros((room, *part.shape[1:]), dtype)
                padded[: len(part)] = part
                predicted = _average(recipes, self.parameters, self.statistics, padded)
                parts.append(np.asarray(predicted)[: len(part)])
        if not parts:
            return np.zeros((0, self.targets.width), dtype)
        return np.concatenate(parts)

    # --- on disk ---------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write the model as one safetensors file; an old file is replaced only by a whole one.

        Raises:
            FileError: the folder cannot be written or the disk is full.
        """
        encoders, preparation = encoders_to_file(self.inputs, self.targets)
        tensors = {
            **flatten({"parameters": self.parameters, "statistics": self.statistics}),
            **{f"encoders/{name}": array for name, array in encoders.items()},
        }
        about = {
            "format": FORMAT,
            "recipes": [describe.to_json(recipe) for recipe in self.recipes],
            "preparation": preparation,
            "versions": versions(),
        }
        write_atomically(Path(path), tensors_to_bytes(tensors, about))
        return Path(path)

    @staticmethod
    def load(path: str | Path) -> "Model":
        """The model of a file that ``save`` wrote. No code of the file is run.

        Raises:
            FileError: it cannot be read.
            DamagedFileError: it is not a model, or arrays are missing or of another shape.
            RecipeError: it describes something outside of the vocabulary.
        """
        tensors, about = tensors_from_bytes(read(Path(path)), str(path))
        recipes = _recipes(about, str(path))
        encoders = {
            name.removeprefix("encoders/"): array
            for name, array in tensors.items()
            if name.startswith("encoders/")
        }
        inputs, targets = encoders_from_file(encoders, about.get("preparation", {}), str(path))
        like = _like(recipes, inputs)
        try:
            weights = unflatten(like, tensors)
        except KeyError as error:
            raise _damaged(str(path), f"no array {error}") from error
        for name, want in flatten(like).items():
            if tensors[name].shape != want.shape:
                raise _damaged(str(path), f"{name} of shape {tensors[name].shape}")
        return Model(recipes, weights["parameters"], weights["statistics"], inputs, targets)


def _recipes(about: dict[str, Any], name: str) -> tuple[Recipe, ...]:
    if about.get("format") != FORMAT:
        raise _damaged(name, f"format {about.get('format')!r}")
    recipes = describe.from_json(about.get("recipes", []))
    if not (isinstance(recipes, tuple) and recipes and isinstance(recipes[0], Recipe)):
        raise _damaged(name, "no recipe")
    return recipes


def _like(recipes: tuple[Recipe, ...], inputs: InputEncoder) -> Tree:
    """The arrays that a model of these recipes must have, as shapes."""
    recipe, count = recipes[0], len(recipes)
    with _precision(recipe):
        parameters, statistics = jax.eval_shape(
            lambda: recipe.body.init(jax.random.key(0), inputs.out_shape, recipe.dtype)
        )
        return jax.tree.map(
            lambda s: jax.ShapeDtypeStruct((count, *s.shape), s.dtype),
            {"parameters": parameters, "statistics": statistics},
        )


def _damaged(name: str, got: str) -> DamagedFileError:
    return DamagedFileError(
        name,
        required="a whole model of a format that this version reads",
        got=got,
        remedy="save the model again",
    )


def _precision(recipe: Recipe) -> Any:
    return jax.enable_x64(recipe.precision == "float64")


@jax.jit
def _average(recipes: Recipe, parameters: Tree, statistics: Tree, x: Array) -> Array:
    """Mean over members of what they predict for ``x``, (N, C)."""

    def one(recipe: Recipe, weights: Tree, gathered: Tree) -> Array:
        mode = Mode(training=False, narrow=recipe.precision == "bfloat16")
        z, _ = recipe.body.apply(weights, gathered, x, mode)
        return recipe.loss.predictions(z.astype(x.dtype))

    return jnp.mean(jax.vmap(one)(recipes, parameters, statistics), axis=0)


@partial(jax.jit, static_argnames=("metrics",))
def _scores(
    known: Facts,
    predictions: Array,
    t: Array,
    counts: Array,
    weights: Array,
    metrics: tuple[Metric, ...],
) -> tuple[Array, ...]:
    """The loss, then each metric, of predictions (N, C) for targets ``t``.

    Args:
        counts, weights: (N,) how much each row counts in metrics, and in the loss.
    """
    z = known.loss.outputs_for(predictions)
    scores = (metric.value(metric.sums(z, t, counts, known), known) for metric in metrics)
    losses = known.loss.per_example(z, t)
    return (jnp.sum(losses * weights) / jnp.sum(weights), *scores)
