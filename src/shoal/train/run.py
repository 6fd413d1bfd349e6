"""Run: what a training gives back."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import Data
from shoal.data.preparation import Prepared
from shoal.errors import DataError
from shoal.metrics import Metric
from shoal.recipe import Recipe
from shoal.train.cost import signals_cost
from shoal.train.firstbad import FirstBad, first_bad
from shoal.train.member import Status
from shoal.train.model import Model
from shoal.train.outcome import Failing, Outcome
from shoal.train.record import Record


@dataclass(eq=False)
class Run:
    """One training: a network, or an ensemble of K that differ in their seed.

    Attributes:
        recipe: of the first member.
        model: the trained networks; predicts on raw data.
        record: what happened, (E, K) for each quantity.
        reasons: why each member stopped.
        epochs, best_epochs, start_epochs: of each member; see ``Outcome``.
        seconds: that the training took, compilation included.
        folder: where it is kept, or None.
        test_looks: how often the test split was looked at.
        failing: the last finite state of each member that died, else None.
        signals: their level.
    """

    recipe: Recipe
    model: Model
    record: Record
    reasons: tuple[Status, ...]
    epochs: tuple[int, ...]
    best_epochs: tuple[int, ...]
    start_epochs: tuple[int, ...]
    seconds: float
    folder: Path | None
    prepared: Prepared
    test_looks: int = 0
    failing: tuple[Failing | None, ...] = ()
    signals: str = "none"

    @staticmethod
    def of(
        outcomes: list[Outcome],
        prepared: Prepared,
        seconds: float,
        folder: Path | None,
        signals: str = "none",
    ) -> "Run":
        """The run of the outcomes of its members."""
        together = [(o.parameters, o.statistics) for o in outcomes]
        parameters, statistics = jax.tree.map(lambda *leaves: np.stack(leaves), *together)
        recipes = tuple(o.recipe for o in outcomes)
        return Run(
            recipe=recipes[0],
            model=Model(recipes, parameters, statistics, prepared.inputs, prepared.targets),
            record=Record.of([o.history for o in outcomes]),
            reasons=tuple(o.status for o in outcomes),
            epochs=tuple(o.epochs for o in outcomes),
            best_epochs=tuple(o.best_epoch for o in outcomes),
            start_epochs=tuple(o.start_epoch for o in outcomes),
            seconds=seconds,
            folder=folder,
            prepared=prepared,
            failing=tuple(o.failing for o in outcomes),
            signals=signals,
        )

    @cached_property
    def first_bad(self) -> FirstBad | None:
        """Where the first member that died stopped being finite; None where none did.

        The step is repeated from the last finite state; see ``shoal.train.firstbad``.
        """
        for k, failing in enumerate(self.failing):
            if failing is not None:
                recipe, began = self.model.recipes[k], self.start_epochs[k]
                return first_bad(recipe, self.prepared, failing, began, k)
        return None

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics of the recipe on its task."""
        return self.recipe.metrics_for(self.prepared.data.task)

    @property
    def final(self) -> dict[str, float]:
        """The last row of the record, averaged over members: of the best epoch where it is kept."""
        found = {}
        for name, values in self.record.items():
            kept = [values[row, k] for k, row in enumerate(self._kept_rows()) if row >= 0]
            found[name] = float(np.mean(kept)) if kept else float("nan")
        return found

    def _kept_rows(self) -> list[int]:
        rule = self.recipe.early_stopping
        restored = rule is not None and rule.restore_best
        pairs = zip(self.epochs, self.best_epochs, strict=True)
        return [(best if restored and best else last) - 1 for last, best in pairs]

    def signals_cost(self, seconds: float = 0.5) -> float | None:
        """The share of the training's time that reading its signals takes, measured now.

        Throw-away members train on the same data, in turn with readings and without.

        Args:
            seconds: that measuring may take, roughly.

        Returns:
            a share, 0.01 for one percent; None where nothing was read, or the time does not
            suffice for a few epochs.
        """
        if self.signals == "none":
            return None
        return signals_cost(self.model.recipes, self.prepared, self.signals, seconds)

    def predict(self, inputs: Any) -> Numbers:
        """Class names or values for raw inputs; see ``Model.predict``."""
        return self.model.predict(inputs)

    def predict_proba(self, inputs: Any) -> Numbers:
        """Probabilities of the classes; see ``Model.predict_proba``."""
        return self.model.predict_proba(inputs)

    def validate(self) -> dict[str, float]:
        """Loss and metrics of the model (of the ensemble, if it is one) on the validation split.

        Raises:
            DataError: the recipe sets no rows aside for validation.
        """
        return self.model.evaluate(self._split("validation"))

    def test(self) -> dict[str, float]:
        """Loss and metrics on the test split. Every look is counted in ``test_looks``.

        A test split that decides anything is a validation split: look once, at the end.

        Raises:
            DataError: the recipe sets no rows aside for a test.
        """
        split = self._split("test")
        self.test_looks += 1
        return self.model.evaluate(split)

    def _split(self, name: str) -> Data:
        rows = getattr(self.prepared.parts, name)
        data = self.prepared.data
        if len(rows) == 0:
            raise DataError(
                f"the {name} split of {data.name}",
                required="at least one row",
                got="none",
                remedy=f"set a share: Preparation(split=Split({name}=0.2))",
            )
        return data.part(rows, name)

    def save(self, path: str | Path) -> Path:
        """Write the model as one file; see ``Model.save``."""
        return self.model.save(path)

    def __repr__(self) -> str:
        what = f"{len(self.reasons)} members, " if len(self.reasons) > 1 else ""
        names = [n for n in self.final if n.startswith("validation_")] or ["train_loss"]
        shown = ", ".join(f"{n} {self.final[n]:.4g}" for n in names)
        reasons = sorted({reason.sentence for reason in self.reasons})
        epochs = f"{max(self.epochs)} epochs"
        return f"Run({what}{epochs}, {shown}; {'; '.join(reasons)}; {self.seconds:.1f} s)"
