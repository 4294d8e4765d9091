"""The parts of a funnel figure: points, scales, curves, names and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from brightspots.common.arguments import is_label, shown
from brightspots.common.arrays import FloatArray
from brightspots.common.errors import SettingsError
from brightspots.figures import canvas
from brightspots.figures.describe import listed, titled
from brightspots.figures.marks import STATUS_MARKS, Mark, standing_out
from brightspots.figures.palette import FILL, INK, NEUTRAL
from brightspots.limits.funnel import FunnelLimits
from brightspots.limits.zones import WITHIN, limit_column, zone_names

XScale = Literal["auto", "linear", "log"]

_CURVE_POINTS = 300
# Largest multiplier: per billion.
_MOST_TIMES = 1_000_000_000
# The view reaches this many times as far above the centre as the limits and 98% of the units do.
_REACH = 1.5
# From this many units on, those that are not marked are drawn small, translucent and rasterised.
_CROWD = 3_000
# Sizes are drawn on a logarithmic axis where the largest is this many times the middle one.
_SKEWED = 12.0
SIZE_WORDS = {
    "expected": "Expected events",
    "denominator": "Patients",
    "precision": "Precision (1 / standard error²)",
}
_LINE_STYLES = (("-", "solid"), ("--", "dashed"), (":", "dotted"), ("-.", "dash-dotted"))


@dataclass(frozen=True, eq=False)
class Points:
    """Units as they are drawn: positions, kinds and names, all (n,).

    `low` and `high` are the ends of the bar that a unit with a suppressed count is drawn as; both are `y` for
    all others. Of a bar `y` is the middle.
    """

    x: FloatArray
    y: FloatArray
    low: FloatArray
    high: FloatArray
    kind: npt.NDArray[np.object_]
    names: npt.NDArray[np.object_]
    chosen: npt.NDArray[np.bool_]
    flagged: npt.NDArray[np.bool_]


def read_points(
    limits: FunnelLimits,
    labels: Sequence[object] | None,
    highlight: str | Sequence[object] | None,
    statuses: Sequence[str] | None,
    multiplier: float,
) -> Points:
    """Positions, kinds and names of the units; raises where labels, highlights or statuses do not match them."""
    table, n = limits.table, len(limits.size)
    if "zone" not in table:
        raise SettingsError("these limits hold no observations to draw: give observed= when making them")
    if not 0 < multiplier <= _MOST_TIMES:
        raise SettingsError(
            f"multiplier must be a positive number of at most {_MOST_TIMES:,}; received {multiplier!r}"
        )
    names = _objects(table.index if labels is None else labels, n, "labels")
    chosen = np.zeros(n, dtype=bool)
    if highlight is not None:
        wanted = [highlight] if isinstance(highlight, str) else list(highlight)
        known = set(names)
        missing = [name for name in wanted if not is_label(name) or name not in known]
        if missing:
            raise SettingsError(
                f"highlight: not among the labels: {listed([_said(name) for name in missing])}"
            )
        chosen = np.isin(names, np.array(wanted, dtype=object))
    if statuses is None:
        kind = table["zone"].to_numpy(dtype=object)
        widest = zone_names(limits.levels[-1:])
        flagged = np.isin(kind, np.array([zone for zone in widest if zone != WITHIN], dtype=object))
    else:
        kind = _objects(statuses, n, "statuses")
        unknown = sorted({str(status) for status in kind} - set(STATUS_MARKS))
        if unknown:
            raise SettingsError(
                f"statuses must be among {', '.join(STATUS_MARKS)}; received {listed(unknown)}"
            )
        flagged = standing_out(kind, STATUS_MARKS)
    y, low, high = _heights(limits, multiplier)
    return Points(limits.size, y, low, high, kind, names, chosen, flagged)


def _heights(limits: FunnelLimits, multiplier: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Height of each unit, and the lower and upper end of its bar where its count is suppressed, (n,) each."""
    y = limits.table["ratio"].to_numpy(dtype=np.float64) * multiplier
    if not limits.suppressed.any():
        return y, y, y
    low, high = (
        limits.table[f"ratio_{end}"].to_numpy(dtype=np.float64) * multiplier for end in ("lower", "upper")
    )
    return np.where(np.isinf(high), low, 0.5 * (low + high)), low, high


