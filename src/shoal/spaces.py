"""Spaces: descriptions in which some values are left open.

    Float(1e-4, 1e-1, log=True)      a number in an interval
    Int(16, 128)                     a whole number
    Choice(ReLU(), Tanh())           one of several values, layers or whole parts

A space is an ordinary description with these among its values, so the description of a training is
the description of a search. See ``choosing`` for what is open in a space, and for closing it.
"""

import math
from collections.abc import Callable
from typing import Any

from shoal.describe import Description, assign, static
from shoal.errors import RecipeError
from shoal.rules import Anything, Flag, Many, Number, Open, Whole, optional


class Float(Description, Open):
    """A number in [low, high], left open.

    Args:
        low, high: the interval, ends included.
        log: whether equal ratios count as equal steps; needs low > 0.
        step: of a grid that begins at low; None for any number. Not together with log.

    Raises:
        RecipeError: an empty interval, a step that is wider, or a logarithm that there is not.
    """

    low: float = static(must=Number())
    high: float = static(must=Number())
    log: bool = static(default=False, must=Flag())
    step: float | None = static(default=None, must=optional(Number(0.0, low_open=True)))

    def check(self) -> None:
        _check_interval(self, self.low, self.high, self.log, self.step)

    def every(self, accepts: Callable[[Any], bool]) -> bool:
        """Whether all that may be chosen is acceptable."""
        return accepts(self.low) and accepts(self.high)

    def mapped(self, change: Callable[[Any], Any]) -> Any:
        """The same with a change made to each option; an interval has none."""
        return self

    def holds(self, value: Any) -> bool:
        """Whether it may take a value."""
        return Number(self.low, self.high).accepts(value)

    @property
    def usual(self) -> float:
        """The middle: what stands for it where nothing is searched."""
        if self.log:
            return math.sqrt(self.low * self.high)
        middle = (self.low + self.high) / 2
        if self.step is None:
            return middle
        return self.low + self.step * math.floor((middle - self.low) / self.step + 1e-9)


class Int(Description, Open):
    """A whole number from low to high, left open.

    Args:
        low, high: the ends, both included.
        log: whether equal ratios count as equal steps; needs low > 0.
        step: of a grid that begins at low, >= 1. With log only 1.

    Raises:
        RecipeError: an empty interval, a step that is wider, or a logarithm that there is not.
    """

    low: int = static(must=Whole(-(2**31)))
    high: int = static(must=Whole(-(2**31)))
    log: bool = static(default=False, must=Flag())
    step: int = static(default=1, must=Whole(1))

    def check(self) -> None:
        step = None if self.step == 1 else self.step
        _check_interval(self, self.low, self.high, self.log, step)

    def every(self, accepts: Callable[[Any], bool]) -> bool:
        """Whether all that may be chosen is acceptable."""
        return accepts(self.low) and accepts(self.high)

    def mapped(self, change: Callable[[Any], Any]) -> Any:
        """The same with a change made to each option; an interval has none."""
        return self

    def holds(self, value: Any) -> bool:
        """Whether it may take a value."""
        on_grid = Whole(self.low, self.high).accepts(value)
        return on_grid and (int(value) - self.low) % self.step == 0

    @property
    def usual(self) -> int:
        """The middle: what stands for it where nothing is searched."""
        if self.log:
            return round(math.sqrt(self.low * self.high))
        return self.low + self.step * ((self.high - self.low) // 2 // self.step)


class Choice(Description, Open):
    """One of several options, left open: values, layers, or whole parts with open values in them.

    The first option is what stands for it where nothing is searched.

    Args:
        options: at least one, all different.

    Raises:
        RecipeError: no option, or two that are equal.
    """

    options: tuple[Any, ...] = static(must=Many(Anything(), at_least=1))

    def __init__(self, *options: Any) -> None:
        assign(self, {"options": options})

    def check(self) -> None:
        if len(set(self.labels)) < len(self.options):
            raise RecipeError(
                repr(self),
                required="options that differ",
                got="two that are equal",
                remedy="leave one of them out",
            )

    def every(self, accepts: Callable[[Any], bool]) -> bool:
        """Whether all that may be chosen is acceptable."""
        return all(map(accepts, self.options))

    def mapped(self, change: Callable[[Any], Any]) -> Any:
        """The same with a change made to each option; an interval has none."""
        return Choice(
            *(o.mapped(change) if isinstance(o, Open) else change(o) for o in self.options)
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """A short text for each option: the kind of a part where that tells it apart."""
        kinds = [o.kind if isinstance(o, Description) else repr(o) for o in self.options]
        return tuple(
            kind if kinds.count(kind) == 1 else repr(option)
            for kind, option in zip(kinds, self.options, strict=True)
        )

    @property
    def values(self) -> tuple[Any, ...]:
        """What a sampler sees: numbers, texts and None as they are, labels of the others."""
        plain = all(o is None or isinstance(o, bool | int | float | str) for o in self.options)
        return self.options if plain else self.labels

    def holds(self, value: Any) -> bool:
        """Whether a value is one of ``values``, or an option."""
        return self._find(value) is not None

    def _find(self, value: Any) -> int | None:
        for known in (self.values, self.options):
            for index, one in enumerate(known):
                if type(one) is type(value) and one == value:
                    return index
        return None

    def index(self, value: Any) -> int:
        """The position of the option that a value, or the option itself, names."""
        found = self._find(value)
        assert found is not None, value
        return found

    @property
    def usual(self) -> Any:
        """The first option."""
        return self.values[0]

    def __repr__(self) -> str:
        return f"Choice({', '.join(map(repr, self.options))})"


def _check_interval(space: Any, low: float, high: float, log: bool, step: float | None) -> None:
    wide = step is not None and step > high - low
    for wrong, required, got, remedy in (
        (high < low, "low <= high", f"{low:g} and {high:g}", "change the interval"),
        (log and low <= 0, "low > 0 for log=True", f"{low:g}", "change the interval"),
        (log and step is not None, "a step or log=True", "both", "leave one of them out"),
        (wide, f"a step of at most {high - low:g}, from low to high", f"{step}",
         "make the step smaller or the interval wider: nothing but low could be chosen"),
    ):  # fmt: skip
        if wrong:
            raise RecipeError(repr(space), required=required, got=got, remedy=remedy)
