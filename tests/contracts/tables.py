"""The words of the vocabulary with arguments that make every one of their parts matter."""

import jax.numpy as jnp
import numpy as np

import shoal as sh

# A layer, and the shape of its input.
LAYERS = {
    "dense": (sh.Dense(5), (7,)),
    "dense without bias": (sh.Dense(5, bias=False), (7,)),
    "flatten": (sh.Flatten(), (3, 4, 2)),
    "dropout": (sh.Dropout(0.3), (7,)),
    "conv 1-d": (sh.Conv(4, 3), (9, 2)),
    "conv 1-d stride, dilation": (sh.Conv(4, 3, stride=2, dilation=2, padding=3), (11, 2)),
    "conv one channel": (sh.Conv(4, 3), (6, 5, 1)),
    "conv few channels": (sh.Conv(33, 3), (5, 6, 3)),
    "conv": (sh.Conv(4, (3, 2), padding="same"), (6, 5, 6)),
    "conv valid, stride": (sh.Conv(4, 3, stride=(2, 1), padding="valid"), (7, 6, 5)),
    "conv same, stride": (sh.Conv(3, 3, stride=2), (7, 6, 17)),
    "conv kernel 5": (sh.Conv(3, 5, padding=2, bias=False), (6, 6, 5)),
    "conv dilation": (sh.Conv(3, 3, dilation=(1, 2), padding=(0, 2)), (6, 7, 20)),
    "conv groups": (sh.Conv(6, 3, groups=2), (5, 5, 4)),
    "conv depthwise": (sh.Conv(6, 3, groups=3, stride=2, padding=1), (5, 6, 3)),
    "conv 3-d": (sh.Conv(3, (2, 3, 2), stride=(1, 2, 1)), (4, 5, 3, 2)),
    "conv transpose 3-d": (sh.ConvTranspose(2, 2, stride=(1, 2, 1)), (2, 3, 2, 3)),
    "max pool 3-d": (sh.MaxPool(2, stride=1), (3, 4, 2, 2)),
    "max pool dilation": (sh.MaxPool(2, dilation=2, padding=1), (6, 5, 3)),
    "max pool": (sh.MaxPool(2), (6, 5, 3)),
    "max pool 1-d": (sh.MaxPool(3), (9, 2)),
    "max pool overlapping": (sh.MaxPool(3, stride=2, padding=1), (7, 6, 2)),
    "avg pool": (sh.AvgPool(2), (6, 5, 3)),
    "avg pool padded": (sh.AvgPool(3, stride=2, padding="same"), (7, 6, 2)),
    "global avg pool": (sh.GlobalAvgPool(), (4, 5, 3)),
    "global max pool": (sh.GlobalMaxPool(), (4, 5, 3)),
    "batch norm": (sh.BatchNorm(momentum=0.3), (7,)),
    "batch norm of images": (sh.BatchNorm(epsilon=1e-3), (3, 4, 2)),
    "layer norm": (sh.LayerNorm(), (7,)),
    "layer norm of images": (sh.LayerNorm(epsilon=1e-3), (3, 4, 5)),
    "group norm": (sh.GroupNorm(2, epsilon=1e-3), (3, 4, 6)),
    "group norm of vectors": (sh.GroupNorm(1), (7,)),
    "rms norm": (sh.RMSNorm(epsilon=1e-3), (3, 4, 5)),
    "spatial dropout": (sh.SpatialDropout(0.3), (3, 4, 5)),
    "gaussian noise": (sh.GaussianNoise(0.2), (7,)),
    "reshape": (sh.Reshape((2, 3, 2)), (4, 3)),
    "conv transpose": (sh.ConvTranspose(4, 3, stride=2), (4, 3, 5)),
    "conv transpose 1-d": (sh.ConvTranspose(4, 4, stride=3, padding=1, extra=2), (5, 3)),
    "conv transpose valid, dilation": (
        sh.ConvTranspose(3, 3, stride=(2, 1), padding="valid", dilation=(1, 2)),
        (4, 3, 5),
    ),
    "conv transpose sparse": (sh.ConvTranspose(3, 2, stride=3, bias=False), (3, 4, 2)),
    "conv transpose groups": (sh.ConvTranspose(6, 3, stride=2, padding=1, groups=2), (4, 3, 4)),
    "depthwise conv": (sh.DepthwiseConv(3, stride=2, multiplier=2), (5, 6, 3)),
    "separable conv": (sh.SeparableConv(4, 3, multiplier=2), (5, 6, 3)),
    "separable conv 1-d": (sh.SeparableConv(4, 3, stride=2, bias=False), (9, 2)),
    "positions": (sh.Positions(), (4, 3)),
    "rnn": (sh.RNN(4), (5, 3)),
    "rnn reverse": (sh.RNN(4, return_sequences=True, reverse=True), (5, 3)),
    "gru": (sh.GRU(4), (5, 3)),
    "gru sequences": (sh.GRU(4, return_sequences=True), (5, 3)),
    "gru reset before": (sh.GRU(4, reverse=True, reset_after=False), (5, 3)),
    "lstm": (sh.LSTM(4), (5, 3)),
    "lstm sequences": (sh.LSTM(4, return_sequences=True, reverse=True), (5, 3)),
    "self-attention": (sh.SelfAttention(2), (5, 4)),
    "self-attention causal": (sh.SelfAttention(2, causal=True, bias=False), (5, 4)),
    "self-attention dropout": (sh.SelfAttention(1, dropout=0.3), (5, 4)),
    "concat": (
        sh.Concat(near=sh.Conv(3, 1), far=sh.Sequential(sh.Conv(2, 3), sh.Tanh())),
        (4, 3, 2),
    ),
    "concat both ways": (
        sh.Concat(ahead=sh.GRU(3), back=sh.GRU(3, reverse=True), skip=sh.Flatten()),
        (4, 3),
    ),
    "add": (
        sh.Add(
            main=sh.Sequential(sh.Dense(4), sh.BatchNorm(), sh.Dropout(0.2)), shortcut=sh.Dense(4)
        ),
        (7,),
    ),
    "residual": (sh.Residual(sh.Dense(7), sh.Tanh()), (7,)),
    "residual projected": (sh.Residual(sh.Dense(4), sh.Tanh(), shortcut="projection"), (7,)),
    "residual conv projected": (
        sh.Residual(sh.Conv(6, 3, stride=2), sh.Tanh(), shortcut="projection"),
        (6, 5, 5),
    ),
    "sequential": (sh.Sequential(sh.Dense(4), sh.Tanh(), sh.Dense(3)), (7,)),
}

