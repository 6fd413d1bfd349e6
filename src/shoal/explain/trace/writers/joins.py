"""Writers of joins: the sum of branches (Residual, Add), or their channels in a row (Concat)."""

import numpy as np

from shoal.explain.trace.expression import Expression, total
from shoal.explain.trace.names import Index
from shoal.explain.trace.step import Flow, Step
from shoal.explain.trace.writers.writer import Rule, Shaped, Writer, rule, slope


def _terms(s: Step) -> dict[str, Flow]:
    return {f"x{n}": flow for n, flow in enumerate(s.inputs)}


class OfSum(Writer):
    """y = x0 + x1 + ...; the derivative goes to each of them as it is."""

    def rules(self, s: Step) -> list[Rule]:
        terms = _terms(s)
        return [rule("{y} = " + " + ".join(f"{{{name}}}" for name in terms), y=s.y, **terms)]

    def back_rules(self, s: Step) -> list[Rule]:
        slopes = (slope(flow) for flow in s.inputs)
        return [rule("{dx} = {dy}", dx=_part(dx, s), dy=slope(s.y)) for dx in slopes]

    def forward(self, s: Step, i: Index) -> Expression:
        return total([flow.at(*i) for flow in s.inputs])

    def backward(self, s: Step, part: int, i: Index) -> Expression:
        return s.y.slope(*i)


class OfConcat(Writer):
    """The channels of the branches one after another; each takes its own part of the derivative."""

    def rules(self, s: Step) -> list[Rule]:
        terms = _terms(s)
        inside = ", ".join(f"{{{name}}}" for name in terms)
        return [rule("{y} = channels of " + inside + " side by side", y=s.y, **terms)]

    def back_rules(self, s: Step) -> list[Rule]:
        found, ends = [], np.cumsum([0, *(flow.shape[-1] for flow in s.inputs)])
        for flow, low, high in zip(s.inputs, ends[:-1], ends[1:], strict=True):
            template = "{dx} = channels " + f"{low} to {high - 1}" + " of {dy}"
            found.append(rule(template, dx=_part(slope(flow), s), dy=slope(s.y)))
        return found

    def forward(self, s: Step, i: Index) -> Expression:
        channel = i[-1]
        for flow in s.inputs:
            if channel < flow.shape[-1]:
                return flow.at(*i[:-1], channel)
            channel -= flow.shape[-1]
        raise AssertionError("an index within the output")

    def backward(self, s: Step, part: int, i: Index) -> Expression:
        before = sum(flow.shape[-1] for flow in s.inputs[:part])
        return s.y.slope(*i[:-1], before + i[-1])


def _part(dx: Shaped, s: Step) -> Shaped:
    """The derivative by an input, said to be only the part through this join where it is."""
    flow = next(flow for flow in s.inputs if f"d{flow.symbol}" == dx.text)
    return dx._replace(text=f"{dx.text} via {flow.via}") if flow.via else dx
