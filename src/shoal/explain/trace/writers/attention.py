"""Writer of multi-head self-attention.

Notation: X (B, W, C) goes in; q, k, v (B, W, C) are split into heads of d channels; s (B, h, W, W)
the scores of position w with position v, a their softmax, p what dropout leaves of a, o (B, W, C)
what the heads take, side by side.

    q = X Wq^T + bq      s = q k^T / sqrt(d)      a = softmax(s)      o = p v      Y = o Wo^T + bo

    do = dY Wo    dp = do v^T    da = M dp    ds = a (da - sum a da)    dq = ds k / sqrt(d)
    dk = ds^T q / sqrt(d)    dv = p^T do    dX = dq Wq + dk Wk + dv Wv
"""

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from shoal.arrays import Numbers
from shoal.explain.trace.expression import Expression, call, exponentials, number, total
from shoal.explain.trace.names import Index
from shoal.explain.trace.step import Flow, Step
from shoal.explain.trace.writers.pointwise import drawn
from shoal.explain.trace.writers.writer import Inner, Rule, Writer, rule, slope
from shoal.nets.noise import drop

LETTERS = {"query": "q", "key": "k", "value": "v"}


class Parts(NamedTuple):
    """The arrays inside, each with its derivative. ``mask`` is None without dropout."""

    q: Flow
    k: Flow
    v: Flow
    s: Flow
    a: Flow
    p: Flow
    o: Flow
    mask: Flow | None


