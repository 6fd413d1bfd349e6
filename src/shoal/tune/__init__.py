"""Tuning: search what a recipe leaves open, thousands of trials through one compiled program."""

from typing import Any

from shoal.verbs import make_verb


def _tune(*arguments: Any, **settings: Any) -> Any:
    from shoal.tune.tuning import tune

    return tune(*arguments, **settings)


make_verb(__name__, _tune)
