"""Log likelihoods of a level's units one by one, by the standard deviation of their effects, with all else given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from brightspots.common.arrays import FloatArray, log_sum
from brightspots.common.parallel import map_in_order
from brightspots.engine.integration.centre import own_variances, pseudo_data
from brightspots.engine.integration.draws import make_draws
from brightspots.engine.integration.elimination import Elimination, eliminate, path_sd, solve_effects
from brightspots.engine.integration.evaluation import evaluate
from brightspots.engine.integration.expansion import expand_band
from brightspots.engine.integration.leaf import leaf_marginals
from brightspots.engine.integration.profiles import said_by_leaves
from brightspots.engine.integration.scales import Scales
from brightspots.engine.integration.tree import Tree
from brightspots.engine.levels import Level
from brightspots.likelihood.outcomes import Outcomes

# Largest standard deviation of a table, in those of the normal model.
_WIDEST = 20.0
_QUADRATURE = 7
# Units of a table beyond which those that are alike are put together.
_MOST_UNITS = 400
_PIECES = np.array([220, 25])
_LEAST_VARIANCE, _LEAST_SHARE = 1e-12, 0.05
_LEAVES_AT_ONCE = 2_000
# Points of a grid of effects, and standard deviations that it goes beyond the data, or to either side of 0.
_POINTS, _AROUND = 41, 5.0


@dataclass(frozen=True, eq=False)
class UnitTable:
    """Log likelihoods of a level's units under normal effects of several standard deviations.

    Parameters
    ----------
    scales : (J,)
        Standard deviations: Chebyshev nodes of ½·log(σ² + floor²).
    floor : float
    values : (n, J)
        Of units, or averages over groups of units that are alike.
    counts : (n,)
        Units in each.
    """

    scales: FloatArray
    floor: float
    values: FloatArray
    counts: FloatArray

    def log_likelihood(self, sd: FloatArray, log_weight: FloatArray) -> FloatArray:
        """Of all units under mixtures of normals, (P,), from standard deviations and log weights (M, P)."""
        logs = [
            self.values @ lagrange(self.scales, self.floor, one) + weight
            for one, weight in zip(sd, log_weight, strict=True)
        ]
        return np.asarray(self.counts @ log_sum(np.stack(logs)))


def lagrange(scales: FloatArray, floor: float, sd: FloatArray) -> FloatArray:
    """Weights of a table's values at `scales`, (J,), in those at standard deviations (P,), (J, P)."""
    nodes, at = (0.5 * np.log(values**2 + floor**2) for values in (scales, sd))
    away = np.clip(at, nodes.min(), nodes.max()) - nodes[:, np.newaxis]
    return np.stack([
        np.prod(np.delete(away, j, axis=0), axis=0) / np.prod(np.delete(nodes[j] - nodes, j))
        for j in range(len(nodes))
    ])  # fmt: skip


class UnitValues(NamedTuple):
    """Log likelihoods of a level's units under normal effects of several standard deviations.

    Parameters
    ----------
    scales : (J,)
        Standard deviations: Chebyshev nodes of ½·log(σ² + floor²).
    floor : float
    values : (units, J)
    """

    scales: FloatArray
    floor: float
    values: FloatArray


def table_scales(sd: float, narrowest: float, floor: float, count: int) -> tuple[FloatArray, float]:
    """Standard deviations of a table around one, from `narrowest` times it on, and its floor, `floor` times it."""
    least = floor * sd
    low, high = (0.5 * np.log((factor * sd) ** 2 + least**2) for factor in (narrowest, _WIDEST))
    nodes = 0.5 * (low + high) + 0.5 * (high - low) * np.cos(np.pi * (np.arange(count) + 0.5) / count)
    return np.sqrt(np.maximum(np.exp(2.0 * nodes) - least**2, 0.0)), least


