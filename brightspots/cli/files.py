"""Tables from files: CSV, Parquet and Excel, with keys as text and the digest of what was read."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Collection
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from brightspots import vocabulary as names
from brightspots.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    import pandas as pd

    from brightspots.manifest import InputFile

STANDARD_INPUT: Final = "-"
# Ways to write a missing number. In key columns only an empty cell is missing: 'NA' may be somebody's code.
_MISSING: Final = ["", "NA", "N/A", "NaN", "nan", "null", "NULL"]
_NAMES: Final = (names.TRUST_NAME, names.DEPARTMENT_NAME)


def read_frame(path: str, keys: Collection[str], sheet: str | None = None) -> tuple[pd.DataFrame, InputFile]:
    """Read a table whose key columns are kept as text, so that ids keep their leading zeros.

    Parameters
    ----------
    path : str
        ``.csv``, ``.csv.gz``, ``.tsv``, ``.parquet``, ``.xlsx`` or ``.xlsm``; ``-`` reads CSV from standard input.
    keys : collection of str
        Columns that hold labels.
    sheet : str, optional
        Of an Excel file; by default the first.

    Raises
    ------
    DataError
        Where there is no such file, its kind is not known or it cannot be read.
    MissingExtraError
        Where reading it needs a package that is not installed.
    """
    from brightspots.manifest import InputFile, file_digest

    content = _content(path)
    wanted = {*keys, *_NAMES}
    suffix = "".join(Path(path).suffixes[-2:]).lower() if path.endswith(".gz") else Path(path).suffix.lower()
    if path == STANDARD_INPUT or suffix in (".csv", ".csv.gz", ".tsv", ".txt", ".tsv.gz"):
        frame = _read_text(content, path, wanted, gzipped=suffix.endswith(".gz"), tab=".tsv" in suffix)
    elif suffix in (".parquet", ".pq"):
        frame = _read_parquet(content, path)
    elif suffix in (".xlsx", ".xlsm"):
        frame = _read_excel(content, path, wanted, sheet)
    else:
        raise DataError(
            f"{path}: files of this kind are not read", expected=".csv, .csv.gz, .tsv, .parquet or .xlsx"
        )
    shown = "standard input" if path == STANDARD_INPUT else Path(path).name
    return frame, InputFile(shown, len(content), len(frame), file_digest(content))


def _content(path: str) -> bytes:
    if path == STANDARD_INPUT:
        return sys.stdin.buffer.read()
    if Path(path).is_dir():
        raise DataError(f"{path!r} is a folder", expected="a file")
    if not Path(path).is_file():
        raise DataError(f"there is no file {path!r}")
    return Path(path).read_bytes()


def _read_text(content: bytes, path: str, keys: set[str], *, gzipped: bool, tab: bool) -> pd.DataFrame:
    import pandas as pd

    how: dict[str, Any] = {
        "sep": "\t" if tab else ",",
        "encoding": "utf-8-sig",
        "compression": "gzip" if gzipped else None,
    }
    try:
        columns = pd.read_csv(BytesIO(content), nrows=0, **how).columns
        if len(columns) == 1 and ";" in str(columns[0]):
            raise DataError(
                f"{path} is separated by semicolons", action="save it with commas, or as .tsv with tabs"
            )
        return pd.read_csv(
            BytesIO(content),
            dtype=dict.fromkeys(keys & set(columns), str),
            keep_default_na=False,
            na_values={name: [""] if name in keys else _MISSING for name in columns},
            low_memory=False,
            **how,
        )
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text ({error})", action="save it as 'CSV UTF-8'") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} cannot be read as a table: {error}") from error


def _read_parquet(content: bytes, path: str) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(BytesIO(content), engine="pyarrow")
    except ImportError as error:
        raise MissingExtraError("pyarrow", extra="parquet", purpose="reading Parquet") from error
    except (
        ValueError,
        OSError,
        KeyError,
        TypeError,
    ) as error:  # pyarrow's, and those of what pandas wrote beside
        raise DataError(f"{path} cannot be read as Parquet: {error}") from error


def _read_excel(content: bytes, path: str, keys: set[str], sheet: str | None) -> pd.DataFrame:
    import zipfile

    import pandas as pd

    try:
        workbook = pd.ExcelFile(BytesIO(content), engine="openpyxl")
    except ImportError as error:
        raise MissingExtraError("openpyxl", extra="excel", purpose="reading Excel files") from error
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError) as error:
        raise DataError(f"{path} cannot be read as an Excel file: {error}") from error
    sheets = [str(name) for name in workbook.sheet_names]
    if sheet is not None and sheet not in sheets:
        raise DataError(f"{path} has no sheet {sheet!r}; it has {', '.join(map(repr, sheets))}")
    chosen = sheets[0] if sheet is None else sheet
    columns = pd.read_excel(workbook, sheet_name=chosen, nrows=0).columns
    return pd.read_excel(
        workbook,
        sheet_name=chosen,
        dtype=dict.fromkeys(keys & set(columns), str),
        keep_default_na=False,
        na_values={str(name): [""] if name in keys else _MISSING for name in columns},
    )
