"""NHS England: waiting times (RTT) and the Summary Hospital-level Mortality Indicator (SHMI)."""

from __future__ import annotations

import csv
import io
import re
import warnings
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from brightspots import vocabulary as names
from brightspots.arguments import checked
from brightspots.errors import DataError, SettingsError
from brightspots.readers.opening import PublishedFile, encoding_of, read_content
from brightspots.readers.published import (
    Layout,
    Records,
    check_line_ends,
    counted,
    finish,
    latest_spelling,
    read_records,
)

# The standard is that patients start treatment within this many weeks.
_STANDARD_WEEKS: Final = 18

_PARTS: Final = frozenset({"Part_1A", "Part_1B", "Part_2", "Part_2A", "Part_3"})
_WAITING: Final = "Part_2"
_ALL_FUNCTIONS: Final = "C_999"
_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_PROVIDER: Final = "[0-9A-Z]{3,}"
_NHS_TRUST: Final = r"R[0-9A-Z]{2}"

_RTT: Final = Layout(
    "NHS England's RTT waiting times full extract",
    {
        "period": ("Period",),
        "provider": ("Provider Org Code",),
        "commissioner": ("Commissioner Org Code",),
        "name": ("Provider Org Name",),
        "part": ("RTT Part Type",),
        "function": ("Treatment Function Code",),
        "function_name": ("Treatment Function Name",),
        "total": ("Total All",),
    },
)

_SHMI: Final = Layout(
    "the Summary Hospital-level Mortality Indicator",
    {
        "provider": ("PROVIDER", "PROVIDER_CODE", "Provider code"),
        "observed": ("OBSERVED", "Observed deaths"),
        "expected": ("EXPECTED", "Expected deaths"),
        "value": ("VALUE", "SHMI_VALUE"),
    },
    {
        "period": ("DATE", "Reporting period"),
        "name": ("PROVIDER NAME", "PROVIDER_NAME"),
        "spells": ("DENOMINATOR", "SPELLS", "Provider spells"),
        "poisson_lower": ("PO_LL",),
        "poisson_upper": ("PO_UL",),
        "lower": ("OD_LL",),
        "upper": ("OD_UL",),
        "banding": ("OD_BANDING", "SHMI_BANDING"),
    },
)

_BANDINGS: Final = MappingProxyType(
    {"1": "higher than expected", "2": "as expected", "3": "lower than expected"}
)

# NHS disclosure control writes * for a count of 1 to 7.
_SUPPRESSED_COUNT: Final = (1.0, 7.0)


