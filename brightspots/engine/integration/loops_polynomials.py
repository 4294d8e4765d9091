"""Compiled loops over polynomials: moved, added up and integrated at every draw; see `loops_compiled`."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

import math

import numpy as np

from brightspots.common.compiling import BLOCK, called, compiled, exp_negative


@compiled("f8[::1](f8[:,::1], i8[::1], f8[:,::1], i8[::1])")
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


@compiled(
    "f8[:,:,::1](f8[:,:,::1], f8[:,:,::1], i8[::1], f8[::1], f8[::1], f8[:,::1], f8[::1], "
    "f8[:,::1], i8[::1], f8[:,::1], i8[::1], i8[::1])"
)
def sum_polynomials(
    table, basis, basis_of, information, slope, variance, reach, rows, row_of, common, common_of, bounds
):
    """Polynomials of leaves at every draw, moved by the draw's shift and added over runs of leaves.

    Parameters
    ----------
    table : (L, order + 1, J)
        Remainder's coefficients at the nodes of the leaf's σ.
    basis : (., J, S)
    basis_of : int (L,)
        Which of them each leaf has.
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
    n_powers, n_nodes, size = table.shape[1], table.shape[2], basis.shape[2]
    out = np.zeros((n_powers, len(bounds) - 1, size))
    work = np.empty((n_powers, BLOCK))
    product, distance = np.empty(BLOCK), np.empty(BLOCK)
    # Each row gets a name of its own outside the inner loop: only then does the compiler see that the arrays read and
    # written do not overlap, and vectorise it.
    for first in range(0, size, BLOCK):
        width = min(BLOCK, size - first)
        for run in range(len(bounds) - 1):
            product[:] = 1.0
            for leaf in range(bounds[run], bounds[run + 1]):
                row, shared = (
                    rows[row_of[leaf], first : first + width],
                    common[common_of[leaf], first : first + width],
                )
                inverse, own = 1.0 / reach[leaf], basis_of[leaf]
                for s in range(width):
                    distance[s] = (row[s] - shared[s]) * inverse
                for power in range(n_powers):
                    row = work[power]
                    factor, column = table[leaf, power, 0], basis[own, 0, first : first + width]
                    for s in range(width):
                        row[s] = factor * column[s]
                    for node in range(1, n_nodes):
                        factor = table[leaf, power, node]
                        column = basis[own, node, first : first + width]
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


@called
def _modes(polynomial, row, first, scale, shift, furthest, newton_steps, mode, bend, x, slope, half):
    """Find the modes of a block of integrands, and minus the curvature of their logarithms there.

    Parameters
    ----------
    polynomial : (order + 1, n, S)
    row, first : int
        The block's row, and its first draw.
    scale, shift : (block,)
        The polynomial's argument is scale·z − shift.
    mode : (block,)
        Where to start; holds the modes afterwards.
    bend : (block,)
        Is filled.
    x, slope, half : (block,)
        Are written to on the way.
    """
    size = len(scale)
    for step in range(newton_steps + 1):
        for s in range(size):
            x[s] = min(max(scale[s] * mode[s] - shift[s], -furthest), furthest)
        for s in range(size):
            slope[s] = 0.0
        for s in range(size):
            half[s] = 0.0
        for power in range(len(polynomial) - 1, 1, -1):
            coefficient = polynomial[power, row, first : first + size]
            once, twice = float(power), float(power * (power - 1))
            for s in range(size):
                slope[s] = slope[s] * x[s] + once * coefficient[s]
            for s in range(size):
                half[s] = half[s] * x[s] + twice * coefficient[s]
        coefficient = polynomial[1, row, first : first + size]
        for s in range(size):
            slope[s] = slope[s] * x[s] + coefficient[s]
        for s in range(size):
            bend[s] = 1.0 - scale[s] * scale[s] * min(half[s], 0.0)
        for s in range(size):
            half[s] = min(max((scale[s] * slope[s] - mode[s]) / bend[s], -8.0), 8.0)
        moving = 0.0
        for s in range(size):
            move = half[s]
            far = abs(move) > 1e-3 * (1.0 + abs(mode[s])) or move * move * bend[s] > 1e-4
            moving += 1.0 if far else 0.0
        if step == newton_steps:
            break
        for s in range(size):
            mode[s] += half[s]
        if moving == 0.0:
            break


@called
def _values(polynomial, row, first, x, value):
    """Polynomials of a block at x, into `value`, by Horner's scheme."""
    size = len(x)
    for s in range(size):
        value[s] = 0.0
    for power in range(len(polynomial) - 1, -1, -1):
        coefficient = polynomial[power, row, first : first + size]
        for s in range(size):
            value[s] = value[s] * x[s] + coefficient[s]


@called
def _add_tangents(polynomial, row, first, x, wanted, value, slope):
    """Go on from x to the wanted argument by the polynomials' tangents."""
    size = len(x)
    for s in range(size):
        slope[s] = 0.0
    for power in range(len(polynomial) - 1, 0, -1):
        coefficient = polynomial[power, row, first : first + size]
        once = float(power)
        for s in range(size):
            slope[s] = slope[s] * x[s] + once * coefficient[s]
    for s in range(size):
        value[s] += slope[s] * (wanted[s] - x[s])


