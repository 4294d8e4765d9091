"""Helpers that every figure uses: the style, axes, numbers, marks, legend, title and caption."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import matplotlib.style
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from brightspots.common.errors import DataError, SettingsError
from brightspots.common.files import legible
from brightspots.common.shortening import shorten as shorten
from brightspots.common.shortening import shorten_apart as shorten_apart
from brightspots.figures.describe import remember
from brightspots.figures.fonts import families_for
from brightspots.figures.marks import RING, Mark
from brightspots.figures.palette import NEUTRAL

_STYLE = Path(__file__).with_name("brightspots.mplstyle")
_RATIO_TICKS = (
    0.05, 0.1, 0.2, 0.33, 0.5, 0.67, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0,
)  # fmt: skip
# Mean width of a character over the size of its font, for wrapping to a width.
_CHARACTER_WIDTH = 0.55
_BOLD_CHARACTER_WIDTH = 0.62


@contextmanager
def style(*shown: object) -> Iterator[None]:
    """Use the library's style inside the block only, with fonts that have the characters of everything `shown`.

    Fonts are the user's own (``rcParams["font.family"]``); others are added for characters that these lack.

    The first figure of a session loads the backend, and Jupyter's turns interactive mode on as it loads. Leaving the
    block must not restore the earlier setting, or no later figure would be shown.
    """
    interactive = matplotlib.is_interactive()
    try:
        families = families_for(shown)
        fonts: dict[Any, Any] = {} if families is None else {"font.family": list(families)}
        with matplotlib.style.context([_STYLE, fonts]):
            try:
                yield
            finally:
                interactive = matplotlib.is_interactive()
    finally:
        matplotlib.interactive(interactive)


def open_axes(ax: Axes | None, size: tuple[float, float] | None = None) -> Axes:
    """Return the axes given, checked, or new ones of a size in inches."""
    if ax is None:
        return plt.subplots(figsize=size)[1]
    if not isinstance(ax, Axes):
        raise SettingsError(f"ax must be a matplotlib Axes or None; received {type(ax).__name__}")
    _lend_fonts(ax)
    return ax


def _lend_fonts(ax: Axes) -> None:
    """Add the fonts of the style after their own to the texts of axes that existed before."""
    families = list(matplotlib.rcParams["font.family"])
    if len(families) > 1:
        for text in ax.findobj(Text):
            own = text.get_fontfamily()
            text.set_fontfamily([*own, *(family for family in families if family not in own)])


def settle(ax: Axes) -> None:
    """Let the figure's layout engine give the axes the size that they will have."""
    figure = figure_of(ax).figure
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)


def width_in_points(ax: Axes) -> float:
    """Current width of the axes, in points."""
    return float(ax.bbox.width) * 72.0 / figure_of(ax).figure.dpi


def height_in_points(ax: Axes) -> float:
    """Current height of the axes, in points."""
    return float(ax.bbox.height) * 72.0 / figure_of(ax).figure.dpi


def wrap(text: str, ax: Axes, font_size: float, character_width: float = _CHARACTER_WIDTH) -> str:
    """Break a text into lines that fit the width of the axes."""
    characters = max(30, int(width_in_points(ax) / (font_size * character_width)))
    return "\n".join(textwrap.fill(legible(line), characters) for line in text.splitlines())


def figure_of(ax: Axes) -> Figure | SubFigure:
    """Return the (sub)figure of some axes, or raise where they have been removed from it."""
    figure = ax.get_figure()
    if figure is None:
        raise SettingsError("ax belongs to no figure: it was removed from its own")
    return figure


def check_columns(table: pd.DataFrame, columns: Iterable[str], expected: str) -> None:
    """Raise `DataError` where a table lacks a column that the figure reads."""
    missing = [column for column in columns if column not in table]
    if missing:
        raise DataError(f"no column {', '.join(missing)}", expected=expected)


