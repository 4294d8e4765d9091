"""Read and check the units of a funnel, and its options."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import narwhals as nw
import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots.common.arrays import FloatArray
from brightspots.common.errors import DataError, SettingsError
from brightspots.common.settings import check_probability
from brightspots.common.vocabulary import DENOMINATOR, EXPECTED, OBSERVED, OBSERVED_LOWER, OBSERVED_UPPER
from brightspots.data.empty_rows import listed
from brightspots.data.intervals import interval_of, most_claimed, read_bounds
from brightspots.data.keys import twins_problem
from brightspots.data.labels import twins
from brightspots.data.numbers import Source, number_column, row_word_of

FunnelMethod = Literal["poisson", "spiegelhalter", "shmi", "cqc", "proportion", "phs"]
Sides = Literal["two", "upper", "lower"]


def check_finite(name: str, value: object) -> float:
    """Return a finite number, or raise `SettingsError`."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not math.isfinite(value):
        raise SettingsError(f"{name} must be a finite number; received {value!r}")
    return float(value)


def check_levels(levels: Iterable[float]) -> tuple[float, ...]:
    """Return the levels in ascending order, or raise `SettingsError`."""
    if not isinstance(levels, Iterable):
        raise SettingsError(f"levels must be a sequence such as (0.95, 0.998); received {levels!r}")
    checked = sorted(check_probability("each of levels", level) for level in levels)
    if not checked or len(set(checked)) < len(checked):
        raise SettingsError(f"levels must hold at least one number and none twice; received {levels!r}")
    return tuple(checked)


def check_sides(sides: str) -> None:
    """Raise `SettingsError` for an unknown side."""
    if sides not in get_args(Sides):
        raise SettingsError(f"sides must be one of {', '.join(get_args(Sides))}; received {sides!r}")


def check_options(method: FunnelMethod, trim: float | None, tau2: float | None) -> None:
    """Raise `SettingsError` for an option that the method does not use or a value out of its range."""
    adjusts = ("shmi", "cqc", "proportion")
    for name, value in (("trim", trim), ("tau2", tau2)):
        if value is not None and method not in adjusts:
            raise SettingsError(
                f"{name} is used by the methods {', '.join(adjusts)}; received it with {method!r}"
            )
    if trim is not None and not 0.0 <= check_finite("trim", trim) < 0.5:
        raise SettingsError(f"trim must lie in [0, 0.5); received {trim!r}")
    if tau2 is not None and check_finite("tau2", tau2) < 0.0:
        raise SettingsError(f"tau2 must be zero or more; received {tau2!r}")


def choose_size(method: FunnelMethod, has_expected: bool, has_denominator: bool) -> str:
    """Return which size the method uses, "expected" or "denominator", or raise `SettingsError`."""
    if has_expected and has_denominator:
        raise SettingsError(
            "give expected (a funnel of ratios) or denominator (a funnel of proportions), not both"
        )
    if not has_expected and not has_denominator:
        raise SettingsError("give expected (a funnel of ratios) or denominator (a funnel of proportions)")
    if method == "proportion" and has_expected:
        raise SettingsError(
            "method='proportion' needs denominator, the number of patients; received expected"
        )
    if method not in ("proportion", "spiegelhalter") and has_denominator:
        raise SettingsError(
            f"method={method!r} needs expected events; received denominator (use method='proportion' or "
            "'spiegelhalter', or give expected = denominator × a reference rate)"
        )
    return EXPECTED if has_expected else DENOMINATOR


