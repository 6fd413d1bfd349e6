"""What an optimiser is: how a gradient becomes a step. The arithmetic is optax's.

A description's numbers may be tracers: every member of a pool has its own rates.
"""

from typing import Any, ClassVar

from shoal.arrays import Array, Tree
from shoal.describe import Description, traced
from shoal.rules import Number

RATE = Number(0.0)
FRACTION = Number(0.0, 1.0, high_open=True)
SMALL = Number(0.0)


class Optimiser(Description, abstract=True):
    """The interface of an optimiser.

    Class attributes:
        full_batch: whether a recipe takes all examples at once where it does not say otherwise.
        keeps_zeros: whether weights that are 0, with gradients that are 0, stay 0 and change
            nothing about the others: arrays may then be padded with them (see ``sharing``).
    """

    full_batch: ClassVar[bool] = False
    keeps_zeros: ClassVar[bool] = False

    learning_rate: float = traced(default=0.01, must=RATE)

    @property
    def searches(self) -> bool:
        """Whether a step evaluates the objective again to find its length."""
        return False

    def transformation(self, rate: Array, decays: Tree) -> Any:
        """The optax transformation for one step.

        Args:
            rate: the learning rate of this step, a scalar.
            decays: booleans like the parameters: where weight decay acts.
        """
        raise NotImplementedError
