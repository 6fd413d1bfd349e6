"""Networks by name: the usual shapes, so that they need not be spelled out.

    network                            input        parameters    published
    lenet5(10)                         32x32x1          61,706    LeCun et al. 1998; see below
    alexnet(1000)                      224x224x3    61,100,840    Krizhevsky 2014, torchvision
    vgg11(1000)                        224x224x3   132,863,336    Simonyan and Zisserman 2015, A
    vgg16(1000)                        224x224x3   138,357,544    the same, D
    resnet18(1000)                     224x224x3    11,689,512    He et al. 2016
    resnet34(1000)                     224x224x3    21,797,672    the same
    resnet50(1000)                     224x224x3    25,557,032    the same

Counts are those of torchvision's networks of the same names. The networks end without an
activation: losses of classes take logits.
"""

from collections.abc import Sequence

from shoal.errors import RecipeError
from shoal.nets.activation import Activation
from shoal.nets.conv import Conv
from shoal.nets.dense import Dense
from shoal.nets.initialisers import Zeros
from shoal.nets.layer import Layer
from shoal.nets.nests import Add, Residual, Sequential
from shoal.nets.net import Net
from shoal.nets.noise import Dropout
from shoal.nets.normalisation import BatchNorm
from shoal.nets.pooling import AvgPool, GlobalAvgPool, MaxPool
from shoal.nets.rectifiers import ReLU
from shoal.nets.reshape import Flatten
from shoal.nets.squashers import Tanh
from shoal.rules import Many, Open, Whole

HIDDEN = Many(Whole(1))


def mlp(
    hidden: Sequence[int], outputs: int, activation: Activation | None = None, dropout: float = 0.0
) -> Net:
    """A multi-layer perceptron: dense layers, each followed by an activation and dropout.

    Args:
        hidden: units of each hidden layer; none makes a linear model.
        outputs: units of the last layer, which has no activation.
        activation: of the hidden layers; None for ReLU.
        dropout: rate after each hidden layer, in [0, 1); 0 for none.

    Raises:
        RecipeError: units that are not a list of whole numbers.

    >>> mlp([64, 32], 10, dropout=0.2)
    Net(Dense(64), ReLU(), Dropout(0.2), Dense(32), ReLU(), Dropout(0.2), Dense(10))
    """
    if not HIDDEN.accepts(hidden):
        raise RecipeError(
            "mlp(hidden)",
            required="a list of whole numbers >= 1",
            got=repr(hidden),
            remedy=f"write mlp([{hidden}], ...)" if isinstance(hidden, int) else "write mlp([64])",
        )
    layers: list[Layer] = []
    for units in hidden:
        layers += [Dense(units), activation or ReLU()]
        if isinstance(dropout, Open) or dropout > 0:
            layers.append(Dropout(dropout))
    return Net(*layers, Dense(outputs))


def logistic_regression(classes: int = 2) -> Net:
    """One dense layer that starts at zero; with ``loss="cross_entropy"`` the problem is convex.

    Args:
        classes: >= 2; with "binary_cross_entropy" give 1 for two classes.
    """
    return Net(Dense(classes, init=Zeros()))


def autoencoder(
    inputs: int, hidden: Sequence[int], code: int, activation: Activation | None = None
) -> Net:
    """Down to a short code and back, to be trained on data whose target is its input.

        data = sh.data.reconstruction(x)
        run = sh.fit(sh.Recipe(sh.zoo.autoencoder(64, [32], 8), loss="mse"), data)

    Args:
        inputs: features of the input, and of the output.
        hidden: units of the layers before the code, in order; the layers after it mirror them.
        code: units in the middle.
        activation: of the hidden layers; None for ReLU. Code and output have none.
    """
    down = mlp([*hidden], code, activation).layers
    up = mlp([*reversed(hidden)], inputs, activation).layers
    return Net(*down, *up)


def lenet5(classes: int = 10, activation: Activation | None = None) -> Net:
    """LeNet-5 for 32x32x1 images (LeCun et al. 1998), as it is built today: 61,706 parameters.

    The paper counts 60,000. Its third layer connects each filter to some of the channels (900
    weights fewer), its pools scale and shift each channel (44 more) and its last layer is a fixed
    code (850 fewer): 61,706 - 900 + 44 - 850 = 60,000.

    Args:
        classes: outputs.
        activation: of the hidden layers; None for Tanh.
    """
    f = activation or Tanh()
    return Net(
        Conv(6, 5, padding="valid"), f, AvgPool(2),
        Conv(16, 5, padding="valid"), f, AvgPool(2),
        Flatten(), Dense(120), f, Dense(84), f, Dense(classes),
    )  # fmt: skip


