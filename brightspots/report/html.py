"""A board pack as one self-contained HTML page: no network, all text from data escaped, nothing else allowed."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from brightspots.figures.marks import MARKS
from brightspots.report import cautions, document, svg
from brightspots.report.document import Document, Table, abridge, manifest_rows

LANGUAGE: Final = "en-GB"
# Rows of a long table that are printed.
MOST_PRINTED: Final = 60
_LETTERS: Final = {**{kind: mark.letter for kind, mark in MARKS.items() if mark.letter}, "absent": ""}


def render(content: Document) -> str:
    """Write a document as HTML."""
    style, script = _part("board.css"), _part("board.js")
    environment = Environment(
        loader=PackageLoader("brightspots", "report/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["of_kind"] = _is_block
    return environment.get_template("board.html.jinja").render(
        document=content,
        language=LANGUAGE,
        policy=content_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        svg=svg,
        cautions=cautions,
        printed=_printed,
        manifest_rows=manifest_rows,
        letters=_LETTERS,
        manifest=Markup(json_for_script(content.manifest.as_json())),
    )


def content_policy(style: str, script: str) -> str:
    """Allow exactly this style sheet and this script, and nothing from anywhere."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def json_for_script(text: str) -> str:
    """JSON in which "<" and the like are escaped, so that it cannot end the script element it is put into."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _part(name: str) -> str:
    """A file of the templates, exactly as it is put into the page: the policy's digest covers every byte."""
    return resources.files("brightspots").joinpath("report", "templates", name).read_text(encoding="utf-8")


def _printed(table: Table) -> frozenset[int]:
    """Positions of the rows that are shown in print."""
    return frozenset(abridge(table, len(table.rows) if table.print_all else MOST_PRINTED))


def _is_block(block: object, kind: str) -> bool:
    return isinstance(block, getattr(document, kind))
