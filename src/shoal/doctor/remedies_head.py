"""Remedies of head and loss: outputs, last activation and loss that fit the task and each other."""

from shoal.data.dataset import CLASSIFICATION, MULTILABEL, Data
from shoal.doctor.remedy import Remedy
from shoal.doctor.surgery import is_activation, take_apart, width_field
from shoal.losses import BinaryCrossEntropy, CrossEntropy, Hinge, Loss, MeanSquaredError
from shoal.nets import LogSoftmax, Net, Sigmoid, Softmax
from shoal.recipe import Recipe

Pair = tuple[Recipe, Data] | None


def outputs_for(loss: Loss, data: Data) -> int:
    """How many outputs a loss asks of a network for a task."""
    if loss.form == "binary" and data.task == CLASSIFICATION:
        return 1
    return data.width


def with_head(recipe: Recipe, data: Data) -> Recipe | None:
    """The recipe whose network ends as task and loss want; None where its head cannot be found.

    Losses of classes take logits and undo their own last activation, so both ends are right. A
    classification by errors of values needs probabilities; a regression any number.
    """
    parts = take_apart(recipe.net)
    if not parts.head:
        return None
    first, *rest = parts.head
    field = width_field(first)
    assert field is not None, "a head has units or filters"
    kept = [layer for layer in rest if not is_activation(layer)]
    net = parts._replace(head=(first.replace(**{field: outputs_for(recipe.loss, data)}), *kept)).net
    last = _last(recipe, data)
    return recipe.replace(net=net if last is None else Net(*net.layers, last))


def _last(recipe: Recipe, data: Data) -> Softmax | Sigmoid | None:
    """The activation that belongs at the end: the one that is there already, where it is right."""
    ends = recipe.net.layers[-1].kind
    if recipe.loss.absorbs is not None or isinstance(recipe.loss, Hinge):
        same = ends == recipe.loss.absorbs
        return (Softmax() if ends == "Softmax" else Sigmoid()) if same else None
    if data.task == MULTILABEL:
        return Sigmoid()
    return Softmax() if data.task == CLASSIFICATION else None


def _fix_head(recipe: Recipe, data: Data) -> Pair:
    found = with_head(recipe, data)
    return None if found is None else (found, data)


def usual_loss(data: Data, outputs: int) -> Loss:
    """The loss that one takes for a task with a network of so many outputs."""
    if data.task == MULTILABEL or (data.task == CLASSIFICATION and data.width == 2 and outputs < 2):
        return BinaryCrossEntropy()
    return CrossEntropy() if data.task == CLASSIFICATION else MeanSquaredError()


def _fix_loss(recipe: Recipe, data: Data) -> Pair:
    """The usual loss, and the head that it needs. The other losses of values are usual too."""
    parts = take_apart(recipe.net)
    field = width_field(parts.head[0]) if parts.head else None
    loss = usual_loss(data, getattr(parts.head[0], field) if field else data.width)
    if type(loss) is type(recipe.loss):
        return None
    preparation = recipe.preparation
    if not loss.scales and preparation.targets not in ("auto", "none"):
        preparation = preparation.replace(targets="auto")
    edited = recipe.replace(loss=loss, preparation=preparation)
    return (with_head(edited, data) or edited), data


def _drop_head_softmax(recipe: Recipe, data: Data) -> Pair:
    """Where a softmax (or sigmoid) is left once the loss has undone its own."""
    last = recipe.body.layers[-1]
    if recipe.loss.absorbs is None or not isinstance(last, Softmax | LogSoftmax | Sigmoid):
        return None
    layers = list(recipe.net.layers)
    layers.pop(len(recipe.body.layers) - 1)
    return (recipe.replace(net=Net(*layers)), data) if layers else None


REMEDIES = (
    Remedy("fix_head", "head", "end the network as task and loss want", _fix_head, "init", 2),
    Remedy("fix_loss", "head", "take the usual loss of the task", _fix_loss, "init", 2),
    Remedy("drop_head_softmax", "head", "take away the activation that the loss makes anyway",
           _drop_head_softmax, "init", 2),
)  # fmt: skip
