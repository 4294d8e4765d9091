"""Ratings: whatever holds them, in whatever words, in which order, of trusts or of departments."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest

import brightspots as bs
from brightspots import DataError, SettingsError
from brightspots.statistics.ratings import Ratings, carried_over, column_ratings, rating_status, read_ratings
from tests.conftest import simulate_frame, table_of

CELLS = table_of(simulate_frame(4, 3)).cells
A, B, C, D = CELLS.trusts
ROW_CELL = np.arange(CELLS.n_cells)


def levels(values, order=None):
    return read_ratings(CELLS, values, order).levels


def series(values, dtype):
    return pd.Series(values, index=CELLS.trusts[: len(values)]).astype(dtype)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({A: 5, B: 1, C: 3}, (1, 3, 5)),
        ({A: "5", B: "1", C: "3"}, ("1", "3", "5")),
        ({A: "10", B: "9"}, ("9", "10")),
        ({A: "4.5", B: "4"}, ("4", "4.5")),
        ({A: -1.5, B: 2.0, C: np.nan}, (-1.5, 2)),
        (series([3.0, 1.0, np.nan], "float64"), (1, 3)),
        (series([3, 1, None], "Int64"), (1, 3)),
        (series([3, 1, None], "Float64"), (1, 3)),
        (series(["3", "1", None], "string"), ("1", "3")),
        (series(["2", "Not Available", "1"], "object"), ("1", "2")),
        (series(["2", "1", "2"], "category"), ("1", "2")),
        ({A: "Good", B: "Inadequate", C: "Outstanding"}, ("Inadequate", "Good", "Outstanding")),
        ({A: " good", B: "GOOD ", C: "requires improvement"}, ("Requires improvement", "Good")),
        ({A: "Good", B: "Outstanding", C: "Insufficient evidence to rate"}, ("Good", "Outstanding")),
        (series(["lo", "hi"], pd.CategoricalDtype(["lo", "hi"], ordered=True)), ("lo", "hi")),
        (pd.DataFrame({"code": [A, B], "stars": [4, 2]}), (2, 4)),
        (pd.DataFrame({"seen": 1, "rating": [4, 2], "trust": [A, B]}), (2, 4)),
        (pd.DataFrame({"trust": pd.Categorical([A, B]), "rating": [4, 2]}), (2, 4)),
        ({A: 4, B: 4.0, C: np.int64(4), D: 3}, (3, 4)),
    ],
    ids=[
        "numbers", "digits", "digits by value", "numeric text", "floats", "float column", "nullable whole numbers",
        "nullable floats", "nullable text", "publisher's word for none", "unordered categorical of digits",
        "known words", "known words in other spelling", "not yet rated", "ordered categorical", "frame of two columns",
        "frame with names", "categorical keys", "one number in several wrappings",
    ],
)  # fmt: skip
def test_the_order_of_a_scale_is_found(values, expected):
    found = levels(values)
    assert found == expected
    assert [type(level) for level in found] == [type(level) for level in expected]


@pytest.mark.parametrize(
    "values",
    [{A: "gold", B: "silver"}, {A: True, B: False}, {A: "4", B: "4.0"}, {A: "good", B: "5"}, {A: "inf", B: "1"}],
    ids=["words", "yes and no", "two words for one number", "two scales", "no finite number"],
)  # fmt: skip
def test_an_order_that_cannot_be_known_is_an_error_that_says_what_to_pass(values):
    with pytest.raises(DataError, match=r"rating_order=\[…\], worst first"):
        levels(values)


def test_a_stated_order_is_kept():
    medals = {A: "gold", B: "silver"}
    assert levels(medals, ["bronze", "silver", "gold"]) == ("silver", "gold")
    assert levels({A: 1, B: 2.0}, ["2", "1"]) == (2, 1)
    assert levels({A: "Not rated", B: "Good"}, ["Not rated", "Good"]) == ("Not rated", "Good")


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (["silver"], "does not name 'gold'"),
        (["gold", "silver", "gold"], "more than once"),
        ("gold", "a list"),
    ],
)
def test_a_stated_order_must_be_a_list_of_every_band_once(order, said):
    with pytest.raises(SettingsError, match=said):
        levels({A: "gold", B: "silver"}, order)


def test_unrated_trusts_stay_unrated():
    rated = read_ratings(CELLS, {A: 1, B: None, C: 2, "Z": 5})
    assert list(rated.trust_band) == [0, -1, 1, -1]
    assert list(rated.cell_band) == [0] * 3 + [-1] * 3 + [1] * 3 + [-1] * 3
    assert not rated.by_department
    np.testing.assert_allclose(rated.frequencies, [0.5, 0.5])


def test_a_score_with_many_values_is_refused():
    many = table_of(simulate_frame(30, 2)).cells
    with pytest.raises(DataError, match="30 different values") as error:
        read_ratings(many, dict(zip(many.trusts, range(30), strict=True)))
    assert "cut the score into bands" in str(error.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"X": 1, "Y": 2}, "none of the rated trusts"),
        ({(A, "X"): 1}, "none of the rated departments"),
        (pd.DataFrame({"trust": [A, A], "rating": [1, 2]}), "a trust has more than one rating"),
        (pd.DataFrame({"trust": [A, A], "department": "D00", "rating": [1, 2]}), "a department has more than one"),
        (pd.DataFrame({"a": [A], "b": [1], "c": [2]}), "has 3 columns"),
        (pd.Series([1], index=pd.MultiIndex.from_tuples([(A, "D00", 2021)])), "3 keys"),
    ],
)  # fmt: skip
def test_what_cannot_be_matched_is_an_error(values, said):
    with pytest.raises(DataError, match=said):
        levels(values)


def test_a_list_is_no_rating():
    with pytest.raises(SettingsError, match="received list"):
        levels([1, 2, 3, 4])


MEDALS = ["none", "bronze", "silver", "gold"]


def ordered(words, categories):
    return series(words, pd.CategoricalDtype(categories, ordered=True))


@pytest.mark.parametrize(
    ("values", "order", "strong"),
    [
        (["Good"] * 4, None, {"Good"}),
        (["Inadequate", "Requires improvement"] * 2, None, set()),
        (["Outstanding", "Good", "Requires improvement", "Inadequate"], None, {"Good", "Outstanding"}),
        (["GOOD", " outstanding ", "good", "requires  improvement"], None, {"Good", "Outstanding"}),
        (["Good", "Outstanding"], ["Good", "Outstanding"], {"Good", "Outstanding"}),
        (ordered(["Good", "Outstanding"], ["Good", "Outstanding"]), None, {"Good", "Outstanding"}),
        ([1, 1, 2, 3], None, set()),
        ([4, 4, 4, 4], None, {4}),
        ([3.0, 4.0, 5.0, np.nan], None, {4, 5}),
        (["3", "4", "5"], None, {"4", "5"}),
        (["3.0", "4.0"], None, {"4.0"}),
        (["3 stars", "4 Stars", "1 star", "5-star"], None, {"4 Stars", "5-star"}),
        (ordered([3, 4, 4], [3, 4, 5]), None, {4}),
        (["bronze", "silver"], MEDALS, {"silver"}),
        (["Silver ", "GOLD"], MEDALS, {"Silver", "GOLD"}),
        (["none", "bronze"], MEDALS, set()),
        (ordered(["gold", "gold"], MEDALS), None, {"gold"}),
        (ordered(["bronze", "silver"], ["not rated", *MEDALS]), None, {"silver"}),
        (["low", "middle", "high"], ["low", "middle", "high"], {"high"}),
        ([5, 4, 3, 2], [5, 4, 3, 2, 1], {2}),
        ([1, 2, 3, 4], [1, 2, 3, 4], {3, 4}),
        (["C", "A"], ["E", "D", "C", "B", "A"], {"A"}),
    ],
    ids=[
        "all are Good", "none is", "all four words", "spelling", "two of the words, in order", "as categories",
        "few stars", "many stars", "stars as floats", "as text", "as text of floats", "in words", "as categories too",
        "a stated order", "spelt otherwise", "only the lower half in use", "only the highest category in use",
        "with a category for none", "the middle of three", "one is best", "numbers of a stated order", "five bands",
    ],
)  # fmt: skip
def test_what_counts_as_strong_is_a_matter_of_the_scale_not_of_who_is_rated(values, order, strong):
    if isinstance(values, list):
        values = dict(zip(CELLS.trusts, values, strict=False))
    rated = read_ratings(CELLS, values, order)
    assert {level for level, is_strong in zip(rated.levels, rated.strong, strict=True) if is_strong} == strong
    # Whoever else is rated, or is not.
    for level, is_strong in zip(rated.levels, rated.strong, strict=True):
        trust = CELLS.trusts[int(np.flatnonzero(rated.trust_band == rated.levels.index(level))[0])]
        one = values[trust]
        alone = pd.Series([one], index=[trust])
        if isinstance(values, pd.Series):
            alone = alone.astype(values.dtype)
        assert list(read_ratings(CELLS, alone, order).strong) == [is_strong]


@pytest.mark.parametrize(
    ("values", "order", "strong_from", "strong"),
    [
        (["Good", "Outstanding"], None, "Outstanding", {"Outstanding"}),
        (["Good", "Requires improvement"], None, "OUTSTANDING", set()),
        ([2, 3, 4], None, 3, {3, 4}),
        ([2, 3, 4], None, "3 stars", {3, 4}),
        ([6, 7, 9], None, 7, {7, 9}),
        ([6, 7, 9], None, 8, {9}),
        (["6.5", "7"], None, "6.5", {"6.5", "7"}),
        (["bronze", "silver", "gold"], MEDALS, "Gold", {"gold"}),
        (["bronze"], MEDALS, "none", {"bronze"}),
        (["accredited"], None, "accredited", {"accredited"}),
    ],
)
def test_the_lowest_strong_band_can_be_said(values, order, strong_from, strong):
    rated = read_ratings(CELLS, dict(zip(CELLS.trusts, values, strict=False)), order, strong_from)
    assert {level for level, is_strong in zip(rated.levels, rated.strong, strict=True) if is_strong} == strong
    assert rated.strong_rule.endswith("or better, as was stated")


@pytest.mark.parametrize(
    ("values", "order", "strong_from", "said"),
    [
        (["bronze", "silver"], MEDALS, "platinum", "'none', 'bronze', 'silver', 'gold'; received 'platinum'"),
        (["bronze", "silver"], MEDALS, 4, "'none', 'bronze', 'silver', 'gold'; received 4"),
        (
            ["Good"],
            None,
            "Fine",
            "'Inadequate', 'Requires improvement', 'Good', 'Outstanding'; received 'Fine'",
        ),
        ([6, 7], None, "Good", "6, 7; received 'Good'"),
        (["accredited"], None, 4, "'accredited'; received 4"),
    ],
)
def test_the_lowest_strong_band_must_be_one(values, order, strong_from, said):
    with pytest.raises(SettingsError, match=f"strong_from must be one of the bands {said}"):
        read_ratings(CELLS, dict(zip(CELLS.trusts, values, strict=False)), order, strong_from)


@pytest.mark.parametrize(
    ("values", "order"),
    [
        (["accredited"] * 4, None),
        (["accredited"] * 4, ["accredited"]),
        (ordered(["accredited"] * 4, ["accredited"]), None),
        ([7, 7, 7, 7], None),
        ([6, 7, 8, 9], None),
        ([2, 4.5], None),
        ([0, 1, 2, 3], None),
    ],
    ids=["one word", "one stated", "one category", "one number", "numbers", "halves", "from zero"],
)
def test_of_a_scale_whose_ends_are_not_known_nothing_is_said(values, order):
    if isinstance(values, list):
        values = dict(zip(CELLS.trusts, values, strict=False))
    rated = read_ratings(CELLS, values, order)
    assert rated.strong is None
    assert rated.strong_rule == ""
    status = np.array(["dark spot", "bright spot", "in line"] * 4)
    assert set(rating_status(status, rated)) == {"not rated"}


def test_the_rule_is_said_in_words():
    def rule(*arguments):
        return read_ratings(CELLS, *arguments).strong_rule

    assert rule({A: "Inadequate"}) == "Good or better, on the Care Quality Commission's scale"
    assert rule({A: 2}) == "4 or more, on a scale of one to five stars"
    assert rule({A: "gold"}, MEDALS) == "silver or better, the upper half of the 4 bands of this rating"
    assert rule({A: "gold"}, MEDALS, "gold") == "gold or better, as was stated"


@pytest.mark.parametrize(
    "values",
    [
        {A: None, B: np.nan},
        {A: None, "Z": "Good"},
        {A: "Not rated", B: " n/a "},
        {},
        pd.DataFrame({"trust": [A, B], "rating": ["", "-"]}),
        pd.DataFrame({"trust": [A], "department": ["D00"], "rating": [None]}),
        series([None, None], "string"),
    ],
    ids=["missing", "of the data", "words for none", "nobody", "frame", "departments", "text"],
)
def test_a_rating_that_rates_nobody_is_no_rating(values):
    assert read_ratings(CELLS, values) is None


@pytest.mark.parametrize(
    "blank", [None, np.nan, "", "Not rated", pd.NA, pd.Categorical([None] * 24, ["Good"])]
)
def test_a_column_in_which_nobody_is_rated_is_as_if_there_were_none(blank):
    frame = simulate_frame(6, 4).drop(columns="rating")
    fit = bs.fit_hierarchy(frame.assign(rating=blank), seed=1)
    bare = bs.fit_hierarchy(frame, seed=1).find_spots().table
    for spots in (fit.find_spots(), fit.find_spots(rating="rating")):
        assert spots.ratings is None
        pd.testing.assert_frame_equal(spots.table, bare)
        assert spots.table.attrs["rating_status"].startswith("Nobody in the data has a rating")
        assert "Nobody in the data has a rating" in repr(spots)
        with pytest.raises(SettingsError, match="Nobody in the data has a rating"):
            spots.rating_explains()
        with pytest.raises(SettingsError, match="Nobody in the data has a rating"):
            fit.plot_rating(spots=spots)
    assert "Hierarchy of 6 trusts" in repr(fit)


def test_a_rating_whose_order_is_not_known_stops_only_what_needs_it():
    frame = simulate_frame(6, 4)
    fit = bs.fit_hierarchy(frame.assign(rating=np.where(frame["trust"] < "T003", "gold", "silver")), seed=1)
    assert "bright spots" in repr(fit)
    fit.plot_funnel("T000")
    fit.plot_caterpillar("T000")
    assert fit.find_spots(rating={}).ratings is None
    with pytest.raises(DataError, match="order of the ratings cannot be known"):
        fit.find_spots()


def test_ratings_are_carried_over_to_what_is_left():
    values = dict(zip(CELLS.trusts, ["Good", "Inadequate", None, "Requires improvement"], strict=True))
    rated = read_ratings(CELLS, values)
    left = CELLS.only(np.arange(6, 12))
    carried = carried_over(rated, CELLS, left)
    assert carried.levels == ("Requires improvement",)
    assert list(carried.trust_band) == [-1, 0]
    assert list(carried.cell_band) == [-1] * 3 + [0] * 3
    assert list(carried.strong) == [False]
    assert carried_over(rated, CELLS, CELLS.only(np.arange(6, 9))) is None
    own = read_ratings(CELLS, DEPARTMENT_RATINGS)
    assert list(carried_over(own, CELLS, CELLS.only(np.arange(1, 12))).cell_band) == [
        0,
        *[-1] * 6,
        1,
        *[-1] * 3,
    ]


def test_the_four_cells_of_status_against_rating():
    strong = np.array([False, True])
    rated = Ratings((1, 2), np.array([0, 0, 1, 1, 1, -1]), np.array([0, 1, 1, -1]), strong)
    status = np.array(["dark spot", "bright spot", "dark spot", "bright spot", "in line", "dark spot"])
    assert list(rating_status(status, rated)) == [
        "concordant", "bright in weak", "dark in strong", "concordant", "concordant", "not rated",
    ]  # fmt: skip


DEPARTMENT_RATINGS = {(A, "D00"): "Good", (A, "D01"): "Inadequate", (C, "D02"): "Good"}


@pytest.mark.parametrize(
    "values",
    [
        DEPARTMENT_RATINGS,
        pd.Series(DEPARTMENT_RATINGS),
        pd.DataFrame(
            [(trust, department, word) for (trust, department), word in DEPARTMENT_RATINGS.items()],
            columns=["trust", "department", "rating"],
        ),
    ],
    ids=["mapping", "series", "frame"],
)
def test_departments_may_have_ratings_of_their_own(values):
    rated = read_ratings(CELLS, values)
    assert rated.by_department
    # Where a department has none, none is made up from its trust's other departments.
    assert list(rated.cell_band) == [1, 0, -1, -1, -1, -1, -1, -1, 1, -1, -1, -1]
    np.testing.assert_allclose(rated.frequencies, [1 / 3, 2 / 3])


def test_a_column_that_differs_within_most_trusts_rates_departments():
    words = pd.Series(["Good", "Inadequate", None] * 3 + ["Good", "Good", "Good"], name="grade")
    rated = column_ratings(CELLS, ROW_CELL, words)
    assert rated.by_department
    assert list(rated.cell_band) == [1, 0, -1] * 3 + [1, 1, 1]


def test_a_column_that_is_the_same_within_trusts_rates_trusts():
    rated = column_ratings(CELLS, ROW_CELL, pd.Series([3.0, np.nan, 3.0] * 2 + [1.0] * 6))
    assert list(rated.trust_band) == [1, 1, 0, 0]


def test_a_column_that_differs_within_a_few_trusts_is_taken_for_a_slip():
    words = pd.Series(["Good", "Good", "Inadequate"] + ["Good"] * 9, name="grade")
    with pytest.raises(DataError, match="more than one rating") as error:
        column_ratings(CELLS, ROW_CELL, words)
    assert error.value.rows == (f"trust {A}",)
    assert "trust, department, rating" in str(error.value)


def test_a_department_with_two_ratings_is_an_error():
    twice = np.repeat(ROW_CELL, 2)
    stars = pd.Series(np.arange(len(twice)) % 4 + 1)
    with pytest.raises(DataError, match="more than one rating"):
        column_ratings(CELLS, twice, stars)


def test_an_ordered_column_keeps_its_order_whatever_the_table():
    frame = simulate_frame(6, 3).drop(columns="rating")
    words = pd.Categorical(["poor", "fair", "fine"] * 6, categories=["poor", "fair", "fine"], ordered=True)
    by_department = frame.assign(grade=words)
    by_trust = frame.assign(grade=np.repeat(words[:3], 6))
    for given in (by_trust, pl.from_pandas(by_trust.assign(grade=[1, 2, 3] * 6))):
        assert len(bs.fit_hierarchy(given, seed=1).find_spots(rating="grade").ratings.levels) == 3
    assert bs.fit_hierarchy(by_trust, seed=1).find_spots(rating="grade").ratings.levels == tuple(words[:3])
    own = bs.fit_hierarchy(by_department, seed=1).find_spots(rating="grade")
    assert own.ratings.by_department
    assert list(own.table["rating"]) == list(words)


def test_the_error_names_the_column_that_was_asked_for():
    frame = simulate_frame(6, 4)
    frame["grade"] = "silver"
    frame.loc[frame["trust"] == "T000", "grade"] = "gold"
    with pytest.raises(DataError, match=re.escape("rating_order=[…]")):
        bs.fit_hierarchy(frame, seed=1).find_spots(rating="grade")
