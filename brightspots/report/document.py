"""`Document`: the content of a board pack in any format: sections of paragraphs, figures and tables.

A document holds words and plain numbers only. Writers (such as `html.py`) decide how a block looks; there is no markup
here, so text from data stays text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal, NamedTuple

from brightspots.common.files import legible
from brightspots.figures.marks import Kind as Kind
from brightspots.report.manifest import Manifest
from brightspots.report.words import Estimate

# Which part of a document a section is, by which writers choose, and to which pages link.
SectionKind = Literal[
    "variation", "funnel", "mosaic", "spots", "departments", "rating", "cannot-tell", "learning", "method",
    "provenance",
]  # fmt: skip
# A paragraph is the message of its section, begins with it, or says something else.
Role = Literal["message", "opening", "other"]


@dataclass(frozen=True)
class Paragraph:
    """One paragraph.

    `strong` marks it as important. `role` says whether it repeats the message of its section, for formats that show the
    message separately.
    """

    text: str
    strong: bool = False
    role: Role = "other"


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Terms:
    """Terms with what they mean."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading, whether it holds numbers, and whether intervals are drawn in it."""

    heading: str
    numeric: bool = False
    drawn: bool = False


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Parameters
    ----------
    text : str
    sort : float, optional
        The number by which the cell is sorted, where that is not its text.
    kind : Kind, optional
        A mark shown before the text.
    interval : Estimate, optional
        Drawn instead of text, on the table's common scale.
    """

    text: str
    sort: float | None = None
    kind: Kind | None = None
    interval: Estimate | None = None


@dataclass(frozen=True)
class Table:
    """A table. The first column names the row.

    Parameters
    ----------
    name : str
        Identifier, unique in the document.
    caption : str
    columns : tuple of Column
    rows : tuple of tuple of Cell
    margin : float, optional
        Ratio, or difference, that is shaded behind drawn intervals.
    span : float, optional
        Half the width of the scale on which differences are drawn; none where intervals are of ratios.
    filters : tuple of str
        Words offered as a filter (statuses); empty for no filter.
    filtered_by : int
        Position of the column that holds these words.
    print_all : bool
        Whether print shows every row of a long table.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    margin: float = 1.0
    span: float | None = None
    filters: tuple[str, ...] = ()
    filtered_by: int = 0
    print_all: bool = False


@dataclass(frozen=True)
class Bar:
    """A share of something with its interval."""

    label: str
    share: Estimate


@dataclass(frozen=True)
class Bars:
    """A figure of shares."""

    name: str
    caption: str
    alternative: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Point:
    """A unit in a funnel: its position, name and details.

    Where its count is suppressed it is drawn as an upright bar from `low` to `high`, with `y` the middle.
    """

    x: float
    y: float
    label: str
    detail: str
    kind: Kind
    named: bool = False
    low: float | None = None
    high: float | None = None

    @property
    def is_bar(self) -> bool:
        """Whether the unit has a suppressed count."""
        return self.low is not None and self.high is not None


@dataclass(frozen=True)
class Limit:
    """A pair of limits of a funnel along its sizes."""

    level: float
    x: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]


@dataclass(frozen=True)
class Funnel:
    """One panel: points, limits, and the line they are drawn about.

    `message` says in a sentence what it shows, `centre_text` is the number of the line.
    """

    heading: str
    points: tuple[Point, ...]
    limits: tuple[Limit, ...]
    centre: float
    centre_label: str
    x_label: str
    y_label: str
    message: str = ""
    centre_text: str = ""


@dataclass(frozen=True)
class Funnels:
    """A figure of one or more panels that share their vertical axis: of ratios from 0, or of differences about 0."""

    name: str
    caption: str
    alternative: str
    panels: tuple[Funnel, ...]
    legend: tuple[tuple[Kind, str], ...]
    of_ratios: bool = True


@dataclass(frozen=True)
class Mosaic:
    """The grid of trusts and departments.

    Parameters
    ----------
    name, caption : str
    rows, columns : tuple of str
        Trusts and departments.
    kinds : tuple of tuple of Kind
        One row a trust.
    details : mapping of (row, column) to str
        Text for each flagged department.
    legend : tuple of (Kind, str)
    """

    name: str
    caption: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    kinds: tuple[tuple[Kind, ...], ...]
    details: dict[tuple[int, int], str]
    legend: tuple[tuple[Kind, str], ...]


