"""Secondary suppression: which further counts to withhold so that small ones cannot be computed from totals.

A two-way table with the totals of its rows and columns is a system of equations. From these, and from the knowledge
that a withheld small count lies from 1 to ``below − 1`` while every other withheld one is at least `below`, each
withheld count can be bounded by linear programming (Hundepool et al. 2012, Statistical Disclosure Control, Wiley,
chapter 4). The rule here keeps the whole interval of each small count possible:

*A small count is a corner of a rectangle whose other three corners are withheld too, and each of these could be lower
or higher by the width of the small count's interval without becoming small* (so each is at least ``2·below − 1``). If
the small count is raised by some step, its two neighbours lowered and the opposite corner raised by the same, all
totals stay the same; so it can be any number in its interval. A total that is itself withheld may take the place of a
corner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from brightspots.common.arrays import FloatArray, IntArray

BoolArray = npt.NDArray[np.bool_]

# How many rows and columns, the cheapest, are tried first as the other side of a rectangle.
_TRIED = 40


@dataclass(frozen=True)
class Secondary:
    """What is withheld besides the small counts.

    Parameters
    ----------
    beside : bool array (R,)
        Further counts to withhold.
    row_totals, column_totals : frozenset of int
        Rows and columns whose totals must not be published either, because there was no rectangle.
    grand_total : bool
        Whether the total of the whole table must not be published either.
    """

    beside: BoolArray
    row_totals: frozenset[int]
    column_totals: frozenset[int]
    grand_total: bool


def protect(
    counts: FloatArray,
    small: BoolArray,
    row: IntArray,
    column: IntArray,
    *,
    room: FloatArray,
    step: FloatArray,
    by_row: bool = True,
    by_column: bool = True,
) -> Secondary:
    """Choose, greedily, the rectangles (with one kind of total: the neighbours) that withhold least.

    Parameters
    ----------
    counts : (R,)
        The cost of withholding each count: the count itself.
    small : bool array (R,)
        Counts that are withheld because they are small; these cannot protect others.
    row, column : int array (R,)
        Place of each count; all places are different.
    room : (R,)
        By how much each count could be lower or higher without becoming small; −inf where it is not known.
    step : (R,)
        The room that the other corners of a small count's rectangle must have (the width of its interval).
    by_row, by_column : bool, default True
        Whether the totals of rows, and of columns, are known to others.
    """
    place = np.full((int(row.max()) + 1, int(column.max()) + 1), -1, dtype=np.int64)
    place[row, column] = np.arange(len(counts))
    # Cost of withholding each place, by the room asked for; infinite where it cannot protect.
    costs = {width: np.full(place.shape, np.inf) for width in np.unique(step[small]).tolist()}
    for width, cost in costs.items():
        able = ~small & (room >= width)
        cost[row[able], column[able]] = counts[able]
    beside = np.zeros(len(counts), dtype=bool)
    row_totals: set[int] = set()
    column_totals: set[int] = set()
    grand = False

    def withhold(*places: tuple[int, int]) -> None:
        for at in places:
            beside[place[at]] = True
            for cost in costs.values():
                if np.isfinite(cost[at]):
                    cost[at] = 0.0  # a count that is withheld already costs nothing more

    # In the order of places, so that the result does not depend on the order of the rows.
    first = np.flatnonzero(small)[np.lexsort((column[small], row[small]))]
    for r, c, width in zip(row[first].tolist(), column[first].tolist(), step[first].tolist(), strict=True):
        cost = costs[width]
        along, down = cost[r], cost[:, c]
        corner = _cheapest_rectangle(cost, r, c) if by_row and by_column else None
        if corner is not None:
            r2, c2 = corner
            withhold((r, c2), (r2, c), (r2, c2))
        elif by_row and np.isfinite(along.min()):
            c2 = int(along.argmin())
            withhold((r, c2))
            if by_column:
                column_totals |= {c, c2}
        elif by_column and np.isfinite(down.min()):
            r2 = int(down.argmin())
            withhold((r2, c))
            if by_row:
                row_totals |= {r, r2}
        else:  # no rectangle: withhold its totals, and the grand total, from which these could be computed
            row_totals |= {r} if by_row else set()
            column_totals |= {c} if by_column else set()
            grand = True
    return Secondary(beside, frozenset(row_totals), frozenset(column_totals), grand)


def _cheapest_rectangle(cost: FloatArray, r: int, c: int) -> tuple[int, int] | None:
    """Row and column opposite (r, c), or None where no rectangle has three corners that can protect."""
    rows, columns = np.argsort(cost[:, c], kind="stable"), np.argsort(cost[r], kind="stable")
    for most in (_TRIED, max(cost.shape)):
        some_rows = rows[:most][np.isfinite(cost[rows[:most], c])]
        some_columns = columns[:most][np.isfinite(cost[r, columns[:most]])]
        if len(some_rows) and len(some_columns):
            total = (
                cost[np.ix_(some_rows, some_columns)]
                + cost[some_rows, c][:, np.newaxis]
                + cost[r, some_columns]
            )
            best = np.unravel_index(int(total.argmin()), total.shape)
            if np.isfinite(total[best]):
                return int(some_rows[best[0]]), int(some_columns[best[1]])
        if most >= max(cost.shape):
            break
    return None
