"""Baselines: what simple models reach on the same rows, as a yardstick for a network.

    nothing    the largest class, or the mean
    linear     ridge regression, of one-hot rows for classes
    kernel     the same with a Gaussian kernel exp(-g |x - x'|² / D)
    trees      extremely randomised trees (Geurts, Ernst and Wehenkel 2006)

Every one is judged in two ways: on training rows that it has not seen (left out one by one in
closed form, or out of the bag) and on the validation rows. The one that is best on training rows is
the yardstick, so that validation decides nothing here. Ridge in closed form: with the eigenvalues
s of the kernel matrix K and its smoother H = K (K + a)^-1, the error of row i left out is
(y_i - (H y)_i) / (1 - H_ii).
"""

from dataclasses import dataclass, field

import numpy as np

from shoal.arrays import Numbers
from shoal.doctor.rows import Rows

MOST_ROWS = 600
"""Rows that a baseline learns from: enough to be a yardstick in a fraction of a second."""
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
WIDTHS = (0.3, 1.0, 3.0)
TREES = 40
MOST_FEATURES = 64
"""Columns that a tree looks at for a cut."""
FAR = 100.0
"""The largest square of an error that counts, in variances: few rows should not decide a mean."""


@dataclass(frozen=True, eq=False)
class Baseline:
    """One simple model.

    Attributes:
        name: "linear", "kernel" or "trees".
        left_out: (n, C) scores of classes, or (n, T) numbers, for training rows it has not seen.
        validation: the same for the validation rows.
        score: accuracy or R² on the training rows left out.
    """

    name: str
    left_out: Numbers
    validation: Numbers
    score: float


@dataclass(frozen=True, eq=False)
class Baselines:
    """The simple models of one data set.

    Attributes:
        models: all of them; may be empty where there are too few rows.
        chance: score of who does not look at the inputs, on the validation rows.
        t: targets of the training rows that they learned from.
        carried: share of the best score above chance that is left when the numbers predicted must
            pass through as few numbers as the narrowest layer has; 1 where that is no limit.
    """

    models: tuple[Baseline, ...]
    chance: float
    t: Numbers = field(default_factory=lambda: np.zeros(0))
    carried: float = 1.0

    @property
    def best(self) -> Baseline | None:
        """The best on training rows left out."""
        return max(self.models, key=lambda model: model.score, default=None)

    def named(self, name: str) -> Baseline | None:
        """A model by its name."""
        return next((model for model in self.models if model.name == name), None)


def baselines(rows: Rows, rank: int | None = None) -> Baselines:
    """The simple models of some rows.

    Args:
        rank: numbers that the predictions of a regression must pass through, as those of a network
            with so narrow a layer: they are then projected on their first principal components.
    """
    x, x_validation = rows.usual
    x, t = x[:MOST_ROWS], rows.t[:MOST_ROWS]
    chance = chance_score(rows)
    if len(x) < 6 or x.shape[1] == 0 or not rows.finite:
        return Baselines((), chance, t)
    y = _columns(t, rows.classes if t.ndim == 1 else 0)
    found = [_linear(x, y, x_validation), _kernel(x, y, x_validation)]
    found.append(_trees(x, y, x_validation))
    free = max(score(t, left, rows.spread) for left, _ in found)
    carried = 1.0
    if rank is not None and rows.task == "regression" and rank < y.shape[1]:
        found = [_narrowed(left, seen, rows.spread, rank) for left, seen in found]
        narrow = max(score(t, left, rows.spread) for left, _ in found)
        carried = narrow / free if free > 0 else 1.0
    models = tuple(
        Baseline(name, left, seen, score(t, left, rows.spread))
        for name, (left, seen) in zip(("linear", "kernel", "trees"), found, strict=True)
    )
    return Baselines(models, chance, t, carried)


def _narrowed(left: Numbers, seen: Numbers, spread: Numbers, rank: int) -> tuple[Numbers, Numbers]:
    """Predictions on their first principal components, columns weighed as the score does."""
    units = np.where(spread > 0, np.sqrt(spread), 1.0)
    mean = left.mean(axis=0)
    _, _, axes = np.linalg.svd((left - mean) / units, full_matrices=False)
    first = axes[:rank].T @ axes[:rank]
    projected = [mean + ((found - mean) / units) @ first * units for found in (left, seen)]
    return projected[0], projected[1]


