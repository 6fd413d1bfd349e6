"""Sharing: layers with which networks of different widths and activations run as one program.

    Padded     a layer of a wider network, in which only the first units are real
    Switched   one of several activations, chosen by a number

Both stand in programs only. What distinguishes the networks (width, number of inputs, which
activation) is traced, so that the members of a pool may differ in it.

Padding is exact. Weights of units that only pad are 0 at the start. Forward these units are 0: they
are set to 0 behind every layer that would make something else of them. So whatever multiplies them
has gradient 0, and as the weights that lead away from them are 0, so have the weights that lead to
them. An optimiser that ``keeps_zeros`` leaves all of them 0 for ever; sums of squares, norms and
penalties over them are those of the real ones. What is drawn at random, weights and masks, is
drawn as for the network without padding. Only the order of sums, and so the rounding, differs.
"""

from dataclasses import replace
from functools import reduce
from typing import Any

import jax.numpy as jnp
from jax import lax

from shoal.arrays import Array, Shape, Tree
from shoal.describe import part, traced
from shoal.nets.activation import Activation
from shoal.nets.dense import Dense
from shoal.nets.initialisers import Initialiser
from shoal.nets.layer import Layer, Mode, Weight
from shoal.rules import Is, Many, Whole


class Padded(Layer, word=False):
    """A layer on flat examples of which only the first ``width`` units are real.

    Args:
        layer: as wide as the padding makes it.
        width: real units that come out, a tracer in a program.
        features: real units that come in.
    """

    layer: Layer = part(must=Is(Layer, "a layer"))
    width: Any = traced(must=Whole(1))
    features: Any = traced(must=Whole(1))

    @property
    def called(self) -> str:
        """That of the layer, whose weights it holds."""
        return self.layer.called

    @property
    def gain(self) -> Any:
        return self.layer.gain

    @property
    def random(self) -> bool:
        return self.layer.random

    @property
    def computes(self) -> str:  # type: ignore[override]
        """As the layer."""
        return self.layer.computes

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        return self.layer.output_shape(in_shape, strict)

    def parameters(self, in_shape: Shape) -> dict[str, Any]:
        own = self.layer.parameters(in_shape)
        return {name: self._real(weight) for name, weight in own.items()}

    def _real(self, weight: Weight) -> Weight:
        sizes = (self.width, self.features)[: len(weight.shape)]
        return replace(weight, fan_in=self.features, fan_out=self.width, real=sizes)

    def statistics(self, in_shape: Shape) -> dict[str, Any]:
        return self.layer.statistics(in_shape)

    def multiply_adds(self, in_shape: Shape) -> int:
        return self.layer.multiply_adds(in_shape)

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        inside = mode._replace(width=self.width)
        y, after = self.layer.apply(parameters, statistics, x, inside)
        return (inside.real(y) if self.layer.zeros == "filled" else y), after


class Switched(Layer, word=False):
    """The activation with a number out of several.

    Run for one network only that one is computed; run for several together, each of them.

    Args:
        options: activations without parameters and without randomness.
        index: of the one to take, from 0, a tracer in a program.
    """

    zeros = "filled"
    options: tuple[Activation, ...] = part(must=Many(Is(Activation, "an activation"), at_least=1))
    index: Any = traced(must=Whole(0))

    @property
    def gain(self) -> Any:
        gains = [option.gain for option in self.options]
        pairs = enumerate(gains[1:], start=1)
        return reduce(lambda found, g: jnp.where(self.index == g[0], g[1], found), pairs, gains[0])

    def output_shape(self, in_shape: Shape, strict: bool = False) -> Shape:
        return in_shape

    def apply(self, parameters: Tree, statistics: Tree, x: Array, mode: Mode) -> tuple[Array, Tree]:
        return lax.switch(self.index, [option.function for option in self.options], x), {}


def switchable(layer: Layer, in_shape: Shape) -> bool:
    """Whether a layer may be one of the options of a ``Switched``."""
    if not isinstance(layer, Activation) or layer.zeros == "unknown" or layer.random:
        return False
    return layer.computes == Switched.computes and not layer.parameters(in_shape)


def stretchable(layers: tuple[Layer, ...], at: int) -> bool:
    """Whether the Dense at a position can be padded: what follows, up to the next Dense, allows it.

    Units beside the real ones must go into the weights of another Dense in the end; an output of
    the network is never padded.
    """
    if not isinstance(layers[at], Dense) or not _by_element(layers[at]):
        return False
    for layer in layers[at + 1 :]:
        if isinstance(layer, Dense):
            return _by_element(layer)
        if layer.zeros == "unknown":
            return False
    return False


def _by_element(layer: Any) -> bool:
    drawn: tuple[Initialiser, ...] = (layer.init, layer.bias_init)
    return all(init.elementwise for init in drawn)
