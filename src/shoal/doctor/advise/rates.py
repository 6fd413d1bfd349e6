"""The learning rate: many rates, each a short real training with several seeds, in one pool.

A ramp of the rate within one training (the range test of Smith 2015, arXiv:1506.01186) confounds
the rate with the age of the training, and ends at the first loss that is not finite. Here every
rate trains alone, from the same weights on the same batches; the rate is a traced number, so all of
them are one compiled program, and one that diverges is frozen and flagged.

    loss before training  L0: the training loss of the first epoch at the lowest rate
    unstable              above the best rate: not finite, or less than half of what the best rate
                          gained on L0, or a validation loss above L0
    good                  beside the best, all seeds stable, and the loss at most the best plus the
                          larger of its standard error and 2 % of the gain
    advised               the middle of the good rates, on a log scale: as far as can be from both
                          ends; the recipe's own rate where it is good

Short trainings favour rates that are fast at once (Wu et al. 2018, arXiv:1803.02021): ``epochs``
makes them longer.
"""

import math
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import Data
from shoal.doctor.advise.advice import Advice
from shoal.doctor.advise.trials import Trials, mean_and_half, short, train
from shoal.doctor.words import number
from shoal.drawing import BLUE, GREEN, GREY, ORANGE, plain_log
from shoal.errors import RecipeError
from shoal.optim import Rprop
from shoal.recipe import Recipe
from shoal.train.progress import Progress

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINTS = 24
DECADES = 3.0
"""The rates reach so many decades below and above the usual rate of the optimiser."""

STEPS = 600
"""Steps of a short training, where no epochs are asked for."""

LOST = 0.5
"""Share of the gain of the best rate below which a higher rate counts as unstable."""

