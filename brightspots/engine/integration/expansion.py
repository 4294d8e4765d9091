"""Around which values of effects and σ's the leaves' likelihoods are expanded, and how far the polynomials must reach.

Draws whose effects are about equally uncertain share an expansion (`polynomials` has what is expanded): it is centred
on their own mean, and reaches as far as the effects do under the widest σ's among them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from brightspots.data.cells import FloatArray, IntArray
from brightspots.engine.integration.mode import centre_effects
from brightspots.engine.integration.tree import Scales, Tree
from brightspots.engine.posterior import SharedDraws
from brightspots.likelihood.outcomes import Outcomes

# Standard deviations of an effect, either side of its mode, that an expansion covers.
REACH = 5.0
# Logarithm of the factor by which the spread of effects may differ between draws of one expansion.
BAND_WIDTH = 0.5
# Logarithm of the factor by which the ratio of a trust's variance to that of its data may differ.
FREEDOM_WIDTH = 3.0
_MOST_SCALE_NODES = 12
_SCALE_TOLERANCE = 20.0


@dataclass(frozen=True, eq=False)
class Draws:
    """S joint draws of log σ (S, k) and border (S, B), and the σ's by role."""

    log_sd: FloatArray
    border: FloatArray
    scales: Scales

    @property
    def size(self) -> int:
        """S."""
        return len(self.log_sd)

    def take(self, members: IntArray) -> Draws:
        """Some of the draws."""
        return Draws(self.log_sd[members], self.border[members], Scales(*(sd[members] for sd in self.scales)))


def make_draws(tree: Tree, log_sd: FloatArray, border: FloatArray) -> Draws:
    """Draws with their σ's sorted by role."""
    return Draws(log_sd, border, tree.scales(log_sd))


def draws_of(tree: Tree, shared: SharedDraws) -> Draws:
    """Take the draws out of the form in which they are handed over."""
    by_level = (shared.sd_trust, shared.sd_department, shared.sd_period, shared.sd_department_type)
    log_sd = np.log(np.column_stack([sd for sd in by_level if sd is not None]))
    types = [shared.type_effect] if tree.n_types else []
    border = np.column_stack([shared.intercept, shared.coefficients, *types])
    return make_draws(tree, log_sd, border)


@dataclass(frozen=True, eq=False)
class Expansion:
    """Where the polynomials of a tree are centred and how far they reach, for a set of draws.

    Parameters
    ----------
    tree : Tree
    draws : Draws
        Those that it is for.
    members : int array
        Their places among all draws.
    border : (B,)
        Centre of the border.
    trust, cell : (T,), (C,)
        Centres of u and v.
    information : (N,)
        Of each leaf's normal pseudo-observation.
    slope : (N,)
        Slope of the pseudo-observation (the leaf's effect not integrated out) at the centre.
    leaf_sds : (J,)
        Values of the leaf's σ between which to interpolate.
    scale_basis : (J, S)
        Interpolation weights of the draws' σ.
    leaf_share : (N,)
        Share of a leaf in the information on its trust.
    trust_reach, cell_reach : (T,), (C,)
        Half-widths in u and, with a middle level, in u + v.
    """

    tree: Tree
    draws: Draws
    members: IntArray
    border: FloatArray
    trust: FloatArray
    cell: FloatArray
    information: FloatArray
    slope: FloatArray
    leaf_sds: FloatArray
    scale_basis: FloatArray
    leaf_share: FloatArray
    trust_reach: FloatArray
    cell_reach: FloatArray

    @cached_property
    def border_shift(self) -> FloatArray:
        """Border of each draw less the centre, (B, S)."""
        return np.ascontiguousarray((self.draws.border - self.border).T)

    @cached_property
    def type_shift(self) -> FloatArray:
        """Intercept and department type of each draw less the centre, (A, S); one row where there are no types."""
        types = self.border_shift[self.tree.fixed.shape[1] :] if self.tree.n_types else 0.0
        return np.atleast_2d(self.border_shift[0] + types)


def expand(tree: Tree, draws: Draws) -> tuple[Expansion, ...]:
    """Expansions for the draws, one for each band of draws whose effects are about equally uncertain.

    A polynomial must reach as far as the effects do under the widest σ's among its draws, so a table whose σ's are
    uncertain by a factor needs several; the larger a table the more its σ's are known, and one is enough.
    """
    return tuple(_expand_band(tree, draws.take(members), members) for members in bands(tree, draws))


def bands(tree: Tree, draws: Draws) -> list[IntArray]:
    """Sort the draws by how uncertain leaves and trusts are under them; ascending indices of each band."""
    cells, scales = tree.cells, draws.scales
    _, information = Outcomes.of(cells).guess()
    typical = float(np.quantile(information, 0.9))
    leaf_spread = 0.5 * np.log(scales.leaf**2 + scales.middle**2 + 1.0 / typical)
    count = cells.n_leaves / cells.n_trusts
    known = count * np.exp(-2.0 * leaf_spread)
    trust_spread = -0.5 * np.log(scales.trust**-2.0 + known)
    # Free trusts follow the border with their effects, tight ones stay: one centre does not suit both.
    freedom = np.log1p(scales.trust**2 * known)
    label = np.zeros(draws.size, dtype=np.int64)
    for spread, width in ((leaf_spread, BAND_WIDTH), (trust_spread, BAND_WIDTH), (freedom, FREEDOM_WIDTH)):
        low, high = float(spread.min()), float(spread.max())
        pieces = max(math.ceil((high - low) / width), 1)
        place = np.minimum(((spread - low) / max(high - low, 1e-12) * pieces).astype(np.int64), pieces - 1)
        label = label * pieces + place
    return [np.flatnonzero(label == one) for one in np.unique(label)]


