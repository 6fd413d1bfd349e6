"""The second half of the experiments: what they measure with, and their tables.

Generic checks of every experiment, and the findings at small size, are in ``test_experiments``.
"""

import math

import contourpy
import jax
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from sklearn.linear_model import LinearRegression
from sklearn.metrics import log_loss
from test_experiments import LONG, finding

import shoal as sh
from shoal.cli import cli
from shoal.explain.experiments import (
    boundaries,
    contours,
    depths,
    drift,
    dropouts,
    overfitting,
    planes,
    rates,
    searching,
)
from shoal.explain.experiments.animation import animate, counts
from shoal.explain.experiments.experiment import BOUNDS, Size
from shoal.explain.experiments.generated import spirals
from shoal.explain.experiments.trainings import train

SLOW = pytest.mark.slow

# --- optimisers on a bowl ------------------------------------------------------------------------


def twin(name, w, rate):
    """The optimiser of PyTorch that should go the same way."""
    return {
        "gradient descent": lambda: torch.optim.SGD([w], rate),
        "momentum": lambda: torch.optim.SGD([w], rate, momentum=0.9),
        "Nesterov": lambda: torch.optim.SGD([w], rate, momentum=0.9, nesterov=True),
        "AdaGrad": lambda: torch.optim.Adagrad([w], rate, eps=1e-10),
        "RMSprop": lambda: torch.optim.RMSprop([w], rate),
        "AdaDelta": lambda: torch.optim.Adadelta([w], rate, rho=0.9),
        "Adam": lambda: torch.optim.Adam([w], rate),
    }[name]()


@pytest.mark.parametrize("name", contours.OPTIMISERS)
def test_a_path_is_that_of_pytorch(name):
    raw, _ = contours.bowls_of_diabetes(2)
    steps, place = 30, contours.RATES.index(10.0**-2.0)
    found = contours.walk(contours.OPTIMISERS[name], raw, steps)
    assert found.shape == (len(contours.RATES), 2, steps + 1, 2)
    w = torch.tensor(raw.starts[1], requires_grad=True)
    rule, lowest = twin(name, w, 0.01), torch.tensor(raw.lowest)
    for step in range(steps + 1):
        assert found[place, 1, step] == pytest.approx(w.detach().numpy(), rel=1e-6, abs=1e-9)
        rule.zero_grad()
        (0.5 * (w - lowest) @ torch.tensor(raw.curvature) @ (w - lowest)).backward()
        rule.step()


def test_a_bowl_is_the_loss_of_the_linear_model():
    data = sh.data.diabetes()
    x = np.asarray(data.inputs, float)[:, contours.COLUMNS]
    t = (data.targets[:, 0] - data.targets.mean()) / data.targets.std()
    for bowl, inputs in zip(
        contours.bowls_of_diabetes(3),
        (x - x.mean(axis=0), (x - x.mean(axis=0)) / x.std(axis=0)),
        strict=True,
    ):
        solved = LinearRegression().fit(inputs, t)
        assert bowl.lowest == pytest.approx(solved.coef_)
        floor = ((solved.predict(inputs) - t) ** 2).mean() / 2
        for w in (*bowl.starts, np.zeros(2)):
            loss = ((inputs @ w - t) ** 2).mean() / 2
            assert bowl.excess(w) == pytest.approx(loss - floor)
            assert loss - floor == pytest.approx(bowl.excess(np.zeros(2)))
    raw, standard = contours.bowls_of_diabetes(3)
    assert x @ raw.starts.T - x.mean(axis=0) @ raw.starts.T == pytest.approx(
        (x - x.mean(axis=0)) / x.std(axis=0) @ standard.starts.T
    )


def test_a_path_has_arrived_when_it_stays_below(rng):
    for _ in range(200):
        excess = np.concatenate([[1.0], 10.0 ** rng.uniform(-4.0, 0.0, 6)])
        excess[rng.integers(1, 7)] = rng.choice([excess[-1], np.nan, np.inf])
        steps = next((s for s in range(6) if (excess[s:] <= contours.LEVEL).all()), 6)
        assert contours.arrivals(excess) == steps, excess
    assert contours.arrivals(np.array([1.0, 1e-4, 1e-4])) == 1


