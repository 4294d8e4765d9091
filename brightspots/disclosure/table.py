"""`suppress()`: a table whose counts may be published."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, permutations
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arguments import checked
from brightspots.common.errors import DataError, DataWarning, SettingsError
from brightspots.data.cells import FloatArray
from brightspots.data.columns import Columns
from brightspots.data.opening import notes_of
from brightspots.disclosure.counts import BoolArray, Shown, disclose, rounded
from brightspots.disclosure.expected import publishable_expected
from brightspots.disclosure.intake import (
    VOUCHED,
    as_pandas,
    check_mark,
    column_options,
    counted_from_column,
    expected_column,
    kept_columns,
    people_column,
    places,
    read_events,
    rules_of,
    rules_of_one_line,
    vouch_for,
    with_one_spelling,
    without_empty_rows,
)
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
# Steps from one row to the next that all go one way before an order is taken for one by results.
_STEPS: Final = 3


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
    trust, department, period, observed, expected, denominator = column_options(
        columns,
        trust=trust,
        department=department,
        period=period,
        observed=observed,
        expected=expected,
        denominator=denominator,
    )
    table, joined, said = with_one_spelling(
        as_pandas(frame), {"trust": trust, "department": department, "period": period}, tidy_labels
    )
    table, left_out = without_empty_rows(table, observed, (expected, denominator), rules)
    for text in (*said, *left_out[:1]):
        warnings.warn(text, DataWarning, stacklevel=3)
    counts = [name for name in (observed, denominator) if name in table]
    counted = any(name in table for name in (observed, names.OBSERVED_LOWER, names.OBSERVED_UPPER))
    if not counts and not counted:
        raise DataError(
            f"there is no column {observed!r} or {denominator!r}", expected="counts to withhold or round",
            action=f"name them with observed=…, denominator=…; the frame has {', '.join(map(repr, table.columns))}",
        )  # fmt: skip
    keys = [column for column in (trust, department, period) if column in table]
    kept = kept_columns(table, keep, (*keys, *counts, expected))
    at = places(table, trust, department, period)
    bounds = (DENOMINATOR_LOWER, DENOMINATOR_UPPER)
    people = people_column(table, denominator, bounds) if denominator in table else None
    read = read_events(table, observed, denominator, people) if counted else None
    events = None if read is None else read.no_narrower_than(rules, people)
    exact = None if events is None else np.where(events[0] == events[1], events[0], np.nan)
    shown_as_given = (exact, None if read is None else read.given, people)
    earlier = rules_of(table, *(each for each in shown_as_given if each is not None))
    if earlier is not None:
        rules.check_same(earlier, "start from the exact table, and publish one of the two")
    vouched = set() if earlier is None else set(table.attrs.get(VOUCHED, ()))
    if mark is None and WITHHELD in table and vouched.issuperset(table.columns):
        return table.copy()
    used = rules if department in table and trust in table else rules_of_one_line(rules, trust in table)
    shown = disclose(at, used, events=events, people=people)

    result = table.drop(columns=[name for name in _BOUNDS if name in table])
    notes = [*notes_of(table), *joined, *left_out[1:], rules.text, ONE_RELEASE]
    if shown.people is not None:
        notes += withheld_text(table, shown.people, at, denominator, trust, department)
        _write(result, denominator, shown.people, bounds, mark)
    if expected in table:
        given = expected_column(table, expected)
        result[expected], changed = publishable_expected(given, exact, people, shown, at, used)
        notes += changed_text(table, changed, expected, department)
    if shown.events is not None:
        notes += withheld_text(table, shown.events, at, observed, trust, department)
        _write(result, observed, shown.events, (names.OBSERVED_LOWER, names.OBSERVED_UPPER), mark)
        if "raw_ratio" in result:
            against = result[expected].to_numpy(dtype=np.float64) if expected in result else np.nan
            result["raw_ratio"] = shown.events.value / np.where(np.equal(against, 0.0), np.nan, against)
    if names.COUNTED_FROM in result and rules.round_to is not None:
        # A count that is shown for not being smaller is rounded like it; one that is withheld lies above the least.
        least = counted_from_column(table)
        hidden_count = shown.events is not None and shown.events.withheld
        result[names.COUNTED_FROM] = np.where(hidden_count, least, rounded(least, rules.round_to))
    hidden = shown.reason != ""
    handled = {*keys, *counts, expected, *_BOUNDS, *_LABELS, *kept, *vouched, WITHHELD}
    results = [
        name
        for name in result.columns
        if name not in handled and not _is_label(table, name, (trust, department), hidden)
    ]
    notes += _coarsen(result, results, hidden, rules)
    result[WITHHELD] = shown.reason
    times = {period: at.table} if period in keys else {}
    order = _order_of_labels(
        table, keys, times, (*results, names.OBSERVED_LOWER, DENOMINATOR_LOWER), (*counts, expected)
    )
    if order is not None:
        result = result.iloc[order].reset_index(drop=True)
        notes.append("Rows are put in the order of their labels: they came in that of a count or a result.")
    result.attrs = {"notes": tuple(notes)}
    return vouch_for(result, rules)


def came_sorted(columns: Iterable[FloatArray], groups: Iterable[npt.NDArray[Any]]) -> bool:
    """Whether rows came in the order of some numbers, all together or within every group of some labels.

    Such an order bounds a withheld number by its neighbours.

    Parameters
    ----------
    columns : iterable of float arrays (R,)
    groups : iterable of int arrays (R,)
        Codes of labels.
    """
    codes = [*groups]
    together = [
        pd.factorize(pd.MultiIndex.from_arrays(some))[0]
        for size in range(1, len(codes))
        for some in combinations(codes, size)
    ]
    for values in columns:
        for group in (np.zeros(len(values), dtype=np.int64), *together):
            by_group = np.argsort(group, kind="stable")
            ordered, group_of = values[by_group], group[by_group]
            steps = np.diff(ordered)[(np.diff(group_of) == 0)]
            steps = steps[np.isfinite(steps)]
            if np.sum(steps != 0) >= _STEPS and (np.all(steps >= 0) or np.all(steps <= 0)):
                return True
    return False


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


def _order_of_labels(
    table: pd.DataFrame,
    keys: Sequence[str],
    times: Mapping[str, npt.NDArray[np.int64]],
    results: Sequence[str],
    counts: Sequence[str],
) -> npt.NDArray[np.int64] | None:
    """Rows in the order of their labels, where they came in the order of numbers; None where they need not be moved."""
    codes = {key: pd.factorize(table[key].astype(str).to_numpy(), sort=True)[0] for key in keys}
    codes |= times
    for order in permutations(codes):
        combined = np.lexsort([codes[key] for key in reversed(order)]) if order else np.arange(len(table))
        if np.array_equal(combined, np.arange(len(table))):
            return None
    numbers = [
        table[name].to_numpy(dtype=np.float64)
        for name in dict.fromkeys((*counts, *results))
        if name in table and table[name].dtype.kind in "if"
    ]
    present = [name for name in counts if name in table and table[name].dtype.kind in "if"]
    if len(present) > 1:
        with np.errstate(divide="ignore", invalid="ignore"):
            first = table[present[0]].to_numpy(dtype=np.float64)
            numbers += [first / table[name].to_numpy(dtype=np.float64) for name in present[1:]]
    if not came_sorted(numbers, codes.values()):
        return None
    return np.lexsort([codes[key] for key in reversed(list(codes))]) if codes else None
