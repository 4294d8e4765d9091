"""A board pack as a Word document: native headings, captions, lists and tables that an author can go on editing."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import docx
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Emu, Inches, Pt, RGBColor
from docx.text.paragraph import Paragraph as Line

from brightspots.report import cautions, office, pictures
from brightspots.report.document import (
    Bars,
    Block,
    Bullets,
    Document,
    Funnels,
    Kind,
    Mosaic,
    Paragraph,
    Section,
    Table,
    Terms,
    abridge,
    manifest_table,
)
from brightspots.report.pictures import Picture
from brightspots.report.word_style import (
    LANGUAGE,
    LINE,
    SOFT,
    WARN,
    WASH,
    WIDTH,
    add_field,
    set_page,
    set_styles,
    shade,
)

# Most rows of a table, and of the grid on one page; the rest is left out or goes on the next page.
MOST_ROWS: Final = 60
ROWS_A_SHEET: Final = 62
_INCHES_WIDE: Final = 174 / 25.4


class _Look(NamedTuple):
    """All that cells of a table may have in common but their words; `near` keeps a row with the next one."""

    width: int
    size: float
    kind: Kind | None
    bold: bool
    numeric: bool
    shaded: bool = False
    near: bool = False


@dataclass(frozen=True)
class _Paper:
    """The document being written, the numbers of its figures and tables, and a cell of each look that was written."""

    file: Any
    figures: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    tables: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    cells: dict[_Look, Any] = field(default_factory=dict)


def render(content: Document) -> bytes:
    """Write a document as .docx."""
    paper = _Paper(docx.Document())
    set_page(paper.file, content.title)
    set_styles(paper.file)
    _write_head(paper.file, content)
    paper.file.add_heading("In brief", 1)
    _write_block(paper, Bullets(content.headlines))
    for section in content.sections:
        _write_section(paper, section, content)
    _add_text(paper.file, cautions.closing(), soft=True)
    return _pack(paper.file, content)


def _pack(file: Any, content: Document) -> bytes:
    manifest = content.manifest
    office.describe_file(file.core_properties, content.title, manifest.created, LANGUAGE)
    package = file.part.package
    for name, relation in list(package.rels.items()):
        if relation.reltype.endswith(office.STRAY_RELATIONS):
            del package.rels[name]
    properties = office.custom_properties(manifest)
    part = Part(PackURI(office.CUSTOM_PROPERTIES), office.CUSTOM_TYPE, properties, package)
    package.relate_to(part, office.CUSTOM_RELATION)
    held = io.BytesIO()
    file.save(held)
    return office.same_bytes(held.getvalue(), manifest.created)


# ---- sections and blocks ---------------------------------------------------------------------------------------


def _write_head(file: Any, content: Document) -> None:
    file.add_paragraph(content.title, style="Title")
    file.add_paragraph(content.subtitle, style="Subtitle")
    made = content.manifest
    _add_text(
        file, f"Made on {made.created[:10]} with brightspots {made.versions['brightspots']}.", soft=True
    )
    if content.warning is not None:
        _add_warning(file, content.warning)


def _write_section(paper: _Paper, section: Section, content: Document) -> None:
    paper.file.add_heading(section.heading, 1)
    for block in section.blocks:
        _write_block(paper, block)
    if section.kind == "provenance":
        _write_table(paper, manifest_table(content.manifest, "this document"))


def _write_block(paper: _Paper, block: Block) -> None:
    match block:
        case Paragraph():
            (_add_warning if block.strong else _add_text)(paper.file, block.text)
        case Bullets():
            for item in block.items:
                paper.file.add_paragraph(item, style="List Bullet")
        case Terms():
            for term, meaning in block.items:
                line = paper.file.add_paragraph()
                line.add_run(f"{term}. ").bold = True
                line.add_run(meaning)
        case Bars():
            size = (_INCHES_WIDE * 0.85, 0.5 + 0.42 * len(block.bars))
            _add_picture(paper, pictures.bars(block, size, 8.5), block.caption, block.alternative)
        case Funnels():
            _write_funnels(paper, block)
        case Mosaic():
            _write_mosaic(paper, block)
        case Table():
            _write_table(paper, block)


def _write_funnels(paper: _Paper, block: Funnels) -> None:
    size = (_INCHES_WIDE, 3.9)
    drawn = pictures.funnels(block, block.panels, size, 7.5)
    headings = "; ".join(f"{panel.heading}: {panel.message}" for panel in block.panels)
    _add_picture(paper, drawn, block.caption, f"Funnel plots. {headings} {block.alternative}")


def _write_mosaic(paper: _Paper, block: Mosaic) -> None:
    """The grid as pictures of some rows each, a page high at most."""
    total, named = len(block.rows), len(block.columns) <= pictures.MOST_NAMED_COLUMNS
    sheets = max(1, math.ceil(total / ROWS_A_SHEET))
    height = math.ceil(total / sheets)
    for sheet in range(sheets):
        rows = range(sheet * height, min((sheet + 1) * height, total))
        size = (_INCHES_WIDE, min(9.3, (1.9 if named else 0.6) + 0.15 * len(rows)))
        drawn = pictures.mosaic(block, rows, size, 6.5, name_rows=True)
        part = (
            f" Part {sheet + 1} of {sheets}: {block.rows[rows[0]]} to {block.rows[rows[-1]]}."
            if sheets > 1
            else ""
        )
        unnamed = "" if named else f" {cautions.columns_without_names(len(block.columns))}"
        _add_picture(paper, drawn, f"{block.caption}{part}{unnamed}", _grid_in_words(block, rows))


def _grid_in_words(block: Mosaic, rows: range) -> str:
    counts = [
        f"{sum(kinds.count(kind) for kinds in block.kinds[rows.start : rows.stop]):,} {words}"
        for kind, words in block.legend
        if kind != "absent"
    ]
    return f"Grid of {len(rows):,} trusts by {len(block.columns):,} department types: {', '.join(counts)}."


# ---- figures and tables ----------------------------------------------------------------------------------------


def _add_picture(paper: _Paper, picture: Picture, caption: str, alternative: str) -> None:
    line = paper.file.add_paragraph()
    line.paragraph_format.keep_with_next = True
    line.paragraph_format.space_after = Pt(2)
    drawn = line.add_run().add_picture(io.BytesIO(picture.png), width=Inches(picture.width))
    number = next(paper.figures)
    properties = drawn._inline.docPr  # python-docx has no public way to alternative text
    properties.set("descr", alternative)
    properties.set("name", f"Figure {number}")
    _add_caption(paper.file, "Figure", number, caption).paragraph_format.space_after = Pt(10)


def _write_table(paper: _Paper, table: Table) -> None:
    most = len(table.rows) if table.print_all else MOST_ROWS
    rows, columns = abridge(table, most), office.shown_columns(table)
    caption = _add_caption(paper.file, "Table", next(paper.tables), f"{table.caption}.")
    caption.paragraph_format.keep_with_next = True
    size = 7.5 if len(columns) > 8 else 8.0 if len(columns) > 5 else 9.0
    shares = office.column_shares(table, rows, columns, _INCHES_WIDE, size)
    widths = [Emu(int(share * WIDTH)) for share in shares]
    native = paper.file.add_table(rows=len(rows) + 1, cols=len(columns))
    native.alignment, native.autofit = WD_TABLE_ALIGNMENT.LEFT, False
    _set_table(native, table.caption, widths)
    written = iter(native.rows)
    head = next(written)
    for cell, place, width in zip(head.cells, columns, widths, strict=True):
        column = table.columns[place]
        look = _Look(width, size, None, bold=True, numeric=column.numeric, shaded=True)
        _write_cell(paper, cell, column.heading, look)
    _keep_whole(head, repeated=True)
    for position, (native_row, row) in enumerate(zip(written, rows, strict=True)):
        for cell, place, width in zip(native_row.cells, columns, widths, strict=True):
            content, numeric = table.rows[row][place], table.columns[place].numeric
            # The first and the last rows stay together, so that no page has only the heading or only the last row.
            near = position < 2 or len(rows) - 4 < position < len(rows) - 1
            look = _Look(width, size, content.kind, bold=place == 0, numeric=numeric, near=near)
            _write_cell(paper, cell, content.text, look)
        _keep_whole(native_row)
    if len(rows) < len(table.rows):
        note = _add_text(paper.file, cautions.abridged(len(rows), len(table.rows), table.filters), soft=True)
        note.paragraph_format.space_before = Pt(4)
    else:
        paper.file.add_paragraph().paragraph_format.space_after = Pt(0)


def _write_cell(paper: _Paper, cell: Any, text: str, look: _Look) -> None:
    """Write a cell: the first of its look property by property, which takes long, all others as copies of it."""
    if look in paper.cells:
        alike = deepcopy(paper.cells[look])
        alike.p_lst[0].r_lst[-1].text = text
        cell._tc.getparent().replace(cell._tc, alike)
    else:
        _fill(cell, text, look)
        paper.cells[look] = cell._tc


def _fill(cell: Any, text: str, look: _Look) -> None:
    """Write a cell's properties and text; its mark, where it has one, is a sign before the text."""
    cell.width = Emu(look.width)
    line = cell.paragraphs[0]
    line.paragraph_format.space_after, line.paragraph_format.line_spacing = Pt(0), 1.0
    line.paragraph_format.keep_with_next = True if look.shaded or look.near else None
    if look.numeric:
        line.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    if look.kind in office.SIGNS:
        sign, colour = office.SIGNS[look.kind]
        mark = line.add_run(f"{sign} ")
        mark.font.size, mark.font.color.rgb = Pt(look.size), RGBColor.from_string(colour)
    run = line.add_run(text)
    run.font.size, run.bold = Pt(look.size), look.bold or None
    if look.shaded:
        shade(cell._tc.get_or_add_tcPr(), WASH)


