"""Check the arrays of a saved fit: shapes that agree, codes that exist, numbers that are possible."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

import numpy as np

from brightspots.common import vocabulary as names
from brightspots.common.arrays import FloatArray, IntArray
from brightspots.common.errors import DataError
from brightspots.data.cells import Cells
from brightspots.engine.effects import EffectDraws, Heavy
from brightspots.engine.levels import Level, effect_name, sd_name
from brightspots.engine.posterior import SharedDraws, StoredPosterior
from brightspots.statistics.ratings import Ratings


def check_cells(cells: Cells) -> None:
    """Raise `DataError` where labels, codes, counts or sizes cannot be those of a table."""
    for name in ("trusts", "departments", "periods"):
        labels = getattr(cells, name)
        if labels is not None and len(set(labels.tolist())) < max(np.size(labels), 1):
            raise DataError(f"{name} are not different labels")
    n_periods = 0 if cells.periods is None else len(cells.periods)
    _codes("cell_trust", cells.cell_trust, (len(cells.cell_trust),), cells.n_trusts, ascending=True)
    _codes("cell_department", cells.cell_department, (cells.n_cells,), cells.n_departments)
    leaves = (len(cells.leaf_cell),)
    _codes("leaf_cell", cells.leaf_cell, leaves, cells.n_cells, ascending=True)
    _codes("leaf_type", cells.leaf_type, leaves, cells.n_types)
    if cells.has_periods != (cells.leaf_period is not None):
        raise DataError("periods are there by half")
    if cells.leaf_period is not None:
        _codes("leaf_period", cells.leaf_period, leaves, n_periods)
    _codes("row", cells.row, leaves, np.iinfo(np.int64).max)
    for name in ("lower", "size", "offset", "expected", "counted_from", "expected_sd"):
        _numbers(name, getattr(cells, name), leaves)
    _numbers("upper", cells.upper, leaves, finite=False)
    _numbers("design", cells.design, (*leaves, len(cells.covariates)))
    _numbers("covariate_scale", cells.covariate_scale, (len(cells.covariates),))
    if np.any(cells.size < 0) or not np.all(cells.lower <= cells.upper):
        raise DataError("counts and sizes cannot be those of a table")
    if cells.expected_sd is not None and np.any(cells.expected_sd < 0):
        raise DataError("expected_sd is negative")


def check_shared(cells: Cells, shared: SharedDraws) -> None:
    """Raise `DataError` where draws are missing, of unequal number, not finite, or negative standard deviations."""
    draws = len(shared.intercept)
    shapes = {
        "coefficients": (draws, len(cells.covariates)),
        "type_effect": (draws, cells.n_types),
        "sd_department_by_type": (draws, cells.n_departments),
    }
    by_level = ("sd", "effects")
    arrays = {
        item.name: getattr(shared, item.name) for item in fields(SharedDraws) if item.name not in by_level
    }
    for level, of in shared.effects.items():
        if level not in shared.sd:
            raise DataError(f"{sd_name(level)} is missing")
        shapes[f"{level} effects"] = (draws, len(of.distribution.names))
        arrays[f"{level} effects"] = of.free
    arrays |= {sd_name("trust"): None} | {sd_name(level): values for level, values in shared.sd.items()}
    for name, values in arrays.items():
        if values is None and name in ("intercept", "coefficients", sd_name("trust"), "type_effect"):
            raise DataError(f"{name} is missing")
        _numbers(name, values, shapes.get(name, (draws,)))
        if values is not None and name.startswith("sd_") and np.any(values < 0):
            raise DataError(f"{name} is negative")
    if not draws:
        raise DataError("it holds no draws")


# Ranges of the parameters of effects that are not normal, open at both ends.
_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    names.DEGREES_OF_FREEDOM: (2.0, math.inf),
    names.EXCEPTIONAL_SHARE: (0.0, 1.0),
    names.EXCEPTIONAL_FACTOR: (1.0, math.inf),
}


def check_effects(
    level: Level, heavy: Heavy, natural: Mapping[str, FloatArray], free: FloatArray | None
) -> EffectDraws:
    """Draws of the distribution of a level's effects, from its parameters as published and as sampled.

    Raises
    ------
    DataError
        Where a parameter is missing, out of its range, or not the same in either form. Files from before there was
        more than one form lack the second.
    """
    for name in heavy.names:
        published, (low, high) = effect_name(level, name), _RANGES[name]
        if name not in natural:
            raise DataError(f"{published} is missing")
        _numbers(published, natural[name], (np.size(natural[heavy.names[0]]),))
        if np.any((natural[name] <= low) | (natural[name] >= high)):
            raise DataError(f"{published} is not between {low:g} and {high:g}")
    if free is None:
        return EffectDraws(heavy, heavy.sampled(natural))
    _numbers(f"{level} effects", free, (np.size(natural[heavy.names[0]]), len(heavy.names)))
    of = EffectDraws(heavy, free)
    if not all(np.allclose(values, natural[name]) for name, values in of.natural.items()):
        raise DataError(f"{level} effects are not the same in both forms")
    return of


def check_stored(effects: StoredPosterior) -> None:
    """Raise `DataError` where effects have the wrong shape, or chains are not equally long."""
    draws = effects.shared.n_draws
    _numbers("trust_effect", effects.trust_effect, (effects.cells.n_trusts, draws))
    _numbers("department_effect", effects.department_effect, (effects.cells.n_cells, draws))
    if effects.chains < 1 or draws % effects.chains:
        raise DataError("chains are not equally long")


def check_rows(cells: Cells, row_cell: IntArray) -> None:
    """Raise `DataError` where a row of the data belongs to no cell."""
    _codes("row_cell", row_cell, (len(row_cell),), cells.n_cells)


def check_ratings(cells: Cells, ratings: Ratings) -> None:
    """Raise `DataError` where bands are not those of the fit's cells and trusts."""
    levels = len(ratings.levels)
    _codes("cell_band", ratings.cell_band, (cells.n_cells,), levels, least=-1)
    if ratings.trust_band is not None:
        _codes("trust_band", ratings.trust_band, (cells.n_trusts,), levels, least=-1)
    if ratings.strong is not None and ratings.strong.shape != (levels,):
        raise DataError("strong bands are not those of the ratings")


def _codes(
    name: str, codes: Any, shape: tuple[int, ...], end: int, *, least: int = 0, ascending: bool = False
) -> None:
    _shape(name, codes, shape, "iu")
    if (
        codes.size == 0
        or codes.min() < least
        or codes.max() >= end
        or (ascending and np.any(np.diff(codes) < 0))
    ):
        raise DataError(f"{name} has codes that do not exist")


def _numbers(name: str, values: FloatArray | None, shape: tuple[int, ...], *, finite: bool = True) -> None:
    if values is None:
        return
    _shape(name, values, shape, "fiu")
    if np.any(np.isnan(values)) or (finite and not np.all(np.isfinite(values))):
        raise DataError(f"{name} is not finite")


def _shape(name: str, values: Any, shape: tuple[int, ...], kinds: str) -> None:
    if values is None or values.shape != shape or values.dtype.kind not in kinds:
        raise DataError(f"{name} is not an array of {' × '.join(map(str, shape))} numbers")
