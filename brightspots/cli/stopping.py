"""How a command ends that is told to stop: what it was writing is taken away, and one line and the status say so."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Final

# What terminals, schedulers and closed sessions send; Windows has no SIGHUP.
_SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Stopped(BaseException):
    """A signal arrived. Like `KeyboardInterrupt` no `Exception`, so that nothing but clean-up comes between.

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
        """As shells report an end by this signal."""
        return 128 + self.number

    def __str__(self) -> str:
        return f"stopped by {signal.Signals(self.number).name}"


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Raise `Stopped` in the block where a signal to end arrives; a second one ends the process at once.

    What libraries make of the interruption (DuckDB turns it into an error of its own) is `Stopped` again outside.
    Signals that the caller ignores, as `nohup` does, stay ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    process = os.getpid()
    arrived: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        if os.getpid() != process:  # a child that was forked, and is no command
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
