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
    """S joint draws of what all trusts share.

    Parameters
    ----------
    parameters : (S, k)
        Log σ and what else is sampled: see `Tree.scales`.
    border : (S, B)
    of_types : (S, D) or None
        Log σ of department types, where they differ.
    scales : Scales
        All σ's by level.
    """

    parameters: FloatArray
    border: FloatArray
    of_types: FloatArray | None
    scales: Scales

    @property
    def size(self) -> int:
        """S."""
        return len(self.parameters)

    def take(self, members: IntArray) -> Draws:
        """Some of the draws."""
        of_types = None if self.of_types is None else self.of_types[members]
        return Draws(self.parameters[members], self.border[members], of_types, self.scales.take(members))

    def middle(self, tree: Tree) -> Scales:
        """σ's in the middle of the draws, numbers."""
        of_types = None if self.of_types is None else self.of_types.mean(axis=0)
        return tree.scales(self.parameters.mean(axis=0), of_types)


def make_draws(tree: Tree, parameters: FloatArray, rest: FloatArray) -> Draws:
    """Draws with their σ's sorted by level, from parameters (S, k), and border and what types have of their own."""
    border, of_types = np.split(rest, [tree.n_border], axis=1)
    found = np.ascontiguousarray(of_types) if of_types.size else None
    return Draws(parameters, np.ascontiguousarray(border), found, tree.scales(parameters, found))


def draws_of(tree: Tree, shared: SharedDraws) -> Draws:
    """Take the draws out of the form in which they are handed over."""
    log_sd = [np.log(shared.sd[level]) for level in tree.levels]
    parameters = np.column_stack([*log_sd, *(of.free for of in shared.effects.values())])
    types = [shared.type_effect] if tree.n_types else []
    own = () if shared.sd_department_by_type is None else (np.log(shared.sd_department_by_type),)
    return make_draws(
        tree, parameters, np.column_stack([shared.intercept, shared.coefficients, *types, *own])
    )
