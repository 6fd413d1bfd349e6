"""The picture of a cure: what each remedy did, and the training before and after."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from shoal.doctor.verdicts import CURED, IMPROVES, NO_EFFECT, WORSE
from shoal.doctor.words import number
from shoal.drawing import new_figure, save

if TYPE_CHECKING:
    from shoal.doctor.result import Cure

MOST_BARS, LONGEST = 18, 44
COLOURS = {
    CURED: "#2e7d4f",
    IMPROVES: "#8bbf8f",
    NO_EFFECT: "#b0b5bd",
    WORSE: "#c0504d",
    "": "#3b4252",
}
GREY = "#8a9099"


class CureInfo(NamedTuple):
    """What the picture shows.

    Attributes:
        labels: of the bars, best first; qualities, halves: their length and 95 % interval (0 where
            there are too few seeds); verdicts: of each; bounds: of qualities.
        before, after: quality by epoch of the training as it is, and of the cure or the best arm.
        after_label: what the second curve is.
        floor, simple: quality without learning, and of a simple model.
    """

    labels: tuple[str, ...]
    qualities: tuple[float, ...]
    halves: tuple[float, ...]
    verdicts: tuple[str, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]
    after_label: str
    floor: float
    simple: float
    bounds: tuple[float, float]

    def reach(self, row: int) -> tuple[float, float]:
        """How far the interval of a bar goes down and up; not beyond the bounds."""
        quality, half, (low, high) = self.qualities[row], self.halves[row], self.bounds
        return max(0.0, min(half, quality - low)), max(0.0, min(half, high - quality))


def cure_info(cure: "Cure") -> CureInfo:
    """The best arms, the training as it is, and two curves."""
    named = [trial for trial in cure.trials if trial.names]
    sick = next(trial for trial in cure.trials if not trial.names)
    chosen = [trial for trial in named if trial.names == cure.names and cure.names]
    shown = [t for t in cure.trials if t in chosen or t is sick or t in named[: MOST_BARS - 2]]
    best = chosen[0] if chosen else (named[0] if named else None)
    halves = [t.gain.half if t.verdict and t.gain.seeds > 2 else 0.0 for t in shown]
    return CureInfo(
        labels=tuple(_short(trial.label) for trial in shown),
        qualities=tuple(trial.quality for trial in shown),
        halves=tuple(halves),
        verdicts=tuple(trial.verdict for trial in shown),
        before=sick.curve,
        after=best.curve if best is not None else (),
        after_label=_short(best.label) if best is not None else "",
        floor=cure.scale.floor,
        simple=cure.scale.simple,
        bounds=cure.scale.bounds,
    )


def _short(label: str) -> str:
    return label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…"


def draw_cure(cure: "Cure", path: str | Path) -> Path:
    """Draw the arms as bars and two curves into a file; the ending says how.

    Raises:
        FileError: another ending, or it cannot be written.
    """
    info = cure_info(cure)
    height = max(3.2, 1.3 + 0.27 * len(info.labels))
    figure = new_figure(11, height)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _bars(left, info, cure.scale.metric)
    _curves(right, info, cure.scale.metric)
    figure.suptitle(cure.summary if len(cure.summary) < 110 else cure.summary[:109] + "…", size=11)
    return save(figure, path)


def _bars(axes: Any, info: CureInfo, metric: str) -> None:
    rows = range(len(info.labels))
    low = min([*info.qualities, info.floor if info.floor == info.floor else 0.0, 0.0])
    colours = [COLOURS[verdict] for verdict in info.verdicts]
    widths = [quality - low for quality in info.qualities]
    axes.barh(rows, widths, left=low, color=colours, height=0.7)
    for row in (row for row in rows if info.halves[row]):
        below, above = info.reach(row)
        ends = [[below], [above]]
        axes.errorbar(info.qualities[row], row, xerr=ends, color="black", capsize=2, lw=1)
    beside = axes.get_yaxis_transform()
    for row, (quality, verdict) in enumerate(zip(info.qualities, info.verdicts, strict=True)):
        said = f"{number(quality, 3)}  {verdict}"
        axes.text(1.01, row, said, va="center", size=8, transform=beside)
    axes.set_yticks(rows, info.labels, size=8)
    axes.invert_yaxis()
    _levels(axes.axvline, info)
    axes.set_xlabel(f"validation {metric}, with the 95 % interval of the gain")
    axes.spines[["top", "right"]].set_visible(False)


def _levels(line: Any, info: CureInfo) -> None:
    if info.floor == info.floor:
        line(info.floor, color=GREY, lw=1, ls=":", label="without learning")
    if info.simple == info.simple:
        line(info.simple, color=GREY, lw=1, ls="--", label="simple model")


def _curves(axes: Any, info: CureInfo, metric: str) -> None:
    if info.before:
        axes.plot(range(1, len(info.before) + 1), info.before, color=COLOURS[""], label="as it is")
    if info.after:
        epochs = range(1, len(info.after) + 1)
        axes.plot(epochs, info.after, color=COLOURS[CURED], label=info.after_label)
    _levels(axes.axhline, info)
    axes.set_xlabel("epoch")
    axes.set_ylabel(f"validation {metric}")
    axes.legend(fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
