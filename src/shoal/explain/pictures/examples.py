"""Examples: rows of data with what a model says of them, for pictures of its mistakes.

By default these are the rows of the validation split. The test split is looked at only when it is
asked for by name; a run counts that look in ``test_looks``.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import CLASSIFICATION, Data, Table
from shoal.errors import DataError
from shoal.train.model import Model
from shoal.train.run import Run

SPLITS = ("train", "validation", "test", "all")
TITLES = {"train": "training split", "validation": "validation split", "test": "test split",
          "all": "all rows"}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Examples:
    """N rows of one split.

    Attributes:
        model: that is asked.
        data: the rows, as a ``Data`` of their own; name: of the data that they are from.
        split: "train", "validation", "test" or "all".
        rows: (N,) their places in the data.
        predictions: (N, C) what the network predicts: probabilities, or values not yet in units of
            the target.
    """

    model: Model
    data: Data
    name: str
    split: str
    rows: Numbers
    predictions: Numbers

    @property
    def probabilities(self) -> Numbers:
        """(N, C) of the classes."""
        return self.model.targets.probabilities(self.predictions)

    @property
    def values(self) -> Numbers:
        """(N, T) predictions in units of the target."""
        found = self.model.targets.decode(self.predictions)
        return found.reshape(len(found), -1)

    @property
    def losses(self) -> Numbers:
        """(N,) the loss of each row, as the recipe defines it, without penalties and weights."""
        loss: Any = self.model.recipe.loss
        dtype = self.model.recipe.dtype
        encoded = self.model.targets.encode(self.data.targets)
        t = encoded.astype(np.int32 if loss.form == "index" else dtype)
        with jax.enable_x64(self.model.recipe.precision == "float64"):
            z = loss.outputs_for(jnp.asarray(self.predictions.astype(dtype)))
            return np.asarray(loss.per_example(z, jnp.asarray(t)))


def examples(source: Run | Model, data: Data | None = None, split: str = "validation") -> Examples:
    """The rows of a split with the predictions of a model.

    Args:
        source: a run, or a model with ``data``.
        data: for a model: the data that it was trained on, which its recipe splits as in training;
            with split="all", any rows with targets.
        split: "validation", "train", "test" (counted as a look) or "all".

    Raises:
        DataError: no data, an unknown split, one without rows, or targets of another task.
    """
    if split not in SPLITS:
        raise DataError(
            "split", required=f"one of {', '.join(SPLITS)}", got=repr(split), remedy="leave it out"
        )
    known = known_data(source, data)
    model = source.model if isinstance(source, Run) else source
    if tuple(known.classes) != tuple(model.classes):
        raise DataError(
            f"the targets of {known.name}",
            required=f"the classes of the model, {list(model.classes)[:10]}",
            got=f"{list(known.classes)[:10]}",
            remedy="give the data that the model was trained on, or more of its kind",
        )
    rows = split_rows(source, known, split)
    if isinstance(source, Run) and data is None and split in ("test", "all"):
        source.test_looks += len(source.prepared.parts.test) > 0
    part = known.part(rows, split)
    return Examples(model, part, known.name, split, rows, model._predictions(part.inputs))


def known_data(source: Run | Model, data: Data | None) -> Data:
    """The data of a run, or that which came with a model.

    Raises:
        DataError: neither.
    """
    if data is not None:
        return data
    if isinstance(source, Run):
        return source.prepared.data
    raise DataError(
        "a picture of a model",
        required="data",
        got="none",
        remedy="give the data that it was trained on: data=...",
    )


def split_rows(source: Run | Model, data: Data, split: str) -> Numbers:
    """The places of the rows of a split.

    Raises:
        DataError: there are none.
    """
    if split == "all":
        return np.arange(len(data))
    if isinstance(source, Run) and data is source.prepared.data:
        parts = source.prepared.parts
    else:
        parts = source.recipe.resolved_preparation.split.parts(data)
    rows: Numbers = getattr(parts, split)
    if len(rows) == 0:
        raise DataError(
            f"the {split} split of {data.name}",
            required="at least one row",
            got="none",
            remedy="choose another split, or split='all'",
        )
    return rows


def check_classes(found: Examples, picture: str) -> None:
    """Raises DataError where a picture of classes is asked of another task."""
    if found.data.task != CLASSIFICATION:
        raise DataError(
            picture,
            required="a classification",
            got=f"a {found.data.task}",
            remedy="use draw_predictions" if found.data.task == "regression" else "use draw_worst",
        )


def describe_row(inputs: Any, place: int, most: int = 6) -> str:
    """The features of one row as text, a line each; of many features, the first ones."""
    if isinstance(inputs, Table):
        pairs = [(name, column.values[place]) for name, column in inputs.columns.items()]
    else:
        pairs = [(f"x{i}", value) for i, value in enumerate(np.ravel(inputs[place]))]
    lines = [f"{name} = {_value(value)}" for name, value in pairs[:most]]
    return "\n".join(lines + (["…"] if len(pairs) > most else []))


def _value(value: Any) -> str:
    return str(value) if isinstance(value, str) or value is None else f"{value:.4g}"
