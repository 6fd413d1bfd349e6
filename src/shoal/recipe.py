"""Recipe: one whole training as a value. Frozen, checked, JSON-able, comparable, editable.

    recipe = Recipe(Net(Dense(64), ReLU(), Dense(10)), loss="cross_entropy", optimiser=Adam(1e-3))
    recipe.edit({"optimiser.learning_rate": 0.01, "net.layers[0].units": 128})

A recipe and the data decide a training completely. Two numbers make it random: ``seed`` draws
weights and dropout and may differ between members of a pool; ``order_seed`` orders the batches,
which all members of a pool share.
"""

import difflib
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax

from shoal import describe, losses, metrics
from shoal.arrays import Shape
from shoal.data.preparation import Preparation
from shoal.describe import Description, label, part, static, traced
from shoal.errors import RecipeError, did_you_mean
from shoal.losses import Loss
from shoal.metrics import Metric
from shoal.nets import Net
from shoal.optim.clipping import Clip
from shoal.optim.optimiser import Optimiser
from shoal.optim.optimisers import optimiser
from shoal.optim.schedules import ConstantRate, Schedule, schedule
from shoal.rules import Either, Flag, Is, Many, Number, OneOf, Text, Whole, optional

FULL = "full"
USUAL_BATCH = 32


class EarlyStopping(Description):
    """Stop when the validation loss has not improved for more than ``patience`` epochs.

    Args:
        patience: epochs without improvement that are borne, >= 0.
        min_change: an improvement is a loss below best - min_change, >= 0.
        restore_best: keep the weights of the best epoch instead of the last.
    """

    patience: int = traced(default=10, must=Whole(0))
    min_change: float = traced(default=0.0, must=Number(0.0))
    restore_best: bool = static(default=True, must=Flag())


class Convergence(Description):
    """Stop when the training loss changed by less than ``threshold`` in each of ``epochs`` epochs.

    Args:
        threshold: on the absolute change from one epoch to the next, > 0.
        epochs: how many in a row, >= 1.
    """

    threshold: float = traced(default=1e-4, must=Number(0.0, low_open=True))
    epochs: int = traced(default=5, must=Whole(1))


