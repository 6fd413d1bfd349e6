"""Remedies of rate and optimiser, of the penalties on weights, and of the budget."""

import math
from collections.abc import Callable

from shoal.data.dataset import Data
from shoal.describe import field_names
from shoal.doctor.remedy import Edit, Remedy
from shoal.doctor.surgery import DISTURBING, change_all, change_hidden, is_activation
from shoal.errors import ShoalError
from shoal.nets import Dropout, Layer
from shoal.optim import Adam, ClipByNorm, Momentum, OneCycle, WarmUp
from shoal.optim.schedules import ConstantRate
from shoal.recipe import FULL, EarlyStopping, Recipe

Pair = tuple[Recipe, Data] | None
Alone = Callable[[Recipe], Recipe]

USUAL_LIMIT = 1.0
"""Of the norm of the gradient: the customary limit (Pascanu et al. 2013 take a typical norm)."""

WARM_UP_SHARE = 0.1
LIGHT_DROPOUT, LITTLE_L2 = 0.25, 0.1
"""With 32 examples in a batch a penalty of 0.1 shrinks weights like a decay of 0.003."""

USUAL_BETA = 0.9
BATCH = 32


def alone(change: Alone) -> Edit:
    """An edit of the recipe only."""

    def edit(recipe: Recipe, data: Data) -> Pair:
        return change(recipe), data

    return edit


def _rate(factor: float) -> Edit:
    def change(recipe: Recipe) -> Recipe:
        rate = float(f"{recipe.optimiser.learning_rate * factor:.6g}")
        return recipe.replace(optimiser=recipe.optimiser.replace(learning_rate=rate))

    return alone(change)


def _usual_rate(recipe: Recipe) -> Recipe:
    rate = type(recipe.optimiser)().learning_rate
    return recipe.replace(optimiser=recipe.optimiser.replace(learning_rate=rate))


def _usual_optimiser(recipe: Recipe) -> Recipe:
    """Its other numbers as usual: rates of means, epsilon, weight decay. The rate stays."""
    rate = recipe.optimiser.learning_rate
    return recipe.replace(optimiser=type(recipe.optimiser)(learning_rate=rate))


def _lower_momentum(recipe: Recipe) -> Recipe:
    found = recipe.optimiser
    high = {n: USUAL_BETA for n in ("beta", "beta1") if getattr(found, n, 0.0) > USUAL_BETA}
    return recipe.replace(optimiser=found.replace(**high)) if high else recipe


def _adam(recipe: Recipe) -> Recipe:
    return recipe if isinstance(recipe.optimiser, Adam) else recipe.replace(optimiser=Adam())


def _sgd_momentum(recipe: Recipe) -> Recipe:
    same = isinstance(recipe.optimiser, Momentum)
    return recipe if same else recipe.replace(optimiser=Momentum())


def _warm_up(recipe: Recipe) -> Recipe:
    if isinstance(recipe.schedule, WarmUp | OneCycle) or recipe.optimiser.searches:
        return recipe
    epochs = max(1.0, float(round(WARM_UP_SHARE * recipe.epochs)))
    return recipe.replace(schedule=WarmUp(epochs, recipe.schedule))


def _constant_rate(recipe: Recipe) -> Recipe:
    return recipe.replace(schedule=ConstantRate())


def _clip_gradients(recipe: Recipe) -> Recipe:
    if recipe.clip is not None or recipe.optimiser.searches:
        return recipe
    return recipe.replace(clip=ClipByNorm(USUAL_LIMIT))


def _remove_clipping(recipe: Recipe) -> Recipe:
    return recipe.replace(clip=None)


# --- regularisation ------------------------------------------------------------------------------


def _no_dropout(recipe: Recipe) -> Recipe:
    def change(layer: Layer) -> list[Layer]:
        return [] if isinstance(layer, DISTURBING) else [layer]

    return recipe.replace(net=change_all(recipe.net, change))


def _less_dropout(recipe: Recipe) -> Recipe:
    def change(layer: Layer) -> list[Layer]:
        if isinstance(layer, DISTURBING) and "rate" in field_names(layer):
            rate = min(float(f"{getattr(layer, 'rate') / 4:.3g}"), LIGHT_DROPOUT)  # noqa: B009
            return [layer.replace(rate=rate)]
        return [layer]

    return recipe.replace(net=change_all(recipe.net, change))


def _dropout(recipe: Recipe) -> Recipe:
    """After every hidden activation of a network that drops nothing."""
    if recipe.net.random:
        return recipe

    def change(layer: Layer) -> list[Layer]:
        return [layer, Dropout(LIGHT_DROPOUT)] if is_activation(layer) else [layer]

    return recipe.replace(net=change_hidden(recipe.net, change))


def _decay(recipe: Recipe, factor: float) -> Recipe:
    if "weight_decay" not in field_names(recipe.optimiser):
        return recipe
    decay = getattr(recipe.optimiser, "weight_decay") * factor  # noqa: B009
    return recipe.replace(optimiser=recipe.optimiser.replace(weight_decay=decay))


