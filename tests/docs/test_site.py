"""What the site promises: every public name in its reference, and the check that it asks nothing from elsewhere."""

from __future__ import annotations

import re

import pytest
import yaml

import brightspots as bs
from tests.conftest import ROOT
from tests.docs.conftest import load_tool

check_site = load_tool("check_site")


def test_every_public_name_is_in_the_reference_once():
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "reference").glob("*.md"))
    assert sorted(re.findall(r"^::: brightspots\.(\w+)$", pages, re.MULTILINE)) == sorted(
        set(bs.__all__) - {"__version__"}
    )
    assert "`brightspots.__version__`" in pages


def test_the_site_is_strict_and_fetches_no_fonts():
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert settings["strict"] is True
    assert settings["theme"]["font"] is False
    assert set(settings["validation"].values()) == {"warn"}
    assert "repo_url" not in settings  # the theme would ask the repository's host for stars


@pytest.mark.parametrize(
    ("page", "asks"),
    [
        ('<p><a href="https://example.org/paper">a paper</a></p>', False),
        ('<img src="images/one.png"><script src="../assets/two.js"></script>', False),
        ('<script src="https://example.org/x.js"></script>', True),
        ('<link rel="stylesheet" href="//example.org/x.css">', True),
        ('<link rel="preconnect" href="https://example.org">', True),
        ('<link rel="canonical" href="https://example.org/page">', False),
        ('<img src="one.png" srcset="https://example.org/two.png 2x">', True),
        ("<style>@import 'https://example.org/x.css';</style>", True),
        ('<div style="background: url(https://example.org/x.png)"></div>', True),
        ('<pre class="mermaid">graph</pre>', True),
    ],
)
def test_requests_are_told_from_links(tmp_path, page, asks):
    (tmp_path / "index.html").write_text(f"<!doctype html><html><body>{page}</body></html>", encoding="utf-8")
    assert bool(check_site.outside_requests(tmp_path)) is asks


def test_a_style_sheet_is_looked_at_too(tmp_path):
    (tmp_path / "a.css").write_text(
        "@font-face { src: url('https://example.org/f.woff2') }", encoding="utf-8"
    )
    assert check_site.outside_requests(tmp_path)


def test_an_empty_folder_does_not_pass(tmp_path):
    with pytest.raises(SystemExit, match="no pages"):
        check_site.main([str(tmp_path)])
