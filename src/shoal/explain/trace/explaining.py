"""explain: one or more examples through forward pass, loss, backward pass and update.

Forward and backward are ``passes``, layer by layer by the training's own functions; the update is
``train_step``, the step that every training takes. What comes out is a ``Trace``.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from shoal.arrays import Numbers, Tree, flatten
from shoal.errors import RecipeError
from shoal.explain.trace.names import Names, classic, classic_possible
from shoal.explain.trace.objective import Objective
from shoal.explain.trace.passes import Draft, on_host, steps
from shoal.explain.trace.question import Question, question
from shoal.explain.trace.running import Ran, run
from shoal.explain.trace.step import Flow, Step
from shoal.explain.trace.trace import Trace
from shoal.explain.trace.updates import UPDATES, Changed, Update, flat_memory
from shoal.losses import Loss
from shoal.nets import Net
from shoal.optim.optimiser import Optimiser
from shoal.recipe import Recipe
from shoal.train.member import Member
from shoal.train.model import Model
from shoal.train.run import Run
from shoal.train.step import squared_norm


def explain(
    what: Net | Recipe | Model | Run,
    x: Any,
    y: Any,
    *,
    parameters: Tree = None,
    statistics: Tree = None,
    loss: Loss | str | None = None,
    optimiser: Optimiser | str | None = None,
    precision: str | None = None,
    training: bool = True,
    member: int = 0,
    after: Trace | None = None,
    names: str = "tree",
    digits: int | None = None,
) -> Trace:
    """Every number of one training step, with its formula.

    Args:
        what: a network, with ``parameters`` and ``loss``; a recipe; or a trained model or run.
        x: examples: (B, *in), or one flat example, as the network sees them; for a model or run
            raw ones, as for ``predict``.
        y: their targets: classes (B,) or numbers (B, T); for a model raw ones.
        parameters, statistics: nests as ``net.init`` gives them; by default those of the model, or
            drawn by the recipe's seed.
        loss, optimiser, precision: in the place of the recipe's. A network without more is
            explained with gradient descent in float64.
        training: whether layers run as in training (dropout, statistics of the batch) or as in
            prediction; then there is no update.
        member: of an ensemble.
        after: an earlier trace: go on from its new weights and the optimiser's memory.
        names: "tree", symbols with an index; or "classic", w1, net_h1, out_o1, for one example in
            a perceptron.
        digits: decimals in texts; by default 9, and 6 in float32.

    Returns:
        the trace; print it, index it by a name, or save it.

    Raises:
        RecipeError, ShapeError: a network, weights or settings that do not go together.
        DataError: examples that do not fit.

    Example:
        >>> import shoal as sh
        >>> net = sh.Net(sh.Dense(1, bias=False))
        >>> weights = {"dense1": {"weight": [[0.5]]}}
        >>> step = explain(net, [2.0], [3.0], parameters=weights, loss="half_squared_error")
        >>> step["dense1.weight[0,0]"].result
        -4.0
    """
    changes = {"loss": loss, "optimiser": optimiser, "precision": precision}
    asked = question(what, x, y, parameters, statistics, changes, member)
    with jax.enable_x64(asked.recipe.precision == "float64"):
        return _trace(asked, training, after, names, digits)


def _trace(
    asked: Question, training: bool, after: Trace | None, names: str, digits: int | None
) -> Trace:
    recipe, member = asked.recipe, asked.member(None if after is None else after.after)
    ran = run(asked, member, training)
    made = steps(ran.drafts, _names(ran.drafts, names, len(asked.x)))
    update = None
    if ran.moved is not None:
        update = _update(asked, made, member, ran.moved, float(ran.m))
    notes = asked.notes + _noted(recipe, made, training)
    usual = 9 if recipe.precision == "float64" else 6
    shown = usual if digits is None else digits
    loss = _objective(recipe, made[-1].y, asked.t, ran)
    return Trace(recipe, made, loss, update, notes, shown, ran.moved or member)


def _names(drafts: list[Draft], names: str, rows: int) -> Names:
    """The names that are asked for.

    Raises:
        RecipeError: an unknown kind, or classic ones for a network that is no perceptron.
    """
    layers = [draft.layer for draft in drafts]
    fits = names == "tree" or (names == "classic" and classic_possible(layers, rows))
    if not fits:
        raise RecipeError(
            "explain(names)",
            required='"tree"; or "classic" for one example in Dense layers and activations',
            got=repr(names),
            remedy="leave it out",
        )
    return classic(drafts) if names == "classic" else Names()


def _objective(recipe: Recipe, z: Flow, t: Numbers, ran: Ran) -> Objective:
    special = {
        ("t", index): f"target_{name.split('_', 1)[-1]}"
        for (symbol, index), name in z.names.special.items()
        if symbol == z.symbol
    }
    called = Names({**z.names.special, **special})
    return Objective(
        loss=recipe.loss,
        z=z,
        p=Flow("p", on_host(ran.predictions), None, called),
        targets=Flow("t", t, None, called),
        each=Flow("L", on_host(ran.each), None, Names()),
        weights=on_host(ran.weights),
        m=float(ran.m),
        value=float(ran.value),
        own=on_host(ran.own),
    )


def _update(
    asked: Question, made: tuple[Step, ...], before: Member, moved: Member, m: float
) -> Update:
    """What the step of the training did to each array of parameters."""
    recipe = asked.recipe
    decays = flatten(recipe.body.decays(asked.work().in_shape))
    old, new = flatten(before.parameters), flatten(moved.parameters)
    flows = {flow.path: flow for step in made for flow in step.weights.values()}
    plain = {path: np.asarray(flows[path.replace("/", ".")].gradient) for path in old}
    passed, norm = _passed(recipe, plain, old, decays, m)
    known = recipe.optimiser.kind in UPDATES
    memory = flat_memory(before.optimiser) if known else {}
    changed = {
        path.replace("/", "."): Changed(
            flows[path.replace("/", ".")],
            passed[path],
            on_host(new[path]),
            bool(decays[path]),
            {field: on_host(tree[path]) for field, tree in memory.items() if path in tree},
        )
        for path in old
    }
    rate = float(recipe.optimiser.learning_rate)
    return Update(recipe, rate, int(before.step) + 1, m, norm, changed)


def _passed(
    recipe: Recipe, plain: dict[str, Any], old: dict[str, Any], decays: dict[str, Any], m: float
) -> tuple[dict[str, Any], float]:
    """The gradient with penalties and after clipping, and its norm before clipping."""
    given = dict(plain)
    for path, w in old.items():
        if decays[path]:
            w = np.asarray(w)
            given[path] = given[path] + (recipe.l2 or 0.0) / m * w
            given[path] = given[path] + (recipe.l1 or 0.0) / m * np.sign(w)
    arrays = {path: jnp.asarray(g) for path, g in given.items()}
    norm = jnp.sqrt(squared_norm(arrays))
    clip = recipe.clip
    if clip is not None:
        given = {path: clip.clip(g, norm) for path, g in arrays.items()}
    return {path: on_host(g) for path, g in given.items()}, float(norm)


def _noted(recipe: Recipe, made: tuple[Step, ...], training: bool) -> tuple[str, ...]:
    notes = [] if training else ["layers run as in prediction; there is no update"]
    if not any(step.weights for step in made):
        notes.append("the network has no parameters; there is no update")
    alone = made[0].x.value.shape[0] == 1
    if training and alone and any(step.layer.kind == "BatchNorm" for step in made):
        notes.append(
            "BatchNorm takes its mean over this one example; give several, or training=False"
        )
    if recipe.precision == "bfloat16":
        notes.append("layers compute in bfloat16, which has about three digits")
    return tuple(notes)
