"""Sections of docs/benchmarks.md, each written by its own script and leaving the others alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "benchmarks.md"
_HEAD = """# Benchmarks

Every number on this page was written by the script that measured it: `make benchmark`, or one section at a time with
`python benchmarks/rivals.py --write` and `python benchmarks/scale.py --write`.
"""


def write_section(name: str, text: str, page: Path = PAGE) -> None:
    """Put `text` between the markers of section `name`, at the end where there are none yet."""
    start, stop = f"<!-- {name}: start -->", f"<!-- {name}: end -->"
    whole = page.read_text(encoding="utf-8") if page.exists() else _HEAD
    section = f"{start}\n{text.strip()}\n{stop}"
    if start in whole:
        before, _, rest = whole.partition(start)
        whole = before + section + rest.partition(stop)[2]
    else:
        whole = f"{whole.rstrip()}\n\n{section}\n"
    page.write_text(whole, encoding="utf-8")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its first column to the left and the others to the right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))


def number(value: float | None, digits: int = 3) -> str:
    """`value` to `digits` significant digits, thousands set off; a dash for what is missing."""
    if value is None or value != value:
        return "–"
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:#.{digits}g}".rstrip(".") if value else "0"
