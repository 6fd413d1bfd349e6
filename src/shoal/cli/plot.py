"""``shoal plot``: pictures, each a command of its own."""

import click

from shoal.cli import pictures
from shoal.cli.plot_activations import activations
from shoal.cli.plot_regions import approximation, folding, regions


@click.group()
def plot() -> None:
    """Draw a picture: .png, .svg or .pdf, by the ending of --out.

    \b
    shoal plot curves runs/digits --out curves.png
    shoal plot confusion runs/digits --out confusion.png
    shoal plot surface runs/plants --data plants.csv --features height,width --out surface.svg
    shoal plot activations --out activations.png
    shoal plot regions --widths 8,8 --trained
    """


for picture in (*pictures.COMMANDS, activations, regions, folding, approximation):
    plot.add_command(picture)
