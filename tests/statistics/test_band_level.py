"""Rating bands as a level above trusts, without a fit of their own."""

import numpy as np
import pytest
from scipy import stats

from brightspots import Flat
from brightspots.common.settings import HalfNormal, InverseGamma
from brightspots.statistics import band_level
from brightspots.statistics.band_level import BandPriors, TrustLikelihood, _log_evidence, draw_bands
from tests.statistics.test_rating_model import ERRORS, SCHOOLS, eight_schools

HALF_NORMAL = HalfNormal(0.5)
BAND = np.array([0, 0, 1, 2, 2, 2])


def likelihood_of(estimate, error, draws=1):
    """Trusts whose effects were estimated with these standard errors, the same in each draw of the rest."""
    precision = np.repeat(error[:, np.newaxis] ** -2.0, draws, axis=1)
    return TrustLikelihood(precision, estimate[:, np.newaxis] * precision, np.ones_like(precision))


def priors_of(draws=1, *, within=HALF_NORMAL, between=0.5, intercept=0.0, precision=4.0):
    return BandPriors(within, between, np.full(draws, intercept), precision)


@pytest.mark.parametrize("precision", [0.0, 4.0], ids=["flat intercept", "N(0.3, 0.5²)"])
def test_the_evidence_is_that_of_a_multivariate_normal(precision):
    """Estimates of trusts of one band share μ, all of them share δ."""
    rng = np.random.default_rng(1)
    estimate, error = rng.normal(0.0, 0.3, 6), rng.uniform(0.05, 0.4, 6)
    in_band = np.equal.outer(np.arange(3), BAND).astype(float)
    between = np.array([0.0, 0.1, 0.7])
    centre, known = (0.3, 1.0 / precision) if precision else (0.0, 1e4)
    for within in (1e-3, 0.2, 1.0):
        found = _log_evidence(
            likelihood_of(estimate, error), in_band, priors_of(intercept=centre, precision=precision), within,
            between,
        )[:, 0]  # fmt: skip
        expected = [
            stats.multivariate_normal.logpdf(
                estimate,
                np.full(6, centre),
                np.diag(error**2 + within**2) + sd**2 * in_band.T @ in_band + known,
            )
            for sd in between
        ]
        np.testing.assert_allclose(np.diff(found), np.diff(expected), atol=1e-4)
        if within == 1e-3:
            first = found[0] - expected[0]
        assert found[0] - expected[0] == pytest.approx(first, abs=1e-4)


@pytest.mark.parametrize(
    ("scale", "prior"),
    [(np.inf, np.ones_like), (10.0, lambda tau: np.exp(-0.5 * (tau / 10.0) ** 2))],
    ids=["flat", "half-normal"],
)
def test_bands_of_one_trust_each_reproduce_the_eight_schools(scale, prior):
    """With nothing between trusts of a band, each school is a band (Rubin 1981)."""
    drawn = draw_bands(
        likelihood_of(SCHOOLS, ERRORS), np.arange(8), priors_of(within=HalfNormal(1e-3), between=scale, precision=0.0),
        0.01, 8_000, np.random.default_rng(1),
    )  # fmt: skip
    contrasts = drawn.band_mean - drawn.band_mean.mean(axis=0)
    mean, sd = eight_schools(prior)
    np.testing.assert_allclose(contrasts.mean(axis=1), mean, atol=0.3)
    np.testing.assert_allclose(contrasts.std(axis=1), sd, rtol=0.05)


@pytest.mark.parametrize("within", [HalfNormal(0.5), Flat(), InverseGamma(2.0, 0.05)], ids=str)
def test_draws_have_the_moments_of_the_exact_posterior(within):
    """By brute force: τ, κ on a grid of their own, the rest a multivariate normal."""
    rng = np.random.default_rng(4)
    band = np.repeat(np.arange(3), 8)
    estimate = 0.3 * np.array([-1.0, 0.0, 1.2])[band] + rng.normal(0.0, 0.25, 24)
    error = rng.uniform(0.05, 0.3, 24)
    drawn = draw_bands(
        likelihood_of(estimate, error), band, priors_of(within=within), 3.0, 20_000, np.random.default_rng(1)
    )
    in_band = np.equal.outer(np.arange(3), band).astype(float)
    taus, kappas = np.linspace(0.002, 1.2, 120), np.linspace(0.005, 2.5, 120)
    weights, moments = [], []
    density = {
        HalfNormal(0.5): lambda t: -2.0 * t**2,
        Flat(): lambda t: 0.0 * t,
        InverseGamma(2.0, 0.05): lambda t: -5.0 * np.log(t) - 0.05 / t**2,
    }[within]
    for tau in taus:
        for kappa in kappas:
            own = np.diag(error**2 + tau**2)
            cov = own + kappa**2 * in_band.T @ in_band + 0.25
            weights.append(
                stats.multivariate_normal.logpdf(estimate, np.zeros(24), cov) + density(tau) - 2.0 * kappa**2
            )
            moments.append(kappa**2 * in_band @ np.linalg.solve(cov, estimate))
    weight = np.exp(np.array(weights) - max(weights))
    weight /= weight.sum()
    np.testing.assert_allclose(drawn.band_mean.mean(axis=1), weight @ np.array(moments), atol=0.01)
    by_tau = weight.reshape(120, 120).sum(axis=1)
    assert drawn.within.mean() == pytest.approx(by_tau @ taus, rel=0.01)
    assert drawn.within.std() == pytest.approx(np.sqrt(by_tau @ taus**2 - (by_tau @ taus) ** 2), rel=0.05)
    at = np.searchsorted(np.cumsum(by_tau), [0.025, 0.975])
    np.testing.assert_allclose(np.quantile(drawn.within, [0.025, 0.975]), taus[at], atol=0.012)


