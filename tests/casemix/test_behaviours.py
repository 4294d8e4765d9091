"""What happens with data that a logistic model cannot take as they are: each case has one stated behaviour."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import brightspots as bs

from .conftest import CASEMIX, simulate_records


def standardise(records, **changed):
    return bs.standardise(records, **({"outcome": "died", "casemix": CASEMIX} | changed))


def sums_agree(cells: bs.Standardised) -> bool:
    sums = cells.table.groupby("department")[["observed", "expected"]].sum()
    return bool(np.allclose(sums["expected"], sums["observed"], rtol=1e-6))


def finite(cells: bs.Standardised) -> bool:
    """No coefficient on its way to infinity (e^15 is 3 million), and no standard error either."""
    levels = cells.card.coefficients.query("covariate != '(intercept)'")
    errors = levels["standard_error"].dropna()
    return bool((levels["coefficient"].abs() < 15.0).all() and (errors < 5.0).all())


# ---- separation --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("outcome", "word"), [(0, "no events"), (1, "only events")])
def test_a_level_without_events_or_with_nothing_else_penalises_its_model_and_the_card_says_so(
    records, outcome, word
):
    here = (records["department"] == "D1") & (records["admission"] == "transfer")
    records.loc[here, "died"] = outcome
    cells = standardise(records)
    types = cells.card.types.set_index("department")
    assert types["penalised"].to_dict() == {"D0": False, "D1": True, "D2": False, "D3": False}
    assert finite(cells)
    assert sums_agree(cells)
    row = cells.card.coefficients.query("model == 'D1' and level == 'transfer'").iloc[0]
    assert row["note"] == word
    assert row["observed"] == (0 if outcome == 0 else row["records"])
    assert any("log-F(1, 1)" in note and note.endswith("only events: D1") for note in cells.card.notes)


def test_complete_separation_by_one_column_has_finite_coefficients(records):
    """The outcome is the covariate."""
    records["sex"] = np.where(records["died"] == 1, "M", "F")
    cells = standardise(records)
    assert finite(cells)
    assert sums_agree(cells)
    assert cells.card.types["penalised"].all()
    assert cells.card.c_statistic > 0.99


@pytest.mark.parametrize("rare", [0.002, 0.02])
def test_separation_in_a_rare_outcome_does_not_overshoot(rare):
    """A small level in which everybody died, where Newton's first step would go far beyond the maximum."""
    rng = np.random.default_rng(1)
    records = simulate_records(20_000, departments=2)
    records["died"] = (rng.random(len(records)) < rare).astype(int)
    records["device"] = rng.random(len(records)) < 0.001
    records.loc[records["device"], "died"] = 1
    cells = standardise(records, casemix=["sex", "device"], min_events=1)
    assert finite(cells)
    assert sums_agree(cells)


def test_separation_by_a_combination_of_columns_is_found_too():
    """The majority of three columns is the outcome, and every level of each has both outcomes."""
    columns = np.array(np.meshgrid([0, 1], [0, 1], [0, 1])).reshape(3, -1).repeat(100, axis=1)
    records = pd.DataFrame(dict(zip("abc", columns, strict=True)))
    records["died"] = (columns.sum(axis=0) >= 2).astype(int)
    records["trust"], records["department"] = np.tile(["R1", "R2"], 400), "D"
    assert all(0 < rate < 1 for column in "abc" for rate in records.groupby(column)["died"].mean())
    cells = standardise(records, casemix=["a", "b", "c"])
    assert finite(cells)
    assert sums_agree(cells)
    assert any("the likelihood has no finite maximum: D" in note for note in cells.card.notes)


def test_a_stratum_without_events_is_expected_to_have_what_its_levels_say(records):
    """No penalty, no merging: its row is one of many, and statsmodels on the rows is the truth (test_truth.py)."""
    here = (records["department"] == "D0") & (records["age_band"] == "75+") & (records["sex"] == "M")
    records.loc[here & (records["admission"] == "transfer"), "died"] = 0
    cells = standardise(records)
    assert not cells.card.types["penalised"].any()
    assert sums_agree(cells)


