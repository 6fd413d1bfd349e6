"""What a layer is: a description that knows its shapes, its parameters and its formula.

A layer answers, without data and without a device, what comes out for a given input shape, which
parameters it needs and what it costs; and it computes its output as a pure function

    y, statistics = layer.apply(parameters, statistics, x, mode)       x: (B, *in), y: (B, *out)

``parameters`` are what training changes, ``statistics`` what a layer gathers by itself (the running
mean of batch-norm). Both are dictionaries, empty for most layers.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.random import threefry2x32_p

from shoal.arrays import Array, Numbers, Shape, Tree, psum_together, size
from shoal.describe import Description
from shoal.nets.initialisers import Initialiser


@dataclass(frozen=True)
class Weight:
    """One array of parameters.

    Attributes:
        shape: its shape.
        init: how it is drawn.
        fan_in, fan_out: inputs and outputs of one unit, for the variance of the draw.
        decays: whether L2 and weight decay act on it (weights do, biases and scales do not).
        real: of a padded array (see ``sharing``), the sizes of the array that it stands for, as
            tracers; None for one that is not padded.
    """

    shape: Shape
    init: Initialiser
    fan_in: Any = 1
    fan_out: Any = 1
    decays: bool = False
    real: tuple[Any, ...] | None = None


@dataclass(frozen=True)
class Statistic:
    """One array that a layer gathers while training, and the value it starts from."""

    shape: Shape
    start: float


class Inner(NamedTuple):
    """A layer inside another: its name there, itself, and the shape of what reaches it."""

    name: str
    layer: "Layer"
    in_shape: Shape


class Window(NamedTuple):
    """How a layer widens the receptive field: the extent of its window and its stride, in cells.

    The stride of a layer that enlarges is a fraction.
    """

    extent: tuple[int, ...]
    stride: tuple[int | Fraction, ...]


def _words(key: Array, shape: Shape) -> tuple[Array, Array]:
    """Two arrays of random words: block i of Threefry gives number i of each, whatever the shape.

    ``jax.random.bits`` would keep one word of each block.
    """
    first, second = jax.random.key_data(key)[:2]
    count = lax.iota(jnp.uint32, size(shape)).reshape(shape)
    one, other = threefry2x32_p.bind(first, second, count, jnp.zeros_like(count))
    return one, other


class Mode(NamedTuple):
    """How a network is run.

    Attributes:
        training: True while learning: dropout drops, batch-norm uses the batch.
        key: randomness of this step, or None where the network needs none.
        mask: shape (B,), True for real examples; None when the batch holds no padding.
        devices: name of the axis of devices that share the rows of each batch, None where one
            device has them all. Rows then means this device's rows.
        narrow: whether layers compute in bfloat16, except where they need float32.
        width: how many units of the last axis are real where the others only pad (see
            ``sharing``); None where all are.
    """

    training: bool
    key: Array | None = None
    mask: Array | None = None
    devices: str | None = None
    narrow: bool = False
    width: Array | None = None

    def enter(self, index: int) -> "Mode":
        """The mode for the layer at a position: its own randomness."""
        if self.key is None:
            return self
        return self._replace(key=jax.random.fold_in(self.key, index))

    def total(self, sums: Tree) -> Tree:
        """Sums over this device's rows as sums over all rows of the batch."""
        return sums if self.devices is None else psum_together(sums, self.devices)

    def rows(self, whole: Array) -> Array:
        """This device's share of an array with one entry for each row of the batch, (B, ...)."""
        if self.devices is None:
            return whole
        count = whole.shape[0] // lax.axis_size(self.devices)
        return lax.dynamic_slice_in_dim(whole, lax.axis_index(self.devices) * count, count)

    def draw(self, function: Callable[[Array, Shape], Array], shape: Shape) -> Array:
        """Random numbers of a shape (rows, ...), the same whether devices share the batch or not.

        Args:
            function: draws from a key and a shape.
        """
        batch = shape[0] * (1 if self.devices is None else lax.axis_size(self.devices))
        whole: Array = self._draw(function, (batch, *shape[1:]))
        return self.rows(whole)

    def chances(self, shape: Shape) -> Array:
        """Whole numbers below 2^16, each as likely, of a shape (rows, ...), as uint32.

        To drop a unit needs no more bits than these, and drawing them is most of what dropout
        costs: four come from each block of Threefry, one for each quarter of the rows. They are the
        same whether devices share the batch or not.
        """
        batch = shape[0] * (1 if self.devices is None else lax.axis_size(self.devices))
        words = self._draw(_words, (-(-batch // 4), *shape[1:]))
        return self.rows(jnp.concatenate([h for w in words for h in (w & 0xFFFF, w >> 16)])[:batch])

    def _draw(self, function: Callable[[Array, Shape], Any], shape: Shape) -> Any:
        assert self.key is not None, "a training network that draws is run with a key"
        if self.width is None:
            return function(self.key, shape)
        # Row b, unit u of the network without padding is number b · width + u of what is drawn.
        row, unit = (lax.broadcasted_iota(jnp.int32, shape, axis) for axis in (0, 1))
        at = row * self.width + unit
        flat = function(self.key, (size(shape),))
        return jax.tree.map(lambda a: a.at[at].get(mode="promise_in_bounds"), flat)

    def real(self, x: Array) -> Array:
        """``x`` with the units that only pad set to 0."""
        if self.width is None:
            return x
        return jnp.where(lax.broadcasted_iota(jnp.int32, x.shape, x.ndim - 1) < self.width, x, 0)

    def mean_of_units(self, x: Array) -> Array:
        """The mean over the real units, (..., 1)."""
        if self.width is None:
            return jnp.mean(x, axis=-1, keepdims=True)
        return jnp.sum(self.real(x), axis=-1, keepdims=True) / jnp.asarray(self.width, x.dtype)


class Layer(Description, abstract=True):
    """The interface of a layer. ``in_shape`` is the shape of one example, batch left out.

    Class attributes:
        parallel: for layers made of layers, whether each of them sees the input itself, and not
            the output of the one before it.
        computes: where a recipe's precision is bfloat16: "narrow" in bfloat16; "wide" in float32,
            because it sums or divides many numbers; "any" in what comes, because it only hands it
            on.
        scaling: of the inputs, where it sees them as they are and the recipe does not say.
        arranges: whether it only arranges numbers anew, so that what follows sees what it sees.
        zeros: whether it can stand in a network that is padded with units that are always 0, each
            example being flat: "kept" where their outputs are 0 again and the other units do not
            see them; "filled" where their outputs must be set to 0; "unknown" where it cannot.
    """

    parallel: ClassVar[bool] = False
    computes: ClassVar[str] = "narrow"
    scaling: ClassVar[str] = "standard"
    arranges: ClassVar[bool] = False
    zeros: ClassVar[str] = "unknown"

    @property
    def called(self) -> str:
        """What its name within a sequence is made of."""
        return self.kind

    @property
    def gain(self) -> Any:
        """For activations: what they do to the variance (see ``initialisers``); None for others."""
        return None

    @property
    def random(self) -> bool:
        """Whether the layer draws random numbers while training."""
        return False

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        """The shape of one output; ``strict`` refuses windows that leave columns over.

        Raises:
            ShapeError: the layer cannot take this input.
        """
        raise NotImplementedError

    def parameters(self, in_shape: Shape) -> dict[str, Any]:
        """The weights by name; for layers made of layers, a nested dictionary."""
        return {}

    def statistics(self, in_shape: Shape) -> dict[str, Any]:
        """The statistics by name, nested like ``parameters``."""
        return {}

    def entries(self) -> "tuple[Layer, ...]":
        """The layers that see what reaches it as it is: itself, or the first of those inside."""
        return (self,)

    def every(self) -> "Iterator[Layer]":
        """Itself, and every layer inside."""
        yield self

    def check_inputs(self, inputs: Numbers) -> None:
        """Whether it can take these inputs, asked of the layers that see them.

        Raises:
            DataError: numbers that it cannot take.
        """

    def inside(self, in_shape: Shape) -> Sequence[Inner]:
        """The layers that it is made of; none for most."""
        return ()

    def multiply_adds(self, in_shape: Shape) -> int:
        """Multiplications followed by an addition, for one example forward."""
        return 0

    def window(self, in_shape: Shape) -> Window | None:
        """How the layer widens the receptive field; None when it does not."""
        return None

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        """The output, shape (B, *out), and the statistics after it."""
        raise NotImplementedError
