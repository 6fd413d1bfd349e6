"""The default: local steps from the start, a global model where they have arrived or must wait.

With numbers only, the search begins at the centre and its local steps look around from there: in a
hundred trials that reaches more than an even split between near and far. When a run of local steps
has arrived, the points that the global model hopes most of begin a new run elsewhere. Slots that
would have to wait for a local step take points of the global model too, so with many slots most
points are its. With categories, which no local step changes, a design comes first and local and
global steps take turns.

The measurements are in bench/samplers.py and bench/searches.py.
"""

import numpy as np

from shoal.tune.samplers import local
from shoal.tune.samplers.base import PointSampler, Proposal
from shoal.tune.samplers.history import View
from shoal.tune.samplers.lipo import designed, starting
from shoal.tune.samplers.space import Floats
from shoal.tune.samplers.surrogate import Process

LOCAL = 0.5
"""Share of local steps with categories."""
GEOMETRY = 4
"""One pending point of so many may measure a direction."""


class Auto(PointSampler):
    """The default sampler: nothing to set."""

    _kept: tuple[tuple[object, ...], Process] | None = None
    """The last process and the history that it stands on; only saves time."""

    def propose(self, view: View, rng: np.random.Generator) -> Proposal:
        """The next point: of the design, a local step, or what the global model hopes most of."""
        if not view.space.free.any() or not view.real.any():
            if starting(view) or not view.real.any():
                return designed(self.seed, view), None
            return self._hopeful(view, rng), None
        mixed = bool(view.space.choice.any())
        if mixed and starting(view):
            return designed(self.seed, view), None
        run = local.current(view)
        if run.radius < local.LAST_RADIUS or run.arrived:
            run = local.elsewhere(view.number)
        if self._local(view, run, rng, mixed):
            step = local.step(view, run, rng)
            if step is not None:
                return step
        return self._hopeful(view, rng), {"step": "global", "since": run.since}

    def _hopeful(self, view: View, rng: np.random.Generator) -> Floats:
        key = (view.space.key, view.x.tobytes(), view.y.tobytes())
        if self._kept is None or self._kept[0] != key:
            self._kept = (key, Process(view, np.random.default_rng([self.seed, len(view.y)])))
        return self._kept[1].hopeful(view, rng)

    def _local(self, view: View, run: local.Run, rng: np.random.Generator, mixed: bool) -> bool:
        """Whether a local step may come now."""
        waiting = sum(1 for n in view.pending_notes if n is not None and n["step"] != "global")
        if waiting > len(view.pending) // GEOMETRY:
            return False
        own = int((view.numbers >= run.since).sum()) + len(view.pending)
        if run.since and own <= view.space.size:
            return False
        return not mixed or rng.random() < LOCAL
