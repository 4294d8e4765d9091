"""Counts that may be known only as intervals: read bounds, and combine them with the counts, if there are any."""

from __future__ import annotations

import numpy as np

from brightspots.common.arrays import FloatArray
from brightspots.data.numbers import Source, check_rows, number_column


def read_bounds(source: Source, column: str | None, what: str, *, endless: bool = False) -> FloatArray:
    """Read a column of bounds, (R,), NaN where there are none.

    Parameters
    ----------
    source : Source
    column : str or None
        None gives NaN for every row.
    what : str
        What the bounds are, for messages.
    endless : bool, default False
        Whether infinite bounds are allowed, as upper ones are.

    Raises
    ------
    DataError
        Where a bound is no number, negative or fractional.
    """
    if column is None:
        return np.full(len(source), np.nan)
    bounds = number_column(source, column, what, allow_missing=True, allow_infinite=endless)
    impossible = (bounds < 0) | (np.isfinite(bounds) & (bounds != np.floor(bounds)))
    check_rows(
        source, column, impossible, "a bound is negative or fractional",
        expected=f"whole numbers of zero or more{', or no upper bound' if endless else ''}",
        action="correct the data; leave the bounds of a count that is known blank",
    )  # fmt: skip
    return bounds


def interval_of(
    source: Source, names: tuple[str, str, str], count: FloatArray, lower: FloatArray, upper: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The interval that each count lies in, (R,) each; both ends equal where the count is known.

    A count without bounds, or with only one, is exact. Where both bounds are given, the interval is used, with a count
    beside it or not: the count may be rounded (to the nearest 5, say, and so within 2 of what is shown).

    Parameters
    ----------
    source : Source
    names : (observed, lower, upper)
        Columns, to be named in errors.
    count, lower, upper : (R,)
        NaN where missing.

    Returns
    -------
    lower, upper : (R,)
        NaN where neither the count nor that bound is known.

    Raises
    ------
    DataError
        Where bounds contradict each other, or the count.
    """
    observed, low_name, high_name = names
    check_rows(
        source, low_name, lower > upper, f"lower bound above {high_name!r}", expected="lower ≤ upper",
        action="correct the bounds; a count that is known needs none",
    )  # fmt: skip
    check_rows(
        source, observed, (count < lower) | (count > upper), "a count lies outside its own bounds",
        expected=f"{low_name} ≤ {observed} ≤ {high_name}",
        action="leave the bounds blank where the count is known, and the count blank where only they are",
    )  # fmt: skip
    exact = ~np.isnan(count) & (np.isnan(lower) | np.isnan(upper))
    return np.where(exact, count, lower), np.where(exact, count, upper)


def most_claimed(count: FloatArray, lower: FloatArray, upper: FloatArray) -> FloatArray:
    """The number of events to compare with the denominator, which it must not exceed, (R,).

    The count itself where there is one, since the interval of a rounded count may reach beyond the denominator. Else
    the upper bound, or the lower one where the upper is infinite.
    """
    return np.where(np.isnan(count), np.where(np.isinf(upper), lower, upper), count)
