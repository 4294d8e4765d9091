"""At the door: names of columns, spellings of labels, totals, rows of 0 of 0, values that are no numbers or labels."""

from __future__ import annotations

import datetime as dt
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import brightspots as bs
from brightspots import DataError, DataWarning, SettingsError
from brightspots.data.columns import text_names
from tests.conftest import simulate_frame, table_of

HOSTILE_NAMES = [
    2024,
    pd.Timestamp("2024-01-01"),
    ("a", "b"),
    np.nan,
    None,
    1.5,
    True,
    b"bytes",
    dt.date(2024, 1, 1),
    pd.NaT,
    pd.Period("2024-01", "M"),
    frozenset({1}),
]


@pytest.fixture
def small() -> pd.DataFrame:
    return simulate_frame(4, 3)


def with_column(frame: pd.DataFrame, name: object, values: object = 1.0) -> pd.DataFrame:
    """The frame and one more column, whatever its name is."""
    columns = pd.Index([*frame.columns, name], dtype=object)
    return pd.concat([frame, pd.Series(values, index=frame.index)], axis=1).set_axis(columns, axis=1)


# ---- names of columns --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=repr)
def test_a_column_of_any_name_is_kept_under_its_text(small, name, tmp_path):
    table = table_of(with_column(small, name))
    (kept,) = set(table.extras.columns) - {"rating"}
    assert type(kept) is str
    shown = bs.suppress(with_column(small, name), below=5, keep=[kept])
    assert shown[kept].eq(1.0).all()


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=repr)
def test_a_rating_frame_of_any_names_is_read(small, name):
    from brightspots.statistics.ratings import read_ratings

    ratings = pd.DataFrame({"trust": small["trust"].unique(), "rating": "Good"})
    found = read_ratings(table_of(small).cells, with_column(ratings, name))
    assert found is not None
    assert found.levels == ("Good",)


def test_a_column_is_found_by_the_text_of_its_name(small):
    years = with_column(small, 2024, [2021] * 12)
    assert "2024" not in table_of(years, observed="2024").extras
    dates = with_column(small, pd.Timestamp("2024-01-01"), [7] * 12)
    assert table_of(dates, observed="2024-01-01").cells.lower.tolist() == [7.0] * 12


def test_names_that_are_no_text_give_way_to_those_that_are():
    assert text_names([2024, "2024", 2024.0, "2024 (2)"]) == ["2024 (3)", "2024", "2024.0", "2024 (2)"]
    mapping = {2024: [1] * 12, "2024": [2] * 12, **simulate_frame(4, 3).to_dict("list")}
    assert table_of(mapping).extras[["2024 (2)", "2024"]].iloc[0].tolist() == [1, 2]


def test_columns_with_two_rows_of_names_are_refused_with_the_way_out(small):
    two = small.set_axis(pd.MultiIndex.from_product([["all"], small.columns]), axis=1)
    for verb in (bs.fit_hierarchy, lambda frame: bs.suppress(frame, below=5)):
        with pytest.raises(DataError, match=r"2 rows of names.*frame\.columns = "):
            verb(two)


def test_a_saved_fit_keeps_such_columns(tmp_path):
    frame = with_column(with_column(simulate_frame(6, 3), 2024, "x"), None, 3.0)
    fit = bs.fit_hierarchy(frame, seed=1)
    fit.save(tmp_path / "fit.nc")
    again = bs.load_fit(tmp_path / "fit.nc")
    assert again.table.extras["2024"].eq("x").all()
    assert again.table.extras["None"].eq(3.0).all()


@pytest.mark.parametrize("value", [2024, True, b"trust", {}, ["trust"], 1.5, None])
def test_a_column_is_named_by_text(small, value):
    with pytest.raises(SettingsError, match="trust must be the name of a column"):
        bs.fit_hierarchy(small, trust=value)
    with pytest.raises(SettingsError, match="must be the name of a column"):
        bs.suppress(small, below=5, trust=value)


# ---- columns as one object ---------------------------------------------------------------------------------------


