"""Watching PyTorch: what hooks read beside what is computed by hand, and twins of modules."""

import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import shoal as sh
from shoal.doctor.watching import layers, objectives, translating
from shoal.doctor.watching.watch import watch
from shoal.errors import RecipeError

torch.set_num_threads(1)


def loader_of(x, t, batch=8, shuffle=False):
    rows = torch.utils.data.TensorDataset(torch.as_tensor(x), torch.as_tensor(t))
    return torch.utils.data.DataLoader(rows, batch_size=batch, shuffle=shuffle)


@pytest.fixture
def table(rng):
    """64 rows, 6 features, 3 classes."""
    return rng.normal(size=(64, 6)).astype(np.float32), np.arange(64) % 3


def mlp():
    torch.manual_seed(0)
    inner = nn.Sequential(nn.Linear(8, 5), nn.Tanh())
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), inner, nn.Linear(5, 3))


def train(module, loader, loss, optimiser, epochs=2, validation=()):
    for _ in range(epochs):
        module.train()
        for x, t in loader:
            optimiser.zero_grad()
            loss(module(x), t).backward()
            optimiser.step()
        module.eval()
        with torch.no_grad():
            for x, t in validation:
                loss(module(x), t)


# --- signals -------------------------------------------------------------------------------------


def test_what_hooks_read_is_what_autograd_gives(table):
    """Two epochs of four batches, every step of which is looked at; the same by hand."""
    loader = loader_of(*table, batch=16)
    module, loss = mlp(), nn.CrossEntropyLoss()
    optimiser = torch.optim.SGD(module.parameters(), 0.5, momentum=0.9)
    with watch(module, loader, loss, optimiser) as watched:
        train(module, loader, loss, optimiser, validation=loader)
    record = watched.record

    twin = mlp()
    weights = dict(twin.named_parameters())
    layer_of = {"0": "dense1", "2.0": "dense2", "3": "dense3"}
    velocity = {n: torch.zeros_like(w) for n, w in weights.items()}
    for epoch in range(2):
        losses, outputs = [], {n: [] for n in ("dense1", "relu1", "dense2", "tanh1", "dense3")}
        squares, moved, length = (dict.fromkeys(layer_of.values(), 0.0) for _ in range(3))
        for x, t in loader:
            y = x
            for name, one in zip(
                outputs, (twin[0], twin[1], twin[2][0], twin[2][1], twin[3]), strict=True
            ):
                y = one(y)
                outputs[name].append(y.detach())
            value = F.cross_entropy(y, t)
            losses.append(value.item())
            gradients = torch.autograd.grad(value, list(weights.values()))
            with torch.no_grad():
                for (name, w), g in zip(weights.items(), gradients, strict=True):
                    layer = layer_of[name.rpartition(".")[0]]
                    velocity[name] = 0.9 * velocity[name] + g
                    squares[layer] += float((g**2).sum())
                    length[layer] += float((w**2).sum())
                    moved[layer] += float(((0.5 * velocity[name]) ** 2).sum())
                    w -= 0.5 * velocity[name]
        at = {name: record[name][epoch, 0] for name in record}
        assert at["train_loss"] == pytest.approx(np.mean(losses), rel=1e-5)
        for layer in layer_of.values():
            assert at[f"{layer}:gradient_norm"] == pytest.approx(
                np.sqrt(squares[layer] / 4), rel=1e-4
            )
            ratio = np.sqrt(moved[layer] / length[layer])
            assert at[f"{layer}:update_ratio"] == pytest.approx(ratio, rel=1e-3)
        total = np.sqrt(sum(squares.values()) / 4)
        assert at["gradient_norm"] == pytest.approx(total, rel=1e-4)
        for name, parts in outputs.items():
            y = torch.cat(parts)
            assert at[f"{name}:activation_mean"] == pytest.approx(float(y.mean()), abs=1e-5)
            assert at[f"{name}:activation_std"] == pytest.approx(
                float(y.std(correction=0)), rel=1e-4
            )
        relu, tanh = torch.cat(outputs["relu1"]), torch.cat(outputs["tanh1"])
        dead = float((relu.amax(0) == relu.amin(0)).float().mean())
        assert at["relu1:dead"] == pytest.approx(dead)
        assert at["tanh1:saturated"] == pytest.approx(float((tanh.abs() > 0.9).float().mean()))
        with torch.no_grad():
            z = twin(torch.as_tensor(table[0]))
            answers = torch.as_tensor(table[1])
            assert at["validation_loss"] == pytest.approx(
                float(F.cross_entropy(z, answers)), rel=1e-4
            )
            right = float((z.argmax(1) == answers).float().mean())
            assert at["validation_accuracy"] == pytest.approx(right)
    assert set(at["learning_rate"].reshape(-1).tolist()) == {0.5}


