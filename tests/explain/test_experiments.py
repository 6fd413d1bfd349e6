"""Experiments: each at small size; verdicts are recomputed from the tables by other means.

At small size trainings are too short for the claims of textbooks, so what is tested here is that
the numbers belong together, not what they say.
"""

import json
import math
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy import stats

import shoal as sh
from shoal.explain.experiments.batches import per_example
from shoal.explain.experiments.catalogue import BY_NAME, EXPERIMENTS, named
from shoal.explain.experiments.comparison import (
    Comparison,
    Verdict,
    compared,
    joint,
    mean_interval,
    paired,
    student_point,
)
from shoal.explain.experiments.experiment import Experiment, Finding, Result, Size, columns, row
from shoal.explain.experiments.generated import moons
from shoal.explain.experiments.heads import polarised
from shoal.explain.experiments.networks import perceptron
from shoal.explain.experiments.passes import first_pass, standard_batch
from shoal.explain.experiments.picture import (
    Bars,
    Line,
    Panel,
    _cut,
    bars_over_seeds,
    line_over_seeds,
)
from shoal.explain.experiments.rectifiers import _silent
from shoal.explain.experiments.trainings import _crossing, lowest

SEEDS = 2
LONG = {
    "batch_size", "batch_speed", "deep_rectifiers", "full_batch", "initialisation",
    "depth_or_width", "early_stopping", "linear_collapse", "regularised_boundary", "relu_or_tanh",
    "residual_depth",
    "shifting_layers", "vanishing_gradients",
}  # fmt: skip
"""Those of many programs, or of the code of another one, in the slow half."""

QUICK = [name for name in BY_NAME if name not in LONG]
NAMES = [
    *QUICK,
    *(pytest.param(name, marks=pytest.mark.slow) for name in BY_NAME if name in LONG),
]


@cache
def finding(name):
    """The finding of an experiment at small size, made once."""
    return sh.show(name, seeds=SEEDS, size="small")


def means(found, column=1):
    """The means of a column of a table by the label of the row."""
    return {r[0]: r[column] for r in found.result.rows}


# --- statistics ---------------------------------------------------------------------------------


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 9, 10, 29, 100])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_points_of_students_law_are_those_of_scipy(freedom, confidence):
    expected = stats.t.ppf(0.5 + confidence / 2, freedom)
    assert student_point(freedom, confidence) == pytest.approx(expected, rel=1e-9)


def test_intervals_are_those_of_scipy(rng):
    values = rng.normal(size=6)
    mean, low, high = mean_interval(values)
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert (low, high) == pytest.approx((expected.low, expected.high))
    assert mean == pytest.approx(values.mean())
    assert mean_interval([3.0]) == (3.0, -math.inf, math.inf)


def test_a_geometric_line_is_the_mean_of_logarithms():
    line = line_over_seeds("a", [1], [[1.0, 100.0]], geometric=True)
    assert line.y == pytest.approx([10.0])
    assert line.low[0] * line.high[0] == pytest.approx(100.0)
    assert (line_over_seeds("a", [1], [[1.0, 100.0]]).y == 50.5).all()


def test_no_interval_of_a_share_is_drawn_beyond_it():
    marks = (
        bars_over_seeds({"a": [1.0, 0.9], "b": [0.5]}),
        line_over_seeds("", [1, 2], [[1.0, 0.9], [0.0, 0.1]]),
    )
    for mark in marks:
        cut = _cut(mark)
        assert mark.high[0] > 1.0 and cut.high[0] == 1.0 and cut.low[0] == max(mark.low[0], 0.0)
    assert _cut(marks[0]).high[1] == math.inf and _cut(marks[1]).low[1] == 0.0
    assert Panel("", "epoch", "share right", ()).of_shares
    assert not Panel("", "epoch", "loss", ()).of_shares


def test_intervals_of_pairs_are_those_of_a_paired_test(rng):
    first, second = rng.normal(size=(2, 8))
    expected = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert paired("", first, second).interval[1:] == pytest.approx((expected.low, expected.high))


