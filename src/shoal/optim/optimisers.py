"""The optimisers by name."""

from shoal.describe import by_name
from shoal.optim.adaptive import (
    LAMB,
    AdaDelta,
    AdaGrad,
    Adam,
    AdaMax,
    AdamW,
    Muon,
    NAdam,
    RMSprop,
)
from shoal.optim.descent import (
    SGD,
    EMAMomentum,
    GradientDescent,
    Lion,
    Momentum,
    Nesterov,
    Rprop,
)
from shoal.optim.optimiser import Optimiser
from shoal.optim.quasinewton import LBFGS

BY_NAME: dict[str, Optimiser] = {
    "gradient_descent": GradientDescent(),
    "sgd": SGD(),
    "momentum": Momentum(),
    "ema_momentum": EMAMomentum(),
    "nesterov": Nesterov(),
    "lion": Lion(),
    "rprop": Rprop(),
    "adagrad": AdaGrad(),
    "rmsprop": RMSprop(),
    "adadelta": AdaDelta(),
    "adam": Adam(),
    "adamw": AdamW(),
    "nadam": NAdam(),
    "adamax": AdaMax(),
    "lamb": LAMB(),
    "muon": Muon(),
    "lbfgs": LBFGS(),
}

optimiser = by_name(BY_NAME, "Recipe(optimiser)")
