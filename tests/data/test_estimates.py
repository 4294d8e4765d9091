"""Estimates in units of their own: differences instead of ratios, never a wrong label."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import brightspots as bs
from brightspots import DataWarning, Priors, SettingsError, SpotRule
from brightspots.common.settings import Flat, HalfNormal, Normal
from brightspots.data.estimates import priors_in_units
from tests.conftest import simulate_frame, table_of

COLUMNS = {"estimate": "estimate", "standard_error": "standard_error"}


def estimates(times: float = 1.0, plus: float = 0.0) -> pd.DataFrame:
    """Log ratios, or the same numbers as lengths of stay in other units."""
    frame = simulate_frame(14, 6, sd_department=0.3)
    log_ratio = np.log((frame["observed"] + 0.5) / (frame["expected"] + 0.5))
    return pd.DataFrame(
        {
            "trust": frame["trust"],
            "department": frame["department"],
            "estimate": plus + times * log_ratio,
            "standard_error": times * frame["expected"] ** -0.5,
            "rating": frame["rating"],
        }
    )


def fit_of(frame: pd.DataFrame, **options) -> bs.HierarchyFit:
    return bs.fit_hierarchy(frame, **COLUMNS, seed=1, **options)


@pytest.fixture(scope="module")
def ratios() -> bs.HierarchyFit:
    return fit_of(estimates())


@pytest.fixture(scope="module")
def days() -> bs.HierarchyFit:
    return fit_of(estimates(3.0, 12.0), estimate_scale="difference")


def test_differences_are_the_logarithms_of_what_the_same_fit_calls_ratios(ratios):
    """Same numbers, same priors: only the words and the exponential differ."""
    differences = fit_of(
        estimates(),
        estimate_scale="difference",
        priors=Priors(
            intercept=Normal(0.0, 0.5),
            covariate=2.0,
            trust=HalfNormal(0.5 + 1e-12),
            department=HalfNormal(0.5 + 1e-12),
            department_type=HalfNormal(0.5 + 1e-12),
        ),
    )
    one, other = ratios.departments(), differences.departments(difference=np.log(1.1))
    for name in ("own", "peer"):
        for end in ("", "_lower", "_upper"):
            np.testing.assert_allclose(
                other[f"{name}_difference{end}"], np.log(one[f"{name}_ratio{end}"]), atol=1e-4
            )
    for name in ("p_own_high", "p_own_low", "p_peer_high", "p_peer_low", "reliability"):
        np.testing.assert_allclose(other[name], one[name], atol=1e-3)
    for side in ("", "_high", "_low"):
        np.testing.assert_allclose(
            other[f"detectable_difference{side}"], np.log(one[f"detectable_ratio{side}"]), rtol=1e-3
        )
    np.testing.assert_allclose(
        differences.trusts(difference=0.1)["trust_difference"],
        np.log(ratios.trusts()["trust_ratio"]),
        atol=1e-6,
    )
    assert not any("ratio" in name or "excess" in name for name in other.columns)


def test_the_unit_makes_no_difference(days):
    """Hours instead of days: every difference times 24, every probability and every status as before."""
    hours = fit_of(estimates(3.0 * 24, 12.0 * 24), estimate_scale="difference")
    one = days.find_spots(SpotRule(difference=0.3)).table
    other = hours.find_spots(SpotRule(difference=0.3 * 24)).table
    assert np.mean(one["status"] == other["status"]) > 0.97
    assert one["status"].nunique() >= 3
    np.testing.assert_allclose(other["own_difference"], 24 * one["own_difference"], atol=0.1)  # SDs: 3 to 8
    np.testing.assert_allclose(other["p_own_high"], one["p_own_high"], atol=5e-3)
    for name, times in (("share", 1), ("sd", 24), ("median_difference", 24)):
        np.testing.assert_allclose(
            hours.variance_partition()[name], times * days.variance_partition()[name], rtol=1e-2
        )


def test_the_median_difference_is_the_median_over_random_pairs(days):
    partition = days.variance_partition()
    pairs = np.random.default_rng(0).normal(0.0, partition["sd"].to_numpy(), (2, 400_000, 2))
    np.testing.assert_allclose(
        partition["median_difference"], np.median(np.abs(pairs[0] - pairs[1]), axis=0), rtol=0.01
    )


def test_default_priors_take_the_units_of_the_data_and_given_ones_are_kept():
    cells = replace(table_of(estimates(3.0, 12.0), **COLUMNS).cells, estimate_scale="difference")
    spread = np.std(cells.lower)
    assert priors_in_units(cells, Priors()) == Priors(
        intercept=Normal(np.mean(cells.lower), 2.5 * spread),
        covariate=Normal(0.0, 2.5 * spread),
        trust=HalfNormal(spread),
        department=HalfNormal(spread),
        department_type=HalfNormal(spread),
        period=HalfNormal(spread),
    )
    given = Priors(
        intercept=Normal(10.0, 3.0),
        covariate=0.2,
        trust=2.0,
        department=Flat(),
        department_type=None,
        period=1.0,
    )
    assert priors_in_units(cells, given) == given
    assert priors_in_units(replace(cells, estimate_scale="log ratio"), Priors()) == Priors()


@pytest.mark.parametrize("refused", ["find_spots", "departments", "trusts", "sensitivity"])
def test_how_large_a_difference_matters_must_be_said(days, refused):
    with pytest.raises(SettingsError, match=r"say how large a difference matters, difference=…"):
        getattr(days, refused)()


def test_a_difference_is_not_for_ratios(ratios):
    with pytest.raises(SettingsError, match=r"fit is of ratios: pass margin=…, not difference=0\.1"):
        ratios.find_spots(SpotRule(difference=0.1))
    with pytest.raises(SettingsError, match="fit is of ratios"):
        ratios.departments(difference=0.1)


@pytest.mark.parametrize("difference", [-1.0, np.inf, "large"])
def test_a_difference_that_cannot_be_is_refused(difference):
    with pytest.raises(SettingsError, match=r"SpotRule\(difference\)"):
        SpotRule(difference=difference)


def test_the_scale_is_one_of_two_and_for_estimates_only(frame):
    with pytest.raises(SettingsError, match="'log ratio', 'difference' or None; received 'ratio'"):
        fit_of(estimates(), estimate_scale="ratio")
    with pytest.raises(SettingsError, match="is for estimates; the data are counts"):
        bs.fit_hierarchy(frame, estimate_scale="difference")


def test_estimates_that_do_not_look_like_log_ratios_are_doubted_aloud():
    with pytest.warns(DataWarning, match="typically they are 12 away from zero.*estimate_scale='difference'"):
        fit_of(estimates(0.1, 12.0), priors=Priors(intercept=20.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        fit_of(estimates(0.1, 12.0), priors=Priors(intercept=20.0), estimate_scale="log ratio")


def test_nothing_that_is_shown_speaks_of_ratios(days):
    spots = days.find_spots(SpotRule(difference=0.3, reference="both"))
    assert "difference 0.3: " in repr(spots)
    assert "own difference" in repr(spots)
    assert "median difference between two" in repr(days)
    for shown in (repr(days), days._repr_html_(), repr(spots), spots.to_html()):
        assert "ratio" not in shown
        assert "log scale" not in shown
        assert "margin" not in shown
    pairs = spots.learning_pairs()
    assert {"own_difference", "partner_peer_difference"} <= set(pairs.columns)


def test_figures_that_speak_of_ratios_are_refused(days):
    spots = days.find_spots(SpotRule(difference=0.3))
    for draw in (lambda: days.plot_rating(spots=spots), lambda: days.plot_trend("T001", "D01")):
        with pytest.raises(
            SettingsError, match="is not available for a fit with estimate_scale='difference'"
        ):
            draw()
    for draw in (days.plot_mosaic, days.plot_caterpillar):
        with pytest.raises(SettingsError, match="say how large a difference matters"):
            draw()


def test_figures_of_differences_are_drawn_about_zero(days):
    spots = days.find_spots(SpotRule(difference=0.3))
    trust = days.trusts(difference=0.3)["trust"].iloc[0]
    all_trusts, departments = days.plot_caterpillar(spots=spots), days.plot_caterpillar(trust, spots=spots)
    for drawn in (all_trusts, departments):
        assert drawn.get_xscale() == "linear"
        assert {0.0, 0.3, -0.3} <= {line.get_xdata()[0] for line in drawn.lines}
        assert drawn.get_xlabel() == "Difference, in the units of the estimates, with interval"
        assert "Dashed: differences of ±0.3." in bs.describe(drawn)
    points = np.sort(days.trusts(difference=0.3)["trust_difference"].to_numpy())
    units = [line for line in all_trusts.lines if line.get_gid() == "units"]
    assert np.concatenate([line.get_xdata() for line in units]) == pytest.approx(points)
    figures = (
        all_trusts, departments, days.plot_mosaic(spots=spots), days.plot_partition(), days.plot_funnel(),
        days.plot_funnel(trust=trust), *days.plot_two_stage(trust),
    )  # fmt: skip
    for drawn in figures:
        said = f"{bs.describe(drawn)} {drawn.get_title(loc='left')} {drawn.get_xlabel()} {drawn.get_ylabel()}"
        assert "ratio" not in said.lower()
    assert days.plot_funnel().get_ylabel() == "Estimate above the national level"


def test_a_saved_fit_stays_one_of_differences(days, tmp_path):
    days.save(tmp_path / "fit.nc")
    again = bs.load_fit(tmp_path / "fit.nc")
    pd.testing.assert_frame_equal(again.departments(difference=0.3), days.departments(difference=0.3))
