"""THE table of remedies: everything that the doctor knows to do about a training.

A remedy is an edit; none of them is taken to help before a cure has proven it. ``apply`` is the one
way to make an edit: it gives None where the edit cannot be made or would change nothing.
"""

from shoal.data.dataset import Data
from shoal.doctor import remedies_data, remedies_head, remedies_net, remedies_rate
from shoal.doctor.remedy import Remedy
from shoal.errors import RecipeError, did_you_mean
from shoal.recipe import Recipe

ALL: tuple[Remedy, ...] = (
    *remedies_data.REMEDIES,
    *remedies_head.REMEDIES,
    *remedies_rate.RATE,
    *remedies_net.INIT,
    *remedies_net.ARCHITECTURE,
    *remedies_rate.REGULARISATION,
    *remedies_rate.BUDGET,
)

REMEDIES: dict[str, Remedy] = {remedy.name: remedy for remedy in ALL}
"""By name, upstream first: data, head, rate, init, architecture, regularisation, budget."""


def apply(name: str, recipe: Recipe, data: Data) -> tuple[Recipe, Data] | None:
    """The pair edited by one remedy; None where it does not apply or would change nothing.

    Args:
        name: of a remedy in the table.
        recipe, data: a training; it need not be one that can be run.

    Raises:
        RecipeError: no remedy of that name.
    """
    try:
        found = remedy(name).edit(recipe, data)
    except RecipeError:
        if name not in REMEDIES:
            raise
        return None  # an edit that its recipe does not allow
    if found is None or (found[0] == recipe and found[1] is data):
        return None
    return found


def remedy(name: str) -> Remedy:
    """A remedy by its name.

    Raises:
        RecipeError: there is none of that name.
    """
    if name not in REMEDIES:
        raise RecipeError(
            "a remedy",
            required="a name in the table of remedies",
            got=repr(name),
            remedy=did_you_mean(name, REMEDIES),
        )
    return REMEDIES[name]


def changes(before: tuple[Recipe, Data], after: tuple[Recipe, Data]) -> str:
    """What an edit changed, a line each, as ``Recipe.diff`` prints it; data as counts."""
    lines = [before[0].diff(after[0])] if before[0] != after[0] else []
    old, new = before[1], after[1]
    if old is not new:
        lines += [f"data: {text}" for text in _data_changes(old, new)]
    return "\n".join(lines)


def _data_changes(old: Data, new: Data) -> list[str]:
    found = []
    if len(old) != len(new):
        found.append(f"{len(old)} -> {len(new)} rows")
    if old.shape != new.shape:
        found.append(f"inputs {old.shape} -> {new.shape}")
    if new.groups is not old.groups and len(old) == len(new):
        found.append("equal rows grouped")
    same_rows = len(old) == len(new) and old.shape == new.shape
    if same_rows and new.inputs is not old.inputs:
        found.append("inputs of validation and test aligned with training")
    if same_rows and new.parts is not old.parts:
        found.append("split anew")
    return found or ["changed"]
