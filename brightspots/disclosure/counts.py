"""Decide which counts of a table are withheld, which bounds of them are published, and how the others are rounded.

A row with a denominator holds three counts: events, people, and people without the event (their difference). Each that
is small is protected. With n people in a row, the published interval of a withheld number of events is

    from `least` to `most` = below − 1   where the events are few,
    from n − most to n − least           where those without the event are few,
    from least to n − least              where n is so small (n ≤ 2·most) that both can be,

so that the interval never reveals which of the cases holds. Where n itself is rounded, the range of n that it can stand
for is used; where n is withheld, only the first line applies.

Why no small count can be computed from totals: each small number of events is a corner of a rectangle
(`brightspots.disclosure.secondary`), whose other corners can be lowered or raised by the whole width of the small
count's interval, with events and people without the event still at `below` or more. The numbers of people do not
change, so all totals of events, of people, and of people without the event stay the same. A small number of people has
a rectangle of its own, along which events do not change, and whose corners have room for a step of events besides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from brightspots.common.arrays import FloatArray
from brightspots.disclosure.rules import Rules
from brightspots.disclosure.secondary import Secondary, protect

BoolArray = npt.NDArray[np.bool_]

SMALL: Final = "small"
BESIDE: Final = "beside"
GIVEN: Final = "given"


@dataclass(frozen=True, eq=False)
class TwoWay:
    """Place of each count, (R,) int arrays: its table (period), and its row (trust) and column (department) there."""

    table: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]
    column: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Shown:
    """One kind of count as it may be published, (R,) each.

    Parameters
    ----------
    value : float array
        Rounded where that was asked for; NaN where withheld.
    lower, upper : float array
        Published bounds: equal to `value` where it is shown; `upper` is infinite where there is no upper bound.
    reason : object array
        "", "small", "beside" (withheld to protect a small one) or "given" (withheld already).
    protected : mapping of int to Secondary
        By table: further counts that are withheld, and totals that must not be published.
    """

    value: FloatArray
    lower: FloatArray
    upper: FloatArray
    reason: npt.NDArray[np.object_]
    protected: Mapping[int, Secondary] = field(default_factory=dict)

    @property
    def withheld(self) -> BoolArray:
        """Which counts are not shown, (R,)."""
        return np.isnan(self.value)

    @property
    def forbids_totals(self) -> bool:
        """Whether some totals must not be published."""
        return any(
            each.row_totals or each.column_totals or each.grand_total for each in self.protected.values()
        )


@dataclass(frozen=True, eq=False)
class Disclosed:
    """Events and people as they may be published; either is None where the table has none."""

    events: Shown | None
    people: Shown | None

    @property
    def reason(self) -> npt.NDArray[np.object_]:
        """Reason of each row, (R,): of its two counts the first of "small", "beside" and "given"; "" where none."""
        reasons = [each.reason for each in (self.people, self.events) if each is not None]
        why = np.full(len(reasons[0]), "", dtype=object)
        for name in (GIVEN, BESIDE, SMALL):
            for reason in reasons:
                why[reason == name] = name
        return why


def disclose(
    at: TwoWay,
    rules: Rules,
    *,
    events: tuple[FloatArray, FloatArray] | None = None,
    people: FloatArray | None = None,
) -> Disclosed:
    """Withhold and round counts.

    Parameters
    ----------
    at : TwoWay
    rules : Rules
    events : pair of float arrays (R,), optional
        Lower and upper end of each number of events: equal where exact, wider where it was withheld before.
    people : (R,), optional
        Denominator of each number of events; NaN where it was withheld before.
    """
    shown_people = None if people is None else _disclose_people(at, rules, events, people)
    shown_events = None if events is None else _disclose_events(at, rules, events, people, shown_people)
    return Disclosed(shown_events, shown_people)


def rounded(values: FloatArray, multiple: int) -> FloatArray:
    """Nearest multiple, halves up."""
    return np.floor(values / multiple + 0.5) * multiple


def _disclose_people(
    at: TwoWay, rules: Rules, events: tuple[FloatArray, FloatArray] | None, people: FloatArray
) -> Shown:
    known = ~np.isnan(people)
    small = known & (people >= rules.least) & (people <= rules.most)
    step = np.full(len(people), float(rules.most))
    room = np.where(known, people - (rules.most + 1), -np.inf)
    if events is not None:
        # A corner may lose people for one rectangle and gain events for another: those without the event must be
        # enough for both steps.
        both = np.max(people - 2.0 * rules.least, initial=0.0, where=_both(people, rules))
        widest = max(float(rules.most), float(both))
        room = np.minimum(room, people - events[1] - (rules.most + 1) - widest)
    protected = _protect(at, rules, people, small, room, step)
    beside = _beside(at, protected)
    reason = np.full(len(people), "", dtype=object)
    reason[~known], reason[small], reason[beside] = GIVEN, SMALL, BESIDE
    value = np.where(known & ~small & ~beside, people, np.nan)
    low, high = np.zeros(len(people)), np.full(len(people), np.inf)
    low[small], high[small], low[beside] = rules.least, rules.most, rules.most + 1
    return _rounded(Shown(value, low, high, reason, protected), rules)


def _disclose_events(
    at: TwoWay,
    rules: Rules,
    events: tuple[FloatArray, FloatArray],
    people: FloatArray | None,
    shown_people: Shown | None,
) -> Shown:
    lower, upper = events
    least, most = rules.least, rules.most
    exact = lower == upper
    few = exact & (lower >= least) & (lower <= most)
    low, high = lower.copy(), upper.copy()
    low[few], high[few] = least, most
    small, step, room = few, np.full(len(lower), float(most)), lower - (most + 1)
    if people is not None and shown_people is not None:
        fewest, largest = _range_of_people(shown_people, rules)
        told = ~shown_people.withheld
        rest = people - lower
        nearly_all = exact & told & (rest >= least) & (rest <= most)
        both = told & (few | nearly_all) & (fewest <= 2 * most)
        nearly = nearly_all & ~both & ~few
        # An upper bound above the people shown says nothing: it becomes infinite, as where people are not shown.
        highest = np.where(largest - least > shown_people.value, np.inf, largest - least)
        low[nearly], high[nearly] = (fewest - most)[nearly], highest[nearly]
        low[both], high[both] = least, highest[both]
        small = few | nearly_all
        step[both] = np.maximum(most, people - 2 * least)[both]
        room = np.minimum(room, np.where(np.isnan(people), -np.inf, rest - (most + 1)))
        # Bounds given with the data may follow from exact denominators that are now withheld or rounded.
        loose = ~exact & (shown_people.value != people) & ((upper > most) | ~told)
        low[loose] = np.minimum(lower, most + 1)[loose]
        high[loose] = np.where(upper <= most, most, np.inf)[loose]
    protected = _protect(at, rules, lower, small, np.where(exact, room, -np.inf), step)
    beside = _beside(at, protected)
    low[beside], high[beside] = most + 1, np.inf
    reason = np.full(len(lower), "", dtype=object)
    reason[~exact], reason[small], reason[beside] = GIVEN, SMALL, BESIDE
    value = np.where(exact & ~small & ~beside, lower, np.nan)
    return _rounded(Shown(value, low, high, reason, protected), rules)


def _both(people: FloatArray, rules: Rules) -> BoolArray:
    """Rows with so few people, as far as rounding shows, that events and people without the event can both be small."""
    shown = people if rules.round_to is None else rounded(people, rules.round_to) - rules.round_to // 2
    return np.asarray(shown <= 2 * rules.most)


def _range_of_people(shown: Shown, rules: Rules) -> tuple[FloatArray, FloatArray]:
    """Fewest and most people that the number shown can stand for; NaN where none is shown."""
    multiple = rules.round_to or 1
    return shown.value - multiple // 2, shown.value + (multiple + 1) // 2 - 1


def _protect(
    at: TwoWay, rules: Rules, counts: FloatArray, small: BoolArray, room: FloatArray, step: FloatArray
) -> dict[int, Secondary]:
    """Secondary suppression of each table that has small counts."""
    if rules.below is None or not rules.totals:
        return {}
    found = {}
    for table in np.unique(at.table[small]).tolist():
        inside = at.table == table
        found[table] = protect(
            counts[inside], small[inside], at.row[inside], at.column[inside], room=room[inside], step=step[inside],
            by_row="trust" in rules.totals, by_column="department" in rules.totals,
        )  # fmt: skip
    return found


def _beside(at: TwoWay, protected: Mapping[int, Secondary]) -> BoolArray:
    beside = np.zeros(len(at.table), dtype=bool)
    for table, each in protected.items():
        beside[at.table == table] = each.beside
    return beside


def _rounded(shown: Shown, rules: Rules) -> Shown:
    """Round the values shown, and set their bounds to the rounded values."""
    value = shown.value if rules.round_to is None else rounded(shown.value, rules.round_to)
    told = ~shown.withheld
    return Shown(
        value,
        np.where(told, value, shown.lower),
        np.where(told, value, shown.upper),
        shown.reason,
        shown.protected,
    )
