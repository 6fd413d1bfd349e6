"""``shoal demo``: a network that does not learn is diagnosed, cured, tuned and reported."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from shoal.data import Data
    from shoal.doctor.result import Cure
    from shoal.recipe import Recipe
    from shoal.train.run import Run
    from shoal.tune.study import Study

DEPTH = 6
TRIALS = 200
EPOCHS = 30
TUNED_EPOCHS = 15


@click.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False),
    default="demo",
    show_default=True,
    help="Folder for pictures, report and model.",
)
@click.option(
    "--trials", type=click.IntRange(1), default=TRIALS, show_default=True, help="Of the search."
)
@click.option("--quiet", is_flag=True, help="No progress.")
def demo(out: str, trials: int, quiet: bool) -> None:
    """Diagnose, cure, tune and report a network that does not learn, on 1,797 handwritten digits.

    Six layers of sigmoid on raw pixels get a diagnosis with its evidence, a cure proven by
    training every remedy beside them, 200 trials of what is left open, and a report. Under 90
    seconds on two cores.
    """
    from shoal import data

    began, folder, digits, show = time.perf_counter(), Path(out), data.digits(), not quiet
    folder.mkdir(parents=True, exist_ok=True)
    _title("1. A network, described and checked; nothing has run yet")
    sick = _sick()
    click.echo(str(sick.net.summary(digits.shape)))
    _title("2. It trains, and does not learn")
    run = _train(sick, digits, show)
    _title("3. What is wrong with it")
    _diagnose(run)
    _title("4. The cure: every remedy beside the sick training, on the same batches")
    cure = _cure(run, digits, folder, show)
    _title(f"5. What is left open: {trials} trials through one compiled program")
    study = _tune(cure, digits, trials, show)
    _title("6. All of it on one page")
    _report(run, cure, study, folder)
    _title("7. The best network, saved, loaded, and asked about digits it never saw")
    _predict(study, digits, folder)
    click.echo(f"\n{time.perf_counter() - began:.0f} s in all")


def _title(text: str) -> None:
    click.secho(f"\n{text}", bold=True)


def _sick() -> "Recipe":
    import shoal as sh

    hidden = [layer for _ in range(DEPTH) for layer in (sh.Dense(32), sh.Sigmoid())]
    return sh.Recipe(
        sh.Net(*hidden, sh.Dense(10)),
        loss="cross_entropy",
        optimiser=sh.Adam(1e-3),
        epochs=EPOCHS,
        preparation=sh.Preparation(inputs="none", split=sh.Split(validation=0.2, test=0.2)),
        name="six sigmoid layers on raw pixels",
    )


def _train(recipe: "Recipe", digits: "Data", show: bool) -> "Run":
    import shoal as sh

    run = sh.fit(recipe, digits, show=show)
    click.echo(repr(run))
    return run


def _diagnose(run: "Run") -> None:
    import shoal as sh

    click.echo(str(sh.diagnose(run)))


def _cure(run: "Run", digits: "Data", folder: Path, show: bool) -> "Cure":
    import shoal as sh

    found = sh.cure(run.recipe, digits, sh.diagnose(run), show=show)
    click.echo(found.text)
    click.echo(f"the remedies: {found.draw(folder / 'cure.png')}")
    return found


def _tune(cure: "Cure", digits: "Data", trials: int, show: bool) -> "Study":
    import shoal as sh

    units: Any = sh.Choice(32, 64, 128)
    activation: Any = sh.Choice(sh.ReLU(), sh.Mish(), sh.SELU())
    dropout: Any = sh.Float(0.0, 0.5)
    rate: Any = sh.Float(3e-4, 3e-2, log=True)
    space = cure.recipe.replace(
        net=sh.Net(sh.Dense(units), activation, sh.Dropout(dropout), sh.Dense(10)),
        optimiser=sh.Adam(rate),
        l2=sh.Float(1e-3, 3.0, log=True),
        epochs=TUNED_EPOCHS,
        name="tuned",
    )
    click.echo(repr(space.parameters))
    study = sh.tune(space, digits, trials=trials, pruner="median", show=show)
    click.echo(repr(study))
    return study


def _report(run: "Run", cure: "Cure", study: "Study", folder: Path) -> None:
    import shoal as sh

    runs: list[Any] = [run, *([cure.run] if cure.run is not None else []), study]
    path = sh.report(runs, folder / "report.html", findings=sh.diagnose(run), cures=cure)
    click.echo(f"{path}: {path.stat().st_size:,} bytes")


def _predict(study: "Study", digits: "Data", folder: Path) -> None:
    from shoal.train.model import Model

    path = study.best.save(folder / "digits.safetensors")
    model = Model.load(path)
    rows = study.run.prepared.parts.test
    right = model.predict(digits.inputs[rows]) == [digits.classes[c] for c in digits.targets[rows]]
    click.echo(f"{path}: {path.stat().st_size:,} bytes")
    click.echo(f"test split: {right.sum()} of {len(rows)} right ({right.mean():.1%})")
