"""Word and PowerPoint files as a test sees them: text, pictures, tables, and what is in the package."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docx
import pptx
from lxml import etree

WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def parts(path: Path) -> dict[str, bytes]:
    """Every file of the package; its XML must be well-formed."""
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as package:
        assert package.testzip() is None
        found = {name: package.read(name) for name in package.namelist()}
    for name, content in found.items():
        if name.endswith((".xml", ".rels")):
            etree.fromstring(content)
        # Whatever a part refers to is there: an office program would offer to repair the file otherwise.
        folder, _, file = name.rpartition("/")
        relations = found.get(f"{folder}/_rels/{file}.rels", b"")
        for used in (
            set(re.findall(rb'r:(?:id|embed|link)="(rId\d+)"', content)) if name.endswith(".xml") else ()
        ):
            assert b'Id="' + used + b'"' in relations, (name, used)
    return found


def dates(path: Path) -> set[tuple[int, ...]]:
    """Dates of the entries of the package."""
    with zipfile.ZipFile(path) as package:
        return {entry.date_time for entry in package.infolist()}


def properties(path: Path) -> dict[str, str]:
    """The custom properties, among them the manifest."""
    root = etree.fromstring(parts(path)["docProps/custom.xml"])
    return {each.get("name"): each[0].text or "" for each in root}


def descriptions(path: Path) -> list[str]:
    """Alternative texts, in the order of the parts and within each."""
    found = (etree.fromstring(content) for name, content in parts(path).items() if name.endswith(".xml"))
    return [each.get("descr") for root in found for each in root.iter() if each.get("descr")]


def text_of(path: Path) -> str:
    """All that people read, notes included, in one line."""
    lines = _lines_of_word(path) if path.suffix == ".docx" else _lines_of_slides(path)
    return " ".join(" ".join(lines).split())


def fields(paragraph: Any) -> list[str]:
    """Instructions of the fields in a paragraph of Word."""
    return [field.get(f"{WORD}instr").strip() for field in paragraph._p.iter(f"{WORD}fldSimple")]


def whole(paragraph: Any) -> str:
    """Text of a paragraph of Word, with that of its fields."""
    return "".join(each.text or "" for each in paragraph._p.iter(f"{WORD}t"))


def rows(table: Any) -> list[list[str]]:
    """Text of a native table."""
    return [
        [cell.text_frame.text if hasattr(cell, "text_frame") else cell.text for cell in row.cells]
        for row in table.rows
    ]


def _lines_of_word(path: Path) -> Iterator[str]:
    for each in docx.Document(str(path)).element.body.iter(f"{WORD}p"):
        yield "".join(text.text or "" for text in each.iter(f"{WORD}t"))


def _lines_of_slides(path: Path) -> Iterator[str]:
    for slide in pptx.Presentation(str(path)).slides:
        for shape in slide.shapes:
            if shape.has_text_frame:
                yield shape.text_frame.text
            if shape.has_table:
                for row in rows(shape.table):
                    yield from row
        yield slide.notes_slide.notes_text_frame.text
