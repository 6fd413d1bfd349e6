"""Tables as text: the same table coloured in a terminal, plain in ``str``."""

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

WIDEST = 400
"""Columns that a table as text may take."""


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1
) -> "Table":
    """A table with a title above it; numbers to the right.

    Args:
        left: how many columns, from the first, are text.
    """
    from rich.table import Table

    made = Table(box=None, pad_edge=False, title=title, title_justify="left", title_style="bold")
    for place, name in enumerate(columns):
        made.add_column(name, no_wrap=True, justify="left" if place < left else "right")
    for row in rows:
        made.add_row(*row)
    return made


def text(made: "Table") -> str:
    """A table without colours."""
    from rich.console import Console

    console = Console(file=io.StringIO(), width=WIDEST, color_system=None)
    with console.capture() as found:
        console.print(made)
    return "\n".join(line.rstrip() for line in found.get().rstrip().split("\n"))
