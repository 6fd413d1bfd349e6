"""Planner: which recipes of a space share a compiled program.

Each signature could have a program of its own. Compiling one takes about a second; so recipes that
differ in nothing but the widths of their layers and in activations may share one, in which the
narrower networks are padded to the widest and every activation is computed (see ``nets.sharing``).
That costs time in every step instead. Recipes drawn from the space at random, as many as will come
of each, are grouped from the bottom up: the two groups whose union saves most are joined, as long
as that saves anything. Where almost every draw is another, as with a range of widths, widths are
first rounded up to powers of two, and every group takes all activations.

    seconds of a group = (1 - e^-trials) · compilation + trials · steps · seconds of a step

The factor of the compilation is the probability that any of the trials comes, by Poisson's law.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import combinations
from typing import Any, NamedTuple

import jax
import optuna

from shoal.arrays import Shape, Tree, size
from shoal.data.dataset import Data
from shoal.errors import RecipeError, ShapeError
from shoal.nets import Dense
from shoal.recipe import Recipe
from shoal.spaces import Choice, Int
from shoal.train.common import Common, Place, places, skeleton
from shoal.train.settings import Settings
from shoal.tune.mirror import quiet_study

DRAWS = 64
"""Recipes drawn at random that say how often each signature will come."""

RARE = 1.0 / 128.0
"""Draws that the widest recipe of each draw counts as, so that its width is foreseen."""

SPARSE = 0.25
"""Share of different ones among the draws of a family from which others must be reckoned with."""


class Costs(NamedTuple):
    """Seconds.

    Attributes:
        compilation: of a training program.
        step: of one member, whatever its size.
        weight: of one weight in a step, for optimiser and memory.
        product: of one weight and example, forward and backward.
        activation: of one number in each activation that is computed beside the one wanted.
    """

    compilation: float
    step: float
    weight: float
    product: float
    activation: float


CPU = Costs(1.5, 5e-6, 1e-9, 5e-11, 2.5e-10)
"""Fitted to pools of 64 networks 64-w-32-10 with dropout and Adam, w from 16 to 256, on 2 cores."""

GPU = Costs(3.0, 1e-7, 2e-11, 1e-12, 1e-12)
"""By the bandwidth of memory and the speed of products of a large GPU; compiling counts most."""


@dataclass(eq=False)
class Group:
    """Recipes that share a program.

    Attributes:
        common: their common form; None where they have one signature.
        share: of all recipes of the space.
    """

    common: Common | None
    share: float = 0.0

    def form(self, recipe: Recipe) -> Recipe:
        """The recipe as the pool trains it."""
        return recipe if self.common is None else self.common.form(recipe)

    def plain(self, recipe: Recipe, kept: tuple[Tree, Tree]) -> tuple[Tree, Tree]:
        """Parameters and statistics of one member as those of the recipe."""
        return kept if self.common is None else self.common.plain(recipe, *kept)


@dataclass(eq=False)
class Sketch:
    """What a group may become.

    Attributes:
        recipe: one of them; places: joined over all.
        varies: where they may differ.
        count: recipes expected; steps: that one of them takes.
        group: made when the grouping is done.
    """

    recipe: Recipe
    places: tuple[Place, ...]
    varies: tuple[bool, ...]
    count: float
    steps: int
    group: Group | None = field(default=None)

    def covers(self, other: tuple[Place, ...]) -> bool:
        """Whether its program can train a recipe with other places."""
        return all(
            mine.covers(theirs) if varies else mine.alike(theirs)
            for mine, theirs, varies in zip(self.places, other, self.varies, strict=True)
        )

    def joined(self, other: "Sketch") -> "Sketch":
        """One for the recipes of both."""
        pairs = list(zip(self.places, other.places, strict=True))
        differ = zip(self.varies, other.varies, (not a.alike(b) for a, b in pairs), strict=True)
        return Sketch(
            self.recipe,
            tuple(a.joined(b) for a, b in pairs),
            tuple(map(any, differ)),
            self.count + other.count,
            max(self.steps, other.steps),
        )


class Planner:
    """The groups of a space.

    Args:
        space: what is searched.
        in_shape: of one example; rows: of the training split.
        trials: members expected; None where only the time is known, ``seconds``.
        platform: of the devices.
        shares: whether recipes may share programs.
    """

    def __init__(
        self,
        space: Recipe,
        in_shape: Shape,
        rows: int,
        trials: int | None,
        seconds: float = 0.0,
        platform: str = "cpu",
        shares: bool = True,
    ) -> None:
        self.in_shape, self.rows, self.shares = in_shape, rows, shares
        self.costs = CPU if platform == "cpu" else GPU
        self._families: dict[Any, list[Sketch]] = {}
        self._groups: dict[Any, Group] = {}
        drawn = [(key, sketch) for key, sketch in map(self._try, *_draws(space)) if sketch]
        total = sum(sketch.count for _, sketch in drawn) or 1.0
        if trials is None:
            mean = sum(s.count * self._training(s) for _, s in drawn) / total
            trials = max(1, int(seconds / max(mean, 1e-9)))
        for key, sketch in drawn:
            sketch.count *= trials / total
            self._families.setdefault(key, []).append(sketch)
        for family in self._families.values():
            family[:] = self._grouped(family)
            for sketch in family:
                sketch.group = self._group(sketch, sketch.count / trials)

    def group(self, recipe: Recipe) -> Group:
        """The group of a recipe, always the same for a signature."""
        signature = recipe.signature
        if signature not in self._groups:
            self._groups[signature] = self._find(recipe)
        return self._groups[signature]

    def _find(self, recipe: Recipe) -> Group:
        key, sketch = self._sketch(recipe, 1.0)
        family = self._families.setdefault(key, [])
        able = [known for known in family if known.covers(sketch.places)]
        if not able:
            able = [self._foresee(sketch, family) if family else sketch]
            able[0].group = self._group(able[0], 0.0)
            family.append(able[0])
        best = min(able, key=lambda known: self._step(known.recipe, known.places))
        assert best.group is not None
        return best.group

    def _foresee(self, sketch: Sketch, family: list[Sketch]) -> Sketch:
        """A group for more than was foreseen: the next power of two, and all activations known."""
        return _rounded(sketch, reduce(Sketch.joined, family, sketch), None)

    def _group(self, sketch: Sketch, share: float) -> Group:
        if not any(sketch.varies):
            return Group(None, share)
        return Group(Common(sketch.places, sketch.varies, self.in_shape), share)

    # --- grouping --------------------------------------------------------------------------------

    def _try(self, recipe: Recipe, count: float) -> tuple[Any, Sketch | None]:
        try:
            return self._sketch(recipe, count)
        except (RecipeError, ShapeError):
            return None, None

    def _sketch(self, recipe: Recipe, count: float) -> tuple[Any, Sketch]:
        """The key of its family, and the recipe as a group of one."""
        nothing = (Place(),) * len(recipe.net.layers)
        found = places(recipe, self.in_shape) if self.shares else nothing
        steps = recipe.epochs * -(-self.rows // recipe.rows_per_batch(self.rows))
        return skeleton(recipe, found), Sketch(recipe, found, (False,) * len(found), count, steps)

    def _grouped(self, family: list[Sketch]) -> list[Sketch]:
        """The sketches of a family joined as long as that saves time."""
        left = _merged(family)
        if len(left) > SPARSE * len(family):
            whole = reduce(Sketch.joined, left)
            left = _merged([_rounded(sketch, whole, whole.places) for sketch in left])
        gains = {pair: self._gain(*pair) for pair in combinations(left, 2)}
        while gains:
            pair, gain = max(gains.items(), key=lambda item: item[1])
            if gain <= 0.0:
                break
            union = pair[0].joined(pair[1])
            left = [sketch for sketch in left if sketch not in pair]
            gains = {p: g for p, g in gains.items() if not set(p) & set(pair)}
            gains |= {(other, union): self._gain(other, union) for other in left}
            left.append(union)
        return left

    def _gain(self, one: Sketch, other: Sketch) -> float:
        return self._total(one) + self._total(other) - self._total(one.joined(other))

    def _total(self, sketch: Sketch) -> float:
        compiling = -math.expm1(-sketch.count) * self.costs.compilation
        return compiling + sketch.count * self._training(sketch)

    def _training(self, sketch: Sketch) -> float:
        return sketch.steps * self._step(sketch.recipe, sketch.places)

    def step_seconds(self, recipe: Recipe) -> float:
        """What a step of one member is expected to take, by its weights."""
        return self._step(recipe, self._sketch(recipe, 1.0)[1].places)

    def _step(self, recipe: Recipe, found: Sequence[Place]) -> float:
        """Seconds of a step of one member, its dense layers as wide as the places."""
        batch, costs = recipe.rows_per_batch(self.rows), self.costs
        weights, numbers, features = 0, 0, size(self.in_shape)
        for layer, place in zip(recipe.net.layers, found, strict=True):
            if isinstance(layer, Dense):
                units = place.units or layer.units
                weights += units * features
                features = units
            numbers += max(0, len(place.options) - 1) * features
        each = costs.weight + costs.product * batch
        return costs.step + weights * each + numbers * batch * costs.activation


def _merged(family: Iterable[Sketch]) -> list[Sketch]:
    """One sketch for all that are alike."""
    found: dict[Any, Sketch] = {}
    for sketch in family:
        key = tuple(place.key for place in sketch.places)
        found[key] = found[key].joined(sketch) if key in found else sketch
    return list(found.values())


def _rounded(sketch: Sketch, whole: Sketch, most: tuple[Place, ...] | None) -> Sketch:
    """A sketch with room for others of its family: all activations, widths up to a power of two.

    Args:
        whole: the family joined.
        most: limits on the widths; None for none.
    """

    def wide(at: int) -> Place:
        units = 1 << (sketch.places[at].units - 1).bit_length() if sketch.places[at].units else 0
        return whole.places[at]._replace(
            units=units if most is None else min(units, most[at].units)
        )

    places = tuple(
        wide(at) if varies else sketch.places[at] for at, varies in enumerate(whole.varies)
    )
    return replace(sketch, places=places, varies=whole.varies)


def _draws(space: Recipe) -> tuple[list[Recipe], list[float]]:
    """Recipes drawn at random, each also at its widest, and how much each counts."""
    study = quiet_study(None, None, sampler=optuna.samplers.RandomSampler(seed=0))
    tops = {
        p.name: p.leaf.high
        for p in space.parameters
        if isinstance(p.leaf, Int) and p.path.endswith(".units")
    }
    recipes, counts = [], []
    for _ in range(DRAWS):
        for recipe, count in _drawn(space, study.ask(), tops):
            recipes.append(recipe)
            counts.append(count)
    return recipes, counts


def _drawn(
    space: Recipe, trial: optuna.Trial, tops: Mapping[str, int]
) -> Iterator[tuple[Recipe, float]]:
    try:
        yield space.suggest(trial), 1.0
        widest = {name: top for name, top in tops.items() if name in trial.params}
        if widest:
            yield space.at(trial.params | widest), RARE
    except RecipeError:
        return


def plan(
    space: Recipe,
    data: Data,
    trials: int | None,
    seconds: float | None,
    settings: Settings | None,
) -> Planner:
    """The planner of a search on the devices of this machine.

    No recipes share a program where signals are wanted, which look into layers.
    """
    prepared: Any = space.preparation
    split = (prepared.options[0] if isinstance(prepared, Choice) else prepared).split
    return Planner(
        space,
        data.shape,
        len(split.parts(data).train),
        trials,
        seconds or 0.0,
        platform(None if settings is None else settings.devices),
        settings is None or not settings.signals,
    )


def platform(devices: Sequence[Any] | None) -> str:
    """That of some devices; None for all."""
    found: str = (jax.devices() if devices is None else devices)[0].platform
    return found
