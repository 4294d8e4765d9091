"""σ of department types given that of the typical one: against quadrature, and what is drawn is what is said."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, special, stats

from brightspots.engine.integration import loops_compiled, loops_plain
from brightspots.engine.integration.type_scales import TypeScales

KNOTS = np.linspace(-5.0, 2.0, 81)
# log σ of types as their departments have it: well known, known from above alone, and next to unknown.
MODES, WIDTHS = np.array([-1.5, -2.5, -0.5]), np.array([0.05, 0.4, 2.0])

loops_of = pytest.mark.parametrize("loops", [loops_compiled, loops_plain], ids=["compiled", "plain"])


def log_likelihood(log_sd: np.ndarray) -> np.ndarray:
    """(…, 3); that of the second is flat towards 0."""
    away = (log_sd[..., np.newaxis] - MODES) / WIDTHS
    away[..., 1] = np.maximum(away[..., 1], 0.0)
    return -0.5 * away**2


def types(loops) -> TypeScales:
    return TypeScales.of(KNOTS, log_likelihood(KNOTS).T, loops)


TYPICAL = np.array([-1.5, -1.4, -3.0, -0.2])
SPREAD = np.array([0.3, 0.01, 1.0, 0.1])


def density_of(number: int, typical: float, spread: float):
    return lambda x: float(
        np.exp(log_likelihood(np.array(x))[number] + stats.norm.logpdf(x, typical, spread))
    )


def integral(number: int, typical: float, spread: float, below: float = np.inf) -> float:
    """Of prior times likelihood, piece by piece: from twelve standard deviations off to where either peaks, and on."""
    density = density_of(number, typical, spread)
    reaches = [(typical, spread), (float(MODES[number]), float(WIDTHS[number]))]
    ends = sorted({peak + 12.0 * width * side for peak, width in reaches for side in (-1.0, 0.0, 1.0)})
    points = np.unique([np.linspace(*pair, 9) for pair in pairwise(ends)])
    points = np.unique(np.minimum(points, below))
    return sum(integrate.quad(density, *pair)[0] for pair in pairwise(points))


@loops_of
def test_totals_are_the_integrals_over_all_types(loops):
    found = types(loops).log_total(TYPICAL, SPREAD)
    exact = [
        sum(np.log(integral(number, *each)) for number in range(3))
        for each in zip(TYPICAL, SPREAD, strict=True)
    ]
    np.testing.assert_allclose(found, exact, atol=0.01)


@loops_of
def test_quantiles_are_those_of_prior_times_likelihood(loops):
    uniform = np.full((len(TYPICAL), 3), 0.3)
    drawn, log_density = types(loops).draw(TYPICAL, SPREAD, uniform)
    for row, each in enumerate(zip(TYPICAL, SPREAD, strict=True)):
        for number in range(3):
            whole = integral(number, *each)
            assert integral(number, *each, below=drawn[row, number]) / whole == pytest.approx(0.3, abs=5e-3)
            exact = density_of(number, *each)(drawn[row, number]) / whole
            assert np.exp(log_density[row, number]) == pytest.approx(exact, rel=0.02)


@loops_of
def test_scores_are_the_inverse_of_draws(loops):
    uniform = np.random.default_rng(1).random((4, 3))
    drawn, log_density = types(loops).draw(TYPICAL, SPREAD, uniform)
    scores, again = types(loops).scores(TYPICAL, SPREAD, drawn)
    np.testing.assert_allclose(special.ndtr(scores), uniform, atol=1e-6)
    np.testing.assert_allclose(again, log_density, atol=1e-6)
    far, nil = types(loops).scores(TYPICAL, SPREAD, np.full((4, 3), 9.0))
    assert np.all(np.isneginf(nil))
    assert np.all(far > 0.0)


def test_densities_are_the_same_compiled_or_not():
    parts = [types(loops)._densities(TYPICAL, SPREAD) for loops in (loops_compiled, loops_plain)]
    for compiled, plain in zip(*parts, strict=True):
        np.testing.assert_allclose(compiled, plain, atol=1e-9)
