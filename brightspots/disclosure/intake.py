"""Read and check a table that is to be suppressed: options, labels, counts, bounds and expected events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import narwhals as nw
import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arrays import FloatArray
from brightspots.common.errors import DataError, SettingsError
from brightspots.data.columns import Columns, columns_given, with_text_names
from brightspots.data.empty_rows import left_out_note, listed
from brightspots.data.intervals import interval_of, most_claimed, read_bounds
from brightspots.data.keys import one_spelling
from brightspots.data.numbers import Source, check_rows, number_column, row_word_of
from brightspots.data.opening import frame_of
from brightspots.data.period_order import declared_order, order_periods
from brightspots.disclosure.counts import TwoWay, rounded
from brightspots.disclosure.rules import Rules, Totals

# Attributes of a frame that was suppressed: the rules, and the columns that reveal no more than these leave.
RULES: Final = "disclosure_rules"
VOUCHED: Final = "disclosure_columns"
KEYS: Final = ("trust", "department", "period")


def keys_in(table: pd.DataFrame, columns: Columns) -> list[str]:
    """The columns of labels that a table has."""
    return [name for part in KEYS if (name := columns.name_of(part)) in table]


def places(table: pd.DataFrame, columns: Columns) -> TwoWay:
    """Place of each row: period, trust and department as codes in the order of their labels.

    Without a column of departments (or of trusts) the table has a single column (or row). Codes are ordered as in
    `Cells`, so that `suppress` and a suppressed fit of the same table withhold the same counts.

    Raises
    ------
    DataError
        Where a place is taken twice.
    """
    trust, department, period = (columns.name_of(part) for part in KEYS)

    def codes(column: str) -> npt.NDArray[np.int64]:
        if column not in table:
            return np.zeros(len(table), dtype=np.int64)
        found, labels = pd.factorize(np.asarray(table[column]), use_na_sentinel=False)
        try:
            order = (
                order_periods(labels, declared_order(table[column])).order
                if column == period
                else np.argsort(labels, kind="stable")
            )
        except TypeError:  # labels of several kinds
            order = np.argsort(labels.astype(str), kind="stable")
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        return rank[found]

    if len(table) == 0:
        raise DataError("the data have no rows", expected="one row per trust and department")
    tables, rows, across = codes(period), codes(trust), codes(department)
    if trust not in table and department not in table:
        across = np.arange(len(table))
    where = pd.DataFrame({"table": tables, "row": rows, "column": across})
    twice = where.duplicated(keep=False).to_numpy()
    if twice.any():
        keys = keys_in(table, columns)
        raise DataError(
            "the same cell appears more than once", column=", ".join(keys), rows=table.index[twice].tolist(),
            expected=f"one row per {' × '.join(keys)}", action="suppress one outcome or part at a time",
            row_word=row_word_of(table.index),
        )  # fmt: skip
    return TwoWay(tables, rows, across)


def rules_of_one_line(rules: Rules, by_trust: bool) -> Rules:
    """Rules for a table of trusts alone (`by_trust`), or of departments alone, whose one total is that of all rows."""
    kind: Totals = "department" if by_trust else "trust"
    return Rules(rules.below, rules.round_to, rules.zeros, (kind,) if rules.totals else ())


def as_pandas(frame: Any) -> pd.DataFrame:
    """A pandas frame whose index reveals nothing: named levels become columns, any other is replaced by 0 to R − 1.

    Indexes that only number rows are kept: lines of a file, which errors name, and rows of a larger table.
    """
    if isinstance(frame, Mapping):
        frame = frame_of(frame)
    if not isinstance(frame, pd.DataFrame):
        try:
            return nw.from_native(frame, eager_only=True).to_pandas()
        except TypeError:
            raise DataError(f"the data are a {type(frame).__name__}", expected="an eager dataframe") from None
    frame = with_text_names(frame)
    if row_word_of(frame.index) != "row":
        return frame  # numbered by the lines of a file, which errors are to name
    if any(name is not None for name in frame.index.names):
        told = [name for name in frame.index.names if name is not None and name not in frame]
        levels = frame.index.to_frame(index=False)[told]
        attrs = frame.attrs
        frame = pd.concat([levels, frame.reset_index(drop=True)], axis=1)
        frame.attrs = attrs
    elif not _only_numbers_rows(frame):
        frame = frame.reset_index(drop=True)
    return with_text_names(frame)


def _only_numbers_rows(frame: pd.DataFrame) -> bool:
    """Whether an unnamed index is of ascending whole numbers and equal to no column: row numbers of a larger table."""
    index = frame.index
    if isinstance(index, pd.RangeIndex):
        return True
    if index.dtype.kind not in "iu" or not index.is_monotonic_increasing:
        return False
    numbers = frame.select_dtypes("number").to_numpy(dtype=np.float64, na_value=np.nan)
    return not (numbers == index.to_numpy()[:, None]).all(axis=0).any()


def count_columns(columns: Columns | None, **shorthand: str) -> Columns:
    """The columns as one object, from ``columns=`` or from the keyword arguments of `suppress`.

    Raises
    ------
    SettingsError
        Where a name is not text, a part is named twice, or bounds have other names than the standard ones.
    """
    named = columns_given(columns, Columns(denominator=names.DENOMINATOR, period=names.PERIOD), **shorthand)
    for part in (names.OBSERVED_LOWER, names.OBSERVED_UPPER, names.COUNTED_FROM):
        if getattr(named, part) not in (None, part):
            raise SettingsError(
                f"suppress reads {part} from the column of this name: rename {getattr(named, part)!r}"
            )
    if columns is None:
        for part, given in shorthand.items():
            if not isinstance(given, str):
                raise SettingsError(f"{part} must be the name of a column; received {given!r}")
    return named


def check_mark(mark: object) -> None:
    """Raise `SettingsError` for a mark that is not text, is empty or can be read as a number."""
    if mark is None:
        return
    number = True
    try:
        float(mark)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = False
    if not isinstance(mark, str) or not mark or number:
        raise SettingsError(f"mark must be text that is no number, such as '*'; received {mark!r}")


def rules_of(data: object, *counts: FloatArray) -> Rules | None:
    """The rules under which a frame was suppressed, from its attributes, which `suppress` sets; else None.

    None also where one of the `counts` (NaN where withheld) could not be shown under these rules, so that the frame
    must have been changed since.
    """
    said = data.attrs.get(RULES) if isinstance(data, pd.DataFrame) else None
    if not isinstance(said, dict) or set(said) != {item.name for item in fields(Rules)}:
        return None
    rules = Rules(**said)
    multiple = rules.round_to or 1
    # The smallest value that is shown of a count that is not small: `below`, rounded, which may be less than `below`.
    large = float(rounded(np.array([rules.most + 1.0]), multiple)[0])
    for values in counts:
        small = (values >= rules.least) & (values <= rules.most) & (values < large)
        if rules.below is not None and small.any():
            return None
        if np.any(values[np.isfinite(values)] % multiple):
            return None
    return rules


def vouch_for(frame: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """Set the attributes by which a frame says that none of its present columns reveals more than the rules leave."""
    frame.attrs |= {RULES: dict(vars(rules)), VOUCHED: tuple(frame.columns)}
    return frame


def kept_columns(table: pd.DataFrame, keep: Any, counts: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns that are to stay as they are, none of them one of `counts`."""
    if isinstance(keep, str) or not isinstance(keep, Iterable):
        raise SettingsError(f"keep must be a list of columns; received {keep!r}")
    kept = tuple(keep)
    for name in kept:
        if name not in table:
            raise DataError("is not in the data", column=str(name), expected="a column to keep as it is")
        if name in counts:
            raise SettingsError(f"keep names {name!r}, which is a count or a label")
    return kept


