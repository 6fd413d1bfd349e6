"""Surgery: networks with some of their layers replaced, wherever these are nested."""

from collections.abc import Callable
from typing import Any

from shoal.describe import Description, field_names
from shoal.nets import Activation, Identity, Layer, LogSoftmax, Net, Softmax

Change = Callable[[Any], Any]

HEADS = (Softmax, LogSoftmax, Identity)
"""Activations that are no hidden non-linearity, or that mean something at the end of a network."""


def everywhere(value: Any, change: Change) -> Any:
    """A description with ``change`` made to every layer in it, the innermost first."""
    if isinstance(value, tuple):
        return tuple(everywhere(item, change) for item in value)
    if not isinstance(value, Description):
        return value
    fields = {name: getattr(value, name) for name in field_names(value)}
    changed = {name: everywhere(old, change) for name, old in fields.items()}
    changed = {name: new for name, new in changed.items() if new is not fields[name]}
    found = value.replace(**changed) if any(changed[n] != fields[n] for n in changed) else value
    return change(found) if isinstance(found, Layer) else found


def hidden_activations(net: Net) -> list[Activation]:
    """The activations of a network but for the one that it ends with, in order."""
    return [
        layer
        for top in _without_head(net)
        for layer in top.every()
        if isinstance(layer, Activation) and not isinstance(layer, HEADS)
    ]


def with_activation(net: Net, new: Activation) -> Net:
    """The network with every hidden activation replaced."""

    def change(layer: Layer) -> Layer:
        hidden = isinstance(layer, Activation) and not isinstance(layer, HEADS)
        return new if hidden else layer

    body = _without_head(net)
    return net.replace(layers=everywhere(body, change) + net.layers[len(body) :])


def _without_head(net: Net) -> tuple[Layer, ...]:
    """The layers of a network up to a last activation."""
    return net.layers[:-1] if isinstance(net.layers[-1], Activation) else net.layers


def with_initialiser(net: Net, new: Any) -> Net:
    """The network with the weights of every layer drawn by ``new``; biases stay as they are."""

    def change(layer: Layer) -> Layer:
        return layer.replace(init=new) if "init" in field_names(layer) else layer

    return net.replace(layers=everywhere(net.layers, change))
