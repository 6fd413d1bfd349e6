"""Signals: what they cost. Trainings with and without, in turn; and the time to compile.

A ratio is the median over the rounds of the time with signals over that without, measured one right
after the other; CPU time, so that what else the machine does matters less.
"""

import statistics
import time

import jax

import shoal as sh
from cnn import network
from common import PAUSE, Claim, all_rows, random_data, report
from shoal.train import layouts
from shoal.train.pool import Pool
from shoal.train.settings import Settings

LEVELS = ("none", "basic", "full")
ALLOWED = {"basic": 1.02, "full": 1.10}
ROUNDS = 21


def cases():
    """Name, recipe, data, epochs measured at once: a multiple of those between two readings."""
    split = sh.Preparation(split=sh.Split(validation=0.2))
    iris = sh.Recipe(sh.mlp([16], 3), loss="cross_entropy", preparation=split)
    yield "iris 4-16-3", iris, sh.data.iris(), 768
    digits = sh.Recipe(sh.mlp([128, 64], 10), loss="cross_entropy", preparation=split)
    yield "digits 64-128-64-10", digits, sh.data.digits(), 24
    wide = sh.Recipe(
        sh.mlp([256, 128], 10), loss="cross_entropy", batch_size=128, preparation=all_rows()
    )
    yield "784-256-128-10", wide, random_data(8192, (784,), 10), 3
    cnn = sh.Recipe(network(), loss="cross_entropy", batch_size=64, preparation=all_rows())
    yield "28x28 CNN", cnn, random_data(1920, (28, 28, 1), 10), 6


def pool_of(recipe, data, level: str) -> tuple[Pool, float]:
    """A pool of one that has run once, and the CPU seconds that its program took to compile."""
    recipe = recipe.replace(epochs=10**9)
    pool = Pool(recipe, recipe.prepare(data), 1, Settings(signals=level))
    pool.place({0: recipe})
    arguments = pool._chunk_arguments(pool.feed, 1)
    began = time.process_time()
    pool.programs.chunk_program(pool._stacked, pool.members, *arguments)
    seconds = time.process_time() - began
    pool.run(1)
    while pool.epoch < 512 and pool.epoch * pool.work.steps < 2000:
        pool.run(64)  # past the readings of the beginning
    return pool, seconds


def seconds(pool: Pool, epochs: int) -> tuple[float, float]:
    """CPU and wall seconds of some epochs."""
    wall, cpu, left = time.perf_counter(), time.process_time(), epochs
    while left > 0:
        left -= next(iter(pool.run(left).values())).shape[1]
    return time.process_time() - cpu, time.perf_counter() - wall


def main() -> None:
    jax.config.update("jax_enable_compilation_cache", False)
    claims, shown = [], {}
    for name, recipe, data, epochs in cases():
        layouts._kept.clear()
        made = {level: pool_of(recipe, data, level) for level in LEVELS}
        found = {level: [] for level in LEVELS}
        for _ in range(ROUNDS):
            for level, (pool, _) in made.items():
                time.sleep(PAUSE / 10)
                found[level].append(seconds(pool, epochs))
        for level, times in found.items():
            ratio, wall = (
                statistics.median(a[i] / b[i] for a, b in zip(times, found["none"], strict=True))
                for i in (0, 1)
            )
            mine = statistics.median(cpu for cpu, _ in times) / epochs * 1e3
            shown[f"{name}, {level} (wall {wall:.3f}, compiles {made[level][1]:.2f} s)"] = mine
            if level != "none":
                base = statistics.median(cpu for cpu, _ in found["none"]) / epochs * 1e3
                claims.append(
                    Claim(f"{name}: {level} signals within {ALLOWED[level] - 1:.0%}", mine,
                          base * ALLOWED[level], ALLOWED[level] / ratio, 1.0, "CPU ms per epoch")
                )  # fmt: skip
        compiled = {level: made[level][1] for level in LEVELS}
        claims.append(
            Claim(f"{name}: compiling with basic signals", compiled["basic"], compiled["none"],
                  compiled["none"] / compiled["basic"], None, "CPU s")
        )  # fmt: skip
    report("a steady epoch with and without signals", shown, "CPU ms per epoch", claims)


if __name__ == "__main__":
    main()
