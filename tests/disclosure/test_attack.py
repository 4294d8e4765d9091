"""An attacker with integer programmes, who knows all totals that may be known, gets back nothing that is withheld."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import brightspots as bs
from tests.disclosure.attacker import (
    NOBODY_KNOWS,
    Asked,
    Attack,
    Score,
    partly_withheld,
    promises,
    random_rules,
    random_table,
    rounding_range,
    score,
)

KINDS = (
    "counts", "proportions", "people", "counts periods", "proportions periods", "counts given", "proportions given",
)  # fmt: skip


def suppress(table: pd.DataFrame, asked: Asked) -> pd.DataFrame:
    return bs.suppress(
        table, below=asked.below, round_to=asked.round_to, zeros=asked.zeros, totals=asked.totals
    )


def campaign(kind: str, tables: int, seed: int = 7) -> dict[str, Score]:
    """Attack many random tables under random rules."""
    rng = np.random.default_rng(seed)
    total: dict[str, Score] = {}
    for _ in range(tables):
        table, asked = random_table(rng, kind), random_rules(rng)
        given = partly_withheld(rng, table) if kind.endswith("given") else table
        for name, found in score(table, suppress(given, asked), asked, given=given).items():
            total[name] = total.get(name, Score()) + found
    return total


@pytest.mark.parametrize("kind", KINDS)
def test_no_withheld_count_is_bounded_more_tightly_than_promised(kind):
    found = campaign(kind, 60)
    assert found
    for each in found.values():
        assert each.counts > 20
        assert (each.tightened, each.solved) == (0, 0), found


@pytest.mark.attack
@pytest.mark.parametrize("kind", KINDS)
def test_nor_on_a_thousand_tables(kind, capsys):
    found = campaign(kind, 1_000)
    with capsys.disabled():
        print(f"\n{kind}: {found}")
    for each in found.values():
        assert (each.tightened, each.solved) == (0, 0), found


def proportions(events, people) -> pd.DataFrame:
    size = len(events)
    labels = {
        "trust": [f"T{i // 2}" for i in range(size)],
        "department": [f"D{i % 2}" for i in range(size)],
    }
    return pd.DataFrame({**labels, "observed": events, "denominator": people})


def test_a_count_at_its_ceiling_protects_nothing():
    """All withheld and no total forbidden, yet 97 lay from 97 to 99: 80 of 80 cannot be raised."""
    table = proportions([97, 80, 80, 80], [100, 80, 80, 80])
    asked = Asked(8)
    shown = suppress(table, asked)
    assert shown["withheld"].tolist() == ["small", "", "", ""]
    assert any(note.startswith("Do not publish the totals of 'observed'") for note in shown.attrs["notes"])
    assert Attack(table, shown, asked).range_of(0, "observed") == (93, 99)


def test_the_corners_of_a_proportion_have_room_on_both_sides():
    table = proportions([97, 60, 60, 60], [100, 80, 80, 80])
    asked = Asked(8)
    shown = suppress(table, asked)
    assert shown["withheld"].tolist() == ["small", "beside", "beside", "beside"]
    assert shown["observed_lower"].tolist() == [93, 8, 8, 8]
    assert shown["observed_upper"].tolist() == [99, np.inf, np.inf, np.inf]
    attack = Attack(table, shown, asked)
    assert attack.range_of(0, "observed") == (93, 99)
    assert attack.range_of(1, "observed") == (58, 64)


def test_a_corner_of_people_can_be_one_of_events_besides():
    """Both withheld in one row, each by a rectangle of its own: the steps of both fit into those without the event."""
    table = proportions([3, 60, 60, 60], [6, 150, 150, 150])
    asked = Asked(8)
    shown = suppress(table, asked)
    assert shown["denominator"].isna().all()
    attack = Attack(table, shown, asked)
    assert attack.range_of(0, "observed") == (1, 7)
    assert attack.range_of(0, "denominator") == (1, 7)
    assert shown["denominator_lower"].tolist() == [1, 8, 8, 8]


def test_where_one_kind_of_total_is_forbidden_the_overall_one_is_too():
    table = pd.DataFrame(
        {"trust": ["T0", "T0", "T1", "T1"], "department": ["D0", "D1"] * 2, "observed": [3, 0, 50, 60]}
    )
    shown = bs.suppress(table, below=8, totals=("trust",))
    assert (
        "Do not publish the overall total of 'observed', which would give a small count back."
        in shown.attrs["notes"]
    )


# ------------------------------------------------------------------------------------------------------------------
# Row by row: every row that could stand behind a published one


def readings(asked: Asked, most: int = 70) -> pd.DataFrame:
    """Every number of events among every number of people, with what is published of it."""
    people, events = np.meshgrid(np.arange(1, most + 1), np.arange(most + 1), indexing="ij")
    possible = events <= people
    table = pd.DataFrame({"denominator": people[possible], "observed": events[possible]})
    table["trust"] = [f"T{row:05d}" for row in range(len(table))]  # in the order of the rows
    table["department"] = "D"
    shown = suppress(table, asked)
    columns = [name for name in shown if name not in ("trust", "department")]
    told = shown[columns].fillna(-1.0).astype(str).agg("|".join, axis=1)
    return table.assign(told=told, hidden=shown["observed"].isna(), shown_people=shown["denominator"])


@pytest.mark.parametrize("round_to", [None, 5, 10])
@pytest.mark.parametrize("zeros", ["shown", "withheld"])
@pytest.mark.parametrize("below", [3, 8])
def test_whoever_knows_the_rules_cannot_tell_the_readings_of_a_row_apart(below, zeros, round_to):
    asked = Asked(below, round_to, zeros, NOBODY_KNOWS)
    least, most = asked.least, asked.most
    table = readings(asked)
    same = table.groupby("told")
    for _, group in same:
        if group["denominator"].max() + 10 > 70:
            continue  # at the edge of what was written down
        people, told = set(group["denominator"]), not group["shown_people"].isna().all()
        if told:
            low, high = rounding_range(group["shown_people"].to_numpy()[:1], round_to)
            rounded = set(range(max(int(low[0]), below), int(high[0]) + 1))
        if not group["hidden"].all():
            # 10 of 10 by fives, and no small number without the event where zeros are withheld: 11 or 12 people.
            assert not told or len(people) >= min(2, len(rounded))
            continue
        assert people >= (rounded if told else set(range(max(least, 1), most + 1)))
        for n, events in group.groupby("denominator")["observed"]:
            few = set(range(least, min(most, n) + 1))
            nearly_all = set(range(max(n - most, 0), n - least + 1))
            wanted = (
                (few | nearly_all) if told and n <= 2 * most else few if events.min() <= most else nearly_all
            )
            assert set(events) >= wanted, (n, sorted(events))


def test_digits_of_expected_events_do_not_tell_the_people_that_they_were_multiplied_by():
    rng = np.random.default_rng(3)
    n = rng.integers(40, 400, 2_000)
    for decimals in (0, 1, 2):
        expected = np.maximum((0.2 * n * rng.uniform(0.5, 1.5, len(n))).round(decimals), 1.0)
        table = pd.DataFrame(
            {
                "trust": np.arange(len(n)).astype(str),
                "observed": n // 3,
                "denominator": n,
                "expected": expected,
            }
        )
        shown = bs.suppress(table, round_to=5, totals=NOBODY_KNOWS)
        candidates = np.zeros(len(n), dtype=int)
        for step in range(-2, 3):
            guess = shown["denominator"] + step
            back = shown["expected"] * guess / shown["denominator"]
            sources = [back.round(decimals) + 10.0**-decimals * shift for shift in (-1, 0, 1)]
            again = [(source * shown["denominator"] / guess).round(decimals) for source in sources]
            candidates += np.any([np.isclose(each, shown["expected"]) for each in again], axis=0)
        assert candidates.min() >= 3, decimals


# ------------------------------------------------------------------------------------------------------------------
# What came withheld, and what was published before


def test_bounds_that_came_with_the_data_do_not_tell_the_people_that_are_rounded():
    table = proportions([np.nan, 60, 60, 60], [103, 120, 130, 140]).assign(
        observed_lower=[96, 60, 60, 60], observed_upper=[102, 60, 60, 60]
    )
    shown = bs.suppress(table, below=8, round_to=5)
    assert shown["withheld"].tolist() == ["given", "", "", ""]
    assert (shown["observed_lower"].iloc[0], shown["observed_upper"].iloc[0]) == (8, np.inf)
    assert shown["denominator"].iloc[0] == 105
    fitted = bs.suppress(table, below=8)  # people as they are: the bounds may stay
    assert (fitted["observed_lower"].iloc[0], fitted["observed_upper"].iloc[0]) == (96, 102)


def test_exact_bounds_of_shown_counts_do_not_undo_their_rounding():
    table = proportions([41, 62, 63, 64], 200).assign(
        observed_lower=[41, 62, 63, 64], observed_upper=[41, 62, 63, 64]
    )
    shown = bs.suppress(table, round_to=5)
    assert not {41, 62, 63, 64} & set(shown.select_dtypes("number").to_numpy().ravel())


def test_a_second_release_under_other_rules_is_refused_where_the_first_is_seen():
    table = proportions([3, 60, 60, 60], 200)
    shown = bs.suppress(table, below=8)
    with pytest.raises(
        bs.SettingsError, match=r"suppressed already, with below=8: start from the exact table"
    ):
        bs.suppress(shown, below=11)
    assert any("under one set of rules only" in note for note in shown.attrs["notes"])


def test_two_releases_can_be_solved_which_is_why_it_is_said():
    """5 is bounded by 1 to 7 in one release and 1 to 10 in the other, and yet the two together give it back."""
    table = pd.DataFrame(
        {
            "trust": np.repeat(["T0", "T1", "T2"], 3), "department": ["D0", "D1", "D2"] * 3,
            "observed": [5, 16, 40, 17, 18, 50, 41, 51, 60],
        }
    )  # fmt: skip
    first, second = bs.suppress(table, below=8), bs.suppress(table, below=11)
    both = first.assign(observed=first["observed"].fillna(second["observed"]))
    for bound, better in (("observed_lower", np.maximum), ("observed_upper", np.minimum)):
        both[bound] = better(first[bound], second[bound])
    both.attrs = first.attrs
    assert Attack(table, first, Asked(8)).range_of(0, "observed") == (1, 7)
    assert Attack(table, second, Asked(11)).range_of(0, "observed") == (1, 10)
    low, high = Attack(table, both, Asked(8)).range_of(0, "observed")
    assert low == high == 5


# ------------------------------------------------------------------------------------------------------------------
# The order of rows


@pytest.mark.parametrize("by", ["observed", "rate"])
def test_the_order_of_rows_does_not_tell_what_stands_between_its_neighbours(by):
    rng = np.random.default_rng(2)
    table = random_table(rng, "counts").assign(expected=lambda frame: frame["observed"] + 2.5)
    table["rate"] = table["observed"] / table["expected"]
    came = table.sort_values(by, ascending=False, ignore_index=True)
    shown = bs.suppress(came, below=8, totals=NOBODY_KNOWS)
    labels = shown[["trust", "department"]]
    pd.testing.assert_frame_equal(labels, labels.sort_values(["trust", "department"]))
    assert any("Rows are put in the order of their labels" in note for note in shown.attrs["notes"])
    assert shown.index.tolist() == list(range(len(shown)))  # not the rank of each count
    shuffled = table.sample(frac=1.0, random_state=1)
    assert bs.suppress(shuffled, below=8)["trust"].tolist() == shuffled["trust"].tolist()


# ------------------------------------------------------------------------------------------------------------------
# Published files, as if they were exact tables that somebody is about to publish


def relabelled(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Trusts called T…, departments D…, as the attacker reads them in notes."""
    return table[["period", *columns]].assign(
        trust="T" + pd.Series(pd.factorize(table["trust"])[0]).astype(str).to_numpy(),
        department="D" + pd.Series(pd.factorize(table["department"])[0]).astype(str).to_numpy(),
    )


