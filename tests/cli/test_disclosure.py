"""Disclosure control on the command line: whatever is written depends on nothing that is withheld."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import brightspots as bs
from tests.cli.test_commands import complaint, run
from tests.conftest import simulate_frame
from tests.disclosure.test_suppress import other_small_counts

OPTIONS = ("--suppress-below", 8, "--round-to", 5, "--draws", 600)


@pytest.fixture(scope="module")
def two_tables(tmp_path_factory) -> list[Path]:
    """Two tables that differ in their small counts alone; each holds them in another column as well."""
    folder = tmp_path_factory.mktemp("cells")
    frame = simulate_frame(10, 5, mean_expected=15.0)
    paths = []
    for name, table in (("a", frame), ("b", other_small_counts(frame, 8))):
        paths.append(folder / name / "cells.csv")
        paths[-1].parent.mkdir()
        table.assign(deaths=table["observed"]).to_csv(paths[-1], index=False)
    return paths


@pytest.fixture(scope="module")
def written(two_tables, tmp_path_factory) -> list[Path]:
    """What ``brightspots fit`` writes of each table, with disclosure control."""
    folders = [tmp_path_factory.mktemp("written") / name for name in "ab"]
    for path, out in zip(two_tables, folders, strict=True):
        assert run("fit", path, "-o", out, *OPTIONS).exit_code == 0
    return folders


@pytest.fixture(scope="module")
def exact(two_tables) -> bs.HierarchyFit:
    """A fit of one table, of which nothing is withheld."""
    return bs.fit_hierarchy(pd.read_csv(two_tables[0]), seed=1, draws=600)


def without_times(content: dict) -> dict:
    """A summary without what differs between any two runs."""
    content["manifest"].pop("created")
    content.pop("seconds"), content["certificate"].pop("seconds"), content.pop("files")
    return content


def test_fit_writes_the_same_files_whatever_is_withheld(written):
    contents = []
    for out in written:
        tables = {
            each: (out / f"{each}.csv").read_bytes()
            for each in ("departments", "partition", "trusts", "spots")
        }
        fit = bs.load_fit(out / "fit.nc")
        assert "deaths" not in fit.table.extras
        arrays = [fit.table.cells.lower, fit.table.cells.upper, fit.effects.shared.sd["trust"]]
        contents.append(
            (
                tables,
                [array.tolist() for array in arrays],
                without_times(json.loads((out / "fit.json").read_text())),
            )
        )
    assert contents[0] == contents[1]
    assert contents[0][2]["manifest"]["input"] is None
    assert any("counts were rounded to multiples of 5" in said for said in contents[0][2]["disclosure"])


def test_departments_are_withheld_and_rounded(two_tables, written):
    table, raw = pd.read_csv(written[0] / "departments.csv"), pd.read_csv(two_tables[0])
    small = raw["observed"].between(1, 7)
    assert table["observed"][small].isna().all()
    assert table["raw_ratio"][small].isna().all()
    assert (table["observed"].dropna() % 5 == 0).all()


def pack_of(path: Path) -> str:
    """A pack without its date and the seconds of its fit."""
    text = path.read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if "created" not in line and " s)" not in line)


@pytest.mark.parametrize("trust", [None, "T003"])
def test_a_report_is_the_same_whatever_is_withheld(two_tables, tmp_path, monkeypatch, trust):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    chosen = () if trust is None else ("--trust", trust)
    texts = []
    for name, path in zip("ab", two_tables, strict=True):
        out = tmp_path / f"{name}.html"
        assert run("report", path, "-o", out, *OPTIONS, *chosen).exit_code == 0
        texts.append(pack_of(out))
    assert texts[0] == texts[1]
    assert "a suppressed count, " in texts[0]
    assert "keep totals from giving them back" in texts[0]


def test_a_saved_fit_is_refitted_to_what_may_be_shown(exact, tmp_path):
    exact.save(tmp_path / "fit.nc")
    out = tmp_path / "board.html"
    assert run("report", tmp_path / "fit.nc", "-o", out, "--suppress-below", 8).exit_code == 0
    assert "a suppressed count, " in out.read_text(encoding="utf-8")
    figure = tmp_path / "funnel.svg"
    assert run("funnel", tmp_path / "fit.nc", "-o", figure, "--suppress-below", 8).exit_code == 0
    assert "suppressed count" in figure.read_text(encoding="utf-8")


def test_the_board_pack_takes_the_same_options(exact, tmp_path):
    spots = exact.find_spots(bs.SpotRule(margin=1.2))
    path = bs.write_board_pack(exact, spots, tmp_path / "board.html", suppress_below=8, round_to=5)
    text = path.read_text(encoding="utf-8")
    assert "a suppressed count, " in text
    shown = [int(count.replace(",", "")) for count in re.findall(r": ([\d,]+) observed", text)]
    assert shown
    assert all(count % 5 == 0 for count in shown)
    text = bs.write_board_pack(exact, spots, tmp_path / "exact.html").read_text(encoding="utf-8")
    assert any(int(count.replace(",", "")) % 5 for count in re.findall(r": ([\d,]+) observed", text))


def test_a_funnel_of_trusts_rounds_and_withholds(tmp_path):
    rng = np.random.default_rng(5)
    expected = rng.uniform(4, 200, 40).round(1)
    table = pd.DataFrame(
        {"trust": [f"{i:03d}" for i in range(40)], "observed": rng.poisson(expected), "expected": expected}
    )
    path, limits = tmp_path / "trusts.csv", tmp_path / "limits.csv"
    table.to_csv(path, index=False)
    arguments = ("funnel", path, "-o", tmp_path / "f.png", "--table", limits, "--method", "poisson")
    result = run(*arguments, "--suppress-below", 8, "--round-to", 5)
    assert result.exit_code == 0, result.output
    written = pd.read_csv(limits, dtype={"trust": str})
    small = table["observed"].between(1, 7)
    assert written["ratio"][small].isna().all()
    counts = (written["ratio"] * table["expected"]).dropna()
    np.testing.assert_allclose(counts, (counts / 5).round() * 5)


def test_options_that_do_not_go_together(two_tables, tmp_path):
    assert "--withhold-zeros goes with --suppress-below" in complaint(
        run("fit", two_tables[0], "-o", tmp_path / "out", "--withhold-zeros")
    )
    assert "below must be a whole number of 2 or more" in complaint(
        run("fit", two_tables[0], "-o", tmp_path / "out", "--suppress-below", 1)
    )
    assert not (tmp_path / "out").exists()