@checked
def read_nhs_rtt(path: PublishedFile, *, providers: Literal["nhs", "all"] = "nhs") -> pd.DataFrame:
    """Read how many patients have waited over 18 weeks, by provider × treatment function in England.

    Read are incomplete pathways (`Part_2`: patients who are waiting at the end of the month), added up over
    commissioners. The rows of all functions together (`C_999`) are not a department; they are used to check that
    the file is complete.

    Parameters
    ----------
    path : path, URL or open file
        The "full CSV data file", also inside its zip, where it is read without being unpacked on disk.
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
        raise DataError(f"no row is about patients who are waiting ({_WAITING})", expected=_RTT.file)
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
            names.PERIOD: _months(frame["period"]),
            names.OBSERVED: frame["observed"],
            names.DENOMINATOR: frame["denominator"],
        }
    )
    records.notes.append(
        f"Kept {counted(len(frame), 'cell')}, {frame[names.TRUST].nunique()} providers × "
        f"{frame[names.DEPARTMENT].nunique()} treatment functions."
    )
    return finish(frame, [names.TRUST, names.DEPARTMENT, names.PERIOD], records.notes)


@checked
def read_nhs_shmi(path: PublishedFile) -> pd.DataFrame:
    """Read observed and expected deaths by trust in England, with the official limits and banding.

    Parameters
    ----------
    path : path, URL or open file
        SHMI at trust level; CSV, also inside a zip or gzip.

    Returns
    -------
    pandas.DataFrame
        `trust`, `trust_name` (latest spelling, missing where never given), `period` where the file has it, `observed`,
        `expected`, `denominator` (spells) where the file has it, and the publisher's own: `official_value`,
        `official_poisson_lower`, `official_poisson_upper`, `official_lower`, `official_upper` (over-dispersed),
        `official_banding` ("higher than expected", "as expected", "lower than expected"). A withheld
        count (``*``) is kept as the interval 1 to 7 in `observed_lower, observed_upper`.

    Raises
    ------
    DataError
        Where the file is not this publication, is damaged, or writes something whose meaning is not certain.
    """
    records = read_records(path, _SHMI)
    records = records.with_columns(provider=records.identifiers("provider", 0, _PROVIDER))
    if "period" in records:
        records = records.with_columns(period=_days(records))
    keys = ["provider", *(["period"] if "period" in records else [])]
    records.check_unique(*keys)
    withheld = records.suppressed("observed")
    shown = records.with_columns(observed=records.frame["observed"].mask(withheld, "0"))
    observed = shown.counts("observed").mask(withheld)
    expected = records.numbers("expected")
    records.refuse(
        "expected", expected <= 0, "expected deaths are not positive", "deaths", "the columns may have moved"
    )
    records.check_identity("value", observed / expected, 0.02, "observed / expected deaths")
    frame = pd.DataFrame({names.TRUST: records.frame["provider"]})
    if "name" in records:
        frame[names.TRUST_NAME] = records.frame["provider"].map(
            latest_spelling(records.frame, "provider", "name", keys[-1])
        )
    if "period" in records:
        frame[names.PERIOD] = records.frame["period"]
    frame[names.OBSERVED], frame[names.EXPECTED] = observed, expected
    if "spells" in records:
        frame[names.DENOMINATOR] = records.counts("spells")
    if withheld.any():
        for column, bound in zip(
            (names.OBSERVED_LOWER, names.OBSERVED_UPPER), _SUPPRESSED_COUNT, strict=True
        ):
            frame[column] = observed.mask(withheld, bound)
        records.notes.append(
            f"Kept {counted(withheld.sum(), 'withheld count')} (*) as intervals from 1 to 7."
        )
    official = records.official(("value", "poisson_lower", "poisson_upper", "lower", "upper"))
    frame = frame.assign(**official)
    if "banding" in records:
        banding = records.frame["banding"]
        records.refuse(
            "banding", ~banding.isin(["", *_BANDINGS]), "a banding is not known", "1, 2 or 3",
            "the columns may have moved",
        )  # fmt: skip
        frame["official_banding"] = banding.map(_BANDINGS)
        if (banding == "").any():
            records.notes.append(f"{counted((banding == '').sum(), 'official banding')} missing in the file.")
    if len(frame) > 1 and (observed.dropna() % 5 == 0).all():
        records.notes.append("Counts are rounded to 5 by the publisher: limits can only be met roughly.")
    records.notes.append(
        f"Kept {counted(len(frame), 'row')}, {frame[names.TRUST].nunique()} trusts, no departments."
    )
    return finish(frame, [key for key in (names.TRUST, names.PERIOD) if key in frame], records.notes)


def _days(records: Records) -> pd.Series[str]:
    """Periods as they are written, but dates year first, so that they sort: day first, as in England, or year first."""
    text = records.text("period")
    if not text.str.fullmatch(r"[0-9/.-]+").any():
        return text
    dates = records.dates(
        "period", ("%d/%m/%Y", "%Y-%m-%d"), "day/month/year, or year-month-day, in every row"
    )
    days: pd.Series[str] = dates.dt.strftime("%Y-%m-%d")
    return days


def _read_waits(path: PublishedFile) -> tuple[Records, pd.Series[float]]:
    """Read the few columns that are needed of a very wide file, and how many wait up to 18 weeks, row by row."""
    notes: list[str] = []
    content = read_content(path)
    encoding = encoding_of(content, notes)
    try:
        text = content.decode(encoding)
        check_line_ends(text)
        header = next(csv.reader(io.StringIO(text, newline="")), [])
        positions = _RTT.locate(header)
        weeks = _week_columns(header)
        rows = _check_even(text, len(header))
        with warnings.catch_warnings():
            # Text among the numbers is looked for below, row by row.
            warnings.simplefilter("ignore", pd.errors.DtypeWarning)
            table = pd.read_csv(
                io.BytesIO(content),
                encoding=encoding,
                header=None,
                skiprows=1,
                names=list(range(len(header))),
                usecols=[*positions.values(), *weeks],
                dtype={at: str for ours, at in positions.items() if ours != "total"},
                keep_default_na=False,
                na_values=[""],
                index_col=False,
            )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error, UnicodeError) as damage:
        raise DataError(
            f"this is not {_RTT.file}: it cannot be read as CSV ({damage})", action="fetch it again"
        ) from damage
    if len(table) != rows:
        raise DataError(
            f"{rows:,} lines read as {len(table):,} rows: quotation marks do not match",
            expected=_RTT.file,
            action="the file may be damaged; fetch it again",
        )
    table.index += 2
    frame = table[list(positions.values())].set_axis(list(positions), axis=1)
    for column in positions:
        if column != "total":
            frame[column] = frame[column].fillna("").str.strip()
    records = Records(frame.drop(columns="total"), _RTT, notes)
    records.check_visible()
    records = records.with_columns(provider=records.identifiers("provider", 0, _PROVIDER))
    records.check_unique("provider", "commissioner", "part", "function", "period")
    records.refuse(
        "part", ~frame["part"].isin(_PARTS), "a row is not about any known part of a pathway",
        ", ".join(sorted(_PARTS)), "the file may be cut short, or its rows may have moved",
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
    return records.with_columns(total=total), by_week.sum(axis=1)


def _check_even(text: str, wanted: int) -> int:
    """Count the rows below the header, and refuse those with too few or too many values.

    pandas would fill the first up and cut the second short, without a word.
    """
    uneven, rows = [], -1
    for number, line in enumerate(text.split("\n"), start=1):
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
            expected=_RTT.file,
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
    found = {}
    for position, name in enumerate(header):
        match = re.match(r"\s*Gt\s*(\d+)\s*To\s*(\d+)\s*Weeks", name, flags=re.IGNORECASE)
        if match and int(match[2]) <= _STANDARD_WEEKS:
            found[int(match[1]), int(match[2])] = position
    if set(found) != {(week, week + 1) for week in range(_STANDARD_WEEKS)}:
        raise DataError(
            f"this is not {_RTT.file} as far as can be told: the columns of the first 18 weeks are not complete",
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


def _months(period: pd.Series[str]) -> pd.Series[str]:
    """Turn ``RTT-January-2026`` into ``2026-01``; anything else stays as it is."""
    months = {}
    for label in period.unique():
        match = re.fullmatch(r"RTT-([A-Za-z]+)-(\d{4})", label)
        known = match is not None and match[1].lower() in _MONTHS
        months[label] = f"{match[2]}-{_MONTHS.index(match[1].lower()) + 1:02d}" if match and known else label
    return period.map(months)
