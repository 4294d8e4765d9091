"""NHS England: referral-to-treatment waiting times (RTT)."""

from __future__ import annotations

import csv
import io
import re
import warnings
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arguments import checked
from brightspots.common.errors import DataError, SettingsError
from brightspots.readers.dates import month_label, month_of_financial_year
from brightspots.readers.layout import Layout
from brightspots.readers.opening import PublishedFile, decode, read_content
from brightspots.readers.published import Records, check_line_ends, counted, finish, latest_spelling
from brightspots.readers.surroundings import cut_out

# The standard is that patients start treatment within this many weeks.
_STANDARD_WEEKS: Final = 18

# Until September 2017 in capitals (PART_2).
_PARTS: Final = MappingProxyType(
    {part.upper(): part for part in ("Part_1A", "Part_1B", "Part_2", "Part_2A", "Part_3")}
)
_WAITING: Final = "Part_2"
_ALL_FUNCTIONS: Final = "C_999"
_PROVIDER: Final = "[0-9A-Z]{3,}"
_NHS_TRUST: Final = r"R[0-9A-Z]{2}"

_RTT_FILE: Final = "NHS England's RTT waiting times full extract"
_RTT_SAME: Final = MappingProxyType(
    {
        "provider": ("Provider Org Code",),
        "commissioner": ("Commissioner Org Code",),
        "name": ("Provider Org Name",),
        "part": ("RTT Part Type", "RTT Part Name"),
        "total": ("Total All",),
    }
)
_FUNCTION: Final = MappingProxyType(
    {"function": ("Treatment Function Code",), "function_name": ("Treatment Function Name",)}
)
# In July 2016 the code stood under "Name", and the name under "Description".
_FUNCTION_2016_07: Final = MappingProxyType(
    {"function": ("Treatment Function Name",), "function_name": ("Treatment Function Description",)}
)
# Until September 2017 a financial year and the name of a month.
_YEAR_AND_MONTH: Final = MappingProxyType({"year": ("Year",), "month": ("Period Name",)})

_RTT: Final = tuple(
    Layout(_RTT_FILE, {**when, **_RTT_SAME, **function})
    for when in ({"period": ("Period",)}, _YEAR_AND_MONTH)
    for function in (_FUNCTION, _FUNCTION_2016_07)
)


@checked
def read_nhs_rtt(path: PublishedFile, *, providers: Literal["nhs", "all"] = "nhs") -> pd.DataFrame:
    """Read how many patients have waited over 18 weeks, by provider × treatment function in England.

    Read are incomplete pathways (`Part_2`: patients who are waiting at the end of the month), added up over
    commissioners. The rows of all functions together (`C_999`) are not a department; they are used to check that
    the file is complete.

    Parameters
    ----------
    path : path, URL or open file
        The "full CSV data file", also inside its zip, where it is read without being unpacked on disk; in the present
        layout, and in those of before October 2017 (cover rows, a financial year and a month).
    providers : {"nhs", "all"}, default "nhs"
        `nhs` keeps the providers whose code has three characters and starts with R: NHS trusts and foundation trusts.

    Returns
    -------
    pandas.DataFrame
        `trust` (provider code), `trust_name`, `department` (treatment function), `period` ("2026-01"), `observed`
        (waiting over 18 weeks: higher is worse), `denominator` (all who wait). ``.attrs["notes"]`` says what was
        left out.

    Raises
    ------
    DataError
        Where the file is not this publication, is damaged or cut short, or does not add up.
    SettingsError
        Where `providers` is something else.
    """
    if providers not in ("nhs", "all"):
        raise SettingsError(f"providers must be 'nhs' or 'all'; received {providers!r}")
    records, within = _read_waits(path)
    waiting = records.frame["part"] == _WAITING
    records.notes.append(
        f"Dropped {counted((~waiting).sum(), 'row')} of other parts than {_WAITING} (patients waiting)."
    )
    records = records.keep(waiting)
    if records.frame.empty:
        raise DataError(f"no row is about patients who are waiting ({_WAITING})", expected=_RTT_FILE)
    records = records.with_columns(
        denominator=records.frame["total"], observed=records.frame["total"] - within[records.frame.index]
    )
    records.refuse(
        "total", records.frame["observed"] < 0, "fewer patients wait in all than wait up to 18 weeks",
        "a total of all weeks", "the columns may have moved",
    )  # fmt: skip
    everything = records.frame["function"] == _ALL_FUNCTIONS
    _check_adds_up(records, everything)
    records.notes.append(
        f"Dropped {counted(everything.sum(), 'row')} of all functions together ({_ALL_FUNCTIONS})."
    )
    records = records.keep(~everything)
    if providers == "nhs":
        records = _nhs_trusts(records)

    keys = ["provider", "function", "period"]
    frame = records.frame.groupby(keys, as_index=False)[["observed", "denominator"]].sum()
    records.notes.append(
        f"Added up {counted(len(records.frame), 'row')} by commissioner into {counted(len(frame), 'cell')}."
    )
    empty = frame["denominator"] == 0
    if empty.any():
        records.notes.append(f"Dropped {counted(empty.sum(), 'cell')} in which nobody waits.")
        frame = frame[~empty]
    frame = pd.DataFrame(
        {
            names.TRUST: frame["provider"],
            names.TRUST_NAME: frame["provider"].map(latest_spelling(records.frame, "provider", "name")),
            names.DEPARTMENT: frame["function"].map(_function_names(records)),
            names.PERIOD: frame["period"],
            names.OBSERVED: frame["observed"],
            names.DENOMINATOR: frame["denominator"],
        }
    )
    records.notes.append(
        f"Kept {counted(len(frame), 'cell')}, {frame[names.TRUST].nunique()} providers × "
        f"{frame[names.DEPARTMENT].nunique()} treatment functions."
    )
    return finish(frame, [names.TRUST, names.DEPARTMENT, names.PERIOD], records.notes)


