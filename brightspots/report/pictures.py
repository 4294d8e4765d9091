"""Figures of a document as PNG, for Word and PowerPoint, with the marks, lines and names of those of the HTML pack."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from matplotlib import rc_context, rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from brightspots.common.arrays import FloatArray
from brightspots.common.wording import percent_interval
from brightspots.figures import canvas
from brightspots.figures.labels import place_labels
from brightspots.figures.marks import MARKS, Mark
from brightspots.figures.palette import BRIGHT_COLOUR, FILL, INK, NEUTRAL, PALE
from brightspots.report.document import Bars, Funnel, Funnels, Mosaic, Point
from brightspots.report.svg import decades, shared_range, tick_text, ticks

DOTS_PER_INCH: Final = 200
_TEXTS: Final = ("font.size", "axes.labelsize", "xtick.labelsize", "ytick.labelsize", "legend.fontsize")
_SHARE_COLOUR: Final = "#b8d3ea"
_ABOVE_MARKS: Final = 1.0 + max(mark.order for mark in MARKS.values())


@dataclass(frozen=True)
class Picture:
    """A PNG.

    Parameters
    ----------
    png : bytes
    width, height : float
        Inches.
    """

    png: bytes
    width: float
    height: float


def funnels(figure: Funnels, panels: Sequence[Funnel], size: tuple[float, float], font: float) -> Picture:
    """Some panels of a figure, side by side; all panels of the figure share one vertical scale.

    Parameters
    ----------
    figure : Funnels
    panels : sequence of Funnel
        Those to draw.
    size : tuple of float
        Width and height in inches.
    font : float
        Size of the text in points.
    """
    texts = [(panel.heading, panel.x_label, panel.y_label, panel.centre_label) for panel in panels]
    named = [point.label for panel in panels for point in panel.points if point.named]
    with _drawing(font, texts, named, figure.legend):
        sheet = _sheet(size)
        axes = np.atleast_1d(sheet.subplots(1, len(panels), sharey=True))
        found = {point.kind for panel in panels for point in panel.points}
        entries = [(MARKS[kind], words) for kind, words in figure.legend if kind in found]
        _legend(sheet, entries, columns=3 if size[0] < 9 else 6)
        for ax, panel in zip(axes, panels, strict=True):
            _panel(ax, panel, *shared_range(figure), font)
            if len(panels) > 1:
                ax.set_title(canvas.wrap(canvas.shorten(panel.heading, 90), ax, font * 1.1))
        _settle(sheet)
        for ax, panel in zip(axes, panels, strict=True):
            _names(ax, panel, font)
        return _png(sheet)


def bars(figure: Bars, size: tuple[float, float], font: float) -> Picture:
    """Shares with their intervals."""
    with _drawing(font, [bar.label for bar in figure.bars]):
        sheet = _sheet(size)
        ax = sheet.subplots()
        shares = [bar.share for bar in figure.bars]
        heights = np.arange(len(shares))[::-1]
        points = np.array([share.point for share in shares])
        low, high = (np.array([getattr(share, end) for share in shares]) for end in ("lower", "upper"))
        ax.barh(heights, points, height=0.5, color=_SHARE_COLOUR, edgecolor=BRIGHT_COLOUR, linewidth=0.8)
        ax.hlines(heights, low, high, color=INK, linewidth=2.2, zorder=3)
        for height, share in zip(heights, shares, strict=True):
            said = percent_interval(*share)
            ax.annotate(
                said,
                (max(share.upper, share.point), float(height)),
                xytext=(6.0, 0.0),
                textcoords="offset points",
                va="center",
                annotation_clip=False,
            )
        ax.set_yticks(heights, [bar.label for bar in figure.bars])
        ax.tick_params(axis="y", length=0)
        ax.set_xlim(0.0, 1.0)
        ax.set_ylim(-0.6, len(shares) - 0.4)
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
        ax.xaxis.set_major_locator(FixedLocator([0.0, 0.25, 0.5, 0.75, 1.0]))
        _settle(sheet)
        return _png(sheet)


def mosaic(
    figure: Mosaic, rows: range, size: tuple[float, float], font: float, *, name_rows: bool
) -> Picture:
    """Some rows of the grid, a mark for each department; departments are named where there is room for it."""
    with _drawing(font, figure.rows, figure.columns, figure.legend):
        sheet = _sheet(size)
        ax = sheet.subplots()
        n, columns = len(rows), len(figure.columns)
        kinds = np.array([figure.kinds[row] for row in rows], dtype=object).reshape(n, columns)
        for row in range(0, n, 2):
            ax.axhspan(row - 0.5, row + 0.5, color=FILL, linewidth=0.0, zorder=0)
        _legend(sheet, [(MARKS[kind], words) for kind, words in figure.legend if kind in MARKS], columns=4)
        ax.set_xlim(-0.6, columns - 0.4)
        ax.set_ylim(n - 0.4, -0.6)
        ax.set_xticks([])
        ax.set_yticks([])
        for spine in ax.spines.values():
            spine.set_visible(False)
        named = columns <= MOST_NAMED_COLUMNS
        names = canvas.shorten_apart(figure.columns, 30) if named else []
        _name_columns(ax, names, font)
        texts = canvas.shorten_apart([figure.rows[row] for row in rows], 36) if name_rows else []
        _name_rows(ax, texts, min(font, 0.72 * _row_height(size, n, named)))
        _settle(sheet)
        room = min(canvas.height_in_points(ax) / max(n, 1), canvas.width_in_points(ax) / max(columns, 1))
        if columns < 60:
            ax.vlines(np.arange(columns + 1) - 0.5, -0.5, n - 0.5, color=PALE, linewidth=0.3, zorder=1)
        for kind, mark in MARKS.items():
            y, x = np.nonzero(kinds == kind)
            if len(x):
                diameter = min(mark.size, 0.8 * room * mark.size / MARKS["bright"].size)
                canvas.draw_marks(ax, x, y, replace(mark, size=diameter))
                ax.lines[-1].set_markeredgewidth(min(0.8, 0.12 * room) if not mark.filled else 0.0)
        return _png(sheet)


def turned(figure: Mosaic) -> Mosaic:
    """The grid with departments as rows and trusts as columns."""
    kinds = tuple(zip(*figure.kinds, strict=True)) if figure.kinds else ((),) * len(figure.columns)
    details = {(column, row): said for (row, column), said in figure.details.items()}
    return replace(figure, rows=figure.columns, columns=figure.rows, kinds=kinds, details=details)


# Columns that a grid names; with more there is no room.
MOST_NAMED_COLUMNS: Final = 45


def _row_height(size: tuple[float, float], rows: int, named: bool) -> float:
    """Approximate height of a row in points, before the layout is known."""
    return 72.0 * (size[1] - (1.4 if named else 0.5)) / max(rows, 1)


def _name_columns(ax: Axes, names: Sequence[str], font: float) -> None:
    """Names above the columns of a grid, in the place of labels of ticks: many ticks take longer than all the rest."""
    place, vertical, horizontal = ax.get_xaxis_text2_transform(rcParams["xtick.major.pad"])
    for at, name in enumerate(names):
        ax.text(
            at, 1.0, name, transform=place, va=vertical, ha=horizontal, rotation=90.0, fontsize=font,
            color=rcParams["xtick.color"],
        )  # fmt: skip


def _name_rows(ax: Axes, names: Sequence[str], font: float) -> None:
    """Names beside the rows of a grid, as those of its columns."""
    place, vertical, horizontal = ax.get_yaxis_text1_transform(rcParams["ytick.major.pad"])
    for at, name in enumerate(names):
        ax.text(
            0.0, at, name, transform=place, va=vertical, ha=horizontal, fontsize=font, color=rcParams["ytick.color"]
        )  # fmt: skip


@contextmanager
def _drawing(font: float, *shown: object) -> Iterator[None]:
    """The library's style, with all text of one size, and fonts for what is shown."""
    sizes: Any = dict.fromkeys(_TEXTS, font) | {"axes.titlesize": font * 1.1}
    with canvas.style(*shown), rc_context(sizes):
        yield


