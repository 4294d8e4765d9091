"""Expected events that do not tell what was withheld.

Two ways lead from expected events back to counts. *By their sums*: events expected from a model that was fitted to the
same records, as `standardise` does, sum to the events observed of each department type. Where that total is not for
others to know, or is known as a rounded one, the expected events of the type are multiplied by one factor, so that they
sum to what is published of the observed ones (the middle of its interval for a small count) over the rows that say how
much that is. A factor a department type changes no comparison of trusts: the model takes it up in the national level of
the type. *By their ratio to people*: where people are rounded, expected events keep their ratio to them, at no more
decimals than they came with, since digits would tell which number of people they were multiplied by.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from brightspots.cells import FloatArray
from brightspots.disclosure.counts import BESIDE, SMALL, Disclosed, Shown, TwoWay
from brightspots.disclosure.rules import Rules

# Expected events with more decimals than this came from a computation; they are then cut at significant digits.
_MOST_DECIMALS: Final = 4
_DIGITS: Final = 4
# What printing with two decimals takes from a sum, a row.
_PRINTED: Final = 0.02


def publishable_expected(
    expected: FloatArray, observed: FloatArray | None, people: FloatArray | None, shown: Disclosed, at: TwoWay,
    rules: Rules,
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:  # fmt: skip
    """Expected events as they may be shown.

    Parameters
    ----------
    expected : (R,)
    observed, people : (R,), optional
        As they are; NaN where unknown.
    shown : Disclosed
        What is shown of them.
    at : TwoWay
    rules : Rules

    Returns
    -------
    expected : (R,)
        NaN where the number of people is withheld, or a sum could not be hidden otherwise.
    rescaled : bool array (R,)
        Rows whose expected events were multiplied so that their sum tells nothing.
    """
    result, rescaled = expected.astype(np.float64), np.zeros(len(expected), dtype=bool)
    if observed is not None and shown.events is not None:
        result, rescaled = _hide_sums(result, observed, shown.events, at, rules)
    if people is not None and shown.people is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(people > 0, shown.people.value / people, 1.0)
        result = np.where(shown.people.withheld, np.nan, result * ratio)
        if rules.round_to is not None:
            result = _with_digits_of(result, expected)
    return result, rescaled


def _hide_sums(
    expected: FloatArray, observed: FloatArray, shown: Shown, at: TwoWay, rules: Rules
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Multiply the expected events of each group of rows whose sum would tell a total that others must not know."""
    result, rescaled = expected.copy(), np.zeros(len(expected), dtype=bool)
    # A total that is rounded is nobody's to know exactly.
    known = _totals_known(shown, at, rules) & (rules.round_to is None)
    hidden = (shown.reason == SMALL) | (shown.reason == BESIDE) | (rules.round_to is not None)
    groups = at.column * (at.table.max() + 1) + at.table, at.column, at.table, np.zeros_like(at.table)
    for group in groups:  # finer before coarser: what is hidden in its parts is hidden in the whole
        for label in np.unique(group[hidden & ~known]).tolist():
            member = group == label
            total = observed[member].sum()  # NaN, and so no match, where one is unknown
            if abs(result[member].sum() - total) > _PRINTED * member.sum() + 1e-9 * abs(total):
                continue
            says = member & ((shown.reason == "") | (shown.reason == SMALL))
            published = 0.5 * (shown.lower + shown.upper)[says].sum()
            base = result[says].sum()
            factor = published / base if published > 0 and base > 0 else np.nan
            result[member] *= factor
            rescaled |= member
    return result, rescaled


def _totals_known(shown: Shown, at: TwoWay, rules: Rules) -> npt.NDArray[np.bool_]:
    """Whether the total of each row's department type, in its table, is one that others may know, (R,)."""
    known = np.full(len(at.table), "department" in rules.totals)
    for table, protected in shown.protected.items():
        inside = at.table == table
        known[inside & np.isin(at.column, list(protected.column_totals))] = False
    return known


def _with_digits_of(values: FloatArray, given: FloatArray) -> FloatArray:
    """Round to as many decimals as the given numbers have, never to zero; many decimals: to significant digits."""
    finite = given[np.isfinite(given)]
    for decimals in range(_MOST_DECIMALS + 1):
        if np.allclose(finite, np.round(finite, decimals), rtol=0.0, atol=1e-9):
            cut = np.round(values, decimals)
            return np.where(cut > 0, cut, _significant(values, 1))
    return _significant(values, _DIGITS)


def _significant(values: FloatArray, digits: int) -> FloatArray:
    """Round to significant digits."""
    safe = np.where(values > 0, values, 1.0)
    scale = 10.0 ** (digits - 1 - np.floor(np.log10(safe)))
    return np.where(values > 0, np.round(values * scale) / scale, values)
