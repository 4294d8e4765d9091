"""Tables of a board pack: rounded for people, ordered by name and never by performance."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.data.cells import FloatArray, IntArray
from brightspots.report import words
from brightspots.report.document import Cell, Column, Mosaic, Table
from brightspots.report.funnels import kind_of
from brightspots.report.measure import RATIOS, Measure
from brightspots.report.subject import Subject
from brightspots.report.words import Estimate

# A page is for reading: beyond these the rest is in the exported tables, and the page says how many.
MOST_ROWS = 2_000
MOST_MOSAIC = 200

STATUS_LEGEND = tuple((kind_of(status), status) for status in names.STATUSES)


def spots_table(subject: Subject) -> Table:
    """The bright and dark spots of all trusts, dark ones first, by trust and department."""
    flagged = np.flatnonzero(np.isin(subject.status, [names.BRIGHT, names.DARK]))
    total = len(flagged)
    flagged = _most_certain(subject, flagged)
    flagged = flagged[np.argsort(subject.status[flagged] != names.DARK, kind="stable")]
    rated = subject.spots.ratings is not None
    columns = [Column("Trust"), Column("Department"), Column("Status"), *_effect_columns(subject)]
    columns += [Column("Probability of the status", numeric=True)]
    compared = _flags_are_set_against_ratings(subject)
    if rated:
        columns += [Column(_rating_heading(subject)), *([Column("Against the rating")] if compared else [])]
    rows = []
    for cell in flagged.tolist():
        row = [Cell(subject.trust_of(cell)), Cell(subject.department_of(cell)), _status(subject, cell)]
        row += [*_effect_cells(subject, cell), _probability(subject, cell)]
        if rated:
            row += [_rating(subject, cell), *([Cell(_against_rating(subject, cell))] if compared else [])]
        rows.append(tuple(row))
    caption = f"Bright and dark spots, in the order of their trusts' {subject.ordered_by}"
    if len(flagged) < total:
        caption += f": the {len(flagged):,} most certain of {total:,}; the others are in the exported tables"
    return Table("spots", caption, tuple(columns), tuple(rows), *_drawn(subject), (names.DARK, names.BRIGHT))


def departments_table(subject: Subject, trust: int) -> Table:
    """Every department of one trust, against its own trust and against the same department elsewhere."""
    cells = subject.of_trust(trust)
    columns = [
        Column("Department"),
        Column("Status"),
        *_effect_columns(subject),
        Column("Probability of the status", numeric=True),
    ]
    rows = [
        (
            Cell(subject.department_of(cell)), _status(subject, cell),
            *_effect_cells(subject, cell), _probability(subject, cell),
        )
        for cell in cells.tolist()
    ]  # fmt: skip
    return Table(
        "departments",
        f"The departments of {subject.trust_labels[trust]}, not in the order of results",
        tuple(columns),
        tuple(rows),
        *_drawn(subject),
        tuple(status for status in names.STATUSES if subject.count(status, cells)),
        print_all=True,
    )


def types_table(subject: Subject) -> Table:
    """How many departments of each type are flagged, in line, or cannot be told."""
    code = subject.cells.cell_department
    counts = {
        status: np.bincount(code[subject.status == status], minlength=subject.cells.n_departments)
        for status in names.STATUSES
    }
    detectable = subject.reach
    rows = []
    for position, label in enumerate(subject.department_labels):
        numbers = [int(counts[status][position]) for status in names.STATUSES]
        unknown = detectable[(code == position) & (subject.status == names.CANNOT_TELL)]
        rows.append(
            (
                Cell(label),
                Cell(f"{sum(numbers):,}", sum(numbers)),
                *(Cell(f"{n:,}", n) for n in numbers),
                _reach(subject, unknown),
            )
        )
    columns = [Column("Department type"), Column("Departments", numeric=True)]
    columns += [Column(status.capitalize(), numeric=True) for status in names.STATUSES]
    columns.append(Column("Would be flagged at", numeric=True))
    caption = (
        f"What can be told of each type of department. The last column gives the true {_true(subject)} at which half "
        "of those that cannot be told would have been flagged as dark, with a probability of 0.8"
    )
    return Table("types", caption, tuple(columns), tuple(rows))


def unknown_table(subject: Subject, cells: IntArray) -> Table:
    """The departments of one trust that cannot be told, with what it would have taken to flag them."""
    unknown = cells[subject.status[cells] == names.CANNOT_TELL]
    detectable = subject.reach
    reliability = subject.numbers("reliability")
    rows = tuple(
        (
            Cell(subject.department_of(cell)),
            Cell(str(subject.spots.decisions.why[cell])),
            Cell(words.percent(float(reliability[cell])), float(reliability[cell])),
            _reach(subject, detectable[[cell]]),
        )
        for cell in unknown.tolist()
    )
    columns = (
        Column("Department"),
        Column("Why"),
        Column("How much the data say", numeric=True),
        Column("Would be flagged at", numeric=True),
    )  # fmt: skip
    caption = (
        f"Departments of which the data cannot tell. The last column gives the true {_true(subject)} at which each "
        "would have been flagged as dark, with a probability of 0.8"
    )
    return Table("unknown", caption, columns, rows)


def rated_by_department(subject: Subject) -> bool:
    """Whether it is departments that are rated, and not trusts."""
    ratings = subject.spots.ratings
    return ratings is not None and ratings.by_department


def _flags_are_set_against_ratings(subject: Subject) -> bool:
    """Whether there are ratings, and it is known which of them count as strong."""
    ratings = subject.spots.ratings
    return ratings is not None and ratings.strong is not None


def bands_table(subject: Subject) -> Table:
    """Trusts and statuses by overall rating, best rating first."""
    ratings = subject.spots.ratings
    assert ratings is not None  # the section is left out otherwise
    trusts = ratings.trust_band
    rows = []
    for position in reversed(range(len(ratings.levels))):
        inside = np.flatnonzero(ratings.cell_band == position)
        numbers = [] if trusts is None else [int(np.sum(trusts == position))]
        numbers += [len(inside)]
        numbers += [subject.count(status, inside) for status in names.STATUSES]
        strength = [] if ratings.strong is None else [Cell("strong" if ratings.strong[position] else "weak")]
        rows.append(
            (
                Cell(str(ratings.levels[position]), float(position)),
                *strength,
                *(Cell(f"{n:,}", n) for n in numbers),
            )
        )
    columns = [Column(_rating_heading(subject)), *([] if ratings.strong is None else [Column("Counts as")])]
    counted = ("Departments",) if trusts is None else ("Trusts", "Departments")
    columns += [Column(heading, numeric=True) for heading in counted]
    columns += [Column(status.capitalize(), numeric=True) for status in names.STATUSES]
    whose = "their own rating" if trusts is None else "the overall rating of their trust"
    return Table("bands", f"Departments by {whose}", tuple(columns), tuple(rows))


def divergent_table(subject: Subject) -> Table:
    """Departments whose flag contradicts the rating of their trust, or their own."""
    status = subject.table["rating_status"].to_numpy(dtype=str)
    divergent = np.flatnonzero(np.isin(status, [names.DARK_IN_STRONG, names.BRIGHT_IN_WEAK]))
    total = len(divergent)
    divergent = _most_certain(subject, divergent)
    divergent = divergent[np.argsort(status[divergent] != names.DARK_IN_STRONG, kind="stable")]
    rows = []
    for cell in divergent.tolist():
        rows.append(
            (
                Cell(subject.trust_of(cell)), Cell(subject.department_of(cell)),
                Cell(str(status[cell]), kind=kind_of(str(subject.status[cell]))), _rating(subject, cell),
                _effect(subject, subject.effect(cell, subject.first)), *_other_bands(subject, cell),
            )
        )  # fmt: skip
    columns = (
        Column("Trust"), Column("Department"), Column("Against the rating"), Column(_rating_heading(subject)),
        Column(f"{_heading(subject, subject.first)} (95% interval)", numeric=True),
        Column("Probability of another rating", numeric=True),
        Column("… two bands away", numeric=True),
    )  # fmt: skip
    whose = "their own rating" if rated_by_department(subject) else "the overall rating of their trust"
    caption = f"Departments that contradict {whose}"
    if len(divergent) < total:
        caption += f": the {len(divergent):,} most certain of {total:,}"
    return Table(
        "divergent", caption, columns, tuple(rows), filters=(names.DARK_IN_STRONG, names.BRIGHT_IN_WEAK)
    )


def trust_rating_table(subject: Subject, trust: int) -> Table:
    """Each department of one trust against the trust's rating, or its own."""
    own, compared = rated_by_department(subject), _flags_are_set_against_ratings(subject)
    rows = []
    for cell in subject.of_trust(trust).tolist():
        against = [Cell(_against_rating(subject, cell))] if compared else []
        rating = [_rating(subject, cell)] if own else []
        described = (Cell(subject.department_of(cell)), *rating, _status(subject, cell), *against)
        rows.append((*described, *_other_bands(subject, cell)))
    columns = (
        Column("Department"), *([Column("Rating")] if own else []), Column("Status"),
        *([Column("Against the rating")] if compared else []),
        Column("Probability of another rating", numeric=True),
        Column("… two bands away", numeric=True),
    )  # fmt: skip
    whose = "their own ratings" if own else "the trust's overall rating"
    return Table("against-rating", f"The departments against {whose}", columns, tuple(rows))