def test_columns_are_said_once_for_every_verb(small):
    columns = bs.Columns(trust="site", department="service", observed="deaths")
    renamed = small.rename(columns={"trust": "site", "department": "service", "observed": "deaths"})
    fitted = bs.fit_hierarchy(renamed, columns=columns, seed=1)
    assert fitted.columns == columns
    pd.testing.assert_frame_equal(
        fitted.departments(), bs.fit_hierarchy(small, seed=1).departments(), check_exact=True
    )
    shown = bs.suppress(renamed, below=50, columns=columns)
    assert shown["withheld"].tolist() == bs.suppress(small, below=50)["withheld"].tolist()
    records = pd.DataFrame(
        {"site": list("aabb") * 20, "service": list("xyxy") * 20, "died": [0, 1, 1, 0] * 20}
    )
    columns = bs.Columns(trust="site", department="service", outcome="died")
    counted = bs.standardise(records, columns=columns, casemix=[], min_events=1)
    assert counted["observed"].tolist() == [0, 20, 20, 0]


def test_a_part_is_named_once(small):
    columns = bs.Columns(trust="site")
    with pytest.raises(SettingsError, match="leave observed='deaths' out"):
        bs.fit_hierarchy(small, columns=columns, observed="deaths")
    with pytest.raises(SettingsError, match="leave department='unit' out"):
        bs.suppress(small, below=5, columns=columns, department="unit")
    with pytest.raises(SettingsError, match="leave outcome='died' out"):
        bs.standardise(small, outcome="died", columns=columns, casemix=[])
    with pytest.raises(SettingsError, match="columns must be a Columns or None"):
        bs.fit_hierarchy(small, columns={"trust": "site"})
    with pytest.raises(SettingsError, match="one column plays two parts: trust='unit', department='unit'"):
        bs.Columns(trust="unit", department="unit")
    with pytest.raises(SettingsError, match="outcome must be the name of a column"):
        bs.standardise(small, casemix=[])


# ---- spellings of one label --------------------------------------------------------------------------------------


def misspelt(frame: pd.DataFrame) -> pd.DataFrame:
    """T000 in three spellings, D01 in two, each cell still once."""
    trust = frame["trust"].to_numpy(dtype=object).copy()
    trust[:3] = ["T000 ", "T000", "t\u200b000"]
    department = frame["department"].to_numpy(dtype=object).copy()
    department[4] = "D\u00a001".replace("\u00a0", "") + "\u00a0"
    return frame.assign(trust=trust, department=department)


def test_spellings_of_one_label_are_refused_and_all_listed(small):
    with pytest.raises(DataError, match="differ only by capitals") as error:
        table_of(misspelt(small))
    assert "'T000' (1 row), 'T000 ' (1 row) and 't\\u200b000' (1 row)" in str(error.value)
    assert error.value.rows == (0, 2)
    with pytest.raises(DataError, match=r"'D01' \(3 rows\) and 'D01\\xa0' \(1 row\)"):
        table_of(misspelt(small).assign(trust=small["trust"]))


def test_at_most_ten_groups_are_listed():
    frame = simulate_frame(13, 2)
    frame.loc[::2, "trust"] += " "
    with pytest.raises(DataError, match=r"; 3 more groups differ only"):
        table_of(frame)


def test_tidied_labels_are_joined_said_and_noted(small):
    with pytest.warns(DataWarning) as caught:
        fit = bs.fit_hierarchy(misspelt(small), tidy_labels=True, seed=1)
    assert len(caught) == 2
    assert all(warning.filename == __file__ for warning in caught)
    assert "joined 'T000' (1 row), 'T000 ' (1 row)" in str(caught[0].message)
    assert fit.table.cells.trusts.tolist() == ["T000", "T001", "T002", "T003"]
    np.testing.assert_array_equal(fit.table.cells.lower, table_of(small).cells.lower)
    assert fit.table.notes == (
        "Joined 3 spellings of 1 trust that differ only by capitals, white space or invisible characters.",
        "Joined 2 spellings of 1 department that differ only by capitals, white space or invisible characters.",
    )


def test_joined_rows_of_one_cell_are_the_error_that_repeated_cells_are(small):
    twice = pd.concat([small, small.iloc[:1].assign(trust="t000")], ignore_index=True)
    with (
        pytest.warns(DataWarning, match="joined"),
        pytest.raises(DataError, match="appears more than once") as error,
    ):
        table_of(twice, tidy_labels=True)
    assert error.value.rows == (0, 12)


def test_a_label_without_a_twin_stays_as_it_is_unless_labels_are_tidied(small):
    spaced = small.assign(department=small["department"].replace("D01", " Stroke "))
    assert " Stroke " in table_of(spaced).cells.departments
    table = table_of(spaced, tidy_labels=True)
    assert "Stroke" in table.cells.departments
    assert table.notes == (
        "Tidied 1 label of departments (white space, invisible characters, Unicode form).",
    )


