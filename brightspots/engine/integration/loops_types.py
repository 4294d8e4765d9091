"""Compiled loop over department types: where the density of each one's σ lies at every draw; see `loops_compiled`."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

import numpy as np

from brightspots.common.compiling import compiled, inlined


@inlined
def _log_density(first, step, coefficients, kind, at, middle, precision):
    """Log of likelihood times prior, without the prior's constant, of log σ of one type."""
    last = coefficients.shape[2] - 1
    inside = min(max(at - first, 0.0), (last + 1) * step)
    piece = min(int(inside / step), last)
    away = inside - piece * step
    value = coefficients[0, kind, piece]
    for power in range(1, 4):
        value = value * away + coefficients[power, kind, piece]
    return value - 0.5 * precision * (at - middle) ** 2


@compiled("f8[:,:,::1](f8[::1], f8[:,:,::1], f8[::1], f8[::1], f8[::1], f8[::1], i8, i8, i8, f8, f8)")
def type_densities(knots, coefficients, lowest, highest, typical, spread, looks, zooms, points, around, deep):
    """Even points between which the density of each type's log σ lies, and its logarithm there.

    Parameters
    ----------
    knots, coefficients, lowest, highest
        As in `type_scales.TypeScales`.
    typical, spread : (n,)
        Mean and standard deviation of log σ before the data.
    looks, zooms, points : int
        Points of a grid while it is zoomed, how often that is done, and points in the end.
    around : float
        Standard deviations of the prior to either side that are looked at first.
    deep : float
        How far below its peak the density is followed.

    Returns
    -------
    (n, D, 2 + points)
        First and last point, then logs of likelihood times prior, without the prior's constant.
    """
    n_types = coefficients.shape[1]
    out = np.empty((len(typical), n_types, 2 + points))
    values = np.empty(looks)
    first, step = knots[0], knots[1] - knots[0]
    for row in range(len(typical)):
        middle, precision = typical[row], 1.0 / spread[row] ** 2
        for kind in range(n_types):
            low = min(middle - around * spread[row], lowest[kind])
            high = max(middle + around * spread[row], highest[kind])
            for _ in range(zooms):
                width = (high - low) / (looks - 1)
                peak = -np.inf
                for look in range(looks):
                    at = low + width * look
                    values[look] = _log_density(first, step, coefficients, kind, at, middle, precision)
                    peak = max(peak, values[look])
                begin, end = 0, looks - 1
                while values[begin] <= peak - deep:
                    begin += 1
                while values[end] <= peak - deep:
                    end -= 1
                high = low + width * min(end + 1, looks - 1)
                low = low + width * max(begin - 1, 0)
            out[row, kind, 0], out[row, kind, 1] = low, high
            width = (high - low) / (points - 1)
            for point in range(points):
                at = low + width * point
                out[row, kind, 2 + point] = _log_density(
                    first, step, coefficients, kind, at, middle, precision
                )
    return out