class Recipe(Description):
    """One whole training.

    Args:
        net: the network.
        loss: a ``Loss`` or its name.
        optimiser: an ``Optimiser`` or its name.
        schedule: of the learning rate; a ``Schedule`` or its name.
        batch_size: examples in a batch, 1 for single-sample training, "full" for all at once; by
            default 32, or "full" with GradientDescent and Rprop. A smaller last batch is used too.
        epochs: limit on the passes over the training split, >= 1.
        l2: lambda in the penalty lambda / (2 m) · sum of squared weights, m being the examples of
            the batch; None for no penalty. Biases and scales are left out.
        l1: lambda in the penalty lambda / m · sum of absolute weights; None for no penalty.
        clip: ``ClipByNorm`` or ``ClipByValue``, or None.
        early_stopping: ``EarlyStopping`` or None.
        convergence: ``Convergence`` or None.
        metrics: names or ``Metric`` objects; None for the usual ones of the task.
        preparation: scaling and splits.
        precision: "float32" or "float64".
        seed: of weights and dropout.
        order_seed: of the order of the batches, shared by all members of a pool.
        name: what to call it.

    Raises:
        RecipeError: a value that is not allowed.
    """

    net: Net = part(must=Is(Net, "a Net"))
    loss: Loss = part(must=Is(Loss, "a loss or the name of one"), converter=losses.loss)
    optimiser: Optimiser = part(
        default="adam", must=Is(Optimiser, "an optimiser or the name of one"), converter=optimiser
    )
    schedule: Schedule = part(
        default=ConstantRate(),
        must=Is(Schedule, "a schedule or the name of one"),
        converter=schedule,
    )
    batch_size: int | str | None = static(
        default=None, must=optional(Either(Whole(1), OneOf((FULL,))))
    )
    epochs: int = traced(default=30, must=Whole(1))
    l2: float | None = traced(default=None, must=optional(Number(0.0)))
    l1: float | None = traced(default=None, must=optional(Number(0.0)))
    clip: Clip | None = part(
        default=None,
        must=optional(Is(Clip, "ClipByNorm(limit) or ClipByValue(limit)")),
    )
    early_stopping: EarlyStopping | None = part(
        default=None, must=optional(Is(EarlyStopping, "EarlyStopping(...)"))
    )
    convergence: Convergence | None = part(
        default=None, must=optional(Is(Convergence, "Convergence(...)"))
    )
    metrics: tuple[Metric, ...] | None = part(
        default=None,
        must=optional(Many(Is(Metric, "a metric or the name of one"))),
        converter=metrics.metrics,
    )
    preparation: Preparation = part(default=Preparation(), must=Is(Preparation, "a Preparation"))
    precision: str = static(default="float32", must=OneOf(("float32", "float64")))
    seed: int = traced(default=0, must=Whole(0))
    order_seed: int = static(default=0, must=Whole(0))
    name: str = label(default="recipe", must=Text())

    if TYPE_CHECKING:  # names are taken too

        def __init__(
            self,
            net: Net,
            loss: Loss | str,
            optimiser: Optimiser | str = ...,
            schedule: Schedule | str = ...,
            batch_size: int | str | None = ...,
            epochs: int = ...,
            l2: float | None = ...,
            l1: float | None = ...,
            clip: Clip | None = ...,
            early_stopping: EarlyStopping | None = ...,
            convergence: Convergence | None = ...,
            metrics: Sequence[Metric | str] | str | None = ...,
            preparation: Preparation = ...,
            precision: str = ...,
            seed: int = ...,
            order_seed: int = ...,
            name: str = ...,
        ) -> None: ...

    def check(self) -> None:
        if self.early_stopping and self.preparation.split.validation == 0:
            raise RecipeError(
                "Recipe(early_stopping)",
                required="a validation split to watch",
                got="Split(validation=0)",
                remedy="set a share for validation, or use convergence=Convergence()",
            )

    def rows_per_batch(self, rows: int) -> int:
        """B for a training split of so many rows.

        Raises:
            RecipeError: a batch larger than the training split.
        """
        if self.batch_size == FULL:
            return rows
        if self.batch_size is None:
            full = self.optimiser.full_batch
            return rows if full else min(USUAL_BATCH, rows)
        wanted = int(self.batch_size)
        if wanted > rows:
            raise RecipeError(
                "Recipe(batch_size)",
                required=f"at most the {rows} rows of the training split",
                got=str(wanted),
                remedy='make it smaller, or use batch_size="full"',
            )
        return wanted

    @property
    def penalised(self) -> bool:
        """Whether the objective has a penalty on the weights."""
        return self.l1 is not None or self.l2 is not None

    @property
    def body(self) -> Net:
        """The network up to what the loss works on: without a last activation that it absorbs."""
        last = self.net.layers[-1]
        return self.net.without_last() if last.kind == self.loss.absorbs else self.net

    def metrics_for(self, task: str) -> tuple[Metric, ...]:
        """The metrics of the recipe for a task.

        Raises:
            RecipeError: a metric of another task.
        """
        if self.metrics is None:
            return metrics.usual(self.loss, task)
        for metric in self.metrics:
            if task not in metric.tasks:
                raise RecipeError(
                    f"the metric {metric!r}",
                    required=f"a task of {' or '.join(metric.tasks)}",
                    got=f"a {task}",
                    remedy="leave metrics out to get the usual ones",
                )
        return self.metrics

    def check_against(self, in_shape: Shape, width: int) -> None:
        """Whether the network fits inputs of a shape and targets of a width, before anything runs.

        Raises:
            ShapeError: a layer that cannot take what reaches it, or a wrong number of outputs.
        """
        self.loss.check_output(self.body.output_shape(in_shape), width)

    def edit(self, changes: Mapping[str, Any]) -> "Recipe":
        """A copy with values replaced by their path, as ``diff`` prints them.

        >>> from shoal.nets import Dense, Net
        >>> recipe = Recipe(Net(Dense(4)), loss="mse")
        >>> recipe.edit({"net.layers[0].units": 8, "epochs": 5}).net
        Net(Dense(8))

        Raises:
            RecipeError: an unknown path, or a value that is not allowed there.
        """
        edited: Any = self
        for path, value in changes.items():
            edited = _set(edited, _steps(path), value, path)
        assert isinstance(edited, Recipe)
        return edited

    def diff(self, other: "Recipe") -> str:
        """What changes from this recipe to another, one line each; "" when they are equal."""
        return "\n".join(_differences(self, other))

    def to_json(self) -> str:
        """The recipe as JSON text; ``Recipe.from_json`` reads it back, equal."""
        return json.dumps(describe.to_json(self), indent=2, allow_nan=False)

    @staticmethod
    def from_json(text: str) -> "Recipe":
        """The recipe of a JSON text.

        Raises:
            RecipeError: not JSON, not a recipe, or a word outside the vocabulary.
        """
        try:
            value = json.loads(text)
        except ValueError as error:
            raise RecipeError(
                "a recipe", required="JSON", got=str(error), remedy="correct the text"
            ) from error
        found = describe.from_json(value)
        if not isinstance(found, Recipe):
            raise RecipeError(
                "a recipe",
                required='{"kind": "Recipe", ...}',
                got=f"{type(found).__name__}",
                remedy="save recipes with Recipe.to_json()",
            )
        return found

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON: equal recipes and only those share it."""
        canonical = json.dumps(describe.to_json(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def signature(self) -> Any:
        """What members of one pool must share: everything but its traced numbers."""
        return jax.tree.structure(self)


# --- paths and differences -----------------------------------------------------------------------


def _steps(path: str) -> list[str | int]:
    steps: list[str | int] = []
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        steps.append(name if name else int(index))
    return steps


def _set(value: Any, steps: list[str | int], new: Any, path: str) -> Any:
    if not steps:
        return new
    step, rest = steps[0], steps[1:]
    if isinstance(step, int) and isinstance(value, tuple) and step < len(value):
        return (*value[:step], _set(value[step], rest, new, path), *value[step + 1 :])
    fields = describe.field_names(value) if isinstance(value, Description) else ()
    if isinstance(step, str) and step in fields:
        return value.replace(**{step: _set(getattr(value, step), rest, new, path)})
    raise RecipeError(
        f"the path {path!r}",
        required=f"a part of {type(value).__name__}",
        got=repr(step),
        remedy=did_you_mean(str(step), fields or ["an index in range"]),
    )


def _differences(before: Any, after: Any, path: str = "") -> list[str]:
    if type(before) is type(after) and isinstance(before, Description):
        lines = []
        for name in describe.field_names(before):
            step = f"{path}.{name}" if path else name
            lines += _differences(getattr(before, name), getattr(after, name), step)
        return lines
    if isinstance(before, tuple) and isinstance(after, tuple):
        return _sequence_differences(before, after, path)
    return [] if before == after else [f"{path}: {before!r} -> {after!r}"]


def _sequence_differences(before: tuple[Any, ...], after: tuple[Any, ...], path: str) -> list[str]:
    lines = []
    matcher = difflib.SequenceMatcher(a=before, b=after, autojunk=False)
    for change, a0, a1, b0, b1 in matcher.get_opcodes():
        if change == "replace" and a1 - a0 == b1 - b0:
            for a, b in zip(range(a0, a1), range(b0, b1), strict=True):
                lines += _differences(before[a], after[b], f"{path}[{a}]")
        elif change != "equal":
            lines += [f"{path}[{i}]: remove {before[i]!r}" for i in range(a0, a1)]
            lines += [f"{path}[{a0}]: insert {after[i]!r}" for i in range(b0, b1)]
    return lines
