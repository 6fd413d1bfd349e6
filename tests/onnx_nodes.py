"""Nodes of ONNX computed by our layers, losses and optimisers.

Each handler takes the attributes of a node and its inputs (NumPy arrays, channels first) and returns
its outputs; it arranges axes and hands the arithmetic to ours. What ours cannot do raises ``Unfit``
with the reason. An output that is None is one that ours does not give: it is not compared.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax

import shoal as sh
from shoal.losses import pick
from shoal.nets import Mode


class Unfit(Exception):
    """A case that asks for what shoal does not have."""


def run(layer, x, parameters=None, statistics=None, training=False):
    """The output of a layer for x, channels last, and its statistics."""
    x, parameters, statistics = jax.tree.map(jnp.asarray, (x, parameters or {}, statistics or {}))
    layer.output_shape(x.shape[1:])  # the shape must be one that the layer accepts
    y, after = layer.apply(parameters, statistics, x, Mode(training, jax.random.key(0)))
    return np.asarray(y), jax.tree.map(np.asarray, after)


def last(x):
    return np.moveaxis(x, 1, -1)


def first(x):
    return np.moveaxis(x, -1, 1)


def in_float(function):
    """A handler that computes in float32 what comes in another precision, and gives it back."""

    def handler(a, x, *rest):
        outputs = function(a, np.asarray(x, np.float32), *(np.asarray(r, np.float32) for r in rest))
        return [None if y is None else np.asarray(y).astype(x.dtype) for y in outputs]

    return handler


# --- activations ---------------------------------------------------------------------------------


def activation(make):
    """Of a layer made from the attributes, for arrays of any shape."""

    def handler(a, x):
        return [run(make(a), x.reshape(1, -1))[0].reshape(x.shape)]

    return handler


def over_axis(make):
    def handler(a, x):
        moved = np.moveaxis(x, a.get("axis", -1), -1)
        flat = moved.reshape(-1, moved.shape[-1])
        return [np.moveaxis(run(make, flat)[0].reshape(moved.shape), -1, a.get("axis", -1))]

    return handler


def prelu(a, x, slope):
    slopes = np.broadcast_to(slope, x.shape).reshape(-1)
    return [run(sh.PReLU(), x.reshape(1, -1), {"slope": slopes})[0].reshape(x.shape)]


def gelu(a, x):
    layer = sh.GELU(approximate=a.get("approximate", b"none") == b"tanh")
    return activation(lambda _: layer)(a, x)


ACTIVATIONS = {
    "Relu": activation(lambda a: sh.ReLU()),
    "LeakyRelu": activation(lambda a: sh.LeakyReLU(a.get("alpha", 0.01))),
    "PRelu": prelu,
    "Elu": activation(lambda a: sh.ELU(a.get("alpha", 1.0))),
    "Celu": activation(lambda a: sh.CELU(a.get("alpha", 1.0))),
    "Gelu": gelu,
    "HardSigmoid": activation(lambda a: sh.HardSigmoid(a.get("alpha", 0.2), a.get("beta", 0.5))),
    "HardSwish": activation(lambda a: sh.HardSwish()),
    "Identity": activation(lambda a: sh.Identity()),
    "Mish": activation(lambda a: sh.Mish()),
    "Sigmoid": activation(lambda a: sh.Sigmoid()),
    "Softplus": activation(lambda a: sh.Softplus()),
    "Softsign": activation(lambda a: sh.Softsign()),
    "Swish": activation(lambda a: sh.Swish(a.get("alpha", 1.0))),
    "Tanh": activation(lambda a: sh.Tanh()),
    "Softmax": over_axis(sh.Softmax()),
    "LogSoftmax": over_axis(sh.LogSoftmax()),
}


def selu(a, x):
    usual = 1.67326319217681884765625, 1.05070102214813232421875
    alpha, gamma = a.get("alpha", usual[0]), a.get("gamma", usual[1])
    if (alpha, gamma) == usual:
        return activation(lambda _: sh.SELU())(a, x)
    # With other numbers it is gamma times an ELU.
    return [gamma * activation(lambda _: sh.ELU(alpha))(a, x)[0]]


# --- products and windows ------------------------------------------------------------------------


def matmul(a, x, w):
    """A Dense without bias for every matrix; vectors become matrices of one row or column."""
    left, right = x.ndim == 1, w.ndim == 1
    x, w = (x[None] if left else x), (w[:, None] if right else w)
    batch = np.broadcast_shapes(x.shape[:-2], w.shape[:-2])
    xs = np.broadcast_to(x, (*batch, *x.shape[-2:])).reshape(-1, *x.shape[-2:])
    ws = np.broadcast_to(w, (*batch, *w.shape[-2:])).reshape(-1, *w.shape[-2:])
    layer = sh.Dense(w.shape[-1], bias=False)
    y = np.stack([run(layer, p, {"weight": q.T})[0] for p, q in zip(xs, ws, strict=True)])
    y = y.reshape(*batch, *y.shape[-2:])
    y = y[..., 0, :] if left else y
    return [y[..., 0] if right else y]


def gemm(a, x, w, c=None):
    x, w = (x.T if a.get("transA") else x), (w if a.get("transB") else w.T)  # w: (units, features)
    layer = sh.Dense(len(w), bias=c is not None)
    weights = {"weight": a.get("alpha", 1.0) * w}
    if c is not None:
        if c.ndim == 2 and c.shape[0] > 1:
            raise Unfit("a bias of its own for each row")
        weights["bias"] = a.get("beta", 1.0) * np.broadcast_to(c.reshape(-1), (len(w),))
    return [run(layer, x, weights)[0]]


def _pads(a, x, kernel, stride, dilation=None):
    """(low, high) cells of padding for each axis, by the attributes pads or auto_pad."""
    n = x.ndim - 2
    kind, pads = a.get("auto_pad", b"NOTSET"), a.get("pads", [0] * 2 * n)
    if kind in (b"NOTSET", b"VALID"):
        return [(pads[i], pads[n + i]) for i in range(n)]
    found = []
    for i in range(n):
        extent = (kernel[i] - 1) * (dilation or [1] * n)[i] + 1
        out = -(-x.shape[2 + i] // stride[i])
        total = max(0, (out - 1) * stride[i] + extent - x.shape[2 + i])
        small, large = total // 2, total - total // 2
        found.append((small, large) if kind == b"SAME_UPPER" else (large, small))
    return found


def _symmetric(pads, x, fill):
    """Padding that our layers take, and x with the rest of it put around by hand."""
    ours = tuple(min(pair) for pair in pads)
    rest = [(low - o, high - o) for (low, high), o in zip(pads, ours, strict=True)]
    return ours, np.pad(x, [(0, 0), (0, 0), *rest], constant_values=fill)


def conv(a, x, w, b=None):
    kernel, n = w.shape[2:], x.ndim - 2
    stride = tuple(a.get("strides", [1] * n))
    dilation = tuple(a.get("dilations", [1] * n))
    padding, x = _symmetric(_pads(a, x, kernel, stride, dilation), x, 0.0)
    layer = sh.Conv(
        len(w), tuple(kernel), stride, padding, dilation, a.get("group", 1), bias=b is not None
    )
    weights = {"weight": np.moveaxis(w, (0, 1), (-1, -2))} | ({} if b is None else {"bias": b})
    return [first(run(layer, last(x), weights)[0])]


def conv_transpose(a, x, w, b=None):
    n, kernel = x.ndim - 2, tuple(w.shape[2:])
    stride, dilation = tuple(a.get("strides", [1] * n)), tuple(a.get("dilations", [1] * n))
    extra, group = tuple(a.get("output_padding", [0] * n)), a.get("group", 1)
    pads = [(a.get("pads", [0] * 2 * n)[i], a.get("pads", [0] * 2 * n)[n + i]) for i in range(n)]
    full = [stride[i] * (x.shape[2 + i] - 1) + dilation[i] * (kernel[i] - 1) + 1 for i in range(n)]
    shape = a.get("output_shape")
    if a.get("auto_pad") == b"SAME_UPPER":
        shape = [stride[i] * x.shape[2 + i] for i in range(n)]
    if shape:
        totals = [full[i] + extra[i] - shape[i] for i in range(n)]
        pads = [(t // 2, t - t // 2) for t in totals]
    # Cut off what our layer, which cuts the same on both sides, does not.
    ours = tuple(max(0, min(pair)) for pair in pads)
    more = tuple(
        extra[i] + max(0, -(pads[i][0] + pads[i][1])) if shape else extra[i] for i in range(n)
    )
    layer = sh.ConvTranspose(
        w.shape[1] * group, kernel, stride, ours, extra if not shape else more, dilation, group,
        bias=b is not None,
    )  # fmt: skip
    weights = {"weight": np.moveaxis(w, (0, 1), (-1, -2))} | ({} if b is None else {"bias": b})
    y = first(run(layer, last(x), weights)[0])
    for i in range(n):
        low = pads[i][0] - ours[i]
        size = shape[i] if shape else full[i] + extra[i] - sum(pads[i])
        y = np.take(y, range(max(0, low), max(0, low) + size), axis=2 + i)
    return [y]


def _ceiling(x, kernel, stride, pads):
    """More padding at the end, so that the last window that begins inside is kept."""
    found = []
    for i, (low, high) in enumerate(pads):
        room = x.shape[2 + i] + low + high - kernel[i]
        out = -(-room // stride[i]) + 1
        if (out - 1) * stride[i] >= x.shape[2 + i] + low:
            out -= 1  # it would begin in the padding
        found.append((low, max(high, (out - 1) * stride[i] + kernel[i] - x.shape[2 + i] - low)))
    return found


def _pool_settings(a, x):
    n = x.ndim - 2
    kernel, stride = tuple(a["kernel_shape"]), tuple(a.get("strides", [1] * n))
    dilation = tuple(a.get("dilations", [1] * n))
    pads = _pads(a, x, kernel, stride, dilation)
    if a.get("ceil_mode"):
        extent = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
        pads = _ceiling(x, extent, stride, pads)
    return kernel, stride, dilation, pads


def max_pool(a, x):
    if a["outputs"] > 1:
        raise Unfit("indices of the maxima as an output")
    kernel, stride, dilation, pads = _pool_settings(a, x)
    padding, wide = _symmetric(pads, x.astype(np.float32), -np.inf)
    y = run(sh.MaxPool(kernel, stride, padding, dilation), last(wide))[0]
    return [first(y).astype(x.dtype)]


def average_pool(a, x):
    kernel, stride, dilation, pads = _pool_settings(a, x)
    if a.get("count_include_pad"):
        if a.get("ceil_mode"):
            raise Unfit("averages that count padding, but not what rounding up adds")
        x, pads = np.pad(x, [(0, 0), (0, 0), *pads]), [(0, 0)] * len(pads)
    padding, wide = _symmetric(pads, x, 0.0)
    if wide.shape != x.shape:
        raise Unfit("averages that leave out padding that differs between the sides")
    return [first(run(sh.AvgPool(kernel, stride, padding, dilation), last(x))[0])]


def global_pool(layer):
    def handler(a, x):
        y = run(layer, last(x))[0]
        return [y.reshape(*y.shape, *[1] * (x.ndim - 2))]

    return handler


def reduce(layer):
    """A reduction as a global pool over the axes that are reduced."""

    def handler(a, x, axes=None):
        if x.size == 0 or x.dtype.kind not in "f":
            raise Unfit("pools of nothing, or of booleans")
        none = axes is None or len(axes) == 0
        if none and a.get("noop_with_empty_axes"):
            return [x]
        chosen = range(x.ndim) if none else [int(axis) % x.ndim for axis in axes]
        kept = [axis for axis in range(x.ndim) if axis not in chosen]
        moved = x.transpose(*chosen, *kept).reshape(1, math.prod(x.shape[i] for i in chosen), -1)
        y = run(layer, moved)[0].reshape([x.shape[i] for i in kept])
        shape = [1 if i in chosen else x.shape[i] for i in range(x.ndim)]
        return [y.reshape(shape) if a.get("keepdims", 1) else y]

    return handler


# --- normalisation, dropout ----------------------------------------------------------------------


def _normalised(layer, a, x, weights):
    """Over the axes from ``axis`` on, which become one."""
    axis = a.get("axis", -1) % x.ndim
    flat = x.reshape(-1, math.prod(x.shape[axis:]))
    return run(layer, flat, {n: w.reshape(-1) for n, w in weights.items()})[0].reshape(x.shape)


def layer_norm(a, x, scale, offset=None):
    offset = np.zeros_like(scale) if offset is None else offset
    layer = sh.LayerNorm(epsilon=a.get("epsilon", 1e-5))
    return [_normalised(layer, a, x, {"scale": scale, "offset": offset}), None, None]


def rms_norm(a, x, scale):
    return [_normalised(sh.RMSNorm(epsilon=a.get("epsilon", 1e-5)), a, x, {"scale": scale})]


def group_norm(a, x, scale, offset):
    layer = sh.GroupNorm(a["num_groups"], epsilon=a.get("epsilon", 1e-5))
    return [first(run(layer, last(x), {"scale": scale, "offset": offset})[0])]


def instance_norm(a, x, scale, offset):
    return group_norm(a | {"num_groups": x.shape[1]}, x, scale, offset)


def batch_norm(a, x, scale, offset, mean, variance):
    training, share = bool(a.get("training_mode")), 1.0 - a.get("momentum", 0.9)
    layer = sh.BatchNorm(momentum=share, epsilon=a.get("epsilon", 1e-5))
    start = {"mean": mean, "variance": variance}
    y, after = run(layer, last(x), {"scale": scale, "offset": offset}, start, training)
    if not training:
        return [first(y)]
    n = x.size // x.shape[1]  # ours gathers the unbiased variance, ONNX the biased one
    gathered = (
        variance + (after["variance"] - (1 - share) * variance) * (n - 1) / n - share * variance
    )
    return [first(y), after["mean"], gathered]


def mean_variance_norm(a, x):
    if a.get("axes", [0, 2, 3]) != [0, 2, 3]:
        raise Unfit("other axes than batch and space")
    weights = {"scale": np.ones(x.shape[1], x.dtype), "offset": np.zeros(x.shape[1], x.dtype)}
    statistics = {"mean": weights["offset"], "variance": weights["scale"]}
    return [first(run(sh.BatchNorm(epsilon=1e-9), last(x), weights, statistics, True)[0])]


def dropout(a, x, ratio=None, training=None):
    rate = float(ratio) if ratio is not None else a.get("ratio", 0.5)
    training = bool(training) and rate > 0
    if training:
        raise Unfit("the generator that chose which numbers the reference drops")
    layer, flat = sh.Dropout(rate), x.reshape(1, -1)
    kept = run(layer, np.ones_like(flat), training=training)[0] != 0
    return [run(layer, flat)[0].reshape(x.shape), kept.reshape(x.shape)]


# --- sequences -----------------------------------------------------------------------------------


def recurrent(make, gates, weigh):
    """Of a layer (reverse, a) -> layer; ``weigh`` names the weights from W, R and the two biases."""

    def handler(a, x, w, r, b=None, lengths=None, h0=None, c0=None, peepholes=None):
        if peepholes is not None:
            raise Unfit("gates that look at the cell (peepholes)")
        if h0 is not None and np.any(h0):
            raise Unfit("states that do not start at zero")
        x = x if a.get("layout") else x.swapaxes(0, 1)  # (B, T, C)
        if lengths is not None and np.any(lengths != x.shape[1]):
            raise Unfit("sequences of unequal length")
        u, found = a["hidden_size"], []
        ways = {b"forward": [False], b"reverse": [True], b"bidirectional": [False, True]}
        for i, reverse in enumerate(ways[a.get("direction", b"forward")]):
            bias = np.zeros(2 * gates * u, x.dtype) if b is None else b[i]
            parts = [np.split(v, gates) for v in (w[i], r[i], bias[: gates * u], bias[gates * u :])]
            y = run(make(a, reverse), x, weigh(*parts))[0]  # (B, T, U)
            found.append((y, y[:, 0] if reverse else y[:, -1]))
        every = np.stack([y for y, _ in found], axis=2)  # (B, T, D, U)
        final = np.stack([h for _, h in found], axis=1)  # (B, D, U)
        if not a.get("layout"):
            every, final = every.transpose(1, 2, 0, 3), final.swapaxes(0, 1)
        return [every, final, None]

    return handler


def _lstm_weights(w, r, b, c):
    i, o, f, g = range(4)  # the order of ONNX
    order = (i, f, g, o)
    bias = [b[k] + c[k] for k in range(4)]
    return {
        "weight": np.concatenate([w[k] for k in order]),
        "recurrent_weight": np.concatenate([r[k] for k in order]),
        "bias": np.concatenate([bias[i], bias[g], bias[o]]),
        "forget_bias": bias[f],
    }


def _gru_weights(w, r, b, c):
    order = (1, 0, 2)  # ONNX: update, reset, candidate
    return {
        "weight": np.concatenate([w[k] for k in order]),
        "recurrent_weight": np.concatenate([r[k] for k in order]),
        "bias": np.concatenate([b[k] + c[k] for k in order]),
    }


def _gru(a, reverse):
    if a.get("linear_before_reset"):
        raise Unfit("not in the cases")
    return sh.GRU(a["hidden_size"], return_sequences=True, reverse=reverse, reset_after=False)


def _rnn_weights(w, r, b, c):
    return {"weight": w[0], "recurrent_weight": r[0], "bias": b[0] + c[0]}


ATTENTION_WITHOUT = {
    "softcap": "scores that are capped",
    "left_window_size": "windows of attention",
    "right_window_size": "windows of attention",
    "qk_matmul_output_mode": "scores as an output",
}


@in_float
def attention(a, q, k, v, *others):
    for name, reason in ATTENTION_WITHOUT.items():
        if a.get(name, -1 if "window" in name else 0) not in (0, -1):
            raise Unfit(reason)
    if others or a["outputs"] > 1:
        raise Unfit("masks, caches of earlier keys, scores as an output")
    flat = q.ndim == 3
    if flat:
        q = q.reshape(*q.shape[:2], a["q_num_heads"], -1).swapaxes(1, 2)
        k, v = (m.reshape(*m.shape[:2], a["kv_num_heads"], -1).swapaxes(1, 2) for m in (k, v))
    groups = q.shape[1] // k.shape[1]
    k, v = (np.repeat(m, groups, axis=1) for m in (k, v))
    layer = sh.SelfAttention(q.shape[1], causal=bool(a.get("is_causal")))
    scale = a.get("scale", 0.0) * math.sqrt(q.shape[-1]) or 1.0
    weights = np.asarray(layer.weights(jnp.asarray(scale * q, jnp.float32), jnp.asarray(k)))
    y = weights @ v
    return [y.swapaxes(1, 2).reshape(y.shape[0], y.shape[2], -1) if flat else y]


# --- shapes, joins, look-ups ---------------------------------------------------------------------


def to_shape(x, shape):
    if x.size == 0:
        raise Unfit("arrays without numbers")
    return [run(sh.Reshape(tuple(shape) or (1,)), x.reshape(1, *x.shape))[0].reshape(shape)]


def reshape(a, x, shape):
    shape = [int(n) for n in shape]
    if not a.get("allowzero"):
        shape = [x.shape[i] if n == 0 else n for i, n in enumerate(shape)]
    known = math.prod(n for n in shape if n != -1)
    return to_shape(x, [x.size // known if n == -1 else n for n in shape])


def flatten(a, x):
    axis = a.get("axis", 1)
    rows = x.reshape(
        math.prod(x.shape[: axis % x.ndim if axis < 0 else axis]), *x.shape[axis:] or (1,)
    )
    return [run(sh.Flatten(), rows)[0]]


def squeeze(a, x, axes=None):
    gone = (
        [i for i, n in enumerate(x.shape) if n == 1]
        if axes is None
        else [int(i) % x.ndim for i in axes]
    )
    return to_shape(x, [n for i, n in enumerate(x.shape) if i not in gone])


def unsqueeze(a, x, axes):
    total = x.ndim + len(axes)
    places, rest = {int(i) % total for i in axes}, iter(x.shape)
    return to_shape(x, [1 if i in places else next(rest) for i in range(total)])


def concat(a, *arrays):
    axis, branches = a["axis"], {f"part{i}": sh.Identity() for i in range(max(2, len(arrays)))}
    moved = [jnp.asarray(np.moveaxis(x, axis, -1)) for x in arrays]
    return [np.moveaxis(np.asarray(sh.Concat(**branches).joined(moved)), -1, axis)]


def total(a, *arrays):
    if len({x.dtype for x in arrays}) > 1 or arrays[0].dtype.kind != "f":
        raise Unfit("branches of whole numbers")
    branches = {f"part{i}": sh.Identity() for i in range(max(2, len(arrays)))}
    shape = np.broadcast_shapes(*(x.shape for x in arrays))
    same = [jnp.asarray(np.broadcast_to(x, shape)) for x in arrays]
    return [np.asarray(sh.Add(**branches).joined(same))]


def gather(a, x, codes):
    axis = a.get("axis", 0)
    vectors = np.moveaxis(x, axis, 0)
    codes = np.where(codes < 0, codes + len(vectors), codes)
    table = vectors.reshape(len(vectors), -1)
    layer = sh.Embedding(*table.shape)
    layer.check_inputs(codes)
    y = run(layer, codes.reshape(1, -1).astype(np.float32), {"vectors": table.astype(np.float32)})[
        0
    ]
    y = y.reshape(*codes.shape, *vectors.shape[1:]).astype(x.dtype)
    return [np.moveaxis(y, range(codes.ndim), range(axis, axis + codes.ndim))]


# --- losses, optimisers --------------------------------------------------------------------------


def _reduced(a, losses, t, weights):
    """Losses of all places, (N, ...), weighted and reduced as the attributes say."""
    counts = (
        np.ones(t.shape, losses.dtype)
        if weights is None
        else weights[np.clip(t, 0, len(weights) - 1)]
    )
    counts = np.where(t == a["ignore_index"], 0.0, counts) if "ignore_index" in a else counts
    kind, losses = a.get("reduction", b"mean"), np.asarray(losses).reshape(t.shape) * counts
    if kind == b"none":
        return losses
    return losses.sum() if kind == b"sum" else losses.sum() / counts.sum()


def _rows(z, t):
    """Outputs (rows, C) and targets (rows,) of all places; ignored ones point to class 0."""
    flat = last(z).reshape(-1, z.shape[1])
    codes = t.reshape(-1)
    inside = (codes >= 0) & (codes < z.shape[1])
    return jnp.asarray(flat), jnp.asarray(np.where(inside, codes, 0), jnp.int32)


def cross_entropy(a, z, t, weights=None):
    losses = sh.CrossEntropy().per_example(*_rows(z, t))
    logs = over_axis(sh.LogSoftmax())({"axis": 1}, z)[0]
    return [_reduced(a, np.asarray(losses), t, weights), logs]


def negative_log_likelihood(a, z, t, weights=None):
    """Of outputs that are logarithms already: what cross-entropy does after its softmax."""
    return [_reduced(a, -np.asarray(pick(*_rows(z, t))), t, weights)]


def stepped(make, names):
    """Of an optimiser (a, t) -> description; ``names`` are its states in the order of ONNX."""

    def handler(a, rate, t, *tensors):
        count = len(tensors) // (2 + len(names))
        groups = [tensors[i * count : (i + 1) * count] for i in range(2 + len(names))]
        weights, gradients, *states = [dict(enumerate(map(jnp.asarray, g))) for g in groups]
        # The penalty norm_coefficient / 2 · |w|² beside the loss.
        gradients = {
            i: g + a.get("norm_coefficient", 0.0) * weights[i] for i, g in gradients.items()
        }
        description, rate, step = make(a, float(rate), int(t))
        optimiser = description.transformation(jnp.asarray(rate), dict.fromkeys(weights, False))
        state = optax.tree_utils.tree_set(
            optimiser.init(weights), **dict(zip(names, states, strict=True)), **step
        )
        with jax.numpy_dtype_promotion("standard"):
            change, state = optimiser.update(gradients, state, weights)
        after = optax.apply_updates(weights, change)
        outputs = [after, *(optax.tree_utils.tree_get(state, name) for name in names)]
        return [np.asarray(tree[i]) for tree in outputs for i in range(count)]

    return handler


def _adagrad(a, rate, t):
    # Ours has epsilon under the root.
    return sh.AdaGrad(rate, epsilon=a["epsilon"] ** 2), rate / (1 + t * a["decay_factor"]), {}


def _adam(a, rate, t):
    late = 10**6  # at t = 0 ONNX corrects nothing, as ours after many steps
    epsilon = a["epsilon"] / (math.sqrt(1 - a["beta"] ** t) if t else 1.0)
    count = jnp.asarray(t - 1 if t else late, jnp.int32)
    return sh.Adam(rate, a["alpha"], a["beta"], epsilon), rate, {"count": count}


def _momentum(a, rate, t):
    if t and a["beta"] != 1.0:
        raise Unfit("momentum with a share of the gradient")
    kind = sh.Nesterov if a["mode"] == b"nesterov" else sh.Momentum
    return kind(rate, a["alpha"]), rate, {}


LOSSES = {
    "SoftmaxCrossEntropyLoss": cross_entropy,
    "NegativeLogLikelihoodLoss": negative_log_likelihood,
}
OPTIMISERS = {
    "Adagrad": stepped(_adagrad, ("sum_of_squares",)),
    "Adam": stepped(_adam, ("mu", "nu")),
    "Momentum": stepped(_momentum, ("trace",)),
}
LAYERS = ACTIVATIONS | {
    "Selu": selu,
    "MatMul": matmul,
    "Gemm": gemm,
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": global_pool(sh.GlobalAvgPool()),
    "GlobalMaxPool": global_pool(sh.GlobalMaxPool()),
    "ReduceMean": reduce(sh.GlobalAvgPool()),
    "ReduceMax": reduce(sh.GlobalMaxPool()),
    "LayerNormalization": layer_norm,
    "RMSNormalization": rms_norm,
    "GroupNormalization": group_norm,
    "InstanceNormalization": instance_norm,
    "BatchNormalization": batch_norm,
    "MeanVarianceNormalization": mean_variance_norm,
    "Dropout": dropout,
    "RNN": recurrent(
        lambda a, r: sh.RNN(a["hidden_size"], return_sequences=True, reverse=r), 1, _rnn_weights
    ),
    "GRU": recurrent(_gru, 3, _gru_weights),
    "LSTM": recurrent(
        lambda a, r: sh.LSTM(a["hidden_size"], return_sequences=True, reverse=r), 4, _lstm_weights
    ),
    "Attention": attention,
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Concat": concat,
    "Add": total,
    "Sum": total,
    "Gather": gather,
}
HANDLERS = LAYERS | LOSSES | OPTIMISERS
