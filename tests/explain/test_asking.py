"""Asking a trace for numbers by their names; its renderings; mistakes.

Constants of the classic example: M. Mazur, "A Step by Step Backpropagation Example" (2015).
"""

import json
import re
from html.parser import HTMLParser

import jax
import numpy as np
import pytest

import shoal as sh
from shoal.explain.trace.example import classic
from shoal.explain.trace.expression import call, number, symbol, total
from shoal.explain.trace.names import Names, parse


@pytest.fixture(scope="module")
def example():
    return classic()


@pytest.fixture(scope="module")
def iris():
    data = sh.data.iris()
    recipe = sh.Recipe(sh.mlp([4], 3), loss="cross_entropy", epochs=2, schedule="cosine")
    return sh.fit(recipe, data, seeds=2, show=False), data


CLASSIC = [
    "0.593269992", "0.596884378", "1.105905967", "0.75136507", "0.772928465", "0.274811083",
    "0.023560026", "0.298371109", "0.082167041", "0.000438568", "0.35891648", "0.408666186",
    "0.51130127", "0.561370121", "0.149780716", "0.19956143", "0.24975114", "0.2995022",
]  # fmt: skip


@pytest.mark.parametrize("constant", CLASSIC)
def test_the_classic_example_in_every_rendering(example, constant):
    for text in (str(example), example.markdown(), example.html()):
        assert constant in text
    assert "each unit has its own" in str(example)


def test_the_chain_rule_of_one_weight(example):
    said = str(example["w5"])
    assert "dE/dw5 = dE/dout_o1 · dout_o1/dnet_o1 · dnet_o1/dw5" in said
    assert "= 0.74136507 · 0.186815602 · 0.593269992" in said
    assert "w5+ = w5 - r · dE/dw5 = 0.4 - 0.5 · 0.082167041 = 0.35891648" in said
    first = example["w1"]
    assert first.result == pytest.approx(0.000438568, abs=5e-10)
    assert "dE/dout_h1 = dE/dnet_o1 · w5 + dE/dnet_o2 · w7" in str(first)
    assert example["dense2.weight[0,0]"].result == example["w5"].result
    assert example["dense2/weight[0, 0]"].result == example["W2[0,0]"].result


@pytest.mark.parametrize(
    "name, result",
    [
        ("net_h1", 0.3775), ("out_h1", 0.593269992), ("i1", 0.05), ("target_o2", 0.99),
        ("E", 0.298371109), ("dE/dout_h1", 0.036350306), ("Z2[0,1]", 1.224921404),
        ("dZ2[0,0]", 0.138498562), ("L[0]", 0.298371109), ("dE/dw7", -0.02260254),
        ("b2_o1", 0.138498562),
    ],
)  # fmt: skip
def test_numbers_by_their_names(example, name, result):
    assert example[name].result == pytest.approx(result, abs=5e-10)


@pytest.mark.parametrize("name, inside", [
    ("b1", "dE/db1_h2"), ("Z1", "net_h2"), ("dA1", "dE/dout_h1"), ("dense1", "backward"),
    ("sigmoid2", "dE/dnet_o2"), ("dense1.bias", "b1_h1 = 0.35"), ("A0", "i2 = 0.1"),
])  # fmt: skip
def test_arrays_and_layers_by_their_names(example, name, inside):
    assert inside in str(example[name])
    assert example[name].markdown()
    assert "<!DOCTYPE html>" in example[name].html()


@pytest.mark.parametrize(
    "name, said",
    [
        ("w9", "known: .*out_h1, .*w8"),
        ("dense1.wieght[0,0]", "did you mean 'dense1.weight'"),
        ("Z1[0,2]", r"within Z1 of shape \(1, 2\), counted from 0, got \[0,2\]"),
        ("Z1[0]", "write Z1"),
        ("", "the name of a number, an array or a layer"),
        ("W1[0,", "the name of a number"),
        ("dE/d", "the name of a number"),
        ("dE/dE", "the name of a number"),
    ],
)
def test_a_name_that_there_is_not(example, name, said):
    with pytest.raises(sh.DataError, match=said):
        example[name]


