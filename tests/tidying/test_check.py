"""Every finding has its code, its rows and its remedies; and a report is right about what a fit will do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import brightspots as bs
from brightspots.tidying.remedies import STEPS
from tests.tidying.messy import clean_table


def finding(report, code):
    """The one finding of a code."""
    (found,) = [each for each in report.findings if each.code == code]
    return found


def test_a_clean_table_has_no_errors_and_nothing_to_remedy():
    report = bs.check_table(clean_table())
    assert report.ok
    assert report.remedies == ()
    assert "nothing to report" in repr(report) or not report.of_weight("error")


NOBODY = pd.DataFrame({"trust": ["Ivel"], "department": ["Maternity"], "observed": [0], "expected": [0.0]})


def sums(table):
    """Over trusts."""
    return table.groupby("department", as_index=False)[["observed", "expected"]].sum()


TROUBLES = {
    "twins": lambda t: t.assign(trust=t["trust"].where(t.index != 3, t["trust"].str.upper() + " ")),
    "totals": lambda t: pd.concat([t, sums(t).assign(trust="England")]),
    "blank labels": lambda t: t.assign(trust=t["trust"].where(t.index % 4 == 0)),
    "label kinds": lambda t: t.assign(trust=t["trust"].astype(object).mask(t["trust"] == "Ivel", 7)),
    "duplicates": lambda t: pd.concat([t, t.iloc[[4, 9]]]),
    "repeated keys": lambda t: pd.concat([t, t.iloc[[4]].assign(observed=1)]),
    "zero of zero": lambda t: pd.concat([t, NOBODY]),
    "missing numbers": lambda t: t.assign(expected=t["expected"].mask(t.index == 7)),
    "ratings": lambda t: t.assign(rating=np.where(t.index % 2 == 0, "RI", "good.")),
}  # fmt: skip


@pytest.mark.parametrize("code", TROUBLES)
def test_what_can_be_settled_is_found_settled_and_noted(code):
    table = TROUBLES[code](clean_table()).reset_index(drop=True)
    before = table.copy(deep=True)
    report = bs.check_table(table)
    assert code in report.codes
    assert code in report.remedies
    told = finding(report, code)
    assert told.in_python
    assert told.in_shell
    settled = bs.tidy(table, report, [code])
    pd.testing.assert_frame_equal(table, before)
    assert len(settled.attrs["notes"]) == 1
    again = bs.check_table(settled)
    assert code not in again.codes
    assert again.ok


def test_rows_are_named_where_they_stand():
    table = clean_table()
    table.loc[[3, 8], "observed"] = -1
    told = finding(bs.check_table(table), "negative counts")
    assert told.rows == (3, 8)
    assert told.column == "observed"
    assert told.where == "column 'observed', rows 3 and 8" or told.where == "column 'observed', rows 3, 8"


ERRORS = {
    "missing column": lambda t: t.drop(columns="expected"),
    "negative counts": lambda t: t.assign(observed=t["observed"].mask(t.index == 1, -3)),
    "fractional counts": lambda t: t.assign(observed=t["observed"].mask(t.index == 1, 3.5)),
    "infinite numbers": lambda t: t.assign(expected=t["expected"].mask(t.index == 1, float("inf"))),
    "not numbers": lambda t: t.assign(observed=t["observed"].astype(object).mask(t.index == 1, "many")),
    "events without anybody": lambda t: t.assign(expected=t["expected"].mask(t.index == 1, 0.0)),
    "more events than people": lambda t: t.assign(denominator=1).drop(columns="expected"),
    "missing counts": lambda t: t.assign(observed=t["observed"].astype(float).mask(t.index == 1)),
}


@pytest.mark.parametrize("code", ERRORS)
def test_what_only_the_owner_can_settle_is_an_error_that_a_fit_would_raise_too(code):
    table = ERRORS[code](clean_table())
    report = bs.check_table(table)
    assert not report.ok
    assert code in report.codes
    assert code not in report.remedies
    with pytest.raises((bs.DataError, bs.SettingsError)):
        bs.fit_hierarchy(table, seed=1)


def test_everything_is_said_at_once():
    table = clean_table()
    table.loc[3, "trust"] = "brackley"
    table.loc[9, "observed"] = -2
    table.loc[12, "expected"] = float("nan")
    assert {"twins", "negative counts", "missing numbers"} <= set(bs.check_table(table).codes)


def test_withheld_counts_are_given_the_bounds_that_their_owner_knows():
    table = clean_table()
    table["observed"] = table["observed"].astype(float).mask(table["observed"] < 5)
    report = bs.check_table(table)
    clean = bs.tidy(table, report, ["suppressed=0-4"])
    hidden = table["observed"].isna()
    assert (clean.loc[hidden, "observed_lower"] == 0).all()
    assert (clean.loc[hidden, "observed_upper"] == 4).all()
    assert clean.loc[~hidden, "observed_lower"].isna().all()
    bs.fit_hierarchy(clean, columns=report.columns, seed=1)


@pytest.mark.parametrize(
    ("remedies", "said"),
    [
        (["total"], "did you mean 'totals'"),
        ("totals", "a sequence"),
        (["suppressed"], "1-4"),
        (["suppressed=4-1"], "4-1"),
    ],
)
def test_a_remedy_that_cannot_be_is_refused(remedies, said):
    table = clean_table()
    with pytest.raises(bs.SettingsError, match=said):
        bs.tidy(table, bs.check_table(table), remedies)


def test_summed_parts_keep_what_is_withheld_as_an_interval():
    table = (
        clean_table()
        .astype({"observed": float})
        .assign(observed_lower=float("nan"), observed_upper=float("nan"))
    )
    part = table.iloc[[4]].assign(observed=float("nan"), observed_lower=1.0, observed_upper=4.0, expected=2.0)
    both = pd.concat([table, part], ignore_index=True)
    summed = bs.tidy(both, bs.check_table(both), ["repeated-keys"])
    row = summed.iloc[4]
    assert pd.isna(row["observed"])
    assert (row["observed_lower"], row["observed_upper"]) == (
        table.at[4, "observed"] + 1,
        table.at[4, "observed"] + 4,
    )
    assert row["expected"] == table.at[4, "expected"] + 2.0


def test_ratings_that_match_nobody_are_pointed_out():
    report = bs.check_table(clean_table(), rating={"RXX": "Good", "RYY": "Inadequate"})
    assert "ratings match nobody" in report.codes
    some = bs.check_table(clean_table(), rating={"Ivel": "Good", "ASHDOWN": "Inadequate"})
    assert "only by capitals" in finding(some, "unmatched ratings").text


def test_months_of_a_financial_year_are_pointed_out():
    months = ["Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb", "Mar"]
    table = pd.concat([clean_table().assign(period=month) for month in months], ignore_index=True)
    assert "Apr to Mar" in finding(bs.check_table(table), "period order").text


def test_the_codes_of_what_the_data_themselves_say_are_those_of_the_fit():
    table = clean_table().assign(expected=lambda t: t["expected"] * 30)
    with pytest.warns(bs.DataWarning):
        fit = bs.fit_hierarchy(table, seed=1)
    assert {caution.code for caution in fit.cautions} <= set(bs.check_table(table).codes)


def test_a_report_reads_as_text_html_table_and_json():
    table = clean_table().assign(trust=lambda t: t["trust"].where(t.index != 3, "<b>Ashdown</b>"))
    report = bs.check_table(pd.concat([table, table.iloc[[2]]]))
    assert "duplicates" in repr(report)
    assert "--remedy duplicates" in report.text(shell=True)
    assert "<b>Ashdown" not in report._repr_html_().replace("<b>duplicates", "")
    assert list(report.table["code"]) == [each.code for each in report.findings]
    assert report.as_dict()["codes"] == list(report.codes)


def test_outcomes_are_told_apart():
    both = pd.concat([clean_table(1).assign(measure="deaths"), clean_table(2).assign(measure="readmissions")])
    assert "repeated keys" in bs.check_table(both.reset_index(drop=True)).codes
    assert bs.check_table(both.reset_index(drop=True), outcome="measure").ok


def test_every_step_has_a_code_of_its_own():
    assert len({step.code for step in STEPS}) == len(STEPS)


def test_the_next_table_may_call_its_columns_otherwise():
    """Columns are said once, for the table that was checked; another table may name them anew."""
    table = {
        "trust": ["North", "North", "South", "South ", "Total", "Total"],
        "department": ["Stroke", "Renal", "Stroke", "Renal", "Stroke", "Renal"],
        "observed": [41, 12, 30, 19, 71, 31],
        "expected": [33.5, 14.1, 31.0, 15.5, 64.5, 29.6],
    }
    report = bs.check_table(table)
    clean = bs.tidy(table, report, ["totals", "twins"])
    renamed = {"site" if name == "trust" else name: values for name, values in table.items()}
    again = bs.tidy(renamed, report, ["totals", "twins"], columns=bs.Columns(trust="site"))
    pd.testing.assert_frame_equal(again.rename(columns={"site": "trust"}), clean)
    with pytest.raises(bs.SettingsError, match="columns must be a Columns or None"):
        bs.tidy(renamed, report, columns={"trust": "site"})
