"""Whom to talk to: the nearest better departments of the same kind elsewhere, never oneself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from brightspots.engine.posterior import StoredPosterior
from brightspots.statistics.learning_pairs import (
    COLUMNS,
    NO_OTHER,
    NONE_ABOVE_AVERAGE,
    NONE_BETTER,
    WHY_WITHOUT,
    features,
    learning_pairs,
)
from brightspots.statistics.summaries import cell_summary
from tests.conftest import made_up_posterior, simulate_frame, table_of

FLAGS = ["dark spot", "bright spot"]
SEEDS = st.integers(0, 2**32 - 1)


def with_covariates(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return frame.assign(beds=rng.gamma(3, 100, len(frame)), teaching=rng.choice(["no", "yes"], len(frame)))


def random_posterior(seed: int) -> StoredPosterior:
    frame = with_covariates(simulate_frame(8, 3, seed=seed), seed)
    return made_up_posterior(table_of(frame, covariates="beds + teaching").cells, seed=seed)


def random_status(posterior: StoredPosterior, seed: int) -> np.ndarray:
    """Mostly dark where the level is high and bright where it is low, but not always."""
    level = posterior.trust_effect[posterior.cells.cell_trust] + posterior.department_effect
    noise = np.random.default_rng([seed, 1]).normal(0.0, 0.15, posterior.cells.n_cells)
    return np.select([level.mean(axis=1) + noise > 0.1, level.mean(axis=1) + noise < -0.1], FLAGS, "in line")


def pairs_of(posterior, status, *, margin=1.1, higher_is="worse", k=3) -> pd.DataFrame:
    summary = cell_summary(posterior, margin, 0.95)
    return learning_pairs(posterior, summary, status, margin=margin, higher_is=higher_is, k=k)


def by_brute_force(posterior, status, *, margin, higher_is, k) -> list[tuple]:
    """Every dark spot with every cell in turn, distances by SciPy, probabilities draw by draw."""
    cells = posterior.cells
    coordinates = np.column_stack([np.log(cells.weight), cells.design])
    distance = cdist(coordinates, coordinates, "seuclidean", V=coordinates.var(axis=0))
    level = posterior.trust_effect[cells.cell_trust] + posterior.department_effect
    rows = []
    for dark in range(cells.n_cells):
        if status[dark] != "dark spot":
            continue
        found = []
        for other in range(cells.n_cells):
            better = level[dark] - level[other] if higher_is == "worse" else level[other] - level[dark]
            p = np.mean(np.exp(better) > margin)
            side = -1.0 if higher_is == "worse" else 1.0
            good = np.mean(side * level[other] > 0) if side * level[other].mean() > 0 else 0.0
            alike = cells.cell_department[dark] == cells.cell_department[other]
            elsewhere = cells.cell_trust[dark] != cells.cell_trust[other]
            if alike and elsewhere and good > 0.5 and p > 0.5:
                found.append((distance[dark, other], other, p))
        rows += [(dark, other, p, far) for far, other, p in sorted(found)[:k]]
    return rows


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.sampled_from(["worse", "better"]), st.integers(1, 4))
def test_pairs_are_those_of_a_search_through_everything(seed, higher_is, k):
    posterior = random_posterior(seed)
    status = random_status(posterior, seed)
    pairs = pairs_of(posterior, status, higher_is=higher_is, k=k)
    rows = by_brute_force(posterior, status, margin=1.1, higher_is=higher_is, k=k)
    cells = posterior.cells
    assert list(pairs["trust"]) == [cells.trusts[cells.cell_trust[row[0]]] for row in rows]
    assert list(pairs["department"]) == [cells.departments[cells.cell_department[row[0]]] for row in rows]
    assert list(pairs["partner_trust"]) == [cells.trusts[cells.cell_trust[row[1]]] for row in rows]
    np.testing.assert_allclose(pairs["p_truly_better"], [row[2] for row in rows])
    np.testing.assert_allclose(pairs["distance"], [row[3] for row in rows])


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_nobody_is_paired_with_themselves_or_their_own_trust_and_no_dark_spot_is_lost(seed):
    posterior = random_posterior(seed)
    status = random_status(posterior, seed)
    pairs = pairs_of(posterior, status)
    assert (pairs["trust"] != pairs["partner_trust"]).all()
    assert (pairs["p_truly_better"] > 0.5).all()
    dark = status == "dark spot"
    cells = posterior.cells
    everyone = set(
        zip(
            cells.trusts[cells.cell_trust[dark]],
            cells.departments[cells.cell_department[dark]],
            strict=True,
        )
    )
    paired = set(zip(pairs["trust"], pairs["department"], strict=True))
    alone = set(pairs.attrs["without_partner"])
    assert len(pairs.attrs["why_without"]) == len(alone)
    assert set(pairs.attrs["why_without"]) <= set(WHY_WITHOUT)
    assert paired | alone == everyone
    assert not paired & alone


def test_without_covariates_nearest_means_nearest_in_size():
    cells = table_of(simulate_frame(10, 2)).cells
    dark = np.arange(20) == 8
    level = np.repeat(np.where(dark, 1.0, -0.1)[:, np.newaxis], 400, axis=1)
    posterior = StoredPosterior(cells, made_up_posterior(cells).shared, np.zeros((10, 400)), level)
    sizes = cells.weight[cells.cell_department == 0]
    nearest = np.argsort(np.abs(np.log(sizes / sizes[4])))[1:4]
    partners = pairs_of(posterior, np.where(dark, "dark spot", "in line"))["partner_trust"]
    assert list(partners) == list(cells.trusts[nearest])


def fixed(trust: list[float], department: list[float]) -> StoredPosterior:
    """Effects without uncertainty, of trusts with two departments each."""
    cells = table_of(simulate_frame(len(trust), 2)).cells
    draws = made_up_posterior(cells).shared
    return StoredPosterior(cells, draws, np.tile(np.c_[trust], 400), np.tile(np.c_[department], 400))


def test_a_bright_spot_that_is_no_better_is_not_a_partner():
    """Bright in its own, dismal trust, and yet worse than the dark spot of an excellent one."""
    posterior = fixed([-0.6, 0.6], [0.3, -0.3, -0.3, 0.3])
    pairs = pairs_of(posterior, np.array(["dark spot", "in line", "bright spot", "in line"]))
    assert len(pairs) == 0
    assert tuple(pairs.columns) == COLUMNS
    assert pairs.attrs["without_partner"] == [("T000", "D00")]
    assert pairs.attrs["why_without"] == [NONE_ABOVE_AVERAGE]


def test_a_department_of_a_uniformly_good_trust_is_a_partner():
    """Nobody shines there, for all are good."""
    posterior = fixed([0.2, -0.4], [0.3, -0.3, 0.0, 0.0])
    pairs = pairs_of(posterior, np.array(["dark spot", "in line", "in line", "in line"]))
    assert list(pairs["partner_trust"]) == ["T001"]
    assert list(pairs["p_truly_better"]) == [1.0]


def test_better_than_the_dark_spot_is_not_enough():
    """A level of 1.2 is better than 1.6, and worse than average of its kind; 0.98 is better than 1.05, by less."""
    worse_than_average = fixed([0.2, 0.2], [0.27, -0.3, 0.0, 0.0])
    status = np.array(["dark spot", "in line", "in line", "in line"])
    assert pairs_of(worse_than_average, status).attrs["why_without"] == [NONE_ABOVE_AVERAGE]
    by_too_little = fixed([0.0, 0.0], [0.05, 0.0, -0.02, 0.0])
    assert pairs_of(by_too_little, status).attrs["why_without"] == [NONE_BETTER]


def test_the_only_department_of_its_kind_has_nobody_to_talk_to():
    frame = simulate_frame(3, 2)
    cells = table_of(frame[(frame["department"] != "D01") | (frame["trust"] == "T000")]).cells
    posterior = made_up_posterior(cells)
    status = np.where(cells.cell_department == 1, "dark spot", "in line")
    assert pairs_of(posterior, status).attrs["why_without"] == [NO_OTHER]


def test_the_ratios_of_both_sides_are_those_of_the_summary():
    posterior = random_posterior(5)
    status = random_status(posterior, 5)
    summary = cell_summary(posterior, 1.1, 0.95)
    pairs = learning_pairs(posterior, summary, status, margin=1.1, higher_is="worse", k=2)
    cells = posterior.cells
    labels = zip(cells.trusts[cells.cell_trust], cells.departments[cells.cell_department], strict=True)
    cell = {label: number for number, label in enumerate(labels)}
    assert len(pairs) > 3
    for pair in pairs.itertuples():
        here, there = cell[pair.trust, pair.department], cell[pair.partner_trust, pair.department]
        assert pair.own_ratio == pytest.approx(np.exp(summary.own.point[here]))
        assert pair.partner_own_ratio == pytest.approx(np.exp(summary.own.point[there]))
        assert pair.peer_ratio == pytest.approx(np.exp(summary.peer.point[here]))
        assert pair.partner_peer_ratio == pytest.approx(np.exp(summary.peer.point[there]))


def test_a_covariate_that_only_tells_periods_apart_says_nothing_of_distance():
    frame = pd.concat([simulate_frame(4, 2, seed=year).assign(period=year) for year in range(3)])
    cells = table_of(frame.assign(year=frame["period"]), covariates="year").cells
    np.testing.assert_array_equal(features(cells)[:, 1], 0.0)
    np.testing.assert_allclose(features(cells)[:, 0].std(), 1.0)
