"""Treating: the doctor's cure of sick cases, scored on test rows with fresh seeds, and controls.

A case is cured when the share of its gap that is recovered is 0.9 or more. It is made worse when
the treated training does worse than the sick one with the same seeds, by the test of ``truth`` and
by at least a tenth of the range.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from shoal.data.dataset import Data
from shoal.doctor.bench import controls, truth
from shoal.doctor.bench.judging import Judgement
from shoal.doctor.bench.training import train
from shoal.doctor.curing import cure
from shoal.errors import ShoalError
from shoal.recipe import Recipe

FRESH = 5000
"""The first of the fresh seeds: no cure has seen them."""

SEEDS = 5


@dataclass(frozen=True)
class Outcome:
    """What a treatment did.

    Attributes:
        recovered: the share of the gap; cured, worse: see above.
        remedies: that were taken; seconds: that it took.
        why: it failed, or "".
    """

    recovered: float
    cured: bool
    worse: bool
    remedies: tuple[str, ...] = ()
    seconds: float = 0.0
    why: str = ""


@dataclass(frozen=True)
class Treatment:
    """A case and what the doctor and the controls did to it."""

    judgement: Judgement
    doctor: Outcome
    random: Outcome | None = None
    fixed: Outcome | None = None
    extra: dict[str, float] = field(default_factory=dict)

    def row(self) -> dict[str, object]:
        """As plain values."""
        found = {"doctor": self.doctor, "random": self.random, "fixed order": self.fixed}
        rows = {n: None if o is None else vars(o) for n, o in found.items()}
        return {"case": self.judgement.label.case.name, **rows}


def treat(judgement: Judgement, compare: bool = True) -> Treatment:
    """Cure a case as a user would, and by the controls where they are wanted.

    The seconds run from the sick recipe to the cure that was verified; the diagnosis needs the
    training that the user has done.
    """
    recipe, data = judgement.label.case.make()
    before = _scores(judgement, (recipe, data))
    began = time.perf_counter()
    try:
        found = cure(recipe, data, judgement.diagnosis, show=False)
    except ShoalError as error:
        return Treatment(judgement, Outcome(0.0, False, False, why=str(error)))
    seconds = time.perf_counter() - began + judgement.seconds
    pair = (found.recipe, found.cured_data)
    doctor = outcome(judgement, before, pair, found.names, seconds)
    if not compare:
        return Treatment(judgement, doctor)
    epochs = sum(len(trial.curve) * trial.gain.seeds for trial in found.trials)
    return Treatment(
        judgement,
        doctor,
        random=_by(
            judgement, before, lambda r, d: controls.at_random(r, d, epochs, _seed(judgement))
        ),
        fixed=_by(judgement, before, controls.in_fixed_order),
        extra={"epochs": float(epochs)},
    )


def _seed(judgement: Judgement) -> int:
    return sum(judgement.label.case.name.encode())


def _by(
    judgement: Judgement,
    before: Sequence[float],
    control: Callable[[Recipe, Data], tuple[Recipe, Data]],
) -> Outcome:
    """What a control made of a case."""
    began = time.perf_counter()
    pair = control(*judgement.label.case.make())
    return outcome(judgement, before, pair, (), time.perf_counter() - began)


def outcome(
    judgement: Judgement,
    before: Sequence[float],
    pair: tuple[Recipe, Data],
    names: tuple[str, ...],
    seconds: float,
) -> Outcome:
    """How a treated training does on test rows, with fresh seeds.

    Args:
        before: the scores of the sick training with these seeds.
        pair: the treated recipe and its data; names, seconds: of the treatment.
    """
    label = judgement.label
    after = _scores(judgement, pair)
    part = truth.recovered(label.healthy, label.sick, float(np.mean(after)))
    change = truth.effect(before, after, label.chance)
    lost = change.label in (truth.HARMFUL, truth.TRIVIAL)
    worse = lost and change.gap >= truth.SHARE * label.effect.range
    return Outcome(part, part >= truth.CURED, worse, names, seconds)


def _scores(judgement: Judgement, pair: tuple[Recipe, Data]) -> tuple[float, ...]:
    return train(*pair, SEEDS, first=FRESH, honest=judgement.label.case.honest).scores
