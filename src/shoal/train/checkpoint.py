"""Checkpoints: the whole state of a training, so that it goes on as if it had never stopped.

A checkpoint is two files, ``checkpoint-000012.safetensors`` with the arrays and
``checkpoint-000012.json`` with everything else and the SHA-256 of the arrays. The arrays are
written first, each file whole or not at all (see ``files``), so a checkpoint counts only when its
manifest is there and the checksum fits. The newest that does is used; a damaged one is named and
passed over.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shoal.arrays import Numbers
from shoal.errors import DamagedFileError, FileError
from shoal.files import (
    checksum,
    read,
    tensors_from_bytes,
    tensors_to_bytes,
    write_atomically,
)
from shoal.train.versions import versions

FORMAT = 1
NAME = re.compile(r"checkpoint-(\d{6})\.json")


@dataclass(frozen=True)
class Checkpoint:
    """One state.

    Attributes:
        number: counts up from 1.
        tensors: arrays by name.
        state: JSON-able: integers, recipes, statuses.
    """

    number: int
    tensors: Mapping[str, Numbers]
    state: Mapping[str, Any]


def save(folder: Path, checkpoint: Checkpoint, keep: int = 3) -> None:
    """Write a checkpoint and remove those older than the last ``keep``.

    Raises:
        FileError: the folder cannot be written or the disk is full; older checkpoints stay.
    """
    stem = folder / f"checkpoint-{checkpoint.number:06d}"
    content = tensors_to_bytes(checkpoint.tensors, {"format": FORMAT})
    manifest = {
        "format": FORMAT,
        "number": checkpoint.number,
        "sha256": checksum(content),
        "state": checkpoint.state,
        "versions": versions(),
    }
    write_atomically(stem.with_suffix(".safetensors"), content)
    text = json.dumps(manifest, allow_nan=False, indent=1).encode()
    write_atomically(stem.with_suffix(".json"), text)
    for number in numbers(folder)[:-keep]:
        for suffix in (".json", ".safetensors"):
            (folder / f"checkpoint-{number:06d}{suffix}").unlink(missing_ok=True)


def numbers(folder: Path) -> list[int]:
    """The numbers of the checkpoints in a folder, ascending; damaged ones count too."""
    matches = (NAME.fullmatch(path.name) for path in folder.glob("checkpoint-*.json"))
    return sorted(int(match[1]) for match in matches if match)


def load_newest(folder: Path) -> tuple[Checkpoint, list[str]]:
    """The newest checkpoint that is whole, and a message for each newer one that is damaged.

    Raises:
        FileError: there is none.
    """
    messages: list[str] = []
    for number in reversed(numbers(folder)):
        try:
            return _load(folder, number), messages
        except FileError as error:
            messages.append(f"checkpoint {number} is damaged and passed over: {error}")
    raise FileError(
        str(folder),
        required="a checkpoint that is whole",
        got="; ".join(messages) or "none",
        remedy="start the training again",
    )


def _load(folder: Path, number: int) -> Checkpoint:
    stem = folder / f"checkpoint-{number:06d}"
    try:
        manifest = json.loads(read(stem.with_suffix(".json")))
        expected, state = manifest["sha256"], manifest["state"]
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedFileError(
            f"{stem.name}.json", required="a manifest", got=repr(error), remedy="use an older one"
        ) from error
    content = read(stem.with_suffix(".safetensors"))
    if checksum(content) != expected:
        raise DamagedFileError(
            f"{stem.name}.safetensors",
            required=f"SHA-256 {expected[:12]}",
            got=checksum(content)[:12],
            remedy="use an older one",
        )
    tensors, _ = tensors_from_bytes(content, f"{stem.name}.safetensors")
    return Checkpoint(number, tensors, state)
