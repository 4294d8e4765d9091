"""Output of commands: lines, warnings, errors, progress, and exit status."""

from __future__ import annotations

import contextlib
import errno
import functools
import inspect
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, TextIO, TypeVar, get_args

import typer
from typer.models import OptionInfo

from brightspots.cli.stopping import Stopped, stoppable
from brightspots.cli.wording import in_options
from brightspots.common.errors import BrightspotsError, CertificateWarning, DataWarning

Item = TypeVar("Item")

WRONG_INPUT = 2
NO_CERTIFICATE = 3


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Decorate a command so that a wrong input or argument gives one line on standard error and status 2, no traceback.

    In errors and warnings of the library, names of arguments are replaced by the options of the command.
    """
    options = options_of(command)

    @functools.wraps(command)
    def run(**given: Any) -> None:
        try:
            with stoppable(), spoken_warnings(options):
                command(**given)
        except Stopped as stopped:
            complain(f"{stopped}: nothing half written is left")
            raise typer.Exit(stopped.status) from None
        except BrokenPipeError:
            raise  # a closed pipe, as in "brightspots readers | head -1", is no fault of the input
        except (BrightspotsError, OSError) as error:
            complain(f"error: {_one_line(error, options)}")
            raise typer.Exit(WRONG_INPUT) from None

    return run


@contextlib.contextmanager
def spoken_warnings(options: Mapping[str, str]) -> Iterator[None]:
    """Print the library's own warnings as lines on standard error, with the options of the command."""
    with warnings.catch_warnings():
        for category in (CertificateWarning, DataWarning):
            warnings.simplefilter("always", category)
        usual = warnings.showwarning

        def show(
            message: Warning | str, category: type[Warning], filename: str, lineno: int,
            file: TextIO | None = None, line: str | None = None,
        ) -> None:  # fmt: skip
            if issubclass(category, CertificateWarning | DataWarning):
                complain(f"warning: {in_options(str(message), options)}")
            else:
                usual(message, category, filename, lineno, file, line)

        warnings.showwarning = show
        yield


def complain(text: str) -> None:
    """Print one line on standard error."""
    typer.echo(text, err=True)


def say(text: str, *, unless: bool) -> None:
    """Print a line on standard output, unless JSON was asked for (`unless`)."""
    if not unless:
        typer.echo(text)


def answer(content: Mapping[str, Any]) -> None:
    """Print one JSON object on standard output."""
    from brightspots.common.files import to_json

    typer.echo(to_json(content))


def in_terminal(json: bool) -> bool:
    """Whether standard error is a terminal and JSON was not asked for, so that a progress bar is shown."""
    return not json and sys.stderr.isatty()


def progress(items: Collection[Item], what: str, *, json: bool) -> Iterable[Item]:
    """The items, with a progress bar where there is more than one and a terminal shows it."""
    if len(items) < 2 or not in_terminal(json):
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, description=what, console=Console(stderr=True), transient=True)


def options_of(command: Callable[..., None]) -> dict[str, str]:
    """Parameter of a command to the option that sets it."""
    parameters = inspect.signature(command, eval_str=True).parameters.values()
    found = {}
    for parameter in parameters:
        declared = [each for each in get_args(parameter.annotation) if isinstance(each, OptionInfo)]
        if declared:
            spelt = [text for text in declared[0].param_decls or () if text.startswith("--")]
            found[parameter.name] = spelt[0] if spelt else f"--{parameter.name.replace('_', '-')}"
    return found


def _one_line(error: Exception, options: Mapping[str, str]) -> str:
    if isinstance(error, OSError) and not isinstance(error, BrightspotsError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:  # files are named by who writes them
        return f"standard output: {error.strerror}"
    return in_options(" ".join(str(error).split()), options)
