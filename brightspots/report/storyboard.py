"""From a document to slides: one message each, with a picture, sentences, or as many rows of a table as fit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from brightspots.common.shortening import shorten
from brightspots.report import cautions, office, pictures
from brightspots.report.document import (
    Bars,
    Block,
    Bullets,
    Cell,
    Column,
    Document,
    Funnels,
    Mosaic,
    Paragraph,
    Section,
    Table,
    Terms,
    abridge,
    manifest_table,
)
from brightspots.report.pictures import Picture

# Most rows of one table over all its slides; the other formats have the rest.
MOST_ROWS: Final = 20
MOST_WHOLE_ROWS: Final = 32
# Inches that a message's figure, table or sentences have to themselves.
ROOM_WIDE: Final = 12.333
ROOM_HIGH: Final = 5.3
SENTENCE_SIZE: Final = 17.0
# Longer text in a cell of a slide is cut; only names from data and the words' meanings can be longer.
LONGEST_CELL: Final = 240
# Height of a line over the size of its font; of the words under a figure or table, in inches.
_LINE_HEIGHT, _NOTE_HEIGHT = 1.2, 0.6


@dataclass(frozen=True)
class Slide:
    """One message with a picture, some rows of a table, or sentences."""

    message: str
    notes: tuple[str, ...]
    picture: Picture | None = None
    alternative: str = ""
    table: Table | None = None
    sentences: tuple[str, ...] = ()
    below: str = ""


def slides(content: Document) -> Iterator[Slide]:
    """The slides after the first, in the order of the sections."""
    caveats = (cautions.what_a_flag_is(), cautions.closing())
    yield Slide(content.message, caveats, sentences=content.beside)
    for section in content.sections:
        if section.kind == "provenance":
            yield from _table_slides(section.message, manifest_table(content.manifest, "these slides"), ())
        else:
            yield from _section_slides(section, caveats)


def _section_slides(section: Section, caveats: tuple[str, ...]) -> Iterator[Slide]:
    """A slide for each figure and table of a section; where it has none, one for its sentences."""
    notes = (*_in_words(section.blocks), *caveats)
    paragraphs = [block for block in section.blocks if isinstance(block, Paragraph)]
    shown = [block for block in section.blocks if isinstance(block, Bars | Funnels | Mosaic | Table | Terms)]
    bullets = [item for block in section.blocks if isinstance(block, Bullets) for item in block.items]
    if not shown or (bullets and section.kind != "method"):
        # The message itself is the title of the slide.
        kept = bullets or [each.text for each in paragraphs if each.role != "message"]
        yield from _sentence_slides(section.message, kept, notes)
    for block in shown:
        match block:
            case Bars():
                drawn = pictures.bars(block, (11.0, 0.9 + 0.75 * len(block.bars)), 15.0)
                below = " ".join(each.text for each in paragraphs if each.role == "other")
                yield Slide(section.message, (block.caption, *notes), drawn, block.alternative, below=below)
            case Funnels():
                yield from _funnel_slides(block, notes)
            case Mosaic():
                yield _mosaic_slide(section.message, block, notes)
            case Table():
                yield from _table_slides(section.message, block, notes)
            case Terms():
                rows = tuple((Cell(term), Cell(meaning)) for term, meaning in block.items)
                table = Table("terms", "What the words mean", (Column("Word"), Column("What it means")), rows)
                yield from _table_slides(section.message, table, notes, whole=True)


def _funnel_slides(block: Funnels, notes: tuple[str, ...]) -> Iterator[Slide]:
    for panel in block.panels:
        drawn = pictures.funnels(block, [panel], (ROOM_WIDE, 4.9), 13.0)
        alternative = f"Funnel plot. {panel.heading}: {panel.message} {len(panel.points):,} points."
        yield Slide(panel.message, (block.caption, *notes), drawn, alternative, below=f"{panel.heading}.")


def _mosaic_slide(message: str, block: Mosaic, notes: tuple[str, ...]) -> Slide:
    """The grid with trusts as columns: a slide is wide, and there are usually more trusts than department types."""
    rows = range(len(block.rows))
    name_rows = len(rows) <= pictures.MOST_NAMED_COLUMNS
    turned = pictures.turned(block)
    named = len(block.columns) <= 40
    drawn = pictures.mosaic(turned, range(len(turned.rows)), (ROOM_WIDE, 4.9), 10.0, name_rows=named)
    below = cautions.grid_on_a_slide(len(rows), len(block.columns), named=named, name_rows=name_rows)
    alternative = f"Grid of {len(rows):,} trusts by {len(block.columns):,} department types. {message}"
    return Slide(message, (block.caption, *notes), drawn, alternative, below=below)


def _table_slides(
    message: str, table: Table, notes: tuple[str, ...], *, whole: bool = False
) -> Iterator[Slide]:
    """A table over as many slides as needed; beyond `MOST_ROWS` rows some are left out, and a note says so."""
    kept = abridge(table, MOST_WHOLE_ROWS if whole or table.print_all else MOST_ROWS)
    if not kept:
        return
    left_out = ""
    if len(kept) < len(table.rows):
        left_out = cautions.abridged(len(kept), len(table.rows), table.filters)
    pages = list(_pages(table, kept))
    for number, page in enumerate(pages, start=1):
        part = replace(table, rows=tuple(table.rows[row] for row in page))
        counter = f"{table.caption} ({number} of {len(pages)})." if len(pages) > 1 else f"{table.caption}."
        below = f"{counter} {left_out}".strip()
        yield Slide(message, notes, table=part, below=below)


def _sentence_slides(message: str, kept: Sequence[str], notes: tuple[str, ...]) -> Iterator[Slide]:
    """Sentences, as many on each slide as there is room for."""
    heights = [
        _lines(line, SENTENCE_SIZE, ROOM_WIDE - 0.4) * SENTENCE_SIZE * _LINE_HEIGHT / 72 + 0.12
        for line in kept
    ]
    for page in _spread(heights, ROOM_HIGH):
        yield Slide(message, notes, sentences=tuple(kept[line] for line in page))


def _in_words(blocks: Sequence[Block]) -> Iterator[str]:
    for block in blocks:
        if isinstance(block, Paragraph):
            yield block.text
        elif isinstance(block, Bullets):
            yield from block.items


def _pages(table: Table, kept: Sequence[int]) -> Iterator[list[int]]:
    """Positions of the rows of each slide, by the number of lines that their longest cells need."""
    heights = _row_heights(table, kept, table_size(table, kept))
    for page in _spread(heights[1:], ROOM_HIGH - _NOTE_HEIGHT - heights[0]):
        yield [kept[place] for place in page]


def _spread(heights: Sequence[float], room: float) -> list[list[int]]:
    """Positions of each page: as few pages as possible, filled about equally.

    Parameters
    ----------
    heights : sequence of float
        Of the rows, in inches.
    room : float
        Height of a page, in inches.
    """
    pages = _filled(heights, room)
    # Bisection for the smallest height of a page with which as few pages suffice.
    enough, least = room, max([0.0, *heights])
    for _ in range(20):
        tried = 0.5 * (least + enough)
        trial = _filled(heights, tried)
        if len(trial) <= len(pages) and tried < room:
            pages, enough = trial, tried
        else:
            least = tried
    return pages


def _filled(heights: Sequence[float], room: float) -> list[list[int]]:
    """Positions of each page, each filled before the next is begun; a row higher than a page gets one to itself."""
    pages: list[list[int]] = []
    used = math.inf
    for position, height in enumerate(heights):
        if used + height > room:
            pages.append([])
            used = 0.0
        pages[-1].append(position)
        used += height
    return pages


def table_size(table: Table, kept: Sequence[int]) -> float:
    """Size of a table's text in points: smaller where that avoids a second slide."""
    columns = len(office.shown_columns(table))
    usual = 14.0 if columns <= 4 else 12.5 if columns <= 7 else 11.0
    for size in (usual, *(smaller for smaller in (12.5, 11.5, 10.5) if smaller < usual)):
        if sum(_row_heights(table, kept, size)) <= ROOM_HIGH - _NOTE_HEIGHT:
            return size
    return usual


