"""One table of marks: whatever draws a unit takes its colour, shape and words from there."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import resources
from itertools import combinations
from typing import get_args

import numpy as np
import pytest

from brightspots.common.vocabulary import STATUSES
from brightspots.figures.marks import (
    MARKS,
    STATUS_KINDS,
    STATUS_MARKS,
    Kind,
    legend_entries,
    outside_kind,
    standing_out,
    zone_marks,
)
from brightspots.figures.palette import BRIGHT_COLOUR, DARK_COLOUR, NEUTRAL, SOFT
from brightspots.report import office, svg


def test_every_kind_but_an_absent_cell_has_a_mark():
    assert set(MARKS) == set(get_args(Kind)) - {"absent"}
    assert tuple(STATUS_KINDS) == STATUSES
    assert all(STATUS_MARKS[status].label == status for status in STATUSES)


def test_statuses_are_told_apart_without_colour():
    shapes = [(mark.marker, mark.filled, mark.size > 5.0) for mark in STATUS_MARKS.values()]
    assert len(set(shapes)) == len(STATUSES)
    assert len({mark.sign for mark in STATUS_MARKS.values()}) == len(STATUSES)
    assert len({mark.letter for mark in STATUS_MARKS.values()}) == len(STATUSES)


def test_what_is_flagged_lies_over_what_is_not():
    assert [kind for kind, mark in MARKS.items() if not mark.stands_out] == [
        "in-line",
        "cannot-tell",
        "plain",
    ]
    assert standing_out(np.array(STATUSES, dtype=object), STATUS_MARKS).tolist() == [True, True, False, False]


@pytest.mark.parametrize("higher_is", ["worse", "better"])
def test_zones_point_the_way_that_units_lie_and_have_the_colour_of_their_side(higher_is):
    marks = zone_marks((0.95, 0.998), higher_is)
    for above, outer in ((True, "above 99.8%"), (False, "below 99.8%")):
        bad = above == (higher_is == "worse")
        kind = outside_kind(above, higher_is)
        assert kind == f"{'dark' if bad else 'bright'}-{'above' if above else 'below'}"
        assert (marks[outer].colour, marks[outer].marker) == (MARKS[kind].colour, MARKS[kind].marker)
        assert marks[outer].marker == ("^" if above else "v")
        inner = marks[outer.replace("99.8", "95")]
        assert (inner.colour, inner.marker, inner.filled) == (MARKS[kind].colour, MARKS[kind].marker, False)
        assert inner.size < marks[outer].size
    assert all(mark.label == zone for zone, mark in marks.items())


def test_a_legend_counts_what_it_names():
    statuses = np.array(["dark spot", "in line", "dark spot"], dtype=object)
    assert [words for _, words in legend_entries(statuses, STATUS_MARKS)] == ["Dark spot (2)", "In line (1)"]
    every = legend_entries(statuses, STATUS_MARKS, all_marks=True)
    assert [words for _, words in every] == [
        "Bright spot (0)",
        "Dark spot (2)",
        "In line (1)",
        "Cannot tell (0)",
    ]
    assert [mark for mark, _ in every] == list(STATUS_MARKS.values())


def test_the_page_draws_the_shapes_of_the_table():
    drawn = {kind: str(svg.mark(kind)) for kind in MARKS}
    for kind, mark in MARKS.items():
        assert ("<circle" in drawn[kind]) is (mark.marker == "o")
        assert f'class="mk {kind}"' in drawn[kind]
    diameters = [
        float(re.search(r' r="([\d.]+)"', drawn[kind])[1]) for kind in ("bright", "cannot-tell", "in-line")
    ]
    assert diameters == sorted(diameters, reverse=True)
    for one, other in combinations(("bright", "dark", "dark-above", "dark-below"), 2):
        assert drawn[one].split("aria-hidden")[1] != drawn[other].split("aria-hidden")[1]


def test_the_style_sheet_of_the_page_has_the_colours_of_the_table():
    sheet = resources.files("brightspots").joinpath("report", "templates", "board.css").read_text("utf-8")
    variables = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", sheet))
    colours = {"bright": BRIGHT_COLOUR, "dark": DARK_COLOUR, "grey": NEUTRAL, "soft": SOFT}
    assert {name: variables[name] for name in colours} == {
        name: colour.lower() for name, colour in colours.items()
    }
    for kind, mark in MARKS.items():
        rules = re.findall(
            rf"^(?:[^\n{{]*, )?\.{kind} (?:circle|path)[^{{\n]*\{{ fill: ([^;]+);", sheet, re.M
        )
        assert len(rules) == 1, kind
        if kind not in ("here", "plain"):  # the page's own ink, and a paler grey for the many
            name = rules[0].removeprefix("var(--").removesuffix(")")
            assert variables.get(name, rules[0]) == (mark.colour.lower() if mark.filled else "#fff")


def test_signs_in_office_files_are_dark_enough_to_read():
    assert list(office.SIGNS) == list(STATUS_KINDS.values())
    assert office.SIGNS["cannot-tell"] == ("○", "4C6272")


def test_the_table_loads_no_drawing_library():
    code = "import sys, brightspots.figures.marks; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
