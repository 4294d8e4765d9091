"""The tree of nested effects over a dense border, and its elimination from the leaves up.

The *border* γ holds what all trusts share: the intercept, the K coefficients and the A department-type
effects. Given it, trusts are independent; given its trust, so is each department, and so on down the nested levels.
With every leaf replaced by a normal pseudo-observation all eliminations are closed-form.

The innermost level of the data is that of the leaves: each of its effects belongs to one row (a department within a
trust, or a period within a department), and is integrated out of that row's likelihood. The levels above it are the
*nodes* of the tree, each a list of units that several leaves share; one loop goes through them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType

import numpy as np

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.data.cells import Cells
from brightspots.engine.integration.loops import choose_loops
from brightspots.engine.levels import Level, NestedLevel, nested_levels

# Draws of a default fit, and nodes of the quadrature over the effects of a level below the top.
EXPECTED_DRAWS = 1_500
INNER_NODES = 9
# How many products of dense matrices are done in the time of one that is gathered leaf by leaf.
_DENSE_IS_FASTER_BY = 32

Scales = Mapping[Level, FloatArray]
"""Standard deviation of each level of a tree: numbers, or arrays over draws."""


@dataclass(frozen=True, eq=False)
class Link:
    """Two neighbouring nodes of a tree.

    Parameters
    ----------
    node, outer : NestedLevel
    parent : int array (units of node,)
        Unit of `outer` in which each unit of `node` lies.
    """

    node: NestedLevel
    outer: NestedLevel
    parent: IntArray

    def starts(self, outer: slice) -> IntArray:
        """Where each of a run of outer units starts among the units of `node` that lie in the run, (outer,)."""
        inside = np.arange(outer.start, outer.stop)
        starts = np.searchsorted(self.parent, inside)
        return np.asarray(starts - starts[0], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Tree:
    """Cells, and the levels whose effects are in the model, arranged for elimination.

    Sizes: N leaves, C cells, T trusts, B = 1 + K + A columns of the border (A = 0 without department types).

    Parameters
    ----------
    cells : Cells
    levels : tuple of Level
        In the order of `levels.LEVELS`; the outermost nested level is always among them.
    """

    cells: Cells
    levels: tuple[Level, ...]

    @cached_property
    def of_data(self) -> tuple[NestedLevel, ...]:
        """All nested levels that the data have, whether in the model or not."""
        return nested_levels(self.cells)

    @cached_property
    def nodes(self) -> tuple[NestedLevel, ...]:
        """Nested levels in the model whose units several leaves may share, outermost first."""
        return tuple(level for level in self.of_data[:-1] if level.name in self.levels)

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """Each node with the one above it, outermost first: one fewer than there are nodes."""
        return tuple(
            Link(node, outer, outer.of_leaf[node.leaves[:-1]])
            for outer, node in zip(self.nodes, self.nodes[1:], strict=False)
        )

    @cached_property
    def leaf_level(self) -> Level | None:
        """Level whose effects the leaves carry one by one, None where it is not in the model."""
        innermost = self.of_data[-1].name
        return innermost if innermost in self.levels else None

    @property
    def nested(self) -> tuple[Level, ...]:
        """Names of the nested levels in the model, outermost first."""
        own = () if self.leaf_level is None else (self.leaf_level,)
        return (*(node.name for node in self.nodes), *own)

    @cached_property
    def loops(self) -> ModuleType:
        """`loops_compiled` or `loops_plain`: one for a whole fit, by the size of the table."""
        inner = INNER_NODES if len(self.nodes) > 1 else 1
        return choose_loops(self.cells.n_leaves * EXPECTED_DRAWS * inner)

    @cached_property
    def fixed(self) -> FloatArray:
        """Dense columns of the border: ones and covariates, (N, 1 + K)."""
        return np.column_stack([np.ones(self.cells.n_leaves), self.cells.design])

    @property
    def n_types(self) -> int:
        """A, or 0 where department types are not in the model."""
        return self.cells.n_types if "department_type" in self.levels else 0

    @property
    def n_border(self) -> int:
        """B."""
        return self.fixed.shape[1] + self.n_types

    @cached_property
    def is_sparse(self) -> tuple[bool, ...]:
        """For each node, whether its units have so few of the department types that dense matrices are slower.

        Eliminating a unit adds a product for every pair of department types of its leaves to the border's precision.
        """
        pairs = (int(np.sum(np.diff(node.leaves) ** 2)) for node in self.nodes)
        return tuple(
            count * _DENSE_IS_FASTER_BY < node.n_units * self.n_types**2
            for count, node in zip(pairs, self.nodes, strict=True)
        )

    def scales(self, log_sd: FloatArray) -> Scales:
        """Standard deviations by level from log σ, (..., k) in the order of `levels`; contiguous arrays.

        Powers and logarithms of strided arrays may differ in their last digit by where the arrays lie in memory, for
        NumPy computes them in another way where the input reaches up to the output.
        """
        return dict(zip(self.levels, np.exp(np.ascontiguousarray(np.moveaxis(log_sd, -1, 0))), strict=True))

    def leaf_scale(self, scales: Scales) -> FloatArray:
        """σ of the leaves' own effects, without the errors of expected events; 0 where their level is not there."""
        if self.leaf_level is None:
            return np.zeros(np.shape(scales[self.levels[0]]))
        return scales[self.leaf_level]

    def error_variance(self, level: Level | None, units: slice = slice(None)) -> FloatArray | None:
        """Known variance that comes to the effects of some units of a level, (units,); None where there is none."""
        if level != "department" or self.cells.expected_sd is None:
            return None
        return self.cells.error_variance[units]

    def sd(self, level: Level, scales: Scales, units: slice = slice(None)) -> FloatArray:
        """Standard deviation of what some units of a level carry: their effect, and the error of what was expected.

        The likelihood knows the two only by their sum, which is what is integrated out.

        Returns
        -------
        (units, …)
            … as in `scales`; (1, …) where all units have the same.
        """
        error = self.error_variance(level, units)
        sd = np.asarray(scales[level])[np.newaxis]
        return sd if error is None else np.sqrt(sd**2 + error.reshape(-1, *(1,) * (sd.ndim - 1)))

    def variance(self, level: Level, scales: Scales, units: slice = slice(None)) -> FloatArray:
        """Square of `sd`."""
        error = self.error_variance(level, units)
        variance = np.asarray(scales[level])[np.newaxis] ** 2
        return variance if error is None else variance + error.reshape(-1, *(1,) * (variance.ndim - 1))

    def leaf_sd(self, scales: Scales, leaves: slice = slice(None)) -> FloatArray:
        """Standard deviation of what some leaves carry by themselves, (leaves, …) or (1, …): see `sd`."""
        if self.leaf_level is None:
            return self.leaf_scale(scales)[np.newaxis]
        return self.sd(self.leaf_level, scales, leaves)

    def leaf_variance(self, scales: Scales, leaves: slice = slice(None)) -> FloatArray:
        """Square of `leaf_sd`."""
        if self.leaf_level is None:
            return self.leaf_scale(scales)[np.newaxis]
        return self.variance(self.leaf_level, scales, leaves)

    def predictor(self, border: FloatArray) -> FloatArray:
        """Offset + border for every leaf, (N,)."""
        n_fixed = self.fixed.shape[1]
        linear = self.cells.offset + self.fixed @ border[:n_fixed]
        return linear + border[n_fixed:][self.cells.leaf_type] if self.n_types else linear

    def path(self, effects: Mapping[Level, FloatArray]) -> FloatArray:
        """Sum over the nodes of the effect, (units,) each, of the unit that each leaf lies in, (N,)."""
        return sum((effects[node.name][node.of_leaf] for node in self.nodes), np.zeros(self.cells.n_leaves))


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
    for node, sparse, (weight, kept) in reversed(list(zip(tree.nodes, tree.is_sparse, by_node, strict=True))):
        gain = tree.variance(node.name, scales) * kept
        pull = node.sum(slope)
        constant += 0.5 * np.sum(gain * pull**2 + np.log(kept))
        _take_away_products(tree, precision, node, weight, gain, sparse=sparse)
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
    sparse: bool,
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
    if not sparse:
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
