"""Compiled loop that puts a trust's effect and its departments' together; `distribution_loops_plain` is its twin."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

import math

import numpy as np

from brightspots.common.compiling import called, compiled


@called
def _cumulants(shape, unit, into):
    """First four cumulants of a unit."""
    mean, variance, third, fourth = into
    for s in range(len(mean)):
        mean[s] = shape[0, unit, s]
    for s in range(len(mean)):
        sd = float(shape[1, unit, s])
        variance[s] = sd * sd
    for s in range(len(mean)):
        third[s] = shape[2, unit, s] * variance[s] * shape[1, unit, s]
    for s in range(len(mean)):
        fourth[s] = shape[3, unit, s] * variance[s] * variance[s]


@called
def _moved_by_trust(v, precision, into):
    """Slope and second derivative of E[u + v] in u, and the slope of v's variance: left, bend and moves."""
    _, variance, third, _ = v
    left, bend, moves = into
    for s in range(len(left)):
        left[s] = variance[s] * precision[s]
    for s in range(len(left)):
        moves[s] = third[s] * precision[s]
    for s in range(len(left)):
        bend[s] = moves[s] * precision[s]


@called
def _add(values, factor, total):
    """Add a multiple of values to a sum."""
    for s in range(len(total)):
        total[s] += factor * values[s]


@called
def _without(total, factor, own, rest, out):
    """A sum over a trust's departments less a department's own term, times the weight of the rest."""
    for s in range(len(out)):
        out[s] = (total[s] - factor * own[s]) * rest


@called
def _put(out, place, cell, cumulants):
    """Write mean, standard deviation, skewness and excess kurtosis, as `leaf.shape_of`."""
    mean, variance, third, fourth = cumulants
    of_mean, of_sd = out[place, cell], out[place + 1, cell]
    skewness, kurtosis = out[place + 2, cell], out[place + 3, cell]
    for s in range(len(mean)):
        of_mean[s] = mean[s]
    for s in range(len(mean)):
        of_sd[s] = math.sqrt(max(variance[s], 1e-12))
    for s in range(len(mean)):
        skewness[s] = min(max(third[s] / (of_sd[s] * of_sd[s] * of_sd[s]), -1.0), 1.0)
    for s in range(len(mean)):
        square = of_sd[s] * of_sd[s]
        kurtosis[s] = min(max(fourth[s] / (square * square), -1.0), 1.5)


@called
def _sum(part, v, kept, rest, u, slope, bend, moves, into):
    """Second to fourth cumulant of part·v − kept·rest + a part that follows u by `slope` and `bend`.

    `part` is 1 or 0. The variance of v moves with u by `moves`.
    """
    _, own_variance, own_third, own_fourth = v
    _, rest_variance, rest_third, rest_fourth = rest
    _, u_variance, u_third, u_fourth = u
    _, variance, third, fourth = into
    for s in range(len(variance)):
        of_u = slope[s] * slope[s] * u_variance[s]
        variance[s] = part * own_variance[s] + kept[s] * kept[s] * rest_variance[s] + of_u
    for s in range(len(variance)):
        squares = slope[s] * bend[s] * u_variance[s] * u_variance[s] + part * moves[s] * u_variance[s]
        third[s] = slope[s] * slope[s] * slope[s] * u_third[s] + 3.0 * slope[s] * squares
    for s in range(len(variance)):
        third[s] += part * own_third[s] - kept[s] * kept[s] * kept[s] * rest_third[s]
    for s in range(len(variance)):
        square, other = slope[s] * slope[s], kept[s] * kept[s]
        fourth[s] = part * own_fourth[s] + other * other * rest_fourth[s] + square * square * u_fourth[s]


@called
def _weights(place, moved, others_moved, u, others, of_v, of_level, follows, rows):
    """How u and the other departments enter a sum: its mean, and `kept`, `slope` and `bend` of `_sum`, into `rows`.

    `place` is that of the sum in the result: u + v, D, the level, and D given the level.
    """
    left, bend, _ = moved
    others_left, others_bend = others_moved
    mean, kept, slope, of_bend = rows
    size = len(mean)
    own, of_rest = (1.0, 0.0) if place == 0 else ((0.0, -1.0) if place == 8 else (1.0, 1.0))
    for s in range(size):
        kept[s] = of_rest
    if place == 12:
        for s in range(size):
            covariance = (left[s] - others_left[s]) * others_left[s] * u[1][s] - others[1][s]
            follows[s] = covariance / max(of_level[s], 1e-24)
        for s in range(size):
            kept[s] = 1.0 + follows[s]
    for s in range(size):
        slope[s] = own * left[s] - kept[s] * others_left[s] if place > 0 else left[s]
    for s in range(size):
        of_bend[s] = own * bend[s] - kept[s] * others_bend[s] if place > 0 else bend[s]
    # D given the level is told at the level's mean, where its mean is that of D.
    from_u = 1.0 if place in (0, 8) else 0.0
    minus = 0.0 if place == 0 else (-1.0 if place == 8 else 1.0)
    for s in range(size):
        at = others[0][s] + 0.5 * others_bend[s] * u[1][s] if place > 0 else 0.0
        mean[s] = from_u * u[0][s] + own * of_v[s] - minus * at


