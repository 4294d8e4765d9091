"""Normal pseudo-observations of the leaves, and modes of effects under them, given what all trusts share.

Each leaf, its own effect integrated out exactly, is replaced by the normal observation with the same slope and
curvature of m(s; σ), its marginal log likelihood (see `leaf`). Effects of nodes that are a mixture are shrunk, each, by
the normal that shrinks them as the mixture does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import special

from brightspots.common.arrays import FloatArray
from brightspots.common.parallel import map_in_order, spans
from brightspots.engine.integration.elimination import Elimination, eliminate, path_sd, solve_effects
from brightspots.engine.integration.leaf import leaf_marginals, mix_values
from brightspots.engine.integration.model import Model, solve_border
from brightspots.engine.integration.scales import Scales
from brightspots.engine.integration.tree import Tree
from brightspots.engine.levels import Level
from brightspots.likelihood.outcomes import Outcomes

_LONGEST_SHIFT = 2.0
_TOLERANCE = 1e-2
_LEAVES_AT_ONCE = 20_000
# Standard deviations of the border that one more round may move it.
_SETTLED = 0.02
# Of a mixture: share of its components' curvature, variance of a standardised effect, and variance in units of the
# usual effects' that a normal standing in for it has at least.
_LEAST_BEND, _LEAST_VARIANCE, _LEAST_OWN = 0.02, 1e-6, 1e-6


@dataclass(frozen=True, eq=False)
class PseudoData:
    """Normal pseudo-observations of the leaves, −½·information·x² + linear·x with x without the offset, (N,) each."""

    information: FloatArray
    linear: FloatArray


def pseudo_data(
    tree: Tree, predictor: FloatArray, scales: Scales, spread: FloatArray | None = None
) -> PseudoData:
    """Replace every leaf by a normal observation that matches its marginal slope and curvature.

    Parameters
    ----------
    tree : Tree
    predictor : (N,)
    scales : Scales
        Numbers.
    spread : (N,), optional
        Match the slope and curvature averaged over N(predictor, spread²) instead of those at `predictor`. The average
        slope is what the border feels of a leaf whose trust is uncertain, so it gives the border's mean, not its mode.
    """
    points = np.zeros(1) if spread is None else np.array([-1.0, 1.0])  # two points: exact for cubics
    width = np.zeros(len(predictor)) if spread is None else spread
    marginal_of = _mixed_leaves if tree.leaf_level in scales.mixing else _normal_leaves

    def one(span: slice) -> tuple[FloatArray, FloatArray]:
        at = predictor[span, np.newaxis] + width[span, np.newaxis] * points
        slope, curvature, variance = marginal_of(tree, scales, span, at)
        # With raw information I, weight = I/(1 + Iσ²) and Var[z] = 1/(1 + Iσ²).
        information = -curvature / variance
        return information, slope / variance + information * (predictor[span] - tree.cells.offset[span])

    parts = map_in_order(one, spans(tree.cells.n_leaves, _LEAVES_AT_ONCE))
    information, linear = (np.concatenate(part) for part in zip(*parts, strict=True))
    return PseudoData(information, linear)


def _normal_leaves(
    tree: Tree, scales: Scales, span: slice, at: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean over points, (leaves, P), of slope, curvature and variance of the standardised effect, (leaves,) each."""
    sd = tree.leaf_sd(scales, span)[:, np.newaxis]
    marginal = leaf_marginals(Outcomes.of(tree.cells, span), at, sd, tree.loops)
    return (
        marginal.slope.mean(axis=1), marginal.curvature.mean(axis=1), marginal.variance.mean(axis=1)
    )  # fmt: skip


