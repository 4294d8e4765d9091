"""What the pack says: for none, one and many, and for both directions."""

from __future__ import annotations

import math

import pytest

from brightspots.common import vocabulary as names
from brightspots.likelihood.families import BINOMIAL, POISSON
from brightspots.report import cautions, rating_sentences, sentences, trust_sentences
from brightspots.report.words import Estimate

SHARE = Estimate(0.71, 0.64, 0.78)
REST = Estimate(0.29, 0.22, 0.36)
RATIO = Estimate(1.312, 1.184, 1.449)


def test_sizes():
    assert sentences.sizes(120, 20, 2175) == "2,175 departments of 120 trusts, of 20 types."
    assert sentences.sizes(2, 2, 4, (2021, 2022)).endswith("over 2 periods (2021 to 2022).")


def test_the_partition_leads_with_the_larger_share():
    said = sentences.partition({"trust": REST, "department": SHARE})
    assert said.index("71% (95% interval 64% to 78%) lies between the departments") < said.index("29%")
    assert "lies between periods of the same department" in sentences.partition(
        {"trust": REST, "department": SHARE, "period": REST}
    )


@pytest.mark.parametrize(
    ("p", "said"),
    [
        (0.98, "very likely (probability 0.98) that departments within a trust differ more than trusts do"),
        (0.02, "very likely (probability 0.98) that trusts differ more than the departments within them do"),
    ],
)
def test_which_level_varies_more_is_said_for_either(p, said):
    assert said in sentences.departments_vary_more(p)


@pytest.mark.parametrize(
    ("bright", "dark", "false", "said"),
    [
        (0, 0, 0.0, "None of the 90 departments stands out"),
        (
            0,
            1,
            0.03,
            "there is 1 dark spot and no bright spots. The probability that this flag is false is 0.03.",
        ),
        (1, 0, 0.03, "there are no dark spots and 1 bright spot. The probability"),
        (4, 3, 0.31, "there are 3 dark spots and 4 bright spots. Of these 7 flags, about 0.3 are expected"),
        (
            9,
            1,
            0.01,
            "there is 1 dark spot and 9 bright spots. Of these 10 flags, fewer than 0.1 are expected",
        ),
    ],
)
def test_flags_say_how_many_are_expected_to_be_false(bright, dark, false, said):
    assert said in sentences.flags(bright, dark, 90, false)


def test_no_flag_is_not_presented_as_evidence():
    assert "not evidence" in sentences.flags(0, 0, 90, 0.0)
    assert "not evidence that all is well" in trust_sentences.trust_flags("T1", [], [], 5)
    assert "not evidence that all is well" in trust_sentences.trust_flags("T1", [], [], 1)


@pytest.mark.parametrize(
    ("both", "dark", "bright", "said"),
    [
        (0, 0, 0, "None of the 12 trusts holds a flagged department."),
        (0, 1, 0, "1 of 12 trusts holds a dark spot; none holds both kinds."),
        (0, 0, 3, "3 of 12 trusts hold a bright spot; none holds both kinds."),
        (0, 2, 3, "none holds both kinds at once"),
        (1, 2, 3, "1 holds both kinds at once"),
        (2, 5, 3, "2 hold both kinds at once"),
    ],
)
def test_coexistence(both, dark, bright, said):
    assert said in sentences.coexistence(both, dark, bright, 12)


@pytest.mark.parametrize(
    ("n", "cells", "said"),
    [
        (0, 10, "no department of which the data cannot tell"),
        (
            1,
            10,
            "For 1 of the 10 departments the data cannot tell: it may be better, worse or in line",
        ),
        (7, 10, "For 7 of the 10 departments (70%) the data cannot tell: any of them may be"),
        (10, 10, "For all 10 departments"),
        (1, 1, "For the only department"),
    ],
)
def test_cannot_tell_is_never_a_reassurance(n, cells, said):
    text = sentences.cannot_tell(n, cells)
    assert said in text
    assert n == 0 or "no assurance" in text


def test_why_the_data_cannot_tell_is_said_for_each_reason_that_occurs():
    said = sentences.reasons({"by assumption": 40, "thin": 1, "alone": 2})
    assert said.startswith(
        "Why: 1 is too thin: its interval holds a bright and a dark value alike; 40 are in line by"
    )
    assert said.endswith("; 2 are each the only one of their trust.")
    every = sentences.reasons(dict.fromkeys(names.REASONS, 3))
    assert every.count(";") == len(names.REASONS) - 1


