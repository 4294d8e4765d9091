"""Estimates in place of counts: the scale of their differences, and default priors in their units."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from brightspots.common import vocabulary as names
from brightspots.common.errors import DataWarning, SettingsError
from brightspots.common.settings import HalfNormal, Normal, Priors
from brightspots.data.cells import Cells

# Log ratios to a national level are hardly ever beyond log 10, a factor of ten, and typically much nearer to zero.
_LARGE_LOG_RATIO = float(np.log(10.0))

# Width of the prior of a location in standard deviations of the data (Gabry & Goodrich, rstanarm: 2.5).
_LOCATION_SDS = 2.5


def on_scale(cells: Cells, estimate_scale: names.EstimateScale | None) -> Cells:
    """The cells with `estimate_scale` set: as the user says, else "log ratio", with a warning where that looks wrong.

    Raises
    ------
    SettingsError
        Where a scale is given for counts.

    Warns
    -----
    DataWarning
        Where no scale is given and the estimates are typically further from 0 than the logarithm of 10, or look like
        ratios themselves: all positive, and between 0.5 and 2 in the middle.
    """
    if cells.family.is_count:
        if estimate_scale is not None:
            raise SettingsError(
                f"estimate_scale={estimate_scale!r} is for estimates; the data are counts ({cells.family.name})"
            )
        return cells
    typical = float(np.median(np.abs(cells.lower)))
    if estimate_scale is None and cells.lower.min() > 0.0 and 0.5 < np.median(cells.lower) < 2.0:
        warnings.warn(
            "the estimates are read as log ratios, but all are positive and typically they are "
            f"{float(np.median(cells.lower)):.3g}, as ratios are that nobody took the logarithm of; give their "
            "logarithms (and the logarithms' standard errors), or pass estimate_scale='log ratio' to say that these "
            "are logarithms (or log odds)",
            DataWarning,
            stacklevel=5,
        )
    if estimate_scale is None and typical > _LARGE_LOG_RATIO:
        warnings.warn(
            f"the estimates are read as log ratios, but typically they are {typical:.3g} away from zero, which is "
            "a lot for those; pass estimate_scale='difference' if they are in units of their own (days, points), or "
            "estimate_scale='log ratio' to say that their differences are log ratios",
            DataWarning,
            stacklevel=5,
        )
    return replace(cells, estimate_scale=estimate_scale or "log ratio")


def priors_in_units(cells: Cells, priors: Priors) -> Priors:
    """Put the default priors into the units of the data; log ratios keep them as they are.

    The defaults of `Priors` are made for logarithms. For differences, with s the standard deviation of the estimates
    and m their mean, each σ that is left at its default becomes HalfNormal(s), the intercept Normal(m, (2.5·s)²)
    and coefficients Normal(0, (2.5·s)²): weakly informative in any unit (the rule of rstanarm). Priors that were
    given are kept.

    Parameters
    ----------
    cells : Cells
    priors : Priors

    Returns
    -------
    Priors
    """
    if cells.is_ratio:
        return priors
    # Where all estimates are equal, a typical standard error takes the place of their standard deviation.
    spread = float(np.std(cells.lower)) or float(np.median(cells.size))
    default, changed = Priors(), dict[str, Any]()
    for level in ("trust", "department", "department_type", "period"):
        if getattr(priors, level) == getattr(default, level):
            changed[level] = HalfNormal(spread)
    if priors.covariate == default.covariate:
        changed["covariate"] = Normal(0.0, _LOCATION_SDS * spread)
    if priors.intercept is None:
        changed["intercept"] = Normal(float(np.mean(cells.lower)), _LOCATION_SDS * spread)
    return replace(priors, **changed)