def chance_score(rows: Rows) -> float:
    """The score on validation rows of who does not look at the inputs."""
    t = rows.t_validation if len(rows.t_validation) else rows.t
    if t.ndim == 1:
        return float(np.bincount(t, minlength=rows.classes).max() / len(t))
    if rows.task == "multilabel":
        return float(np.maximum(t.mean(axis=0), 1 - t.mean(axis=0)).mean())
    return 0.0


def score(t: Numbers, found: Numbers, spread: Numbers) -> float:
    """Accuracy of the largest column for codes; share of right flags; R² of numbers."""
    return float(np.mean(per_row(t, found, spread))) if len(t) else float("nan")


def per_row(t: Numbers, found: Numbers, spread: Numbers) -> Numbers:
    """What each row adds to the score, (n,); its mean is the score.

    Args:
        spread: (T,) variance of numbers; columns of 0 are left out.
    """
    if t.ndim == 1:
        return (np.argmax(found, axis=-1) == t).astype(float)
    if np.isin(t, (0.0, 1.0)).all() and t.shape[1] > 1:
        return ((found > 0.5) == (t > 0.5)).mean(axis=1)
    varies = spread > 0
    if not varies.any():
        return np.zeros(len(t))
    with np.errstate(all="ignore"):
        wrong = (t - found)[:, varies] ** 2 / spread[varies]
    return 1.0 - np.where(np.isfinite(wrong), np.minimum(wrong, FAR), FAR).mean(axis=1)


def _columns(t: Numbers, classes: int) -> Numbers:
    """Targets as columns of numbers: one-hot for codes."""
    return np.eye(classes)[t] if t.ndim == 1 else np.asarray(t, dtype=float)


def _linear(x: Numbers, y: Numbers, x_validation: Numbers) -> tuple[Numbers, Numbers]:
    return _ridge(x @ x.T / x.shape[1], x_validation @ x.T / x.shape[1], y)[:2]


def _kernel(x: Numbers, y: Numbers, x_validation: Numbers) -> tuple[Numbers, Numbers]:
    near, far = _distances(x, x), _distances(x_validation, x)
    tried = [_ridge(np.exp(-g * near), np.exp(-g * far), y) for g in WIDTHS]
    return min(tried, key=lambda found: found[2])[:2]


def _distances(a: Numbers, b: Numbers) -> Numbers:
    """Mean squares of differences, (n, m)."""
    squares = (a**2).mean(axis=1)[:, None] + (b**2).mean(axis=1)[None] - 2 * a @ b.T / a.shape[1]
    return np.maximum(squares, 0.0)


def _ridge(
    near: Numbers, far: Numbers, y: Numbers, penalties: tuple[float, ...] = PENALTIES
) -> tuple[Numbers, Numbers, float]:
    """Left-out and validation values with the penalty that errs least on rows left out."""
    mean = y.mean(axis=0)
    s, u = np.linalg.eigh(near)
    s, projected = np.maximum(s, 0.0), u.T @ (y - mean)
    best: tuple[Numbers, Numbers, float] | None = None
    for penalty in penalties:
        shrunk = s / (s + penalty)
        held = np.minimum(1.0 - (u**2) @ shrunk, 1.0)
        errors = (y - mean - u @ (shrunk[:, None] * projected)) / np.maximum(held, 1e-3)[:, None]
        wrong = float((errors**2).mean())
        if best is None or wrong < best[2]:
            weights = u @ (projected / (s + penalty)[:, None])
            best = (y - errors, mean + far @ weights, wrong)
    assert best is not None, "there are penalties to try"
    return best


def _trees(x: Numbers, y: Numbers, x_validation: Numbers) -> tuple[Numbers, Numbers]:
    from sklearn.ensemble import ExtraTreesRegressor

    # Regression on one-hot columns: votes, and the same code for both tasks. With a bootstrap
    # nearly every row is out of some bag.
    forest = ExtraTreesRegressor(
        TREES,
        bootstrap=True,
        min_samples_leaf=2,
        random_state=0,
        max_features=min(x.shape[1], MOST_FEATURES),
    )
    target = y if y.shape[1] > 1 else y[:, 0]
    forest.fit(x, target)
    total, votes = np.zeros_like(y), np.zeros(len(y))
    for tree, used in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        out = np.ones(len(y), dtype=bool)
        out[used] = False
        total[out] += tree.predict(x[out]).reshape(-1, y.shape[1])
        votes[out] += 1
    left = np.where(votes[:, None] > 0, total / np.maximum(votes, 1)[:, None], y.mean(axis=0))
    seen = np.zeros((0, y.shape[1]))
    if len(x_validation):
        seen = forest.predict(x_validation).reshape(-1, y.shape[1])
    return left, seen
