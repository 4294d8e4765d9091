"""Refits under narrower and wider priors: what is the data's stays, what is the priors' moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import brightspots as bs
from brightspots.common.settings import Flat, HalfNormal, InverseGamma, Normal, Priors
from brightspots.fit import sensitivity
from brightspots.simulate.nation import simulate_nation


def test_every_proper_prior_is_scaled_and_nothing_else():
    priors = Priors(
        intercept=Normal(0.3, 2.0), covariate=1.0, trust=0.5, department=InverseGamma(2.0, 3.0), department_type=None,
        period=Flat(),
    )  # fmt: skip
    wide = priors.scaled(2.0)
    assert wide.intercept == Normal(0.3, 4.0)
    assert wide.covariate == Normal(0.0, 2.0)
    assert wide.trust == HalfNormal(1.0)
    assert wide.department == InverseGamma(2.0, 12.0)  # of the variance: σ twice as large
    assert wide.department_type is None
    assert wide.period == Flat()


@pytest.fixture(scope="module")
def large():
    return bs.fit_hierarchy(simulate_nation(60, 12, seed=5).cells, seed=1)


def test_many_data_outweigh_the_priors(large):
    found = large.sensitivity()
    shares = found.partition["share"].unstack("level")
    np.testing.assert_allclose(shares.loc["doubled"], shares.loc["halved"], atol=0.02)
    np.testing.assert_array_equal(
        shares.loc["as fitted"], large.variance_partition()["share"][shares.columns].to_numpy()
    )
    spots = large.find_spots()
    assert found.flags.loc["as fitted", "flagged"] == len(spots.bright) + len(spots.dark)
    assert found.flags.loc["as fitted", ["gained", "lost"]].tolist() == [0, 0]


def test_each_refit_is_the_fit_under_the_scaled_priors(large):
    found = large.sensitivity(bs.SpotRule(fdr=0.1))
    half = bs.fit_hierarchy(
        simulate_nation(60, 12, seed=5).cells, seed=1, priors=replace(Priors(), intercept=0.5).scaled(0.5)
    )
    np.testing.assert_array_equal(
        found.partition.xs("halved", level="priors")["sd"], half.variance_partition()["sd"]
    )
    spots = half.find_spots(bs.SpotRule(fdr=0.1))
    table, keys = spots.table, ["trust", "department"]
    changed = found.changed.merge(table[[*keys, "status"]], on=keys)
    assert (changed["halved"] == changed["status"]).all()
    flagged = len(spots.bright) + len(spots.dark)
    assert found.flags.loc["halved", "flagged"] == flagged
    assert (
        flagged
        == found.flags.loc["as fitted", "flagged"]
        + found.flags.loc["halved", "gained"]
        - (found.flags.loc["halved", "lost"])
    )


def test_flags_that_survive_are_counted_for_certified_integrals_alone(large, monkeypatch):
    rule = bs.SpotRule()
    counted = sensitivity.surviving_flags(large, rule)
    assert counted.flags == large.sensitivity(rule).flags.loc["as fitted", "flagged"]
    assert [size for size, _ in counted.survive] == [0.05, 0.1]
    sampled = replace(large.certificate, method="nuts")
    assert sensitivity.surviving_flags(replace(large, certificate=sampled), rule) is None
    run = sensitivity.run

    def without_certificate(*arguments, **options):
        answer = run(*arguments, **options)
        return answer._replace(certificate=replace(answer.certificate, ok=False))

    monkeypatch.setattr(sensitivity, "reweighted", lambda *_: None)
    monkeypatch.setattr(sensitivity, "run", without_certificate)
    assert sensitivity.surviving_flags(large, rule) is counted  # kept by the fit
    assert sensitivity.surviving_flags(replace(large), rule) is None


def test_few_data_leave_much_to_the_priors_and_the_text_says_what_moved():
    data = simulate_nation(4, 3, missing_departments=0.0, mean_expected=5.0, seed=1).cells
    found = bs.fit_hierarchy(data, seed=1).sensitivity()
    sd = found.partition["sd"].unstack("priors")
    assert (sd["doubled"] > 1.3 * sd["halved"]).all()
    text = repr(found)
    assert "share between trusts" in text
    assert "departments whose status changes" in text


def test_differences_are_judged_against_a_difference():
    data = simulate_nation(20, 6, family="normal", rating_validity=None, seed=2).cells
    days = data.assign(estimate=10.0 * data["estimate"], standard_error=10.0 * data["standard_error"])
    fit = bs.fit_hierarchy(
        days, estimate="estimate", standard_error="standard_error", estimate_scale="difference", seed=1
    )
    rule = bs.SpotRule(difference=1.0)
    found = fit.sensitivity(rule)
    spots = fit.find_spots(rule)
    assert found.flags.loc["as fitted", "flagged"] == len(spots.bright) + len(spots.dark)
    with pytest.raises(bs.SettingsError, match="difference"):
        fit.sensitivity()


def test_flat_priors_have_no_width():
    priors = Priors(Flat(), Flat(), Flat(), Flat(), Flat(), Flat())
    fit = bs.fit_hierarchy(simulate_nation(20, 6, mean_expected=200.0, seed=1).cells, priors=priors, seed=1)
    with pytest.raises(bs.SettingsError, match="every prior is flat"):
        fit.sensitivity()
