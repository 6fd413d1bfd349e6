"""PyTorch's modules as layers: a table of kinds, each with what becomes of its numbers.

PyTorch keeps channels first, (N, C, H, W); shoal keeps them last, (N, H, W, C). So kernels are
turned, and so are the columns of the first Linear behind a Flatten, which then sees the same
numbers in another order. Each rule takes a module and gives a ``Piece``.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from shoal import nets
from shoal.arrays import Numbers
from shoal.doctor.watching.lazily import untranslatable
from shoal.nets import Layer


class Piece(NamedTuple):
    """One module translated.

    Attributes:
        layer: without its initialisers.
        weights, statistics: its numbers under the names that the layer gives them.
        features: whether arrays of ``weights`` and ``statistics`` have an axis over the features
            of the input, by name: 0 or 1 for that axis.
    """

    layer: Layer
    weights: dict[str, Numbers] = {}  # noqa: RUF012
    statistics: dict[str, Numbers] = {}  # noqa: RUF012
    features: dict[str, int] = {}  # noqa: RUF012


def host(tensor: Any) -> Numbers:
    """A tensor as an array on the host."""
    return np.array(tensor.detach().cpu().numpy())


def refuse(module: Any, got: str, remedy: str = "leave it out, or write the recipe by hand") -> Any:
    """The error for a setting of a module that has no counterpart."""
    raise untranslatable(repr(module), got, remedy)


def _linear(module: Any) -> Piece:
    weights = {"weight": host(module.weight)}
    if module.bias is not None:
        weights["bias"] = host(module.bias)
    layer = nets.Dense(module.out_features, bias=module.bias is not None)
    return Piece(layer, weights, features={"weight": 1})


def _numbers(value: Any) -> Any:
    """A setting for each axis, as one number where all are equal."""
    if not isinstance(value, tuple):
        return value
    return value[0] if len(set(value)) == 1 else value


def _conv(module: Any) -> Piece:
    if module.padding_mode != "zeros":
        refuse(module, f"padding_mode={module.padding_mode!r}")
    kernel = np.moveaxis(host(module.weight), (0, 1), (-1, -2))  # (O, I, *k) -> (*k, I, O)
    weights = {"weight": np.ascontiguousarray(kernel)}
    if module.bias is not None:
        weights["bias"] = host(module.bias)
    layer = nets.Conv(
        module.out_channels,
        kernel=_numbers(module.kernel_size),
        stride=_numbers(module.stride),
        padding=_numbers(module.padding),
        dilation=_numbers(module.dilation),
        groups=module.groups,
        bias=module.bias is not None,
    )
    return Piece(layer, weights)


def _batch_norm(module: Any) -> Piece:
    if not module.affine or not module.track_running_stats or module.momentum is None:
        refuse(module, "batch-norm without scale, running statistics or momentum")
    return Piece(
        nets.BatchNorm(momentum=float(module.momentum), epsilon=float(module.eps)),
        {"scale": host(module.weight), "offset": host(module.bias)},
        {"mean": host(module.running_mean), "variance": host(module.running_var)},
        {"scale": 0, "offset": 0, "mean": 0, "variance": 0},
    )


def _layer_norm(module: Any) -> Piece:
    if len(module.normalized_shape) != 1 or module.weight is None or module.bias is None:
        refuse(module, "a layer-norm over several axes, or without scale and offset")
    return Piece(
        nets.LayerNorm(epsilon=float(module.eps)),
        {"scale": host(module.weight), "offset": host(module.bias)},
        features={"scale": 0, "offset": 0},
    )


def _group_norm(module: Any) -> Piece:
    if not module.affine:
        refuse(module, "a group-norm without scale and offset")
    weights = {"scale": host(module.weight), "offset": host(module.bias)}
    return Piece(nets.GroupNorm(module.num_groups, epsilon=float(module.eps)), weights)


def _max_pool(module: Any) -> Piece:
    if module.ceil_mode or module.return_indices:
        refuse(module, "ceil_mode or return_indices")
    sizes = {n: _numbers(getattr(module, n)) for n in ("stride", "padding", "dilation")}
    return Piece(nets.MaxPool(_numbers(module.kernel_size), **sizes))


def _avg_pool(module: Any) -> Piece:
    padding = _numbers(module.padding)
    if module.ceil_mode or (padding not in (0, (0,)) and module.count_include_pad):
        refuse(module, "ceil_mode, or padding that counts", "use count_include_pad=False")
    if getattr(module, "divisor_override", None) is not None:
        refuse(module, "divisor_override")
    stride = _numbers(module.stride)
    return Piece(nets.AvgPool(_numbers(module.kernel_size), stride=stride, padding=padding))


def _adaptive(layer: Layer) -> Callable[[Any], Piece]:
    def rule(module: Any) -> Piece:
        if _numbers(module.output_size) != 1:
            refuse(module, "an output of more than one cell", "use an ordinary pool")
        return Piece(layer)

    return rule


def _dropout(kind: Any) -> Callable[[Any], Piece]:
    return lambda module: Piece(kind(float(module.p)))


def _flatten(module: Any) -> Piece:
    if (module.start_dim, module.end_dim) != (1, -1):
        refuse(module, "some axes only", "flatten all but the batch")
    return Piece(nets.Flatten())


def _embedding(module: Any) -> Piece:
    if module.padding_idx is not None or module.max_norm is not None:
        refuse(module, "padding_idx or max_norm")
    layer = nets.Embedding(module.num_embeddings, module.embedding_dim)
    return Piece(layer, {"vectors": host(module.weight)})


def _prelu(module: Any) -> Piece:
    slopes = host(module.weight)
    layer = nets.PReLU(start=float(np.clip(slopes.mean(), 0, 1)), per_channel=len(slopes) > 1)
    features = {"slope": 0} if len(slopes) > 1 else {}
    return Piece(layer, {"slope": slopes}, features=features)


def _over_classes(layer: Layer) -> Callable[[Any], Piece]:
    def rule(module: Any) -> Piece:
        if module.dim not in (None, 1, -1):
            refuse(module, f"dim={module.dim}", "use dim=1")
        return Piece(layer)

    return rule


def _plain(layer: Layer) -> Callable[[Any], Piece]:
    return lambda module: Piece(layer)


RULES: dict[str, Callable[[Any], Piece]] = {
    "Linear": _linear,
    "Conv1d": _conv, "Conv2d": _conv, "Conv3d": _conv,
    "BatchNorm1d": _batch_norm, "BatchNorm2d": _batch_norm, "BatchNorm3d": _batch_norm,
    "LayerNorm": _layer_norm,
    "GroupNorm": _group_norm,
    "MaxPool1d": _max_pool, "MaxPool2d": _max_pool, "MaxPool3d": _max_pool,
    "AvgPool1d": _avg_pool, "AvgPool2d": _avg_pool, "AvgPool3d": _avg_pool,
    "AdaptiveAvgPool1d": _adaptive(nets.GlobalAvgPool()),
    "AdaptiveAvgPool2d": _adaptive(nets.GlobalAvgPool()),
    "AdaptiveMaxPool1d": _adaptive(nets.GlobalMaxPool()),
    "AdaptiveMaxPool2d": _adaptive(nets.GlobalMaxPool()),
    "Dropout": _dropout(nets.Dropout),
    "Dropout1d": _dropout(nets.SpatialDropout), "Dropout2d": _dropout(nets.SpatialDropout),
    "Flatten": _flatten,
    "Embedding": _embedding,
    "Identity": _plain(nets.Identity()),
    "ReLU": _plain(nets.ReLU()),
    "LeakyReLU": lambda module: Piece(nets.LeakyReLU(float(module.negative_slope))),
    "PReLU": _prelu,
    "ELU": lambda module: Piece(nets.ELU(float(module.alpha))),
    "SELU": _plain(nets.SELU()),
    "CELU": lambda module: Piece(nets.CELU(float(module.alpha))),
    "GELU": lambda module: Piece(nets.GELU(approximate=module.approximate == "tanh")),
    "SiLU": _plain(nets.SiLU()),
    "Mish": _plain(nets.Mish()),
    "Hardswish": _plain(nets.HardSwish()),
    "Softplus": lambda module: Piece(nets.Softplus(float(module.beta))),
    "Tanh": _plain(nets.Tanh()),
    "Softsign": _plain(nets.Softsign()),
    "Sigmoid": _plain(nets.Sigmoid()),
    "Hardsigmoid": _plain(nets.HardSigmoid()),
    "Softmax": _over_classes(nets.Softmax()),
    "LogSoftmax": _over_classes(nets.LogSoftmax()),
}  # fmt: skip
"""By the name of the class in ``torch.nn``."""
