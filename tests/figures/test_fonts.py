"""Names in any script: the user's fonts first, then installed ones that have what these lack, else a box and a word."""

from __future__ import annotations

import logging
import warnings

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager

import brightspots as bs
from brightspots.figures import canvas, fonts
from brightspots.figures.caterpillar import draw_caterpillar
from brightspots.figures.mosaic import draw_mosaic

BEIJING, TOKYO, SEOUL = "北京", "東京", "서울"


@pytest.fixture(autouse=True)
def _bare(monkeypatch):
    """A machine with no fonts but matplotlib's own, on which nothing has been warned of."""
    own = str(font_manager.get_font(font_manager.findfont("DejaVu Sans")).fname).rsplit("DejaVuSans", 1)[0]
    bare = [entry for entry in font_manager.fontManager.ttflist if entry.fname.startswith(own)]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", bare)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda *_, **__: [])
    monkeypatch.setattr(fonts, "_told", set())


@pytest.fixture
def make_font(tmp_path):
    """Build a font of squares for some characters, and give its file."""

    def build(family: str, characters: str):
        characters = "".join(dict.fromkeys(characters))
        pen = TTGlyphPen(None)
        pen.moveTo((0, 0))
        for corner in ((0, 700), (700, 700), (700, 0)):
            pen.lineTo(corner)
        pen.closePath()
        glyphs = [".notdef", *(f"u{ord(each):X}" for each in characters)]
        built = FontBuilder(1000, isTTF=True)
        built.setupGlyphOrder(glyphs)
        built.setupCharacterMap({ord(each): f"u{ord(each):X}" for each in characters})
        square = pen.glyph()
        built.setupGlyf(dict.fromkeys(glyphs, square))
        built.setupHorizontalMetrics(dict.fromkeys(glyphs, (800, 0)))
        built.setupHorizontalHeader(ascent=800, descent=-200)
        built.setupNameTable(
            {"familyName": family, "styleName": "Regular", "psName": family.replace(" ", "")}
        )
        built.setupOS2()
        built.setupPost()
        path = tmp_path / f"{family}.ttf"
        built.save(path)
        return path

    return build


@pytest.fixture
def install(make_font):
    """Build a font and tell matplotlib of it."""

    def add(family: str, characters: str) -> None:
        font_manager.fontManager.addfont(make_font(family, characters))

    return add


def table(*names: str) -> pd.DataFrame:
    middle = [1.0 + 0.1 * place for place in range(len(names))]
    return pd.DataFrame(
        {
            "department": names,
            "own_ratio": middle,
            "own_ratio_lower": [0.8 * each for each in middle],
            "own_ratio_upper": [1.2 * each for each in middle],
        }
    )


def families_of(ax) -> list[str]:
    return ax.get_yticklabels()[0].get_fontfamily()


def test_names_that_the_set_fonts_have_need_no_other():
    assert fonts.families_for(["St Mary’s – Ŵyr", "Ελλάδα", "Больница", "مستشفى", table("a")]) is None


def test_a_missing_script_is_drawn_with_an_installed_font_that_has_it(install, tmp_path):
    install("Test Hei", BEIJING + TOKYO)
    ax = draw_caterpillar(table("Ward 7", f"{BEIJING} {TOKYO}"), title=BEIJING)
    assert families_of(ax) == ["DejaVu Sans", "Test Hei"]
    for suffix in ("png", "svg", "pdf"):
        ax.figure.savefig(tmp_path / f"a.{suffix}")  # a glyph that is missing would be an error in this suite


def test_as_few_fonts_as_will_do_and_plain_ones_first(install):
    install("Test Seoul Gothic", SEOUL)
    install("Test Big Sans", BEIJING + TOKYO)
    install("Test Big Mono", BEIJING + TOKYO)
    install("Test Ming", BEIJING)
    assert fonts.families_for([BEIJING, TOKYO, SEOUL]) == (
        "DejaVu Sans",
        "Test Big Sans",
        "Test Seoul Gothic",
    )


