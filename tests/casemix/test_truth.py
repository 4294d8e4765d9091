"""Against what we did not write: statsmodels on the rows themselves, rank statistics, records with a known risk."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy.stats import mannwhitneyu

import brightspots as bs
from brightspots.casemix import logistic
from brightspots.casemix.validation import by_risk, c_statistic, calibration

from .conftest import CASEMIX, simulate_records

FORMULA = "died ~ C(age_band) + C(sex) + C(admission)"


def by_cell(records: pd.DataFrame, p: pd.Series) -> pd.Series:
    return p.groupby([records["trust"], records["department"]]).sum()


def test_own_models_are_those_of_a_logit_on_the_rows(records):
    """One row-level Logit a department, its fitted probabilities summed by trust."""
    cells = bs.standardise(records, outcome="died", casemix=CASEMIX)
    assert set(cells.card.types["model"]) == {"own"}
    fits = {
        name: smf.logit(FORMULA, part).fit(disp=0, tol=1e-12) for name, part in records.groupby("department")
    }
    p = pd.concat(
        [
            fit.predict() * pd.Series(1.0, index=records.index[records["department"] == name])
            for name, fit in fits.items()
        ]
    )
    expected = by_cell(records, p.sort_index())
    np.testing.assert_allclose(cells["expected"], expected.to_numpy(), rtol=1e-9)
    assert list(zip(cells["trust"], cells["department"], strict=True)) == list(expected.index)
    counts = records.groupby(["trust", "department"])["died"].agg(["sum", "size"])
    np.testing.assert_array_equal(cells["observed"], counts["sum"])
    np.testing.assert_array_equal(cells["denominator"], counts["size"])


def test_coefficients_and_standard_errors_are_those_of_the_logit(records):
    cells = bs.standardise(records, outcome="died", casemix=CASEMIX)
    table = cells.card.coefficients.query("model == 'D1'").set_index(["covariate", "level"])
    reference = {name: table.loc[name].index[table.loc[name]["note"] == "reference"][0] for name in CASEMIX}
    terms = " + ".join(f"C({name}, Treatment({reference[name]!r}))" for name in CASEMIX)
    fit = smf.logit(f"died ~ {terms}", records.query("department == 'D1'")).fit(disp=0, tol=1e-12)
    intercept = table.loc[("(intercept)", "D1")]
    assert intercept["coefficient"] == pytest.approx(fit.params["Intercept"], abs=1e-8)
    assert intercept["standard_error"] == pytest.approx(fit.bse["Intercept"], rel=1e-6)
    for name in CASEMIX:
        for level in table.loc[name].index.drop(reference[name]):
            term = f"C({name}, Treatment({reference[name]!r}))[T.{level}]"
            assert table.loc[(name, level), "coefficient"] == pytest.approx(fit.params[term], abs=1e-8)
            assert table.loc[(name, level), "standard_error"] == pytest.approx(fit.bse[term], rel=1e-6)


def test_pooled_models_share_coefficients_and_keep_an_intercept_each(records):
    cells = bs.standardise(records, outcome="died", casemix=CASEMIX, min_events=10**6)
    assert set(cells.card.types["model"]) == {"pooled"}
    fit = smf.logit(f"{FORMULA} + C(department)", records).fit(disp=0, tol=1e-12)
    expected = by_cell(records, pd.Series(fit.predict(), records.index))
    np.testing.assert_allclose(cells["expected"], expected.to_numpy(), rtol=1e-9)


def test_a_continuous_covariate_is_cut_where_it_is_said(records):
    banded = bs.standardise(records, outcome="died", casemix=CASEMIX)
    cut = bs.standardise(
        records, outcome="died", casemix=["age", "sex", "admission"], bins={"age": [40, 60, 75]}
    )
    np.testing.assert_allclose(cut["expected"], banded["expected"], rtol=1e-9)
    levels = cut.card.coefficients.query("covariate == 'age' and model == 'D0'")["level"]
    assert levels.tolist() == ["under 40", "40 to under 60", "60 to under 75", "75 and over"]


@pytest.mark.parametrize("min_events", [None, 10**6])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_expected_sums_to_observed_in_every_department(seed, min_events):
    records = simulate_records(2_000, trusts=5, departments=6, seed=seed, intercept=-3.5)
    cells = bs.standardise(records, outcome="died", casemix=CASEMIX, min_events=min_events)
    sums = cells.table.groupby("department")[["observed", "expected"]].sum()
    np.testing.assert_allclose(sums["expected"], sums["observed"], rtol=1e-6)
    np.testing.assert_allclose(cells.card.types["expected"], cells.card.types["observed"], rtol=1e-6)


def test_expected_events_come_near_the_risk_that_made_the_records():
    """With 200,000 patients the model finds the risks that they were given."""
    records = simulate_records(200_000, departments=2)
    band = np.digitize(records["age"], [40.0, 60.0, 75.0])
    eta = -2.0 + 0.5 * band + 0.2 * (records["sex"] == "M") + 0.8 * (records["admission"] == "emergency")
    truth = by_cell(records, 1.0 / (1.0 + np.exp(-eta)))
    cells = bs.standardise(records, outcome="died", casemix=CASEMIX)
    np.testing.assert_allclose(cells["expected"], truth.to_numpy(), rtol=0.02)


def test_periods_split_the_cells_and_leave_the_models_alone(records):
    records["year"] = np.arange(len(records)) % 3 + 2020
    whole = bs.standardise(records, outcome="died", casemix=CASEMIX)
    split = bs.standardise(records, outcome="died", casemix=CASEMIX, period="year")
    assert list(split.table.columns) == [
        "trust",
        "department",
        "period",
        "observed",
        "expected",
        "denominator",
    ]
    again = split.table.groupby(["trust", "department"], as_index=False)[
        ["observed", "expected", "denominator"]
    ].sum()
    pd.testing.assert_frame_equal(again, whole.table)
    pd.testing.assert_frame_equal(split.card.coefficients, whole.card.coefficients)


def test_without_case_mix_a_record_is_expected_what_its_department_has(records):
    cells = bs.standardise(records, outcome="died", casemix=[])
    rate = records.groupby("department")["died"].mean()
    np.testing.assert_allclose(
        cells["expected"], cells["denominator"] * rate.loc[cells["department"]].to_numpy()
    )


# ---- the two ways to the maximum ---------------------------------------------------------------------------------


@pytest.mark.parametrize("penalised", [False, True])
def test_block_by_block_is_the_same_maximum_as_statsmodels(records, monkeypatch, penalised):
    if penalised:  # nobody who was transferred died
        records.loc[records["admission"] == "transfer", "died"] = 0
    dense = bs.standardise(records, outcome="died", casemix=CASEMIX, min_events=10**6)
    monkeypatch.setattr(logistic, "LARGEST_DESIGN", 200)
    blocks = bs.standardise(records, outcome="died", casemix=CASEMIX, min_events=10**6)
    assert dense.card.types["penalised"].all() == penalised
    for column in ("coefficient", "standard_error"):
        np.testing.assert_allclose(
            blocks.card.coefficients[column], dense.card.coefficients[column], rtol=1e-7, atol=1e-9
        )


def test_the_penalty_is_half_a_patient_with_the_event_and_half_without(records):
    """Written out as rows with weights for statsmodels' GLM (Greenland & Mansournia 2015)."""
    records.loc[records["sex"] == "M", "died"] = 0
    cells = bs.standardise(records, outcome="died", casemix=["sex"], min_events=1)
    table = cells.card.coefficients.query("model == 'D0'").set_index("covariate")
    part = records.query("department == 'D0'")
    by_sex = part.groupby("sex")["died"].agg(["sum", "size"])
    assert (
        by_sex["size"].idxmax() == table.loc["sex"].query("note.str.contains('reference')")["level"].iloc[0]
    )
    other = (by_sex["size"].idxmin() == by_sex.index).astype(float)
    X = np.vstack([np.column_stack([np.ones(2), other]), [0.0, 1.0]])
    y = np.vstack([np.column_stack([by_sex["sum"], by_sex["size"] - by_sex["sum"]]), [0.5, 0.5]])
    fit = sm.GLM(y, X, family=sm.families.Binomial()).fit(tol=1e-12)
    slope = table.loc["sex"].query("~note.str.contains('reference')").iloc[0]
    assert table.loc["(intercept)", "coefficient"] == pytest.approx(fit.params[0], abs=1e-6)
    assert slope["coefficient"] == pytest.approx(fit.params[1], abs=1e-6)
    assert slope["standard_error"] == pytest.approx(fit.bse[1], rel=1e-5)


