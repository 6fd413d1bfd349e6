"""The report: what is in the page, that it is whole by itself, and that texts cannot act."""

import itertools
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from click.testing import CliRunner

import shoal as sh
from shoal.cli import cli
from shoal.doctor.finding import Diagnosis, Finding
from shoal.errors import DataError, FileError
from shoal.report.contents import contents
from shoal.report.page import LIMIT, as_json
from shoal.report.series import series, thinned
from shoal.train.history import History, read_histories
from shoal.train.member import Status

EVIL = '<script>document.title="broken"</script>"\'&'
VOID = {"meta", "input", "br", "link", "img", "hr"}


class Page(HTMLParser):
    """A page as its elements: every one is closed, in order."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.ids, self.text = [], [], [], ""
        self.scripts, self.errors = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.ids += [value for name, value in attributes if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.errors.append((tag, self.getpos()))

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        else:
            self.text += data


def parsed(path):
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == [] and page.errors == []
    assert len(set(page.ids)) == len(page.ids)
    return page, text


def embedded(page):
    return json.loads(page.scripts[0])


@pytest.fixture(scope="module")
def runs(small):
    recipe = sh.Recipe(
        sh.mlp([4], 3), loss="cross_entropy", epochs=6, early_stopping=sh.EarlyStopping(4)
    )
    data = replace(small, classes=("a", EVIL, "c"), name="flowers " + EVIL)
    edits = [("one", 1e-3), (EVIL, 1e-2), ("three", 1e-1)]
    recipes = [recipe.edit({"name": n, "optimiser.learning_rate": r}) for n, r in edits]
    return sh.fit_many(recipes, data, signals="none", show=False)


@pytest.fixture(scope="module")
def signalled(runs):
    columns = dict(runs[0].record.columns)
    for layer in ("1_Dense", "3_" + EVIL):
        columns[f"{layer}:gradient_norm"] = 1.0 + np.arange(runs[0].record.epochs)[:, None]
    return replace(runs[0], record=sh.Record(columns))


@pytest.fixture(scope="module")
def full(runs, signalled, tmp_path_factory):
    """A report with every section, with a script wherever a user can write."""
    rows = [{"rate": 0.1, "name": EVIL, "loss": v} for v in (3.0, None, 1.0, float("nan"), 2.0)]
    return sh.report(
        [signalled, *runs[1:]],
        tmp_path_factory.mktemp("report") / "report.html",
        title="A title " + EVIL,
        findings=[("Finding " + EVIL, "text " + EVIL, "l2: None -> 0.1 " + EVIL)],
        cures=[("Cure " + EVIL, "text", "")],
        studies=[{"name": "study " + EVIL, "rows": rows, "value": "loss"}],
    )


SECTIONS = [
    "runs",
    "curves",
    "health",
    "findings",
    "cures",
    "studies",
    "data",
    "environment",
    "repeat",
]


def test_a_page_is_whole_and_loads_nothing(full):
    page, text = parsed(full)
    assert [i for i in page.ids if f"section-{i}" in page.ids] == SECTIONS
    sources = [
        v
        for _, attributes in page.elements
        for n, v in attributes.items()
        if n in ("src", "href", "data", "action")
    ]
    assert all(source.startswith("#") for source in sources)
    addresses = set(re.findall(r"https?://[^\s\"'<)]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}  # the name of a namespace, not loaded
    assert "@import" not in text and "url(#inside)" in text and text.count("url(") == 1
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv"))
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-")


def test_texts_of_users_cannot_act(full):
    page, text = parsed(full)
    assert len(page.scripts) == 2  # the data and the script of the page
    assert "<script>document" not in text
    assert EVIL in page.text
    for where in ("A title ", "Finding ", "Cure ", "study ", "flowers "):
        assert where + EVIL in page.text
    assert embedded(page)["names"] == ["one", EVIL, "three"]
    assert embedded(page)["health"][0]["maps"][0]["layers"] == ["1_Dense", "3_" + EVIL]
    assert json.loads(as_json({"a": EVIL, "b": "</script>\u2028"})) == {
        "a": EVIL,
        "b": "</script>\u2028",
    }


def test_headings_and_alternatives_for_those_who_do_not_see(full):
    page, _ = parsed(full)
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    for tag, attributes in page.elements:
        if tag == "svg":
            assert attributes["role"] == "img" and attributes["aria-label"]
        if tag == "select":
            assert attributes["aria-label"]
        if attributes.get("role") == "region":
            assert attributes["aria-label"] and attributes["tabindex"] == "0"
    assert ("html", {"lang": "en"}) in page.elements


def test_sections_appear_only_when_there_is_something(runs, tmp_path):
    page, _ = parsed(sh.report(runs[0], tmp_path / "r.html"))
    assert [i for i in page.ids if f"section-{i}" in page.ids] == [
        "runs", "curves", "data", "environment", "repeat",
    ]  # fmt: skip
    study = {"name": "s", "rows": [{"value": 1.0}]}
    page, _ = parsed(sh.report([], tmp_path / "s.html", studies=[study]))
    assert [i for i in page.ids if f"section-{i}" in page.ids] == ["studies"]


def test_the_table_has_the_values_of_the_kept_weights(runs):
    info = contents(runs)
    table = info.table
    assert table.columns[:4] == ("run", "members", "epochs", "best epoch")
    assert "optimiser.learning_rate" in table.columns
    for run, row in zip(runs, table.rows, strict=True):
        cells = dict(zip(table.columns, row, strict=True))
        assert cells["validation loss"] == float(f"{run.final['validation_loss']:.4g}")
        assert cells["validation accuracy"] == float(f"{run.final['validation_accuracy']:.4g}")
        assert cells["optimiser.learning_rate"] == run.recipe.optimiser.learning_rate
        assert cells["ended"] == run.reasons[0].sentence


def test_curves_are_those_of_the_record(runs):
    found = series([History.of(run) for run in runs], 10**6)
    assert found["quantities"][:2] == ["loss", "accuracy"]
    for run, curve in zip(runs, found["curves"], strict=True):
        expected = run.record["validation_loss"][: run.epochs[0], 0]
        np.testing.assert_allclose(curve["values"]["loss"]["v"], expected, rtol=1e-3)
        assert found["epochs"][curve["epochs"]] == list(range(1, run.epochs[0] + 1))
        assert curve["best"] == run.best_epochs[0]


@pytest.mark.parametrize(
    "epochs, points, best", [(5000, 12, 7), (13, 12, 0), (401, 400, 401), (1, 12, 1)]
)
def test_thinned_epochs_keep_the_first_the_last_and_the_best(epochs, points, best):
    found = thinned(epochs, points, best)
    assert found == sorted(set(found)) and found[0] == 1 and found[-1] == epochs
    assert len(found) <= points + 1 and (best == 0 or best in found)


def made(number, epochs=300, metrics=4):
    """A history of many epochs, made by hand."""
    rng = np.random.default_rng(number)
    names = [
        f"{split}_{q}" for split in ("train", "validation") for q in ("loss", *"abcd"[:metrics])
    ]
    columns = {name: rng.normal(size=(epochs, 1)) for name in names}
    recipe = sh.Recipe(
        sh.mlp([4], 3),
        loss="cross_entropy",
        optimiser=sh.Adam(1e-3 + number * 1e-6),
        name=f"trial {number}",
    )
    return History(
        recipe, sh.Record(columns), (Status.EPOCH_LIMIT,), (epochs,), (number % epochs + 1,)
    )


def test_a_thousand_runs_stay_below_five_megabytes(tmp_path):
    """With five quantities of 300 epochs, training and validation: three million numbers."""
    path = sh.report([made(i) for i in range(1000)], tmp_path / "many.html")
    assert 1_000_000 < path.stat().st_size < LIMIT
    page, _ = parsed(path)
    found = embedded(page)["series"]
    assert len(found["curves"]) == 1000
    assert "Training on trial 0, trial 1, trial 2 and 997 more" in page.text
    assert all(e[0] == 1 and e[-1] == 300 and len(e) > 20 for e in found["epochs"])


def test_values_that_are_not_finite_are_left_out(tmp_path):
    history = made(0, epochs=5, metrics=1)
    history.record.columns["validation_loss"][2] = np.nan
    history.record.columns["train_a"][:] = np.inf
    page, _ = parsed(sh.report(history, tmp_path / "r.html"))
    values = embedded(page)["series"]["curves"][0]["values"]
    assert values["loss"]["v"][2] is None
    assert "t" not in values["a"]


def test_studies_are_sorted_out(runs):
    rows = [{"rate": 0.1, "v": 2.0}, {"rate": 0.2}, {"units": 3, "v": 3.0}, {"v": 1.0}]
    low = contents([], studies=[{"name": "s", "rows": rows, "value": "v"}]).studies[0]
    assert low.table.columns == ("rate", "v", "units")
    assert low.best == (2.0, 2.0, 2.0, 1.0)
    given = {"name": "s", "rows": rows, "value": "v", "direction": "maximize"}
    assert contents([], studies=[given]).studies[0].best == (2.0, 2.0, 3.0, 3.0)
    with pytest.raises(DataError, match="the study 's' needs rows with a column 'loss'"):
        contents([], studies=[{"name": "s", "rows": rows, "value": "loss"}])
    with pytest.raises(DataError, match="direction minimize or maximize"):
        contents([], studies=[given | {"direction": "down"}])


def test_nothing_to_report_is_said():
    with pytest.raises(DataError, match="a report needs a run or a study, got none"):
        sh.report([], "r.html")
    with pytest.raises(DataError, match=r"findings needs \(title, text, diff\) for each"):
        contents([made(0)], findings=["text"])


def test_diagnosis_and_cure_are_told_as_they_are():
    finding = Finding("rate_too_high", "rate", "2 of 3 rose", "", 3, 2.0, 1.0, 0.5, False, "s", ())
    told = contents([made(0)], findings=Diagnosis((finding,), (), "both rise")).findings
    assert told == (("the losses", "both rise", ""), ("rate_too_high", str(finding), ""))
    assert contents([made(0)], findings=[Diagnosis((finding,), (), "both rise")]).findings == told
    assert contents([made(0)], findings=[finding]).findings == told[1:]
    assert contents([made(0)], findings=Diagnosis(())).findings[0][0] == "nothing is wrong"


def test_the_package_is_the_function():
    import shoal.report

    assert callable(shoal.report)


# --- folders -------------------------------------------------------------------------------------


def test_a_folder_is_enough(small, tmp_path):
    recipe = sh.Recipe(sh.mlp([4], 3), loss="cross_entropy", epochs=3, name="kept")
    run = sh.fit(recipe, small, seeds=2, folder=tmp_path / "run", show=False)
    (history,) = read_histories(tmp_path / "run")
    assert history.recipe == run.recipe and history.reasons == run.reasons
    assert history.metrics == ("accuracy",)
    np.testing.assert_array_equal(history.record["train_loss"], run.record["train_loss"])
    page, _ = parsed(sh.report(str(tmp_path / "run"), tmp_path / "a.html"))
    memory, _ = parsed(sh.report(run, tmp_path / "b.html"))
    assert embedded(page) == embedded(memory)
    card = history.about["data"]
    assert card["rows"] == {"train": 72, "validation": 18, "test": 0}
    assert [entry["train"] + entry["validation"] for entry in card["classes"]] == [30, 30, 30]
    assert "sh.fit(recipe, data, seeds=2)" in page.text


def test_many_recipes_in_a_folder_are_many_runs(small, tmp_path):
    recipe = sh.Recipe(sh.mlp([4], 3), loss="cross_entropy", epochs=2)
    recipes = [recipe.edit({"name": name}) for name in ("a", "b")]
    sh.fit_many(recipes, small, folder=tmp_path / "runs", show=False)
    assert [history.name for history in read_histories(tmp_path / "runs")] == ["a", "b"]
    (tmp_path / "runs" / "about.json").write_text("{broken")
    histories = read_histories(tmp_path / "runs")
    page, _ = parsed(sh.report(histories, tmp_path / "r.html"))  # without card and environment
    assert "section-data" not in page.ids


def test_the_command(tmp_path):
    def run(*arguments):
        return CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)

    folder, out = tmp_path / "iris", tmp_path / "r.html"
    run("fit", "iris", "--epochs", 1, "--hidden", 2, "--out", folder, "--quiet")
    done = run("report", folder, "--out", out, "--title", "Flowers")
    assert done.output.startswith(f"{out}: ")
    page, _ = parsed(out)
    assert "Flowers" in page.text
    assert "shoal fit iris --recipe recipe.json" in page.text
    assert "data = sh.data.iris()" in page.text
    with pytest.raises(FileError, match="needs a folder that a training wrote"):
        run("report", tmp_path, "--out", out)
