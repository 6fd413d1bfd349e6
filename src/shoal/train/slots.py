"""Slots: how many members a pool holds, from the memory that its program is predicted to take."""

from collections.abc import Sequence

import jax

from shoal.data.preparation import Prepared
from shoal.errors import DeviceError
from shoal.recipe import Recipe
from shoal.train.devices import memory_budget
from shoal.train.feed import Streamed
from shoal.train.pool import Pool
from shoal.train.settings import Settings

USUAL_MOST = {"cpu": 256}
"""Members of a pool by platform where nothing else is asked for; 4096 elsewhere."""


def even(members: int, devices: int) -> int:
    """The smallest number of slots for so many members that divides among the devices.

    >>> even(5, 2), even(64, 2), even(3, 16), even(17, 16)
    (6, 64, 3, 18)
    """
    on_each = -(-members // devices)
    return on_each * -(-members // on_each)


def roomy_pool(
    recipes: Sequence[Recipe], prepared: Prepared, settings: Settings, wanted: int | None
) -> Pool:
    """A pool for recipes of one signature that fits into memory.

    Its memory is what the compiler predicts for the chunk, asked before anything runs. Where that
    is too much, the number of slots is halved until it fits.

    Args:
        recipes: of one signature.
        wanted: slots to have; None for one for each recipe, at most ``USUAL_MOST``.

    Raises:
        DeviceError: not even one member fits, or not as many as wanted.
    """
    devices = settings.devices if settings.devices is not None else jax.devices()
    most = wanted or USUAL_MOST.get(devices[0].platform, 4096)
    slots = even(min(len(recipes), most), len(devices))
    while True:
        pool = Pool(recipes[0], prepared, slots, settings)
        if isinstance(pool.feed, Streamed):
            return pool
        needed, budget = pool.bytes_needed(), memory_budget(pool.mesh)
        if needed <= budget:
            return pool
        if slots == 1 or wanted:
            raise DeviceError(
                f"a pool of {slots} members",
                required=f"{needed / 2**20:,.0f} MiB on each device",
                got=f"{budget / 2**20:,.0f} MiB free",
                remedy="use fewer slots, a smaller batch, or stream: Settings(block_rows=...)",
            )
        slots = even(slots // 2, len(devices))
