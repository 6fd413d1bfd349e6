"""What the benchmarks of searches share: one space, for us and for Optuna with PyTorch."""

from typing import Any

WIDTHS = (16, 32, 64, 128)
ACTIVATIONS = ("ReLU", "Tanh", "ELU", "SiLU")
BATCH = 32


def space(epochs: int, wide: bool = False) -> Any:
    """A 64-32-10 network on digits, rate, dropout and L2 open; wide: also widths, activations."""
    import shoal as sh

    units: Any = sh.Choice(*WIDTHS) if wide else 64
    several = sh.Choice(sh.ReLU(), sh.Tanh(), sh.ELU(), sh.SiLU())
    act: Any = several if wide else sh.ReLU()
    dropout: Any = sh.Float(0.0, 0.5)
    rate: Any = sh.Float(1e-4, 1e-1, log=True)
    net = sh.Net(
        sh.Dense(units), act, sh.Dropout(dropout), sh.Dense(32), act, sh.Dense(10)
    )  # fmt: skip
    return sh.Recipe(
        net,
        loss="cross_entropy",
        optimiser=sh.Adam(rate),
        l2=sh.Float(1e-6, 1.0, log=True),
        epochs=epochs,
        batch_size=BATCH,
    )


def torch_rows(recipe: Any, data: Any, device: str = "cpu") -> list[tuple[Any, Any]]:
    """(inputs, labels) of training and validation, the rows and scaling that we use."""
    import torch

    prepared = recipe.prepare(data)
    rows = [prepared.encoded(part, "float32") for part in prepared.parts[:2]]
    return [
        (torch.tensor(x, device=device), torch.tensor(t, dtype=torch.long, device=device))
        for x, t in rows
    ]


def dense(trial: Any, wide: bool) -> Any:
    """The network of a trial in PyTorch."""
    from torch import nn

    dropout = trial.suggest_float("dropout", 0.0, 0.5)
    units, kinds = 64, [nn.ReLU, nn.ReLU]
    if wide:
        units = trial.suggest_categorical("units", WIDTHS)
        names = [trial.suggest_categorical(f"activation{i}", ACTIVATIONS) for i in (1, 2)]
        kinds = [getattr(nn, name) for name in names]
    return nn.Sequential(
        nn.Linear(64, units), kinds[0](), nn.Dropout(dropout),
        nn.Linear(units, 32), kinds[1](), nn.Linear(32, 10),
    )  # fmt: skip


def torch_training(net: Any, trial: Any, rows: Any, batch: int, epochs: int, pruned: bool) -> float:
    """Train a network with Adam as a trial says; the last validation loss."""
    import optuna
    import torch

    (x, y), (vx, vy) = rows
    rate = trial.suggest_float("rate", 1e-4, 1e-1, log=True)
    l2 = trial.suggest_float("l2", 1e-6, 1.0, log=True)
    decayed = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim == 1]
    groups = [{"params": decayed, "weight_decay": l2 / batch}, {"params": others}]
    optimiser = torch.optim.Adam(groups, lr=rate)
    loss = float("nan")
    for epoch in range(1, epochs + 1):
        net.train()
        order = torch.randperm(len(x), device=x.device)
        for start in range(0, len(x), batch):
            chosen = order[start : start + batch]
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(net(x[chosen]), y[chosen]).backward()
            optimiser.step()
        net.eval()
        with torch.no_grad():
            loss = torch.nn.functional.cross_entropy(net(vx), vy).item()
        if pruned:
            trial.report(loss, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
    return loss


def torch_study(journal: str, sampler: Any, pruned: bool) -> Any:
    """A study in a journal that several processes share."""
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalStorage

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        study_name="study",
        storage=JournalStorage(JournalFileBackend(journal)),
        sampler=sampler,
        pruner=optuna.pruners.MedianPruner() if pruned else optuna.pruners.NopPruner(),
        load_if_exists=True,
    )
