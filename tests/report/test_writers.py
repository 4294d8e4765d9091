"""What every writer of documents must do: one document, the same words and numbers in each format.

A writer is added by one subclass of `WriterContract`, which says how it writes and how its files are read.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import ClassVar

import docx
import pptx
import pytest

from brightspots.common.errors import SettingsError
from brightspots.report import html, slides, word
from brightspots.report.cautions import closing, what_a_flag_is
from brightspots.report.document import (
    Bar,
    Bars,
    Bullets,
    Cell,
    Column,
    Document,
    Funnel,
    Funnels,
    Limit,
    Mosaic,
    Paragraph,
    Point,
    Section,
    Table,
    Terms,
)
from brightspots.report.manifest import Manifest
from brightspots.report.pack import SUFFIXES, write_document
from brightspots.report.words import Estimate
from tests.report import office
from tests.report.page import Page

MADE = Manifest(
    "2025-06-15T15:06:40Z", {"brightspots": "0.1.0", "numpy": "2.0"}, "Linux", seed=7, data_sha256="ab" * 32
)
RATIO = Estimate(1.21, 1.1, 1.34)
NASTY = "<b>T&1</b> “Ŵyr” =1+1"


def table(name: str, first: str) -> Table:
    """Of every kind of cell: a mark, numbers, a drawn interval, nothing."""
    columns = (
        Column("Trust"),
        Column("Status"),
        Column("Ratio", numeric=True),
        Column("Interval", drawn=True),
    )
    rows = (
        (Cell(first), Cell("dark spot", kind="dark"), Cell("1.21 (1.10 to 1.34)", 1.21), Cell("", 1.21, "dark", RATIO)),
        (Cell("T2"), Cell("bright spot", kind="bright"), Cell("0.78 (0.66 to 0.91)", 0.78), Cell("")),
    )  # fmt: skip
    return Table(
        name, f"Caption of {name}", columns, rows, 1.1, filters=("dark spot", "bright spot"), filtered_by=1
    )


def funnel() -> Funnels:
    limit = Limit(0.998, (5.0, 50.0), (0.2, 0.6), (2.5, 1.5))
    points = (
        Point(10.0, 1.4, "T1", "14 observed", "dark-above", True),
        Point(20.0, 1.0, "T2", "20 observed", "plain"),
    )
    panel = Funnel(
        "All 2 trusts", points, (limit,), 1.0, "national level", "expected", "ratio", "T1 lies above.", "1.00"
    )
    legend = (("dark-above", "trust above the limits"), ("plain", "trust within the limits"))
    return Funnels("funnel", "How to read the funnel", "Two trusts in words.", (panel,), legend)


@cache
def document(warning: str | None = None) -> Document:
    """Every kind of section and of block, once at least."""
    bars = Bars(
        "bars",
        "Shares with lines",
        "Departments 71%",
        (Bar("Between departments", Estimate(0.71, 0.64, 0.78)),),
    )
    grid = Mosaic(
        "grid", "Every department", ("T1", "T2"), ("D1", "D2"), (("dark", "in-line"), ("cannot-tell", "absent")),
        {(0, 0): "against own trust: 1.21"}, (("dark", "dark spot"), ("in-line", "in line"), ("absent", "none")),
    )  # fmt: skip
    opening = Paragraph("Shares told. And more of them.", role="opening")
    typically, flagged = (
        Paragraph("Typically by a factor of 1.3."),
        Paragraph("Two are flagged.", role="message"),
    )
    method = (Paragraph("By a model."), Bullets(("Simulated data.",)), Terms((("Odds", "Of the event."),)))
    sections = (
        Section("variation", "Where it lies", (opening, bars, typically), "Shares told."),
        Section("funnel", "Funnels", (funnel(), Paragraph("3 of 9 counts are withheld.")), "One lies outside."),
        Section("mosaic", "At a glance", (grid,), "Both kinds at once."),
        Section("spots", "Spots", (flagged, table("spots", NASTY)), "Two are flagged."),
        Section("rating", "Ratings", (Bullets(("Rated 8.25 here.", "Rated 9.75 there.")),), "Of the ratings."),
        Section("method", "Method", method, "A flag is a flag."),
        Section("provenance", "Provenance", (Paragraph("It passed.", role="message"),), "It passed."),
    )  # fmt: skip
    return Document(
        f"Title {NASTY}", "2 departments of 2 trusts.", warning, ("The message.", "A headline with 0.97."), sections,
        MADE, "The message.", ("A headline with 0.97.",),
    )  # fmt: skip


class WriterContract:
    """Tests that every writer passes."""

    suffix: ClassVar[str]

    @staticmethod
    def write(content: Document) -> bytes:
        raise NotImplementedError

    @staticmethod
    def read(path: Path) -> str:
        """All that people read, in one line."""
        raise NotImplementedError

    @staticmethod
    def described(path: Path) -> list[str]:
        """What is said of figures to those who do not see them."""
        raise NotImplementedError

    @staticmethod
    def tables(path: Path) -> list[list[list[str]]]:
        """Texts of all tables, row by row."""
        raise NotImplementedError

    @pytest.fixture
    def path(self, tmp_path):
        return self.written(document(), tmp_path)

    def written(self, content: Document, folder: Path) -> Path:
        path = folder / f"pack{self.suffix}"
        path.write_bytes(self.write(content))
        return path

    @pytest.mark.parametrize(
        "said",
        [
            f"Title {NASTY}", "2 departments of 2 trusts.", "The message.", "A headline with 0.97.",  # its head
            "Shares told.", "And more of them.", "Typically by a factor of 1.3.",  # paragraphs
            "Shares with lines", "How to read the funnel", "Every department",  # captions of figures
            "3 of 9 counts are withheld.", "Caption of spots",
            "Two are flagged.", "Rated 8.25 here.", "Rated 9.75 there.", "Simulated data.", "By a model.",
            "Odds", "Of the event.", "It passed.",
            "2025-06-15T15:06:40Z", "ab" * 32, "2.0",  # the manifest
        ],
    )  # fmt: skip
    def test_what_the_document_says_is_written(self, path, said):
        assert said in self.read(path)

    def test_figures_are_described_with_what_they_show(self, path):
        said = self.described(path)
        assert any("All 2 trusts" in each for each in said)
        assert "Departments 71%" in said

    def test_sections_keep_their_order(self, path):
        text = self.read(path)
        marks = [
            "factor of 1.3",
            "read the funnel",
            "Every department",
            "Caption of spots",
            "Rated 8.25",
            "ab" * 32,
        ]
        # Slides tell of words at their very beginning as well.
        found = [text.rindex(mark) for mark in marks]
        assert found == sorted(found)

    def test_tables_hold_every_cell_and_number(self, path):
        rows = next(rows for rows in self.tables(path) if "Status" in rows[0])
        # Marks before a text differ, and only a page draws intervals.
        texts = [re.sub(r"^[^\w<]+", "", text) for row in rows for text in row]
        assert [text for text in texts if text not in ("", "Interval")] == [
            *("Trust", "Status", "Ratio"),
            *(NASTY, "dark spot", "1.21 (1.10 to 1.34)"),
            *("T2", "bright spot", "0.78 (0.66 to 0.91)"),
        ]

    def test_the_manifest_is_a_table_in_the_end(self, path):
        rows = self.tables(path)[-1]
        assert [row for row in rows if row[0] not in ("What", "")] == [
            ["Made", "2025-06-15T15:06:40Z"],
            ["Seed", "7"],
            ["Data as fitted, SHA-256", "ab" * 32],
            ["brightspots", "0.1.0"],
            ["numpy", "2.0"],
        ]

    def test_no_flag_goes_without_its_caveat(self, path):
        assert closing() in self.read(path)

    def test_a_warning_stands_before_the_findings(self, tmp_path):
        text = self.read(self.written(document("Do not rely on these numbers."), tmp_path))
        assert text.index("Do not rely on these numbers.") < text.index("The message.")
        assert "Do not rely" not in self.read(self.written(document(), tmp_path))

    def test_a_document_without_sections_is_written(self, tmp_path):
        text = self.read(self.written(replace(document(), sections=()), tmp_path))
        assert "A headline with 0.97." in text

    def test_the_suffix_of_a_path_chooses_the_writer(self, tmp_path):
        for path in (tmp_path / f"pack{self.suffix}", tmp_path / f"PACK{self.suffix.upper()}"):
            write_document(document(), path)
            assert path.read_bytes() == self.write(document())

    def test_the_same_document_gives_the_same_bytes(self):
        assert self.write(document()) == self.write(document())


def test_every_format_of_packs_is_held_to_the_contract():
    assert sorted(each.suffix for each in WriterContract.__subclasses__()) == sorted(SUFFIXES)


@pytest.mark.parametrize("name", ["pack.pdf", "pack.doc", "pack", "pack.html.txt"])
def test_a_format_without_a_writer_is_refused_and_nothing_is_written(name, tmp_path):
    with pytest.raises(
        SettingsError, match=r"written as \.html, \.docx or \.pptx, by the suffix of its path"
    ):
        write_document(document(), tmp_path / name)
    assert not list(tmp_path.iterdir())


class TestPage(WriterContract):
    suffix = ".html"

    @staticmethod
    def write(content):
        return html.render(content).encode("utf-8")

    @staticmethod
    def read(path):
        return Page(path.read_text(encoding="utf-8")).text

    @staticmethod
    def described(path):
        drawn = Page(path.read_text(encoding="utf-8")).all("svg")
        return [each["aria-label"] for each in drawn if each["aria-label"]]

    @staticmethod
    def tables(path):
        source = path.read_text(encoding="utf-8")
        return [
            [[element.words for element in Page(row).elements if element.tag in ("th", "td")] for row in rows]
            for rows in (
                re.findall(r"<tr[^>]*>.*?</tr>", each, re.DOTALL)
                for each in re.findall(r"<table[^>]*>.*?</table>", source, re.DOTALL)
            )
        ]


class TestPaper(WriterContract):
    suffix = ".docx"
    write = staticmethod(word.render)
    read = staticmethod(office.text_of)
    described = staticmethod(office.descriptions)

    @staticmethod
    def tables(path):
        return [office.rows(each) for each in docx.Document(str(path)).tables]


class TestSlides(WriterContract):
    suffix = ".pptx"
    write = staticmethod(slides.render)
    read = staticmethod(office.text_of)
    described = staticmethod(office.descriptions)

    @staticmethod
    def tables(path):
        return [
            office.rows(shape.table)
            for slide in pptx.Presentation(str(path)).slides
            for shape in slide.shapes
            if shape.has_table
        ]

    def test_every_slide_of_findings_has_the_caveat_in_its_notes(self, path):
        notes = [slide.notes_slide.notes_text_frame.text for slide in pptx.Presentation(str(path)).slides]
        assert all(what_a_flag_is() in each for each in notes[:-1])
