"""Ranks whose sets hold for all units at once: on fresh draws, and against Bonferroni's correction."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from brightspots.statistics import ranks as module
from brightspots.statistics.ranks import Ranks, department_ranks, simultaneous_ranks
from tests.conftest import made_up_posterior, simulate_frame, table_of


class Units:
    """Posterior of n units: what is not known of them differs, and a part of it is common to all."""

    def __init__(self, n: int, uncertainty: float, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.mean = self.rng.normal(0.0, 1.0, n)
        self.sd = uncertainty * np.exp(self.rng.normal(0.0, 0.5, n))

    def draws(self, size: int) -> np.ndarray:
        n = len(self.mean)
        return (
            self.mean[:, None]
            + self.rng.normal(0, 0.5, size)
            + self.sd[:, None] * self.rng.normal(size=(n, size))
        )


def share_inside(ranks: Ranks, fresh: np.ndarray) -> float:
    """Share of draws in which every unit's rank lies in its set."""
    drawn = stats.rankdata(fresh, axis=0)
    return float(
        np.mean(np.all((drawn >= ranks.set_lower[:, None]) & (drawn <= ranks.set_upper[:, None]), axis=0))
    )


def bonferroni(draws: np.ndarray) -> np.ndarray:
    """Width of the sets by normal intervals of all n(n − 1)/2 differences at a level of 95% together."""
    n = len(draws)
    mean, sd = draws.mean(axis=1), draws.std(axis=1)
    critical = stats.norm.isf(0.05 / (n * (n - 1)))
    sure = (mean[:, None] - mean) > critical * np.hypot(sd[:, None], sd)
    return n - 1 - sure.sum(axis=1) - sure.sum(axis=0)


@pytest.mark.parametrize("uncertainty", [0.3, 1.0])
@pytest.mark.parametrize("n", [50, 500])
def test_all_ranks_of_fresh_draws_lie_in_their_sets(n, uncertainty):
    inside, narrower = [], []
    for seed in range(4):
        units = Units(n, uncertainty, seed)
        draws = units.draws(1_000)
        ranks = simultaneous_ranks(draws, [np.arange(n)], 0.95)
        inside.append(share_inside(ranks, units.draws(2_000)))
        narrower.append(np.mean(ranks.set_upper - ranks.set_lower) < np.mean(bonferroni(draws)))
    assert np.mean(inside) >= 0.95
    assert np.mean(inside) < 0.975
    assert all(narrower)


def test_five_thousand_units():
    units = Units(5_000, 0.3, 1)
    draws = units.draws(500)
    ranks = simultaneous_ranks(draws, [np.arange(5_000)], 0.95)
    assert share_inside(ranks, units.draws(500)) >= 0.95
    assert np.mean(ranks.set_upper - ranks.set_lower) < np.mean(bonferroni(draws))


def test_sets_follow_from_sure_differences():
    """By hand: three units a standard deviation apart and one far above."""
    mean, sd = np.array([0.0, 1.0, 2.0, 30.0]), np.ones(4)
    lower, upper = module._sets(mean, sd, [np.arange(4)], 1.0)
    # √2 deviations of a difference: 2 beyond it, 1 not.
    assert lower.tolist() == [1, 1, 2, 4]
    assert upper.tolist() == [2, 3, 3, 4]


def test_groups_are_ranked_by_themselves_and_hold_together():
    units = Units(60, 0.3, 2)
    draws = units.draws(1_000)
    groups = [np.arange(0, 60, 2), np.arange(1, 60, 2)]
    ranks = simultaneous_ranks(draws, groups, 0.95)
    alone = simultaneous_ranks(draws[groups[0]], [np.arange(30)], 0.95)
    np.testing.assert_allclose(ranks.rank.point[groups[0]], alone.rank.point)
    assert np.all(ranks.set_lower[groups[0]] <= alone.set_lower)
    assert np.all(ranks.set_upper[groups[0]] >= alone.set_upper)
    assert ranks.set_upper.max() <= 30


def test_the_expected_rank_is_the_mean_of_the_ranks():
    cells = table_of(simulate_frame(12, 3)).cells
    posterior = made_up_posterior(cells)
    level = posterior.trust_effect[cells.cell_trust] + posterior.department_effect
    ranks = department_ranks(posterior, 0.9)
    for department in range(3):
        of_type = np.flatnonzero(cells.cell_department == department)
        drawn = stats.rankdata(level[of_type], axis=0)
        np.testing.assert_allclose(ranks.rank.point[of_type], drawn.mean(axis=1))
        np.testing.assert_allclose(ranks.rank.lower[of_type], np.quantile(drawn, 0.05, axis=1))


def test_too_many_draws_are_thinned(monkeypatch):
    cells = table_of(simulate_frame(12, 3)).cells
    posterior = made_up_posterior(cells)
    monkeypatch.setattr(module, "_NUMBERS_HELD", 36 * 200)
    level = posterior.trust_effect[cells.cell_trust] + posterior.department_effect
    taken = np.linspace(0, 399, 200).astype(int)
    drawn = stats.rankdata(level[cells.cell_department == 0][:, taken], axis=0)
    ranks = department_ranks(posterior, 0.95)
    np.testing.assert_allclose(ranks.rank.point[cells.cell_department == 0], drawn.mean(axis=1))
