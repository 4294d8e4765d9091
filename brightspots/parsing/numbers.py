"""Read a column of text as numbers, with bounds where counts are withheld, if every value of it can be read so."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots.common.wording import counted, quoted
from brightspots.parsing.readings import Place, Reading, Style, places
from brightspots.parsing.values import Mark, Number, Value, value_of

FloatArray = npt.NDArray[np.float64]

# The largest whole number that a float holds exactly.
_EXACT = 2**53


@dataclass(frozen=True, eq=False)
class TextColumn:
    """A column of text, with each different text parsed once.

    Of K + M different texts, M are plain numbers, which can be read in one way only; the other K are parsed as `Value`.

    Parameters
    ----------
    name : str
    codes : int array (R,)
        Text of each row: 0 to K − 1 for those in `values`, K to K + M − 1 for those in `plain`; −1 for an empty cell.
    values : tuple of Value (K,)
    plain : float array (M,)
    fractions : bool
        Whether some of the plain numbers have a fraction, after a decimal point.
    rows : int array (R,)
        Line or sheet row of each row.
    """

    name: str
    codes: npt.NDArray[np.intp]
    values: tuple[Value, ...]
    plain: FloatArray
    fractions: bool
    rows: npt.NDArray[np.int64]

    def where(self, chosen: Sequence[bool], *, plain: bool = False) -> npt.NDArray[np.bool_]:
        """Rows whose text is one of the `chosen` (K,) or, with `plain`, a plain number, bool (R,)."""
        flags = np.concatenate([np.asarray(chosen, dtype=bool), np.full(len(self.plain), plain), [False]])
        return flags[self.codes]

    def take(self, per_text: FloatArray) -> FloatArray:
        """The number of each row, (R,): `per_text` (K,) or the plain number; NaN where a cell is empty."""
        return np.concatenate([per_text, self.plain, [np.nan]])[self.codes]

    def only(self, per_text: FloatArray) -> FloatArray:
        """The number of each row, (R,), from `per_text` (K,); NaN where the text is a plain number or a cell empty."""
        return np.concatenate([per_text, np.full(len(self.plain) + 1, np.nan)])[self.codes]

    def places(self, chosen: Sequence[bool]) -> tuple[int, ...]:
        """Lines or sheet rows of the chosen texts (K,)."""
        return tuple(self.rows[self.where(chosen)].tolist())

    def count(self, chosen: Sequence[bool]) -> int:
        """Number of rows with one of the chosen texts (K,)."""
        return int(self.where(chosen).sum())


@dataclass(frozen=True, eq=False)
class Numbers:
    """A column read as numbers, (R,), with readings; `lower` and `upper` are None where no count is withheld."""

    values: npt.NDArray[np.generic]
    readings: tuple[Reading, ...]
    lower: FloatArray | None = None
    upper: FloatArray | None = None


def is_text(column: pd.Series[Any]) -> bool:
    """Whether a column holds text, and nothing else but gaps."""
    if isinstance(column.dtype, pd.StringDtype):
        return True
    return column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) == "string"


# Whole numbers, and numbers whose fraction cannot be a group of three digits: the same with either decimal mark.
_PLAIN = re.compile(r"-?(?:[1-9][0-9]*|0)(?:\.(?:[0-9]{1,2}|[0-9]{4,}))?|-?(?:0|[1-9][0-9]{3,})\.[0-9]{3}")


def text_column(name: str, column: pd.Series[Any], rows: npt.NDArray[np.int64]) -> TextColumn:
    """Parse each different text of a column once."""
    codes, different = pd.factorize(column)
    texts = list(different)
    is_plain = np.array([_PLAIN.fullmatch(text) is not None for text in texts], dtype=bool)
    if not is_plain.any():
        return TextColumn(name, codes, tuple(map(value_of, texts)), np.empty(0), False, rows)
    order = np.argsort(is_plain, kind="stable")
    rank = np.append(np.argsort(order, kind="stable"), -1)
    plain = [text for text, one in zip(texts, is_plain, strict=True) if one]
    odd = tuple(value_of(text) for text, one in zip(texts, is_plain, strict=True) if not one)
    numbers = np.array(list(map(float, plain)), dtype=np.float64)
    return TextColumn(name, rank[codes], odd, numbers, any("." in text for text in plain), rows)


def could_be_numbers(column: TextColumn) -> bool:
    """Whether every value is a number, missing or withheld, and at least one is a number."""
    values = column.values
    if not all(value.missing or value.mark or value.is_number for value in values):
        return False
    numbers = len(column.plain) + sum(value.is_number for value in values)
    ranges = sum(value.mark is not None and value.mark.is_range for value in values)
    # A column of '18-24' and '25-34' is one of age bands: ranges of withheld counts are few among many numbers.
    return numbers > 2 * ranges


def style_evidence(column: TextColumn) -> set[Style]:
    """The styles that some value of a column requires: it is a number in that style only."""
    numbers = [value for value in column.values if value.is_number]
    evidence: set[Style] = set()
    if column.fractions or any(value.comma is None for value in numbers):
        evidence.add("point")
    if any(value.point is None for value in numbers):
        evidence.add("comma")
    return evidence


def style_of(
    column: TextColumn, file_style: Style | None, *, dots_may_group: bool, semicolons: bool
) -> Style | None:
    """The decimal mark of a column of numbers; None where it is not certain.

    "1,234" can be 1234 or 1.234. The mark is certain where another value of the column, or of the other columns, can be
    read in one style only; or where the column has several whole numbers below a thousand and no plain ones above,
    because among numbers with three decimals whole ones would be rare. Otherwise, in a file separated by semicolons,
    the comma is the decimal mark, which is why such files do not separate values by commas.
    """
    numbers = [value for value in column.values if value.is_number]
    own = style_evidence(column)
    if len(own) == 2:
        return None
    if own:
        return next(iter(own))
    either = [value for value in numbers if value.is_ambiguous]
    if not either:
        return "point"
    if file_style is not None:
        return file_style
    marks = {mark for value in either for mark in ",." if mark in value.text}
    if marks == {"."} and not dots_may_group:
        return "point"
    wholes = np.abs(column.plain)
    below = np.unique(wholes[wholes > 1])
    if len(marks) == 1 and len(below) >= (2 if marks == {","} else 5) and below[-1] < 1000:
        return "point" if marks == {","} else "comma"
    return "comma" if semicolons and marks == {","} else None


def read_numbers(
    column: TextColumn, style: Style, place: Place, *, stated: Mark | None, bounded: bool
) -> Numbers | None:
    """Read a column that could be numbers.

    None where only some values have a percent sign, or where marks of withheld counts are among values that cannot be
    counts.

    Parameters
    ----------
    column : TextColumn
    style : {"point", "comma"}
    place : {"line", "sheet row"}
    stated : Mark, optional
        Bounds of withheld counts that notes around the table state.
    bounded : bool
        Whether the table has columns of bounds already, which are then used instead of the marks.
    """
    values, name = column.values, column.name
    numbers = [value.number(style) for value in values]
    written = [number for number in numbers if number is not None]
    percents = sum(value.percent for value in values)
    if percents and percents < sum(number.value != 0 for number in written) + np.count_nonzero(column.plain):
        return None
    read = column.take(np.array([np.nan if one is None else one.value for one in numbers], dtype=np.float64))
    readings = _signs(column, style, numbers)
    gone = [value.missing and bool(value.text) and not value.error for value in values]
    if any(gone):
        words = quoted(value.text for value, one in zip(values, gone, strict=True) if one)
        number = column.count(gone)
        readings.append(
            Reading(
                "missing words",
                f"Column {name!r}: {counted(number, 'cell')} with {words} {'was' if number == 1 else 'were'} read as "
                f"missing ({places(column.places(gone), place)}).",
                name,
                column.places(gone),
            )
        )
    failed = [value.error for value in values]
    if any(failed):
        kinds = quoted(value.text for value in values if value.error)
        readings.append(
            Reading(
                "error cells",
                f"Column {name!r}: {counted(column.count(failed), 'cell')} with an error of Excel ({kinds}) "
                f"left missing ({places(column.places(failed), place)}); mend the formulas if they matter.",
                name,
                column.places(failed),
            )
        )
    whole = not column.fractions and all(number.whole for number in written)
    if not any(value.mark for value in values):
        exact = whole and not np.isnan(read).any() and bool((np.abs(read) < _EXACT).all())
        return Numbers(read.astype(np.int64) if exact else read, tuple(readings))
    if percents or not (np.isnan(read) | (read == np.floor(read))).all():
        return None  # withheld counts are among counts
    zeros = bool((read == 0).any())
    lower, upper, said = _bounds(column, stated, zeros=zeros, bounded=bounded, place=place)
    return Numbers(read, (*readings, *said), lower, upper)


_GROUP_NAMES = {",": "commas", ".": "points", "'": "apostrophes", "’": "apostrophes"}


def _signs(column: TextColumn, style: Style, numbers: Sequence[Number | None]) -> list[Reading]:
    """Readings on the signs with which numbers were written."""
    readings = []
    name, values = column.name, column.values
    if style == "comma" and any(number and not number.whole for number in numbers):
        readings.append(
            Reading(
                "decimal comma", f"Column {name!r} is written with decimal commas, and was read so.", name
            )
        )
    grouped = [number is not None and number.group != "" for number in numbers]
    if any(grouped):
        kinds = sorted(
            {_GROUP_NAMES.get(number.group, "blanks") for number in numbers if number and number.group}
        )
        readings.append(
            Reading(
                "thousands",
                f"Column {name!r}: thousands are set apart by {' and '.join(kinds)} in "
                f"{counted(column.count(grouped), 'number')}, which {_were(column, grouped)} read without.",
                name,
                column.places(grouped),
            )
        )
    if any(value.currency for value in values):
        readings.append(
            Reading(
                "currency", f"Column {name!r} is written with a sign of currency, which was left out.", name
            )
        )
    if any(value.percent for value in values):
        readings.append(
            Reading(
                "percent",
                f"Column {name!r} is written in percent and was read so: 12% is 12, not 0.12.",
                name,
            )
        )
    return readings


def _were(column: TextColumn, chosen: Sequence[bool]) -> str:
    return "was" if column.count(chosen) == 1 else "were"


def _bounds(
    column: TextColumn, stated: Mark | None, *, zeros: bool, bounded: bool, place: Place
) -> tuple[FloatArray | None, FloatArray | None, list[Reading]]:
    """Bounds of the counts that are withheld, (R,) each, NaN for the others; None where nothing is known of any."""
    name, values = column.name, column.values
    marked = [value.mark is not None for value in values]
    if bounded:
        number = column.count(marked)
        return None, None, [
            Reading(
                "suppressed",
                f"Column {name!r}: {counted(number, 'count')} written {quoted(_texts(values, marked))} left missing; "
                "their bounds stand in columns of their own.",
                name,
                column.places(marked),
            )
        ]  # fmt: skip
    low, high = np.full(len(values), np.nan), np.full(len(values), np.nan)
    readings = []
    by_bounds: Counter[tuple[int, int, bool, bool]] = Counter()
    for at, value in enumerate(values):
        mark = value.mark
        if mark is None:
            continue
        from_notes = mark.upper is None
        mark = stated if from_notes else mark
        if mark is None or mark.upper is None:
            continue
        low[at] = mark.lower if mark.lower is not None else min(int(zeros), mark.upper)
        high[at] = mark.upper
        by_bounds[int(low[at]), int(high[at]), mark.lower is None, from_notes] += 1
    for (lower, upper, open_below, from_notes), _ in by_bounds.items():
        chosen = [
            marked[at] and low[at] == lower and high[at] == upper
            and (value.mark is not None and (value.mark.upper is None) == from_notes)
            for at, value in enumerate(values)
        ]  # fmt: skip
        why = (
            ""
            if not open_below
            else " (zeros are shown elsewhere in the column)"
            if zeros
            else " (no zero is shown in the column, so it may be one)"
        )
        source = ", as the rows around the table say" if from_notes else ""
        readings.append(_known_reading(column, chosen, (lower, upper), why=f"{why}{source}"))
    unknown = [one and bool(np.isnan(high[at])) for at, one in enumerate(marked)]
    if any(unknown):
        beside = " beside marks that say below what" if by_bounds else ""
        readings.append(_unknown_reading(column, unknown, place, beside=beside))
    if not by_bounds:
        return None, None, readings
    return column.only(low), column.only(high), readings


def _known_reading(
    column: TextColumn, chosen: Sequence[bool], bounds: tuple[int, int], *, why: str
) -> Reading:
    """The reading on withheld counts whose bounds are known."""
    name, number = column.name, column.count(chosen)
    return Reading(
        "suppressed",
        f"Column {name!r}: {counted(number, 'count')} written {quoted(_texts(column.values, chosen))} "
        f"{'is' if number == 1 else 'are'} known as from {bounds[0]} to {bounds[1]}{why}; the bounds stand in "
        f"'{name}_lower' and '{name}_upper'.",
        name,
        column.places(chosen),
    )


def _unknown_reading(column: TextColumn, unknown: Sequence[bool], place: Place, *, beside: str) -> Reading:
    """The reading on withheld counts whose bounds are not known."""
    name, number = column.name, column.count(unknown)
    return Reading(
        "suppressed without bounds",
        f"Column {name!r}: {counted(number, 'count')} written {quoted(_texts(column.values, unknown))}{beside} "
        f"{'was' if number == 1 else 'were'} left missing, for nothing says what a withheld count can be; give "
        f"the least and the most in '{name}_lower' and '{name}_upper' "
        f"({places(column.places(unknown), place)}).",
        name,
        column.places(unknown),
    )


def _texts(values: Sequence[Value], chosen: Sequence[bool]) -> list[str]:
    return list(dict.fromkeys(value.text for value, one in zip(values, chosen, strict=True) if one))
