"""Records, runs and their pictures."""

import numpy as np
import pytest

import shoal as sh
from shoal.errors import DataError, FileError
from shoal.explain.pictures.curves import curves_info

RECIPE = sh.Recipe(
    sh.Net(sh.Dense(8), sh.ReLU(), sh.Dense(3)),
    loss="cross_entropy",
    epochs=6,
    metrics=("accuracy", "top_2", "log_loss", "roc_auc"),
    l2=0.1,
)


@pytest.fixture(scope="module")
def run(small):
    return sh.fit(RECIPE, small, seeds=2, show=False)


def test_the_columns(run):
    of_layers = {name for name in run.record if ":" in name}
    assert {name.split(":")[0] for name in of_layers} == {"dense1", "relu1", "dense2"}
    assert set(run.record) - of_layers == {
        "train_loss", "train_accuracy", "train_top_2", "train_log_loss",
        "validation_loss", "validation_accuracy", "validation_top_2", "validation_log_loss",
        "validation_roc_auc", "penalty", "learning_rate", "gradient_norm",
        "gradient_norm_max", "batch_loss_std", "batch_loss_max",
    }  # fmt: skip
    assert (run.record.epochs, run.record.members) == (6, 2)
    assert all(column.shape == (6, 2) for column in run.record.values())
    assert all(np.isfinite(column).all() for column in run.record.values())


def test_the_recorded_validation_is_that_of_the_model(run, small):
    one = sh.fit(RECIPE, small, show=False, signals="none")
    found = one.validate()
    for name in ("loss", "accuracy", "top_2", "log_loss", "roc_auc"):
        assert found[name] == pytest.approx(one.final[f"validation_{name}"], rel=1e-5)


def test_the_recorded_training_loss_is_the_mean_over_the_epoch_while_training(small):
    """With a rate of 0 nothing moves, so it is the loss of the untrained network."""
    still = sh.fit(
        RECIPE.replace(optimiser=sh.SGD(0.0), batch_size=7), small, show=False, signals="none"
    )
    rows = still.prepared.parts.train
    part = sh.data.arrays(small.inputs[rows], small.targets[rows])
    found = still.model.evaluate(part)
    assert still.final["train_loss"] == pytest.approx(found["loss"], rel=1e-5)
    assert still.final["train_accuracy"] == pytest.approx(found["accuracy"], rel=1e-6)


def test_a_frame_has_a_row_for_each_member_and_epoch_that_it_trained(small, tmp_path):
    stops = RECIPE.replace(epochs=40, early_stopping=sh.EarlyStopping(0), optimiser=sh.Adam(0.1))
    run = sh.fit(stops, small, seeds=3, show=False, signals="none")
    frame = run.record.frame()
    assert frame.height == sum(run.epochs)
    assert frame["epoch"].max() == max(run.epochs)
    run.record.save(tmp_path / "record.parquet")
    back = sh.Record.load(tmp_path / "record.parquet")
    for name, column in run.record.items():
        np.testing.assert_array_equal(column, back[name])


def test_an_unknown_column_is_answered_by_the_nearest(run):
    with pytest.raises(DataError, match="did you mean 'train_loss'"):
        run.record["train_los"]
    assert "train_loss" in run.record
    assert "loss" not in run.record


def test_a_record_that_is_not_there(tmp_path):
    with pytest.raises(FileError, match="needs a record that shoal saved"):
        sh.Record.load(tmp_path / "nothing.parquet")


def test_looks_at_the_test_split_are_counted(small):
    recipe = RECIPE.replace(epochs=1, preparation=sh.Preparation(split=sh.Split(0.2, 0.2)))
    run = sh.fit(recipe, small, show=False, signals="none")
    assert run.test_looks == 0
    first, second = run.test(), run.test()
    assert first == second
    assert run.test_looks == 2
    assert first.keys() == {"loss", "accuracy", "top_2", "log_loss", "roc_auc"}


def test_a_split_without_rows_is_named(run):
    with pytest.raises(DataError, match=r"the test split of small needs at least one row"):
        run.test()


def test_a_run_says_what_came_out(run):
    assert repr(run).startswith("Run(2 members, 6 epochs, validation_accuracy 0.")
    assert "reached the epoch limit" in repr(run)


def test_the_picture_shows_what_the_record_holds(run, tmp_path):
    info = curves_info([run], "a title")
    assert info.title == "a title"
    assert [(panel.title, panel.log) for panel in info.panels] == [
        ("loss", True),
        ("accuracy", False),
        ("learning rate", True),
    ]
    curve = info.panels[0].curves[1]
    np.testing.assert_array_equal(curve.train, run.record["train_loss"][:, 1])
    np.testing.assert_array_equal(curve.validation, run.record["validation_loss"][:, 1])
    assert curve.best_epoch == run.best_epochs[1]
    for ending in ("png", "svg"):
        path = sh.draw_curves(run, tmp_path / f"curves.{ending}")
        assert path.stat().st_size > 5000
    many = sh.draw_curves([run] * 12, tmp_path / "many.png")
    assert many.stat().st_size > 5000


def test_pictures_that_cannot_be(run, tmp_path):
    with pytest.raises(DataError, match="needs a run that completed an epoch, got 0 runs"):
        sh.draw_curves([], tmp_path / "curves.png")
    with pytest.raises(FileError, match="an ending .png, .svg, .pdf"):
        sh.draw_curves(run, tmp_path / "curves.xyz")
