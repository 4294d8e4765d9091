"""End a command on a signal: partial files are removed, and it ends with one line and the signal's status."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Final

# Signals of terminals, schedulers and closed sessions; Windows has no SIGHUP.
_SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Stopped(BaseException):
    """A signal arrived. Not an `Exception`, like `KeyboardInterrupt`, so that ``except Exception`` does not catch it.

    Parameters
    ----------
    number : int
        Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def status(self) -> int:
        """Exit status as shells report it: 128 + the number of the signal."""
        return 128 + self.number

    def __str__(self) -> str:
        return f"stopped by {signal.Signals(self.number).name}"


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Raise `Stopped` inside the block when a signal to end arrives; a second signal ends the process at once.

    Where a library turns the interruption into an error of its own, as DuckDB does, `Stopped` is raised in its place.
    Signals that are ignored already, as under `nohup`, stay ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    process = os.getpid()
    arrived: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        if os.getpid() != process:  # in a forked child
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        for each in before:
            signal.signal(each, signal.SIG_DFL)
        arrived.append(number)
        raise Stopped(number)

    before = {
        number: handler for number in _SIGNALS if (handler := signal.getsignal(number)) is not signal.SIG_IGN
    }
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    except Exception as error:
        if arrived:
            raise Stopped(arrived[0]) from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
