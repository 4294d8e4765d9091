"""The pack in a real browser. Needs Chromium; accessibility rules need axe-core (AXE_CORE names its axe.min.js)."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import brightspots as bs
from brightspots.report.pack import write_board_pack
from tests.conftest import simulate_frame
from tests.report.browser import Browser, chromium, find_chromium
from tests.report.conftest import make_fit

TIP = "document.getElementById('tip')"
# Where the middle of an element is, once it has been scrolled to and the page has come to rest.
BOX = """(element => {
    element.scrollIntoView({block: 'center', behavior: 'instant'});
    return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => {
        const box = element.getBoundingClientRect();
        done([box.x + box.width / 2, box.y + box.height / 2]);
    })));
})"""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
NASTY = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    with chromium(program, tmp_path_factory.mktemp("profile")) as started:
        yield started


def write_packs(cells: pd.DataFrame, trust: str, folder: Path) -> tuple[Path, Path]:
    """The pack of a nation and of one of its trusts, as an analyst makes them."""
    fit = bs.fit_hierarchy(cells, method="integrate", draws=1_000, seed=1)
    spots, notes = fit.find_spots(), cells.attrs["notes"]
    return (
        write_board_pack(fit, spots, folder / "nation.html", events="deaths", notes=notes),
        write_board_pack(fit, spots, folder / "trust.html", events="deaths", notes=notes, trust=trust),
    )


@pytest.fixture(scope="module")
def made_up(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("packs")
    frame = simulate_frame(12, 6)
    frame["trust"] = frame["trust"].replace("T005", NASTY).replace("T006", "x" * 200)
    fit = make_fit(frame)
    spots = fit.find_spots()
    return {
        "small": write_board_pack(fit, spots, folder / "nation.html"),
        "trust": write_board_pack(fit, spots, folder / "trust.html", trust="T003"),
        "nasty": write_board_pack(fit, spots, folder / "nasty.html", trust=NASTY),
    }


@pytest.fixture(scope="module")
def bundled(tmp_path_factory) -> tuple[Path, Path]:
    """The nation that ships: 120 trusts of 20 types of department."""
    return write_packs(bs.load_sample("nation"), "T001", tmp_path_factory.mktemp("bundled"))


@pytest.fixture(scope="module")
def published(tmp_path_factory, real_data) -> tuple[Path, Path]:
    """New York's inpatient quality indicators: 197 hospitals, 11 conditions."""
    cells = bs.read_ny_iqi(real_data / "ny_iqi_2009_2014.csv")
    return write_packs(cells, "0005", tmp_path_factory.mktemp("published"))


PACKS = [
    "small", "trust", "nasty", "nation", "nation's trust",
    pytest.param("NY IQI", marks=pytest.mark.real), pytest.param("NY IQI's trust", marks=pytest.mark.real),
]  # fmt: skip


@pytest.fixture(params=PACKS)
def pack(request) -> Path:
    """Each pack in turn."""
    if request.param in ("small", "trust", "nasty"):
        return request.getfixturevalue("made_up")[request.param]
    nation, trust = request.getfixturevalue("published" if request.param.startswith("NY") else "bundled")
    return trust if request.param.endswith("trust") else nation


@pytest.fixture
def opened(browser, pack) -> Iterator[Browser]:
    """A pack, opened; no complaint and no request may have been made when the test ends."""
    browser.open(pack)
    yield browser
    assert browser.complaints == []
    assert [url for url in browser.requests if not url.startswith("data:")] == [pack.as_uri()]


def test_a_page_opens_without_a_complaint_or_a_request(opened):
    assert opened.ask("document.querySelectorAll('h2').length") > 5


def test_the_pointer_shows_the_department(opened):
    place = "[...document.querySelectorAll('svg.funnel')].at(-1).querySelector('.pt')"
    opened.hover(*opened.ask(f"{BOX}({place})"))
    assert opened.ask(f"{TIP}.hidden") is False
    assert opened.ask(f"{TIP}.textContent === {place}.getAttribute('aria-label')")
    opened.press("Escape")
    assert opened.ask(f"{TIP}.hidden") is True


