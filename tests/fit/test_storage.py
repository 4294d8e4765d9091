"""A saved fit is the same fit: under either ArviZ generation, whichever engine made it."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import brightspots as bs
from brightspots import DataError, Flat, InverseGamma, Normal, Priors
from brightspots.data.columns import Columns
from brightspots.engine.posterior import Certificate
from brightspots.fit.hierarchy_fit import HierarchyFit
from tests.conftest import made_up_posterior, simulate_frame, table_of


def same_fit(loaded: HierarchyFit, fit: HierarchyFit) -> None:
    pd.testing.assert_frame_equal(loaded.departments(), fit.departments(), check_exact=True)
    pd.testing.assert_frame_equal(loaded.variance_partition(), fit.variance_partition(), check_exact=True)
    pd.testing.assert_frame_equal(loaded.find_spots().table, fit.find_spots().table, check_exact=True)
    xr.testing.assert_identical(
        loaded.posterior["posterior"].to_dataset(), fit.posterior["posterior"].to_dataset()
    )
    assert loaded.priors == fit.priors
    assert loaded.seed == fit.seed
    assert loaded.request == fit.request
    assert loaded.rules == fit.rules
    assert loaded.columns == fit.columns
    np.testing.assert_equal(vars(loaded.certificate), vars(fit.certificate))


def rewrite_header(path: Path, *without: str, **changed: object) -> dict[str, object]:
    """Write the header of a saved fit anew, as an older or a newer release would have; the seal goes with it."""
    with h5py.File(path, "r+") as file:
        before = json.loads(file.attrs["brightspots"])
        after = {key: value for key, value in before.items() if key not in without} | changed
        file.attrs["brightspots"] = json.dumps(after)
    return before


def test_an_integrated_fit_comes_back(tmp_path):
    frame = simulate_frame(6, 4)
    fit = bs.fit_hierarchy(frame, seed=1, higher_is="better")
    fit.save(tmp_path / "fit.nc")
    same_fit(bs.load_fit(tmp_path / "fit.nc"), fit)


@pytest.mark.filterwarnings("ignore::brightspots.CertificateWarning")
def test_a_fit_without_a_seed_comes_back_too(tmp_path):
    """Whatever seed is dealt, and whether or not so small a table earns its certificate under it."""
    fit = bs.fit_hierarchy(simulate_frame(6, 4), method="integrate")
    fit.save(tmp_path / "fit.nc")
    same_fit(bs.load_fit(tmp_path / "fit.nc"), fit)


def test_a_sampled_fit_comes_back_with_its_chains(tmp_path):
    table = table_of(simulate_frame(6, 4))
    posterior = made_up_posterior(table.cells)
    posterior = type(posterior)(
        table.cells, posterior.shared, posterior.trust_effect, posterior.department_effect, chains=4
    )
    certificate = Certificate("nuts", 500.0, float("nan"), 1.001, 0, 3.2, True, "the chains agree")
    priors = Priors(
        intercept=Normal(0.1, 2.0), trust=InverseGamma(0.1, 0.2), department_type=None, period=Flat()
    )
    fit = HierarchyFit(table, Columns(), priors, "worse", None, certificate, posterior)
    fit.save(tmp_path / "fit.nc")
    loaded = bs.load_fit(tmp_path / "fit.nc")
    assert loaded.posterior["posterior"].sizes["chain"] == 4
    same_fit(loaded, fit)


def test_periods_covariates_and_other_columns_come_back(tmp_path):
    frame = simulate_frame(5, 3)
    frame["beds"] = np.random.default_rng(0).normal(size=15)
    frame["rating"] = pd.Categorical(
        frame["rating"], ["Requires improvement", "Good", "Outstanding"], ordered=True
    )
    frame["note"] = ["Ysbyty Gwynedd – ward ½", None, *["x"] * 13]
    for extra in range(12):
        frame[f"extra{extra}"] = extra
    years = pd.concat([frame.assign(period="2021/22"), frame.assign(period="2022/23")], ignore_index=True)
    fit = bs.fit_hierarchy(years, covariates="beds", seed=1)
    fit.save(tmp_path / "fit.nc")
    loaded = bs.load_fit(tmp_path / "fit.nc")
    same_fit(loaded, fit)
    assert list(loaded.table.extras) == list(fit.table.extras)
    assert loaded.table.extras["rating"].cat.ordered
    assert loaded.table.extras["note"][0] == "Ysbyty Gwynedd – ward ½"
    assert pd.isna(loaded.table.extras["note"][1])


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    fit = bs.fit_hierarchy(simulate_frame(5, 3), seed=1)
    target = tmp_path / "fit.nc"
    target.write_bytes(b"old")

    def fail(*_args, **_kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(xr.Dataset, "dump_to_store", fail)
    with pytest.raises(OSError, match="disk full"):
        fit.save(target)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_another_file_is_refused(tmp_path):
    xr.Dataset({"x": 1}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(DataError, match="not a fit saved by brightspots"):
        bs.load_fit(tmp_path / "other.nc")


def test_a_fit_saved_before_requests_and_rules_were_kept_loads(tmp_path):
    fit = bs.fit_hierarchy(simulate_frame(8, 4), seed=1, draws=400)
    fit.save(tmp_path / "fit.nc")
    header = rewrite_header(tmp_path / "fit.nc", "request", "rules", "sealed", "decision")
    assert (header["request"], header["rules"]) == ({"method": "auto", "draws": 400}, None)
    back = bs.load_fit(tmp_path / "fit.nc")
    assert (back.request.draws, back.rules) == (None, None)
    pd.testing.assert_frame_equal(back.departments(), fit.departments())
