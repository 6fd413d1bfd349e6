"""Listed points first, then another sampler.

Trials take the points in order; a name that a point leaves out is sampled by the other sampler. The
number of the point is kept with the trial, so that after a restart no point is lost or repeated.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from shoal.errors import RecipeError

GUESS = "shoal:guess"
"""The system attribute with the number of the point."""


class Guess(BaseSampler):
    """The points of a list, one trial each, then another sampler.

    Args:
        points: values by name; names that are left out are sampled.
        then: the sampler of all other values.
    """

    def __init__(self, points: Sequence[Mapping[str, Any]], then: BaseSampler) -> None:
        if not all(isinstance(p, Mapping) for p in points):
            raise RecipeError(
                "Guess(points)",
                required="a list of dicts of values by name",
                got=repr(points),
                remedy='for example [{"rate": 1e-3, "depth": 2}]',
            )
        self.points = [dict(p) for p in points]
        self.then = then

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Give the trial the first point that no other trial has."""
        self.then.before_trial(study, trial)
        trials = study.get_trials(deepcopy=False)
        taken = {t.system_attrs.get(GUESS) for t in trials if t.state != TrialState.WAITING}
        left = [i for i in range(len(self.points)) if i not in taken]
        if left:
            study._storage.set_trial_system_attr(trial._trial_id, GUESS, left[0])

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """What the other sampler proposes together, without what is listed."""
        listed = self._point(study, trial)
        space = self.then.infer_relative_search_space(study, trial)
        return {name: d for name, d in space.items() if name not in listed}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """What the other sampler says about the names that are not listed."""
        return self.then.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """The listed value, or what the other sampler says."""
        point = self._point(study, trial)
        if param_name not in point:
            return self.then.sample_independent(study, trial, param_name, param_distribution)
        value = point[param_name]
        try:
            inside = param_distribution._contains(param_distribution.to_internal_repr(value))
        except (ValueError, TypeError):
            inside = False
        if not inside:
            raise RecipeError(
                f"Guess: {param_name!r}",
                required=f"a value of {param_distribution}",
                got=repr(value),
                remedy="correct the listed point",
            )
        return value

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Any) -> None:
        """Passed on."""
        self.then.after_trial(study, trial, state, values)

    def reseed_rng(self) -> None:
        """Passed on."""
        self.then.reseed_rng()

    def _point(self, study: Study, trial: FrozenTrial) -> dict[str, Any]:
        found = study._storage.get_trial_system_attrs(trial._trial_id).get(GUESS)
        return {} if found is None else self.points[found] if found < len(self.points) else {}
