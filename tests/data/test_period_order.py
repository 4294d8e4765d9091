"""Periods stand in the order of time wherever it is known, and whoever does not know it says so."""

from __future__ import annotations

import random
import re
import warnings
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from typer.testing import CliRunner

import brightspots as bs
from brightspots.cli import app
from brightspots.data.period_order import declared_order, order_periods, period_order_caution, period_texts
from brightspots.figures.describe import describe
from brightspots.figures.trend import draw_trend
from brightspots.fit.saved_parts import cells_dataset, cells_from
from brightspots.report.pack import compose
from brightspots.report.subject import Subject
from tests.conftest import table_of

MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
          "November", "December"]  # fmt: skip

KNOWN = {
    "years": (["2019", "2020", "2021"], "number"),
    "text numbers": (["7", "10", "11"], "number"),
    "negative text numbers": (["-2", "-1", "0", "10"], "number"),
    "year and month without a sign": (["202311", "202312", "202401"], "number"),
    "ISO months": (["2023-11", "2023-12", "2024-01"], "date"),
    "months without their zero": (["2023-9", "2023-10", "2024-1"], "date"),
    "ISO days": (["2024-02-29", "2024-03-01", "2024-11-02"], "date"),
    "ISO times": (["2024-03-01T06:00:00", "2024-03-01T18:30:00", "2024-03-02T00:00:00Z"], "date"),
    "SQL times": (["2024-03-01 00:00:00", "2024-04-01 00:00:00.000"], "date"),
    "quarters": (["2023Q4", "2024Q1", "2024Q2"], "date"),
    "quarters with a sign": (["2023-Q4", "2024-Q1"], "date"),
    "quarter first": (["Q4 2023", "Q1 2024", "Q2 2024"], "date"),
    "quarters in words": (["Quarter 4 2023", "Quarter 1 2024"], "date"),
    "quarters of financial years": (["Q3 2022/23", "Q4 2022/23", "Q1 2023/24"], "date"),
    "financial year first": (["2022-23 Q4", "2023-24 Q1"], "date"),
    "bare quarters": (["Q1", "Q2", "Q3", "Q4"], "number"),
    "halves": (["H2 2023", "H1 2024"], "date"),
    "weeks": (["2023-W52", "2024-W01", "2024-W10"], "date"),
    "bare weeks": (["Week 9", "Week 10", "Week 11"], "number"),
    "financial years": (["2022/23", "2023/24", "2024/25"], "date"),
    "financial years that might be months": (["2009-10", "2010-11", "2011-12"], "date"),
    "several years": (["2017-2019", "2018-2020", "2019 to 2021"], "date"),
    "years and several years": (["2010", "2016-2018", "2017-2019", "2019"], "date"),
    "days from and to": (["2021-07-01/2024-06-30", "2022-07-01/2025-06-30"], "date"),
    "days from and to in words": (["01/10/2018 to 30/09/2019", "01/01/2019 to 31/12/2019"], "date"),
    "months from and to": (
        ["April 2016 - March 2017", "July 2016 - June 2017", "Jan 2017 – Dec 2017"],
        "date",
    ),
    "prefixed years": (["FY9", "FY10", "FY11"], "number"),
    "prefixed financial years": (["FY 2022/23", "FY 2023/24"], "date"),
    "months by name": (["Jan", "Feb", "Apr", "Jun"], "month"),
    "months in full": (MONTHS, "month"),
    "months in any case": (["JAN", "february", "Sept.", "dec"], "month"),
    "months and years": (["Nov 2023", "Dec 2023", "Jan 2024"], "date"),
    "months and short years": (["December-23", "January-24"], "date"),
    "as Excel writes them": (["Apr-19", "Dec-19", "Jan-20"], "date"),
    "as the NHS writes them": (["April 2016", "May 2016", "January 2017"], "date"),
    "year before the month's name": (["2023 December", "2024 January"], "date"),
    "years to a month": (["Year to Mar 2023", "Year to May 2023", "Year to Jan 2024"], "date"),
    "days by name": (["1 April 2016", "2nd May 2016", "01-Jan-2017"], "date"),
    "American days by name": (["April 30, 2016", "May 1, 2016"], "date"),
    "day first, for a day is over 12": (["31/01/2016", "29/02/2016", "01/03/2016"], "date"),
    "month first, for a day is over 12": (["01/31/2016", "02/29/2016", "03/01/2016"], "date"),
    "the same order either way": (["01/04/2016", "01/05/2016", "01/06/2016"], "date"),
}

