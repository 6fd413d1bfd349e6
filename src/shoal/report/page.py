"""Page: the report as one HTML file that needs nothing else.

Style, script and data are in the file; a policy in its head forbids it to load or run anything
more, so that even a text that slipped through ``escape`` could not act.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from shoal.errors import FileError
from shoal.files import write_atomically
from shoal.report.contents import BUDGET, Contents, Notes, contents
from shoal.report.html import escape
from shoal.report.sections import sections
from shoal.train.history import History
from shoal.train.run import Run
from shoal.tune import account
from shoal.tune.study import Study
from shoal.tune.tuning import STORAGE

HERE = Path(__file__).parent
LIMIT = 5_000_000
"""Bytes that a page stays below; curves are thinned further where it would not."""


Given = Run | History | Study | str | Path


def report(
    runs: Given | Sequence[Given],
    path: str | Path,
    *,
    title: str = "",
    findings: Notes = (),
    cures: Notes = (),
    studies: Sequence[Mapping[str, Any]] = (),
) -> Path:
    """Write a report about runs: one HTML file that opens from the disk, without a network.

    It holds a sortable table of the runs, their curves with zoom and hover, heat maps of the layers
    of runs trained with signals, findings and cures, studies, the card of the data, the
    environment, and how to repeat the first run. A study shows winner and default, its history,
    importances, and its parameters one by one, two by two and side by side.

    Args:
        runs: one or many: runs and studies, or folders that ``fit``, ``tune`` or their commands
            wrote.
        path: of the file.
        title: of the page; by default the names of the data.
        findings: a ``Diagnosis`` or several, or findings of one; cures: one or several of ``cure``.
            Or (title, text, diff) each, diff "" where there is none.
        studies: {"name", "rows", "value", "direction"} each: rows are the trials, dictionaries of
            their parameters and values; value the column that was optimised; direction "minimize"
            or "maximize".

    Raises:
        DataError: neither runs nor studies, or a study without its value.
        FileError: a folder without a finished training or search, or the file cannot be written.
    """
    single = isinstance(runs, Given)
    given: Any = [runs] if single else runs
    wanted, accounts = _sorted(given)
    every = [*accounts, *studies]
    budget = BUDGET
    text = page(contents(wanted, title, findings, cures, every, budget))
    while len(text.encode("utf-8", "replace")) > LIMIT and budget > 1000:
        budget //= 3
        text = page(contents(wanted, title, findings, cures, every, budget))
    write_atomically(Path(path), text.encode("utf-8", "replace"))
    return Path(path)


def _sorted(given: Sequence[Given]) -> tuple[list[Any], list[dict[str, Any]]]:
    """Runs and folders of runs; accounts of studies, whose winner and default are runs too."""
    runs: list[Any] = []
    accounts = []
    for one in given:
        if isinstance(one, Study):
            accounts.append(account.account(one))
            for name, arm in (("winner", one.winner), ("default", one.default)):
                told = History.of(arm.runs[0])
                runs.append(replace(told, recipe=told.recipe.replace(name=name)))
        elif isinstance(one, str | Path) and (Path(one) / account.FILE).exists():
            accounts.append(account.load(Path(one)))
        elif isinstance(one, str | Path) and (Path(one) / STORAGE).exists():
            raise FileError(
                str(one),
                required="a search that has finished",
                got="one that was stopped, or still runs",
                remedy="finish it by the same shoal tune again, or tune(folder=...)",
            )
        else:
            runs.append(one)
    return runs, accounts


def page(info: Contents) -> str:
    """The HTML of a report."""
    script = (HERE / "script.js").read_text(encoding="utf-8")
    found = list(sections(info))
    links = "".join(f'<li><a href="#section-{name}">{head}</a></li>' for name, head, _ in found)
    body = "\n".join(
        f'<section id="{name}" aria-labelledby="section-{name}">'
        f'<h2 id="section-{name}" tabindex="-1">{heading}</h2>{html}</section>'
        for name, heading, html in found
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_policy(script)}">
<title>{escape(info.title)}</title>
<style>
{(HERE / "style.css").read_text(encoding="utf-8")}</style>
</head>
<body>
<a class="skip" href="#content">to the content</a>
<header>
<h1>{escape(info.title)}</h1>
<p class="lead">{escape(_lead(info))}</p>
<nav aria-label="sections"><ul>{links}</ul></nav>
</header>
<noscript><p>Tables and recipes are readable without scripts; curves and sorting need them.</p>
</noscript>
<main id="content">
{body}
</main>
<script type="application/json" id="report-data">{as_json(_data(info))}</script>
<script>{script}</script>
</body>
</html>
"""


def _policy(script: str) -> str:
    """What the page may do: use its own style, and run this one script."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def _lead(info: Contents) -> str:
    members = sum(len(run.reasons) for run in info.runs)
    parts = []
    if info.runs:
        runs = f"{len(info.runs)} run{'s' * (len(info.runs) != 1)}"
        parts.append(runs + (f" of {members} networks" if members > len(info.runs) else ""))
    if info.studies:
        parts.append(f"{len(info.studies)} stud{'ies' if len(info.studies) != 1 else 'y'}")
    versions: Mapping[str, str] = next((e["versions"] for e in info.environments), {})
    return ", ".join(parts) + (f"; shoal {versions['shoal']}" if versions else "")


def _data(info: Contents) -> dict[str, Any]:
    """What the script draws."""
    return {
        "names": [run.name for run in info.runs],
        "members": [len(run.reasons) for run in info.runs],
        "series": info.series,
        "health": info.health,
    }


def as_json(value: Any) -> str:
    """JSON that can stand inside a script element whatever texts are in it.

    >>> as_json(["</script>"])
    '["\\\\u003c/script\\\\u003e"]'
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