def _sheet(size: tuple[float, float]) -> Figure:
    """A figure that is not registered with pyplot, and so opens no window."""
    sheet = Figure(figsize=size, dpi=DOTS_PER_INCH)
    FigureCanvasAgg(sheet)
    return sheet


def _settle(sheet: Figure) -> None:
    """Lay a sheet out, once and for all: each time takes longer than to draw it."""
    engine = sheet.get_layout_engine()
    assert engine is not None  # the library's style sets one
    engine.execute(sheet)
    sheet.set_layout_engine("none")


def _png(sheet: Figure) -> Picture:
    """The picture of a settled sheet; `Figure.savefig` would draw it a second time, for the sake of its layout."""
    held = io.BytesIO()
    drawn: Any = FigureCanvasAgg(sheet)
    drawn.print_png(held, metadata={"Software": None})
    return Picture(held.getvalue(), *map(float, sheet.get_size_inches()))


def _legend(sheet: Figure, entries: Sequence[tuple[Mark, str]], columns: int) -> None:
    """The marks and their words, above everything."""
    handles = [canvas.legend_handle(mark, scale=0.8) for mark, _ in entries]
    if handles:
        words = [canvas.shorten(text, 48) for _, text in entries]
        sheet.legend(
            handles, words, loc="outside upper left", ncols=min(columns, len(handles)), frameon=False
        )


