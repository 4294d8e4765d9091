"""Marginal likelihood of trusts by nested quadrature, without any expansion: what checks the fast one."""

from __future__ import annotations

import numpy as np

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.engine.integration.expansion import Expansion
from brightspots.engine.integration.leaf import hermite, integrate_normal, leaf_marginals
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
    tree = expansion.tree
    top, innermost = tree.nodes[0], tree.nodes[-1]
    leaves = slice(int(top.leaves[trust]), int(top.leaves[trust + 1]))
    outcomes = Outcomes.of(tree.cells, leaves)
    base = np.stack([tree.predictor(border)[leaves] for border in expansion.draws.border[draws]], axis=1)
    scales = {level: sd[draws] for level, sd in expansion.draws.scales.items()}
    leaf_sd = tree.leaf_sd(scales)
    information = expansion.information[leaves] / (
        1.0 + expansion.information[leaves] * np.median(leaf_sd) ** 2
    )

    def across(values: FloatArray, like: FloatArray) -> FloatArray:
        """Values of rows (n,), as a column that broadcasts to (n, draws, …)."""
        return values.reshape(-1, *(1,) * (like.ndim - 1))

    def of_units(depth: int, path: FloatArray) -> Derivatives:
        """Log likelihood of the units of a node of this trust, given the sum of effects down to each, (units, …)."""
        node = tree.nodes[depth]
        if node is innermost:
            bounds = node.leaves[node.units(leaves).start : node.units(leaves).stop + 1]
            predictor = base.reshape(*base.shape, *(1,) * (path.ndim - 2)) + np.repeat(
                path, np.diff(bounds), axis=0
            )
            sd = leaf_sd.reshape(-1, *(1,) * (path.ndim - 2))
            inside = Derivatives(*leaf_marginals(outcomes, predictor, sd, tree.loops, nodes=nodes)[:3])
            starts = bounds[:-1] - leaves.start
        else:
            link = tree.links[depth]
            starts = link.starts(node.units(leaves))
            count = len(link.parent[link.node.units(leaves)])
            inside = of_node(depth + 1, np.repeat(path, np.diff(np.append(starts, count)), axis=0))
        return Derivatives(*(np.add.reduceat(part, starts, axis=0) for part in inside))

    def of_node(depth: int, above: FloatArray) -> Derivatives:
        """The same with the node's own effects integrated out, given the sum of effects above it, (units, …)."""
        node, link = tree.nodes[depth], tree.links[depth - 1]
        units = node.units(leaves)
        sd = np.broadcast_to(scales[node.name].reshape(1, -1, *(1,) * (above.ndim - 2)), above.shape)
        known = np.add.reduceat(information, node.leaves[units] - leaves.start)
        # Where the data outweigh the prior, the effect makes up for what those above are off their centres.
        share = sd**2 * across(known, above) / (1.0 + sd**2 * across(known, above))
        off = above - across(_path_centre(expansion, depth - 1)[link.parent[units]], above)
        mode = across(expansion.centre[node.name][units], above) - share * off
        start = np.clip(mode / np.maximum(sd, 1e-12), -_FURTHEST_START, _FURTHEST_START)
        inside = integrate_normal(
            lambda argument: of_units(depth, argument),
            above,
            sd,
            start,
            quadrature=hermite(nodes),
            newton_steps=_NEWTON_STEPS,
        )
        return Derivatives(*inside[:3])

    sd = scales[top.name]
    result = integrate_normal(
        lambda argument: of_units(0, argument),
        np.zeros((1, len(sd))),
        sd[np.newaxis],
        (expansion.centre[top.name][trust] / sd)[np.newaxis],
        quadrature=hermite(nodes),
    )
    return result.value[0]


def _path_centre(expansion: Expansion, depth: int) -> FloatArray:
    """Sum of the centres of effects down to a node, for each of its units, (units,)."""
    nodes = expansion.tree.nodes
    first_leaf = nodes[depth].leaves[:-1]
    centres = [expansion.centre[node.name][node.of_leaf[first_leaf]] for node in nodes[: depth + 1]]
    return np.asarray(np.sum(centres, axis=0))
