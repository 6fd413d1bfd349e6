"""Run all benchmarks and write docs/benchmarks.md, with the machine and the date."""

import datetime
import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
SCRIPTS = (
    "tiny",
    "mlp",
    "cnn",
    "pool",
    "start",
    "activations",
    "resnet",
    "signals",
    "sweep --alone",
    "sweep --pruner",
    "sweep --space wide",
    "sweep --overhead --trials 1000",
    "samplers",
    "searches",
)
LIBRARIES = ("jax", "torch", "scikit-learn", "keras", "numpy")

HEAD = """# Benchmarks

Written by `make bench` on {date}, {device}.

Each script in `bench/` runs us and the peers in alternation and quotes medians. PyTorch runs at
its best number of threads, found by trying; for many networks it runs in as many processes of one
thread as there are cores. Lower is better; "times" says how many times less we take (for GFLOP/s:
our share).

Versions: {versions}.

| what | ours | peer | unit | times | required |
|---|---|---|---|---|---|
"""


def claims(script: str) -> list[dict]:
    """Run one script, with its options; the claims are its last lines."""
    name, *options = script.split()
    done = subprocess.run(
        [sys.executable, f"{name}.py", *options],
        cwd=HERE,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    print(done.stdout, flush=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def row(claim: dict) -> str:
    wanted = "" if claim["required"] is None else f"{claim['required']:g}"
    missed = claim["required"] is not None and claim["ratio"] < claim["required"]
    return (
        f"| {claim['name']} | {claim['ours']:.4g} | {claim['peer']:.4g} | {claim['unit']} "
        f"| {claim['ratio']:.2f} | {wanted}{' (missed)' * missed} |"
    )


def main() -> None:
    chosen = sys.argv[1:] or SCRIPTS
    found = [claim for script in chosen for claim in claims(script)]
    if tuple(chosen) != SCRIPTS:
        return
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in LIBRARIES)
    head = HEAD.format(date=datetime.date.today(), device=found[0]["device"], versions=versions)
    PAGE.write_text(head + "\n".join(map(row, found)) + "\n")


if __name__ == "__main__":
    main()
