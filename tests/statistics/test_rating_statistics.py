"""Departments against the rating: bands earned, reversals, by brute force."""

import numpy as np
import pytest
from scipy import stats

from brightspots.engine.posterior import StoredPosterior
from brightspots.statistics.rating_model import RatedPosterior
from brightspots.statistics.rating_statistics import rating_statistics as statistics_of
from brightspots.statistics.ratings import Ratings, read_ratings
from tests.conftest import made_up_posterior, simulate_frame, table_of
from tests.statistics.test_summaries import shared_of


def rated_posterior(trust_levels, department_levels, ratings, band_mean, sd=1.0):
    """Two draws of known effects for trusts with two departments each."""
    cells = table_of(simulate_frame(len(trust_levels), 2)).cells
    posterior = StoredPosterior(
        cells,
        shared_of(sd_trust=[sd] * 2, sd_department=np.array([sd, sd])),
        np.repeat(np.asarray(trust_levels, float)[:, None], 2, axis=1),
        np.repeat(np.asarray(department_levels, float)[:, None], 2, axis=1),
    )
    means = np.repeat(np.asarray(band_mean, float)[:, None], 2, axis=1)
    return RatedPosterior(
        posterior, read_ratings(cells, dict(zip(cells.trusts, ratings, strict=True))), means
    )


def test_bands_are_cut_on_the_trust_distribution_at_the_real_frequencies():
    """Two bands in equal numbers: a department above the centre (worse) would be in the lower band."""
    rated = rated_posterior([0.0, 0.0], [0.5, -0.5, 0.5, -0.5], [1, 2], [0.0, 0.0])
    worse = statistics_of(rated, "worse")
    np.testing.assert_array_equal(worse.p_other_band, [0, 1, 1, 0])
    better = statistics_of(rated, "better")
    np.testing.assert_array_equal(better.p_other_band, [1, 0, 0, 1])
    np.testing.assert_array_equal(better.p_two_bands, [0, 0, 0, 0])


def test_the_spread_of_trusts_is_that_between_bands_and_within():
    """Bands at ±2 and σ_u = 1: the cuts of three equal bands lie at ±0.43·√(8/3 + 1) = ±0.82."""
    rated = rated_posterior([0.0] * 3, [0, 0, 0.81, 0.83, 0, -1.1], [1, 2, 3], [2.0, 0.0, -2.0])
    found = statistics_of(rated, "worse")
    np.testing.assert_array_equal(found.p_other_band, [0, 0, 0, 1, 0, 0])
    np.testing.assert_allclose(found.explained["trust"], (8 / 3) / (8 / 3 + 1))
    np.testing.assert_allclose(found.explained["trust_and_department"], (8 / 3) / (8 / 3 + 2))


def test_bands_of_departments_are_cut_on_the_distribution_of_departments():
    """σ_u = σ_v = 1: the cuts of three equal bands lie at ±0.43·√2 = ±0.61."""
    by_trust = rated_posterior([0.0] * 3, [0.5, 0.5, 0.6, 0.62, 0, 0], [1, 2, 3], [0.0, 0.0, 0.0])
    own = Ratings((1, 2, 3), np.array([0, 1, 1, 1, 2, 2]), None, np.array([False, False, True]))
    found = statistics_of(RatedPosterior(by_trust.posterior, own, by_trust.band_mean), "worse")
    assert set(found.explained) == {"trust_and_department"}
    sd = np.sqrt(2)
    cut_low, cut_high = sd * np.array([-0.9674216, 0.4307273])  # Φ⁻¹ of 1/6 and of 4/6
    level = -np.array([0.5, 0.5, 0.6, 0.62, 0, 0])
    earned = (level > cut_low).astype(int) + (level > cut_high)
    np.testing.assert_array_equal(found.p_other_band, earned != own.cell_band)
    assert found.p_other_band[0] == 1


@pytest.mark.parametrize("higher_is", ["worse", "better"])
@pytest.mark.parametrize("by_department", [False, True])
def test_everything_by_brute_force(higher_is, by_department):
    posterior = made_up_posterior(table_of(simulate_frame(8, 3)).cells, draws=20)
    cells = posterior.cells
    rng = np.random.default_rng(2)
    if by_department:
        band = rng.integers(0, 3, cells.n_cells)
        rated = Ratings((1, 2, 3), band, None, np.array([False, True, True]))
    else:
        rated = read_ratings(cells, dict(zip(cells.trusts, [1, 1, 2, 2, 3, 3, 2, 3], strict=True)))
        band = rated.cell_band
    mean = rng.normal(0, 0.1, (3, 20))
    mean -= rated.frequencies @ mean
    found = statistics_of(RatedPosterior(posterior, rated, mean), higher_is)

    level = posterior.trust_effect[cells.cell_trust] + posterior.department_effect
    level += mean[band]
    good = level if higher_is == "better" else -level
    wins, pairs = np.zeros(20), 0
    for i in range(cells.n_cells):
        for j in range(cells.n_cells):
            if band[i] < band[j]:
                wins += good[j] < good[i]
                pairs += 1
    np.testing.assert_allclose(found.reversed, wins / pairs, atol=0.006)
    between = rated.frequencies @ mean**2 + posterior.shared.sd["trust"] ** 2
    sd = np.sqrt(between + by_department * posterior.shared.sd["department"] ** 2)
    cuts = stats.norm.ppf(np.cumsum(rated.frequencies)[:-1])[:, np.newaxis] * sd
    away = np.abs(np.sum(good[np.newaxis] > cuts[:, np.newaxis], axis=0) - band[:, np.newaxis])
    np.testing.assert_allclose(found.p_other_band, (away >= 1).mean(axis=1))
    np.testing.assert_allclose(found.p_two_bands, (away >= 2).mean(axis=1))