# ---- departments ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [0, 1])
def test_a_department_whose_outcome_never_varies_is_left_out_aloud(records, outcome):
    records.loc[records["department"] == "D2", "died"] = outcome
    with pytest.warns(bs.DataWarning, match="1 department is left out, for its outcome never varies.*D2"):
        cells = standardise(records)
    assert set(cells["department"]) == {"D0", "D1", "D3"}
    gone = int((records["department"] == "D2").sum())
    assert cells.card.left_out.to_dict("records") == [
        {"reason": "department whose outcome never varies", "records": gone, "events": gone * outcome}
    ]
    assert cells.card.records + gone == len(records)


def test_no_department_with_both_outcomes_is_an_error(records):
    with pytest.raises(bs.DataError, match="no department has records both with and without the event"):
        standardise(records.assign(died=0))


def test_small_departments_are_pooled_and_large_ones_are_not(records):
    small = records[records["department"] != "D3"]
    records = pd.concat(
        [small, records[records["department"] == "D3"].head(150), records.tail(90).assign(department="D4")]
    )
    events = records.groupby("department")["died"].sum()
    cells = standardise(records, min_events=int(events[["D3", "D4"]].sum()))
    kinds = cells.card.types.set_index("department")["model"]
    assert kinds.to_dict() == {"D0": "own", "D1": "own", "D2": "own", "D3": "pooled", "D4": "pooled"}
    assert (
        cells.card.coefficients.query("covariate == '(intercept)' and model == 'pooled'")["level"]
        == ["D3", "D4"]
    ).all()
    assert any(
        note.startswith("2 departments share the coefficients of one model") for note in cells.card.notes
    )


def test_a_pool_that_is_too_small_itself_takes_in_the_next_smallest_department(records):
    alone = pd.concat(
        [records[records["department"] != "D3"], records[records["department"] == "D3"].head(60)]
    )
    events = alone.groupby("department")["died"].sum()
    next_smallest = events.drop("D3").idxmin()
    cells = standardise(alone, min_events=100)
    kinds = cells.card.types.set_index("department")["model"]
    assert set(kinds.index[kinds == "pooled"]) == {"D3", next_smallest}


def test_by_default_a_model_wants_ten_events_a_coefficient(records):
    assert standardise(records).card.min_events == 10 * (3 + 1 + 2)


# ---- covariates ----------------------------------------------------------------------------------------------------


def test_a_constant_covariate_adjusts_nothing_and_is_said(records):
    plain = standardise(records)
    with pytest.warns(bs.DataWarning, match="the same value in every record.*country"):
        cells = standardise(records.assign(country="Wales"), casemix=[*CASEMIX, "country"])
    np.testing.assert_allclose(cells["expected"], plain["expected"], rtol=1e-9)
    assert not cells.card.coefficients["covariate"].eq("country").any()


def test_a_covariate_that_is_constant_in_one_department_is_left_out_of_its_model(records):
    records = records[(records["department"] != "D0") | (records["sex"] == "F")]
    cells = standardise(records)
    assert not cells.card.coefficients.query("model == 'D0'")["covariate"].eq("sex").any()
    assert cells.card.coefficients.query("model == 'D1'")["covariate"].eq("sex").any()
    assert sums_agree(cells)


def test_a_column_that_others_determine_gets_no_coefficient_and_changes_nothing(records):
    plain = standardise(records)
    old = np.where(records["age_band"] == "75+", "old", "young")
    cells = standardise(records.assign(old=old), casemix=[*CASEMIX, "old"])
    np.testing.assert_allclose(cells["expected"], plain["expected"], rtol=1e-9)
    aliased = cells.card.coefficients.query("note == 'aliased'")
    assert set(aliased["covariate"]) == {"old"}
    assert (aliased["coefficient"] == 0).all()
    assert any("other columns determine" in note for note in cells.card.notes)


def test_a_continuous_covariate_without_cut_points_says_what_to_pass(records):
    with pytest.raises(
        bs.DataError, match=r"column 'age': more than 12 different numbers.*bins=\{'age': \[40, 60, 75\]\}"
    ):
        standardise(records, casemix=["age"])


