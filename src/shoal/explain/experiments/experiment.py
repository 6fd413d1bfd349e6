"""What an experiment is, and what it finds: a table, comparisons over seeds, a picture, a sentence.

An experiment is a description with one function: from a size (how many seeds, how long) to a
result. The verdict and the sentence are computed from the result, never written by hand.
"""

import math
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from shoal.explain.experiments.comparison import Comparison, Verdict, joint, mean_interval
from shoal.explain.experiments.picture import Panel, Picture, draw_picture

T = TypeVar("T")
Cell = str | float | int
BOUNDS = ("low", "high")
"""Names of the columns that hold an interval."""

NOTHING = "-"
"""In the place of a number that was not measured."""

LINE = 98
"""Characters of a line of text."""


class Size(NamedTuple):
    """How much an experiment does.

    Attributes:
        seeds: networks that differ in nothing but their seed, >= 2.
        scale: 1 for the experiment as it is described, less for a quicker one.
    """

    seeds: int
    scale: float = 1.0

    def count(self, full: int, least: int = 1) -> int:
        """So many epochs, rows or layers: ``full`` times the scale, at least ``least``.

        >>> Size(5, 0.1).count(40), Size(5, 0.1).count(40, least=10), Size(5).count(40)
        (4, 10, 40)
        """
        return max(min(least, full), round(full * self.scale))

    def some(self, items: Sequence[T], least: int = 2) -> tuple[T, ...]:
        """The first few of some variants, all at scale 1.

        >>> Size(5, 0.1).some("abcdef"), Size(5).some("abc")
        (('a', 'b'), ('a', 'b', 'c'))
        """
        return tuple(items[: self.count(len(items), least)])


class Result(NamedTuple):
    """What was measured.

    Attributes:
        columns: names of the columns of the table.
        rows: of the table.
        comparisons: what decides on the claim, the most important first.
        panels: what the picture shows.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    comparisons: tuple[Comparison, ...]
    panels: tuple[Panel, ...]


class Experiment(NamedTuple):
    """One experiment.

    Attributes:
        name: to call it by.
        title: of the picture.
        claim: what textbooks say, in one sentence without a full stop.
        source: where that comes from, in general terms.
        method: what is done, in a sentence or two.
        run: the function.
        seeds: how many it takes where nobody says.
        over: what it calls them: timings have repetitions in the place of seeds.
        animated: whether its picture has paths, which can be drawn step by step.
    """

    name: str
    title: str
    claim: str
    source: str
    method: str
    run: Callable[[Size], Result]
    seeds: int = 5
    over: str = "seeds"
    animated: bool = False


class Finding(NamedTuple):
    """What an experiment found."""

    experiment: Experiment
    size: Size
    result: Result

    @property
    def verdict(self) -> Verdict:
        """Whether the claim held, by all comparisons together."""
        return joint([c.verdict for c in self.result.comparisons])

    @property
    def sentence(self) -> str:
        """What was measured, with intervals over seeds, and whether the claim held."""
        parts = [c.sentence for c in self.result.comparisons]
        if len({c.verdict for c in self.result.comparisons}) > 1:
            parts = [f"{c.sentence}: {c.verdict}" for c in self.result.comparisons]
        verdict = "the claim is undecided"
        if self.verdict is not Verdict.UNDECIDED:
            verdict = f"the claim {self.verdict}"
        over = f"{self.size.seeds} {self.experiment.over}"
        return f"Over {over} {verdict}: {'; '.join(parts)}."

    @property
    def picture(self) -> Picture:
        """What the picture shows."""
        return Picture(
            self.experiment.title, self.experiment.claim, self.sentence, self.result.panels
        )

    @property
    def table(self) -> str:
        """The table as text: means ± half of their intervals."""
        rows = [_joined(self.result.columns, row) for row in self.result.rows]
        rows.insert(0, _joined(self.result.columns, self.result.columns))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        aligned = ([f"{c:<{w}}" for c, w in zip(row, widths, strict=True)] for row in rows)
        return "\n".join("  ".join(row).rstrip() for row in aligned)

    def draw(self, path: str | Path) -> Path:
        """Write the picture: .png, .svg or .pdf.

        Raises:
            FileError: it cannot be written.
        """
        return draw_picture(self.picture, path)

    def to_json(self) -> dict[str, Any]:
        """Everything but the picture, as values that JSON knows; what is not finite is null."""
        return {
            "name": self.experiment.name,
            "title": self.experiment.title,
            "claim": self.experiment.claim,
            "source": self.experiment.source,
            "method": self.experiment.method,
            "seeds": self.size.seeds,
            "scale": self.size.scale,
            "verdict": str(self.verdict),
            "sentence": self.sentence,
            "comparisons": [_comparison(c) for c in self.result.comparisons],
            "columns": list(self.result.columns),
            "rows": [[_finite(cell) for cell in row] for row in self.result.rows],
        }

    def __repr__(self) -> str:
        about = self.experiment
        lines = [about.title, f"Claim: {about.claim}.", f"Source: {about.source}.", about.method]
        words = [_wrapped(line) for line in lines]
        return "\n".join([*words, "", self.table, "", _wrapped(self.sentence)])


def _wrapped(text: str) -> str:
    return textwrap.fill(text, LINE, break_on_hyphens=False)


def columns(label: str, *quantities: str) -> tuple[str, ...]:
    """The names of the columns of rows made by ``row``."""
    return (label, *(name for q in quantities for name in (q, *BOUNDS)))


def row(label: Cell, *quantities: Any) -> tuple[Cell, ...]:
    """One row: a label, then mean and interval of each quantity.

    Args:
        label: of the row.
        quantities: (n,) each, one number for each seed.
    """
    return (label, *(number for values in quantities for number in mean_interval(values)))


def _joined(names: Sequence[str], row: Sequence[Cell]) -> list[str]:
    """The cells of a row as text, the bounds of an interval joined to its mean."""
    texts = []
    for at, (name, cell) in enumerate(zip(names, row, strict=True)):
        if name in BOUNDS:
            continue
        text = _text(cell)
        if names[at + 1 : at + 3] == BOUNDS and isinstance(cell, float) and text != NOTHING:
            text += f" ± {_text(float(row[at + 2]) - cell)}"
        texts.append(text)
    return texts


def _text(cell: Cell) -> str:
    """A cell as text; what was not measured, because no epoch was completed, as a dash."""
    if isinstance(cell, float):
        return NOTHING if math.isnan(cell) else f"{cell:.3g}"
    return str(cell)


def _finite(cell: Cell) -> Cell | None:
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell


def _comparison(c: Comparison) -> dict[str, Any]:
    mean, low, high = map(_finite, c.interval)
    return {
        "what": c.what,
        "unit": c.unit,
        "values": [_finite(value) for value in c.values],
        "claimed": [_finite(bound) for bound in c.claimed],
        "mean": mean,
        "low": low,
        "high": high,
        "verdict": str(c.verdict),
    }
