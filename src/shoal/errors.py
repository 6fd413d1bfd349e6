"""Every error that shoal raises on purpose: one tree, one sentence.

    ShoalError
    ├── RecipeError (ValueError)      a description that cannot be
    │   └── ShapeError                a layer that cannot follow the one before it
    ├── DataError (ValueError)        rows, columns, labels or splits that cannot be used
    ├── DeviceError (RuntimeError)    memory or devices that do not suffice
    └── FileError (OSError)           a file that cannot be read or written
        └── DamagedFileError          a file whose content is not what was written

Each error names four things, kept as attributes so that programs can read them too:

    {thing} needs {required}, got {got}; {remedy}
"""

import difflib
from collections.abc import Iterable


class ShoalError(Exception):
    """The root of the tree. Catch it to catch everything that shoal raises on purpose.

    Args:
        thing: what is wrong, by the name the user gave it: ``Dense(units)``, ``column 'age'``.
        required: what it needs.
        got: what came instead.
        remedy: what the user can do about it.
    """

    def __init__(self, thing: str, *, required: str, got: str, remedy: str) -> None:
        self.thing = thing
        self.required = required
        self.got = got
        self.remedy = remedy
        super().__init__(f"{thing} needs {required}, got {got}; {remedy}")

    def within(self, place: str) -> "ShoalError":
        """The same error with the place where it happened put before the thing."""
        return type(self)(
            f"{place}: {self.thing}", required=self.required, got=self.got, remedy=self.remedy
        )


class RecipeError(ShoalError, ValueError):
    """A description that cannot be: a value out of range, an unknown word, parts that clash."""


class ShapeError(RecipeError):
    """A layer that cannot take the shape that reaches it."""


class DataError(ShoalError, ValueError):
    """Rows, columns, labels or splits that cannot be used."""


class DeviceError(ShoalError, RuntimeError):
    """Memory or devices that do not suffice."""


class FileError(ShoalError, OSError):
    """A file that cannot be read or written."""


class DamagedFileError(FileError):
    """A file whose content is not what was written."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A remedy for an unknown word: the closest known one, or all of them.

    >>> did_you_mean("Dens", ["Dense", "Conv"])
    "did you mean 'Dense'?"
    >>> did_you_mean("x", ["Dense", "Conv"])
    'known: Conv, Dense'
    """
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
