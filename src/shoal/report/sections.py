"""Sections of the page as HTML. Every text that is not written here goes through ``escape``."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shoal.arrays import times
from shoal.data.builtin import BY_NAME
from shoal.report.contents import Contents, Note, Table
from shoal.report.html import escape, facts, table
from shoal.report.studies import study_html

MOST_CHANGES = 60
Section = tuple[str, str, str]
"""Its identifier, its heading, its HTML."""


def sections(info: Contents) -> Iterator[Section]:
    """The sections that have something in them, in their order."""
    if info.runs:
        yield "runs", "Runs", _runs(info)
        yield "curves", "Curves", CURVES
    if info.health:
        yield "health", "Health of the layers", HEALTH
    if info.findings:
        yield "findings", "Findings", _notes(info.findings)
    if info.cures:
        yield "cures", "Cures", _notes(info.cures)
    if info.studies:
        yield "studies", "Studies", "".join(map(study_html, info.studies))
    if info.cards:
        yield "data", "Data", "".join(map(_card, info.cards))
    if info.environments:
        yield "environment", "Environment", "".join(map(_environment, info.environments))
    if info.runs:
        yield "repeat", "How to repeat", _repeat(info)


CURVES = """
<p class="hint">Solid lines are validation, dashed or pale ones training; circles mark best epochs.
Drag over the chart to zoom, double-click to see all; with the keyboard: + and −, arrows, 0.</p>
<div class="controls">
<label>show <select aria-label="quantity"></select></label>
<label><input type="checkbox" name="log" checked> logarithmic</label>
<label><input type="checkbox" name="train" checked> training</label>
<label><input type="checkbox" name="validation" checked> validation</label>
<span><button class="plain" type="button" data-do="in">zoom in</button>
<button class="plain" type="button" data-do="out">zoom out</button>
<button class="plain" type="button" data-do="reset">whole</button></span>
<span><button class="plain" type="button" data-do="all">all runs</button>
<button class="plain" type="button" data-do="none">no runs</button></span>
</div>
<svg class="chart" viewBox="0 0 960 400" role="img" tabindex="0"
 aria-label="Curves of the runs over the epochs; the table of runs has their final values"></svg>
