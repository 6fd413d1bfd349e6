"""Probe: one batch sent through a network that has not learned, layer by layer.

Everything that a preflight reads of the network comes from here: the outputs of every layer, the
gradient of the mean loss for every weight, the loss of every example, and whether the loss of one
example depends on another. It is run as for prediction, but with the moments of the batch where a
layer normalises by them; nothing is drawn and nothing is learned.
"""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from shoal.arrays import Array, Numbers, Tree
from shoal.data.preparation import Prepared
from shoal.losses import Loss
from shoal.losses.custom import LIKE
from shoal.nets import Layer, Mode, Net, compose
from shoal.recipe import Recipe

ROWS = 64
SURE = 6.0
"""A logit that is sure of itself."""


@dataclass(frozen=True, eq=False)
class Seen:
    """One layer in the probe.

    Attributes:
        name, kind: such as "dense1", "Dense"; layer: its description, None where unknown.
        outputs: (B, ..., units) numbers.
        weights, gradients: by path within the layer, such as "weight".
        decays: the paths of weights that are no biases or scales; fans: their fan-ins.
    """

    name: str
    kind: str
    layer: Any
    outputs: Numbers
    weights: dict[str, Numbers] = field(default_factory=dict)
    gradients: dict[str, Numbers] = field(default_factory=dict)
    decays: tuple[str, ...] = ()
    fans: dict[str, int] = field(default_factory=dict)

    @property
    def spread(self) -> float:
        """Standard deviation of the outputs."""
        return float(np.std(self.outputs.astype(np.float64)))

    @property
    def units(self) -> Numbers:
        """Outputs as (rows, units)."""
        return self.outputs.reshape(-1, self.outputs.shape[-1])

    @property
    def gradient_norm(self) -> float:
        """Root of the sum of the squares of the gradient of the weights that are no biases."""
        parts = [self.gradients[path].astype(np.float64) for path in self.decays]
        return float(np.sqrt(sum(float(np.sum(part**2)) for part in parts)))

    @property
    def weight_norm(self) -> float:
        """The same of the weights."""
        parts = [self.weights[path].astype(np.float64) for path in self.decays]
        return float(np.sqrt(sum(float(np.sum(part**2)) for part in parts)))


@dataclass(frozen=True, eq=False)
class Probe:
    """One batch in a network at its start.

    Attributes:
        layers: in order.
        losses: (B,) of the examples; z: (B, C) outputs; t: (B,) or (B, T) targets.
        right, wrong: mean loss of outputs that say the right thing, and of outputs that say the
            wrong thing as surely; NaN where neither can be made.
        usual: mean of the usual loss of the same form for ``z``; NaN where there is none.
        mixing: largest derivative of the loss of the first example by the inputs or outputs of
            another, over the largest by its own.
    """

    layers: tuple[Seen, ...]
    losses: Numbers
    z: Numbers
    t: Numbers
    right: float = float("nan")
    wrong: float = float("nan")
    usual: float = float("nan")
    mixing: float = 0.0

    @property
    def learning(self) -> tuple[Seen, ...]:
        """The layers with weights."""
        return tuple(layer for layer in self.layers if layer.decays)

    @property
    def narrowest(self) -> int | None:
        """The fewest numbers that one example is between two layers; None for a single layer."""
        sizes = [int(np.prod(layer.outputs.shape[1:])) for layer in self.layers[:-1]]
        return min(sizes, default=None)

    @property
    def finite(self) -> bool:
        """Whether the loss of every example is a finite number."""
        return bool(np.isfinite(self.losses).all())


def probe(recipe: Recipe, prepared: Prepared, parameters: Tree = None) -> Probe:
    """One batch in a network, at its start or with given weights.

    Args:
        parameters: weights as of one member of a model; None to draw them as training does.
    """
    rows = prepared.parts.train[: min(ROWS, recipe.rows_per_batch(len(prepared.parts.train)) * 4)]
    rows = prepared.parts.train[
        np.linspace(0, len(prepared.parts.train) - 1, len(rows)).astype(int)
    ]
    with jax.enable_x64(recipe.precision == "float64"):
        x, t = prepared.encoded(rows, recipe.dtype)
        net = recipe.body
        drawn, statistics = net.init(jax.random.key(recipe.seed), x.shape[1:], recipe.dtype)
        parameters = drawn if parameters is None else parameters
        found = jax.device_get(_run(recipe, parameters, statistics, x, t))
        sides = _extremes(recipe.loss, found["z"], t)
    seen = _layers(
        net, x.shape[1:], jax.device_get(parameters), found["gradients"], found["outputs"]
    )
    return Probe(
        seen, found["losses"], found["z"], t,
        **sides, mixing=_share(found["mixing"]),
    )  # fmt: skip


@jax.jit
def _run(recipe: Recipe, parameters: Tree, statistics: Tree, x: Array, t: Array) -> dict[str, Any]:
    net, narrow = recipe.body, recipe.precision == "bfloat16"
    normalises = Mode(training=True, key=jax.random.key(0), narrow=narrow)
    predicts = Mode(training=False, narrow=narrow)

    def objective(parameters: Tree) -> tuple[Array, tuple[Array, list[Array], Array]]:
        y, outputs = x, []
        for index, (name, layer) in enumerate(compose.named(net.layers)):
            mode = normalises if _normalises(layer) else predicts
            y, _ = compose.run_one(index, name, layer, parameters, statistics, y, mode)
            outputs.append(y)
        losses = recipe.loss.per_example(y.astype(x.dtype), t)
        return jnp.mean(losses), (losses, outputs, y)

    def first(x: Array) -> Array:
        z, _ = net.apply(parameters, statistics, x, predicts)
        return recipe.loss.per_example(z.astype(x.dtype), t)[0]

    gradients, (losses, outputs, z) = jax.grad(objective, has_aux=True)(parameters)
    slopes = jnp.max(jnp.abs(jax.grad(first)(x).reshape(x.shape[0], -1)), axis=1)
    return {
        "gradients": gradients, "losses": losses, "outputs": outputs, "z": z, "mixing": slopes,
    }  # fmt: skip


