"""`settle`: apply the remedies that `tidy()` is asked for, in order, and note each."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

import pandas as pd

from brightspots.common.errors import SettingsError
from brightspots.tidying.label_steps import BLANK, LABEL_STEPS
from brightspots.tidying.layout_steps import ACROSS, RATINGS
from brightspots.tidying.roles import Roles
from brightspots.tidying.row_steps import ROW_STEPS
from brightspots.tidying.step import Step

# In the order in which they are applied, each to the result of those before it: layout, labels, rows, ratings.
STEPS: Final[tuple[Step, ...]] = (BLANK, ACROSS, *LABEL_STEPS, *ROW_STEPS, RATINGS)


def settle(frame: pd.DataFrame, roles: Roles, remedies: Sequence[str]) -> pd.DataFrame:
    """Apply remedies to a frame, in the order of `STEPS` whatever order they are given in.

    Parameters
    ----------
    frame : pandas.DataFrame
        Not changed.
    roles : Roles
    remedies : sequence of str
        Codes, with hyphens or blanks, some with a value: ``"totals"``, ``"months-across"``, ``"suppressed=1-4"``. One
        that finds nothing to do does nothing.

    Returns
    -------
    pandas.DataFrame
        With a sentence in ``.attrs["notes"]`` for each remedy that did something.

    Raises
    ------
    SettingsError
        Where there is no such remedy, or its value cannot be used.
    """
    asked = _asked(remedies)
    notes = list(frame.attrs.get("notes", ()))
    for step in STEPS:
        if step.code in asked:
            frame, said = step.settle(frame, roles, asked[step.code])
            notes += [said] if said else []
    frame = frame.copy()
    frame.attrs["notes"] = tuple(notes)
    return frame


def _asked(remedies: Sequence[str]) -> dict[str, str | None]:
    """Code of each remedy to its value (the text behind "="), or None."""
    if isinstance(remedies, str) or not isinstance(remedies, Sequence):
        raise SettingsError(f"remedies must be a list such as ['totals', 'twins']; received {remedies!r}")
    known = [step.code for step in STEPS]
    asked: dict[str, str | None] = {}
    for remedy in remedies:
        if not isinstance(remedy, str):
            raise SettingsError(f"remedies must be names such as 'totals'; received {remedy!r}")
        name, equals, value = remedy.partition("=")
        code = " ".join(name.replace("-", " ").replace("_", " ").split())
        if code not in known:
            close = get_close_matches(code, known, n=1)
            meant = f"did you mean {close[0]!r}? " if close else ""
            raise SettingsError(f"there is no remedy {name!r}; {meant}there are: {', '.join(known)}")
        asked[code] = value.strip() if equals else None
    return asked
