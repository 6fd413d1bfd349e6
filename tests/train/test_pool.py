"""The promises of the pool: a member equals itself alone, compiles once, is not touched by others."""

import jax
import numpy as np
import pytest

import shoal as sh
from shoal.arrays import flatten
from shoal.errors import DeviceError, RecipeError
from shoal.train.pool import Pool
from shoal.train.programs import group_size
from shoal.train.settings import Settings

from contracts.tables import LAYERS, LOSSES, OPTIMISERS, SCHEDULES, data_for

MLP = sh.Net(sh.Dense(8), sh.ReLU(), sh.Dense(3))
TOLERANCE = {"float32": 1e-4, "float64": 1e-9}
EPOCHS = 100 // 5 + 1  # of 5 steps each: more than 100 steps


def make(recipes, data, layout="batched", slots=None, start=0, **settings):
    prepared = recipes[0].prepare(data)
    pool = Pool(recipes[0], prepared, slots or len(recipes), Settings(layout=layout, **settings))
    pool.epoch = start
    return pool


def losses(pool, epochs=EPOCHS):
    parts = []
    end = pool.epoch + epochs
    while pool.epoch < end:
        info = pool.run(end - pool.epoch)
        parts.append(np.stack([info["train_loss"], info["validation_loss"]]))
    return np.concatenate(parts, axis=2)  # (2, K, epochs)


def variants(recipe, count):
    """Recipes of one signature that differ in their numbers."""
    rate = recipe.optimiser.learning_rate
    return [
        recipe.edit({"seed": k, "optimiser.learning_rate": rate * (0.5 + 0.25 * k)})
        for k in range(count)
    ]


def assert_members_equal_themselves_alone(recipe, data, layouts=("batched",), slots=4):
    recipes = variants(recipe.replace(epochs=1000), slots - 1)
    # 100 steps or more. L-BFGS divides by differences of gradients, so that roundings of any two
    # programs grow from step to step: it is held to the tolerance over 21 steps.
    full = recipe.batch_size == "full" and recipe.optimiser.kind != "LBFGS"
    epochs = 100 if full else EPOCHS
    together = {}
    for layout in layouts:
        pool = make(recipes, data, layout, slots)
        pool.place(dict(enumerate(recipes, start=1)))  # slot 0 stays empty
        together[layout] = losses(pool, epochs)
    for k, one in enumerate(recipes, start=1):
        pool = make([one], data)
        pool.place({0: one})
        alone = losses(pool, epochs)[:, 0]
        for layout, found in together.items():
            tolerance = TOLERANCE[recipe.precision]
            np.testing.assert_allclose(found[:, k], alone, rtol=tolerance, err_msg=layout)


def recipe(net=MLP, **changes):
    usual = {"loss": "cross_entropy", "optimiser": sh.Adam(0.01), "batch_size": 16}
    return sh.Recipe(net, **(usual | changes))


PRECISIONS = pytest.mark.parametrize("precision", ["float32", "float64"])
FLOAT64_FIRST = pytest.mark.parametrize(
    "precision", ["float64", pytest.param("float32", marks=pytest.mark.slow)]
)


def cases(table, quick):
    """All names of a table, those not in ``quick`` behind the mark for long proofs."""
    return [n if n in quick else pytest.param(n, marks=pytest.mark.slow) for n in table]


# One of each kind of state; the others are run behind the mark.
KINDS = ["sgd", "momentum", "adadelta", "adam", "adamw", "nadam", "lamb", "rprop", "muon",
    "lbfgs searching"]  # fmt: skip


@pytest.mark.table(every=3)
@pytest.mark.parametrize("name", cases(OPTIMISERS, KINDS))
def test_every_optimiser_in_a_pool_equals_alone(name, small):
    assert_members_equal_themselves_alone(optimised(name, "float64"), small)


def optimised(name, precision):
    """Optimisers for full batches get them: on small ones they amplify every rounding."""
    optimiser = OPTIMISERS[name]
    batch = "full" if optimiser.full_batch else 16
    return recipe(optimiser=optimiser, batch_size=batch, precision=precision)


