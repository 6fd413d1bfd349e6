"""The figures of the benchmark as a picture: each share with its interval, and its goal."""

from pathlib import Path
from typing import Any, NamedTuple

from shoal.doctor.bench.tallies import AT_LEAST, Goal
from shoal.drawing import new_figure, save

GREEN, RED, GREY = "#2a7f62", "#b3402e", "#8a8a8a"


class BarInfo(NamedTuple):
    """One line of the picture.

    Attributes:
        name: of the figure and how many cases; value, low, high: in percent.
        goal: in percent, None where there is none; colour: whether it is reached.
    """

    name: str
    value: float
    low: float
    high: float
    goal: float | None
    colour: str


def bar_infos(goals: list[Goal]) -> list[BarInfo]:
    """What is drawn, figures of no cases left out."""
    found = []
    for goal in goals:
        share = goal.share
        if not share.of:
            continue
        aim = None if goal.goal == 0 and goal.bound == AT_LEAST else goal.goal
        colour = GREY if aim is None else GREEN if goal.reached else RED
        name = f"{share.name}  ({share.of})"
        found.append(
            BarInfo(name, 100 * share.value, 100 * share.low, 100 * share.high, aim, colour)
        )
    return found


def draw_bench(goals: list[Goal], title: str, path: str | Path) -> Path:
    """Write the picture.

    Raises:
        FileError: it cannot be written.
    """
    infos = bar_infos(goals)
    figure = new_figure(9.0, 1.2 + 0.42 * max(1, len(infos)))
    _lines(figure.subplots(), infos, title)
    return save(figure, path)


def _lines(axes: Any, infos: list[BarInfo], title: str) -> None:
    for row, info in enumerate(infos):
        axes.plot([info.low, info.high], [row, row], color=info.colour, linewidth=3, alpha=0.35)
        axes.plot(info.value, row, "o", color=info.colour, markersize=7)
        if info.goal is not None:
            axes.plot([info.goal] * 2, [row - 0.32, row + 0.32], color="black", linewidth=1.5)
        axes.text(104, row, f"{info.value:.1f} %", va="center", color=info.colour)
    axes.set_yticks(range(len(infos)), [info.name for info in infos])
    axes.invert_yaxis()
    axes.set_xlim(-3, 118)
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel("percent of cases, with 95 % interval; black line: what must be reached")
    axes.set_title(title, loc="left")
    axes.grid(axis="x", alpha=0.3)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
