"""``shoal plot``: pictures, each by its name."""

import click

from shoal.cli.pictures import COMMANDS


@click.group()
def plot() -> None:
    """Draw pictures: of a run, its network, its mistakes.

    \b
    shoal plot curves runs/digits --out curves.png
    shoal plot confusion runs/digits --out confusion.png
    shoal plot surface runs/plants --data plants.csv --features height,width --out surface.svg
    """


for command in COMMANDS:
    plot.add_command(command)
