"""Tables of results: nothing that follows from a withheld count is left in its row, whatever it is called."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import brightspots as bs
from brightspots.common.errors import DataError, SettingsError
from tests.conftest import simulate_frame

LABELS = {"trust", "department", "period", "rating", "withheld", "trust_name", "department_name"}
COUNTS = {"observed", "expected", "denominator", "observed_lower", "observed_upper"}


@pytest.fixture(scope="module")
def periods() -> pd.DataFrame:
    years = [simulate_frame(12, 6, mean_expected=8.0, seed=y).assign(period=2020 + y) for y in range(3)]
    return pd.concat(years, ignore_index=True).drop(columns="rating")


@pytest.fixture(scope="module")
def spots(periods) -> bs.Spots:
    ratings = {trust: ("Good", "Inadequate")[k % 2] for k, trust in enumerate(periods["trust"].unique())}
    return bs.fit_hierarchy(periods, seed=1, draws=600).find_spots(rating=ratings)


def test_every_column_of_results_is_missing_in_withheld_rows(spots):
    """Known by what they are not: neither a label nor a count. So the next one cannot be forgotten."""
    shown = bs.suppress(spots.table, below=15)
    hidden = (shown["withheld"] != "").to_numpy()
    assert 0 < hidden.sum() < len(shown)
    derived = [name for name in shown if name not in LABELS | COUNTS]
    assert {
        "persistent",
        "periods_same_side",
        "p_two_bands",
        "status",
        "own_ratio",
        "detectable_ratio",
    } <= set(derived)
    assert shown.loc[hidden, derived].isna().all().all()
    numbers = shown.loc[~hidden, derived].select_dtypes("number")
    np.testing.assert_array_equal(numbers, numbers.round(2))


def test_a_column_that_nobody_thought_of_is_a_result():
    table = simulate_frame(12, 6, mean_expected=15.0).assign(
        deaths=lambda frame: frame["observed"],
        rate=lambda frame: frame["observed"] / 1_000,
        said=lambda frame: frame["observed"].map("{} died".format),
        written=lambda frame: frame["observed"].astype(str),
        high=lambda frame: frame["observed"] > 6,
        when=lambda frame: pd.Timestamp("2026-01-01") + pd.to_timedelta(frame["observed"], unit="D"),
    )
    shown = bs.suppress(table, below=8)
    hidden = (shown["withheld"] != "").to_numpy()
    for name in ("deaths", "rate", "said", "written", "high", "when"):
        assert shown.loc[hidden, name].isna().all(), name
        assert shown.loc[~hidden, name].notna().all(), name
    note = next(
        note for note in shown.attrs["notes"] if note.startswith("Taken for results: 'deaths', 'rate'")
    )
    assert "to publish results use fit.suppressed()" in note


def test_what_says_nothing_of_counts_stays():
    table = simulate_frame(12, 6, mean_expected=15.0)
    region = {trust: ("north", "south")[k % 2] for k, trust in enumerate(table["trust"].unique())}
    table = table.assign(region=table["trust"].map(region), kind=table["department"].str.lower(), beds=200)
    shown = bs.suppress(table, below=8, keep=["beds"])
    for name in ("region", "kind", "beds", "rating"):
        assert shown[name].tolist() == table[name].tolist()
    assert not any(note.startswith("Taken for results") for note in shown.attrs["notes"])
    assert bs.suppress(table, below=8)["beds"].isna().any()


def test_text_that_is_the_same_by_accident_is_no_label():
    """One trust alone has two rows, and both say how many died in one of them."""
    said = [f"{count} died" for count in (3, 40, 50, 60, 70, 80, 3)]
    table = pd.DataFrame(
        {
            "trust": [*(f"T{t}" for t in range(6)), "T0"], "department": ["D"] * 6 + ["E"],
            "observed": [3, 40, 50, 60, 70, 80, 30], "said": said,
        }
    )  # fmt: skip
    shown = bs.suppress(table, below=8)
    assert shown["said"][shown["withheld"] != ""].isna().all()


def test_attributes_of_a_frame_do_not_come_along():
    table = simulate_frame(12, 6)
    table.attrs = {"notes": ("From the register.",), "exact": table["observed"].tolist()}
    shown = bs.suppress(table, below=8)
    assert shown.attrs["notes"][0] == "From the register."
    assert "exact" not in shown.attrs


@pytest.mark.parametrize(
    "by", [["trust", "observed"], ["department", "observed"], ["period", "trust", "observed"]]
)
def test_an_order_within_labels_is_noticed_too(periods, by):
    came = periods.sample(frac=1.0, random_state=1).sort_values(
        by, ascending=[True] * (len(by) - 1) + [False]
    )
    shown = bs.suppress(came, below=8)
    labels = shown[["trust", "department", "period"]]
    pd.testing.assert_frame_equal(labels, labels.sort_values(["trust", "department", "period"]))


def test_nothing_is_kept_in_an_index():
    """Its names become columns; one without a name, which may be the rank of a count, goes."""
    table = simulate_frame(12, 6, mean_expected=15.0).drop(columns="rating")
    plain = bs.suppress(table, below=8)
    by_label = bs.suppress(table.set_index(["trust", "department"]), below=8)
    assert by_label["withheld"].tolist() == plain["withheld"].tolist()
    assert by_label["trust"].tolist() == table["trust"].tolist()
    by_count = bs.suppress(table.assign(deaths=table["observed"]).set_index("deaths"), below=8)
    assert by_count.loc[(by_count["withheld"] != "").to_numpy(), "deaths"].isna().all()
    ranks = table.set_axis(table["observed"].rank(method="first").astype(int))
    pd.testing.assert_index_equal(bs.suppress(ranks, below=8).index, plain.index)
    some = table.iloc[3:20]
    pd.testing.assert_index_equal(bs.suppress(some, below=8).index, some.index)


def test_four_columns_are_enough(tmp_path):
    """A table without any other column is suppressed, reported and saved like every other one."""
    table = simulate_frame(16, 6).drop(columns="rating")
    assert table.columns.tolist() == ["trust", "department", "observed", "expected"]
    fit = bs.fit_hierarchy(table, seed=1)
    assert fit.table.extras.shape == (len(table), 0)
    safe = fit.suppressed(below=8)
    assert len(safe.departments()) == len(table)
    bs.write_board_pack(fit, fit.find_spots(), tmp_path / "board.html", suppress_below=8)
    safe.save(tmp_path / "fit.nc")
    pd.testing.assert_frame_equal(bs.load_fit(tmp_path / "fit.nc").departments(), safe.departments())
    binomial = table.drop(columns="expected").assign(denominator=table["observed"] * 4 + 9)
    assert len(bs.fit_hierarchy(binomial, seed=1).suppressed(below=8).departments()) > 0


def test_a_fit_keeps_the_order_of_its_rows_unless_that_is_one_of_counts():
    table = simulate_frame(16, 6)
    mixed = table.sample(frac=1.0, random_state=2)
    kept = bs.fit_hierarchy(mixed, seed=1, draws=400).suppressed(below=8).departments()
    assert kept["trust"].tolist() == mixed["trust"].tolist()
    worst_first = table.sort_values("observed", ascending=False)
    moved = bs.fit_hierarchy(worst_first, seed=1, draws=400).suppressed(below=8).departments()
    labels = moved[["trust", "department"]]
    pd.testing.assert_frame_equal(labels, labels.sort_values(["trust", "department"]))
    one, other = (
        frame.sort_values(["trust", "department"])["own_ratio"].to_numpy() for frame in (kept, moved)
    )
    np.testing.assert_array_equal(one, other)


def test_rules_travel_with_a_frame_into_its_fit_and_with_a_fit_into_its_tables():
    table = simulate_frame(16, 6, mean_expected=30.0).drop(columns="rating")
    shown = bs.suppress(table, below=8)
    fit = bs.fit_hierarchy(shown, seed=1, draws=400)
    assert fit.rules is not None
    assert fit.suppressed(below=8).effects is fit.effects
    assert fit.suppressed(below=8).table.extras.columns.tolist() == []
    # Whoever puts exact counts back has an exact table again.
    exact = bs.fit_hierarchy(shown.assign(observed=table["observed"]), seed=1, draws=400)
    assert exact.rules is None
    assert bs.suppress(shown.assign(observed=table["observed"]), below=11)["observed"].isna().any()
    safe = bs.fit_hierarchy(table, seed=1, draws=400).suppressed(below=8)
    for what in (fit, safe):
        with pytest.raises(SettingsError, match="suppressed already, with below=8"):
            what.suppressed(below=11)
        for results in (what.departments(), what.find_spots().table):
            with pytest.raises(SettingsError, match="suppressed already, with below=8"):
                bs.suppress(results, below=11)
            # Results of a suppressed fit hold nothing of what is withheld, and stay.
            again = bs.suppress(results, below=8)
            np.testing.assert_array_equal(again["own_ratio"], results["own_ratio"])
            assert not any(note.startswith("Taken for results") for note in again.attrs["notes"])
            # But for what somebody put beside them since.
            added = results.assign(deaths=table["observed"].to_numpy())
            hidden = again["withheld"] != ""
            assert bs.suppress(added, below=8).loc[hidden, "deaths"].isna().all()
    added = shown.assign(deaths=table["observed"])
    assert bs.suppress(added, below=8).loc[shown["withheld"] != "", "deaths"].isna().all()
    assert bs.fit_hierarchy(table, seed=1, draws=400).rules is None


def test_suppressing_twice_under_one_set_of_rules_changes_nothing():
    table = simulate_frame(12, 6, mean_expected=15.0).assign(
        denominator=lambda frame: frame["observed"] * 3 + 5
    )
    once = bs.suppress(table, below=8, round_to=5)
    twice = bs.suppress(once, below=8, round_to=5)
    pd.testing.assert_frame_equal(twice, once)
    assert twice.attrs == once.attrs


def test_another_column_of_counts_is_pointed_out():
    table = simulate_frame(12, 6, mean_expected=60.0).assign(
        readmitted=lambda frame: np.arange(len(frame)) % 9
    )
    notes = bs.suppress(table, below=8).attrs["notes"]
    assert any(
        note.startswith("'readmitted' looks like counts and is not suppressed as one: ") for note in notes
    )


def test_outcomes_are_suppressed_each_by_itself():
    parts = [
        simulate_frame(16, 6, seed=k).assign(outcome=name) for k, name in enumerate(("died", "returned"))
    ]
    fits = bs.fit_hierarchy(pd.concat(parts, ignore_index=True), outcome="outcome", seed=1, draws=400)
    safe = fits.suppressed(below=8)
    assert list(safe) == ["died", "returned"]
    assert all(fit.rules is not None for fit in safe.values())


def test_covariates_go_along_and_that_is_said():
    from brightspots.disclosure import Rules
    from brightspots.fit.publishable import suppressed_fit

    table = simulate_frame(16, 6).assign(beds=lambda frame: np.arange(len(frame)) % 7)
    fit = bs.fit_hierarchy(table, covariates="beds", seed=1, draws=400)
    notes = suppressed_fit(fit, Rules(below=8))[1]
    assert "Covariates go along as they are (beds): see that none follows from a count." in notes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mark": 1}, "mark must be text or None; received 1"),
        ({"mark": "7"}, "mark must be text that is no number"),
        ({"mark": ""}, "mark must be text that is no number"),
        ({"totals": None}, "totals must be a sequence of 'trust' or 'department'; received None"),
        ({"totals": "trust"}, "totals must be a sequence .* received 'trust', perhaps"),
        ({"totals": 3}, "totals must be a sequence .* received 3"),
        ({"totals": [["trust"]]}, "totals must be a sequence of 'trust' or 'department'"),
        ({"zeros": None}, "zeros must be 'shown' or 'withheld'; received None"),
        ({"zeros": ["shown"]}, "zeros must be 'shown' or 'withheld'"),
        ({"below": "8"}, "below must be a whole number or None; received '8'"),
        ({"below": np.nan}, "below must be a whole number"),
        ({"round_to": 5.0}, "round_to must be a whole number"),
        ({"keep": "beds"}, "keep must be a list of columns; received 'beds'"),
        ({"keep": None}, "keep must be a list of columns; received None"),
        ({"keep": ["observed"]}, "keep names 'observed', which is a count or a label"),
    ],
)
def test_options_check_themselves(options, message):
    table = simulate_frame(4, 3)
    with pytest.raises(SettingsError, match=message):
        bs.suppress(table, **{"below": 8, **options})


@pytest.mark.parametrize("options", [{"totals": None}, {"zeros": None}, {"below": "8"}])
def test_those_of_a_fit_do_too(options):
    fit = bs.fit_hierarchy(simulate_frame(8, 4), seed=1, draws=400)
    with pytest.raises(SettingsError):
        fit.suppressed(**{"below": 8, **options})


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"observed_lower": [9.0, 40.0], "observed_upper": [3.0, 40.0]},
            "lower bound above 'observed_upper'; row 0",
        ),
        (
            {"observed_lower": [0.5, 40.0], "observed_upper": [0.5, 40.0]},
            "a bound is negative or fractional; row 0",
        ),
        (
            {"observed_lower": [-9.0, 40.0], "observed_upper": [3.0, 40.0]},
            "a bound is negative or fractional",
        ),
        (
            {"observed_upper": [500.0, 40.0], "denominator": [200, 200]},
            "observed exceeds 'denominator'; row 0",
        ),
        ({"expected": [-1.0, 40.0]}, "expected events are negative; row 0"),
    ],
)
def test_bounds_and_expected_events_that_cannot_be_are_refused(columns, message):
    table = pd.DataFrame({"trust": ["A", "B"], "department": "D", "observed": [np.nan, 40.0]})
    with pytest.raises(DataError, match=message):
        bs.suppress(table.assign(**columns), below=8)


def test_where_nothing_is_withheld_zeros_are_not_either():
    table = pd.DataFrame(
        {"trust": ["A", "B"], "department": "D", "observed": [0, 41], "denominator": [0, 103]}
    )
    with pytest.warns(bs.DataWarning, match="0 of 0"):
        shown = bs.suppress(table, round_to=5, zeros="withheld")
    assert shown["observed"].tolist() == [40]
    assert shown["denominator"].tolist() == [105]


def test_columns_that_hold_anything_are_results():
    table = pd.DataFrame(
        {"trust": ["A", "B"], "department": "D", "observed": [1, 40], "said": [[1], {"n": 40}]}
    )
    table.attrs = {"notes": "One sentence.", "disclosure_rules": {"a": 1}}
    shown = bs.suppress(table, below=8)
    assert shown["said"].isna().all()
    assert shown.attrs["notes"][0] == "One sentence."
    with pytest.raises(SettingsError, match="denominator must be the name of a column; received 0"):
        bs.suppress(table, below=8, denominator=0)


def test_tables_that_cannot_be_are_refused():
    table = simulate_frame(4, 3).assign(denominator=10, observed=11)
    with pytest.raises(DataError, match="observed exceeds 'denominator'; rows 0, 1, 2"):
        bs.suppress(table, below=8)
    with pytest.raises(DataError, match="the data have no rows"):
        bs.suppress(table[:0], below=8)
    with pytest.raises(DataError, match="column names appear more than once: observed"):
        bs.suppress(pd.concat([table, table[["observed"]]], axis=1), below=8)
    with pytest.raises(DataError, match="column 'beds': is not in the data"):
        bs.suppress(simulate_frame(4, 3), below=8, keep=["beds"])


# ------------------------------------------------------------------------------------------------------------------
# What rounding does not stop, and why results are to be those of a suppressed fit


def counts_that_fit(table: pd.DataFrame, row: int, seen: pd.DataFrame, *, below: int) -> list[int]:
    """Every possible count whose own fit shows, in all other rows, what was published."""
    beside = np.flatnonzero(np.arange(len(table)) != row)
    numbers = [name for name in seen.select_dtypes("number") if name not in COUNTS]
    fitting = []
    for guess in range(1, below):
        tried = table.assign(observed=table["observed"].where(table.index != row, guess))
        shown = bs.suppress(bs.fit_hierarchy(tried, seed=1).find_spots().table, below=below)
        if np.array_equal(
            shown[numbers].to_numpy()[beside], seen[numbers].to_numpy()[beside], equal_nan=True
        ):
            fitting.append(guess)
    return fitting


def test_two_decimals_of_other_rows_can_give_a_count_back_which_is_why_it_is_said():
    table = simulate_frame(10, 5, mean_expected=15.0, seed=3).drop(columns="rating")
    row = int(np.flatnonzero(table["observed"].between(1, 7))[0])
    exact = bs.suppress(bs.fit_hierarchy(table, seed=1).find_spots().table, below=8)
    assert counts_that_fit(table, row, exact, below=8) == [table["observed"].iloc[row]]
    assert any(
        "whoever works them out for every possible count can find the right one" in n
        for n in exact.attrs["notes"]
    )
