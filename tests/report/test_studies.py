"""Studies in reports: from memory and from a folder, with few trials and with wild names."""

import json
import re

import pytest
from test_report import EVIL, parsed

import shoal as sh
from shoal.errors import FileError
from shoal.report.studies import _heights, _shade
from shoal.tune import account

QUIET = {"show": False, "slots": 8, "fresh": 2}


def space(name="flowers"):
    net = sh.Net(sh.Dense(8), sh.ReLU(), sh.Dropout(sh.Float(0.0, 0.5)), sh.Dense(3))
    l2 = sh.Choice(None, sh.Float(1e-3, 1.0, log=True))
    rate = sh.Float(1e-3, 1e-1, log=True)
    return sh.Recipe(net, "cross_entropy", sh.Adam(rate), epochs=6, batch_size=16, l2=l2, name=name)


@pytest.fixture(scope="module")
def searched(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "search"
    return sh.tune(space("flowers " + EVIL), small, trials=30, folder=folder, **QUIET)


def test_a_study_in_memory(searched, tmp_path):
    page, text = parsed(sh.report(searched, tmp_path / "r.html"))
    sections = [i for i in page.ids if f"section-{i}" in page.ids]
    assert sections == ["runs", "curves", "studies", "data", "environment", "repeat"]
    for line in searched.table().split("\n")[1:]:
        for cell in re.split(r"  +", line.strip()):
            assert cell in page.text
    assert searched.verdict in page.text
    assert "training programs compiled" in page.text
    for name, share in searched.importance().items():
        assert name in page.text and f"{share:.2f}" in page.text
    labels = [a["aria-label"] for tag, a in page.elements if tag == "svg" and "aria-label" in a]
    assert sum(label.startswith("values against") for label in labels) == 4
    assert "trials as lines" in labels and any(x.startswith("value over") for x in labels)
    complete = sum(t.state.name == "COMPLETE" for t in searched.optuna.trials)
    assert sum(tag == "polyline" for tag, _ in page.elements) == complete
    assert EVIL not in text


def test_the_folder_of_a_study_is_enough(searched, tmp_path):
    page, _ = parsed(sh.report(searched.folder, tmp_path / "r.html"))
    sections = [i for i in page.ids if f"section-{i}" in page.ids]
    assert sections == ["studies", "data", "environment"]
    told = account.load(searched.folder)
    assert told == json.loads(json.dumps(account.account(searched)))
    assert [row["trial"] for row in told["rows"]] == list(searched.frame()["trial"])
    (tmp_path / "study.json").write_text("[]")
    with pytest.raises(FileError, match="what tune wrote"):
        sh.report(tmp_path, tmp_path / "r.html")


def test_the_folder_of_a_search_that_was_stopped(tmp_path):
    (tmp_path / "study.journal").write_text("")
    with pytest.raises(FileError, match="a search that has finished, got one that was stopped"):
        sh.report(tmp_path, tmp_path / "r.html")


def test_a_study_with_too_few_trials_for_importances_and_contours(small, tmp_path):
    for trials in (1, 2):
        study = sh.tune(space(), small, trials=trials, **QUIET)
        page, _ = parsed(sh.report([study], tmp_path / "r.html"))
        assert "studies" in page.ids


def test_a_population_and_outer_folds_are_told(small, tmp_path):
    one = space().replace(l2=0.0)
    study = sh.tune(one, small, trials=6, sampler="pbt", outer=2, show=False, fresh=1)
    page, _ = parsed(sh.report(study, tmp_path / "r.html"))
    assert study.nested.verdict in page.text


def test_heights_and_shades():
    assert _heights([1.0, 3.0, None, 2.0]) == [0.0, 1.0, None, 0.5]
    assert _heights([1.0, 1.0]) == [0.0, 0.0]
    assert _shade(0.0) == "#440154" and _shade(1.0) == "#fde725"  # the ends of viridis
