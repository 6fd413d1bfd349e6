"""An independent network: the same descriptions run by PyTorch's own functions.

It reads the fields of our layers and nothing else of ours; sizes, padding and names are worked out
again here. Arrays stay channels last outside; PyTorch sees channels first.
"""

import math

import torch
import torch.nn.functional as F

import shoal as sh


def tensors(tree):
    """A nest of arrays as a nest of PyTorch tensors that require gradients (floats only)."""
    if isinstance(tree, dict):
        return {name: tensors(value) for name, value in tree.items()}
    return torch.tensor(tree).requires_grad_(True)


def leaves(tree, path=""):
    """The tensors of a nest by their path."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from leaves(value, f"{path}/{name}" if path else name)
    else:
        yield path, tree


def forward(layers, weights, statistics, x, training):
    """The output of layers one after another; ``statistics`` is updated in place."""
    counts = {}
    for layer in layers:
        counts[layer.kind] = counts.get(layer.kind, 0) + 1
        name = f"{layer.kind.lower()}{counts[layer.kind]}"
        x = one(layer, weights.get(name, {}), statistics.get(name, {}), x, training)
    return x


def one(layer, w, s, x, training):
    return RULES[type(layer)](layer, w, s, x, training)


def _first(x):
    return x.movedim(-1, 1)


def _last(x):
    return x.movedim(1, -1)


def _pair(value, axes):
    return (value,) * axes if isinstance(value, int) else tuple(value)


def _pad(layer, x, kernel, stride, dilation, fill=0.0):
    """x (channels first) padded as the layer says; PyTorch's pad lists the last axis first."""
    axes, edges = x.dim() - 2, []
    for i in reversed(range(axes)):
        if layer.padding == "valid":
            low = high = 0
        elif layer.padding == "same":
            out = math.ceil(x.shape[2 + i] / stride[i])
            extent = dilation[i] * (kernel[i] - 1) + 1
            total = max(0, (out - 1) * stride[i] + extent - x.shape[2 + i])
            low, high = total // 2, total - total // 2
        else:
            low = high = _pair(layer.padding, axes)[i]
        edges += [low, high]
    return F.pad(x, edges, value=fill)


def _conv(layer, w, s, x, training):
    axes = x.dim() - 2
    kernel = _pair(layer.kernel, axes)
    stride, dilation = _pair(layer.stride, axes), _pair(layer.dilation, axes)
    padded = _pad(layer, _first(x), kernel, stride, dilation)
    weight = w["weight"].movedim(-1, 0).movedim(-1, 1)  # (*kernel, I, O) -> (O, I, *kernel)
    function = (F.conv1d, F.conv2d, F.conv3d)[axes - 1]
    bias = w.get("bias")
    y = function(padded, weight, bias, stride=stride, dilation=dilation, groups=layer.groups)
    return _last(y)


def _pool(layer, w, s, x, training):
    axes = x.dim() - 2
    kernel = _pair(layer.window_size, axes)
    stride = kernel if layer.stride is None else _pair(layer.stride, axes)
    ones = (1,) * axes
    if isinstance(layer, sh.MaxPool):
        dilation = _pair(layer.dilation, axes)
        padded = _pad(layer, _first(x), kernel, stride, dilation, -math.inf)
        pool = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[axes - 1]
        return _last(pool(padded, kernel, stride, dilation=dilation))
    pool = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[axes - 1]
    total = pool(_pad(layer, _first(x), kernel, stride, ones), kernel, stride)
    share = pool(_pad(layer, torch.ones_like(_first(x)), kernel, stride, ones), kernel, stride)
    return _last(total / share)


def _batch_norm(layer, w, s, x, training):
    with torch.no_grad():
        mean, variance = s["mean"].detach().clone(), s["variance"].detach().clone()
    y = F.batch_norm(
        _first(x), mean, variance, w["scale"], w["offset"], training, layer.momentum, layer.epsilon
    )
    s["mean"], s["variance"] = mean, variance
    return _last(y)


def _layer_norm(layer, w, s, x, training):
    return F.layer_norm(x, x.shape[-1:], w["scale"], w["offset"], layer.epsilon)


