"""Remedy: an edit of a recipe, or of its data, that may cure a training."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from shoal.data.dataset import Data
from shoal.recipe import Recipe

Edit = Callable[[Recipe, Data], tuple[Recipe, Data] | None]
"""The edited pair, or None where the remedy does not apply or would change nothing."""


@dataclass(frozen=True)
class Remedy:
    """One remedy.

    Attributes:
        name: its id in the table of remedies, such as "scale_inputs".
        group: of the causes it treats, see ``finding.GROUPS``.
        text: what it does, as a clause: "standardise the inputs".
        edit: makes it.
        start: "clean" where training may go on from the last clean state, "init" where it must
            begin anew: other initial weights, data, loss or architecture.
        size: how large the edit is, 1 for one number; the smallest of equivalent cures goes first.
    """

    name: str
    group: str
    text: str
    edit: Edit
    start: Literal["clean", "init"]
    size: int
