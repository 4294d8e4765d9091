"""Positive deviants: one probability of three conditions, by brute force and on a nation with a known truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import brightspots as bs
from brightspots import SettingsError, SpotRule
from brightspots.engine.posterior import StoredPosterior
from brightspots.fit.frames import cell_order
from brightspots.statistics.positive_deviants import lasting_probability
from brightspots.statistics.summaries import cell_summary
from tests.conftest import made_up_posterior, simulate_frame, table_of
from tests.statistics.test_ensemble import effects_of

MARGIN = 1.1


def of_years(years: int = 3, *, seed: int = 2) -> pd.DataFrame:
    frames = [simulate_frame(5, 3, seed=seed + year).assign(year=2020 + year) for year in range(years)]
    return pd.concat(frames, ignore_index=True).drop(columns="rating")


def with_periods(frame: pd.DataFrame, **columns) -> StoredPosterior:
    """Draws that no engine made, of departments that are mostly ahead, with effects of periods."""
    posterior = made_up_posterior(table_of(frame, period="year", **columns).cells)
    sds = {**posterior.shared.sd, "period": np.random.default_rng(1).uniform(0.05, 0.2, 400)}
    return replace(
        posterior,
        shared=replace(posterior.shared, sd=sds),
        department_effect=posterior.department_effect - 0.3,
    )


def by_brute_force(posterior: StoredPosterior, cell: int, periods: int) -> float:
    """Draw by draw, the share of each period's posterior of w that lies on the good side, on a fine grid."""
    cells, shared = posterior.cells, posterior.shared
    own, peer = (effect[cell] for effect in effects_of(posterior))
    recent = [
        leaf for leaf in np.flatnonzero(cells.leaf_cell == cell) if cells.leaf_period[leaf] >= 3 - periods
    ]
    fixed = shared.leaf_predictor(cells)
    together = np.where(np.maximum(own, peer) < -np.log(MARGIN), 1.0, 0.0)
    for draw in np.flatnonzero(together):
        sd = shared.sd["period"][draw]
        w = np.linspace(-8 * sd, 8 * sd, 4_001)
        good = w + max(own[draw], peer[draw]) < 0
        for leaf in recent:
            mean = np.exp(fixed[leaf, draw] + peer[draw] + w)
            density = stats.poisson.pmf(cells.lower[leaf], mean) * stats.norm.pdf(w, 0, sd)
            together[draw] *= integrate.trapezoid(density * good, w) / integrate.trapezoid(density, w)
    return float(together.mean())


@pytest.mark.parametrize("periods", [1, 2, 3])
def test_the_probability_is_that_of_all_conditions_at_once(periods):
    posterior = with_periods(of_years())
    summary = cell_summary(posterior, MARGIN, 0.95)
    found = lasting_probability(posterior, summary, "worse", periods=periods, least=0.0)
    assert set(found.periods) == {periods}
    for cell in (0, 4, 7, 11):
        assert found.probability[cell] == pytest.approx(by_brute_force(posterior, cell, periods), abs=2e-3)
    assert np.all(found.probability <= summary.p_both_low + 1e-9)
    assert found.probability.max() > 0.2


def test_an_error_of_what_was_expected_is_not_a_lasting_lead():
    """The periods share it: every w is known given the error alone, over whose posterior is summed."""
    posterior = with_periods(of_years())
    off = 0.2
    cells = replace(posterior.cells, expected_sd=np.full(posterior.cells.n_leaves, off))
    posterior = replace(posterior, cells=cells)
    found = lasting_probability(
        posterior, cell_summary(posterior, MARGIN, 0.95), "worse", periods=2, least=0.0
    ).probability
    shared, fixed = posterior.shared, posterior.shared.leaf_predictor(cells)
    errors = np.linspace(-4 * off, 4 * off, 61)[:, np.newaxis]
    for cell in (0, 7):
        own, peer = (effect[cell] for effect in effects_of(posterior))
        total = 0.0
        for draw in np.flatnonzero(np.maximum(own, peer) < -np.log(MARGIN)):
            sd = shared.sd["period"][draw]
            w = np.linspace(-6 * sd, 6 * sd, 401)
            weight, good = stats.norm.pdf(errors[:, 0], 0, off), np.ones(len(errors))
            for leaf in np.flatnonzero(cells.leaf_cell == cell):
                mean = np.exp(fixed[leaf, draw] + peer[draw] + errors + w)
                density = stats.poisson.pmf(cells.lower[leaf], mean) * stats.norm.pdf(w, 0, sd)
                whole = integrate.trapezoid(density, w)
                weight = weight * whole
                if cells.leaf_period[leaf] >= 1:
                    leads = w + max(own[draw], peer[draw]) < 0
                    good = good * integrate.trapezoid(density * leads, w) / whole
            total += np.sum(weight * good) / np.sum(weight)
        assert found[cell] == pytest.approx(total / shared.n_draws, abs=3e-3)


def test_a_department_is_asked_of_the_recent_periods_that_it_has():
    frame = of_years()
    gone = (frame["trust"] == "T001") & (frame["year"] > 2020)
    late = (frame["trust"] == "T002") & (frame["year"] == 2022)
    posterior = with_periods(frame[~(gone | late)])
    summary = cell_summary(posterior, MARGIN, 0.95)
    found = lasting_probability(posterior, summary, "worse", periods=2, least=0.0)
    of_trust = posterior.cells.trusts[posterior.cells.cell_trust]
    assert set(found.periods[of_trust == "T000"]) == {2}
    assert set(found.periods[of_trust == "T001"]) == {0}
    assert set(found.periods[of_trust == "T002"]) == {1}
    assert np.isnan(found.probability[of_trust == "T001"]).all()


