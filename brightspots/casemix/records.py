"""Open patient records without copying them: a frame, a lazy table of any engine, or files, read by DuckDB."""

from __future__ import annotations

import errno
import glob
import importlib
import importlib.util
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import narwhals as nw
import pandas as pd

from brightspots.common.errors import DataError, MissingExtraError
from brightspots.common.parallel import spans
from brightspots.common.placing import scratch_folder
from brightspots.data.columns import with_text_names
from brightspots.data.opening import frame_of

PARQUET: Final = (".parquet", ".pq")
TEXT: Final = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt")
# How CSV files write a missing value, besides an empty field. Not applied to columns of labels, where 'NA' may be one.
_NULLS: Final = ("NA", "N/A", "NaN", "nan", "null", "NULL")
# Records of an eager frame that are scored at once, to limit the memory for the coefficients joined to each record.
_AT_ONCE: Final = 1_000_000


@dataclass(frozen=True, eq=False)
class Records:
    """Records as a lazy table of the engine that holds them.

    Parameters
    ----------
    frame : narwhals.LazyFrame
        All records.
    parts : tuple of narwhals.LazyFrame
        All records in consecutive pieces that are scored one after another: of an eager frame at most a million each,
        of any other engine all in one.
    source : str
        The engine and kind of table, in words.
    """

    frame: nw.LazyFrame[Any]
    parts: tuple[nw.LazyFrame[Any], ...]
    source: str


@contextmanager
def opened(records: Any, keys: Sequence[str], others: Sequence[str] = ()) -> Iterator[Records]:
    """Open what the caller gave; files stay open inside the block only.

    Parameters
    ----------
    records : frame, lazy table, mapping of columns, path, glob or list of paths
    keys : sequence of str
        Columns of labels, which are read from CSV as text.
    others : sequence of str
        The other columns that are needed.

    Raises
    ------
    DataError
        Where it is none of these, or a file cannot be read.
    MissingExtraError
        Where files are given and DuckDB is not installed.
    """
    if isinstance(records, str | os.PathLike) or _is_paths(records):
        with _opened_files(records, keys, others) as found:
            yield found
        return
    yield _held(records)


def _held(records: Any) -> Records:
    """Wrap a frame or a lazy table, without copying it."""
    if isinstance(records, Mapping):
        records = frame_of(records)
    if isinstance(records, pd.DataFrame) and records.columns.is_unique:
        records = with_text_names(records)
    try:
        frame = nw.from_native(records)
    except TypeError:
        raise DataError(
            f"the records are a {type(records).__name__}",
            expected="a dataframe (pandas, polars, pyarrow), a lazy table (DuckDB, polars, PySpark, Ibis, Dask), or "
            "the path of Parquet or CSV files",
        ) from None
    except (ValueError, nw.exceptions.NarwhalsError) as error:
        raise DataError(f"the records cannot be used: {' '.join(str(error).split())}") from error
    source = (
        f"{frame.implementation.name.replace('_', ' ').lower()} {'table' if _is_lazy(frame) else 'frame'}"
    )
    if isinstance(frame, nw.LazyFrame):
        return Records(frame, (frame,), source)
    frame = nw.maybe_reset_index(frame)
    parts = tuple(frame[part].lazy() for part in spans(len(frame), _AT_ONCE))
    return Records(frame.lazy(), parts, source)


def _is_lazy(frame: Any) -> bool:
    return isinstance(frame, nw.LazyFrame)


def _is_paths(records: Any) -> bool:
    return (
        isinstance(records, list | tuple)
        and len(records) > 0
        and all(isinstance(path, str | os.PathLike) for path in records)
    )


