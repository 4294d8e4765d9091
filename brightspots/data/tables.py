"""`read_table`: from any eager dataframe to checked `Cells`."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arrays import FloatArray, IntArray
from brightspots.common.errors import DataError, DataWarning
from brightspots.common.settings import Priors
from brightspots.data.cells import Cells
from brightspots.data.columns import Columns
from brightspots.data.counts import Counts, pool, read_counts
from brightspots.data.covariates import Design, covariate_design
from brightspots.data.empty_rows import empty_rows, without_empty
from brightspots.data.expected_errors import read_expected_sd
from brightspots.data.keys import KeyColumn, key_column
from brightspots.data.numbers import Source, check_rows
from brightspots.data.opening import open_source
from brightspots.data.options import ReadOptions
from brightspots.data.period_order import period_order_caution
from brightspots.data.resolving import infer_family, resolve_names
from brightspots.data.total_rows import total_rows
from brightspots.likelihood.families import family_of
from brightspots.likelihood.family import Family


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """Checked cells, and whatever else the data held.

    Parameters
    ----------
    cells : Cells
    extras : pandas.DataFrame (R rows)
        The columns that the model does not use (ratings, names), in the order of the data.
    row_cell : int array (R,)
        Cell of each row of the data.
    notes : tuple of str
        What was done, or noticed, on the way from a file to these cells, a sentence each. They count rows and name
        columns; they name no unit together with what it holds, for they stay with a table whose counts are suppressed.
    tidy_labels : bool
        Whether spellings of one label were joined, so that ratings are matched in the same way.
    """

    cells: Cells
    extras: pd.DataFrame
    row_cell: IntArray
    notes: tuple[str, ...] = ()
    tidy_labels: bool = False

    def __repr__(self) -> str:
        cells = self.cells
        return (
            f"Table(checked data of {cells.n_trusts:,} trusts × {cells.n_departments:,} departments, {cells.n_cells:,} "
            "cells; results are in fit.departments() and fit.find_spots().table)"
        )


def read_table(data: object, options: ReadOptions, priors: Priors) -> Table:
    """Check the data and put them into canonical order.

    Parameters
    ----------
    data : eager dataframe or mapping of columns
    options : ReadOptions
    priors : Priors
        Levels whose prior is None are not in the model, and the data need not identify them.

    Warns
    -----
    DataWarning
        Where the order of the periods in time cannot be told, a label reads like the total of the others, rows of
        0 of 0 are left out, or labels were joined.

    Raises
    ------
    DataError
        With the column, the first offending rows, what was expected and what to do.
    """
    source = data if isinstance(data, Source) else open_source(data)
    columns = resolve_names(source, options.columns, options.family)
    kind = infer_family(columns) if options.family is None else family_of(options.family)
    source, keys, said = _read_keys(source, columns, kind, options.tidy_labels)
    counts = read_counts(source, columns, kind)
    source, doubts = _point_out_totals(source, columns, keys, counts, kind)
    for text in (*said, *doubts):
        warnings.warn(text, DataWarning, stacklevel=5)
    errors = read_expected_sd(source, options.expected_sd, kind, priors, keys.cell)
    design = covariate_design(source, options.covariates)
    cells, row_cell = _cells_of(source, columns, keys, counts, kind, design, errors)
    _check_identifiable(cells, columns, priors)
    caution = period_order_caution(cells)
    if caution is not None:
        warnings.warn(f"column {columns.period!r}: {caution}", DataWarning, stacklevel=5)
    used = {*columns.named.values(), options.expected_sd}
    return Table(cells, _extras(source, used), row_cell, source.notes, options.tidy_labels)


@dataclass(frozen=True, eq=False)
class _Keys:
    """Labels of trusts, departments and periods, with the code of each row; `period` is None for fewer than two."""

    trust: KeyColumn
    department: KeyColumn
    period: KeyColumn | None

    @property
    def cell(self) -> IntArray:
        """Number of each row's trust × department, (R,): trust·D + department, with D the number of departments."""
        return self.trust.codes * len(self.department.labels) + self.department.codes

    def leaf(self, of: IntArray) -> IntArray:
        """Number of each row's combination of the code `of` (R,) and its period, (R,): of·P + period; P periods.

        A copy of `of` where there are no periods.
        """
        return of.copy() if self.period is None else of * len(self.period.labels) + self.period.codes


