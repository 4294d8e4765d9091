"""The loops of `mixture_loops_compiled` in plain NumPy, with no compiler to wait for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

from brightspots.common.arrays import FloatArray
from brightspots.engine.integration.leaf import cornish_fisher, shape_of
from brightspots.statistics.distribution_loops_plain import distributions

__all__ = ["beyond_both", "change_in_count", "describe", "distributions"]

# As in `mixture_loops_compiled`.
CLOSE, MOST_STEPS = 2e-5, 20
_LEAST_SD = 1e-12


def _cdf(z: FloatArray, skewness: FloatArray, kurtosis: FloatArray) -> tuple[FloatArray, FloatArray]:
    """P(Z ≤ z) and the density at z, by Edgeworth's series to second order (Hall 1992, ch. 2)."""
    z = np.clip(z, -10.0, 10.0)
    square = z * z
    density = np.exp(-0.5 * square) / np.sqrt(2.0 * np.pi)
    third, fourth, sixth = skewness / 6.0, kurtosis / 24.0, skewness**2 / 72.0
    correction = third * (square - 1.0) + z * (
        fourth * (square - 3.0) + sixth * ((square - 10.0) * square + 15.0)
    )
    slope = 1.0 + third * z * (square - 3.0) + fourth * ((square - 6.0) * square + 3.0)
    slope = slope + sixth * (((square - 15.0) * square + 45.0) * square - 15.0)
    return np.clip(special.ndtr(z) - density * correction, 0.0, 1.0), density * slope


def _solve(
    distribution: Callable[[FloatArray], tuple[FloatArray, FloatArray]],
    probability: float,
    start: FloatArray,
    furthest: FloatArray,
) -> FloatArray:
    """Where distribution functions, given with their densities, take a value, (n,): Newton within a bracket."""
    x, low, high = start, start - furthest, start + furthest
    for _ in range(MOST_STEPS):
        share, density = distribution(x)
        missed = share - probability
        moving = np.abs(missed) > CLOSE
        if not moving.any():
            break
        high = np.where(moving & (missed > 0.0), x, high)
        low = np.where(moving & (missed <= 0.0), x, low)
        step = np.divide(missed, density, out=np.full_like(x, np.inf), where=density > 0.0)
        following = x - step
        inside = (low < following) & (following < high)
        x = np.where(moving, np.where(inside, following, 0.5 * (low + high)), x)
    return x


def describe(
    location: FloatArray,
    sd: FloatArray,
    skewness: FloatArray,
    kurtosis: FloatArray,
    reach: float,
    tail: float,
    score: float,
) -> FloatArray:
    """Summarise mixtures; see `mixture_loops_compiled.describe`."""
    mean, own = location.mean(axis=1), sd**2
    away = location - mean[:, np.newaxis]
    square, of_third = away**2, skewness * own * sd
    second = np.mean(own + square, axis=1)
    third = np.mean(of_third + (3.0 * own + square) * away, axis=1)
    fourth = np.mean(
        (kurtosis + 3.0) * own**2 + (4.0 * of_third + (6.0 * own + square) * away) * away, axis=1
    )
    shape = shape_of(mean, second, third, fourth - 3.0 * second**2)
    inverse = 1.0 / np.maximum(sd, _LEAST_SD)

    def distribution(x: FloatArray) -> tuple[FloatArray, FloatArray]:
        share, density = _cdf((x[:, np.newaxis] - location) * inverse, skewness, kurtosis)
        return share.mean(axis=1), np.mean(density * inverse, axis=1)

    spread = np.sqrt(second)
    ends = [
        _solve(distribution, probability, cornish_fisher(*shape, np.array(at)), 20.0 * spread)
        for probability, at in ((tail, score), (1.0 - tail, -score))
    ]
    above = 1.0 - distribution(np.full(len(mean), reach))[0]
    below = distribution(np.full(len(mean), -reach))[0]
    return np.stack([mean, *ends, above, below, spread])


def beyond_both(
    location: FloatArray,
    sd: FloatArray,
    skewness: FloatArray,
    kurtosis: FloatArray,
    first: FloatArray,
    second: FloatArray,
    reach: float,
) -> FloatArray:
    """P(both beyond the margin) above and below, and P(both within); see `mixture_loops_compiled.beyond_both`."""
    inverse = 1.0 / np.maximum(sd, _LEAST_SD)
    highest, lowest = np.maximum(first, second) - location, np.minimum(first, second) - location

    def below(threshold: FloatArray) -> FloatArray:
        return _cdf(threshold * inverse, skewness, kurtosis)[0]

    high, low = 1.0 - below(highest + reach), below(lowest - reach)
    within = np.maximum(below(lowest + reach) - below(highest - reach), 0.0)
    return np.stack([part.mean(axis=1) for part in (high, low, within)])


def change_in_count(
    level: FloatArray,
    sd: FloatArray,
    skewness: FloatArray,
    kurtosis: FloatArray,
    people: FloatArray,
    centre: FloatArray,
    slope: FloatArray,
    bend: FloatArray,
    start: FloatArray,
    spread: FloatArray,
    tail: float,
) -> FloatArray:
    """Interval of how much larger a mean count is than `level`; see `mixture_loops_compiled.change_in_count`."""
    inverse, most = 1.0 / np.maximum(sd, _LEAST_SD), people[:, np.newaxis]
    bounded = np.isfinite(most)

    def distribution(x: FloatArray) -> tuple[FloatArray, FloatArray]:
        # Counts that cannot be are moved to where next to no v leads.
        total = np.minimum(np.maximum(level + x[:, np.newaxis], 1e-300), most * (1.0 - 1e-15))
        rest = np.where(bounded, most - total, 1.0)
        wanted = np.log(total) - np.log(rest) - centre
        root = np.sqrt(np.maximum(slope**2 + 4.0 * bend * wanted, 1e-12))
        share, height = _cdf(2.0 * wanted / (slope + root) * inverse, skewness, kurtosis)
        speed = (1.0 / total + np.where(bounded, 1.0 / rest, 0.0)) / root
        return share.mean(axis=1), np.mean(height * speed * inverse, axis=1)

    probabilities = tail, 1.0 - tail
    return np.stack(
        [_solve(distribution, at, x, 30.0 * spread) for at, x in zip(probabilities, start, strict=True)]
    )
