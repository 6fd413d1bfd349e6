"""Resume is exact to the last bit, from any chunk, also after a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import shoal as sh
from shoal.arrays import flatten
from shoal.errors import DataError, FileError
from shoal.train import checkpoint, job, layouts

from contracts.tables import OPTIMISERS

NET = sh.Net(sh.Dense(8), sh.BatchNorm(), sh.ReLU(), sh.Dropout(0.3), sh.Dense(3))


class Stop(Exception):
    """The power goes off."""


def recipe(**changes):
    usual = {
        "loss": "cross_entropy",
        "optimiser": "adam",
        "batch_size": 16,
        "epochs": 12,
        "schedule": sh.WarmUp(2, then=sh.ReduceOnPlateau(patience=0)),
        "early_stopping": sh.EarlyStopping(patience=50),
        "l2": 0.01,
    }
    return sh.Recipe(NET, **(usual | changes))


def train(recipes, data, folder, stop_after=None):
    """fit_many, one epoch a chunk, stopped after so many chunks by an exception."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shoal.train.campaign.CHUNK_SECONDS", 0.0)  # one epoch in every chunk
        if stop_after is not None:
            _stop(patch, stop_after)
        return sh.fit_many(
            recipes, data, folder=folder, checkpoint_every=0, slots=2, show=False, signals="none"
        )


def _stop(patch, chunks):
    save, count = job.Job._checkpoint, [0]

    def saving(self, *arguments):
        save(self, *arguments)
        count[0] += 1
        if count[0] >= chunks:
            raise Stop

    patch.setattr(job.Job, "_checkpoint", saving)


def assert_same_bits(a, b):
    for one, other in zip(a, b, strict=True):
        assert (one.reasons, one.epochs, one.best_epochs) == (
            other.reasons,
            other.epochs,
            other.best_epochs,
        )
        mine = flatten({"p": one.model.parameters, "s": one.model.statistics})
        theirs = flatten({"p": other.model.parameters, "s": other.model.statistics})
        for path, array in mine.items():
            assert array.tobytes() == theirs[path].tobytes(), path
        for name, column in one.record.items():
            assert column.tobytes() == other.record[name].tobytes(), name


# One of each kind of state; the others are run behind the mark.
KINDS = ["sgd", "momentum", "adadelta", "adam", "adamw", "lamb", "rprop", "muon", "lbfgs searching"]


@pytest.mark.table(every=2)
@pytest.mark.parametrize(
    "name", [n if n in KINDS else pytest.param(n, marks=pytest.mark.slow) for n in OPTIMISERS]
)
def test_every_optimiser_resumes_to_the_same_bits(name, small, tmp_path):
    """Stopped in the middle, with shuffle, dropout, batch-norm, a schedule that remembers."""
    optimiser = OPTIMISERS[name]
    without = {"schedule": "constant"} if optimiser.searches else {}
    recipes = [recipe(optimiser=optimiser, **without)]
    whole = train(recipes, small, tmp_path / "whole")
    with pytest.raises(Stop):
        train(recipes, small, tmp_path / "part", stop_after=5)
    assert_same_bits(sh.resume(tmp_path / "part", small, show=False), whole)


def test_a_network_whose_batches_are_shared_resumes_to_the_same_bits(monkeypatch, tmp_path):
    """The rule alone decides: resuming keeps the layout even where the rule would not choose it."""
    monkeypatch.setattr(layouts, "MUCH_WORK", 0)
    rng = np.random.default_rng(0)
    data = sh.data.arrays(rng.normal(size=(90, 6, 6, 1)), rng.integers(0, 3, 90))
    layers = (sh.Conv(4, 3), sh.BatchNorm(), sh.ReLU(), sh.Dropout(0.3), sh.GlobalAvgPool())
    shared = [recipe(batch_size=32).replace(net=sh.Net(*layers, sh.Dense(3)))]
    whole = train(shared, data, tmp_path / "whole")
    with pytest.raises(Stop):
        train(shared, data, tmp_path / "part", stop_after=5)
    monkeypatch.setattr(layouts, "MUCH_WORK", 2**62)
    newest = max((tmp_path / "part").glob("checkpoint-*.json"))
    assert json.loads(newest.read_text())["state"]["campaign"]["layout"] == "divided"
    assert_same_bits(sh.resume(tmp_path / "part", data, show=False), whole)