def test_a_watched_training_is_the_same_to_the_last_bit(table):
    found = []
    for looked in (False, True):
        module, loss = mlp(), nn.CrossEntropyLoss()
        optimiser = torch.optim.Adam(module.parameters(), 0.01)
        loader = loader_of(*table, shuffle=True)
        watched = watch(module, loader, loss, optimiser) if looked else None
        torch.manual_seed(7)
        train(module, loader, loss, optimiser, epochs=3)
        if watched is not None:
            watched.recipe(), watched.data()
            watched.close()
        found.append((module(torch.as_tensor(table[0])), torch.rand(3)))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])


def test_hooks_are_taken_away_and_errors_stay_inside(table):
    module, loss = mlp(), nn.CrossEntropyLoss()
    optimiser = torch.optim.SGD(module.parameters(), 0.1)
    loader = loader_of(*table)
    with watch(module, loader, loss, optimiser) as watched:
        watched.gauges.taps[0] = watched.gauges.taps[0]._replace(name="nowhere")
        watched.gauges._sums = None  # whatever goes wrong in a hook
        train(module, loader, loss, optimiser, epochs=1)
    assert "TypeError" in watched.gauges.trouble
    assert "watching stopped" in str(watched)
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in (*module.modules(), loss)]
    assert sum(hooks) == 0
    assert not optimiser._optimizer_step_post_hooks


def test_numbers_that_are_not_finite_are_the_largest(table):
    x, t = table
    module, loss = mlp(), nn.CrossEntropyLoss()
    with torch.no_grad():
        module[0].weight[0, 0] = torch.inf
    optimiser = torch.optim.SGD(module.parameters(), 0.1)
    loader = loader_of(np.abs(x) - 0.5, t)
    with watch(module, loader, loss, optimiser) as watched:
        train(module, loader, loss, optimiser, epochs=1)
    largest = float(np.finfo(np.float32).max)
    assert watched.record["dense1:activation_mean"][0, 0] == largest
    assert not watched.gauges.finite
    assert watched.run().reasons == (sh.Status.NOT_FINITE,)


def test_a_loss_that_is_a_function_is_counted_by_hand(table):
    module = mlp()
    optimiser = torch.optim.SGD(module.parameters(), 0.1)
    batches = [
        (torch.as_tensor(table[0][k : k + 16]), torch.as_tensor(table[1][k : k + 16]))
        for k in (0, 16)
    ]
    with sh.doctor.watch(module, batches, F.cross_entropy, optimiser) as watched:
        for _ in range(3):
            values = []
            for x, t in batches:
                optimiser.zero_grad()
                loss = watched.loss(module(x), t)
                loss.backward()
                optimiser.step()
                values.append(loss.item())
    assert watched.record.epochs == 3
    assert watched.record["train_loss"][-1, 0] == pytest.approx(np.mean(values), rel=1e-6)
    assert watched.recipe().loss == sh.CrossEntropy()
    assert len(watched.data()) == 32


def test_epochs_may_be_told(table):
    module, loss = mlp(), nn.CrossEntropyLoss()
    optimiser = torch.optim.SGD(module.parameters(), 0.1)
    loader = loader_of(*table)
    watched = watch(module, (pair for pair in loader), loss, optimiser)
    for _ in range(2):
        for x, t in loader:
            optimiser.zero_grad()
            watched.step(F.cross_entropy(module(x), t))
            loss(module(x), t).backward()
            optimiser.step()
        watched.epoch()
    assert watched.record.epochs == 2
    assert watched.record["dense1:gradient_norm"].shape == (2, 1)
    with pytest.raises(sh.DataError, match="read only once"):
        watched.data()


