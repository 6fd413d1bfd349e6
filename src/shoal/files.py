"""Files that are whole or absent: written aside, synced, renamed; read with their checksum.

A kill or a power cut at any moment leaves either the old file or the new one. The order is the
usual one: write to a temporary name in the same folder, fsync the file, rename over the target,
fsync the folder.
"""

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as parse_tensors
from safetensors.numpy import save as format_tensors

from shoal.arrays import Numbers
from shoal.errors import DamagedFileError, FileError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that it is never seen half-written.

    Raises:
        FileError: the folder cannot be written or the disk is full; nothing is left behind.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        name = str(path.parent / f".{path.name}.{secrets.token_hex(6)}")
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)  # less the umask
        temporary = name
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise FileError(
            f"writing {path}",
            required="a folder that can be written and enough free space",
            got=error.strerror or repr(error),
            remedy="free some space or choose another folder",
        ) from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read(path: Path) -> bytes:
    """The content of a file.

    Raises:
        FileError: it does not exist or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileError(
            f"reading {path}",
            required="a file that exists and can be read",
            got=error.strerror or repr(error),
            remedy="check the path",
        ) from error


def checksum(content: bytes) -> str:
    """SHA-256 of a content, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def tensors_to_bytes(tensors: Mapping[str, Any], about: Mapping[str, Any]) -> bytes:
    """Named arrays and a JSON-able description of them as the bytes of one safetensors file."""
    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    return bytes(format_tensors(arrays, metadata={"shoal": json.dumps(about, allow_nan=False)}))


def tensors_from_bytes(content: bytes, name: str) -> tuple[dict[str, Numbers], dict[str, Any]]:
    """The arrays and the description that ``tensors_to_bytes`` wrote.

    Raises:
        DamagedFileError: not a safetensors file, or not one of shoal's.
    """
    try:
        tensors = parse_tensors(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        about = json.loads(header["__metadata__"]["shoal"])
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise DamagedFileError(
            name,
            required="a safetensors file with shoal's description in its metadata",
            got=f"{len(content)} bytes that are not ({type(error).__name__})",
            remedy="use a file that shoal saved",
        ) from error
    return tensors, about
