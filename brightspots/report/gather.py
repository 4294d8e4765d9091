"""Compute the facts of a pack from a fit and its spots.

Departments are listed in the order of `Cells`, by trust and department, and never by performance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arrays import FloatArray, IntArray
from brightspots.data.period_order import period_texts
from brightspots.figures.marks import OUTSIDE, STATUS_KINDS, Kind
from brightspots.report.department_facts import Department, Listed
from brightspots.report.facts import (
    Coexistence,
    Flags,
    Grid,
    Learning,
    Level,
    NationFacts,
    Pair,
    Setting,
    Shared,
    Side,
    Sizes,
    Tally,
    TrustFacts,
    TwoStageFunnel,
    TypeTally,
    Variation,
)
from brightspots.report.funnels import LEVELS, department_funnel, nation_funnel
from brightspots.report.gather_rating import against_rating, nation_rating, trust_rating
from brightspots.report.measure import RATIOS, Measure
from brightspots.report.subject import Subject, estimates
from brightspots.report.words import Estimate
from brightspots.statistics.learning_pairs import WHY_WITHOUT

# Most departments in a list; the exported tables have all, and the page says how many there are.
MOST_ROWS: Final = 2_000
MOST_MOSAIC: Final = 200

_SIDES: Final[dict[Kind, Side]] = {**OUTSIDE, "cannot-tell": "unplaced"}


# Why a department cannot be told under a rule with a share: what lies near a margin is flagged by none there.
NOT_EXTREME = "not shown to be extreme"


def nation_facts(subject: Subject) -> NationFacts:
    """Facts of a pack about all trusts."""
    rated = subject.spots.ratings is not None
    divergent = np.isin(subject.rating_status, [names.DARK_IN_STRONG, names.BRIGHT_IN_WEAK])
    return NationFacts(
        shared=shared_facts(subject),
        tally=_tally(subject, np.arange(subject.cells.n_cells), subject.spots.expected_false_flags),
        coexistence=_coexistence(subject),
        funnel=_two_stage_funnel(subject, example_trust(subject), is_subject=False),
        grid=_grid(subject),
        spots=_listed(subject, np.isin(subject.status, [names.BRIGHT, names.DARK])),
        rating=nation_rating(subject, _listed(subject, divergent)) if rated else None,
        types=_types(subject),
        learning=_learning(subject),
    )


def trust_facts(subject: Subject, trust: int) -> TrustFacts:
    """Facts of a pack about one trust; `trust` is an index into `Cells.trusts`."""
    cells = subject.of_trust(trust)
    flagged = np.concatenate([cells[subject.status[cells] == each] for each in (names.BRIGHT, names.DARK)])
    false = float(np.sum(1.0 - subject.numbers("probability")[flagged]))
    return TrustFacts(
        shared=shared_facts(subject),
        trust=subject.trust_labels[trust],
        flags=_flags(subject, trust),
        level=_level(subject, trust),
        tally=_tally(subject, cells, false),
        departments=_departments(subject, cells),
        funnel=_two_stage_funnel(subject, trust, is_subject=True),
        rating=None if subject.spots.ratings is None else trust_rating(subject, trust),
        learning=_learning(subject, trust),
    )


def shared_facts(subject: Subject) -> Shared:
    """Facts in every pack of a fit."""
    cells, fit, spots = subject.cells, subject.fit, subject.spots
    periods = [] if cells.periods is None else period_texts(cells.periods)
    partition = subject.partition
    return Shared(
        setting=Setting(
            events=subject.events,
            measure=subject.measure,
            family=cells.family,
            higher_is=spots.higher_is,
            rule=spots.rule,
            margin=spots.margin,
            span=subject.span,
            ordered_by=subject.ordered_by,
            first=subject.first,
            counts_events=subject.counts_events,
            has_expected=cells.expected is not None,
            has_covariates=bool(cells.covariates),
            has_periods=cells.periods is not None,
        ),
        sizes=Sizes(
            cells.n_trusts,
            cells.n_departments,
            cells.n_cells,
            tuple(map(str, periods)),
            cells.period_order != "unknown",
        ),
        variation=Variation(
            shares=estimates(partition, "share"),
            typical=estimates(partition, subject.measure.column("median")),
            sds=estimates(partition, "sd"),
            p_department_exceeds_trust=float(partition.attrs["p_department_exceeds_trust"]),
        ),
        certificate=fit.certificate,
        cautions=fit.cautions,
        notes=tuple(fit.table.notes),
        rating_note=spots.rating_note if spots.ratings is None else "",
        shortened=subject.shortened,
        spread=spots.wide_spread,
        survivors=subject.survivors,
    )


def example_trust(subject: Subject) -> int:
    """Index of the first trust by label with spots of both kinds, else with a spot, else the first one."""
    dark, bright = (_holding(subject, status) for status in (names.DARK, names.BRIGHT))
    for candidates in (dark & bright, dark | bright):
        if candidates:
            return min(candidates)
    return 0


def middle_reach(effects: FloatArray, higher_is: names.HigherIs, measure: Measure = RATIOS) -> float:
    """Median of some detectable effects; NaN where there is none.

    Parameters
    ----------
    effects : (n,)
        On the dark side: ratios or differences. Missing ones are left out.
    higher_is : {"worse", "better"}
        Where the dark side is below 1 ("better"), the median of the inverses of ratios is taken, and inverted, so that
        0 is treated as infinity is on the other side.
    measure : Measure
    """
    if np.isnan(effects).all():
        return np.nan
    if higher_is == "worse" or not measure.is_ratio:
        return float(np.nanmedian(effects))
    with np.errstate(divide="ignore"):
        return float(1.0 / np.nanmedian(1.0 / effects))


# ---- departments -----------------------------------------------------------------------------------------------


def _departments(subject: Subject, cells: IntArray) -> tuple[Department, ...]:
    """The facts about some cells."""
    ratings, against = subject.spots.ratings, against_rating(subject)
    probability, reliability = subject.numbers("probability"), subject.numbers("reliability")
    other, two = subject.numbers("p_other_band"), subject.numbers("p_two_bands")
    decisions, reading = subject.spots.decisions, subject.spots.decisions.reading
    told = []
    for cell in cells.tolist():
        status = str(subject.status[cell])
        band = -1 if ratings is None else int(ratings.cell_band[cell])
        told.append(
            Department(
                trust=subject.trust_of(cell),
                name=subject.department_of(cell),
                status=status,
                why=_why(subject, cell),
                # Under a rule of both comparisons a department may be on the list of both and on neither alone.
                reading=str(reading[cell])
                if status in (decisions.own_status[cell], decisions.peer_status[cell])
                else "",
                kind=STATUS_KINDS[status],
                probability=float(probability[cell]),
                own=subject.effect(cell, "own"),
                peer=subject.effect(cell, "peer"),
                excess=subject.estimate(cell, "excess") if subject.counts_events else None,
                reach=_reach(subject, np.array([cell])),
                reliability=float(reliability[cell]),
                rating=None if ratings is None or band < 0 else str(ratings.levels[band]),
                band=band,
                against_rating=str(against[cell]),
                p_other_band=float(other[cell]),
                p_two_bands=float(two[cell]),
            )
        )
    return tuple(told)


def _why(subject: Subject, cell: int) -> str:
    """Why the status of a cell is "cannot tell"; under a share not by the margin, which flags nobody there."""
    why = str(subject.spots.decisions.why[cell])
    by_margin = why in (names.THIN, names.NEAR_THE_MARGIN)
    return NOT_EXTREME if by_margin and subject.spots.rule.share is not None else why


def _listed(subject: Subject, chosen: np.ndarray) -> Listed:
    """The cells where `chosen` (bool, (C,)) is true, dark ones first; at most `MOST_ROWS`, the most probable ones."""
    cells = np.flatnonzero(chosen)
    total = len(cells)
    if total > MOST_ROWS:
        probability = subject.numbers("probability")[cells]
        cells = np.sort(cells[np.argsort(-probability, kind="stable")[:MOST_ROWS]])
    cells = cells[np.argsort(subject.status[cells] != names.DARK, kind="stable")]
    return Listed(_departments(subject, cells), total)


def _reach(subject: Subject, cells: IntArray) -> float:
    """Median detectable effect of those of the given cells whose status is "cannot tell"."""
    if subject.spots.rule.share is not None:  # what would be flagged is known of a margin alone
        return float("nan")
    unknown = cells[subject.status[cells] == names.CANNOT_TELL]
    return middle_reach(subject.reach[unknown], subject.spots.higher_is, subject.measure)


def _tally(subject: Subject, cells: IntArray, expected_false: float) -> Tally:
    unknown = cells[subject.status[cells] == names.CANNOT_TELL]
    reasons, counts = np.unique(subject.spots.decisions.why[unknown], return_counts=True)
    return Tally(
        subject.counts(cells),
        expected_false,
        dict(zip(reasons.tolist(), counts.tolist(), strict=True)),
        _reach(subject, cells),
    )


def _types(subject: Subject) -> tuple[TypeTally, ...]:
    code = subject.cells.cell_department
    told = []
    for position, label in enumerate(subject.department_labels):
        cells = np.flatnonzero(code == position)
        told.append(TypeTally(label, subject.counts(cells), _reach(subject, cells)))
    return tuple(told)


def _flags(subject: Subject, trust: int) -> Flags:
    cells = subject.of_trust(trust)
    bright, dark = (
        tuple(subject.department_of(cell) for cell in cells[subject.status[cells] == status].tolist())
        for status in (names.BRIGHT, names.DARK)
    )
    return Flags(subject.trust_labels[trust], bright, dark, len(cells))


def _holding(subject: Subject, status: str) -> set[int]:
    """Trusts with a department of a status."""
    return set(subject.cells.cell_trust[subject.status == status].tolist())


def _coexistence(subject: Subject) -> Coexistence:
    dark, bright = (_holding(subject, status) for status in (names.DARK, names.BRIGHT))
    return Coexistence(len(dark & bright), len(dark), len(bright), subject.cells.n_trusts)


def _level(subject: Subject, trust: int) -> Level:
    row, column = subject.trusts.iloc[trust], subject.measure.column("trust")
    effect = Estimate(*(float(row[f"{column}{end}"]) for end in ("", "_lower", "_upper")))
    return Level(effect, float(row["p_high"]), float(row["p_low"]))


# ---- figures and pairs -----------------------------------------------------------------------------------------


def _two_stage_funnel(subject: Subject, trust: int, *, is_subject: bool) -> TwoStageFunnel:
    """The trusts of the nation, then the departments of one trust: the subject of the pack, or an example."""
    nation = nation_funnel(subject, trust if is_subject else None)
    places = [_SIDES.get(point.kind, "within") for point in nation.points]
    # In a pack about one trust no other is named in the figure.
    own = [place for place, point in zip(places, nation.points, strict=True) if is_subject and point.named]
    return TwoStageFunnel(
        nation=nation,
        departments=department_funnel(subject, trust) if "department" in subject.partition.index else None,
        levels=LEVELS,
        flags=_flags(subject, trust),
        is_example=not is_subject,
        side=own[0] if own else None,
        outside=sum(place in ("above", "below") for place in places),
        unplaced=places.count("unplaced"),
        withheld=int(subject.cells.censored.sum()),
        counts=subject.cells.n_leaves,
        # Limits that hold most units although most lie beyond those of chance are easily misread, so it is said there.
        doubts=tuple(each.text for each in subject.fit.cautions if each.code == names.OUTSIDE_PLAIN),
    )


def _grid(subject: Subject) -> Grid:
    """The grid of trusts by department types; where there are too many trusts to show, those with a flag."""
    cells = subject.cells
    trusts = np.arange(cells.n_trusts)
    columns = min(cells.n_departments, MOST_MOSAIC)
    flagged = np.isin(subject.status, [names.BRIGHT, names.DARK])
    if cells.n_trusts > MOST_MOSAIC:
        holding = np.bincount(cells.cell_trust[flagged], minlength=cells.n_trusts) > 0
        trusts = np.flatnonzero(holding)[:MOST_MOSAIC]
    row = np.full(cells.n_trusts, -1)
    row[trusts] = np.arange(len(trusts))
    kinds: list[list[Kind]] = [["absent"] * columns for _ in trusts]
    effects = {}
    for cell in np.flatnonzero((row[cells.cell_trust] >= 0) & (cells.cell_department < columns)).tolist():
        at = int(row[cells.cell_trust[cell]]), int(cells.cell_department[cell])
        kinds[at[0]][at[1]] = STATUS_KINDS[str(subject.status[cell])]
        if flagged[cell]:
            effects[at] = subject.effect(cell, subject.first)
    return Grid(
        tuple(subject.trust_labels[trust] for trust in trusts.tolist()),
        subject.department_labels[:columns],
        tuple(map(tuple, kinds)),
        effects,
        cells.n_trusts,
        cells.n_departments,
    )


def _learning(subject: Subject, trust: int | None = None) -> Learning:
    """Learning pairs: of the nation the nearest one of each dark spot, or all those of one trust."""
    frame = subject.pairs
    alone = list(zip(frame.attrs["without_partner"], frame.attrs["why_without"], strict=True))
    if trust is None:
        frame = frame.groupby([names.TRUST, names.DEPARTMENT], sort=False).head(1)
    else:
        code = subject.cells.trusts[trust]
        frame = frame[frame[names.TRUST] == code]
        alone = [(spot, reason) for spot, reason in alone if spot[0] == code]
    with_partner = len(frame[[names.TRUST, names.DEPARTMENT]].drop_duplicates())
    pairs = _pairs(subject, frame.head(MOST_ROWS))
    reasons = [reason for _, reason in alone]
    without = {reason: reasons.count(reason) for reason in WHY_WITHOUT if reason in reasons}
    return Learning(with_partner, without, pairs, len(frame), trust is not None)


def _pairs(subject: Subject, frame: pd.DataFrame) -> tuple[Pair, ...]:
    trusts = dict(zip(subject.cells.trusts, subject.trust_labels, strict=True))
    departments = dict(zip(subject.cells.departments, subject.department_labels, strict=True))
    labels: Sequence[str] = (names.TRUST, names.DEPARTMENT, "partner_trust")
    numbers: Sequence[str] = ("size", "partner_size", "p_truly_better")
    return tuple(
        Pair(trusts[trust], departments[department], trusts[partner], here, there, better)
        for trust, department, partner, here, there, better in zip(
            *(frame[column].tolist() for column in (*labels, *numbers)), strict=True
        )
    )
