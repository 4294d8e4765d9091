"""Expected events sum to the observed ones: what is published of both must not give a withheld total back."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import brightspots as bs
from tests.casemix.conftest import CASEMIX, simulate_records
from tests.cli.test_commands import complaint, run

pytest.importorskip("duckdb")

OPTIONS = ("--suppress-below", 8, "--round-to", 5)


def records_with_small_types(seed: int = 1) -> pd.DataFrame:
    """Records of 6 trusts, with a department type that one trust alone has and another that is small in all."""
    frame = simulate_records(seed=seed)
    rng = np.random.default_rng(seed)
    alone = frame.sample(120, random_state=seed).assign(trust="T00", department="Alone", died=0)
    alone.iloc[:5, alone.columns.get_loc("died")] = 1
    rare = frame.sample(1_200, random_state=seed + 1).assign(department="Rare", died=0)
    rare["died"] = (rng.random(len(rare)) < 0.02).astype(int)
    return pd.concat([frame, alone, rare], ignore_index=True)


def sums(table: pd.DataFrame, column: str) -> pd.Series:
    return table.groupby("department")[column].sum(min_count=1)


@pytest.fixture(scope="module")
def records() -> pd.DataFrame:
    return records_with_small_types()


@pytest.fixture(scope="module")
def exact(records) -> pd.DataFrame:
    return bs.standardise(records, outcome="died", casemix=CASEMIX).table


def test_the_sums_of_expected_events_are_those_of_what_is_published(exact):
    np.testing.assert_allclose(sums(exact, "expected"), sums(exact, "observed"))
    shown = bs.suppress(exact, below=8)
    hidden = exact.groupby("department")["observed"].apply(lambda counts: counts.between(1, 7).any())
    notes = [
        note for note in shown.attrs["notes"] if note.startswith("Do not publish the totals of 'observed'")
    ]
    assert any("Alone" in note and "Rare" in note for note in notes)
    for kind in hidden.index[hidden]:
        rows = shown[shown["department"] == kind]
        told = rows[rows["withheld"] != "beside"]
        published = told["observed"].fillna(0.5 * (told["observed_lower"] + told["observed_upper"])).sum()
        assert told["expected"].sum() == pytest.approx(published)
    # The one that stands alone: nothing of 5 is left, for any of 1 to 7 would have been written so.
    assert shown.loc[shown["department"] == "Alone", "expected"].tolist() == [4.0]
    # Comparisons within a type are what they were, and what is withheld stands at the rate of the others.
    for kind in exact["department"].unique():
        of_kind, whole = exact["department"] == kind, shown["withheld"] == ""
        ratio = (shown["expected"] / exact["expected"])[of_kind & whole]
        np.testing.assert_allclose(ratio, ratio.mean())
        if (of_kind & ~whole).any():
            rates = (shown["expected"] / shown["denominator"])[of_kind & ~whole]
            np.testing.assert_allclose(rates, rates.iloc[0])


def test_the_sums_do_not_undo_rounding_either(exact):
    shown = bs.suppress(exact, below=8, round_to=5)
    told = shown["observed"].fillna(0.5 * (shown["observed_lower"] + shown["observed_upper"]))
    by_type = (shown["withheld"] != "beside").groupby(shown["department"]).all()
    totals = told.groupby(shown["department"]).sum()[by_type]
    # The expected events keep their ratio to rounded numbers of people, and so the sum but for a little.
    np.testing.assert_allclose(sums(shown, "expected")[by_type], totals, rtol=0.03)
    table = pd.DataFrame(
        {
            "trust": ["T0", "T1"],
            "department": ["D0", "D1"],
            "observed": [102, 213],
            "expected": [102.0, 213.0],
        }
    )
    np.testing.assert_allclose(bs.suppress(table, round_to=5)["expected"], [100.0, 215.0])


def test_a_fit_of_standardised_cells_hides_the_sums_as_well(records):
    cells = bs.standardise(records, outcome="died", casemix=CASEMIX)
    fit = bs.fit_hierarchy(cells, seed=1, draws=400).suppressed(below=8)
    table, shown = fit.departments(), bs.suppress(cells.table, below=8)
    merged = table.merge(shown, on=["trust", "department"], suffixes=("", "_shown"))
    assert len(merged) == len(table)
    np.testing.assert_allclose(merged["expected"], merged["expected_shown"])


def test_a_factor_a_type_changes_no_comparison_of_trusts(records):
    """The type's own level takes it up: own and peer ratios of a fit hardly move."""
    cells = bs.standardise(records, outcome="died", casemix=CASEMIX).table
    cells = cells[cells["department"] != "Alone"]
    factor = np.where(cells["department"] == "Rare", 1.3, 1.0)
    fits = [bs.fit_hierarchy(cells.assign(expected=cells["expected"] * f), seed=1) for f in (1.0, factor)]
    one, other = (np.log(fit.departments()["own_ratio"]) for fit in fits)
    spread = (
        np.log(fits[0].departments()["own_ratio_upper"] / fits[0].departments()["own_ratio_lower"]) / 3.92
    )
    assert float(np.max(np.abs(one - other) / spread)) < 0.1


