"""Detectable effects: how large the true D of a department must be to be flagged with a given probability (power).

The two sides differ, since small counts carry less information than large ones: a department with 5 expected events may
be flagged with 15, and never with none. Given all data but the cell's own, D and the predictor t of the cell's total
are taken as jointly normal (`left_out.Cavity`):

    t = fixed + u + v (+ w),   D = v − M,   M the weighted mean effect of the other departments of the trust.

The cell's data depend on t alone. So D given the count is a normal variable about a + b·t, averaged over the posterior
of t. P(D beyond the margin | count) rises with the count, and from some count k on (on the low side: up to some count)
it is high enough for a flag. A cell whose true D is δ has t about fixed + u + M + δ. The detectable effect is the δ for
which such a cell has at least k (at most k) events with the given power.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from brightspots.common.arrays import FloatArray
from brightspots.common.parallel import map_in_order
from brightspots.data.cells import Cells
from brightspots.engine.posterior import SharedDraws
from brightspots.likelihood.family import CountFamily, Derivatives, Family
from brightspots.statistics.left_out import Cavity, cavities
from brightspots.statistics.summaries import CellSummary

# Exceedance probability that flags a department which is alone on its list at a false discovery rate of 0.05.
NEEDED = 0.95
_HERMITE_X, _HERMITE_W = np.polynomial.hermite_e.hermegauss(9)
_HERMITE_W = _HERMITE_W / np.sqrt(2.0 * np.pi)
_MOST_STEPS, _QUICK_STEPS, _MODE_STEPS = 50, 6, 5
# How near the normal score of the exceedance must come to the one needed.
_CLOSE = 0.01
# How far from its expected place the predictor is searched, on the log or logit scale (estimates: in standard
# deviations).
_FURTHEST = 30.0
_LEAST_VARIANCE = 1e-12


class Detectable(NamedTuple):
    """Smallest effect above and largest below that would be flagged on their side, (C,) each.

    ∞ and −∞ where no count would be flagged; NaN for a trust's only department.
    """

    high: FloatArray
    low: FloatArray


def detectable_effects(
    cells: Cells,
    shared: SharedDraws,
    summary: CellSummary,
    reach: float,
    *,
    needed: float = NEEDED,
    power: float = 0.8,
) -> Detectable:
    """Find the true D of each cell from which it would be flagged with probability `power`, above and below.

    A cell is taken to be flagged above when P(D > reach | y) ≥ `needed`, below when P(D < −reach | y) ≥ `needed`, given
    the data of all other cells. Student's t effects are treated as normal with the same σ, and the periods of a cell as
    one total with the same information. Counts inside the interval of a suppressed cell are taken not to be flagged,
    and neither are counts below `Cells.counted_from`, which would not be in the data; where such counts are likely the
    result is less exact.

    Parameters
    ----------
    cells : Cells
    shared : SharedDraws
    summary : CellSummary
        Its posterior means are used.
    reach : float
        The size from which an effect matters: log of the margin, or the difference that matters.
    needed : float, default 0.95
        Exceedance probability for a flag.
    power : float, default 0.8
        Probability of being flagged at the effect returned.
    """
    cavity = cavities(cells, shared, summary)
    found = map_in_order(lambda side: _effect(cells, cavity, side, reach, needed, power), (1.0, -1.0))
    alone = np.isnan(summary.own.point)
    return Detectable(*(np.where(alone, np.nan, effect) for effect in found))


def _effect(
    cells: Cells, cavity: Cavity, side: float, reach: float, needed: float, power: float
) -> FloatArray:
    """δ on one side, (C,): `side` is 1 above and −1 below."""
    level, spread = cavity.level.mean(axis=0), cavity.spread.mean(axis=0)
    z = side * float(special.ndtri(power))
    size = cells.family.total_size(cells.size, cells.cell_sum)
    outcome = _needed_outcome(cells.family, size, cavity, _seen(cells, size), side, reach, needed)
    if isinstance(cells.family, CountFamily):
        effect = _effect_of_count(cells.family, _shown(cells, outcome, side), size, level, spread, z)
    else:
        effect = outcome - level + z * np.sqrt(spread + size**2)
    return np.where(np.isnan(effect), side * np.inf, effect)


def _effect_of_count(
    family: CountFamily, count: FloatArray, size: FloatArray, level: FloatArray, spread: FloatArray, z: float
) -> FloatArray:
    """Effect δ at which P(y ≥ count) = Φ(z) for z > 0, or P(y ≤ count) = Φ(−z) for z < 0, (C,).

    P(y ≥ k) is the probability that the threshold of k (see `CountFamily`) lies below the predictor, which is δ plus a
    normal variable with mean `level` and variance `spread`. So δ is the quantile at Φ(z) of the difference, from its
    first four cumulants. NaN where the count is not possible.
    """
    least = count if z > 0 else count + 1.0
    with np.errstate(invalid="ignore"):  # no count is NaN
        possible = np.isfinite(least) & (least >= 1.0) & (least <= family.limit(size))
    k, n = np.where(possible, least, 1.0), np.where(possible, size, 1.0)
    mean, variance, third, fourth = family.threshold_cumulants(k, n)
    sd = np.sqrt(variance + spread)
    effect = mean - level + sd * _cornish_fisher(z, third / sd**3, fourth / sd**4)
    return np.where(possible, effect, np.nan)


def _seen(cells: Cells, size: FloatArray) -> FloatArray:
    """Outcome of each cell, (C,): its count, the middle of its interval, or Σ of estimate/standard error²."""
    family = cells.family
    if not family.is_count:
        return cells.cell_sum(cells.lower * family.weight(cells.size))
    lower = cells.cell_sum(cells.lower)
    upper = np.where(np.isfinite(cells.upper), cells.upper, cells.lower)
    seen = 0.5 * (lower + cells.cell_sum(upper))
    return np.minimum(seen, size) if family.is_bounded else seen


def _needed_outcome(
    family: Family,
    size: FloatArray,
    cavity: Cavity,
    was: FloatArray,
    side: float,
    reach: float,
    needed: float,
) -> FloatArray:
    """Outcome from which a cell would be flagged, (C,), counts not yet whole; NaN where no outcome is enough.

    The search is over the mode of t given the outcome, since the outcome follows from it: mean at the mode plus
    (mode − location)/variance. The mean of D rises with the mode at about the rate `slope`, so quasi-Newton steps
    within a bracket find where the exceedance probability is `needed`. The K sets of variances are equally likely given
    the outcome that was observed (`was`); given another outcome they are reweighted by the ratio of its marginal
    likelihood to that of `was`.
    """
    location, variance = cavity.location.mean(axis=0), cavity.variance.mean(axis=0)
    slope, contrast = cavity.slope.mean(axis=0), cavity.contrast.mean(axis=0)
    furthest = _FURTHEST * (np.ones_like(size) if family.is_count else np.sqrt(variance + size**2))
    outcome = np.full(size.shape, np.nan)
    active = np.flatnonzero((slope > 0.0) & (variance > 0.0))
    several = len(cavity.location) > 1
    prior = (
        -_integrals(family, size, cavity, location, was).log_likelihood if several else 0.0 * cavity.location
    )
    # `away`: distance of the mode from `location`, positive towards `side`; the exceedance rises with it. A step that
    # leaves the bracket `within`, and every other one after the first few, is replaced by a bisection.
    away = np.zeros(size.shape)
    away[active] = (reach - side * contrast[active]) / slope[active]
    within = np.stack([-furthest, furthest])
    for step in range(_MOST_STEPS):
        at = active
        out = away[at] = np.clip(away[at], *within[:, at])
        mode = location[at] + side * out
        seen = _outcome_of(family, size[at], mode, side * out / variance[at])
        few = cavity.of(at)
        score, sd = _score(few, _integrals(family, size[at], few, mode, seen), prior[:, at], side, reach)
        missed = score - special.ndtri(needed)
        outcome[at] = np.where(np.abs(missed) < _CLOSE, seen, np.nan)
        within[0, at], within[1, at] = (
            np.where(missed < 0.0, out, within[0, at]),
            np.where(missed < 0.0, within[1, at], out),
        )
        following = out - missed * sd / slope[at]
        halve = (following <= within[0, at]) | (following >= within[1, at])
        if step >= _QUICK_STEPS:
            halve |= step % 2 == 0
        away[at] = np.where(halve, within[:, at].mean(axis=0), following)
        active = at[
            (np.abs(missed) >= 0.1 * _CLOSE) & (np.diff(within[:, at], axis=0)[0] > 1e-6 * furthest[at])
        ]
        if not len(active):
            break
    return outcome if family.is_count else outcome * size**2


def _outcome_of(family: Family, size: FloatArray, mode: FloatArray, slope: FloatArray) -> FloatArray:
    """Outcome of which the log likelihood has a slope at a predictor: mean + slope, if the link is canonical."""
    natural = family.natural(size, mode)
    if natural is not None:
        slope = slope / natural.slope
    return family.moments(size, mode).mean + slope


def _likelihood(
    family: Family, size: FloatArray, predictor: FloatArray, seen: FloatArray
) -> tuple[Derivatives, FloatArray]:
    """Log likelihood of an outcome with its derivatives, and the mean outcome."""
    moments = family.moments(size, predictor)
    found = family.in_natural(seen, size, predictor, moments)
    return family.in_predictor(size, predictor, found), moments.mean


def _information(found: Derivatives) -> FloatArray:
    # Below zero only for outcomes that cannot be, which the search may try.
    return np.maximum(-found.curvature, 0.0)


class _Given(NamedTuple):
    """Posterior of t given an outcome, (K, C) each: mean less prior mean, central moments, log marginal likelihood."""

    shift: FloatArray
    second: FloatArray
    third: FloatArray
    fourth: FloatArray
    log_likelihood: FloatArray


def _integrals(
    family: Family, size: FloatArray, cavity: Cavity, mode: FloatArray, seen: FloatArray
) -> _Given:
    """Moments of t given an outcome, the likelihood being that of `_likelihood`, by Gauss–Hermite quadrature.

    Each set of variances has a mode of its own, found from the common guess `mode` by a few steps of Newton's method.
    """
    prior = 1.0 / np.maximum(cavity.variance, _LEAST_VARIANCE)
    modes = np.broadcast_to(mode, cavity.location.shape)
    for _ in range(_MODE_STEPS if len(cavity.location) > 1 else 0):
        found, _ = _likelihood(family, size, modes, seen)
        slope = found.slope - (modes - cavity.location) * prior
        modes = modes + np.clip(slope / (_information(found) + prior), -1.0, 1.0)
    found, mean = _likelihood(family, size, modes, seen)
    information = _information(found)
    width = 1.0 / np.sqrt(information + prior)
    step = width[..., np.newaxis] * _HERMITE_X
    # Log ratio of the posterior to its normal approximation at the nodes; linear terms cancel at the mode.
    log_ratio = 0.5 * information[..., np.newaxis] * step**2 - family.rise(
        seen[..., np.newaxis], size[:, np.newaxis], modes[..., np.newaxis], mean[..., np.newaxis], step
    )
    weight = np.exp(log_ratio) * _HERMITE_W
    whole = weight.sum(axis=-1)
    weight /= whole[..., np.newaxis]
    shift = np.sum(weight * step, axis=-1)
    away = step - shift[..., np.newaxis]
    square = away * away
    part = weight * square  # products, which are cheaper than powers of an array
    second, third, fourth = (np.sum(each, axis=-1) for each in (part, part * away, part * square))
    from_prior = modes - cavity.location
    log_likelihood = found.value - 0.5 * from_prior**2 * prior + np.log(whole * width * np.sqrt(prior))
    return _Given(from_prior + shift, second, third, fourth, log_likelihood)


def _score(
    cavity: Cavity, given: _Given, log_prior: FloatArray, side: float, reach: float
) -> tuple[FloatArray, FloatArray]:
    """Φ⁻¹ of P(D beyond the margin on this side | outcome), and the standard deviation of D, (C,) each."""
    slope = cavity.slope
    sd = np.sqrt(slope**2 * given.second + cavity.rest)
    above = _above(
        (reach - side * (cavity.contrast + slope * given.shift)) / sd,
        side * slope**3 * given.third / sd**3,
        slope**4 * (given.fourth - 3.0 * given.second**2) / sd**4,
    )
    weight = special.softmax(log_prior + given.log_likelihood, axis=0)
    probability = np.clip(np.sum(weight * above, axis=0), 1e-12, 1.0 - 1e-12)
    return special.ndtri(probability), np.sum(weight * sd, axis=0)


def _above(z: FloatArray, skewness: FloatArray, kurtosis: FloatArray) -> FloatArray:
    """P(a standardised variable > z) by Edgeworth's series to second order (Hall 1992, ch. 2)."""
    square = z * z
    correction = skewness * (square - 1.0) / 6.0 + z * (
        kurtosis * (square - 3.0) / 24.0 + skewness**2 * ((square - 10.0) * square + 15.0) / 72.0
    )
    return special.ndtr(-z) + np.exp(-0.5 * square) / np.sqrt(2.0 * np.pi) * correction


