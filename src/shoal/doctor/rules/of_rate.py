"""Rules about the learning rate and the optimiser, read from how far a step moves the weights."""

import numpy as np

from shoal.arrays import Numbers
from shoal.doctor.evidence import Evidence
from shoal.doctor.rules.rule import ALWAYS, Measured, Rule
from shoal.optim import ClipByNorm, ClipByValue

SLOW_KINDS = ("SGD", "AdaDelta", "AdaGrad", "GradientDescent", "Rprop", "EMAMomentum")


def first_ratio(e: Evidence) -> float:
    """|update| / |weights| of a typical layer that first steps make, foreseen from the probe."""
    ratios = []
    for layer in e.probe.learning:
        size = sum(layer.weights[path].size for path in layer.decays)
        if layer.weight_norm == 0:
            continue
        step = np.sqrt(size) if e.setting.adaptive else layer.gradient_norm
        ratios.append(e.setting.rate * step / layer.weight_norm)
    return float(np.median(ratios)) if ratios else float("nan")


def update_ratios(e: Evidence) -> Numbers:
    """The ratio of the median layer in each epoch that was looked at; empty without signals."""
    if not e.has("signals") or not e.signals.get("update_ratio"):
        return np.zeros(0)
    every = np.stack(list(e.signals["update_ratio"].values()))
    every = every[:, ~np.isnan(every).all(axis=0)]  # epochs that were not looked at
    return np.median(np.where(np.isfinite(every), every, 1e9), axis=0)


def travel(e: Evidence) -> float:
    """How many times their own length the weights of the median layer moved, all steps added."""
    recorded = update_ratios(e)
    if len(recorded):
        return float(recorded.mean() * e.setting.steps * e.curves.epochs)
    return float(first_ratio(e)) * e.setting.steps * e.curves.epochs


def underfits(e: Evidence, share: float = 0.05) -> bool:
    """Whether training rows, too, are predicted worse than by simple models on rows left out."""
    return e.level.train_gap > share


def learning_on(e: Evidence) -> bool:
    """Whether the training loss still falls at the end, or there were too few epochs to say."""
    return e.curves.epochs < 4 or falling(e)


def falling(e: Evidence) -> bool:
    """Whether the training loss still falls at the end."""
    return e.curves.fall(e.curves.train) > 0.02


def rate_too_high(e: Evidence) -> Measured | None:
    """The ratio of updates to weights, where the rate is above the usual or learning unstable."""
    recorded = update_ratios(e)
    peak = float(recorded.max()) if len(recorded) else 0.0
    ratio = max(first_ratio(e), min(peak, 1e6)) if e.has("probe") else peak
    factor = e.setting.rate / e.setting.usual_rate
    if factor < 3 and not (e.has("curves") and _unstable(e)):
        return None
    words = {"rate": e.setting.rate, "factor": factor, "optimiser": e.setting.optimiser}
    sure = e.has("curves") and not e.curves.finite and factor > 3
    return Measured(ratio, "optimiser.learning_rate", words=words, sure=sure)


def _unstable(e: Evidence) -> bool:
    losses = e.curves.train
    if not e.curves.finite or len(losses) < 2:
        return not e.curves.finite
    worse = losses[-1] > 1.5 * losses.min() + 1e-9 or losses.max() > 2 * e.curves.initial
    return bool(worse or e.curves.oscillation > 0.1)


def rate_too_low(e: Evidence) -> Measured | None:
    """The usual rate over this one, where the weights have hardly moved and training underfits."""
    factor = e.setting.usual_rate / max(e.setting.rate, 1e-300)
    words = {"rate": e.setting.rate, "optimiser": e.setting.optimiser, "travel": float("nan")}
    if e.has("level"):
        if not underfits(e):
            return None
        words["travel"] = travel(e)
    return Measured(factor, "optimiser.learning_rate", words=words)


def unfit_optimiser(e: Evidence) -> Measured | None:
    """Settings of the optimiser that make steps too short, or a kind too slow for its budget."""
    optimiser = e.recipe.optimiser
    epsilon = float(getattr(optimiser, "epsilon", 0.0))
    if optimiser.kind in ("Adam", "AdamW", "NAdam", "RMSprop", "LAMB") and epsilon >= 1e-3:
        words = {"what": f"epsilon = {epsilon:g} is larger than most gradients"}
        return Measured(epsilon / 1e-3 + 1, "optimiser.epsilon", words=words,
                        remedies=("usual_optimiser", "adam", "rate_x10"))  # fmt: skip
    if optimiser.kind not in SLOW_KINDS or not underfits(e) or not e.curves.finite:
        return None
    moved = travel(e)
    words = {"what": f"in {e.curves.epochs} epochs {optimiser.kind} moved the weights "
             f"{moved:.2g} times their length"}  # fmt: skip
    return Measured(1.0 / max(moved, 1e-9), "optimiser", words=words)