def _set_table(native: Any, description: str, widths: list[Emu]) -> None:
    """Set thin rules between rows, fixed column widths, and the description for screen readers."""
    properties = native._tbl.tblPr
    borders = OxmlElement("w:tblBorders")
    for side in ("top", "bottom", "insideH"):
        rule = OxmlElement(f"w:{side}")
        for name, value in (("val", "single"), ("sz", "4"), ("space", "0"), ("color", LINE)):
            rule.set(qn(f"w:{name}"), value)
        borders.append(rule)
    margins = OxmlElement("w:tblCellMar")
    for side, twentieths in (("top", "30"), ("left", "60"), ("bottom", "30"), ("right", "60")):
        margin = OxmlElement(f"w:{side}")
        margin.set(qn("w:w"), twentieths)
        margin.set(qn("w:type"), "dxa")
        margins.append(margin)
    look = properties.find(qn("w:tblLook"))
    for element in (borders, margins):
        look.addprevious(element)
    # The layout comes between borders and margins; python-docx put it before the look.
    layout = properties.find(qn("w:tblLayout"))
    borders.addnext(layout)
    told = OxmlElement("w:tblDescription")
    told.set(qn("w:val"), description)
    look.addnext(told)
    for column, width in zip(native.columns, widths, strict=True):
        column.width = width


