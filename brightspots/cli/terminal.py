"""What a command says, and with what exit status it ends."""

from __future__ import annotations

import contextlib
import errno
import functools
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, TextIO, TypeVar

import typer

from brightspots.cli.stopping import Stopped, stoppable
from brightspots.errors import BrightspotsError, CertificateWarning, DataWarning

Item = TypeVar("Item")

WRONG_INPUT = 2
NO_CERTIFICATE = 3


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """End with one line on standard error and status 2 where the input or an argument is wrong, without a traceback."""

    @functools.wraps(command)
    def run(**given: Any) -> None:
        try:
            with stoppable(), spoken_warnings():
                command(**given)
        except Stopped as stopped:
            complain(f"{stopped}: nothing half written is left")
            raise typer.Exit(stopped.status) from None
        except BrokenPipeError:
            raise  # nobody reads on, as in "brightspots readers | head -1": no fault of the input
        except (BrightspotsError, OSError) as error:
            complain(f"error: {_one_line(error)}")
            raise typer.Exit(WRONG_INPUT) from None

    return run


@contextlib.contextmanager
def spoken_warnings() -> Iterator[None]:
    """Say the library's own warnings as lines on standard error."""
    with warnings.catch_warnings():
        for category in (CertificateWarning, DataWarning):
            warnings.simplefilter("always", category)
        usual = warnings.showwarning

        def show(
            message: Warning | str, category: type[Warning], filename: str, lineno: int,
            file: TextIO | None = None, line: str | None = None,
        ) -> None:  # fmt: skip
            if issubclass(category, CertificateWarning | DataWarning):
                complain(f"warning: {message}")
            else:
                usual(message, category, filename, lineno, file, line)

        warnings.showwarning = show
        yield


def complain(text: str) -> None:
    """One line on standard error."""
    typer.echo(text, err=True)


def say(text: str, *, unless: bool) -> None:
    """A line on standard output, unless JSON was asked for."""
    if not unless:
        typer.echo(text)


def answer(content: Mapping[str, Any]) -> None:
    """One JSON object on standard output."""
    from brightspots.exports import to_json

    typer.echo(to_json(content))


def in_terminal(json: bool) -> bool:
    """Whether a progress bar has somebody to watch it."""
    return not json and sys.stderr.isatty()


def progress(items: Collection[Item], what: str, *, json: bool) -> Iterable[Item]:
    """The same items, counted by a bar where somebody watches and there is more than one."""
    if len(items) < 2 or not in_terminal(json):
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, description=what, console=Console(stderr=True), transient=True)


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, BrightspotsError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:  # files are named by who writes them
        return f"standard output: {error.strerror}"
    return " ".join(str(error).split())
