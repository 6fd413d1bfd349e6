"""Edits: a value inside a description by its path, and what differs between two descriptions.

net.layers[0].units        optimiser.learning_rate
"""

import difflib
import re
from typing import Any

from shoal import describe
from shoal.describe import Description
from shoal.errors import RecipeError, did_you_mean


def put(value: Any, path: str, new: Any) -> Any:
    """A copy of a description with the value at a path replaced.

    Raises:
        RecipeError: an unknown path, or a value that is not allowed there.
    """
    return _put(value, _steps(path), new, path)


def _steps(path: str) -> list[str | int]:
    found = re.findall(r"([^.\[\]]+)|\[(\d+)\]", path)
    return [name if name else int(index) for name, index in found]


def _put(value: Any, steps: list[str | int], new: Any, path: str) -> Any:
    if not steps:
        return new
    step, rest = steps[0], steps[1:]
    if isinstance(step, int) and isinstance(value, tuple) and step < len(value):
        return (*value[:step], _put(value[step], rest, new, path), *value[step + 1 :])
    fields = describe.field_names(value) if isinstance(value, Description) else ()
    if isinstance(step, str) and step in fields:
        return value.replace(**{step: _put(getattr(value, step), rest, new, path)})
    raise RecipeError(
        f"the path {path!r}",
        required=f"a part of {type(value).__name__}",
        got=repr(step),
        remedy=did_you_mean(str(step), fields or ["an index in range"]),
    )


def differences(before: Any, after: Any, path: str = "") -> list[str]:
    """What changes from one value to another, a line for each change."""
    if type(before) is type(after) and isinstance(before, Description):
        lines = []
        for name in describe.field_names(before):
            step = f"{path}.{name}" if path else name
            lines += differences(getattr(before, name), getattr(after, name), step)
        return lines
    if isinstance(before, tuple) and isinstance(after, tuple):
        return _sequence_differences(before, after, path)
    return [] if before == after else [f"{path}: {before!r} -> {after!r}"]


def _sequence_differences(before: tuple[Any, ...], after: tuple[Any, ...], path: str) -> list[str]:
    lines = []
    matcher = difflib.SequenceMatcher(a=before, b=after, autojunk=False)
    for change, a0, a1, b0, b1 in matcher.get_opcodes():
        if change == "replace" and a1 - a0 == b1 - b0:
            for a, b in zip(range(a0, a1), range(b0, b1), strict=True):
                lines += differences(before[a], after[b], f"{path}[{a}]")
        elif change != "equal":
            lines += [f"{path}[{i}]: remove {before[i]!r}" for i in range(a0, a1)]
            lines += [f"{path}[{a0}]: insert {after[i]!r}" for i in range(b0, b1)]
    return lines
