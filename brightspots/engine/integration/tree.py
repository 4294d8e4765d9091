"""The tree of effects over a dense border, and its elimination from the leaves up.

The *border* γ holds what all trusts share: the intercept, the K coefficients and the A department-type
effects. Given it, trusts are independent; given its trust, so is each department. With every leaf replaced
by a normal pseudo-observation all eliminations are closed-form and cost O(leaves + trusts·border²).

Two shapes of tree are one: a *leaf* effect of its own for every row of the data (a department within a
trust, or a period within a department) and, where the data have periods, a *middle* effect of a department
that its periods share.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_solve

from brightspots.data.cells import Cells, FloatArray, IntArray
from brightspots.engine.integration.loops import choose_loops
from brightspots.engine.terms import Level, Terms, location_precision, log_density_of_log_sd

# Draws of a default fit, and nodes of the quadrature over a middle level's effects.
EXPECTED_DRAWS = 1_500
MIDDLE_NODES = 9


class Scales(NamedTuple):
    """Standard deviations by their role in the tree: numbers, or arrays over draws; 0 where a role is empty."""

    trust: FloatArray
    middle: FloatArray
    leaf: FloatArray
    types: FloatArray


@dataclass(frozen=True, eq=False)
class Tree:
    """Cells and terms, arranged for elimination.

    Sizes: N leaves, C cells, T trusts, B = 1 + K + A columns of the border (A = 0 without department types).
    """

    cells: Cells
    terms: Terms

    @property
    def leaf_level(self) -> Level | None:
        """Level whose effects the leaves carry, None where the likelihood stands alone."""
        if self.cells.has_periods:
            return "period" if self.terms.period is not None else None
        return "department" if self.terms.department is not None else None

    @property
    def has_middle(self) -> bool:
        """Whether departments have an effect that several leaves share."""
        return self.cells.has_periods and self.terms.department is not None

    @cached_property
    def loops(self) -> ModuleType:
        """`loops_compiled` or `loops_plain`: one for a whole fit, by the size of the table."""
        return choose_loops(self.cells.n_leaves * EXPECTED_DRAWS * (MIDDLE_NODES if self.has_middle else 1))

    @cached_property
    def fixed(self) -> FloatArray:
        """Dense columns of the border: ones and covariates, (N, 1 + K)."""
        return np.column_stack([np.ones(self.cells.n_leaves), self.cells.design])

    @property
    def n_types(self) -> int:
        """A, or 0 where department types are not in the model."""
        return 0 if self.terms.department_type is None else self.cells.n_types

    @property
    def n_border(self) -> int:
        """B."""
        return self.fixed.shape[1] + self.n_types

    @cached_property
    def pairs(self) -> tuple[IntArray, IntArray]:
        """All ordered pairs of leaves that share a cell, for the products that eliminating a department makes."""
        counts = np.diff(self.cells.cell_leaves)
        first = np.repeat(np.arange(self.cells.n_leaves), counts[self.cells.leaf_cell])
        starts = np.repeat(self.cells.cell_leaves[:-1], counts**2)
        within = np.arange(len(first)) - np.repeat(np.cumsum(counts**2) - counts**2, counts**2)
        return first, starts + within % np.repeat(counts, counts**2)

    def scales(self, log_sd: FloatArray) -> Scales:
        """Standard deviations by role from log σ, (..., k) in the order of ``terms.levels``."""
        sd = dict(zip(self.terms.levels, np.moveaxis(np.exp(log_sd), -1, 0), strict=True))
        zero = np.zeros(log_sd.shape[:-1])
        return Scales(
            trust=sd["trust"],
            middle=sd["department"] if self.has_middle else zero,
            leaf=zero if self.leaf_level is None else sd[self.leaf_level],
            types=sd.get("department_type", zero),
        )

    def predictor(self, border: FloatArray) -> FloatArray:
        """Offset + border for every leaf, (N,)."""
        n_fixed = self.fixed.shape[1]
        linear = self.cells.offset + self.fixed @ border[:n_fixed]
        return linear + border[n_fixed:][self.cells.leaf_type] if self.n_types else linear

    def border_prior(self, scales: Scales) -> tuple[FloatArray, FloatArray]:
        """Mean (B,) and precision (..., B) of the independent normal priors of the border."""
        mean, precision = zip(
            location_precision(self.terms.intercept),
            *[location_precision(self.terms.covariate)] * (self.fixed.shape[1] - 1),
            strict=True,
        )
        shape = np.shape(scales.types)
        fixed = np.broadcast_to(np.array(precision), (*shape, len(precision)))
        if not self.n_types:
            return np.array(mean), fixed
        types = np.repeat(np.asarray(scales.types)[..., np.newaxis] ** -2.0, self.n_types, axis=-1)
        return np.concatenate([mean, np.zeros(self.n_types)]), np.concatenate([fixed, types], axis=-1)

    def log_prior(self, log_sd: FloatArray) -> FloatArray:
        """Log prior density of log σ, (...) from (..., k)."""
        terms = self.terms
        return sum(
            (
                log_density_of_log_sd(terms.scale_prior(level), log_sd[..., i])
                for i, level in enumerate(terms.levels)
            ),
            start=np.zeros(log_sd.shape[:-1]),
        )


@dataclass(frozen=True, eq=False)
class Elimination:
    """Leaves, departments and trusts eliminated from a tree of normal pseudo-observations.

    What is left for the border is  constant + gradient'γ − ½ γ'precision γ.

    Parameters
    ----------
    constant : float
    gradient : (B,)
    precision : (B, B)
    trust_gain, cell_gain : (T,), (C,)
        Conditional variance of u given the border, and of v given u and the border (0 without a middle level).
    trust_load : (T, B)
        u's conditional mean is ``trust_gain * (trust_linear - trust_load @ γ)``.
    trust_linear : (T,)
    leaf_weight, leaf_linear : (N,)
        Pseudo-observations with the leaf effect integrated out: −½·weight·x² + linear·x.
    """

    constant: float
    gradient: FloatArray
    precision: FloatArray
    trust_gain: FloatArray
    cell_gain: FloatArray
    trust_load: FloatArray
    trust_linear: FloatArray
    leaf_weight: FloatArray
    leaf_linear: FloatArray


def eliminate(tree: Tree, information: FloatArray, linear: FloatArray, scales: Scales) -> Elimination:
    """Eliminate all effects from pseudo-observations −½·information·x² + linear·x of each leaf, (N,) each.

    x is the linear predictor without the offset. Effects are eliminated in units of their standard
    deviations, so σ → 0 is a smooth limit.
    """
    cells, n_fixed, n_types = tree.cells, tree.fixed.shape[1], tree.n_types
    shrink = 1.0 / (1.0 + information * scales.leaf**2)
    weight, slope = information * shrink, linear * shrink
    constant = 0.5 * np.sum(np.log(shrink) + scales.leaf**2 * linear * slope)

    cell_weight, cell_linear = cells.cell_sum(weight), cells.cell_sum(slope)
    cell_factor = 1.0 + scales.middle**2 * cell_weight
    cell_gain = scales.middle**2 / cell_factor
    constant += 0.5 * np.sum(cell_gain * cell_linear**2 - np.log(cell_factor))
    kept = (1.0 / cell_factor)[cells.leaf_cell]

    trust_weight, trust_linear = (
        np.bincount(cells.leaf_trust, values * kept, cells.n_trusts).astype(np.float64, copy=False)
        for values in (weight, slope)
    )
    trust_factor = 1.0 + scales.trust**2 * trust_weight
    trust_gain = scales.trust**2 / trust_factor
    constant += 0.5 * np.sum(trust_gain * trust_linear**2 - np.log(trust_factor))

    fixed_load = _group_sums(cells.leaf_trust, (weight * kept)[:, np.newaxis] * tree.fixed, cells.n_trusts)
    load = np.zeros((cells.n_trusts, n_fixed + n_types))
    load[:, :n_fixed] = fixed_load
    if n_types:
        at = cells.leaf_trust * n_types + cells.leaf_type
        load[:, n_fixed:] = np.bincount(
            at, weights=weight * kept, minlength=cells.n_trusts * n_types
        ).reshape(cells.n_trusts, n_types)
    precision, gradient = _border_products(tree, weight, slope, cell_gain, cell_linear)
    precision -= (load * trust_gain[:, np.newaxis]).T @ load
    gradient -= load.T @ (trust_gain * trust_linear)
    return Elimination(
        float(constant), gradient, precision, trust_gain, cell_gain, load, trust_linear, weight, slope
    )


def _border_products(
    tree: Tree, weight: FloatArray, slope: FloatArray, cell_gain: FloatArray, cell_linear: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Border precision and gradient after leaves and departments are gone, before trusts are."""
    cells, fixed, n_types = tree.cells, tree.fixed, tree.n_types
    n_fixed = fixed.shape[1]
    residual = slope - weight * (cell_gain * cell_linear)[cells.leaf_cell] if tree.has_middle else slope
    precision = np.zeros((n_fixed + n_types,) * 2)
    gradient = np.zeros(n_fixed + n_types)
    weighted = weight[:, np.newaxis] * fixed
    precision[:n_fixed, :n_fixed] = fixed.T @ weighted
    gradient[:n_fixed] = fixed.T @ residual
    reduced = weighted
    if tree.has_middle:
        cell_load = _group_sums(cells.leaf_cell, weighted, cells.n_cells)
        scaled = cell_gain[:, np.newaxis] * cell_load
        precision[:n_fixed, :n_fixed] -= cell_load.T @ scaled
        reduced = weighted - weight[:, np.newaxis] * scaled[cells.leaf_cell]
    if n_types:
        gradient[n_fixed:] = np.bincount(cells.leaf_type, weights=residual, minlength=n_types)
        cross = _group_sums(cells.leaf_type, reduced, n_types)
        precision[n_fixed:, :n_fixed] = cross
        precision[:n_fixed, n_fixed:] = cross.T
        block = np.diag(np.bincount(cells.leaf_type, weights=weight, minlength=n_types))
        if tree.has_middle:
            first, second = tree.pairs
            product = weight[first] * weight[second] * cell_gain[cells.leaf_cell[first]]
            at = cells.leaf_type[first] * n_types + cells.leaf_type[second]
            block -= np.bincount(at, weights=product, minlength=n_types**2).reshape(n_types, n_types)
        precision[n_fixed:, n_fixed:] = block
    return precision, gradient


