"""Feeds: how training data reaches the devices, in the order that all members share.

The order of an epoch is a pure function of two integers, the order seed and the global epoch, and a
batch is a slice of it: any step of any run can be found again from (order seed, epoch, step).

    Resident   the whole training split lies on the device; a chunk gathers each batch by index
    Streamed   blocks of whole batches, already in order, are encoded and copied by a thread while
               the block before them trains; only two blocks lie on the device at any time

Both give the same batches.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from shoal.arrays import Numbers
from shoal.data.preparation import Prepared
from shoal.data.splits import permutation
from shoal.train.epoch import Batches
from shoal.train.member import Work

Put = Callable[[Any], Any]


def order(work: Work, order_seed: int, epoch: int) -> Numbers:
    """The batches of one epoch, (S, B) int32 positions in the training split, -1 for padding."""
    rows = permutation(order_seed, epoch, work.rows)
    padded = np.full(work.steps * work.batch, -1, dtype=np.int32)
    padded[: work.rows] = rows
    return padded.reshape(work.steps, work.batch)


def load(prepared: Prepared, rows: Numbers, work: Work) -> Batches:
    """Some rows as training reads them, on the host."""
    dtype = np.dtype(work.dtype)
    x, t = prepared.encoded(rows, dtype)
    return Batches(x, t, prepared.weights(rows, dtype))


class Resident:
    """Training data that lies on the devices as a whole."""

    def __init__(self, prepared: Prepared, work: Work, order_seed: int, put: Put) -> None:
        self.work = work
        self.order_seed = order_seed
        self.data: Batches = put(load(prepared, prepared.parts.train, work))

    def orders(self, first: int, count: int, room: int) -> Numbers:
        """(room, S, B): the orders of ``count`` epochs from ``first``, the rest unused."""
        found = np.zeros((room, self.work.steps, self.work.batch), dtype=np.int32)
        for i in range(count):
            found[i] = order(self.work, self.order_seed, first + i)
        return found


class Streamed:
    """Training data that passes over the devices in blocks of whole batches."""

    def __init__(
        self, prepared: Prepared, work: Work, order_seed: int, put: Put, block_rows: int
    ) -> None:
        self.prepared = prepared
        self.work = work
        self.order_seed = order_seed
        self.put = put
        self.steps_per_block = max(1, min(work.steps, block_rows // work.batch))

    def blocks(self, epoch: int) -> Iterator[tuple[Batches, Numbers, int]]:
        """The blocks of an epoch: data on the device, its (M, B) order, and steps that it holds.

        Every block has the same shape, so one program serves them all; the last may hold fewer
        steps. The next block is made ready while the caller trains on this one.
        """
        steps = order(self.work, self.order_seed, epoch)
        starts = range(0, len(steps), self.steps_per_block)
        with ThreadPoolExecutor(max_workers=1) as loader:
            ahead: Future[tuple[Batches, Numbers, int]] | None = None
            for start in starts:
                part = steps[start : start + self.steps_per_block]
                loading = loader.submit(self._load, part)
                if ahead is not None:
                    yield ahead.result()
                ahead = loading
            if ahead is not None:
                yield ahead.result()

    def _load(self, steps: Numbers) -> tuple[Batches, Numbers, int]:
        positions = steps.reshape(-1)
        rows = self.prepared.parts.train[np.maximum(positions, 0)]
        full = self.steps_per_block * self.work.batch
        found = load(self.prepared, rows, self.work)
        data = Batches(*(None if a is None else _lengthen(a, full) for a in found))
        inside = np.full(full, -1, dtype=np.int32)
        inside[: len(positions)] = np.where(positions < 0, -1, np.arange(len(positions)))
        return (
            self.put(data),
            inside.reshape(self.steps_per_block, self.work.batch),
            len(steps),
        )


def _lengthen(array: Numbers, rows: int) -> Numbers:
    """The array with rows of zeros added until it has ``rows`` of them."""
    if len(array) == rows:
        return array
    added = np.zeros((rows - len(array), *array.shape[1:]), array.dtype)
    return np.concatenate([array, added])


Feed = Resident | Streamed
