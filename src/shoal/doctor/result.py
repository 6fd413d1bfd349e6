"""Cure: what came of trying remedies, as a value that can be read, drawn and used."""

from dataclasses import dataclass
from pathlib import Path

from shoal.data.dataset import Data
from shoal.doctor.remedies import REMEDIES, changes
from shoal.doctor.scoring import Scale
from shoal.doctor.verdicts import CURED, Gain
from shoal.doctor.words import number
from shoal.errors import FileError
from shoal.files import write_atomically
from shoal.recipe import Recipe
from shoal.train.model import Model
from shoal.train.run import Run

UNTESTED = float("nan")

SEEDS = "values: over the seeds of the row; gains: over the same seeds of the training as it is"


@dataclass(frozen=True)
class Trial:
    """One arm of the race and its verdict.

    Attributes:
        names: of its remedies; () for the training as it is.
        verdict: "cured", "improves", "no effect", "worse"; "" for the training as it is.
        quality: mean over its seeds on validation, larger is better.
        gain: over the training as it is, with the same seeds.
        size: of the edit.
        changes: the edit, a line for each change.
        curve: quality after each epoch, mean over the seeds.
    """

    names: tuple[str, ...]
    verdict: str
    quality: float
    gain: Gain
    size: int
    changes: str
    curve: tuple[float, ...]

    @property
    def label(self) -> str:
        """What to call it."""
        return " + ".join(self.names) or "as it is"


@dataclass(frozen=True)
class Proof:
    """The cure against the training as it is, with seeds that decided nothing.

    Attributes:
        gain: on validation; before, after: mean qualities.
        new_seed: what fresh seeds alone change.
        test_before, test_after: mean qualities on the test split, NaN without one.
        holds: whether the gain held.
    """

    gain: Gain
    before: float
    after: float
    new_seed: float
    test_before: float
    test_after: float
    holds: bool


@dataclass(eq=False)
class Cure:
    """What remedies did to a training, and the training that is cured.

    Attributes:
        sick: the recipe as it was; data: as it was.
        recipe, cured_data: edited; as they were where nothing helped for sure.
        names: of the remedies taken; () for none.
        trials: all arms, the best first.
        equivalent: remedies that cure as well, the smallest edit first.
        proof: with fresh seeds; None where nothing was taken.
        summary: in one line.
        notes: about data that had to be set aside to judge anything; repairs: remedies of the
            data that are part of the edit for that reason, whatever scores say.
        scale: of qualities.
        run: of the cured recipe, as ``fit`` gives it.
        programs: compiled for training; seconds: in all.
        test_looks: how often the test split was read.
    """

    sick: Recipe
    data: Data
    recipe: Recipe
    cured_data: Data
    names: tuple[str, ...]
    trials: tuple[Trial, ...]
    equivalent: tuple[tuple[str, ...], ...]
    proof: Proof | None
    summary: str
    notes: tuple[str, ...]
    repairs: tuple[str, ...]
    scale: Scale
    run: Run | None
    programs: int
    seconds: float
    test_looks: int

    @property
    def cured(self) -> bool:
        """Whether an edit was found that holds."""
        return bool(self.names)

    @property
    def model(self) -> Model | None:
        """The trained network of the cured recipe."""
        return self.run.model if self.run is not None else None

    @property
    def changes(self) -> str:
        """What to edit, a line for each change; "" for nothing."""
        return changes((self.sick, self.data), (self.recipe, self.cured_data))

    @property
    def table(self) -> str:
        """All arms as lines of text, and what values and gains are where seeds differ."""
        metric = self.scale.metric if self.scale.sign > 0 else f"-{self.scale.metric}"
        rows = [("remedies", f"validation {metric}", "gain", "seeds", "verdict")]
        for trial in self.trials:
            found = "" if not trial.names else str(trial.gain)
            seeds = str(trial.gain.seeds)
            rows.append((trial.label, number(trial.quality), found, seeds, trial.verdict))
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        lines = ("  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) for r in rows)
        note = [SEEDS] if len({trial.gain.seeds for trial in self.trials}) > 1 else []
        return "\n".join([*(line.rstrip() for line in lines), *note])

    @property
    def text(self) -> str:
        """Summary, edits, proof, equivalent cures and the table."""
        lines = [self.summary, *self.notes]
        if self.changes:
            lines += ["", "edit:", *(f"    {line}" for line in self.changes.split("\n"))]
        if self.names:
            lines += ["", *self._proof(), *self._equivalent()]
        return "\n".join([*lines, "", self.table])

    def _proof(self) -> list[str]:
        assert self.proof is not None
        found, metric = self.proof, self.scale.metric
        lines = [
            f"proof, {found.gain.seeds} fresh seeds: {metric} {number(found.before)} -> "
            f"{number(found.after)} ({found.gain}); new seeds alone {found.new_seed:+,.3f}"
        ]
        if found.test_after == found.test_after:
            lines.append(
                f"test, read once: {metric} {number(found.test_before)} -> "
                f"{number(found.test_after)}"
            )
        return lines

    def _equivalent(self) -> list[str]:
        others = [" + ".join(names) for names in self.equivalent if names != self.names]
        return [f"as good: {', '.join(others)}"] if others else []

    def draw(self, path: str | Path) -> Path:
        """A picture of the arms with their intervals, and of the curves before and after."""
        from shoal.doctor.cure_picture import draw_cure

        return draw_cure(self, path)

    def save(self, folder: str | Path) -> Path:
        """Write cure.txt, cure.png, recipe.json and, where there is one, model.safetensors.

        Raises:
            FileError: the folder cannot be written.
        """
        root = Path(folder)
        if root.exists() and not root.is_dir():
            raise FileError(
                f"the folder {root}", required="a folder", got="a file", remedy="choose another"
            )
        write_atomically(root / "cure.txt", (self.text + "\n").encode())
        write_atomically(root / "recipe.json", self.recipe.to_json().encode())
        self.draw(root / "cure.png")
        if self.run is not None:
            self.run.save(root / "model.safetensors")
        return root

    def __repr__(self) -> str:
        return f"Cure({self.summary}; {len(self.trials)} arms, {self.seconds:.1f} s)"


def smallest_first(trials: tuple[Trial, ...]) -> list[Trial]:
    """Trials that cure, the smallest edit first, then the first in the table of remedies."""
    order = list(REMEDIES)
    cures = [trial for trial in trials if trial.verdict == CURED]
    return sorted(cures, key=lambda t: (t.size, len(t.names), [order.index(n) for n in t.names]))
