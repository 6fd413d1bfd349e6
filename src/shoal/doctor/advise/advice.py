"""Advice: what was measured, the recipe that follows from it, and why.

Every kind of advice is a frozen value: what was measured first, as arrays that can be read and
tested; its table, its picture and its sentence are made from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from shoal.doctor.advise.drawing import drawn
from shoal.recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, kw_only=True)
class Advice:
    """The interface of a piece of advice.

    Attributes:
        before: the recipe that was asked about.
        recipe: the recipe that is advised; ``before`` itself where nothing is better.
        reason: why, with the numbers.
        notes: what could not be tried, and why.
        seconds: that it took.
    """

    what: ClassVar[str]
    size: ClassVar[tuple[float, float]] = (9.0, 3.6)

    before: Recipe
    recipe: Recipe
    reason: str
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def changes(self) -> bool:
        """Whether another recipe is advised."""
        return self.recipe != self.before

    @property
    def diff(self) -> str:
        """The edits from ``before`` to ``recipe``, one line each; "" for none."""
        return self.before.diff(self.recipe)

    @property
    def summary(self) -> str:
        """The advice in one line."""
        edits = self.diff.replace("\n", "; ") if self.changes else "keep it"
        return f"{self.what}: {edits}. {self.reason}"

    def rows(self) -> list[tuple[str, ...]]:
        """The table: the names of its columns, then its rows."""
        raise NotImplementedError

    def picture(self, figure: "Figure") -> None:
        """Draw what was measured on an empty figure."""
        raise NotImplementedError

    def draw(self, path: str | Path) -> Path:
        """Write the picture; the ending says how: .png, .svg or .pdf.

        Raises:
            FileError: it cannot be written.
        """
        return drawn(path, self.size, self.picture)

    def __str__(self) -> str:
        notes = [f"note: {note}" for note in self.notes]
        return "\n".join([*lines(self.rows()), *notes, self.summary])


def lines(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """A table as text, the first column to the left and numbers to the right.

    >>> lines([("rate", "loss"), ("0.1", "2"), ("0.01", "0.35")])
    ['rate  loss', '0.1      2', '0.01  0.35']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def line(row: tuple[str, ...]) -> str:
        first, *rest = zip(row, widths, strict=True)
        cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]
        return "  ".join(cells).rstrip()

    return [line(row) for row in rows]
