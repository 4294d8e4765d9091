"""Marginal likelihood of trusts by nested quadrature, without any expansion: what checks the fast one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.engine.integration.expansion import Expansion
from brightspots.engine.integration.leaf import hermite, integrate_normal, leaf_marginals, mix_values
from brightspots.engine.integration.scales import Scales
from brightspots.likelihood.family import Derivatives
from brightspots.likelihood.outcomes import Outcomes

# Enough for a start that is off by several standard deviations of the effect to reach the mode.
_NEWTON_STEPS = 8
_FURTHEST_START = 4.0
# Points of a grid where quadrature around one mode will not do, and how much further than an expansion it goes.
_GRID_POINTS, _WIDER = 161, 1.3


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
    top, tree = expansion.tree.nodes[0].name, expansion.tree
    if nested.scales.mixing:
        return _on_grid(expansion, nested, trust, draws)
    sd = tree.sd(top, nested.scales)[0]
    result = integrate_normal(
        lambda argument: nested.of_units(0, argument),
        np.zeros((1, len(sd))),
        sd[np.newaxis],
        (expansion.centre[top][trust] / sd)[np.newaxis],
        quadrature=nested.quadrature,
    )
    return result.value[0]


def _on_grid(expansion: Expansion, nested: _Nested, trust: int, draws: IntArray) -> FloatArray:
    """The outermost integral by the trapezoidal rule: under mixtures its integrand may have several peaks."""
    top, tree = expansion.tree.nodes[0].name, expansion.tree
    moved = np.abs(tree.fixed[nested.leaves] @ (expansion.border_shift[: tree.fixed.shape[1], draws])).max()
    moved += np.abs(expansion.type_shift[:, draws]).max()
    half = _WIDER * expansion.reach[top][trust] + moved
    effect = expansion.centre[top][trust] + half * np.linspace(-1.0, 1.0, _GRID_POINTS)
    inside = nested.of_units(0, np.broadcast_to(effect, (1, len(draws), len(effect)))).value[0]
    log_prior = np.logaddexp.reduce([
        np.reshape(log_weight, (-1, 1)) - np.log(sd[0, :, np.newaxis]) - 0.5 * (effect / sd[0, :, np.newaxis]) ** 2
        for log_weight, sd in tree.components(top, nested.scales)
    ])  # fmt: skip
    step = 2.0 * half / (_GRID_POINTS - 1)
    return np.asarray(np.logaddexp.reduce(inside + log_prior, axis=1) + np.log(step / np.sqrt(2.0 * np.pi)))


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
    scales : Scales
        Of the effects, at the S draws.
    information : (L,)
        Of the leaves on their predictor, their own effects integrated out, roughly.
    quadrature : (nodes,), (nodes,)
        Points and log weights.
    """

    expansion: Expansion
    leaves: slice
    outcomes: Outcomes
    base: FloatArray
    scales: Scales
    information: FloatArray
    quadrature: tuple[FloatArray, FloatArray]

    @staticmethod
    def of_trust(expansion: Expansion, trust: int, draws: IntArray, nodes: int) -> _Nested:
        """The integrals of one trust."""
        tree = expansion.tree
        bounds = tree.nodes[0].leaves
        leaves = slice(int(bounds[trust]), int(bounds[trust + 1]))
        scales = expansion.draws.scales.take(draws)
        leaf_sd = tree.leaf_sd(scales.usual(), leaves)
        known = expansion.information[leaves]
        return _Nested(
            expansion=expansion,
            leaves=leaves,
            outcomes=Outcomes.of(tree.cells, leaves),
            base=np.stack(
                [tree.predictor(border)[leaves] for border in expansion.draws.border[draws]], axis=1
            ),
            scales=scales,
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
        tree = self.expansion.tree
        parts = []
        for log_weight, sd in tree.leaf_components(self.scales, self.leaves):
            found = leaf_marginals(
                self.outcomes,
                predictor,
                sd.reshape(*sd.shape, *more),
                tree.loops,
                nodes=len(self.quadrature[0]),
            )[:3]
            parts.append((log_weight, Derivatives(*found)))
        return _mixed(parts)

    def of_node(self, depth: int, above: FloatArray) -> Derivatives:
        """The same as `of_units` with the node's own effects integrated out, given the sum of effects above it."""
        node, link = self.expansion.tree.nodes[depth], self.expansion.tree.links[depth - 1]
        units = node.units(self.leaves)
        known = np.add.reduceat(self.information, node.leaves[units] - self.leaves.start)
        off = above - _across(_path_centre(self.expansion, depth - 1)[link.parent[units]], above)
        parts = []
        for log_weight, of_units in self.expansion.tree.components(node.name, self.scales, units):
            sd = np.broadcast_to(of_units.reshape(*of_units.shape, *(1,) * (above.ndim - 2)), above.shape)
            # Where the data outweigh the prior, the effect makes up for what those above are off their centres.
            share = sd**2 * _across(known, above) / (1.0 + sd**2 * _across(known, above))
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
            parts.append((log_weight, Derivatives(*inside[:3])))
        return _mixed(parts)


def _mixed(parts: Sequence[tuple[FloatArray | float, Derivatives]]) -> Derivatives:
    """Log of a mixture with its slope and curvature, (n, S, …), from log weights, (S,), and those of its components."""
    if len(parts) == 1:
        return parts[0][1]
    weighted = [
        np.stack([of.value + _along(log_weight, of.value), of.slope, of.curvature])
        for log_weight, of in parts
    ]
    value, slope, curvature = mix_values(np.stack(weighted))
    # Newton's steps, for which the curvature is, go uphill.
    return Derivatives(value, slope, np.minimum(curvature, 0.0))


def _along(values: FloatArray | float, like: FloatArray) -> FloatArray:
    """Values of draws (S,), as a row that broadcasts to (n, S, …)."""
    return np.asarray(values).reshape(-1, *(1,) * (like.ndim - 2))


def _across(values: FloatArray, like: FloatArray) -> FloatArray:
    """Values of rows (n,), as a column that broadcasts to (n, draws, …)."""
    return values.reshape(-1, *(1,) * (like.ndim - 1))


def _path_centre(expansion: Expansion, depth: int) -> FloatArray:
    """Sum of the centres of effects down to a node, for each of its units, (units,)."""
    nodes = expansion.tree.nodes
    first_leaf = nodes[depth].leaves[:-1]
    centres = [expansion.centre[node.name][node.of_leaf[first_leaf]] for node in nodes[: depth + 1]]
    return np.asarray(np.sum(centres, axis=0))
