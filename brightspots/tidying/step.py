"""`Step`: one kind of trouble in a table, with a function that finds it and one that settles it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots.tidying.report import Finding, Weight
from brightspots.tidying.roles import Roles, row_word

Mask = npt.NDArray[np.bool_]
Settled = tuple[pd.DataFrame, str]
# How many labels a text quotes.
QUOTED: Final = 6


@dataclass(frozen=True)
class Step:
    """One kind of trouble.

    Parameters
    ----------
    code : str
        Of its findings and its remedy.
    find : callable
        From a frame and the roles of its columns to findings; none where there is nothing to settle.
    settle : callable
        From a frame, the roles of its columns and a value (text behind ``=`` in the remedy, or None) to the frame
        without the trouble, and a sentence that says what was done; the frame as it is, and nothing said, where there
        is nothing to do. The frame given is not changed.
    """

    code: str
    find: Callable[[pd.DataFrame, Roles], list[Finding]]
    settle: Callable[[pd.DataFrame, Roles, str | None], Settled]


def remedied(code: str, weight: Weight, text: str, frame: pd.DataFrame, **more: Any) -> Finding:
    """A finding with a remedy, and how to ask for it in Python and on the command line.

    Parameters
    ----------
    code, weight, text
        As in `Finding`.
    frame : pandas.DataFrame
        The frame that was searched.
    **more
        `bad`, a mask of its rows; `remedy`, where that is not `code`; other fields of `Finding`.
    """
    bad = more.pop("bad", None)
    rows = () if bad is None else tuple(frame.index[np.asarray(bad)].tolist())
    remedy = more.pop("remedy", code)
    said = {
        "in_python": f'bs.tidy(data, report, ["{remedy}"])',
        "in_shell": f"--remedy {remedy.replace(' ', '-')}",
    } | more
    return Finding(code, weight, text, rows=rows, row_word=row_word(frame), remedy=remedy, **said)
