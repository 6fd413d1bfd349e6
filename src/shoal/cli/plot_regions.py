"""``shoal plot regions``, ``folding``, ``approximation``: what networks of ReLUs do."""

from typing import TYPE_CHECKING, Any

import click

from shoal.cli.options import Numbers

if TYPE_CHECKING:
    from shoal.explain.regions.regions import Box

BENT = {"relu": "ReLU", "leaky_relu": "LeakyReLU", "prelu": "PReLU", "hard_sigmoid": "HardSigmoid"}
FUNCTIONS = ("sine", "square", "runge", "wiggle", "step")
MOONS: "Box" = ((-1.6, 2.6), (-1.2, 1.7))


class BoxType(click.ParamType["Box"]):
    """Four numbers separated by commas: low and high of the first coordinate, of the second."""

    name = "X0,X1,Y0,Y1"

    def convert(self, value: Any, param: Any, ctx: Any) -> "Box":
        """The box of a text."""
        if isinstance(value, tuple):
            return value
        try:
            x0, x1, y0, y1 = (float(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not four numbers such as -1,1,-1,1", param, ctx)
        return (x0, x1), (y0, y1)


@click.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    default="regions.png",
    show_default=True,
    help="Where to write the picture.",
)
@click.option(
    "--model",
    type=click.Path(exists=True, dir_okay=False),
    help="A saved model of two inputs; the box is then in the units of its data.",
)
@click.option(
    "--widths",
    type=Numbers(),
    default="8,8",
    show_default=True,
    help="Units of each hidden layer of a network made here.",
)
@click.option(
    "--activation",
    type=click.Choice(tuple(BENT)),
    default="relu",
    show_default=True,
    help="After each hidden layer.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the weights."
)
@click.option("--trained", is_flag=True, help="Train it on two moons; otherwise it is random.")
@click.option("--box", type=BoxType(), help="What is shown.  [default: around two moons]")
@click.option(
    "--output", type=click.IntRange(0), default=0, show_default=True, help="Which output is drawn."
)
@click.option(
    "--most",
    type=click.IntRange(1),
    default=20_000,
    show_default=True,
    help="Regions after which it is given up.",
)
def regions(
    out: str,
    model: str | None,
    widths: tuple[int, ...],
    activation: str,
    seed: int,
    trained: bool,
    box: "Box | None",
    output: int,
    most: int,
) -> None:
    """The linear regions of a network of ReLUs in a plane, exactly.

    Without --model a network is made here and trained on two moons with --trained.

    \b
    shoal plot regions --widths 8,8 --seed 0 --trained
    shoal plot regions --model model.safetensors --box 0,10,0,5
    """
    from shoal.explain.regions.moons import two_moons
    from shoal.explain.regions.regions import regions as find
    from shoal.explain.regions.regions_page import draw_regions
    from shoal.train.model import Model

    data = None
    if model is not None:
        info = find(Model.load(model), box=box or ((-1.0, 1.0), (-1.0, 1.0)), most=most)
    else:
        data = two_moons() if trained else None
        info = _made(widths, activation, seed, trained, box or MOONS, most)
        _say_bounds(widths, activation)
    click.echo(info.text)
    click.echo(str(draw_regions(info, out, output=output, data=data)))


def _made(
    widths: tuple[int, ...], activation: str, seed: int, trained: bool, box: "Box", most: int
) -> Any:
    """The regions of a network made here: of one output, random or trained on two moons."""
    import jax

    from shoal import nets
    from shoal.explain.regions.moons import two_moons
    from shoal.explain.regions.regions import regions as find
    from shoal.nets.zoo import mlp
    from shoal.optim import Adam
    from shoal.recipe import Recipe
    from shoal.train.fit import fit

    net = mlp(widths, 1, getattr(nets, BENT[activation])())
    if trained:
        recipe = Recipe(
            net, loss="binary_cross_entropy", optimiser=Adam(0.02), epochs=100, seed=seed
        )
        return find(fit(recipe, two_moons()).model, box=box, most=most)
    parameters, _ = net.init(jax.random.key(seed), (2,))
    # Biases start at 0, where all first lines would meet in one point.
    keys = iter(jax.random.split(jax.random.key(seed), len(widths) + 1))
    for layer in parameters.values():
        if "bias" in layer:
            layer["bias"] = 0.5 * jax.random.normal(next(keys), layer["bias"].shape)
    return find(net, parameters, box, most=most)


def _say_bounds(widths: tuple[int, ...], activation: str) -> None:
    """What such widths can reach, where the bounds hold: over the whole plane."""
    from shoal.explain.regions.bounds import region_bounds

    if not widths or activation == "hard_sigmoid":
        return
    bounds = region_bounds(widths, 2)
    highest = bounds.serra if activation == "relu" else bounds.raghu
    click.echo(
        f"networks of these widths have at most {highest:,} regions in the whole plane, "
        f"and some have {bounds.reached:,} or more",
        err=True,
    )


@click.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    default="folding.png",
    show_default=True,
    help="Where to write the picture.",
)
@click.option(
    "--depth",
    type=click.IntRange(1, 8),
    default=4,
    show_default=True,
    help="Hidden layers of the deepest network.",
)
@click.option(
    "--folds",
    type=click.IntRange(2, 8),
    default=2,
    show_default=True,
    help="Folds of each layer, with as many units for each input.",
)
def folding(out: str, depth: int, folds: int) -> None:
    """How layers fold a line and a plane, so that depth multiplies the pieces."""
    from shoal.explain.regions.folding import draw_folding

    click.echo(str(draw_folding(out, depth, folds)))


@click.command()
@click.argument("function", type=click.Choice(FUNCTIONS), default="sine")
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    default="approximation.png",
    show_default=True,
    help="Where to write the picture.",
)
@click.option(
    "--widths", type=Numbers(), default="2,4,8,16", show_default=True, help="Units of each layer."
)
@click.option("--depths", type=Numbers(), default="1,2", show_default=True, help="Hidden layers.")
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=4,
    show_default=True,
    help="Networks of each shape, trained side by side.",
)
@click.option(
    "--epochs", type=click.IntRange(1), default=300, show_default=True, help="Of the training."
)
def approximation(
    function: str,
    out: str,
    widths: tuple[int, ...],
    depths: tuple[int, ...],
    seeds: int,
    epochs: int,
) -> None:
    """How well trained networks of ReLUs approximate FUNCTION on [0, 1], by width and depth."""
    from shoal.explain import tables
    from shoal.explain.regions.approximation import approximation as approximate
    from shoal.explain.regions.approximation_page import approximation_table, draw_approximation

    info = approximate(function, widths=widths, depths=depths, seeds=seeds, epochs=epochs)
    click.echo(tables.text(approximation_table(info)))
    click.echo(str(draw_approximation(info, out)))
