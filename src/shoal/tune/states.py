"""States: what became of the trials of a search, in words, and how many there are of each.

Optuna has no state for a trial that was asked for but never trained, because the time was up: in
the study in memory it is a failed one with a mark. It is counted apart, and no storage has it, so
that a search that goes on begins it again.
"""

from collections.abc import Iterable

from optuna.trial import FrozenTrial, TrialState

NOT_BEGUN = "not begun"

MARK = "begun"
"""The attribute of such a trial, False."""

WORDS = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}


def begun(trial: FrozenTrial) -> bool:
    """Whether it was trained, or could not be for a reason of its own."""
    return bool(trial.user_attrs.get(MARK, True))


def failed(trial: FrozenTrial) -> bool:
    """Whether it failed, for a reason of its own."""
    return trial.state == TrialState.FAIL and begun(trial)


def state(trial: FrozenTrial) -> str:
    """What became of a trial: "complete", "pruned", "fail", "not begun", ..."""
    return trial.state.name.lower() if begun(trial) else NOT_BEGUN


def tally(trials: Iterable[FrozenTrial]) -> str:
    """How many trials came to what: "20 complete, 4 pruned, 1 failed, 3 not begun"."""
    found = [NOT_BEGUN if not begun(trial) else WORDS.get(trial.state, "") for trial in trials]
    words = (*WORDS.values(), NOT_BEGUN)
    return ", ".join(f"{found.count(word)} {word}" for word in words if word in found)
