"""The hierarchy with the rating in it."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import brightspots as bs
from brightspots import CertificateWarning, Priors
from brightspots.engine.posterior import Certificate
from brightspots.simulate.nation import simulate_nation
from brightspots.statistics.rating_model import as_level, fit_with_ratings
from brightspots.statistics.rating_statistics import rating_statistics
from brightspots.statistics.ratings import read_ratings
from tests.conftest import simulate_frame, table_of

# Coaching effects in eight schools and their standard errors (Rubin 1981).
SCHOOLS = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
ERRORS = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])


def independent_draws(mean, sd, draws=4_000):
    """Draws of independent normals with these moments, exactly."""
    rng = np.random.default_rng(1)
    whitened = np.linalg.qr(rng.normal(size=(draws, len(mean) + 1)))[0][:, 1:]
    centred = whitened - whitened.mean(axis=0)
    centred = centred @ np.linalg.inv(np.linalg.cholesky(np.cov(centred.T)).T)
    return mean[:, None] + sd[:, None] * centred.T


def eight_schools(prior):
    """Posterior moments of θ − mean(θ) by the formulas of Gelman et al., BDA3, section 5.4, on a grid of τ."""
    tau = np.linspace(0.005, 150, 30_000)
    precision = 1 / (ERRORS[:, None] ** 2 + tau**2)
    v_mu = 1 / precision.sum(axis=0)
    mu = v_mu * (precision * SCHOOLS[:, None]).sum(axis=0)
    log_density = 0.5 * np.log(v_mu) + 0.5 * np.sum(
        np.log(precision) - precision * (SCHOOLS[:, None] - mu) ** 2, axis=0
    )
    weight = np.exp(log_density - log_density.max()) * prior(tau)
    weight /= weight.sum()
    shrunk = (SCHOOLS[:, None] / ERRORS[:, None] ** 2 + mu / tau**2) * (
        1 / (1 / ERRORS[:, None] ** 2 + 1 / tau**2)
    )
    given_tau = shrunk - shrunk.mean(axis=0)
    kept = 1 / (1 / ERRORS[:, None] ** 2 + 1 / tau**2)
    slope = (ERRORS[:, None] ** 2) / (ERRORS[:, None] ** 2 + tau**2)
    # Var(θ_j − θ̄ | τ): independent parts given μ, and the part that μ brings.
    own = kept * (1 - 2 / 8) + kept.sum(axis=0) / 64
    variance = own + (slope - slope.mean(axis=0)) ** 2 * v_mu
    mean = given_tau @ weight
    return mean, np.sqrt(variance @ weight + (given_tau - mean[:, None]) ** 2 @ weight)


@pytest.mark.parametrize(
    ("scale", "prior"),
    [(np.inf, np.ones_like), (10.0, lambda tau: np.exp(-0.5 * (tau / 10.0) ** 2))],
    ids=["flat", "half-normal"],
)
def test_bands_as_a_level_reproduce_the_eight_schools(scale, prior):
    level = as_level(independent_draws(SCHOOLS, ERRORS), scale, np.random.default_rng(1))
    mean, sd = eight_schools(prior)
    np.testing.assert_allclose(level.mean(axis=1), mean, atol=0.3)
    np.testing.assert_allclose(level.std(axis=1), sd, rtol=0.05)
    np.testing.assert_allclose(level.sum(axis=0), 0.0, atol=1e-9)


def test_the_grid_of_the_eight_schools_gives_the_published_values():
    """θ_A ≈ 11.4 and the others as in the posterior means that Stan's documentation prints, up to their mean."""
    published = np.array([11.4, 7.9, 6.1, 7.7, 5.1, 6.1, 10.6, 8.4])
    np.testing.assert_allclose(eight_schools(np.ones_like)[0], published - published.mean(), atol=0.3)


def shares(nation, ratings=None, priors=None, seed=1):
    """Draws of the shares of a nation's rating (or of another one), and the ratings."""
    columns = (
        {} if "expected" in nation.cells else {"estimate": "estimate", "standard_error": "standard_error"}
    )
    cells = table_of(nation.cells, **columns).cells
    values = (
        nation.cells.drop_duplicates("trust").set_index("trust")["rating"] if ratings is None else ratings
    )
    rated = read_ratings(cells, values)
    posterior = fit_with_ratings(cells, priors or Priors(), rated, seed)
    return rating_statistics(posterior, "worse").explained, rated


@pytest.mark.parametrize("validity", [0.3, 0.6, 0.9])
def test_where_trusts_are_known_the_share_is_the_adjusted_r_squared_of_their_effects(validity):
    """Precise estimates leave one-way analysis of variance of the true effects: adjusted R² (Ezekiel 1930)."""
    nation = simulate_nation(
        100, 40, family="normal", mean_expected=4_000, sd_department=0.02, rating_validity=validity, seed=3
    )
    draws, rated = shares(nation)
    effect = nation.trusts.sort_values("trust")["trust_effect"].to_numpy()
    groups = [effect[rated.trust_band == band] for band in range(len(rated.levels))]
    within = sum(np.sum((group - group.mean()) ** 2) for group in groups) / (len(effect) - len(groups))
    assert draws["trust"].mean() == pytest.approx(1 - within / effect.var(ddof=1), abs=0.02)


