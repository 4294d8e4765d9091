"""Draws of the fit under other errors of what was expected, against integrals of that model itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import brightspots as bs
from brightspots.common.settings import SpotRule
from brightspots.engine.options import FitOptions
from brightspots.engine.run import run
from brightspots.simulate.nation import simulate_nation
from brightspots.statistics.decisions import decide, flags
from brightspots.statistics.expected_errors import reweighted
from brightspots.statistics.summaries import cell_summary, cell_tails

# Of a thousand draws, integrals with two seeds differ by more than what is asserted.
DRAWS = 4_000


@pytest.fixture(scope="module", params=[None, 0.03])
def fit(request):
    cells = simulate_nation(60, 12, seed=5).cells
    return bs.fit_hierarchy(cells, expected_sd=request.param, draws=DRAWS, seed=1)


def with_errors(cells, sd):
    return replace(cells, expected_sd=np.full(cells.n_leaves, sd))


@pytest.mark.parametrize("sd", [0.05, 0.1])
def test_the_draws_weighed_anew_are_those_of_the_model_integrated_again(fit, sd):
    cells = with_errors(fit.table.cells, sd)
    posterior, certificate = reweighted(fit.effects, cells, fit.priors, 1)
    again = run(cells, FitOptions(fit.priors, "integrate", draws=DRAWS, seed=1, progress=False)).effects
    assert certificate.ok
    assert certificate.effective_draws > 0.9 * DRAWS
    for level, draws in again.shared.sd.items():
        other = posterior.shared.sd[level]
        assert other.mean() == pytest.approx(draws.mean(), abs=0.2 * draws.std())
        assert other.std() == pytest.approx(draws.std(), rel=0.15)
    ours, theirs = (cell_summary(each, 1.1, 0.95) for each in (posterior, again))
    for name in ("p_own_high", "p_own_low", "p_peer_high", "p_both_low", "reliability"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=0.01)


def test_no_certificate_where_hardly_any_draw_leaves_room_for_the_errors(fit):
    cells = fit.table.cells
    assert reweighted(fit.effects, with_errors(cells, 1.0), fit.priors, 1) is None


def test_errors_that_differ_between_departments_need_another_fit(fit):
    cells = fit.table.cells
    uneven = replace(cells, expected_sd=np.where(cells.leaf_cell % 2, 0.05, 0.1))
    assert reweighted(fit.effects, uneven, fit.priors, 1) is None


@pytest.mark.parametrize("reference", ["organisation", "peers", "both"])
def test_tails_alone_set_the_flags_of_the_whole_summary(fit, reference):
    cells, rule = fit.table.cells, SpotRule(reference=reference)
    summary = cell_summary(fit.effects, rule.margin, 0.95)
    status = decide(summary, cells.weight, rule).status
    alone = flags(cell_tails(fit.effects, rule.margin), cells.weight, rule)
    flagged = alone != ""
    assert flagged.any()
    np.testing.assert_array_equal(alone[flagged], status[flagged])
    assert not np.isin(status[~flagged], alone[flagged]).any()
