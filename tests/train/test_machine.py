"""What depends on the machine: devices, slots, layouts, caches, precision."""

import json
import os
import stat
import subprocess
import sys

import jax
import numpy as np
import pytest

import shoal as sh
from shoal.errors import DeviceError
from shoal.train import layouts, slots
from shoal.train.devices import cache_folder, memory_budget, spread
from shoal.train.pool import Pool
from shoal.train.settings import Settings

RECIPE = sh.Recipe(sh.Net(sh.Dense(8), sh.ReLU(), sh.Dense(3)), loss="cross_entropy", epochs=3)


def prepared(data):
    return RECIPE.prepare(data)


def test_slots_divide_evenly_among_devices():
    for members in range(1, 40):
        for devices in (1, 2, 3, 8, 16):
            count = slots.even(members, devices)
            assert members <= count < members + devices
            used = max(n for n in range(1, devices + 1) if count % n == 0)
            assert -(-members // devices) == count // used  # nobody has more than need be


def test_a_pool_is_halved_until_it_fits(small, monkeypatch):
    recipes = [RECIPE.replace(seed=k) for k in range(16)]
    needed = {}
    for count in (4, 16):
        needed[count] = Pool(RECIPE, prepared(small), count).bytes_needed()
    budget = (needed[4] + needed[16]) // 2
    monkeypatch.setattr(slots, "memory_budget", lambda mesh: budget)
    pool = slots.roomy_pool(recipes, prepared(small), Settings(), None)
    assert 1 < len(pool.recipes) < 16
    assert pool.bytes_needed() <= budget
    with pytest.raises(DeviceError, match=r"a pool of 16 members needs .* MiB on each device"):
        slots.roomy_pool(recipes, prepared(small), Settings(), 16)
    monkeypatch.setattr(slots, "memory_budget", lambda mesh: 10)
    with pytest.raises(DeviceError, match="a pool of 1 members needs"):
        slots.roomy_pool(recipes, prepared(small), Settings(), None)


def test_the_budget_is_what_is_free():
    free = memory_budget(spread(2)) * 2
    assert 2**28 < free < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_data_too_large_for_the_device_is_streamed(small, monkeypatch):
    monkeypatch.setattr("shoal.train.pool.memory_budget", lambda mesh: 6 * 4 * 90)
    pool = Pool(RECIPE.replace(batch_size=5), prepared(small), 1)
    assert 1 <= pool.feed.steps_per_block * 5 * 6 * 4 <= 6 * 4 * 90 // 2


def test_the_layout_is_measured_once_and_remembered(small, monkeypatch, tmp_path):
    monkeypatch.setenv("SHOAL_CACHE_DIR", str(tmp_path))
    recipe = RECIPE.replace(net=sh.Net(sh.Dense(11), sh.Dense(3)))
    calls = []
    choose = layouts.choose

    def watched(*arguments):
        calls.append(1)
        return choose(*arguments)

    monkeypatch.setattr(layouts, "choose", watched)
    recipes = [recipe.replace(seed=k) for k in range(6)]
    sh.fit_many(recipes, small, show=False)
    sh.fit_many(recipes, small, show=False)
    assert len(calls) == 1
    known = json.loads((tmp_path / "layouts.json").read_text())
    assert next(iter(known.values())) in ("batched", "sequential")


@pytest.mark.parametrize("faster", ["batched", "sequential"])
def test_the_faster_layout_is_kept(faster, small, monkeypatch):
    monkeypatch.setenv("SHOAL_CACHE_DIR", "")
    choose = layouts.choose

    def told(signature, mesh, candidates, seconds, most_steps):
        pretended = lambda programs, steps: float(programs.plan.layout != faster)  # noqa: E731
        return choose(signature, mesh, candidates, pretended, most_steps)

    monkeypatch.setattr(layouts, "choose", told)
    recipes = [RECIPE.replace(seed=k) for k in range(4)]
    pool = Pool(RECIPE, prepared(small), 4)
    pool.place(dict(enumerate(recipes)))
    before = pool.member(1)
    pool.run(1)
    assert pool.programs.plan.layout == faster
    asked = Pool(RECIPE, prepared(small), 4, Settings(layout=faster))
    asked.place(dict(enumerate(recipes)))
    np.testing.assert_array_equal(
        before.parameters["dense1"]["weight"], asked.member(1).parameters["dense1"]["weight"]
    )
    asked.run(1)  # the measurement left no trace
    for a, b in zip(jax.tree.leaves(pool.members), jax.tree.leaves(asked.members), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_cache_is_the_users_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("SHOAL_CACHE_DIR", str(tmp_path / "cache"))
    folder = cache_folder()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    monkeypatch.setenv("SHOAL_CACHE_DIR", "")
    assert cache_folder() is None
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SHOAL_CACHE_DIR", str(tmp_path / "file" / "below"))
    assert cache_folder() is None


FRESH = """
import jax, shoal as sh
from jax._src import monitoring
hits = []
monitoring.register_event_listener(lambda name, **_: hits.append(name))
recipe = sh.Recipe(sh.Net(sh.Dense(16), sh.Dense(3)), loss="cross_entropy", epochs=2)
run = sh.fit(recipe, sh.data.iris(), show=False)
print(len(jax.devices()), sum("cache_hits" in name for name in hits),
      sum("cache_misses" in name for name in hits))
"""


def in_a_new_process(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.split()


def test_a_new_process_takes_the_programs_from_the_cache(tmp_path):
    settings = {"SHOAL_CACHE_DIR": str(tmp_path), "SHOAL_CPU_DEVICES": "3"}
    devices, hits, _ = in_a_new_process(FRESH, **settings)
    assert (devices, hits) == ("3", "0")
    _, hits, _ = in_a_new_process(FRESH, **settings)
    assert int(hits) >= 2  # fresh and chunk


def test_what_the_user_set_is_left_alone():
    code = "import jax; jax.config.update('jax_compilation_cache_dir', '/nowhere'); jax.devices();"
    code += "import shoal.train; print(len(jax.devices()), jax.config.jax_compilation_cache_dir)"
    assert in_a_new_process(code, SHOAL_CPU_DEVICES="2") == ["1", "/nowhere"]
    flags = "--xla_force_host_platform_device_count=3"
    code = "import shoal.train, jax; print(len(jax.devices()))"
    assert in_a_new_process(code, XLA_FLAGS=flags) == ["3"]


def test_importing_shoal_imports_neither_jax_nor_numpy():
    code = "import sys, shoal; print(*(m in sys.modules for m in ('jax', 'numpy', 'polars')))"
    assert in_a_new_process(code) == ["False", "False", "False"]


def test_float64_leaves_the_rest_of_the_program_in_float32(small):
    run = sh.fit(RECIPE.replace(precision="float64"), small, show=False)
    assert run.record["train_loss"].dtype == np.float64
    assert run.predict_proba(small.inputs).dtype == np.float64
    assert not jax.config.jax_enable_x64
    assert jax.numpy.ones(2).dtype == np.float32


def test_a_training_alters_no_random_state_of_the_user(small):
    np.random.seed(3)
    wanted = np.random.RandomState(3).normal(size=4)
    sh.fit(RECIPE, small, show=False)
    np.testing.assert_array_equal(np.random.normal(size=4), wanted)