# --- renderings ----------------------------------------------------------------------------------


class Reader(HTMLParser):
    """Whether every tag is closed, and how many details there are."""

    def __init__(self):
        super().__init__()
        self.open, self.details, self.scripts = [], 0, 0

    def handle_starttag(self, tag, attrs):
        self.details += tag == "details"
        self.scripts += tag in ("script", "link", "img", "iframe")
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_needs_nothing_else(example):
    reader = Reader()
    reader.feed(example.html())
    assert reader.open == []
    assert reader.details > 40
    assert reader.scripts == 0
    assert "http" not in example.html()


def test_markdown_has_balanced_latex(example, iris):
    run, data = iris
    for trace in (example, sh.explain(run, data.inputs[:3], ["setosa"] * 3)):
        pieces = trace.markdown().split("$$")
        assert len(pieces) % 2 == 1
        for formula in pieces[1::2]:
            assert formula.count("{") == formula.count("}")
            assert formula.count(r"\left") == formula.count(r"\right")


def test_json_holds_every_number(example):
    read = json.loads(example.to_json())
    assert read["loss"] == pytest.approx(0.298371109, abs=5e-10)
    arrays = read["arrays"]
    assert set(arrays) >= {"A0", "Z1", "A1", "Z2", "A2", "W1", "b1", "dA0", "dZ1", "dW2", "db2"}
    assert arrays["dW2"]["shape"] == [2, 2]
    assert read["weights"]["dense2.weight"]["after"][0][0] == pytest.approx(0.35891648, abs=5e-9)
    items = [item for section in read["sections"] for item in section["items"]]
    found = {item["name"]: item for item in items if "name" in item}
    assert found["net_h1"]["formula"] == "w1 · i1 + w2 · i2 + b1_h1"
    assert found["net_h1"]["values"].startswith("0.15 · 0.05 + ")
    assert sh.Recipe.from_json(json.dumps(read["recipe"])) == example.recipe


def test_saving(example, tmp_path):
    for ending, start in (
        (".html", "<!DOCTYPE"),
        (".md", "## One step"),
        (".json", "{"),
        (".txt", "One"),
    ):
        path = example.save(tmp_path / f"step{ending}")
        assert path.read_text().startswith(start)
    with pytest.raises(sh.FileError, match=r"an ending of .html, .md, .json, .txt, got '.docx'"):
        example.save(tmp_path / "step.docx")


def test_large_arrays_are_shown_by_a_sample():
    rng = np.random.default_rng(0)
    net = sh.Net(sh.Dense(40), sh.ReLU(), sh.Dense(10))
    trace = sh.explain(net, rng.normal(size=(32, 8)), rng.integers(0, 10, 32), loss="cross_entropy")
    said = str(trace)
    assert "dW2 (10, 40) = dZ2^T (10, 32) · A1 (32, 40)" in said
    assert len(said) < 20_000
    values = trace.arrays()["dW2"]
    assert f"largest {values.max():.6f}".rstrip("0") in said
    assert "works out any number" in said.replace("\n", " ")
    assert len(trace.text(numbers=20)) > len(said)


# --- models --------------------------------------------------------------------------------------


def test_a_trained_model_on_raw_rows(iris):
    run, data = iris
    rows = data.inputs[[3, 60]]
    trace = sh.explain(run, rows, ["setosa", "versicolor"], training=False, member=1)
    z = trace.objective.p.value
    alone = sh.Model(
        run.model.recipes[1:],
        *jax.tree.map(lambda a: a[1:], (run.model.parameters, run.model.statistics)),
        run.model.inputs,
        run.model.targets,
    )
    np.testing.assert_allclose(z, alone.predict_proba(rows), atol=1e-6)
    assert trace.update is None
    assert "class 1, 'versicolor'" in str(trace)
    trained = sh.explain(run.model, rows, ["setosa", "versicolor"])
    assert "without Cosine()" in str(trained)
    assert "a model keeps its weights, not the optimiser's memory" in str(trained)
    assert trained.digits == 6
    other = sh.explain(run, rows[0], "setosa", optimiser=sh.SGD(0.1), precision="float64")
    assert other.digits == 9
    assert other.objective.z.shape == (1, 3)


