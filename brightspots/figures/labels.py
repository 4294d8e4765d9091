"""Place labels beside points so that none covers another label or a marked point.

Labels are placed in their order of importance. Each tries positions around its point, near before far, and takes the
first that is inside the axes and free, with a thin line back to the point where it is not next to it. A place is free
when it covers no label, no marked point, no line and no other point, and no other marked point is so near that the
label could be read as its name. If there is no free place, other points and lines may be covered. If there is still
none, the label is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox

from brightspots.common.arrays import FloatArray
from brightspots.figures.canvas import figure_of, settle, shorten_apart
from brightspots.figures.palette import INK, NEUTRAL

_FONT_SIZE = 8.0
_LONGEST = 34
# Gaps in points between a point and its label, and directions in the order in which they are tried.
_NEAR = 6.0
_GAPS = (_NEAR, 12.0, 22.0, 36.0, 54.0, 76.0)
_DIRECTIONS = ((1, 0), (1, 1), (1, -1), (-1, 0), (-1, 1), (-1, -1), (0, 1), (0, -1))
# With more points than this they are not avoided, since a label could hardly miss them all.
_OBSTACLES = 2_000


def place_labels(
    ax: Axes,
    x: FloatArray,
    y: FloatArray,
    names: Sequence[str],
    marked: FloatArray,
    others: FloatArray,
    ringed: npt.NDArray[np.bool_] | None = None,
    font_size: float = _FONT_SIZE,
) -> int:
    """Label points in the order given, in the place of labels written before.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        With its limits set.
    x, y : float array (k,)
        Points to label, in data units.
    names : sequence of str (k,)
    marked : float array (m, 2)
        Points that labels may not cover, in data units.
    others : float array (l, 2)
        Points of lines and other units, covered only where there is no other place.
    ringed : bool array (k,), optional
        Points with a ring about them, whose labels keep further off.
    font_size : float, default 8
        Points.

    Returns
    -------
    int
        Number of labels that found no place.
    """
    if not len(names):
        return 0
    figure = figure_of(ax).figure
    for text in list(ax.texts):
        if text.get_gid() == "label":
            text.remove()
    settle(ax)
    points_to_pixels = figure.dpi / 72.0
    inside = ax.get_window_extent()
    anchors = ax.transData.transform(np.column_stack([x, y]))
    units = ax.transData.transform(marked)
    strict = units
    loose = ax.transData.transform(others) if len(others) <= _OBSTACLES else np.empty((0, 2))
    everything = np.concatenate([strict, loose])
    # Words already written, such as the names of lines, are taken places.
    taken = [text.get_window_extent() for text in ax.texts if text.get_gid() != "caption"]
    missed = 0
    for position, (anchor, name) in enumerate(zip(anchors, shorten_apart(names, _LONGEST), strict=True)):
        gaps = _GAPS[1:] if ringed is not None and ringed[position] else _GAPS
        pixels = [gap * points_to_pixels for gap in gaps]
        size = _measure(ax, name, font_size)
        place = None
        for avoided in (everything, strict):
            place = place or _free_place(anchor, *size, pixels, inside, taken, avoided, units)
        if place is None:
            missed += 1
            continue
        led = place.gap > pixels[0]
        taken.append(place.box)
        if led:
            leader = _between(anchor, place.box)
            strict, everything = np.concatenate([strict, leader]), np.concatenate([everything, leader])
        offset = (np.asarray(place.box.min) - anchor) / points_to_pixels
        _write(ax, name, (x[position], y[position]), offset, font_size, led)
    return missed


def _measure(ax: Axes, text: str, font_size: float) -> tuple[float, float]:
    """Width and height in pixels of a text on these axes."""
    ruler = ax.text(0.0, 0.0, text, fontsize=font_size)
    box = ruler.get_window_extent()
    ruler.remove()
    return float(box.width), float(box.height)


def _write(
    ax: Axes, name: str, point: tuple[float, float], offset: FloatArray, font_size: float, led: bool
) -> None:
    """Write a label with its lower left corner `offset` points from its point, with a line to it where `led`."""
    line = {"arrowstyle": "-", "color": NEUTRAL, "linewidth": 0.6, "shrinkA": 0.0, "shrinkB": 3.0}
    ax.annotate(
        name, xy=point, xytext=tuple(offset), textcoords="offset points", ha="left", va="bottom", fontsize=font_size,
        color=INK, zorder=8, annotation_clip=False, path_effects=[withStroke(linewidth=2.0, foreground="white")],
        arrowprops=line if led else None, gid="label",
    )  # fmt: skip


@dataclass(frozen=True)
class _Place:
    """Where a label goes, in pixels, and how far that is from its point."""

    box: Bbox
    gap: float


def _between(anchor: FloatArray, box: Bbox) -> FloatArray:
    """Points along the line that leads from a point to its label, (8, 2)."""
    centre = 0.5 * (np.asarray(box.min) + np.asarray(box.max))
    return np.asarray(anchor + np.linspace(0.2, 0.9, 8)[:, np.newaxis] * (centre - anchor))


def _free_place(
    anchor: FloatArray,
    width: float,
    height: float,
    gaps: list[float],
    inside: Bbox,
    taken: list[Bbox],
    avoided: FloatArray,
    units: FloatArray,
) -> _Place | None:
    """Find the first free place among those around a point; all sizes in pixels."""
    margin = 0.4 * gaps[0]
    for gap in gaps:
        for right, up in _DIRECTIONS:
            reach = gap if right == 0 or up == 0 else gap / np.sqrt(2.0)
            left = anchor[0] + right * reach - (0.0, width / 2.0, width)[1 - right]
            bottom = anchor[1] + up * reach - (0.0, height / 2.0, height)[1 - up]
            box = Bbox.from_bounds(left, bottom, width, height)
            if not (
                inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1
            ):
                continue
            if any(box.padded(2.0).overlaps(other) for other in taken):
                continue
            if gap > gaps[0] and any(
                other.contains(*point) for other in taken for point in _between(anchor, box)
            ):
                continue
            covered = (
                (avoided[:, 0] > box.x0 - margin)
                & (avoided[:, 0] < box.x1 + margin)
                & (avoided[:, 1] > box.y0 - margin)
                & (avoided[:, 1] < box.y1 + margin)
            )
            if not covered.any() and not _is_ambiguous(
                box, anchor, units, (1.6 if gap == gaps[0] else 1.0) * gaps[0]
            ):
                return _Place(box, gap)
    return None


def _is_ambiguous(box: Bbox, anchor: FloatArray, units: FloatArray, distance: float) -> bool:
    """Whether a marked point other than the label's own lies within a distance of the label."""
    across = np.maximum(np.maximum(box.x0 - units[:, 0], units[:, 0] - box.x1), 0.0)
    along = np.maximum(np.maximum(box.y0 - units[:, 1], units[:, 1] - box.y1), 0.0)
    own = np.hypot(*(units - anchor).T) < 0.5
    return bool((np.hypot(across, along)[~own] < distance).any())
