"""Department effects of Student's t: what heavy tails do, and what is said and kept of them."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

import brightspots as bs
from brightspots.common.pickling import made_alike
from brightspots.fit.saved_parts import priors_to_json
from brightspots.simulate.nation import simulate_nation
from tests.fit.test_storage import rewrite_header

pytestmark = [pytest.mark.nuts, pytest.mark.filterwarnings("ignore::brightspots.CertificateWarning")]

PRIORS = bs.Priors(effects="student_t", trust_effects="normal")


@pytest.fixture(scope="module")
def nation():
    return simulate_nation(
        40,
        10,
        effects="contaminated",
        contamination_scale=5.0,
        mean_expected=200.0,
        missing_departments=0.0,
        seed=8,
    )


@pytest.fixture(scope="module")
def heavy(nation):
    return bs.fit_hierarchy(nation.cells, priors=PRIORS, method="nuts", draws=2_000, seed=1)


def test_heavy_tails_are_found_and_extreme_departments_shrunk_less(nation, heavy):
    normal = bs.fit_hierarchy(nation.cells, priors=bs.Priors(effects="normal"), seed=1)
    assert heavy.certificate.method == "nuts"
    freedom = heavy.effects.shared.scalars["degrees_of_freedom"]
    assert 2.0 < np.median(freedom) < 8.0
    truth = nation.truth["log_peer_ratio"].abs()
    extreme = truth.nlargest(10).index
    ratios = [np.log(fit.departments()["peer_ratio"]).abs()[extreme].mean() for fit in (heavy, normal)]
    assert ratios[0] > ratios[1]
    # Most departments are alike: a t tells them closer to each other than a normal that the few have widened.
    usual = truth.nsmallest(300).index
    spread = [np.log(fit.departments()["peer_ratio"])[usual].std() for fit in (heavy, normal)]
    assert spread[0] < spread[1]


def test_sigma_stays_the_standard_deviation_of_the_effects(heavy):
    drawn = np.concatenate([block.department_effect for block in heavy.effects.blocks()])
    ratio = drawn.std(axis=0) / heavy.effects.shared.sd["department"]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.25)


def test_what_was_assumed_is_said_and_kept(heavy, tmp_path):
    assert "Department effects: Student's t, " in repr(heavy)
    assert "Trust effects" not in repr(heavy)
    assert "v ~ t(ν, 0, σ²)" in heavy.structure
    assert "u ~ N(0, σ²)" in heavy.structure
    heavy.save(tmp_path / "fit.nc")
    again = bs.load_fit(tmp_path / "fit.nc")
    assert again.priors == heavy.priors
    assert made_alike(again.effects.shared, heavy.effects.shared)
    assert "degrees_of_freedom" in again.posterior["posterior"]
    assert again.find_spots().rating_explains().loc["trust", "share"] >= 0.0


def test_a_fit_saved_when_only_departments_could_have_heavy_tails_is_read(heavy, tmp_path):
    path = tmp_path / "fit.nc"
    heavy.save(path)
    priors = {name: value for name, value in priors_to_json(heavy.priors).items() if name != "trust_effects"}
    rewrite_header(path, "sealed", priors=priors)
    with h5py.File(path, "r+") as file:
        del file["shared/department_effects_as_sampled"]
    again = bs.load_fit(path)
    assert again.priors == heavy.priors
    now, then = (fit.effects.shared.scalars["degrees_of_freedom"] for fit in (again, heavy))
    np.testing.assert_allclose(now, then, rtol=1e-12)
    assert repr(again) == repr(heavy)


@pytest.mark.parametrize("freedom", [2.0, np.inf, np.nan])
def test_degrees_of_freedom_that_cannot_be_are_refused(heavy, tmp_path, freedom):
    path = tmp_path / "fit.nc"
    heavy.save(path)
    rewrite_header(path, "sealed")
    with h5py.File(path, "r+") as file:
        file["shared/degrees_of_freedom"][0] = freedom
    with pytest.raises(bs.DataError, match="degrees_of_freedom is not"):
        bs.load_fit(path)


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(bs.SettingsError, match="must be one of normal, student_t"):
        bs.Priors(effects="cauchy")
    with pytest.raises(bs.SettingsError, match="speaks of departments"):
        bs.Priors(effects="student_t", department=None)
