"""The batch size: speed measured, memory predicted and tried, noise of the gradient, epochs needed.

For every size of a grid:

    examples/s       one network alone, measured on whole epochs after one to warm up
    memory           what the compiler predicts for the program; the two largest sizes give the
                     line on which the largest lies that fits into free memory; what is measured
                     has been run, which confirms it that far
    epochs to loss   trained with several seeds at three rates: the recipe's, and that times the
                     root and the full ratio of the sizes; the one that reaches it first counts
    seconds to loss  epochs x rows / (examples/s)

The loss to reach is by default that of the recipe's own size after nine tenths of its gain. The
noise of the gradient (see ``noise``) is measured along a training at the recipe's own size and
gives the critical size. Advised is the size that takes the fewest seconds among those that come to
a loss that is not worse; the recipe's own where that saves less than a tenth.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import Data
from shoal.data.preparation import Prepared
from shoal.doctor.advise.advice import Advice
from shoal.doctor.advise.noise import Noise, gradient_noise
from shoal.doctor.advise.trials import Trials, mean_and_half, short, train
from shoal.doctor.words import number
from shoal.drawing import BLUE, GREEN, GREY, ORANGE
from shoal.recipe import FULL, Recipe
from shoal.train.devices import memory_budget
from shoal.train.feed import Streamed, load
from shoal.train.pool import Pool
from shoal.train.progress import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS = 2000
SMALLEST = 8
EACH = 4
"""Ratio of one size to the next; 2 when every size is asked for."""

SECONDS = 0.04
"""For how long speed is measured, in each of ``TURNS``; the fastest counts."""

TURNS = 5

REACHED = 0.9
SAVES = 0.9
"""Share of the seconds of the recipe's own size below which another is worth a change."""


class Size(NamedTuple):
    """What one batch size costs and gives.

    Attributes:
        size: examples in a batch.
        speed: examples a second of one network, NaN where it could not run.
        bytes: predicted for training one network.
        rate: the learning rate that served it best.
        epochs: (R,) to the loss, inf where it was not reached.
        kept: (R,) the loss kept at the end; metric: (R,) the first metric beside it.
    """

    size: int
    speed: float
    bytes: int
    rate: float
    epochs: Numbers
    kept: Numbers
    metric: Numbers

    def seconds(self, rows: int) -> float:
        """Seconds of one network to the loss, mean over seeds."""
        return float(self.epochs.mean()) * rows / self.speed


@dataclass(frozen=True, eq=False, kw_only=True)
class BatchAdvice(Advice):
    """What batch sizes cost and give.

    Attributes:
        sizes: in order; own: the recipe's.
        rows: of the training split.
        loss: that is to be reached; loss_name: of what.
        noise: (epoch, ``Noise``) along a training at the recipe's own size.
        critical: median of the noise scale over these: the critical batch size; inf where the
            noise hides the gradient.
        limit: the largest size that fits into the free memory, predicted; budget: that memory.
        confirmed: the largest size that was run.
        epochs: limit of each training.
    """

    what: ClassVar[str] = "batch size"
    size: ClassVar[tuple[float, float]] = (13.0, 3.8)

    sizes: tuple[Size, ...]
    own: int
    rows_: int
    loss: float
    loss_name: str
    noise: tuple[tuple[int, Noise], ...]
    critical: float
    limit: int
    budget: int
    confirmed: int
    epochs: int

    def rows(self) -> list[tuple[str, ...]]:
        """One row for each size."""
        head = ("size", "examples/s", "MiB", "rate", f"epochs to {number(self.loss, 3)}", "steps",
                "seconds", self.loss_name, "±", "")  # fmt: skip
        found: list[tuple[str, ...]] = [head]
        advised = self.recipe.rows_per_batch(self.rows_)
        for one in self.sizes:
            mean, half = mean_and_half(one.kept)
            epochs = float(one.epochs.mean())
            steps = epochs * math.ceil(self.rows_ / one.size)
            mark = "advised" if one.size == advised and self.changes else ""
            mark = "own" if one.size == self.own else mark
            cells = (epochs, steps, one.seconds(self.rows_), float(mean), float(half))
            found.append((
                str(one.size), f"{one.speed:,.0f}", f"{one.bytes / 2**20:.1f}",
                f"{one.rate:.3g}", *map(number, cells), mark,
            ))  # fmt: skip
        return found

    def picture(self, figure: "Figure") -> None:
        """Speed, epochs and seconds by size."""
        panels = figure.subplots(1, 3)
        sizes = [one.size for one in self.sizes]
        panels[0].plot(sizes, [one.speed for one in self.sizes], "o-", color=BLUE)
        panels[0].set_title("examples a second, measured")
        panels[1].plot(sizes, [one.epochs.mean() for one in self.sizes], "o-", color=BLUE)
        for one in self.sizes:
            panels[1].plot([one.size] * len(one.epochs), one.epochs, ".", color=BLUE, alpha=0.4)
        panels[1].set_title(f"epochs to a {self.loss_name} of {number(self.loss, 3)}")
        panels[2].plot(sizes, [one.seconds(self.rows_) for one in self.sizes], "o-", color=BLUE)
        panels[2].set_title("seconds to that loss")
        advised = self.recipe.rows_per_batch(self.rows_)
        for axes in panels:
            axes.set_xscale("log")
            axes.set_xticks(sizes, [str(size) for size in sizes])
            axes.minorticks_off()
            axes.set_ylim(bottom=0)
            axes.set_xlabel("batch size")
            axes.axvline(self.own, color=GREY, linestyle=":", label=f"own {self.own}")
            if self.changes:
                axes.axvline(advised, color=GREEN, label=f"advised {advised}")
            if sizes[0] <= self.critical <= 4 * sizes[-1]:
                label = f"critical {number(self.critical, 3)}"
                axes.axvline(self.critical, color=ORANGE, linestyle="--", label=label)
        panels[0].legend(frameon=False)