@pytest.mark.parametrize("name", cases(OPTIMISERS, []))
def test_every_optimiser_in_a_pool_equals_alone_in_float32(name, small):
    assert_members_equal_themselves_alone(optimised(name, "float32"), small)


@pytest.mark.table(every=2)
@pytest.mark.parametrize(
    "name", cases(LOSSES, ["huber", "cross entropy smoothed", "focal", "poisson", "custom"])
)
def test_every_loss_in_a_pool_equals_alone(name):
    loss = LOSSES[name]
    data = data_for(loss)
    net = sh.Net(sh.Dense(8), sh.Tanh(), sh.Dense(data.width))
    assert_members_equal_themselves_alone(recipe(net, loss=loss, precision="float64"), data)


@pytest.mark.parametrize("name", cases(SCHEDULES, ["warm up", "plateau"]))
def test_every_schedule_in_a_pool_equals_alone(name, small):
    one = recipe(schedule=SCHEDULES[name], precision="float64")
    assert_members_equal_themselves_alone(one, small)


MIXED = sh.Net(
    sh.Conv(4, 3),
    sh.BatchNorm(),
    sh.ReLU(),
    sh.MaxPool(2),
    sh.Residual(sh.Conv(6, 3), sh.LayerNorm(), sh.Dropout(0.1), shortcut="projection"),
    sh.AvgPool(2),
    sh.Flatten(),
    sh.Dense(3),
)


@FLOAT64_FIRST
def test_many_layers_in_a_pool_equal_alone(precision, pictures):
    one = recipe(MIXED, optimiser=sh.SGD(0.02), precision=precision)
    assert_members_equal_themselves_alone(one, pictures, ("batched", "sequential"))


@PRECISIONS
@pytest.mark.parametrize("name", cases(LAYERS, []))
def test_every_layer_in_a_pool_equals_alone(name, precision, rng):
    layer, in_shape = LAYERS[name]
    labels = np.arange(90) % 3
    inputs = rng.normal(size=(90, *in_shape))
    inputs[(np.arange(90), *(0 for _ in in_shape))] += labels
    net = sh.Net(layer, sh.Flatten(), sh.Dense(3))
    one = recipe(net, optimiser=sh.SGD(0.02), precision=precision)
    assert_members_equal_themselves_alone(one, sh.data.arrays(inputs, labels))


def test_a_pool_of_one_is_bit_equal_to_fit(small):
    one = recipe(sh.Net(sh.Dense(8), sh.Dropout(0.2), sh.Dense(3)), epochs=7)
    run = sh.fit(one, small, show=False)
    pool = make([one], small)
    pool.place({0: one})
    np.testing.assert_array_equal(losses(pool, 7)[0, 0], run.record["train_loss"][:, 0])
    alone, kept = flatten(pool.member(0).parameters), flatten(run.model.parameters)
    for path, array in alone.items():
        np.testing.assert_array_equal(array, kept[path][0])


@pytest.mark.parametrize("layout", ["batched", "sequential"])
def test_a_dead_member_changes_no_bit_of_the_others(layout, small):
    """The same pool twice, once with a member whose loss overflows after some steps."""
    healthy = variants(recipe(sh.Net(sh.Dense(8), sh.BatchNorm(), sh.Dense(3)), optimiser="sgd"), 4)
    deadly = healthy[1].edit({"optimiser.learning_rate": 1e18})
    states = []
    for second in (healthy[1], deadly):
        recipes = [healthy[0], second, *healthy[2:]]
        pool = make(recipes, small, layout)
        pool.place(dict(enumerate(recipes)))
        record = losses(pool, 6)
        states.append((record, jax.tree.map(np.asarray, pool.members)))
    (record_a, a), (record_b, b) = states
    assert b.status[1] == sh.Status.NOT_FINITE
    others = [0, 2, 3]
    np.testing.assert_array_equal(record_a[:, others], record_b[:, others])
    for path, array in flatten(a).items():
        np.testing.assert_array_equal(array[others], flatten(b)[path][others], err_msg=path)
        assert np.isfinite(flatten(b)[path][1]).all() or "best" in path or "last" in path, path


