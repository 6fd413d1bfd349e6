"""The working as one HTML page: no script, nothing fetched; a number opens on a click."""

from collections.abc import Sequence
from html import escape

from shoal.explain.trace.document import Item, Note, Sample, Section, Working
from shoal.explain.trace.expression import decimal
from shoal.explain.trace.writers.writer import Rule, shape_text

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
section.part > h2 { border-bottom: 2px solid #2a7f8e; padding-bottom: .2rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
code, summary, .rule, td { font-family: ui-monospace, monospace; font-size: .88rem; }
.rule { background: #2a7f8e1f; border-left: 3px solid #2a7f8e; padding: .25rem .6rem;
        margin: .3rem 0; overflow-x: auto; }
details { margin: .1rem 0; } summary { cursor: pointer; }
summary b { color: #1b6a78; font-weight: 600; }
details p { margin: .1rem 0 .4rem 1.4rem; overflow-x: auto; white-space: nowrap; }
.given { margin: .1rem 0 .1rem 1.1rem; }
table { border-collapse: collapse; margin: .3rem 0 .6rem; }
td { padding: .1rem .5rem; text-align: right; border: 1px solid #8884; }
.wide { overflow-x: auto; }
@media (prefers-color-scheme: dark) { summary b { color: #7fd0de; } }
"""


def render(sections: Sequence[Section], digits: int) -> str:
    """The page."""
    shown = [section for section in sections if section.items]
    title = escape(shown[0].title) if shown else "A trace"
    body = "\n".join(_section(s, digits, first=n == 0) for n, s in enumerate(shown))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n"
        "</body>\n</html>\n"
    )


def _section(section: Section, digits: int, first: bool) -> str:
    tag = "h1" if first else f"h{section.level + 1}"
    kind = ' class="part"' if section.level == 1 else ""
    items = "\n".join(_item(item, digits) for item in section.items)
    return f"<section{kind}>\n<{tag}>{escape(section.title)}</{tag}>\n{items}\n</section>"


def _item(item: Item, digits: int) -> str:
    if isinstance(item, Note):
        return f"<p>{escape(item.text)}</p>"
    if isinstance(item, Rule):
        return f'<div class="rule">{escape(item.text)}</div>'
    if isinstance(item, Sample):
        return _sample(item, digits)
    return _working(item, digits)


def _working(item: Working, digits: int) -> str:
    """A number; its formula and the formula with values open on a click."""
    head = f"{escape(item.name.text)} = <b>{decimal(item.result, digits)}</b>"
    if item.formula is None:
        return f'<div class="given"><code>{head}</code></div>'
    formula, values = item.formula.text(), item.formula.values(digits)
    lines = f"= {escape(formula)}"
    if values != formula:
        lines += f"<br>= {escape(values)}"
    return f"<details><summary>{head}</summary><p><code>{lines}</code></p></details>"


def _sample(item: Sample, digits: int) -> str:
    shown = min(digits, 6)
    more = "<td>...</td>" if item.shape[-1] > item.corner.shape[1] else ""
    rows = "".join(
        "<tr>" + "".join(f"<td>{decimal(value, shown)}</td>" for value in row) + more + "</tr>"
        for row in item.corner
    )
    facts = ", ".join(f"{word} {decimal(value, shown)}" for word, value in item.statistics.items())
    head = f"<code>{escape(item.symbol)} {shape_text(item.shape)}</code>: {facts}"
    return f'<p>{head}</p>\n<div class="wide"><table>{rows}</table></div>'
