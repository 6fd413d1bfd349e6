"""cure: try remedies on a sick training until one is proven, or say that nothing helped.

    1  rows to judge on are set apart                                           ``ground``
    2  remedies race against the training as it is: two seeds, validation       ``race``
    3  the best of them and the training as it is get all seeds, and verdicts   ``verdicts``
    4  the smallest of equivalent cures is trained again with fresh seeds, beside the training as
       it is; so is "new seed", the control that says what another seed alone does
    5  the test split, where there is one, is read once; a cure that loses there is not given

The same recipe, data and settings give the same cure.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from shoal.arrays import Numbers
from shoal.choosing import check_closed
from shoal.data.dataset import Data
from shoal.doctor.arena import Arena, each_seed
from shoal.doctor.diagnosing import diagnose
from shoal.doctor.finding import Diagnosis
from shoal.doctor.ground import Ground, ground
from shoal.doctor.race import Arm, Race
from shoal.doctor.remedies import apply, changes, remedy
from shoal.doctor.result import Cure, Proof, Trial, smallest_first
from shoal.doctor.scoring import Scale, metrics_of, scale
from shoal.doctor.verdicts import CURED, EQUIVALENT, Gain, gain, verdict
from shoal.doctor.words import number
from shoal.errors import RecipeError, ShoalError
from shoal.recipe import Recipe
from shoal.rules import Whole
from shoal.train.fit import as_data
from shoal.train.progress import Progress, Standing, progress
from shoal.train.settings import Settings, plan_work

FINALISTS = 4
"""Arms that get all seeds, beside the training as it is and what the best of them is made of."""

FRESH = 1000
"""The first fresh seed, counted from the recipe's own."""

HELD = 0.5
"""Share of the gain that fresh seeds must show again."""

TRIED = 2
"""Candidates that are given the chance to prove themselves."""


def cure(
    recipe: Recipe,
    data: Data | tuple[Any, Any],
    diagnosis: Diagnosis | None = None,
    *,
    remedies: Sequence[str] | None = None,
    seeds: int = 5,
    show: bool | str = True,
    settings: Settings | None = None,
) -> Cure:
    """Find the smallest edit that cures a training, by experiment.

    Args:
        recipe: the sick training. It need not be one that can be run.
        data: ``Data``, or (inputs, targets).
        diagnosis: says which remedies to try first; None to diagnose.
        remedies: the only ones to try, by name; None for all that apply. Nothing is diagnosed then.
        seeds: with which finalists are compared, and as many fresh ones for the proof, >= 3.
        show: progress, as for ``fit``.
        settings: of the pools, as for ``fit``.

    Returns:
        verdicts for all remedies tried, the cured recipe and its run.

    Raises:
        RecipeError: something open in the recipe, an unknown remedy, too few seeds.
        DataError: data without a validation split, or that cannot be used.
    """
    began = time.monotonic()
    given = as_data(data)
    _check(recipe, remedies, seeds)
    judged = ground(recipe, given)
    line: Progress
    with progress(show) as line:
        if diagnosis is None and remedies is None:
            diagnosis = _diagnosed(recipe, given, line)
        race = _race(recipe, judged.data, diagnosis, remedies, settings, line)
        race.run()
        found = _finish(race, seeds, line)
    result = _result(race, recipe, given, judged, *found)
    result.seconds = time.monotonic() - began
    return result


def _check(recipe: Any, remedies: Sequence[str] | None, seeds: int) -> None:
    if not isinstance(recipe, Recipe):
        raise RecipeError(
            "cure(recipe)",
            required="Recipe(...) before the data",
            got=f"a {type(recipe).__name__}",
            remedy="give the recipe of the sick training; that of a run is run.recipe",
        )
    check_closed(recipe, "cure(recipe)")
    if remedies is not None and (isinstance(remedies, str) or not len(remedies)):
        raise RecipeError(
            "cure(remedies)",
            required="a list of names of remedies",
            got=repr(remedies),
            remedy='give ["rate_x0.1"], or leave it out for all that apply',
        )
    for name in remedies if remedies is not None else ():
        remedy(name)
    if not Whole(3).accepts(seeds):
        raise RecipeError(
            "cure(seeds)", required=Whole(3).text, got=repr(seeds), remedy="leave it out"
        )
    if recipe.preparation.split.validation == 0:
        raise RecipeError(
            "cure(recipe)",
            required="a validation split to compare remedies on",
            got="Split(validation=0)",
            remedy="set a share: Preparation(split=Split(validation=0.2))",
        )


def _diagnosed(recipe: Recipe, data: Data, line: Progress) -> Diagnosis | None:
    """The diagnosis; None where no rule says why the recipe cannot be trained."""
    try:
        found = diagnose(recipe, data)
    except ShoalError:
        return None
    line.say(str(found))
    return found