def _residual(layer, w, s, x, training):
    y = forward(layer.layers, w, s, x, training)
    if layer.shortcut == "projection":
        weight = w["shortcut"]["weight"]
        if x.dim() == 2:
            x = x @ weight.T
        else:
            strides = [round(a / b) for a, b in zip(x.shape[1:-1], y.shape[1:-1], strict=True)]
            kernel = weight.movedim(-1, 0).movedim(-1, 1)
            conv = (F.conv1d, F.conv2d, F.conv3d)[x.dim() - 3]
            x = _last(conv(_first(x), kernel, stride=strides))
    return y + x


def _rrelu(layer, w, s, x, training):
    if layer.reciprocal:
        return F.leaky_relu(x, 2.0 / (layer.lower + layer.upper))
    return F.rrelu(x, layer.lower, layer.upper, training=False)


def _conv_transpose(layer, w, s, x, training):
    axes = x.dim() - 2
    stride, dilation = _pair(layer.stride, axes), _pair(layer.dilation, axes)
    extra = _pair(layer.extra, axes)
    weight = w["weight"].movedim(-1, 0).movedim(-1, 1)  # (*kernel, O / g, C) -> (C, O / g, *kernel)
    function = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[axes - 1]
    options = {"stride": stride, "dilation": dilation, "groups": layer.groups}
    if isinstance(layer.padding, str):
        y = function(_first(x), weight, **options)
    else:
        cells = _pair(layer.padding, axes)
        y = function(_first(x), weight, padding=cells, output_padding=extra, **options)
    if layer.padding == "same":  # cut to W · stride cells, the odd one off the end; or fill up
        for i in range(axes):
            wanted = x.shape[1 + i] * stride[i]
            low = max(y.shape[2 + i] - wanted, 0) // 2
            y = y.narrow(2 + i, low, min(wanted, y.shape[2 + i]))
            missing = [0, 0] * (axes - 1 - i) + [0, wanted - y.shape[2 + i]]
            y = F.pad(y, missing)
    return _last(y if layer.bias is False else y + w["bias"].reshape(-1, *[1] * axes))


def _depthwise(layer, w, s, x, training):
    same = {n: getattr(layer, n) for n in ("kernel", "stride", "padding", "dilation", "bias")}
    channels = x.shape[-1]
    return _conv(sh.Conv(channels * layer.multiplier, groups=channels, **same), w, s, x, training)


def _separable(layer, w, s, x, training):
    same = {n: getattr(layer, n) for n in ("kernel", "stride", "padding", "dilation", "multiplier")}
    between = _depthwise(sh.DepthwiseConv(bias=False, **same), w["depthwise"], s, x, training)
    return _conv(sh.Conv(layer.filters, 1, bias=layer.bias), w["pointwise"], s, between, training)


def _recurrent(layer, w, s, x, training):
    """By PyTorch's cells, position by position."""
    u = layer.units
    h = c = torch.zeros(x.shape[0], u, dtype=x.dtype)
    bias = w["bias"]
    if isinstance(layer, sh.LSTM):
        bias = torch.cat([bias[:u], w["forget_bias"], bias[u:]])
    second = torch.zeros_like(bias)
    if "recurrent_bias" in w:
        second = torch.cat([second[: 2 * u], w["recurrent_bias"]])
    weights = w["weight"], w["recurrent_weight"], bias, second
    found = []
    for t in reversed(range(x.shape[1])) if layer.reverse else range(x.shape[1]):
        if isinstance(layer, sh.RNN):
            h = torch.rnn_tanh_cell(x[:, t], h, *weights)
        elif isinstance(layer, sh.LSTM):
            h, c = torch.lstm_cell(x[:, t], (h, c), *weights)
        elif layer.reset_after:
            h = torch.gru_cell(x[:, t], h, *weights)
        else:
            h = _gru_reset_before(x[:, t], h, *weights)
        found.append(h)
    found = found[::-1] if layer.reverse else found
    return torch.stack(found, 1) if layer.return_sequences else h


def _gru_reset_before(x, h, w, r, b, _):
    (wr, wz, wn), (rr, rz, rn), (br, bz, bn) = w.chunk(3), r.chunk(3), b.chunk(3)
    reset = torch.sigmoid(F.linear(x, wr, br) + F.linear(h, rr))
    update = torch.sigmoid(F.linear(x, wz, bz) + F.linear(h, rz))
    new = torch.tanh(F.linear(x, wn, bn) + F.linear(reset * h, rn))
    return (1 - update) * new + update * h


