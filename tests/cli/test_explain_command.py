"""``shoal explain``, as a user types it."""

import json
import sys

import jax
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


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder with a table, models of two of its columns, and one of iris."""
    folder = tmp_path_factory.mktemp("kept")
    rng = np.random.default_rng(0)
    kind = np.array(["fern", "moss", "palm"])[np.arange(60) % 3]
    frame = pl.DataFrame(
        {
            "height": rng.normal(size=60) + np.arange(60) % 3,
            "place": np.where(np.arange(60) % 2, "sun", "shade"),
            "kind": kind,
            "weight": rng.normal(size=60),
        }
    )
    frame.write_csv(folder / "plants.csv")
    kinds = sh.data.table(frame.drop("weight"), "kind")
    weights = sh.data.table(frame.drop("kind"), "weight", task="regression")
    untrained("cross_entropy", kinds, 3).save(folder / "kinds.safetensors")
    untrained("mse", weights, 1).save(folder / "weights.safetensors")
    untrained("cross_entropy", sh.data.iris(), 3).save(folder / "iris.safetensors")
    return folder


def untrained(loss, data, outputs):
    """A model with its encoders fitted and its weights as they are drawn."""
    recipe = sh.Recipe(sh.mlp([3], outputs), loss=loss)
    prepared = recipe.prepare(data)
    drawn = recipe.body.init(jax.random.key(0), data.shape)
    weights, statistics = jax.tree.map(lambda a: np.asarray(a)[None], drawn)
    return sh.Model((recipe,), weights, statistics, prepared.inputs, prepared.targets)


def model(kept, name):
    return kept / f"{name}.safetensors"


def test_the_example():
    said = run("explain", "--example")
    for constant in ("0.593269992", "1.105905967", "0.75136507", "0.298371109"):
        assert constant in said
    assert "w5+ = w5 - r · dE/dw5 = 0.4 - 0.5 · 0.082167041 = 0.35891648" in said
    one = run("explain", "--example", "--weight", "w5", "--weight", "net_h1", "--digits", 4)
    assert "= 0.7414 · 0.1868 · 0.5933" in one
    assert "net_h1 = w1 · i1" in one
    assert "Forward pass" not in one


def test_a_row_of_a_table(kept, tmp_path):
    table = kept / "plants.csv"
    said = run("explain", model(kept, "kinds"), table, "--row", 4, "--target", "kind")
    assert "class 1, 'moss'" in said
    again = run("explain", model(kept, "kinds"), table, "--row", 4, "--answer", "moss")
    assert said == again
    rows = run("explain", model(kept, "kinds"), table, "--row", 4, "--row", 5, "--target", "kind",
               "--layer", "dense2", "--optimiser", "sgd")  # fmt: skip
    assert "dW2 (3, 3) = dZ2^T (3, 2) · A1 (2, 3)" in rows
    assert "w <- w - r g" in run("explain", model(kept, "kinds"), table, "--target", "kind",
                                 "--optimiser", "sgd")  # fmt: skip
    page = tmp_path / "row.html"
    assert "whole working is in" in run("explain", model(kept, "kinds"), table, "--target", "kind",
                                        "--out", page)  # fmt: skip
    assert page.read_text().startswith("<!DOCTYPE html>")


def test_the_output_is_what_predict_says(kept, tmp_path):
    out = tmp_path / "row.json"
    table = kept / "plants.csv"
    run("explain", model(kept, "weights"), table, "--row", 7, "--target", "weight", "--predicting",
        "--out", out)  # fmt: skip
    (output,) = json.loads(out.read_text())["arrays"]["Z2"]["values"][0]
    trained = sh.Model.load(model(kept, "weights"))
    value = output * trained.targets.scale[0] + trained.targets.shift[0]
    printed = run("predict", model(kept, "weights"), table).split("\n")
    assert float(printed[8]) == pytest.approx(value, rel=1e-5)


def test_built_in_data_and_arrays(kept, tmp_path):
    said = run(
        "explain", model(kept, "iris"), "iris", "--row", 60, "--weight", "dense1.weight[0,1]"
    )
    assert "dE/dW1[0,1] = dE/dA1[0,0]" in said
    np.save(tmp_path / "x.npy", sh.data.iris().inputs)
    other = run("explain", model(kept, "iris"), tmp_path / "x.npy", "--row", 60, "--answer",
                "versicolor", "--weight", "dense1.weight[0,1]")  # fmt: skip
    assert other == said


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        ([], 2, "say a MODEL and a SOURCE of rows, or --example"),
        (["KINDS"], 2, "say a MODEL and a SOURCE"),
        (["--example", "KINDS"], 2, "--example has its own network"),
        (["--example", "--weight", "w99"], 1, "a trace needs the name of a number"),
        (["--example", "--out", "x.doc"], 1, "an ending of .html, .md, .json, .txt"),
        (["KINDS", "TABLE"], 2, "say which column holds the answer by --target"),
        (["KINDS", "TABLE", "--target", "kin"], 1, "did you mean 'kind'?"),
        (["KINDS", "TABLE", "--target", "kind", "--row", "60"], 1, "a row from 0 to 59, got 60"),
        (["KINDS", "TABLE", "--target", "place"], 1, "one of the classes ['fern', 'moss', 'palm']"),
        (["KINDS", "TABLE", "--answer", "fern", "--answer", "moss"], 2, "once for each of 1 rows"),
        (["KINDS", "nothing.csv", "--target", "kind"], 1, "reading nothing.csv"),
        (["KINDS", "iris"], 1, "shoal: "),
        (["WEIGHTS", "TABLE", "--answer", "heavy"], 1, "1 number for each example"),
        (["KINDS", "TABLE", "--target", "kind", "--optimiser", "adm"], 1, "did you mean 'adam"),
        (["TABLE", "TABLE", "--target", "kind"], 1, "needs a safetensors file"),
    ],
)
def test_mistakes_end_with_one_line_and_a_code(arguments, code, message, kept, monkeypatch, capsys):
    paths = {"TABLE": kept / "plants.csv", "KINDS": model(kept, "kinds")}
    paths["WEIGHTS"] = model(kept, "weights")
    words = [str(paths.get(word, word)) for word in arguments]
    monkeypatch.setattr(sys, "argv", ["shoal", "explain", *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == code
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said
