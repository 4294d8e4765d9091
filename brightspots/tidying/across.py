"""Tables with months in columns: find them (`find_across`), and reshape to one row a period (`down`)."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import pandas as pd

from brightspots.data.period_order import order_periods

_MONTH: Final = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_YEAR: Final = r"(?:19|20)\d\d"
_DATE: Final = rf"{_YEAR}-\d\d-\d\d(?:[ T]00:00(?::00)?(?:\.0+)?)?"
# Longest patterns first, so that as much of a name as possible is read as the period.
_PERIOD: Final = "|".join(
    (
        _DATE,
        rf"{_MONTH}[\s'’/_-]*(?:{_YEAR}|\d\d)",
        rf"{_YEAR}[\s/_-]*{_MONTH}",
        rf"{_YEAR}[\s_-]*q(?:tr)?\s?[1-4]",
        rf"q(?:tr|uarter)?\s?[1-4][\s/_-]*{_YEAR}",
        rf"{_YEAR}[/-](?:{_YEAR}|\d\d)",
        rf"\d\d?[/-]{_YEAR}",
        r"(?:week|month|quarter|period)\s?\d{1,2}",
        _MONTH,
        r"q[1-4]",
        _YEAR,
    )
)
_GAP: Final = r"[\s|:;,/_().-]+"
_FIRST: Final = re.compile(rf"(?P<period>{_PERIOD})(?:{_GAP}(?P<measure>\S.*?))?", re.IGNORECASE)
_LAST: Final = re.compile(rf"(?P<measure>\S.*?){_GAP}(?P<period>{_PERIOD})\)?", re.IGNORECASE)
_BOUND: Final = re.compile(r"(?P<of>.*)(?P<bound>_lower|_upper)")
# Most different values of a column that says which measure a row holds: deaths, expected, cases, ….
_MOST_MEASURES: Final = 6


@dataclass(frozen=True)
class Across:
    """Columns that hold one measure in one period each.

    Parameters
    ----------
    measures : dict of str to dict of str to str
        Measure to (period to column). The measure is empty text where the column's name is the period alone.
    periods : tuple of str
        In the order of time, where it is known.
    """

    measures: dict[str, dict[str, str]]
    periods: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """All columns that hold a measure in a period."""
        return [column for of_period in self.measures.values() for column in of_period.values()]


def find_across(frame: pd.DataFrame, keys: Collection[str]) -> Across | None:
    """Find columns that are months (quarters, years) of a measure; None where no measure has two.

    Parameters
    ----------
    frame : pandas.DataFrame
        Column names are text.
    keys : collection of str
        Columns that have a part to play already.
    """
    measures: dict[str, dict[str, str]] = {}
    for column in frame.columns:
        read = None if column in keys else _read_name(str(column))
        if read is not None:
            measures.setdefault(read[1], {}).setdefault(read[0], str(column))
    measures = {measure: columns for measure, columns in measures.items() if len(columns) > 1}
    if not measures:
        return None
    periods = list(dict.fromkeys(period for columns in measures.values() for period in columns))
    ordered = order_periods(periods)
    if ordered.known_by != "unknown":
        periods = [periods[place] for place in ordered.order]
    return Across(measures, tuple(periods))


def _read_name(name: str) -> tuple[str, str] | None:
    """Period and measure of a column's name; bounds belong to the measure."""
    bound = _BOUND.fullmatch(name)
    bare, suffix = (name, "") if bound is None else (bound["of"], bound["bound"])
    for pattern in (_FIRST, _LAST):
        found = pattern.fullmatch(bare.strip())
        if found is not None:
            period = re.sub(r"[ T]00:00.*$", "", found["period"]).strip()
            return period, (found["measure"] or "").strip() + suffix
    return None


def down(
    frame: pd.DataFrame, across: Across, *, period: str, value: str, keys: Collection[str]
) -> tuple[pd.DataFrame, str]:
    """Reshape to one row for each period, with its label in a column, and one column for each measure.

    Parameters
    ----------
    frame : pandas.DataFrame
    across : Across
    period : str
        Name of the new column of periods.
    value : str
        Name of the measure that has none.
    keys : collection of str
        Trust and department.

    Returns
    -------
    DataFrame, str
        Each row keeps the index label of the row it comes from; and what was done, in a sentence.
    """
    others = [column for column in frame.columns if column not in across.columns]
    blocks = []
    for label in across.periods:
        block = frame[others].assign(**{period: label})
        for measure, columns in across.measures.items():
            name = f"{value}{measure}" if measure in ("", "_lower", "_upper") else measure
            block[name] = frame[columns[label]] if label in columns else float("nan")
        blocks.append(block)
    measured = [name for name in blocks[0].columns if name not in (*others, period)]
    place = pd.concat([pd.Series(range(len(frame)))] * len(blocks), ignore_index=True).argsort(kind="stable")
    long = pd.concat(blocks).iloc[place.to_numpy()]
    long[period] = pd.Categorical(long[period], categories=list(across.periods), ordered=True)
    bare = long[measured].isna().all(axis=1)
    long = long[~bare]
    said = (
        f"Put {len(across.periods):,} periods that stood across ({across.periods[0]} to {across.periods[-1]}) into "
        f"rows: {len(frame):,} rows became {len(long):,}"
    )
    said += f"; {int(bare.sum()):,} without any number were left out." if bare.any() else "."
    if set(measured) <= {value, f"{value}_lower", f"{value}_upper"}:
        long, more = _measures_apart(long, [*keys, period], measured, others)
        said += more
    long.attrs = dict(frame.attrs)
    return long, said


def _measures_apart(
    long: pd.DataFrame, keys: list[str], measured: list[str], others: list[str]
) -> tuple[pd.DataFrame, str]:
    """Where a column says which measure a row holds (deaths, expected), one column a measure."""
    if any(key not in long for key in keys) or not long.duplicated(keys).any():
        return long, ""
    telling = [
        name
        for name in others
        if name not in keys
        and 1 < long[name].nunique(dropna=False) <= _MOST_MEASURES
        and long[name].map(lambda value: isinstance(value, str)).all()
        and not long.duplicated([*keys, name]).any()
    ]
    if len(telling) != 1:
        return long, ""
    measure = telling[0]
    index = long.groupby(keys, observed=True, sort=False).ngroup()
    first = ~index.duplicated()
    wide = long.loc[
        first.to_numpy(), [name for name in long.columns if name not in (measure, *measured)]
    ].copy()
    names = list(dict.fromkeys(long[measure]))
    for name in names:
        chosen = (long[measure] == name).to_numpy()
        for column in measured:
            suffix = column.removeprefix(measured[0])
            values = pd.Series(long[column].to_numpy()[chosen], index=index.to_numpy()[chosen])
            if suffix and values.isna().all():
                continue
            wide[f"{name}{suffix}"] = values.reindex(index[first.to_numpy()].to_numpy()).to_numpy()
    return wide, f" Column {measure!r} told {len(names)} measures apart, each of which has a column now."
