"""`Columns`: which column of a table plays which part; and how names of columns that are not text become text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arguments import shown
from brightspots.common.errors import DataError, SettingsError


@dataclass(frozen=True)
class Columns:
    """Which column of a table plays which part; every function that reads a table takes it as ``columns=``.

    Parameters
    ----------
    trust, department : str
        Labels.
    observed, expected : str or None
        Events, and events expected from case mix.
    denominator : str, optional
        People at risk.
    observed_lower, observed_upper : str, optional
        Bounds of suppressed or rounded counts.
    estimate, standard_error : str, optional
        Estimates in place of counts.
    period : str, False or None
        Periods; None takes the column `period` where there is one, False sums over periods.
    counted_from : str, optional
        Smallest count that would be in the data; 0 or blank where any would.
    outcome : str, optional
        The column that says which outcome a row is about; of patient records, whether the event happened.

    Raises
    ------
    SettingsError
        Where a name is not text, or one column is named for two of trust, department, period and outcome.

    Examples
    --------
    >>> import brightspots as bs
    >>> columns = bs.Columns(trust="site", department="service", observed="deaths")
    >>> table = {
    ...     "site": ["North", "North", "South", "South"],
    ...     "service": ["Stroke", "Renal", "Stroke", "Renal"],
    ...     "deaths": [41, 12, 30, 19],
    ...     "expected": [33.5, 14.1, 31.0, 15.5],
    ... }
    >>> bs.fit_hierarchy(table, columns=columns, seed=1).departments()["trust"].tolist()
    ['North', 'North', 'South', 'South']
    """

    trust: str = names.TRUST
    department: str = names.DEPARTMENT
    observed: str | None = names.OBSERVED
    expected: str | None = names.EXPECTED
    denominator: str | None = None
    observed_lower: str | None = None
    observed_upper: str | None = None
    estimate: str | None = None
    standard_error: str | None = None
    period: str | bool | None = None
    counted_from: str | None = None
    outcome: str | None = None

    def __post_init__(self) -> None:
        """Check every name."""
        if self.period is True:
            raise SettingsError("period must be a column name, None, or False to pool periods; received True")
        for item in fields(self):
            name = getattr(self, item.name)
            if not isinstance(name, str) and not _may_be_absent(item.name, name):
                hint = f"; write it as text, {text_of_name(name)!r}" if _reads_as_name(name) else ""
                raise SettingsError(f"{item.name} must be the name of a column; received {shown(name)}{hint}")
        keys = {
            part: name
            for part, name in self.named.items()
            if part in ("trust", "department", "period", "outcome")
        }
        if len(set(keys.values())) < len(keys):
            named = ", ".join(f"{part}={name!r}" for part, name in keys.items())
            raise SettingsError(f"one column plays two parts: {named}")

    @property
    def named(self) -> dict[str, str]:
        """Part to column name, for the parts that have one."""
        return {part: name for part, name in vars(self).items() if isinstance(name, str)}

    def name_of(self, part: str) -> str:
        """The name of a part's column; where it has none, the standard name, which is that of the part."""
        name: object = getattr(self, part)
        return name if isinstance(name, str) else part


def _may_be_absent(part: str, name: object) -> bool:
    """Whether a value that is not text is allowed: None where the part is optional, False for the period."""
    if part == "period" and name is False:
        return True
    return name is None and part not in ("trust", "department")


def _reads_as_name(name: object) -> bool:
    """Whether this is likely the name of a column in a frame: a number, a date, a tuple of names."""
    return isinstance(name, int | float | np.number | date | np.datetime64 | tuple) and not isinstance(
        name, bool
    )


def columns_given(columns: Columns | None, defaults: Columns, **shorthand: Any) -> Columns:
    """The columns as one object, from ``columns=`` or from the keyword arguments that are its shorthand.

    Parameters
    ----------
    columns : Columns or None
    defaults : Columns
        What the keyword arguments are where the caller gave none.
    **shorthand
        The keyword arguments as they are.

    Raises
    ------
    SettingsError
        Where `columns` is something else, or one part is given in both ways.
    """
    if columns is None:
        return replace(defaults, **shorthand)
    if not isinstance(columns, Columns):
        raise SettingsError(f"columns must be a Columns object; received {type(columns).__name__}")
    twice = [part for part, name in shorthand.items() if not _same(name, getattr(defaults, part))]
    if twice:
        given = ", ".join(f"{part}={shorthand[part]!r}" for part in twice)
        raise SettingsError(f"columns= names the columns already: leave {given} out, or put it into Columns")
    return columns


def _same(name: object, default: object) -> bool:
    return type(name) is type(default) and name == default


def text_of_name(name: Any) -> str:
    """Name of a column as text: a timestamp at midnight as its date, anything else by `str`."""
    if isinstance(name, pd.Timestamp) and name == name.normalize():
        return str(name.date())
    return str(name)


def text_names(given: Iterable[Any]) -> list[str]:
    """Names of columns as text, all different.

    Names that are text stay as they are; another whose text is taken already becomes "name (2)", "name (3)", ….

    Parameters
    ----------
    given : iterable
        Names as a frame or a mapping has them: text, numbers, dates, tuples, None.
    """
    every = list(given)
    taken = {name for name in every if isinstance(name, str)}
    out = []
    for name in every:
        text = name if isinstance(name, str) else text_of_name(name)
        if not isinstance(name, str):
            number = 2
            base = text
            while text in taken:
                text, number = f"{base} ({number})", number + 1
            taken.add(text)
        out.append(str(text))
    return out


def with_text_names(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame itself, or the same data with `text_names` where a name is not text.

    Raises
    ------
    DataError
        Where a name appears more than once, or columns have several rows of names.
    """
    if frame.columns.nlevels > 1:
        raise DataError(
            f"the columns have {frame.columns.nlevels} rows of names",
            expected="one name a column",
            action='join them first: frame.columns = ["_".join(map(str, name)) for name in frame.columns]',
        )
    refuse_repeated_names(frame)
    if all(type(name) is str for name in frame.columns) and not isinstance(
        frame.columns, pd.CategoricalIndex
    ):
        return frame
    return frame.set_axis(pd.Index(text_names(frame.columns), dtype=object), axis=1)


def refuse_repeated_names(frame: pd.DataFrame) -> None:
    """Raise `DataError` naming the columns that a frame has more than once."""
    if not frame.columns.is_unique:
        repeated = sorted({str(name) for name in frame.columns[frame.columns.duplicated()]})
        raise DataError(
            f"column names appear more than once: {', '.join(repeated)}", action="rename or drop them"
        )
