"""``shoal diagnose``: say what is wrong with a training, from its folder or by training anew."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shoal.cli.options import data_options, read_data
from shoal.cli.training import recipe_of, training_options

if TYPE_CHECKING:
    from shoal.data import Data
    from shoal.doctor.finding import Diagnosis, Finding


@click.command()
@click.argument("source")
@data_options
@training_options
@click.option("--data", "rows", help="For a folder: its data, where it is a table.")
@click.option("--before", is_flag=True, help="Only look before training: one batch.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
@click.option("--quiet", is_flag=True, help="No progress.")
def diagnose(source: str, **options: Any) -> None:
    """Say what is wrong with the training in the folder SOURCE, or with one on the data SOURCE.

    \b
    shoal diagnose runs/houses --data houses.csv --target price
    shoal diagnose digits --rate 1
    shoal diagnose houses.csv --target price --hidden 64,64 --before

    Data is trained on as by shoal fit with the same options, in memory. Causes come upstream first;
    hints are what often does no harm. Exit code 0 whatever is found.
    """  # fmt: skip
    data_keys = {key: options.pop(key) for key in ("target", "task", "drop", "groups")}
    if Path(source).is_dir():
        found = _of_folder(source, options["rows"], data_keys)
    else:
        found = _of_data(read_data(source, **data_keys), options)
    click.echo(json.dumps(_json(found), indent=2) if options["as_json"] else _text(found))


def _of_data(data: "Data", options: dict[str, Any]) -> "Diagnosis":
    from shoal.doctor.diagnosing import diagnose, preflight

    recipe = recipe_of(data, options)
    if options["before"]:
        return preflight(recipe, data)
    return diagnose(recipe, data, show=not options["quiet"])


def _of_folder(folder: str, rows: str | None, data_keys: dict[str, Any]) -> "Diagnosis":
    """The diagnosis of a finished training; of the first run where a folder holds several."""
    from shoal.data.builtin import BY_NAME
    from shoal.doctor.diagnosing import diagnose
    from shoal.train.fit import resume
    from shoal.train.history import read_histories

    history = read_histories(folder)[0]
    name = str(history.about.get("data", {}).get("name", ""))
    source = rows or (name if name in BY_NAME else "")
    if not source:
        click.echo(
            f"without its data the level that it reached cannot be judged: "
            f"say --data {name or 'TABLE'} --target NAME",
            err=True,
        )
        return diagnose(history)
    return diagnose(resume(folder, read_data(source, **data_keys), show=False)[0])


def _text(found: "Diagnosis") -> str:
    lines = [found.reading] if found.reading else []
    for number, finding in enumerate(found, 1):
        lines += [f"{number}. {finding}", f"   may help: {', '.join(finding.remedies)}"]
    lines += ["Nothing is wrong."] if found.healthy else []
    return "\n".join([*lines, *(f"hint: {hint}" for hint in found.hints)])


def _json(found: "Diagnosis") -> dict[str, Any]:
    def told(finding: "Finding") -> dict[str, Any]:
        return vars(finding) | {"remedies": list(finding.remedies)}

    return {
        "healthy": found.healthy,
        "reading": found.reading,
        "findings": [told(finding) for finding in found],
        "hints": [told(hint) for hint in found.hints],
    }
