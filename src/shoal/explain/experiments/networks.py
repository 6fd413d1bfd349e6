"""Networks that several experiments use: perceptrons, by activation, depth and initialiser."""

from shoal.nets import Dense, Net
from shoal.nets.activation import Activation
from shoal.nets.initialisers import Initialiser
from shoal.nets.layer import Layer


def perceptron(
    activation: Activation,
    depth: int,
    width: int,
    outputs: int,
    init: Initialiser | str = "auto",
    bias: Initialiser | str = "zeros",
) -> Net:
    """``depth`` hidden layers of ``width`` units, and outputs without an activation.

    Args:
        activation: after each hidden layer.
        depth, width, outputs: numbers of layers and units.
        init, bias: of weights and biases of the hidden layers; those of the outputs are usual.
    """
    layers: list[Layer] = []
    for _ in range(depth):
        layers += [Dense(width, init=init, bias_init=bias), activation]
    return Net(*layers, Dense(outputs))
