"""Marginal log likelihoods of leaves as polynomials, so that thousands of draws cost no quadrature each.

Over the posterior a leaf's marginal log likelihood m(s; σ) is needed only on a short stretch of s and of σ. There it is
the closed form of a normal pseudo-observation plus a small smooth remainder. The remainder is
interpolated: in s by Hermite interpolation on value, slope and curvature (all three come from one quadrature),
in σ by Lagrange interpolation. Given a draw of σ's and border, the polynomials of a trust's leaves are
moved to the draw and added up: the trust's log likelihood becomes one polynomial in u, which is
integrated against N(0, σ_u²) by adaptive quadrature, as is everything else that is one-dimensional.

"Trust" in the names here is a unit of the outermost level.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.data.cells import Cells
from brightspots.engine.integration.expansion import Expansion
from brightspots.engine.integration.leaf import hermite, mix_values
from brightspots.engine.integration.leaf_tables import (
    hermite_basis,
    leaf_tables,
    nodes_for,
    nodes_for_mixtures,
    sum_mixtures,
)
from brightspots.engine.integration.reach import are_long, border_shift_by_top
from brightspots.engine.integration.tree import Link
from brightspots.engine.levels import Level, nested_levels

# Numbers held at once by one trust or group of trusts: some arrays of this many fit a core's cache.
NUMBERS_AT_ONCE = 150_000
# Where no more is asked than a value, a slope and a curvature; and where effects reach far, for they do so to one side.
_NODES_OUT, _NODES_FAR_OUT = 7, 25
# In units of the reach; beyond it a polynomial goes on as a straight line, so that it stays log-concave. One of high
# order is of no use outside the stretch that it was fitted on.
_FURTHEST, _FURTHEST_OF_HIGH_ORDER, _HIGH_ORDER = 1.2, 0.95, 12
# To a mode, and to one that is far from where it is looked for, on the other side of a bend.
_NEWTON_STEPS, _FAR_NEWTON_STEPS = 4, 20
_LEAST_SD = 1e-5


class TrustGroup(NamedTuple):
    """A run of whole units of the outermost level: its trusts, with their cells and leaves."""

    trusts: slice
    cells: slice
    leaves: slice


def trust_groups(cells: Cells, n_draws: int) -> list[TrustGroup]:
    """Runs of whole units of the outermost level, of bounded size; they depend on the data and S alone."""
    top = nested_levels(cells)[0]
    levels = {level.name: level for level in nested_levels(cells)}
    bounds = top.leaves
    at_once = max(NUMBERS_AT_ONCE // n_draws, 1)
    start, groups = 0, []
    while start < top.n_units:
        stop = int(np.searchsorted(bounds, bounds[start] + at_once, side="right")) - 1
        stop = min(max(stop, start + 1), top.n_units)
        leaves = slice(int(bounds[start]), int(bounds[stop]))
        groups.append(TrustGroup(levels["trust"].units(leaves), levels["department"].units(leaves), leaves))
        start = stop
    return groups


def integrate_polynomials(
    expansion: Expansion,
    polynomial: FloatArray,
    reach: FloatArray,
    centre: FloatArray,
    sd: FloatArray,
    nodes: int,
) -> FloatArray:
    """Integrate exp p((x − centre)/reach) over x ~ N(0, sd²).

    Parameters
    ----------
    polynomial : (order + 1, n, S)
    reach : (n,)
    centre : (n, S)
    sd : (n, S) or (1, S)

    Returns
    -------
    (5, n, S)
        Log integral; mean, variance, third and fourth cumulant of x/sd.
    """
    furthest = _FURTHEST if len(polynomial) <= _HIGH_ORDER else _FURTHEST_OF_HIGH_ORDER
    result: FloatArray = expansion.tree.loops.integrate_polynomials(
        polynomial,
        reach,
        np.ascontiguousarray(centre),
        np.ascontiguousarray(sd),
        *hermite(nodes),
        furthest,
        _FAR_NEWTON_STEPS if are_long(expansion.tree, reach).any() else _NEWTON_STEPS,
    )
    return result


def integrate_out(expansion: Expansion, link: Link, polynomial: FloatArray, units: slice) -> FloatArray:
    """Integrate the effects of some units of a node out: a polynomial in the effects above them instead.

    Parameters
    ----------
    link : Link
        The node whose effects are integrated out, and the one above it.
    polynomial : (order + 1, units, S)
        Log likelihood of each unit, in powers of (sum of effects down to the node − centre)/reach, with its own reach.
    units : slice

    Returns
    -------
    (order' + 1, units, S)
        In powers of (sum of effects down to the node above − centre)/reach, with that node's reach.
    """
    level = link.node.name
    reach = expansion.reach[link.outer.name][link.parent[units]]
    own_centre, own_reach = expansion.centre[level][units], expansion.reach[level][units]
    components = expansion.tree.components(level, expansion.draws.scales, units)
    counts, long = _nodes_out(expansion, link, units, reach), are_long(expansion.tree, own_reach)
    found = np.zeros((3 * counts.max(), *polynomial.shape[1:]))
    # In classes, by the number of points that units need and how much is asked of the integrals.
    for count, far in sorted(set(zip(counts.tolist(), long.tolist(), strict=True))):
        some = np.flatnonzero((counts == count) & (long == far))
        points, basis = hermite_basis(count)
        parts = []
        for log_weight, sd in components:
            narrowest = np.maximum(sd if len(sd) == 1 else sd[some], _LEAST_SD)
            part = _out_of_normal(
                expansion, np.ascontiguousarray(polynomial[:, some]), own_reach[some], own_centre[some], narrowest,
                reach[some], points,
            )  # fmt: skip
            part[::3] += log_weight
            parts.append(part)
        values = parts[0] if len(parts) == 1 else mix_values(np.stack(parts))
        found[: len(basis), some] = (basis @ values.reshape(len(basis), -1)).reshape(values.shape)
    return found


def _nodes_out(expansion: Expansion, link: Link, units: slice, reach: FloatArray) -> IntArray:
    """How many points the polynomials of some units in the effects above them take, (units,)."""
    tree, node = expansion.tree, link.node
    scales = expansion.draws.scales
    usual = np.full(len(reach), nodes_for(float(reach.max())))
    if node.name not in scales.mixing:
        return usual
    leaves = slice(int(node.leaves[units.start]), int(node.leaves[units.stop]))
    starts = node.leaves[units] - leaves.start
    known = np.add.reduceat(expansion.information[leaves] / expansion.own_blur[leaves], starts)
    narrowest = tree.sd(node.name, scales.usual().extreme(np.min), units)
    # One fewer than for leaves: slopes and curvatures are of integrals by a few points, and not so sure.
    return np.maximum(usual, nodes_for_mixtures(reach / np.sqrt(narrowest**2 + 1.0 / known)) - 1)


def _out_of_normal(
    expansion: Expansion,
    polynomial: FloatArray,
    own_reach: FloatArray,
    own_centre: FloatArray,
    sd: FloatArray,
    reach: FloatArray,
    points: FloatArray,
) -> FloatArray:
    """Value, slope·reach and curvature·reach² at points of the effects above, normal effects integrated out.

    Returns
    -------
    (3P, units, S)
    """
    rows = []
    nodes = _NODES_FAR_OUT if are_long(expansion.tree, own_reach).any() else _NODES_OUT
    for point in points:
        centre = np.repeat((own_centre - point * reach)[:, np.newaxis], sd.shape[1], axis=1)
        value, mean, variance, _, _ = integrate_polynomials(
            expansion, polynomial, own_reach, centre, sd, nodes
        )
        # Slope and curvature in the effects above are cumulants of the effect (Tweedie's formula; Efron 2011).
        rows += [value, mean / sd * reach[:, np.newaxis], (variance - 1.0) * (reach[:, np.newaxis] / sd) ** 2]
    return np.stack(rows)


@dataclass(frozen=True, eq=False)
class TrustPolynomials:
    """Polynomials of one group of trusts, at every draw.

    Parameters
    ----------
    group : TrustGroup
    centre : (T', S)
        Effect of the outermost level at which the polynomials' argument is 0.
    by_node : mapping of level to (order + 1, units, S)
        Log likelihood of each unit of each node, the effects below it integrated out, in powers of
        (sum of effects down to the node − centre)/reach.
    cell : (order + 1, C', S) or None
        Log likelihood of each cell, its own effect and those below integrated out, in the powers of the node above it.
        None unless departments are a node or it was asked for.
    """

    group: TrustGroup
    centre: FloatArray
    by_node: Mapping[Level, FloatArray]
    cell: FloatArray | None


def trust_polynomials(expansion: Expansion, group: TrustGroup, *, by_cell: bool = False) -> TrustPolynomials:
    """Expand one group of trusts, from the leaves up.

    Leaves are summed over the units of the innermost node, whose effects are integrated out; the results are summed
    over the units of the node above, and so on to the trusts.

    Parameters
    ----------
    by_cell : bool, default False
        Keep the polynomials of cells also where cells are not a node.
    """
    tree, leaves = expansion.tree, group.leaves
    top, innermost = tree.nodes[0], tree.nodes[-1]
    # The mean border of a trust's leaves is taken together with the trust's effect, for the data tell their sum:
    # polynomials then need to reach less far than for either alone.
    mean_shift = border_shift_by_top(tree, expansion.border_shift, expansion.leaf_share, leaves)
    units = top.units(leaves)
    centre = expansion.centre[top.name][units][:, np.newaxis] - mean_shift
    moved = (*border_rows(expansion, leaves), mean_shift, top.of_leaf[leaves] - units.start)
    reach = expansion.reach[innermost.name][innermost.of_leaf[leaves]]
    coarser = innermost.n_units <= tree.cells.n_cells
    cells_apart = by_cell and coarser and all(node.name != "department" for node in tree.nodes)
    bounds = (
        tree.cells.cell_leaves[group.cells.start : group.cells.stop + 1]
        if cells_apart
        else innermost.leaves[innermost.units(leaves).start : innermost.units(leaves).stop + 1]
    )
    runs = bounds - leaves.start
    polynomial: FloatArray
    if expansion.leaf_mixing is not None:
        polynomial = sum_mixtures(expansion, expansion.leaf_mixing, leaves, reach, moved, runs)
    else:
        furthest = tree.loops.largest_shifts(*moved)
        polynomial = tree.loops.sum_polynomials(
            leaf_tables(expansion, leaves, reach, furthest), expansion.scale_basis, expansion.leaf_row[leaves],
            expansion.information[leaves], expansion.slope[leaves],
            np.ascontiguousarray(tree.leaf_variance(expansion.draws.scales, leaves)), reach,
            *moved, runs,
        )  # fmt: skip
    of_cell = None
    if cells_apart:
        of_cell = polynomial
        owner = innermost.of_leaf[bounds[:-1]]
        polynomial = np.add.reduceat(of_cell, np.flatnonzero(np.diff(owner, prepend=-1)), axis=1)
    by_node = {innermost.name: polynomial}
    for link in reversed(tree.links):
        of_unit = integrate_out(expansion, link, polynomial, link.node.units(leaves))
        of_cell = of_unit if link.node.name == "department" else of_cell
        polynomial = np.add.reduceat(of_unit, link.starts(link.outer.units(leaves)), axis=1)
        by_node[link.outer.name] = polynomial
    return TrustPolynomials(group, centre, by_node, of_cell)


def border_rows(expansion: Expansion, leaves: slice) -> tuple[FloatArray, IntArray]:
    """Border of each draw less the centre, as rows (R, S) and the row of each leaf (L,).

    Without covariates leaves of one department type share a row; with them each has its own.
    """
    tree = expansion.tree
    n_fixed, leaf_type = tree.fixed.shape[1], tree.cells.leaf_type[leaves]
    if n_fixed == 1:
        return expansion.type_shift, leaf_type if tree.n_types else np.zeros_like(leaf_type)
    covariates = tree.fixed[leaves, 1:] @ expansion.border_shift[1:n_fixed]
    shared = expansion.type_shift[leaf_type] if tree.n_types else expansion.type_shift
    return covariates + shared, np.arange(len(leaf_type))
