"""Ratios with their intervals, from the lowest to the highest."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from brightspots.common.errors import DataError
from brightspots.common.vocabulary import BRIGHT, CANNOT_TELL, DARK
from brightspots.common.wording import interval_text
from brightspots.figures import canvas
from brightspots.figures.describe import listed, remember
from brightspots.figures.palette import INK, NEUTRAL, STATUS_MARKS, Mark

# Rows up to which each has its name; beyond it only those that stand out are named, as far as they fit.
_NAMED_ROWS = 60
_FEWEST_POINTS_BETWEEN_NAMES = 9.0
# Rows from which intervals run together and are drawn as a shade.
_CROWD = 600
_PLAIN = "plain"


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
    """Draw ratios and intervals on a logarithmic axis, or differences on a plain one, in their order.

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
    lower, upper = lower or f"{ratio}_lower", upper or f"{ratio}_upper"
    canvas.check_columns(frame, (ratio, lower, upper, label), "a table of departments or trusts")
    known = frame[frame[ratio].notna()].sort_values(ratio, kind="stable")
    if known.empty:
        raise DataError(
            f"no {'ratio' if of_ratios else 'difference'} to draw",
            column=ratio,
            expected="at least one number",
        )
    centre, low, high = (known[column].to_numpy(dtype=float) for column in (ratio, lower, upper))
    names = known[label].astype(str).to_numpy(dtype=object)
    if status is not None and status in known:
        statuses = known[status].to_numpy(dtype=object)
    else:
        statuses = np.full(len(known), _PLAIN, dtype=object)
    height = np.arange(len(known), dtype=float)
    short = len(known) <= _NAMED_ROWS
    with canvas.style(names, statuses, title, xlabel, caption):
        ax = canvas.open_axes(ax, (8.0, 1.8 + 0.23 * len(known)) if short else (8.0, 9.0))
        for kind, mark in (*STATUS_MARKS.items(), (_PLAIN, Mark(INK, "o", 5.5, True, 4))):
            here = statuses == kind
            if not here.any():
                continue
            flagged = kind in (BRIGHT, DARK)
            ax.hlines(
                height[here], low[here], high[here], color=mark.colour if flagged else NEUTRAL,
                linewidth=1.6 if short else 1.0 if flagged else 0.8,
                alpha=1.0 if short or flagged else 0.45 if len(known) <= _CROWD else 0.15, zorder=4 if flagged else 2,
            )  # fmt: skip
            canvas.draw_marks(
                ax,
                centre[here],
                height[here],
                mark,
                crowded=len(known) > _CROWD and not flagged,
                small=not short,
            )
        ax.axvline(1.0 if of_ratios else 0.0, color=INK, linewidth=1.0, zorder=3)
        for edge in () if margin is None else (margin, 1.0 / margin if of_ratios else -margin):
            ax.axvline(edge, color=NEUTRAL, linewidth=0.9, linestyle="--", zorder=3)
        ax.set_ylim(-0.8, len(known) - 0.2)
        if of_ratios:
            ax.set_xlim(0.95 * min(low.min(), 0.9), 1.05 * max(high.max(), 1.1))
            canvas.ratio_axis(ax, "x")
        else:
            reach = 0.0 if margin is None else margin
            ends = min(low.min(), -reach), max(high.max(), reach)
            room = 0.05 * (ends[1] - ends[0])
            ax.set_xlim(ends[0] - room, ends[1] + room)
            canvas.number_axis(ax, "x")
        axis = "Ratio (logarithmic axis)" if of_ratios else "Difference, in the units of the estimates"
        ax.set_xlabel(xlabel or f"{axis}, with interval")
        canvas.settle(ax)
        rows = _named_rows(ax, statuses, short)
        ax.set_yticks(height[rows], canvas.shorten_apart(names[rows], 44))
        ax.tick_params(axis="y", length=0, labelsize=8.5 if short else 7.5)
        canvas.print_ticks_literally(ax)
        canvas.settle(ax)
        present = [kind for kind in STATUS_MARKS if (statuses == kind).any()] if status in known else []
        entries = [
            (STATUS_MARKS[kind], f"{kind.capitalize()} ({(statuses == kind).sum():,})") for kind in present
        ]
        canvas.set_title(ax, title, canvas.legend_above(ax, entries))
        notes = _notes(len(frame) - len(known), statuses, len(rows), short, margin, of_ratios)
        canvas.set_caption(ax, canvas.sentence(notes, caption))
        remember(ax, _description(names, centre, low, high, statuses, title, notes, caption, of_ratios))
    return ax


def _named_rows(ax: Axes, statuses: np.ndarray, short: bool) -> np.ndarray:
    """Rows to name: all of a short list; of a long one those flagged, from the ends inward, that do not touch."""
    if short:
        return np.arange(len(statuses))
    per_row = canvas.height_in_points(ax) / len(statuses)
    flagged = np.flatnonzero(np.isin(statuses, np.array([BRIGHT, DARK], dtype=object)))
    middle = 0.5 * (len(statuses) - 1)
    chosen: list[int] = []
    for row in flagged[np.argsort(-np.abs(flagged - middle), kind="stable")]:
        if all(abs(row - other) * per_row >= _FEWEST_POINTS_BETWEEN_NAMES for other in chosen):
            chosen.append(int(row))
    return np.array(sorted(chosen), dtype=int)


def _notes(
    dropped: int, statuses: np.ndarray, named: int, short: bool, margin: float | None, of_ratios: bool
) -> str:
    parts = []
    flagged = int(np.isin(statuses, np.array([BRIGHT, DARK], dtype=object)).sum())
    if not short and flagged > named:
        parts.append(f"{flagged:,} of {len(statuses):,} rows are flagged; those with room are named.")
    if margin is not None:
        edges = f"ratios of {margin:g} and 1/{margin:g}" if of_ratios else f"differences of ±{margin:g}"
        parts.append(f"Dashed: {edges}.")
    if dropped:
        missing = "ratio" if of_ratios else "difference"
        parts.append(f"{dropped:,} without a {missing} {'is' if dropped == 1 else 'are'} not shown.")
    if (statuses == CANNOT_TELL).any():
        parts.append("“Cannot tell” is not reassurance: the data do not say.")
    return " ".join(parts)


def _description(
    names: np.ndarray,
    centre: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    statuses: np.ndarray,
    title: str | None,
    notes: str,
    caption: str | None,
    of_ratios: bool,
) -> str:
    def row(position: int) -> str:
        said = interval_text(
            centre[position], low[position], high[position], form=".2f" if of_ratios else "+.3g"
        )
        return f"{canvas.shorten(names[position], 60)} {said}"

    flags = [
        f"{kind.capitalize()}s: {listed([canvas.shorten(name, 60) for name in names[statuses == kind]])}"
        for kind in (DARK, BRIGHT)
        if (statuses == kind).any()
    ]
    drawn = "ratios" if of_ratios else "differences"
    return canvas.sentence(
        f"Caterpillar plot{': ' + canvas.shorten(title, 120) if title else ''}",
        f"{len(names):,} {drawn} with intervals, from {row(0)} to {row(len(names) - 1)}",
        *flags, notes, caption,
    )  # fmt: skip
