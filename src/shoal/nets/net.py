"""Net: a network as a description. It can say its shapes, draw its weights, and be run.

    net = Net(Dense(64), ReLU(), Dense(10))
    parameters, statistics = net.init(key, in_shape)
    y, statistics = net.apply(parameters, statistics, x, Mode(training=False))

Drawing weights: the key of a layer is the network's key folded with the layer's place in the tree
of names, so that two networks that share their first layers share those weights too.
"""

import zlib
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from shoal.arrays import Array, Numbers, Shape, Tree, size
from shoal.choosing import check_closed
from shoal.describe import Description, assign, part
from shoal.errors import RecipeError, ShapeError
from shoal.nets import compose
from shoal.nets.initialisers import Draw
from shoal.nets.layer import Inner, Layer, Mode, Statistic, Weight
from shoal.nets.summary import Summary, summarise
from shoal.rules import Many, Whole

SHAPE = Many(Whole(1))


class Net(Description):
    """A network: layers one after another. It holds no arrays and can be shared freely.

    Example:
        >>> from shoal.nets import Conv, Net
        >>> net = Net(Conv(2, kernel=3, stride=2, padding=1))
        >>> net.output_shape((7, 7, 3)), net.parameter_count((7, 7, 3))
        ((4, 4, 2), 56)
    """

    layers: tuple[Layer, ...] = part(must=compose.LAYERS)

    def __init__(self, *layers: Layer) -> None:
        assign(self, {"layers": layers})

    @property
    def random(self) -> bool:
        """Whether any layer draws random numbers while training."""
        check_closed(self, "Net(...)")
        return any(layer.random for layer in self.layers)

    @property
    def scaling(self) -> str:
        """Of the inputs, where the recipe does not say: "none" where a layer takes them raw."""
        raw = any(layer.scaling == "none" for layer in compose.entries(self.layers))
        return "none" if raw else "standard"

    def check(self) -> None:
        seeing = {id(layer) for layer in compose.entries(self.layers)}
        for layer in (inner for outer in self.layers for inner in outer.every()):
            if layer.scaling == "none" and id(layer) not in seeing:
                raise RecipeError(
                    repr(layer),
                    required="the inputs as they are",
                    got="what another layer made of them",
                    remedy="put it first, or behind Reshape, Flatten or Identity only",
                )

    def check_inputs(self, inputs: Numbers) -> None:
        """Whether the layers that see the inputs can take these, (n, ...).

        Raises:
            DataError: numbers that a layer cannot take.
        """
        for layer in compose.entries(self.layers):
            layer.check_inputs(inputs)

    def shapes(self, in_shape: Shape, strict: bool = False) -> list[Shape]:
        """The shape of one example before the first layer and after each.

        Args:
            in_shape: shape of one input, batch left out.
            strict: refuse windows that leave columns over.

        Raises:
            ShapeError: not a shape, or a layer cannot take what reaches it.
        """
        check_closed(self, "Net(...)")
        if not SHAPE.accepts(in_shape):
            raise ShapeError(
                "the shape of one example",
                required="a tuple of whole numbers >= 1",
                got=repr(in_shape),
                remedy="write it as (64,) or (28, 28, 1), batch left out",
            )
        return compose.shapes(self.layers, SHAPE.clean(in_shape), strict)

    def inside(self, in_shape: Shape) -> list[Inner]:
        """The layers with their names and the shape of what reaches each."""
        check_closed(self, "Net(...)")
        return compose.inside(self.layers, in_shape)

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        """The shape of one output; arguments and errors as for ``shapes``."""
        return self.shapes(in_shape, strict)[-1]

    def parameter_count(self, in_shape: Shape) -> int:
        """How many numbers training changes."""
        return self.summary(in_shape).parameters

    def summary(self, in_shape: Shape, strict: bool = False) -> Summary:
        """The table of layers: shapes, parameters, multiply-adds, bytes, receptive field.

        Nothing is computed on a device. Arguments and errors as for ``shapes``.
        """
        self.shapes(in_shape, strict)
        return summarise(self.layers, in_shape, strict)

    def init(self, key: Array, in_shape: Shape, dtype: Any = np.float32) -> tuple[Tree, Tree]:
        """Draw the parameters and set the statistics to their start.

        Args:
            key: a JAX random key.
            in_shape: shape of one input.
            dtype: precision of every array.

        Returns:
            parameters and statistics, nested dictionaries by layer name.
        """
        inner = self.inside(in_shape)
        parameters = _draw_layers(inner, compose.parameters(inner), "", key, 1.0, np.dtype(dtype))
        statistics = jax.tree.map(
            lambda s: jnp.full(s.shape, s.start, dtype),
            compose.statistics(inner),
            is_leaf=lambda s: isinstance(s, Statistic),
        )
        return parameters, statistics

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        """The output for a batch ``x``, shape (B, *in), and the statistics after it."""
        return compose.run(self.layers, parameters, statistics, x, mode)

    def decays(self, in_shape: Shape) -> Tree:
        """Which parameters L2 and weight decay act on: a tree of booleans like the parameters."""
        weights = compose.parameters(self.inside(in_shape))
        return jax.tree.map(lambda w: w.decays, weights, is_leaf=lambda w: isinstance(w, Weight))

    def without_last(self) -> "Net":
        """The network without its last layer.

        Raises:
            RecipeError: it has only one.
        """
        if len(self.layers) == 1:
            raise RecipeError(
                repr(self),
                required="a layer before its last one",
                got="one layer",
                remedy="put Dense(...) before it",
            )
        return self.replace(layers=self.layers[:-1])


