"""Progress: one line about a training under way.

In a terminal the line is redrawn (by rich); elsewhere plain lines are printed, a few in all; on
request nothing is. Everything goes to standard error, so that results can be piped.
"""

import sys
import time
from dataclasses import dataclass
from typing import Any, Protocol, TextIO

PLAIN_SECONDS = 5.0
"""Seconds between plain lines."""


@dataclass(frozen=True)
class Standing:
    """Where a training stands.

    Attributes:
        done, total: member-epochs behind and, at most, in all.
        text: what to say: loss, rate, members.
    """

    done: int
    total: int
    text: str


class Progress(Protocol):
    """The interface of a progress line; a context manager."""

    def __enter__(self) -> "Progress": ...

    def __exit__(self, *error: object) -> None: ...

    def say(self, note: str) -> None:
        """One line that stays."""

    def show(self, status: Standing) -> None:
        """Where it stands now."""


class Silent:
    """Says nothing."""

    def __enter__(self) -> "Silent":
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def say(self, note: str) -> None:
        return None

    def show(self, status: Standing) -> None:
        return None


class Plain:
    """Prints a line every few seconds, and the last one."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream
        self._began = self._printed = time.monotonic()
        self._last: Standing | None = None

    def __enter__(self) -> "Plain":
        return self

    def __exit__(self, *error: object) -> None:
        if self._last is not None:
            self._print(self._last)

    def say(self, note: str) -> None:
        print(note, file=self.stream or sys.stderr, flush=True)

    def show(self, status: Standing) -> None:
        self._last = status
        if time.monotonic() - self._printed >= PLAIN_SECONDS:
            self._print(status)

    def _print(self, status: Standing) -> None:
        self._printed = time.monotonic()
        self._last = None
        left = time_left(status, self._printed - self._began)
        self.say(f"{status.text} | {left}")


class Bar:
    """One line in a terminal, drawn again and again."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(stderr=True)
        self._live = Live(console=self._console, refresh_per_second=8, transient=False)
        self._began = time.monotonic()

    def __enter__(self) -> "Bar":
        self._live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._live.__exit__(*error)

    def say(self, note: str) -> None:
        self._console.print(note, highlight=False, markup=False)

    def show(self, status: Standing) -> None:
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        line = Table.grid(padding=(0, 1))
        left = time_left(status, time.monotonic() - self._began)
        line.add_row(
            ProgressBar(total=status.total, completed=status.done, width=24), status.text, left
        )
        self._live.update(line)


def time_left(status: Standing, seconds: float) -> str:
    """How long it still takes at most, from how long it took so far.

    >>> time_left(Standing(25, 100, ""), 30.0)
    'at most 1:30 left'
    """
    if status.done >= status.total:
        return f"{clock(seconds)} in all"
    if status.done == 0:
        return "compiling"
    return f"at most {clock(seconds * (status.total - status.done) / status.done)} left"


def clock(seconds: float) -> str:
    """Seconds as people read them.

    >>> clock(0.34), clock(75), clock(3700)
    ('0.3 s', '1:15', '1:01:40')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def progress(kind: bool | str) -> Progress:
    """A progress line: True for what fits the terminal, False or "silent", "plain", "bar"."""
    if kind is False or kind == "silent":
        return Silent()
    if kind == "bar" or (kind is True and sys.stderr.isatty()):
        return Bar()
    return Plain()
