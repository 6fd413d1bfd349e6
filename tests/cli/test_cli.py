"""The command line, as a user types it."""

import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

import shoal as sh
from shoal.cli import cli, main


def run(*arguments):
    """Run a command in this process; errors of shoal come out as themselves."""
    result = CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def table(tmp_path, rng):
    path = tmp_path / "plants.csv"
    kind = np.array(["fern", "moss", "palm"])[np.arange(120) % 3]
    frame = pl.DataFrame(
        {
            "height": rng.normal(size=120) + 3 * (np.arange(120) % 3),
            "place": np.where(np.arange(120) % 2, "sun", "shade"),
            "kind": kind,
        }
    )
    frame.write_csv(path)
    return path


def test_fit_then_summary_then_predict(table, tmp_path):
    out = tmp_path / "run"
    said = run(
        "fit", table, "--target", "kind", "--hidden", "16", "--epochs", 60, "--rate", 0.02,
        "--test", 0.2, "--out", out, "--seeds", 2, "--quiet",
    )  # fmt: skip
    assert "Run(2 members" in said
    assert "validation: loss" in said
    assert "test: loss" in said
    names = {path.name for path in out.iterdir()}
    assert names >= {"model.safetensors", "record.parquet", "curves.png", "recipe.json"}
    assert "dense2" in run("summary", out / "model.safetensors")

    predictions = tmp_path / "predictions.csv"
    run("predict", out / "model.safetensors", table, "--out", predictions, "--proba")
    found = pl.read_csv(predictions)
    assert found.columns == ["prediction", "fern", "moss", "palm"]
    assert (found["prediction"] == pl.read_csv(table)["kind"]).mean() > 0.8
    printed = run("predict", out / "model.safetensors", table)
    assert printed.split("\n")[:2] == ["prediction", found["prediction"][0]]

    again = run("fit", table, "--target", "kind", "--out", out, "--resume", "--quiet")
    assert "Run(2 members" in again


def test_without_a_folder_the_next_free_one_is_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        run("fit", "iris", "--epochs", 2, "--quiet")
    said = run("fit", "iris", "--resume", "--quiet")
    assert "kept in runs/iris-2" in said
    assert sorted(folder.name for folder in (tmp_path / "runs").iterdir()) == ["iris", "iris-2"]


def test_a_recipe_file_and_built_in_data(tmp_path):
    recipe = sh.Recipe(sh.mlp([8], 3), loss="cross_entropy", epochs=2)
    path = tmp_path / "recipe.json"
    path.write_text(recipe.to_json())
    out = tmp_path / "run"
    run("fit", "iris", "--recipe", path, "--out", out, "--quiet")
    assert sh.Recipe.from_json((out / "recipe.json").read_text()) == recipe
    assert "dense1" in run("summary", path, "--input", "4")
    np.save(tmp_path / "x.npy", sh.data.iris().inputs)
    printed = run("predict", out / "model.safetensors", tmp_path / "x.npy")
    assert len(printed.strip().split("\n")) == 151


def test_a_regression_has_a_squared_loss(tmp_path):
    said = run("fit", "diabetes", "--epochs", 2, "--out", tmp_path / "run", "--quiet")
    assert "validation_r2" in said


def test_summary_of_options():
    said = run("summary", "--hidden", "32,16", "--input", "20", "--outputs", "3")
    assert "Dense(32)" in said
    assert "1,251" in said  # 20·32 + 32 + 32·16 + 16 + 16·3 + 3


@pytest.mark.slow
def test_the_demo(tmp_path):
    said = run("demo", "--out", tmp_path, "--trials", "20", "--quiet")
    assert "vanishing_gradients in dense1" in said
    assert "\ncured by " in said
    assert "tuning helped" in said or "sure that tuning" in said or "did not help" in said
    assert (tmp_path / "cure.png").stat().st_size > 10_000
    assert "cured by" in (tmp_path / "report.html").read_text()
    right, rows = said.split("test split: ")[1].split(" right")[0].split(" of ")
    assert int(right) / int(rows) > 0.95


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (["fit", "TABLE"], 2, "say which column to predict by --target"),
        (["fit", "TABLE", "--target", "kin"], 1, "shoal: a column of plants.csv needs a name that it has, got 'kin'; did you mean 'kind'?"),
        (["fit", "nothing.csv", "--target", "x"], 1, "shoal: reading nothing.csv needs"),
        (["fit", "TABLE", "--target", "kind", "--dropout", "1.5"], 1, "Dropout(rate) needs a number in [0, 1), got 1.5"),
        (["fit", "TABLE", "--target", "kind", "--hidden", "a"], 2, "'a' is not a list of whole numbers"),
        (["fit", "TABLE", "--target", "kind", "--batch-size", "x"], 2, '--batch-size takes a whole number or "full"'),
        (["fit", "TABLE", "--target", "kind", "--resume", "--out", "OUT"], 1, "needs a checkpoint that is whole, got none"),
        (["summary"], 2, "say the shape of one example by --input"),
        (["summary", "TABLE", "--input", "4"], 1, "a recipe needs JSON"),
        (["predict", "TABLE", "TABLE"], 1, "needs a safetensors file with shoal's description"),
        (["fit", "digit"], 2, "there is no file digit, and no built-in data of that name: did you mean 'digits'?"),
        (["fit", "digit", "--target", "y"], 2, "did you mean 'digits'?"),
        (["fit", "digits", "--target", "y", "--drop", "z"], 2, "leave out --target, --drop"),
        (["fit", "TABLE", "--target", "kind", "--drop", "kind"], 1, "the target 'kind' needs a column that is not dropped"),
        (["fit", "TABLE", "--target", "height", "--task", "classification"], 1, "120 different numbers such as"),
        (["frobnicate"], 2, "No such command 'frobnicate'"),
    ],
)  # fmt: skip
def test_mistakes_end_with_one_line_and_a_code(
    arguments, code, message, table, tmp_path, monkeypatch, capsys
):
    words = [{"TABLE": str(table), "OUT": str(tmp_path / "out")}.get(a, a) for a in arguments]
    monkeypatch.setattr(sys, "argv", ["shoal", *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == code
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said


def test_help_does_not_import_jax():
    code = (
        "import sys; sys.argv = ['shoal', '--help']\n"
        "from shoal.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('jax' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("False False")
    assert "Train neural networks a shoal at a time" in done.stdout


@pytest.mark.parametrize("name", cli.commands)
def test_every_command_and_option_has_a_help_text(name):
    command = cli.commands[name]
    assert command.help
    for parameter in command.params:
        is_plain = parameter.param_type_name == "argument" or parameter.name in ("optimiser",)
        assert is_plain or parameter.help, f"{name} {parameter.name}"