@dataclass(frozen=True, eq=False)
class Units:
    """The units of a funnel, (n,) each.

    Parameters
    ----------
    index : pandas.Index
        Labels.
    value : float array
        Count or estimate as given; NaN where only bounds were.
    lower, upper : float array
        The interval that the value lies in; both equal it where it is known.
    size : float array
        Expected events, denominator or standard error.
    """

    index: pd.Index[Any]
    value: FloatArray
    lower: FloatArray
    upper: FloatArray
    size: FloatArray

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Which values are known exactly, (n,)."""
        return np.asarray(self.lower == self.upper)


def read_units(
    values: Any,
    sizes: Any,
    value_name: str,
    size_name: str,
    bounds: tuple[Any, Any] = (None, None),
) -> Units:
    """Read and check the columns of a funnel; without values or bounds all values are 0.

    Parameters
    ----------
    values, sizes : array-like (n,)
        `values` may be None.
    value_name, size_name : str
        For errors.
    bounds : pair of array-like (n,) or None
        Lower and upper bounds of values that are known as intervals only.

    Raises
    ------
    DataError
        Where lengths or indexes differ, a size is not a number, a value is missing without both bounds, or bounds
        contradict each other or the value.
    SettingsError
        Where one bound is given without the other.
    """
    if (bounds[0] is None) != (bounds[1] is None):
        raise SettingsError("observed_lower and observed_upper must be given together")
    sizes_series = _series(sizes, size_name)
    bounded = bounds[0] is not None
    if values is None:
        values_series = pd.Series(np.nan if bounded else 0.0, index=sizes_series.index)
    else:
        values_series = _series(values, value_name)
    given = {value_name: values_series, size_name: sizes_series}
    for bound, name in zip(bounds, (OBSERVED_LOWER, OBSERVED_UPPER), strict=True):
        if bound is not None:
            given[name] = _series(bound, name)
    index = _common_index(given, [each for each in (values, sizes, *bounds) if isinstance(each, pd.Series)])
    frame = pd.DataFrame({name: series.array for name, series in given.items()})
    source = Source(nw.from_native(frame, eager_only=True), index.to_numpy(), row_word=row_word_of(index))
    size = number_column(source, size_name, size_name.replace("_", " "))
    value = number_column(source, value_name, value_name.replace("_", " "), allow_missing=bounded)
    if not bounded:
        return Units(index, value, value, value, size)
    ends = (
        read_bounds(source, OBSERVED_LOWER, "bounds"), read_bounds(source, OBSERVED_UPPER, "bounds", endless=True)
    )  # fmt: skip
    lower, upper = interval_of(source, (value_name, OBSERVED_LOWER, OBSERVED_UPPER), value, *ends)
    for name, end in ((OBSERVED_LOWER, lower), (OBSERVED_UPPER, upper)):
        _check(
            index, name, np.isnan(end), "the count is missing and has no bound",
            "a count, or both of its bounds", "give the interval that a suppressed count lies in",
        )  # fmt: skip
    return Units(index, value, lower, upper, size)


def without_empty_units(units: Units) -> tuple[Units, str | None]:
    """The units that are not 0 of 0 (which have no ratio), and a sentence that names those left out, or None.

    Raises
    ------
    DataError
        Where nothing is left.
    """
    empty = (units.size == 0.0) & np.where(np.isnan(units.value), units.lower == 0.0, units.value == 0.0)
    if not empty.any():
        return units, None
    if empty.all():
        raise DataError(
            "every unit is 0 of 0",
            expected="units with a size",
            action="check that the size is the right column",
        )
    kept = ~empty
    left = Units(*(array[kept] for array in (units.index, units.value, units.lower, units.upper, units.size)))
    return left, f"left out {listed(units.index[empty].to_numpy())}: 0 of 0, which carries no information"


def refuse_twin_units(index: pd.Index[Any]) -> None:
    """Raise `DataError` listing units whose labels are spellings of one."""
    groups = [] if isinstance(index, pd.MultiIndex) or index.dtype.kind in "iufbmM" else twins(index)
    if groups:
        rows = {label: int(np.sum(index == label)) for group in groups for label in group}
        said = twins_problem(groups, rows, "unit", counted="unit")
        raise DataError(**(said | {"action": "add up what belongs together, under one label"}))


def _common_index(given: dict[str, pd.Series[Any]], labelled: list[pd.Series[Any]]) -> pd.Index[Any]:
    """The index of the units: that of the Series among the arguments, which must agree; else 0 to n − 1."""
    names = list(given)
    first = given[names[0]]
    for name in names[1:]:
        if len(given[name]) != len(first):
            raise DataError(
                f"{len(first):,} values of {names[0]} and {len(given[name]):,} of {name}",
                expected="one of each per unit",
            )
    for other in labelled[1:]:
        if not labelled[0].index.equals(other.index):
            raise DataError(
                f"{' and '.join(names)} have different indexes",
                expected="the same labels in the same order",
                action="take all from one table",
            )
    if len(first) == 0:
        raise DataError("there are no units", column=names[1], expected="at least one unit")
    return labelled[0].index if labelled else given[names[1]].index


def _series(values: Any, name: str) -> pd.Series[Any]:
    if isinstance(values, pd.Series):
        return values
    try:
        array = values if isinstance(values, list) else np.asarray(values)
        flat = np.ndim(array) == 1
    except ValueError:  # lists of different lengths
        flat = False
    if not flat:
        raise DataError("not one-dimensional", column=name, expected="one value per unit")
    return pd.Series(array)


def read_offsets(offset: Any, index: pd.Index[Any]) -> FloatArray:
    """Read one finite offset per unit."""
    series = _series(offset, "offset")
    if len(series) != len(index):
        raise DataError(
            f"{len(series):,} offsets for {len(index):,} units", column="offset", expected="one per unit"
        )
    source = Source(nw.from_native(pd.DataFrame({"offset": series.array}), eager_only=True), index.to_numpy())
    return number_column(source, "offset", "offsets")


def check_positive(index: pd.Index[Any], size: FloatArray, size_name: str) -> None:
    """Raise `DataError` naming the units without a positive size."""
    _check(
        index,
        size_name,
        size <= 0,
        "not positive",
        "more than 0",
        "a unit without size has no place in a funnel",
    )


def checked_counts(units: Units, size_name: str) -> Units:
    """Check counts and sizes; where the size is a denominator, upper ends of intervals are cut to it.

    Raises
    ------
    DataError
        Naming the units at fault.
    """
    index, size = units.index, units.size
    whole = "whole numbers, zero or more"
    _check(index, OBSERVED, units.value < 0, "negative counts", whole, None)
    fractional = (units.value != np.floor(units.value)) & ~np.isnan(units.value)
    _check(index, OBSERVED, fractional, "fractional counts", whole, "give counts, not rates")
    check_positive(index, size, size_name)
    if size_name != DENOMINATOR:
        return units
    _check(index, DENOMINATOR, size != np.floor(size), "fractional denominators", "whole numbers", None)
    too_many = most_claimed(units.value, units.lower, units.upper) > size
    _check(index, OBSERVED, too_many, "more events than patients", "observed ≤ denominator", None)
    return replace(units, upper=np.minimum(units.upper, size))


def _check(
    index: pd.Index[Any],
    column: str,
    bad: npt.NDArray[np.bool_],
    problem: str,
    expected: str,
    action: str | None,
) -> None:
    if bad.any():
        raise DataError(problem, column=column, rows=index[bad].tolist(), expected=expected, action=action)


def check_target(target: float | None, observed: FloatArray, size: FloatArray, size_name: str) -> float:
    """Return the centre of the funnel: as given, 1 for ratios, the overall proportion for proportions."""
    if target is not None:
        given = check_finite("target", target)
        if given <= 0 or (size_name == DENOMINATOR and given >= 1):
            kind = "a positive ratio" if size_name == EXPECTED else "a proportion between 0 and 1"
            raise SettingsError(f"target must be {kind}; received {target!r}")
        return given
    if size_name == EXPECTED:
        return 1.0
    if not len(observed):
        raise DataError(
            "no count is known, only bounds, so there is no centre",
            column=OBSERVED,
            action="give target, a reference proportion",
        )
    overall = float(observed.sum() / size.sum())
    if overall in (0.0, 1.0):
        raise DataError(
            f"{'no patient has' if overall == 0 else 'every patient has'} the event, so there is no centre",
            column=OBSERVED,
            action="give target, a reference proportion",
        )
    return overall