def queue():
    """Seven recipes of two signatures through two slots: stops, refills, a dead one."""
    plain = [recipe(seed=k, epochs=4 + 3 * k, name=f"plain {k}") for k in range(4)]
    plain[1] = plain[1].edit({"optimiser.learning_rate": 1e6, "l2": 1e6})
    other = [recipe(optimiser=sh.Momentum(0.01), seed=k, epochs=9) for k in range(3)]
    return [*plain, *other]


@pytest.fixture(scope="module")
def whole(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    runs = train(queue(), small, folder)
    return runs, checkpoint.numbers(folder)[-1]


@pytest.mark.table(every=2)
@pytest.mark.parametrize("seed", range(10))
def test_random_stop_points_lose_no_bit(seed, whole, small, tmp_path):
    """Stopped at five random chunks one after another, resumed each time: 50 stops in all."""
    random_stops(np.random.default_rng(seed), whole, small, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 290))
def test_many_random_stop_points_lose_no_bit(seed, whole, small, tmp_path):
    random_stops(np.random.default_rng(seed), whole, small, tmp_path)


def random_stops(rng, whole, small, folder):
    runs, chunks = whole
    stops = 0
    with pytest.raises(Stop):
        train(queue(), small, folder, stop_after=int(rng.integers(1, chunks // 5)))
    while True:
        stops += 1
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("shoal.train.campaign.CHUNK_SECONDS", 0.0)
            if stops < 5:
                _stop(patch, int(rng.integers(1, chunks // 5)))
            try:
                resumed = sh.resume(folder, small, checkpoint_every=0, show=False)
                break
            except Stop:
                continue
    assert stops == 5
    assert_same_bits(resumed, runs)


# --- kills -----------------------------------------------------------------------------------------

CHILD = """
import sys
import shoal as sh
import test_resume as t
import shoal.train.campaign as campaign
campaign.CHUNK_SECONDS = 0.0
inputs, targets = t.child_data()
data = sh.data.arrays(inputs, targets)
from shoal.train import checkpoint
from pathlib import Path
folder = Path(sys.argv[1])
if checkpoint.numbers(folder):
    sh.resume(folder, data, checkpoint_every=0, show=False)
else:
    sh.fit(t.child_recipe(int(sys.argv[2])), data, folder=folder, checkpoint_every=0, show=False, signals="none")
"""


def child_data():
    rng = np.random.default_rng(9)
    labels = np.arange(300) % 3
    return rng.normal(size=(300, 6)) + labels[:, None], labels


def child_recipe(kills):
    """Long enough to be killed so often."""
    return recipe(epochs=400 * kills, early_stopping=sh.EarlyStopping(patience=1000))


def kill_and_resume(kills, folder):
    """A child process killed by SIGKILL at random moments until it ends by itself."""
    rng = np.random.default_rng(kills)
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": f"{here}:{here.parent}"}
    for _ in range(kills):
        before = checkpoint.numbers(folder)
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(folder), str(kills)], env=environment
        )
        deadline = time.monotonic() + 60
        while checkpoint.numbers(folder) == before:
            time.sleep(0.005)
            assert child.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
        time.sleep(float(rng.uniform(0, 0.5)))
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), str(kills)], env=environment, check=True
    )


@pytest.mark.parametrize("kills", [2])
def test_kills_lose_no_bit(kills, tmp_path):
    _assert_kills_lose_nothing(kills, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kills", range(10, 14))
def test_many_kills_lose_no_bit(kills, tmp_path):
    _assert_kills_lose_nothing(kills, tmp_path)


def _assert_kills_lose_nothing(kills, folder):
    kill_and_resume(kills, folder / "killed")
    data = sh.data.arrays(*child_data())
    whole = sh.fit(child_recipe(kills), data, folder=folder / "whole", show=False, signals="none")
    killed = sh.Model.load(folder / "killed" / "model.safetensors")
    for path, array in flatten(whole.model.parameters).items():
        assert array.tobytes() == flatten(killed.parameters)[path].tobytes(), path
    record = sh.Record.load(folder / "killed" / "record.parquet")
    for name, column in whole.record.items():
        np.testing.assert_array_equal(column, record[name], err_msg=name)


# --- damage ----------------------------------------------------------------------------------------


def interrupted(small, folder):
    with pytest.raises(Stop):
        train([recipe()], small, folder, stop_after=6)


@pytest.mark.parametrize("damage", ["flip", "cut", "no manifest", "bad manifest"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_used(damage, small, tmp_path, capfd):
    whole = train([recipe()], small, tmp_path / "whole")
    folder = tmp_path / "part"
    interrupted(small, folder)
    newest = folder / f"checkpoint-{checkpoint.numbers(folder)[-1]:06d}"
    tensors, manifest = newest.with_suffix(".safetensors"), newest.with_suffix(".json")
    content = bytearray(tensors.read_bytes())
    if damage == "flip":
        content[-3] ^= 1
        tensors.write_bytes(content)
    elif damage == "cut":
        tensors.write_bytes(content[: len(content) // 2])
    elif damage == "no manifest":
        manifest.unlink()
    else:
        manifest.write_text("{")
    resumed = sh.resume(folder, small, show="plain")
    said = capfd.readouterr().err
    assert ("is damaged and passed over" in said) == (damage != "no manifest")
    assert_same_bits(resumed, whole)


def test_every_flipped_byte_is_detected(small, tmp_path):
    interrupted(small, tmp_path)
    number = checkpoint.numbers(tmp_path)[-1]
    path = tmp_path / f"checkpoint-{number:06d}.safetensors"
    content = path.read_bytes()
    for position in np.random.default_rng(0).integers(0, len(content), size=200):
        damaged = bytearray(content)
        damaged[position] ^= 1 << (int(position) % 8)
        path.write_bytes(damaged)
        found, messages = checkpoint.load_newest(tmp_path)
        assert found.number < number
        assert len(messages) == 1


def test_only_the_last_checkpoints_stay(small, tmp_path):
    with pytest.raises(Stop):
        train([recipe()], small, tmp_path, stop_after=7)
    assert checkpoint.numbers(tmp_path) == [5, 6, 7]
    assert len(list(tmp_path.glob("*.safetensors"))) == 3
    assert not list(tmp_path.glob(".*"))


def test_other_data_is_refused(small, tmp_path):
    interrupted(small, tmp_path)
    changed = small.inputs.copy()
    changed[0, 0] += 1e-9
    with pytest.raises(DataError, match="needs the data that the training began with"):
        sh.resume(tmp_path, (changed, small.targets), show=False)


def test_a_folder_with_a_training_is_not_overwritten(small, tmp_path):
    interrupted(small, tmp_path)
    with pytest.raises(FileError, match=r"go on by shoal\.resume"):
        sh.fit(recipe(), small, folder=tmp_path, show=False, signals="none")


def test_an_empty_folder_has_nothing_to_resume(small, tmp_path):
    with pytest.raises(FileError, match="needs a checkpoint that is whole, got none"):
        sh.resume(tmp_path, small, show=False)


def test_resuming_a_finished_training_gives_it_again(small, tmp_path):
    whole = train([recipe()], small, tmp_path)
    assert_same_bits(sh.resume(tmp_path, small, show=False), whole)


def test_the_manifest_names_what_is_needed_to_repeat(small, tmp_path):
    interrupted(small, tmp_path)
    text = (tmp_path / f"checkpoint-{checkpoint.numbers(tmp_path)[-1]:06d}.json").read_text()
    manifest = json.loads(text)
    assert manifest["versions"].keys() >= {"shoal", "jax", "jaxlib", "python"}
    campaign = manifest["state"]["campaign"]
    assert campaign.keys() >= {"epoch", "first_epoch", "layout", "devices"}
