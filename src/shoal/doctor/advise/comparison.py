"""Comparison: variants of one part of a recipe, chosen on some seeds, confirmed on fresh ones.

The best of several variants looks better than it is: it was also the luckiest. So the variant with
the lowest mean loss over the first seeds is trained again beside the recipe with seeds that decided
nothing, and advised only where the 95 % interval of its difference over these lies below zero.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import Data
from shoal.doctor.advise.advice import Advice
from shoal.doctor.advise.drawing import bars
from shoal.doctor.advise.trials import Trials, mean_and_half, short, train
from shoal.doctor.words import number
from shoal.drawing import BLUE, GREEN, GREY
from shoal.errors import RecipeError
from shoal.recipe import Recipe
from shoal.train.progress import Progress

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STEPS = 2000
"""Steps of a training that is compared, where no epochs are asked for."""


class Variant(NamedTuple):
    """A name as the table shows it, and its recipe."""

    name: str
    recipe: Recipe


class Confirmation(NamedTuple):
    """The best variant beside the recipe on fresh seeds.

    Attributes:
        differences: (R,) its loss less that of the recipe, seed by seed; empty where none was run.
        mean, half: their mean and half the width of its 95 % interval.
    """

    differences: Numbers
    mean: float
    half: float

    @property
    def better(self) -> bool:
        """Whether the whole interval lies below zero."""
        return self.mean + self.half < 0


NONE = Confirmation(np.empty(0), math.nan, math.nan)


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison(Advice):
    """Variants of one part of a recipe, over seeds.

    Attributes:
        variants: V of them, the recipe's own first.
        trials: of every variant and seed.
        parameters: (V,) how many numbers training changes.
        best: which variant has the lowest mean loss.
        confirmation: the best beside the recipe on fresh seeds.
        epochs: of each training.
    """

    variants: tuple[Variant, ...]
    trials: Trials
    parameters: Numbers
    best: int
    confirmation: Confirmation
    epochs: int

    @property
    def differences(self) -> Numbers:
        """(V, R) the loss of each variant less that of the recipe with the same seed."""
        with np.errstate(invalid="ignore"):
            found = self.trials.kept - self.trials.kept[:1]
        return np.where(np.isnan(found), 0.0, found)

    def extra(self) -> list[tuple[str, ...]]:
        """More columns of the table: their names, then a row for each variant; none by default."""
        return [()] * (1 + len(self.variants))

    def rows(self) -> list[tuple[str, ...]]:
        """One row for each variant, the recipe's own first."""
        mean, half = mean_and_half(self.trials.kept)
        metric, _ = mean_and_half(self.trials.metric)
        change, reach = mean_and_half(self.differences)
        loss, beside = (n.replace("_", " ") for n in (self.trials.name, self.trials.metric_name))
        extra = self.extra()
        found = [(self.what, loss, "±", "against own", "±", beside, "parameters", *extra[0], "")]
        for v, variant in enumerate(self.variants):
            own = v == 0
            against = ("", "") if own else (number(change[v]), number(reach[v]))
            cells = (number(mean[v]), number(half[v]), *against, number(metric[v]))
            size = f"{int(self.parameters[v]):,}"
            found.append((variant.name, *cells, size, *extra[v + 1], self._mark(v)))
        return found

    def _mark(self, v: int) -> str:
        advised = v == self.best and self.changes
        return "advised" if advised else "own" if v == 0 else "best" if v == self.best else ""

    def picture(self, figure: "Figure") -> None:
        """Loss of each variant, with its interval."""
        axes = figure.add_subplot()
        self.draw_losses(axes)
        seeds = self.trials.kept.shape[1]
        axes.set_title(f"{self.what}: {seeds} seeds, {self.epochs} epochs each")

    def draw_losses(self, axes: "Axes") -> None:
        """The mean loss of each variant with its interval, and every seed."""
        mean, half = mean_and_half(self.trials.kept)
        kept = np.where(np.isfinite(self.trials.kept), self.trials.kept, np.nan)
        shown = np.where(np.isfinite(mean), mean, np.nan)
        marks = {"advised": GREEN, "own": GREY}
        colours = [marks.get(self._mark(v), BLUE) for v in range(len(self.variants))]
        names, least = [variant.name for variant in self.variants], self.before.loss.least
        bars(axes, names, shown, half, colours, least)
        for seed in range(kept.shape[1]):
            axes.plot(kept[:, seed], range(len(kept)), ".", color=BLUE, alpha=0.35, markersize=4)
        axes.axvline(shown[0], color=GREY, linewidth=0.8, linestyle="--")
        axes.set_xlabel(f"{self.trials.name.replace('_', ' ')}, mean and 95 % interval")