def test_in_line_says_what_it_rests_on():
    assert sentences.in_line(1, 9, 1.1, 0.8).startswith("1 of 9 departments is shown to be in line")
    assert sentences.in_line(2, 9, 1.1, 0.8).startswith("2 of 9 departments are")
    assert "probability of at least 0.80" in sentences.in_line(0, 9, 1.1, 0.8)
    assert "their own data alone say so" in sentences.in_line(2, 9, 1.1, 0.8)


def test_what_would_be_detected_lies_on_the_dark_side():
    assert "at least 1.60 times" in sentences.detectable(1.6, "worse")
    assert "at most 0.62 times" in sentences.detectable(0.62, "better")
    assert "however far" in sentences.detectable(math.inf, "worse")
    assert "however far" in sentences.detectable(0.0, "better")


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((0, 0, 0, 0), "No department of a rated trust is flagged."),
        ((0, 1, 0, 0), "The only dark spot does not lie in trusts whose overall rating is strong."),
        (
            (1, 1, 2, 5),
            "The only dark spot lies in trusts whose overall rating is strong; 2 of the 5 bright spots lie",
        ),
        ((0, 4, 1, 5), "None of the 4 dark spots lies in trusts whose overall rating is strong; 1 of the 5"),
    ],
)
def test_flags_against_ratings(counts, said):
    assert said in rating_sentences.against_rating(*counts)


def test_what_is_said_of_ratings_of_departments():
    said = rating_sentences.against_rating(1, 4, 0, 0, by_department=True)
    assert said == "1 of the 4 dark spots lies where the department's own rating is strong."
    assert (
        rating_sentences.against_rating(0, 0, 0, 0, by_department=True) == "No rated department is flagged."
    )
    assert "between the departments of all trusts" in rating_sentences.rating_explains(SHARE)
    assert "between trusts" in rating_sentences.rating_explains(SHARE, REST)
    assert "Every rated department has the same rating (3)" in rating_sentences.rating_explains_nothing(
        3, "department"
    )
    assert rating_sentences.rating_reversed(SHARE, by_department=True).startswith(
        "Take a department rated higher and"
    )
    assert rating_sentences.unrated(2, 90, "departments").startswith("2 of 90 departments have no rating")


def test_a_trust_against_its_own_rating():
    assert "1 dark spot stands against that" in rating_sentences.own_rating("T1", "Good", True, 1, 3)
    assert "3 bright spots stand against that" in rating_sentences.own_rating("T1", "Inadequate", False, 1, 3)
    assert "may still do so" in rating_sentences.own_rating("T1", "Good", True, 0, 3)


@pytest.mark.parametrize(
    ("bright", "dark", "said"),
    [
        (["A"], [], "T1 has 1 bright spot (A). No dark spot is flagged."),
        ([], ["A", "B"], "T1 has 2 dark spots (A and B). No bright spot is flagged."),
        (["A", "B", "C"], ["D"], "T1 has 1 dark spot (D) and 3 bright spots (A, B and C)."),
    ],
)
def test_a_trust_leads_with_both_kinds(bright, dark, said):
    assert trust_sentences.trust_flags("T1", bright, dark, 9) == said


def test_a_dark_spot_where_more_is_worse():
    said = trust_sentences.spot(
        "Cardiology", "dark spot", RATIO, 0.97, reference="organisation", family=POISSON, margin=1.1,
        excess=Estimate(24.0, 11.0, 39.0), events="deaths",
    )  # fmt: skip
    assert said == (
        "Cardiology is a dark spot: its level is 1.31 (95% interval 1.18 to 1.45) times that of the other departments "
        "of its own trust, about 24 more deaths (95% interval 11 to 39 more) than at its own trust's level. "
        "It is very likely (probability 0.97) that the difference exceeds the margin of 1.1."
    )


def test_a_dark_spot_where_more_is_better():
    said = trust_sentences.spot(
        "Cardiology", "dark spot", Estimate(0.8, 0.7, 0.9), 0.97, reference="organisation", family=POISSON,
        margin=1.1, excess=Estimate(-9.0, -15.0, -4.0), events="survivors",
    )  # fmt: skip
    assert "its level is 0.80" in said
    assert "about 9.0 fewer survivors (95% interval 4.0 to 15 fewer)" in said


