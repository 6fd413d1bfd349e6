"""Start: from the start of a process to a trained iris model; and the answer to ``--help``."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from common import Claim, alternate, report, timed

OURS = """
import shoal as sh
recipe = sh.Recipe(sh.mlp([16], 3), loss="cross_entropy", epochs=50)
run = sh.fit(recipe, sh.data.iris(), show=False)
assert run.validate()["accuracy"] > 0.8
"""
THEIRS = """
import warnings
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
warnings.simplefilter("ignore")
x, y = load_iris(return_X_y=True)
x, xv, y, yv = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
scaler = StandardScaler().fit(x)
net = MLPClassifier((16,), batch_size=32, max_iter=50, random_state=0).fit(scaler.transform(x), y)
assert net.score(scaler.transform(xv), yv) > 0.6
"""


def process(*words: str, **environment: str):
    """An arm: the wall time of a whole process."""
    return timed(
        lambda: subprocess.run(
            words, check=True, env={**os.environ, **environment}, stdout=subprocess.DEVNULL
        )
    )


def main() -> None:
    shoal = str(Path(sys.executable).parent / "shoal")
    with tempfile.TemporaryDirectory() as cache:
        arms = {
            "shoal, iris, warm cache": process(sys.executable, "-c", OURS, SHOAL_CACHE_DIR=cache),
            "scikit-learn MLP, iris": process(sys.executable, "-c", THEIRS),
            "shoal --help": process(shoal, "--help"),
        }
        times = alternate(arms, 7)  # the warm-up fills the cache
    ours, peer, help_ = times.values()
    claims = [
        Claim("first result within 1.5 s", ours, 1.5, 1.5 / ours, 1.0, "s"),
        Claim("first result against scikit-learn MLP", ours, peer, peer / ours, None, "s"),
        Claim("shoal --help within 0.2 s", help_, 0.2, 0.2 / help_, 1.0, "s"),
    ]
    report("whole processes", times, "s", claims)


if __name__ == "__main__":
    main()
