"""Linear regions against brute force: sign patterns by linear programming, dense evaluation."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from click.testing import CliRunner
from scipy.optimize import linprog

import shoal as sh
from shoal.cli import cli
from shoal.explain.regions.moons import two_moons
from shoal.nets import Mode

BOX = ((-1.5, 2.0), (-1.0, 1.0))
PNG = b"\x89PNG\r\n\x1a\n"


def drawn(net, shape, seed=0, spread=0.5):
    """Parameters with biases that are not 0, float64 on the host."""
    parameters, _ = net.init(jax.random.key(seed), shape)
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda a: np.asarray(a, float) + spread * rng.normal(size=a.shape), parameters
    )


def perceptron(parameters, x, slope=0.0):
    """A network of Dense and (leaky) ReLU by hand: outputs, and the signs of all hidden units."""
    signs = []
    layers = [parameters[name] for name in sorted(parameters) if name.startswith("dense")]
    for layer in layers[:-1]:
        z = x @ layer["weight"].T + layer["bias"]
        signs.append(z > 0)
        x = np.where(z > 0, z, slope * z)
    return x @ layers[-1]["weight"].T + layers[-1]["bias"], np.concatenate(signs, axis=-1)


def run(net, parameters, x):
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), parameters)
        statistics = {"batchnorm1": {"mean": jnp.zeros(6), "variance": jnp.ones(6)}}
        y = jax.jit(lambda w, x: net.apply(w, statistics, x, Mode(False))[0])(wide, jnp.asarray(x))
        return np.asarray(y).reshape(len(x), -1)


def feasible_patterns(parameters, box, slope):
    """Every sign pattern that some point strictly inside the box has: one linear program for each.

    It maximises the distance to all constraints; a pattern counts when that is positive.
    """
    layers = [parameters[name] for name in sorted(parameters)][:-1]

    def grow(done, weight, bias, rows, bounds):
        if len(done) == len(layers):
            yield tuple(bit for bits in done for bit in bits)
            return
        layer = layers[len(done)]
        w, b = layer["weight"] @ weight, layer["weight"] @ bias + layer["bias"]
        for bits in itertools.product((0, 1), repeat=len(b)):
            sign = np.where(bits, -1.0, 1.0)
            more = [*rows, *(sign[:, None] * w)]
            limits = [*bounds, *(-sign * b)]
            if inside(more, limits, box):
                scale = np.where(bits, 1.0, slope)
                yield from grow([*done, bits], scale[:, None] * w, scale * b, more, limits)

    return set(grow([], np.eye(2), np.zeros(2), [], []))


def inside(rows, limits, box):
    """Whether rows @ x <= limits with room to spare, for some x of the box."""
    a, b = np.array(rows), np.array(limits)
    norms = np.linalg.norm(a, axis=1)
    if (b[norms == 0] <= 0).any():
        return False
    a, b, norms = a[norms > 0], b[norms > 0], norms[norms > 0]
    if not len(a):
        return True
    found = linprog([0, 0, -1], np.column_stack([a, norms]), b, bounds=[*box, (None, 1)])
    return found.status == 0 and found.x[2] > 1e-9


@pytest.mark.parametrize(
    "widths, seed, slope",
    [([4], 0, 0.0), ([6], 1, 0.0), ([3, 3], 2, 0.0), ([4, 3], 3, 0.2), ([2, 3, 2], 4, 0.0)],
)
def test_the_patterns_are_those_that_linear_programs_find(widths, seed, slope):
    net = sh.mlp(widths, 1, sh.LeakyReLU(slope) if slope else None)
    parameters = drawn(net, (2,), seed)
    info = sh.regions(net, parameters, BOX)
    found = {tuple(region.pattern) for region in info.regions}
    assert len(found) == info.number
    assert found == feasible_patterns(parameters, BOX, slope)


@pytest.mark.parametrize("widths", [[8], [6, 5], [5, 4, 3]])
def test_against_a_dense_grid(widths):
    net = sh.mlp(widths, 2)
    parameters = drawn(net, (2,), 7)
    info = sh.regions(net, parameters, BOX)
    x, y = (np.linspace(*side, 301) for side in BOX)
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    _, signs = perceptron(parameters, points)
    seen, counts = np.unique(signs, axis=0, return_counts=True)
    by_pattern = {tuple(region.pattern): region for region in info.regions}
    cell = (x[1] - x[0]) * (y[1] - y[0])
    for pattern, count in zip(seen, counts, strict=True):
        region = by_pattern[tuple(pattern.astype(int))]
        around = np.linalg.norm(
            np.diff(region.polygon, axis=0, append=region.polygon[:1]), axis=1
        ).sum()
        assert region.area == pytest.approx(count * cell, abs=0.02 * around + 3 * cell)
    missed = [r for p, r in by_pattern.items() if p not in set(map(tuple, seen.astype(int)))]
    assert all(region.area < 0.01 for region in missed)  # only slivers slip through the grid


@pytest.mark.parametrize(
    "net",
    [
        sh.mlp([9, 7], 3),
        sh.mlp([6, 6], 1, sh.PReLU(0.3)),
        sh.mlp([5, 4], 1, sh.HardSigmoid()),
        sh.Net(sh.Dense(6), sh.BatchNorm(), sh.RReLU(), sh.Residual(sh.Dense(6), sh.ReLU()), sh.Dense(2)),
        sh.Net(
            sh.Concat(a=sh.Sequential(sh.Dense(4), sh.ReLU()), b=sh.Identity()),
            sh.Add(a=sh.Sequential(sh.Dense(4), sh.LeakyReLU()), b=sh.Dense(4), c=sh.Sequential(sh.Dense(4), sh.ReLU())),
            sh.Residual(sh.Dense(5), sh.ReLU(), shortcut="projection"),
            sh.Dense(1),
        ),
        sh.Net(sh.Dense(12), sh.Reshape((6, 2)), sh.MaxPool(3, stride=2, padding=1), sh.GlobalMaxPool(), sh.Dense(2)),
        sh.Net(sh.Dense(3)),
    ],
    ids=["relu", "prelu", "hard sigmoid", "residual", "branches", "max pool", "affine"],
)  # fmt: skip
def test_each_region_is_convex_fills_its_share_and_has_its_map(net, rng):
    parameters = drawn(net, (2,), 5)
    info = sh.regions(net, parameters, BOX)
    assert sum(region.area for region in info.regions) == pytest.approx(3.5 * 2.0, rel=1e-12)
    assert len({tuple(region.pattern) for region in info.regions}) == info.number
    shares = [rng.dirichlet(np.ones(len(region.polygon)), size=3) for region in info.regions]
    points = np.concatenate([s @ r.polygon for s, r in zip(shares, info.regions, strict=True)])
    mapped = [
        s @ r.polygon @ r.weight.T + r.bias for s, r in zip(shares, info.regions, strict=True)
    ]
    np.testing.assert_allclose(
        np.concatenate(mapped), run(net, parameters, points), rtol=1e-8, atol=1e-8
    )
    for region in info.regions:
        sides = np.roll(region.polygon, -1, axis=0) - region.polygon
        after = np.roll(sides, -1, axis=0)
        assert (sides[:, 0] * after[:, 1] - sides[:, 1] * after[:, 0] > -1e-9).all()
    inside = info.at(points[-1])
    np.testing.assert_allclose(inside.weight @ points[-1] + inside.bias, mapped[-1][-1], atol=1e-8)


IMAGES = sh.Net(
    sh.Conv(4, 3), sh.ReLU(), sh.MaxPool(2), sh.Residual(sh.Conv(4, 3), sh.LeakyReLU()),
    sh.AvgPool(2), sh.Flatten(), sh.Dense(5), sh.PReLU(), sh.Dense(3),
)  # fmt: skip


@pytest.mark.parametrize("net, shape", [(sh.mlp([8, 8, 8], 2), (5,)), (IMAGES, (8, 8, 1))])
def test_along_a_line_the_pieces_equal_dense_evaluation(net, shape, rng):
    parameters = drawn(net, shape, 3, spread=0.2)
    start, stop = rng.normal(size=(2, *shape))
    info = sh.regions_along(net, parameters, start, stop)
    t = np.linspace(0, 1, 5001)
    inputs = start + t.reshape(-1, *(1,) * len(shape)) * (stop - start)
    np.testing.assert_allclose(info.at(t), run(net, parameters, inputs), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(
        info.values, run(net, parameters, info.points), rtol=1e-9, atol=1e-10
    )
    assert (np.diff(info.t) > 0).all()
    assert (info.t[0], info.t[-1]) == (0.0, 1.0)
    assert (info.patterns[1:] != info.patterns[:-1]).any(axis=1).all()  # no piece cut in two


def test_along_a_line_every_change_of_sign_is_a_breakpoint(rng):
    net = sh.mlp([10, 10], 1)
    parameters = drawn(net, (4,), 1)
    start, stop = 3 * rng.normal(size=(2, 4))
    info = sh.regions_along(net, parameters, start, stop)
    t = np.linspace(0, 1, 50_001)
    _, signs = perceptron(parameters, start + t[:, None] * (stop - start))
    jumps = np.flatnonzero((signs[1:] != signs[:-1]).any(axis=1))
    np.testing.assert_allclose(info.t[1:-1], (t[jumps] + t[jumps + 1]) / 2, atol=2e-5)
    middles = (info.t[1:] + info.t[:-1]) / 2
    _, there = perceptron(parameters, start + middles[:, None] * (stop - start))
    np.testing.assert_array_equal(info.patterns, there.astype(int))


def test_a_plane_through_images(rng):
    parameters = drawn(IMAGES, (8, 8, 1), 3, spread=0.2)
    a, b, c = rng.normal(size=(3, 8, 8, 1))
    info = sh.regions(IMAGES, parameters, ((0.2, 0.4), (0.5, 0.7)), plane=(a, b - a, c - a))
    point = np.array([0.3, 0.6])
    region = info.at(point)
    image = a + 0.3 * (b - a) + 0.6 * (c - a)
    np.testing.assert_allclose(
        region.weight @ point + region.bias, run(IMAGES, parameters, image[None])[0], rtol=1e-9
    )
    assert sum(r.area for r in info.regions) == pytest.approx(0.04, rel=1e-12)


@pytest.fixture(scope="module")
def model():
    """Trained on two moons in other units, 100 ± 10 and ± 3."""
    data = two_moons(120)
    moved = sh.data.arrays(data.inputs * [10, 3] + [100, 0], data.targets, task="classification")
    net = sh.Net(sh.Dense(5), sh.ReLU(), sh.Dense(1), sh.Sigmoid())
    return sh.fit(
        sh.Recipe(net, loss="binary_cross_entropy", epochs=3), moved, show=False, signals="none"
    ).model


def test_a_trained_model_takes_raw_units(model):
    info = sh.regions(model, box=((80, 130), (-3, 5)))
    for point in ([90.0, 1.0], [111.0, -2.0], [125.5, 4.0]):
        region = info.at(point)
        z = region.weight @ point + region.bias
        probability = model.predict_proba(np.array([point]))[0, 1]
        assert 1 / (1 + np.exp(-z[0])) == pytest.approx(probability, rel=1e-4)


# --- bounds --------------------------------------------------------------------------------------


def serra_by_hand(widths, inputs):
    """The sum over all (j_1, ..., j_L), as it stands in the paper."""
    total = 0
    for js in itertools.product(*(range(n + 1) for n in widths)):
        room, term = inputs, 1
        for n, j in zip(widths, js, strict=True):
            if j > min(room, n):
                term = 0
                break
            term *= np.prod([n - i for i in range(j)]) // np.prod([i + 1 for i in range(j)])
            room = min(room, n - j)
        total += int(term)
    return total


@pytest.mark.parametrize(
    "widths, inputs",
    [([3], 2), ([1, 1], 1), ([2, 2], 1), ([3, 2, 3], 2), ([2, 4, 3], 3), ([4, 1, 4], 2)],
)
def test_the_sum_of_serra_and_the_order_of_the_bounds(widths, inputs):
    bounds = sh.region_bounds(widths, inputs)
    assert bounds.serra == serra_by_hand(widths, inputs)
    assert 1 <= bounds.reached <= bounds.serra <= bounds.raghu <= bounds.patterns


@pytest.mark.parametrize(
    "widths, inputs, expected",
    [
        ([3], 2, (7, 7, 7, 8)),  # three lines make seven parts
        ([4], 1, (5, 5, 5, 16)),  # four points make five
        ([2, 2], 1, (6, 9, 9, 16)),  # 2 folds · 3; (1 + 2)(1 + 2)
        ([1, 1], 1, (2, 3, 4, 4)),  # the flat side of the first ReLU is not cut again
        ([4, 4], 2, (44, 121, 121, 256)),  # (4 / 2)² · 11; 11 · 11
    ],
)
def test_bounds_by_hand(widths, inputs, expected):
    assert tuple(sh.region_bounds(widths, inputs)) == expected


@pytest.mark.parametrize("units", [1, 2, 5, 9])
def test_one_layer_in_general_position_reaches_the_arrangement(units):
    net = sh.mlp([units], 1)
    info = sh.regions(net, drawn(net, (2,), 11), ((-1e4, 1e4), (-1e4, 1e4)))
    assert info.number == sh.region_bounds([units], 2).serra


def test_no_network_has_more_regions_than_the_bounds():
    for seed, widths in enumerate([[3, 3], [2, 3, 2], [4, 2, 4]]):
        net = sh.mlp(widths, 1)
        info = sh.regions(net, drawn(net, (2,), seed), ((-50, 50), (-50, 50)))
        assert info.number <= sh.region_bounds(widths, 2).serra


# --- folding and approximation -------------------------------------------------------------------


@pytest.mark.parametrize("depth, folds", [(1, 2), (4, 2), (8, 2), (3, 3), (2, 5)])
def test_folding_multiplies_the_pieces(depth, folds):
    net, parameters = sh.folding_net(depth, folds=folds)
    info = sh.regions_along(net, parameters, [0.0], [1.0])
    assert info.number == folds**depth
    x = np.linspace(0, 1, 999)
    y = x
    for _ in range(depth):  # the triangle wave of period 2 / folds, in closed form
        y = np.abs((folds * y) % 2.0 - 2.0 * ((folds * y) % 2.0 > 1.0))
    np.testing.assert_allclose(info.at(x)[:, 0], y, atol=1e-9)


def test_folding_a_plane():
    net, parameters = sh.folding_net(2, inputs=2)
    info = sh.regions(net, parameters, ((0, 1), (0, 1)))
    assert info.number == 16
    assert all(region.area == pytest.approx(1 / 16) for region in info.regions)
    assert {abs(round(np.linalg.det(region.weight))) for region in info.regions} == {16}


def test_the_interpolation_has_the_error_that_the_theory_says():
    """For x² the error between knots at distance h is at most h² / 4, and reached."""
    for units in (1, 4, 10):
        net, parameters = sh.interpolation_net(lambda x: x**2, units, 0.0, 2.0)
        x = np.linspace(0, 2, 40 * units + 1)
        found = run(net, parameters, x[:, None])[:, 0]
        np.testing.assert_allclose(found[::40], x[::40] ** 2, atol=1e-12)
        assert np.abs(found - x**2).max() == pytest.approx((2 / units) ** 2 / 4, rel=1e-9)
        assert sh.regions_along(net, parameters, [0.0], [2.0]).number == units


def test_trained_networks_approximate(tmp_path):
    info = sh.approximation("sine", widths=(8,), depths=(1,), seeds=3, epochs=150)
    (wide,) = info.fits
    assert wide.largest < 0.3
    np.testing.assert_allclose(info.y, np.sin(2 * np.pi * info.x), atol=1e-12)
    assert wide.largest == np.abs(wide.y - info.y).max()
    assert wide.largest in wide.spread
    assert len(wide.spread) == 3
    assert [known.units for known in info.interpolants] == [8]
    # h² max|f''| / 8 with h = 1/8 and max|f''| = 4 π²
    assert 0 < info.interpolants[0].largest <= np.pi**2 / 2 / 64
    assert sh.draw_approximation(info, tmp_path / "a.png").read_bytes().startswith(PNG)


# --- pictures, commands, mistakes ----------------------------------------------------------------


def test_pictures(tmp_path):
    data = two_moons(60)
    for outputs in (1, 2, 3):
        net = sh.mlp([4], outputs)
        info = sh.regions(net, drawn(net, (2,)), BOX)
        assert sh.draw_regions(info, tmp_path / "r.png", data=data).read_bytes().startswith(PNG)
    line = sh.regions_along(net, drawn(net, (2,)), [0.0, 0.0], [1.0, 1.0])
    assert sh.draw_regions_along(line, tmp_path / "l.png").read_bytes().startswith(PNG)
    assert sh.draw_folding(tmp_path / "f.png", depth=2).read_bytes().startswith(PNG)


def command(*arguments):
    return CliRunner().invoke(cli, ["plot", *map(str, arguments)])


def test_the_commands(tmp_path, monkeypatch, model):
    monkeypatch.chdir(tmp_path)
    said = command("regions", "--widths", "3", "--box", "-100,100,-100,100")
    assert said.exit_code == 0, said.output
    assert "7 linear regions" in said.output
    assert "at most 7 regions" in said.output
    model.save("m.safetensors")
    said = command("regions", "--model", "m.safetensors", "--box", "80,130,-3,5", "--out", "m.png")
    assert "linear regions" in said.output
    assert command("folding", "--depth", 1, "--out", "f.png").exit_code == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert names >= {"regions.png", "m.png", "f.png"}
    assert command("regions", "--box", "1,2").exit_code == 2


SMALL = sh.mlp([3], 1)
WEIGHTS = drawn(SMALL, (2,))


@pytest.mark.parametrize(
    "act, message",
    [
        (lambda: sh.regions(SMALL, WEIGHTS, ((1, 0), (0, 1))), "the box needs"),
        (lambda: sh.regions(SMALL, WEIGHTS, (0, 1)), "the box needs"),
        (lambda: sh.regions(SMALL), "needs a Net and its parameters"),
        (lambda: sh.regions(sh.mlp([3], 1, sh.Tanh()), WEIGHTS), r"Tanh\(\) needs a layer made of straight pieces"),
        (lambda: sh.regions(SMALL, WEIGHTS, most=2), "needs at most 2"),
        (lambda: sh.regions(SMALL, drawn(SMALL, (4,)), BOX), r"dense1/weight needs shape \(3, 2\), got shape \(3, 4\)"),
        (lambda: sh.regions(SMALL, WEIGHTS, BOX).at((9.0, 0.0)), "to lie in"),
        (lambda: sh.regions_along(SMALL, WEIGHTS, [0.0, 1.0], [0.0]), "two inputs of one shape"),
        (lambda: sh.regions_along(SMALL, WEIGHTS), "two inputs of one shape"),
        (lambda: sh.draw_regions(sh.regions(SMALL, WEIGHTS, BOX), "x.png", output=4), "needs an output from 0 to 0, got 4"),
        (lambda: sh.region_bounds([], 2), "one layer or more"),
        (lambda: sh.region_bounds([3, 0], 2), "one layer or more"),
        (lambda: sh.folding_net(0), "needs a whole number >= 1"),
        (lambda: sh.folding_net(1, folds=1), "needs a whole number >= 2"),
        (lambda: sh.interpolation_net(np.sin, 0, 0, 1), "needs at least 1"),
        (lambda: sh.interpolation_net(np.sin, 3, 1, 1), "needs low < high"),
        (lambda: sh.interpolation_net(lambda x: 1 / (x - x), 3, 0, 1), "values that are not finite"),
        (lambda: sh.interpolation_net(lambda x: 1.0, 3, 0, 1), "got shape"),
        (lambda: sh.approximation("sinus"), "did you mean 'sine'"),
        (lambda: sh.approximation("sine", widths=()), "needs a width"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:.*encountered in divide")
def test_mistakes_are_named(act, message):
    with pytest.raises(sh.ShoalError, match=message):
        act()
