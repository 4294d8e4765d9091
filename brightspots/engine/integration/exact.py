"""Marginal likelihood of trusts by nested quadrature, without any expansion: what checks the fast one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.engine.integration.expansion import Expansion
from brightspots.engine.integration.leaf import hermite, integrate_normal, leaf_marginals
from brightspots.engine.levels import Level
from brightspots.likelihood.family import Derivatives
from brightspots.likelihood.outcomes import Outcomes

# Enough for a start that is off by several standard deviations of the effect to reach the mode.
_NEWTON_STEPS = 8
_FURTHEST_START = 4.0


def trust_log_likelihood(expansion: Expansion, trust: int, draws: IntArray, *, nodes: int = 11) -> FloatArray:
    """Log marginal likelihood of one trust at some draws, (draws,), by quadrature nested to the leaves.

    One integral over each level's effects; its integrand adds up the integrals of the units below.

    Parameters
    ----------
    trust : int
        Unit of the outermost level.
    draws : int array
        Places among the draws of the expansion.
    nodes : int, default 11
        Of the quadrature of every level.
    """
    nested = _Nested.of_trust(expansion, trust, draws, nodes)
    top = expansion.tree.nodes[0].name
    sd = expansion.tree.sd(top, nested.scales)[0]
    result = integrate_normal(
        lambda argument: nested.of_units(0, argument),
        np.zeros((1, len(sd))),
        sd[np.newaxis],
        (expansion.centre[top][trust] / sd)[np.newaxis],
        quadrature=nested.quadrature,
    )
    return result.value[0]


@dataclass(frozen=True)
class _Nested:
    """One trust's nested integrals at some draws, S of them.

    Parameters
    ----------
    expansion : Expansion
        Whose centres say where to look for modes; nothing else is taken from it but the draws.
    leaves : slice
        Of the trust; L of them.
    outcomes : Outcomes
        Of the L leaves.
    base : (L, S)
        Linear predictor without any nested effect.
    scales : mapping of level to (S,)
        Standard deviations of the effects.
    leaf_sd : (L, S) or (1, S)
        Of the leaves' own effects.
    information : (L,)
        Of the leaves on their predictor, their own effects integrated out, roughly.
    quadrature : (nodes,), (nodes,)
        Points and log weights.
    """

    expansion: Expansion
    leaves: slice
    outcomes: Outcomes
    base: FloatArray
    scales: Mapping[Level, FloatArray]
    leaf_sd: FloatArray
    information: FloatArray
    quadrature: tuple[FloatArray, FloatArray]

    @staticmethod
    def of_trust(expansion: Expansion, trust: int, draws: IntArray, nodes: int) -> _Nested:
        """The integrals of one trust."""
        tree = expansion.tree
        bounds = tree.nodes[0].leaves
        leaves = slice(int(bounds[trust]), int(bounds[trust + 1]))
        scales = {level: sd[draws] for level, sd in expansion.draws.scales.items()}
        leaf_sd = tree.leaf_sd(scales, leaves)
        known = expansion.information[leaves]
        return _Nested(
            expansion=expansion,
            leaves=leaves,
            outcomes=Outcomes.of(tree.cells, leaves),
            base=np.stack(
                [tree.predictor(border)[leaves] for border in expansion.draws.border[draws]], axis=1
            ),
            scales=scales,
            leaf_sd=leaf_sd,
            information=known / (1.0 + known * np.median(leaf_sd, axis=1) ** 2),
            quadrature=hermite(nodes),
        )

    def of_units(self, depth: int, path: FloatArray) -> Derivatives:
        """Log likelihood of the units of a node of this trust, given the sum of effects down to each, (units, …)."""
        tree = self.expansion.tree
        node = tree.nodes[depth]
        units = node.units(self.leaves)
        if node is tree.nodes[-1]:
            bounds = node.leaves[units.start : units.stop + 1]
            inside = self.of_leaves(np.repeat(path, np.diff(bounds), axis=0))
            starts = bounds[:-1] - self.leaves.start
        else:
            link = tree.links[depth]
            starts = link.starts(units)
            count = len(link.parent[link.node.units(self.leaves)])
            inside = self.of_node(depth + 1, np.repeat(path, np.diff(np.append(starts, count)), axis=0))
        return Derivatives(*(np.add.reduceat(part, starts, axis=0) for part in inside))

    def of_leaves(self, path: FloatArray) -> Derivatives:
        """Log likelihood of the leaves, their own effects integrated out, given the sum of all others, (L, S, …)."""
        more = (1,) * (path.ndim - 2)
        predictor = self.base.reshape(*self.base.shape, *more) + path
        sd = self.leaf_sd.reshape(*self.leaf_sd.shape, *more)
        loops, nodes = self.expansion.tree.loops, len(self.quadrature[0])
        return Derivatives(*leaf_marginals(self.outcomes, predictor, sd, loops, nodes=nodes)[:3])

    def of_node(self, depth: int, above: FloatArray) -> Derivatives:
        """The same as `of_units` with the node's own effects integrated out, given the sum of effects above it."""
        node, link = self.expansion.tree.nodes[depth], self.expansion.tree.links[depth - 1]
        units = node.units(self.leaves)
        of_units = self.expansion.tree.sd(node.name, self.scales, units)
        sd = np.broadcast_to(of_units.reshape(*of_units.shape, *(1,) * (above.ndim - 2)), above.shape)
        known = np.add.reduceat(self.information, node.leaves[units] - self.leaves.start)
        # Where the data outweigh the prior, the effect makes up for what those above are off their centres.
        share = sd**2 * _across(known, above) / (1.0 + sd**2 * _across(known, above))
        off = above - _across(_path_centre(self.expansion, depth - 1)[link.parent[units]], above)
        mode = _across(self.expansion.centre[node.name][units], above) - share * off
        start = np.clip(mode / np.maximum(sd, 1e-12), -_FURTHEST_START, _FURTHEST_START)
        inside = integrate_normal(
            lambda argument: self.of_units(depth, argument),
            above,
            sd,
            start,
            quadrature=self.quadrature,
            newton_steps=_NEWTON_STEPS,
        )
        return Derivatives(*inside[:3])


def _across(values: FloatArray, like: FloatArray) -> FloatArray:
    """Values of rows (n,), as a column that broadcasts to (n, draws, …)."""
    return values.reshape(-1, *(1,) * (like.ndim - 1))


def _path_centre(expansion: Expansion, depth: int) -> FloatArray:
    """Sum of the centres of effects down to a node, for each of its units, (units,)."""
    nodes = expansion.tree.nodes
    first_leaf = nodes[depth].leaves[:-1]
    centres = [expansion.centre[node.name][node.of_leaf[first_leaf]] for node in nodes[: depth + 1]]
    return np.asarray(np.sum(centres, axis=0))
