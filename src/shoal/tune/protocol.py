"""Protocol: from trials to a result that can be believed.

The best of many noisy trials flatters itself: the more trials, the more luck is in its score. So

    1  the search sees the validation split and nothing else; every trial has seeds of its own, or
       it would find what suits the weights that one seed draws
    2  the best tenth of the trials, at most 8, is trained again with 3 fresh seeds each; the lowest
       mean wins
    3  the winner and the default recipe are trained with seeds that neither search nor re-ranking
       has seen; the table gives the means of both with their 95 % intervals
    4  the test split is read once, for that table, and decides nothing
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from optuna.trial import FrozenTrial, TrialState
from scipy.special import stdtrit  # not scipy.stats, which takes half a second to load

from shoal.arrays import Numbers
from shoal.recipe import Recipe
from shoal.train.run import Run
from shoal.tune.executor import Executor
from shoal.tune.lane import Seat
from shoal.tune.lineage import Lineage

if TYPE_CHECKING:
    from shoal.tune.cluster import Cluster
    from shoal.tune.population import Population
    from shoal.tune.search import Search

SHARE, MOST = 0.1, 8
RERANK_SEEDS = 3
RERANK_FIRST, FINAL_FIRST, TRIAL_FIRST = 1_000, 2_000, 10_000
"""How far seeds of re-ranking, of the final comparison and of trials lie from that of the space."""

LEVEL = 0.95


class Interval(NamedTuple):
    """A mean over seeds and the half width of its 95 % interval, NaN for a single one."""

    mean: float
    half: float

    def __str__(self) -> str:
        half = f" ± {self.half:.2g}" if np.isfinite(self.half) else ""
        return f"{self.mean:.4g}{half}"


def interval(values: Sequence[float] | Numbers) -> Interval:
    """Mean and half width of Student's interval: t · s / √n.

    >>> print(interval([1.0, 2.0, 3.0]))
    2 ± 2.5
    """
    n = len(values)
    half = float("nan")
    if n > 1:
        half = float(stdtrit(n - 1, (1 + LEVEL) / 2) * np.std(values, ddof=1) / np.sqrt(n))
    return Interval(float(np.mean(values)), half)


@dataclass(frozen=True)
class Candidate:
    """A trial that was trained again.

    Attributes:
        number: of the trial; value: in the search; again: mean over fresh seeds.
        recipe: with the seed of the space.
    """

    number: int
    value: float
    again: float
    recipe: Recipe


@dataclass(frozen=True)
class Arm:
    """One recipe trained with fresh seeds.

    Attributes:
        recipe: with the seed of the space; runs: one for each seed.
        validation: (S,) loss of each, in order; test: loss and metrics of each on the test split,
            empty without one.
    """

    recipe: Recipe
    runs: tuple[Run, ...]
    validation: Numbers
    test: tuple[dict[str, float], ...]


def train(executor: "Executor | Cluster", seats: list[Seat]) -> None:
    """Train seats until each has its value or its reason."""
    executor.submit(seats)
    while any(not seat.done for seat in seats):
        executor.advance()


def judge(
    search: "Search | Population", default: Recipe, fresh: int
) -> tuple[list[Candidate], Arm, Arm]:
    """Train the best tenth and the default with fresh seeds.

    All seeds are trained at once, because a pool costs the same whether its slots are full or not.
    Those that decide and those that are shown stay apart.

    Args:
        fresh: S, seeds of the final comparison.

    Returns:
        the candidates, best first by their means over the seeds that decide; the arms of the
        winner and of the default.
    """
    complete = search.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    ordered = sorted(complete, key=lambda trial: (_value(trial), trial.number))
    chosen = ordered[: max(1, min(MOST, round(SHARE * len(ordered))))]
    recipes = [search.space.at(trial.params) for trial in chosen]
    seed = int(default.seed)
    lineages = [Lineage.of(search.space, trial, seed) for trial in chosen]
    deciding = [_deciding(search, lineage) if len(chosen) > 1 else [] for lineage in lineages]
    first = Lineage((0,), ({},), (default,))
    shown = [_shown(lineage, fresh) for lineage in (first, *lineages)]
    search.executor.rewind()
    train(search.executor, [seat for seats in (*deciding, *shown) for seat in seats])
    found = []
    for trial, recipe, seats, final in zip(chosen, recipes, deciding, shown[1:], strict=True):
        again = _mean(seats) if seats else _value(trial)
        found.append((Candidate(_number(trial), _value(trial), again, recipe), final))
    found.sort(key=lambda pair: pair[0].again)
    winner = _arm(search.executor, found[0][0].recipe, found[0][1])
    same = winner.recipe == default
    other = winner if same else _arm(search.executor, default, shown[0])
    return [candidate for candidate, _ in found], winner, other


def _deciding(search: "Search | Population", lineage: Lineage) -> list[Seat]:
    first = int(lineage.recipe.seed) + RERANK_FIRST
    return [
        lineage.seat(fold, seed=first + k) for fold in search.folds for k in range(RERANK_SEEDS)
    ]


def _shown(lineage: Lineage, fresh: int) -> list[Seat]:
    first = int(lineage.recipe.seed) + FINAL_FIRST
    return [lineage.seat(keep=True, seed=first + k) for k in range(fresh)]


def _number(trial: FrozenTrial) -> int:
    return int(trial.user_attrs["trial"])


def _value(trial: FrozenTrial) -> float:
    return float("inf") if trial.value is None else trial.value


def _mean(seats: list[Seat]) -> float:
    """The mean, infinite where one of them failed."""
    return (
        float("inf") if any(s.failed for s in seats) else float(np.mean([s.value for s in seats]))
    )


def _arm(executor: "Executor | Cluster", recipe: Recipe, seats: list[Seat]) -> Arm:
    prepared = executor.prepared(recipe)
    outcomes = [seat.outcome for seat in seats if seat.outcome is not None]
    runs = tuple(Run.of([outcome], prepared, 0.0, None) for outcome in outcomes)
    has_test = len(prepared.parts.test) > 0
    test = tuple(run.test() for run in runs) if has_test else ()
    validation = np.array([seat.value for seat in seats])
    return Arm(recipe, runs, validation, test)


def table(arms: dict[str, Arm]) -> str:
    """The arms as lines of text: validation, then each number on the test split."""
    return lines(rows(arms))


def rows(arms: dict[str, Arm]) -> list[list[str]]:
    """The arms as rows of texts, the first row the headings."""
    first = ["", *_headings(next(iter(arms.values())))]
    return [first, *([name, *map(str, _cells(arm))] for name, arm in arms.items())]


def lines(cells: list[list[str]]) -> str:
    """Rows of texts, one below the other."""
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    found = ("  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) for r in cells)
    return "\n".join(line.rstrip() for line in found)


def _headings(arm: Arm) -> list[str]:
    return ["validation loss", *(f"test {name}" for name in (arm.test[0] if arm.test else ()))]


def _cells(arm: Arm) -> list[Interval]:
    columns: list[Any] = [arm.validation]
    columns += [[one[name] for one in arm.test] for name in (arm.test[0] if arm.test else ())]
    return [interval(column) for column in columns]


def verdict(winner: Arm, default: Arm) -> str:
    """Whether tuning helped, by the differences of the seeds that both were trained with."""
    if winner.recipe == default.recipe:
        return "tuning did not help: nothing was better than the default recipe"
    if not np.isfinite(default.validation).all():
        return "tuning helped: the default recipe diverges"
    change = interval(winner.validation - default.validation)
    share = f"{abs(change.mean / np.mean(default.validation)):.1%}"
    if change.mean < 0 and not np.isfinite(change.half):
        return (
            f"it is not known whether tuning helped: with one fresh seed the validation loss is "
            f"{share} lower ({change}), which luck may be; give more fresh seeds"
        )
    if change.mean + change.half < 0:
        return f"tuning helped: the validation loss is {share} lower ({change})"
    if change.mean < 0:
        return (
            f"it is not sure that tuning helped: the validation loss is {share} lower, but the "
            f"interval holds 0 ({change}); give more fresh seeds, or search longer"
        )
    return (
        f"tuning did not help: with fresh seeds the validation loss is {share} higher than that of "
        f"the default recipe ({change}); use the default, or search longer"
    )