UNKNOWN = {
    "words": ["after", "before"],
    "day or month first": ["01/04/2016", "02/03/2016"],
    "no such day": ["2023-02-28", "2023-02-30"],
    "no such month": ["2023-12", "2023-13", "2024-01"],
    "a month and something else": ["Feb", "Jan", "Total"],
    "the same month twice": ["Feb", "Jan", "January"],
    "years and months mixed": ["2023", "2024-01"],
    "calendar and financial years": ["2023/24 Q1", "2024 Q1"],
    "one number twice": ["01", "1", "2"],
    "decimal or year and month": ["2023.10", "2023.9"],
}


@pytest.mark.parametrize(("labels", "known_by"), KNOWN.values(), ids=KNOWN)
def test_labels_that_tell_their_order_are_put_in_it(labels, known_by):
    shuffled = random.Random(0).sample(labels, len(labels))
    for given in (shuffled, sorted(labels), labels[::-1]):
        ordered = order_periods(given)
        assert [given[position] for position in ordered.order] == labels
        assert ordered.known_by == known_by


@pytest.mark.parametrize("labels", UNKNOWN.values(), ids=UNKNOWN)
def test_where_the_order_is_not_certain_it_stays_alphabetical_and_unknown(labels):
    ordered = order_periods(labels[::-1])
    assert [labels[::-1][position] for position in ordered.order] == sorted(labels)
    assert ordered.known_by == "unknown"


@pytest.mark.parametrize(
    ("values", "known_by"),
    [
        ([7, 10, 11], "number"),
        (np.array([2.5, 10.0]), "number"),
        ([Decimal("9"), Decimal("10")], "number"),
        ([date(2023, 12, 1), date(2024, 1, 1)], "date"),
        ([datetime(2023, 12, 1), datetime(2024, 1, 1)], "date"),
        (pd.to_datetime(["2023-12-01", "2024-01-01"]), "date"),
        (np.array(["2023-12", "2024-01"], dtype="M8[M]"), "date"),
        (pd.period_range("2023-12", periods=3, freq="M"), "date"),
        ([False, True], "unknown"),
    ],
)
def test_values_that_are_not_text_have_an_order_of_their_own(values, known_by):
    ordered = order_periods(list(values)[::-1])
    np.testing.assert_array_equal(ordered.order, np.arange(len(values))[::-1])
    assert ordered.known_by == known_by


def test_an_order_that_the_data_declare_goes_before_what_labels_say():
    ordered = order_periods(["Feb", "Jan", "Apr"], ["Apr", "Jan", "Feb", "Mar"])
    assert ordered.order.tolist() == [2, 1, 0]
    assert ordered.known_by == "category"


SEASONS = ["spring", "summer", "autumn", "winter"]
DECLARED = {
    "pandas": lambda: pd.Series(pd.Categorical(["winter", "spring"], SEASONS, ordered=True)),
    "polars": lambda: pl.Series(["winter", "spring"], dtype=pl.Enum(SEASONS)),
    "pyarrow": lambda: pa.chunked_array([pa.DictionaryArray.from_arrays([3, 0], SEASONS, ordered=True)]),
    "pandas over arrow": lambda: pd.Series(
        pa.DictionaryArray.from_arrays([3, 0], SEASONS, ordered=True).to_pandas()
    ),
}
NOT_DECLARED = {
    "pandas categorical": lambda: pd.Series(pd.Categorical(["winter", "spring"], SEASONS)),
    "pandas text": lambda: pd.Series(["winter", "spring"]),
    "polars text": lambda: pl.Series(["winter", "spring"]),
    "polars categorical": lambda: pl.Series(["winter", "spring"], dtype=pl.Categorical),
    "pyarrow dictionary": lambda: pa.chunked_array([pa.DictionaryArray.from_arrays([1, 0], SEASONS)]),
}


@pytest.mark.parametrize("column", DECLARED.values(), ids=DECLARED)
def test_ordered_categories_declare_an_order(column):
    assert declared_order(column()) == SEASONS


