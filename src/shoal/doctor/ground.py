"""Ground: the rows on which all arms of a cure are judged.

Arms may differ in their training rows, never in the rows that judge them. These are the validation
rows of the sick training without those on which no judgement is honest: rows with NaN, labels that
are no class, rows that are also trained on. Where that leaves too few, validation rows are drawn
anew out of training and validation together, for every arm. The test split is treated alike.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import Data, Table
from shoal.doctor.remedies import apply
from shoal.doctor.remedies_data import take
from shoal.doctor.rules.of_data import natural
from shoal.recipe import Recipe


class Ground(NamedTuple):
    """Data on which arms can be compared.

    Attributes:
        data: with splits of its own where something had to be set aside, else as given.
        notes: what was set aside, as sentences.
        repairs: remedies of the data that cannot be judged by a score, as the score was wrong.
    """

    data: Data
    notes: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()


def ground(recipe: Recipe, data: Data) -> Ground:
    """The sick training's data with rows to judge on.

    Raises:
        DataError: a split that cannot be made.
    """
    parts = recipe.preparation.split.parts(data)
    codes = np.full(len(data), -1)
    for part, rows in enumerate(parts):
        codes[rows] = part
    explicit = replace(data, parts=codes)
    notes: list[str] = []
    repairs: tuple[str, ...] = ()
    for name, text in (
        ("drop_nan_rows", "rows with NaN or infinity"),
        ("repair_labels", "rows whose label is no class"),
    ):
        explicit, count = _set_aside(name, recipe, explicit)
        notes += [f"{count} {text} do not judge"] if count else []
    # Where few distinct values leave few distinct rows, equal ones are no copies: as ``leakage``.
    copies = not natural(_columns(data))
    repaired = apply("split_again", recipe, explicit) if copies else None
    if repaired is not None:
        before, after = (
            int((d.parts == 1).sum()) for d in (explicit, repaired[1]) if d.parts is not None
        )
        explicit, repairs = repaired[1], ("split_again",)
        notes.append(
            f"rows were in two splits at once: {after} rows judge instead of {before}, none of "
            "which is trained on"
        )
    return Ground(explicit, tuple(notes), repairs) if notes else Ground(data)


def _columns(data: Data) -> Numbers:
    """The inputs with a row for each example, texts as numbers, (N, F)."""
    if not isinstance(data.inputs, Table):
        return np.asarray(data.inputs).reshape(len(data), -1)
    texts = [column.values.astype(str) for column in data.inputs.columns.values()]
    return np.stack([np.unique(text, return_inverse=True)[1] for text in texts], axis=1)


def _set_aside(name: str, recipe: Recipe, data: Data) -> tuple[Data, int]:
    """Rows that a remedy would drop leave validation and test; training keeps them."""
    assert data.parts is not None
    marked = replace(data, groups=np.arange(len(data)))
    found = apply(name, recipe, marked)
    if found is None or found[1].groups is None:
        return data, 0
    bad = ~np.isin(np.arange(len(data)), found[1].groups) & (data.parts > 0)
    return (take(data, ~bad), int(bad.sum())) if bad.any() else (data, 0)
