"""Numbers in words."""

from __future__ import annotations

import pytest

from brightspots.report import words
from brightspots.report.words import Estimate


@pytest.mark.parametrize(
    ("probability", "said"),
    [
        (1.0, "virtually certain (probability above 0.99)"),
        (0.99, "virtually certain (probability 0.99)"),
        (0.97, "very likely (probability 0.97)"),
        (0.90, "very likely (probability 0.90)"),
        (0.66, "likely (probability 0.66)"),
        (0.50, "about as likely as not (probability 0.50)"),
        (0.32, "unlikely (probability 0.32)"),
        (0.05, "very unlikely (probability 0.05)"),
        (0.0, "exceptionally unlikely (probability below 0.01)"),
    ],
)
def test_a_probability_has_one_phrase_and_its_number(probability, said):
    assert words.likelihood(probability) == said


def test_the_vocabulary_covers_every_probability_once():
    least = [bound for bound, _ in words.PROBABILITY_WORDS]
    assert least == sorted(least, reverse=True)
    assert least[-1] == 0.0


@pytest.mark.parametrize(
    ("share", "said"), [(0.0, "0%"), (0.001, "under 1%"), (0.294, "29%"), (0.998, "over 99%"), (1.0, "100%")]
)
def test_a_share_is_never_rounded_to_none_or_all(share, said):
    assert words.percent(share) == said


@pytest.mark.parametrize(
    ("n", "said"), [(0, "no dark spots"), (1, "1 dark spot"), (2, "2 dark spots"), (1203, "1,203 dark spots")]
)
def test_counting(n, said):
    assert words.counted(n, "dark spot") == said


def test_lists_read_as_prose():
    assert [words.listed(["a", "b", "c"][:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]


@pytest.mark.parametrize(
    ("excess", "said"),
    [
        (Estimate(24.2, 11.0, 39.4), "about 24 more deaths (95% interval 11 to 39 more)"),
        (Estimate(-14.0, -25.0, -3.0), "about 14 fewer deaths (95% interval 3.0 to 25 fewer)"),
        (Estimate(5.04, -2.0, 12.0), "about 5.0 more deaths (95% interval 2.0 fewer to 12 more)"),
    ],
)
def test_an_excess_says_its_side_and_its_interval(excess, said):
    assert words.more_or_fewer(excess, "deaths") == said