Block = Paragraph | Bullets | Terms | Table | Bars | Funnels | Mosaic


@dataclass(frozen=True)
class Section:
    """A part of the document with a heading; `message` is its conclusion, in a sentence or two."""

    kind: SectionKind
    heading: str
    blocks: tuple[Block, ...]
    message: str = ""


@dataclass(frozen=True)
class Document:
    """A board pack.

    Parameters
    ----------
    title, subtitle : str
    warning : str or None
        What must be read before anything else.
    headlines : tuple of str
        The main results, a sentence each.
    sections : tuple of Section
    manifest : Manifest
    message : str
        The conclusion, in one sentence.
    beside : tuple of str
        The headlines other than the message.
    """

    title: str
    subtitle: str
    warning: str | None
    headlines: tuple[str, ...]
    sections: tuple[Section, ...]
    manifest: Manifest
    message: str = ""
    beside: tuple[str, ...] = ()


def abridge(table: Table, most: int) -> tuple[int, ...]:
    """Positions of the rows of a table to print: at most `most`, in their order, with equal numbers for each filter.

    So a list that begins with hundreds of dark spots still shows bright ones.
    """
    if len(table.rows) <= most:
        return tuple(range(len(table.rows)))
    groups: list[list[int]] = [[] for _ in table.filters] or [[]]
    for position, row in enumerate(table.rows):
        status = row[table.filtered_by].text
        groups[table.filters.index(status) if status in table.filters else 0].append(position)
    room, kept = most, []
    for left, group in zip(range(len(groups), 0, -1), sorted(groups, key=len), strict=True):
        kept += group[: room // left]
        room -= min(len(group), room // left)
    return tuple(sorted(kept))


def legible_document(content: Document) -> Document:
    """The document with `common.files.legible` applied to every text."""
    cleaned = _legible(content)
    assert isinstance(cleaned, Document)
    return cleaned


class ManifestRow(NamedTuple):
    """A line of a manifest; a digest is longer than any word, and may be broken anywhere."""

    name: str
    text: str
    is_digest: bool = False


def manifest_rows(manifest: Manifest) -> tuple[ManifestRow, ...]:
    """What the manifest says, line by line, for people."""
    rows = [ManifestRow("Made", manifest.created)]
    if manifest.seed is not None:
        rows.append(ManifestRow("Seed", str(manifest.seed)))
    if manifest.method:
        rows.append(ManifestRow("Method", manifest.method))
    if manifest.input is not None:
        read = manifest.input
        said = f"{read.name}, {read.rows:,} rows, SHA-256 {read.sha256}"
        rows.append(ManifestRow("Input", said, is_digest=True))
    if manifest.data_sha256:
        rows.append(ManifestRow("Data as fitted, SHA-256", manifest.data_sha256, is_digest=True))
    rows += [ManifestRow(*each) for each in manifest.versions.items()]
    return tuple(rows)


def manifest_table(manifest: Manifest, what: str) -> Table:
    """The manifest as the last table of a file; `what` names the file."""
    rows = tuple((Cell(row.name), Cell(row.text)) for row in manifest_rows(manifest))
    caption = f"What it takes to make {what} again"
    return Table("manifest", caption, (Column("What"), Column("Value")), rows, print_all=True)


def in_document(content: Document, kind: type[Any]) -> Sequence[Any]:
    """All blocks of a kind, in their order."""
    return [block for section in content.sections for block in section.blocks if isinstance(block, kind)]


def _legible(value: Any) -> Any:
    """A value with its texts made legible; the very same object where nothing had to change."""
    if isinstance(value, str):
        return legible(value)
    if isinstance(value, Estimate | Limit):
        return value
    if isinstance(value, tuple):
        parts = [_legible(part) for part in value]
        changed = any(new is not old for new, old in zip(parts, value, strict=True))
        return tuple(parts) if changed else value
    if isinstance(value, dict):
        return {_legible(key): _legible(part) for key, part in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        found = {item.name: getattr(value, item.name) for item in fields(value)}
        changes = {name: new for name, old in found.items() if (new := _legible(old)) is not old}
        return replace(value, **changes) if changes else value
    return value
