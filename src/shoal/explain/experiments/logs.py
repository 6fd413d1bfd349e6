"""Curves of logarithms: means over seeds of losses that fall by orders of magnitude."""

import numpy as np

from shoal.explain.experiments.comparison import log10
from shoal.explain.experiments.picture import Line, line_over_seeds
from shoal.explain.experiments.trainings import Trainings


def log_line(done: Trainings, label: str, quantity: str, name: str | None = None) -> Line:
    """log10 of a quantity over epochs, with its interval over seeds.

    Intervals of the quantity itself reach below 0, where a logarithmic axis ends.

    Args:
        done, label, quantity: as for ``Trainings.line``; numbers > 0.
        name: in the legend, where not the label.
    """
    curve = done.curve(label, quantity)
    return line_over_seeds(name or label, np.arange(1, len(curve) + 1), log10(curve))
