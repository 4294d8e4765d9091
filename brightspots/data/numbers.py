"""`Source`: a table of any dataframe library, seen through narwhals; and how to read columns of numbers from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots.common.arrays import FloatArray, LabelArray
from brightspots.common.errors import DataError


@dataclass(frozen=True, eq=False)
class Source:
    """An eager dataframe seen through narwhals, with the labels by which its rows are named in errors.

    Parameters
    ----------
    frame : narwhals.DataFrame
    labels : array (R,)
        Index labels where the dataframe has an index, else positions from 0.
    notes : tuple of str
        What was done to the table before, a sentence each: its ``.attrs["notes"]``.
    row_word : str
        What one label stands for: "line" or "sheet row" of the file that was read, else "row".
    """

    frame: nw.DataFrame[Any]
    labels: LabelArray
    notes: tuple[str, ...] = ()
    row_word: str = "row"

    @property
    def columns(self) -> list[str]:
        """Column names in order."""
        return list(self.frame.columns)

    def __len__(self) -> int:
        return len(self.labels)

    def values(self, column: str) -> Any:
        """One column, (R,), as a pandas extension array or NumPy array, with its type (dates, categories) kept."""
        native = self.frame[column].to_native()
        if isinstance(native, pd.Series):
            return native.array
        values = self.frame[column].to_numpy()
        if values.ndim == 1:
            return values
        whole = np.empty(len(self), dtype=object)  # records and lists, each one value
        whole[:] = self.frame[column].to_list()
        return whole

    def rows(self, keep: npt.NDArray[np.bool_]) -> Source:
        """Keep the rows where `keep` is true."""
        frame = self.frame.filter(keep.tolist()) if len(keep) else self.frame
        return replace(self, frame=frame, labels=self.labels[keep])

    def noting(self, *notes: str) -> Source:
        """The same table with further notes, those already there left out."""
        return replace(self, notes=(*self.notes, *(note for note in notes if note not in self.notes)))


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
            problem,
            column=column,
            rows=source.labels[bad].tolist(),
            expected=expected,
            action=action,
            row_word=source.row_word,
        )


def row_word_of(index: Any) -> str:
    """What one label of an index stands for, from its name: "line" or "sheet row" of a file, else "row"."""
    name = getattr(index, "name", None)
    return name if isinstance(name, str) and name in ("line", "sheet row") else "row"


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
    """Quote up to three different values, the long ones cut."""
    different = list(dict.fromkeys(map(_quoted, values)))
    return ", ".join([*different[:3], "…"] if len(different) > 3 else different)


def _quoted(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # a whole number of more digits than Python writes
        return "a number of thousands of digits"
    return text if len(text) <= 60 else f"{text[:59]}…"


def _reads_as_number(value: object) -> bool:
    """Whether a value is the text of a number."""
    if not isinstance(value, str):
        return False
    try:
        float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _numbers_among_objects(
    objects: npt.NDArray[Any], missing: npt.NDArray[np.bool_]
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Numbers of an object column, NaN for others, and which values are no numbers (text, dates, lists, booleans)."""
    values = np.full(len(objects), np.nan)
    wrong = np.zeros(len(objects), dtype=bool)
    for row, value in enumerate(objects):
        if missing[row]:
            continue
        try:
            values[row] = _number(value)
        except OverflowError:
            values[row] = np.inf
        except (TypeError, ValueError):
            wrong[row] = True
    return values, wrong


def _number(value: Any) -> float:
    """A real number as float; `TypeError` for text, booleans and everything else."""
    if isinstance(value, bool | np.bool_ | str | bytes | complex | np.complexfloating | np.ndarray):
        raise TypeError
    if not hasattr(value, "__float__") or isinstance(value, np.datetime64 | np.timedelta64):
        raise TypeError
    return float(value)