def test_best_rates_need_the_steps_of_the_table():
    """Gradient descent contracts by (κ − 1) / (κ + 1) in each step at its best rate, κ = λ₁ / λ₂."""
    steps = {r[:2]: 10 ** r[3] for r in finding("input_scaling").result.rows}
    bowls = dict(zip(contours.INPUTS, contours.bowls_of_diabetes(2), strict=True))
    for inputs, bowl in bowls.items():
        low, high = np.linalg.eigvalsh(bowl.curvature)
        factor = (high - low) / (high + low)
        bound = 0.5 * math.log(contours.LEVEL) / math.log(factor)
        # the grid of rates is 10^¼ wide, so the best one may be 10^⅛ too low
        assert steps["gradient descent", inputs] <= 1.4 * bound + 1
    assert steps["gradient descent", "raw"] > 5 * steps["gradient descent", "standardised"]


# --- animation -----------------------------------------------------------------------------------


def test_an_animation_grows_its_paths(tmp_path):
    out = animate(finding("input_scaling"), tmp_path / "new" / "ways.gif", frames=12)
    with Image.open(out) as film:
        assert film.format == "GIF"
        assert film.n_frames > 8
        frames = []
        for number in (0, film.n_frames // 2, film.n_frames - 1):
            film.seek(number)
            frames.append(np.asarray(film.convert("L"), float))
    first, middle, last = frames
    assert np.abs(last - first).sum() > np.abs(middle - first).sum() > 0


def test_frames_show_all_numbers_of_steps_that_are_few():
    assert counts(4, 20) == (0, 1, 2, 3, 4)
    assert counts(1, 9) == (0, 1)
    shown = counts(3000, 40)
    assert shown[-1] == 3000
    assert list(shown) == sorted(set(shown))


def test_what_has_paths_says_so():
    for name in {*RECOMPUTED} - LONG:
        found = finding(name)
        has = any(isinstance(mark, planes.Path) for p in found.picture.panels for mark in p.marks)
        assert has == found.experiment.animated, name


def test_mistakes_with_animations_are_told_before_anything_runs(tmp_path):
    with pytest.raises(sh.RecipeError, match="whose picture has paths"):
        sh.show("rate_decay", animation=tmp_path / "a.gif")
    with pytest.raises(sh.FileError, match="the ending .gif"):
        sh.show("input_scaling", animation=tmp_path / "a.mp4")
    with pytest.raises(sh.RecipeError, match="whose picture has paths"):
        CliRunner().invoke(cli, ["show", "rate_decay", "--animate"], catch_exceptions=False)
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(sh.FileError, match="a folder that can be written"):
        animate(finding("input_scaling"), blocked / "a.gif")


@SLOW
def test_the_command_writes_an_animation_beside_the_picture(tmp_path):
    out = tmp_path / "scaling.svg"
    said = CliRunner().invoke(
        cli,
        ["show", "input-scaling", "--size", "0.05", "--seeds", "2", "--out", str(out), "--animate"],
        catch_exceptions=False,
    )
    assert said.stdout.endswith(f"picture: {out}\nanimation: {tmp_path / 'scaling.gif'}\n")
    assert (tmp_path / "scaling.gif").read_bytes()[:4] == b"GIF8"


# --- rates, boundaries, dropout ------------------------------------------------------------------


def test_the_lowest_loss_is_that_of_least_squares():
    recipe = sh.Recipe(sh.Net(sh.Dense(1)), "mse", sh.SGD(0.01), epochs=1)
    run = sh.fit(recipe, sh.data.diabetes(), show=False)
    x, t = run.prepared.encoded(run.prepared.parts.train, np.dtype(float))
    solved = LinearRegression().fit(x, t)
    assert rates.least_squares(run) == pytest.approx(((solved.predict(x) - t) ** 2).mean())


def test_the_length_of_a_circle_is_two_pi_r_and_that_of_its_contour():
    x, y = np.meshgrid(np.arange(-3, 3, boundaries.CELL), np.arange(-3, 3, boundaries.CELL))
    for radius in (0.5, 1.0, 2.0):
        inside = 1.0 / (1.0 + np.exp(x**2 + y**2 - radius**2))
        found = boundaries.boundary_length(inside)
        assert found == pytest.approx(2 * math.pi * radius, rel=0.04)
        (way,) = contourpy.contour_generator(x, y, inside).lines(0.5)
        drawn = np.hypot(*np.diff(way, axis=0).T).sum()
        assert found == pytest.approx(drawn, rel=0.04)


def test_a_field_is_what_the_network_predicts():
    data = boundaries.noisy_moons()
    assert np.bincount(data.parts).tolist() == list(boundaries.ROWS)
    run = sh.fit(sh.Recipe(sh.mlp([4], 2), "cross_entropy", epochs=2), data, show=False)
    field = boundaries.field_of(run)
    for row, column in ((0, 0), (50, 100), (len(field.y) - 1, len(field.x) - 1)):
        place = np.array([[field.x[column], field.y[row]]])
        assert field.share[row, column] == pytest.approx(run.predict_proba(place)[0, 1], abs=1e-6)


def test_shares_of_rises_are_counted():
    curve = np.array([[3.0, 1.0], [2.0, 2.0], [1.0, 2.0], [1.5, 3.0]])
    assert dropouts.share_of_rises(curve) == pytest.approx([1 / 3, 2 / 3])


# --- shifts between layers -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["batch-norm", pytest.param("layer-norm", marks=SLOW)])
def test_moments_of_layers_are_those_of_numpy(name):
    recipe = sh.Recipe(drift._net(drift.NORMS[name]), "cross_entropy", sh.SGD(0.1), epochs=1)
    run = sh.fit(recipe, sh.data.digits(), show=False)
    found = drift.moments_of([run, run])
    assert found.shape == (2, 2, drift.DEPTH, drift.WIDTH)
    y, _ = run.prepared.encoded(run.prepared.parts.train[: drift.ROWS], np.dtype(float))
    weights = jax.tree.map(lambda a: np.asarray(a[0], float), run.model.parameters)
    axis = 0 if name == "batch-norm" else -1
    for layer in range(drift.DEPTH):
        dense = weights[f"dense{layer + 1}"]
        norm = weights[f"{name.replace('-', '')}{layer + 1}"]
        y = y @ dense["weight"].T + dense["bias"]
        y = (y - y.mean(axis, keepdims=True)) / np.sqrt(y.var(axis, keepdims=True) + 1e-5)
        y = y * norm["scale"] + norm["offset"]
        assert found[0, 0, layer] == pytest.approx(y.mean(axis=0), abs=1e-4)
        assert found[1, 1, layer] == pytest.approx(y.std(axis=0), abs=1e-4)
        y = np.tanh(y)


def test_shifts_are_in_deviations_of_the_epoch_before():
    """One unit moves by 1 of its deviations of 2, and then spreads tenfold where it is."""
    mean, deviation = [1.0, 3.0, 3.0], [2.0, 2.0, 20.0]
    moments = np.array([mean, deviation]).T.reshape(3, 1, 2, 1, 1)
    moved, widened = drift.shifts(moments)
    assert moved.ravel() == pytest.approx([1.0, 0.0])
    assert widened.ravel() == pytest.approx([0.0, 1.0])


def test_a_shorter_training_is_the_beginning_of_a_longer_one():
    """What makes weights of members with fewer epochs those of one training on its way."""
    recipe = sh.Recipe(drift._net(()), "cross_entropy", sh.SGD(0.1), epochs=1)
    variants = {str(epochs): recipe.replace(epochs=epochs) for epochs in (1, 2, 3)}
    done = train(variants, sh.data.digits(), Size(2))
    for epochs in (1, 2):
        curve = done.curve(str(epochs), "train_loss")
        assert (curve == done.curve("3", "train_loss")[:epochs]).all()


# --- depth, rows, search -------------------------------------------------------------------------


def test_shapes_have_the_same_units_and_the_weights_of_the_table():
    for depth, width in depths.SHAPES.items():
        assert depth * width == depths.UNITS
        expected = 3 * width + (depth - 1) * width * (width + 1) + 2 * (width + 1)
        assert depths._weights(depth, width) == expected
    data = spirals(1000, depths.TURNS)
    assert np.bincount(data.targets).tolist() == [500, 500]


def test_shortcuts_add_no_weights_and_keep_the_signal_of_a_deep_network(rng):
    x = rng.normal(size=(64, 64)).astype(np.float32)
    spread = {}
    for shortcut in (False, True):
        net = depths._blocks(12, shortcut)
        assert net.parameter_count((64,)) == 64 * 32 + 32 + 24 * 32 * 33 + 32 * 10 + 10
        weights, _ = net.init(jax.random.key(0), (64,))
        y, _ = net.apply(weights, {}, x, sh.nets.Mode(training=False))
        spread[shortcut] = float(y.std())
    assert 0.5 < spread[True] < 8.0


def test_rows_that_judge_are_the_same_whatever_is_learned_from():
    few, many = (overfitting.some_digits(rows, 0.2) for rows in (50, 800))
    for part, rows in ((1, overfitting.WATCHED), (2, overfitting.HELD_OUT)):
        assert (few.parts == part).sum() == (many.parts == part).sum() == rows
        assert (few.inputs[few.parts == part] == many.inputs[many.parts == part]).all()
        assert (few.targets[few.parts == part] == many.targets[many.parts == part]).all()
    assert (few.parts == 0).sum() == 50
    right = overfitting.some_digits(800, 0.0)
    assert 0.15 < (right.targets != many.targets).mean() < 0.21  # 0.2 · 9/10
    assert len(np.unique(right.inputs, axis=0)) == len(right.inputs)


def test_networks_are_judged_on_held_out_rows():
    data = overfitting.some_digits(50, 0.2)
    run = sh.fit(sh.Recipe(sh.mlp([8], 10), "cross_entropy", epochs=3), data, show=False)
    held_out = data.parts == 2
    share, t = run.predict_proba(data.inputs[held_out]), data.targets[held_out]
    share = share.astype(float) / share.sum(axis=1, keepdims=True, dtype=float)
    expected = log_loss(t, share, labels=range(10))
    assert overfitting.judged([run], "loss") == pytest.approx([expected], rel=1e-3)
    assert overfitting.judged([run], "accuracy") == pytest.approx([(share.argmax(1) == t).mean()])


def test_grids_have_three_places_a_third_apart_on_each_axis():
    grids = searching.grids(50)
    assert grids.shape == searching.draws(50).shape == (50, 9, 2)
    for grid in grids:
        for axis in grid.T:
            places = np.unique(axis.round(12))
            assert np.diff(places) == pytest.approx([1 / 3, 1 / 3])
        assert ((grid >= 0) & (grid < 1)).all()
    assert grids.mean() == pytest.approx(0.5, abs=0.06)
    assert searching.draws(50).mean() == pytest.approx(0.5, abs=0.03)
    assert searching._distinct(grids[..., 0]).tolist() == [3.0] * 50


@SLOW
def test_a_trial_is_the_training_of_its_settings():
    points = np.array([[[0.7, 0.5], [1.0, 0.0]]])
    tried = searching.settings(points, (-4.0, 3.0))
    assert tried[0, 0] == pytest.approx([0.9, -4.0])
    (found,) = searching.validation_losses([tried], Size(2, 0.1))
    recipe = sh.Recipe(sh.mlp([16], 10), "cross_entropy", sh.SGD(10**-0.5), l2=1e-4, epochs=2)
    good = np.array([[[-0.5, -4.0]]])
    alone = sh.fit(recipe, sh.data.digits(), show=False)
    (again,) = searching.validation_losses([good], Size(2, 0.1))
    assert again[0, 0] == pytest.approx(alone.record["validation_loss"][-1, 0], rel=1e-4)
    assert found[0, 1] == pytest.approx(math.log(10.0))  # at a rate of 1,000


# --- the tables ----------------------------------------------------------------------------------


def table(name):
    """Mean of each quantity by label and name: {(label, ...): {quantity: mean}}."""
    found = finding(name).result
    words = len(found.columns) - 3 * found.columns.count(BOUNDS[0])
    places = [k for k in range(words, len(found.columns)) if found.columns[k] not in BOUNDS]
    return {r[:words]: {found.columns[k]: r[k] for k in places} for r in found.rows}


def one(name):
    return {key[0]: numbers for key, numbers in table(name).items()}


def input_scaling():
    steps = {key[:2]: numbers["log10 of steps"] for key, numbers in table("input_scaling").items()}
    lost = {n: steps[n, "raw"] - steps[n, "standardised"] for n in contours.OPTIMISERS}
    raw = {n: steps[n, "raw"] for n in lost}
    return (
        lost["gradient descent"],
        raw["gradient descent"] - raw["momentum"],
        lost["gradient descent"] - lost["Adam"],
    )


def learning_rate():
    losses = {rate: n["log10 of training loss"] for rate, n in one("learning_rate").items()}
    words = finding("learning_rate").result.comparisons[0].what
    good = next(rate for rate in losses if f"than at {rate} by" in words)
    assert losses[good] <= min(losses.values()) + 0.1
    low, *_, high = losses
    return losses[low] - losses[good], losses[high] - losses[good]


def rate_decay():
    above = {n: v["log10 of loss above the lowest"] for n, v in one("rate_decay").items()}
    best = {n.split(",")[0]: math.inf for n in above}
    for n, value in above.items():
        best[n.split(",")[0]] = min(value, best[n.split(",")[0]])
    return [best["constant"] - best[kind] for kind in best if kind != "constant"]


def regularised_boundary():
    found = one("regularised_boundary")
    best = {
        kind: min((n["validation loss"], label) for label, n in found.items() if kind in label)[1]
        for kind in ("L2", "dropout")
    }
    return [
        found["none"][what] - found[best[kind]][what]
        for kind in ("L2", "dropout")
        for what in ("length of boundary", "held-out loss")
    ]


def dropout_cost():
    up, cost, quiet = "share of steps up", "log10 of last cost", "log10 of it without noise"
    off, *_, on = one("dropout_cost").values()
    return off[up], on[up] - off[up], on[cost] - on[quiet]


def shifting_layers():
    found = table("shifting_layers")

    def mean(name, what):
        return np.mean([n[what] for (own, _), n in found.items() if own == name])

    return [
        mean("none", what) - mean(name, what)
        for what in ("shift of the mean", "shift of the spread")
        for name in ("batch-norm", "layer-norm")
    ]


def depth_or_width():
    best = {}
    for (label, _), numbers in table("depth_or_width").items():
        best.setdefault(label[0], []).append(tuple(numbers.values()))
    right = {depth: min(found)[1] for depth, found in best.items()}
    return [right[depth] - right["1"] for depth in right if depth != "1"]


def residual_depth():
    # The best rate is that of the lowest mean loss; with two seeds after two epochs it is also
    # that of the lowest mean of logarithms.
    best = {}
    for label, numbers in one("residual_depth").items():
        kind = label.rsplit(", rate", 1)[0]
        best[kind] = min(best.get(kind, math.inf), numbers["log10 of training loss"])
    (plain, residual, deep_plain, deep_residual) = best.values()
    return deep_plain - plain, deep_plain - deep_residual, residual - deep_residual


def early_stopping():
    end, early = one("early_stopping").values()
    loss, right = "log10 of held-out loss", "right on held-out"
    return end[loss] - early[loss], early[right] - end[right]


def more_rows():
    found = table("more_rows")
    loss, right = "log10 of held-out loss", "right on held-out"
    few, many = min(rows for _, rows in found), max(rows for _, rows in found)
    return [
        difference
        for labels in ("right labels", "noisy labels")
        for difference in (
            found[labels, many][right] - found[labels, few][right],
            found[labels, few][loss] - found[labels, many][loss],
        )
    ]


def grid_or_random():
    best = {key: n["log10 of best validation loss"] for key, n in table("grid_or_random").items()}
    return [best["grid", width] - best["random", width] for width in searching.RATES]


RECOMPUTED = {
    function.__name__: function
    for function in (
        input_scaling, learning_rate, rate_decay, regularised_boundary, dropout_cost,
        shifting_layers, depth_or_width, residual_depth, early_stopping, more_rows, grid_or_random,
    )
}  # fmt: skip


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[SLOW] * (name in LONG)) for name in RECOMPUTED]
)
def test_comparisons_follow_from_the_table(name):
    comparisons = finding(name).result.comparisons
    expected = RECOMPUTED[name]()
    assert [c.interval.mean for c in comparisons] == pytest.approx(list(expected), abs=1e-9)


def test_every_experiment_of_this_half_is_recomputed():
    files = (contours, rates, boundaries, dropouts, drift, depths, overfitting, searching)
    assert {e.name for file in files for e in file.EXPERIMENTS} == set(RECOMPUTED)
