"""Select and rename the columns that are needed, and refuse records that cannot be counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import narwhals as nw
import pandas as pd

from brightspots.casemix.factors import Kind
from brightspots.casemix.records import Records, collect
from brightspots.common.errors import DataError
from brightspots.data.columns import Columns
from brightspots.data.labels import tidy_label
from brightspots.data.resolving import missing_columns

# How the columns are called inside queries, so that the caller's names never matter there.
TRUST: Final = "k_trust"
TYPE: Final = "k_type"
PERIOD: Final = "k_period"
EVENT: Final = "y"


@dataclass(frozen=True)
class Roles:
    """Which column of the records plays which part.

    Parameters
    ----------
    columns : Columns
        Trust, department, outcome and, where cells are by period, period.
    casemix : tuple of str
        Columns to adjust for.
    """

    columns: Columns
    casemix: tuple[str, ...]

    @property
    def outcome(self) -> str:
        """Column of 0 and 1."""
        return self.columns.name_of("outcome")

    @property
    def trust(self) -> str:
        """Column of trusts."""
        return self.columns.trust

    @property
    def department(self) -> str:
        """Column of department types."""
        return self.columns.department

    @property
    def period(self) -> str | None:
        """Column of periods; None where cells are not by period."""
        return self.columns.named.get("period")

    @property
    def keys(self) -> tuple[str, ...]:
        """Columns of labels."""
        return (self.trust, self.department, *([] if self.period is None else [self.period]))


def prepare(records: Records, roles: Roles) -> tuple[Records, dict[str, Kind]]:
    """Select the columns that are needed, under our own names; NaN becomes null.

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
    wanted = [("outcome", roles.outcome), ("trust", roles.trust), ("department", roles.department)]
    wanted += [] if roles.period is None else [("period", roles.period)]
    wanted += [("casemix", column) for column in roles.casemix]
    missing = [(part, column) for part, column in wanted if column not in schema]
    if missing:
        raise missing_columns(missing, list(schema), "records")
    _refuse_patterns([column for _, column in wanted], records)
    _refuse_mixtures([column for _, column in wanted], schema, records)
    kinds = {column: _kind(column, schema[column]) for column in roles.casemix}
    chosen = [
        _label(roles.trust, schema[roles.trust]).alias(TRUST),
        _department(roles.department, schema[roles.department]).alias(TYPE),
        _outcome(roles.outcome, schema[roles.outcome]).alias(EVENT),
        *(
            _covariate(column, schema[column], kinds[column]).alias(f"x{position}")
            for position, column in enumerate(roles.casemix)
        ),
    ]
    if roles.period is not None:
        chosen.append(_label(roles.period, schema[roles.period]).alias(PERIOD))
    parts = tuple(part.select(*chosen) for part in records.parts)
    return Records(records.frame.select(*chosen), parts, records.source), kinds


def _refuse_patterns(columns: Sequence[str], records: Records) -> None:
    """Refuse names such as ``*`` or ``^…$``, which some engines read as a pattern for several columns."""
    if records.frame.implementation in (nw.Implementation.PANDAS, nw.Implementation.PYARROW):
        return
    patterns = [name for name in columns if name == "*" or (name.startswith("^") and name.endswith("$"))]
    if patterns:
        raise DataError(
            "is a name that stands for several columns in the engine that holds the records",
            column=patterns,
            expected="a name without the meaning of a pattern",
            action="rename the column",
        )


def _refuse_mixtures(columns: Sequence[str], schema: Mapping[str, Any], records: Records) -> None:
    """Refuse pandas columns of objects that hold text and other values; narwhals takes them for text."""
    frame = records.frame.to_native()
    if not isinstance(frame, pd.DataFrame):
        return
    for column in columns:
        values = frame[column]
        if schema[column] != nw.String or values.dtype != object:
            continue
        if pd.api.types.infer_dtype(values, skipna=True) not in ("string", "empty"):
            other = ~(values.isna() | values.map(lambda value: isinstance(value, str)).astype(bool))
            raise DataError(
                "text and other values are mixed",
                column=column,
                rows=frame.index[other].tolist(),
                expected="values of one kind",
                action="convert the column to text",
            )


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
    """A column of department types; only text and numbers, since a table of coefficients is joined to it."""
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
    event = nw.col(EVENT)
    parts = {TRUST: roles.trust, TYPE: roles.department}
    if roles.period is not None:
        parts[PERIOD] = roles.period
    asked = [
        nw.len().alias("n"),
        event.is_null().cast(nw.Int64).sum().alias("no_outcome"),
        (~event.is_null() & (event != 0) & (event != 1)).cast(nw.Int64).sum().alias("other"),
        event.min().alias("lowest"),
        event.max().alias("highest"),
        *(nw.col(part).is_null().cast(nw.Int64).sum().alias(f"no_{part}") for part in parts),
    ]
    (found,) = collect(records.frame.select(*asked)).iter_rows(named=True)
    total = int(found["n"])
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


def check_labels(labels: Sequence[Any], column: str) -> None:
    """Refuse blank labels; nulls were refused by `audit`."""
    if any(isinstance(label, str) and not tidy_label(label) for label in labels):
        raise DataError(
            "a label is blank",
            column=column,
            expected="a label in every record",
            action="fill it in, or leave those records out before they are passed",
        )