def test_a_regression_has_scaled_answers(line):
    run = sh.fit(sh.Recipe(sh.mlp([3], 2), loss="mse", epochs=1), line, show=False)
    trace = sh.explain(run, line.inputs[:2], line.targets[:2], training=False)
    scaled = run.model.targets.encode(line.targets[:2])
    np.testing.assert_allclose(trace.objective.targets.value, scaled, rtol=1e-5)
    assert trace.loss == pytest.approx(np.mean((trace.objective.z.value - scaled) ** 2), rel=1e-5)


def test_bfloat16_keeps_the_numbers_of_the_training():
    net = sh.Net(sh.Dense(3), sh.LayerNorm(), sh.Tanh(), sh.Dense(2))
    recipe = sh.Recipe(net, loss="mse", precision="bfloat16")
    rng = np.random.default_rng(1)
    trace = sh.explain(recipe, rng.normal(size=(2, 4)), rng.normal(size=(2, 2)))
    assert "bfloat16" in str(trace)
    plain = sh.explain(
        recipe, rng.normal(size=(2, 4)), rng.normal(size=(2, 2)), precision="float32"
    )
    assert plain.steps[0].y.value.dtype == np.float32


# --- mistakes ------------------------------------------------------------------------------------

NET = sh.Net(sh.Dense(2), sh.Sigmoid())
HALF = {"loss": "half_squared_error"}
WRONG = {"dense1": {"weight": [[1.0, 2.0, 3.0]], "bias": [0.0, 0.0]}}


@pytest.mark.parametrize(
    "call, error, said",
    [
        (lambda: sh.explain(NET, [1, 2], [1, 2]), sh.RecipeError, "explain.net. needs the loss"),
        (lambda: sh.explain("net", [1], [1]), sh.RecipeError, "a Net, a Recipe, a Model or a Run, got a str"),
        (lambda: sh.explain(NET, [1, 2], [1, 2], loss="msee"), sh.RecipeError, "did you mean 'mse'"),
        (lambda: sh.explain(NET, [1, 2], [1, 2, 3], **HALF), sh.DataError, "2 numbers for each example"),
        (lambda: sh.explain(NET, [1, 2], "yes", **HALF), sh.DataError, "2 numbers for each example"),
        (lambda: sh.explain(NET, ["a", 2], [1, 2], **HALF), sh.DataError, "needs numbers"),
        (lambda: sh.explain(NET, [1, np.nan], [1, 2], **HALF), sh.DataError, "finite numbers"),
        (lambda: sh.explain(NET, np.ones((2, 3)), np.ones((3, 2)), **HALF), sh.DataError, "2 examples and 3 targets"),
        (lambda: sh.explain(NET, np.ones((0, 3)), np.ones((0, 2)), **HALF), sh.DataError, "2 numbers for each example"),
        (lambda: sh.explain(NET, np.ones((2, 3, 3)), np.ones((2, 2)), **HALF), sh.ShapeError, "a flat input"),
        (lambda: sh.explain(NET, [1, 2], 5, loss="cross_entropy"), sh.DataError, "the number of a class, 0 to 1"),
        (lambda: sh.explain(NET, [1, 2], 0.5, loss="cross_entropy"), sh.DataError, "the number of a class, 0 to 1"),
        (lambda: sh.explain(NET, [1, 2], [1, 2], parameters=WRONG, **HALF), sh.ShapeError, r"dense1/weight in the parameters needs shape \(2, 2\), got \(1, 3\)"),
        (lambda: sh.explain(NET, [1, 2], [1, 2], parameters={"dense": 1.0}, **HALF), sh.ShapeError, "names of the network"),
        (lambda: sh.explain(NET, [1, 2], [1, 2], parameters={"dense1": {"weight": "x"}}, **HALF), sh.ShapeError, "arrays of numbers"),
        (lambda: sh.explain(NET, [1, 2], [1, 2], parameters={}, **HALF), sh.ShapeError, "an array 'dense1/bias'"),
        (lambda: sh.explain(NET, [1, 2], [1, 2], names="short", **HALF), sh.RecipeError, "explain.names."),
        (lambda: sh.explain(NET, np.ones((2, 2)), np.ones((2, 2)), names="classic", **HALF), sh.RecipeError, "for one example"),
        (lambda: sh.explain(sh.Recipe(NET, "cross_entropy", class_weights="balanced"), [1, 2], 0), sh.RecipeError, "balanced"),
        (lambda: sh.explain(sh.Net(sh.Embedding(3, 2), sh.Flatten()), [5.0], [1, 2], **HALF), sh.DataError, "whole numbers from 0 to 2"),
    ],
)  # fmt: skip
def test_mistakes(call, error, said):
    with pytest.raises(error, match=said):
        call()


