"""Sections of a board pack: which sentences, figures and tables, in what order. Shared by both kinds of pack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.wording import stated_probability
from brightspots.data.cells import IntArray
from brightspots.figures.marks import MARKS
from brightspots.report import cautions, sentences, tables, words
from brightspots.report.document import (
    Bar,
    Bars,
    Block,
    Bullets,
    Funnel,
    Funnels,
    Kind,
    Paragraph,
    Point,
    Section,
    Table,
    Terms,
)
from brightspots.report.funnels import LEVELS, department_funnel, nation_funnel
from brightspots.report.measure import UNITS
from brightspots.report.subject import Subject
from brightspots.report.words import Estimate

_LEVEL_LABELS = {
    "trust": "Between trusts",
    "department": "Between departments of a trust",
    "period": "Between periods of a department",
}


def warning(subject: Subject) -> str | None:
    """What must be said before anything else: that the fit did not earn its certificate, that its data are in doubt."""
    certificate, said = subject.fit.certificate, []
    if not certificate.ok:
        said.append(
            cautions.certificate(False, certificate.method, certificate.effective_draws, certificate.message)
        )
    doubtful = [caution.code for caution in subject.fit.cautions if caution.is_doubt]
    if doubtful:
        said.append(cautions.doubts(doubtful))
    return " ".join(said) or None


def partition_sentences(subject: Subject) -> list[str]:
    """Where the variation lies, in words."""
    partition = subject.partition
    if "department" not in partition.index:
        return [sentences.trusts_only()]
    return [
        sentences.partition(_estimates(partition, "share")),
        sentences.departments_vary_more(partition.attrs["p_department_exceeds_trust"]),
    ]


def partition(subject: Subject) -> Section:
    """Where the variation lies."""
    frame = subject.partition
    blocks: list[Block] = [Paragraph(" ".join(partition_sentences(subject)))]
    if "department" in frame.index:
        shares = _estimates(frame, "share")
        blocks.append(
            Bars(
                "partition",
                "Shares of the variation that chance does not explain. Lines are 95% intervals.",
                sentences.partition(shares),
                tuple(Bar(_LEVEL_LABELS[level], share) for level, share in shares.items()),
            )
        )
        typical = _estimates(frame, subject.measure.column("median"))
        said = [
            sentences.typical_difference(level, typical[level], subject.measure)
            for level in ("trust", "department")
        ]
        if not subject.measure.is_ratio:
            said.append(sentences.spread(_estimates(frame, "sd"), subject.measure))
        blocks.append(Paragraph(" ".join(said)))
    message = partition_sentences(subject)[0]
    return Section("variation", "Where the variation lies", tuple(blocks), message)


def two_stage_funnel(subject: Subject, trust: int, *, highlight: bool) -> Section:
    """The trusts of the nation, then the departments of one trust."""
    label = subject.trust_labels[trust]
    panels = [nation_funnel(subject, trust if highlight else None)]
    outside = [point for point in panels[0].points if point.kind.endswith(("-above", "-below"))]
    said = [sentences.outside_limits(len(outside), len(panels[0].points), LEVELS[-1])]
    unplaced = sum(point.kind == "cannot-tell" for point in panels[0].points)
    if unplaced:
        said.append(cautions.cannot_be_placed(unplaced))
    if "department" in subject.partition.index:
        panels.append(department_funnel(subject, trust))
        said.append(f"The departments drawn are {len(panels[1].points):,} of {label}.")
    barred = [[point.label for point in panel.points if point.is_bar] for panel in panels]
    said += [cautions.bars(labels) for labels in barred if labels]
    where = [_where(point) for point in panels[0].points if point.label == label] if highlight else []
    messages = [sentences.trust_in_funnel(label, where[0], LEVELS[-1]) if where else said[0]]
    messages += [own_flags(subject, trust)] if len(panels) > 1 else []
    panels = [replace(panel, message=message) for panel, message in zip(panels, messages, strict=True)]
    caption = _funnel_caption("" if highlight else label, subject.ordered_by)
    blocks: list[Block] = [
        Funnels(
            "funnel",
            caption,
            " ".join(said),
            tuple(panels),
            _funnel_legend(panels, label),
            subject.measure.is_ratio,
        )
    ]
    withheld = int(subject.cells.censored.sum())
    if withheld:
        drawn = sum(map(len, barred))
        blocks.append(Paragraph(cautions.suppressed(withheld, subject.cells.n_leaves, drawn)))
    # Their funnels hold most trusts all the same: it is there that this misleads.
    blocks += [
        Paragraph(cautions.data(caution.text))
        for caution in subject.fit.cautions
        if caution.code == names.OUTSIDE_PLAIN
    ]
    return Section("funnel", "Funnels: trusts, then departments", tuple(blocks), " ".join(said))


def own_flags(subject: Subject, trust: int) -> str:
    """What is bright and what is dark in one trust, in words."""
    cells = subject.of_trust(trust)
    bright, dark = (
        [subject.department_of(cell) for cell in cells[subject.status[cells] == status].tolist()]
        for status in (names.BRIGHT, names.DARK)
    )
    return sentences.trust_flags(subject.trust_labels[trust], bright, dark, len(cells))


def _where(point: Point) -> sentences.Side:
    if point.kind.endswith("-above"):
        return "above"
    if point.kind == "cannot-tell":
        return "unplaced"
    return "below" if point.kind.endswith("-below") else "within"


def _funnel_caption(example: str, ordered_by: str) -> str:
    inner, outer = (f"{level * 100:g}%" for level in LEVELS)
    caption = (
        "First, every trust against the national level; then the departments of one trust against the trust's own "
        f"level. The lines are limits within which {inner} (dashed) and {outer} (solid) of units of that size are "
        f"expected, given chance and the ordinary variation between trusts or departments. Among trusts the "
        f"marks show which lie outside the {outer} limits; among departments they show the statuses."
    )
    if example:
        caption += (
            f" {example} is an example: the first, by {ordered_by}, with flags of both kinds, else with any, else the "
            "first."
        )
    return caption


def _funnel_legend(panels: Sequence[Funnel], label: str) -> tuple[tuple[Kind, str], ...]:
    """The marks that occur."""
    found = {point.kind for panel in panels for point in panel.points}
    return tuple(
        (kind, f"{label}, {mark.label}" if kind == "here" else mark.label)
        for kind, mark in MARKS.items()
        if kind in found
    )


def example_trust(subject: Subject) -> int:
    """The first trust by label with spots of both kinds, else with a spot, else the first: no choice by performance."""
    trust = subject.cells.cell_trust
    held = [set(trust[subject.status == status].tolist()) for status in (names.DARK, names.BRIGHT)]
    for candidates in (held[0] & held[1], held[0] | held[1]):
        if candidates:
            return min(candidates)
    return 0


def rating_sentences(subject: Subject, cells: IntArray | None = None) -> list[str]:
    """How the flags, or those of some cells, stand against the ratings, in words."""
    ratings = subject.spots.ratings
    assert ratings is not None  # asked only where there are ratings
    chosen = np.arange(subject.cells.n_cells) if cells is None else cells
    against = subject.table["rating_status"].to_numpy(dtype=str)[chosen]
    rated = ratings.cell_band[chosen] >= 0
    status = subject.status[chosen]
    said = [subject.spots.rating_note]
    if ratings.strong is not None:
        said = [
            sentences.against_rating(
                int(np.sum(against == names.DARK_IN_STRONG)),
                int(np.sum(rated & (status == names.DARK))),
                int(np.sum(against == names.BRIGHT_IN_WEAK)),
                int(np.sum(rated & (status == names.BRIGHT))),
                by_department=ratings.by_department,
            ),
            sentences.strong_is(ratings.strong_rule),
        ]
    if subject.spots.rating_uses_outcome:
        said.append(sentences.rating_not_independent())
    return said


def rating_explained(subject: Subject) -> list[str]:
    """How much the ratings account for, in words."""
    ratings = subject.spots.ratings
    assert ratings is not None  # asked only where there are ratings
    unit, band = (
        ("trust", ratings.trust_band) if ratings.trust_band is not None else ("department", ratings.cell_band)
    )
    if len(ratings.levels) < 2:
        return [sentences.rating_explains_nothing(ratings.levels[0], unit)]
    explains = subject.rating_explains
    shares = _estimates(explains, "share")
    said = [
        sentences.rating_explains(shares["trust_and_department"], shares.get("trust")),
        sentences.rating_reversed(
            Estimate(*explains.attrs["p_reversed"]), by_department=ratings.by_department
        ),
    ]
    unrated = int(np.sum(band < 0))
    if unrated:
        said.append(sentences.unrated(unrated, len(band), f"{unit}s"))
    return said


def rating_heading(subject: Subject) -> str:
    """What the section is about: the one rating of each trust, or those of its departments."""
    own = tables.rated_by_department(subject)
    return "Against the departments' ratings" if own else "Against the overall rating"


def rating(subject: Subject) -> Section:
    """Departments against the overall ratings."""
    blocks: list[Block] = [
        Paragraph(" ".join(rating_sentences(subject))),
        Paragraph(" ".join(rating_explained(subject))),
        tables.bands_table(subject),
    ]
    divergent = tables.divergent_table(subject)
    if divergent.rows:
        blocks.append(divergent)
    return Section("rating", rating_heading(subject), tuple(blocks), rating_sentences(subject)[0])


def cannot_tell(subject: Subject, cells: IntArray | None = None, table: Table | None = None) -> Section:
    """What cannot be told: of the nation by type, or the departments of one trust."""
    chosen = np.arange(subject.cells.n_cells) if cells is None else cells
    unknown = chosen[subject.status[chosen] == names.CANNOT_TELL]
    rule = subject.spots.rule
    said = [sentences.cannot_tell(len(unknown), len(chosen))]
    if len(unknown):
        reasons, counts = np.unique(subject.spots.decisions.why[unknown], return_counts=True)
        said.append(sentences.reasons(dict(zip(reasons.tolist(), counts.tolist(), strict=True))))
    reach = subject.reach[unknown]
    if not np.isnan(reach).all():
        middle = tables.middle_reach(reach, subject.spots.higher_is, subject.measure)
        said.append(sentences.detectable(middle, subject.spots.higher_is, subject.measure))
    blocks: list[Block] = [
        Paragraph(" ".join(said)),
        Paragraph(
            sentences.in_line(
                subject.count(names.IN_LINE, chosen),
                len(chosen),
                subject.spots.margin,
                rule.in_line,
                subject.measure,
            )
        ),
    ]
    if table is not None and table.rows:
        blocks.append(table)
    return Section("cannot-tell", "What cannot be told", tuple(blocks), said[0])


def learning(subject: Subject, trust: int | None = None) -> Section:
    """Whom to learn from."""
    pairs, alone = subject.pairs, subject.pairs.attrs["without_partner"]
    if trust is None:
        pairs = pairs.groupby([names.TRUST, names.DEPARTMENT], sort=False).head(1)
    else:
        code = subject.cells.trusts[trust]
        pairs = pairs[pairs[names.TRUST] == code]
        alone = [pair for pair in alone if pair[0] == code]
    with_partner = len(pairs[[names.TRUST, names.DEPARTMENT]].drop_duplicates())
    message = sentences.learning(with_partner, len(alone))
    blocks: list[Block] = [Paragraph(message)]
    if with_partner:
        blocks.append(
            Paragraph(
                "A pair is an invitation to talk, not a verdict: the two departments do the same kind of work, and the "
                "table says how probable it is that one of them truly gets better results."
            )
        )
        blocks.append(tables.pairs_table(subject, pairs, trust))
    return Section("learning", "Whom to learn from", tuple(blocks), message)


def method(subject: Subject, notes: Sequence[str]) -> Section:
    """How it was done, in plain words, and what the words mean."""
    rule, cells = subject.spots.rule, subject.cells
    measure, limit = subject.measure, subject.measure.margin(subject.spots.margin)
    counted = {
        "poisson": f"The {subject.events} of each department are compared with the number expected from its patients.",
        "binomial": f"The {subject.events} of each department are compared with the number of its patients"
        + (", and with the number expected from their case mix." if cells.expected is not None else "."),
        "normal": f"Each department is described by an estimate with its standard error{_measured_in(subject)}.",
    }[cells.family.name]
    made = "counted" if subject.counts_events else "measured"
    blocks: list[Block] = [
        Paragraph(
            f"{counted} A hierarchical Bayesian model then separates what is due to chance, to the type of department "
            "nationally, to the trust, and to the department within its trust. Small departments are pulled towards "
            "the average, by as much as their numbers are uncertain, so that small numbers do not look remarkable "
            "merely because they vary more."
        ),
        Paragraph(
            f"{cautions.rule(subject.spots.margin, rule.fdr, rule.reference, measure)} "
            f"{cautions.direction(subject.spots.higher_is, subject.events, measure)}"
        ),
        Paragraph(
            f"{cautions.what_a_flag_is()} Case mix, coding and what was {made} can all produce one. "
            "The absence of a flag is not a clean bill of health."
        ),
    ]
    if cells.periods is not None:
        blocks.append(
            Paragraph(
                "The data cover several periods. What is reported of a department is its average over the periods "
                "shown; what was particular to one of them is set apart. It is not a statement of where the "
                "department stands in the last period, or will stand in the next."
            )
        )
    if subject.spots.ratings is None and subject.spots.rating_note:
        notes = [*notes, subject.spots.rating_note]
    if subject.shortened:
        notes = [*notes, cautions.shortened(subject.shortened)]
    said = dict.fromkeys(
        [*notes, *subject.fit.table.notes]
    )  # the author may have passed on what the data say already
    if said:
        blocks += [Paragraph("About these data:"), Bullets(tuple(said))]
    level = sentences.level_is(cells.family.name)[0].split()[1]
    blocks.append(
        Terms(
            (
                (
                    "Dark spot, bright spot",
                    f"A department flagged on the bad or on the good side, by more than {limit}.",
                ),
                (
                    "In line",
                    f"There is evidence, in its own data too, that the department lies within {limit} "
                    "both of the rest of its own trust and of the same department elsewhere "
                    f"(probability at least {stated_probability(rule.in_line)}).",
                ),
                (
                    "Cannot tell",
                    "The data do not say any of these: most often they are too thin. It is not good news, and not bad "
                    "news.",
                ),
                (
                    level.capitalize(),
                    "What a department's results come to once chance and the national level of its type are "
                    f"allowed for; {'1.00' if measure.is_ratio else '0'} is the same as the comparison.",
                ),
                *(
                    (
                        (
                            f"Excess {subject.events}",
                            f"How many more (+) or fewer (−) {subject.events} there were than at the level of "
                            "the other departments of the same trust.",
                        ),
                    )
                    if subject.counts_events
                    else ()
                ),
                (
                    "95% interval",
                    "The range in which the true value lies with a probability of 0.95, given the model and the data.",
                ),
                ("Probability words", _probability_words()),
            )
        )
    )
    heading = "How this was done, and what the words mean"
    return Section("method", heading, tuple(blocks), cautions.what_a_flag_is())


def provenance(subject: Subject) -> Section:
    """The certificate and what is to be known of the data, in words. The manifest follows it in every format."""
    certificate = subject.fit.certificate
    said = cautions.certificate(
        certificate.ok, certificate.method, certificate.effective_draws, certificate.message
    )
    blocks = [Paragraph(said, strong=not certificate.ok)]
    blocks += [
        Paragraph(cautions.data(caution.text), strong=caution.is_doubt)
        for caution in subject.fit.cautions
        if caution.code != names.WAY_IN  # told in "About these data"
    ]
    return Section("provenance", "Certificate and provenance", tuple(blocks), said)


def _measured_in(subject: Subject) -> str:
    """In which unit, where one is known: ``, in days``."""
    measure = subject.measure
    return "" if measure.is_ratio or measure.unit == UNITS else f", in {measure.unit}"


def _probability_words() -> str:
    said = []
    for least, phrase in words.PROBABILITY_WORDS:
        said.append(f"{phrase}: {f'at least {least:.2f}' if least else 'below 0.01'}")
    return "; ".join(said) + "."


def _estimates(frame: pd.DataFrame, quantity: str) -> dict[str, Estimate]:
    """Rows of a frame with `_lower` and `_upper` columns, by index label."""
    columns = frame[[quantity, f"{quantity}_lower", f"{quantity}_upper"]]
    return {
        str(label): Estimate(*map(float, row))
        for label, row in zip(columns.index, columns.to_numpy(), strict=True)
    }
