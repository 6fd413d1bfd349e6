"""Population based training: networks in the slots of one pool that inherit from the better ones.

All members train at the same time. After every chunk

    exploit   a member among the worst 20 % takes over the weights, the state of the optimiser and
              the values of a member drawn from the best 20 % (truncation selection); so does
              every member that is not finite any more
    explore   each value it took over is multiplied by 0.8 or 1.2, or now and then drawn anew

The state of a member does not depend on its slot, so that a network trained alone along its
lineage, with the seed of the space, comes out the same. Only numbers that enter the program as
arrays can change under weights; structure cannot.

A trial is one slot: its parameters are those that its network ended with, its value and the values
it reported are those of its network's lineage.

Source: Jaderberg et al., "Population Based Training of Neural Networks", 2017, arXiv:1711.09846
(section 3 and appendix A: truncation selection, 20 %, factors 0.8 and 1.2).
"""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from shoal.choosing import Parameter
from shoal.errors import DeviceError, RecipeError
from shoal.recipe import Recipe
from shoal.spaces import Choice, Int
from shoal.train.member import Status
from shoal.train.pool import Pool
from shoal.train.progress import Standing
from shoal.train.slots import roomy_pool
from shoal.tune.executor import Executor, usual_settings
from shoal.tune.lane import WATCHED, Seat
from shoal.tune.mirror import Mirror, quiet_study

SHARE = 0.2
FACTORS = (0.8, 1.2)
DRAWN_ANEW = 0.25
"""How often a value is drawn anew: the usual share where both ways are mixed (Ray Tune's)."""

FIXED = ("epochs", "seed")
"""What is traced but decides how members are compared."""


def check_explorable(space: Recipe) -> None:
    """Whether all that is open may change while a network trains.

    Raises:
        RecipeError: some of it changes the structure; it is named.
    """
    plain = [p for p in space.parameters if not p.conditions]
    inside = [p.name for p in space.parameters if p.conditions]
    names = [p.name for p in plain if not _traced(space, p)] or inside
    if names:
        raise RecipeError(
            'tune(sampler="pbt")',
            required="parameters that can change under weights (rates, dropout, penalties, ...)",
            got=f"some that change the structure or the length: {', '.join(names)}",
            remedy="choose them before, or search them with another sampler",
        )


def _traced(space: Recipe, parameter: Parameter) -> bool:
    leaf: Any = parameter.leaf
    ends = leaf.values if isinstance(leaf, Choice) else (leaf.low, leaf.high)
    known = {space.at({parameter.name: value}).signature for value in ends}
    return parameter.path not in FIXED and len(known) == 1


class Member:
    """A slot: what its network has gone through.

    Attributes:
        number: of the trial; seat: its recipe and losses; lineage: [epoch, values] each;
        copies: [epoch, number of the trial that was copied] each.
    """

    def __init__(self, number: int, values: dict[str, Any], seat: Seat) -> None:
        self.number, self.values, self.seat = number, values, seat
        self.lineage: list[tuple[int, dict[str, Any]]] = [(0, values)]
        self.copies: list[tuple[int, int]] = []

    @property
    def last(self) -> float:
        """The latest loss, of one that has stopped the one it keeps; infinite for a dead one."""
        if self.seat.failed or not len(self.seat.losses):
            return float("inf")
        value = self.seat.value if self.seat.done else float(self.seat.losses[-1])
        return value if np.isfinite(value) else float("inf")

    def inherit(self, other: "Member", epoch: int, values: dict[str, Any], recipe: Recipe) -> None:
        """Become a copy of another member that goes on with other values."""
        self.seat = Seat(recipe, start_epoch=other.seat.start_epoch, losses=other.seat.losses)
        self.values = values
        self.lineage = [*other.lineage, (epoch, values)]
        self.copies.append((epoch, other.number))


