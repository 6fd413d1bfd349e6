"""Checks of what ``tune`` is given, and what it says when nothing came of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.samplers import BaseSampler

from shoal import describe
from shoal.errors import RecipeError, did_you_mean
from shoal.recipe import Recipe
from shoal.rules import Rule
from shoal.tune.samplers.names import BY_NAME

SAME_FOR_ALL = ("loss", "class_weights", "preparation.split", "preparation.targets", "metrics")
"""What decides how trials are compared may not differ among them."""

POPULATION = "pbt"
"""Not a sampler to Optuna: values change while networks train."""


def check_space(space: Any) -> None:
    """Whether something is open, and nothing that decides how trials are compared.

    Raises:
        RecipeError: otherwise.
    """
    if not isinstance(space, Recipe) or not describe.is_open(space):
        got = "one without" if isinstance(space, Recipe) else f"a {type(space).__name__}"
        raise RecipeError(
            "tune(space)",
            required="a Recipe with something open in it",
            got=got,
            remedy="put Float, Int or Choice in the place of values; to train it, use fit",
        )
    for parameter in space.parameters:
        if parameter.path.startswith(SAME_FOR_ALL):
            raise RecipeError(
                f"tune(space) with {parameter.path} open",
                required="trials whose validation losses can be compared",
                got=repr(parameter.leaf),
                remedy="choose it before the search",
            )


def check_sampler(wanted: Any) -> None:
    """Whether it is the name of a sampler, or a sampler of Optuna.

    Raises:
        RecipeError: it is neither.
    """
    names = (*BY_NAME, POPULATION)
    if not isinstance(wanted, BaseSampler) and wanted not in names:
        raise RecipeError(
            "tune(sampler)",
            required="the name of a sampler, or a sampler of Optuna",
            got=repr(wanted),
            remedy=did_you_mean(str(wanted), names),
        )


def check_guesses(guesses: Any) -> None:
    """Whether guesses are a list of points.

    Raises:
        RecipeError: they are not.
    """
    one = isinstance(guesses, Mapping)
    several = isinstance(guesses, Sequence) and all(isinstance(g, Mapping) for g in guesses)
    if one or not several:
        raise RecipeError(
            "tune(guesses)",
            required="a list of points, {name: value} each",
            got="one point outside of a list" if one else repr(guesses),
            remedy=f"write guesses=[{guesses!r}]" if one else "write guesses=[{name: value}, ...]",
        )


def check_population(
    trials: int | None,
    seconds: float | None,
    pruner: Any,
    seeds: int,
    folds: int | None,
    cluster: Sequence[Any],
) -> int:
    """The size of a population.

    Raises:
        RecipeError: settings that it cannot have.
    """
    for what, value, unset, required in (
        ("seconds", seconds, None, "a population that trains to its end"),
        ("pruner", pruner, None, "no pruner: the worst members inherit from the best"),
        ("seeds", seeds, 1, "one network for each trial"),
        ("folds", folds, None, "one network for each trial"),
        ("cluster", list(cluster), [], "one pool, because its members inherit from one another"),
    ):
        if value != unset and value != "none":
            raise RecipeError(
                f'tune(sampler="pbt", {what})',
                required=required,
                got=repr(value),
                remedy=f"leave {what} out",
            )
    if trials is None:
        raise RecipeError(
            'tune(sampler="pbt", trials)',
            required="the size of the population",
            got="none",
            remedy="give trials=20 or more",
        )
    return trials


def check_settings(**given: tuple[Any, Rule]) -> None:
    """Whether each value keeps its rule.

    Raises:
        RecipeError: one does not; it is named.
    """
    for what, (value, rule) in given.items():
        if not rule.accepts(value):
            raise RecipeError(
                f"tune({what})", required=rule.text, got=repr(value), remedy="change the value"
            )


def nothing(study: optuna.Study) -> RecipeError:
    """The error for a study without a complete trial, with the most frequent reason."""
    trials = study.get_trials(deepcopy=False)
    reasons = Counter(t.user_attrs.get("reason", "pruned") for t in trials)
    reason, count = reasons.most_common(1)[0]
    return RecipeError(
        "tune(space)",
        required="a trial that comes to its end",
        got=f"none among {len(trials)}; {count} of them: {reason}",
        remedy="narrow the space, or search longer",
    )