# ---- how well it fits --------------------------------------------------------------------------------------------


def test_the_c_statistic_is_the_rank_statistic_of_the_rows():
    rng = np.random.default_rng(4)
    p = rng.choice([0.1, 0.2, 0.2, 0.4, 0.7], 400)  # with ties
    died = rng.random(400) < p
    u = mannwhitneyu(p[died], p[~died]).statistic
    found = c_statistic(*by_risk(p, np.ones(400, dtype=int), died.astype(int))[1:])
    assert found == pytest.approx(u / (died.sum() * (~died).sum()), rel=1e-12)


def test_the_c_statistic_of_counts_is_that_of_their_rows(records):
    cells = bs.standardise(records, outcome="died", casemix=CASEMIX, min_events=10**6)
    p = smf.logit(f"{FORMULA} + C(department)", records).fit(disp=0).predict().round(9)
    died = records["died"].to_numpy(dtype=bool)
    u = mannwhitneyu(p[died], p[~died]).statistic
    assert cells.card.c_statistic == pytest.approx(u / (died.sum() * (~died).sum()), rel=1e-6)


def test_no_events_have_no_c_statistic():
    assert np.isnan(c_statistic(np.array([5.0, 5.0]), np.array([0.0, 0.0])))


def test_calibration_counts_every_record_once(records):
    cells = bs.standardise(records, outcome="died", casemix=CASEMIX)
    table = cells.card.calibration
    assert table["records"].sum() == len(records)
    assert table["observed"].sum() == records["died"].sum()
    assert table["expected"].sum() == pytest.approx(records["died"].sum(), rel=1e-9)
    assert table["expected_rate"].is_monotonic_increasing
    assert (table["records"] > 0.5 * len(records) / 10).all()


def test_calibration_of_distinct_risks_is_by_tenths():
    p = np.linspace(0.01, 0.99, 1_000)
    table = calibration(p, np.ones(1_000), (p > 0.5).astype(float))
    assert table.index.tolist() == list(range(1, 11))
    assert (table["records"] == 100).all()
    np.testing.assert_allclose(table["expected"], [p[i : i + 100].sum() for i in range(0, 1_000, 100)])
    assert table["observed"].tolist() == [0] * 5 + [100] * 5
    # Wilson's interval for 0 of 100 ends at z²/(n + z²).
    z = 1.959963984540054
    assert table.loc[1, "observed_rate_upper"] == pytest.approx(z**2 / (100 + z**2))
