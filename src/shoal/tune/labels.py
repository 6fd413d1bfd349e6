"""Labels: the options of a choice in texts short enough to stand beside one another on an axis.

The first of these that is short and tells all options apart is taken:

    the kind of a part, or a value           ReLU, LeakyReLU(0.1); 0.01, full
    the words that not all of them have      64 ReLU, 128 64 ReLU, 64 Tanh
    how many layers a network has            3 layers, 6 layers
    the beginning and a number               Net 1, Net 2
"""

import re
from collections.abc import Iterator, Sequence

from shoal.explain.page import short
from shoal.spaces import Choice

LONGEST = 18
"""Characters of a label."""

NAME = re.compile(r"\b\w+=")
WORD = re.compile(r"[^\s(),=]+")


def short_labels(choice: Choice) -> tuple[str, ...]:
    """A short text for each option of a choice, all different."""
    labels = [NAME.sub("", label).strip("'") for label in choice.labels]
    for texts in _candidates(choice, labels):
        fits = all(0 < len(text) <= LONGEST for text in texts)
        if fits and len(set(texts)) == len(texts):
            return tuple(texts)
    starts = [short(WORD.findall(label)[0], LONGEST - 4) for label in labels]
    return tuple(f"{start} {place}" for place, start in enumerate(starts, 1))


def _candidates(choice: Choice, labels: Sequence[str]) -> Iterator[Sequence[str]]:
    yield labels
    yield _differences(labels)
    parts = [getattr(option, "layers", None) for option in choice.options]
    if all(isinstance(part, tuple) for part in parts):
        yield [f"{len(part)} layer{'s' * (len(part) != 1)}" for part in parts if part is not None]


def _differences(labels: Sequence[str]) -> list[str]:
    """The words of each text that not all texts have, each once."""
    words = [dict.fromkeys(WORD.findall(label)) for label in labels]
    common = set(words[0]).intersection(*words)
    return [" ".join(word for word in own if word not in common) for own in words]
