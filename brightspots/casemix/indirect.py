"""`standardise()`: from patient records to observed and expected events by trust and department."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final, Literal, get_args

import numpy as np
import pandas as pd

from brightspots.casemix.card_writer import write_card
from brightspots.casemix.factors import Bins, Factor, Kind, check_bins, meet, read_factor
from brightspots.casemix.intake import Roles, audit, prepare
from brightspots.casemix.models import CaseMixModel, fit_models
from brightspots.casemix.records import Records, opened
from brightspots.casemix.spelling import with_one_spelling
from brightspots.casemix.standardised import Standardised
from brightspots.casemix.strata import (
    Patterns,
    Types,
    count_cells,
    count_patterns,
    count_types,
    in_time,
    missing_by_factor,
)
from brightspots.common import vocabulary as names
from brightspots.common.arguments import checked
from brightspots.common.errors import DataError, DataWarning, SettingsError
from brightspots.data.columns import Columns, columns_given

Missing = Literal["level", "drop", "error"]
MissingOutcome = Literal["error", "drop"]
# How many values that a given model was not fitted to are named in a warning, for each column.
_SHOWN: Final = 3
_NOT_ADJUSTED_FOR: Final = {
    "outcome": "it is what is to be explained",
    "trust": "adjusting for the trust would take away what is to be compared",
    "department": "each department has a model or an intercept of its own already",
}


@checked
def standardise(
    records: Any,
    *,
    outcome: str | None = None,
    trust: str = names.TRUST,
    department: str = names.DEPARTMENT,
    casemix: Sequence[str] | None = None,
    period: str | None = None,
    columns: Columns | None = None,
    tidy_labels: bool = False,
    bins: Bins | None = None,
    missing: Missing = "level",
    missing_outcome: MissingOutcome = "error",
    min_events: int | None = None,
    model: Standardised | None = None,
) -> Standardised:
    """Standardise patient records indirectly: events expected in each trust's department from its case mix.

    The engine that holds the records counts them by department × case mix; only these counts are fetched. One logistic
    model for each department type, over all trusts, is fitted to them, with a coefficient for each level of case mix.
    The engine then sums the fitted probabilities by trust × department. In each department type the expected events sum
    to the observed ones.

    Parameters
    ----------
    records : frame, lazy table, mapping of columns, path, glob or list of paths
        One row a patient or stay. An eager dataframe (pandas, polars, pyarrow), a lazy table (DuckDB relation,
        polars LazyFrame, PySpark DataFrame, Ibis table, Dask dataframe), or Parquet or CSV files, which an embedded
        DuckDB reads. Never modified, never fetched row by row.
    outcome : str
        Column of 0 and 1, or of booleans; must be named, here or in `columns`.
    trust, department : str
        Columns of labels. From CSV they are read as text.
    casemix : sequence of str
        Columns to adjust for. Text and booleans are categorical, and so is a column of at most 12 different
        numbers: each value is a level. A column of more numbers is continuous and wants cut points in `bins`.
        Required unless `model` is given; an empty list adjusts for nothing but the department.
    period : str, optional
        Column of periods: cells are then trust × department × period. Models are fitted over all periods, so that
        change over time stays in the ratios, unless `casemix` names the column too.
    columns : Columns, optional
        `outcome`, `trust`, `department` and `period` in one object, in place of these keyword arguments.
    tidy_labels : bool, default False
        Join labels that differ only by capitals, white space, Unicode form or invisible characters, as `fit_hierarchy`
        does; else they are an error that lists them.
    bins : mapping of str to sequence of float or "levels", optional
        Cut points of a continuous column: ``{"age": [40, 60, 75]}`` makes the levels under 40, 40 to under 60, 60 to
        under 75, 75 and over. "levels" makes each of many numbers a level (codes, not measurements).
    missing : {"level", "drop", "error"}, default "level"
        Records with missing case mix (null, NaN, or blank text): a level of its own, left out with a warning, or
        refused.
    missing_outcome : {"error", "drop"}, default "error"
        Records without an outcome: refused, or left out with a warning.
    min_events : int, optional
        Events, and as many records without the event, that a department needs for coefficients of its own; by
        default ten for each coefficient (Peduzzi et al. 1996, J Clin Epidemiol 49:1373). Departments with fewer
        share the coefficients of one pooled model and keep an intercept each; where the pool has fewer itself, the
        next smallest departments join it.
    model : Standardised, optional
        Earlier result whose models score these records; nothing is fitted then.

    Returns
    -------
    Standardised
        `.table` for the cells, `.card` for the models. `fit_hierarchy` takes it as it is.

    Raises
    ------
    DataError
        Where a column is absent or of a kind that cannot be used, an outcome is neither 0 nor 1, a label or (by
        default) an outcome is missing, a covariate is continuous and has no cut points, has more than 200 levels,
        or a department is not in `model`.
    SettingsError
        Where an argument has a value that cannot be used.
    MissingExtraError
        Where files are given and DuckDB is not installed.

    Warns
    -----
    DataWarning
        Where records are left out (no outcome, missing case mix, a department in which all or none have the event),
        a covariate is constant, or `model` meets values that it was not fitted to: such a value is given the mean
        coefficient of its column.

    Notes
    -----
    Where a level has no events or only events in a model, or the likelihood has no finite maximum, that model is
    penalised by a log-F(1, 1) prior on every coefficient but the intercepts (Greenland & Mansournia 2015, Stat Med
    34:3133), and the card says so. Levels that other columns determine get no coefficient. A combination of levels
    without events needs no special treatment: its expected events follow from the coefficients of its levels.
    """
    named = columns_given(
        columns, Columns(), outcome=outcome, trust=trust, department=department, period=period
    )
    roles = _check_roles(named, casemix, model)
    _check_options(tidy_labels, missing, missing_outcome, min_events)
    if model is not None:
        _check_nothing_to_fit(model, bins, missing, min_events)
        missing = model.model.missing  # type: ignore[assignment]
    cuts = check_bins(bins, roles.casemix)
    with opened(records, roles.keys, (roles.outcome, *roles.casemix)) as given:
        prepared, kinds = prepare(given, roles)
        counted, unanswered = audit(prepared, roles, drop_missing_outcomes=missing_outcome == "drop")
        counted, notes, said = with_one_spelling(counted, roles, tidy=tidy_labels)
        types, factors, strangers = _levels(counted, roles, kinds, cuts, model)
        patterns = count_patterns(counted, types, factors)
        total = int(patterns.records.sum())
        gaps, affected = missing_by_factor(patterns, factors)
        patterns, dropped = _without_missing(patterns, affected, gaps, roles, missing)
        if model is None:
            fitted = fit_models(types, patterns, factors, min_events=min_events, missing=missing)
        else:
            fitted = replace(model.model, factors=factors)
        table = count_cells(
            counted, roles, types, factors, fitted.intercepts, fitted.scores(), drop_missing=missing == "drop"
        )
        if roles.period is not None:
            table = in_time(table, given.frame.collect_schema()[roles.period])
    card, loud = write_card(
        fitted,
        roles,
        patterns,
        source=given.source,
        fitted=model is None,
        missing=gaps,
        missing_of=total,
        unanswered=unanswered,
        dropped=dropped,
        strangers=strangers,
    )
    for note in (*said, *loud):
        warnings.warn(note, DataWarning, stacklevel=3)
    if notes:
        table.attrs["notes"] = notes
    return Standardised(table, card, fitted)


def _check_roles(named: Columns, casemix: Sequence[str] | None, model: Standardised | None) -> Roles:
    """Check that each column is named once, in a part that it can play."""
    if model is not None:
        if not isinstance(model, Standardised):
            raise SettingsError(f"model must be the result of standardise(); received {type(model).__name__}")
        if casemix is not None:
            raise SettingsError("model brings its own casemix: leave casemix out")
        casemix = model.card.casemix
    if casemix is None:
        raise SettingsError(
            "casemix must name the columns to adjust for; [] adjusts for the department alone"
        )
    if not isinstance(casemix, Iterable):
        raise SettingsError(f"casemix must be a list of columns; received {casemix!r}")
    if isinstance(casemix, str):
        raise SettingsError(f"casemix must be a list of columns; received {casemix!r}, perhaps [{casemix!r}]")
    if named.outcome is None:
        raise SettingsError("outcome must be the name of a column, the one of 0 and 1; received None")
    adjusted = tuple(casemix)
    for column in adjusted:
        if not isinstance(column, str):
            raise SettingsError(f"casemix must be the name of a column; received {column!r}")
    repeated = {column for column in adjusted if adjusted.count(column) > 1}
    if repeated:
        raise SettingsError(f"casemix names {', '.join(sorted(repeated))} more than once")
    for part, why in _NOT_ADJUSTED_FOR.items():
        if named.name_of(part) in adjusted:
            raise SettingsError(f"casemix names the {part} column {named.name_of(part)!r}: {why}")
    return Roles(named, adjusted)


def _check_options(tidy_labels: object, missing: object, missing_outcome: object, min_events: object) -> None:
    if not isinstance(tidy_labels, bool):
        raise SettingsError(f"tidy_labels must be True or False; received {tidy_labels!r}")
    if missing not in get_args(Missing):
        raise SettingsError(f"missing must be one of {', '.join(get_args(Missing))}; received {missing!r}")
    if missing_outcome not in get_args(MissingOutcome):
        raise SettingsError(
            f"missing_outcome must be one of {', '.join(get_args(MissingOutcome))}; received {missing_outcome!r}"
        )
    if min_events is not None and (
        isinstance(min_events, bool) or not isinstance(min_events, int) or min_events < 1
    ):
        raise SettingsError(f"min_events must be a positive whole number; received {min_events!r}")


def _check_nothing_to_fit(
    model: Standardised, bins: Bins | None, missing: str, min_events: int | None
) -> None:
    given = [name for name, value in (("bins", bins), ("min_events", min_events)) if value is not None]
    if missing not in ("level", model.model.missing):
        given.append("missing")
    if given:
        raise SettingsError(f"model was fitted already: leave {', '.join(given)} out")


def _levels(
    records: Records,
    roles: Roles,
    kinds: dict[str, Kind],
    cuts: dict[str, tuple[float, ...] | None],
    model: Standardised | None,
) -> tuple[Types, tuple[Factor, ...], list[str]]:
    """Department types, factors, and values that an earlier model does not know (in words; none without a model)."""
    types = count_types(records, roles)
    if model is None:
        return types, _read_factors(records, roles, kinds, cuts), []
    factors, strangers = _meet_factors(records, model.model.factors, kinds)
    return _known_types(types, model.model, roles), factors, strangers


def _read_factors(
    records: Records, roles: Roles, kinds: dict[str, Kind], cuts: dict[str, tuple[float, ...] | None]
) -> tuple[Factor, ...]:
    return tuple(
        read_factor(
            records.frame,
            column,
            f"x{position}",
            kind=kinds[column],
            cuts=cuts.get(column),
            given=column in cuts,
        )
        for position, column in enumerate(roles.casemix)
    )


def _meet_factors(
    records: Records, factors: Sequence[Factor], kinds: dict[str, Kind]
) -> tuple[tuple[Factor, ...], list[str]]:
    """Factors of an earlier model on other records, and the values that they do not know."""
    met, strangers = [], []
    for factor in factors:
        known, unknown = meet(factor, records.frame, kinds[factor.column])
        met.append(known)
        strangers += [f"{factor.column} = {value}" for value in unknown[:_SHOWN]]
    return tuple(met), strangers


def _known_types(types: Types, model: CaseMixModel, roles: Roles) -> Types:
    """Counts of the records for the department types of an earlier model, in its order."""
    known = pd.Index(model.departments)
    position = known.get_indexer(pd.Index(types.labels))
    if (position < 0).any():
        raise DataError(
            f"the model knows no department {', '.join(map(repr, types.labels[position < 0][:5].tolist()))}",
            column=roles.department,
            expected="departments that the model was fitted to",
            action="fit a model that has them, or leave their records out before they are passed",
        )
    records, events = np.zeros((2, len(known)), dtype=np.int64)
    records[position], events[position] = types.records, types.events
    return Types(model.departments, records, events)


def _without_missing(
    patterns: Patterns, affected: np.ndarray, gaps: np.ndarray, roles: Roles, missing: str
) -> tuple[Patterns, tuple[int, int]]:
    """Refuse or leave out patterns with missing case mix, as `missing` says.

    Returns
    -------
    Patterns
    tuple of int
        Records left out, and events among them.
    """
    if missing == "level" or not affected.any():
        return patterns, (0, 0)
    if missing == "error":
        said = [
            f"{column!r} in {count:,}" for column, count in zip(roles.casemix, gaps, strict=True) if count
        ]
        raise DataError(
            f"case mix is missing: {', '.join(said)} of {int(patterns.records.sum()):,} records",
            expected="a value in every record",
            action="fill it in, or pass missing='level' (a level of its own) or missing='drop' (left out)",
        )
    if affected.all():
        raise DataError(
            "every record has missing case mix",
            action="pass missing='level', or leave a column out of casemix",
        )
    kept = ~affected
    dropped = int(patterns.records[affected].sum()), int(patterns.events[affected].sum())
    return (
        Patterns(patterns.type[kept], patterns.code[kept], patterns.records[kept], patterns.events[kept]),
        dropped,
    )
