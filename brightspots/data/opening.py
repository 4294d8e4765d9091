"""Any table in memory as a `Source`: dataframes of several libraries, mappings of columns, standardised cells."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from brightspots.common.errors import DataError
from brightspots.data.columns import text_names, with_text_names
from brightspots.data.numbers import Source, row_word_of


class CellTable:
    """Base of objects that hold a table in the standard columns, as the result of `standardise()` does."""

    table: pd.DataFrame


def open_source(data: Any) -> Source:
    """Wrap an eager dataframe, a mapping of columns or standardised cells, without changing or copying it.

    Raises
    ------
    DataError
        Where `data` is not a table, is lazy, has no rows or repeats a column name.
    """
    if isinstance(data, CellTable):
        data = data.table
    if isinstance(data, Mapping):
        data = frame_of(data)
    if isinstance(data, pd.DataFrame):
        data = with_text_names(data)
    try:
        frame = nw.from_native(data, eager_only=True)
    except TypeError:
        lazy = hasattr(data, "collect") or hasattr(data, "execute") or hasattr(data, "compute")
        action = (
            "collect it first (for example .collect()), or count patient records with standardise()"
            if lazy
            else "read the file first, for example with pandas.read_csv"
            if isinstance(data, str | os.PathLike)
            else "pass a pandas, polars or pyarrow table, or a mapping of columns"
        )
        raise DataError(
            f"the data are a {type(data).__name__}", expected="an eager dataframe", action=action
        ) from None
    if len(frame) == 0:
        raise DataError("the data have no rows", expected="one row per trust and department")
    index = nw.maybe_get_index(frame)
    labels = np.arange(len(frame)) if index is None else np.asarray(index)
    return Source(frame, labels, notes_of(data), row_word_of(index))


def frame_of(columns: Mapping[Any, Any]) -> pd.DataFrame:
    """Make a frame of a mapping from names to columns (lists, arrays, Series) of one length; names become text."""
    named = dict(zip(text_names(columns), columns.values(), strict=True))
    for name, column in named.items():
        if (
            isinstance(column, str | bytes)
            or not hasattr(column, "__len__")
            or not hasattr(column, "__iter__")
        ):
            raise DataError(
                f"a {type(column).__name__} stands in place of values", column=name,
                expected="one value per row", action="pass a list, an array or a Series for each column",
            )  # fmt: skip
    lengths = {name: len(column) for name, column in named.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"the columns of the mapping differ in length: {lengths}")
    try:
        return pd.DataFrame(named)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"the mapping cannot be read as a table: {' '.join(str(error).split())}",
            expected="one-dimensional columns of one length",
        ) from error


def notes_of(data: object) -> tuple[str, ...]:
    """Notes that readers, `tidy` and `suppress` left in a table's ``.attrs["notes"]``, a sentence each; or none."""
    said = data.attrs.get("notes", ()) if isinstance(data, pd.DataFrame) else ()
    return (said,) if isinstance(said, str) else tuple(map(str, said))
