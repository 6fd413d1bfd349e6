"""``shoal plot activations``: the atlas of activations."""

import json
from pathlib import Path

import click


@click.command()
@click.argument("names", nargs=-1)
@click.option(
    "--out",
    type=click.Path(),
    help="The picture, or with --each a folder.  [default: activations.png]",
)
@click.option("--each", is_flag=True, help="A picture for each activation, in the folder --out.")
@click.option("--table", is_flag=True, help="Print the facts as a table; draw only with --out.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print facts, points, values and derivatives; draw only with --out.",
)
@click.option(
    "--measure/--no-measure",
    default=True,
    show_default=True,
    help="Measure what each costs here, relative to ReLU.",
)
def activations(
    names: tuple[str, ...], out: str | None, each: bool, table: bool, as_json: bool, measure: bool
) -> None:
    """Activations, their derivatives and their facts on one page: all, or those of NAMES.

    \b
    shoal plot activations
    shoal plot activations LeakyReLU PReLU RReLU --out leaky.png
    shoal plot activations gelu mish --table
    """
    from shoal.explain import tables
    from shoal.explain.atlas import atlas
    from shoal.explain.atlas.atlas_page import draw_infos

    infos = atlas.activation_infos(names or None, measure=measure)
    if as_json:
        click.echo(json.dumps(atlas.to_json(infos), allow_nan=False))
    if table:
        click.echo(tables.text(atlas.facts_table(infos)))
    if out is None and (table or as_json):
        return
    if each:
        for info in infos:
            path = draw_infos([info], Path(out or "activations") / f"{info.name}.png")
            click.echo(f"{path}", err=table or as_json)
        return
    click.echo(f"{draw_infos(infos, out or 'activations.png')}", err=table or as_json)