def _read_keys(
    source: Source, columns: Columns, family: Family, tidy: bool
) -> tuple[Source, _Keys, tuple[str, ...]]:
    """Read the labels and leave out rows of 0 of 0: the rows left, their keys, and texts to warn with."""
    named = {"trust": columns.trust, "department": columns.department, "period": columns.period}
    keys = {
        part: key_column(source, column, part, tidy=tidy)
        for part, column in named.items()
        if isinstance(column, str)
    }
    source = source.noting(*(note for key in keys.values() for note in key.notes))
    said = [text for key in keys.values() for text in key.warnings]
    source, keys, left_out = without_empty(source, empty_rows(source, columns, family), keys)
    period = keys.get("period")
    if period is not None and len(period.labels) == 1:
        period = None  # with one period its effects w cannot be distinguished from the departments' effects v
    said += [] if left_out is None else [left_out]
    return source, _Keys(keys["trust"], keys["department"], period), tuple(said)


def _cells_of(
    source: Source,
    columns: Columns,
    keys: _Keys,
    counts: Counts,
    family: Family,
    design: Design,
    errors: FloatArray | None,
) -> tuple[Cells, IntArray]:
    """`Cells` of the rows, pooled over periods where ``period=False``, and the cell of each row, (R,).

    Parameters
    ----------
    errors : float array (R,) or None
        Standard deviation of the error in log(expected) of each row's department.
    """
    order, leaf_of_row = _canonical_leaves(source, keys, counts, columns)
    leaf_rows = order[np.unique(leaf_of_row[order], return_index=True)[1]]
    if columns.period is False and len(leaf_rows) < len(source):
        _refuse_to_pool_truncated(source, columns, counts)
        counts = pool(counts, leaf_of_row, order, family)
        design.check_constant_within(leaf_of_row, source)
    else:
        counts = counts.at_leaves(leaf_rows)
    trust, department, period = keys.trust, keys.department, keys.period
    cell_keys, leaf_cell = np.unique(keys.cell[leaf_rows], return_inverse=True)
    scaled, scale = design.scaled(leaf_rows)
    cells = Cells(
        family=family,
        trusts=trust.labels,
        departments=department.labels,
        periods=None if period is None else period.labels,
        cell_trust=cell_keys // len(department.labels),
        cell_department=cell_keys % len(department.labels),
        leaf_cell=leaf_cell.astype(np.int64),
        leaf_period=None if period is None else period.codes[leaf_rows],
        leaf_type=keys.leaf(department.codes)[leaf_rows],
        lower=counts.lower,
        upper=counts.upper,
        size=counts.size,
        offset=family.offset(counts.size, counts.expected),
        expected=counts.expected,
        design=scaled,
        covariates=design.names,
        covariate_scale=scale,
        row=leaf_rows.astype(np.int64),
        counted_from=counts.counted_from,
        period_order="unknown" if period is None else period.period_order,
        expected_sd=None if errors is None else errors[leaf_rows],
    )
    return cells, leaf_cell[leaf_of_row].astype(np.int64)


def _point_out_totals(
    source: Source, columns: Columns, keys: _Keys, counts: Counts, family: Family
) -> tuple[Source, list[str]]:
    """Find labels that are totals of the others: the source with notes on them, and texts to warn with.

    A total that stands beside its parts counts every event twice.
    """
    said = []
    added = counts if family.is_count else None
    for key, other, part, column, words in (
        (keys.trust, keys.department, "trust", columns.trust, names.TRUST_TOTAL_WORDS),
        (keys.department, keys.trust, "department", columns.department, names.TOTAL_WORDS),
    ):
        found = total_rows(key.labels, key.codes, keys.leaf(other.codes), added, words)
        source = source.noting(*found.notes(part, column))
        warning = found.warning(part, column)
        said += [] if warning is None else [warning]
    return source, said


