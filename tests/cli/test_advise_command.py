"""``shoal advise``, as a user types it."""

import pytest
from click.testing import CliRunner

import shoal as sh
from shoal.cli import cli


def run(*arguments):
    return CliRunner().invoke(cli, ["advise", *map(str, arguments)], catch_exceptions=True)


def test_advice_ends_with_a_table_a_picture_and_a_recipe(tmp_path):
    picture, saved = tmp_path / "rate.png", tmp_path / "advised.json"
    options = ("--hidden", 4, "--rate", 1e-5, "--epochs", 4, "--seeds", 1, "--quiet")
    result = run("iris", *options, "--out", picture, "--save", saved)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("rate")
    assert "learning rate: optimiser.learning_rate: 1e-05 -> " in result.stdout
    assert lines[-2:] == [
        f"drawn: {picture}",
        f"the advised recipe: {saved}, for shoal fit --recipe {saved}",
    ]
    assert picture.stat().st_size > 10_000
    advised = sh.Recipe.from_json(saved.read_text())
    assert f"{advised.optimiser.learning_rate!r}. " in result.stdout


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        (("iris", "--out", "rate.txt"), sh.FileError, "an ending .png, .svg, .pdf"),
        (
            ("iris", "--hidden", "", "--what", "activation", "--quiet"),
            sh.RecipeError,
            "has variants",
        ),
    ],
)
def test_mistakes_are_said_before_anything_runs(arguments, error, message):
    result = run(*arguments)
    assert isinstance(result.exception, error)
    assert message in str(result.exception)


def test_what_cannot_be_asked_is_misuse():
    assert run("iris", "--what", "weather").exit_code == 2
    assert run("iris", "--seeds", 0).exit_code == 2
