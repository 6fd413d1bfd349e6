"""Versions of what a result depends on, for files and manifests."""

import functools
import platform
from importlib import metadata


@functools.cache
def versions() -> dict[str, str]:
    """Names and versions of shoal, Python and the libraries that compute."""
    found = {"python": platform.python_version()}
    for name in ("shoal", "jax", "jaxlib", "optax", "numpy"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "unknown"
    return found
