"""A count, its bounds, or both: what they say together, wherever they are read."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import brightspots as bs
from brightspots import DataError, SettingsError, funnel_limits
from brightspots.cli import app
from brightspots.limits.hierarchical import hierarchical_limits
from tests.conftest import simulate_frame, table_of, withhold

FRAME = simulate_frame(4, 3, mean_expected=60.0)
COUNT = FRAME["observed"].to_numpy(dtype=float)


def bounded(count, lower, upper, row=5):
    """The frame with one row's count and bounds; all other counts are known and need no bounds."""
    frame = FRAME.astype({"observed": float}).assign(observed_lower=np.nan, observed_upper=np.nan)
    frame.loc[row, ["observed", "observed_lower", "observed_upper"]] = [count, lower, upper]
    return frame


def in_a_fit(frame):
    cells = table_of(frame).cells
    return cells.lower[5], cells.upper[5]


def in_a_funnel(frame):
    table = funnel_limits(
        frame["observed"], frame["expected"], method="poisson",
        observed_lower=frame["observed_lower"], observed_upper=frame["observed_upper"],
    ).table.assign(size=frame["expected"])  # fmt: skip
    row = table.loc[5]
    ends = ("ratio_lower", "ratio_upper") if "ratio_lower" in table else ("ratio", "ratio")
    return tuple(np.round([row[end] * row["size"] for end in ends]))


def in_a_hierarchical_funnel(frame):
    table = hierarchical_limits(
        frame["expected"], 0.2, observed=frame["observed"],
        observed_lower=frame["observed_lower"], observed_upper=frame["observed_upper"],
    ).table.assign(size=frame["expected"])  # fmt: skip
    row = table.loc[5]
    ends = ("ratio_lower", "ratio_upper") if "ratio_lower" in table else ("ratio", "ratio")
    return tuple(np.round([row[end] * row["size"] for end in ends]))


def in_a_suppressed_table(frame):
    shown = bs.suppress(frame.drop(columns="rating"), below=2, totals=())
    row = shown.loc[5]
    return (
        (row["observed_lower"], row["observed_upper"])
        if np.isnan(row["observed"])
        else (row["observed"],) * 2
    )


READERS = pytest.mark.parametrize(
    "read", [in_a_fit, in_a_funnel, in_a_hierarchical_funnel, in_a_suppressed_table]
)


@READERS
@pytest.mark.parametrize(
    ("count", "lower", "upper", "expected"),
    [
        (35, 33, 37, (33, 37)),
        (35, 35, 37, (35, 37)),
        (35, 20, np.inf, (20, np.inf)),
        (np.nan, 33, 37, (33, 37)),
        (np.nan, 36, 36, (36, 36)),
        (35, 35, 35, (35, 35)),
        (35, np.nan, np.nan, (35, 35)),
        (35, np.nan, 37, (35, 35)),
        (35, 33, np.nan, (35, 35)),
        (0, 0, 2, (0, 2)),
    ],
    ids=[
        "a rounded count", "rounded down", "no upper bound", "bounds alone", "bounds that meet", "bounds repeat it",
        "no bounds", "no lower bound", "no upper bound given", "a zero that may be rounded",
    ],
)  # fmt: skip
def test_what_a_count_and_its_bounds_say_together(read, count, lower, upper, expected):
    assert read(bounded(count, lower, upper)) == expected


@READERS
@pytest.mark.parametrize(
    ("count", "lower", "upper", "said"),
    [
        (13, 100, 200, "'observed': a count lies outside its own bounds; row 5"),
        (300, 100, 200, "'observed': a count lies outside its own bounds; row 5"),
        (13, 14, np.nan, "'observed': a count lies outside its own bounds; row 5"),
        (13, np.nan, 12, "'observed': a count lies outside its own bounds; row 5"),
        (np.nan, 20, 5, "'observed_lower': lower bound above 'observed_upper'; row 5"),
        (13, 20, 5, "'observed_lower': lower bound above 'observed_upper'; row 5"),
        (np.nan, -3, 5, "'observed_lower': a bound is negative or fractional; row 5"),
        (2, -3, np.nan, "'observed_lower': a bound is negative or fractional; row 5"),
        (2, 1, 4.5, "'observed_upper': a bound is negative or fractional; row 5"),
        (2, np.nan, -np.inf, "'observed_upper': a bound is negative or fractional; row 5"),
        (2, -np.inf, 5, "'observed_lower': bounds are infinite|lower bound are infinite"),
    ],
)
def test_bounds_that_contradict_the_count_or_each_other_are_refused(read, count, lower, upper, said):
    with pytest.raises(DataError, match=said):
        read(bounded(count, lower, upper))


