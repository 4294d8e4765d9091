"""Integrals over the effects of the outermost level, whose log likelihoods are polynomials."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from brightspots.common.arrays import FloatArray, IntArray, log_sum
from brightspots.engine.integration.expansion import Expansion
from brightspots.engine.integration.polynomials import (
    TrustGroup,
    TrustPolynomials,
    integrate_polynomials,
    trust_polynomials,
)

TRUST_NODES = 9
_GRID_POINTS = 61
_FEW_LEAVES = 2


def integrate_trusts(expansion: Expansion, polynomials: TrustPolynomials) -> FloatArray:
    """Log marginal likelihood of each unit of the outermost level at each draw, (units, S)."""
    top = expansion.tree.nodes[0]
    of_group = top.units(polynomials.group.leaves)
    units = np.arange(of_group.start, of_group.stop)
    lone = values_of_lone(expansion, polynomials.group)
    parts = top_parts(
        expansion, units, polynomials.by_node[top.name], polynomials.centre, lone, moments=False
    )
    return log_sum(np.stack([found[0] for found, _ in parts]))


def integrate_top(
    expansion: Expansion, units: IntArray, polynomial: FloatArray, centre: FloatArray
) -> FloatArray:
    """As `integrate_polynomials` over the effects of the outermost level, whatever they are distributed as.

    Parameters
    ----------
    units : (n,)
        Of the outermost level.
    polynomial : (order + 1, n, S)
    centre : (n, S)

    Returns
    -------
    (5, n, S)
        Log integral; mean, variance, third and fourth cumulant of x/σ.
    """
    level = expansion.tree.nodes[0].name
    parts = top_parts(expansion, units, polynomial, centre, {})
    if len(parts) == 1:
        return parts[0][0]
    whole = expansion.tree.sd(level, expansion.draws.scales)
    for found, sd in parts:
        for power in range(1, 5):
            found[power] *= (sd / whole) ** power
    return mix_cumulants(np.stack([found for found, _ in parts]))


def top_parts(
    expansion: Expansion,
    units: IntArray,
    polynomial: FloatArray,
    centre: FloatArray,
    lone: Mapping[int, FloatArray],
    *,
    moments: bool = True,
) -> list[tuple[FloatArray, FloatArray]]:
    """The same for each component of the effects of the outermost level, cumulants being of x/σ of the component.

    Parameters
    ----------
    lone : mapping of unit to (P, S)
        As from `values_of_lone`.
    moments : bool, default True
        False where cumulants are not needed: they may then be NaN.

    Returns
    -------
    list of ((5, n, S), (1, S))
        And σ of the component; its weight is in the log integral.
    """
    tree, level = expansion.tree, expansion.tree.nodes[0].name
    reach, odd = expansion.reach[level][units], expansion.is_odd[units]
    grid = None
    if odd.any():
        grid = _on_grid(polynomial[:, odd])
        for unit, values in lone.items():
            grid[:, np.searchsorted(units[odd], unit)] = values
    parts = []
    for log_weight, sd in tree.components(level, expansion.draws.scales):
        if grid is None:
            found = integrate_polynomials(expansion, polynomial, reach, centre, sd, TRUST_NODES)
        else:
            found = np.empty((5, *centre.shape))
            found[:, odd] = _integrate_on_grid(grid, reach[odd], centre[odd], sd, moments=moments)
            some = np.ascontiguousarray(polynomial[:, ~odd])
            if some.size:
                found[:, ~odd] = integrate_polynomials(
                    expansion, some, reach[~odd], centre[~odd], sd, TRUST_NODES
                )
        found[0] += log_weight
        parts.append((found, sd))
    return parts


def values_of_lone(expansion: Expansion, group: TrustGroup) -> dict[int, FloatArray]:
    """Log likelihood of the effects of odd units with one or two leaves, at the points of `_on_grid`, (P, S) each.

    Where the data tell a leaf's place sharply and effects of leaves are a mixture, no polynomial has both the peak
    where the leaf is a usual one and the shoulders where it is not. One for each component has.
    """
    tree = expansion.tree
    top = tree.nodes[0]
    if expansion.leaf_mixing is None or len(tree.nodes) > 1:
        return {}
    of_group = top.units(group.leaves)
    sizes = np.diff(top.leaves)[of_group]
    found = {}
    for unit in of_group.start + np.flatnonzero(expansion.is_odd[of_group] & (sizes <= _FEW_LEAVES)):
        leaves = slice(int(top.leaves[unit]), int(top.leaves[unit + 1]))
        levels = {level.name: level.units(leaves) for level in tree.of_data}
        alone = TrustGroup(levels["trust"], levels["department"], leaves)
        parts = []
        for log_weight, normal in expansion.of_components:
            of_leaf = trust_polynomials(normal, alone, by_cell=True).cell
            assert of_leaf is not None  # asked for
            parts.append(_on_grid(of_leaf) + log_weight)
        found[int(unit)] = log_sum(np.stack(parts)).sum(axis=1)
    return found


def _on_grid(polynomial: FloatArray) -> FloatArray:
    """Values of polynomials, (order + 1, n, S), at even points on [−1, 1], (P, n, S)."""
    powers = np.vander(np.linspace(-1.0, 1.0, _GRID_POINTS), len(polynomial), increasing=True)
    return np.asarray(powers @ polynomial.reshape(len(polynomial), -1)).reshape(-1, *polynomial.shape[1:])


def _integrate_on_grid(
    values: FloatArray, reach: FloatArray, centre: FloatArray, sd: FloatArray, *, moments: bool
) -> FloatArray:
    """`integrate_polynomials` where densities have shoulders or several peaks: by the trapezoidal rule."""
    points = np.linspace(-1.0, 1.0, len(values))[:, np.newaxis, np.newaxis]
    effect = (centre + points * reach[:, np.newaxis]) / sd
    logs = values - 0.5 * effect**2
    peak = logs.max(axis=0)
    share = np.exp(logs - peak)
    total = share.sum(axis=0)
    step = 2.0 * reach[:, np.newaxis] / (len(values) - 1) / sd
    log_integral = peak + np.log(total * step) - 0.5 * np.log(2.0 * np.pi)
    if not moments:
        return np.stack([log_integral, *np.full((4, *total.shape), np.nan)])
    share /= total
    mean = np.sum(share * effect, axis=0)
    away = effect - mean
    part = share * away**2
    variance = part.sum(axis=0)
    part *= away
    third = part.sum(axis=0)
    fourth = np.sum(part * away, axis=0) - 3.0 * variance**2
    return np.stack([log_integral, mean, variance, third, fourth])


def mix_cumulants(parts: FloatArray) -> FloatArray:
    """Log of the sum and cumulants of a mixture, (5, …), from log weights and cumulants of its parts, (M, 5, …)."""
    total = log_sum(parts[:, 0])
    share = np.exp(parts[:, 0] - total)
    mean = np.sum(share * parts[:, 1], axis=0)
    away, variance, third, fourth = parts[:, 1] - mean, *np.moveaxis(parts[:, 2:], 1, 0)
    whole = np.sum(share * (variance + away**2), axis=0)
    cubes = np.sum(share * (third + 3.0 * away * variance + away**3), axis=0)
    squares = fourth + 3.0 * variance**2 + 4.0 * away * third + 6.0 * away**2 * variance + away**4
    return np.stack([total, mean, whole, cubes, np.sum(share * squares, axis=0) - 3.0 * whole**2])
