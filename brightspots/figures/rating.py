"""Departments against their trust's overall rating: where one word for a whole trust hides its departments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from brightspots.common.errors import DataError, SettingsError
from brightspots.common.vocabulary import (
    BRIGHT_IN_WEAK,
    DARK_IN_STRONG,
    DEPARTMENT,
    NOT_RATED,
    RATING,
    TRUST,
    HigherIs,
)
from brightspots.figures import canvas
from brightspots.figures.describe import listed, remember
from brightspots.figures.labels import place_labels
from brightspots.figures.palette import INK, NEUTRAL, PALE, STATUS_MARKS

_WHOSE = {"trust": "overall rating of the trust", "department": "rating of the department itself"}
_SPREAD = 0.36
_CROWD = 3_000
_MOST_RINGS = 60


def draw_rating(
    spots_table: pd.DataFrame,
    *,
    order: Sequence[object],
    ratio: str = "peer_ratio",
    higher_is: HigherIs = "worse",
    of: Literal["trust", "department"] = "trust",
    max_labels: int = 16,
    strong: str | None = None,
    title: str | None = "Departments against the overall rating of their trust",
    ylabel: str | None = None,
    caption: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw every department's ratio above its trust's rating, and name those that diverge from it.

    Parameters
    ----------
    spots_table : pandas.DataFrame
        `Spots.table` with `trust, department, status, rating, rating_status` and the ratio.
    order : sequence
        Ratings from the lowest to the highest; drawn left to right. Departments of unrated trusts are left out, and
        the caption says how many.
    ratio : str, default "peer_ratio"
    higher_is : {"worse", "better"}, default "worse"
    of : {"trust", "department"}, default "trust"
        What is rated: the words on the figure say so.
    max_labels : int, default 16
        Divergent departments to name, those furthest from 1 first.
    strong : str, optional
        Which ratings count as strong, by which rule, for the caption.
    title, ylabel, caption : str, optional
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    DataError
        Where a column is missing, a rating is not in `order`, or nothing is rated.
    """
    needed = (TRUST, DEPARTMENT, "status", RATING, "rating_status", ratio)
    canvas.check_columns(spots_table, needed, "the table of find_spots(rating=…)")
    if isinstance(order, str) or not len(order):
        raise SettingsError(f"order must list the ratings from the lowest to the highest; received {order!r}")
    words = [str(rating) for rating in order]
    rated = spots_table[spots_table[RATING].notna()]
    # Where it is not known which ratings are strong, no department is set against its own.
    compared = bool((rated["rating_status"] != NOT_RATED).any())
    if compared:
        rated = rated[rated["rating_status"] != NOT_RATED]
    rated = rated[rated[ratio].notna()]
    if rated.empty:
        raise DataError("no rated department has a ratio", column=ratio, expected="at least one")
    strange = rated.index[~rated[RATING].astype(str).isin(words)]
    if len(strange):
        raise DataError(
            "a rating is not in order=", column=RATING, rows=strange.tolist(), expected=", ".join(words)
        )

    band = (
        rated[RATING].astype(str).map({word: place for place, word in enumerate(words)}).to_numpy(dtype=float)
    )
    y = rated[ratio].to_numpy(dtype=float)
    x = band + _spread(band, y)
    status = rated["status"].to_numpy(dtype=object)
    divergent = rated["rating_status"].isin([DARK_IN_STRONG, BRIGHT_IN_WEAK]).to_numpy()
    with canvas.style(rated, words, title, ylabel, caption, strong):
        ax = canvas.open_axes(ax, (max(8.0, 1.6 * len(words) + 2.0), 6.0))
        # Many rings would be one black blot: beyond some, what diverges keeps its mark and all else recedes.
        ringed = int(divergent.sum()) <= _MOST_RINGS
        for kind, mark in reversed(list(STATUS_MARKS.items())):
            for here in (
                (status == kind,) if ringed else ((status == kind) & ~divergent, (status == kind) & divergent)
            ):
                if here.any():
                    recedes = not ringed and not divergent[here].any()
                    canvas.draw_marks(
                        ax,
                        x[here],
                        y[here],
                        mark,
                        crowded=recedes or int(here.sum()) > _CROWD,
                        small=not ringed,
                    )
        if divergent.any() and ringed:
            ax.plot(
                x[divergent], y[divergent], linestyle="none", marker="o", markersize=13.0, markerfacecolor="none",
                markeredgecolor=INK, markeredgewidth=1.2, zorder=7,
            )[0].set_gid("divergent")  # fmt: skip
        _draw_middles(ax, band, y, len(words))
        ax.axhline(1.0, color=NEUTRAL, linewidth=1.0, zorder=1)
        ax.set_xlim(-0.6, len(words) - 0.4)
        reach = max(float(np.abs(np.log(y)).max()), 0.15) * 1.12
        ax.set_ylim(float(np.exp(-reach)), float(np.exp(reach)))
        canvas.ratio_axis(ax, "y")
        ax.set_xticks(range(len(words)), [_band_text(word, band, place) for place, word in enumerate(words)])
        ax.tick_params(axis="x", length=0)
        canvas.print_ticks_literally(ax)
        ax.set_xlabel(f"{_WHOSE[of][0].upper()}{_WHOSE[of][1:]}")
        direction = f"higher is {higher_is}"
        ax.set_ylabel(ylabel or f"Ratio to the same department nationally\n({direction}; logarithmic axis)")
        canvas.settle(ax)
        entries = [
            (mark, f"{kind.capitalize()} ({(status == kind).sum():,})")
            for kind, mark in STATUS_MARKS.items()
            if (status == kind).any()
        ]
        canvas.set_title(ax, title, canvas.legend_above(ax, entries))
        left_out = len(spots_table) - len(rated)
        notes = _notes(left_out, rated["rating_status"] if compared else None, max_labels, ringed, of, strong)
        canvas.set_caption(ax, canvas.sentence(*notes, caption))
        named = np.flatnonzero(divergent)
        named = named[np.argsort(-np.abs(np.log(y[named])), kind="stable")][:max_labels]
        names = _cell_names(rated)
        points = np.column_stack([x, y])
        flagged = divergent | np.isin(status, np.array(list(STATUS_MARKS)[:2], dtype=object))
        missed = place_labels(
            ax, x[named], y[named], names[named].tolist(), points[flagged], points[~flagged],
            np.ones(len(named), dtype=bool),
        )  # fmt: skip
        if missed:
            canvas.set_caption(ax, canvas.sentence(*notes, canvas.without_room(missed), caption))
        remember(ax, canvas.sentence(
            f"Departments by {_WHOSE[of]}: {len(rated):,} departments, "
            + ", ".join(f"{int((band == place).sum()):,} {word}" for place, word in enumerate(words)),
            *(f"{kind.capitalize()}: {listed(names[(rated['rating_status'] == kind).to_numpy()].tolist())}"
              for kind in (DARK_IN_STRONG, BRIGHT_IN_WEAK) if (rated["rating_status"] == kind).any()),
            *notes, caption,
        ))  # fmt: skip
    return ax