def test_the_run_of_a_watched_training_is_a_run(table, tmp_path):
    x, t = table
    module, loss = mlp(), nn.CrossEntropyLoss()
    optimiser = torch.optim.Adam(module.parameters(), 0.01)
    loader, held = loader_of(x, t), loader_of(x[:16] + 0.1, t[:16])
    with watch(module, loader, loss, optimiser, validation=held) as watched:
        train(module, loader, loss, optimiser, validation=held)
    run = watched.run()
    with torch.no_grad():
        theirs = torch.softmax(module(torch.as_tensor(x)), 1).numpy()
    np.testing.assert_allclose(run.predict_proba(x), theirs, atol=1e-6)
    assert run.validate()["loss"] == pytest.approx(run.final["validation_loss"], rel=1e-4)
    assert len(run.prepared.parts.validation) == 16
    again = sh.Model.load(run.save(tmp_path / "twin.safetensors"))
    np.testing.assert_array_equal(again.predict_proba(x), run.predict_proba(x))
    ours = sh.fit(watched.recipe(), watched.data(), show=False)
    assert ours.record.epochs == 2
    assert "2 epochs watched" in str(watched)
    assert watched.cost >= 0


# --- twins ---------------------------------------------------------------------------------------

IMAGES = {
    "conv": lambda: nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, (3, 1), stride=2, groups=2, padding="valid"), nn.LeakyReLU(0.2),
        nn.Flatten(), nn.BatchNorm1d(24), nn.Dropout(0.3), nn.Linear(24, 5), nn.LayerNorm(5),
        nn.Hardsigmoid(), nn.Linear(5, 3),
    ),
    "pools": lambda: nn.Sequential(
        nn.Conv2d(2, 4, 3, padding="same", bias=False), nn.PReLU(4), nn.GroupNorm(2, 4),
        nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False), nn.Dropout2d(0.1), nn.Mish(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3),
    ),
    "flat at once": lambda: nn.Sequential(
        nn.Flatten(), nn.ELU(), nn.Linear(10 * 8 * 2, 4), nn.GELU(), nn.Linear(4, 3)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", IMAGES)
def test_twins_of_images_give_the_same(name, rng):
    torch.manual_seed(1)
    module = IMAGES[name]()
    x = rng.normal(size=(12, 2, 10, 8)).astype(np.float32)
    module.train()
    module(torch.as_tensor(3 * x + 1))  # running statistics away from their start
    _same(module, x, np.arange(12) % 3)


def test_twins_of_sequences_and_words_give_the_same(rng):
    torch.manual_seed(1)
    module = nn.Sequential(
        nn.Conv1d(3, 4, 3, dilation=2), nn.Softplus(beta=2.0), nn.MaxPool1d(2), nn.SiLU(),
        nn.Flatten(), nn.Linear(4 * 4, 3),
    )  # fmt: skip
    _same(module, rng.normal(size=(9, 3, 12)).astype(np.float32), np.arange(9) % 3)
    words = nn.Sequential(nn.Embedding(7, 4), nn.Flatten(), nn.Linear(20, 3))
    _same(words, rng.integers(0, 7, size=(9, 5)), np.arange(9) % 3)


@pytest.mark.parametrize(
    "module",
    [nn.SELU(), nn.CELU(0.7), nn.GELU(approximate="tanh"), nn.Hardswish(), nn.Softsign(), nn.PReLU(), nn.Identity(), nn.Sigmoid()],
    ids=lambda module: type(module).__name__,
)  # fmt: skip
def test_twins_of_activations_give_the_same(module, rng):
    torch.manual_seed(1)
    whole = nn.Sequential(nn.Linear(4, 6, bias=False), module, nn.Linear(6, 3))
    _same(whole, rng.normal(size=(10, 4)).astype(np.float32), np.arange(10) % 3)


def _same(module, x, t):
    """Probabilities of the run are those of the module."""
    module.eval()
    optimiser = torch.optim.SGD(module.parameters(), 0.1)
    watched = watch(module, loader_of(x, t, 4), nn.CrossEntropyLoss(), optimiser)
    run = watched.run()
    watched.close()
    data = watched.data()
    with torch.no_grad():
        theirs = torch.softmax(module(torch.as_tensor(x)), 1).numpy()
    np.testing.assert_allclose(run.predict_proba(data.inputs), theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "layer",
    [nn.Linear(40, 30), nn.Conv2d(4, 8, 3)],
    ids=["linear", "conv"],
)
def test_initial_weights_are_described_as_they_were_found(layer):
    limit = 1 / np.sqrt(layer.weight[0].numel())  # PyTorch's own: U(-1/sqrt(n_in), 1/sqrt(n_in))
    found = translating.like(layers.host(layer.weight))
    assert isinstance(found, sh.Uniform)
    assert found.limit == pytest.approx(limit, rel=0.1)
    nn.init.normal_(layer.weight, std=3.0)
    found = translating.like(layers.host(layer.weight))
    assert isinstance(found, sh.Normal)
    assert found.std == pytest.approx(3.0, rel=0.15)
    nn.init.zeros_(layer.weight)
    assert translating.like(layers.host(layer.weight)) == sh.Zeros()


# --- losses and optimisers -----------------------------------------------------------------------

P = [nn.Parameter(torch.zeros(2))]
OPTIMISERS = [
    (torch.optim.SGD(P, 0.3), sh.SGD(0.3)),
    (torch.optim.SGD(P, 0.3, momentum=0.8), sh.Momentum(0.3, beta=0.8)),
    (torch.optim.SGD(P, 0.3, momentum=0.8, nesterov=True), sh.Nesterov(0.3, beta=0.8)),
    (torch.optim.Adam(P, 0.3, (0.8, 0.9), 1e-6), sh.Adam(0.3, 0.8, 0.9, 1e-6)),
    (torch.optim.AdamW(P, 0.3, weight_decay=0.2), sh.AdamW(0.3, weight_decay=0.2)),
    (torch.optim.NAdam(P, 0.3), sh.NAdam(0.3)),
    (torch.optim.Adamax(P, 0.3), sh.AdaMax(0.3)),
    (torch.optim.RMSprop(P, 0.3, alpha=0.8, centered=True), sh.RMSprop(0.3, 0.8, centred=True)),
    (torch.optim.Adagrad(P, 0.3, initial_accumulator_value=0.1), sh.AdaGrad(0.3, 0.1, 1e-20)),
    (torch.optim.Adadelta(P, 0.3), sh.AdaDelta(0.3)),
    (torch.optim.Rprop(P, 0.3), sh.Rprop(0.3)),
]


@pytest.mark.parametrize("theirs, ours", OPTIMISERS, ids=[repr(o) for _, o in OPTIMISERS])
def test_optimisers_have_their_counterparts(theirs, ours):
    groups = [{n: v for n, v in g.items() if n != "params"} for g in theirs.param_groups]
    assert repr(objectives.rule_of(theirs, groups).optimiser) == repr(ours)


LOSSES = [
    (nn.CrossEntropyLoss(), sh.CrossEntropy()),
    (nn.CrossEntropyLoss(label_smoothing=0.1), sh.CrossEntropy(0.1)),
    (nn.BCEWithLogitsLoss(), sh.BinaryCrossEntropy()),
    (nn.MSELoss(), sh.MeanSquaredError()),
    (F.mse_loss, sh.MeanSquaredError()),
    (nn.L1Loss(), sh.MeanAbsoluteError()),
    (nn.SmoothL1Loss(), sh.Huber(1.0)),
    (nn.HuberLoss(delta=0.4), sh.Huber(0.4)),
    (nn.PoissonNLLLoss(), sh.Poisson()),
]


@pytest.mark.parametrize("theirs, ours", LOSSES, ids=[str(o) for _, o in LOSSES])
def test_losses_have_their_counterparts(theirs, ours):
    assert objectives.objective(theirs).loss == ours


def test_an_end_that_a_loss_does_not_expect_stays_doubled_or_is_refused(table):
    module = nn.Sequential(nn.Linear(6, 3), nn.Softmax(dim=1))
    optimiser = torch.optim.SGD(module.parameters(), 0.1, weight_decay=0.01)
    loader = loader_of(*table)
    recipe = watch(module, loader, nn.CrossEntropyLoss(), optimiser).recipe()
    assert [layer.kind for layer in recipe.net.layers] == ["Dense", "Softmax", "Identity"]
    assert recipe.l2 == pytest.approx(0.01 * 8)
    module[1] = nn.LogSoftmax(dim=1)
    recipe = watch(module, loader, nn.NLLLoss(), optimiser).recipe()
    assert [layer.kind for layer in recipe.net.layers] == ["Dense", "Softmax"]
    module[1] = nn.Identity()
    watched = watch(module, loader, nn.NLLLoss(), optimiser)
    with pytest.raises(sh.RecipeError, match="ends with LogSoftmax, got .* Identity"):
        watched.recipe()


@pytest.mark.parametrize(
    "targets, loss, task",
    [
        (np.arange(20) % 2, nn.BCEWithLogitsLoss(), "classification"),
        (np.eye(20)[:, :3], nn.BCEWithLogitsLoss(), "multilabel"),
        (np.linspace(0, 1, 20), nn.BCEWithLogitsLoss(), "regression"),
        (np.linspace(0, 1, 20), nn.MSELoss(), "regression"),
    ],
)
def test_targets_mean_what_the_loss_takes_them_for(targets, loss, task, rng):
    t = targets.astype(np.float32).reshape(20, -1)
    module = nn.Linear(4, t.shape[1])
    optimiser = torch.optim.SGD(module.parameters(), 0.1)
    x = rng.normal(size=(20, 4)).astype(np.float32)
    with watch(module, loader_of(x, t, 5), loss, optimiser) as watched:
        train(module, watched.loader, loss, optimiser, epochs=1)
    assert watched.data().task == task
    recipe, data = watched.recipe(), watched.data()
    recipe.check_against(data.shape, recipe.prepare(data).targets.width)


# --- what cannot be ------------------------------------------------------------------------------


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 3)

    def forward(self, x):
        return self.first(x) + 1