@pytest.mark.parametrize("column", NOT_DECLARED.values(), ids=NOT_DECLARED)
def test_other_columns_declare_none(column):
    assert declared_order(column()) is None


# --- through a fit ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nation():
    return bs.simulate_nation(trusts=6, departments=3, periods=4, seed=11).cells


@pytest.fixture(scope="module")
def numbered(nation):
    """The fit of the nation whose periods are 1, 2, 3, 4."""
    return bs.fit_hierarchy(nation, seed=4)


def retyped(nation, labels, kind=None):
    """The nation with other labels of its periods, as text or as a column of some kind."""
    table = nation.copy()
    table["period"] = np.array(labels, dtype=object)[table["period"] - 1]
    if kind == "ordered":
        table["period"] = pd.Categorical(table["period"], labels, ordered=True)
    elif kind == "enum":
        return pl.from_pandas(table).with_columns(pl.col("period").cast(pl.Enum(labels)))
    elif kind == "dictionary":
        codes = pa.array((nation["period"] - 1).to_numpy(), pa.int32())
        column = pa.DictionaryArray.from_arrays(codes, pa.array(labels), ordered=True)
        arrow = pa.Table.from_pandas(table, preserve_index=False)
        return arrow.set_column(arrow.column_names.index("period"), "period", column)
    return table


@pytest.fixture(scope="module")
def fitted(nation):
    """The fit of the nation with other labels of its periods, made once for each."""
    made = {}

    def fit(labels, kind=None):
        key = (tuple(labels), kind)
        if key not in made:
            made[key] = bs.fit_hierarchy(retyped(nation, labels, kind), seed=4)
        return made[key]

    return fit


TYPED = {
    "ordered categorical": (["spring", "summer", "autumn", "winter"], "ordered", "category"),
    "polars Enum": (["spring", "summer", "autumn", "winter"], "enum", "category"),
    "pyarrow dictionary": (["spring", "summer", "autumn", "winter"], "dictionary", "category"),
    "months": (["Jan", "Feb", "Apr", "Jun"], None, "month"),
    "text numbers": (["7", "9", "10", "11"], None, "number"),
    "financial years": (["2019/20", "2020/21", "2021/22", "2022/23"], None, "date"),
    "days": ([date(2024, month, 1) for month in (9, 10, 11, 12)], None, "date"),
    "pandas periods": (list(pd.period_range("2023Q4", periods=4, freq="Q")), None, "date"),
}


@pytest.mark.parametrize(("labels", "kind", "known_by"), TYPED.values(), ids=TYPED)
def test_a_fit_has_its_periods_in_the_order_of_time_and_keeps_it(
    fitted, numbered, labels, kind, known_by, tmp_path
):
    fit = fitted(labels, kind)

    def check(one):
        assert one.table.cells.periods.tolist() == list(labels)
        assert one.table.cells.period_order == known_by
        assert one.department_types()["period"].tolist()[: len(labels)] == list(labels)
        assert period_order_caution(one.table.cells) is None

    check(fit)
    # What a period is called is nothing to the model.
    pd.testing.assert_frame_equal(fit.departments(), numbered.departments())
    pd.testing.assert_frame_equal(fit.find_spots().table, numbered.find_spots().table)
    fit.save(tmp_path / "fit.nc")
    check(bs.load_fit(tmp_path / "fit.nc"))
    some = fit.table.cells.only(np.array([0, 1, 4]))
    assert (some.periods.tolist(), some.period_order) == (list(labels), known_by)


def test_a_suppressed_fit_keeps_the_order(fitted):
    fit = fitted(SEASONS, "ordered").suppressed(below=5)
    assert (fit.table.cells.periods.tolist(), fit.table.cells.period_order) == (SEASONS, "category")


def test_a_fit_of_periods_in_no_known_order_says_so_and_so_does_its_figure(nation):
    table = retyped(nation, SEASONS)
    said = (
        "column 'period': the order of the periods in time cannot be told from their labels ('autumn', 'spring', "
        "'summer', 'winter'), so they stand in the alphabetical order of their labels; pass dates, numbers or an "
        "ordered categorical"
    )
    with pytest.warns(bs.DataWarning, match=re.escape(said)) as caught:
        fit = bs.fit_hierarchy(table, seed=4)
    assert caught[0].filename == __file__
    assert fit.table.cells.period_order == "unknown"
    assert f"column 'period': {period_order_caution(fit.table.cells)}" == said
    with pytest.warns(bs.DataWarning, match="alphabetical order of their labels"):
        fit.plot_trend(table["trust"][0], table["department"][0])


