"""Counts that may be known only as intervals: the count, its bounds, or both, set against each other."""

from __future__ import annotations

import numpy as np

from brightspots.data.cells import FloatArray
from brightspots.data.numbers import Source, check_rows, number_column


def read_bounds(source: Source, column: str | None, what: str, *, endless: bool = False) -> FloatArray:
    """Read a column of bounds, (R,), NaN where there are none; only upper ones (`endless`) may be infinite.

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
    """What each count can be, as an interval, (R,) each; equal ends where it is known.

    A count without bounds, or with one only, is exact. Where both are given beside it they say how well it is known (a
    count rounded to the nearest 5 lies within 2 of what is shown), and the interval is what counts; so it is where
    there is no count.

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
    """The number of events that must not exceed the people they are among, (R,).

    The count itself where there is one: rounded, its interval may reach beyond the people. Else its upper bound, or the
    lower one where nothing bounds it from above.
    """
    return np.where(np.isnan(count), np.where(np.isinf(upper), lower, upper), count)
