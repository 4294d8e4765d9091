"""The pack as a Word document: native, numbered, bounded, the same bytes twice."""

from __future__ import annotations

import json

import docx
import pytest
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.ns import qn
from docx.shared import Mm
from lxml import etree

from brightspots.report import pictures, word
from brightspots.report.document import Funnel, Funnels, Limit, Point
from brightspots.report.pack import write_board_pack
from tests.conftest import simulate_frame
from tests.report import office
from tests.report.conftest import FAILS, make_fit


@pytest.fixture(scope="module")
def fit():
    return make_fit(simulate_frame(12, 6))


@pytest.fixture(scope="module")
def packs(fit, tmp_path_factory):
    folder = tmp_path_factory.mktemp("word")
    spots = fit.find_spots()
    return {
        "nation": write_board_pack(fit, spots, folder / "nation.docx", events="deaths", notes=["Made up."]),
        "trust": write_board_pack(fit, spots, folder / "trust.docx", events="deaths", trust="T003"),
    }


@pytest.fixture(params=["nation", "trust"])
def path(request, packs):
    return packs[request.param]


@pytest.fixture
def paper(path):
    return docx.Document(str(path))


def styled(paper, style: str) -> list[str]:
    return [office.whole(each) for each in paper.paragraphs if each.style.name == style]


def test_headings_are_those_of_the_page_in_the_same_order(packs):
    assert styled(docx.Document(str(packs["nation"])), "Heading 1") == [
        "In brief",
        "Where the variation lies",
        "Funnels: trusts, then departments",
        "Every department at a glance",
        "Bright and dark spots",
        "Against the overall rating",
        "What cannot be told",
        "Whom to learn from",
        "How this was done, and what the words mean",
        "Certificate and provenance",
    ]
    one = styled(docx.Document(str(packs["trust"])), "Heading 1")
    assert one[:3] == ["In brief", "Dark spots and bright spots", "Every department"]


def test_figures_and_tables_are_numbered_by_fields(paper):
    captions = [each for each in paper.paragraphs if each.style.name == "Caption"]
    for label in ("Figure", "Table"):
        own = [each for each in captions if office.whole(each).startswith(label)]
        assert [office.fields(each) for each in own] == [[f"SEQ {label} \\* ARABIC"]] * len(own)
        assert [office.whole(each).split(".")[0] for each in own] == [
            f"{label} {n + 1}" for n in range(len(own))
        ]
    assert len(paper.inline_shapes) == sum(office.whole(each).startswith("Figure") for each in captions)
    assert len(paper.tables) == sum(office.whole(each).startswith("Table") for each in captions)


def test_every_figure_has_alternative_text_and_fits_the_page(paper):
    page = paper.sections[0]
    room = page.page_width - page.left_margin - page.right_margin
    assert len(paper.inline_shapes) >= 2
    for shape in paper.inline_shapes:
        assert len(shape._inline.docPr.get("descr")) > 60
        assert shape.width <= room
        assert shape.height < page.page_height - page.top_margin - page.bottom_margin


def test_tables_are_native(paper):
    page = paper.sections[0]
    room = page.page_width - page.left_margin - page.right_margin
    for table in paper.tables:
        first, *others = table.rows
        assert first._tr.trPr.find(qn("w:tblHeader")) is not None
        assert not [row for row in others if row._tr.trPr.find(qn("w:tblHeader")) is not None]
        widths = [cell.width for cell in first.cells]
        assert sum(widths) <= room
        assert min(widths) > Mm(8)
        assert widths == [column.width for column in table.columns]
        assert table._tbl.tblPr.find(qn("w:tblDescription")).get(qn("w:val"))


def test_numbers_stand_to_the_right_and_words_to_the_left(packs):
    paper = docx.Document(str(packs["nation"]))
    table = next(each for each in paper.tables if each.rows[0].cells[-1].text == "Against the rating")
    headings = [cell.text for cell in table.rows[0].cells]
    right = WD_ALIGN_PARAGRAPH.RIGHT
    sides = {
        heading: cell.paragraphs[0].alignment
        for heading, cell in zip(headings, table.rows[1].cells, strict=True)
    }
    assert sides["Excess deaths"] == sides["Probability of the status"] == right
    assert sides["Trust"] is None
    assert sides["Status"] is None


def test_the_table_of_spots_holds_the_numbers_of_the_library(packs, fit):
    paper = docx.Document(str(packs["nation"]))
    table = next(each for each in paper.tables if each.rows[0].cells[-1].text == "Against the rating")
    written = office.rows(table)[1:]
    spots = fit.find_spots()
    flagged = spots.table[spots.table["status"].isin(["dark spot", "bright spot"])]
    assert len(written) == len(flagged) > 5
    by_name = {(row[0], row[1]): row for row in written}
    for row in flagged.itertuples():
        found = by_name[row.trust, row.department]
        assert found[2].endswith(row.status)
        assert found[3] == f"{row.own_ratio:.2f} ({row.own_ratio_lower:.2f} to {row.own_ratio_upper:.2f})"
        assert found[4] == f"{row.peer_ratio:.2f} ({row.peer_ratio_lower:.2f} to {row.peer_ratio_upper:.2f})"


