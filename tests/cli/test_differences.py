"""Estimates in units of their own on the command line: fitted, saved and written up."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import brightspots as bs
from tests.cli.test_commands import complaint, run
from tests.report import office

COLUMNS = ("--estimate", "days", "--standard-error", "error", "--draws", 300)


@pytest.fixture(scope="module")
def stay(tmp_path_factory) -> Path:
    """Mean length of stay of 12 trusts by 5 departments, in days."""
    truth = bs.simulate_nation(12, 5, seed=4).truth
    path = tmp_path_factory.mktemp("stay") / "stay.csv"
    table = truth[["trust", "department"]].assign(days=6.0 + 5.0 * truth["log_peer_ratio"], error=0.3)
    table.to_csv(path, index=False)
    return path


def test_a_fit_and_packs_of_it(stay, tmp_path):
    scale = ("--estimate-scale", "difference", "--difference", 0.5)
    run("fit", stay, "-o", tmp_path / "out", *COLUMNS, *scale)
    summary = json.loads((tmp_path / "out" / "fit.json").read_text(encoding="utf-8"))
    assert "median_difference" in summary["partition"]["trust"]
    assert "own_difference" in pd.read_csv(tmp_path / "out" / "departments.csv")
    saved = tmp_path / "out" / "fit.nc"
    for suffix in ("html", "docx", "pptx"):
        path = tmp_path / f"board.{suffix}"
        run("report", saved, "-o", path, "--difference", 0.5, "--unit", "days")
        said = path.read_text(encoding="utf-8") if suffix == "html" else office.text_of(path)
        assert "by more than 0.5 days" in said
    run("report", stay, "-o", tmp_path / "one.html", "--trust", "T001", *COLUMNS, *scale)
    assert "units of the estimates" in (tmp_path / "one.html").read_text(encoding="utf-8")


def test_how_large_a_difference_matters_must_be_said(stay, tmp_path):
    arguments = ("-o", tmp_path / "a.html", *COLUMNS, "--estimate-scale", "difference")
    said = complaint(run("report", stay, *arguments))
    assert "say with --difference how large a difference matters" in said
    assert not (tmp_path / "a.html").exists()
