"""Record: what people read about a training, column by column.

A record holds one array (E, K) for each quantity: epochs by members, NaN where a member did not
train. Its names: ``train_loss``, ``validation_loss``, the same with each metric, ``penalty`` (with
L2), ``learning_rate`` (of the last step of the epoch), ``gradient_norm`` (mean over the steps).
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from shoal.arrays import Numbers
from shoal.errors import DataError, FileError, did_you_mean

if TYPE_CHECKING:
    import polars as pl


class Record(Mapping[str, Numbers]):
    """Columns by name, each (E, K). ``record["train_loss"][:, 0]`` is one member's loss curve."""

    def __init__(self, columns: Mapping[str, Numbers]) -> None:
        self.columns = dict(columns)

    @staticmethod
    def of(histories: Sequence[Mapping[str, Numbers]]) -> "Record":
        """The record of K members from their own columns, (E_k,) each, padded with NaN."""
        epochs = max((len(next(iter(h.values()))) for h in histories if h), default=0)
        names = next((list(h) for h in histories if h), [])
        columns = {name: np.full((epochs, len(histories)), np.nan) for name in names}
        for k, history in enumerate(histories):
            for name, values in history.items():
                columns[name][: len(values), k] = values
        return Record(columns)

    def __getitem__(self, name: str) -> Numbers:
        if name not in self.columns:
            raise DataError(
                "a record",
                required="a column that it has",
                got=repr(name),
                remedy=did_you_mean(name, self.columns),
            )
        return self.columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def epochs(self) -> int:
        """E, the epochs of the member that trained longest."""
        return len(next(iter(self.columns.values()), np.empty((0, 0))))

    @property
    def members(self) -> int:
        """K."""
        return next(iter(self.columns.values()), np.empty((0, 0))).shape[1]

    def frame(self) -> "pl.DataFrame":
        """The record as a polars frame: one row for each member and epoch that it trained."""
        import polars as pl

        epochs, members = self.epochs, self.members
        table = {
            "member": np.repeat(np.arange(members), epochs),
            "epoch": np.tile(np.arange(1, epochs + 1), members),
        }
        table |= {name: values.T.reshape(-1) for name, values in self.columns.items()}
        frame = pl.DataFrame(table)
        return frame.filter(pl.col("learning_rate").is_not_nan()) if epochs else frame

    def save(self, path: str | Path) -> None:
        """Write the frame as a Parquet file.

        Raises:
            FileError: the file cannot be written.
        """
        import io

        from shoal.files import write_atomically

        buffer = io.BytesIO()
        self.frame().write_parquet(buffer)
        write_atomically(Path(path), buffer.getvalue())

    @staticmethod
    def load(path: str | Path) -> "Record":
        """The record that ``save`` wrote.

        Raises:
            FileError: the file cannot be read.
        """
        import polars as pl

        try:
            frame = pl.read_parquet(path)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise FileError(
                f"reading {path}",
                required="a record that shoal saved",
                got=str(error).split("\n", 1)[0],
                remedy="check the path",
            ) from error
        names = [name for name in frame.columns if name not in ("member", "epoch")]
        parts = frame.sort("epoch").partition_by("member", as_dict=True)
        members = range(max((k for (k,) in parts), default=-1) + 1)
        rows = [parts.get((k,), frame.clear()) for k in members]
        return Record.of([{name: part[name].to_numpy() for name in names} for part in rows])

    def __repr__(self) -> str:
        return f"Record({self.epochs} epochs, {self.members} members: {', '.join(self.columns)})"