def test_a_flag_is_set_beside_the_comparison_that_the_rule_does_not_make():
    how = {"family": POISSON, "margin": 1.1, "other": Estimate(0.64, 0.54, 0.77)}
    said = trust_sentences.spot(
        "X", "dark spot", RATIO, 0.9, reference="organisation", reading="both said", **how
    )
    assert said.startswith("X is a dark spot (both said): its level is")
    assert said.endswith(
        "Compared with the same department in other trusts, it stands at 0.64 (95% interval 0.54 to 0.77)."
    )
    said = trust_sentences.spot("X", "dark spot", RATIO, 0.9, reference="peers", **how)
    assert "Compared with the other departments of its own trust, it stands at 0.64" in said
    how["other"] = Estimate(math.nan, math.nan, math.nan)
    assert "Compared" not in trust_sentences.spot("X", "dark spot", RATIO, 0.9, reference="peers", **how)


def test_a_proportion_is_compared_by_its_odds():
    said = trust_sentences.spot(
        "X", "bright spot", RATIO, 0.9, reference="peers", family=BINOMIAL, margin=1.1
    )
    assert (
        "its odds are 1.31 (95% interval 1.18 to 1.45) times those of the same department in other trusts."
        in said
    )
    assert trust_sentences.trust_level("T", RATIO, 0.9, 0.0, 1.1, BINOMIAL).startswith(
        "Overall, the odds of T are"
    )


@pytest.mark.parametrize(
    ("partnered", "alone", "said"),
    [
        (0, {}, "There is no dark spot"),
        (1, {}, "The dark spot has at least one better department of the same kind in another trust"),
        (
            0,
            {"why": 1},
            "The dark spot has no better department of the same kind in another trust to talk to: why.",
        ),
        (5, {}, "Each of the 5 dark spots has at least one"),
        (0, {"why": 5}, "None of the 5 dark spots has a better department"),
        (1, {"why": 4}, "1 of the 5 dark spots has at least one"),
        (3, {"why": 2}, "3 of the 5 dark spots have at least one"),
    ],
)
def test_learning(partnered, alone, said):
    assert sentences.learning(partnered, alone).startswith(said)


def test_learning_says_why_there_is_no_partner():
    assert sentences.learning(3, {"why": 2}).endswith("for the other 2 there is none: why.")
    assert sentences.learning(3, {"this": 2, "that": 1}).endswith("there is none: this (2) and that (1).")


def test_which_side_is_dark():
    assert (
        cautions.direction("worse", "deaths") == "More deaths than elsewhere count as dark, fewer as bright."
    )
    assert cautions.direction("better", "survivors").startswith(
        "More survivors than elsewhere count as bright"
    )


def test_a_failed_certificate_is_not_softened():
    assert cautions.certificate(False, "nuts", 90, "R-hat 1.13").startswith(
        "Do not rely on these numbers yet."
    )
    assert "2,400 independent draws" in cautions.certificate(True, "integrate", 2400, "holds")


def test_suppressed_counts_are_used_and_said():
    assert cautions.suppressed(1, 90, 0).startswith("1 of 90 counts is withheld")
    assert "funnels" not in cautions.suppressed(1, 90, 0)
    assert "In the funnels 1 point is an upright bar" in cautions.suppressed(2, 90, 1)
    assert "In the funnels 3 points are upright bars" in cautions.suppressed(2, 90, 3)


def test_bars_are_named_and_the_rest_counted():
    assert cautions.bars(["A", "B"]).endswith("can be: A and B.")
    assert cautions.bars([f"T{n}" for n in range(12)]).endswith("T8, T9 and 2 more.")


def test_units_that_cannot_be_placed():
    assert cautions.cannot_be_placed(1) == (
        "Of 1 it cannot be said: the range of its suppressed counts reaches over a limit."
    )
    assert cautions.cannot_be_placed(3).startswith("Of 3 it cannot be said: the ranges of their")


def test_outside_the_limits():
    assert [trust_sentences.outside_limits(n, 9, 0.998) for n in (0, 1, 2)] == [
        "Of 9 trusts, none lies outside the 99.8% limits.",
        "Of 9 trusts, 1 lies outside the 99.8% limits.",
        "Of 9 trusts, 2 lie outside the 99.8% limits.",
    ]
