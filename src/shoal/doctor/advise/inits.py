"""The initial weights: schemes and gains, their spread through depth, and what they train to."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import Data
from shoal.doctor.advise.comparison import Comparison, Variant, compare
from shoal.doctor.advise.spread import Spread, spread
from shoal.doctor.advise.surgery import with_initialiser
from shoal.doctor.words import number
from shoal.drawing import BLUE, GREEN, GREY, plain_log
from shoal.nets import Auto, Glorot, He, LeCun, Orthogonal
from shoal.nets.initialisers import Initialiser
from shoal.recipe import Recipe
from shoal.train.progress import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCALES = (1.0, 0.5, 2.0)
MORE_SCALES = (1.0, 0.25, 0.5, 2.0, 4.0)


def schemes(every: bool = False) -> list[tuple[str, Initialiser]]:
    """The initialisers that are tried, with their names: each scheme at several gains."""
    found: list[tuple[str, Initialiser]] = []
    for scale in MORE_SCALES if every else SCALES:
        one: list[Initialiser] = [
            Auto(scale=scale),
            He(gain=math.sqrt(2.0) * scale),
            Glorot(gain=scale),
            LeCun(gain=scale),
            Orthogonal(gain=scale),
        ]
        by = "" if scale == 1.0 else f" x{scale:g}"
        found += [(f"{init.kind}{by}", init) for init in one]
    return found


@dataclass(frozen=True, eq=False, kw_only=True)
class InitAdvice(Comparison):
    """How a recipe trains from other initial weights; fields as in ``Comparison``.

    Attributes:
        layers: names of the L layers with weights.
        forward, backward: (V, L) the spread of signals and of gradients through depth before
            training, geometric means over the seeds; see ``spread``.
    """

    what: ClassVar[str] = "initial weights"
    size: ClassVar[tuple[float, float]] = (13.0, 4.2)

    layers: tuple[str, ...]
    forward: Numbers
    backward: Numbers

    def extra(self) -> list[tuple[str, ...]]:
        """How signals and gradients differ between the ends of the network."""
        with np.errstate(divide="ignore", invalid="ignore"):
            signal = self.forward[:, -1] / self.forward[:, 0]
            gradient = self.backward[:, 0] / self.backward[:, -1]
        pairs = zip(signal, gradient, strict=True)
        head = ("signal last/first", "gradient first/last")
        return [head, *((number(float(a)), number(float(b))) for a, b in pairs)]

    def picture(self, figure: "Figure") -> None:
        """Loss of each variant; signals and gradients through depth."""
        panels = figure.subplots(1, 3)
        self.draw_losses(panels[0])
        panels[0].set_title("after training")
        depth = np.arange(1, len(self.layers) + 1)
        both = (("signals, before training", self.forward), ("gradients", self.backward))
        for axes, (title, values) in zip(panels[1:], both, strict=True):
            for v, profile in enumerate(values):
                chosen = {0: (GREY, "own"), self.best: (GREEN, self.variants[self.best].name)}
                colour, label = chosen.get(v, (BLUE, None))
                wide = 2.0 if label else 0.8
                shown = np.where(profile > 0, profile, np.nan)
                axes.plot(depth, shown, "o-", color=colour, linewidth=wide, markersize=3,
                          alpha=1.0 if label else 0.4, label=label)  # fmt: skip
            axes.set_yscale("log")
            plain_log(axes.yaxis)
            axes.set_title(title)
            axes.set_xlabel("layer with weights")
            axes.locator_params(axis="x", integer=True)
            axes.legend(frameon=False)


def advise_init(
    recipe: Recipe,
    data: Data,
    line: Progress,
    seeds: int = 5,
    epochs: int | None = None,
    every: bool = False,
) -> InitAdvice:
    """Try other initial weights.

    Args:
        every: five gains of each scheme instead of three.
    """
    variants, seen = [], {recipe.net}
    for name, init in schemes(every):
        net = with_initialiser(recipe.net, init)
        if net not in seen:
            variants.append(Variant(name, recipe.replace(net=net)))
            seen.add(net)
    found = compare(recipe, variants, data, line, seeds, epochs, lambda v: v.name)
    before = _spreads([one.recipe for one in found.variants], data, seeds)
    return InitAdvice(before=recipe, **found._asdict(), layers=before.layers,
                      forward=before.forward, backward=before.backward)  # fmt: skip


def _spreads(recipes: list[Recipe], data: Data, seeds: int) -> Spread:
    """(V, L) geometric means over seeds, signature by signature."""
    prepared = recipes[0].prepare(data)
    groups: dict[object, list[int]] = {}
    for place, recipe in enumerate(recipes):
        groups.setdefault(recipe.signature, []).append(place)
    names: tuple[str, ...] = ()
    rows: dict[int, tuple[Numbers, Numbers]] = {}
    for places in groups.values():
        members = [
            recipes[place].replace(seed=recipes[place].seed + seed)
            for place in places
            for seed in range(seeds)
        ]
        found = spread(members, prepared)
        names = found.layers
        for k, place in enumerate(places):
            own = slice(k * seeds, (k + 1) * seeds)
            rows[place] = _middle(found.forward[own]), _middle(found.backward[own])
    forward, backward = zip(*(rows[place] for place in range(len(recipes))), strict=True)
    return Spread(names, np.array(forward), np.array(backward))


def _middle(values: Numbers) -> Numbers:
    """The geometric mean over axis 0; 0 where one is."""
    with np.errstate(divide="ignore"):
        return np.exp(np.log(values).mean(axis=0))