def _attention(layer, w, s, x, training):
    b, length, c = x.shape
    q, k, v = (
        F.linear(x, w[n]["weight"], w[n].get("bias"))
        .reshape(b, length, layer.heads, -1)
        .transpose(1, 2)
        for n in ("query", "key", "value")
    )
    y = F.scaled_dot_product_attention(q, k, v, is_causal=layer.causal)
    y = y.transpose(1, 2).reshape(b, length, c)
    return F.linear(y, w["output"]["weight"], w["output"].get("bias"))


def _branches(layer, w, s, x, training):
    pairs = zip(layer.names, layer.layers, strict=True)
    return [one(la, w.get(n, {}), s.get(n, {}), x, training) for n, la in pairs]


RULES = {
    sh.ConvTranspose: _conv_transpose,
    sh.DepthwiseConv: _depthwise,
    sh.SeparableConv: _separable,
    sh.Embedding: lambda la, w, s, x, t: F.embedding(x.long(), w["vectors"]),
    sh.Positions: lambda la, w, s, x, t: x + w["vectors"],
    sh.RNN: _recurrent,
    sh.GRU: _recurrent,
    sh.LSTM: _recurrent,
    sh.SelfAttention: _attention,  # compared without dropping only
    sh.Concat: lambda la, w, s, x, t: torch.cat(_branches(la, w, s, x, t), -1),
    sh.Add: lambda la, w, s, x, t: sum(_branches(la, w, s, x, t)),
    sh.Dense: lambda la, w, s, x, t: F.linear(x, w["weight"], w.get("bias")),
    sh.Flatten: lambda la, w, s, x, t: x.reshape(x.shape[0], -1),
    sh.Dropout: lambda la, w, s, x, t: x,  # compared without dropping only
    sh.Conv: _conv,
    sh.MaxPool: _pool,
    sh.AvgPool: _pool,
    sh.GlobalAvgPool: lambda la, w, s, x, t: x.flatten(1, -2).mean(1),
    sh.GlobalMaxPool: lambda la, w, s, x, t: x.flatten(1, -2).max(1).values,
    sh.BatchNorm: _batch_norm,
    sh.LayerNorm: _layer_norm,
    sh.GroupNorm: lambda la, w, s, x, t: _last(
        F.group_norm(_first(x), la.groups, w["scale"], w["offset"], la.epsilon)
    ),
    sh.RMSNorm: lambda la, w, s, x, t: F.rms_norm(x, x.shape[-1:], w["scale"], la.epsilon),
    sh.SpatialDropout: lambda la, w, s, x, t: x,
    sh.GaussianNoise: lambda la, w, s, x, t: x,
    sh.Reshape: lambda la, w, s, x, t: x.reshape(x.shape[0], *la.shape),
    sh.Residual: _residual,
    sh.Sequential: lambda la, w, s, x, t: forward(la.layers, w, s, x, t),
    sh.ReLU: lambda la, w, s, x, t: F.relu(x),
    sh.LeakyReLU: lambda la, w, s, x, t: F.leaky_relu(x, la.slope),
    sh.PReLU: lambda la, w, s, x, t: _last(F.prelu(_first(x), w["slope"])),
    sh.RReLU: _rrelu,  # compared without drawing only
    sh.ELU: lambda la, w, s, x, t: F.elu(x, la.alpha),
    sh.SELU: lambda la, w, s, x, t: F.selu(x),
    sh.CELU: lambda la, w, s, x, t: F.celu(x, la.alpha),
    sh.SiLU: lambda la, w, s, x, t: F.silu(x),
    sh.Swish: lambda la, w, s, x, t: x * torch.sigmoid(w.get("beta", la.beta) * x),
    sh.GELU: lambda la, w, s, x, t: F.gelu(x, approximate="tanh" if la.approximate else "none"),
    sh.Mish: lambda la, w, s, x, t: F.mish(x),
    sh.HardSwish: lambda la, w, s, x, t: F.hardswish(x),
    sh.Softplus: lambda la, w, s, x, t: F.softplus(x, la.beta, threshold=1e9),
    sh.Softsign: lambda la, w, s, x, t: F.softsign(x),
    sh.HardSigmoid: lambda la, w, s, x, t: torch.clamp(la.slope * x + la.offset, 0.0, 1.0),
    sh.LogSoftmax: lambda la, w, s, x, t: F.log_softmax(x, dim=-1),
    sh.Tanh: lambda la, w, s, x, t: torch.tanh(x),
    sh.Sigmoid: lambda la, w, s, x, t: torch.sigmoid(x),
    sh.Identity: lambda la, w, s, x, t: x,
    sh.Softmax: lambda la, w, s, x, t: F.softmax(x, dim=-1),
}


