"""What publishers put around a table: cover rows above its header, blank rows, footers and blank columns.

Only what cannot be data is set aside, and all of it is noted. Above the header stands what lies above the first row
that has every heading of the layout. Below the table stand lines that fill one cell only, where they begin as such
lines do ("Source:", "Copyright …") or stand in the first column, of several words, below a blank row. Anything else is
a row of the table, and refused there if it makes none.
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

# A header is looked for, and footers are, within so many rows of the ends of a file.
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
        The one of the known layouts whose headings it has.
    header : list of str (C,)
    rows : list of (line, values)
        Rows that hold anything, each with C values or with as many as make it uneven.
    """

    layout: Layout
    header: list[str]
    rows: list[Numbered]


def find_table(rows: Sequence[Numbered], layouts: Sequence[Layout], notes: list[str]) -> Table:
    """Set aside what stands around the table, and note it.

    Parameters
    ----------
    rows : sequence of (line, values)
        All rows of the file, blank ones too.
    layouts : sequence of Layout
        Where none has all its headings in one row, the first row that holds anything is taken for the header, and
        whoever locates the columns says which of them are missing.
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
    """Find the table in the text of a file that is too large to be split into values here.

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
    A value must not go on over several lines in such a file.
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
    """Find the row of headings, and note what stands above it.

    Raises
    ------
    DataError
        Where a heading stands above the row that has the others, and not in it: the header is broken.
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
    """Where no row has all headings, the row that has most of them, so that the message is about what is missing."""
    filled = [number for number, (_, values) in enumerate(rows[:_MOST_AROUND]) if is_filled(values)]
    likeness = {
        (number, choice): len(layout.headings_in(rows[number][1]))
        for number in filled
        for choice, layout in enumerate(layouts)
    }
    number, choice = max(likeness, key=lambda which: (likeness[which], -which[0], -which[1]))
    return layouts[choice], number


def find_footer(rows: Sequence[Numbered], width: int) -> int:
    """Say at which of the rows below a header the lines below the table begin; after the last where there are none.

    Parameters
    ----------
    rows : sequence of (line, values)
    width : int
        How many headings there are. With one alone nothing tells a remark from a value.
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
    """Say whether a row holds anything."""
    return any(value.strip() for value in values)


def values_of(line: str) -> list[str]:
    """Split one line; one that is no CSV is one value."""
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error:
        return [line]


def _remark(values: Sequence[str], width: int) -> str:
    """Return the text of a row that may be a remark: its only one, or one that commas cut; blank where it is none."""
    filled = [value.strip() for value in values if value.strip()]
    if len(filled) == 1 or (len(values) != width and _REMARK.match(values[0].strip())):
        return filled[0]
    return ""


def _without_blank_columns(
    header: list[str], rows: list[Numbered], notes: list[str]
) -> tuple[list[str], list[Numbered]]:
    """Take away columns at the right that have neither a heading nor, in any row, a value."""
    named = max((at + 1 for at, name in enumerate(header) if name.strip()), default=0)
    longest = {len(values) for _, values in rows}
    if len(longest) != 1 or (longest == {len(header)} and named == len(header)):
        return header, rows
    if min(longest) < named or any(is_filled(values[named:]) for _, values in rows):
        return header, rows
    notes.append("Columns at the right without a heading and without values were left out.")
    return header[:named], [(line, values[:named]) for line, values in rows]
