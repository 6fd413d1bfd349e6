"""Losses: how wrong an output is, and the table of them by name."""

import inspect
from typing import Any

from shoal.describe import by_name
from shoal.errors import RecipeError
from shoal.losses.classes import BinaryCrossEntropy as BinaryCrossEntropy
from shoal.losses.classes import CrossEntropy as CrossEntropy
from shoal.losses.classes import Focal as Focal
from shoal.losses.classes import Hinge as Hinge
from shoal.losses.custom import CustomLoss as CustomLoss
from shoal.losses.loss import Loss as Loss
from shoal.losses.loss import pick as pick
from shoal.losses.values import HalfSquaredError as HalfSquaredError
from shoal.losses.values import Huber as Huber
from shoal.losses.values import KLDivergence as KLDivergence
from shoal.losses.values import LogCosh as LogCosh
from shoal.losses.values import MeanAbsoluteError as MeanAbsoluteError
from shoal.losses.values import MeanSquaredError as MeanSquaredError
from shoal.losses.values import Poisson as Poisson
from shoal.losses.values import Quantile as Quantile

BY_NAME: dict[str, Loss] = {
    "mean_squared_error": MeanSquaredError(),
    "mse": MeanSquaredError(),
    "half_squared_error": HalfSquaredError(),
    "mean_absolute_error": MeanAbsoluteError(),
    "mae": MeanAbsoluteError(),
    "huber": Huber(),
    "log_cosh": LogCosh(),
    "quantile": Quantile(),
    "poisson": Poisson(),
    "kl_divergence": KLDivergence(),
    "cross_entropy": CrossEntropy(),
    "focal": Focal(),
    "hinge": Hinge(),
    "binary_cross_entropy": BinaryCrossEntropy(),
}

_named = by_name(BY_NAME, "Recipe(loss)")


def loss(value: Any) -> Any:
    """A loss by its name; anything else as it came.

    Raises:
        RecipeError: an unknown name, or a bare function.
    """
    if inspect.isfunction(value):
        raise RecipeError(
            "Recipe(loss)",
            required="a loss or the name of one",
            got="a function",
            remedy=f"wrap it: CustomLoss({value.__name__})"
            if value.__name__ != "<lambda>"
            else "define it with def and wrap it: CustomLoss(function)",
        )
    return _named(value)
