"""Schedules: every step's learning rate against PyTorch's scheduler, optax, or the formula."""

import math

import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from torch.optim import lr_scheduler as theirs

import shoal as sh
from shoal.optim.schedules import Clock

from contracts.tables import SCHEDULES

S, E = 8, 10  # steps in an epoch, epochs


def factors(schedule, steps=S * E):
    """The factor of every step; no epoch end is observed."""
    state = schedule.start(np.float64)
    clock = [Clock(*(jnp.asarray(n, float) for n in (s / S, E, S))) for s in range(steps)]
    return np.array([float(schedule.factor_at(state, c)) for c in clock])


def pytorch(make, steps, every=1):
    """Rates of a PyTorch scheduler with rate 1, stepped after every ``every`` steps."""
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler, rates = make(optimiser), []
    for s in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        if (s + 1) % every == 0 and s + 1 < steps:
            scheduler.step()
    return np.array(rates)


def test_every_schedule_has_an_oracle_here():
    tested = {"constant", "step", "exponential", "exponential staircase", "inverse time", "cosine",
              "warm up", "one cycle", "plateau"}  # fmt: skip
    assert tested == SCHEDULES.keys()


def test_constant(x64):
    np.testing.assert_array_equal(factors(sh.ConstantRate()), np.ones(S * E))


def test_step(x64):
    wanted = pytorch(lambda o: theirs.StepLR(o, 3, 0.2), S * E, every=S)
    np.testing.assert_allclose(factors(sh.StepDecay(0.2, every=3)), wanted, rtol=1e-12)


def test_exponential(x64):
    wanted = pytorch(lambda o: theirs.ExponentialLR(o, 0.7), S * E, every=S)
    ours = factors(sh.ExponentialDecay(0.7, staircase=True))
    np.testing.assert_allclose(ours, wanted, rtol=1e-12)
    smooth = [float(optax.exponential_decay(1.0, S, 0.7)(s)) for s in range(S * E)]
    np.testing.assert_allclose(factors(sh.ExponentialDecay(0.7)), smooth, rtol=1e-6)


def test_inverse_time(x64):
    wanted = [1 / (1 + 0.4 * s / S) for s in range(S * E)]
    np.testing.assert_allclose(factors(sh.InverseTime(0.4)), wanted, rtol=1e-12)


def test_cosine(x64):
    wanted = pytorch(lambda o: theirs.CosineAnnealingLR(o, S * E, eta_min=0.1), S * E)
    np.testing.assert_allclose(factors(sh.Cosine(final=0.1)), wanted, rtol=1e-9)


def test_warm_up_multiplies_what_comes_after(x64):
    ramp = np.minimum(1, np.arange(1, S * E + 1) / (2.5 * S))
    wanted = ramp * factors(sh.InverseTime(0.4))
    ours = factors(sh.WarmUp(2.5, then=sh.InverseTime(0.4)))
    np.testing.assert_allclose(ours, wanted, rtol=1e-12)


@pytest.mark.parametrize("peak_at", [0.3, 0.5])
def test_one_cycle(peak_at, x64):
    wanted = pytorch(
        lambda o: theirs.OneCycleLR(
            o, 1.0, total_steps=S * E, pct_start=peak_at, cycle_momentum=False
        ),
        S * E,
    )
    np.testing.assert_allclose(factors(sh.OneCycle(peak_at)), wanted, rtol=1e-9)


@pytest.mark.parametrize("patience", [0, 2])
def test_reduce_on_plateau(patience, x64, rng):
    losses = np.concatenate([np.linspace(2, 1, 6), 1 + 0.01 * rng.normal(size=30)])
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = theirs.ReduceLROnPlateau(optimiser, factor=0.3, patience=patience, min_lr=0.01)
    ours = sh.ReduceOnPlateau(0.3, patience, minimum=0.01)
    state = ours.start(np.float64)
    for loss in losses:
        scheduler.step(float(loss))
        state = ours.observe(state, jnp.asarray(loss))
        rate = optimiser.param_groups[0]["lr"]
        assert float(state["factor"]) == pytest.approx(rate, rel=1e-12)
    assert state["factor"] < 0.1  # it did reduce


def test_a_cosine_ends_at_its_final_rate_and_stays(x64):
    schedule = sh.Cosine(final=0.2)
    late = Clock(*(jnp.asarray(n, float) for n in (E + 3, E, S)))
    assert float(schedule.factor_at({}, late)) == pytest.approx(0.2)
    middle = Clock(*(jnp.asarray(n, float) for n in (E / 2, E, S)))
    assert float(schedule.factor_at({}, middle)) == pytest.approx(0.2 + 0.8 * 0.5)
    assert math.isclose(float(schedule.factor_at({}, middle._replace(time=jnp.zeros(())))), 1.0)
