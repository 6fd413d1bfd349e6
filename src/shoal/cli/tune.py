"""``shoal tune``: search the hyperparameters for a table or a built-in data set."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shoal.cli.options import data_options, read_data, read_recipe

if TYPE_CHECKING:
    from shoal.data import Data
    from shoal.recipe import Recipe
    from shoal.tune.study import Study

USUAL_TRIALS = 100
SAMPLERS = (
    "auto",
    "lipo",
    "pure-lipo",
    "adalipo",
    "bobyqa",
    "harmonica",
    "tpe",
    "gp",
    "cma-es",
    "random",
    "quasi-random",
    "grid",
    "pbt",
)
PRUNERS = ("none", "median", "halving", "hyperband", "patient")


@click.command()
@click.argument("source")
@data_options
@click.option(
    "--space",
    "space_path",
    type=click.Path(exists=True, dir_okay=False),
    help="A space as JSON, as space.to_json() writes it; --epochs, --validation, --test are then "
    "ignored.  [default: a perceptron with depth, width, activation, dropout, L2, optimiser, rate, "
    "batch size open]",
)
@click.option("--trials", type=click.IntRange(1), help="How many.  [default: 100]")
@click.option("--seconds", type=float, help="After which no new trial begins.")
@click.option(
    "--sampler",
    type=click.Choice(SAMPLERS),
    default="auto",
    show_default=True,
    help="What proposes the next trial.",
)
@click.option(
    "--pruner",
    type=click.Choice(PRUNERS),
    help="What ends trials early.  [default: median; none for pbt]",
)
@click.option(
    "--storage",
    help="Where every finished trial goes: a file, or a URL of SQLite or PostgreSQL.  "
    "[default: study.journal in the folder]",
)
@click.option(
    "--folder",
    type=click.Path(file_okay=False),
    help="For the study, the best model, pictures; a study that is there goes on.  "
    "[default: runs/NAME-tune]",
)
@click.option(
    "--seeds", type=click.IntRange(1), default=1, show_default=True, help="Members of each trial."
)
@click.option("--folds", type=click.IntRange(2), help="Cross-validate each trial with so many.")
@click.option(
    "--outer",
    type=click.IntRange(2),
    help="Repeat the search in so many outer folds: nested cross-validation.",
)
@click.option("--epochs", type=click.IntRange(1), default=50, show_default=True, help="Of a trial.")
@click.option(
    "--validation", type=float, default=0.2, show_default=True, help="Share to compare trials on."
)
@click.option(
    "--test", type=float, default=0.2, show_default=True, help="Share for one look at the end."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the sampler.")
@click.option(
    "--ray",
    "cluster",
    metavar="ADDRESS",
    help="Search on a Ray cluster: its address, auto, or local to start one here.",
)
@click.option("--quiet", is_flag=True, help="No progress.")
def tune(source: str, **options: Any) -> None:
    """Search the best hyperparameters for SOURCE: a table, or the name of a built-in data set.

    \b
    shoal tune houses.csv --target price --trials 200
    shoal tune digits --seconds 60

    The same command goes on with a study that was stopped. Ends with the best model file, pictures,
    and the command that trains the winner alone (of a population, Python that does).
    """
    keys = ("target", "task", "drop", "groups")
    given = {key: options.pop(key) for key in keys}
    data = read_data(source, *given.values())
    space = _space(data, options)
    folder = Path(options["folder"] or Path("runs") / f"{Path(source).stem}-tune")
    try:
        study = _search(space, data, folder, options)
    except KeyboardInterrupt as stop:
        raise click.exceptions.Abort(_stopped(options["sampler"])) from stop
    click.echo(repr(study))
    drawn = _draw(study, folder)
    kept = ["best.safetensors", "winner.json", "space.json", "study.json", *drawn]
    click.echo(f"kept in {folder}: {', '.join(kept)}")
    lineage = study.lineage()
    if len(lineage.epochs) > 1:
        path = str(folder / "lineage.json")
        click.echo(f"the winner was trained with\n{lineage}")
        click.echo(
            "the winner alone, as the population trained it, in Python because no recipe of "
            "shoal fit has values that change: from shoal.tune.lineage import Lineage; "
            f"run = Lineage.load({path!r}).fit(data)"
        )
        return
    click.echo(f"the winner alone: {_alone(source, given, study, folder)}")


def _stopped(sampler: str) -> str:
    """What to say when the user stops a search: whether it can go on."""
    if sampler == "pbt":
        return "stopped; a population cannot go on: the same command begins a new one"
    return "stopped; the same command goes on with the finished trials"


def _space(data: "Data", options: dict[str, Any]) -> "Recipe":
    from shoal.tune.default import default_space

    if options["space_path"]:
        return read_recipe(options["space_path"])
    shares = {key: options[key] for key in ("epochs", "validation", "test")}
    return default_space(data, **shares, fixed=options["sampler"] == "pbt")


def _search(space: "Recipe", data: "Data", folder: Path, options: dict[str, Any]) -> "Study":
    from shoal.tune.tuning import tune as search

    chosen = {
        key: options[key] for key in ("seconds", "sampler", "pruner", "storage", "seeds", "cluster")
    }
    chosen["pruner"] = options["pruner"] or ("none" if options["sampler"] == "pbt" else "median")
    trials = options["trials"]
    if trials is None and options["seconds"] is None and options["sampler"] != "grid":
        trials = USUAL_TRIALS
    return search(
        space,
        data,
        trials=trials,
        folds=options["folds"],
        outer=options["outer"],
        seed=options["seed"],
        folder=folder,
        show=not options["quiet"],
        **chosen,
    )


def _draw(study: "Study", folder: Path) -> list[str]:
    """Every picture that there is something to show in."""
    from shoal.tune.pictures import drawable

    return [study.draw(folder / f"{kind}.png", kind).name for kind in drawable(study)]


def _alone(source: str, given: dict[str, Any], study: "Study", folder: Path) -> str:
    """The command that trains the best model again, to the same losses."""
    words = ["shoal", "fit", source]
    for key, value in given.items():
        for one in value if isinstance(value, tuple) else (value,):
            words += [f"--{key}", one] if one else []
    words += ["--recipe", str(folder / "winner.json")]
    start = study.run.start_epochs[0]
    words += ["--start-epoch", str(start)] if start else []
    return shlex.join(words)
