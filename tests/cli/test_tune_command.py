"""``shoal tune``, as a user types it."""

import json
import re
import shlex
import sys

import pytest
from click.testing import CliRunner

import shoal as sh
from shoal.cli import cli, main
from shoal.errors import RecipeError
from shoal.tune import account


def run(*arguments):
    result = CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def space(tmp_path):
    net = sh.Net(sh.Dense(6), sh.ReLU(), sh.Dense(3))
    recipe = sh.Recipe(net, "cross_entropy", sh.Adam(sh.Float(1e-3, 0.1, log=True)), epochs=6)
    path = tmp_path / "space.json"
    path.write_text(recipe.to_json())
    return path


def test_a_search_ends_with_model_pictures_and_the_command_of_the_winner(
    space, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    said = run("tune", "iris", "--space", space, "--trials", 12, "--sampler", "random", "--quiet")
    folder = tmp_path / "runs" / "iris-tune"
    assert "12 complete" in said or "pruned" in said
    for name in ("best.safetensors", "winner.json", "space.json", "history.png", "parallel.png",
                 "slice.png", "study.journal"):  # fmt: skip
        assert (folder / name).exists()
    alone = shlex.split(re.search(r"the winner alone: shoal (.*)", said)[1])
    run(*alone, "--out", tmp_path / "alone", "--quiet")
    iris = sh.data.iris()
    one = sh.Model.load(tmp_path / "alone" / "model.safetensors").predict_proba(iris.inputs)
    best = sh.Model.load(folder / "best.safetensors").predict_proba(iris.inputs)
    assert one == pytest.approx(best, abs=1e-3)
    more = run("tune", "iris", "--space", space, "--trials", 16, "--sampler", "random", "--quiet")
    counts = re.search(r"Study\((.*?);", more)[1]
    assert sum(map(int, re.findall(r"\d+", counts))) == 16


def test_the_default_space_has_what_matters_and_fits_the_data():
    from shoal.tune.default import default_space

    for data, rows in (
        (sh.data.iris(), False),
        (sh.data.digits(), True),
        (sh.data.diabetes(), False),
    ):
        space = default_space(data, test=0.2)
        names = " ".join(space.parameters.names)
        for what in ("net", "rate", "optimiser", "optimiser(Adam).learning_rate", "l2"):
            assert what in names
        assert ("batch_size" in names) == rows
        for label in next(p for p in space.parameters if p.name == "net").leaf.values:
            recipe = space.at({"net": label})
            prepared = recipe.prepare(data)
            recipe.check_against(prepared.inputs.out_shape, prepared.targets.width)


def test_the_names_on_the_command_line_are_those_of_the_library():
    command = sys.modules["shoal.cli.tune"]  # shoal.cli has the command itself by that name
    from shoal.tune.samplers import BY_NAME, PRUNERS

    assert set(command.SAMPLERS) == set(BY_NAME) - {"guess"} | {"pbt"}
    assert set(command.PRUNERS) == set(PRUNERS)


def test_a_recipe_without_anything_open_is_refused(space, tmp_path):
    closed = tmp_path / "closed.json"
    closed.write_text(sh.Recipe.from_json(space.read_text()).at({}).to_json())
    assert json.loads(closed.read_text())["kind"] == "Recipe"
    with pytest.raises(RecipeError, match="with something open in it"):
        run("tune", "iris", "--space", closed, "--trials", 3, "--folder", tmp_path / "x")


@pytest.mark.parametrize("sampler, said", [("tpe", "goes on with"), ("pbt", "begins a new one")])
def test_a_search_that_is_stopped_says_how_to_go_on(sampler, said, tmp_path, monkeypatch, capsys):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["shoal.cli.tune"], "_search", stop)
    monkeypatch.setattr(sys, "argv", ["shoal", "tune", "iris", "--sampler", sampler])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 130
    assert said in capsys.readouterr().err


def test_a_population_ends_with_the_lineage_of_the_winner(tmp_path):
    folder = tmp_path / "p"
    said = run("tune", "iris", "--epochs", 10, "--trials", 10, "--sampler", "pbt", "--quiet",
               "--folder", folder)  # fmt: skip
    assert "10 complete" in said
    assert (folder / "lineage.json").exists() and (folder / "lineage.png").exists()
    alone = said.split("the winner alone, as the population trained it, in Python")[1]
    names = {"data": sh.data.iris()}
    exec(alone.strip().split(": ", 1)[1], names)
    values = [row["value"] for row in account.load(folder)["rows"]]
    value = names["run"].final["validation_loss"]
    assert any(value == pytest.approx(one, rel=1e-3) for one in values)
