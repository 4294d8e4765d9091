"""The two kinds of board pack: a whole nation, and one trust."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brightspots.common import vocabulary as names
from brightspots.data.cells import IntArray
from brightspots.data.period_order import period_texts
from brightspots.report import sections, sentences, tables, words
from brightspots.report.document import Block, Bullets, Document, Paragraph, Section
from brightspots.report.manifest import Manifest
from brightspots.report.subject import Subject
from brightspots.report.words import Estimate


def nation_document(
    subject: Subject, manifest: Manifest, title: str | None, notes: Sequence[str]
) -> Document:
    """Write about all trusts."""
    cells, spots = subject.cells, subject.spots
    periods = [] if cells.periods is None else period_texts(cells.periods)
    headlines = [
        " ".join(sections.partition_sentences(subject)),
        _flags(subject),
        _coexistence(subject),
        sentences.cannot_tell(subject.count(names.CANNOT_TELL), cells.n_cells),
    ]
    parts = [
        sections.partition(subject),
        sections.two_stage_funnel(subject, sections.example_trust(subject), highlight=False),
        _mosaic(subject),
        _spots(subject),
    ]
    if spots.ratings is not None:
        headlines.append(" ".join(sections.rating_sentences(subject)))
        parts.append(sections.rating(subject))
    parts += [
        sections.cannot_tell(subject, table=tables.types_table(subject)),
        sections.learning(subject),
        sections.method(subject, notes),
        sections.provenance(subject),
    ]
    return Document(
        title=title or "Bright and dark spots inside hospitals",
        subtitle=sentences.sizes(
            cells.n_trusts,
            cells.n_departments,
            cells.n_cells,
            periods,
            in_order=cells.period_order != "unknown",
        ),
        warning=sections.warning(subject),
        headlines=tuple(headlines),
        sections=tuple(parts),
        manifest=manifest,
        message=sections.partition_sentences(subject)[-1],
    )


def trust_document(
    subject: Subject, trust: int, manifest: Manifest, title: str | None, notes: Sequence[str]
) -> Document:
    """Write about one trust: its bright and its dark spots first, then its peers."""
    cells = subject.of_trust(trust)
    label = subject.trust_labels[trust]
    flagged = {status: cells[subject.status[cells] == status] for status in (names.BRIGHT, names.DARK)}
    headlines = [
        sentences.trust_flags(
            label,
            [subject.department_of(cell) for cell in flagged[names.BRIGHT]],
            [subject.department_of(cell) for cell in flagged[names.DARK]],
            len(cells),
        ),
        _level(subject, trust),
        sentences.cannot_tell(subject.count(names.CANNOT_TELL, cells), len(cells)),
    ]
    parts = [_own_spots(subject, trust, flagged)]
    parts.append(
        Section("departments", "Every department", (tables.departments_table(subject, trust),), headlines[1]),
    )
    parts.append(sections.two_stage_funnel(subject, trust, highlight=True))
    if subject.spots.ratings is not None:
        section = _own_rating(subject, trust, cells)
        parts.append(section)
        first = section.blocks[0]
        assert isinstance(first, Paragraph)
        headlines.append(first.text)
    parts += [
        sections.cannot_tell(subject, cells, tables.unknown_table(subject, cells)),
        sections.learning(subject, trust),
        sections.partition(subject),
        sections.method(subject, notes),
        sections.provenance(subject),
    ]
    all_cells = subject.cells
    return Document(
        title=title or f"Bright and dark spots: {label}",
        subtitle=(
            f"{words.counted(len(cells), 'department')} of {label}, seen among "
            f"{words.counted(all_cells.n_cells, 'department')} of {words.counted(all_cells.n_trusts, 'trust')}."
        ),
        warning=sections.warning(subject),
        headlines=tuple(headlines),
        sections=tuple(parts),
        manifest=manifest,
        message=headlines[0],
    )


def _flags(subject: Subject) -> str:
    return sentences.flags(
        subject.count(names.BRIGHT),
        subject.count(names.DARK),
        subject.cells.n_cells,
        subject.spots.expected_false_flags,
    )


def _coexistence(subject: Subject) -> str:
    trust = subject.cells.cell_trust
    dark, bright = (set(trust[subject.status == status].tolist()) for status in (names.DARK, names.BRIGHT))
    return sentences.coexistence(len(dark & bright), len(dark), len(bright), subject.cells.n_trusts)


def _mosaic(subject: Subject) -> Section:
    return Section("mosaic", "Every department at a glance", (tables.mosaic(subject),), _coexistence(subject))


def _spots(subject: Subject) -> Section:
    blocks: list[Block] = [Paragraph(_flags(subject))]
    table = tables.spots_table(subject)
    if table.rows:
        blocks.append(table)
    return Section("spots", "Bright and dark spots", tuple(blocks), _flags(subject))


def _level(subject: Subject, trust: int) -> str:
    row, column = subject.trusts.iloc[trust], subject.measure.column("trust")
    effect = Estimate(*(float(row[f"{column}{end}"]) for end in ("", "_lower", "_upper")))
    return sentences.trust_level(
        subject.trust_labels[trust],
        effect,
        float(row["p_high"]),
        float(row["p_low"]),
        subject.spots.margin,
        subject.cells.family.name,
        subject.measure,
    )


def _own_spots(subject: Subject, trust: int, flagged: dict[str, IntArray]) -> Section:
    """One sentence for each flagged department, dark and bright under headings of their own."""
    label, rule = subject.trust_labels[trust], subject.spots.rule
    cells = subject.of_trust(trust)
    blocks: list[Block] = []
    if len(cells) == 1:
        blocks.append(Paragraph(sentences.only_department(label, subject.department_of(int(cells[0])))))
    for status in (names.DARK, names.BRIGHT):
        said = []
        for cell in map(int, flagged[status]):
            tells_excess = subject.counts_events and rule.reference != "peers"
            said.append(
                sentences.spot(
                    subject.department_of(cell),
                    status,
                    subject.effect(cell, subject.first),
                    float(subject.numbers("probability")[cell]),
                    reference=rule.reference,
                    family=subject.cells.family.name,
                    margin=subject.spots.margin,
                    other=subject.effect(cell, "own" if subject.first == "peer" else "peer"),
                    excess=subject.estimate(cell, "excess") if tells_excess else None,
                    events=subject.events,
                    measure=subject.measure,
                )
            )
        if said:
            blocks.append(Bullets(tuple(said)))
        else:
            blocks.append(Paragraph(sentences.nothing_flagged(status)))
    false = float(np.sum(1.0 - subject.numbers("probability")[np.concatenate(list(flagged.values()))]))
    message = sentences.flags(len(flagged[names.BRIGHT]), len(flagged[names.DARK]), len(cells), false)
    if len(flagged[names.DARK]) + len(flagged[names.BRIGHT]):
        blocks.append(Paragraph(message))
    return Section("spots", "Dark spots and bright spots", tuple(blocks), message)


def _own_rating(subject: Subject, trust: int, cells: IntArray) -> Section:
    ratings = subject.spots.ratings
    assert ratings is not None  # the section is left out otherwise
    label, heading = subject.trust_labels[trust], sections.rating_heading(subject)
    if (ratings.cell_band[cells] < 0).all():
        return Section(
            "rating", heading, (Paragraph(sentences.no_rating(label)),), sentences.no_rating(label)
        )
    explained = Paragraph(" ".join(sections.rating_explained(subject)))
    table = tables.trust_rating_table(subject, trust)
    if ratings.trust_band is None:
        said = sections.rating_sentences(subject, cells)
        return Section("rating", heading, (Paragraph(" ".join(said)), explained, table), said[0])
    band = int(ratings.trust_band[trust])
    if ratings.strong is None:
        said = [f"{sentences.rated_overall(label, ratings.levels[band])} {subject.spots.rating_note}"]
    else:
        own = sentences.own_rating(
            label,
            ratings.levels[band],
            bool(ratings.strong[band]),
            subject.count(names.DARK, cells),
            subject.count(names.BRIGHT, cells),
            rule=ratings.strong_rule,
        )
        said = [own]
    if subject.spots.rating_uses_outcome:
        said.append(sentences.rating_not_independent())
    return Section("rating", heading, (Paragraph(" ".join(said)), explained, table), said[0])
