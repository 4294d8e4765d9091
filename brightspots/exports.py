"""Writing files: whole or not at all, never over another unasked, and harmless in a spreadsheet."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from brightspots.errors import MissingExtraError, SettingsError

# What makes a spreadsheet run a cell as a formula, in ASCII and in the full-width forms that some locales read alike.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

# What no page, document or figure can hold or should obey: control characters (XML 1.0 allows none), halves of
# surrogate pairs, and the codes that turn the direction of the text that follows.
_UNPRINTABLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
TABLE_SUFFIXES: Final = (".csv", ".parquet")
_BREAKS: Final = frozenset("\t\n\v\f\r\x85\u2028\u2029")


# What XML, and so a workbook, cannot hold.
_ILLEGAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`; move it into place if the block succeeds, delete it if not.

    Yields
    ------
    pathlib.Path
        An empty file in the same folder, with the same suffix (some writers choose their format by it).

    Raises
    ------
    SettingsError
        Where the folder does not exist.
    """
    target = Path(path)
    check_folder(target)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem}.", suffix=target.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes files for their owner alone
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def refuse_to_overwrite(paths: Iterable[Path], *, force: bool) -> None:
    """Raise `SettingsError` naming the files that exist already, unless `force`."""
    existing = [str(path) for path in paths if path.exists()]
    if existing and not force:
        raise SettingsError(f"{', '.join(existing)} would be overwritten; pass --force, or write elsewhere")


def check_out_folder(path: str | os.PathLike[str]) -> None:
    """Raise `SettingsError` where a folder is to be written to and a file stands in its place."""
    if Path(path).exists() and not Path(path).is_dir():
        raise SettingsError(f"{os.fspath(path)!r} is a file, and a folder is needed: write elsewhere")


def check_folder(path: str | os.PathLike[str]) -> None:
    """Raise `SettingsError` where the folder of a path does not exist: before the work, and not after it."""
    folder = Path(path).parent
    if not folder.is_dir():
        raise SettingsError(f"the folder {str(folder)!r} does not exist: make it first")


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write bytes, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 text, atomically."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: str | os.PathLike[str], content: Mapping[str, Any]) -> None:
    """Write an indented JSON object, atomically."""
    write_text(path, to_json(content, indent=2) + "\n")


def to_json(content: Mapping[str, Any], indent: int | None = None) -> str:
    """JSON that every parser reads: numbers that are not finite become null."""
    return json.dumps(_plain(content), indent=indent, ensure_ascii=False, allow_nan=False)


def write_table(frame: pd.DataFrame, path: str | os.PathLike[str], *, index: bool = False) -> None:
    """Write a frame as .csv, .xlsx or .parquet by suffix, atomically and at full precision.

    In CSV and Excel, text that a spreadsheet would run as a formula gets an apostrophe in front (`neutralise`). Parquet
    keeps text as it is: its columns have types, and no program runs them.

    Raises
    ------
    MissingExtraError
        Where Parquet is asked for and pyarrow is not installed, or Excel and openpyxl is not.
    """
    suffix = Path(path).suffix
    with atomic_path(path) as temporary:
        if suffix == ".parquet":
            bare = frame.reset_index() if index else frame.copy()
            bare.attrs.clear()  # notes for people, which Parquet would try to write as metadata
            try:
                bare.to_parquet(temporary, index=False, engine="pyarrow")
            except ImportError as error:
                raise MissingExtraError("pyarrow", extra="parquet", purpose="writing Parquet") from error
        else:
            flat = frame.reset_index() if index else frame
            safe = pd.DataFrame({neutralise(str(name)): _safe_column(flat[name]) for name in flat.columns})
            if suffix == ".xlsx":
                _write_excel(safe, temporary)
            else:
                safe.to_csv(temporary, index=False, encoding="utf-8", lineterminator="\n")


def _write_excel(safe: pd.DataFrame, path: Path) -> None:
    """One sheet of values: text without the control characters that a workbook cannot hold."""

    def legal(value: Any) -> Any:
        return _ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", value) if isinstance(value, str) else value

    clean = safe.rename(columns=legal).map(legal)
    try:
        clean.to_excel(path, index=False, engine="openpyxl")
    except ImportError as error:
        raise MissingExtraError("openpyxl", extra="excel", purpose="writing Excel") from error


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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
