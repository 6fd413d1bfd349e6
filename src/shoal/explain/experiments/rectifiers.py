"""Units that die, and the kin of ReLU that should not."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from shoal.arrays import Array, Numbers, Tree
from shoal.data.builtin import digits
from shoal.explain.experiments.comparison import log10, paired
from shoal.explain.experiments.experiment import Experiment, Result, Size, columns, row
from shoal.explain.experiments.networks import perceptron
from shoal.explain.experiments.picture import Panel, line_over_seeds
from shoal.explain.experiments.trainings import lowest, train
from shoal.nets import ELU, Constant, LeakyReLU, Mode, Net, PReLU, ReLU, RReLU
from shoal.optim import SGD
from shoal.recipe import Recipe
from shoal.train.run import Run

RATES = (0.03, 0.1, 0.3, 1.0)
SLOPES = {"ReLU": 0.0, "leaky": 0.1}
BIASES = (0.0, -3.0)
EPOCHS = 20
KIN = {"ReLU": ReLU(), "ELU": ELU(), "PReLU": PReLU(), "RReLU": RReLU()}
DEPTHS = (10, 3)
DEEP_RATES = (0.03, 0.1, 0.3, 1.0)


def dead_relu(size: Size) -> Result:
    """The share of units that are 0 for every training example, by rate and bias, leaky or not.

    A ReLU is a LeakyReLU of slope 0, so all members are one pool.
    """
    variants = {
        f"{name}, bias {bias:g}, rate {rate:g}": Recipe(
            perceptron(LeakyReLU(slope), 2, 32, 10, init="he_normal", bias=Constant(bias)),
            loss="cross_entropy",
            optimiser=SGD(rate),
            epochs=size.count(EPOCHS, least=4),
        )
        for name, slope in SLOPES.items()
        for bias in BIASES
        for rate in RATES
    }
    done = train(variants, digits(), size)
    silent = {label: silent_share(runs) for label, runs in done.runs.items()}
    right = {label: done.last(label, "validation_accuracy") for label in variants}
    calm, wild = f"rate {RATES[0]:g}", f"rate {RATES[-1]:g}"
    return Result(
        columns("units", "silent", "right on validation"),
        tuple(row(label, silent[label], right[label]) for label in variants),
        (
            paired(f"at {wild} more ReLUs are silent for all digits than at {calm} by a share of",
                   silent[f"ReLU, bias 0, {wild}"], silent[f"ReLU, bias 0, {calm}"]),
            paired(f"at {calm} biases that begin at {BIASES[1]:g} instead of 0 add",
                   silent[f"ReLU, bias {BIASES[1]:g}, {calm}"], silent[f"ReLU, bias 0, {calm}"]),
            paired(f"at {wild} leaky units are right on more validation digits by",
                   right[f"leaky, bias 0, {wild}"], right[f"ReLU, bias 0, {wild}"]),
            paired("and with such biases at the low rate by",
                   right[f"leaky, bias {BIASES[1]:g}, {calm}"],
                   right[f"ReLU, bias {BIASES[1]:g}, {calm}"]),
        ),
        (
            _panel("silent units at the end", "share of hidden units", silent),
            _panel("quality at the end", "share of validation digits right", right),
        ),
    )  # fmt: skip


def _panel(title: str, words: str, values: dict[str, Numbers]) -> Panel:
    lines = [
        line_over_seeds(
            f"{name}, bias {bias:g}",
            np.array(RATES),
            np.stack([values[f"{name}, bias {bias:g}, rate {rate:g}"] for rate in RATES]),
            colour=number,
            dashed=bias != BIASES[0],
        )
        for number, name in enumerate(SLOPES)
        for bias in BIASES
    ]
    return Panel(title, "learning rate", words, tuple(lines), log_x=True)


def silent_share(runs: Sequence[Run]) -> Numbers:
    """(n,): of each run, the share of hidden units that are not above 0 for any training example.

    Behind such a unit a ReLU passes nothing forward and no gradient back: it is dead, unless other
    layers move its inputs.
    """
    net, prepared = runs[0].recipe.body, runs[0].prepared
    x = prepared.inputs.encode(prepared.data.inputs)[prepared.parts.train]
    x = x.astype(np.float32)

    @jax.jit
    def share(parameters: Tree, x: Array) -> Array:
        return jnp.mean(jnp.concatenate(_silent(net, parameters, x)).astype(jnp.float32))

    weights = [jax.tree.map(lambda a: a[0], run.model.parameters) for run in runs]
    found: Any = np.array([float(share(w, x)) for w in weights])
    return found


def _silent(net: Net, parameters: Tree, y: Array) -> list[Array]:
    """For each hidden Dense layer, (U,): whether no example makes the unit's sum positive."""
    found: list[Array] = []
    for name, layer, _ in net.inside(y.shape[1:]):
        y, _ = layer.apply(parameters.get(name, {}), {}, y, Mode(training=False))
        if layer.kind == "Dense":
            found.append(jnp.max(y, axis=0) <= 0)
    return found[:-1]


def deep_rectifiers(size: Size) -> Result:
    """ReLU and its kin in deep networks without batch-norm, each at its best rate."""
    kin, depths = size.some(tuple(KIN)), size.some(DEPTHS, least=1)
    variants = {
        f"{name}, {depth} layers, rate {rate:g}": Recipe(
            perceptron(KIN[name], depth, 32, 10),
            loss="cross_entropy",
            optimiser=SGD(rate),
            epochs=size.count(EPOCHS, least=4),
        )
        for name in kin
        for depth in depths
        for rate in DEEP_RATES
    }
    done = train(variants, digits(), size)
    loss = {label: log10(done.last(label, "train_loss")) for label in variants}
    right = {label: done.last(label, "validation_accuracy") for label in variants}

    shown = {depth: [lowest(loss, f"{name}, {depth} layers,") for name in kin] for depth in depths}
    plain, *others = shown[DEPTHS[0]]
    what = f"log10 of the training loss of {plain}, is higher "
    return Result(
        columns("at its best rate", "log10 of training loss", "right on validation"),
        tuple(row(v, loss[v], right[v]) for depth in depths for v in shown[depth]),
        tuple(
            paired(f"{before}than that of {other}, by", loss[plain], loss[other])
            for before, other in zip((what, *[""] * len(others)), others, strict=False)
        ),
        tuple(
            done.losses(f"training loss, {depth} layers, best rates", shown[depth])
            for depth in depths
        ),
    )  # fmt: skip


EXPERIMENTS = (
    Experiment(
        "dead_relu",
        "Dying ReLUs, and the leaky cure",
        "with a learning rate too large or biases too negative ReLUs die, which means that they "
        "are 0 for every example; leaky ones go on learning",
        "Maas et al. 2013, and lecture notes on convolutional networks",
        "Perceptrons of two hidden layers of 32 units learn handwritten digits by plain SGD with "
        "slopes 0 (ReLU) and 0.1 (leaky) of the negative side; a unit is silent where its sum is "
        "not above 0 for any of the training digits.",
        dead_relu,
    ),
    Experiment(
        "deep_rectifiers",
        "ReLU and its kin in deep networks without batch-norm",
        "in a deep network without batch-norm ELU, PReLU and RReLU reach a lower training loss "
        "than ReLU",
        "He et al. 2015 for PReLU, Xu et al. 2015 for RReLU, Clevert et al. 2016 for ELU",
        "Perceptrons of 10 and of 3 hidden layers of 32 units learn handwritten digits by plain "
        "SGD; each activation at the best of four learning rates for it, initialised with its "
        "gain; the claim is tested at 10 layers.",
        deep_rectifiers,
    ),
)
