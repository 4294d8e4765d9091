"""Three messy files go to a pack from the shell alone and in five lines of Python, and nothing in them is lost."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner

import brightspots as bs
from brightspots.cli import app
from tests.conftest import ROOT
from tests.tidying import messy

FILES = {
    "nhs.csv": (
        messy.nhs_export,
        {
            "trust": "Trust name",
            "department": "Treatment function",
            "observed": "Deaths",
            "expected": "Expected deaths",
        },
        ("twins", "zero of zero"),
    ),
    "us.csv": (
        messy.us_export,
        {
            "trust": "Hospital Name",
            "department": "Department",
            "observed": "Deaths",
            "expected": "Expected Deaths",
        },
        ("totals", "missing numbers", "ratings"),
    ),
    "months.xlsx": (
        messy.month_sheet,
        {"trust": "Site", "department": "Ward type", "observed": "Deaths", "expected": "Expected"},
        ("months across", "blank labels"),
    ),
}


@pytest.fixture(params=list(FILES))
def file(request, tmp_path):
    write, columns, remedies = FILES[request.param]
    path = tmp_path / request.param
    return path, write(path), columns, remedies


def in_standard_names(table: pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
    """Sorted by keys, with the names that the clean table has."""
    bounds = {f"{columns['observed']}_{side}": f"observed_{side}" for side in ("lower", "upper")}
    named = table.rename(columns={name: part for part, name in columns.items()} | bounds)
    keys = [key for key in ("trust", "department", "period") if key in named]
    return named.astype(dict.fromkeys(keys, str)).sort_values(keys).reset_index(drop=True)


def test_a_messy_file_is_found_out_and_becomes_the_table_that_it_was_made_of(file):
    path, clean, columns, remedies = file
    report = bs.check_table(path, **columns)
    assert not report.ok
    assert set(report.remedies) == set(remedies)
    table = in_standard_names(bs.tidy(path, report, report.remedies), columns)
    expected = in_standard_names(clean, columns)
    pd.testing.assert_frame_equal(table[list(expected.columns)], expected, check_dtype=False)


def test_five_lines_of_python_go_from_a_messy_file_to_a_pack(file, tmp_path):
    path, clean, columns, _ = file
    report = bs.check_table(path, columns=bs.Columns(**columns))
    table = bs.tidy(path, report, report.remedies)
    fit = bs.fit_hierarchy(table, columns=report.columns, seed=1)
    bs.write_board_pack(fit, fit.find_spots(), tmp_path / "pack.html")
    assert fit.table.cells.n_leaves == len(clean)
    page = (tmp_path / "pack.html").read_text(encoding="utf-8")
    for note in table.attrs["notes"]:
        assert note in [caution.text for caution in fit.cautions]
        assert note.split("'")[0] in page


def test_the_shell_alone_goes_from_a_messy_file_to_the_same_pack(file, tmp_path):
    path, clean, columns, remedies = file
    options = []
    for part, name in columns.items():
        options += [f"--{part}-column" if part in ("trust", "department") else f"--{part}", name]
    asked = [word for remedy in remedies for word in ("--remedy", remedy.replace(" ", "-"))]
    runner = CliRunner()
    refused = runner.invoke(app, ["check", str(path), *options])
    assert refused.exit_code == 2
    assert all(
        f"--remedy {remedy.replace(' ', '-')}" in refused.stdout for remedy in remedies if remedy != "twins"
    )
    accepted = runner.invoke(app, ["check", str(path), *options, *asked, "--json"])
    assert accepted.exit_code == 0, accepted.output
    assert json.loads(accepted.stdout)["ok"]
    pack = tmp_path / "pack.html"
    done = runner.invoke(app, ["report", str(path), "-o", str(pack), *options, *asked, "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["cells"] == len(clean.groupby(["trust", "department"]))
    assert json.loads(accepted.stdout)["notes"] == [
        caution["text"] for caution in told["cautions"] if caution["code"] == "way in"
    ]
    assert pack.exists()


def test_a_check_writes_the_table_that_its_remedies_make(tmp_path):
    clean = messy.us_export(tmp_path / "us.csv")
    columns = FILES["us.csv"][1]
    options = ["--trust-column", columns["trust"], "--department-column", columns["department"]]
    options += ["--observed", columns["observed"], "--expected", columns["expected"]]
    arguments = [
        "check",
        str(tmp_path / "us.csv"),
        *options,
        "--remedy",
        "totals",
        "--remedy",
        "missing-numbers",
    ]
    done = CliRunner().invoke(app, [*arguments, "-o", str(tmp_path / "tidy.csv")])
    assert done.exit_code == 0, done.output
    assert "Left out 14 rows of totals" in done.stdout
    assert pd.read_csv(tmp_path / "tidy.csv")["Deaths"].tolist() == clean["observed"].tolist()
    again = CliRunner().invoke(app, [*arguments, "-o", str(tmp_path / "tidy.csv")])
    assert again.exit_code == 2
    assert "--force" in again.output


@pytest.mark.parametrize("name", messy.SHIPPED)
def test_the_messy_samples_are_what_the_tests_make(name, tmp_path):
    messy.SHIPPED[name](tmp_path / name)
    shipped = ROOT / "data_samples" / "messy" / name
    if name.endswith(".csv"):
        assert shipped.read_bytes() == (tmp_path / name).read_bytes()
    else:
        same = [list(load_workbook(path).active.values) for path in (shipped, tmp_path / name)]
        assert same[0] == same[1]