def pairs_table(subject: Subject, pairs: pd.DataFrame, trust: int | None = None) -> Table:
    """Dark spots with the bright spots to talk to; `pairs` are rows of `Subject.pairs`."""
    total = len(pairs)
    pairs = pairs.head(MOST_ROWS)
    trusts = dict(zip(subject.cells.trusts, subject.trust_labels, strict=True))
    departments = dict(zip(subject.cells.departments, subject.department_labels, strict=True))
    columns = [pairs[name].tolist() for name in (names.TRUST, names.DEPARTMENT, "partner_trust")]
    numbers = [pairs[name].tolist() for name in ("size", "partner_size", "p_truly_better")]
    rows = []
    for code, department, partner, here, there, better in zip(*columns, *numbers, strict=True):
        row = [
            Cell(departments[department]),
            Cell(trusts[partner]),
            Cell(words.amount(here), here),
            Cell(words.amount(there), there),
            Cell(words.probability_text(better), better),
        ]
        rows.append(tuple(row if trust is not None else [Cell(trusts[code]), *row]))
    size = subject.cells.family.measured_by
    if subject.cells.expected is not None:
        size = "expected events"
    headings = [
        Column("Department"), Column("Bright spot to talk to"),
        Column(f"Size here ({size})", numeric=True), Column("Size there", numeric=True),
        Column(f"Probability that it is truly better by {_needed(subject)}", numeric=True),
    ]  # fmt: skip
    if trust is None:
        headings.insert(0, Column("Trust with the dark spot"))
    nearest = "nearest in size and covariates" if subject.cells.covariates else "nearest in size"
    caption = f"Whom to talk to: bright spots of the same type in other trusts, {nearest}"
    if trust is None:
        caption = f"Whom to talk to: for each dark spot the bright spot of the same type {nearest}"
    if len(pairs) < total:
        caption += f" (the first {len(pairs):,} of {total:,})"
    return Table("pairs", caption, tuple(headings), tuple(rows))


