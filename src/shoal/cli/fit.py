"""``shoal fit``: train a network on a table or a built-in data set."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shoal.cli.options import data_options, read_data
from shoal.cli.training import recipe_of, training_options

if TYPE_CHECKING:
    from shoal.data import Data
    from shoal.recipe import Recipe
    from shoal.train.run import Run


@click.command()
@click.argument("source")
@data_options
@training_options
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Train so many networks that differ in their seed, and average them.",
)
@click.option(
    "--start-epoch",
    type=click.IntRange(0),
    default=0,
    help="Global epoch to begin at, to repeat a trial of a search.",
)
@click.option(
    "--signals",
    type=click.Choice(("none", "basic", "full")),
    default="basic",
    show_default=True,
    help="Of the layers, recorded while they train: shoal plot health shows them.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False),
    help="Folder for model, record, picture, checkpoints.  [default: runs/NAME, or the next free "
    "NAME-2, NAME-3, ...]",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with the training in the folder, by default the newest of this NAME.",
)
@click.option(
    "--check/--no-check",
    default=True,
    show_default=True,
    help="Look for what is wrong before the training: one batch.",
)
@click.option("--quiet", is_flag=True, help="No progress.")
def fit(source: str, **options: Any) -> None:
    """Train a network on SOURCE: a CSV or Parquet file, or the name of a built-in data set.

    \b
    shoal fit houses.csv --target price
    shoal fit digits --hidden 128,64 --dropout 0.2 --seeds 8

    The folder then holds model.safetensors (for shoal predict), record.parquet, curves.png,
    recipe.json and checkpoints. Built-in data: digits, digit_images, iris, wine, breast_cancer,
    diabetes.
    """  # fmt: skip
    keys = ("target", "task", "drop", "groups")
    data = read_data(source, *(options.pop(key) for key in keys))
    folder = Path(options["out"]) if options["out"] else _folder(source, options["resume"])
    run = _train(data, folder, options)
    _report(run, folder, source)


def _folder(source: str, resume: bool) -> Path:
    """``runs/NAME``, or with a number behind it: the first free one, to resume the newest."""
    free, newest = Path("runs") / Path(source).stem, None
    number = 1
    while free.exists():
        number, newest = number + 1, free
        free = free.with_name(f"{Path(source).stem}-{number}")
    return newest or free if resume else free


def _train(data: "Data", folder: Path, options: dict[str, Any]) -> "Run":
    from shoal.train.fit import fit as train
    from shoal.train.fit import resume

    show = not options["quiet"]
    if options["resume"]:
        return resume(folder, data, show=show)[0]
    recipe = recipe_of(data, options)
    if options["check"]:
        _check(recipe, data)
    chosen = {key: options[key] for key in ("seeds", "signals", "start_epoch")}
    return train(recipe, data, folder=folder, show=show, **chosen)


def _check(recipe: "Recipe", data: "Data") -> None:
    """Say before the training what looks wrong; the training then begins all the same."""
    from shoal.doctor.diagnosing import preflight

    found = preflight(recipe, data)
    for finding in found:
        click.echo(f"check: {finding}", err=True)
    for hint in found.hints:
        click.echo(f"hint: {hint}", err=True)


def _report(run: "Run", folder: Path, source: str) -> None:
    from shoal.explain.pictures.curves import draw_curves

    click.echo(repr(run))
    if run.first_bad is not None:
        click.echo(f"not finite: {run.first_bad.sentence}")
    draw_curves(run, folder / "curves.png")
    if len(run.prepared.parts.validation):
        click.echo(f"validation: {_numbers(run.validate())}")
    if len(run.prepared.parts.test):
        click.echo(f"test: {_numbers(run.test())}")
    cost = run.signals_cost(min(0.5, 0.05 * run.seconds))
    if cost is not None:
        click.echo(f"reading the signals takes {cost:.2%} of the training")
    click.echo(f"kept in {folder}: model.safetensors, record.parquet, curves.png, recipe.json")
    if Path(source).exists():
        click.echo(f"predict with: shoal predict {folder / 'model.safetensors'} NEW.csv")


def _numbers(found: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in found.items())
