"""`suppress()`: a table whose counts may be published."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arguments import checked
from brightspots.common.errors import DataError, DataWarning, SettingsError
from brightspots.data.cells import FloatArray
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
# What says which row it is, or what was said of its organisation: no count follows from it.
_LABELS: Final = (names.OUTCOME, names.TRUST_NAME, names.DEPARTMENT_NAME, names.RATING, names.COUNTED_FROM)
_STATUSES: Final = frozenset((*names.STATUSES, *names.RATING_STATUSES))
_DECIMALS: Final = 2
# Labels with several rows that it takes to see that a column belongs to them.
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
        Counts under this are withheld: 8 as in NHS hospital statistics, 11 as CMS asks. Those *without* the event are a
        count as well where there is a `denominator`. A withheld count is missing; `observed_lower` and
        `observed_upper` (which may be infinite) say what may be known of it, and `fit_hierarchy` takes it so.
        `denominator_lower` and `denominator_upper` do where a denominator is withheld.
    round_to : int, optional
        Counts are rounded to its multiples, halves up. `expected` keeps its ratio to a rounded `denominator`;
        `raw_ratio` is worked out again from what is shown.
    zeros : {"shown", "withheld"}, default "shown"
        A zero says of nobody that something happened to them, and both publishers above show it. "withheld" treats it
        as a small count: intervals then begin at 0. Rows of 0 of 0 stay where zeros are shown, and are left out where
        they are withheld, as `fit_hierarchy` leaves them out: otherwise the two would withhold different counts.
    totals : sequence of {"trust", "department"}, default both
        Totals that others know or can find. Further counts are withheld so that these do not give a small one back
        (see `brightspots.disclosure.counts`); ``()`` where there are none. Periods are tables of their own.
    mark : str, optional
        Write this text (``"*"``) in place of a missing value, and no bounds: for people to read.
    keep : sequence of str, optional
        Further columns that say nothing of counts (beds, region) and stay as they are. Any other column that is
        neither a count nor a label is taken for a result: missing in rows of which something is withheld, and rounded
        to two decimals elsewhere. Text that is the same throughout each trust or each department type stays.
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
        to two decimals. Rows that came in the order of a count or a result are put in that of their labels.
        ``.attrs["notes"]`` says how many were withheld, what else was done, and which totals must not be published
        because nothing else could protect what stands in them.

    Raises
    ------
    DataError
        Where the frame has no counts, a count is not a whole number, events exceed people, or a cell appears more than
        once.
    SettingsError
        Where an option cannot be used, or the frame was suppressed under other rules before.

    Notes
    -----
    Results that stand on exact counts can be compared with those of every possible count. To publish results, suppress
    first and fit afterwards, or use ``fit.suppressed(…)``.
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
    """A table as it was given, with what was read of it.

    Parameters
    ----------
    table : pandas.DataFrame (R rows)
    columns : Columns
    kept : tuple of str
        Columns that are to stay as they are.
    at : TwoWay
        Where each row stands.
    people : (R,) or None
        How many people the events are among.
    events : pair of float arrays (R,) or None
        Lower and upper end of each number of events.
    earlier : Rules or None
        Under which the table was suppressed before.
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
        """Columns of labels that there are."""
        return keys_in(self.table, self.columns)

    @property
    def counts(self) -> list[str]:
        """Columns of counts that there are."""
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
        """Columns that hold no more than the earlier rules leave."""
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
    """The table with its counts, and what follows from them, as they may be shown; and what is to be said of it."""
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
        # A count that is shown for not being smaller is rounded like it; one that is withheld lies above the least.
        least = counted_from_column(table)
        hidden_count = shown.events is not None and shown.events.withheld
        result[names.COUNTED_FROM] = np.where(hidden_count, least, rounded(least, rules.round_to))
    return result, notes


def _results_among(result: pd.DataFrame, read: _Read, hidden: BoolArray) -> list[str]:
    """Columns that are taken for results: neither counts nor labels, nor asked to be kept."""
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
    """Put a count as it is shown into its column and, for reading by programs, what may be known into its bounds."""
    if mark is not None:
        result[column] = [mark if np.isnan(value) else int(value) for value in shown.value]
    elif shown.withheld.any():
        result[column] = shown.value
        result[bounds[0]], result[bounds[1]] = shown.lower, shown.upper
    else:
        result[column] = shown.value.astype(np.int64)


def _is_label(table: pd.DataFrame, column: str, keys: Sequence[str], hidden: BoolArray) -> bool:
    """Whether a column is text that says something of a trust or of a department type, and so of no single cell.

    It is the same in all rows of a label, and most labels have several rows, so that this is no accident.
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
    """Take away the results of rows of which something is withheld, and the digits of all others; say so."""
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