def test_without_periods_it_is_the_probability_of_being_ahead_of_both():
    posterior = made_up_posterior(table_of(simulate_frame(8, 3)).cells)
    summary = cell_summary(posterior, MARGIN, 0.95)
    for higher_is, ahead in (("worse", summary.p_both_low), ("better", summary.p_both_high)):
        found = lasting_probability(posterior, summary, higher_is, periods=4, least=0.0)
        np.testing.assert_array_equal(found.probability, ahead)
        assert not found.periods.any()


@pytest.fixture(scope="module")
def nation() -> bs.Nation:
    return bs.simulate_nation(80, 12, periods=4, sd_department=0.3, sd_period=0.05, mean_expected=80, seed=5)


@pytest.fixture(scope="module")
def spots(nation) -> bs.Spots:
    return bs.fit_hierarchy(nation.cells, seed=1).find_spots()


def truly(nation: bs.Nation, periods: int) -> pd.Series:
    """Whether each department is ahead of both by the margin, and on the good side of both in the last periods."""
    rows = nation.cells[["trust", "department", "period"]].assign(w=nation.row_truth["period_effect"])
    recent = rows[rows["period"].isin(sorted(rows["period"].unique())[-periods:])]
    highest = recent.groupby(["trust", "department"])["w"].max()
    truth = nation.truth.set_index(["trust", "department"])
    worst = truth[["log_own_ratio", "log_peer_ratio"]].max(axis=1)
    return (worst < -np.log(MARGIN)) & (worst + highest < 0)


@pytest.mark.parametrize("periods", [2, 4])
def test_the_list_keeps_its_rate_and_the_probabilities_are_calibrated(nation, spots, periods):
    truth = truly(nation, periods)
    found = lasting_probability(
        spots.effects, spots.fit.cell_summary(MARGIN, 0.95), "worse", periods=periods, least=0.0
    ).probability
    spread = np.sqrt(np.sum(found * (1 - found)))
    assert abs(found.sum() - truth.sum()) < 2.5 * spread
    listed = spots.positive_deviants(fdr=0.1, periods=periods)
    assert len(listed) > 20
    assert listed["probability"].min() >= 0.8
    assert listed.attrs["expected_false"] == pytest.approx((1 - listed["probability"]).sum())
    assert listed.attrs["expected_false"] <= 0.1 * len(listed)
    false = ~truth.loc[list(zip(listed["trust"], listed["department"], strict=True))]
    assert false.mean() < 0.1 + 2 * np.sqrt(0.09 / len(listed))


def test_more_periods_are_asked_more_of(spots):
    sizes = [len(spots.positive_deviants(periods=periods)) for periods in (1, 2, 4)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0]


def test_a_comparator_is_the_nearest_ordinary_department_of_the_kind_elsewhere(spots):
    table, listed = spots.table, spots.positive_deviants()
    flags = ["bright spot", "dark spot"]
    p_within = spots.fit.cell_summary(MARGIN, 0.95).p_within_both[cell_order(spots.effects.cells)]
    ordinary = table[~table["own_status"].isin(flags) & ~table["peer_status"].isin(flags) & (p_within > 0.5)]
    assert listed["comparator_trust"].notna().sum() > 10
    for row in listed.itertuples():
        alike = ordinary[(ordinary["department"] == row.department) & (ordinary["trust"] != row.trust)]
        if not len(alike):
            assert pd.isna(row.comparator_trust)
            continue
        away = (np.log(alike["expected"]) - np.log(row.size)).abs()
        assert alike.loc[away.idxmin(), "trust"] == row.comparator_trust
        assert row.p_comparator_ordinary > 0.5


def test_turning_the_scale_turns_the_list():
    rng = np.random.default_rng(3)
    frame = simulate_frame(20, 6)[["trust", "department"]]
    effect = rng.normal(0, 0.3, len(frame))
    frame = frame.assign(estimate=effect + rng.normal(0, 0.05, len(frame)), standard_error=0.05)
    low, high = (
        bs.fit_hierarchy(frame.assign(estimate=sign * frame["estimate"]), higher_is=way, seed=1)
        .find_spots()
        .positive_deviants()
        for sign, way in ((1, "worse"), (-1, "better"))
    )
    assert len(low) > 5
    same = set(zip(low["trust"], low["department"], strict=True)) ^ set(
        zip(high["trust"], high["department"], strict=True)
    )
    assert len(same) <= 1  # within simulation noise of a border
    np.testing.assert_allclose(
        low.set_index(["trust", "department"])["own_ratio"].rename("low"),
        1
        / high.set_index(["trust", "department"])["own_ratio"].reindex(
            low.set_index(["trust", "department"]).index
        ),
        rtol=0.02,
    )


def test_the_last_periods_must_be_known():
    frame = of_years().assign(year=lambda f: f["year"].map({2020: "before", 2021: "during", 2022: "after"}))
    with pytest.warns(bs.DataWarning, match="order"):
        fit = bs.fit_hierarchy(frame, period="year", seed=1)
    with pytest.raises(SettingsError, match="periods=3"):
        fit.find_spots().positive_deviants(periods=2)
    assert "periods" in fit.find_spots(SpotRule(min_probability=0.0)).positive_deviants(fdr=0.5, periods=3)


@pytest.mark.parametrize("given", [{"periods": 0}, {"periods": 1.5}, {"fdr": 0.0}, {"fdr": 1}])
def test_bad_arguments_are_refused(spots, given):
    with pytest.raises(SettingsError, match=next(iter(given))):
        spots.positive_deviants(**given)
