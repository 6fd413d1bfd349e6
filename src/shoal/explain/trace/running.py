"""One step, run: forward, loss, backward and update as one compiled program that gives everything.

What a training throws away (what comes out of each layer, and the derivatives by it) is what a
trace is made of. The program runs once, so it is compiled quickly rather than well.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from shoal.arrays import Array, Tree
from shoal.explain.trace.passes import Draft, Passes, Signal, places
from shoal.explain.trace.question import Question
from shoal.nets import Mode
from shoal.train.member import Member
from shoal.train.step import Batch, row_weights, step_key, train_step

QUICK: Any = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
"""How CPUs compile; other devices have options of their own."""


class Ran(NamedTuple):
    """What the program gave.

    Attributes:
        drafts: the steps of the network.
        each: (B,) losses; weights: (B,) how much each counts; m: their sum; value: E.
        own: (B, T) the derivative of each example's loss by its outputs.
        predictions: what the loss makes of the outputs.
        moved: the network after the update; None without one.
    """

    drafts: list[Draft]
    each: Array
    weights: Array
    m: Array
    value: Array
    own: Array
    predictions: Array
    moved: Member | None


def run(asked: Question, member: Member, training: bool) -> Ran:
    """Forward, loss, backward, and the update where the network trains."""
    drafts: list[Draft] = []
    updates = training and bool(jax.tree.leaves(member.parameters))

    def program(member: Member, x: Array, t: Array) -> tuple[Ran, list[Any]]:
        passes = Passes()
        ran = _passes(passes, asked, member, Batch(x, t, None, None), training)
        if updates:
            ran = ran._replace(moved=train_step(asked.recipe, member, Batch(x, t, None, None),
                                                asked.work()))  # fmt: skip
        drafts[:] = passes.drafts
        return ran, [_arrays(draft) for draft in drafts]

    lowered = jax.jit(program).lower(member, asked.x, asked.t)
    quick = QUICK if jax.default_backend() == "cpu" else None
    ran, arrays = lowered.compile(compiler_options=quick)(member, asked.x, asked.t)
    for draft, found in zip(drafts, arrays, strict=True):
        _fill(draft, found)
    return ran._replace(drafts=drafts)


def _passes(passes: Passes, asked: Question, member: Member, batch: Batch, training: bool) -> Ran:
    """Forward through the layers, the loss, and backward."""
    recipe, work = asked.recipe, asked.work()
    key = step_key(recipe, member) if training else None
    mode = Mode(training, key, narrow=work.narrow)
    weights = row_weights(batch, work)[1]
    m = jnp.sum(weights)
    z, back = passes.sequence(
        places("", recipe.body.layers),
        member.parameters,
        member.statistics,
        Signal("A0", batch.x),
        mode,
    )

    def losses(z: Array) -> Array:
        return recipe.loss.per_example(z.astype(work.dtype), batch.t)

    each, pull = jax.vjp(losses, z.value)
    back(pull(weights / m)[0])
    (own,) = pull(jnp.ones_like(each))
    predictions = recipe.loss.predictions(z.value.astype(work.dtype))
    return Ran([], each, weights, m, jnp.sum(each * weights) / m, own, predictions, None)


def _arrays(draft: Draft) -> dict[str, Tree]:
    """The arrays of a draft, inside the program."""
    return {
        "inputs": [signal.value for signal in draft.inputs],
        "y": draft.y.value,
        "dx": draft.dx,
        "dy": draft.dy,
        "parameters": draft.parameters,
        "gradient": draft.gradient,
        "statistics": draft.statistics,
        "key": draft.mode.key,
    }


def _fill(draft: Draft, found: dict[str, Tree]) -> None:
    """A draft with the arrays that the program gave in the place of its tracers."""
    pairs = zip(draft.inputs, found["inputs"], strict=True)
    draft.inputs = [Signal(signal.symbol, value) for signal, value in pairs]
    draft.y = Signal(draft.y.symbol, found["y"])
    draft.dx, draft.dy, draft.gradient = found["dx"], found["dy"], found["gradient"]
    draft.parameters, draft.statistics = found["parameters"], found["statistics"]
    draft.mode = draft.mode._replace(key=found["key"])