def _row_heights(table: Table, kept: Sequence[int], size: float) -> list[float]:
    """Inches of the heading and of each row."""
    columns = office.shown_columns(table)
    shares = office.column_shares(table, kept, columns, ROOM_WIDE, size)
    rows = [[table.columns[place].heading for place in columns]]
    rows += [[cell_text(table.rows[row][place]) for place in columns] for row in kept]
    return [row_height(texts, shares, size) for texts in rows]


def row_height(texts: Sequence[str], shares: Sequence[float], size: float) -> float:
    """Inches of a row of these texts."""
    lines = max(
        _lines(text, size, share * ROOM_WIDE - 0.16) for text, share in zip(texts, shares, strict=True)
    )
    return lines * size * _LINE_HEIGHT / 72 + 0.08


def _lines(text: str, size: float, width: float) -> int:
    """Number of lines that a text needs; its width is taken 10% larger, for space left at the ends of lines."""
    wide = office.measure(text) * size / 72.0
    return 1 if wide <= width else math.ceil(1.1 * wide / max(width, 0.2))


def cell_text(cell: Cell) -> str:
    """Text of a cell for measuring how large it is on a slide; "xx" in front stands for its sign."""
    sign = 2 if cell.kind in office.SIGNS else 0
    return "x" * sign + shorten(cell.text, LONGEST_CELL)
