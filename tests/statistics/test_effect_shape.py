"""Heavier tails than the model has are seen in the posterior's own draws, and only then."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import brightspots as bs
from brightspots.simulate.nation import simulate_nation
from brightspots.statistics.effect_shape import kurtosis_score


@pytest.mark.parametrize("n", [20, 150, 5_000])
def test_the_score_is_scipys(n):
    sample = np.random.default_rng(n).standard_t(5, n)
    score = kurtosis_score(np.array([stats.kurtosis(sample, fisher=False)]), n)
    assert score[0] == pytest.approx(stats.kurtosistest(sample).statistic, abs=1e-12)


@pytest.fixture(scope="module")
def nations():
    return {
        effects: bs.fit_hierarchy(
            simulate_nation(60, 15, effects=effects, mean_expected=100.0, seed=5).cells,
            priors=bs.Priors(effects="normal"),
            seed=1,
        )
        for effects in ("normal", "contaminated")
    }


def test_the_shape_is_that_of_the_draws_themselves(nations):
    fit = nations["normal"]
    shape = fit.effect_shape()
    blocks = list(fit.effects.blocks())
    for level, field in (("trust", "trust_effect"), ("department", "department_effect")):
        draws = np.concatenate([getattr(block, field) for block in blocks])
        by_draw = stats.kurtosis(draws, axis=0)
        assert shape.loc[level, "units"] == len(draws)
        assert shape.loc[level, "excess_kurtosis"] == pytest.approx(by_draw.mean(), abs=1e-9)
        assert shape.loc[level, "excess_kurtosis_upper"] == pytest.approx(
            np.quantile(by_draw, 0.975), abs=1e-9
        )
        sd = fit.effects.shared.sd[level]
        reliability = 1 - np.var(draws / sd, axis=1)
        score = stats.kurtosistest(draws, axis=0).statistic
        spread = np.sqrt(np.mean(reliability**4) + score.var() / len(score))
        assert shape.loc[level, "p"] == pytest.approx(stats.norm.sf(score.mean() / spread), abs=1e-9)


def test_normal_effects_pass_and_contaminated_ones_are_named_in_the_text(nations):
    assert (nations["normal"].effect_shape()["p"] > 0.05).all()
    assert "nothing against normal ones" in repr(nations["normal"])
    shape = nations["contaminated"].effect_shape()
    assert shape.loc["department", "p"] < 1e-4 < shape.loc["trust", "p"]
    assert "heavier tails than normal (departments' excess kurtosis" in repr(nations["contaminated"])
    assert "heavier tails than normal" in nations["contaminated"]._repr_html_()


def test_too_few_units_are_not_judged():
    fit = bs.fit_hierarchy(simulate_nation(4, 4, missing_departments=0.0, seed=2).cells, seed=1)
    assert fit.effect_shape()["p"].isna().all()
    assert "too few units to tell" in repr(fit)


def test_effects_of_which_chance_hides_the_shape_are_not_judged():
    """σ of departments near zero beside what chance does to counts: their draws are the prior's, whatever is true."""
    nation = simulate_nation(60, 10, sd_department=0.01, mean_expected=20.0, seed=2)
    shape = bs.fit_hierarchy(nation.cells, seed=1).effect_shape()
    assert np.isnan(shape.loc["department", "p"])
    assert shape.loc["trust", "p"] > 0.01


@pytest.mark.calibration
@pytest.mark.parametrize("mean_expected", [20.0, 40.0, 200.0])
def test_p_is_as_often_small_as_it_says_where_effects_are_normal(mean_expected):
    """150 nations of 40 × 10, from ill- to well-known departments; two levels each, where they are judged.

    What is known least errs on the side of normal effects: of 20 expected events 29% of p lie below a half, not 50%.
    """
    p = np.array(
        [
            bs.fit_hierarchy(
                simulate_nation(40, 10, mean_expected=mean_expected, seed=seed).cells, seed=seed
            ).effect_shape()["p"]
            for seed in range(150)
        ]
    )
    for level in p.T:
        level = level[~np.isnan(level)]  # chance hides the shape of some
        assert len(level) > 120
        assert np.mean(level < 0.01) <= 0.04
        assert 0.005 <= np.mean(level < 0.05) <= 0.11
        assert 0.10 <= np.mean(level < 0.25) <= 0.35
        assert 0.25 <= np.mean(level < 0.5) <= 0.60
