"""The README: its links lead somewhere, and it stays as short as it promises (its code runs in tests/docs)."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT
from tests.docs.conftest import blocks

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "target", re.findall(r"\]\(([^)#]+)", TEXT) + re.findall(r"`(docs/[\w/]+\.md)`", TEXT)
)
def test_every_page_the_readme_names_is_there(target):
    assert (ROOT / target).exists()


def test_ten_lines_of_python_are_at_most_ten():
    (block,) = [block for block in blocks.read_blocks(ROOT / "README.md") if block.language == "python"]
    assert len([line for line in block.code.splitlines() if line.strip()]) <= 10
    assert block.output
