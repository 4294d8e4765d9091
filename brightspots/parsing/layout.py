"""Find the table in a sheet or text file: cover rows, one or two rows of names, footers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from brightspots.common import vocabulary as names
from brightspots.common.errors import DataError
from brightspots.common.wording import counted, quoted
from brightspots.parsing.readings import Place, Reading, places

Row = Sequence[str]

# How many rows at the beginning are searched for the header, and how many at the end for footers.
HEAD, TAIL = 300, 60

# Common names of columns; a row with two of them is the header.
_STANDARD: Final = frozenset(
    {
        names.TRUST,
        names.DEPARTMENT,
        names.PERIOD,
        names.OBSERVED,
        names.EXPECTED,
        names.DENOMINATOR,
        names.ESTIMATE,
        names.STANDARD_ERROR,
        names.RATING,
    }
)

_LIKE_A_NUMBER: Final = re.compile(
    r"[-+−(]?\s*[£$€]?\s*[0-9][0-9.,  '’\u2009\u202f]*(?:[eE][-+][0-9]+)?\s*[%£$€)]?|\.[0-9]+|[<≤]\s*[0-9]+|\*"
)

_NOTE: Final = re.compile(
    r"\s*(?:notes?\b|source|copyright|©|\(c\)|[*†‡¹²³]\s*\S|\(?[0-9a-z][.):]\s|extract|produced|generated|printed|created"
    r"|report|run (?:on|at|date)|published|publication|prepared|data\b|date\b|end of|key\b|legend|footnote|disclaimer"
    r"|confidential|crown|this\b|these\b|the\b|for\b|please|contact|see\b|https?:|www\.|rows?\b|records?\b|row count"
    r"|number of (?:rows|records)|page\b|figures|values|counts|numbers|small numbers|suppress|official|\[[a-z]\])",
    flags=re.IGNORECASE,
)


@dataclass(frozen=True)
class Layout:
    """Positions of the rows above the table, and of the one or two rows of names."""

    cover: tuple[int, ...]
    header: tuple[int, ...]


def like_a_number(cell: str) -> bool:
    """Whether a cell could be a number, or a count that is withheld."""
    return _LIKE_A_NUMBER.fullmatch(cell.strip()) is not None


def blank(row: Row) -> bool:
    """Whether all cells of a row are blank."""
    return not any(cell and cell.strip() for cell in row)


def _width(row: Row) -> int:
    """Number of filled cells; one where all hold the same text, as a title over merged cells does."""
    filled = [cell for cell in row if cell.strip()]
    return 1 if len(filled) > 2 and len(set(filled)) == 1 and not like_a_number(filled[0]) else len(filled)


def find_layout(rows: Sequence[Row], keys: Collection[str], spread: Collection[int] = ()) -> Layout:
    """Find the header: the row with wanted or common names, else the first that has as many cells as those below.

    Parameters
    ----------
    rows : sequence of rows of text
        The first `HEAD` rows of the file.
    keys : collection of str
        Names of columns that are wanted.
    spread : collection of int
        Positions of rows in which merged cells have been filled, so that a blank cell there has no name.

    Raises
    ------
    DataError
        Where all rows are blank.
    """
    written = [at for at, row in enumerate(rows) if not blank(row)]
    if not written:
        raise DataError("cannot be read as a table: nothing is written in it")
    at = _named(rows, written, keys)
    if at is None:
        at = _first_full(rows, written)
    header = _header_rows(rows, at, spread)
    return Layout(tuple(above for above in written if above < header[0]), header)


def _named(rows: Sequence[Row], written: Sequence[int], keys: Collection[str]) -> int | None:
    """The first row that has a wanted name, or two of the standard ones, and is not a lone title."""
    for at in written:
        cells = {" ".join(cell.split()) for cell in rows[at]}
        wide = [_width(rows[after]) for after in written if after > at]
        enough = max(2, 0.5 * float(np.median(wide))) if wide else 1
        if (cells & set(keys) or len(cells & _STANDARD) > 1) and _width(rows[at]) >= enough:
            return at
    return None


def _first_full(rows: Sequence[Row], written: Sequence[int]) -> int:
    """The first row with as many cells as most below; or the row above it, where that is one of names with a gap."""
    widths = {at: _width(rows[at]) for at in written}
    for number, at in enumerate(written):
        after = [widths[later] for later in written[number + 1 :]]
        if after and widths[at] < np.quantile(after, 0.75, method="lower"):
            continue
        if widths[at] <= 2 and _is_preamble(written, number):
            continue
        above = at - 1
        if (
            above in widths
            and widths[above] >= max(2, widths[at] - max(1, widths[at] // 4))
            and any(map(like_a_number, rows[at]))
            and not any(map(like_a_number, rows[above]))
        ):
            return above
        return at
    return written[0]


def _is_preamble(written: Sequence[int], number: int) -> bool:
    """Whether a row is in a short block above the longest one, as 'Period: 2024' is."""
    blocks: list[list[int]] = []
    for at in written:
        if blocks and at == blocks[-1][-1] + 1:
            blocks[-1].append(at)
        else:
            blocks.append([at])
    own = next(block for block in blocks if written[number] in block)
    return len(own) <= 4 and len(own) < max(len(block) for block in blocks if block[0] >= own[0])


def _header_rows(rows: Sequence[Row], at: int, spread: Collection[int]) -> tuple[int, ...]:
    """One row of names, or two: groups (months) over measures."""
    if at + 1 < len(rows) and _is_lower(rows[at], rows[at + 1], rows[at + 2 : at + 12]):
        return (at, at + 1)
    above = at - 1
    if above >= 0 and not blank(rows[above]):
        own = [cell for cell in rows[at] if cell.strip()]
        joined = [name for name in join_names(rows[above], rows[at], filled=above in spread) if name]
        if len(set(own)) < len(own) and len(set(joined)) == len(joined):
            return (above, at)
    return (at,)


def _is_lower(top: Row, lower: Row, body: Sequence[Row]) -> bool:
    """Whether `lower` is a second row of names, below a row `top` that has gaps or repeats a name (of a group)."""
    width = max(len(top), len(lower))
    upper, under = _padded(top, width), _padded(lower, width)
    filled = [cell for cell in upper if cell]
    if len(filled) < 2 or _width(lower) < 2 or any(map(like_a_number, filter(None, under))):
        return False
    gaps = any(not up and low for up, low in zip(upper, under, strict=True))
    if not gaps and len(set(filled)) == len(filled):
        return False
    measured = [
        column
        for column in range(width)
        if under[column] and under[column] != upper[column]
        and any(column < len(row) and like_a_number(row[column]) for row in body)
    ]  # fmt: skip
    return bool(measured)


def _padded(row: Row, width: int) -> list[str]:
    return [" ".join(cell.split()) for cell in row] + [""] * (width - len(row))


def join_names(top: Row, lower: Row, *, filled: bool) -> list[str]:
    """Join two rows of names: ``January | deaths``; the name of a group also applies to the blank cells right of it."""
    width = max(len(top), len(lower))
    upper, under = _padded(top, width), _padded(lower, width)
    joined, group = [], ""
    for up, low in zip(upper, under, strict=True):
        group = up or ("" if filled else group)
        if not low:
            joined.append(up)
        else:
            joined.append(low if not group or group == low else f"{group} | {low}")
    return joined


def name_columns(
    rows: Sequence[Row],
    layout: Layout,
    used: Sequence[bool],
    where: Sequence[int],
    place: Place,
    *,
    filled: bool,
) -> tuple[list[str], list[Reading]]:
    """Names of the columns; '' for columns that are not used.

    Parameters
    ----------
    rows, layout
    used : sequence of bool (columns)
        Whether a column has any value below the header.
    where : sequence of int
        Line or sheet row of each of the rows.
    place : {"line", "sheet row"}
    filled : bool
        Whether merged cells of the upper row of names have been filled.

    Raises
    ------
    DataError
        Where two columns have one name.
    """
    readings = []
    lower = rows[layout.header[-1]]
    if len(layout.header) == 2:
        header = join_names(rows[layout.header[0]], lower, filled=filled)
        joined = next((name for name in header if " | " in name), "")
        lines = tuple(where[at] for at in layout.header)
        readings.append(
            Reading(
                "header rows",
                f"The names of the columns stand in two rows ({places(lines, place)})"
                f"{f' and were joined, as in {joined!r}' if joined else ''}.",
                rows=lines,
            )
        )
    else:
        header = _padded(lower, len(lower))
    header = [*header, *[""] * (len(used) - len(header))]
    nameless = [at for at, name in enumerate(header) if not name and at < len(used) and used[at]]
    for at in nameless:
        header[at] = f"column {at + 1}"
    if nameless:
        readings.append(
            Reading(
                "unnamed columns",
                f"{counted(len(nameless), 'column')} with values but no name {'is' if len(nameless) == 1 else 'are'} "
                f"called by place: {quoted(header[at] for at in nameless)}.",
                rows=tuple(where[at] for at in layout.header),
            )
        )
    twice = [name for name, times in Counter(filter(None, header)).items() if times > 1]
    if twice:
        at_places = {
            name: [str(at + 1) for at, one in enumerate(header) if one == name] for name in twice[:5]
        }
        said = "; ".join(
            f"{name!r} is the name of columns {' and '.join(found)}" for name, found in at_places.items()
        )
        raise DataError(
            f"column names appear more than once: {said} ({place} {where[layout.header[-1]]})",
            action="rename or remove all but the one that is meant",
        )
    return header, readings


def find_footers(rows: Sequence[Row], width: int, labels: Collection[str]) -> list[int]:
    """Positions of the notes at the end of the rows; totals and rows that are cut short are not among them.

    Parameters
    ----------
    rows : sequence of rows of text
        The last `TAIL` rows of the file, all below the header.
    width : int
        Columns of the table.
    labels : collection of str
        Texts in the first column of other rows.
    """
    found: list[int] = []
    for at in range(len(rows) - 1, -1, -1):
        if blank(rows[at]):
            continue
        apart = at > 0 and blank(rows[at - 1])
        if not _is_note(rows[at], width, labels, apart=apart):
            break
        found.append(at)
    return found[::-1]


def _is_note(row: Row, width: int, labels: Collection[str], *, apart: bool) -> bool:
    filled = [cell.strip() for cell in row if cell.strip()]
    first = filled[0]
    if width < 2 or not row[0].strip() or first in labels or first.casefold() in names.TOTAL_WORDS:
        return False
    if len(filled) > 1:
        # A note may be a sentence that commas have split, or a word and its value.
        sentence = len(first) > 12 or apart or len(filled) <= max(1, width // 2)
        counts = sum(map(like_a_number, filled[1:]))
        plainly = re.match(r"\s*(?:rows?|records?|row count|number of)\b", first, flags=re.IGNORECASE)
        return bool(_NOTE.match(first)) and sentence and (not counts or (bool(plainly) and len(filled) == 2))
    if _NOTE.match(first):
        return True
    return " " in first and (apart or (width > 2 and len(first) > 24))


def cover_reading(lines: tuple[int, ...], place: Place) -> Reading:
    """The reading on cover rows, above the header."""
    are = "is" if len(lines) == 1 else "are"
    return Reading(
        "cover rows",
        f"{counted(len(lines), 'row')} above the header ({places(lines, place)}) {are} no part of the table.",
        rows=lines,
    )


def footer_reading(lines: tuple[int, ...], place: Place) -> Reading:
    """The reading on notes below the table."""
    are = "is a note and" if len(lines) == 1 else "are notes and"
    return Reading(
        "footer",
        f"{counted(len(lines), 'row')} below the table ({places(lines, place)}) {are} no part of it.",
        rows=lines,
    )


def dropped_reading(code: str, lines: tuple[int, ...], place: Place) -> Reading:
    """The reading on rows inside the table that are blank or repeat the header (by `code`)."""
    what = {"empty rows": "without any value", "repeated header": "that repeat the names of the columns"}[
        code
    ]
    return Reading(
        code, f"{counted(len(lines), 'row')} {what} ({places(lines, place)}) left out.", rows=lines
    )
