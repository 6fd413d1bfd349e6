"""Health of the layers over the epochs: one heat map (layers x epochs) for each signal.

A run trained with signals, as all are by default, has columns named ``<layer>:<signal>`` in its
record, ``dense2:gradient_norm`` for example, (E, K) each. Signals that span orders of magnitude
are drawn on a logarithmic scale; shares of units lie between 0 and 1.
"""

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from shoal.arrays import Numbers
from shoal.errors import DataError
from shoal.explain.language import Say
from shoal.explain.page import page, short
from shoal.train.history import History
from shoal.train.record import Record
from shoal.train.run import Run

SCALES = {
    "activation_mean": "signed",
    "activation_std": "log",
    "dead": "share",
    "saturated": "share",
    "gradient_norm": "log",
    "update_ratio": "log",
}
"""How each signal is coloured, in the order of the pictures; others follow, "plain"."""

MOST_NAMES = 40


class HeatMap(NamedTuple):
    """One signal of all layers that have it.

    Attributes:
        signal: its name; scale: "log", "share" (0 to 1), "signed" (white at 0) or "plain".
        layers: L names; values: (L, E), NaN where there is none.
    """

    signal: str
    scale: str
    layers: tuple[str, ...]
    values: Numbers


class HealthInfo(NamedTuple):
    """The heat maps of one member; ``epochs`` is E."""

    name: str
    epochs: int
    maps: tuple[HeatMap, ...]


def has_signals(record: Record) -> bool:
    """Whether a record has columns of signals of layers."""
    return any(":" in name for name in record)


def health_info(run: Run | History, member: int = 0) -> HealthInfo:
    """The signals of the layers of one member.

    Args:
        run: trained with signals.
        member: of an ensemble, counted from 0.

    Raises:
        DataError: a run without signals, or no such member.
    """
    record = run.record
    if not has_signals(record):
        raise DataError(
            f"the health of {run.recipe.name}",
            required="a record with signals of the layers",
            got="one without",
            remedy="train with sh.fit(..., signals='basic')",
        )
    if not 0 <= member < record.members:
        raise DataError(
            "member",
            required=f"a whole number from 0 to {record.members - 1}",
            got=repr(member),
            remedy="leave it out for the first",
        )
    columns = [tuple(name.rsplit(":", 1)) for name in record if ":" in name]
    present = {signal for _, signal in columns}
    signals = [s for s in SCALES if s in present] + sorted(present - set(SCALES))
    maps = []
    for signal in signals:
        layers = sorted((layer for layer, s in columns if s == signal), key=_natural)
        values = np.stack([record[f"{layer}:{signal}"][:, member] for layer in layers])
        maps.append(HeatMap(signal, SCALES.get(signal, "plain"), tuple(layers), values))
    return HealthInfo(run.recipe.name, record.epochs, tuple(maps))


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that puts layer 2 before layer 10."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def draw_health(
    run: Run | History, path: str | Path, *, member: int = 0, language: str = "en"
) -> Path:
    """Draw the signals of the layers over the epochs, a heat map for each.

    Args:
        run: trained with signals.
        path: of the picture; .png, .svg or .pdf.
        member: of an ensemble, counted from 0.
        language: "en" or "zh".

    Raises:
        DataError: a run without signals, or no such member.
        FileError: the picture cannot be written.
    """
    info = health_info(run, member)
    across = min(3, len(info.maps))
    down = -(-len(info.maps) // across)
    layers = max(len(heat.layers) for heat in info.maps)
    height = down * min(8.0, 1.2 + 0.28 * layers) + 0.5
    with page(path, 4.6 * across, height, language) as (figure, say):
        figure.suptitle(say("health of the layers of {name}", name=info.name))
        for number, heat in enumerate(info.maps, 1):
            axes: Any = figure.add_subplot(down, across, number)
            _draw_map(axes, heat, info.epochs, say)
    return Path(path)


def _draw_map(axes: Any, heat: HeatMap, epochs: int, say: Say) -> None:
    from matplotlib import colormaps

    norm, colours = _colours(heat)
    shades = colormaps[colours].with_extremes(bad="#bbbbbb")
    count = len(heat.layers)
    extent = (0.5, epochs + 0.5, count - 0.5, -0.5)
    shown = np.ma.masked_invalid(heat.values)
    if heat.scale == "log":
        shown = np.ma.masked_less_equal(shown, 0.0)
    image = axes.imshow(
        shown, aspect="auto", norm=norm, cmap=shades, extent=extent, interpolation="nearest"
    )
    title = say(heat.signal.replace("_", " "))
    axes.set_title(title + (" " + say("(log scale)") if heat.scale == "log" else ""))
    axes.set_xlabel(say("epoch"))
    axes.xaxis.get_major_locator().set_params(integer=True)
    every = -(-count // MOST_NAMES)
    axes.set_yticks(range(0, count, every))
    axes.set_yticklabels([short(name, 24) for name in heat.layers[::every]], fontsize=7)
    bar = axes.figure.colorbar(image, ax=axes, pad=0.02)
    if heat.scale == "log":
        from shoal.drawing import plain_log

        plain_log(bar.ax.yaxis)


def _colours(heat: HeatMap) -> tuple[Any, str]:
    """The scale of a heat map, and the name of its colours."""
    from matplotlib.colors import LogNorm, Normalize

    finite = heat.values[np.isfinite(heat.values)]
    if heat.scale == "share":
        return Normalize(0.0, 1.0), "Reds"
    if heat.scale == "signed":
        limit = float(np.abs(finite).max(initial=0.0)) or 1.0
        return Normalize(-limit, limit), "RdBu_r"
    if heat.scale == "log":
        positive = finite[finite > 0]
        low, high = (positive.min(), positive.max()) if len(positive) else (0.1, 1.0)
        return LogNorm(low / 1.1, high * 1.1), "viridis"
    return None, "viridis"
