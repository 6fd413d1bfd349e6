"""The rows of a PyTorch loader as arrays, channels last; the training's randomness stays as it is.

A ``DataLoader`` is read through a second one over the same data set, in order, so its own
generator draws nothing; whatever the data set draws by itself is undone. Any other collection of
batches is read as it is, and must be one that can be read again.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from shoal.arrays import Numbers, Shape
from shoal.data.dataset import REGRESSION, Data
from shoal.data.fromarrays import arrays
from shoal.doctor.watching.lazily import pytorch
from shoal.errors import DataError
from shoal.losses import Loss

ROWS_AT_ONCE = 1024


def batches(loader: Any, most: int | None = None) -> Iterator[tuple[Any, Any]]:
    """Pairs (inputs, targets) of a loader, in the order of its data set.

    Raises:
        DataError: something that can be read once only, or whose batches are no pairs.
    """
    torch = pytorch()
    source = loader
    if isinstance(loader, torch.utils.data.DataLoader) and _indexed(loader):
        source = torch.utils.data.DataLoader(
            loader.dataset,
            batch_size=most or ROWS_AT_ONCE,
            collate_fn=loader.collate_fn,
            generator=torch.Generator(),
        )
    elif iter(loader) is loader:
        raise _unreadable("an iterator, which can be read only once")
    with torch.random.fork_rng(devices=[]):
        for batch in source:
            if not isinstance(batch, tuple | list) or len(batch) != 2:
                raise _unreadable(f"a batch that is a {type(batch).__name__}")
            yield batch[0], batch[1]


def _indexed(loader: Any) -> bool:
    """Whether the data set of a ``DataLoader`` knows its rows by number."""
    iterable = isinstance(loader.dataset, pytorch().utils.data.IterableDataset)
    return hasattr(loader.dataset, "__len__") and not iterable


def _unreadable(got: str) -> DataError:
    return DataError(
        "the loader",
        required="batches (inputs, targets) that can be read more than once",
        got=got,
        remedy="give a torch.utils.data.DataLoader or a list of pairs of tensors",
    )


def example_shape(loader: Any) -> Shape:
    """The shape of one example as PyTorch has it, channels first."""
    x, _ = next(batches(loader, 1))
    return tuple(int(n) for n in x.shape[1:])


def gathered(loader: Any) -> tuple[Numbers, Numbers]:
    """All inputs and targets of a loader, as PyTorch has them."""
    pairs = [(_host(x), _host(t)) for x, t in batches(loader)]
    if not pairs:
        raise DataError(
            "the loader", required="at least one batch", got="none", remedy="check its data set"
        )
    xs, ts = zip(*pairs, strict=True)
    return np.concatenate(xs), np.concatenate(ts)


def in_order(loader: Any) -> list[Numbers] | None:
    """The targets batch by batch, where every epoch has them in the same order.

    None for loaders that draw an order, or have one of their own that only drawing would show.
    """
    most = None
    if isinstance(loader, pytorch().utils.data.DataLoader):
        sequential = isinstance(loader.sampler, pytorch().utils.data.SequentialSampler)
        if not sequential or not _indexed(loader) or loader.batch_size is None:
            return None
        most = loader.batch_size
    return [_host(t) for _, t in batches(loader, most)]


def unchecked(loader: Any) -> Data:
    """The rows of a loader whatever is in them, to look at and not to train on."""
    x, t = gathered(loader)
    return Data(x, t, REGRESSION, name="loader")


def _host(tensor: Any) -> Numbers:
    return tensor.detach().cpu().numpy() if hasattr(tensor, "detach") else np.asarray(tensor)


def data_of(
    training: tuple[Numbers, Numbers],
    validation: tuple[Numbers, Numbers] | None,
    loss: Loss,
    outputs: int,
    turned: bool,
) -> Data:
    """The rows of a training as ``Data``.

    Args:
        training, validation: inputs and targets as PyTorch has them.
        loss: says what targets mean; outputs: of the network.
        turned: whether channels come first and must be put last.

    Raises:
        DataError: numbers that are not finite, targets that the loss cannot take.
    """
    pairs = [p for p in (training, validation) if p is not None]
    made = [(_inputs(x, turned), _targets(t, loss)) for x, t in pairs]
    task, classes = "regression", None
    if loss.form == "index":
        task, classes = "classification", list(range(outputs))
    elif loss.form == "binary" and _zeros_and_ones(made):
        task = "classification" if outputs == 1 else "multilabel"
        classes = [0, 1] if outputs == 1 else None
    x, t = made[0]
    rest = {"validation": made[1]} if validation is not None else {}
    return arrays(x, t, task=task, classes=classes, name="loader", **rest)


def _inputs(x: Numbers, turned: bool) -> Numbers:
    return np.ascontiguousarray(np.moveaxis(x, 1, -1)) if turned else x


def _zeros_and_ones(made: list[tuple[Numbers, Numbers]]) -> bool:
    return all(np.isin(t, (0, 1)).all() for _, t in made)


def _targets(t: Numbers, loss: Loss) -> Numbers:
    flat = t.reshape(len(t), -1)
    if loss.form == "index":
        if t.ndim != 1 or t.dtype.kind not in "iu":
            raise DataError(
                "the targets of the loader",
                required="one whole number for each row, the index of its class",
                got=f"{t.dtype} of shape {t.shape[1:]} for each row",
                remedy="give targets.argmax(1), or use a loss for numbers",
            )
        return t
    if loss.form == "binary" and np.isin(flat, (0, 1)).all():
        flat = flat.astype(np.int64)
        return flat[:, 0] if flat.shape[1] == 1 else flat
    return flat.astype(np.float64)
