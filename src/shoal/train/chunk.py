"""Chunk: epochs that were begun and that the devices may still be training."""

from dataclasses import dataclass

import numpy as np

from shoal.arrays import Numbers, Tree
from shoal.recipe import Recipe
from shoal.train import signals
from shoal.train.epoch import SIGNALS
from shoal.train.gathering import Layout


@dataclass(frozen=True)
class Chunk:
    """Epochs under way.

    Attributes:
        log: the Info, on the devices; epochs: how many of its columns count.
        recipe: of the pool; where: the layout of its signals.
        looked: whether the signals of each epoch were read.
    """

    log: Tree
    epochs: int
    recipe: Recipe
    where: Layout
    looked: Numbers

    def read(self) -> dict[str, Numbers]:
        """The Info as (K, n) arrays by name for the n epochs; waits for them."""
        found = {name: np.asarray(values)[:, : self.epochs] for name, values in self.log.items()}
        if SIGNALS in found:
            found |= signals.read(self.recipe, self.where, found.pop(SIGNALS), self.looked)
        return found
