"""The working as plain text, to be read in a terminal."""

from collections.abc import Sequence

from shoal.explain.trace.document import Item, Note, Sample, Section, Working
from shoal.explain.trace.expression import Expression, decimal
from shoal.explain.trace.writers.writer import Rule, shape_text

HOW_TO_SEE_ALL = (
    'Large arrays are shown by a corner and one number: trace["Z1[0,3]"] or --weight NAME works '
    "out any number, numbers= or --numbers writes out larger arrays, .json holds all."
)


def render(sections: Sequence[Section], digits: int) -> str:
    """All sections, one under another."""
    parts = [_section(section, digits) for section in sections if section.items]
    if any(isinstance(item, Sample) for section in sections for item in section.items):
        parts.append(HOW_TO_SEE_ALL)
    return "\n\n".join(parts)


def _section(section: Section, digits: int) -> str:
    line = "=" if section.level == 1 else "-"
    head = [section.title, line * len(section.title)]
    return "\n".join([*head, *(show(item, digits) for item in section.items)])


def show(item: Item, digits: int) -> str:
    """One item."""
    if isinstance(item, Rule | Note):
        return item.text
    if isinstance(item, Sample):
        return sample(item, digits)
    return working(item, digits)


def working(item: Working, digits: int) -> str:
    """A number: its formula, the same with values, the result; what repeats is left out."""
    name, result = item.name.text, decimal(item.result, digits)
    if item.formula is None:
        return f"{name} = {result}"
    steps = [item.formula.text()]
    for shown in (item.formula.values(digits), result):
        if shown != steps[-1]:
            steps.append(shown)
    if _short(item.formula) and len(name) + sum(map(len, steps)) < 88:
        return f"{name} = {' = '.join(steps)}"
    indent = " " * len(name)
    return "\n".join([f"{name} = {steps[0]}", *(f"{indent} = {step}" for step in steps[1:])])


def _short(formula: Expression) -> bool:
    return len(formula.text()) < 40


def sample(item: Sample, digits: int) -> str:
    """A corner of a large array and its statistics."""
    shown = min(digits, 6)
    rows = [[decimal(value, shown) for value in row] for row in item.corner]
    width = max(len(cell) for row in rows for cell in row)
    more = "  ..." if item.shape[-1] > item.corner.shape[1] else ""
    lines = ["    " + "  ".join(cell.rjust(width) for cell in row) + more for row in rows]
    count = 1
    for length in item.shape[:-1]:
        count *= length
    if count > item.corner.shape[0]:
        lines.append("    ...")
    facts = ", ".join(f"{word} {decimal(value, shown)}" for word, value in item.statistics.items())
    return "\n".join([f"{item.symbol} {shape_text(item.shape)}: {facts}", *lines])