def test_a_dead_member_keeps_its_last_finite_weights(small):
    """With a rate of 1e25 the first step is finite and the loss of the second is not."""
    one = recipe(optimiser=sh.SGD(1e25), batch_size="full")
    pool = make([one], small)
    pool.place({0: one})
    pool.run(1)
    after_one_step = pool.member(0)
    assert after_one_step.status == sh.Status.RUNNING
    info = pool.run(3)
    dead = pool.member(0)
    assert dead.status == sh.Status.NOT_FINITE
    assert dead.step == 1
    assert np.isnan(info["train_loss"]).all()
    for path, array in flatten(after_one_step.parameters).items():
        assert np.isfinite(array).all()
        np.testing.assert_array_equal(array, flatten(dead.parameters)[path])


def test_a_refilled_slot_changes_no_bit_of_the_others(small):
    recipes = variants(recipe(), 4)
    undisturbed, refilled = (make(recipes, small) for _ in range(2))
    for pool in (undisturbed, refilled):
        pool.place(dict(enumerate(recipes)))
        losses(pool, 3)
    refilled.clear([2])
    refilled.place({2: recipes[0].replace(seed=77)})
    a, b = losses(undisturbed, 3), losses(refilled, 3)
    np.testing.assert_array_equal(a[:, [0, 1, 3]], b[:, [0, 1, 3]])
    assert (a[:, 2] != b[:, 2]).all()


def test_a_member_placed_late_is_repeated_alone_by_its_start_epoch(small):
    """Common batches: what a member sees depends on the global epoch at which it began."""
    recipes = variants(recipe(precision="float64"), 3)
    pool = make(recipes, small)
    pool.place({0: recipes[0], 1: recipes[1]})
    losses(pool, 4)
    pool.place({2: recipes[2]})
    late = losses(pool, 5)[:, 2]
    repeated = make([recipes[2]], small, start=4)
    repeated.place({0: recipes[2]})
    np.testing.assert_allclose(late, losses(repeated, 5)[:, 0], rtol=1e-12)
    from_zero = make([recipes[2]], small)
    from_zero.place({0: recipes[2]})
    assert (late != losses(from_zero, 5)[:, 0]).all()


def test_one_signature_compiles_once(small):
    """Refills, other numbers, other seeds: no further compilation, and a second pool has none."""
    recipes = variants(recipe(sh.Net(sh.Dense(9), sh.Dropout(0.1), sh.Dense(3)), l2=0.1), 12)
    pool = make(recipes[:4], small)
    for start in range(0, 12, 4):
        pool.clear(range(4))
        pool.place(dict(enumerate(recipes[start : start + 4])))
        losses(pool, 3)
    assert pool.programs.compilations == {"fresh": 1, "clear": 1, "chunk": 1}
    again = make(recipes[:4], small)
    assert again.programs is pool.programs


def test_a_recipe_of_another_signature_is_refused(small):
    pool = make([recipe()], small)
    with pytest.raises(RecipeError, match=r"needs the signature of its pool.*units: 8 -> 9"):
        pool.place({0: recipe().edit({"net.layers[0].units": 9})})


def test_members_spread_over_all_devices(small):
    recipes = variants(recipe(), 4)
    pool = make(recipes, small)
    pool.place(dict(enumerate(recipes)))
    assert pool.mesh.devices.size == len(jax.devices()) == 2
    shards = pool.members.parameters["dense1"]["weight"].addressable_shards
    assert {shard.data.shape[0] for shard in shards} == {2}
    one_device = make(recipes, small, devices=jax.devices()[:1])
    one_device.place(dict(enumerate(recipes)))
    np.testing.assert_allclose(losses(one_device, 5), losses(pool, 5), rtol=1e-5)


def test_groups_without_members_change_no_bit_of_the_others(small):
    """Two devices with 16 slots each, in groups of 8, of which two hold members and two none."""
    recipes = variants(recipe(), 32)
    full, sparse = (make(recipes, small) for _ in range(2))
    assert full.programs.group == 8
    full.place(dict(enumerate(recipes)))
    chosen = [1, 7, *range(24, 32)]
    sparse.place({k: recipes[k] for k in chosen})
    a, b = losses(full, 5), losses(sparse, 5)
    np.testing.assert_array_equal(a[:, chosen], b[:, chosen])
    np.testing.assert_array_equal(np.isnan(b[0, :, 0]), ~np.isin(np.arange(32), chosen))


