"""``shoal summary``: the table of a network, before anything runs."""

from pathlib import Path

import click

from shoal.cli.options import Numbers, named, network, network_options


@click.command()
@click.argument("source", required=False)
@network_options
@click.option(
    "--input",
    "in_shape",
    type=Numbers(),
    help="Shape of one example, such as 64 or 28,28,1 (channels last).",
)
@click.option(
    "--outputs",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Units of the last layer.",
)
@click.option("--strict", is_flag=True, help="Refuse windows that leave columns over.")
def summary(
    source: str | None,
    hidden: tuple[int, ...],
    activation: str,
    dropout: float,
    in_shape: tuple[int, ...] | None,
    outputs: int,
    strict: bool,
) -> None:
    """Show shapes, parameters, multiply-adds, bytes and receptive field of each layer.

    SOURCE is a model file, a recipe as JSON (with --input), or a network by name: lenet5, alexnet,
    vgg11, vgg16, resnet18, resnet34, resnet50, logistic_regression; without it, the options
    describe a perceptron.

    \b
    shoal summary runs/digits/model.safetensors
    shoal summary recipe.json --input 28,28,1
    shoal summary resnet18 --input 224,224,3 --outputs 1000
    shoal summary --hidden 128,64 --input 64 --outputs 10
    """  # fmt: skip
    if source is not None and Path(source).suffix == ".safetensors":
        from shoal.train.model import Model

        model = Model.load(source)
        click.echo(str(model.recipe.net.summary(model.inputs.out_shape, strict)))
        return
    if not in_shape:
        raise click.UsageError("say the shape of one example by --input, such as --input 64")
    net = named(source, outputs) if source else network(hidden, outputs, activation, dropout)
    click.echo(str(net.summary(in_shape, strict)))