def _quantile(loss, z, t):
    return torch.maximum(loss.q * (t - z), (loss.q - 1) * (t - z)).mean()


def _focal(loss, z, t):
    p = F.softmax(z, dim=-1)[torch.arange(len(z)), t.long()]
    return (-((1 - p) ** loss.gamma) * torch.log(p)).mean()


LOSSES = {
    sh.Poisson: lambda loss, z, t: F.poisson_nll_loss(z, t, log_input=True),
    sh.KLDivergence: lambda loss, z, t: F.kl_div(F.log_softmax(z, -1), t, reduction="batchmean"),
    sh.CustomLoss: lambda loss, z, t: ((z - t).abs() ** 3).mean(),
    sh.MeanSquaredError: lambda loss, z, t: F.mse_loss(z, t),
    sh.HalfSquaredError: lambda loss, z, t: 0.5 * F.mse_loss(z, t, reduction="sum") / len(z),
    sh.MeanAbsoluteError: lambda loss, z, t: F.l1_loss(z, t),
    sh.Huber: lambda loss, z, t: F.huber_loss(z, t, delta=loss.delta),
    sh.LogCosh: lambda loss, z, t: torch.log(torch.cosh(z - t)).mean(),
    sh.Quantile: _quantile,
    sh.CrossEntropy: lambda loss, z, t: F.cross_entropy(
        z, t.long(), label_smoothing=loss.smoothing or 0.0
    ),
    sh.Focal: _focal,
    sh.Hinge: lambda loss, z, t: F.multi_margin_loss(
        z, t.long(), p=1 + loss.squared, margin=loss.margin
    ),
    sh.BinaryCrossEntropy: lambda loss, z, t: F.binary_cross_entropy_with_logits(z, t),
}