@pytest.mark.parametrize("method", ["integrate"])
def test_rounded_counts_leave_more_open_than_exact_ones(method):
    """Rounded to the nearest 5: the interval is what the model sees, and no count is shown as if it were known."""
    frame = simulate_frame(12, 5, mean_expected=12.0, sd_department=0.4)
    near = 5.0 * np.floor(frame["observed"] / 5 + 0.5)
    rounded = frame.assign(observed=near, observed_lower=(near - 2).clip(lower=0), observed_upper=near + 2)
    exact = bs.fit_hierarchy(frame.assign(observed=near.astype(int)), seed=1, method=method).departments()
    fit = bs.fit_hierarchy(rounded, seed=1, method=method)
    told = fit.departments()
    assert fit.table.cells.censored.all()
    assert told["observed"].isna().all()
    assert told["raw_ratio"].isna().all()
    np.testing.assert_array_equal(told["observed_lower"], rounded["observed_lower"])
    assert (told["reliability"] < exact["reliability"]).all()
    # And bounds alone are enough.
    bare = bs.fit_hierarchy(rounded.drop(columns="observed"), seed=1, method=method)
    pd.testing.assert_frame_equal(bare.departments(), told)
    assert fit.trusts().shape == bare.trusts().shape


def test_what_departments_says_is_read_back_the_same():
    fit = bs.fit_hierarchy(withhold(simulate_frame(6, 4), [2, 9], 1, 7), seed=1)
    again = table_of(fit.departments()).cells
    for name in ("lower", "upper", "size"):
        np.testing.assert_array_equal(getattr(again, name), getattr(fit.table.cells, name))
    shown = bs.suppress(fit.departments(), below=8)
    once = table_of(shown).cells
    assert (once.lower[2], once.upper[2]) == (1, 7)
    np.testing.assert_array_equal(table_of(bs.suppress(shown, below=8)).cells.lower, once.lower)


def test_intervals_add_up_over_periods():
    one = bounded(35, 33, 37).drop(columns="rating")
    years = pd.concat([one.assign(period=1), one.assign(period=2)], ignore_index=True)
    cells = table_of(years, period=False).cells
    assert (cells.lower[5], cells.upper[5]) == (66, 74)
    assert cells.lower[0] == cells.upper[0] == 2 * COUNT[0]


def test_a_rounded_count_is_among_its_people_however_far_its_interval_reaches():
    people = bounded(35, 33, 37).drop(columns=["expected", "rating"]).assign(denominator=1_000)
    people.loc[5, "denominator"] = 36
    cells = table_of(people).cells
    assert (cells.lower[5], cells.upper[5]) == (33, 36)
    shown = bs.suppress(people, below=2, totals=())
    assert (shown["observed_lower"][5], shown["observed_upper"][5]) == (33, 36)
    limits = funnel_limits(
        people["observed"], denominator=people["denominator"], method="proportion",
        observed_lower=people["observed_lower"], observed_upper=people["observed_upper"],
    )  # fmt: skip
    assert limits.table.loc[5, "ratio_upper"] == 1.0
    people.loc[5, "denominator"] = 34
    for read in (table_of, lambda frame: bs.suppress(frame, below=2)):
        with pytest.raises(DataError, match="observed exceeds 'denominator'"):
            read(people)


def test_an_interval_lies_above_the_smallest_count_that_is_shown():
    frame = bounded(12, 10, 14).assign(counted_from=11)
    cells = table_of(frame).cells
    assert (cells.lower[5], cells.upper[5]) == (11, 14)
    with pytest.raises(DataError, match="below the smallest count that would be shown"):
        table_of(bounded(8, 7, 9).assign(counted_from=11))


def test_bounds_alone_are_enough_for_a_funnel():
    frame = bounded(35, 33, 37)
    ends = {
        "observed_lower": frame["observed_lower"].fillna(frame["observed"]),
        "observed_upper": frame["observed_upper"].fillna(frame["observed"]),
    }
    both = funnel_limits(frame["observed"], frame["expected"], method="poisson", **ends)
    alone = funnel_limits(None, frame["expected"], method="poisson", **ends)
    pd.testing.assert_frame_equal(both.table, alone.table)
    assert "ratio_lower" in hierarchical_limits(frame["expected"], 0.2, **ends).table
    with pytest.raises(SettingsError, match="give observed, or the bounds"):
        funnel_limits(None, frame["expected"])


