"""The list: what it counts, what it crosses, whom it points to."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import brightspots as bs
from brightspots import DataError, SettingsError, SpotRule
from brightspots.common.vocabulary import RATING_STATUSES, READINGS, STATUSES
from brightspots.fit import spots_text
from brightspots.statistics.contrasts import own_contrast
from tests.conftest import simulate_frame


@pytest.fixture(scope="module")
def fit() -> bs.HierarchyFit:
    return bs.fit_hierarchy(simulate_frame(25, 8, sd_department=0.3), seed=1)


@pytest.fixture(scope="module")
def spots(fit) -> bs.Spots:
    return fit.find_spots()


def test_every_department_has_one_of_the_four_statuses(spots):
    table, status = spots.table, spots.table["status"]
    assert list(spots.summary().index) == list(STATUSES)
    assert spots.summary()["departments"].to_dict() == {each: sum(status == each) for each in STATUSES}
    assert spots.summary()["departments"].sum() == len(table)
    bright, dark = status == "bright spot", status == "dark spot"
    assert min(bright.sum(), dark.sum()) > 3
    # More events are worse: dark lies above the other departments of its trust, bright below.
    np.testing.assert_array_equal(table.loc[dark, "probability"], table.loc[dark, "p_own_high"])
    np.testing.assert_array_equal(table.loc[bright, "probability"], table.loc[bright, "p_own_low"])
    assert (table.loc[dark, "own_ratio"] > spots.rule.margin).all()
    assert (table.loc[bright, "own_ratio"] < 1 / spots.rule.margin).all()


def test_expected_false_flags_are_the_sum_over_the_list_and_keep_the_rate(spots):
    flagged = spots.table[spots.table["status"].isin(["bright spot", "dark spot"])]
    expected = (1 - flagged["probability"]).sum()
    assert spots.expected_false_flags == pytest.approx(expected)
    assert spots.summary()["expected_false"].sum() == pytest.approx(expected)
    assert expected / len(flagged) <= spots.rule.fdr
    assert f"{expected:.1f} of the flags are expected to be false" in repr(spots)


def test_a_stricter_rule_flags_no_more(fit):
    def flags(**options) -> int:
        spots = fit.find_spots(SpotRule(**options))
        return len(spots.bright) + len(spots.dark)

    assert 0 < flags(margin=1.5) < flags(margin=1.2) < flags(margin=1.0)
    assert 0 < flags(fdr=0.025) < flags(fdr=0.05) < flags(fdr=0.1)
    # To lie beyond both is less probable than to lie beyond one, cell by cell: the list is shorter than either.
    assert 0 < flags(reference="both") < min(flags(reference="peers"), flags(reference="organisation"))


def test_the_rating_column_of_the_data_is_used_and_crossed(spots):
    table = spots.table
    strong = table["rating"].isin(["Good", "Outstanding"])
    against = {
        "dark in strong": strong & (table["status"] == "dark spot"),
        "bright in weak": ~strong & (table["status"] == "bright spot"),
    }
    assert set(RATING_STATUSES) == {*against, "concordant", "not rated"}
    for said, cells in against.items():
        assert cells.sum() > 3
        np.testing.assert_array_equal(table["rating_status"] == said, cells)
    assert (table["rating_status"] == "concordant").sum() == len(table) - sum(map(sum, against.values()))
    # Three bands: nothing is two bands away from the one in the middle.
    middle = table["rating"] == "Good"
    assert (table.loc[middle, "p_two_bands"] == 0).all()
    assert table.loc[~middle, "p_two_bands"].max() > 0.5
    assert (table["p_two_bands"] <= table["p_other_band"]).all()
    assert (table.loc[middle, "p_other_band"] > 0).all()


def test_a_mapping_may_rate_some_trusts_only(fit):
    rated = fit.find_spots(rating={"T000": 1, "T001": 2, "T002": 3})
    assert rated.table["rating_status"].eq("not rated").sum() == 22 * 8
    assert rated.table.loc[rated.table["trust"] == "T003", "p_other_band"].isna().all()


def test_without_ratings_nothing_is_rated():
    bare = bs.fit_hierarchy(simulate_frame(6, 4).drop(columns="rating"), seed=1).find_spots()
    assert set(bare.table["rating_status"]) == {"not rated"}
    assert bare.table["rating"].isna().all()
    with pytest.raises(SettingsError, match="no rating was given"):
        bare.rating_explains()


def test_a_rating_that_varies_within_a_trust_is_refused():
    frame = simulate_frame(6, 4)
    frame.loc[0, "rating"] = "Inadequate"
    with pytest.raises(DataError, match="more than one rating") as error:
        bs.fit_hierarchy(frame, seed=1).find_spots()
    assert error.value.rows == ("trust T000",)


def test_a_rating_column_that_is_not_there_is_refused(fit):
    with pytest.raises(DataError, match="'stars'"):
        fit.find_spots(rating="stars")


def test_rating_explains_shares_and_reversals(spots):
    explained = spots.rating_explains()
    assert list(explained.index) == ["trust", "trust_and_department"]
    assert explained.loc["trust", "share"] > explained.loc["trust_and_department", "share"] > 0
    assert 0 < explained.attrs["p_reversed"][0] < 0.5


def test_a_rating_built_from_the_outcome_is_said(fit):
    assert "not independent" in repr(fit.find_spots(rating_uses_outcome=True))
    assert "not independent" not in repr(fit.find_spots())


def test_learning_pairs_join_dark_with_better_ones_of_the_same_type_elsewhere(spots):
    pairs = spots.learning_pairs(k=2)
    dark = set(zip(spots.dark["trust"], spots.dark["department"], strict=True))
    assert (pairs["partner_peer_ratio"] < 1).all()
    assert (pairs["partner_peer_ratio"] < pairs["peer_ratio"] / 1.1).all()
    assert set(zip(pairs["trust"], pairs["department"], strict=True)) <= dark
    assert (pairs["trust"] != pairs["partner_trust"]).all()
    assert pairs.groupby(["trust", "department"]).size().max() == 2
    paired = set(zip(pairs["trust"], pairs["department"], strict=True))
    assert paired | set(pairs.attrs["without_partner"]) == dark
    assert pairs["p_truly_better"].between(0.5, 1, inclusive="right").all()


def test_partners_are_the_nearest_in_size(spots):
    row = spots.learning_pairs(k=1).iloc[0]
    table = spots.table
    same = table[
        (table["department"] == row["department"])
        & (table["trust"] != row["trust"])
        & (table["peer_ratio"] < min(1.0, row["peer_ratio"] / 1.1))
    ]
    nearest = (np.log(same["expected"]) - np.log(row["size"])).abs().idxmin()
    assert same.loc[nearest, "trust"] == row["partner_trust"]


@pytest.mark.parametrize("k", [0, -1, 1.5, True])
def test_k_must_be_a_positive_whole_number(spots, k):
    with pytest.raises(SettingsError, match="k must"):
        spots.learning_pairs(k=k)


def test_both_positions_of_a_department_and_what_they_mean(spots):
    table, counts = spots.table, spots.readings()
    assert list(counts.index) == list(counts.columns) == list(STATUSES)
    assert (counts.index.name, counts.columns.name) == ("own_status", "peer_status")
    for own in STATUSES:
        for peer in STATUSES:
            both = (table["own_status"] == own) & (table["peer_status"] == peer)
            assert counts.loc[own, peer] == both.sum()
            assert set(table.loc[both, "reading"]) <= {READINGS[own, peer]}
    flagged = ["bright spot", "dark spot"]
    of_status = table["status"].isin(flagged)
    assert (table.loc[of_status, "status"] == table.loc[of_status, "own_status"]).all()
    dark, bright = (table["peer_status"] == each for each in ("dark spot", "bright spot"))
    assert min(dark.sum(), bright.sum()) > 3
    probability = pd.concat([table.loc[dark, "p_peer_high"], table.loc[bright, "p_peer_low"]])
    assert (probability >= 0.8).all()
    assert (1 - probability).mean() <= 0.05
    assert table.loc[of_status, "reading"].iloc[0] in repr(spots)


def test_no_row_is_thin_whose_interval_does_not_hold_both_margins(fit):
    for reference in ("organisation", "peers", "both"):
        table = fit.find_spots(SpotRule(reference=reference)).table
        thin = table[table["why"] == "thin"]
        assert len(thin) > 3
        of = [
            (thin[f"{of}_ratio_lower"] <= 1 / 1.1) & (thin[f"{of}_ratio_upper"] >= 1.1)
            for of in ("own", "peer")
        ]
        assert (of[0] if reference != "peers" else of[0] | of[1]).all()


def test_a_share_flags_the_most_extreme(fit):
    spots = fit.find_spots(SpotRule(share=0.1))
    flagged = len(spots.bright) + len(spots.dark)
    assert 0 < flagged <= 0.1 * len(spots.table) * 1.5
    assert "the most extreme 10% of effects" in repr(spots)
    assert spots.margin == 1.1
    widest = spots.table["own_ratio"].map(lambda ratio: abs(np.log(ratio)))
    assert widest[spots.table["status"] == "dark spot"].min() > widest.median()


def test_a_margin_that_flags_a_third_is_called_small(fit, spots):
    few = fit.find_spots(SpotRule(margin=1.5))
    assert few.wide_spread is None
    assert "ordinary spread" not in repr(few)
    many = spots
    shared = (len(many.bright) + len(many.dark)) / len(many.table)
    assert shared > 0.3
    assert many.wide_spread.flagged == pytest.approx(shared)
    effects = np.abs(own_effects(many))
    expected = np.exp(np.quantile(effects, 0.9, axis=0).mean())
    assert many.wide_spread.extreme == pytest.approx(expected)
    assert f"A tenth of them differ by more than {expected:.3g}" in repr(many)
    assert fit.find_spots(SpotRule(share=0.5, min_probability=0.0, fdr=0.5)).wide_spread is None


def own_effects(spots: bs.Spots) -> np.ndarray:
    """Draws of log own ratio, (C, S)."""
    blocks = spots.effects.blocks()
    return np.concatenate([own_contrast(spots.effects.cells, block) for block in blocks])


def test_a_notebook_shows_a_bounded_slice(fit, monkeypatch):
    monkeypatch.setattr(spots_text, "SHOWN_ON_A_PAGE", 5)
    spots = fit.find_spots(SpotRule(margin=1.0))
    html = spots.to_html()
    hidden = len(spots.bright) + len(spots.dark) - 5
    assert html.count("<tr") == 6
    assert f"and {hidden:,} more" in html


def test_a_rule_must_be_a_rule(fit):
    with pytest.raises(SettingsError, match="SpotRule"):
        fit.find_spots({"margin": 1.2})


def test_the_text_is_a_bounded_slice_that_says_what_it_hides(spots):
    flagged = len(spots.bright) + len(spots.dark)
    assert flagged > 10
    assert f"and {flagged - 10:,} more" in repr(spots)
    assert "not reassurance" in repr(spots)


def test_the_table_keeps_the_order_of_the_data(fit):
    frame = simulate_frame(25, 8, sd_department=0.3)
    pd.testing.assert_frame_equal(
        fit.find_spots().table[["trust", "department"]], frame[["trust", "department"]]
    )


@pytest.mark.parametrize(
    ("reference", "said", "ratios"),
    [
        ("organisation", "against their own trust, margin", ["own ratio"]),
        ("peers", "against the same department elsewhere, margin", ["peer ratio"]),
        (
            "both",
            "against their own trust and the same department elsewhere, margin",
            ["own ratio", "peer ratio"],
        ),
    ],
)
def test_the_list_says_against_what_and_shows_the_ratios_that_were_judged(fit, reference, said, ratios):
    spots = fit.find_spots(SpotRule(reference=reference))
    false = f"{spots.expected_false_flags:.1f} of the flags are expected to be false"
    for shown in (repr(spots), spots.to_html()):
        assert said in shown
        assert false in shown
        assert [each for each in ("own ratio", "peer ratio") if each in shown] == ratios


def test_an_only_department_can_be_flagged_against_its_peers_without_an_excess():
    frame = simulate_frame(25, 8, sd_department=0.3)
    alone = (frame["trust"] == "T003") & (frame["department"] == "D02")
    frame.loc[alone, "observed"] = 10 * frame.loc[alone, "expected"].round()
    fit = bs.fit_hierarchy(frame[(frame["trust"] != "T003") | alone], seed=1)
    spots = fit.find_spots(SpotRule(reference="peers"))
    assert spots.dark["excess"].isna().sum() == 1
    assert "only department" in repr(spots)
    assert "nan" not in repr(spots)


def test_estimates_have_no_excess_to_show():
    frame = simulate_frame(25, 8, sd_department=0.3)
    frame = frame.assign(estimate=np.log(frame["observed"] + 0.5) - np.log(frame["expected"] + 0.5))
    frame["standard_error"] = frame["expected"] ** -0.5
    spots = bs.fit_hierarchy(frame, estimate="estimate", standard_error="standard_error", seed=1).find_spots()
    assert len(spots.dark) > 3
    assert "excess" not in repr(spots)