ACTIVATIONS = {
    "relu": sh.ReLU(),
    "leaky relu": sh.LeakyReLU(0.2),
    "prelu": sh.PReLU(0.3),
    "prelu shared": sh.PReLU(per_channel=False),
    "rrelu": sh.RReLU(0.1, 0.4),
    "rrelu reciprocal": sh.RReLU(3.0, 8.0, reciprocal=True),
    "elu": sh.ELU(0.7),
    "selu": sh.SELU(),
    "celu": sh.CELU(0.5),
    "silu": sh.SiLU(),
    "swish": sh.Swish(1.5),
    "swish learned": sh.Swish(0.8, learned=True),
    "gelu": sh.GELU(),
    "gelu approximate": sh.GELU(approximate=True),
    "mish": sh.Mish(),
    "hard swish": sh.HardSwish(),
    "softplus": sh.Softplus(2.0),
    "sigmoid": sh.Sigmoid(),
    "tanh": sh.Tanh(),
    "softsign": sh.Softsign(),
    "hard sigmoid": sh.HardSigmoid(0.2, 0.45),
    "identity": sh.Identity(),
    "softmax": sh.Softmax(),
    "log softmax": sh.LogSoftmax(),
}
LAYERS |= {name: (activation, (7,)) for name, activation in ACTIVATIONS.items()}
LAYERS["prelu of images"] = (sh.PReLU(), (4, 3, 2))


def cubic(z, t):
    """A loss that is not ours."""
    return jnp.mean(jnp.maximum(z - t, t - z) ** 3, axis=-1)


