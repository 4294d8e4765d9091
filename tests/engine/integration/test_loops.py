"""The compiled loops and their NumPy twins give the same numbers, and those numbers are right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from brightspots.engine.integration import loops_compiled, loops_plain
from brightspots.engine.integration.leaf import (
    cornish_fisher,
    hermite,
    integrate_leaf,
    leaf_marginals,
    shape_of,
)
from brightspots.engine.integration.proposal import unwarp, warp
from brightspots.engine.posterior import Conditional
from brightspots.likelihood.families import BINOMIAL, NORMAL, POISSON, family_of
from brightspots.likelihood.outcomes import Outcomes

ROWS, SIZE = 7, 400
NONE = np.zeros(0, dtype=np.int64)


def concave_polynomials(order: int) -> np.ndarray:
    """Log-concave on (−1, 1): a parabola and ever smaller higher powers, (order + 1, ROWS, SIZE)."""
    generator = np.random.default_rng(order)
    polynomial = generator.normal(0.0, 0.2, (order + 1, ROWS, SIZE))
    polynomial *= 0.5 ** np.arange(order + 1)[:, np.newaxis, np.newaxis]
    polynomial[2] -= generator.uniform(1.0, 20.0, (ROWS, SIZE))
    return polynomial


# One standard deviation for all rows, or one a row.
sds = pytest.mark.parametrize("rows_of_sd", [1, ROWS])


@sds
@pytest.mark.parametrize("order", [5, 14])
def test_integrals_of_polynomials_are_the_same_compiled_or_not(order, rows_of_sd):
    generator = np.random.default_rng(1)
    reach, centre = generator.uniform(0.3, 1.0, ROWS), generator.normal(0.0, 0.2, (ROWS, SIZE))
    arguments = (reach, centre, generator.uniform(0.0, 0.5, (rows_of_sd, SIZE)), *hermite(9), 1.2, 4)
    polynomial = concave_polynomials(order)
    compiled, plain = (
        twin.integrate_polynomials(polynomial, *arguments) for twin in (loops_compiled, loops_plain)
    )
    np.testing.assert_allclose(compiled, plain, atol=2e-6)


@sds
@pytest.mark.parametrize("order", [5, 14])
def test_effects_of_leaves_are_the_same_compiled_or_not(order, rows_of_sd):
    generator = np.random.default_rng(2)
    reach, away = generator.uniform(0.5, 1.0, ROWS), generator.normal(0.0, 0.1, (ROWS, SIZE))
    sd, scores = generator.uniform(0.0, 0.1, (rows_of_sd, SIZE)), generator.normal(size=(ROWS, SIZE))
    polynomial = concave_polynomials(order)
    compiled, plain = (
        twin.leaf_effects(polynomial, reach, away, sd, scores) for twin in (loops_compiled, loops_plain)
    )
    np.testing.assert_allclose(compiled, plain, atol=1e-9)


@sds
@pytest.mark.parametrize("rows_of_basis", [1, 3])
def test_sums_of_polynomials_are_the_same_compiled_or_not(rows_of_sd, rows_of_basis):
    generator = np.random.default_rng(3)
    leaves, powers, nodes = ROWS, 8, 3
    arguments = (
        generator.normal(size=(leaves, powers, nodes)),
        generator.uniform(size=(rows_of_basis, nodes, SIZE)),
        generator.integers(0, rows_of_basis, leaves),
        generator.uniform(1.0, 50.0, leaves),
        generator.normal(size=leaves),
        generator.uniform(0.0, 0.2, (rows_of_sd, SIZE)),
        generator.uniform(0.3, 1.0, leaves),
        *shifts_of_leaves(generator, leaves),
        np.array([0, 4, 5, 7]),
    )
    compiled, plain = (twin.sum_polynomials(*arguments) for twin in (loops_compiled, loops_plain))
    np.testing.assert_allclose(compiled, plain, rtol=1e-9, atol=1e-9)


def shifts_of_leaves(generator: np.random.Generator, leaves: int) -> tuple[np.ndarray, ...]:
    """Rows of four department types and two trusts, and which of them each leaf takes."""
    rows, common = generator.normal(0.0, 0.2, (4, SIZE)), generator.normal(0.0, 0.1, (2, SIZE))
    return rows, generator.integers(0, 4, leaves), common, np.sort(generator.integers(0, 2, leaves))


def test_largest_shifts_are_the_same_compiled_or_not():
    rows, row_of, common, common_of = shifts_of_leaves(np.random.default_rng(4), 9)
    compiled, plain = (
        twin.largest_shifts(rows, row_of, common, common_of) for twin in (loops_compiled, loops_plain)
    )
    np.testing.assert_array_equal(compiled, plain)
    assert plain[3] == max(abs(rows[row_of[3], s] - common[common_of[3], s]) for s in range(SIZE))


# Counts, sizes (expected events or people), and predictors up to three standard deviations from what was counted.
COUNTS = np.array([0.0, 1.0, 7.0, 250.0, 40_000.0])
PEOPLE = np.array([3.0, 9.0, 60.0, 300.0, 90_000.0])


@pytest.mark.parametrize("family", ["poisson", "binomial"])
@pytest.mark.parametrize("sd", [0.0, 0.01, 0.3, 2.0, [[0.0], [0.01], [0.1], [0.3], [2.0]]])
def test_marginals_of_counts_are_the_same_compiled_or_not(family, sd):
    outcomes = Outcomes(family_of(family), COUNTS, COUNTS, PEOPLE)
    guess, information = outcomes.guess()
    sd = np.array(sd)  # one for all leaves, or one a leaf
    away = np.linspace(-3.0, 3.0, 9) * np.sqrt(sd**2 + 1.0 / information[:, np.newaxis])
    arguments = outcomes, guess[:, np.newaxis] + away, sd
    # They stop looking for the mode at different places, which a wide effect shows in the fifth digit.
    compiled, plain = (leaf_marginals(*arguments, loops) for loops in (loops_compiled, loops_plain))
    for part, (one, other) in enumerate(zip(compiled, plain, strict=True)):
        np.testing.assert_allclose(
            one, other, rtol=1e-4, atol=1e-6 * (1.0 if part == 3 else COUNTS.max() ** 0.5)
        )


@pytest.mark.parametrize("loops", [loops_compiled, loops_plain])
@pytest.mark.parametrize(
    ("events", "people", "sd", "away"), [(0, 4, 0.6, 0.5), (3, 8, 0.3, -1.0), (60, 90, 0.2, 0.3)]
)
def test_marginals_of_binomial_counts_are_integrals(loops, events, people, sd, away):
    """Value, slope, curvature and variance by adaptive quadrature and finite differences of its logarithm."""
    observed, size = np.array([float(events)]), np.array([float(people)])
    outcomes = Outcomes(BINOMIAL, observed, observed, size)
    centre = float(outcomes.guess()[0][0]) + away

    def likelihood(predictor: float) -> float:
        return float(np.exp(events * predictor - people * np.logaddexp(0.0, predictor)))

    def moment(predictor: float, power: int) -> float:
        def density(z: float) -> float:
            return z**power * likelihood(predictor + sd * z) * float(stats.norm.pdf(z))

        return float(integrate.quad(density, -12.0, 12.0, epsabs=0.0, epsrel=1e-12, limit=400)[0])

    total = moment(centre, 0)
    step = 1e-3
    up, down = np.log(moment(centre + step, 0)), np.log(moment(centre - step, 0))
    result = leaf_marginals(outcomes, np.array([[centre]]), np.array(sd), loops)
    assert result.value[0, 0] == pytest.approx(np.log(total), abs=1e-6)
    assert result.slope[0, 0] == pytest.approx((up - down) / (2 * step), abs=1e-4)
    assert result.curvature[0, 0] == pytest.approx((up - 2 * np.log(total) + down) / step**2, abs=1e-3)
    assert result.variance[0, 0] == pytest.approx(
        moment(centre, 2) / total - (moment(centre, 1) / total) ** 2, abs=1e-5
    )


def test_marginals_of_all_but_plain_counts_are_those_of_the_quadrature():
    """Estimates, intervals, and counts that are there only because they are not small."""
    estimates = Outcomes(NORMAL, np.array([0.2, -1.0]), np.array([0.2, -1.0]), np.array([0.3, 0.1]))
    intervals = Outcomes(POISSON, COUNTS, COUNTS + np.array([0.0, 3.0, 0.0, 10.0, 0.0]), PEOPLE)
    least = np.array([0.0, 1.0, 5.0, 0.0, 11.0])
    conditioned = Outcomes(POISSON, COUNTS, COUNTS, PEOPLE, least)
    for outcomes in (estimates, intervals, conditioned):
        predictor = outcomes.guess()[0][:, np.newaxis] + np.array([-0.2, 0.0, 0.4])
        by_quadrature = integrate_leaf(outcomes, predictor, np.array(0.25))
        for loops in (loops_compiled, loops_plain):
            result = leaf_marginals(outcomes, predictor, np.array(0.25), loops)
            for name in ("value", "slope", "curvature", "variance"):
                np.testing.assert_allclose(
                    getattr(result, name), getattr(by_quadrature, name), rtol=1e-6, atol=1e-8, err_msg=name
                )


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


def test_products_of_types_are_the_same_compiled_or_not_and_those_of_dense_matrices():
    generator = np.random.default_rng(6)
    bounds, n_types = np.array([0, 1, 4, 11, 12]), 5
    leaf_type = generator.integers(0, n_types, bounds[-1])  # a type may come twice in a run
    weight, gain = generator.uniform(0.5, 2.0, bounds[-1]), generator.uniform(0.1, 1.0, len(bounds) - 1)
    load = np.zeros((len(gain), n_types))
    np.add.at(load, (np.repeat(np.arange(len(gain)), np.diff(bounds)), leaf_type), weight)
    for loops in (loops_compiled, loops_plain):
        found = loops.products_of_types(bounds, leaf_type, weight, gain, n_types)
        np.testing.assert_allclose(found, (load * gain[:, np.newaxis]).T @ load, atol=1e-12)


@pytest.mark.parametrize("family", ["poisson", "binomial"])
@pytest.mark.parametrize("sd", [0.0, 0.2, 1.0])
def test_conditioned_counts_have_the_same_marginals_compiled_or_not(family, sd):
    """Intervals with and without an end, and counts shown only from one on, of any size."""
    lower = np.array([0.0, 1.0, 3.0, 40.0, 2_000.0, 12.0, 11.0, 700.0])
    size = np.array([9.0, 9.0, 60.0, 300.0, 9_000.0, 40.0, 60.0, 20_000.0])
    endless = np.inf if family == "poisson" else size[3]
    upper = np.array([4.0, 7.0, 3.0, endless, 2_010.0, 12.0, 11.0, 700.0])
    least = np.array([0.0, 0.0, 3.0, 0.0, 0.0, 11.0, 11.0, 500.0])
    outcomes = Outcomes(family_of(family), lower, upper, size, least)
    guess, information = outcomes.guess()
    predictor = guess[:, np.newaxis] + np.linspace(-3.0, 3.0, 7) / np.sqrt(information + 1.0)[:, np.newaxis]
    compiled, plain = (
        leaf_marginals(outcomes, predictor, np.array(sd), loops) for loops in (loops_compiled, loops_plain)
    )
    for one, other in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
