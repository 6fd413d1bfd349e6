"""``shoal plot``: pictures. Each kind of picture is a command in a file of its own."""

import click

from shoal.cli.plot_activations import activations


@click.group()
def plot() -> None:
    """Draw a picture: .png, .svg or .pdf, by the ending of --out.

    \b
    shoal plot activations --out activations.png
    """


for picture in (activations,):
    plot.add_command(picture)
