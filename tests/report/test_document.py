"""The neutral document: what goes on paper, what is fit to be shown, what the manifest says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from brightspots.report.document import (
    Bullets,
    Cell,
    Column,
    Document,
    Mosaic,
    Paragraph,
    Section,
    Table,
    Terms,
    abridge,
    in_document,
    legible_document,
    manifest_rows,
)
from brightspots.report.manifest import InputFile, Manifest

MADE = Manifest("2025-06-15T15:06:40Z", {"brightspots": "0.1.0"}, "Linux x86_64")


def table(*statuses: str, filters: tuple[str, ...] = ("dark spot", "bright spot")) -> Table:
    rows = tuple((Cell(f"T{n}"), Cell(status)) for n, status in enumerate(statuses))
    return Table("spots", "Spots", (Column("Trust"), Column("Status")), rows, filters=filters, filtered_by=1)


@pytest.mark.parametrize(
    ("dark", "bright", "most", "kept"),
    [
        (0, 0, 4, (0, 0)),
        (3, 1, 4, (3, 1)),  # all of them
        (9, 9, 4, (2, 2)),  # half and half
        (9, 1, 4, (3, 1)),  # what one kind leaves, the other takes
        (1, 9, 4, (1, 3)),
        (9, 0, 4, (4, 0)),
        (9, 9, 5, (3, 2)),
    ],
)
def test_paper_shows_as_many_of_each_kind_as_it_can(dark, bright, most, kept):
    long = table(*["dark spot"] * dark, *["bright spot"] * bright)
    rows = abridge(long, most)
    shown = [long.rows[row][1].text for row in rows]
    assert sorted((shown.count("dark spot"), shown.count("bright spot"))) == sorted(kept)
    assert len(rows) == min(most, dark + bright)
    assert list(rows) == sorted(rows)


def test_a_table_without_kinds_keeps_its_first_rows():
    assert abridge(table(*["x"] * 9, filters=()), 4) == (0, 1, 2, 3)


def test_a_trust_that_is_called_like_a_status_is_of_its_own_kind():
    long = table(*["dark spot"] * 4, *["bright spot"] * 4)
    named = replace(long, rows=tuple((Cell("bright spot"), *row[1:]) for row in long.rows))
    assert abridge(named, 4) == abridge(long, 4) == (0, 1, 4, 5)


def test_rows_of_no_kind_are_not_lost():
    assert len(abridge(table(*["in line"] * 3, *["bright spot"] * 9), 6)) == 6


def document(text: str) -> Document:
    grid = Mosaic("m", text, (text,), (text,), (("dark",),), {(0, 0): text}, (("dark", text),))
    blocks = (Paragraph(text), Bullets((text,)), Terms(((text, text),)), table(text), grid)
    return Document(
        text,
        text,
        text,
        (text,),
        (Section("method", text, blocks, text),),
        replace(MADE, arguments={"a": text}),
        text,
        (text,),
    )


def test_every_text_is_made_legible():
    cleaned = legible_document(document("a\x00b\x1fc"))
    assert cleaned == document("a\ufffdb\ufffdc")
    assert "\x00" not in repr(cleaned)


def test_what_is_legible_is_left_alone():
    assert legible_document(document("Ŵyr a’r <b>")) == document("Ŵyr a’r <b>")


def test_blocks_are_found_wherever_they_are():
    assert in_document(document("x"), Bullets) == [Bullets(("x",))]
    assert in_document(document("x"), Document) == []


def test_the_manifest_in_lines_leaves_out_what_there_is_not():
    assert manifest_rows(MADE) == (("Made", "2025-06-15T15:06:40Z", False), ("brightspots", "0.1.0", False))
    whole = replace(MADE, seed=0, method="nuts", data_sha256="d", input=InputFile("c.csv", 10, 1200, "f"))
    assert manifest_rows(whole)[1:5] == (
        ("Seed", "0", False),
        ("Method", "nuts", False),
        ("Input", "c.csv, 1,200 rows, SHA-256 f", True),
        ("Data as fitted, SHA-256", "d", True),
    )
