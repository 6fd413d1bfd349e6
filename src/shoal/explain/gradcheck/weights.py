"""Parameters given by the user: whether they are those of the network."""

import jax
import numpy as np

from shoal.arrays import Shape, Tree, flatten
from shoal.errors import ShapeError
from shoal.nets import Net


def check_parameters(given: Tree, net: Net, in_shape: Shape, thing: str) -> None:
    """Whether parameters have the names and the shapes of those of a network.

    Raises:
        ShapeError: they have not, or a layer cannot take the inputs.
    """
    like, _ = jax.eval_shape(lambda: net.init(jax.random.key(0), in_shape))
    want = {path: leaf.shape for path, leaf in flatten(like).items()}
    have = {path: np.shape(leaf) for path, leaf in flatten(given).items()}
    for path in sorted(want.keys() | have.keys()):
        if want.get(path) != have.get(path):
            raise ShapeError(
                f"{thing}(parameters): {path}",
                required=f"shape {want[path]}" if path in want else "no such array",
                got=f"shape {have[path]}" if path in have else "none",
                remedy="give the parameters of this network, without an axis of members",
            )
