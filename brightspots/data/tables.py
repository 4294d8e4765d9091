"""Any eager dataframe in, checked `Cells` out: the one place that asks what kind of table this is."""

from __future__ import annotations

import difflib
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import narwhals as nw
import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.errors import DataError, DataWarning, SettingsError
from brightspots.common.settings import Priors
from brightspots.data.cells import Cells, IntArray
from brightspots.data.columns import text_names, with_text_names
from brightspots.data.counts import ColumnNames, Counts, offset, pool, read_counts
from brightspots.data.covariates import covariate_design
from brightspots.data.empty_rows import empty_rows, without_empty
from brightspots.data.keys import KeyColumn, key_column
from brightspots.data.numbers import Source, check_rows, row_word_of
from brightspots.data.period_order import period_order_caution
from brightspots.data.total_rows import total_rows

# Names of a table's columns that an error lists.
_SHOWN_COLUMNS: Final = 20


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


class CellTable:
    """What brings its cells along as a table in the standard columns: the result of `standardise()`."""

    table: pd.DataFrame


def open_source(data: Any) -> Source:
    """Wrap an eager dataframe, a mapping of columns or standardised cells, without changing or copying it.

    Raises
    ------
    DataError
        Where `data` is not a table, is lazy, has no rows or repeats a column name.
    """
    if isinstance(data, CellTable):
        data = data.table
    if isinstance(data, Mapping):
        data = frame_of(data)
    if isinstance(data, pd.DataFrame):
        data = with_text_names(data)
    try:
        frame = nw.from_native(data, eager_only=True)
    except TypeError:
        lazy = hasattr(data, "collect") or hasattr(data, "execute") or hasattr(data, "compute")
        action = (
            "collect it first (for example .collect()), or count patient records with standardise()"
            if lazy
            else "read the file first, for example with pandas.read_csv"
            if isinstance(data, str | os.PathLike)
            else "pass a pandas, polars or pyarrow table, or a mapping of columns"
        )
        raise DataError(
            f"the data are a {type(data).__name__}", expected="an eager dataframe", action=action
        ) from None
    if len(frame) == 0:
        raise DataError("the data have no rows", expected="one row per trust and department")
    index = nw.maybe_get_index(frame)
    labels = np.arange(len(frame)) if index is None else np.asarray(index)
    return Source(frame, labels, notes_of(data), row_word_of(index))


def frame_of(columns: Mapping[Any, Any]) -> pd.DataFrame:
    """A mapping of columns as a frame; names that are no text become text, and lists stay the values that they are."""
    named = dict(zip(text_names(columns), columns.values(), strict=True))
    for name, column in named.items():
        if (
            isinstance(column, str | bytes)
            or not hasattr(column, "__len__")
            or not hasattr(column, "__iter__")
        ):
            raise DataError(
                f"a {type(column).__name__} stands in place of values", column=name,
                expected="one value per row", action="pass a list, an array or a Series for each column",
            )  # fmt: skip
    lengths = {name: len(column) for name, column in named.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"the columns of the mapping differ in length: {lengths}")
    try:
        return pd.DataFrame(named)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"the mapping cannot be read as a table: {' '.join(str(error).split())}",
            expected="one-dimensional columns of one length",
        ) from error


def notes_of(data: object) -> tuple[str, ...]:
    """What readers, `tidy` and `suppress` say of a table, a sentence each: its ``.attrs["notes"]``, if it has any."""
    said = data.attrs.get("notes", ()) if isinstance(data, pd.DataFrame) else ()
    return (said,) if isinstance(said, str) else tuple(map(str, said))


