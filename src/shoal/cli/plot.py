"""``shoal plot``: pictures. Each kind of picture is a command in a file of its own."""

import click

from shoal.cli.plot_activations import activations
from shoal.cli.plot_regions import approximation, folding, regions


@click.group()
def plot() -> None:
    """Draw a picture: .png, .svg or .pdf, by the ending of --out.

    \b
    shoal plot activations --out activations.png
    shoal plot regions --widths 8,8 --trained
    """


for picture in (activations, regions, folding, approximation):
    plot.add_command(picture)
