"""Single columns of a table: keys with their labels, numbers with their checks."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots import vocabulary as names
from brightspots.cells import FloatArray, IntArray, LabelArray
from brightspots.errors import DataError, DataWarning
from brightspots.period_order import OrderedPeriods, declared_order, order_periods


@dataclass(frozen=True, eq=False)
class Source:
    """An eager dataframe seen through narwhals, with the labels by which its rows are named in errors.

    Parameters
    ----------
    frame : narwhals.DataFrame
    labels : array (R,)
        Index labels where the dataframe has an index, else positions from 0.
    notes : tuple of str
        What is known of the table's way here, a sentence each: its ``.attrs["notes"]``.
    """

    frame: nw.DataFrame[Any]
    labels: LabelArray
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """Column names in order."""
        return list(self.frame.columns)

    def __len__(self) -> int:
        return len(self.labels)

    def values(self, column: str) -> Any:
        """One column as something pandas takes, its kind (dates, categories, text) kept where pandas has it."""
        native = self.frame[column].to_native()
        return native.array if isinstance(native, pd.Series) else self.frame[column].to_numpy()

    def rows(self, keep: npt.NDArray[np.bool_]) -> Source:
        """Keep the rows where `keep` is true."""
        return Source(self.frame.filter(keep.tolist()), self.labels[keep], self.notes)


@dataclass(frozen=True, eq=False)
class KeyColumn:
    """Labels of a key column in order, and the code of each row.

    Parameters
    ----------
    labels : array (L,)
        Sorted; periods in the order of time where it is known.
    codes : int array (R,)
    period_order : PeriodOrder
        From what the order of periods is known.
    """

    labels: LabelArray
    codes: IntArray
    period_order: names.PeriodOrder = "unknown"


def check_rows(
    source: Source,
    column: str,
    bad: npt.NDArray[np.bool_],
    problem: str,
    *,
    expected: str | None = None,
    action: str | None = None,
) -> None:
    """Raise `DataError` naming the rows where `bad` is true, if there are any."""
    if bad.any():
        raise DataError(
            problem, column=column, rows=source.labels[bad].tolist(), expected=expected, action=action
        )


def refuse_repeated_names(frame: pd.DataFrame) -> None:
    """Raise `DataError` naming the columns that a frame has more than once."""
    if not frame.columns.is_unique:
        repeated = sorted({str(name) for name in frame.columns[frame.columns.duplicated()]})
        raise DataError(
            f"column names appear more than once: {', '.join(repeated)}", action="rename or drop them"
        )


def key_column(source: Source, column: str, part: str) -> KeyColumn:
    """Read the labels of trusts, departments or periods.

    Raises
    ------
    DataError
        Where a label is missing or blank, or where text and numbers are mixed.
    """
    values = np.asarray(source.values(column))
    if values.dtype.kind in "OU":
        values = values.astype(object)
    # Labels are few and rows may be millions: look at each label once.
    codes, labels = pd.factorize(values)
    is_text = np.array([isinstance(label, str) for label in labels], dtype=bool)
    blank = np.array([isinstance(label, str) and not label.strip() for label in labels], dtype=bool)
    missing = (codes < 0) | np.append(blank, False)[codes]
    check_rows(
        source,
        column,
        missing,
        f"a {part} is missing or blank",
        expected=f"a {part} in every row",
        action="name it or drop the row",
    )
    if is_text.any() and not is_text.all():
        text_rows = is_text[codes]
        check_rows(
            source,
            column,
            text_rows if 2 * text_rows.sum() <= len(codes) else ~text_rows,
            "text and numbers are mixed",
            expected="labels of one kind",
            action=f"convert the column to text, so that 1 and '1' cannot be two different {part}s",
        )
    try:
        ordered = (
            order_periods(labels, declared_order(source.frame[column].to_native()))
            if part == "period"
            else OrderedPeriods(np.argsort(labels, kind="stable"), "unknown")
        )
    except TypeError:
        kinds = ", ".join(sorted({type(label).__name__ for label in labels}))
        raise DataError(
            f"labels of kinds that cannot be ordered together: {kinds}",
            column=column,
            expected="labels of one kind",
            action="convert the column to text",
        ) from None
    rank = np.argsort(ordered.order)
    labels = np.asarray(labels)[ordered.order]
    _warn_of_lookalikes(labels, column)
    if part == "department":
        _warn_of_totals(labels, column)
    return KeyColumn(labels, rank[codes], ordered.known_by)


def _warn_of_lookalikes(labels: LabelArray, column: str) -> None:
    """Say so where two labels differ only by case or white space: usually one unit written two ways."""
    if labels.dtype.kind != "O":
        return
    seen: dict[str, str] = {}
    for label in map(str, labels):
        twin = seen.setdefault(" ".join(label.split()).casefold(), label)
        if twin is not label:
            warnings.warn(
                f"column {column!r}: {twin!r} and {label!r} differ only by case or white space and are kept as two",
                DataWarning,
                stacklevel=2,
            )
            return


def _warn_of_totals(labels: LabelArray, column: str) -> None:
    """Say so where a department is called a total: beside its parts, it would count every event twice."""
    totals = [label for label in map(str, labels) if " ".join(label.split()).casefold() in names.TOTAL_WORDS]
    if totals and len(labels) > len(totals):
        warnings.warn(
            f"column {column!r}: {totals[0]!r} reads like the sum of the others and is taken for a department; if it "
            "is a total, drop its rows, or every event counts twice",
            DataWarning,
            stacklevel=2,
        )


def number_column(
    source: Source, column: str, what: str, *, allow_missing: bool = False, allow_infinite: bool = False
) -> FloatArray:
    """Read a column of finite numbers as float64, (R,).

    Parameters
    ----------
    source : Source
    column : str
    what : str
        What the numbers are, for messages.
    allow_missing : bool, default False
        Return NaN for missing values instead of raising.
    allow_infinite : bool, default False
        Take infinite values, as bounds may be.

    Raises
    ------
    DataError
        Where a value is text, missing or infinite.
    """
    series = source.frame[column]
    missing = np.array(series.is_null().to_numpy(), dtype=bool)
    if series.dtype.is_numeric():
        values = series.cast(nw.Float64).to_numpy().astype(np.float64)
    else:
        objects = np.asarray(source.values(column), dtype=object)
        values, text = _numbers_among_objects(objects, missing)
        unreadable = text & ~np.array([_reads_as_number(value) for value in objects], dtype=bool)
        check_rows(
            source,
            column,
            unreadable,
            f"{what} hold text or other values that are not numbers ({_examples(objects[unreadable])})",
            expected="numbers",
            action="convert the column, deciding what each text stands for (a suppressed count is an interval: "
            "observed_lower=, observed_upper=)",
        )
        check_rows(
            source,
            column,
            text,
            f"{what} are numbers stored as text ({_examples(objects[text])})",
            expected="numbers",
            action="convert the column to numbers",
        )
    missing |= np.isnan(values)
    if not allow_missing:
        check_rows(
            source,
            column,
            missing,
            f"{what} are missing",
            expected="a number in every row",
            action="fill the value in or drop the row; a suppressed count is an interval",
        )
    if not allow_infinite:
        check_rows(source, column, np.isinf(values), f"{what} are infinite", expected="finite numbers")
    return values


def _examples(values: npt.NDArray[Any]) -> str:
    """Quote up to three different values."""
    different = list(dict.fromkeys(map(repr, values)))
    return ", ".join([*different[:3], "…"] if len(different) > 3 else different)


def _reads_as_number(value: object) -> bool:
    """Whether a value, or the text of it, is a number."""
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def _numbers_among_objects(
    objects: npt.NDArray[Any], missing: npt.NDArray[np.bool_]
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Numbers of an object column, and where it holds something else (text, dates, booleans)."""
    values = np.full(len(objects), np.nan)
    wrong = np.zeros(len(objects), dtype=bool)
    for row, value in enumerate(objects):
        if missing[row]:
            continue
        if isinstance(value, bool | str | bytes) or not hasattr(value, "__float__"):
            wrong[row] = True
        else:
            values[row] = float(value)
    return values, wrong
