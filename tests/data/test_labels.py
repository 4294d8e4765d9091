"""Spellings of one label are told from labels of their own."""

from __future__ import annotations

import pytest

from brightspots.common.vocabulary import TOTAL_WORDS, TRUST_TOTAL_WORDS
from brightspots.data import labels


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("North", "North"),
        ("North ", "North"),
        ("  North\t\nSite ", "North Site"),
        ("North\u00a0Site", "North Site"),  # no-break blank
        ("North\u2009Site\u3000", "North Site"),  # thin and ideographic blanks
        ("Nor\u200bth", "North"),  # no width
        ("\ufeffNorth", "North"),  # byte order mark
        ("North\x00", "North"),
        ("Nor\u00adth", "North"),  # soft hyphen
        ("Ｎｏｒｔｈ", "North"),  # full width
        ("Cafe\u0301", "Café"),  # two characters made one
        ("ﬁrst", "first"),
        ("Ward 1²", "Ward 1²"),  # not ward 12
        ("½ day", "½ day"),
        ("病院\u3000東", "病院 東"),
        ("\ud800North", "North"),  # half a character
        ("", ""),
        ("\u200b", ""),
    ],
)
def test_what_is_kept_of_a_label(typed, kept):
    assert labels.tidy_label(typed) == kept
    assert labels.tidy_label(kept) == kept


@pytest.mark.parametrize(
    "typed", ["NORTH SITE", "north site", " North  Site", "North\u00a0Site", "Ｎorth Site"]
)
def test_spellings_have_one_canonical_form(typed):
    assert labels.canonical_label(typed) == "north site"


def test_small_and_capital_letters_of_other_languages_are_one():
    assert labels.canonical_label("STRASSE") == labels.canonical_label("straße")
    assert labels.canonical_label("ΠΟΛΙΣ") == labels.canonical_label("πολις")


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("A\x00", True),
        ("A\x1b[0m", True),
        ("A\x92s", True),
        ("\ud800", True),
        ("A\tB\n", False),
        ("Ä\u200b", False),
    ],
)
def test_control_characters(typed, found):
    assert labels.has_control(typed) is found


def test_twins_are_grouped_in_the_order_of_text():
    given = ["south", "North ", "North", "NORTH", "South", "West", 1, 1.0]
    assert labels.twins(given) == [("NORTH", "North", "North "), ("South", "south")]


def test_joined_labels_have_the_spelling_of_most_rows():
    assert labels.joined({"North ": 5, "NORTH": 4, "North": 1}) == dict.fromkeys(
        ["North ", "NORTH", "North"], "North"
    )
    assert labels.joined({"b": 2, "B": 2}) == {"b": "B", "B": "B"}  # a tie: the first in the order of text
    assert labels.joined({" alone ": 1}) == {" alone ": "alone"}


def test_totals_read_like_one_whatever_stands_about_them():
    assert labels.totals(["RAA", "ENGLAND", "Total:", "(all sites)", "Totality"], TRUST_TOTAL_WORDS) == [
        "ENGLAND",
        "Total:",
        "(all sites)",
    ]
    assert labels.totals(["Stroke", "All Services "], TOTAL_WORDS) == ["All Services "]


def test_labels_that_all_read_like_totals_are_none():
    assert labels.totals(["England", "Scotland", "Wales"], TRUST_TOTAL_WORDS) == []
