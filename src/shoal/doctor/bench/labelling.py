"""Labels: what each case did, measured over seeds beside its reference, and the certificates.

A healthy case counts when it is not worse than its base by more than a tenth of the range, and when
no single remedy beats that base by more than a tenth.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shoal.data.dataset import Data
from shoal.doctor.bench import truth
from shoal.doctor.bench.bases import Base
from shoal.doctor.bench.cases import HEALTHY, Case
from shoal.doctor.bench.keeping import Scores, key
from shoal.doctor.bench.training import Trained, chance, train
from shoal.doctor.bench.truth import HARMFUL, Effect, effect
from shoal.doctor.remedy import Remedy
from shoal.recipe import Recipe

SEEDS = 10


@dataclass(frozen=True)
class Label:
    """What a case is, by effect.

    Attributes:
        case: the case; effect: of what was done to its reference.
        healthy, sick: mean scores of the reference and of the case; chance: of who knows nothing.
        refusal: why it could not be trained, or "".
        certified: whether a healthy case counts as one.
    """

    case: Case
    effect: Effect
    healthy: float
    sick: float
    chance: float
    refusal: str
    certified: bool

    @property
    def harmful(self) -> bool:
        """Whether an alarm is right."""
        return self.effect.label == HARMFUL

    @property
    def counts_as_healthy(self) -> bool:
        """Whether an alarm is false."""
        return not self.harmful and self.certified


class Labeller:
    """Trains cases over seeds, once.

    Args:
        scores: kept from before.
        seeds: of each training.
    """

    def __init__(self, scores: Scores, seeds: int = SEEDS) -> None:
        self.scores, self.seeds = scores, seeds
        self.trained = 0

    def measure(self, recipe: Recipe, data: Data, honest: bool = False) -> tuple[list[float], str]:
        """The scores of a training over seeds, and why it was refused or ""."""
        name = key(recipe, data, self.seeds, honest)
        found = self.scores.get(name)
        if found is None:
            done = train(recipe, data, self.seeds, honest=honest)
            found = self.keep(name, done)
        return found["scores"], found["refusal"]

    def keep(self, name: str, done: Trained) -> dict[str, Any]:
        """Keep what was trained; written to disk now and then."""
        self.trained += 1
        entry = self.scores.put(name, done.scores, done.refusal)
        if self.trained % 5 == 0:
            self.scores.save()
        return entry

    def label(self, case: Case) -> Label:
        """The label of a case."""
        recipe, data = case.make()
        sick, refusal = self.measure(recipe, data, case.honest)
        reference, clean = case.reference()
        healthy, _ = self.measure(reference, clean, case.honest)
        floor = chance(clean)
        found = effect(healthy, sick, floor)
        worse = found.gap > truth.SHARE * found.range
        return Label(
            case=case,
            effect=found,
            healthy=float(np.mean(healthy)),
            sick=float(np.mean(sick)),
            chance=floor,
            refusal=refusal,
            certified=not (case.sort == HEALTHY and worse),
        )


def certify(
    base: Base,
    remedies: Mapping[str, Remedy],
    measure: Callable[[Recipe, Data], Sequence[float]],
) -> dict[str, float]:
    """The remedies that beat a base by more than a tenth of its range, with their mean scores.

    Empty where the base is certified. What a remedy makes of the test rows does not count: scores
    are on the test split of the base.

    Args:
        measure: scores of a training over seeds.
    """
    data = base.load()
    own = float(np.mean(measure(base.recipe, data)))
    others: dict[str, float] = {}
    for name, recipe, edited in single_edits(base.recipe, data, remedies):
        others[name] = float(np.mean(measure(recipe, edited)))
    return {name: others[name] for name in truth.better(own, others, chance(data))}


def single_edits(
    recipe: Recipe, data: Data, remedies: Mapping[str, Remedy]
) -> Iterator[tuple[str, Recipe, Data]]:
    """Every remedy that applies, with what it makes of a training."""
    for name, remedy in remedies.items():
        found = remedy.edit(recipe, data)
        if found is not None:
            yield name, *found