def mosaic(subject: Subject) -> Mosaic:
    """Trusts by departments, each cell with its status; trusts with a flag where there are too many to show."""
    cells = subject.cells
    trusts = np.arange(cells.n_trusts)
    departments = np.arange(min(cells.n_departments, MOST_MOSAIC))
    if cells.n_trusts > MOST_MOSAIC:
        flagged = np.isin(subject.status, [names.BRIGHT, names.DARK])
        holding = np.bincount(cells.cell_trust[flagged], minlength=cells.n_trusts) > 0
        trusts = np.flatnonzero(holding)[:MOST_MOSAIC]
    place = np.full(cells.n_trusts, -1)
    place[trusts] = np.arange(len(trusts))
    kinds = np.full((len(trusts), len(departments)), "absent", dtype="U11")
    shown = np.flatnonzero((place[cells.cell_trust] >= 0) & (cells.cell_department < len(departments)))
    marks = np.array([kind_of(status) for status in names.STATUSES])
    order = {status: position for position, status in enumerate(names.STATUSES)}
    codes = np.array([order[status] for status in subject.status[shown]], dtype=np.int64)
    at = place[cells.cell_trust[shown]], cells.cell_department[shown]
    kinds[at] = marks[codes] if len(shown) else ""
    details = {
        (int(place[cells.cell_trust[cell]]), int(cells.cell_department[cell])): (
            f"{_AGAINST[subject.first].lower()}: "
            f"{subject.measure.stands(subject.effect(cell, subject.first)).removeprefix('at ')}"
        )
        for cell in shown.tolist()
        if subject.status[cell] in (names.BRIGHT, names.DARK)
    }
    caption = (
        f"Every department of every trust. Trusts are in the order of their {subject.ordered_by}, "
        "not of their results."
    )
    if len(trusts) < cells.n_trusts:
        caption += f" Of {cells.n_trusts:,} trusts, {len(trusts):,} with a flagged department are shown."
    if len(departments) < cells.n_departments:
        caption += f" Of {cells.n_departments:,} department types, the first {len(departments):,} are shown."
    return Mosaic(
        "mosaic",
        caption,
        tuple(subject.trust_labels[trust] for trust in trusts),
        subject.department_labels[: len(departments)],
        tuple(tuple(row) for row in kinds.tolist()),
        details,
        (*STATUS_LEGEND, ("absent", "no such department in the data")),
    )


