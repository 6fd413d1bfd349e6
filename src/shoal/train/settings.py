"""Settings: how a pool runs, and the static side of the work that it does."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from shoal.data.preparation import Prepared
from shoal.recipe import Recipe
from shoal.train.member import Work


class Settings(NamedTuple):
    """How a pool runs; nothing here changes what it computes beyond rounding.

    Attributes:
        layout: "batched", "sequential", "divided" (see ``programs``), or "auto" to choose.
        devices: to spread over; None for all.
        block_rows: rows of a block, to stream the training split; None to stream only when needed.
        signals: of the layers, "none", "basic" or "full" (see ``signals``).
    """

    layout: str = "auto"
    devices: Sequence[Any] | None = None
    block_rows: int | None = None
    signals: str = "none"


def plan_work(recipe: Recipe, prepared: Prepared, level: str = "none") -> Work:
    """The static side of training a recipe on prepared data, with signals of a level.

    Raises:
        RecipeError: a batch larger than the training split, or metrics that do not fit the task.
        ShapeError: a network that does not fit the data.
    """
    in_shape = prepared.inputs.out_shape
    recipe.check_against(in_shape, prepared.targets.width)
    rows = len(prepared.parts.train)
    batch = recipe.rows_per_batch(rows)
    parts, by_class = prepared.parts, prepared.targets.weights
    return Work(
        in_shape=in_shape,
        dtype=recipe.dtype.name,
        batch=batch,
        steps=-(-rows // batch),
        rows=rows,
        validation=len(parts.validation),
        metrics=recipe.metrics_for(prepared.data.task),
        scale=tuple(prepared.targets.scale.tolist()),
        variances=(
            tuple(prepared.variance(parts.train).tolist()),
            tuple(prepared.variance(parts.validation).tolist()),
        ),
        class_weights=() if by_class is None else tuple(by_class.tolist()),
        weighted=prepared.data.weights is not None,
        narrow=recipe.precision == "bfloat16",
        signals=level,
    )
