"""`Factor`: a case-mix column with its levels, cut points and missing values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final, Literal

import narwhals as nw

from brightspots.casemix.records import collect
from brightspots.common.errors import DataError, SettingsError

# A column of numbers with more distinct values than this is taken as continuous, and needs cut points.
MOST_NUMBERS: Final = 12
# A column with more levels than this is refused: it is an identifier, or should be grouped.
MOST_LEVELS: Final = 200
MISSING: Final = "missing"
LEVELS: Final = "levels"

Kind = Literal["text", "number", "boolean"]
Bins = Mapping[str, Sequence[float] | Literal["levels"]]


@dataclass(frozen=True)
class Factor:
    """One case-mix column with its levels.

    The L levels are those of the values or intervals, and one for missing values, which is the last. The code of a
    record is the position of its level, or L for a value that is no level, which occurs only where a model scores other
    records than it was fitted to.

    Parameters
    ----------
    column : str
        The caller's name of the column.
    alias : str
        Its name inside queries: x0, x1, ….
    kind : {"text", "number", "boolean"}
    values : tuple
        Values of the levels, in order; empty where the column is cut.
    cuts : tuple of float
        Cut points between the intervals, which are closed below and open above; empty where it is not cut.
    blanks : tuple of str
        Texts of white space only that occur in the column; they are missing values.
    labels : tuple of str (L,)
        Names of the levels, the last that of missing values.
    """

    column: str
    alias: str
    kind: Kind
    values: tuple[Any, ...]
    cuts: tuple[float, ...]
    blanks: tuple[str, ...]
    labels: tuple[str, ...]

    @property
    def missing(self) -> int:
        """Code of missing values, L − 1."""
        return len(self.labels) - 1

    @property
    def unseen(self) -> int:
        """Code of values that are no level, L."""
        return len(self.labels)

    @property
    def radix(self) -> int:
        """Number of codes, L + 1."""
        return len(self.labels) + 1

    def choose(self, of: Sequence[Any]) -> nw.Expr:
        """An expression that is, for each record, the element of `of` (L + 1 numbers or expressions) at its code."""
        x = nw.col(self.alias)
        chain = nw.when(x.is_null()).then(of[self.missing])
        for blank in self.blanks:
            chain = chain.when(x == blank).then(of[self.missing])
        for code, cut in enumerate(self.cuts):
            chain = chain.when(x < cut).then(of[code])
        if self.cuts:
            return chain.otherwise(of[len(self.cuts)])
        for code, value in enumerate(self.values):
            chain = chain.when(x == value).then(of[code])
        return chain.otherwise(of[self.unseen])


def check_bins(bins: Bins | None, casemix: Sequence[str]) -> dict[str, tuple[float, ...] | None]:
    """Check the argument `bins`: cut points by column, None where it says "levels".

    Raises
    ------
    SettingsError
        Where a column is not in the case mix, or cut points are not increasing numbers.
    """
    checked: dict[str, tuple[float, ...] | None] = {}
    if bins is not None and not isinstance(bins, Mapping):
        raise SettingsError(f"bins must be a mapping of column to cut points; received {bins!r}")
    for column, cuts in (bins or {}).items():
        if column not in casemix:
            raise SettingsError(f"bins names {column!r}, which is not in casemix ({', '.join(casemix)})")
        if isinstance(cuts, str):
            if cuts != LEVELS:
                raise SettingsError(
                    f"bins[{column!r}] must be increasing numbers, or {LEVELS!r} to make every value a level; "
                    f"received {cuts!r}"
                )
            checked[column] = None
            continue
        points: tuple[Any, ...] = tuple(cuts) if hasattr(cuts, "__iter__") else ()
        numbers = [
            float(point)
            for point in points
            if hasattr(point, "__float__") and not isinstance(point, bool) and math.isfinite(float(point))
        ]
        rising = all(low < high for low, high in pairwise(numbers))
        if not points or len(numbers) < len(points) or not rising:
            raise SettingsError(
                f"bins[{column!r}] must be increasing finite numbers such as [40, 60, 75]; received {cuts!r}"
            )
        checked[column] = tuple(numbers)
    return checked


def read_factor(
    frame: nw.LazyFrame[Any],
    column: str,
    alias: str,
    *,
    kind: Kind,
    cuts: tuple[float, ...] | None,
    given: bool,
) -> Factor:
    """Find the levels of a column.

    Parameters
    ----------
    frame : narwhals.LazyFrame
    column, alias : str
    kind : {"text", "number", "boolean"}
    cuts : tuple of float, optional
    given : bool
        Whether `bins` names the column.

    Raises
    ------
    DataError
        Where text is to be cut, numbers are continuous and no cut points are given, or there are too many levels.
    """
    if cuts is not None:
        if kind != "number":
            raise DataError(
                "has cut points and is not a column of numbers", column=column, expected="numbers to cut"
            )
        return Factor(column, alias, kind, (), cuts, (), (*_intervals(cuts), MISSING))
    values = _distinct(frame, alias)
    if kind == "number" and not given and len(values) > MOST_NUMBERS:
        raise DataError(
            f"more than {MOST_NUMBERS} different numbers: a continuous covariate",
            column=column,
            expected="cut points",
            action=f"pass bins={{{column!r}: [40, 60, 75]}} with cut points of your own, or bins={{{column!r}: "
            f"{LEVELS!r}}} if the numbers are codes",
        )
    if len(values) > MOST_LEVELS:
        raise DataError(
            f"more than {MOST_LEVELS} different values",
            column=column,
            expected="a covariate with few levels",
            action="group its values, or leave it out: an identifier is no case mix",
        )
    blanks = _blank(values)
    levels = tuple(sorted(value for value in values if value not in blanks))
    labels = tuple(_label(value) for value in levels)
    return Factor(
        column, alias, kind, levels, (), blanks, (*labels, MISSING if MISSING not in labels else "no value")
    )


def meet(factor: Factor, frame: nw.LazyFrame[Any], kind: Kind) -> tuple[Factor, tuple[str, ...]]:
    """Adapt a factor of an earlier model to other records: with their blanks, and the values that it does not know.

    Raises
    ------
    DataError
        Where the column now holds values of another kind.
    """
    if kind != factor.kind:
        raise DataError(
            f"holds values of kind {kind}, and the model was fitted to {factor.kind}",
            column=factor.column,
            expected=f"values of kind {factor.kind}",
        )
    if factor.cuts:
        return factor, ()
    values = _distinct(frame, factor.alias)
    blanks = _blank(values)
    strangers = sorted(value for value in values if value not in factor.values and value not in blanks)
    return replace(factor, blanks=blanks), tuple(_label(value) for value in strangers)


def _distinct(frame: nw.LazyFrame[Any], alias: str) -> list[Any]:
    """Different values of a column, without nulls and NaN; at most a few more than `MOST_LEVELS`."""
    found = collect(frame.group_by(alias).agg(nw.len().alias("n")).head(MOST_LEVELS + 2))
    return [value for value in found[alias].drop_nulls().to_list() if value == value]


def _blank(values: Sequence[Any]) -> tuple[str, ...]:
    return tuple(sorted(value for value in values if isinstance(value, str) and not value.strip()))


def _intervals(cuts: tuple[float, ...]) -> tuple[str, ...]:
    ends = [_label(cut) for cut in cuts]
    inner = [f"{low} to under {high}" for low, high in pairwise(ends)]
    return (f"under {ends[0]}", *inner, f"{ends[-1]} and over")


def _label(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
