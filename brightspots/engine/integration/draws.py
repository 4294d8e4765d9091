"""Joint draws of what all trusts share, as the engine goes on with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.engine.integration.scales import Scales
from brightspots.engine.integration.tree import Tree
from brightspots.engine.posterior import SharedDraws


@dataclass(frozen=True, eq=False)
class Draws:
    """S joint draws of log σ and what else is sampled, (S, k), and of the border (S, B); and the σ's by level."""

    parameters: FloatArray
    border: FloatArray
    scales: Scales

    @property
    def size(self) -> int:
        """S."""
        return len(self.parameters)

    def take(self, members: IntArray) -> Draws:
        """Some of the draws."""
        return Draws(self.parameters[members], self.border[members], self.scales.take(members))


def make_draws(tree: Tree, parameters: FloatArray, border: FloatArray) -> Draws:
    """Draws with their σ's sorted by level."""
    return Draws(parameters, border, tree.scales(parameters))


def draws_of(tree: Tree, shared: SharedDraws) -> Draws:
    """Take the draws out of the form in which they are handed over."""
    log_sd = [np.log(shared.sd[level]) for level in tree.levels]
    parameters = np.column_stack([*log_sd, *(of.free for of in shared.effects.values())])
    types = [shared.type_effect] if tree.n_types else []
    border = np.column_stack([shared.intercept, shared.coefficients, *types])
    return make_draws(tree, parameters, border)