def _keep_whole(row: Any, *, repeated: bool = False) -> None:
    """Never split a row over pages; repeat the first on each."""
    properties = row._tr.get_or_add_trPr()
    properties.append(OxmlElement("w:cantSplit"))
    if repeated:
        properties.append(OxmlElement("w:tblHeader"))


# ---- lines -----------------------------------------------------------------------------------------------------


def _add_text(file: Any, text: str, *, soft: bool = False) -> Line:
    line: Line = file.add_paragraph()
    run = line.add_run(text)
    if soft:
        run.font.color.rgb, run.font.size = RGBColor.from_string(SOFT), Pt(9.0)
    return line


def _add_warning(file: Any, text: str) -> None:
    """Add a paragraph that is bold, shaded and framed."""
    line = file.add_paragraph()
    line.add_run(text).bold = True
    properties = line._p.get_or_add_pPr()
    frame = OxmlElement("w:pBdr")
    for side, eighths in (("top", "12"), ("left", "48"), ("bottom", "12"), ("right", "12")):
        rule = OxmlElement(f"w:{side}")
        for name, value in (("val", "single"), ("sz", eighths), ("space", "6"), ("color", "E46C0A")):
            rule.set(qn(f"w:{name}"), value)
        frame.append(rule)
    properties.append(frame)
    shade(properties, WARN)


def _add_caption(file: Any, label: str, number: int, text: str) -> Line:
    """A caption that Word counts: its number is a SEQ field, so that lists of figures and tables find it."""
    line: Line = file.add_paragraph(style="Caption")
    line.add_run(f"{label} ").bold = True
    add_field(line, f"SEQ {label} \\* ARABIC", str(number), bold=True)
    line.add_run(f". {text}")
    return line
