"""``shoal report``: one HTML page about runs and studies."""

import click


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False))
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    default="report.html",
    show_default=True,
    help="File to write.",
)
@click.option("--title", default="", help="By default the names of the data.")
def report(runs: tuple[str, ...], out: str, title: str) -> None:  # fmt: skip
    """Write a page about RUNS, folders that shoal fit or shoal tune wrote: tables, curves, data.

    \b
    shoal report runs/digits runs/digits-2 --out report.html
    shoal report runs/digits-tune

    The page is one file: it opens from the disk and needs no network.
    """  # fmt: skip
    from shoal.report.page import report as write

    path = write(list(runs), out, title=title)
    click.echo(f"{path}: {path.stat().st_size:,} bytes")
