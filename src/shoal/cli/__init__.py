"""The command line: the verbs of the library, one to one.

Nothing here imports JAX or NumPy until a command runs, so ``shoal --help`` answers at once. Results
go to standard output, progress and notes to standard error; errors that shoal raises on purpose end
with exit code 1 and one line, misuse of the command line with 2.
"""

import sys

import click

from shoal.cli.advise import advise
from shoal.cli.cure import cure
from shoal.cli.demo import demo
from shoal.cli.diagnose import diagnose
from shoal.cli.doctor_bench import doctor_bench
from shoal.cli.explain import explain
from shoal.cli.fit import fit
from shoal.cli.gradcheck import gradcheck
from shoal.cli.plot import plot
from shoal.cli.predict import predict
from shoal.cli.report import report
from shoal.cli.show import show
from shoal.cli.summary import summary
from shoal.cli.tune import tune


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="shoal", message="%(prog)s %(version)s")
def cli() -> None:
    """Train neural networks a shoal at a time.

    \b
    shoal demo                                       see it work on handwritten digits
    shoal fit houses.csv --target price              train on your table
    shoal tune houses.csv --target price             search the hyperparameters
    shoal advise digits                              the learning rate, measured
    shoal predict runs/houses/model.safetensors new.csv
    shoal diagnose digits --rate 1                   say what is wrong with a training
    shoal explain --example                          every number of one step of training
    shoal show dead_relu                             test what textbooks say
    """


COMMANDS = (
    demo, fit, tune, advise, summary, predict, diagnose, cure, explain, show, gradcheck, plot,
    report, doctor_bench,
)  # fmt: skip
for command in COMMANDS:
    cli.add_command(command)


def main() -> None:
    """The entry point: run a command, turn errors of shoal into one line."""
    from shoal.errors import ShoalError

    try:
        cli(standalone_mode=False)
    except click.exceptions.Abort as stop:
        click.echo(str(stop) or "stopped", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except ShoalError as error:
        click.echo(f"shoal: {error}", err=True)
        sys.exit(1)
