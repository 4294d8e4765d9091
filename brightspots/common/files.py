"""Write text, JSON and tables: JSON that every parser reads, and tables that no spreadsheet runs as formulas."""

from __future__ import annotations

import io
import json
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import pandas as pd

from brightspots.common.errors import MissingExtraError, SettingsError
from brightspots.common.placing import atomic_path as atomic_path
from brightspots.common.placing import check_folder as check_folder
from brightspots.common.placing import check_out_folder as check_out_folder
from brightspots.common.placing import refuse_own_input as refuse_own_input
from brightspots.common.placing import refuse_to_overwrite as refuse_to_overwrite
from brightspots.common.placing import together as together

# What makes a spreadsheet run a cell as a formula, in ASCII and in the full-width forms that some locales read alike.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

# What no page, document or figure can hold or should obey: control characters (XML 1.0 allows none), halves of
# surrogate pairs, and the codes that turn the direction of the text that follows.
_UNPRINTABLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_BREAKS: Final = frozenset("\t\n\v\f\r\x85\u2028\u2029")


# What XML, and so a workbook, cannot hold.
_ILLEGAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# Halves of surrogate pairs, which are no characters and have no UTF-8: from file names and damaged text.
_HALVES: Final = re.compile("[\ud800-\udfff]")
_LONGEST_CELL: Final = 32_767  # characters: "Excel specifications and limits"


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write bytes, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 text, atomically."""
    write_bytes(path, _HALVES.sub("\N{REPLACEMENT CHARACTER}", text).encode("utf-8"))


def write_json(path: str | os.PathLike[str], content: Mapping[str, Any]) -> None:
    """Write an indented JSON object, atomically."""
    write_text(path, to_json(content, indent=2) + "\n")


def to_json(content: Mapping[str, Any], indent: int | None = None) -> str:
    """JSON that every parser reads: numbers that are not finite become null."""
    text = json.dumps(_plain(content), indent=indent, ensure_ascii=False, allow_nan=False)
    return _HALVES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)  # as JSON writes them


def write_table(frame: pd.DataFrame, path: str | os.PathLike[str], *, index: bool = False) -> None:
    """Write a frame in the format that the suffix names (`TABLE_FORMATS`), atomically and at full precision.

    In CSV and Excel, text that a spreadsheet would run as a formula gets an apostrophe in front (`neutralise`). Parquet
    keeps text as it is: its columns have types, and no program runs them.

    Parameters
    ----------
    frame : pandas.DataFrame
    path : path
    index : bool, default False
        Write the index too, as the first columns.

    Raises
    ------
    SettingsError
        Where no format has that suffix.
    MissingExtraError
        Where Parquet is asked for and pyarrow is not installed, or Excel and openpyxl is not.
    """
    form = TABLE_FORMATS[check_table_path(path)]
    # Written to memory first: what the libraries do when a disk is full is not uniform, and not always an error.
    held = io.BytesIO()
    form.write(frame.reset_index() if index else frame, held)
    write_bytes(path, held.getvalue())


def check_table_path(path: str | os.PathLike[str], suffixes: Sequence[str] | None = None) -> str:
    """Return the suffix of a table to be written, in small letters, or raise `SettingsError`.

    Parameters
    ----------
    path : path
    suffixes : sequence of str, optional
        Suffixes that are accepted, such as ".csv"; by default all of `TABLE_FORMATS`.
    """
    taken = tuple(TABLE_FORMATS) if suffixes is None else tuple(suffixes)
    suffix = Path(path).suffix.lower()
    if suffix not in taken:
        raise SettingsError(
            f"tables are written as {', '.join(taken[:-1])} or {taken[-1]}; received {os.fspath(path)!r}: give the "
            "file a name that ends so"
        )
    return suffix


def _write_csv(frame: pd.DataFrame, held: IO[bytes]) -> None:
    """UTF-8, a line feed after each row."""
    _replaced(_safe(frame), _HALVES).to_csv(held, index=False, encoding="utf-8", lineterminator="\n")


def _write_excel(frame: pd.DataFrame, held: IO[bytes]) -> None:
    """One sheet of values: text without what a workbook cannot hold, and cut with an ellipsis where it is too long."""

    def cut(value: Any) -> Any:
        if isinstance(value, str) and len(value) > _LONGEST_CELL:
            return f"{value[: _LONGEST_CELL - 1]}…"
        return value

    clean = _replaced(_safe(frame), _ILLEGAL).rename(columns=cut).map(cut)
    try:
        clean.to_excel(held, index=False, engine="openpyxl")
    except ImportError as error:
        raise MissingExtraError("openpyxl", extra="excel", purpose="writing Excel") from error


def _write_parquet(frame: pd.DataFrame, held: IO[bytes]) -> None:
    """Columns with their types."""
    bare = frame.copy()
    bare.attrs.clear()  # notes for people, which Parquet would try to write as metadata
    bare = _replaced(bare, _HALVES)
    try:
        bare.to_parquet(held, index=False, engine="pyarrow")
    except ImportError as error:
        raise MissingExtraError("pyarrow", extra="parquet", purpose="writing Parquet") from error


@dataclass(frozen=True)
class TableFormat:
    """How tables of one suffix are written.

    Parameters
    ----------
    write : callable
        Takes a frame, whose index is not written, and a binary file. Neither the frame nor its attributes may be
        changed, nor the attributes written.
    for_programs : bool, default True
        Whether the format also suits tables that other programs read, such as those of ``brightspots standardise``;
        False for formats that only people open.
    """

    write: Callable[[pd.DataFrame, IO[bytes]], None]
    for_programs: bool = True


# A new format is one entry here.
TABLE_FORMATS: Final[Mapping[str, TableFormat]] = {
    ".csv": TableFormat(_write_csv),
    ".xlsx": TableFormat(_write_excel, for_programs=False),
    ".parquet": TableFormat(_write_parquet),
}
PROGRAM_SUFFIXES: Final = tuple(suffix for suffix, form in TABLE_FORMATS.items() if form.for_programs)


def _safe(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its text and its column names neutralised."""
    return pd.DataFrame({neutralise(str(name)): _safe_column(frame[name]) for name in frame.columns})


