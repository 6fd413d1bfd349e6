"""The words of the vocabulary with arguments that make every one of their parts matter."""

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

LOSSES = {
    "mean squared error": sh.MeanSquaredError(),
    "half squared error": sh.HalfSquaredError(),
    "mean absolute error": sh.MeanAbsoluteError(),
    "huber": sh.Huber(0.4),
    "cross entropy": sh.CrossEntropy(),
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
