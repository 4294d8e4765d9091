"""Parse days and months in the forms that publishers use; anything else is not guessed."""

from __future__ import annotations

import re
from typing import Final

import pandas as pd

_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip

# Midnight behind a day, as databases write it: 2014-07-01T00:00:00.000, 07/01/2014 12:00:00 AM, 01JUL2014:00:00:00.
_MIDNIGHT: Final = (
    r"(?:[T ]0?0:00(?::00(?:\.0+)?)?(?:Z|[+-]00:?00)?|\s+12:00(?::00(?:\.0+)?)?\s*AM|:00:00:00(?:\.0+)?)$"
)
_NAMED_MONTH: Final = re.compile(r"(\d{1,2})[-/ ]?([A-Za-z]{3,9})[-/ ]?(\d{4}|\d{2})")
_WINDOW: Final = re.compile(r"([A-Za-z]{3})(\d{2})[_-]([A-Za-z]{3})(\d{2})")


def month_number(name: str) -> int | None:
    """Return 1 to 12 for an English name of a month or its first letters (three at least); None for anything else."""
    wanted = name.strip().lower().removesuffix(".")
    found = [at for at, month in enumerate(_MONTHS, start=1) if month.startswith(wanted)]
    return found[0] if len(wanted) >= 3 and found else None


def plain_days(text: pd.Series[str]) -> pd.Series[str]:
    """Remove the time of days at midnight, and write days with a named month (01-JUL-12) year first.

    Years of two digits are of this century, since no publication that is read here is older. Any other text is returned
    as it is, and refused by the caller.
    """
    days = text.str.replace(_MIDNIGHT, "", regex=True, case=False)
    named = {day: _year_first(day) for day in days.unique()}
    return days.map(named)


def twelve_months(period: str) -> str | None:
    """Turn ``APR22_MAR23`` into ``2022-04-01/2023-03-31``; None for any other text."""
    match = _WINDOW.fullmatch(period.strip())
    if match is None:
        return None
    first, last = month_number(match[1]), month_number(match[3])
    if first is None or last is None:
        return None
    opens = pd.Timestamp(2000 + int(match[2]), first, 1)
    closes = pd.Timestamp(2000 + int(match[4]), last, 1) + pd.offsets.MonthEnd(0)
    return f"{opens.date()}/{closes.date()}" if opens < closes else None


def month_of_financial_year(year: str, month: str) -> str | None:
    """Turn ``2016-17`` and ``MAY`` into ``2016-05`` (English financial years begin in April); None for other texts."""
    match = re.fullmatch(r"(\d{4})[-/](\d{2}|\d{4})", year.strip())
    number = month_number(month)
    if match is None or number is None or int(match[2]) % 100 != (int(match[1]) + 1) % 100:
        return None
    return f"{int(match[1]) + (number < 4)}-{number:02d}"


def month_label(period: str) -> str | None:
    """Turn ``RTT-January-2026`` into ``2026-01``; None for anything else."""
    match = re.fullmatch(r"RTT[-_ ]([A-Za-z]+)[-_ ](\d{4})", period.strip(), flags=re.IGNORECASE)
    number = month_number(match[1]) if match else None
    return f"{match[2]}-{number:02d}" if match and number else None


def _year_first(day: str) -> str:
    match = _NAMED_MONTH.fullmatch(day)
    month = month_number(match[2]) if match else None
    if match is None or month is None:
        return day
    year = match[3] if len(match[3]) == 4 else f"20{match[3]}"
    return f"{year}-{month:02d}-{int(match[1]):02d}"
