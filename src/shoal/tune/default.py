"""The default space: what is worth searching for a table when nothing else is said.

Depth and width, activation, dropout, L2, optimiser, learning rate, batch size. What changes shapes
or structure has few options, because each combination is compiled once; what only enters arithmetic
is searched freely. Ranges are common knowledge of the field: rates of Adam around 1e-3, those of
momentum ten times as large, dropout up to a half.
"""

from typing import Any

from shoal.data.dataset import Data
from shoal.data.preparation import Preparation
from shoal.data.splits import Split
from shoal.nets import Net, ReLU, Tanh
from shoal.nets.zoo import mlp
from shoal.optim import Adam, Momentum
from shoal.recipe import EarlyStopping, Recipe
from shoal.spaces import Choice, Float

HIDDEN = ((64,), (16,), (128, 64))
ENOUGH_ROWS = 1000
"""Rows of data from which large batches are worth a try."""


def default_space(
    data: Data,
    *,
    epochs: int = 50,
    validation: float = 0.2,
    test: float = 0.0,
    seed: int = 0,
    fixed: bool = False,
) -> Recipe:
    """The space that ``shoal tune`` searches.

    Args:
        data: says how many outputs, and whether they are classes.
        epochs: limit for each trial.
        validation, test: shares of the rows.
        seed: of weights and dropout.
        fixed: whether structure is closed, its first options taken: what a population can explore.
    """
    dropout: Any = Float(0.0, 0.5)
    nets: list[Net] = [
        mlp(hidden, data.width, activation, dropout)
        for hidden in HIDDEN
        for activation in (ReLU(), Tanh())
    ]
    slow: Any = Float(1e-4, 3e-2, log=True)
    fast: Any = Float(1e-3, 3e-1, log=True)
    options: dict[str, Any] = {
        "optimiser": Choice(Adam(slow), Momentum(fast)),
        "batch_size": Choice(32, 128) if len(data) >= ENOUGH_ROWS else None,
        "l2": Float(1e-6, 1.0, log=True),
    }
    net: Any = Choice(*nets)
    if fixed:
        batch = 32 if len(data) >= ENOUGH_ROWS else None
        net, options = nets[0], options | {"optimiser": Adam(slow), "batch_size": batch}
    return Recipe(
        net,
        loss="cross_entropy" if data.classes else "mean_squared_error",
        epochs=epochs,
        early_stopping=EarlyStopping(10),
        preparation=Preparation(split=Split(validation=validation, test=test)),
        seed=seed,
        name=data.name,
        **options,
    )
