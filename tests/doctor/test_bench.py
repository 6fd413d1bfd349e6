"""The benchmark as a whole on tiny cases: judging, figures, files, picture, command."""

import json
from dataclasses import replace

import click
import numpy as np
import pytest
from click.testing import CliRunner

from shoal.cli import cli
from shoal.cli.doctor_bench import Places
from shoal.doctor.bench import bench, controls, tallies, treating
from shoal.doctor.bench.bases import BASES
from shoal.doctor.bench.cases import FAULT, HEALTHY, PROGRAM, Case
from shoal.doctor.bench.judging import Judgement
from shoal.doctor.bench.labelling import Label
from shoal.doctor.bench.picture import bar_infos, draw_bench
from shoal.doctor.bench.treating import Outcome, Treatment, outcome
from shoal.doctor.bench.truth import effect
from shoal.doctor.finding import Diagnosis, Finding
from shoal.doctor.remedies import REMEDIES
from shoal.doctor.rules.table import RULES
from shoal.train.record import Record

IRIS = BASES["iris/mlp"]
LOST, FINE = [0.4, 0.41, 0.42, 0.4], [0.95, 0.96, 0.97, 0.96]


def a_case(sort, causes=(), name="case", kind="F01a"):
    pair = (IRIS.recipe.replace(epochs=2), IRIS.load())
    return Case(name, "A", sort, "text", kind, lambda: pair, lambda: pair, causes)


def a_finding(rule):
    return Finding(rule, "rate", "evidence.", "", 1, 2.0, 1.0, 0.5, False, "", ("rate_x0.1",))


def judged(sort, sick, *rules, causes=("rate_too_high",), certified=True, name="case"):
    found = effect(FINE, sick, 0.3)
    mean = float(np.mean(sick))
    label = Label(a_case(sort, causes, name), found, 0.96, mean, 0.3, "", certified)
    return Judgement(label, Diagnosis(tuple(map(a_finding, rules))), 0.01)


JUDGED = (
    judged(FAULT, LOST, "rate_too_high"),
    judged(FAULT, LOST, "plateau", "too_deep", "rate_too_high"),
    judged(FAULT, LOST, "plateau", "too_deep", "input_scale", "rate_too_high"),
    judged(FAULT, LOST),
    judged(FAULT, FINE, "plateau"),  # harmless by effect: a false alarm
    judged(HEALTHY, FINE),
    judged(HEALTHY, FINE, "plateau", certified=False),  # does not count
    judged(PROGRAM, LOST, "rate_too_high"),
    judged(PROGRAM, FINE),
)


def test_figures_count_what_they_say():
    found = [(g.share.hits, g.share.of) for g in tallies.of_diagnoses(JUDGED)]
    assert found == [(3, 4), (1, 2), (1, 4), (2, 4)]
    assert [(g.share.hits, g.share.of) for g in tallies.of_programs(JUDGED)] == [
        (1, 1),
        (1, 1),
        (0, 1),
    ]
    assert [g.reached for g in tallies.of_diagnoses(JUDGED)] == [False, False, False, False]
    assert [g.reached for g in tallies.of_programs(JUDGED)] == [True, True, True]


def test_misses_name_what_went_wrong():
    lines = [line[:13].strip() for line in tallies.misses(JUDGED, ()) if line[0] != " "]
    assert lines == ["CAUSE SECOND", "CAUSE MISSED", "NOT DETECTED", "FALSE ALARM"]


def treated(doctor, random, number):
    one = judged(FAULT, LOST, "rate_too_high", name=f"case {number}")
    made = (
        Outcome(1.0 if won else 0.2, won, False, ("rate_x0.1",), 4.0) for won in (doctor, random)
    )
    return Treatment(one, *made)