<p class="readout" aria-live="polite"></p>
<div class="legend" role="group" aria-label="runs shown"></div>
"""

HEALTH = """
<p class="hint">A row for each layer, a column for each epoch; grey where there is no value.</p>
<div class="controls"><label>run <select aria-label="run"></select></label></div>
<div class="maps"></div>
"""


def _runs(info: Contents) -> str:
    hint = "Values at the epoch whose weights are kept, averaged over the members of an ensemble."
    return f'<p class="hint">{hint} A click on a heading sorts.</p>{table(info.table, "runs")}'


def _notes(notes: Sequence[Note]) -> str:
    return "".join(
        f"<article><h3>{escape(title)}</h3><p>{escape(text)}</p>"
        + (f'<pre class="diff">{escape(diff)}</pre>' if diff else "")
        + "</article>"
        for title, text, diff in notes
    )


# --- data and environment ------------------------------------------------------------------------


def _card(card: Mapping[str, Any]) -> str:
    splits = ", ".join(f"{count:,} {name}" for name, count in card["rows"].items())
    known = [
        ("task", card["task"]),
        ("rows", f"{sum(card['rows'].values()):,}: {splits}"),
        ("one example", times(tuple(card["shape"]))),
        ("target", ", ".join(card["targets"][:20])),
        ("fingerprint", card["fingerprint"]),
    ]
    parts = [f"<h3>{escape(card['name'])}</h3>", facts(known)]
    if card["notes"]:
        notes = "".join(f"<li>{escape(note)}</li>" for note in card["notes"])
        parts.append(f"<h4>Notes</h4><ul>{notes}</ul>")
    if card["classes"]:
        parts.append(_classes(card["classes"]))
    if card["values"]:
        rows = [tuple(entry.values()) for entry in card["values"]]
        parts.append(
            table(Table(("target", "smallest", "mean", "largest"), tuple(rows)), "targets")
        )
    if card["columns"]:
        rows = [(c["name"], c["kind"], c["categories"] or None) for c in card["columns"]]
        shown = f"{len(rows)} of {card['columns_in_all']}"
        parts.append(f"<h4>Columns ({shown})</h4>")
        parts.append(table(Table(("column", "kind", "categories"), tuple(rows)), "columns"))
    return "".join(parts)


def _classes(classes: Sequence[Mapping[str, Any]]) -> str:
    """The rows of each class, with a bar for the training split."""
    splits = [name for name in classes[0] if name != "name"]
    most = max(max(entry["train"] for entry in classes), 1)
    head = "".join(f'<th scope="col" class="number">{escape(name)}</th>' for name in splits)
    lines = []
    for entry in classes[:1000]:
        numbers = "".join(f'<td class="number">{entry[name]:,}</td>' for name in splits)
        bar = f'<span class="bar" style="width:{100 * entry["train"] / most:.1f}px"></span>'
        lines.append(f"<tr><td>{escape(entry['name'])}</td>{numbers}<td>{bar}</td></tr>")
    return (
        '<h4>Classes</h4><div class="scroll" tabindex="0" role="region" aria-label="classes">'
        f'<table><thead><tr><th scope="col">class</th>{head}<th scope="col">share</th></tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _environment(found: Mapping[str, Any]) -> str:
    devices = ", ".join(f"{count} × {kind}" for kind, count in found["devices"].items())
    known = [("devices", devices), ("platform", found["platform"]), *found["versions"].items()]
    return facts(known)


# --- repeat --------------------------------------------------------------------------------------


def _repeat(info: Contents) -> str:
    """Command, Python and recipe of the first run; of the others what differs."""
    first = info.runs[0]
    card = info.cards[0] if info.cards else {}
    command, read = _reading(card)
    seeds = len(first.reasons)
    many = f" --seeds {seeds}" if seeds > 1 else ""
    more = f", seeds={seeds}" if seeds > 1 else ""
    python = (
        "from pathlib import Path\n\nimport shoal as sh\n\n"
        'recipe = sh.Recipe.from_json(Path("recipe.json").read_text())\n'
        f"data = {read}\nrun = sh.fit(recipe, data{more})\n"
    )
    parts = [
        f"<p>The first run, {escape(first.name)}: save its recipe as <code>recipe.json</code>, then"
        " on the command line</p>",
        f"<pre>shoal fit {escape(command)} --recipe recipe.json{many}</pre>",
        f"<p>or in Python</p><pre>{escape(python)}</pre>",
        f"<details><summary>recipe.json</summary><pre>{escape(first.recipe.to_json())}</pre></details>",
    ]
    changes = [(run.name, diff) for run, diff in zip(info.runs, info.changes, strict=True) if diff]
    if changes:
        text = "\n\n".join(f"{name}\n{diff}" for name, diff in changes[:MOST_CHANGES])
        left = len(changes) - MOST_CHANGES
        text += f"\n\n... and {left} more" if left > 0 else ""
        parts.append(
            "<details><summary>What the recipes of the other runs change</summary>"
            f"<pre>{escape(text)}</pre></details>"
        )
    return "".join(parts)


def _reading(card: Mapping[str, Any]) -> tuple[str, str]:
    """How data is named on the command line and read in Python."""
    name = str(card.get("name", "DATA"))
    if name in BY_NAME:
        return name, f"sh.data.{name}()"
    targets = [str(target) for target in card.get("targets", ())] or ["TARGET"]
    if name.endswith((".csv", ".parquet")):
        flags = "".join(f" --target {target!r}" for target in targets)
        wanted = targets[0] if len(targets) == 1 else targets
        return f"{name!r}{flags}", f"sh.data.table({name!r}, target={wanted!r})"
    return "DATA --target TARGET", "sh.data.arrays(inputs, targets)"
