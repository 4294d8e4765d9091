"""The fit that may be published: the same model, refitted to what disclosure control leaves of the data."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from brightspots import counts as reading
from brightspots import vocabulary as names
from brightspots.cells import Cells
from brightspots.disclosure import BESIDE, Rules, TwoWay, disclose
from brightspots.engine.run import run
from brightspots.errors import DataError, SettingsError
from brightspots.tables import Table

if TYPE_CHECKING:
    from brightspots.fits import HierarchyFit
    from brightspots.spots import Spots

# Columns beside the counts that may go along: whatever else the data held could hold the counts as well.
_HARMLESS: Final = (names.TRUST_NAME, names.DEPARTMENT_NAME, names.RATING)


def suppressed_fit(fit: HierarchyFit, rules: Rules) -> tuple[HierarchyFit, tuple[str, ...]]:
    """Refit; see `HierarchyFit.suppressed`. Also sentences on what was done to the data."""
    cells, keep, notes = suppress_cells(fit.table.cells, rules)
    table = _table_of(fit.table, cells, keep)
    effects, certificate = run(
        cells,
        fit.priors,
        "nuts" if fit.certificate.method == "nuts" else "auto",
        draws=fit.effects.shared.n_draws,
        seed=fit.seed,
        progress=False,
        stacklevel=4,
    )
    return replace(fit, table=table, effects=effects, certificate=certificate), notes


def suppressed_spots(fit: HierarchyFit, spots: Spots) -> Spots:
    """The same rule and ratings, applied to a refitted fit."""
    rated = spots.ratings
    if rated is None:
        return fit.find_spots(spots.rule)
    cells = spots.effects.cells
    bands = rated.cell_band if rated.trust_band is None else rated.trust_band
    labels: list[object] = list(cells.trusts)
    if rated.trust_band is None:
        departments = cells.departments[cells.cell_department]
        labels = list(zip(cells.trusts[cells.cell_trust], departments, strict=True))
    values = {
        label: rated.levels[band] for label, band in zip(labels, bands.tolist(), strict=True) if band >= 0
    }
    return fit.find_spots(
        spots.rule, values, rating_order=rated.levels, rating_uses_outcome=spots.rating_uses_outcome
    )


def suppress_cells(cells: Cells, rules: Rules) -> tuple[Cells, npt.NDArray[np.bool_], tuple[str, ...]]:
    """Withhold and round the counts of every leaf.

    Returns
    -------
    Cells
    keep : bool array (C,)
        Cells that are still there: a cell of which the number of people is withheld cannot be fitted.
    notes : tuple of str
    """
    if cells.family == "normal":
        raise SettingsError("estimates are not counts: suppress the table that they were made from")
    period = np.zeros(cells.n_leaves, dtype=np.int64) if cells.leaf_period is None else cells.leaf_period
    at = TwoWay(period, cells.leaf_trust, cells.cell_department[cells.leaf_cell])
    people = cells.size if cells.family == "binomial" else None
    disclosed, secondary = disclose(cells.lower, cells.upper, at, rules, of=people)
    upper = disclosed.upper
    size, expected, shown_people = cells.size, cells.expected, np.ones(cells.n_leaves, dtype=bool)
    if people is not None:
        disclosed_people, more = disclose(people, people, at, rules)
        secondary += more
        shown_people = ~np.isnan(disclosed_people.shown) & (disclosed_people.shown > 0)
        size = np.where(shown_people, disclosed_people.shown, people)
        expected = None if expected is None else expected * size / people
        upper = np.minimum(upper, size)
    kept = cells if shown_people.all() else None
    changed = replace(
        cells,
        lower=np.minimum(disclosed.lower, upper),
        upper=upper,
        size=size,
        expected=expected,
        offset=reading.offset(reading.Counts(disclosed.lower, upper, size, expected), cells.family),
    )
    notes = [rules.text, *_said(disclosed.reason, shown_people)]
    if any(each.row_totals or each.column_totals or each.grand_total for each in secondary):
        notes.append("Some totals must not be published either; brightspots.suppress() names them.")
    keep = np.ones(cells.n_cells, dtype=bool)
    if kept is None:
        changed, keep = _without(changed, shown_people)
    return changed, keep, tuple(notes)


def _said(reason: npt.NDArray[np.object_], shown_people: npt.NDArray[np.bool_]) -> list[str]:
    said = []
    small, beside = int(np.sum(reason == "small")), int(np.sum(reason == BESIDE))
    if small or beside:
        said.append(
            f"{small:,} small counts are withheld and {beside:,} beside them, of {len(reason):,}; they enter the fit "
            "as intervals."
        )
    lost = int(np.sum(~shown_people))
    if lost:
        said.append(f"{lost:,} rows whose number of people is withheld are left out of the fit.")
    return said


def _without(cells: Cells, keep: npt.NDArray[np.bool_]) -> tuple[Cells, npt.NDArray[np.bool_]]:
    """Cells without some of their leaves, and which cells are left."""
    if not keep.any():
        raise DataError("no row is left whose number of people may be shown", action="lower below=…")
    left = np.zeros(cells.n_cells, dtype=bool)
    left[cells.leaf_cell[keep]] = True
    fields = ("leaf_cell", "leaf_type", "lower", "upper", "size", "offset", "design", "row")
    arrays = {name: getattr(cells, name)[keep] for name in fields}
    for name in ("leaf_period", "expected", "counted_from"):
        value = getattr(cells, name)
        arrays[name] = None if value is None else value[keep]
    some = replace(cells, **arrays)
    return some.only(np.flatnonzero(left)), left


def _table_of(table: Table, cells: Cells, keep: npt.NDArray[np.bool_]) -> Table:
    """The rows of the data that are left, with none but the harmless columns."""
    place = np.cumsum(keep) - 1
    rows = keep[table.row_cell]
    extras = table.extras[[name for name in _HARMLESS if name in table.extras]]
    return Table(cells, extras[rows].reset_index(drop=True), place[table.row_cell[rows]].astype(np.int64))
