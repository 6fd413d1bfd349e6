"""Pruners by name: which trials to stop early. All are Optuna's."""

import warnings
from collections.abc import Callable
from typing import Any

from optuna.exceptions import ExperimentalWarning
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    PatientPruner,
    SuccessiveHalvingPruner,
)

from shoal.errors import RecipeError, did_you_mean


def _patient(patience: int = 5, **options: Any) -> BasePruner:
    """Stop only what has not improved for a while and is worse than the median."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # it has been there since 2.8
        return PatientPruner(MedianPruner(), patience=patience, **options)


PRUNERS: dict[str, Callable[..., BasePruner]] = {
    "none": NopPruner,
    "median": MedianPruner,
    "halving": SuccessiveHalvingPruner,
    "hyperband": HyperbandPruner,
    "patient": _patient,
}


def pruner(name: str | BasePruner, **options: Any) -> BasePruner:
    """A pruner by its name.

    Args:
        name: "none", "median", "halving", "hyperband" or "patient"; a pruner is returned as it is.
        options: of Optuna's class of that name.

    >>> type(pruner("halving")).__name__
    'SuccessiveHalvingPruner'
    """
    if isinstance(name, BasePruner):
        return name
    if name not in PRUNERS:
        raise RecipeError(
            "pruner(name)",
            required="the name of a pruner",
            got=repr(name),
            remedy=did_you_mean(str(name), PRUNERS),
        )
    try:
        return PRUNERS[name](**options)
    except (TypeError, ValueError) as error:
        raise RecipeError(
            f"pruner({name!r})",
            required="options that this pruner has",
            got=", ".join(f"{k}={v!r}" for k, v in options.items()),
            remedy=str(error),
        ) from error
