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
step of a small CNN 5 to 10 % faster than patches do. A kernel that is larger than the image falls
out of the compiler's fast code: 2x2, 256 to 256 channels, 3x3, 64 images, forward plain 76, patches
3.9; so do derivatives where the output is smaller than the kernel. A single tap is one product.

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
    plan, kept = f.live(plan)
    return _convolve(x, w[kept], plan)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolve(x: Array, w: Array, plan: Plan) -> Array:
    channels = x.shape[-1]
    if channels == 1:
        return f.by_taps(x, w, plan)
    few = channels <= 4 and plan.cells <= SMALL_KERNEL
    if few or plan.cells == 1 or any(axis.kernel > axis.size for axis in plan.axes):
        return f.by_patches(x, w, plan)
    return f.plain(x, w, plan)


def _forward(x: Array, w: Array, plan: Plan) -> tuple[Array, tuple[Array, Array]]:
    return _convolve(x, w, plan), (x, w)


def _backward(plan: Plan, saved: tuple[Array, Array], dy: Array) -> tuple[Array, Array]:
    x, w = saved
    return _input_gradient(dy, w, plan), _kernel_gradient(x, dy, plan)


def _input_gradient(dy: Array, w: Array, plan: Plan) -> Array:
    if plan.cells == 1 or any(axis.kernel > axis.out for axis in plan.axes):
        return f.input_by_taps(dy, w, plan)
    return f.input_gradient(dy, w, plan)


def _kernel_gradient(x: Array, dy: Array, plan: Plan) -> Array:
    if plan.cells == 1:
        return f.kernel_by_patches(x, dy, plan)
    return f.kernel_gradient(x, dy, plan)


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
    return _input_gradient(x, w, plan)


def _transposed_forward(x: Array, w: Array, plan: Plan) -> tuple[Array, tuple[Array, Array]]:
    return _transposed(x, w, plan), (x, w)


def _transposed_backward(plan: Plan, saved: tuple[Array, Array], dy: Array) -> tuple[Array, Array]:
    x, w = saved
    return _convolve(dy, w, plan), _kernel_gradient(dy, x, plan)


_transposed.defvjp(_transposed_forward, _transposed_backward)
