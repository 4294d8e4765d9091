"""Ratios with their intervals, from the lowest to the highest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes

from brightspots.common.arrays import FloatArray
from brightspots.common.errors import DataError
from brightspots.common.vocabulary import BRIGHT, CANNOT_TELL, DARK
from brightspots.common.wording import interval_text
from brightspots.figures import canvas
from brightspots.figures.describe import listed, titled
from brightspots.figures.marks import ROW, STATUS_MARKS, Mark, legend_entries, standing_out
from brightspots.figures.palette import INK, NEUTRAL

# Up to so many rows all are named; of more only those that stand out, as far as they fit.
_NAMED_ROWS = 60
_FEWEST_POINTS_BETWEEN_NAMES = 9.0
# From so many rows on intervals would merge, and are drawn as a shaded area.
_CROWD = 600
_PLAIN = "plain"
_MARKS: Final[Mapping[str, Mark]] = {**STATUS_MARKS, _PLAIN: ROW}


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows that are drawn, from the lowest to the highest ratio (or difference), (n,) each.

    `named` is whether the list is short enough for each row to have its name.
    """

    names: npt.NDArray[np.object_]
    centre: FloatArray
    low: FloatArray
    high: FloatArray
    status: npt.NDArray[np.object_]
    flagged: npt.NDArray[np.bool_]
    height: FloatArray
    named: bool

    def __len__(self) -> int:
        return len(self.centre)


