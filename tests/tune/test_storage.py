"""Storages: every finished trial is written, and a study that was killed goes on."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from wsgiref.util import setup_testing_defaults

import optuna
import pytest
from optuna.trial import TrialState

import shoal as sh
from shoal.errors import FileError, RecipeError
from shoal.tune import tuning
from shoal.tune.mirror import Mirror, open_storage

QUIET = {"show": False, "fresh": 1, "slots": 8}

SCRIPT = """
import sys
import numpy as np
import shoal as sh

def space():
    net = sh.Net(sh.Dense(3))
    rate = sh.Float(1e-3, 1e-1, log=True)
    return sh.Recipe(net, "cross_entropy", sh.Adam(rate), epochs=20, batch_size=16)

def data():
    rng = np.random.default_rng(1)
    return sh.data.arrays(rng.normal(size=(90, 6)), np.arange(90) % 3)

def search(storage, trials):
    return sh.tune(space(), data(), trials=trials, storage=storage, slots=8, fresh=1, show=False,
                   pruner="median", guesses=[{"optimiser.learning_rate": 0.01}])

if __name__ == "__main__":
    search(sys.argv[1], 100_000)
"""


@pytest.fixture
def script(tmp_path, monkeypatch):
    path = tmp_path / "searching.py"
    path.write_text(SCRIPT)
    space: dict = {"__name__": "searching"}
    exec(compile(SCRIPT, str(path), "exec"), space)
    return path, space


def stored(storage):
    return optuna.load_study(study_name="study", storage=open_storage(storage)).get_trials()


@pytest.mark.parametrize("ending", ["study.journal", "study.db"])
def test_every_finished_trial_is_in_the_storage(script, tmp_path, ending):
    storage = tmp_path / ending
    study = script[1]["search"](storage, 24)
    live = study.optuna.get_trials()
    found = stored(storage)
    assert [t.user_attrs["trial"] for t in found] != [] and len(found) == 24
    by_number = {t.user_attrs["trial"]: t for t in found}
    assert sorted(by_number) == list(range(24))
    for trial in live:
        same = by_number[trial.user_attrs["trial"]]
        for what in (
            "params",
            "value",
            "state",
            "intermediate_values",
            "user_attrs",
            "distributions",
        ):
            assert getattr(same, what) == getattr(trial, what)
    assert by_number[0].params == {"optimiser.learning_rate": 0.01}


@pytest.mark.skipif(
    importlib.util.find_spec("optuna_dashboard") is None,
    reason="the package optuna-dashboard is not installed",
)
@pytest.mark.filterwarnings("ignore")  # of the dashboard's own
@pytest.mark.parametrize("ending", ["study.journal", "study.db"])
def test_the_dashboard_opens_the_storage(script, tmp_path, ending):
    """Asked in the process, as its page asks it."""
    from optuna_dashboard import wsgi

    script[1]["search"](tmp_path / ending, 12)
    app = wsgi(open_storage(tmp_path / ending))

    def get(path):
        environment: dict = {"PATH_INFO": path, "QUERY_STRING": "after=0"}
        setup_testing_defaults(environment)
        return json.loads(b"".join(app(environment, lambda status, headers, *more: None)))

    (summary,) = get("/api/studies")["study_summaries"]
    assert summary["study_name"] == "study" and summary["directions"] == ["minimize"]
    trials = get(f"/api/studies/{summary['study_id']}")["trials"]
    assert len(trials) == 12
    assert {trial["state"] for trial in trials} <= {"Complete", "Pruned"}


def kill_when(path, storage, finished):
    """Let the script search until so many trials have finished, and kill it."""
    environment = os.environ | {"PYTHONPATH": str(Path(sh.__file__).parents[1])}
    process = subprocess.Popen([sys.executable, str(path), str(storage)], env=environment)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if storage.exists() and storage.read_text().count('"state"') >= finished:
            break
        time.sleep(0.05)
    assert process.poll() is None, "it ended by itself"
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_killed_study_goes_on_without_a_trial_lost_or_doubled(script, tmp_path):
    path, space = script
    storage = tmp_path / "study.journal"
    before, interrupted = {}, {}
    while not interrupted:  # rarely all that was written as begun has ended too
        kill_when(path, storage, len(before) + 30)
        before = {t.user_attrs["trial"]: t for t in stored(storage)}
        assert len(before) >= 20
        study = optuna.load_study(study_name="study", storage=open_storage(storage))
        asked = study.user_attrs["asked"]
        interrupted = {int(n): p for n, p in asked.items() if int(n) not in before}
    more = len(before) + len(interrupted) + 10
    study = space["search"](storage, more)
    after = stored(storage)
    numbers = [t.user_attrs["trial"] for t in after]
    assert len(numbers) == len(set(numbers)) == more
    assert set(before) | set(interrupted) <= set(numbers)
    for trial in after:
        number = trial.user_attrs["trial"]
        if number in before:
            assert trial.params == before[number].params and trial.value == before[number].value
        if number in interrupted:
            assert trial.params == interrupted[number]
    fresh = {t.params["optimiser.learning_rate"] for t in after}
    assert len(fresh) == more, "a point was drawn twice"
    assert len(study.optuna.trials) == more


def test_a_line_that_was_torn_by_a_kill_is_left_out(script, tmp_path):
    search, storage = script[1]["search"], tmp_path / "study.journal"
    search(storage, 12)
    whole = storage.read_bytes()
    storage.write_bytes(whole + whole.splitlines()[-1][:40])
    search(storage, 16)
    assert len(stored(storage)) == 16


def test_a_study_that_is_complete_adds_nothing(script, tmp_path):
    search, storage = script[1]["search"], tmp_path / "study.journal"
    first = search(storage, 10)
    again = search(storage, 10)
    assert len(stored(storage)) == 10
    assert again.values == first.values


def test_another_study_in_the_storage_is_refused(script, tmp_path):
    space, search = script[1], script[1]["search"]
    storage = tmp_path / "study.journal"
    search(storage, 8)
    other = space["space"]().replace(epochs=5)
    with pytest.raises(RecipeError, match="needs the same space, got another"):
        sh.tune(other, space["data"](), trials=9, storage=storage, **QUIET)
    with pytest.raises(RecipeError, match="needs the same seed, got another"):
        sh.tune(space["space"](), space["data"](), trials=9, storage=storage, seed=3, **QUIET)


def test_a_folder_holds_the_study_the_winner_and_the_model(script, tmp_path):
    space = script[1]
    study = sh.tune(space["space"](), space["data"](), trials=8, folder=tmp_path / "f", **QUIET)
    names = {"study.journal", "study.json", "space.json", "winner.json", "best.safetensors"}
    assert {path.name for path in (tmp_path / "f").iterdir()} == names
    assert sh.Recipe.from_json((tmp_path / "f" / "space.json").read_text()) == space["space"]()
    winner = sh.Recipe.from_json((tmp_path / "f" / "winner.json").read_text())
    assert winner == study.run.recipe
    model = sh.Model.load(tmp_path / "f" / "best.safetensors")
    assert (
        model.predict(space["data"]().inputs) == study.best.predict(space["data"]().inputs)
    ).all()
    states = {trial.state for trial in stored(tmp_path / "f" / "study.journal")}
    assert states == {TrialState.COMPLETE}


@pytest.mark.parametrize(
    "wanted", ["nonsense://here", "postgresql://localhost:1/x", "sqlite:////nowhere/at/all.db"]
)
def test_a_storage_that_cannot_be_opened(wanted):
    with pytest.raises(FileError, match="a journal or database that can be opened"):
        open_storage(wanted)


def test_trials_are_written_when_they_are_released(tmp_path):
    """Until then, which is when devices train, the thread leaves the interpreter to the search."""
    path = tmp_path / "study.journal"
    trial = optuna.trial.create_trial(value=1.0, user_attrs={"trial": 0})

    def written():
        return len(optuna.load_study(study_name="study", storage=open_storage(path)).trials)

    with Mirror(open_storage(path), "study", {}) as mirror:
        mirror.put(trial)
        time.sleep(0.05)
        assert written() == 0
        mirror.release()
        assert soon(lambda: written() == 1)
        mirror.put(trial)
    assert written() == 2


@pytest.mark.parametrize("sampler", ["random", "pbt"])
def test_every_trial_is_written_before_the_best_are_trained_again(
    sampler, small, tmp_path, monkeypatch
):
    """A kill in that time, which may be long, loses nothing."""
    path, judge, found = tmp_path / "study.journal", tuning.protocol.judge, []

    def watched(*given):
        study = optuna.load_study(study_name="study", storage=open_storage(path))
        found.append(soon(lambda: len(study.trials) == 6))
        return judge(*given)

    monkeypatch.setattr(tuning.protocol, "judge", watched)
    rate = sh.Float(1e-3, 1e-1, log=True)
    recipe = sh.Recipe(sh.mlp([8], 3), loss="cross_entropy", optimiser=sh.Adam(rate), epochs=4)
    sh.tune(recipe, small, trials=6, sampler=sampler, storage=path, fresh=1, show=False)
    assert found == [True]


def soon(holds, seconds=5.0):
    """Whether something comes true within some seconds."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def test_a_storage_that_fails_later_is_said(script, monkeypatch):
    plain = optuna.Study.add_trial

    def full(self, trial):
        if trial.state.is_finished():
            raise OSError("no space left on device")
        plain(self, trial)

    storage = optuna.storages.InMemoryStorage()
    monkeypatch.setattr(optuna.Study, "add_trial", full)
    with pytest.raises(FileError, match="no space left on device"):
        script[1]["search"](storage, 8)
