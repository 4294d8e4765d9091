"""Departments against the overall rating of their trust (or their own), those that diverge from it named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes

from brightspots.common.arrays import FloatArray
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
from brightspots.figures.describe import listed
from brightspots.figures.labels import place_labels
from brightspots.figures.marks import STATUS_MARKS, legend_entries, standing_out
from brightspots.figures.palette import INK, NEUTRAL, PALE

_DIVERGENT = (DARK_IN_STRONG, BRIGHT_IN_WEAK)
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
        For the caption: the rule by which ratings count as strong, such as "Good or better, on …".
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
    rated = _rated_rows(spots_table, words, ratio)
    drawn = _place(rated, words, ratio)
    # Many rings would merge: with more than `_MOST_RINGS` divergent departments the others are drawn fainter instead.
    ringed = int(drawn.divergent.sum()) <= _MOST_RINGS
    with canvas.style(rated, words, title, ylabel, caption, strong):
        ax = canvas.open_axes(ax, (max(8.0, 1.6 * len(words) + 2.0), 6.0))
        _draw_departments(ax, drawn, ringed)
        _draw_middles(ax, drawn.band, drawn.y, len(words))
        ax.axhline(1.0, color=NEUTRAL, linewidth=1.0, zorder=1)
        _set_axes(ax, drawn, words)
        ax.set_xlabel(f"{_WHOSE[of][0].upper()}{_WHOSE[of][1:]}")
        ax.set_ylabel(
            ylabel or f"Ratio to the same department nationally\n(higher is {higher_is}; logarithmic axis)"
        )
        notes = _notes(drawn, len(spots_table) - len(rated), max_labels, ringed, of, strong)
        canvas.finish(
            ax,
            title=title,
            entries=legend_entries(drawn.status, STATUS_MARKS),
            caption=canvas.sentence(*notes, caption),
            description=_description(drawn, words, of, notes, caption),
        )
        if missed := _name_divergent(ax, drawn, max_labels):
            canvas.set_caption(ax, canvas.sentence(*notes, canvas.without_room(missed), caption))
    return ax


@dataclass(frozen=True, eq=False)
class _Departments:
    """Departments as they are drawn: positions, the band that they stand in (from 0), statuses and names, all (n,).

    `against` is the rating status of each, and `divergent` whether it is dark in strong or bright in weak; `compared`
    is False where it is not known which ratings are strong.
    """

    x: FloatArray
    y: FloatArray
    band: FloatArray
    status: npt.NDArray[np.object_]
    against: npt.NDArray[np.object_]
    divergent: npt.NDArray[np.bool_]
    names: npt.NDArray[np.object_]
    compared: bool


def _rated_rows(spots_table: pd.DataFrame, words: list[str], ratio: str) -> pd.DataFrame:
    """The departments that have a rating, one of `words`, and a ratio."""
    rated = spots_table[spots_table[RATING].notna()]
    # Where it is not known which ratings are strong, every department has the status "not rated".
    if (rated["rating_status"] != NOT_RATED).any():
        rated = rated[rated["rating_status"] != NOT_RATED]
    rated = rated[rated[ratio].notna()]
    if rated.empty:
        raise DataError("no rated department has a ratio", column=ratio, expected="at least one")
    strange = rated.index[~rated[RATING].astype(str).isin(words)]
    if len(strange):
        raise DataError(
            "a rating is not in order=", column=RATING, rows=strange.tolist(), expected=", ".join(words)
        )
    return rated


def _place(rated: pd.DataFrame, words: list[str], ratio: str) -> _Departments:
    """Positions of the departments: across, their band with an offset that spreads them; up, their ratio."""
    places = {word: place for place, word in enumerate(words)}
    band = np.array([places[word] for word in rated[RATING].astype(str)], dtype=np.float64)
    y = rated[ratio].to_numpy(dtype=float)
    against = rated["rating_status"].to_numpy(dtype=object)
    return _Departments(
        x=band + _spread(band, y),
        y=y,
        band=band,
        status=rated["status"].to_numpy(dtype=object),
        against=against,
        divergent=np.isin(against, np.array(_DIVERGENT, dtype=object)),
        names=(rated[DEPARTMENT].astype(str) + ", " + rated[TRUST].astype(str)).to_numpy(dtype=object),
        compared=bool((against != NOT_RATED).any()),
    )


def _draw_departments(ax: Axes, drawn: _Departments, ringed: bool) -> None:
    """Draw the marks of the statuses, with rings around divergent departments, or with the others fainter."""
    for kind, mark in reversed(list(STATUS_MARKS.items())):
        mine = drawn.status == kind
        for here in (mine,) if ringed else (mine & ~drawn.divergent, mine & drawn.divergent):
            if here.any():
                recedes = not ringed and not drawn.divergent[here].any()
                crowded = recedes or int(here.sum()) > _CROWD
                canvas.draw_marks(ax, drawn.x[here], drawn.y[here], mark, crowded=crowded, small=not ringed)
    if drawn.divergent.any() and ringed:
        rings = canvas.draw_rings(ax, drawn.x[drawn.divergent], drawn.y[drawn.divergent], 1.2)
        rings.set_gid("divergent")


def _set_axes(ax: Axes, drawn: _Departments, words: list[str]) -> None:
    """Set the vertical range, symmetric about 1 in logarithms, and name the bands with their numbers of departments."""
    ax.set_xlim(-0.6, len(words) - 0.4)
    reach = max(float(np.abs(np.log(drawn.y)).max()), 0.15) * 1.12
    ax.set_ylim(float(np.exp(-reach)), float(np.exp(reach)))
    canvas.ratio_axis(ax, "y")
    counts = _counts(drawn, words)
    texts = [
        f"{canvas.shorten(word, 24)}\n({count:,} departments)"
        for word, count in zip(words, counts, strict=True)
    ]
    ax.set_xticks(range(len(words)), texts)
    ax.tick_params(axis="x", length=0)
    canvas.print_ticks_literally(ax)


def _counts(drawn: _Departments, words: list[str]) -> list[int]:
    """Number of departments in each band."""
    return [int((drawn.band == place).sum()) for place in range(len(words))]


def _name_divergent(ax: Axes, drawn: _Departments, most: int) -> int:
    """Name divergent departments, the furthest from 1 first, and return how many names found no room."""
    named = np.flatnonzero(drawn.divergent)
    named = named[np.argsort(-np.abs(np.log(drawn.y[named])), kind="stable")][:most]
    points = np.column_stack([drawn.x, drawn.y])
    marked = drawn.divergent | standing_out(drawn.status, STATUS_MARKS)
    return place_labels(
        ax, drawn.x[named], drawn.y[named], drawn.names[named].tolist(), points[marked], points[~marked],
        np.ones(len(named), dtype=bool),
    )  # fmt: skip


def _spread(band: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Sideways offset of each point from the middle of its band, (n,): a fixed pattern, so figures are reproducible."""
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


def _notes(
    drawn: _Departments,
    left_out: int,
    max_labels: int,
    ringed: bool,
    of: Literal["trust", "department"],
    strong: str | None,
) -> list[str]:
    middles = "Grey band and line: middle half and median of the departments"
    dark, bright = (int((drawn.against == kind).sum()) for kind in _DIVERGENT)
    if not drawn.compared:
        notes = [f"Which ratings count as strong is not known. {middles}"]
    else:
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


def _description(
    drawn: _Departments,
    words: list[str],
    of: Literal["trust", "department"],
    notes: list[str],
    caption: str | None,
) -> str:
    bands = [f"{count:,} {word}" for count, word in zip(_counts(drawn, words), words, strict=True)]
    return canvas.sentence(
        f"Departments by {_WHOSE[of]}: {len(drawn.y):,} departments, {', '.join(bands)}",
        *(
            f"{kind.capitalize()}: {listed(drawn.names[drawn.against == kind].tolist())}"
            for kind in _DIVERGENT
            if (drawn.against == kind).any()
        ),
        *notes,
        caption,
    )
