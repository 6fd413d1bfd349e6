"""fit, fit_many, resume: from a recipe and data to trained networks.

    fit(recipe, data)              a pool of one
    fit(recipe, data, seeds=8)     a pool of eight that differ in their seed: an ensemble
    fit_many(recipes, data)        any recipes: one pool for each signature, slots refilled

With ``folder`` the training writes checkpoints there, and ``resume(folder, data)`` goes on from the
newest one to the same bits as if it had not stopped.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shoal.choosing import check_closed
from shoal.data.dataset import Data
from shoal.data.fromarrays import arrays
from shoal.errors import DataError, FileError, RecipeError
from shoal.recipe import Recipe
from shoal.rules import Whole
from shoal.train import checkpoint
from shoal.train.job import Job, Keep
from shoal.train.progress import progress
from shoal.train.run import Run
from shoal.train.settings import Settings
from shoal.train.signals import LEVELS

CHECKPOINT_SECONDS = 10.0


def fit(
    recipe: Recipe,
    data: Data | tuple[Any, Any],
    *,
    seeds: int = 1,
    folder: str | Path | None = None,
    checkpoint_every: float = CHECKPOINT_SECONDS,
    keep: int = 3,
    show: bool | str = True,
    signals: str | bool = "basic",
    start_epoch: int = 0,
    settings: Settings | None = None,
) -> Run:
    """Train one network, or an ensemble that differs in its seed.

    Args:
        recipe: what to train.
        data: ``Data``, or (inputs, targets).
        seeds: members of the ensemble; their seeds are recipe.seed, recipe.seed + 1, ...
        folder: where to write checkpoints, record and model; None to keep all in memory.
        checkpoint_every: seconds between checkpoints; 0 for one after every chunk.
        keep: how many checkpoints stay.
        show: progress: True for what fits the terminal, False for none, "plain", "bar".
        signals: how every layer does (activations, dead units, gradients, updates), as columns of
            the record such as ``relu1:dead``: "basic", "full" (more of it, more often), or "none".
            True means "basic", False "none". The training is the same to the last bit.
        start_epoch: the global epoch to begin at, to repeat a trial of a larger pool alone.
        settings: layout, devices, streaming; see ``Settings``.

    Returns:
        the run: model, record, reasons for stopping.

    Raises:
        RecipeError, ShapeError: a recipe that cannot be trained on the data.
        DataError: data that cannot be used.
        DeviceError: memory that does not suffice.
        FileError: the folder cannot be written, or holds another training.
    """
    _check_recipe(recipe, "fit(recipe)")
    if not Whole(1).accepts(seeds):
        raise RecipeError(
            "fit(seeds)", required=Whole(1).text, got=repr(seeds), remedy="leave it out"
        )
    recipes = [recipe.replace(seed=recipe.seed + k) for k in range(seeds)]
    job = Job(recipes, as_data(data), [seeds], _settings(settings, signals, "fit"), start_epoch)
    with progress(show) as line:
        return job.train(Keep(_unused(folder), checkpoint_every, keep), line)[0]


def fit_many(
    recipes: Sequence[Recipe],
    data: Data | tuple[Any, Any],
    *,
    slots: int | None = None,
    folder: str | Path | None = None,
    checkpoint_every: float = CHECKPOINT_SECONDS,
    keep: int = 3,
    show: bool | str = True,
    signals: str | bool = "basic",
    settings: Settings | None = None,
) -> list[Run]:
    """Train many recipes side by side; recipes of one signature share one compiled program.

    Args:
        recipes: any.
        slots: members trained at a time; None for as many as memory allows, up to 256 on a CPU.
        data, folder, checkpoint_every, keep, show, signals, settings: as for ``fit``.

    Returns:
        one run for each recipe, in their order.

    Raises:
        as ``fit``.
    """
    for recipe in recipes if isinstance(recipes, Sequence) else [recipes]:
        _check_recipe(recipe, "fit_many(recipes)")
    if not recipes:
        raise RecipeError(
            "fit_many(recipes)", required="a recipe", got="none", remedy="give at least one"
        )
    chosen = _settings(settings, signals, "fit_many")
    job = Job(recipes, as_data(data), [1] * len(recipes), chosen, 0, slots)
    with progress(show) as line:
        return job.train(Keep(_unused(folder), checkpoint_every, keep), line)


def resume(
    folder: str | Path,
    data: Data | tuple[Any, Any],
    *,
    checkpoint_every: float = CHECKPOINT_SECONDS,
    keep: int = 3,
    show: bool | str = True,
) -> list[Run]:
    """Go on with a training that stopped, from the newest whole checkpoint in its folder.

    On the same machine and versions the result is the same to the last bit as that of a training
    that never stopped.

    Args:
        folder: of the training.
        data: the same as it had, in the same order.
        checkpoint_every, keep, show: as for ``fit``.

    Returns:
        the runs: one for ``fit``, one for each recipe for ``fit_many``.

    Raises:
        FileError: no checkpoint that is whole.
        DataError: other data than the training had.
    """
    found, messages = checkpoint.load_newest(Path(folder))
    job = Job.of(found, as_data(data))
    with progress(show) as line:
        for message in messages:
            line.say(message)
        line.say(f"resuming {folder} from checkpoint {found.number}")
        return job.go_on(found, Keep(Path(folder), checkpoint_every, keep), line)


def _settings(settings: Settings | None, signals: str | bool, where: str) -> Settings:
    level = {True: "basic", False: "none"}.get(signals) if isinstance(signals, bool) else signals
    if level not in LEVELS:
        raise RecipeError(
            f"{where}(signals)",
            required=" or ".join(map(repr, LEVELS)),
            got=repr(signals),
            remedy='leave it out for "basic"',
        )
    return (settings or Settings())._replace(signals=level)


def _check_recipe(value: Any, where: str) -> None:
    if not isinstance(value, Recipe):
        raise RecipeError(
            where,
            required="Recipe(...) before the data",
            got=f"a {type(value).__name__}",
            remedy="write Recipe(net, loss=...)",
        )
    check_closed(value, where)


def as_data(data: Data | tuple[Any, Any]) -> Data:
    """Data as it is, or from a pair (inputs, targets).

    Raises:
        DataError: anything else.
    """
    if isinstance(data, Data):
        return data
    if isinstance(data, tuple) and len(data) == 2:
        return arrays(data[0], data[1])
    raise DataError(
        "data",
        required="a Data object or a pair (inputs, targets)",
        got=f"a {type(data).__name__}",
        remedy="see shoal.data: arrays, table, digits, iris, ...",
    )


def _unused(folder: str | Path | None) -> Path | None:
    """The folder of a new training.

    Raises:
        FileError: it holds another training already.
    """
    if folder is None:
        return None
    path = Path(folder)
    if checkpoint.numbers(path):
        raise FileError(
            str(path),
            required="a folder without a training",
            got="one with checkpoints",
            remedy="go on by shoal.resume(folder, data) or fit --resume, or choose another folder",
        )
    return path
