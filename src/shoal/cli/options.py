"""Options that several commands share, and what they mean: a network, a recipe, data.

JAX is imported by the functions that need it, not by this module.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from shoal.data import Data
    from shoal.nets import Net
    from shoal.nets.activation import Activation
    from shoal.recipe import Recipe

F = TypeVar("F", bound=Callable[..., Any])

ACTIVATIONS = {
    "relu": "ReLU", "leaky_relu": "LeakyReLU", "prelu": "PReLU", "rrelu": "RReLU", "elu": "ELU",
    "selu": "SELU", "celu": "CELU", "gelu": "GELU", "silu": "SiLU", "swish": "Swish",
    "mish": "Mish", "hard_swish": "HardSwish", "softplus": "Softplus", "tanh": "Tanh",
    "softsign": "Softsign", "sigmoid": "Sigmoid", "hard_sigmoid": "HardSigmoid",
    "identity": "Identity",
}  # fmt: skip
OPTIMISERS = (
    "adam", "adamw", "sgd", "momentum", "nesterov", "rmsprop", "adagrad", "adadelta",
    "gradient_descent", "ema_momentum", "nadam", "adamax", "lion", "lamb", "rprop", "muon", "lbfgs",
)  # fmt: skip
SCHEDULES = ("constant", "step", "exponential", "inverse_time", "cosine", "warm_up", "one_cycle",
             "plateau")  # fmt: skip


class Numbers(click.ParamType[tuple[int, ...]]):
    """Whole numbers separated by commas: ``64,32``; empty for none."""

    name = "N,N,..."

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, ...]:
        """The numbers of a text."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(int(part) for part in value.split(",") if part.strip())
        except ValueError:
            self.fail(f"{value!r} is not a list of whole numbers such as 64,32", param, ctx)


def network_options(function: F) -> F:
    """Options that describe a multi-layer perceptron."""
    for option in reversed(
        (
            click.option("--hidden", type=Numbers(), default="64", show_default=True,
                         help="Units of each hidden layer."),
            click.option("--activation", type=click.Choice(tuple(ACTIVATIONS)), default="relu",
                         show_default=True, help="After each hidden layer."),
            click.option("--dropout", type=float, default=0.0, show_default=True,
                         help="Share dropped after each hidden layer, in [0, 1)."),
        )
    ):  # fmt: skip
        function = option(function)
    return function


def data_options(function: F) -> F:
    """Options that say what to read from a table."""
    for option in reversed(
        (
            click.option("--target", multiple=True,
                         help="Column to predict; repeat it for several numbers."),
            click.option("--task", type=click.Choice(["classification", "regression"]),
                         help="By default inferred from the target, and said."),
            click.option("--drop", multiple=True, help="Column to leave out; may be repeated."),
            click.option("--groups", help="Column whose equal values stay in one split."),
        )
    ):  # fmt: skip
        function = option(function)
    return function


def read_data(
    source: str,
    target: tuple[str, ...],
    task: str | None,
    drop: tuple[str, ...],
    groups: str | None,
) -> "Data":
    """Data from the name of a built-in set or the path of a table.

    Raises:
        click.UsageError: a table without a target, a built-in set with one, an unknown name.
        ShoalError: data that cannot be read or used.
    """
    from shoal import data
    from shoal.data.builtin import BY_NAME
    from shoal.errors import did_you_mean

    there = Path(source).exists()
    if source in BY_NAME and not there:
        _check_bare(source, target=target, task=task, drop=drop, groups=groups)
        return BY_NAME[source]()
    if not there and not Path(source).suffix:
        raise click.UsageError(
            f"there is no file {source}, and no built-in data of that name: "
            f"{did_you_mean(source, BY_NAME)}"
        )
    if not target:
        raise click.UsageError(
            f"{source} is a table: say which column to predict by --target NAME "
            f"(built-in data: {', '.join(BY_NAME)})"
        )
    wanted = target[0] if len(target) == 1 else list(target)
    return data.table(source, wanted, task=task, drop=drop, groups=groups)


def _check_bare(source: str, **given: Any) -> None:
    """Whether no options of tables come with a built-in set.

    Raises:
        click.UsageError: some do.
    """
    wrong = [f"--{key}" for key, value in given.items() if value]
    if wrong:
        raise click.UsageError(
            f"{source} is built-in data, which has its inputs and its target: "
            f"leave out {', '.join(wrong)}"
        )


def activation(name: str) -> "Activation":
    """An activation by the name that the command line takes."""
    from shoal import nets

    made: Activation = getattr(nets, ACTIVATIONS[name])()
    return made


def network(hidden: tuple[int, ...], outputs: int, name: str, dropout: float) -> "Net":
    """The perceptron that the options describe."""
    from shoal.nets.zoo import mlp

    return mlp(hidden, outputs, activation(name), dropout)


def named(source: str, outputs: int) -> "Net":
    """The network of a recipe file, or one by name with so many outputs.

    Raises:
        click.UsageError: neither a file nor a name.
        ShoalError: the file is no recipe.
    """
    from shoal.nets.zoo import BY_NAME

    if Path(source).is_file():
        return read_recipe(source).net
    if source not in BY_NAME:
        raise click.UsageError(f"{source} is no file, and no network: {', '.join(BY_NAME)}")
    return BY_NAME[source](outputs)


def read_recipe(path: str) -> "Recipe":
    """The recipe of a JSON file.

    Raises:
        ShoalError: it cannot be read, or is no recipe.
    """
    from shoal.files import read
    from shoal.recipe import Recipe

    return Recipe.from_json(read(Path(path)).decode(errors="replace"))
