"""Scores of trainings that were done already, kept in the folder of the results.

A score belongs to a recipe, its data and the number of seeds, by their fingerprints: a case that is
changed is trained again, and two cases with the same training share it.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from shoal.data.dataset import Data
from shoal.data.fingerprint import fingerprint
from shoal.errors import DamagedFileError
from shoal.files import write_atomically
from shoal.recipe import Recipe

SCORES = "scores.json"


def key(recipe: Recipe, data: Data, seeds: int, honest: bool) -> str:
    """What names a training over seeds; names of recipes do not count."""
    parts = b"" if data.parts is None else data.parts.tobytes()
    digest = hashlib.sha256(parts)
    plain = recipe.replace(name="recipe").fingerprint
    for text in (plain, fingerprint(data), str(seeds), str(honest)):
        digest.update(text.encode())
    return digest.hexdigest()[:24]


class Scores:
    """Scores by key, read from a folder and written back.

    Args:
        folder: of the results; None keeps them in memory alone.
    """

    def __init__(self, folder: Path | None) -> None:
        self.path = None if folder is None else folder / SCORES
        self.known: dict[str, dict[str, Any]] = {}
        if self.path is not None and self.path.is_file():
            self.known = _read(self.path)

    def get(self, name: str) -> dict[str, Any] | None:
        """Scores and refusal of a training, or None where it was not done."""
        return self.known.get(name)

    def put(self, name: str, scores: tuple[float, ...], refusal: str) -> dict[str, Any]:
        """Keep the scores of a training."""
        self.known[name] = {"scores": [round(s, 5) for s in scores], "refusal": refusal}
        return self.known[name]

    def save(self) -> None:
        """Write them, if there is a folder."""
        if self.path is not None:
            write_atomically(self.path, json.dumps(self.known).encode())


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        found = json.loads(path.read_text())
        good = all({"scores", "refusal"} <= set(entry) for entry in found.values())
    except (OSError, ValueError, AttributeError, TypeError) as error:
        found, good, why = {}, False, str(error)
    else:
        why = "other fields"
    if not good:
        raise DamagedFileError(
            str(path),
            required="scores that shoal doctor-bench wrote",
            got=why,
            remedy="remove the file; its trainings are then done again",
        )
    return dict(found)