class Found(NamedTuple):
    """What a comparison found, before it is put into words; fields as in ``Comparison``."""

    variants: tuple[Variant, ...]
    trials: Trials
    parameters: Numbers
    best: int
    confirmation: Confirmation
    epochs: int
    recipe: Recipe
    reason: str
    seconds: float


def compare(
    recipe: Recipe,
    variants: Sequence[Variant],
    data: Data,
    line: Progress,
    seeds: int,
    epochs: int | None,
    words: Callable[[Variant], str],
) -> Found:
    """Train the recipe and its variants; confirm the best of them on fresh seeds.

    Args:
        words: says what a variant does, for the reason.
    """
    began = monotonic()
    shape = recipe.prepare(data).inputs.out_shape
    rows = len(recipe.prepare(data).parts.train)
    base = short(recipe, -(-rows // recipe.rows_per_batch(rows)), STEPS, epochs)
    every = (Variant("own", recipe), *variants)
    shortened = [one.recipe.replace(epochs=base.epochs) for one in every]
    line.say(f"{len(every)} variants x {seeds} seeds, {base.epochs} epochs each")
    trials = train(shortened, data, range(seeds), line)
    mean = trials.kept.mean(axis=1)
    best = int(mean.argmin())
    confirmation = NONE
    if best:
        line.say(f"the best, {every[best].name}, beside the recipe on fresh seeds")
        pair, fresh = [shortened[0], shortened[best]], range(seeds, 2 * seeds)
        confirmation = confirm(train(pair, data, fresh, line))
    advised = every[best].recipe if confirmation.better else recipe
    parameters = np.array([one.recipe.net.parameter_count(shape) for one in every])
    reason = _reason(every[best], best, trials.name, confirmation, words)
    return Found(every, trials, parameters, best, confirmation, base.epochs, advised, reason,
                 monotonic() - began)  # fmt: skip


def confirm(trials: Trials) -> Confirmation:
    """What the trials of a recipe and of one variant say about their difference.

    A variant that trains where the recipe does not is better by any measure.
    """
    own, other = trials.kept
    if not np.isfinite(own).all():
        fine = np.isfinite(other).all()
        change = -math.inf if fine else math.nan
        return Confirmation(np.full(len(own), change), change, 0.0)
    differences = other - own
    mean, half = mean_and_half(differences)
    return Confirmation(differences, float(mean), float(half))


def _reason(
    best: Variant, place: int, name: str, found: Confirmation, words: Callable[[Variant], str]
) -> str:
    loss = name.replace("_", " ")
    if place == 0:
        return f"No variant has a lower mean {loss} than the recipe's own."
    if math.isinf(found.mean):
        return f"{words(best)} trains in every seed, the recipe does not."
    seeds = len(found.differences)
    change = f"{number(found.mean)} ± {number(found.half, 2)}"
    measured = f"changes the {loss} by {change} over {seeds} fresh seeds"
    if found.better:
        return f"{words(best)} {measured}."
    return f"{words(best)} is best on the first seeds but {measured}: not surely better."


def check_some(variants: Sequence[Variant], what: str, remedy: str) -> None:
    """Whether there is anything to compare.

    Raises:
        RecipeError: no variants.
    """
    if not variants:
        raise RecipeError(
            f"advice on the {what}",
            required="a network that has variants",
            got="one that has none",
            remedy=remedy,
        )
