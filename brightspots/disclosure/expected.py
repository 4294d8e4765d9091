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
# What iterations leave of a sum that a model reproduces, relatively.
_COMPUTED: Final = 1e-4
# Sum that is published of a group where nothing was seen: an expected number is never zero.
_HALF: Final = 0.5


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
    if people is not None and shown.people is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(people > 0, shown.people.value / people, 1.0)
        result = np.where(shown.people.withheld, np.nan, result * ratio)
    if observed is not None and shown.events is not None:
        factor, rescaled = _factors(expected, result, observed, shown, at, rules)
        result = result * factor
    if people is not None and rules.round_to is not None:
        result = _with_digits_of(result, expected)
    return result, rescaled


def _factors(
    expected: FloatArray, told: FloatArray, observed: FloatArray, shown: Disclosed, at: TwoWay, rules: Rules
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """What to multiply expected events by, so that their sums tell no total that others must not know, (R,).

    Parameters
    ----------
    expected : (R,)
        As they are: their sums are compared with those of the observed events.
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
    says = np.isfinite(told) & np.isin(events.reason, ("", SMALL))
    # A total that is rounded is nobody's to know exactly; one from which people are missing tells how many they are.
    known = _totals_known(events, at, rules) & (rules.round_to is None)
    hidden = np.isin(events.reason, (SMALL, BESIDE)) & ~known | (rules.round_to is not None)
    if shown.people is not None:
        hidden |= np.isin(shown.people.reason, (SMALL, BESIDE))
    factor, rescaled = np.ones(len(expected)), np.zeros(len(expected), dtype=bool)
    decimals = _decimals(expected)
    groups = at.column * (at.table.max() + 1) + at.table, at.column, at.table, np.zeros_like(at.table)
    for group in groups:  # finer before coarser: what is hidden in its parts is hidden in the whole
        for label in np.unique(group[hidden]).tolist():
            member = group == label
            total, summed = observed[member].sum(), (expected * factor)[member].sum()
            if not abs(summed - total) <= _tolerance(
                decimals, int(member.sum()), total
            ):  # nor where one is unknown
                continue
            telling = member & says
            published, base = middle[telling].sum(), told[telling].sum()
            if published == 0 and not np.any(events.reason[member] == BESIDE):
                published = _HALF
            factor[member] *= published / base if published > 0 and base > 0 else np.nan
            rescaled |= member
    return factor, rescaled


def _upper_ends(shown: Disclosed, rules: Rules) -> FloatArray:
    """Upper ends of the events' intervals, those of people shown where nothing else bounds a small number."""
    assert shown.events is not None
    upper = shown.events.upper
    if shown.people is None:
        return upper
    return np.where(np.isinf(upper), shown.people.value - rules.least, upper)


def _tolerance(decimals: int | None, rows: int, total: float) -> float:
    """How far a sum can be from that of which it was printed: half a unit a row, and three times its spread at most."""
    unit = 0.0 if decimals is None else 10.0**-decimals
    return 0.5 * unit * min(rows, 3.0 * np.sqrt(rows)) + _COMPUTED * max(1.0, abs(total))


def _totals_known(shown: Shown, at: TwoWay, rules: Rules) -> npt.NDArray[np.bool_]:
    """Whether the total of each row's department type, in its table, is one that others may know, (R,)."""
    known = np.full(len(at.table), "department" in rules.totals)
    for table, protected in shown.protected.items():
        inside = at.table == table
        known[inside & np.isin(at.column, list(protected.column_totals))] = False
    return known


def _decimals(given: FloatArray) -> int | None:
    """Decimals that numbers were printed with; None where they have many."""
    finite = given[np.isfinite(given)]
    for decimals in range(_MOST_DECIMALS + 1):
        if np.allclose(finite, np.round(finite, decimals), rtol=0.0, atol=1e-9):
            return decimals
    return None


def _with_digits_of(values: FloatArray, given: FloatArray) -> FloatArray:
    """Round to as many decimals as the given numbers have, never to zero; many decimals: to significant digits."""
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
