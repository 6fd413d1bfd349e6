"""Rules about architecture: what a network of this shape cannot say or cannot learn."""

from shoal.doctor.evidence import Evidence
from shoal.doctor.rules.of_rate import underfits
from shoal.doctor.rules.rule import Measured, Rule
from shoal.nets import Layer
from shoal.nets.activation import Activation

EASING = ("Residual", "BatchNorm", "LayerNorm", "GroupNorm", "RMSNorm")
CURVED = ("GRU", "LSTM", "RNN", "SelfAttention", "MaxPool", "GlobalMaxPool", "Softmax",
          *EASING[1:])  # fmt: skip
CARRIED = 0.6
"""Share of the score of a simple model that a code must be able to carry."""


def _every(e: Evidence) -> list[Layer]:
    return [inner for layer in e.recipe.body.layers for inner in layer.every()]


def no_hidden_activation(e: Evidence) -> Measured | None:
    """Layers with weights that follow one another with nothing curved between."""
    layers = e.recipe.body.layers
    affine = e.probe.learning
    curved = any(
        (isinstance(layer, Activation) and layer.kind != "Identity") or layer.kind in CURVED
        for layer in _every(e)
        if layer is not layers[-1]
    )
    if curved or len(affine) < 2:
        return None
    if e.has("level"):
        linear, best = e.level.baselines.named("linear"), e.level.baselines.best
        gain = best.score - linear.score if best and linear else 0.0
        words = {
            "count": len(affine),
            "gain": f"; a curved model gains {gain:.2f} over a linear one",
        }
        return Measured(float(len(affine)), words=words)
    return Measured(float(len(affine)), words={"count": len(affine), "gain": ""})


def hidden_softmax(e: Evidence) -> Measured | None:
    """Softmax between layers with weights."""
    body = e.recipe.body.layers
    places = [n for n, layer in enumerate(body) if layer.kind in ("Softmax", "LogSoftmax")]
    places = [n for n in places if any(s.decays for s in e.probe.layers[n + 1 :])]
    where = e.probe.layers[places[0]].name if places else ""
    return Measured(float(len(places)), where)


def too_narrow(e: Evidence) -> Measured | None:
    """Units of the narrowest layer over those that the task needs."""
    carried = e.level.baselines.carried
    widths = [(s.outputs.shape[-1], s.name) for s in e.probe.learning[:-1]]
    if not widths or not (underfits(e) or carried < CARRIED):
        return None
    width, where = min(widths)
    needed = min(e.level.rows.x.shape[1], max(e.level.rows.classes - 1, e.probe.z.shape[-1], 4))
    if carried < CARRIED:
        what = f"{carried:.0%} of what can be told pass through so few numbers"
        return Measured(0.0, where, words={"width": width, "what": what}, sure=True)
    what = f"training rows score {e.level.train:.3g}, {_best(e):.3g} with a simple model"
    value = width / max(needed, 1) if e.level.baselines.carried == 1.0 else 1.0
    return Measured(value, where, words={"width": width, "what": what})


def _best(e: Evidence) -> float:
    best = e.level.baselines.best
    return best.score if best else float("nan")


def too_deep(e: Evidence) -> Measured | None:
    """Layers with weights one after another, without shortcut or normalisation."""
    if any(layer.kind in EASING for layer in _every(e)):
        return None
    if e.has("level") and not underfits(e, 0.03):
        return None
    return Measured(float(len(e.probe.learning)), words={"count": len(e.probe.learning)})


RULES = (
    # A softmax belongs to the head: its place is known before anything is trained.
    Rule("hidden_softmax", "head", ("recipe", "probe"), hidden_softmax, 1,
         "A softmax stands between layers: its outputs sum to 1 and hide the size of its inputs.",
         "Own probe: harmful in 5 of 7 data sets.", ("relu", "hidden_activation")),
    Rule("no_hidden_activation", "architecture", ("recipe", "probe"), no_hidden_activation, 2,
         "{count} layers without an activation between them are one linear layer{gain}.",
         "A product of matrices is a matrix.", ("hidden_activation", "relu")),
    Rule("too_narrow", "architecture", ("recipe", "probe", "level"), too_narrow, 0.7,
         "The narrowest hidden layer has {width} units, and {what}.",
         "Own measure.", ("wider", "deeper", "relu"), below=True),
    Rule("too_deep", "architecture", ("recipe", "probe"), too_deep, 10,
         "{count} layers follow one another without shortcut or normalisation.",
         "He et al. 2016: plain networks get worse with depth.",
         ("residual", "layer_norm", "batch_norm", "shallower", "relu")),
)  # fmt: skip
