"""``shoal advise``: what fits a recipe and its data, though nothing need be wrong."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shoal.cli.options import (
    OPTIMISERS,
    data_options,
    network,
    network_options,
    read_data,
    read_recipe,
)

if TYPE_CHECKING:
    from shoal.data import Data
    from shoal.recipe import Recipe

WHAT = ("rate", "batch_size", "activation", "init", "shape", "all")


@click.command()
@click.argument("source")
@click.option(
    "--what",
    type=click.Choice(WHAT),
    default="rate",
    show_default=True,
    help="The learning rate, the batch size, the hidden activations, the initial weights, depth "
    "and width; or all, one after another.",
)
@data_options
@click.option(
    "--recipe",
    "recipe_path",
    type=click.Path(exists=True, dir_okay=False),
    help="A recipe as JSON; the options of network and training below are then ignored.",
)
@network_options
@click.option("--optimiser", type=click.Choice(OPTIMISERS), default="adam", show_default=True)
@click.option("--rate", type=float, help="Learning rate to compare with.  [default: the usual]")
@click.option("--batch-size", type=click.IntRange(1), help="Examples in a batch.  [default: 32]")
@click.option(
    "--validation", type=float, default=0.2, show_default=True, help="Share of rows to judge on."
)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    help="Trainings of everything tried.  [default: 3 of rates and batch sizes, else 5]",
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    help="Of each training.  [default: as many as make 600 steps for rates, else 2000]",
)
@click.option("--all", "every", is_flag=True, help="Search finer and wider: all activations, ...")
@click.option(
    "--out",
    type=click.Path(),
    help="Picture to write: .png, .svg or .pdf; for all, a folder.",
)
@click.option(
    "--save",
    type=click.Path(dir_okay=False),
    help="File for the advised recipe, for shoal fit --recipe.",
)
@click.option("--quiet", is_flag=True, help="No progress.")
def advise(source: str, **options: Any) -> None:
    """Measure what would train better on SOURCE: a table, or the name of a built-in data set.

    \b
    shoal advise digits
    shoal advise houses.csv --target price --what batch_size --out batch.png
    shoal advise digits --what all --save advised.json

    Every number comes from real short trainings with several seeds, side by side. Nothing is kept.
    """
    from shoal.doctor.advise.advising import advise as measure

    if options["out"] and options["what"] != "all":
        from shoal.drawing import check_picture

        check_picture(options["out"])
    data = read_data(source, *(options.pop(key) for key in ("target", "task", "drop", "groups")))
    chosen = {key: options[key] for key in ("what", "seeds", "epochs", "every")}
    found = measure(_recipe(data, options), data, show=not options["quiet"], **chosen)
    click.echo(str(found))
    if options["out"]:
        drawn = found.draw(options["out"])
        for path in drawn if isinstance(drawn, list) else [drawn]:
            click.echo(f"drawn: {path}")
    if options["save"]:
        _save(found.recipe, options["save"])


def _save(recipe: "Recipe", path: str) -> None:
    from shoal.files import write_atomically

    write_atomically(Path(path), recipe.to_json().encode())
    click.echo(f"the advised recipe: {path}, for shoal fit --recipe {path}")


def _recipe(data: "Data", options: dict[str, Any]) -> "Recipe":
    from shoal.data import Preparation, Split
    from shoal.optim.optimisers import BY_NAME
    from shoal.recipe import Recipe

    if options["recipe_path"]:
        return read_recipe(options["recipe_path"])
    optimiser = BY_NAME[options["optimiser"]]
    if options["rate"] is not None:
        optimiser = optimiser.replace(learning_rate=options["rate"])
    return Recipe(
        network(options["hidden"], data.width, options["activation"], options["dropout"]),
        loss="cross_entropy" if data.classes else "mean_squared_error",
        optimiser=optimiser,
        batch_size=options["batch_size"],
        preparation=Preparation(split=Split(validation=options["validation"])),
        name=data.name,
    )
