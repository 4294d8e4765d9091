"""What was done or noticed while reading a file, and the table as it came out of the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

# The mark between whole numbers and fractions.
Style = Literal["point", "comma"]
Place = Literal["line", "sheet row", "row"]


@dataclass(frozen=True)
class Reading:
    """Something that was done or noticed while reading.

    Parameters
    ----------
    code : str
        What kind of thing: "encoding", "separator", "cover rows", "decimal comma", "suppressed", …
    text : str
        One or two whole sentences. They count cells and name columns; they never name a unit with what it holds.
    column : str, optional
    rows : tuple of int
        Line numbers of a text file, or row numbers of a sheet.
    """

    code: str
    text: str
    column: str | None = None
    rows: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class RawTable:
    """A table whose layout is known and whose columns may still be text.

    Parameters
    ----------
    frame : pandas.DataFrame (R rows)
        Column names are unique; the index says where each row stood, and its name whether that is a line or a row.
    readings : tuple of Reading
    style : {"point", "comma"}, optional
        How fractions are written where nothing in the table contradicts it.
    dots_may_group : bool
        Whether 1.234 could be a thousand: in text files whose separator leaves the comma free.
    semicolons : bool
        Semicolons separate the values, as programs write that take the comma for fractions.
    said : str
        Text of cover rows and footers, where thresholds of suppression may be stated.
    typed : mapping of str to bool array (R,)
        Cells that the file holds as numbers, by column; none where the file holds text only.
    """

    frame: pd.DataFrame
    readings: tuple[Reading, ...]
    style: Style | None = None
    dots_may_group: bool = False
    semicolons: bool = False
    said: str = ""
    typed: dict[str, npt.NDArray[np.bool_]] = field(default_factory=dict)


def places(rows: Sequence[int], place: Place, shown: int = 5) -> str:
    """Say which lines or sheet rows: ``line 3``, ``lines 2 to 4``, ``lines 2, 9, 17 and 40 more``."""
    word = place if len(rows) == 1 else f"{place}s"
    if len(rows) == 1:
        return f"{word} {rows[0]}"
    if list(rows) == list(range(rows[0], rows[0] + len(rows))) and len(rows) > 2:
        return f"{word} {rows[0]} to {rows[-1]}"
    if len(rows) > shown:
        return f"{word} {', '.join(map(str, rows[:shown]))} and {len(rows) - shown:,} more"
    return f"{word} {', '.join(map(str, rows[:-1]))} and {rows[-1]}"
