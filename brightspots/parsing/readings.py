"""`Reading`: something done or noticed while a file was read; `RawTable`: a table whose numbers may still be text."""

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
        Which kind: "encoding", "separator", "cover rows", "decimal comma", "suppressed", …
    text : str
        One or two whole sentences. They count cells and name columns, and never name a unit together with its values.
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
        Column names are unique; the index is the line or sheet row of each row, and is named so.
    readings : tuple of Reading
    style : {"point", "comma"}, optional
        The decimal mark, where values of the table show it without contradiction.
    dots_may_group : bool
        Whether 1.234 could be 1234: in text files whose separator is not the comma.
    semicolons : bool
        Whether values are separated by semicolons, as by programs that use the decimal comma.
    said : str
        Text of cover rows and footers, where thresholds of suppression may be stated.
    typed : mapping of str to bool array (R,)
        By column, which cells the file stores as numbers; empty where it holds text only.
    """

    frame: pd.DataFrame
    readings: tuple[Reading, ...]
    style: Style | None = None
    dots_may_group: bool = False
    semicolons: bool = False
    said: str = ""
    typed: dict[str, npt.NDArray[np.bool_]] = field(default_factory=dict)


def places(rows: Sequence[int], place: Place, shown: int = 5) -> str:
    """Lines or sheet rows as text: ``line 3``, ``lines 2 to 4``, ``lines 2, 9, 17 and 40 more``."""
    word = place if len(rows) == 1 else f"{place}s"
    if len(rows) == 1:
        return f"{word} {rows[0]}"
    if list(rows) == list(range(rows[0], rows[0] + len(rows))) and len(rows) > 2:
        return f"{word} {rows[0]} to {rows[-1]}"
    if len(rows) > shown:
        return f"{word} {', '.join(map(str, rows[:shown]))} and {len(rows) - shown:,} more"
    return f"{word} {', '.join(map(str, rows[:-1]))} and {rows[-1]}"
