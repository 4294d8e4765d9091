"""`Records`, which all readers use: a published file as text, and how to read keys, numbers and dates from it.

Everything is read as text first. A value becomes a number only where it is one, and a missing or suppressed value only
where the publisher's way of writing these is known; anything else is a `DataError` that names the lines.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots.common import vocabulary as names_of
from brightspots.common.errors import DataError
from brightspots.readers.dates import plain_days
from brightspots.readers.layout import INVISIBLE, Layout
from brightspots.readers.opening import PublishedFile, decode, read_content
from brightspots.readers.surroundings import find_table

# How publishers write that there is no value, and that a small one is withheld (compared in lower case).
MISSING: Final = frozenset({"", ".", "-", "n/a", "na", "null", "not available", "not applicable"})
SUPPRESSED: Final = frozenset({"*", "too few to report"})

# How publishers write that a result of their own (a rate, a limit) is not shown.
WITHHELD_RESULTS: Final = frozenset({"*", "**"})

_NUMBER: Final = r"-?(?:[0-9]+(?:,[0-9]{3})*(?:\.[0-9]*)?|\.[0-9]+)"

# Larger numbers are refused: no hospital statistic is so large, so the file is damaged.
_LARGEST: Final = 1e12


@dataclass(frozen=True, eq=False)
class Records:
    """Rows of a published file.

    Parameters
    ----------
    frame : pandas.DataFrame
        Under our names of columns, with text stripped of white space; the index is the line of the file.
    layout : Layout
    notes : list of str
        Sentences on what was done; methods add to it.
    """

    frame: pd.DataFrame
    layout: Layout
    notes: list[str]

    def __contains__(self, column: str) -> bool:
        return column in self.frame

    def keep(self, rows: pd.Series[bool]) -> Records:
        """The rows where `rows` is true, with the same list of notes."""
        return Records(self.frame[rows], self.layout, self.notes)

    def with_columns(self, **columns: pd.Series[Any]) -> Records:
        """Replace columns of text by checked ones."""
        return Records(self.frame.assign(**columns), self.layout, self.notes)

    def spelling(self, column: str) -> str:
        """Return the publisher's name of one of our columns (ours where it has none), for messages."""
        return {**self.layout.required, **self.layout.optional}.get(column, (column,))[0]

    def refuse(
        self,
        column: str,
        bad: npt.NDArray[np.bool_] | pd.Series[bool],
        problem: str,
        expected: str,
        action: str,
    ) -> None:
        """Raise `DataError` naming the lines where `bad` is true, if there are any."""
        wrong = np.asarray(bad, dtype=bool)
        if wrong.any():
            lines = [f"line {line}" for line in self.frame.index[wrong]]
            raise DataError(
                problem, column=self.spelling(column), rows=lines, expected=expected, action=action
            )

    def check_visible(self) -> None:
        """Refuse invisible characters in any column: two codes that look the same must be the same."""
        for column in self.frame:
            self.refuse(
                str(column), self.frame[column].str.contains(INVISIBLE), "a value holds an invisible character",
                "text and numbers on one line", "the file may be damaged; fetch it again",
            )  # fmt: skip

    def missing(self, column: str) -> pd.Series[bool]:
        """Rows in which the publisher gives no value."""
        return self.frame[column].str.lower().isin(MISSING)

    def text(self, column: str) -> pd.Series[str]:
        """Return a key column, refusing blanks."""
        values: pd.Series[str] = self.frame[column]
        self.refuse(
            column,
            values == "",
            "a key is blank",
            "a value in every row",
            "the file may be cut short or edited",
        )
        return values

    def identifiers(self, column: str, width: int, pattern: str) -> pd.Series[str]:
        """Return organisation codes in capitals, with leading zeros that a spreadsheet may have removed.

        Parameters
        ----------
        column : str
            Our name of the column.
        width : int
            Least number of characters of a code; shorter ones are filled up with zeros.
        pattern : str
            Regular expression of a whole code.

        Raises
        ------
        DataError
            Where a code is blank or does not match the pattern.
        """
        codes = self.text(column).str.upper().str.zfill(width)
        self.refuse(
            column, ~codes.str.fullmatch(pattern), "an identifier is not a code of this publisher",
            f"codes as the publisher issues them ({pattern})",
            "codes opened in a spreadsheet may have become 1.0E+05 or 33.0",
        )  # fmt: skip
        return codes

    def numbers(self, column: str, *, blank: float | None = None) -> pd.Series[float]:
        """Read a column of finite numbers.

        Parameters
        ----------
        column : str
            Our name of the column.
        blank : float, optional
            The number for a missing value (NaN to keep it missing). Without it a missing value is an error.

        Raises
        ------
        DataError
            Where a value is neither a number nor, if `blank` is given, a known way to write a missing one.
        """
        text: pd.Series[str] = self.frame[column]
        is_number = text.str.fullmatch(_NUMBER)
        missing = self.missing(column)
        acceptable = is_number if blank is None else is_number | missing
        self.refuse(
            column, ~acceptable, "a value is missing or not a number",
            "numbers" if blank is None else "numbers, or blank where there is none",
            "the file may be cut short or edited, or write missing values in a way that is not known here",
        )  # fmt: skip
        values = np.full(len(text), np.nan if blank is None else blank)
        values[is_number] = text[is_number].str.replace(",", "").to_numpy(dtype=np.float64)
        self.refuse(
            column, np.abs(values) > _LARGEST, "a number is too large to be true", f"numbers up to {_LARGEST:g}",
            "the file may be damaged",
        )  # fmt: skip
        return pd.Series(values, index=text.index)

    def counts(self, column: str, *, blank: float | None = None) -> pd.Series[float]:
        """Read a column of whole numbers of zero or more (see `numbers`)."""
        values = self.numbers(column, blank=blank)
        self.refuse(
            column, (values < 0) | (values != np.floor(values)) & values.notna(),
            "a count is negative or fractional", "whole numbers of zero or more",
            "this column may hold rates, or the columns may have moved",
        )  # fmt: skip
        return values

    def dates(self, column: str, formats: Sequence[str], expected: str) -> pd.Series[pd.Timestamp]:
        """Read a column of dates, each written in one of the formats, of which no two may read the same text.

        A time of midnight after the day, and the month in letters, are read as well (see `plain_days`).

        Raises
        ------
        DataError
            Where a value is not a date in any of them.
        """
        text = plain_days(self.text(column))
        dates = pd.Series(pd.NaT, index=text.index, dtype="datetime64[us]")
        for one in formats:
            dates = dates.fillna(pd.to_datetime(text, format=one, errors="coerce").astype("datetime64[us]"))
        self.refuse(column, dates.isna(), "a date is not a date", expected, "the columns may have moved")
        return dates

    def suppressed(self, column: str) -> pd.Series[bool]:
        """Rows in which the publisher withholds a small count."""
        return self.frame[column].str.lower().isin(SUPPRESSED)

    def withheld(self, column: str) -> pd.Series[bool]:
        """Rows in which the publisher does not show a result of its own."""
        return self.frame[column].isin(WITHHELD_RESULTS)

    def official(self, columns: Sequence[str]) -> dict[str, pd.Series[float]]:
        """Read the publisher's own results, as `official_…`; a note says how many are missing."""
        read = {}
        for column in columns:
            if column in self:
                shown = self.with_columns(**{column: self.frame[column].mask(self.withheld(column), "")})
                read[f"official_{column}"] = shown.numbers(column, blank=np.nan)
        lower, upper = (read.get(f"official_{end}") for end in ("lower", "upper"))
        if lower is not None and upper is not None:
            self.refuse(
                "lower", lower > upper, "an official limit lies above the other one", "lower ≤ upper",
                "the columns may have moved",
            )  # fmt: skip
        absent = sum(int(values.isna().sum()) for values in read.values())
        if absent:
            self.notes.append(f"{counted(absent, 'official value')} missing in the file.")
        return read

    def check_unique(self, *columns: str) -> None:
        """Refuse a file that gives the same cell twice: it is not known whether to add them up or to choose one."""
        twice = self.frame.duplicated(list(columns), keep=False)
        described = " × ".join(self.spelling(column) for column in columns)
        self.refuse(
            columns[0], twice, f"the same {described} appears more than once", f"one row per {described}",
            "drop the rows that are superseded",
        )  # fmt: skip

    def check_identity(self, column: str, computed: pd.Series[float], tolerance: float, meaning: str) -> None:
        """Refuse a file whose published rate (`column`) differs from the same rate `computed` from other columns.

        This finds a release that gives rates per 100 instead of per 1,000, or columns that have moved.
        """
        stated = self.numbers(column, blank=np.nan)
        self.refuse(
            column, (stated - computed).abs() > tolerance, f"the published rate is not {meaning}",
            f"{meaning}, to within rounding", "another scale or other columns than in known releases: not read",
        )  # fmt: skip


