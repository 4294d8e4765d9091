"""`read_frame`: read a table from a file for a command, with its digest."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from brightspots.report.manifest import InputFile


def read_frame(path: str, keys: Collection[str], sheet: str | None = None) -> tuple[pd.DataFrame, InputFile]:
    """Read a table as people have it; see `brightspots.parsing.read_table_file`.

    Parameters
    ----------
    path : str
        ``.csv``, ``.tsv``, ``.txt``, packed or not, ``.parquet``, ``.xlsx`` or ``.xlsm``; ``-`` is standard input.
    keys : collection of str
        Columns that hold labels.
    sheet : str, optional
        Of an Excel file; by default the first that holds a table.

    Returns
    -------
    frame : pandas.DataFrame
        Its index is the line or sheet row of each row; ``.attrs["notes"]`` says what was done.
    input_file : InputFile

    Raises
    ------
    DataError
        Where there is no such file, its kind is not known or it cannot be read.
    MissingExtraError
        Where reading it needs a package that is not installed.
    """
    from brightspots.parsing import read_table_file
    from brightspots.report.manifest import InputFile, file_digest

    read = read_table_file(path, keys=keys, sheet=sheet)
    digest = file_digest(read.content)
    return read.frame, InputFile(read.name, len(read.content), len(read.frame), digest)
