"""``shoal diagnose``, and the look that ``shoal fit`` takes before it trains."""

import json

import pytest
from click.testing import CliRunner

from shoal.cli import cli


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A training on iris with a rate far too high."""
    place = tmp_path_factory.mktemp("runs") / "iris"
    options = ["--rate", "30", "--epochs", "8", "--hidden", "8", "--signals", "--quiet"]
    found = CliRunner().invoke(cli, ["fit", "iris", *options, "--out", str(place)])
    assert found.exit_code == 0, found.output
    return place, found


def run(*arguments):
    found = CliRunner().invoke(cli, ["diagnose", *map(str, arguments)])
    assert found.exit_code == 0, found.output
    return found


def test_a_folder_of_built_in_data_is_diagnosed(folder):
    found = run(folder[0])
    assert "1. rate_too_high in optimiser.learning_rate" in found.stdout
    assert "may help: rate_x0.1" in found.stdout


def test_the_same_as_json(folder):
    found = json.loads(run(folder[0], "--json").stdout)
    assert not found["healthy"]
    assert found["findings"][0]["rule"] == "rate_too_high"
    assert found["findings"][0]["value"] > found["findings"][0]["threshold"]


def test_fit_says_what_it_saw_before_training(folder):
    assert "hint: rate_too_high" in folder[1].stderr
    assert "rate_too_high" not in folder[1].stdout


def test_before_training_costs_one_batch():
    found = run("iris", "--before", "--hidden", "8")
    assert found.stdout.strip() == "Nothing is wrong."


def test_fit_can_be_told_not_to_look(tmp_path):
    options = ["--rate", "30", "--epochs", "1", "--hidden", "8", "--no-check", "--quiet"]
    found = CliRunner().invoke(cli, ["fit", "iris", *options, "--out", str(tmp_path / "a")])
    assert "rate_too_high" not in found.stderr


def test_a_table_needs_a_target(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("a,b\n1,2\n")
    found = CliRunner().invoke(cli, ["diagnose", str(table)])
    assert found.exit_code == 2
    assert "--target" in found.output
