"""Helpers for Word and PowerPoint: widths of columns, properties, and files that do not depend on the clock."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from brightspots.figures.marks import MARKS
from brightspots.report.document import Kind, Table
from brightspots.report.manifest import Manifest

# Signs before a status, in place of the marks of the HTML pack, and their colours.
SIGNS: Final[dict[Kind, tuple[str, str]]] = {
    kind: (mark.sign, mark.sign_colour.removeprefix("#").upper()) for kind, mark in MARKS.items() if mark.sign
}
CUSTOM_PROPERTIES: Final = "/docProps/custom.xml"
CUSTOM_TYPE: Final = "application/vnd.openxmlformats-officedocument.custom-properties+xml"
CUSTOM_RELATION: Final = (
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships/custom-properties"
)
# Parts of the libraries' templates that describe the template and not the document; they are removed.
STRAY_RELATIONS: Final = ("thumbnail", "extended-properties")
# Characters of a custom property that office programs show.
_LONGEST_PROPERTY: Final = 255
# Widths of narrow, usual and wide characters over the size of their font, and the factor for bold text.
_NARROW, _USUAL, _WIDE, _BOLD = 0.3, 0.56, 0.7, 1.08
_NARROW_SIGNS: Final = frozenset(" .,;:'!|()[]ijltfI-")
_WIDE_SIGNS: Final = frozenset("mwMW@%…")
_PADDING, _LONGEST_WORD, _LONGEST_LINE = 1.5, 10.0, 24.0


def shown_columns(table: Table) -> tuple[int, ...]:
    """Positions of the columns that are written as text: all but drawn intervals, whose numbers have own columns."""
    return tuple(place for place, column in enumerate(table.columns) if not column.drawn)


def column_shares(
    table: Table, rows: Sequence[int], columns: Sequence[int], width: float, size: float
) -> tuple[float, ...]:
    """Share of the width of each column: wide enough for its longest word, then, if there is room, for its text.

    Parameters
    ----------
    table : Table
    rows, columns : sequence of int
        Those that are written.
    width : float
        Of the whole table, in inches.
    size : float
        Of the text, in points.
    """
    room = width * 72.0 / size
    least, ideal = [], []
    for place in columns:
        bold = _BOLD if place == 0 else 1.0
        cells = [table.rows[row][place] for row in rows]
        sign = 1.3 if any(cell.kind in SIGNS for cell in cells) else 0.0
        widths = sorted(measure(cell.text) for cell in cells) or [0.0]
        heading = _BOLD * max((measure(word) for word in table.columns[place].heading.split()), default=0.0)
        word = max((measure(part) for cell in cells for part in cell.text.split()), default=0.0)
        usual = widths[min(len(widths) - 1, int(0.9 * len(widths)))]
        narrow = widths[-1] if table.columns[place].numeric else word
        least.append(_PADDING + max(heading, sign + bold * min(narrow, _LONGEST_WORD)))
        ideal.append(max(least[-1], _PADDING + sign + bold * min(usual, _LONGEST_LINE)))
    total, wanted = sum(least), sum(ideal)
    part = 0.0 if total >= room else 1.0 if wanted <= room else (room - total) / (wanted - total)
    taken = [low + part * (high - low) for low, high in zip(least, ideal, strict=True)]
    return tuple(each / sum(taken) for each in taken)


def measure(text: str) -> float:
    """Width of a text over the size of its font, about as Arial sets it."""
    return sum(
        _NARROW
        if each in _NARROW_SIGNS
        else 0.83
        if each in _WIDE_SIGNS
        else _WIDE
        if each.isupper()
        else _USUAL
        for each in text
    )


def custom_properties(manifest: Manifest) -> bytes:
    """The manifest as custom properties of an office document, one for each entry, such as `brightspots.seed`.

    Values longer than 255 characters are cut; the provenance at the end of the document has them whole.
    """
    parts = []
    for number, (name, value) in enumerate(_flat("brightspots", manifest.as_dict()), start=2):
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        parts.append(
            f'<property fmtid="{{D5CDD505-2E9C-101B-9397-08002B2CF9AE}}" pid="{number}" name={quoteattr(name)}>'
            f"<vt:lpwstr>{escape(text[:_LONGEST_PROPERTY])}</vt:lpwstr></property>"
        )
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        '<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/custom-properties" '
        'xmlns:vt="http://schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes">'
        f"{''.join(parts)}</Properties>"
    ).encode()


def describe_file(properties: Any, title: str, created: str, language: str) -> None:
    """Set the core properties: title, date and language; the author stays empty."""
    properties.title = title[:_LONGEST_PROPERTY]
    properties.language = language
    properties.subject = "Bright and dark spots inside hospitals"
    properties.created = properties.modified = datetime.fromisoformat(created)
    properties.revision = 1
    for name in ("author", "last_modified_by", "comments", "keywords", "category"):
        setattr(properties, name, "")


def same_bytes(package: bytes, created: str) -> bytes:
    """Rewrite a zip file with the date `created` on every entry, so that the same content gives the same bytes."""
    moment = datetime.fromisoformat(created)
    date = (max(moment.year, 1980), moment.month, moment.day, moment.hour, moment.minute, moment.second)
    held = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package)) as read, zipfile.ZipFile(held, "w") as write:
        for entry in read.infolist():
            fresh = zipfile.ZipInfo(entry.filename, date)
            fresh.external_attr = 0o644 << 16
            fresh.create_system = 3
            write.writestr(fresh, read.read(entry), zipfile.ZIP_DEFLATED)
    return held.getvalue()


def _flat(name: str, value: Any) -> list[tuple[str, Any]]:
    """Leaves of nested mappings, with dotted names; what is missing is left out."""
    if isinstance(value, Mapping):
        return [leaf for key, part in value.items() for leaf in _flat(f"{name}.{key}", part)]
    return [] if value is None else [(name, value)]
