"""Contents: everything that a report shows, as plain data, before any HTML.

Tables are rows of texts and numbers; what scripts draw is JSON-able. Sections with nothing in them
are empty here and absent on the page.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from shoal.doctor.finding import Diagnosis, Finding
from shoal.doctor.result import Cure
from shoal.errors import DataError
from shoal.explain.pictures.health import has_signals, health_info
from shoal.report.series import rounded, series, thinned
from shoal.train.history import History, read_histories
from shoal.train.run import Run

Note = tuple[str, str, str]
"""A title, a text, and the lines of a recipe diff, or ""."""

Notes = Diagnosis | Cure | Sequence[Note | Diagnosis | Finding | Cure]

BUDGET = 330_000
"""Numbers of all curves."""

MOST_HEALTH, HEALTH_EPOCHS = 20, 60
MOST_DIFFERENCES = 8
CHANGE = re.compile(r"(\S+): (.*) -> (.*)", re.DOTALL)


class Table(NamedTuple):
    """Names of columns, and rows of texts, numbers or None."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


class Study(NamedTuple):
    """Trials of a search.

    Attributes:
        name: of the study; value: the column that was optimised.
        minimise: whether small values are good.
        table: of all trials; best: the best value after each of them, None before the first.
        values: of each trial, None where it has none.
        more: what the account of a study of ``tune`` says beside these; {} for plain rows.
    """

    name: str
    value: str
    minimise: bool
    table: Table
    values: tuple[float | None, ...]
    best: tuple[float | None, ...]
    more: Mapping[str, Any] = MappingProxyType({})


class Contents(NamedTuple):
    """Everything that a report shows; see the names."""

    title: str
    runs: tuple[History, ...]
    table: Table
    series: dict[str, Any]
    health: tuple[dict[str, Any], ...]
    findings: tuple[Note, ...]
    cures: tuple[Note, ...]
    studies: tuple[Study, ...]
    cards: tuple[Mapping[str, Any], ...]
    environments: tuple[Mapping[str, Any], ...]
    changes: tuple[str, ...]


def contents(
    runs: Sequence[Run | History | str | Path],
    title: str = "",
    findings: Notes = (),
    cures: Notes = (),
    studies: Sequence[Mapping[str, Any]] = (),
    budget: int = BUDGET,
) -> Contents:
    """The contents of a report; arguments and errors as for ``report``."""
    known = _histories(runs)
    if not known and not studies:
        raise DataError(
            "a report", required="a run or a study", got="none", remedy="give at least one"
        )
    return Contents(
        title=title or _title(known),
        runs=tuple(known),
        table=_table(known),
        series=series(known, budget),
        health=_health(known),
        findings=_notes(findings, "findings"),
        cures=_notes(cures, "cures"),
        studies=tuple(_study(rows) for rows in studies),
        cards=_distinct([*(run.about for run in known), *studies], "data"),
        environments=_distinct([*(run.about for run in known), *studies], "environment"),
        changes=tuple(known[0].recipe.diff(history.recipe) for history in known),
    )


def _title(runs: Sequence[History]) -> str:
    """The names of the data, at most three of them."""
    names = list(dict.fromkeys(run.data_name for run in runs))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"Training on {', '.join(names[:3])}{more}" if names else "Studies"


def _histories(runs: Sequence[Run | History | str | Path]) -> list[History]:
    found: list[History] = []
    for run in runs:
        if isinstance(run, str | Path):
            found += read_histories(run)
        else:
            found.append(History.of(run))
    return found


def _distinct(abouts: Sequence[Mapping[str, Any]], part: str) -> tuple[Mapping[str, Any], ...]:
    """What runs and studies say about a part, each once."""
    found: list[Mapping[str, Any]] = []
    for about in abouts:
        said = about.get(part)
        if said and said not in found:
            found.append(said)
    return tuple(found)


def _notes(given: Notes, what: str) -> tuple[Note, ...]:
    several = [given] if isinstance(given, Diagnosis | Cure) else given
    notes = [note for one in several for note in _written(one)]
    for note in notes:
        if not (isinstance(note, tuple | list) and len(note) == 3):
            raise DataError(
                what, required="(title, text, diff) for each", got=repr(note),
                remedy='use "" for a diff that there is not',
            )  # fmt: skip
    return tuple((str(title), str(text), str(diff)) for title, text, diff in notes)


def _written(given: Note | Diagnosis | Finding | Cure) -> list[Note]:
    if isinstance(given, Diagnosis):
        return _of_diagnosis(given)
    if isinstance(given, Finding):
        return [(given.rule, str(given), "")]
    return [_of_cure(given) if isinstance(given, Cure) else given]


def _of_diagnosis(found: Diagnosis) -> list[Note]:
    """The reading of the losses, the findings, the hints."""
    read = [("the losses", found.reading, "")] if found.reading else []
    healthy = [("nothing is wrong", "No rule fired.", "")] if found.healthy else []
    rules = [(finding.rule, str(finding), "") for finding in found.findings]
    hints = [(f"hint: {finding.rule}", str(finding), "") for finding in found.hints]
    return [*read, *healthy, *rules, *hints]


