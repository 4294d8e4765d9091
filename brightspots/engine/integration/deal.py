"""Effects given what all trusts share, from the top down: their distributions, and draws from them.

Where effects are a mixture of normals the component is drawn first, as one more unknown: given it an effect is nearly
normal, and all that follows from that holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri, softmax

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.engine.effects import TwoNormals
from brightspots.engine.integration.expansion import Expansion
from brightspots.engine.integration.leaf import cornish_fisher, shape_of
from brightspots.engine.integration.outermost import top_parts, values_of_lone
from brightspots.engine.integration.polynomials import (
    TrustGroup,
    TrustPolynomials,
    integrate_polynomials,
    trust_polynomials,
)
from brightspots.engine.integration.tree import INNER_NODES, Tree
from brightspots.engine.levels import Level, down_to_departments

# A step that has no divisor in common with usual numbers of draws leads through all rotations of an order.
_TURN = 7_919


@dataclass(frozen=True, eq=False)
class Dealt:
    """Effects of some units of a level, in every draw of what all trusts share.

    Parameters
    ----------
    shapes : (5, units, S)
        Effects; mean, standard deviation, skewness and excess kurtosis of the distribution each was drawn from.
    prior_sd : (units, S)
        σ of the effects before the data: that of the component that was drawn, where they are a mixture.
    exceptional : (units,) or None
        Of a mixture of two normals: the probability of being of the wide one.
    """

    shapes: FloatArray
    prior_sd: FloatArray
    exceptional: FloatArray | None


class _Scores(NamedTuple):
    """Standard normal scores of effects, and uniform ones of components, by level, (units, S) each.

    Where `means` is set effects are at their mean, but components are drawn as where effects are.
    """

    normal: Mapping[Level, FloatArray]
    uniform: Mapping[Level, FloatArray]
    means: bool


class _Part(NamedTuple):
    """One component of the effects of some units: log weight, shape of effect/σ, and σ, (n, S), (4, n, S), (…, S)."""

    log_weight: FloatArray
    shape: FloatArray
    sd: FloatArray


class _Levels(NamedTuple):
    """Dealt effects of a level, (5, n, S), their σ, and the probability of the last component, (n, S) or (1, S)."""

    shapes: FloatArray
    sd: FloatArray
    last: FloatArray

    def where(self, *, means: bool) -> FloatArray:
        """Effects, or their means."""
        return self.shapes[1] if means else self.shapes[0]


def deal(expansions: Sequence[Expansion], group: TrustGroup, seed: int | None) -> dict[Level, Dealt]:
    """Deal the effects of one group of trusts, of the levels down to the departments.

    Parameters
    ----------
    expansions : sequence of Expansion
    group : TrustGroup
    seed : int or None
        None for effects at their means, given those above at theirs.
    """
    tree = expansions[0].tree
    size = sum(band.draws.size for band in expansions)
    runs = {level.name: level.units(group.leaves) for level in down_to_departments(tree.of_data)}
    shapes = {level: np.zeros((5, run.stop - run.start, size)) for level, run in runs.items()}
    prior_sd = {level: np.zeros(shape.shape[1:]) for level, shape in shapes.items()}
    two = [level for level, effect in tree.effects.items() if isinstance(effect, TwoNormals)]
    last = {level: np.zeros(shapes[level].shape[1:]) for level in two}
    drawn = seed is not None or bool(tree.effects)
    normal = _shuffled_scores(tree, group, size, seed or 0) if drawn else {}
    uniform = {
        level: _uniform_scores(runs[level], size, seed or 0) for level in runs if level in tree.effects
    }
    for band in expansions:
        at = band.members
        scores = _Scores(
            {level: values[:, at] for level, values in normal.items()},
            {level: values[:, at] for level, values in uniform.items()},
            seed is None,
        )
        for level, found in _effects(band, group, scores, list(runs)):
            shapes[level][:, :, at] = found.shapes
            prior_sd[level][:, at] = found.sd
            if level in last:
                last[level][:, at] = found.last
    if seed is None:
        for values in shapes.values():
            values[0] = values[1]
    return {
        level: Dealt(shapes[level], prior_sd[level], last[level].mean(axis=1) if level in last else None)
        for level in shapes
    }


def _effects(
    band: Expansion, group: TrustGroup, scores: _Scores, levels: Sequence[Level]
) -> Iterator[tuple[Level, _Levels]]:
    """Effects of the levels, each given those above it, from the top down."""
    tree, means = band.tree, scores.means
    mixed_leaves = band.leaf_mixing is not None
    polynomials = trust_polynomials(band, group, by_cell=not mixed_leaves)
    top = tree.nodes[0]
    run = top.units(group.leaves)
    units = np.arange(run.start, run.stop)
    parts = [
        _Part(of[0], np.stack(shape_of(*of[1:])), sd)
        for of, sd in top_parts(
            band, units, polynomials.by_node[top.name], polynomials.centre, values_of_lone(band, group)
        )
    ]
    found = _deal(parts, parts, scores, top.name)
    yield top.name, found
    # How far the sum of effects down to the level above lies from where that level's polynomials are centred: where
    # distributions are told, and where components are drawn.
    told = drawn = found.where(means=means) - polynomials.centre
    twice = means and bool(tree.effects)
    if twice:
        drawn = found.shapes[0] - polynomials.centre
    for link in tree.links:
        level = link.node.name
        if level not in levels:
            return
        units_below = link.node.units(group.leaves)
        of_parent = link.parent[units_below] - link.outer.units(group.leaves).start
        told, drawn = told[of_parent], drawn[of_parent]
        centre = band.centre[level][units_below][:, np.newaxis]
        parts = _node_parts(band, polynomials, level, units_below, centre - told)
        where = _node_parts(band, polynomials, level, units_below, centre - drawn) if twice else parts
        found = _deal(parts, where, scores, level)
        told = told + found.where(means=means) - centre
        drawn = drawn + found.shapes[0] - centre if twice else told
        yield level, _without_error(tree, level, units_below, found, scores)
    innermost = tree.leaf_level
    if innermost is not None and innermost in levels:
        leaf_effects = _mixed_leaf_effects if mixed_leaves else _leaf_effects
        found = leaf_effects(band, polynomials, told, drawn, scores)
        yield innermost, _without_error(tree, innermost, group.leaves, found, scores)


def _node_parts(
    band: Expansion, polynomials: TrustPolynomials, level: Level, units: slice, centre: FloatArray
) -> list[_Part]:
    """Components of the effects of some units of a node, whose polynomials' argument is 0 where they are `centre`."""
    parts = []
    for log_weight, sd in band.tree.components(level, band.draws.scales, units):
        found = integrate_polynomials(
            band, polynomials.by_node[level], band.reach[level][units], centre, sd, INNER_NODES
        )
        parts.append(_Part(found[0] + log_weight, np.stack(shape_of(*found[1:])), sd))
    return parts


