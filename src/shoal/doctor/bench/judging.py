"""Judging: what the doctor says of each case, against what is true of it.

detected        a harmful case with an alarm
false alarm     a case that counts as healthy, with an alarm; hints are no alarms
cause           the rules that name it rightly, among the alarms: the first, or the first three
"""

import time
from dataclasses import dataclass

from shoal.doctor.bench.cases import Case
from shoal.doctor.bench.keeping import key
from shoal.doctor.bench.labelling import Label, Labeller
from shoal.doctor.bench.training import Trained, train
from shoal.doctor.diagnosing import diagnose
from shoal.doctor.finding import Diagnosis
from shoal.errors import ShoalError

FIRST = 3


@dataclass(frozen=True)
class Judgement:
    """What the doctor said of a case.

    Attributes:
        label: what is true.
        diagnosis: what was said of the first seed.
        seconds: that the diagnosis took, training apart.
    """

    label: Label
    diagnosis: Diagnosis
    seconds: float

    @property
    def alarmed(self) -> bool:
        """Whether anything was said to be wrong."""
        return not self.diagnosis.healthy

    def cause_within(self, most: int) -> bool:
        """Whether one of the first so many findings names a cause rightly."""
        rules = self.diagnosis.rules[:most]
        return any(rule in self.label.case.causes for rule in rules)

    def row(self) -> dict[str, object]:
        """As plain values."""
        label, case = self.label, self.label.case
        return {
            "case": case.name,
            "text": case.text,
            "sort": case.sort,
            "label": label.effect.label,
            "certified": label.certified,
            "healthy": label.healthy,
            "sick": label.sick,
            "chance": label.chance,
            "refused": label.refusal,
            "alarmed": self.alarmed,
            "rules": list(self.diagnosis.rules),
            "hints": [hint.rule for hint in self.diagnosis.hints],
            "sentences": [str(finding) for finding in self.diagnosis.findings],
            "remedies": list(self.diagnosis.remedies)[:6],
            "causes": list(case.causes),
            "right first": self.cause_within(1),
            "right in three": self.cause_within(FIRST),
            "seconds": self.seconds,
        }


def judge(case: Case, labeller: Labeller) -> Judgement:
    """Train a case over its seeds with signals, label it, and ask the doctor about the first."""
    recipe, data = case.make()
    done = train(recipe, data, labeller.seeds, signals=True, honest=case.honest)
    name = key(recipe, data, labeller.seeds, case.honest)
    if labeller.scores.get(name) is None:
        labeller.keep(name, done)
    label = labeller.label(case)
    diagnosis, seconds = ask(case, done)
    return Judgement(label, diagnosis, seconds)


def ask(case: Case, done: Trained) -> tuple[Diagnosis, float]:
    """The diagnosis of the first run, or of the recipe where it was refused, and its seconds.

    A doctor that is refused too has said nothing: the error is kept as its reading.
    """
    began = time.perf_counter()
    try:
        found = diagnose(done.runs[0]) if done.runs else diagnose(*case.make())
    except ShoalError as error:
        found = Diagnosis((), reading=str(error))
    return found, time.perf_counter() - began
