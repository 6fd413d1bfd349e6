"""Optimisers on a problem of two weights, with inputs as they are and standardised.

    L(w) = ½ mean of (t − w₁ x₁ − w₂ x₂)² = L* + ½ (w − w*)ᵀ H (w − w*)     H = XᵀX / N

Contours of L are ellipses; their axes stand as the roots of the eigenvalues of H. Where one input
is spread s times as widely as the other, they are stretched about s times: the valley in which
steps along the gradient go to and fro. Inputs and target are centred, so no bias is needed.

The loss is known exactly, so nothing is drawn but the start. A start is the same predictor with
both inputs: its first loss is the same.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from shoal.arrays import Array, Numbers
from shoal.data.builtin import diabetes
from shoal.explain.experiments.comparison import log10, paired
from shoal.explain.experiments.experiment import Experiment, Result, Size, columns, row
from shoal.explain.experiments.picture import Panel, bars_over_seeds
from shoal.explain.experiments.planes import Contours, Path
from shoal.optim import SGD, AdaDelta, AdaGrad, Adam, Momentum, Nesterov, RMSprop
from shoal.optim.optimiser import Optimiser

OPTIMISERS: dict[str, type[Optimiser]] = {
    "gradient descent": SGD,
    "momentum": Momentum,
    "Nesterov": Nesterov,
    "AdaGrad": AdaGrad,
    "RMSprop": RMSprop,
    "AdaDelta": AdaDelta,
    "Adam": Adam,
}
FEATURES = ("body mass index", "log of triglycerides")
COLUMNS = (2, 8)
"""Their places among the measures of ``diabetes``."""

RATES = tuple(float(rate) for rate in 10.0 ** np.arange(-3.0, 2.01, 0.25))
STEPS = 3000
LEVEL = 1e-3
"""The share of the first excess L(w) − L* below which a path has arrived, for good."""

INPUTS = ("raw", "standardised")


class Bowl(NamedTuple):
    """A quadratic loss.

    Attributes:
        curvature: H, (2, 2).
        lowest: w*, (2,).
        starts: (n, 2) first weights.
    """

    curvature: Numbers
    lowest: Numbers
    starts: Numbers

    def excess(self, w: Any) -> Numbers:
        """L(w) − L* for weights (..., 2)."""
        away = np.asarray(w) - self.lowest
        found: Numbers = 0.5 * np.einsum("...i,ij,...j->...", away, self.curvature, away)
        return found


def input_scaling(size: Size) -> Result:
    """Steps until the excess loss has fallen a thousandfold, with raw and standardised inputs."""
    bowls = dict(zip(INPUTS, bowls_of_diabetes(size.seeds), strict=True))
    steps = size.count(STEPS, least=300)
    paths = {
        (name, inputs): walk(kind, bowl, steps)
        for name, kind in OPTIMISERS.items()
        for inputs, bowl in bowls.items()
    }
    needed = {key: arrivals(bowls[key[1]].excess(found)) for key, found in paths.items()}
    best = {key: int(found.mean(axis=1).argmin()) for key, found in needed.items()}
    logs = {key: log10(needed[key][place]) for key, place in best.items()}
    lost = {name: logs[name, "raw"] - logs[name, "standardised"] for name in OPTIMISERS}
    plain, adam = "gradient descent", "Adam"
    return Result(
        ("optimiser", "inputs", "best rate", *columns("", "log10 of steps")[1:]),
        tuple((*key, RATES[place], *row("", logs[key])[1:]) for key, place in best.items()),
        (
            paired("raw inputs make the way of gradient descent longer by a factor of 10 to the",
                   logs[plain, "raw"], logs[plain, "standardised"]),
            paired("with raw inputs it is longer than that of momentum by a factor of 10 to the",
                   logs[plain, "raw"], logs["momentum", "raw"]),
            paired("and raw inputs cost it more than they cost Adam by a factor of 10 to the",
                   lost[plain], lost[adam]),
        ),
        (
            *(_panel(inputs, bowl, {
                name: paths[name, inputs][best[name, inputs], 0] for name in OPTIMISERS
            }) for inputs, bowl in bowls.items()),
            Panel("what raw inputs cost", "log10 of steps with raw / with standardised inputs", "",
                  (bars_over_seeds(lost),)),
        ),
    )  # fmt: skip


def bowls_of_diabetes(seeds: int) -> tuple[Bowl, Bowl]:
    """The loss with raw and with standardised inputs; starts lie around the minimum, at one loss.

    The target is in units of its standard deviation.
    """
    data = diabetes()
    x, t = data.inputs[:, COLUMNS], data.targets[:, 0]
    x, t = x - x.mean(axis=0), (t - t.mean()) / t.std()
    angles = 2.0 * np.pi * np.random.default_rng(0).random(seeds)
    spread = x.std(axis=0)
    standard = _bowl(x / spread, t)
    # As far from the minimum as w = 0, in the metric of H, and so with the same excess.
    values, vectors = np.linalg.eigh(standard.curvature)
    reach = np.sqrt(2.0 * standard.excess(np.zeros(2)))
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    starts = standard.lowest + reach * circle / np.sqrt(values) @ vectors.T
    return _bowl(x, t)._replace(starts=starts / spread), standard._replace(starts=starts)


def _bowl(x: Numbers, t: Numbers) -> Bowl:
    curvature = x.T @ x / len(x)
    return Bowl(curvature, np.linalg.solve(curvature, x.T @ t / len(x)), np.zeros((0, 2)))


def walk(kind: type[Optimiser], bowl: Bowl, steps: int) -> Numbers:
    """(rates, starts, steps + 1, 2): the weights of an optimiser on their way, the start first.

    Computed in float64, because at the smallest rates steps are short.
    """

    def one(rate: Array, start: Array, curvature: Array, lowest: Array) -> Array:
        rule = kind(learning_rate=1.0).transformation(rate, True)

        def step(carried: Any, _: None) -> tuple[Any, Array]:
            w, state = carried
            with jax.numpy_dtype_promotion("standard"):  # optax counts in integers
                update, state = rule.update(curvature @ (w - lowest), state, w)
            w = optax.apply_updates(w, update)
            return (w, state), w

        _, found = jax.lax.scan(step, (start, rule.init(start)), None, length=steps)
        return jnp.concatenate([start[None], found])

    with jax.enable_x64(True):
        over = jax.vmap(jax.vmap(one, (None, 0, None, None)), (0, None, None, None))
        return np.asarray(jax.jit(over)(np.array(RATES), bowl.starts, bowl.curvature, bowl.lowest))


def arrivals(excess: Numbers) -> Numbers:
    """(...,): the step from which on the excess, (..., T + 1), stays below its share of the first.

    A path that does not arrive counts as all its T steps.
    """
    away = ~(excess <= LEVEL * excess[..., :1])  # what is not finite is away
    last = excess.shape[-1] - 1 - away[..., ::-1].argmax(axis=-1)
    found: Numbers = np.minimum(last + 1, excess.shape[-1] - 1).astype(np.float64)
    return found


def _panel(inputs: str, bowl: Bowl, paths: dict[str, Numbers]) -> Panel:
    """Contours with a path of each optimiser, as far as it takes to arrive."""
    height = float(bowl.excess(bowl.starts[0]))
    reach = np.sqrt(2.0 * 1.3 * height * np.diag(np.linalg.inv(bowl.curvature)))
    x, y = (np.linspace(at - r, at + r, 121) for at, r in zip(bowl.lowest, reach, strict=True))
    z = bowl.excess(np.stack(np.meshgrid(x, y), axis=-1))
    levels = tuple(height * share for share in (0.003, 0.03, 0.1, 0.25, 0.5, 1.0))
    ways = (w[: int(arrivals(bowl.excess(w))) + 1] for w in paths.values())
    drawn = [
        Path(name, way, place) for place, (name, way) in enumerate(zip(paths, ways, strict=True))
    ]
    stretch = float(reach[1] / reach[0])
    words = f", drawn {stretch:.1f} times as wide as they are" if stretch > 2 else ""
    return Panel(
        f"{inputs} inputs: contours of the loss{words}",
        f"weight of {FEATURES[0]}",
        f"weight of {FEATURES[1]}",
        (Contours(x, y, z, levels), *drawn),
        x_range=(float(x[0]), float(x[-1])),
        y_range=(float(y[0]), float(y[-1])),
    )


EXPERIMENTS = (
    Experiment(
        "input_scaling",
        "Scaling of inputs, and the ways of optimisers",
        "where inputs are not scaled the loss is a long valley in which gradient descent takes "
        "many more steps; momentum shortens its way, and methods with a step for each weight, such "
        "as Adam, suffer less",
        "LeCun et al. 1998, Efficient BackProp, for the valley; texts on adaptive optimisers for "
        "the rest",
        "A linear model of two measures of diabetes patients, whose loss is known exactly; starts "
        "lie around the minimum at one loss, the same predictor with both inputs; each "
        "optimiser at the best of 21 rates for each; steps until the loss stays within a "
        "thousandth of its first distance to the minimum.",
        input_scaling,
        seeds=10,
        over="starts",
        animated=True,
    ),
)
