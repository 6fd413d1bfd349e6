"""Finding: a rule that fired, with its evidence; Diagnosis: all of them, likeliest cause first.

Causes are ranked upstream first: a fault of the data shows as a bad loss, dead units and a rate
that seems wrong, but none of these makes a fault of the data. Within a group the stronger evidence
goes first.
"""

from collections.abc import Iterator
from dataclasses import dataclass

GROUPS = ("data", "head", "rate", "init", "architecture", "regularisation", "budget")
"""Groups of causes, upstream first: data; head and loss; learning rate and optimiser; initial
weights; architecture; regularisation; epochs and batches."""


@dataclass(frozen=True)
class Finding:
    """One rule that fired.

    Attributes:
        rule: its id in the table of rules.
        group: one of ``GROUPS``.
        sentence: the evidence, with its numbers, as a sentence.
        where: the layer, column or field of the recipe that it is about; "" for the whole.
        epoch: at which it was seen, counted from 1; 0 before training.
        value, threshold: what was measured, and from where on it counts.
        strength: how far beyond the threshold, 0 to 1; orders findings of one group.
        hint: whether it often does no harm: said, but no alarm.
        source: of the rule and its threshold.
        remedies: ids in the table of remedies, the likeliest first.
    """

    rule: str
    group: str
    sentence: str
    where: str
    epoch: int
    value: float
    threshold: float
    strength: float
    hint: bool
    source: str
    remedies: tuple[str, ...]

    def __str__(self) -> str:
        place = f" in {self.where}" if self.where else ""
        return f"{self.rule}{place}: {self.sentence}"


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a training, the likeliest cause first; empty when nothing is.

    Attributes:
        findings: that alarm; hints: that often do no harm.
        reading: what the pair of losses says, as a sentence; "" before training.
    """

    findings: tuple[Finding, ...]
    hints: tuple[Finding, ...] = ()
    reading: str = ""

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    @property
    def rules(self) -> tuple[str, ...]:
        """The ids of the rules that alarm, in order."""
        return tuple(finding.rule for finding in self.findings)

    @property
    def remedies(self) -> tuple[str, ...]:
        """The ids of what may help, the likeliest first, each once."""
        found = [name for finding in (*self.findings, *self.hints) for name in finding.remedies]
        return tuple(dict.fromkeys(found))

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __str__(self) -> str:
        lines = [self.reading] if self.reading else []
        lines += [f"{n}. {finding}" for n, finding in enumerate(self.findings, 1)]
        lines += ["Nothing is wrong."] if self.healthy else []
        lines += [f"hint: {finding}" for finding in self.hints]
        return "\n".join(lines)
