"""What a setting may be, as data: one small object per requirement.

A rule answers three questions about a value: is it acceptable (``accepts``), what is required in
words (``text``), and what is its canonical form (``clean``), so that ``Dropout(0)`` and
``Dropout(0.0)`` are one description. Every message about a bad setting is built from these.
"""

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol


class Rule(Protocol):
    """The interface of a requirement on one setting."""

    @property
    def text(self) -> str:
        """The requirement as the user reads it: ``a number in [0, 1)``."""
        ...

    def accepts(self, value: Any) -> bool:
        """Whether the value fulfils the requirement."""
        ...

    def clean(self, value: Any) -> Any:
        """The canonical form of an accepted value."""
        ...


class Open:
    """The mark of what stands for a value that is not chosen yet; see ``spaces``.

    It fulfils a rule where everything does that may be chosen.
    """

    def every(self, accepts: Callable[[Any], bool]) -> bool:
        """Whether all that may be chosen is acceptable."""
        raise NotImplementedError

    def mapped(self, change: Callable[[Any], Any]) -> Any:
        """The same with a change made to each thing that may be chosen."""
        raise NotImplementedError


def allows(rule: Rule, value: Any) -> bool:
    """Whether a value, or all that an open one may become, fulfils a rule."""
    if isinstance(value, Open):
        return value.every(lambda chosen: allows(rule, chosen))
    return rule.accepts(value)


def canonical(rule: Rule, value: Any) -> Any:
    """The canonical form of an accepted value, or of all that an open one may become."""
    if isinstance(value, Open):
        return value.mapped(lambda chosen: canonical(rule, chosen))
    return rule.clean(value)


@dataclass(frozen=True)
class Number:
    """A finite real number in an interval, closed below and above unless said otherwise."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False

    @property
    def text(self) -> str:
        left = "(" if self.low_open or math.isinf(self.low) else "["
        right = ")" if self.high_open or math.isinf(self.high) else "]"
        if math.isinf(self.low) and math.isinf(self.high):
            return "a finite number"
        if math.isinf(self.high):
            return f"a number {'>' if self.low_open else '>='} {self.low:g}"
        return f"a number in {left}{self.low:g}, {self.high:g}{right}"

    def accepts(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            return False
        number = float(value)
        above = number > self.low if self.low_open else number >= self.low
        below = number < self.high if self.high_open else number <= self.high
        return math.isfinite(number) and above and below

    def clean(self, value: Any) -> float:
        return float(value)


@dataclass(frozen=True)
class Whole:
    """A whole number in a closed interval."""

    low: int = 0
    high: int = 2**31 - 1

    @property
    def text(self) -> str:
        if self.high == 2**31 - 1:
            return f"a whole number >= {self.low}"
        return f"a whole number from {self.low} to {self.high}"

    def accepts(self, value: Any) -> bool:
        whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
        return whole and self.low <= int(value) <= self.high

    def clean(self, value: Any) -> int:
        return int(value)


@dataclass(frozen=True)
class Flag:
    """True or False."""

    text: str = "True or False"

    def accepts(self, value: Any) -> bool:
        return isinstance(value, bool)

    def clean(self, value: Any) -> bool:
        return bool(value)


@dataclass(frozen=True)
class OneOf:
    """One word of a closed list."""

    words: tuple[str, ...]

    @property
    def text(self) -> str:
        return "one of " + ", ".join(repr(word) for word in self.words)

    def accepts(self, value: Any) -> bool:
        return isinstance(value, str) and value in self.words

    def clean(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Text:
    """Any text that is not empty."""

    text: str = "a text that is not empty"

    def accepts(self, value: Any) -> bool:
        return isinstance(value, str) and bool(value)

    def clean(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Is:
    """An instance of a class; ``text`` says it in words."""

    type: type
    text: str

    def accepts(self, value: Any) -> bool:
        return isinstance(value, self.type)

    def clean(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Many:
    """A sequence whose every item fulfils one rule; kept as a tuple."""

    item: Rule
    at_least: int = 0
    at_most: int | None = None

    @property
    def text(self) -> str:
        size = f"{self.at_least} or more" if self.at_most is None else f"up to {self.at_most}"
        return f"a sequence of {size} items, each {self.item.text}"

    def accepts(self, value: Any) -> bool:
        if not isinstance(value, tuple | list):
            return False
        high = len(value) if self.at_most is None else self.at_most
        return self.at_least <= len(value) <= high and all(allows(self.item, v) for v in value)

    def clean(self, value: Any) -> tuple[Any, ...]:
        return tuple(canonical(self.item, v) for v in value)


class Either:
    """The first of several rules that accepts the value."""

    def __init__(self, *rules: Rule) -> None:
        self.rules = rules

    @property
    def text(self) -> str:
        return " or ".join(rule.text for rule in self.rules)

    def accepts(self, value: Any) -> bool:
        return any(rule.accepts(value) for rule in self.rules)

    def clean(self, value: Any) -> Any:
        return next(rule.clean(value) for rule in self.rules if rule.accepts(value))


@dataclass(frozen=True)
class Anything:
    """Whatever is given; what it is for judges it."""

    text: str = "anything"

    def accepts(self, value: Any) -> bool:
        return True

    def clean(self, value: Any) -> Any:
        return tuple(map(self.clean, value)) if isinstance(value, list) else value


@dataclass(frozen=True)
class Missing:
    """None, for a setting that may be left out."""

    text: str = "None"

    def accepts(self, value: Any) -> bool:
        return value is None

    def clean(self, value: Any) -> None:
        return None


def optional(rule: Rule) -> Rule:
    """The rule, or None."""
    return Either(rule, Missing())