def test_a_file_from_before_the_order_was_kept_tells_it_where_its_labels_do(nation):
    cells = table_of(retyped(nation, ["2019", "2020", "2021", "2022"]), period="period").cells
    header = {"family": cells.family.name, "covariates": list(cells.covariates)}
    assert cells_from(cells_dataset(cells), header).period_order == "number"
    # Alphabetical as they were, months are in no order of time, and are not put into another behind the draws' back.
    cells = table_of(retyped(nation, ["Apr", "Feb", "Jan", "Jun"], "ordered"), period="period").cells
    old = cells_from(cells_dataset(cells), header)
    assert (old.periods.tolist(), old.period_order) == (["Apr", "Feb", "Jan", "Jun"], "unknown")


def test_the_trend_of_a_fit_joins_the_periods_in_time(nation, fitted):
    ax = fitted(["Jan", "Feb", "Apr", "Jun"]).plot_trend(nation["trust"][0], nation["department"][0])
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["Jan", "Feb", "Apr", "Jun"]
    ax = fitted(SEASONS, "enum").plot_trend(nation["trust"][0], nation["department"][0])
    assert [tick.get_text() for tick in ax.get_xticklabels()] == SEASONS


def test_the_order_of_a_department_is_that_of_all_labels(nation):
    """Of its own labels, 01/04/2016 and 02/03/2016, nobody could say which comes first."""
    labels = ["02/03/2016", "01/04/2016", "13/05/2016", "14/06/2016"]
    table = retyped(nation, labels)
    trust, department = table["trust"][0], table["department"][0]
    here = (table["trust"] == trust) & (table["department"] == department)
    fit = bs.fit_hierarchy(table[~(here & table["period"].isin(labels[2:]))], seed=4)
    ax = fit.plot_trend(trust, department)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == labels[:2]


@pytest.mark.parametrize(
    "labels",
    [
        ["Jan", "Feb", "Apr", "Jun"],
        ["7", "9", "10", "11"],
        ["2023-9", "2023-10", "2023-11", "2024-1"],
        pd.Categorical(SEASONS, SEASONS, ordered=True),
    ],
    ids=["months", "text numbers", "ISO text", "ordered"],
)
def test_a_trend_of_a_table_follows_the_same_rule(labels):
    frame = pd.DataFrame({"period": labels, "ratio": [1.1, 1.2, 1.3, 1.4]}).iloc[[2, 0, 3, 1]]
    assert f"{labels[0]} 1.10, {labels[1]} 1.20, {labels[2]} 1.30, {labels[3]} 1.40" in describe(
        draw_trend(frame)
    )


def test_a_trend_of_a_table_in_no_known_order_says_so():
    frame = pd.DataFrame({"period": SEASONS, "ratio": [1.1, 1.2, 1.3, 1.4]})
    with pytest.warns(
        bs.DataWarning, match=r"cannot be told from their labels \('autumn', 'spring'"
    ) as caught:
        ax = draw_trend(frame)
    assert caught[0].filename == __file__
    assert "autumn 1.30, spring 1.10, summer 1.20, winter 1.40" in describe(ax)
    assert line_of(ax).get_linewidth() == 0.0  # a line would show a course that nobody knows
    assert "The periods stand in the order of their labels" in " ".join(text.get_text() for text in ax.texts)
    assert line_of(draw_trend(frame.assign(period=[1, 2, 3, 4]))).get_linewidth() > 0.0


def line_of(ax):
    (line,) = (each for each in ax.lines if each.get_gid() == "ratios")
    return line


def test_one_period_has_no_order_to_tell(nation):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = bs.fit_hierarchy(nation[nation["period"] == 1].assign(period="the year"), seed=4)
        draw_trend(pd.DataFrame({"period": ["the year"], "ratio": [1.0]}))
    assert period_order_caution(fit.table.cells) is None


