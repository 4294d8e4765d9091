"""The loops in which a fit spends its time, compiled.

Each has a twin in plain NumPy (`loops_plain.py`), which small tables use so as not to wait for a
compiler; tests hold the two to the same numbers. Compiled code is kept on disk, so a machine compiles once.
The loops release the interpreter's lock: callers spread groups of trusts over threads.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np

Function = TypeVar("Function", bound=Callable[..., Any])

# Draws worked on together: the coefficients of so many stay in a core's innermost cache.
_BLOCK = 192


def _compiled(signature: str) -> Callable[[Function], Function]:
    def decorate(function: Function) -> Function:
        options: dict[str, Any] = {"nogil": True, "fastmath": {"contract", "reassoc", "nsz", "arcp"}}
        try:
            compiled: Function = numba.njit(signature, cache=True, **options)(function)
        except RuntimeError:
            # Nowhere to keep compiled code (a read-only home): compile for this process alone.
            compiled = numba.njit(signature, **options)(function)
        return compiled

    return decorate


# Parts of the loops below, put into them before these are compiled: calls would cost a tenth.
_inlined = numba.njit(inline="always")


@_inlined
def _moments(family, size, predictor):
    """Mean and variance of a count."""
    if family == 0:
        mean = math.exp(min(predictor, 300.0))
        return mean, mean
    small = math.exp(-abs(predictor))
    share = (1.0 if predictor > 0.0 else small) / (1.0 + small)
    mean = size * share
    return mean, mean * (1.0 - share)


@_inlined
def _log_density(family, count, size, predictor):
    """Log likelihood of a count without its constant, and mean and variance of counts."""
    mean, variance = _moments(family, size, predictor)
    if family == 0:
        return count * predictor - mean, mean, variance
    log_total = max(predictor, 0.0) + math.log1p(math.exp(-abs(predictor)))
    return count * predictor - size * log_total, mean, variance


@_inlined
def _guess(family, count, size):
    """Predictor at which a count is about what is expected, and its information there."""
    if family == 0:
        return math.log(count + 0.5), count + 0.5
    share = (count + 0.5) / (size + 1.0)
    return math.log(share) - math.log1p(-share), size * share * (1.0 - share)


@_inlined
def _leaf_mode(family, count, size, guess, information, centre, spread):
    """Mode of a leaf's standardised effect, and the width of a normal that fits there."""
    mode = spread * information * (guess - centre) / (1.0 + spread * spread * information)
    bend = 1.0
    for step in range(5):
        mean, variance = _moments(family, size, centre + spread * mode)
        bend = 1.0 + spread * spread * variance
        move = (spread * (count - mean) - mode) / bend
        if step == 4 or abs(move) * math.sqrt(bend) < 1e-3:
            break
        mode += min(max(move, -8.0), 8.0)
    return mode, 1.0 / math.sqrt(bend)


