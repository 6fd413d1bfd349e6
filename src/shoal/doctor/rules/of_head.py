"""Rules about head and loss: whether what the network ends with can say what the targets ask."""

from typing import Any

import numpy as np

from shoal.doctor.evidence import Evidence
from shoal.doctor.rules.rule import Measured, Rule
from shoal.errors import DataError, ShapeError

PARTLY = 0.5
"""The value of what often does no harm."""
LARGE, SMALL = 8.0, 0.1
"""Times the usual loss, from where on and up to where an own loss is of another size."""


def wrong_head(e: Evidence) -> Measured | None:
    """Share of targets out of the reach of the outputs; sure where outputs cannot say anything."""
    if e.has("refusal"):
        place = f"layer {len(e.recipe.net.layers)}: "
        return _refused(e, ShapeError, "network for") or _refused(e, ShapeError, place)
    last = e.recipe.body.layers[-1]
    z = e.probe.z.reshape(len(e.probe.z), -1)
    if z.shape[1] == 1 and last.kind in ("Softmax", "LogSoftmax"):
        what = f"{last.kind} of one unit is always {float(z[0, 0]):.0f}"
        return Measured(1.0, last.kind, words={"what": what}, sure=True)
    facts = getattr(last, "facts", None)
    if facts is None:
        return None
    if e.recipe.loss.form == "values":
        return _out_of_reach(e, last.kind, *facts.range)
    return _limited(last.kind, *facts.range)


def _out_of_reach(e: Evidence, kind: str, low: float, high: float) -> Measured:
    t = e.probe.t
    share = float(((t < low - 1e-6) | (t > high + 1e-6)).mean())
    what = f"{share:.0%} of the targets lie outside of what {kind} can give"
    return Measured(share, kind, words={"what": what}, sure=share > 0.2)


def _limited(kind: str, low: float, high: float) -> Measured | None:
    """Logits behind an activation with an end."""
    if kind in ("Softmax", "LogSoftmax"):
        words = {"what": f"the loss takes the softmax of what {kind} gives"}
        return Measured(PARTLY, kind, words=words, remedies=("drop_head_softmax", "fix_head"))
    if not (np.isfinite(low) or np.isfinite(high)):
        return None
    words = {"what": f"{kind} keeps logits, which need both signs, in [{low:g}, {high:g}]"}
    return Measured(PARTLY, kind, words=words)


def _refused(e: Evidence, kind: type[Exception], about: str) -> Measured | None:
    """Why the training was refused, where that is of a kind and about this."""
    error = e.refusal
    if not isinstance(error, kind) or about not in error.thing:
        return None
    what = f"{error.thing} needs {error.required}, got {error.got}"
    return Measured(1.0, words={"what": what}, sure=True, remedies=("fix_head", "fix_loss"))


def wrong_loss(e: Evidence) -> Measured | None:
    """Whether the loss rewards what is right, each example by itself, and at its usual size."""
    if e.has("refusal"):
        return _refused(e, DataError, repr(e.recipe.loss))
    p, loss = e.probe, e.recipe.loss
    if p.right >= p.wrong:
        return _sure(f"right outputs cost {p.right:.3g}, wrong ones {p.wrong:.3g}")
    if p.mixing > 1e-3:
        words = {"what": "the loss of one example changes with the outputs of others"}
        return Measured(1.0, "loss", words=words, sure=not (e.has("level") and e.level.good))
    ratio = float(np.mean(p.losses)) / p.usual if p.usual > 0 else 1.0
    if loss.kind == "CustomLoss" and not SMALL < ratio < LARGE:
        words = {"what": f"it is {ratio:.3g} times the usual loss of such targets"}
        return Measured(PARTLY, "loss", words=words, remedies=("fix_loss", "rate_x0.1"))
    if e.rows.task == "classification" and loss.form == "values":
        words = {
            "what": f"{loss.kind} for classes learns slowly from outputs that are sure and wrong"
        }
        return Measured(PARTLY, "loss", words=words)
    return None


def _sure(what: str, **more: Any) -> Measured:
    return Measured(1.0, "loss", words={"what": what}, sure=True, **more)


RULES = (
    Rule("wrong_head", "head", ("recipe",), wrong_head, 0.02,
         "The head does not fit: {what}.",
         "Range of the last activation against the targets; UMLAUT and NeuraLint list such heads.",
         ("fix_head", "fix_loss")),
    Rule("wrong_loss", "head", ("recipe",), wrong_loss, PARTLY,
         "The loss does not fit: {what}.",
         "Own measure: losses of outputs made right and wrong; derivatives between examples.",
         ("fix_loss", "fix_head")),
)  # fmt: skip
