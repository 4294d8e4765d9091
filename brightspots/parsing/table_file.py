"""`read_table_file`: from a file to a frame with keys as text and numbers as numbers, and notes on what was done."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from io import BytesIO
from numbers import Real
from typing import IO, Any, Final

import numpy as np
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.errors import DataError, MissingExtraError
from brightspots.common.wording import counted
from brightspots.parsing.content import read_bytes, unpacked
from brightspots.parsing.numbers import (
    TextColumn,
    could_be_numbers,
    is_text,
    read_numbers,
    style_evidence,
    style_of,
    text_column,
)
from brightspots.parsing.readings import Place, RawTable, Reading, Style, places
from brightspots.parsing.text_file import read_text
from brightspots.parsing.values import LEADING_ZERO, is_identifier, stated_threshold
from brightspots.parsing.workbook import read_workbook, shown_number

# Columns that are always labels; they stay text, so that ids keep their leading zeros.
_KEYS: Final = (names.TRUST, names.DEPARTMENT, names.TRUST_NAME, names.DEPARTMENT_NAME)
# Missing values in columns of text. In key columns only an empty cell is missing, since 'NA' may be a code.
_MISSING_TEXT: Final = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL"})
_PROTECTED: Final = re.compile(r'="([^"]*)"')


@dataclass(frozen=True, eq=False)
class TableFile:
    """A table as it came out of a file.

    Parameters
    ----------
    frame : pandas.DataFrame
        Keys are text and numbers are numbers. The index, named "line" or "sheet row", is where each row was in the file
        (for Parquet the number of the row); ``.attrs["notes"]`` holds the texts of the readings.
    readings : tuple of Reading
        What was done and noticed, in the order of the file.
    name : str
        Of the file, without its folder.
    content : bytes
        The bytes of the file.
    """

    frame: pd.DataFrame
    readings: tuple[Reading, ...]
    name: str
    content: bytes


def read_table_file(
    path: str | os.PathLike[str] | IO[bytes] | IO[str],
    *,
    keys: Collection[str] = (),
    sheet: str | None = None,
) -> TableFile:
    """Read a table file as people have it.

    Where they are certain, these are handled automatically: the encoding, the separator, cover rows and footers, one or
    two rows of names, decimal commas, thousands, words for missing values, and marks of withheld counts, which become
    intervals. Each is reported in a `Reading`. Nothing is done that changes the meaning: totals stay rows, percents
    stay percents, keys stay as written.

    Parameters
    ----------
    path : path or open file
        ``.csv``, ``.tsv``, ``.txt`` (also packed as ``.gz``, or the only one in a ``.zip``), ``.parquet``, ``.xlsx`` or
        ``.xlsm``; ``-`` is standard input.
    keys : collection of str
        Columns that hold labels; they stay text.
    sheet : str, optional
        Of a workbook; by default the first that holds a table.

    Raises
    ------
    DataError
        Where the file cannot be read with certainty. It names the file, the lines, and what to do.
    MissingExtraError
        Where reading it needs a package that is not installed.
    """
    content, name = read_bytes(path)
    wanted = {*keys, *_KEYS}
    try:
        inside, kind = unpacked(content, name)
        if kind == "parquet":
            raw = RawTable(_read_parquet(inside), ())
        elif kind == "workbook":
            raw = read_workbook(inside, wanted, sheet)
        else:
            raw = read_text(inside, wanted, tabs=re.search(r"\.(?:tsv|tab)\b", name.lower()) is not None)
        if sheet is not None and kind != "workbook":
            raise DataError("has no sheets", action="leave the sheet out")
        frame, readings = _with_numbers(raw, wanted)
    except DataError as error:
        raise DataError(
            f"{name}: {error.problem}",
            column=error.column,
            rows=error.rows,
            expected=error.expected,
            action=error.action,
        ) from error
    frame.attrs["notes"] = (*frame.attrs.get("notes", ()), *(reading.text for reading in readings))
    return TableFile(frame, readings, name, content)


def parse_frame(
    frame: pd.DataFrame, *, keys: Collection[str] = ()
) -> tuple[pd.DataFrame, tuple[Reading, ...]]:
    """Read the numbers in the text columns of a frame, as `read_table_file` does; other columns stay as they are.

    Parameters
    ----------
    frame : pandas.DataFrame
        It is not changed.
    keys : collection of str
        Columns that hold labels.

    Returns
    -------
    frame : pandas.DataFrame
        With the same index, and bounds beside columns of counts that are withheld.
    readings : tuple of Reading
    """
    if not frame.columns.is_unique:
        return frame, ()
    columns = {name: _as_text(frame[name]) for name in frame.columns}
    fractions = any(
        column.dtype.kind == "f"
        and bool((column.to_numpy() != np.trunc(column.to_numpy()))[np.isfinite(column)].any())
        for column in columns.values()
        if isinstance(column.dtype, np.dtype)
    )
    plain = pd.DataFrame(columns, index=frame.index)
    plain.attrs = dict(frame.attrs)
    return _with_numbers(RawTable(plain, (), style="point" if fractions else None), {*keys, *_KEYS})


def _as_text(column: pd.Series[Any]) -> pd.Series[Any]:
    """A column of text and numbers as text; any other column unchanged."""
    if column.dtype != object:
        return column
    present = column[column.notna()]
    kinds = [isinstance(value, str) for value in present]
    if not any(kinds) or not all(
        text or (isinstance(value, Real) and not isinstance(value, bool | np.bool_))
        for text, value in zip(kinds, present, strict=True)
    ):
        return column
    return column.map(
        lambda value: value if isinstance(value, str) else shown_number(value), na_action="ignore"
    )


def _read_parquet(content: bytes) -> pd.DataFrame:
    try:
        return pd.read_parquet(BytesIO(content), engine="pyarrow")
    except ImportError as error:
        raise MissingExtraError("pyarrow", extra="parquet", purpose="reading Parquet") from error
    except (ValueError, OSError, KeyError, TypeError) as error:  # pyarrow's, and of what pandas wrote beside
        raise DataError(f"cannot be read as Parquet: {error}") from error


def _with_numbers(raw: RawTable, keys: Collection[str]) -> tuple[pd.DataFrame, tuple[Reading, ...]]:
    """Read the text columns of a table: keys, identifiers and words as text, the others as numbers."""
    frame = raw.frame
    place: Place = (
        "line" if frame.index.name == "line" else "sheet row" if frame.index.name == "sheet row" else "row"
    )
    whole = frame.index.dtype.kind in "iu"
    rows = frame.index.to_numpy(dtype=np.int64) if whole else np.arange(len(frame), dtype=np.int64)
    readings = list(raw.readings)
    texts: dict[str, TextColumn] = {}
    columns: dict[Any, Any] = {}
    for name in frame.columns:
        column = frame[name]
        columns[name] = column
        if not is_text(column):
            continue
        column, said = _unwrapped(str(name), column, rows)
        readings += said
        columns[name] = column
        if name in keys:
            columns[name] = column.where(column != "")
        else:
            texts[name] = text_column(str(name), column, rows)
    numeric = {name: text for name, text in texts.items() if could_be_numbers(text)}
    numeric, kept = _without_identifiers(numeric)
    readings += kept
    evidence = {style for text in numeric.values() for style in style_evidence(text)}
    style: Style | None = raw.style if not evidence else next(iter(evidence)) if len(evidence) == 1 else None
    if raw.style is not None and evidence - {raw.style}:
        style = None
    stated = stated_threshold(raw.said)
    out: dict[Any, Any] = {}
    for name, column in columns.items():
        out[name] = column
        if name not in texts:
            continue
        if name not in numeric:
            out[name], said = _words(texts[name], column, place)
            readings += said
            continue
        own = style_of(numeric[name], style, dots_may_group=raw.dots_may_group, semicolons=raw.semicolons)
        if own is None:
            readings.append(_ambiguous(str(name)))
            continue
        ends = (f"{name}_lower", f"{name}_upper")
        bounded = any(end in columns for end in ends)
        numbers = read_numbers(numeric[name], own, place, stated=stated, bounded=bounded)
        if numbers is None:
            out[name], said = _words(texts[name], column, place)
            readings += said
            continue
        readings += numbers.readings
        if raw.semicolons and style is None and own == "comma" and not style_evidence(numeric[name]):
            readings.append(_by_semicolons(str(name)))
        readings += _typed_as_text(raw, name, numeric[name])
        out[name] = numbers.values
        if numbers.lower is not None:
            out |= dict(zip(ends, (numbers.lower, numbers.upper), strict=True))
    read = pd.DataFrame(out, index=frame.index)
    read.attrs = dict(frame.attrs)
    return read, tuple(readings)


def _unwrapped(name: str, column: pd.Series[Any], rows: Any) -> tuple[pd.Series[Any], list[Reading]]:
    """Values without tabs around them and without ="…", both of which are used to keep Excel from changing codes."""
    codes, texts = pd.factorize(column)
    plain = [_PROTECTED.sub(r"\1", text.strip("\t")) for text in texts]
    changed = np.array([new != old for new, old in zip(plain, texts, strict=True)], dtype=bool)
    if not changed.any():
        return column, []
    hit = np.append(changed, False)[codes]
    lines = tuple(np.asarray(rows)[hit].tolist())
    values = np.array([*plain, np.nan], dtype=object)[codes]
    return pd.Series(values, index=column.index), [
        Reading(
            "tabs",
            f'Column {name!r}: tabs, or ="…", around {counted(len(lines), "value")} left out.',
            name,
            lines,
        )
    ]


def _without_identifiers(
    numeric: Mapping[str, TextColumn],
) -> tuple[dict[str, TextColumn], list[Reading]]:
    """Columns of numbers without those that are codes: with leading zeros, or named like codes and of digits only."""
    kept, readings = {}, []
    for name, text in numeric.items():
        zeros = any(LEADING_ZERO.fullmatch(value.text) for value in text.values)
        digits = not text.fractions and all(
            value.text.isdigit() for value in text.values if not value.missing
        )
        called = digits and is_identifier(str(name))
        if not (zeros or called):
            kept[name] = text
        elif zeros:
            readings.append(
                Reading("identifiers", f"Column {name!r} has leading zeros and is kept as text.", str(name))
            )
    return kept, readings


def _words(text: TextColumn, column: pd.Series[Any], place: Place) -> tuple[pd.Series[Any], list[Reading]]:
    """A column that stays text (booleans for true and false), with a reading where most of it are numbers."""
    values = text.values
    words = {value.text.casefold() for value in values}
    if words and words <= {"true", "false"} and not len(text.plain) and (text.codes >= 0).all():
        return pd.Series(
            text.where([value.text.casefold() == "true" for value in values]), index=column.index
        ), []
    if not len(text.plain) and not any(words):
        return pd.Series(np.nan, index=column.index), []
    cleaned = column.where(~column.str.strip().isin(_MISSING_TEXT))
    odd = [not (value.missing or value.mark or value.is_number) for value in values]
    codes = any(LEADING_ZERO.fullmatch(value.text) for value in values) or is_identifier(text.name)
    numbers = int(text.where([value.is_number for value in values], plain=True).sum())
    others = text.count(odd)
    if codes or not others or numbers <= others:
        return cleaned, []
    lines = text.places(odd)
    return cleaned, [
        Reading(
            "not numbers",
            f"Column {text.name!r} is kept as text: {counted(others, 'value')} beside {counted(numbers, 'number')} "
            f"{'is' if others == 1 else 'are'} no number ({places(lines, place)}).",
            text.name,
            lines,
        )
    ]


def _ambiguous(name: str) -> Reading:
    return Reading(
        "ambiguous numbers",
        f"Column {name!r} is kept as text: its marks could set thousands apart or fractions, and nothing else in the "
        "table tells which. Write it without marks for thousands.",
        name,
    )


def _by_semicolons(name: str) -> Reading:
    return Reading(
        "decimal comma",
        f"Column {name!r}: its commas could set thousands apart too; they were taken for decimal commas, because "
        "semicolons separate the values.",
        name,
    )


def _typed_as_text(raw: RawTable, name: str, text: TextColumn) -> list[Reading]:
    """A reading where a sheet holds numbers as text."""
    typed = raw.typed.get(name)
    if typed is None:
        return []
    stored = text.where([value.is_number for value in text.values], plain=True) & ~typed
    if not stored.any():
        return []
    lines = tuple(text.rows[stored].tolist())
    return [
        Reading(
            "text numbers",
            f"Column {name!r}: {counted(len(lines), 'number')} stored as text "
            f"{'was' if len(lines) == 1 else 'were'} read as {'a number' if len(lines) == 1 else 'numbers'}.",
            name,
            lines,
        )
    ]
