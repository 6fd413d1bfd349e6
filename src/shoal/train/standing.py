"""Standing: what a progress line says about a campaign under way."""

from collections.abc import Sequence

import numpy as np

from shoal.train.campaign import Campaign
from shoal.train.member import Status
from shoal.train.outcome import Outcome
from shoal.train.progress import Standing

UNSHOWN = ("gradient_norm", "learning_rate", "penalty", "batch_loss_std", "batch_loss_max")


def standing(campaign: Campaign, outcomes: Sequence[Outcome | None], waiting: int) -> Standing:
    """Where a training stands.

    Args:
        campaign: the one under way.
        outcomes: of all recipes, of other campaigns too; None for those not finished.
        waiting: epochs, at most, of recipes whose campaign has not begun.
    """
    done = sum(o.epochs for o in outcomes if o is not None)
    slots = [slot for slot in campaign.slots if slot is not None]
    running = sum(campaign.pool.epoch - slot.start_epoch for slot in slots)
    open_ = sum(
        recipe.epochs
        for recipe, outcome in zip(campaign.recipes, campaign.outcomes, strict=True)
        if outcome is None
    )
    head = _one(campaign, outcomes) if len(outcomes) == 1 else _many(campaign, outcomes)
    return Standing(done + running, done + open_ + waiting, f"{head} | {_numbers(campaign)}")


def _one(campaign: Campaign, outcomes: Sequence[Outcome | None]) -> str:
    finished = outcomes[0]
    epoch = finished.epochs if finished else campaign.pool.epoch - campaign.first_epoch
    return f"epoch {epoch}/{campaign.recipes[0].epochs}"


def _many(campaign: Campaign, outcomes: Sequence[Outcome | None]) -> str:
    finished = [outcome for outcome in outcomes if outcome is not None]
    training = sum(slot is not None for slot in campaign.slots)
    dead = sum(outcome.status == Status.NOT_FINITE for outcome in finished)
    text = f"{len(finished)}/{len(outcomes)} done, {training} training"
    return text + (f", {dead} not finite" if dead else "")


def _numbers(campaign: Campaign) -> str:
    """The latest losses and validation metrics: of the only member, or the median and the best."""
    found: dict[str, list[float]] = {}
    for slot in campaign.slots:
        for name, parts in (slot.history if slot is not None else {}).items():
            found.setdefault(name, []).append(float(parts[-1][-1]))
    for outcome in campaign.outcomes:
        for name, values in (outcome.history if outcome is not None else {}).items():
            found.setdefault(name, []).extend(values[-1:].tolist())
    names = [n for n in found if n not in UNSHOWN and ("loss" in n or "validation" in n)]
    shown = []
    for name in sorted(names, key=lambda n: ("loss" not in n, n)):
        finite = [value for value in found[name] if np.isfinite(value)] or [float("nan")]
        shown.append(f"{name.replace('_', ' ')} {np.median(finite):.4g}")
    note = " (medians)" if len(campaign.recipes) > 1 else ""
    return ", ".join(shown) + note
