"""Race: remedies against the training as it is, by successive halving on validation.

An arm is the sick training with some remedies (or none), trained with several seeds. Every arm of a
round first trains half of its epochs with two seeds; those behind are given up, the others go on
from where they were. A round tries remedies on top of the best arm so far; a next round follows
only where that is not enough. So combinations of up to four are tried where no single remedy
suffices, and programs are compiled only while they are needed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import Data
from shoal.doctor.arena import Arena, Fork, each_seed
from shoal.doctor.remedies import REMEDIES, apply
from shoal.doctor.scoring import Scale
from shoal.errors import ShoalError
from shoal.recipe import Recipe

SCREENING = 2
"""Seeds with which every arm begins."""

HALF, KEPT = 0.5, 4
"""Share of the epochs after which arms are given up, and how many always stay."""

FIRST_NEW, MOST_NEW, MOST_PROGRAMS = 2, 4, 12
"""Programs that the first round of a diagnosis, any other, and the whole race may compile."""

DEEPEST = 4
"""Remedies that are combined."""

ENOUGH, NEARLY = 0.03, 0.1
"""Shares of the way from the floor to the simple model that may be missing: up to the first no
more is tried, up to the second nothing that needs another program."""

FIRST = (
    "fix_head", "fix_loss", "drop_head_softmax", "hidden_activation", "adam", "relu", "batch_norm",
    "batch_32", "shallower", "wider", "residual", "sgd_momentum", "smaller_batch", "larger_batch",
    "layer_norm", "tanh", "selu", "leaky_relu", "mish", "deeper", "dropout",
    "drop_constant_columns",
)  # fmt: skip
"""The order of remedies that need a program of their own, where no diagnosis says otherwise: head,
loss and activation, then optimiser, then structure. A judgement, led by which causes are frequent
in the studies of faults (DeepFD 2022, Humbatova et al. 2025). All others go before them."""

ALONE = ("rate_x100", "rate_x0.01", "fewer_epochs", "scale_inputs_minmax", "l2")
"""Remedies that are not tried on top of others, unless they are hinted at: a milder one is."""

MATERIAL, EXPECTED = 0.05, 0.02
"""Shares of the range of qualities from which on a difference is worth an edit: where nothing is
known to be wrong, and where a diagnosis says what is."""


@dataclass(eq=False)
class Arm:
    """A training with some remedies.

    Attributes:
        names: of the remedies, () for the training as it is.
        recipe, data: the edited pair.
        forks: one for each seed, in order.
        reason: why it cannot be trained; "" otherwise.
    """

    names: tuple[str, ...]
    recipe: Recipe
    data: Data
    forks: list[Fork] = field(default_factory=list)
    reason: str = ""

    @property
    def size(self) -> int:
        """How large its edits are together."""
        return sum(REMEDIES[name].size for name in self.names)

    @property
    def label(self) -> str:
        """What to call it."""
        return " + ".join(self.names) or "as it is"

    def qualities(self, scale: Scale, seeds: int | None = None) -> Numbers:
        """The quality of each seed, (S,)."""
        column = f"validation_{scale.metric}"
        return np.array([scale.quality(fork.at(column)) for fork in self.forks[:seeds]])

    def mean(self, scale: Scale) -> float:
        """Its mean quality over the seeds so far; the floor where it cannot be trained."""
        return float(self.qualities(scale).mean()) if self.forks else scale.quality(float("nan"))

    def order(self, scale: Scale) -> tuple[float, float, int]:
        """Better first: by quality, then by the logarithmic loss, then the smaller edit."""
        losses = [fork.history.get("validation_log_loss") for fork in self.forks]
        known = [
            f.at("validation_log_loss")
            for f, c in zip(self.forks, losses, strict=True)
            if c is not None
        ]
        tie = float(np.mean(known)) if known and np.isfinite(known).all() else 0.0
        return -round(self.mean(scale), 6), round(tie, 6), self.size


class Race:
    """Arms of one sick training.

    Args:
        arena: where they train.
        sick, data: the training as it is.
        scale: of qualities.
        hints: names of remedies for each cause, the likeliest first; all other remedies follow in
            the order of the table.
        allowed: the only names to try; None for all.
        told: called with a line about where the race stands.
    """

    def __init__(
        self,
        arena: Arena,
        sick: Recipe,
        data: Data,
        scale: Scale,
        hints: Sequence[Sequence[str]] = (),
        allowed: Sequence[str] | None = None,
        told: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.arena, self.scale, self.told = arena, scale, told
        names = tuple(REMEDIES) if allowed is None else tuple(dict.fromkeys(allowed))
        self._pairs: dict[tuple[str, ...], tuple[Recipe, Data] | None] = {(): (sick, data)}
        causes = [[n for n in cause if n in names and self.pair((n,))] for cause in hints]
        self.causes = [cause for cause in causes if cause]
        self.hints = tuple(dict.fromkeys(name for cause in self.causes for name in cause))
        others = [name for name in names if name not in self.hints]
        others.sort(key=lambda name: FIRST.index(name) if name in FIRST else -1)
        self.names = (*self.hints, *others)
        self.listed = allowed is not None
        self.arms: dict[tuple[str, ...], Arm] = {}
        self.programs: set[object] = set()
        self.sick = self._arm(())
        if not self.sick.reason:
            self.programs.add(arena.program(sick, data))
            self._train([self.sick], SCREENING)

    # --- arms ------------------------------------------------------------------------------------

    def pair(self, names: tuple[str, ...]) -> tuple[Recipe, Data] | None:
        """The sick pair with remedies applied in turn; None where one of them does nothing."""
        if names not in self._pairs:
            before = self.pair(names[:-1])
            self._pairs[names] = apply(names[-1], *before) if before is not None else None
        return self._pairs[names]

    def _arm(self, names: tuple[str, ...]) -> Arm:
        pair = self.pair(names)
        assert pair is not None, "arms are made of remedies that apply"
        arm = Arm(names, *pair)
        try:
            self.arena.check(*pair)
        except ShoalError as error:
            arm.reason = str(error).split("\n", 1)[0]
        self.arms[names] = arm
        return arm

    @property
    def range(self) -> float:
        """From no learning to the best that is known, at least a hundredth of 1."""
        top = max([arm.mean(self.scale) for arm in self.arms.values()])
        known = [q for q in (self.scale.simple, top) if np.isfinite(q)]
        low = self.scale.floor if np.isfinite(self.scale.floor) else self.sick.mean(self.scale)
        return max(max(known) - low, 0.01)

    @property
    def worth(self) -> float:
        """The smallest difference worth an edit."""
        share = EXPECTED if self.hints else MATERIAL
        return max(share * self.range, self.scale.least)

    @property
    def best(self) -> Arm:
        """The best arm so far: the training as it is, where none is better by what is worth it."""
        ranked = self.ranked
        found = ranked[0] if ranked else self.sick
        gain = found.mean(self.scale) - self.sick.mean(self.scale)
        return found if gain >= self.worth or self.sick.reason else self.sick

    @property
    def ranked(self) -> list[Arm]:
        """The arms that came to their end, the best first."""
        done = [arm for arm in self.arms.values() if arm.forks and self._finished(arm)]
        return sorted(done, key=lambda arm: arm.order(self.scale))

    def _finished(self, arm: Arm) -> bool:
        return all(fork.status != 0 for fork in arm.forks)

    def enough(self, arm: Arm, share: float = ENOUGH) -> bool:
        """Whether an arm is as good as the simple model, but for a share of the way there."""
        if arm.reason or not np.isfinite(self.scale.simple):
            return not arm.reason and arm is not self.sick
        missing = share * (self.scale.simple - self.scale.floor)
        return arm.mean(self.scale) >= self.scale.simple - max(missing, self.scale.least)

    # --- running ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Round after round, until an arm is good enough or nothing is left to try."""
        if self.enough(self.sick) and not self.hints and not self.listed:
            return
        base, first = self.best, True
        while True:
            near = not first and self.enough(base, NEARLY) and not self.listed
            most = FIRST_NEW if first and self.hints and not self.listed else MOST_NEW
            tried = self._round(base, first, 0 if near else most)
            better = self.best
            if self.enough(better) or len(better.names) >= DEEPEST:
                return
            if better is base and (near or not (tried or first)):
                return
            first, base = False, better

    def _round(self, base: Arm, first: bool, room: int) -> list[Arm]:
        """The next remedies on top of an arm that is not beaten yet."""
        wanted = [(*base.names, name) for name in self.names if self._goes(base, name)]
        if first and self.hints:
            known = len(wanted) if self.listed else len(self.hints)
            wanted = [wanted[0], *self._together(), *wanted[1:known]]
        arms, new = [], set[object]()
        for names in wanted:
            arm = self._wanted(names, new, room)
            if arm is not None:
                arms.append(arm)
        self.programs |= new
        if arms:
            self._screen(arms, base)
        return arms

    def _goes(self, base: Arm, name: str) -> bool:
        """Whether a remedy is worth trying on top of an arm."""
        if name in base.names:
            return False
        return not base.names or name not in ALONE or name in self.hints or self.listed

    def _together(self) -> list[tuple[str, ...]]:
        """Hints of different groups together, first those of different causes: two, and three."""
        firsts = [cause[0] for cause in self.causes]
        groups: dict[str, str] = {}
        for name in (*firsts, *self.hints):
            groups.setdefault(REMEDIES[name].group, name)
        chosen = tuple(groups.values())
        return [chosen[:n] for n in (2, 3) if len(chosen) >= n]

    def _wanted(self, names: tuple[str, ...], new: set[object], room: int) -> Arm | None:
        """An arm for these remedies, unless it was made, does nothing, or costs too much now."""
        if names in self.arms or self.pair(names) is None or self._undoes(names):
            return None
        arm = self._arm(names)
        if arm.reason or self._twin(arm):
            return None
        program = self.arena.program(arm.recipe, arm.data)
        free = program in self.programs or program in new
        fits = len(new) < room and len(self.programs) + len(new) < MOST_PROGRAMS
        if not free and not fits:
            del self.arms[names]
            return None
        if not free:
            new.add(program)
        return arm

    def _undoes(self, names: tuple[str, ...]) -> bool:
        """Whether the last of these remedies takes back one before it."""
        found, before = self.pair(names), names[:-1]
        rests = [tuple(name for name in before if name != undone) for undone in before]
        return any(self.pair(rest) == found for rest in rests)

    def _twin(self, arm: Arm) -> bool:
        """Whether another arm has the same pair already."""
        return any(
            other is not arm and other.recipe == arm.recipe and other.data is arm.data
            for other in self.arms.values()
        )

    def _screen(self, arms: list[Arm], base: Arm) -> None:
        """Half of the epochs for all, then the rest for those that are not behind."""
        self._train(arms, SCREENING, HALF)
        behind = sorted(arms, key=lambda arm: arm.order(self.scale))[max(KEPT, len(arms) // 2) :]
        self.told(f"{len(arms)} arms on top of {base.label!r}, {len(arms) - len(behind)} go on")
        self._train([arm for arm in arms if arm not in behind], SCREENING)

    def _train(self, arms: Sequence[Arm], seeds: int, share: float = 1.0) -> None:
        """Bring arms to so many seeds and this share of their epochs."""
        for arm in arms:
            have = len(arm.forks)
            arm.forks += each_seed(arm.recipe, arm.data, have, max(0, seeds - have))
        forks = [fork for arm in arms for fork in arm.forks]
        self.arena.advance(forks, lambda fork: max(1, round(share * fork.recipe.epochs)))

    def reduce(self, arm: Arm) -> list[Arm]:
        """The arms of all remedies of an arm but one, as far as they can be made."""
        found = []
        for left_out in arm.names if len(arm.names) > 1 else ():
            names = tuple(name for name in arm.names if name != left_out)
            if names not in self.arms and self.pair(names) is not None:
                self._arm(names)
            found += [self.arms[names]] if names in self.arms else []
        return [one for one in found if not one.reason]

    def complete(self, arms: Sequence[Arm], seeds: int) -> None:
        """Train arms to their end with so many seeds."""
        self._train([arm for arm in arms if not arm.reason], seeds)
