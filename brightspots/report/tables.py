"""Tables of a board pack, from its facts: rounded for people, ordered by name and never by performance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from brightspots.common import vocabulary as names
from brightspots.figures.marks import STATUS_KINDS
from brightspots.report import words
from brightspots.report.department_facts import Comparison, Department, Listed
from brightspots.report.document import Cell, Column, Mosaic, Table
from brightspots.report.facts import Grid, Learning, Setting, TrustFacts, TypeTally
from brightspots.report.rating_facts import NationRating, Rating, TrustRating
from brightspots.report.words import Estimate

STATUS_LEGEND: Final = tuple((STATUS_KINDS[status], status) for status in names.STATUSES)
_AGAINST: Final[dict[Comparison, str]] = {
    "own": "Against own trust",
    "peer": "Against same department elsewhere",
}
_OTHER_BANDS: Final = (
    Column("Probability of another rating", numeric=True),
    Column("… two bands away", numeric=True),
)
_PROBABILITY: Final = Column("Probability of the status", numeric=True)


# ---- departments -----------------------------------------------------------------------------------------------


def spots_table(listed: Listed, setting: Setting, rating: Rating | None) -> Table:
    """The bright and dark spots of all trusts, dark ones first, by trust and department."""
    columns = [
        Column("Trust"),
        Column("Department"),
        Column("Status"),
        *_effect_columns(setting),
        _PROBABILITY,
    ]
    compared = rating is not None and rating.strong_rule is not None
    if rating is not None:
        columns += [Column(_rating_heading(rating)), *([Column("Against the rating")] if compared else [])]
    rows = []
    for each in listed.departments:
        row = [
            Cell(each.trust),
            Cell(each.name),
            _status(each),
            *_effect_cells(each, setting),
            _probability(each),
        ]
        if rating is not None:
            row += [_rating(each), *([Cell(each.against_rating)] if compared else [])]
        rows.append(tuple(row))
    caption = f"Bright and dark spots, in the order of their trusts' {setting.ordered_by}"
    if len(rows) < listed.total:
        caption += (
            f": the {len(rows):,} most certain of {listed.total:,}; the others are in the exported tables"
        )
    return Table(
        "spots",
        caption,
        tuple(columns),
        tuple(rows),
        *_drawn(setting),
        filters=(names.DARK, names.BRIGHT),
        filtered_by=2,
    )


def departments_table(facts: TrustFacts) -> Table:
    """Every department of one trust, against its own trust and against the same department elsewhere."""
    setting = facts.shared.setting
    return Table(
        "departments",
        f"The departments of {facts.trust}, not in the order of results",
        (Column("Department"), Column("Status"), *_effect_columns(setting), _PROBABILITY),
        tuple(
            (Cell(each.name), _status(each), *_effect_cells(each, setting), _probability(each))
            for each in facts.departments
        ),
        *_drawn(setting),
        filters=tuple(status for status in names.STATUSES if facts.tally.counts[status]),
        filtered_by=1,
        print_all=True,
    )


def types_table(types: Sequence[TypeTally], setting: Setting) -> Table:
    """How many departments of each type have each status."""
    by_margin = setting.rule.share is None
    rows = tuple(
        (
            Cell(each.name),
            _count(sum(each.counts.values())),
            *(_count(each.counts[status]) for status in names.STATUSES),
            *([_reach(each.reach, setting)] if by_margin else []),
        )
        for each in types
    )
    columns = (
        Column("Department type"),
        Column("Departments", numeric=True),
        *_status_columns(),
        *([Column("Would be flagged at", numeric=True)] if by_margin else []),
    )
    caption = "What can be told of each type of department"
    if by_margin:
        caption += (
            f". The last column gives the true {_true(setting)} at which half of those that cannot be told would have "
            "been flagged as dark, with a probability of 0.8"
        )
    return Table("types", caption, columns, rows)


def unknown_table(facts: TrustFacts) -> Table:
    """The departments of one trust with the status "cannot tell", with their detectable effects."""
    setting = facts.shared.setting
    by_margin = setting.rule.share is None
    rows = tuple(
        (
            Cell(each.name),
            Cell(each.why),
            Cell(words.percent(each.reliability), each.reliability),
            *([_reach(each.reach, setting)] if by_margin else []),
        )
        for each in facts.of_status(names.CANNOT_TELL)
    )
    columns = (
        Column("Department"),
        Column("Why"),
        Column("How much the data say", numeric=True),
        *([Column("Would be flagged at", numeric=True)] if by_margin else []),
    )
    caption = "Departments of which the data cannot tell"
    if by_margin:
        caption += (
            f". The last column gives the true {_true(setting)} at which each would have been flagged as dark, with a "
            "probability of 0.8"
        )
    return Table("unknown", caption, columns, rows)


# ---- ratings ---------------------------------------------------------------------------------------------------


def bands_table(of: NationRating) -> Table:
    """Trusts and statuses by overall rating, best rating first."""
    by_department, strength_known = of.rating.by_department, of.rating.strong_rule is not None
    rows = [
        (
            Cell(band.level, float(band.position)),
            *([Cell("strong" if band.strong else "weak")] if strength_known else []),
            *([] if band.trusts is None else [_count(band.trusts)]),
            _count(sum(band.counts.values())),
            *(_count(band.counts[status]) for status in names.STATUSES),
        )
        for band in of.bands
    ]
    counted = ("Departments",) if by_department else ("Trusts", "Departments")
    columns = (
        Column(_rating_heading(of.rating)),
        *([Column("Counts as")] if strength_known else []),
        *(Column(heading, numeric=True) for heading in counted),
        *_status_columns(),
    )
    return Table("bands", f"Departments by {_whose_rating(of.rating)}", columns, tuple(rows))


def divergent_table(of: NationRating, setting: Setting) -> Table:
    """Departments whose flag contradicts the rating of their trust, or their own."""
    rows = tuple(
        (
            Cell(each.trust), Cell(each.name), Cell(each.against_rating, kind=each.kind), _rating(each),
            _effect(each.effect(setting.first), setting), *_other_bands(each),
        )
        for each in of.divergent.departments
    )  # fmt: skip
    columns = (
        Column("Trust"), Column("Department"), Column("Against the rating"), Column(_rating_heading(of.rating)),
        Column(f"{_heading(setting, setting.first)} (95% interval)", numeric=True), *_OTHER_BANDS,
    )  # fmt: skip
    caption = f"Departments that contradict {_whose_rating(of.rating)}"
    if len(rows) < of.divergent.total:
        caption += f": the {len(rows):,} most certain of {of.divergent.total:,}"
    filters = (names.DARK_IN_STRONG, names.BRIGHT_IN_WEAK)
    return Table("divergent", caption, columns, rows, filters=filters, filtered_by=2)


def trust_rating_table(departments: Sequence[Department], of: TrustRating) -> Table:
    """Each department of one trust against the trust's rating, or its own."""
    own, compared = of.rating.by_department, of.rating.strong_rule is not None
    rows = tuple(
        (
            Cell(each.name),
            *([_rating(each)] if own else []),
            _status(each),
            *([Cell(each.against_rating)] if compared else []),
            *_other_bands(each),
        )
        for each in departments
    )
    columns = (
        Column("Department"),
        *([Column("Rating")] if own else []),
        Column("Status"),
        *([Column("Against the rating")] if compared else []),
        *_OTHER_BANDS,
    )
    whose = "their own ratings" if own else "the trust's overall rating"
    return Table("against-rating", f"The departments against {whose}", columns, rows)


