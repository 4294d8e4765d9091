"""Periods on one side: against a search for the others' level, family by family."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special

import brightspots as bs
from brightspots.data.cells import Cells
from brightspots.engine.posterior import SharedDraws
from brightspots.statistics.persistence import count_same_side, period_sides
from tests.conftest import made_up_posterior, table_of, withhold

SEEDS = st.integers(0, 2**32 - 1)
FAMILIES = ["poisson", "binomial", "normal"]


def nation(seed: int, family: str, trusts: int = 4, departments: int = 4, periods: int = 3) -> Cells:
    """Small counts, so that ties and periods without events occur; some rows are missing."""
    rng = np.random.default_rng(seed)
    keys = pd.MultiIndex.from_product(
        [range(trusts), range(departments), range(periods)], names=["trust", "department", "period"]
    )
    frame = keys.to_frame(index=False)
    size = len(frame)
    frame["denominator"] = rng.integers(3, 30, size)
    frame["observed"] = rng.binomial(frame["denominator"], rng.choice([0.0, 0.1, 0.5], size))
    frame["expected"] = np.minimum(rng.gamma(2.0, 2.0, size) + 0.1, frame["denominator"] - 0.5)
    frame["estimate"] = rng.normal(0.0, 0.3, size).round(1)
    frame["standard_error"] = rng.choice([0.1, 0.2], size)
    frame = frame[(rng.random(size) < 0.85) | (frame["period"] == 0)]
    columns = {
        "poisson": {},
        "binomial": {"denominator": "denominator"},
        "normal": {"estimate": "estimate", "standard_error": "standard_error"},
    }
    return table_of(frame, family=family, period="period", **columns[family]).cells


def shared_of(cells: Cells, seed: int) -> SharedDraws:
    return made_up_posterior(cells, 50, seed=seed).shared


def own_side_by_search(cells: Cells, fixed: np.ndarray, leaf: int) -> tuple[int, bool]:
    """Find the level of the other departments by root finding, leaving the department itself out."""
    others = [
        other
        for other in range(cells.n_leaves)
        if other != leaf
        and cells.leaf_trust[other] == cells.leaf_trust[leaf]
        and cells.leaf_period[other] == cells.leaf_period[leaf]
    ]
    if not others:
        return 0, False

    def mean(leaves, shift):
        if cells.family.name == "poisson":
            return np.exp(fixed[leaves] + shift)
        if cells.family.name == "binomial":
            return cells.size[leaves] * special.expit(fixed[leaves] + shift)
        return fixed[leaves] + shift

    weight = cells.size[others] ** -2.0 if cells.family.name == "normal" else np.ones(len(others))
    surplus = lambda shift: np.sum(weight * (mean(others, shift) - cells.lower[others]))  # noqa: E731
    low, high = -45.0, 45.0
    if surplus(low) >= -1e-12:
        shift = low
    elif surplus(high) <= 1e-12:
        shift = high
    else:
        shift = optimize.brentq(surplus, low, high, xtol=1e-14, rtol=1e-14)
    difference = cells.lower[leaf] - mean(leaf, shift)
    return (0 if abs(difference) < 1e-8 else int(np.sign(difference))), True


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=8, deadline=None)
@given(SEEDS)
def test_the_side_is_that_of_the_contrast_with_the_other_departments(family, seed):
    cells = nation(seed, family)
    shared = shared_of(cells, seed)
    fixed = shared.leaf_predictor(cells).mean(axis=1)
    sides = period_sides(cells, shared)
    searched = [own_side_by_search(cells, fixed, leaf) for leaf in range(cells.n_leaves)]
    np.testing.assert_array_equal(sides.own_known, [known for _, known in searched])
    known = sides.own_known
    np.testing.assert_array_equal(sides.own[known], np.array([side for side, _ in searched])[known])


@pytest.mark.parametrize("family", FAMILIES)
def test_against_peers_the_side_is_that_of_the_residual(family):
    cells = nation(1, family)
    shared = shared_of(cells, 1)
    fixed = shared.leaf_predictor(cells).mean(axis=1)
    mean = {"poisson": np.exp(fixed), "binomial": cells.size * special.expit(fixed), "normal": fixed}[family]
    np.testing.assert_array_equal(period_sides(cells, shared).peer, np.sign(cells.lower - mean))


def counts_of(rows: list[tuple[str, str, int, int, float]]) -> Cells:
    frame = pd.DataFrame(rows, columns=["trust", "department", "period", "observed", "expected"])
    return table_of(frame, period="period").cells


@pytest.fixture
def by_hand() -> Cells:
    """Department x of A: above y in 2001, level in 2002, below in 2003; alone in 2004. B is there for the type."""
    rows = [("A", "x", 2001, 20, 10.0), ("A", "y", 2001, 15, 10.0)]
    rows += [("A", "x", 2002, 10, 10.0), ("A", "y", 2002, 20, 20.0)]
    rows += [("A", "x", 2003, 10, 10.0), ("A", "y", 2003, 30, 10.0)]
    rows += [("A", "x", 2004, 99, 10.0)]
    rows += [("B", each, year, 10, 10.0) for each in "xy" for year in range(2001, 2005)]
    return counts_of(rows)


def without_effects(cells: Cells) -> SharedDraws:
    shared = shared_of(cells, 0)
    return replace(shared, intercept=shared.intercept * 0, type_effect=shared.type_effect * 0)


def test_periods_counted_by_hand(by_hand):
    sides = period_sides(by_hand, without_effects(by_hand))
    up = np.ones(by_hand.n_cells, dtype=np.int64)
    for side, same in ((up, 1), (-up, 1)):
        counted, compared = count_same_side(by_hand, sides, "organisation", side)
        assert (counted[0], compared[0]) == (same, 3)
    counted, compared = count_same_side(by_hand, sides, "peers", up)
    assert (counted[0], compared[0]) == (2, 4)
    counted, compared = count_same_side(by_hand, sides, "both", up)
    assert (counted[0], compared[0]) == (1, 3)


def test_a_department_type_that_is_high_everywhere_puts_nobody_on_a_side(by_hand):
    """With a = log 2 for x nationally, 20 against 10 expected is level with its peers."""
    shared = without_effects(by_hand)
    high = shared.type_effect + np.log(2.0) * (np.arange(by_hand.n_types) < 4)
    sides = period_sides(by_hand, replace(shared, type_effect=high))
    assert sides.peer[0] == 0
    assert sides.own[0] == -1


def test_suppressed_counts_are_not_compared():
    rows = [("A", each, year, 5, 5.0) for each in "xyz" for year in (1, 2)]
    rows += [("B", each, year, 4, 5.0) for each in "xyz" for year in (1, 2)]
    frame = pd.DataFrame(rows, columns=["trust", "department", "period", "observed", "expected"])
    hidden = (frame["trust"] == "A") & (frame["period"] == 1) & (frame["department"] != "x")
    frame = withhold(frame, hidden, 0, 9)
    cells = table_of(frame, period="period").cells
    sides = period_sides(cells, without_effects(cells))
    of_a = cells.leaf_trust == 0
    year = np.where(cells.leaf_period == 0, "1", "2")
    assert not sides.own_known[of_a & (year == "1")].any()
    assert sides.own_known[of_a & (year == "2")].all()
    assert list(sides.peer_known[of_a & (year == "1")]) == [True, False, False]


@pytest.fixture(scope="module")
def fit() -> bs.HierarchyFit:
    nation = bs.simulate_nation(12, 6, periods=4, sd_department=0.3, sd_period=0.1, seed=4)
    return bs.fit_hierarchy(nation.cells, seed=1)


def test_a_flag_rests_on_what_lasts_and_most_years_agree(fit):
    table = fit.find_spots().table
    flagged = table["status"].isin(["bright spot", "dark spot"])
    assert flagged.sum() > 10
    np.testing.assert_array_equal(table.loc[flagged, "persistent"], table.loc[flagged, "probability"])
    np.testing.assert_allclose(table["persistent"], np.maximum(table["p_own_high"], table["p_own_low"]))
    assert table["periods_same_side"].le(table["periods"]).all()
    agreement = table["periods_same_side"] / table["periods"]
    assert agreement[flagged].mean() > 0.85
    assert agreement[flagged].mean() > agreement[~flagged].mean() + 0.1


def test_swapping_the_direction_changes_neither(fit):
    columns = ["persistent", "periods_same_side", "periods"]
    swapped = replace(fit, higher_is="better").find_spots().table
    pd.testing.assert_frame_equal(swapped[columns], fit.find_spots().table[columns])


def test_the_list_says_in_how_many_periods(fit):
    spots = fit.find_spots()
    assert "periods on this side" in repr(spots)
    assert "4 of 4" in repr(spots)


def test_without_periods_there_is_no_such_column(frame):
    table = bs.fit_hierarchy(frame, seed=1).find_spots().table
    assert not {"persistent", "periods", "periods_same_side"} & set(table.columns)
