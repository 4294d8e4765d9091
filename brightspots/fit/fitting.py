"""`fit_hierarchy()`: from a table to a fit."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arguments import checked
from brightspots.common.arrays import FloatArray
from brightspots.common.cautions import warn_of
from brightspots.common.errors import DataError, DataWarning
from brightspots.common.settings import Priors
from brightspots.data.cells import Cells
from brightspots.data.checks import data_cautions
from brightspots.data.columns import Columns, columns_given
from brightspots.data.estimates import on_scale, priors_in_units
from brightspots.data.keys import key_column
from brightspots.data.numbers import Source
from brightspots.data.opening import open_source
from brightspots.data.options import ReadOptions
from brightspots.data.tables import read_table
from brightspots.disclosure import Rules
from brightspots.disclosure.intake import rules_of
from brightspots.engine.options import FitOptions, Method
from brightspots.engine.run import Request, run
from brightspots.fit.hierarchy_fit import HierarchyFit
from brightspots.fit.outcome_fits import OutcomeFits


@checked
def fit_hierarchy(
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
    tidy_labels: bool = False,
    covariates: str | None = None,
    expected_sd: float | str | None = None,
    family: names.FamilyName | None = None,
    higher_is: names.HigherIs = "worse",
    priors: Priors | None = None,
    method: Method = "auto",
    sampler: str = "auto",
    draws: int | None = None,
    seed: int | None = None,
    progress: bool | None = None,
) -> HierarchyFit | OutcomeFits:
    """Fit the hierarchy of trusts and departments to a table of outcomes.

    η = offset + x'β + a_department type + u_trust + v_trust,department [+ w_trust,department,period] [+ ε], with
    y ~ Poisson(E·exp(η)), y ~ Binomial(n, logit⁻¹(logit(E/n) + η)), or estimate ~ N(η, s²). With periods, w is what is
    particular to one of them, independently of the others; v stands for the department's average over the periods
    shown, and ratios, excess and flags are about that.

    Parameters
    ----------
    data : eager dataframe (pandas, polars, pyarrow, …), mapping of columns, or the result of `standardise()`
        One row per trust × department [× period]. Never modified; the order of its rows never reaches the result.
    trust, department : str
        Columns of labels.
    observed, expected : str
        Columns of events, and of events expected from case mix.
    denominator : str, optional
        Column of people at risk; makes the family binomial.
    observed_lower, observed_upper : str, optional
        Columns of bounds, for suppressed or rounded counts (by default the columns of these names where there are any).
        An upper bound may be infinite. Where both are given the count is any within them, and `observed` may be missing
        or absent; blank bounds, or bounds equal to it, leave a count exact.
    counted_from : str, optional
        Column of the smallest count that would be in the data, where smaller ones are withheld together with the row
        (by default the column of this name where there is one); blank or 0 for rows that are there in any case. The
        likelihood of such a count is that of y given y ≥ counted_from.
    estimate, standard_error : str, optional
        Columns of an estimate (log ratio, mean, …) and its standard error; makes the family normal.
    estimate_scale : {"log ratio", "difference"}, optional
        What a difference between two estimates is. "log ratio" (log standardised ratios, log odds): results are ratios.
        "difference" (mean length of stay in days, points of a score): results are differences in the units of the
        estimates, default priors scale with the estimates' standard deviation, and how large a difference matters
        must be said (`SpotRule.difference`). Not given, estimates are read as log ratios, with a warning where
        they typically lie further from 0 than log 10.
    period : str, False or None
        Column of periods; None takes the column `period` where there is one; False sums over periods. Tables and
        figures have them in the order of time: that of an ordered categorical, numbers, dates or months by name (as
        text too, January first); a `DataWarning` says where the order cannot be told. The model knows of no order.
    outcome : str, optional
        Column that tells outcomes apart: one hierarchy is fitted to each.
    columns : Columns, optional
        All of these names in one object, in place of the keyword arguments, which are its shorthand.
    tidy_labels : bool, default False
        Join labels that differ only by capitals, white space (no-break blanks too), Unicode form or invisible
        characters, under the spelling that most rows have: with a `DataWarning`, and counted in the notes of the fit.
        Not given, such labels are an error that lists them. Ratings are then matched in the same way.
    covariates : str, optional
        Formula such as ``"beds + teaching"``, at any level.
    expected_sd : float or str, optional
        How far expected events may be off: the standard deviation of the error in log(expected) of a department, 0.1
        for about 10%; a number for all departments, or the column that has each one's. No case mix is adjusted for
        perfectly, and without this the model takes the error for an effect of the department. Its periods share it. Of
        counts and proportions; of proportions without expected events it is an error of the log odds. Of estimates it
        belongs into `standard_error`. `HierarchyFit.sensitivity` says which flags survive 0.05 and 0.10.
    family : {"poisson", "binomial", "normal"}, optional
        Inferred from the columns where not given.
    higher_is : {"worse", "better"}, default "worse"
    priors : Priors, optional
    method : {"auto", "integrate", "nuts"}, default "auto"
        "integrate" computes the posterior by integration; "nuts" samples it with PyMC. "auto" integrates, and where
        that does not earn its certificate says so and samples, for at most ten minutes. If the chains do not agree
        either, or are not done by then, the better of the two answers comes back, uncertified, and its message says
        what is wrong with both.
    sampler : {"auto", "nutpie", "numpyro", "pymc"}, default "auto"
        Who runs NUTS.
    draws : int, optional
        Posterior draws to hold; by default enough for 1,000 effective ones.
    seed : int, optional
        The same seed gives the same numbers; to the last digit within a process, and across processes where the same
        loops make them (``brightspots compile``, or the environment variable BRIGHTSPOTS_LOOPS).
    progress : bool, optional
        Show a progress bar; by default in a terminal and in Jupyter only.

    Returns
    -------
    HierarchyFit, or OutcomeFits where `outcome` is given

    Raises
    ------
    DataError
        Where the data cannot be used; names the column, the first rows, what was expected and what to do.
    SettingsError
        Where an argument has a value that cannot be used.

    Warns
    -----
    CertificateWarning
        Where the fit did not earn its certificate.
    DataWarning
        Where estimates do not look like log ratios and `estimate_scale` is not given; where observed over expected
        events lies outside 0.5 to 2 in all, so that expected is probably something else; where estimates look as if a
        model had shrunken them already, or their standard errors are far too large; where a label reads like the total
        of the others, rows of 0 of 0 (no events, nobody at risk) are left out, or labels were joined.
        `HierarchyFit.cautions` has what was found in the data.

    Examples
    --------
    >>> import brightspots as bs
    >>> cells = bs.simulate_nation(30, 8, seed=1).cells
    >>> fit = bs.fit_hierarchy(cells, seed=1)
    >>> fit.certificate.ok
    True

    Columns with names of your own, here of a mapping:

    >>> table = {
    ...     "site": ["North", "North", "South", "South"],
    ...     "service": ["Stroke", "Renal", "Stroke", "Renal"],
    ...     "deaths": [41, 12, 30, 19],
    ...     "expected": [33.5, 14.1, 31.0, 15.5],
    ... }
    >>> small = bs.fit_hierarchy(table, trust="site", department="service", observed="deaths", seed=1)
    >>> small.departments()["trust"].tolist()
    ['North', 'North', 'South', 'South']
    """
    fitting = FitOptions(Priors() if priors is None else priors, method, sampler, draws, seed, progress)
    named = columns_given(
        columns, Columns(), trust=trust, department=department, observed=observed, expected=expected,
        denominator=denominator, observed_lower=observed_lower, observed_upper=observed_upper,
        counted_from=counted_from, estimate=estimate, standard_error=standard_error, period=period, outcome=outcome,
    )  # fmt: skip
    reading = ReadOptions(named, family, estimate_scale, covariates, tidy_labels, higher_is, expected_sd)
    source = open_source(data)
    if named.outcome is None:
        return _fit_part(source, data, reading, fitting)
    fits = {}
    # Not a comprehension, which would be a frame of its own between a warning and the line it points at.
    for label, part in _by_outcome(source, named.outcome, tidy=tidy_labels):
        fits[label] = _fit_part(part, data, reading, fitting, about=f"{named.outcome} {label!s}: ")
    return OutcomeFits(fits)


def _fit_part(
    part: Source, data: object, reading: ReadOptions, fitting: FitOptions, about: str = ""
) -> HierarchyFit:
    """Fit one hierarchy. `fit_hierarchy` calls this itself, so that warnings point at the line that called it.

    Parameters
    ----------
    part : Source
        The rows to fit: all of the data, or those of one outcome.
    data : eager dataframe, mapping or the result of `standardise()`
        What `fit_hierarchy` was given; a frame may say by which rules of disclosure control it was suppressed.
    reading : ReadOptions
    fitting : FitOptions
    about : str, optional
        Which outcome, said before warnings of its data.
    """
    table = read_table(part, reading, fitting.priors)
    cells = on_scale(table.cells, reading.estimate_scale)
    warn_of(data_cautions(cells), stacklevel=4, about=about)
    priors = priors_in_units(cells, fitting.priors)
    try:
        found = run(cells, replace(fitting, priors=priors), stacklevel=5)
    except (np.linalg.LinAlgError, ArithmeticError) as error:
        raise _too_far_apart(cells) from error
    return HierarchyFit(
        table=replace(table, cells=cells),
        columns=reading.columns,
        priors=found.priors,
        higher_is=reading.higher_is,
        seed=fitting.seed,
        certificate=found.certificate,
        effects=found.effects,
        request=Request(fitting.method, fitting.draws),
        rules=_rules_in(data, cells, reading.columns.observed),
        choice=found.choice,
    )


def _by_outcome(source: Source, column: str, *, tidy: bool) -> Iterator[tuple[Any, Source]]:
    """The label and the rows of each outcome, in the order of the labels.

    Raises
    ------
    DataError
        Where the data have no such column.

    Warns
    -----
    DataWarning
        Where spellings of one label were joined.
    """
    if column not in source.columns:
        raise DataError(
            "is not in the data",
            column=column,
            expected="a column that tells outcomes apart",
            action=f"pass outcome=… with one of: {', '.join(map(repr, source.columns))}",
        )
    key = key_column(source, column, "outcome", tidy=tidy)
    source = source.noting(*key.notes)
    for said in key.warnings:
        warnings.warn(said, DataWarning, stacklevel=4)
    for code, label in enumerate(key.labels):
        yield label, source.rows(key.codes == code)


def _too_far_apart(cells: Cells) -> DataError:
    """What to say of numbers with which no engine can compute: which leaf is furthest from the others."""
    middle = np.where(np.isfinite(cells.upper), 0.5 * (cells.lower + cells.upper), cells.lower)
    against = cells.size if cells.expected is None else cells.expected
    with np.errstate(over="ignore"):
        place = np.log((middle + 0.5) / (against + 0.5)) if cells.family.is_count else middle / against
    furthest = int(np.argmax(np.abs(place - np.median(place))))
    trust = cells.trusts[cells.leaf_trust[furthest]]
    department = cells.departments[cells.cell_department[cells.leaf_cell[furthest]]]
    estimates = not cells.family.is_count
    what, size = ("estimate", "standard error") if estimates else ("observed", "expected or at risk")
    return DataError(
        "the numbers are too large, or lie too far apart, to be computed with; furthest from the others is "
        f"{trust} × {department}: {what} {middle[furthest]:g}, {size} {against[furthest]:g}",
        expected="numbers of one measure, in one unit",
        action="correct that row, or check that each column holds what it is taken for",
    )


def _rules_in(data: object, cells: Cells, observed: str | None) -> Rules | None:
    """The rules of disclosure control by which a frame says it was suppressed; None where its counts break them."""
    return rules_of(data, cells.exact, _counts_in(data, observed)) if cells.family.is_count else None


def _counts_in(data: object, observed: str | None) -> FloatArray:
    """The counts that a frame holds, also those that enter the fit as intervals; none of other data."""
    if not isinstance(data, pd.DataFrame) or observed not in data:
        return np.empty(0)
    try:
        return pd.to_numeric(data[observed], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError, OverflowError):  # lists and the like, which `read_table` names
        return np.empty(0)
