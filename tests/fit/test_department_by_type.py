"""A standard deviation for every department type: what it finds, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import brightspots as bs
from brightspots.engine.effect_choice import BETWEEN_TYPES, EffectChoice
from brightspots.fit import funnels as fit_limits

TRUSTS, SPREAD = 40, {"A&E": 0.40, "ENT": 0.30, "Maternity": 0.06, "Renal": 0.10, "Stroke": 0.10}
BY_TYPE, ALIKE = bs.Priors(department_by_type=0.5), bs.Priors(effects="normal")


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
    return bs.fit_hierarchy(nation, priors=BY_TYPE, seed=1)


def test_it_is_what_the_data_ask_for(nation, fit):
    """Where nobody says the data do: types that differ so much are seen, and that they are is not heavy tails."""
    chosen = bs.fit_hierarchy(nation, seed=1)
    assert chosen.priors.department_by_type == BETWEEN_TYPES
    assert chosen.priors.effects == chosen.priors.trust_effects == "normal"
    assert chosen.effect_distribution["sd_by_type"].to_dict() == {"trust": False, "department": True}
    assert "an sd of its own" in chosen.effect_distribution["why"]["department"]
    assert chosen.effect_distribution["log_bayes_factor_by_type"]["department"] > 10.0
    np.testing.assert_allclose(
        chosen.department_types()["sd_department"], fit.department_types()["sd_department"], rtol=0.03
    )


def test_types_that_are_alike_have_one_sd():
    frame = bs.simulate_nation(60, 15, seed=3, rating_validity=None).cells
    said = bs.fit_hierarchy(frame, seed=1).effect_distribution
    assert not said["sd_by_type"].any()
    assert said["log_bayes_factor_by_type"]["department"] < 0.0
    assert "if all have the same" in said["why"]["department"]


def test_each_type_has_the_spread_that_it_was_simulated_with(fit):
    types = fit.department_types().set_index("department")
    truth = pd.Series(SPREAD)
    assert fit.certificate.method == "integrate"
    assert fit.certificate.ok
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
    alike = bs.fit_hierarchy(nation, seed=1, priors=ALIKE)
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
    assert fit.departments()["surprise"].between(0.0, 1.0).all()
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
    alike = bs.fit_hierarchy(nation, seed=1, priors=ALIKE)
    assert alike.effect_shape().loc["department", "p"] < 0.01
    assert fit.effect_shape().loc["department", "p"] > 0.05


def test_surprise_is_in_units_of_each_types_own_sigma(nation, fit):
    """Under one σ most of the quiet type's departments look expected, and the wide ones' spread is surprising."""
    alike = bs.fit_hierarchy(nation, seed=1, priors=ALIKE)
    spread = [
        one.departments().groupby("department")["surprise"].std()[["A&E", "Maternity"]]
        for one in (fit, alike)
    ]
    uniform = np.sqrt(1.0 / 12.0)
    np.testing.assert_allclose(spread[0], uniform, rtol=0.2)
    assert spread[1]["A&E"] > 1.1 * uniform > 1.3 * spread[1]["Maternity"]


@pytest.mark.nuts
@pytest.mark.filterwarnings("ignore::brightspots.CertificateWarning")
def test_sampling_gives_the_same(nation, fit):
    sampled = bs.fit_hierarchy(nation, priors=BY_TYPE, method="nuts", draws=2_000, seed=1).effects.shared
    ours = fit.effects.shared
    for level in ("trust", "department"):
        assert abs(sampled.sd[level].mean() - ours.sd[level].mean()) < 0.25 * ours.sd[level].std()
    away = (sampled.sd_department_by_type.mean(axis=0) - ours.sd_department_by_type.mean(axis=0)) / (
        ours.sd_department_by_type.std(axis=0)
    )
    np.testing.assert_allclose(away, 0.0, atol=0.25)


def test_departments_have_the_limits_of_their_own_type(nation, fit):
    """With one size all, and yet not one width: that of each type's σ and of chance."""
    table = fit_limits.department_limits(fit, "T00", "hierarchical", (0.95,)).table
    width = np.log(table["upper_95"] / table["lower_95"]) / (2.0 * 1.96)
    sd = fit.department_types().set_index("department")["sd_department"]
    np.testing.assert_allclose(width, np.sqrt(sd[width.index] ** 2 + 1.0 / 150.0), rtol=0.1)


def test_periods_leave_types_to_departments():
    """σ of departments by type above periods: the spread of what lasts."""
    rng = np.random.default_rng(2)
    frame, v = simulate()
    parts = []
    for period in ("2023", "2024", "2025"):
        one = frame.assign(period=period)
        w = rng.normal(0.0, 0.1, len(one))
        one["observed"] = rng.poisson(150.0 * np.exp(v.ravel() + w))
        parts.append(one)
    fit = bs.fit_hierarchy(pd.concat(parts), priors=BY_TYPE, seed=1, method="integrate")
    assert fit.certificate.ok
    types = fit.department_types().drop_duplicates("department").set_index("department")
    truth = pd.Series(SPREAD)
    assert (types["sd_department_lower"] < truth).all()
    assert (truth < types["sd_department_upper"]).all()


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(bs.SettingsError, match="speaks of departments"):
        bs.Priors(department_by_type=0.5, department=None)
    with pytest.raises(bs.SettingsError, match="takes a positive number, HalfNormal; received Flat"):
        bs.Priors(department_by_type=bs.Flat())