def real_table(name: str, folder) -> pd.DataFrame:
    if name == "mortality":
        table = bs.read_ny_iqi(folder / "ny_iqi_2009_2014.csv")
        table = table[table["period"] == table["period"].max()]
        return relabelled(table, ["observed", "denominator"]).reset_index(drop=True)
    table = pd.read_csv(folder / "nhs_ae_attendances_2016_2019.csv")
    table = table[table["period"] == table["period"].iloc[0]].rename(
        columns={
            "org_code": "trust",
            "type": "department",
            "breaches": "observed",
            "attendances": "denominator",
        }
    )
    return relabelled(table, ["observed", "denominator"]).reset_index(drop=True)


@pytest.mark.real
@pytest.mark.parametrize("asked", [Asked(8, 5), Asked(11)], ids=["NHS", "CMS"])
@pytest.mark.parametrize("name", ["mortality", "waits"])
def test_nothing_comes_back_from_a_published_table_either(name, asked, real_data):
    table = real_table(name, real_data)
    shown = suppress(table, asked)
    attack = Attack(table, shown, asked)
    wanted = promises(table, shown, asked)
    assert len(wanted) > 50
    rng = np.random.default_rng(1)
    for position in rng.choice(len(wanted), 25, replace=False):
        row, what, least, most = wanted[position]
        low, high = attack.range_of(row, what)
        wide = high - low >= most if np.isnan(least) else low <= least and most <= high
        assert wide, (row, what, low, high)
