"""Names that are markup, formulas, very long, Welsh or no text come out harmless and legible in every format."""

from __future__ import annotations

import csv
import json
import re
import warnings
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from lxml import etree
from PIL import Image

from brightspots.cli.drawing import save_figure
from brightspots.common.errors import DataWarning
from brightspots.common.files import legible, write_table
from brightspots.figures.describe import describe
from brightspots.report.manifest import make_manifest
from brightspots.report.pack import write_board_pack
from tests.conftest import simulate_frame
from tests.report import office
from tests.report.conftest import make_fit
from tests.report.page import Page

NAMES = {
    "markup": "<script>alert(1)</script>",
    "long": "x" * 200,
    "Welsh": "Bwrdd Iechyd Prifysgol Cwm Taf Morgannwg – Ŵyr a’r tŷ",
    "formula": '=HYPERLINK("http://example.org","x")',
    "control": "Ward\x00 7\x01\x1b[31m\x0b\u202etxet",
    "field": "{{ 1 }} %s $x_1$ &amp; ]]>",
}
NAME = pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
WHOSE = pytest.mark.parametrize("trust", [None, *NAMES.values()], ids=["nation", *NAMES])


@cache
def hostile_fit():
    """A fit in which trusts and departments have all of these names.

    Control characters are refused at the door; saved fits of the first release may have them, and so has this one.
    """
    frame = simulate_frame(8, 6)
    harmless = {name: name.replace(NAMES["control"], "control") for name in NAMES.values()}
    frame["trust"] = frame["trust"].replace(
        {f"T{n:03d}": harmless[name] for n, name in enumerate(NAMES.values())}
    )
    frame["department"] = frame["department"].replace(
        {f"D{n:02d}": harmless[name] for n, name in enumerate(NAMES.values())}
    )
    fit = make_fit(frame, draws=200)
    cells = fit.table.cells
    labels = {
        part: np.where(getattr(cells, part) == "control", NAMES["control"], getattr(cells, part))
        for part in ("trusts", "departments")
    }
    cells = replace(cells, **labels)
    return replace(fit, table=replace(fit.table, cells=cells), effects=replace(fit.effects, cells=cells))


@cache
def hostile_spots():
    return hostile_fit().find_spots()


@WHOSE
def test_a_page(trust, tmp_path):
    path = write_board_pack(
        hostile_fit(),
        hostile_spots(),
        tmp_path / "b.html",
        trust=trust,
        title=trust,
        notes=NAMES.values(),
        events="<i>deaths</i>",
    )
    page = Page(path.read_text(encoding="utf-8"))
    assert len(page.all("script")) == 2
    assert not page.all("i")
    assert not page.all("b")
    for name in NAMES.values():
        assert page.text.count(squeezed(name)) >= 3
    assert trust is None or page.all("title")[0].words == squeezed(trust)


@pytest.mark.parametrize("suffix", [".docx", ".pptx"])
@WHOSE
def test_word_and_powerpoint(suffix, trust, tmp_path):
    path = write_board_pack(
        hostile_fit(), hostile_spots(), tmp_path / f"b{suffix}", trust=trust, notes=NAMES.values()
    )
    content = office.parts(path)  # every part is well-formed XML
    text = office.text_of(path)
    for name in NAMES.values():
        assert text.count(squeezed(name)) >= 3
    assert not [part for part in content if "vba" in part.lower() or "externalLink" in part]
    assert not [
        part for part, xml in content.items() if part.endswith(".rels") and b'TargetMode="External"' in xml
    ]


def test_tables(tmp_path):
    """Tables keep names as they are, for they are keys; only a formula gets its apostrophe, and only in CSV."""
    departments = hostile_fit().departments()
    write_table(departments, tmp_path / "t.parquet")
    assert set(NAMES.values()) < set(pd.read_parquet(tmp_path / "t.parquet")["trust"])
    write_table(departments, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        found = {row["trust"] for row in csv.DictReader(file)}
    assert len(found) == 8
    assert {f"'{name}" if name.startswith("=") else name for name in NAMES.values()} < found
    assert not [each for each in found if each[0] in "=+-@"]


@WHOSE
def test_pictures(trust, tmp_path):
    """The image holds its alternative text and its manifest; no warning of a sign that the font cannot draw."""
    fit = hostile_fit()
    axes = fit.plot_funnel(trust) if trust else fit.plot_funnel(highlight=list(NAMES.values()))
    save_figure(axes, tmp_path / "f.png", make_manifest(fit, arguments={"trust": trust}))
    with Image.open(tmp_path / "f.png") as picture:
        told, manifest = picture.info["Description"], json.loads(picture.info["Comment"])
    assert told == legible(told)
    assert manifest["arguments"]["trust"] == trust
    assert trust is None or squeezed(trust)[:20] in " ".join(told.split())


@pytest.mark.parametrize("suffix", [".svg", ".pdf"])
def test_drawings(suffix, tmp_path):
    axes = hostile_fit().plot_funnel(highlight=list(NAMES.values()))
    save_figure(
        axes, tmp_path / f"f{suffix}", make_manifest(hostile_fit(), arguments={"trust": NAMES["control"]})
    )
    content = (tmp_path / f"f{suffix}").read_bytes()
    if suffix == ".svg":
        assert not [each for each in etree.fromstring(content).iter() if str(each.tag).endswith("script")]
    assert content


@pytest.mark.parametrize("figure", ["plot_mosaic", "plot_caterpillar"])
def test_other_figures(figure):
    axes = getattr(hostile_fit(), figure)()
    axes.figure.canvas.draw()
    assert describe(axes) == legible(describe(axes))
    for text in (*axes.texts, *axes.get_xticklabels(), *axes.get_yticklabels(), axes.title):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text.get_text())


