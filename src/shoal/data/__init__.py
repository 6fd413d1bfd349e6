"""What a network learns from: arrays, tables, built-in sets; splits, scaling, encoding."""

from collections.abc import Sequence
from typing import Any

from shoal.data.builtin import breast_cancer as breast_cancer
from shoal.data.builtin import diabetes as diabetes
from shoal.data.builtin import digit_images as digit_images
from shoal.data.builtin import digits as digits
from shoal.data.builtin import iris as iris
from shoal.data.builtin import wine as wine
from shoal.data.dataset import Data as Data
from shoal.data.dataset import Table as Table
from shoal.data.fromarrays import arrays as arrays
from shoal.data.fromarrays import reconstruction as reconstruction
from shoal.data.preparation import Preparation as Preparation
from shoal.data.splits import Split as Split


def table(source: Any, target: str | Sequence[str], **options: Any) -> Data:
    """Data from a CSV or Parquet file or a frame; see ``shoal.data.tables.table``."""
    from shoal.data import tables  # reading tables needs polars, which takes its time to load

    return tables.table(source, target, **options)
