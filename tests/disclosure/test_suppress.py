"""Disclosure control: what is withheld, what is rounded, and that nothing gives a small count back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import brightspots as bs
from brightspots.common.errors import DataError, SettingsError
from brightspots.disclosure import Rules
from tests.conftest import simulate_frame

NOBODY_KNOWS: tuple[str, ...] = ()


def grid(counts, **columns) -> pd.DataFrame:
    """A table of trusts by departments, row by row; None is an absent cell."""
    rows = [
        {"trust": f"T{t}", "department": f"D{d}", "observed": count}
        for t, line in enumerate(counts)
        for d, count in enumerate(line)
        if count is not None
    ]
    return pd.DataFrame(rows).assign(**columns)


def test_small_counts_are_withheld_with_the_interval_that_they_lie_in():
    shown = bs.suppress(grid([[0, 3, 40], [7, 8, 60]]), below=8, totals=NOBODY_KNOWS)
    assert shown["observed"].fillna(-1).tolist() == [0, -1, 40, -1, 8, 60]
    assert shown["observed_lower"].tolist() == [0, 1, 40, 1, 8, 60]
    assert shown["observed_upper"].tolist() == [0, 7, 40, 7, 8, 60]
    assert shown["withheld"].tolist() == ["", "small", "", "small", "", ""]
    assert "Withheld 2 small counts and 0 beside them of 6 in 'observed'." in shown.attrs["notes"]


def test_zeros_are_shown_or_withheld_as_asked():
    shown = bs.suppress(grid([[0, 3, 40]]), below=8, zeros="withheld", totals=NOBODY_KNOWS)
    assert shown["observed"].fillna(-1).tolist() == [-1, -1, 40]
    assert shown["observed_lower"].tolist() == [0, 0, 40]


def test_counts_are_rounded_as_the_nhs_rounds_them():
    shown = bs.suppress(grid([[0, 1, 7, 8, 12, 13, 1234]]), below=8, round_to=5, totals=NOBODY_KNOWS)
    assert shown["observed"].fillna(-1).tolist() == [0, -1, -1, 10, 10, 15, 1235]
    assert bs.suppress(grid([[0, 1, 2, 3]]), round_to=5)["observed"].tolist() == [0, 0, 0, 5]


def test_a_mark_stands_in_place_of_a_number_for_people():
    shown = bs.suppress(grid([[0, 3, 40]]), below=8, mark="*", totals=NOBODY_KNOWS)
    assert shown["observed"].tolist() == [0, "*", 40]
    assert "observed_lower" not in shown


def test_those_without_the_event_are_a_count_too():
    table = grid([[97, 50, 40]], denominator=100)
    shown = bs.suppress(table, below=8, totals=NOBODY_KNOWS)
    assert shown["observed"].isna().tolist() == [True, False, False]
    assert (shown["observed_lower"].iloc[0], shown["observed_upper"].iloc[0]) == (93, 99)
    assert shown["denominator"].tolist() == [100, 100, 100]


def test_what_rounds_with_a_denominator_is_what_is_expected_of_it():
    table = grid([[20, 50, 0]]).assign(denominator=[103, 400, 5], expected=[10.3, 40.0, 0.5])
    shown = bs.suppress(table, below=8, round_to=5, totals=NOBODY_KNOWS)
    assert shown["denominator"].fillna(-1).tolist() == [105, 400, -1]
    np.testing.assert_allclose(shown["expected"].iloc[:2], [10.5, 40.0])
    assert np.isnan(shown["expected"].iloc[2])


def test_any_eager_frame_is_taken_and_none_is_changed():
    table = grid([[0, 3, 40], [25, 30, 60]])
    before = table.copy()
    shown = bs.suppress(table, below=8)
    pd.testing.assert_frame_equal(table, before)
    assert bs.suppress(pl.from_pandas(table), below=8)["withheld"].tolist() == shown["withheld"].tolist()


def test_a_suppressed_table_can_be_fitted_and_suppressed_again():
    frame = simulate_frame(12, 6, mean_expected=15.0)
    shown = bs.suppress(frame, below=8, round_to=5)
    fit = bs.fit_hierarchy(shown, seed=1)
    assert fit.table.cells.censored.sum() == (shown["withheld"] != "").sum()
    again = bs.suppress(shown.drop(columns="withheld"), below=8, round_to=5)
    assert set(again["withheld"]) <= {"", "given"}
    np.testing.assert_array_equal(again["observed_upper"], shown["observed_upper"])


# ------------------------------------------------------------------------------------------------------------------
# Totals


def attack(
    table: pd.DataFrame, shown: pd.DataFrame, below: int, *, rows: bool, columns: bool
) -> pd.DataFrame:
    """Bounds on each withheld count by linear programming, for one who knows the totals and both kinds of bounds."""
    hidden = np.flatnonzero(shown["withheld"] != "")
    small = (shown["withheld"] == "small").to_numpy()[hidden]
    forbidden = " ".join(note for note in shown.attrs["notes"] if note.startswith("Do not publish"))
    equations, sums = [], []
    for key, known in (("trust", rows), ("department", columns)):
        for label in table[key].unique():
            member = (table[key] == label).to_numpy()[hidden]
            if known and member.any() and label not in forbidden:
                equations.append(member.astype(float))
                sums.append(table["observed"].to_numpy()[hidden][member].sum())
    if rows and columns and len(hidden) and "overall total" not in forbidden:
        equations.append(np.ones(len(hidden)))
        sums.append(table["observed"].to_numpy()[hidden].sum())
    bounds = [(1, below - 1) if is_small else (below, None) for is_small in small]
    found = []
    for target in np.flatnonzero(small):
        ends = []
        for sign in (1.0, -1.0):
            direction = np.zeros(len(hidden))
            direction[target] = sign
            result = linprog(
                direction, A_eq=np.array(equations) if equations else None, b_eq=sums or None, bounds=bounds
            )
            assert result.status == 0
            ends.append(sign * result.fun)
        found.append((table["observed"].iloc[hidden[target]], *ends))
    return pd.DataFrame(found, columns=["truth", "least", "most"], dtype=float)


tables = st.integers(2, 6).flatmap(
    lambda width: st.lists(
        st.lists(
            st.one_of(st.integers(0, 12), st.integers(10, 80), st.integers(20, 300), st.none()),
            min_size=width, max_size=width,
        ),
        min_size=2, max_size=6,
    )
)  # fmt: skip


@settings(derandomize=True, deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(
    counts=tables, below=st.sampled_from([3, 8, 11]), totals=st.sampled_from(["both", "trust", "department"])
)
def test_no_small_count_can_be_pinned_down_inside_its_interval(counts, below, totals):
    if not any(count is not None for line in counts for count in line):
        return
    table = grid(counts)
    known = {"both": ("trust", "department"), "trust": ("trust",), "department": ("department",)}[totals]
    shown = bs.suppress(table, below=below, totals=known)
    bounds = attack(table, shown, below, rows="trust" in known, columns="department" in known)
    np.testing.assert_allclose(bounds["least"], 1.0, atol=1e-6)
    np.testing.assert_allclose(bounds["most"], below - 1.0, atol=1e-6)


def test_without_secondary_suppression_the_same_attack_succeeds():
    table = grid([[3, 40, 50], [60, 70, 80], [45, 55, 65]])
    alone = bs.suppress(table, below=8, totals=NOBODY_KNOWS)
    bounds = attack(table, alone, 8, rows=True, columns=True)
    np.testing.assert_allclose(bounds[["least", "most"]].to_numpy(), [[3.0, 3.0]])


def test_the_cheapest_rectangle_is_withheld():
    table = grid([[3, 40, 50], [60, 70, 80], [45, 55, 65]])
    shown = bs.suppress(table, below=8)
    withheld = shown[shown["withheld"] == "beside"]
    assert set(zip(withheld["trust"], withheld["department"], strict=True)) == {
        ("T0", "D1"), ("T2", "D0"), ("T2", "D1"),
    }  # fmt: skip


def test_totals_that_nothing_can_protect_are_named():
    notes = bs.suppress(grid([[3, None], [None, 90]]), below=8).attrs["notes"]
    assert (
        "Do not publish the totals of 'observed' of these, which would give a small count back: T0." in notes
    )
    assert (
        "Do not publish the totals of 'observed' of these, which would give a small count back: D0." in notes
    )
    assert any("overall total of 'observed'" in note for note in notes)


def test_a_list_of_trusts_has_one_total():
    frame = pd.DataFrame({"trust": ["A", "B", "C"], "observed": [3, 90, 40], "expected": [5.0, 90.0, 40.0]})
    assert bs.suppress(frame, below=8)["withheld"].tolist() == ["small", "", "beside"]


def test_periods_are_tables_of_their_own():
    years = pd.concat([grid([[3, 40], [60, 70]], period=2020), grid([[30, 40], [60, 70]], period=2021)])
    shown = bs.suppress(years.reset_index(drop=True), below=8)
    assert (shown["withheld"] != "").tolist() == [True] * 4 + [False] * 4


def test_of_what_is_withheld_beside_a_small_count_only_the_least_is_known():
    shown = bs.suppress(grid([[3, 40, 50], [60, 70, 80]]), below=8)
    beside = shown[shown["withheld"] == "beside"]
    assert (beside["observed_lower"] == 8).all()
    assert np.isinf(beside["observed_upper"]).all()


# ------------------------------------------------------------------------------------------------------------------
# Derived columns


def test_estimates_of_withheld_rows_go_and_all_others_lose_their_digits():
    fit = bs.fit_hierarchy(simulate_frame(12, 6, mean_expected=15.0), seed=1)
    table = fit.find_spots().table
    shown = bs.suppress(table, below=8, round_to=5)
    hidden = (shown["withheld"] != "").to_numpy()
    assert 0 < hidden.sum() < len(shown)
    derived = [
        "raw_ratio",
        "peer_ratio",
        "own_ratio_upper",
        "excess",
        "p_own_high",
        "reliability",
        "surprise",
        "status",
    ]
    assert shown.loc[hidden, derived].isna().all().all()
    rest = shown[~hidden]
    np.testing.assert_allclose(rest["raw_ratio"], (rest["observed"] / rest["expected"]).round(2))
    assert (rest["excess"] % 5 == 0).all()
    np.testing.assert_array_equal(rest["peer_ratio"], rest["peer_ratio"].round(2))
    # The count that raw_ratio × expected used to give is gone.
    assert not np.allclose(rest["raw_ratio"] * rest["expected"], table.loc[~hidden, "observed"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give below=…, round_to=… or both"),
        ({"below": 1}, "below must be a whole number of 2 or more; received 1"),
        ({"below": 7.5}, "below must be a whole number"),
        ({"below": True}, "below must be a whole number"),
        ({"round_to": 0}, "round_to must be a whole number of 2 or more"),
        ({"below": 8, "zeros": "hidden"}, "zeros must be 'shown' or 'withheld'"),
        ({"below": 8, "totals": ("region",)}, "totals must be a sequence of 'trust' or 'department'"),
    ],
)
def test_options_check_themselves(options, message):
    with pytest.raises(SettingsError, match=message):
        bs.suppress(grid([[3, 4]]), **options)


def test_frames_that_cannot_be_suppressed_are_refused():
    with pytest.raises(DataError, match="no column 'observed' or 'denominator'"):
        bs.suppress(pd.DataFrame({"trust": ["A"], "deaths": [3]}), below=8)
    with pytest.raises(DataError, match="negative or fractional; row 1"):
        bs.suppress(grid([[3, 4.5]]), below=8)
    with pytest.raises(DataError, match="the same cell appears more than once; rows 0, 1"):
        bs.suppress(pd.concat([grid([[3]]), grid([[4]])], ignore_index=True), below=8)
    with pytest.raises(DataError, match="the data are a list"):
        bs.suppress([1, 2], below=8)


# ------------------------------------------------------------------------------------------------------------------
# Fits of what may be published


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return simulate_frame(12, 6, mean_expected=15.0).assign(secret=lambda table: table["observed"])


@pytest.fixture(scope="module")
def exact(frame) -> bs.HierarchyFit:
    """The fit of that table, of which nothing is withheld."""
    return bs.fit_hierarchy(frame, seed=1)


def other_small_counts(frame: pd.DataFrame, below: int) -> pd.DataFrame:
    """The same table but for its small counts, each of which is another small one."""
    small = frame["observed"].between(1, below - 1)
    assert small.any()
    return frame.assign(observed=frame["observed"].where(~small, below - frame["observed"]))


def test_nothing_about_a_suppressed_fit_depends_on_what_is_withheld(frame, exact):
    moved = bs.fit_hierarchy(other_small_counts(frame, 8), seed=1)
    one, other = (fit.suppressed(below=8, round_to=5) for fit in (exact, moved))
    for table in ("departments", "trusts", "variance_partition", "department_types"):
        pd.testing.assert_frame_equal(getattr(one, table)(), getattr(other, table)(), check_exact=True)
    pd.testing.assert_frame_equal(one.find_spots().table, other.find_spots().table, check_exact=True)
    assert "secret" not in one.table.extras
    # The exact fits do differ, so that the test could fail.
    assert not exact.departments()["own_ratio"].equals(moved.departments()["own_ratio"])


def test_a_saved_suppressed_fit_does_not_hold_the_counts(frame, exact, tmp_path):
    fit = exact.suppressed(below=8)
    fit.save(tmp_path / "fit.nc")
    back = bs.load_fit(tmp_path / "fit.nc")
    small = frame["observed"].between(1, 7).to_numpy()
    assert back.departments()["observed"][small].isna().all()
    assert back.table.extras.columns.tolist() == ["rating"]


def test_the_neighbours_of_a_small_count_give_it_away_where_nothing_is_suppressed(frame, exact):
    """The attack that makes refitting necessary: compare what is published with the fit of every possible count."""
    published = exact.departments()["own_ratio"].round(6)
    target = int(frame.index[frame["observed"].between(1, 7)][0])
    beside = published.index != target
    fits = {
        guess: bs.fit_hierarchy(
            frame.assign(observed=frame["observed"].where(frame.index != target, guess)), seed=1
        )
        for guess in range(1, 8)
    }
    matching = [
        guess
        for guess, fit in fits.items()
        if fit.departments()["own_ratio"].round(6)[beside].equals(published[beside])
    ]
    assert matching == [frame["observed"].iloc[target]]


def test_proportions_with_too_few_people_are_left_out_of_the_fit():
    frame = simulate_frame(10, 5).drop(columns="expected")
    frame["denominator"] = np.where(frame.index % 17 == 3, 6, 2_000)
    frame["observed"] = np.minimum(frame["observed"], frame["denominator"])
    fit = bs.fit_hierarchy(frame, family="binomial", denominator="denominator", seed=1)
    shown = fit.suppressed(below=8, totals=NOBODY_KNOWS)
    lost = int((frame["denominator"] == 6).sum())
    assert shown.table.cells.n_cells == fit.table.cells.n_cells - lost
    assert len(shown.departments()) == len(frame) - lost
    assert shown.find_spots().summary()["departments"].sum() == len(frame) - lost


def test_estimates_cannot_be_suppressed():
    estimates = np.random.default_rng(1).normal(0.1, 0.15, 50)
    frame = simulate_frame(10, 5).assign(estimate=estimates, standard_error=0.1)
    fit = bs.fit_hierarchy(frame, family="normal", seed=1)
    with pytest.raises(SettingsError, match="estimates are not counts"):
        fit.suppressed(below=8)


def test_rules_speak():
    assert Rules(8, 5).text == (
        "Counts from 1 to 7 were withheld, with as many others as it takes to keep totals from giving them back and "
        "counts were rounded to multiples of 5."
    )