@_compiled("f8[:,:,::1](i8, f8[::1], f8[::1], f8[:,::1], f8[:,::1], f8[::1], f8[::1])")
def leaf_marginals(family, count, size, predictor, sd, points, log_weights):
    """Log marginal likelihood of exact counts, and its derivatives, as `leaf.integrate_leaf` defines them.

    Parameters
    ----------
    family : int
        Number of the family: its attribute `loop`.
    count, size : (L,)
    predictor : (L, M)
    sd : (L, M) or (1, M)
        Of the leaf effect; may be 0.
    points, log_weights : (nodes,)
        Symmetric about 0, as from `leaf.hermite`.

    Returns
    -------
    (4, L, M)
        Value, slope, curvature, and variance of the standardised effect.
    """
    leaves, width_of = predictor.shape
    n_nodes = len(points)
    out = np.empty((4, leaves, width_of))
    effect, log = np.empty(n_nodes), np.empty(n_nodes)
    means, variances = np.empty(n_nodes), np.empty(n_nodes)
    for leaf in range(leaves):
        y, n = count[leaf], size[leaf]
        guess, information = _guess(family, y, n)
        own_sd = sd[leaf if len(sd) > 1 else 0]
        for column in range(width_of):
            centre, spread = predictor[leaf, column], own_sd[column]
            mode, width = _leaf_mode(family, y, n, guess, information, centre, spread)
            peak = -1e300
            for node in range(n_nodes):
                z = mode + width * points[node]
                value, means[node], variances[node] = _log_density(family, y, n, centre + spread * z)
                effect[node] = z
                log[node] = value - 0.5 * z * z + log_weights[node]
                peak = max(peak, log[node])
            total, mean, mean_effect, mean_variance = 0.0, 0.0, 0.0, 0.0
            for node in range(n_nodes):
                weight = math.exp(log[node] - peak)
                log[node] = weight
                total += weight
                mean += weight * means[node]
                mean_effect += weight * effect[node]
                mean_variance += weight * variances[node]
            mean /= total
            mean_effect /= total
            scatter, moment = 0.0, 0.0
            for node in range(n_nodes):
                scatter += log[node] * (means[node] - mean) ** 2
                moment += log[node] * (effect[node] - mean_effect) ** 2
            moment /= total
            out[0, leaf, column] = peak + math.log(total * width)
            out[1, leaf, column] = y - mean
            if moment < 0.5:
                out[2, leaf, column] = (moment - 1.0) / (spread * spread)
            else:
                out[2, leaf, column] = min((scatter - mean_variance) / total, 0.0)
            out[3, leaf, column] = moment
    return out


@_compiled("f8[::1](f8[:,::1], i8[::1], f8[:,::1], i8[::1])")
def largest_shifts(rows, row_of, common, common_of):
    """Largest absolute shift of each leaf over the draws, (L,); arguments as in `sum_polynomials`."""
    size = rows.shape[1]
    out = np.zeros(len(row_of))
    for leaf in range(len(row_of)):
        row, shared = rows[row_of[leaf]], common[common_of[leaf]]
        most = 0.0
        for s in range(size):
            most = max(most, abs(row[s] - shared[s]))
        out[leaf] = most
    return out


@_compiled(
    "f8[:,:,::1](f8[:,:,::1], f8[:,::1], f8[::1], f8[::1], f8[:,::1], f8[::1], "
    "f8[:,::1], i8[::1], f8[:,::1], i8[::1], i8[::1])"
)
def sum_polynomials(
    table, basis, information, slope, variance, reach, rows, row_of, common, common_of, bounds
):
    """Polynomials of leaves at every draw, moved by the draw's shift and added over runs of leaves.

    Parameters
    ----------
    table : (L, order + 1, J)
        Remainder's coefficients at the nodes of the leaf's σ.
    basis : (J, S)
    information, slope, reach : (L,)
    variance : (L, S) or (1, S)
        Of the leaf effect.
    rows, common : (., S)
        A leaf's shift is a row of the one less a row of the other.
    row_of, common_of : int (L,)
    bounds : (R + 1,)
        Runs of leaves.

    Returns
    -------
    (order + 1, R, S)
    """
    n_powers, n_nodes, size = table.shape[1], table.shape[2], basis.shape[1]
    out = np.zeros((n_powers, len(bounds) - 1, size))
    work = np.empty((n_powers, _BLOCK))
    product, distance = np.empty(_BLOCK), np.empty(_BLOCK)
    # Each row gets a name of its own outside the inner loop: only then does the compiler see that the arrays read and
    # written do not overlap, and vectorise it.
    for first in range(0, size, _BLOCK):
        width = min(_BLOCK, size - first)
        for run in range(len(bounds) - 1):
            product[:] = 1.0
            for leaf in range(bounds[run], bounds[run + 1]):
                row, shared = (
                    rows[row_of[leaf], first : first + width],
                    common[common_of[leaf], first : first + width],
                )
                inverse = 1.0 / reach[leaf]
                for s in range(width):
                    distance[s] = (row[s] - shared[s]) * inverse
                for power in range(n_powers):
                    row = work[power]
                    factor, column = table[leaf, power, 0], basis[0, first : first + width]
                    for s in range(width):
                        row[s] = factor * column[s]
                    for node in range(1, n_nodes):
                        factor, column = table[leaf, power, node], basis[node, first : first + width]
                        for s in range(width):
                            row[s] += factor * column[s]
                raw, tilt, unit = information[leaf], slope[leaf], reach[leaf]
                spread = variance[leaf if len(variance) > 1 else 0, first : first + width]
                constant, linear, square = work[0], work[1], work[2]
                for s in range(width):
                    inflated = 1.0 + raw * spread[s]
                    shrink = 1.0 / inflated
                    product[s] *= inflated
                    constant[s] += 0.5 * spread[s] * shrink * tilt * tilt
                    linear[s] += shrink * tilt * unit
                    square[s] -= 0.5 * shrink * raw * unit * unit
                if (leaf - bounds[run]) % 8 == 7 or leaf == bounds[run + 1] - 1:
                    # One logarithm for a few leaves; eight factors cannot overflow.
                    for s in range(width):
                        constant[s] -= 0.5 * math.log(product[s])
                        product[s] = 1.0
                for lowest in range(n_powers - 1):
                    for power in range(n_powers - 2, lowest - 1, -1):
                        row, above = work[power], work[power + 1]
                        for s in range(width):
                            row[s] += distance[s] * above[s]
                for power in range(n_powers):
                    row, total = work[power], out[power, run]
                    for s in range(width):
                        total[first + s] += row[s]
    return out


