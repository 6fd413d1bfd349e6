"""Pieces of HTML that sections are made of. Every text that is not written here is escaped."""

from collections.abc import Iterator, Sequence
from html import escape as _escape
from typing import Any

from shoal.report.contents import Table


def escape(value: Any) -> str:
    """A text as it is shown, whatever is in it.

    >>> escape("<script>")
    '&lt;script&gt;'
    """
    return _escape(str(value), quote=True)


def table(found: Table, caption: str) -> str:
    """A table that can be sorted by its headings."""
    numeric = [_numeric(row[i] for row in found.rows) for i in range(len(found.columns))]
    kinds = [' class="number"' if number else "" for number in numeric]
    head = "".join(
        f'<th scope="col"{kind}>{escape(name)}</th>'
        for name, kind in zip(found.columns, kinds, strict=True)
    )
    lines = (
        "".join(f"<td{kind}>{_cell(v)}</td>" for v, kind in zip(row, kinds, strict=True))
        for row in found.rows
    )
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f'<table class="sortable"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _numeric(values: Iterator[Any]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(_is_number(value) for value in known)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else escape(value)


def facts(pairs: Sequence[tuple[str, Any]]) -> str:
    """Names and what is known of them."""
    parts = (f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs)
    return f"<dl>{''.join(parts)}</dl>"
