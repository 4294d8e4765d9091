"""In line needs evidence of the department's own: its likelihood alone, by brute force and in closed form."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import brightspots as bs
from brightspots.engine.posterior import SharedDraws
from brightspots.statistics import evidence
from brightspots.statistics.evidence import Level, within_by_own_data
from tests.conftest import table_of

REACH = float(np.log(1.1))


def cells_of(frame: pd.DataFrame, **columns):
    return table_of(frame, priors=bs.Priors(period=0.5), **columns).cells


def no_effects(cells, *, sd_period: float | None = None) -> SharedDraws:
    """Intercept and types at 0: predictors are the offsets."""
    sds = {"trust": 0.1, "department": 0.1, "period": sd_period}
    return SharedDraws(
        intercept=np.zeros(4),
        coefficients=np.zeros((4, 0)),
        sd={level: np.full(4, sd) for level, sd in sds.items() if sd is not None},
        type_effect=np.zeros((4, cells.n_types)),
    )


def evidence_of(cells, shared: SharedDraws, level: Level, reach: float) -> np.ndarray:
    """`within_by_own_data` of one level."""
    return within_by_own_data(cells, shared, [level], reach)[0]


def at(cells, mean: float = 0.0, sd: float = 0.0) -> Level:
    return Level(np.full(cells.n_cells, mean), np.full(cells.n_cells, sd))


def four(**columns) -> pd.DataFrame:
    """Two trusts of two departments, with four values a column."""
    return pd.DataFrame({"trust": ["A", "A", "B", "B"], "department": ["X", "Y", "X", "Y"], **columns})


def brute_force(likelihood, *, reach: float = REACH, widest: float = 12.0) -> float:
    """Share of a likelihood of the shift t, over a flat prior, that lies within ±reach."""
    grid = np.linspace(-widest, widest, 400_001)
    density = likelihood(grid)
    inside = np.abs(grid) <= reach
    return float(integrate.trapezoid(density * inside, grid) / integrate.trapezoid(density, grid))


def test_a_count_is_a_gamma():
    cells = cells_of(four(observed=[1, 40, 400, 2_000], expected=[1.0, 40.0, 380.0, 2_100.0]))
    found = evidence_of(cells, no_effects(cells), at(cells), REACH)
    for y, e, p in zip((1, 40, 400, 2_000), (1.0, 40.0, 380.0, 2_100.0), found, strict=True):
        assert p == pytest.approx(brute_force(lambda t: stats.poisson.pmf(y, e * np.exp(t))), abs=1e-4)  # noqa: B023


def test_a_proportion_is_a_beta():
    cells = cells_of(four(observed=[5, 250, 30, 900], denominator=[10, 1_000, 40, 2_000]).assign())
    found = evidence_of(cells, no_effects(cells), at(cells), REACH)
    for y, n, p in zip((5, 250, 30, 900), (10, 1_000, 40, 2_000), found, strict=True):
        share = brute_force(lambda t: stats.binom.pmf(y, n, 1.0 / (1.0 + np.exp(-t))))  # noqa: B023
        assert p == pytest.approx(share, abs=1e-4)


def test_an_estimate_is_normal():
    cells = cells_of(four(estimate=[0.0, 0.05, -0.2, 0.01], standard_error=[0.01, 0.05, 0.1, 1.0]))
    found = evidence_of(cells, no_effects(cells), at(cells), REACH)
    z, s = np.array([0.0, 0.05, -0.2, 0.01]), np.array([0.01, 0.05, 0.1, 1.0])
    np.testing.assert_allclose(found, stats.norm.cdf((REACH - z) / s) - stats.norm.cdf((-REACH - z) / s))


@pytest.mark.parametrize(
    "columns",
    [
        {"observed": [0, 0, 0, 5], "expected": [0.05, 3.0, 2_000.0, 5.0]},
        {"observed": [0, 10, 0, 5], "denominator": [10, 10, 3, 9]},
    ],
)
def test_nothing_or_everybody_is_no_evidence(columns):
    """The likelihood of no events has no end: as far below as you like is as likely."""
    cells = cells_of(four(**columns))
    found = evidence_of(cells, no_effects(cells), at(cells), REACH)
    assert list(found[:2]) == [0.0, 0.0]
    assert found[2] == 0.0
    assert found[3] > 0.0


def test_an_interval_that_reaches_down_to_nothing_is_no_evidence_and_one_that_does_not_is():
    frame = four(observed=[np.nan, np.nan, 300, 310], expected=[300.0, 300.0, 300.0, 300.0])
    frame = frame.assign(observed_lower=[0, 290, np.nan, np.nan], observed_upper=[7, 310, np.nan, np.nan])
    cells = cells_of(frame, observed_lower="observed_lower", observed_upper="observed_upper")
    found = evidence_of(cells, no_effects(cells), at(cells), REACH)
    assert found[0] == 0.0
    inside = lambda t: sum(stats.poisson.pmf(y, 300.0 * np.exp(t)) for y in range(290, 311))  # noqa: E731
    assert found[1] == pytest.approx(brute_force(inside, widest=2.0), abs=2e-3)
    assert found[2] > found[1]


def test_a_count_shown_only_because_it_is_not_small_says_less_than_one_that_would_be_shown_anyway():
    plain = four(observed=[12, 30, 300, 310], expected=[12.0, 30.0, 300.0, 300.0])
    cells = cells_of(plain.assign(counted_from=11), counted_from="counted_from")
    found = evidence_of(cells, no_effects(cells), at(cells), REACH)

    def given(t):
        mean = 30.0 * np.exp(t)
        return stats.poisson.pmf(30, mean) / np.maximum(stats.poisson.sf(10, mean), 1e-300)

    grid = np.linspace(-3.0, 2.0, 50_001)
    density = given(grid)
    share = integrate.trapezoid(density * (np.abs(grid) <= REACH), grid) / integrate.trapezoid(density, grid)
    assert found[1] == pytest.approx(share, abs=0.01)
    unconditional = evidence_of(cells_of(plain), no_effects(cells_of(plain)), at(cells), REACH)
    assert found[0] < unconditional[0]
    assert found[3] == pytest.approx(unconditional[3], abs=2e-3)


def test_the_uncertainty_of_the_level_is_averaged_over():
    cells = cells_of(four(observed=[400, 400, 400, 400], expected=[400.0] * 4))
    sharp = evidence_of(cells, no_effects(cells), at(cells), REACH)
    vague = evidence_of(cells, no_effects(cells), at(cells, sd=0.1), REACH)
    assert vague[0] < sharp[0]
    both = np.sqrt(1.0 / 400.0 + 0.1**2)
    assert vague[0] == pytest.approx(2 * stats.norm.cdf(REACH / both) - 1, abs=0.005)


def test_what_passes_blurs_what_a_department_says_of_itself():
    """Four periods of 100 events: with σ_period 0.2 the average is known to 0.11, without to 0.05."""
    rows = [(t, d, p, 100, 100.0) for t in "AB" for d in "XY" for p in (1, 2, 3, 4)]
    frame = pd.DataFrame(rows, columns=["trust", "department", "period", "observed", "expected"])
    cells = cells_of(frame, period="period")
    steady, passing = (
        evidence_of(cells, no_effects(cells, sd_period=sd), at(cells), REACH)[0] for sd in (1e-6, 0.2)
    )
    assert steady == pytest.approx(2 * stats.norm.cdf(REACH / 0.05) - 1, abs=0.01)
    assert passing == pytest.approx(2 * stats.norm.cdf(REACH / np.sqrt((0.04 + 0.01) / 4)) - 1, abs=0.02)


def test_the_grid_agrees_with_the_closed_form(monkeypatch):
    cells = cells_of(four(observed=[1, 7, 90, 2_000], expected=[2.0, 6.0, 95.0, 2_010.0]))
    level = Level(np.array([0.1, -0.2, 0.0, 0.01]), np.array([0.05, 0.1, 0.02, 0.0]))
    closed = evidence_of(cells, no_effects(cells), level, REACH)
    monkeypatch.setattr(evidence, "_is_simple", lambda cells, shared: np.zeros(cells.n_cells, dtype=bool))
    np.testing.assert_allclose(evidence_of(cells, no_effects(cells), level, REACH), closed, atol=2e-3)


def test_several_levels_are_answered_at_once():
    cells = cells_of(four(observed=[1, 7, 90, 2_000], expected=[2.0, 6.0, 95.0, 2_010.0]))
    levels = [at(cells), at(cells, mean=0.1, sd=0.05)]
    together = within_by_own_data(cells, no_effects(cells), levels, REACH)
    for level, found in zip(levels, together, strict=True):
        np.testing.assert_array_equal(found, evidence_of(cells, no_effects(cells), level, REACH))


def crossed(observed: np.ndarray, expected: np.ndarray) -> pd.DataFrame:
    """A table of trusts × departments from two arrays of that shape."""
    trusts, departments = observed.shape
    return pd.DataFrame({
        "trust": np.repeat([f"T{t:02d}" for t in range(trusts)], departments),
        "department": np.tile([f"D{d}" for d in range(departments)], trusts),
        "observed": observed.ravel(),
        "expected": expected.ravel(),
    })  # fmt: skip


def nation(seed: int, events: float, sd: float) -> tuple[pd.DataFrame, np.ndarray]:
    """40 trusts; nine types of 100 expected events that hardly differ, and one of few events that does."""
    rng = np.random.default_rng(seed)
    expected = np.where(np.arange(10) == 9, events, 100.0) * np.ones((40, 1))
    effect = rng.normal(0.0, np.where(np.arange(10) == 9, sd, 0.02), (40, 10))
    observed = rng.poisson(expected * np.exp(effect + rng.normal(0.0, 0.1, (40, 1))))
    return crossed(observed, expected), effect.ravel()


@pytest.mark.parametrize("events", [0.05, 2.0])
def test_a_type_of_which_nothing_is_known_is_never_in_line(events):
    frame, _ = nation(1, events, 0.2)
    spots = bs.fit_hierarchy(frame, seed=1).find_spots()
    thin = spots.table[spots.table["department"] == "D9"]
    assert (1.0 - thin["p_own_high"] - thin["p_own_low"] > 0.98).all()
    assert (thin["status"] == "cannot tell").all()
    assert (thin["why"] == "by assumption").all()
    assert "by assumption" in repr(spots)


def test_in_line_is_said_of_those_that_show_it_and_holds_against_both_comparisons():
    """20,000 expected events and a tiny σ: reliability is low, and yet the data prove it."""
    rng = np.random.default_rng(3)
    expected = np.full((30, 6), 20_000.0)
    observed = rng.poisson(expected * np.exp(rng.normal(0.0, 0.01, (30, 6))))
    table = bs.fit_hierarchy(crossed(observed, expected), seed=1).find_spots().table
    assert (table["status"] == "in line").all()
    assert table["why"].isna().all()


def test_a_department_like_its_own_bad_trust_is_not_in_line():
    rng = np.random.default_rng(4)
    expected = np.full((30, 6), 5_000.0)
    trust = np.where(np.arange(30) == 0, 0.35, 0.0)[:, np.newaxis]
    observed = rng.poisson(expected * np.exp(trust))
    table = bs.fit_hierarchy(crossed(observed, expected), seed=1).find_spots().table
    first = table["trust"] == "T00"
    assert (table.loc[first, "why"] == "unlike peers").all()
    assert (table.loc[~first, "status"] == "in line").all()


def test_every_silence_has_a_reason_that_its_own_numbers_bear_out():
    frame = bs.simulate_nation(40, 8, seed=2).cells
    frame = frame[~((frame["trust"] == "T001") & (frame["department"] != "Cardiology"))]
    fit = bs.fit_hierarchy(frame, period=False, seed=1)
    for reference in ("organisation", "peers", "both"):
        table = fit.find_spots(bs.SpotRule(reference=reference, min_expected=5.0)).table
        silent = table["status"] == "cannot tell"
        assert table.loc[silent, "why"].notna().all()
        assert table.loc[~silent, "why"].isna().all()
        thin = table[table["why"] == "thin"]
        if reference != "peers":
            assert ((thin["own_ratio_lower"] <= 1 / 1.1) & (thin["own_ratio_upper"] >= 1.1)).all()
        assert (table.loc[table["trust"] == "T001", "why"].dropna() == "alone").all()
        assert (table.loc[table["why"] == "not eligible", "expected"] < 5.0).all()