def test_verdicts_say_where_the_interval_lies():
    """Values 1, 2, 3: the interval is -0.48 to 4.48."""
    values = (1.0, 2.0, 3.0)
    for claimed, verdict in (
        ((-1.0, 5.0), Verdict.HELD),
        ((-math.inf, 5.0), Verdict.HELD),
        ((0.0, math.inf), Verdict.UNDECIDED),
        ((1.0, 3.0), Verdict.UNDECIDED),
        ((5.0, 6.0), Verdict.FAILED),
        ((-math.inf, -1.0), Verdict.FAILED),
    ):
        assert Comparison("x", values, claimed).verdict is verdict
    assert Comparison("x", (1.0,)).verdict is Verdict.UNDECIDED
    assert Comparison("x", (1.0, math.nan)).verdict is Verdict.UNDECIDED


def test_no_difference_is_no_advantage():
    """Every seed the same 0: what was claimed to be above 0 did not hold."""
    assert Comparison("x", (0.0, 0.0, 0.0)).verdict is Verdict.FAILED
    assert Comparison("x", (0.0, 0.0, 0.0), (-0.1, 0.1)).verdict is Verdict.HELD


def test_a_claim_holds_where_all_its_parts_hold():
    held, failed, undecided = Verdict.HELD, Verdict.FAILED, Verdict.UNDECIDED
    assert joint([held, held]) is held
    assert joint([held, undecided]) is undecided
    assert joint([undecided, failed, held]) is failed
    assert joint([]) is undecided


def test_the_lowest_of_some_labels():
    values = {"a, 1": np.array([2.0, np.nan]), "a, 2": np.array([5.0]), "b": np.array([0.0])}
    assert lowest(values, "a,") == "a, 2"


def test_epochs_until_a_level_are_read_between_epochs():
    """A curve 0.5, 0.9, 0.7 reaches 0.25 after half an epoch and 0.6 a quarter after the first."""
    assert _crossing(np.array([0.5, 0.9, 0.7]), 0.25) == pytest.approx(0.5)
    assert _crossing(np.array([0.5, 0.9, 0.7]), 0.6) == pytest.approx(1.25)
    assert _crossing(np.array([0.5, 0.9, 0.7]), 0.9) == pytest.approx(2.0)
    assert _crossing(np.array([0.5, 0.9, 0.7]), 0.95) == 3.0
    assert _crossing(np.array([np.nan, np.nan]), 0.5) == 2.0


# --- findings from numbers that are known --------------------------------------------------------


def synthetic(a, b):
    """The finding that a is larger than b."""
    result = Result(
        columns("variant", "score"),
        (row("a", a), row("b", b)),
        (paired("a is larger than b by", a, b),),
        (
            Panel("lines", "x", "y", (line_over_seeds("a", np.arange(2), np.stack([a, b])),)),
            Panel("bars", "y", "", (bars_over_seeds({"a": a, "b": b}),)),
        ),
    )
    experiment = Experiment("s", "Synthetic", "a beats b", "nowhere", "Numbers.", lambda s: result)
    return Finding(experiment, Size(len(a)), result)


def test_the_verdict_flips_with_the_data(tmp_path):
    a, b = np.array([3.0, 3.2, 2.9, 3.1]), np.array([1.0, 1.3, 0.8, 1.1])
    forward, backward = synthetic(a, b), synthetic(b, a)
    assert (forward.verdict, backward.verdict) == (Verdict.HELD, Verdict.FAILED)
    assert "the claim held: a is larger than b by 2 (95 % interval" in forward.sentence
    assert "the claim did not hold: a is larger than b by -2 (" in backward.sentence
    mixed = synthetic(a, np.array([1.0, 9.0, 1.0, 9.0]))
    assert mixed.verdict is Verdict.UNDECIDED
    assert "the claim is undecided" in mixed.sentence
    assert forward.picture.sentence == forward.sentence
    assert forward.draw(tmp_path / "a.png").stat().st_size > 5000


