"""Who belongs to the most extreme share of all effects: against quantiles of all draws at once."""

from __future__ import annotations

import numpy as np
import pytest

from brightspots.engine.posterior import StoredPosterior
from brightspots.statistics import ensemble
from brightspots.statistics.ensemble import extreme_size, extremes
from tests.conftest import made_up_posterior, simulate_frame, table_of

SHARES = [0.05, 0.1, 0.5]


def effects_of(posterior: StoredPosterior) -> tuple[np.ndarray, np.ndarray]:
    """D and u + v of every cell and draw, trust by trust."""
    cells, v = posterior.cells, posterior.department_effect
    own = np.full(v.shape, np.nan)
    for cell in range(cells.n_cells):
        others = np.flatnonzero(
            (cells.cell_trust == cells.cell_trust[cell]) & (np.arange(cells.n_cells) != cell)
        )
        if len(others):
            own[cell] = v[cell] - np.average(v[others], axis=0, weights=cells.weight[others])
    return own, posterior.trust_effect[cells.cell_trust] + v


@pytest.fixture(params=[7, 30], ids=["few trusts", "several blocks"])
def posterior(request) -> StoredPosterior:
    frame = simulate_frame(request.param, 4)
    return made_up_posterior(table_of(frame.drop(index=[1, 2, 3])).cells)  # T000 has one department


@pytest.mark.parametrize("share", SHARES)
def test_probabilities_are_those_of_quantiles_of_all_draws(posterior, share, monkeypatch):
    monkeypatch.setattr(StoredPosterior, "BLOCK_NUMBERS", 4_000)
    monkeypatch.setattr(ensemble, "_LEAST_ROWS", 5)
    found = extremes(posterior, share)
    own, peer = effects_of(posterior)
    known = ~np.isnan(own[:, 0])
    assert not known.all()
    tops = [np.quantile(each, 1 - share / 2, axis=0) for each in (own[known], peer)]
    bottoms = [np.quantile(each, share / 2, axis=0) for each in (own[known], peer)]
    high = [each > top for each, top in zip((own, peer), tops, strict=True)]
    low = [each < bottom for each, bottom in zip((own, peer), bottoms, strict=True)]
    for name, expected in {
        "own_high": high[0],
        "own_low": low[0],
        "both_high": high[0] & high[1],
        "both_low": low[0] & low[1],
    }.items():
        np.testing.assert_allclose(
            getattr(found, name), np.where(known, expected.mean(axis=1), np.nan), err_msg=name
        )
    np.testing.assert_allclose(found.peer_high, high[1].mean(axis=1))
    np.testing.assert_allclose(found.peer_low, low[1].mean(axis=1))


@pytest.mark.parametrize("share", SHARES)
def test_the_size_is_what_that_share_of_all_effects_exceeds(posterior, share):
    own, peer = effects_of(posterior)
    known = ~np.isnan(own[:, 0])
    both = np.where(own * peer > 0, np.minimum(np.abs(own), np.abs(peer)), 0.0)[known]
    for reference, size in (("organisation", np.abs(own[known])), ("peers", np.abs(peer)), ("both", both)):
        expected = np.quantile(size, 1 - share, axis=0).mean()
        assert extreme_size(posterior, reference, share) == pytest.approx(expected)
