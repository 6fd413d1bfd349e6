"""The atlas of activations: function, derivative and facts of each, as data.

    infos = activation_infos()               every activation of the vocabulary
    infos = activation_infos(["GELU", sh.LeakyReLU(0.2)])

What is known about an activation comes from its own ``facts``, formula and functions, so that a new
activation needs nothing here. Softmax and log-softmax, which look at a whole row, are shown for a
row of two values (x, 0).
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from shoal.arrays import Array, Numbers
from shoal.describe import KINDS
from shoal.errors import RecipeError, did_you_mean
from shoal.explain import tables
from shoal.explain.atlas import costs
from shoal.explain.atlas.costs import Cost
from shoal.nets import Activation, Facts, LeakyReLU, PReLU, RReLU, Softplus, Swish

if TYPE_CHECKING:
    from rich.table import Table

FAMILIES = (
    "ReLU", "LeakyReLU", "PReLU", "RReLU", "Identity",
    "ELU", "SELU", "CELU", "Softplus", "HardSwish",
    "SiLU", "Swish", "GELU", "Mish", "Softsign",
    "Sigmoid", "HardSigmoid", "Tanh", "Softmax", "LogSoftmax",
)  # fmt: skip
"""The order of the atlas; kinds that are not named here follow."""

REACH, POINTS = 5.0, 1001
"""The atlas shows so many points from -REACH to REACH."""

VARIANTS: dict[str, tuple[tuple[str, Activation], ...]] = {
    "LeakyReLU": tuple((f"slope {a:g}", LeakyReLU(a)) for a in (0.01, 0.1, 0.3)),
    "PReLU": tuple((f"slope {a:g}", PReLU(a)) for a in (0.0, 0.25, 0.5, 1.0)),
    "Swish": tuple((f"beta {b:g}", Swish(b)) for b in (0.3, 1.0, 4.0)),
    "Softplus": tuple((f"beta {b:g}", Softplus(b)) for b in (0.5, 1.0, 4.0)),
}
"""Kinds whose default is shown beside other values of their number, by what the value is called."""


class Line(NamedTuple):
    """One function: what to call it, f(x) and f'(x), shape (P,) each."""

    label: str
    y: Numbers
    dy: Numbers


class ActivationInfo(NamedTuple):
    """One activation.

    Attributes:
        name: its kind; text: as it is written, ``LeakyReLU(0.2)``; formula: in one line.
        x: (P,) points.
        y, dy: f(x) and f'(x), (P,) each.
        lines: the same kind with other numbers, for kinds that have one; () for most.
        band: the lowest and the highest function of one whose slope is drawn at random.
        facts: what is known, with default arguments.
        cost: measured here, or None.
    """

    name: str
    text: str
    formula: str
    x: Numbers
    y: Numbers
    dy: Numbers
    lines: tuple[Line, ...]
    band: tuple[Line, Line] | None
    facts: Facts
    cost: Cost | None


def activation_infos(
    activations: Sequence[Activation | str] | None = None,
    x: Numbers | None = None,
    measure: bool = False,
) -> list[ActivationInfo]:
    """What the atlas shows.

    Args:
        activations: activations or their names ("LeakyReLU" or "leaky_relu"); None for all.
        x: (P,) points; by default 1,001 from -5 to 5.
        measure: whether their cost is measured here, some 0.2 s for each.

    Raises:
        RecipeError: an unknown name, or nothing to show.

    >>> [info] = activation_infos(["tanh"])
    >>> info.facts.saturates, float(info.y[-1].round(4))
    ('both', 0.9999)
    """
    wanted = kinds() if activations is None else list(activations)
    if not wanted:
        raise RecipeError(
            "the atlas", required="an activation to show", got="none", remedy="leave names out"
        )
    chosen = [named(item) if isinstance(item, str) else item for item in wanted]
    known = costs.measure(chosen) if measure else [None] * len(chosen)
    points = np.linspace(-REACH, REACH, POINTS) if x is None else np.asarray(x, np.float64)
    with jax.enable_x64(True):
        return [_info(a, points, cost) for a, cost in zip(chosen, known, strict=True)]


def kinds() -> list[str]:
    """The names of all activations of the vocabulary that can be made without arguments."""
    found = [n for n, kind in KINDS.items() if issubclass(kind, Activation) and _is_ours(kind)]
    return sorted(found, key=lambda n: FAMILIES.index(n) if n in FAMILIES else len(FAMILIES))


