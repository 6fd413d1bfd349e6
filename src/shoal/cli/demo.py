"""``shoal demo``: the main job on embedded real data, from description to prediction."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from shoal.data import Data
    from shoal.recipe import Recipe
    from shoal.train.run import Run

RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
DROPOUTS = (0.0, 0.3)
PENALTIES = (0.0, 0.1)


@click.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False),
    default="demo",
    show_default=True,
    help="Folder for the picture and the model.",
)
@click.option("--quiet", is_flag=True, help="No progress.")
def demo(out: str, quiet: bool) -> None:
    """Train on 1,797 handwritten digits: one network, then 32 variants side by side.

    Ends with a picture of all learning curves, a saved model, and its predictions for digits that
    it never saw. Under a minute on two cores.
    """  # fmt: skip
    from shoal import data

    began, folder, digits = time.perf_counter(), Path(out), data.digits()
    recipe = _recipe()
    click.secho("\n1. Describe and check: nothing has run yet", bold=True)
    click.echo(str(recipe.net.summary(digits.shape)))
    click.secho("\n2. Train one network", bold=True)
    single = _train_one(recipe, digits, not quiet)
    click.echo(repr(single))
    click.secho("\n3. Train 32 variants side by side in one compiled program", bold=True)
    runs = _train_many(recipe, digits, not quiet)
    best = _table(runs)
    _draw(runs, folder)
    click.secho("\n4. Save the best, load it, predict digits it never saw", bold=True)
    _predict(best, digits, folder)
    click.echo(f"\n{time.perf_counter() - began:.0f} s in all")


def _recipe() -> "Recipe":
    import shoal as sh

    return sh.Recipe(
        sh.Net(sh.Dense(64), sh.ReLU(), sh.Dropout(0.2), sh.Dense(10)),
        loss="cross_entropy",
        optimiser=sh.Adam(1e-3),
        epochs=40,
        l2=0.0,
        preparation=sh.Preparation(split=sh.Split(validation=0.2, test=0.2)),
        name="digits",
    )


def _train_one(recipe: "Recipe", digits: "Data", show: bool) -> "Run":
    import shoal as sh

    return sh.fit(recipe, digits, show=show)


def _train_many(recipe: "Recipe", digits: "Data", show: bool) -> list["Run"]:
    import shoal as sh

    variants = [
        recipe.edit(
            {
                "optimiser.learning_rate": rate,
                "net.layers[2].rate": dropout,
                "l2": l2,
                "name": f"rate {rate:g}, dropout {dropout:g}, L2 {l2:g}",
            }
        )
        for rate in RATES
        for dropout in DROPOUTS
        for l2 in PENALTIES
    ]
    began = time.perf_counter()
    runs = sh.fit_many(variants, digits, show=show)
    seconds = time.perf_counter() - began
    epochs = sum(run.epochs[0] for run in runs)
    click.echo(f"{len(runs)} networks, {epochs} epochs in {seconds:.1f} s, compilation included")
    return runs


def _table(runs: Sequence["Run"]) -> "Run":
    """Print the runs by validation loss, the best first; return the best."""
    from rich.console import Console
    from rich.table import Table

    order = sorted(runs, key=lambda run: run.final["validation_loss"])
    table = Table(box=None, pad_edge=False)
    for heading in ("", "recipe", "training loss", "validation loss", "validation accuracy"):
        table.add_column(heading, no_wrap=True, justify="left" if heading == "recipe" else "right")
    shown = [*range(5), None, *range(len(order) - 3, len(order))]
    for place in shown:
        if place is None:
            table.add_row("...", "", "", "", "")
            continue
        run = order[place]
        names = ("train_loss", "validation_loss", "validation_accuracy")
        numbers = [f"{run.final[name]:.4f}" for name in names]
        table.add_row(str(place + 1), run.recipe.name, *numbers)
    Console(width=100).print(table)
    return order[0]


def _draw(runs: list["Run"], folder: Path) -> None:
    from shoal.explain.pictures.curves import draw_curves

    path = draw_curves(runs, folder / "curves.png", "32 recipes on digits, trained side by side")
    click.echo(f"their learning curves: {path}")


def _predict(best: "Run", digits: "Data", folder: Path) -> None:
    from shoal.train.model import Model

    path = best.save(folder / "digits.safetensors")
    model = Model.load(path)
    rows = best.prepared.parts.test
    predicted = model.predict(digits.inputs[rows])
    right = predicted == [digits.classes[code] for code in digits.targets[rows]]
    click.echo(f"{path}: {path.stat().st_size:,} bytes")
    click.echo(f"test split: {right.sum()} of {len(rows)} right ({right.mean():.1%})")
