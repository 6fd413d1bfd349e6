"""Cases: every training of the benchmark, sick, healthy or a real program, in one list."""

from collections.abc import Callable
from dataclasses import dataclass

from shoal.data.dataset import Data
from shoal.doctor.bench import healthy, programs
from shoal.doctor.bench.bases import BASES, Base
from shoal.doctor.bench.faults import KINDS, Kind
from shoal.doctor.bench.healthy import Setting, Variant
from shoal.recipe import Recipe

Pair = tuple[Recipe, Data]
SEVERITIES = ("mild", "medium", "severe")
FAULT, HEALTHY, PROGRAM = "fault", "healthy", "program"


@dataclass(frozen=True)
class Case:
    """One training.

    Attributes:
        name: unique; half: "A" to tune on, "B" held out; sort: "fault", "healthy" or "program".
        text: what is wrong, or what is special.
        kind: id of the kind of fault, of the variant, or of the program.
        make: its recipe and data; reference: those it is compared with.
        causes: rules that name its cause rightly.
        curable: whether any edit can help; honest: see ``faults``.
    """

    name: str
    half: str
    sort: str
    text: str
    kind: str
    make: Callable[[], Pair]
    reference: Callable[[], Pair]
    causes: tuple[str, ...] = ()
    curable: bool = True
    honest: bool = False


def _fault(kind: Kind, base: Base, place: int) -> Case:
    level = kind.levels[place]

    def make() -> Pair:
        return kind.inject(base.recipe, base.load(), level)

    def reference() -> Pair:
        if kind.reference is None:
            return base.recipe, base.load()
        return kind.reference(base.recipe, base.load(), level)

    return Case(
        name=f"{kind.id} {base.name} {SEVERITIES[place]}",
        half=base.half,
        sort=FAULT,
        text=kind.text.format(f"{level:g}"),
        kind=kind.id,
        make=make,
        reference=reference,
        causes=kind.causes,
        curable=kind.curable,
        honest=kind.honest,
    )


def _healthy(variant: Variant, setting: tuple[float, float, int]) -> Case:
    base = BASES[variant.base]
    rate, epochs, fold = setting

    def make() -> Pair:
        recipe, data = variant.change(base.recipe, base.load(fold))
        path = "optimiser.learning_rate"
        faster = {path: rate * recipe.optimiser.learning_rate}
        return recipe.edit({**faster, "epochs": round(epochs * recipe.epochs)}), data

    return Case(
        name=f"H {variant.name} {base.name} rate x{rate:g} epochs x{epochs:g} fold {fold}",
        half=base.half,
        sort=HEALTHY,
        text=variant.name,
        kind=f"H {variant.name}",
        make=make,
        reference=lambda: (base.recipe, base.load(fold)),
    )


def _program(program: programs.Program, place: int) -> Case:
    return Case(
        name=f"P {program.number}",
        half=programs.half(place),
        sort=PROGRAM,
        text=program.text,
        kind=f"P {program.number}",
        make=program.sick,
        reference=program.repaired,
        causes=program.causes,
    )


def settings(variant: Variant) -> tuple[tuple[float, float, int], ...]:
    """The settings that a healthy variant comes in.

    Targets of another fold would be another program, so regressions keep to one.
    """
    base = BASES[variant.base]
    return Setting.CLASSES if base.load().classes else Setting.NUMBERS


def all_cases() -> tuple[Case, ...]:
    """Every case of both halves, cases of one base together."""
    found = [
        _fault(kind, base, place)
        for base in BASES.values()
        for kind in KINDS
        if base.name in kind.bases
        for place in range(3)
    ]
    found += [
        _healthy(variant, setting) for variant in healthy.VARIANTS for setting in settings(variant)
    ]
    found += [_program(program, place) for place, program in enumerate(programs.PROGRAMS)]
    return tuple(found)


def quick_cases(cases: tuple[Case, ...]) -> tuple[Case, ...]:
    """A handful for a look at the machinery: few programs to compile."""
    names = ("digits/mlp", "wine/mlp")
    kinds = ("F01a", "F02", "F21", "F25a", "F13a", "H base")
    some = [c for c in cases if c.kind in kinds and any(n in c.name for n in names)]
    return tuple(some)
