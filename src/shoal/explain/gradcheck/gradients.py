"""What a gradient check found: a table of arrays, each with its worst entry."""

from typing import TYPE_CHECKING, NamedTuple

from shoal.arrays import Shape, times
from shoal.explain import tables
from shoal.explain.gradcheck.differences import Slope, Verdict

if TYPE_CHECKING:
    from rich.table import Table


class Entry(NamedTuple):
    """One derivative that was checked: where it stands in its array, and what came out.

    Attributes:
        place: in the array; None for the derivative along a random direction.
        slope: the derivative beside the differences.
    """

    place: tuple[int, ...] | None
    slope: Slope


class CheckedArray(NamedTuple):
    """One array of parameters, or the inputs.

    Attributes:
        path: its name, as in ``dense1/weight``.
        shape: its shape.
        entries: what was checked of it, the worst first.
    """

    path: str
    shape: Shape
    entries: tuple[Entry, ...]

    @property
    def worst(self) -> Entry:
        """The entry that fails, or else has the largest error."""
        return self.entries[0]

    @property
    def passed(self) -> bool:
        """Whether every entry that was checked agrees."""
        return all(entry.slope.verdict.passed for entry in self.entries)

    def tally(self, verdict: Verdict) -> int:
        """How many entries came to a verdict."""
        return sum(entry.slope.verdict is verdict for entry in self.entries)


class GradientCheck(NamedTuple):
    """The outcome of ``gradcheck``. Print it to see the table.

    Attributes:
        title: what was checked.
        loss: f at the weights.
        tolerance: on the relative error of each entry.
        arrays: in the order of the network.
        notes: what the verdict rests on, in words.
    """

    title: str
    loss: float
    tolerance: float
    arrays: tuple[CheckedArray, ...]
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every derivative agrees, or lies between the slopes on both sides of a kink."""
        return all(array.passed for array in self.arrays)

    @property
    def failures(self) -> tuple[CheckedArray, ...]:
        """The arrays with an entry that does not agree."""
        return tuple(array for array in self.arrays if not array.passed)

    @property
    def worst(self) -> CheckedArray:
        """The array with the worst entry."""
        return max(self.arrays, key=lambda array: badness(array.worst))

    def __rich__(self) -> "Table":
        head = (
            "array", "shape", "worst entry", "verdict",
            "checked", "kinks", "analytic", "numeric", "error",
        )  # fmt: skip
        made = tables.table(f"gradient of {self.title}", head, map(_row, self.arrays), left=4)
        made.caption, made.caption_justify, made.caption_style = self._verdict(), "left", ""
        return made

    def __str__(self) -> str:
        return tables.text(self.__rich__())

    def _verdict(self) -> str:
        entries = sum(len(array.entries) for array in self.arrays)
        bad = sum(not e.slope.verdict.passed for array in self.arrays for e in array.entries)
        said = "passed" if self.passed else f"FAILED: {bad} of them wrong"
        line = f"{entries} derivatives checked to {self.tolerance:g} relative, loss {self.loss:.6g}"
        return "\n".join((f"{line}: {said}", *self.notes))


def badness(entry: Entry) -> tuple[bool, float]:
    """What is sorted by to find the worst: failures first, then the error."""
    return not entry.slope.verdict.passed, entry.slope.error


def _row(array: CheckedArray) -> tuple[str, ...]:
    worst = array.worst
    where = "a random direction" if worst.place is None else str(list(worst.place))
    slope = worst.slope
    return (
        array.path, times(array.shape), where, str(slope.verdict),
        f"{len(array.entries)}", f"{array.tally(Verdict.KINK)}",
        f"{slope.analytic:.9g}", f"{slope.numeric:.9g}", f"{slope.error:.1e}",
    )  # fmt: skip
