"""Studies on the page: winner beside default, history, parameters, all trials.

Figures are SVG written here, because the page loads nothing; of many trials the best are shown.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from shoal.report.contents import Study, Table
from shoal.report.html import escape, facts, table

MOST_SHOWN = 1000
"""Trials in the figures of the parameters: the best ones."""

# viridis at 0, 1/4, ... 1, from the best value to the worst; matplotlib's numbers.
SHADES = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
WIDE, HIGH, PAD = 300, 190, 34


def study_html(study: Study) -> str:
    """Everything that is known of a study."""
    aim = "smallest" if study.minimise else "largest"
    known = [value for value in study.best if value is not None]
    best = f"{known[-1]:.6g}" if known else "none"
    parts = [
        f"<h3>{escape(study.name)}</h3>",
        f'<p class="hint">{len(study.values)} trials; {aim} {escape(study.value)}: {best}.</p>',
    ]
    more = study.more
    if more.get("result"):
        result = more["result"]
        rows = tuple(map(tuple, result["rows"]))
        parts.append(table(Table(tuple(result["columns"]), rows), f"winner of {study.name}"))
        parts.append(f"<p>{escape(more['verdict'])}</p>{facts(more['facts'])}")
    parts += ["<h4>History</h4>" if more else "", _history(study)]
    if more.get("importance"):
        parts += ["<h4>Importance</h4>", _importance(more["importance"])]
    if more.get("axes") and more.get("values"):
        parts += ["<h4>Parameters one by one</h4>", _slices(more), "<h4>Trials as lines</h4>",
                  _parallel(more)]  # fmt: skip
    if more.get("contour"):
        parts += ["<h4>Two parameters</h4>", _contour(more["contour"])]
    parts += ["<h4>All trials</h4>" if more else "", table(study.table, f"trials of {study.name}")]
    return "".join(parts)


def _history(study: Study) -> str:
    """Values of the trials in their order, and the best so far, as a small chart."""
    width, height, pad, left = 960, 200, 26, 62
    known = [value for value in (*study.values, *study.best) if value is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    # A few wild trials do not flatten the rest: the worst tenth lies at the edge.
    ordered = sorted(v for v in study.values if v is not None)
    cut = ordered[max(0, round(0.9 * len(ordered)) - 1)] if study.minimise else None
    floor = ordered[round(0.1 * (len(ordered) - 1))] if not study.minimise else None
    high = min(high, cut + (cut - low)) if cut is not None and cut > low else high
    low = max(low, floor - (high - floor)) if floor is not None and floor < high else low
    count = max(1, len(study.values) - 1)

    def place(i: int, value: float) -> tuple[float, float]:
        share = (min(max(value, low), high) - low) / (high - low or 1.0)
        return left + (width - left - pad) * i / count, height - pad - (height - 2 * pad) * share

    dots = "".join(
        '<circle cx="{:.1f}" cy="{:.1f}" r="2.5" fill="var(--faint)"/>'.format(*place(i, value))
        for i, value in enumerate(study.values)
        if value is not None
    )
    steps, last = [], None
    for i, value in enumerate(study.best):
        if value is not None:
            x, y = place(i, value)
            steps.append(f"M{x:.1f} {y:.1f}" if last is None else f"H{x:.1f}V{y:.1f}")
            last = value
    label = escape(f"history of {study.name}: best {study.value} so far {known[-1]:.6g}")
    ends = "".join(
        f'<text x="2" y="{y}">{value:.4g}</text>' for y, value in ((pad, high), (height - pad, low))
    )
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{label}" width="100%">'
        f'<title>{label}</title>{dots}<path d="{"".join(steps)}" fill="none" '
        f'stroke="var(--accent)" stroke-width="2"/>{ends}'
        f'<text x="{width / 2}" y="{height - 4}" text-anchor="middle">trial</text></svg>'
    )


# --- parameters ----------------------------------------------------------------------------------


def _importance(shares: Mapping[str, float]) -> str:
    """Bars of the share of each parameter in the variance, the largest first."""
    order = sorted(shares.items(), key=lambda pair: -pair[1])
    lines = "".join(
        f'<tr><td>{escape(name)}</td><td class="number">{share:.2f}</td>'
        f'<td><span class="bar" style="width:{300 * share:.1f}px"></span></td></tr>'
        for name, share in order
    )
    hint = "Share of each parameter in the variance of the values (PED-ANOVA)."
    return (
        f'<p class="hint">{hint}</p><div class="scroll" tabindex="0" role="region" '
        f'aria-label="importance"><table><tbody>{lines}</tbody></table></div>'
    )


def _best(values: Sequence[float | None]) -> list[int]:
    """The trials to show, the worst first."""
    known = [i for i, value in enumerate(values) if value is not None]
    return sorted(known, key=lambda i: -float(values[i] or 0.0))[-MOST_SHOWN:]


def _shade(share: float) -> str:
    """The colour of a value: 0 for the best, 1 for the worst."""
    at = min(max(share, 0.0), 1.0) * (len(SHADES) - 1)
    low = min(int(at), len(SHADES) - 2)
    mixed = (a + (at - low) * (b - a) for a, b in zip(SHADES[low], SHADES[low + 1], strict=True))
    return "#" + "".join(f"{round(part):02x}" for part in mixed)


def _ends(axis: Mapping[str, Any]) -> tuple[float, float]:
    known = [_scaled(axis, place) for place in axis["places"] if place is not None]
    low, high = (0.0, len(axis["labels"]) - 1.0) if axis["labels"] else (min(known), max(known))
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _scaled(axis: Mapping[str, Any], place: float) -> float:
    return math.log(place) if axis["log"] else place


def _shares(axis: Mapping[str, Any]) -> list[float | None]:
    """Where each trial lies between the ends of an axis, 0 to 1."""
    low, high = _ends(axis)
    return [
        None if place is None else (_scaled(axis, place) - low) / (high - low)
        for place in axis["places"]
    ]


def _end_texts(axis: Mapping[str, Any]) -> tuple[str, str]:
    if axis["labels"]:
        return axis["labels"][0], axis["labels"][-1]
    return tuple(f"{math.exp(end) if axis['log'] else end:.3g}" for end in _ends(axis))  # type: ignore[return-value]


def _heights(values: Sequence[float | None]) -> list[float | None]:
    """The values between 0, the best, and 1; a wild tenth lies at the edge."""
    known = sorted(value for value in values if value is not None)
    low = known[0]
    high = max(known[max(0, round(0.9 * len(known)) - 1)], low)
    change = math.log if low > 0 and high / low > 5 else float
    bottom, top = change(low), change(high)
    span = top - bottom or 1.0
    return [None if v is None else min(max((change(max(v, low)) - bottom) / span, 0.0), 1.0)
            for v in values]  # fmt: skip


def _slices(more: Mapping[str, Any]) -> str:
    heights = _heights(more["values"])
    shown = _best(more["values"])
    hint = "Each trial as a point; low is good, the worst tenth lies at the upper edge."
    figures = "".join(_slice(axis, heights, shown) for axis in more["axes"])
    return f'<p class="hint">{hint}</p><div class="controls">{figures}</div>'


def _slice(axis: Mapping[str, Any], heights: Sequence[float | None], shown: Sequence[int]) -> str:
    shares, (left, right) = _shares(axis), _end_texts(axis)
    dots = "".join(
        f'<circle cx="{PAD + (WIDE - 2 * PAD) * x:.1f}" '
        f'cy="{HIGH - PAD - (HIGH - 2 * PAD) * y:.1f}" r="2.5" fill="{_shade(y)}"/>'
        for i in shown
        if (x := shares[i]) is not None and (y := heights[i]) is not None
    )
    label = escape(f"values against {axis['name']}")
    return (
        f'<svg viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="{label}" width="{WIDE}">'
        f"<title>{label}</title>{_frame()}{dots}"
        f'<text x="{PAD}" y="{HIGH - PAD + 14}">{escape(left)}</text>'
        f'<text x="{WIDE - PAD}" y="{HIGH - PAD + 14}" text-anchor="end">{escape(right)}</text>'
        f'<text x="{WIDE / 2}" y="{HIGH - 4}" text-anchor="middle">'
        f"{escape(axis['name'])}</text></svg>"
    )


def _frame() -> str:
    return f'<path class="axis" fill="none" d="M{PAD} {PAD / 2}V{HIGH - PAD}H{WIDE - PAD}"/>'


def _parallel(more: Mapping[str, Any]) -> str:
    """Each trial as a line over all parameters and its value, the best on top."""
    axes, heights = more["axes"], _heights(more["values"])
    columns = [_shares(axis) for axis in axes] + [heights]
    names = [axis["name"] for axis in axes] + ["value"]
    step = 900 / max(1, len(columns) - 1)

    def line(trial: int) -> str:
        places = [(40 + step * c, column[trial]) for c, column in enumerate(columns)]
        points = " ".join(
            f"{x:.0f},{196 if share is None else 180 - 150 * share:.0f}" for x, share in places
        )
        return f'<polyline points="{points}" stroke="{_shade(heights[trial] or 0.0)}"/>'

    lines = "".join(map(line, _best(more["values"])))
    bars = "".join(
        f'<path class="axis" d="M{40 + step * c:.0f} 30V200"/>' for c in range(len(columns))
    )
    ends = {0: "start", len(columns) - 1: "end"}
    texts = "".join(
        f'<text x="{40 + step * c - 36 * (c == 0):.0f}" y="{222 + 14 * (c % 2)}" '
        f'text-anchor="{ends.get(c, "middle")}">'
        f"{escape(name)}</text>"
        for c, name in enumerate(names)
    )
    return (
        '<svg viewBox="0 0 980 246" role="img" width="100%" aria-label="trials as lines">'
        f"<title>trials as lines over their parameters; dark: good</title>{bars}"
        f'<g fill="none" opacity="0.75">{lines}</g>{texts}</svg>'
    )


def _contour(found: Mapping[str, Any]) -> str:
    """The mean of the trials near by, as tiles; trials as points."""
    x, y, surface = found["x"], found["y"], found["surface"]
    wide, high, pad = 560, 380, 46
    known = [value for row in surface for value in row if value is not None]
    low, high_value = min(known), max(known)
    span = (high_value - low) or 1.0
    across, up = (wide - 2 * pad) / len(surface[0]), (high - 2 * pad) / len(surface)
    tiles = "".join(
        f'<rect x="{pad + i * across:.1f}" y="{high - pad - (j + 1) * up:.1f}" '
        f'width="{across + 0.5:.1f}" height="{up + 0.5:.1f}" fill="{_shade((v - low) / span)}"/>'
        for j, row in enumerate(surface)
        for i, v in enumerate(row)
        if v is not None
    )
    inner = [across / 2 if x["labels"] else 0.0, up / 2 if y["labels"] else 0.0]
    places = zip(_shares(x), _shares(y), strict=True)
    dots = "".join(
        f'<circle cx="{pad + inner[0] + (wide - 2 * pad - 2 * inner[0]) * a:.1f}" '
        f'cy="{high - pad - inner[1] - (high - 2 * pad - 2 * inner[1]) * b:.1f}" '
        'r="2.5" fill="none" stroke="#fff"/>'
        for a, b in places
        if a is not None and b is not None
    )
    (left, right), (bottom, top) = _end_texts(x), _end_texts(y)
    label = escape(f"value over {x['name']} and {y['name']}")
    return (
        f'<p class="hint">Mean of the trials near by, from {low:.4g} (dark) to {high_value:.4g} '
        f"(yellow); empty far from all trials.</p>"
        f'<svg viewBox="0 0 {wide} {high}" role="img" aria-label="{label}" width="{wide}">'
        f"<title>{label}</title>{tiles}{dots}"
        f'<text x="{pad}" y="{high - pad + 14}">{escape(left)}</text>'
        f'<text x="{wide - pad}" y="{high - pad + 14}" text-anchor="end">{escape(right)}</text>'
        f'<text x="{wide / 2}" y="{high - 14}" text-anchor="middle">{escape(x["name"])}</text>'
        f'<text x="2" y="{high - pad}">{escape(bottom)}</text>'
        f'<text x="2" y="{pad + 8}">{escape(top)}</text>'
        f'<text x="2" y="{pad - 14}">{escape(y["name"])}</text></svg>'
    )
