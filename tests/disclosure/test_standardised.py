"""Expected events sum to the observed ones: what is published of both must not give a withheld total back."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import brightspots as bs
from tests.casemix.conftest import CASEMIX, simulate_records
from tests.test_cli import complaint, run

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
    # Comparisons within a type are what they were.
    for kind in exact["department"].unique():
        ratio = (shown["expected"] / exact["expected"])[exact["department"] == kind]
        np.testing.assert_allclose(ratio, ratio.iloc[0])


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
    # All that is left are numbers of levels and models, shares, and coefficients of one decimal.
    assert {round(number, 2) for number in all_numbers(beside["card"])} == all_numbers(beside["card"])
    assert not {"records", "events", "calibration", "strata", "notes"} & set(beside["card"])
    large = {float(n) for n in card.coefficients["records"].dropna()} | {
        float(n) for n in card.types["observed"]
    }
    assert not {n for n in large if n > 60} & all_numbers(beside["card"])
    rare = [row for row in beside["card"]["coefficients"] if row["coefficient"] is not None]
    assert rare
    assert all(round(row["coefficient"], 1) == row["coefficient"] for row in rare)
    assert "(intercept)" not in {row["covariate"] for row in beside["card"]["coefficients"]}
    written = pd.read_csv(out)
    assert not np.any(np.isclose(sums(written, "expected")["Alone"], 5.0, atol=0.4))


def test_coefficients_of_small_levels_are_withheld(tmp_path):
    records = simulate_records()
    few = records["admission"] == "transfer"
    records.loc[few, "died"] = 0
    records.loc[records.index[few][:3], "died"] = 1
    path = tmp_path / "records.parquet"
    records.to_parquet(path)
    out = tmp_path / "cells.csv"
    assert (
        run("standardise", path, "--outcome", "died", "--casemix", "admission", "-o", out, *OPTIONS).exit_code
        == 0
    )
    found = json.loads((tmp_path / "cells.json").read_text())["card"]["coefficients"]
    transfers = [row["coefficient"] for row in found if row["level"] == "transfer"]
    assert transfers
    assert set(transfers) == {None}
    assert any(row["coefficient"] is not None for row in found)


def test_the_figure_of_calibration_is_for_use_inside(records, tmp_path):
    path = tmp_path / "records.parquet"
    records.to_parquet(path)
    said = complaint(
        run("standardise", path, "--outcome", "died", "--casemix", "sex", "-o", tmp_path / "cells.csv", *OPTIONS,
            "--calibration", tmp_path / "c.png")
    )  # fmt: skip
    assert "--calibration draws exact counts by tenth of risk" in said
    assert not (tmp_path / "cells.csv").exists()