def _race(
    recipe: Recipe,
    data: Data,
    diagnosis: Diagnosis | None,
    remedies: Sequence[str] | None,
    settings: Settings | None,
    line: Progress,
) -> Race:
    standing = _Standing(line)
    metrics = metrics_of(recipe, data)
    arena = Arena(recipe, metrics, settings, standing.trained)
    runnable = _runnable(recipe, data)
    prepared, hints = arena.prepared(*runnable), _hints(diagnosis)
    if hints and runnable[0] is not recipe:
        mended = changes((recipe, data), runnable).replace("\n", "; ")
        line.say(f"mended ({mended}), it is diagnosed again:")
        hints += _hints(_diagnosed(*runnable, line))
    return Race(arena, recipe, data, scale(prepared, metrics), hints, remedies, standing.say)


def _hints(diagnosis: Diagnosis | None) -> list[tuple[str, ...]]:
    """The remedies of each cause."""
    if diagnosis is None or diagnosis.healthy:
        return []
    return [finding.remedies for finding in (*diagnosis.findings, *diagnosis.hints)]


def _runnable(recipe: Recipe, data: Data) -> tuple[Recipe, Data]:
    """A recipe that can be trained: the sick one, or with its loss and head mended."""
    for names in ((), ("fix_head",), ("fix_loss",), ("fix_loss", "fix_head")):
        pair: tuple[Recipe, Data] | None = (recipe, data)
        for name in names:
            pair = apply(name, *pair) if pair is not None else None
        try:
            if pair is not None:
                plan_work(pair[0], pair[0].prepare(pair[1]))
                return pair
        except ShoalError:
            continue
    recipe.prepare(data)  # says what is wrong
    return recipe, data


class _Standing:
    """Where a cure stands, for the progress line."""

    def __init__(self, line: Progress) -> None:
        self.line, self.done, self.text = line, 0, "as it is"

    def trained(self, epochs: int) -> None:
        self.done += epochs
        self.line.show(Standing(self.done, self.done + 1, f"{self.done} epochs | {self.text}"))

    def say(self, text: str) -> None:
        self.text = text
        self.line.show(Standing(self.done, self.done + 1, f"{self.done} epochs | {text}"))


# --- deciding ------------------------------------------------------------------------------------


def _finish(race: Race, seeds: int, line: Progress) -> tuple[tuple[Trial, ...], Arm, Proof | None]:
    """Verdicts, the arm that is taken (as it is, where none proves itself), and its proof."""
    race.complete([race.sick, *_finalists(race)], seeds)
    trials = _trials(race, seeds)
    proof = None
    for arm in _candidates(race, trials)[:TRIED]:
        line.say(f"proving {arm.label!r} with fresh seeds")
        proof = _prove(race, arm, seeds)
        if proof.holds:
            return trials, arm, proof
    return trials, race.sick, proof


def _finalists(race: Race) -> list[Arm]:
    """The best arms, and those with fewer of the remedies of the best one."""
    found = [arm for arm in race.ranked if arm.names][:FINALISTS]
    if not found:
        return []
    best = set(found[0].names)
    fewer = race.reduce(found[0])
    fewer += [arm for arm in race.arms.values() if arm.forks and set(arm.names) < best]
    return [*found, *(arm for arm in dict.fromkeys(fewer) if arm.names and arm not in found)]


def _before(race: Race, seeds: int) -> Numbers:
    """Qualities of the training as it is; the floor where it cannot be trained."""
    sick = race.sick
    if sick.reason:
        return np.full(seeds, race.scale.quality(float("nan")))
    return sick.qualities(race.scale)


def _trials(race: Race, seeds: int) -> tuple[Trial, ...]:
    before = _before(race, seeds)
    finished = [arm for arm in race.arms.values() if arm.forks]
    gains = {arm.names: gain(arm.qualities(race.scale), before) for arm in finished}
    sure = [found.mean for names, found in gains.items() if names and found.seeds >= seeds]
    gap = max([0.0, *sure])
    trials = [_trial(race, arm, gains[arm.names], gap) for arm in finished]
    if race.sick.reason:
        trials.append(_untrained(race, before))
    return tuple(sorted(trials, key=lambda trial: -trial.quality))


def _trial(race: Race, arm: Arm, found: Gain, gap: float) -> Trial:
    sick = (race.sick.recipe, race.sick.data)
    return Trial(
        names=arm.names,
        verdict=verdict(found, gap, race.worth) if arm.names else "",
        quality=arm.mean(race.scale),
        gain=found,
        size=arm.size,
        changes=changes(sick, (arm.recipe, arm.data)),
        curve=_curve(arm, race.scale),
    )


def _untrained(race: Race, before: Numbers) -> Trial:
    return Trial((), "", float(before[0]), gain(before, before), 0, "", ())


def _curve(arm: Arm, scale: Scale) -> tuple[float, ...]:
    """The mean over the seeds after each epoch; a seed that has stopped keeps its last."""
    column = f"validation_{scale.metric}"
    found = [[scale.quality(v) for v in f.history[column]] for f in arm.forks if f.history]
    most = max((len(values) for values in found), default=0)
    padded = [v + v[-1:] * (most - len(v)) if v else [scale.floor] * most for v in found]
    return tuple(float(v) for v in np.mean(padded, axis=0)) if padded else ()


