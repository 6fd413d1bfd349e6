"""Rules about initial weights and the flow of signals, read by depth and not from one layer."""

import numpy as np

from shoal.doctor.evidence import Evidence
from shoal.doctor.probe import Seen
from shoal.doctor.rules.rule import Measured, Rule

TINY = 1e-30


def hidden(e: Evidence) -> tuple[Seen, ...]:
    """The layers with weights but for the last, which is the head."""
    return e.probe.learning[:-1]


def symmetric_init(e: Evidence) -> Measured | None:
    """Share of hidden layers whose units all give the same for every example."""
    layers = [s for s in hidden(e) if s.outputs.ndim > 1 and s.outputs.shape[-1] > 1]
    same = [s.name for s in layers if np.ptp(s.units, axis=-1).max() == 0]
    if not layers:
        return None
    words = {"names": ", ".join(same[:3]), "count": len(same)}
    return Measured(float(len(same)), same[0] if same else "", words=words)


def bad_init_scale(e: Evidence) -> Measured | None:
    """How far, in factors, weights are from the size that keeps the variance of signals."""
    worst, where, size = 1.0, "", 1.0
    for layer in hidden(e):
        for path in layer.decays:
            w, fan = layer.weights[path].astype(np.float64), layer.fans.get(path, 1)
            if fan < 2 or w.std() == 0:
                continue
            scale = float(np.sqrt((w**2).mean() * fan))
            factor = max(scale / 1.5, 1.0 / scale)
            if factor > worst:
                worst, where, size = factor, layer.name, scale
    biases = [
        (float(np.abs(w).max()), layer.name)
        for layer in hidden(e)
        for path, w in layer.weights.items()
        if path.endswith("bias") and w.size
    ]
    largest, place = max(biases, default=(0.0, ""))
    if largest > worst:
        words = {"what": f"biases are as large as {largest:.3g}"}
        return Measured(largest, place, words=words, sure=False)
    words = {"what": f"weights times the root of their fan-in are {size:.3g} in size"}
    return Measured(worst, where, words=words)


def profile(e: Evidence) -> tuple[list[str], np.ndarray]:
    """Names of layers with weights and their gradient norms, before training."""
    layers = e.probe.learning
    return [layer.name for layer in layers], np.array([layer.gradient_norm for layer in layers])


def vanishing_gradients(e: Evidence) -> Measured | None:
    """Gradient of the first layers over that of the last, before training or at the end."""
    names, norms = profile(e)
    if len(norms) < 4 or not np.isfinite(norms).all() or norms[-1] <= 0:
        return None
    half = len(norms) // 2
    ratio = float(np.median(norms[:half]) / np.median(norms[half:].clip(TINY)))
    ratio = min(ratio, float(norms[0] / norms[-1].clip(TINY)))
    words = {"first": float(norms[0]), "last": float(norms[-1]), "layers": len(norms)}
    return Measured(ratio, names[0], words=words)


def exploding_gradients(e: Evidence) -> Measured | None:
    """Growth of activations or of gradients from one end of the network to the other."""
    names, norms = profile(e)
    if len(norms) < 4:
        return None
    spreads = [s.spread for s in e.probe.learning]
    if not np.isfinite(norms).all() or not np.isfinite(spreads).all():
        return Measured(np.inf, names[0], words={"first": np.inf, "last": spreads[0]})
    growth = spreads[-1] / max(spreads[0], TINY)
    backward = float(norms[0] / max(norms[-1], TINY)) if norms[-1] > 0 else 0.0
    words = {"first": spreads[0], "last": spreads[-1]}
    return Measured(max(growth, backward), names[-1], words=words)


def _by_signal(e: Evidence, what: str, skip: tuple[str, ...] = ()) -> tuple[float, str, int]:
    """The largest share that a signal ends with, its layer, and the epoch it first came near."""
    worst, where, epoch = 0.0, "", 0
    if e.has("signals"):
        for layer, series in e.signals.get(what, {}).items():
            values = series[np.isfinite(series)]
            if layer in skip or not len(values) or values[-1] <= worst:
                continue
            worst, where = float(values[-1]), layer
            epoch = int(np.argmax(values >= 0.9 * worst)) + 1
    return worst, where, epoch


def _layers(e: Evidence) -> tuple[Seen, ...]:
    return e.probe.layers if e.has("probe") else ()


def _activations(e: Evidence, sides: tuple[str, ...]) -> list[Seen]:
    """Hidden activations that go flat on some sides."""
    layers = e.probe.layers[:-1] if e.probe.layers else ()
    return [s for s in layers if getattr(getattr(s.layer, "facts", None), "saturates", "") in sides]


def _equal(e: Evidence) -> bool:
    """Whether units begin equal, which explains everything else about them."""
    found = symmetric_init(e) if e.has("probe") else None
    return found is not None and found.value > 0


