"""Samplers and pruners for searching hyperparameters, for any Optuna study.

    optuna.create_study(sampler=sampler("auto", seed=0), pruner=pruner("median"))

They need numpy, scipy and optuna, and nothing else of shoal but its errors. Ours propose points of
a unit box (`base.PointSampler`), know nothing but the study's history, and give pending trials
room.
"""

from shoal.tune.samplers.auto import Auto as Auto
from shoal.tune.samplers.base import PointSampler as PointSampler
from shoal.tune.samplers.bobyqa import BOBYQA as BOBYQA
from shoal.tune.samplers.guess import Guess as Guess
from shoal.tune.samplers.harmonica import Harmonica as Harmonica
from shoal.tune.samplers.lipo import LIPO as LIPO
from shoal.tune.samplers.lipo import AdaLIPO as AdaLIPO
from shoal.tune.samplers.lipo import PureLIPO as PureLIPO
from shoal.tune.samplers.names import BY_NAME as BY_NAME
from shoal.tune.samplers.names import sampler as sampler
from shoal.tune.samplers.pruners import PRUNERS as PRUNERS
from shoal.tune.samplers.pruners import pruner as pruner