def unit_table(told: UnitValues) -> UnitTable:
    """Put units with similar rows of values together where there are many.

    Rows differ in little more than two respects: how much the data tell of a unit, and how far out it is. Roots of log
    likelihood ratios, which grow as distances do, have two principal axes, and units are put together that lie in the
    same cell of a grid along these: of equal width, so that those far out stay apart.
    """
    # What is common to a row says nothing of σ.
    scales, floor, values = told.scales, told.floor, told.values - told.values[:, :1]
    units = len(values)
    if units <= _MOST_UNITS:
        return UnitTable(scales, floor, values, np.ones(units))
    roots = np.sign(values) * np.sqrt(np.abs(values))
    roots -= roots.mean(axis=0)
    _, _, axes = np.linalg.svd(roots[:: units // _MOST_UNITS], full_matrices=False)
    along = roots @ axes[:2].T
    width = np.maximum(np.ptp(along, axis=0), 1e-12) / _PIECES
    place = ((along - along.min(axis=0)) / width).astype(np.int64)
    _, group, counts = np.unique(place, axis=0, return_inverse=True, return_counts=True)
    group = group.reshape(-1)
    total = np.column_stack([np.bincount(group, column) for column in values.T])
    return UnitTable(scales, floor, total / counts[:, np.newaxis], counts.astype(np.float64))


@dataclass(frozen=True, eq=False)
class Given:
    """What is taken as given of all that a level's units depend on.

    Parameters
    ----------
    border : (B,)
    scales : Scales
        Numbers.
    eliminated : Elimination
        Of pseudo-data under normal effects that stand in for those.
    """

    border: FloatArray
    scales: Scales
    eliminated: Elimination


def leaf_values(tree: Tree, given: Given, sds: FloatArray) -> FloatArray:
    """Log likelihood of each leaf under normal effects of its own level, (N, J), by what all other leaves say of it."""
    step = given.eliminated.steps[-1]
    effects = solve_effects(tree, given.eliminated, given.border)
    at = tree.predictor(given.border) + tree.path(effects)
    mean, variance = _without(
        at, path_sd(tree, given.eliminated) ** 2, step.weight, step.linear + step.weight * tree.cells.offset
    )
    total = np.sqrt(sds**2 + variance[:, np.newaxis] + _error(tree, tree.leaf_level))
    predictor = np.repeat(mean[:, np.newaxis], len(sds), axis=1)
    return leaf_marginals(Outcomes.of(tree.cells), predictor, total, tree.loops, nodes=_QUADRATURE).value


def node_values(tree: Tree, given: Given, scales: Scales, level: Level, sds: FloatArray) -> FloatArray:
    """The same of the units of a node, (units, J): of the innermost from its leaves, else from their pseudo-data.

    `scales` are those of the levels below.
    """
    effects = solve_effects(tree, given.eliminated, given.border)
    data = pseudo_data(tree, tree.predictor(given.border) + tree.path(effects), scales)
    own = own_variances(tree, given.eliminated, given.border, effects, scales)
    eliminated = eliminate(tree, data.information, data.linear, scales.usual(own))
    # Leaves of a unit share the effects above it, not the border: that of each goes into what it says.
    border = tree.predictor(given.border) - tree.cells.offset
    above, variance = np.zeros(tree.cells.n_leaves), np.zeros(tree.cells.n_leaves)
    for node, step in zip(tree.nodes, eliminated.steps, strict=True):
        if node.name == level:
            first = node.leaves[:-1]
            weight, linear = node.sum(step.weight), node.sum(step.linear - step.weight * border)
            mean, spread = above[first], variance[first]
            if node is not tree.nodes[0]:
                mean, spread = _without(mean, spread, step.kept * weight, step.kept * linear)
            total = sds**2 + spread[:, np.newaxis] + _error(tree, level)
            if node is tree.nodes[-1]:
                return _integrals_over_leaves(
                    tree, given.border, scales, (linear, weight), mean, np.sqrt(total)
                )
            kept = 1.0 / (1.0 + weight[:, np.newaxis] * total)
            pull = (linear - weight * mean)[:, np.newaxis]
            return np.asarray(0.5 * np.log(kept) + 0.5 * total * kept * pull**2)
        variance = step.gain[node.of_leaf] + step.kept[node.of_leaf] ** 2 * variance
        above = above + effects[node.name][node.of_leaf]
    raise AssertionError(f"{level} is not a node")


def _integrals_over_leaves(
    tree: Tree,
    border: FloatArray,
    scales: Scales,
    said: tuple[FloatArray, FloatArray],
    mean: FloatArray,
    sds: FloatArray,
) -> FloatArray:
    """Log of what the leaves of each unit of the innermost node say, integrated over normals, (units, J).

    Parameters
    ----------
    said : pair of (units,)
        By pseudo-data: linear part and weight.
    mean, sds : (units,), (units, J)
        Of the normals of the sum of effects down to the unit.
    """
    node, (linear, weight) = tree.nodes[-1], said
    seen, width = linear / weight, _AROUND / np.sqrt(weight)
    lowest, highest = mean - _AROUND * sds.max(axis=1), mean + _AROUND * sds.max(axis=1)
    seen = np.clip(seen, lowest, highest)
    base = tree.predictor(border)

    def one(units: slice) -> FloatArray:
        leaves = slice(int(node.leaves[units.start]), int(node.leaves[units.stop]))
        at, log_weight = _points(
            np.maximum(seen - width, lowest)[units], np.minimum(seen + width, highest)[units],
            mean[units], sds[units].min(axis=1), sds[units].max(axis=1),
        )  # fmt: skip
        predictor = base[leaves, np.newaxis] + at[node.of_leaf[leaves] - units.start]
        of_leaves = said_by_leaves(tree, scales, leaves, predictor, _QUADRATURE)
        values = np.add.reduceat(of_leaves, node.leaves[units] - leaves.start, axis=0) + log_weight
        return _integrals(at, values, mean[units], sds[units])

    pieces = np.searchsorted(node.leaves, np.arange(0, tree.cells.n_leaves, _LEAVES_AT_ONCE))
    bounds = np.unique([*pieces, node.n_units])
    runs = [slice(int(first), int(last)) for first, last in pairwise(bounds)]
    return np.concatenate(list(map_in_order(one, runs)))


def _points(
    lowest: FloatArray, highest: FloatArray, middle: FloatArray, narrowest: FloatArray, widest: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Points for integrals over normals of many widths, and logs of the trapezoidal rule's weights, (n, P) each.

    Evenly from `lowest` to `highest`, where the data point, and around `middle` closer the nearer to it.
    """
    even = lowest[:, np.newaxis] + (highest - lowest)[:, np.newaxis] * np.linspace(0.0, 1.0, _POINTS)
    bend = np.arcsinh(_AROUND * widest / narrowest)[:, np.newaxis]
    near = np.sinh(np.linspace(-1.0, 1.0, _POINTS) * bend) * narrowest[:, np.newaxis]
    at = np.sort(np.concatenate([even, middle[:, np.newaxis] + near], axis=1), axis=1)
    width = 0.5 * np.diff(at, axis=1)
    weight = np.pad(width, ((0, 0), (1, 0))) + np.pad(width, ((0, 0), (0, 1)))
    return at, np.log(np.maximum(weight, 1e-300))


def _integrals(at: FloatArray, values: FloatArray, mean: FloatArray, sds: FloatArray) -> FloatArray:
    """Log of Σ exp values over points (n, P), times normal densities of mean (n,) and sds (n, J), (n, J)."""
    away = (at - mean[:, np.newaxis]).T[:, :, np.newaxis]
    return log_sum(values.T[:, :, np.newaxis] - np.log(sds) - 0.5 * (away / sds) ** 2)


def top_values(
    tree: Tree,
    border: FloatArray,
    parameters: FloatArray,
    sds: FloatArray,
    of_types: FloatArray | None = None,
) -> FloatArray:
    """Log likelihood of each unit of the outermost level under normal effects, given the border, (units, J).

    Averaged over draws of the parameters (n, k), of which those of the levels below are used. `of_types` are log σ of
    department types, (D,), where these differ.
    """
    top = tree.nodes[0].name
    below = replace(tree, effects={level: of for level, of in tree.effects.items() if level != top})
    free = [parameters[:, tree.free[level]] for level in below.effects]
    each = np.concatenate([parameters[:, : len(tree.levels)], *free], axis=1)
    repeated = np.repeat(each, len(sds), axis=0)
    repeated[:, tree.levels.index(top)] = np.tile(np.log(sds), len(each))
    rest = border if of_types is None else np.concatenate([border, of_types])
    draws = make_draws(below, repeated, np.repeat(rest[np.newaxis], len(repeated), axis=0))
    # One band for all: effects reach as far as the widest has them, if the data let them.
    found = evaluate([expand_band(below, draws, np.arange(draws.size))])
    return np.asarray(found.reshape(len(found), len(each), len(sds)).mean(axis=1))


def _without(
    mean: FloatArray, variance: FloatArray, weight: FloatArray, linear: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of what is above a unit without what the unit itself says: −½·weight·x² + linear·x."""
    known = 1.0 / np.maximum(variance, _LEAST_VARIANCE)
    precision = np.maximum(known - weight, _LEAST_SHARE * known)
    return (mean * known - linear) / precision, 1.0 / precision


def _error(tree: Tree, level: Level | None) -> FloatArray | float:
    """Known variance that comes to a level's effects, (units, 1), or 0."""
    error = tree.error_variance(level)
    return 0.0 if error is None else error[:, np.newaxis]