def _expand_band(tree: Tree, draws: Draws, members: IntArray) -> Expansion:
    """Centre an expansion on the draws' own mean, and reach as far as they do."""
    cells = tree.cells
    log_centre = draws.log_sd.mean(axis=0)
    border = draws.border.mean(axis=0)
    scales = tree.scales(log_centre)
    trust, cell, information, linear = centre_effects(tree, border, scales)
    at = tree.predictor(border) - cells.offset + trust[cells.leaf_trust] + cell[cells.leaf_cell]
    widest, narrowest = (
        Scales(*(np.asarray(extreme(sd)) for sd in draws.scales)) for extreme in (np.max, np.min)
    )
    weight, lost, least = _trust_information(tree, information, widest)
    most = _trust_information(tree, information, narrowest)[2]
    leaf_share = weight / (lost * np.bincount(cells.leaf_trust, weights=weight / lost)[cells.leaf_trust])
    trust_sd = widest.trust / np.sqrt(1.0 + widest.trust**2 * least)
    cell_sd = np.sqrt(trust_sd[cells.cell_trust] ** 2 + widest.middle**2 / lost[cells.cell_leaves[:-1]])
    # How far the mode of u moves from its centre as σ_u and the border move.
    freest = widest.trust**2 * most / (1.0 + widest.trust**2 * most)
    tightest = narrowest.trust**2 * least / (1.0 + narrowest.trust**2 * least)
    usual = scales.trust**2 * least / (1.0 + scales.trust**2 * least)
    pull = np.maximum(freest - usual, usual - tightest) / np.maximum(usual, 1e-12)
    wander = np.minimum(pull * np.abs(trust), np.abs(trust) + 4.0 * widest.trust)
    border_move = np.abs(trust_shift(tree, (draws.border - border).T, leaf_share)).max(axis=1)
    trust_reach = REACH * trust_sd + wander + (1.0 - tightest) * border_move
    sds, basis = _scale_nodes(draws.scales.leaf, cells.n_leaves)
    return Expansion(
        tree, draws, members, border, trust, cell, information, linear - information * at, sds, basis, leaf_share,
        trust_reach, trust_reach[cells.cell_trust] + REACH * (cell_sd - trust_sd[cells.cell_trust]),
    )  # fmt: skip


def _trust_information(tree: Tree, information: FloatArray, scales: Scales) -> tuple[FloatArray, ...]:
    """Weight of each leaf (N,), by how much its department's effect dilutes it (N,), and each trust's sum (T,)."""
    cells = tree.cells
    weight = information / (1.0 + information * scales.leaf**2)
    lost = (1.0 + scales.middle**2 * cells.cell_sum(weight))[cells.leaf_cell]
    total = np.bincount(cells.leaf_trust, weights=weight / lost, minlength=cells.n_trusts)
    return weight, lost, np.asarray(total, dtype=np.float64)


def trust_shift(
    tree: Tree, border_shift: FloatArray, share: FloatArray, leaves: slice = slice(None)
) -> FloatArray:
    """Border of each draw less its centre, (B, S), averaged over the leaves of each trust, (T', S)."""
    cells, n_fixed = tree.cells, tree.fixed.shape[1]
    trusts = cells.leaf_trust[leaves] - cells.leaf_trust[leaves][0]
    count = int(trusts[-1]) + 1
    load = np.zeros((count, tree.n_border))
    weighted = share[leaves, np.newaxis] * tree.fixed[leaves]
    for column in range(n_fixed):
        load[:, column] = np.bincount(trusts, weights=weighted[:, column], minlength=count)
    if tree.n_types:
        at = trusts * tree.n_types + cells.leaf_type[leaves]
        load[:, n_fixed:] = np.bincount(at, weights=share[leaves], minlength=count * tree.n_types).reshape(
            count, -1
        )
    return np.asarray(load @ border_shift)


def _scale_nodes(sd: FloatArray, n_leaves: int) -> tuple[FloatArray, FloatArray]:
    """Chebyshev nodes for the leaf's σ over the draws, (J,), and each draw's Lagrange weights, (J, S).

    The variable is ½·log(σ² + c²), in which a leaf's log likelihood is smooth from σ = 0 upwards. What is interpolated
    is only the small remainder over the normal pseudo-observations, so a few nodes do; more where σ is uncertain.
    """
    low, high = float(sd.min()), float(sd.max())
    if high == low:
        return np.array([low]), np.ones((1, len(sd)))
    floor = (0.3 * high) ** 2
    variable = 0.5 * np.log(sd**2 + floor)
    middle, half = 0.5 * (variable.max() + variable.min()), 0.5 * (variable.max() - variable.min())
    count = 3
    while count < _MOST_SCALE_NODES and n_leaves * half**count / math.factorial(count) > _SCALE_TOLERANCE:
        count += 1
    nodes = np.cos(np.pi * (np.arange(count) + 0.5) / count)
    x = (variable - middle) / half
    basis = np.ones((count, len(sd)))
    for j in range(count):
        for i in range(count):
            if i != j:
                basis[j] *= (x - nodes[i]) / (nodes[j] - nodes[i])
    return np.sqrt(np.maximum(np.exp(2.0 * (middle + half * nodes)) - floor, 0.0)), basis
