"""Effects eliminated from a tree of normal pseudo-observations from the leaves up, and solved for from the top down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.engine.integration.scales import Scales
from brightspots.engine.integration.tree import Tree
from brightspots.engine.levels import Level, NestedLevel


@dataclass(frozen=True, eq=False)
class Step:
    """One node level, eliminated after all levels below it.

    Parameters
    ----------
    weight, linear : (N,)
        What the leaves say once the effects below are integrated out: −½·weight·x² + linear·x, summed over a unit's
        leaves, for an x that is the same for all of them (leaves that share an effect below are not independent).
    kept : (units,)
        Share of the information of a unit's leaves that is left for the levels above, 1/(1 + σ²·Σ weight).
    gain : (units,)
        Conditional variance of the unit's effect given all above it, σ²·kept.
    """

    weight: FloatArray
    linear: FloatArray
    kept: FloatArray
    gain: FloatArray


@dataclass(frozen=True, eq=False)
class Elimination:
    """Leaves and nodes eliminated from a tree of normal pseudo-observations.

    What is left for the border is  constant + gradient'γ − ½ γ'precision γ.

    Parameters
    ----------
    constant : float
    gradient : (B,)
    precision : (B, B)
    steps : tuple of Step
        In the order of ``tree.nodes``, outermost first.
    """

    constant: float
    gradient: FloatArray
    precision: FloatArray
    steps: tuple[Step, ...]


def weights_by_node(
    tree: Tree, information: FloatArray, scales: Scales
) -> list[tuple[FloatArray, FloatArray]]:
    """How much the leaves tell each node level once all effects below it are integrated out.

    Parameters
    ----------
    information : (N,)
        Of each leaf on its own linear predictor: minus the curvature of its log likelihood.
    scales : Scales
        Numbers.

    Returns
    -------
    list of ((N,), (units,))
        In the order of ``tree.nodes``: the weight of each leaf, and ``kept`` of each unit (see `Step`).
    """
    weight = information / (1.0 + information * tree.leaf_variance(scales))
    found = []
    for node in reversed(tree.nodes):
        kept = 1.0 / (1.0 + tree.variance(node.name, scales) * node.sum(weight))
        found.append((weight, kept))
        weight = weight * kept[node.of_leaf]
    return found[::-1]


def eliminate(tree: Tree, information: FloatArray, linear: FloatArray, scales: Scales) -> Elimination:
    """Eliminate all effects from pseudo-observations −½·information·x² + linear·x of each leaf, (N,) each.

    x is the linear predictor without the offset. Effects are eliminated in units of their standard
    deviations, so σ → 0 is a smooth limit.
    """
    variance = tree.leaf_variance(scales)
    shrink = 1.0 / (1.0 + information * variance)
    slope = linear * shrink
    constant = 0.5 * np.sum(np.log(shrink) + variance * linear * slope)
    n_fixed, n_types = tree.fixed.shape[1], tree.n_types
    precision = np.zeros((n_fixed + n_types,) * 2)
    steps: list[Step] = []
    by_node = weights_by_node(tree, information, scales)
    _add_products(tree, precision, by_node[-1][0])
    for node, is_sparse, (weight, kept) in reversed(
        list(zip(tree.nodes, tree.is_sparse, by_node, strict=True))
    ):
        gain = tree.variance(node.name, scales) * kept
        pull = node.sum(slope)
        constant += 0.5 * np.sum(gain * pull**2 + np.log(kept))
        _take_away_products(tree, precision, node, weight, gain, is_sparse=is_sparse)
        steps.append(Step(weight, slope, kept, gain))
        slope = slope - weight * (gain * pull)[node.of_leaf]
    gradient = np.zeros(n_fixed + n_types)
    gradient[:n_fixed] = tree.fixed.T @ slope
    if n_types:
        gradient[n_fixed:] = np.bincount(tree.cells.leaf_type, weights=slope, minlength=n_types)
    return Elimination(float(constant), gradient, precision, tuple(reversed(steps)))


def _add_products(tree: Tree, precision: FloatArray, weight: FloatArray) -> None:
    """Add what the leaves say of the border, X'·diag(weight)·X, to its precision (B, B)."""
    n_fixed, n_types = tree.fixed.shape[1], tree.n_types
    weighted = weight[:, np.newaxis] * tree.fixed
    precision[:n_fixed, :n_fixed] += tree.fixed.T @ weighted
    if n_types:
        cross = _group_sums(tree.cells.leaf_type, weighted, n_types)
        precision[n_fixed:, :n_fixed] += cross
        precision[:n_fixed, n_fixed:] += cross.T
        on_diagonal = np.arange(n_fixed, n_fixed + n_types)
        precision[on_diagonal, on_diagonal] += np.bincount(
            tree.cells.leaf_type, weights=weight, minlength=n_types
        )


def _take_away_products(
    tree: Tree,
    precision: FloatArray,
    node: NestedLevel,
    weight: FloatArray,
    gain: FloatArray,
    *,
    is_sparse: bool,
) -> None:
    """Take from the border's precision (B, B) what the units of a node explain: Σ gain·load·load'.

    The load of a unit, (B,), is the weighted sum of its leaves' rows of the border.
    """
    n_fixed, n_types, leaf_type = tree.fixed.shape[1], tree.n_types, tree.cells.leaf_type
    weighted = weight[:, np.newaxis] * tree.fixed
    load = _group_sums(node.of_leaf, weighted, node.n_units)
    scaled = gain[:, np.newaxis] * load
    precision[:n_fixed, :n_fixed] -= load.T @ scaled
    if not n_types:
        return
    if not is_sparse:
        of_types = np.bincount(
            node.of_leaf * n_types + leaf_type, weights=weight, minlength=node.n_units * n_types
        ).reshape(node.n_units, n_types)
        cross = of_types.T @ scaled
        block = (of_types * gain[:, np.newaxis]).T @ of_types
    else:
        cross = _group_sums(leaf_type, weight[:, np.newaxis] * scaled[node.of_leaf], n_types)
        block = tree.loops.products_of_types(node.leaves, leaf_type, weight, gain, n_types)
    precision[n_fixed:, :n_fixed] -= cross
    precision[:n_fixed, n_fixed:] -= cross.T
    precision[n_fixed:, n_fixed:] -= block


def _group_sums(group: IntArray, rows: FloatArray, n_groups: int) -> FloatArray:
    """Sum the rows of an (N, K) array by group, (n_groups, K)."""
    return np.column_stack([np.bincount(group, weights=column, minlength=n_groups) for column in rows.T])


def solve_effects(tree: Tree, eliminated: Elimination, border: FloatArray) -> dict[Level, FloatArray]:
    """Conditional means of the effects of every node, (units,) each, given the border: from the top down.

    Those of departments together with the errors of what was expected of them.
    """
    above = tree.predictor(border) - tree.cells.offset
    effects: dict[Level, FloatArray] = {}
    for node, step in zip(tree.nodes, eliminated.steps, strict=True):
        effects[node.name] = step.gain * node.sum(step.linear - step.weight * above)
        above = above + effects[node.name][node.of_leaf]
    return effects


def path_sd(tree: Tree, eliminated: Elimination) -> FloatArray:
    """Standard deviation of the sum of the nodes' effects given the border, at every leaf, (N,)."""
    variance = np.zeros(tree.cells.n_leaves)
    for node, step in zip(tree.nodes, eliminated.steps, strict=True):
        variance = step.gain[node.of_leaf] + step.kept[node.of_leaf] ** 2 * variance
    return np.sqrt(variance)
