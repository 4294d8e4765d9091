"""The command line as a scheduler and a terminal meet it."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner, Result

import brightspots as bs
from brightspots import cli
from brightspots.cli import app
from brightspots.common import compiled_code
from brightspots.report.pack import write_document
from tests.common.test_placing import small_disk
from tests.conftest import ROOT, simulate_frame
from tests.report import office
from tests.report.conftest import FAILS, make_fit

FITTED = ("departments.csv", "fit.json", "fit.nc", "partition.csv", "spots.csv", "trusts.csv")


def run(*arguments: object, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(
        app, [str(argument) for argument in arguments], input=stdin, catch_exceptions=False
    )


def shell(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """A real process, as a scheduler starts one."""
    return subprocess.run(
        [sys.executable, "-m", "brightspots.cli", *map(str, arguments)],
        capture_output=True, text=True, cwd=ROOT, timeout=120, env=os.environ | environment,
    )  # fmt: skip


def complaint(result: Result) -> str:
    """The one line on standard error of a command that could not do what it was asked."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


@pytest.fixture(scope="module")
def cells(tmp_path_factory) -> Path:
    """A table whose trusts have leading zeros, one of them a formula to a spreadsheet."""
    frame = simulate_frame(12, 5)
    frame["trust"] = frame["trust"].str.replace("T0", "00").replace("0000", "=1+1")
    path = tmp_path_factory.mktemp("cells") / "cells.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def fitted(cells, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("fitted") / "out"
    result = run("fit", cells, "-o", out, "--draws", 1000)
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """A saved fit with draws that no engine made."""
    path = tmp_path_factory.mktemp("saved") / "fit.nc"
    make_fit(simulate_frame(12, 5)).save(path)
    return path


@pytest.fixture(scope="module")
def uncertain(tmp_path_factory) -> Path:
    """A saved fit that did not earn its certificate."""
    path = tmp_path_factory.mktemp("saved") / "fit.nc"
    make_fit(simulate_frame(12, 5), certificate=FAILS).save(path)
    return path


@pytest.fixture
def trusts(tmp_path) -> Path:
    """One row a trust."""
    rng = np.random.default_rng(5)
    expected = rng.uniform(50, 900, 40).round(1)
    table = pd.DataFrame(
        {
            "trust": [f"{i:03d}" for i in range(40)],
            "observed": rng.poisson(expected * 1.05),
            "expected": expected,
        }
    )
    path = tmp_path / "trusts.csv"
    table.to_csv(path, index=False)
    return path


# ---- fit -------------------------------------------------------------------------------------------------------


def read_exact(path, **options):
    """A CSV file with its numbers to the last bit, which pandas 2 does only where it is asked and pandas 3 always."""
    old = int(pd.__version__.split(".")[0]) < 3
    return pd.read_csv(path, **options, **({"float_precision": "round_trip"} if old else {}))


def test_fit_writes_what_the_library_returns(fitted, cells):
    assert sorted(path.name for path in fitted.iterdir()) == sorted(FITTED)
    again = bs.load_fit(fitted / "fit.nc")
    text = {"trust": str}
    departments = read_exact(fitted / "departments.csv", dtype=text)
    expected = again.departments()
    assert list(departments.columns) == list(expected.columns)
    np.testing.assert_array_equal(departments["own_ratio"], expected["own_ratio"])
    spots = pd.read_csv(fitted / "spots.csv", dtype=text)
    assert list(spots["status"]) == list(again.find_spots().table["status"])
    partition = read_exact(fitted / "partition.csv", index_col="level")
    pd.testing.assert_frame_equal(partition, again.variance_partition(), check_exact=True)
    assert len(pd.read_csv(fitted / "trusts.csv")) == 12


def test_leading_zeros_survive_and_formulas_do_not(fitted):
    trusts = set(pd.read_csv(fitted / "spots.csv", dtype={"trust": str})["trust"])
    assert "0001" in trusts
    assert "1" not in trusts
    assert "'=1+1" in trusts
    assert "=1+1" not in trusts
    assert "=1+1" in set(bs.load_fit(fitted / "fit.nc").trusts()["trust"])


