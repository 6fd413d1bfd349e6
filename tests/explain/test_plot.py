"""shoal plot, as a user types it."""

import click
import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

import shoal as sh
from shoal.cli import cli


def run(*arguments, code=0):
    result = CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def flowers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "iris"
    run("fit", "iris", "--hidden", 4, "--epochs", 2, "--test", 0.2, "--out", folder, "--quiet",
        "--signals", "none")  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def plants(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plants")
    rng = np.random.default_rng(0)
    n = 60
    frame = pl.DataFrame(
        {"height": rng.normal(size=n), "place": ["sun", "shade"] * 30, "weight": rng.normal(size=n)}
    )
    frame.write_csv(folder / "plants.csv")
    frame.head(20).write_csv(folder / "new.csv")
    run(
        "fit",
        folder / "plants.csv",
        "--target",
        "weight",
        "--epochs",
        1,
        "--out",
        folder / "run",
        "--quiet",
    )
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        ["curves"], ["weights"], ["features", "--example", 3], ["confusion", "--split", "train"],
        ["worst", "--count", 2], ["network"], ["surface", "--features", "2,x3", "--resolution", 20],
    ],
)  # fmt: skip
def test_pictures_of_a_folder_need_no_data_where_it_is_built_in(flowers, tmp_path, arguments):
    out = tmp_path / "picture.png"
    said = run("plot", arguments[0], flowers, *arguments[1:], "--out", out)
    assert said.strip() == str(out)
    assert out.stat().st_size > 4000


def test_a_look_at_the_test_split_is_said(flowers, tmp_path):
    said = run("plot", "confusion", flowers, "--split", "test", "--out", tmp_path / "c.png")
    assert "a look at the test split" in said


def test_tables_are_given_again_and_new_rows_are_all_shown(plants, tmp_path):
    out = tmp_path / "p.svg"
    picture = ("plot", "predictions", plants / "run")
    assert "say by --data which rows" in run(*picture, "--out", out, code=2)
    run(*picture, "--data", plants / "plants.csv", "--out", out)  # the target is known
    said = run(*picture, "--data", plants / "new.csv", "--out", out)
    assert "these are not the rows of the training: showing all of them" in said
    run(
        "plot",
        "worst",
        plants / "run" / "model.safetensors",
        "--data",
        plants / "plants.csv",
        "--out",
        out,
    )


def test_networks_by_name_and_recipe(tmp_path):
    out = tmp_path / "n.png"
    assert "--input" in run("plot", "network", "lenet5", "--out", out, code=2)
    run("plot", "network", "lenet5", "--input", "28,28,1", "--out", out)
    path = tmp_path / "recipe.json"
    path.write_text(sh.Recipe(sh.mlp([3], 2), loss="cross_entropy").to_json())
    run("plot", "network", path, "--input", "4", "--out", out)


def test_mistakes(flowers, tmp_path):
    out = ("--out", tmp_path / "x.png")
    with pytest.raises(sh.DataError, match=r"signals='basic'"):
        run("plot", "health", flowers, *out)
    with pytest.raises(sh.FileError, match="a folder that a training wrote"):
        run("plot", "curves", tmp_path, *out)
    assert "Missing option '--out'" in run("plot", "curves", flowers, code=2)


PICTURES = cli.commands["plot"].commands


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_and_option_has_a_help_text(name):
    command = PICTURES[name]
    assert command.help
    for parameter in command.params:
        assert isinstance(parameter, click.Argument) or parameter.help, f"{name} {parameter.name}"
