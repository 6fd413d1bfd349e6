"""tune: search what a recipe leaves open.

space, data -> Executor (pools) <- Search (trials) <-> live study -> Mirror (storage)
                                     |
                                  protocol (fresh seeds, test) -> Study
"""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler, QMCSampler, RandomSampler
from optuna.storages import BaseStorage

from shoal import describe
from shoal.choosing import check_values
from shoal.data.dataset import Data
from shoal.data.fingerprint import fingerprint
from shoal.errors import RecipeError
from shoal.files import write_atomically
from shoal.recipe import Recipe
from shoal.rules import Number, Whole, optional
from shoal.spaces import Int
from shoal.train.fit import as_data
from shoal.train.progress import Progress, Standing, progress
from shoal.train.settings import Settings
from shoal.tune import account, nested, protocol
from shoal.tune.checks import (
    POPULATION,
    check_guesses,
    check_population,
    check_sampler,
    check_settings,
    check_space,
    nothing,
)
from shoal.tune.cluster import Cluster, Node, connected
from shoal.tune.executor import Executor
from shoal.tune.folds import folds as make_folds
from shoal.tune.grid import certain, grid, mixed
from shoal.tune.mirror import Mirror, open_storage, quiet_study
from shoal.tune.planner import plan
from shoal.tune.population import Population
from shoal.tune.samplers.names import sampler as make_sampler
from shoal.tune.samplers.pruners import pruner as make_pruner
from shoal.tune.search import Budget, Search
from shoal.tune.study import Study

STORAGE = "study.journal"
"""The storage in a folder, where no other is given."""

CHUNKS_PER_TRIAL = 10
ADAPTIVE_AT_ONCE = 32
"""Trials in flight where the sampler learns from those before."""

MOST_AT_ONCE = 256
MOST_ASKED = 4096
"""Trials asked ahead where the sampler learns nothing from those before."""

LISTED = ("grid", "guess")
"""Samplers whose points are known before the search, which ends with them."""

NOT_ADAPTIVE = (RandomSampler, QMCSampler)


def tune(
    space: Recipe,
    data: Data | tuple[Any, Any],
    *,
    trials: int | None = None,
    seconds: float | None = None,
    sampler: str | BaseSampler = "auto",
    pruner: str | BasePruner | None = None,
    storage: str | Path | BaseStorage | None = None,
    folder: str | Path | None = None,
    name: str = "study",
    seeds: int = 1,
    folds: int | None = None,
    outer: int | None = None,
    guesses: Sequence[Mapping[str, Any]] = (),
    slots: int | None = None,
    seed: int = 0,
    fresh: int = 5,
    show: bool | str = True,
    settings: Settings | None = None,
    cluster: str | None = None,
) -> Study:
    """Search what a space leaves open for the lowest validation loss.

    The same space, data, seed and number of trials give the same study.

    Args:
        space: a recipe with ``Float``, ``Int`` and ``Choice`` in it.
        data: ``Data``, or (inputs, targets).
        trials: how many, in all; seconds: after which no new one begins and
            those still waiting are given up. At least one of the two.
        sampler: "auto", "lipo", "bobyqa", "harmonica", "tpe", "random", "quasi-random", "grid",
            "guess", "cma-es", "gp" and others of ``samplers.BY_NAME``, or one of Optuna's;
            or "pbt", population based training of as many networks as ``trials`` says.
        pruner: "median", "halving", "hyperband", "patient", one of Optuna's, or None.
        storage: where every finished trial goes: a path or URL, see ``open_storage``. A study that
            is there already goes on.
        folder: for study.journal (the storage, where none is given), space.json, winner.json,
            best.safetensors and study.json, which ``report`` reads; None for nothing.
        name: of the study in its storage.
        seeds: members of one trial that differ in their seed; its value is their mean. Each trial
            has seeds of its own.
        folds: F >= 2 for cross-validation: each trial is trained once for each fold; None to
            validate on the recipe's split.
        outer: F >= 2 for nested cross-validation: the whole search is repeated in each of F outer
            folds, and its winner judged on the rows held out; see ``Study.nested``. That takes
            F + 1 searches of so many trials; the seconds are for all together.
        guesses: points to try first, {name: value}; the first one is the default recipe.
        slots: members trained at a time; None to choose.
        seed: of the sampler.
        fresh: seeds with which winner and default are trained in the end.
        show: progress, as for ``fit``.
        settings: of the pools, as for ``fit``.
        cluster: address of a Ray cluster, "auto", or "local" to start one here: each machine
            trains whole pools, all for one study. ``slots`` are then those of each machine.

    Returns:
        the study: the winner with fresh seeds beside the default, the model, all trials.

    Raises:
        RecipeError, ShapeError: nothing open, an unknown sampler, a bad guess, or a default recipe
            that cannot be trained; a storage with another study; no trial that came to its end.
        DataError: data that cannot be used, or no validation split.
        DeviceError: a cluster that does not answer, or Ray is not installed.
        FileError: the storage or folder cannot be written.
    """
    data = as_data(data)
    check_space(space)
    check_sampler(sampler)
    check_guesses(guesses)
    whole = Whole(1)
    check_settings(
        trials=(trials, optional(whole)),
        seconds=(seconds, optional(Number(0.0, low_open=True))),
        seeds=(seeds, whole),
        folds=(folds, optional(Whole(2))),
        outer=(outer, optional(Whole(2))),
        slots=(slots, optional(whole)),
        fresh=(fresh, whole),
    )
    given: dict[str, Any] = {"trials": trials, "sampler": sampler, "pruner": pruner, "seeds": seeds,
             "folds": folds, "guesses": guesses, "slots": slots, "seed": seed, "fresh": fresh,
             "show": show, "settings": settings}  # fmt: skip
    given["seconds"] = seconds if seconds is None else seconds / (1 + (outer or 0))
    with connected(cluster) as nodes:
        found = _once(space, data, name=name, storage=storage, folder=folder, nodes=nodes, **given)
        if outer:
            began, kept = time.monotonic(), storage
            if storage is None and folder is not None:
                kept = Path(folder) / STORAGE

            def search(part: Data, called: str) -> Study:
                rest: dict[str, Any] = {"storage": kept, "folder": None, "nodes": nodes}
                return _once(space, part, name=called, **rest, **given)

            split = found.default.recipe.preparation.split
            found.nested = nested.judge(search, data, split, outer, name)
            found.seconds += time.monotonic() - began
    if found.folder is not None:
        account.save(found, found.folder)
    return found