def test_the_doctor_against_random_remedies():
    rows = [treated(True, k < 2, k) for k in range(10)]
    assert tallies.against(rows) == pytest.approx(2 / 2**8)
    assert tallies.against(rows, fixed=True) == 1.0
    assert tallies.median_seconds(rows) == 4.0
    cured, worse = tallies.of_treatments(rows)[:2]
    assert (cured.share.hits, cured.share.of, worse.share.hits) == (10, 10, 0)


def test_treating_is_spread_over_kinds():
    rows = [judged(FAULT, LOST, name=f"{kind} {k}") for kind in ("a", "b") for k in range(3)]
    rows = [
        replace(j, label=replace(j.label, case=replace(j.label.case, kind=j.label.case.name[0])))
        for j in rows
    ]
    assert [j.label.case.name for j in bench.evenly(rows)] == [
        "a 0",
        "b 0",
        "a 1",
        "b 1",
        "a 2",
        "b 2",
    ]


def test_the_outcome_of_a_treatment_is_measured_on_test_rows():
    """The healthy recipe itself, given as the cure of a case that is lost."""
    one, before = judged(FAULT, [0.35, 0.36, 0.37, 0.36]), (0.35, 0.36, 0.37, 0.36, 0.36)
    found = outcome(one, before, (IRIS.recipe, IRIS.load()), ("rate_x0.1",), 1.0)
    assert found.cured
    assert found.recovered > 0.9
    assert not found.worse
    stuck = (IRIS.recipe.edit({"optimiser.learning_rate": 0.0}), IRIS.load())
    assert not outcome(one, before, stuck, (), 1.0).cured
    assert outcome(one, (0.95, 0.96, 0.94, 0.95, 0.97), stuck, (), 1.0).worse


def test_what_is_left_as_it_was_is_not_made_worse():
    """Also where its fresh seeds do worse than those of its label did."""
    one = judged(FAULT, [0.79, 0.8, 0.81, 0.8])
    stuck = (IRIS.recipe.edit({"optimiser.learning_rate": 0.0}), IRIS.load())
    before = treating.train(*stuck, treating.SEEDS, first=treating.FRESH).scores
    found = outcome(one, before, stuck, (), 1.0)
    assert found.recovered < -1.0
    assert not found.worse


@pytest.mark.parametrize(
    "text, wanted",
    [("all", slice(None)), ("70", slice(70)), ("0", slice(0)), ("56-100", slice(55, 100))],
)
def test_places_in_a_list(text, wanted):
    assert Places().convert(text, None, None) == wanted


@pytest.mark.parametrize("text", ["many", "-3", "5-", "0-3", "5-3"])
def test_wrong_places_are_explained(text):
    with pytest.raises(click.BadParameter, match="neither a number such as 70"):
        Places().convert(text, None, None)


def test_json_has_every_case_and_can_be_written():
    found = bench.Results("A", JUDGED, (treated(True, False, 0),), {}, 1.0)
    text = json.loads(json.dumps(found.to_json()))
    assert len(text["cases"]) == len(JUDGED)
    assert text["figures"][0]["figure"] == "harmful faults detected"
    assert text["treatments"][0]["doctor"]["cured"] is True
    assert text["counts"]["fault: harmful"] == 4


def test_the_picture_shows_figures_and_goals(tmp_path):
    goals = tallies.of_diagnoses(JUDGED)
    infos = bar_infos(goals)
    assert [round(info.value) for info in infos] == [75, 50, 25, 50]
    assert [info.goal for info in infos] == [97, 3, 80, 93]
    assert draw_bench(goals, "title", tmp_path / "b.png").stat().st_size > 10_000


# --- the tables agree ----------------------------------------------------------------------------


def test_causes_are_rules_that_there_are():
    from shoal.doctor.bench.cases import all_cases

    named = {cause for case in all_cases() for cause in case.causes}
    assert named <= set(RULES), named - set(RULES)


def test_repairs_of_the_fixed_order_are_remedies_that_there_are():
    named = {name for names in controls.ORDER.values() for name in names}
    assert named <= set(REMEDIES), named - set(REMEDIES)


