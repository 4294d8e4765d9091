"""Counts that the engine makes: records and events by department type and case mix, and by trust with the score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import narwhals as nw
import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots import vocabulary as names
from brightspots.casemix.factors import Factor, Kind
from brightspots.casemix.records import Records, beside, collect
from brightspots.cells import FloatArray, IntArray, LabelArray
from brightspots.errors import DataError

# How the columns are called inside queries, so that the caller's names never matter there.
_TRUST, _TYPE, _PERIOD, _EVENT = "k_trust", "k_type", "k_period", "y"
_INDEX, _CODE, _RECORDS, _EVENTS, _EXPECTED = "t", "code", "n", "events", "expected"
# Codes of case mix are whole numbers of 64 bits.
_MOST_PATTERNS: Final = 2**62


@dataclass(frozen=True)
class Roles:
    """Which column of the records plays which part."""

    outcome: str
    trust: str
    department: str
    period: str | None
    casemix: tuple[str, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """Columns of labels."""
        return (self.trust, self.department, *([] if self.period is None else [self.period]))


@dataclass(frozen=True, eq=False)
class Types:
    """Department types with their records.

    Parameters
    ----------
    labels : array (D,)
        Sorted.
    records, events : int array (D,)
    """

    labels: LabelArray
    records: IntArray
    events: IntArray


@dataclass(frozen=True, eq=False)
class Patterns:
    """Counts by department type and case mix, over all trusts, sorted by both.

    Parameters
    ----------
    type : int array (P,)
        Position of the department type.
    code : int array (P,)
        The codes of all factors in one number, the first varying fastest.
    records, events : int array (P,)
    """

    type: IntArray
    code: IntArray
    records: IntArray
    events: IntArray

    def of_type(self, position: int) -> slice:
        """Where a type's patterns stand."""
        low, high = np.searchsorted(self.type, [position, position + 1])
        return slice(int(low), int(high))


def prepare(records: Records, roles: Roles) -> tuple[Records, dict[str, Kind]]:
    """Select the columns that are needed, under names of our own, with one way to be missing.

    Returns
    -------
    Records
        With columns k_trust, k_type[, k_period], y and x0, x1, …
    dict of str to {"text", "number", "boolean"}
        Kind of each case-mix column.

    Raises
    ------
    DataError
        Where a column is absent or of a kind that cannot be used.
    """
    schema = dict(records.frame.collect_schema())
    for part, column in (
        ("outcome", roles.outcome),
        ("trust", roles.trust),
        ("department", roles.department),
        ("period", roles.period),
        *(("casemix", column) for column in roles.casemix),
    ):
        if column is not None and column not in schema:
            raise DataError(
                "is not in the records",
                column=column,
                expected=f"a column for {part}",
                action=f"the records have: {', '.join(map(repr, schema))}",
            )
    kinds = {column: _kind(column, schema[column]) for column in roles.casemix}
    chosen = [
        _label(roles.trust, schema[roles.trust]).alias(_TRUST),
        _department(roles.department, schema[roles.department]).alias(_TYPE),
        _outcome(roles.outcome, schema[roles.outcome]).alias(_EVENT),
        *(
            _covariate(column, schema[column], kinds[column]).alias(f"x{position}")
            for position, column in enumerate(roles.casemix)
        ),
    ]
    if roles.period is not None:
        chosen.append(_label(roles.period, schema[roles.period]).alias(_PERIOD))
    parts = tuple(part.select(*chosen) for part in records.parts)
    return Records(records.frame.select(*chosen), parts, records.source), kinds


def _label(column: str, dtype: Any) -> nw.Expr:
    """A column of labels, in the types that every engine joins: text, whole numbers of 64 bits, or what it was."""
    expression = nw.col(column)
    if dtype in (nw.String, nw.Categorical, nw.Enum):
        return expression.cast(nw.String)
    if dtype.is_integer():
        return expression.cast(nw.Int64)
    if dtype.is_float() or dtype.is_decimal():
        return expression.cast(nw.Float64).fill_nan(None)
    if dtype == nw.Object:
        raise DataError(
            "labels of several kinds are mixed",
            column=column,
            expected="labels of one kind",
            action="convert the column to text",
        )
    return expression


def _department(column: str, dtype: Any) -> nw.Expr:
    """Labels that a small table of coefficients is joined to."""
    if dtype.is_numeric() or dtype in (nw.String, nw.Categorical, nw.Enum, nw.Object):
        return _label(column, dtype)
    raise DataError(
        f"the departments are values of type {dtype}",
        column=column,
        expected="text or numbers",
        action="convert the column to text",
    )


def _kind(column: str, dtype: Any) -> Kind:
    if dtype.is_numeric():
        return "number"
    if dtype == nw.Boolean:
        return "boolean"
    if dtype in (nw.String, nw.Categorical, nw.Enum):
        return "text"
    raise DataError(
        f"holds values of type {dtype}",
        column=column,
        expected="text, whole numbers, numbers or booleans",
        action="turn it into a covariate with few levels (a date into a season or a year, say)",
    )


