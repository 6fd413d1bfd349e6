"""Files are whole or absent."""

import errno
import os
import resource

import numpy as np
import pytest

from shoal import files
from shoal.errors import DamagedFileError, FileError


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "deep" / "folder" / "file"
    files.write_atomically(path, b"one")
    files.write_atomically(path, b"two")
    assert files.read(path) == b"two"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(step, tmp_path, monkeypatch):
    path = tmp_path / "file"
    files.write_atomically(path, b"old")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    if step == "write":
        monkeypatch.setattr(os, "fdopen", full)
    else:
        monkeypatch.setattr(os, step, full)
    with pytest.raises(FileError, match="enough free space, got No space left on device"):
        files.write_atomically(path, b"new")
    monkeypatch.undo()
    assert files.read(path) == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_file_that_grows_too_large_for_real(tmp_path):
    """The kernel refuses the write in the middle, as a full disk would."""
    path = tmp_path / "file"
    files.write_atomically(path, b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(FileError, match="needs a folder that can be written"):
            files.write_atomically(path, b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert files.read(path) == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_others_may_read_what_the_umask_lets_them_read(tmp_path):
    (tmp_path / "usual").write_bytes(b"")
    files.write_atomically(tmp_path / "ours", b"")
    modes = {(tmp_path / name).stat().st_mode for name in ("usual", "ours")}
    assert len(modes) == 1


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FileError, match="needs a folder that can be written"):
        files.write_atomically(tmp_path / "file" / "below", b"x")
    with pytest.raises(FileError, match="reading .* got Not a directory"):
        files.read(tmp_path / "file" / "below")
    with pytest.raises(FileError, match="got No such file or directory"):
        files.read(tmp_path / "nothing")


def test_a_typed_error_is_also_the_usual_one(tmp_path):
    with pytest.raises(OSError, match="reading"):
        files.read(tmp_path / "nothing")


def test_tensors_there_and_back():
    tensors = {"a/b": np.arange(6.0).reshape(2, 3).T, "n": np.int32(4)}
    about = {"name": "é", "numbers": [1, 2.5, None]}
    found, told = files.tensors_from_bytes(files.tensors_to_bytes(tensors, about), "a file")
    assert told == about
    for name, array in tensors.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: b"",
        lambda c: c[:20],
        lambda c: c[:-5],
        lambda c: b"\xff" * len(c),
        lambda c: c.replace(b'"shoal"', b'"sheal"'),
        lambda c: b"PK\x03\x04" + c,
    ],
)
def test_bytes_that_are_no_tensors(spoil):
    content = files.tensors_to_bytes({"a": np.arange(5.0)}, {"x": 1})
    with pytest.raises(DamagedFileError, match="a file needs a safetensors file with shoal's"):
        files.tensors_from_bytes(spoil(content), "a file")