def _heads(array: Numbers, heads: int) -> Numbers:
    """(B, W, C) as (B, h, W, d)."""
    rows, length, channels = array.shape
    return array.reshape(rows, length, heads, channels // heads).swapaxes(1, 2)


def _beside(array: Numbers) -> Numbers:
    """(B, h, W, d) as (B, W, C)."""
    rows, heads, length, d = array.shape
    return array.swapaxes(1, 2).reshape(rows, length, heads * d)


class OfAttention(Writer):
    """Queries, keys, values, weights of the attention, and what is taken."""

    def parts(self, s: Step) -> Parts:
        """The arrays inside, computed once."""
        found: Parts = s.once("attention", lambda: self._parts(s))
        return found

    def _parts(self, s: Step) -> Parts:
        layer: Any = s.layer
        q, k, v = (self._linear(s, part, s.x.value) for part in LETTERS)
        heads = [_heads(array, layer.heads) for array in (q, k, v)]
        root = math.sqrt(heads[0].shape[-1])
        scores = heads[0] @ heads[1].swapaxes(-1, -2) / root
        a = np.asarray(layer.weights(jnp.asarray(heads[0]), jnp.asarray(heads[1])))
        mask = None
        if layer.dropout is not None and s.mode.training:
            mask = np.asarray(drop(jnp.ones_like(jnp.asarray(a)), layer.dropout, a.shape, s.mode))
        p = a if mask is None else a * mask
        o = _beside(p @ heads[2])
        return self._back(s, (q, k, v, scores, a, p, o), heads, mask, root)

    def _back(
        self, s: Step, arrays: Any, heads: list[Numbers], mask: Numbers | None, root: float
    ) -> Parts:
        q, k, v, scores, a, p, o = arrays
        qh, kh, vh = heads
        assert s.y.gradient is not None
        do = s.y.gradient @ s.weights["output/weight"].value
        doh = _heads(do, qh.shape[1])
        dp = doh @ vh.swapaxes(-1, -2)
        da = dp if mask is None else dp * mask
        ds = a * (da - (da * a).sum(axis=-1, keepdims=True))
        dq, dk = _beside(ds @ kh / root), _beside(ds.swapaxes(-1, -2) @ qh / root)
        dv = _beside(p.swapaxes(-1, -2) @ doh)
        return Parts(
            s.flow("q", q, dq),
            s.flow("k", k, dk),
            s.flow("v", v, dv),
            s.flow("s", scores, ds),
            s.flow("a", a, da),
            s.flow("p", p, dp) if mask is not None else s.flow("a", a, da),
            s.flow("o", o, do),
            None if mask is None else s.flow("M", mask),
        )

    def _linear(self, s: Step, part: str, x: Numbers) -> Numbers:
        y = x @ s.weights[f"{part}/weight"].value.T
        bias = s.weights.get(f"{part}/bias")
        return y if bias is None else y + bias.value

    def rules(self, s: Step) -> list[Rule]:
        p, w = self.parts(s), s.weights
        found = []
        for part, letter in LETTERS.items():
            found.append(self._linear_rule(s, part, getattr(p, letter), s.x))
        found.append(rule("{s} = {q} · k^T / √d, head by head, k {k}", s=p.s, q=p.q, k=p.k))
        found.append(rule("{a} = softmax({s}) over the last axis", a=p.a, s=p.s))
        if p.mask is not None:
            found.append(rule("{p} = {m} ⊙ {a}", p=p.p, m=p.mask, a=p.a))
        found.append(rule("{o} = {p} · {v}, heads side by side", o=p.o, p=p.p, v=p.v))
        del w
        return [*found, self._linear_rule(s, "output", s.y, p.o)]

    def _linear_rule(self, s: Step, part: str, y: Flow, x: Flow) -> Rule:
        bias = s.weights.get(f"{part}/bias")
        arrays = {"y": y, "x": x, "w": s.weights[f"{part}/weight"]}
        if bias is None:
            return rule("{y} = {x} · {w:T}", **arrays)
        return rule("{y} = {x} · {w:T} + {b}", b=bias, **arrays)

    def back_rules(self, s: Step) -> list[Rule]:
        p, w = self.parts(s), s.weights
        q, k, v = (slope(flow) for flow in (p.q, p.k, p.v))
        do, ds = slope(p.o), slope(p.s)
        found = [
            rule("{do} = {dy} · {w}", do=do, dy=slope(s.y), w=w["output/weight"]),
            rule("{dp} = {do} · v^T, v {v}", dp=slope(p.p), do=do, v=p.v),
            rule("{ds} = {a} ⊙ ({da} - sum of a · da)", ds=ds, a=p.a, da=slope(p.a)),
            rule("{q} = {ds} · {k} / √d", q=q, ds=ds, k=p.k),
            rule("{k} = ds^T · {q} / √d", k=k, q=p.q),
            rule("{v} = {p} turned · {do}", v=v, p=p.p, do=do),
        ]
        template = "{dx} = {q} · {wq} + {k} · {wk} + {v} · {wv}"
        weights = {f"w{letter}": w[f"{part}/weight"] for part, letter in LETTERS.items()}
        found.append(rule(template, dx=slope(s.x), q=q, k=k, v=v, **weights))
        for part in (*LETTERS, "output"):
            dz, x = self._ends(s, part)
            dw = slope(w[f"{part}/weight"])
            found.append(
                rule("{dw} = sum over rows and positions of {dz} · {x}", dw=dw, dz=slope(dz), x=x)
            )
        return found

    def _ends(self, s: Step, part: str) -> tuple[Flow, Flow]:
        """What comes out of one of the four products, and what goes in."""
        p = self.parts(s)
        return (s.y, p.o) if part == "output" else (getattr(p, LETTERS[part]), s.x)

    def inner(self, s: Step) -> list[Inner]:
        """q, k, v, s, a, p, o."""
        p = self.parts(s)
        found = [
            Inner(
                getattr(p, letter),
                lambda i, part=part: self._product(s, part, i),  # type: ignore[misc]
                lambda i, letter=letter: getattr(self, f"_d{letter}")(s, i),  # type: ignore[misc]
            )
            for part, letter in LETTERS.items()
        ]
        found.append(Inner(p.s, lambda i: self._score(s, i), lambda i: self._dscore(s, i)))
        found.append(Inner(p.a, lambda i: self._weight(s, i), lambda i: self._da(s, i)))
        mask = p.mask
        if mask is not None:
            found.append(Inner(mask, lambda i: drawn(mask, i)))
            kept = lambda i: mask.at(*i) * p.a.at(*i)  # noqa: E731
            found.append(Inner(p.p, kept, lambda i: self._dp(s, i)))
        return [*found, Inner(p.o, lambda i: self._taken(s, i), lambda i: self._do(s, i))]

    # --- single numbers --------------------------------------------------------------------------

    def _product(self, s: Step, part: str, i: Index) -> Expression:
        (b, w, c), (_, x) = i, self._ends(s, part)
        weight, bias = s.weights[f"{part}/weight"], s.weights.get(f"{part}/bias")
        terms = [x.at(b, w, e) * weight.at(c, e) for e in range(weight.shape[1])]
        return total(terms if bias is None else [*terms, bias.at(c)])

    def _width(self, s: Step) -> int:
        return int(s.x.shape[-1] // s.layer.heads)  # type: ignore[attr-defined]

    def _root(self, s: Step) -> Expression:
        return call("sqrt", number(self._width(s)))

    def _channels(self, s: Step, head: int) -> range:
        d = self._width(s)
        return range(head * d, (head + 1) * d)

    def _score(self, s: Step, i: Index) -> Expression:
        (b, h, w, v), p = i, self.parts(s)
        terms = [p.q.at(b, w, c) * p.k.at(b, v, c) for c in self._channels(s, h)]
        return total(terms) / self._root(s)

    def _weight(self, s: Step, i: Index) -> Expression:
        (b, h, w, v), p = i, self.parts(s)
        causal = s.layer.causal  # type: ignore[attr-defined]
        seen = range(w + 1) if causal else range(p.s.shape[-1])
        if v not in seen:
            return number(0.0)
        powers = exponentials([p.s.at(b, h, w, u) for u in seen])
        return powers[v] / total(powers)

    def _taken(self, s: Step, i: Index) -> Expression:
        (b, w, c), p = i, self.parts(s)
        h = c // self._width(s)
        return total([p.p.at(b, h, w, v) * p.v.at(b, v, c) for v in range(p.p.shape[-1])])

    def _do(self, s: Step, i: Index) -> Expression:
        (b, w, c), weight = i, s.weights["output/weight"]
        return total([s.y.slope(b, w, e) * weight.at(e, c) for e in range(weight.shape[0])])

    def _dp(self, s: Step, i: Index) -> Expression:
        (b, h, w, v), p = i, self.parts(s)
        return total([p.o.slope(b, w, c) * p.v.at(b, v, c) for c in self._channels(s, h)])

    def _da(self, s: Step, i: Index) -> Expression:
        p = self.parts(s)
        return self._dp(s, i) if p.mask is None else p.mask.at(*i) * p.p.slope(*i)

    def _dscore(self, s: Step, i: Index) -> Expression:
        (b, h, w, _), p = i, self.parts(s)
        row = range(p.s.shape[-1])
        pull = total([p.a.slope(b, h, w, u) * p.a.at(b, h, w, u) for u in row])
        return p.a.at(*i) * (p.a.slope(*i) - pull)

    def _dq(self, s: Step, i: Index) -> Expression:
        (b, w, c), p = i, self.parts(s)
        h, row = c // self._width(s), range(self.parts(s).s.shape[-1])
        return total([p.s.slope(b, h, w, u) * p.k.at(b, u, c) for u in row]) / self._root(s)

    def _dk(self, s: Step, i: Index) -> Expression:
        (b, v, c), p = i, self.parts(s)
        h, row = c // self._width(s), range(self.parts(s).s.shape[-1])
        return total([p.s.slope(b, h, u, v) * p.q.at(b, u, c) for u in row]) / self._root(s)

    def _dv(self, s: Step, i: Index) -> Expression:
        (b, v, c), p = i, self.parts(s)
        h = c // self._width(s)
        return total([p.p.at(b, h, u, v) * p.o.slope(b, u, c) for u in range(p.p.shape[-1])])

    def forward(self, s: Step, i: Index) -> Expression:
        return self._product(s, "output", i)

    def backward(self, s: Step, part: int, i: Index) -> Expression:
        b, w, c = i
        p, terms = self.parts(s), []
        for name, letter in LETTERS.items():
            flow, weight = getattr(p, letter), s.weights[f"{name}/weight"]
            terms += [flow.slope(b, w, e) * weight.at(e, c) for e in range(weight.shape[0])]
        return total(terms)

    def gradient(self, s: Step, name: str, i: Index) -> Expression:
        part, kind = name.split("/")
        y, x = self._ends(s, part)
        places = list(np.ndindex(*x.shape[:2]))
        if kind == "bias":
            return total([y.slope(*at, i[0]) for at in places])
        return total([y.slope(*at, i[0]) * x.at(*at, i[1]) for at in places])