def _most_certain(subject: Subject, cells: IntArray) -> IntArray:
    """At most `MOST_ROWS` cells, those with the highest probability, in the order of `Cells`."""
    if len(cells) <= MOST_ROWS:
        return cells
    probability = subject.numbers("probability")[cells]
    return np.sort(cells[np.argsort(-probability, kind="stable")[:MOST_ROWS]])


_AGAINST = {"own": "Against own trust", "peer": "Against same department elsewhere"}


def _heading(subject: Subject, of: str) -> str:
    return f"{_AGAINST[of]}{subject.measure.in_units}"


def _needed(subject: Subject) -> str:
    """``the margin``, or ``more than 0.5 days``."""
    measure = subject.measure
    return "the margin" if measure.is_ratio else f"more than {measure.margin(subject.spots.margin)}"


def _true(subject: Subject) -> str:
    """``ratio``, or ``difference, in days,``."""
    measure = subject.measure
    return measure.noun if measure.is_ratio else f"{measure.noun}, in {measure.unit},"


def _drawn(subject: Subject) -> tuple[float, float | None]:
    """The margin and the span of drawn intervals."""
    return subject.spots.margin, None if subject.measure.is_ratio else subject.span


def _effect_columns(subject: Subject) -> list[Column]:
    columns = [
        Column(f"{_heading(subject, 'own')} (95% interval)", numeric=True),
        Column(f"{_heading(subject, 'peer')} (95% interval)", numeric=True),
    ]
    columns.insert(2 if subject.first == "peer" else 1, Column("Interval", drawn=True))
    if subject.counts_events:
        columns.append(Column(f"Excess {subject.events}", numeric=True))
    return columns


