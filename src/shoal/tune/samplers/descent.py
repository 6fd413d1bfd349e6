"""A packaged minimiser turned inside out: which point does it ask for next?

The packages call the objective themselves. They are deterministic, so here each is run again from
its start on what is known, and left at the first point that has no answer. Nothing stays in memory
between two questions, and a restart changes nothing. The price is one run for each question: with
NLopt a millisecond, with COBYQA a few for each earlier answer.

- ``cobyqa``: SciPy's COBYQA, Powell's and BOBYQA's successor (Ragonneau 2022). Always there.
- ``nlopt``: Powell's BOBYQA in NLopt, a package to install. (PDFO's does not run with NumPy 2.)
"""

import importlib.util
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from shoal.errors import RecipeError
from shoal.tune.samplers.space import Floats

MOST_STEPS = 300
"""Questions of one descent."""
FIRST_RADIUS = 0.1
"""Of the unit box; COBYQA's own default, 1, for a box of width 10."""
LAST_RADIUS = 1e-6

Objective = Callable[[Floats], float]
Answer = Callable[[int, Floats], float | None]
"""(turn, point (D,)) -> value, or None where there is none yet."""


class Unanswered(Exception):
    """Leaves a minimiser at the point that has no answer."""


def next_question(start: Floats, method: str, answer: Answer) -> tuple[int, Floats] | None:
    """The first turn that has no answer, with its point (D,) in [0, 1]^D; None at the end.

    Args:
        start: where the descent begins, shape (D,).
        method: a name of METHODS.
        answer: what is known.
    """
    asked: list[Floats] = []
    left = False

    def objective(x: Floats) -> float:
        nonlocal left
        point = np.clip(np.array(x, dtype=float), 0.0, 1.0)
        value = None if left else answer(len(asked), point)
        if value is None:
            if not left:
                asked.append(point)
            left = True
            raise Unanswered
        asked.append(point)
        return value

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            METHODS[method](objective, np.array(start, dtype=float))
        except Exception:
            if not left:  # packages may wrap what leaves them; anything else is a fault
                raise
    return (len(asked) - 1, asked[-1]) if left else None


def _cobyqa(objective: Objective, start: Floats) -> None:
    from scipy.optimize import minimize

    options = {
        "maxfev": MOST_STEPS,
        "initial_tr_radius": FIRST_RADIUS,
        "final_tr_radius": LAST_RADIUS,
    }
    minimize(objective, start, method="COBYQA", bounds=[(0.0, 1.0)] * len(start), options=options)


def _nlopt(objective: Objective, start: Floats) -> None:
    import nlopt

    def with_gradient(x: Floats, gradient: Floats) -> float:
        del gradient  # BOBYQA needs none
        return objective(x)

    minimiser = nlopt.opt(nlopt.LN_BOBYQA, len(start))
    minimiser.set_lower_bounds(0.0)
    minimiser.set_upper_bounds(1.0)
    minimiser.set_min_objective(with_gradient)
    minimiser.set_initial_step(FIRST_RADIUS)
    minimiser.set_xtol_abs(LAST_RADIUS)
    minimiser.set_maxeval(MOST_STEPS)
    minimiser.optimize(start)


METHODS: dict[str, Callable[[Objective, Floats], None]] = {
    "cobyqa": _cobyqa,
    "nlopt": _nlopt,
}


def check_method(method: Any) -> None:
    """Raise where a method is unknown or its package is not installed."""
    if method not in METHODS:
        raise RecipeError(
            "BOBYQA(method)",
            required=f"one of {', '.join(METHODS)}",
            got=repr(method),
            remedy="leave it out for SciPy's COBYQA",
        )
    if method != "cobyqa" and importlib.util.find_spec(method) is None:
        raise RecipeError(
            f"BOBYQA(method={method!r})",
            required=f"the package {method}",
            got="none installed",
            remedy=f"pip install {method}, or method='cobyqa'",
        )