def test_the_table_as_text_is_aligned():
    """Of 1 and 2 the mean is 1.5 and half of the interval 12.706 · 0.5 = 6.35."""
    found = synthetic(np.array([1.0, 2.0]), np.array([10.0, 20.0]))
    assert found.table.split("\n") == [
        "variant  score",
        "a        1.5 ± 6.35",
        "b        15 ± 63.5",
    ]
    assert repr(found).startswith("Synthetic\nClaim: a beats b.\n")
    assert synthetic(np.array([np.nan, 1.0]), np.ones(2)).table.split("\n")[1] == "a        -"


def test_several_parts_with_different_verdicts_are_told_apart():
    found = synthetic(np.array([1.0, 1.1]), np.array([0.0, 0.05]))
    parts = (compared("one is", [1.0, 1.0]), compared("two is", [-1.0, -1.0]))
    text = found._replace(result=found.result._replace(comparisons=parts)).sentence
    assert "one is 1 (95 % interval 1 to 1): held; two is -1" in text
    assert text.endswith("did not hold.")


# --- what the experiments measure with ----------------------------------------------------------


def test_a_pass_gives_the_gradients_of_pytorch(x64, rng):
    """Two hidden layers of tanh: deltas, weight gradients and spreads of both draws."""
    x, t = rng.normal(size=(7, 5)), rng.integers(0, 3, 7)
    net = perceptron(sh.Tanh(), 2, 5, 3)
    found = first_pass([net], x, t, 2)
    assert found.deltas.shape == found.weights.shape == found.spreads.shape == (1, 2, 3)
    for seed in range(2):
        parameters, _ = net.init(jax.random.key(seed), (5,), np.float64)
        y, sums, weights = torch.tensor(x), [], []
        for number in (1, 2, 3):
            own = parameters[f"dense{number}"]
            weights.append(torch.tensor(np.array(own["weight"]), requires_grad=True))
            sums.append(y @ weights[-1].T + torch.tensor(np.array(own["bias"])))
            sums[-1].retain_grad()
            y = torch.tanh(sums[-1])
        torch.nn.functional.cross_entropy(sums[-1], torch.tensor(t)).backward()
        for at in range(3):
            norms = (float(sums[at].grad.norm()), float(weights[at].grad.norm()))
            assert (found.deltas[0, seed, at], found.weights[0, seed, at]) == pytest.approx(norms)
            assert found.spreads[0, seed, at] == pytest.approx(
                float(sums[at].detach().std(correction=0))
            )


def test_gradients_of_single_examples_are_those_of_pytorch():
    gradients, losses = per_example(20, 1)
    x, t = standard_batch(sh.data.digits(), 20)
    parameters, _ = perceptron(sh.ReLU(), 1, 16, 10).init(jax.random.key(0), (64,))
    leaves = [
        torch.tensor(np.array(leaf), requires_grad=True) for leaf in jax.tree.leaves(parameters)
    ]
    bias1, weight1, bias2, weight2 = leaves
    hidden = torch.relu(torch.tensor(x, dtype=torch.float32) @ weight1.T + bias1)
    each = torch.nn.functional.cross_entropy(
        hidden @ weight2.T + bias2, torch.tensor(t).long(), reduction="none"
    )
    assert losses[0] == pytest.approx(each.detach().numpy(), rel=1e-4)
    for example in (0, 7, 19):
        pull = torch.autograd.grad(each[example], leaves, retain_graph=True)
        flat = torch.cat([g.reshape(-1) for g in pull]).numpy()
        assert gradients[0, example] == pytest.approx(flat, rel=1e-3, abs=1e-5)


def test_a_standard_batch_has_mean_0_and_variance_1():
    x, t = standard_batch(sh.data.digits(), 50)
    assert x.mean(axis=0) == pytest.approx(np.zeros(64), abs=1e-12)
    assert set(np.round(x.std(axis=0), 9)) == {0.0, 1.0}
    assert (t == sh.data.digits().targets[:50]).all()