def _spread(band: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Move points sideways so that equal ratios lie beside each other: a fixed pattern, not a random one."""
    offset = np.zeros(len(band))
    for place in np.unique(band):
        here = np.flatnonzero(band == place)
        ranked = here[np.argsort(y[here], kind="stable")]
        # The golden ratio fills the width evenly whatever the number of points.
        offset[ranked] = ((np.arange(len(here)) * 0.6180339887498949 + 0.5) % 1.0 - 0.5) * 2.0 * _SPREAD
    return offset


def _draw_middles(ax: Axes, band: np.ndarray, y: np.ndarray, bands: int) -> None:
    """Draw the median and the middle half of each rating's departments."""
    for place in range(bands):
        here = y[band == place]
        if len(here) >= 5:
            low, middle, high = np.quantile(here, [0.25, 0.5, 0.75])
            ax.fill_between(
                [place - 0.45, place + 0.45], low, high, color=PALE, alpha=0.6, linewidth=0.0, zorder=0
            )
            ax.hlines(middle, place - 0.45, place + 0.45, color=INK, linewidth=1.8, zorder=3.5)


def _band_text(word: str, band: np.ndarray, place: int) -> str:
    return f"{canvas.shorten(word, 24)}\n({int((band == place).sum()):,} departments)"


def _cell_names(rated: pd.DataFrame) -> np.ndarray:
    return (rated[DEPARTMENT].astype(str) + ", " + rated[TRUST].astype(str)).to_numpy(dtype=object)


def _notes(
    left_out: int,
    rating_status: pd.Series[str] | None,
    max_labels: int,
    ringed: bool,
    of: Literal["trust", "department"],
    strong: str | None,
) -> list[str]:
    middles = "Grey band and line: middle half and median of the departments"
    dark = bright = 0
    if rating_status is None:
        notes = [f"Which ratings count as strong is not known. {middles}"]
    else:
        dark, bright = (int((rating_status == kind).sum()) for kind in (DARK_IN_STRONG, BRIGHT_IN_WEAK))
        marks = "Ringed" if ringed else "Not faded"
        trusts = " trusts" if of == "trust" else ""
        notes = [f"{marks}: {dark:,} dark in strong and {bright:,} bright in weak{trusts}. {middles}"]
        if strong:
            notes.append(f"Strong: {strong}")
    if dark + bright > max_labels:
        notes.append(f"The {max_labels:,} furthest from 1 are named")
    if left_out:
        notes.append(f"{left_out:,} departments without a rating or a ratio are not shown")
    return notes
