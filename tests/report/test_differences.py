"""A pack of estimates in units of their own: differences in these units in every sentence, table and figure."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pandas as pd
import pytest

import brightspots as bs
from brightspots.likelihood.families import NORMAL
from brightspots.report import cautions, gather, sentences, svg, trust_sentences
from brightspots.report.document import Bullets, Funnels, Table, in_document
from brightspots.report.measure import RATIOS, UNITS, Measure, difference_measure
from brightspots.report.pack import compose, write_board_pack
from brightspots.report.subject import Subject
from brightspots.report.words import Estimate
from tests.report import office
from tests.report.page import Page

DAYS = Measure(False, "days", 1)
LONGER, SHORTER, EITHER = Estimate(2.13, 0.94, 3.31), Estimate(-2.13, -3.31, -0.94), Estimate(0.3, -1.0, 1.6)


@cache
def stay_fit(higher_is: str = "worse") -> bs.HierarchyFit:
    """Mean length of stay of 24 trusts by 5 departments, in days, with ratings."""
    truth = bs.simulate_nation(24, 5, seed=4).truth
    noise = np.random.default_rng(1).normal(0.0, 0.3, len(truth))
    words = np.array(["Inadequate", "Requires improvement", "Good", "Outstanding"])
    stay = truth[["trust", "department"]].assign(
        days=6.0 + 5.0 * truth["log_peer_ratio"] + noise,
        error=0.3,
        rating=words[pd.factorize(truth["trust"])[0] % 4],
    )
    return bs.fit_hierarchy(
        stay,
        estimate="days",
        standard_error="error",
        estimate_scale="difference",
        higher_is=higher_is,
        seed=1,
        draws=400,
    )


@cache
def subject(higher_is: str = "worse", reference: str = "organisation", unit: str | None = "days") -> Subject:
    fit = stay_fit(higher_is)
    return Subject.of(fit, fit.find_spots(bs.SpotRule(difference=0.5, reference=reference)), unit=unit)


def pack_words(content) -> str:
    """All that a pack says."""
    return Page(_html(content)).text


def _html(content) -> str:
    from brightspots.report import html

    return html.render(content)


# ---- numbers and words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("effect", "against", "stands", "numbers"),
    [
        (LONGER, "2.1 days above that of X (95% interval 0.9 to 3.3)", "2.1 days above (95%", "+2.1 (+0.9 to +3.3)"),
        (SHORTER, "2.1 days below that of X (95% interval 0.9 to 3.3)", "2.1 days below (95%", "−2.1 (−3.3 to −0.9)"),
        (EITHER, "0.3 days above that of X (95% interval 1.0 below to 1.6 above)", "0.3 days", "+0.3 (−1.0 to +1.6)"),
        (Estimate(-0.04, -0.2, 0.04), "0.0 days below that of X (95% interval 0.2 below", "0.0 d", "0.0 (−0.2 to 0.0)"),
    ],
)  # fmt: skip
def test_a_difference_is_said_with_its_side_and_interval(effect, against, stands, numbers):
    assert DAYS.against(effect, "that of X").startswith(against)
    assert DAYS.stands(effect).startswith(stands)
    assert DAYS.interval(effect) == numbers


def test_ratios_are_said_as_before():
    assert RATIOS.against(Estimate(1.21, 1.1, 1.34), "that of X") == (
        "1.21 (95% interval 1.10 to 1.34) times that of X"
    )
    assert RATIOS.interval(Estimate(1.21, 1.1, 1.34)) == "1.21 (1.10 to 1.34)"
    assert RATIOS.margin(1.1) == "a factor of 1.1"


@pytest.mark.parametrize(
    ("margin", "said"), [(0.5, "0.5 days"), (1.0, "1.0 days"), (0.25, "0.25 days"), (0.0, "0.0 days")]
)
def test_a_margin_is_never_rounded(margin, said):
    assert DAYS.margin(margin) == said


@pytest.mark.parametrize(
    ("typical", "decimals"), [(2.1, 1), (0.5, 2), (12.0, 0), (1200.0, 0), (0.021, 3), (0.0, 2), (1e-30, 9)]
)
def test_differences_have_two_digits_of_a_typical_one(typical, decimals):
    assert difference_measure("days", typical).decimals == decimals


def test_without_a_unit_differences_are_in_units_of_the_estimates():
    assert difference_measure(None, 1.0).unit == UNITS
    assert "units of the estimates above" in difference_measure(None, 1.0).stands(LONGER)


# ---- sentences -------------------------------------------------------------------------------------------------


def test_typical_differences_and_spread():
    said = sentences.typical_difference("trust", Estimate(0.52, 0.4, 0.7), DAYS)
    assert said == (
        "Two trusts, picked at random, typically differ by 0.5 days (95% interval 0.4 to 0.7) "
        "once chance is allowed for."
    )
    spread = sentences.spread({"trust": Estimate(0.6, 0.4, 0.8), "period": Estimate(0.2, 0.1, 0.3)}, DAYS)
    assert spread == (
        "The standard deviation is 0.6 days (95% interval 0.4 to 0.8) between trusts and 0.2 days (95% interval "
        "0.1 to 0.3) between periods of the same department."
    )


@pytest.mark.parametrize(
    ("effect", "higher_is", "said"),
    [
        (1.8, "worse", "were at least 1.8 days above that of their comparison."),
        (-1.8, "better", "were at least 1.8 days below that of their comparison."),
        (float("inf"), "worse", "however far they truly lay"),
        (2000.0, "worse", "2,000.0 days above"),
    ],
)
def test_what_would_be_flagged(effect, higher_is, said):
    assert said in sentences.detectable(effect, higher_is, DAYS)


def test_a_spot_against_one_and_the_other():
    text = trust_sentences.spot(
        "X", "dark spot", LONGER, 0.97, reference="organisation", family=NORMAL, margin=0.5, other=SHORTER,
        measure=DAYS,
    )  # fmt: skip
    assert text == (
        "X is a dark spot: its level is 2.1 days above that of the other departments of its own trust (95% interval "
        "0.9 to 3.3). It is very likely (probability 0.97) that the difference exceeds 0.5 days. Compared with the "
        "same department in other trusts, it stands 2.1 days below (95% interval 0.9 to 3.3)."
    )


def test_the_level_of_a_trust():
    text = trust_sentences.trust_level("T1", EITHER, 0.3, 0.02, 0.5, NORMAL, DAYS)
    assert text == (
        "Overall, the level of T1 is 0.3 days above that of the average trust (95% interval 1.0 below to 1.6 above). "
        "It is unlikely (probability 0.30) that it lies more than 0.5 days above the average and very unlikely "
        "(probability 0.02) that it lies more than 0.5 days below it."
    )


def test_rule_direction_and_in_line():
    assert "by more than 0.5 days, the most probable first" in cautions.rule(
        0.5, bs.SpotRule(reference="peers"), DAYS
    )
    assert cautions.direction("worse", "deaths", DAYS) == (
        "Estimates above those elsewhere count as dark, estimates below as bright."
    )
    assert cautions.direction("better", "deaths", DAYS).startswith(
        "Estimates above those elsewhere count as bright"
    )
    assert "their level lies within 0.5 days both of" in sentences.in_line(3, 9, 0.5, 0.8, DAYS)


# ---- the whole pack --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("higher_is", ["worse", "better"])
@pytest.mark.parametrize("reference", ["organisation", "peers", "both"])
@pytest.mark.parametrize("trust", [None, "T002"])
def test_no_word_of_ratios_or_events(higher_is, reference, trust):
    said = pack_words(compose(subject(higher_is, reference), trust=trust))
    assert not re.search(r"\bratios?\b|\bevents?\b|\bfactor\b|\btimes\b|\bexcess\b", said, re.IGNORECASE)
    assert not re.search(r"\bnan\b|\binf\b|None[^ ]", said)
    assert " days" in said
    assert "0.5 days" in said


def test_without_a_unit_the_pack_speaks_of_units():
    said = pack_words(compose(subject(unit=None)))
    assert "units of the estimates" in said
    assert "in units of the estimates." not in said.split("standard error")[1][:30]


def test_flags_are_those_of_the_rule_and_their_differences_those_of_the_table():
    mine = subject()
    flagged = mine.spots.table[mine.spots.table["status"].isin(["dark spot", "bright spot"])]
    (table,) = (block for block in in_document(compose(mine), Table) if block.name == "spots")
    headings = [column.heading for column in table.columns]
    assert "Against own trust, days (95% interval)" in headings
    at = headings.index("Against own trust, days (95% interval)")
    assert len(table.rows) == len(flagged) > 4
    shown = {(row[0].text, row[1].text): row[at].text for row in table.rows}
    for row in flagged.itertuples():
        expected = mine.measure.interval(
            Estimate(row.own_difference, row.own_difference_lower, row.own_difference_upper)
        )
        assert shown[row.trust, row.department] == expected
    assert (table.margin, table.span) == (0.5, mine.span)


def test_one_trust_is_compared_in_days():
    mine = subject()
    content = compose(mine, trust="T002")
    row = mine.fit.trusts(difference=0.5).set_index("trust").loc["T002"]
    level = Estimate(row["trust_difference"], row["trust_difference_lower"], row["trust_difference_upper"])
    assert mine.measure.against(level, "that of the average trust") in content.headlines[1]
    bullets = [item for block in in_document(content, Bullets) for item in block.items]
    flagged = [item for item in bullets if " spot (" in item]
    assert len(flagged) == int(mine.spots.table.query("trust == 'T002'")["status"].str.contains("spot").sum())


def test_funnels_are_of_differences_about_zero():
    (figure,) = in_document(compose(subject()), Funnels)
    assert not figure.of_ratios
    nation, departments = figure.panels
    assert (nation.centre, nation.centre_text, nation.y_label) == (
        0.0,
        "0.0",
        "days above the national level",
    )
    assert departments.centre != 0.0
    bottom, top = svg.shared_range(figure)
    assert bottom < min(point.y for panel in figure.panels for point in panel.points) < 0.0
    assert top > max(point.y for panel in figure.panels for point in panel.points)
    assert 0.0 in svg.ticks(bottom, top)
    assert 3 <= len(svg.ticks(bottom, top)) <= 9
    # A unit's height is what was observed, less the national level of its type: on average none.
    assert abs(np.mean([point.y for point in nation.points])) < 0.3
    assert nation.points[0].detail.endswith("(standard error 0.1)")


@pytest.mark.parametrize(
    ("bottom", "top", "step"),
    [(-3.2, 3.2, 1.0), (-0.04, 0.05, 0.02), (-700.0, 900.0, 200.0), (0.0, 1.4, 0.25)],
)
def test_ticks_are_round(bottom, top, step):
    assert svg.tick_step(bottom, top) == pytest.approx(step)


def test_an_interval_is_drawn_on_a_plain_scale_about_zero():
    table = Table("t", "c", (), (), 0.5, 2.0)
    drawn = str(svg.interval(Estimate(0.0, -1.0, 1.0), "dark", table))
    middle = svg.INTERVAL_WIDTH / 2
    assert (
        f'd="M{middle - 0.24 * svg.INTERVAL_WIDTH:.1f} 8H{middle + 0.24 * svg.INTERVAL_WIDTH:.1f}"' in drawn
    )
    assert f'width="{0.24 * svg.INTERVAL_WIDTH:.1f}"' in drawn  # 0.5 on either side of a scale of 2


def test_whom_to_learn_from():
    mine = subject()
    (table,) = (block for block in in_document(compose(mine), Table) if block.name == "pairs")
    assert table.columns[-1].heading == "Probability that it is truly better by more than 0.5 days"
    assert "Size here (precision)" in [column.heading for column in table.columns]


def test_the_middle_of_what_would_be_flagged_is_a_plain_median():
    assert gather.middle_reach(np.array([-1.0, -2.0, np.nan, -4.0]), "better", DAYS) == -2.0


@pytest.mark.parametrize("suffix", [".html", ".docx", ".pptx"])
@pytest.mark.parametrize("trust", [None, "T002"])
def test_every_format(suffix, trust, tmp_path):
    fit = stay_fit()
    path = tmp_path / f"stay{suffix}"
    spots = fit.find_spots(bs.SpotRule(difference=0.5))
    write_board_pack(fit, spots, path, unit="days", trust=trust)
    said = Page(path.read_text(encoding="utf-8")).text if suffix == ".html" else office.text_of(path)
    assert "0.5 days" in said
    assert "factor of" not in said


def test_a_fit_without_any_flag_and_one_of_the_smallest_size():
    fit = stay_fit()
    none = Subject.of(fit, fit.find_spots(bs.SpotRule(difference=50.0)), unit="days")
    said = pack_words(compose(none))
    assert "stands out with enough certainty" in said
    assert "within 50 days" in said
    tiny = pd.DataFrame(
        {"trust": ["A", "A", "B"], "department": ["x", "y", "x"], "days": [5.0, 6.0, 9.0], "error": 1.0}
    )
    small = bs.fit_hierarchy(
        tiny, estimate="days", standard_error="error", estimate_scale="difference", seed=1, draws=200
    )
    spots = small.find_spots(bs.SpotRule(difference=0.0))
    for trust in (None, "B"):
        assert " days" in pack_words(compose(Subject.of(small, spots, unit="days"), trust=trust))


def test_a_unit_is_for_differences():
    table = bs.simulate_nation(6, 4, seed=1).cells
    fit = bs.fit_hierarchy(table, seed=1, draws=200)
    with pytest.raises(bs.SettingsError, match="the fit is of ratios, which have no unit: unit='days'"):
        Subject.of(fit, fit.find_spots(), unit="days")
