"""Department effects of Student's t: what heavy tails do, and what cannot be had with them."""

from __future__ import annotations

import numpy as np
import pytest

import brightspots as bs
from brightspots.simulate.nation import simulate_nation

pytestmark = [pytest.mark.nuts, pytest.mark.filterwarnings("ignore::brightspots.CertificateWarning")]


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
    return bs.fit_hierarchy(nation.cells, priors=bs.Priors(effects="student_t"), draws=2_000, seed=1)


def test_heavy_tails_are_found_and_extreme_departments_shrunk_less(nation, heavy):
    normal = bs.fit_hierarchy(nation.cells, seed=1)
    assert heavy.certificate.method == "nuts"
    freedom = heavy.effects.shared.degrees_of_freedom
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


def test_what_cannot_be_said_is_missing_and_what_was_assumed_is_said(heavy, tmp_path):
    table = heavy.departments()
    assert table["surprise"].isna().all()
    assert "normal department effects" in table.attrs["surprise"]
    assert "Student's t" in repr(heavy)
    heavy.save(tmp_path / "fit.nc")
    again = bs.load_fit(tmp_path / "fit.nc")
    assert again.priors == heavy.priors
    np.testing.assert_array_equal(
        again.effects.shared.degrees_of_freedom, heavy.effects.shared.degrees_of_freedom
    )
    assert "degrees_of_freedom" in again.posterior["posterior"]
    assert again.find_spots().rating_explains().loc["trust", "share"] >= 0.0


def test_settings_that_make_no_sense_are_refused(nation):
    with pytest.raises(bs.SettingsError, match="takes normal effects"):
        bs.fit_hierarchy(nation.cells, priors=bs.Priors(effects="student_t"), method="integrate")
    with pytest.raises(bs.SettingsError, match="must be one of normal, student_t"):
        bs.Priors(effects="cauchy")
    with pytest.raises(bs.SettingsError, match="speaks of departments"):
        bs.Priors(effects="student_t", department=None)