def test_a_rating_drawn_by_lot_explains_next_to_nothing():
    nation = simulate_nation(100, 10, seed=1)
    by_lot = dict(zip(nation.trusts["trust"], np.random.default_rng(1).integers(1, 5, 100), strict=True))
    draws, _ = shares(nation, by_lot)
    assert draws["trust"].mean() < 0.05
    assert np.quantile(draws["trust"], 0.025) < 0.002


def test_two_bands_are_enough_whatever_the_priors():
    nation = simulate_nation(60, 8, rating_frequencies={"low": 1, "high": 1}, rating_validity=0.8, seed=1)
    default, _ = shares(nation)
    flat, _ = shares(nation, priors=Priors(trust=bs.Flat(), covariate=bs.Flat(), department_type=None))
    assert flat["trust"].mean() == pytest.approx(default["trust"].mean(), abs=0.03)


def test_a_covariate_that_is_the_rating_leaves_nothing_to_explain():
    nation = simulate_nation(60, 8, rating_validity=0.9, seed=2)
    frame = nation.cells.assign(stars=nation.cells["rating"].cat.codes.astype(str))
    before = bs.fit_hierarchy(frame, seed=1).find_spots().rating_explains()
    assert before.loc["trust", "share"] > 0.4
    after = bs.fit_hierarchy(frame, covariates="stars", seed=1).find_spots().rating_explains()
    assert after.loc["trust", "share_lower"] < 0.05


@pytest.mark.filterwarnings(
    "ignore:.*a ratio of:brightspots.DataWarning"
)  # the unrated ones have far more events
def test_unrated_trusts_count_neither_for_the_rating_nor_against_it():
    """They differ from each other and from all others by far; the rated ones are compared as if alone."""
    nation = simulate_nation(60, 8, rating_validity=0.8, seed=1)
    rated = nation.cells.assign(rating=nation.cells["rating"].astype(str))
    rng = np.random.default_rng(1)

    def with_unrated(spread, share):
        factor = rng.lognormal(1.0, spread, 60)[rated["trust"].factorize()[0]]
        unrated = rated.assign(
            trust="X" + rated["trust"], observed=(factor * rated["observed"]).round(), rating="Not rated"
        )
        unrated = unrated[unrated["trust"].factorize()[0] < share * 60]
        both = pd.concat([rated, unrated], ignore_index=True)
        return bs.fit_hierarchy(both, seed=1).find_spots()

    few, many = with_unrated(0.3, 0.2), with_unrated(0.8, 1.0)
    pd.testing.assert_frame_equal(few.rating_explains(), many.rating_explains())
    columns, alone = (
        ["p_other_band", "p_two_bands"],
        bs.fit_hierarchy(rated, seed=1).find_spots(),
    )
    pd.testing.assert_frame_equal(*(spots.table.loc[: len(rated) - 1, columns] for spots in (few, many)))
    pd.testing.assert_frame_equal(many.rating_explains(), alone.rating_explains(), atol=0.03)
    gap = many.table.loc[: len(rated) - 1, columns] - alone.table[columns]
    assert np.sqrt(np.mean(gap**2)) < 0.01
    assert many.table.loc[len(rated) :, columns].isna().all(axis=None)


def test_ratings_of_departments_explain_departments():
    frame = simulate_frame(40, 10, sd_department=0.3, mean_expected=400)
    ratio = np.log((frame["observed"] + 0.5) / frame["expected"])
    grade = np.digitize(-ratio, np.quantile(-ratio, [0.2, 0.8])) + 1
    fit = bs.fit_hierarchy(frame, seed=1)
    own = fit.find_spots(rating=frame[["trust", "department"]].assign(rating=grade))
    explained = own.rating_explains()
    assert list(explained.index) == ["trust_and_department"]
    # Three bands of a normal in shares 1:3:1 hold this much of its variance.
    third = 2 * stats.norm.pdf(stats.norm.ppf(0.2)) ** 2 / 0.2
    assert explained.loc["trust_and_department", "share"] == pytest.approx(third, abs=0.06)
    assert explained.attrs["p_reversed"][0] < 0.1
    shuffled = np.random.default_rng(1).permutation(grade)
    lots = fit.find_spots(rating=frame[["trust", "department"]].assign(rating=shuffled)).rating_explains()
    assert lots.loc["trust_and_department", "share"] < 0.02
    assert lots.attrs["p_reversed"][0] == pytest.approx(0.5, abs=0.03)


def test_the_same_fit_gives_the_same_numbers(frame):
    fit = bs.fit_hierarchy(frame, seed=5)
    first, second = (fit.find_spots().rating_explains() for _ in range(2))
    assert first.equals(second)
    assert first.attrs == second.attrs


def test_a_comparison_without_certificate_is_said_aloud(frame, monkeypatch):
    from brightspots.engine.integration import integrate as engine

    failed = Certificate("integrate", 12.0, 1.4, np.nan, 0, 0.1, False, "Pareto k̂ 1.40 is not below 0.7")
    monkeypatch.setattr(engine, "certify", lambda *_: failed)
    cells = table_of(frame).cells
    rated = read_ratings(cells, frame.drop_duplicates("trust").set_index("trust")["rating"])
    with pytest.warns(CertificateWarning, match=r"did not earn its certificate: Pareto k̂ 1.40"):
        fit_with_ratings(cells, Priors(), rated, 1)
