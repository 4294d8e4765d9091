"""Marginal log likelihoods of leaves as polynomials, so that thousands of draws cost no quadrature each.

Over the posterior a leaf's marginal log likelihood m(s; σ) is needed only on a short stretch of s and of σ. There it is
the closed form of a normal pseudo-observation plus a small smooth remainder. The remainder is
interpolated: in s by Hermite interpolation on value, slope and curvature (all three come from one quadrature),
in σ by Lagrange interpolation. Given a draw of σ's and border, the polynomials of a trust's leaves are
moved to the draw and added up: the trust's log likelihood becomes one polynomial in u, which is
integrated against N(0, σ_u²) by adaptive quadrature, as is everything else that is one-dimensional.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from brightspots.data.cells import Cells, FloatArray, IntArray
from brightspots.engine.integration.expansion import Expansion, trust_shift
from brightspots.engine.integration.leaf import hermite, leaf_marginals
from brightspots.engine.integration.tree import MIDDLE_NODES
from brightspots.likelihood.outcomes import Outcomes

# Numbers held at once by one trust or group of trusts: some arrays of this many fit a core's cache.
NUMBERS_AT_ONCE = 150_000
TRUST_NODES = 9
# In units of the reach; beyond it a polynomial goes on as a straight line, so that it stays log-concave. One of high
# order is of no use outside the stretch that it was fitted on.
_FURTHEST, _FURTHEST_OF_HIGH_ORDER, _HIGH_ORDER = 1.2, 0.95, 12
_NEWTON_STEPS = 4
_LEAST_MIDDLE_SD = 1e-5


@cache
def hermite_basis(nodes: int) -> tuple[FloatArray, FloatArray]:
    """Nodes on (−1, 1) and the matrix from (value, slope, curvature) at them to 3·nodes monomial coefficients."""
    points = np.cos(np.pi * (np.arange(nodes) + 0.5) / nodes)
    powers = np.arange(3 * nodes)
    rows = []
    for point in points:
        for order in range(3):
            falling = np.prod([powers - i for i in range(order)], axis=0) if order else np.ones(3 * nodes)
            rows.append(falling * point ** np.maximum(powers - order, 0))
    return points, np.linalg.inv(np.array(rows))


def nodes_for(reach: float) -> int:
    """Hermite nodes that make the error of exp on ±reach about 1e-4 or less."""
    for count, furthest in enumerate((0.8, 1.8, 2.8, 4.4, 5.8, 7.2), start=2):
        if reach <= furthest:
            return count
    return 8


def trust_groups(cells: Cells, n_draws: int) -> list[tuple[slice, slice, slice]]:
    """Runs of whole trusts of bounded size, with their cells and leaves; they depend on the data and S alone."""
    bounds = cells.cell_leaves[cells.trust_cells]
    at_once = max(NUMBERS_AT_ONCE // n_draws, 1)
    start, groups = 0, []
    while start < cells.n_trusts:
        stop = int(np.searchsorted(bounds, bounds[start] + at_once, side="right")) - 1
        stop = min(max(stop, start + 1), cells.n_trusts)
        groups.append((
            slice(start, stop),
            slice(int(cells.trust_cells[start]), int(cells.trust_cells[stop])),
            slice(int(bounds[start]), int(bounds[stop])),
        ))  # fmt: skip
        start = stop
    return groups


def leaf_tables(expansion: Expansion, leaves: slice, reach: FloatArray, shift: FloatArray) -> FloatArray:
    """Coefficients, at each node of the leaf's σ, of the exact log likelihood less the pseudo-observation's.

    Parameters
    ----------
    leaves : slice
    reach : (L,)
        Unit of the argument, common to the leaves that will be added.
    shift : (L,)
        Furthest that any draw's border lies from the border's centre, at each leaf.

    Returns
    -------
    (L, order + 1, J)
        Coefficients of powers of (border + u + v − centre)/reach.
    """
    tree, sds = expansion.tree, expansion.leaf_sds
    cells = tree.cells
    centre = (
        tree.predictor(expansion.border)[leaves]
        + expansion.trust[cells.leaf_trust[leaves]]
        + expansion.cell[cells.leaf_cell[leaves]]
    )
    width = reach + shift
    points, basis = hermite_basis(nodes_for(float(width.max())))
    # Everything here is (L, nodes of s, nodes of σ).
    step = width[:, np.newaxis, np.newaxis] * points[:, np.newaxis]
    predictor = np.repeat(centre[:, np.newaxis, np.newaxis] + step, len(sds), axis=2)
    exact = leaf_marginals(Outcomes.of(cells, leaves), predictor, sds, tree.loops)
    raw, tilt = (
        values[leaves, np.newaxis, np.newaxis] for values in (expansion.information, expansion.slope)
    )
    shrink = 1.0 / (1.0 + raw * sds**2)
    here = tilt - raw * step
    value = tilt * step - 0.5 * raw * step**2 + 0.5 * sds**2 * shrink * here**2 + 0.5 * np.log(shrink)
    unit = width[:, np.newaxis, np.newaxis]
    remainder = np.stack(
        [
            exact.value - value,
            (exact.slope - shrink * here) * unit,
            (exact.curvature + shrink * raw) * unit**2,
        ],
        axis=2,
    )
    coefficients = basis @ remainder.reshape(len(width), -1, len(sds))
    ratio = (reach / width)[:, np.newaxis] ** np.arange(len(basis))
    return np.ascontiguousarray(coefficients * ratio[:, :, np.newaxis])


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
    sd : (S,)

    Returns
    -------
    (5, n, S)
        Log integral; mean, variance, third and fourth cumulant of x/sd.
    """
    furthest = _FURTHEST if len(polynomial) <= _HIGH_ORDER else _FURTHEST_OF_HIGH_ORDER
    result: FloatArray = expansion.tree.loops.integrate_polynomials(
        polynomial, reach, np.ascontiguousarray(centre), sd, *hermite(nodes), furthest, _NEWTON_STEPS
    )
    return result