def test_the_users_fonts_come_first(install):
    install("Test A Sans", BEIJING)
    install("Test Z", BEIJING)
    with mpl.rc_context({"font.family": ["DejaVu Serif"]}):
        assert families_of(draw_caterpillar(table("Ward 7"))) == ["DejaVu Serif"]
        assert fonts.families_for([BEIJING]) == ("DejaVu Serif", "Test A Sans")
    with mpl.rc_context({"font.sans-serif": ["DejaVu Sans", "Test Z"]}):
        assert fonts.families_for([BEIJING]) == ("DejaVu Sans", "Test Z")
    with mpl.rc_context({"font.family": ["Test Z"]}):
        # Of one that has no Latin dash either, the figure's own words come from matplotlib's font.
        assert fonts.families_for([BEIJING])[:2] == ("Test Z", "DejaVu Sans")


def test_a_family_that_is_not_installed_is_passed_over():
    with mpl.rc_context({"font.family": ["No Such Font"], "font.sans-serif": ["Nor This"]}):
        assert fonts.families_for(["Ward 7"]) is None


def test_no_font_is_said_once_with_a_package_and_boxes_stand_in(tmp_path):
    with pytest.warns(bs.DataWarning, match=r"Chinese \(such as U\+4EAC\).*Korean.*fonts-noto-cjk") as told:
        ax = draw_caterpillar(table(BEIJING, SEOUL))
    assert len(told) == 1
    assert families_of(ax)[-1] == fonts.BOXES
    for suffix in ("png", "svg", "pdf"):
        ax.figure.savefig(tmp_path / f"a.{suffix}")
    draw_caterpillar(table(BEIJING))
    with pytest.warns(bs.DataWarning, match="Devanagari"):
        fonts.families_for(["दिल्ली"])


def test_joiners_without_a_glyph_are_no_news():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fonts.families_for(["a\ufe0fb\u2060c"])


def test_a_font_installed_after_matplotlib_made_its_list(make_font, monkeypatch):
    path = make_font("Test Fresh", BEIJING)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda *_, **__: [str(path)])
    assert fonts.families_for([BEIJING]) == ("DejaVu Sans", "Test Fresh")


def test_axes_that_were_there_before_fall_back_too(install, tmp_path):
    install("Test Hei", BEIJING)
    _, ax = plt.subplots()
    ax.title.set_fontfamily("DejaVu Serif")
    draw_caterpillar(table(BEIJING), title=BEIJING, xlabel=BEIJING, ax=ax)
    ax.figure.savefig(tmp_path / "a.png")
    assert ax.xaxis.label.get_fontfamily()[-1] == "Test Hei"
    assert ax.title.get_fontfamily()[0] == "DejaVu Serif"


def test_that_a_font_has_no_bold_companion_is_not_logged(install, tmp_path, caplog):
    install("Test Hei", BEIJING)
    with caplog.at_level(logging.WARNING):
        draw_caterpillar(table(BEIJING), title=BEIJING).figure.savefig(tmp_path / "a.png")
    assert not caplog.records


def test_every_figure_reads_its_names(install, spots_table):
    install("Test Hei", BEIJING)
    named = spots_table.assign(trust=spots_table["trust"].replace({"R00": BEIJING}))
    draw_mosaic(named).figure.canvas.draw()
    observed = pd.Series([300.0, 10.0, 12.0], index=[BEIJING, "a", "b"])
    limits = bs.funnel_limits(observed, expected=[200.0, 10.0, 12.0], method="spiegelhalter")
    drawn = bs.plot_funnel(limits)
    assert any("Test Hei" in text.get_fontfamily() for text in drawn.texts)
    drawn.figure.canvas.draw()


def test_the_style_leaves_the_settings_as_they_were(install):
    install("Test Hei", BEIJING)
    before = list(mpl.rcParams["font.family"])
    with canvas.style(BEIJING):
        assert mpl.rcParams["font.family"][-1] == "Test Hei"
    assert mpl.rcParams["font.family"] == before


def test_the_font_of_boxes_has_a_box_for_every_character_and_nothing_for_joiners():
    boxes = font_manager.get_font(str(fonts._BOXES_FILE))
    box = boxes.get_char_index(ord("a"))
    assert box
    assert {boxes.get_char_index(code) for code in (0x4E00, 0xE000, 0x13000, 0x1F600, 0x10FFFF)} == {box}
    assert {boxes.get_char_index(code) for code in (0x200D, 0xFE0F)}.isdisjoint({0, box})
