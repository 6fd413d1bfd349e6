"""``shoal cure``, as a user types it."""

import sys

import pytest
from click.testing import CliRunner

import shoal as sh
from shoal.cli import cli


def run(*arguments):
    result = CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def sick(tmp_path):
    net = sh.Net(sh.Dense(6), sh.ReLU(), sh.Dense(3))
    recipe = sh.Recipe(net, "cross_entropy", sh.SGD(300.0), epochs=15)
    path = tmp_path / "recipe.json"
    path.write_text(recipe.to_json())
    return path


def test_a_cure_ends_with_edit_recipe_model_and_picture(sick, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = run("cure", "iris", "--recipe", sick, "--remedy", "rate_x0.01", "--remedy", "l2",
               "--seeds", 3, "--quiet")  # fmt: skip
    assert "cured by rate_x0.01" in said
    assert "optimiser.learning_rate: 300.0 -> 3.0" in said
    folder = tmp_path / "runs" / "iris-cure"
    assert {p.name for p in folder.iterdir()} == {
        "cure.txt", "cure.png", "recipe.json", "model.safetensors",
    }  # fmt: skip
    model = sh.Model.load(folder / "model.safetensors")
    assert model.evaluate(sh.data.iris())["accuracy"] > 0.8


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cure", "iris"], "Missing option '--recipe'"),
        (["cure", "iris", "--recipe", "RECIPE", "--seeds", "2"], "not in the range"),
        (["cure", "iris", "--recipe", "RECIPE", "--remedy", "rate_x01"], "rate_x0.1"),
    ],
)
def test_mistakes_are_said_in_one_line(arguments, said, sick, monkeypatch, capsys):
    from shoal.cli import main

    given = [str(sick) if word == "RECIPE" else word for word in arguments]
    monkeypatch.setattr(sys, "argv", ["shoal", *given])
    with pytest.raises(SystemExit):
        main()
    assert said in capsys.readouterr().err