def test_a_tidied_period_keeps_the_order_that_its_categories_declare(small):
    label = pd.CategoricalDtype(["winter", "winter ", "autumn"], ordered=True)
    frame = pd.concat([small.assign(period=p) for p in ("autumn", "winter ")], ignore_index=True)
    frame.loc[0:3, "period"] = "autumn"
    frame["period"] = frame["period"].astype(label)
    assert table_of(frame, tidy_labels=True).cells.periods.tolist() == ["winter", "autumn"]


@pytest.mark.parametrize("bad", ["D\x0001", "D01\x1b[31m", "D\ud80001"])
def test_control_characters_in_labels_are_refused_or_taken_out(small, bad):
    labels = [bad if label == "D01" else label for label in small["department"]]
    spelt = small.assign(department=pd.Series(labels, dtype=object))
    with pytest.raises(DataError, match=r"control characters.*tidy_labels=True") as error:
        table_of(spelt)
    assert error.value.rows == (1, 4, 7, 10)
    assert table_of(spelt, tidy_labels=True).cells.departments.tolist()[0] == "D00"


def test_a_label_of_nothing_visible_is_blank(small):
    with pytest.raises(DataError, match="missing or blank; row 3"):
        table_of(small.assign(trust=[*small["trust"][:3], "\u200b", *small["trust"][4:]]))


def test_labels_of_forty_thousand_characters_are_labels(small):
    long = small.assign(department=small["department"].replace("D01", "x" * 40_000))
    assert table_of(long).cells.n_departments == 3


def test_suppress_joins_spellings_or_refuses_them(small):
    with pytest.raises(DataError, match=r"'D01' \(3 rows\)"):
        bs.suppress(misspelt(small).assign(trust=small["trust"]), below=5)
    with pytest.warns(DataWarning, match="joined"):
        shown = bs.suppress(misspelt(small), below=50, tidy_labels=True)
    assert shown["trust"].tolist() == small["trust"].tolist()
    assert shown["withheld"].tolist() == bs.suppress(small, below=50)["withheld"].tolist()
    assert shown.attrs["notes"][0].startswith("Joined 3 spellings of 1 trust")


@pytest.mark.parametrize("engine", ["pandas", "polars", "pyarrow", "duckdb"])
def test_standardise_joins_spellings_in_whichever_engine(engine):
    records = pd.DataFrame(
        {
            "trust": ["a", "A ", "b", "b"] * 30,
            "department": ["x", "y", "x ", "y"] * 30,
            "died": ([0] * 4 + [1] * 4) * 15,
        }
    )
    held = records
    if engine == "polars":
        held = pl.from_pandas(records).lazy()
    elif engine == "pyarrow":
        held = pa.Table.from_pandas(records)
    elif engine == "duckdb":
        duckdb = pytest.importorskip("duckdb")
        held = duckdb.from_df(records)
    with pytest.raises(
        DataError, match=r"'A ' \(30 records\) and 'a' \(30 records\) differ only by capitals"
    ):
        bs.standardise(held, outcome="died", casemix=[])
    with pytest.warns(DataWarning, match="joined") as caught:
        cells = bs.standardise(held, outcome="died", casemix=[], tidy_labels=True)
    assert len(caught) == 2
    clean = records.assign(
        trust=records["trust"].replace("a", "A").str.strip(), department=records["department"].str.strip()
    )
    pd.testing.assert_frame_equal(
        cells.table, bs.standardise(clean, outcome="died", casemix=[]).table, check_dtype=False
    )
    assert len(cells.table.attrs["notes"]) == 2


def test_ratings_are_matched_as_the_labels_of_the_fit_were(tmp_path):
    frame = simulate_frame(6, 3).drop(columns="rating")
    ratings = {
        f"t00{n} ": word for n, word in enumerate(["Good", "Good", "Inadequate", "Good", "Good", "Good"])
    }
    with pytest.raises(DataError, match="fit with tidy_labels=True"):
        bs.fit_hierarchy(frame, seed=1).find_spots(rating=ratings)
    with pytest.warns(
        DataWarning, match=r"5 ratings are of labels that the data spell differently .*'t001 ' for 'T001'"
    ):
        some = bs.fit_hierarchy(frame, seed=1).find_spots(
            rating={**dict(list(ratings.items())[1:]), "T000": "Good"}
        )
    assert some.table["rating"].notna().sum() == 3
    fit = bs.fit_hierarchy(frame, seed=1, tidy_labels=True)
    fit.save(tmp_path / "fit.nc")
    for each in (fit, bs.load_fit(tmp_path / "fit.nc")):
        assert each.find_spots(rating=ratings).table["rating"].notna().all()