def files_of(paths: Any) -> list[Path]:
    """Files that a path, a glob or a list of these names, sorted, all of one kind (Parquet or text).

    Raises
    ------
    DataError
        Where there are none, one is missing, or their kinds differ or are not read.
    """
    given = [os.fspath(path) for path in (paths if isinstance(paths, list | tuple) else [paths])]
    found: set[Path] = set()
    for path in given:
        here = (
            [Path(path)] if Path(path).exists() else [Path(name) for name in glob.glob(path, recursive=True)]
        )
        if not here:
            raise DataError(f"there is no file {path!r}", expected="Parquet or CSV files, or a glob of them")
        found.update(here)
    files = sorted(found)
    folders = [str(path) for path in files if path.is_dir()]
    if folders:
        raise DataError(
            f"{folders[0]!r} is a folder", action=f"name its files, for example {folders[0] + '/*.parquet'!r}"
        )
    kinds = {path: _kind(path) for path in files}
    unknown = [str(path) for path, kind in kinds.items() if kind is None]
    if unknown:
        raise DataError(
            f"{unknown[0]}: files of this kind are not read", expected=f"{', '.join((*PARQUET, *TEXT))}"
        )
    if len(set(kinds.values())) > 1:
        raise DataError("Parquet and text files are mixed", expected="files of one kind")
    return files


def _kind(path: Path) -> str | None:
    name = path.name.lower()
    return "Parquet" if name.endswith(PARQUET) else "text" if name.endswith(TEXT) else None


@contextmanager
def _opened_files(paths: Any, keys: Sequence[str], others: Sequence[str]) -> Iterator[Records]:
    """Open files with an embedded DuckDB inside the block; errors in reading them become `DataError`."""
    files = files_of(paths)
    if importlib.util.find_spec("duckdb") is None:
        raise MissingExtraError("duckdb", extra="duckdb", purpose="reading records from files")
    duckdb: Any = importlib.import_module("duckdb")
    kind = _kind(files[0])
    named = str(files[0]) if len(files) == 1 else f"{len(files)} files from {files[0]} to {files[-1]}"
    # A database in a folder that only its owner may read and that is deleted at the end: it holds the columns of CSV
    # files, so that they are parsed once, and what does not fit into memory.
    with scratch_folder() as folder:
        try:
            with duckdb.connect(str(folder / "records.duckdb")) as connection:
                connection.execute("SET preserve_insertion_order = false")
                names = [str(path) for path in files]
                if kind == "Parquet":
                    relation = connection.read_parquet(names, union_by_name=len(files) > 1)
                else:
                    relation = _read_text(connection, names, keys, others)
                frame: nw.LazyFrame[Any] = nw.from_native(relation)
                count = "a" if len(files) == 1 else f"{len(files):,}"
                yield Records(frame, (frame,), f"{count} {kind} file{'s' * (len(files) > 1)}, read by DuckDB")
        except duckdb.Error as error:
            first = str(error).strip().splitlines()[0]
            if isinstance(error, duckdb.OutOfMemoryException):
                raise OSError(
                    errno.ENOMEM, f"neither memory nor this folder has room ({first})", str(folder)
                ) from error
            if str(folder) in first or os.strerror(errno.ENOSPC) in first:  # ours, and not the data's
                raise OSError(errno.ENOSPC, first.rpartition(": ")[2], str(folder)) from error
            raise DataError(f"{named} cannot be read: {first}") from error


def _read_text(connection: Any, names: list[str], keys: Sequence[str], others: Sequence[str]) -> Any:
    """Read delimited text once into a DuckDB table; keys stay text, types of other columns are found from all rows."""
    many = len(names) > 1
    columns = connection.read_csv(names, all_varchar=True, header=True, union_by_name=many).columns
    labels = dict.fromkeys((name for name in keys if name in columns), "VARCHAR")
    relation = connection.read_csv(names, header=True, union_by_name=many, sample_size=-1, dtype=labels)
    wanted = dict.fromkeys([*keys, *others])
    if not set(wanted) <= set(columns):
        return relation  # `intake.prepare` raises the error for a missing column
    duckdb: Any = importlib.import_module("duckdb")
    relation.select(*(duckdb.ColumnExpression(name) for name in wanted)).create("records")
    table = connection.table("records")
    return table.select(
        *(
            _gaps_filled(table, name)
            if name not in labels and str(kind) == "VARCHAR"
            else duckdb.ColumnExpression(name)
            for name, kind in zip(table.columns, table.types, strict=True)
        )
    )


