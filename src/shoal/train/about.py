"""About: what a folder says of its training beside weights, record and checkpoints.

``about.json`` is written at the end: the card of the data, versions, devices, seconds. With it a
folder can be reported on without the data.
"""

import json
import platform
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import jax

from shoal.data.card import card
from shoal.data.preparation import Prepared
from shoal.files import read, write_atomically
from shoal.train.run import Run
from shoal.train.versions import versions

FILE = "about.json"
FORMAT = 1

_CARDS: WeakKeyDictionary[Prepared, dict[str, Any]] = WeakKeyDictionary()


def about(run: Run) -> dict[str, Any]:
    """What there is to say of a run: data, metrics, seconds, environment."""
    return {
        "format": FORMAT,
        "data": _card(run.prepared),
        "metrics": [metric.name for metric in run.metrics],
        "seconds": round(run.seconds, 3),
        "first_bad": None if run.first_bad is None else run.first_bad._asdict(),
        "environment": environment(),
    }


def _card(prepared: Prepared) -> dict[str, Any]:
    """The card of data; once for all runs that share it, because it reads all of it."""
    if prepared not in _CARDS:
        _CARDS[prepared] = card(prepared)
    return _CARDS[prepared]


def environment() -> dict[str, Any]:
    """Versions, devices and platform of this process."""
    kinds = [device.device_kind for device in jax.devices()]
    return {
        "versions": dict(versions()),
        "devices": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
        "platform": platform.platform(),
    }


def save(folder: Path, run: Run) -> None:
    """Write what there is to say into a folder.

    Raises:
        FileError: it cannot be written.
    """
    text = json.dumps(about(run), indent=1, allow_nan=False)
    write_atomically(folder / FILE, text.encode())


def load(folder: Path) -> dict[str, Any]:
    """What ``save`` wrote; {} where there is nothing, or nothing that this version reads."""
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        found = json.loads(read(path))
    except ValueError:
        return {}
    known = isinstance(found, dict) and found.get("format") == FORMAT
    return found if known else {}
