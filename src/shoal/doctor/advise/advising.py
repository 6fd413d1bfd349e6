"""advise: what fits a recipe and its data, though nothing need be wrong.

    advise(recipe, data)                       the learning rate
    advise(recipe, data, what="batch_size")    or "activation", "init", "shape"
    advise(recipe, data, what="all")           one after another, each from the recipe that the one
                                               before advised

Nothing is written and nothing is kept: a training after an advice is the same, to the last bit, as
one without it. The test split is never looked at.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from shoal.choosing import check_closed
from shoal.data.dataset import Data
from shoal.doctor.advise.activations import advise_activation
from shoal.doctor.advise.advice import Advice
from shoal.doctor.advise.batches import advise_batch_size
from shoal.doctor.advise.inits import advise_init
from shoal.doctor.advise.rates import advise_rate
from shoal.doctor.advise.shapes import advise_shape
from shoal.errors import RecipeError, did_you_mean
from shoal.recipe import Recipe
from shoal.rules import Whole
from shoal.train.fit import as_data
from shoal.train.progress import Progress, Standing, progress

ADVISERS: dict[str, Callable[..., Advice]] = {
    "rate": advise_rate,
    "init": advise_init,
    "activation": advise_activation,
    "shape": advise_shape,
    "batch_size": advise_batch_size,
}
"""By name, in the order of "all": a bad rate would spoil every other comparison."""

ALL = "all"


@dataclass(frozen=True, eq=False)
class Advices:
    """Several pieces of advice, each from the recipe that the one before advised.

    Attributes:
        items: by what they are about, in order.
        notes: what was left out, and why.
        before: the recipe that was asked about; recipe: the one advised in the end.
        seconds: in all.
    """

    items: dict[str, Advice]
    notes: tuple[str, ...]
    before: Recipe
    recipe: Recipe
    seconds: float

    def __getitem__(self, what: str) -> Advice:
        return self.items[what]

    def __iter__(self) -> Iterator[str]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def changes(self) -> bool:
        """Whether another recipe is advised."""
        return self.recipe != self.before

    @property
    def diff(self) -> str:
        """All edits, one line each; "" for none."""
        return self.before.diff(self.recipe)

    @property
    def summary(self) -> str:
        """All edits in one line."""
        edits = self.diff.replace("\n", "; ") if self.changes else "keep the recipe"
        return f"in all: {edits}"

    def draw(self, folder: str | Path) -> list[Path]:
        """Write one picture for each piece of advice into a folder.

        Raises:
            FileError: they cannot be written.
        """
        return [advice.draw(Path(folder) / f"{what}.png") for what, advice in self.items.items()]

    def __str__(self) -> str:
        notes = [f"note: {note}" for note in self.notes]
        return "\n\n".join([*map(str, self.items.values()), "\n".join([*notes, self.summary])])


class _Once:
    """A progress line that says every note once."""

    def __init__(self, line: Progress) -> None:
        self.line = line
        self.said: set[str] = set()

    def __enter__(self) -> "_Once":
        self.line.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.line.__exit__(*error)

    def say(self, note: str) -> None:
        """Say a note that was not said before."""
        if note not in self.said:
            self.said.add(note)
            self.line.say(note)

    def show(self, status: Standing) -> None:
        """Where it stands now."""
        self.line.show(status)


def advise(
    recipe: Recipe,
    data: Data | tuple[Any, Any],
    what: str = "rate",
    *,
    seeds: int | None = None,
    epochs: int | None = None,
    every: bool = False,
    show: bool | str = True,
    **options: Any,
) -> Any:
    """Measure what would train better, and say so with the numbers.

    Args:
        recipe: what is to be trained.
        data: ``Data``, or (inputs, targets).
        what: "rate", "batch_size", "activation", "init", "shape" or "all".
        seeds: trainings of everything that is tried; None for 3 of rates and batch sizes, which
            are judged by their range, and 5 of what is compared.
        epochs: of each training; None for as many as make 600 steps (rates) or 2000, at most the
            recipe's.
        every: a finer or wider search: twice the rates, every power of two, all activations, more
            gains, widths and depths.
        show: progress: True for what fits the terminal, False for none, "plain", "bar".
        options: of the batch size: ``sizes`` to try, ``loss`` to reach.

    Returns:
        the advice: a table (``str``), ``draw(path)``, ``recipe``, ``diff``, ``summary``. For "all",
        ``Advices``.

    Raises:
        RecipeError: an unknown ``what``, or a recipe that it makes no sense for.
        ShapeError, DataError: as for ``fit``.
    """
    _check(recipe, what, seeds, epochs)
    _check_options(what, options)
    chosen: dict[str, Any] = {"epochs": epochs, "every": every}
    if seeds is not None:
        chosen["seeds"] = seeds
    with _Once(progress(show)) as line:
        if what == ALL:
            return _all(recipe, as_data(data), line, chosen, options)
        return ADVISERS[what](recipe, as_data(data), line, **chosen, **options)


def _all(
    recipe: Recipe, data: Data, line: Progress, chosen: dict[str, Any], options: dict[str, Any]
) -> Advices:
    began, now = monotonic(), recipe
    items: dict[str, Advice] = {}
    notes: list[str] = []
    for what, adviser in ADVISERS.items():
        line.say(f"advice on {what}")
        try:
            more = options if what == "batch_size" else {}
            items[what] = adviser(now, data, line, **chosen, **more)
        except RecipeError as error:
            if type(error) is not RecipeError:
                raise
            notes.append(str(error))
            continue
        now = items[what].recipe
    return Advices(items, tuple(notes), recipe, now, monotonic() - began)


def _check(recipe: Any, what: Any, seeds: Any, epochs: Any) -> None:
    if not isinstance(recipe, Recipe):
        raise RecipeError(
            "advise(recipe)",
            required="Recipe(...) before the data",
            got=f"a {type(recipe).__name__}",
            remedy="write Recipe(net, loss=...)",
        )
    check_closed(recipe, "advise(recipe)")
    known = (*ADVISERS, ALL)
    if what not in known:
        raise RecipeError(
            "advise(what)",
            required="something to advise on",
            got=repr(what),
            remedy=did_you_mean(str(what), known),
        )
    for name, value in (("seeds", seeds), ("epochs", epochs)):
        if value is not None and not Whole(1).accepts(value):
            raise RecipeError(
                f"advise({name})", required=Whole(1).text, got=repr(value), remedy="leave it out"
            )


OPTIONS = ("sizes", "loss")
"""Of advice on the batch size."""


def _check_options(what: str, options: dict[str, Any]) -> None:
    known = OPTIONS if what in ("batch_size", ALL) else ()
    for name in options:
        if name not in known:
            raise RecipeError(
                f"advise({name})",
                required='one of recipe, data, what, seeds, epochs, every, show; for "batch_size" '
                "also sizes, loss",
                got=repr(name),
                remedy="leave it out",
            )
