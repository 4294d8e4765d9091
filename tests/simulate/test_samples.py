"""The tables that ship: found from a checkout and from a wheel, read as they were written."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pandas as pd
import pytest

from brightspots.common.errors import BrightspotsError, SettingsError
from brightspots.simulate import samples
from brightspots.simulate.nation import sample_nation
from brightspots.simulate.samples import list_samples, load_sample

ROOT = Path(__file__).resolve().parents[2]


def test_the_list_says_what_ships():
    listed = list_samples()
    assert listed.columns.tolist() == ["name", "rows", "description"]
    assert listed["name"].tolist() == ["nation", "surgical"]
    for sample in listed.itertuples():
        assert len(load_sample(sample.name)) == sample.rows


def test_nation_is_what_its_seed_makes():
    shipped, made = load_sample("nation"), sample_nation().cells
    made["expected"] = [float(f"{value:.2f}") for value in made["expected"]]
    pd.testing.assert_frame_equal(shipped, made, check_dtype=False)


def test_nation_says_that_it_is_simulated():
    nation = load_sample("nation")
    assert "Simulated" in nation.attrs["notes"][0]
    assert nation["trust_name"].str.startswith("Simulated").all()
    assert "simulated" in list_samples().set_index("name").loc["nation", "description"]


def test_nation_has_the_promised_shape():
    nation = load_sample("nation")
    assert nation["trust"].nunique() == 120
    assert nation["department"].nunique() == 20
    assert sorted(nation["period"].unique()) == [2021, 2022, 2023, 2024]
    assert nation["rating"].cat.categories.tolist() == [
        "Inadequate",
        "Requires improvement",
        "Good",
        "Outstanding",
    ]
    assert nation["rating"].cat.ordered
    assert nation.notna().all(axis=None)


def test_surgical_is_the_published_table():
    surgical = load_sample("surgical")
    assert surgical["trust"].tolist() == list("ABCDEFGHIJKL")
    assert surgical["observed"].sum() == 208
    assert surgical["denominator"].sum() == 2814
    assert "BUGS" in surgical.attrs["notes"][0]


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(SettingsError, match="no sample 'natoin'; there are 'nation', 'surgical'"):
        load_sample("natoin")


def test_an_installed_copy_is_used_before_the_checkout(tmp_path, monkeypatch):
    installed = tmp_path / "data_samples"
    installed.mkdir()
    (installed / "surgical.csv").write_text("trust,department,observed,denominator\n007,NA,,12\nNA,null,3,\n")
    monkeypatch.setattr(samples.resources, "files", lambda _: tmp_path)
    surgical = load_sample("surgical")
    assert surgical["trust"].tolist() == ["007", "NA"]
    assert surgical["department"].tolist() == ["NA", "null"]
    assert surgical["observed"].isna().tolist() == [True, False]
    assert surgical["denominator"].isna().tolist() == [False, True]


def test_a_missing_file_is_said_to_be_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(samples.resources, "files", lambda _: tmp_path)
    monkeypatch.setattr(samples, "__file__", str(tmp_path / "brightspots" / "simulate" / "samples.py"))
    with pytest.raises(BrightspotsError, match=r"surgical\.csv is missing"):
        load_sample("surgical")


def test_the_wheel_carries_the_samples():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included["data_samples"] == "brightspots/data_samples"


def test_every_file_of_the_folder_is_listed_and_small():
    files = {path.name for path in (ROOT / "data_samples").iterdir() if path.is_file()} - {"README.md"}
    assert files == {sample.file for sample in samples._SAMPLES}
    assert all((ROOT / "data_samples" / name).stat().st_size < 400_000 for name in files)
