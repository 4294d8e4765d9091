"""The two kinds of board pack, of a whole nation and of one trust: their sections in order, and their conclusion."""

from __future__ import annotations

from collections.abc import Sequence

from brightspots.report import paragraphs, sections, tables, words
from brightspots.report.document import Document
from brightspots.report.facts import NationFacts, TrustFacts
from brightspots.report.manifest import Manifest


def nation_document(
    facts: NationFacts, manifest: Manifest, title: str | None, notes: Sequence[str]
) -> Document:
    """Write about all trusts."""
    shared, setting = facts.shared, facts.shared.setting
    variation = paragraphs.variation(shared.variation)
    others = [
        paragraphs.flags(facts.tally),
        paragraphs.coexistence(facts.coexistence),
        paragraphs.cannot_tell(facts.tally, setting)[0],
    ]
    parts = [
        sections.variation(shared.variation, setting),
        sections.funnel(facts.funnel, setting),
        sections.mosaic(facts),
        sections.spots(facts),
    ]
    if facts.rating is not None:
        others.append(" ".join(paragraphs.rating(facts.rating.rating)))
        parts.append(sections.rating(facts.rating, setting))
    parts += [
        sections.cannot_tell(facts.tally, setting, tables.types_table(facts.types, setting)),
        sections.learning(facts.learning, setting),
        sections.method(shared, notes),
        sections.provenance(shared),
    ]
    first = " ".join(variation)
    return Document(
        title=title or "Bright and dark spots inside hospitals",
        subtitle=paragraphs.sizes(shared.sizes),
        warning=paragraphs.warning(shared),
        headlines=(first, *others),
        sections=tuple(parts),
        manifest=manifest,
        message=variation[-1],
        beside=tuple(others) if len(variation) == 1 else (first, *others),
    )


def trust_document(
    facts: TrustFacts, manifest: Manifest, title: str | None, notes: Sequence[str]
) -> Document:
    """Write about one trust: its bright and its dark spots first, then its peers."""
    shared, setting = facts.shared, facts.shared.setting
    message = paragraphs.trust_flags(facts.flags)
    others = [paragraphs.level(facts), paragraphs.cannot_tell(facts.tally, setting)[0]]
    parts = [
        sections.own_spots(facts),
        sections.departments(facts),
        sections.funnel(facts.funnel, setting),
    ]
    if facts.rating is not None:
        others.append(" ".join(paragraphs.trust_rating(facts.trust, facts.rating)))
        parts.append(sections.own_rating(facts))
    parts += [
        sections.cannot_tell(facts.tally, setting, tables.unknown_table(facts)),
        sections.learning(facts.learning, setting),
        sections.variation(shared.variation, setting),
        sections.method(shared, notes),
        sections.provenance(shared),
    ]
    among = f"{words.counted(shared.sizes.departments, 'department')} of {words.counted(shared.sizes.trusts, 'trust')}"
    return Document(
        title=title or f"Bright and dark spots: {facts.trust}",
        subtitle=(
            f"{words.counted(facts.tally.departments, 'department')} of {facts.trust}, seen among {among}."
        ),
        warning=paragraphs.warning(shared),
        headlines=(message, *others),
        sections=tuple(parts),
        manifest=manifest,
        message=message,
        beside=tuple(others),
    )
