"""Tail probabilities of overdispersed counts against a dense sum over the predictor."""

import numpy as np
import pytest
from scipy import special, stats

from brightspots.likelihood.families import BINOMIAL, family_of
from brightspots.likelihood.mixtures import at_least


@pytest.mark.parametrize("sd", [0.02, 0.2, 0.7])
@pytest.mark.parametrize("family", ["poisson", "binomial"])
def test_predictive_tails_are_those_of_a_dense_sum(family, sd):
    if family == "poisson":
        count, people = np.array([0.0, 3.0, 2_000.0, 1.0, 60.0]), np.ones(5)
        location = np.array([0.5, 1.0, 7.7, -3.0, 4.0])[:, np.newaxis]
    else:
        count, people = np.array([0.0, 3.0, 400.0, 25.0, 7.0]), np.array([20.0, 500.0, 1e5, 30.0, 7.0])
        location = np.array([-1.0, -4.0, -5.4, 2.0, 1.0])[:, np.newaxis]
    x = np.linspace(-8, 8, 20_001)
    density = stats.norm.pdf(x) / stats.norm.pdf(x).sum()
    predictor = location + sd * x
    if family == "poisson":
        tail = stats.poisson.sf(count[:, np.newaxis] - 1, np.exp(predictor))
    else:
        tail = stats.binom.sf(count[:, np.newaxis] - 1, people[:, np.newaxis], special.expit(predictor))
    ours = at_least(family_of(family), count, people, location, np.full_like(location, sd))
    np.testing.assert_allclose(ours[:, 0], tail @ density, atol=5e-6)


def test_impossible_counts_have_no_probability():
    location, sd = np.zeros((1, 2)), np.full((1, 2), 0.1)
    np.testing.assert_array_equal(at_least(BINOMIAL, np.array([8.0]), np.array([7.0]), location, sd), 0.0)