def _said(label: object) -> str:
    return label if isinstance(label, str) else shown(label)


def _objects(values: Any, n: int, what: str) -> npt.NDArray[np.object_]:
    listed_values = list(values)
    if len(listed_values) != n:
        raise SettingsError(f"{what} must be one per unit: {n:,} units, {len(listed_values):,} {what}")
    objects = np.empty(n, dtype=object)
    objects[:] = listed_values
    return objects


def set_scales(ax: Axes, limits: FunnelLimits, points: Points, multiplier: float, xscale: XScale) -> None:
    """Choose the horizontal scale and the view."""
    if xscale not in ("auto", "linear", "log"):
        raise SettingsError(f"xscale must be auto, linear or log; received {xscale!r}")
    low, high = float(points.x.min()), float(points.x.max())
    skewed = high > _SKEWED * float(np.median(points.x))
    if xscale == "log" or (xscale == "auto" and skewed):
        ax.set_xscale("log")
        ax.set_xlim(low / 1.3, high * 1.6)
    else:
        ax.set_xlim(0.0, high * 1.15)
    canvas.number_axis(ax, "x")

    # The range includes the units, and the limits of all but the smallest, whose limits can be very wide.
    centre = limits.target * multiplier
    typical = limits.curve([np.quantile(points.x, 0.25)]).to_numpy() * multiplier
    reach = max(float(np.quantile(points.y, 0.98)), float(typical.max())) - centre
    top = max(float(points.high[np.isfinite(points.high)].max(initial=0.0)), float(typical.max()))
    top = min(top, centre + _REACH * reach)
    if limits.statistic == "estimate":
        bottom = min(float(points.low.min()), float(typical.min()))
        margin = 0.06 * (top - bottom)
        view = (bottom - margin, top + margin)
    else:
        bottom = min(float(points.low.min()), float(typical.min()))
        margin = 0.06 * (top - bottom)
        view = (max(0.0, bottom - margin), top + margin)
        if limits.statistic == "proportion":
            view = (view[0], min(view[1], 1.04 * multiplier))
    shared = len(ax.get_shared_y_axes().get_siblings(ax)) > 1 and len(ax.lines) + len(_drawn(ax)) > 0
    if shared:
        others = ax.get_ylim()
        view = (min(view[0], others[0]), max(view[1], others[1]))
    ax.set_ylim(*view)
    canvas.number_axis(ax, "y")


def _drawn(ax: Axes) -> list[Any]:
    """Artists already on the axes that share this one's vertical axis."""
    return [line for other in ax.get_shared_y_axes().get_siblings(ax) for line in other.lines]


def draw_limits(
    ax: Axes,
    limits: FunnelLimits,
    multiplier: float,
    reference: tuple[float, str] | None,
    centre_name: str | None,
) -> FloatArray:
    """Draw the curves, name them at their ends, and return points along them."""
    smallest, largest = float(limits.size.min()), float(limits.size.max())
    first = min(0.02 * largest, 0.5 * smallest) if ax.get_xscale() == "linear" else ax.get_xlim()[0]
    x = np.geomspace(first, 1.04 * largest if ax.get_xscale() == "linear" else 1.15 * largest, _CURVE_POINTS)
    curve = limits.curve(x) * multiplier
    widest = limits.levels[-1]
    if limits.sides == "two":
        ax.fill_between(
            x, curve[limit_column("lower", widest)], curve[limit_column("upper", widest)],
            color=FILL, alpha=0.55, linewidth=0.0, zorder=0,
        )  # fmt: skip
    ends = []
    for position, level in reversed(list(enumerate(limits.levels))):
        for side in ("upper", "lower"):
            column = limit_column(side, level)
            if column in curve:
                (line,) = ax.plot(
                    x,
                    curve[column],
                    color=INK,
                    linewidth=1.1,
                    zorder=2,
                    linestyle=_line_style(limits, position)[0],
                )
                line.set_gid(column)
                ends.append((float(curve[column].iloc[-1]), f"{column.split('_')[1]}%"))
    level_line = limits.target * multiplier
    ax.hlines(level_line, x[0], x[-1], color=NEUTRAL, linewidth=1.2, zorder=1)
    if centre_name is not None:
        ends.insert(0, (level_line, centre_name))
    if reference is not None:
        value, name = reference
        ax.hlines(value * multiplier, x[0], x[-1], color=INK, linewidth=1.2, linestyle=(0, (1, 2)), zorder=1)
        ends.insert(0, (value * multiplier, name))
    _name_ends(ax, x[-1], ends)
    heights = [*curve.to_numpy().T, np.full(len(x), level_line)]
    return np.concatenate([np.column_stack([x, height])[::3] for height in heights])


