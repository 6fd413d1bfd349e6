"""The default: local steps from the start, the global bound where they have arrived or must wait.

With numbers only, the search begins at the centre and its local steps look around from there: in a
hundred trials that reaches more than an even split between near and far. When a run of local steps
has arrived, points of the lowest bound begin a new run elsewhere. Slots that would have to wait for
a local step take points of the bound. With categories, which no local step changes, a design comes
first and local and global steps take turns, as in LIPO.

The measurements are in bench/samplers.py.
"""

import numpy as np

from shoal.tune.samplers import local
from shoal.tune.samplers.base import PointSampler, Proposal
from shoal.tune.samplers.history import View
from shoal.tune.samplers.lipo import LIPO, designed, lowest


class Auto(PointSampler):
    """The default sampler: nothing to set."""

    def propose(self, view: View, rng: np.random.Generator) -> Proposal:
        """The next point: of the design, a local step, or the lowest bound."""
        if view.space.choice.any() or not view.space.free.any():
            return LIPO(self.seed).propose(view, rng)
        if not view.real.any():
            return designed(self.seed, view), None
        run = local.current(view)
        if run.radius < local.LAST_RADIUS:
            run = local.elsewhere(view.number)
        own = int((view.numbers >= run.since).sum()) + len(view.pending)
        if run.since == 0 or own > view.space.size:
            step = local.step(view, run, rng)
            if step is not None:
                return step
        return lowest(view, rng), {"step": "global", "since": run.since}
