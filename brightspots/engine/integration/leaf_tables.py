"""Marginal log likelihoods of leaves on the stretch that is needed of them, as tables from which polynomials follow."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from functools import cache

import numpy as np

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.engine.integration.expansion import Expansion, LeafMixing
from brightspots.engine.integration.leaf import leaf_marginals
from brightspots.likelihood.outcomes import Outcomes

_DIGITS = 50


@cache
def hermite_basis(nodes: int) -> tuple[FloatArray, FloatArray]:
    """Nodes on (−1, 1) and the matrix from (value, slope, curvature) at them to 3·nodes monomial coefficients.

    For Hermite interpolation at Chebyshev nodes; `leaf.hermite` is Gauss–Hermite quadrature.
    """
    points = np.cos(np.pi * (np.arange(nodes) + 0.5) / nodes)
    powers = np.arange(3 * nodes)
    rows = []
    # With many nodes the matrix has no digit of its inverse in double precision.
    with localcontext(prec=_DIGITS):
        for point in map(Decimal, points):
            for order in range(3):
                falling = [math.perm(int(power), order) for power in powers]
                rows.append([
                    factor * point ** int(power - order) if power > order else Decimal(factor)
                    for factor, power in zip(falling, powers, strict=True)
                ])  # fmt: skip
        return points, _inverse(rows)


def _inverse(rows: list[list[Decimal]]) -> FloatArray:
    """Inverse of a matrix, by Gauss and Jordan's elimination with pivots."""
    size = len(rows)
    work = [row + [Decimal(int(i == j)) for j in range(size)] for i, row in enumerate(rows)]
    for column in range(size):
        pivot = max(range(column, size), key=lambda i: abs(work[i][column]))
        work[column], work[pivot] = work[pivot], work[column]
        head = work[column] = [value / work[column][column] for value in work[column]]
        for i in range(size):
            if i != column and (factor := work[i][column]):
                work[i] = [value - factor * other for value, other in zip(work[i], head, strict=True)]
    return np.array([[float(value) for value in row[size:]] for row in work])


def nodes_for(reach: float) -> int:
    """Hermite nodes that make the error of exp on ±reach about 1e-4 or less, up to a reach of 7.2; 8 of them beyond.

    Whether those are enough is judged by the certificate, which compares with quadrature.
    """
    for count, furthest in enumerate((0.8, 1.8, 2.8, 4.4, 5.8, 7.2), start=2):
        if reach <= furthest:
            return count
    return 8


