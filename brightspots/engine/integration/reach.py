"""How far polynomials must reach: where the effects of each node lie, over the draws that share an expansion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from brightspots.common.arrays import FloatArray
from brightspots.engine.effects import Mixing
from brightspots.engine.integration.centre import Centre, component_shares
from brightspots.engine.integration.draws import Draws
from brightspots.engine.integration.elimination import Elimination, eliminate, weights_by_node
from brightspots.engine.integration.extents import Extremes, extents
from brightspots.engine.integration.profiles import inside_of, log_density_of_mixture
from brightspots.engine.integration.scales import Scales, usual_factor
from brightspots.engine.integration.tree import Tree
from brightspots.engine.levels import Level

# Standard deviations of an effect, either side of its mode, that an expansion covers.
REACH = 5.0
# Share of an effect's distribution that a component has which polynomials must reach as far as.
_LIKELY = 1e-3
# Points at which the density of an effect is looked at, standard deviations of the prior and of the data around them.
_POINTS, _AROUND = 41, 6.0
# How far the log density has fallen where polynomials may end.
_DEEP = 8.0
# How far at most where the shape of a density matters.
_NEAR = 4.0
# A reach on the scale of counts' logarithms or log odds beyond which densities are looked at (see `extents`).
_LONG = 4.4
# How much further than the curvature at the mode says that is, for a density that is not like a normal's.
_ODD = 1.4


class Reaches(NamedTuple):
    """Where polynomials of every node are centred, and how far they reach.

    Parameters
    ----------
    centre, reach : mapping of level to (units,)
        The reach in the sum of effects down to each node.
    leaf_share : (N,)
        Share of a leaf in the information on its unit of the outermost level.
    is_odd : (units,)
        Units of the outermost level whose effects have a density with shoulders, or with more than one peak.
    """

    centre: Mapping[Level, FloatArray]
    reach: Mapping[Level, FloatArray]
    leaf_share: FloatArray
    is_odd: npt.NDArray[np.bool_]


def reaches(tree: Tree, border: FloatArray, draws: Draws, middle: Scales, found: Centre) -> Reaches:
    """Around which effects polynomials of every node are centred, and how far they reach.

    Parameters
    ----------
    tree : Tree
    border : (B,)
        Centre of the draws' border.
    draws : Draws
    middle : Scales
        In the middle of the draws'.
    found : Centre
        Modes of effects there.
    """
    top, information, scales = tree.nodes[0], found.data.information, draws.scales.usual()
    components = _likely_components(tree, border, middle, found)
    widest, narrowest = (
        replace(scales.extreme(extreme), own=own)
        for extreme, own in zip((np.max, np.min), components, strict=True)
    )
    weight, _ = weights_by_node(tree, information, widest)[0]
    leaf_share = weight / top.sum(weight)[top.of_leaf]
    border_move = np.abs(border_shift_by_top(tree, (draws.border - border).T, leaf_share)).max(axis=1)
    centre, extent, is_odd = found.effects, None, np.zeros(top.n_units, dtype=bool)
    if middle.mixing:
        eliminated = eliminate(tree, information, found.data.linear, found.scales)
        lowest, highest, bends = _extents(tree, border, middle, found, eliminated)
        wider = np.max(scales[top.name]) / middle.usual()[top.name]
        centre = {**centre, top.name: 0.5 * (lowest + highest)}
        extent = 0.5 * (highest - lowest) * max(float(wider), 1.0)
        _, kept = weights_by_node(tree, information, found.scales)[0]
        usual = np.sqrt(tree.variance(top.name, found.scales) * kept)
        # The components of its own effects are integrated one by one, and each density is as the likelihood has it.
        if middle.mixing.keys() - {top.name}:
            # Draws differ in how far the exceptional are from the usual: several peaks under one may be one under most.
            low, high, then_too = _extents(tree, border, _oddest(draws.scales), found, eliminated)
            is_odd = np.maximum(highest - lowest, high - low) > 2.0 * _ODD * np.sqrt(2.0 * _DEEP) * usual
            is_odd |= bends | then_too
    of_top = _top_reach(tree, information, scales, widest, narrowest, centre[top.name], border_move, extent)
    found_reaches = Reaches(centre, _reaches(tree, information, widest, of_top), leaf_share, is_odd)
    return _shortened(tree, border, draws, found_reaches)


def are_long(tree: Tree, reach: FloatArray) -> npt.NDArray[np.bool_]:
    """Which reaches, (units,), are so long that densities are far from normal; none of estimates."""
    return np.asarray((reach > _LONG) & (not tree.cells.family.is_conjugate))


def _shortened(tree: Tree, border: FloatArray, draws: Draws, found: Reaches) -> Reaches:
    """Reaches as densities have them in trusts where some effect is to be reached that lies far off."""
    top = tree.nodes[0]
    longest = np.zeros(top.n_units)
    for node in tree.nodes:
        np.maximum.at(longest, top.of_leaf[node.leaves[:-1]], found.reach[node.name])
    long = np.flatnonzero(are_long(tree, longest))
    if not len(long):
        return found
    moved = border_shift_by_top(tree, (draws.border - border).T, found.leaf_share)
    narrowest, widest = (draws.scales.extreme(extreme) for extreme in (np.min, np.max))
    extremes = Extremes(narrowest, widest, moved.min(axis=1), moved.max(axis=1))
    guess, above = {}, np.zeros(tree.cells.n_leaves)
    for node in tree.nodes:
        above = above + found.centre[node.name][node.of_leaf]
        middle, half = above[node.leaves[:-1]], found.reach[node.name]
        guess[node.name] = middle - half, middle + half
    ranges = extents(tree, border, extremes, guess, long)
    centre, reach, above = {}, {}, np.zeros(tree.cells.n_leaves)
    for node in tree.nodes:
        low, high = ranges[node.name]
        middle, reach[node.name] = 0.5 * (low + high), 0.5 * (high - low)
        centre[node.name] = middle - above[node.leaves[:-1]]
        above = middle[node.of_leaf]
    return found._replace(centre=centre, reach=reach)


def _extents(
    tree: Tree, border: FloatArray, scales: Scales, found: Centre, eliminated: Elimination
) -> tuple[FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    """Between which values the effects of the outermost level lie, (units,) each, whatever the shape of their density.

    And where that bends upwards near its peak.

    Where effects are mixtures the density of a trust's effect may have shoulders and more than one peak: are two of its
    departments out, or the third? It is looked at on a grid (see `profiles`).
    """
    top = tree.nodes[0]
    inside = inside_of(tree, border, found.effects, scales, eliminated)
    prior = tree.components(top.name, scales)
    sd = max(float(one.max()) for _, one in prior)
    own = found.effects[top.name]
    around = _AROUND / np.sqrt(inside.least_known + sd**-2.0)
    lowest, highest = inside.seen_between(np.minimum(own, 0.0), np.maximum(own, 0.0))
    lowest = np.maximum(lowest, own - _AROUND * sd) - around
    highest = np.minimum(highest, own + _AROUND * sd) + around
    at = lowest[:, np.newaxis] + (highest - lowest)[:, np.newaxis] * np.linspace(0.0, 1.0, _POINTS)
    density = inside.log_likelihood(at) + log_density_of_mixture(prior, at)
    within = density > density.max(axis=1, keepdims=True) - _DEEP
    step = (highest - lowest) / (_POINTS - 1)
    first, last = within.argmax(axis=1), _POINTS - 1 - within[:, ::-1].argmax(axis=1)
    rows = np.arange(top.n_units)
    near = density[:, 1:-1] > density.max(axis=1, keepdims=True) - _NEAR
    bends = np.any(near & (np.diff(density, 2, axis=1) > 0.0), axis=1)
    return at[rows, first] - 0.5 * step, at[rows, last] + 0.5 * step, bends


def _likely_components(
    tree: Tree, border: FloatArray, middle: Scales, found: Centre
) -> tuple[dict[Level, FloatArray], dict[Level, FloatArray]]:
    """Variance of the widest and the narrowest component that an effect may well be of, in units of the usual effects'.

    Returns
    -------
    pair of mapping of level to (units,)
        Of the nodes whose effects are a mixture.
    """
    widest: dict[Level, FloatArray] = {}
    narrowest: dict[Level, FloatArray] = {}
    if not any(node.name in middle.mixing for node in tree.nodes):
        return widest, narrowest
    eliminated = eliminate(tree, found.data.information, found.data.linear, found.scales)
    above = tree.predictor(border) - tree.cells.offset
    for node, step in zip(tree.nodes, eliminated.steps, strict=True):
        if node.name in middle.mixing:
            weight, pull = node.sum(step.weight), node.sum(step.linear - step.weight * above)
            share, _ = component_shares(tree, node.name, middle, weight, pull)
            mixing = middle.mixing[node.name]
            variance = ((mixing.factor / usual_factor(mixing)) ** 2)[:, np.newaxis]
            likely = share > _LIKELY
            widest[node.name] = np.max(np.where(likely, variance, 0.0), axis=0)
            narrowest[node.name] = np.min(np.where(likely, variance, np.inf), axis=0)
        above = above + found.effects[node.name][node.of_leaf]
    return widest, narrowest


def _top_reach(
    tree: Tree,
    information: FloatArray,
    scales: Scales,
    widest: Scales,
    narrowest: Scales,
    centre: FloatArray,
    border_move: FloatArray,
    extent: FloatArray | None,
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
    extent : (units,) or None
        In place of the conditional standard deviations where they do not tell: see `_extents`.
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
    within = REACH * sd if extent is None else extent
    return np.asarray(within + with_sd + (1.0 - least) * border_move)


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


def _oddest(scales: Scales) -> Scales:
    """Of the draw whose mixtures have the widest component furthest from the usual effects."""
    away = sum(
        (np.log(np.max(of.factor, axis=0) / usual_factor(of)) for of in scales.mixing.values()), np.zeros(1)
    )
    at = int(np.argmax(away))
    mixing = {level: Mixing(of.log_weight[:, at], of.factor[:, at]) for level, of in scales.mixing.items()}
    of_type = None if scales.of_type is None else scales.of_type[:, at]
    return Scales({level: np.asarray(sd[at]) for level, sd in scales.sd.items()}, mixing, of_type=of_type)