def _once(
    space: Recipe,
    data: Data,
    *,
    trials: int | None,
    seconds: float | None,
    sampler: str | BaseSampler,
    pruner: str | BasePruner | None,
    storage: str | Path | BaseStorage | None,
    folder: str | Path | None,
    name: str,
    seeds: int,
    folds: int | None,
    guesses: Sequence[Mapping[str, Any]],
    slots: int | None,
    seed: int,
    fresh: int,
    show: bool | str,
    settings: Settings | None,
    nodes: list[Node],
) -> Study:
    """One search; arguments as for ``tune``."""
    began = time.monotonic()
    points = [check_values(space, guess) for guess in guesses]
    listed = _listed(space, sampler, points, certain(trials, seconds))
    if sampler == POPULATION:
        trials = check_population(trials, seconds, pruner, seeds, folds, nodes)
    if trials is None and seconds is None and listed is None:
        raise RecipeError(
            "tune(trials, seconds)",
            required="a budget",
            got="neither",
            remedy="give trials=200, or seconds=60",
        )
    trials = trials if listed is None else min(trials or len(listed), len(listed))
    default = space.at(points[0] if points else {})
    parts = make_folds(data, default.preparation.split, folds) if folds else []
    chosen = _sampler(sampler, seed)
    adaptive = not isinstance(chosen, NOT_ADAPTIVE)
    members = seeds * max(1, folds or 0)
    machines = max(1, len(nodes))
    budget = Budget(trials, seconds, _at_once(trials, members, slots, adaptive, machines))
    each = -(-budget.at_once // machines)
    room = members * min(each, max(1, (slots or MOST_AT_ONCE) // members))
    expected = None if trials is None else trials * members
    planner = plan(space, data, expected, seconds, settings)
    chunk = _chunk(space, pruned=pruner not in (None, "none"))
    executor = Executor(data, parts, chunk, settings, planner, room)
    for fold in range(folds) if folds else [None]:
        executor.check(default, fold)
    root = None if folder is None else Path(folder)
    size = trials if sampler == POPULATION else None
    mirror = _mirror(storage, root, name, space, data, seed, size)
    if mirror is not None and mirror.finished:
        chosen = _sampler(sampler, _later(seed, len(mirror.finished)))
    study = quiet_study(None, name, sampler=chosen, pruner=make_pruner(pruner or "none"))
    search: Search | Population
    trainer = Cluster(executor, nodes, space, expected, seconds) if nodes else None
    if size is not None:
        search = Population(space, study, executor, size, points, seed, mirror)
    else:
        _first(study, points if listed is None else listed[:trials], mirror)
        search = Search(space, study, trainer or executor, budget, seeds, folds or 0, mirror)
    with (
        progress(show) as line,
        mirror or nullcontext(),
        closing(trainer) if trainer else nullcontext(),
    ):
        _run(search, line)
        if not np.isfinite(search.best):
            raise nothing(study)
        search.executor.deadline = float("inf")
        line.say("training the best again with fresh seeds")
        found = _finish(search, data, default, fresh, root)
    found.seconds = time.monotonic() - began
    return found


def _run(search: Search | Population, line: Progress) -> None:
    began = time.monotonic()
    if isinstance(search, Population):
        while search.advance():
            line.show(search.standing)
        return
    before = search.done
    while search.advance():
        line.show(_standing(search, before, time.monotonic() - began))


def _standing(search: Search, before: int, seconds: float) -> Standing:
    states = search.counts
    pruned, failed = states[optuna.trial.TrialState.PRUNED], states[optuna.trial.TrialState.FAIL]
    of = "" if search.budget.trials is None else f"/{search.budget.trials}"
    rate = (search.done - before) / max(seconds, 1e-9)
    best = f"{search.best:.4g}" if np.isfinite(search.best) else "-"
    text = f"{search.done}{of} trials, {pruned} pruned, "
    text += f"{failed} failed, " if failed else ""
    text += f"{len(search.flights)} running | best {best} | {rate:.3g} trials/s"
    limit = search.budget.seconds
    if limit is not None and search.budget.trials is None:
        return Standing(min(round(10 * seconds), round(10 * limit) - 1), round(10 * limit), text)
    return Standing(search.done, search.budget.trials or search.done, text)


def _finish(
    search: Search | Population, data: Data, default: Recipe, fresh: int, folder: Path | None
) -> Study:
    candidates, winner, other = protocol.judge(search, default, fresh)
    found = Study(
        space=search.space,
        data=data,
        optuna=search.study,
        candidates=tuple(candidates),
        winner=winner,
        default=other,
        compilations=search.executor.compilations,
        wasted=search.wasted,
        seconds=0.0,
        folder=folder,
        test_looks=account.looks(folder) + (1 if winner.test else 0),
    )
    if folder is not None:
        write_atomically(folder / "space.json", search.space.to_json().encode())
        write_atomically(folder / "winner.json", found.run.recipe.to_json().encode())
        found.best.save(folder / "best.safetensors")
        if isinstance(search, Population):
            found.lineage().save(folder / "lineage.json")
    return found


# --- preparing -----------------------------------------------------------------------------------


def _listed(
    space: Recipe, sampler: str | BaseSampler, points: list[dict[str, Any]], most: float
) -> list[dict[str, Any]] | None:
    """The points of a sampler that ends; None for one that does not."""
    if not isinstance(sampler, str) or sampler not in LISTED:
        return None
    if sampler == "grid":
        return points + mixed(grid(space), points, most)
    if not points:
        raise RecipeError(
            'tune(sampler="guess")',
            required="points to try",
            got="none",
            remedy="give guesses=[{name: value}, ...], or use another sampler",
        )
    return points


def _sampler(wanted: str | BaseSampler, seed: int) -> BaseSampler:
    """A sampler; points that are listed are enqueued, so theirs is never asked for more."""
    return make_sampler("random" if wanted in (*LISTED, POPULATION) else wanted, seed)


def _chunk(space: Recipe, pruned: bool) -> int:
    """Epochs between two refills: a divisor of the longest training, about a tenth of it.

    Half of that where trials are pruned: to look often is what saves time then.
    """
    open_epochs: Any = space.epochs
    if describe.is_open(open_epochs):
        tops = (
            p.leaf.high if isinstance(p.leaf, Int) else max(p.leaf.values)
            for p in space.parameters
            if p.path == "epochs"
        )
        open_epochs = max(tops)
    most = max(1, open_epochs // (CHUNKS_PER_TRIAL * (1 + pruned)))
    return max(c for c in range(1, most + 1) if open_epochs % c == 0)


def _at_once(
    trials: int | None, members: int, slots: int | None, adaptive: bool, machines: int
) -> int:
    """Trials in flight: few for a sampler that learns, else as many as can be asked ahead."""
    if slots is not None:
        return max(1, slots // members) * machines
    if adaptive:
        return ADAPTIVE_AT_ONCE * machines
    return min(trials, MOST_ASKED) if trials is not None else MOST_AT_ONCE


def _mirror(
    storage: str | Path | BaseStorage | None,
    folder: Path | None,
    name: str,
    space: Recipe,
    data: Data,
    seed: int,
    population: int | None,
) -> Mirror | None:
    if storage is None and folder is None:
        return None
    opened = open_storage(storage if storage is not None else Path(str(folder)) / STORAGE)
    about = {"space": json.loads(space.to_json()), "data": fingerprint(data), "seed": seed}
    about["population"] = population
    return Mirror(opened, name, about)


def _first(study: optuna.Study, points: list[dict[str, Any]], mirror: Mirror | None) -> None:
    """What a study begins with: finished trials, those to start again, points not tried yet."""
    known: set[int] = set()
    if mirror is not None:
        study.add_trials(mirror.finished)
        for number, params in sorted(mirror.asked.items()):
            study.enqueue_trial(params, user_attrs={"trial": number})
        known = {int(t.user_attrs["trial"]) for t in mirror.finished} | set(mirror.asked)
    for number, point in enumerate(points):
        if number not in known:
            study.enqueue_trial(point, user_attrs={"trial": number})


def _later(seed: int, finished: int) -> int:
    """Another seed for a study that goes on, so that it does not draw the same points again."""
    return int(np.random.SeedSequence([seed, finished]).generate_state(1)[0])