def test_twelve_numbers_are_levels_and_thirteen_are_not(records):
    few = records.assign(score=np.arange(len(records)) % 12)
    assert standardise(few, casemix=["score"]).card.covariates["levels"].tolist() == [12]
    more = records.assign(score=np.arange(len(records)) % 13)
    with pytest.raises(bs.DataError, match="more than 12 different numbers"):
        standardise(more, casemix=["score"])
    coded = standardise(more, casemix=["score"], bins={"score": "levels"})
    assert coded.card.covariates["levels"].tolist() == [13]


def test_an_identifier_is_no_case_mix(records):
    with pytest.raises(bs.DataError, match="column 'patient': more than 200 different values"):
        standardise(records.assign(patient=[f"P{i}" for i in range(len(records))]), casemix=["patient"])


def test_dates_are_refused_with_advice(records):
    dates = records.assign(admitted=pd.Timestamp("2024-01-01"))
    with pytest.raises(bs.DataError, match="column 'admitted': holds values of type Datetime"):
        standardise(dates, casemix=["admitted"])


def test_text_cannot_be_cut(records):
    with pytest.raises(bs.DataError, match="column 'sex': has cut points"):
        standardise(records, casemix=["sex"], bins={"sex": [1]})


# ---- missing values ------------------------------------------------------------------------------------------------


@pytest.fixture
def gaps(records) -> pd.DataFrame:
    """One record in ten without a sex, one in twenty of the others with a blank band."""
    records.loc[records.index % 10 == 0, "sex"] = None
    records.loc[records.index % 20 == 1, "age_band"] = "  "
    return records


def test_missing_case_mix_is_a_level_of_its_own_by_default(gaps):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cells = standardise(gaps)
    assert cells["denominator"].sum() == len(gaps)
    filled = gaps.fillna({"sex": "unknown"}).replace({"age_band": {"  ": "unknown"}})
    np.testing.assert_allclose(cells["expected"], standardise(filled)["expected"], rtol=1e-9)
    assert cells.card.covariates.set_index("covariate")["records_missing"].to_dict() == {
        "age_band": 300, "sex": 600, "admission": 0,
    }  # fmt: skip
    assert "missing values are a level of their own: age_band, sex" in cells.card.notes


def test_missing_case_mix_can_be_left_out(gaps):
    kept = gaps[gaps["sex"].notna() & (gaps["age_band"] != "  ")]
    lost = int(gaps.drop(kept.index)["died"].sum())
    with pytest.warns(bs.DataWarning, match=f"900 records with missing case mix are left out, {lost} events"):
        cells = standardise(gaps, missing="drop")
    pd.testing.assert_frame_equal(cells.table, standardise(kept).table)
    assert cells.card.left_out.to_dict("records") == [
        {"reason": "missing case mix", "records": 900, "events": lost}
    ]


def test_missing_case_mix_can_be_refused(gaps):
    with pytest.raises(
        bs.DataError, match="case mix is missing: 'age_band' in 300, 'sex' in 600 of 6,000 records"
    ):
        standardise(gaps, missing="error")


def test_a_missing_outcome_is_an_error_unless_it_is_to_be_left_out(records):
    records["died"] = records["died"].astype(float)
    records.loc[:49, "died"] = np.nan
    with pytest.raises(bs.DataError, match="column 'died': the outcome is missing in 50 of 6,000 records"):
        standardise(records)
    with pytest.warns(bs.DataWarning, match="50 records without an outcome are left out"):
        cells = standardise(records, missing_outcome="drop")
    pd.testing.assert_frame_equal(cells.table, standardise(records.iloc[50:]).table)
    assert cells.card.left_out["records"].tolist() == [50]


@pytest.mark.parametrize("column", ["trust", "department"])
@pytest.mark.parametrize("label", [None, "   "])
def test_a_record_without_a_trust_or_department_is_an_error(records, column, label):
    records.loc[:9, column] = label
    with pytest.raises(bs.DataError, match=f"column '{column}': a label is"):
        standardise(records)


