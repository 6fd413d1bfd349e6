"""Controls: other ways to treat a sick training, with the remedies of the same table.

    random        remedies drawn by chance, each with two seeds, as long as the epochs last that the
                  doctor's cure trained; the best on validation is taken
    fixed order   AutoTrainer's (Zhang et al., ICSE 2021): symptoms by its thresholds, and for each
                  symptom a list of repairs, one after another, until no symptom is left

AutoTrainer goes on from the weights it has; here every repair begins anew, which is kinder to it.
"""

from collections.abc import Iterator

import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import Data
from shoal.doctor.bench.training import TOGETHER, value
from shoal.doctor.remedies import REMEDIES
from shoal.errors import ShoalError
from shoal.recipe import Recipe
from shoal.train.fit import fit, fit_many
from shoal.train.run import Run

Pair = tuple[Recipe, Data]
SEEDS = 2
ROUNDS = 10

ORDER: dict[str, tuple[str, ...]] = {
    "abnormal data": ("scale_inputs_minmax",),
    "improper activation": ("fix_head",),
    "improper loss": ("fix_loss",),
    "vanishing": ("selu", "relu", "batch_norm"),
    "exploding": ("selu", "relu", "clip_gradients", "tanh", "batch_norm"),
    "dying ReLU": ("selu", "batch_norm", "usual_init", "leaky_relu"),
    "slow": ("adam", "sgd_momentum", "rate_x10", "rate_x100", "usual_init"),
    "oscillating": ("adam", "rate_x0.1", "rate_x0.01", "batch_32", "lower_momentum", "usual_init"),
}
"""AutoTrainer's repairs of each symptom in its order, and the symptoms by its priority."""

CONVERGED, GAIN, SWING, SWINGS = 0.7, 0.01, 0.03, 0.2
SMALL_RATIO, SMALL_NORM, LARGE_RATIO, DEAD, LARGE_OUTPUT = 1e-3, 1e-4, 70.0, 0.7, 10.0
"""Its thresholds: accuracy that counts as converged; the gain of a slow training; the swing of the
accuracy and the share of epochs with one; gradients of the first and last layer; dead units; mean
absolute output of a layer."""


def apply(name: str, recipe: Recipe, data: Data) -> Pair | None:
    """What a remedy makes of a training, None where it does not apply or is not in the table."""
    return REMEDIES[name].edit(recipe, data) if name in REMEDIES else None


def at_random(recipe: Recipe, data: Data, epochs: int, seed: int) -> Pair:
    """The best on validation of as many random remedies as the epochs allow."""
    random = np.random.default_rng(seed)
    arms = [(recipe, data)]
    left = epochs - SEEDS * recipe.epochs
    for name in random.permutation(sorted(REMEDIES)):
        found = apply(str(name), recipe, data)
        if found is None:
            continue
        left -= SEEDS * found[0].epochs
        if left < 0:
            break
        arms.append(found)
    return max(arms, key=_validation)


def _validation(arm: Pair) -> float:
    """The mean score on validation rows over two seeds; the lowest where it is refused."""
    recipe, data = arm
    recipes = [recipe.replace(seed=recipe.seed + k) for k in range(SEEDS)]
    try:
        runs = fit_many(recipes, data, show=False, settings=TOGETHER)
    except ShoalError:
        return -np.inf
    return float(np.mean([value(run, "validation") for run in runs]))


def in_fixed_order(recipe: Recipe, data: Data) -> Pair:
    """What AutoTrainer's order of repairs makes of a training."""
    tried: dict[str, int] = {}
    pair = (recipe, data)
    for _ in range(ROUNDS):
        symptom = next(iter(_symptoms(*pair)), None)
        if symptom is None:
            return pair
        repairs = ORDER[symptom]
        place = tried.get(symptom, 0)
        if place >= len(repairs):
            return pair
        tried[symptom] = place + 1
        pair = apply(repairs[place], *pair) or pair
    return pair


def _symptoms(recipe: Recipe, data: Data) -> Iterator[str]:
    """The symptoms of a training by AutoTrainer's rules, in the order of its priorities."""
    try:
        run = fit(recipe, data, show=False, signals=True)
    except ShoalError:
        yield from ("improper activation", "improper loss")
        return
    yield from symptoms(run, bool(data.classes))


def symptoms(run: Run, classification: bool) -> list[str]:
    """The symptoms of a run, see ``_symptoms``."""
    curve = _accuracy(run, classification)
    slow = len(curve) < 2 or float(np.max(np.diff(curve), initial=0.0)) < GAIN
    unfit = slow or float(np.max(curve, initial=0.0)) < CONVERGED
    first, last = _norms(run)
    ratio = first / last if last > 0 else np.inf
    losses = run.record["train_loss"][:, 0]  # none where the first epoch did not end
    finite = len(losses) > 0 and bool(np.isfinite([first, last, *losses]).all())
    found = {
        "abnormal data": _largest(run, ":activation_mean") >= LARGE_OUTPUT,
        "vanishing": unfit and ratio < SMALL_RATIO and first < SMALL_NORM,
        "exploding": unfit and (ratio > LARGE_RATIO or not finite),
        "dying ReLU": unfit and _largest(run, ":dead") >= DEAD,
        "slow": slow,
        "oscillating": _swings(curve) >= SWINGS,
    }
    return [name for name in ORDER if found.get(name)]


def _accuracy(run: Run, classification: bool) -> Numbers:
    name = "train_accuracy" if classification else "train_r2"
    column: Numbers = run.record[name][:, 0] if name in run.record else np.zeros(0)
    return column[np.isfinite(column)]


def _columns(run: Run, ending: str) -> list[Numbers]:
    return [v[:, 0] for name, v in run.record.items() if name.endswith(ending) and len(v)]


def _norms(run: Run) -> tuple[float, float]:
    """The norms of the gradients of the first and the last layer, after the last epoch."""
    found = _columns(run, ":gradient_norm")
    return (float(found[0][-1]), float(found[-1][-1])) if found else (1.0, 1.0)


def _largest(run: Run, ending: str) -> float:
    found = [abs(values[-1]) for values in _columns(run, ending) if np.isfinite(values[-1])]
    return float(max(found, default=0.0))


def _swings(curve: Numbers) -> float:
    """The share of epochs at which the accuracy falls from a local maximum by ``SWING``."""
    falls = -np.diff(curve)
    return float(np.mean(falls >= SWING)) if len(falls) else 0.0
