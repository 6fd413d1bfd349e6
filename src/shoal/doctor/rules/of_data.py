"""Rules about the data: what is in the rows, before any network is asked."""

import math

import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import Table
from shoal.doctor.baselines import Baseline
from shoal.doctor.evidence import Evidence
from shoal.doctor.rules.rule import ALWAYS, NEVER, Measured, Rule

FEW = 1e-9
FEWEST = 30
"""Rows that it takes to say that labels tell nothing."""
HARM = 0.08
"""Share of the range by which validation must fall behind training rows left out."""
NORMALISING = ("BatchNorm", "LayerNorm", "GroupNorm", "RMSNorm")


def nan_data(e: Evidence) -> Measured | None:
    """Inputs and targets that are not finite. Tables impute what is missing."""
    x = None if isinstance(e.data.inputs, Table) else np.asarray(e.data.inputs)
    bad, where = 0, ""
    if x is not None and x.dtype.kind == "f":
        places = np.argwhere(~np.isfinite(x))
        bad = len(places)
        where = (
            f"row {places[0][0]}, position {tuple(int(i) for i in places[0][1:])}" if bad else ""
        )
    t = np.asarray(e.data.targets)
    if not bad and t.dtype.kind == "f" and not np.isfinite(t).all():
        bad, where = (
            int((~np.isfinite(t)).sum()),
            f"the target of row {np.argwhere(~np.isfinite(t))[0][0]}",
        )
    return Measured(bad, where, words={"count": bad})


def impossible_labels(e: Evidence) -> Measured | None:
    """Codes outside of the classes; targets that the loss cannot take."""
    t = np.asarray(e.data.targets)
    if t.ndim == 1 and e.data.classes:
        bad = int(((t < 0) | (t >= len(e.data.classes))).sum())
        return Measured(bad, words={"what": f"{len(e.data.classes)} classes"})
    if e.recipe.loss.form == "binary":
        bad = int(((t < 0) | (t > 1)).any(axis=-1).sum())
        return Measured(bad, words={"what": "the interval from 0 to 1 that the loss asks for"})
    return None


def constant_columns(e: Evidence) -> Measured | None:
    """Columns that never vary among the training rows; harmless unless all are so."""
    spread = np.ptp(e.rows.x, axis=0)
    constant = int((spread == 0).sum())
    return Measured(
        constant, words={"count": constant, "columns": len(spread)}, sure=constant == len(spread)
    )


def _keys(x: Numbers) -> Numbers:
    """One number of 128 bits for each row: equal rows and only those share it."""
    rows = np.ascontiguousarray(x)
    return rows.view([("", rows.dtype)] * rows.shape[1]).ravel() if rows.shape[1] else rows[:, 0]


def natural(x: Numbers) -> bool:
    """Whether equal rows may come about by chance: few distinct values leave few distinct rows."""
    distinct = [len(np.unique(column)) for column in x[:, :64].T]
    return float(np.sum(np.log(np.maximum(distinct, 1)))) < math.log(1e3 * len(x) ** 2)


def duplicate_rows(e: Evidence) -> Measured | None:
    """Share of training rows that are a copy of an earlier one."""
    x = e.rows.x
    if len(x) < 2 or not e.rows.finite:
        return None
    share = 1.0 - len(np.unique(_keys(x))) / len(x)
    return Measured(share, words={"count": round(share * len(x)), "rows": len(x)})


def leakage(e: Evidence) -> Measured | None:
    """Share of validation rows that are training rows."""
    x, held = e.rows.x, e.rows.x_validation
    if not len(held) or not x.shape[1] or not e.rows.finite or natural(x):
        return None
    share = float(np.isin(_keys(held), _keys(x)).mean())
    return Measured(share, words={"count": round(share * len(held)), "rows": len(held)})


def imbalance(e: Evidence) -> Measured | None:
    """Rows of the largest class over those of the smallest; sure where small ones are not found."""
    t = e.rows.t
    if t.ndim != 1 or e.rows.classes < 2:
        return None
    counts = np.bincount(t, minlength=e.rows.classes)
    ratio = float(counts.max() / max(counts.min(), 1))
    small = np.flatnonzero(counts < counts.max() / 5)
    words = {"largest": int(counts.max()), "smallest": int(counts.min()), "recall": ""}
    missed = False
    if e.has("level") and len(small):
        held, found = e.rows.t_validation, np.argmax(e.level.found_validation, axis=-1)
        of_small, of_large = np.isin(held, small), ~np.isin(held, small)
        if of_small.any() and of_large.any():
            recall = float((found == held)[of_small].mean())
            missed = recall < 0.7 * float((found == held)[of_large].mean())
            words["recall"] = f"; of the rare classes {recall:.0%} are found"
    return Measured(ratio, words=words, sure=missed)


