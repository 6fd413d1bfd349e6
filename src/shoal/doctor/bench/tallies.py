"""Tallies: the figures of a half, from its judgements and treatments, beside what must be reached.

goal                 at least, or at most
detected             97 % of harmful faults; 95 % of harmful real programs
false alarms         3 % of what counts as healthy
cause first, in 3    80 %, 93 % of harmful cases; 85 % in 3 for real programs
cured, worse         90 %, 1 % of harmful cases; 85 % cured for real programs
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from shoal.doctor.bench.cases import FAULT, PROGRAM
from shoal.doctor.bench.judging import FIRST, Judgement
from shoal.doctor.bench.scores import Share, paired, share
from shoal.doctor.bench.treating import Outcome, Treatment

AT_LEAST, AT_MOST = "at least", "at most"


class Goal(NamedTuple):
    """A figure beside what must be reached.

    Attributes:
        share: the figure; bound: "at least" or "at most"; goal: in percent; anchor: of the field.
    """

    share: Share
    bound: str
    goal: float
    anchor: str

    @property
    def reached(self) -> bool | None:
        """Whether the figure, not its interval, reaches the goal; None where there is none."""
        if not self.share.of:
            return None
        percent = 100 * self.share.value
        return percent >= self.goal if self.bound == AT_LEAST else percent <= self.goal


def of_diagnoses(judged: Sequence[Judgement]) -> list[Goal]:
    """Detection, false alarms and causes."""
    sick = [j for j in judged if j.label.harmful and j.label.case.sort == FAULT]
    fine = [j for j in judged if j.label.counts_as_healthy and j.label.case.sort != PROGRAM]
    return [
        Goal(
            share("harmful faults detected", [j.alarmed for j in sick]),
            AT_LEAST, 97, "DEFault 94.3 % on real programs",
        ),
        Goal(
            share("false alarms on healthy runs", [j.alarmed for j in fine]),
            AT_MOST, 3, "DeepDiagnosis 36 %, DeepLocalize 72 %",
        ),
        Goal(
            share("cause right first", [j.cause_within(1) for j in sick]),
            AT_LEAST, 80, "DEFault 63.5 %",
        ),
        Goal(
            share("cause among the first three", [j.cause_within(FIRST) for j in sick]),
            AT_LEAST, 93, "",
        ),
    ]  # fmt: skip


def of_programs(judged: Sequence[Judgement]) -> list[Goal]:
    """The real programs: those that are sick by effect, and the others."""
    found = [j for j in judged if j.label.case.sort == PROGRAM]
    sick = [j for j in found if j.label.harmful]
    fine = [j for j in found if not j.label.harmful]
    return [
        Goal(
            share("programs: detected", [j.alarmed for j in sick]),
            AT_LEAST, 95, "DEFault 94.3 %",
        ),
        Goal(
            share("programs: cause among the first three", [j.cause_within(FIRST) for j in sick]),
            AT_LEAST, 85, "DeepFD 52 %, DEFault 63.5 % right",
        ),
        Goal(share("programs: false alarms", [j.alarmed for j in fine]), AT_MOST, 0, ""),
    ]  # fmt: skip


def of_treatments(treated: Sequence[Treatment]) -> list[Goal]:
    """Cures of faults that any edit can mend, and of programs."""
    can = [t for t in treated if t.judgement.label.case.curable]
    faults = [t for t in can if t.judgement.label.case.sort == FAULT]
    programs = [t for t in can if t.judgement.label.case.sort == PROGRAM]
    found = [
        Goal(
            share("cured, by quality on test rows", [t.doctor.cured for t in faults]),
            AT_LEAST, 90, "AutoTrainer 97 %, by its own symptom gone",
        ),
        Goal(share("made worse", [t.doctor.worse for t in treated]), AT_MOST, 1, ""),
        Goal(share("programs: cured", [t.doctor.cured for t in programs]), AT_LEAST, 85, ""),
    ]  # fmt: skip
    return found + _controls(can)


def _controls(treated: Sequence[Treatment]) -> list[Goal]:
    """The same cases treated otherwise; a goal of 0 only shows them."""
    shown = []
    for name, pick in (
        ("cured by random remedies of the same budget", _random),
        ("cured by AutoTrainer's fixed order", _fixed),
    ):
        outcomes = [pick(t) for t in treated]
        shown.append(
            Goal(share(name, [o.cured for o in outcomes if o is not None]), AT_LEAST, 0, "")
        )
    return shown


def _random(treatment: Treatment) -> Outcome | None:
    return treatment.random


def _fixed(treatment: Treatment) -> Outcome | None:
    return treatment.fixed


def against(treated: Sequence[Treatment], fixed: bool = False) -> float:
    """p that a control cures as many as the doctor, paired by case; 1 of no cases."""
    pairs = [(t.doctor, _fixed(t) if fixed else _random(t)) for t in treated]
    both = [(doctor.cured, other.cured) for doctor, other in pairs if other is not None]
    return paired([a for a, _ in both], [b for _, b in both])


def median_seconds(treated: Sequence[Treatment]) -> float:
    """From the sick recipe to the verified cure, NaN of none."""
    seconds = [t.doctor.seconds for t in treated if t.doctor.seconds > 0]
    return float(np.median(seconds)) if seconds else float("nan")


def misses(judged: Sequence[Judgement], treated: Sequence[Treatment]) -> list[str]:
    """What went wrong, a line for each case: to mend rules by, on the half that tunes them."""
    lines = []
    for j in judged:
        case, said = j.label.case, ", ".join(j.diagnosis.rules[:5]) or "nothing"
        effect = f"healthy {j.label.healthy:.3f}, as it is {j.label.sick:.3f}"
        if j.label.counts_as_healthy and j.alarmed:
            lines.append(f"FALSE ALARM   {case.name} [{j.label.effect.label}; {effect}]: {said}")
            lines += [f"              {finding}" for finding in j.diagnosis.findings[:3]]
        elif j.label.harmful and not j.alarmed:
            hints = ", ".join(hint.rule for hint in j.diagnosis.hints) or "none"
            lines.append(f"NOT DETECTED  {case.name} [{effect}]: hints {hints}; {case.text}")
        elif j.label.harmful and case.causes and not j.cause_within(1):
            sort = "CAUSE SECOND " if j.cause_within(FIRST) else "CAUSE MISSED "
            lines.append(f"{sort} {case.name} [{effect}]: {said}; right: {', '.join(case.causes)}")
    for t in treated:
        case = t.judgement.label.case
        if case.curable and not t.doctor.cured:
            taken = ", ".join(t.doctor.remedies) or t.doctor.why or "nothing helped"
            lines.append(f"NOT CURED     {case.name}: {t.doctor.recovered:.2f} by {taken}")
    return lines
