"""`check_table()` and `tidy()`: a report on a table before a fit, and changes to it that are asked for."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arguments import checked
from brightspots.common.errors import DataError, DataWarning, SettingsError
from brightspots.common.settings import Priors
from brightspots.data.columns import Columns, columns_given
from brightspots.data.estimates import on_scale
from brightspots.data.opening import open_source
from brightspots.data.options import ReadOptions
from brightspots.data.tables import Table, read_table
from brightspots.parsing import Reading, parse_frame, read_table_file
from brightspots.tidying.number_checks import missing_columns, number_findings
from brightspots.tidying.rating_checks import rating_findings
from brightspots.tidying.remedies import STEPS, settle
from brightspots.tidying.report import Finding, TableReport
from brightspots.tidying.roles import Roles, row_word
from brightspots.tidying.unit_checks import unit_findings

_WEIGHTS: Final = ("error", "doubt", "note")


@checked
def check_table(
    data: object,
    *,
    trust: str = names.TRUST,
    department: str = names.DEPARTMENT,
    observed: str = names.OBSERVED,
    expected: str | None = names.EXPECTED,
    denominator: str | None = None,
    observed_lower: str | None = None,
    observed_upper: str | None = None,
    counted_from: str | None = None,
    estimate: str | None = None,
    standard_error: str | None = None,
    estimate_scale: names.EstimateScale | None = None,
    period: str | bool | None = None,
    outcome: str | None = None,
    columns: Columns | None = None,
    family: names.FamilyName | None = None,
    rating: Any = None,
    rating_order: Sequence[Any] | None = None,
    sheet: str | None = None,
) -> TableReport:
    """Report everything about a table at once, before it is fitted: how it was read, what is wrong, and what to do.

    Nothing is changed. How a file is read (encoding, separator, decimal commas, rows above the header, marks of
    suppression) is decided automatically where it is certain, and noted. Changes of meaning are proposed as remedies,
    and made by `tidy` when they are asked for.

    Parameters
    ----------
    data : path, eager dataframe or mapping of columns
        A path to ``.csv``, ``.tsv``, ``.txt``, ``.xlsx`` or ``.parquet``, also compressed.
    trust, department, observed, expected, denominator, observed_lower, observed_upper, counted_from, estimate, \
