"""Choosing: what is open in a space, and the description in which it is chosen.

A parameter has the name of its path, as ``diff`` prints it. What is open inside an option of a
``Choice`` exists only where that option is chosen. Where two different parameters have one path,
because they lie in different options, the option is put in brackets behind the path of its choice:
``optimiser(Adam).learning_rate``. Equal ones are one parameter.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from shoal.describe import Description, build, field_names, is_open
from shoal.errors import RecipeError, did_you_mean
from shoal.rules import Open
from shoal.spaces import Choice, Int

Conditions = tuple[tuple[str, str], ...]
"""(path of a choice, label of the option chosen there), from the outside in."""


class Parameter(NamedTuple):
    """One thing to search.

    Attributes:
        name: unique in its space; path: where it is.
        leaf: the ``Float``, ``Int`` or ``Choice``.
        conditions: the options, as (path of the choice, label), inside which it lies; () for one
            that always exists.
    """

    name: str
    path: str
    leaf: Any
    conditions: Conditions


class Parameters(tuple[Parameter, ...]):
    """The parameters of a space, printed as a table."""

    __slots__ = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, in order."""
        return tuple(parameter.name for parameter in self)

    def __repr__(self) -> str:
        rows = [("parameter", "values", "where"), *map(_row, self)]
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = ("  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) for r in rows)
        return "\n".join(line.rstrip() for line in lines)


def _row(parameter: Parameter) -> tuple[str, str, str]:
    where = ", ".join(f"{path} is {label}" for path, label in parameter.conditions)
    return parameter.name, _values(parameter.leaf), where


def _values(leaf: Any) -> str:
    return f"one of {', '.join(leaf.labels)}" if isinstance(leaf, Choice) else repr(leaf)


class _Found(NamedTuple):
    path: str
    leaf: Any
    conditions: Conditions


def _leaves(value: Any, path: str, conditions: Conditions) -> Iterator[_Found]:
    """Every open value with its path, those inside options behind their choice."""
    if isinstance(value, Open):
        yield _Found(path, value, conditions)
    if isinstance(value, Choice):
        for label, option in zip(value.labels, value.options, strict=True):
            yield from _leaves(option, path, (*conditions, (path, label)))
    elif isinstance(value, Description) and not isinstance(value, Open):
        if is_open(value):
            for name in field_names(value):
                step = f"{path}.{name}" if path else name
                yield from _leaves(getattr(value, name), step, conditions)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}[{index}]", conditions)


def _names(space: Any) -> dict[_Found, str]:
    """The name of every open value: its path, with options in it where that is ambiguous."""
    found = list(_leaves(space, "", ()))
    names = {}
    for one in found:
        same = [other for other in found if other.path == one.path]
        outermost = min(same, key=lambda other: len(other.conditions))
        alike = all(other.leaf == one.leaf for other in same)
        plain = alike or (one is outermost and len(_level(same, one)) == 1)
        names[one] = one.path if plain else _qualified(one)
    return names


def _level(found: list[_Found], one: _Found) -> list[_Found]:
    return [other for other in found if len(other.conditions) == len(one.conditions)]


def _qualified(found: _Found) -> str:
    name, done = "", 0
    for path, label in found.conditions:
        name += f"{path[done:]}({label})"
        done = len(path)
    return name + found.path[done:]


def parameters(space: Any) -> Parameters:
    """What is open in a description, in order."""
    named: dict[str, Parameter] = {}
    for found, name in _names(space).items():
        if name not in named:
            named[name] = Parameter(name, found.path, found.leaf, found.conditions)
    return Parameters(named.values())


def check_closed(value: Any, thing: str) -> None:
    """Refuse a description in which something is open.

    Raises:
        RecipeError: it is; the paths are named.
    """
    if is_open(value):
        raise RecipeError(
            thing,
            required="every choice made",
            got=f"a space, open at {', '.join(parameters(value).names)}",
            remedy="search it by sh.tune(space, data), or choose by space.at({path: value})",
        )


# --- choosing ------------------------------------------------------------------------------------


def resolve(space: Any, choose: Callable[[Parameter], Any]) -> Any:
    """The description in which every open value is what ``choose`` says.

    Raises:
        RecipeError: values that do not go together.
    """
    names = _names(space)
    known: dict[str, Any] = {}

    def chosen(found: _Found) -> Any:
        name = names[found]
        if name not in known:
            known[name] = choose(Parameter(name, *found))
        return known[name]

    def close(value: Any, path: str, conditions: Conditions) -> Any:
        if isinstance(value, Choice):
            at = value.index(chosen(_Found(path, value, conditions)))
            inside = (*conditions, (path, value.labels[at]))
            return close(value.options[at], path, inside)
        if isinstance(value, Open):
            return chosen(_Found(path, value, conditions))
        if isinstance(value, Description) and is_open(value):
            steps = {n: f"{path}.{n}" if path else n for n in field_names(value)}
            fields = {n: close(getattr(value, n), s, conditions) for n, s in steps.items()}
            return build(type(value), fields)
        if isinstance(value, tuple) and is_open(value):
            return tuple(close(v, f"{path}[{i}]", conditions) for i, v in enumerate(value))
        return value

    return close(space, "", ())


def suggest(space: Any, trial: Any) -> Any:
    """The description that a trial of Optuna proposes; errors as for ``resolve``."""

    def choose(parameter: Parameter) -> Any:
        leaf: Any = parameter.leaf
        if isinstance(leaf, Choice):
            return trial.suggest_categorical(parameter.name, leaf.values)
        ask = trial.suggest_int if isinstance(leaf, Int) else trial.suggest_float
        return ask(parameter.name, leaf.low, leaf.high, log=leaf.log, step=leaf.step)

    return resolve(space, choose)


def check_values(space: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by name, in the form in which samplers see them.

    Raises:
        RecipeError: an unknown name, or a value outside of its interval or options.
    """
    known = {parameter.name: parameter.leaf for parameter in parameters(space)}
    clean = {}
    for name, value in values.items():
        if name not in known:
            raise RecipeError(
                f"the parameter {name!r}",
                required="one that is open",
                got="none of that name",
                remedy=did_you_mean(name, known),
            )
        leaf = known[name]
        if not leaf.holds(value):
            raise RecipeError(
                f"the parameter {name!r}",
                required=f"a value of {leaf!r}",
                got=repr(value),
                remedy="change the value, or widen the space",
            )
        clean[name] = leaf.values[leaf.index(value)] if isinstance(leaf, Choice) else value
    return clean


def at(space: Any, values: Mapping[str, Any]) -> Any:
    """The description at some values by name; the middle, or the first option, for the others.

    Raises:
        RecipeError: as for ``check_values`` and ``resolve``.
    """
    given = check_values(space, values)
    return resolve(space, lambda p: given.get(p.name, p.leaf.usual))
