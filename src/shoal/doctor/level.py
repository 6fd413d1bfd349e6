"""Level: how good a trained network is on rows it was not trained on, beside simple models.

A network that is clearly worse than a simple model on the same rows is sick, whatever its curves
look like; one that is as good is rarely so. ``gap`` is the lead of the simple model as a share of
its range above chance, and ``p`` says how easily chance alone gives such a lead: rows are compared
in pairs, by the normal law of the mean difference.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from shoal.arrays import Numbers
from shoal.doctor.baselines import Baselines, per_row
from shoal.doctor.rows import Rows

GOOD = 0.03
"""Up to this lead of the simple model, as a share of its range, a network is as good."""
EXPLAINED = 0.05
"""Share of the variance of labels from where on they are told by their inputs."""


@dataclass(frozen=True, eq=False)
class Level:
    """What a network reached.

    Attributes:
        rows: of the training; found, found_validation: its predictions for the rows of both
            splits, scores of classes (n, C) or numbers (n, T).
        baselines: the simple models of the same rows.
    """

    rows: Rows
    found: Numbers
    found_validation: Numbers
    baselines: Baselines

    @cached_property
    def train(self) -> float:
        """Accuracy or R² on training rows."""
        return float(np.mean(per_row(self.rows.t, self.found, self.rows.spread)))

    @cached_property
    def validation(self) -> float:
        """Accuracy or R² on validation rows; NaN without any."""
        if not len(self.rows.t_validation):
            return float("nan")
        return float(np.mean(self._rows_validation))

    @cached_property
    def _rows_validation(self) -> Numbers:
        return per_row(self.rows.t_validation, self.found_validation, self.rows.spread)

    @property
    def chance(self) -> float:
        """The score of who does not look at the inputs."""
        return self.baselines.chance

    @property
    def yardstick(self) -> float:
        """The score of the best simple model on the validation rows; chance where there is none."""
        return self._yardstick[0]

    @cached_property
    def _yardstick(self) -> tuple[float, Numbers | None]:
        best = self.baselines.best
        if best is None or not len(self.rows.t_validation):
            return self.chance, None
        each = per_row(self.rows.t_validation, best.validation, self.rows.spread)
        return float(np.mean(each)), each

    @cached_property
    def gap(self) -> float:
        """The simple model's lead over the network as a share of its range above chance."""
        span = self.yardstick - self.chance
        if span <= 0 or not math.isfinite(self.validation):
            return 0.0
        return (self.yardstick - self.validation) / span

    @cached_property
    def p(self) -> float:
        """How easily chance alone gives such a lead, one-sided."""
        each = self._yardstick[1]
        return 1.0 if each is None else _luck(each - self._rows_validation)

    @cached_property
    def p_train(self) -> float:
        """The same for the lead on training rows."""
        best, rows = self.baselines.best, len(self.baselines.t)
        if best is None:
            return 1.0
        own = per_row(self.rows.t[:rows], self.found[:rows], self.rows.spread)
        return _luck(per_row(self.baselines.t, best.left_out, self.rows.spread) - own)

    @property
    def learnable(self) -> bool:
        """Whether a simple model does clearly better than chance on rows left out."""
        best = self.baselines.best
        if best is None:
            return True
        rows = len(self.baselines.t)
        base = self._chance_left_out
        noise = math.sqrt(base * (1 - base) / rows) if self.rows.classes else 0.02
        return best.score > base + 3 * noise + 0.02 or self._explained > EXPLAINED

    @cached_property
    def _explained(self) -> float:
        """Share of the variance of one-hot rows that is told, which rare classes count in, too."""
        best, t = self.baselines.best, self.baselines.t
        if best is None or t.ndim != 1:
            return 0.0
        y = np.eye(best.left_out.shape[1])[t]
        return 1.0 - float(((y - best.left_out) ** 2).sum() / ((y - y.mean(axis=0)) ** 2).sum())

    @cached_property
    def _chance_left_out(self) -> float:
        t = self.baselines.t
        if t.ndim == 1:
            return float(np.bincount(t).max() / len(t))
        if self.rows.task == "multilabel":
            return float(np.maximum(t.mean(axis=0), 1 - t.mean(axis=0)).mean())
        return 0.0

    @cached_property
    def train_gap(self) -> float:
        """The same on training rows: the lead of the simple model on rows left out."""
        best = self.baselines.best
        if best is None:
            return 0.0
        span = best.score - self._chance_left_out
        return (best.score - self.train) / span if span > 0 else 0.0

    @property
    def good(self) -> bool:
        """Whether it is as good as simple models, on validation and on training rows."""
        return self.gap <= GOOD and self.train_gap <= GOOD

    @cached_property
    def shortfall(self) -> float:
        """The lead of the simple model on training rows left out over the network on validation."""
        best = self.baselines.best
        span = best.score - self._chance_left_out if best is not None else 0.0
        if best is None or span <= 0 or not math.isfinite(self.validation):
            return 0.0
        return (best.score - self.validation) / span

    @cached_property
    def overfit(self) -> float:
        """Train less validation score, as a share of the train score above chance; 0 at least."""
        span = self.train - self.chance
        if span <= 0 or not math.isfinite(self.validation):
            return 0.0
        return max(0.0, (self.train - self.validation) / span)


def _luck(lead: Numbers) -> float:
    """How easily differences (n,) of mean 0 have a mean as large, by the normal law."""
    if len(lead) < 2 or not lead.any():
        return 1.0
    lead = np.clip(lead, -50.0, 50.0)
    spread = lead.std() / math.sqrt(len(lead))
    z = lead.mean() / spread if spread > 0 else math.copysign(9.0, lead.mean())
    return float(0.5 * math.erfc(z / math.sqrt(2.0)))
