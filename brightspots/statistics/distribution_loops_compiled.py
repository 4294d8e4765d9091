"""Compiled loop that puts a trust's effect and its departments' together; `distribution_loops_plain` is its twin."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

import math

import numpy as np

from brightspots.common.compiling import compiled, inlined


@inlined
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


@inlined
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


@inlined
def _add(values, factor, total):
    """Add a multiple of values to a sum."""
    for s in range(len(total)):
        total[s] += factor * values[s]


@inlined
def _without(total, factor, own, rest, out):
    """A sum over a trust's departments less a department's own term, times the weight of the rest."""
    for s in range(len(out)):
        out[s] = (total[s] - factor * own[s]) * rest


@inlined
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


@inlined
def _sum(own, kept, rest, u, slope, bend, moves, into):
    """Second to fourth cumulant of own − kept·rest + a part that follows u by `slope` and `bend`.

    The variance of what is own moves with u by `moves`.
    """
    _, own_variance, own_third, own_fourth = own
    _, rest_variance, rest_third, rest_fourth = rest
    _, u_variance, u_third, u_fourth = u
    _, variance, third, fourth = into
    for s in range(len(variance)):
        variance[s] = (
            own_variance[s] + kept[s] * kept[s] * rest_variance[s] + slope[s] * slope[s] * u_variance[s]
        )
    for s in range(len(variance)):
        squares = slope[s] * bend[s] * u_variance[s] * u_variance[s] + moves[s] * u_variance[s]
        third[s] = slope[s] * slope[s] * slope[s] * u_third[s] + 3.0 * slope[s] * squares
    for s in range(len(variance)):
        third[s] += own_third[s] - kept[s] * kept[s] * kept[s] * rest_third[s]
    for s in range(len(variance)):
        square, other = slope[s] * slope[s], kept[s] * kept[s]
        fourth[s] = own_fourth[s] + other * other * rest_fourth[s] + square * square * u_fourth[s]


@inlined
def _put_peer(out, cell, u, v, moved, precision, none, work):
    """Write u + v, and the mean and variance of v."""
    (left, bend, moves), (_, variance, _, fourth), u_variance = moved, v, u[1]
    mean, of_v, of_variance = work[0], out[17, cell], out[18, cell]
    for s in range(len(left)):
        of_v[s] = v[0][s] + 0.5 * bend[s] * u_variance[s]
    for s in range(len(left)):
        mean[s] = u[0][s] + of_v[s]
    _sum(v, none, v, u, left, bend, moves, work)
    whole = work[1]
    for s in range(len(left)):
        whole[s] += 0.5 * fourth[s] * precision[s] * precision[s] * u_variance[s]
    _put(out, 0, cell, work)
    for s in range(len(left)):
        of_variance[s] = variance[s] + (left[s] - 1.0) * (left[s] - 1.0) * u_variance[s]


@inlined
def _put_own_and_level(out, cell, u, v, moved, others, others_moved, constants, work, spare):
    """Write D, the level, and D given the level; and how D follows the level."""
    (left, bend, moves), (others_left, others_bend), (none, ones) = moved, others_moved, constants
    mean, slope, of_bend, kept, by_trust = work[0], spare[0], spare[1], spare[2], spare[3]
    follows, of_v, own, u_variance, rest_variance = (
        out[16, cell],
        out[17, cell],
        out[4, cell],
        u[1],
        others[1],
    )
    for s in range(len(mean)):
        slope[s] = left[s] - others_left[s]
    for s in range(len(mean)):
        of_bend[s] = bend[s] - others_bend[s]
    for s in range(len(mean)):
        mean[s] = of_v[s] - others[0][s] - 0.5 * others_bend[s] * u_variance[s]
    _sum(v, ones, others, u, slope, of_bend, moves, work)
    _put(out, 4, cell, work)

    for s in range(len(mean)):
        mean[s] = u[0][s] + others[0][s] + 0.5 * others_bend[s] * u_variance[s]
    _sum(others, none, others, u, others_left, others_bend, none, work)
    _put(out, 8, cell, work)

    of_level = work[1]
    for s in range(len(mean)):
        covariance = slope[s] * others_left[s] * u_variance[s] - rest_variance[s]
        follows[s] = covariance / max(of_level[s], 1e-24)
    for s in range(len(mean)):
        kept[s] = 1.0 + follows[s]
    for s in range(len(mean)):
        by_trust[s] = slope[s] - follows[s] * others_left[s]
    for s in range(len(mean)):
        of_bend[s] = bend[s] - kept[s] * others_bend[s]
    for s in range(len(mean)):
        mean[s] = own[s]
    _sum(v, kept, others, u, by_trust, of_bend, moves, work)
    _put(out, 12, cell, work)


@compiled("f8[:,:,::1](f4[:,:,::1], f4[:,:,::1], f8[::1], f8[::1], i8[::1])")
def distributions(trust, department, sd, weight, bounds):
    """Distributions of u + v, D, the level (u + v) − D, and D given the level; see `mixtures.distributions`.

    Parameters
    ----------
    trust, department : (4, trusts, S), (4, cells, S)
        Mean, standard deviation, skewness and excess kurtosis of u, and of v where u is at its mean.
    sd : (S,)
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
    sums, room, precision = np.zeros((6, size)), np.empty((25, size)), np.empty(size)
    u, v = (room[0], room[1], room[2], room[3]), (room[4], room[5], room[6], room[7])
    moved, others = (room[8], room[9], room[10]), (room[11], room[12], room[13], room[14])
    others_moved, constants = (room[15], room[16]), (np.zeros(size), np.ones(size))
    work, spare = (room[17], room[18], room[19], room[20]), (room[21], room[22], room[23], room[24])
    for s in range(size):
        precision[s] = 1.0 / max(sd[s] * sd[s], 1e-24)
    for unit in range(len(bounds) - 1):
        _cumulants(trust, unit, u)
        sums[:] = 0.0
        total = 0.0
        for cell in range(bounds[unit], bounds[unit + 1]):
            w = weight[cell]
            total += w
            _cumulants(department, cell, v)
            _moved_by_trust(v, precision, moved)
            for power in range(4):
                _add(v[power], w ** (power + 1), sums[power])
            _add(moved[0], w, sums[4])
            _add(moved[1], w, sums[5])
        alone = bounds[unit + 1] - bounds[unit] == 1
        for cell in range(bounds[unit], bounds[unit + 1]):
            w = weight[cell]
            rest = math.nan if alone else 1.0 / (total - w)
            _cumulants(department, cell, v)
            _moved_by_trust(v, precision, moved)
            for power in range(4):
                _without(sums[power], w ** (power + 1), v[power], rest ** (power + 1), others[power])
            _without(sums[4], w, moved[0], rest, others_moved[0])
            _without(sums[5], w, moved[1], rest, others_moved[1])
            for s in range(size):
                others[1][s] = max(others[1][s], 0.0)  # a variance, from which rounding could take
            _put_peer(out, cell, u, v, moved, precision, constants[0], work)
            _put_own_and_level(out, cell, u, v, moved, others, others_moved, constants, work, spare)
    return out