def read_records(source: PublishedFile, layout: Layout) -> Records:
    """Read a published CSV file as text, every row complete.

    Raises
    ------
    DataError
        Where the file is not CSV text, lacks a required column, has no rows, or has rows that are too
        short or too long (a file cut short, or a comma inside an unquoted name).
    """
    notes: list[str] = []
    content = read_content(source)
    try:
        text = decode(content, notes)
        check_line_ends(text)
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        numbered = [(reader.line_num, row) for row in reader]
    except (csv.Error, UnicodeDecodeError) as damage:
        raise DataError(
            f"this is not {layout.file}: it cannot be read as CSV ({damage})", action="fetch it again"
        ) from damage
    table = find_table(numbered, [layout], notes)
    header, rows = table.header, table.rows
    positions = layout.locate(header)
    uneven = [f"line {line}" for line, row in rows if len(row) != len(header)]
    if uneven:
        raise DataError(
            f"rows do not have the {len(header)} values that the header announces",
            rows=uneven,
            expected=layout.file,
            action="the file may be cut short; fetch it again",
        )
    if not rows:
        raise DataError("the file has a header and no rows", expected=layout.file)
    unended = not text.endswith(("\n", "\r")) and rows[-1][0] == numbered[-1][0]
    if unended and not rows[-1][1][-1] and len(header) - 1 in positions.values():
        raise DataError(
            "the file ends in the middle of its last row",
            rows=[f"line {rows[-1][0]}"],
            expected="a line end, or a last value",
            action="the file may be cut short; fetch it again",
        )
    if unended:
        notes.append(
            f"The file does not end with a line end: the last value of line {rows[-1][0]} may be cut short."
        )
    columns = {ours: [row[at].strip() for _, row in rows] for ours, at in positions.items()}
    absent = [repr(spellings[0]) for ours, spellings in layout.optional.items() if ours not in positions]
    if absent:
        notes.append(f"The file has no column {', '.join(absent)}: nothing is read or checked by it.")
    records = Records(pd.DataFrame(columns, index=[line for line, _ in rows], dtype=str), layout, notes)
    records.check_visible()
    return records