def dead_relu(e: Evidence) -> Measured | None:
    """Largest share of units of a rectifying layer that never wake up."""
    if _equal(e):
        return None
    worst, where, epoch = _by_signal(e, "dead", _not_rectifiers(e))
    if e.has("probe"):
        for seen in _activations(e, ("left",)):
            if seen.layer.facts.range[0] != 0.0:
                continue
            share = float((np.ptp(seen.units, axis=0) == 0).mean())
            if share >= max(worst, 0.5):
                worst, where, epoch = share, seen.name, 0
    words = {"when": "before training" if epoch == 0 else f"from epoch {epoch} on"}
    remedies = ("usual_init", "leaky_relu", "selu", "batch_norm") if epoch == 0 else ()
    return Measured(worst, where, epoch, words, remedies=remedies)


def _not_rectifiers(e: Evidence) -> tuple[str, ...]:
    if not e.has("probe"):
        return ()
    return tuple(s.name for s in e.probe.layers if s not in _activations(e, ("left",)))


def saturation(e: Evidence) -> Measured | None:
    """Largest share of outputs of a bounded activation that lie at its ends."""
    if _equal(e):
        return None
    last = tuple(s.name for s in _layers(e) if s.kind == "Softmax" or s is _layers(e)[-1])
    worst, where, epoch = _by_signal(e, "saturated", last)
    if e.has("probe"):
        for seen in _activations(e, ("both",)):
            if seen.kind == "Softmax":  # most shares of many are small
                continue
            low, high = seen.layer.facts.range
            edge = 0.05 * (high - low)
            share = float(((seen.outputs < low + edge) | (seen.outputs > high - edge)).mean())
            if share >= max(worst, 0.4):
                worst, where, epoch = share, seen.name, 0
    words = {"when": "before training" if epoch == 0 else f"from epoch {epoch} on"}
    return Measured(worst, where, epoch, words)


def frozen_layers(e: Evidence) -> Measured | None:
    """Layers with weights that no step ever changes, though what they give varies."""
    if e.has("forgotten"):
        names = e.get("forgotten")
        words = {"names": ", ".join(names[:3]), "count": len(names)}
        words["why"] = ": they ask for gradients, but the optimiser does not hold them"
        return Measured(float(len(names)), names[0], words=words)
    ratios = e.signals.get("update_ratio", {}) if e.has("signals") else {}
    frozen = [name for name, series in ratios.items() if len(series) and not np.any(series)]
    if not ratios and e.has("probe"):
        later = [s.weight_norm for s in e.probe.learning[1:]]
        frozen = [s.name for s in e.probe.learning if s.gradient_norm == 0 and s.weight_norm > 0]
        frozen = [] if not all(later) or len(frozen) == len(e.probe.learning) else frozen
    if ratios and len(frozen) == len(ratios):
        return None  # nothing learns: not these layers, but what all of them get
    if frozen and dead_share(e) == 1.0:
        return None
    words = {"names": ", ".join(frozen[:3]), "count": len(frozen), "why": ""}
    return Measured(float(len(frozen)), frozen[0] if frozen else "", words=words)


def dead_share(e: Evidence) -> float:
    """The share of dead units of the worst layer."""
    found = dead_relu(e)
    return found.value if found else 0.0


RULES = (
    Rule("symmetric_init", "init", ("probe",), symmetric_init, 1,
         "Units of {count} hidden layers ({names}) begin equal, and equal units learn the same.",
         "Rumelhart, Hinton and Williams 1986: weights must be drawn to break the symmetry.",
         ("usual_init",)),
    Rule("bad_init_scale", "init", ("probe",), bad_init_scale, 3.5,
         "Initial {what}; about 1 to 1.4 keeps the variance of signals.",
         "Glorot and Bengio 2010; He et al. 2015; the factor by own measurement.",
         ("usual_init", "batch_norm", "layer_norm")),
    Rule("exploding_gradients", "init", ("probe",), exploding_gradients, 8,
         "Outputs of layers grow from {first:.2g} to {last:.2g} through the depth, or gradients as "
         "much on the way back.",
         "Own measure by depth; AutoTrainer asks for a ratio of gradients of 70.",
         ("usual_init", "layer_norm", "batch_norm", "clip_gradients", "rate_x0.1")),
    Rule("dead_relu", "init", (), dead_relu, 0.6,
         "{value:.0%} of the units never wake up {when}.",
         "SageMaker Debugger flags a layer at 50 %; healthy sparse networks reach that.",
         ("rate_x0.1", "leaky_relu", "selu", "usual_init", "batch_norm")),
    Rule("saturation", "init", (), saturation, 0.5,
         "{value:.0%} of the outputs lie at the ends of the range {when}.",
         "DeepDiagnosis and SageMaker Debugger take half.",
         ("usual_init", "scale_inputs", "relu", "batch_norm", "rate_x0.1")),
    Rule("frozen_layers", "architecture", (), frozen_layers, 1,
         "{count} layers with weights ({names}) are never changed{why}.",
         "SageMaker Debugger's UnchangedTensor.", ("unfreeze",)),
    Rule("vanishing_gradients", "architecture", ("probe",), vanishing_gradients, 1e-2,
         "The gradient is {first:.2g} at the first and {last:.2g} at the last of {layers} layers.",
         "Hochreiter 1991; by depth profile. AutoTrainer asks for a ratio of 1e-3.",
         ("relu", "batch_norm", "layer_norm", "residual", "usual_init", "selu", "shallower"),
         below=True),
)  # fmt: skip
