"""``shoal show`` as a user types it."""

import json

import pytest
from click.testing import CliRunner

import shoal as sh
from shoal.cli import cli

QUICK = ("softmax-polarisation", "--size", "0.25", "--seeds", "3")


def run(*arguments):
    return CliRunner().invoke(cli, ["show", *arguments], catch_exceptions=False)


def test_without_a_name_it_lists_names_and_claims():
    said = run().stdout
    for experiment in sh.experiments():
        assert experiment.name in said
    flat = " ".join(said.split())
    assert all(experiment.claim in flat for experiment in sh.experiments())
    listed = json.loads(run("--json").stdout)
    assert [e["name"] for e in listed] == [e.name for e in sh.experiments()]


def test_it_ends_with_table_sentence_and_picture(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*QUICK)
    assert "running softmax_polarisation" in result.stderr
    assert "standard deviation of logits  entropy" in result.stdout
    assert "Over 3 seeds the claim " in result.stdout
    assert result.stdout.endswith("picture: softmax_polarisation.png\n")
    assert (tmp_path / "softmax_polarisation.png").stat().st_size > 5000


def test_as_json_it_prints_nothing_else(tmp_path):
    out = tmp_path / "deep" / "p.svg"
    result = run(*QUICK, "--json", "--quiet", "--out", str(out))
    told = json.loads(result.stdout)
    assert told["seeds"] == 3
    assert told["picture"] == str(out)
    assert out.exists()
    assert result.stderr == ""


def test_mistakes_are_told():
    for arguments, match in (
        (("softmax_polarization",), "did you mean 'softmax_polarisation'"),
        (("dead_relu", "--size", "huge"), r"show\(size\) needs .* got 'huge'"),
        (("dead_relu", "--size", "nan"), r"show\(size\) needs"),
        (("dead_relu", "--out", "p.txt"), "an ending .png"),
    ):
        with pytest.raises(sh.ShoalError, match=match):
            run(*arguments)
    assert run("dead_relu", "--seeds", "1").exit_code == 2