@pytest.mark.parametrize("slots", [1, 2, 7, 8, 9, 12, 13, 16, 24, 31, 64])
def test_groups_are_equal_and_not_tiny(slots):
    size = group_size(slots, 8)
    assert slots % size == 0
    assert 4 <= size <= 8 or size == slots


@pytest.mark.parametrize("layout", ["batched", "sequential"])
def test_streaming_gives_the_bits_of_resident_data(layout, small):
    """Blocks of two batches, the last one smaller, of an epoch with a ragged last batch."""
    recipes = variants(recipe(batch_size=11), 3)
    resident, streamed = (make(recipes, small, layout, 4, block_rows=rows) for rows in (None, 25))
    assert streamed.feed.steps_per_block == 2
    for pool in (resident, streamed):
        pool.place(dict(enumerate(recipes)))
    np.testing.assert_allclose(losses(streamed, 6), losses(resident, 6), rtol=1e-6)
    assert streamed.programs.compilations.keys() >= {"block", "finish"}
    assert streamed.programs.compilations["block"] == 1


DIVIDED = {
    "convolutions": sh.Net(sh.Conv(4, 3), sh.ReLU(), sh.MaxPool(2), sh.Flatten(), sh.Dense(3)),
    "batch-norm and dropout": sh.Net(
        sh.Conv(4, 3, bias=False),
        sh.BatchNorm(),
        sh.ReLU(),
        sh.Dropout(0.3),
        sh.Flatten(),
        sh.Dense(3),
    ),
}


@pytest.mark.table(every=3)
@pytest.mark.parametrize("precision", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
@pytest.mark.parametrize("batch_size", [32, 48], ids=["full", "ragged"])
@pytest.mark.parametrize("name", DIVIDED)
def test_devices_that_share_batches_learn_what_one_learns(name, batch_size, precision):
    """Also the moments of batch-norm, the masks of dropout, L2, clipping and every metric."""
    rng = np.random.default_rng(3)
    data = sh.data.arrays(rng.normal(size=(80, 6, 6, 1)), rng.integers(0, 3, 80))
    one = recipe(
        DIVIDED[name], batch_size=batch_size, precision=precision, l2=0.1, clip=sh.ClipByNorm(1.0),
        epochs=1000, metrics=("accuracy", "log_loss", "roc_auc"),
        preparation=sh.Preparation("none", "none", sh.Split(validation=0.2)),
    )  # fmt: skip
    found = {}
    for layout in ("sequential", "divided"):
        pool = make([one], data, layout)
        pool.place({0: one})
        found[layout] = pool.run(8) | {"mean": flatten(pool.members.statistics)}
    assert pool.mesh.devices.size == 2 and pool.programs.plan.layout == "divided"
    alone, shared = found.values()
    assert alone.keys() == shared.keys()
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(b, a, rtol=TOLERANCE[precision]), alone, shared
    )


def test_streaming_when_devices_share_batches(small):
    one = recipe(batch_size=32, preparation=sh.Preparation(split=sh.Split(validation=0)))
    pools = [make([one], small, "divided", block_rows=rows) for rows in (None, 40)]
    for pool in pools:
        pool.place({0: one})
    infos = [pool.run(1) for pool in pools]
    for name, values in infos[0].items():
        np.testing.assert_allclose(infos[1][name], values, rtol=1e-6, err_msg=name)


def test_only_a_pool_of_one_can_be_divided(small):
    with pytest.raises(DeviceError, match="a pool of one slot"):
        make([recipe()], small, "divided", slots=2)


def test_predicted_memory_grows_with_the_slots(small):
    sizes = []
    for slots in (2, 4):
        pool = make([recipe(sh.Net(sh.Dense(200), sh.Dense(3)))], small, slots=slots)
        sizes.append(pool.bytes_needed())
    weights = 3 * 4 * (6 * 200 + 200 + 200 * 3 + 3)  # weights, and Adam's two means, in float32
    assert sizes[1] - sizes[0] > 0.9 * weights  # one member more on each device
