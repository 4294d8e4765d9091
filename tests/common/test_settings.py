"""Options check themselves and quote what they received."""

import math
from dataclasses import replace

import pytest

from brightspots import Flat, HalfNormal, InverseGamma, Normal, Priors, SettingsError, SpotRule


def test_numbers_are_shorthand_for_priors():
    priors = Priors(intercept=2, trust=0.3)
    assert priors.intercept == Normal(0.0, 2.0)
    assert priors.trust == HalfNormal(0.3)
    assert priors.department == HalfNormal(0.5)


def test_a_level_can_be_left_out_but_not_the_trusts():
    assert Priors(department=None).department is None
    with pytest.raises(SettingsError, match="trust=None"):
        Priors(trust=None)


@pytest.mark.parametrize("bad", [0, -1, math.inf, math.nan, "wide", True, Normal(0, 1)])
def test_a_scale_prior_must_be_one(bad):
    with pytest.raises(SettingsError, match="Priors\\(trust\\)"):
        Priors(trust=bad)


def test_a_location_prior_must_be_one():
    assert Priors(intercept=Flat()).intercept == Flat()
    with pytest.raises(SettingsError, match="intercept"):
        Priors(intercept=HalfNormal(1.0))


@pytest.mark.parametrize("make", [lambda: HalfNormal(0), lambda: InverseGamma(-1, 1), lambda: Normal(0, 0)])
def test_priors_refuse_scales_that_are_not_positive(make):
    with pytest.raises(SettingsError):
        make()


@pytest.mark.parametrize(
    "options",
    [
        {"margin": 0.9},
        {"margin": math.nan},
        {"fdr": 0},
        {"fdr": 1},
        {"reference": "nation"},
        {"in_line": 1.2},
        {"min_reliability": -0.1},
        {"min_expected": -1},
        {"margin": "1.1"},
        {"min_probability": 1.0},
        {"min_probability": -0.1},
        {"share": 0.0},
        {"share": 1.0},
        {"share": 0.1, "margin": 1.1},
    ],
    ids=str,
)
def test_a_rule_outside_its_range_is_refused(options):
    with pytest.raises(SettingsError, match=next(iter(options))):
        SpotRule(**options)


def test_a_margin_of_one_is_allowed():
    assert SpotRule(margin=1).margin == 1


def test_a_rule_has_a_margin_or_a_share():
    assert SpotRule() == SpotRule(margin=1.1)
    by_share = SpotRule(share=0.2)
    assert (by_share.margin, by_share.ordinary_margin) == (None, 1.1)
    assert replace(by_share, fdr=0.1) == SpotRule(share=0.2, fdr=0.1)
    assert replace(by_share, share=None, margin=1.3).ordinary_margin == 1.3
    assert SpotRule(min_probability=0).min_probability == 0.0
