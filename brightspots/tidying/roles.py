"""`Roles`: which column of a frame plays which part, ratings included; and how to find these columns in a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.data.columns import Columns

COUNTS: Final = ("observed", "observed_lower", "observed_upper", "expected", "denominator")


@dataclass(frozen=True)
class Roles:
    """Which column plays which part: those of a fit (`Columns`), and the column of ratings.

    Parameters
    ----------
    columns : Columns
    rating : str, default "rating"
        Column of ratings, where there is one.
    """

    columns: Columns
    rating: str = names.RATING

    def of_estimates(self, frame: pd.DataFrame) -> bool:
        """Whether the table is of estimates with standard errors, not of counts."""
        return self.columns.estimate is not None or (
            names.ESTIMATE in frame and self.columns.name_of("observed") not in frame
        )


def row_word(frame: pd.DataFrame) -> str:
    """What an index label of a frame stands for: "line" or "sheet row" of a file, else "row"."""
    return str(frame.index.name) if frame.index.name in ("line", "sheet row") else "row"


def keys_of(roles: Roles) -> dict[str, str]:
    """Part to name of the key columns (trust, department, period) that were named."""
    return {
        part: name for part, name in roles.columns.named.items() if part in ("trust", "department", "period")
    }


def present(frame: pd.DataFrame, roles: Roles) -> dict[str, str]:
    """`keys_of` as far as the frame has the columns; the period also under its standard name."""
    keys = keys_of(roles)
    if roles.columns.period is None and names.PERIOD in frame:
        keys["period"] = names.PERIOD
    return {part: column for part, column in keys.items() if column in frame}


def column_of(frame: pd.DataFrame, roles: Roles, part: str) -> str | None:
    """Name of the column that plays a part, as named or under its standard name; None where the frame has none."""
    named: str | None = getattr(roles.columns, part)
    if named is None and part in ("observed_lower", "observed_upper"):
        beside = f"{roles.columns.observed}_{part.removeprefix('observed_')}"
        named = beside if beside in frame else None
    name = named or part
    return name if name in frame else None


def numbers_of(frame: pd.DataFrame, roles: Roles) -> dict[str, pd.Series]:
    """Part to column, as floats, for the columns of numbers that the frame has and that hold numbers only."""
    parts = ("estimate", "standard_error") if roles.of_estimates(frame) else COUNTS
    found = {part: column_of(frame, roles, part) for part in parts}
    return {
        part: frame[column].astype(np.float64)
        for part, column in found.items()
        if column is not None and pd.api.types.is_numeric_dtype(frame[column])
    }