@pytest.mark.parametrize(
    "net, settings",
    [
        (sh.Net(sh.Dense(3), sh.Dense(2)), {}),
        (NET, {"optimiser": "adam"}),
        (NET, {"precision": "float32"}),
    ],
    ids=["net", "optimiser", "precision"],
)
def test_going_on_from_another_step(net, settings):
    first = sh.explain(NET, [1, 2], [1, 2], **HALF)
    with pytest.raises(sh.RecipeError, match="a trace of the same network"):
        sh.explain(net, [1, 2], [1, 2], after=first, **HALF, **settings)


def test_mistakes_with_a_model(iris):
    run, data = iris
    with pytest.raises(sh.DataError, match="one of the classes .*did you mean 'setosa'"):
        sh.explain(run, data.inputs[0], "setossa")
    with pytest.raises(sh.RecipeError, match="a member from 0 to 1, got 2"):
        sh.explain(run, data.inputs[0], "setosa", member=2)
    with pytest.raises(sh.DataError, match="shape"):
        sh.explain(run, data.inputs[0, :3], "setosa")


# --- expressions ---------------------------------------------------------------------------------

A, B, C = symbol("a", 2.0), symbol("b", -3.0), symbol("c", 0.5)


@pytest.mark.parametrize(
    "formula, text, values, result",
    [
        (A + B * C, "a + b · c", "2 + (-3) · 0.5", 0.5),
        ((A + B) * C, "(a + b) · c", "(2 + (-3)) · 0.5", -0.5),
        (A - (B - C), "a - (b - c)", "2 - (-3 - 0.5)", 5.5),
        (A / (B * C), "a / (b · c)", "2 / ((-3) · 0.5)", -4 / 3),
        (A * B / C, "a · b / c", "2 · (-3) / 0.5", -12.0),
        (-(A + B), "-(a + b)", "-(2 + (-3))", 1.0),
        (B**2, "b²", "(-3)²", 9.0),
        (-(B**2), "-b²", "-(-3)²", -9.0),
        ((A * B) ** 3, "(a · b)³", "(2 · (-3))³", -216.0),
        (call("exp", -A), "exp(-a)", "exp(-2)", np.exp(-2.0)),
        (call("max", A, number(0)), "max(a, 0)", "max(2, 0)", 2.0),
        (total([A] * 20), "a + a + a + a + a + a + a + ... + a [20 terms]", "2 + 2 + 2 + 2 + 2 + 2 + 2 + ... + 2 [20 terms]", 40.0),
        (total([]), "0", "0", 0.0),
    ],
)  # fmt: skip
def test_formulas_as_text(formula, text, values, result):
    assert formula.text() == text
    assert formula.values(9) == values
    assert formula.result() == pytest.approx(result, rel=1e-15)


def test_names():
    assert parse("Z1[0, 3]") == ("Z1", (0, 3))
    assert parse("a[b]") == ("a[b]", None)
    assert Names().of("Z12", (0, 3)) == ("Z12[0,3]", "Z^{(12)}_{0,3}")
    assert re.fullmatch(r"\\frac.*", Names().slope("W1", (0,)).latex)
