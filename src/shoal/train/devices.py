"""Devices: CPU cores as devices, the compilation cache, memory, and how a pool lies on them.

JAX sees a CPU as one device. Told to see one per core (before it starts), it trains members of a
pool on all cores at once, each core on its own members, which for small networks is several times
faster than splitting every product among cores.
"""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from shoal.errors import DeviceError

DEVICES = "devices"
"""Name of the axis of devices over which the members of a pool, or the rows of a batch, lie."""

ROWS_EACH = 16
"""Rows that a device should have of a batch that several share."""


def prepare_jax() -> None:
    """Show JAX one device per core and give it a compilation cache. Called once, on import.

    Does nothing that the user has set already: ``XLA_FLAGS``, ``jax_num_cpu_devices``, a cache
    folder, or a JAX that has started. ``SHOAL_CPU_DEVICES`` sets the number of devices and
    ``SHOAL_CACHE_DIR`` the folder of the cache ("" for none).
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if "host_platform_device_count" not in flags and _setting("jax_num_cpu_devices") < 1:
        cores = int(os.environ.get("SHOAL_CPU_DEVICES", len(os.sched_getaffinity(0))))
        with contextlib.suppress(RuntimeError):  # JAX has started: it keeps the devices it has
            jax.config.update("jax_num_cpu_devices", cores)
    if _setting("jax_compilation_cache_dir") is None:
        folder = cache_folder()
        if folder is not None:
            jax.config.update("jax_compilation_cache_dir", str(folder / "programs"))
            jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.05)


def _setting(name: str) -> Any:
    return getattr(jax.config, name)


def cache_folder() -> Path | None:
    """The user's cache folder, mode 0700, or None where there can be none.

    Compiled programs are code: whoever can write them can run code as the user, so the folder is
    the user's alone and never beside shared files.
    """
    chosen = os.environ.get("SHOAL_CACHE_DIR")
    if chosen == "":
        return None
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = Path(chosen or f"{base}/shoal").expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
    except OSError:
        return None
    return folder


def spread(slots: int, devices: Sequence[Any] | None = None) -> Mesh:
    """The devices that a pool of ``slots`` members is spread over: as many as divide it.

    Args:
        slots: members of the pool.
        devices: to choose from; by default all of JAX's default platform.

    Raises:
        DeviceError: an empty list of devices.
    """
    usable = list(devices if devices is not None else jax.devices())
    if not usable:
        raise DeviceError(
            "a pool", required="a device", got="none", remedy="leave devices out to use all"
        )
    count = max(n for n in range(1, len(usable) + 1) if slots % n == 0)
    return Mesh(np.array(usable[:count]), (DEVICES,))


def share(rows: int, devices: Sequence[Any] | None = None) -> Mesh:
    """The devices that share each batch: as many as divide its rows, ``ROWS_EACH`` at least."""
    usable = list(devices if devices is not None else jax.devices())
    return spread(rows, usable[: max(1, rows // ROWS_EACH)])


def memory_budget(mesh: Mesh) -> int:
    """Bytes that a pool may use on each of its devices: nine tenths of what is free."""
    device = mesh.devices.flat[0]
    stats = device.memory_stats() if device.platform != "cpu" else None
    if stats and "bytes_limit" in stats:
        return int(0.9 * (stats["bytes_limit"] - stats.get("bytes_in_use", 0)))
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        line = next(line for line in lines if line.startswith("MemAvailable"))
        free = 1024 * int(line.split()[1])
    return int(0.9 * free / mesh.devices.size)