# ---- pairs and the grid ----------------------------------------------------------------------------------------


def pairs_table(of: Learning, setting: Setting) -> Table:
    """Dark spots with better departments to learn from."""
    rows = tuple(
        (
            *([] if of.of_one_trust else [Cell(pair.trust)]),
            Cell(pair.department),
            Cell(pair.partner),
            Cell(words.amount(pair.size), pair.size),
            Cell(words.amount(pair.partner_size), pair.partner_size),
            Cell(words.probability_text(pair.p_better), pair.p_better),
        )
        for pair in of.pairs
    )
    size = "expected events" if setting.has_expected else setting.family.measured_by
    columns = (
        *([] if of.of_one_trust else [Column("Trust with the dark spot")]),
        Column("Department"),
        Column("Better department in"),
        Column(f"Size here ({size})", numeric=True),
        Column("Size there", numeric=True),
        Column(f"Probability that it is truly better by {_needed(setting)}", numeric=True),
    )
    nearest = "nearest in size and covariates" if setting.has_covariates else "nearest in size"
    caption = f"Whom to talk to: for each dark spot the better department of the same type {nearest}"
    if of.of_one_trust:
        caption = f"Whom to talk to: better departments of the same type in other trusts, {nearest}"
    if len(rows) < of.total:
        caption += f" (the first {len(rows):,} of {of.total:,})"
    return Table("pairs", caption, columns, rows)


