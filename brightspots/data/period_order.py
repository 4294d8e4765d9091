"""The order of periods in time, from their labels or from an ordered categorical; never guessed.

The labels of a column are read in every way that could be meant (`_READINGS`). A reading is kept where it reads *all*
labels, each as a different time. Where all readings kept give the same order, that order is known:
`01/04/2016, 01/05/2016` are in this order whether the day or the month comes first, `01/04/2016, 02/03/2016` are not.

Months without a year are put in calendar order, January first: a table of April to March that belongs to a financial
year says so by an ordered categorical, or by the years.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import takewhile
from numbers import Real
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots.common.vocabulary import PeriodOrder

if TYPE_CHECKING:
    from brightspots.data.cells import Cells

IntArray = npt.NDArray[np.int64]
Key = tuple[float, ...]
# How many labels a message quotes.
_QUOTED: Final = 4

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FULL: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_MONTH_OF: Final = {name: number for names in (_MONTHS, _FULL) for number, name in enumerate(names, 1)} | {
    "sept": 9
}

_MONTH: Final = rf"(?P<month>{'|'.join(sorted(_MONTH_OF, key=len, reverse=True))})\.?"
_YEAR: Final = r"(?P<year>\d{4})"
_SHORT_YEAR: Final = r"(?P<year>\d{4}|\d{2})"
# A period over two calendar years (2023/24, 2023-24) is ordered by the first.
_TWO_YEARS: Final = r"(?P<year>\d{4})\s?[/–-]\s?(?:\d{4}|\d{2})"
_QUARTER: Final = r"q(?:uarter|tr)?\s?(?P<part>[1-4])"
_HALF: Final = r"h(?:alf)?\s?(?P<part>[12])"
_MONTH_NUMBER: Final = r"(?P<month>\d{1,2})"
_DAY: Final = r"(?P<day>\d{1,2})"
_CLOCK: Final = r"(?:[t\s](?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?(?:\.0*)?z?)?"
_GAP: Final = r"[\s/_.,–-]*"


@dataclass(frozen=True, eq=False)
class OrderedPeriods:
    """The order of some labels.

    Parameters
    ----------
    order : int array (P,)
        Positions of the labels, the earliest first.
    known_by : PeriodOrder
        How the order is known; "unknown" where it is alphabetical.
    """

    order: IntArray
    known_by: PeriodOrder


def order_periods(labels: Iterable[Any], declared: Sequence[Any] | None = None) -> OrderedPeriods:
    """Put the labels of periods in the order of time.

    Parameters
    ----------
    labels : iterable of labels (P,)
        All different, and of kinds that can be compared.
    declared : sequence of labels, optional
        Categories in an order that the data declare, all labels among them.

    Returns
    -------
    OrderedPeriods

    Raises
    ------
    TypeError
        Where labels of several kinds cannot be compared.
    """
    values = list(labels)
    if declared is not None:
        place = {label: float(position) for position, label in enumerate(declared)}
        if all(label in place for label in values):
            return OrderedPeriods(_argsort([(place[label],) for label in values]), "category")
    plain = OrderedPeriods(_argsort(values), "unknown")
    if not values or len(set(values)) < len(values):
        return plain
    if not all(isinstance(label, str) for label in values):
        return OrderedPeriods(plain.order, _kind_of_values(values))
    return _order_of_text([label.strip().casefold() for label in values]) or plain


def declared_order(column: Any) -> list[Any] | None:
    """The categories of an ordered pandas categorical, a polars Enum or an ordered pyarrow dictionary; else None.

    Parameters
    ----------
    column : pandas.Series, polars.Series, pyarrow.ChunkedArray or other native column
    """
    dtype = getattr(column, "dtype", None)
    if isinstance(dtype, pd.CategoricalDtype):
        return list(np.asarray(dtype.categories)) if dtype.ordered else None
    if isinstance(dtype, pd.ArrowDtype):
        column = column.array.__arrow_array__()
    kind = getattr(column, "type", None)  # pyarrow
    if kind is not None and hasattr(kind, "index_type"):
        if not kind.ordered:
            return None
        whole = column.unify_dictionaries() if hasattr(column, "unify_dictionaries") else column
        first = whole.chunk(0) if hasattr(whole, "chunk") else whole
        return list(first.dictionary.to_pylist())
    # A polars Enum, told without polars, which need not be installed.
    return list(getattr(dtype, "categories", [])) if type(dtype).__name__ == "Enum" else None


def period_texts(labels: Iterable[Any]) -> list[str]:
    """Labels of periods as text; dates without the time of day where all are at midnight."""
    return list(map(str, pd.Series(np.asarray(labels)).astype(str)))


def unknown_order_text(labels: Sequence[Any] | npt.NDArray[Any]) -> str:
    """Say that the order in time of the periods with these labels is not known, and what to do; no full stop."""
    shown = [repr(str(label)) for label in labels[:_QUOTED]]
    said = ", ".join([*shown, "…"] if len(labels) > _QUOTED else shown)
    return (
        f"the order of the periods in time cannot be told from their labels ({said}), so they stand in the "
        "alphabetical order of their labels; pass dates, numbers or an ordered categorical"
    )


def period_order_caution(cells: Cells) -> str | None:
    """`unknown_order_text` for the periods of some cells; None where their order is known or there are no periods."""
    if cells.periods is None or cells.period_order != "unknown":
        return None
    return unknown_order_text(cells.periods)


def _argsort(keys: Sequence[Any]) -> IntArray:
    """Positions that sort the keys, as `numpy.argsort`, for keys of any kind that can be compared (tuples, dates)."""
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)


def _kind_of_values(values: Sequence[Any]) -> PeriodOrder:
    """Kind of values that are not text: "date" or "number" where all are such, else (booleans too) "unknown"."""
    if all(isinstance(value, date | np.datetime64 | pd.Period) for value in values):
        return "date"
    numbers = (Real, Decimal, np.number, timedelta)
    if all(isinstance(value, numbers) and not isinstance(value, bool) for value in values):
        return "number"
    return "unknown"


def _order_of_text(labels: Sequence[str]) -> OrderedPeriods | None:
    """The order on which all readings of the labels agree; None where they disagree or none reads the labels.

    Labels that no reading reads are tried once more without the words that all of them begin with.
    """
    for bare in (labels, _without_common_start(labels)):
        read = [
            (kind, order) for kind, reading in _READINGS if (order := _read_all(bare, reading)) is not None
        ]
        if read:
            kind, order = read[0]
            agreed = all(np.array_equal(order, other) for _, other in read)
            return OrderedPeriods(order, kind) if agreed else None
    return None


def _read_all(labels: Sequence[str], reading: Callable[[str], Key | None]) -> IntArray | None:
    """Order by one reading; None where it cannot read a label, or reads two labels as the same time."""
    keys = [key for label in labels if (key := reading(label)) is not None]
    if len(keys) < len(labels) or len(set(keys)) < len(keys):
        return None
    return _argsort(keys)


def _without_common_start(labels: Sequence[str]) -> list[str]:
    """`week 9, week 10` → `9, 10`; `year to mar 2023, year to may 2023` → `mar 2023, may 2023`."""
    shared = takewhile(lambda at: len(set(at)) == 1 and not at[0].isdigit(), zip(*labels, strict=False))
    length = sum(1 for _ in shared)
    if not all(label[length : length + 1].isdigit() for label in labels):
        length = labels[0].rfind(" ", 0, length) + 1  # whole words only
    return [label[length:] for label in labels]


def _four_digits(year: str) -> int:
    """The year of a text of two or four digits; of two, 00 to 69 are 2000 to 2069, and 70 to 99 are 1970 to 1999."""
    return int(year) if len(year) == 4 else int(year) + (2000 if int(year) < 70 else 1900)


def _by_pattern(*patterns: str) -> Callable[[str], Key | None]:
    """Make a reading of labels: the parts of a date that the first matching pattern names, as a key to sort by.

    All patterns of one reading have the same named groups.
    """
    compiled = [re.compile(pattern) for pattern in patterns]

    def read(label: str) -> Key | None:
        for pattern in compiled:
            found = pattern.fullmatch(label)
            if found is not None:
                return _key(found.groupdict())
        return None

    return read


def _key(parts: dict[str, str]) -> Key | None:
    """Sort key of a date's parts, the largest unit first; None where there is no such month or day."""
    key: list[float] = [_four_digits(parts["year"])] if "year" in parts else []
    if "month" in parts:
        named = parts["month"]
        month = int(named) if named.isdigit() else _MONTH_OF[named]
        if not 1 <= month <= 12:
            return None
        key.append(month)
    if "part" in parts:
        key.append(int(parts["part"]))
    if "day" in parts:
        key.append(int(parts["day"]))
        try:
            date(*map(int, key))
        except ValueError:
            return None
    return (*key, *(float(parts[unit] or 0) for unit in ("hour", "minute", "second") if unit in parts))


