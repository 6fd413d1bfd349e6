"""``shoal explain``: one step of a trained model on rows of data, number by number."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from shoal.explain.trace.trace import Trace
    from shoal.train.model import Model


@click.command()
@click.argument("model", required=False, type=click.Path(exists=True, dir_okay=False))
@click.argument("source", required=False)
@click.option("--example", is_flag=True, help="The classic 2-2-2 network, without a file.")
@click.option(
    "--row",
    "rows",
    multiple=True,
    type=click.IntRange(0),
    default=(0,),
    help="Row of SOURCE, counted from 0, the default; repeat it for a batch.",
)
@click.option("--target", help="Column of SOURCE that holds the answer.")
@click.option("--answer", multiple=True, help="The answer itself, one for each row.")
@click.option(
    "--weight",
    "names",
    multiple=True,
    help="One number by its name, with the chain rule: w5, dense1.weight[3,1], Z1[0,2].",
)
@click.option("--layer", "layers", multiple=True, help="One layer by its name, such as dense1.")
@click.option("--optimiser", help="Explain the update by this optimiser, such as sgd.")
@click.option(
    "--member",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Which network of an ensemble.",
)
@click.option("--predicting", is_flag=True, help="Run layers as in prediction, without an update.")
@click.option(
    "--numbers",
    type=click.IntRange(1),
    help="Write arrays of up to so many numbers out; by default 12, in large networks 3.",
)
@click.option("--digits", type=click.IntRange(1, 17), help="Decimals; by default 9, float32 6.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    help="File to write the whole working to: .html, .md, .json or .txt.",
)
def explain(
    model: str | None,
    source: str | None,
    example: bool,
    rows: tuple[int, ...],
    target: str | None,
    answer: tuple[str, ...],
    names: tuple[str, ...],
    layers: tuple[str, ...],
    optimiser: str | None,
    member: int,
    predicting: bool,
    numbers: int | None,
    digits: int | None,
    out: str | None,
) -> None:
    """Show every number of one training step: forward, loss, backward, update.

    MODEL is a file of shoal fit. SOURCE is a CSV or Parquet file, an .npy array, or built-in data:
    digits, digit_images, iris, wine, breast_cancer, diabetes. A table needs --target with the
    column of the answer, or --answer with the answer.

    \b
    shoal explain --example
    shoal explain --example --weight w5
    shoal explain runs/iris/model.safetensors iris --row 3 --layer dense2
    shoal explain model.safetensors houses.csv --row 3 --target price --out row3.html
    """  # fmt: skip
    if example:
        _check_alone(model, optimiser, predicting)
        from shoal.explain.trace.example import classic

        trace = classic(digits or 9)
    else:
        trace = _of_model(
            model, source, rows, target, answer, optimiser, member, predicting, digits
        )
    _show(trace, (*names, *layers), numbers, out)


def _check_alone(model: str | None, optimiser: str | None, predicting: bool) -> None:
    """The example stands for itself.

    Raises:
        click.UsageError: it was given something to work on.
    """
    if model is not None or optimiser is not None or predicting:
        raise click.UsageError("--example has its own network, data and optimiser")


def _of_model(
    model: str | None,
    source: str | None,
    rows: tuple[int, ...],
    target: str | None,
    answer: tuple[str, ...],
    optimiser: str | None,
    member: int,
    predicting: bool,
    digits: int | None,
) -> "Trace":
    """The trace of a model on rows of data.

    Raises:
        click.UsageError: no model, no data, or no answer.
        ShoalError: what cannot be read or does not fit.
    """  # fmt: skip
    if model is None or source is None:
        raise click.UsageError("say a MODEL and a SOURCE of rows, or --example")
    from shoal.explain.trace.explaining import explain as trace_of
    from shoal.train.model import Model

    trained = Model.load(model)
    x, y = _examples(trained, source, rows, target, answer)
    return trace_of(trained, x, y, optimiser=optimiser, member=member, training=not predicting,
                    digits=digits)  # fmt: skip


def _show(trace: "Trace", names: tuple[str, ...], numbers: int | None, out: str | None) -> None:
    """What was asked for to standard output, or everything to a file."""
    if out is not None:
        path = trace.save(out, numbers)
        click.echo(f"the whole working is in {path}", err=True)
    elif not names:
        click.echo(trace.text(numbers))
    if names:
        click.echo("\n\n".join(str(trace[name]) for name in names))


def _examples(
    trained: "Model",
    source: str,
    rows: tuple[int, ...],
    target: str | None,
    answer: tuple[str, ...],
) -> tuple[Any, Any]:
    """Raw inputs and answers of the rows.

    Raises:
        click.UsageError: no answer, or more than one place of it.
        DataError: a row that there is not, a table without the column.
    """
    import numpy as np

    from shoal.data.builtin import BY_NAME

    if answer and len(answer) != len(rows):
        raise click.UsageError(f"give --answer once for each of {len(rows)} rows")
    if source in BY_NAME and not Path(source).exists():
        data = BY_NAME[source]()
        chosen = _checked(rows, len(data), source)
        raw = data.targets[chosen]
        known = [data.classes[code] for code in raw] if data.classes else raw
        return data.rows(np.array(chosen)), list(answer) or known
    if Path(source).suffix == ".npy":
        from shoal.cli.predict import _inputs

        array = _inputs(source)
        if not answer:
            raise click.UsageError("an .npy array has no answers: give --answer")
        return array[_checked(rows, len(array), source)], list(answer)
    return _of_table(trained, source, rows, target, answer)


def _of_table(
    trained: "Model",
    source: str,
    rows: tuple[int, ...],
    target: str | None,
    answer: tuple[str, ...],
) -> tuple[Any, Any]:
    from shoal.data.tables import read_frame
    from shoal.errors import DataError, did_you_mean

    frame, name = read_frame(source)
    chosen = frame[_checked(rows, frame.height, name)]
    if answer:
        return chosen, list(answer)
    if target is None:
        raise click.UsageError("say which column holds the answer by --target, or give --answer")
    if target not in frame.columns:
        raise DataError(
            f"a column of {name}",
            required="a name that it has",
            got=repr(target),
            remedy=did_you_mean(target, frame.columns),
        )
    values = chosen[target].to_list()
    if any(value is None for value in values):
        raise DataError(
            f"column {target!r}",
            required="an answer in the row",
            got="none",
            remedy="give --answer",
        )
    return chosen, values


def _checked(rows: tuple[int, ...], count: int, name: str) -> list[int]:
    """Rows that there are.

    Raises:
        DataError: one is beyond the last.
    """
    from shoal.errors import DataError

    for row in rows:
        if row >= count:
            raise DataError(
                f"--row of {name}",
                required=f"a row from 0 to {count - 1}",
                got=str(row),
                remedy="count from 0",
            )
    return list(rows)
