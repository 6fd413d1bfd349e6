"""The common core of our samplers: from a study to a point and back.

A sampler says one thing: given the history as arrays, which point next (`propose`). Everything else
is here: the groups of parameters that occur together, the first trials (whose parameters Optuna
does not know yet), the notes, points that were already asked for, and the random numbers.

All random numbers are drawn from (seed, number of the trial): the same seed gives the same points
in any process, after any restart, with any number of workers.
"""

import abc
import importlib.util
import threading
import zlib
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from shoal.errors import RecipeError
from shoal.tune.samplers.history import NOTE, History, View
from shoal.tune.samplers.space import Column, Floats, Space

DESIGN_COLUMNS = 64
"""Columns of the first design; parameters beyond them are drawn uniformly."""

CLOSE = 1e-9
"""Points of the unit box that differ by less in every column are the same point."""

Proposal = tuple[Floats, dict[str, Any] | None]
"""A point of the unit box, shape (D,), and a note about it."""


class PointSampler(BaseSampler, abc.ABC):
    """A sampler that proposes points of the unit box.

    Args:
        seed: of all random numbers; None draws one.
        space: the distributions by name, where they are known beforehand; otherwise they are
            learned from the trials, and the first trials follow a scrambled Sobol design.
    """

    def __init__(
        self, seed: int | None = None, *, space: Mapping[str, BaseDistribution] | None = None
    ) -> None:
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
            raise RecipeError(
                f"{type(self).__name__}(seed)",
                required="a whole number of at least 0, or None",
                got=repr(seed),
                remedy="for example seed=0",
            )
        self.seed = int(np.random.default_rng().integers(2**32)) if seed is None else seed
        self.space = None if space is None else dict(space)
        self._history = History()
        self._turn = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        """All but the lock: Optuna's users keep samplers in files."""
        return {name: value for name, value in vars(self).items() if name != "_turn"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._turn = threading.Lock()

    @abc.abstractmethod
    def propose(self, view: View, rng: np.random.Generator) -> Proposal:
        """The next point, given the history, and a note to keep with the trial (JSON-able)."""

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """All parameters that can be proposed together: the given space, or what trials had."""
        self._only_one_objective(study)
        if self.space is not None:
            return dict(self.space)
        with self._turn:
            found = self._history.groups(study)
        return {name: d for group in found for name, d in sorted(group.items())}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """One point for each group of parameters; threads take turns."""
        self._only_one_objective(study)
        with self._turn, one_thread():
            return self._sampled(study, trial, search_space)

    def _sampled(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        values: dict[str, Any] = {}
        notes: dict[str, Any] = {}
        for index, group in enumerate(self._groups(study, search_space)):
            space = Space(group)
            view = self._history.view(study, space, trial.number)
            rng = np.random.default_rng([self.seed, trial.number, index])
            point, note = self.propose(view, rng)
            point = fresh(space.snap(point), view, rng)
            values |= space.decode(point)
            if note is not None:
                notes[space.tag] = note
        if notes:
            study._storage.set_trial_system_attr(trial._trial_id, NOTE, notes)
        return values

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """A value from the design: row = trial, column = place of the parameter."""
        self._only_one_objective(study)
        column = Column(param_name, param_distribution)
        place = len(trial.params)
        if place < DESIGN_COLUMNS:
            uniform = float(design(self.seed, trial.number)[place])
        else:
            key = zlib.crc32(param_name.encode())
            uniform = float(np.random.default_rng([self.seed, trial.number, key]).random())
        return column.decode(column.spread(uniform))

    def _groups(
        self, study: Study, search_space: Mapping[str, BaseDistribution]
    ) -> list[dict[str, BaseDistribution]]:
        """The wanted parameters in groups; what no trial had yet is one more group."""
        left = dict(search_space)
        groups = []
        for group in self._history.groups(study):
            wanted = {n: d for n, d in group.items() if left.get(n) == d}
            for name in wanted:
                del left[name]
            if wanted:
                groups.append(wanted)
        return [*groups, left] if left else groups

    def _only_one_objective(self, study: Study) -> None:
        if len(study.directions) > 1:
            raise RecipeError(
                type(self).__name__,
                required="a study of one objective",
                got=f"{len(study.directions)} directions",
                remedy="use optuna.samplers.NSGAIISampler for several objectives",
            )


def one_thread() -> AbstractContextManager[object]:
    """Linear algebra in one thread: for matrices this small more threads take five times longer.

    Nothing is limited where threadpoolctl, which comes with scikit-learn, is missing.
    """
    controller = _controller()
    return nullcontext() if controller is None else controller.limit(limits=1, user_api="blas")


@lru_cache(maxsize=1)
def _controller() -> Any:
    if importlib.util.find_spec("threadpoolctl") is None:
        return None
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def fresh(point: Floats, view: View, rng: np.random.Generator) -> Floats:
    """The point, or a random one near it (later: anywhere) if it is known already.

    A box of few points may be exhausted; then the point is repeated.
    """
    known = np.concatenate([view.x, view.pending])
    if not is_known(point, known):
        return point
    for attempt in range(32):
        width = 0.02 * 2.0 ** (attempt / 4)
        other = point + width * rng.normal(size=len(point))
        flip = view.space.choice & (rng.random(len(point)) < 0.1 + width)
        other[view.space.choice] = point[view.space.choice]
        other = np.where(flip, view.space.spread(rng.random(len(point))), other)
        other = view.space.snap(other)
        if not is_known(other, known):
            return other
    return point


def is_known(point: Floats, known: Floats) -> bool:
    """Whether a point (D,) is among the known ones (n, D)."""
    return bool(len(known) and (np.abs(known - point).max(axis=1) < CLOSE).any())


BLOCK = 256


def design(seed: int, row: int) -> Floats:
    """Row ``row`` of the design: the centre, then scrambled Sobol; shape (DESIGN_COLUMNS,)."""
    if row == 0:
        return np.full(DESIGN_COLUMNS, 0.5)
    return _block(seed, row // BLOCK)[row % BLOCK]


@lru_cache(maxsize=16)
def _block(seed: int, block: int) -> Floats:
    from scipy.stats import qmc  # takes half a second to load, which searches by name need not pay

    rng = np.random.default_rng([seed, 777])
    engine = qmc.Sobol(DESIGN_COLUMNS, scramble=True, rng=rng)
    if block:
        engine.fast_forward(block * BLOCK)
    return np.asarray(engine.random(BLOCK))
