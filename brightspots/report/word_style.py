"""The style of a Word document: page, typefaces, colours; and fields and shading, which python-docx lacks."""

from __future__ import annotations

from typing import Any, Final

from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor
from docx.text.paragraph import Paragraph as Line

from brightspots.common.shortening import shorten

LANGUAGE: Final = "en-GB"
_FONT: Final = "Arial"
# For Chinese, Japanese and Korean, which Arial lacks; other scripts than these it has, or Word finds.
_EAST_ASIAN_FONT: Final = "Microsoft YaHei"
INK, SOFT, LINE, WASH, WARN = "212B32", "4C6272", "C5CED3", "F0F4F5", "FFF6EE"
_MARGIN: Final = Mm(18)
WIDTH: Final = Mm(210 - 36)
_TEXT_SIZES: Final = {"Normal": 10.5, "Title": 22.0, "Subtitle": 12.0, "Heading 1": 15.0, "Caption": 9.0,
                      "List Bullet": 10.5, "Footer": 8.5}  # fmt: skip


def set_page(file: Any, title: str) -> None:
    """A4, with the title and the page number at the foot."""
    page = file.sections[0]
    page.page_width, page.page_height = Mm(210), Mm(297)
    page.left_margin = page.right_margin = _MARGIN
    page.top_margin, page.bottom_margin = Mm(18), Mm(20)
    page.header_distance = page.footer_distance = Mm(10)
    foot = page.footer.paragraphs[0]
    foot.paragraph_format.tab_stops.clear_all()
    foot.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    foot.add_run(f"{shorten(title, 90)}  ·  page ")
    add_field(foot, "PAGE", "1")
    foot.add_run(" of ")
    add_field(foot, "NUMPAGES", "1")


def set_styles(file: Any) -> None:
    """One typeface and the library's colours; the language of all text."""
    defaults = file.styles.element.find(qn("w:docDefaults")).find(qn("w:rPrDefault")).find(qn("w:rPr"))
    _set_typeface(defaults)
    language = defaults.find(qn("w:lang"))
    for name in ("w:val", "w:eastAsia"):
        language.set(qn(name), LANGUAGE)
    for name, size in _TEXT_SIZES.items():
        style = file.styles[name]
        _set_typeface(style.element.get_or_add_rPr())
        style.font.size = Pt(size)
        style.font.italic = False
        for spread in style.element.rPr.findall(qn("w:spacing")):
            style.element.rPr.remove(spread)
        style.font.bold = name in ("Title", "Heading 1")
        style.font.color.rgb = RGBColor.from_string(
            SOFT if name in ("Subtitle", "Caption", "Footer") else INK
        )
    normal, caption = file.styles["Normal"].paragraph_format, file.styles["Caption"].paragraph_format
    normal.space_after, normal.line_spacing = Pt(6), 1.12
    caption.space_before, caption.space_after = Pt(6), Pt(4)
    bullets = file.styles["List Bullet"].paragraph_format
    bullets.space_after = Pt(4)
    heading = file.styles["Heading 1"].paragraph_format
    heading.space_before, heading.space_after, heading.keep_with_next = Pt(18), Pt(6), True
    title = file.styles["Title"]
    for border in title.element.pPr.findall(qn("w:pBdr")):
        title.element.pPr.remove(border)
    title.paragraph_format.space_after = Pt(4)


def _set_typeface(properties: Any) -> None:
    """Set the typeface by name, and remove the theme's, which would take precedence."""
    fonts = properties.find(qn("w:rFonts"))
    if fonts is None:
        fonts = OxmlElement("w:rFonts")
        properties.insert(0, fonts)
    for name in list(fonts.attrib):
        del fonts.attrib[name]
    for name in ("w:ascii", "w:hAnsi", "w:cs"):
        fonts.set(qn(name), _FONT)
    fonts.set(qn("w:eastAsia"), _EAST_ASIAN_FONT)


# ---- marks ---------------------------------------------------------------------------------------------------------


def add_field(line: Line, instruction: str, result: str, *, bold: bool = False) -> None:
    """Add a field, with the text that is shown until Word updates it."""
    element = OxmlElement("w:fldSimple")
    element.set(qn("w:instr"), f" {instruction} ")
    run = line.add_run(result)
    run.bold = bold or None
    element.append(run._r)
    line._p.append(element)


def shade(properties: Any, colour: str) -> None:
    """Give a paragraph or a cell a background; `colour` has six hexadecimal digits."""
    element = OxmlElement("w:shd")
    for name, value in (("val", "clear"), ("color", "auto"), ("fill", colour)):
        element.set(qn(f"w:{name}"), value)
    properties.append(element)
