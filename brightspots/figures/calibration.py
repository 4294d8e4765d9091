"""Observed against expected events by band of fitted risk: the calibration of a case-mix model."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from brightspots.common.errors import DataError
from brightspots.figures import canvas
from brightspots.figures.describe import titled
from brightspots.figures.marks import BAND
from brightspots.figures.palette import INK, NEUTRAL

_NEEDED = ("expected_rate", "observed_rate", "observed_rate_lower", "observed_rate_upper")
# Axes are logarithmic where the highest expected rate is more than this many times the lowest.
_WIDE = 20.0
# Up to here a logarithmic axis has ticks at 1, 2 and 5, beyond it at powers of ten only.
_DECADES_WITH_STEPS = 1000.0


def draw_calibration(
    table: pd.DataFrame, *, title: str | None = None, caption: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the observed rate, with its interval, against the expected rate of each band, and the line of agreement.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a band of risk: expected_rate, observed_rate, observed_rate_lower, observed_rate_upper (shares, 0 to 1).
    title, caption : str, optional
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    DataError
        Where a column is missing or there is no row.
    """
    missing = [column for column in _NEEDED if column not in table]
    if missing or table.empty:
        raise DataError(
            f"no column {', '.join(missing)}" if missing else "no band to draw",
            expected="a table of calibration, as the card of standardise() holds it",
        )
    expected, observed, lower, upper = (100.0 * table[column].to_numpy(dtype=float) for column in _NEEDED)
    logarithmic = bool(observed.min() > 0 and expected.max() > _WIDE * expected.min())
    with canvas.style(title, caption):
        ax = canvas.open_axes(ax, (6.4, 6.0))
        low, high = min(expected.min(), lower.min()), max(expected.max(), upper.max())
        if logarithmic:
            ax.set_xscale("log")
            ax.set_yscale("log")
            limits = (0.8 * min(expected.min(), max(lower.min(), 0.2 * observed.min())), 1.25 * high)
        else:
            limits = (0.0, 1.05 * high) if low < 0.3 * high else (0.95 * low, 1.05 * high)
        ax.plot(limits, limits, color=NEUTRAL, linewidth=0.9, linestyle="--", zorder=2)
        ax.vlines(expected, np.maximum(lower, limits[0]), upper, color=INK, linewidth=1.2, zorder=3)
        canvas.draw_marks(ax, expected, observed, BAND)
        ax.set_xlim(limits)
        ax.set_ylim(limits)
        for which, axis in (("x", ax.xaxis), ("y", ax.yaxis)):
            canvas.number_axis(ax, which)
            if logarithmic:
                steps = (1.0, 2.0, 5.0) if limits[1] < _DECADES_WITH_STEPS * limits[0] else (1.0,)
                axis.set_major_locator(LogLocator(subs=steps))
        axes = " (logarithmic axes)" if logarithmic else ""
        ax.set_xlabel(f"Expected, % of records{axes}")
        ax.set_ylabel("Observed, %, with 95% interval")
        notes = "Each point is a band of records with neighbouring risk. Dashed: observed as expected."
        canvas.finish(
            ax,
            title=title,
            caption=canvas.sentence(notes, caption),
            description=_description(expected, observed, lower, upper, title, caption),
        )
    return ax


def _description(
    expected: np.ndarray,
    observed: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    title: str | None,
    caption: str | None,
) -> str:
    def band(position: int) -> str:
        return f"expected {expected[position]:.2g}%, observed {observed[position]:.2g}%"

    agree = int(((lower <= expected) & (expected <= upper)).sum())
    return canvas.sentence(
        titled("Calibration plot", title),
        f"{len(expected):,} bands of risk, from the lowest ({band(0)}) to the highest ({band(-1)})",
        f"In {agree:,} of them the 95% interval of the observed rate holds the expected rate",
        caption,
    )