# ---- outcomes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "outcome",
    [
        lambda y: y.astype(bool),
        lambda y: y.astype(float),
        lambda y: y.astype("boolean"),
        lambda y: y.astype("int8"),
    ],
    ids=["bool", "float", "nullable", "int8"],
)
def test_outcomes_may_be_booleans_or_0_and_1(records, outcome):
    found = standardise(records.assign(died=outcome(records["died"])))
    pd.testing.assert_frame_equal(found.table, standardise(records).table)


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (lambda y: y + 1, "outcomes are neither 0 nor 1 .they run from 1 to 2"),
        (lambda y: y * 0.5, "outcomes are neither 0 nor 1 .they run from 0 to 0.5"),
        (lambda y: -y, "neither 0 nor 1"),
        (lambda y: y.map({0: "alive", 1: "dead"}), "the outcome holds values of type String"),
        (lambda y: pd.to_datetime(y), "the outcome holds values of type Datetime"),
    ],
    ids=["1 and 2", "half", "negative", "text", "dates"],
)
def test_other_outcomes_are_refused(records, outcome, said):
    with pytest.raises(bs.DataError, match=f"column 'died': .*{said}"):
        standardise(records.assign(died=outcome(records["died"])))


@pytest.mark.parametrize("column", ["trust", "department"])
def test_labels_of_several_kinds_are_refused(records, column):
    records[column] = records[column].astype(object)
    records.loc[::2, column] = 7
    with pytest.raises(bs.DataError, match=f"column '{column}': labels of several kinds are mixed"):
        standardise(records)


def test_repeated_column_names_are_refused(records):
    twice = pd.concat([records, records[["sex"]]], axis=1)
    with pytest.raises(bs.DataError, match=r"the records cannot be used: .*sex"):
        standardise(twice)


def test_no_records_are_an_error(records):
    with pytest.raises(bs.DataError, match="there are no records"):
        standardise(records.head(0))


# ---- other records -------------------------------------------------------------------------------------------------


def test_a_model_scores_the_records_it_was_fitted_to_as_it_did(records):
    fitted = standardise(records)
    again = standardise(records, casemix=None, model=fitted)
    pd.testing.assert_frame_equal(again.table, fitted.table)
    assert not again.card.fitted
    assert again.card.c_statistic == fitted.card.c_statistic


def test_a_model_scores_other_records_with_the_same_coefficients(records):
    """Twice the events next year: observed doubles, expected does not."""
    fitted = standardise(records)
    later = records.assign(died=np.where(records.index % 2 == 0, 1, records["died"]))
    scored = standardise(later, casemix=None, model=fitted)
    np.testing.assert_allclose(scored["expected"], fitted["expected"])
    assert scored["observed"].sum() > fitted["observed"].sum()


def test_a_category_unseen_at_scoring_gets_the_mean_coefficient_and_is_said(records):
    fitted = standardise(records)
    later = records.copy()
    later.loc[later.index % 4 == 0, "admission"] = "air ambulance"
    with pytest.warns(
        bs.DataWarning, match=r"1,500 records have a value of admission.*admission = air ambulance"
    ):
        scored = standardise(later, casemix=None, model=fitted)
    table = fitted.card.coefficients.query("model == 'D0'")
    admission = table.query("covariate == 'admission'").set_index("level")
    weights = records.query("department == 'D0'")["admission"].value_counts()
    mean = (admission["coefficient"] * weights).sum() / weights.sum()
    one = later.query(
        "department == 'D0' and admission == 'air ambulance' and age_band == '0-39' and sex == 'F'"
    )
    base = table.query("covariate == '(intercept)'")["coefficient"].iloc[0]
    for column, level in (("age_band", "0-39"), ("sex", "F")):
        base += table.query(f"covariate == '{column}' and level == '{level}'")["coefficient"].iloc[0]
    with pytest.warns(bs.DataWarning):
        alone = standardise(one, casemix=None, model=fitted)
    risk = 1.0 / (1.0 + np.exp(-(base + mean)))
    np.testing.assert_allclose(alone["expected"], alone["denominator"] * risk)
    assert scored["denominator"].sum() == len(records)


