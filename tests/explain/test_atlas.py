"""The atlas of activations: data, facts, costs, pictures."""

import json
import math

import numpy as np
import pytest
from click.testing import CliRunner

import shoal as sh
from shoal.cli import cli
from shoal.explain.atlas import atlas
from shoal.explain.atlas.atlas_page import draw_infos
from shoal.explain.atlas.costs import measure
from shoal.nets import Activation

PNG = b"\x89PNG\r\n\x1a\n"
INFOS = {info.name: info for info in sh.activation_infos()}


def every_activation():
    """The classes of the public names that are activations, found without the vocabulary."""
    public = (getattr(sh, name) for name in sh.__all__)
    return {c for c in public if isinstance(c, type) and issubclass(c, Activation)}


def test_all_activations_are_there_once():
    assert set(INFOS) == {kind.__name__ for kind in every_activation()}
    assert set(atlas.FAMILIES) == set(INFOS)


@pytest.mark.parametrize("name", INFOS)
def test_the_derivative_is_the_slope_of_the_function(name):
    """Central differences of the points themselves, away from kinks."""
    info = INFOS[name]
    h = info.x[1] - info.x[0]
    numeric = (info.y[2:] - info.y[:-2]) / (2 * h)
    ends = np.minimum(np.abs(info.dy[1:-1] - info.dy[:-2]), 1) + np.abs(info.dy[2:] - info.dy[1:-1])
    smooth = ends < 0.02
    assert smooth.sum() > 900
    np.testing.assert_allclose(info.dy[1:-1][smooth], numeric[smooth], atol=0.01)
    assert type(info.facts) is type(getattr(sh, name).facts)
    assert info.facts == getattr(sh, name).facts


def test_values_known_in_closed_form():
    x = INFOS["ReLU"].x
    np.testing.assert_array_equal(INFOS["ReLU"].y, np.maximum(x, 0))
    np.testing.assert_allclose(INFOS["Softmax"].y, 1 / (1 + np.exp(-x)), rtol=1e-12)
    np.testing.assert_allclose(
        INFOS["Softmax"].dy, INFOS["Softmax"].y * (1 - INFOS["Softmax"].y), rtol=1e-9
    )
    np.testing.assert_allclose(INFOS["Tanh"].dy, 1 - np.tanh(x) ** 2, atol=1e-12)


def test_the_rectifiers_side_by_side():
    x = INFOS["PReLU"].x
    slopes = [(line.y[0] / x[0], line.label) for line in INFOS["PReLU"].lines]
    assert [label for _, label in slopes] == [f"slope {slope:g}" for slope, _ in slopes]
    assert len(slopes) == 4
    low, high = INFOS["RReLU"].band
    assert low.y[0] / x[0] == pytest.approx(1 / 8)
    assert high.y[0] / x[0] == pytest.approx(1 / 3)
    assert INFOS["RReLU"].y[0] / x[0] == pytest.approx((1 / 8 + 1 / 3) / 2)
    (paper,) = sh.activation_infos([sh.RReLU(3.0, 8.0, reciprocal=True)])
    assert [line.y[0] / x[0] for line in paper.band] == pytest.approx([1 / 8, 1 / 3])
    (other,) = sh.activation_infos([sh.LeakyReLU(0.5)])
    assert other.lines == ()
    assert other.text == "LeakyReLU(slope=0.5)"


def test_names_and_points():
    by_name = sh.activation_infos(["leaky_relu", "HARDSWISH"], x=np.array([-1.0, 2.0]))
    assert [info.name for info in by_name] == ["LeakyReLU", "HardSwish"]
    np.testing.assert_allclose(by_name[0].y, [-0.01, 2.0])
    with pytest.raises(sh.RecipeError, match="did you mean 'Mish'"):
        sh.activation_infos(["mishh"])
    with pytest.raises(sh.RecipeError, match="needs an activation to show"):
        sh.activation_infos([])


def test_costs_are_relative_to_relu():
    """An exponential, three of them: Mish costs several times what ReLU does, ReLU once."""
    relu, mish = measure([sh.ReLU(), sh.Mish()], rounds=5)
    assert 0.3 < relu.forward < 3
    assert mish.forward > 2 * relu.forward
    assert mish.backward > 2 * relu.backward


def test_facts_in_words():
    said = atlas.facts_of(INFOS["SELU"])
    assert said["range"] == "−1.758 to ∞"
    assert (said["saturates"], said["smooth"], said["exponentials"]) == ("left", "no", "1")
    table = str(atlas.tables.text(atlas.facts_table(list(INFOS.values()))))
    assert len(table.splitlines()) == 2 + len(INFOS)
    assert "both sides" in table


def test_pictures(tmp_path):
    page = draw_infos(list(INFOS.values()), tmp_path / "page.png")
    assert page.read_bytes().startswith(PNG)
    one = sh.draw_activations(tmp_path / "one.svg", ["RReLU"], measure=False)
    assert "mean slope" in one.read_text() or one.stat().st_size > 5000
    with pytest.raises(sh.FileError):
        sh.draw_activations(tmp_path / "one.nonsense", ["ReLU"], measure=False)


def run(*arguments):
    found = CliRunner().invoke(cli, ["plot", "activations", *map(str, arguments)])
    assert found.exit_code == 0, found.output
    return found.stdout


def test_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("relu", "--no-measure")
    assert (tmp_path / "activations.png").read_bytes().startswith(PNG)
    run("relu", "tanh", "--no-measure", "--each", "--out", tmp_path / "single")
    assert sorted(p.name for p in (tmp_path / "single").iterdir()) == ["ReLU.png", "Tanh.png"]
    assert "monotone" in run("gelu", "--table", "--measure")
    (found,) = json.loads(run("gelu", "--json", "--no-measure"))
    assert found["facts"]["range"] == [pytest.approx(-0.16997, abs=1e-5), None]
    assert found["y"][500] == 0.0
    assert math.isclose(found["dy"][500], 0.5)
    assert len(found["x"]) == len(found["y"]) == len(found["dy"]) == 1001
