"""All formulations of convolution give the same sums, whatever the window."""

import jax
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jax import lax

from shoal.errors import ShapeError
from shoal.nets import formulations as f
from shoal.nets.convolution import convolve
from shoal.nets.shapes import windows

sizes = st.tuples(st.integers(1, 7), st.integers(1, 7))
steps = st.tuples(st.integers(1, 3), st.integers(1, 3))


@settings(max_examples=6, deadline=None)
@given(
    space=sizes,
    kernel=steps,
    stride=steps,
    dilation=steps,
    padding=st.one_of(st.sampled_from(["same", "valid"]), st.integers(0, 2)),
    channels=st.integers(1, 3),
    filters=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_all_formulations_agree(space, kernel, stride, dilation, padding, channels, filters, seed):
    try:
        axes = windows(space, kernel, stride, padding, dilation, "a window")
    except ShapeError:
        assume(False)
    plan, rng = f.Plan(axes, 1), np.random.default_rng(seed)
    with jax.enable_x64(True):
        x = rng.normal(size=(2, *space, channels))
        w = rng.normal(size=(*kernel, channels, filters))
        y, pull = jax.vjp(lambda x, w: f.plain(x, w, plan), x, w)
        dy = rng.normal(size=y.shape)
        dx, dw = pull(dy)
        close = {"rtol": 1e-11, "atol": 1e-11}
        for forward in (f.by_taps, f.by_patches):
            np.testing.assert_allclose(forward(x, w, plan), y, **close)
        for backward in (f.input_gradient, f.input_by_taps):
            np.testing.assert_allclose(backward(dy, w, plan), dx, **close)
        for backward in (f.kernel_gradient, f.kernel_by_patches):
            np.testing.assert_allclose(backward(x, dy, plan), dw, **close)
        chosen, pull = jax.vjp(lambda x, w: convolve(x, w, plan), x, w)
        np.testing.assert_allclose(chosen, y, **close)
        for ours, theirs in zip(pull(dy), (dx, dw), strict=True):
            np.testing.assert_allclose(ours, theirs, **close)


def test_cells_that_meet_only_padding_are_left_out():
    """A kernel 3x3 over one cell with padding 1 reads it by its middle alone."""
    axes = windows((1, 4), 3, 1, "same", 1, "a window")
    plan, kept = f.live(f.Plan(axes, 1))
    assert kept == (slice(1, 2), slice(0, 3))
    assert [axis.kernel for axis in plan.axes] == [1, 3]
    assert [axis.out for axis in plan.axes] == [1, 4]


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_groups_are_the_compilers(groups, x64, rng):
    axes = windows((6, 5), 3, 1, "same", 1, "a window")
    x, w = rng.normal(size=(2, 6, 5, 4)), rng.normal(size=(3, 3, 4 // groups, 8))
    plan = f.Plan(axes, groups)
    np.testing.assert_allclose(f.by_taps(x, w, plan), f.plain(x, w, plan), rtol=1e-11, atol=1e-11)


def test_both_derivatives_are_in_the_layout_that_is_fast_in_loops(rng):
    """Batch, space, channels for every convolution that the derivative of one is made of."""
    axes = windows((8, 8), 3, 1, "same", 1, "a window")
    plan = f.Plan(axes, 1)
    x = np.zeros((4, 8, 8, 32), np.float32)
    dy, w = np.zeros((4, 8, 8, 8), np.float32), np.zeros((3, 3, 32, 8), np.float32)
    for function, arguments in (
        (f.input_gradient, (dy, w)),
        (f.kernel_gradient, (x, dy)),
    ):
        jaxpr = jax.make_jaxpr(lambda *a, function=function: function(*a, plan))(*arguments)
        found = [e for e in jaxpr.eqns if e.primitive is lax.conv_general_dilated_p]
        assert len(found) == 1
        numbers = found[0].params["dimension_numbers"]
        assert numbers.lhs_spec == numbers.out_spec == (0, 3, 1, 2)
        assert numbers.rhs_spec == (3, 2, 0, 1)
