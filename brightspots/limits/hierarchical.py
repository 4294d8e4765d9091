"""`hierarchical_limits`: funnel limits from the standard deviation between units that a hierarchy estimates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from scipy import special

from brightspots.common.arrays import FloatArray
from brightspots.common.errors import SettingsError
from brightspots.common.vocabulary import (
    DENOMINATOR,
    EXPECTED,
    FAMILIES,
    FamilyName,
)
from brightspots.likelihood.families import family_of
from brightspots.likelihood.family import CountFamily, Family
from brightspots.likelihood.mixtures import Spread
from brightspots.limits.boundaries import (
    Boundary,
    binomial_boundary,
    binomial_ratio,
    expected_binomial_boundary,
    log_boundary,
    normal_boundary,
)
from brightspots.limits.checks import hierarchical_cautions
from brightspots.limits.funnel import FunnelLimits, Statistic
from brightspots.limits.units import (
    Sides,
    Units,
    check_finite,
    check_levels,
    check_positive,
    check_sides,
    checked_counts,
    read_offsets,
    read_units,
)
from brightspots.limits.zones import limits_table

PRECISION: Final = "precision"
# A standard deviation of 10 is a ratio of e¹⁰ between units one standard deviation apart; more is a mistake.
MAXIMUM_SD: Final = 10.0


def hierarchical_limits(
    size: Any,
    sd: float | Spread,
    centre: float = 0.0,
    *,
    observed: Any = None,
    family: FamilyName = "poisson",
    offset: Any = None,
    levels: Iterable[float] = (0.95, 0.998),
    sides: Sides = "two",
    observed_lower: Any = None,
    observed_upper: Any = None,
) -> FunnelLimits:
    """Limits that allow for chance and for the variation between units that a fitted hierarchy estimates.

    Quantiles of Poisson(E·exp(η)), Binomial(n, logit⁻¹(offset + η)) or N(η, s²) with η ~ N(centre, sd²),
    interpolated between counts as in Spiegelhalter (2005, Stat Med 24:1185, appendix).

    Parameters
    ----------
    size : array-like (n,)
        Expected events (poisson), denominators (binomial) or standard errors (normal).
    sd : float or Spread
        Standard deviation of the linear predictor between units, from 0 to 10. Or, where units are a mixture of
        normals: weights (M,) that sum to 1, and standard deviations (M, n) of each unit, or (M, 1); curves are then
        drawn at the average variance of each normal.
    centre : float, default 0
        Centre of the linear predictor: log ratio, log odds (ratio), or the estimate's own scale.
    observed : array-like (n,), optional
        Events, or estimates (normal). Without them the table has limits, but neither ratio nor zone.
    family : {"poisson", "binomial", "normal"}, default "poisson"
    offset : float or array-like (n,), optional
        Binomial only. A number (default 0) gives a funnel of proportions O/n; an array, logit(E/n) of each
        unit, gives one of ratios O/E along E. Each unit then has the limits of its own n and E, while curves
        are drawn at the overall rate ΣE/Σn.
    levels, sides, observed_lower, observed_upper
        As in `funnel_limits`.

    Returns
    -------
    FunnelLimits
        `tau2` is sd², or the average variance of units that are a mixture.

    Raises
    ------
    DataError, SettingsError
        As in `funnel_limits`.
    """
    if family not in FAMILIES:
        raise SettingsError(f"family must be one of {', '.join(FAMILIES)}; received {family!r}")
    levels = check_levels(levels)
    check_sides(sides)
    spread = _checked_spread(sd)
    centre = check_finite("centre", centre)
    kind = family_of(family)
    if offset is not None and not kind.is_bounded:
        raise SettingsError(
            f"offset belongs to family='binomial'; received one with {family!r} (multiply the size instead)"
        )
    if not kind.is_count and (observed_lower is not None or observed_upper is not None):
        raise SettingsError("observed_lower and observed_upper are bounds of counts, and family is 'normal'")
    given_name, bounds = kind.size_column, (observed_lower, observed_upper)
    units = read_units(observed, size, kind.value_column, given_name, bounds)
    valued = observed is not None or observed_lower is not None
    if kind.is_count:
        units = checked_counts(units, given_name)
    else:
        check_positive(units.index, units.size, given_name)
    placed = _placed(units, kind, centre, spread, offset)
    variance = float(spread.variance.mean())
    return FunnelLimits(
        method="hierarchical",
        statistic=placed.statistic,
        size_name=placed.axis,
        target=placed.target,
        levels=levels,
        sides=sides,
        table=limits_table(units, placed.scale if valued else None, placed.own, levels, sides),
        size=placed.position,
        phi=math.nan,
        tau2=variance,
        kept=0,
        boundary=placed.boundary,
        cautions=()
        if observed is None
        else hierarchical_cautions(units, kind, centre, variance**0.5, offset),
    )


def _checked_spread(sd: object) -> Spread:
    if isinstance(sd, Spread):
        return sd
    number = check_finite("sd", sd)
    if not 0.0 <= number <= MAXIMUM_SD:
        raise SettingsError(f"sd must lie in [0, {MAXIMUM_SD:g}]; received {number!r}")
    return Spread.of(number)


@dataclass(frozen=True, eq=False)
class _Placed:
    """Position of the units in their funnel, and the limits there.

    Parameters
    ----------
    statistic : {"ratio", "proportion", "estimate"}
        What is plotted.
    target : float
        Centre of the funnel on that scale.
    axis : {"expected", "denominator", "precision"}
        What the size along the funnel is.
    position, scale : float array (n,)
        The units' size along the axis, and the number by which a value is divided for the plotted statistic.
    boundary : callable
        Limits at any sizes along the axis.
    own : callable
        Limits of the units themselves, from the probability in the tail and whether the limit is the upper one.
    """

    statistic: Statistic
    target: float
    axis: str
    position: FloatArray
    scale: FloatArray
    boundary: Boundary
    own: Callable[[float, bool], FloatArray]


def _placed(units: Units, family: Family, centre: float, own_sd: Spread, offset: Any) -> _Placed:
    """Choose the axis, the centre and the limits of a family; see `hierarchical_limits`."""
    size, sd = units.size, own_sd.average()
    boundary: Boundary
    if isinstance(family, CountFamily) and family.link == "log":
        boundary = partial(log_boundary, family, centre=centre, sd=sd)
        own = partial(boundary, size, sd=own_sd)
        return _Placed("ratio", math.exp(centre), EXPECTED, size, size, boundary, own)
    if not family.is_count:
        precision = size**-2.0
        boundary = partial(normal_boundary, centre=centre, sd=sd)
        own = partial(boundary, precision, sd=own_sd)
        return _Placed("estimate", centre, PRECISION, precision, np.ones_like(size), boundary, own)
    if offset is None or np.ndim(offset) == 0:
        location = centre + check_finite("offset", 0.0 if offset is None else offset)
        boundary = partial(binomial_boundary, location=location, sd=sd)
        target = float(special.expit(location))
        own = partial(boundary, size, sd=own_sd)
        return _Placed("proportion", target, DENOMINATOR, size, size, boundary, own)
    offsets = read_offsets(offset, units.index)
    expected = size * special.expit(offsets)
    rate = float(expected.sum() / size.sum())
    target = float(special.expit(special.logit(rate) + centre) / rate)
    boundary = partial(expected_binomial_boundary, rate=rate, centre=centre, sd=sd)
    own = partial(binomial_ratio, size, offsets + centre, own_sd, expected)
    return _Placed("ratio", target, EXPECTED, expected, expected, boundary, own)
