"""Compiled loop over leaves whose effects are a mixture of normals, mixed at every draw; see `loops_compiled`."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

import numpy as np

from brightspots.common.compiling import BLOCK, compiled, exp_negative, inlined


@inlined
def log1p_of_share(e):
    """log(1 + e) for 0 ≤ e ≤ 1, to 1e-11: twice the inverse hyperbolic tangent of e/(2 + e), by its series."""
    y = e / (2.0 + e)
    square = y * y
    value = 1.0 / 21.0
    value = value * square + 1.0 / 19.0
    value = value * square + 1.0 / 17.0
    value = value * square + 1.0 / 15.0
    value = value * square + 1.0 / 13.0
    value = value * square + 1.0 / 11.0
    value = value * square + 1.0 / 9.0
    value = value * square + 1.0 / 7.0
    value = value * square + 1.0 / 5.0
    value = value * square + 1.0 / 3.0
    value = value * square + 1.0
    return 2.0 * y * value


@compiled(
    "f8[:,:,::1](f8[:,:,::1], f8[:,:,::1], i8[::1], i8[:,::1], f8[:,::1], f8[:,::1], f8[::1], f8[::1], "
    "f8[:,::1], i8[::1], f8[:,::1], i8[::1], i8[::1])"
)
def sum_mixed_polynomials(
    table, basis, basis_of, nodes, log_weight, hermite, width, reach, rows, row_of, common, common_of, bounds
):
    """Polynomials of leaves under mixtures at every draw, moved by the draw's shift and added over runs of leaves.

    Parameters
    ----------
    table : (L, 3P, J)
        Value, slope·width and curvature·width² of each leaf's log likelihood at P points, one after the other, under
        normal effects with each of J standard deviations.
    basis : (., J', S)
        Interpolation weights of the draws' standard deviations, component after component.
    basis_of : int (L,)
        Which of them each leaf has.
    nodes : int (M, 2)
        For each component of the mixture: its first column of `table`, and how many.
    log_weight : (M, S)
    hermite : (order + 1, 3P)
        From what `table` holds to coefficients in powers of argument/width.
    width, reach : (L,)
    rows, row_of, common, common_of, bounds
        As in `loops_polynomials.sum_polynomials`.

    Returns
    -------
    (order + 1, R, S)
    """
    n_powers, n_values, size = hermite.shape[0], table.shape[1], basis.shape[2]
    out = np.zeros((n_powers, len(bounds) - 1, size))
    work, mixed = np.empty((n_powers, BLOCK)), np.empty((n_values, BLOCK))
    room, distance, share = np.empty((3, BLOCK)), np.empty(BLOCK), np.empty(BLOCK)
    for first in range(0, size, BLOCK):
        stop = min(first + BLOCK, size)
        wide = stop - first
        for run in range(len(bounds) - 1):
            for leaf in range(bounds[run], bounds[run + 1]):
                own = basis_of[leaf]
                for point in range(0, n_values, 3):
                    value, slope, bend = mixed[point], mixed[point + 1], mixed[point + 2]
                    start = 0
                    for component in range(len(nodes)):
                        at, count = nodes[component, 0], nodes[component, 1]
                        for part in range(3):
                            target = room[part] if component else mixed[point + part]
                            factor, column = table[leaf, point + part, at], basis[own, start, first:stop]
                            for s in range(wide):
                                target[s] = factor * column[s]
                            for node in range(1, count):
                                factor = table[leaf, point + part, at + node]
                                column = basis[own, start + node, first:stop]
                                for s in range(wide):
                                    target[s] += factor * column[s]
                        start += count
                        weight = log_weight[component, first:stop]
                        if component == 0:
                            for s in range(wide):
                                value[s] += weight[s]
                            continue
                        other, its_slope, its_bend = room[0], room[1], room[2]
                        for s in range(wide):
                            away = other[s] + weight[s] - value[s]
                            e = exp_negative(-abs(away))
                            more = 0.5 * (away + abs(away))
                            # Of the component, e/(1 + e) where it is the less likely and 1/(1 + e) where the more.
                            share[s] = (e if away < 0.0 else 1.0) / (1.0 + e)
                            value[s] += more + log1p_of_share(e)
                        for s in range(wide):
                            apart = its_slope[s] - slope[s]
                            bend[s] += share[s] * (its_bend[s] - bend[s] + (1.0 - share[s]) * apart * apart)
                        for s in range(wide):
                            slope[s] += share[s] * (its_slope[s] - slope[s])
                inverse, ratio, scale = 1.0 / reach[leaf], reach[leaf] / width[leaf], 1.0
                row, shared = rows[row_of[leaf], first:stop], common[common_of[leaf], first:stop]
                for s in range(wide):
                    distance[s] = (row[s] - shared[s]) * inverse
                for power in range(n_powers):
                    target = work[power]
                    factor, column = hermite[power, 0] * scale, mixed[0]
                    for s in range(wide):
                        target[s] = factor * column[s]
                    for number in range(1, n_values):
                        factor, column = hermite[power, number] * scale, mixed[number]
                        for s in range(wide):
                            target[s] += factor * column[s]
                    scale *= ratio
                for lowest in range(n_powers - 1):
                    for power in range(n_powers - 2, lowest - 1, -1):
                        target, above = work[power], work[power + 1]
                        for s in range(wide):
                            target[s] += distance[s] * above[s]
                for power in range(n_powers):
                    target, total = work[power], out[power, run]
                    for s in range(wide):
                        total[first + s] += target[s]
    return out
