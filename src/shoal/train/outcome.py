"""Outcome: what became of one recipe, in memory and on disk.

On disk an outcome is one safetensors file, written when its member leaves the pool, so that a
training of thousands of recipes does not carry the finished ones from checkpoint to checkpoint.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from shoal.arrays import Numbers, Tree, flatten
from shoal.files import read, tensors_from_bytes, tensors_to_bytes, write_atomically
from shoal.recipe import Recipe
from shoal.train.member import Member, Status


class Failing(NamedTuple):
    """The last finite state of a member that died: what repeats the step at which it did.

    Attributes:
        parameters, statistics: of the network; step: of the training, counted from 0.
    """

    parameters: Tree
    statistics: Tree
    step: int

    @staticmethod
    def of(member: Member) -> "Failing":
        """The state of a member that died."""
        return Failing(member.parameters, member.statistics, int(member.step))


@dataclass
class Outcome:
    """What became of one recipe.

    Attributes:
        recipe: as given.
        status: why it stopped.
        epochs: that it completed; start_epoch: the global epoch at which it began.
        best_epoch: of the lowest loss watched, counted from 1; 0 when no epoch was completed.
        parameters, statistics: the weights to keep: of the best epoch where the recipe says so.
        history: its columns of the record, (epochs,) each.
        failing: its last finite state, where it died.
    """

    recipe: Recipe
    status: Status
    epochs: int
    start_epoch: int
    best_epoch: int
    parameters: Tree
    statistics: Tree
    history: dict[str, Numbers]
    failing: Failing | None = None


def _path(folder: Path, index: int) -> Path:
    return folder / "outcomes" / f"{index:06d}.safetensors"


def save(folder: Path, index: int, outcome: Outcome) -> None:
    """Write the outcome of the recipe at a position.

    Raises:
        FileError: the folder cannot be written or the disk is full.
    """
    weights = {"parameters": outcome.parameters, "statistics": outcome.statistics}
    tensors = flatten(weights) | {f"history/{n}": a for n, a in outcome.history.items()}
    about = {
        "status": int(outcome.status),
        "epochs": outcome.epochs,
        "start_epoch": outcome.start_epoch,
        "best_epoch": outcome.best_epoch,
    }
    if outcome.failing is not None:
        parameters, statistics, about["step"] = outcome.failing
        failing = {"parameters": parameters, "statistics": statistics}
        tensors |= {f"failing/{name}": array for name, array in flatten(failing).items()}
    write_atomically(_path(folder, index), tensors_to_bytes(tensors, about))


def load(folder: Path, index: int, recipe: Recipe) -> Outcome:
    """The outcome that ``save`` wrote.

    Raises:
        FileError: it is not there, or damaged.
    """
    path = _path(folder, index)
    tensors, about = tensors_from_bytes(read(path), str(path))
    history = {n[len("history/") :]: a for n, a in tensors.items() if n.startswith("history/")}
    return Outcome(
        recipe=recipe,
        status=Status(about["status"]),
        epochs=about["epochs"],
        start_epoch=about["start_epoch"],
        best_epoch=about["best_epoch"],
        parameters=_nest(tensors, "parameters/"),
        statistics=_nest(tensors, "statistics/"),
        history=history,
        failing=_failing(tensors, about),
    )


def _failing(tensors: dict[str, Numbers], about: dict[str, Any]) -> Failing | None:
    if "step" not in about:
        return None
    trees = (_nest(tensors, f"failing/{kind}/") for kind in ("parameters", "statistics"))
    parameters, statistics = trees
    return Failing(parameters, statistics, about["step"])


def _nest(tensors: dict[str, Numbers], prefix: str) -> Tree:
    """The nested dictionary of the arrays whose path begins with a prefix."""
    root: Tree = {}
    for name, array in tensors.items():
        if name.startswith(prefix):
            *branches, leaf = name[len(prefix) :].split("/")
            node = root
            for branch in branches:
                node = node.setdefault(branch, {})
            node[leaf] = array
    return root
