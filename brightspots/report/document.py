"""What a board pack is made of, whatever file it is written to: sections of paragraphs, figures and tables.

A document holds words and plain numbers only. Writers (`html.py`) decide how a block looks; nothing here knows of
markup, so text from data stays text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from brightspots.manifest import Manifest
from brightspots.report.words import Estimate

# How a mark looks: the statuses; trusts outside the limits of a funnel on the bad or good side, above or below;
# trusts within them (plain), or the one among these that a pack is about (here).
Kind = Literal[
    "bright", "dark", "in-line", "cannot-tell", "absent",
    "dark-above", "dark-below", "bright-above", "bright-below", "plain", "here",
]  # fmt: skip


@dataclass(frozen=True)
class Paragraph:
    """One paragraph; `strong` ones must not be missed."""

    text: str
    strong: bool = False


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Terms:
    """Terms with what they mean."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading, whether it holds numbers, and whether intervals are drawn in it."""

    heading: str
    numeric: bool = False
    drawn: bool = False


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Parameters
    ----------
    text : str
    sort : float, optional
        What the cell sorts by where that is not its text.
    kind : Kind, optional
        A mark shown before the text.
    interval : Estimate, optional
        Drawn instead of text, on the table's common logarithmic scale.
    """

    text: str
    sort: float | None = None
    kind: Kind | None = None
    interval: Estimate | None = None


@dataclass(frozen=True)
class Table:
    """A table. The first column names the row.

    Parameters
    ----------
    name : str
        Identifier, unique in the document.
    caption : str
    columns : tuple of Column
    rows : tuple of tuple of Cell
    margin : float, optional
        Ratio margin shaded behind drawn intervals.
    filters : tuple of str
        Words offered as a filter (statuses); empty for no filter.
    print_all : bool
        Whether print shows every row of a long table.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    margin: float = 1.0
    filters: tuple[str, ...] = ()
    print_all: bool = False


@dataclass(frozen=True)
class Bar:
    """A share of something with its interval."""

    label: str
    share: Estimate


@dataclass(frozen=True)
class Bars:
    """A figure of shares."""

    name: str
    caption: str
    alternative: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Point:
    """A unit in a funnel: where it lies, what it is called, what is said of it.

    Where its count is suppressed it is drawn as an upright bar from `low` to `high`, of which `y` is the middle.
    """

    x: float
    y: float
    label: str
    detail: str
    kind: Kind
    named: bool = False
    low: float | None = None
    high: float | None = None

    @property
    def is_bar(self) -> bool:
        """Whether the unit has a suppressed count."""
        return self.low is not None and self.high is not None


@dataclass(frozen=True)
class Limit:
    """A pair of limits of a funnel along its sizes."""

    level: float
    x: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]


@dataclass(frozen=True)
class Funnel:
    """One panel: points, limits, and the line they are drawn about."""

    heading: str
    points: tuple[Point, ...]
    limits: tuple[Limit, ...]
    centre: float
    centre_label: str
    x_label: str
    y_label: str


@dataclass(frozen=True)
class Funnels:
    """A figure of one or more panels that share their vertical axis."""

    name: str
    caption: str
    alternative: str
    panels: tuple[Funnel, ...]
    legend: tuple[tuple[Kind, str], ...]


@dataclass(frozen=True)
class Mosaic:
    """The grid of trusts and departments.

    Parameters
    ----------
    name, caption : str
    rows, columns : tuple of str
        Trusts and departments.
    kinds : tuple of tuple of Kind
        One row a trust.
    details : mapping of (row, column) to str
        What is said of the flagged ones.
    legend : tuple of (Kind, str)
    """

    name: str
    caption: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    kinds: tuple[tuple[Kind, ...], ...]
    details: dict[tuple[int, int], str]
    legend: tuple[tuple[Kind, str], ...]


Block = Paragraph | Bullets | Terms | Table | Bars | Funnels | Mosaic


@dataclass(frozen=True)
class Section:
    """A headed part of the document."""

    name: str
    heading: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """A board pack.

    Parameters
    ----------
    title, subtitle : str
    warning : str or None
        What must be read before anything else.
    headlines : tuple of str
        What a reader with one minute should know.
    sections : tuple of Section
    manifest : Manifest
    """

    title: str
    subtitle: str
    warning: str | None
    headlines: tuple[str, ...]
    sections: tuple[Section, ...]
    manifest: Manifest