UNTRANSLATABLE = [
    (Own(), nn.CrossEntropyLoss(), {}, r"Own.*got a module with a forward of its own"),
    (nn.Sequential(nn.Linear(6, 4), nn.Sequential(nn.ReLU6()), nn.Linear(4, 3)), nn.CrossEntropyLoss(), {}, r"1\.0 \(ReLU6\(\)\).*did you mean"),
    (nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3, affine=False)), nn.CrossEntropyLoss(), {}, "without scale"),
    (nn.Linear(6, 3), nn.CTCLoss(), {}, "the loss CTCLoss"),
    (nn.Linear(6, 3), nn.CrossEntropyLoss(reduction="sum"), {}, "reduction='sum'"),
    (nn.Linear(6, 3), nn.CrossEntropyLoss(), {"momentum": 0.5, "dampening": 0.1}, "dampening=0.1"),
]  # fmt: skip


@pytest.mark.parametrize("module, loss, settings, message", UNTRANSLATABLE)
def test_what_has_no_counterpart_is_named_but_watched(module, loss, settings, message, table):
    optimiser = torch.optim.SGD(module.parameters(), 0.1, **settings)
    loader = loader_of(*table)
    with watch(module, loader, loss, optimiser) as watched:
        if not isinstance(loss, nn.CTCLoss):
            train(module, loader, loss, optimiser, epochs=1)
    with pytest.raises(sh.RecipeError, match=message):
        watched.recipe()
    if not isinstance(loss, nn.CTCLoss):
        assert np.isfinite(watched.record["dense1:gradient_norm"]).all()


