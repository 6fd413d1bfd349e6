"""``shoal gradcheck``: whether the derivatives that training follows are those of the loss."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shoal.cli.options import Numbers, named, network, network_options, read_recipe

if TYPE_CHECKING:
    from shoal.recipe import Recipe
    from shoal.train.model import Model

LOSSES = (
    "cross_entropy", "binary_cross_entropy", "focal", "hinge", "mse", "mae", "half_squared_error",
    "huber", "log_cosh", "quantile", "poisson", "kl_divergence",
)  # fmt: skip


@click.command()
@click.argument("source", required=False)
@network_options
@click.option("--input", "in_shape", type=Numbers(), help="Shape of one example, such as 8,8,1.")
@click.option(
    "--outputs",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Units of the last layer.",
)
@click.option("--loss", type=click.Choice(LOSSES), help="Of a network.  [default: cross_entropy]")
@click.option("--l2", type=float, help="Penalty on the squares of the weights, of a network.")
@click.option("--l1", type=float, help="Penalty on their absolute values, of a network.")
@click.option(
    "--rows",
    type=click.IntRange(1),
    default=4,
    show_default=True,
    help="Random examples in the batch.",
)
@click.option(
    "--samples",
    type=click.IntRange(1),
    default=40,
    show_default=True,
    help="Entries compared of an array that has more.",
)
@click.option(
    "--tolerance",
    type=float,
    default=1e-5,
    show_default=True,
    help="On the relative error of each derivative.",
)
@click.option("--inputs", is_flag=True, help="Check the derivatives by the inputs too.")
@click.option(
    "--predicting",
    is_flag=True,
    help="As while predicting: no dropout, batch-norm by its running means.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Of weights, examples and samples.",
)
def gradcheck(
    source: str | None,
    hidden: tuple[int, ...],
    activation: str,
    dropout: float,
    in_shape: tuple[int, ...] | None,
    outputs: int,
    loss: str | None,
    l2: float | None,
    l1: float | None,
    rows: int,
    samples: int,
    tolerance: float,
    inputs: bool,
    predicting: bool,
    seed: int,
) -> None:
    """Compare every derivative of the loss with central differences, in float64.

    SOURCE is a recipe as JSON, a model file, or a network by name; without it, the options describe
    a perceptron. The exit code is 1 when a derivative is wrong.

    \b
    shoal gradcheck --hidden 8 --input 4 --outputs 3 --loss cross_entropy
    shoal gradcheck recipe.json --input 8,8,1
    shoal gradcheck lenet5 --input 32,32,1 --samples 5
    """
    from rich.console import Console

    from shoal.explain.gradcheck.gradcheck import gradcheck as check
    from shoal.explain.tables import WIDEST
    from shoal.recipe import Recipe

    subject: Recipe | Model | None = _read(source)
    if subject is None:
        net = named(source, outputs) if source else network(hidden, outputs, activation, dropout)
        subject = Recipe(net, loss=loss or "cross_entropy", l2=l2, l1=l1)
    elif loss or l2 is not None or l1 is not None:
        raise click.UsageError(f"{source} has its loss and penalties: leave out --loss, --l1, --l2")
    if not in_shape and isinstance(subject, Recipe):
        raise click.UsageError("say the shape of one example by --input, such as --input 64")
    info = check(
        subject, in_shape or None, rows=rows, samples=samples, tolerance=tolerance, inputs=inputs,
        training=not predicting, seed=seed,
    )  # fmt: skip
    console = Console()
    Console(width=console.width if console.is_terminal else WIDEST).print(info)
    if not info.passed:
        sys.exit(1)


def _read(source: str | None) -> "Recipe | Model | None":
    """The recipe or the model of a file; None where the source is no file."""
    if source is None or not Path(source).is_file():
        return None
    if Path(source).suffix == ".safetensors":
        from shoal.train.model import Model

        return Model.load(source)
    return read_recipe(source)
