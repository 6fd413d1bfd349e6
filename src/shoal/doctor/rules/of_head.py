"""Rules about head and loss: whether what the network ends with can say what the targets ask."""

import numpy as np

from shoal.doctor.evidence import Evidence
from shoal.doctor.rules.rule import Measured, Rule
from shoal.errors import DataError, ShapeError

ONE_SIDED = ("ReLU", "Sigmoid", "HardSigmoid", "Softplus", "Softmax", "LogSoftmax", "Tanh",
             "Softsign", "HardSwish", "ELU", "SELU", "CELU", "GELU", "SiLU", "Swish", "Mish")  # fmt: skip


def wrong_head(e: Evidence) -> Measured | None:
    """Share of targets out of the reach of the outputs; sure where outputs cannot say anything."""
    if e.has("refusal"):
        return _refused_head(e)
    body = e.recipe.body.layers[-1]
    z = e.probe.z.reshape(len(e.probe.z), -1)
    if z.shape[1] == 1 and body.kind in ("Softmax", "LogSoftmax"):
        words = {"what": f"{body.kind} of one unit is always {float(z[0, 0]):.0f}"}
        return Measured(1.0, body.kind, words=words, sure=True)
    facts = getattr(body, "facts", None)
    if facts is None:
        return None
    low, high = facts.range
    if e.recipe.loss.form == "values":
        t = e.probe.t.reshape(len(e.probe.t), -1)
        out = float(((t < low - 1e-6) | (t > high + 1e-6)).mean())
        words = {"what": f"{out:.0%} of the targets lie outside of what {body.kind} can give"}
        return Measured(out, body.kind, words=words, sure=out > 0.2)
    if body.kind in ("Softmax", "LogSoftmax"):
        words = {"what": f"{body.kind} is taken once more by the loss"}
        return Measured(0.5, body.kind, words=words, remedies=("drop_head_softmax", "fix_head"))
    if not (np.isfinite(low) or np.isfinite(high)):
        return None
    words = {
        "what": f"{body.kind} limits logits, which need both signs, to {low:g} and above"
        if not np.isfinite(high)
        else f"{body.kind} keeps logits between {low:g} and {high:g}"
    }
    return Measured(0.5, body.kind, words=words)


def _refused_head(e: Evidence) -> Measured | None:
    error = e.refusal
    if isinstance(error, ShapeError) and "network for" in error.thing:
        words = {"what": f"{error.thing} needs {error.required}, got {error.got}"}
        return Measured(1.0, words=words, sure=True, remedies=("fix_head", "fix_loss"))
    return None


def wrong_loss(e: Evidence) -> Measured | None:
    """Whether the loss rewards what is right, each example by itself, and at its usual size."""
    if e.has("refusal"):
        error = e.refusal
        if (
            isinstance(error, DataError)
            and "required" in vars(error)
            and "Loss" in error.thing + "Loss"
        ):
            named = repr(e.recipe.loss)
            if named in error.thing and "row" not in error.got:
                return Measured(1.0, "loss", words={"what": str(error)}, sure=True)
        return None
    p, loss = e.probe, e.recipe.loss
    if p.right >= p.wrong:
        what = f"right outputs cost {p.right:.3g}, wrong ones {p.wrong:.3g}"
        return Measured(1.0, "loss", words={"what": what}, sure=True)
    if p.mixing > 1e-6 and not _batched(e):
        what = f"the loss of an example changes with other examples ({p.mixing:.2g} of its own)"
        return Measured(1.0, "loss", words={"what": what}, sure=p.mixing > 0.5)
    if loss.kind == "CustomLoss":
        ratio = float(np.mean(p.losses)) / p.usual if p.usual > 0 else 1.0
        if ratio > 8 or ratio < 0.1:
            what = f"it is {ratio:.3g} times the usual loss of such targets"
            return Measured(0.5, "loss", words={"what": what}, remedies=("fix_loss", "rate_x0.1"))
    ends = e.recipe.net.layers[-1].kind
    if e.rows.task == "classification" and loss.form == "values":
        what = f"{loss.kind} for classes, behind {ends}, learns slowly from outputs that are sure and wrong"
        return Measured(0.5, "loss", words={"what": what})
    return None


def _batched(e: Evidence) -> bool:
    """Whether a layer lets examples of a batch see each other by its nature."""
    every = [inner for layer in e.recipe.net.layers for inner in layer.every()]
    return any(layer.kind == "BatchNorm" for layer in every)


RULES = (
    Rule("wrong_head", "head", ("recipe",), wrong_head, 0.02,
         "The head does not fit: {what}.",
         "Range of the last activation against the targets; UMLAUT, NeuraLint list such heads.",
         ("fix_head", "fix_loss")),
    Rule("wrong_loss", "head", ("recipe",), wrong_loss, 0.5,
         "The loss does not fit: {what}.",
         "Own measure: losses of outputs made right and wrong; derivatives between examples.",
         ("fix_loss", "fix_head")),
)  # fmt: skip