def _is_ours(kind: type) -> bool:
    return kind.__module__.startswith("shoal.")


def named(name: str) -> Activation:
    """The activation of a name, with default arguments.

    Raises:
        RecipeError: there is none.
    """
    plain = {kind.lower(): kind for kind in kinds()}
    wanted = name.lower().replace("_", "")
    if wanted not in plain:
        raise RecipeError(
            "the atlas",
            required="the name of an activation",
            got=repr(name),
            remedy=did_you_mean(name, kinds()),
        )
    made = KINDS[plain[wanted]]()
    assert isinstance(made, Activation)
    return made


def _info(activation: Activation, x: Numbers, cost: Cost | None) -> ActivationInfo:
    default = activation == type(activation)()
    variants = VARIANTS.get(activation.kind, ()) if default else ()
    main = _line("", activation, x)
    return ActivationInfo(
        activation.kind,
        repr(activation),
        (type(activation).__doc__ or "").strip().split("\n")[0].replace("``", ""),
        x,
        main.y,
        main.dy,
        tuple(_line(label, variant, x) for label, variant in variants),
        _band(activation, x) if isinstance(activation, RReLU) else None,
        activation.facts,
        cost,
    )


def _line(label: str, activation: Activation, x: Numbers) -> Line:
    def function(x: Array) -> Array:
        if activation.computes == "wide":  # those that look at a whole row
            return activation.function(jnp.stack([x, jnp.zeros_like(x)], axis=-1))[..., 0]
        return activation.function(x)

    y, dy = jax.jvp(function, (jnp.asarray(x),), (jnp.ones(x.shape),))
    return Line(label, np.asarray(y), np.asarray(dy))


def _band(layer: RReLU, x: Numbers) -> tuple[Line, Line]:
    """The functions with the smallest and the largest slope that it draws."""
    slopes = sorted(1.0 / b if layer.reciprocal else b for b in (layer.lower, layer.upper))
    low, high = (
        Line(f"slope {slope:.3g}", np.where(x > 0, x, slope * x), np.where(x > 0, 1.0, slope))
        for slope in slopes
    )
    return low, high


def facts_of(info: ActivationInfo) -> dict[str, str]:
    """The facts in words, by what they are about."""
    facts, yes = info.facts, {True: "yes", False: "no"}
    count = facts.transcendentals
    return {
        "range": " to ".join(_number(bound) for bound in facts.range),
        "monotone": yes[facts.monotone],
        "zero-centred": yes[facts.zero_centred],
        "saturates": {"": "no", "both": "both sides"}.get(facts.saturates, facts.saturates),
        "smooth": yes[facts.smooth],
        "f(x) ≈ x near 0": yes[facts.identity_near_zero],
        "exponentials": f"{count}" if count else "none",
        "forward": f"{info.cost.forward:.1f}" if info.cost else "",
        "backward": f"{info.cost.backward:.1f}" if info.cost else "",
    }


def _number(bound: float) -> str:
    if math.isinf(bound):
        return "∞" if bound > 0 else "−∞"
    return f"{bound:.4g}".replace("-", "−")


def facts_table(infos: Sequence[ActivationInfo]) -> "Table":
    """A row for each activation: facts in words, and the cost where it was measured."""
    columns = [name for name, text in facts_of(infos[0]).items() if text]
    title = "activations"
    if infos[0].cost:
        title += "; forward and backward: time measured here, in units of ReLU's"
    rows = [(info.text, *(facts_of(info)[name] for name in columns)) for info in infos]
    return tables.table(title, ("", *columns), rows, left=7)


def to_json(infos: Sequence[ActivationInfo]) -> list[dict[str, Any]]:
    """The infos as JSON values; bounds that are infinite as null."""
    return [
        {
            "name": info.name,
            "text": info.text,
            "formula": info.formula,
            "facts": info.facts._asdict()
            | {"range": [b if math.isfinite(b) else None for b in info.facts.range]},
            "cost": info.cost._asdict() if info.cost else None,
            "x": info.x.tolist(),
            "y": info.y.tolist(),
            "dy": info.dy.tolist(),
        }
        for info in infos
    ]
