"""Gathering: from a recipe and data, or from a run, to the evidence that rules read."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from shoal.arrays import Numbers, Tree
from shoal.data.dataset import Data
from shoal.doctor.baselines import baselines
from shoal.doctor.curves import Curves
from shoal.doctor.evidence import Evidence, Lazy, Setting
from shoal.doctor.level import Level
from shoal.doctor.probe import bad_place, probe, two_modes
from shoal.doctor.rows import rows_of
from shoal.doctor.watching.rows import unchecked
from shoal.doctor.watching.watch import Watched
from shoal.errors import ShoalError
from shoal.losses import BinaryCrossEntropy, CrossEntropy, MeanSquaredError
from shoal.recipe import Recipe
from shoal.train.history import History
from shoal.train.member import Status
from shoal.train.record import Record
from shoal.train.run import Run

PLAIN = ("SGD", "GradientDescent", "Momentum", "EMAMomentum", "Nesterov", "LBFGS")
"""Optimisers whose steps are as long as the gradient makes them."""


def of_recipe(recipe: Recipe, data: Data) -> Evidence:
    """What is known before training."""
    found = Evidence({"recipe": recipe, "data": data})
    try:
        recipe.check_against(data.shape, _outputs(recipe, data))
        prepared = recipe.prepare(data)
        rows = recipe.rows_per_batch(len(prepared.parts.train))
    except ShoalError as error:
        found.known["refusal"] = error
        return found
    found.known |= {
        "prepared": prepared,
        "setting": _setting(recipe, len(prepared.parts.train), rows),
        "rows": Lazy(lambda: _careful(lambda: rows_of(prepared))),
        "probe": Lazy(lambda: _careful(lambda: probe(recipe, prepared))),
    }
    return found


def _outputs(recipe: Recipe, data: Data) -> int:
    """How many outputs loss and data ask for."""
    binary = recipe.loss.form == "binary" and data.task == "classification"
    outputs = recipe.body.output_shape(data.shape)[-1:]
    if data.task == "classification" and recipe.loss.form == "values" and outputs == (1,):
        return 1 if data.width == 2 else data.width
    return 1 if binary else data.width


def _careful(make: Callable[[], Any]) -> Any:
    """What is made, or None where the data does not allow it."""
    try:
        return make()
    except ShoalError:
        return None


def of_run(run: Run) -> Evidence:
    """What is known after training."""
    found = of_recipe(run.recipe, run.prepared.data)
    found.known["prepared"] = run.prepared
    found.known["rows"] = Lazy(lambda: _careful(lambda: rows_of(run.prepared)))
    found.known["run"] = run
    found.known["curves"] = Lazy(
        lambda: _curves(History.of(run), _start(found), _guess(run.recipe, found))
    )
    found.known["level"] = Lazy(lambda: _careful(lambda: _level(run, found)))
    found.known["signals"] = _signals(run.record)
    finite = Status.NOT_FINITE not in run.reasons
    if not finite:
        found.known["first_bad"] = Lazy(lambda: _first_bad(run))
    kinds = [inner.kind for layer in run.recipe.net.layers for inner in layer.every()]
    if finite and "BatchNorm" in kinds:
        weights = _member(run, 0)
        found.known["modes"] = Lazy(lambda: two_modes(run.recipe, run.prepared, *weights))
    return found


def of_watched(watched: Watched) -> Evidence:
    """What is known of a PyTorch training; without recipe where it has no translation.

    Where no epoch was watched, it is what is known before training.
    """
    columns = {name: values[:, 0] for name, values in watched.record.items()}
    epochs, finite = watched.record.epochs, watched.gauges.finite
    curves = Curves(columns, epochs, epochs, finite=finite)
    try:
        if epochs:
            found = of_run(watched.run())
        else:
            found = of_recipe(watched.recipe(), watched.data())
            found.known["curves"] = curves
    except ShoalError:
        found = Evidence({"curves": curves, "signals": _signals(watched.record)})
        found.known["data"] = Lazy(lambda: _careful(lambda: unchecked(watched.loader)))
    found.known["order"] = Lazy(lambda: _careful(lambda: watched.order))
    found.known["forgotten"] = watched.forgotten or None
    return found


def of_history(history: History) -> Evidence:
    """What is known of a training without its data and weights."""
    found = Evidence({"recipe": history.recipe, "signals": _signals(history.record)})
    rows = int(history.about.get("data", {}).get("rows", {}).get("train", 0))
    if rows:
        found.known["setting"] = _setting(history.recipe, rows, history.recipe.rows_per_batch(rows))
    found.known["curves"] = _curves(history, float("nan"), float("nan"))
    return found


def _setting(recipe: Recipe, rows: int, batch: int) -> Setting:
    optimiser = recipe.optimiser
    usual = type(optimiser)()
    steps = -(-rows // batch)
    adaptive = optimiser.kind not in PLAIN
    rate, common = (o.learning_rate / (1.0 - _memory(o)) for o in (optimiser, usual))
    return Setting(optimiser.kind, rate, common, batch, steps, recipe.epochs, rows, adaptive)


def _memory(optimiser: Any) -> float:
    """Momentum that makes steps longer: a sum over past gradients is 1 / (1 - beta) of them."""
    return float(optimiser.beta) if optimiser.kind in ("Momentum", "Nesterov") else 0.0


def _curves(run: History, initial: float, guess: float) -> Curves:
    with np.errstate(all="ignore"):
        columns = {name: _median(values) for name, values in run.record.items()}
    rule = run.recipe.early_stopping
    epochs = int(np.median(run.epochs))
    best = int(np.median(run.best_epochs))
    return Curves(
        columns,
        epochs,
        best if rule is not None and rule.restore_best and best else epochs,
        initial,
        guess,
        Status.NOT_FINITE not in run.reasons,
    )


def _start(found: Evidence) -> float:
    """The loss of the probe, before training."""
    return float(np.mean(found.probe.losses)) if found.has("probe") else float("nan")


def _median(values: Numbers) -> Numbers:
    """Median over members in the epochs that at least one trained, (E,)."""
    return np.array([np.nanmedian(row) if np.isfinite(row).any() else np.nan for row in values])


def _guess(recipe: Recipe, found: Evidence) -> float:
    """The loss of the best constant outputs."""
    if not found.has("rows"):
        return float("nan")
    rows = found.rows
    if isinstance(recipe.loss, CrossEntropy | BinaryCrossEntropy) and rows.t.ndim == 1:
        share = np.bincount(rows.t) / len(rows.t)
        return float(-(share[share > 0] * np.log(share[share > 0])).sum())
    if isinstance(recipe.loss, MeanSquaredError) and rows.encoded.size:
        return float(rows.encoded.var(axis=0).mean())
    return float("nan")


def _level(run: Run, evidence: Evidence) -> Level:
    model, data, rows = run.model, run.prepared.data, evidence.rows
    rank = evidence.probe.narrowest if evidence.has("probe") else None
    predict = model.predict_proba if data.classes else model.predict
    found = []
    for chosen, t in zip(rows.chosen, (rows.t, rows.t_validation), strict=True):
        values = np.asarray(predict(data.rows(chosen)), dtype=np.float64)
        found.append(values if t.ndim == 1 else values.reshape(t.shape))
    return Level(rows, found[0], found[1], baselines(rows, rank))


def _signals(record: Record) -> dict[str, dict[str, Numbers]] | None:
    """The columns ``layer:what`` by what and layer; None where there are none."""
    found: dict[str, dict[str, Numbers]] = {}
    for name, values in record.items():
        layer, _, what = name.partition(":")
        if what:
            found.setdefault(what, {})[layer] = _median(values)
    return found or None


def _member(run: Run, k: int) -> tuple[Tree, Tree]:
    pick = jax.tree.map(lambda a: a[k], (run.model.parameters, run.model.statistics))
    return pick[0], pick[1]


def _first_bad(run: Run) -> tuple[str, str] | None:
    """Layer and words of the first tensor that is not finite with the last finite weights."""
    k = run.reasons.index(Status.NOT_FINITE)
    return bad_place(run.recipe, run.prepared, *_member(run, k))
