"""`funnel_cautions`: what readers of a funnel should know of its data and its limits."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from scipy import special

from brightspots.common.cautions import Caution
from brightspots.common.vocabulary import EXPECTED, FEW_UNITS, NARROW_LIMITS, WIDE_LIMITS
from brightspots.data.checks import PLAIN_TAIL, beyond_chance, plain_caution, ratio_caution
from brightspots.likelihood.family import Family
from brightspots.limits.overdispersion import Dispersion
from brightspots.limits.units import FunnelMethod, Units

# Below these numbers of units an estimate of over-dispersion misleads (docs/funnels.md, "Few units"). With fewer than
# 31 units that differ by chance alone, more than 0.4% lie beyond the 99.8% limits of `phs`: twice the nominal 0.2%.
FEWEST_MULTIPLICATIVE: Final = 31
# With fewer, τ² is mostly made by a unit that stands out, which then lies within the limits that it has widened.
FEWEST_ADDITIVE: Final = 10
# φ at which multiplicative limits are half as wide as chance alone makes them.
_NARROW: Final = 0.25


def funnel_cautions(
    method: FunnelMethod, units: Units, size_name: str, target: float, dispersion: Dispersion, trim: float
) -> tuple[Caution, ...]:
    """Cautions on a funnel by a published method.

    Parameters
    ----------
    method : str
    units : Units
    size_name : {"expected", "denominator"}
    target : float
    dispersion : Dispersion
    trim : float
        Share trimmed or winsorised at each end.
    """
    return tuple(
        caution
        for caution in (
            _ratio(units, target) if size_name == EXPECTED else None,
            _few(method, int(units.known.sum()), trim) if dispersion.kept or method == "phs" else None,
            _narrow(dispersion.phi) if method == "phs" else None,
            _beyond(units, size_name, target) if dispersion.tau2 > 0.0 or method == "phs" else None,
        )
        if caution is not None
    )


def hierarchical_cautions(
    units: Units, family: Family, centre: float, sd: float, offset: Any
) -> tuple[Caution, ...]:
    """A caution on a fitted hierarchy's funnel where most units lie beyond the limits of chance alone; else none.

    Parameters
    ----------
    units : Units
        Of `normal` the size is the standard error.
    family : Family
    centre, sd, offset
        As in `brightspots.limits.hierarchical.hierarchical_limits`.
    """
    if sd == 0.0:
        return ()  # the limits are those of chance alone, so the zones show it already
    if not family.is_count:
        beyond = np.abs(units.lower - centre) > -special.ndtri(PLAIN_TAIL) * units.size
    elif not family.is_bounded:
        beyond = beyond_chance(units.lower, units.upper, units.size * math.exp(centre))
    else:
        location = (0.0 if offset is None else np.asarray(offset, dtype=np.float64)) + centre
        expected = units.size * special.expit(location)
        beyond = beyond_chance(units.lower, units.upper, expected, units.size)
    said = plain_caution(
        [(int(beyond.sum()), len(beyond), "units")], f"{family.plain} limits about the centre"
    )
    return () if said is None else (said,)


def _ratio(units: Units, target: float) -> Caution | None:
    expected = float(units.size.sum()) * target
    least, most = float(units.lower.sum()), float(units.upper.sum())
    return ratio_caution((least, most), expected, (least / expected, most / expected))


def _few(method: FunnelMethod, n: int, trim: float) -> Caution | None:
    if method == "phs":
        if n >= FEWEST_MULTIPLICATIVE:
            return None
        return Caution(
            FEW_UNITS,
            f"the multiplicative limits rest on {n} units and are too narrow by chance with fewer than "
            f"{FEWEST_MULTIPLICATIVE}: of units that differ by chance alone more than 11% lie beyond 99.8% limits with "
            "4 units, 1.6% with 10 and 0.6% with 20, where 0.2% is meant. Use method='spiegelhalter', which needs no "
            "estimate from the units, or more units.",
        )
    # Below 1/trim − 1 units no rank is extreme enough to be trimmed.
    fewest = max(FEWEST_ADDITIVE, math.ceil(1.0 / trim - 1.0)) if trim > 0.0 else FEWEST_ADDITIVE
    if n >= fewest:
        return None
    return Caution(
        WIDE_LIMITS,
        f"the limits are widened by a τ² from {n} units, and with fewer than {fewest} a unit that stands out widens "
        "them until it lies within. Use method='spiegelhalter', which needs no estimate from the units, or give a "
        "published tau2.",
    )


def _narrow(phi: float) -> Caution | None:
    if phi >= _NARROW:
        return None
    if phi == 0.0:
        said = "φ is 0, so that the limits have no width, and every unit not exactly on the target lies beyond them"
    else:
        said = (
            f"φ is {phi:.2g}, so that the limits are {math.sqrt(phi):.2g} times as wide as chance alone makes them, "
            "and units that differ by chance lie beyond them"
        )
    return Caution(NARROW_LIMITS, f"{said}. Use method='spiegelhalter', whose limits are those of chance.")


def _beyond(units: Units, size_name: str, target: float) -> Caution | None:
    people = None if size_name == EXPECTED else units.size
    beyond = beyond_chance(units.lower, units.upper, units.size * target, people)
    how = f"plain {'Poisson' if people is None else 'binomial'} limits about the target"
    return plain_caution([(int(beyond.sum()), len(beyond), "units")], how)
