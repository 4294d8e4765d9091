"""Count records in their engine: by department type and case mix, and by trust × department with expected events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import narwhals as nw
import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots.casemix.factors import Factor
from brightspots.casemix.intake import EVENT, PERIOD, TRUST, TYPE, Roles, check_labels
from brightspots.casemix.records import Records, beside, collect
from brightspots.common import vocabulary as names
from brightspots.common.arrays import FloatArray, IntArray, LabelArray
from brightspots.common.errors import DataError
from brightspots.common.parallel import spans
from brightspots.data.period_order import order_periods

_INDEX, _CODE, _RECORDS, _EVENTS, _EXPECTED = "t", "code", "n", "events", "expected"
_AT_ONCE: Final = 1_000_000
# Codes of case mix are whole numbers of 64 bits.
_MOST_PATTERNS: Final = 2**62


@dataclass(frozen=True, eq=False)
class Types:
    """Department types with their numbers of records and events.

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
        """Slice of the patterns of one department type."""
        low, high = np.searchsorted(self.type, [position, position + 1])
        return slice(int(low), int(high))


def count_types(records: Records, roles: Roles) -> Types:
    """Count records and events of each department type.

    Raises
    ------
    DataError
        Where the label of a department is blank.
    """
    found = collect(
        records.frame.group_by(TYPE).agg(nw.len().alias(_RECORDS), nw.col(EVENT).sum().alias(_EVENTS))
    )
    labels = found[TYPE].to_list()
    check_labels(labels, roles.department)
    order = sorted(range(len(labels)), key=labels.__getitem__)
    return Types(
        pd.Index([labels[row] for row in order]).to_numpy(),
        _whole(found[_RECORDS])[order],
        _whole(found[_EVENTS])[order],
    )


def count_patterns(records: Records, types: Types, factors: Sequence[Factor]) -> Patterns:
    """Count records and events by department type and case mix, in the engine.

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
        beside(records.frame, index), left_on=TYPE, right_on="key", how="inner"
    ).select(_INDEX, EVENT, code.alias(_CODE))
    found = collect(
        coded.group_by(_INDEX, _CODE).agg(nw.len().alias(_RECORDS), nw.col(EVENT).sum().alias(_EVENTS))
    )
    columns = [_whole(found[name]) for name in (_INDEX, _CODE, _RECORDS, _EVENTS)]
    if len(types.labels) * combinations < _MOST_PATTERNS:
        order = np.argsort(columns[0] * combinations + columns[1])
    else:
        order = np.lexsort((columns[1], columns[0]))
    return Patterns(*(column[order] for column in columns))


def decode(code: IntArray, factors: Sequence[Factor]) -> npt.NDArray[np.int16]:
    """Codes of each factor, (P, K), from the combined codes of patterns (P,): the reverse of `Patterns.code`."""
    apart = np.empty((len(code), len(factors)), dtype=np.int16)
    rest = code
    for position, factor in enumerate(factors):
        rest, apart[:, position] = np.divmod(rest, factor.radix)
    return apart


def missing_by_factor(
    patterns: Patterns, factors: Sequence[Factor]
) -> tuple[IntArray, npt.NDArray[np.bool_]]:
    """Records with a missing value of each factor, (K,), and which patterns have any, (P,)."""
    counts = np.zeros(len(factors), dtype=np.int64)
    affected = np.zeros(len(patterns.code), dtype=bool)
    for part in spans(len(patterns.code), _AT_ONCE):
        codes = decode(patterns.code[part], factors)
        for position, factor in enumerate(factors):
            gap = codes[:, position] == factor.missing
            counts[position] += patterns.records[part][gap].sum()
            affected[part] |= gap
    return counts, affected


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

    A small table of coefficients, one row for each department type, is joined to the records. The linear predictor of
    a record is then one expression that selects the coefficients of its levels.

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
    keys = [TRUST, TYPE] + ([PERIOD] if roles.period is not None else [])
    counted = []
    for part in records.parts:
        scored = part.join(beside(records.frame, table), left_on=TYPE, right_on="key", how="inner").select(
            *keys, EVENT, (1.0 / (1.0 + (eta * -1.0).exp())).alias("p")
        )
        if drop_missing:
            scored = scored.filter(~nw.col("p").is_null())
        counted.append(
            collect(
                scored.group_by(keys).agg(
                    nw.len().alias(_RECORDS),
                    nw.col(EVENT).sum().alias(_EVENTS),
                    nw.col("p").sum().alias(_EXPECTED),
                )
            )
        )
    return _cells(counted, keys, roles)


def _cells(counted: Sequence[nw.DataFrame[Any]], keys: Sequence[str], roles: Roles) -> pd.DataFrame:
    """Add up the counts of all parts, sorted by label."""
    given: Mapping[str, str] = {TRUST: names.TRUST, TYPE: names.DEPARTMENT, PERIOD: names.PERIOD}
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
    check_labels(table[names.TRUST].tolist(), roles.trust)
    by = [given[key] for key in keys]
    return table.groupby(by, sort=True, as_index=False).sum()


def in_time(table: pd.DataFrame, dtype: Any) -> pd.DataFrame:
    """The cells sorted by trust and department, with the periods of each department in the order of time.

    Parameters
    ----------
    table : pandas.DataFrame
    dtype : narwhals.DType
        Of the periods in the records: the order of an Enum or an ordered categorical, which engines count as text, is
        kept as one of pandas.
    """
    declared = list(dtype.categories) if dtype == nw.Enum else None
    periods = table[names.PERIOD]
    labels = periods.unique()
    ordered = order_periods(labels, declared)
    in_order = pd.Categorical(periods, categories=pd.Index(labels)[ordered.order], ordered=True)
    sorted_ = table.assign(**{names.PERIOD: in_order}).sort_values(
        [names.TRUST, names.DEPARTMENT, names.PERIOD], kind="stable", ignore_index=True
    )
    return sorted_ if ordered.known_by == "category" else sorted_.astype({names.PERIOD: periods.dtype})


def _whole(series: nw.Series[Any]) -> IntArray:
    return series.to_numpy().astype(np.int64)


def _plain(labels: LabelArray) -> list[Any]:
    return list(labels.tolist())
