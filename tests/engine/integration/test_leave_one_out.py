"""Surprise: against refitting without the cell, brute-force sums, and uniformity under the model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import brightspots as bs
from brightspots.engine.integration.leave_one_out import (
    Prediction,
    collapse,
    leave_one_out,
    surprise,
)
from brightspots.engine.posterior import StoredPosterior
from brightspots.likelihood.families import POISSON
from brightspots.likelihood.mixtures import at_least
from tests.conftest import simulate_frame, withhold

FAMILIES = {
    "poisson": {},
    "binomial": {"denominator": "denominator"},
    "normal": {"family": "normal"},
}


def outcomes(trusts: int, departments: int, *, seed: int = 1) -> pd.DataFrame:
    frame = simulate_frame(trusts, departments, mean_expected=20.0, seed=seed)
    frame = frame.assign(denominator=400, standard_error=0.15)
    frame["estimate"] = np.log((frame["observed"] + 0.5) / frame["expected"])
    return frame


def refitted(frame: pd.DataFrame, rows: np.ndarray, **options) -> float:
    """Mid-p of the total of some rows, all of one cell, predicted by a fit that never saw them."""
    left_out = frame.loc[rows]
    fit = bs.fit_hierarchy(frame.drop(index=rows), seed=3, **options)
    posterior, cells = fit.effects, fit.table.cells
    shared, rng = posterior.shared, np.random.default_rng(0)
    trust_effect = np.concatenate([block.trust_effect for block in posterior.blocks()])
    trust = np.flatnonzero(cells.trusts == left_out["trust"].iloc[0])
    u = trust_effect[trust[0]] if len(trust) else rng.normal(0, shared.sd["trust"])
    level = shared.intercept + u + rng.normal(0, shared.sd["department"])
    kind = np.flatnonzero(cells.departments == left_out["department"].iloc[0])[0]
    simulated = 0.0
    for _, row in left_out.iterrows():
        period = 0 if cells.periods is None else np.flatnonzero(cells.periods == row["period"])[0]
        kinds = kind if cells.periods is None else kind * len(cells.periods) + period
        eta = level + shared.type_effect[:, kinds]
        if "period" in shared.sd:
            eta = eta + rng.normal(0, shared.sd["period"])
        if cells.family.name == "poisson":
            simulated = simulated + rng.poisson(row["expected"] * np.exp(eta))
        elif cells.family.name == "binomial":
            offset = special.logit(row["expected"] / row["denominator"])
            simulated = simulated + rng.binomial(int(row["denominator"]), special.expit(offset + eta))
        else:
            simulated = rng.normal(eta, row["standard_error"])
    seen = left_out["estimate"].iloc[0] if cells.family.name == "normal" else left_out["observed"].sum()
    return float(np.mean(simulated > seen) + 0.5 * np.mean(simulated == seen))


@pytest.mark.parametrize("family", FAMILIES)
def test_surprise_is_what_refitting_without_the_cell_would_say(family):
    frame = outcomes(12, 5)
    ours = bs.fit_hierarchy(frame, seed=1, **FAMILIES[family]).departments()["surprise"]
    for row in (5, 44):
        again = refitted(frame, np.array([row]), **FAMILIES[family])
        assert ours[row] == pytest.approx(again, abs=0.05), row


def test_a_cell_of_several_periods_is_left_out_whole():
    frame = pd.concat([outcomes(12, 5, seed=seed).assign(period=seed) for seed in (1, 2)], ignore_index=True)
    ours = bs.fit_hierarchy(frame, seed=1).departments()["surprise"]
    for row in (3,):
        again = refitted(frame, np.array([row, row + 60]))
        assert ours[row] == pytest.approx(again, abs=0.05), row


def test_a_trusts_only_department_is_predicted_from_the_nation():
    frame = outcomes(12, 5).iloc[4:].reset_index(drop=True)
    ours = bs.fit_hierarchy(frame, seed=1).departments()["surprise"]
    assert ours[0] == pytest.approx(refitted(frame, np.array([0])), abs=0.05)


def test_a_mixture_of_few_normals_has_the_tails_of_that_of_all_draws():
    """Shared parameters far more uncertain than they are in any table: locations spread as widely as the normals."""
    generator = np.random.default_rng(1)
    shape, count = (4, 300), np.array([1.0, 6.0, 40.0, 4.0])
    location = (
        np.log(count)[:, np.newaxis]
        + np.array([[-0.8], [0.6], [-0.4], [0.0]])
        + generator.normal(0, 0.3, shape)
    )
    sd = 0.3 * np.exp(generator.normal(0, 0.1, shape))
    prediction = Prediction(location, sd, generator.normal(0.0, 1.0, shape))
    few = collapse(prediction)
    assert few.location.shape == (4, 24)

    def tail(one: Prediction) -> np.ndarray:
        of_draws = at_least(POISSON, count, np.ones(4), one.location, one.sd)
        return np.sum(special.softmax(one.log_weight, axis=1) * of_draws, axis=1)

    np.testing.assert_allclose(tail(few), tail(prediction), atol=1e-3)


@pytest.mark.parametrize("years", [1, 3])
def test_surprise_is_uniform_under_the_model(years):
    nation = bs.simulate_nation(trusts=60, departments=15, periods=years if years > 1 else None, seed=11)
    values = surprise(bs.fit_hierarchy(nation.cells, seed=1).effects)
    assert stats.kstest(values, "uniform").pvalue > 0.01


def test_only_the_shared_draws_are_used():
    posterior = bs.fit_hierarchy(outcomes(8, 4), seed=1).effects
    cells = posterior.cells
    nothing = np.zeros((1, posterior.shared.n_draws))
    stored = StoredPosterior(
        cells, posterior.shared, nothing.repeat(cells.n_trusts, 0), nothing.repeat(cells.n_cells, 0)
    )
    np.testing.assert_array_equal(surprise(stored), surprise(posterior))


def test_a_suppressed_count_is_as_surprising_as_its_interval():
    """An interval that holds nearly all of the predictive distribution says nothing: ½."""
    frame = withhold(outcomes(8, 4), 6, 0.0, 300.0)
    values = bs.fit_hierarchy(frame, seed=1).departments()["surprise"]
    assert values[6] == pytest.approx(0.5, abs=1e-3)


def test_a_cell_of_few_predicted_events_cannot_be_surprisingly_low_and_the_table_says_so():
    """1 − ½P(none): with about one event expected at most some 0.8, and no lower than that with none."""
    frame = simulate_frame(20, 5, mean_expected=60.0)
    few = frame.index[frame["department"] == "D00"]
    frame.loc[few, "expected"] = 1.0
    frame.loc[few, "observed"] = np.arange(len(few)) % 3
    fit = bs.fit_hierarchy(frame, seed=1)
    found = leave_one_out(fit.effects)
    at = fit.table.cells.cell_department == 0
    none = at & (fit.table.cells.lower == 0)
    np.testing.assert_allclose(found.most[none], found.value[none])
    assert (found.most[at] < 0.95).all()
    assert (found.value <= found.most + 1e-12).all()
    assert (found.most[fit.table.cells.size > 30] > 0.999).all()
    n = int(np.sum(found.most < 0.975))
    said = fit.departments().attrs["surprise"]
    assert said.startswith(f"surprise cannot exceed 0.975 in {n} of 100 departments")
    assert "on the bright side" in said
    better = bs.fit_hierarchy(frame, seed=1, higher_is="better").departments()
    assert "on the dark side" in better.attrs["surprise"]
    counts = np.random.default_rng(1).poisson(60.0, len(frame))
    enough = bs.fit_hierarchy(frame.assign(expected=60.0, observed=counts), seed=1).departments()
    assert "surprise" not in enough.attrs


def test_where_nearly_everybody_has_the_event_even_everybody_is_no_surprise():
    frame = simulate_frame(20, 5).drop(columns="expected").assign(denominator=30)
    frame["observed"] = np.random.default_rng(1).binomial(30, 0.97, len(frame))
    fit = bs.fit_hierarchy(frame, denominator="denominator", expected=None, seed=1)
    found = leave_one_out(fit.effects)
    everybody = fit.table.cells.lower == 30
    np.testing.assert_allclose(found.least[everybody], found.value[everybody])
    assert (found.least > 0.025).all()
    assert (found.most > 0.999).all()
    said = fit.departments().attrs["surprise"]
    assert said.startswith("surprise cannot fall below 0.025 in 100 of 100 departments")
    assert "on the dark side" in said


def test_an_outlier_is_surprising_on_its_own_side():
    frame = outcomes(10, 5)
    frame.loc[7, "observed"] = int(4 * frame.loc[7, "expected"]) + 10
    values = bs.fit_hierarchy(frame, seed=1).departments()["surprise"]
    assert values[7] < 0.01
