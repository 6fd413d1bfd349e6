"""Gauges: hooks that read the health of a PyTorch module while its owner trains it.

What is read, and under which names, is what trainings here record (see ``train.signals``): in the
last ``WINDOW`` steps of an epoch, over all examples of these steps, for each layer

    activation_mean, activation_std, dead, saturated     by hooks on the outputs of modules
    gradient_norm                                        before the optimiser steps
    update_ratio                                         around the step

and for the epoch the mean loss, and the root mean square of the norm of the whole gradient over the
steps that were looked at. Gradients are read when the optimiser steps: after any clipping.

Nothing here changes a number of the training or draws a random one, and nothing raises into the
user's loop: the first error turns the gauges off and is told afterwards. Short epochs are not all
looked at, so that looking costs little.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from shoal import nets
from shoal.doctor.watching.layers import RULES
from shoal.doctor.watching.lazily import pytorch
from shoal.nets import Activation

WINDOW = 4
SHARE = 1 / 60
"""Of the steps, how many are looked at in the long run: a look doubles the time of a small step."""

NEAR = 0.05
"""Share of a bounded range, from each end, that counts as saturated."""


class Tap(NamedTuple):
    """A module that is read.

    Attributes:
        name: of its layer; axis: of its units in an output.
        active: whether it is an activation; low, high: between them it is not saturated, NaN where
            it does not flatten at both ends.
    """

    name: str
    module: Any
    axis: int
    active: bool
    low: float
    high: float


@dataclass
class Sums:
    """What is added up over the steps that are looked at, for one layer; tensors on its device."""

    count: int = 0
    total: Any = 0.0
    squares: Any = 0.0
    near: Any = 0.0
    least: Any = None
    greatest: Any = None


def taps(module: Any, names: dict[str, str]) -> list[Tap]:
    """The modules without children, named as in the recipe, or by their kind and number."""
    counts: dict[str, int] = {}
    found = []
    convolves = any("1d" in type(m).__name__ for m in module.modules())
    for path, one in module.named_modules():
        if any(True for _ in one.children()) or type(one).__name__ == "Flatten":
            continue
        kind = _kind(one)
        counts[kind] = counts.get(kind, 0) + 1
        low, high = _flat_ends(one)
        name = names.get(path, f"{kind}{counts[kind]}")
        axis = 1 if convolves else -1
        found.append(Tap(name, one, axis, _active(one), low, high))
    return found


def _layer(module: Any) -> Any:
    """The layer that a module is, or None."""
    rule = RULES.get(type(module).__name__)
    try:
        return rule(module).layer if rule else None
    except Exception:  # a setting without counterpart is still worth watching
        return None


def _kind(module: Any) -> str:
    layer = _layer(module)
    return (layer.kind if layer is not None else type(module).__name__).lower()


def _active(module: Any) -> bool:
    layer = _layer(module)
    return isinstance(layer, Activation) and not isinstance(layer, nets.Identity)


def _flat_ends(module: Any) -> tuple[float, float]:
    layer = _layer(module)
    if not isinstance(layer, Activation) or layer.facts.saturates != "both":
        return math.nan, math.nan
    low, high = layer.facts.range
    if not (math.isfinite(low) and math.isfinite(high)):
        return math.nan, math.nan
    edge = NEAR * (high - low)
    return low + edge, high - edge


@dataclass
class Gauges:
    """The hooks on one training, and what they have read.

    Attributes:
        steps: of an epoch, None where the loader does not say; then ``end_epoch`` must be called.
        rows: one dictionary of numbers for each epoch that ended.
        trouble: the first error, "" for none.
        spent: seconds in hooks.
    """

    module: Any
    loss: Any
    optimiser: Any
    taps: list[Tap]
    steps: int | None
    count: Callable[[Any, Any], Any] | None = None
    rows: list[dict[str, float]] = field(default_factory=list)
    trouble: str = ""
    spent: float = 0.0
    batch: int = 0
    finite: bool = True
    _handles: list[Any] = field(default_factory=list)
    _tapped: list[Any] = field(default_factory=list)
    _looking: bool = False
    _stepping: bool = False
    _kept: dict[str, list[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._torch = pytorch()
        self._owner = {tap.name: list(tap.module.parameters(recurse=False)) for tap in self.taps}
        self._owner = {name: own for name, own in self._owner.items() if own}
        self._began = perf_counter()
        self._fresh()

    # --- hooks -----------------------------------------------------------------------------------

    def install(self) -> None:
        """Put the hooks in place."""
        keep = self._handles.append
        keep(self.module.register_forward_pre_hook(self._guarded(self._enter)))
        if isinstance(self.loss, self._torch.nn.Module):
            keep(self.loss.register_forward_hook(self._guarded(self._lost)))
        keep(self.optimiser.register_step_pre_hook(self._guarded(self._before)))
        keep(self.optimiser.register_step_post_hook(self._guarded(self._after)))

    def remove(self) -> None:
        """Take the hooks away."""
        for handle in (*self._handles, *self._tapped):
            handle.remove()
        self._handles.clear()
        self._tapped.clear()

    def _tap(self, wanted: bool) -> None:
        """Have hooks on the layers only while they are looked at: even idle ones cost time."""
        if wanted and not self._tapped:
            for tap in self.taps:
                hook = self._guarded(self._output(tap))
                self._tapped.append(tap.module.register_forward_hook(hook))
        if not wanted and self._tapped:
            for handle in self._tapped:
                handle.remove()
            self._tapped.clear()

    def _guarded(self, hook: Callable[..., None]) -> Callable[..., None]:
        def run(*arguments: Any) -> None:
            if self.trouble:
                return
            began = perf_counter()
            try:
                hook(*arguments)
            except Exception as error:  # whatever it is, the training must go on
                self.trouble = f"{type(error).__name__}: {error}"
            self.spent += perf_counter() - began

        return run

    def _enter(self, module: Any, inputs: Any) -> None:
        """Before the module runs: a step of training begins, or an evaluation."""
        if not module.training or not self._torch.is_grad_enabled():
            self._looking = False
            self._tap(False)
            return
        if self._done and self._done == self.steps:
            self.end_epoch()
        self._done += 1
        self._looking = self._wanted()
        self._stepping = self._stepping or self._looking  # several passes may make up a step
        self._looked += self._looking
        self._tap(self._looking)

    def _wanted(self) -> bool:
        """Whether this step belongs to those that are looked at."""
        epoch, steps = len(self.rows), self.steps
        if steps is None:  # nobody knows which steps are the last
            return self._done % round(1 / SHARE) == 0 or self._done == 1
        period = max(1, round(min(WINDOW, steps) / (steps * SHARE)))
        early = (epoch + 1) & epoch == 0
        return (early or (epoch + 1) % period == 0) and self._done > steps - WINDOW

    def _output(self, tap: Tap) -> Callable[[Any, Any, Any], None]:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            if self._looking:
                self._read(tap, output[0] if isinstance(output, tuple) else output)

        return hook

    def _read(self, tap: Tap, output: Any) -> None:
        torch, sums = self._torch, self._sums[tap.name]
        y = output.detach()
        if not y.is_floating_point():
            return
        if y.dtype in (torch.float16, torch.bfloat16):
            y = y.float()
        sums.count += y.numel()
        sums.total = sums.total + y.sum()
        sums.squares = sums.squares + (y * y).sum()
        if not math.isnan(tap.low):
            sums.near = sums.near + ((y < tap.low) | (y > tap.high)).sum()
        if tap.active:
            axis = tap.axis if y.dim() > 2 else -1
            axis = 1 if y.dim() > 3 else axis
            others = [a for a in range(y.dim()) if a != axis % y.dim()]
            least, greatest = y.amin(others), y.amax(others)
            first = sums.least is None
            sums.least = least if first else torch.minimum(sums.least, least)
            sums.greatest = greatest if first else torch.maximum(sums.greatest, greatest)

    def _lost(self, module: Any, inputs: Any, output: Any) -> None:
        self.add_loss(output, *inputs[:2])

    def add_loss(self, loss: Any, outputs: Any = None, targets: Any = None) -> None:
        """Count the mean loss of a batch, for training or validation as the module is set."""
        value = loss.detach()
        if value.dim():
            value = value.mean()
        rows = len(targets) if targets is not None and targets.dim() else self.batch or 1
        self.batch = max(self.batch, rows)
        split = self._train if self.module.training else self._valid
        split[0] = self._torch.add(split[0], value, alpha=rows) if split[1] else value * rows
        split[1] += rows
        if (
            self.count is not None
            and targets is not None
            and (self._looking or split is self._valid)
        ):
            split[2] = split[2] + self.count(outputs.detach(), targets)
            split[3] += rows

    def _before(self, optimiser: Any, arguments: Any, settings: Any) -> None:
        if not self._stepping:
            return
        norms = self._torch._foreach_norm
        for name, own in self._owner.items():
            gradients = [p.grad for p in own if p.grad is not None]
            if gradients:
                squares = self._torch.stack(norms(gradients)).square().sum()
                self._gradients[name] = self._gradients.get(name, 0.0) + squares
        self._kept = {name: [p.detach().clone() for p in own] for name, own in self._owner.items()}

    def _after(self, optimiser: Any, arguments: Any, settings: Any) -> None:
        if not self._stepping:
            return
        self._stepping = False
        for name, old in self._kept.items():
            pairs = list(zip(self._owner[name], old, strict=True))
            moved = sum((new.detach() - was).square().sum() for new, was in pairs)
            length = sum(was.square().sum() for _, was in pairs)
            so_far = self._moves.get(name, (0.0, 0.0))
            self._moves[name] = (so_far[0] + moved, so_far[1] + length)
        self._kept = {}
        self._stepped += 1

    # --- epochs ----------------------------------------------------------------------------------

    def _fresh(self) -> None:
        self._done = self._looked = self._stepped = 0
        self._looking = self._stepping = False
        self._sums = {tap.name: Sums() for tap in self.taps}
        self._gradients: dict[str, Any] = {}
        self._moves: dict[str, tuple[Any, Any]] = {}
        self._kept = {}
        # Sum of losses, rows, rows that are right, rows asked about.
        self._train: list[Any] = [0.0, 0, 0.0, 0]
        self._valid: list[Any] = [0.0, 0, 0.0, 0]

    def end_epoch(self) -> None:
        """Close the epoch under way, where there is one."""
        if not self._done:
            return
        row = self._losses() | {"learning_rate": float(self.optimiser.param_groups[0]["lr"])}
        row |= self._signals() if self._looked else {}
        self.rows.append(row)
        self._fresh()

    def _losses(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for split, (total, rows, right, asked) in (
            ("train", self._train), ("validation", self._valid),
        ):  # fmt: skip
            if rows:
                value = float(total) / rows
                self.finite = self.finite and math.isfinite(value)
                found[f"{split}_loss"] = value
            if asked:
                found[f"{split}_accuracy"] = float(right) / asked
        return found

    def _signals(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for tap in self.taps:
            sums = self._sums[tap.name]
            if sums.count:
                found |= _of_outputs(tap, sums)
        steps = max(self._stepped, 1)
        squares = {name: float(value) for name, value in self._gradients.items()}
        found |= {f"{name}:gradient_norm": math.sqrt(s / steps) for name, s in squares.items()}
        if squares:
            found["gradient_norm"] = math.sqrt(sum(squares.values()) / steps)
            self.finite = self.finite and math.isfinite(found["gradient_norm"])
        for name, (moved, length) in self._moves.items():
            below = max(float(length), float(np.finfo(np.float32).tiny))
            found[f"{name}:update_ratio"] = math.sqrt(float(moved) / below)
        return {name: guarded(value) for name, value in found.items()}

    @property
    def cost(self) -> float:
        """Share of the time since the watch began that hooks took, of the time without them."""
        return self.spent / max(perf_counter() - self._began - self.spent, 1e-9)


def _of_outputs(tap: Tap, sums: Sums) -> dict[str, float]:
    mean = float(sums.total) / sums.count
    spread = float(sums.squares) / sums.count - mean**2
    found = {
        f"{tap.name}:activation_mean": mean,
        f"{tap.name}:activation_std": math.sqrt(spread) if spread > 0 else spread * 0.0,
    }
    if tap.active:
        found[f"{tap.name}:dead"] = float((sums.least == sums.greatest).float().mean())
    if not math.isnan(tap.low):
        found[f"{tap.name}:saturated"] = float(sums.near) / sums.count
    return found


def guarded(value: float) -> float:
    """A number of a record, where NaN means "not read": one that is not finite is the largest."""
    largest = float(np.finfo(np.float32).max)
    return value if math.isfinite(value) else largest


def right_rows(form: str) -> Callable[[Any, Any], Any] | None:
    """Counts the rows whose class is right, for a loss of classes; None for others."""
    if form == "index":
        return lambda z, t: (z.argmax(-1) == t).sum()
    return None