class FakeRun:
    def __init__(self, **columns):
        self.record = Record({n: np.asarray(v, float)[:, None] for n, v in columns.items()})


RISING = {"train_loss": [1.0, 0.5, 0.2], "train_accuracy": [0.5, 0.8, 0.95]}
STUCK = {"train_loss": [1.0, 1.0, 1.0], "train_accuracy": [0.3, 0.3, 0.3]}


@pytest.mark.parametrize(
    "columns, want",
    [
        (RISING, []),
        ({"train_loss": [], "train_accuracy": [], "a:gradient_norm": []}, ["exploding", "slow"]),
        (STUCK, ["slow"]),
        (STUCK | {"a:gradient_norm": [1e-6] * 3, "b:gradient_norm": [1.0] * 3}, ["vanishing", "slow"]),
        (STUCK | {"a:gradient_norm": [90.0] * 3, "b:gradient_norm": [1.0] * 3}, ["exploding", "slow"]),
        (STUCK | {"a:dead": [0.8] * 3}, ["dying ReLU", "slow"]),
        (RISING | {"a:dead": [0.8] * 3}, []),
        ({"train_loss": [1, 1, 1, 1, 1], "train_accuracy": [0.5, 0.7, 0.6, 0.8, 0.7]}, ["oscillating"]),
        (RISING | {"a:activation_mean": [1.0, 5.0, 20.0]}, ["abnormal data"]),
    ],
)  # fmt: skip
def test_symptoms_by_autotrainers_thresholds(columns, want):
    assert controls.symptoms(FakeRun(**columns), classification=True) == want


# --- as a whole ----------------------------------------------------------------------------------


def test_a_tiny_benchmark_from_the_command_line(tmp_path, monkeypatch):
    """One case, three seeds, no cure; the scores of a second run are the same."""
    sick = a_case(FAULT, ("rate_too_low",), "F02 iris/mlp severe")
    slow = IRIS.recipe.edit({"epochs": 20, "optimiser.learning_rate": 1e-7})
    sick = replace(
        sick,
        make=lambda: (slow, IRIS.load()),
        reference=lambda: (IRIS.recipe.replace(epochs=20), IRIS.load()),
    )
    monkeypatch.setattr(bench, "chosen", lambda *_: (sick,))
    monkeypatch.setattr(bench, "QUICK_SEEDS", 3)
    words = ["doctor-bench", "--quick", "--cures", "0", "--json", "--folder", str(tmp_path)]
    first = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert first.exit_code == 0
    lines = first.stdout.strip().splitlines()
    assert "1 fault: harmful" in first.stdout
    figures = json.loads(lines[-1])["figures"]
    assert figures[0]["of"] == 1
    kept = json.loads((tmp_path / "results.json").read_text())
    assert kept["cases"][0]["case"] == "F02 iris/mlp severe"
    assert {p.name for p in tmp_path.iterdir()} == {
        "results.json",
        "misses.txt",
        "scores.json",
        "bench.png",
    }
    scores = (tmp_path / "scores.json").read_text()
    CliRunner().invoke(cli, words, catch_exceptions=False)
    assert (tmp_path / "scores.json").read_text() == scores


def test_a_doctor_that_is_refused_has_said_nothing(monkeypatch):
    from shoal.doctor.bench import judging
    from shoal.doctor.bench.training import Trained
    from shoal.errors import DataError

    def refuse(*_):
        raise DataError("rows", required="numbers", got="nan", remedy="remove them")

    monkeypatch.setattr(judging, "diagnose", refuse)
    found, _ = judging.ask(a_case(FAULT), Trained((), (0.3,), "refused"))
    assert found.healthy
    assert "nan" in found.reading


def test_the_halves_are_chosen_by_flags():
    assert {c.half for c in bench.chosen(held_out=True)} == {"B"}
    assert {c.sort for c in bench.chosen(programs=True)} == {PROGRAM}
    assert {c.half for c in bench.chosen()} == {"A"}
