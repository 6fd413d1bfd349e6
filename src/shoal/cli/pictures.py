"""``shoal plot curves``, ``health``, ``weights``, ...: pictures of a run that lies in a folder.

RUN is a folder that ``shoal fit`` wrote, or a model file. Pictures that need rows take ``--data``,
as ``shoal fit`` took them; of a run on built-in data they are known.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from shoal.cli.options import Numbers, data_options, read_data

if TYPE_CHECKING:
    from shoal.data import Data
    from shoal.train.model import Model

F = TypeVar("F", bound=Callable[..., Any])

RUN = click.argument("run", type=click.Path(exists=True))
OUT = click.option("--out", type=click.Path(dir_okay=False), required=True,
                   help="Picture to write: .png, .svg or .pdf.")  # fmt: skip
LANG = click.option("--lang", "language", type=click.Choice(["en", "zh"]), default="en",
                    show_default=True, help="Of titles and labels.")  # fmt: skip
MEMBER = click.option("--member", type=click.IntRange(0), default=0, show_default=True,
                      help="Of an ensemble, counted from 0.")  # fmt: skip
IMAGE = click.option("--image", type=Numbers(), help="Height and width of flat inputs: 8,8.")
SPLIT = click.option("--split", type=click.Choice(["validation", "train", "test", "all"]),
                     help="Which rows.  [default: validation; all of new data]")  # fmt: skip
DATA = click.option("--data", "source", help="Table or built-in data, as given to shoal fit.")


def with_rows(function: F) -> F:
    """Options of pictures that show rows."""
    for option in (SPLIT, data_options, DATA):
        function = option(function)
    return function


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False))
@OUT
@LANG
@click.option("--title", default="", help="By default the name of the data.")
def curves(runs: tuple[str, ...], out: str, language: str, title: str) -> None:
    """Loss, metric and learning rate over the epochs, of one RUN or several."""
    from shoal.explain.pictures.curves import draw_curves
    from shoal.train.history import read_histories

    histories = [history for run in runs for history in read_histories(run)]
    _done(draw_curves(histories, out, title, language=language))


@click.command()
@RUN
@OUT
@MEMBER
@LANG
def health(run: str, out: str, member: int, language: str) -> None:
    """Signals of each layer over the epochs, of a RUN that was trained with signals."""
    from shoal.explain.pictures.health import draw_health
    from shoal.train.history import read_histories

    _done(draw_health(read_histories(run)[0], out, member=member, language=language))


@click.command()
@RUN
@OUT
@MEMBER
@IMAGE
@LANG
def weights(run: str, out: str, **options: Any) -> None:
    """Weights of each layer: as images, kernels or matrices."""
    from shoal.explain.pictures.weights import draw_weights

    _done(draw_weights(_model(run), out, **options))


@click.command()
@RUN
@OUT
@click.option(
    "--example",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Its place in the split, counted from 0.",
)
@MEMBER
@IMAGE
@with_rows
@LANG
def features(run: str, out: str, **options: Any) -> None:  # fmt: skip
    """What each layer makes of one example."""
    from shoal.explain.pictures.features import draw_features

    _done(draw_features(_model(run), out, **_rows(run, options)))


@click.command()
@RUN
@OUT
@with_rows
@LANG
def confusion(run: str, out: str, **options: Any) -> None:
    """Which classes are taken for which."""
    from shoal.explain.pictures.confusion import draw_confusion

    _done(draw_confusion(_model(run), out, **_rows(run, options)))


@click.command()
@RUN
@OUT
@with_rows
@LANG
def predictions(run: str, out: str, **options: Any) -> None:
    """Predicted against true values of a regression, and the residuals."""
    from shoal.explain.pictures.predictions import draw_predictions

    _done(draw_predictions(_model(run), out, **_rows(run, options)))


@click.command()
@RUN
@OUT
@click.option(
    "--count", type=click.IntRange(1), default=12, show_default=True, help="How many examples."
)
@IMAGE
@with_rows
@LANG
def worst(run: str, out: str, **options: Any) -> None:  # fmt: skip
    """The examples with the largest losses."""
    from shoal.explain.pictures.worst import draw_worst

    _done(draw_worst(_model(run), out, **_rows(run, options)))


@click.command()
@click.argument("source")
@OUT
@click.option("--input", "in_shape", type=Numbers(), help="Shape of one example: 28,28,1.")
@click.option(
    "--outputs",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Units of the last layer of a network by name.",
)
@MEMBER
@LANG
def network(source: str, out: str, in_shape: tuple[int, ...] | None, outputs: int, member: int,
            language: str) -> None:  # fmt: skip
    """Layers with shapes and parameters; of a small trained perceptron, units and weights.

    SOURCE is a folder of shoal fit, a model file, or, with --input, a recipe as JSON or a network
    by name (lenet5, resnet18, ...).
    """  # fmt: skip
    from shoal.cli.options import named
    from shoal.explain.pictures.network import draw_network

    path = Path(source)
    if path.is_dir() or path.suffix == ".safetensors":
        drawn = draw_network(_model(source), None, out, member=member, language=language)
    elif not in_shape:
        raise click.UsageError("say the shape of one example by --input, such as --input 28,28,1")
    else:
        drawn = draw_network(named(source, outputs), in_shape, out, language=language)
    _done(drawn)


@click.command()
@RUN
@OUT
@click.option("--features", help="Two names or places, separated by a comma: age,income or 0,2.")
@click.option(
    "--resolution",
    type=click.IntRange(10, 1000),
    default=150,
    show_default=True,
    help="Points along each axis.",
)
@with_rows
@LANG
def surface(run: str, out: str, features: str | None, **options: Any) -> None:  # fmt: skip
    """What a model says over the plane of two features."""
    from shoal.explain.pictures.surface import draw_surface

    chosen: Any = None
    if features is not None:
        parts = [part.strip() for part in features.split(",")]
        chosen = tuple(int(part) if part.isdigit() else part for part in parts)
    _done(draw_surface(_model(run), out, chosen, **_rows(run, options)))


COMMANDS = [curves, health, weights, features, confusion, predictions, worst, network, surface]


def _done(path: Path) -> None:
    click.echo(str(path))


def _model(run: str) -> "Model":
    """The model of a folder or file."""
    from shoal.train.model import Model

    path = Path(run)
    return Model.load(path / "model.safetensors" if path.is_dir() else path)


def _rows(run: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options of a drawing function: data and split in place of what names them."""
    from shoal.data.fingerprint import fingerprint
    from shoal.train import about

    keys = ("target", "task", "drop", "groups")
    wanted, source = [options.pop(key) for key in keys], options.pop("source")
    folder = Path(run) if Path(run).is_dir() else Path(run).parent
    known = about.load(folder).get("data", {})
    data = _data(source, known, wanted)
    split = options.pop("split")
    if known and fingerprint(data) != known["fingerprint"]:
        click.echo("these are not the rows of the training: showing all of them", err=True)
        split = "all"
    if split == "test":
        click.echo("a look at the test split: it should decide nothing", err=True)
    return options | {"data": data, "split": split or "validation"}


def _data(source: str | None, known: dict[str, Any], wanted: list[Any]) -> "Data":
    from shoal.data.builtin import BY_NAME

    name = source or known.get("name", "")
    if source is None and name not in BY_NAME:
        raise click.UsageError(
            "say by --data which rows to show, with --target and what else shoal fit was given"
        )
    if source is not None and not wanted[0] and known.get("targets") and source not in BY_NAME:
        wanted[0] = tuple(known["targets"])
    return read_data(name, *wanted)