def cell_polynomials(expansion: Expansion, polynomial: FloatArray, cells: slice) -> FloatArray:
    """Integrate the middle effects out: log likelihood of each cell as a polynomial in its trust's effect.

    Parameters
    ----------
    polynomial : (order + 1, C', S)
        Sum over a cell's leaves, in powers of (u + v − centre)/cell_reach.

    Returns
    -------
    (order' + 1, C', S)
        In powers of (u − centre)/trust_reach.
    """
    reach = expansion.trust_reach[expansion.tree.cells.cell_trust[cells]]
    sd = np.maximum(expansion.draws.scales.middle, _LEAST_MIDDLE_SD)
    points, basis = hermite_basis(max(nodes_for(float(reach.max())), 3))
    rows = []
    for point in points:
        centre = np.repeat((expansion.cell[cells] - point * reach)[:, np.newaxis], len(sd), axis=1)
        value, mean, variance, _, _ = integrate_polynomials(
            expansion, polynomial, expansion.cell_reach[cells], centre, sd, MIDDLE_NODES
        )
        # Slope and curvature in u are cumulants of v (Tweedie).
        rows += [value, mean / sd * reach[:, np.newaxis], (variance - 1.0) * (reach[:, np.newaxis] / sd) ** 2]
    values = np.stack(rows)
    return np.asarray((basis @ values.reshape(len(rows), -1)).reshape(values.shape))


@dataclass(frozen=True, eq=False)
class TrustPolynomials:
    """Polynomials of one group of trusts, at every draw.

    Parameters
    ----------
    trusts, cells, leaves : slice
    centre : (T', S)
        Value of u at which the polynomials' argument is 0.
    trust : (order + 1, T', S)
        Log likelihood of each trust in powers of (u − centre)/trust_reach.
    cell : (order + 1, C', S) or None
        Contribution of each cell, the same powers, where asked for.
    inner : (order + 1, C', S) or None
        With a middle level: a cell's log likelihood in powers of (u + v − centre)/cell_reach.
    """

    trusts: slice
    cells: slice
    leaves: slice
    centre: FloatArray
    trust: FloatArray
    cell: FloatArray | None
    inner: FloatArray | None


def trust_polynomials(
    expansion: Expansion, group: tuple[slice, slice, slice], *, by_cell: bool = False
) -> TrustPolynomials:
    """Expand one group of trusts."""
    trusts, cells, leaves = group
    tree = expansion.tree
    data = tree.cells
    # What the leaves of a trust move by together is put into u, whose sum with it the data hold in place.
    together = trust_shift(tree, expansion.border_shift, expansion.leaf_share, leaves)
    centre = expansion.trust[trusts][:, np.newaxis] - together
    moved = (*border_rows(expansion, leaves), together, data.leaf_trust[leaves] - trusts.start)
    reach = (
        expansion.cell_reach[data.leaf_cell[leaves]]
        if tree.has_middle
        else expansion.trust_reach[data.leaf_trust[leaves]]
    )

    def summed(bounds: IntArray) -> FloatArray:
        result: FloatArray = expansion.tree.loops.sum_polynomials(
            leaf_tables(expansion, leaves, reach, tree.loops.largest_shifts(*moved)), expansion.scale_basis,
            expansion.information[leaves], expansion.slope[leaves], expansion.draws.scales.leaf**2, reach,
            *moved, bounds - leaves.start,
        )  # fmt: skip
        return result

    cell_bounds = data.cell_leaves[cells.start : cells.stop + 1]
    trust_bounds = data.trust_cells[trusts.start : trusts.stop + 1]
    if not tree.has_middle and not by_cell:
        return TrustPolynomials(
            trusts, cells, leaves, centre, summed(data.cell_leaves[trust_bounds]), None, None
        )
    of_cell, inner = summed(cell_bounds), None
    if tree.has_middle:
        inner, of_cell = of_cell, cell_polynomials(expansion, of_cell, cells)
    of_trust = np.add.reduceat(of_cell, trust_bounds[:-1] - cells.start, axis=1)
    return TrustPolynomials(trusts, cells, leaves, centre, of_trust, of_cell, inner)


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


def integrate_trusts(expansion: Expansion, group: TrustPolynomials) -> FloatArray:
    """Log marginal likelihood of each trust at each draw, and the cumulants of u/σ_u, (5, T', S)."""
    return integrate_polynomials(
        expansion,
        group.trust,
        expansion.trust_reach[group.trusts],
        group.centre,
        expansion.draws.scales.trust,
        TRUST_NODES,
    )