class Population:
    """A population under way; what the protocol reads is named as in ``Search``.

    Args:
        space: what may be explored.
        study: in memory, gets the trials in the end.
        executor: for data and protocol.
        size: K, members.
        points: the first members, {name: value} each; the others are drawn at random.
        seed: of all that is drawn.
        mirror: where the trials go too, or None; a population that is there is not trained again.
    """

    def __init__(
        self,
        space: Recipe,
        study: optuna.Study,
        executor: Executor,
        size: int,
        points: Sequence[dict[str, Any]],
        seed: int,
        mirror: Mirror | None,
    ) -> None:
        check_explorable(space)
        self.space, self.study, self.executor, self.mirror = space, study, executor, mirror
        self.folds: Sequence[int | None] = [None]
        self.size, self.wasted, self.copies = size, 0.0, 0
        self._random = np.random.default_rng(seed)
        self._asked = quiet_study(None, None, sampler=optuna.samplers.RandomSampler(seed=seed))
        self._kept = {int(t.user_attrs["trial"]) for t in mirror.finished} if mirror else set()
        self.members: list[Member] = []
        if mirror is not None and len(self._kept) == size:
            self._add(mirror.finished)
            return
        self.members = [self._member(k, points[k : k + 1]) for k in range(size)]
        self.pool = self._pool(size)

    def _member(self, number: int, point: Sequence[dict[str, Any]]) -> Member:
        for values in point:
            self._asked.enqueue_trial(values)
        trial = self._asked.ask()
        recipe = self.space.suggest(trial)
        self.distributions = trial.distributions
        return Member(number, dict(trial.params), Seat(recipe, start_epoch=0))

    def _pool(self, size: int) -> Pool:
        recipe = self.members[0].seat.recipe
        settings = self.executor.settings or usual_settings(recipe, self.executor.data)
        prepared = self.executor.prepared(recipe)
        try:
            pool = roomy_pool([recipe] * size, prepared, settings, size)
        except jax.errors.JaxRuntimeError as error:
            raise DeviceError(
                f"a population of {size}",
                required="memory for all members at a time",
                got=str(error).split("\n", 1)[0],
                remedy="give fewer trials",
            ) from error
        pool.place({k: member.seat.recipe for k, member in enumerate(self.members)})
        return pool

    @property
    def flights(self) -> list[Member]:
        """The members that train."""
        return [member for member in self.members if not member.seat.done]

    @property
    def best(self) -> float:
        """The lowest value so far."""
        known = [t.value for t in self.study.get_trials(deepcopy=False) if t.value is not None]
        return min([*known, *(member.last for member in self.members)], default=float("inf"))

    @property
    def standing(self) -> Standing:
        """For the progress line."""
        epochs = int(self.members[0].seat.recipe.epochs)
        text = f"{self.size} networks, {len(self.flights)} in training, {self.copies} copied"
        return Standing(self.pool.epoch, epochs, f"{text} | best {self.best:.4g}")

    # --- training --------------------------------------------------------------------------------

    def advance(self) -> bool:
        """Train a chunk, exploit and explore; False when all members are done."""
        if not self.flights:
            return False
        left = self.executor.chunk
        while left:
            info = self.pool.run(left)[WATCHED]
            left -= info.shape[1]
            for k, member in enumerate(self.members):
                if not member.seat.done:
                    member.seat.losses = np.concatenate([member.seat.losses, info[k]])
        self._look()
        if self.flights:
            self._exploit()
        else:
            self._add([self._trial(member) for member in self.members])
        return True

    def _look(self) -> None:
        """Note who has stopped."""
        state = self.pool.members
        statuses, epochs = np.asarray(state.status), np.asarray(state.epoch)
        best = np.asarray(state.watch.best_epoch)
        for k, member in enumerate(self.members):
            if statuses[k] != Status.RUNNING and not member.seat.done:
                member.seat.losses = member.seat.losses[: int(epochs[k])]
            member.seat.status = Status(int(statuses[k]))
            member.seat.best_epoch = int(best[k])

    def _exploit(self) -> None:
        order = np.argsort([member.last for member in self.members], kind="stable")
        cut = max(1, round(SHARE * len(order)))
        best = [k for k in order[:cut] if not self.members[k].seat.done]
        if not best or 2 * cut > len(order):
            return
        dead = [k for k in order[:-cut] if self.members[k].last == float("inf")]
        worst = map(int, [*dead, *order[-cut:]])
        sources = {k: int(self._random.choice(best)) for k in worst}
        self.pool.copy(sources)
        self.copies += len(sources)
        for k, source in sources.items():
            member, other = self.members[k], self.members[source]
            values = self._explore(other.values)
            recipe = self.space.at(values)
            member.inherit(other, self.pool.epoch, values, recipe)
        self.pool.change({k: self.members[k].seat.recipe for k in sources})

    def _explore(self, values: dict[str, Any]) -> dict[str, Any]:
        drawn = self._asked.ask(self.distributions).params
        leaves = {p.name: p.leaf for p in self.space.parameters}
        return {
            name: drawn[name] if self._random.random() < DRAWN_ANEW
            else perturbed(leaves[name], value, bool(self._random.integers(2)))
            for name, value in values.items()
        }  # fmt: skip

    # --- the study -------------------------------------------------------------------------------

    def _trial(self, member: Member) -> FrozenTrial:
        seat = member.seat
        ends = range(self.executor.chunk, len(seat.losses) + 1, self.executor.chunk)
        about = {
            "trial": member.number,
            "seeds": [int(seat.recipe.seed)],
            "start_epochs": [0],
            "epochs": [len(seat.losses)],
            "lineage": [list(step) for step in member.lineage],
            "copies": [list(copy) for copy in member.copies],
        } | ({"reason": seat.failed} if seat.failed else {})
        return create_trial(
            state=TrialState.FAIL if seat.failed else TrialState.COMPLETE,
            value=None if seat.failed else seat.value,
            params=member.values,
            distributions=self.distributions,
            user_attrs=about,
            intermediate_values={e: float(v) for e in ends if np.isfinite(v := seat.losses[e - 1])},
        )

    def _add(self, trials: Sequence[FrozenTrial]) -> None:
        for trial in trials:
            self.study.add_trial(trial)
            if self.mirror is not None and int(trial.user_attrs["trial"]) not in self._kept:
                self.mirror.put(trial)
        if self.mirror is not None:
            self.mirror.release()


def perturbed(leaf: Any, value: Any, up: bool) -> Any:
    """A value times 1.2 or 0.8, inside its interval and on its grid; of a choice, its neighbour.

    >>> from shoal.spaces import Float, Int
    >>> perturbed(Float(0.0, 1.0), 0.5, True), perturbed(Float(0.0, 1.0), 0.9, True)
    (0.6, 1.0)
    >>> perturbed(Int(1, 9), 2, False)
    1
    """
    if isinstance(leaf, Choice):
        at = leaf.index(value) + (1 if up else -1)
        return leaf.values[min(max(at, 0), len(leaf.values) - 1)]
    wanted = value * FACTORS[up]
    if leaf.step is not None and not leaf.log:
        steps = round((wanted - value) / leaf.step) or (1 if up else -1)
        wanted = value + steps * leaf.step
        if not leaf.low <= wanted <= leaf.high:
            wanted = value
    elif isinstance(leaf, Int):
        wanted = value + (round(wanted - value) or (1 if up else -1))
    return min(max(wanted, leaf.low), leaf.high)