@compiled("f8[:,:,::1](f4[:,:,::1], f4[:,:,::1], f8[:,::1], f8[::1], i8[::1])")
def distributions(trust, department, sd, weight, bounds):
    """Distributions of u + v, D, the level (u + v) − D, and D given the level; see `mixtures.distributions`.

    Parameters
    ----------
    trust, department : (4, trusts, S), (4, cells, S)
        Mean, standard deviation, skewness and excess kurtosis of u, and of v where u is at its mean.
    sd : (cells, S) or (1, S)
        σ_v.
    weight : (cells,)
    bounds : int (trusts + 1,)
        Cells of each trust.

    Returns
    -------
    (19, cells, S)
        Four rows each of u + v, D, the level, and D given the level: mean, standard deviation, skewness, kurtosis. Then
        the slope of D on the level; mean and variance of v. Where a trust has one department, D is not a number.
    """
    _, cells, size = department.shape
    out = np.empty((19, cells, size))
    sums, room, precision = np.zeros((6, size)), np.empty((23, size)), np.empty(size)
    u, v = (room[0], room[1], room[2], room[3]), (room[4], room[5], room[6], room[7])
    moved, others = (room[8], room[9], room[10]), (room[11], room[12], room[13], room[14])
    others_moved, of_level = (room[15], room[16]), room[17]
    mean, variance, kept = room[18], room[19], room[20]
    slope, bend, third, fourth = room[21], room[22], np.empty(size), np.empty(size)
    work, rows = (mean, variance, third, fourth), (mean, kept, slope, bend)
    for unit in range(len(bounds) - 1):
        _cumulants(trust, unit, u)
        sums[:] = 0.0
        total = 0.0
        first, last = bounds[unit], bounds[unit + 1]
        # Once to add up, once to compare: in one loop, so that what both need is compiled once.
        for turn in range(2 * (last - first)):
            cell, adding = first + turn % (last - first), turn < last - first
            w, row = weight[cell], cell if len(sd) > 1 else 0
            for s in range(size):
                precision[s] = 1.0 / max(sd[row, s] * sd[row, s], 1e-24)
            _cumulants(department, cell, v)
            _moved_by_trust(v, precision, moved)
            if adding:
                total += w
                for power in range(4):
                    _add(v[power], w ** (power + 1), sums[power])
                for part in range(2):
                    _add(moved[part], w, sums[4 + part])
                continue
            rest = math.nan if last - first == 1 else 1.0 / (total - w)
            for power in range(4):
                _without(sums[power], w ** (power + 1), v[power], rest ** (power + 1), others[power])
            for part in range(2):
                _without(sums[4 + part], w, moved[part], rest, others_moved[part])
            of_v, of_variance = out[17, cell], out[18, cell]
            for s in range(size):
                others[1][s] = max(others[1][s], 0.0)  # a variance, from which rounding could take
            for s in range(size):
                of_v[s] = v[0][s] + 0.5 * moved[1][s] * u[1][s]
            for s in range(size):
                of_variance[s] = v[1][s] + (moved[0][s] - 1.0) * (moved[0][s] - 1.0) * u[1][s]
            for place in range(0, 16, 4):
                _weights(place, moved, others_moved, u, others, of_v, of_level, out[16, cell], rows)
                # For u + v nothing is taken away: no other department need be there.
                rest_of = v if place == 0 else others
                _sum(0.0 if place == 8 else 1.0, v, kept, rest_of, u, slope, bend, moved[2], work)
                if place == 0:
                    for s in range(size):
                        variance[s] += 0.5 * v[3][s] * precision[s] * precision[s] * u[1][s]
                elif place == 8:
                    for s in range(size):
                        of_level[s] = variance[s]
                _put(out, place, cell, work)
    return out
