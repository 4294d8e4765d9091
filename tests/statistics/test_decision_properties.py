"""Relations that must hold between lists, whatever the data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from brightspots import SpotRule
from brightspots.common.vocabulary import STATUSES
from brightspots.data.cells import Cells
from brightspots.engine.integration.conditional import ConditionalPosterior
from brightspots.engine.posterior import SharedDraws
from brightspots.statistics.decisions import Decisions, bayesian_fdr, decide
from brightspots.statistics.summaries import cell_summary
from tests.conftest import made_up_posterior, simulate_frame, table_of

SEEDS = st.integers(0, 2**32 - 1)
REFERENCES = ["organisation", "peers", "both"]
RULES = st.builds(
    SpotRule, margin=st.floats(1.0, 1.5), fdr=st.floats(0.02, 0.4), reference=st.sampled_from(REFERENCES)
)
FLAGS = ["bright spot", "dark spot"]


def posterior_of(seed: int):
    """Six trusts, one of them with a single department."""
    frame = simulate_frame(6, 5, seed=seed)
    frame = frame[(frame["trust"] != "T000") | (frame["department"] == "D01")]
    return made_up_posterior(table_of(frame).cells, seed=seed)


def decisions_of(posterior, rule: SpotRule, higher_is="worse") -> Decisions:
    return decide(cell_summary(posterior, rule.margin, 0.95), posterior.cells.weight, rule, higher_is)


def longest_list(decisions: Decisions, fdr: float) -> int:
    """Length that the rule allows where departments that tie may be told apart."""
    false = np.sort(1.0 - decisions.beyond[~np.isnan(decisions.beyond)])
    return int(
        np.max(np.flatnonzero(np.cumsum(false) <= fdr * np.arange(1, len(false) + 1) + 1e-12) + 1, initial=0)
    )


@settings(max_examples=30, deadline=None)
@given(SEEDS, RULES)
def test_statuses_partition_the_cells_and_say_what_they_mean(seed, rule):
    posterior = posterior_of(seed)
    decisions = decisions_of(posterior, rule)
    status = decisions.status
    assert sum((status == each).astype(int) for each in STATUSES).tolist() == [1] * len(status)
    flagged, in_line = np.isin(status, FLAGS), status == "in line"
    np.testing.assert_array_equal(decisions.probability[flagged], decisions.beyond[flagged])
    assert np.all(decisions.probability[in_line] >= rule.in_line)
    if rule.reference != "peers":
        assert status[0] == "cannot tell"  # there is no other department in its trust


@settings(max_examples=30, deadline=None)
@given(SEEDS, RULES)
def test_swapping_the_direction_swaps_bright_and_dark_and_nothing_else(seed, rule):
    posterior = posterior_of(seed)
    worse, better = (decisions_of(posterior, rule, each) for each in ("worse", "better"))
    swap = dict(zip(FLAGS, reversed(FLAGS), strict=True))
    assert [swap.get(status, status) for status in worse.status] == list(better.status)
    np.testing.assert_array_equal(worse.probability, better.probability)
    assert worse.expected_false == better.expected_false


@settings(max_examples=30, deadline=None)
@given(SEEDS, RULES)
def test_halving_the_rate_never_adds_a_flag(seed, rule):
    posterior = posterior_of(seed)
    full = np.isin(decisions_of(posterior, rule).status, FLAGS)
    half = np.isin(decisions_of(posterior, replace(rule, fdr=rule.fdr / 2)).status, FLAGS)
    assert not np.any(half & ~full)


@settings(max_examples=30, deadline=None)
@given(SEEDS, RULES, st.floats(1.0, 1.3))
def test_a_larger_margin_never_lengthens_the_list(seed, rule, times):
    posterior = posterior_of(seed)
    narrow, wide = rule, replace(rule, margin=rule.margin * times)
    of_narrow, of_wide = decisions_of(posterior, narrow), decisions_of(posterior, wide)
    known = ~np.isnan(of_narrow.beyond)
    assert np.all(of_wide.beyond[known] <= of_narrow.beyond[known])
    assert np.isin(of_wide.status, FLAGS).sum() <= longest_list(of_narrow, rule.fdr)


def test_a_larger_margin_may_bring_in_another_department():
    """Every probability falls, but that of the second by more: the third takes its place."""
    at_one_margin = bayesian_fdr(np.array([0.99, 0.95, 0.94]), 0.036)
    at_a_larger = bayesian_fdr(np.array([0.99, 0.90, 0.94]), 0.036)
    assert at_one_margin.tolist() == [True, True, False]
    assert at_a_larger.tolist() == [True, False, True]


def constant_draws(cells: Cells, rng: np.random.Generator, size: int = 128) -> SharedDraws:
    """The σ's and national levels as if known."""
    same = np.ones(size)
    return SharedDraws(
        intercept=0.0 * same,
        coefficients=np.zeros((size, 0)),
        sd={
            "trust": rng.uniform(0.02, 0.6) * same,
            "department": rng.uniform(0.02, 0.6) * same,
            "department_type": 0.1 * same,
        },
        type_effect=np.tile(rng.normal(0.0, 0.1, cells.n_types), (size, 1)),
    )


def doubled(cells: Cells, cell: int) -> Cells:
    """The same cells with one of them seen twice: twice the events among twice as many expected (or people)."""
    times = np.where(np.arange(cells.n_cells) == cell, 2.0, 1.0)
    if cells.family.name == "normal":
        return replace(cells, size=cells.size / np.sqrt(times))
    expected = None if cells.expected is None else cells.expected * times
    offset = np.log(cells.size * times) if cells.family.name == "poisson" else cells.offset
    return replace(
        cells,
        lower=cells.lower * times,
        upper=cells.upper * times,
        size=cells.size * times,
        expected=expected,
        offset=offset,
    )


@pytest.mark.parametrize("family", ["poisson", "binomial", "normal"])
@settings(max_examples=25, deadline=None)
@given(SEEDS, st.sampled_from([0.5, 5.0, 50.0, 500.0]))
def test_doubling_the_data_of_a_cell_never_lowers_its_reliability(family, seed, mean):
    rng = np.random.default_rng(seed)
    frame = simulate_frame(4, 4, mean_expected=mean, seed=seed)
    frame["denominator"] = np.ceil(4 * frame["expected"] + frame["observed"])
    frame["estimate"] = special.logit(rng.uniform(0.3, 0.7, len(frame)))
    frame["standard_error"] = frame["expected"] ** -0.5
    columns = {
        "poisson": {},
        "binomial": {"denominator": "denominator"},
        "normal": {"estimate": "estimate", "standard_error": "standard_error"},
    }
    cells = table_of(frame, family=family, **columns[family]).cells
    shared, cell = constant_draws(cells, rng), int(rng.integers(cells.n_cells))
    once, twice = (
        cell_summary(ConditionalPosterior(each, shared, 1), 1.1, 0.95).reliability[cell]
        for each in (cells, doubled(cells, cell))
    )
    assert twice >= once - 1e-6  # conditional moments are of single precision