def _read_waits(path: PublishedFile) -> tuple[Records, pd.Series[float]]:
    """The rows of a file, checked, and how many patients wait up to 18 weeks, row by row."""
    notes: list[str] = []
    layout, positions, weeks, table = _wide_table(path, notes)
    frame = table[list(positions.values())].set_axis(list(positions), axis=1)
    for column in positions:
        if column != "total":
            frame[column] = frame[column].fillna("").str.strip()
    records = Records(frame.drop(columns="total"), layout, notes)
    records.check_visible()
    records = records.with_columns(
        provider=records.identifiers("provider", 0, _PROVIDER), period=_months(records)
    )
    records.check_unique("provider", "commissioner", "part", "function", "period")
    part = frame["part"].str.upper()
    records.refuse(
        "part", ~part.isin(list(_PARTS)), "a row is not about any known part of a pathway",
        ", ".join(sorted(_PARTS.values())), "the file may be cut short, or its rows may have moved",
    )  # fmt: skip
    total = _whole_numbers(table[positions["total"]])
    records.refuse(
        "total", total.isna(), "a total is missing or not a whole number", "whole numbers", "the file may be cut short"
    )  # fmt: skip
    # A week in which nobody waits is left blank.
    by_week = pd.DataFrame({week: _whole_numbers(table[week], blank=0.0) for week in weeks})
    damaged = by_week.isna().any(axis=1)
    records.refuse(
        "total", damaged, "a number of patients is not a whole number", "whole numbers, or blank for none",
        "the file may be cut short",
    )  # fmt: skip
    return records.with_columns(total=total, part=part.map(_PARTS)), by_week.sum(axis=1)


def _wide_table(
    path: PublishedFile, notes: list[str]
) -> tuple[Layout, dict[str, int], list[int], pd.DataFrame]:
    """Read the few columns that are needed of a very wide file.

    Returns
    -------
    layout : Layout
        The one of the known layouts that the file has.
    positions : dict
        Position of each column of the layout in the file.
    weeks : list of int
        Positions of the columns of the first 18 weeks.
    table : pandas.DataFrame
        These columns by their positions, indexed by the line of the file; all text but the numbers of patients.

    Raises
    ------
    DataError
        Where the file is not this publication, or is damaged.
    """
    content = read_content(path)
    try:
        text = decode(content, notes)
        check_line_ends(text)
        layout, header, first_line, body = cut_out(text, _RTT, notes)
        positions = layout.locate(header)
        weeks = _week_columns(header)
        rows = _check_even(body, len(header), first_line)
        if not rows:
            raise DataError("the file has a header and no rows", expected=_RTT_FILE)
        with warnings.catch_warnings():
            # Text among the numbers is looked for by `_read_waits`, row by row.
            warnings.simplefilter("ignore", pd.errors.DtypeWarning)
            table = pd.read_csv(
                io.StringIO(body),
                header=None,
                names=list(range(len(header))),
                usecols=[*positions.values(), *weeks],
                dtype={at: str for ours, at in positions.items() if ours != "total"},
                keep_default_na=False,
                na_values=[""],
                index_col=False,
            )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error, UnicodeError) as damage:
        raise DataError(
            f"this is not {_RTT_FILE}: it cannot be read as CSV ({damage})", action="fetch it again"
        ) from damage
    if len(table) != rows:
        raise DataError(
            f"{rows:,} lines read as {len(table):,} rows: quotation marks do not match",
            expected=_RTT_FILE,
            action="the file may be damaged; fetch it again",
        )
    table.index += first_line
    return layout, positions, weeks, table


def _check_even(body: str, wanted: int, first_line: int) -> int:
    """Count the rows below the header, and refuse those with too few or too many values.

    pandas would fill the first up and cut the second short, without a word.
    """
    uneven, rows = [], 0
    for number, line in enumerate(body.split("\n"), start=first_line):
        if not line.strip():
            continue
        rows += 1
        bare = re.sub(r'"[^"]*"', "", line) if '"' in line else line
        if bare.count(",") != wanted - 1:
            uneven.append(f"line {number}")
    if uneven:
        raise DataError(
            f"rows do not have the {wanted} values that the header announces",
            rows=uneven,
            expected=_RTT_FILE,
            action="the file may be cut short; fetch it again",
        )
    return rows


