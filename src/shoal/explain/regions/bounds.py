"""How many linear regions a ReLU network can have, by its widths.

Notation: n_0 inputs, n_1, ..., n_L units of the hidden layers, C(n, j) binomial coefficients.

    one layer        sum_{j <= n_0} C(n_1, j), reached by lines in general position
                     (Zaslavsky 1975, Facing up to arrangements)
    at least         some network has  prod_{l < L} floor(n_l / n_0)^n_0 · sum_{j <= n_0} C(n_L, j)
                     regions, for n_l >= n_0 (Montúfar et al. 2014, arXiv:1402.1869)
    at most          2^(n_1 + ... + n_L), one for each pattern (the same)
                     prod_l sum_{j <= min(n_0, ..., n_l)} C(n_l, j)
                     (Raghu et al. 2017, arXiv:1606.05336; in this form Montúfar 2017)
                     sum over (j_1, ..., j_L) of prod_l C(n_l, j_l),
                     0 <= j_l <= min(n_0, n_1 - j_1, ..., n_(l-1) - j_(l-1), n_l)
                     (Serra et al. 2018, arXiv:1711.02114, theorem 1; exact for n_0 = 1)

The last counts that a unit that is off adds no dimension, so it is for ReLU alone; the others hold
for LeakyReLU and PReLU too.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import comb, prod
from typing import NamedTuple

from shoal.errors import RecipeError


class RegionBounds(NamedTuple):
    """Bounds on the number of linear regions over the whole input space.

    Attributes:
        reached: some network of these widths has at least so many (Montúfar et al. 2014); 1 where
            a layer is narrower than the input.
        serra: no ReLU network has more (Serra et al. 2018).
        raghu: no network has more (Raghu et al. 2017, Montúfar 2017).
        patterns: 2^units.
    """

    reached: int
    serra: int
    raghu: int
    patterns: int


def arrangement(planes: int, dimensions: int) -> int:
    """The most parts into which planes cut a space: sum_{j <= d} C(n, j) (Zaslavsky 1975).

    >>> arrangement(3, 2), arrangement(4, 1)
    (7, 5)
    """
    return sum(comb(planes, j) for j in range(min(planes, dimensions) + 1))


def region_bounds(widths: Sequence[int], inputs: int) -> RegionBounds:
    """Bounds on the linear regions of ReLU networks with these hidden layers.

    Args:
        widths: n_1, ..., n_L, one or more, each >= 1.
        inputs: n_0 >= 1.

    Raises:
        RecipeError: a width below 1, or no layer.

    >>> region_bounds([3], 2)
    RegionBounds(reached=7, serra=7, raghu=7, patterns=8)
    >>> region_bounds([1, 1], 1)
    RegionBounds(reached=2, serra=3, raghu=4, patterns=4)
    """
    if not widths or min(*widths, inputs) < 1:
        raise RecipeError(
            "region_bounds",
            required="one layer or more, each of a unit or more, and an input",
            got=f"{list(widths)}, {inputs} inputs",
            remedy="give for instance region_bounds([8, 8], 2)",
        )
    sizes = tuple(int(width) for width in widths)
    narrowest = [min(inputs, *sizes[: place + 1]) for place in range(len(sizes))]
    return RegionBounds(
        _reached(sizes, inputs),
        _serra(sizes, inputs),
        prod(arrangement(n, d) for n, d in zip(sizes, narrowest, strict=True)),
        2 ** sum(sizes),
    )


def _reached(sizes: tuple[int, ...], inputs: int) -> int:
    if min(sizes) < inputs:
        return 1 if len(sizes) > 1 else arrangement(sizes[0], inputs)
    folds = prod((n // inputs) ** inputs for n in sizes[:-1])
    return folds * arrangement(sizes[-1], inputs)


@lru_cache
def _serra(sizes: tuple[int, ...], dimensions: int) -> int:
    """The sum over j_1, then those that are left: only the smallest dimension so far matters."""
    if not sizes:
        return 1
    first, *rest = sizes
    return sum(
        comb(first, j) * _serra(tuple(rest), min(dimensions, first - j))
        for j in range(min(dimensions, first) + 1)
    )