def test_groups_with_rates_of_their_own_are_refused(table):
    module = nn.Linear(6, 3)
    groups = [{"params": [module.weight]}, {"params": [module.bias], "lr": 1.0}]
    optimiser = torch.optim.SGD(groups, 0.1)
    watched = watch(module, loader_of(*table), nn.CrossEntropyLoss(), optimiser)
    with pytest.raises(sh.RecipeError, match="2 groups of parameters"):
        watched.recipe()


def test_arguments_in_the_wrong_order_are_named(table):
    module = nn.Linear(6, 3)
    optimiser = torch.optim.SGD(module.parameters(), 0.1)
    with pytest.raises(
        sh.RecipeError, match=r"watch\(module\) needs a torch Module, got a DataLoader"
    ):
        watch(loader_of(*table), module, nn.CrossEntropyLoss(), optimiser)


def test_without_pytorch_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(sh.DeviceError, match="pip install torch"):
        watch(None, None, None, None)


def test_data_that_is_not_finite_is_refused_by_name(table):
    x, t = table
    x = x.copy()
    x[3, 2] = np.nan
    module = mlp()
    optimiser = torch.optim.SGD(module.parameters(), 0.1)
    watched = watch(module, loader_of(x, t), nn.CrossEntropyLoss(), optimiser)
    with pytest.raises(sh.DataError, match="nan in row 3"):
        watched.data()


# --- the doctor ----------------------------------------------------------------------------------


