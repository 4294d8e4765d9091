"""The pack as slides: one message a slide, native tables, method and caveats in the notes."""

from __future__ import annotations

import json

import pptx
import pytest
from pptx.util import Inches

from brightspots.report import storyboard
from brightspots.report.pack import write_board_pack
from tests.conftest import simulate_frame
from tests.report import office
from tests.report.conftest import FAILS, make_fit


@pytest.fixture(scope="module")
def fit():
    return make_fit(simulate_frame(12, 6))


@pytest.fixture(scope="module")
def packs(fit, tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    spots = fit.find_spots()
    return {
        "nation": write_board_pack(fit, spots, folder / "nation.pptx", events="deaths", notes=["Made up."]),
        "trust": write_board_pack(fit, spots, folder / "trust.pptx", events="deaths", trust="T003"),
    }


@pytest.fixture(params=["nation", "trust"])
def path(request, packs):
    return packs[request.param]


@pytest.fixture
def deck(path):
    return pptx.Presentation(str(path))


def titles(deck) -> list[str]:
    return [slide.shapes.title.text_frame.text for slide in deck.slides]


def test_the_title_of_a_slide_is_its_message(deck):
    first, *others = titles(deck)
    assert first.startswith("Bright and dark spots")
    assert all(title.endswith(".") and len(title.split()) > 5 for title in others)


def test_the_nation_is_told_in_messages(packs, fit):
    said = titles(pptx.Presentation(str(packs["nation"])))
    spots = fit.find_spots()
    assert any(title.startswith("Of the variation that chance does not explain, ") for title in said)
    flags = (
        f"Among 72 departments there are {len(spots.dark)} dark spots and {len(spots.bright)} bright spots."
    )
    assert any(title.startswith(flags) for title in said)
    assert any("hold both kinds at once" in title for title in said)
    assert any("the data cannot tell" in title for title in said)


def test_a_trust_leads_with_its_own_spots(packs):
    said = titles(pptx.Presentation(str(packs["trust"])))
    assert said[1].startswith("T003 has ")
    assert "T003 lies within the 99.8% limits: chance and" in " ".join(said)


def test_a_slide_shows_one_thing(deck):
    for slide in list(deck.slides)[1:]:
        things = [
            shape
            for shape in slide.shapes
            if shape.has_table or shape.shape_type == 13 or shape.name == "Sentences"
        ]
        assert len(things) == 1, titles(deck)


def test_every_slide_has_notes_and_they_hold_the_caveats(deck):
    notes = [slide.notes_slide.notes_text_frame.text for slide in deck.slides]
    assert all(notes[:-1])
    assert (
        sum("A flag is a reason to look, not a finding about the quality of care." in each for each in notes)
        > 5
    )
    assert any("A hierarchical Bayesian model then separates" in each for each in notes)


def test_notes_of_the_data_are_in_the_notes(packs):
    assert "Made up." in office.text_of(packs["nation"])


def test_pictures_and_tables_have_alternative_text(deck):
    told = [
        shape.element.xpath(".//p:cNvPr")[0].get("descr")
        for slide in deck.slides
        for shape in slide.shapes
        if shape.has_table or shape.shape_type == 13
    ]
    assert len(told) > 6
    assert all(told)


def test_slides_are_wide_numbered_and_hold_what_is_on_them(deck):
    assert (deck.slide_width, deck.slide_height) == (Inches(13.333), Inches(7.5))
    for slide in list(deck.slides)[1:]:
        for shape in slide.shapes:
            height = sum(row.height for row in shape.table.rows) if shape.has_table else shape.height
            assert shape.left >= 0
            assert shape.left + shape.width <= deck.slide_width
            assert shape.top + height <= deck.slide_height, slide.shapes.title.text_frame.text
        assert slide.element.xpath('.//p:ph[@type="sldNum"]')
        identifiers = [each.get("id") for each in slide.element.xpath(".//p:cNvPr")]
        assert len(identifiers) == len(set(identifiers))


def test_tables_are_native_with_a_heading_row(packs, fit):
    spots = fit.find_spots()
    deck = pptx.Presentation(str(packs["nation"]))
    tables = [shape.table for slide in deck.slides for shape in slide.shapes if shape.has_table]
    assert all(table.first_row for table in tables)
    held = [row for table in tables if "Status" in office.rows(table)[0] for row in office.rows(table)[1:]]
    flagged = spots.table[spots.table["status"].isin(["dark spot", "bright spot"])]
    ratios = {
        f"{row.own_ratio:.2f} ({row.own_ratio_lower:.2f} to {row.own_ratio_upper:.2f})"
        for row in flagged.itertuples()
    }
    assert {row[3] for row in held} <= ratios
    assert len(held) == min(20, len(flagged))


def test_a_long_table_shows_a_board_both_kinds_and_says_what_it_leaves_out(tmp_path):
    fit = make_fit(simulate_frame(40, 12), sd=0.8, draws=60)
    spots = fit.find_spots()
    path = write_board_pack(fit, spots, tmp_path / "board.pptx")
    tables = [s.table for slide in pptx.Presentation(str(path)).slides for s in slide.shapes if s.has_table]
    held = [row for table in tables if "Status" in office.rows(table)[0] for row in office.rows(table)[1:]]
    assert [row[2][2:] for row in held] == ["dark spot"] * 10 + ["bright spot"] * 10
    assert f"20 of {len(spots.dark) + len(spots.bright)} rows are shown here" in office.text_of(path)


def test_every_department_of_a_trust_is_shown(packs):
    deck = pptx.Presentation(str(packs["trust"]))
    tables = [shape.table for slide in deck.slides for shape in slide.shapes if shape.has_table]
    departments = next(office.rows(table) for table in tables if "Excess deaths" in office.rows(table)[0])
    assert [row[0] for row in departments[1:]] == [f"D{n:02d}" for n in range(6)]


def test_properties_name_no_author_and_no_template(path, deck, fit):
    properties = deck.core_properties
    assert properties.title == titles(deck)[0]
    assert (properties.author, properties.last_modified_by) == ("", "")
    assert properties.language == "en-GB"
    content = office.parts(path)
    assert b"Steve Canny" not in b"".join(content.values())
    assert not [name for name in content if "thumbnail" in name or "printerSettings" in name]
    assert json.loads(office.properties(path)["brightspots.seed"]) == fit.seed


def test_no_red_and_no_green_in_the_theme(path):
    theme = office.parts(path)["ppt/theme/theme1.xml"]
    for colour in (b"C0504D", b"9BBB59"):
        assert colour not in theme
    assert b"005EB8" in theme


def test_the_same_fit_gives_the_same_bytes(fit, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1750000000")
    spots = fit.find_spots()
    first, second = (
        write_board_pack(fit, spots, tmp_path / name, trust="T003") for name in ("a.pptx", "b.pptx")
    )
    assert office.dates(first) == {(2025, 6, 15, 15, 6, 40)}
    assert first.read_bytes() == second.read_bytes()


def test_an_unearned_certificate_is_on_every_slide(tmp_path):
    fit = make_fit(simulate_frame(12, 6), certificate=FAILS)
    deck = pptx.Presentation(
        str(write_board_pack(fit, fit.find_spots(), tmp_path / "board.pptx", trust="T003"))
    )
    for slide in deck.slides:
        assert any(
            "Do not rely on these numbers yet" in shape.text_frame.text
            for shape in slide.shapes
            if shape.has_text_frame
        )


@pytest.mark.parametrize(
    ("rows", "room", "pages"),
    [
        (0, 5.0, []),
        (1, 0.5, [1]),
        (10, 10.0, [10]),
        (11, 10.0, [6, 5]),
        (17, 9.1, [9, 8]),
        (20, 7.3, [7, 7, 6]),
    ],
)
def test_rows_are_spread_over_as_few_slides_as_hold_them_and_evenly(rows, room, pages):
    spread = storyboard._spread([1.0] * rows, room)
    assert [len(page) for page in spread] == pages
    assert [position for page in spread for position in page] == list(range(rows))
