"""shoal: train neural networks a shoal at a time.

    import shoal as sh

    net = sh.Net(sh.Dense(64), sh.ReLU(), sh.Dense(10))
    recipe = sh.Recipe(net, loss="cross_entropy", optimiser=sh.Adam(1e-3), epochs=30)
    run = sh.fit(recipe, sh.data.digits())

Names are loaded when first used, so that ``import shoal`` and ``shoal --help`` do not wait for JAX.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from shoal import data as data
    from shoal import doctor as doctor
    from shoal.data import Data as Data
    from shoal.data import Preparation as Preparation
    from shoal.data import Split as Split
    from shoal.doctor.advise.advising import advise as advise
    from shoal.doctor.curing import cure as cure
    from shoal.doctor.diagnosing import diagnose as diagnose
    from shoal.doctor.diagnosing import preflight as preflight
    from shoal.doctor.finding import Diagnosis as Diagnosis
    from shoal.doctor.result import Cure as Cure
    from shoal.errors import DamagedFileError as DamagedFileError
    from shoal.errors import DataError as DataError
    from shoal.errors import DeviceError as DeviceError
    from shoal.errors import FileError as FileError
    from shoal.errors import RecipeError as RecipeError
    from shoal.errors import ShapeError as ShapeError
    from shoal.errors import ShoalError as ShoalError
    from shoal.explain.atlas.atlas import ActivationInfo as ActivationInfo
    from shoal.explain.atlas.atlas import activation_infos as activation_infos
    from shoal.explain.atlas.atlas_page import draw_activations as draw_activations
    from shoal.explain.experiments.catalogue import experiments as experiments
    from shoal.explain.experiments.catalogue import show as show
    from shoal.explain.experiments.experiment import Finding as Finding
    from shoal.explain.gradcheck.gradcheck import gradcheck as gradcheck
    from shoal.explain.gradcheck.gradients import GradientCheck as GradientCheck
    from shoal.explain.pictures.confusion import draw_confusion as draw_confusion
    from shoal.explain.pictures.curves import draw_curves as draw_curves
    from shoal.explain.pictures.features import draw_features as draw_features
    from shoal.explain.pictures.health import draw_health as draw_health
    from shoal.explain.pictures.network import draw_network as draw_network
    from shoal.explain.pictures.predictions import draw_predictions as draw_predictions
    from shoal.explain.pictures.surface import draw_surface as draw_surface
    from shoal.explain.pictures.weights import draw_weights as draw_weights
    from shoal.explain.pictures.worst import draw_worst as draw_worst
    from shoal.explain.regions.approximation import approximation as approximation
    from shoal.explain.regions.approximation import interpolation_net as interpolation_net
    from shoal.explain.regions.approximation_page import draw_approximation as draw_approximation
    from shoal.explain.regions.bounds import region_bounds as region_bounds
    from shoal.explain.regions.folding import draw_folding as draw_folding
    from shoal.explain.regions.folding import folding_net as folding_net
    from shoal.explain.regions.regions import regions as regions
    from shoal.explain.regions.regions import regions_along as regions_along
    from shoal.explain.regions.regions_page import draw_regions as draw_regions
    from shoal.explain.regions.regions_page import draw_regions_along as draw_regions_along
    from shoal.explain.trace.explaining import explain as explain
    from shoal.explain.trace.trace import Trace as Trace
    from shoal.losses import BinaryCrossEntropy as BinaryCrossEntropy
    from shoal.losses import CrossEntropy as CrossEntropy
    from shoal.losses import CustomLoss as CustomLoss
    from shoal.losses import Focal as Focal
    from shoal.losses import HalfSquaredError as HalfSquaredError
    from shoal.losses import Hinge as Hinge
    from shoal.losses import Huber as Huber
    from shoal.losses import KLDivergence as KLDivergence
    from shoal.losses import LogCosh as LogCosh
    from shoal.losses import MeanAbsoluteError as MeanAbsoluteError
    from shoal.losses import MeanSquaredError as MeanSquaredError
    from shoal.losses import Poisson as Poisson
    from shoal.losses import Quantile as Quantile
    from shoal.metrics import MAE as MAE
    from shoal.metrics import R2 as R2
    from shoal.metrics import RMSE as RMSE
    from shoal.metrics import ROCAUC as ROCAUC
    from shoal.metrics import Accuracy as Accuracy
    from shoal.metrics import LogLoss as LogLoss
    from shoal.metrics import TopK as TopK
    from shoal.nets import CELU as CELU
    from shoal.nets import ELU as ELU
    from shoal.nets import GELU as GELU
    from shoal.nets import GRU as GRU
    from shoal.nets import LSTM as LSTM
    from shoal.nets import RNN as RNN
    from shoal.nets import SELU as SELU
    from shoal.nets import Add as Add
    from shoal.nets import Auto as Auto
    from shoal.nets import AvgPool as AvgPool
    from shoal.nets import BatchNorm as BatchNorm
    from shoal.nets import Concat as Concat
    from shoal.nets import Constant as Constant
    from shoal.nets import Conv as Conv
    from shoal.nets import ConvTranspose as ConvTranspose
    from shoal.nets import Dense as Dense
    from shoal.nets import DepthwiseConv as DepthwiseConv
    from shoal.nets import Dropout as Dropout
    from shoal.nets import Embedding as Embedding
    from shoal.nets import Flatten as Flatten
    from shoal.nets import GaussianNoise as GaussianNoise
    from shoal.nets import GlobalAvgPool as GlobalAvgPool
    from shoal.nets import GlobalMaxPool as GlobalMaxPool
    from shoal.nets import Glorot as Glorot
    from shoal.nets import GroupNorm as GroupNorm
    from shoal.nets import HardSigmoid as HardSigmoid
    from shoal.nets import HardSwish as HardSwish
    from shoal.nets import He as He
    from shoal.nets import Identity as Identity
    from shoal.nets import LayerNorm as LayerNorm
    from shoal.nets import LeakyReLU as LeakyReLU
    from shoal.nets import LeCun as LeCun
    from shoal.nets import LogSoftmax as LogSoftmax
    from shoal.nets import MaxPool as MaxPool
    from shoal.nets import Mish as Mish
    from shoal.nets import Net as Net
    from shoal.nets import Normal as Normal
    from shoal.nets import Orthogonal as Orthogonal
    from shoal.nets import Positions as Positions
    from shoal.nets import PReLU as PReLU
    from shoal.nets import ReLU as ReLU
    from shoal.nets import Reshape as Reshape
    from shoal.nets import Residual as Residual
    from shoal.nets import RMSNorm as RMSNorm
    from shoal.nets import RReLU as RReLU
    from shoal.nets import SelfAttention as SelfAttention
    from shoal.nets import SeparableConv as SeparableConv
    from shoal.nets import Sequential as Sequential
    from shoal.nets import Sigmoid as Sigmoid
    from shoal.nets import SiLU as SiLU
    from shoal.nets import Softmax as Softmax
    from shoal.nets import Softplus as Softplus
    from shoal.nets import Softsign as Softsign
    from shoal.nets import SpatialDropout as SpatialDropout
    from shoal.nets import Swish as Swish
    from shoal.nets import Tanh as Tanh
    from shoal.nets import Uniform as Uniform
    from shoal.nets import Zeros as Zeros
    from shoal.nets import zoo as zoo
    from shoal.nets.zoo import mlp as mlp
    from shoal.optim import LAMB as LAMB
    from shoal.optim import LBFGS as LBFGS
    from shoal.optim import SGD as SGD
    from shoal.optim import AdaDelta as AdaDelta
    from shoal.optim import AdaGrad as AdaGrad
    from shoal.optim import Adam as Adam
    from shoal.optim import AdaMax as AdaMax
    from shoal.optim import AdamW as AdamW
    from shoal.optim import ClipByNorm as ClipByNorm
    from shoal.optim import ClipByValue as ClipByValue
    from shoal.optim import ConstantRate as ConstantRate
    from shoal.optim import Cosine as Cosine
    from shoal.optim import EMAMomentum as EMAMomentum
    from shoal.optim import ExponentialDecay as ExponentialDecay
    from shoal.optim import GradientDescent as GradientDescent
    from shoal.optim import InverseTime as InverseTime
    from shoal.optim import Lion as Lion
    from shoal.optim import Momentum as Momentum
    from shoal.optim import Muon as Muon
    from shoal.optim import NAdam as NAdam
    from shoal.optim import Nesterov as Nesterov
    from shoal.optim import OneCycle as OneCycle
    from shoal.optim import ReduceOnPlateau as ReduceOnPlateau
    from shoal.optim import RMSprop as RMSprop
    from shoal.optim import Rprop as Rprop
    from shoal.optim import StepDecay as StepDecay
    from shoal.optim import WarmUp as WarmUp
    from shoal.recipe import Convergence as Convergence
    from shoal.recipe import EarlyStopping as EarlyStopping
    from shoal.recipe import Recipe as Recipe
    from shoal.report.page import report as report
    from shoal.spaces import Choice as Choice
    from shoal.spaces import Float as Float
    from shoal.spaces import Int as Int
    from shoal.train.fit import fit as fit
    from shoal.train.fit import fit_many as fit_many
    from shoal.train.fit import resume as resume
    from shoal.train.member import Status as Status
    from shoal.train.model import Model as Model
    from shoal.train.record import Record as Record
    from shoal.train.run import Run as Run
    from shoal.train.settings import Settings as Settings
    from shoal.tune.study import Study as Study
    from shoal.tune.tuning import tune as tune

_HOMES = {
    "shoal.data": "data Data Preparation Split",
    "shoal.doctor.curing": "cure",
    "shoal.doctor.diagnosing": "diagnose preflight",
    "shoal.doctor.finding": "Diagnosis",
    "shoal.doctor.result": "Cure",
    "shoal.doctor": "doctor",
    "shoal.doctor.advise.advising": "advise",
    "shoal.errors": "DamagedFileError DataError DeviceError FileError RecipeError ShapeError "
    "ShoalError",
    "shoal.explain.regions.approximation": "approximation interpolation_net",
    "shoal.explain.regions.approximation_page": "draw_approximation",
    "shoal.explain.atlas.atlas": "ActivationInfo activation_infos",
    "shoal.explain.atlas.atlas_page": "draw_activations",
    "shoal.explain.regions.bounds": "region_bounds",
    "shoal.explain.regions.folding": "folding_net draw_folding",
    "shoal.explain.gradcheck.gradcheck": "gradcheck",
    "shoal.explain.gradcheck.gradients": "GradientCheck",
    "shoal.explain.regions.regions": "regions regions_along",
    "shoal.explain.regions.regions_page": "draw_regions draw_regions_along",
    "shoal.explain.trace.explaining": "explain",
    "shoal.explain.trace.trace": "Trace",
    "shoal.explain.pictures.confusion": "draw_confusion",
    "shoal.explain.pictures.curves": "draw_curves",
    "shoal.explain.pictures.features": "draw_features",
    "shoal.explain.pictures.health": "draw_health",
    "shoal.explain.pictures.network": "draw_network",
    "shoal.explain.pictures.predictions": "draw_predictions",
    "shoal.explain.pictures.surface": "draw_surface",
    "shoal.explain.pictures.weights": "draw_weights",
    "shoal.explain.pictures.worst": "draw_worst",
    "shoal.explain.experiments.catalogue": "experiments show",
    "shoal.explain.experiments.experiment": "Finding",
    "shoal.losses": "BinaryCrossEntropy CrossEntropy CustomLoss Focal HalfSquaredError Hinge Huber "
    "KLDivergence LogCosh MeanAbsoluteError MeanSquaredError Poisson Quantile",
    "shoal.metrics": "Accuracy LogLoss MAE R2 RMSE ROCAUC TopK",
    "shoal.nets": "Add Auto AvgPool BatchNorm CELU Concat Constant Conv ConvTranspose Dense "
    "DepthwiseConv Dropout ELU Embedding Flatten GELU GRU GaussianNoise GlobalAvgPool "
    "GlobalMaxPool Glorot GroupNorm HardSigmoid HardSwish He Identity LSTM LayerNorm "
    "LeCun LeakyReLU LogSoftmax MaxPool Mish Net Normal Orthogonal PReLU Positions "
    "RMSNorm RNN RReLU ReLU Reshape Residual SELU SelfAttention SeparableConv "
    "Sequential SiLU Sigmoid Softmax Softplus Softsign SpatialDropout Swish Tanh "
    "Uniform Zeros",
    "shoal.nets.zoo": "mlp zoo",
    "shoal.optim": "AdaDelta AdaGrad AdaMax Adam AdamW ClipByNorm ClipByValue ConstantRate Cosine "
    "EMAMomentum ExponentialDecay GradientDescent InverseTime LAMB LBFGS Lion "
    "Momentum Muon NAdam Nesterov OneCycle RMSprop ReduceOnPlateau Rprop SGD "
    "StepDecay WarmUp",
    "shoal.recipe": "Convergence EarlyStopping Recipe",
    "shoal.report.page": "report",
    "shoal.spaces": "Choice Float Int",
    "shoal.train.fit": "fit fit_many resume",
    "shoal.train.member": "Status",
    "shoal.train.model": "Model",
    "shoal.train.settings": "Settings",
    "shoal.train.record": "Record",
    "shoal.train.run": "Run",
    "shoal.tune.study": "Study",
    "shoal.tune.tuning": "tune",
}
_MODULES = {"data", "doctor", "zoo"}
_VERBS = {"explain", "report", "tune"}  # packages that can be called by their own name
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'shoal' has no attribute {name!r}")
    module = importlib.import_module(f"shoal.{name}" if name in _VERBS else _HOME[name])
    value = module if name in _MODULES | _VERBS else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