def mosaic(grid: Grid, setting: Setting) -> Mosaic:
    """The grid of trusts by departments, each cell with its status, and details of the flagged ones."""
    against = _AGAINST[setting.first].lower()
    details = {at: f"{against}: {setting.measure.place(effect)}" for at, effect in grid.effects.items()}
    caption = (
        f"Every department of every trust. Trusts are in the order of their {setting.ordered_by}, "
        "not of their results."
    )
    if len(grid.trusts) < grid.all_trusts:
        caption += (
            f" Of {grid.all_trusts:,} trusts, {len(grid.trusts):,} with a flagged department are shown."
        )
    if len(grid.types) < grid.all_types:
        caption += f" Of {grid.all_types:,} department types, the first {len(grid.types):,} are shown."
    legend = (*STATUS_LEGEND, ("absent", "no such department in the data"))
    return Mosaic("mosaic", caption, grid.trusts, grid.types, grid.kinds, details, legend)


# ---- headings --------------------------------------------------------------------------------------------------


def _heading(setting: Setting, of: Comparison) -> str:
    return f"{_AGAINST[of]}{setting.measure.in_units}"


def _needed(setting: Setting) -> str:
    """``the margin``, or ``more than 0.5 days``."""
    measure = setting.measure
    return "the margin" if measure.is_ratio else f"more than {measure.margin(setting.margin)}"


def _true(setting: Setting) -> str:
    """``ratio``, or ``difference, in days,``."""
    measure = setting.measure
    return measure.noun if measure.is_ratio else f"{measure.noun}, in {measure.unit},"


def _rating_heading(rating: Rating) -> str:
    return "Rating" if rating.by_department else "Overall rating"


def _whose_rating(rating: Rating) -> str:
    return "their own rating" if rating.by_department else "the overall rating of their trust"


def _status_columns() -> tuple[Column, ...]:
    return tuple(Column(status.capitalize(), numeric=True) for status in names.STATUSES)


def _effect_columns(setting: Setting) -> list[Column]:
    columns = [
        Column(f"{_heading(setting, 'own')} (95% interval)", numeric=True),
        Column(f"{_heading(setting, 'peer')} (95% interval)", numeric=True),
    ]
    columns.insert(2 if setting.first == "peer" else 1, Column("Interval", drawn=True))
    if setting.counts_events:
        columns.append(Column(f"Excess {setting.events}", numeric=True))
    return columns


def _drawn(setting: Setting) -> tuple[float, float | None]:
    """The margin and the span of drawn intervals."""
    return setting.margin, None if setting.measure.is_ratio else setting.span


# ---- cells -----------------------------------------------------------------------------------------------------


def _count(number: int) -> Cell:
    return Cell(f"{number:,}", number)


def _effect_cells(of: Department, setting: Setting) -> list[Cell]:
    drawn = of.effect(setting.first)
    drawing = Cell("") if math.isnan(drawn.point) else Cell("", drawn.point, of.kind, drawn)
    cells = [_effect(of.own, setting), _effect(of.peer, setting)]
    cells.insert(2 if setting.first == "peer" else 1, drawing)
    if of.excess is not None:
        cells.append(_excess(of.excess))
    return cells


def _effect(effect: Estimate, setting: Setting) -> Cell:
    if math.isnan(effect.point):
        return Cell("no other department")
    return Cell(setting.measure.interval(effect), effect.point)


def _excess(excess: Estimate) -> Cell:
    if math.isnan(excess.point):
        return Cell("–")
    size = words.amount(excess.point)
    sign = "" if size == "0.0" else "+" if excess.point > 0 else "−"
    return Cell(f"{sign}{size}", excess.point)


def _status(of: Department) -> Cell:
    return Cell(of.status, kind=of.kind)


def _probability(of: Department) -> Cell:
    """Probability that the status is right; none for the status "cannot tell"."""
    return Cell("–") if of.status == names.CANNOT_TELL else _probability_cell(of.probability)


def _probability_cell(value: float) -> Cell:
    return Cell("–") if math.isnan(value) else Cell(words.probability_text(value), value)


def _rating(of: Department) -> Cell:
    return Cell("not rated", -1.0) if of.rating is None else Cell(of.rating, float(of.band))


def _other_bands(of: Department) -> list[Cell]:
    """Probabilities that its own level lies in another band, and in one at least two bands away."""
    return [_probability_cell(of.p_other_band), _probability_cell(of.p_two_bands)]


def _reach(effect: float, setting: Setting) -> Cell:
    """A detectable effect on the dark side: as "over 10" or "under 0.10" beyond these, "no ratio" beyond 1,000."""
    if math.isnan(effect):
        return Cell("–")
    higher_is, measure = setting.higher_is, setting.measure
    if not measure.is_ratio:
        return Cell(measure.number(effect) if math.isfinite(effect) else "no difference", effect)
    if not 1e-3 <= effect <= 1e3:
        return Cell("no ratio", math.inf if higher_is == "worse" else 0.0)
    if not 0.1 <= effect <= 10.0:
        return Cell("over 10" if higher_is == "worse" else "under 0.10", effect)
    return Cell(f"{effect:.2f}", effect)