def test_effects_of_trusts_are_drawn_from_their_conditional_distributions():
    drawn = draw_bands(
        likelihood_of(np.array([0.4, 0.1, -0.2, 0.3, 0.0, -0.1]), np.full(6, 0.1)), BAND, priors_of(), 3.0, 4_000,
        np.random.default_rng(1),
    )  # fmt: skip
    rng = np.random.default_rng(2)
    likelihood = likelihood_of(np.array([0.4, 0.1]), np.array([0.1, 0.3]))
    found = drawn.trust_effects(likelihood, np.array([0, 2]), rng.normal(size=(2, 4_000)))
    for row, (band, estimate, error) in enumerate([(0, 0.4, 0.1), (2, 0.1, 0.3)]):
        prior = drawn.shift + drawn.band_mean[band]
        kept = drawn.within**2 / (drawn.within**2 + error**2)
        mean, sd = prior + kept * (estimate - prior), error * np.sqrt(kept)
        score = (found[row] - mean) / sd
        assert abs(score.mean()) < 0.06
        assert score.std() == pytest.approx(1.0, abs=0.05)


def test_draws_of_the_rest_count_by_how_much_likelier_bands_make_the_data():
    """Two draws of the rest: in one the bands tell trusts apart, in the other they do not."""
    apart = np.array([0.6, 0.6, 0.0, -0.6, -0.6, -0.6])
    precision = np.full((6, 2), 0.05**-2)
    estimate = np.stack([apart, apart[[3, 0, 2, 1, 4, 5]]], axis=1)
    likelihood = TrustLikelihood(precision, estimate * precision, np.ones_like(precision))
    drawn = draw_bands(likelihood, BAND, priors_of(2), 3.0, 1_000, np.random.default_rng(1))
    assert np.mean(drawn.draw == 0) > 0.9
    assert 1.0 <= drawn.effective < 1.3
    # With one band there is nothing to choose by.
    alone = draw_bands(likelihood, np.zeros(6, int), priors_of(2), 3.0, 1_000, np.random.default_rng(1))
    assert alone.effective == pytest.approx(2.0, abs=0.01)


def test_how_many_draws_are_held_at_once_changes_no_number(monkeypatch):
    """Many trusts times many draws would not fit in memory: band means are then drawn from a few draws at a time."""
    rng = np.random.default_rng(6)
    likelihood = likelihood_of(rng.normal(0.0, 0.3, 6), rng.uniform(0.05, 0.4, 6), draws=5)

    def drawn():
        return draw_bands(likelihood, BAND, priors_of(draws=5), 3.0, 1_001, np.random.default_rng(1))

    whole = drawn()
    monkeypatch.setattr(band_level, "_NUMBERS_AT_ONCE", 6 * 100)
    few = drawn()
    for name in ("draw", "within", "band_mean", "shift"):
        np.testing.assert_allclose(getattr(few, name), getattr(whole, name), rtol=1e-10, atol=1e-13)


def test_a_likelihood_is_a_distribution_without_its_prior():
    """Whatever σ_u: for a normal estimate the likelihood is the estimate's own."""
    sd = np.array([0.05, 0.2, 1.0])
    estimate, error = np.array([[0.3], [-0.1]]), np.array([[0.1], [0.4]])
    kept = sd**2 / (sd**2 + error**2)
    found = TrustLikelihood.of(kept * estimate, error * np.sqrt(kept), np.tile(sd, (2, 1)), sd)
    np.testing.assert_allclose(found.precision, np.repeat(error**-2.0, 3, axis=1))
    np.testing.assert_allclose(found.pull, np.repeat(estimate * error**-2.0, 3, axis=1))


def test_an_effect_of_a_wide_component_is_shrunk_as_by_its_own_prior():
    """Twice as wide before the data: its likelihood is the same, and its u within bands is twice as wide as τ."""
    one = likelihood_of(np.array([0.4, 0.1]), np.array([0.2, 0.3]))
    wide = one._replace(spread=np.array([[4.0], [1.0]]))
    ones = np.eye(2)
    precision, pull, height = wide.of_bands(ones, 0.15)
    for trust, within in ((0, 0.30), (1, 0.15)):
        alone = one.of_bands(ones, within)
        assert precision[trust] == pytest.approx(alone[0][trust])
        assert pull[trust] == pytest.approx(alone[1][trust])
    of_first = 0.5 * (0.09 * 10.0**2 / (1 + 0.09 * 25) - np.log(1 + 0.09 * 25))
    of_second = 0.5 * (0.0225 * (0.1 / 0.09) ** 2 / (1 + 0.0225 / 0.09) - np.log(1 + 0.0225 / 0.09))
    assert height[0] == pytest.approx(of_first + of_second)
