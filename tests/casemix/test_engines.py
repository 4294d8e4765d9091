"""The same records through every engine that may hold them: one table of cells, to 1e-9."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import brightspots as bs

from .conftest import simulate_records

ARGUMENTS = {
    "outcome": "died",
    "casemix": ["age", "sex", "admission", "frail", "score"],
    "bins": {"age": [40, 60, 75]},
    "period": "year",
}


def messy() -> pd.DataFrame:
    """Records with every kind of column, and values missing in every way that the kind has."""
    frame = simulate_records(4_000)
    rng = np.random.default_rng(2)
    frame["year"] = rng.choice([2022, 2023], len(frame))
    frame["frail"] = rng.random(len(frame)) < 0.3
    frame["score"] = rng.choice([0.0, 1.0, 2.5], len(frame))
    frame["died"] = frame["died"] == 1
    frame.loc[rng.random(len(frame)) < 0.05, "age"] = np.nan
    frame.loc[rng.random(len(frame)) < 0.05, "sex"] = None
    frame.loc[rng.random(len(frame)) < 0.03, "admission"] = "  "
    frame.loc[rng.random(len(frame)) < 0.03, "score"] = np.nan
    return frame


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return messy()


@pytest.fixture(scope="module")
def folder(frame, tmp_path_factory):
    """The records as files: Parquet in one piece and in two, and CSV."""
    path = tmp_path_factory.mktemp("records")
    frame.to_parquet(path / "all.parquet")
    (path / "parts").mkdir()
    frame.iloc[:1_500].to_parquet(path / "parts" / "a.parquet")
    frame.iloc[1_500:][sorted(frame.columns)].to_parquet(
        path / "parts" / "b.parquet"
    )  # columns in another order
    frame.to_csv(path / "all.csv", index=False)
    return path


@pytest.fixture(scope="module", params=["level", "drop"])
def expected(request, frame):
    """The cells from pandas, which every other engine must give."""
    arguments = ARGUMENTS | {"missing": request.param}
    if request.param == "drop":
        with pytest.warns(bs.DataWarning, match="records with missing case mix are left out"):
            return arguments, bs.standardise(frame, **arguments)
    return arguments, bs.standardise(frame, **arguments)


def pandas_nullable(frame, folder):
    return frame.convert_dtypes()


def pandas_arrow(frame, folder):
    return frame.convert_dtypes(dtype_backend="pyarrow")


def pandas_categories(frame, folder):
    return frame.astype({"trust": "category", "department": "category", "sex": "category"})


def pandas_shuffled(frame, folder):
    return frame.sample(frac=1.0, random_state=3)


def polars_eager(frame, folder):
    return pytest.importorskip("polars").from_pandas(frame)


def polars_nan(frame, folder):
    """Values that are not a number, and not null either."""
    return pytest.importorskip("polars").from_pandas(frame, nan_to_null=False)


def polars_lazy(frame, folder):
    return pytest.importorskip("polars").scan_parquet(folder / "all.parquet")


def pyarrow_table(frame, folder):
    return pytest.importorskip("pyarrow").Table.from_pandas(frame)


def mapping(frame, folder):
    return {name: frame[name].to_numpy() for name in frame}


def duckdb_relation(frame, folder):
    return pytest.importorskip("duckdb").connect().read_parquet(str(folder / "all.parquet"))


def ibis_table(frame, folder):
    return pytest.importorskip("ibis").duckdb.connect().read_parquet(str(folder / "all.parquet"))


def dask_frame(frame, folder):
    """Of two partitions."""
    dask = pytest.importorskip("dask.dataframe")
    return dask.from_pandas(frame, npartitions=2)


def parquet_path(frame, folder):
    pytest.importorskip("duckdb")
    return folder / "all.parquet"


def parquet_glob(frame, folder):
    pytest.importorskip("duckdb")
    return str(folder / "parts" / "*.parquet")


def csv_path(frame, folder):
    pytest.importorskip("duckdb")
    return str(folder / "all.csv")


HOLDERS = (
    pandas_nullable, pandas_arrow, pandas_categories, pandas_shuffled, polars_eager, polars_nan, polars_lazy,
    pyarrow_table, mapping, duckdb_relation, ibis_table, dask_frame, parquet_path, parquet_glob, csv_path,
)  # fmt: skip


def assert_same(found: bs.Standardised, wanted: bs.Standardised, *, text_period: bool = False) -> None:
    keys = ["trust", "department", "period"]
    table = found.table.astype({"period": int}) if text_period else found.table
    assert table[keys].to_numpy().tolist() == wanted.table[keys].to_numpy().tolist()
    assert table["observed"].tolist() == wanted.table["observed"].tolist()
    assert table["denominator"].tolist() == wanted.table["denominator"].tolist()
    np.testing.assert_allclose(table["expected"], wanted.table["expected"], rtol=1e-9)
    assert (
        found.card.covariates["records_missing"].tolist()
        == wanted.card.covariates["records_missing"].tolist()
    )
    assert found.card.c_statistic == pytest.approx(wanted.card.c_statistic, rel=1e-9)


@pytest.mark.filterwarnings(
    "ignore:.*records with missing case mix are left out",
    "ignore:The 'future.infer_string' option is deprecated",  # Ibis with this pandas
    r"ignore:fetch_arrow_table\(\) is deprecated:DeprecationWarning",  # Ibis with this DuckDB
    r"ignore:\s*Dask support is moving out of Narwhals:FutureWarning",
)
@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: holder.__name__)
def test_every_engine_gives_the_same_cells(holder, frame, folder, expected):
    arguments, wanted = expected
    found = bs.standardise(holder(frame, folder), **arguments)
    assert_same(found, wanted, text_period=holder is csv_path)  # from CSV, labels are text


@pytest.mark.filterwarnings(
    "ignore:.*PySpark.*:FutureWarning", "ignore:.*records with missing case mix are left out"
)
def test_spark_gives_the_same_cells(spark, frame, folder, expected):
    arguments, wanted = expected
    assert_same(bs.standardise(spark.read.parquet(str(folder / "all.parquet")), **arguments), wanted)


def test_an_eager_frame_is_scored_in_pieces_of_bounded_size(frame, monkeypatch):
    """Pieces change the order of sums and nothing else."""
    wanted = bs.standardise(frame, **ARGUMENTS)
    monkeypatch.setattr("brightspots.casemix.records._AT_ONCE", 700)
    assert_same(bs.standardise(frame, **ARGUMENTS), wanted)


def test_the_records_are_never_changed_and_a_relation_keeps_its_connection_clean(frame, folder):
    duckdb = pytest.importorskip("duckdb")
    before = frame.copy()
    bs.standardise(frame, **ARGUMENTS)
    pd.testing.assert_frame_equal(frame, before)
    connection = duckdb.connect()
    bs.standardise(connection.read_parquet(str(folder / "all.parquet")), **ARGUMENTS)
    assert connection.execute("SELECT count(*) FROM duckdb_tables()").fetchone() == (0,)
    assert connection.execute("SELECT count(*) FROM duckdb_views() WHERE NOT internal").fetchone() == (0,)


def test_leading_zeros_of_csv_labels_survive(tmp_path):
    pytest.importorskip("duckdb")
    frame = simulate_records(500)
    frame["trust"] = frame["trust"].str.replace("T", "0")
    frame["department"] = frame["department"].str.replace("D3", "NA")  # a code, and no gap
    frame.to_csv(tmp_path / "records.csv", index=False)
    cells = bs.standardise(tmp_path / "records.csv", outcome="died", casemix=["sex"])
    assert set(cells["trust"]) == {"000", "001", "002", "003", "004", "005"}
    assert "NA" in set(cells["department"])


def test_files_without_duckdb_name_the_command_that_installs_it(tmp_path, monkeypatch):
    path = tmp_path / "records.parquet"
    path.write_bytes(b"")
    monkeypatch.setattr("brightspots.casemix.records.importlib.util.find_spec", lambda name: None)
    with pytest.raises(bs.MissingExtraError, match=r"pip install 'brightspots\[duckdb\]'"):
        bs.standardise(path, outcome="died", casemix=["sex"])


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        ("nowhere.parquet", "there is no file"),
        ("*.parquet.gz", "there is no file"),
        (".", "is a folder"),
        ("records.xlsx", "files of this kind are not read"),
        (["records.csv", "records.parquet"], "mixed"),
    ],
)
def test_paths_that_cannot_be_read_say_why(paths, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("records.xlsx", "records.csv", "records.parquet"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(bs.DataError, match=said):
        bs.standardise(paths, outcome="died", casemix=["sex"])


def test_damaged_files_are_a_data_error(tmp_path):
    pytest.importorskip("duckdb")
    whole = tmp_path / "whole.parquet"
    simulate_records(300).to_parquet(whole)
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(whole.read_bytes()[:1_000])
    binary = tmp_path / "binary.csv"
    binary.write_bytes(bytes(range(256)) * 20)
    for path in (broken, binary):
        with pytest.raises(bs.DataError, match=r"broken\.parquet|binary\.csv|not in the records"):
            bs.standardise(path, outcome="died", casemix=["sex"])


@pytest.mark.parametrize("records", [None, 5, [1, 2], object()])
def test_what_is_no_table_is_refused(records):
    with pytest.raises(bs.DataError, match="the records are a"):
        bs.standardise(records, outcome="died", casemix=["sex"])