def _panel(ax: Axes, panel: Funnel, bottom: float, top: float, font: float) -> None:
    """Axes, limits, centre and points of one panel."""
    sizes = [x for limit in panel.limits for x in limit.x] or [1.0, 10.0]
    ax.set_xscale("log")
    ax.set_xlim(min(sizes), max(sizes))
    ax.set_ylim(bottom, top)
    ax.yaxis.set_major_locator(FixedLocator(ticks(bottom, top)))
    ax.xaxis.set_major_locator(FixedLocator(list(decades(min(sizes), max(sizes)))))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick_text(value)))
    ax.grid(axis="y", color=FILL)
    ax.set_xlabel(panel.x_label)
    ax.set_ylabel(panel.y_label)
    outer = max((limit.level for limit in panel.limits), default=0.0)
    for limit in panel.limits:
        x = np.array(limit.x)
        for values in (np.array(limit.lower), np.array(limit.upper)):
            # Curves end at the edge of the figure: clipped to it they would look like a limit there.
            inside = (values >= bottom) & (values <= top)
            dashes = "-" if limit.level == outer else "--"
            ax.plot(
                x[inside], values[inside], color=NEUTRAL, linewidth=0.11 * font, linestyle=dashes, zorder=2
            )
    ax.axhline(panel.centre, color=INK, linewidth=0.12 * font, zorder=2)
    ax.annotate(
        panel.centre_label, (1.0, panel.centre), xycoords=("axes fraction", "data"), xytext=(-2.0, 2.5),
        textcoords="offset points", ha="right", fontsize=font * 0.85, color=INK, zorder=_ABOVE_MARKS,
        path_effects=[withStroke(linewidth=2.0, foreground="white")],
    )  # fmt: skip
    for point in panel.points:
        if point.low is not None and point.high is not None:
            colour = MARKS[point.kind].colour
            ax.vlines(point.x, point.low, min(point.high, top), color=colour, linewidth=0.2 * font, zorder=3)
    crowd = len(panel.points) > 400
    for kind, mark in MARKS.items():
        here = [point for point in panel.points if point.kind == kind and not point.is_bar]
        if here:
            small = crowd and not mark.stands_out
            scaled = replace(mark, size=mark.size * font / 10.0 * (0.7 if small else 1.0))
            canvas.draw_marks(ax, [p.x for p in here], [min(max(p.y, bottom), top) for p in here], scaled)


def _names(ax: Axes, panel: Funnel, font: float) -> None:
    """Names of the points that ask for one, the furthest out first."""
    bottom, top = ax.get_ylim()
    named = sorted((p for p in panel.points if p.named), key=lambda p: -abs(p.y - panel.centre))

    def places(points: Sequence[Point]) -> FloatArray:
        return np.array([(p.x, min(max(p.y, bottom), top)) for p in points], dtype=np.float64).reshape(-1, 2)

    marked = places([p for p in panel.points if MARKS[p.kind].stands_out])
    others = places([p for p in panel.points if not MARKS[p.kind].stands_out])
    at = places(named)
    place_labels(ax, at[:, 0], at[:, 1], [p.label for p in named], marked, others, font_size=font * 0.95)