@_inlined
def _polynomial(coefficient, x):
    """Value, slope and half the second derivative at x, by Horner's scheme."""
    value, slope, half = 0.0, 0.0, 0.0
    for power in range(len(coefficient) - 1, -1, -1):
        half = half * x + slope
        slope = slope * x + value
        value = value * x + coefficient[power]
    return value, slope, half


@_inlined
def _polynomial_within(coefficient, x, furthest):
    """Value at x, by the tangent beyond ±furthest."""
    if abs(x) > furthest:
        edge = math.copysign(furthest, x)
        value, slope, _ = _polynomial(coefficient, edge)
        return value + slope * (x - edge)
    value = 0.0
    for power in range(len(coefficient) - 1, -1, -1):
        value = value * x + coefficient[power]
    return value


@_inlined
def _polynomial_mode(coefficient, unit, middle, spread, furthest, newton_steps):
    """Mode of the integrand of `integrate_polynomials`, and the width of a normal that fits there."""
    mode = min(max(middle / max(spread, 1e-300), -3.0), 3.0)
    bend = 1.0
    for step in range(newton_steps + 1):
        x = min(max((spread * mode - middle) * unit, -furthest), furthest)
        _, slope, half = _polynomial(coefficient, x)
        bend = 1.0 - spread * spread * min(2.0 * half, 0.0) * unit * unit
        if step == newton_steps:
            break
        move = (spread * slope * unit - mode) / bend
        mode += min(max(move, -8.0), 8.0)
        if abs(move) < 1e-3 * (1.0 + abs(mode)) and abs(move) * math.sqrt(bend) < 1e-2:
            break
    return mode, 1.0 / math.sqrt(bend)