def _refuse_to_pool_truncated(source: Source, columns: Columns, counts: Counts) -> None:
    """Refuse to sum truncated counts: the sum of several is not distributed as one truncated count."""
    if counts.counted_from is not None:
        check_rows(
            source, str(columns.counted_from), counts.counted_from > 0,
            "rows with a smallest count cannot be added up", expected="no smallest count where periods are pooled",
            action="fit the periods (period=…) instead of pooling them, or drop the column",
        )  # fmt: skip


def _canonical_leaves(
    source: Source, keys: _Keys, counts: Counts, columns: Columns
) -> tuple[npt.NDArray[np.intp], IntArray]:
    """Positions of the rows sorted by trust, department and period, and the leaf of each row, (R,) each.

    Two rows of one leaf are an error unless periods are pooled.
    """
    key = keys.leaf(keys.cell)
    # Ties (rows that pooling will sum) are broken by value, so that rounding cannot depend on row order.
    order = np.lexsort((counts.upper, counts.lower, counts.size, key))
    _, leaf_of_row, rows_of_leaf = np.unique(key, return_inverse=True, return_counts=True)
    if columns.period is not False:
        repeated = rows_of_leaf[leaf_of_row] > 1
        if repeated.any():
            described = (
                columns.trust,
                columns.department,
                *([columns.period] if keys.period is not None else []),
            )
            action = (
                "sum the rows, name the column that tells them apart with period= or outcome=, or pass period=False "
                "to pool them"
            )
            raise DataError(
                "the same cell appears more than once",
                column=", ".join(map(str, described)),
                rows=source.labels[repeated].tolist(),
                expected="one row per " + " × ".join(map(str, described)),
                action=action,
                row_word=source.row_word,
            )
    return order, leaf_of_row.astype(np.int64)


def _check_identifiable(cells: Cells, columns: Columns, priors: Priors) -> None:
    """Refuse data from which the levels of the model cannot be told apart, or without events (or non-events)."""
    if cells.n_trusts < 2:
        raise DataError(
            f"there is a single trust ({cells.trusts[0]!r})",
            column=columns.trust,
            expected="at least two trusts, better twenty or more",
            action="variation between trusts cannot be learned from one; add the trusts it is compared with",
        )
    if priors.department is not None:
        alone = "pass priors=Priors(department=None, department_type=None) to fit trusts alone"
        if cells.n_departments < 2:
            raise DataError(
                f"there is a single department ({cells.departments[0]!r})",
                column=columns.department,
                expected="at least two departments",
                action=alone,
            )
        if np.diff(cells.trust_cells).max() < 2:
            raise DataError(
                "no trust has more than one department",
                column=columns.department,
                expected="trusts with several departments, to tell the levels apart",
                action=alone,
            )
    if cells.family.is_count:
        if not cells.upper.any():
            raise DataError(
                "there are no events at all",
                column=columns.observed or columns.observed_upper,
                expected="at least one event",
                action="ratios cannot be estimated; use a longer period or a commoner outcome",
            )
        if cells.family.is_bounded and np.array_equal(cells.lower, cells.size):
            raise DataError(
                "everybody had the event in every cell",
                column=columns.observed or columns.observed_lower,
                expected="some people without the event",
            )


def _extras(source: Source, used: Collection[object]) -> pd.DataFrame:
    """Copy the columns that the model did not use, as pandas, in the order of the data."""
    columns = {name: source.values(name) for name in source.columns if name not in used}
    try:
        return pd.DataFrame(columns, index=range(len(source)))
    except (UnicodeError, ValueError, TypeError):  # values that pandas would make text, and cannot
        held = {name: pd.Series(list(values), dtype=object) for name, values in columns.items()}
        return pd.DataFrame(held, index=range(len(source)))