LOSSES = {
    "poisson": sh.Poisson(),
    "kl divergence": sh.KLDivergence(),
    "custom": sh.CustomLoss(cubic),
    "mean squared error": sh.MeanSquaredError(),
    "half squared error": sh.HalfSquaredError(),
    "mean absolute error": sh.MeanAbsoluteError(),
    "huber": sh.Huber(0.4),
    "log cosh": sh.LogCosh(),
    "quantile": sh.Quantile(0.3),
    "cross entropy": sh.CrossEntropy(),
    "cross entropy smoothed": sh.CrossEntropy(smoothing=0.2),
    "focal": sh.Focal(1.5),
    "hinge": sh.Hinge(0.7),
    "hinge squared": sh.Hinge(squared=True),
    "binary cross entropy": sh.BinaryCrossEntropy(),
}

OPTIMISERS = {
    "gradient descent": sh.GradientDescent(0.05),
    "sgd": sh.SGD(0.05),
    "momentum": sh.Momentum(0.02, beta=0.8),
    "nesterov": sh.Nesterov(0.02, beta=0.8),
    "adagrad": sh.AdaGrad(0.05, start=0.1, epsilon=1e-30),
    "rmsprop": sh.RMSprop(0.003, rho=0.9),
    "rmsprop centred": sh.RMSprop(0.003, rho=0.9, centred=True),
    "adadelta": sh.AdaDelta(1.0, rho=0.8),
    "adam": sh.Adam(0.01, beta1=0.8, beta2=0.95),
    "adamw": sh.AdamW(0.01, weight_decay=0.1),
    "ema momentum": sh.EMAMomentum(0.1, beta=0.8),
    "ema momentum corrected": sh.EMAMomentum(0.1, beta=0.8, bias_correction=True),
    "nadam": sh.NAdam(0.01, beta1=0.8, beta2=0.95),
    "adamax": sh.AdaMax(0.01, beta1=0.8, beta2=0.95),
    "lion": sh.Lion(0.001, beta1=0.8, beta2=0.95, weight_decay=0.1),
    "lamb": sh.LAMB(0.01, beta1=0.8, beta2=0.95, weight_decay=0.1),
    "rprop": sh.Rprop(0.01, decrease=0.4, increase=1.3, largest=0.1),
    "lbfgs": sh.LBFGS(0.1, memory=3, line_search=False),
    "lbfgs searching": sh.LBFGS(memory=4),
    "muon": sh.Muon(0.01, beta=0.8, weight_decay=0.1),
}

SCHEDULES = {
    "constant": sh.ConstantRate(),
    "step": sh.StepDecay(0.5, every=2),
    "exponential": sh.ExponentialDecay(0.8),
    "exponential staircase": sh.ExponentialDecay(0.8, staircase=True),
    "inverse time": sh.InverseTime(0.3),
    "cosine": sh.Cosine(final=0.1),
    "warm up": sh.WarmUp(1.5, then=sh.Cosine()),
    "one cycle": sh.OneCycle(),
    "plateau": sh.ReduceOnPlateau(factor=0.5, patience=1),
}


def targets_for(loss, rows, outputs, rng):
    """Random targets in the form and the range that a loss takes."""
    if loss.form == "index":
        return rng.integers(0, outputs, size=rows).astype(np.int32)
    if loss.form == "binary":
        return rng.integers(0, 2, size=(rows, outputs)).astype(float)
    if isinstance(loss, sh.Poisson):
        return rng.poisson(2.0, size=(rows, outputs)).astype(float)
    if isinstance(loss, sh.KLDivergence):
        shares = rng.exponential(size=(rows, outputs)) * (rng.random((rows, outputs)) < 0.8)
        shares[:, 0] += 0.1  # some shares are 0, but not all of a row
        return shares / shares.sum(axis=1, keepdims=True)
    return rng.normal(size=(rows, outputs)) + 5.0


def data_for(loss):
    """A small data set that a loss can learn from."""
    rng = np.random.default_rng(4)
    if loss.form != "values":
        labels = np.arange(90) % 3
        inputs = rng.normal(size=(90, 6)) + labels[:, None] * np.array([1.0, -1.0, 0.5, 0, 0, 0])
        if loss.form == "binary":  # labels that may go together
            return sh.data.arrays(inputs, np.eye(3, dtype=int)[labels], name="labels")
        return sh.data.arrays(inputs, labels, name="classes")
    inputs = rng.normal(size=(80, 4))
    return sh.data.arrays(inputs, targets_for(loss, 80, 2, rng), task="regression", name="values")