def test_a_value_missing_only_at_scoring_is_unseen_too(records):
    fitted = standardise(records)
    later = records.copy()
    later.loc[:9, "sex"] = None
    with pytest.warns(bs.DataWarning, match="10 records have a value of sex"):
        scored = standardise(later, casemix=None, model=fitted)
    assert scored["expected"].notna().all()


def test_a_department_that_the_model_does_not_know_is_an_error(records):
    fitted = standardise(records[records["department"] != "D3"])
    with pytest.raises(bs.DataError, match="column 'department': the model knows no department 'D3'"):
        standardise(records, casemix=None, model=fitted)


def test_a_department_that_the_model_leaves_out_is_left_out_again(records):
    with pytest.warns(bs.DataWarning, match="its outcome never varies"):
        fitted = standardise(records.assign(died=records["died"].where(records["department"] != "D2", 0)))
    with pytest.warns(bs.DataWarning, match="its outcome never varied where the model was fitted"):
        scored = standardise(records, casemix=None, model=fitted)
    assert set(scored["department"]) == {"D0", "D1", "D3"}


def test_a_column_of_another_kind_is_an_error(records):
    fitted = standardise(records)
    with pytest.raises(bs.DataError, match="column 'sex': holds values of kind number"):
        standardise(records.assign(sex=1), casemix=None, model=fitted)


# ---- arguments -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"casemix": None}, "casemix must name the columns"),
        ({"casemix": "sex"}, r"casemix must be a list of columns or None; received 'sex', perhaps"),
        ({"casemix": 5}, "casemix must be a list of columns or None; received 5"),
        ({"casemix": ["sex", "sex"]}, "casemix names sex more than once"),
        ({"casemix": ["sex", 3]}, "casemix must be a list of columns or None; received \\['sex', 3\\]"),
        ({"casemix": ["trust"]}, "would take away what is to be compared"),
        ({"casemix": ["department"]}, "an intercept of its own"),
        ({"casemix": ["died"]}, "it is what is to be explained"),
        ({"department": "trust"}, "one column plays two parts"),
        ({"missing": "ignore"}, "missing must be one of level, drop, error"),
        ({"missing_outcome": "level"}, "missing_outcome must be 'error' or 'drop'"),
        ({"min_events": 0}, "min_events must be a positive whole number"),
        ({"bins": {"age": [40]}}, "bins names 'age', which is not in casemix"),
        ({"casemix": ["age"], "bins": {"age": [60, 40]}}, "increasing finite numbers"),
        ({"casemix": ["age"], "bins": {"age": []}}, "increasing finite numbers"),
        ({"casemix": ["age"], "bins": {"age": [np.nan]}}, "increasing finite numbers"),
        ({"casemix": ["age"], "bins": {"age": "tenths"}}, "received 'tenths'"),
        ({"casemix": ["age"], "bins": [40]}, "bins must be a mapping"),
        ({"model": "last year"}, "model must be the result of standardise"),
    ],
)
def test_arguments_that_cannot_be_used_are_quoted(records, changed, said):
    with pytest.raises(bs.SettingsError, match=said):
        standardise(records, **changed)


def test_a_model_brings_its_own_case_mix(records):
    fitted = standardise(records)
    with pytest.raises(bs.SettingsError, match="model brings its own casemix"):
        standardise(records, model=fitted)
    with pytest.raises(bs.SettingsError, match="model was fitted already: leave bins, min_events out"):
        standardise(records, casemix=None, model=fitted, bins={"age_band": "levels"}, min_events=5)


@pytest.mark.parametrize("part", ["outcome", "trust", "department", "period"])
def test_a_column_that_is_not_there_is_named_with_those_that_are(records, part):
    with pytest.raises(
        bs.DataError, match=f"column 'nowhere': is not in the records; expected a column for {part}.*'sex'"
    ):
        standardise(records, **{part: "nowhere"})


def test_more_combinations_than_can_be_numbered_are_an_error(records):
    wide = {f"c{k}": np.arange(len(records)) % 190 for k in range(9)}
    with pytest.raises(bs.DataError, match="combinations of levels"):
        standardise(records.assign(**wide), casemix=list(wide), bins=dict.fromkeys(wide, "levels"))
