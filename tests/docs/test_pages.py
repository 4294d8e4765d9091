"""Every Python block of README.md and docs/ runs, warnings being errors, and prints what the page says it prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs.conftest import blocks as tool

NUMBER = re.compile(r"-?\d[\d,]*\.?\d*")
PAGES = {page.relative_to(ROOT).as_posix(): page for page in tool.pages()}
PYTHON = {
    name: found
    for name, page in PAGES.items()
    if (found := [block for block in tool.read_blocks(page) if block.language == "python"])
}
MARKED = [name for name, found in PYTHON.items() if any(block.needs for block in found)]


def check_output(block, printed: str) -> None:
    """Words exactly; numbers within 3%, for arithmetic differs a little between machines; seconds not at all."""
    if block.output is None:
        return
    said, printed = (re.sub(r"[\d.]+ s$", "", text, flags=re.MULTILINE) for text in (block.output, printed))
    words = [re.sub(r"-+", "-", NUMBER.sub("#", text)).split() for text in (said, printed)]
    assert words[1] == words[0], block.where
    numbers = [
        [float(number.replace(",", "")) for number in NUMBER.findall(text)] for text in (said, printed)
    ]
    assert numbers[1] == pytest.approx(numbers[0], rel=0.03, abs=0.02), block.where


@pytest.mark.parametrize("name", PYTHON)
def test_the_page_runs_without_published_files(name):
    """Blocks run in order; one that is marked as needing a file cannot do without it, or is marked for no reason."""
    namespace = {"__name__": "page"}
    with tool.folder_for(PYTHON[name], with_files=False):
        for block in PYTHON[name]:
            if block.needs:
                with pytest.raises(Exception):  # noqa: B017, PT011 - whatever comes of the missing file
                    tool.run(block, dict(namespace))
            else:
                check_output(block, tool.run(block, namespace))


@pytest.mark.real
@pytest.mark.parametrize("name", MARKED)
def test_the_page_runs_on_published_files(name, real_data: Path):
    missing = {file for block in PYTHON[name] for file in block.needs if not (real_data / file).is_file()}
    if missing:
        pytest.skip(f"{', '.join(sorted(missing))} not in {real_data}")
    namespace = {"__name__": "page"}
    with tool.folder_for(PYTHON[name]):
        for block in PYTHON[name]:
            check_output(block, tool.run(block, namespace))


def test_marks_say_what_they_mean():
    """A mark that nothing reads (misspelt, or not right above its block) would be no mark at all."""
    marks = re.compile(r"^<!-- (needs|raises|not run)\b.*$", re.MULTILINE)
    for name, page in PAGES.items():
        read = [block for block in tool.read_blocks(page) if block.needs or block.raises or block.not_run]
        assert len(marks.findall(page.read_text(encoding="utf-8"))) == len(read), name


def test_no_output_stands_alone():
    """What looks like the output of a program follows the program, or the page was written by a script that ran it."""
    for name in PYTHON:
        text = PAGES[name].read_text(encoding="utf-8")
        owned = sum(block.output is not None for block in PYTHON[name])
        assert len(re.findall(r"^```text", text, re.MULTILINE)) == owned, name