def _covariate(column: str, dtype: Any, kind: Kind) -> nw.Expr:
    expression = nw.col(column)
    if kind == "text":
        return expression.cast(nw.String) if dtype in (nw.Categorical, nw.Enum) else expression
    if dtype.is_float():
        return expression.fill_nan(None)
    return expression.cast(nw.Float64) if dtype.is_decimal() else expression


def _outcome(column: str, dtype: Any) -> nw.Expr:
    if dtype.is_float():
        return nw.col(column).fill_nan(None)
    if dtype.is_integer():
        return nw.col(column)
    if dtype.is_decimal():
        return nw.col(column).cast(nw.Float64)
    if dtype == nw.Boolean:
        return nw.col(column).cast(nw.Int64)
    raise DataError(
        f"the outcome holds values of type {dtype}",
        column=column,
        expected="0 and 1, or booleans",
        action="make it 1 where the event happened and 0 where it did not",
    )


def audit(records: Records, roles: Roles, *, drop_missing_outcomes: bool) -> tuple[Records, int]:
    """Refuse records that cannot be counted, before anything is counted.

    Returns
    -------
    Records
        Those with an outcome.
    int
        How many had none.

    Raises
    ------
    DataError
        Where there are no records, an outcome is neither 0 nor 1, or a key or an outcome is missing.
    """
    event = nw.col(_EVENT)
    parts = {_TRUST: roles.trust, _TYPE: roles.department}
    if roles.period is not None:
        parts[_PERIOD] = roles.period
    asked = [
        nw.len().alias(_RECORDS),
        event.is_null().cast(nw.Int64).sum().alias("no_outcome"),
        (~event.is_null() & (event != 0) & (event != 1)).cast(nw.Int64).sum().alias("other"),
        event.min().alias("lowest"),
        event.max().alias("highest"),
        *(nw.col(part).is_null().cast(nw.Int64).sum().alias(f"no_{part}") for part in parts),
    ]
    (found,) = collect(records.frame.select(*asked)).iter_rows(named=True)
    total = int(found[_RECORDS])
    if total == 0:
        raise DataError("there are no records", expected="one row per patient or stay")
    if found["other"]:
        raise DataError(
            f"{int(found['other']):,} of {total:,} outcomes are neither 0 nor 1 (they run from {found['lowest']:g} "
            f"to {found['highest']:g})",
            column=roles.outcome,
            expected="0 and 1, or booleans",
            action="make it 1 where the event happened and 0 where it did not",
        )
    for part, column in parts.items():
        if found[f"no_{part}"]:
            raise DataError(
                f"a label is missing in {int(found[f'no_{part}']):,} of {total:,} records",
                column=column,
                expected="a label in every record",
                action="fill it in, or leave those records out before they are passed",
            )
    unknown = int(found["no_outcome"])
    if unknown == 0:
        return records, 0
    if not drop_missing_outcomes:
        raise DataError(
            f"the outcome is missing in {unknown:,} of {total:,} records",
            column=roles.outcome,
            expected="an outcome in every record",
            action="find out why before anything else; missing_outcome='drop' leaves them out and says so",
        )
    if unknown == total:
        raise DataError("the outcome is missing in every record", column=roles.outcome)
    known = [frame.filter(~event.is_null()) for frame in (records.frame, *records.parts)]
    return Records(known[0], tuple(known[1:]), records.source), unknown


def count_types(records: Records, roles: Roles) -> Types:
    """Count records and events of each department type.

    Raises
    ------
    DataError
        Where the label of a department is blank.
    """
    found = collect(
        records.frame.group_by(_TYPE).agg(nw.len().alias(_RECORDS), nw.col(_EVENT).sum().alias(_EVENTS))
    )
    labels = found[_TYPE].to_list()
    _check_labels(labels, roles.department)
    order = sorted(range(len(labels)), key=labels.__getitem__)
    return Types(
        pd.Index([labels[row] for row in order]).to_numpy(),
        _whole(found[_RECORDS])[order],
        _whole(found[_EVENTS])[order],
    )


def _check_labels(labels: Sequence[Any], column: str) -> None:
    if any(isinstance(label, str) and not label.strip() for label in labels):
        raise DataError(
            "a label is blank",
            column=column,
            expected="a label in every record",
            action="fill it in, or leave those records out before they are passed",
        )


