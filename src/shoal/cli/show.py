"""``shoal show``: small controlled experiments that test what textbooks say about training."""

import json
import time
from pathlib import Path

import click


@click.command()
@click.argument("name", required=False)
@click.option(
    "--seeds",
    type=click.IntRange(2),
    help="Networks that differ in nothing but their seed.  [default: the experiment's]",
)
@click.option(
    "--size",
    default="full",
    show_default=True,
    help="full, small, or a scale between 0 and 1.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    help="Where to write the picture: .png, .svg or .pdf.  [default: NAME.png]",
)
@click.option(
    "--animate", is_flag=True, help="Also the paths of its picture step by step: a GIF beside it."
)
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON instead of text.")
@click.option("--quiet", is_flag=True, help="No notes.")
def show(
    name: str | None,
    seeds: int | None,
    size: str,
    out: str | None,
    animate: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Test a claim of textbooks by the experiment NAME; without a name, list the experiments.

    Ends with a table, a picture, and a sentence that says what was measured over several seeds and
    whether the claim held: all members learn from the same batches.

    \b
    shoal show
    shoal show dead_relu
    shoal show dead_relu --seeds 10 --out dead.svg
    shoal show input_scaling --animate
    """  # fmt: skip
    from shoal.explain.experiments.catalogue import named, show

    if name is None:
        _list(as_json)
        return
    experiment = named(name)
    if not quiet:
        click.echo(f"running {experiment.name} ...", err=True)
    began, path = time.perf_counter(), out or f"{experiment.name}.png"
    written = {"picture": path}
    if animate:
        written["animation"] = str(Path(path).with_suffix(".gif"))
    finding = show(
        experiment.name,
        seeds=seeds,
        size=_scale(size),
        out=path,
        animation=written.get("animation"),
    )
    if as_json:
        click.echo(json.dumps(finding.to_json() | written, indent=2))
    else:
        click.echo(repr(finding))
        for what, where in written.items():
            click.echo(f"{what}: {where}")
    if not quiet:
        click.echo(f"{time.perf_counter() - began:.1f} s", err=True)


def _scale(size: str) -> str | float:
    """A scale where the text is a number, else the text."""
    try:
        return float(size)
    except ValueError:
        return size


def _list(as_json: bool) -> None:
    """All experiments: name and claim."""
    import textwrap

    from shoal.explain.experiments.catalogue import EXPERIMENTS

    if as_json:
        listed = [{"name": e.name, "title": e.title, "claim": e.claim} for e in EXPERIMENTS]
        click.echo(json.dumps(listed, indent=2))
        return
    width = max(len(experiment.name) for experiment in EXPERIMENTS) + 2
    for experiment in EXPERIMENTS:
        lines = textwrap.wrap(experiment.claim, 98 - width, break_on_hyphens=False)
        for number, line in enumerate(lines):
            click.echo(f"{'' if number else experiment.name:<{width}}{line}")
