"""The working as plain values, for JSON: all arrays, and the formulas with their values.

    {"format": 1, "recipe": ..., "loss": 0.298, "arrays": {"Z1": {"shape": [1, 2], "values": ...}},
     "steps": [...], "sections": [{"title": ..., "items": [{"name": "net_h1", "formula": ...}]}]}

Numbers that are not finite are written as texts, which JSON has no numbers for.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal import describe
from shoal.explain.trace.document import Item, Note, Sample, Section
from shoal.explain.trace.writers.writer import Rule

if TYPE_CHECKING:
    from shoal.explain.trace.trace import Trace

FORMAT = 1


def values(trace: "Trace", sections: Sequence[Section]) -> dict[str, Any]:
    """The whole trace as dictionaries, lists, texts and numbers."""
    arrays = {
        symbol: {"shape": list(array.shape), "values": listed(array)}
        for symbol, array in trace.arrays().items()
    }
    return {
        "format": FORMAT,
        "recipe": describe.to_json(trace.recipe),
        "loss": finite(trace.loss),
        "notes": list(trace.notes),
        "arrays": arrays,
        "targets": listed(trace.objective.targets.value),
        "steps": [_step(step) for step in trace.steps],
        "weights": _weights(trace),
        "sections": [
            {"title": s.title, "level": s.level, "items": [_item(item) for item in s.items]}
            for s in sections
        ],
    }


def _step(step: Any) -> dict[str, Any]:
    return {
        "name": step.name,
        "layer": describe.to_json(step.layer),
        "joins": step.joins,
        "inputs": [flow.symbol for flow in step.inputs],
        "output": step.y.symbol,
        "weights": {flow.path: flow.symbol for flow in step.weights.values()},
    }


def _weights(trace: "Trace") -> dict[str, Any]:
    if trace.update is None:
        return {}
    return {
        path: {"symbol": c.flow.symbol, "given": listed(c.passed), "after": listed(c.after)}
        for path, c in trace.update.weights.items()
    }


def _item(item: Item) -> dict[str, Any]:
    if isinstance(item, Note):
        return {"note": item.text}
    if isinstance(item, Rule):
        return {"rule": item.text, "latex": item.latex}
    if isinstance(item, Sample):
        facts = {word: finite(value) for word, value in item.statistics.items()}
        return {"array": item.symbol, "shape": list(item.shape), **facts}
    written = {"name": item.name.text, "result": finite(item.result)}
    if item.formula is not None:
        written |= {"formula": item.formula.text(), "values": item.formula.values(15)}
    return written


def finite(value: float) -> float | str:
    """A number, or the name of one that is not finite."""
    return float(value) if np.isfinite(value) else str(float(value))


def listed(array: Any) -> Any:
    """An array as nested lists."""
    nested = np.asarray(array).tolist()
    return nested if np.isfinite(array).all() else _named(nested)


def _named(value: Any) -> Any:
    return [_named(v) for v in value] if isinstance(value, list) else finite(value)