def _whole_numbers(column: pd.Series[Any], blank: float = np.nan) -> pd.Series[float]:
    """Numbers of zero or more without a fraction; missing where something else stands."""
    values = pd.to_numeric(column, errors="coerce").astype(np.float64)
    values = values.where((values >= 0) & (values == np.floor(values)) & np.isfinite(values))
    return values.mask(column.isna(), blank)


def _week_columns(header: list[str]) -> list[int]:
    """Positions of the columns that count patients who wait up to 18 weeks, whatever their order."""
    found: dict[tuple[int, int], int] = {}
    for position, name in enumerate(header):
        match = re.match(r"\s*Gt[\s._]*(\d+)[\s._]*To[\s._]*(\d+)[\s._]*Weeks", name, flags=re.IGNORECASE)
        if match and int(match[2]) <= _STANDARD_WEEKS:
            week = (int(match[1]), int(match[2]))
            if week in found:
                raise DataError(
                    "two columns count the patients of one week",
                    column=f"{header[found[week]]}, {name}",
                    action="drop the one that is not meant; the file may be damaged",
                )
            found[week] = position
    if set(found) != {(week, week + 1) for week in range(_STANDARD_WEEKS)}:
        raise DataError(
            f"this is not {_RTT_FILE} as far as can be told: the columns of the first 18 weeks are not complete",
            expected="'Gt 00 To 01 Weeks …' to 'Gt 17 To 18 Weeks …'",
        )
    return sorted(found.values())


def _check_adds_up(records: Records, everything: pd.Series[bool]) -> None:
    """Compare the functions of each provider with the publisher's own sum of them: no row is missing."""
    if not everything.any():
        records.notes.append(
            f"There are no rows of all functions together ({_ALL_FUNCTIONS}) to check the sums with."
        )
        return
    both = ["observed", "denominator"]
    keys = ["provider", "period"]
    sums = records.frame[~everything].groupby(keys)[both].sum()
    stated = records.frame[everything].groupby(keys)[both].sum()
    differs = sums.sub(stated, fill_value=0.0).ne(0.0).any(axis=1)
    if differs.any():
        raise DataError(
            f"the treatment functions do not add up to the row of all of them ({_ALL_FUNCTIONS})",
            column="Provider Org Code",
            rows=[provider for provider, _ in differs.index[differs]],
            expected="a complete file",
            action="the file may be cut short; fetch it again",
        )


def _nhs_trusts(records: Records) -> Records:
    trust = records.frame["provider"].str.fullmatch(_NHS_TRUST)
    if not trust.any():
        raise DataError(
            "no provider has the code of an NHS trust",
            column="Provider Org Code",
            expected="three characters of which the first is R",
            action="pass providers='all' to read every provider",
        )
    others = records.frame[~trust]
    named = others[others["name"].str.contains(r"NHS (?:FOUNDATION )?TRUST", case=False)]
    exceptions = sorted(set(named["provider"] + " " + named["name"]))
    also = f", among them {'; '.join(exceptions)}" if exceptions else ""
    records.notes.append(
        f"Dropped {counted(others['provider'].nunique(), 'provider')} whose code is not R and two more characters "
        f"(independent providers and others{also}), {others['denominator'].sum():,.0f} of "
        f"{records.frame['denominator'].sum():,.0f} patients."
    )
    return records.keep(trust)


def _function_names(records: Records) -> pd.Series[str]:
    """Return the name of each treatment function; two functions of one name could not be told apart."""
    labels = latest_spelling(records.frame, "function", "function_name")
    spellings = records.frame[["function", "function_name"]].drop_duplicates()
    several = spellings["function"][spellings["function"].duplicated()].unique()
    if len(several):
        records.notes.append(
            f"Used the last of several names for {counted(len(several), 'treatment function')} ({', '.join(several)})."
        )
    nameless = set(records.frame["function"]) - set(labels.index)
    if labels.duplicated().any() or nameless:
        raise DataError(
            "treatment functions are not told apart by their names",
            column="Treatment Function Name",
            rows=[*labels[labels.duplicated(keep=False)].index, *sorted(nameless)],
            expected="one name for each code",
        )
    return labels


def _months(records: Records) -> pd.Series[str]:
    """Turn ``RTT-January-2026``, or the year ``2016-17`` and the month ``MAY``, into ``2016-05``.

    A period written in another way stays as it is.
    """
    if "year" not in records:
        period: pd.Series[str] = records.frame["period"]
        return period.map({label: month_label(label) or label for label in period.unique()})
    labels = records.frame["year"] + " " + records.frame["month"]
    months = {label: month_of_financial_year(*label.split(" ", 1)) for label in labels.unique()}
    records.refuse(
        "month", labels.map(months).isna(), "a month is not a month of a financial year", "2016-17 and MAY",
        "the columns may have moved",
    )  # fmt: skip
    return labels.map(months)
