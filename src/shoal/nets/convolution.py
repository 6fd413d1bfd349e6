"""Convolution with its own derivative, the formulation chosen by shape.

Why not leave it to the compiler: XLA has fast code for convolution on CPUs in one layout, and
rewrites others into it only outside of loops. The derivatives that JAX builds have other layouts,
so inside a training loop they are 10 to 20 times slower than need be. Here both derivatives are
written in that layout, transposes spelled out, and where few channels make another formulation
faster, that one is taken.

The borders below were measured with AVX-512 on 2 cores, compiled loops, batches of 32 to 64, images
of 8x8 to 32x32, kernels 3x3 and 5x5; ``bench/conv.py`` measures them again. Milliseconds, for
28x28 images, 1 to 16 channels, 3x3: forward plain 1.45, patches 0.55, taps 0.17; for 14x14, 16 to
32 channels: forward plain 1.28, input gradient plain 1.37, columns 1.11.

On other devices than CPUs the plain operation is used and JAX differentiates it.
"""

from functools import partial

import jax

from shoal.arrays import Array
from shoal.nets import formulations as f
from shoal.nets.formulations import Plan

SMALL_KERNEL = 9  # taps up to which matrices of patches are not too large


def convolve(x: Array, w: Array, plan: Plan) -> Array:
    """The convolution of ``x`` (B, *space, C) with ``w`` (*kernel, C / groups, O)."""
    if jax.default_backend() != "cpu":
        return f.plain(x, w, plan)
    if plan.groups > 1:
        return f.by_taps(x, w, plan)
    return _convolve(x, w, plan)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolve(x: Array, w: Array, plan: Plan) -> Array:
    channels = x.shape[-1]
    if channels == 1:
        return f.by_taps(x, w, plan)
    if channels <= 4 and plan.cells <= SMALL_KERNEL:
        return f.by_patches(x, w, plan)
    return f.plain(x, w, plan)


def _forward(x: Array, w: Array, plan: Plan) -> tuple[Array, tuple[Array, Array]]:
    return _convolve(x, w, plan), (x, w)


def _backward(plan: Plan, saved: tuple[Array, Array], dy: Array) -> tuple[Array, Array]:
    x, w = saved
    return _input_gradient(dy, w, plan), _kernel_gradient(x, dy, plan)


_convolve.defvjp(_forward, _backward)


def _input_gradient(dy: Array, w: Array, plan: Plan) -> Array:
    if w.shape[-2] <= 4:
        return f.input_gradient_by_columns(dy, w, plan)
    return f.input_gradient_plain(dy, w, plan)


def _kernel_gradient(x: Array, dy: Array, plan: Plan) -> Array:
    channels, filters = x.shape[-1], dy.shape[-1]
    if channels <= 8 and filters >= 32 and plan.cells <= SMALL_KERNEL:
        return f.kernel_gradient_by_patches(x, dy, plan)
    return f.kernel_gradient_plain(x, dy, plan)
