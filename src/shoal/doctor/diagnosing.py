"""Diagnosing: from evidence to what is wrong, the likeliest cause first.

    sh.preflight(recipe, data)     before training: costs one batch
    sh.diagnose(run)               after it
    sh.diagnose(recipe, data)      trains with signals, then the same

Whether a training is sick at all is decided by the level it reached, not by its looks: a network
clearly worse than a simple model on the same rows. Only then does suspicion count. What leaves no
doubt, such as validation rows that were trained on, alarms whatever the level.
"""

from typing import Any

from shoal.data.dataset import Data
from shoal.doctor import gathering
from shoal.doctor.curves import reading
from shoal.doctor.evidence import Evidence
from shoal.doctor.finding import Diagnosis, Finding
from shoal.doctor.rules.rule import order
from shoal.doctor.rules.table import ALL, RULES
from shoal.doctor.watching.watch import Watched
from shoal.errors import RecipeError, ShoalError
from shoal.recipe import Recipe
from shoal.train.fit import as_data, fit
from shoal.train.history import History
from shoal.train.run import Run

BAR, LEAN = 0.08, 0.25
"""Leads of a simple model over a network, as shares of its range above chance, that make a training
sick: of one that does not fit its training rows either, and of one that does. Simple models suit
some data better than any network, so that fitting well counts. Tuned on half of the benchmark."""
LUCK = 0.1
"""How easily chance alone may give such a lead."""
FITS, UNFIT, SURE = 0.03, 0.12, 0.01
"""Up to the first share below simple models on rows left out, training rows count as fitted; from
the second on, where luck gives it less often than the third, they say enough by themselves."""


def preflight(recipe: Recipe, data: Data | tuple[Any, Any]) -> Diagnosis:
    """What is wrong with a training before it begins; costs one batch.

    Args:
        recipe: of the training.
        data: ``Data``, or (inputs, targets).

    Returns:
        alarms for what cannot work, hints for what may not.

    Raises:
        RecipeError, ShapeError, DataError: why it cannot be trained, where no rule says so.
    """
    evidence = gathering.of_recipe(_checked(recipe), as_data(data))
    found = judge(evidence, False)
    if found.healthy and evidence.has("refusal"):
        raise evidence.refusal
    return found


def diagnose(
    run: Run | History | Watched | Recipe,
    data: Data | tuple[Any, Any] | None = None,
    *,
    show: bool | str = False,
) -> Diagnosis:
    """What is wrong with a training, the likeliest cause first.

    Args:
        run: a run, best with signals; or a recipe, which is then trained with them. A ``History``
            tells less: without data nothing says which level could have been reached. What
            ``sh.doctor.watch`` watched is taken as its run; where it has no translation, it tells
            as little.
        data: for a recipe.
        show: progress of that training.

    Returns:
        the diagnosis; without findings where nothing is wrong.

    Raises:
        RecipeError: neither a run nor a recipe with data.
        ShoalError: what ``fit`` raises, where no rule says it.
    """
    if isinstance(run, Run):
        return judge(gathering.of_run(run))
    if isinstance(run, Watched):
        return judge(gathering.of_watched(run))
    if isinstance(run, History):
        return judge(gathering.of_history(run))
    recipe = _checked(run)
    if data is None:
        raise RecipeError(
            "diagnose(recipe, data)",
            required="the data to train on",
            got="none",
            remedy="give data, or a run",
        )
    known = as_data(data)
    try:
        return judge(gathering.of_run(fit(recipe, known, show=show, signals=True)))
    except ShoalError:
        if (found := preflight(recipe, known)).healthy:
            raise
        return found


def _checked(recipe: Any) -> Recipe:
    if isinstance(recipe, Recipe):
        return recipe
    raise RecipeError(
        "a diagnosis",
        required="a run, or a recipe and data",
        got=f"a {type(recipe).__name__}",
        remedy="write sh.diagnose(sh.fit(recipe, data, signals=True))",
    )


def judge(evidence: Evidence, sick: bool | None = None) -> Diagnosis:
    """The diagnosis of evidence, from wherever it was gathered.

    Args:
        sick: whether the training is; None to tell from its level.
    """
    ill = is_sick(evidence) if sick is None else sick
    behind = ill or (sick is None and lags(evidence))
    found = [(rule, rule.find(evidence, behind if rule.firm else ill)) for rule in ALL]
    there = [(rule, finding) for rule, finding in found if finding is not None]
    ordered = [finding for _, finding in sorted(there, key=lambda pair: order(*pair))]
    alarms = tuple(finding for finding in ordered if not finding.hint)
    hints = tuple(finding for finding in ordered if finding.hint)
    said = ""
    if evidence.has("curves"):
        said = reading(evidence.curves, bool(alarms))
        said += "" if evidence.has("level") else " No level is known: what is found are hints."
    return Diagnosis(alarms, hints, said)


def is_sick(evidence: Evidence) -> bool:
    """Whether the level that was reached says that something is wrong."""
    if evidence.has("curves") and not evidence.curves.finite:
        return True
    if not evidence.has("level"):
        return False
    level = evidence.level
    if level.train_gap > UNFIT and level.p_train < SURE and level.gap > UNFIT / 4:
        return True
    bar = BAR if level.train_gap > FITS else LEAN
    return level.gap >= bar and level.p < LUCK


def lags(evidence: Evidence) -> bool:
    """Whether a network that fits its training rows is behind, though by less than makes it sick.

    Then what a rule sees upstream is believed, and that it only overfits is not.
    """
    if not evidence.has("level"):
        return False
    level = evidence.level
    return level.gap >= BAR and level.p < LUCK


def explain(finding: Finding) -> str:
    """A finding with what may help and where the rule comes from, as lines of text."""
    remedies = ", ".join(finding.remedies)
    return f"{finding}\n   may help: {remedies}\n   rule: {RULES[finding.rule].source}"
