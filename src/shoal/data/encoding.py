"""Encoding: raw inputs to the numbers a network reads, and targets to the form a loss takes.

An encoder is fitted on the training split and then fixed; it is stored with the model, so that a
saved model predicts on raw new data. Numbers are float64 here; training rounds them to its
precision.

    array    every feature (last axis) scaled
    table    numbers and flags scaled, missing ones replaced by the median of the training split
             with a column that says so; categories as one column per value (a missing value is a
             category of its own if training had any)
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shoal.arrays import Numbers, Shape, times
from shoal.data import scaling
from shoal.data.dataset import CLASSIFICATION, MULTILABEL, REGRESSION, Column, Table
from shoal.data.fromarrays import check_finite
from shoal.errors import DamagedFileError, DataError


@dataclass(frozen=True, eq=False)
class ArrayEncoder:
    """Scales arrays of one shape.

    Attributes:
        shape: of one example.
        shift, scale: (F,) for the features on the last axis.
    """

    shape: Shape
    shift: Numbers
    scale: Numbers

    @property
    def out_shape(self) -> Shape:
        return self.shape

    def encode(self, inputs: Any) -> Numbers:
        """The scaled inputs, (N, *shape) float64.

        Raises:
            DataError: another shape, or numbers that are not finite.
        """
        x = np.asarray(inputs)
        if x.dtype.kind not in "biuf":
            raise DataError(
                "the inputs",
                required="numbers, as in training",
                got=f"an array of {x.dtype}",
                remedy="convert them",
            )
        if x.shape[1:] != self.shape:
            raise DataError(
                "the inputs",
                required=f"examples of shape {times(self.shape)}, as in training",
                got=times(x.shape[1:]),
                remedy="give the same features in the same order, one example in each row",
            )
        check_finite(x, "this call")
        return (x - self.shift) / self.scale


@dataclass(frozen=True, eq=False)
class ColumnCode:
    """How one column of a table is encoded.

    Attributes:
        name, kind: of the column.
        fill: what replaces a missing number (the median of the training split).
        marks_missing: whether a further column says that the number was missing.
        categories: the texts that have a column; None stands for a missing one.
    """

    name: str
    kind: str
    fill: float = 0.0
    marks_missing: bool = False
    categories: tuple[str | None, ...] = ()

    @property
    def width(self) -> int:
        return len(self.categories) if self.kind == "category" else 1 + self.marks_missing

    def encode(self, values: Numbers) -> Numbers:
        """(N,) raw values as (N, width) numbers, not yet scaled."""
        if self.kind == "category":
            return self._one_hot(values)
        missing = np.isnan(values)
        filled = np.where(missing, self.fill, values)
        return np.stack([filled, missing], axis=1) if self.marks_missing else filled[:, None]

    def _one_hot(self, values: Numbers) -> Numbers:
        position = {category: i for i, category in enumerate(self.categories)}
        columns = np.zeros((len(values), len(self.categories)))
        for row, value in enumerate(values):
            if value in position:
                columns[row, position[value]] = 1.0
            elif value is not None:
                known = [c for c in self.categories if c is not None]
                raise DataError(
                    f"column {self.name!r}",
                    required=f"one of the categories that training had, {known[:10]}",
                    got=f"{value!r} in row {row}",
                    remedy="correct it, leave it empty, or train again with such rows",
                )
        return columns


@dataclass(frozen=True, eq=False)
class TableEncoder:
    """Encodes tables with the columns of training, then scales."""

    codes: tuple[ColumnCode, ...]
    shift: Numbers
    scale: Numbers

    @property
    def out_shape(self) -> Shape:
        return (sum(code.width for code in self.codes),)

    def encode(self, inputs: Any) -> Numbers:
        """The encoded table, (N, width) float64; columns that training did not have are ignored.

        Raises:
            DataError: a missing column, text where numbers belong, an unknown category.
        """
        return (self.columns(inputs) - self.shift) / self.scale

    def columns(self, inputs: Any) -> Numbers:
        """The encoded table before scaling."""
        found = inputs if isinstance(inputs, Table) else self._read(inputs)
        parts = [code.encode(found.columns[code.name].values) for code in self.codes]
        return np.concatenate(parts, axis=1)

    def _read(self, inputs: Any) -> Table:
        from shoal.data.tables import column_values, read_frame

        frame, name = read_frame(inputs)
        for code in self.codes:
            if code.name not in frame.columns:
                raise DataError(
                    name,
                    required=f"the column {code.name!r} that the model was trained on",
                    got=f"columns {frame.columns[:10]}",
                    remedy="add the column",
                )
        return Table(
            {c.name: Column(c.kind, column_values(frame[c.name], c.kind)) for c in self.codes}
        )


InputEncoder = ArrayEncoder | TableEncoder


def fit_inputs(inputs: Any, kind: str) -> InputEncoder:
    """An encoder from the raw inputs of the training split.

    Args:
        inputs: array (N, ...) or Table.
        kind: of scaling, see ``scaling``.
    """
    if isinstance(inputs, Table):
        codes = tuple(_fit_column(n, c) for n, c in inputs.columns.items())
        width = sum(code.width for code in codes)
        plain = TableEncoder(codes, np.zeros(width), np.ones(width))
        shift, scale = scaling.fit(plain.columns(inputs), kind)
        measured = np.concatenate([_is_measure(code) for code in codes])
        return TableEncoder(codes, np.where(measured, shift, 0.0), np.where(measured, scale, 1.0))
    shift, scale = scaling.fit(inputs, kind)
    return ArrayEncoder(tuple(inputs.shape[1:]), shift, scale)


def _fit_column(name: str, column: Column) -> ColumnCode:
    if column.kind == "category":
        present = set(column.values)
        texts = sorted(value for value in present if value is not None)
        return ColumnCode(name, "category", categories=(*texts, *([None] * (None in present))))
    missing = np.isnan(column.values)
    fill = float(np.median(column.values[~missing])) if not missing.all() else 0.0
    return ColumnCode(name, column.kind, fill, bool(missing.any()))


def _is_measure(code: ColumnCode) -> Numbers:
    """Which encoded columns are scaled: numbers are, zeros and ones of categories are not."""
    measured = np.zeros(code.width, dtype=bool)
    measured[0] = code.kind == "number"
    return measured


@dataclass(frozen=True, eq=False)
class TargetEncoder:
    """Targets in the form of the loss, and back.

    Attributes:
        form: "index", "binary" or "values" (see ``losses``).
        classes: names of the classes, () for a regression.
        single: two classes told apart by one output, the probability of the second.
        shift, scale: (T,), for a regression whose targets are scaled; 0 and 1 otherwise.
        together: whether the classes are labels that may go together (a multilabel task).
        weights: (C,) how much the examples of each class count in the loss, or None.
    """

    form: str
    classes: tuple[Any, ...]
    single: bool
    shift: Numbers
    scale: Numbers
    together: bool = False
    weights: Numbers | None = None

    def encode(self, targets: Numbers) -> Numbers:
        """Codes (N,) or values (N, T) in the form of the loss."""
        if self.together:
            return targets
        if not self.classes:
            return (targets - self.shift) / self.scale
        if self.form == "index":
            return targets
        return targets[:, None].astype(np.float64) if self.single else self._one_hot(targets)

    def row_weights(self, targets: Numbers, weights: Numbers | None) -> tuple[Numbers, Numbers]:
        """How much raw targets count in metrics, and in the loss, (N,) each."""
        counts = np.ones(len(targets)) if weights is None else weights
        return counts, counts if self.weights is None else counts * self.weights[targets]

    def _one_hot(self, targets: Numbers) -> Numbers:
        rows: Numbers = np.eye(len(self.classes))[targets]
        return rows

    @property
    def task(self) -> str:
        """What the targets are: "classification", "regression" or "multilabel"."""
        if not self.classes:
            return REGRESSION
        return MULTILABEL if self.together else CLASSIFICATION

    @property
    def width(self) -> int:
        """How many outputs the loss asks of the network."""
        if not self.classes:
            return len(self.scale)
        return 1 if self.single else len(self.classes)

    def probabilities(self, predictions: Numbers) -> Numbers:
        """(N, C) probabilities from what the network predicts; values are cut and sum to 1."""
        scores = self._scores(predictions)
        if self.form != "values":
            return scores
        cut = np.clip(scores, 0.0, 1.0)
        sums = cut.sum(axis=1, keepdims=True)
        return np.where(sums > 0, cut / np.where(sums > 0, sums, 1.0), 1.0 / cut.shape[1])

    def _scores(self, predictions: Numbers) -> Numbers:
        """(N, C): the larger, the likelier the class."""
        if self.single:
            return np.concatenate([1.0 - predictions, predictions], axis=1)
        return predictions

    def decode(self, predictions: Numbers) -> Numbers:
        """Class names, (N,), values in units of the target, (N,) or (N, T), or labels (N, T)."""
        if self.together:
            return (predictions > 0.5).astype(np.int64)
        if self.classes:
            names = np.array(self.classes, dtype=None if _plain(self.classes) else object)
            return names[np.argmax(self._scores(predictions), axis=1)]
        values = predictions * self.scale + self.shift
        return values[:, 0] if values.shape[1] == 1 else values


def _plain(classes: tuple[Any, ...]) -> bool:
    return len({type(name) for name in classes}) == 1


def fit_targets(
    targets: Numbers, classes: tuple[Any, ...], form: str, kind: str, outputs: int
) -> TargetEncoder:
    """An encoder from the targets of the training split.

    Args:
        targets: of the training split, as in ``Data``.
        classes: of the data.
        form: what the loss takes.
        kind: of scaling, for a regression.
        outputs: of the network; a single one can tell two classes apart.
    """
    if classes:
        together = targets.ndim == 2
        one = outputs == 1 or form == "binary"
        single = not together and form != "index" and len(classes) == 2 and one
        return TargetEncoder(form, classes, single, np.zeros(1), np.ones(1), together)
    shift, scale = scaling.fit(targets, kind)
    return TargetEncoder(form, (), False, shift, scale)


# --- on disk -------------------------------------------------------------------------------------


def encoders_to_file(
    inputs: InputEncoder, targets: TargetEncoder
) -> tuple[dict[str, Numbers], dict[str, Any]]:
    """Arrays and a JSON-able description that ``encoders_from_file`` reads back."""
    arrays = {
        "inputs/shift": inputs.shift,
        "inputs/scale": inputs.scale,
        "targets/shift": targets.shift,
        "targets/scale": targets.scale,
    }
    about: dict[str, Any] = {
        "form": targets.form,
        "classes": list(targets.classes),
        "single": targets.single,
        "together": targets.together,
    }
    if targets.weights is not None:
        arrays["targets/weights"] = targets.weights
    if isinstance(inputs, ArrayEncoder):
        about["shape"] = list(inputs.shape)
    else:
        about["columns"] = [
            vars(code) | {"categories": list(code.categories)} for code in inputs.codes
        ]
    return arrays, about


def encoders_from_file(
    arrays: dict[str, Numbers], about: dict[str, Any], name: str
) -> tuple[InputEncoder, TargetEncoder]:
    """The encoders that ``encoders_to_file`` described.

    Raises:
        DamagedFileError: something is missing.
    """
    try:
        shift, scale = arrays["inputs/shift"], arrays["inputs/scale"]
        targets = TargetEncoder(
            str(about["form"]),
            tuple(about["classes"]),
            bool(about["single"]),
            arrays["targets/shift"],
            arrays["targets/scale"],
            bool(about.get("together", False)),
            arrays.get("targets/weights"),
        )
        if "shape" in about:
            return ArrayEncoder(tuple(map(int, about["shape"])), shift, scale), targets
        codes = tuple(
            ColumnCode(**(code | {"categories": tuple(code["categories"])}))
            for code in about["columns"]
        )
        return TableEncoder(codes, shift, scale), targets
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedFileError(
            name,
            required="the preparation of the data beside the weights",
            got=f"a file without it ({error!r})",
            remedy="save the model again",
        ) from error
