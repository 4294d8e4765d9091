"""Bands above the trusts of a fit: effects and what is said by them, against long NUTS and against another fit."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import brightspots as bs
from brightspots import Priors
from brightspots.engine.posterior import Conditional, StoredPosterior
from brightspots.statistics import rated_effects, rating_model
from brightspots.statistics.rated_effects import given_trust
from brightspots.statistics.rating_model import fit_with_ratings, with_ratings
from brightspots.statistics.rating_statistics import rating_statistics
from tests.conftest import simulate_frame
from tests.golden import nuts_ratings


@pytest.fixture
def never_again(monkeypatch):
    """Another fit is an error."""

    def refuse(*_):
        raise AssertionError("another fit")

    monkeypatch.setattr(rating_model, "fit_with_ratings", refuse)


@pytest.mark.usefixtures("never_again")
def test_a_thin_nation_agrees_with_long_nuts():
    frame = nuts_ratings.data()
    spots = bs.fit_hierarchy(frame, seed=1).find_spots()
    explained = spots.rating_explains()
    with np.load(nuts_ratings.FILE) as reference:
        assert reference["divergences"] == 0
        for of in ("trust", "trust_and_department"):
            lower, middle, upper = reference[of]
            row = explained.loc[of]
            assert row["share"] == pytest.approx(middle, abs=0.012)
            assert row["share_lower"] == pytest.approx(lower, abs=0.02)
            # Of 80,000 draws: two runs differ by 0.025 at this end.
            assert row["share_upper"] == pytest.approx(upper, abs=0.04)
        np.testing.assert_allclose(
            np.array(explained.attrs["p_reversed"])[[1, 0, 2]], reference["reversed"], atol=0.012
        )
        for column in ("p_other_band", "p_two_bands"):
            gap = spots.table[column].to_numpy() - reference[column]
            assert np.sqrt(np.mean(gap**2)) < 0.006, column
            assert abs(gap.mean()) < 0.003, column
            assert np.abs(gap).max() < 0.025, column


def nation(trusts, departments, **options):
    return bs.simulate_nation(trusts, departments, seed=3, **options).cells


TABLES = {
    "ordinary": lambda: nation(60, 10, rating_validity=0.6),
    "few events": lambda: nation(80, 8, mean_expected=3, rating_validity=0.8),
    "periods": lambda: nation(90, 5, periods=4, rating_validity=0.6),
    "proportions": lambda: nation(50, 8, family="binomial", rating_validity=0.7),
    "estimates": lambda: nation(50, 8, family="normal", rating_validity=0.7),
    "uncertain expected": lambda: nation(50, 8, mean_expected=60, rating_validity=0.7).assign(
        expected_sd=0.1
    ),
}


@pytest.mark.parametrize("kind", TABLES)
def test_the_same_is_said_as_by_another_fit(kind, monkeypatch):
    frame = TABLES[kind]()
    options = {"expected_sd": "expected_sd"} if kind == "uncertain expected" else {}
    if "standard_error" in frame:
        options |= {"estimate": "estimate", "standard_error": "standard_error"}
    fit = bs.fit_hierarchy(frame, seed=1, **options)
    ratings = fit.find_spots().ratings
    first = rating_statistics(with_ratings(fit.effects, fit.priors, ratings, 1), "worse")
    monkeypatch.setattr(rating_model, "_DRAWS", 2_000)
    other = rating_statistics(fit_with_ratings(fit.effects.cells, fit.priors, ratings, 1), "worse")
    for name in ("p_other_band", "p_two_bands"):
        gap = getattr(first, name) - getattr(other, name)
        assert np.sqrt(np.mean(gap**2)) < 0.01, name
        assert abs(gap.mean()) < 0.005, name
    assert np.median(first.reversed) == pytest.approx(np.median(other.reversed), abs=0.006)
    for of, draws in first.explained.items():
        assert np.median(draws) == pytest.approx(np.median(other.explained[of]), abs=0.03), of


@pytest.mark.parametrize(("events", "expected"), [(0, 3.0), (4, 2.0), (60, 40.0)])
def test_distributions_of_departments_move_with_their_trust(events, expected):
    """A count with mean expected·e^(u + v): the density of v at each u by the trapezoid rule."""
    sd = 0.4
    v = np.linspace(-3.0, 3.0, 20_001)

    def shape(u):
        density = stats.poisson.pmf(events, expected * np.exp(u + v)) * stats.norm.pdf(v, 0.0, sd)
        density /= density.sum()
        mean = density @ v
        spread = np.sqrt(density @ (v - mean) ** 2)
        score = (v - mean) / spread
        return mean, spread, density @ score**3, density @ score**4 - 3.0

    at_mean = Conditional(*(np.full((1, 1), part, np.float32) for part in shape(0.0)))
    for away in (-0.3, -0.1, 0.1, 0.3):
        moved = given_trust(at_mean, np.array([[away]]), np.array([sd]))
        mean, spread, skewness, _ = shape(away)
        assert moved.mean[0, 0] == pytest.approx(mean, abs=0.003 * sd)
        assert moved.sd[0, 0] == pytest.approx(spread, rel=0.004)
        assert moved.skewness[0, 0] == pytest.approx(skewness, abs=0.02)


@pytest.fixture
def ways(monkeypatch):
    """What kinds of other fits are made, in order."""
    made = []

    def noting(name):
        work = getattr(rating_model, name)

        def note(*arguments):
            made.append(name)
            return work(*arguments)

        monkeypatch.setattr(rating_model, name, note)

    noting("fit_with_ratings")
    noting("_integrated")
    return made


def test_the_fit_serves_or_another_of_the_rated_trusts_or_one_with_bands_in_it(ways, monkeypatch):
    frame = simulate_frame(20, 4)
    rating = dict(zip(frame["trust"].unique(), np.arange(20) % 3 + 1, strict=True))
    fit = bs.fit_hierarchy(frame, seed=1)

    def made_for(fit, rating):
        ways.clear()
        assert fit.find_spots(rating=rating).table["p_other_band"].notna().any()
        return ways

    assert made_for(fit, rating) == []
    assert made_for(fit, dict(list(rating.items())[:12])) == ["_integrated"]
    posterior = fit.effects
    effects = [(block.trust_effect, block.department_effect) for block in posterior.blocks()]
    drawn = StoredPosterior(
        posterior.cells, posterior.shared, *map(np.concatenate, zip(*effects, strict=True))
    )
    assert made_for(replace(fit, effects=drawn), rating) == ["_integrated"], "draws, as from a sampler"
    bands = ["fit_with_ratings", "_integrated"]
    own = frame[["trust", "department"]].assign(rating=np.arange(len(frame)) % 3 + 1)
    assert made_for(fit, own) == bands
    sized = frame.assign(size=np.arange(len(frame)) % 5)
    assert made_for(bs.fit_hierarchy(sized, covariates="size", seed=1), rating) == bands
    assert made_for(bs.fit_hierarchy(frame, priors=Priors(department=None), seed=1), rating) == bands
    monkeypatch.setattr(rated_effects, "_EFFECTIVE", 2.0)
    assert made_for(fit, rating) == bands


@pytest.mark.usefixtures("never_again")
def test_numbers_do_not_depend_on_the_order_of_rows_or_on_how_often_they_are_asked_for():
    frame = nation(30, 6, rating_validity=0.7)
    first = bs.fit_hierarchy(frame, seed=1).find_spots()
    shuffled = frame.sample(frac=1.0, random_state=1)
    other = bs.fit_hierarchy(shuffled, seed=1).find_spots()
    pd.testing.assert_frame_equal(first.rating_explains(), other.rating_explains())
    pd.testing.assert_frame_equal(first.rating_explains(), first.rating_explains())
    keys, columns = ["trust", "department"], ["p_other_band", "p_two_bands"]
    pd.testing.assert_frame_equal(
        first.table.sort_values(keys)[columns].reset_index(drop=True),
        other.table.sort_values(keys)[columns].reset_index(drop=True),
    )
