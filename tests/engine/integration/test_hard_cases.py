"""Tables that break approximations: each must earn its certificate and agree with what is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import brightspots as bs
from brightspots import Priors
from brightspots.engine.integration.draws import make_draws
from brightspots.engine.integration.evaluation import evaluate, expansion_error
from brightspots.engine.integration.expansion import expand
from brightspots.engine.integration.tree import Tree
from brightspots.engine.terms import resolve_priors
from tests.conftest import simulate_frame, table_of, withhold


def certified(frame: pd.DataFrame, **options) -> bs.HierarchyFit:
    """A fit by integration; a certificate that fails is a warning, and warnings are errors."""
    fit = bs.fit_hierarchy(frame, seed=1, method="integrate", **options)
    assert fit.certificate.ok
    assert fit.certificate.effective_draws >= 1_000
    for table in (fit.departments(), fit.trusts(), fit.variance_partition()):
        numbers = table.select_dtypes("number").drop(
            columns=["detectable_ratio", "observed", "raw_ratio"], errors="ignore"
        )
        assert np.isfinite(numbers.to_numpy()).all()
    return fit


def test_departments_that_do_not_vary_give_a_sigma_at_the_boundary():
    """The density of σ is finite at 0, so mass must reach it: the lower limit is near 0, not an artefact above it."""
    frame = simulate_frame(60, 8, sd_department=0.0, mean_expected=40.0)
    department = certified(frame).variance_partition().loc["department"]
    assert department["sd_lower"] < 0.01
    assert department["sd"] < 0.05


def test_a_department_type_without_events_is_low_everywhere_and_finite():
    frame = simulate_frame(20, 6, mean_expected=8.0)
    frame.loc[frame["department"] == "D02", "observed"] = 0
    types = certified(frame).department_types().set_index("department")["type_ratio"]
    assert types.idxmin() == "D02"
    assert types["D02"] < 0.5


def test_a_trust_with_one_department_and_a_department_in_one_trust():
    frame = simulate_frame(15, 5)
    frame = frame[~((frame["trust"] == "T003") & (frame["department"] != "D01"))]
    only_here = frame.iloc[[0]].assign(department="D99", observed=30, expected=25.0)
    frame = pd.concat([frame, only_here], ignore_index=True)
    fit = bs.fit_hierarchy(frame, seed=1, method="integrate")
    table = fit.departments()
    alone = table["trust"] == "T003"
    assert table.loc[alone, "own_ratio"].isna().all()
    assert table.loc[~alone, "own_ratio"].notna().all()
    assert "only department" in table.attrs["own_ratio"]


def test_expected_events_from_a_thousandth_to_a_hundred_thousand():
    rng = np.random.default_rng(5)
    frame = simulate_frame(30, 8, seed=3)
    frame["expected"] = 10.0 ** rng.uniform(-3, 5, len(frame))
    u = np.repeat(rng.normal(0, 0.15, 30), 8)
    v = rng.normal(0, 0.2, len(frame))
    frame["observed"] = rng.poisson(frame["expected"] * np.exp(u + v))
    fit = certified(frame)
    table = fit.departments()
    known = table["expected"] > 1e4
    raw = np.log(table["raw_ratio"][known])
    level = fit.effects.shared.intercept.mean() + np.log(
        fit.department_types().set_index("department")["type_ratio"][table["department"][known]].to_numpy()
    )
    np.testing.assert_allclose(np.log(table["peer_ratio"][known]) + level, raw, atol=0.03)
    assert (table["reliability"][table["expected"] < 0.01] < 0.1).all()


def test_denominators_that_differ_a_hundred_thousand_fold():
    rng = np.random.default_rng(6)
    frame = simulate_frame(30, 8).drop(columns="expected")
    frame["denominator"] = np.round(10.0 ** rng.uniform(1, 6, len(frame)))
    eta = -1.0 + np.repeat(rng.normal(0, 0.4, 30), 8) + rng.normal(0, 0.5, len(frame))
    frame["observed"] = rng.binomial(frame["denominator"].astype(int), 1 / (1 + np.exp(-eta)))
    partition = certified(frame).variance_partition()
    assert partition.loc["department", "sd_lower"] < 0.5 < partition.loc["department", "sd_upper"]


def test_suppressed_counts_say_less_than_exact_ones_and_more_than_none():
    frame = simulate_frame(25, 6, mean_expected=6.0, sd_department=0.5)
    exact = certified(frame).departments()
    hidden = (frame["observed"] >= 1) & (frame["observed"] <= 7)
    intervals = withhold(frame, hidden, 1, 7)
    censored = certified(intervals.drop(columns="rating")).departments()
    rows = hidden.to_numpy()
    assert censored["observed"][rows].isna().all()
    mean_of = {
        name: table["reliability"][rows].mean() for name, table in (("exact", exact), ("hidden", censored))
    }
    assert 0 < mean_of["hidden"] < mean_of["exact"]
    kept = certified(intervals).variance_partition().loc["department"]
    assert kept["sd_lower"] < 0.5 < kept["sd_upper"]


@pytest.mark.parametrize("left_out", ["department", "department_type"])
def test_a_level_can_be_left_out(left_out):
    frame = simulate_frame(20, 6)
    fit = bs.fit_hierarchy(frame, priors=Priors(**{left_out: None}), seed=1, method="integrate")
    assert fit.certificate.ok
    assert set(fit.effects.shared.sd) == {"trust", "department", "department_type"} - {left_out}


def test_covariates_are_recovered():
    rng = np.random.default_rng(2)
    frame = simulate_frame(60, 6)
    frame["beds"] = np.repeat(rng.normal(500, 150, 60), 6)
    rate = frame["expected"] * np.exp(0.001 * (frame["beds"] - 500) + rng.normal(0, 0.15, len(frame)))
    frame["observed"] = rng.poisson(rate)
    fit = certified(frame, covariates="beds")
    slope = fit.effects.shared.coefficients[:, 0] / fit.table.cells.covariate_scale[0]
    assert abs(slope.mean() - 0.001) < 3 * slope.std()
    assert slope.std() < 3e-4


def test_two_trusts_with_counts_that_no_such_model_can_have_made():
    """Three years of none and of four times what was expected side by side: σ's far from their priors."""
    table = pd.DataFrame(
        [
            ("T1", "D3", 85, 2022, 16.479), ("T1", "D1", 67, 2022, 14.716), ("T1", "D0", 81, 2020, 46.655),
            ("T0", "D1", 22, 2022, 52.551), ("T0", "D2", 5, 2020, 12.676), ("T0", "D2", 0, 2022, 13.946),
            ("T1", "D0", 6, 2021, 26.098), ("T0", "D3", 90, 2022, 37.62), ("T0", "D1", 75, 2021, 21.403),
            ("T0", "D0", 80, 2020, 48.628), ("T1", "D0", 76, 2022, 54.981), ("T0", "D0", 4, 2021, 39.756),
            ("T1", "D3", 0, 2021, 26.744), ("T1", "D2", 0, 2020, 13.445), ("T1", "D1", 15, 2021, 17.62),
            ("T1", "D2", 23, 2022, 59.201), ("T1", "D2", 4, 2021, 39.749), ("T1", "D1", 23, 2020, 17.094),
            ("T0", "D0", 2, 2022, 18.144), ("T0", "D3", 6, 2021, 52.624), ("T0", "D2", 6, 2021, 6.239),
            ("T1", "D3", 0, 2020, 5.757),
        ],
        columns=["trust", "department", "observed", "period", "expected"],
    )  # fmt: skip
    fit = certified(table)
    assert fit.variance_partition()["sd"].max() > 1.0


def test_one_draw_that_holds_all_the_weight_is_the_one_that_is_checked():
    cells = table_of(simulate_frame(6, 4)).cells
    terms = resolve_priors(cells, Priors())
    tree = Tree(cells, terms.levels)
    rng = np.random.default_rng(0)
    draws = make_draws(
        tree,
        np.log([0.12, 0.2, 0.1]) + 0.1 * rng.normal(size=(50, 3)),
        0.1 * rng.normal(size=(50, tree.n_border)),
    )
    expansions = expand(tree, draws)
    by_unit = evaluate(expansions)
    by_unit[:, 7] += 1.0
    weights = np.full(50, 1e-300)
    weights[7] = 1.0
    # What is common to all draws that weigh changes nothing.
    assert expansion_error(expansions, by_unit, weights, rng) < 1e-3
    weights[8] = 1.0
    assert 1.0 < expansion_error(expansions, by_unit, weights, rng) == pytest.approx(3.0, abs=0.01)
