"""Log likelihoods of a level's units one by one, by the standard deviation of their effects, with all else given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from brightspots.common.arrays import FloatArray, log_sum
from brightspots.engine.integration.centre import own_variances, pseudo_data
from brightspots.engine.integration.elimination import Elimination, eliminate, path_sd, solve_effects
from brightspots.engine.integration.leaf import leaf_marginals
from brightspots.engine.integration.profiles import inside_of
from brightspots.engine.integration.scales import Scales
from brightspots.engine.integration.tree import Tree
from brightspots.engine.levels import Level
from brightspots.likelihood.outcomes import Outcomes

# Standard deviations of a table, from so many times that of the normal model to so many times.
_NARROWEST, _WIDEST, _SCALES = 0.3, 20.0, 14
_FLOOR = 0.3
_QUADRATURE = 7
# Units of a table beyond which those that are alike are put together.
_MOST_UNITS = 400
_PIECES = np.array([200, 25])
_LEAST_VARIANCE, _LEAST_SHARE = 1e-12, 0.05
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
        logs = [self.values @ self._basis(one) + weight for one, weight in zip(sd, log_weight, strict=True)]
        return np.asarray(self.counts @ log_sum(np.stack(logs)))

    def _basis(self, sd: FloatArray) -> FloatArray:
        """Lagrange weights, (J, P)."""
        nodes, at = (0.5 * np.log(values**2 + self.floor**2) for values in (self.scales, sd))
        away = np.clip(at, nodes.min(), nodes.max()) - nodes[:, np.newaxis]
        return np.stack([
            np.prod(np.delete(away, j, axis=0), axis=0) / np.prod(np.delete(nodes[j] - nodes, j))
            for j in range(len(nodes))
        ])  # fmt: skip


def table_scales(sd: float) -> tuple[FloatArray, float]:
    """Standard deviations of a table around one, and its floor."""
    floor = _FLOOR * sd
    low, high = (0.5 * np.log((factor * sd) ** 2 + floor**2) for factor in (_NARROWEST, _WIDEST))
    nodes = 0.5 * (low + high) + 0.5 * (high - low) * np.cos(np.pi * (np.arange(_SCALES) + 0.5) / _SCALES)
    return np.sqrt(np.exp(2.0 * nodes) - floor**2), floor


def unit_table(scales: FloatArray, floor: float, values: FloatArray) -> UnitTable:
    """Put units with similar rows of values, (units, J), together where there are many.

    Rows differ in little more than two respects: how much the data tell of a unit, and how far out it is. Roots of log
    likelihood ratios, which grow as distances do, have two principal axes, and units are put together that lie in the
    same cell of a grid along these: of equal width, so that those far out stay apart.
    """
    # What is common to a row says nothing of σ.
    units, values = len(values), values - values[:, :1]
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
    """The same of the units of a node, (units, J), from what normal pseudo-data of their leaves say.

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
            kept = 1.0 / (1.0 + weight[:, np.newaxis] * total)
            pull = (linear - weight * mean)[:, np.newaxis]
            return np.asarray(0.5 * np.log(kept) + 0.5 * total * kept * pull**2)
        variance = step.gain[node.of_leaf] + step.kept[node.of_leaf] ** 2 * variance
        above = above + effects[node.name][node.of_leaf]
    raise AssertionError(f"{level} is not a node")


def top_values(tree: Tree, given: Given, scales: Scales, sds: FloatArray) -> FloatArray:
    """The same of the units of the outermost level where effects below are mixtures, (units, J).

    Pseudo-data will not do: those of leaves far out have next to no curvature, so that nothing would speak against
    effects however large. The integral is done by the trapezoidal rule, with points over all that the data leave
    possible, and others close to 0 for the narrowest effects.
    """
    effects = solve_effects(tree, given.eliminated, given.border)
    data = pseudo_data(tree, tree.predictor(given.border) + tree.path(effects), scales)
    own = own_variances(tree, given.eliminated, given.border, effects, scales)
    eliminated = eliminate(tree, data.information, data.linear, scales.usual(own))
    inside = inside_of(tree, given.border, effects, scales, eliminated)
    none = np.full(inside.n_units, np.inf)
    lowest, highest = inside.seen_between(none, -none)
    around = np.minimum(_AROUND / np.sqrt(inside.least_known), _AROUND * sds.max())
    lowest, highest = lowest - around, highest + around
    even = lowest[:, np.newaxis] + (highest - lowest)[:, np.newaxis] * np.linspace(0.0, 1.0, _POINTS)
    near = np.sinh(np.linspace(-1.0, 1.0, _POINTS) * np.arcsinh(_AROUND * sds.max() / sds.min())) * sds.min()
    at = np.sort(np.concatenate([even, np.broadcast_to(near, even.shape)], axis=1), axis=1)
    width = 0.5 * np.diff(at, axis=1)
    weight = np.pad(width, ((0, 0), (1, 0))) + np.pad(width, ((0, 0), (0, 1)))
    likelihood = inside.log_likelihood(at) + np.log(np.maximum(weight, 1e-300))
    logs = likelihood.T[:, :, np.newaxis] - np.log(sds) - 0.5 * (at.T[:, :, np.newaxis] / sds) ** 2
    return log_sum(logs)


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
