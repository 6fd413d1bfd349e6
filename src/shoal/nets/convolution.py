"""Convolution with its own derivative, the formulation chosen by shape.

Why not leave it to the compiler: XLA has fast code for convolution on CPUs in one layout, and
rewrites others into it only outside of loops. The derivatives that JAX builds have other layouts,
so inside a training loop they are several times slower than need be. Here both derivatives are
written in that layout, transposes spelled out, and where few channels make another formulation of
the forward pass faster, that one is taken.

``bench/conv.py`` times every formulation in a compiled loop, each core on its own images. With
AVX-512 and 32 images on each core, milliseconds: 28x28, 3 to 32 channels, 3x3: forward plain 1.8,
patches 0.9; 14x14, 16 to 32 channels: forward plain 0.6, patches 1.2. With a single channel a sum
over taps is slower alone but fused with what follows it, bias, ReLU and pool, which makes the whole
step of a small CNN 5 to 10 % faster than patches do.

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
    return f.input_gradient(dy, w, plan), f.kernel_gradient(x, dy, plan)


_convolve.defvjp(_forward, _backward)


def convolve_transposed(x: Array, w: Array, plan: Plan) -> Array:
    """The transpose of a convolution: x (B, *space', C), w (*kernel, O / groups, C), back to space.

    ``plan`` is that of the convolution from the output, (B, *space, O), to the input.
    """
    if plan.groups > 1:
        return f.untaps(x, w, plan)
    if jax.default_backend() != "cpu":
        return f.input_gradient(x, w, plan)
    return _transposed(x, w, plan)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _transposed(x: Array, w: Array, plan: Plan) -> Array:
    return f.input_gradient(x, w, plan)


def _transposed_forward(x: Array, w: Array, plan: Plan) -> tuple[Array, tuple[Array, Array]]:
    return _transposed(x, w, plan), (x, w)


def _transposed_backward(plan: Plan, saved: tuple[Array, Array], dy: Array) -> tuple[Array, Array]:
    x, w = saved
    return _convolve(dy, w, plan), f.kernel_gradient(dy, x, plan)


_transposed.defvjp(_transposed_forward, _transposed_backward)
