"""The loop of `distribution_loops_compiled` in plain NumPy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.engine.integration.leaf import shape_of

_LEAST_SD = 1e-12


class _Cumulants(NamedTuple):
    """The first four, (n, S) each."""

    mean: FloatArray
    variance: FloatArray
    third: FloatArray
    fourth: FloatArray

    @classmethod
    def of(cls, shape: npt.NDArray[np.float32]) -> _Cumulants:
        mean, sd, skewness, kurtosis = shape.astype(np.float64)
        variance = sd * sd
        return cls(mean, variance, skewness * variance * sd, kurtosis * variance * variance)


def _sum(
    mean: FloatArray,
    own: _Cumulants,
    kept: FloatArray | float,
    rest: _Cumulants,
    u: _Cumulants,
    slope: FloatArray,
    bend: FloatArray,
    moves: FloatArray | float,
) -> _Cumulants:
    """Cumulants of own − kept·rest + a part that follows u by `slope` and `bend`, with a mean.

    The variance of what is own moves with u by `moves`.
    """
    squares = slope * bend * u.variance**2 + moves * u.variance
    return _Cumulants(
        mean,
        own.variance + kept**2 * rest.variance + slope**2 * u.variance,
        own.third - kept**3 * rest.third + slope**3 * u.third + 3.0 * slope * squares,
        own.fourth + kept**4 * rest.fourth + slope**4 * u.fourth,
    )


def distributions(
    trust: npt.NDArray[np.float32],
    department: npt.NDArray[np.float32],
    sd: FloatArray,
    weight: FloatArray,
    bounds: IntArray,
) -> FloatArray:
    """Distributions of u + v, D, the level, and D given the level; see `distribution_loops_compiled.distributions`."""
    of_trust = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    u, v = _Cumulants.of(trust[:, of_trust]), _Cumulants.of(department)
    prior = np.maximum(sd, _LEAST_SD) ** 2
    left, bend, moves = v.variance / prior, v.third / prior**2, v.third / prior
    whole = np.add.reduceat(weight, bounds[:-1])[of_trust] - weight
    whole[np.diff(bounds)[of_trust] == 1] = np.nan

    def over_others(values: FloatArray, power: int = 1) -> FloatArray:
        weighted = (weight**power)[:, np.newaxis] * values
        rest = np.add.reduceat(weighted, bounds[:-1], axis=0)[of_trust] - weighted
        return np.asarray(rest / (whole**power)[:, np.newaxis])

    others = _Cumulants(*(over_others(values, power) for power, values in enumerate(v, start=1)))
    others = others._replace(variance=np.maximum(others.variance, 0.0))
    others_left, others_bend = over_others(left), over_others(bend)
    half, slope, of_bend = 0.5 * u.variance, left - others_left, bend - others_bend
    mean = v.mean + bend * half
    peer = _sum(u.mean + mean, v, 0.0, v, u, left, bend, moves)
    peer = peer._replace(variance=peer.variance + v.fourth / prior**2 * half)
    own = _sum(mean - others.mean - others_bend * half, v, 1.0, others, u, slope, of_bend, moves)
    at = u.mean + others.mean + others_bend * half
    level = _sum(at, others, 0.0, others, u, others_left, others_bend, 0.0)
    follows = (slope * others_left * u.variance - others.variance) / np.maximum(level.variance, _LEAST_SD**2)
    kept = 1.0 + follows
    given_level = _sum(
        own.mean, v, kept, others, u, slope - follows * others_left, bend - kept * others_bend, moves
    )
    shapes = [part for cumulants in (peer, own, level, given_level) for part in shape_of(*cumulants)]
    return np.stack([*shapes, follows, mean, v.variance + (left - 1.0) ** 2 * u.variance])
