"""Estimands against closed forms, brute force and hand calculation."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import special

from brightspots.engine.posterior import SharedDraws, StoredPosterior, trust_blocks
from brightspots.statistics import contrasts, summaries
from tests.conftest import made_up_posterior, simulate_frame, table_of, withhold


def shared_of(**sds) -> SharedDraws:
    size = len(sds["sd_trust"])
    return SharedDraws(
        intercept=np.zeros(size),
        coefficients=np.zeros((size, 0)),
        sd={name.removeprefix("sd_"): np.asarray(values, float) for name, values in sds.items()},
        type_effect=np.zeros((size, 1)),
    )


def test_shares_are_computed_draw_by_draw():
    partition = summaries.partition(shared_of(sd_trust=[1.0, 3.0], sd_department=np.array([2.0, 4.0])), 0.95)
    assert partition.levels == ("trust", "department")
    np.testing.assert_allclose(partition.share.point, [(1 / 5 + 9 / 25) / 2, (4 / 5 + 16 / 25) / 2])
    assert partition.p_department_exceeds_trust == 1.0


def test_shares_add_up_with_periods():
    rng = np.random.default_rng(0)
    sds = {f"sd_{level}": rng.uniform(0.1, 1, 50) for level in ("trust", "department", "period")}
    assert summaries.partition(shared_of(**sds), 0.9).share.point.sum() == pytest.approx(1.0)


def test_the_median_ratio_is_the_median_over_random_pairs():
    sd = 0.4
    pairs = np.random.default_rng(0).normal(0, sd, (2, 400_000))
    ratio = np.median(np.exp(np.abs(pairs[0] - pairs[1])))
    partition = summaries.partition(shared_of(sd_trust=[sd, sd]), 0.95)
    assert partition.median_ratio.point[0] == pytest.approx(ratio, rel=0.005)


def test_own_contrast_leaves_the_department_itself_out():
    frame = pd.DataFrame(
        {
            "trust": ["A", "A", "A", "B"],
            "department": ["x", "y", "z", "x"],
            "observed": [1, 2, 3, 4],
            "expected": [1.0, 2.0, 5.0, 3.0],
        }
    )
    cells = table_of(frame).cells
    v = np.array([[0.1], [0.2], [0.4], [0.7]])
    posterior = StoredPosterior(cells, shared_of(sd_trust=[1.0]), np.zeros((2, 1)), v)
    contrast = contrasts.own_contrast(cells, next(posterior.blocks()))[:, 0]
    by_hand = [0.1 - (2 * 0.2 + 5 * 0.4) / 7, 0.2 - (0.1 + 5 * 0.4) / 6, 0.4 - (0.1 + 2 * 0.2) / 3, np.nan]
    np.testing.assert_allclose(contrast, by_hand)


def test_a_trusts_only_department_has_no_own_ratio_and_says_so():
    frame = simulate_frame(4, 3)
    frame = frame[~((frame["trust"] == "T000") & (frame["department"] != "D01"))]
    posterior = made_up_posterior(table_of(frame).cells)
    summary = summaries.cell_summary(posterior, 1.1, 0.95)
    sole = np.arange(10) == 0
    for values in (summary.own.point, summary.p_own_high, summary.p_both_low, summary.excess.point):
        np.testing.assert_array_equal(np.isnan(values), sole)
    assert not np.isnan(summary.peer.point).any()


def test_exceedances_count_draws_beyond_the_margin():
    posterior = made_up_posterior(table_of(simulate_frame(5, 4)).cells)
    summary = summaries.cell_summary(posterior, 1.2, 0.9)
    cells = posterior.cells
    peer = posterior.trust_effect[cells.cell_trust] + posterior.department_effect
    np.testing.assert_allclose(summary.p_peer_high, np.mean(np.exp(peer) > 1.2, axis=1))
    np.testing.assert_allclose(summary.p_peer_low, np.mean(np.exp(peer) < 1 / 1.2, axis=1))
    np.testing.assert_allclose(summary.peer.lower, np.quantile(peer, 0.05, axis=1))
    assert np.all(summary.p_both_high <= np.minimum(summary.p_peer_high, summary.p_own_high))


@pytest.mark.parametrize("family", ["poisson", "binomial", "normal"])
def test_excess_is_the_difference_in_expected_events(family):
    frame = simulate_frame(5, 4)
    frame = frame.assign(denominator=2_000, estimate=0.1, standard_error=0.2)
    columns = {"denominator": "denominator"} if family == "binomial" else {}
    cells = table_of(frame, family=family, **columns).cells
    posterior = made_up_posterior(cells)
    excess = summaries.cell_summary(posterior, 1.1, 0.95).excess.point
    block = next(posterior.blocks())
    peer = posterior.trust_effect[cells.cell_trust] + posterior.department_effect
    own = contrasts.own_contrast(cells, block)
    eta = posterior.shared.leaf_predictor(cells) + peer
    if family == "poisson":
        events = np.exp(eta) - np.exp(eta - own)
    elif family == "binomial":
        events = cells.size[:, None] * (special.expit(eta) - special.expit(eta - own))
    else:
        events = own
    np.testing.assert_allclose(excess, events.mean(axis=1))


def test_blocks_make_no_difference(monkeypatch):
    posterior = made_up_posterior(table_of(simulate_frame(20, 5)).cells)
    whole = summaries.cell_summary(posterior, 1.1, 0.95)
    monkeypatch.setattr(StoredPosterior, "BLOCK_NUMBERS", 400 * 7)
    assert len(list(posterior.blocks())) == 20
    parts = summaries.cell_summary(posterior, 1.1, 0.95)
    np.testing.assert_array_equal(parts.own.point, whole.own.point)
    np.testing.assert_array_equal(parts.p_own_high, whole.p_own_high)


@pytest.mark.parametrize("cells_per_block", [1, 7, 40, 10_000])
def test_blocks_hold_whole_trusts_each_once(cells_per_block):
    cells = table_of(simulate_frame(9, 6).sample(frac=0.6, random_state=1)).cells
    trusts, counted = [], 0
    for trust_slice, cell_slice in trust_blocks(cells, cells_per_block):
        trusts += range(trust_slice.start, trust_slice.stop)
        np.testing.assert_array_equal(
            np.unique(cells.cell_trust[cell_slice]), np.arange(trust_slice.start, trust_slice.stop)
        )
        counted += cell_slice.stop - cell_slice.start
    assert trusts == list(range(cells.n_trusts))
    assert counted == cells.n_cells


def test_reliability_of_a_gaussian_effect_is_the_classical_one():
    """Var(v | y) = σ²s²/(σ² + s²), so that 1 − Var(v | y)/σ² = σ²/(σ² + s²)."""
    cells = table_of(simulate_frame(5, 4)).cells
    sd, error, draws = 0.2, 0.3, 200_000
    variance = sd**2 * error**2 / (sd**2 + error**2)
    noise = np.random.default_rng(0).normal(0, variance**0.5, draws)
    shared = shared_of(sd_trust=np.full(draws, 0.1), sd_department=np.full(draws, sd))
    shared = SharedDraws(
        **{
            **vars(shared),
            "type_effect": np.zeros((draws, cells.n_types)),
            "coefficients": np.zeros((draws, 0)),
        }
    )
    posterior = StoredPosterior(
        cells,
        shared,
        np.broadcast_to(noise * 0, (5, draws)),
        np.broadcast_to(noise, (cells.n_cells, draws)),
    )
    reliability = summaries.cell_summary(posterior, 1.1, 0.95).reliability
    np.testing.assert_allclose(reliability, sd**2 / (sd**2 + error**2), rtol=0.01)


def test_ranks():
    cells = table_of(simulate_frame(3, 4)).cells
    draws = np.array([[0.0, 0.1], [0.5, 0.5], [1.0, 0.05]])
    shared = replace(shared_of(sd_trust=[1.0, 1.0]), type_effect=np.zeros((2, cells.n_types)))
    posterior = StoredPosterior(cells, shared, draws, np.zeros((cells.n_cells, 2)))
    summary = summaries.trust_summary(posterior, 1.1, 0.95)
    np.testing.assert_allclose(summary.rank.point, [1.5, 2.5, 2.0])


def test_rankability_is_that_of_its_definition():
    """σ_u²/(σ_u² + median s²), s⁻² = Σ 1/(σ_v² + 1/i), at every draw; the point is the posterior median."""
    cells = table_of(simulate_frame(4, 3)).cells
    sd_trust, sd_department = np.array([0.1, 0.2, 0.0]), np.array([0.3, 0.1, 0.2])
    shared = replace(
        shared_of(sd_trust=sd_trust, sd_department=sd_department),
        type_effect=np.zeros((3, cells.n_types)),
        coefficients=np.zeros((3, 0)),
    )
    posterior = StoredPosterior(cells, shared, np.full((4, 3), 0.1), np.full((cells.n_cells, 3), 0.2))
    rate = cells.size * np.exp(0.3)
    expected = []
    for u, v in zip(sd_trust, sd_department, strict=True):
        squared_error = 1 / np.bincount(cells.cell_trust, 1 / (v**2 + 1 / rate))
        expected.append(u**2 / (u**2 + np.median(squared_error)))
    rankability = summaries.trust_summary(posterior, 1.1, 0.9).rankability
    assert rankability.point == pytest.approx(expected[0])
    assert rankability.lower == pytest.approx(np.quantile(expected, 0.05))
    assert rankability.upper == pytest.approx(np.quantile(expected, 0.95))


def test_raw_ratios():
    frame = simulate_frame(4, 3)
    np.testing.assert_allclose(
        summaries.raw_ratio(table_of(frame).cells), frame["observed"] / frame["expected"]
    )
    people = frame.assign(denominator=1_000)
    cells = table_of(people, denominator="denominator", expected=None).cells
    pooled = people.groupby("department")[["observed", "denominator"]].sum()
    odds = people["observed"] / (1_000 - people["observed"])
    national = (pooled["observed"] / (pooled["denominator"] - pooled["observed"]))[people["department"]]
    np.testing.assert_allclose(summaries.raw_ratio(cells), odds / national.to_numpy())


def test_a_suppressed_count_has_no_raw_ratio():
    frame = withhold(simulate_frame(4, 3), 3, 0, 5)
    raw = summaries.raw_ratio(table_of(frame).cells)
    assert np.flatnonzero(np.isnan(raw)).tolist() == [3]