def _of_cure(found: Cure) -> Note:
    return (" + ".join(found.names) or "no cure", found.summary, found.changes)


# --- the table of runs ---------------------------------------------------------------------------


def _table(runs: Sequence[History]) -> Table:
    """One row for each run: values of the kept weights, averaged over members."""
    metrics = list(dict.fromkeys(name for run in runs for name in run.metrics))[:6]
    names = ["train_loss", "validation_loss", *(f"validation_{n}" for n in metrics)]
    names = [name for name in names if any(name in run.record for run in runs)]
    differing = _differing(runs)
    columns = ("run", "members", "epochs", "best epoch", *(n.replace("_", " ") for n in names),
               *differing, "ended")  # fmt: skip
    rows = []
    for place, run in enumerate(runs):
        values = [rounded(_kept(run, name)) for name in names]
        ended = "; ".join(sorted({reason.sentence for reason in run.reasons}))
        own = [values_of[place] for values_of in differing.values()]
        best = max(run.best_epochs, default=0) or None
        rows.append((run.name, len(run.reasons), max(run.epochs), best, *values, *own, ended))
    return Table(columns, tuple(rows))


def _kept(run: History, name: str) -> float:
    """A column at the epochs whose weights are kept, averaged over members."""
    if name not in run.record:
        return float("nan")
    rows = [(run.kept_row(k), k) for k in range(run.record.members)]
    kept = [float(run.record[name][row, k]) for row, k in rows if row >= 0]
    return float(np.mean(kept)) if kept else float("nan")


def _differing(runs: Sequence[History]) -> dict[str, list[Any]]:
    """Values of recipes that differ between runs, by their path, one for each run."""
    found: dict[str, list[str]] = {}
    for place, run in enumerate(runs):
        for line in runs[0].recipe.diff(run.recipe).split("\n"):
            change = CHANGE.fullmatch(line)
            if change and change[1] not in ("name", "seed"):
                usual = found.setdefault(change[1], [change[2]] * len(runs))
                usual[place] = change[3]
    return {path: _numbers(texts) for path, texts in list(found.items())[:MOST_DIFFERENCES]}


def _numbers(texts: list[str]) -> list[Any]:
    """Texts as numbers, None where one says so; as they are where one is anything else."""
    try:
        return [None if text == "None" else float(text) for text in texts]
    except ValueError:
        return list(texts)


# --- layers --------------------------------------------------------------------------------------


def _health(runs: Sequence[History]) -> tuple[dict[str, Any], ...]:
    """The signals of the first member of the first runs that have any."""
    found: list[dict[str, Any]] = []
    for place, run in enumerate(runs):
        if has_signals(run.record) and len(found) < MOST_HEALTH:
            info = health_info(run)
            epochs = thinned(run.epochs[0], HEALTH_EPOCHS)
            maps = [
                {
                    "signal": heat.signal,
                    "scale": heat.scale,
                    "layers": list(heat.layers),
                    "values": [
                        [rounded(float(layer[epoch - 1])) for epoch in epochs]
                        for layer in heat.values
                    ],
                }
                for heat in info.maps
            ]
            found.append({"run": place, "name": run.name, "epochs": epochs, "maps": maps})
    return tuple(found)


# --- studies -------------------------------------------------------------------------------------


def _study(given: Mapping[str, Any]) -> Study:
    """A study from plain rows.

    Raises:
        DataError: no rows, or rows without the value that was optimised.
    """
    rows = list(given.get("rows", ()))
    value = str(given.get("value", "value"))
    direction = given.get("direction", "minimize")
    if not rows or not any(value in row for row in rows) or direction not in DIRECTIONS:
        raise DataError(
            f"the study {given.get('name', '')!r}",
            required=f"rows with a column {value!r}, and direction {' or '.join(DIRECTIONS)}",
            got=f"{len(rows)} rows, {direction!r}",
            remedy='give {"name": ..., "rows": [{...}, ...], "value": ..., "direction": ...}',
        )
    columns = tuple(dict.fromkeys(str(name) for row in rows for name in row))
    table = Table(columns, tuple(tuple(row.get(name) for name in columns) for row in rows))
    values = tuple(_number(row.get(value)) for row in rows)
    better = DIRECTIONS[direction]
    best: list[float | None] = []
    for number in values:
        last = best[-1] if best else None
        both = [v for v in (last, number) if v is not None]
        best.append(better(both) if both else None)
    name = str(given.get("name", "study"))
    more = {key: given[key] for key in MORE if key in given}
    return Study(name, value, direction == "minimize", table, values, tuple(best), more)


MORE = ("result", "verdict", "facts", "importance", "axes", "values", "contour")
DIRECTIONS: dict[Any, Any] = {"minimize": min, "maximize": max}


def _number(value: Any) -> float | None:
    real = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return float(value) if real and np.isfinite(value) else None