def test_where_no_row_says_how_much_expected_events_are_withheld():
    """A type in one trust, withheld only to protect its neighbour: its expected events are its observed ones."""
    table = pd.DataFrame(
        {
            "trust": ["T0", "T0", "T1"], "department": ["D0", "D1", "D2"], "observed": [3, 400, 500],
            "expected": [3.0, 400.0, 500.0],
        }
    )  # fmt: skip
    shown = bs.suppress(table, below=8)
    assert shown["withheld"].tolist() == ["small", "beside", ""]
    np.testing.assert_array_equal(shown["expected"], [4.0, np.nan, 500.0])
    assert any("'expected' sums to the observed events" in note for note in shown.attrs["notes"])


def test_expected_events_from_elsewhere_stay_as_they_are():
    table = pd.DataFrame(
        {
            "trust": ["T0", "T0", "T1"],
            "department": ["D0", "D1", "D2"],
            "observed": [3, 400, 500],
            "expected": [4.1, 380.0, 521.0],
        }
    )  # fmt: skip
    assert bs.suppress(table, below=8)["expected"].tolist() == [4.1, 380.0, 521.0]


def all_numbers(item) -> set[float]:
    """Every number in a JSON object, in text too."""
    if isinstance(item, dict):
        return set().union(*(all_numbers(value) for value in item.values()), set())
    if isinstance(item, list):
        return set().union(*map(all_numbers, item), set())
    return {float(item)} if isinstance(item, int | float) and not isinstance(item, bool) else set()


def test_what_the_command_writes_beside_the_table_holds_no_count(records, tmp_path):
    path, out = tmp_path / "records.parquet", tmp_path / "cells.csv"
    records.to_parquet(path)
    arguments = ("standardise", path, "--outcome", "died", "--casemix", ",".join(CASEMIX), "-o", out)
    result = run(*arguments, *OPTIONS, "--json")
    assert result.exit_code == 0, result.output
    beside = json.loads((tmp_path / "cells.json").read_text())
    assert beside["manifest"]["input"] is None
    assert str(path.stat().st_size) not in (tmp_path / "cells.json").read_text()
    assert json.loads(result.stdout)["card"] == beside["card"]
    card = bs.standardise(path, outcome="died", casemix=CASEMIX).card
    # All that is left are numbers of levels and the c-statistic; the rest is names.
    assert all_numbers(beside["card"]) == {4.0, 2.0, 3.0, round(card.c_statistic, 2)}
    assert beside["card"]["levels"] == {"age_band": 4, "sex": 2, "admission": 3}
    assert not {"records", "events", "calibration", "strata", "notes", "types", "min_events"} & set(
        beside["card"]
    )
    written = pd.read_csv(out)
    assert not np.any(np.isclose(sums(written, "expected")["Alone"], 5.0, atol=0.4))


def test_a_level_that_fills_a_cell_does_not_tell_its_count():
    """The likelihood sets expected equal to observed for every level: also for one that a single cell has."""
    records = simulate_records(n=3_000, trusts=6, seed=3)
    one = (records["trust"] == "T00") & (records["department"] == "D0")
    records.loc[records["trust"] == "T00", "sex"] = None
    records.loc[records.index[one & (records["died"] == 1)][4:], "died"] = 0
    exact = bs.standardise(records, outcome="died", casemix=["age_band", "sex"]).table
    at = exact.index[(exact["trust"] == "T00") & (exact["department"] == "D0")][0]
    assert exact.loc[at, "expected"] == pytest.approx(exact.loc[at, "observed"], abs=1e-4)
    for round_to in (None, 5):
        shown = bs.suppress(exact, below=8, round_to=round_to)
        hidden = shown["withheld"] != ""
        assert hidden[at]
        # Where something is withheld stands what its people would have at the rate of their type.
        rate = (shown["expected"] / shown["denominator"])[hidden]
        spread = rate.groupby(shown["department"]).transform(lambda each: each.max() - each.min())
        np.testing.assert_allclose(spread, 0.0, atol=2e-3)


