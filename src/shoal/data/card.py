"""Card: what a data set is, in a few JSON-able numbers and names, without any of its rows.

card(prepared)["rows"]      {"train": 1439, "validation": 358, "test": 0}
card(prepared)["classes"]   [{"name": "0", "train": 142, "validation": 36, "test": 0}, ...]
"""

from typing import Any

import numpy as np

from shoal.arrays import Numbers
from shoal.data.dataset import Table
from shoal.data.encoding import TableEncoder
from shoal.data.fingerprint import fingerprint
from shoal.data.preparation import Prepared

MOST_COLUMNS = 200
"""Of a wider table only the first columns are listed; ``columns_in_all`` counts them."""


def card(prepared: Prepared) -> dict[str, Any]:
    """What is known of prepared data.

    Returns:
        name, task, shape (of one example), rows (of each split), columns (name and kind),
        columns_in_all, targets (names), classes (name, and rows in each split), values (smallest,
        mean and largest of each target of a regression), notes, fingerprint.
    """
    data = prepared.data
    columns = _columns(prepared)
    return {
        "name": data.name,
        "task": data.task,
        "shape": list(data.shape),
        "rows": {name: len(rows) for name, rows in prepared.parts._asdict().items()},
        "columns": columns[:MOST_COLUMNS],
        "columns_in_all": len(columns),
        "targets": [str(name) for name in data.target_names],
        "classes": _classes(prepared),
        "values": [] if data.classes else _values(data.targets, data.target_names),
        "notes": list(prepared.notes()),
        "fingerprint": fingerprint(data),
    }


def _columns(prepared: Prepared) -> list[dict[str, Any]]:
    if not (isinstance(prepared.data.inputs, Table) and isinstance(prepared.inputs, TableEncoder)):
        return []
    return [
        {"name": code.name, "kind": code.kind, "categories": len(code.categories)}
        for code in prepared.inputs.codes
    ]


def _classes(prepared: Prepared) -> list[dict[str, Any]]:
    """The rows of each class in each split; of labels that go together, those that have it."""
    data = prepared.data
    found: list[dict[str, Any]] = [{"name": str(name)} for name in data.classes]
    for split, rows in prepared.parts._asdict().items():
        targets = data.targets[rows]
        for code, entry in enumerate(found):
            has = targets == code if targets.ndim == 1 else targets[:, code] > 0.5
            entry[split] = int(np.sum(has))
    return found


def _values(targets: Numbers, names: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {
            "name": str(name),
            "smallest": float(column.min()),
            "mean": float(column.mean()),
            "largest": float(column.max()),
        }
        for name, column in zip(names[:MOST_COLUMNS], targets.T, strict=False)
    ]
