"""The two-stage funnel: the trusts of the nation, then the departments of one trust about its own level.

Units and limits are those of `fit.funnels`, so that the page and the figures of a fit show the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from brightspots.common.arrays import FloatArray
from brightspots.figures.marks import STATUS_KINDS, outside_kind
from brightspots.fit import funnels as fit_limits
from brightspots.limits.funnel import FunnelLimits
from brightspots.limits.zones import CANNOT_PLACE, limit_column, zone_names
from brightspots.report.document import Funnel, Kind, Limit, Point
from brightspots.report.measure import Measure
from brightspots.report.subject import Subject
from brightspots.report.words import amount

LEVELS: Final = (0.95, 0.998)
CURVE_POINTS: Final = 60
# Names written in a panel; the others show on hover, on keyboard focus and in the tables.
NAMED: Final = 6
_BELOW, _, _ABOVE = zone_names(LEVELS[-1:])


def nation_funnel(subject: Subject, highlight: int | None = None) -> Funnel:
    """All trusts about the national level, coloured where they lie outside the outer limits.

    Parameters
    ----------
    subject : Subject
    highlight : int, optional
        A trust to name, whatever its place; then no other is named.
    """
    cells = subject.cells
    limits = fit_limits.trust_limits(subject.fit, "hierarchical", LEVELS)
    called = dict(zip(cells.trusts, subject.trust_labels, strict=True))
    chosen = None if highlight is None else cells.trusts[highlight]
    kinds: list[Kind] = []
    for label, zone in zip(limits.table.index, limits.table["zone"], strict=True):
        if zone in (_BELOW, _ABOVE):
            kinds.append(outside_kind(zone == _ABOVE, subject.fit.higher_is))
        elif zone == CANNOT_PLACE:
            kinds.append("cannot-tell")
        else:
            kinds.append("here" if label == chosen else "plain")
    named = [
        kind not in ("plain", "cannot-tell") if chosen is None else label == chosen
        for label, kind in zip(limits.table.index, kinds, strict=True)
    ]
    labels = [called[label] for label in limits.table.index]
    heading = f"All {cells.n_trusts:,} trusts"
    return _panel(subject, heading, limits, labels, kinds, named, "national level")


def department_funnel(subject: Subject, trust: int) -> Funnel:
    """One trust's departments about the trust's own level, marked by their statuses.

    Parameters
    ----------
    subject : Subject
    trust : int
        Index into `Cells.trusts`.
    """
    cells = subject.cells
    limits = fit_limits.department_limits(subject.fit, cells.trusts[trust], "hierarchical", LEVELS)
    called = dict(zip(cells.departments, subject.department_labels, strict=True))
    statuses = {
        cells.departments[cells.cell_department[cell]]: str(subject.status[cell])
        for cell in subject.of_trust(trust)
    }
    kinds = [STATUS_KINDS[statuses[label]] for label in limits.table.index]
    named = [kind in ("bright", "dark") for kind in kinds]
    labels = [called[label] for label in limits.table.index]
    heading = f"Departments of {subject.trust_labels[trust]}"
    return _panel(subject, heading, limits, labels, kinds, named, "the trust's own level")


def _panel(
    subject: Subject,
    heading: str,
    limits: FunnelLimits,
    labels: Sequence[str],
    kinds: Sequence[Kind],
    named: Sequence[bool],
    centre_label: str,
) -> Funnel:
    # Estimates that are log ratios are shown as ratios, as everywhere else in the pack.
    measure, estimates = subject.measure, limits.statistic == "estimate"
    scale: Callable[[FloatArray], FloatArray] = np.exp if estimates and measure.is_ratio else np.asarray
    x = limits.size
    bars = limits.suppressed
    ends = ("ratio_lower", "ratio_upper") if bars.any() else ("ratio", "ratio")
    low, high = (scale(limits.table[end].to_numpy(dtype=np.float64)) for end in ends)
    y = np.where(np.isinf(high), low, 0.5 * (low + high))
    centre = float(scale(np.array([limits.target]))[0])
    furthest = sorted((i for i in range(len(x)) if named[i]), key=lambda i: -abs(y[i] - centre))[:NAMED]
    points = tuple(
        Point(
            float(x[i]),
            float(y[i]),
            labels[i],
            _detail(limits, measure, float(x[i]), float(low[i]), float(high[i])),
            kinds[i],
            i in furthest,
            *((float(low[i]), float(high[i])) if bars[i] else ()),
        )
        for i in range(len(x))
    )
    lines: tuple[Limit, ...] = ()
    if len(x):
        grid = np.geomspace(x.min() / 1.25, x.max() * 1.25, CURVE_POINTS)
        curve = limits.curve(grid)
        lines = tuple(
            Limit(
                level,
                tuple(grid.tolist()),
                tuple(scale(curve[limit_column("lower", level)].to_numpy(dtype=np.float64)).tolist()),
                tuple(scale(curve[limit_column("upper", level)].to_numpy(dtype=np.float64)).tolist()),
            )
            for level in limits.levels
        )
    if estimates:
        x_label = "precision (1 / standard error²)"
        y_label = (
            "ratio to the national level" if measure.is_ratio else f"{measure.unit} above the national level"
        )
    else:
        x_label = f"expected {subject.events} (logarithmic scale)"
        y_label = "observed / expected"
    text = measure.number(centre)
    return Funnel(heading, points, lines, centre, centre_label, x_label, y_label, centre_text=text)


def _detail(limits: FunnelLimits, measure: Measure, size: float, ratio: float, most: float) -> str:
    if not measure.is_ratio:
        error = f"standard error {measure.size(math.sqrt(1 / size))}"
        return f"{measure.size(ratio)} {measure.unit} {'above' if ratio >= 0 else 'below'} the national level ({error})"
    if math.isinf(most):
        least = f"{ratio * size:,.0f} or more observed"
        return f"a suppressed count, {least}, {amount(size)} expected, ratio from {ratio:.2f}"
    if ratio != most:
        return (
            f"a suppressed count, {ratio * size:,.0f} to {most * size:,.0f} observed, {amount(size)} expected, "
            f"ratio {ratio:.2f} to {most:.2f}"
        )
    if limits.statistic == "estimate":
        return f"ratio {ratio:.2f} (standard error of its logarithm {math.sqrt(1 / size):.2f})"
    return f"{ratio * size:,.0f} observed, {amount(size)} expected, ratio {ratio:.2f}"
