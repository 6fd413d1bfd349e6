"""Faults of data: copies of a data set with something wrong in it, from one seed.

Test rows are damaged only where they would be in life: another scale comes to the network at work
too, wrong labels do not.
"""

from dataclasses import replace

import numpy as np

from shoal.data.dataset import Data
from shoal.doctor.bench.datasets import TEST, TRAIN, VALIDATION, with_rows

SEED = 11


def scaled_inputs(data: Data, factor: float) -> Data:
    """Inputs with a spread of about ``factor``, in every split."""
    assert data.parts is not None, "data of the benchmark is divided"
    spread = float(data.inputs[data.parts == TRAIN].std())
    return replace(data, inputs=data.inputs * (factor / spread))


def scaled_targets(data: Data, factor: float) -> Data:
    """Targets of a regression in other units, with a mean beside 0."""
    spread = data.targets.std(axis=0)
    return replace(data, targets=factor * (data.targets / spread + 1.0))


def prepared_in_training_alone(data: Data, share: float) -> Data:
    """Training rows standardised by hand, the others by a share s of it: (x - (1 - s) m) / d^(1-s).

    share: how much of the preparation the other rows miss; 1 leaves them raw.
    """
    assert data.parts is not None, "data of the benchmark is divided"
    train = data.inputs[data.parts == TRAIN]
    mean, spread = train.mean(axis=0), np.where(train.std(axis=0) > 0, train.std(axis=0), 1.0)
    others = (data.inputs - (1 - share) * mean) / spread ** (1 - share)
    inside = (data.parts == TRAIN).reshape(-1, *[1] * (data.inputs.ndim - 1))
    return replace(data, inputs=np.where(inside, (data.inputs - mean) / spread, others))


def with_nan(data: Data, share: float) -> Data:
    """NaN in a share of the training rows, one row at least."""
    assert data.parts is not None, "data of the benchmark is divided"
    rows = np.flatnonzero(data.parts == TRAIN)
    chosen = np.random.default_rng(SEED).permutation(rows)[: max(1, int(share * len(rows)))]
    inputs = data.inputs.copy()
    inputs.reshape(len(inputs), -1)[chosen, 0] = np.nan
    return replace(data, inputs=inputs)


def noisy_labels(data: Data, share: float) -> Data:
    """A share of the labels, test apart, drawn from other rows."""
    assert data.parts is not None, "data of the benchmark is divided"
    random = np.random.default_rng(SEED)
    known = np.flatnonzero(data.parts != TEST)
    chosen = random.permutation(known)[: int(share * len(known))]
    targets = data.targets.copy()
    targets[chosen] = targets[random.permutation(chosen)]
    return replace(data, targets=targets)


def shifted_labels(data: Data, rows: int) -> Data:
    """The labels of training and validation moved by so many rows, as by a wrong join."""
    assert data.parts is not None, "data of the benchmark is divided"
    known = np.flatnonzero(data.parts != TEST)
    targets = data.targets.copy()
    targets[known] = np.roll(data.targets[known], rows, axis=0)
    return replace(data, targets=targets)


def imbalanced(data: Data, ratio: float) -> Data:
    """One row of each other class for ``ratio`` rows of the first, in training and validation."""
    assert data.parts is not None, "data of the benchmark is divided"
    keep = data.parts == TEST
    for part in (TRAIN, VALIDATION):
        first = np.flatnonzero((data.parts == part) & (data.targets == 0))
        keep[first] = True
        for code in range(1, len(data.classes)):
            rows = np.flatnonzero((data.parts == part) & (data.targets == code))
            keep[rows[: max(2, round(len(first) / ratio))]] = True
    return with_rows(data, np.flatnonzero(keep))


def leaked(data: Data, share: float) -> Data:
    """A share of the validation rows replaced by copies of training rows."""
    assert data.parts is not None, "data of the benchmark is divided"
    random = np.random.default_rng(SEED)
    train = np.flatnonzero(data.parts == TRAIN)
    rows = np.flatnonzero(data.parts == VALIDATION)
    rows = rows[: int(share * len(rows))]
    copied = random.choice(train, len(rows), replace=False)
    inputs, targets = data.inputs.copy(), data.targets.copy()
    inputs[rows], targets[rows] = inputs[copied], targets[copied]
    return replace(data, inputs=inputs, targets=targets)


def few_rows(data: Data, count: int) -> Data:
    """Only so many training rows."""
    assert data.parts is not None, "data of the benchmark is divided"
    train = np.flatnonzero(data.parts == TRAIN)
    keep = np.ones(len(data), dtype=bool)
    keep[train[count:]] = False
    return with_rows(data, np.flatnonzero(keep))


def constant_columns(data: Data, count: int) -> Data:
    """More columns that never vary: harmless, as digits have them."""
    shape = (*data.inputs.shape[:-1], count)
    return replace(data, inputs=np.concatenate([data.inputs, np.ones(shape)], axis=-1))


def doubled_rows(data: Data, share: float) -> Data:
    """A share of the training rows twice: harmless."""
    assert data.parts is not None, "data of the benchmark is divided"
    train = np.flatnonzero(data.parts == TRAIN)
    more = train[: int(share * len(train))]
    return with_rows(data, np.concatenate([np.arange(len(data)), more]))
