"""Sections of a board pack, from its facts: which paragraphs, figures and tables, in what order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from brightspots.common import vocabulary as names
from brightspots.figures.marks import MARKS
from brightspots.report import cautions, paragraphs, tables, trust_sentences
from brightspots.report.document import (
    Bar,
    Bars,
    Block,
    Bullets,
    Funnel,
    Funnels,
    Kind,
    Paragraph,
    Section,
    Table,
    Terms,
)
from brightspots.report.facts import (
    Learning,
    NationFacts,
    Setting,
    Shared,
    Tally,
    TrustFacts,
    TwoStageFunnel,
    Variation,
)
from brightspots.report.rating_facts import NationRating, Rating

_LEVEL_LABELS: Final = {
    "trust": "Between trusts",
    "department": "Between departments of a trust",
    "period": "Between periods of a department",
}


# ---- of both kinds of pack -------------------------------------------------------------------------------------


def variation(of: Variation, setting: Setting) -> Section:
    """The partition of the variance between trusts, departments and periods."""
    said = paragraphs.variation(of)
    blocks: list[Block] = [_opening(said)]
    if of.has_departments:
        blocks.append(
            Bars(
                "partition",
                "Shares of the variation that chance does not explain. Lines are 95% intervals.",
                said[0],
                tuple(Bar(_LEVEL_LABELS[level], share) for level, share in of.shares.items()),
            )
        )
        blocks.append(Paragraph(" ".join(paragraphs.typical_differences(of, setting.measure))))
    return Section("variation", "Where the variation lies", tuple(blocks), said[0])


def funnel(of: TwoStageFunnel, setting: Setting) -> Section:
    """The trusts of the nation, then the departments of one trust."""
    said = " ".join(paragraphs.funnel(of))
    panels = tuple(
        replace(panel, message=message)
        for panel, message in zip(of.panels, paragraphs.panels(of), strict=True)
    )
    figure = Funnels(
        "funnel",
        paragraphs.funnel_caption(of, setting),
        said,
        panels,
        _funnel_legend(panels, of.flags.trust),
        setting.measure.is_ratio,
    )
    beside = map(Paragraph, paragraphs.beside_the_funnel(of))
    return Section("funnel", "Funnels: trusts, then departments", (figure, *beside), said)


def cannot_tell(tally: Tally, setting: Setting, table: Table) -> Section:
    """Departments with the status "cannot tell": of the nation by type, or those of one trust."""
    said = paragraphs.cannot_tell(tally, setting)
    blocks: list[Block] = [_opening(said), Paragraph(paragraphs.in_line(tally, setting))]
    if table.rows:
        blocks.append(table)
    return Section("cannot-tell", "What cannot be told", tuple(blocks), said[0])


def learning(of: Learning, setting: Setting) -> Section:
    """Dark spots with better departments to learn from."""
    message, *others = paragraphs.learning(of)
    blocks: list[Block] = [Paragraph(message, role="message"), *map(Paragraph, others)]
    if of.with_partner:
        blocks.append(tables.pairs_table(of, setting))
    return Section("learning", "Whom to learn from", tuple(blocks), message)


def method(shared: Shared, notes: Sequence[str]) -> Section:
    """The method in plain words, and the meaning of terms."""
    model, rule, flag, *periods = paragraphs.method(shared.setting)
    blocks: list[Block] = [Paragraph(model), Paragraph(rule), Paragraph(flag, role="opening")]
    blocks += map(Paragraph, periods)
    noted = paragraphs.notes(shared, notes)
    if noted:
        blocks += [Paragraph("About these data:"), Bullets(noted)]
    blocks.append(Terms(paragraphs.terms(shared.setting)))
    heading = "How this was done, and what the words mean"
    return Section("method", heading, tuple(blocks), cautions.what_a_flag_is())


def provenance(shared: Shared) -> Section:
    """The certificate and the cautions on the data, in words. The manifest follows it in every format."""
    said = paragraphs.certificate(shared)
    blocks = [Paragraph(said, strong=not shared.certificate.ok, role="message")]
    blocks += [
        Paragraph(cautions.data(caution.text), strong=caution.is_doubt)
        for caution in shared.cautions
        if caution.code != names.WAY_IN  # told in "About these data"
    ]
    return Section("provenance", "Certificate and provenance", tuple(blocks), said)


# ---- of a nation -----------------------------------------------------------------------------------------------


def mosaic(facts: NationFacts) -> Section:
    """Every department of every trust."""
    figure = tables.mosaic(facts.grid, facts.shared.setting)
    return Section(
        "mosaic", "Every department at a glance", (figure,), paragraphs.coexistence(facts.coexistence)
    )


def spots(facts: NationFacts) -> Section:
    """The bright and dark spots of all trusts."""
    said = paragraphs.flags(facts.tally)
    rating = None if facts.rating is None else facts.rating.rating
    table = tables.spots_table(facts.spots, facts.shared.setting, rating)
    blocks: list[Block] = [Paragraph(said, role="message"), *_doubts_of_flags(facts.shared)]
    if table.rows:
        blocks.append(table)
    return Section("spots", "Bright and dark spots", tuple(blocks), said)


def rating(of: NationRating, setting: Setting) -> Section:
    """Departments against the ratings."""
    said = paragraphs.rating(of.rating)
    blocks: list[Block] = [
        _opening(said),
        Paragraph(" ".join(paragraphs.rating_explained(of.rating))),
        tables.bands_table(of),
    ]
    divergent = tables.divergent_table(of, setting)
    if divergent.rows:
        blocks.append(divergent)
    return Section("rating", _rating_heading(of.rating), tuple(blocks), said[0])


def _doubts_of_flags(shared: Shared) -> list[Block]:
    """What else a reader should know of the flags: a small margin, and how many survive errors of what was expected."""
    setting, said = shared.setting, []
    if shared.spread is not None:
        said.append(cautions.wide_spread(*shared.spread, setting.margin, setting.measure))
    if shared.survivors is not None:
        said.append(cautions.surviving(*shared.survivors, adjusted=setting.has_expected))
    return [Paragraph(text) for text in said]


# ---- of one trust ----------------------------------------------------------------------------------------------


def own_spots(facts: TrustFacts) -> Section:
    """One sentence for each flagged department, dark and bright in lists of their own."""
    blocks: list[Block] = []
    if len(facts.departments) == 1:
        only = facts.departments[0].name
        blocks.append(Paragraph(trust_sentences.only_department(facts.trust, only)))
    for status in (names.DARK, names.BRIGHT):
        said = tuple(paragraphs.spot(each, facts.shared.setting) for each in facts.of_status(status))
        blocks.append(Bullets(said) if said else Paragraph(trust_sentences.nothing_flagged(status)))
    message = paragraphs.flags(facts.tally)
    if facts.flags.dark or facts.flags.bright:
        blocks.append(Paragraph(message, role="message"))
        blocks += _doubts_of_flags(facts.shared)
    return Section("spots", "Dark spots and bright spots", tuple(blocks), message)


def departments(facts: TrustFacts) -> Section:
    """Every department of one trust."""
    return Section(
        "departments", "Every department", (tables.departments_table(facts),), paragraphs.level(facts)
    )


def own_rating(facts: TrustFacts) -> Section:
    """One trust against its rating, or its departments against theirs."""
    of = facts.rating
    assert of is not None  # the section is left out otherwise
    said = paragraphs.trust_rating(facts.trust, of)
    blocks: list[Block] = [_opening(said)]
    if of.is_rated:
        blocks.append(Paragraph(" ".join(paragraphs.rating_explained(of.rating))))
        blocks.append(tables.trust_rating_table(facts.departments, of))
    return Section("rating", _rating_heading(of.rating), tuple(blocks), said[0])


# ---- parts -----------------------------------------------------------------------------------------------------


def _opening(said: Sequence[str]) -> Paragraph:
    """A paragraph of sentences, the first of which is the message of the section."""
    return Paragraph(" ".join(said), role="message" if len(said) == 1 else "opening")


def _rating_heading(of: Rating) -> str:
    """Heading of a section on ratings: of trusts, or of departments."""
    return "Against the departments' ratings" if of.by_department else "Against the overall rating"


def _funnel_legend(panels: Sequence[Funnel], trust: str) -> tuple[tuple[Kind, str], ...]:
    """The marks that occur."""
    found = {point.kind for panel in panels for point in panel.points}
    return tuple(
        (kind, f"{trust}, {mark.label}" if kind == "here" else mark.label)
        for kind, mark in MARKS.items()
        if kind in found
    )