def _deal(parts: list[_Part], where: list[_Part], scores: _Scores, level: Level) -> _Levels:
    """Effects of some units.

    Parameters
    ----------
    parts : list of _Part
        Where distributions are told.
    where : list of _Part
        Where components are drawn.
    """
    if len(parts) == 1:
        shape, sd, last = parts[0].shape, parts[0].sd, np.ones((1, 1))
    else:
        share = softmax(np.stack([part.log_weight for part in where]), axis=0)
        drawn = np.sum(scores.uniform[level] > np.cumsum(share, axis=0)[:-1], axis=0)
        shape = np.choose(drawn, [part.shape for part in parts])
        sd = np.choose(drawn, [np.broadcast_to(part.sd, drawn.shape) for part in parts])
        last = share[-1]
    mean, width, skewness, kurtosis = shape
    score = scores.normal.get(level)
    effect = mean if score is None else cornish_fisher(mean, width, skewness, kurtosis, score)
    return _Levels(np.stack([sd * effect, sd * mean, sd * width, skewness, kurtosis]), sd, last)


def _without_error(tree: Tree, level: Level, units: slice, found: _Levels, scores: _Scores) -> _Levels:
    """Effects v of some units where those dealt are v + ε, ε ~ N(0, e²) the error of what was expected.

    Given the sum s, v ~ N(κs, κe²) with κ = σ²/(σ² + e²). So the cumulants of v are those of s times κⁿ, and κe² more
    for the variance.
    """
    error = tree.error_variance(level, units)
    if error is None:
        return found
    own = np.maximum(found.sd**2 - error[:, np.newaxis], 0.0)
    kept = own / found.sd**2
    _, mean, width, skewness, kurtosis = found.shapes
    sd = np.sqrt((kept * width) ** 2 + kept * error[:, np.newaxis])
    share = kept * width / sd
    shape = kept * mean, sd, share**3 * skewness, share**4 * kurtosis
    score = scores.normal.get(level)
    effect = shape[0] if score is None else cornish_fisher(*shape, score)
    return _Levels(np.stack([effect, *shape]), np.sqrt(own), found.last)