def _group_sums(group: IntArray, rows: FloatArray, n_groups: int) -> FloatArray:
    """Sum the rows of an (N, K) array by group, (n_groups, K)."""
    return np.column_stack([np.bincount(group, weights=column, minlength=n_groups) for column in rows.T])


class BorderSolution(NamedTuple):
    """Mode of the border given the σ's, the log marginal density of the σ's, and the modes of all effects."""

    log_marginal: float
    border: FloatArray
    trust: FloatArray
    cell: FloatArray


def solve_border(tree: Tree, eliminated: Elimination, scales: Scales) -> BorderSolution:
    """Add the border's prior and solve; the log marginal leaves out the prior of the σ's."""
    mean, precision = tree.border_prior(scales)
    right = eliminated.gradient + precision * mean
    factor = np.linalg.cholesky(eliminated.precision + np.diag(precision))
    border = cho_solve((factor, True), right, check_finite=False)
    proper = precision > 0.0
    log_marginal = (
        eliminated.constant
        + 0.5 * float(right @ border)
        - 0.5 * float(precision @ mean**2)
        - float(np.log(np.diag(factor)).sum())
        + 0.5 * float(np.log(precision[proper]).sum())
    )
    trust, cell = solve_effects(tree, eliminated, border)
    return BorderSolution(log_marginal, border, trust, cell)


def solve_effects(tree: Tree, eliminated: Elimination, border: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Conditional means of u (T,) and v (C,) given the border; v is 0 without a middle level."""
    cells = tree.cells
    trust = eliminated.trust_gain * (eliminated.trust_linear - eliminated.trust_load @ border)
    if not tree.has_middle:
        return trust, np.zeros(cells.n_cells)
    shared = tree.predictor(border) - cells.offset + trust[cells.leaf_trust]
    residual = cells.cell_sum(eliminated.leaf_linear - eliminated.leaf_weight * shared)
    return trust, eliminated.cell_gain * residual
