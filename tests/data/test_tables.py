"""Tables: kinds of columns, missing values, categories, inference of the task, frames of others."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import shoal as sh
from shoal.errors import DataError, FileError

CSV = """\
area,rooms,garden,city,price
50,2,true,Bonn,100.5
80,,false,Kiel,150
65,3,true,,130.25
90,4,,Bonn,210
40,1,false,Ulm,90
70,3,true,Kiel,140.75
"""


@pytest.fixture
def houses(tmp_path):
    path = tmp_path / "houses.csv"
    path.write_text(CSV)
    return path


def regression(units=1):
    return sh.Recipe(sh.Net(sh.Dense(units)), loss="mse")


def encode(data):
    recipe = (
        regression()
        if not data.classes
        else sh.Recipe(sh.Net(sh.Dense(len(data.classes))), loss="cross_entropy")
    )
    no_split = sh.Preparation(inputs="none", split=sh.Split(validation=0))
    return recipe.replace(preparation=no_split).prepare(data)


def test_a_table_becomes_numbers(houses):
    data = sh.data.table(houses, "price")
    assert {n: c.kind for n, c in data.inputs.columns.items()} == {
        "area": "number", "rooms": "number", "garden": "flag", "city": "category",
    }  # fmt: skip
    assert data.task == "regression"
    assert data.shape == (9,)
    prepared = encode(data)
    x, _ = prepared.encoded(np.arange(6), np.dtype(np.float64))
    #          area rooms missing garden missing Bonn Kiel Ulm missing
    wanted = [
        [50, 2, 0, 1, 0, 1, 0, 0, 0],
        [80, 3, 1, 0, 0, 0, 1, 0, 0],  # the median of the rooms is 3
        [65, 3, 0, 1, 0, 0, 0, 0, 1],
        [90, 4, 0, 1, 1, 1, 0, 0, 0],  # the median of the gardens is 1
        [40, 1, 0, 0, 0, 0, 0, 1, 0],
        [70, 3, 0, 1, 0, 0, 1, 0, 0],
    ]
    np.testing.assert_array_equal(x, wanted)


def test_only_numbers_are_scaled(houses):
    data = sh.data.table(houses, "price")
    full = sh.Preparation(split=sh.Split(validation=0))
    prepared = regression().replace(preparation=full).prepare(data)
    x, _ = prepared.encoded(np.arange(6), np.dtype(float))
    np.testing.assert_allclose(x[:, :2].mean(axis=0), 0, atol=1e-12)
    assert set(np.unique(x[:, 2:])) == {0.0, 1.0}


def test_the_inference_is_said_aloud(houses):
    data = sh.data.table(houses, "price")
    assert data.notes[0] == "'price' holds 6 distinct numbers: regression (change it with task=...)"
    assert data.notes[1] == "6 rows, 4 columns (2 numeric, 1 boolean, 1 categorical)"


@pytest.mark.parametrize(
    "values, task",
    [
        (["a", "b", "a", "b", "a", "b"], "classification"),
        ([True, False, True, False, True, True], "classification"),
        ([0, 1, 0, 1, 1, 0], "classification"),
        ([1.0, 2.0, 1.0, 2.0, 1.0, 1.0], "classification"),
        ([1, 2, 3, 4, 5, 6], "regression"),
        ([0.5, 1.5, 0.5, 1.5, 0.5, 0.5], "regression"),
    ],
)
def test_the_task_is_inferred(values, task):
    frame = pl.DataFrame({"x": range(6), "y": values})
    assert sh.data.table(frame, "y").task == task
    asked = sh.data.table(frame, "y", task="classification")
    assert asked.task == "classification"
    assert asked.classes == tuple(sorted(set(values)))


def test_files_and_frames_of_all_kinds_give_the_same(houses, tmp_path):
    frame = pl.read_csv(houses)
    frame.write_parquet(tmp_path / "houses.parquet")
    (tmp_path / "houses.tsv").write_text(CSV.replace(",", "\t"))
    sources = [
        houses,
        str(tmp_path / "houses.parquet"),
        tmp_path / "houses.tsv",
        frame,
        pd.read_csv(houses),
        pa.table(frame.to_arrow()),
        frame.to_dict(as_series=False),
    ]
    found = [sh.data.table(source, "price") for source in sources]
    encoded = [encode(data).encoded(np.arange(6), np.dtype(float))[0] for data in found]
    for data, x in zip(found, encoded, strict=True):
        assert data.shape == (9,)
        np.testing.assert_array_equal(x, encoded[0])


def test_several_targets_and_dropped_columns_and_groups(houses):
    data = sh.data.table(houses, ["price", "area"], drop=["city"], groups="rooms")
    assert data.targets.shape == (6, 2)
    assert data.target_names == ("price", "area")
    assert list(data.inputs.columns) == ["garden"]
    assert len(data.groups) == 6


def test_a_table_is_trained_saved_and_predicts_on_raw_rows(houses, tmp_path):
    run = sh.fit(regression().replace(epochs=3), sh.data.table(houses, "price"), show=False)
    model = sh.Model.load(run.save(tmp_path / "model.safetensors"))
    raw = pl.read_csv(houses).drop("price").with_columns(extra=pl.lit(1))
    expected = run.predict(raw)
    for source in (raw, raw.to_pandas(), houses):
        np.testing.assert_array_equal(model.predict(source), expected)
    np.testing.assert_allclose(model.predict(raw[2:3]), expected[2:3], rtol=1e-6)


@pytest.mark.parametrize(
    "columns, options, message",
    [
        (
            {"x": [1, 2], "y": [1, 2]},
            {"target": "z"},
            "needs a name that it has, got 'z'; known: x, y",
        ),
        (
            {"name": [1, 2], "y": [1, 2]},
            {"target": "y", "drop": ["nam"]},
            "got 'nam'; did you mean 'name'",
        ),
        ({"y": [1, 2]}, {"target": "y"}, "needs a column to learn from, got none"),
        (
            {"x": [1, 2], "y": [1, 2]},
            {"target": "y", "drop": ["y"]},
            "the target 'y' needs a column that is not dropped",
        ),
        (
            {"x": range(21), "y": [i + 0.5 for i in range(21)]},
            {"target": "y", "task": "classification"},
            "21 different numbers such as 0.5; use task='regression'",
        ),
        ({"x": [], "y": []}, {"target": "y"}, "needs at least one row, got 0 rows"),
        (
            {"x": [1, 2], "y": [1, None]},
            {"target": "y"},
            "the target 'y' needs a value in every row, got 1 missing, the first in row 1",
        ),
        (
            {"x": [1.0, float("inf")], "y": [1, 2]},
            {"target": "y"},
            "column 'x' needs finite numbers, got inf in row 1",
        ),
        (
            {"x": ["2020-01-01"], "y": [1]},
            {"target": "y", "dates": True},
            "column 'x' needs numbers, booleans or texts, got values of type Date",
        ),
        (
            {"x": [str(i) for i in range(60)], "y": range(60)},
            {"target": "y"},
            r"column 'x' needs texts that repeat .*got 60 different texts in 60 rows; leave it out: drop=\('x',\)",
        ),
        (
            {"x": [1, 2], "y": ["a", "a"]},
            {"target": "y"},
            "needs two classes or more, got only 'a'",
        ),
        (
            {"x": [1, 2], "y": ["a", "b"]},
            {"target": "y", "classes": ["a", "c"]},
            "needs one of the 2 classes .* got 'b' in row 1",
        ),
        (
            {"x": [1, 2], "y": ["a", "b"]},
            {"target": "y", "task": "regression"},
            "needs numbers for a regression, got an array of object",
        ),
        (
            {"x": [1, 2], "y": [1, 2]},
            {"target": "y", "task": "ranking"},
            "task needs 'classification', 'regression', 'multilabel' or None, got 'ranking'",
        ),
    ],
)
def test_tables_that_cannot_be_used(columns, options, message):
    frame = pl.DataFrame({name: list(values) for name, values in columns.items()})
    if options.pop("dates", False):
        frame = frame.with_columns(pl.col("x").str.to_date())
    with pytest.raises(DataError, match=message):
        sh.data.table(frame, **options)


@pytest.mark.parametrize(
    "name, content, error, message",
    [
        ("missing.csv", None, FileError, "reading .*missing.csv needs a table with a header line"),
        ("empty.csv", "", DataError, "needs at least one row, got an empty file"),
        ("uneven.csv", "a,b\n1,2\n1,2,3\n", FileError, "rows of equal length"),
        (
            "notes.docx",
            "hello",
            FileError,
            "needs a file that ends in .csv, .tsv or .parquet, got '.docx'",
        ),
        ("bad.parquet", "hello", FileError, "reading .*bad.parquet"),
    ],
)
def test_files_that_cannot_be_read(name, content, error, message, tmp_path):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(error, match=message):
        sh.data.table(tmp_path / name, "b")


@pytest.fixture
def trained(houses):
    return sh.fit(regression().replace(epochs=1), sh.data.table(houses, "price"), show=False)


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"city": ["Rome"] * 6},
            r"column 'city' needs one of the categories that training had, \['Bonn', 'Kiel', 'Ulm'\], got 'Rome' in row 0",
        ),
        (
            {"area": ["50", "80", "big", "90", "40", "70"]},
            "column 'area' needs numbers, as in training, got the text 'big' in row 2",
        ),
        ({"area": None}, "needs the column 'area' that the model was trained on"),
    ],
)
def test_rows_that_do_not_fit_the_training(change, message, trained, houses):
    frame = pl.read_csv(houses)
    for name, values in change.items():
        frame = frame.drop(name)
        if values is not None:
            frame = frame.with_columns(pl.Series(name, values))
    with pytest.raises(DataError, match=message):
        trained.predict(frame)


def test_a_missing_value_at_prediction_is_imputed_even_where_training_had_none(trained, houses):
    frame = pl.read_csv(houses).with_columns(area=pl.lit(None, dtype=pl.Float64))
    median = pl.read_csv(houses).with_columns(
        area=pl.lit(float(trained.model.inputs.codes[0].fill))
    )
    np.testing.assert_array_equal(trained.predict(frame), trained.predict(median))
