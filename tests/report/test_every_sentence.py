"""Every sentence has been heard: in both directions, and for none, one and many."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

import brightspots as bs
from brightspots.likelihood.families import POISSON, family_of
from brightspots.report import cautions, rating_sentences, sentences, trust_sentences
from brightspots.report.words import Estimate

RATIO = Estimate(1.312, 1.184, 1.449)
BELOW = Estimate(0.78, 0.66, 0.91)
SHARE = Estimate(0.71, 0.64, 0.78)


def public() -> list[str]:
    return [
        name
        for module in (sentences, rating_sentences, trust_sentences, cautions)
        for name, each in inspect.getmembers(module, inspect.isfunction)
        if each.__module__ == module.__name__ and not name.startswith("_")
    ]


@pytest.mark.parametrize("name", public())
def test_every_sentence_has_a_test(name):
    called = {
        node.func.attr
        for file in ("test_sentences.py", "test_every_sentence.py", "test_differences.py")
        for node in ast.walk(ast.parse(Path(__file__).with_name(file).read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert name in called


# ---- the whole nation ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ((1, 1, 1), "1 department of 1 trust, of 1 type."),
        ((2, 1, 2), "2 departments of 2 trusts, of 1 type."),
        ((1200, 20, 20_000), "20,000 departments of 1,200 trusts, of 20 types."),
        ((2, 2, 4, (2021,)), "4 departments of 2 trusts, of 2 types."),
    ],
)
def test_sizes(sizes, said):
    assert sentences.sizes(*sizes) == said


def test_a_model_without_departments_says_so():
    assert "no partition to show" in sentences.trusts_only()


@pytest.mark.parametrize(
    ("level", "who"), [("trust", "Two trusts,"), ("department", "Two departments of the same trust,")]
)
def test_a_typical_difference_has_its_interval(level, who):
    said = sentences.typical_difference(level, RATIO)
    assert said.startswith(who)
    assert "1.31 (95% interval 1.18 to 1.45)" in said


def test_one_department_is_not_many():
    assert sentences.flags(0, 0, 1, 0.0).startswith("The only department does not stand out")
    assert "not evidence" in sentences.flags(0, 0, 1, 0.0)
    assert sentences.flags(1, 0, 1, 0.04).startswith(
        "Among 1 department there are no dark spots and 1 bright spot."
    )
    assert sentences.flags(0, 1, 1, 0.04).startswith(
        "Among 1 department there is 1 dark spot and no bright spots."
    )
    assert sentences.in_line(1, 1, 1.1, 0.8).startswith("The only department is shown to be in line")
    assert sentences.in_line(0, 1, 1.1, 0.8).startswith("No department is shown")


@pytest.mark.parametrize(
    ("ratio", "higher_is", "said"),
    [
        (10.0, "worse", "at least 10.00 times"), (10.1, "worse", "more than 10 times"),
        (961.7, "worse", "more than 10 times"),
        (0.1, "better", "at most 0.10 times"), (0.07, "better", "less than 0.10 times"),
        (2000.0, "worse", "however far"), (0.0005, "better", "however far"),
    ],
)  # fmt: skip
def test_what_is_far_out_of_reach_is_not_given_to_two_decimals(ratio, higher_is, said):
    assert said in sentences.detectable(ratio, higher_is)


# ---- comparison and rule ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "whom"),
    [
        ("organisation", "the other departments of its own trust"),
        ("peers", "the same department in other trusts"),
        ("both", "both the other departments of its own trust and the same department in other trusts"),
    ],
)
def test_a_rule_says_with_whom_it_compares(reference, whom):
    assert sentences.compared_with(reference) == whom
    said = cautions.rule(1.25, bs.SpotRule(margin=1.25, reference=reference))
    assert f"differ from {whom} by more than a factor of 1.25" in said
    assert (
        "expected share of false flags stays at or below 5%, and never where that probability is below 0.8"
        in said
    )
    assert "never" not in cautions.rule(1.1, bs.SpotRule(min_probability=0.0))
    share = cautions.rule(1.1, bs.SpotRule(share=0.1, reference=reference))
    assert f"belong to the 10% of departments that differ most from {whom}" in share
    assert "1.1" not in share


def test_a_small_margin_is_said_to_be_one():
    said = cautions.wide_spread(0.79, 1.823, 1.1)
    assert said.startswith("79% of all departments are flagged: a factor of 1.1 is small")
    assert said.endswith("The most extreme tenth differ by more than a factor of 1.82.")


@pytest.mark.parametrize(
    ("flags", "survive", "said"),
    [
        (
            75,
            ((0.05, 58), (0.1, 19)),
            "58 of all 75 flags in these data would still be set, and 19 of them if by",
        ),
        (
            1200,
            ((0.05, 1100), (0.1, 0)),
            "1,100 of all 1,200 flags in these data would still be set, and none of",
        ),
        (1, ((0.05, 1), (0.1, 1)), "the one flag in these data would still be set, and if by about 10%."),
        (
            1,
            ((0.05, 1), (0.1, 0)),
            "the one flag in these data would still be set, but not if by about 10%. No adj",
        ),
        (
            1,
            ((0.05, 0), (0.1, 0)),
            "the one flag in these data would not be set. No adjustment for case mix is",
        ),
        (4, ((0.1, 4),), "all 4 flags in these data would still be set."),
    ],
)
def test_flags_that_survive_errors(flags, survive, said):
    text = cautions.surviving(flags, survive, adjusted=True)
    size = f"{100 * survive[0][0]:g}%"
    assert text.startswith(f"If what was expected of each department were off by about {size}, ")
    assert said in text
    assert text.endswith("from that.") == any(n < flags for _, n in survive)
    plain = cautions.surviving(flags, survive, adjusted=False)
    assert plain.startswith("If the odds expected of each department were off by about")
    assert "No adjustment" not in plain


def test_a_share_is_not_told_as_a_margin():
    said = trust_sentences.spot(
        "X", "dark spot", RATIO, 0.97, reference="organisation", family=POISSON, margin=1.1, share=0.1
    )
    assert said.endswith(
        "It is very likely (probability 0.97) that it belongs to the 10% of departments that differ most."
    )
    assert "margin" not in said


@pytest.mark.parametrize(
    ("n", "cells", "said"),
    [
        (0, 9, "Every department is shown"),
        (
            1,
            1,
            "Of the only department the data show neither that they belong to the 10% that differ most nor",
        ),
        (17, 17, "Of all 17 departments the data show neither"),
        (2119, 2175, "Of 2,119 of the 2,175 departments (97%) the data show neither"),
    ],
)
def test_departments_that_are_not_among_the_most_extreme(n, cells, said):
    text = sentences.not_extreme(n, cells, 0.1)
    assert text.startswith(said)
    assert ("no assurance" in text) == (n > 0)


@pytest.mark.parametrize(
    ("family", "words"),
    [
        ("poisson", ("its level is", "that")),
        ("normal", ("its level is", "that")),
        ("binomial", ("its odds are", "those")),
    ],
)
def test_proportions_have_odds_and_others_a_level(family, words):
    assert sentences.level_is(family_of(family)) == words
    assert sentences.level_noun(family_of(family)) == ("odds" if family == "binomial" else "level")


# ---- the data --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        (
            ["national ratio"],
            "numbers: the expected events are probably something else than the number of events",
        ),
        (
            ["shrunken estimates"],
            "numbers: the estimates look as if a model had pulled them together before.",
        ),
        (
            ["too alike"],
            "numbers: the standard errors are probably something else, for the estimates differ by far",
        ),
        (
            ["shrunken estimates", "too alike"],
            "together before and the standard errors are probably something else",
        ),
    ],
)
def test_doubts_about_the_data_are_said_at_the_top(kinds, said):
    text = cautions.doubts(kinds)
    assert text.startswith("Check the data before relying on these numbers: ")
    assert said in text
    assert text.endswith("The section on the certificate says why.")


def test_what_is_to_be_known_of_the_data_is_said_at_length():
    assert cautions.data("6 of 10 trusts lie beyond.") == "About the data: 6 of 10 trusts lie beyond."


# ---- ratings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strong", "dark", "bright", "said"),
    [
        (True, 0, 9, "counts as strong (strong is Good or better). No flag contradicts that"),
        (True, 1, 9, "Within it, 1 dark spot stands against that."),
        (True, 2, 9, "Within it, 2 dark spots stand against that."),
        (False, 9, 0, "counts as weak (strong is Good or better). No flag contradicts that"),
        (False, 9, 1, "Within it, 1 bright spot stands against that."),
        (False, 9, 2, "Within it, 2 bright spots stand against that."),
    ],
)
def test_a_trust_against_its_own_rating(strong, dark, bright, said):
    assert said in rating_sentences.own_rating("T1", "Good", strong, dark, bright, rule="Good or better")


def test_which_ratings_are_strong():
    said = rating_sentences.strong_is("4 or more, on a scale of one to five stars")
    assert said == "Strong is 4 or more, on a scale of one to five stars; every other rating counts as weak."
    assert rating_sentences.rated_overall("T1", 7) == "T1 is rated 7 overall."


def test_trusts_without_ratings():
    assert rating_sentences.no_rating("T1") == "T1 has no rating in these data."
    assert rating_sentences.unrated(1, 9) == "1 of 9 trusts has no rating and is left out here."
    assert rating_sentences.unrated(2, 9) == "2 of 9 trusts have no rating and are left out here."


def test_a_rating_that_is_not_independent_says_what_that_means():
    assert "partly an echo" in rating_sentences.rating_not_independent()


@pytest.mark.parametrize(
    ("by_department", "unit"),
    [(False, "one department at random from a higher-rated trust"), (True, "a department rated higher")],
)
@pytest.mark.parametrize("p", [Estimate(0.38, 0.36, 0.39), Estimate(0.62, 0.58, 0.66)])
def test_how_often_a_rating_is_reversed_is_said_either_way(by_department, unit, p):
    said = rating_sentences.rating_reversed(p, by_department=by_department)
    assert unit in said
    assert f"{p.point:.2f} (95% interval {p.lower:.2f} to {p.upper:.2f})" in said
    assert "said nothing would give 0.50" in said


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (
            (1, 2, 1, 2),
            "1 of the 2 dark spots lies in trusts whose overall rating is strong; 1 of the 2 bright spots lies",
        ),
        ((0, 0, 0, 1), "The only bright spot does not lie in trusts whose overall rating is weak."),
        ((0, 0, 1, 1), "The only bright spot lies in trusts whose overall rating is weak."),
        ((0, 0, 0, 3), "None of the 3 bright spots lies in trusts whose overall rating is weak."),
        ((3, 3, 0, 0), "All 3 dark spots lie in trusts whose overall rating is strong."),
    ],
)
def test_flags_against_ratings(counts, said):
    assert said in rating_sentences.against_rating(*counts)


# ---- one trust -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "p_high", "p_low", "said"),
    [
        (RATIO, 0.98, 0.0, "very likely (probability 0.98) that it lies above 1.1 times the average and exceptionally"),
        (BELOW, 0.0, 0.97, "exceptionally unlikely (probability below 0.01) that it lies above 1.1 times"),
        (Estimate(1.0, 0.9, 1.1), 0.05, 0.05, "very unlikely (probability 0.05) that it lies above"),
    ],
)  # fmt: skip
def test_the_level_of_a_trust_is_said_in_both_directions(ratio, p_high, p_low, said):
    text = trust_sentences.trust_level("T1", ratio, p_high, p_low, 1.1, POISSON)
    assert text.startswith(f"Overall, the level of T1 is {ratio.point:.2f} (95% interval ")
    assert said in text


@pytest.mark.parametrize(
    ("status", "ratio", "excess", "said"),
    [
        ("dark spot", RATIO, Estimate(24.0, 11.0, 39.0), "about 24 more deaths (95% interval 11 to 39 more)"),
        (
            "bright spot",
            BELOW,
            Estimate(-24.0, -39.0, -11.0),
            "about 24 fewer deaths (95% interval 11 to 39 fewer)",
        ),
        (
            "dark spot",
            BELOW,
            Estimate(-9.0, -15.0, 1.0),
            "about 9.0 fewer deaths (95% interval 15 fewer to 1.0 more)",
        ),
        (
            "bright spot",
            RATIO,
            Estimate(9.0, -1.0, 15.0),
            "about 9.0 more deaths (95% interval 1.0 fewer to 15 more)",
        ),
    ],
)
def test_a_spot_of_either_kind_on_either_side(status, ratio, excess, said):
    text = trust_sentences.spot(
        "X",
        status,
        ratio,
        0.9,
        reference="organisation",
        family=POISSON,
        margin=1.1,
        excess=excess,
        events="deaths",
    )
    assert text.startswith(f"X is a {status}: its level is {ratio.point:.2f} (95% interval ")
    assert said in text


def test_a_rule_for_both_comparisons_shows_the_one_with_the_own_trust():
    text = trust_sentences.spot(
        "X", "dark spot", RATIO, 0.9, reference="both", family=POISSON, margin=1.1, other=BELOW
    )
    assert "times that of the other departments of its own trust" in text
    assert text.endswith(
        "Compared with the same department in other trusts, it stands at 0.78 (95% interval 0.66 to 0.91)."
    )


def test_a_department_that_is_alone():
    assert trust_sentences.only_department("T1", "X").startswith(
        "X is the only department of T1 in these data."
    )


@pytest.mark.parametrize("status", ["dark spot", "bright spot"])
def test_nothing_flagged(status):
    assert trust_sentences.nothing_flagged(status) == f"No department is flagged as a {status}."


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("above", "T1 lies above the 99.8% limits, further out than chance and"),
        ("below", "T1 lies below the 99.8% limits, further out than chance and"),
        (
            "within",
            "T1 lies within the 99.8% limits: chance and the ordinary variation between trusts could explain",
        ),
        (
            "unplaced",
            "Whether T1 lies within the 99.8% limits cannot be said: the range of its suppressed counts",
        ),
    ],
)
def test_where_a_trust_lies_in_the_funnel(where, said):
    assert trust_sentences.trust_in_funnel("T1", where, 0.998).startswith(said)


# ---- how far to trust it, and what is left out -----------------------------------------------------------------


def test_certificates_of_either_engine():
    assert "numerical integration, worth 1,000 independent draws" in cautions.certificate(
        True, "integrate", 1000, ""
    )
    assert "NUTS), worth 4,000 independent draws" in cautions.certificate(True, "nuts", 4000, "")
    assert "(numerical integration) did not pass its own check: k." in cautions.certificate(
        False, "integrate", 9, "k"
    )


@pytest.mark.parametrize(
    ("shown", "kinds", "printed", "said"),
    [
        (
            1,
            (),
            False,
            "1 of 90 rows is shown here, in their order; the page (.html) and the exported tables hold more.",
        ),
        (60, (), True, "60 of 90 rows are shown here, in their order; the page on screen holds more."),
        (
            60,
            ("dark spot", "bright spot"),
            True,
            "(the same number of each of “dark spot” and “bright spot” where there",
        ),
        (60, ("dark spot",), True, "60 of 90 rows are shown here, in their order; the page"),
    ],
)
def test_what_paper_leaves_out(shown, kinds, printed, said):
    assert said in cautions.abridged(shown, 90, kinds, printed=printed)


@pytest.mark.parametrize(
    ("named", "name_rows", "said"),
    [
        (True, True, "not of their results."),
        (False, True, "The names of departments have no room here"),
        (True, False, "The names of trusts have no room here"),
        (False, False, "The names of trusts and departments have no room here"),
    ],
)
def test_how_to_read_the_grid_of_a_slide(named, name_rows, said):
    text = cautions.grid_on_a_slide(120, 1, named=named, name_rows=name_rows)
    assert text.startswith(
        "Each column is one of 120 trusts, each row one of 1 department type, in the order of"
    )
    assert said in text


def test_columns_that_are_not_named():
    assert "the 142 department types" in cautions.columns_without_names(142)


def test_names_that_are_not_written_whole():
    assert cautions.shortened(1).startswith("1 name of a trust or department is too long")
    assert cautions.shortened(3).startswith("3 names of trusts or departments are too long")


def test_no_caveat_overclaims():
    for text in (cautions.what_a_flag_is(), cautions.closing()):
        assert re.search(r"\bnot a\b", text)
        assert "significan" not in text
