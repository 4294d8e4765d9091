"""The two-stage funnel: the trusts of the nation, then the departments of one trust about its own level.

Units and limits are those of `brightspots.plots`, so that the page and the figures of a fit show the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from brightspots import plots
from brightspots import vocabulary as names
from brightspots.cells import Cells, FloatArray, IntArray
from brightspots.limits import FunnelLimits, limit_column
from brightspots.report.document import Funnel, Kind, Limit, Point
from brightspots.report.subject import Subject
from brightspots.report.words import amount

LEVELS: Final = (0.95, 0.998)
CURVE_POINTS: Final = 60
# Names written in a panel; the others show on hover, on keyboard focus and in the tables.
NAMED: Final = 6

# Mark of a trust outside the limits: is it above them, and is that worse or better?
_OUTSIDE: Final[dict[tuple[bool, names.HigherIs], Kind]] = {
    (True, "worse"): "dark-above",
    (False, "worse"): "bright-below",
    (True, "better"): "bright-above",
    (False, "better"): "dark-below",
}


def nation_funnel(subject: Subject, highlight: int | None = None) -> tuple[Funnel | None, int]:
    """All trusts about the national level, coloured where they lie outside the outer limits.

    Parameters
    ----------
    subject : Subject
    highlight : int, optional
        A trust to name, whatever its place; then no other is named.

    Returns
    -------
    Funnel or None, int
        And how many trusts are not drawn, because a count is suppressed; None where that is all of them.
    """
    cells = subject.cells
    if not _countable(cells.leaf_trust, cells).any():
        return None, cells.n_trusts
    limits, left_out = plots.trust_limits(subject.fit, "hierarchical", LEVELS)
    called = dict(zip(cells.trusts, subject.trust_labels, strict=True))
    chosen = None if highlight is None else cells.trusts[highlight]
    kinds: list[Kind] = []
    for label, zone in zip(limits.table.index, limits.table["zone"], strict=True):
        if str(zone).endswith(f"{LEVELS[-1] * 100:g}%"):
            kinds.append(_OUTSIDE[str(zone).startswith("above"), subject.fit.higher_is])
        else:
            kinds.append("here" if label == chosen else "plain")
    named = [
        kind != "plain" if chosen is None else label == chosen
        for label, kind in zip(limits.table.index, kinds, strict=True)
    ]
    labels = [called[label] for label in limits.table.index]
    heading = f"All {cells.n_trusts:,} trusts"
    return _panel(subject, heading, limits, labels, kinds, named, "national level"), left_out


def department_funnel(subject: Subject, trust: int) -> tuple[Funnel | None, int]:
    """One trust's departments about the trust's own level, marked by their statuses.

    Parameters
    ----------
    subject : Subject
    trust : int
        Index into `Cells.trusts`.

    Returns
    -------
    Funnel or None, int
        And how many departments are not drawn, because a count is suppressed; None where that is all of them.
    """
    cells = subject.cells
    own = subject.of_trust(trust)
    if not _countable(cells.leaf_cell, cells)[own].any():
        return None, len(own)
    limits, left_out = plots.department_limits(subject.fit, cells.trusts[trust], "hierarchical", LEVELS)
    called = dict(zip(cells.departments, subject.department_labels, strict=True))
    statuses = {
        cells.departments[cells.cell_department[cell]]: str(subject.status[cell])
        for cell in subject.of_trust(trust)
    }
    kinds = [kind_of(statuses[label]) for label in limits.table.index]
    named = [kind in ("bright", "dark") for kind in kinds]
    labels = [called[label] for label in limits.table.index]
    heading = f"Departments of {subject.trust_labels[trust]}"
    return _panel(subject, heading, limits, labels, kinds, named, "the trust's own level"), left_out


def _countable(unit_of_leaf: IntArray, cells: Cells) -> npt.NDArray[np.bool_]:
    """Which units have no suppressed count among their leaves."""
    return np.bincount(unit_of_leaf, cells.censored) == 0


def kind_of(status: str) -> Kind:
    """The mark of a status."""
    kinds: dict[str, Kind] = {
        names.BRIGHT: "bright",
        names.DARK: "dark",
        names.IN_LINE: "in-line",
        names.CANNOT_TELL: "cannot-tell",
    }
    return kinds[status]


def _panel(
    subject: Subject,
    heading: str,
    limits: FunnelLimits,
    labels: Sequence[str],
    kinds: Sequence[Kind],
    named: Sequence[bool],
    centre_label: str,
) -> Funnel:
    # Estimates are logarithms of ratios everywhere else on the page.
    scale: Callable[[FloatArray], FloatArray] = np.exp if limits.statistic == "estimate" else np.asarray
    x = limits.size
    y = scale(limits.table["ratio"].to_numpy(dtype=np.float64))
    centre = float(scale(np.array([limits.target]))[0])
    furthest = sorted((i for i in range(len(x)) if named[i]), key=lambda i: -abs(y[i] - centre))[:NAMED]
    points = tuple(
        Point(
            float(x[i]),
            float(y[i]),
            labels[i],
            _detail(limits, float(x[i]), float(y[i])),
            kinds[i],
            i in furthest,
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
    if limits.statistic == "estimate":
        x_label, y_label = "precision (1 / standard error²)", "ratio to the national level"
    else:
        x_label = f"expected {subject.events} (logarithmic scale)"
        y_label = "observed / expected"
    return Funnel(heading, points, lines, centre, centre_label, x_label, y_label)


def _detail(limits: FunnelLimits, size: float, ratio: float) -> str:
    if limits.statistic == "estimate":
        return f"ratio {ratio:.2f} (standard error of its logarithm {math.sqrt(1 / size):.2f})"
    return f"{ratio * size:,.0f} observed, {amount(size)} expected, ratio {ratio:.2f}"