def _number(label: str) -> Key | None:
    return (float(label),) if re.fullmatch(r"[+-]?\d+(?:\.\d+)?", label) else None


def _years(label: str) -> Key | None:
    """A year, or several as one period: 2019/20, 2019-20, 2019-2021, 2019 to 2021; not 2024-03, which goes back."""
    found = re.fullmatch(r"(\d{4})(?:\s?(?:[/–-]|to)\s?(\d{4}|\d{2}))?", label)
    if found is None:
        return None
    start = int(found[1])
    if found[2] is None:
        return (start, 0)
    end = int(found[2])
    length = (end - start) % 100 if len(found[2]) == 2 else end - start
    return (start, length) if 0 < length <= 10 else None


def _span(reading: Callable[[str], Key | None]) -> Callable[[str], Key | None]:
    """Make a reading of spans, such as `april 2016 - march 2017` or `2021-07-01/2024-06-30`, from one of single dates.

    The key of a span is that of its start followed by that of its end.
    """

    def read(label: str) -> Key | None:
        ends = re.split(r"\s+(?:to|-|–)\s+", label)
        if len(ends) == 1:
            ends = re.split(r"[/–]", label)
        keys = [key for end in ends if (key := reading(end)) is not None]
        if len(ends) != 2 or len(keys) != 2 or keys[1] <= keys[0]:
            return None
        return (*keys[0], *keys[1])

    return read