def _gaps_filled(table: Any, name: str) -> Any:
    """A text column with the words of `_NULLS` as missing values, cast to numbers or booleans where all others are."""
    duckdb: Any = importlib.import_module("duckdb")
    column = duckdb.ColumnExpression(name)
    words = [duckdb.ConstantExpression(word) for word in _NULLS]
    bare = duckdb.CaseExpression(column.isin(*words), duckdb.ConstantExpression(None)).otherwise(column)
    for kind in ("DOUBLE", "BOOLEAN"):
        # TRY_CAST gives null where it fails: where no value became null, all are of this kind.
        cast = duckdb.SQLExpression(f"TRY_CAST(bare AS {kind})")
        found = table.select(bare.alias("bare")).select(duckdb.ColumnExpression("bare"), cast.alias("cast"))
        ((before, after),) = found.aggregate('count(bare), count("cast")').fetchall()
        if before and before == after:
            return bare.cast(kind).alias(name)
    return bare.alias(name)


def beside(frame: nw.LazyFrame[Any], columns: Mapping[str, Sequence[Any]]) -> nw.LazyFrame[Any]:
    """Give a small table to the engine that holds `frame`, to be joined to it.

    Parameters
    ----------
    frame : narwhals.LazyFrame
        With at least one row.
    columns : mapping of str to sequence
        Text, whole numbers or floats, one kind a column.
    """
    engine = frame.implementation
    if engine.is_polars() or engine.is_pandas_like() or engine.is_pyarrow():
        return nw.from_dict(dict(columns), backend=engine).lazy()
    native: Any = frame.to_native()
    if engine.is_duckdb():
        # A projection of one row, unnested: a relation of the same connection that leaves nothing behind in it.
        literal = ", ".join(f"unnest({_duckdb_list(values)}) AS {name}" for name, values in columns.items())
        return nw.from_native(native.limit(1).project(literal))
    if engine.is_spark_like():
        # As Arrow, which Spark reads by itself; rows of Python objects would want a Python on every worker.
        arrow: Any = importlib.import_module("pyarrow")
        return nw.from_native(native.sparkSession.createDataFrame(arrow.table(dict(columns))))
    if engine.is_ibis():
        ibis: Any = importlib.import_module("ibis")
        return nw.from_native(ibis.memtable(pd.DataFrame(dict(columns))))
    if engine.is_dask():
        dask: Any = importlib.import_module("dask.dataframe")
        return nw.from_native(dask.from_pandas(pd.DataFrame(dict(columns)), npartitions=1))
    raise DataError(
        f"records in {engine.name.lower()} cannot be scored there",
        action="write them to Parquet and pass the path",
    )


def _duckdb_list(values: Sequence[Any]) -> str:
    """A list literal in DuckDB's SQL of floats, whole numbers or text, without rounding."""
    kind = "DOUBLE" if isinstance(values[0], float) else "BIGINT" if isinstance(values[0], int) else "VARCHAR"
    quoted = ", ".join(f"'{str(value).replace(chr(39), chr(39) * 2)}'" for value in values)
    return f"[{quoted}]::{kind}[]"


def collect(frame: nw.LazyFrame[Any]) -> nw.DataFrame[Any]:
    """Fetch a small result from the engine."""
    engine = frame.implementation
    if engine.is_polars():
        return frame.collect(engine="streaming")
    if engine.is_duckdb():
        return frame.collect("pandas")  # pyarrow, the default, is an extra of ours
    return frame.collect()