def _mixed_leaves(
    tree: Tree, scales: Scales, span: slice, at: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The same where effects of leaves are a mixture: as of the usual normal effect that would give that curvature.

    Between the bulk and the exceptional a mixture may bend upwards; a little of its components' bend is kept there.
    """
    assert tree.leaf_level is not None  # it is a mixture
    outcomes = Outcomes.of(tree.cells, span)
    parts = []
    for log_weight, sd in tree.components(tree.leaf_level, scales, span):
        found = leaf_marginals(outcomes, at, sd[:, np.newaxis], tree.loops)
        parts.append(np.stack([found.value + log_weight, found.slope, found.curvature]))
    whole = np.stack(parts)
    _, slope, curvature = mix_values(whole)
    share = special.softmax(whole[:, 0], axis=0)
    bend = np.minimum(curvature, _LEAST_BEND * np.sum(share * whole[:, 2], axis=0)).mean(axis=1)
    variance = 1.0 + tree.leaf_variance(scales.usual(), span) * bend
    return slope.mean(axis=1), bend, np.maximum(variance, _LEAST_VARIANCE)


class Centre(NamedTuple):
    """Modes of effects given border and σ's.

    Parameters
    ----------
    effects : mapping of level to (units,)
        Of every node.
    data : PseudoData
        There.
    scales : Scales
        Of the normal effects that stand in for those that are not: of every unit's own variance.
    """

    effects: dict[Level, FloatArray]
    data: PseudoData
    scales: Scales


def centre_effects(tree: Tree, border: FloatArray, scales: Scales, rounds: int = 8) -> Centre:
    """Modes of every node's effects given border and σ's, and the pseudo-data there."""
    # Start where the counts alone point: a leaf that is replaced far from its data has a poor slope and curvature.
    guess, precision = Outcomes.of(tree.cells).guess()
    linear = precision * (guess - tree.cells.offset)
    standing = scales.usual()
    eliminated = eliminate(tree, precision, linear, standing)
    effects = solve_effects(tree, eliminated, border)
    base = tree.predictor(border)
    for _ in range(rounds):
        standing = scales.usual(own_variances(tree, eliminated, border, effects, scales))
        data = pseudo_data(tree, base + tree.path(effects), scales)
        eliminated = eliminate(tree, data.information, data.linear, standing)
        found = solve_effects(tree, eliminated, border)
        moved = max(np.abs(found[level] - effects[level]).max() for level in effects)
        effects = {
            level: effects[level] + np.clip(found[level] - effects[level], -_LONGEST_SHIFT, _LONGEST_SHIFT)
            for level in effects
        }
        if moved < _TOLERANCE * float(standing[tree.nodes[0].name]):
            break
    return Centre(effects, pseudo_data(tree, base + tree.path(effects), scales), standing)


def settle(
    model: Model, scales: Scales, border: FloatArray, rounds: int = 40
) -> tuple[FloatArray, PseudoData, Mapping[Level, FloatArray]]:
    """Mean of the border given σ's and the parameters of effects that are not normal, with the pseudo-data there.

    Parameters
    ----------
    model : Model
    scales : Scales
        Numbers.
    border : (B,)
        Where to start.

    Returns
    -------
    (B,), PseudoData, mapping of level to (units,)
        The last as `Scales.own`.
    """
    tree = model.tree
    for _ in range(rounds):
        centre = centre_effects(tree, border, scales, rounds=2)
        eliminated = eliminate(tree, centre.data.information, centre.data.linear, centre.scales)
        before, border = border, solve_border(model, eliminated, centre.scales).border
        moved, (_, prior) = border - before, model.border_prior(centre.scales)
        if moved @ eliminated.precision @ moved + prior @ moved**2 < _SETTLED**2:
            break
    predictor = tree.predictor(border) + tree.path(solve_effects(tree, eliminated, border))
    data = pseudo_data(tree, predictor, scales, path_sd(tree, eliminated))
    eliminated = eliminate(tree, data.information, data.linear, centre.scales)
    return solve_border(model, eliminated, centre.scales).border, data, centre.scales.own


def own_variances(
    tree: Tree,
    eliminated: Elimination,
    border: FloatArray,
    effects: Mapping[Level, FloatArray],
    scales: Scales,
) -> dict[Level, FloatArray]:
    """Variance of the normal that each effect of a node is shrunk by as by its mixture, in units of the usual ones'.

    Returns
    -------
    mapping of level to (units,)
        Of the nodes whose effects are a mixture.
    """
    found = {}
    above = tree.predictor(border) - tree.cells.offset
    for node, step in zip(tree.nodes, eliminated.steps, strict=True):
        if node.name in scales.mixing:
            weight, pull = node.sum(step.weight), node.sum(step.linear - step.weight * above)
            _, kept = component_shares(tree, node.name, scales, weight, pull)
            variance = (1.0 / kept - 1.0) / weight
            error = tree.error_variance(node.name)
            variance = variance if error is None else variance - error
            usual = tree.variance(node.name, scales.usual())
            usual = usual if error is None else usual - error
            found[node.name] = np.maximum(variance / usual, _LEAST_OWN)
        above = above + effects[node.name][node.of_leaf]
    return found


def component_shares(
    tree: Tree, level: Level, scales: Scales, weight: FloatArray, pull: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Which component the effects of a node are of, by what normal data say: −½·weight·x² + pull·x of each unit.

    Returns
    -------
    share : (M, units)
    kept : (units,)
        Share of the information that is left for the levels above, averaged over the components.
    """
    logs, kept = [], []
    for log_weight, sd in tree.components(level, scales):
        left = 1.0 / (1.0 + sd**2 * weight)
        logs.append(log_weight + 0.5 * np.log(left) + 0.5 * sd**2 * left * pull**2)
        kept.append(left)
    share = special.softmax(np.stack(logs), axis=0)
    return share, np.sum(share * np.stack(kept), axis=0)
