"""CustomLoss: a loss written by the user, as a function of outputs and targets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from shoal.arrays import Array, Shape
from shoal.describe import static
from shoal.errors import RecipeError, ShapeError
from shoal.functions import name_of
from shoal.losses.classes import BinaryCrossEntropy, CrossEntropy
from shoal.losses.loss import Loss
from shoal.losses.values import MeanSquaredError
from shoal.rules import OneOf

Function = Callable[[Array, Array], Array]

_KNOWN: dict[str, Function] = {}
"""The functions that losses were made of in this process, by their names."""

LIKE: dict[str, Loss] = {
    "values": MeanSquaredError(),
    "index": CrossEntropy(),
    "binary": BinaryCrossEntropy(),
}
"""A loss with the same form of targets, whose outputs mean the same."""


@dataclass(frozen=True)
class _NamedFunction:
    """A function that was defined with a name."""

    text: str = (
        "a function with a name (def, not lambda) of outputs (B, C) and targets: (B,) numbers"
    )

    def accepts(self, value: Any) -> bool:
        return callable(value) and getattr(value, "__name__", "<lambda>") != "<lambda>"

    def clean(self, value: Any) -> Any:
        _KNOWN[name_of(value)] = value
        return value


def _known(value: Any) -> Any:
    """The function of a name read from JSON; anything else as it came."""
    if not isinstance(value, str):
        return value
    if value not in _KNOWN:
        name = value.split("-")[0]
        others = [known for known in _KNOWN if known.split("-")[0] == name]
        raise RecipeError(
            f"CustomLoss({name})",
            required="its function, which files do not contain",
            got=f"another function of the name {name}" if others else "none of that name",
            remedy=f"define it as it was and make CustomLoss({name}) before reading the file",
        )
    return _KNOWN[value]


class CustomLoss(Loss):
    """A loss given as a function f(z, t) of outputs z, (B, C), and targets t: (B,) numbers.

        def cubic(z, t):
            return jnp.mean(jnp.abs(z - t) ** 3, axis=-1)

        recipe = sh.Recipe(net, loss=sh.CustomLoss(cubic))

    It is written with ``jax.numpy``, and JAX differentiates it. Recipes and models keep its name
    and a digest of its text alone; a program that reads them makes ``CustomLoss(cubic)`` first.

    Args:
        function: f, defined with a name.
        targets: what it takes as t: "values" (B, T) numbers, classes as one-hot rows; "index" (B,)
            int32 codes of classes, z then being logits; "binary" (B, T) zeros and ones, z logits.
            The values of a regression come scaled, unless ``Preparation(targets="none")``.

    Raises:
        RecipeError: a function without a name.
    """

    function: Function = static(must=_NamedFunction(), converter=_known)
    targets: str = static(default="values", must=OneOf(tuple(LIKE)))

    @property
    def form(self) -> str:  # type: ignore[override]
        return self.targets

    @property
    def tasks(self) -> tuple[str, ...]:  # type: ignore[override]
        return LIKE[self.targets].tasks

    @property
    def absorbs(self) -> str | None:
        return LIKE[self.targets].absorbs

    def per_example(self, z: Array, t: Array) -> Array:
        return self.function(z, t)

    def predictions(self, z: Array) -> Array:
        return LIKE[self.targets].predictions(z)

    def outputs_for(self, predictions: Array) -> Array:
        return LIKE[self.targets].outputs_for(predictions)

    def check_output(self, out_shape: Shape, width: int) -> None:
        LIKE[self.targets].check_output(out_shape, width)
        batch = 3
        z = jax.ShapeDtypeStruct((batch, *out_shape), jnp.float32)
        t = jax.ShapeDtypeStruct((batch,), jnp.int32) if self.targets == "index" else z
        try:
            found = jax.eval_shape(self.function, z, t)
            got = f"{found.dtype} numbers of shape {found.shape}"
            fits = found.shape == (batch,) and jnp.issubdtype(found.dtype, jnp.floating)
        except (TypeError, ValueError, AttributeError, IndexError) as error:
            got, fits = f"{type(error).__name__}: {str(error).splitlines()[0]}", False
        if not fits:
            raise ShapeError(
                repr(self),
                required=f"a loss for each of {batch} examples, shape ({batch},), "
                f"from outputs {z.shape} and targets {t.shape}",
                got=got,
                remedy="write it with jax.numpy and reduce every axis but the first",
            )
