"""The facts of a pack are those of the library's own tables, and the words of a pack are where they are said to be."""

from __future__ import annotations

import math

import numpy as np
import pytest

from brightspots.common import vocabulary as names
from brightspots.report.document import Bullets, Document, Paragraph
from brightspots.report.gather import MOST_ROWS, example_trust, nation_facts, trust_facts
from brightspots.report.pack import compose
from brightspots.report.subject import Subject
from tests.conftest import simulate_frame
from tests.report.conftest import make_fit


@pytest.fixture(scope="module")
def subject() -> Subject:
    fit = make_fit(simulate_frame(12, 6))
    return Subject.of(fit, fit.find_spots(), "deaths")


@pytest.fixture(scope="module")
def nation(subject):
    return nation_facts(subject)


def flagged(table):
    return table[table["status"].isin([names.BRIGHT, names.DARK])]


def test_departments_by_status_are_those_of_the_summary(subject, nation):
    summary = subject.spots.summary()
    assert dict(nation.tally.counts) == summary["departments"].to_dict()
    assert (
        nation.tally.departments
        == len(subject.spots.table)
        == sum(each.departments for each in _tallies(subject))
    )
    assert nation.tally.expected_false == summary.attrs["expected_false_flags"]
    assert dict(nation.tally.reasons) == subject.spots.table["why"].value_counts().to_dict()


def _tallies(subject):
    return [trust_facts(subject, trust).tally for trust in range(subject.cells.n_trusts)]


def test_every_flag_is_listed_with_the_numbers_of_the_table(subject, nation):
    rows = flagged(subject.spots.table).set_index(["trust", "department"])
    assert nation.spots.total == len(nation.spots.departments) == len(rows) > 5
    statuses = [each.status for each in nation.spots.departments]
    assert statuses == sorted(statuses, reverse=True)  # dark ones first
    for each in nation.spots.departments:
        row = rows.loc[each.trust, each.name]
        assert (each.status, each.probability) == (row["status"], row["probability"])
        assert each.own == tuple(row[["own_ratio", "own_ratio_lower", "own_ratio_upper"]])
        assert each.peer == tuple(row[["peer_ratio", "peer_ratio_lower", "peer_ratio_upper"]])
        assert each.excess == tuple(row[["excess", "excess_lower", "excess_upper"]])
        assert (each.rating, each.against_rating) == (row["rating"], row["rating_status"])
        assert math.isnan(each.reach)  # they were flagged


def test_what_cannot_be_told_agrees_with_no_rating(subject):
    for trust in range(subject.cells.n_trusts):
        for each in trust_facts(subject, trust).of_status(names.CANNOT_TELL):
            assert each.against_rating in (names.CANNOT_TELL, names.NOT_RATED)
            assert each.why in names.REASONS


def test_flags_against_ratings_are_those_of_the_table(subject, nation):
    table = subject.spots.table
    said = nation.rating.rating.divergence
    assert said.dark_in_strong == int((table["rating_status"] == names.DARK_IN_STRONG).sum())
    assert said.bright_in_weak == int((table["rating_status"] == names.BRIGHT_IN_WEAK).sum())
    assert (said.dark, said.bright) == (len(subject.spots.dark), len(subject.spots.bright))
    assert nation.rating.divergent.total == said.dark_in_strong + said.bright_in_weak > 0
    assert sum(sum(band.counts.values()) for band in nation.rating.bands) == int(
        table["rating"].notna().sum()
    )


def test_types_trusts_and_grid_count_the_same_departments(subject, nation):
    by_type = subject.spots.table.groupby("department")["status"].value_counts()
    for each in nation.types:
        assert {status: n for status, n in each.counts.items() if n} == by_type[each.name].to_dict()
    kinds = [kind for row in nation.grid.kinds for kind in row]
    assert kinds.count("dark") == len(subject.spots.dark)
    assert len(nation.grid.effects) == nation.spots.total
    held = flagged(subject.spots.table).groupby("trust")["status"].agg(set)
    assert nation.coexistence.both == int((held.map(len) == 2).sum())
    assert nation.coexistence.with_dark == int(held.map(lambda kinds: names.DARK in kinds).sum())


def test_pairs_are_those_of_the_spots(subject, nation):
    pairs = subject.spots.learning_pairs(3)
    first = pairs.drop_duplicates(["trust", "department"])
    assert [(each.trust, each.department, each.partner) for each in nation.learning.pairs] == list(
        first[["trust", "department", "partner_trust"]].itertuples(index=False, name=None)
    )
    without = pairs.attrs["without_partner"]
    assert sum(nation.learning.without.values()) == len(without)
    assert nation.learning.with_partner + len(without) == len(subject.spots.dark)
    own = trust_facts(subject, example_trust(subject)).learning
    assert own.of_one_trust
    assert own.total == int((pairs["trust"] == subject.cells.trusts[example_trust(subject)]).sum())


def test_a_trust_is_found_in_the_funnel_of_all(subject):
    for trust in range(subject.cells.n_trusts):
        facts = trust_facts(subject, trust)
        assert facts.funnel.side in ("above", "within", "below")
        assert not facts.funnel.is_example
        assert [point.label for point in facts.funnel.nation.points if point.named] == [facts.trust]
    example = nation_facts(subject).funnel
    assert (example.is_example, example.side) == (True, None)


def test_the_most_certain_are_listed_where_there_are_too_many():
    fit = make_fit(simulate_frame(230, 12), sd=0.8, draws=60)
    subject = Subject.of(fit, fit.find_spots())
    listed = nation_facts(subject).spots
    assert listed.total == len(flagged(subject.spots.table)) > MOST_ROWS == len(listed.departments)
    certain = np.sort(flagged(subject.spots.table)["probability"])[::-1][:MOST_ROWS]
    assert sorted((each.probability for each in listed.departments), reverse=True) == certain.tolist()


# ---- the words made of them ------------------------------------------------------------------------------------


def documents() -> list[Document]:
    frame = simulate_frame(12, 6)
    alone = frame[(frame["trust"] != "T003") | (frame["department"] == "D02")]
    found = []
    for table, sd in ((frame, 0.2), (frame, 0.001), (alone, 0.2), (frame.drop(columns="rating"), 0.2)):
        fit = make_fit(table, sd=sd)
        subject = Subject.of(fit, fit.find_spots(rating_uses_outcome="rating" in table))
        found += [compose(subject), compose(subject, trust="T003"), compose(subject, trust="T000")]
    return found


def test_a_paragraph_stands_to_its_message_as_it_says():
    roles = set()
    for content in documents():
        for section in content.sections:
            for each in (block for block in section.blocks if isinstance(block, Paragraph)):
                roles.add(each.role)
                begins = each.text.startswith(section.message)
                assert (each.role != "other") == begins, (section.kind, each)
                assert (each.role == "message") == (each.text == section.message), (section.kind, each)
    assert roles == {"message", "opening", "other"}


def test_headlines_beside_the_message_are_those_that_are_not_the_message():
    for content in documents():
        assert content.beside == tuple(line for line in content.headlines if line != content.message)


def test_every_kind_of_section_occurs_once_at_most():
    for content in documents():
        kinds = [section.kind for section in content.sections]
        assert len(set(kinds)) == len(kinds)
        assert kinds[-2:] == ["method", "provenance"]
        listed = [
            section.kind
            for section in content.sections
            for block in section.blocks
            if isinstance(block, Bullets)
        ]
        assert set(listed) <= {"spots", "method"}
