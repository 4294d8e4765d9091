"""A board pack as PowerPoint slides: one message a slide, native tables, method and caveats in the speaker's notes."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Final, NamedTuple

import pptx
from pptx.dml.color import RGBColor
from pptx.enum.shapes import PP_PLACEHOLDER
from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
from pptx.opc.constants import RELATIONSHIP_TYPE as RELATION
from pptx.opc.package import Part
from pptx.opc.packuri import PackURI
from pptx.oxml.ns import qn
from pptx.util import Emu, Inches, Pt

from brightspots.common.shortening import shorten
from brightspots.report import cautions, office, storyboard
from brightspots.report.document import Cell, Document, Kind, Table, Terms, in_document
from brightspots.report.pictures import Picture
from brightspots.report.storyboard import (
    LONGEST_CELL,
    ROOM_HIGH,
    ROOM_WIDE,
    SENTENCE_SIZE,
    Slide,
    cell_text,
    row_height,
    table_size,
)

LANGUAGE: Final = "en-GB"
_WIDTH, _HEIGHT = 13.333, 7.5
_LEFT, _TOP = 0.5, 1.55
_FONT: Final = "Arial"
_INK, _SOFT, _WASH = "212B32", "4C6272", "F0F4F5"
# The template's theme, and what this library shows: no red, no green.
_THEME: Final = {
    "Calibri": _FONT, "1F497D": _INK, "4F81BD": "005EB8", "C0504D": "E46C0A", "9BBB59": "768692",
    "8064A2": "425563", "4BACC6": "41B6E6", "F79646": "AE6A00",
}  # fmt: skip
_TITLE_SIZES: Final = ((110, 26), (190, 22), (280, 18), (10_000, 16))
_TITLES: Final = (PP_PLACEHOLDER.TITLE, PP_PLACEHOLDER.CENTER_TITLE)


class _Look(NamedTuple):
    """All that cells of a table may have in common but their words."""

    size: float
    kind: Kind | None
    head: bool
    first: bool
    numeric: bool


# A cell of each look that was written.
_Cells = dict[_Look, Any]


def render(content: Document) -> bytes:
    """Write a document as .pptx."""
    deck = pptx.Presentation()
    _set_page(deck)
    _write_title(deck, content)
    cells: _Cells = {}
    for slide in storyboard.slides(content):
        _write_slide(deck, slide, content.warning, cells)
    return _pack(deck, content)


def _pack(deck: Any, content: Document) -> bytes:
    manifest = content.manifest
    office.describe_file(deck.core_properties, content.title, manifest.created, LANGUAGE)
    package = deck.part.package
    for owner in (package, deck.part):
        for name, relation in list(owner._rels.items()):
            if relation.reltype.endswith((*office.STRAY_RELATIONS, "printerSettings")):
                owner._rels.pop(name)
    properties = office.custom_properties(manifest)
    part = Part(PackURI(office.CUSTOM_PROPERTIES), office.CUSTOM_TYPE, package, properties)
    package.relate_to(part, office.CUSTOM_RELATION)
    held = io.BytesIO()
    deck.save(held)
    return office.same_bytes(held.getvalue(), manifest.created)


# ---- writing ---------------------------------------------------------------------------------------------------


def _set_page(deck: Any) -> None:
    """16:9, with the template's own placeholders moved there, and the library's colours and typeface in its theme."""
    wider = _WIDTH / 10.0
    deck.slide_width, deck.slide_height = Inches(_WIDTH), Inches(_HEIGHT)
    master = deck.slide_master
    for owner in (master, *master.slide_layouts):
        for shape in owner.placeholders:
            if shape._element.spPr.find(qn("a:xfrm")) is not None:
                shape.left, shape.width = Emu(int(shape.left * wider)), Emu(int(shape.width * wider))
    theme = master.part.part_related_by(RELATION.THEME)
    text = theme.blob.decode("utf-8")
    theme.blob = re.sub("|".join(_THEME), lambda found: _THEME[found[0]], text).encode("utf-8")
    styles = master._element.find(qn("p:txStyles")).find(qn("p:titleStyle")).find(qn("a:lvl1pPr"))
    styles.set("algn", "l")
    styles.find(qn("a:defRPr")).set("sz", "2400")
    styles.find(qn("a:defRPr")).set("b", "1")
    for shape in master.placeholders:
        if shape.placeholder_format.type in _TITLES:
            shape.left, shape.top = Inches(_LEFT), Inches(0.3)
            shape.width, shape.height = Inches(ROOM_WIDE), Inches(1.2)


def _write_title(deck: Any, content: Document) -> None:
    slide = deck.slides.add_slide(deck.slide_layouts[0])
    made = content.manifest
    title, subtitle = slide.shapes.title, slide.placeholders[1]
    title.text_frame.text = shorten(content.title, 120)
    title.text_frame.paragraphs[0].runs[0].font.size = Pt(36 if len(content.title) < 60 else 26)
    title.text_frame.vertical_anchor = MSO_ANCHOR.BOTTOM
    for shape, top, height in ((title, 1.2, 1.9), (subtitle, 3.35, 2.6)):
        shape.left, shape.width = Inches(0.9), Inches(_WIDTH - 1.8)
        shape.top, shape.height = Inches(top), Inches(height)
    said = [content.subtitle, f"Made on {made.created[:10]} with brightspots {made.versions['brightspots']}."]
    _set_lines(subtitle.text_frame, [*said, *([content.warning] if content.warning else [])], 20.0)
    for line in subtitle.text_frame.paragraphs:
        line.alignment = PP_ALIGN.LEFT
    _set_language(slide)
    notes = [
        item
        for terms in in_document(content, Terms)
        for item in (f"{name}: {text}" for name, text in terms.items)
    ]
    slide.notes_slide.notes_text_frame.text = "\n".join([cautions.what_a_flag_is(), *notes])


def _write_slide(deck: Any, content: Slide, warning: str | None, cells: _Cells) -> None:
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    title = slide.shapes.title
    title.text_frame.text = content.message
    title.text_frame.word_wrap = True
    title.text_frame.vertical_anchor = MSO_ANCHOR.MIDDLE
    title.text_frame.paragraphs[0].runs[0].font.size = Pt(
        next(size for longest, size in _TITLE_SIZES if len(content.message) <= longest)
    )
    bottom = _TOP
    if content.picture is not None:
        bottom = _place_picture(slide, content.picture, content.alternative)
    if content.table is not None:
        bottom = _place_table(slide, content.table, cells)
    if content.sentences:
        box = slide.shapes.add_textbox(Inches(_LEFT), Inches(_TOP), Inches(ROOM_WIDE), Inches(ROOM_HIGH))
        box.name = "Sentences"
        _set_lines(box.text_frame, [f"•  {line}" for line in content.sentences], SENTENCE_SIZE)
    if content.below:
        size = 12.0 if content.picture is None or len(content.below) < 200 else 14.0
        _place_note(slide, content.below, bottom + 0.05, size)
    if warning is not None:
        _place_note(slide, warning, 6.95, 11.0, bold=True)
    _number(slide)
    _set_language(slide)
    slide.notes_slide.notes_text_frame.text = "\n\n".join(dict.fromkeys(content.notes))


def _place_picture(slide: Any, picture: Picture, alternative: str) -> float:
    """Put a picture on a slide, and return the height of its lower edge in inches from the top."""
    wide, high = picture.width, picture.height
    left = _LEFT + (ROOM_WIDE - wide) / 2
    shape = slide.shapes.add_picture(
        io.BytesIO(picture.png), Inches(left), Inches(_TOP), Inches(wide), Inches(high)
    )
    shape.name = "Figure"
    _describe(shape, alternative)
    return _TOP + high


def _place_table(slide: Any, table: Table, written: _Cells) -> float:
    """Put a native table on a slide, and return the expected height of its lower edge in inches from the top."""
    rows, columns = range(len(table.rows)), office.shown_columns(table)
    size = table_size(table, rows)
    shares = office.column_shares(table, rows, columns, ROOM_WIDE, size)
    frame = slide.shapes.add_table(
        len(rows) + 1, len(columns), Inches(_LEFT), Inches(_TOP), Inches(ROOM_WIDE), Inches(0.3)
    )
    frame.name = "Table"
    _describe(frame, table.caption)
    native = frame.table
    native.first_row, native.first_col, native.horz_banding = True, True, False
    texts = [tuple(Cell(table.columns[place].heading) for place in columns)]
    texts += [tuple(table.rows[row][place] for place in columns) for row in rows]
    end = _TOP
    for place, share in enumerate(shares):
        native.columns[place].width = Inches(share * ROOM_WIDE)
    for number, (row, cells) in enumerate(zip(native.rows, texts, strict=True)):
        height = row_height([cell_text(cell) for cell in cells], shares, size)
        row.height = Inches(height)
        end += height
        for position, (cell, content) in enumerate(zip(row.cells, cells, strict=True)):
            numeric = table.columns[columns[position]].numeric
            look = _Look(size, content.kind, head=number == 0, first=position == 0, numeric=numeric)
            _write_cell(cell, shorten(content.text, LONGEST_CELL), look, written)
    return end


def _write_cell(cell: Any, text: str, look: _Look, written: _Cells) -> None:
    """Write a cell: the first of its look property by property, which takes long, all others as copies of it."""
    if look in written:
        alike = deepcopy(written[look])
        alike.txBody.p_lst[0].r_lst[-1].text = text
        cell._tc.getparent().replace(cell._tc, alike)
    else:
        _fill(cell, text, look)
        written[look] = cell._tc


def _fill(cell: Any, text: str, look: _Look) -> None:
    """Write a cell's properties and text; its mark, where it has one, is a sign before the text."""
    cell.margin_left = cell.margin_right = Inches(0.08)
    cell.margin_top = cell.margin_bottom = Inches(0.035)
    cell.vertical_anchor = MSO_ANCHOR.BOTTOM if look.head else MSO_ANCHOR.MIDDLE
    cell.fill.solid()
    cell.fill.fore_color.rgb = _colour(_INK if look.head else "FFFFFF" if not look.first else _WASH)
    line = cell.text_frame.paragraphs[0]
    line.alignment = PP_ALIGN.RIGHT if look.numeric else PP_ALIGN.LEFT
    ink = "FFFFFF" if look.head else _INK
    if look.kind in office.SIGNS:
        sign, colour = office.SIGNS[look.kind]
        _add_run(line, f"{sign} ", look.size, colour)
    _add_run(line, text, look.size, ink, bold=look.head or look.first)


