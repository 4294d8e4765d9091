"""`brightspots standardise`: from files of records to the table that `fit` takes."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import tempfile
from pathlib import Path

import pandas as pd
import pytest

import brightspots as bs
from tests.cli.test_commands import complaint, run
from tests.common.test_placing import small_disk

from .conftest import simulate_records

pytest.importorskip("duckdb")

ASKED = ("--outcome", "died", "--casemix", "age_band,sex", "--casemix", "admission")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("records")
    frame = simulate_records()
    frame.to_parquet(path / "records.parquet")
    frame.head(3_000).to_csv(path / "a.csv", index=False)
    frame.tail(3_000).to_csv(path / "b.csv", index=False)
    return path


def test_the_table_is_that_of_the_library_and_the_card_lies_beside_it(folder, tmp_path):
    out = tmp_path / "cells.csv"
    result = run("standardise", folder / "records.parquet", *ASKED, "-o", out)
    assert result.exit_code == 0, result.output
    assert "c-statistic" in result.stdout
    assert result.stdout.endswith(f"wrote {out}\nwrote {tmp_path / 'cells.json'}\n")
    wanted = bs.standardise(
        folder / "records.parquet", outcome="died", casemix=["age_band", "sex", "admission"]
    )
    pd.testing.assert_frame_equal(pd.read_csv(out), wanted.table, check_dtype=False)
    beside = json.loads((tmp_path / "cells.json").read_text())
    assert beside["card"]["casemix"] == ["age_band", "sex", "admission"]
    assert beside["card"]["c_statistic"] == wanted.card.c_statistic
    assert beside["manifest"]["arguments"]["outcome"] == "died"
    assert {"statsmodels", "duckdb"} <= set(beside["manifest"]["versions"])
    content = (folder / "records.parquet").read_bytes()
    assert beside["manifest"]["input"] == {
        "name": "records.parquet", "bytes": len(content), "rows": 6_000, "sha256": hashlib.sha256(content).hexdigest(),
    }  # fmt: skip


def test_small_counts_are_withheld_where_asked(folder, tmp_path):
    out = tmp_path / "cells.csv"
    options = ("--suppress-below", 66, "--round-to", 5, "-o", out)
    result = run("standardise", folder / "records.parquet", *ASKED, *options)
    assert result.exit_code == 0, result.output
    whole = bs.standardise(
        folder / "records.parquet", outcome="died", casemix=["age_band", "sex", "admission"]
    ).table
    assert whole["observed"].between(1, 65).any()
    written = pd.read_csv(out, keep_default_na=True)
    counts = written["observed"].dropna()
    assert (counts % 5 == 0).all()
    assert not (whole["observed"].between(1, 65) & written["observed"].notna()).any()
    shown = bs.suppress(whole, below=66, round_to=5)
    pd.testing.assert_series_equal(written["observed"], shown["observed"], check_dtype=False)
    assert json.loads((tmp_path / "cells.json").read_text())["disclosure"] == list(shown.attrs["notes"])
    assert shown.attrs["notes"][0] in result.stdout


def test_the_table_goes_straight_into_a_fit(folder, tmp_path):
    assert run("standardise", folder / "records.parquet", *ASKED, "-o", tmp_path / "cells.csv").exit_code == 0
    fitted = run(
        "fit", tmp_path / "cells.csv", "-o", tmp_path / "out", "--draws", 400, "--method", "integrate"
    )
    assert fitted.exit_code in (0, 3), fitted.output
    assert (tmp_path / "out" / "fit.nc").exists()


@pytest.mark.parametrize("several", [["a.csv", "b.csv"], ["[ab].csv"]], ids=["names", "glob"])
def test_several_files_are_one_set_of_records(folder, tmp_path, several):
    result = run(
        "standardise", *(folder / name for name in several), *ASKED, "-o", tmp_path / "c.parquet", "--json"
    )
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["manifest"]["input"]["name"] == "a.csv and 1 more"
    assert said["card"]["records"] == 6_000
    wanted = bs.standardise(simulate_records(), outcome="died", casemix=["age_band", "sex", "admission"])
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "c.parquet"), wanted.table, check_dtype=False)


def test_cut_points_and_the_figure(folder, tmp_path):
    result = run(
        "standardise", folder / "records.parquet", "--outcome", "died", "--casemix", "age,sex",
        "--bins", "age=40, 60,75", "--calibration", tmp_path / "calibration.png", "-o", tmp_path / "cells.csv",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert (tmp_path / "calibration.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_left_out_is_said_on_standard_error(folder, tmp_path):
    frame = simulate_records()
    frame.loc[:9, "sex"] = None
    frame.to_csv(tmp_path / "gaps.csv", index=False)
    result = run(
        "standardise", tmp_path / "gaps.csv", *ASKED, "--missing", "drop", "-o", tmp_path / "cells.csv"
    )
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: 10 records with missing case mix are left out")
    rows = json.loads((tmp_path / "cells.json").read_text())["manifest"]["input"]["rows"]
    assert rows == len(frame)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "cells.txt"], "tables are written as .csv or .parquet"),
        (["-o", "cells.csv", "--calibration", "c.jpg"], "figures are written as"),
        (["-o", "cells.csv", "--bins", "age=old"], "--bins takes a column and its cut points"),
        (["-o", "cells.csv", "--bins", "age=40"], "bins names 'age', which is not in casemix"),
        (["-o", "cells.csv", "--casemix", "age"], "a continuous covariate"),
        (["-o", "cells.csv", "--casemix", "colour"], "column 'colour': is not in the records"),
        (["-o", "nowhere/cells.csv"], "does not exist"),
    ],
)
def test_what_cannot_be_done_is_one_line(folder, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert said in complaint(run("standardise", folder / "records.parquet", *ASKED, *arguments))
    assert list(tmp_path.iterdir()) == []


def test_files_are_never_replaced_unasked(folder, tmp_path):
    (tmp_path / "cells.json").write_text("mine")
    command = ("standardise", folder / "records.parquet", *ASKED, "-o", tmp_path / "cells.csv")
    assert "would be overwritten" in complaint(run(*command))
    assert (tmp_path / "cells.json").read_text() == "mine"
    assert run(*command, "--force").exit_code == 0


def test_no_such_file(tmp_path):
    assert "there is no file" in complaint(
        run("standardise", tmp_path / "x.parquet", *ASKED, "-o", tmp_path / "c.csv")
    )


def test_a_calibration_for_which_the_disk_is_full_leaves_no_table(folder, tmp_path):
    out, picture = tmp_path / "cells.csv", tmp_path / "calibration.svg"
    command = ["standardise", folder / "records.parquet", *ASKED, "-o", out, "--calibration", picture]
    with small_disk(40_000):
        said = complaint(run(*command))
    assert said == f"error: {picture}: File too large"
    assert list(tmp_path.iterdir()) == []


def test_records_are_not_replaced_by_what_is_counted_in_them(folder, tmp_path):
    (tmp_path / "a.csv").write_bytes((folder / "a.csv").read_bytes())
    before = (tmp_path / "a.csv").read_bytes()
    said = complaint(run("standardise", tmp_path / "a.csv", *ASKED, "-o", tmp_path / "a.csv", "--force"))
    assert "is what is read" in said
    assert (tmp_path / "a.csv").read_bytes() == before


def test_a_folder_that_is_not_there_is_said_before_the_work(folder, tmp_path):
    command = ("standardise", folder / "records.parquet", *ASKED)
    assert "does not exist" in complaint(run(*command, "-o", tmp_path / "nowhere" / "cells.csv"))


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_a_count_that_is_told_to_stop_leaves_no_database(folder, tmp_path, monkeypatch):
    """DuckDB turns the interruption of a query into an error of its own: the command ends as stopped all the same."""
    from brightspots.casemix import records

    seen = []
    read = records._read_text

    def interrupted(connection, *arguments):
        seen.extend(Path(tempfile.gettempdir()).glob("brightspots-*/records.duckdb"))
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except BaseException as error:
            raise RuntimeError("Query interrupted") from error
        return read(connection, *arguments)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(records, "_read_text", interrupted)
    result = run("standardise", folder / "a.csv", *ASKED, "-o", tmp_path / "cells.csv")
    assert (result.exit_code, result.stderr) == (143, "stopped by SIGTERM: nothing half written is left\n")
    assert len(seen) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_folder_that_is_full_is_said(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with small_disk(4_000):
        said = complaint(run("standardise", folder / "a.csv", *ASKED, "-o", tmp_path / "cells.csv"))
    assert "File too large" in said
    assert str(tmp_path / "brightspots-") in said
    assert list(tmp_path.iterdir()) == []