def nodes_for_mixtures(reach: FloatArray) -> IntArray:
    """The same where effects are a mixture, from the reach in standard deviations of the usual effect and its data.

    A mixture bends where the exceptional take over from the bulk. The error is about .01 at most for any share and
    factor.
    """
    return np.searchsorted([0.6, 1.3, 1.8, 2.3, 2.8, 3.4, 3.8, 4.6, 5.0, 6.0], reach) + 2


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
        Coefficients of powers of (linear predictor without the leaf's effect − centre)/reach.
    """
    tree, scales = expansion.tree, expansion.leaf_scales[expansion.leaf_row[leaves]]
    centre = expansion.leaf_centre[leaves]
    width = reach + shift
    points, basis = hermite_basis(nodes_for(float(width.max())))
    # Everything here is (L, nodes of s, nodes of σ).
    step = width[:, np.newaxis, np.newaxis] * points[:, np.newaxis]
    predictor = np.repeat(centre[:, np.newaxis, np.newaxis] + step, scales.shape[1], axis=2)
    sds = tree.with_leaf_error(scales, leaves)[:, np.newaxis]
    variance = sds**2
    exact = leaf_marginals(Outcomes.of(tree.cells, leaves), predictor, sds, tree.loops)
    raw, tilt = (
        values[leaves, np.newaxis, np.newaxis] for values in (expansion.information, expansion.slope)
    )
    shrink = 1.0 / (1.0 + raw * variance)
    here = tilt - raw * step
    value = tilt * step - 0.5 * raw * step**2 + 0.5 * variance * shrink * here**2 + 0.5 * np.log(shrink)
    unit = width[:, np.newaxis, np.newaxis]
    remainder = np.stack(
        [
            exact.value - value,
            (exact.slope - shrink * here) * unit,
            (exact.curvature + shrink * raw) * unit**2,
        ],
        axis=2,
    )
    coefficients = basis @ remainder.reshape(len(width), -1, scales.shape[1])
    ratio = (reach / width)[:, np.newaxis] ** np.arange(len(basis))
    return np.ascontiguousarray(coefficients * ratio[:, :, np.newaxis])


def sum_mixtures(
    expansion: Expansion,
    mixing: LeafMixing,
    leaves: slice,
    reach: FloatArray,
    moved: tuple[FloatArray, IntArray, FloatArray, IntArray],
    runs: IntArray,
) -> FloatArray:
    """Polynomials of leaves whose effects are a mixture, moved to every draw and added over runs of leaves.

    Leaves are done in classes, by the number of points that they need.

    Parameters
    ----------
    mixing : LeafMixing
    leaves : slice
    reach : (L,)
    moved : rows, row_of, common, common_of
        How each draw moves each leaf: see `loops_polynomials.sum_polynomials`.
    runs : (R + 1,)
        Bounds of the runs.

    Returns
    -------
    (order + 1, R, S)
    """
    tree = expansion.tree
    width = reach + tree.loops.largest_shifts(*moved)
    _, information = Outcomes.of(tree.cells, leaves).guess()
    narrowest = tree.leaf_sd(expansion.draws.scales.usual().extreme(np.min), leaves)
    nodes = nodes_for_mixtures(width / np.sqrt(narrowest**2 + 1.0 / information))
    rows, row_of, common, common_of = moved
    row_of_sd = expansion.leaf_row[leaves]
    parts, common_value = [], np.empty(len(width))
    for count in np.unique(nodes):
        members = np.flatnonzero(nodes == count)
        points, basis = hermite_basis(int(count))
        scales = mixing.scales[expansion.leaf_row[leaves.start + members]]
        table = _values_at(expansion, scales, leaves.start + members, width[members], points)
        # What is common to a leaf's values is added last, so as not to cost the rest its digits.
        common_value[members] = table[:, ::3].max(axis=(1, 2))
        table[:, ::3] -= common_value[members, np.newaxis, np.newaxis]
        parts.append(
            tree.loops.sum_mixed_polynomials(
                table, mixing.basis, row_of_sd[members], mixing.nodes, mixing.log_weight, basis.copy(), width[members],
                reach[members],
                rows, row_of[members], common, common_of[members], np.searchsorted(members, runs),
            )
        )  # fmt: skip
    whole: FloatArray = parts[-1]
    for part in parts[:-1]:
        whole[: len(part)] += part
    whole[0] += np.add.reduceat(common_value, runs[:-1])[:, np.newaxis]
    return whole


def _values_at(
    expansion: Expansion, scales: FloatArray, leaves: IntArray, width: FloatArray, points: FloatArray
) -> FloatArray:
    """Value, slope·width and curvature·width² of leaves at points on (−1, 1), under normal effects, (L, 3P, J).

    `scales` are (L, J).
    """
    tree, unit = expansion.tree, width[:, np.newaxis, np.newaxis]
    at = expansion.leaf_centre[leaves][:, np.newaxis, np.newaxis] + unit * points[:, np.newaxis]
    sds = tree.with_leaf_error(scales, leaves)[:, np.newaxis]
    predictor = np.repeat(at, scales.shape[1], axis=2)
    exact = leaf_marginals(Outcomes.of(tree.cells, leaves), predictor, sds, tree.loops)
    values = np.stack([exact.value, exact.slope * unit, exact.curvature * unit**2], axis=2)
    return np.ascontiguousarray(values.reshape(len(width), -1, scales.shape[1]))
