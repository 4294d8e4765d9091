"""Which names of columns are a period and a measure, and what becomes of months that stand across."""

from __future__ import annotations

import pandas as pd
import pytest

from brightspots.tidying.across import down, find_across

NAMES = {
    "Jan": ("Jan", ""),
    "January 2024": ("January 2024", ""),
    "Jan-24": ("Jan-24", ""),
    "2024-01": ("2024-01", ""),
    "2024-01-01 00:00:00": ("2024-01-01", ""),
    "2023/24": ("2023/24", ""),
    "Q1 2024": ("Q1 2024", ""),
    "2024 Q1": ("2024 Q1", ""),
    "Apr 2024 | deaths": ("Apr 2024", "deaths"),
    "deaths (Apr 2024)": ("Apr 2024", "deaths"),
    "deaths_2024-04": ("2024-04", "deaths"),
    "expected deaths Apr": ("Apr", "expected deaths"),
    "2019": ("2019", ""),
    "beds 2019": ("2019", "beds"),
    "Month 3": ("Month 3", ""),
    "Apr 2024_lower": ("Apr 2024", "_lower"),
    "Apr 2024 | deaths_upper": ("Apr 2024", "deaths_upper"),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_read_as_period_and_measure(name):
    period, measure = NAMES[name]
    other = name.replace(period, "1999-12-01")
    across = find_across(pd.DataFrame(columns=["trust", name, other]), {"trust"})
    assert across is not None
    assert across.measures == {measure: {period: name, "1999-12-01": other}}


@pytest.mark.parametrize(
    "name", ["Mayfield", "Deaths", "Maternity", "A&E 4 hours", "Marchwood", "12", "Q5", "Decile"]
)
def test_other_names_are_no_periods(name):
    assert find_across(pd.DataFrame(columns=[name, "Jan 2024"]), set()) is None


def test_months_down_keep_every_number_and_the_row_it_came_from():
    frame = pd.DataFrame(
        {"ward": ["A", "B"], "Feb": [3, 4], "Jan": [1, float("nan")], "Mar": [5.0, 6.0]},
        index=pd.Index([7, 8], name="line"),
    )
    across = find_across(frame, {"ward"})
    long, said = down(frame, across, period="month", value="observed", keys=["ward"])
    assert long.index.tolist() == [7, 7, 7, 8, 8]
    assert long["observed"].tolist() == [1, 3, 5, 4, 6]
    assert long["month"].tolist() == ["Jan", "Feb", "Mar", "Feb", "Mar"]
    assert long["month"].cat.ordered
    assert (
        said
        == "Put 3 periods that stood across (Jan to Mar) into rows: 2 rows became 5; 1 without any number were left out."  # noqa: E501
    )


def test_a_column_that_tells_measures_apart_becomes_a_column_for_each():
    frame = pd.DataFrame(
        {
            "trust": ["A"] * 4,
            "ward": ["x", "x", "y", "y"],
            "what": ["deaths", "expected"] * 2,
            "Jan": [1, 1.5, 2, 2.5],
            "Feb": [3, 3.5, 4, 4.5],
        }
    )
    long, _ = down(
        frame,
        find_across(frame, {"trust", "ward"}),
        period="period",
        value="observed",
        keys=["trust", "ward"],
    )
    assert long[["ward", "period", "deaths", "expected"]].astype({"period": str}).to_numpy().tolist() == [
        ["x", "Jan", 1, 1.5],
        ["x", "Feb", 3, 3.5],
        ["y", "Jan", 2, 2.5],
        ["y", "Feb", 4, 4.5],
    ]
