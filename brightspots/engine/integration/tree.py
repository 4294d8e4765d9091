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
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType

import numpy as np

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.data.cells import Cells
from brightspots.engine.effects import Heavy
from brightspots.engine.integration.loops import choose_loops
from brightspots.engine.integration.scales import Scales
from brightspots.engine.levels import Level, NestedLevel, nested_levels

# Draws of a default fit, nodes of the quadrature over the effects of a level below the top, and by how much more work
# effects are that are not normal.
EXPECTED_DRAWS = 1_500
INNER_NODES = 9
_HEAVY = 20
# How many products of dense matrices are done in the time of one that is gathered leaf by leaf.
_DENSE_IS_FASTER_BY = 32


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
    effects : mapping of level to Heavy
        Distribution of the effects of the nested levels where they are not normal.
    by_type : bool, default False
        Whether departments of each type have a standard deviation of their own.
    """

    cells: Cells
    levels: tuple[Level, ...]
    effects: Mapping[Level, Heavy] = field(default_factory=dict)
    by_type: bool = False

    @cached_property
    def normal(self) -> Tree:
        """The same tree with normal effects throughout, of one standard deviation a level."""
        return self if self.is_normal else Tree(self.cells, self.levels)

    @property
    def is_normal(self) -> bool:
        """Whether all effects are normal, of one standard deviation a level."""
        return not self.effects and not self.by_type

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
        heavy = 1 if self.is_normal else _HEAVY
        return choose_loops(self.cells.n_leaves * EXPECTED_DRAWS * inner * heavy)

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

    @cached_property
    def free(self) -> Mapping[Level, slice]:
        """Where the parameters of effects that are not normal lie among those that are sampled, after all log σ."""
        found, at = {}, len(self.levels)
        for level, effect in self.effects.items():
            found[level] = slice(at, at + len(effect.names))
            at = found[level].stop
        return found

    def columns(self, level: Level) -> IntArray:
        """Places of a level's log σ and of what follows of its distribution among the parameters that are sampled."""
        free = self.free.get(level, slice(0, 0))
        spread = [self.n_parameters - 1] if self.by_type and level == "department" else []
        return np.array([self.levels.index(level), *range(free.start, free.stop), *spread])

    @property
    def n_parameters(self) -> int:
        """How many numbers are sampled besides the border and what types have of their own.

        The last is the logarithm of how far the σ's of department types differ, where they do.
        """
        return max([len(self.levels), *(of.stop for of in self.free.values())]) + self.by_type

    def scales(self, parameters: FloatArray, of_types: FloatArray | None = None) -> Scales:
        """Standard deviations by level, and mixtures, from log σ and what follows it, (..., k); contiguous arrays.

        `of_types` are log σ of department types, (..., D), where they differ: else all have that of the typical one.

        Powers and logarithms of strided arrays may differ in their last digit by where the arrays lie in memory, for
        NumPy computes them in another way where the input reaches up to the output.
        """
        log_sd = np.ascontiguousarray(np.moveaxis(parameters[..., : len(self.levels)], -1, 0))
        mixing = {
            level: effect.mixing(parameters[..., self.free[level]]) for level, effect in self.effects.items()
        }
        sd = dict(zip(self.levels, np.exp(log_sd), strict=True))
        if of_types is None:
            return Scales(sd, mixing)
        apart = np.moveaxis(of_types, -1, 0) - log_sd[self.levels.index("department")]
        return Scales(sd, mixing, of_type=np.exp(np.ascontiguousarray(apart)))

    def leaf_rows(self, scales: Scales) -> tuple[FloatArray, IntArray]:
        """σ of the leaves' own effects, without the errors of expected events, and who has which.

        Returns
        -------
        (R, …), (N,)
            One row for all leaves, or one for each department type; and the row of each leaf. 0 where the level of the
            leaves is not in the model.
        """
        everybody = np.zeros(self.cells.n_leaves, dtype=np.int64)
        if self.leaf_level is None:
            return np.zeros((1, *np.shape(scales[self.levels[0]]))), everybody
        sd = np.asarray(scales[self.leaf_level])[np.newaxis]
        if self.leaf_level != "department" or scales.of_type is None:
            return sd, everybody
        return sd * scales.of_type, self.cells.cell_department

    def error_variance(self, level: Level | None, units: slice | IntArray = slice(None)) -> FloatArray | None:
        """Known variance that comes to the effects of some units of a level, (units,); None where there is none."""
        if level != "department" or self.cells.expected_sd is None:
            return None
        return self.cells.error_variance[units]

    def sd(self, level: Level, scales: Scales, units: slice | IntArray = slice(None)) -> FloatArray:
        """Standard deviation of what some units of a level carry: their effect, and the error of what was expected.

        The likelihood knows the two only by their sum, which is what is integrated out.

        Returns
        -------
        (units, …)
            … as in `scales`; (1, …) where all units have the same.
        """
        error = self.error_variance(level, units)
        sd = self._by_unit(level, scales, units)
        if level in scales.own:
            sd = sd * np.sqrt(scales.own[level][units])
        return sd if error is None else np.sqrt(sd**2 + error.reshape(-1, *(1,) * (sd.ndim - 1)))

    def variance(self, level: Level, scales: Scales, units: slice | IntArray = slice(None)) -> FloatArray:
        """Square of `sd`."""
        error = self.error_variance(level, units)
        variance = self._by_unit(level, scales, units) ** 2
        if level in scales.own:
            variance = variance * scales.own[level][units]
        return variance if error is None else variance + error.reshape(-1, *(1,) * (variance.ndim - 1))

    def _by_unit(self, level: Level, scales: Scales, units: slice | IntArray) -> FloatArray:
        """σ of some units, (units, …); (1, …) where all have the same."""
        sd = np.asarray(scales[level])[np.newaxis]
        if level != "department" or scales.of_type is None:
            return sd
        return np.asarray(sd * scales.of_type[self.cells.cell_department[units]])

    def components(
        self, level: Level, scales: Scales, units: slice | IntArray = slice(None)
    ) -> list[tuple[FloatArray | float, FloatArray]]:
        """Log weight (…) and standard deviation (units, …) or (1, …) of each normal that effects are a mixture of."""
        if level not in scales.mixing:
            return [(0.0, self.sd(level, scales, units))]
        return [
            (
                log_weight,
                self.sd(level, Scales({level: scales[level] * factor}, of_type=scales.of_type), units),
            )
            for log_weight, factor in zip(*scales.mixing[level], strict=True)
        ]

    def leaf_components(
        self, scales: Scales, leaves: slice | IntArray = slice(None)
    ) -> list[tuple[FloatArray | float, FloatArray]]:
        """The same of the leaves' own effects; one of width 0 where their level is not in the model."""
        if self.leaf_level is None:
            return [(0.0, self.leaf_sd(scales, leaves))]
        return self.components(self.leaf_level, scales, leaves)

    def leaf_sd(self, scales: Scales, leaves: slice | IntArray = slice(None)) -> FloatArray:
        """Standard deviation of what some leaves carry by themselves, (leaves, …) or (1, …): see `sd`."""
        if self.leaf_level is None:
            return self.leaf_rows(scales)[0]
        return self.sd(self.leaf_level, scales, leaves)

    def with_leaf_error(self, sd: FloatArray, leaves: slice | IntArray = slice(None)) -> FloatArray:
        """What some leaves carry by themselves if σ is so much, (leaves, …) both: see `sd`."""
        error = None if self.leaf_level is None else self.error_variance(self.leaf_level, leaves)
        return sd if error is None else np.sqrt(sd**2 + error.reshape(-1, *(1,) * (sd.ndim - 1)))

    def leaf_variance(self, scales: Scales, leaves: slice | IntArray = slice(None)) -> FloatArray:
        """Square of `leaf_sd`."""
        if self.leaf_level is None:
            return self.leaf_rows(scales)[0]
        return self.variance(self.leaf_level, scales, leaves)

    def predictor(self, border: FloatArray) -> FloatArray:
        """Offset + border for every leaf, (N,)."""
        n_fixed = self.fixed.shape[1]
        linear = self.cells.offset + self.fixed @ border[:n_fixed]
        return linear + border[n_fixed:][self.cells.leaf_type] if self.n_types else linear

    def path(self, effects: Mapping[Level, FloatArray]) -> FloatArray:
        """Sum over the nodes of the effect, (units,) each, of the unit that each leaf lies in, (N,)."""
        return sum((effects[node.name][node.of_leaf] for node in self.nodes), np.zeros(self.cells.n_leaves))
