"""Heavier tails than the model has are seen in the posterior's own draws, and only then."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import brightspots as bs
from brightspots.checks import kurtosis_score
from brightspots.simulate import simulate_nation


@pytest.mark.parametrize("n", [20, 150, 5_000])
def test_the_score_is_scipys(n):
    sample = np.random.default_rng(n).standard_t(5, n)
    score = kurtosis_score(np.array([stats.kurtosis(sample, fisher=False)]), n)
    assert score[0] == pytest.approx(stats.kurtosistest(sample).statistic, abs=1e-12)


@pytest.fixture(scope="module")
def nations():
    return {
        effects: bs.fit_hierarchy(
            simulate_nation(60, 15, effects=effects, mean_expected=100.0, seed=3).cells, seed=1
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
        assert shape.loc[level, "p"] == pytest.approx(
            stats.kurtosistest(draws, axis=0, alternative="greater").pvalue.mean(), abs=1e-9
        )


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


@pytest.mark.calibration
def test_the_check_errs_on_the_side_of_the_model():
    """Under the model at most 1 in 100 fits should be said to have heavy tails; 150 nations, normal effects."""
    said = [
        bs.fit_hierarchy(simulate_nation(40, 10, seed=seed).cells, seed=seed).effect_shape()["p"].min() < 0.01
        for seed in range(150)
    ]
    assert np.mean(said) <= 0.02
