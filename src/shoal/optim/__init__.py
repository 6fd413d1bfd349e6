"""How a network learns: optimisers, learning-rate schedules, gradient clipping."""

from shoal.optim.clipping import ClipByNorm as ClipByNorm
from shoal.optim.clipping import ClipByValue as ClipByValue
from shoal.optim.optimisers import SGD as SGD
from shoal.optim.optimisers import AdaDelta as AdaDelta
from shoal.optim.optimisers import AdaGrad as AdaGrad
from shoal.optim.optimisers import Adam as Adam
from shoal.optim.optimisers import AdamW as AdamW
from shoal.optim.optimisers import GradientDescent as GradientDescent
from shoal.optim.optimisers import Momentum as Momentum
from shoal.optim.optimisers import Nesterov as Nesterov
from shoal.optim.optimisers import Optimiser as Optimiser
from shoal.optim.optimisers import RMSprop as RMSprop
from shoal.optim.schedules import ConstantRate as ConstantRate
from shoal.optim.schedules import Cosine as Cosine
from shoal.optim.schedules import ExponentialDecay as ExponentialDecay
from shoal.optim.schedules import InverseTime as InverseTime
from shoal.optim.schedules import OneCycle as OneCycle
from shoal.optim.schedules import ReduceOnPlateau as ReduceOnPlateau
from shoal.optim.schedules import Schedule as Schedule
from shoal.optim.schedules import StepDecay as StepDecay
from shoal.optim.schedules import WarmUp as WarmUp
