"""Change expected events from which withheld or rounded counts could be computed.

There are two ways to compute counts from expected events.

*From their sums.* Events expected from a model that was fitted to the same records, as by `standardise`, sum to the
observed events of each department type, and of each level of case mix in it, and so also of a cell that alone has some
level. Where the expected events of a group of rows (a department type, period, trust, or all) sum to the observed ones,
and something in the group is withheld or rounded, the expected events shown are changed so that they sum to the
observed events shown (for a small count the middle of its interval). Rows that are shown whole are multiplied by one
factor. In the other rows the model's own expected events are replaced by their people times the rate of the former,
times the same factor. One factor for a department type changes no comparison between trusts, since the fit takes it up
in the national level of the type.

*From their ratio to people.* Where people are rounded, expected events keep their ratio to the rounded number, with no
more decimals than they were given with, since further digits would reveal the exact number of people.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.disclosure.counts import BESIDE, SMALL, BoolArray, Disclosed, TwoWay
from brightspots.disclosure.rules import Rules

# Expected events with more decimals than this came from a computation; they are then cut at significant digits.
_MOST_DECIMALS: Final = 4
_DIGITS: Final = 4
# Relative difference between sums of observed and expected events that an iterative fit can leave.
_COMPUTED: Final = 1e-4
# Sum of expected events that is published for a group without observed events, since they must not be zero.
_HALF: Final = 0.5


def publishable_expected(
    expected: FloatArray, observed: FloatArray | None, people: FloatArray | None, shown: Disclosed, at: TwoWay,
    rules: Rules,
) -> tuple[FloatArray, BoolArray]:  # fmt: skip
    """Expected events as they may be published.

    Parameters
    ----------
    expected : (R,)
    observed, people : (R,), optional
        The exact numbers; NaN where unknown.
    shown : Disclosed
        The numbers as they are shown.
    at : TwoWay
    rules : Rules

    Returns
    -------
    expected : (R,)
        NaN where the number of people is withheld, or a sum could not be hidden otherwise.
    changed : bool array (R,)
        Rows whose expected events were changed because of their sum.
    """
    result, changed = expected.astype(np.float64), np.zeros(len(expected), dtype=bool)
    if people is not None and shown.people is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(people > 0, shown.people.value / people, 1.0)
        hidden = np.isin(shown.people.reason, (SMALL, BESIDE))
        result = np.where(hidden, np.nan, result * np.where(np.isnan(people), 1.0, ratio))
    if observed is not None and shown.events is not None:
        result, changed = _hide_sums(expected, result, observed, shown, at, rules)
    if people is not None and rules.round_to is not None:
        result = _with_digits_of(result, expected)
    return result, changed


def _hide_sums(
    expected: FloatArray, told: FloatArray, observed: FloatArray, shown: Disclosed, at: TwoWay, rules: Rules
) -> tuple[FloatArray, BoolArray]:
    """Expected events that sum to the observed events as shown, (R,), and which of them were changed for that.

    Parameters
    ----------
    expected : (R,)
        The exact ones, whose sums are compared with those of the observed events.
    told : (R,)
        As they would be shown otherwise, in ratio to rounded people; NaN where people are withheld.
    observed : (R,)
    shown : Disclosed
    at : TwoWay
    rules : Rules
    """
    events = shown.events
    assert events is not None
    middle = 0.5 * (events.lower + _upper_ends(shown, rules))
    whole, small, beside = (np.isfinite(told) & (events.reason == why) for why in ("", SMALL, BESIDE))
    hidden = np.isin(shown.reason, (SMALL, BESIDE)) | (rules.round_to is not None)
    result, changed = told.copy(), np.zeros(len(told), dtype=bool)
    current, decimals = expected.astype(np.float64), _decimals(expected)
    tables = at.table.max() + 1
    groupings = (
        at.column * tables + at.table, at.column, at.row * tables + at.table, at.row, at.table, np.zeros_like(at.table)
    )  # fmt: skip
    for group in groupings:  # finer before coarser: what is hidden in its parts is hidden in the whole
        for member in _sums_that_match(group, hidden, current, observed, decimals):
            like = _without_own(told, whole, member, shown, at)
            seen = member & (whole | small)
            published, base = middle[seen].sum(), like[seen].sum()
            if published == 0 and not (member & beside).any():
                published = _HALF
            result[member] = like[member] * (published / base if published > 0 and base > 0 else np.nan)
            current[member] = np.nan  # so that no coarser group with these rows matches
            changed |= member
    return result, changed


def _without_own(
    told: FloatArray, whole: BoolArray, member: BoolArray, shown: Disclosed, at: TwoWay
) -> FloatArray:
    """Expected events, (R,), in rows not shown whole replaced by people times the rate of their type in rows that are.

    Where no row of the type is shown whole, the rate is that of the group (`member`); where none of the group is, 1.
    Without people, or where these are unknown, expected events stay as they are.
    """
    if shown.people is None:
        return told
    size = shown.people.value
    like = told.copy()
    telling = member & whole & np.isfinite(size)
    pooled = told[telling].sum() / size[telling].sum() if size[telling].sum() > 0 else 1.0
    types = at.column.max() + 1
    events, people = (np.bincount(at.column[telling], each[telling], types) for each in (told, size))
    rate = np.where(people > 0, events / np.where(people > 0, people, 1.0), pooled)
    other = member & ~whole & np.isfinite(size)
    like[other] = size[other] * rate[at.column[other]]
    return like


def _sums_that_match(
    group: IntArray, hidden: BoolArray, expected: FloatArray, observed: FloatArray, decimals: int | None
) -> list[BoolArray]:
    """Groups with something hidden whose expected events sum to the observed ones, as masks (R,).

    Empty unless at least half of the groups whose sums are known match, because a few can match by chance.
    """
    _, code = np.unique(group, return_inverse=True)
    rows = np.bincount(code)
    total, summed = np.bincount(code, observed), np.bincount(code, expected)
    known = np.isfinite(total) & np.isfinite(summed)
    unit = 0.0 if decimals is None else 10.0**-decimals
    # Rounding error of a sum: half a unit in the last decimal for each row; of many rows 3·√rows half units, which is
    # more than five standard deviations. And the error of iterations.
    tolerance = 0.5 * unit * np.minimum(rows, 3.0 * np.sqrt(rows)) + _COMPUTED * np.maximum(
        1.0, np.abs(total)
    )
    match = known & (np.abs(summed - total) <= tolerance)
    if 2 * match.sum() < known.sum():
        return []
    wanted = match & (np.bincount(code, hidden) > 0)
    return [code == label for label in np.flatnonzero(wanted)]


def _upper_ends(shown: Disclosed, rules: Rules) -> FloatArray:
    """Upper ends of the intervals of events; where infinite, people less the least number without the event."""
    assert shown.events is not None
    upper = shown.events.upper
    if shown.people is None:
        return upper
    return np.where(np.isinf(upper), shown.people.value - rules.least, upper)


def _decimals(given: FloatArray) -> int | None:
    """Number of decimals that the numbers were rounded to; None for more than `_MOST_DECIMALS`."""
    finite = given[np.isfinite(given)]
    for decimals in range(_MOST_DECIMALS + 1):
        if np.allclose(finite, np.round(finite, decimals), rtol=0.0, atol=1e-9):
            return decimals
    return None


def _with_digits_of(values: FloatArray, given: FloatArray) -> FloatArray:
    """Round to as many decimals as the `given` numbers have, never to zero; if these have many, to four digits."""
    decimals = _decimals(given)
    if decimals is None:
        return _significant(values, _DIGITS)
    cut = np.round(values, decimals)
    return np.where(cut > 0, cut, _significant(values, 1))


def _significant(values: FloatArray, digits: int) -> FloatArray:
    """Round to significant digits."""
    safe = np.where(values > 0, values, 1.0)
    scale = 10.0 ** (digits - 1 - np.floor(np.log10(safe)))
    return np.where(values > 0, np.round(values * scale) / scale, values)
