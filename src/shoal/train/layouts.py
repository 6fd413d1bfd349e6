"""Layouts: the programs of this process, and which layout is faster.

Whether K networks run faster together or one after another depends on their size and on the
machine: small products gain from being batched, large ones and convolutions lose. So both are timed
once for a signature; the answer is kept for the process and, in the user's cache folder, for the
next ones, so that a repeated run computes with the same program to the last bit. Whether devices
share the batches of a single network is decided by a rule, which costs no compilation.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import jax
from jax.sharding import Mesh

from shoal.errors import FileError
from shoal.files import write_atomically
from shoal.recipe import Recipe
from shoal.train.devices import cache_folder
from shoal.train.member import Work
from shoal.train.programs import LAYOUTS, Plan, Programs

MOST_KEPT = 64
MUCH_WORK = 2**23
"""Multiply-adds of the spatial layers on one batch from which sharing it can pay."""

WORTH_A_PARAMETER = 400
"""Multiply-adds of the spatial layers on one batch that outweigh adding up one gradient."""

LONG_ENOUGH = 0.01
"""Seconds that a measurement should take, so that starting a program does not count."""

TURNS = 3
CLEARLY = 0.9
"""Share of the seconds of the first layout below which another is clearly faster."""

_kept: dict[Any, Programs] = {}


def programs(signature: Any, mesh: Mesh, plan: Plan) -> Programs:
    """The programs of a signature, the same object for the same question."""
    key = (signature, mesh, plan)
    if key not in _kept:
        while len(_kept) >= MOST_KEPT:
            _kept.pop(next(iter(_kept)))
        _kept[key] = Programs(mesh, plan)
    return _kept[key]


def forget() -> None:
    """Drop the compiled programs of this process, ours and JAX's.

    Each takes memory maps, of which Linux gives a process 65,530: hundreds of networks need more.
    """
    _kept.clear()
    jax.clear_caches()


def remembered(signature: Any, mesh: Mesh, plan: Plan) -> str | None:
    """The faster layout, where it was measured before."""
    return _read().get(_key(signature, mesh, plan))


def worth_dividing(recipe: Recipe, work: Work) -> bool:
    """Whether the devices of a CPU should share the batches of a network that trains alone.

    XLA splits each operation among the cores anyway. For products of matrices that is the faster
    way; for convolutions and pools it is not, and each core better runs the whole step on its own
    images. What sharing costs is the sum of the gradients, in proportion to the parameters.
    Measured on 2 cores, milliseconds per step, batch 64 and 128: a CNN with 1,000 multiply-adds
    for each parameter 5.8 alone, 4.9 shared; a multilayer perceptron 1.0 alone, 1.3 shared.
    ``bench/cnn.py`` and ``bench/mlp.py`` measure them again.
    """
    if recipe.optimiser.searches:
        return False  # each device would search on its own rows
    before = recipe.body.shapes(work.in_shape)
    spatial = sum(
        layer.multiply_adds(shape)
        for layer, shape in zip(recipe.body.layers, before, strict=False)
        if len(shape) > 1
    )
    batch = spatial * work.batch
    parameters = recipe.body.parameter_count(work.in_shape)
    return batch >= MUCH_WORK and batch >= WORTH_A_PARAMETER * parameters


def choose(
    signature: Any,
    mesh: Mesh,
    candidates: Mapping[str, Programs],
    seconds: Callable[[Programs, int], float],
    most_steps: int,
) -> Programs:
    """The candidate that takes the fewest seconds; remembered.

    As many steps are timed as take ``LONG_ENOUGH``, in turn, after one run to warm up; the lowest
    of ``TURNS`` counts. The first stays unless another is clearly faster: where it hardly matters,
    noise should not decide with which roundings a pool computes.

    Args:
        seconds: runs so many steps of a candidate on throw-away copies.
        most_steps: of an epoch.
    """
    steps = 1
    while True:
        took = [seconds(found, steps) for found in candidates.values()]
        if min(took) >= LONG_ENOUGH or steps == most_steps:
            break
        steps = min(4 * steps, most_steps)
    times = dict.fromkeys(candidates, float("inf"))
    for _ in range(TURNS):
        for layout, found in candidates.items():
            times[layout] = min(times[layout], seconds(found, steps))
    first, fastest = next(iter(times)), min(times, key=lambda layout: times[layout])
    best = fastest if times[fastest] < CLEARLY * times[first] else first
    _write(_read() | {_key(signature, mesh, candidates[best].plan): best})
    return candidates[best]


def _key(signature: Any, mesh: Mesh, plan: Plan) -> str:
    device = mesh.devices.flat[0]
    parts = (
        str(signature),
        str(plan._replace(layout="")),
        device.device_kind,
        str(mesh.devices.size),
        jax.__version__,
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _read() -> dict[str, str]:
    folder = cache_folder()
    if folder is None:
        return {}
    try:
        found = json.loads((folder / "layouts.json").read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: layout for key, layout in found.items() if layout in LAYOUTS}


def _write(known: dict[str, str]) -> None:
    folder = cache_folder()
    if folder is None:
        return
    newest = dict(list(known.items())[-1000:])
    try:
        write_atomically(folder / "layouts.json", json.dumps(newest).encode())
    except FileError:
        return  # a cache that cannot be written costs a measurement, nothing else
