"""Study: what a search gives back."""

import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from shoal.data.dataset import Data
from shoal.errors import RecipeError
from shoal.recipe import Recipe
from shoal.train.model import Model
from shoal.train.run import Run
from shoal.tune import account, protocol, states
from shoal.tune.lineage import Lineage
from shoal.tune.protocol import Arm, Candidate

if TYPE_CHECKING:
    import polars as pl

    from shoal.tune.nested import Nested


@dataclass(eq=False)
class Study:
    """A search that has ended.

    Attributes:
        space: what was searched; data: on what.
        optuna: the study underneath, in memory.
        candidates: the trials that were trained again, best first.
        winner, default: the winner and the default recipe, trained with fresh seeds.
        compilations: training programs compiled; wasted: share of the slot-chunks that stood empty
            while trials remained; seconds: that all took.
        test_looks: how often the test split was read.
        folder: where things are kept, or None.
        nested: the searches of the outer folds, where there are any.
    """

    space: Recipe
    data: Data
    optuna: optuna.Study
    candidates: tuple[Candidate, ...]
    winner: Arm
    default: Arm
    compilations: int
    wasted: float
    seconds: float
    folder: Path | None = None
    test_looks: int = field(default=0)
    nested: "Nested | None" = None

    @property
    def recipe(self) -> Recipe:
        """The recipe that won, with the seed of the space."""
        return self.winner.recipe

    @property
    def run(self) -> Run:
        """The training of ``best``: ``fit(run.recipe, data, start_epoch=...)`` repeats it."""
        return self.winner.runs[0]

    @property
    def best(self) -> Model:
        """The winner trained with the first fresh seed."""
        return self.run.model

    @property
    def values(self) -> dict[str, Any]:
        """What the winner chose, by the names of ``space.parameters``."""
        number = self.candidates[0].number
        trials = self.optuna.get_trials(deepcopy=False)
        return next(dict(t.params) for t in trials if t.user_attrs.get("trial") == number)

    @property
    def verdict(self) -> str:
        """Whether tuning helped, in a sentence."""
        return protocol.verdict(self.winner, self.default)

    def table(self) -> str:
        """Winner and default recipe with fresh seeds: validation, and the one look at the test."""
        return protocol.table({"winner": self.winner, "default": self.default})

    def frame(self) -> "pl.DataFrame":
        """The trials as a polars frame: number, state, value, parameters, reason.

        States are "complete", "pruned", "fail", and "not begun" when the time was up before.
        """
        import polars as pl

        names = self.space.parameters.names
        rows = [
            {
                "trial": trial.user_attrs["trial"],
                "state": states.state(trial),
                "value": trial.value,
                **{name: _plain(trial.params.get(name)) for name in names},
                "reason": trial.user_attrs.get("reason", ""),
            }
            for trial in self.optuna.get_trials(deepcopy=False)
            if trial.state.is_finished()
        ]
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        return pl.DataFrame({n: pl.Series(n, v, strict=False) for n, v in columns.items()})

    def repeat(self, number: int) -> tuple[Recipe, int]:
        """The recipe of the first member of a trial, and the global epoch at which it began.

        ``fit(recipe, data, start_epoch=epoch)`` gives the same losses.

        Raises:
            RecipeError: no such trial, one that was never trained, or one that has inherited.
        """
        trial = self._trained(number)
        if len(trial.user_attrs.get("lineage", ())) > 1:
            raise RecipeError(
                f"trial {number}",
                required="the same values from its first step on",
                got="others inherited from another network",
                remedy=f"use study.lineage({number}).fit(data)",
            )
        seed, epoch = trial.user_attrs["seeds"][0], trial.user_attrs["start_epochs"][0]
        return self.space.at(trial.params).replace(seed=seed), max(0, epoch)

    def lineage(self, number: int | None = None) -> Lineage:
        """The values that the network of a trial was trained with, one after another.

        Args:
            number: of the trial; None for the winner.

        Raises:
            RecipeError: no such trial, or one that was never trained.
        """
        trial = self._trained(self.candidates[0].number if number is None else number)
        return Lineage.of(self.space, trial, trial.user_attrs["seeds"][0])

    def _trained(self, number: int) -> FrozenTrial:
        for trial in self.optuna.get_trials(deepcopy=False):
            if trial.user_attrs.get("trial") == number and "seeds" in trial.user_attrs:
                return trial
        raise RecipeError(
            f"trial {number}",
            required="a trial that was trained",
            got="none of that number",
            remedy="see study.frame()",
        )

    def importance(self) -> dict[str, float]:
        """The share of each parameter in the variance of the values, by PED-ANOVA.

        {} with fewer than two complete trials.
        """
        complete = self.optuna.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        values = [t.value for t in complete if t.value is not None]
        if len(values) < 2 or np.ptp(values) == 0:
            return {}
        with warnings.catch_warnings():  # of options that were chosen once
            warnings.filterwarnings("ignore", message="Some regimes", category=UserWarning)
            return optuna.importance.get_param_importances(self.optuna)

    def test(self) -> dict[str, float]:
        """Loss and metrics of ``best`` on the test split: one more look, counted and said.

        Raises:
            DataError: the recipe sets no rows aside for a test.
        """
        found = self.run.test()
        self.test_looks += 1
        print(f"look {self.test_looks} at the test split", file=sys.stderr)
        if self.folder is not None:
            account.save(self, self.folder)
        return found

    def save(self, path: str | Path) -> Path:
        """Write ``best`` as one file; see ``Model.save``."""
        return self.best.save(path)

    def draw(self, path: str | Path, kind: str = "history", parameters: Sequence[str] = ()) -> Path:
        """Draw the study: "history", "parallel", "slice", "importance", "contour" or "lineage".

        Args:
            path: of the picture.
            kind: of the picture; "lineage" for a population.
            parameters: two names for "contour"; none for the two most important.

        Raises:
            RecipeError: another kind, or unknown names.
            DataError: too few trials for importances or a contour; no population for lineages.
            FileError: the picture cannot be written.
        """
        from shoal.tune.pictures import draw

        return draw(self, path, kind, parameters)

    def __repr__(self) -> str:
        counts = states.tally(self.optuna.get_trials(deepcopy=False))
        return (
            f"Study({counts}; {self.compilations} compilation{'s' * (self.compilations != 1)}, "
            f"{self.wasted:.1%} of the slots wasted, {self.seconds:.1f} s)\n"
            f"{self.table()}\n{self.verdict}" + (f"\n{self.nested!r}" if self.nested else "")
        )


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float) else str(value)