def test_a_page_is_a4_with_its_number_at_the_foot(paper):
    page = paper.sections[0]
    assert (round(page.page_width.mm), round(page.page_height.mm)) == (210, 297)
    assert office.fields(page.footer.paragraphs[0]) == ["PAGE", "NUMPAGES"]


def test_properties_name_no_author_and_no_template(path, paper):
    properties = paper.core_properties
    assert properties.title == styled(paper, "Title")[0]
    assert (properties.author, properties.last_modified_by, properties.comments) == ("", "", "")
    assert properties.language == "en-GB"
    content = office.parts(path)
    assert b"python-docx" not in b"".join(content.values())
    assert not [name for name in content if "thumbnail" in name]
    assert b'w:lang w:val="en-GB"' in content["word/styles.xml"]
    assert b"en-US" not in content["word/styles.xml"]


def test_the_manifest_stands_in_the_properties_and_at_the_end(path, paper, fit):
    held = office.properties(path)
    assert json.loads(held["brightspots.seed"]) == fit.seed
    assert held["brightspots.method"] == "integrate"
    provenance = dict(office.rows(paper.tables[-1])[1:])
    assert provenance["Data as fitted, SHA-256"] == held["brightspots.data_sha256"]
    assert provenance["numpy"] == held["brightspots.versions.numpy"]


def test_the_same_fit_gives_the_same_bytes(fit, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1750000000")
    spots = fit.find_spots()
    first, second = (
        write_board_pack(fit, spots, tmp_path / name, trust="T003") for name in ("a.docx", "b.docx")
    )
    assert office.dates(first) == {(2025, 6, 15, 15, 6, 40)}
    assert first.read_bytes() == second.read_bytes()
    assert docx.Document(str(first)).core_properties.created.isoformat().startswith("2025-06-15T15:06:40")


def test_notes_and_events_are_carried(packs):
    text = office.text_of(packs["nation"])
    assert "Made up." in text
    assert "More deaths than elsewhere count as dark, fewer as bright." in text


def test_a_long_table_is_cut_with_as_many_dark_as_bright_spots_and_says_so(tmp_path):
    fit = make_fit(simulate_frame(40, 12), sd=0.8, draws=60)
    spots = fit.find_spots()
    path = write_board_pack(fit, spots, tmp_path / "board.docx")
    paper = docx.Document(str(path))
    table = next(each for each in paper.tables if each.rows[0].cells[-1].text == "Against the rating")
    statuses = [row[2][2:] for row in office.rows(table)[1:]]
    assert statuses == ["dark spot"] * 30 + ["bright spot"] * 30
    total = len(spots.dark) + len(spots.bright)
    said = f"60 of {total} rows are shown here, in their order (the same number of each of “dark spot” and"
    assert said in office.text_of(path)


def test_a_large_grid_is_spread_over_pages(tmp_path):
    fit = make_fit(simulate_frame(130, 4), draws=60)
    paper = docx.Document(str(write_board_pack(fit, fit.find_spots(), tmp_path / "board.docx")))
    grids = [each for each in styled(paper, "Caption") if "Every department of every trust" in each]
    assert [each[each.index("Part") :] for each in grids] == [
        "Part 1 of 3: T000 to T043.",
        "Part 2 of 3: T044 to T087.",
        "Part 3 of 3: T088 to T129.",
    ]


def test_types_that_cannot_be_named_in_a_grid_are_said(tmp_path):
    fit = make_fit(simulate_frame(5, word.pictures.MOST_NAMED_COLUMNS + 1), draws=60)
    path = write_board_pack(fit, fit.find_spots(), tmp_path / "board.docx")
    assert (
        "The columns are the 46 department types in the order of their names, too many to write here"
        in office.text_of(path)
    )


def test_an_unearned_certificate_is_said_before_anything_else(tmp_path):
    fit = make_fit(simulate_frame(12, 6), certificate=FAILS)
    text = office.text_of(write_board_pack(fit, fit.find_spots(), tmp_path / "board.docx"))
    assert text.index("Do not rely on these numbers yet") < text.index("In brief")


def test_a_suppressed_count_is_a_bar_and_not_a_point():
    def panel(**bar):
        points = (Point(10.0, 0.5, "A", "", "plain", **bar), Point(20.0, 1.5, "B", "", "plain"))
        limit = Limit(0.998, (5.0, 40.0), (0.1, 0.5), (2.0, 1.5))
        return Funnel("All", points, (limit,), 1.0, "level", "expected", "ratio")

    def drawn(funnel):
        figure = Funnels("f", "", "", (funnel,), ())
        return pictures.funnels(figure, (funnel,), (4.0, 3.0), 8.0).png

    assert drawn(panel()) != drawn(panel(low=0.0, high=1.0)) != drawn(panel(low=0.4, high=0.6))


def test_text_has_a_typeface_for_latin_and_one_for_east_asian_scripts(packs):
    styles = etree.fromstring(office.parts(packs["nation"])["word/styles.xml"])
    fonts = styles.find(f".//{office.WORD}docDefaults//{office.WORD}rFonts")
    named = {name.rpartition("}")[2]: face for name, face in fonts.attrib.items()}
    assert named == {"ascii": "Arial", "hAnsi": "Arial", "cs": "Arial", "eastAsia": "Microsoft YaHei"}