def _line_style(limits: FunnelLimits, position: int) -> tuple[Any, str]:
    """Style of a level's lines and its name: the widest is solid."""
    return _LINE_STYLES[(len(limits.levels) - 1 - position) % len(_LINE_STYLES)]


def lines_text(limits: FunnelLimits) -> str:
    """Text for the caption that says which line is which."""
    names = [f"{100.0 * level:.10g}% ({_line_style(limits, i)[1]})" for i, level in enumerate(limits.levels)]
    return f"Lines: {', '.join(names)}"


def _name_ends(ax: Axes, x: float, ends: list[tuple[float, str]]) -> None:
    """Name lines at their right ends, skipping a name that would run into one already written."""
    bottom, top = ax.get_ylim()
    apart = 0.035 * (top - bottom)
    written: list[float] = []
    for y, name in ends:
        if bottom + 0.3 * apart < y < top and all(abs(y - other) >= apart for other in written):
            written.append(y)
            ax.annotate(
                name, xy=(x, y), xytext=(3.0, 0.0), textcoords="offset points", fontsize=8.0, color=INK,
                va="center", annotation_clip=False,
            )  # fmt: skip


def draw_points(ax: Axes, points: Points, marks: Mapping[str, Mark]) -> int:
    """Draw every unit, in the order of their marks, and return how many lie above the top of the view."""
    top = ax.get_ylim()[1]
    beyond = points.low > top
    y = np.minimum(points.y, top)
    crowded = len(y) > _CROWD
    bars = points.low != points.high
    for kind, mark in marks.items():
        _draw_bars(ax, points, bars & (points.kind == kind), mark, top)
        here = (points.kind == kind) & ~bars
        if here.any():
            many = crowded and int(here.sum()) > _CROWD
            canvas.draw_marks(ax, points.x[here], y[here], mark, crowded=many)
    if points.chosen.any():
        canvas.draw_rings(ax, points.x[points.chosen], y[points.chosen], 1.3)
    return int(beyond.sum())


def _draw_bars(ax: Axes, points: Points, here: npt.NDArray[np.bool_], mark: Mark, top: float) -> None:
    """Draw units with suppressed counts: upright bars, closed at their ends unless these lie beyond the view."""
    if not here.any():
        return
    x, low, high = points.x[here], np.minimum(points.low[here], top), np.minimum(points.high[here], top)
    lines = ax.vlines(x, low, high, colors=mark.colour, linewidth=1.6, zorder=mark.order, clip_on=False)
    lines.set_gid("suppressed units")
    for ends in (low, high[points.high[here] <= top]):
        at = x if ends is low else x[points.high[here] <= top]
        (caps,) = ax.plot(
            at, ends, linestyle="none", marker="_", markersize=6.0, markeredgecolor=mark.colour,
            markeredgewidth=1.6, zorder=mark.order, clip_on=False,
        )  # fmt: skip
        caps.set_gid("ends of suppressed units")


