"""Limits of units of given sizes on the plotted scale (O/E, O/n or the estimate), one function for each method.

Every function takes sizes (n,), the probability left in the tail, and whether the limit is the upper one, and returns
limits (n,).
The formulas are those of the papers named in `brightspots.limits.funnel.funnel_limits`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from scipy import special, stats

from brightspots.common.arrays import FloatArray
from brightspots.common.vocabulary import EXPECTED
from brightspots.likelihood.families import BINOMIAL, POISSON
from brightspots.likelihood.family import CountFamily
from brightspots.likelihood.mixtures import Spread, count_quantile
from brightspots.limits.overdispersion import Dispersion
from brightspots.limits.units import FunnelMethod

# (size (n,), tail probability, is it the upper limit) → limit on the plotted scale (n,).
Boundary = Callable[[FloatArray, float, bool], FloatArray]


def method_boundary(method: FunnelMethod, size_name: str, target: float, dispersion: Dispersion) -> Boundary:
    """The limits of a funnel method as a function of size, tail and side."""
    boundary: Boundary
    if method == "spiegelhalter":
        if size_name == EXPECTED:
            return partial(log_boundary, POISSON, centre=math.log(target), sd=0.0)
        return partial(binomial_boundary, location=float(special.logit(target)), sd=0.0)
    if method == "proportion":
        boundary = partial(arcsine_boundary, target=target, tau2=dispersion.tau2)
        return partial(with_zero_counts, boundary=boundary, log_none=math.log1p(-target))
    if method == "poisson":
        boundary = partial(chi2_boundary, target=target)
    elif method == "shmi":
        boundary = partial(shmi_boundary, target=target, tau2=dispersion.tau2)
    elif method == "cqc":
        boundary = partial(cqc_boundary, target=target, tau2=dispersion.tau2)
    else:
        boundary = partial(phs_boundary, target=target, phi=dispersion.phi)
    return partial(with_zero_counts, boundary=boundary, log_none=-target)


def with_zero_counts(
    size: FloatArray, tail: float, upper: bool, *, boundary: Boundary, log_none: float
) -> FloatArray:
    """Put lower limits at 0 for sizes at which no event at all is more probable by chance than the tail.

    The approximate methods have positive limits at every size, so that a unit expecting 0.1 events would be
    flagged for having none. Interpolated limits are 0 there anyway. `log_none` is the log probability of no event in
    a unit of size 1, so that of a unit is size·log_none.
    """
    limit = boundary(size, tail, upper)
    return limit if upper else np.where(size * log_none > math.log(tail), 0.0, limit)


def _signed_quantile(tail: float, upper: bool) -> float:
    quantile = float(special.ndtri(tail))
    return -quantile if upper else quantile


def chi2_boundary(size: FloatArray, tail: float, upper: bool, *, target: float) -> FloatArray:
    """Exact Poisson limits of O/E by the χ² distribution."""
    expected = size * target
    if upper:
        return np.asarray(target * stats.chi2.isf(tail, 2.0 * (expected + 1.0)) / (2.0 * expected))
    return np.asarray(target * stats.chi2.ppf(tail, 2.0 * expected) / (2.0 * expected))


def shmi_boundary(size: FloatArray, tail: float, upper: bool, *, target: float, tau2: float) -> FloatArray:
    """Lognormal limits of O/E with variance 1/E + τ² of its logarithm."""
    return np.asarray(target * np.exp(_signed_quantile(tail, upper) * np.sqrt(1.0 / (size * target) + tau2)))


def cqc_boundary(size: FloatArray, tail: float, upper: bool, *, target: float, tau2: float) -> FloatArray:
    """Normal limits of √(O/E), with variance 1/(4E) + τ², squared."""
    root = 1.0 + _signed_quantile(tail, upper) * np.sqrt(0.25 / (size * target) + tau2)
    return np.asarray(target * np.maximum(root, 0.0) ** 2)


def arcsine_boundary(size: FloatArray, tail: float, upper: bool, *, target: float, tau2: float) -> FloatArray:
    """Normal limits of asin √p, with variance 1/(4n) + τ², transformed back."""
    angle = math.asin(math.sqrt(target)) + _signed_quantile(tail, upper) * np.sqrt(0.25 / size + tau2)
    return np.asarray(np.sin(np.clip(angle, 0.0, 0.5 * math.pi)) ** 2)


def phs_boundary(size: FloatArray, tail: float, upper: bool, *, target: float, phi: float) -> FloatArray:
    """Normal limits of O/E whose standard error is scaled by √φ."""
    limit = 1.0 + _signed_quantile(tail, upper) * math.sqrt(phi) / np.sqrt(size * target)
    return np.asarray(target * np.maximum(limit, 0.0))


def normal_boundary(
    precision: FloatArray, tail: float, upper: bool, *, centre: float, sd: float | Spread
) -> FloatArray:
    """Limits of an estimate with the error variance 1/precision about units that vary by sd."""
    away = Spread.of(sd).quantile(tail, 1.0 / precision)
    return np.asarray(centre - away if upper else centre + away)


def log_boundary(
    family: CountFamily, size: FloatArray, tail: float, upper: bool, *, centre: float, sd: float | Spread
) -> FloatArray:
    """Interpolated limits of O/E for counts of a family with a log link and the mean E·exp(N(centre, sd²))."""
    probability = 1.0 - tail if upper else tail
    return count_quantile(family, probability, size, np.log(size) + centre, sd) / size


def binomial_boundary(
    size: FloatArray, tail: float, upper: bool, *, location: float, sd: float | Spread
) -> FloatArray:
    """Interpolated limits of O/n for counts Binomial(n, logit⁻¹(N(location, sd²)))."""
    return binomial_ratio(size, np.full(size.shape, location), sd, size, tail, upper)


def expected_binomial_boundary(
    expected: FloatArray, tail: float, upper: bool, *, rate: float, centre: float, sd: float | Spread
) -> FloatArray:
    """Limits of O/E for binomial counts of n = E/rate: the curve that is drawn along E."""
    location = np.full(expected.shape, float(special.logit(rate)) + centre)
    return binomial_ratio(expected / rate, location, sd, expected, tail, upper)


def binomial_ratio(
    size: FloatArray, location: FloatArray, sd: float | Spread, scale: FloatArray, tail: float, upper: bool
) -> FloatArray:
    """Interpolated limits of O/scale for binomial counts, each with its own location (mean logit), (n,)."""
    quantile = count_quantile(BINOMIAL, 1.0 - tail if upper else tail, size, location, sd)
    if upper:
        # Where even a count of all patients is more probable than the tail, no count is above the limit.
        quantile = np.where(quantile > size - 1.0, size, quantile)
    return quantile / scale
