"""``shoal predict``: predictions of a saved model for new rows."""

from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("model", type=click.Path(exists=True, dir_okay=False))
@click.argument("source", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    help="CSV or Parquet file to write; by default CSV to standard output.",
)
@click.option("--proba", is_flag=True, help="Add a column of probability for each class.")
def predict(model: str, source: str, out: str | None, proba: bool) -> None:
    """Predict for every row of SOURCE, a CSV or Parquet file, or an .npy array.

    A table needs the columns that MODEL was trained on; others are ignored.
    """  # fmt: skip
    import polars as pl

    from shoal.train.model import Model

    trained = Model.load(model)
    inputs = _inputs(source)
    columns: dict[str, Any] = {"prediction": trained.predict(inputs)}
    if columns["prediction"].ndim > 1:
        values = columns.pop("prediction")
        columns = {f"prediction{i}": values[:, i] for i in range(values.shape[1])}
    if proba:
        probabilities = trained.predict_proba(inputs)
        columns |= {str(name): probabilities[:, i] for i, name in enumerate(trained.classes)}
    _write(pl.DataFrame(columns), out)


def _inputs(source: str) -> Any:
    """The rows of a table by their path, or an array."""
    if Path(source).suffix != ".npy":
        return source
    import numpy as np

    from shoal.errors import DataError

    try:
        return np.load(source, allow_pickle=False)
    except ValueError as error:
        raise DataError(
            source, required="an array of numbers", got=str(error), remedy="save it by numpy.save"
        ) from error


def _write(frame: Any, out: str | None) -> None:
    import io

    from shoal.files import write_atomically

    if out is None:
        click.echo(frame.write_csv(), nl=False)
        return
    buffer = io.BytesIO()
    if Path(out).suffix == ".parquet":
        frame.write_parquet(buffer)
    else:
        frame.write_csv(buffer)
    write_atomically(Path(out), buffer.getvalue())
    click.echo(f"{frame.height} predictions in {out}", err=True)
