"""Tables in: any eager dataframe, never modified; bad input named by column, row and remedy."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brightspots import DataError, DataWarning, Priors, SettingsError
from brightspots.data.cells import Cells
from tests.conftest import simulate_frame, table_of, withhold

ARRAYS = """
    trusts departments cell_trust cell_department leaf_cell leaf_type lower upper size offset expected design
"""


def same_cells(left: Cells, right: Cells) -> None:
    for name in ARRAYS.split():
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)


@pytest.fixture
def small() -> pd.DataFrame:
    return simulate_frame(4, 3)


@pytest.mark.parametrize(
    "convert",
    [pl.from_pandas, pa.Table.from_pandas, lambda frame: frame.to_dict("list"), lambda frame: frame.copy()],
    ids=["polars", "pyarrow", "mapping", "pandas"],
)
def test_every_kind_of_table_gives_the_same_cells(frame, convert):
    same_cells(table_of(convert(frame)).cells, table_of(frame).cells)


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(24)))
def test_the_order_of_the_rows_never_matters(rows):
    frame = simulate_frame(6, 4)
    same_cells(table_of(frame.iloc[rows]).cells, table_of(frame).cells)


def test_the_data_are_never_modified(frame):
    before = frame.copy(deep=True)
    table_of(frame, covariates="expected")
    pd.testing.assert_frame_equal(frame, before)


def test_cells_are_sorted_by_trust_department_and_period():
    frame = simulate_frame(3, 2)
    years = pd.concat([frame.assign(period=year) for year in (2022, 2021)])
    cells = table_of(years).cells
    assert list(cells.periods) == [2021, 2022]
    assert cells.n_cells == 6
    assert cells.n_leaves == 12
    np.testing.assert_array_equal(cells.leaf_cell, np.repeat(np.arange(6), 2))
    np.testing.assert_array_equal(cells.leaf_period, np.tile([0, 1], 6))
    np.testing.assert_array_equal(cells.leaf_type, np.tile([0, 1, 2, 3], 3))
    np.testing.assert_array_equal(cells.trust_cells, [0, 2, 4, 6])


def test_a_single_period_is_no_period_level(small):
    assert not table_of(small.assign(period=2024)).cells.has_periods


def test_pooling_periods_sums_counts_and_expected(small):
    years = pd.concat([small.assign(period=2021), small.assign(period=2022, observed=small["observed"] + 1)])
    cells = table_of(years, period=False).cells
    np.testing.assert_allclose(cells.lower, 2 * small["observed"] + 1)
    np.testing.assert_allclose(cells.size, 2 * small["expected"])


def test_pooling_estimates_weighs_by_precision(small):
    one = small.assign(estimate=0.1, standard_error=0.1, period=1)
    two = small.assign(estimate=0.4, standard_error=0.2, period=2)
    cells = table_of(pd.concat([one, two]), family="normal", period=False).cells
    np.testing.assert_allclose(cells.lower, (0.1 * 100 + 0.4 * 25) / 125)
    np.testing.assert_allclose(cells.size, 125**-0.5)


def test_the_family_follows_from_the_columns(small):
    people = small.assign(denominator=10_000)
    assert table_of(small).cells.family.name == "poisson"
    assert table_of(people).cells.family.name == "poisson"
    assert table_of(people, denominator="denominator").cells.family.name == "binomial"
    assert table_of(people.drop(columns="expected")).cells.family.name == "binomial"
    estimates = small.assign(estimate=0.0, standard_error=1.0)
    assert table_of(estimates.drop(columns=["observed", "expected"])).cells.family.name == "normal"


def test_offsets_are_log_expected_or_logit_of_the_expected_share(small):
    np.testing.assert_allclose(table_of(small).cells.offset, np.log(small["expected"]))
    people = small.assign(denominator=1_000)
    share = small["expected"] / 1_000
    cells = table_of(people, denominator="denominator").cells
    np.testing.assert_allclose(cells.offset, np.log(share / (1 - share)))
    cells = table_of(people, denominator="denominator", expected=None).cells
    np.testing.assert_array_equal(cells.offset, 0.0)


def test_suppressed_counts_become_intervals(small):
    hidden = withhold(small, 2, 1, 7).astype({"observed": "Float64"})
    cells = table_of(hidden).cells
    assert cells.censored.sum() == 1
    assert (cells.lower[2], cells.upper[2]) == (1, 7)
    assert cells.lower[0] == cells.upper[0] == small["observed"][0]


def test_covariates_are_centred_and_scaled_and_text_becomes_indicators(frame):
    rng = np.random.default_rng(0)
    frame = frame.assign(beds=rng.normal(500, 100, len(frame)))
    cells = table_of(frame, covariates="beds + rating").cells
    assert cells.covariates == ("beds", "rating[T.Outstanding]", "rating[T.Requires improvement]")
    np.testing.assert_allclose(cells.design.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(cells.design.std(axis=0), 1.0)


def test_other_columns_are_kept_beside_the_cells(frame):
    table = table_of(frame.iloc[::-1])
    assert list(table.extras) == ["rating"]
    assert list(table.extras["rating"]) == list(frame["rating"][::-1])
    trust = table.cells.trusts[table.cells.cell_trust[table.row_cell]]
    assert list(trust) == list(frame["trust"][::-1])


BAD = {
    "missing column": (lambda f: f.drop(columns="trust"), "trust", "is not in the data"),
    "missing value": (lambda f: f.assign(expected=[None, *f["expected"][1:]]), "expected", "missing"),
    "missing trust": (lambda f: f.assign(trust=[None, *f["trust"][1:]]), "trust", "missing or blank"),
    "blank department": (lambda f: f.assign(department=[" ", *f["department"][1:]]), "department", "blank"),
    "negative count": (lambda f: f.assign(observed=[-1, *f["observed"][1:]]), "observed", "negative"),
    "fractional count": (lambda f: f.assign(observed=[1.5, *f["observed"][1:]]), "observed", "fractional"),
    "zero expected": (lambda f: f.assign(expected=[0.0, *f["expected"][1:]]), "expected", "zero or negative"),
    "negative expected": (lambda f: f.assign(expected=[-2.0, *f["expected"][1:]]), "expected", "negative"),
    "text among numbers": (lambda f: f.assign(observed=["*", *f["observed"][1:]]), "observed", "text"),
    "infinite expected": (lambda f: f.assign(expected=[np.inf, *f["expected"][1:]]), "expected", "infinite"),
    "mixed keys": (lambda f: f.assign(trust=[1, *f["trust"][1:]]), "trust", "mixed"),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "column", "problem"), BAD.values(), ids=BAD)
def test_bad_input_names_column_row_and_remedy(small, spoil, column, problem):
    spoiled = spoil(small)
    spoiled.index = [f"row{position}" for position in range(len(spoiled))]
    with pytest.raises(DataError, match=problem) as error:
        table_of(spoiled)
    assert error.value.column == column
    if problem != "is not in the data":
        assert error.value.rows == ("row0",)
        assert "row0" in str(error.value)
    assert error.value.expected


ONE_TYPE_A_COLUMN = {name: case for name, case in BAD.items() if case[2] not in ("mixed", "text")}


@pytest.mark.parametrize(("spoil", "column", "problem"), ONE_TYPE_A_COLUMN.values(), ids=ONE_TYPE_A_COLUMN)
def test_bad_input_is_refused_in_polars_too(small, spoil, column, problem):
    with pytest.raises(DataError, match=problem) as error:
        table_of(pl.from_pandas(spoil(small)))
    assert error.value.column == column


def test_observed_above_denominator_is_refused(small):
    with pytest.raises(DataError, match="observed exceeds 'denominator'") as error:
        table_of(small.assign(denominator=small["observed"].max() - 1), denominator="denominator")
    assert error.value.rows == (int(small["observed"].idxmax()),)


def test_a_repeated_cell_is_refused_and_both_rows_named(small):
    twice = pd.concat([small, small.iloc[[4]]], ignore_index=True)
    with pytest.raises(DataError, match="more than once") as error:
        table_of(twice)
    assert error.value.rows == (4, 12)
    assert "period=False" in error.value.action


@pytest.mark.parametrize("column", ["trust", "department"])
def test_a_single_trust_or_department_is_refused(small, column):
    with pytest.raises(DataError, match=f"a single {column}"):
        table_of(small[small[column] == small[column][0]])


def test_one_department_everywhere_can_be_fitted_as_trusts_alone(small):
    one = small[small["department"] == "D00"]
    cells = table_of(one, priors=Priors(department=None, department_type=None)).cells
    assert cells.n_cells == 4


def test_trusts_with_one_department_each_cannot_tell_the_levels_apart(small):
    with pytest.raises(DataError, match="no trust has more than one department"):
        table_of(small.iloc[[0, 4, 8, 9]])


def test_no_events_at_all_is_refused(small):
    with pytest.raises(DataError, match="no events at all"):
        table_of(small.assign(observed=0))


def test_events_everywhere_is_refused(small):
    with pytest.raises(DataError, match="everybody had the event"):
        table_of(small.assign(denominator=small["observed"]), denominator="denominator", expected=None)


def test_labels_that_have_no_order_are_refused(small):
    dates = np.array([dt.date(2024, 1, 1), 3, *range(4, 14)], dtype=object)
    with pytest.raises(DataError, match=r"a trust cannot be a value of this kind \(date\); row 0"):
        table_of(small.assign(trust=dates))
    with pytest.raises(DataError, match="dates and numbers are mixed; row 0; expected labels of one kind"):
        table_of(small.assign(period=dates))


def test_a_lazy_frame_is_refused_with_the_way_out(small):
    with pytest.raises(DataError, match="collect it first"):
        table_of(pl.from_pandas(small).lazy())


@pytest.mark.parametrize("data", [5, "cells.csv", [1, 2], None])
def test_what_is_no_table_is_refused(data):
    with pytest.raises(DataError, match="eager dataframe"):
        table_of(data)


def test_an_empty_table_is_refused(small):
    with pytest.raises(DataError, match="no rows"):
        table_of(small.iloc[:0])


def test_repeated_column_names_are_refused(small):
    with pytest.raises(DataError, match="more than once: trust"):
        table_of(pd.concat([small, small["trust"]], axis=1))


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(DataError, match="differ in length"):
        table_of({"trust": ["a", "b"], "department": ["x"]})


def test_only_one_bound_is_refused(small):
    with pytest.raises(SettingsError, match="together"):
        table_of(small.assign(low=1), observed_lower="low")


def test_labels_that_differ_by_case_are_refused_and_listed(small):
    spelt = small.assign(department=small["department"].replace("D01", "d00"))
    with pytest.raises(
        DataError, match=r"'D00' \(4 rows\) and 'd00' \(4 rows\) differ only by capitals"
    ) as error:
        table_of(spelt)
    assert error.value.rows == (1, 4, 7, 10)
    assert "tidy_labels=True" in str(error.value)


@pytest.mark.parametrize("formula", ["", "observed ~ beds", "beds +", 3])
def test_a_formula_that_cannot_be_read_is_refused(small, formula):
    with pytest.raises(SettingsError, match="covariates"):
        table_of(small.assign(beds=range(12)), covariates=formula)


def test_a_covariate_that_is_absent_missing_or_constant_is_refused(small):
    with pytest.raises(DataError, match="is not in the data"):
        table_of(small, covariates="beds")
    with pytest.raises(DataError, match="covariate is missing") as error:
        table_of(small.assign(beds=[None, *range(11)]), covariates="beds")
    assert error.value.rows == (0,)
    with pytest.raises(DataError, match="the same in every row"):
        table_of(small.assign(beds=7.0), covariates="beds")


def test_some_cells_are_what_a_table_of_their_rows_would_give():
    frame = simulate_frame(6, 4)
    frame = pd.concat([frame.assign(period=year) for year in (2021, 2022)], ignore_index=True)
    cells = table_of(frame).cells
    kept = np.flatnonzero((cells.cell_trust != 2) & (np.arange(cells.n_cells) % 5 != 0))
    labels = zip(
        cells.trusts[cells.cell_trust[kept]], cells.departments[cells.cell_department[kept]], strict=True
    )
    rows = pd.MultiIndex.from_frame(frame[["trust", "department"]]).isin(list(labels))
    some, alone = cells.only(kept), table_of(frame[rows]).cells
    for field in ("trusts", "departments", "periods", "cell_trust", "cell_department", "leaf_cell", "leaf_period",
                  "leaf_type", "lower", "upper", "size", "offset", "expected", "design"):  # fmt: skip
        np.testing.assert_array_equal(getattr(some, field), getattr(alone, field))
    np.testing.assert_array_equal(frame["observed"].to_numpy()[some.row], some.lower)


def test_text_among_numbers_is_quoted(small):
    """The text that cannot be a number is what must be decided on, not the numbers stored as text beside it."""
    stars = small.assign(observed=["*", *small["observed"].astype(str)[1:]])
    with pytest.raises(DataError, match=r"are not numbers \('\*'\)") as error:
        table_of(stars)
    assert error.value.rows == (0,)


def test_numbers_stored_as_text_are_called_that(small):
    with pytest.raises(DataError, match=r"numbers stored as text \('\d+', '\d+', '\d+', …\)") as error:
        table_of(small.assign(observed=small["observed"].astype(str)))
    assert len(error.value.rows) == len(small)


@pytest.mark.parametrize("label", ["Total", " ALL  specialties "])
def test_a_total_among_the_departments_is_pointed_out(small, label):
    """Beside its parts it would count every event twice, and nothing in the numbers shows it."""
    total = small.groupby("trust", as_index=False)[["observed", "expected"]].sum().assign(department=label)
    with pytest.warns(DataWarning, match="counts twice"):
        table_of(pd.concat([small, total]))


def test_a_single_department_may_be_called_all(small):
    one = small[small["department"] == "D00"].assign(department="All")
    assert table_of(one, priors=Priors(department=None, department_type=None)).cells.n_departments == 1


def test_a_path_is_no_table():
    with pytest.raises(DataError, match=r"read the file first, for example with pandas\.read_csv"):
        table_of("cells.csv")


def test_a_table_shows_itself_in_one_line(small):
    assert repr(table_of(small)).startswith("Table(checked data of 4 trusts × 3 departments, 12 cells;")