def test_a_pack_says_from_which_period_to_which_only_where_that_is_known(fitted):
    def subtitle(labels):
        fit = fitted(labels)
        return compose(Subject.of(fit, fit.find_spots())).subtitle

    assert "over 4 periods (Jan to Jun)." in subtitle(["Jan", "Feb", "Apr", "Jun"])
    assert "over 4 periods (2024-09-01 to 2024-12-01)." in subtitle(
        list(pd.to_datetime(["2024-09-01", "2024-10-01", "2024-11-01", "2024-12-01"]))
    )
    with pytest.warns(bs.DataWarning, match="alphabetical"):
        assert "over 4 periods." in subtitle(SEASONS)


def test_days_are_written_without_a_time_of_day(nation):
    days = pd.to_datetime(["2024-01-01", "2024-02-01"])
    for labels in (
        days,
        list(days),
        [date(2024, 1, 1), date(2024, 2, 1)],
        np.asarray(days),
        pd.Categorical(days),
    ):
        assert period_texts(labels) == ["2024-01-01", "2024-02-01"]
    assert period_texts(pd.period_range("2024-01", periods=2, freq="M")) == ["2024-01", "2024-02"]


def test_a_command_puts_the_periods_of_a_csv_file_in_order(nation, tmp_path):
    retyped(nation, ["Jan", "Feb", "Apr", "Jun"]).to_csv(tmp_path / "cells.csv", index=False)
    retyped(nation, SEASONS).to_csv(tmp_path / "unknown.csv", index=False)
    run = ["fit", str(tmp_path / "cells.csv"), "-o", str(tmp_path / "out"), "--seed", "4"]
    assert CliRunner().invoke(app, run).exit_code == 0
    assert bs.load_fit(tmp_path / "out" / "fit.nc").table.cells.periods.tolist() == [
        "Jan",
        "Feb",
        "Apr",
        "Jun",
    ]
    told = CliRunner().invoke(
        app, [*run[:1], str(tmp_path / "unknown.csv"), *run[2:3], str(tmp_path / "other")]
    )
    assert told.exit_code == 0
    assert "warning: column 'period': the order of the periods in time cannot be told" in told.stderr


# --- on the way in and on the way out --------------------------------------------------------------------------------


@pytest.mark.parametrize("as_frame", [pd.DataFrame, pl.from_pandas], ids=["pandas", "polars"])
def test_standardised_cells_have_their_periods_in_the_order_of_time(as_frame):
    rng = np.random.default_rng(3)
    records = pd.DataFrame(
        {
            "trust": np.tile(["A", "B"], 400),
            "department": np.repeat(["x", "y"], 400),
            "period": np.array(SEASONS)[rng.integers(4, size=800)],
            "died": rng.integers(2, size=800),
        }
    )
    named = bs.standardise(
        as_frame(records.assign(period=records["period"].map(dict(zip(SEASONS, MONTHS, strict=False))))),
        outcome="died", trust="trust", department="department", period="period", casemix=[],
    )  # fmt: skip
    assert named.table["period"].tolist() == MONTHS[:4] * 4
    declared = as_frame(records.assign(period=pd.Categorical(records["period"], SEASONS, ordered=True)))
    if isinstance(declared, pl.DataFrame):
        declared = declared.with_columns(pl.col("period").cast(pl.String).cast(pl.Enum(SEASONS)))
    cells = bs.standardise(
        declared, outcome="died", trust="trust", department="department", period="period", casemix=[]
    )
    assert cells.table["period"].tolist() == SEASONS * 4
    assert bs.fit_hierarchy(cells, seed=1).table.cells.periods.tolist() == SEASONS


def test_rows_in_the_order_of_time_are_in_the_order_of_their_labels(nation):
    """`suppress` moves rows that came in the order of a count; rows that came month by month did not."""
    table = retyped(nation, ["Jan", "Feb", "Apr", "Jun"]).sort_values(["period", "trust", "department"])
    months = pd.Categorical(table["period"], ["Jan", "Feb", "Apr", "Jun"], ordered=True)
    table = table.assign(period=months).sort_values("period", kind="stable").astype({"period": str})
    # Counts that rise with the rows, so that nothing but the labels explains their order.
    table["observed"] = np.arange(10, 10 + len(table))
    shown = bs.suppress(table[["trust", "department", "period", "observed"]].reset_index(drop=True), below=5)
    assert shown["period"].tolist() == table["period"].tolist()
    assert not any("Rows are put in the order" in note for note in shown.attrs["notes"])
