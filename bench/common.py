"""What the benchmarks share: alternated timing, our pool, claims printed as tables and JSON.

Every script runs us and the peers in alternation and quotes medians, because the speed of shared
machines drifts. PyTorch runs at its best number of threads, found by trying.
"""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

PAUSE = 0.3
"""Seconds of rest before every measurement."""

Arm = Callable[[], float]
"""One measurement of one competitor, in seconds."""


@dataclass
class Claim:
    """One line of the result.

    Attributes:
        name: what was measured; ours, peer: medians, lower is better (for GFLOP/s: higher).
        ratio: how many times better we are; required: at least this, None for information only.
        unit: of ours and peer.
    """

    name: str
    ours: float
    peer: float
    ratio: float
    required: float | None
    unit: str
    device: str = ""


def device() -> str:
    """The machine in one line."""
    import jax

    found = jax.devices()[0]
    if found.platform != "cpu":
        return f"{len(jax.devices())} x {found.device_kind}"
    names = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return f"{len(os.sched_getaffinity(0))} cores {names[0] if names else platform.machine()}"


def alternate(arms: Mapping[str, Arm], rounds: int) -> dict[str, float]:
    """The median seconds of every arm, measured in turn ``rounds`` times after one warm-up.

    Threads of some libraries go on spinning for a while after their work is done; a pause before
    every measurement keeps them from taking time from the next.
    """
    times: dict[str, list[float]] = {name: [] for name in arms}
    for turn in range(rounds + 1):
        for name, arm in arms.items():
            time.sleep(PAUSE)
            seconds = arm()
            if turn:
                times[name].append(seconds)
    return {name: statistics.median(found) for name, found in times.items()}


def timed(function: Callable[[], object], per: float = 1.0) -> Arm:
    """An arm from a function that does all its work before it returns; seconds / ``per``."""

    def arm() -> float:
        began = time.perf_counter()
        function()
        return (time.perf_counter() - began) / per

    return arm


def steady(recipe, data, members: int, epochs: int, layout: str = "auto") -> Arm:
    """An arm: seconds for one epoch of one member of our pool, its record and metrics included."""
    from shoal.data.preparation import prepare
    from shoal.train.pool import Pool
    from shoal.train.settings import Settings

    recipe = recipe.replace(epochs=10**9)
    prepared = prepare(data, recipe.preparation, recipe.loss, len(data.classes))
    pool = Pool(recipe, prepared, members, Settings(layout))
    pool.place({k: recipe.replace(seed=k) for k in range(members)})
    pool.run(1)  # compiles, and chooses the layout

    def run() -> None:
        left = epochs
        while left > 0:
            left -= next(iter(pool.run(left).values())).shape[1]

    return timed(run, epochs * members)


def random_data(rows: int, shape: tuple[int, ...], classes: int):
    """Random inputs and labels: only the time matters."""
    import shoal as sh

    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, *shape)).astype(np.float32)
    return sh.data.arrays(x, rng.integers(0, classes, rows), name="random")


def all_rows():
    """A preparation that keeps all rows for training, unscaled, as the peers do."""
    import shoal as sh

    return sh.Preparation("none", "none", sh.Split(validation=0))


def report(title: str, rows: Mapping[str, float], unit: str, claims: list[Claim]) -> None:
    """Print the table, then one JSON object for each claim as the last lines."""
    print(f"\n{title}   [{device()}]")
    width = max(map(len, rows))
    for name, value in rows.items():
        print(f"  {name.ljust(width)}  {value:12.4g} {unit}")
    for claim in claims:
        wanted = "" if claim.required is None else f" (required {claim.required:g})"
        print(f"  -> {claim.name}: {claim.ratio:.2f}{wanted}")
    for claim in claims:
        claim.device = device()
        print(json.dumps(asdict(claim)))
