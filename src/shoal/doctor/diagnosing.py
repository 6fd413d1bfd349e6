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
from shoal.errors import RecipeError
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
FITS = 0.03
"""Up to this share below simple models on rows left out, training rows count as fitted."""


def preflight(recipe: Recipe, data: Data | tuple[Any, Any]) -> Diagnosis:
    """What is wrong with a training before it begins; costs one batch.

    Args:
        recipe: of the training.
        data: ``Data``, or (inputs, targets).

    Returns:
        alarms for what cannot work, hints for what may not.

    Raises:
        RecipeError, ShapeError, DataError: a training that cannot be described at all.
    """
    return judge(gathering.of_recipe(_checked(recipe), as_data(data)), False)


def diagnose(
    run: Run | History | Recipe,
    data: Data | tuple[Any, Any] | None = None,
    *,
    show: bool | str = False,
) -> Diagnosis:
    """What is wrong with a training, the likeliest cause first.

    Args:
        run: a run, best with signals; or a recipe, which is then trained with them. A ``History``
            tells less: without data nothing says which level could have been reached.
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
    before = gathering.of_recipe(recipe, known)
    if before.has("refusal"):
        found = judge(before, False)
        if found.healthy:
            raise before.refusal
        return found
    return judge(gathering.of_run(fit(recipe, known, show=show, signals=True)))


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
    found = [(rule, rule.find(evidence, ill)) for rule in ALL]
    there = [(rule, finding) for rule, finding in found if finding is not None]
    ordered = [finding for _, finding in sorted(there, key=lambda pair: order(*pair))]
    alarms = tuple(finding for finding in ordered if not finding.hint)
    hints = tuple(finding for finding in ordered if finding.hint)
    said = ""
    if evidence.has("curves"):
        said = reading(evidence.curves, bool(alarms))
    return Diagnosis(alarms, hints, said)


def is_sick(evidence: Evidence) -> bool:
    """Whether the level that was reached says that something is wrong."""
    if evidence.has("curves") and not evidence.curves.finite:
        return True
    if not evidence.has("level"):
        return False
    level = evidence.level
    bar = BAR if level.train_gap > FITS else LEAN
    return level.gap >= bar and level.p < LUCK


def explain(finding: Finding) -> str:
    """A finding with what may help and where the rule comes from, as lines of text."""
    remedies = ", ".join(finding.remedies)
    return f"{finding}\n   may help: {remedies}\n   rule: {RULES[finding.rule].source}"