def test_a_watched_training_is_diagnosed_like_a_run(rng):
    """A layer too deep and flat to learn is named by its gradients; a network that learns is not."""
    torch.manual_seed(0)
    x = rng.normal(size=(240, 6)).astype(np.float32)
    t = (x[:, 0] > 0) + 2 * (x[:, 1] > 0)
    deep = [one for _ in range(8) for one in (nn.Linear(12, 12), nn.Sigmoid())]
    found = []
    for middle, rate in (([], 0.03), (deep, 0.03)):
        module = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), *middle, nn.Linear(12, 4))
        loss = nn.CrossEntropyLoss()
        optimiser = torch.optim.SGD(module.parameters(), rate, momentum=0.9)
        loader = loader_of(x, t.astype(np.int64), 16)
        with watch(module, loader, loss, optimiser) as watched:
            train(module, loader, loss, optimiser, epochs=12)
        found.append(sh.diagnose(watched))
    assert found[0].healthy, found[0]
    assert "vanishing_gradients" in found[1].rules


def test_what_has_no_translation_is_still_diagnosed_by_its_curves(table):
    module, loss = Own(), nn.CrossEntropyLoss()
    optimiser = torch.optim.SGD(module.parameters(), 1e38)
    loader = loader_of(*table)
    with watch(module, loader, loss, optimiser) as watched:
        train(module, loader, loss, optimiser, epochs=2)
    found = sh.diagnose(watched)
    assert not found.healthy
    assert "finite" in found.reading


def watched_training(x, t, epochs=6, shuffle=False, held=None, rate=0.05):
    """A watched perceptron on rows in their order; the optimiser holds the last layers ``held``."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(x.shape[1], 16), nn.ReLU(), nn.Linear(16, int(t.max()) + 1))
    loss = nn.CrossEntropyLoss()
    own = module.parameters() if held is None else module[-held:].parameters()
    optimiser = torch.optim.SGD(own, rate, momentum=0.9)
    rows = torch.utils.data.TensorDataset(torch.tensor(x), torch.tensor(t))
    loader = torch.utils.data.DataLoader(rows, batch_size=16, shuffle=shuffle)
    with watch(module, loader, loss, optimiser) as watched:
        train(module, loader, loss, optimiser, epochs=epochs)
    return watched


def sorted_rows(rng, rows=480, classes=6):
    """Rows of as many classes as directions, one class after another."""
    t = np.repeat(np.arange(classes), rows // classes)
    x = rng.normal(size=(rows, classes)).astype(np.float32) * 0.7
    x[np.arange(rows), t] += 1.5
    return x, t


def test_rows_that_come_sorted_are_named(rng):
    x, t = sorted_rows(rng)
    assert sh.diagnose(watched_training(x, t, rate=0.3)).rules[:1] == ("no_shuffle",)
    assert "no_shuffle" not in sh.diagnose(watched_training(x, t, shuffle=True)).rules
    mixed = rng.permutation(len(t))
    found = sh.diagnose(watched_training(x[mixed], t[mixed]))
    assert found.healthy, found


def test_layers_that_the_optimiser_does_not_hold_are_named(rng):
    """As a hint where training goes well, since that may be meant, and else as a finding."""
    x, t = sorted_rows(rng, classes=6)
    sick = sh.diagnose(watched_training(x, t, shuffle=True, held=1))
    assert "frozen_layers" in sick.rules
    assert "does not hold" in str(sick)
    x, t = sorted_rows(rng, classes=2)
    found = sh.diagnose(watched_training(x, t, shuffle=True, held=1))
    assert found.healthy, found
    assert "frozen_layers" in [hint.rule for hint in found.hints]


def test_rows_that_are_not_finite_are_named_with_their_place(rng):
    x, t = sorted_rows(rng)
    x[7, 2] = np.nan
    found = sh.diagnose(watched_training(x, t, shuffle=True, epochs=1))
    assert found.rules[0] == "nan_data"
    assert "row 7" in str(found)


def test_before_the_first_epoch_nothing_is_said_of_training(rng):
    x, t = sorted_rows(rng)
    found = sh.diagnose(watched_training(x, t, shuffle=True, epochs=0))
    assert found.healthy
    assert "No epoch was trained" in found.reading


@pytest.mark.parametrize("place, name", [(1, "loader"), (2, "loss"), (3, "optimiser")])
def test_arguments_that_are_missing_are_named(place, name, table):
    module = mlp()
    arguments = [module, loader_of(*table), nn.CrossEntropyLoss()]
    arguments += [torch.optim.SGD(module.parameters(), 0.1)]
    arguments[place] = None
    with pytest.raises(RecipeError, match=name):
        watch(*arguments)
