"""PyTorch's losses and optimisers as those of a recipe: tables by the name of the class.

weight_decay of SGD, Adam, RMSprop ...   adds decay · w to the gradient of every parameter; the
    recipe's l2 is the same for weights, l2 = decay · batch size, and leaves biases alone
weight_decay of AdamW                    is decoupled in both; here too biases are left alone
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from shoal import losses, optim
from shoal.doctor.watching.lazily import untranslatable
from shoal.losses import Loss
from shoal.nets import Identity, LogSoftmax, Net, Sigmoid, Softmax
from shoal.optim.optimiser import Optimiser


class Objective(NamedTuple):
    """A loss as a recipe has it.

    Attributes:
        loss: itself; task: "classification", "multilabel" or "regression", None where the targets
            decide.
        class_weights: of the classes, or None.
        ends: the kinds of last activation without which the loss means something else; () for any.
        notes: where it is not quite the same.
    """

    loss: Loss
    class_weights: tuple[float, ...] | None = None
    ends: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def _no(loss: Any, what: str, remedy: str) -> Any:
    raise untranslatable(f"the loss {loss!r}", what, remedy)


def _cross_entropy(loss: Any) -> Objective:
    smoothing = float(getattr(loss, "label_smoothing", 0.0))
    weight = getattr(loss, "weight", None)
    classes = None if weight is None else tuple(float(w) for w in weight)
    notes = ("weights of classes: divided by the batch, not by their sum",) if classes else ()
    return Objective(losses.CrossEntropy(smoothing or None), classes, notes=notes)


def _log_likelihood(loss: Any) -> Objective:
    weight = getattr(loss, "weight", None)
    classes = None if weight is None else tuple(float(w) for w in weight)
    return Objective(losses.CrossEntropy(), classes, ends=("LogSoftmax",))


def _binary(ends: tuple[str, ...]) -> Callable[[Any], Objective]:
    def rule(loss: Any) -> Objective:
        for name in ("weight", "pos_weight"):
            if getattr(loss, name, None) is not None:
                _no(loss, name, "leave it out, and give the rows weights")
        return Objective(losses.BinaryCrossEntropy(), ends=ends)

    return rule


def _smooth(loss: Any) -> Objective:
    beta = float(getattr(loss, "beta", 1.0))
    if beta == 0:
        return Objective(losses.MeanAbsoluteError())
    note = f"SmoothL1Loss(beta={beta:g}) is Huber({beta:g}) / {beta:g}"
    return Objective(losses.Huber(beta), notes=() if beta == 1 else (note,))


def _poisson(loss: Any) -> Objective:
    if not getattr(loss, "log_input", True) or getattr(loss, "full", False):
        _no(loss, "log_input=False or full=True", "use log_input=True")
    return Objective(losses.Poisson())


LOSSES: dict[str, Callable[[Any], Objective]] = {
    "CrossEntropyLoss": _cross_entropy,
    "NLLLoss": _log_likelihood,
    "BCEWithLogitsLoss": _binary(()),
    "BCELoss": _binary(("Sigmoid",)),
    "MSELoss": lambda loss: Objective(losses.MeanSquaredError()),
    "L1Loss": lambda loss: Objective(losses.MeanAbsoluteError()),
    "SmoothL1Loss": _smooth,
    "HuberLoss": lambda loss: Objective(losses.Huber(float(getattr(loss, "delta", 1.0)))),
    "PoissonNLLLoss": _poisson,
}
"""By the name of the class; functions of ``torch.nn.functional`` by the names below."""

FUNCTIONS = {
    "cross_entropy": "CrossEntropyLoss",
    "nll_loss": "NLLLoss",
    "binary_cross_entropy_with_logits": "BCEWithLogitsLoss",
    "binary_cross_entropy": "BCELoss",
    "mse_loss": "MSELoss",
    "l1_loss": "L1Loss",
    "smooth_l1_loss": "SmoothL1Loss",
    "huber_loss": "HuberLoss",
    "poisson_nll_loss": "PoissonNLLLoss",
}


def objective(loss: Any) -> Objective:
    """The loss of a recipe.

    Raises:
        RecipeError: a loss without counterpart, or one that does not take the mean.
    """
    function = getattr(loss, "__name__", "")
    kind = FUNCTIONS.get(function, type(loss).__name__)
    if kind not in LOSSES:
        _no(loss, kind, f"use one of {', '.join(LOSSES)}")
    if getattr(loss, "reduction", "mean") != "mean":
        _no(loss, f"reduction={loss.reduction!r}", 'use reduction="mean"')
    return LOSSES[kind](loss)


ABSORBED = {"CrossEntropy": Softmax, "BinaryCrossEntropy": Sigmoid}


def ended(net: Net, found: Objective, loss: Any) -> Net:
    """The network with the end that means here what it meant there.

    A loss here takes a last Softmax or Sigmoid for its own. PyTorch's losses on logits apply it
    once more: an Identity behind it keeps it so. Those on probabilities need it.

    Raises:
        RecipeError: a loss on probabilities behind something else.
    """
    last = net.layers[-1]
    if found.ends and last.kind not in found.ends:
        raise untranslatable(
            f"the loss {loss!r}",
            f"a network that ends with {last!r}",
            f"end it with {found.ends[0]}, or use the loss that takes logits",
            required=f"a network that ends with {found.ends[0]}",
        )
    if found.ends and isinstance(last, LogSoftmax):
        return net.replace(layers=(*net.layers[:-1], Softmax()))
    absorbs = ABSORBED.get(found.loss.kind)
    if not found.ends and absorbs is not None and isinstance(last, absorbs):
        return Net(*net.layers, Identity())
    return net


class Rule(NamedTuple):
    """An optimiser as a recipe has it; ``decay`` is what it adds to the gradient of each weight."""

    optimiser: Optimiser
    decay: float = 0.0
    notes: tuple[str, ...] = ()


def _sgd(o: dict[str, Any]) -> Rule:
    if o.get("dampening"):
        raise untranslatable("SGD", f"dampening={o['dampening']:g}", "use dampening=0")
    rate, beta = o["lr"], o["momentum"]
    if not beta:
        return Rule(optim.SGD(rate), o["weight_decay"])
    kind = optim.Nesterov if o["nesterov"] else optim.Momentum
    return Rule(kind(rate, beta=beta), o["weight_decay"])


def _adam_like(kind: Any) -> Callable[[dict[str, Any]], Rule]:
    def rule(o: dict[str, Any]) -> Rule:
        if o.get("amsgrad"):
            raise untranslatable(kind.__name__, "amsgrad=True", "use amsgrad=False")
        beta1, beta2 = o["betas"]
        numbers = {"beta1": beta1, "beta2": beta2, "epsilon": o["eps"]}
        decoupled = o.get("decoupled_weight_decay", False)
        if kind is optim.AdamW or (kind is optim.Adam and decoupled):
            return Rule(optim.AdamW(o["lr"], **numbers, weight_decay=o["weight_decay"]))
        notes = ("NAdam here has no momentum_decay",) if kind is optim.NAdam else ()
        return Rule(kind(o["lr"], **numbers), o["weight_decay"], notes)

    return rule


def _rms(o: dict[str, Any]) -> Rule:
    if o.get("momentum"):
        raise untranslatable("RMSprop", f"momentum={o['momentum']:g}", "use momentum=0")
    found = optim.RMSprop(o["lr"], rho=o["alpha"], epsilon=o["eps"], centred=o["centered"])
    return Rule(found, o["weight_decay"])


def _adagrad(o: dict[str, Any]) -> Rule:
    if o.get("lr_decay"):
        raise untranslatable("Adagrad", f"lr_decay={o['lr_decay']:g}", "use lr_decay=0")
    # epsilon stands inside the root here and outside there.
    found = optim.AdaGrad(
        o["lr"], start=o["initial_accumulator_value"], epsilon=float(o["eps"]) ** 2
    )
    return Rule(found, o["weight_decay"])


def _adadelta(o: dict[str, Any]) -> Rule:
    return Rule(optim.AdaDelta(o["lr"], rho=o["rho"], epsilon=o["eps"]), o["weight_decay"])


def _rprop(o: dict[str, Any]) -> Rule:
    (less, more), (smallest, largest) = o["etas"], o["step_sizes"]
    found = optim.Rprop(o["lr"], decrease=less, increase=more, smallest=smallest, largest=largest)
    return Rule(found)


OPTIMISERS: dict[str, Callable[[dict[str, Any]], Rule]] = {
    "SGD": _sgd,
    "Adam": _adam_like(optim.Adam),
    "AdamW": _adam_like(optim.AdamW),
    "NAdam": _adam_like(optim.NAdam),
    "Adamax": _adam_like(optim.AdaMax),
    "RMSprop": _rms,
    "Adagrad": _adagrad,
    "Adadelta": _adadelta,
    "Rprop": _rprop,
}
"""By the name of the class in ``torch.optim``."""


def rule_of(optimiser: Any, groups: list[dict[str, Any]]) -> Rule:
    """The optimiser of a recipe, from the settings that it had when the watch began.

    Raises:
        RecipeError: an optimiser without counterpart, or several groups that differ.
    """
    kind = type(optimiser).__name__
    if kind not in OPTIMISERS:
        raise untranslatable(
            f"the optimiser {kind}", "one of PyTorch's only", f"use one of {', '.join(OPTIMISERS)}"
        )
    if any(group != groups[0] for group in groups):
        raise untranslatable(
            f"the optimiser {kind}",
            f"{len(groups)} groups of parameters with settings of their own",
            "give all parameters the same",
            required="the same settings for all parameters",
        )
    if groups[0].get("maximize"):
        raise untranslatable(f"the optimiser {kind}", "maximize=True", "minimise the negative")
    return OPTIMISERS[kind]({name: _number(value) for name, value in groups[0].items()})


def _number(value: Any) -> Any:
    """A setting as plain numbers: PyTorch allows tensors."""
    if isinstance(value, tuple):
        return tuple(map(_number, value))
    return float(value) if hasattr(value, "item") else value