def _no_l2(recipe: Recipe) -> Recipe:
    return _decay(recipe.replace(l2=None, l1=None), 0.0)


def _less_l2(recipe: Recipe) -> Recipe:
    l2 = None if recipe.l2 is None else 0.01 * recipe.l2
    l1 = None if recipe.l1 is None else 0.01 * recipe.l1
    return _decay(recipe.replace(l2=l2, l1=l1), 0.01)


def _l2(recipe: Recipe) -> Recipe:
    return recipe if recipe.l2 else recipe.replace(l2=LITTLE_L2)


def _early_stopping(recipe: Recipe) -> Recipe:
    if recipe.early_stopping is not None or not recipe.preparation.split.validation:
        return recipe
    return recipe.replace(early_stopping=EarlyStopping(max(5, recipe.epochs // 10)))


def _no_early_stopping(recipe: Recipe) -> Recipe:
    return recipe.replace(early_stopping=None, convergence=None)


# --- budget --------------------------------------------------------------------------------------


def _epochs(factor: float) -> Edit:
    def change(recipe: Recipe) -> Recipe:
        return recipe.replace(epochs=max(1, round(factor * recipe.epochs)))

    return alone(change)


def _batch(wanted: Callable[[int], int]) -> Edit:
    """Another batch size, within the rows of the training split."""

    def edit(recipe: Recipe, data: Data) -> Pair:
        try:
            rows = len(recipe.preparation.split.parts(data).train)
            now = recipe.rows_per_batch(rows)
        except ShoalError:
            rows, now = len(data), len(data)  # a batch larger than the data
        batch = min(max(1, wanted(now)), rows)
        if batch == now and recipe.batch_size in (None, FULL, now):
            return None
        return recipe.replace(batch_size=batch), data

    return edit


RATE = (
    Remedy("rate_x0.1", "rate", "a tenth of the learning rate", _rate(0.1), "clean", 1),
    Remedy("rate_x0.01", "rate", "a hundredth of the learning rate", _rate(0.01), "clean", 1),
    Remedy("rate_x10", "rate", "ten times the learning rate", _rate(10.0), "clean", 1),
    Remedy("rate_x100", "rate", "a hundred times the learning rate", _rate(100.0), "clean", 1),
    Remedy("usual_rate", "rate", "the usual rate of the optimiser", alone(_usual_rate),
           "clean", 1),
    Remedy("usual_optimiser", "rate", "the usual numbers of the optimiser, but for its rate",
           alone(_usual_optimiser), "clean", 2),
    Remedy("lower_momentum", "rate", "the usual momentum", alone(_lower_momentum), "clean", 1),
    Remedy("warm_up", "rate", "a slow start of the rate", alone(_warm_up), "init", 2),
    Remedy("constant_rate", "rate", "no change of the rate in time", alone(_constant_rate),
           "clean", 2),
    Remedy("clip_gradients", "rate", "cut gradients longer than 1", alone(_clip_gradients),
           "clean", 2),
    Remedy("remove_clipping", "rate", "let gradients be as long as they are",
           alone(_remove_clipping), "clean", 2),
    Remedy("adam", "rate", "Adam at its usual rate", alone(_adam), "clean", 3),
    Remedy("sgd_momentum", "rate", "momentum at its usual rate", alone(_sgd_momentum), "clean", 3),
)  # fmt: skip

REGULARISATION = (
    Remedy("no_dropout", "regularisation", "drop nothing", alone(_no_dropout), "init", 2),
    Remedy("less_dropout", "regularisation", "drop a quarter of what was dropped",
           alone(_less_dropout), "clean", 1),
    Remedy("dropout", "regularisation", "drop a quarter of the hidden units", alone(_dropout),
           "init", 2),
    Remedy("no_l2", "regularisation", "no penalty on the weights", alone(_no_l2), "clean", 1),
    Remedy("less_l2", "regularisation", "a hundredth of the penalty on the weights",
           alone(_less_l2), "clean", 1),
    Remedy("l2", "regularisation", "a small penalty on the weights", alone(_l2), "clean", 1),
    Remedy("early_stopping", "regularisation", "keep the weights of the best epoch",
           alone(_early_stopping), "clean", 2),
)  # fmt: skip

BUDGET = (
    Remedy("more_epochs", "budget", "four times the epochs", _epochs(4.0), "clean", 1),
    Remedy("fewer_epochs", "budget", "a quarter of the epochs", _epochs(0.25), "clean", 1),
    Remedy("no_early_stopping", "budget", "train to the last epoch", alone(_no_early_stopping),
           "clean", 2),
    Remedy("batch_32", "budget", "the usual batch size", _batch(lambda now: BATCH), "clean", 1),
    Remedy("larger_batch", "budget", "four times the batch", _batch(lambda now: 4 * now),
           "clean", 1),
    Remedy("smaller_batch", "budget", "a quarter of the batch",
           _batch(lambda now: math.ceil(now / 4)), "clean", 1),
)  # fmt: skip