def test_expected_events_at_the_rate_of_a_trust_do_not_tell_its_total():
    table = table_of(
        list("AABBCC"),
        ["x", "y"] * 3,
        observed=[3, 9, 40, 50, 61, 70],
        denominator=[60, 140, 200, 260, 300, 310],
    )
    of_trust = table.groupby("trust")
    rate = of_trust["observed"].transform("sum") / of_trust["denominator"].transform("sum")
    table["expected"] = table["denominator"] * rate
    shown = bs.suppress(table, below=8)
    assert shown["withheld"].iloc[0] == "small"
    # What is published of A: the middle of 1 to 7 and 9, whatever was counted.
    assert shown.loc[shown["trust"] == "A", "expected"].sum() == pytest.approx(4.0 + 9.0)


def test_denominators_that_came_missing_cost_nothing_else():
    rng = np.random.default_rng(1)
    expected = rng.gamma(2.0, 30.0, 24).round(1)
    table = table_of(
        np.repeat(list("ABCEFG"), 4).tolist(), list("wxyz") * 6, observed=rng.poisson(expected) + 9, expected=expected,
        denominator=np.r_[np.nan, np.full(23, 900.0)],
    )  # fmt: skip
    shown = bs.suppress(table, below=8)
    assert shown["expected"].tolist() == table["expected"].tolist()
    assert (
        len(bs.fit_hierarchy(table, family="poisson", seed=1, draws=400).suppressed(below=8).departments())
        == 24
    )


def test_the_figure_of_calibration_is_for_use_inside(records, tmp_path):
    path = tmp_path / "records.parquet"
    records.to_parquet(path)
    said = complaint(
        run("standardise", path, "--outcome", "died", "--casemix", "sex", "-o", tmp_path / "cells.csv", *OPTIONS,
            "--calibration", tmp_path / "c.png")
    )  # fmt: skip
    assert "--calibration draws exact counts by tenth of risk" in said
    assert not (tmp_path / "cells.csv").exists()


# ------------------------------------------------------------------------------------------------------------------
# Sums of expected events, and the people that they are in ratio to


def table_of(trusts: list[str], departments: list[str], **columns) -> pd.DataFrame:
    return pd.DataFrame({"trust": trusts, "department": departments, **columns})


def test_the_sum_of_a_type_does_not_tell_the_people_that_are_rounded():
    """Of one row, and of two: what is shown sums to what is shown, so that no equation is left for the people."""
    table = table_of(
        ["T0", "T1", "T0", "T1"], ["D0", "D1", "D2", "D2"], observed=[52, 61, 70, 81],
        denominator=[103, 146, 203, 244], expected=[52.0000001, 61.0, 75.5, 75.5],
    )  # fmt: skip
    shown = bs.suppress(table, below=8, round_to=5)
    np.testing.assert_allclose(sums(shown, "expected"), sums(shown, "observed"), rtol=1e-3)
    guessed = table["observed"] * shown["denominator"] / shown["expected"]
    assert (abs(guessed - table["denominator"]) > 0.4)[:2].all()


def test_a_constant_rate_does_not_tell_a_small_denominator():
    table = table_of(["A", "B", "C", "E"], ["D"] * 4, observed=[0, 15, 18, 14], denominator=[5, 30, 36, 29])
    table["expected"] = table["denominator"] * 47 / 100
    for totals in (("trust", "department"), ()):
        shown = bs.suppress(table, below=8, totals=totals)
        rate = (shown["expected"] / shown["denominator"]).median()
        assert shown["denominator"].isna()[0]
        visible = shown["expected"].notna()
        events = shown["observed"].fillna(
            0.5 * (shown.get("observed_lower", 0) + shown.get("observed_upper", 0))
        )
        if (shown["withheld"][visible] != "beside").all():
            assert (events[visible].sum() - shown["expected"].sum()) / rate == pytest.approx(0.0, abs=1e-9)


