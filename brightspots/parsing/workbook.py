"""Read a sheet of an Excel workbook: choose the sheet with the table, and read its columns as they are displayed."""

from __future__ import annotations

import math
import re
import warnings
import zipfile
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from io import BytesIO
from typing import Any, Final
from xml.etree.ElementTree import ParseError

import numpy as np
import pandas as pd

from brightspots.common.errors import DataError, MissingExtraError
from brightspots.common.wording import counted, quoted
from brightspots.parsing import layout as layouts
from brightspots.parsing.layout import (
    HEAD,
    TAIL,
    Layout,
    blank,
    find_footers,
    find_layout,
    like_a_number,
    name_columns,
)
from brightspots.parsing.readings import RawTable, Reading

# Most bytes of an unpacked sheet. Real ones are far smaller; an archive can be made to fill the memory.
_MOST_BYTES: Final = 2 * 1024**3
# XML entities, which could include files of this machine or expand to gigabytes; Excel does not write them.
_DECLARATION: Final = re.compile(
    rb"<\0?!\0?(?:D\0?O\0?C\0?T\0?Y\0?P\0?E|E\0?N\0?T\0?I\0?T\0?Y)", re.IGNORECASE
)
_FORMULA: Final = re.compile(rb"<(?:\w+:)?f[\s>/]")
_DAMAGE: Final = (
    zipfile.BadZipFile, zlib.error, ParseError, KeyError, ValueError, TypeError, IndexError, AttributeError, EOFError,
    OSError, NotImplementedError, RuntimeError, SyntaxError,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Sheet:
    """The cells of a sheet that are not empty, row by row.

    Parameters
    ----------
    title : str
    places : list of int (N,)
        Numbers of the sheet rows that are not blank, and of one blank row in each gap between these.
    rows : list of list of object (N,)
        Values as stored; None for empty cells; cells merged downwards are filled.
    formats : dict of (row, column) to str
        Number formats of cells that hold numbers or dates, except the general one.
    spans : dict of int to list of (first, last)
        Columns, from 0, of cells merged across, by position of the row.
    filled : tuple of int
        Sheet rows of cells that were filled because they are merged downwards.
    """

    title: str
    places: list[int]
    rows: list[list[Any]]
    formats: dict[tuple[int, int], str]
    spans: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    filled: tuple[int, ...] = ()


def read_workbook(content: bytes, keys: Collection[str], wanted: str | None) -> RawTable:
    """Read one sheet of a workbook as columns of text, or of dates where a column holds nothing else.

    Parameters
    ----------
    content : bytes
    keys : collection of str
        Columns that hold labels.
    wanted : str, optional
        Title of the sheet; by default the first visible one that holds a table, with the wanted names if any has.

    Raises
    ------
    DataError
        Where the workbook is damaged or unsafe, has no such sheet or no table, or holds formulas without values.
    """
    try:
        import openpyxl  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingExtraError("openpyxl", extra="excel", purpose="reading Excel files") from error
    formulas = _check_archive(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns of styles and extensions, which hold no values
            book = openpyxl.load_workbook(BytesIO(content), data_only=True)
            stored = openpyxl.load_workbook(BytesIO(content)) if formulas else None
    except _DAMAGE as damage:
        raise DataError(
            f"cannot be read as an Excel file ({damage})", action="open it in Excel and save it again"
        ) from damage
    titles = [sheet.title for sheet in book.worksheets]
    if wanted is not None and wanted not in titles:
        raise DataError(f"has no sheet {wanted!r}; it has {', '.join(map(repr, titles))}")
    hidden = [sheet.title for sheet in book.worksheets if sheet.sheet_state != "visible"]
    candidates = [title for title in titles if title == wanted or (wanted is None and title not in hidden)]
    sheets = {title: _sheet_of(book[title]) for title in candidates}
    title, others = _choose(sheets, keys)
    readings = []
    if wanted is None and (others or hidden):
        also = f"; {quoted(others)} may hold others" if others else ""
        unseen = (
            f"; {quoted(hidden)} {'is' if len(hidden) == 1 else 'are'} hidden and not looked at"
            if hidden
            else ""
        )
        readings.append(Reading("sheet", f"The table was read from the sheet {title!r}{also}{unseen}."))
    if stored is not None:
        _refuse_uncomputed(book[title], stored[title])
    return _table_of(sheets[title], keys, readings)


def _check_archive(content: bytes) -> bool:
    """Refuse an unsafe or damaged archive before it is parsed; return whether it has formulas."""
    formulas = False
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            if sum(member.file_size for member in archive.infolist()) > _MOST_BYTES:
                raise DataError(
                    f"holds more than {_MOST_BYTES / 1024**3:g} GiB", action="open it and look at it first"
                )
            for member in archive.infolist():
                if not member.filename.lower().endswith((".xml", ".rels", ".vml")):
                    continue
                part = archive.read(member)
                if _DECLARATION.search(part[:1_000_000]):
                    raise DataError(
                        f"declares a document type or an entity in {member.filename!r}, as no sheet needs to",
                        action="do not trust the file; open it in Excel and save it again if it is yours",
                    )
                formulas |= "worksheets/" in member.filename and _FORMULA.search(part) is not None
    except _DAMAGE as damage:
        if isinstance(damage, DataError):
            raise
        raise DataError(f"cannot be read as an Excel file ({damage})", action="fetch it again") from damage
    return formulas


def _sheet_of(sheet: Any) -> _Sheet:
    """The cells of a sheet that are not empty; of a million declared rows most may be blank."""
    cells = {
        at: cell for at, cell in sheet._cells.items() if cell.value is not None and str(cell.value).strip()
    }
    if not cells:
        return _Sheet(sheet.title, [], [], {})
    rows, columns = max(row for row, _ in cells), max(column for _, column in cells)
    written = sorted({row for row, _ in cells})
    # One blank row is kept for each gap, whatever its length, since gaps separate blocks of a sheet.
    kept: list[int] = []
    for row in written:
        if kept and row > kept[-1] + 1:
            kept.append(kept[-1] + 1)
        kept.append(row)
    position = {row: at for at, row in enumerate(kept)}
    grid: list[list[Any]] = [[None] * columns for _ in kept]
    formats = {}
    for (row, column), cell in cells.items():
        grid[position[row]][column - 1] = cell.value
        if cell.number_format not in ("General", "@") and not isinstance(cell.value, str):
            formats[row, column - 1] = cell.number_format
    spans: dict[int, list[tuple[int, int]]] = {}
    filled = []
    for merged in sheet.merged_cells.ranges:
        top = position.get(merged.min_row)
        if top is None or merged.min_col > columns:
            continue
        if merged.max_col > merged.min_col:
            spans.setdefault(top, []).append((merged.min_col - 1, min(merged.max_col, columns) - 1))
        else:
            for row in range(merged.min_row + 1, min(merged.max_row, rows) + 1):
                if row in position:
                    grid[position[row]][merged.min_col - 1] = grid[top][merged.min_col - 1]
                    filled.append(row)
    return _Sheet(sheet.title, kept, grid, formats, spans, tuple(sorted(set(filled))))


def _choose(sheets: dict[str, _Sheet], keys: Collection[str]) -> tuple[str, list[str]]:
    """The first sheet with the wanted names, else the first with numbers below names, else the first with anything."""
    scores: dict[str, int] = {}
    for title, sheet in sheets.items():
        rows = _as_text(sheet)[:HEAD]
        if sum(not blank(row) for row in rows) < 2:
            continue
        layout = find_layout(rows, keys)
        names = {" ".join(cell.split()) for at in layout.header for cell in rows[at]}
        body = rows[layout.header[-1] + 1 :]
        numbers = any(like_a_number(cell) for row in body for cell in row[1:])
        scores[title] = 2 * bool(names & set(keys)) + (numbers and len(body) > 0)
    if not scores:
        written = next((title for title, sheet in sheets.items() if sheet.rows), None)
        if written is None:
            raise DataError("cannot be read as a table: nothing is written in its visible sheets")
        return written, []
    best = max(scores.values())
    chosen = next(title for title, score in scores.items() if score == best)
    return chosen, [title for title, score in scores.items() if title != chosen and score > 0]


def _refuse_uncomputed(sheet: Any, formulas: Any) -> None:
    """Refuse formulas without stored values, as programs other than Excel write them."""
    bare = sorted(
        at
        for at, cell in formulas._cells.items()
        if cell.data_type == "f" and (at not in sheet._cells or sheet._cells[at].value is None)
    )
    if bare:
        from openpyxl.utils import get_column_letter  # type: ignore[import-untyped]

        cells = quoted((f"{get_column_letter(column)}{row}" for row, column in bare), shown=5)
        raise DataError(
            f"the sheet {sheet.title!r} has {counted(len(bare), 'formula')} without a stored value ({cells})",
            action="open the file in Excel and save it, or paste the values over the formulas",
        )


def shown_number(number: float) -> str:
    """A number as text from which the same number is read."""
    if math.isfinite(number) and float(number).is_integer() and abs(number) < 1e15:
        return str(int(number))
    return repr(float(number))


def _text_of(value: Any, number_format: str | None = None) -> str:
    """The value of a cell as text; numbers with a format such as 00000 get the leading zeros that Excel shows."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int | float):
        if number_format and re.fullmatch(r"0{2,}", number_format) and value == int(value) >= 0:
            return str(int(value)).zfill(len(number_format))
        return shown_number(value)
    if isinstance(value, datetime | date):
        if (
            number_format
            and "m" in number_format.lower()
            and "d" not in number_format.lower().replace("[red]", "")
        ):
            return value.strftime("%Y-%m")
        if isinstance(value, datetime):
            return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
        return value.isoformat()
    return str(value)


def _as_text(sheet: _Sheet) -> list[list[str]]:
    """The first rows as text; the text of cells merged across is repeated in each of them."""
    rows = []
    for at, row in enumerate(sheet.rows[: HEAD + 1]):
        texts = [
            _text_of(value, sheet.formats.get((sheet.places[at], column))) for column, value in enumerate(row)
        ]
        for first, last in sheet.spans.get(at, ()):
            texts[first : last + 1] = [texts[first]] * (last + 1 - first)
        rows.append(texts)
    return rows


def _table_of(sheet: _Sheet, keys: Collection[str], readings: list[Reading]) -> RawTable:
    """Names and columns of the chosen sheet."""
    head = _as_text(sheet)[:HEAD]
    layout = find_layout(head, keys, spread=sheet.spans)
    begin = layout.header[-1] + 1
    if layout.cover:
        readings.append(layouts.cover_reading(tuple(sheet.places[at] for at in layout.cover), "sheet row"))
    body, more, notes = _body(sheet, head, layout)
    readings += more
    if not body:
        raise DataError("holds the names of columns and no rows", expected="one row per trust and department")
    width = max(len(row) for row in sheet.rows)
    used = [any(sheet.rows[at][column] is not None for at in body) for column in range(width)]
    filled = layout.header[0] in sheet.spans
    header, named = name_columns(head, layout, used, sheet.places, "sheet row", filled=filled)
    readings += named
    if any(row > sheet.places[begin - 1] for row in sheet.filled):
        rows = tuple(row for row in sheet.filled if row > sheet.places[begin - 1])
        readings.append(
            Reading(
                "merged cells",
                f"Cells that are merged downwards were read as holding the same value in {counted(len(rows), 'row')}.",
                rows=rows,
            )
        )
    columns: dict[str, pd.Series[Any]] = {}
    typed = {}
    index = pd.Index([sheet.places[at] for at in body], name="sheet row")
    for column, name in enumerate(header):
        if not name:
            continue
        values = [sheet.rows[at][column] for at in body]
        formats = [sheet.formats.get((sheet.places[at], column)) for at in body]
        columns[name], said = _column(name, values, formats, index, is_key=name in keys)
        readings += said
        typed[name] = np.array([isinstance(value, int | float) for value in values], dtype=bool)
    texts = [" ".join(filter(None, dict.fromkeys(head[at]))) for at in layout.cover] + notes
    return RawTable(pd.DataFrame(columns, index=index), tuple(readings), said="\n".join(texts), typed=typed)


def _body(
    sheet: _Sheet, head: Sequence[Sequence[str]], layout: Layout
) -> tuple[list[int], list[Reading], list[str]]:
    """Positions of the rows of the table, readings on rows that are left out, and the text of the footers."""
    begin = layout.header[-1] + 1
    positions = range(begin, len(sheet.rows))
    empty = [at for at in positions if all(value is None for value in sheet.rows[at])]
    names = [head[at] for at in layout.header]
    repeated = [
        at
        for at in positions
        if any(isinstance(value, str) for value in sheet.rows[at])
        and [*map(_text_of, sheet.rows[at])] in names
    ]
    tail = list(range(max(begin, len(sheet.rows) - TAIL), len(sheet.rows)))
    rows = [[*map(_text_of, sheet.rows[at])] for at in tail]
    firsts = [str(sheet.rows[at][0]).strip() for at in positions]
    labels = (
        {label for label in set(firsts) if firsts.count(label) > 1}
        if len(firsts) < 5000
        else set(firsts[:-TAIL])
    )
    width = sum(bool(cell.strip()) for cell in names[-1])
    footers = [tail[at] for at in find_footers(rows, width, labels)]
    gone = {*empty, *repeated, *footers}
    body = [at for at in positions if at not in gone]
    readings = []
    for code, dropped in (("empty rows", empty), ("repeated header", repeated)):
        inside = tuple(sheet.places[at] for at in dropped if body and at < body[-1])
        if inside:
            readings.append(layouts.dropped_reading(code, inside, "sheet row"))
    if footers:
        readings.append(layouts.footer_reading(tuple(sheet.places[at] for at in footers), "sheet row"))
    return body, readings, [" ".join(filter(None, map(_text_of, sheet.rows[at]))) for at in footers]


def _column(
    name: str, values: Sequence[Any], formats: Sequence[str | None], index: pd.Index, *, is_key: bool
) -> tuple[pd.Series[Any], list[Reading]]:
    """One column: dates or booleans where it holds nothing else, else text."""
    present = [value for value in values if value is not None]
    if present and not is_key and all(isinstance(value, datetime | date) for value in present):
        return pd.Series(pd.to_datetime(pd.Series(values)).to_numpy(), index=index), []
    readings = []
    texts = [
        np.nan
        if value is None or not str(value).strip()
        else _text_of(value, shown if is_key or not _number(value) else None)
        for value, shown in zip(values, formats, strict=True)
    ]
    percents = [at for at, shown in enumerate(formats) if shown and "%" in shown and _number(values[at])]
    if percents and not is_key:
        readings.append(
            Reading(
                "percent",
                f"Column {name!r} is shown in percent and was read as it is stored: 12% is 0.12.",
                name,
            )
        )
    zeros = [shown for shown in formats if shown and re.fullmatch(r"0{2,}", shown)]
    if zeros and is_key:
        readings.append(
            Reading(
                "identifiers",
                f"Column {name!r} holds numbers that are shown with leading zeros, and was read as shown.",
                name,
            )
        )
    return pd.Series(
        texts, index=index, dtype=object if not any(isinstance(text, str) for text in texts) else None
    ), readings


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool | timedelta)