def _source(table: pd.DataFrame) -> Source:
    return Source(
        nw.from_native(table, eager_only=True), table.index.to_numpy(), row_word=row_word_of(table.index)
    )


def with_one_spelling(
    table: pd.DataFrame, keys: Mapping[str, str], tidy: bool
) -> tuple[pd.DataFrame, tuple[str, ...], tuple[str, ...]]:
    """The table with one spelling of each label, sentences that count what was joined, and sentences that name it.

    Parameters
    ----------
    table : pandas.DataFrame
    keys : mapping of str to str
        Column of each part: trust, department, period.
    tidy : bool
        Join spellings of one label instead of refusing them.

    Raises
    ------
    DataError
        Where labels are spellings of one or hold control characters, and are not to be tidied.
    """
    source = _source(table)
    notes: list[str] = []
    said: list[str] = []
    for part, column in keys.items():
        if column not in table:
            continue
        spelt = one_spelling(source, column, part, tidy=tidy)
        notes += spelt.notes
        said += spelt.warnings
        if spelt.kept is not None:
            table = table.assign(**{column: spelt.of(table[column])})
    return table, tuple(notes), tuple(said)


def without_empty_rows(
    table: pd.DataFrame, columns: Columns, rules: Rules
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Leave out rows of 0 of 0 where zeros are withheld; also a sentence that names them, and a note that counts them.

    Where zeros are shown, such rows have no effect on others. Where zeros are withheld, each would be a small count
    that needs protection by others. A fit leaves these rows out and would so withhold other counts; together, the two
    releases could reveal what neither does alone.
    """
    observed = columns.name_of("observed")
    given = [size for part in ("expected", "denominator") if (size := columns.name_of(part)) in table]
    if rules.zeros == "shown" or not given or observed not in table:
        return table, ()
    empty = np.nan_to_num(count_column(table, observed)) == 0.0
    for size in given:
        empty &= expected_column(table, size) == 0.0
    if not empty.any() or empty.all():
        return table, ()
    n = int(empty.sum())
    said = f"left out {n:,} row{'s' if n > 1 else ''} ({listed(table.index[empty].to_numpy())}): 0 of 0"
    return table[~empty].copy(), (said, left_out_note(n))


def count_column(table: pd.DataFrame, column: str) -> FloatArray:
    """Whole counts, NaN where missing."""
    source = _source(table)
    values = number_column(source, column, "counts", allow_missing=True)
    check_rows(
        source, column, (values < 0) | (values != np.floor(values)) & ~np.isnan(values),
        "a count is negative or fractional", expected="whole numbers of zero or more",
        action="suppress counts; estimates are rounded with them",
    )  # fmt: skip
    return values


def people_column(table: pd.DataFrame, columns: Columns) -> FloatArray | None:
    """Denominators, (R,), NaN where missing; None without such a column. Checked against their bounds, if any."""
    column = columns.name_of("denominator")
    if column not in table:
        return None
    source, count = _source(table), count_column(table, column)
    low_name, high_name = names.DENOMINATOR_LOWER, names.DENOMINATOR_UPPER
    lower = read_bounds(source, low_name if low_name in table else None, "bounds")
    upper = read_bounds(source, high_name if high_name in table else None, "bounds", endless=True)
    interval_of(source, (column, low_name, high_name), count, lower, upper)
    return count


@dataclass(frozen=True, eq=False)
class Events:
    """Counts of events, (R,): as given (NaN where missing), and the interval that each lies in."""

    given: FloatArray
    lower: FloatArray
    upper: FloatArray

    def no_narrower_than(self, rules: Rules, people: FloatArray | None) -> tuple[FloatArray, FloatArray]:
        """The intervals, (R,) each; where a small count is given with bounds, at least as wide as the rules require."""
        low, high = self.lower.copy(), self.upper.copy()
        beside = (low < high) & ~np.isnan(self.given)
        few = beside & (self.given >= rules.least) & (self.given <= rules.most)
        low[few], high[few] = np.minimum(low[few], rules.least), np.maximum(high[few], rules.most)
        if people is not None:
            rest = people - self.given
            nearly_all = beside & (rest >= rules.least) & (rest <= rules.most)
            low[nearly_all] = np.minimum(low, people - rules.most)[nearly_all]
            high[nearly_all] = np.maximum(high, people - rules.least)[nearly_all]
        return np.maximum(low, 0.0), high


def read_events(table: pd.DataFrame, columns: Columns, people: FloatArray | None) -> Events | None:
    """Read counts of events and their bounds: 0 to infinity where neither is known; None where there are no events.

    Raises
    ------
    DataError
        Where a count or a bound is impossible, they contradict each other, or there are more events than people.
    """
    observed, denominator = columns.name_of("observed"), columns.name_of("denominator")
    if not any(name in table for name in (observed, names.OBSERVED_LOWER, names.OBSERVED_UPPER)):
        return None
    source = _source(table)
    count = count_column(table, observed) if observed in table else np.full(len(table), np.nan)
    low_name, high_name = names.OBSERVED_LOWER, names.OBSERVED_UPPER
    lower = read_bounds(source, low_name if low_name in table else None, "bounds")
    upper = read_bounds(source, high_name if high_name in table else None, "bounds", endless=True)
    described = observed if observed in table else low_name
    lower, upper = interval_of(source, (described, low_name, high_name), count, lower, upper)
    lower, upper = np.where(np.isnan(lower), 0.0, lower), np.where(np.isnan(upper), np.inf, upper)
    if people is None:
        return Events(count, lower, upper)
    check_rows(
        source, described, most_claimed(count, lower, upper) > people, f"observed exceeds {denominator!r}",
        expected="observed ≤ denominator", action="check that both count the same people",
    )  # fmt: skip
    # The interval of a rounded count is cut off at the denominator.
    among = np.where(np.isnan(count) | np.isnan(people), np.inf, people)
    return Events(count, lower, np.minimum(upper, among))


def expected_column(table: pd.DataFrame, column: str) -> FloatArray:
    """Expected events, NaN where missing."""
    source = _source(table)
    values = number_column(source, column, "expected events", allow_missing=True)
    check_rows(source, column, values < 0, "expected events are negative", expected="zero or more")
    return values


def counted_from_column(table: pd.DataFrame) -> FloatArray:
    """Smallest count of each row that would be in the data; NaN where any would."""
    return number_column(_source(table), names.COUNTED_FROM, "smallest counts", allow_missing=True)
