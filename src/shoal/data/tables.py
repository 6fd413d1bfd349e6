"""Tables of mixed columns: CSV and Parquet files, and frames of polars, pandas or Arrow.

Every column becomes one of three kinds: numbers (missing ones as NaN), flags (true and false) or
categories (texts). What cannot be used as it is (dates, nested values, texts that are almost all
different) is refused by name, with what to do about it.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from shoal.arrays import Numbers
from shoal.data.dataset import Column, Data, Table
from shoal.data.fromarrays import check_weights
from shoal.data.targets import with_targets
from shoal.errors import DataError, FileError, did_you_mean

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "None", "?")
"""Texts that stand for a missing value in CSV files."""

MOST_CATEGORIES = 1000
"""A text column with more distinct values than this is refused."""


def table(
    source: Any,
    target: str | Sequence[str],
    *,
    task: str | None = None,
    drop: Sequence[str] = (),
    groups: str | None = None,
    weights: str | None = None,
    classes: Sequence[Any] | None = None,
    missing: Sequence[str] = MISSING,
) -> Data:
    """Data from a table: numbers, flags and categories to learn from, one column to predict.

    Args:
        source: path of a CSV or Parquet file, a polars, pandas or Arrow frame, or a dictionary of
            columns.
        target: name of the column to predict; several for a regression of several values, or for
            labels that may go together (columns of 0 and 1, or of true and false).
        task: "classification", "regression" or "multilabel"; None infers it and says so in
            ``notes``.
        drop: columns to leave out.
        groups: a column whose equal values stay in one split; not learned from.
        weights: a column of how much each row counts in loss and metrics, numbers >= 0; not learned
            from.
        classes: names of all classes, where not all occur or their order matters.
        missing: texts that stand for a missing value in a CSV file.

    Raises:
        FileError: the file cannot be read.
        DataError: an unknown column, no rows, a column that cannot be used, a missing target, a
            target that is to be dropped.
    """
    frame, name = read_frame(source, missing)
    targets = [target] if isinstance(target, str) else list(target)
    aside = [column for column in (groups, weights) if column is not None]
    for column in [*targets, *drop, *aside]:
        _check_known(column, frame, name)
    if frame.height == 0:
        raise DataError(
            name, required="at least one row", got="0 rows", remedy="check how it was read"
        )
    _check_targets(targets, drop)
    left_out = {*targets, *drop, *aside}
    features = [column for column in frame.columns if column not in left_out]
    if not features:
        raise DataError(
            name, required="a column to learn from", got="none", remedy="drop fewer columns"
        )
    inputs = Table({column: _column(frame[column], len(frame)) for column in features})
    values = _targets(frame, targets)
    data = with_targets(inputs, values, task, classes, name, tuple(targets))
    kinds = [column.kind for column in inputs.columns.values()]
    counts = ", ".join(
        f"{kinds.count(kind)} {word}"
        for kind, word in (("number", "numeric"), ("flag", "boolean"), ("category", "categorical"))
        if kind in kinds
    )
    data = data.noted(f"{len(frame):,} rows, {len(features)} columns ({counts})")
    if weights is not None:
        found = check_weights(frame[weights].to_numpy(), len(frame), f"column {weights!r}")
        data = replace(data, weights=found)
    return data if groups is None else replace(data, groups=frame[groups].to_numpy())


def read_frame(source: Any, missing: Sequence[str] = MISSING) -> tuple[pl.DataFrame, str]:
    """A polars frame and its name from a path or any frame.

    Raises:
        FileError: the file cannot be read, or has an ending that is neither CSV nor Parquet.
        DataError: an object that is no table.
    """
    if isinstance(source, str | Path):
        return _read_file(Path(source), missing), Path(source).name
    if isinstance(source, pl.DataFrame):
        return source, "the frame"
    if isinstance(source, dict):
        return _from_columns(source), "the table"
    if type(source).__module__.split(".")[0] == "pandas":
        return pl.from_pandas(source), "the frame"
    if hasattr(source, "__arrow_c_stream__"):
        return pl.DataFrame(source), "the frame"
    raise DataError(
        "shoal.data.table",
        required="a path, a polars, pandas or Arrow frame, or a dictionary of columns",
        got=f"a {type(source).__name__}",
        remedy="use shoal.data.arrays(inputs, targets) for arrays",
    )


def _from_columns(columns: dict[str, Any]) -> pl.DataFrame:
    try:
        return pl.DataFrame(columns)
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise DataError(
            "the table",
            required="columns of one length by name, each of values of one type",
            got=str(error).split("\n", 1)[0],
            remedy="correct the columns",
        ) from error


def _read_file(path: Path, missing: Sequence[str]) -> pl.DataFrame:
    try:
        if path.suffix in (".parquet", ".pq"):
            return pl.read_parquet(path)
        if path.suffix in (".csv", ".tsv", ".txt"):
            separator = "\t" if path.suffix == ".tsv" else ","
            return pl.read_csv(
                path, separator=separator, null_values=list(missing), infer_schema_length=None
            )
    except pl.exceptions.NoDataError as error:
        raise DataError(
            str(path), required="at least one row", got="an empty file", remedy="check the file"
        ) from error
    except (OSError, pl.exceptions.PolarsError) as error:
        raise FileError(
            f"reading {path}",
            required="a table with a header line and rows of equal length",
            got=str(error).split("\n", 1)[0],
            remedy="check the path and the file",
        ) from error
    raise FileError(
        f"reading {path}",
        required="a file that ends in .csv, .tsv or .parquet",
        got=repr(path.suffix),
        remedy="convert it, or give a frame",
    )


def _check_known(column: str, frame: pl.DataFrame, name: str) -> None:
    if not isinstance(column, str):
        raise DataError(
            f"a column of {name}",
            required="a name",
            got=f"a {type(column).__name__}",
            remedy="put the values into the table and give the name of their column",
        )
    if column not in frame.columns:
        raise DataError(
            f"a column of {name}",
            required="a name that it has",
            got=repr(column),
            remedy=did_you_mean(column, frame.columns),
        )


def _check_targets(targets: list[str], drop: Sequence[str]) -> None:
    both = [name for name in targets if name in drop]
    if both:
        raise DataError(
            f"the target {both[0]!r}",
            required="a column that is not dropped",
            got=f"drop={tuple(drop)!r}",
            remedy="leave it out of drop: a target is never learned from",
        )


def _column(series: pl.Series, rows: int) -> Column:
    kind = column_kind(series)
    if kind == "category":
        distinct = series.drop_nulls().n_unique()
        if distinct > MOST_CATEGORIES or (rows >= 50 and distinct > 0.9 * series.len()):
            raise DataError(
                f"column {series.name!r}",
                required=f"texts that repeat (at most {MOST_CATEGORIES} of them)",
                got=f"{distinct} different texts in {rows} rows",
                remedy=f"leave it out: drop=({series.name!r},)",
            )
    return Column(kind, column_values(series, kind))


def column_kind(series: pl.Series) -> str:
    """The kind of a column: "number", "flag" or "category".

    Raises:
        DataError: values of another type, such as dates.
    """
    if series.dtype == pl.Boolean:
        return "flag"
    if series.dtype.is_numeric():
        return "number"
    if series.dtype in (pl.String, pl.Categorical, pl.Enum) or series.dtype == pl.Null:
        return "category" if series.dtype != pl.Null else "number"
    raise DataError(
        f"column {series.name!r}",
        required="numbers, booleans or texts",
        got=f"values of type {series.dtype}",
        remedy=f"turn them into numbers, or drop=({series.name!r},)",
    )


def column_values(series: pl.Series, kind: str) -> Numbers:
    """The values of a column as its kind stores them.

    Raises:
        DataError: texts where numbers belong, or an infinite number.
    """
    if kind == "category":
        return series.cast(pl.String).to_numpy().astype(object)
    if not (series.dtype.is_numeric() or series.dtype in (pl.Boolean, pl.Null)):
        raise _text_among_numbers(series)
    values = series.cast(pl.Float64).to_numpy().astype(np.float64)
    if np.isinf(values).any():
        row = int(np.flatnonzero(np.isinf(values))[0])
        raise DataError(
            f"column {series.name!r}",
            required="finite numbers",
            got=f"{values[row]} in row {row}",
            remedy="replace it by an empty value, which is imputed",
        )
    return values


def _text_among_numbers(series: pl.Series) -> DataError:
    got = f"values of type {series.dtype}"
    if series.dtype == pl.String:
        parsed = series.cast(pl.Float64, strict=False)
        bad = (series.is_not_null() & parsed.is_null()).arg_true()
        if len(bad):
            got = f"the text {series[bad[0]]!r} in row {bad[0]}"
    return DataError(
        f"column {series.name!r}",
        required="numbers, as in training",
        got=got,
        remedy="correct the value, or leave it empty",
    )


def _targets(frame: pl.DataFrame, targets: list[str]) -> Numbers:
    for name in targets:
        missing = frame[name].is_null().arg_true()
        if len(missing):
            raise DataError(
                f"the target {name!r}",
                required="a value in every row",
                got=f"{len(missing)} missing, the first in row {missing[0]}",
                remedy="remove the rows without a target",
            )
    columns = [frame[name] for name in targets]
    if len(columns) > 1:  # true and false among several targets are labels
        columns = [c.cast(pl.Int64) if c.dtype == pl.Boolean else c for c in columns]
    if all(column.dtype.is_numeric() for column in columns):
        return np.stack([column.to_numpy() for column in columns], axis=1)
    return np.array(
        [list(row) for row in zip(*(column.to_list() for column in columns), strict=True)],
        dtype=object,
    )
