"""Which column of a frame plays which part, as far as the frame has them."""

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
    """Which column plays which part, beyond what a fit asks for.

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
    """What the index labels of a frame are called: lines of a file, rows of a sheet, or just rows."""
    return str(frame.index.name) if frame.index.name in ("line", "sheet row") else "row"


def keys_of(roles: Roles) -> dict[str, str]:
    """The key columns by the part they play."""
    return {
        part: name for part, name in roles.columns.named.items() if part in ("trust", "department", "period")
    }


def present(frame: pd.DataFrame, roles: Roles) -> dict[str, str]:
    """Those of them that the frame has; a period also by its standard name."""
    keys = keys_of(roles)
    if roles.columns.period is None and names.PERIOD in frame:
        keys["period"] = names.PERIOD
    return {part: column for part, column in keys.items() if column in frame}


def column_of(frame: pd.DataFrame, roles: Roles, part: str) -> str | None:
    """Name of the column that plays a part, named or by its standard name; None where the frame has none."""
    named: str | None = getattr(roles.columns, part)
    if named is None and part in ("observed_lower", "observed_upper"):
        beside = f"{roles.columns.observed}_{part.removeprefix('observed_')}"
        named = beside if beside in frame else None
    name = named or part
    return name if name in frame else None


def numbers_of(frame: pd.DataFrame, roles: Roles) -> dict[str, pd.Series]:
    """The columns of numbers that the frame has, by the part they play; those that hold no numbers are left out."""
    parts = ("estimate", "standard_error") if roles.of_estimates(frame) else COUNTS
    found = {part: column_of(frame, roles, part) for part in parts}
    return {
        part: frame[column].astype(np.float64)
        for part, column in found.items()
        if column is not None and pd.api.types.is_numeric_dtype(frame[column])
    }
