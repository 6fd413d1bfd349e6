"""Rules about regularisation, epochs and batches, and the symptoms that nothing above explains."""

from typing import Any

import numpy as np

from shoal.doctor.evidence import Evidence
from shoal.doctor.rules.of_rate import falling, learning_on, travel, underfits
from shoal.doctor.rules.rule import Measured, Rule

DROPPING = ("Dropout", "SpatialDropout")
LEARNED = 0.1
"""Score above chance on training rows from where on something was learned at all."""


def too_much_regularisation(e: Evidence) -> Measured | None:
    """Dropout over one half, or a penalty that outweighs the loss, where training underfits."""
    if e.has("level") and not underfits(e, 0.03):
        return None
    every = [inner for layer in e.recipe.net.layers for inner in layer.every()]
    rate = max(
        (float(getattr(layer, "rate", 0.0)) for layer in every if layer.kind in DROPPING),
        default=0.0,
    )
    found = [(rate / 0.5, f"dropout drops {rate:.0%} of the numbers", "no_dropout less_dropout")]
    found.append(
        (_penalty(e) / 0.3, f"the penalty is {_penalty(e):.0%} of the objective", "no_l2 less_l2")
    )
    decay = float(getattr(e.recipe.optimiser, "weight_decay", 0.0))
    found.append((decay / 0.2, f"weight decay is {decay:g}", "no_l2 less_l2"))
    value, what, names = max(found)
    return Measured(value, words={"what": what}, remedies=tuple(names.split()))


def _penalty(e: Evidence) -> float:
    if not e.has("curves") or not e.recipe.penalised:
        return 0.0
    penalty, loss = e.curves.series("penalty"), e.curves.train
    if not len(penalty) or not len(loss):
        return 0.0
    share = np.abs(penalty) / np.maximum(np.abs(penalty) + np.abs(loss), 1e-300)
    # At the end a strong penalty has made the weights small, and itself: the first epoch shows it.
    return float(max(share[0], share[-1]))


def overfitting(e: Evidence) -> Measured | None:
    """Training less validation score, as a share of the training score above chance."""
    level, curves = e.level, e.curves
    if level.train - level.chance < LEARNED or underfits(e, 0.2):
        return None
    risen = _risen(e)
    few = level.rows.everything < 100
    words = {"train": level.train, "validation": level.validation, "risen": risen,
             "rows": level.rows.everything}  # fmt: skip
    sure = level.overfit > 0.3 and (risen > 1.3 or few) and curves.finite
    return Measured(level.overfit, words=words, sure=sure)


def _risen(e: Evidence) -> float:
    """Validation loss of the weights kept over the lowest."""
    losses = e.curves.validation
    if not len(losses) or not np.isfinite(losses).any() or np.nanmin(losses) <= 0:
        return 1.0
    kept = losses[min(e.curves.kept, len(losses)) - 1]
    return float(kept / np.nanmin(losses))


def over_training(e: Evidence) -> Measured | None:
    """Validation loss of the weights that are kept over the lowest of the training."""
    losses = e.curves.validation
    if len(losses) < 8 or e.level.overfit < 0.05:
        return None
    best = int(np.nanargmin(losses)) + 1
    words = {"best": best, "kept": e.curves.kept, "low": float(np.nanmin(losses))}
    return Measured(_risen(e), epoch=best, words=words)


def too_few_epochs(e: Evidence) -> Measured | None:
    """Epochs that were trained, where the loss still fell."""
    if not e.curves.epochs or not learning_on(e) or not e.curves.finite:
        return None
    words = {"travel": travel(e), "still": ", and its loss was still falling" * falling(e)}
    return Measured(float(e.curves.epochs), "epochs", words=words)


def batch_too_large(e: Evidence) -> Measured | None:
    """Steps in an epoch; 0 where a batch is larger than the training split."""
    if e.has("refusal"):
        error = e.refusal
        if error.thing != "Recipe(batch_size)":
            return None
        words: dict[str, Any] = {"batch": error.got, "rows": error.required.split()[3]}
        return Measured(0.0, "batch_size", words=words, sure=True)
    if e.setting.batch < 64 or (e.has("level") and not underfits(e, 0.02)):
        return None
    words = {"batch": e.setting.batch, "rows": e.setting.rows}
    return Measured(float(e.setting.steps), "batch_size", words=words)


