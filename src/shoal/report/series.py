"""Series: the curves of many runs as few numbers, so that a page stays small.

Epochs are thinned evenly, the first, the last and the best kept; values are rounded to four digits;
runs that show the same epochs share one list of them. What is not finite becomes null.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from shoal.arrays import Numbers
from shoal.train.history import History

FEWEST, MOST = 12, 400
"""Points of a curve."""

OTHERS = ("learning_rate", "gradient_norm", "penalty")
MOST_OTHERS = 50
"""With more curves than this, loss and metrics alone are shown."""


def rounded(value: float) -> float | None:
    """A number of four significant digits, or None for what is not finite.

    >>> rounded(0.123456), rounded(float("nan"))
    (0.1235, None)
    """
    return float(f"{value:.4g}") if math.isfinite(value) else None


def thinned(epochs: int, points: int, best: int = 0) -> list[int]:
    """Epochs to show, counted from 1: at most ``points`` + 1 of them.

    >>> thinned(4, 10), thinned(1000, 3, best=7)
    ([1, 2, 3, 4], [1, 7, 500, 1000])
    """
    if epochs <= points:
        return list(range(1, epochs + 1))
    even = np.linspace(1, epochs, points).round().astype(int).tolist()
    return sorted({*even, best} if 1 <= best <= epochs else set(even))


def series(runs: Sequence[History], budget: int) -> dict[str, Any]:
    """The curves of all members of runs.

    Args:
        runs: in the order of the page.
        budget: numbers in all, about.

    Returns:
        quantities: names; epochs: shared lists; curves: of each member its run, member, the place
        of its list of epochs, best epoch, the values there ("at"), and for each quantity its
        values, {"t": training, "v": validation}.
    """
    members = [(r, k) for r, run in enumerate(runs) for k in range(run.record.members)]
    quantities = _quantities(runs, len(members))
    points = budget // max(1, len(members) * 2 * len(quantities))
    points = max(FEWEST, min(MOST, points))
    lists: dict[tuple[int, ...], int] = {}
    curves = []
    for r, k in members:
        run = runs[r]
        shown = tuple(thinned(run.epochs[k], points))
        place = lists.setdefault(shown, len(lists))
        rows = np.array(shown, dtype=int) - 1
        values = {name: _values(run, name, k, rows) for name in quantities}
        kept = {name: found for name, found in values.items() if found}
        best = run.best_epochs[k]
        curves.append({"run": r, "member": k, "epochs": place, "best": best,
                       "at": _at(run, k, best, quantities), "values": kept})  # fmt: skip
    return {"quantities": quantities, "epochs": [list(e) for e in lists], "curves": curves}


def _quantities(runs: Sequence[History], members: int) -> list[str]:
    metrics = dict.fromkeys(name for run in runs for name in run.metrics)
    others = [n for n in OTHERS if any(n in run.record for run in runs)]
    return ["loss", *list(metrics)[:4], *(others if members <= MOST_OTHERS else [])]


def _columns(run: History, name: str) -> dict[str, Numbers]:
    """The columns of a quantity, "t" of training and "v" of validation."""
    if name in run.record:
        return {"t": run.record[name]}
    pairs = (("t", f"train_{name}"), ("v", f"validation_{name}"))
    return {key: run.record[column] for key, column in pairs if column in run.record}


def _values(run: History, name: str, member: int, rows: Numbers) -> dict[str, Any]:
    found = {key: column[rows, member] for key, column in _columns(run, name).items()}
    finite = {key: values for key, values in found.items() if np.isfinite(values).any()}
    return {key: [rounded(float(v)) for v in values] for key, values in finite.items()}


def _at(run: History, member: int, best: int, quantities: Sequence[str]) -> dict[str, Any]:
    """The validation values at the best epoch, where it is marked."""
    if not best:
        return {}
    found = {}
    for name in quantities:
        column = _columns(run, name).get("v")
        if column is not None:
            found[name] = rounded(float(column[best - 1, member]))
    return found
