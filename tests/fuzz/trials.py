"""One trial of whatever somebody may pass, and the counts of what came of many."""

from __future__ import annotations

import contextlib
import faulthandler
import io
import os
import random
import signal
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from brightspots.common.errors import BrightspotsError

Item = TypeVar("Item")

# How many trials `make fuzz` makes of each kind; the ordinary suite makes SAMPLE of them.
SIZE = int(os.environ.get("FUZZ_SIZE", "2000"))
SAMPLE = 40
LIMIT = 60  # seconds
SEED = int(os.environ.get("FUZZ_SEED", "1"))

FINE, WARNED, CLEAR, RAW, HANG, LOSS = (
    "fine", "warned", "clear error", "raw exception", "longer than 60 seconds", "silent loss",
)  # fmt: skip
BAD = (RAW, HANG, LOSS)


class LostError(AssertionError):
    """Rows, cases or labels went missing and nothing said so."""


class TooLong(BaseException):
    """No library catches this by mistake."""


@contextlib.contextmanager
def limited(seconds: int = LIMIT) -> Iterator[None]:
    """Raise `TooLong` after so many seconds; what is stuck outside Python says where, and ends the process."""

    def ring(*_: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    faulthandler.dump_traceback_later(3 * seconds, exit=True)
    try:
        yield
    finally:
        signal.alarm(0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, before)


class Tally:
    """What came of the trials, by outcome; bad ones with what was tried."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.counts: Counter[str] = Counter()
        self.bad: list[str] = []

    def trial(self, told: str, call: Callable[[], Any]) -> Any:
        """Make a call, and count what comes of it; its value, or None where it raised."""
        value, outcome, said = None, FINE, ""
        with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("always")
            try:
                with limited():
                    value = call()
                outcome = WARNED if caught else FINE
            except TooLong:
                outcome = HANG
            except BrightspotsError as error:
                outcome, said = (CLEAR, "") if str(error).strip() else (RAW, "an error that says nothing")
            except OSError as error:  # the system's own words are clear where they name the file
                outcome, said = (CLEAR, "") if error.filename is not None else (RAW, f"OSError: {error}")
            except LostError as error:
                outcome, said = LOSS, str(error)
            except Exception as error:  # noqa: BLE001 - every raw one is what is looked for
                outcome, said = RAW, f"{type(error).__name__}: {str(error)[:200]}"
        self.counts[outcome] += 1
        if outcome in BAD:
            self.bad.append(f"{told}: {outcome} {said}")
            print(self.bad[-1], flush=True)
        return value

    def check(self) -> None:
        """Print the counts, and fail where anything bad was among them."""
        counts = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(self.counts.items()))
        print(f"\nfuzz {self.name}: {self.counts.total():,} trials: {counts}")
        assert not self.bad, f"{len(self.bad)} bad of {self.counts.total()}:\n" + "\n".join(self.bad[:400])


def chosen(items: Sequence[Item], size: int, name: str) -> list[Item]:
    """So many of the items, the same ones for the same seed; all of them where there are no more."""
    if len(items) <= size:
        return list(items)
    return random.Random(f"{name} {SEED}").sample(list(items), size)
