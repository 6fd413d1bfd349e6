"""L-BFGS: steps along an estimate of the inverse Hessian, from the last few steps and gradients.

Notation: s_k = w_(k+1) - w_k, y_k = g_(k+1) - g_k over all weights together. The direction is H g,
H being the estimate of the inverse Hessian that the last m pairs (s, y) make of gamma I, with
gamma = s·y / y·y of the newest pair (Nocedal and Wright 2006, algorithm 7.4).
"""

from typing import Any

import optax

from shoal.arrays import Array, Tree
from shoal.describe import static, traced
from shoal.optim.optimiser import RATE, Optimiser
from shoal.rules import Flag, Whole


class LBFGS(Optimiser):
    """w <- w - a H g, with a step length a that satisfies the strong Wolfe conditions.

    For full or large batches: between small ones the gradient changes for other reasons than
    curvature. A recipe with it takes the full batch by default. Each step evaluates loss and
    gradient several times while it searches for a, so a step costs as much as several of Adam's.
    Before the first pair, H is the identity times min(1, 1 / |g|).

    Args:
        learning_rate: a where there is no line search, >= 0; not used otherwise.
        memory: m, pairs that are remembered, >= 1; each takes twice the memory of the weights.
        line_search: whether to search for a; False takes the learning rate.
        most_searches: evaluations in one search, >= 1.
    """

    full_batch = True

    learning_rate: float = traced(default=1.0, must=RATE)
    memory: int = static(default=10, must=Whole(1))
    line_search: bool = static(default=True, must=Flag())
    most_searches: int = static(default=20, must=Whole(1))

    @property
    def searches(self) -> bool:
        return self.line_search

    def transformation(self, rate: Array, decays: Tree) -> Any:
        if not self.line_search:
            return optax.lbfgs(rate, memory_size=self.memory, linesearch=None)
        search = optax.scale_by_zoom_linesearch(self.most_searches, initial_guess_strategy="one")
        return optax.lbfgs(memory_size=self.memory, linesearch=search)
