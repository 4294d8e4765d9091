"""Counts of at least m against sums of exact probabilities, with the densities they give."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from scipy import stats

from brightspots.likelihood.families import BINOMIAL, POISSON, family_of
from brightspots.likelihood.family import Moments
from brightspots.likelihood.outcomes import Outcomes
from brightspots.likelihood.truncation import tail


def exact(m: int, n: int | None, s: float) -> tuple[float, float, float]:
    """Log probability, excess and variance in 400 digits."""
    with localcontext() as context:
        context.prec = 400
        odds = Decimal(s).exp()
        if n is None:
            mean = variance = odds
            below = [(-odds).exp() * odds**j / math.factorial(j) for j in range(m)]
        else:
            p = odds / (1 + odds)
            mean, variance = n * p, n * p * (1 - p)
            below = [math.comb(n, j) * p**j * (1 - p) ** (n - j) for j in range(m)]
        left = 1 - sum(below)
        first = (mean - sum(j * b for j, b in enumerate(below))) / left
        second = (variance + mean**2 - sum(j * j * b for j, b in enumerate(below))) / left
        return float(left.ln()), float(first - mean), float(second - first**2)


@pytest.mark.parametrize("n", [None, 20, 400])
@pytest.mark.parametrize("m", [1, 2, 11, 19])
def test_tails_agree_with_sums_in_many_digits(m, n):
    predictors = np.linspace(-12.0, 6.0, 37)
    mean = np.exp(predictors) if n is None else n / (1 + np.exp(-predictors))
    variance = mean if n is None else mean * (1 - mean / n)
    family, size = (POISSON, np.ones(1)) if n is None else (BINOMIAL, np.full(1, float(n)))
    moments = Moments(np.empty(0), mean[None], variance[None])
    found = tail(family, np.full(1, float(m)), size, predictors[None], moments)
    wanted = np.array([exact(m, n, s) for s in predictors]).T
    np.testing.assert_allclose(found.log_probability[0], wanted[0], rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(found.excess[0], wanted[1], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found.variance[0], wanted[2], rtol=1e-6, atol=1e-9)


def test_tails_exist_however_small_or_certain():
    predictors = np.array([[-600.0, -300.0, 40.0, 300.0]])
    mean = np.exp(predictors)
    found = tail(POISSON, np.array([11.0]), np.ones(1), predictors, Moments(mean, mean, mean))
    assert np.isfinite(found.log_probability).all()
    np.testing.assert_allclose(found.log_probability[0, :2], 11 * predictors[0, :2] - np.log(39916800.0))
    np.testing.assert_allclose(found.log_probability[0, 2:], 0.0)
    np.testing.assert_allclose(found.excess[0], [11, 11, 0, 0], atol=1e-9)


@pytest.mark.parametrize("family", ["poisson", "binomial"])
def test_the_density_of_a_truncated_count_is_that_of_brute_force(family):
    predictor = np.linspace(-4.0, 4.0, 41)[None]
    size, y, m = np.array([60.0]), np.array([13.0]), np.array([11.0])
    outcomes = Outcomes(family_of(family), y, y, size, m)
    value, slope, curvature = outcomes.derivatives(predictor)
    law = (
        stats.poisson(np.exp(predictor))
        if family == "poisson"
        else stats.binom(60, 1 / (1 + np.exp(-predictor)))
    )
    wanted = law.logpmf(13) - law.logsf(10)
    np.testing.assert_allclose(value - value[0, 20], wanted - wanted[0, 20], atol=1e-9)
    step = 1e-5
    up, down = (outcomes.derivatives(predictor + sign * step) for sign in (1, -1))
    np.testing.assert_allclose(slope, (up.value - down.value) / (2 * step), atol=1e-5)
    np.testing.assert_allclose(curvature, (up.slope - down.slope) / (2 * step), atol=1e-5)
    assert (curvature <= 0).all()


@pytest.mark.parametrize("family", ["poisson", "binomial"])
def test_an_interval_without_an_upper_end_is_a_tail(family):
    predictor = np.linspace(-6.0, 6.0, 61)[None]
    upper = np.inf if family == "poisson" else 60.0
    outcomes = Outcomes(family_of(family), np.array([8.0]), np.array([upper]), np.array([60.0]))
    value, slope, curvature = outcomes.derivatives(predictor)
    law = (
        stats.poisson(np.exp(predictor))
        if family == "poisson"
        else stats.binom(60, 1 / (1 + np.exp(-predictor)))
    )
    np.testing.assert_allclose(value, law.logsf(7), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(slope, np.gradient(value[0], predictor[0])[None], atol=0.4)
    assert (curvature <= 1e-12).all()
    assert np.isfinite(outcomes.guess()[0]).all()


def test_an_interval_of_a_truncated_count_is_both():
    predictor = np.linspace(-1.0, 4.0, 21)[None]
    outcomes = Outcomes(POISSON, np.array([12.0]), np.array([15.0]), np.array([9.0]), np.array([11.0]))
    law = stats.poisson(np.exp(predictor))
    wanted = np.log(sum(law.pmf(count) for count in range(12, 16))) - law.logsf(10)
    np.testing.assert_allclose(outcomes.derivatives(predictor).value, wanted, rtol=1e-7, atol=1e-9)
