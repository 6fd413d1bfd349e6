"""Rule: one line of the table: what it reads, from where on it counts, what it says, what may help.

A rule measures one number. Beyond its threshold it is a finding: an alarm ``always``, or only where
the level reached says that the training is sick, or never more than a hint. Where the number alone
leaves no doubt, the measurement says ``sure`` and the level is not asked.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shoal.doctor.evidence import Evidence, Missing
from shoal.doctor.finding import GROUPS, Finding
from shoal.doctor.words import plain

ALWAYS, SICK, NEVER = "always", "if sick", "never"


@dataclass(frozen=True)
class Measured:
    """What a rule measured.

    Attributes:
        value: compared with the threshold.
        where: layer, column or field of the recipe; epoch: counted from 1, 0 before training.
        words: for the braces of the sentence.
        sure: whether it alarms whatever level was reached.
        remedies: in place of those of the rule, where the measurement knows better.
    """

    value: float
    where: str = ""
    epoch: int = 0
    words: Mapping[str, Any] = field(default_factory=dict)
    sure: bool = False
    remedies: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        id: its name; group: one of ``finding.GROUPS``.
        reads: kinds of evidence that it needs, see ``evidence``.
        measure: the number, or None where it does not apply.
        threshold: from where on it counts; below: whether it counts below instead of above.
        alarms: ``ALWAYS``, ``SICK`` or ``NEVER``.
        symptom: whether it names a symptom, which goes behind all causes.
        sentence: the evidence, with braces for value, threshold and the words measured.
        source: of rule and threshold.
        remedies: ids in the table of remedies, the likeliest first.
    """

    id: str
    group: str
    reads: tuple[str, ...]
    measure: Callable[[Evidence], Measured | None]
    threshold: float
    sentence: str
    source: str
    remedies: tuple[str, ...]
    alarms: str = SICK
    below: bool = False
    symptom: bool = False

    @property
    def firm(self) -> bool:
        """Whether it names a cause upstream of the network, which hardly shows in healthy ones."""
        return not self.symptom and GROUPS.index(self.group) <= GROUPS.index("init")

    def find(self, evidence: Evidence, sick: bool) -> Finding | None:
        """The finding, or None where the rule does not apply or all is well."""
        if not all(evidence.has(kind) for kind in self.reads):
            return None
        try:
            measured = self.measure(evidence)
        except Missing:
            return None
        if measured is None or math.isnan(measured.value):
            return None
        beyond = self._beyond(measured.value)
        if beyond < 0:
            return None
        alarm = measured.sure or self.alarms == ALWAYS or (self.alarms == SICK and sick)
        words = {"value": measured.value, "threshold": self.threshold, **measured.words}
        return Finding(
            rule=self.id,
            group=self.group,
            sentence=plain(self.sentence.format(**words)),
            where=measured.where,
            epoch=measured.epoch,
            value=measured.value,
            threshold=self.threshold,
            strength=min(1.0, beyond),
            hint=not alarm,
            source=self.source,
            remedies=measured.remedies or self.remedies,
        )

    def _beyond(self, value: float) -> float:
        """How far beyond the threshold, in factors of ten, from 0; negative where it is not."""
        if value == self.threshold:
            return 0.0
        if (value < self.threshold) != self.below:
            return -1.0
        if math.isinf(value) or value <= 0 or self.threshold <= 0:
            return 1.0
        return abs(math.log10(value / self.threshold))


def order(rule: Rule, finding: Finding) -> tuple[bool, int, float]:
    """Causes before symptoms, upstream first, the stronger evidence first."""
    return rule.symptom, GROUPS.index(rule.group), -finding.strength
