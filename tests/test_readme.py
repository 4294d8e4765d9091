"""The README's Python runs, and prints what the README says it prints."""

from __future__ import annotations

import importlib.util
import re

import pytest

from tests.conftest import ROOT

NUMBER = re.compile(r"-?\d[\d,]*\.?\d*")


@pytest.fixture(scope="module")
def readme():
    spec = importlib.util.spec_from_file_location("readme", ROOT / "docs" / "readme.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readme_prints_what_it_says(readme):
    """Words exactly; numbers within 3%, for arithmetic differs a little between machines."""
    found = readme.BLOCKS.search(readme.README.read_text(encoding="utf-8"))
    printed, _ = readme.run(found["code"])
    said = found["output"]
    timeless = [re.sub(r"[\d.]+ s$", "", text, flags=re.MULTILINE) for text in (said, printed)]
    words = [NUMBER.sub("#", text).split() for text in timeless]
    assert words[0] == words[1]
    numbers = [[float(number.replace(",", "")) for number in NUMBER.findall(text)] for text in timeless]
    assert numbers[1] == pytest.approx(numbers[0], rel=0.03, abs=0.02)


@pytest.mark.parametrize(
    "name", re.findall(r"\]\((docs/[^)]+|[A-Z]+\.md)\)|`(docs/[\w/]+\.md)`", (ROOT / "README.md").read_text())
)
def test_every_page_the_readme_names_is_there(name):
    assert (ROOT / (name[0] or name[1])).exists()