def _replaced(frame: pd.DataFrame, characters: re.Pattern[str]) -> pd.DataFrame:
    """The frame with U+FFFD for characters that a format cannot hold; the same frame where there are none."""

    def without(value: Any) -> Any:
        return characters.sub("\N{REPLACEMENT CHARACTER}", value) if isinstance(value, str) else value

    out = frame.rename(columns=without)
    for position, name in enumerate(out.columns):
        column = out.iloc[:, position]
        if column.dtype.kind in "ifubM":
            continue
        if any(isinstance(value, str) and characters.search(value) for value in column.unique()):
            out[name] = column.astype(object).map(without)
    return out


def neutralise(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would run as a formula.

    >>> neutralise("=1+1"), neutralise("Ysbyty Gwynedd")
    ("'=1+1", 'Ysbyty Gwynedd')
    """
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def legible(text: str) -> str:
    r"""Replace what cannot be shown: breaks of lines by spaces, other control characters by U+FFFD.

    >>> legible("Ward\n7\x01")
    'Ward 7\ufffd'
    """
    if _UNPRINTABLE.search(text) is None:
        return text
    return _UNPRINTABLE.sub(lambda found: " " if found[0] in _BREAKS else "\ufffd", text)


def _safe_column(column: pd.Series[Any]) -> Any:
    """Neutralise text and leave numbers (a minus sign is no formula there) and missing values alone."""
    if column.dtype.kind in "ifubM":
        return column
    safe = [neutralise(value) if isinstance(value, str) else value for value in column]
    return pd.Series(
        safe, index=column.index, dtype=object
    )  # as objects: whole numbers beside gaps stay whole


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)
