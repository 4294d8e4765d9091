"""How well the expected events of a table are known: `expected_sd`, as a number or a column."""

from __future__ import annotations

from typing import Final

import numpy as np

from brightspots.common.arguments import shown
from brightspots.common.arrays import FloatArray, IntArray
from brightspots.common.errors import SettingsError
from brightspots.common.settings import Priors
from brightspots.data.numbers import Source, check_rows, number_column
from brightspots.data.resolving import missing_columns
from brightspots.likelihood.family import Family

# A larger standard deviation of log(expected) is a percentage, or expected events that say nothing.
LARGEST: Final = 2.0
_RANGE: Final = f"0 to {LARGEST:g}: 0.1 where expected events are off by about 10%"


def check_expected_sd(value: object) -> float | str | None:
    """Return None, the name of a column, or a standard deviation from 0 to `LARGEST`; else raise `SettingsError`."""
    if value is None or isinstance(value, str):
        return value
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float | np.number)
        or not 0.0 <= value <= LARGEST
    ):
        raise SettingsError(f"expected_sd takes {_RANGE}, or the name of a column; received {shown(value)}")
    return float(value)


def read_expected_sd(
    source: Source, expected_sd: float | str | None, family: Family, priors: Priors, cell: IntArray
) -> FloatArray | None:
    """Standard deviation of the error in log(expected) of each row's department, (R,); None where none is said.

    Parameters
    ----------
    source : Source
    expected_sd : number, str or None
        For all departments, or the column that has it.
    family : Family
    priors : Priors
    cell : int array (R,)
        Trust × department of each row.

    Raises
    ------
    SettingsError
        For estimates, whose standard errors say it, and in a model without departments.
    DataError
        Where the column is missing, holds what cannot be, or differs between the rows of one department.
    """
    if expected_sd is None:
        return None
    if not family.is_count:
        raise SettingsError(
            "expected_sd is for counts and proportions: of estimates, put it into the standard error, "
            "(standard_error² + expected_sd²) ** 0.5"
        )
    if priors.department is None:
        raise SettingsError(
            "expected_sd is an error in each department's expected events, and Priors(department=None) leaves the "
            "departments out of the model: leave one of the two out"
        )
    if not isinstance(expected_sd, str):
        return np.full(len(source), expected_sd) if expected_sd else None
    if expected_sd not in source.columns:
        raise missing_columns([("expected_sd", expected_sd)], source.columns)
    values = number_column(source, expected_sd, "standard deviations of log(expected)")
    check_rows(
        source, expected_sd, (values < 0.0) | (values > LARGEST),
        "standard deviations of log(expected) lie outside what they can be", expected=_RANGE,
        action="give them as shares, not as percentages",
    )  # fmt: skip
    _, first, of_row = np.unique(cell, return_index=True, return_inverse=True)
    check_rows(
        source, expected_sd, values != values[first][of_row],
        "the error of the expected events differs between the rows of a department",
        expected="one value per trust × department, for its periods share the error",
        action="give each department one value, such as the mean over its periods",
    )  # fmt: skip
    return values if values.any() else None