def test_units_are_silent_that_no_example_wakes():
    """Unit 0 is 2x - 1, positive for x = 1; unit 1 is -x - 1 and unit 2 is 0, never positive."""
    net = sh.Net(sh.Dense(3), sh.ReLU(), sh.Dense(2))
    weight, bias = np.array([[2.0], [-1.0], [0.0]]), np.array([-1.0, -1.0, 0.0])
    parameters = {
        "dense1": {
            "weight": jnp.asarray(weight, np.float32),
            "bias": jnp.asarray(bias, np.float32),
        },
        "dense2": {"weight": jnp.zeros((2, 3)), "bias": jnp.zeros(2)},
    }
    (silent,) = _silent(net, parameters, jnp.array([[0.0], [1.0]]))
    assert silent.tolist() == [False, True, True]


def test_softmax_of_nearly_equal_logits_is_undecided():
    """Of 10 equal logits p is 1/10: entropy ln 10, norm of J √(9)/10, gradient √(0.9)."""
    found = polarised(2, 16)
    assert found.entropy[0] == pytest.approx(np.full(2, math.log(10)), rel=0.01)
    assert found.largest[0] == pytest.approx(np.full(2, 0.1), rel=0.3)
    assert 10 ** found.jacobian[0] == pytest.approx(np.full(2, 0.3), rel=0.05)
    assert found.gradient[0] == pytest.approx(np.full(2, math.sqrt(0.9)), rel=0.01)


def test_the_moons_have_two_halves_that_no_line_divides():
    data = moons(400)
    assert data.inputs.shape == (400, 2)
    assert np.bincount(data.targets).tolist() == [200, 200]
    ones = np.column_stack([data.inputs, np.ones(400)])
    fitted = ones @ np.linalg.lstsq(ones, 2.0 * data.targets - 1.0)[0]
    assert 0.75 < ((fitted > 0) == data.targets).mean() < 0.95


# --- each experiment at small size ---------------------------------------------------------------