def optimiser(description, weights):
    """PyTorch's optimiser of the same name and numbers; decay acts on weights alone."""
    o, rate = description, description.learning_rate
    named = list(leaves(weights))
    parameters = [tensor for _, tensor in named]
    if isinstance(o, sh.SGD | sh.GradientDescent):
        return torch.optim.SGD(parameters, rate)
    if isinstance(o, sh.Momentum | sh.Nesterov):
        nesterov = isinstance(o, sh.Nesterov)
        return torch.optim.SGD(parameters, rate, momentum=o.beta, nesterov=nesterov)
    if isinstance(o, sh.AdaGrad):
        return torch.optim.Adagrad(
            parameters, rate, initial_accumulator_value=o.start, eps=o.epsilon
        )
    if isinstance(o, sh.RMSprop):
        return torch.optim.RMSprop(parameters, rate, alpha=o.rho, eps=o.epsilon, centered=o.centred)
    if isinstance(o, sh.AdaDelta):
        return torch.optim.Adadelta(parameters, rate, rho=o.rho, eps=o.epsilon)
    if isinstance(o, sh.Rprop):
        etas, bounds = (o.decrease, o.increase), (o.smallest, o.largest)
        return torch.optim.Rprop(parameters, rate, etas=etas, step_sizes=bounds)
    if isinstance(o, sh.LBFGS):
        return TwoLoops(named, o)
    if type(o) in STEPS:
        return ByFormula(named, o)
    betas = (o.beta1, o.beta2)
    if isinstance(o, sh.AdaMax):
        return torch.optim.Adamax(parameters, rate, betas=betas, eps=o.epsilon)
    if isinstance(o, sh.Adam):
        return torch.optim.Adam(parameters, rate, betas=betas, eps=o.epsilon)
    assert isinstance(o, sh.AdamW)
    groups = [
        {"params": [t for n, t in named if n.endswith("weight")], "weight_decay": o.weight_decay},
        {"params": [t for n, t in named if not n.endswith("weight")], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, rate, betas=betas, eps=o.epsilon)


class TwoLoops:
    """L-BFGS without line search: Nocedal and Wright 2006, algorithm 7.4, all weights together."""

    def __init__(self, named, description):
        self.tensors, self.o = [w for _, w in named], description
        self.pairs, self.last = [], None

    def zero_grad(self):
        for w in self.tensors:
            w.grad = None

    def step(self):
        o = self.o
        w = torch.cat([t.detach().reshape(-1) for t in self.tensors])
        g = torch.cat([t.grad.reshape(-1) for t in self.tensors])
        scale = min(1.0, 1.0 / float(g.norm()))
        if self.last is not None:
            s, y = w - self.last[0], g - self.last[1]
            self.pairs = [*self.pairs, (s, y)][-o.memory :]
            scale = float(s @ y / (y @ y))
        self.last = w, g
        q, alphas = g.clone(), []
        for s, y in reversed(self.pairs):
            alphas.append(s @ q / (s @ y))
            q = q - alphas[-1] * y
        r = scale * q
        for (s, y), alpha in zip(self.pairs, reversed(alphas), strict=True):
            r = r + (alpha - y @ r / (s @ y)) * s
        with torch.no_grad():
            for t, part in zip(
                self.tensors, r.split([t.numel() for t in self.tensors]), strict=True
            ):
                t -= o.learning_rate * part.reshape(t.shape)


class ByFormula:
    """Optimisers that PyTorch lacks or computes otherwise, from the formulas of their papers."""

    def __init__(self, named, description):
        self.named, self.o, self.t = named, description, 0
        self.state = [{} for _ in named]

    def zero_grad(self):
        for _, w in self.named:
            w.grad = None

    def step(self):
        self.t += 1
        with torch.no_grad():
            for (name, w), state in zip(self.named, self.state, strict=True):
                STEPS[type(self.o)](self.o, w, w.grad, state, self.t, name.endswith("weight"))


def _mean(state, key, value, beta):
    state[key] = beta * state.get(key, torch.zeros_like(value)) + (1 - beta) * value
    return state[key]


def _ema_momentum(o, w, g, state, t, decays):
    v = _mean(state, "v", g, o.beta)
    w -= o.learning_rate * (v / (1 - o.beta**t) if o.bias_correction else v)


def _adam_parts(o, g, state, t):
    m, s = _mean(state, "m", g, o.beta1), _mean(state, "s", g * g, o.beta2)
    return m, torch.sqrt(s / (1 - o.beta2**t)) + o.epsilon


def _nadam(o, w, g, state, t, decays):
    m, below = _adam_parts(o, g, state, t)
    ahead = o.beta1 * m / (1 - o.beta1 ** (t + 1)) + (1 - o.beta1) * g / (1 - o.beta1**t)
    w -= o.learning_rate * ahead / below


def _lamb(o, w, g, state, t, decays):
    m, below = _adam_parts(o, g, state, t)
    d = m / (1 - o.beta1**t) / below + o.weight_decay * decays * w
    lengths = w.norm(), d.norm()
    ratio = lengths[0] / lengths[1] if min(lengths) > 0 else 1.0
    w -= o.learning_rate * ratio * d


def _lion(o, w, g, state, t, decays):
    m = state.get("m", torch.zeros_like(g))
    sign = torch.sign(o.beta1 * m + (1 - o.beta1) * g)
    state["m"] = o.beta2 * m + (1 - o.beta2) * g
    w -= o.learning_rate * (sign + o.weight_decay * decays * w)


def _muon(o, w, g, state, t, decays):
    if w.dim() != 2:
        adam = sh.Adam(o.learning_rate)
        m, below = _adam_parts(adam, g, state, t)
        ahead = adam.beta1 * m / (1 - adam.beta1 ** (t + 1))
        ahead += (1 - adam.beta1) * g / (1 - adam.beta1**t)
        w -= o.learning_rate * (ahead / below if o.nesterov else m / (1 - adam.beta1**t) / below)
        return
    m = _mean(state, "m", g, o.beta)
    if o.nesterov:
        x = o.beta * m / (1 - o.beta ** (t + 1)) + (1 - o.beta) * g / (1 - o.beta**t)
    else:
        x = m / (1 - o.beta**t)
    rows, columns = x.shape
    x = x.T if rows > columns else x
    x = x / (x.norm() + 1e-8)
    for _ in range(5):  # Newton-Schulz, quintic
        square = x @ x.T
        x = 3.4445 * x + (-4.775 * square + 2.0315 * square @ square) @ x
    x = x.T if rows > columns else x
    w -= o.learning_rate * (max(1.0, rows / columns) ** 0.5 * x + o.weight_decay * w)


STEPS = {
    sh.EMAMomentum: _ema_momentum,
    sh.NAdam: _nadam,
    sh.LAMB: _lamb,
    sh.Lion: _lion,
    sh.Muon: _muon,
}