@_compiled("f8[:,:,::1](f8[:,:,::1], f8[::1], f8[:,::1], f8[:,::1], f8[::1], f8[::1], f8, i8)")
def integrate_polynomials(polynomial, reach, centre, sd, points, log_weights, furthest, newton_steps):
    """Integrate exp p((σz − centre)/reach) over a standard normal z.

    Returns
    -------
    (5, n, S)
        Log integral, and mean, variance, third and fourth cumulant of z.
    """
    n_powers, rows, size = polynomial.shape
    n_nodes = len(points)
    out = np.empty((5, rows, size))
    coefficient = np.empty(n_powers)
    effect = np.empty(n_nodes)
    log = np.empty(n_nodes)
    for row in range(rows):
        unit, own_sd = 1.0 / reach[row], sd[row if len(sd) > 1 else 0]
        for s in range(size):
            spread, middle = own_sd[s], centre[row, s]
            for power in range(n_powers):
                coefficient[power] = polynomial[power, row, s]
            mode, width = _polynomial_mode(coefficient, unit, middle, spread, furthest, newton_steps)
            peak = -1e300
            for node in range(n_nodes):
                z = mode + width * points[node]
                value = _polynomial_within(coefficient, (spread * z - middle) * unit, furthest)
                effect[node] = z
                log[node] = value - 0.5 * z * z + log_weights[node]
                peak = max(peak, log[node])
            total, mean = 0.0, 0.0
            for node in range(n_nodes):
                log[node] = math.exp(log[node] - peak)
                total += log[node]
                mean += log[node] * effect[node]
            mean /= total
            second, third, fourth = 0.0, 0.0, 0.0
            for node in range(n_nodes):
                away = effect[node] - mean
                part = log[node] * away * away
                second += part
                third += part * away
                fourth += part * away * away
            second /= total
            out[0, row, s] = peak + math.log(total * width)
            out[1, row, s] = mean
            out[2, row, s] = second
            out[3, row, s] = third / total
            out[4, row, s] = fourth / total - 3.0 * second * second
    return out


@_compiled("f8[:,:,::1](f8[:,:,::1], f8[::1], f8[:,::1], f8[:,::1], f8[:,::1])")
def leaf_effects(polynomial, reach, away, sd, scores):
    """Draw leaf effects given those above: cumulants from the polynomial's derivatives, then quantiles.

    Parameters
    ----------
    polynomial : (order + 1, n, S)
    reach : (n,)
    away : (n, S)
        Sum of the effects above less its centre.
    sd : (n, S) or (1, S)
    scores : (n, S)

    Returns
    -------
    (5, n, S)
        Drawn effects; mean, standard deviation, skewness and excess kurtosis of what they are drawn from.
    """
    n_powers, rows, size = polynomial.shape
    out = np.empty((5, rows, size))
    work = np.empty((n_powers, _BLOCK))
    distance = np.empty(_BLOCK)
    for row in range(rows):
        unit, own_sd = 1.0 / reach[row], sd[row if len(sd) > 1 else 0]
        for first in range(0, size, _BLOCK):
            width = min(_BLOCK, size - first)
            for s in range(width):
                distance[s] = away[row, first + s] * unit
            for power in range(n_powers):
                target, source = work[power], polynomial[power, row]
                for s in range(width):
                    target[s] = source[first + s]
            for lowest in range(min(5, n_powers - 1)):
                for power in range(n_powers - 2, lowest - 1, -1):
                    target, above = work[power], work[power + 1]
                    for s in range(width):
                        target[s] += distance[s] * above[s]
            for s in range(width):
                spread = own_sd[first + s]
                scale = spread * unit
                variance = max(1.0 + 2.0 * work[2, s] * scale**2, 1e-12)
                root = math.sqrt(variance)
                skewness = 6.0 * work[3, s] * scale**3 / (variance * root)
                skewness = min(max(skewness, -1.0), 1.0)
                kurtosis = 24.0 * work[4, s] * scale**4 / (variance * variance)
                kurtosis = min(max(kurtosis, -1.0), 1.5)
                z = scores[row, first + s]
                square = z * z
                corrected = (
                    z
                    + skewness * (square - 1.0) / 6.0
                    + kurtosis * z * (square - 3.0) / 24.0
                    - skewness * skewness * z * (2.0 * square - 5.0) / 36.0
                )
                at = first + s
                out[0, row, at] = spread * (work[1, s] * scale + root * corrected)
                out[1, row, at] = spread * work[1, s] * scale
                out[2, row, at] = spread * root
                out[3, row, at] = skewness
                out[4, row, at] = kurtosis
    return out
