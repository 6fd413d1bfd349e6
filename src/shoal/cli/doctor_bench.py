"""``shoal doctor-bench``: how often the doctor is right, measured."""

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from shoal.doctor.bench.bench import Results


class Places(click.ParamType[slice]):
    """The first N of a list, ``70``; those from the M-th to the N-th, ``56-100``; or ``all``."""

    name = "N|M-N"

    def convert(self, value: Any, param: Any, ctx: Any) -> slice:
        """The places of a text."""
        if isinstance(value, slice):
            return value
        if value == "all":
            return slice(None)
        first, dash, last = value.partition("-")
        if first.isdecimal() and not dash:
            return slice(int(first))
        if first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last):
            return slice(int(first) - 1, int(last))
        self.fail(
            f"{value!r} is neither a number such as 70 nor a range such as 56-100", param, ctx
        )


@click.command("doctor-bench")
@click.option("--held-out", is_flag=True, help="The half on which nothing was tuned.")
@click.option("--programs", is_flag=True, help="Only the real programs of the half.")
@click.option("--quick", is_flag=True, help="A handful of cases in about a minute.")
@click.option(
    "--cures",
    type=Places(),
    default="all",
    show_default=True,
    help="Harmful cases to treat, in turns of the kinds of faults: the first N, or M-th to N-th.",
)
@click.option("--no-certify", is_flag=True, help="Do not try every remedy on every healthy base.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False),
    help="For results and for scores, which are then measured once.  [default: runs/doctor-bench]",
)
@click.option("--json", "as_json", is_flag=True, help="The figures as JSON on the last lines.")
@click.option("--quiet", is_flag=True, help="No progress.")
def doctor_bench(as_json: bool, quiet: bool, **options: Any) -> None:
    """Measure the doctor: injected faults, healthy trainings and real programs.

    \b
    shoal doctor-bench --quick
    shoal doctor-bench --held-out --json
    shoal doctor-bench --held-out --programs

    Whether a training is sick is measured, over ten seeds on test rows, beside the healthy one that
    it was made from. The half for tuning and the one held out share no data set.
    """
    from shoal.doctor.bench.bench import doctor_bench as run

    folder = options["folder"] or "runs/doctor-bench"
    found = run(
        held_out=options["held_out"],
        programs=options["programs"],
        quick=options["quick"],
        folder=folder,
        cures=options["cures"],
        certified=not options["no_certify"],
        say=(lambda _: None) if quiet else (lambda text: click.echo(text, err=True)),
    )
    click.echo(_table(found))
    click.echo(f"kept in {folder}: {_kept(found, folder)}")
    if as_json:
        kept = found.to_json()
        for name in ("cases", "treatments"):
            kept.pop(name)
        click.echo(json.dumps(kept))


def _table(found: "Results") -> str:
    """The figures as lines of text."""
    rows = [("figure", "measured, with 95 % interval", "goal", "anchor")]
    for goal in found.goals:
        if goal.share.of:
            aim = f"{goal.bound} {goal.goal:g} %" if goal.goal or goal.bound == "at most" else ""
            rows.append((goal.share.name, str(goal.share), aim, goal.anchor))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows]
    counts = ", ".join(f"{count} {name}" for name, count in found.counts.items())
    lines += ["", f"half {found.half}: {counts}"]
    if found.treated:
        from shoal.doctor.bench import tallies

        lines.append(
            f"median time to a verified cure {tallies.median_seconds(found.treated):.1f} s"
        )
        if any(treatment.random is not None for treatment in found.treated):
            lines.append(f"against random remedies: p = {tallies.against(found.treated):.2g}")
    return "\n".join([*lines, f"took {found.seconds:.0f} s"])


def _kept(found: "Results", folder: str) -> str:
    from pathlib import Path

    from shoal.doctor.bench.picture import draw_bench

    title = f"The doctor on half {found.half}"
    drawn = draw_bench(found.goals, title, Path(folder) / "bench.png")
    return f"results.json, misses.txt, scores.json, {drawn.name}"
