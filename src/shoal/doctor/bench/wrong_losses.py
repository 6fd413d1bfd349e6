"""Losses with a mistake in them, as people write them."""

import jax
import jax.numpy as jnp

from shoal.arrays import Array
from shoal.losses import CustomLoss, pick


def summed(z: Array, t: Array) -> Array:
    """The sum over a batch where the mean belongs: B times the loss."""
    per_row = jax.nn.logsumexp(z, axis=-1) - pick(z, t)
    return per_row * z.shape[0]


def summed_squares(z: Array, t: Array) -> Array:
    """The sum of squares over a batch where the mean belongs."""
    return jnp.mean((z - t) ** 2, axis=-1) * z.shape[0]


def wrong_axis(z: Array, t: Array) -> Array:
    """Softmax over the rows of the batch instead of over the classes."""
    return -pick(jax.nn.log_softmax(z, axis=0), t)


def flipped_sign(z: Array, t: Array) -> Array:
    """The logarithm of the right probability without its minus."""
    return pick(z, t) - jax.nn.logsumexp(z, axis=-1)


def logarithm_of_logits(z: Array, t: Array) -> Array:
    """The logarithm of a logit that was taken for a probability."""
    return -jnp.log(jnp.abs(pick(z, t)) + jnp.asarray(1e-7, z.dtype))


def unguarded(z: Array, t: Array) -> Array:
    """-log p from probabilities that may be 0."""
    return -jnp.log(pick(jax.nn.softmax(z, axis=-1), t))


SUMMED = CustomLoss(summed, targets="index")
SUMMED_SQUARES = CustomLoss(summed_squares)
WRONG_AXIS = CustomLoss(wrong_axis, targets="index")
FLIPPED = CustomLoss(flipped_sign, targets="index")
LOGARITHM = CustomLoss(logarithm_of_logits, targets="index")
UNGUARDED = CustomLoss(unguarded, targets="index")
