"""History: what is known of a training without its data: its recipe, its record, why it ended.

History.of(run)                    of a run in memory
read_histories("runs/digits")      of a folder that ``fit`` or ``fit_many`` wrote: one for each run
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from shoal import describe
from shoal.errors import FileError
from shoal.recipe import Recipe
from shoal.train import about as abouts
from shoal.train import checkpoint, outcome
from shoal.train.member import Status
from shoal.train.outcome import Outcome
from shoal.train.record import Record
from shoal.train.run import Run


@dataclass(frozen=True, eq=False)
class History:
    """One training of K members, without weights and data.

    Attributes:
        recipe: of the first member.
        record: (E, K) for each quantity.
        reasons, epochs, best_epochs: of each member, (K,).
        folder: where it is kept, or None.
        source: the run in memory that it tells of, or None.
        kept: what ``about.json`` says, where it was read; {} where it says nothing.
    """

    recipe: Recipe
    record: Record
    reasons: tuple[Status, ...]
    epochs: tuple[int, ...]
    best_epochs: tuple[int, ...]
    folder: Path | None = None
    source: Run | None = None
    kept: Mapping[str, Any] = field(default_factory=dict)

    @staticmethod
    def of(run: "Run | History") -> "History":
        """The history of a run; a history stays what it is."""
        if isinstance(run, History):
            return run
        told = (run.recipe, run.record, run.reasons, run.epochs, run.best_epochs, run.folder)
        return History(*told, source=run)

    @cached_property
    def about(self) -> Mapping[str, Any]:
        """Card of the data, metrics, seconds, environment; see ``shoal.train.about``."""
        return self.kept if self.source is None else abouts.about(self.source)

    @property
    def name(self) -> str:
        """Of the recipe."""
        return self.recipe.name

    @property
    def data_name(self) -> str:
        """Of the data, where it is known; else that of the recipe."""
        if self.source is not None:
            return self.source.prepared.data.name
        return str(self.kept.get("data", {}).get("name", self.recipe.name))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics in the record, those of the recipe in their order first."""
        known = self.kept.get("metrics", ())
        if self.source is not None:
            known = [metric.name for metric in self.source.metrics]
        there = [n.removeprefix("validation_") for n in self.record if n.startswith("validation_")]
        there += [n.removeprefix("train_") for n in self.record if n.startswith("train_")]
        first = [name for name in known if name in there]
        rest = dict.fromkeys(name for name in there if name not in (*first, "loss"))
        return (*first, *rest)

    def kept_row(self, member: int) -> int:
        """The row of the record, counted from 0, whose weights are kept; -1 where there is none."""
        rule = self.recipe.early_stopping
        best = self.best_epochs[member]
        restored = rule is not None and rule.restore_best and best
        return (best if restored else self.epochs[member]) - 1


def read_histories(folder: str | Path) -> list[History]:
    """The histories of a folder, one for each of its runs that has finished, in their order.

    Raises:
        FileError: no training there, or none that has finished.
    """
    place = Path(folder)
    if not checkpoint.numbers(place):
        raise FileError(
            str(folder),
            required="a folder that a training wrote",
            got="one without checkpoints",
            remedy="give the folder of shoal fit, such as runs/digits",
        )
    state = checkpoint.load_newest(place)[0].state
    recipes: Any = describe.from_json(state["recipes"])
    about, found, first = abouts.load(place), [], 0
    for size in state["sizes"]:
        members = range(first, first + size)
        first += size
        if set(members) <= set(state["finished"]):
            outcomes = [outcome.load(place, index, recipes[index]) for index in members]
            found.append(_history(outcomes, about, place))
    if not found:
        raise FileError(
            str(folder),
            required="a training that has finished",
            got="one that was stopped, or still runs",
            remedy="finish it by the same shoal fit with --resume, or shoal.resume(folder, data)",
        )
    return found


def _history(outcomes: Sequence[Outcome], about: Mapping[str, Any], folder: Path) -> History:
    return History(
        recipe=outcomes[0].recipe,
        record=Record.of([found.history for found in outcomes]),
        reasons=tuple(found.status for found in outcomes),
        epochs=tuple(found.epochs for found in outcomes),
        best_epochs=tuple(found.best_epoch for found in outcomes),
        folder=folder,
        kept=about,
    )
