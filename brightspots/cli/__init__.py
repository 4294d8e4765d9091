"""The command line: the library's verbs for schedulers and terminals.

Nothing here imports the numerical libraries until a command runs, so that ``brightspots --help`` answers at once.
"""

from __future__ import annotations

import signal
import sys
from typing import Annotated, Any

import typer

from brightspots._version import __version__
from brightspots.cli import about, checking, compiling, counting, drawing, fitting, reporting, terminal
from brightspots.cli.stopping import Stopped

# Base class of errors in what was typed: Click's up to Typer 0.2x, Typer's own since. The two have no common name.
_TypedWrongly: type[Any] = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name="brightspots",
    help="Bright and dark spots inside hospitals: from a table of outcomes to what a board should read.",
    epilog="Exit status: 0 done; 2 the input or the arguments are wrong; 3 the fit did not earn its certificate "
    "(results are written, and marked).",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


app.command("demo")(reporting.demo)
app.command("check")(checking.check)
app.command("fit")(fitting.fit)
app.command("report")(reporting.report)
app.command("funnel")(drawing.funnel)
app.command("standardise")(counting.standardise)
app.command("readers")(about.readers)
app.command("compile")(compiling.compile_loops)
app.command("version")(about.version)


def main() -> None:
    """Run the command line; errors in what was typed are printed in one line too, for logs and schedulers."""
    if len(sys.argv) < 2:
        app()  # prints the help
    try:
        status = app(standalone_mode=False)
    except _TypedWrongly as error:
        terminal.complain(f"error: {' '.join(error.format_message().split())} (--help lists what there is)")
        sys.exit(terminal.WRONG_INPUT)
    except (KeyboardInterrupt, typer.Abort):  # before or after the work of a command
        terminal.complain(str(Stopped(signal.SIGINT)))
        sys.exit(Stopped(signal.SIGINT).status)
    sys.exit(status)
