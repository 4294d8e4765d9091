"""`suppress()`: withhold and round the counts of a table for publication."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arguments import checked
from brightspots.common.arrays import FloatArray
from brightspots.common.errors import DataError, DataWarning, SettingsError
from brightspots.data.columns import Columns
from brightspots.data.opening import notes_of
from brightspots.disclosure.counts import BoolArray, Disclosed, Shown, TwoWay, disclose, rounded
from brightspots.disclosure.expected import publishable_expected
from brightspots.disclosure.intake import (
    KEYS,
    VOUCHED,
    as_pandas,
    check_mark,
    count_columns,
    counted_from_column,
    expected_column,
    kept_columns,
    keys_in,
    people_column,
    places,
    read_events,
    rules_of,
    rules_of_one_line,
    vouch_for,
    with_one_spelling,
    without_empty_rows,
)
from brightspots.disclosure.order import order_of_labels
from brightspots.disclosure.rules import ONE_RELEASE, Rules, Totals, Zeros
from brightspots.disclosure.words import changed_text, results_text, still_small_text, withheld_text

WITHHELD: Final = "withheld"
DENOMINATOR_LOWER: Final = names.DENOMINATOR_LOWER
DENOMINATOR_UPPER: Final = names.DENOMINATOR_UPPER
_BOUNDS: Final = (names.OBSERVED_LOWER, names.OBSERVED_UPPER, DENOMINATOR_LOWER, DENOMINATOR_UPPER)
# Columns that are not results: labels, names, ratings, and the smallest count shown.
_LABELS: Final = (names.OUTCOME, names.TRUST_NAME, names.DEPARTMENT_NAME, names.RATING, names.COUNTED_FROM)
_STATUSES: Final = frozenset((*names.STATUSES, *names.RATING_STATUSES))
_DECIMALS: Final = 2
# Fewest labels with several rows for a column of text to be recognised as belonging to the labels.
_LABELS_AT_LEAST: Final = 2


@checked
def suppress(
    frame: Any,
    *,
    below: int | None = None,
    round_to: int | None = None,
    zeros: Zeros = "shown",
    totals: Sequence[Totals] = ("trust", "department"),
    mark: str | None = None,
    keep: Sequence[str] = (),
    trust: str = names.TRUST,
    department: str = names.DEPARTMENT,
    period: str = names.PERIOD,
    observed: str = names.OBSERVED,
    expected: str = names.EXPECTED,
    denominator: str = names.DENOMINATOR,
    columns: Columns | None = None,
    tidy_labels: bool = False,
) -> pd.DataFrame:
    """Withhold small counts, and round the others, so that a table may be published.

    Parameters
    ----------
    frame : eager dataframe
        One row a trust × department (× period) or, without a department, a trust: cells to be fitted, or what
        ``fit.departments()`` gives. Counts are `observed` and `denominator`, where it has them.
    below : int, optional
        Counts under this are withheld: 8 as in NHS hospital statistics, 11 as CMS asks. Where there is a `denominator`,
        the number *without* the event is protected as well. A withheld count is missing; `observed_lower` and
        `observed_upper` (which may be infinite) are its bounds, which `fit_hierarchy` reads. `denominator_lower` and
        `denominator_upper` are those of a withheld denominator.
    round_to : int, optional
        Counts are rounded to its multiples, halves up. `expected` keeps its ratio to a rounded `denominator`;
        `raw_ratio` is computed again from the values shown.
    zeros : {"shown", "withheld"}, default "shown"
        A zero reveals no event of any person, and both publishers above show it. "withheld" treats it as a small count:
        intervals then begin at 0. Rows of 0 of 0 stay where zeros are shown. Where zeros are withheld they are left
        out, as by `fit_hierarchy`: otherwise the two would withhold different counts.
    totals : sequence of {"trust", "department"}, default both
        Totals that others know or can find: of the departments of a trust, of the trusts of a department type. Further
        counts are withheld so that no small one can be computed from them (see `brightspots.disclosure.counts`); ``()``
        where there are none. Each period is a table of its own.
    mark : str, optional
        Write this text (``"*"``) in place of a missing value, and no bounds: for people to read.
    keep : sequence of str, optional
        Further columns that reveal nothing about counts (beds, region) and stay as they are. Any other column that is
        neither a count nor a label is treated as a result: missing in rows where something is withheld, and rounded to
        two decimals elsewhere. Text that is the same throughout each trust or each department type stays.
    trust, department, period, observed, expected, denominator : str
        Names of the columns.
    columns : Columns, optional
        The same in one object, in place of these keyword arguments, which are its shorthand. Parts that it leaves open
        have their standard names. Bounds are always in `observed_lower` and `observed_upper`.
    tidy_labels : bool, default False
        Join labels that differ only by capitals, white space, Unicode form or invisible characters, as `fit_hierarchy`
        does; else they are an error that lists them.

    Returns
    -------
    pandas.DataFrame
        A copy with the column `withheld`: ``""``, ``"small"``, ``"beside"`` (to protect a small one) or ``"given"`` (it
        came withheld), the first reason where several hold. Results of these rows are missing, all others are rounded
        to two decimals. Rows that were sorted by a count or a result are sorted by label. ``.attrs["notes"]`` says how
        many were withheld, what else was done, and which totals must not be published because nothing else could
        protect the counts in them.

    Raises
    ------
    DataError
        Where the frame has no counts, a count is not a whole number, events exceed people, or a cell appears more than
        once.
    SettingsError
        Where an option cannot be used, or the frame was suppressed under other rules before.

    Notes
    -----
    Results computed from exact counts can be compared with those of every possible count, which may reveal the count.
    To publish results, suppress first and fit afterwards, or use ``fit.suppressed(…)``.
    """
    rules = Rules(below, round_to, zeros, totals)  # type: ignore[arg-type]
    check_mark(mark)
    if not isinstance(tidy_labels, bool):
        raise SettingsError(f"tidy_labels must be True or False; received {tidy_labels!r}")
    named = count_columns(
        columns,
        trust=trust,
        department=department,
        period=period,
        observed=observed,
        expected=expected,
        denominator=denominator,
    )
    keys = {part: named.name_of(part) for part in KEYS}
    table, joined, said = with_one_spelling(as_pandas(frame), keys, tidy_labels)
    table, left_out = without_empty_rows(table, named, rules)
    for text in (*said, *left_out[:1]):
        warnings.warn(text, DataWarning, stacklevel=3)
    read = _read(table, named, keep, rules)
    if read.earlier is not None:
        rules.check_same(read.earlier, "start from the exact table, and publish one of the two")
    if mark is None and WITHHELD in table and read.vouched.issuperset(table.columns):
        return table.copy()
    trusts, departments = named.trust in table, named.department in table
    used = rules if trusts and departments else rules_of_one_line(rules, trusts)
    shown = disclose(read.at, used, events=read.events, people=read.people)
    result, notes = _with_counts_shown(read, shown, used, mark)
    notes = [*notes_of(table), *joined, *left_out[1:], rules.text, ONE_RELEASE, *notes]
    hidden = shown.reason != ""
    results = _results_among(result, read, hidden)
    notes += _coarsen(result, results, hidden, rules)
    result[WITHHELD] = shown.reason
    counts = (*read.counts, named.name_of("expected"))
    order = order_of_labels(
        table, named, read.at, counts, (*results, names.OBSERVED_LOWER, DENOMINATOR_LOWER)
    )
    if order is not None:
        result = result.iloc[order].reset_index(drop=True)
        notes.append("Rows are put in the order of their labels: they came in that of a count or a result.")
    result.attrs = {"notes": tuple(notes)}
    return vouch_for(result, rules)


@dataclass(frozen=True, eq=False)
class _Read:
    """A table as it was given, with its counts as read and checked.

    Parameters
    ----------
    table : pandas.DataFrame (R rows)
    columns : Columns
    kept : tuple of str
        Columns that are to stay as they are.
    at : TwoWay
        Place of each row.
    people : (R,) or None
        Denominators.
    events : pair of float arrays (R,) or None
        Lower and upper end of each number of events.
    earlier : Rules or None
        The rules under which the table was suppressed before, if it was.
    """

    table: pd.DataFrame
    columns: Columns
    kept: tuple[str, ...]
    at: TwoWay
    people: FloatArray | None
    events: tuple[FloatArray, FloatArray] | None
    earlier: Rules | None

    @property
    def keys(self) -> list[str]:
        """Columns of labels that the table has."""
        return keys_in(self.table, self.columns)

    @property
    def counts(self) -> list[str]:
        """Columns of counts that the table has."""
        return _counts_in(self.table, self.columns)

    @property
    def exact(self) -> FloatArray | None:
        """Numbers of events, NaN where only an interval is known."""
        return (
            None
            if self.events is None
            else np.where(self.events[0] == self.events[1], self.events[0], np.nan)
        )

    @property
    def vouched(self) -> set[str]:
        """Columns that reveal no more than the earlier rules leave."""
        return set() if self.earlier is None else set(self.table.attrs.get(VOUCHED, ()))


def _counts_in(table: pd.DataFrame, columns: Columns) -> list[str]:
    return [name for part in ("observed", "denominator") if (name := columns.name_of(part)) in table]


def _read(table: pd.DataFrame, columns: Columns, keep: Sequence[str], rules: Rules) -> _Read:
    """Read the counts of a table, and refuse one without any."""
    observed, denominator = columns.name_of("observed"), columns.name_of("denominator")
    counts = _counts_in(table, columns)
    if not counts and not any(name in table for name in (names.OBSERVED_LOWER, names.OBSERVED_UPPER)):
        raise DataError(
            f"there is no column {observed!r} or {denominator!r}", expected="counts to withhold or round",
            action=f"name them with observed=…, denominator=…; the frame has {', '.join(map(repr, table.columns))}",
        )  # fmt: skip
    others = (*keys_in(table, columns), *counts, columns.name_of("expected"))
    kept = kept_columns(table, keep, others)
    at = places(table, columns)
    people = people_column(table, columns)
    given = read_events(table, columns, people)
    events = None if given is None else given.no_narrower_than(rules, people)
    read = _Read(table, columns, kept, at, people, events, None)
    as_given = (read.exact, None if given is None else given.given, people)
    return replace(read, earlier=rules_of(table, *(each for each in as_given if each is not None)))


def _with_counts_shown(
    read: _Read, shown: Disclosed, rules: Rules, mark: str | None
) -> tuple[pd.DataFrame, list[str]]:
    """The table with counts, expected events and raw ratios as they may be published; and notes on what was done."""
    table, columns = read.table, read.columns
    observed, denominator = columns.name_of("observed"), columns.name_of("denominator")
    expected = columns.name_of("expected")
    result = table.drop(columns=[name for name in _BOUNDS if name in table])
    notes: list[str] = []
    if shown.people is not None:
        notes += withheld_text(table, shown.people, read.at, columns, "denominator")
        _write(result, denominator, shown.people, (DENOMINATOR_LOWER, DENOMINATOR_UPPER), mark)
    if expected in table:
        given = expected_column(table, expected)
        result[expected], changed = publishable_expected(
            given, read.exact, read.people, shown, read.at, rules
        )
        notes += changed_text(table, changed, columns)
    if shown.events is not None:
        notes += withheld_text(table, shown.events, read.at, columns, "observed")
        _write(result, observed, shown.events, (names.OBSERVED_LOWER, names.OBSERVED_UPPER), mark)
        if "raw_ratio" in result:
            against = result[expected].to_numpy(dtype=np.float64) if expected in result else np.nan
            result["raw_ratio"] = shown.events.value / np.where(np.equal(against, 0.0), np.nan, against)
    if names.COUNTED_FROM in result and rules.round_to is not None:
        # The smallest count shown is rounded as the count is; a withheld count is known to be at least that large.
        least = counted_from_column(table)
        hidden_count = shown.events is not None and shown.events.withheld
        result[names.COUNTED_FROM] = np.where(hidden_count, least, rounded(least, rules.round_to))
    return result, notes


def _results_among(result: pd.DataFrame, read: _Read, hidden: BoolArray) -> list[str]:
    """Columns that are treated as results: neither counts nor labels nor in `keep`."""
    columns = read.columns
    handled = {*read.keys, *read.counts, columns.name_of("expected"), *_BOUNDS, *_LABELS, WITHHELD}
    handled |= {*read.kept, *read.vouched}
    whose = (columns.trust, columns.department)
    return [
        name
        for name in result.columns
        if name not in handled and not _is_label(read.table, name, whose, hidden)
    ]


def _write(
    result: pd.DataFrame, column: str, shown: Shown, bounds: tuple[str, str], mark: str | None
) -> None:
    """Write a count as it is shown into its column, and its bounds into theirs unless a `mark` is used."""
    if mark is not None:
        result[column] = [mark if np.isnan(value) else int(value) for value in shown.value]
    elif shown.withheld.any():
        result[column] = shown.value
        result[bounds[0]], result[bounds[1]] = shown.lower, shown.upper
    else:
        result[column] = shown.value.astype(np.int64)


def _is_label(table: pd.DataFrame, column: str, keys: Sequence[str], hidden: BoolArray) -> bool:
    """Whether a column is text about a trust or a department type as a whole, and so about no single cell.

    It is if it is the same in all rows of each label, and enough labels have several rows for that to be no accident.
    """
    values = ["" if value is None or value is pd.NA or value != value else value for value in table[column]]
    text = [value for value in values if isinstance(value, str)]
    if len(text) < len(values) or pd.to_numeric(pd.Series(text), errors="coerce").notna().any():
        return False
    if {*text} - {""} <= _STATUSES:
        return False
    for key in keys:
        if key in table:
            by_label = pd.Series(text).groupby(table[key].to_numpy())
            several = by_label.transform("size").to_numpy() > 1
            sizes = by_label.size()
            common = (sizes > 1).sum() >= max(_LABELS_AT_LEAST, len(sizes) / 2)
            if common and several[hidden].all() and by_label.nunique().le(1).all():
                return True
    return False


def _coarsen(result: pd.DataFrame, columns: Sequence[str], hidden: BoolArray, rules: Rules) -> list[str]:
    """Delete results in rows where something is withheld, and round all others, in place; return notes on it."""
    for column in columns:
        kind = result[column].dtype.kind
        if kind in "if":
            values = result[column].to_numpy(dtype=np.float64)
            of_events = str(column).startswith("excess")
            values = rounded(values, rules.round_to or 1) if of_events else np.round(values, _DECIMALS)
            result[column] = np.where(hidden, np.nan, values)
        else:
            result[column] = result[column].astype(object).mask(hidden, None)
    said = [results_text(columns)] if set(columns) - {"raw_ratio"} else []
    return said + still_small_text(result, columns, rules)
