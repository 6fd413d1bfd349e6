"""Common form: recipes written so that as many of them as possible share one program.

What a recipe does not have is given to it in a form that does nothing: a penalty of 0, a limit on
gradients that none reaches, a warm-up that is over before the first step, patience without end,
dropout of rate 0, a schedule that stays at 1. Then recipes that differ in such parts differ in
numbers only. Initial weights and the scaling of inputs do not enter the program at all: they are
made outside and handed in. The common form trains to the same numbers, but for rounding.
"""

from collections.abc import Sequence

from shoal.data import Preparation
from shoal.describe import field_names
from shoal.doctor.surgery import DISTURBING, change_all
from shoal.metrics import Metric
from shoal.nets import Layer, Net, Zeros
from shoal.nets.initialisers import Initialiser
from shoal.optim import (
    ClipByNorm,
    Cosine,
    ExponentialDecay,
    InverseTime,
    ReduceOnPlateau,
    StepDecay,
    WarmUp,
)
from shoal.optim.schedules import ConstantRate, Schedule
from shoal.recipe import EarlyStopping, Recipe

BEYOND, AT_ONCE, FOR_EVER = 1e30, 1e-6, 10**9
"""A limit that no finite gradient of float32 reaches by its norm; epochs shorter than a step;
epochs that are never waited."""

STILL: dict[type[Schedule], dict[str, float]] = {
    StepDecay: {"factor": 1.0},
    ExponentialDecay: {"factor": 1.0},
    InverseTime: {"rate": 0.0},
    Cosine: {"final": 1.0},
    ReduceOnPlateau: {"factor": 1.0},
}
"""The numbers with which a schedule stays at 1."""


def common(recipe: Recipe, sick: Recipe, metrics: Sequence[Metric]) -> Recipe:
    """The common form of a recipe.

    Args:
        recipe: any.
        sick: the recipe whose parts the others are given where they have none.
        metrics: that all are compared by.
    """
    changes: dict[str, object] = {"metrics": tuple(metrics), "preparation": Preparation()}
    changes["l2"] = recipe.l2 or 0.0
    changes["early_stopping"] = patient(recipe.early_stopping)
    if recipe.optimiser.searches:  # its first state holds the weights; nothing may be clipped
        return recipe.replace(**changes)
    changes["clip"] = recipe.clip or _unreached(sick)
    changes["schedule"] = _schedule(recipe.schedule, sick.schedule)
    changes["net"] = _undrawn(_quiet(recipe.net, sick.net))
    return recipe.replace(**changes)


def patient(rule: EarlyStopping | None) -> EarlyStopping:
    """A stopping rule that keeps the best weights beside the last, and may never stop."""
    if rule is None:
        return EarlyStopping(FOR_EVER)
    return EarlyStopping(rule.patience, rule.min_change)


def _unreached(sick: Recipe) -> object:
    kind = ClipByNorm if sick.clip is None else type(sick.clip)
    return kind(BEYOND)  # type: ignore[call-arg]


def _schedule(schedule: Schedule, sick: Schedule) -> Schedule:
    """Warm-up times a schedule of the kind that the sick recipe has."""
    inner = schedule.then if isinstance(schedule, WarmUp) else schedule
    ramp = schedule.epochs if isinstance(schedule, WarmUp) else AT_ONCE
    theirs = sick.then if isinstance(sick, WarmUp) else sick
    if isinstance(inner, ConstantRate) and type(theirs) in STILL:
        inner = theirs.replace(**STILL[type(theirs)])
    return WarmUp(ramp, inner)


def _quiet(net: Net, sick: Net) -> Net:
    """Where a network is the sick one without its dropout: that one, which drops nothing."""

    def without(layer: Layer) -> list[Layer]:
        return [] if isinstance(layer, DISTURBING) else [layer]

    def still(layer: Layer) -> list[Layer]:
        if not isinstance(layer, DISTURBING):
            return [layer]
        field = "rate" if "rate" in field_names(layer) else "std"
        return [layer.replace(**{field: 0.0})]

    if net.random or not sick.random or change_all(sick, without) != net:
        return net
    return change_all(sick, still)


def _undrawn(net: Net) -> Net:
    """The network with initialisers that draw nothing: weights come from outside."""

    def change(layer: Layer) -> list[Layer]:
        given = [n for n in field_names(layer) if isinstance(getattr(layer, n), Initialiser)]
        return [layer.replace(**dict.fromkeys(given, Zeros())) if given else layer]

    return change_all(net, change)
