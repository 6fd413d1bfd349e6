"""Recipe: one whole training as a value. Frozen, checked, JSON-able, comparable, editable.

    recipe = Recipe(Net(Dense(64), ReLU(), Dense(10)), loss="cross_entropy", optimiser=Adam(1e-3))
    recipe.edit({"optimiser.learning_rate": 0.01, "net.layers[0].units": 128})

A recipe and the data decide a training completely. Two numbers make it random: ``seed`` draws
weights and dropout and may differ between members of a pool; ``order_seed`` orders the batches,
which all members of a pool share.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from shoal import choosing, describe, edits, losses, metrics
from shoal.arrays import DTYPES, Shape
from shoal.data.dataset import Data
from shoal.data.preparation import AUTO, BALANCED, Preparation, Prepared, prepare
from shoal.describe import Description, label, part, static, traced
from shoal.errors import RecipeError
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
        class_weights: how much the examples of each class count in the loss of a classification,
            numbers >= 0 in the order of the classes; "balanced" for N / (C · examples of the
            class), so that all classes count the same. Metrics do not use them.
        precision: "float32", "float64", or "bfloat16": layers then compute in bfloat16, while
            weights, loss, optimiser and what sums many numbers (normalisation, softmax, recurrent
            layers) stay in float32.
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
    class_weights: str | tuple[float, ...] | None = static(
        default=None,
        must=optional(Either(OneOf((BALANCED,)), Many(Number(0.0), at_least=2))),
        converter=lambda value: value.tolist() if isinstance(value, np.ndarray) else value,
    )
    precision: str = static(default="float32", must=OneOf(tuple(DTYPES)))
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
            class_weights: str | Sequence[float] | None = ...,
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
        if self.optimiser.searches:
            self._check_search()
        resolved = self.resolved_preparation
        for what, wants in (("inputs", self.net.scaling), ("targets", self._scaling)):
            if wants == "none" and getattr(resolved, what) != "none":
                thing = self.net if what == "inputs" else self.loss
                raise RecipeError(
                    f"Preparation({what}) with {thing!r}",
                    required=f"{what} as they are, not scaled",
                    got=repr(getattr(resolved, what)),
                    remedy='use "auto" or "none"',
                )

    def _check_search(self) -> None:
        """An optimiser that searches for the length of its steps is not told how long they are."""
        constant = isinstance(self.schedule, ConstantRate)
        for what, given in (("clip", self.clip is not None), ("schedule", not constant)):
            if given:
                raise RecipeError(
                    f"Recipe({what})",
                    required="an optimiser that does not search for the length of its steps",
                    got=repr(self.optimiser),
                    remedy=f"leave {what} out",
                )

    @property
    def _scaling(self) -> str:
        """The scaling of targets that the loss stands."""
        return "standard" if self.loss.scales else "none"

    @property
    def resolved_preparation(self) -> Preparation:
        """The preparation with what is left to network and loss decided."""
        usual = {"inputs": self.net.scaling, "targets": self._scaling}
        auto = {n: kind for n, kind in usual.items() if getattr(self.preparation, n) == AUTO}
        return self.preparation.replace(**auto)

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

    def prepare(self, data: Data) -> Prepared:
        """The data split and encoded as the recipe wants it, the encoders fitted on training rows.

        Raises:
            DataError: a loss that does not fit the task, values that loss or network cannot take,
                a split that cannot be made, weights for classes that there are not.
            ShapeError: a layer that cannot take what reaches it.
        """
        outputs = self.body.output_shape(data.shape)[-1:]
        prepared = prepare(
            data,
            self.resolved_preparation,
            self.loss,
            outputs[0] if outputs else 0,
            self.class_weights,
        )
        if not data.classes:
            self.loss.check_targets(data.targets)
        if self.net.scaling == "none":
            for x in prepared.blocks():
                self.net.check_inputs(x)
        return prepared

    @property
    def dtype(self) -> np.dtype[Any]:
        """In what weights are kept and losses computed."""
        return DTYPES[self.precision]

    @property
    def penalised(self) -> bool:
        """Whether the objective has a penalty on the weights."""
        return self.l1 is not None or self.l2 is not None

    @property
    def body(self) -> Net:
        """The network up to what the loss works on: without a last activation that it absorbs."""
        choosing.check_closed(self, f"the recipe {self.name!r}")
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

    # --- spaces: recipes in which something is open ---------------------------------------------

    @property
    def parameters(self) -> choosing.Parameters:
        """What is open: a table of ``Float``, ``Int`` and ``Choice`` by path; empty for none."""
        return choosing.parameters(self)

    def suggest(self, trial: Any) -> "Recipe":
        """The recipe that a trial of an Optuna study proposes for what is open.

        Raises:
            RecipeError: values that do not go together.
        """
        found = choosing.suggest(self, trial)
        assert isinstance(found, Recipe)
        return found

    def at(self, values: Mapping[str, Any]) -> "Recipe":
        """The recipe with what is open set by name; what is not given: the middle, or the first.

        >>> from shoal.nets import Dense, Net
        >>> from shoal.spaces import Int
        >>> space = Recipe(Net(Dense(Int(4, 8))), loss="mse")
        >>> space.at({}).net, space.at({"net.layers[0].units": 5}).net
        (Net(Dense(6)), Net(Dense(5)))

        Raises:
            RecipeError: an unknown name, a value that is not allowed, or values that clash.
        """
        found = choosing.at(self, values)
        assert isinstance(found, Recipe)
        return found

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
            edited = edits.put(edited, path, value)
        assert isinstance(edited, Recipe)
        return edited

    def diff(self, other: "Recipe") -> str:
        """What changes from this recipe to another, one line each; "" when they are equal."""
        return "\n".join(edits.differences(self, other))

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
        choosing.check_closed(self, f"the recipe {self.name!r}")
        return jax.tree.structure(self)