def clipping(e: Evidence) -> Measured | None:
    """Typical gradient norm over the limit, where steps depend on the length of the gradient."""
    clip = e.recipe.clip
    if clip is None or e.setting.adaptive:
        return None
    norm = float(np.nanmedian(e.curves.series("gradient_norm")))
    limit = set_to = float(getattr(clip, "limit", np.inf))
    if isinstance(clip, ClipByValue) and e.has("probe"):
        limit = limit * float(
            np.sqrt(sum(w.size for s in e.probe.layers for w in s.weights.values()))
        )
    kind = "norm" if isinstance(clip, ClipByNorm) else "value"
    words = {"norm": norm, "limit": set_to, "kind": kind}
    return Measured(norm / limit, "clip", words=words)


def schedule(e: Evidence) -> Measured | None:
    """Mean rate of the training as a share of the rate that was set."""
    rates = e.curves.series("learning_rate")
    base = e.recipe.optimiser.learning_rate
    if not len(rates) or base <= 0 or not underfits(e, 0.02):
        return None
    share = float(np.mean(rates)) / base
    return Measured(share, "schedule", words={"last": float(rates[-1]), "base": base})


def oscillation(e: Evidence) -> Measured | None:
    """Jumps of the training loss in the second half, relative to its level."""
    return Measured(e.curves.oscillation)


def divergence(e: Evidence) -> Measured | None:
    """Training loss at the end over the lowest before it, counting the loss before training."""
    losses = e.curves.train[np.isfinite(e.curves.train)]
    if not len(losses):
        return None
    low = float(np.nanmin([losses.min(), e.curves.initial]))
    if low <= 0:
        return None
    words = {"last": float(losses[-1]), "low": low}
    return Measured(float(losses[-1]) / low, words=words)


def not_finite(e: Evidence) -> Measured | None:
    """Whether loss or gradient stopped being finite; names the first bad tensor."""
    if e.has("curves") and e.curves.finite:
        return None
    if not e.has("curves"):
        if e.probe.finite:
            return None
        return Measured(1.0, bad_layer(e), words={"what": "before the first step"})
    place = e.get("first_bad") if e.has("first_bad") else ("", "")
    words = {"what": f"in epoch {e.curves.epochs + 1}{', ' + place[1] if place[1] else ''}"}
    return Measured(1.0, place[0], e.curves.epochs + 1, words, sure=True)


def bad_layer(e: Evidence) -> str:
    """The first layer of the probe with an output that is not finite; "loss" where all are."""
    for layer in e.probe.layers:
        if not np.isfinite(layer.outputs).all():
            return layer.name
    return "loss"


RULES = (
    Rule("rate_too_high", "rate", ("setting",), rate_too_high, 0.15,
         "The rate {rate:g} is {factor:.3g} times the usual one of {optimiser}; a step changes the "
         "weights of a layer by {value:.2g} of their length.",
         "Healthy steps change weights by about 1e-3; DeepDiagnosis alarms beyond 1e-1.",
         ("rate_x0.1", "rate_x0.01", "usual_rate", "lower_momentum", "warm_up", "clip_gradients")),
    Rule("rate_too_low", "rate", ("setting",), rate_too_low, 5,
         "The rate {rate:g} is a {value:.3g}th of the usual one of {optimiser}; the weights moved "
         "{travel:.2g} times their length.",
         "Own measure: a factor of five below the usual rate.",
         ("usual_rate", "rate_x10", "rate_x100", "adam")),
    Rule("unfit_optimiser", "rate", ("recipe", "setting", "level", "curves"), unfit_optimiser, 1,
         "The optimiser does not fit: {what}.",
         "Own measure: weights must move about their own length to forget their draw.",
         ("adam", "rate_x10", "sgd_momentum", "usual_optimiser")),
    Rule("clipping", "rate", ("recipe", "setting", "curves"), clipping, 10,
         "Gradients have a norm of {norm:.3g} and are cut to a {kind} of {limit:g}.",
         "Google's tuning playbook: clipping more than half of the steps is a lower rate.",
         ("remove_clipping", "adam", "rate_x10")),
    Rule("schedule", "rate", ("recipe", "level", "curves"), schedule, 0.2,
         "The rate fell from {base:g} to {last:.2g} and was {value:.0%} of it on average.",
         "Own measure; cosine and one-cycle schedules keep 45 to 50 %.",
         ("constant_rate", "warm_up", "rate_x10"), below=True),
    Rule("not_finite", "rate", (), not_finite, 1,
         "The loss or its gradient stopped being finite {what}.",
         "The step that would take it is refused; see the documents on training.",
         ("rate_x0.1", "clip_gradients", "usual_init", "fix_loss"), ALWAYS, symptom=True),
    Rule("divergence", "rate", ("curves",), divergence, 1.5,
         "The training loss ends at {last:.3g}, above {low:.3g} where it was before.",
         "TheDeepChecker calls twice the lowest loss diverging.",
         ("rate_x0.1", "rate_x0.01", "clip_gradients"), symptom=True),
    Rule("oscillation", "rate", ("curves",), oscillation, 0.1,
         "The training loss jumps by {value:.0%} of its level from epoch to epoch.",
         "Own measure; AutoTrainer looks for jumps of the accuracy by 3 % in a fifth of epochs.",
         ("rate_x0.1", "larger_batch", "constant_rate"), symptom=True),
)  # fmt: skip
