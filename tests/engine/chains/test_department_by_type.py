"""A standard deviation for every department type: what it finds, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import brightspots as bs
from brightspots.engine.effect_choice import EffectChoice

pytestmark = [pytest.mark.nuts, pytest.mark.filterwarnings("ignore::brightspots.CertificateWarning")]

TRUSTS, SPREAD = 40, {"A&E": 0.40, "ENT": 0.30, "Maternity": 0.06, "Renal": 0.10, "Stroke": 0.10}
BY_TYPE = bs.Priors(department_by_type=0.5)


def simulate() -> tuple[pd.DataFrame, np.ndarray]:
    """A table, and the effect v that each of its departments was simulated with, (trusts, types)."""
    generator = np.random.default_rng(5)
    frame = pd.DataFrame(
        [(f"T{t:02d}", name) for t in range(TRUSTS) for name in SPREAD], columns=["trust", "department"]
    )
    u = generator.normal(0.0, 0.1, TRUSTS).repeat(len(SPREAD))
    v = generator.normal(0.0, frame["department"].map(SPREAD))
    frame["expected"] = 150.0
    frame["observed"] = generator.poisson(150.0 * np.exp(u + v))
    return frame, v.reshape(TRUSTS, -1)


@pytest.fixture(scope="module")
def nation() -> pd.DataFrame:
    return simulate()[0]


@pytest.fixture(scope="module")
def fit(nation) -> bs.HierarchyFit:
    return bs.fit_hierarchy(nation, priors=BY_TYPE, draws=2_000, seed=1)


def test_each_type_has_the_spread_that_it_was_simulated_with(fit):
    types = fit.department_types().set_index("department")
    truth = pd.Series(SPREAD)
    assert fit.certificate.method == "nuts"
    assert (types["sd_department_lower"] < truth).all()
    assert (truth < types["sd_department_upper"]).all()
    assert types.loc["Maternity", "sd_department_upper"] < types.loc["A&E", "sd_department_lower"]


def test_the_reported_sigma_is_that_of_the_average_department(fit):
    shared = fit.effects.shared
    np.testing.assert_allclose(shared.sd["department"] ** 2, (shared.sd_department_by_type**2).mean(axis=1))
    truth = np.sqrt(np.mean(np.square(list(SPREAD.values()))))
    row = fit.variance_partition().loc["department"]
    assert row["sd_lower"] < truth < row["sd_upper"]


def test_departments_of_a_uniform_type_are_shrunk_more_and_known_less(nation, fit):
    """Of a department whose kind hardly varies, the same count says less: it is more likely to be chance."""
    alike = bs.fit_hierarchy(nation, seed=1)
    here, there = (one.departments().groupby("department") for one in (fit, alike))
    spread, common = (
        groups["peer_ratio"].apply(lambda ratios: np.log(ratios).std()) for groups in (here, there)
    )
    assert spread["Maternity"] < common["Maternity"]
    assert spread["A&E"] > common["A&E"]
    reliability = here["reliability"].mean()
    assert reliability["Maternity"] < there["reliability"].mean()["Maternity"]
    assert reliability["Maternity"] < 0.6 < 0.9 < reliability["A&E"]


def test_it_is_said_kept_and_labelled(fit, tmp_path):
    assert "Departments' sd by type: from " in repr(fit)
    assert "(A&E)" in repr(fit)
    table = fit.departments()
    assert table["surprise"].isna().all()
    assert "of one σ" in table.attrs["surprise"]
    drawn = fit.posterior["posterior"]["sd_department_by_type"]
    assert drawn.dims == ("chain", "draw", "department")
    fit.save(tmp_path / "fit.nc")
    again = bs.load_fit(tmp_path / "fit.nc")
    assert again.priors == fit.priors == EffectChoice().decide(BY_TYPE)
    pd.testing.assert_frame_equal(again.department_types(), fit.department_types())
    pd.testing.assert_frame_equal(again.find_spots().table, fit.find_spots().table)


def test_flags_are_as_often_true_as_they_say(fit):
    """Against what was simulated: v of a department less the mean v of the others in its trust."""
    v = simulate()[1]
    others = (v.sum(axis=1, keepdims=True) - v) / (v.shape[1] - 1)
    truth, reach = (v - others).ravel(), np.log(1.1)
    spots = fit.find_spots(bs.SpotRule(margin=1.1))
    dark, bright = (spots.table["status"].eq(f"{kind} spot").to_numpy() for kind in ("dark", "bright"))
    assert dark.sum() > 25
    assert bright.sum() > 25
    false = np.sum(truth[dark] <= reach) + np.sum(truth[bright] >= -reach)
    # Σ(1 − p) is the mean of their number; its variance, Σp(1 − p), is smaller.
    assert false <= spots.expected_false_flags + 3.0 * spots.expected_false_flags**0.5
    flagged_of = spots.table[dark | bright].groupby("department").size()
    assert flagged_of["A&E"] > 1.5 * flagged_of["Maternity"]


def test_the_shape_of_the_effects_is_judged_in_units_of_their_own_sigma(nation, fit):
    """Pooled, effects of unequal spread have heavy tails; each against its own σ they are normal."""
    assert bs.fit_hierarchy(nation, seed=1).effect_shape().loc["department", "p"] < 0.01
    assert fit.effect_shape().loc["department", "p"] > 0.05


def test_settings_that_make_no_sense_are_refused(nation):
    with pytest.raises(bs.SettingsError, match=r"one standard deviation.*department_by_type=HalfNormal"):
        bs.fit_hierarchy(nation, priors=BY_TYPE, method="integrate")
    with pytest.raises(bs.SettingsError, match="speaks of departments"):
        bs.Priors(department_by_type=0.5, department=None)
    with pytest.raises(bs.SettingsError, match="takes a positive number, HalfNormal; received Flat"):
        bs.Priors(department_by_type=bs.Flat())