def _candidates(race: Race, trials: tuple[Trial, ...]) -> list[Arm]:
    """Equivalent cures, the smallest edit first, then the best."""
    cures = smallest_first(trials)
    if not cures:
        return []
    top = max(trial.gain.mean for trial in cures)
    even = [trial for trial in cures if trial.gain.mean >= EQUIVALENT * top]
    best = max(cures, key=lambda trial: trial.gain.mean)
    chosen = dict.fromkeys(trial.names for trial in (*even, best))
    # The next to be tried, should the smallest not hold, is the best of all.
    names = list(dict.fromkeys((next(iter(chosen)), best.names, *chosen)))
    return [race.arms[name] for name in names]


def _prove(race: Race, arm: Arm, seeds: int) -> Proof:
    """An arm and the training as it is, with seeds that decided nothing; then the test split."""
    again = Arm(arm.names, arm.recipe, arm.data)
    control = Arm((), race.sick.recipe, race.sick.data, reason=race.sick.reason)
    for one in (again, control):
        one.forks += [] if one.reason else each_seed(one.recipe, one.data, FRESH, seeds)
    race.complete([again, control], seeds)
    after = again.qualities(race.scale)
    floor = np.full(seeds, race.scale.quality(float("nan")))
    before = floor if control.reason else control.qualities(race.scale)
    found = gain(after, before)
    raced = gain(arm.qualities(race.scale), _before(race, seeds)).mean
    holds = found.better and found.mean >= max(HELD * raced, race.worth)
    tests = _tests(race, control), _tests(race, again)
    if holds and np.isfinite(tests).all():
        holds = tests[1] > tests[0]
    return Proof(
        gain=found,
        before=float(before.mean()),
        after=float(after.mean()),
        new_seed=float(before.mean() - _before(race, seeds).mean()),
        test_before=tests[0],
        test_after=tests[1],
        holds=bool(holds),
    )


def _tests(race: Race, arm: Arm) -> float:
    """The mean quality on the test split; NaN without one."""
    if arm.reason:
        return race.scale.quality(float("nan"))
    parts = race.arena.prepared(arm.recipe, arm.data).parts
    if not len(parts.test):
        return float("nan")
    split = arm.data.part(parts.test, "test")
    found = []
    for fork in arm.forks:
        run = race.arena.run([fork])
        scores = run.model.evaluate(split, race.arena.metrics)
        found.append(race.scale.quality(scores[race.scale.metric]))
    return float(np.mean(found))


# --- the result ----------------------------------------------------------------------------------


def _result(
    race: Race,
    recipe: Recipe,
    data: Data,
    judged: Ground,
    trials: tuple[Trial, ...],
    arm: Arm,
    proof: Proof | None,
) -> Cure:
    edited = _edited(recipe, data, (*judged.repairs, *arm.names))
    cures = smallest_first(trials) if arm.names else []
    top = max((trial.gain.mean for trial in cures), default=0.0)
    even = [trial.names for trial in cures if trial.gain.mean >= EQUIVALENT * top]
    looks = int(proof is not None and np.isfinite(proof.test_after))
    run = race.arena.run(arm.forks[:1]) if arm.forks else None
    return Cure(
        sick=recipe,
        data=data,
        recipe=edited[0],
        cured_data=edited[1],
        names=arm.names,
        trials=trials,
        equivalent=tuple(even),
        proof=proof if arm.names else None,
        summary=_summary(race, trials, arm, proof),
        notes=judged.notes,
        repairs=judged.repairs,
        scale=race.scale,
        run=run,
        programs=race.arena.compilations,
        seconds=0.0,
        test_looks=looks,
    )


def _edited(recipe: Recipe, data: Data, names: tuple[str, ...]) -> tuple[Recipe, Data]:
    """The remedies taken, applied to what the user gave."""
    pair = (recipe, data)
    for name in names:
        pair = apply(name, *pair) or pair
    return pair


def _summary(race: Race, trials: tuple[Trial, ...], arm: Arm, proof: Proof | None) -> str:
    metric, tried = race.scale.metric, sum(bool(trial.names) for trial in trials)
    now = float(_before(race, 1).mean())
    if arm.names and proof is not None:
        change = f"{number(proof.before)} -> {number(proof.after)}"
        return f"cured by {arm.label}: {metric} {change}"
    if race.sick.reason:
        return f"it cannot be trained ({race.sick.reason}), and nothing helped: {tried} remedies"
    if race.enough(race.sick) or not tried:
        said = "and no remedy is better for sure" if tried else "about that of a simple model"
        return f"nothing needs a cure: {metric} {number(now)}, {said}"
    if any(trial.verdict == CURED for trial in trials):
        return f"nothing helped for sure: no gain held with fresh seeds ({metric} {number(now)})"
    return f"nothing helped: {tried} remedies, {metric} {number(now)}"