standard_error, estimate_scale, period, outcome, columns, family
        Which column is what, as in `fit_hierarchy`.
    rating : str, mapping, Series or DataFrame, optional
        A column of ratings (``"rating"`` where there is one), or ratings as `HierarchyFit.find_spots` takes them.
    rating_order : sequence, optional
        The ratings, worst first.
    sheet : str, optional
        Of an Excel file.

    Returns
    -------
    TableReport
        Its `findings` have a `code` each, rows, and a remedy in Python and on the command line.

    Raises
    ------
    DataError
        Where the file cannot be read as a table at all.
    SettingsError
        Where an argument has a value that cannot be used.

    Examples
    --------
    >>> import brightspots as bs
    >>> table = {
    ...     "trust": ["North", "North", "South", "South ", "Total", "Total"],
    ...     "department": ["Stroke", "Renal", "Stroke", "Renal", "Stroke", "Renal"],
    ...     "observed": ["41", "12", "1,030", "19", "1,071", "31"],
    ...     "expected": [33.5, 14.1, 1031.0, 15.5, 1064.5, 29.6],
    ... }
    >>> report = bs.check_table(table)
    >>> report.ok, report.remedies
    (False, ('twins', 'totals'))
    """
    named = columns_given(
        columns, Columns(), trust=trust, department=department, observed=observed, expected=expected,
        denominator=denominator, observed_lower=observed_lower, observed_upper=observed_upper,
        counted_from=counted_from, estimate=estimate, standard_error=standard_error, period=period, outcome=outcome,
    )  # fmt: skip
    options = ReadOptions(named, family, estimate_scale)
    roles = Roles(named, rating if isinstance(rating, str) else names.RATING)
    name, frame, readings = as_read(data, roles, sheet)
    file = isinstance(data, str | os.PathLike)
    findings = [_of_reading(reading, row_word(frame), file=file) for reading in readings]
    findings += _findings(frame, roles, options, (rating, rating_order))
    if not any(finding.weight == "error" for finding in findings):
        findings += [refusal for part in _by_outcome(frame, roles) for refusal in _refusals(part, options)]
    findings.sort(key=lambda finding: _WEIGHTS.index(finding.weight))
    return TableReport(name, len(frame), roles, tuple(dict.fromkeys(findings)), sheet)


@checked
def tidy(
    data: object, report: TableReport, remedies: Sequence[str] = (), *, columns: Columns | None = None
) -> pd.DataFrame:
    """Read a table as `check_table` did, and make the changes that are asked for.

    Parameters
    ----------
    data : path, eager dataframe or mapping of columns
        Never modified. It may also be another table of the same layout, such as next month's.
    report : TableReport
        Says which column is what, and which sheet to read.
    remedies : sequence of str
        Codes of the changes to make: ``["totals", "twins"]``; ``report.remedies`` lists those offered. Without any,
        only numbers that are text become numbers.
    columns : Columns, optional
        Which column is what, where this table has other names than the one that was checked.

    Returns
    -------
    pandas.DataFrame
        ``.attrs["notes"]`` says how it was read and what was changed, a sentence each; fits, their files and packs keep
        these notes.

    Raises
    ------
    DataError
        Where the file cannot be read as a table.
    SettingsError
        Where there is no such remedy.

    Examples
    --------
    >>> import brightspots as bs
    >>> table = {
    ...     "trust": ["North", "North", "South", "South ", "Total", "Total"],
    ...     "department": ["Stroke", "Renal", "Stroke", "Renal", "Stroke", "Renal"],
    ...     "observed": [41, 12, 30, 19, 71, 31],
    ...     "expected": [33.5, 14.1, 31.0, 15.5, 64.5, 29.6],
    ... }
    >>> clean = bs.tidy(table, bs.check_table(table), ["totals", "twins"])
    >>> clean["trust"].unique().tolist()
    ['North', 'South']
    >>> clean.attrs["notes"][1]
    "Left out 2 rows of totals ('Total')."
    """
    if not isinstance(report, TableReport):
        raise SettingsError(f"report must be what check_table() answers; received {type(report).__name__}")
    roles = report.roles if columns is None else replace(report.roles, columns=columns)
    _, frame, _ = as_read(data, roles, report.sheet)
    return settle(frame, roles, remedies)


# ---- parts --------------------------------------------------------------------------------------------------------


def as_read(
    data: object, roles: Roles, sheet: str | None = None
) -> tuple[str, pd.DataFrame, tuple[Reading, ...]]:
    """Read a table from a file or from memory: its name, its frame with numbers as numbers, and the readings."""
    columns = roles.columns
    named = (columns.trust, columns.department, columns.name_of("period"), columns.outcome)
    keys = [name for name in named if name is not None]
    if isinstance(data, str | os.PathLike):
        file = read_table_file(data, keys=keys, sheet=sheet)
        return file.name, file.frame, file.readings
    source = open_source(data)
    frame = pd.DataFrame(
        {name: source.values(name) for name in source.columns}, index=pd.Index(source.labels)
    )
    if isinstance(data, pd.DataFrame):
        frame.index.name = data.index.name
    parsed, readings = parse_frame(frame, keys=keys)
    for key in keys:
        if key in frame:
            parsed[key] = frame[key]  # labels stay exactly as given
    parsed.attrs["notes"] = (*source.notes, *(reading.text for reading in readings))
    return "the data", parsed, readings


def _findings(
    frame: pd.DataFrame,
    roles: Roles,
    options: ReadOptions,
    ratings: tuple[Any, Sequence[Any] | None],
) -> list[Finding]:
    """All findings on a frame: on layout, labels and rows, numbers, ratings, and on the cells of a fit.

    Parameters
    ----------
    frame : pandas.DataFrame
    roles : Roles
    options : ReadOptions
    ratings : tuple
        Its `rating` and `rating_order`.
    """
    found, settled, open_errors = _what_steps_find(frame, roles)
    numbers = missing_columns(settled, options) or number_findings(settled, roles)
    open_errors |= any(finding.weight == "error" for finding in numbers)
    found += numbers + rating_findings(settled, roles, *ratings)
    if not open_errors:  # else a refusal by the fit would only repeat these errors in other words
        for part in _by_outcome(settled, roles):
            found += _after_remedies(part, roles, options)
    return found


def _what_steps_find(frame: pd.DataFrame, roles: Roles) -> tuple[list[Finding], pd.DataFrame, bool]:
    """Run every step in turn, each on the frame with the remedies of those before it applied.

    Returns
    -------
    findings : list of Finding
    frame : pandas.DataFrame
        With all remedies applied that need no value.
    open_errors : bool
        Whether an error is left that no remedy has settled.
    """
    findings: list[Finding] = []
    open_errors = False
    for step in STEPS:
        found = step.find(frame, roles)
        findings += found
        if any(finding.remedy == step.code for finding in found):
            frame = step.settle(frame, roles, None)[0]
        open_errors |= any(finding.weight == "error" and finding.remedy != step.code for finding in found)
    return findings, frame, open_errors


def _of_reading(reading: Reading, word: str, *, file: bool) -> Finding:
    """A reading as a finding: a note for a file; for a table in memory with a remedy, since a fit refuses text."""
    if file:
        return Finding(reading.code, "note", reading.text, reading.column, reading.rows, word)
    return Finding(
        reading.code,
        "error",
        reading.text,
        reading.column,
        reading.rows,
        word,
        in_python="bs.tidy(data, report)",
    )


def _by_outcome(frame: pd.DataFrame, roles: Roles) -> list[pd.DataFrame]:
    """The table of each outcome; one table where there are none."""
    if roles.columns.outcome is None or roles.columns.outcome not in frame:
        return [frame]
    return [part for _, part in frame.groupby(roles.columns.outcome, sort=False, observed=True)]


def _table(frame: pd.DataFrame, options: ReadOptions) -> Table:
    """The checked table of a fit, without its warnings, which have findings of their own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return read_table(frame, options, Priors())


def _refused(error: DataError | SettingsError, frame: pd.DataFrame) -> Finding:
    """The error of a fit that refuses a table, as a finding."""
    rows = error.rows if isinstance(error, DataError) else ()
    column = error.column if isinstance(error, DataError) else None
    return Finding("refused", "error", f"A fit refuses the table: {error}.", column, rows, row_word(frame))


def _refusals(frame: pd.DataFrame, options: ReadOptions) -> list[Finding]:
    """Errors that a fit of the table as it is would raise."""
    try:
        _table(frame, options)
    except (DataError, SettingsError) as error:
        return [_refused(error, frame)]
    return []


def _after_remedies(frame: pd.DataFrame, roles: Roles, options: ReadOptions) -> list[Finding]:
    """Findings on the cells of a fit to the frame with all remedies applied."""
    try:
        cells = _table(frame, options).cells
    except (DataError, SettingsError) as error:
        return [_refused(error, frame)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return unit_findings(frame, roles, on_scale(cells, options.estimate_scale))
