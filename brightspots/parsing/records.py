"""`Records`: the bytes of a text file as records, with their bounds, lines and numbers of values."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from brightspots.common.errors import DataError
from brightspots.parsing.readings import places

_QUOTE, _NEWLINE, _RETURN, _ZERO, _NINE, _BLANK = b'"\n\r09 '


@dataclass(frozen=True, eq=False)
class Records:
    """A text file in UTF-8, record by record (N of them).

    Parameters
    ----------
    data : bytes
    separator : str
        One ASCII character.
    quoted : bool
        Whether quotation marks enclose values; else they are characters like others.
    starts, ends : int arrays (N,)
        Positions of the first byte of each record, and of its end without the line end.
    lines : int array (N,)
        The line on which each begins, from 1.
    sizes : int array (N,)
        Number of values of each.
    separators : int array
        Positions of the separators between values.
    """

    data: bytes
    separator: str
    quoted: bool
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    lines: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    separators: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts)

    def row(self, at: int) -> list[str]:
        """The values of one record."""
        text = self.data[self.starts[at] : self.ends[at]].decode("utf-8")
        try:
            return split(text, self.separator, quoted=self.quoted)
        except csv.Error as damage:
            raise DataError(
                f"cannot be read as a table: line {self.lines[at]} is damaged ({damage})"
            ) from damage

    def is_blank(self, at: int) -> bool:
        """Whether a record holds nothing but separators and white space."""
        rest = self.data[self.starts[at] : self.ends[at]].strip(b' "\t\r,;|')
        return not rest or (len(rest) < 200 and not any(value.strip() for value in self.row(at)))

    def columns_with(self, positions: npt.NDArray[np.int64]) -> set[int]:
        """Columns that the bytes at some positions belong to."""
        record = np.searchsorted(self.starts, positions, side="right") - 1
        before = np.searchsorted(self.separators, positions) - np.searchsorted(
            self.separators, self.starts[record]
        )
        return set(np.unique(before).tolist())

    def columns_of_codes(self) -> set[int]:
        """Columns with values such as 007 or 5E10, which would be lost if they were read as numbers."""
        data = np.frombuffer(self.data, dtype=np.uint8)
        zeros = np.flatnonzero(data == _ZERO)
        zeros = zeros[zeros + 1 < len(data)]
        zeros = zeros[_is_digit(data[zeros + 1])]
        before = data[np.maximum(zeros - 1, 0)]
        opens = (zeros == 0) | np.isin(before, [_NEWLINE, _QUOTE, _BLANK, ord(self.separator)])
        exponents = np.flatnonzero((data | 32) == ord("e"))
        exponents = exponents[(exponents > 0) & (exponents + 1 < len(data))]
        exponents = exponents[_is_digit(data[exponents + 1])]
        exponents = exponents[_is_digit(data[exponents - 1])]
        return self.columns_with(np.concatenate([zeros[opens], exponents]))


def _is_digit(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    return (data >= _ZERO) & (data <= _NINE)


def split(text: str, separator: str, *, quoted: bool) -> list[str]:
    """Split one record into its values."""
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, quoting=quoting, strict=quoted)
    return next(reader, [])


def records_of(data: bytes, separator: str) -> Records:
    """Find the records of a text file.

    Raises
    ------
    DataError
        Where quotation marks do not match, or a lone carriage return breaks a line.
    """
    raw = np.frombuffer(data, dtype=np.uint8)
    newlines = np.flatnonzero(raw == _NEWLINE)
    separators = np.flatnonzero(raw == ord(separator))
    ends = newlines
    quoted = False
    if b'"' in data:
        quotes = np.flatnonzero(raw == _QUOTE)
        quoted = _encloses(raw, quotes, separator, newlines)
        if quoted:
            # A newline after an odd number of quotation marks is inside a value.
            ends = newlines[np.searchsorted(quotes, newlines) % 2 == 0]
            separators = separators[np.searchsorted(quotes, separators) % 2 == 0]
    _refuse_lone_returns(raw, newlines)
    if not len(ends) or ends[-1] != len(raw) - 1:
        ends = np.append(ends, len(raw))
    starts = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64)
    sizes = 1 + np.searchsorted(separators, ends) - np.searchsorted(separators, starts)
    lines = 1 + np.searchsorted(newlines, starts)
    returns = (ends > starts) & (raw[np.maximum(ends - 1, 0)] == _RETURN)
    return Records(data, separator, quoted, starts, ends - returns, lines, sizes, separators)


def _encloses(
    raw: npt.NDArray[np.uint8], quotes: npt.NDArray[np.intp], separator: str, newlines: npt.NDArray[np.intp]
) -> bool:
    """Whether quotation marks enclose values; `DataError` where only some of them do.

    They do where the 1st, 3rd, 5th, … is at the beginning of a value (or follows another, which it doubles), and the
    2nd, 4th, … at the end of one.
    """
    edges = [_NEWLINE, _RETURN, ord(separator)]
    before = np.append(np.uint8(_NEWLINE), raw)[quotes]
    after = np.append(raw, np.uint8(_NEWLINE))[quotes + 1]
    opening, closing = np.isin(before, edges), np.isin(after, edges)
    if not opening.any():
        return False
    good = np.where(
        np.arange(len(quotes)) % 2 == 0, opening | (before == _QUOTE), closing | (after == _QUOTE)
    )
    if len(quotes) % 2 or not good.all():
        at = quotes[-1] if good.all() else quotes[np.flatnonzero(~good)[0]]
        line = 1 + np.searchsorted(newlines, at)
        raise DataError(
            f"cannot be read as a table: quotation marks do not match (line {line}, or above)",
            action='a mark inside a value is written twice (""); where the file is cut short, fetch it again',
        )
    return True


def _refuse_lone_returns(raw: npt.NDArray[np.uint8], newlines: npt.NDArray[np.intp]) -> None:
    """Refuse a carriage return inside a line: programs differ on whether a row begins there."""
    returns = np.flatnonzero(raw == _RETURN)
    lone = returns[np.append(raw, np.uint8(0))[returns + 1] != _NEWLINE]
    if len(lone):
        lines = (1 + np.unique(np.searchsorted(newlines, lone))).tolist()
        raise DataError(
            f"{places(lines, 'line')} {'is' if len(lines) == 1 else 'are'} broken by a carriage return",
            expected="lines that end as all others do",
            action="save the file again from the program that wrote it",
        )