# ---- very long names, and every script --------------------------------------------------------------------------

NORTH, SOUTH = "Ward " * 8_000 + "north", "Ward " * 8_000 + "south"
SCRIPTS = (
    "北京協和醫院",
    "東京大学",
    "서울대학교",
    "مستشفى",
    "בית חולים",
    "दिल्ली",
    "โรงพยาบาล",
    "Ελλάδα",
    "Больница",
    "🏥 Ward",
)


@cache
def long_fit():
    """Two trusts and two departments whose names of 40,000 characters differ in the last five."""
    frame = simulate_frame(8, 6)
    for column, first in (("trust", "T00"), ("department", "D0")):
        frame[column] = frame[column].replace({f"{first}1": NORTH, f"{first}2": SOUTH})
    return make_fit(frame, draws=200)


@pytest.mark.parametrize("suffix", [".html", ".docx", ".pptx"])
@pytest.mark.parametrize("trust", [None, NORTH], ids=["nation", "trust"])
def test_long_names_are_cut_and_stay_apart(suffix, trust, tmp_path):
    path = write_board_pack(long_fit(), long_fit().find_spots(), tmp_path / f"b{suffix}", trust=trust)
    text = Page(path.read_text(encoding="utf-8")).text if suffix == ".html" else office.text_of(path)
    assert max(map(len, re.findall(r"(?:Ward )+", text))) < 250
    for end in ("north", "south") if trust is None else ("north",):
        assert f"Ward {end}" in text
    assert "4 names of trusts or departments are too long to be written whole" in text
    assert path.stat().st_size < 3_000_000


@pytest.mark.parametrize("figure", ["plot_mosaic", "plot_caterpillar", "plot_funnel"])
def test_long_names_in_figures(figure):
    axes = getattr(long_fit(), figure)(**({"highlight": [NORTH, SOUTH]} if figure == "plot_funnel" else {}))
    axes.figure.canvas.draw()
    written = [text.get_text() for text in (*axes.texts, *axes.get_yticklabels())]
    for end in ("north", "south"):
        assert any(text.endswith(end) and len(text) < 60 for text in written)


@pytest.mark.parametrize("suffix", [".html", ".docx", ".pptx"])
def test_every_script_comes_through_to_office_files_and_pages(suffix, tmp_path):
    """As text, with typefaces for it; which fonts pictures are drawn with is the matter of `figures/test_fonts.py`."""
    frame = simulate_frame(10, 6)
    frame["department"] = frame["department"].replace({f"D{n:02d}": name for n, name in enumerate(SCRIPTS)})
    fit = make_fit(frame, draws=200)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "no installed font has characters", DataWarning)
        path = write_board_pack(fit, fit.find_spots(), tmp_path / f"b{suffix}")
    text = Page(path.read_text(encoding="utf-8")).text if suffix == ".html" else office.text_of(path)
    for name in SCRIPTS[:6]:
        assert name in text


def test_legible_text_stays_as_it_is():
    for text in (NAMES["markup"], NAMES["Welsh"], "日本語 עברית العربية 🏥", "a\u00a0b", ""):
        assert legible(text) is text


def test_what_cannot_be_shown_is_marked():
    assert legible("a\x00b\x1bc\x7fd\x9fe\ufffe") == "a\ufffdb\ufffdc\ufffdd\ufffde\ufffd"
    assert legible("a\r\nb\tc\u2028d\x85e") == "a  b c d e"
    assert legible("\u202eabc\u2066") == "\ufffdabc\ufffd"


def squeezed(name: str) -> str:
    """As a reader sees it."""
    return " ".join(legible(name).split())