def _place_note(slide: Any, text: str, top: float, size: float, *, bold: bool = False) -> None:
    box = slide.shapes.add_textbox(Inches(_LEFT), Inches(min(top, 6.95)), Inches(ROOM_WIDE), Inches(0.4))
    box.name = "Note"
    box.text_frame.word_wrap = True
    _add_run(box.text_frame.paragraphs[0], text, size, "9A3C00" if bold else _SOFT, bold=bold)


def _set_lines(frame: Any, lines: Sequence[str], size: float) -> None:
    frame.word_wrap = True
    for position, text in enumerate(lines):
        line = frame.paragraphs[0] if position == 0 else frame.add_paragraph()
        line.space_after = Pt(8)
        _add_run(line, text, size, _INK)


def _add_run(line: Any, text: str, size: float, colour: str, *, bold: bool = False) -> None:
    run = line.add_run()
    run.text = text
    run.font.size, run.font.bold, run.font.color.rgb = Pt(size), bold, _colour(colour)


def _number(slide: Any) -> None:
    """Add the slide's number, since python-pptx does not copy the placeholder of the layout."""
    for shape in slide.slide_layout.placeholders:
        if shape.element.ph.get("type") == "sldNum":
            number = deepcopy(shape.element)
            taken = (int(each.get("id")) for each in slide.element.iter(qn("p:cNvPr")))
            number.xpath(".//p:cNvPr")[0].set("id", str(max(taken) + 1))
            slide.shapes._spTree.append(number)


def _set_language(slide: Any) -> None:
    """Mark every run as British English."""
    for run in slide.element.iter(qn("a:rPr"), qn("a:endParaRPr")):
        run.set("lang", LANGUAGE)


def _describe(shape: Any, text: str) -> None:
    """Set the alternative text of a shape, for which python-pptx has no function."""
    shape.element.xpath(".//p:cNvPr")[0].set("descr", text)


def _colour(digits: str) -> RGBColor:
    """A colour from six hexadecimal digits."""
    return RGBColor(*bytes.fromhex(digits))  # type: ignore[no-untyped-call]
