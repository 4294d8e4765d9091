"""Find the table in a published file: leave out cover rows, blank rows, footers and blank columns around it.

Only what cannot be data is left out, and all of it is noted. The header is the first row that has every heading of the
layout; rows above it are cover rows. Footers are rows at the end that fill one cell only, and either begin as such
lines do ("Source:", "Copyright …") or have several words in the first column below a blank row. Any other row belongs
to the table, and is refused later if it has the wrong number of values.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from brightspots.common.errors import DataError
from brightspots.readers.layout import Layout
from brightspots.readers.opening import counted_lines

# A row of a file with the line it ends on.
Numbered = tuple[int, list[str]]

# How many rows at the beginning are searched for a header, and at the end for footers.
_MOST_AROUND: Final = 40

_REMARK: Final = re.compile(
    r"[\W_]*(?:source|sources|notes?|footnotes?|copyright|\(c\)|key|disclaimer|caveats?|published|publication|"
    r"last (?:updated|revised|refreshed)|updated|released|licen[cs]ed?|contains|data (?:source|from|extracted|as at)|"
    r"this (?:file|table|data|publication|work)|for (?:more|further) information|contact|https?:|www\.|crown copyright|"
    r"end of (?:file|table|report))\b|[*†‡©]+\s*\w",
    re.IGNORECASE,
)


@dataclass(frozen=True, eq=False)
class Table:
    """The table within a published file.

    Parameters
    ----------
    layout : Layout
        The layout, of those that are known, whose headings it has.
    header : list of str (C,)
    rows : list of (line, values)
        Rows that are not blank; not all need have C values, which is checked later.
    """

    layout: Layout
    header: list[str]
    rows: list[Numbered]


def find_table(rows: Sequence[Numbered], layouts: Sequence[Layout], notes: list[str]) -> Table:
    """Find the table, and note what is left out around it.

    Parameters
    ----------
    rows : sequence of (line, values)
        All rows of the file, blank ones too.
    layouts : sequence of Layout
        The layouts that are known. Where no row has all headings of one, the row that has most is taken for the header,
        and `Layout.locate` then raises an error that names the missing columns.
    """
    filled = [number for number, (_, values) in enumerate(rows) if is_filled(values)]
    if not filled:
        raise DataError("the file is empty", expected=layouts[0].file)
    layout, at = find_header(rows, layouts, notes)
    header = rows[at][1]
    below = rows[at + 1 :]
    end = find_footer(below, len(header))
    note_footer(below[end:], notes)
    blank = [line for line, values in below[:end] if not is_filled(values)]
    table = [(line, values) for line, values in below[:end] if is_filled(values)]
    inside = [line for line in blank if table and line < table[-1][0]]
    if inside:
        notes.append(f"{counted_lines(inside)} blank inside the table, and passed over.")
    repeated = [line for line, values in table if values == header]
    if repeated:
        notes.append(f"{counted_lines(repeated)} the header once more, and passed over.")
        table = [(line, values) for line, values in table if values != header]
    header, table = _without_blank_columns(header, table, notes)
    return Table(layout, header, table)


def cut_out(text: str, layouts: Sequence[Layout], notes: list[str]) -> tuple[Layout, list[str], int, str]:
    """As `find_table`, for a file too large to be split into values in Python; only its ends are.

    Returns
    -------
    layout : Layout
    header : list of str
    first_line : int
        The line of the file on which the table's rows begin.
    body : str
        The rows, without the lines above and below.

    Notes
    -----
    No value of such a file may extend over several lines.
    """
    lines = text.split("\n", _MOST_AROUND)
    del lines[_MOST_AROUND:]
    head = [(number, values_of(line)) for number, line in enumerate(lines, start=1)]
    if not any(is_filled(values) for _, values in head):
        raise DataError("the file is empty", expected=layouts[0].file)
    layout, at = find_header(head, layouts, notes)
    header, first_line = head[at][1], at + 2
    body = text[sum(len(line) + 1 for line in lines[: at + 1]) :]
    tail_lines = body.rsplit("\n", _MOST_AROUND)
    if len(tail_lines) > _MOST_AROUND:
        del tail_lines[0]
    last_line = first_line + body.count("\n")
    tail = [
        (number, values_of(line))
        for number, line in enumerate(tail_lines, start=last_line + 1 - len(tail_lines))
    ]
    end = find_footer(tail, len(header))
    note_footer(tail[end:], notes)
    while end and not is_filled(tail[end - 1][1]):
        end -= 1
    if end < len(tail):
        body = body[: len(body) - sum(len(line) + 1 for line in tail_lines[end:]) + 1]
    return layout, header, first_line, body


def find_header(rows: Sequence[Numbered], layouts: Sequence[Layout], notes: list[str]) -> tuple[Layout, int]:
    """Find the row of headings, and note the rows above it.

    Raises
    ------
    DataError
        Where one of the headings is in a row above the others: the header is broken.
    """
    complete = [
        (number, layout)
        for number, (_, values) in enumerate(rows[:_MOST_AROUND])
        for layout in layouts
        if layout.is_header(values)
    ]
    if not complete:
        return _most_like_a_header(rows, layouts)
    at, layout = complete[0]
    above = [(line, values) for line, values in rows[:at] if is_filled(values)]
    found = layout.headings_in(rows[at][1])
    headings = [line for line, values in above if layout.headings_in(values) - found]
    if headings:
        raise DataError(
            f"a heading of the table stands above its header, which is on line {rows[at][0]}",
            rows=[f"line {line}" for line in headings],
            expected=f"the headings of {layout.file} on one line",
            action="the file may be damaged; fetch it again",
        )
    if above:
        notes.append(
            f"{counted_lines([line for line, _ in above])} above the header of the table, and left out."
        )
    return layout, at


def _most_like_a_header(rows: Sequence[Numbered], layouts: Sequence[Layout]) -> tuple[Layout, int]:
    """The layout and row with most of its headings, so that the error about missing ones is about the right row."""
    filled = [number for number, (_, values) in enumerate(rows[:_MOST_AROUND]) if is_filled(values)]
    likeness = {
        (number, choice): len(layout.headings_in(rows[number][1]))
        for number in filled
        for choice, layout in enumerate(layouts)
    }
    number, choice = max(likeness, key=lambda which: (likeness[which], -which[0], -which[1]))
    return layouts[choice], number


def find_footer(rows: Sequence[Numbered], width: int) -> int:
    """Position of the first footer among the rows below a header; ``len(rows)`` where there is none.

    Parameters
    ----------
    rows : sequence of (line, values)
    width : int
        Number of headings. In a table of one column no row is taken for a footer.
    """
    start = len(rows)
    if width == 1:
        return start
    for number in range(len(rows) - 1, max(len(rows) - 1 - _MOST_AROUND, -1), -1):
        values = rows[number][1]
        if not is_filled(values):
            continue
        remark = _remark(values, width)
        if not remark:
            break
        apart = number > 0 and not is_filled(rows[number - 1][1]) and " " in values[0].strip()
        if apart or _REMARK.match(remark):
            start = number
    return start


def note_footer(rows: Sequence[Numbered], notes: list[str]) -> None:
    """Note the lines below the table."""
    lines = [line for line, values in rows if is_filled(values)]
    if lines:
        notes.append(f"{counted_lines(lines)} below the table (source, copyright or notes), and left out.")


def is_filled(values: Sequence[str]) -> bool:
    """Whether any value of a row is not blank."""
    return any(value.strip() for value in values)


def values_of(line: str) -> list[str]:
    """Split one line of CSV; a line that cannot be split is one value."""
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error:
        return [line]


def _remark(values: Sequence[str], width: int) -> str:
    """Text of a row that may be a footer: of its only filled cell, or its start where commas split it; else empty."""
    filled = [value.strip() for value in values if value.strip()]
    if len(filled) == 1 or (len(values) != width and _REMARK.match(values[0].strip())):
        return filled[0]
    return ""


def _without_blank_columns(
    header: list[str], rows: list[Numbered], notes: list[str]
) -> tuple[list[str], list[Numbered]]:
    """Leave out columns at the right that have neither a heading nor a value in any row."""
    named = max((at + 1 for at, name in enumerate(header) if name.strip()), default=0)
    longest = {len(values) for _, values in rows}
    if len(longest) != 1 or (longest == {len(header)} and named == len(header)):
        return header, rows
    if min(longest) < named or any(is_filled(values[named:]) for _, values in rows):
        return header, rows
    notes.append("Columns at the right without a heading and without values were left out.")
    return header[:named], [(line, values[:named]) for line, values in rows]