def _draw_layers(
    inner: Sequence[Inner],
    weights: Tree,
    path: str,
    key: Array,
    following: Any,
    dtype: np.dtype[Any],
    parallel: bool = False,
) -> dict[str, Any]:
    """The weights of layers, each drawn with the gain of the next activation after it.

    Args:
        following: gain of the next activation after all of them, 1 where there is none.
        parallel: whether they are branches, so that none of them follows another.
    """
    drawn, gain = {}, following
    for name, layer, in_shape in reversed(inner):
        if name in weights:
            own, here = weights[name], f"{path}/{name}" if path else name
            nested = layer.inside(in_shape)
            held = {child.name for child in nested}
            inside = {child: tree for child, tree in own.items() if child in held}
            rest = {child: tree for child, tree in own.items() if child not in held}
            drawn[name] = _draw(rest, here, key, gain, dtype) | _draw_layers(
                nested, inside, here, key, gain, dtype, layer.parallel
            )
        if layer.gain is not None and not parallel:
            gain = layer.gain
    return drawn


def _draw(tree: Any, path: str, key: Array, gain: Any, dtype: np.dtype[Any]) -> Any:
    """Every weight of a nest drawn from the key of its path."""
    if isinstance(tree, Weight):
        own = jax.random.fold_in(key, zlib.crc32(path.encode()) & 0x7FFFFFFF)
        return _sample(tree, own, gain, dtype)
    return {name: _draw(t, f"{path}/{name}", key, gain, dtype) for name, t in tree.items()}


def _sample(weight: Weight, key: Array, gain: Any, dtype: np.dtype[Any]) -> Array:
    """One array of parameters; of a padded one, what the array that it stands for would hold."""
    if weight.real is None:
        draw = Draw(key, weight.shape, weight.fan_in, weight.fan_out, gain, dtype)
        return weight.init.sample(draw)
    n_in, n_out = (jnp.asarray(fan, dtype) for fan in (weight.fan_in, weight.fan_out))
    flat = weight.init.sample(Draw(key, (size(weight.shape),), n_in, n_out, gain, dtype))
    at, real = jnp.zeros(weight.shape, jnp.int32), jnp.ones(weight.shape, bool)
    for axis, length in enumerate(weight.real):
        index = lax.broadcasted_iota(jnp.int32, weight.shape, axis)
        at, real = at * length + index, real & (index < length)
    return jnp.where(real, flat.at[at].get(mode="promise_in_bounds"), 0)
