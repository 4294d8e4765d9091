"""Long names are cut where they differ, so that no two units look alike."""

from __future__ import annotations

import pytest

from brightspots.common.shortening import shorten, shorten_apart


def test_a_name_that_has_room_stays_as_it_is():
    assert shorten_apart(["Ward 7", "St Mary's"], 20) == ["Ward 7", "St Mary's"]


def test_a_long_name_is_cut_at_a_word():
    assert shorten("University Hospitals of North Midlands", 25) == "University Hospitals of…"
    assert (
        shorten_apart(["University Hospitals of North Midlands", "Ward 7"], 25)[0]
        == "University Hospitals of…"
    )


@pytest.mark.parametrize("width", [16, 24, 34, 200])
@pytest.mark.parametrize(
    "names",
    [
        ["x" * 200 + "north", "x" * 200 + "south"],
        ["x" * 40_000 + "1", "x" * 40_000 + "2"],
        ["x" * 200 + "1" + "y" * 300, "x" * 200 + "2" + "y" * 300],
        [f"Ward for elderly people and their carers, {side} wing, first floor" for side in ("north", "south", "west")],
    ],
)  # fmt: skip
def test_names_that_begin_alike_stay_apart_and_in_their_place(names, width):
    cut = shorten_apart([*names, "Ward 7", names[0]], width)
    assert len(set(cut[: len(names)])) == len(names)
    assert max(map(len, cut)) <= width
    assert (cut[-1], cut[-2]) == (cut[0], "Ward 7")
    assert not any("#" in name for name in cut)  # told apart by what differs, and not by a number


def test_what_differs_is_shown():
    first, second = shorten_apart(["x" * 200 + "north" + "y" * 90, "x" * 200 + "south" + "y" * 90], 30)
    assert "north" in first
    assert "south" in second


def test_names_that_differ_in_too_many_places_are_numbered():
    names = ["a" * 50 + p + "b" * 50 + q + "c" * 50 for p in "12" for q in "34"]
    cut = shorten_apart(names, 20)
    assert len(set(cut)) == 4
    assert max(map(len, cut)) <= 20


def test_names_that_differ_by_blanks_alone_are_numbered():
    assert shorten_apart(["Ward  7", "Ward 7"], 20) == ["Ward 7 #1", "Ward 7 #2"]