def test_where_no_count_is_known_a_centre_must_be_given():
    ends = {"observed_lower": [1, 4], "observed_upper": [3, 6]}
    with pytest.raises(DataError, match="no count is known, only bounds, so there is no centre"):
        funnel_limits(None, denominator=[40, 50], method="proportion", **ends)
    limits = funnel_limits(None, denominator=[40, 100], method="proportion", target=0.05, tau2=0.0, **ends)
    assert limits.table["zone"].tolist() == ["within limits", "within limits"]


def test_estimates_have_no_bounds_of_counts():
    with pytest.raises(SettingsError, match="bounds of counts"):
        hierarchical_limits(
            [0.1, 0.2],
            0.1,
            observed=[0.0, 0.1],
            family="normal",
            observed_lower=[0, 0],
            observed_upper=[1, 1],
        )


def test_a_small_count_beside_bounds_is_withheld_as_widely_as_any_other():
    table = pd.DataFrame(
        {"trust": ["A", "B"], "department": "D", "observed": [3, 40], "observed_lower": [2, 40],
         "observed_upper": [4, 40]}
    )  # fmt: skip
    shown = bs.suppress(table, below=8, totals=())
    assert (shown["observed_lower"][0], shown["observed_upper"][0]) == (1, 7)
    among = bs.suppress(table.assign(observed=[97, 40], observed_lower=[96, 40], observed_upper=[98, 40],
                                     denominator=[100, 100]), below=8, totals=())  # fmt: skip
    assert (among["observed_lower"][0], among["observed_upper"][0]) == (93, 99)


def test_bounds_of_people_may_not_contradict_them_either():
    table = pd.DataFrame(
        {"trust": ["A", "B"], "department": "D", "observed": [3, 40], "denominator": [50, np.nan]}
    )
    shown = bs.suppress(
        table.assign(denominator_lower=[50, 90], denominator_upper=[50, np.inf]), below=8, totals=()
    )
    assert shown["denominator"][0] == 50
    for lower, upper, said in (
        (60, 70, "'denominator': a count lies outside"),
        (9, 8, "'denominator_lower': lower bound"),
    ):
        with pytest.raises(DataError, match=said):
            bs.suppress(table.assign(denominator_lower=[lower, 90], denominator_upper=[upper, 95]), below=8)


def test_the_command_line_adds_intervals_up_and_needs_no_counts(tmp_path):
    table = pd.DataFrame(
        {"trust": ["A", "A", "B", "B", "C"], "observed": [10, 20, 30, 5, 15], "expected": [12.0, 18.0, 33.0, 6.0, 14.0],
         "observed_lower": [8, 20, np.nan, 3, 13], "observed_upper": [12, 20, np.nan, 7, 17]}
    )  # fmt: skip

    def draw(frame, name):
        frame.to_csv(tmp_path / "units.csv", index=False)
        arguments = ["funnel", str(tmp_path / "units.csv"), "--method", "poisson", "--sum", "-o"]
        where = tmp_path / f"{name}.csv"
        result = CliRunner().invoke(app, [*arguments, str(tmp_path / f"{name}.png"), "--table", str(where)])
        return result, where

    result, where = draw(table, "both")
    assert result.exit_code == 0, result.output
    limits = pd.read_csv(where, index_col="trust")
    np.testing.assert_allclose(
        limits.loc["A", ["ratio_lower", "ratio_upper"]].astype(float), [28 / 30, 32 / 30]
    )
    np.testing.assert_allclose(
        limits.loc["B", ["ratio_lower", "ratio_upper"]].astype(float), [33 / 39, 37 / 39]
    )
    alone = table.assign(
        observed_lower=table["observed_lower"].fillna(table["observed"]),
        observed_upper=table["observed_upper"].fillna(table["observed"]),
    ).drop(columns="observed")
    result, other = draw(alone, "alone")
    assert result.exit_code == 0, result.output
    pd.testing.assert_frame_equal(pd.read_csv(other, index_col="trust"), limits)
    result, _ = draw(table.assign(observed_lower=100, observed_upper=200), "wrong")
    assert result.exit_code == 2
    assert "a count lies outside its own bounds" in result.output
