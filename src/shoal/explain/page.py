"""Page: one picture from its first line to its file, in a language, with the texts of users in it.

    with page(path, 6, 4, language) as (figure, say):
        axes = figure.add_subplot()
        axes.set_xlabel(say("epoch"))

Texts are shown as they are: a ``$`` in the name of a class starts no formula, and a character that
no font has is written by its number instead of as a box.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shoal.drawing import STYLE, new_figure, save
from shoal.explain import fonts
from shoal.explain.language import CHINESE, Say, words

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter


@contextmanager
def page(
    path: str | Path, width: float, height: float, language: str = "en"
) -> Iterator[tuple["Figure", Say]]:
    """A figure of so many inches to draw on, written to ``path`` when the block ends.

    Raises:
        DataError: an unknown language.
        FileError: no font for it; the picture cannot be written.
    """
    from matplotlib import rc_context

    say = words(language)
    allowed = [fonts.LATIN, fonts.chinese()] if language == CHINESE else fonts.families()
    with rc_context(STYLE | {"font.family": allowed, "svg.fonttype": "path"}):
        figure = new_figure(width, height)
        yield figure, say
        _make_writable(figure, allowed)
        save(figure, path)


def _make_writable(figure: "Figure", allowed: list[str]) -> None:
    from matplotlib.text import Text
    from matplotlib.ticker import FuncFormatter

    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        given = text.get_text()
        shown = given if given.isascii() else fonts.writable(given, allowed)
        if shown != given:
            text.set_text(shown)
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            formatter = axis.get_major_formatter()
            if isinstance(formatter, FuncFormatter):  # gives names of ticks when it is drawn
                axis.set_major_formatter(_writable_names(formatter, allowed))


def _writable_names(formatter: "FuncFormatter", allowed: list[str]) -> "FuncFormatter":
    """A formatter that gives the names of another, every character writable."""
    from matplotlib.ticker import FuncFormatter

    return FuncFormatter(lambda x, place: fonts.writable(formatter(x, place), allowed))


def short(text: object, most: int = 20) -> str:
    """A text of at most so many characters, its end cut off.

    >>> short("a very long name of a class", 12)
    'a very long…'
    """
    plain = " ".join(str(text).split())
    return plain if len(plain) <= most else plain[: most - 1].rstrip() + "…"


def empty(axes: Any) -> None:
    """Axes without lines, ticks and numbers."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
