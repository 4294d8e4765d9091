"""Read text files: encoding, separator, the place of the table, and its columns as text."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Collection, Sequence
from io import BytesIO
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots.common.errors import DataError
from brightspots.common.wording import counted
from brightspots.parsing import layout as layouts
from brightspots.parsing.layout import HEAD, TAIL, Layout, find_footers, find_layout, name_columns
from brightspots.parsing.numbers import could_be_numbers, is_text, style_evidence, text_column
from brightspots.parsing.readings import RawTable, Reading, Style, places
from brightspots.parsing.records import Records, records_of, split
from brightspots.parsing.values import is_identifier, value_of
from brightspots.readers.opening import decode

_SEPARATORS: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
# Excel's line above the table that states the separator: ``sep=;``.
_SAID: Final = re.compile(rb'"?sep=([,;\t|])"?[,;\t|]*\r?\n', flags=re.IGNORECASE)


def read_text(content: bytes, keys: Collection[str], *, tabs: bool = False) -> RawTable:
    """Read a text file as columns of text, or of numbers where they can be nothing else.

    Parameters
    ----------
    content : bytes
    keys : collection of str
        Columns that hold labels.
    tabs : bool
        Whether the name of the file says that it is separated by tabs.

    Raises
    ------
    DataError
        Where the file is not text, has no table, or cannot be split into values with certainty.
    """
    data, readings = _utf8(content)
    said = _SAID.match(data)
    records = records_of(data, said[1].decode() if said else _separator(data, keys, tabs=tabs))
    if said or records.separator != ("\t" if tabs else ","):
        readings.append(Reading("separator", f"Values are separated by {_SEPARATORS[records.separator]}."))
    first = 1 if said else 0
    head = [records.row(at) for at in range(first, min(first + HEAD, len(records)))]
    layout = find_layout(head, keys)
    body, more, notes = _body(records, head, layout, first)
    if layout.cover:
        readings.append(
            layouts.cover_reading(tuple(int(records.lines[first + at]) for at in layout.cover), "line")
        )
    readings += more
    width = len(head[layout.header[-1]])
    last = max((at for row in layout.header for at, cell in enumerate(head[row]) if cell.strip()), default=0)
    readings += _check_sizes(records, body, last + 1, width)
    texts = [" ".join(filter(None, head[at])) for at in layout.cover] + notes
    names = head[layout.header[-1]]
    style = "point" if records.separator == "," else _style(head[layout.header[-1] + 1 :])
    frame = _parse(records, body, names, keys, style)
    if records.separator != "," and style is not None and _contradicts(frame, style):
        style = None
        frame = _parse(records, body, names, keys, None)
    where = [int(records.lines[first + at]) for at in range(len(head))]
    used = [bool(frame[column].notna().any()) for column in frame]
    header, named = name_columns(head, layout, used, where, "line", filled=False)
    readings += named
    kept = [at for at in range(len(used)) if header[at]]
    if len(kept) < len(used):
        gone = len(used) - len(kept)
        readings.append(
            Reading(
                "empty columns",
                f"{counted(gone, 'column')} without a name and without values left out.",
            )
        )
    frame = frame[kept].set_axis([header[at] for at in kept], axis=1)
    frame.index = pd.Index(records.lines[body], name="line")
    if style == "comma":
        readings += [
            Reading(
                "decimal comma", f"Column {name!r} is written with decimal commas, and was read so.", name
            )
            for name in frame.columns
            if frame[name].dtype.kind == "f" and bool((frame[name] % 1 > 0).any())
        ]
    return RawTable(
        frame,
        tuple(readings),
        style=style,
        dots_may_group=records.separator != ",",
        semicolons=records.separator == ";",
        said="\n".join(texts),
    )


def _utf8(content: bytes) -> tuple[bytes, list[Reading]]:
    """The content in UTF-8 with line feeds, and readings on what was converted."""
    notes: list[str] = []
    try:
        data = decode(content, notes).encode("utf-8")
    except UnicodeDecodeError as damage:
        claimed = damage.encoding.upper().removesuffix("-LE").removesuffix("-BE")
        raise DataError(f"cannot be read: it says that it is {claimed} and is not ({damage})") from damage
    readings = [Reading("encoding", note) for note in notes]
    if not notes and content.removeprefix(codecs.BOM_UTF8) != data:
        readings.append(Reading("encoding", "The file is encoded in UTF-16 or UTF-32."))
    if (at := data.find(b"\0")) >= 0:
        line = 1 + data.count(b"\n", 0, at)
        raise DataError(
            f"cannot be read as a table: line {line} holds a NUL byte",
            action="the file is damaged or no text; fetch it again",
        )
    if b"\r" in data and b"\n" not in data:
        data = data.replace(b"\r", b"\n")  # line ends of old Macintosh programs
    if not data.strip():
        raise DataError("cannot be read as a table: nothing is written in it")
    return data, readings


def _separator(data: bytes, keys: Collection[str], *, tabs: bool) -> str:
    """The separator with which the first and the last lines, names included, have the same number of values."""
    head = data[:200_000].decode("utf-8", errors="ignore").splitlines()[: HEAD + 1]
    lines = [line for line in head if line.strip()]
    best, chosen = (0.0, 0.0, 0.0, 0.0), "\t" if tabs else ","
    for separator in sorted(_SEPARATORS, key=lambda one: one != chosen):
        rows = []
        for line in lines:
            try:
                rows.append(split(line, separator, quoted=True))
            except csv.Error:
                rows.append(split(line, separator, quoted=False))
        sizes = Counter(len(row) for row in rows if len(row) > 1)
        if not sizes:
            continue
        size, times = max(sizes.items(), key=lambda one: (one[1], one[0]))
        named = max(len({cell.strip() for cell in row} & set(keys)) for row in rows)
        titled = any(len(row) == size and not any(map(layouts.like_a_number, row)) for row in rows[:60])
        score = (float(named), float(titled), float(times >= 0.5 * len(rows)), float(size))
        if score > best:
            best, chosen = score, separator
    return chosen


def _body(
    records: Records, head: Sequence[Sequence[str]], layout: Layout, first: int
) -> tuple[npt.NDArray[np.intp], list[Reading], list[str]]:
    """Positions of the records of the table, readings on those that are left out, and the text of the footers."""
    begin = first + layout.header[-1] + 1
    keep = np.ones(len(records), dtype=bool)
    keep[:begin] = False
    lengths = records.ends - records.starts
    small = np.flatnonzero((lengths <= 4 * records.sizes + 2) & keep)
    empty = [at for at in small.tolist() if records.is_blank(at)]
    keep[empty] = False
    names = [records.data[records.starts[first + at] : records.ends[first + at]] for at in layout.header]
    repeated = [
        at
        for name in names
        for at in np.flatnonzero((lengths == len(name)) & keep).tolist()
        if records.data[records.starts[at] : records.ends[at]] == name
    ]
    keep[repeated] = False
    tail = list(range(max(begin, len(records) - TAIL), len(records)))
    rows = [records.row(at) for at in tail]
    above = head[layout.header[-1] + 1 : max(tail[0] - first, 0) if tail else None]
    starts = Counter(row[0].strip() for row in [*above, *rows] if row)
    body_size = len(head[layout.header[-1]])
    # Texts that are in the first column more than once are labels of the table and not notes.
    labels = {label for label, times in starts.items() if times > 1 and label}
    footers = [tail[at] for at in find_footers(rows, body_size, labels)]
    keep[footers] = False
    readings = []
    for code, dropped in (("empty rows", empty), ("repeated header", repeated)):
        # Blank lines at the end are ignored, without a reading.
        last = int(np.flatnonzero(keep)[-1]) if keep.any() else begin
        inside = [at for at in sorted(dropped) if at < last]
        if inside:
            readings.append(layouts.dropped_reading(code, tuple(records.lines[inside].tolist()), "line"))
    if footers:
        readings.append(layouts.footer_reading(tuple(records.lines[footers].tolist()), "line"))
    return np.flatnonzero(keep), readings, [" ".join(filter(None, records.row(at))) for at in footers]


def _check_sizes(records: Records, body: npt.NDArray[np.intp], named: int, width: int) -> list[Reading]:
    """Refuse records with more values than there are columns; a reading on those with fewer.

    Parameters
    ----------
    named, width : int
        Number of columns up to the last that has a name, and of all in the header.
    """
    sizes = records.sizes[body]
    wide = body[sizes > width]
    over = [at for at in wide.tolist() if any(cell.strip() for cell in records.row(at)[width:])]
    if over:
        lines = records.lines[over].tolist()
        raise DataError(
            f"{places(lines, 'line')} {'has' if len(lines) == 1 else 'have'} more values than the {width} columns",
            action=f"put values that hold {_SEPARATORS[records.separator]} into quotation marks, and give every column "
            "a name",
        )
    # Where lines usually end in a separator after the last named column, a line without it lacks a value.
    usual = int(np.bincount(sizes).argmax()) if len(sizes) else named
    lines = tuple(records.lines[body[sizes < max(named, min(width, usual))]].tolist())
    if not lines:
        return []
    return [
        Reading(
            "short rows",
            f"{counted(len(lines), 'row')} ({places(lines, 'line')}) {'has' if len(lines) == 1 else 'have'} fewer "
            "values than there are columns; the rest was read as missing.",
            rows=lines,
        )
    ]


def _style(rows: Sequence[Sequence[str]]) -> Style | None:
    """The decimal mark, where values of the first rows show it and do not contradict each other; else None."""
    numbers = [value for row in rows for cell in row if (value := value_of(cell)).is_number]
    point, comma = (any(value.number(other) is None for value in numbers) for other in ("comma", "point"))
    return None if point == comma else "point" if point else "comma"


def _contradicts(frame: pd.DataFrame, style: Style) -> bool:
    """Whether a column that stayed text holds numbers with the other decimal mark."""
    nowhere = np.empty(0, dtype=np.int64)
    texts = [text_column("", frame[name], nowhere) for name in frame if is_text(frame[name])]
    return any(style_evidence(text) - {style} for text in texts if could_be_numbers(text))


def _parse(
    records: Records,
    body: npt.NDArray[np.intp],
    header: Sequence[str],
    keys: Collection[str],
    style: Style | None,
) -> pd.DataFrame:
    """Parse the body with pandas; columns are numbered.

    Keys and codes are text, and so are all columns where the decimal mark (`style`) is not known.
    """
    if not len(body):
        raise DataError("holds the names of columns and no rows", expected="one row per trust and department")
    width = int(max(records.sizes[body].max(), len(header)))
    wanted = set(keys)
    as_text = {at for at, name in enumerate(header) if " ".join(name.split()) in wanted}
    as_text |= {at for at, name in enumerate(header) if is_identifier(" ".join(name.split()))}
    as_text |= set(range(width)) if style is None else records.columns_of_codes()
    # Consecutive records are copied together; most files are one piece.
    breaks = np.flatnonzero(np.diff(body) != 1)
    firsts, lasts = np.append(body[0], body[breaks + 1]), np.append(body[breaks], body[-1])
    pieces = [records.data[records.starts[a] : records.ends[b]] for a, b in zip(firsts, lasts, strict=True)]
    try:
        frame = pd.read_csv(
            BytesIO(b"\n".join(pieces)),
            sep=records.separator,
            decimal="," if style == "comma" else ".",
            header=None,
            names=list(range(width)),
            dtype={at: str for at in range(width) if at in as_text},
            keep_default_na=False,
            na_values=[""],
            quoting=csv.QUOTE_MINIMAL if records.quoted else csv.QUOTE_NONE,
            skip_blank_lines=False,
            index_col=False,
            low_memory=False,
            encoding="utf-8",
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as damage:
        raise DataError(f"cannot be read as a table: {damage}") from damage
    if len(frame) != len(body):
        raise DataError(
            f"cannot be read as a table: {len(body):,} rows were read as {len(frame):,}",
            action="quotation marks may not match",
        )
    return frame
