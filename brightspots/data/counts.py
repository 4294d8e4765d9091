"""Read, check and pool the counts or estimates of a table: `Counts`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from brightspots.common import vocabulary as names
from brightspots.common.arrays import FloatArray, IntArray
from brightspots.common.leaves import PER_LEAF, Index, values_at
from brightspots.data.columns import Columns
from brightspots.data.intervals import interval_of, most_claimed, read_bounds
from brightspots.data.numbers import Source, check_rows, number_column
from brightspots.likelihood.family import Family

# Whole numbers up to here are exact as floats.
_MOST_COUNTED: Final = 2.0**53
# Expected events and standard errors must lie between 10^−15 and 10^15, estimates at most 10^15 from 0.
_MOST_DIGITS: Final = 15


@dataclass(frozen=True)
class Counts:
    """Counts (or estimates) of R rows or N leaves; the fields as in `Cells`.

    Parameters
    ----------
    lower, upper : float array (R,)
        The count as an interval; the estimate.
    size : float array (R,)
        Expected events, denominator or standard error.
    expected, counted_from : float array (R,) or None
    """

    lower: FloatArray = field(metadata=PER_LEAF)
    upper: FloatArray = field(metadata=PER_LEAF)
    size: FloatArray = field(metadata=PER_LEAF)
    expected: FloatArray | None = field(metadata=PER_LEAF)
    counted_from: FloatArray | None = field(default=None, metadata=PER_LEAF)

    def at_leaves(self, rows: Index) -> Counts:
        """The counts at some rows."""
        return Counts(**values_at(self, rows))


def read_counts(source: Source, columns: Columns, family: Family) -> Counts:
    """Read the columns of a family, (R,) each, and refuse impossible values."""
    if not family.is_count:
        return _read_estimates(source, columns)
    observed, lower, upper = _observed_interval(source, columns)
    counted_from = _counted_from(source, columns, upper)
    if counted_from is not None:
        lower = np.maximum(
            lower, counted_from
        )  # a row that is there only because it is not small is not small
    expected = None
    if columns.expected is not None:
        expected = number_column(source, columns.expected, "expected events")
        _check_reach(source, columns.expected, expected, "expected events are")
        check_rows(
            source,
            columns.expected,
            expected <= 0,
            "expected events are zero or negative",
            expected="positive expected events",
            action="drop cells in which nobody was at risk, or correct the expected",
        )
    if not family.is_bounded:
        assert expected is not None  # required by resolve_names
        return Counts(lower, upper, expected, expected, counted_from)
    column, denominator = str(columns.denominator), _read_denominator(source, str(columns.denominator))
    check_rows(
        source,
        columns.observed or str(columns.observed_upper),
        np.maximum(most_claimed(observed, lower, upper), lower) > denominator,
        f"observed exceeds {column!r}",
        expected="observed ≤ denominator",
        action="check that both count the same people",
    )
    upper = np.minimum(upper, denominator)  # there cannot be more events than people
    if expected is not None and columns.expected is not None:
        check_rows(
            source,
            columns.expected,
            expected >= denominator,
            f"expected events reach {column!r}",
            expected="expected < denominator",
            action="check the case-mix model, or use family='poisson'",
        )
    return Counts(lower, upper, denominator, expected, counted_from)


def _read_estimates(source: Source, columns: Columns) -> Counts:
    """Estimates as they are, with their standard errors as size."""
    estimate = number_column(source, str(columns.estimate), "estimate")
    error = number_column(source, str(columns.standard_error), "standard error")
    _check_reach(source, str(columns.estimate), estimate, "estimates are", small=False)
    _check_reach(source, str(columns.standard_error), error, "standard errors are")
    check_rows(
        source,
        str(columns.standard_error),
        error <= 0,
        "a standard error is zero or negative",
        expected="positive standard errors",
        action="an estimate known exactly cannot be weighed; drop it or correct it",
    )
    return Counts(estimate, estimate, error, None)


def _read_denominator(source: Source, column: str) -> FloatArray:
    """People at risk of each row: whole numbers above zero."""
    _refuse_withheld(source, column)
    denominator = number_column(source, column, "denominator")
    _check_whole(source, column, denominator, "denominator")
    check_rows(
        source,
        column,
        denominator <= 0,
        "the denominator is zero or negative",
        expected="at least one person at risk",
        action="drop cells without anybody at risk",
    )
    return denominator


def _refuse_withheld(source: Source, column: str) -> None:
    """Refuse missing denominators of a table made by `suppress`, saying what can be done instead."""
    if names.DENOMINATOR_LOWER in source.columns:
        check_rows(
            source,
            column,
            np.asarray(source.frame[column].is_null().to_numpy(), dtype=bool),
            "denominators are withheld",
            expected="a number of people in every row",
            action="fit the exact table and publish fit.suppressed(…), fit against expected events, or drop the rows",
        )


def _counted_from(source: Source, columns: Columns, upper: FloatArray) -> FloatArray | None:
    """Smallest count of each row that would be in the data, (R,), 0 where any would; None where all are 0."""
    if columns.counted_from is None:
        return None
    given = number_column(source, columns.counted_from, "smallest counts", allow_missing=True)
    least = np.where(np.isnan(given), 0.0, given)
    _check_whole(source, columns.counted_from, least, "smallest count")
    check_rows(
        source,
        columns.counted_from,
        upper < least,
        f"{columns.observed or columns.observed_upper!r} is below the smallest count that would be shown",
        expected="observed ≥ counted_from",
        action="leave counted_from blank for counts that are shown whatever they are",
    )
    return least if least.any() else None


def _observed_interval(source: Source, columns: Columns) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Counts (NaN where missing), and the lower and upper end of the interval that each lies in, (R,) each."""
    bounded = columns.observed_lower is not None and columns.observed_upper is not None
    if columns.observed is None:
        observed = np.full(len(source), np.nan)
    else:
        observed = number_column(source, columns.observed, "observed events", allow_missing=bounded)
        _check_whole(source, columns.observed, np.nan_to_num(observed), "count")
    if not bounded:
        return observed, observed, observed
    low_name, high_name = str(columns.observed_lower), str(columns.observed_upper)
    described = columns.observed or low_name
    lower = read_bounds(source, low_name, "lower bound")
    upper = read_bounds(source, high_name, "upper bound", endless=True)
    lower, upper = interval_of(source, (described, low_name, high_name), observed, lower, upper)
    check_rows(
        source,
        described,
        np.isnan(lower) | np.isnan(upper),
        "the count is missing and has no bounds",
        expected=f"a count, or both {low_name!r} and {high_name!r}",
        action="give the interval that a suppressed count lies in, or drop the row",
    )
    return observed, lower, upper


