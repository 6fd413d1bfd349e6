"""Curves: the record of a training as plain series, and the reading of the pair of losses.

Five readings: both fall (still learning), training falls and validation does not (overfitting),
validation falls and training does not (suspect the data), both flat (converged or stuck, told
apart by the level reached), both rise (structure, rate or data).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from shoal.arrays import Numbers

FALLS, FLAT, RISES = "falls", "is flat", "rises"
TREND = 0.03
"""Share of the whole fall of a loss that it must change in the last third to count as moving."""


@dataclass(frozen=True, eq=False)
class Curves:
    """What a record says of the typical member: medians over members.

    Attributes:
        columns: (E,) by name.
        epochs: that were trained; kept: the epoch whose weights are kept, from 1.
        initial: loss of a batch before training; NaN where unknown.
        guess: loss of the best constant outputs; NaN where unknown.
        finite: whether all losses and gradients were finite to the end.
    """

    columns: Mapping[str, Numbers]
    epochs: int
    kept: int
    initial: float = float("nan")
    guess: float = float("nan")
    finite: bool = True

    def series(self, name: str) -> Numbers:
        """A column, empty where the record has none."""
        return self.columns.get(name, np.zeros(0))

    @property
    def train(self) -> Numbers:
        """Training losses."""
        return self.series("train_loss")

    @property
    def validation(self) -> Numbers:
        """Validation losses."""
        return self.series("validation_loss")

    @cached_property
    def trends(self) -> tuple[str, str]:
        """Of training and validation loss over the last third: falls, is flat, or rises."""
        return self._trend(self.train), self._trend(self.validation)

    def fall(self, losses: Numbers) -> float:
        """Change of a loss over its last third, as a share of its whole range; > 0 falls."""
        losses = losses[np.isfinite(losses)]
        if len(losses) < 2:
            return 0.0
        # The loss before training belongs to the range: one that starts converged has none else.
        known = np.append(losses, self.initial) if np.isfinite(self.initial) else losses
        last = losses[-max(2, len(losses) // 3) :]
        half = max(1, len(last) // 2)
        span = float(np.ptp(known))
        return float(last[:half].mean() - last[-half:].mean()) / span if span > 0 else 0.0

    def _trend(self, losses: Numbers) -> str:
        change = self.fall(losses)
        if abs(change) < TREND or abs(change) * np.ptp(losses) < 2 * self.noise(losses):
            return FLAT
        return FALLS if change > 0 else RISES

    @staticmethod
    def noise(losses: Numbers) -> float:
        """How much a loss jumps from one epoch to the next around its own course."""
        if len(losses) < 4:
            return 0.0
        bends = np.diff(losses[-max(4, len(losses) // 2) :], 2)
        # The second difference of white noise of spread s has the spread sqrt(6) s.
        return float(np.median(np.abs(bends)) / (0.6745 * np.sqrt(6.0)))

    @property
    def oscillation(self) -> float:
        """Median jump of the training loss, up or down, over its level, in the second half."""
        losses = self.train[len(self.train) // 2 :]
        if len(losses) < 4:
            return 0.0
        turns = np.diff(np.sign(np.diff(losses))) != 0
        return float(
            np.mean(turns) * np.median(np.abs(np.diff(losses))) / max(abs(np.median(losses)), 1e-12)
        )


def reading(curves: Curves, sick: bool) -> str:
    """What the pair of losses says, as a sentence; "" where there is no pair."""
    if not curves.finite:
        return "The loss or its gradient stopped being finite."
    if not curves.epochs:
        return "No epoch was trained: this is what can be said before."
    if len(curves.train) < 2 or len(curves.validation) < 2:
        return ""
    train, validation = curves.trends
    stuck = "stuck above what simple models reach" if sick else "converged"
    table = {
        (FALLS, FALLS): "still learning",
        (FALLS, FLAT): "overfitting begins" if sick else "validation has converged",
        (FALLS, RISES): "overfitting",
        (FLAT, FALLS): "suspect the data, or much noise in training",
        (FLAT, FLAT): stuck,
        (FLAT, RISES): "overfitting",
        (RISES, RISES): "structure, rate or data are wrong",
        (RISES, FLAT): "training is unstable",
        (RISES, FALLS): "suspect the data, or much noise in training",
    }
    return f"Training loss {train}, validation loss {validation}: {table[train, validation]}."
