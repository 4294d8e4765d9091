"""Which of two twins does the work: loops in plain NumPy, or compiled ones.

They differ in the last digits, so what is chosen for work of one size stays chosen for the life of a process: the same
seed gives the same bits.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import Final, Literal, get_args

from brightspots.common import compiled_code
from brightspots.common.errors import SettingsError

Choice = Literal["auto", "compiled", "plain"]
# The variable of the environment that says which.
VARIABLE: Final = "BRIGHTSPOTS_LOOPS"


@dataclass(frozen=True)
class Sizes:
    """What an amount of work, in integrals, asks for.

    Parameters
    ----------
    compiled_from : int
        Below this plain loops do as well.
    wait_from : int
        From here on plain loops take longer than compiling does, so it is waited for.
    """

    compiled_from: int
    wait_from: int


_choosing = threading.Lock()
# Whether compiled loops do the work between the two sizes; set once in a process.
_between: list[bool] = []


def takes_compiled(integrals: int, sizes: Sizes) -> bool:
    """Whether compiled loops do so much work; they are ready when this returns True."""
    asked = _asked()
    if asked == "plain" or integrals < sizes.compiled_from:
        return False
    if asked == "auto" and integrals < sizes.wait_from and not _compiled_between():
        return False
    compiled_code.make_ready()
    return True


def _compiled_between() -> bool:
    """Compiled loops where they are ready; else plain ones, while a process compiles those for the next process."""
    with _choosing:
        if not _between:
            state = compiled_code.state()
            if state == "absent":
                compiled_code.start_in_background()
            # Where compiling has failed it is tried here, to succeed or to meet the reason.
            _between.append(state in ("ready", "failed"))
        return _between[0]


def _asked() -> Choice:
    given = os.environ.get(VARIABLE) or "auto"
    for choice in get_args(Choice):
        if given == choice:
            return choice
    expected = ", ".join(map(repr, get_args(Choice)))
    raise SettingsError(
        f"the environment variable {VARIABLE} is {given!r}; expected one of {expected}: set it to one of these, or to "
        "nothing"
    )