def alexnet(classes: int = 1000, dropout: float = 0.5) -> Net:
    """AlexNet in one tower (Krizhevsky 2014, arXiv:1404.5997), for images of 63x63 and more.

    Args:
        classes: outputs.
        dropout: rate before the two hidden dense layers.
    """
    return Net(
        Conv(64, 11, stride=4, padding=2), ReLU(), MaxPool(3, stride=2),
        Conv(192, 5), ReLU(), MaxPool(3, stride=2),
        Conv(384, 3), ReLU(), Conv(256, 3), ReLU(), Conv(256, 3), ReLU(), MaxPool(3, stride=2),
        Flatten(), Dropout(dropout), Dense(4096), ReLU(), Dropout(dropout), Dense(4096), ReLU(),
        Dense(classes),
    )  # fmt: skip


def _vgg(blocks: Sequence[int], classes: int, dropout: float) -> Net:
    """Blocks of so many 3x3 convolutions, each with a pool after it, then three dense layers."""
    layers: list[Layer] = []
    for filters, count in zip((64, 128, 256, 512, 512), blocks, strict=True):
        for _ in range(count):
            layers += [Conv(filters, 3), ReLU()]
        layers.append(MaxPool(2))
    for _ in range(2):
        layers += [Dense(4096), ReLU(), Dropout(dropout)]
    at = 2 * sum(blocks) + len(blocks)
    return Net(*layers[:at], Flatten(), *layers[at:], Dense(classes))


def vgg11(classes: int = 1000, dropout: float = 0.5) -> Net:
    """VGG with 11 layers (Simonyan and Zisserman 2015, A), for images of 32x32 and more.

    Args:
        classes: outputs.
        dropout: rate after the two hidden dense layers.
    """
    return _vgg((1, 1, 2, 2, 2), classes, dropout)


def vgg16(classes: int = 1000, dropout: float = 0.5) -> Net:
    """VGG with 16 layers (Simonyan and Zisserman 2015, D); arguments as for ``vgg11``."""
    return _vgg((2, 2, 3, 3, 3), classes, dropout)


def _unit(filters: int, kernel: int, stride: int = 1) -> tuple[Layer, Layer]:
    return Conv(filters, kernel, stride, padding=kernel // 2, bias=False), BatchNorm()


def _block(layers: Sequence[Layer], filters: int, stride: int, same: bool) -> tuple[Layer, Layer]:
    """Layers with a shortcut around them: the identity where the shape stays, else a projection."""
    if same:
        return Residual(*layers), ReLU()
    projection = Sequential(*_unit(filters, 1, stride))
    return Add(main=Sequential(*layers), shortcut=projection), ReLU()


def _resnet(blocks: Sequence[int], bottleneck: bool, classes: int, small: bool) -> Net:
    stem: list[Layer] = [*_unit(64, 3), ReLU()]
    if not small:
        stem = [*_unit(64, 7, 2), ReLU(), MaxPool(3, stride=2, padding=1)]
    layers, channels = stem, 64
    for stage, count in enumerate(blocks):
        for number in range(count):
            width, stride = 64 * 2**stage, 2 if stage and not number else 1
            filters = 4 * width if bottleneck else width
            if bottleneck:  # the stride is at the 3x3, as in torchvision; in the paper at the 1x1
                first, middle = _unit(width, 1), _unit(width, 3, stride)
                inside = [*first, ReLU(), *middle, ReLU(), *_unit(filters, 1)]
            else:
                inside = [*_unit(width, 3, stride), ReLU(), *_unit(width, 3)]
            same = stride == 1 and channels == filters
            layers += _block(inside, filters, stride, same)
            channels = filters
    return Net(*layers, GlobalAvgPool(), Dense(classes))


def resnet18(classes: int = 1000, small: bool = False) -> Net:
    """ResNet with 18 layers (He et al. 2016, arXiv:1512.03385).

    Args:
        classes: outputs.
        small: for images of about 32x32: the first layer is 3x3 with stride 1 and no pool follows,
            instead of 7x7 with stride 2 and a pool.
    """
    return _resnet((2, 2, 2, 2), False, classes, small)


def resnet34(classes: int = 1000, small: bool = False) -> Net:
    """ResNet with 34 layers; arguments as for ``resnet18``."""
    return _resnet((3, 4, 6, 3), False, classes, small)


def resnet50(classes: int = 1000, small: bool = False) -> Net:
    """ResNet with 50 layers in bottlenecks; arguments as for ``resnet18``."""
    return _resnet((3, 4, 6, 3), True, classes, small)


BY_NAME = {
    "logistic_regression": logistic_regression,
    "lenet5": lenet5,
    "alexnet": alexnet,
    "vgg11": vgg11,
    "vgg16": vgg16,
    "resnet18": resnet18,
    "resnet34": resnet34,
    "resnet50": resnet50,
}
"""The networks that need nothing but the number of their outputs."""
