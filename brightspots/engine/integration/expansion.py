"""Around which values of effects and σ's the leaves' likelihoods are expanded, and how far the polynomials must reach.

Draws whose effects are about equally uncertain share an expansion (`polynomials` has what is expanded): it is centred
on their own mean, and reaches as far as the effects do under the widest σ's among them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.data.cells import Cells
from brightspots.engine.effects import Mixing
from brightspots.engine.integration.centre import centre_effects, pseudo_data
from brightspots.engine.integration.draws import Draws, draws_of
from brightspots.engine.integration.reach import reaches
from brightspots.engine.integration.scales import Scales
from brightspots.engine.integration.tree import Tree
from brightspots.engine.levels import Level
from brightspots.engine.posterior import SharedDraws
from brightspots.likelihood.outcomes import Outcomes

# Logarithm of the factor by which the spread of effects may differ between draws of one expansion.
BAND_WIDTH = 0.5
# Logarithm of the factor by which the ratio of a trust's variance to that of its data may differ.
FREEDOM_WIDTH = 3.0
_MOST_SCALE_NODES = 12
_SCALE_TOLERANCE, _TOLERANCE_OF_TYPES = 20.0, 0.5


@dataclass(frozen=True, eq=False)
class LeafMixing:
    """How the normals that leaves' effects are a mixture of follow from normals at a few standard deviations.

    Parameters
    ----------
    scales : (R, J)
        Standard deviations between which to interpolate, for each row of `Tree.leaf_rows`.
    nodes : int (M, 2)
        For each component: the first of those that it is interpolated between, and how many they are.
    basis : (R, J', S)
        Interpolation weights of the draws, component after component.
    log_weight : (M, S)
    """

    scales: FloatArray
    nodes: IntArray
    basis: FloatArray
    log_weight: FloatArray


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
    leaf_row : int (N,)
        Which row of σ's each leaf has: see `Tree.leaf_rows`.
    leaf_scales : (R, J)
        Values of the leaf's σ between which to interpolate.
    scale_basis : (R, J, S)
        Interpolation weights of the draws' σ.
    leaf_share : (N,)
        Share of a leaf in the information on its unit of the outermost level.
    is_odd : (units,)
        Units of the outermost level whose effects have a density with shoulders, or with more than one peak.
    leaf_mixing : LeafMixing or None
        In place of `leaf_scales` and `scale_basis` where effects of leaves are not normal.
    """

    tree: Tree
    draws: Draws
    members: IntArray
    border: FloatArray
    centre: Mapping[Level, FloatArray]
    reach: Mapping[Level, FloatArray]
    information: FloatArray
    slope: FloatArray
    leaf_row: IntArray
    leaf_scales: FloatArray
    scale_basis: FloatArray
    leaf_share: FloatArray
    is_odd: npt.NDArray[np.bool_]
    leaf_mixing: LeafMixing | None = None

    @cached_property
    def leaf_centre(self) -> FloatArray:
        """Linear predictor of each leaf at the centre, its own effect left out, (N,)."""
        return self.tree.predictor(self.border) + self.tree.path(self.centre)

    @cached_property
    def of_components(self) -> tuple[tuple[FloatArray, Expansion], ...]:
        """For each component of leaves' effects: log weight (S,), and the expansion as if all were of it."""
        tree, level, scales = self.tree.normal, self.tree.leaf_level, self.draws.scales
        assert level is not None  # effects of leaves are a mixture
        predictor, found = self.leaf_centre, []
        for log_weight, factor in zip(*scales.mixing[level], strict=True):
            of_component = Scales({**scales.sd, level: scales[level] * factor}, of_type=scales.of_type)
            data = pseudo_data(tree, predictor, of_component.extreme(_geometric_mean))
            leaf_scales, basis = _scale_nodes(tree.leaf_rows(of_component)[0], tree.cells.n_leaves)
            normal = replace(
                self,
                tree=tree,
                draws=replace(self.draws, scales=of_component),
                information=data.information,
                slope=data.linear - data.information * (predictor - tree.cells.offset),
                leaf_scales=leaf_scales,
                scale_basis=basis,
                leaf_mixing=None,
            )
            found.append((log_weight, normal))
        return tuple(found)

    @cached_property
    def own_blur(self) -> FloatArray:
        """Factor by which leaves' own effects, at their narrowest, blur what they say of those above, (N,)."""
        narrowest = self.tree.leaf_variance(self.draws.scales.usual().extreme(np.min))
        return np.asarray(1.0 + self.information * narrowest)

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
    return tuple(expand_band(tree, draws.take(members), members) for members in bands(tree, draws))


def expand_around(cells: Cells, shared: SharedDraws) -> tuple[Expansion, ...]:
    """Expansions for draws in the form in which they are handed over."""
    effects = {level: of.distribution for level, of in shared.effects.items()}
    tree = Tree(cells, tuple(shared.sd), effects, not shared.has_one_sd)
    return expand(tree, draws_of(tree, shared))


def bands(tree: Tree, draws: Draws) -> list[IntArray]:
    """Sort the draws by how uncertain leaves and units of the outermost level are under them; indices of each band.

    Leaves are judged by those that tell most, at the 0.9 quantile of information, for they need the narrowest bands.
    """
    cells, scales, top = tree.cells, draws.scales.usual(), tree.nodes[0]
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


def expand_band(tree: Tree, draws: Draws, members: IntArray) -> Expansion:
    """Centre an expansion on the draws' own mean, and reach as far as they do."""
    border = draws.border.mean(axis=0)
    middle = draws.middle(tree)
    found = centre_effects(tree, border, middle)
    centre, reach, leaf_share, is_odd = reaches(tree, border, draws, middle, found)
    data = found.data
    at = tree.predictor(border) - tree.cells.offset + tree.path(centre)
    rows, leaf_row = tree.leaf_rows(draws.scales)
    leaf_scales, basis = _scale_nodes(rows, tree.cells.n_leaves)
    of_leaf = None
    if tree.leaf_level is not None and tree.leaf_level in draws.scales.mixing:
        of_leaf = _leaf_mixing(draws.scales.mixing[tree.leaf_level], rows)
    return Expansion(
        tree,
        draws,
        members,
        border,
        centre,
        reach,
        data.information,
        data.linear - data.information * at,
        leaf_row,
        leaf_scales,
        basis,
        leaf_share,
        is_odd,
        of_leaf,
    )


def _geometric_mean(values: FloatArray) -> np.floating:
    return np.exp(np.log(values).mean())


def _scale_nodes(sd: FloatArray, n_leaves: int) -> tuple[FloatArray, FloatArray]:
    """Chebyshev nodes for the leaf's σ over the draws, (R, J), and each draw's Lagrange weights, (R, J, S).

    The variable is ½·log(σ² + c²), in which a leaf's log likelihood is smooth from σ = 0 upwards. What is interpolated
    is only the small remainder over the normal pseudo-observations, so a few nodes do; more where σ is uncertain.

    Parameters
    ----------
    sd : (R, S)
    n_leaves : int
    """
    low, high = sd.min(axis=1, keepdims=True), sd.max(axis=1, keepdims=True)
    if np.all(high == low):
        return low, np.ones((len(sd), 1, sd.shape[1]))
    # Of types, which few units may tell of, single draws lie far out; the others must not suffer.
    floor = (0.3 * (high if len(sd) == 1 else np.median(sd, axis=1, keepdims=True))) ** 2
    middle, half, variable = _stretch(sd, floor)
    count, tolerance = 3, _SCALE_TOLERANCE if len(sd) == 1 else _TOLERANCE_OF_TYPES
    widest = float(half.max())
    while count < _MOST_SCALE_NODES and n_leaves * widest**count / math.factorial(count) > tolerance:
        count += 1
    nodes = np.cos(np.pi * (np.arange(count) + 0.5) / count)
    basis = np.stack([_lagrange(nodes, row) for row in variable])
    return np.sqrt(np.maximum(np.exp(2.0 * (middle + half * nodes)) - floor, 0.0)), basis


def _leaf_mixing(mixing: Mixing, sd: FloatArray) -> LeafMixing:
    """Nodes and weights for every component.

    What is interpolated is the whole log likelihood, not a small remainder. Two components have nodes of their own, for
    either is needed over its own range alone; more than two share what covers all of them.

    Parameters
    ----------
    mixing : Mixing (M, S)
    sd : (R, S)
    """
    spread = mixing.factor[:, np.newaxis] * sd
    usual = spread[np.argmax(mixing.log_weight.mean(axis=1))]
    floor = (0.3 * np.median(usual, axis=1, keepdims=True)) ** 2
    components, rows, draws = spread.shape
    shared = components > 2
    # Either component by itself, or all of them as if they were draws.
    ranges = [np.moveaxis(spread, 0, 1).reshape(rows, -1)] if shared else list(spread)
    scales: list[FloatArray] = []
    basis: list[FloatArray] = []
    nodes: list[tuple[int, int]] = []
    for part in ranges:
        middle, half, variable = _stretch(part, floor)
        count = int(np.clip(math.ceil(4.0 + 5.0 * float(half.max())), 4, _MOST_SCALE_NODES))
        of = np.cos(np.pi * (np.arange(count) + 0.5) / count)
        start = sum(each.shape[1] for each in scales)
        scales.append(np.sqrt(np.maximum(np.exp(2.0 * (middle + half * of)) - floor, 0.0)))
        for one in np.moveaxis(variable.reshape(rows, -1, draws), 1, 0):
            nodes.append((start, count))
            basis.append(np.stack([_lagrange(of, row) for row in one]))
    return LeafMixing(
        np.concatenate(scales, axis=1),
        np.array(nodes, dtype=np.int64),
        np.ascontiguousarray(np.concatenate(basis, axis=1)),
        np.ascontiguousarray(mixing.log_weight),
    )


def _stretch(sd: FloatArray, floor: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Middle and half-width, (R, 1) each, of ½·log(σ² + floor), and where σ's lie on it, from −1 to 1, (R, S)."""
    variable = 0.5 * np.log(sd**2 + floor)
    low, high = variable.min(axis=1, keepdims=True), variable.max(axis=1, keepdims=True)
    middle, half = 0.5 * (high + low), 0.5 * (high - low)
    return middle, half, (variable - middle) / np.where(half > 0.0, half, 1.0)


def _lagrange(nodes: FloatArray, x: FloatArray) -> FloatArray:
    """Weights of the values at nodes in the polynomial through them at x, (J, S)."""
    basis = np.ones((len(nodes), len(x)))
    for j, node in enumerate(nodes):
        for i, other in enumerate(nodes):
            if i != j:
                basis[j] *= (x - other) / (node - other)
    return basis