def test_units_of_a_funnel_have_one_spelling_each():
    counts = pd.Series([10, 12, 14], index=["North", "north ", "South"])
    with pytest.raises(
        DataError, match=r"'North' \(1 unit\) and 'north ' \(1 unit\).*add up what belongs together"
    ):
        bs.funnel_limits(counts, counts * 1.0, method="poisson")


# ---- totals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", ["England", "TOTAL:", "All sites ", "Grand total", "Scotland"])
def test_a_total_among_the_trusts_is_pointed_out(small, label):
    total = small.groupby("department", as_index=False)[["observed", "expected"]].sum().assign(trust=label)
    with pytest.warns(DataWarning, match="equals the sum of the others.*counts twice"):
        table = table_of(pd.concat([small, total], ignore_index=True))
    assert table.notes == (
        "1 label of column 'trust' equals the sum of the others and is taken for a trust.",
    )
    with pytest.warns(DataWarning, match="reads like the sum of the others.*counts twice"):
        table_of(pd.concat([small, total.assign(observed=total["observed"] - 1)], ignore_index=True))


def test_a_total_called_something_else_is_told_by_its_counts(small):
    total = small.groupby("trust", as_index=False)[["observed", "expected"]].sum().assign(department="Z99")
    with pytest.warns(DataWarning, match="column 'department': 'Z99' equals the sum of the others"):
        table_of(pd.concat([small, total.round(2)], ignore_index=True))