def _leaf_effects(
    band: Expansion, polynomials: TrustPolynomials, told: FloatArray, drawn: FloatArray, scores: _Scores
) -> _Levels:
    """Effects of leaves that are a cell each, given those above: normal before the data."""
    del drawn  # there is but one component
    tree, leaves = band.tree, polynomials.group.leaves
    assert tree.leaf_level is not None  # its effects are dealt
    parent = tree.nodes[-1].of_leaf[leaves]
    away = np.ascontiguousarray(told[parent - parent[0]])
    sd = tree.leaf_sd(band.draws.scales, leaves)
    score = scores.normal.get(tree.leaf_level)
    effects: FloatArray = tree.loops.leaf_effects(
        polynomials.cell,
        band.reach[tree.nodes[-1].name][parent],
        away,
        np.ascontiguousarray(sd),
        np.zeros_like(away) if score is None else np.ascontiguousarray(score),
    )
    if score is None:
        effects[0] = effects[1]
    return _Levels(effects, sd, np.ones((1, 1)))


def _mixed_leaf_effects(
    band: Expansion, polynomials: TrustPolynomials, told: FloatArray, drawn: FloatArray, scores: _Scores
) -> _Levels:
    """The same where effects of leaves are a mixture before the data."""
    tree, group = band.tree, polynomials.group
    assert tree.leaf_level is not None  # its effects are dealt
    parent = tree.nodes[-1].of_leaf[group.leaves]
    told, drawn = (np.ascontiguousarray(path[parent - parent[0]]) for path in (told, drawn))
    reach = band.reach[tree.nodes[-1].name][parent]
    argument, parts = drawn / reach[:, np.newaxis], []
    for log_weight, normal in band.of_components:
        of_cell = trust_polynomials(normal, group, by_cell=True).cell
        assert of_cell is not None  # asked for
        sd = np.ascontiguousarray(normal.tree.leaf_sd(normal.draws.scales, group.leaves))
        effects = tree.loops.leaf_effects(of_cell, reach, told, sd, np.zeros_like(told))
        effects[1:3] /= sd
        value = of_cell[-1]
        for coefficient in of_cell[-2::-1]:
            value = value * argument + coefficient
        parts.append(_Part(value + log_weight, effects[1:], sd))
    return _deal(parts, parts, scores, tree.leaf_level)


def _uniform_scores(units: slice, size: int, seed: int) -> FloatArray:
    """Uniform scores that say which component each draw of some units is of, (units, S).

    Those of a unit are the middles of S equal slices in an order of its own, so that a component comes up as often as
    it is likely, to half a draw.
    """
    scores = np.random.default_rng([seed, size]).permutation((np.arange(size) + 0.5) / size)
    return rotations(scores, np.arange(units.start, units.stop) * _TURN % size)


def _shuffled_scores(tree: Tree, group: TrustGroup, size: int, seed: int) -> dict[Level, FloatArray]:
    """Normal scores in an order of their own for each unit of the levels down to the departments, (units, S) each.

    A unit of the outermost level shuffles once, and the rows of what lies in it are rotations of that order by
    different amounts: any two rows are then paired as by an independent shuffle, at the price of a copy.
    """
    levels = down_to_departments(tree.of_data)
    top, scores = levels[0], normal_scores(size)
    found = {level.name: _empty(level.units(group.leaves), size) for level in levels}
    rows = dict.fromkeys(found, 0)
    units = top.units(group.leaves)
    for unit in range(units.start, units.stop):
        # A generator of its own makes a unit's numbers independent of how units are grouped.
        generator = np.random.default_rng([seed, unit])
        leaves = slice(int(top.leaves[unit]), int(top.leaves[unit + 1]))
        inside = [(level.name, level.units(leaves)) for level in levels]
        names = [name for name, run in inside for _ in range(run.start, run.stop)]
        turns = np.concatenate([generator.permutation(size) for _ in range((len(names) - 1) // size + 1)])
        for number, name in enumerate(names):
            if number % size == 0:
                doubled = np.tile(generator.permutation(scores), 2)
            found[name][rows[name]] = doubled[turns[number] : turns[number] + size]
            rows[name] += 1
    return found


def _empty(units: slice, size: int) -> FloatArray:
    return np.empty((units.stop - units.start, size))


def normal_scores(size: int) -> FloatArray:
    """Quantiles of the standard normal at the middle of `size` equal slices, scaled to unit variance."""
    scores: FloatArray = ndtri((np.arange(size) + 0.5) / size)
    return scores / np.sqrt(np.mean(scores**2))


def rotations(scores: FloatArray, turns: IntArray) -> FloatArray:
    """One order of scores, (S,), begun at the places `turns`, (n,), 0 to S − 1: (n, S)."""
    return np.asarray(np.tile(scores, 2)[turns[:, np.newaxis] + np.arange(len(scores))])