def advise_batch_size(
    recipe: Recipe,
    data: Data,
    line: Progress,
    seeds: int = 3,
    epochs: int | None = None,
    every: bool = False,
    sizes: Sequence[int] = (),
    loss: float | None = None,
) -> BatchAdvice:
    """Measure what batch sizes cost and give.

    Args:
        every: sizes at every power of two instead of every power of four.
        sizes: to try; empty for a grid up to the whole training split.
        loss: that is to be reached; None for nine tenths of the gain at the recipe's own size.
    """
    began = monotonic()
    prepared = recipe.prepare(data)
    rows = len(prepared.parts.train)
    own = recipe.rows_per_batch(rows)
    base = short(recipe, -(-rows // own), STEPS, epochs)
    wanted = sorted({own, *(sizes or grid(rows, 2 if every else EACH))})
    wanted = [size for size in wanted if 1 <= size <= rows]
    measured = [_measure(_sized(base, size, rows), prepared, line) for size in wanted]
    limit, budget = _limit(wanted, measured, _budget(base, prepared))
    noise = _noise_along(base, prepared, line)
    scales = [one.scale for _, one in noise]
    rates = [_rates(base, size / own) for size in wanted]
    variants = [
        _sized(base, size, rows).edit({"optimiser.learning_rate": rate})
        for size, some in zip(wanted, rates, strict=True)
        for rate in some
    ]
    line.say(f"{len(wanted)} sizes, {len(variants)} rates x {seeds} seeds, {base.epochs} epochs")
    trials = train(variants, data, range(seeds), line)
    places = np.cumsum([0, *map(len, rates)])
    target = loss if loss is not None else _target(trials, places, wanted.index(own))
    found = tuple(
        _size(size, *measured[k], some, trials, slice(places[k], places[k + 1]), target)
        for k, (size, some) in enumerate(zip(wanted, rates, strict=True))
    )
    confirmed = max((one.size for one in found if math.isfinite(one.speed)), default=own)
    chosen = _choose(found, own, rows)
    advised = _sized(recipe, chosen.size, rows) if chosen.size != own else recipe
    if chosen.size != own and chosen.rate != float(recipe.optimiser.learning_rate):
        advised = advised.edit({"optimiser.learning_rate": chosen.rate})
    critical = float(np.median(scales))
    reason = _reason(found, own, chosen, rows, critical, limit, confirmed)
    return BatchAdvice(
        before=recipe, recipe=advised, reason=reason, seconds=monotonic() - began, sizes=found,
        own=own, rows_=rows, loss=target, loss_name=trials.name.replace("_", " "), noise=noise,
        critical=critical, limit=limit, budget=budget, confirmed=confirmed, epochs=base.epochs,
    )  # fmt: skip


def grid(rows: int, each: int) -> list[int]:
    """Sizes from ``SMALLEST`` on, each so many times the one before, and all rows.

    >>> grid(1000, 4)
    [8, 32, 128, 512, 1000]
    """
    sizes = []
    size = SMALLEST
    while size < rows:
        sizes.append(size)
        size *= each
    return [*sizes, rows]


def _sized(recipe: Recipe, size: int, rows: int) -> Recipe:
    return recipe.replace(batch_size=FULL if size == rows else size)


def _rates(recipe: Recipe, ratio: float) -> list[float]:
    """The rates to try at a size that is so many times the recipe's own."""
    own = float(recipe.optimiser.learning_rate)
    if recipe.optimiser.searches or ratio == 1:
        return [own]
    return [own, *(float(f"{own * factor:.2g}") for factor in (math.sqrt(ratio), ratio))]


def _measure(recipe: Recipe, prepared: Prepared, line: Progress) -> tuple[float, int]:
    """Examples a second of one network, and the bytes predicted; NaN where these are too many.

    The rate is 0: the work is the same, and weights that stay where they are cannot diverge.
    """
    still = recipe.edit({"optimiser.learning_rate": 0.0})
    pool = Pool(still.replace(epochs=10**6, early_stopping=None, convergence=None), prepared, 1)
    needed = 0 if isinstance(pool.feed, Streamed) else pool.bytes_needed()
    line.say(f"batch size {pool.work.batch}: {needed / 2**20:.1f} MiB predicted")
    if needed > memory_budget(pool.mesh):
        return math.nan, needed
    pool.place({0: pool.template})
    pool.run(1)
    one = _timed(pool, 1)
    count = max(1, min(pool.room, int(SECONDS / one)))
    best = min(_timed(pool, count) for _ in range(TURNS))
    return count * pool.work.rows / best, needed


def _timed(pool: Pool, epochs: int) -> float:
    began = perf_counter()
    pool.run(epochs)
    return perf_counter() - began


def _budget(recipe: Recipe, prepared: Prepared) -> int:
    return memory_budget(Pool(recipe, prepared, 1).mesh)


def _limit(
    sizes: Sequence[int], measured: Sequence[tuple[float, int]], budget: int
) -> tuple[int, int]:
    """The largest size whose predicted bytes fit, along the line through the two largest."""
    if len(sizes) < 2:
        return sizes[-1], budget
    (a, b), (low, high) = sizes[-2:], (measured[-2][1], measured[-1][1])
    slope = max((high - low) / (b - a), 1.0)
    return max(1, int(b + (budget - high) / slope)), budget


def _noise_along(
    recipe: Recipe, prepared: Prepared, line: Progress
) -> tuple[tuple[int, Noise], ...]:
    """The noise at the start, after an epoch, at a quarter, half and the end of a training."""
    pool = Pool(recipe, prepared, 1)
    pool.place({0: recipe})
    alone = replace(pool.work, devices=None)
    data = load(prepared, prepared.parts.train, alone)
    last = recipe.epochs
    points = sorted({0, 1, last // 4, last // 2, last})
    found, done = [], 0
    for point in points:
        while done < point:
            done += next(iter(pool.run(min(point - done, pool.room)).values())).shape[1]
        member = pool.member(0)
        one = gradient_noise(recipe, member.parameters, member.statistics, data, alone)
        found.append((point, one))
        line.say(f"gradient noise scale after {point} epochs: {_or_inf(one.scale)}")
    return tuple(found)


def _target(trials: Trials, places: Numbers, own: int) -> float:
    """The loss of the recipe's own size after nine tenths of its gain."""
    curves = trials.watched[places[own]]
    first, last = float(np.nanmean(curves[:, 0])), float(np.nanmin(np.nanmean(curves, axis=0)))
    level = float(np.nanmean(trials.train[:, :, 0])) if first <= last else first
    return last + (1 - REACHED) * (level - last)


def _size(
    size: int,
    speed: float,
    needed: int,
    rates: Sequence[float],
    trials: Trials,
    where: slice,
    target: float,
) -> Size:
    """One size at the rate that serves it best: that reaches the loss, and soonest."""
    epochs = _epochs_to(trials.watched[where], target)
    means = [float(mean) for mean in epochs.mean(axis=1)]
    kept = trials.kept[where].mean(axis=1)
    best = min(range(len(rates)), key=lambda k: (means[k], kept[k]))
    at = where.start + best
    return Size(size, speed, needed, rates[best], epochs[best], trials.kept[at], trials.metric[at])


def _epochs_to(curves: Numbers, target: float) -> Numbers:
    """(V, R) the first epoch, counted from 1, at which a curve (V, R, E) is at or below a loss."""
    with np.errstate(invalid="ignore"):
        there = curves <= target
    return np.where(there.any(axis=2), there.argmax(axis=2) + 1.0, np.inf)


def _choose(sizes: Sequence[Size], own: int, rows: int) -> Size:
    """The fastest size that ends no worse than the recipe's own."""
    mine = next(one for one in sizes if one.size == own)
    fine = [one for one in sizes if not _worse(one, mine) and math.isfinite(one.seconds(rows))]
    best = min(fine, key=lambda one: one.seconds(rows), default=mine)
    saves = best.seconds(rows) < SAVES * mine.seconds(rows)
    return best if saves else mine


def _worse(one: Size, mine: Size) -> bool:
    """Whether a size ends at a loss that is higher by more than the noise of the seeds."""
    with np.errstate(invalid="ignore"):
        difference = one.kept - mine.kept
    if not np.isfinite(difference).all():
        return not np.isfinite(one.kept).all()
    if len(difference) < 2:
        return bool(difference.mean() > 0)
    error = difference.std(ddof=1) / math.sqrt(len(difference))
    return bool(difference.mean() > error)


def _reason(
    sizes: Sequence[Size],
    own: int,
    chosen: Size,
    rows: int,
    critical: float,
    limit: int,
    confirmed: int,
) -> str:
    mine = next(one for one in sizes if one.size == own)
    if chosen.size == own:
        first = f"No size comes to the loss in less than {SAVES:g} of the time without ending worse"
    else:
        first = (
            f"{chosen.size} comes to the loss in {number(chosen.seconds(rows), 3)} s, {own} in "
            f"{number(mine.seconds(rows))} s, and ends no worse"
        )
    lost = _or_inf(critical)
    fits = f"memory allows {limit:,} predicted, {confirmed:,} run"
    return f"{first}; the gradient noise scale, the critical size, is {lost}; {fits}."


def _or_inf(scale: float) -> str:
    return "inf" if math.isinf(scale) else number(scale, 3)
