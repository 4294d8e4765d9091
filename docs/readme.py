"""Run the README's Python and put what it prints, and its figure, back into the README.

python docs/readme.py
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
README = Path(__file__).resolve().parents[1] / "README.md"
BLOCKS = re.compile(r"```python\n(?P<code>.*?)```\n\n```text\n(?P<output>.*?)```", re.DOTALL)


def run(code: str) -> tuple[str, dict[str, Any]]:
    """Run code in an empty folder; return what it printed and its names."""
    printed, scope = io.StringIO(), {}
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(printed):
        os.chdir(folder)
        try:
            exec(code, scope)
        finally:
            os.chdir(here)
    return printed.getvalue(), scope


def main() -> None:
    """Rewrite the output block and the figure."""
    text = README.read_text(encoding="utf-8")
    found = BLOCKS.search(text)
    if found is None:
        raise SystemExit("README.md has no python block followed by a text block")
    output, scope = run(found["code"])
    README.write_text(text[: found.start("output")] + output + text[found.end("output") :], encoding="utf-8")
    figure = scope["ax"].figure
    figure.savefig(README.parent / "docs" / "images" / "readme_funnel.png", dpi=90, bbox_inches="tight")


if __name__ == "__main__":
    main()
