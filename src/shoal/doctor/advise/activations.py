"""The activation: the hidden activations replaced by others, tried on validation.

All hidden activations change together. The rate stays the recipe's own, which may suit the one that
it was chosen for: after a change the rate is worth asking about again.
"""

from dataclasses import dataclass
from typing import ClassVar

from shoal.data.dataset import Data
from shoal.describe import KINDS
from shoal.doctor.advise.comparison import Comparison, Variant, check_some, compare
from shoal.doctor.advise.surgery import HEADS, hidden_activations, with_activation
from shoal.nets import ELU, GELU, SELU, Activation, LeakyReLU, Mish, ReLU, SiLU, Tanh
from shoal.recipe import Recipe
from shoal.train.progress import Progress

SENSIBLE: tuple[Activation, ...] = (
    ReLU(), LeakyReLU(), ELU(), SELU(), GELU(), SiLU(), Mish(), Tanh(),
)  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class ActivationAdvice(Comparison):
    """How a recipe trains with other hidden activations; fields as in ``Comparison``."""

    what: ClassVar[str] = "activation"


def candidates(every: bool = False) -> tuple[Activation, ...]:
    """The activations that are tried: the usual ones, or every one there is."""
    if not every:
        return SENSIBLE
    kinds = [kind for kind in KINDS.values() if issubclass(kind, Activation)]
    return tuple(kind() for kind in kinds if kind not in HEADS)


def advise_activation(
    recipe: Recipe,
    data: Data,
    line: Progress,
    seeds: int = 5,
    epochs: int | None = None,
    every: bool = False,
) -> ActivationAdvice:
    """Try other hidden activations.

    Args:
        every: all that there are, not only the usual ones.

    Raises:
        RecipeError: a network without hidden activations.
    """
    own = hidden_activations(recipe.net)
    variants = [
        Variant(new.kind, recipe.replace(net=with_activation(recipe.net, new)))
        for new in candidates(every)
        if own and any(layer != new for layer in own)
    ]
    check_some(variants, "activation", "put activations between its layers")
    found = compare(recipe, variants, data, line, seeds, epochs, lambda v: v.name)
    kinds = ", ".join(dict.fromkeys(layer.kind for layer in own))
    named = (found.variants[0]._replace(name=f"{kinds} (own)"), *found.variants[1:])
    return ActivationAdvice(before=recipe, **found._replace(variants=named)._asdict())
