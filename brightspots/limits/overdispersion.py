"""Over-dispersion: φ and τ² from z-scores that were trimmed or winsorised.

Notation of Spiegelhalter (2005a, Statistics in Medicine 24:1185; 2005b, Qual Saf Health Care 14:347) and
Spiegelhalter et al. (2012, JRSS A 175:1): φ = mean z², and τ² by the
method of moments of DerSimonian & Laird (1986, Control Clin Trials 7:177).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from brightspots.common.arrays import FloatArray
from brightspots.common.errors import DataError
from brightspots.limits.units import FunnelMethod


@dataclass(frozen=True, slots=True)
class Dispersion:
    """Variation beyond chance, as estimated from z-scores.

    Parameters
    ----------
    phi : float
        Mean of the squared z-scores after trimming or winsorising; about 1 where there is chance alone. NaN where it
        was not estimated.
    tau2 : float
        Variance between units on the transformed scale, at least 0; 0 for a multiplicative model.
    kept : int
        Number of z-scores from which φ is computed.
    """

    phi: float
    tau2: float
    kept: int


def trimmed(z: FloatArray, s: FloatArray, trim: float = 0.1) -> Dispersion:
    """Leave out the extreme z-scores (SHMI).

    A unit is left out when its rank / (n + 1), ties averaged, lies below `trim` or reaches 1 − `trim`.

    Parameters
    ----------
    z, s : float array (n,)
        Unadjusted z-scores and their standard errors on the transformed scale.
    trim : float, default 0.1
        Share trimmed at each end.

    Raises
    ------
    DataError
        Where fewer than two units are kept.
    """
    position = stats.rankdata(z) / (len(z) + 1)
    keep = (position >= trim) & (position < 1.0 - trim)
    if keep.sum() < 2:
        raise DataError(
            f"too few units to estimate over-dispersion: {int(keep.sum())} of {len(z)} left after trimming",
            expected="at least 2 units after trimming",
            action="use method='poisson' or 'spiegelhalter', or give tau2",
        )
    return _moments(z[keep], s[keep])


def winsorised(z: FloatArray, s: FloatArray, trim: float = 0.1) -> Dispersion:
    """Pull the extreme z-scores in to their `trim` and 1 − `trim` quantiles (type 7); n is unchanged (CQC).

    Parameters
    ----------
    z, s : float array (n,)
        Unadjusted z-scores and their standard errors on the transformed scale.
    trim : float, default 0.1
        Share winsorised at each end.

    Raises
    ------
    DataError
        Where there are fewer than two units.
    """
    if len(z) < 2:
        raise DataError(
            f"too few units to estimate over-dispersion: {len(z)}",
            expected="at least 2 units",
            action="use method='poisson' or 'spiegelhalter', or give tau2",
        )
    low, high = np.quantile(z, [trim, 1.0 - trim])
    return _moments(np.clip(z, low, high), s)


def multiplicative(z: FloatArray) -> Dispersion:
    """Pull the largest and the smallest z-score in to the next one (Scotland's HSMR, a multiplicative model).

    φ = Σz² / (number of z that are not zero); limits use the standard error times √φ.

    Parameters
    ----------
    z : float array (n,)
        Unadjusted z-scores.

    Raises
    ------
    DataError
        Where there are fewer than three units.
    """
    if len(z) < 3:
        raise DataError(
            f"too few units to estimate over-dispersion: {len(z)}",
            expected="at least 3 units, so that the largest and the smallest have a neighbour",
            action="use method='poisson' or 'spiegelhalter'",
        )
    # Clipped to the second smallest and second largest value: where two tie for the largest, it stays as it is.
    ordered = np.sort(z)
    pulled = np.clip(z, ordered[1], ordered[-2])
    kept = int(np.count_nonzero(pulled))
    return Dispersion(phi=float(np.sum(pulled**2) / kept) if kept else 0.0, tau2=0.0, kept=kept)


def method_dispersion(
    method: FunnelMethod,
    observed: FloatArray,
    size: FloatArray,
    target: float,
    trim: float,
    tau2: float | None,
) -> Dispersion:
    """Estimate φ and τ² from the z-scores of a funnel method (see `brightspots.limits.funnel.funnel_limits`).

    Parameters
    ----------
    method : str
    observed, size : float array (n,)
        Events, and expected events or denominators.
    target : float
        Centre of the funnel.
    trim : float
        Share trimmed or winsorised at each end.
    tau2 : float, optional
        A known τ²; nothing is estimated then.
    """
    if tau2 is not None:
        return Dispersion(phi=math.nan, tau2=float(tau2), kept=0)
    if method == "proportion":
        s = 0.5 / np.sqrt(size)
        return winsorised((np.arcsin(np.sqrt(observed / size)) - math.asin(math.sqrt(target))) / s, s, trim)
    expected = size * target
    if method == "shmi":
        half = np.where(observed == 0, 0.5, 0.0)
        return trimmed(
            np.sqrt(expected) * np.log((observed + half) / (expected + half)), 1.0 / np.sqrt(expected), trim
        )
    if method == "cqc":
        s = 0.5 / np.sqrt(expected)
        return winsorised((np.sqrt(observed / expected) - 1.0) / s, s, trim)
    if method == "phs":
        return multiplicative((observed / expected - 1.0) * np.sqrt(expected))
    return Dispersion(phi=math.nan, tau2=0.0, kept=0)


def _moments(z: FloatArray, s: FloatArray) -> Dispersion:
    n = len(z)
    phi = float(np.mean(z**2))
    weight = s**-2.0
    tau2 = (n * phi - (n - 1)) / float(weight.sum() - (weight**2).sum() / weight.sum())
    return Dispersion(phi=phi, tau2=max(0.0, tau2), kept=n)