def number(value: float) -> str:
    """Write a number with thousands separators and no more decimals than it needs."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.4g}"


def number_axis(ax: Axes, which: str) -> None:
    """Label an axis with whole or short decimal numbers, thousands separated."""
    axis = ax.xaxis if which == "x" else ax.yaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    if axis.get_scale() == "linear":
        axis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 2.5, 5, 10], min_n_ticks=3))
    else:
        axis.set_minor_formatter(NullFormatter())


def ratio_axis(ax: Axes, which: str, multiplier: float = 1.0) -> None:
    """Make an axis logarithmic with ticks at round ratios (0.5, 0.8, 1, 1.25, 2 …), times `multiplier`."""
    low, high = ax.get_xlim() if which == "x" else ax.get_ylim()
    inside = [tick * multiplier for tick in _RATIO_TICKS if low <= tick * multiplier <= high]
    wide = high / low > 6
    sparse = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
    ticks = [tick for tick in inside if not wide or round(tick / multiplier, 4) in sparse]
    (ax.set_xscale if which == "x" else ax.set_yscale)("log")
    axis = ax.xaxis if which == "x" else ax.yaxis
    axis.set_major_locator(FixedLocator(ticks or [multiplier]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    (ax.set_xlim if which == "x" else ax.set_ylim)(low, high)


def print_ticks_literally(ax: Axes) -> None:
    """Keep matplotlib from reading mathematics into tick labels that are names."""
    for label in (*ax.get_xticklabels(), *ax.get_yticklabels()):
        label.set_parse_math(False)


def draw_marks(ax: Axes, x: Any, y: Any, mark: Mark, *, crowded: bool = False, small: bool = False) -> None:
    """Draw units at x and y, (n,) each, with the mark of one kind.

    `crowded` draws them small, translucent and rasterised, under all others; `small` draws the marker smaller, for long
    lists.
    """
    size = 2.0 if crowded else 0.5 * mark.size if small else mark.size
    edge = "none" if crowded or (small and mark.filled) else "white" if mark.filled else mark.colour
    (line,) = ax.plot(
        x,
        y,
        linestyle="none",
        marker="o" if crowded else mark.marker,
        markersize=size,
        markerfacecolor=mark.colour if mark.filled else "white",
        markeredgecolor=edge,
        markeredgewidth=0.6 if mark.filled else 1.2,
        alpha=0.25 if crowded else 1.0,
        rasterized=crowded,
        zorder=mark.order,
        clip_on=False,
    )
    line.set_gid("units")


def draw_rings(ax: Axes, x: Any, y: Any, width: float) -> Line2D:
    """Draw a ring around each of some units, over everything but their names; `width` is of the line, in points."""
    (line,) = ax.plot(
        x, y, linestyle="none", marker=RING.marker, markersize=RING.size, markerfacecolor="none",
        markeredgecolor=RING.colour, markeredgewidth=width, zorder=RING.order, clip_on=False,
    )  # fmt: skip
    return line


def legend_handle(mark: Mark, scale: float = 1.0) -> Line2D:
    """A mark as a legend shows it, its size times `scale`."""
    return Line2D(
        [], [], linestyle="none", marker=mark.marker, markersize=mark.size * scale,
        markerfacecolor=mark.colour if mark.filled else "white",
        markeredgecolor="white" if mark.filled else mark.colour,
    )  # fmt: skip


def legend_above(ax: Axes, entries: Sequence[tuple[Mark, str]], lift: float = 0.0) -> float:
    """Put a legend `lift` points above the axes, and return the height in points that both take up."""
    if not entries:
        return lift
    handles = [legend_handle(mark) for mark, _ in entries]
    widest = 34.0 + 9.0 * _CHARACTER_WIDTH * max(len(text) for _, text in entries)
    columns = max(1, min(len(entries), int(width_in_points(ax) / widest)))
    ax.legend(
        handles,
        [text for _, text in entries],
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0 + lift / height_in_points(ax)),
        ncols=columns,
        borderaxespad=0.2,
        borderpad=0.0,
    )
    return lift + 15.0 * -(-len(entries) // columns)


def legend_room(ax: Axes) -> float:
    """Height in points that the legend takes up above the axes."""
    legend = ax.get_legend()
    if legend is None:
        return 0.0
    above = legend.get_window_extent().y1 - ax.bbox.y1
    return max(0.0, float(above) * 72.0 / figure_of(ax).figure.dpi)


def set_title(ax: Axes, title: str | None, above: float = 0.0) -> None:
    """Write the title `above` points over the axes, wrapped to them."""
    if title:
        ax.set_title(wrap(shorten(title, 260), ax, 12.0, _BOLD_CHARACTER_WIDTH), pad=6.0 + above)


def set_caption(ax: Axes, caption: str) -> None:
    """Write the caption under the axes, below tick labels and axis label, in the place of one written before."""
    for text in list(ax.texts):
        if text.get_gid() == "caption":
            text.remove()
    if caption:
        ax.annotate(
            wrap(caption, ax, 8.0), xy=(0.0, 0.0), xycoords=("axes fraction", ax.xaxis.label), xytext=(0.0, -10.0),
            textcoords="offset points", fontsize=8.0, color=NEUTRAL, ha="left", va="top", annotation_clip=False,
            gid="caption",
        )  # fmt: skip


def finish(
    ax: Axes,
    *,
    title: str | None,
    caption: str,
    description: str,
    entries: Sequence[tuple[Mark, str]] = (),
    lift: float = 0.0,
) -> None:
    """Write legend, title and caption, once everything is drawn on the axes, and keep the alternative text.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    title : str or None
    caption : str
    description : str
        The alternative text, which `brightspots.describe` gives.
    entries : sequence of (Mark, str)
        Of the legend, from `marks.legend_entries`.
    lift : float, default 0
        Height in points that is taken above the axes already, by tick labels at the top.
    """
    settle(ax)
    set_title(ax, title, legend_above(ax, entries, lift))
    set_caption(ax, caption)
    remember(ax, description)


def without_room(missed: int) -> str | None:
    """Say how many names found no place, if any."""
    if not missed:
        return None
    return f"{missed:,} {'name' if missed == 1 else 'names'} left out for lack of room"


def sentence(*parts: str | None) -> str:
    """Join the parts of a caption, each ended with a full stop."""
    return " ".join(part.strip().rstrip(".") + "." for part in parts if part and part.strip())