@called
def _cumulants(out, row, first, weights, points, mode, width, total, moments):
    """Cumulants of z = mode + width·t, from weights (nodes, BLOCK) of the points t of a quadrature, into `out`.

    Parameters
    ----------
    out : (5, n, S)
        Its rows 1 to 4 are filled.
    mode, width : (block,)
    total : (block,)
        Is filled with the sum of the weights.
    moments : (4, BLOCK)
        Are written to on the way.
    """
    size = len(total)
    for s in range(size):
        total[s] = 0.0
    for power in range(4):
        moment = moments[power, :size]
        for s in range(size):
            moment[s] = 0.0
    for node in range(len(points)):
        weight, factor = weights[node, :size], 1.0
        for s in range(size):
            total[s] += weight[s]
        for power in range(4):
            factor *= points[node]
            moment = moments[power, :size]
            for s in range(size):
                moment[s] += factor * weight[s]
    one, two, three, four = moments[0, :size], moments[1, :size], moments[2, :size], moments[3, :size]
    for power in range(4):
        moment = moments[power, :size]
        for s in range(size):
            moment[s] /= total[s]
    stop = first + size
    mean, variance = out[1, row, first:stop], out[2, row, first:stop]
    third, fourth = out[3, row, first:stop], out[4, row, first:stop]
    for s in range(size):
        mean[s] = mode[s] + width[s] * one[s]
    for s in range(size):
        variance[s] = width[s] * width[s] * (two[s] - one[s] * one[s])
    for s in range(size):
        away = three[s] - 3.0 * one[s] * two[s] + 2.0 * one[s] * one[s] * one[s]
        third[s] = width[s] * width[s] * width[s] * away
    for s in range(size):
        square = one[s] * one[s]
        away = four[s] - 4.0 * one[s] * three[s] + 6.0 * square * two[s] - 3.0 * square * square
        fourth[s] = width[s] * width[s] * width[s] * width[s] * away - 3.0 * variance[s] * variance[s]


@compiled("f8[:,:,::1](f8[:,:,::1], f8[::1], f8[:,::1], f8[:,::1], f8[::1], f8[::1], f8, i8)")
def integrate_polynomials(polynomial, reach, centre, sd, points, log_weights, furthest, newton_steps):
    """Integrate exp p((σz − centre)/reach) over a standard normal z.

    Beyond ±`furthest` a polynomial goes on along its tangent.

    Returns
    -------
    (5, n, S)
        Log integral, and mean, variance, third and fourth cumulant of z.
    """
    _, rows, draws = polynomial.shape
    n_nodes, outermost = len(points), abs(points[0])
    out = np.empty((5, rows, draws))
    # Room for a block of draws.
    room = np.empty((10, BLOCK))
    moments, weights = np.empty((4, BLOCK)), np.empty((n_nodes, BLOCK))
    for row in range(rows):
        unit, of_sd = 1.0 / reach[row], row if len(sd) > 1 else 0
        for first in range(0, draws, BLOCK):
            size = min(BLOCK, draws - first)
            spread, middle = sd[of_sd, first : first + size], centre[row, first : first + size]
            mode, scale, shift, width = room[0, :size], room[1, :size], room[2, :size], room[3, :size]
            x, value, slope, half = room[4, :size], room[5, :size], room[6, :size], room[7, :size]
            peak, total = room[8, :size], room[9, :size]
            for s in range(size):
                scale[s] = spread[s] * unit
            for s in range(size):
                shift[s] = middle[s] * unit
            for s in range(size):
                mode[s] = min(max(middle[s] / max(spread[s], 1e-300), -3.0), 3.0)
            _modes(polynomial, row, first, scale, shift, furthest, newton_steps, mode, width, x, slope, half)
            outside = 0.0
            for s in range(size):
                width[s] = 1.0 / math.sqrt(width[s])
                reached = abs(scale[s] * mode[s] - shift[s]) + scale[s] * width[s] * outermost
                outside += 1.0 if reached > furthest else 0.0
                peak[s] = -1e300
            for node in range(n_nodes):
                point, log_weight, of_node = points[node], log_weights[node], weights[node, :size]
                for s in range(size):
                    half[s] = scale[s] * (mode[s] + width[s] * point) - shift[s]
                for s in range(size):
                    x[s] = min(max(half[s], -furthest), furthest)
                _values(polynomial, row, first, x, value)
                if outside > 0.0:
                    _add_tangents(polynomial, row, first, x, half, value, slope)
                for s in range(size):
                    z = mode[s] + width[s] * point
                    of_node[s] = value[s] + log_weight - 0.5 * z * z
                for s in range(size):
                    peak[s] = max(peak[s], of_node[s])
            for node in range(n_nodes):
                of_node = weights[node, :size]
                for s in range(size):
                    of_node[s] = exp_negative(of_node[s] - peak[s])
            _cumulants(out, row, first, weights, points, mode, width, total, moments)
            log_integral = out[0, row, first : first + size]
            for s in range(size):
                log_integral[s] = peak[s] + math.log(total[s] * width[s])
    return out


@compiled("f8[:,:,::1](f8[:,:,::1], f8[::1], f8[:,::1], f8[:,::1], f8[:,::1])")
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
    work = np.empty((n_powers, BLOCK))
    distance = np.empty(BLOCK)
    for row in range(rows):
        unit, own_sd = 1.0 / reach[row], sd[row if len(sd) > 1 else 0]
        for first in range(0, size, BLOCK):
            width = min(BLOCK, size - first)
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
