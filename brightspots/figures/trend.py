"""A department's ratio in each period, and its average over the periods shown."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from brightspots.common.arrays import FloatArray
from brightspots.common.errors import DataError, DataWarning
from brightspots.common.wording import interval_text
from brightspots.data.period_order import declared_order, order_periods, period_texts, unknown_order_text
from brightspots.figures import canvas
from brightspots.figures.describe import titled
from brightspots.figures.marks import PERIOD
from brightspots.figures.palette import INK, NEUTRAL, PALE


def draw_trend(
    frame: pd.DataFrame,
    *,
    period: str = "period",
    ratio: str = "ratio",
    lower: str | None = None,
    upper: str | None = None,
    level: float | None = None,
    level_lower: float | None = None,
    level_upper: float | None = None,
    title: str | None = None,
    ylabel: str | None = None,
    caption: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a department's ratio by period, and its average over the periods shown as a band.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row a period.
    period, ratio, lower, upper : str
        Columns; the interval's are by default ``{ratio}_lower`` and ``{ratio}_upper`` where there are such.
        Periods are drawn in the order of time (`period_order.order_periods`): that of an ordered categorical, of
        numbers, dates or months by name, as text too; one whose ratio is missing leaves a gap in the line.
    level, level_lower, level_upper : float, optional
        The model's average over the periods shown, and its interval; it says nothing about other periods.
    title, ylabel, caption : str, optional
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Warns
    -----
    DataWarning
        Where the order of the periods in time is not known: they are then sorted by label, and not joined by a line.

    Raises
    ------
    DataError
        Where a column is missing, a period is given twice, or no ratio is known.
    """
    canvas.check_columns(frame, (period, ratio), "one row a period")
    twice = frame.index[frame[period].duplicated()]
    if len(twice):
        raise DataError(
            "a period is given twice", column=period, rows=twice.tolist(), expected="one row a period"
        )
    known, in_time = _in_time(frame, period)
    y = known[ratio].to_numpy(dtype=float)
    if np.isnan(y).all():
        raise DataError("no ratio to draw", column=ratio, expected="at least one number")
    lower, upper = lower or f"{ratio}_lower", upper or f"{ratio}_upper"
    low = known[lower].to_numpy(dtype=float) if lower in known else y
    high = known[upper].to_numpy(dtype=float) if upper in known else y
    average = _Average(level, level_lower, level_upper)
    labels = canvas.shorten_apart(period_texts(known[period].array), 16)
    with canvas.style(known[period], title, ylabel, caption):
        ax = canvas.open_axes(ax, (8.0, 4.6))
        _draw_average(ax, average)
        ax.axhline(1.0, color=NEUTRAL, linewidth=1.0, linestyle="--", zorder=1)
        _draw_periods(ax, y, low, high, in_time)
        _set_axes(ax, labels, [y, low, high, np.array(average.known())])
        ax.set_ylabel(ylabel or "Ratio (logarithmic axis)")
        canvas.finish(
            ax,
            title=title,
            caption=canvas.sentence(_notes(average, in_time), caption),
            description=_description(labels, y, average, title, caption),
        )
    return ax


@dataclass(frozen=True)
class _Average:
    """The average over the periods shown and the ends of its interval, where they are given."""

    point: float | None
    lower: float | None
    upper: float | None

    def known(self) -> list[float]:
        """The average and the ends of its interval, without those that were not given."""
        return [value for value in (self.point, self.lower, self.upper) if value is not None]


def _draw_average(ax: Axes, average: _Average) -> None:
    """Draw the average as a line with its name, and its interval as a band behind it."""
    if average.lower is not None and average.upper is not None:
        ax.axhspan(average.lower, average.upper, color=PALE, alpha=0.6, linewidth=0.0, zorder=0)
    if average.point is not None:
        ax.axhline(average.point, color=INK, linewidth=1.6, zorder=2)
        ax.annotate(
            "average", xy=(1.0, average.point), xycoords=("axes fraction", "data"), xytext=(4.0, 0.0),
            textcoords="offset points", va="center", fontsize=8.5, annotation_clip=False,
        )  # fmt: skip


def _draw_periods(ax: Axes, y: FloatArray, low: FloatArray, high: FloatArray, in_time: bool) -> None:
    """Draw each period with its interval, joined by a line where their order in time is known."""
    x = np.arange(len(y), dtype=float)
    ax.vlines(x, low, high, color=PERIOD.colour, linewidth=1.4, zorder=3)
    ax.plot(
        x, y, color=PERIOD.colour, marker=PERIOD.marker, markersize=PERIOD.size, markeredgecolor="white",
        linewidth=1.2 if in_time else 0.0, zorder=PERIOD.order,
    )[0].set_gid("ratios")  # fmt: skip


def _set_axes(ax: Axes, labels: list[str], drawn: list[FloatArray]) -> None:
    """Set the vertical range to include everything drawn, and 1; label at most twelve periods."""
    values = np.concatenate(drawn)
    values = values[np.isfinite(values) & (values > 0)]
    ax.set_ylim(min(float(values.min()), 0.9) / 1.06, max(float(values.max()), 1.1) * 1.06)
    ax.set_xlim(-0.4, len(labels) - 0.6)
    canvas.ratio_axis(ax, "y")
    every = max(1, -(-len(labels) // 12))
    ax.set_xticks(np.arange(len(labels), dtype=float)[::every], labels[::every])
    canvas.print_ticks_literally(ax)


def _in_time(frame: pd.DataFrame, period: str) -> tuple[pd.DataFrame, bool]:
    """The rows in the order of their periods in time, those without a period last; whether that order is known."""
    column = frame[period]
    named = np.flatnonzero(column.notna())
    labels = np.asarray(column.array[named])
    ordered = order_periods(labels, declared_order(column))
    known = ordered.known_by != "unknown" or len(labels) < 2
    if not known:
        warnings.warn(
            f"column {period!r}: {unknown_order_text(labels[ordered.order])}", DataWarning, stacklevel=3
        )
    return frame.iloc[[*named[ordered.order], *np.flatnonzero(column.isna())]], known


def _notes(average: _Average, in_time: bool) -> str:
    notes = "Points: each period with its interval. Dashed: 1"
    if average.point is not None:
        notes += ". Line and band: the average over the periods shown, from the model, with its interval"
    if not in_time:
        notes += ". The periods stand in the order of their labels, for their order in time is not known"
    return notes


def _description(
    labels: list[str], y: FloatArray, average: _Average, title: str | None, caption: str | None
) -> str:
    values = ", ".join(
        f"{label} {value:.2f}" if np.isfinite(value) else f"{label} missing"
        for label, value in zip(labels, y, strict=True)
    )
    said = None
    if average.point is not None:
        said = f"Average over the periods shown {average.point:.2f}"
        if average.lower is not None and average.upper is not None:
            said = (
                f"Average over the periods shown {interval_text(average.point, average.lower, average.upper)}"
            )
    return canvas.sentence(titled("Trend", title), f"Ratio by period: {values}", said, caption)
