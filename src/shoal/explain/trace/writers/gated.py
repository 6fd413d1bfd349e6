"""Writers of GRU and LSTM: the gates of every position and the derivatives by each."""

from typing import Any

import numpy as np

from shoal.arrays import Numbers
from shoal.explain.trace.expression import Expression, call, total
from shoal.explain.trace.names import Index
from shoal.explain.trace.step import Flow, Step
from shoal.explain.trace.writers.recurrent import ONE, Arrays, OfRecurrent
from shoal.explain.trace.writers.writer import Rule, rule


def _sigmoid(a: Numbers) -> Any:
    with np.errstate(over="ignore"):
        return 1.0 / (1.0 + np.exp(-a))


class OfLSTM(OfRecurrent):
    """i, f, o = σ(net), g = tanh(net), c = f c before + i g, h = o tanh(c)."""

    words = ("net", "i", "f", "g", "o", "c", "h")
    gate_order = ("i", "f", "g", "o")

    def bias(self, s: Step) -> Numbers:
        """As ``OfRecurrent``: the bias of the forget gate is an array of its own."""
        u, bias = self._units(s), s.weights["bias"].value
        return np.concatenate([bias[:u], s.weights["forget_bias"].value, bias[u:]])

    def bias_at(self, s: Step, j: int) -> Expression:
        u = self._units(s)
        if u <= j < 2 * u:
            return s.weights["forget_bias"].at(j - u)
        return s.weights["bias"].at(j if j < u else j - u)

    def at(self, s: Step, inputs: Numbers, before: Arrays) -> Arrays:
        net = inputs + before["h"] @ s.weights["recurrent_weight"].value.T
        ni, nf, ng, no = np.split(net, 4, axis=-1)
        i, f, g, o = _sigmoid(ni), _sigmoid(nf), np.tanh(ng), _sigmoid(no)
        c = f * before["c"] + i * g
        return {"net": net, "i": i, "f": f, "g": g, "o": o, "c": c, "h": o * np.tanh(c)}

    def back_at(self, s: Step, here: Arrays, before: Arrays, dy: Any, taken: Arrays) -> Arrays:
        dh = dy + taken.get("h", 0.0)
        i, f, g, o, bent = here["i"], here["f"], here["g"], here["o"], np.tanh(here["c"])
        dc = dh * o * (1.0 - bent**2) + taken.get("c", 0.0)
        slopes = {"h": dh, "c": dc, "o": dh * bent, "i": dc * g, "g": dc * i}
        slopes["f"] = dc * before["c"]
        bend = {"i": i * (1.0 - i), "f": f * (1.0 - f), "g": 1.0 - g**2, "o": o * (1.0 - o)}
        parts = [slopes[gate] * bend[gate] for gate in self.gate_order]
        return slopes | {"net": np.concatenate(parts, axis=-1)}

    def taken(self, s: Step, there: Arrays, slopes: Arrays) -> Arrays:
        back = slopes["net"] @ s.weights["recurrent_weight"].value
        return {"h": back, "c": slopes["c"] * there["f"]}

    def gates(self, s: Step) -> list[Rule]:
        p = self.parts(s)
        found = [
            rule("{i}, {f}, {o} = σ of their parts of {net}", **_some(p, "i", "f", "o", "net"))
        ]
        found.append(rule("{g} = tanh of its part of {net}", **_some(p, "g", "net")))
        found.append(rule("{c} = {f} ⊙ c before + {i} ⊙ {g}", **_some(p, "c", "f", "i", "g")))
        return [*found, rule("{h} = {o} ⊙ tanh({c})", **_some(p, "h", "o", "c"))]

    def _into(self, s: Step, gate: str, i: Index) -> Expression:
        b, t, u = i
        place = self.gate_order.index(gate) * self._units(s) + u
        return self.parts(s)["net"].at(b, t, place)

    def i(self, s: Step, i: Index) -> Expression:
        """The input gate."""
        return call("sigmoid", self._into(s, "i", i))

    def f(self, s: Step, i: Index) -> Expression:
        """The forget gate."""
        return call("sigmoid", self._into(s, "f", i))

    def g(self, s: Step, i: Index) -> Expression:
        """The candidate."""
        return call("tanh", self._into(s, "g", i))

    def o(self, s: Step, i: Index) -> Expression:
        """The output gate."""
        return call("sigmoid", self._into(s, "o", i))

    def c(self, s: Step, i: Index) -> Expression:
        """The memory."""
        p = self.parts(s)
        return p["f"].at(*i) * self.before(s, "c", i) + p["i"].at(*i) * p["g"].at(*i)

    def h(self, s: Step, i: Index) -> Expression:
        """The state."""
        p = self.parts(s)
        return p["o"].at(*i) * call("tanh", p["c"].at(*i))

    def dnet(self, s: Step, i: Index) -> Expression:
        """The derivative by what goes into a gate."""
        b, t, j = i
        gate = self.gate_order[j // self._units(s)]
        flow, place = self.parts(s)[gate], (b, t, j % self._units(s))
        a = flow.at(*place)
        bend = (ONE - a**2) if gate == "g" else a * (ONE - a)
        return flow.slope(*place) * bend

    def do(self, s: Step, i: Index) -> Expression:
        """The derivative by the output gate."""
        p = self.parts(s)
        return p["h"].slope(*i) * call("tanh", p["c"].at(*i))

    def dc(self, s: Step, i: Index) -> Expression:
        """The derivative by the memory."""
        (b, t, u), p = i, self.parts(s)
        bent = call("tanh", p["c"].at(*i))
        own = p["h"].slope(*i) * p["o"].at(*i) * (ONE - bent**2)
        after = self.after(s, t)
        if after is None:
            return own
        return own + p["c"].slope(b, after, u) * p["f"].at(b, after, u)

    def di(self, s: Step, i: Index) -> Expression:
        """The derivative by the input gate."""
        p = self.parts(s)
        return p["c"].slope(*i) * p["g"].at(*i)

    def df(self, s: Step, i: Index) -> Expression:
        """The derivative by the forget gate."""
        return self.parts(s)["c"].slope(*i) * self.before(s, "c", i)

    def dg(self, s: Step, i: Index) -> Expression:
        """The derivative by the candidate."""
        p = self.parts(s)
        return p["c"].slope(*i) * p["i"].at(*i)

    def gradient(self, s: Step, name: str, i: Index) -> Expression:
        """As ``Writer``: two arrays hold the biases of the four gates."""
        u = self._units(s)
        if name == "forget_bias":
            return super().gradient(s, "bias", (u + i[0],))
        if name == "bias":
            return super().gradient(s, "bias", (i[0] if i[0] < u else i[0] + u,))
        return super().gradient(s, name, i)


def _some(p: dict[str, Flow], *words: str) -> dict[str, Flow]:
    return {word: p[word] for word in words}


class OfGRU(OfRecurrent):
    """r, z = σ(net), n = tanh(net), h = (1 - z) n + z h before.

    ``m`` is R_n h before + c where r multiplies after that product, and r ⊙ h before where it
    multiplies before.
    """

    words = ("net", "r", "z", "m", "n", "h")

    def _after_product(self, s: Step) -> bool:
        return bool(s.layer.reset_after)  # type: ignore[attr-defined]

    def _candidate(self, s: Step) -> Numbers:
        """R_n."""
        return s.weights["recurrent_weight"].value[2 * self._units(s) :]

    def at(self, s: Step, inputs: Numbers, before: Arrays) -> Arrays:
        u, h = self._units(s), before["h"]
        gates = inputs[:, : 2 * u] + h @ s.weights["recurrent_weight"].value[: 2 * u].T
        r, z = _sigmoid(gates[:, :u]), _sigmoid(gates[:, u:])
        if self._after_product(s):
            m = h @ self._candidate(s).T + s.weights["recurrent_bias"].value
            last = inputs[:, 2 * u :] + r * m
        else:
            m = r * h
            last = inputs[:, 2 * u :] + m @ self._candidate(s).T
        n, net = np.tanh(last), np.concatenate([gates, last], axis=-1)
        return {"net": net, "r": r, "z": z, "m": m, "n": n, "h": (1.0 - z) * n + z * h}

    def back_at(self, s: Step, here: Arrays, before: Arrays, dy: Any, taken: Arrays) -> Arrays:
        r, z, n, m, h = here["r"], here["z"], here["n"], here["m"], before["h"]
        dh = dy + taken.get("h", 0.0)
        dz, dn = dh * (h - n), dh * (1.0 - z)
        last = dn * (1.0 - n**2)
        if self._after_product(s):
            dm, dr = last * r, last * m
        else:
            dm = last @ self._candidate(s)
            dr = dm * h
        net = np.concatenate([dr * r * (1.0 - r), dz * z * (1.0 - z), last], axis=-1)
        return {"h": dh, "z": dz, "n": dn, "r": dr, "m": dm, "net": net}

    def taken(self, s: Step, there: Arrays, slopes: Arrays) -> Arrays:
        u = self._units(s)
        gates = slopes["net"][:, : 2 * u] @ s.weights["recurrent_weight"].value[: 2 * u]
        inner = (
            slopes["m"] @ self._candidate(s) if self._after_product(s) else slopes["m"] * there["r"]
        )
        return {"h": gates + inner + slopes["h"] * there["z"]}

    def gates(self, s: Step) -> list[Rule]:
        p, w = self.parts(s), s.weights
        found = [rule("{r}, {z} = σ of their parts of {net}", **_some(p, "r", "z", "net"))]
        if self._after_product(s):
            arrays = {"R": w["recurrent_weight"], "c": w["recurrent_bias"]}
            found.append(rule("{m} = h before · the last rows of {R:T} + {c}", m=p["m"], **arrays))
        else:
            found.append(rule("{m} = {r} ⊙ h before", **_some(p, "m", "r")))
        found.append(rule("{n} = tanh of its part of {net}", **_some(p, "n", "net")))
        last = "{h} = (1 - {z}) ⊙ {n} + {z} ⊙ h before"
        return [*found, rule(last, **_some(p, "h", "z", "n"))]

    def net(self, s: Step, i: Index) -> Expression:
        """As ``OfRecurrent``; the candidate sees h through m."""
        (b, t, j), u, p = i, self._units(s), self.parts(s)
        if j < 2 * u:
            return super().net(s, i)
        if self._after_product(s):
            place = (b, t, j - 2 * u)
            return total([*self.inputs(s, i), p["r"].at(*place) * p["m"].at(*place)])
        big = s.weights["recurrent_weight"]
        terms = [big.at(j, v) * p["m"].at(b, t, v) for v in range(u)]
        return total([*self.inputs(s, i), *terms])

    def r(self, s: Step, i: Index) -> Expression:
        """The reset gate."""
        return call("sigmoid", self.parts(s)["net"].at(*i))

    def z(self, s: Step, i: Index) -> Expression:
        """The update gate."""
        b, t, u = i
        return call("sigmoid", self.parts(s)["net"].at(b, t, self._units(s) + u))

    def m(self, s: Step, i: Index) -> Expression:
        """What the candidate sees of the state before."""
        if self._after_product(s):
            terms = self.recurrent(s, 2 * self._units(s) + i[2], i)
            return total([*terms, s.weights["recurrent_bias"].at(i[2])])
        return self.parts(s)["r"].at(*i) * self.before(s, "h", i)

    def n(self, s: Step, i: Index) -> Expression:
        """The candidate."""
        b, t, u = i
        return call("tanh", self.parts(s)["net"].at(b, t, 2 * self._units(s) + u))

    def h(self, s: Step, i: Index) -> Expression:
        """The state."""
        p = self.parts(s)
        z = p["z"].at(*i)
        return (ONE - z) * p["n"].at(*i) + z * self.before(s, "h", i)

    def dh(self, s: Step, i: Index) -> Expression:
        """As ``OfRecurrent``: through the gates, through m, and through z."""
        (b, t, u), p, units = i, self.parts(s), self._units(s)
        after, big, terms = self.after(s, t), s.weights["recurrent_weight"], self.direct(s, i)
        if after is None:
            return total(terms)
        terms += [p["net"].slope(b, after, j) * big.at(j, u) for j in range(2 * units)]
        if self._after_product(s):
            rows = range(units)
            terms += [p["m"].slope(b, after, j) * big.at(2 * units + j, u) for j in rows]
        else:
            terms.append(p["m"].slope(b, after, u) * p["r"].at(b, after, u))
        return total([*terms, p["h"].slope(b, after, u) * p["z"].at(b, after, u)])

    def dz(self, s: Step, i: Index) -> Expression:
        """The derivative by the update gate."""
        p = self.parts(s)
        return p["h"].slope(*i) * (self.before(s, "h", i) - p["n"].at(*i))

    def dn(self, s: Step, i: Index) -> Expression:
        """The derivative by the candidate."""
        p = self.parts(s)
        return p["h"].slope(*i) * (ONE - p["z"].at(*i))

    def dr(self, s: Step, i: Index) -> Expression:
        """The derivative by the reset gate."""
        (b, t, u), p = i, self.parts(s)
        if self._after_product(s):
            return p["net"].slope(b, t, 2 * self._units(s) + u) * p["m"].at(*i)
        return p["m"].slope(*i) * self.before(s, "h", i)

    def dm(self, s: Step, i: Index) -> Expression:
        """The derivative by m."""
        (b, t, u), p, first = i, self.parts(s), 2 * self._units(s)
        if self._after_product(s):
            return p["net"].slope(b, t, first + u) * p["r"].at(*i)
        big = s.weights["recurrent_weight"]
        rows = range(first, first + self._units(s))
        return total([p["net"].slope(b, t, j) * big.at(j, u) for j in rows])

    def dnet(self, s: Step, i: Index) -> Expression:
        """The derivative by what goes into a gate."""
        b, t, j = i
        gate, u = divmod(j, self._units(s))
        flow = self.parts(s)["rzn"[gate]]
        a = flow.at(b, t, u)
        return flow.slope(b, t, u) * (ONE - a**2 if gate == 2 else a * (ONE - a))

    def recurrent_gradient(self, s: Step, i: Index) -> Expression:
        """As ``OfRecurrent``; the rows of the candidate see h through m."""
        (j, u), p, first = i, self.parts(s), 2 * self._units(s)
        if j < first:
            return self.pairs(s, p["net"], j, "h", u)
        if self._after_product(s):
            return self.pairs(s, p["m"], j - first, "h", u)
        places = list(np.ndindex(*s.x.shape[:2]))
        return total([p["net"].slope(*at, j) * p["m"].at(*at, u) for at in places])

    def gradient(self, s: Step, name: str, i: Index) -> Expression:
        if name == "recurrent_bias":
            places = list(np.ndindex(*s.x.shape[:2]))
            return total([self.parts(s)["m"].slope(*at, i[0]) for at in places])
        return super().gradient(s, name, i)