def noisy_labels(e: Evidence) -> Measured | None:
    """Errors of the best simple model where it is surest.

    Rows near a boundary are hard whatever the labels; those far from it are wrong only where labels
    are. Among the third of training rows, left out, with the widest margins, the share of errors
    estimates the share of labels that tell nothing about their inputs.
    """
    best = e.level.baselines.best
    if best is None or len(e.level.baselines.t) < FEWEST:
        return None
    if e.rows.task == "regression":
        return _noisy_numbers(e, best)
    if e.level.baselines.t.ndim != 1:
        return None
    wrong = wrong_where_sure(best, e.level.baselines.t)
    rows = len(e.level.baselines.t) // 3
    hopeless = not e.level.learnable
    chance = 1.0 - 1.0 / max(e.rows.classes, 2)
    return Measured(
        max(wrong, chance * hopeless),
        words={"what": f"{wrong:.0%} of the {rows} training rows where it is surest"},
        sure=hopeless or wrong > 0.25,
    )


def wrong_where_sure(best: Baseline, t: Numbers) -> float:
    """The share of errors in the third of rows with the widest margin between two classes."""
    ordered = np.sort(best.left_out, axis=-1)
    margin = ordered[:, -1] - ordered[:, -2]
    surest = np.argsort(-margin)[: max(len(t) // 3, 1)]
    return float(np.mean(np.argmax(best.left_out, axis=-1)[surest] != t[surest]))


def _noisy_numbers(e: Evidence, best: Baseline) -> Measured:
    """For numbers: whether simple models explain anything at all."""
    unexplained = min(1.0, 1.0 - best.score)
    hopeless = not e.level.learnable and e.level.validation < 0.2
    what = f"{unexplained:.0%} of the variance of the target on training rows left out"
    return Measured(unexplained if hopeless else 0.0, words={"what": what}, sure=hopeless)


def input_scale(e: Evidence) -> Measured | None:
    """How far the columns are, in factors, from the size that initial weights reckon with."""
    if not e.rows.finite or _normalised_first(e):
        return None
    sizes = np.sqrt((e.rows.x**2).mean(axis=0))
    sizes = sizes[np.ptp(e.rows.x, axis=0) > 0]
    if not len(sizes):
        return None
    whole, most = float(np.sqrt((sizes**2).mean())), float(sizes.max())
    spread = float(sizes.max() / max(np.median(sizes), FEW)) if len(sizes) > 1 else 1.0
    value = max(whole, 1.0 / max(whole, FEW), min(spread, most))
    words = {"whole": whole, "least": float(sizes.min()), "most": most}
    return Measured(value, "preparation.inputs", words=words)


def _normalised_first(e: Evidence) -> bool:
    """Whether a normalisation makes good the scale: first, or behind the first weights."""
    if not e.has("recipe"):
        return False
    kinds = [layer.kind for layer in e.recipe.net.layers[:3]]
    return any(kind in NORMALISING for kind in kinds) or e.recipe.net.scaling == "none"


def target_scale(e: Evidence) -> Measured | None:
    """Root mean square of the targets as the loss sees them, where outputs should be of size 1."""
    t = e.rows.encoded
    if not t.size or (e.has("recipe") and not e.recipe.loss.scales):
        return None
    size = float(np.sqrt((t**2).mean()))
    return Measured(max(size, 1.0 / max(size, FEW)), "preparation.targets", words={"size": size})


def no_shuffle(e: Evidence) -> Measured | None:
    """How much of the variance of targets lies between batches, beyond what chance puts there."""
    batches = [np.asarray(b, dtype=float).reshape(len(b), -1) for b in e.order if len(b)]
    if len(batches) < 2:
        return None
    every = np.concatenate(batches)
    if every.shape[1] == 1 and e.rows.classes > 2:
        every = np.eye(e.rows.classes)[every[:, 0].astype(int)]
    total = float(((every - every.mean(axis=0)) ** 2).sum())
    ends = np.cumsum([len(b) for b in batches])[:-1]
    parts = np.split(every, ends)
    between = sum(len(p) * float(((p.mean(axis=0) - every.mean(axis=0)) ** 2).sum()) for p in parts)
    expected = (len(batches) - 1) / max(len(every) - 1, 1)
    share = between / total if total > 0 else 0.0
    return Measured((share - expected) / (1 - expected) if expected < 1 else 0.0)


def preparation_mismatch(e: Evidence) -> Measured | None:
    """Distance of the validation inputs from the training inputs, in spreads of the columns."""
    x, held = e.rows.usual
    if len(held) < 8 or not x.shape[1] or not e.rows.finite:
        return None
    noise = 1.0 / math.sqrt(len(held)) + 1.0 / math.sqrt(len(x))
    shift = np.abs(held.mean(axis=0) - x.mean(axis=0))
    spread = held.std(axis=0)
    moved = float(np.median(shift))
    grown = abs(math.log(max(float(np.median(spread)), FEW)))
    typical = max(moved - 2 * noise, (grown - 3 * noise) / math.log(2))
    words = {"moved": moved, "grown": float(np.median(spread))}
    # Validation rows mislead the yardstick too; training rows left out do not.
    return Measured(typical, words=words, sure=e.has("level") and e.level.shortfall > HARM)


RULES = (
    Rule("nan_data", "data", ("data",), nan_data, 1,
         "{count} numbers of the data are NaN or infinite.",
         "Any one makes the loss and with it every weight NaN.", ("drop_nan_rows",), ALWAYS),
    Rule("impossible_labels", "data", ("data", "recipe"), impossible_labels, 1,
         "{value:.0f} rows have targets outside of {what}.", "Definition of the loss.",
         ("repair_labels", "fix_loss"), ALWAYS),
    Rule("leakage", "data", ("rows",), leakage, 0.05,
         "{count} of {rows} validation rows ({value:.0%}) are also training rows.",
         "Own measure: rows of real numbers do not repeat by chance; 5 % leaves room for copies.",
         ("split_again", "drop_duplicates"), ALWAYS),
    Rule("preparation_mismatch", "data", ("rows",), preparation_mismatch, 0.3,
         "Validation inputs lie {moved:.2g} spreads of the training inputs away, and spread "
         "{grown:.2g} times as much.",
         "Own measure, beyond twice the error of the means.", ("same_preparation",)),
    Rule("noisy_labels", "data", ("rows", "level"), noisy_labels, 0.15,
         "The best simple model errs on {what}: labels do not fit their inputs.",
         "Own measure; the idea of confident learning (Northcutt, Jiang and Chuang 2021).",
         ("repair_labels", "l2", "early_stopping")),
    Rule("imbalance", "data", ("rows",), imbalance, 8,
         "The largest class has {largest} training rows, the smallest {smallest}{recall}.",
         "SageMaker Debugger's ClassImbalance asks for 10.", ("class_weights",)),
    Rule("no_shuffle", "data", ("order",), no_shuffle, 0.5,
         "{value:.0%} of the variance of the targets lies between batches: rows come sorted.",
         "Own measure: 0 when shuffled, 1 when every batch is of one class.", ("shuffle",)),
    Rule("input_scale", "data", ("rows",), input_scale, 20,
         "Inputs have a root mean square of {whole:.3g} (columns from {least:.3g} to {most:.3g}); "
         "initial weights reckon with 1.",
         "LeCun et al. 1998, Efficient BackProp, 4.3; the factor by own measurement.",
         ("scale_inputs", "scale_inputs_minmax", "batch_norm")),
    Rule("target_scale", "data", ("rows",), target_scale, 8,
         "Targets have a root mean square of {size:.3g} as the loss sees them; initial outputs "
         "are of size 1.",
         "Own measure.", ("scale_targets",)),
    Rule("duplicate_rows", "data", ("rows",), duplicate_rows, 0.2,
         "{count} of {rows} training rows are copies of earlier ones.",
         "Own measure: a share that changes what the rest counts.", ("drop_duplicates",), NEVER),
    Rule("constant_columns", "data", ("rows",), constant_columns, 1,
         "{count} of {columns} columns never vary.", "They carry nothing, and rarely harm.",
         ("drop_constant_columns",), NEVER),
)  # fmt: skip