def _check_reach(source: Source, column: str, values: FloatArray, what: str, *, small: bool = True) -> None:
    """Refuse values so large (or, with `small`, so near 0) that squares or inverses would overflow."""
    with np.errstate(divide="ignore"):
        digits = np.log10(np.abs(values))
    beyond = (values != 0.0) & ((digits > _MOST_DIGITS) | (small & (digits < -_MOST_DIGITS)))
    check_rows(
        source,
        column,
        beyond,
        f"{what} beyond what can be computed with",
        expected=f"{f'sizes between 1e-{_MOST_DIGITS} and' if small else 'at most'} 1e{_MOST_DIGITS}",
        action="correct the data, or give them in another unit",
    )


def _check_whole(source: Source, column: str, values: FloatArray, what: str) -> None:
    check_rows(
        source,
        column,
        np.isfinite(values) & (values > _MOST_COUNTED),
        f"a {what} is beyond 2**53, from where whole numbers cannot be told apart",
        expected="numbers of people and of events",
        action="correct the data",
    )
    check_rows(
        source,
        column,
        values < 0,
        f"a {what} is negative",
        expected=f"a {what} of zero or more",
        action="correct the data; for differences or scores use family='normal' with estimate= and standard_error=",
    )
    check_rows(
        source,
        column,
        values != np.floor(values),
        f"a {what} is fractional",
        expected="whole numbers",
        action="give counts; for rates or scores use family='normal' with estimate= and standard_error=",
    )


def pool(counts: Counts, leaf_of_row: IntArray, order: npt.NDArray[np.intp], family: Family) -> Counts:
    """Pool the rows of each leaf: sums of counts, denominators and expected; inverse-variance means of estimates.

    Parameters
    ----------
    counts : Counts
        Of the rows, (R,).
    leaf_of_row : int array (R,)
    order : int array (R,)
        Positions of the rows in the order in which they are summed, so that rounding does not depend on the data's.
    family : Family
    """
    leaf = leaf_of_row[order]

    def total(values: FloatArray) -> FloatArray:
        return np.bincount(leaf, values[order]).astype(np.float64, copy=False)

    if not family.is_count:
        precision = family.weight(counts.size)
        pooled = total(counts.lower * precision) / total(precision)
        return Counts(pooled, pooled, family.total_size(counts.size, total), None)
    expected = None if counts.expected is None else total(counts.expected)
    return Counts(total(counts.lower), total(counts.upper), total(counts.size), expected)
