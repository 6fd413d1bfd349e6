"""PyTorch, imported when it is needed: shoal itself does without."""

from typing import Any

from shoal.errors import DeviceError, RecipeError


def pytorch() -> Any:
    """The package ``torch``.

    Raises:
        DeviceError: it is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise DeviceError(
            "sh.doctor.watch",
            required="PyTorch",
            got=f"an environment without it ({error})",
            remedy="pip install torch",
        ) from error
    return torch


def untranslatable(what: str, got: str, remedy: str, required: str = "") -> RecipeError:
    """The error for a part of a PyTorch training that no recipe can describe."""
    return RecipeError(what, required=required or "a counterpart in shoal", got=got, remedy=remedy)
