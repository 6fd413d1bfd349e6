"""Learning-rate schedules: a factor on the optimiser's learning rate, one for every step.

Notation: t, the time in epochs since the member started, whole at the start of an epoch and growing
by 1/S with every step; E, the epoch limit of the recipe; s = t S, the step. ``ConstantRate`` is 1.

    StepDecay         factor^floor(t / every)
    ExponentialDecay  factor^t                      (or factor^floor(t) as a staircase)
    InverseTime       1 / (1 + rate t)
    Cosine            final + (1 - final) (1 + cos(pi t / E)) / 2
    WarmUp            min(1, (s + 1) / (epochs S)) times another schedule
    OneCycle          up by a half cosine to 1, then down by another
    ReduceOnPlateau   times ``factor`` whenever the validation loss stops falling

A schedule may keep a state (only ReduceOnPlateau does); it is looked after at the end of an epoch.
All numbers may be tracers.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jax.typing import DTypeLike

from shoal.arrays import Array, Tree
from shoal.describe import Description, by_name, part, static, traced
from shoal.rules import Flag, Is, Number, Whole

SHARE = Number(0.0, 1.0)
POSITIVE_SHARE = Number(0.0, 1.0, low_open=True)


class Clock(NamedTuple):
    """Where a member stands.

    Attributes:
        time: t, epochs since its start, fractions included.
        epochs: E, its epoch limit.
        steps_per_epoch: S.
    """

    time: Array
    epochs: Array
    steps_per_epoch: Array


class Schedule(Description, abstract=True):
    """The interface of a schedule."""

    def start(self, dtype: DTypeLike) -> Tree:
        """The state before the first epoch; empty for schedules without memory."""
        return {}

    def factor_at(self, state: Tree, clock: Clock) -> Array:
        """What the learning rate is multiplied by at this step, a scalar."""
        raise NotImplementedError

    def observe(self, state: Tree, loss: Array) -> Tree:
        """The state after an epoch that ended with this (validation) loss."""
        return state


class ConstantRate(Schedule):
    """The learning rate stays as it is."""

    def factor_at(self, state: Tree, clock: Clock) -> Array:
        return jnp.ones_like(clock.time)


class StepDecay(Schedule):
    """Times ``factor`` after every ``every`` epochs.

    Args:
        factor: in (0, 1].
        every: epochs, >= 1.
    """

    factor: float = traced(default=0.1, must=POSITIVE_SHARE)
    every: int = traced(default=10, must=Whole(1))

    def factor_at(self, state: Tree, clock: Clock) -> Array:
        every = jnp.asarray(self.every, clock.time.dtype)
        return jnp.asarray(self.factor, clock.time.dtype) ** jnp.floor(clock.time / every)


class ExponentialDecay(Schedule):
    """Times ``factor`` in every epoch, smoothly, or once at its end as a ``staircase``.

    Args:
        factor: in (0, 1].
        staircase: constant within an epoch.
    """

    factor: float = traced(default=0.95, must=POSITIVE_SHARE)
    staircase: bool = static(default=False, must=Flag())

    def factor_at(self, state: Tree, clock: Clock) -> Array:
        time = jnp.floor(clock.time) if self.staircase else clock.time
        return jnp.asarray(self.factor, time.dtype) ** time


class InverseTime(Schedule):
    """1 / (1 + rate · t).

    Args:
        rate: per epoch, >= 0.
    """

    rate: float = traced(default=0.1, must=Number(0.0))

    def factor_at(self, state: Tree, clock: Clock) -> Array:
        return 1.0 / (1.0 + self.rate * clock.time)


class Cosine(Schedule):
    """From 1 to ``final`` along half a cosine over all epochs (Loshchilov and Hutter 2017).

    Args:
        final: in [0, 1].
    """

    final: float = traced(default=0.0, must=SHARE)

    def factor_at(self, state: Tree, clock: Clock) -> Array:
        share = jnp.minimum(clock.time / clock.epochs, 1.0)
        return self.final + (1.0 - self.final) * 0.5 * (1.0 + jnp.cos(math.pi * share))


class WarmUp(Schedule):
    """Linear from 0 to the full rate over the first epochs, times another schedule.

    Args:
        epochs: length of the ramp, > 0, fractions allowed.
        then: the schedule that it multiplies.
    """

    epochs: float = traced(default=1.0, must=Number(0.0, low_open=True))
    then: Schedule = part(default=ConstantRate(), must=Is(Schedule, "a schedule"))

    def start(self, dtype: DTypeLike) -> Tree:
        return self.then.start(dtype)

    def factor_at(self, state: Tree, clock: Clock) -> Array:
        done = clock.time + 1.0 / clock.steps_per_epoch
        ramp = jnp.minimum(done / self.epochs, 1.0)
        return ramp * self.then.factor_at(state, clock)

    def observe(self, state: Tree, loss: Array) -> Tree:
        return self.then.observe(state, loss)


class OneCycle(Schedule):
    """Up to the full rate, then down almost to zero, both along half a cosine (Smith 2018).

    The learning rate of the optimiser is the peak. The defaults are PyTorch's.

    Args:
        peak_at: share of all epochs at which the peak is reached, in (0, 1).
        initial: the rate at the start as a share of the peak, in [0, 1].
        final: the rate at the end as a share of the peak, in [0, 1].
    """

    peak_at: float = traced(default=0.3, must=Number(0.0, 1.0, low_open=True, high_open=True))
    initial: float = traced(default=1.0 / 25.0, must=SHARE)
    final: float = traced(default=1.0 / 25.0 / 1e4, must=SHARE)

    def factor_at(self, state: Tree, clock: Clock) -> Array:
        # The last step of the cycle lies one step before the end of the last epoch.
        last = clock.epochs * clock.steps_per_epoch - 1.0
        step = jnp.minimum(clock.time * clock.steps_per_epoch, last)
        peak = self.peak_at * (last + 1.0) - 1.0
        rising = _half_cosine(self.initial, 1.0, step / jnp.maximum(peak, 1e-6))
        falling = _half_cosine(1.0, self.final, (step - peak) / jnp.maximum(last - peak, 1e-6))
        return jnp.where(step <= peak, rising, falling)


def _half_cosine(start: Array | float, end: Array | float, share: Array) -> Array:
    share = jnp.clip(share, 0.0, 1.0)
    return end + (start - end) * 0.5 * (1.0 + jnp.cos(math.pi * share))


class ReduceOnPlateau(Schedule):
    """Times ``factor`` when the loss has not improved for more than ``patience`` epochs.

    The loss is the validation loss, or the training loss where there is no validation split. An
    improvement is a loss below best · (1 - threshold), as in PyTorch.

    Args:
        factor: in (0, 1].
        patience: epochs without improvement that are borne, >= 0.
        threshold: smallest relative improvement that counts, >= 0.
        minimum: lowest factor, in [0, 1].
    """

    factor: float = traced(default=0.1, must=POSITIVE_SHARE)
    patience: int = traced(default=10, must=Whole(0))
    threshold: float = traced(default=1e-4, must=Number(0.0))
    minimum: float = traced(default=0.0, must=SHARE)

    def start(self, dtype: DTypeLike) -> Tree:
        return {
            "factor": jnp.ones((), dtype),
            "best": jnp.full((), jnp.inf, dtype),
            "waited": jnp.zeros((), jnp.int32),
        }

    def factor_at(self, state: Tree, clock: Clock) -> Array:
        return state["factor"]

    def observe(self, state: Tree, loss: Array) -> Tree:
        better = loss < state["best"] * (1.0 - self.threshold)
        waited = jnp.where(better, 0, state["waited"] + 1)
        reduce = waited > self.patience
        lower = jnp.maximum(state["factor"] * self.factor, self.minimum)
        return {
            "factor": jnp.where(reduce, lower, state["factor"]),
            "best": jnp.where(better, loss, state["best"]),
            "waited": jnp.where(reduce, 0, waited),
        }


BY_NAME: dict[str, Schedule] = {
    "constant": ConstantRate(),
    "step": StepDecay(),
    "exponential": ExponentialDecay(),
    "inverse_time": InverseTime(),
    "cosine": Cosine(),
    "warm_up": WarmUp(),
    "one_cycle": OneCycle(),
    "plateau": ReduceOnPlateau(),
}

schedule = by_name(BY_NAME, "Recipe(schedule)")