def check_line_ends(text: str) -> None:
    """Refuse a carriage return inside a file whose lines end in line feeds: it would start a new row."""
    lone = re.search("\r(?!\n)", text) if text.count("\r") != text.count("\r\n") else None
    if "\n" in text and lone is not None:
        at = text.count("\n", 0, lone.start()) + 1
        raise DataError(
            "a line is broken by a carriage return", rows=[f"line {at}"],
            expected="lines that end as all others do", action="the file may be damaged; fetch it again",
        )  # fmt: skip


def counted(number: float, noun: str) -> str:
    """A number with its noun, for notes: ``1 row``, ``1,234 rows``."""
    return f"{number:,.0f} {noun}" if number == 1 else f"{number:,.0f} {noun}s"


def latest_spelling(names: pd.DataFrame, key: str, name: str, order: str | None = None) -> pd.Series[str]:
    """Return the last non-blank name of each key, by `order` where there is one, else by place in the file."""
    spelt = names[names[name] != ""]
    if order is not None:
        spelt = spelt.sort_values(order, kind="stable")
    latest: pd.Series[str] = spelt.groupby(key)[name].last()
    return latest


def finish(frame: pd.DataFrame, keys: Sequence[str], notes: Sequence[str]) -> pd.DataFrame:
    """Sort by the keys, number the rows from 0, give whole counts an integer type, attach the notes."""
    table = frame.sort_values(list(keys), kind="stable").reset_index(drop=True)
    for column in (names_of.OBSERVED, names_of.DENOMINATOR, names_of.OBSERVED_LOWER, names_of.OBSERVED_UPPER):
        if column in table and table[column].notna().all():
            table[column] = table[column].astype(np.int64)
    table.attrs["notes"] = tuple(notes)
    return table