def batch_too_small(e: Evidence) -> Measured | None:
    """Examples in a batch."""
    return Measured(float(e.setting.batch), "batch_size")


def evaluation_mode(e: Evidence) -> Measured | None:
    """Loss as for prediction over loss as in training, of the same rows."""
    training, predicting = e.modes
    words = {"training": training, "predicting": predicting}
    return Measured(predicting / training if training > 0 else float("nan"), words=words)


def plateau(e: Evidence) -> Measured | None:
    """Share of the loss of the best constant that training took away, where it moves no more."""
    losses = e.curves.train
    moving = e.curves.fall(losses) > 0.05
    if len(losses) < 4 or moving or not np.isfinite(e.curves.guess) or e.curves.guess <= 0:
        return None
    words = {"last": float(losses[-1]), "guess": e.curves.guess}
    return Measured(float(losses[-1]) / e.curves.guess, words=words)


def slow_convergence(e: Evidence) -> Measured | None:
    """Share of its whole fall that the training loss still fell in its last third."""
    if e.curves.epochs < 4 or not underfits(e, 0.03):
        return None
    return Measured(e.curves.fall(e.curves.train))


RULES = (
    Rule("too_much_regularisation", "regularisation", ("recipe",), too_much_regularisation, 1.05,
         "Regularisation is strong: {what}.",
         "UMLAUT warns of dropout above one half; the share of the penalty by own measurement.",
         ("no_dropout", "no_l2", "less_dropout", "less_l2")),
    Rule("overfitting", "regularisation", ("level", "curves"), overfitting, 0.12,
         "Training scores {train:.3g} and validation {validation:.3g} on {rows} training rows; the "
         "validation loss kept is {risen:.3g} times its lowest.",
         "SageMaker Debugger's Overfit takes a tenth of the loss; here of the score above chance.",
         ("early_stopping", "l2", "dropout", "fewer_epochs", "no_dropout")),
    Rule("over_training", "regularisation", ("level", "curves"), over_training, 1.3,
         "The validation loss was lowest ({low:.3g}) in epoch {best}; the weights of epoch {kept} "
         "are kept, at {value:.3g} times that.",
         "Google's tuning playbook: a best step early in a run means that the run is too long.",
         ("early_stopping", "fewer_epochs")),
    Rule("too_few_epochs", "budget", ("curves", "setting"), too_few_epochs, 12,
         "The training lasted {value:.0f} epochs{still}.",
         "Own measure.", ("more_epochs", "rate_x10"), below=True),
    Rule("batch_too_large", "budget", (), batch_too_large, 4,
         "Batches of {batch} out of {rows} rows leave {value:.0f} steps in an epoch.",
         "Keskar et al. 2017; the number of steps by own measurement.",
         ("batch_32", "smaller_batch", "more_epochs", "rate_x10"), below=True),
    Rule("batch_too_small", "budget", ("setting",), batch_too_small, 2,
         "Batches hold {value:.0f} examples: every step follows its own noise.",
         "Own probe: never harmful with Adam at its usual rate.",
         ("batch_32", "larger_batch", "rate_x0.1"), below=True),
    Rule("evaluation_mode", "architecture", ("modes",), evaluation_mode, 1.5,
         "The same rows cost {predicting:.3g} as for prediction and {training:.3g} as in training.",
         "TheDeepChecker compares both modes; the factor by own measurement.",
         ("more_epochs", "layer_norm", "larger_batch")),
    Rule("plateau", "budget", ("curves",), plateau, 0.9,
         "The training loss stands at {last:.3g}; the best constant has {guess:.3g}.",
         "Karpathy's recipe: the loss of a guess is log C, or the variance of the target.",
         ("rate_x10", "adam", "usual_init", "relu", "rate_x0.1"), symptom=True),
    Rule("slow_convergence", "budget", ("curves", "level"), slow_convergence, 0.05,
         "The training loss did {value:.0%} of its fall in the last third of the training.",
         "Own measure; AutoTrainer asks for gains of accuracy below 1 % an epoch.",
         ("more_epochs", "rate_x10", "adam"), symptom=True),
)  # fmt: skip