AS_GOOD = 0.02
"""Share of that gain within which a loss is as good as the best."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RateAdvice(Advice):
    """How a recipe trains at many rates.

    Attributes:
        rates: (V,) in order.
        trials: of every rate and seed.
        level: L0, the training loss before training.
        unstable: (V, R) whether a training diverged or lost what others gain.
        good: (V,) whether a rate is as good as the best.
        low, high: the ends of the good rates; NaN where no rate learns.
        edge: the lowest rate above the good ones at which a training was unstable; inf for none.
        rate: the one advised.
        epochs: of each training.
    """

    what: ClassVar[str] = "learning rate"

    rates: Numbers
    trials: Trials
    level: float
    unstable: Numbers
    good: Numbers
    low: float
    high: float
    edge: float
    rate: float
    epochs: int

    def rows(self) -> list[tuple[str, ...]]:
        """One row for each rate."""
        mean, half = mean_and_half(self.trials.kept)
        metric, _ = mean_and_half(self.trials.metric)
        name, metric_name = self.trials.name, self.trials.metric_name
        head = ("rate", name.replace("_", " "), "±", metric_name.replace("_", " "), "unstable", "")
        found: list[tuple[str, ...]] = [head]
        for v, rate in enumerate(self.rates):
            bad = (
                f"{self.unstable[v].sum()}/{self.unstable.shape[1]}"
                if self.unstable[v].any()
                else ""
            )
            mark = "advised" if rate == self.rate else "good" if self.good[v] else ""
            cells = (mean[v], half[v], metric[v])
            found.append((f"{rate:.3g}", *map(number, cells), bad, mark))
        return found

    def picture(self, figure: "Figure") -> None:
        """Loss by rate: every seed, the mean, and which rates are good."""
        axes = figure.add_subplot()
        self._draw_losses(axes)
        if self.low == self.low:
            axes.axvspan(self.low, self.high, color=GREEN, alpha=0.12, label="good")
            axes.axvline(self.rate, color=GREEN, label=f"advised {self.rate:.3g}")
        own = float(self.before.optimiser.learning_rate)
        if own != self.rate:
            axes.axvline(own, color=GREY, linestyle=":", label=f"of the recipe {own:.3g}")
        if self.edge < math.inf:
            axes.axvspan(self.edge, self.rates[-1], color=ORANGE, alpha=0.12, label="unstable")
        axes.set_xscale("log")
        plain_log(axes.xaxis)
        axes.set_xlabel("learning rate")
        axes.set_ylabel(self.trials.name.replace("_", " "))
        seeds = self.trials.kept.shape[1]
        axes.set_title(f"{len(self.rates)} rates, {seeds} seeds, {self.epochs} epochs each")
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)

    def _draw_losses(self, axes: "Axes") -> None:
        kept = np.where(np.isfinite(self.trials.kept), self.trials.kept, np.nan)
        shown = np.minimum(kept, 3 * self.level)  # what exploded would flatten all else
        for seed in range(kept.shape[1]):
            label = "a seed" if seed == 0 else None
            axes.plot(self.rates, shown[:, seed], ".", color=BLUE, alpha=0.45, label=label)
        with np.errstate(invalid="ignore"):
            mean = np.where(np.isfinite(kept).all(axis=1), shown.mean(axis=1), np.nan)
        axes.plot(self.rates, mean, color=BLUE, label="mean")
        dead = ~np.isfinite(kept).all(axis=1)
        top = 1.05 * np.nanmax(shown) if np.isfinite(shown).any() else 1.0
        places = self.rates[dead]
        axes.plot(places, np.full(len(places), top), "x", color=ORANGE, label="not finite")
        axes.axhline(self.level, color=GREY, linewidth=0.8, linestyle="--", label="untrained")


def advise_rate(
    recipe: Recipe,
    data: Data,
    line: Progress,
    seeds: int = 3,
    epochs: int | None = None,
    every: bool = False,
) -> RateAdvice:
    """Try many rates and say which are good.

    Args:
        every: twice as many rates.

    Raises:
        RecipeError: an optimiser whose steps do not depend on its rate.
    """
    began = monotonic()
    _check(recipe)
    rates = grid(recipe, POINTS * (1 + every))
    steps = -(-len(recipe.prepare(data).parts.train) // _batch(recipe, data))
    base = short(recipe, steps, STEPS, epochs)
    variants = [base.edit({"optimiser.learning_rate": float(rate)}) for rate in rates]
    trials = train(variants, data, range(seeds), line)
    return judge(recipe, rates, trials, base.epochs, monotonic() - began)


def _batch(recipe: Recipe, data: Data) -> int:
    return recipe.rows_per_batch(len(recipe.prepare(data).parts.train))


def _check(recipe: Recipe) -> None:
    if recipe.optimiser.searches or isinstance(recipe.optimiser, Rprop):
        raise RecipeError(
            "advice on the learning rate",
            required="an optimiser whose steps are in proportion to its rate",
            got=repr(recipe.optimiser),
            remedy="ask for other advice, or use Adam or SGD",
        )


def grid(recipe: Recipe, points: int) -> Numbers:
    """Rates about the optimiser's usual one, evenly on a log scale, the recipe's own among them."""
    usual = float(type(recipe.optimiser)().learning_rate)
    own = float(recipe.optimiser.learning_rate)
    low, high = math.log10(usual) - DECADES, math.log10(usual) + DECADES
    if own > 0:
        low, high = min(low, math.log10(own) - 0.5), max(high, math.log10(own) + 0.5)
    rates = np.array([float(f"{rate:.2g}") for rate in np.logspace(low, high, points)])
    if own > 0:  # the grid point next to it becomes it
        rates[np.abs(np.log(rates / own)).argmin()] = own
    return rates


def judge(
    recipe: Recipe, rates: Numbers, trials: Trials, epochs: int, seconds: float
) -> RateAdvice:
    """What trials at these rates say (the rules are those of the module)."""
    level = _level(trials)
    last = _last(trials.train)
    finite = np.where(trials.finite & np.isfinite(last), last, np.inf)
    gain = level - finite.mean(axis=1).min()
    unstable = ~trials.finite | (finite > level - LOST * gain) | ~(trials.kept <= level)
    mean = np.where(trials.finite.all(axis=1), trials.kept.mean(axis=1), np.inf)
    common: dict[str, Any] = {
        "before": recipe,
        "rates": rates,
        "trials": trials,
        "level": level,
        "epochs": epochs,
    }
    common["seconds"] = seconds
    if not gain > 0 or not np.isfinite(mean).any():
        nothing = "no rate lowers the loss in all seeds: something other than the rate is wrong"
        none = np.zeros(len(rates), bool)
        nan, own = math.nan, float(recipe.optimiser.learning_rate)
        return RateAdvice(**common, recipe=recipe, reason=nothing, unstable=unstable, good=none,
                          low=nan, high=nan, edge=math.inf, rate=own)  # fmt: skip
    best = int(mean.argmin())
    # A rate too low to move has not gained either: only above the best does it mean unstable.
    unstable[: best + 1] = ~trials.finite[: best + 1]
    good = _good(mean, trials.kept[best], best, gain)
    low, high = rates[good][0], rates[good][-1]
    above = [rate for v, rate in enumerate(rates) if rate > high and unstable[v].any()]
    edge = min(above, default=math.inf)
    rate = _advised(recipe, rates, good)
    advised = recipe.edit({"optimiser.learning_rate": rate})
    reason = _reason(rates[best], mean[best], trials, (low, high, edge, rate))
    return RateAdvice(**common, recipe=advised, reason=reason, unstable=unstable, good=good,
                      low=float(low), high=float(high), edge=float(edge), rate=rate)  # fmt: skip


def _level(trials: Trials) -> float:
    """L0: the loss of the first epoch at the lowest rate that finished one."""
    first = trials.train[:, :, 0]
    known = [float(row[np.isfinite(row)].mean()) for row in first if np.isfinite(row).any()]
    return known[0] if known else math.nan


def _last(curves: Numbers) -> Numbers:
    """(V, R) the last loss of each curve (V, R, E); inf where there is none."""
    found = np.full(curves.shape[:2], np.inf)
    for epoch in range(curves.shape[2]):
        found = np.where(np.isfinite(curves[:, :, epoch]), curves[:, :, epoch], found)
    return found


def _good(mean: Numbers, best_kept: Numbers, best: int, gain: float) -> Numbers:
    """(V,) the rates without a gap about the best that are as good as it."""
    error = float(best_kept.std(ddof=1) / math.sqrt(len(best_kept))) if len(best_kept) > 1 else 0.0
    enough = mean <= mean[best] + max(error, AS_GOOD * gain)
    good = np.zeros(len(mean), bool)
    for step in (1, -1):
        place = best
        while 0 <= place < len(mean) and enough[place]:
            good[place] = True
            place += step
    return good


def _advised(recipe: Recipe, rates: Numbers, good: Numbers) -> float:
    own = float(recipe.optimiser.learning_rate)
    if own in rates[good]:
        return own
    middle = math.sqrt(rates[good][0] * rates[good][-1])
    return float(rates[good][np.abs(np.log(rates[good] / middle)).argmin()])


def _reason(
    best: float, loss: float, trials: Trials, ends: tuple[float, float, float, float]
) -> str:
    low, high, edge, rate = ends
    name = trials.name.replace("_", " ")
    about = f"The best {name} of {len(trials.kept)} rates is {number(loss)} at {number(best, 3)}"
    within = f"rates from {number(low, 3)} to {number(high, 3)} are as good"
    if math.isinf(edge):
        return f"{about}; {within}; none of those tried above them is unstable."
    return (
        f"{about}; {within}; training is unstable from {number(edge, 3)} on, "
        f"{number(edge / rate, 3)} times the advised rate."
    )
