"""Refit the same model to the data after disclosure control, for publication."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from brightspots.common import vocabulary as names
from brightspots.common.arrays import FloatArray
from brightspots.common.errors import DataError, SettingsError
from brightspots.data.cells import Cells
from brightspots.data.tables import Table
from brightspots.disclosure.counts import BESIDE, SMALL, TwoWay, disclose, rounded
from brightspots.disclosure.expected import publishable_expected
from brightspots.disclosure.intake import count_column
from brightspots.disclosure.order import came_sorted
from brightspots.disclosure.rules import ONE_RELEASE, Rules
from brightspots.engine.options import FitOptions, Method
from brightspots.engine.run import run
from brightspots.fit.fitted import Fitted
from brightspots.fit.spots import Spots, rated_spots
from brightspots.statistics.ratings import carried_over

# Columns besides the counts that the new fit keeps; any other could hold the exact counts.
_HARMLESS: Final = (names.TRUST_NAME, names.DEPARTMENT_NAME, names.RATING)

Fit = TypeVar("Fit", bound=Fitted)


def suppressed_fit(fit: Fit, rules: Rules) -> tuple[Fit, tuple[str, ...]]:
    """The refitted fit, and sentences on what was done to the data; see `HierarchyFit.suppressed`."""
    if fit.rules is not None:
        rules.check_same(fit.rules, "suppress the exact fit, and publish one of the two")
        harmless = fit.table.extras[[name for name in _HARMLESS if name in fit.table.extras]]
        if len(harmless.columns) < len(
            fit.table.extras.columns
        ):  # a table that came suppressed brings all it had
            fit = replace(fit, table=replace(fit.table, extras=harmless))
        return fit, fit.disclosed or (rules.text, ONE_RELEASE)
    cells, keep, notes = suppress_cells(fit.table.cells, rules, people_of(fit.table))
    table = _table_of(fit.table, cells, keep)
    # Method, draws and priors are those that the user asked for, not those that the exact fit ended with, which depend
    # on the exact data and so could reveal something about them.
    method: Method = "nuts" if fit.request.method == "nuts" else "auto"
    priors = fit.choice.asked(fit.priors)
    options = FitOptions(priors, method, draws=fit.request.draws, seed=fit.seed, progress=False)
    found = run(table.cells, options, stacklevel=5)
    kept = None if fit.decision is None else fit.decision.carried_over(fit.table.cells, table.cells)
    shown = replace(
        fit,
        table=table,
        effects=found.effects,
        certificate=found.certificate,
        priors=found.priors,
        choice=found.choice,
        rules=rules,
        decision=kept,
        disclosed=notes,
    )
    return shown, notes


def suppressed_spots(fit: Fitted, spots: Spots) -> Spots:
    """Apply the rule and the ratings of `spots` to `fit`, a refit of the fit that they come from."""
    rated = spots.ratings
    if rated is not None:
        rated = carried_over(rated, spots.effects.cells, fit.table.cells)
    return rated_spots(fit, spots.rule, rated, spots.rating_uses_outcome, rating_asked=spots.rating_asked)


def people_of(table: Table) -> FloatArray | None:
    """Denominator of each leaf, (N,): for binomial counts, and for Poisson ones where the table has one; else None.

    A Poisson fit does not use it. But `suppress` of the same table also withholds small denominators, and small numbers
    of people without the event, and a suppressed fit must withhold the same.
    """
    cells = table.cells
    if cells.family.is_bounded:
        return cells.size
    if not cells.family.is_count:
        return None
    if names.DENOMINATOR not in table.extras:
        return None
    people = count_column(table.extras, names.DENOMINATOR)
    if cells.n_leaves < len(people):  # periods are pooled
        people = np.bincount(table.row_cell, people, cells.n_cells).astype(np.float64)
    else:
        people = people[cells.row]
    known = np.nan_to_num(cells.exact) <= np.where(np.isnan(people), np.inf, people)
    if not known.all():
        raise DataError(
            f"{int(np.sum(~known)):,} rows have more events than people",
            column=names.DENOMINATOR,
            expected="observed ≤ denominator",
            action="check that both count the same people, or give the column another name",
        )
    return people


def suppress_cells(
    cells: Cells, rules: Rules, people: FloatArray | None
) -> tuple[Cells, npt.NDArray[np.bool_], tuple[str, ...]]:
    """Withhold and round the counts of every leaf.

    Parameters
    ----------
    cells : Cells
    rules : Rules
    people : (N,), optional
        Denominator of each leaf, see `people_of`.

    Returns
    -------
    Cells
    keep : bool array (C,)
        Cells that are left. A leaf whose denominator or expected events are withheld cannot be fitted; a cell without
        other leaves is dropped.
    notes : tuple of str
        Sentences on what was done.
    """
    if not cells.family.is_count:
        raise SettingsError("estimates are not counts: suppress the table that they were made from")
    period = np.zeros(cells.n_leaves, dtype=np.int64) if cells.leaf_period is None else cells.leaf_period
    at = TwoWay(period, cells.leaf_trust, cells.cell_department[cells.leaf_cell])
    shown = disclose(at, rules, events=(cells.lower, cells.upper), people=people)
    assert shown.events is not None
    expected, rescaled = cells.expected, np.zeros(cells.n_leaves, dtype=bool)
    if expected is not None:
        expected, rescaled = publishable_expected(expected, cells.exact, people, shown, at, rules)
    size = expected
    if cells.family.is_bounded:
        assert shown.people is not None
        size = shown.people.value
    assert size is not None  # counts without a denominator have expected events
    fitted = (size > 0) & (np.ones(cells.n_leaves, dtype=bool) if expected is None else expected > 0)
    notes = [
        rules.text, ONE_RELEASE, *_said(shown.reason, fitted, cells.departments[np.unique(at.column[rescaled])])
    ]  # fmt: skip
    if shown.events.forbids_totals or (shown.people is not None and shown.people.forbids_totals):
        notes.append("Some totals must not be published either; brightspots.suppress() names them.")
    if cells.covariates:
        notes.append(
            f"Covariates go along as they are ({', '.join(cells.covariates)}): see that none follows from a count."
        )
    if cells.expected_sd is not None and np.ptp(cells.expected_sd) > 0.0:
        notes.append(
            "Errors of what was expected (expected_sd) go along as they are: see that none follows from a count."
        )
    upper = np.minimum(shown.events.upper, size) if cells.family.is_bounded else shown.events.upper
    lower, least = np.minimum(shown.events.lower, upper), cells.counted_from
    if least is not None:
        # The smallest count shown is rounded as the count is; a withheld count is known to be at least that large.
        hidden = shown.events.withheld
        lower = np.where(hidden, np.minimum(np.maximum(lower, least), upper), lower)
        if rules.round_to is not None:
            least = np.where(hidden, least, rounded(least, rules.round_to))
    changed = replace(
        cells,
        lower=lower,
        upper=upper,
        size=size,
        expected=expected,
        counted_from=least,
    )
    keep = np.ones(cells.n_cells, dtype=bool)
    if not fitted.all():
        changed, keep = _without(changed, fitted)
    offset = cells.family.offset(changed.size, changed.expected)
    return replace(changed, offset=offset), keep, tuple(notes)


def _said(
    reason: npt.NDArray[np.object_], fitted: npt.NDArray[np.bool_], rescaled: npt.NDArray[Any]
) -> list[str]:
    said = []
    small, beside = int(np.sum(reason == SMALL)), int(np.sum(reason == BESIDE))
    if small or beside:
        said.append(
            f"{small:,} small counts are withheld and {beside:,} beside them, of {len(reason):,}; they enter the fit "
            "as intervals."
        )
    lost = int(np.sum(~fitted))
    if lost:
        said.append(
            f"{lost:,} rows whose number of people or expected events are withheld are left out of the fit."
        )
    if len(rescaled):
        said.append(
            "Expected events sum to the observed ones, and so would tell what is withheld or rounded: in "
            f"{', '.join(map(str, rescaled))} they were changed to sum to what is shown."
        )
    return said


def _without(cells: Cells, keep: npt.NDArray[np.bool_]) -> tuple[Cells, npt.NDArray[np.bool_]]:
    """The cells with only the leaves where `keep` is true, and which cells are left, bool (C,)."""
    if not keep.any():
        raise DataError("no row is left whose number of people may be shown", action="lower below=…")
    left = np.zeros(cells.n_cells, dtype=bool)
    left[cells.leaf_cell[keep]] = True
    return cells.at_leaves(keep), left


def _table_of(table: Table, cells: Cells, keep: npt.NDArray[np.bool_]) -> Table:
    """The table of the remaining cells, with the harmless columns only, sorted by label if it was sorted by results."""
    place = np.cumsum(keep) - 1
    rows = keep[table.row_cell]
    extras = table.extras[[name for name in _HARMLESS if name in table.extras]][rows]
    row_cell = place[table.row_cell[rows]].astype(np.int64)
    if _came_sorted(table.cells):
        order = np.argsort(row_cell, kind="stable")
        extras, row_cell = extras.iloc[order], row_cell[order]
        cells = replace(cells, row=np.arange(cells.n_leaves))
    return Table(cells, extras.reset_index(drop=True), row_cell, table.notes, table.tidy_labels)


def _came_sorted(cells: Cells) -> bool:
    """Whether the rows of the data were sorted by a count or a ratio, and not by their labels."""
    order = np.argsort(cells.row, kind="stable")
    if np.array_equal(order, np.arange(cells.n_leaves)):
        return False
    counts = [cells.exact, cells.size]
    if cells.expected is not None:
        counts.append(cells.expected)
    numbers = [*counts, *(counts[0] / each for each in counts[1:])]
    labels = [cells.leaf_trust, cells.cell_department[cells.leaf_cell]]
    if cells.leaf_period is not None:
        labels.append(cells.leaf_period)
    return came_sorted([values[order] for values in numbers], [codes[order] for codes in labels])
