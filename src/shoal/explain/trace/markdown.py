"""The working as Markdown with LaTeX between dollars."""

from collections.abc import Sequence

from shoal.explain.trace.document import Item, Note, Sample, Section, Working
from shoal.explain.trace.expression import Style, decimal
from shoal.explain.trace.writers.writer import Rule, shape_text


def render(sections: Sequence[Section], digits: int) -> str:
    """All sections, one under another."""
    return "\n\n".join(_section(s, digits) for s in sections if s.items) + "\n"


def _section(section: Section, digits: int) -> str:
    head = f"{'#' * (section.level + 1)} {section.title}"
    return "\n\n".join([head, *(_item(item, digits) for item in section.items)])


def _item(item: Item, digits: int) -> str:
    if isinstance(item, Note):
        return item.text
    if isinstance(item, Rule):
        return f"$${item.latex}$$"
    if isinstance(item, Sample):
        return _sample(item, digits)
    return f"$${latex(item, digits)}$$"


def latex(item: Working, digits: int) -> str:
    """A number: symbols = values = result, in LaTeX."""
    result = _number(decimal(item.result, digits))
    if item.formula is None:
        return f"{item.name.latex} = {result}"
    steps = [item.formula.show(Style(latex=True)), item.formula.show(Style(digits, latex=True))]
    if steps[1] in (steps[0], result):
        steps = steps[:1]
    return f"{item.name.latex} = {' = '.join([*steps, result])}"


def _number(text: str) -> str:
    """1.5e-09 as a power of ten."""
    if "e" not in text:
        return text
    mantissa, exponent = text.split("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}"


def _sample(item: Sample, digits: int) -> str:
    shown = min(digits, 6)
    columns = range(item.corner.shape[1])
    more = " ... |" if item.shape[-1] > item.corner.shape[1] else ""
    lines = [
        "| " + " | ".join(str(c) for c in columns) + " |" + (" |" if more else ""),
        "|" + "---|" * (len(columns) + bool(more)),
    ]
    for row in item.corner:
        lines.append("| " + " | ".join(decimal(value, shown) for value in row) + " |" + more)
    facts = ", ".join(f"{word} {decimal(value, shown)}" for word, value in item.statistics.items())
    return f"`{item.symbol}` {shape_text(item.shape)}: {facts}\n\n" + "\n".join(lines)
