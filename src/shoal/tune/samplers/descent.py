"""A packaged minimiser turned inside out: ask for a point, tell its value.

The packages call the objective themselves; here the objective is a thread's question, answered when
the trial has finished. A descent can be told all earlier answers at once, so that it is rebuilt from
a study's history: the minimisers are deterministic and ask for the same points again.

- ``cobyqa``: SciPy's COBYQA, Powell's and BOBYQA's successor (Ragonneau 2022). Always there.
- ``pdfo``: Powell's own BOBYQA (2009) in the PDFO package. ``nlopt``: NLopt's BOBYQA.
"""

import importlib.util
import math
import queue
import threading
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from shoal.errors import RecipeError
from shoal.tune.samplers.space import Floats

MOST_STEPS = 500
"""Of one descent."""
FIRST_RADIUS = 0.1
"""Of the unit box; COBYQA's own default for a box of width 10 is 1."""
LAST_RADIUS = 1e-6

Objective = Callable[[Floats], float]


class Stopped(Exception):
    """Raised inside a minimiser that nobody asks any more."""


class Descent:
    """One minimiser in a thread of its own, in a box [0, 1]^D.

    Args:
        start: where it begins, shape (D,).
        method: a name of METHODS.
    """

    def __init__(self, start: Floats, method: str) -> None:
        self._questions: queue.SimpleQueue[Floats | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[float | None] = queue.SimpleQueue()
        self.told: list[float] = []
        target = _runner(METHODS[method], np.array(start), self._questions, self._answers)
        threading.Thread(target=target, daemon=True, name="descent").start()
        weakref.finalize(self, self._answers.put, None)
        self.question = self._questions.get()

    def tell(self, value: float) -> None:
        """Answer the question; `question` is then the next point (D,), or None at the end."""
        assert self.question is not None
        self.told.append(value)
        self._answers.put(value)
        self.question = self._questions.get()


def _runner(
    minimiser: Callable[[Objective, Floats], None],
    start: Floats,
    questions: "queue.SimpleQueue[Floats | None]",
    answers: "queue.SimpleQueue[float | None]",
) -> Callable[[], None]:
    over = threading.Event()

    def objective(x: Floats) -> float:
        if not over.is_set():
            questions.put(np.clip(np.array(x, dtype=float), 0.0, 1.0))
            answer = answers.get()
            if answer is not None:
                return answer
            over.set()
        raise Stopped

    def run() -> None:
        try:
            minimiser(objective, start)
        except Stopped:
            return
        questions.put(None)

    return run


def _cobyqa(objective: Objective, start: Floats) -> None:
    from scipy.optimize import minimize

    options = {
        "maxfev": MOST_STEPS,
        "initial_tr_radius": FIRST_RADIUS,
        "final_tr_radius": LAST_RADIUS,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        minimize(
            objective, start, method="COBYQA", bounds=[(0.0, 1.0)] * len(start), options=options
        )


def _pdfo(objective: Objective, start: Floats) -> None:
    from pdfo import pdfo

    stopped = False

    def steady(x: Floats) -> float:
        """Fortran cannot be left by an exception: it is bored to its end instead."""
        nonlocal stopped
        if not stopped:
            try:
                return objective(x)
            except Stopped:
                stopped = True
        return math.inf

    options = {"maxfev": MOST_STEPS, "rhobeg": FIRST_RADIUS, "rhoend": LAST_RADIUS, "quiet": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bounds = [(0.0, 1.0)] * len(start)
        pdfo(steady, start, method="bobyqa", bounds=bounds, options=options)
    if stopped:
        raise Stopped


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
    "pdfo": _pdfo,
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
