"""The code blocks of README.md and of the pages of docs/: found, run in order, their output put back.

``python docs/blocks.py [PAGE …]`` runs the Python of the pages (all of them unless some are named) and rewrites the
output that each shows, and the README's figure. ``tests/docs`` runs the same blocks and compares.

A page is a list of fenced blocks that share one namespace and one temporary folder, in which the messy files of
``data_samples/messy`` lie. A ``text`` block right after a
``python`` block is its output. A comment above a block may mark it:

``<!-- needs: ny_iqi_2009_2014.csv -->``
    The block reads these published files (or uses names that such a block has made). They are looked for under
    BRIGHTSPOTS_REAL_DATA; where they are absent the block is not run.
``<!-- raises: DataError -->``
    The block shows an error; its output is the error's text.
``<!-- not run: the reason -->``
    Commands of a shell that are checked against the parser of the command line, but not run.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PUBLISHED = Path(os.environ.get("BRIGHTSPOTS_REAL_DATA", ROOT.parent / "shared" / "data"))
_FENCE = re.compile(r"^```(?P<language>[\w-]*)[^\n]*\n(?P<code>.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)
_MARK = re.compile(r"<!-- (?P<kind>needs|raises|not run): (?P<value>[^\n]+?) -->\n\Z")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes
    ----------
    page : str
        The page, relative to the top of the checkout.
    line : int
        Of the fence, from 1.
    language, code : str
    needs : tuple of str
        Published files without which it cannot run.
    raises : str or None
        Name of the error that it shows.
    not_run : str or None
        Why commands of a shell are not run.
    output : str or None
        What the page says it prints.
    output_span : tuple of int or None
        Where that stands in the page.
    """

    page: str
    line: int
    language: str
    code: str
    needs: tuple[str, ...]
    raises: str | None
    not_run: str | None
    output: str | None
    output_span: tuple[int, int] | None

    @property
    def where(self) -> str:
        """Page and line."""
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Every page: README.md, then those of docs/."""
    return [README, *sorted((ROOT / "docs").rglob("*.md"))]


def read_blocks(page: Path) -> list[Block]:
    """Blocks of a page in order; the output of a Python block belongs to it and is no block of its own."""
    text = page.read_text(encoding="utf-8")
    fences = list(_FENCE.finditer(text))
    blocks = []
    for at, fence in enumerate(fences):
        if fence["language"] == "text":
            continue
        following = fences[at + 1] if at + 1 < len(fences) else None
        has_output = (
            fence["language"] == "python"
            and following is not None
            and following["language"] == "text"
            and text[fence.end() : following.start()].strip() == ""
        )
        mark = _MARK.search(text[: fence.start()])
        kind, value = (mark["kind"], mark["value"]) if mark else (None, "")
        blocks.append(
            Block(
                page=page.relative_to(ROOT).as_posix(),
                line=text.count("\n", 0, fence.start()) + 1,
                language=fence["language"],
                code=fence["code"],
                needs=tuple(value.split(", ")) if kind == "needs" else (),
                raises=value if kind == "raises" else None,
                not_run=value if kind == "not run" else None,
                output=following["code"] if has_output and following else None,
                output_span=following.span("code") if has_output and following else None,
            )
        )
    return blocks


@contextlib.contextmanager
def folder_for(blocks: list[Block], *, with_files: bool = True) -> Iterator[Path]:
    """Work in a temporary folder with the messy samples, in which published files that the blocks need can be seen."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        for messy in (ROOT / "data_samples" / "messy").iterdir():
            (Path(folder) / messy.name).symlink_to(messy)
        if with_files:
            for name in {name for block in blocks for name in block.needs if (PUBLISHED / name).is_file()}:
                (Path(folder) / name).symlink_to(PUBLISHED / name)
        os.chdir(folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(here)


def run(block: Block, namespace: dict[str, Any]) -> str:
    """Run one Python block and return what it printed, or the text of the error that it is marked to show."""
    printed = io.StringIO()
    # The line numbers of a traceback are those of the page.
    code = compile("\n" * block.line + block.code, block.page, "exec")
    with contextlib.redirect_stdout(printed):
        if block.raises is None:
            exec(code, namespace)
            return printed.getvalue()
        try:
            exec(code, namespace)
        except Exception as error:
            if type(error).__name__ != block.raises:
                raise
            return f"{printed.getvalue()}{block.raises}: {error}\n"
    raise AssertionError(f"{block.where} is marked to raise {block.raises}, and does not")


def rewrite(page: Path) -> dict[str, Any]:
    """Run a page and put its outputs into it; return the names it made."""
    blocks = [block for block in read_blocks(page) if block.language == "python"]
    namespace: dict[str, Any] = {"__name__": "page"}
    outputs: list[tuple[tuple[int, int], str]] = []
    with folder_for(blocks):
        for block in blocks:
            missing = [name for name in block.needs if not (PUBLISHED / name).is_file()]
            if missing:
                print(f"{block.where}: left as it is, for {', '.join(missing)} is not under {PUBLISHED}")
                continue
            output = run(block, namespace)
            if block.output_span is not None:
                outputs.append((block.output_span, output))
            elif output:
                print(f"{block.where}: prints, and the page does not show it")
    text = page.read_text(encoding="utf-8")
    for (start, end), output in reversed(outputs):
        text = text[:start] + _tidy(output) + text[end:]
    page.write_text(text, encoding="utf-8")
    return namespace


def _tidy(output: str) -> str:
    lines = [line.rstrip() for line in output.rstrip("\n").split("\n")]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """Rewrite the outputs of pages, and the figure of the README."""
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    mpl.use("Agg")
    os.environ.setdefault(
        "BRIGHTSPOTS_LOOPS", "compiled"
    )  # what is printed depends on them in the last digits
    for page in [Path(argument).resolve() for argument in arguments] or pages():
        namespace = rewrite(page)
        if page == README:
            figure = namespace["ax"].figure
            figure.savefig(ROOT / "docs" / "images" / "readme_funnel.png", dpi=90, bbox_inches="tight")
        plt.close("all")


if __name__ == "__main__":
    main(sys.argv[1:])
