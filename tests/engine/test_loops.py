"""The compiled loops and their NumPy twins give the same numbers, and those numbers are right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from brightspots.engine import kernels, vectorised
from brightspots.engine.leaf import cornish_fisher, hermite, shape_of
from brightspots.engine.proposal import unwarp, warp
from brightspots.posterior import Conditional

ROWS, SIZE = 7, 400


def concave_polynomials(order: int) -> np.ndarray:
    """Log-concave on (−1, 1): a parabola and ever smaller higher powers, (order + 1, ROWS, SIZE)."""
    generator = np.random.default_rng(order)
    polynomial = generator.normal(0.0, 0.2, (order + 1, ROWS, SIZE))
    polynomial *= 0.5 ** np.arange(order + 1)[:, np.newaxis, np.newaxis]
    polynomial[2] -= generator.uniform(1.0, 20.0, (ROWS, SIZE))
    return polynomial


@pytest.mark.parametrize("order", [5, 14])
def test_integrals_of_polynomials_are_the_same_compiled_or_not(order):
    generator = np.random.default_rng(1)
    reach, centre = generator.uniform(0.3, 1.0, ROWS), generator.normal(0.0, 0.2, (ROWS, SIZE))
    arguments = (reach, centre, generator.uniform(0.0, 0.5, SIZE), *hermite(9), 1.2, 4)
    polynomial = concave_polynomials(order)
    compiled, plain = (twin.integrate_polynomials(polynomial, *arguments) for twin in (kernels, vectorised))
    np.testing.assert_allclose(compiled, plain, atol=2e-6)


@pytest.mark.parametrize("order", [5, 14])
def test_effects_of_leaves_are_the_same_compiled_or_not(order):
    generator = np.random.default_rng(2)
    reach, away = generator.uniform(0.5, 1.0, ROWS), generator.normal(0.0, 0.1, (ROWS, SIZE))
    sd, scores = generator.uniform(0.0, 0.1, SIZE), generator.normal(size=(ROWS, SIZE))
    polynomial = concave_polynomials(order)
    compiled, plain = (
        twin.leaf_effects(polynomial, reach, away, sd, scores) for twin in (kernels, vectorised)
    )
    np.testing.assert_allclose(compiled, plain, atol=1e-9)


def test_sums_of_polynomials_are_the_same_compiled_or_not():
    generator = np.random.default_rng(3)
    leaves, powers, nodes = 9, 8, 3
    arguments = (
        generator.normal(size=(leaves, powers, nodes)),
        generator.uniform(size=(nodes, SIZE)),
        generator.uniform(1.0, 50.0, leaves),
        generator.normal(size=leaves),
        generator.uniform(0.0, 0.2, SIZE),
        generator.uniform(0.3, 1.0, leaves),
        generator.normal(0.0, 0.2, (leaves, SIZE)),
        np.array([0, 4, 5, 9]),
    )
    compiled, plain = (twin.sum_polynomials(*arguments) for twin in (kernels, vectorised))
    np.testing.assert_allclose(compiled, plain, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("events", "expected", "sd"), [(0, 0.5, 0.4), (2, 4.0, 0.3), (9, 3.0, 0.5), (400, 350.0, 0.2)]
)
def test_tail_probabilities_and_quantiles_are_those_of_a_poisson_posterior(events, expected, sd):
    """Effect v ~ N(0, σ²) of a count y ~ Poisson(E·e^v): everything by adaptive quadrature."""

    def density(v: float) -> float:
        return float(stats.poisson.pmf(events, expected * np.exp(v)) * stats.norm.pdf(v, 0.0, sd))

    def integral(of, low: float = -8.0 * sd) -> float:
        middle = optimize.minimize_scalar(lambda v: -density(v), bounds=(-6 * sd, 6 * sd), method="bounded").x
        points = [middle - 0.05, middle, middle + 0.05]
        return float(integrate.quad(of, low, 8.0 * sd, points=[p for p in points if p > low], limit=500)[0])

    total = integral(density)
    mean = integral(lambda v: v * density(v)) / total
    moments = [integral(lambda v, n=n: (v - mean) ** n * density(v)) / total for n in (2, 3, 4)]
    shape = shape_of(
        *(np.array(value) for value in (mean, moments[0], moments[1], moments[2] - 3 * moments[0] ** 2))
    )
    conditional = Conditional(*(np.full((1, 1), value, dtype=np.float32) for value in shape))
    for probability in (0.02, 0.2, 0.5, 0.9, 0.99):
        quantile = cornish_fisher(*shape, stats.norm.ppf(probability))
        exact = integral(density, low=float(quantile)) / total
        assert exact == pytest.approx(1.0 - probability, abs=2e-3)
        assert conditional.above(np.full((1, 1), quantile))[0, 0] == pytest.approx(exact, abs=2e-3)


def test_the_warp_of_log_sigma_makes_a_flat_boundary_normal():
    """σ uniform near 0 means that log σ falls as e^x below; bent, it must fall as exp(−y²/2)."""
    knot = np.array([np.log(0.2)])
    log_sd = np.linspace(-30.0, 2.0, 200)[:, np.newaxis]
    bent = warp(log_sd, knot)
    np.testing.assert_allclose(unwarp(bent, knot), log_sd, atol=1e-9)
    np.testing.assert_array_equal(bent[log_sd >= knot], log_sd[log_sd >= knot])
    slope = np.gradient(bent[:, 0], log_sd[:, 0])
    below = (log_sd[:, 0] < knot[0] - 5.0) & (log_sd[:, 0] > -29.0)
    log_density = log_sd[below, 0] - np.log(slope[below])
    away = knot[0] - bent[below, 0]
    # x − log y' = −(away + away²/2) + log(1 + away), up to a constant.
    shape = -(away + 0.5 * away**2) + np.log1p(away)
    np.testing.assert_allclose(np.diff(log_density), np.diff(shape), atol=2e-3)