def test_trusts_that_are_all_nations_are_no_totals(small):
    nations = dict(
        zip(small["trust"].unique(), ["England", "Scotland", "Wales", "Northern Ireland"], strict=True)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table_of(small.assign(trust=small["trust"].map(nations)))


# ---- rows of 0 of 0 ----------------------------------------------------------------------------------------------


def with_empty(frame: pd.DataFrame, rows: list[int], size: str, observed: object = 0) -> pd.DataFrame:
    frame = frame.astype({"observed": float, size: float})
    frame.loc[rows, ["observed", size]] = [observed, 0.0]
    return frame


@pytest.mark.parametrize("observed", [0, np.nan])
@pytest.mark.parametrize("size", ["expected", "denominator"])
def test_rows_of_nothing_of_nobody_are_left_out_and_counted(small, size, observed):
    if size == "denominator":
        small = small.assign(denominator=1000).drop(columns="expected")
    with pytest.warns(DataWarning, match=r"left out rows 1, 5: 0 of 0, which carries no information$"):
        table = table_of(with_empty(small, [1, 5], size, observed))
    same = table_of(small.drop(index=[1, 5]).reset_index(drop=True))
    for name in ("trusts", "departments", "cell_trust", "cell_department", "lower", "size", "row"):
        np.testing.assert_array_equal(getattr(table.cells, name), getattr(same.cells, name))
    assert table.notes == ("Left out 2 rows of 0 of 0, which carry no information.",)
    assert len(table.extras) == 10


def test_an_interval_that_holds_zero_is_nothing_too(small):
    bounded = with_empty(small, [1], "expected", np.nan).assign(observed_lower=np.nan, observed_upper=np.nan)
    bounded.loc[1, ["observed_lower", "observed_upper"]] = [0, 4]
    with pytest.warns(DataWarning, match="left out row 1"):
        assert table_of(bounded).cells.n_cells == 11
    bounded.loc[1, ["observed_lower", "observed_upper"]] = [1, 4]
    with pytest.raises(DataError, match="expected events are zero or negative; row 1"):
        table_of(bounded)


def test_an_event_where_there_could_be_none_is_an_error(small):
    with pytest.raises(DataError, match="expected events are zero or negative; row 5"):
        table_of(with_empty(small, [5], "expected", 1))
    people = small.assign(denominator=1000).drop(columns="expected")
    with pytest.raises(DataError, match="the denominator is zero or negative; row 5"):
        table_of(with_empty(people, [5], "denominator", 1))


def test_trusts_and_departments_that_vanish_are_said(small):
    gone = with_empty(small, [0, 1, 2, 5, 8, 11], "expected")
    with pytest.warns(
        DataWarning, match="; trust T000 has no other rows and is gone; department D02 has no other"
    ):
        table = table_of(gone)
    assert table.notes == (
        "Left out 6 rows of 0 of 0, which carry no information. 1 trust had no other rows. 1 department had no other "
        "rows.",
    )


def test_nothing_but_rows_of_0_of_0_is_an_error(small):
    with pytest.raises(DataError, match="every row is 0 of 0"):
        table_of(small.assign(observed=0, expected=0.0))


def test_a_funnel_leaves_units_of_0_of_0_out():
    frame = pd.DataFrame({"o": [10, 0, 14], "e": [9.0, 0.0, 15.0]}, index=["a", "b", "c"])
    with pytest.warns(DataWarning, match="left out b: 0 of 0"):
        limits = bs.funnel_limits(frame["o"], frame["e"], method="poisson")
    assert limits.table.index.tolist() == ["a", "c"]
    assert limits.cautions[-1].text == "Left out 1 row of 0 of 0, which carries no information."
    with pytest.raises(DataError, match="not positive; row b"):
        bs.funnel_limits(frame["o"].replace(0, 1), frame["e"], method="poisson")
    with pytest.raises(DataError, match="every unit is 0 of 0"):
        bs.funnel_limits([0, 0], [0.0, 0.0], method="poisson")


@pytest.mark.parametrize("size", ["denominator", "expected"])
def test_rows_of_0_of_0_withhold_nothing_else_from_a_release(size):
    """A fit leaves them out: the table must withhold the same counts, or two releases tell a third thing."""
    frame = simulate_frame(5, 4)[["trust", "department", "observed"]]
    frame = with_empty(frame.assign(observed=np.arange(20) % 13, **{size: 200.0}), [3, 9, 14], size)
    without = frame.drop(index=[3, 9, 14])
    shown, alone = bs.suppress(frame, below=8), bs.suppress(without, below=8)
    assert len(shown) == 20
    assert shown["withheld"].drop(index=[3, 9, 14]).tolist() == alone["withheld"].tolist()
    with pytest.warns(DataWarning, match=r"left out 3 rows \(3, 9, 14\): 0 of 0"):
        hidden = bs.suppress(frame, below=8, zeros="withheld")
    assert hidden["withheld"].tolist() == bs.suppress(without, below=8, zeros="withheld")["withheld"].tolist()
    assert "Left out 3 rows of 0 of 0, which carry no information." in hidden.attrs["notes"]


def test_withheld_denominators_are_called_that():
    people = (
        simulate_frame(6, 3)
        .assign(denominator=[3, *[1000] * 17], observed=[1, *[100] * 17])
        .drop(columns="expected")
    )
    shown = bs.suppress(people, below=5)
    with pytest.raises(DataError, match=r"denominators are withheld.*fit\.suppressed"):
        table_of(shown)


# ---- values that are no numbers, and labels that are none ----------------------------------------------------------

NO_NUMBERS = {
    "dates": dt.date(2024, 1, 1),
    "timestamps": pd.Timestamp("2024-01-01"),
    "lists": [1, 2],
    "dicts": {"a": 1},
    "bytes": b"12",
    "complex": 1j,
    "sets": frozenset({1}),
    "arrays": np.array([1, 2]),
    "text": "many",
    "booleans": True,
}


@pytest.mark.parametrize("column", ["observed", "expected"])
@pytest.mark.parametrize("kind", NO_NUMBERS)
def test_values_that_are_no_numbers_are_refused_with_their_rows(small, column, kind):
    values = small[column].to_numpy(dtype=object).copy()
    values[3] = NO_NUMBERS[kind]
    with pytest.raises(DataError, match=f"column '{column}': .*not numbers.*; row 3"):
        table_of(small.assign(**{column: pd.Series(values, dtype=object)}))


@pytest.mark.parametrize("value", [Decimal(7), np.int8(7), np.float32(7), 7])
def test_numbers_of_any_kind_among_objects_are_numbers(small, value):
    values = small["observed"].to_numpy(dtype=object).copy()
    values[3] = value
    assert table_of(small.assign(observed=pd.Series(values, dtype=object))).cells.lower[3] == 7.0


@pytest.mark.parametrize("column", ["observed", "expected"])
@pytest.mark.parametrize("value", [None, pd.NA, np.nan, pd.NaT])
def test_missing_values_of_any_kind_are_missing(small, column, value):
    values = small[column].to_numpy(dtype=object).copy()
    values[3] = value
    with pytest.raises(DataError, match="are missing; row 3"):
        table_of(small.assign(**{column: pd.Series(values, dtype=object)}))


@pytest.mark.parametrize("part", ["trust", "department"])
@pytest.mark.parametrize(
    "label",
    [
        [1, 2],
        {"a": 1},
        (1, 2),
        b"x",
        dt.date(2024, 1, 1),
        pd.Timestamp("2024-01-01"),
        Decimal(1),
        pd.Interval(0, 1),
    ],
    ids=lambda label: type(label).__name__,
)
def test_labels_are_text_or_numbers(small, part, label):
    values = small[part].to_numpy(dtype=object).copy()
    values[3] = label
    with pytest.raises(
        DataError, match=f"column '{part}': a {part} cannot be a value of this kind .*; row 3;"
    ):
        table_of(small.assign(**{part: pd.Series(values, dtype=object)}))


def test_dates_are_no_trusts_whatever_holds_them(small):
    dates = pd.date_range("2024-01-01", periods=12)
    for frame in (small.assign(trust=dates), pl.from_pandas(small.assign(trust=dates))):
        with pytest.raises(DataError, match="cannot be a value of this kind"):
            table_of(frame)


@pytest.mark.parametrize("mixed", [["T000", 1.0], [True, 1], ["T000", True]])
def test_labels_of_several_kinds_are_refused(small, mixed):
    values = np.array([mixed[0]] * 6 + [mixed[1]] * 6, dtype=object)
    with pytest.raises(DataError, match=r"are mixed; rows (0, 1, 2, 3, 4|6, 7, 8, 9, 10) and 1 more"):
        table_of(small.assign(trust=pd.Series(values, dtype=object)))


@pytest.mark.parametrize(
    "labels", [[1.5, 2.5, 3.5, 4.5], [True, False], [2**40, 1, 2, 3], [10**30, 1, 2, 3]], ids=repr
)
def test_numbers_are_labels_and_a_fit_with_them_comes_back(labels, tmp_path):
    frame = simulate_frame(len(labels), 3)
    frame["trust"] = pd.Series(np.repeat(np.array(labels, dtype=object), 3), dtype=object)
    fit = bs.fit_hierarchy(frame, seed=1)
    fit.save(tmp_path / "fit.nc")
    again = bs.load_fit(tmp_path / "fit.nc").departments()
    assert again["trust"].tolist() == fit.departments()["trust"].tolist()


@pytest.mark.parametrize(
    "periods",
    [
        [dt.datetime(2024, 1, 1), dt.datetime(2024, 2, 1)],
        [pd.Timestamp("2024-01-01", tz="Europe/London"), pd.Timestamp("2024-07-01", tz="Europe/London")],
        [Decimal(2023), Decimal(2024)],
        [dt.timedelta(days=1), dt.timedelta(days=2)],
        [dt.date(2024, 1, 1), dt.date(2024, 2, 1)],
    ],
    ids=lambda periods: type(periods[0]).__name__,
)
def test_periods_of_any_kind_that_has_an_order_come_back_from_a_file(periods, tmp_path):
    one = simulate_frame(4, 3)
    frame = pd.concat(
        [one.assign(period=pd.Series([p] * 12, dtype=object)) for p in periods], ignore_index=True
    )
    fit = bs.fit_hierarchy(frame, seed=1)
    fit.save(tmp_path / "fit.nc")
    again = bs.load_fit(tmp_path / "fit.nc")
    assert list(again.table.cells.periods) == list(fit.table.cells.periods)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1, 2] * 6, None),
        (["a", "b"] * 6, None),
        ([True, False] * 6, None),
        ([Decimal(1), Decimal(2)] * 6, None),
        (pd.Categorical(["a", "b"] * 6, categories=["a", "b", "never"]), None),
        (["a", *[1, 2] * 5, 3], "text and other values are mixed in a covariate; row 0"),
        ([[1], [2]] * 6, "not numbers"),
        ([{"a": 1}] * 12, "not numbers"),
        ([dt.date(2024, 1, 1)] * 12, "not numbers"),
        (pd.date_range("2024-01-01", periods=12), "not numbers"),
        ([b"a", b"b"] * 6, "not numbers"),
        ([10**400] + [1] * 11, "are infinite; row 0"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_covariates_are_numbers_text_or_categories(small, values, said):
    held = (
        values if isinstance(values, pd.Categorical | pd.DatetimeIndex) else pd.Series(values, dtype=object)
    )
    frame = small.assign(x=held)
    if said is None:
        assert len(table_of(frame, covariates="x").cells.covariates) == 1
        return
    with pytest.raises(DataError, match=said):
        table_of(frame, covariates="x")


@pytest.mark.parametrize(
    "formula", ["x.foo", "poly(x, 50)", "__import__('os').getcwd()", "no of beds", "x +"]
)
def test_a_formula_that_cannot_be_worked_out_is_one_error(small, formula):
    with pytest.raises(SettingsError, match=r"cannot be (read as a formula|worked out from the data)"):
        table_of(small.assign(x=range(12)), covariates=formula)


def test_a_covariate_may_be_named_like_a_formula(small):
    assert table_of(small.assign(**{"a+b": range(12)}), covariates="`a+b`").cells.covariates == ("a+b",)
    assert table_of(with_column(small, 2024, range(12)), covariates="`2024`").cells.covariates == ("2024",)


@pytest.mark.filterwarnings("ignore::brightspots.DataWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("observed", 10**30, r"beyond 2\*\*53.*; row 0"),
        ("observed", 1e308, r"beyond 2\*\*53.*; row 0"),
        ("observed", 10**400, "are infinite; row 0"),
        ("observed", 10**12, "too far apart, to be computed with; furthest from the others is T000 × D00"),
        ("expected", 1e308, "expected events are beyond what can be computed with; row 0"),
        ("expected", 1e-300, "expected events are beyond what can be computed with; row 0"),
    ],
)
def test_numbers_with_which_nothing_can_be_computed_are_one_error(small, column, value, said):
    values = small[column].to_numpy(dtype=object).copy()
    values[0] = value
    with pytest.raises(DataError, match=said):
        bs.fit_hierarchy(small.assign(**{column: pd.Series(values, dtype=object)}), seed=1)


