"""Options that describe a whole training: network, optimiser, rate, epochs, splits; or a file.

JAX is imported by the functions that need it, not by this module.
"""

from typing import TYPE_CHECKING, Any

import click

from shoal.cli.options import OPTIMISERS, SCHEDULES, F, network, network_options, read_recipe

if TYPE_CHECKING:
    from shoal.data import Data
    from shoal.recipe import Recipe


OPTIONS = (
    click.option(
        "--recipe",
        "recipe_path",
        type=click.Path(exists=True, dir_okay=False),
        help="A recipe as JSON; the options below are then ignored.",
    ),
    network_options,
    click.option("--optimiser", type=click.Choice(OPTIMISERS), default="adam", show_default=True),
    click.option("--rate", type=float, help="Learning rate; by default the optimiser's usual one."),
    click.option(
        "--schedule",
        type=click.Choice(SCHEDULES),
        default="constant",
        show_default=True,
        help="Of the learning rate.",
    ),
    click.option("--batch-size", help='Examples in a batch, or "full".  [default: 32]'),
    click.option("--epochs", type=int, default=50, show_default=True, help="Limit on the epochs."),
    click.option(
        "--patience",
        type=int,
        default=10,
        show_default=True,
        help="Epochs without a better validation loss before stopping; -1 for no limit.",
    ),
    click.option("--l2", type=float, help="Penalty on the squares of the weights."),
    click.option("--l1", type=float, help="Penalty on their absolute values."),
    click.option(
        "--validation",
        type=float,
        default=0.2,
        show_default=True,
        help="Share of the rows to validate on.",
    ),
    click.option(
        "--test",
        type=float,
        default=0.0,
        show_default=True,
        help="Share of the rows kept for one look at the end.",
    ),
    click.option(
        "--scaling",
        default="standard",
        show_default=True,
        help="Of the inputs: standard, minmax, symmetric, robust or none.",
    ),
    click.option("--seed", type=int, default=0, show_default=True, help="Of weights and dropout."),
)


def training_options(function: F) -> F:
    """Options of one training; ``recipe_of`` makes the recipe."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


def recipe_of(data: "Data", options: dict[str, Any]) -> "Recipe":
    """The recipe that the options describe.

    Raises:
        click.UsageError: a batch size that is none.
        ShoalError: values that are not allowed, or a file that is no recipe.
    """
    from shoal.data import Preparation, Split
    from shoal.optim.optimisers import BY_NAME
    from shoal.recipe import EarlyStopping, Recipe

    if options["recipe_path"]:
        return read_recipe(options["recipe_path"])
    optimiser = BY_NAME[options["optimiser"]]
    if options["rate"] is not None:
        optimiser = optimiser.replace(learning_rate=options["rate"])
    patience, validation = options["patience"], options["validation"]
    split = Split(validation=validation, test=options["test"])
    return Recipe(
        network(options["hidden"], data.width, options["activation"], options["dropout"]),
        loss="cross_entropy" if data.classes else "mean_squared_error",
        optimiser=optimiser,
        schedule=options["schedule"],
        batch_size=_batch_size(options["batch_size"]),
        epochs=options["epochs"],
        l2=options["l2"],
        l1=options["l1"],
        early_stopping=EarlyStopping(patience) if patience >= 0 and validation > 0 else None,
        preparation=Preparation(inputs=options["scaling"], split=split),
        seed=options["seed"],
        name=data.name,
    )


def _batch_size(text: str | None) -> int | str | None:
    if text is None or text == "full":
        return text
    if not text.isdigit():
        raise click.UsageError(f'--batch-size takes a whole number or "full", got {text!r}')
    return int(text)
