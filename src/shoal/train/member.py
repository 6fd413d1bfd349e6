"""Member: one network in training, as the nest of arrays that a program carries along.

A pool holds K members stacked on axis 0 of every array. Everything that the next step needs is
here, and nothing else; what people read is in the Info that a chunk returns.
"""

import enum
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from shoal.arrays import Array, Shape, Tree
from shoal.metrics import Facts, Metric
from shoal.recipe import Recipe

TRAINING, VALIDATION = 0, 1


class Status(enum.IntEnum):
    """Whether a member trains, and why it does not: the reasons for stopping."""

    RUNNING = 0
    EPOCH_LIMIT = 1
    EARLY_STOP = 2
    CONVERGED = 3
    NOT_FINITE = 4
    EMPTY = 5

    @property
    def sentence(self) -> str:
        """The reason as the user reads it."""
        return _SENTENCES[self]


_SENTENCES = {
    Status.RUNNING: "still training",
    Status.EPOCH_LIMIT: "reached the epoch limit",
    Status.EARLY_STOP: "the validation loss stopped improving",
    Status.CONVERGED: "the training loss stopped changing",
    Status.NOT_FINITE: "the loss or its gradient was not finite; kept the last finite weights",
    Status.EMPTY: "no member in this slot",
}


ADDED = ("loss", "rows", "penalty", "norm", "steps", "batch_loss", "batch_loss_square", "clipped")
"""What is added up over the steps of an epoch: losses and weights of the examples; then of each
batch the penalty, norm of the gradient, 1, mean loss, its square, whether it was clipped."""

GREATEST = ("greatest_norm", "greatest_loss")
"""Of what the greatest over the steps is kept: norm of the gradient and mean loss of a batch."""


class Sums(NamedTuple):
    """What is gathered over the steps of an epoch, as one array: one operation of each step.

    Attributes:
        numbers: those of ``ADDED``, the sums of each additive metric, those of ``GREATEST``.
    """

    numbers: Array

    def of(self, name: str) -> Array:
        """The number of a name."""
        if name in GREATEST:
            return self.numbers[GREATEST.index(name) - len(GREATEST)]
        return self.numbers[ADDED.index(name)]

    def metrics(self, work: "Work", known: Facts) -> list[Array]:
        """The sums of each additive metric."""
        found, at = [], len(ADDED)
        for metric in additive(work):
            like = metric.nothing(known)
            found.append(self.numbers[at : at + like.size].reshape(like.shape))
            at += like.size
        return found


class Watch(NamedTuple):
    """Memory of the stopping rules.

    Attributes:
        best: lowest loss watched so far; waited: epochs since; best_epoch: when, counted from 1.
        last: training loss of the epoch before; calm: epochs in a row with little change.
    """

    best: Array
    waited: Array
    best_epoch: Array
    last: Array
    calm: Array


class Member(NamedTuple):
    """One network in training.

    Attributes:
        parameters, statistics: of the network.
        optimiser, schedule: their states.
        best: (parameters, statistics) of the best epoch where they are to be restored, else ().
        watch: memory of the stopping rules.
        sums: of the epoch under way.
        seen: what is gathered for the signals of layers (see ``gathering``), else ().
        step, epoch: done so far; status: a ``Status``.
    """

    parameters: Tree
    statistics: Tree
    optimiser: Tree
    schedule: Tree
    best: Tree
    watch: Watch
    sums: Sums
    seen: Tree
    step: Array
    epoch: Array
    status: Array


@dataclass(frozen=True)
class Work:
    """The static side of a pool's training: what is known before anything is traced.

    Attributes:
        in_shape: of one example.
        dtype: of every real number.
        batch: B; steps: S per epoch; rows: N of the training split.
        validation: rows of the validation split, 0 for none.
        metrics: what is computed beside the loss.
        scale: (T,) units of the target per unit of output, as a tuple.
        variances: (T,) of the training and of the validation targets, as tuples.
        class_weights: (C,) how much the examples of each class count in the loss, as a tuple; ()
            where all count the same.
        weighted: whether rows carry weights of their own.
        narrow: whether layers compute in bfloat16.
        signals: of the layers, "none", "basic" or "full".
        devices: name of the axis of devices that share each batch, None where none do.
    """

    in_shape: Shape
    dtype: str
    batch: int
    steps: int
    rows: int
    validation: int
    metrics: tuple[Metric, ...]
    scale: tuple[float, ...]
    variances: tuple[tuple[float, ...], tuple[float, ...]]
    class_weights: tuple[float, ...] = ()
    weighted: bool = False
    narrow: bool = False
    signals: str = "none"
    devices: str | None = None

    @property
    def ragged(self) -> bool:
        """Whether the last batch of an epoch is smaller than the others."""
        return self.rows % self.batch != 0


def additive(work: Work) -> list[Metric]:
    """The metrics that are added up batch by batch."""
    return [metric for metric in work.metrics if metric.additive]


def new_sums(recipe: Recipe, work: Work) -> Sums:
    """Sums of nothing."""
    known = facts(recipe, work, TRAINING)
    nothing = [metric.nothing(known).reshape(-1) for metric in additive(work)]
    ends = [jnp.zeros(len(ADDED), work.dtype), jnp.full(len(GREATEST), -jnp.inf, work.dtype)]
    return Sums(jnp.concatenate([ends[0], *nothing, ends[1]]))


def facts(recipe: Recipe, work: Work, split: int) -> Facts:
    """What metrics need to know about a split, ``TRAINING`` or ``VALIDATION``."""
    return Facts(
        recipe.loss,
        jnp.asarray(work.scale, work.dtype),
        jnp.asarray(work.variances[split], work.dtype),
    )


def start(recipe: Recipe, work: Work) -> Member:
    """A member before its first step. The recipe's numbers may be tracers.

    Its weights depend on the recipe's seed and on nothing else.
    """
    dtype = np.dtype(work.dtype)
    net = recipe.body
    parameters, statistics = net.init(jax.random.key(recipe.seed), work.in_shape, dtype)
    rate = jnp.asarray(recipe.optimiser.learning_rate, dtype)
    optimiser = recipe.optimiser.transformation(rate, net.decays(work.in_shape))
    restores = recipe.early_stopping is not None and recipe.early_stopping.restore_best
    infinity, zero = jnp.full((), jnp.inf, dtype), jnp.zeros((), jnp.int32)
    return Member(
        parameters=parameters,
        statistics=statistics,
        optimiser=optimiser.init(parameters),
        schedule=recipe.schedule.start(dtype),
        best=(parameters, statistics) if restores else (),
        watch=Watch(infinity, zero, zero, infinity, zero),
        sums=new_sums(recipe, work),
        seen=(),
        step=zero,
        epoch=zero,
        status=zero,
    )


def select(condition: Array, yes: Any, no: Any) -> Any:
    """``yes`` where the condition, a scalar, holds, else ``no``, array by array of two trees."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)