@pytest.mark.parametrize(
    ("estimate", "error", "said"),
    [
        (1e300, 0.1, "estimates are beyond"),
        (0.1, 1e300, "standard errors are beyond"),
        (0.1, 1e-300, "standard errors are beyond"),
        (0.1, 1e-13, "too far apart, to be computed with; furthest from the others is T000 × D00"),
    ],
)
def test_estimates_with_which_nothing_can_be_computed_are_one_error(small, estimate, error, said):
    table = small[["trust", "department"]].assign(estimate=np.linspace(-0.2, 0.2, 12), standard_error=0.1)
    table.loc[0, ["estimate", "standard_error"]] = estimate, error
    with pytest.raises(DataError, match=said):
        bs.fit_hierarchy(table, estimate_scale="log ratio", seed=1)


def test_columns_that_no_model_uses_may_hold_anything(small, tmp_path):
    odd = {
        "lists": [[1, 2]] * 12,
        "objects": [object()] * 12,
        "arrays": [np.array([1, 2])] * 12,
        "complex": [1j] * 12,
        "nothing": [pd.NA, np.nan] * 6,
        "halves of characters": ["\ud800"] * 12,
        "NUL": ["a\x00b"] * 12,
        "dates": [dt.date(2024, 1, 1)] * 12,
    }
    frame = small.assign(**{name: pd.Series(values, dtype=object) for name, values in odd.items()})
    fit = bs.fit_hierarchy(frame, seed=1)
    fit.save(tmp_path / "fit.nc")
    assert set(odd) < set(bs.load_fit(tmp_path / "fit.nc").table.extras.columns)


@pytest.mark.parametrize("part", ["trust", "department", "period", "observed", "expected"])
@pytest.mark.parametrize("values", [[[1, 2]] * 12, [{"a": 1}] * 12, [b"x"] * 12, [dt.time(1)] * 12], ids=str)
def test_polars_and_arrow_columns_of_other_things_are_refused(small, part, values):
    held = pl.from_pandas(small).with_columns(pl.Series(part, values))
    for table in (held, held.to_arrow()):
        with pytest.raises(DataError, match=f"column '{part}'"):
            table_of(table)