def test_the_keyboard_shows_every_department(opened):
    opened.ask(
        "[...document.querySelectorAll('svg.funnel')].at(-1).querySelector('.pt[tabindex=\"0\"]').focus()"
    )
    drawn = opened.ask("[...document.querySelectorAll('svg.funnel')].at(-1).querySelectorAll('.pt').length")
    assert drawn > 3
    seen = []
    for _ in range(drawn):
        seen.append(opened.ask("document.activeElement.getAttribute('aria-label')"))
        assert opened.ask(f"{TIP}.textContent") == seen[-1]
        assert opened.ask(f"{TIP}.hidden") is False
        opened.press("ArrowRight")
    assert len(set(seen)) == drawn
    assert opened.ask("document.activeElement.getAttribute('aria-label')") == seen[0]
    assert opened.ask("document.querySelectorAll('svg.funnel .pt[tabindex=\"0\"]').length") == 2


def test_the_tab_key_reaches_the_funnels(opened):
    opened.ask("document.querySelector('nav a:last-child').focus()")
    for _ in range(60):
        opened.press("Tab")
        if opened.ask("document.activeElement.classList.contains('pt')"):
            return
    pytest.fail("sixty presses of Tab did not reach a point")


@pytest.mark.parametrize("way", ["click", "Enter"])
def test_tables_sort_both_ways(opened, way):
    head = "document.querySelector('table.data thead th.n')"
    column = f"Array.prototype.indexOf.call({head}.parentNode.cells, {head})"
    rows = "[...document.querySelector('table.data').tBodies[0].rows]"
    values = f"{rows}.map(row => Number(row.cells[{column}].dataset.v))"
    for direction in ("ascending", "descending"):
        if way == "click":
            opened.click(*opened.ask(f"{BOX}({head})"))
        else:
            opened.ask(f"{head}.querySelector('button').focus()")
            opened.press("Enter")
        assert opened.ask(f"{head}.getAttribute('aria-sort')") == direction
        shown = opened.ask(values)
        assert len(shown) >= 2
        assert shown == sorted(shown, reverse=direction == "descending")


def test_tables_filter(browser, made_up):
    browser.open(made_up["small"])
    block = "document.getElementById('spots-table')"
    visible = (
        f"[...{block}.querySelectorAll('tbody tr')].filter(r => !r.hidden).map(r => r.cells[2].textContent)"
    )
    every = browser.ask(visible)
    browser.ask(
        f"(s => {{ s.value = 'dark spot'; s.dispatchEvent(new Event('change')); }})({block}.querySelector('select'))"
    )
    assert browser.ask(visible) == [status for status in every if status == "dark spot"] != []
    browser.ask(
        f"(s => {{ s.value = 'T003'; s.dispatchEvent(new Event('input')); }})({block}.querySelector('input'))"
    )
    assert 0 < len(browser.ask(visible)) < len(every)
    assert " of " in browser.ask(f"{block}.querySelector('.shown').textContent")


def test_the_mosaic_says_what_a_cell_is(browser, made_up):
    browser.open(made_up["small"])
    browser.hover(*browser.ask(f"{BOX}(document.querySelector('table.grid td.dark'))"))
    said = browser.ask(f"{TIP}.textContent")
    assert "dark spot" in said
    assert "(95% interval" in said


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_needs_sideways_scrolling_of_the_page(browser, pack, width):
    browser.open(pack, width, 800)
    assert browser.ask("document.documentElement.scrollWidth") <= width


def test_it_prints_on_a4(browser, pack):
    browser.open(pack)
    printed = base64.b64decode(browser.call("Page.printToPDF", preferCSSPageSize=True)["data"])
    boxes = re.findall(rb"/MediaBox ?\[0 0 ([0-9.]+) ([0-9.]+)\]", printed)
    assert 2 <= len(boxes) <= 40
    assert {(round(float(width)), round(float(height))) for width, height in boxes} == {(595, 842)}


@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_no_violation(browser, pack, width):
    axe = os.environ.get("AXE_CORE")
    if axe is None:
        pytest.skip("AXE_CORE does not name axe-core's axe.min.js (.ci/run fetches it with npm)")
    browser.open(pack, width)
    browser.ask(Path(axe).read_text(encoding="utf-8") + "\n;undefined")
    found = browser.ask(
        f"axe.run(document, {{runOnly: {RULES}, resultTypes: ['violations']}})"
        ".then(result => result.violations.map(found => "
        "[found.impact, found.id, found.nodes.slice(0, 3).map(node => node.html.slice(0, 200))]))"
    )
    assert found == []
