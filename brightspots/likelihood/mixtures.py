"""Overdispersed counts, whose linear predictor θ itself varies normally: tail probabilities and quantiles.

    Poisson   y ~ Poisson(exp(θ)),            θ ~ N(location, sd²)
    binomial  y ~ Binomial(n, logit⁻¹(θ)),    θ ~ N(location, sd²)

with sd = 0 for plain Poisson and binomial counts. Quantiles are interpolated between whole counts as in the
appendix of Spiegelhalter (2005, Statistics in Medicine 24:1185): with r the smallest count for which F(r) ≥ p,
the quantile is r − (F(r) − p)/(F(r) − F(r − 1)).

F(r) is one integral, taken over whichever of its two factors is the narrower, so that the integrand is smooth
and the same few nodes are enough for an expected count of 0.01 and of 10⁶:

- sd narrow: E over θ of the count's distribution function, by Gauss–Hermite quadrature;
- sd wide: a count is at most r exactly when its threshold of r + 1 exceeds θ (see `CountFamily`: for a Poisson
  count the logarithm of a Gamma(r + 1) variate, for a binomial one the logit of a Beta(r + 1, n − r) variate), so
  F(r) = E over the threshold t of Φ((t − location)/sd).

`at_least` wants 1 − F for many draws of (location, sd) of a unit, to 5e-6: 11 nodes, of the threshold at its own
quantiles. `count_quantile` wants F and P(y = r) far into the tails, to divide one by the other: 40 nodes, and for
the threshold the trapezoidal rule, which converges geometrically for a smooth peak. Where θ is a mixture of normals
(see `Spread`), F and P(y = r) are the same mixture of those under each.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import special

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.likelihood.family import CountFamily

# Where sd exceeds this many widths of the count's own uncertainty about θ, the second integral is used.
_WIDE = 1.0
_NODES = 40
_NODES_OF_DRAWS = 11
_TRAPEZOID = np.linspace(0.0, 1.0, 96)
# Units × nodes held at once.
_CHUNK = 20_000
# Above this many units with one common level, the search starts from a curve through a few hundred of them.
_GUIDED = 2_000
_GUIDES = 300
# Halvings of the bracket around a quantile of a mixture.
_BISECTIONS = 60


class Spread(NamedTuple):
    """How θ varies about its location: as a mixture of M normals.

    Parameters
    ----------
    weight : (M,)
        Summing to 1.
    sd : (M, n), or (M, 1) where all units have the same
    """

    weight: FloatArray
    sd: FloatArray

    @classmethod
    def of(cls, sd: float | Spread) -> Spread:
        """One normal, from its standard deviation; or what is a spread already."""
        return sd if isinstance(sd, Spread) else cls(np.ones(1), np.full((1, 1), sd))

    @property
    def variance(self) -> FloatArray:
        """Of all together, (n,) or (1,)."""
        return np.asarray(self.weight @ self.sd**2)

    def average(self) -> Spread:
        """The same for all units: each normal with the average of its variance."""
        return Spread(self.weight, np.sqrt(np.mean(self.sd**2, axis=1, keepdims=True)))

    def take(self, units: IntArray | slice, count: int) -> Spread:
        """Of some of `count` units, (M, units)."""
        return Spread(self.weight, np.broadcast_to(self.sd, (len(self.sd), count))[:, units])

    def quantile(self, probability: float, more: FloatArray) -> FloatArray:
        """Of θ less its location with an independent normal of variance `more`, (n,), added to it; by bisection."""
        sd = np.sqrt(self.sd**2 + more)
        each = float(special.ndtri(probability)) * sd
        if len(self.weight) == 1:
            return np.asarray(each[0])
        low, high = each.min(axis=0), each.max(axis=0)
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            enough = self.weight @ special.ndtr(middle / sd) >= probability
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        return 0.5 * (low + high)


def at_least(
    family: CountFamily, count: FloatArray, size: FloatArray, location: FloatArray, sd: FloatArray
) -> FloatArray:
    """P(y ≥ count) of each unit at each draw of θ's mean and standard deviation, (n, S).

    Parameters
    ----------
    family : CountFamily
    count, size : (n,)
        Whole counts, and denominators (binomial).
    location, sd : (n, S)
        Mean and standard deviation of θ at each draw; sd above 0.
    """
    result = np.ones_like(location)
    limit = family.limit(size)
    result[count > limit] = 0.0
    possible = (count >= 1) & (count <= limit)
    information = family.threshold_information(np.where(possible, count, 1.0), size)
    narrow = information * np.median(sd, axis=1) ** 2 < 1.0
    for rows, integral in (
        (np.flatnonzero(possible & narrow), _tail_over_level),
        (np.flatnonzero(possible & ~narrow), _tail_over_threshold),
    ):
        if len(rows):
            result[rows] = integral(family, count[rows], size[rows], location[rows], sd[rows])
    return result


def count_quantile(
    family: CountFamily, probability: float, size: FloatArray, location: FloatArray, sd: float | Spread
) -> FloatArray:
    """Interpolated quantiles of overdispersed counts.

    Parameters
    ----------
    family : CountFamily
    probability : float
        p, strictly between 0 and 1.
    size : float array (n,)
        Denominators (binomial; need not be whole, so that curves can be drawn). Not used for Poisson counts, except
        for its shape.
    location : float array (n,)
        Mean of θ: log expected count, or logit of the expected proportion.
    sd : float or Spread
        Standard deviation of θ, at least 0; or the mixture of normals that it is.

    Returns
    -------
    float array (n,)
        Counts, at least 0 (and at most the denominator).
    """
    top, spread = np.ceil(family.limit(size)), Spread.of(sd)
    start = family.start_of_quantile(probability, size, location, np.sqrt(spread.variance))
    if len(size) > _GUIDED:
        start = _guided_start(family, probability, size, location, spread, start)
    quantile = np.empty(size.shape)
    for first in range(0, len(size), _CHUNK):
        part = slice(first, first + _CHUNK)
        quantile[part] = _search(
            family,
            probability,
            size[part],
            location[part],
            spread.take(part, len(size)),
            start[part],
            top[part],
        )
    return quantile


def _guided_start(
    family: CountFamily, p: float, size: FloatArray, location: FloatArray, spread: Spread, start: FloatArray
) -> FloatArray:
    """Better starts of the search for many units, (n,).

    The exact quantile is computed for a few hundred of the units, at even steps of the sorted starts. The error of
    their starts, divided by √(start + 1), is interpolated to all others and taken off.
    """
    order = np.argsort(start, kind="stable")
    guides = order[np.unique(np.linspace(0, len(order) - 1, _GUIDES).astype(np.int64))]
    exact = count_quantile(family, p, size[guides], location[guides], spread.take(guides, len(size)))
    error = (exact - start[guides]) / np.sqrt(start[guides] + 1.0)
    # Guides share a start where counts are small; np.interp needs increasing abscissae, so average those.
    at, group = np.unique(start[guides], return_inverse=True)
    mean_error = np.bincount(group, weights=error) / np.bincount(group)
    return np.maximum(np.ceil(start + np.interp(start, at, mean_error) * np.sqrt(start + 1.0)), 0.0)


def _search(
    family: CountFamily,
    p: float,
    size: FloatArray,
    location: FloatArray,
    spread: Spread,
    start: FloatArray,
    top: FloatArray,
) -> FloatArray:
    """Interpolated quantiles, (n,): Newton's method on the probit of F, inside a bracket of counts that shrinks.

    Parameters
    ----------
    family, p, size, location, spread
        As in `count_quantile`.
    start, top : (n,)
        The count to begin with, and the largest that the unit can have (may be infinite); whole numbers.
    """
    z = float(special.ndtri(p))
    # Counts still to be tried are in (below, above]: `below` is the largest count known to have F < p, and once a count
    # is known to have F ≥ p, `above` is one less than the smallest such.
    below = np.full(size.shape, -1.0)
    above = top.copy()
    count = np.clip(start, 0.0, top)
    quantile = np.empty(size.shape)
    active = np.arange(len(size))
    while len(active):
        r = count[active]
        parts = [
            weight * np.stack(_distribution(family, r, size[active], location[active], sd[active]))
            for weight, sd in zip(*spread, strict=True)
        ]
        cdf, pmf = sum(parts[1:], parts[0])
        enough = cdf >= p
        below[active] = np.where(enough, below[active], np.maximum(below[active], r))
        above[active] = np.where(enough, np.minimum(above[active], r - 1.0), above[active])
        # The bracket is empty where the answer is known already, or where p lies within rounding
        # of F(r) or F(r − 1): the interpolation is continuous there.
        found = (enough & (cdf - pmf < p)) | (above[active] <= below[active])
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.clip((cdf - p) / pmf, 0.0, 1.0)
        quantile[active[found]] = (r - share)[found]
        with np.errstate(all="ignore"):
            at = special.ndtri(cdf)
            step = (z - at) * np.exp(-0.5 * at**2) / np.sqrt(2.0 * np.pi) / pmf
            step = np.where(enough, np.minimum(np.ceil(step), -1.0), np.maximum(np.ceil(step), 1.0))
            middle = np.ceil(0.5 * (below[active] + above[active]))
        middle = np.where(np.isfinite(middle), middle, 2.0 * below[active] + 2.0)
        following = r + step
        inside = np.isfinite(following) & (following > below[active]) & (following <= above[active])
        count[active] = np.where(inside, following, middle)
        active = active[~found]
    return np.clip(quantile, 0.0, family.limit(size))


def _distribution(
    family: CountFamily, r: FloatArray, size: FloatArray, location: FloatArray, sd: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """F(r) = P(y ≤ r) and P(y = r) of each unit, (n,) each, by the narrower of the two integrals."""
    full = r >= family.limit(size)
    cdf, pmf = np.ones(r.shape), np.empty(r.shape)
    wide = ~full & (sd > _WIDE * family.threshold_width(r, size))
    narrow = ~full & ~wide
    for chosen, integral in ((narrow, _over_level), (wide, _over_variate)):
        if chosen.any():
            cdf[chosen], pmf[chosen] = integral(family, r[chosen], size[chosen], location[chosen], sd[chosen])
    if full.any():
        # r is the largest possible count: F(r) = 1, and P(y = r) = 1 − F(r − 1).
        fewer, _ = _distribution(family, r[full] - 1.0, size[full], location[full], sd[full])
        pmf[full] = 1.0 - fewer
    return cdf, pmf


def _over_level(
    family: CountFamily, r: FloatArray, size: FloatArray, location: FloatArray, sd: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """F(r) and P(y = r) by Gauss–Hermite quadrature over θ."""
    points, weights = _hermite(_NODES if np.any(sd > 0.0) else 1)
    theta = location[:, np.newaxis] + sd[:, np.newaxis] * points
    r, size = r[:, np.newaxis], size[:, np.newaxis]
    return _mean(family.at_most(r, size, theta), weights), _mean(family.mass(r, size, theta), weights)


def _over_variate(
    family: CountFamily, r: FloatArray, size: FloatArray, location: FloatArray, sd: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """F(r) and P(y = r) by the trapezoidal rule over the threshold of r + 1 (see `CountFamily`)."""
    t, density, inverse = family.threshold_density(r, size, _TRAPEZOID)
    width = sd[:, np.newaxis]
    standard = (t - location[:, np.newaxis]) / width
    normal = np.exp(-0.5 * standard**2) / (width * np.sqrt(2.0 * np.pi))
    return (density * special.ndtr(standard)).sum(axis=1), (density * inverse * normal).sum(axis=1)


def _tail_over_level(
    family: CountFamily, count: FloatArray, size: FloatArray, location: FloatArray, sd: FloatArray
) -> FloatArray:
    """P(y ≥ count) by Gauss–Hermite quadrature over θ, (n, S); node by node, for S may be large."""
    total = np.zeros_like(location)
    for point, weight in zip(*_hermite(_NODES_OF_DRAWS), strict=True):
        total += weight * family.at_least(count[:, np.newaxis], size[:, np.newaxis], location + sd * point)
    return total


def _tail_over_threshold(
    family: CountFamily, count: FloatArray, size: FloatArray, location: FloatArray, sd: FloatArray
) -> FloatArray:
    """P(y ≥ count) by quadrature over the threshold of the count, at its quantiles of normal scores, (n, S)."""
    total = np.zeros_like(location)
    for point, weight in zip(*_hermite(_NODES_OF_DRAWS), strict=True):
        threshold = family.threshold_quantile(count, size, special.ndtr(point))
        total += weight * special.ndtr((location - threshold[:, np.newaxis]) / sd)
    return total


def _mean(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted mean over the last axis, summed in the same way wherever BLAS would be another one."""
    return np.asarray((values * weights).sum(axis=-1))


@lru_cache
def _hermite(nodes: int) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights of the expectation over a standard normal, (nodes,) each."""
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    return points, weights / weights.sum()