def count_patterns(records: Records, types: Types, factors: Sequence[Factor]) -> Patterns:
    """Count records and events by department type and case mix: the only strata that leave the engine.

    Raises
    ------
    DataError
        Where the levels of all factors can be combined in more ways than can be numbered.
    """
    combinations = 1
    for factor in factors:
        combinations *= factor.radix
    if combinations >= _MOST_PATTERNS:
        raise DataError(
            f"the case mix has {combinations:.1g} combinations of levels",
            column=", ".join(factor.column for factor in factors),
            expected="fewer levels",
            action="group levels, or leave columns out",
        )
    index = {"key": _plain(types.labels), _INDEX: list(range(len(types.labels)))}
    code: Any = nw.lit(0, nw.Int64)
    step = 1
    for factor in factors:
        code = code + factor.choose([value * step for value in range(factor.radix)]).cast(nw.Int64)
        step *= factor.radix
    coded = records.frame.join(
        beside(records.frame, index), left_on=_TYPE, right_on="key", how="inner"
    ).select(_INDEX, _EVENT, code.alias(_CODE))
    found = collect(
        coded.group_by(_INDEX, _CODE).agg(nw.len().alias(_RECORDS), nw.col(_EVENT).sum().alias(_EVENTS))
    )
    columns = [_whole(found[name]) for name in (_INDEX, _CODE, _RECORDS, _EVENTS)]
    if len(types.labels) * combinations < _MOST_PATTERNS:
        order = np.argsort(columns[0] * combinations + columns[1])
    else:
        order = np.lexsort((columns[1], columns[0]))
    return Patterns(*(column[order] for column in columns))


def decode(code: IntArray, factors: Sequence[Factor]) -> npt.NDArray[np.int16]:
    """Take the codes of all factors apart, (P, K)."""
    apart = np.empty((len(code), len(factors)), dtype=np.int16)
    rest = code
    for position, factor in enumerate(factors):
        rest, apart[:, position] = np.divmod(rest, factor.radix)
    return apart


def count_cells(
    records: Records,
    roles: Roles,
    types: Types,
    factors: Sequence[Factor],
    intercepts: FloatArray,
    scores: Sequence[FloatArray],
    *,
    drop_missing: bool,
) -> pd.DataFrame:
    """Sum records, events and fitted probabilities by trust and department, in the engine.

    Every record meets the coefficients of its department type in a small table, and picks those of its own levels:
    the fitted score as one expression of the engine's.

    Parameters
    ----------
    records : Records
    roles : Roles
    types : Types
    factors : sequence of Factor
    intercepts : float array (D,)
        NaN for types that are left out.
    scores : sequence of float arrays (D, L + 1)
        Coefficient of each code of each factor.
    drop_missing : bool
        Leave records with a missing value out.

    Returns
    -------
    pandas.DataFrame
        trust, department[, period], observed, expected, denominator, sorted by label.
    """
    kept = np.flatnonzero(~np.isnan(intercepts))
    table: dict[str, list[Any]] = {"key": _plain(types.labels[kept]), "b": intercepts[kept].tolist()}
    eta: Any = nw.col("b")
    for position, (factor, score) in enumerate(zip(factors, scores, strict=True)):
        columns = [f"b{position}_{code}" for code in range(factor.radix)]
        table |= {name: score[kept, code].tolist() for code, name in enumerate(columns)}
        picked: list[Any] = [nw.col(name) for name in columns]
        if drop_missing:
            picked[factor.missing] = nw.lit(None, nw.Float64)
        eta = eta + factor.choose(picked)
    keys = [_TRUST, _TYPE] + ([_PERIOD] if roles.period is not None else [])
    counted = []
    for part in records.parts:
        scored = part.join(beside(records.frame, table), left_on=_TYPE, right_on="key", how="inner").select(
            *keys, _EVENT, (1.0 / (1.0 + (-eta).exp())).alias("p")
        )
        if drop_missing:
            scored = scored.filter(~nw.col("p").is_null())
        counted.append(
            collect(
                scored.group_by(keys).agg(
                    nw.len().alias(_RECORDS),
                    nw.col(_EVENT).sum().alias(_EVENTS),
                    nw.col("p").sum().alias(_EXPECTED),
                )
            )
        )
    return _cells(counted, keys, roles)


def _cells(counted: Sequence[nw.DataFrame[Any]], keys: Sequence[str], roles: Roles) -> pd.DataFrame:
    """Put the counts of all parts together, in one order."""
    given: Mapping[str, str] = {_TRUST: names.TRUST, _TYPE: names.DEPARTMENT, _PERIOD: names.PERIOD}
    table = pd.concat(
        [
            pd.DataFrame(
                {given[key]: part[key].to_list() for key in keys}
                | {
                    names.OBSERVED: _whole(part[_EVENTS]),
                    names.EXPECTED: part[_EXPECTED].to_numpy().astype(np.float64),
                    names.DENOMINATOR: _whole(part[_RECORDS]),
                }
            )
            for part in counted
        ]
    )
    _check_labels(table[names.TRUST].tolist(), roles.trust)
    by = [given[key] for key in keys]
    return table.groupby(by, sort=True, as_index=False).sum()


def _whole(series: nw.Series[Any]) -> IntArray:
    return series.to_numpy().astype(np.int64)


def _plain(labels: LabelArray) -> list[Any]:
    return list(labels.tolist())
