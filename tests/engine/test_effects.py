"""Distributions of effects: what they are mixtures of, what is sampled of their parameters, and the priors of those."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from brightspots.engine.effects import (
    DISTRIBUTIONS,
    FACTOR_SCALE,
    FREEDOM_PRIOR,
    NORMAL,
    SHARE_PRIOR,
    EffectDraws,
    StudentT,
    TwoNormals,
)

TWO, T = TwoNormals(), StudentT()
SHARES, FACTORS = np.array([1e-4, 0.05, 0.3, 0.9]), np.array([1.01, 2.0, 4.0, 30.0])
# Degrees of freedom, and by how much the components' variance may fall short: a sum over components ends where the far
# tail, which holds much of the variance of a t of few degrees of freedom, is left out.
FREEDOMS = [(2.5, 0.16), (3.0, 0.05), (4.0, 0.01), (6.0, 1e-3), (10.0, 1e-4), (30.0, 1e-5), (100.0, 1e-5)]


def freedom(values: object) -> np.ndarray:
    return T.sampled({"degrees_of_freedom": np.asarray(values, dtype=float)})


def two_normals(shares: np.ndarray = SHARES, factors: np.ndarray = FACTORS) -> np.ndarray:
    return TWO.sampled({"exceptional_share": shares, "exceptional_factor": factors})


def density(mixing, at: np.ndarray) -> np.ndarray:
    """Of a mixture with one set of parameters, σ being 1, (points,)."""
    parts = zip(np.exp(mixing.log_weight), mixing.factor, strict=True)
    return sum(weight * stats.norm.pdf(at, 0.0, factor) for weight, factor in parts)


def test_a_normal_is_one_component_without_parameters():
    mixing = NORMAL.mixing(np.zeros((5, 0)))
    np.testing.assert_array_equal(mixing.log_weight, np.zeros((1, 5)))
    np.testing.assert_array_equal(mixing.factor, np.ones((1, 5)))
    assert NORMAL.names == NORMAL.start == ()
    assert NORMAL.natural(np.zeros((5, 0))) == {}
    np.testing.assert_array_equal(NORMAL.log_prior(np.zeros((5, 0))), np.zeros(5))
    with pytest.raises(ValueError, match="no parameter besides its standard deviation"):
        NORMAL.sampled({"degrees_of_freedom": np.ones(5)})


@pytest.mark.parametrize("distribution", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)
def test_weights_of_components_add_up_to_one(distribution):
    """Anywhere in the range in which the posterior is looked for, and for any shape of what is sampled."""
    grid = np.meshgrid(*(np.linspace(low, high, 9) for low, high in distribution.start), indexing="ij")
    free = np.stack(grid, axis=-1)
    mixing = distribution.mixing(free)
    assert mixing.log_weight.shape == mixing.factor.shape
    assert mixing.factor.shape[1:] == free.shape[:-1]
    np.testing.assert_allclose(np.exp(mixing.log_weight).sum(axis=0), 1.0, atol=1e-12)
    assert np.all(mixing.factor > 0.0)


def test_sigma_is_the_standard_deviation_of_two_normals():
    mixing = TWO.mixing(two_normals())
    np.testing.assert_allclose(np.sum(np.exp(mixing.log_weight) * mixing.factor**2, axis=0), 1.0, rtol=1e-12)
    np.testing.assert_allclose(mixing.factor[1] / mixing.factor[0], FACTORS, rtol=1e-12)
    np.testing.assert_allclose(np.exp(mixing.log_weight[1]), SHARES, rtol=1e-12)


@pytest.mark.parametrize(("nu", "short"), FREEDOMS)
def test_sigma_is_the_standard_deviation_of_a_t_but_for_its_far_tail(nu, short):
    mixing = T.mixing(freedom(nu))
    variance = np.sum(np.exp(mixing.log_weight) * mixing.factor**2)
    assert 1.0 - short < variance < 1.0 + 1e-5


@pytest.mark.parametrize(("share", "factor"), list(zip(SHARES, FACTORS, strict=True)))
def test_two_normals_have_the_density_of_two_normals(share, factor):
    at = np.linspace(-8.0, 8.0, 81)
    narrow = (1.0 - share + share * factor**2) ** -0.5
    exact = (1.0 - share) * stats.norm.pdf(at, 0.0, narrow) + share * stats.norm.pdf(at, 0.0, factor * narrow)
    np.testing.assert_allclose(density(TWO.mixing(two_normals(share, factor)), at), exact, rtol=1e-11)


@pytest.mark.parametrize("nu", [3.0, 4.0, 6.0, 10.0, 30.0, 100.0])
def test_components_of_a_t_have_the_density_of_a_t(nu):
    """To a thousandth up to three standard deviations, and nearly that up to six."""
    at = np.linspace(-6.0, 6.0, 121)
    exact = stats.t.pdf(at, nu, scale=np.sqrt((nu - 2.0) / nu))
    error = np.abs(density(T.mixing(freedom(nu)), at) / exact - 1.0)
    assert error[np.abs(at) <= 3.0].max() < 1e-3
    assert error.max() < 2e-3


@pytest.mark.parametrize("nu", [2.05, 2.2, 2.5])
def test_so_they_have_nearly_where_the_variance_is_about_to_be_infinite(nu):
    at = np.linspace(-3.0, 3.0, 61)
    exact = stats.t.pdf(at, nu, scale=np.sqrt((nu - 2.0) / nu))
    np.testing.assert_allclose(density(T.mixing(freedom(nu)), at), exact, rtol=4e-3)


def test_a_t_of_many_degrees_of_freedom_is_normal():
    at = np.linspace(-3.0, 3.0, 61)
    np.testing.assert_allclose(density(T.mixing(freedom(1e5)), at), stats.norm.pdf(at), rtol=1e-3)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)
def test_what_is_sampled_and_the_parameters_are_each_others_inverse(distribution):
    low, high = np.array(distribution.start).T
    free = np.random.default_rng(1).uniform(low, high, (4, 6, len(low)))
    natural = distribution.natural(free)
    assert tuple(natural) == distribution.names
    assert all(values.shape == (4, 6) for values in natural.values())
    np.testing.assert_allclose(distribution.sampled(natural), free, rtol=1e-9, atol=1e-9)


def test_parameters_are_what_their_names_say():
    assert T.natural(freedom(7.0))["degrees_of_freedom"] == pytest.approx(7.0)
    natural = TWO.natural(two_normals())
    np.testing.assert_allclose(natural["exceptional_share"], SHARES)
    np.testing.assert_allclose(natural["exceptional_factor"], FACTORS)


def test_priors_are_those_of_the_parameters_with_jacobians():
    free = np.random.default_rng(2).normal([-2.0, 1.0], [1.0, 0.7], (20, 2))
    share, factor = TWO.natural(free).values()
    of_share = stats.beta(*SHARE_PRIOR).logpdf(share) + np.log(share * (1.0 - share))
    of_factor = stats.halfnorm(scale=FACTOR_SCALE).logpdf(factor - 1.0) + np.log(factor - 1.0)
    np.testing.assert_allclose(TWO.log_prior(free), of_share + of_factor, rtol=1e-10)
    shape, rate = FREEDOM_PRIOR
    above_two = np.array([0.01, 0.5, 3.0, 20.0, 90.0])
    of_freedom = stats.gamma(shape, scale=1.0 / rate).logpdf(above_two) + np.log(above_two)
    np.testing.assert_allclose(T.log_prior(freedom(2.0 + above_two)), of_freedom, rtol=1e-10)


def test_priors_integrate_to_one():
    log_above = np.linspace(-14.0, 7.0, 4_001)
    assert np.trapezoid(np.exp(T.log_prior(log_above[:, np.newaxis])), log_above) == pytest.approx(
        1.0, abs=1e-6
    )
    logit, log_more = np.linspace(-20.0, 8.0, 801), np.linspace(-16.0, 4.0, 801)
    free = np.stack(np.meshgrid(logit, log_more, indexing="ij"), axis=-1)
    inner = np.trapezoid(np.exp(TWO.log_prior(free)), log_more, axis=1)
    assert np.trapezoid(inner, logit) == pytest.approx(1.0, abs=1e-6)


def test_draws_of_parameters_can_be_taken_one_by_one():
    drawn = EffectDraws(TWO, two_normals())
    some = np.array([2, 0])
    np.testing.assert_array_equal(drawn.take(some).free, drawn.free[some])
    for taken, of_all in zip(drawn.take(some).mixing, drawn.mixing, strict=True):
        np.testing.assert_array_equal(taken, of_all[:, some])
    np.testing.assert_allclose(drawn.natural["exceptional_factor"], FACTORS)
