"""Marginal likelihood of trusts by nested quadrature, without any expansion: what checks the fast one."""

from __future__ import annotations

import numpy as np

from brightspots.data.cells import FloatArray, IntArray
from brightspots.engine.integration.expansion import Expansion
from brightspots.engine.integration.leaf import hermite, integrate_normal, leaf_marginals
from brightspots.likelihood.family import Derivatives
from brightspots.likelihood.outcomes import Outcomes

# Nothing is saved here: a start that is off by several standard deviations still reaches the mode.
_NEWTON_STEPS = 8
_FURTHEST_START = 4.0


def trust_log_likelihood(expansion: Expansion, trust: int, draws: IntArray, *, nodes: int = 11) -> FloatArray:
    """Log marginal likelihood of one trust at some draws, (draws,), by quadrature nested to the leaves."""
    tree = expansion.tree
    data = tree.cells
    cells = slice(int(data.trust_cells[trust]), int(data.trust_cells[trust + 1]))
    leaves = slice(int(data.cell_leaves[cells.start]), int(data.cell_leaves[cells.stop]))
    outcomes = Outcomes.of(data, leaves)
    starts = data.cell_leaves[cells] - leaves.start
    border = expansion.draws.border[draws]
    base = np.stack([tree.predictor(one)[leaves] for one in border], axis=1)
    sd = type(expansion.draws.scales)(*(values[draws] for values in expansion.draws.scales))

    information = expansion.information[leaves]
    known = np.add.reduceat(information / (1.0 + information * np.median(sd.leaf) ** 2), starts)

    def of_leaves(effect: FloatArray) -> Derivatives:
        extra = (1,) * (effect.ndim - 2)
        predictor = base.reshape(*base.shape, *extra) + effect
        inside = leaf_marginals(outcomes, predictor, sd.leaf.reshape(-1, *extra), tree.loops, nodes=nodes)
        return Derivatives(*(np.add.reduceat(part, starts, axis=0) for part in inside[:3]))

    def spread(effect: FloatArray) -> FloatArray:
        counts = np.diff(np.append(starts, leaves.stop - leaves.start))
        return np.repeat(effect, counts, axis=0)

    def of_cells(effect: FloatArray) -> Derivatives:
        extra = (1,) * (effect.ndim - 2)
        if not tree.has_middle:
            return of_leaves(spread(effect))
        scale = np.broadcast_to(sd.middle.reshape(1, -1, *extra), effect.shape)
        # Where the data outweigh the prior, v makes up for what the trust's effect is off its centre.
        kept = (scale**2 * known.reshape(-1, 1, *extra)) / (1.0 + scale**2 * known.reshape(-1, 1, *extra))
        mode = expansion.cell[cells].reshape(-1, 1, *extra) - kept * (effect - expansion.trust[trust])
        inside = integrate_normal(
            lambda argument: of_leaves(spread(argument)),
            effect,
            scale,
            np.clip(mode / np.maximum(scale, 1e-12), -_FURTHEST_START, _FURTHEST_START),
            quadrature=hermite(nodes),
            newton_steps=_NEWTON_STEPS,
        )
        return Derivatives(*inside[:3])

    def of_trust(effect: FloatArray) -> Derivatives:
        wide = np.broadcast_to(effect, (len(starts), *effect.shape[1:]))
        return Derivatives(*(part.sum(axis=0, keepdims=True) for part in of_cells(wide)))

    start = expansion.trust[trust] / sd.trust
    result = integrate_normal(
        of_trust,
        np.zeros((1, len(border))),
        sd.trust[np.newaxis],
        start[np.newaxis],
        quadrature=hermite(nodes),
    )
    return result.value[0]
