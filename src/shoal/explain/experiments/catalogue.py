"""The catalogue of experiments, and how one is run.

To add an experiment write its function and a row in the ``EXPERIMENTS`` of its file; a new file is
one more line in ``EXPERIMENTS`` here.
"""

from pathlib import Path

from shoal.drawing import check_picture
from shoal.errors import RecipeError, did_you_mean
from shoal.explain.experiments import (
    activations,
    batches,
    beginnings,
    boundaries,
    contours,
    depths,
    drift,
    dropouts,
    gradients,
    heads,
    overfitting,
    rates,
    rectifiers,
    searching,
    speed,
)
from shoal.explain.experiments.animation import animate, check_animation
from shoal.explain.experiments.experiment import Experiment, Finding, Size

EXPERIMENTS: tuple[Experiment, ...] = (
    *gradients.EXPERIMENTS,
    *activations.EXPERIMENTS,
    *rectifiers.EXPERIMENTS,
    *beginnings.EXPERIMENTS,
    *heads.EXPERIMENTS,
    *batches.EXPERIMENTS,
    *speed.EXPERIMENTS,
    *contours.EXPERIMENTS,
    *rates.EXPERIMENTS,
    *boundaries.EXPERIMENTS,
    *dropouts.EXPERIMENTS,
    *drift.EXPERIMENTS,
    *depths.EXPERIMENTS,
    *overfitting.EXPERIMENTS,
    *searching.EXPERIMENTS,
)
BY_NAME = {experiment.name: experiment for experiment in EXPERIMENTS}
SCALES = {"full": 1.0, "small": 0.1}
"""Sizes by name, and their scales."""


def experiments() -> tuple[Experiment, ...]:
    """All experiments: name, title, claim, source, method of each."""
    return EXPERIMENTS


def show(
    name: str,
    *,
    seeds: int | None = None,
    size: str | float = "full",
    out: str | Path | None = None,
    animation: str | Path | None = None,
) -> Finding:
    """Run a controlled experiment that tests what textbooks say about training.

    Args:
        name: of the experiment; ``experiments()`` lists them.
        seeds: networks that differ in nothing but their seed, >= 2; by default the experiment's.
        size: "full", "small" for a look within a few seconds, or a scale in (0, 1].
        out: where to write the picture: .png, .svg or .pdf; None for none.
        animation: where to write the paths of the picture step by step, a .gif; None for none.

    Returns:
        the finding: table, comparisons with 95 % intervals over seeds, sentence, verdict, picture.

    Raises:
        RecipeError: an unknown name, a size that cannot be, an animation of what has no paths.
        FileError: picture or animation cannot be written.
    """
    experiment = named(name)
    taken = _size(experiment.seeds if seeds is None else seeds, size)
    if out is not None:
        check_picture(out)
    if animation is not None:
        check_animation(experiment, animation)
    finding = Finding(experiment, taken, experiment.run(taken))
    if out is not None:
        finding.draw(out)
    if animation is not None:
        animate(finding, animation)
    return finding


def named(name: str) -> Experiment:
    """The experiment of a name; hyphens count as underscores.

    Raises:
        RecipeError: there is none.
    """
    found = BY_NAME.get(str(name).replace("-", "_"))
    if found is None:
        raise RecipeError(
            "show(name)",
            required="the name of an experiment",
            got=repr(name),
            remedy=did_you_mean(str(name), BY_NAME),
        )
    return found


def _size(seeds: int, size: str | float) -> Size:
    if isinstance(seeds, bool) or not isinstance(seeds, int) or seeds < 2:
        raise RecipeError(
            "show(seeds)",
            required="a whole number >= 2, for an interval",
            got=repr(seeds),
            remedy="leave it out",
        )
    scale = SCALES.get(size) if isinstance(size, str) else size
    if isinstance(scale, bool) or not isinstance(scale, float | int) or not 0.0 < scale <= 1.0:
        raise RecipeError(
            "show(size)",
            required='"full", "small" or a scale in (0, 1]',
            got=repr(size),
            remedy="leave it out for the full experiment",
        )
    return Size(seeds, float(scale))