def read_table(
    data: object,
    columns: ColumnNames,
    *,
    family: names.Family | None,
    covariates: str | None,
    priors: Priors,
    tidy_labels: bool = False,
) -> Table:
    """Check the data and put them into canonical order.

    Parameters
    ----------
    data : eager dataframe or mapping of columns
    columns : ColumnNames
    family : {"poisson", "binomial", "normal"} or None
        None infers it from the columns.
    covariates : str or None
        Formula of cell- or trust-level covariates.
    priors : Priors
        Says which levels are in the model, and so what the data must be able to tell apart.
    tidy_labels : bool, default False
        Join labels that differ only by capitals, white space or invisible characters, which are refused otherwise.

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
    columns = resolve_names(source, columns, family)
    family = family or _infer_family(columns)
    source, keys, said = _read_keys(source, columns, family, tidy_labels)
    trust, department, period = keys["trust"], keys["department"], keys.get("period")
    if period is not None and len(period.labels) == 1:
        period = None  # one period cannot tell what is particular to it from what is not
    counts = read_counts(source, columns, family)
    source, doubts = _point_out_totals(source, columns, trust, department, period, counts, family)
    for text in (*said, *doubts):
        warnings.warn(text, DataWarning, stacklevel=5)
    design = covariate_design(source, covariates)

    order, leaf_of_row = _canonical_leaves(source, trust, department, period, counts, columns)
    first = np.unique(leaf_of_row[order], return_index=True)[1]
    leaf_rows = order[first]
    if columns.period is False and len(leaf_rows) < len(source):
        _refuse_to_pool_truncated(source, columns, counts)
        counts = pool(counts, leaf_of_row, order, family)
        design.check_constant_within(leaf_of_row, source)
    else:
        counts = counts.at_leaves(leaf_rows)

    cell_key = trust.codes[leaf_rows] * len(department.labels) + department.codes[leaf_rows]
    cell_keys, leaf_cell = np.unique(cell_key, return_inverse=True)
    leaf_type = department.codes[leaf_rows].copy()
    if period is not None:
        leaf_type = leaf_type * len(period.labels) + period.codes[leaf_rows]
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
        leaf_type=leaf_type,
        lower=counts.lower,
        upper=counts.upper,
        size=counts.size,
        offset=offset(counts, family),
        expected=counts.expected,
        design=scaled,
        covariates=design.names,
        covariate_scale=scale,
        row=leaf_rows.astype(np.int64),
        counted_from=counts.counted_from,
        period_order="unknown" if period is None else period.period_order,
    )
    _check_identifiable(cells, columns, priors)
    caution = period_order_caution(cells)
    if caution is not None:
        warnings.warn(f"column {columns.period!r}: {caution}", DataWarning, stacklevel=5)
    used = {value for value in vars(columns).values() if isinstance(value, str)}
    return Table(
        cells, _extras(source, used), leaf_cell[leaf_of_row].astype(np.int64), source.notes, tidy_labels
    )


def _read_keys(
    source: Source, columns: ColumnNames, family: names.Family, tidy: bool
) -> tuple[Source, dict[str, KeyColumn], tuple[str, ...]]:
    """The rows that carry information, their labels, and what to warn of."""
    named = {"trust": columns.trust, "department": columns.department, "period": columns.period}
    keys = {
        part: key_column(source, column, part, tidy=tidy)
        for part, column in named.items()
        if isinstance(column, str)
    }
    source = source.noting(*(note for key in keys.values() for note in key.notes))
    said = [text for key in keys.values() for text in key.warnings]
    source, keys, left_out = without_empty(source, empty_rows(source, columns, family), keys)
    return source, keys, (*said, *([] if left_out is None else [left_out]))


def _point_out_totals(
    source: Source,
    columns: ColumnNames,
    trust: KeyColumn,
    department: KeyColumn,
    period: KeyColumn | None,
    counts: Counts,
    family: names.Family,
) -> tuple[Source, list[str]]:
    """Note and warn of labels that add the others up: beside its parts a total counts every event twice."""
    time = 0 if period is None else period.codes
    times = 1 if period is None else len(period.labels)
    said = []
    for key, other, part, column, words in (
        (trust, department, "trust", columns.trust, names.TRUST_TOTAL_WORDS),
        (department, trust, "department", columns.department, names.TOTAL_WORDS),
    ):
        place = other.codes * times + time
        found = total_rows(key.labels, key.codes, place, None if family == "normal" else counts, words)
        source = source.noting(*found.notes(part, column))
        warning = found.warning(part, column)
        said += [] if warning is None else [warning]
    return source, said


def _refuse_to_pool_truncated(source: Source, columns: ColumnNames, counts: Counts) -> None:
    """A sum of counts, each of which is there only because it is not small, has no truncation of its own."""
    if counts.counted_from is not None:
        check_rows(
            source, str(columns.counted_from), counts.counted_from > 0,
            "rows with a smallest count cannot be added up", expected="no smallest count where periods are pooled",
            action="fit the periods (period=…) instead of pooling them, or drop the column",
        )  # fmt: skip


def resolve_names(source: Source, columns: ColumnNames, family: names.Family | None) -> ColumnNames:
    """Fill in the standard names that the data have, and check that the named ones exist."""
    have = set(source.columns)
    resolved: dict[str, Any] = dict(vars(columns))

    def adopt(part: str) -> None:
        # Bounds stand beside the count that they are of: deaths_lower beside deaths.
        beside = (
            f"{columns.observed}{part.removeprefix('observed')}" if part.startswith("observed_") else part
        )
        for name in (part, beside):
            if resolved[part] is None and name in have:
                resolved[part] = name

    if family == "normal" or (family is None and columns.observed not in have):
        adopt("estimate")
        adopt("standard_error")
    if resolved["estimate"] is None and (
        family == "binomial" or (family is None and columns.expected not in have)
    ):
        adopt("denominator")
    if resolved["estimate"] is None:
        adopt("observed_lower")
        adopt("observed_upper")
        adopt("counted_from")
        bounded = resolved["observed_lower"] is not None and resolved["observed_upper"] is not None
        if bounded and columns.observed == names.OBSERVED and names.OBSERVED not in have:
            resolved["observed"] = None  # bounds alone say what was counted
    if resolved["period"] is None:
        adopt("period")

    if family == "normal" or resolved["estimate"] is not None:
        for part in ("expected", "denominator", "observed_lower", "observed_upper", "counted_from"):
            resolved[part] = None
        resolved["observed"] = None
        required = ["trust", "department", "estimate", "standard_error"]
    else:
        resolved["standard_error"] = None
        if family == "poisson":
            resolved["denominator"] = None
        binomial = family == "binomial" or resolved["denominator"] is not None
        if binomial and columns.expected == names.EXPECTED and names.EXPECTED not in have:
            resolved["expected"] = None
        counted = [] if resolved["observed_lower"] is not None else ["observed"]
        required = ["trust", "department", *counted, "denominator" if binomial else "expected"]
    sought = {part: resolved[part] or part for part in required}
    sought |= {part: name for part, name in resolved.items() if isinstance(name, str)}
    missing = [(part, name) for part, name in sought.items() if name not in have]
    if missing:
        raise missing_columns(missing, source.columns)
    if (resolved["observed_lower"] is None) != (resolved["observed_upper"] is None):
        raise SettingsError("observed_lower and observed_upper must be given together")
    return ColumnNames(**resolved)


def missing_columns(
    missing: Sequence[tuple[str, str]], columns: Sequence[str], what: str = "data"
) -> DataError:
    """Say of all columns that were looked for and are not there which part they play, and which might be meant.

    Parameters
    ----------
    missing : sequence of (part, column)
    columns : sequence of str
        That there are.
    what : str, default "data"
        Where they were looked for.
    """
    plain = {" ".join(name.replace("_", " ").split()).casefold(): name for name in columns}
    meant = []
    for part, name in missing:
        near = [
            close
            for wanted in dict.fromkeys((name, part))
            for close in difflib.get_close_matches(
                wanted.replace("_", " ").casefold(), plain, n=1, cutoff=0.7
            )
        ]
        near += [word for word in plain if part in word.split()]
        if near:
            meant.append(f"{part}={plain[near[0]]!r}")
    parts = list(dict.fromkeys(part for part, _ in missing))
    several = len(missing) > 1
    hidden = len(columns) - _SHOWN_COLUMNS
    known = ", ".join(map(repr, columns[:_SHOWN_COLUMNS])) + (f" and {hidden:,} more" if hidden > 0 else "")
    perhaps = f"did you mean {', '.join(meant)}? " if meant else ""
    return DataError(
        f"{'are' if several else 'is'} not in the {what}",
        column=[name for _, name in missing],
        expected=f"{'columns' if several else 'a column'} for {', '.join(parts)}",
        action=f"{perhaps}pass {', '.join(f'{part}=…' for part in parts)} with one of: {known}",
    )


def _infer_family(columns: ColumnNames) -> names.Family:
    if columns.estimate is not None:
        return "normal"
    return "binomial" if columns.denominator is not None else "poisson"


def _canonical_leaves(
    source: Source,
    trust: KeyColumn,
    department: KeyColumn,
    period: KeyColumn | None,
    counts: Counts,
    columns: ColumnNames,
) -> tuple[npt.NDArray[np.intp], IntArray]:
    """Rows sorted by key, and the leaf of each row; a repeated key is an error unless periods are pooled."""
    key = trust.codes * len(department.labels) + department.codes
    if period is not None:
        key = key * len(period.labels) + period.codes
    # Ties (rows that pooling will sum) are broken by value, so that rounding cannot depend on row order.
    order = np.lexsort((counts.upper, counts.lower, counts.size, key))
    _, leaf_of_row, rows_of_leaf = np.unique(key, return_inverse=True, return_counts=True)
    if columns.period is not False:
        repeated = rows_of_leaf[leaf_of_row] > 1
        if repeated.any():
            described = columns.trust, columns.department, *([columns.period] if period is not None else [])
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


def _check_identifiable(cells: Cells, columns: ColumnNames, priors: Priors) -> None:
    """Refuse data that cannot tell the levels of the model apart."""
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
    if cells.family != "normal":
        if not cells.upper.any():
            raise DataError(
                "there are no events at all",
                column=columns.observed or columns.observed_upper,
                expected="at least one event",
                action="ratios cannot be estimated; use a longer period or a commoner outcome",
            )
        if cells.family == "binomial" and np.array_equal(cells.lower, cells.size):
            raise DataError(
                "everybody had the event in every cell",
                column=columns.observed or columns.observed_lower,
                expected="some people without the event",
            )


def _extras(source: Source, used: set[str]) -> pd.DataFrame:
    """Copy the columns that the model did not use, as pandas, in the order of the data."""
    columns = {name: source.values(name) for name in source.columns if name not in used}
    try:
        return pd.DataFrame(columns, index=range(len(source)))
    except (UnicodeError, ValueError, TypeError):  # values that pandas would make text, and cannot
        held = {name: pd.Series(list(values), dtype=object) for name, values in columns.items()}
        return pd.DataFrame(held, index=range(len(source)))
