"""Every Python block of docs/casemix.md runs, and prints what the page says it prints."""

from __future__ import annotations

import contextlib
import io
import re

import matplotlib.pyplot as plt

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "casemix.md"
BLOCKS = re.compile(r"```python\n(?P<code>.*?)```(?:\n\n```text\n(?P<output>.*?)```)?", re.DOTALL)
NUMBER = re.compile(r"-?\d[\d,]*\.?\d*")


def test_the_page_runs_and_prints_what_it_says():
    """Words exactly; numbers to the last digit shown, give or take rounding."""
    space: dict[str, object] = {}
    compared = 0
    for found in BLOCKS.finditer(PAGE.read_text(encoding="utf-8")):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(found["code"], str(PAGE), "exec"), space)  # the page's own code
        if found["output"] is not None:
            said, got = found["output"], printed.getvalue()
            assert NUMBER.sub("#", got).split() == NUMBER.sub("#", said).split()
            numbers = [
                [float(number.replace(",", "")) for number in NUMBER.findall(text)] for text in (said, got)
            ]
            assert all(abs(a - b) <= 0.011 + 0.001 * abs(a) for a, b in zip(*numbers, strict=True))
            compared += 1
    plt.close("all")
    assert compared == 1