def _cornish_fisher(z: float, skewness: FloatArray, kurtosis: FloatArray) -> FloatArray:
    """Quantile at Φ(z) of a standardised variable, to second order (Cornish & Fisher 1938, Rev Inst Int Stat 5:307)."""
    return np.asarray(
        z
        + (z**2 - 1.0) * skewness / 6.0
        + (z**3 - 3.0 * z) * kurtosis / 24.0
        - (2.0 * z**3 - 5.0 * z) * skewness**2 / 36.0
    )


def _shown(cells: Cells, count: FloatArray, side: float) -> FloatArray:
    """Smallest whole count ≥ `count` (`side` −1: largest ≤ `count`) that is not suppressed, (C,); NaN where none is."""
    count = np.ceil(count - 1e-6) if side > 0 else np.floor(count + 1e-6)
    if side > 0:
        count = np.maximum(count, 0.0)
    withheld = cells.censored
    if withheld.any():
        some = cells.cell_sum(withheld.astype(np.float64)) > 0
        lower, upper = cells.cell_sum(cells.lower), cells.cell_sum(cells.upper)
        inside = some & (count >= lower) & (count <= upper)
        count = np.where(inside, upper + 1.0 if side > 0 else lower - 1.0, count)
    if cells.counted_from is not None:
        least = cells.cell_sum(cells.counted_from)
        count = np.maximum(count, least) if side > 0 else np.where(count < least, np.nan, count)
    return np.where(count < 0.0, np.nan, count)
