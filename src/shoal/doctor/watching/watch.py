"""watch: an ordinary PyTorch loop, watched by hooks, and translated into a recipe.

    with sh.doctor.watch(module, loader, loss, optimiser) as watched:
        for epoch in range(20):
            for x, t in loader:
                optimiser.zero_grad()
                loss(module(x), t).backward()
                optimiser.step()
    print(watched)
    sh.fit(watched.recipe(), watched.data())

An epoch ends after as many training batches as the loader has. Batches that the module sees in
evaluation mode count as validation.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np

from shoal.arrays import Numbers, Shape
from shoal.data.dataset import Data
from shoal.data.preparation import Preparation
from shoal.data.splits import Split
from shoal.doctor.watching import rows
from shoal.doctor.watching.gauges import Gauges, right_rows, taps
from shoal.doctor.watching.lazily import pytorch, untranslatable
from shoal.doctor.watching.objectives import Objective, ended, objective, rule_of
from shoal.doctor.watching.translating import Translated, translated
from shoal.errors import ShoalError
from shoal.recipe import Recipe
from shoal.train.member import Status
from shoal.train.model import Model
from shoal.train.record import Record
from shoal.train.run import Run

USUAL_EPOCHS = 30
VALIDATION = 0.2
"""Share of the rows set aside by the recipe where no validation loader is given."""


@dataclass(eq=False)
class Watched:
    """A PyTorch training under watch; a context manager that takes its hooks away at the end.

    Attributes:
        module, loader, loss_function, optimiser: of the user.
        validation: a loader of validation rows, or None.
        gauges: the hooks and what they read.
        before: the module as a network before training, or the error that says why not.
        groups: the settings of the optimiser when the watch began.
    """

    module: Any
    loader: Any
    loss_function: Any
    optimiser: Any
    validation: Any
    gauges: Gauges
    before: Translated | ShoalError
    objective: Objective | ShoalError
    groups: list[dict[str, Any]]
    began: float

    def __enter__(self) -> "Watched":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Take the hooks away; what was read stays."""
        self.epoch()
        self.gauges.remove()

    def loss(self, outputs: Any, targets: Any) -> Any:
        """The loss, counted: for losses that are functions, which no hook can see."""
        value = self.loss_function(outputs, targets)
        if not isinstance(self.loss_function, pytorch().nn.Module):
            self.gauges._guarded(self.gauges.add_loss)(value, outputs, targets)
        return value

    def step(self, loss: Any) -> None:
        """Count the mean loss of a batch that was computed elsewhere."""
        self.gauges._guarded(self.gauges.add_loss)(loss)

    def epoch(self) -> None:
        """End an epoch, where the loader does not say how long one is."""
        self.gauges._guarded(self.gauges.end_epoch)()

    # --- what was read ---------------------------------------------------------------------------

    @property
    def record(self) -> Record:
        """One row for each epoch: losses, learning rate, signals; NaN where nothing was read."""
        self._finish()
        found = self.gauges.rows
        names = dict.fromkeys(name for row in found for name in row)
        return Record({n: np.array([[row.get(n, np.nan)] for row in found]) for n in names})

    def _finish(self) -> None:
        """Close an epoch that has all its batches."""
        if self.gauges._done and self.gauges._done == self.gauges.steps:
            self.epoch()

    @property
    def cost(self) -> float:
        """What watching took, as a share of the time of everything else since it began."""
        return self.gauges.cost

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be read or is not quite the same in the recipe."""
        found = [f"watching stopped: {self.gauges.trouble}"] if self.gauges.trouble else []
        for part in (self.before, self.objective):
            found += [f"no recipe: {part}"] if isinstance(part, ShoalError) else []
        if isinstance(self.objective, Objective):
            found += self.objective.notes
        frozen = [n for n, p in self.module.named_parameters() if not p.requires_grad]
        found += [f"the recipe trains what is frozen here: {', '.join(frozen)}"] if frozen else []
        if self.gauges.rows and "train_loss" not in self.gauges.rows[0]:
            found.append(
                "no loss was seen: a function is counted by watched.loss(outputs, targets)"
            )
        return tuple(found)

    def __str__(self) -> str:
        record = self.record
        names = [n for n in record if ":" not in n]
        rows_ = {n: record[n][:, 0] for n in names}
        read = {n: values[np.isfinite(values)] for n, values in rows_.items()}
        last = ", ".join(f"{n} {values[-1]:.4g}" for n, values in read.items() if len(values))
        lines = (
            [f"{record.epochs} epochs watched: {last}"] if record.epochs else ["nothing watched"]
        )
        lines.append(f"watching took {100 * self.cost:.2g} % of the time")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    @property
    def order(self) -> list[Numbers] | None:
        """Targets batch by batch, where every epoch has the same order; else None."""
        return rows.in_order(self.loader)

    @property
    def forgotten(self) -> tuple[str, ...]:
        """Layers with weights that ask for a gradient, but that the optimiser does not hold."""
        held = {id(p) for group in self.optimiser.param_groups for p in group["params"]}
        return tuple(
            tap.name
            for tap in self.gauges.taps
            if any(
                p.requires_grad and id(p) not in held for p in tap.module.parameters(recurse=False)
            )
        )

    # --- what it is here -------------------------------------------------------------------------

    @property
    def translation(self) -> Translated:
        """The module as a network, as it was when the watch began.

        Raises:
            RecipeError: it has no translation; the error names what has none.
        """
        if isinstance(self.before, ShoalError):
            raise self.before
        return self.before

    @property
    def _objective(self) -> Objective:
        if isinstance(self.objective, ShoalError):
            raise self.objective
        return self.objective

    def recipe(self) -> Recipe:
        """The training as a recipe: network, loss, optimiser, batch size, epochs; nothing scaled.

        Initial weights are drawn as those were when the watch began.

        Raises:
            RecipeError: a module, loss or optimiser without counterpart, named.
        """
        found, rule = self._objective, rule_of(self.optimiser, self.groups)
        net = ended(self.translation.net, found, self.loss_function)
        batch = self._batch()
        share = 0.0 if self.validation is not None else VALIDATION
        return Recipe(
            net,
            loss=found.loss,
            optimiser=rule.optimiser,
            batch_size=batch,
            epochs=max(1, len(self.gauges.rows)) if self.gauges.rows else USUAL_EPOCHS,
            l2=rule.decay * batch if rule.decay else None,
            class_weights=found.class_weights,
            preparation=Preparation("none", "none", Split(validation=share)),
            name=type(self.module).__name__,
        )

    def _batch(self) -> int:
        rows_ = getattr(self.loader, "batch_size", None) or self.gauges.batch
        whole = int(rows_ or len(next(rows.batches(self.loader))[1]))
        kept = (
            len(self._data) if self.validation is not None else (1 - VALIDATION) * len(self._data)
        )
        return max(1, min(whole, int(kept)))

    def data(self) -> Data:
        """The rows of the loader, and of the validation loader, channels last.

        Raises:
            DataError: a loader that cannot be read twice, numbers that are not finite, targets that
                the loss cannot take.
        """
        return self._data

    @cached_property
    def _data(self) -> Data:
        training = rows.gathered(self.loader)
        held = None if self.validation is None else rows.gathered(self.validation)
        shape = training[0].shape[1:]
        turned = _turns(shape, self.module)
        outputs = self.translation.net.output_shape(_channels_last(shape) if turned else shape)[-1]
        return rows.data_of(training, held, self._objective.loss, outputs, turned)

    def run(self) -> Run:
        """The training as a run: recipe, record, and the module's weights as they are now.

        In its record what was not read in an epoch holds the last reading.

        Raises:
            RecipeError, DataError: as for ``recipe`` and ``data``.
        """
        recipe, data = self.recipe(), self.data()
        prepared = recipe.prepare(data)
        now = translated(self.module, data.shape, _turns(data.shape, self.module))
        parameters, statistics = now.arrays(len(recipe.body.layers))
        record = self.record
        status = Status.EPOCH_LIMIT if self.gauges.finite else Status.NOT_FINITE
        return Run(
            recipe=recipe,
            model=Model(
                (recipe,),
                _stacked(parameters),
                _stacked(statistics),
                prepared.inputs,
                prepared.targets,
            ),
            record=Record({name: _held(values) for name, values in record.items()}),
            reasons=(status,),
            epochs=(record.epochs,),
            best_epochs=(_best(record),),
            start_epochs=(0,),
            seconds=perf_counter() - self.began,
            folder=None,
            prepared=prepared,
        )


def _stacked(tree: Any) -> Any:
    """A nest of arrays as the only member of a pool."""
    return {name: {key: array[None] for key, array in own.items()} for name, own in tree.items()}


def _held(values: Numbers) -> Numbers:
    """A column (E, 1) with every NaN replaced by the number before it, where there is one."""
    read = np.where(np.isnan(values[:, 0]), 0, np.arange(len(values)))
    held: Numbers = values[np.maximum.accumulate(read)]
    return held


def _best(record: Record) -> int:
    losses = record["validation_loss"][:, 0] if "validation_loss" in record else np.empty(0)
    return int(np.nanargmin(losses)) + 1 if np.isfinite(losses).any() else record.epochs


def _turns(shape: Shape, module: Any) -> bool:
    """Whether examples of a shape have their channels first."""
    one_axis = any(type(m).__name__ in ONE_AXIS for m in module.modules())
    return len(shape) >= 3 or (len(shape) == 2 and one_axis)


ONE_AXIS = ("Conv1d", "MaxPool1d", "AvgPool1d", "AdaptiveAvgPool1d", "AdaptiveMaxPool1d")


def _channels_last(shape: Shape) -> Shape:
    return (*shape[1:], shape[0])


def _translated(module: Any, shape: Shape) -> Translated:
    turned = _turns(shape, module)
    return translated(module, _channels_last(shape) if turned else shape, turned)


def watch(
    module: Any, loader: Any, loss: Any, optimiser: Any, *, validation: Any = None
) -> Watched:
    """Watch a PyTorch training from now on.

    Args:
        module: a ``torch.nn.Module``.
        loader: a ``DataLoader``, or a list of batches (inputs, targets).
        loss: a loss module; a function, where the loop calls ``watched.loss`` in its place.
        optimiser: a ``torch.optim.Optimizer``.
        validation: a loader of rows for validation, given to the data.

    Returns:
        what is watched: ``record``, ``recipe()``, ``data()``, ``run()``.

    Raises:
        DeviceError: PyTorch is not installed.
        RecipeError: an argument that is no module, loader, loss or optimiser.
    """
    torch = pytorch()
    wanted: tuple[tuple[Any, Any, str, str], ...] = (
        (module, torch.nn.Module, "module", "a torch Module"),
        (loader, Iterable, "loader", "a DataLoader, or a list of batches (inputs, targets)"),
        (loss, Callable, "loss", "a loss module, or a function"),
        (optimiser, torch.optim.Optimizer, "optimiser", "a torch Optimizer"),
    )
    for value, kind, name, required in wanted:
        if not isinstance(value, kind):
            raise untranslatable(
                f"sh.doctor.watch({name})",
                f"a {type(value).__name__}",
                "watch(module, loader, loss, optimiser) takes them in this order",
                required=required,
            )
    before, found = _translation(module, loader), _attempt(lambda: objective(loss))
    names = before.names if isinstance(before, Translated) else {}
    form = found.loss.form if isinstance(found, Objective) else ""
    steps = len(loader) if hasattr(loader, "__len__") else None
    gauges = Gauges(module, loss, optimiser, taps(module, names), steps, right_rows(form))
    settings = [{n: v for n, v in g.items() if n != "params"} for g in optimiser.param_groups]
    gauges.install()
    return Watched(
        module, loader, loss, optimiser, validation, gauges, before, found, settings,
        perf_counter(),
    )  # fmt: skip


def _attempt(make: Any) -> Any:
    """What a function gives, or the error of shoal that it raises."""
    try:
        return make()
    except ShoalError as error:
        return error


def _translation(module: Any, loader: Any) -> Translated | ShoalError:
    found: Translated | ShoalError = _attempt(
        lambda: _translated(module, rows.example_shape(loader))
    )
    return found