def test_the_manifest_says_how_to_do_it_again(fitted, cells):
    import hashlib

    written = json.loads((fitted / "fit.json").read_text(encoding="utf-8"))
    manifest = written["manifest"]
    assert manifest["input"]["sha256"] == hashlib.sha256(cells.read_bytes()).hexdigest()
    assert (manifest["input"]["name"], manifest["input"]["rows"]) == ("cells.csv", 60)
    assert manifest["seed"] == manifest["arguments"]["seed"] == 1
    assert manifest["arguments"]["draws"] == 1000
    assert manifest["versions"]["brightspots"] == bs.__version__
    assert written["certificate"]["ok"] is True
    assert written["seconds"] > 0
    assert written["expected_false_flags"] >= 0
    assert sum(written["spots"].values()) == written["cells"] == 60


def test_json_is_one_object_and_nothing_else(cells, tmp_path):
    result = run("fit", cells, "-o", tmp_path / "out", "--draws", 1000, "--json")
    assert result.exit_code == 0
    printed = json.loads(result.stdout)
    assert printed == json.loads((tmp_path / "out" / "fit.json").read_text(encoding="utf-8"))


def test_the_same_seed_gives_the_same_numbers(cells, fitted, tmp_path):
    run("fit", cells, "-o", tmp_path / "out", "--draws", 1000)
    for name in ("departments.csv", "partition.csv", "spots.csv", "trusts.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (fitted / name).read_bytes()


def test_every_kind_of_file_gives_the_same_fit(cells, fitted, tmp_path):
    frame = pd.read_csv(cells, dtype={"trust": str})
    frame.to_parquet(tmp_path / "cells.parquet")
    frame.to_csv(tmp_path / "cells.tsv", sep="\t", index=False)
    (tmp_path / "cells.csv.gz").write_bytes(gzip.compress(cells.read_bytes()))
    (tmp_path / "bom.csv").write_bytes(b"\xef\xbb\xbf" + cells.read_bytes())
    frame.to_csv(tmp_path / "semicolons.csv", sep=";", decimal=",", index=False, encoding="utf-16")
    for name in ("cells.parquet", "cells.tsv", "cells.csv.gz", "bom.csv", "semicolons.csv"):
        assert run("fit", tmp_path / name, "-o", tmp_path / "out", "--draws", 1000, "--force").exit_code == 0
        assert (tmp_path / "out" / "spots.csv").read_bytes() == (fitted / "spots.csv").read_bytes(), name


def test_excel_is_read_with_its_leading_zeros(tmp_path):
    pytest.importorskip("openpyxl")
    frame = simulate_frame(12, 5)
    frame["trust"] = frame["trust"].str.replace("T", "0")
    path, out = tmp_path / "cells.xlsx", tmp_path / "out"
    frame.to_excel(path, sheet_name="data", index=False)
    result = run("fit", path, "--sheet", "data", "-o", out, "--draws", 1000)
    assert result.exit_code == 0, result.output
    assert list(pd.read_csv(out / "spots.csv", dtype=str)["trust"]) == list(frame["trust"])
    assert "no sheet 'none'; it has 'data'" in complaint(
        run("fit", path, "--sheet", "none", "-o", out, "--force")
    )


def test_standard_input_is_read(cells, fitted, tmp_path):
    result = run("fit", "-", "-o", tmp_path / "out", "--draws", 1000, stdin=cells.read_bytes())
    assert result.exit_code == 0
    assert (tmp_path / "out" / "spots.csv").read_bytes() == (fitted / "spots.csv").read_bytes()


def test_parquet_comes_out_where_asked_for(cells, tmp_path):
    assert run("fit", cells, "-o", tmp_path, "--format", "parquet", "--draws", 1000).exit_code == 0
    assert len(pd.read_parquet(tmp_path / "departments.parquet")) == 60


def test_columns_may_have_any_name(cells, tmp_path):
    frame = pd.read_csv(cells, dtype={"trust": str})
    names = {
        "trust": "Provider",
        "department": "Specialty",
        "observed": "Deaths",
        "expected": "E",
        "rating": "Stars",
    }
    frame.rename(columns=names).to_csv(tmp_path / "cells.csv", index=False)
    result = run(
        "fit", tmp_path / "cells.csv", "-o", tmp_path / "out", "--trust-column", "Provider", "--department-column",
        "Specialty", "--observed", "Deaths", "--expected", "E", "--rating", "Stars", "--draws", 1000,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert pd.read_csv(tmp_path / "out" / "spots.csv")["rating"].notna().all()


def test_ratings_may_come_from_a_table_of_their_own(cells, tmp_path):
    frame = pd.read_csv(cells, dtype={"trust": str})
    ratings = frame[["trust"]].drop_duplicates().assign(rating=[1.0, 2.0, np.nan] * 4)
    ratings.to_csv(tmp_path / "ratings.csv", index=False)
    result = run(
        "fit", cells, "-o", tmp_path / "out", "--ratings-file", tmp_path / "ratings.csv", "--draws", 1000
    )
    assert result.exit_code == 0, result.output
    assert set(pd.read_csv(tmp_path / "out" / "spots.csv", dtype=str)["rating"].dropna()) == {"1", "2"}


def test_the_lowest_strong_rating_is_an_option(cells, tmp_path):
    frame = pd.read_csv(cells).drop(columns="rating", errors="ignore")
    trusts = sorted(frame["trust"].unique())
    frame.assign(rating=frame["trust"].map({trust: 6 + k % 3 for k, trust in enumerate(trusts)})).to_csv(
        tmp_path / "scored.csv", index=False
    )
    arguments = ["fit", tmp_path / "scored.csv", "--draws", 1000]
    said = run(*arguments, "-o", tmp_path / "unknown")
    assert (
        "count as strong is not known (6, 7, 8): no flag is set against it. Say it with --strong-from."
        in said.output
    )
    assert set(pd.read_csv(tmp_path / "unknown" / "spots.csv")["rating_status"]) == {"not rated"}
    said = run(*arguments, "--strong-from", 7, "-o", tmp_path / "known")
    assert "not known" not in said.output
    assert "concordant" in set(pd.read_csv(tmp_path / "known" / "spots.csv")["rating_status"])
    said = run(*arguments, "--strong-from", "Good", "-o", tmp_path / "wrong")
    assert said.exit_code == 2
    assert "--strong-from must be one of the bands 6, 7, 8; received 'Good'" in said.output
    frame.assign(rating="").to_csv(tmp_path / "blank.csv", index=False)
    said = run("fit", tmp_path / "blank.csv", "--draws", 1000, "-o", tmp_path / "blank")
    assert said.exit_code == 0
    assert "Nobody in the data has a rating" in said.output


def test_a_table_of_ratings_may_name_departments(cells, tmp_path):
    frame = pd.read_csv(cells, dtype={"trust": str, "department": str})
    rated = frame.drop_duplicates(["trust", "department"])[["trust", "department"]]
    rated.assign(rating=[1, 2, 3] * (len(rated) // 3)).to_csv(tmp_path / "ratings.csv", index=False)
    result = run(
        "fit", cells, "-o", tmp_path / "out", "--ratings-file", tmp_path / "ratings.csv",
        "--rating-order", "3,2,1", "--draws", 1000,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    written = pd.read_csv(tmp_path / "out" / "spots.csv", dtype={"trust": str, "department": str})
    expected = rated.assign(rating=[1, 2, 3] * (len(rated) // 3)).merge(written, on=["trust", "department"])
    assert (expected["rating_x"] == expected["rating_y"]).all()


def test_nothing_is_replaced_unasked(fitted, cells):
    before = {path: path.read_bytes() for path in fitted.iterdir()}
    assert "would be overwritten; pass --force" in complaint(run("fit", cells, "-o", fitted))
    assert {path: path.read_bytes() for path in fitted.iterdir()} == before


# ---- bad input -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.drop(columns="expected"), "expected"),
        (lambda f: f.assign(observed=f["observed"] - 1000), "negative"),
        (lambda f: f.assign(observed="many"), "column 'observed'"),
        (lambda f: pd.concat([f, f]), "the same cell appears more than once"),
        (lambda f: f.head(0), "no rows"),
    ],
)
def test_bad_tables_end_with_one_clear_line(cells, tmp_path, change, said):
    path = tmp_path / "bad.csv"
    change(pd.read_csv(cells, dtype={"trust": str})).to_csv(path, index=False)
    assert said in complaint(run("fit", path, "-o", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("cells.csv", None, "there is no file"),
        ("cells.docx", b"x", "files of this kind are not read"),
        ("cells.csv", b"", "cannot be read as a table"),
        (".", None, "is a folder"),
        ("cells.csv", b"trust,observed\nA,\x003\n", "line 2 holds a NUL byte"),
        ("cells.csv", b"trust,trust,observed\nA,B,3\n", "'trust' is the name of columns 1 and 2"),
        ("cells.parquet", b"not parquet", "cannot be read as Parquet"),
        ("cells.csv.gz", b"not gzip", "cannot be read"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert said in complaint(run("fit", tmp_path / name, "-o", tmp_path / "out"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--margin", 0.5], "margin"),
        (["--fdr", 2], "fdr"),
        (["--rating", "stars"], "no such column"),
        (["--period", "year", "--pool-periods"], "give one of them"),
        (["--draws", 0], "draws"),
    ],
)
def test_arguments_that_cannot_be_used(cells, tmp_path, arguments, said):
    assert said in complaint(run("fit", cells, "-o", tmp_path / "out", *arguments))


def test_a_missing_package_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    (tmp_path / "cells.xlsx").write_bytes(b"PK")
    assert "pip install 'brightspots[excel]'" in complaint(
        run("fit", tmp_path / "cells.xlsx", "-o", tmp_path / "out")
    )


# ---- report ----------------------------------------------------------------------------------------------------


def test_report_from_a_table_fits_first(cells, tmp_path):
    result = run(
        "report",
        cells,
        "-o",
        tmp_path / "board.html",
        "--draws",
        1000,
        "--events",
        "deaths",
        "--note",
        "Made up.",
    )
    assert result.exit_code == 0, result.output
    page = (tmp_path / "board.html").read_text(encoding="utf-8")
    assert "cells.csv, 60 rows, SHA-256" in page
    assert "Made up." in page
    assert "Excess deaths" in page


def test_report_from_a_fit_takes_one_trust(saved, tmp_path):
    assert run("report", saved, "--trust", "T003", "-o", tmp_path / "board.html").exit_code == 0
    assert "<h1>Bright and dark spots: T003</h1>" in (tmp_path / "board.html").read_text(encoding="utf-8")
    assert "there is no trust 'T3'" in complaint(
        run("report", saved, "--trust", "T3", "-o", tmp_path / "b.html")
    )
    assert not (tmp_path / "b.html").exists()


def test_each_trust_has_a_pack(saved, tmp_path):
    result = run("report", saved, "--each-trust", "-o", tmp_path / "packs", "--json")
    assert result.exit_code == 0
    assert len(list((tmp_path / "packs").glob("*.html"))) == len(json.loads(result.stdout)["files"]) == 12


def test_a_saved_fit_cannot_be_fitted_otherwise(saved, tmp_path):
    said = complaint(run("report", saved, "-o", tmp_path / "board.html", "--seed", 2))
    assert "fitted already" in said


@pytest.mark.parametrize("suffix", [".docx", ".pptx"])
def test_report_from_a_table_writes_every_format(cells, tmp_path, suffix):
    out = tmp_path / f"board{suffix}"
    result = run("report", cells, "--trust", "0001", "-o", out, "--draws", 1000, "--events", "deaths")
    assert result.exit_code == 0, result.output
    assert "Bright and dark spots: 0001" in office.text_of(out)
    assert "cells.csv, 60 rows, SHA-256" in office.text_of(out)
    assert office.properties(out)["brightspots.input.name"] == "cells.csv"
    assert office.properties(out)["brightspots.arguments.draws"] == "1000"


@pytest.mark.parametrize("suffix", [".doc", ".pdf", ""])
def test_packs_of_other_kinds_are_refused(saved, tmp_path, suffix):
    said = complaint(run("report", saved, "-o", tmp_path / f"board{suffix}"))
    assert ".html, .docx or .pptx" in said


@pytest.mark.parametrize("kind", ["docx", "pptx"])
def test_each_trust_has_a_pack_of_the_kind_asked_for(tmp_path, kind):
    make_fit(simulate_frame(4, 3)).save(tmp_path / "fit.nc")
    result = run("report", tmp_path / "fit.nc", "--each-trust", "--format", kind, "-o", tmp_path / "packs")
    assert result.exit_code == 0, result.output
    written = sorted((tmp_path / "packs").iterdir())
    assert [path.name for path in written] == [f"T{n:03d}.{kind}" for n in range(4)]
    for n, path in enumerate(written):
        assert f"Bright and dark spots: T{n:03d}" in office.text_of(path)


def test_packs_of_trusts_with_names_that_are_no_file_names_stay_apart(tmp_path):
    frame = simulate_frame(12, 5)
    names = [
        "a/b",
        "a?b",
        "../../etc",
        "Ysbyty Gŵyr",
        "x" * 200 + "1",
        "x" * 200 + "2",
        "日本" * 60,
        ".hidden",
        "CON.",
        "T009",
    ]
    frame["trust"] = frame["trust"].replace({f"T{n:03d}": name for n, name in enumerate(names)})
    make_fit(frame).save(tmp_path / "fit.nc")
    result = run("report", tmp_path / "fit.nc", "--each-trust", "-o", tmp_path / "packs", "--json")
    assert result.exit_code == 0, result.output
    written = list((tmp_path / "packs").glob("*.html"))
    assert len(written) == 12
    assert {path.name for path in (tmp_path / "packs").iterdir()} == {path.name for path in written} | {
        "index.csv"
    }
    assert all(len(path.name.encode()) < 150 and not path.name.startswith(".") for path in written)
    assert {"T009.html", "T010.html"} < {path.name for path in written}
    assert sorted(tmp_path.iterdir()) == [tmp_path / "fit.nc", tmp_path / "packs"]


def test_an_index_says_which_trust_is_in_which_file_where_names_are_not_the_labels(tmp_path):
    make_fit(simulate_frame(3, 4).replace({"trust": {"T000": "con", "T001": "=1+1", "T002": "R1F"}})).save(
        tmp_path / "fit.nc"
    )
    packs = tmp_path / "packs"
    result = run("report", tmp_path / "fit.nc", "--each-trust", "-o", packs, "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["index"] == str(packs / "index.csv")
    index = pd.read_csv(packs / "index.csv").set_index("trust")["file"]
    assert dict(index) == {"con": "_con-1143da2b.html", "'=1+1": "_1_1-bac90eef.html", "R1F": "R1F.html"}
    assert {label: Path(path).name for label, path in said["files"].items()} == {
        label.removeprefix("'"): name for label, name in index.items()
    }
    assert sorted(path.name for path in packs.iterdir()) == sorted(["index.csv", *index])
    assert "would be overwritten" in complaint(
        run("report", tmp_path / "fit.nc", "--each-trust", "-o", packs)
    )


def test_names_that_differ_in_capitals_alone_are_refused(tmp_path):
    frame = simulate_frame(12, 5)
    frame["trust"] = frame["trust"].replace({"T000": "abc", "T001": "ABC"})
    frame.to_csv(tmp_path / "cells.csv", index=False)
    out = tmp_path / "packs"
    said = complaint(run("report", tmp_path / "cells.csv", "--each-trust", "-o", out))
    assert "'ABC' (5 rows) and 'abc' (5 rows) differ only by capitals" in said
    assert not out.exists()


def test_trusts_that_would_share_a_file_have_packs_of_their_own(tmp_path):
    frame = simulate_frame(3, 4)
    frame["trust"] = frame["trust"].replace({"T000": "St-Mary/North", "T001": "st-mary?north"})
    make_fit(frame).save(tmp_path / "fit.nc")
    packs = tmp_path / "packs"
    assert run("report", tmp_path / "fit.nc", "--each-trust", "-o", packs).exit_code == 0
    index = pd.read_csv(packs / "index.csv").set_index("trust")["file"]
    assert len({name.casefold() for name in index}) == 3
    for label in ("St-Mary/North", "st-mary?north"):
        assert f"<title>Bright and dark spots: {label}" in (packs / index[label]).read_text("utf-8")


# ---- full disks, signals, rights ---------------------------------------------------------------------------------


def full(result: Result, path: Path) -> None:
    """One line that names the file, and status 2; `small_disk` says "File too large" where a disk says "No space"."""
    assert complaint(result) == f"error: {path}: File too large"


@pytest.mark.parametrize("name", ["a.html", "a.docx", "a.pptx"])
def test_a_pack_for_which_the_disk_is_full_leaves_the_one_before(saved, tmp_path, name):
    (tmp_path / name).write_text("before")
    with small_disk(10_000):
        full(run("report", saved, "--trust", "T001", "-o", tmp_path / name, "--force"), tmp_path / name)
    assert (tmp_path / name).read_text() == "before"
    assert list(tmp_path.iterdir()) == [tmp_path / name]


@pytest.mark.parametrize("name", ["a.png", "a.svg", "a.pdf"])
def test_a_figure_for_which_the_disk_is_full_leaves_nothing(trusts, tmp_path, name):
    with small_disk(10_000):
        full(run("funnel", trusts, "-o", tmp_path / name, "--table", tmp_path / "t.csv"), tmp_path / name)
    assert list(tmp_path.iterdir()) == [trusts]


def test_a_fit_for_which_the_disk_is_full_leaves_no_files_and_no_folder(cells, tmp_path):
    """HDF5 ended the process here (exit status 139), after four files were written."""
    out = tmp_path / "new" / "out"
    with small_disk(60_000):
        full(run("fit", cells, "-o", out, "--draws", 1000), out / "fit.nc")
    assert list(tmp_path.iterdir()) == []


def test_packs_of_which_one_cannot_be_written_leave_none(saved, tmp_path):
    out = tmp_path / "packs"
    assert run("report", saved, "--each-trust", "-o", out).exit_code == 0
    sizes = [path.stat().st_size for path in out.iterdir()]
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with small_disk((min(sizes) + max(sizes)) // 2):  # enough for some
        result = run("report", saved, "--each-trust", "-o", out, "--title", "Another", "--force")
    assert "File too large" in complaint(result)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_standard_output_that_is_full_is_said():
    with open("/dev/full", "w") as nowhere:
        ended = subprocess.run(
            [sys.executable, "-m", "brightspots.cli", "version", "--json"],
            stdout=nowhere, stderr=subprocess.PIPE, text=True, cwd=ROOT, timeout=120,
        )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (2, "error: standard output: No space left on device\n")


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_command_that_is_told_to_stop_takes_away_what_it_was_writing(saved, tmp_path, monkeypatch, name):
    """The signal arrives as the first of the packs waits for the others."""
    number = getattr(signal, name)
    before = signal.getsignal(number)

    def interrupted(document, path):
        write_document(document, path)
        assert len(list((tmp_path / "packs").iterdir())) == 1
        signal.raise_signal(number)  # to this thread: another would answer later than the next pack

    monkeypatch.setattr("brightspots.report.pack.write_document", interrupted)
    result = run("report", saved, "--each-trust", "-o", tmp_path / "packs")
    assert result.exit_code == 128 + number
    assert result.stderr == f"stopped by {name}: nothing half written is left\n"
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, typer.Abort])
def test_an_interruption_outside_a_command_is_one_line_too(monkeypatch, capsys, interruption):
    def interrupted(**_options):
        raise interruption

    monkeypatch.setattr(cli, "app", interrupted)
    monkeypatch.setattr(sys, "argv", ["brightspots", "version"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "stopped by SIGINT\n"


def test_force_keeps_the_rights_of_what_it_replaces(saved, tmp_path):
    (tmp_path / "board.html").write_text("before")
    (tmp_path / "board.html").chmod(0o600)
    assert run("report", saved, "-o", tmp_path / "board.html", "--force").exit_code == 0
    assert (tmp_path / "board.html").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "board.docx", "--format", "docx"], "--format is for --each-trust"),
        (["-o", "packs", "--each-trust", "--trust", "T001"], "give one of them"),
        (["-o", "nowhere/board.docx"], "does not exist"),
        (["-o", "taken", "--each-trust"], "is a file, and a folder is needed"),
        (["-o", "taken.docx"], "would be overwritten"),
    ],
)
def test_packs_that_cannot_be_written(saved, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    for name in ("taken", "taken.docx"):
        (tmp_path / name).write_text("mine")
    assert said in complaint(run("report", saved, *arguments))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "taken": "mine",
        "taken.docx": "mine",
    }


@pytest.mark.parametrize(("kind", "module", "extra"), [("docx", "docx", "word"), ("pptx", "pptx", "slides")])
def test_packs_that_need_a_package_name_the_command_that_installs_it(
    saved, tmp_path, monkeypatch, kind, module, extra
):
    monkeypatch.setitem(sys.modules, module, None)
    for arguments in (
        ["-o", tmp_path / f"board.{kind}"],
        ["-o", tmp_path / "packs", "--each-trust", "--format", kind],
    ):
        assert f"pip install 'brightspots[{extra}]'" in complaint(run("report", saved, *arguments))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_fit_is_refused(tmp_path):
    (tmp_path / "fit.nc").write_bytes(b"not netCDF")
    complaint(run("report", tmp_path / "fit.nc", "-o", tmp_path / "board.html"))


# ---- funnel ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_funnels_are_drawn_with_their_provenance_inside(trusts, tmp_path, suffix):
    out = tmp_path / f"funnel{suffix}"
    result = run("funnel", trusts, "-o", out)
    assert result.exit_code == 0, result.output
    content = out.read_bytes()
    assert b"sha256" in content
    assert len(content) > 5_000


def test_the_limits_of_the_table_are_those_of_the_library(trusts, tmp_path):
    result = run("funnel", trusts, "-o", tmp_path / "f.png", "--table", tmp_path / "limits.csv", "--json")
    assert result.exit_code == 0, result.output
    frame = read_exact(trusts, dtype={"trust": str})
    limits = bs.funnel_limits(frame["observed"], frame["expected"])
    written = read_exact(tmp_path / "limits.csv", dtype={"trust": str})
    assert list(written["trust"]) == list(frame["trust"])
    np.testing.assert_array_equal(written["upper_99.8"], limits.table["upper_99.8"])
    assert sum(json.loads(result.stdout)["zones"].values()) == 40
    assert json.loads((tmp_path / "limits.json").read_text(encoding="utf-8")) == json.loads(result.stdout)
    again = run("funnel", trusts, "-o", tmp_path / "g.png", "--table", tmp_path / "limits.csv")
    assert "limits.csv" in complaint(again)
    assert not (tmp_path / "g.png").exists()


def test_repeated_trusts_are_added_up_only_where_asked(trusts, tmp_path):
    frame = pd.read_csv(trusts, dtype={"trust": str})
    pd.concat([frame, frame]).to_csv(trusts, index=False)
    assert "the same trust appears more than once" in complaint(
        run("funnel", trusts, "-o", tmp_path / "f.png")
    )
    result = run("funnel", trusts, "-o", tmp_path / "f.png", "--sum", "--json")
    assert json.loads(result.stdout)["trusts"] == 40


def test_a_fit_draws_its_own_funnels(saved, tmp_path):
    assert run("funnel", saved, "-o", tmp_path / "nation.png").exit_code == 0
    assert run("funnel", saved, "--trust", "T003", "-o", tmp_path / "trust.png").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "f.jpg"], ".png, .svg, .pdf"),
        (["-o", "f.png", "--levels", "most"], "--levels takes numbers"),
        (["-o", "f.png", "--levels", "95"], "levels"),
        (["-o", "f.png", "--observed", "deaths"], "column 'deaths'"),
        (["-o", "f.png", "--trust", "001"], "--highlight"),
        (["-o", "nowhere/f.png"], "does not exist"),
        (["-o", "f.png", "--table", "limits.xlsx"], ".csv or .parquet"),
    ],
)
def test_funnels_that_cannot_be_drawn(trusts, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert said in complaint(run("funnel", trusts, *arguments))
    assert list(tmp_path.iterdir()) == [trusts]


# ---- readers, version, demo ------------------------------------------------------------------------------------


def test_every_reader_is_listed():
    listed = run("readers").stdout
    for name in bs.__all__:
        if name.startswith("read_"):
            assert name.removeprefix("read_").replace("_", "-") in listed


def test_an_unknown_reader_is_refused_with_those_there_are():
    assert "ny-iqi" in complaint(run("readers", "nyiqi", "x.csv", "-o", "y.csv"))


@pytest.mark.real
def test_a_published_file_becomes_a_table(real_data, tmp_path):
    out = tmp_path / "cells.csv"
    result = run("readers", "ny-iqi", real_data / "ny_iqi_2009_2014.csv", "-o", out)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "cells.json").exists()
    assert pd.read_csv(out, dtype={"trust": str})["trust"].nunique() == 197


def test_versions_are_told():
    assert json.loads(run("version", "--json").stdout)["brightspots"] == bs.__version__
    assert run("--version").stdout.strip() == bs.__version__


def test_loops_are_compiled_ahead_and_then_are_ready(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(compiled_code, "keep_in_images", lambda: None)
    monkeypatch.setattr(compiled_code, "_compile_all", lambda folder: (folder / "ready").touch())
    compiled_code.kept_in.cache_clear()
    try:
        first, second = run("compile"), run("compile")
        assert re.match(r"compiled the loops in \d+\.\d s; they are kept in .*loops-", first.stdout)
        assert second.stdout.startswith(f"the compiled loops are ready, in {tmp_path}")
        assert json.loads(run("compile", "--json").stdout)["were_ready"]
        assert not json.loads(run("compile", "--json", "--force").stdout)["were_ready"]
        monkeypatch.setattr(compiled_code, "kept_in", lambda: None)
        assert "set NUMBA_CACHE_DIR to a folder" in complaint(run("compile"))
    finally:
        monkeypatch.undo()
        compiled_code.kept_in.cache_clear()


def test_the_demonstration_writes_a_pack_and_funnels(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("demo")
    assert result.exit_code == 0, result.output
    assert "Certificate" in result.stdout
    assert "share of variance" in result.stdout
    assert "dark spots" in result.stdout
    written = sorted(path.suffix for path in (tmp_path / "demo").iterdir())
    assert written == [".html", ".html", ".png", ".png"]
    assert "no real trust, no real patient" in (tmp_path / "demo" / "board.html").read_text(encoding="utf-8")
    assert "would be overwritten" in complaint(run("demo"))


# ---- processes -------------------------------------------------------------------------------------------------


def test_status_0(saved, tmp_path):
    done = shell("report", saved, "-o", tmp_path / "board.html", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["files"]["pack"].endswith("board.html")


def test_status_2(tmp_path):
    done = shell("fit", tmp_path / "none.csv", "-o", tmp_path / "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: there is no file")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fit", "cells.csv", "-o", "out", "--marign", "1.2"], "--marign"),
        (["fit", "cells.csv"], "Missing option"),
        (["fit", "cells.csv", "-o", "out", "--margin", "wide"], "--margin"),
        (["fti"], "No such command"),
    ],
)
def test_status_2_and_one_line_for_what_was_typed_wrongly(arguments, said):
    done = shell(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_reader_that_stops_reading_is_no_error():
    code = "import sys; from brightspots.cli import main; sys.argv[1:] = ['readers']; main()"
    done = subprocess.run(
        f'{sys.executable} -c "{code}" | head -c 1', shell=True, capture_output=True, text=True, cwd=ROOT
    )
    assert done.stderr == ""


def test_a_fit_is_not_begun_where_its_folder_is_a_file(cells, tmp_path, monkeypatch):
    (tmp_path / "out").write_text("mine")
    monkeypatch.setattr(
        "brightspots.fit.fitting.fit_hierarchy", lambda *_, **__: pytest.fail("fitted all the same")
    )
    assert "is a file, and a folder is needed" in complaint(run("fit", cells, "-o", tmp_path / "out"))


def test_status_3_with_the_results_written_and_marked(uncertain, tmp_path):
    done = shell("report", uncertain, "-o", tmp_path / "board.html", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["certificate"]["ok"] is False
    assert "did not earn its certificate" in done.stderr
    assert "Do not rely on these numbers yet" in (tmp_path / "board.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", [["--help"], ["fit", "--help"], ["version"]])
def test_help_loads_no_numerical_library(command):
    code = (
        "import sys; from brightspots.cli import main; sys.argv = ['brightspots', *sys.argv[1:]]\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print([name for name in ('pandas', 'scipy', 'matplotlib', 'pymc') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, cwd=ROOT)
    assert done.stderr.strip() == "[]"


def test_an_integrated_fit_never_imports_pymc(cells, tmp_path):
    code = (
        "import sys; from brightspots.cli import main; sys.argv = ['brightspots', *sys.argv[1:]]\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print([name for name in ('pymc', 'arviz', 'matplotlib') if name in sys.modules], file=sys.stderr)"
    )
    arguments = ["fit", str(cells), "-o", str(tmp_path / "out"), "--method", "integrate"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=ROOT)
    assert done.stderr.strip() == "[]"