def draw_caterpillar(
    frame: pd.DataFrame,
    *,
    ratio: str = "own_ratio",
    lower: str | None = None,
    upper: str | None = None,
    label: str = "department",
    status: str | None = "status",
    margin: float | None = None,
    of_ratios: bool = True,
    title: str | None = None,
    xlabel: str | None = None,
    caption: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw ratios and intervals on a logarithmic axis, or differences on a linear one, sorted by value.

    Parameters
    ----------
    frame : pandas.DataFrame
    ratio, lower, upper : str
        Columns of the ratio (or difference) and its interval; by default ``{ratio}_lower`` and ``{ratio}_upper``. Rows
        without one (a trust's only department) are left out, and the caption says how many.
    label : str, default "department"
        Column of names.
    status : str or None, default "status"
        Column of statuses; None (or a column that is absent) marks all alike.
    margin : float, optional
        Draws lines at `margin` and 1/`margin`; of differences at `margin` and −`margin`.
    of_ratios : bool, default True
        Whether ratios are drawn, about 1, or differences, about 0.
    title, xlabel, caption : str, optional
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    DataError
        Where a column is missing, or no row has a ratio.
    """
    rows = _read(
        frame, (ratio, lower or f"{ratio}_lower", upper or f"{ratio}_upper"), label, status, of_ratios
    )
    with canvas.style(rows.names, rows.status, title, xlabel, caption):
        ax = canvas.open_axes(ax, (8.0, 1.8 + 0.23 * len(rows)) if rows.named else (8.0, 9.0))
        _draw_rows(ax, rows)
        ax.axvline(1.0 if of_ratios else 0.0, color=INK, linewidth=1.0, zorder=3)
        for edge in () if margin is None else (margin, 1.0 / margin if of_ratios else -margin):
            ax.axvline(edge, color=NEUTRAL, linewidth=0.9, linestyle="--", zorder=3)
        _set_view(ax, rows, margin, of_ratios)
        axis = "Ratio (logarithmic axis)" if of_ratios else "Difference, in the units of the estimates"
        ax.set_xlabel(xlabel or f"{axis}, with interval")
        written = _write_names(ax, rows)
        notes = _notes(len(frame) - len(rows), rows, written, margin, of_ratios)
        canvas.finish(
            ax,
            title=title,
            entries=legend_entries(rows.status, STATUS_MARKS),
            caption=canvas.sentence(notes, caption),
            description=_description(rows, title, notes, caption, of_ratios),
        )
    return ax


def _read(
    frame: pd.DataFrame, columns: tuple[str, str, str], label: str, status: str | None, of_ratios: bool
) -> _Rows:
    """The rows that have a ratio, sorted by it; `columns` are those of the ratio and of the ends of its interval."""
    canvas.check_columns(frame, (*columns, label), "a table of departments or trusts")
    ratio = columns[0]
    known = frame[frame[ratio].notna()].sort_values(ratio, kind="stable")
    if known.empty:
        raise DataError(
            f"no {'ratio' if of_ratios else 'difference'} to draw",
            column=ratio,
            expected="at least one number",
        )
    centre, low, high = (known[column].to_numpy(dtype=float) for column in columns)
    names = known[label].astype(str).to_numpy(dtype=object)
    if status is not None and status in known:
        statuses = known[status].to_numpy(dtype=object)
    else:
        statuses = np.full(len(known), _PLAIN, dtype=object)
    height = np.arange(len(known), dtype=float)
    flagged = standing_out(statuses, _MARKS)
    return _Rows(names, centre, low, high, statuses, flagged, height, len(known) <= _NAMED_ROWS)


def _draw_rows(ax: Axes, rows: _Rows) -> None:
    """Draw intervals and marks, those of flagged rows stronger than the others."""
    crowd = len(rows) > _CROWD
    for kind, mark in _MARKS.items():
        here = rows.status == kind
        if not here.any():
            continue
        flagged = mark.stands_out
        ax.hlines(
            rows.height[here], rows.low[here], rows.high[here], color=mark.colour if flagged else NEUTRAL,
            linewidth=1.6 if rows.named else 1.0 if flagged else 0.8,
            alpha=1.0 if rows.named or flagged else 0.15 if crowd else 0.45, zorder=4 if flagged else 2,
        )  # fmt: skip
        canvas.draw_marks(
            ax,
            rows.centre[here],
            rows.height[here],
            mark,
            crowded=crowd and not flagged,
            small=not rows.named,
        )


def _set_view(ax: Axes, rows: _Rows, margin: float | None, of_ratios: bool) -> None:
    """Set the horizontal range to include every interval, 1 (of differences 0) and the lines of the margin."""
    low, high = rows.low.min(), rows.high.max()
    ax.set_ylim(-0.8, len(rows) - 0.2)
    if of_ratios:
        ax.set_xlim(0.95 * min(low, 0.9), 1.05 * max(high, 1.1))
        canvas.ratio_axis(ax, "x")
    else:
        reach = 0.0 if margin is None else margin
        ends = min(low, -reach), max(high, reach)
        room = 0.05 * (ends[1] - ends[0])
        ax.set_xlim(ends[0] - room, ends[1] + room)
        canvas.number_axis(ax, "x")


def _write_names(ax: Axes, rows: _Rows) -> int:
    """Name the rows that there is room for, and return how many these are."""
    canvas.settle(ax)
    chosen = _rows_to_name(ax, rows)
    ax.set_yticks(rows.height[chosen], canvas.shorten_apart(rows.names[chosen], 44))
    ax.tick_params(axis="y", length=0, labelsize=8.5 if rows.named else 7.5)
    canvas.print_ticks_literally(ax)
    return len(chosen)


def _rows_to_name(ax: Axes, rows: _Rows) -> npt.NDArray[np.intp]:
    """Positions of the rows to name: all of a short list; of a long one the flagged rows, from both ends inwards.

    Rows whose names would touch one already chosen are left out.
    """
    if rows.named:
        return np.arange(len(rows))
    per_row = canvas.height_in_points(ax) / len(rows)
    flagged = np.flatnonzero(rows.flagged)
    middle = 0.5 * (len(rows) - 1)
    chosen: list[int] = []
    for row in flagged[np.argsort(-np.abs(flagged - middle), kind="stable")]:
        if all(abs(row - other) * per_row >= _FEWEST_POINTS_BETWEEN_NAMES for other in chosen):
            chosen.append(int(row))
    return np.array(sorted(chosen), dtype=int)


def _notes(dropped: int, rows: _Rows, named: int, margin: float | None, of_ratios: bool) -> str:
    parts = []
    flagged = int(rows.flagged.sum())
    if not rows.named and flagged > named:
        parts.append(f"{flagged:,} of {len(rows):,} rows are flagged; those with room are named.")
    if margin is not None:
        edges = f"ratios of {margin:g} and 1/{margin:g}" if of_ratios else f"differences of ±{margin:g}"
        parts.append(f"Dashed: {edges}.")
    if dropped:
        missing = "ratio" if of_ratios else "difference"
        parts.append(f"{dropped:,} without a {missing} {'is' if dropped == 1 else 'are'} not shown.")
    if (rows.status == CANNOT_TELL).any():
        parts.append("“Cannot tell” is not reassurance: the data do not say.")
    return " ".join(parts)


def _description(rows: _Rows, title: str | None, notes: str, caption: str | None, of_ratios: bool) -> str:
    def row(position: int) -> str:
        ends = rows.centre[position], rows.low[position], rows.high[position]
        said = interval_text(*ends, form=".2f" if of_ratios else "+.3g")
        return f"{canvas.shorten(rows.names[position], 60)} {said}"

    flags = [
        f"{kind.capitalize()}s: {listed([canvas.shorten(name, 60) for name in rows.names[rows.status == kind]])}"
        for kind in (DARK, BRIGHT)
        if (rows.status == kind).any()
    ]
    drawn = "ratios" if of_ratios else "differences"
    return canvas.sentence(
        titled("Caterpillar plot", title),
        f"{len(rows):,} {drawn} with intervals, from {row(0)} to {row(len(rows) - 1)}",
        *flags, notes, caption,
    )  # fmt: skip