_DATES: Final = (
    _by_pattern(rf"{_YEAR}[-/.]{_MONTH_NUMBER}[-/.]{_DAY}{_CLOCK}"),
    _by_pattern(rf"{_DAY}[-/.]{_MONTH_NUMBER}[-/.]{_SHORT_YEAR}{_CLOCK}"),
    _by_pattern(rf"{_MONTH_NUMBER}[-/.]{_DAY}[-/.]{_SHORT_YEAR}{_CLOCK}"),
    _by_pattern(rf"{_YEAR}[-/.m\s]{_MONTH_NUMBER}", rf"{_MONTH_NUMBER}[-/.\s]{_YEAR}"),
    _by_pattern(rf"{_YEAR}{_GAP}w(?:eek)?\s?(?P<part>\d{{1,2}})"),
    _by_pattern(rf"{_YEAR}{_GAP}{_QUARTER}", rf"{_QUARTER}{_GAP}{_YEAR}"),
    _by_pattern(rf"{_TWO_YEARS}{_GAP}{_QUARTER}", rf"{_QUARTER}{_GAP}{_TWO_YEARS}"),
    _by_pattern(rf"{_YEAR}{_GAP}{_HALF}", rf"{_HALF}{_GAP}{_YEAR}"),
    _by_pattern(rf"{_TWO_YEARS}{_GAP}{_HALF}", rf"{_HALF}{_GAP}{_TWO_YEARS}"),
    _by_pattern(rf"{_MONTH}{_GAP}{_SHORT_YEAR}", rf"{_YEAR}{_GAP}{_MONTH}"),
    _by_pattern(
        rf"{_DAY}(?:st|nd|rd|th)?{_GAP}{_MONTH}{_GAP}{_SHORT_YEAR}",
        rf"{_MONTH}\s{_DAY}(?:st|nd|rd|th)?,?\s{_YEAR}",
    ),
)
# What a label could mean; where several readings agree on the order, the first gives its kind (`PeriodOrder`).
_READINGS: Final[tuple[tuple[PeriodOrder, Callable[[str], Key | None]], ...]] = (
    ("number", _number),
    ("date", _years),
    *(("date", reading) for reading in _DATES),
    *(("date", _span(reading)) for reading in _DATES),
    ("month", _by_pattern(_MONTH)),
)