def units_to_name(limits: FunnelLimits, points: Points, max_labels: int) -> npt.NDArray[np.intp]:
    """Units to name, most important first: highlighted, then furthest outside relative to their limits."""
    table = limits.table
    widest = limits.levels[-1]
    excess = np.zeros(len(points.y))
    centre = limits.target
    for side in ("lower", "upper"):
        column = limit_column(side, widest)
        if column in table:
            room = np.abs(table[column].to_numpy() - centre)
            middle = _heights(limits, 1.0)[0]
            outward = (middle - centre) * (1.0 if side == "upper" else -1.0)
            with np.errstate(divide="ignore", invalid="ignore"):
                excess = np.fmax(excess, outward / room)
    importance = np.where(points.chosen, np.inf, np.where(points.flagged, excess, -np.inf))
    order = np.argsort(-importance, kind="stable")
    return order[np.isfinite(importance[order]) | points.chosen[order]][:max_labels]


def label_texts(points: Points, named: npt.NDArray[np.intp], top: float) -> list[str]:
    """Write the names, with the value of a unit that lies beyond the view."""
    return [
        f"{canvas.shorten(points.names[unit], 26)} ({canvas.number(round(float(points.y[unit]), 2))})"
        if points.y[unit] > top and points.low[unit] == points.high[unit]
        else str(points.names[unit])
        for unit in named
    ]


def notes_text(points: Points, beyond: int, named: int) -> str:
    """Text for the caption on bars of suppressed counts, units without names and units above the top of the view."""
    parts = []
    bars = int((points.low != points.high).sum())
    if bars:
        units = "unit has a suppressed count and is" if bars == 1 else "units have suppressed counts and are"
        drawn = (
            "a bar from the least to the most it can be"
            if bars == 1
            else "bars from the least to the most they can be"
        )
        endless = ", open at the top where nothing bounds it" if np.isinf(points.high).any() else ""
        parts.append(f"{bars:,} {units} drawn as {drawn}{endless}")
    flagged = int((points.flagged | points.chosen).sum())
    if flagged > named:
        parts.append(f"{flagged:,} units stand out; the {named:,} furthest out are named")
    if beyond:
        units = "unit lies" if beyond == 1 else "units lie"
        parts.append(
            f"{beyond:,} {units} above the top of the axis and {'is' if beyond == 1 else 'are'} drawn on it"
        )
    return ". ".join(capital(part) for part in parts)


def value_words(limits: FunnelLimits, multiplier: float) -> str:
    """Name the vertical axis, stating the multiplier."""
    per = "" if multiplier == 1 else f" (× {canvas.number(multiplier)})"
    if limits.statistic == "ratio":
        return f"Observed ÷ expected{per}"
    if limits.statistic == "estimate":
        return f"Estimate{per}"
    return "Proportion of patients" if multiplier == 1 else f"Events per {canvas.number(multiplier)} patients"


def funnel_description(
    limits: FunnelLimits,
    points: Points,
    marks: Mapping[str, Mark],
    multiplier: float,
    title: str | None,
    caption: str | None,
) -> str:
    """Write the alternative text."""
    low, high = (canvas.number(float(f(points.x))) for f in (np.min, np.max))
    counts = "; ".join(
        f"{int((points.kind == kind).sum()):,} {kind}" for kind in marks if (points.kind == kind).any()
    )
    standing = [str(name) for name in points.names[points.flagged]]
    barred = [canvas.shorten(name, 60) for name in points.names[points.low != points.high]]
    return canvas.sentence(
        titled("Funnel plot", title),
        f"{len(points.x):,} units, {SIZE_WORDS[limits.size_name].lower()} from {low} to {high}, "
        f"{value_words(limits, multiplier).lower()}, centred on {canvas.number(limits.target * multiplier)}",
        f"Units by position: {counts}",
        f"Standing out: {listed([canvas.shorten(name, 60) for name in standing])}" if standing else None,
        f"Suppressed counts, drawn as bars from the least to the most they can be: {listed(barred)}"
        if barred
        else None,
        capital(limits.method_text),
        *(capital(caution.statement) for caution in limits.cautions),
        caption,
    )


def capital(text: str) -> str:
    """Begin a text with a capital letter."""
    return text[:1].upper() + text[1:]