@pytest.mark.table(every=3)
@pytest.mark.parametrize("name", NAMES)
def test_a_finding_is_consistent(name, tmp_path):
    found = finding(name)
    result = found.result
    assert found.size == Size(SEEDS, 0.1)
    assert result.rows
    assert all(len(r) == len(result.columns) for r in result.rows)
    words = len(result.columns) - 3 * result.columns.count("low")
    labels = {r[:words] for r in result.rows}
    assert len(labels) == len(result.rows), "each row is another variant"
    for at, column in enumerate(result.columns):
        if column == "low":
            inside = [r[at] <= r[at - 1] <= r[at + 1] or np.isnan(r[at - 1]) for r in result.rows]
            assert all(inside)
    for c in result.comparisons:
        assert len(c.values) == SEEDS
        assert np.isfinite(c.values).all(), c.what
        expected = stats.t.interval(
            0.95, SEEDS - 1, np.mean(c.values), max(stats.sem(c.values), 1e-300)
        )
        assert c.interval[1:] == pytest.approx(expected)
        assert f"{c.interval.mean:.3g}" in found.sentence
    assert found.sentence.startswith(f"Over {SEEDS} {found.experiment.over} ")
    assert found.draw(tmp_path / f"{name}.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.table(every=3)
@pytest.mark.parametrize("name", NAMES)
def test_a_picture_shows_finite_numbers_under_its_labels(name):
    for panel in finding(name).picture.panels:
        assert panel.title
        assert panel.marks
        for mark in panel.marks:
            if isinstance(mark, Line):
                assert mark.x.shape == mark.y.shape
                assert np.isfinite(mark.y).all()
            elif isinstance(mark, Bars):
                assert len(mark.labels) == len(mark.values)
                assert np.isfinite(mark.values).all()


@pytest.mark.table(every=3)
@pytest.mark.parametrize("name", NAMES)
def test_findings_are_json(name):
    found = finding(name)
    told = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert told["verdict"] == str(found.verdict)
    assert told["columns"] == list(found.result.columns)
    assert [c["mean"] for c in told["comparisons"]] == [
        c.interval.mean for c in found.result.comparisons
    ]


# Which difference of which means of the table each comparison is: (column, first, second). A
# label is "prefix*" for the lowest mean of the rows that begin so.
LOWEST = "*"
FROM_THE_TABLE = {
    "tanh_or_sigmoid": [(1, "sigmoid,*", "tanh,*")],
    "relu_or_tanh": [(1, "tanh,*", "ReLU,*")],
    "dead_relu": [
        (1, "ReLU, bias 0, rate 1", "ReLU, bias 0, rate 0.03"),
        (1, "ReLU, bias -3, rate 0.03", "ReLU, bias 0, rate 0.03"),
        (4, "leaky, bias 0, rate 1", "ReLU, bias 0, rate 1"),
        (4, "leaky, bias -3, rate 0.03", "ReLU, bias -3, rate 0.03"),
    ],
    "deep_rectifiers": [(1, "ReLU, 10 layers*", "ELU, 10 layers*")],
    "initialisation": [
        (1, "Xavier,*", "He,*"), (1, "normal 0.01,*", "He,*"), (1, "zero,*", "He,*"),
    ],
    "symmetry": [None, (4, "drawn", "all weights equal")],
    "linear_collapse": [
        None,
        (1, "three linear layers", "one layer"),
        (1, "three layers with ReLU", "three linear layers"),
    ],
    "softmax_polarisation": [None, (7, 8.0, 1.0), (10, 8.0, 1.0)],
    "batch_size": [(1, "256 rows*", "4 rows*"), (4, "4 rows*", "256 rows*")],
    "batch_speed": [(1, 4, 256)],
    "full_batch": [(1, "gradient descent,*", "Rprop,*"), (1, "Rprop,*", "SGD,*"), None],
}  # fmt: skip


def taken(table, label):
    if isinstance(label, str) and label.endswith(LOWEST):
        return min(v for name, v in table.items() if name.startswith(label[:-1]))
    return table[label]


@pytest.mark.parametrize(
    "name", [n for n in NAMES if (n if isinstance(n, str) else n.values[0]) in FROM_THE_TABLE]
)
def test_comparisons_are_the_differences_in_the_table(name):
    found = finding(name)
    wanted = FROM_THE_TABLE[name]
    assert len(wanted) == len(found.result.comparisons)
    for where, comparison in zip(wanted, found.result.comparisons, strict=True):
        if where is not None:
            column, first, second = where
            table = means(found, column)
            expected = taken(table, first) - taken(table, second)
            assert np.mean(comparison.values) == pytest.approx(expected, abs=1e-9)


def test_the_slowdown_of_squared_error_is_the_difference_of_differences_in_the_table():
    """Each loss at the rate that is best for it from a bias of 0."""
    table, best = means(finding("cross_entropy_or_squares")), {}
    for loss in ("cross-entropy", "squared error"):
        rates = {label.split("rate ")[1] for label in table}
        rate = min(rates, key=lambda r: table[f"{loss}, bias 0, rate {r}"])
        for bias in (0, -6):
            best[loss, bias] = table[f"{loss}, bias {bias}, rate {rate}"]
    lost = {loss: best[loss, -6] - best[loss, 0] for loss, _ in best}
    first, second = finding("cross_entropy_or_squares").result.comparisons
    assert first.interval.mean == pytest.approx(lost["squared error"] - lost["cross-entropy"])
    expected = best["squared error", -6] - best["cross-entropy", -6]
    assert second.interval.mean == pytest.approx(expected)


def test_the_exponent_of_noise_is_the_slope_of_the_table():
    found = finding("batch_noise")
    sizes = np.log10([r[0] for r in found.result.rows])
    for column, comparison in zip((1, 4), found.result.comparisons, strict=True):
        slope = stats.linregress(sizes, [r[column] for r in found.result.rows]).slope
        assert comparison.interval.mean == pytest.approx(slope)


def test_how_sure_softmax_is_stands_in_the_table():
    found = finding("softmax_polarisation")
    assert found.result.comparisons[0].interval.mean == pytest.approx(means(found, 4)[8.0])


def test_the_gain_of_a_power_of_two_is_that_over_its_neighbours():
    table = means(finding("powers_of_two"))
    (comparison,) = finding("powers_of_two").result.comparisons
    expected = (table[31] + table[33]) / 2 - table[32]
    assert comparison.interval.mean == pytest.approx(expected)


def test_saturating_activations_are_compared_with_the_others():
    table = {
        name.split(",")[0]: value for name, value in means(finding("every_activation")).items()
    }
    comparison, fastest = finding("every_activation").result.comparisons
    assert fastest.interval.mean == comparison.interval.mean, "one of three saturates on both sides"
    others = np.mean([v for name, v in table.items() if name != "sigmoid"])
    assert set(table) == {"ReLU", "leaky ReLU", "sigmoid"}
    assert comparison.interval.mean == pytest.approx(table["sigmoid"] - others)


@pytest.mark.slow
def test_the_change_of_the_gradient_is_that_of_the_table():
    rows = finding("vanishing_gradients").result.rows
    deepest = max(r[2] for r in rows)
    table = {(r[0], r[1]): r[3] for r in rows if r[2] == deepest}
    comparisons = finding("vanishing_gradients").result.comparisons
    wanted = (("sigmoid", "Xavier"), ("ReLU", "He"), ("ReLU", "twice He"))
    for which, comparison in zip(wanted, comparisons, strict=True):
        assert comparison.interval.mean == pytest.approx(table[which])


# --- choosing and listing ------------------------------------------------------------------------


def test_names_are_unique_and_every_experiment_says_what_it_tests():
    assert len(BY_NAME) == len(EXPERIMENTS) == len(sh.experiments())
    for experiment in sh.experiments():
        assert experiment.name.isidentifier()
        for text in (experiment.claim, experiment.source):
            assert text
            assert not text.endswith(".")
        assert experiment.method.endswith(".")
        assert experiment.seeds >= 2


def test_what_cannot_be_shown_is_refused(tmp_path):
    with pytest.raises(sh.RecipeError, match=r"show\(name\) .* did you mean 'dead_relu'"):
        sh.show("dead_rellu")
    for seeds in (1, 0, 2.5, True, "5"):
        with pytest.raises(sh.RecipeError, match=r"show\(seeds\) needs a whole number >= 2"):
            sh.show("dead_relu", seeds=seeds)
    for size in (0, -1.0, 1.5, "tiny", math.nan, None, True):
        with pytest.raises(sh.RecipeError, match=r"show\(size\) needs"):
            sh.show("dead_relu", size=size)
    for out in ("picture.txt", "picture"):
        with pytest.raises(sh.FileError, match=r"an ending .png, .svg, .pdf"):
            sh.show("dead_relu", out=tmp_path / out)


def test_hyphens_count_as_underscores():
    assert named("dead-relu") is named("dead_relu") is BY_NAME["dead_relu"]


def test_pictures_are_written_as_their_ending_says(tmp_path):
    found = synthetic(np.array([1.0, 2.0]), np.array([1.0, 3.0]))
    assert found.draw(tmp_path / "s.svg").read_text().startswith("<?xml")
    assert found.draw(tmp_path / "new" / "s.pdf").read_bytes().startswith(b"%PDF")


def test_a_size_scales_counts_and_choices():
    assert Size(5, 0.1).count(40) == 4
    assert Size(5, 0.1).count(40, least=8) == 8
    assert Size(5, 0.1).count(3, least=8) == 3
    assert Size(5, 0.1).some("abc") == ("a", "b")
    assert Size(5).some("abc") == ("a", "b", "c")
