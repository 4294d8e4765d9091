"""Rows of 0 of 0: no events, with a denominator of 0 or expected events of 0.

Such a row is what a cross-tabulation writes where a trust has no such department. Its likelihood is 1 whatever the
effects, so that a fit without it is the same fit; with it there is no ratio. An event where none was possible is an
error.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from brightspots.common.arrays import FloatArray, LabelArray
from brightspots.common.errors import DataError
from brightspots.data.columns import Columns
from brightspots.data.keys import KeyColumn
from brightspots.data.numbers import Source, number_column
from brightspots.likelihood.family import Family

# How many rows, and how many labels without other rows, a warning names.
_SHOWN = 5


def empty_rows(source: Source, columns: Columns, family: Family) -> npt.NDArray[np.bool_]:
    """Which rows are 0 of 0, (R,): the denominator (or expected) is 0, and the count is 0 or may be 0.

    Parameters
    ----------
    source : Source
    columns : Columns
        With the names of the columns that the table has (see `resolve_names`).
    family : Family
        Estimates are never empty.
    """
    size = columns.denominator if family.is_bounded else columns.expected
    if not family.is_count or size is None:
        return np.zeros(len(source), dtype=bool)
    none = number_column(
        source, size, "denominator" if family.is_bounded else "expected events", allow_missing=True
    )
    empty = none == 0.0
    if not empty.any():
        return np.asarray(empty)

    def read(column: str | None, what: str) -> FloatArray:
        if column is None:
            return np.full(len(source), np.nan)
        return number_column(source, column, what, allow_missing=True, allow_infinite=True)

    count = read(columns.observed, "observed events")
    least = read(columns.observed_lower, "bounds")
    shown = read(columns.counted_from, "smallest counts")
    possible = np.where(np.isnan(count), np.nan_to_num(least) == 0.0, count == 0.0)
    return np.asarray(empty & possible & ~(shown > 0.0))


def without_empty(
    source: Source, empty: npt.NDArray[np.bool_], keys: Mapping[str, KeyColumn]
) -> tuple[Source, dict[str, KeyColumn], str | None]:
    """Leave out the empty rows.

    Parameters
    ----------
    source : Source
    empty : bool array (R,)
        Which rows to leave out.
    keys : mapping of part to KeyColumn

    Returns
    -------
    source : Source
        The other rows, with a note of how many were left out.
    keys : dict of part to KeyColumn
        Of the other rows.
    said : str or None
        A sentence to warn with, which names rows and labels; None where no row is empty.

    Raises
    ------
    DataError
        Where nothing is left.
    """
    if not empty.any():
        return source, dict(keys), None
    if empty.all():
        raise DataError(
            "every row is 0 of 0: nobody was at risk anywhere",
            expected="rows in which there could have been events",
            action="check that the denominator (or the expected events) is the right column",
        )
    rows = source.labels[empty]
    word = f"{source.row_word}{'s' if len(rows) > 1 else ''}"
    said = f"left out {word} {listed(rows)}: 0 of 0, which carries no information"
    note = left_out_note(len(rows))
    kept = {}
    for part, key in keys.items():
        kept[part], gone = key.rows(~empty)
        if len(gone):
            s = "s" if len(gone) > 1 else ""
            said += f"; {part}{s} {listed(gone)} {'have' if s else 'has'} no other rows and {'are' if s else 'is'} gone"
            note += f" {len(gone):,} {part}{s} had no other rows."
    return source.rows(~empty).noting(note), kept, said


def left_out_note(rows: int) -> str:
    """The note on how many rows were left out."""
    named, carry = ("rows", "carry") if rows > 1 else ("row", "carries")
    return f"Left out {rows:,} {named} of 0 of 0, which {carry} no information."


def listed(labels: LabelArray) -> str:
    """The first few labels, and how many more there are."""
    shown = ", ".join(map(str, labels[:_SHOWN]))
    return shown if len(labels) <= _SHOWN else f"{shown} and {len(labels) - _SHOWN:,} more"
