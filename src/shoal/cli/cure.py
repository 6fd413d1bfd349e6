"""``shoal cure``: try remedies on a sick training, prove the one that helps."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shoal.cli.options import data_options, read_data, read_recipe

if TYPE_CHECKING:
    from shoal.doctor.result import Cure


@click.command()
@click.argument("source")
@data_options
@click.option(
    "--recipe",
    "recipe_path",
    type=click.Path(exists=True, dir_okay=False),
    required=True,
    help="The sick recipe as JSON: recipe.json in the folder of a training.",
)
@click.option(
    "--remedy",
    "remedies",
    multiple=True,
    help="Only try this one; may be repeated.  [default: all that apply]",
)
@click.option(
    "--seeds",
    type=click.IntRange(3),
    default=5,
    show_default=True,
    help="Of the comparison, and as many fresh ones for the proof.",
)
@click.option("--out", type=click.Path(file_okay=False), help="Folder.  [default: runs/NAME-cure]")
@click.option("--quiet", is_flag=True, help="No progress.")
def cure(source: str, **options: Any) -> None:
    """Cure the training of a recipe on SOURCE: a table, or the name of a built-in data set.

    \b
    shoal fit digits --optimiser adam --rate 1 --out runs/sick
    shoal cure digits --recipe runs/sick/recipe.json

    Remedies are trained beside the training as it is; what helps is proven with fresh seeds. Ends
    with the edit, the cured recipe, its model, a picture and a table of all verdicts.
    """
    from shoal.doctor.curing import cure as find

    keys = ("target", "task", "drop", "groups")
    data = read_data(source, *(options.pop(key) for key in keys))
    recipe = read_recipe(options["recipe_path"])
    folder = Path(options["out"] or Path("runs") / f"{Path(source).stem}-cure")
    found = find(
        recipe,
        data,
        remedies=options["remedies"] or None,
        seeds=options["seeds"],
        show=not options["quiet"],
    )
    _report(found, folder)


def _report(found: "Cure", folder: Path) -> None:
    click.echo(found.text)
    found.save(folder)
    kept = ["cure.txt", "cure.png", "recipe.json"]
    kept += ["model.safetensors"] if found.run is not None else []
    click.echo(f"kept in {folder}: {', '.join(kept)}")
