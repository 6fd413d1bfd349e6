"""Evidence: all that is known of a training, for rules to read; each kind may be missing.

    recipe     the description               rows       examples as matrices
    probe      one batch before training     level      scores beside simple models
    curves     the record                    signals    health of the layers, by epoch
    setting    rate, batch, epochs, ...      data       raw data
    order      targets in order of batches   modes      loss as in training, as for prediction
    refusal    why there is no training      first_bad  (layer, words) of what is not finite
    forgotten  layers that the optimiser does not hold

Whoever gathers evidence, from a run here or from a loop elsewhere, fills in what there is; a rule
that asks for what is missing does not apply.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shoal.arrays import Numbers
from shoal.data.dataset import Data
from shoal.doctor.curves import Curves
from shoal.doctor.level import Level
from shoal.doctor.probe import Probe
from shoal.doctor.rows import Rows
from shoal.errors import ShoalError
from shoal.recipe import Recipe


class Missing(Exception):
    """Evidence that a rule asked for and that there is none of."""


@dataclass(frozen=True)
class Setting:
    """Numbers of a training, whatever describes it.

    Attributes:
        optimiser: its name; rate: effective learning rate, momentum counted in.
        usual_rate: that of the same optimiser with its usual numbers.
        batch: B; steps: in an epoch; epochs: at most; rows: of the training split.
        adaptive: whether steps hardly depend on the length of the gradient.
    """

    optimiser: str
    rate: float
    usual_rate: float
    batch: int
    steps: int
    epochs: int
    rows: int
    adaptive: bool = True


@dataclass(eq=False)
class Evidence:
    """What is known of one training; ``get`` gives a kind of evidence or raises ``Missing``.

    Attributes:
        known: values by kind, or functions that make them when a rule first asks.
    """

    known: dict[str, Any] = field(default_factory=dict)

    def get(self, kind: str) -> Any:
        """The evidence of a kind.

        Raises:
            Missing: there is none.
        """
        value = self.known.get(kind)
        if isinstance(value, Lazy):
            value = self.known[kind] = value.make()
        if value is None:
            raise Missing(kind)
        return value

    def has(self, kind: str) -> bool:
        """Whether there is evidence of a kind."""
        try:
            self.get(kind)
        except Missing:
            return False
        return True

    @property
    def recipe(self) -> Recipe:
        """The description."""
        found: Recipe = self.get("recipe")
        return found

    @property
    def data(self) -> Data:
        """The raw data."""
        found: Data = self.get("data")
        return found

    @property
    def rows(self) -> Rows:
        """Examples as matrices."""
        found: Rows = self.get("rows")
        return found

    @property
    def probe(self) -> Probe:
        """One batch before training."""
        found: Probe = self.get("probe")
        return found

    @property
    def level(self) -> Level:
        """Scores beside simple models."""
        found: Level = self.get("level")
        return found

    @property
    def curves(self) -> Curves:
        """The record."""
        found: Curves = self.get("curves")
        return found

    @property
    def setting(self) -> Setting:
        """Rate, batch, epochs."""
        found: Setting = self.get("setting")
        return found

    @property
    def signals(self) -> Mapping[str, Mapping[str, Numbers]]:
        """Health of the layers: signals[what][layer], (E,)."""
        found: Mapping[str, Mapping[str, Numbers]] = self.get("signals")
        return found

    @property
    def order(self) -> Sequence[Numbers]:
        """Targets of one epoch, batch by batch in the order of training."""
        found: Sequence[Numbers] = self.get("order")
        return found

    @property
    def modes(self) -> tuple[float, float]:
        """Loss of the same rows computed as in training, and as for prediction."""
        found: tuple[float, float] = self.get("modes")
        return found

    @property
    def refusal(self) -> ShoalError:
        """Why the training cannot be made."""
        found: ShoalError = self.get("refusal")
        return found


@dataclass(frozen=True)
class Lazy:
    """Evidence that is made when a rule first asks for it."""

    make: Callable[[], Any]
