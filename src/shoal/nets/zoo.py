"""Networks by name: the usual shapes, so that they need not be spelled out."""

from collections.abc import Sequence

from shoal.nets.activation import Activation
from shoal.nets.dense import Dense
from shoal.nets.layer import Layer
from shoal.nets.net import Net
from shoal.nets.noise import Dropout
from shoal.nets.rectifiers import ReLU


def mlp(
    hidden: Sequence[int], outputs: int, activation: Activation | None = None, dropout: float = 0.0
) -> Net:
    """A multi-layer perceptron: dense layers, each followed by an activation and dropout.

    Args:
        hidden: units of each hidden layer; none makes a linear model.
        outputs: units of the last layer, which has no activation.
        activation: of the hidden layers; None for ReLU.
        dropout: rate after each hidden layer, in [0, 1); 0 for none.

    >>> mlp([64, 32], 10, dropout=0.2)
    Net(Dense(64), ReLU(), Dropout(0.2), Dense(32), ReLU(), Dropout(0.2), Dense(10))
    """
    layers: list[Layer] = []
    for units in hidden:
        layers += [Dense(units), activation or ReLU()]
        if dropout > 0:
            layers.append(Dropout(dropout))
    return Net(*layers, Dense(outputs))