def test_a_fit_against_expected_events_minds_the_denominator_too():
    """What suppress() of the same table withholds for its people; otherwise the two together give them back."""
    records = simulate_records()
    exact = bs.standardise(records, outcome="died", casemix=CASEMIX).table
    exact.loc[3, "observed"] = exact["denominator"].iloc[3] - 2
    shown = bs.suppress(exact, below=8, round_to=5)
    fit = bs.fit_hierarchy(exact, seed=1, draws=400)
    assert fit.table.cells.family.name == "poisson"
    table = fit.suppressed(below=8, round_to=5).departments()
    both = table.merge(shown, on=["trust", "department"], suffixes=("", "_shown"))
    assert len(both) == len(table)
    np.testing.assert_array_equal(both["observed"], both["observed_shown"])
    np.testing.assert_allclose(both["expected"], both["expected_shown"])
    assert both["observed"].isna().any()


def test_one_row_with_nearly_all_events_or_a_gap_leaves_the_others_alone():
    nearly = table_of(
        ["T0", "T1", "T2"],
        ["D"] * 3,
        observed=[99, 60, 70],
        denominator=[103, 146, 203],
        expected=[73.0, 71.0, 85.0],
    )
    assert np.isfinite(bs.suppress(nearly, below=8, round_to=5)["expected"]).all()
    missing = table_of(["T0", "T1", "T2"], ["A"] * 3, observed=[np.nan, 60, 70], expected=[80.0, 90.0, 100.0])
    assert bs.suppress(missing, below=8, round_to=5)["expected"].tolist() == [80.0, 90.0, 100.0]
    gap = table_of(
        ["T0", "T1", "T2"] * 2, ["A"] * 3 + ["B"] * 3, observed=[30, 60, 70, 30, 40, 50],
        expected=[np.nan, 90.0, 100.0, 35.0, 36.0, 37.0],
    )  # fmt: skip
    np.testing.assert_array_equal(bs.suppress(gap, below=8, round_to=5)["expected"], gap["expected"])


@pytest.mark.parametrize("expected", [[2.3, 1.2, 1.1, 3.5], [2.0, 1.0, 1.0, 4.0], [2.312, 1.2, 1.1, 3.388]])
def test_printed_sums_are_recognised(expected):
    table = table_of(list("ABCE"), ["D"] * 4, observed=[2, 1, 1, 4], expected=expected)
    shown = bs.suppress(table, below=8)
    assert shown["expected"].sum() == pytest.approx(16.0)
    assert any("sums to the observed events" in note for note in shown.attrs["notes"])


def test_sums_of_many_rows_are_not_taken_for_one_by_chance():
    rng = np.random.default_rng(1)
    expected = rng.gamma(2.0, 30.0, 3_000).round(2)
    table = table_of(
        np.repeat([f"T{t:03d}" for t in range(150)], 20).tolist(), [f"D{d:02d}" for d in range(20)] * 150,
        observed=rng.poisson(expected), expected=expected,
    )  # fmt: skip
    assert bs.suppress(table, below=8, round_to=5)["expected"].tolist() == expected.tolist()


def test_where_nothing_is_seen_a_half_stands_for_it():
    table = table_of(["A", "B", "C"], ["D"] * 3, observed=[1, 0, 1], expected=[0.7, 0.6, 0.7])
    shown = bs.suppress(table, round_to=5)
    assert shown["observed"].tolist() == [0, 0, 0]
    assert shown["expected"].sum() == pytest.approx(0.5)


def test_counts_that_are_shown_for_not_being_small_are_rounded_with_their_threshold():
    from tests.conftest import simulate_frame

    table = simulate_frame(20, 6, mean_expected=60.0).drop(columns="rating")
    table = table[table["observed"] >= 11].assign(counted_from=11)
    shown = bs.suppress(table, below=11, round_to=5)
    assert (shown["observed"] == 10).any()
    assert (shown["counted_from"] == 10).all()
    fit = bs.fit_hierarchy(shown, seed=1, draws=400)
    safe = bs.fit_hierarchy(table, seed=1, draws=400).suppressed(below=11, round_to=5)
    assert (safe.table.cells.counted_from == 10).all()
    np.testing.assert_array_equal(safe.table.cells.lower, fit.table.cells.lower)
