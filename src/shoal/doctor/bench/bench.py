"""doctor_bench: label by effect, judge, treat, and count.

With a folder, scores of trainings are kept there and done only once; results.json holds every case
with what is true and what was said, misses.txt what went wrong, bench.png the figures.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shoal.doctor.bench import tallies
from shoal.doctor.bench.bases import BASES
from shoal.doctor.bench.cases import FAULT, HEALTHY, PROGRAM, Case, all_cases, quick_cases
from shoal.doctor.bench.judging import Judgement, judge
from shoal.doctor.bench.keeping import Scores
from shoal.doctor.bench.labelling import SEEDS, Labeller, certify
from shoal.doctor.bench.tallies import Goal
from shoal.doctor.bench.treating import Treatment, treat
from shoal.doctor.remedies import REMEDIES
from shoal.files import write_atomically
from shoal.train import layouts

Say = Callable[[str], None]
QUICK_SEEDS, QUICK_CURES = 5, 1


@dataclass(frozen=True)
class Results:
    """What the benchmark found.

    Attributes:
        half: "A" or "B"; judged, treated: the cases.
        uncertified: bases that a single remedy beats, with the remedies.
        seconds: that it took.
    """

    half: str
    judged: tuple[Judgement, ...]
    treated: tuple[Treatment, ...]
    uncertified: dict[str, dict[str, float]]
    seconds: float

    @property
    def goals(self) -> list[Goal]:
        """The figures beside what must be reached."""
        programs = tallies.of_programs(self.judged)
        return tallies.of_diagnoses(self.judged) + programs + tallies.of_treatments(self.treated)

    @property
    def counts(self) -> dict[str, int]:
        """How many cases there are of each sort and effect."""
        found: dict[str, int] = {}
        for j in self.judged:
            name = f"{j.label.case.sort}: {j.label.effect.label}"
            name += "" if j.label.certified else ", not certified"
            found[name] = found.get(name, 0) + 1
        return dict(sorted(found.items()))

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values; figures first."""
        return {
            "half": self.half,
            "figures": [figure(goal) for goal in self.goals if goal.share.of],
            "p against random": tallies.against(self.treated),
            "p against fixed order": tallies.against(self.treated, fixed=True),
            "median seconds to a verified cure": tallies.median_seconds(self.treated),
            "counts": self.counts,
            "bases that a remedy beats": self.uncertified,
            "seconds": self.seconds,
            "cases": [j.row() for j in self.judged],
            "treatments": [t.row() for t in self.treated],
        }


def figure(goal: Goal) -> dict[str, Any]:
    """A figure as plain values, in percent."""
    found = goal.share
    return {
        "figure": found.name,
        "percent": 100 * found.value,
        "low": 100 * found.low,
        "high": 100 * found.high,
        "hits": found.hits,
        "of": found.of,
        "goal": f"{goal.bound} {goal.goal:g}" if goal.goal or goal.bound == "at most" else "",
        "anchor": goal.anchor,
    }


def chosen(held_out: bool = False, programs: bool = False, quick: bool = False) -> tuple[Case, ...]:
    """The cases of a half; only its real programs; or a handful of both halves."""
    cases = all_cases()
    if quick:
        return quick_cases(cases)
    half = "B" if held_out else "A"
    return tuple(c for c in cases if c.half == half and (not programs or c.sort == PROGRAM))


def doctor_bench(
    held_out: bool = False,
    programs: bool = False,
    quick: bool = False,
    folder: str | Path | None = None,
    cures: slice = slice(None),
    certified: bool = True,
    say: Say = lambda _: None,
) -> Results:
    """Run the benchmark of the doctor.

    Args:
        held_out: half B, on which nothing was tuned; else half A.
        programs: only the real programs of the half.
        quick: a handful of cases, five seeds, one cure, no controls: to see that it runs.
        folder: where scores are kept and results go; None for none.
        cures: which of the harmful cases to treat, spread over the kinds of faults; of a quick
            benchmark one, where nothing else is said.
        certified: whether every base is tried with every single remedy.
        say: is told how it goes.

    Returns:
        the results; figures in ``goals``.

    Raises:
        FileError: the folder cannot be written, or holds a damaged file.
    """
    began = time.monotonic()
    where = None if folder is None else Path(folder)
    labeller = Labeller(Scores(where), QUICK_SEEDS if quick else SEEDS)
    cases = chosen(held_out, programs, quick)
    judged = _judge(cases, labeller, say)
    beaten = _certify(cases, labeller, say) if certified and not (quick or programs) else {}
    labeller.scores.save()
    half = "A and B" if quick else "B" if held_out else "A"

    def kept(treated: tuple[Treatment, ...]) -> Results:
        found = Results(half, judged, treated, beaten, time.monotonic() - began)
        if where is not None:
            _write(found, where)
        return found

    results = kept(())
    wanted = slice(QUICK_CURES) if quick and cures == slice(None) else cures
    treated: tuple[Treatment, ...] = ()
    for treatment in _treated(judged, wanted, not quick, say):
        treated = (*treated, treatment)
        results = kept(treated)  # treating takes long, and what is known should not be lost
    return results


def _judge(cases: Sequence[Case], labeller: Labeller, say: Say) -> tuple[Judgement, ...]:
    found = []
    for place, case in enumerate(cases, 1):
        found.append(judge(case, labeller))
        said = ", ".join(found[-1].diagnosis.rules[:3]) or "nothing is wrong"
        say(f"{place}/{len(cases)} {case.name}: {found[-1].label.effect.label}; {said}")
    return tuple(found)


def _certify(cases: Sequence[Case], labeller: Labeller, say: Say) -> dict[str, dict[str, float]]:
    """The bases among the cases that single remedies beat."""
    beaten = {}
    for base in BASES.values():
        if not any(c.sort != PROGRAM and f" {base.name} " in c.name for c in cases):
            continue
        found = certify(base, REMEDIES, lambda r, d: labeller.measure(r, d)[0])
        say(f"base {base.name}: {'certified' if not found else f'beaten by {found}'}")
        if found:
            beaten[base.name] = found
    return beaten


def _treated(
    judged: Sequence[Judgement], wanted: slice, compare: bool, say: Say
) -> Iterator[Treatment]:
    """The treatments of some of the sick, one after another."""
    sick = [j for j in judged if j.label.harmful and j.label.case.sort != HEALTHY]
    some = evenly(sick)[wanted]
    for place, judgement in enumerate(some, 1):
        treatment = treat(judgement, compare)
        doctor = treatment.doctor
        say(
            f"cure {place}/{len(some)} {judgement.label.case.name}: recovered "
            f"{doctor.recovered:.2f} by {', '.join(doctor.remedies) or 'nothing'}, "
            f"{doctor.seconds:.1f} s"
        )
        yield treatment
        layouts.forget()


def evenly(judged: Sequence[Judgement]) -> list[Judgement]:
    """Programs first, then the first fault of every kind, the second, and so on."""
    return sorted(judged, key=lambda j: (j.label.case.sort == FAULT, _turn(judged, j)))


def _turn(judged: Sequence[Judgement], one: Judgement) -> int:
    """How many of the same kind come before a case."""
    kind = one.label.case.kind
    same = [j for j in judged if j.label.case.kind == kind]
    return same.index(one)


def _write(found: Results, folder: Path) -> None:
    text = json.dumps(found.to_json(), indent=1)
    write_atomically(folder / "results.json", text.encode())
    lines = tallies.misses(found.judged, found.treated)
    write_atomically(folder / "misses.txt", ("\n".join(lines) + "\n").encode())
