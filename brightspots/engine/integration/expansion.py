"""Around which values of effects and σ's the leaves' likelihoods are expanded, and how far the polynomials must reach.

Draws whose effects are about equally uncertain share an expansion (`polynomials` has what is expanded): it is centred
on their own mean, and reaches as far as the effects do under the widest σ's among them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.data.cells import Cells
from brightspots.engine.integration.mode import centre_effects
from brightspots.engine.integration.tree import Scales, Tree, weights_by_node
from brightspots.engine.levels import Level
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
    """S joint draws of log σ (S, k) and border (S, B), and the σ's by level."""

    log_sd: FloatArray
    border: FloatArray
    scales: Scales

    @property
    def size(self) -> int:
        """S."""
        return len(self.log_sd)

    def take(self, members: IntArray) -> Draws:
        """Some of the draws."""
        scales = {level: sd[members] for level, sd in self.scales.items()}
        return Draws(self.log_sd[members], self.border[members], scales)


def make_draws(tree: Tree, log_sd: FloatArray, border: FloatArray) -> Draws:
    """Draws with their σ's sorted by level."""
    return Draws(log_sd, border, tree.scales(log_sd))


def draws_of(tree: Tree, shared: SharedDraws) -> Draws:
    """Take the draws out of the form in which they are handed over."""
    log_sd = np.log(np.column_stack([shared.sd[level] for level in tree.levels]))
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
    centre, reach : mapping of level to (units,)
        For every node of the tree: the centre of its effects, and the half-width around it that polynomials in the
        sum of the effects down to it cover.
    information : (N,)
        Of each leaf's normal pseudo-observation.
    slope : (N,)
        Slope of the pseudo-observation (the leaf's effect not integrated out) at the centre.
    leaf_scales : (J,)
        Values of the leaf's σ between which to interpolate.
    scale_basis : (J, S)
        Interpolation weights of the draws' σ.
    leaf_share : (N,)
        Share of a leaf in the information on its unit of the outermost level.
    """

    tree: Tree
    draws: Draws
    members: IntArray
    border: FloatArray
    centre: Mapping[Level, FloatArray]
    reach: Mapping[Level, FloatArray]
    information: FloatArray
    slope: FloatArray
    leaf_scales: FloatArray
    scale_basis: FloatArray
    leaf_share: FloatArray

    @cached_property
    def leaf_centre(self) -> FloatArray:
        """Linear predictor of each leaf at the centre, its own effect left out, (N,)."""
        return self.tree.predictor(self.border) + self.tree.path(self.centre)

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


def expand_around(cells: Cells, shared: SharedDraws) -> tuple[Expansion, ...]:
    """Expansions for draws in the form in which they are handed over."""
    tree = Tree(cells, tuple(shared.sd))
    return expand(tree, draws_of(tree, shared))


def bands(tree: Tree, draws: Draws) -> list[IntArray]:
    """Sort the draws by how uncertain leaves and units of the outermost level are under them; indices of each band.

    Leaves are judged by those that tell most, at the 0.9 quantile of information, for they need the narrowest bands.
    """
    cells, scales, top = tree.cells, draws.scales, tree.nodes[0]
    _, information = Outcomes.of(cells).guess()
    typical = float(np.quantile(information, 0.9))
    below = sum((scales[level] ** 2 for level in reversed(tree.nested[1:])), np.zeros(draws.size))
    if cells.expected_sd is not None:
        below = below + float(np.median(cells.error_variance))
    leaf_spread = 0.5 * np.log(below + 1.0 / typical)
    known = cells.n_leaves / top.n_units * np.exp(-2.0 * leaf_spread)
    top_spread = -0.5 * np.log(scales[top.name] ** -2.0 + known)
    # Where σ outweighs the data, effects move with the border; where it does not, they stay at 0. One centre does not
    # suit both.
    freedom = np.log1p(scales[top.name] ** 2 * known)
    label = np.zeros(draws.size, dtype=np.int64)
    for spread, width in ((leaf_spread, BAND_WIDTH), (top_spread, BAND_WIDTH), (freedom, FREEDOM_WIDTH)):
        low, high = float(spread.min()), float(spread.max())
        pieces = max(math.ceil((high - low) / width), 1)
        place = np.minimum(((spread - low) / max(high - low, 1e-12) * pieces).astype(np.int64), pieces - 1)
        label = label * pieces + place
    return [np.flatnonzero(label == one) for one in np.unique(label)]


def _expand_band(tree: Tree, draws: Draws, members: IntArray) -> Expansion:
    """Centre an expansion on the draws' own mean, and reach as far as they do."""
    border = draws.border.mean(axis=0)
    centre, data = centre_effects(tree, border, tree.scales(draws.log_sd.mean(axis=0)))
    at = tree.predictor(border) - tree.cells.offset + tree.path(centre)
    widest, narrowest = (
        {level: np.asarray(extreme(sd)) for level, sd in draws.scales.items()} for extreme in (np.max, np.min)
    )
    weight, _ = weights_by_node(tree, data.information, widest)[0]
    leaf_share = weight / tree.nodes[0].sum(weight)[tree.nodes[0].of_leaf]
    border_move = np.abs(border_shift_by_top(tree, (draws.border - border).T, leaf_share)).max(axis=1)
    top_reach = _top_reach(
        tree, data.information, draws.scales, widest, narrowest, centre[tree.nodes[0].name], border_move
    )
    leaf_scales, basis = _scale_nodes(tree.leaf_scale(draws.scales), tree.cells.n_leaves)
    return Expansion(
        tree,
        draws,
        members,
        border,
        centre,
        _reaches(tree, data.information, widest, top_reach),
        data.information,
        data.linear - data.information * at,
        leaf_scales,
        basis,
        leaf_share,
    )


def _top_reach(
    tree: Tree,
    information: FloatArray,
    scales: Scales,
    widest: Scales,
    narrowest: Scales,
    centre: FloatArray,
    border_move: FloatArray,
) -> FloatArray:
    """How far the effects of the outermost level lie from their centre, over the draws, (units,).

    `REACH` conditional standard deviations under the widest σ's, and how far the conditional mean itself moves: with σ,
    which shrinks it to the share σ²·i/(1 + σ²·i), i being the information; and with the border, of whose move the
    effect takes up that share and leaves the rest.

    Parameters
    ----------
    information : (N,)
    scales : Scales
        Of the draws, (S,) each.
    widest, narrowest : Scales
        The largest and the smallest σ of each level.
    centre : (units,)
        Of the effects.
    border_move : (units,)
        Furthest that a draw's border lies from its centre, at each unit.
    """
    top = tree.nodes[0].name
    # Wide effects below leave the top little information, narrow ones much.
    little, much = (
        tree.nodes[0].sum(weights_by_node(tree, information, extreme)[0][0])
        for extreme in (widest, narrowest)
    )

    def shrunken(sd: FloatArray, known: FloatArray) -> FloatArray:
        return np.asarray(sd**2 * known / (1.0 + sd**2 * known))

    sd = widest[top] / np.sqrt(1.0 + widest[top] ** 2 * little)
    usual = np.exp(np.log(scales[top]).mean())
    least, middle, most = (
        shrunken(narrowest[top], little), shrunken(usual, little), shrunken(widest[top], much)
    )  # fmt: skip
    relative = np.maximum(most - middle, middle - least) / np.maximum(middle, 1e-12)
    with_sd = np.minimum(relative * np.abs(centre), np.abs(centre) + 4.0 * widest[top])
    return np.asarray(REACH * sd + with_sd + (1.0 - least) * border_move)


def _reaches(
    tree: Tree, information: FloatArray, widest: Scales, top_reach: FloatArray
) -> dict[Level, FloatArray]:
    """Half-widths in the sum of effects down to each node, (units,) each: the top's, and what each level adds.

    The variance of that sum is taken as the sum of each level's conditional variance, σ²/(1 + σ²·information).
    """
    by_node = weights_by_node(tree, information, widest)
    top = tree.nodes[0]
    reach = {top.name: top_reach}
    variance = widest[top.name] ** 2 * by_node[0][1]
    for link, (_, kept) in zip(tree.links, by_node[1:], strict=True):
        name, above = link.node.name, variance[link.parent]
        variance = above + tree.variance(name, widest) * kept
        reach[name] = reach[link.outer.name][link.parent] + REACH * (np.sqrt(variance) - np.sqrt(above))
    return reach


def border_shift_by_top(
    tree: Tree, border_shift: FloatArray, share: FloatArray, leaves: slice = slice(None)
) -> FloatArray:
    """Border of each draw less its centre, (B, S), averaged over the leaves of each top unit, (units, S)."""
    cells, n_fixed = tree.cells, tree.fixed.shape[1]
    units = tree.nodes[0].of_leaf[leaves]
    units = units - units[0]
    count = int(units[-1]) + 1
    load = np.zeros((count, tree.n_border))
    weighted = share[leaves, np.newaxis] * tree.fixed[leaves]
    for column in range(n_fixed):
        load[:, column] = np.bincount(units, weights=weighted[:, column], minlength=count)
    if tree.n_types:
        at = units * tree.n_types + cells.leaf_type[leaves]
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