def _effect_cells(subject: Subject, cell: int) -> list[Cell]:
    own, peer = subject.effect(cell, "own"), subject.effect(cell, "peer")
    drawn = peer if subject.first == "peer" else own
    kind = kind_of(str(subject.status[cell]))
    drawing = Cell("") if math.isnan(drawn.point) else Cell("", drawn.point, kind, drawn)
    cells = [_effect(subject, own), _effect(subject, peer)]
    cells.insert(2 if subject.first == "peer" else 1, drawing)
    if subject.counts_events:
        cells.append(_excess(subject.estimate(cell, "excess")))
    return cells


def _effect(subject: Subject, effect: Estimate) -> Cell:
    if math.isnan(effect.point):
        return Cell("no other department")
    return Cell(subject.measure.interval(effect), effect.point)


def _excess(excess: Estimate) -> Cell:
    if math.isnan(excess.point):
        return Cell("–")
    size = words.amount(excess.point)
    sign = "" if size == "0.0" else "+" if excess.point > 0 else "−"
    return Cell(f"{sign}{size}", excess.point)


def _status(subject: Subject, cell: int) -> Cell:
    status = str(subject.status[cell])
    return Cell(status, kind=kind_of(status))


def _probability(subject: Subject, cell: int) -> Cell:
    """Probability that the status is right; of a department that cannot be told there is no status to be right."""
    if subject.status[cell] == names.CANNOT_TELL:
        return Cell("–")
    value = float(subject.numbers("probability")[cell])
    return Cell("–") if math.isnan(value) else Cell(words.probability_text(value), value)


def _rating_heading(subject: Subject) -> str:
    return "Rating" if rated_by_department(subject) else "Overall rating"


def _rating(subject: Subject, cell: int) -> Cell:
    ratings = subject.spots.ratings
    band = -1 if ratings is None else int(ratings.cell_band[cell])
    if ratings is None or band < 0:
        return Cell("not rated", -1.0)
    return Cell(str(ratings.levels[band]), float(band))


def _against_rating(subject: Subject, cell: int) -> str:
    """The four cells; agreement is claimed only where there is evidence of something."""
    said = str(subject.table["rating_status"].iloc[cell])
    if said == names.CONCORDANT and subject.status[cell] == names.CANNOT_TELL:
        return names.CANNOT_TELL
    return said


def _other_bands(subject: Subject, cell: int) -> list[Cell]:
    """Probabilities that the department's own level would earn another rating, and one at least two bands away."""
    cells = []
    for column in ("p_other_band", "p_two_bands"):
        p = float(subject.numbers(column)[cell])
        cells.append(Cell("–") if math.isnan(p) else Cell(words.probability_text(p), p))
    return cells


def middle_reach(effects: FloatArray, higher_is: names.HigherIs, measure: Measure = RATIOS) -> float:
    """The middle detectable effect, where there is one: ratios below 1 by inverses, as 0 is as far out as infinity."""
    if higher_is == "worse" or not measure.is_ratio:
        return float(np.nanmedian(effects))
    with np.errstate(divide="ignore"):
        return float(1.0 / np.nanmedian(1.0 / effects))


def _reach(subject: Subject, effects: FloatArray) -> Cell:
    """The middle detectable ratio or difference, on the dark side."""
    if np.isnan(effects).all():
        return Cell("–")
    higher_is, measure = subject.spots.higher_is, subject.measure
    middle = middle_reach(effects, higher_is, measure)
    if not measure.is_ratio:
        return Cell(measure.number(middle) if math.isfinite(middle) else "no difference", middle)
    if not 1e-3 <= middle <= 1e3:
        return Cell("no ratio", math.inf if higher_is == "worse" else 0.0)
    if not 0.1 <= middle <= 10.0:
        return Cell("over 10" if higher_is == "worse" else "under 0.10", middle)
    return Cell(f"{middle:.2f}", middle)
