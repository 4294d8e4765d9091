"""Covariates: from a formula to a scaled design matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots.common.arguments import shown
from brightspots.common.arrays import FloatArray, IntArray
from brightspots.common.errors import DataError, SettingsError
from brightspots.data.numbers import Source, check_rows, number_column

# Most characters of formulaic's own message that an error repeats.
_LONGEST: Final = 300


@dataclass(frozen=True, eq=False)
class Design:
    """Covariate columns as the formula gives them, one row per row of the data.

    Parameters
    ----------
    names : tuple of str
        Of the K columns.
    values : float array (R, K)
    """

    names: tuple[str, ...]
    values: FloatArray

    def scaled(self, rows: npt.NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
        """Columns at some rows, centred and divided by their standard deviation (n, K), and these deviations (K,).

        Parameters
        ----------
        rows : int array (n,)

        Raises
        ------
        DataError
            Where a column does not vary.
        """
        values = self.values[rows]
        centred = values - values.mean(axis=0)
        scale = centred.std(axis=0)
        constant = scale <= 1e-12 * np.maximum(np.abs(values).max(axis=0, initial=0.0), 1.0)
        if constant.any():
            raise DataError(
                "the covariate is the same in every row",
                column=", ".join(name for name, flat in zip(self.names, constant, strict=True) if flat),
                expected="a covariate that varies",
                action="leave it out of covariates=",
            )
        return centred / scale, scale

    def check_constant_within(self, leaf_of_row: IntArray, source: Source) -> None:
        """Raise `DataError` where a covariate varies among rows that are to be pooled."""
        first = np.unique(leaf_of_row, return_index=True)[1]
        for column, name in enumerate(self.names):
            values = self.values[:, column]
            check_rows(
                source,
                name,
                values != values[first][leaf_of_row],
                "the covariate varies among the rows that period=False pools",
                expected="one value per cell",
                action="give periods (period=…), or make the covariate one value per cell",
            )


def _covariate(source: Source, name: str) -> Any:
    """A covariate as numbers, or as text or categories, which become indicator columns.

    Raises
    ------
    DataError
        Where it holds something else, or several kinds of values.
    """
    values = source.values(name)
    if isinstance(values, pd.Categorical):
        return values.remove_unused_categories()
    held = np.asarray(values)
    if held.dtype.kind in "iufb":
        return held
    if source.frame[name].dtype.is_numeric():
        return number_column(source, name, "covariates")
    whole = held.astype(object)
    is_text = np.array([isinstance(value, str) for value in whole], dtype=bool)
    if is_text.all():
        return whole
    if all(isinstance(value, bool | np.bool_) for value in whole):
        return whole.astype(bool)
    if is_text.any():
        fewer = is_text if 2 * is_text.sum() <= len(is_text) else ~is_text
        check_rows(
            source, name, fewer, "text and other values are mixed in a covariate",
            expected="values of one kind", action="convert the column to numbers or to text",
        )  # fmt: skip
    return number_column(source, name, "covariates")


def covariate_design(source: Source, formula: str | None) -> Design:
    """Evaluate a right-hand-side formula such as ``"beds + teaching"`` on the data.

    Text columns become indicator columns against their first level. The model has its own intercept.

    Raises
    ------
    SettingsError
        Where the formula cannot be read or has a left-hand side.
    DataError
        Where a covariate is missing from the data or has missing or infinite values.
    """
    if formula is None:
        return Design((), np.empty((len(source), 0)))
    if not isinstance(formula, str) or not formula.strip() or "~" in formula:
        raise SettingsError(
            f"covariates must be a right-hand-side formula such as 'beds + teaching'; received {formula!r}"
        )
    import formulaic

    try:
        parsed = formulaic.Formula(f"1 + {formula}")
        needed = [str(name) for name in parsed.required_variables]
    except Exception as error:  # also what Python's own reader of expressions raises
        raise _unreadable(formula, error) from error
    for name in needed:
        if name not in source.columns:
            raise DataError(
                "is not in the data",
                column=name,
                expected="a column for each covariate",
                action=f"the data have: {', '.join(map(repr, source.columns))}",
            )
        check_rows(
            source,
            name,
            np.asarray(source.frame[name].is_null().to_numpy(), dtype=bool),
            "the covariate is missing",
            expected="a value in every row",
            action="fill the value in, drop the row, or leave the covariate out",
        )
    frame = pd.DataFrame({name: _covariate(source, name) for name in needed}, index=range(len(source)))
    try:
        with np.errstate(all="ignore"):
            matrix = formulaic.model_matrix(parsed, frame, na_action="ignore")
            columns = [column for column in matrix.columns if column != "Intercept"]
            values = np.asarray(matrix[columns], dtype=np.float64)
    except Exception as error:  # a formula may call functions, and these may raise anything
        raise _unreadable(formula, error) from error
    check_rows(
        source,
        ", ".join(needed),
        np.asarray(~np.isfinite(values).all(axis=1)),
        "a covariate is missing or infinite",
        expected="finite values",
        action="fill the value in, drop the row, or change the formula",
    )
    if not columns:
        raise SettingsError(f"covariates={formula!r} has no terms besides the intercept")
    return Design(tuple(map(str, columns)), values)


def _unreadable(formula: str, error: Exception) -> SettingsError:
    said = " ".join(str(error).split()) or type(error).__name__
    return SettingsError(f"covariates={shown(formula)} cannot be read as a formula: {said[:_LONGEST]}")