def _normalises(layer: Layer) -> bool:
    """Whether it has moments of its batch; what draws while training stays as for prediction."""
    every = list(layer.every())
    return any(inner.kind == "BatchNorm" for inner in every) and not any(i.random for i in every)


def _layers(
    net: Net, in_shape: tuple[int, ...], parameters: Tree, gradients: Tree, outputs: list[Numbers]
) -> tuple[Seen, ...]:
    drawn = compose.parameters(net.inside(in_shape))
    found = []
    for (name, layer), y in zip(compose.named(net.layers), outputs, strict=True):
        weights, slopes = (_paths(tree.get(name, {})) for tree in (parameters, gradients))
        fans = {path: w.fan_in for path, w in _paths(drawn.get(name, {})).items() if w.decays}
        outputs_ = np.asarray(y)
        found.append(Seen(name, layer.kind, layer, outputs_, weights, slopes, tuple(fans), fans))
    return tuple(found)


def _paths(tree: Tree, before: str = "") -> dict[str, Any]:
    """The leaves of a nest by their path."""
    if not isinstance(tree, dict):
        return {before: tree}
    return {
        path: leaf
        for name, inner in tree.items()
        for path, leaf in _paths(inner, f"{before}/{name}" if before else str(name)).items()
    }


def _share(slopes: Numbers) -> float:
    slopes = np.asarray(slopes, dtype=np.float64)
    own = slopes[0] if len(slopes) else 0.0
    if len(slopes) < 2 or not np.isfinite(slopes).all():
        return 0.0
    return float(slopes[1:].max() / own) if own > 0 else float(slopes[1:].max() > 0)


def _extremes(loss: Loss, z: Numbers, t: Numbers) -> dict[str, float]:
    """Mean losses of right outputs, of wrong ones, and of the usual loss; see ``Probe``."""
    if z.ndim != 2 or len(z) < 2:
        return {}
    good, *bad = _sides(loss.form, z.shape[1], t)

    def mean(loss: Loss, outputs: Numbers) -> float:
        losses = loss.per_example(jnp.asarray(outputs, z.dtype), jnp.asarray(t))
        return float(np.mean(np.asarray(losses, dtype=np.float64)))

    try:
        wrong = min(mean(loss, outputs) for outputs in bad)
        return {"right": mean(loss, good), "wrong": wrong, "usual": mean(LIKE[loss.form], z)}
    except (TypeError, ValueError):
        return {}


def _sides(form: str, outputs: int, t: Numbers) -> tuple[Numbers, ...]:
    """Outputs that say the right thing surely, and some that say a wrong one as surely."""
    if form == "index":
        one = SURE * np.eye(outputs)
        return one[t], one[(t + 1) % outputs], -one[t]
    if form == "binary":
        return np.where(t > 0.5, SURE, -SURE), np.where(t > 0.5, -SURE, SURE)
    return t, t + np.where(t > np.median(t), -2.0, 2.0)


def two_modes(
    recipe: Recipe, prepared: Prepared, parameters: Tree, statistics: Tree
) -> tuple[float, float]:
    """The mean loss of some training rows as in training (nothing drawn), and as for prediction."""
    rows = prepared.parts.train[: 4 * ROWS]
    with jax.enable_x64(recipe.precision == "float64"):
        x, t = prepared.encoded(rows, recipe.dtype)
        as_trained = _run(recipe, parameters, statistics, x, t)["losses"]
        z, _ = recipe.body.apply(parameters, statistics, jnp.asarray(x), Mode(training=False))
        predicted = recipe.loss.per_example(z.astype(x.dtype), jnp.asarray(t))
        return float(np.mean(as_trained)), float(np.mean(predicted))


def bad_place(
    recipe: Recipe, prepared: Prepared, parameters: Tree, statistics: Tree
) -> tuple[str, str] | None:
    """The first tensor that is not finite for some training row: its layer, and words for it."""
    rows = prepared.parts.train
    for start in range(0, len(rows), ROWS):
        batch = rows[start : start + ROWS] if len(rows) >= ROWS else rows
        with jax.enable_x64(recipe.precision == "float64"):
            x, t = prepared.encoded(batch, recipe.dtype)
            found = jax.device_get(_run(recipe, parameters, statistics, x, t))
        if not np.isfinite(x).all():
            return "inputs", "first in the inputs"
        for (name, _), y in zip(compose.named(recipe.body.layers), found["outputs"], strict=True):
            if not np.isfinite(y).all():
                return name, f"first in the outputs of {name}"
        if not np.isfinite(found["losses"]).all():
            largest = float(np.abs(found["z"]).max())
            return "loss", f"first in the loss, of outputs up to {largest:.3g}"
        for name, slopes in reversed(list(found["gradients"].items())):
            if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes)):
                return name, f"first in the gradient of {name}"
    return None
